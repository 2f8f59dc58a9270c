/* wal_internal.h - what appending (wal.c) and replaying (wal_replay.c) share. See wal.h. */
#ifndef STORAGE_WAL_INTERNAL_H
#define STORAGE_WAL_INTERNAL_H
#include "storage/wal.h"

#define WAL_SEGMENT_MAGIC 0x57585443u /* "CTXW" */
#define WAL_RECORD_MAGIC  0x43455257u /* "WREC" */
enum {
    WAL_VERSION = 1,
    WAL_HEADER_BYTES = 4096,
    WAL_HEADER_USED_BYTES = 52,
    WAL_RECORD_HEADER_BYTES = 40,
    WAL_PAGE_BYTES = 4096,
    WAL_TAIL_BYTES = 64 << 10, /* a flush up to here is written past the machine's cache */
    WAL_SEGMENTS_MAX = 1 << 20 /* 16 TiB of log: more files are taken for damage */
};

typedef struct WalPlace { /* behind the last commit: where the next record belongs */
    uint64_t segment, offset, lsn;
} WalPlace;

typedef struct WalRecords { /* whole records, one behind the other */
    Buffer bytes;
    size_t *ends; /* of each: a record never spans segments */
    size_t count, capacity;
} WalRecords;

struct Wal {
    const Io *io;
    char directory[IO_PATH_BYTES_MAX];
    uint8_t uuid[WAL_UUID_BYTES];
    WalStart start;
    uint64_t kept; /* segments from here on stay */
    WalPlace end;  /* of what was replayed; offset 0: no segment was read yet */
    bool clean;    /* what opening only looked at was put in order: appending goes on */
    bool torn;     /* something lies behind `end` that must be zeroed before the first append */
    IoFile *file;  /* the segment that is appended to; NULL: none yet */
    uint64_t file_bytes, number, offset;
    char *tail; /* aligned; begins with what the page that `offset` lies in holds before it */
    uint64_t epoch, next_lsn, appended_lsn, durable_lsn, writing_lsn, syncs, bytes;
    WalStart rotated;            /* of the last wal_rotate; lsn 0: none yet */
    uint64_t rotated_bytes;      /* `bytes` then */
    WalRecords pending, writing; /* appended; being written */
    bool failed;
    bool unsynced; /* written since the last sync */
};

typedef struct WalName { /* of a segment file */
    uint64_t epoch, number;
} WalName;
Error *wal_segment_path(const Wal *wal, WalName name, char out[IO_PATH_BYTES_MAX]) MUST_CHECK;
/* Those of the directory, by number; none when there is no directory. Two of one number are
 * ERROR_CORRUPT. */
Error *wal_list(const Wal *wal, WalName **out, size_t *count) MUST_CHECK;
#endif
