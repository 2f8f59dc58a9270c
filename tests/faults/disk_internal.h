/* disk_internal.h - between the disk (disk.c) and what a loss of power leaves of it (power.c). */
#ifndef TESTS_FAULTS_DISK_INTERNAL_H
#define TESTS_FAULTS_DISK_INTERNAL_H
#include "disk.h"
#include <pthread.h>

enum { PAGE_BYTES = 4096, SECTOR_BYTES = 512, PAGE_SECTORS = PAGE_BYTES / SECTOR_BYTES };

typedef struct Page {
    unsigned users;
    uint64_t hash; /* of what it holds; 0: not known */
    _Alignas(64) uint8_t data[PAGE_BYTES];
} Page;

typedef struct File { /* a file's content */
    Page **pages;
    size_t page_count, capacity;
    uint64_t bytes;
    bool pinned; /* its first page is mapped and shared: stays where it is */
} File;

enum { FOLDER = -1 };
typedef struct Entry {
    char *path;
    int file; /* number, or FOLDER */
} Entry;

typedef enum OpKind {
    OP_WRITE,
    OP_STORE, /* into a shared mapping */
    OP_TRUNCATE,
    OP_SYNC,
    OP_FAILED_SYNC, /* the system drops what it could not write, and thinks it is written */
    OP_CREATE,
    OP_MAKE_FOLDER,
    OP_RENAME,
    OP_UNLINK,
    OP_SYNC_FOLDER,
    OP_MARK
} OpKind;

typedef struct Op {
    OpKind kind;
    int file;
    char *path, *to; /* of names; `to` of a rename */
    uint64_t offset, bytes;
    uint8_t *data;
} Op;

typedef struct Lock {
    const IoFile *handle;
    int file;
    uint64_t byte;
    bool shared;
} Lock;

struct Disk {
    Io io;
    pthread_mutex_t lock;
    File *files;
    size_t file_count, file_capacity;
    Entry *entries;
    size_t entry_count, entry_capacity;
    Lock *locks;
    size_t lock_count, lock_capacity;
    bool recording;
    Disk *before; /* what was there when the history began; NULL: no history */
    Op *ops;
    size_t op_count, op_capacity;
    uint8_t stored[64]; /* the shared page as the history knows it */
    int stored_file;
    DiskFault fault;
    DiskLie lie;
    bool failed;
    uint64_t calls[DISK_CALLS];
};

File *disk_file(Disk *disk, int number); /* with this number; made when there is none */
void file_resize(File *file, uint64_t bytes);
void file_write(File *file, uint64_t offset, const uint8_t *data, size_t bytes);
void disk_apply(Disk *disk, const Op *op);
/* Takes away the names whose folder is not there. */
void disk_prune(Disk *disk);
void path_parent(const char *path, char out[IO_PATH_BYTES_MAX]);
#endif
