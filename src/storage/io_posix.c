/*
 * io_posix.c - the machine's own files.
 *
 * fdatasync for content: it takes the length along where the length changed. Locks are of the open
 * file description (F_OFD_SETLK): the older kind belongs to the process and vanishes when any
 * descriptor of the file is closed. Mappings outlive their descriptor.
 */
#include "config.h"

#include "storage/io.h"
#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#ifdef __linux__
#include <linux/fs.h>
#endif

typedef struct PosixFile {
    IoFile base;
    int descriptor;
    char *path;
    bool direct;    /* O_DIRECT is set: whole pages only */
    bool no_direct; /* refused here: not asked for again */
} PosixFile;

enum {
    PAGE_BYTES = 4096
}; /* what O_DIRECT wants of offset, size and memory on every disk we know */

static PosixFile *posix_of(IoFile *file)
{
    assert(file->io == io_posix());
    return (PosixFile *)(void *)file;
}

static Error *refused(int reason, const char *path, const char *what)
{
    if (reason == ENOSPC || reason == EDQUOT)
        return error_hint(error_errno(ERROR_FULL, reason, "%s cannot be %s", path, what),
                          "free space on the disk");
    if (reason == EROFS || reason == EACCES || reason == EPERM)
        return error_hint(error_errno(ERROR_IO, reason, "%s cannot be %s", path, what),
                          "ask for the right to write there, or open with --read-only");
    ErrorCode code = reason == ENOENT ? ERROR_NO_FILE : ERROR_IO;
    return error_hint(error_errno(code, reason, "%s cannot be %s", path, what),
                      reason == ENOENT ? "look whether the folder it is in exists"
                                       : "look at what is there, or name another directory");
}

static Error *posix_open(const Io *io, const char *path, IoMode mode, IoFile **out)
{
    static const int flags[] = {[IO_READ] = O_RDONLY,
                                [IO_WRITE] = O_RDWR,
                                [IO_CREATE] = O_RDWR | O_CREAT | O_EXCL,
                                [IO_OPEN_OR_CREATE] = O_RDWR | O_CREAT};
    int descriptor = open(path, flags[mode] | O_CLOEXEC, 0644);
    if (descriptor < 0) return refused(errno, path, "opened");
    PosixFile *file = mem_calloc(1, sizeof *file);
    *file = (PosixFile){{io}, descriptor, mem_strdup(path), false, false};
    *out = &file->base;
    return NULL;
}

static void posix_close(IoFile *base)
{
    PosixFile *file = posix_of(base);
    close(file->descriptor);
    mem_free(file->path);
    mem_free(file);
}

static Error *posix_bytes(IoFile *base, uint64_t *out)
{
    PosixFile *file = posix_of(base);
    struct stat status;
    if (fstat(file->descriptor, &status) != 0) return refused(errno, file->path, "measured");
    *out = (uint64_t)status.st_size;
    return NULL;
}

static Error *posix_read(IoFile *base, uint64_t offset, void *into, size_t bytes, size_t *got)
{
    PosixFile *file = posix_of(base);
    char *at = into;
    size_t done = 0;
    while (done < bytes) {
        ssize_t some = pread(file->descriptor, at + done, bytes - done, (off_t)(offset + done));
        if (some < 0 && errno == EINTR) continue;
        if (some < 0) return refused(errno, file->path, "read");
        if (some == 0) break;
        done += (size_t)some;
    }
    *got = done;
    return NULL;
}

static void set_direct(PosixFile *file, bool direct)
{
#ifdef O_DIRECT
    int flags = fcntl(file->descriptor, F_GETFL);
    int wanted = direct ? flags | O_DIRECT : flags & ~O_DIRECT;
    if (flags != -1 && fcntl(file->descriptor, F_SETFL, wanted) == 0) file->direct = direct;
#else
    (void)direct;
#endif
    if (file->direct != direct) file->no_direct = true;
}

static void posix_go_direct(IoFile *base)
{
    PosixFile *file = posix_of(base);
    if (!file->direct && !file->no_direct) set_direct(file, true); /* else as before */
}

static bool is_paged(uint64_t offset, const void *data, size_t bytes)
{
    return offset % PAGE_BYTES == 0 && (uintptr_t)data % PAGE_BYTES == 0 && bytes % PAGE_BYTES == 0;
}

