/*
 * catalog_vfs.c - sqlite's files over Io, so that whoever owns every byte of a database (a test
 * that records, fails or keeps them in memory) owns those of catalog.db and its log, too.
 *
 * Names: a file that sqlite makes is on disk only when its folder is synced, so the first sync of
 * one does that, as sqlite's own files do it.
 *
 * Locks: the right to write is the directory's (storage/lock.c), and there is no second writer here.
 * What is left to be kept out is sqlite itself in other hands (the sqlite3 shell): it holds byte
 * SHARED_BYTE shared while it has the file open, so a writer takes it for itself, and is told that
 * the file is busy when somebody looks into it. Readers of ours take no lock and leave no trace:
 * every row is checked, and who read in the middle of a commit begins anew.
 *
 * sqlite opens nothing else here: temporary files are told to stay in memory, and refused.
 */
#include "config.h"

#include "storage/catalog_vfs.h"
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

enum { SHARED_BYTE = 0x40000002 }; /* sqlite's file format: the first of the shared range */

typedef struct VfsFile {
    sqlite3_file base;
    CatalogVfs *files;
    IoFile *file; /* NULL: a log that is not there, opened for reading */
    bool is_new;  /* the folder must be synced with it */
    bool locked;
    char path[IO_PATH_BYTES_MAX];
} VfsFile;

static VfsFile *file_of(sqlite3_file *base)
{
    return (VfsFile *)(void *)base;
}

/* Keeps the first error for whoever asks what happened, and gives sqlite a number for it. */
static int told(CatalogVfs *files, Error *error, int otherwise)
{
    if (error == NULL) return SQLITE_OK;
    int code = error_code(error) == ERROR_FULL ? SQLITE_FULL : otherwise;
    if (files->error == NULL)
        files->error = error;
    else
        error_drop(error);
    return code;
}

/* ---- a file ---- */

static int vfs_close(sqlite3_file *base)
{
    io_close(file_of(base)->file);
    return SQLITE_OK;
}

static int vfs_read(sqlite3_file *base, void *into, int bytes, sqlite3_int64 offset)
{
    VfsFile *file = file_of(base);
    size_t got = 0;
    Error *error = file->file == NULL
                       ? NULL
                       : io_read(file->file, (uint64_t)offset, into, (size_t)bytes, &got);
    if (error != NULL) return told(file->files, error, SQLITE_IOERR_READ);
    if (got == (size_t)bytes) return SQLITE_OK;
    memset((char *)into + got, 0, (size_t)bytes - got); /* sqlite counts on it */
    return SQLITE_IOERR_SHORT_READ;
}

static int vfs_write(sqlite3_file *base, const void *data, int bytes, sqlite3_int64 offset)
{
    VfsFile *file = file_of(base);
    if (file->files->read_only) return SQLITE_READONLY;
    return told(file->files, io_write(file->file, (uint64_t)offset, data, (size_t)bytes),
                SQLITE_IOERR_WRITE);
}

static int vfs_truncate(sqlite3_file *base, sqlite3_int64 bytes)
{
    VfsFile *file = file_of(base);
    if (file->files->read_only) return SQLITE_READONLY;
    return told(file->files, io_truncate(file->file, (uint64_t)bytes), SQLITE_IOERR_TRUNCATE);
}

static Error *sync_folder_of(CatalogVfs *files, const char *path)
{
    char folder[IO_PATH_BYTES_MAX];
    const char *slash = strrchr(path, '/');
    assert(slash != NULL && slash > path);
    memcpy(folder, path, (size_t)(slash - path));
    folder[slash - path] = '\0';
    return io_sync_directory(files->io, folder);
}

static int vfs_sync(sqlite3_file *base, int flags)
{
    VfsFile *file = file_of(base);
    (void)flags;
    if (file->files->read_only) return SQLITE_READONLY;
    Error *error = io_sync(file->file);
    if (error == NULL && file->is_new) error = sync_folder_of(file->files, file->path);
    if (error == NULL) file->is_new = false;
    return told(file->files, error, SQLITE_IOERR_FSYNC);
}

static int vfs_file_bytes(sqlite3_file *base, sqlite3_int64 *out)
{
    VfsFile *file = file_of(base);
    uint64_t bytes = 0;
    Error *error = file->file == NULL ? NULL : io_bytes(file->file, &bytes);
    *out = (sqlite3_int64)bytes;
    return told(file->files, error, SQLITE_IOERR_FSTAT);
}

static int vfs_lock(sqlite3_file *base, int level)
{
    VfsFile *file = file_of(base);
    if (level < SQLITE_LOCK_RESERVED || file->locked || file->files->read_only) return SQLITE_OK;
    file->locked = io_lock(file->file, SHARED_BYTE); /* until the file is closed */
    return file->locked ? SQLITE_OK : SQLITE_BUSY;
}

static int vfs_unlock(sqlite3_file *base, int level)
{
    (void)base, (void)level;
    return SQLITE_OK;
}

static int vfs_is_reserved(sqlite3_file *base, int *out)
{
    (void)base;
    *out = 0;
    return SQLITE_OK;
}

