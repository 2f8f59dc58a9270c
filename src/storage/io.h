/*
 * io.h - files, as a plug: everything the store does to a disk goes through here.
 *
 * io_posix() is the machine's own. Others (in memory, recording, failing on purpose) fill in the
 * same table, so that a test can own every byte and every sync. Paths are plain text, '/' between
 * folders. All calls are safe from several threads; one file may be read and written at once.
 *
 * Errors: ERROR_NO_FILE when a file that must exist does not, ERROR_FULL when no space is left,
 * ERROR_IO for the rest, each naming the path.
 */
#ifndef STORAGE_IO_H
#define STORAGE_IO_H
#include "base/tell.h"

enum { IO_PATH_BYTES_MAX = 4096 }; /* PATH_MAX of the machines we know */

typedef struct Io Io;
typedef struct IoFile { /* an implementation puts its own behind this */
    const Io *io;
} IoFile;

typedef enum IoMode {
    IO_READ,          /* there must be one */
    IO_WRITE,         /* there must be one; read and write */
    IO_CREATE,        /* there must be none; read and write */
    IO_OPEN_OR_CREATE /* read and write */
} IoMode;
typedef enum IoKind { IO_NOTHING, IO_FILE, IO_DIRECTORY } IoKind;

struct Io {
    void *state;
    Error *(*open)(const Io *io, const char *path, IoMode mode, IoFile **out);
    void (*close)(IoFile *file);
    Error *(*bytes)(IoFile *file, uint64_t *out);
    Error *(*read)(IoFile *file, uint64_t offset, void *into, size_t bytes, size_t *got);
    Error *(*write)(IoFile *file, uint64_t offset, const void *data, size_t bytes);
    void (*write_out)(IoFile *file, uint64_t offset, uint64_t bytes); /* NULL: no such thing */
    void (*go_direct)(IoFile *file);                                  /* NULL: no such thing */
    Error *(*truncate)(IoFile *file, uint64_t bytes);
    Error *(*sync)(IoFile *file);
    Error *(*map)(IoFile *file, size_t bytes, bool shared, void **out);
    void (*unmap)(const Io *io, void *memory, size_t bytes);
    bool (*lock)(IoFile *file, uint64_t byte);
    bool (*lock_shared)(IoFile *file, uint64_t byte);
    bool (*is_locked)(IoFile *file, uint64_t byte);
    Error *(*rename)(const Io *io, const char *from, const char *to);
    Error *(*unlink)(const Io *io, const char *path);
    Error *(*make_directory)(const Io *io, const char *path);
    Error *(*sync_directory)(const Io *io, const char *path);
    Error *(*list)(const Io *io, const char *path, void (*each)(void *user, const char *name),
                   void *user);
    IoKind (*kind)(const Io *io, const char *path);
    /* All of a file into an empty one that shares its blocks. False, or NULL here: it cannot. */
    bool (*clone)(IoFile *from, IoFile *to);
    /* A piece, as read and write do it, inside the kernel: gives how many bytes; 0: it cannot. NULL:
     * no such thing. */
    size_t (*pass)(IoFile *from, IoFile *to, uint64_t offset, size_t bytes);
};

const Io *io_posix(void);

