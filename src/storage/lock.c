/*
 * lock.c - the right to write, by an open-file-description lock, and one page beside it.
 *
 * The lock vanishes with its descriptor, never before, so a killed writer holds up nobody. What the
 * page says is stored after the sync it speaks of: a reader that follows it reads durable records
 * only. Its fields are stored one by one; the checkpoint is stored last when it changes and read
 * first, and a reader that finds it changed starts over.
 */
#include "config.h"

#include "storage/lock.h"
#include <assert.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

enum { PAGE_BYTES = 4096, WRITER_BYTE = 4096 };

typedef struct Page {
    _Atomic uint64_t epoch, durable_lsn, checkpoint, pid;
} Page;

struct DirectoryLock {
    const Io *io;
    IoFile *file; /* NULL: there is no LOCK */
    Page *page;
    bool write;
};

static Error *map_page(DirectoryLock *lock)
{
    uint64_t bytes;
    void *page = NULL;
    TRY(io_bytes(lock->file, &bytes));
    if (bytes < PAGE_BYTES && !lock->write) return NULL; /* made a moment ago, or cut: no writer */
    if (bytes < PAGE_BYTES) {
        static const char zeros[PAGE_BYTES];
        TRY(io_write(lock->file, 0, zeros, PAGE_BYTES));
    }
    TRY(io_map(lock->file, PAGE_BYTES, true, &page));
    lock->page = page;
    return NULL;
}

static Error *lock_open(const Io *io, const char *directory, bool write, DirectoryLock **out)
{
    char path[IO_PATH_BYTES_MAX];
    TRY(io_join(path, directory, "LOCK"));
    DirectoryLock *lock = mem_calloc(1, sizeof *lock);
    lock->io = io;
    lock->write = write;
    Error *error = NULL;
    if (write || io_kind(io, path) == IO_FILE)
        error = io_open(io, path, write ? IO_OPEN_OR_CREATE : IO_READ, &lock->file);
    if (error == NULL && lock->file != NULL) error = map_page(lock);
    if (error != NULL) {
        lock_close(lock);
        return error;
    }
    *out = lock;
    return NULL;
}

Error *lock_acquire(const Io *io, const char *directory, DirectoryLock **out)
{
    DirectoryLock *lock;
    TRY(lock_open(io, directory, true, &lock));
    if (!io_lock(lock->file, WRITER_BYTE)) {
        Error *error =
            error_hint(error_new(ERROR_LOCKED, "%s is locked for writing by pid %llu", directory,
                                 (unsigned long long)atomic_load(&lock->page->pid)),
                       "end that program, or open with --read-only");
        lock_close(lock);
        return error;
    }
    atomic_store(&lock->page->pid, (uint64_t)getpid());
    *out = lock;
    return NULL;
}

Error *lock_watch(const Io *io, const char *directory, DirectoryLock **out)
{
    return lock_open(io, directory, false, out);
}

void lock_publish(DirectoryLock *lock, LockPage page)
{
    assert(lock->write && lock->page != NULL);
    atomic_store(&lock->page->epoch, page.epoch);
    atomic_store(&lock->page->durable_lsn, page.durable_lsn);
    atomic_store(&lock->page->checkpoint, page.checkpoint);
}

LockPage lock_page(const DirectoryLock *lock)
{
    if (lock->page == NULL) return (LockPage){0};
    uint64_t checkpoint = atomic_load(&lock->page->checkpoint);
    return (LockPage){atomic_load(&lock->page->epoch), atomic_load(&lock->page->durable_lsn),
                      checkpoint};
}

bool lock_has_writer(const DirectoryLock *lock)
{
    return lock->page != NULL && io_is_locked(lock->file, WRITER_BYTE);
}

/* ---- pins ---- */

Error *lock_pin(const Io *io, const char *directory, uint64_t id, IoFile **out)
{
    char path[IO_PATH_BYTES_MAX];
    *out = NULL;
    if (id == 0) return error_new(ERROR_CORRUPT, "%s: a segment has no number", directory);
    TRY(io_join(path, directory, "LOCK"));
    if (io_kind(io, path) != IO_FILE) return NULL;
    IoFile *file;
    TRY(io_open(io, path, IO_READ, &file));
    if (!io_lock_shared(file, WRITER_BYTE + id)) {
        io_close(file);
        return error_hint(error_new(ERROR_IO, "%s cannot be locked for reading segment %llu", path,
                                    (unsigned long long)id),
                          "does the file system have locks?");
    }
    *out = file;
    return NULL;
}

Error *lock_pin_too(IoFile *pin, uint64_t id)
{
    if (pin == NULL || io_lock_shared(pin, WRITER_BYTE + id)) return NULL;
    return error_hint(error_new(ERROR_IO, "LOCK cannot be locked for reading segment %llu",
                                (unsigned long long)id),
                      "does the file system have locks?");
}

bool lock_is_pinned(const DirectoryLock *lock, uint64_t id)
{
    return io_is_locked(lock->file, WRITER_BYTE + id);
}

void lock_close(DirectoryLock *lock)
{
    if (lock == NULL) return;
    io_unmap(lock->io, lock->page, PAGE_BYTES);
    io_close(lock->file);
    mem_free(lock);
}
