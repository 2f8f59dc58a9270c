/*
 * lock.h - who writes: the file LOCK of a database directory.
 *
 * One page {durable lsn u64, pid u64}, mapped and shared; the exclusive open-file-description lock
 * on byte 4096 is the right to write. It goes with the process, however that ends.
 */
#ifndef STORAGE_LOCK_H
#define STORAGE_LOCK_H
#include "base/error.h"
#include <stdbool.h>

typedef struct DirectoryLock DirectoryLock;
/* `write`: takes the right to write, or gives ERROR_LOCKED that names who has it. */
Error *lock_open(const char *directory, bool write, DirectoryLock **out) MUST_CHECK;
void lock_set_durable(DirectoryLock *lock, uint64_t lsn);
uint64_t lock_durable(const DirectoryLock *lock,
                      bool *written); /* *written: somebody writes now, and the lsn is his */
void lock_close(DirectoryLock *lock); /* NULL is welcome */
#endif