static Error *posix_write(IoFile *base, uint64_t offset, const void *data, size_t bytes)
{
    PosixFile *file = posix_of(base);
    const char *at = data;
    while (bytes > 0) {
        if (file->direct && !is_paged(offset, at, bytes)) set_direct(file, false);
        ssize_t some = pwrite(file->descriptor, at, bytes, (off_t)offset);
        if (some < 0 && errno == EINTR) continue;
        if (some < 0 && errno == EINVAL && file->direct) { /* this disk wants more than pages */
            set_direct(file, false);
            file->no_direct = true;
            continue;
        }
        if (some < 0) return refused(errno, file->path, "written");
        at += some, bytes -= (size_t)some, offset += (uint64_t)some;
    }
    return NULL;
}

static void posix_write_out(IoFile *base, uint64_t offset, uint64_t bytes)
{
#ifdef SYNC_FILE_RANGE_WRITE
    int ignored = sync_file_range(posix_of(base)->descriptor, (off_t)offset, (off_t)bytes,
                                  SYNC_FILE_RANGE_WRITE);
    (void)ignored;
#else
    (void)base, (void)offset, (void)bytes;
#endif
}

static Error *posix_truncate(IoFile *base, uint64_t bytes)
{
    PosixFile *file = posix_of(base);
    return ftruncate(file->descriptor, (off_t)bytes) == 0 ? NULL
                                                          : refused(errno, file->path, "cut");
}

static Error *posix_sync(IoFile *base)
{
    PosixFile *file = posix_of(base);
    return fdatasync(file->descriptor) == 0 ? NULL : refused(errno, file->path, "synced");
}

static Error *posix_map(IoFile *base, size_t bytes, bool shared, void **out)
{
    PosixFile *file = posix_of(base);
    int mode = fcntl(file->descriptor, F_GETFL) & O_ACCMODE;
    int protection = shared && mode == O_RDONLY ? PROT_READ : PROT_READ | PROT_WRITE;
    assert(bytes > 0);
    void *memory =
        mmap(NULL, bytes, protection, shared ? MAP_SHARED : MAP_PRIVATE, file->descriptor, 0);
    if (memory == MAP_FAILED) return refused(errno, file->path, "mapped");
    *out = memory;
    return NULL;
}

static void posix_unmap(const Io *io, void *memory, size_t bytes)
{
    (void)io;
    munmap(memory, bytes);
}

static struct flock one_byte(uint64_t byte)
{
    return (struct flock){
        .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = (off_t)byte, .l_len = 1};
}

static bool posix_lock(IoFile *base, uint64_t byte)
{
    struct flock lock = one_byte(byte);
    return fcntl(posix_of(base)->descriptor, F_OFD_SETLK, &lock) == 0;
}

static bool posix_lock_shared(IoFile *base, uint64_t byte)
{
    struct flock lock = one_byte(byte);
    lock.l_type = F_RDLCK;
    return fcntl(posix_of(base)->descriptor, F_OFD_SETLK, &lock) == 0;
}

static bool posix_is_locked(IoFile *base, uint64_t byte)
{
    struct flock lock = one_byte(byte);
    int asked = fcntl(posix_of(base)->descriptor, F_OFD_GETLK, &lock);
    return asked == 0 && lock.l_type != F_UNLCK;
}

static Error *posix_rename(const Io *io, const char *from, const char *to)
{
    (void)io;
    return rename(from, to) == 0 ? NULL : refused(errno, from, "renamed");
}

static Error *posix_unlink(const Io *io, const char *path)
{
    (void)io;
    return unlink(path) == 0 || errno == ENOENT ? NULL : refused(errno, path, "removed");
}

static Error *posix_make_directory(const Io *io, const char *path)
{
    (void)io;
    return mkdir(path, 0755) == 0 || errno == EEXIST ? NULL : refused(errno, path, "made");
}

static Error *posix_sync_directory(const Io *io, const char *path)
{
    (void)io;
    int directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0) return refused(errno, path, "opened");
    Error *error = fsync(directory) == 0 ? NULL : refused(errno, path, "synced");
    close(directory);
    return error;
}

static Error *posix_list(const Io *io, const char *path, void (*each)(void *user, const char *name),
                         void *user)
{
    (void)io;
    DIR *listing = opendir(path);
    if (listing == NULL) return refused(errno, path, "listed");
    for (struct dirent *entry; (entry = readdir(listing)) != NULL;)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            each(user, entry->d_name);
    closedir(listing);
    return NULL;
}

