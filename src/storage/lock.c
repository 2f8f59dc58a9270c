/* lock.c - the right to write, by an open-file-description lock: it vanishes with its descriptor,
 * never before. */
#include "config.h"

#include "storage/lock.h"
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

enum { PAGE_BYTES = 4096, WRITER_BYTE = 4096 };

typedef struct Page {
    _Atomic uint64_t durable_lsn, pid;
} Page;

struct DirectoryLock {
    int file;
    bool write;
    Page *page;
};

static bool try_lock(int file, short type, bool only_ask)
{
    struct flock lock = {.l_type = type, .l_whence = SEEK_SET, .l_start = WRITER_BYTE, .l_len = 1};
    if (fcntl(file, only_ask ? F_OFD_GETLK : F_OFD_SETLK, &lock) != 0) return false;
    return !only_ask || lock.l_type == F_UNLCK;
}

static Error *open_page(const char *path, bool write, DirectoryLock *lock)
{
    lock->file = open(path, (write ? O_RDWR | O_CREAT : O_RDONLY) | O_CLOEXEC, 0644);
    if (lock->file < 0) return error_errno(ERROR_IO, errno, "%s cannot be opened", path);
    if (write && ftruncate(lock->file, PAGE_BYTES * 2) != 0)
        return error_errno(ERROR_IO, errno, "%s cannot be written", path);
    void *page = mmap(NULL, PAGE_BYTES, write ? PROT_READ | PROT_WRITE : PROT_READ, MAP_SHARED,
                      lock->file, 0);
    if (page == MAP_FAILED) return error_errno(ERROR_IO, errno, "%s cannot be mapped", path);
    lock->page = page;
    return NULL;
}

Error *lock_open(const char *directory, bool write, DirectoryLock **out)
{
    char path[4352];
    DirectoryLock *lock = mem_calloc(1, sizeof *lock);
    snprintf(path, sizeof path, "%.4200s/LOCK", directory);
    lock->write = write;
    Error *error = open_page(path, write, lock);
    if (error == NULL && write && !try_lock(lock->file, F_WRLCK, false))
        error = error_hint(error_new(ERROR_LOCKED, "%s is locked for writing by pid %llu",
                                     directory, (unsigned long long)atomic_load(&lock->page->pid)),
                           "end that program, or open read-only");
    if (error != NULL) {
        lock->write = false;
        lock_close(lock);
        return error;
    }
    if (write) atomic_store(&lock->page->pid, (uint64_t)getpid());
    *out = lock;
    return NULL;
}

void lock_set_durable(DirectoryLock *lock, uint64_t lsn)
{
    atomic_store(&lock->page->durable_lsn, lsn);
}

uint64_t lock_durable(const DirectoryLock *lock, bool *written)
{
    *written = !try_lock(lock->file, F_WRLCK, true);
    return atomic_load(&lock->page->durable_lsn);
}

void lock_close(DirectoryLock *lock)
{
    if (lock == NULL) return;
    if (lock->page != NULL) munmap(lock->page, PAGE_BYTES);
    if (lock->file >= 0) close(lock->file);
    mem_free(lock);
}
