/*
 * catalog.h - what a database directory says of itself, in sqlite3: DIRECTORY/catalog.db, whose
 * every byte goes through Io.
 *
 * Identity and format, the segments of the last checkpoint, names and definitions as of it, and
 * where the log begins that is to be done again on top. Its transaction is the commit point of
 * checkpoints, never of a statement. Every row carries a checksum of what it says.
 *
 *     setting(name TEXT PRIMARY KEY, value, crc)   uuid, format_min_reader, format_min_writer,
 *                                                  checkpoint, epoch, wal_lsn, wal_segment, schema,
 *                                                  file_count, row_sum (of all rows' checksums)
 *     file(id INTEGER PRIMARY KEY, name, bytes, content_crc, position, crc)
 */
#ifndef STORAGE_CATALOG_H
#define STORAGE_CATALOG_H
#include "storage/segment.h"
#include "storage/wal.h"

enum {
    CATALOG_FORMAT = 1,
    CATALOG_UUID_BYTES = 16,
    CATALOG_FILES_MAX = 4096 /* checkpoints merge long before */
};

typedef struct Catalog {
    uint8_t uuid[CATALOG_UUID_BYTES];
    uint64_t checkpoint; /* 0: none yet; rises by one */
    WalStart start;
    Str schema;         /* as the graph wrote it; empty: none */
    SegmentFile *files; /* in the order in which they are laid over one another */
    size_t file_count;
} Catalog;

/* A new catalog.db with a new identity and an empty log's start. */
Error *catalog_create(const Io *io, const char *directory) MUST_CHECK;
/* Reads all of it into `arena`. No catalog, or a file that is none: ERROR_NOT_A_DATABASE; of a
 * newer format: ERROR_VERSION; a row that does not agree with its checksum: ERROR_CORRUPT. With
 * `read_only` nothing is written, not even by sqlite. */
Error *catalog_read(const Io *io, const char *directory, bool read_only, Arena *arena,
                    Catalog *out) MUST_CHECK;
/* The same, but with what `catalog` says, identity included. */
Error *catalog_create_as(const Io *io, const char *directory, const Catalog *catalog) MUST_CHECK;
/* What sqlite says of its own file, page by page: gives every complaint. */
Error *catalog_verify(const Io *io, const char *directory,
                      void (*bad)(void *user, const char *what), void *user) MUST_CHECK;
/* Commits a checkpoint: everything but the identity is replaced. */
Error *catalog_commit(const Io *io, const char *directory, const Catalog *catalog) MUST_CHECK;
#endif
