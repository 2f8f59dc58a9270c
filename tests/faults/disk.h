/*
 * disk.h - a disk that a test owns: an Io whose files lie in memory, that keeps the history of what
 * was done to it, fails on demand, and can be cut off from power.
 *
 * What programs see is as on any disk. Beside it the history says what each call did, in order, and
 * from it a Crash makes the disks that a loss of power at any moment may leave: what was synced is
 * there; of the rest, writes are there, lost, or torn at sectors of 512 bytes, each for itself;
 * operations on a folder's names are there up to one of them, each folder for itself, and a file
 * that was synced may have lost its name. Not modelled: sectors that change by themselves (a test
 * flips bits for that), and disks that lie about a sync.
 */
#ifndef TESTS_FAULTS_DISK_H
#define TESTS_FAULTS_DISK_H
#include "storage/io.h"

typedef struct Disk Disk;
Disk *disk_create(void);              /* nothing but the folder "/"; without a history */
Disk *disk_copy(const Disk *disk);    /* as programs see it; without history, locks and faults */
uint64_t disk_hash(const Disk *disk); /* of all names, and what lies under them */
void disk_destroy(Disk *disk);        /* its files are closed and unmapped; NULL is welcome */
const Io *disk_io(Disk *disk);
/* A history begins, or begins anew: what is there now is on disk for good. */
void disk_record(Disk *disk);

/* ---- files from outside ---- */
size_t disk_file_count(const Disk *disk);
const char *disk_file_path(const Disk *disk, size_t i);
uint64_t disk_file_bytes(const Disk *disk, size_t i);
void disk_file_read(const Disk *disk, size_t i, uint64_t offset, void *into, size_t bytes);
void disk_file_flip(Disk *disk, size_t i, uint64_t bit); /* of byte bit / 8 */
void disk_put_file(Disk *disk, const char *path, const void *data, size_t bytes); /* new, or over */
void disk_remove(Disk *disk, const char *path);
size_t disk_find(const Disk *disk, const char *path); /* SIZE_MAX: no such file */

/* ---- faults ---- */
typedef enum DiskCall {
    DISK_OPEN,
    DISK_READ,
    DISK_WRITE,
    DISK_TRUNCATE,
    DISK_SYNC,
    DISK_MAP,
    DISK_RENAME,
    DISK_UNLINK,
    DISK_MAKE_FOLDER,
    DISK_SYNC_FOLDER,
    DISK_LIST,
    DISK_BYTES,
    DISK_CALLS
} DiskCall;
extern const char *const disk_call_names[DISK_CALLS];
typedef struct DiskFault {
    DiskCall call;
    uint64_t number; /* the how manyth from now on fails, from 1; 0: none */
    bool for_ever;   /* all behind it, too */
    int reason;      /* EIO, ENOSPC */
    bool in_part;    /* a write leaves its first half (whole sectors) */
} DiskFault;
void disk_fail(Disk *disk, DiskFault fault);
bool disk_failed(const Disk *disk);                   /* did it come to that? */
uint64_t disk_calls(const Disk *disk, DiskCall call); /* since it was made or told to fail */

/* Planted mistakes, for tests that must notice them: these calls succeed and do nothing. */
typedef enum DiskLie {
    DISK_HONEST,
    DISK_NO_FOLDER_SYNC, /* folders are never synced */
    DISK_NO_SYNC_IN_TMP, /* files are not synced before they are renamed */
    DISK_NO_SYNC_OF_LOG  /* a commit is acknowledged before it is on disk */
} DiskLie;
void disk_lie(Disk *disk, DiskLie lie);

/* ---- history ---- */
/* The test says what it knows from now on: `number` was acknowledged. */
void disk_mark(Disk *disk, uint64_t number);
size_t disk_history_count(const Disk *disk);
const char *disk_history_text(const Disk *disk, size_t i, char out[256]); /* for people */

/* ---- loss of power ---- */
typedef struct Crash Crash;
/* Before the first operation of the history, which must not grow meanwhile. */
Crash *crash_create(const Disk *disk);
void crash_destroy(Crash *crash);
bool crash_next(Crash *crash);             /* behind one more operation; false: it was the last */
size_t crash_place(const Crash *crash);    /* how many operations were done */
uint64_t crash_mark(const Crash *crash);   /* the last mark before; 0: none */
size_t crash_variants(const Crash *crash); /* worth making here: grows with what is not synced */
bool crash_tears(const Crash *crash, size_t variant); /* is a write torn in it? */
/* One of them. The same number gives the same disk; those beyond crash_variants are random ones. */
Disk *crash_disk(const Crash *crash, size_t variant);
#endif