static IoKind posix_kind(const Io *io, const char *path)
{
    struct stat status;
    (void)io;
    if (stat(path, &status) != 0) return IO_NOTHING;
    return S_ISDIR(status.st_mode) ? IO_DIRECTORY : IO_FILE;
}

/* Blocks are shared where the file system can: btrfs, xfs. */
static bool posix_clone(IoFile *from, IoFile *to)
{
#ifdef FICLONE
    return ioctl(posix_of(to)->descriptor, FICLONE, posix_of(from)->descriptor) == 0;
#else
    (void)from, (void)to;
    return false;
#endif
}

static size_t posix_pass(IoFile *from, IoFile *to, uint64_t offset, size_t bytes)
{
#ifdef FICLONE /* Linux */
    off_t in = (off_t)offset, out = in;
    ssize_t some;
    do {
        some = copy_file_range(posix_of(from)->descriptor, &in, posix_of(to)->descriptor, &out,
                               bytes, 0);
    } while (some < 0 && errno == EINTR);
    return some > 0 ? (size_t)some : 0;
#else
    (void)from, (void)to, (void)offset, (void)bytes;
    return 0;
#endif
}

const Io *io_posix(void)
{
    static const Io io = {.open = posix_open,
                          .close = posix_close,
                          .bytes = posix_bytes,
                          .read = posix_read,
                          .write = posix_write,
                          .write_out = posix_write_out,
                          .go_direct = posix_go_direct,
                          .truncate = posix_truncate,
                          .sync = posix_sync,
                          .map = posix_map,
                          .unmap = posix_unmap,
                          .lock = posix_lock,
                          .lock_shared = posix_lock_shared,
                          .is_locked = posix_is_locked,
                          .rename = posix_rename,
                          .unlink = posix_unlink,
                          .make_directory = posix_make_directory,
                          .sync_directory = posix_sync_directory,
                          .list = posix_list,
                          .kind = posix_kind,
                          .clone = posix_clone,
                          .pass = posix_pass};
    return &io;
}

Error *io_join(char out[IO_PATH_BYTES_MAX], const char *folder, const char *name)
{
    int bytes = snprintf(out, IO_PATH_BYTES_MAX, "%s/%s", folder, name);
    if (bytes < 0 || bytes >= IO_PATH_BYTES_MAX)
        return error_hint(error_new(ERROR_LIMIT, "the path %.60s... is longer than %d bytes",
                                    folder, IO_PATH_BYTES_MAX - 1),
                          "use a shorter path");
    return NULL;
}

Error *io_sync_parent(const Io *io, const char *path)
{
    char parent[IO_PATH_BYTES_MAX];
    TRY(io_join(parent, path, ".."));
    return io_sync_directory(io, parent);
}

static Error *copy_piece(IoFile *from, IoFile *to, uint64_t offset, char *room, size_t *bytes)
{
    size_t passed = from->io->pass == NULL ? 0 : from->io->pass(from, to, offset, *bytes);
    if (passed > 0) return *bytes = passed, NULL;
    TRY(io_read(from, offset, room, *bytes, bytes));
    if (*bytes == 0) return error_new(ERROR_CORRUPT, "a file to copy is shorter than it was");
    return io_write(to, offset, room, *bytes);
}

Error *io_copy(IoFile *from, uint64_t bytes, IoFile *to, Tell *tell)
{
    enum { PIECE_BYTES = 1 << 20, SYNC_BYTES = 4 << 20 };
    uint64_t all, done = 0, synced = 0;
    TRY(io_bytes(from, &all));
    if (all == bytes && from->io->clone != NULL && from->io->clone(from, to)) return io_sync(to);
    char *room = mem_alloc(PIECE_BYTES);
    Error *error = NULL;
    while (error == NULL && done < bytes) {
        size_t piece = bytes - done < PIECE_BYTES ? (size_t)(bytes - done) : PIECE_BYTES;
        error = tell_done(tell, done, bytes) ? tell_stopped(tell)
                                             : copy_piece(from, to, done, room, &piece);
        done += piece;
        if (error != NULL || done - synced < SYNC_BYTES) continue;
        error = io_sync(to);
        synced = done;
    }
    mem_free(room);
    return error == NULL ? io_sync(to) : error;
}
