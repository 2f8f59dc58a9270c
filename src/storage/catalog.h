/*
 * catalog.h - what a database directory says of itself, in sqlite3: DIRECTORY/catalog.db, whose
 * every byte goes through Io.
 *
 * Identity and format, the segments of the last checkpoint, names and definitions as of it, and
 * where the log begins that is to be done again on top; the same of every earlier state that is
 * kept: snapshots, and checkpoints that history begins at. Its transaction is the commit point of
 * checkpoints and snapshots, never of a statement. Every row carries a checksum of what it says.
 *
 *     setting(name TEXT PRIMARY KEY, value, crc)   uuid, format_min_reader, format_min_writer,
 *                                                  checkpoint, epoch, wal_lsn, wal_segment, schema,
 *                                                  row_sum (of all rows' checksums), ..
 *     file(id INTEGER PRIMARY KEY, name, bytes, content_crc, position, crc)
 *     snapshot(id INTEGER PRIMARY KEY, kind, name, made, committed, ..)   a state that is kept
 *     snapshot_file(snapshot, position, id, name, bytes, content_crc, crc)
 */
#ifndef STORAGE_CATALOG_H
#define STORAGE_CATALOG_H
#include "storage/segment.h"
#include "storage/wal.h"

enum {
    CATALOG_FORMAT = 2,
    CATALOG_FORMAT_OLDEST = 2, /* 1 was never released: it had no checksums of its rows */
    CATALOG_UUID_BYTES = 16,
    CATALOG_FILES_MAX = 4096,    /* of one state: one, and those its log names */
    CATALOG_STATES_MAX = 1024,   /* a commit writes all of their rows */
    CATALOG_NAME_BYTES_MAX = 255 /* of a snapshot: what a file name may have */
};

typedef enum CatalogKind { /* numbers of the format, never to change */
                           CATALOG_SNAPSHOT = 1,
                           CATALOG_HISTORY =
                               2 /* a checkpoint from which its log leads to commits since */
} CatalogKind;

typedef struct CatalogState { /* a graph as it once was */
    uint64_t id;              /* of the checkpoint that made it; rises */
    CatalogKind kind;
    Str name;          /* empty: none */
    int64_t made_ns;   /* wall clock: when it was taken */
    int64_t commit_ns; /* of the last commit in it */
    WalStart start;    /* of the log behind it, as far as that is kept */
    Str schema;
    /* The first is the graph (none: it is empty), the others are those that the log behind it
     * names. */
    SegmentFile *files;
    size_t file_count;
} CatalogState;

typedef struct Catalog {
    uint8_t uuid[CATALOG_UUID_BYTES];
    uint64_t checkpoint; /* 0: none yet; rises by one */
    WalStart start;
    Str schema;         /* as the graph wrote it; empty: none */
    SegmentFile *files; /* in the order in which they are laid over one another */
    size_t file_count;
    int64_t commit_ns;    /* wall clock of the last commit in the checkpoint */
    CatalogState *states; /* kept beside it, ascending by id */
    size_t state_count;
    /* How long states are kept: snapshots without a name, so many and so long (0: no limit); what
     * commits led to, so long. */
    uint64_t keep;
    int64_t keep_for_ns, history_keep_ns;
} Catalog;

/* A new catalog.db with a new identity and an empty log's start, made at `now_ns`. */
Error *catalog_create(const Io *io, const char *directory, int64_t now_ns) MUST_CHECK;
/* Reads all of it into `arena`. No catalog, or a file that is none: ERROR_NOT_A_DATABASE; of a
 * newer format: ERROR_VERSION; a row that does not agree with its checksum: ERROR_CORRUPT. With
 * `read_only` nothing is written, not even by sqlite, and a format that
 * only newer programs may write is good enough. */
Error *catalog_read(const Io *io, const char *directory, bool read_only, Arena *arena,
                    Catalog *out) MUST_CHECK;
/* The same, but with what `catalog` says, identity included. */
Error *catalog_create_as(const Io *io, const char *directory, const Catalog *catalog) MUST_CHECK;
/* What sqlite says of its own file, page by page: gives every complaint. */
Error *catalog_verify(const Io *io, const char *directory,
                      void (*bad)(void *user, const char *what), void *user) MUST_CHECK;
/* Commits a checkpoint or snapshot: everything but the identity is replaced. */
Error *catalog_commit(const Io *io, const char *directory, const Catalog *catalog) MUST_CHECK;
#endif