static int vfs_control(sqlite3_file *base, int what, void *argument)
{
    (void)base, (void)what, (void)argument;
    return SQLITE_NOTFOUND;
}

static int vfs_sector_bytes(sqlite3_file *base)
{
    (void)base;
    return 4096;
}

static int vfs_device(sqlite3_file *base)
{
    (void)base;
    return SQLITE_IOCAP_POWERSAFE_OVERWRITE; /* as sqlite takes for granted of its own files */
}

/* ---- names ---- */

static IoMode mode_of(const CatalogVfs *files, int flags)
{
    if (files->read_only) return IO_READ;
    return (flags & SQLITE_OPEN_CREATE) != 0 ? IO_OPEN_OR_CREATE : IO_WRITE;
}

static int vfs_open(sqlite3_vfs *vfs, const char *path, sqlite3_file *base, int flags,
                    int *flags_out)
{
    static const sqlite3_io_methods methods = {.iVersion = 1,
                                               .xClose = vfs_close,
                                               .xRead = vfs_read,
                                               .xWrite = vfs_write,
                                               .xTruncate = vfs_truncate,
                                               .xSync = vfs_sync,
                                               .xFileSize = vfs_file_bytes,
                                               .xLock = vfs_lock,
                                               .xUnlock = vfs_unlock,
                                               .xCheckReservedLock = vfs_is_reserved,
                                               .xFileControl = vfs_control,
                                               .xSectorSize = vfs_sector_bytes,
                                               .xDeviceCharacteristics = vfs_device};
    CatalogVfs *files = vfs->pAppData;
    VfsFile *file = file_of(base);
    base->pMethods = NULL; /* then sqlite does not close it */
    if (path == NULL || strlen(path) >= IO_PATH_BYTES_MAX) return SQLITE_CANTOPEN;
    bool there = io_kind(files->io, path) != IO_NOTHING;
    bool main = (flags & SQLITE_OPEN_MAIN_DB) != 0;
    *file = (VfsFile){.files = files, .is_new = !there};
    strcpy(file->path, path);
    if (there || main || !files->read_only) {
        Error *error = io_open(files->io, path, mode_of(files, flags), &file->file);
        if (error != NULL) return told(files, error, SQLITE_CANTOPEN);
    }
    base->pMethods = &methods;
    if (flags_out != NULL)
        *flags_out =
            files->read_only ? (flags & ~SQLITE_OPEN_READWRITE) | SQLITE_OPEN_READONLY : flags;
    return SQLITE_OK;
}

static int vfs_delete(sqlite3_vfs *vfs, const char *path, int sync_folder)
{
    CatalogVfs *files = vfs->pAppData;
    if (files->read_only) return SQLITE_READONLY;
    Error *error = io_unlink(files->io, path);
    if (error == NULL && sync_folder) error = sync_folder_of(files, path);
    return told(files, error, SQLITE_IOERR_DELETE);
}

static int vfs_access(sqlite3_vfs *vfs, const char *path, int flags, int *out)
{
    const CatalogVfs *files = vfs->pAppData;
    (void)flags;
    *out = io_kind(files->io, path) == IO_FILE;
    return SQLITE_OK;
}

static int vfs_full_path(sqlite3_vfs *vfs, const char *path, int bytes, char *out)
{
    (void)vfs;
    if ((int)strlen(path) >= bytes) return SQLITE_CANTOPEN;
    strcpy(out, path);
    return SQLITE_OK;
}

/* ---- the machine ---- */

static int vfs_random(sqlite3_vfs *vfs, int bytes, char *out)
{
    (void)vfs;
    ssize_t got = getrandom(out, (size_t)bytes, 0);
    return got < 0 ? 0 : (int)got;
}

static int vfs_sleep(sqlite3_vfs *vfs, int microseconds)
{
    struct timespec time = {microseconds / 1000000, microseconds % 1000000 * 1000L};
    (void)vfs;
    nanosleep(&time, NULL);
    return microseconds;
}

static int vfs_now(sqlite3_vfs *vfs, double *julian_day)
{
    (void)vfs;
    *julian_day = 2440587.5 + (double)time(NULL) / 86400; /* the day of 1970-01-01 */
    return SQLITE_OK;
}

bool catalog_vfs_begin(CatalogVfs *files, const Io *io, bool read_only)
{
    *files = (CatalogVfs){.io = io, .read_only = read_only};
    snprintf(files->name, sizeof files->name, "contextql-%p", (void *)files);
    files->vfs = (sqlite3_vfs){.iVersion = 1,
                               .szOsFile = sizeof(VfsFile),
                               .mxPathname = IO_PATH_BYTES_MAX,
                               .zName = files->name,
                               .pAppData = files,
                               .xOpen = vfs_open,
                               .xDelete = vfs_delete,
                               .xAccess = vfs_access,
                               .xFullPathname = vfs_full_path,
                               .xRandomness = vfs_random,
                               .xSleep = vfs_sleep,
                               .xCurrentTime = vfs_now};
    return sqlite3_vfs_register(&files->vfs, 0) == SQLITE_OK;
}

void catalog_vfs_end(CatalogVfs *files)
{
    sqlite3_vfs_unregister(&files->vfs);
    error_drop(files->error);
    files->error = NULL;
}
