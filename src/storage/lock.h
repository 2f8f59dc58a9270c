/*
 * lock.h - who writes, and who reads what: the file LOCK of a database directory.
 *
 * One page {epoch u64, durable lsn u64, checkpoint u64, pid u64}, mapped and shared; the exclusive
 * open-file-description lock on byte 4096 is the right to write. A shared one on byte 4096 + N is a
 * pin: somebody reads segment N, which stays until nobody does. A lock goes with its process,
 * however that ends. The page stays: what it calls durable was, so a log that ends before is not whole.
 */
#ifndef STORAGE_LOCK_H
#define STORAGE_LOCK_H
#include "storage/io.h"

typedef struct DirectoryLock DirectoryLock;
typedef struct LockPage { /* what the writer tells readers in other processes */
    uint64_t epoch, durable_lsn, checkpoint;
} LockPage;

/* Takes the right to write, or gives ERROR_LOCKED that names who has it. */
Error *lock_acquire(const Io *io, const char *directory, DirectoryLock **out) MUST_CHECK;
/* To read beside a writer. A directory without LOCK has no writer, and never had one. */
Error *lock_watch(const Io *io, const char *directory, DirectoryLock **out) MUST_CHECK;
void lock_publish(DirectoryLock *lock, LockPage page); /* the writer */
LockPage lock_page(const DirectoryLock *lock);
bool lock_has_writer(const DirectoryLock *lock); /* asks the system: a call of about 1 us */
/* Pins segment `id`, until the file is closed by io_close. *out NULL: there is no LOCK, so there is
 * nobody who could remove it. Whoever pins looks afterwards whether the segment is still there. */
Error *lock_pin(const Io *io, const char *directory, uint64_t id, IoFile **out) MUST_CHECK;
/* Pins one more by the same file; NULL: nothing was pinned, and need not be. */
Error *lock_pin_too(IoFile *pin, uint64_t id) MUST_CHECK;
bool lock_is_pinned(const DirectoryLock *lock, uint64_t id); /* by any other handle */
void lock_close(DirectoryLock *lock);                        /* NULL is welcome */
#endif
