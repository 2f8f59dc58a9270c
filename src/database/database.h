/*
 * database.h - a graph with transactions, shared by sessions, in memory or in a directory.
 *
 * Any number of transactions read; one writes. A transaction reads the version that was newest when
 * it began. The writer token is taken at the first write and given back once the transaction's
 * records are handed to the log, before the fsync: the next writer builds on it, and commits of
 * several sessions share one fsync. A commit is acknowledged, and seen by readers, when it is
 * durable.
 *
 *     DIRECTORY/catalog.db   identity and format (storage/catalog.h)
 *     DIRECTORY/graph/       segments: the graph as of the log's beginning, and as it once was
 *     DIRECTORY/wal/         the log: every commit since (storage/wal.h)
 *     DIRECTORY/metadata/    what snapshots there are, for people and tools
 *     DIRECTORY/LOCK         who writes (storage/lock.h)
 */
#ifndef DATABASE_DATABASE_H
#define DATABASE_DATABASE_H
#include "base/clock.h"
#include "graph/graph.h"
#include "storage/io.h"

typedef struct Database Database;
typedef struct Transaction Transaction;
typedef struct Past Past; /* the graph as it once was */

typedef struct DatabaseOptions {
    bool read_only, create;
    bool salvage; /* with read_only: opens a damaged one as far as it can be read (recover.c) */
    Tell *tell;   /* asked between transactions of the log that are done again; NULL: nobody is */
    uint64_t
        checkpoint_bytes; /* so much log brings about a checkpoint; 0: as the graph's size says */
    const Io *io;         /* all its files are there; NULL: the machine's own */
} DatabaseOptions;

typedef struct DatabaseCounters {
    uint64_t commits, syncs; /* since opening; syncs: fdatasyncs of the log */
    uint64_t checkpoints;    /* since opening, while it was in use */
    uint64_t referring; /* since opening: those, and others, that wrote only what had changed */
    uint64_t
        moves; /* since opening: how often the graph in use came to lie on a checkpoint's segment */
    uint64_t replayed,
        discarded_bytes; /* at opening: transactions done again; bytes of a torn tail */
} DatabaseCounters;

enum { BUSY_TIMEOUT_MS = 5000 }; /* how long a writer waits for another */

Error *database_open_memory(const DatabaseOptions *options, const Clock *clock,
                            Database **out) MUST_CHECK;
/* Opens the database in `directory`, or makes it with `create`. ERROR_LOCKED names the process that
 * writes. Read-only beside a writer in another process: each transaction sees what was durable when
 * it began. */
Error *database_open(const char *directory, const DatabaseOptions *options, const Clock *clock,
                     Database **out) MUST_CHECK;
Database *database_share(Database *database); /* one more session on it */
/* A session; with the last one everything goes. What would take long to replay becomes a segment
 * first; if that fails nothing is lost, the error only says why. */
Error *database_close(Database *database);
/* What a commit stands for: "none" in memory, else "synced" or "written". */
const char *database_durability(const Database *database, bool only_written);
DatabaseCounters database_counters(Database *database);
/* Why the last checkpoint in the background failed, the caller's, once; NULL: it did not. Nothing is
 * lost by it, but the log grows. */
Error *database_take_trouble(Database *database);
struct VectorDevice;
struct VectorDevice *database_device(Database *database); /* shared by its sessions */
/* Where its statements' temporary files go: its folder tmp/, or without one it may write to the
 * machine's (TMPDIR, /tmp). */
struct SpillPlace *database_spill_place(Database *database);
struct Workers *database_workers(Database *database); /* the same (runtime/workers.h) */

/* ---- the graph as it once was ---- */
/* A snapshot is a checkpoint that stays: it holds everything that was committed when it was made.
 * Without a name (empty) it goes when retention says so, with one when it is dropped. Readers and
 * the writer go on meanwhile. Right after a checkpoint it costs a row in the catalog, else a
 * segment with what has changed since. In memory: ERROR_READ_ONLY. */
typedef struct SnapshotInfo {
    uint64_t id;
    Str name;                   /* empty: none */
    int64_t made_ns, commit_ns; /* wall clock: when it was made; the last commit in it */
    uint64_t bytes;             /* of its segments, which others may share */
} SnapshotInfo;
/* `stop`, unless NULL, is asked now and then: true ends it with ERROR_CANCELLED. */
Error *database_create_snapshot(Database *database, Str name, bool (*stop)(void *state),
                                void *state, SnapshotInfo *out) MUST_CHECK;
/* `name` may be the number of one that has no name. */
Error *database_drop_snapshot(Database *database, Str name) MUST_CHECK;
/* By number, ascending; in `arena`. */
Error *database_snapshots(Database *database, Arena *arena, SnapshotInfo **out,
                          size_t *count) MUST_CHECK;
/* How long what was is kept; part of the database, not of a session. It is looked at whenever a
 * snapshot or checkpoint is made. */