MUST_CHECK static inline Error *io_open(const Io *io, const char *path, IoMode mode, IoFile **out)
{
    return io->open(io, path, mode, out);
}
static inline void io_close(IoFile *file) /* lets its locks go; NULL is welcome */
{
    if (file != NULL) file->io->close(file);
}
MUST_CHECK static inline Error *io_bytes(IoFile *file, uint64_t *out)
{
    return file->io->bytes(file, out);
}
/* *got is less than `bytes` only at the end of the file. */
MUST_CHECK static inline Error *io_read(IoFile *file, uint64_t offset, void *into, size_t bytes,
                                        size_t *got)
{
    return file->io->read(file, offset, into, bytes, got);
}
/* All or an error; after an error any part may be written. */
MUST_CHECK static inline Error *io_write(IoFile *file, uint64_t offset, const void *data,
                                         size_t bytes)
{
    return file->io->write(file, offset, data, bytes);
}
/* Cuts the file, or fills it up with zeros, to this length. */
MUST_CHECK static inline Error *io_truncate(IoFile *file, uint64_t bytes)
{
    return file->io->truncate(file, bytes);
}
/* Asks for what was written there to be on its way to the disk before a sync waits for it; a hint. */
static inline void io_write_out(IoFile *file, uint64_t offset, uint64_t bytes)
{
    if (file->io->write_out != NULL) file->io->write_out(file, offset, bytes);
}
/* From now on whole pages out of memory that begins at a page go to the disk without a copy in the
 * machine's cache, where that can be; the first write of another kind ends it. A hint. */
static inline void io_go_direct(IoFile *file)
{
    if (file->io->go_direct != NULL) file->io->go_direct(file);
}
/* Content and length are on disk. A failure is final: a later sync that succeeds proves nothing. */
MUST_CHECK static inline Error *io_sync(IoFile *file)
{
    return file->io->sync(file);
}
/* The first `bytes` in memory. Shared: what is stored there is the file (open for writing) or what
 * others store in it. Not shared: a private copy, made page by page as it is written to. Outlives
 * the file's handle. */
MUST_CHECK static inline Error *io_map(IoFile *file, size_t bytes, bool shared, void **out)
{
    return file->io->map(file, bytes, shared, out);
}
static inline void io_unmap(const Io *io, void *memory, size_t bytes)
{
    if (memory != NULL) io->unmap(io, memory, bytes);
}
/* Exclusive, on one byte, held until the handle is closed; false: somebody else has it. */
static inline bool io_lock(IoFile *file, uint64_t byte)
{
    return file->io->lock(file, byte);
}
/* The same, beside others that share it; the file need not be open for writing. */
static inline bool io_lock_shared(IoFile *file, uint64_t byte)
{
    return file->io->lock_shared(file, byte);
}
static inline bool io_is_locked(IoFile *file, uint64_t byte) /* by another handle, shared or not */
{
    return file->io->is_locked(file, byte);
}
/* Replaces what stood at `to`. Durable after io_sync_directory of both folders. */
MUST_CHECK static inline Error *io_rename(const Io *io, const char *from, const char *to)
{
    return io->rename(io, from, to);
}
MUST_CHECK static inline Error *io_unlink(const Io *io, const char *path) /* none there: no error */
{
    return io->unlink(io, path);
}
MUST_CHECK static inline Error *io_make_directory(const Io *io,
                                                  const char *path) /* there already: no error */
{
    return io->make_directory(io, path);
}
MUST_CHECK static inline Error *io_sync_directory(const Io *io, const char *path)
{
    return io->sync_directory(io, path);
}
/* The folder that a folder is in: a new one lasts from then on. */
Error *io_sync_parent(const Io *io, const char *path) MUST_CHECK;
/* The names in a folder, without "." and "..", in no order; none there is ERROR_NO_FILE. */
MUST_CHECK static inline Error *io_list(const Io *io, const char *path,
                                        void (*each)(void *user, const char *name), void *user)
{
    return io->list(io, path, each, user);
}
static inline IoKind io_kind(const Io *io, const char *path)
{
    return io->kind(io, path);
}
/* The first `bytes` of a file into an empty one, synced; ERROR_CORRUPT if there are fewer. Asks `tell`
 * between pieces, each of which is on the disk before the next is begun: no sync takes long. */
Error *io_copy(IoFile *from, uint64_t bytes, IoFile *to, Tell *tell) MUST_CHECK;
/* Writes "folder/name" into `out`; ERROR_LIMIT if that is too long for a path. */
Error *io_join(char out[IO_PATH_BYTES_MAX], const char *folder, const char *name) MUST_CHECK;
#endif
