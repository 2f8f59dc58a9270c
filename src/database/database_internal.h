/* database_internal.h - what sessions share (database.c) and where it comes from (directory.c). */
#ifndef DATABASE_DATABASE_INTERNAL_H
#define DATABASE_DATABASE_INTERNAL_H
#include "database/database.h"
#include "database/log.h"
#include "storage/catalog.h"
#include "storage/lock.h"
#include "storage/wal.h"
#include <pthread.h>
#include <stdatomic.h>

/* A graph and how many transactions look at it. A reader beside another process's writer begins
 * anew from time to time: who still looks at the old graph keeps it. */
typedef struct Held {
    Graph *graph;
    uint32_t users;
} Held;

typedef struct Files Files;
struct Database {
    Held *held;
    struct VectorDevice *device; /* has a lock of its own */
    const Clock *clock;
    bool read_only, salvage;
    Error *salvaged; /* why the log was not read to its end, with `salvage`; NULL: it was */
    atomic_uint sessions;
    pthread_mutex_t lock; /* of everything below; not held over a sync, nor while the graph is read
                             or written (but by a reader that follows another process's log) */
    pthread_cond_t freed, flushed;
    bool writing; /* somebody has the writer token */
    Files *files; /* NULL in memory */
    Wal *wal;     /* NULL in memory */
    LoggedNames names;
    bool flushing;
    uint64_t appended_version; /* of the newest transaction in the log's memory */
    uint64_t durable_lsn;
    int64_t commit_ns; /* wall clock of the newest commit in the log: the next is not before it */
    bool failed;       /* the log could not be written: read-only from now on */
    DatabaseCounters counters;
};

Held *held_new(Graph *graph);

/* Everything below is about databases in a directory. */
Error *files_open(Database *database, const char *directory,
                  const DatabaseOptions *options) MUST_CHECK;
/* A reader beside a writer: makes what has become durable meanwhile visible. With the lock. */
Error *files_refresh(Database *database) MUST_CHECK;
/* What a database opened for reading lies on: for whoever looks at its files themselves. Borrowed
 * until the next transaction. */
typedef struct FilesView {
    const Io *io;
    const char *directory;
    const uint8_t *uuid;
    const SegmentFile *catalogued; /* id 0: none */
    const SegmentFile *logged;     /* those the log names */
    size_t logged_count;
    uint64_t checkpoint;
    LockPage page;
    bool has_writer;
} FilesView;
FilesView files_look(const Database *database);
/* Is it cheaper to write all of the graph than what the transaction did? */
bool files_wants_segment(const Database *database, const GraphWriter *writer);
/* Begins to write the segment that the transaction will end with, if it wants one: what it changes
 * afterwards is written again (graph_save_ahead). */
void files_write_ahead(Database *database, const GraphWriter *writer);
void files_abandon_segment(Database *database); /* it will not end with one */
/* Writes the graph as the writer sees it as a segment, and gives the log record that names it. */
Error *files_write_segment(Database *database, const GraphWriter *writer,
                           Buffer *payload) MUST_CHECK;
void files_segment_logged(Database *database); /* the record is in the log's memory */
void files_publish(const Database *database);  /* tells readers how far the log is durable */
/* The last session is gone: what would take long to replay becomes a segment. */
Error *files_leave(Database *database) MUST_CHECK;
void files_free(Database *database);
#endif