typedef struct Retention {
    uint64_t keep;           /* so many snapshots without a name stay; 0: all */
    int64_t keep_for_ns;     /* they stay so long; 0: for ever */
    int64_t history_keep_ns; /* database_at_time finds every commit for so long; 0: those since the
                                last checkpoint */
} Retention;
Retention database_retention(Database *database);
Error *database_retain(Database *database, Retention retention) MUST_CHECK;
/* The graph as of a snapshot (by its name, or where that is empty by its number), or as the last
 * commit left it that is not after `wall_ns`. Read-only; shared by all who ask for the same, and
 * kept for those to come. What is not there is ERROR_NAME_UNKNOWN, with the nearest in the hint.
 * database_at_time gives NULL when that is the present. */
Error *database_at_snapshot(Database *database, Str name, uint64_t id, Past **out) MUST_CHECK;
Error *database_at_time(Database *database, int64_t wall_ns, Past **out) MUST_CHECK;
GraphView past_view(const Past *past);
void past_release(Database *database, Past *past); /* NULL is welcome */

/* ---- vector indexes (finder.c) ---- */
typedef struct FinderTelling {
    uint32_t worker_max; /* threads; 0: as many as the machine gives */
    /* Told now and then how many of `count` rows are done; true: stop. NULL: nobody asks. */
    bool (*tell)(void *user, uint64_t done, uint64_t count);
    void *user;
} FinderTelling;
/* Makes what a vector index finds by, of what the writer sees; from then on searches use it. Nothing
 * happens for one that is flat. ERROR_CANCELLED: told to stop. */
Error *finder_make(Database *database, GraphWriter *writer, const GraphIndex *index,
                   const FinderTelling *telling) MUST_CHECK;

/* ---- looking after a directory that need not be open (check.c, backup.c); io: as in the options -- */
/* They ask the one they tell: ERROR_CANCELLED, and a target is left as far as it was made. */
/* Reads every byte the database in `directory` consists of, also beside a writer, and holds it
 * against checksums and against the rest. What is wrong is told. An error:
 * it cannot be opened as it is; what was found until then is told. */
Error *database_check(const Io *io, const char *directory, const Clock *clock, Tell *to) MUST_CHECK;
/* Makes `target`, a directory that must not be there, a database that holds everything up to one
 * durable commit, also beside a writer; synced, and read back. */
Error *database_backup(const Io *io, const char *directory, const char *target, const Clock *clock,
                       Tell *to) MUST_CHECK;
/* Makes `target`, a directory that must not be there, a new database of what can be read of a
 * damaged one. What is damaged, and may be missing, is told as findings. */
Error *database_recover(const Io *io, const char *directory, const char *target, const Clock *clock,
                        Tell *to) MUST_CHECK;
/* What stands in one file of a log or a segment (storage/inspect.h). */
Error *database_inspect(const char *path, Tell *to) MUST_CHECK;

Error *transaction_begin(Database *database, Transaction **out) MUST_CHECK;
GraphView transaction_view(const Transaction *transaction);
/* The transaction has read: from now on another's commit is a conflict with its first write. */
/* Its commit is acknowledged, and seen by all, when it is in the machine's cache: a process that dies
 * loses nothing, a machine that does the last tenth of a second. What others committed before it and
 * what waits for the disk is then seen, too. */
void transaction_only_write(Transaction *transaction, bool only_written);
void transaction_mark_read(Transaction *transaction);
/* ERROR_LOCKED after the busy timeout; ERROR_CONFLICT if somebody wrote since the transaction first
 * read; ERROR_CANCELLED: it had to wait, and `stop` (unless NULL) said not to. */
Error *transaction_writer(Transaction *transaction, bool (*stop)(void *state), void *state,
                          GraphWriter **out) MUST_CHECK;
/* ERROR_CORRUPT when something that was read from a segment is not what it must be: rows made since
 * the transaction began must not be given out. NULL: all is well. */
Error *transaction_damage(const Transaction *transaction) MUST_CHECK;
/* After a statement that wrote much: what it made may go to disk while the next one runs. */
void transaction_write_ahead(Transaction *transaction);
size_t transaction_savepoint(Transaction *transaction);
void transaction_rollback_to(Transaction *transaction, size_t savepoint);
Error *transaction_commit(Transaction *transaction) MUST_CHECK; /* ends it, also when it fails */
void transaction_rollback(Transaction *transaction);            /* ends it; NULL is welcome */
/* The two rollbacks for who does not want to wait: what is much is taken back by a thread. The other
 * calls wait for it, and so does whoever wants to write. Nobody else looks at the transaction. */
void transaction_abandon_to(Transaction *transaction, size_t savepoint);
void transaction_abandon(Transaction *transaction);
bool transaction_is_busy(Transaction *transaction); /* would the other calls wait? */
/* Until they would not; ERROR_CANCELLED: `stop` said not to. */
Error *transaction_await(Transaction *transaction, bool (*stop)(void *state),
                         void *state) MUST_CHECK;
/* Until all of it is taken back, or `stop` says not to. */
void database_await_aside(Database *database, bool (*stop)(void *state), void *state);
/* Gives back what is in the bin in the same way. */
void database_free_aside(Database *database, MemBin *bin);
#endif
