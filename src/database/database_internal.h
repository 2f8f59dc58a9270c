/* database_internal.h - what sessions share (database.c) and where it comes from (directory.c). */
#ifndef DATABASE_DATABASE_INTERNAL_H
#define DATABASE_DATABASE_INTERNAL_H
#include "database/database.h"
#include "database/log.h"
#include "order/spill.h"
#include "storage/catalog.h"
#include "storage/lock.h"
#include "storage/wal.h"
#include <pthread.h>
#include <stdatomic.h>

/* A graph and how many transactions look at it. A reader beside another process's writer begins
 * anew from time to time: who still looks at the old graph keeps it. */
typedef struct Held {
    Graph *graph;
    IoFile *pin; /* keeps its segment where it is; NULL: none, or this process is the writer */
    uint32_t users;
} Held;

typedef struct AsideWork AsideWork;
typedef struct Aside { /* aside.c's; with the lock */
    AsideWork *first;  /* at work, and what comes behind it */
    bool working, joinable;
    pthread_cond_t idle;
    pthread_t thread;
} Aside;

typedef struct Files Files;
struct Database {
    Held *held;
    uint64_t
        saved_version; /* of the graph in use: indexes made until then are in a segment; locked */
    struct VectorDevice *device; /* has a lock of its own, */
    struct Workers *workers;     /* as these have */
    const Clock *clock;
    bool read_only, salvage;
    Error *salvaged; /* why the log was not read to its end, with `salvage`; NULL: it was */
    Error *
        lost; /* why the segment was not read at all, with `salvage`: the graph is empty; NULL: it was */
    atomic_uint sessions;
    pthread_mutex_t lock; /* of everything below; not held over a sync, nor while the graph is read
                             or written (but by a reader that follows another process's log) */
    pthread_cond_t freed, flushed;
    pthread_cond_t unsynced; /* something was written without a sync, or the syncer is to leave */
    pthread_t syncer;        /* syncs what was only written */
    bool has_syncer, leaving;
    bool writing;  /* somebody has the writer token */
    bool reserved; /* somebody is to have it next */
    Files *files;  /* NULL in memory */
    Wal *wal;      /* NULL in memory */
    LoggedNames names;
    bool flushing;
    uint64_t appended_version; /* of the newest transaction in the log's memory */
    uint64_t durable_lsn;
    uint64_t written_lsn; /* all up to it is visible: durable, or in the machine's cache */
    /* Wall clock of the newest commit in the log's memory (the next is not before it), and of the
     * newest that is visible. */
    int64_t commit_ns, visible_ns;
    int64_t snapshot_ns; /* of the newest snapshot: what is committed later is after it */
    Error *trouble;      /* of the last checkpoint in the background, till it is told; NULL: none */
    bool failed;         /* the log could not be written: read-only from now on */
    /* Vector indexes (finder.c). Made for the graph in use since opening, and how many there were when
     * the newest segment was written: if more, leaving writes one. */
    _Atomic uint64_t finders_made, finders_saved;
    atomic_bool finder_building;              /* a thread is at it; */
    atomic_bool finder_stop;                  /* and is to stop; */
    _Atomic(const GraphIndex *) finder_index; /* at this one, NULL: at none yet; */
    atomic_int finder_percent;                /* so far */
    bool finder_joinable;                     /* with the lock */
    pthread_t finder_thread;
    Aside aside;
    bool moving; /* the graph is about to be another one: who comes waits a moment */
    DatabaseCounters counters;
    SpillPlace spill;
};

Held *held_new(Graph *graph);
void held_free(Database *database, Held *held); /* nobody looks at it any more; NULL is welcome */

/* Until `condition` is signaled, or `until_ns` of the monotonic clock (INT64_MAX: for ever), or for as long
 * as a user who pressed Ctrl-C does not notice; then, without the lock, `stop` is asked: what it says. */
bool wait_a_while(Database *database, pthread_cond_t *condition, int64_t until_ns,
                  bool (*stop)(void *state), void *state);

/* ---- the writer token, and what was appended so far on the disk; without the lock ---- */
/* ERROR_LOCKED after the busy timeout. `first`: before all who wait for it (one at a time does).
 * `stop`, unless NULL, is asked while it waits: ERROR_CANCELLED. */
Error *token_take(Database *database, bool first, bool (*stop)(void *state),
                  void *state) MUST_CHECK;
void token_give(Database *database);
Error *flush_appended(Database *database) MUST_CHECK; /* with the token: then all of it is */

/* ---- what a thread does beside the sessions (aside.c) ---- */
/* Calls work(user) later, in a thread; false: there was none, and it has been called. */
bool aside_do(Database *database, void (*work)(void *user), void *user);
bool aside_is_working(Database *database);
void aside_wait(Database *database); /* until all of it is done */
bool aside_await(Database *database, bool (*stop)(void *state), void *state); /* false: stopped */
void aside_settle(Database *database); /* the same, and the thread has ended; nobody adds to it */

/* Everything below is about databases in a directory. */
typedef struct Past Past;
struct Files {
    const Io *io;
    char directory[IO_PATH_BYTES_MAX];
    DirectoryLock *lock;
    uint8_t uuid[CATALOG_UUID_BYTES];
    uint64_t checkpoint;    /* the one the graph and the log are followed from */
    SegmentFile base;       /* the newest that holds all up to a place in the log; id 0: none */
    SegmentFile catalogued; /* what the catalog named then; id 0: nothing */
    SegmentFile *logged;    /* all that the log names: replaying it must find them */
    size_t logged_count, logged_capacity;
    uint64_t base_log_bytes;     /* of the log when base was written */
    _Atomic uint64_t segment_id; /* the highest given */
    /* Being written, for the transaction that has the writer token, and what goes into it. */
    SegmentWriter *segment;
    GraphSave *save;
    SegmentFile written; /* waits to be logged, with: */
    Buffer written_schema;
    Buffer schema;           /* of base, while the catalog does not name it */
    uint64_t replayed_bytes; /* of the log, so far */
    bool opening;
    Tell *tell; /* of the options, while it is opened */
    Arena *catalog_arena;
    Catalog catalog; /* as last read or committed; replaced whole, with the database's lock */
    /* One checkpoint at a time; taken before the token and the lock. */
    pthread_mutex_t maintenance;
    bool (*stop)(void *state); /* with it: may end what is being saved; NULL: nobody does */
    void *stop_state;
    SegmentFile *freed; /* nobody names them, but somebody reads them: to be removed later */
    size_t freed_count, freed_capacity;
    uint64_t checkpoint_bytes; /* of log, after which a checkpoint is made beside everything */
    uint64_t tried_bytes;      /* of log when that was last tried in vain */
    bool checkpointing, checkpointer_joinable;
    pthread_t checkpointer;
    pthread_mutex_t past_lock; /* of the next; taken before the lock */
    Past *pasts;
};
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
    const Catalog *catalog;
    uint64_t checkpoint;
    LockPage page;
    bool has_writer;
} FilesView;
void files_wait(int attempt); /* before another look at what a checkpoint overtook; 0 the first */
FilesView files_look(const Database *database);
/* A segment and those it refers to, itself first; none: an empty graph. */
typedef struct SegmentFiles {
    SegmentFile *files;
    size_t count;
} SegmentFiles;
void segment_files_set(SegmentFiles *out, const SegmentFile *files, size_t count);
/* The graph, of which no newer version is being made, as a segment; the schema behind `schema`. With
 * `refer`, what has not changed since the segment that it lies on is referred to there. */
Error *files_save(Files *files, const GraphView *view, bool refer, SegmentFiles *out,
                  Buffer *schema) MUST_CHECK;
/* Does the graph lie on files that are still named? For who is alone. */
bool files_may_refer(const Files *files, const Graph *graph);
/* A segment as a graph, with its indexes. `pinned`: it, and those it refers to, stay until *pin, which is
 * NULL otherwise, is closed. */
Error *files_load(const Files *files, const SegmentFile *file, Str schema, bool pinned,
                  Graph **graph, IoFile **pin) MUST_CHECK;
uint64_t files_next_segment(Files *files);              /* the number of a new one */
bool files_names(const Files *files, const char *name); /* does anything need the file? */
int64_t files_now(const Database *database);            /* by the wall clock */
/* Is it cheaper to write all of the graph than what the transaction did? */
bool files_wants_segment(const Database *database, const GraphWriter *writer);
/* Has it the name of a file that is made there? Anything else is somebody's, and stays. */
bool files_may_remove(const char *relative);
/* Begins to write the segment that the transaction will end with, if it wants one: what it changes
 * afterwards is written again (graph_save_ahead). */
void files_write_ahead(Database *database, const GraphWriter *writer);
/* Lets nobody begin a transaction, when none is under way for a moment; *lsn: the last record. false:
 * there always was one, or a vector index is being made of the graph. */
bool files_stop(Database *database, uint64_t *lsn);
/* They may begin again, with `graph`, which holds the same as the one in use did, in its place. Gives that
 * one, to be freed. NULL: it stays as it was. */
Held *files_go_on(Database *database, Graph *graph);
void files_abandon_segment(Database *database); /* it will not end with one */
/* Writes the graph as the writer sees it as a segment, and gives the log record that names it. */
Error *files_write_segment(Database *database, const GraphWriter *writer,
                           Buffer *payload) MUST_CHECK;
void files_segment_logged(Database *database); /* the record is in the log's memory */
void files_publish(const Database *database);  /* tells readers how far the log is durable */
/* The last session is gone: what would take long to replay becomes a segment. */
Error *files_leave(Database *database) MUST_CHECK;
Error *files_remove_leftovers(Database *database) MUST_CHECK; /* at opening and leaving */
void files_free(Database *database);

/* ---- checkpoint.c ---- */
/* All of `graph` becomes a segment that the catalog names, and the log begins anew; with `file` it
 * is one already. Nobody else is there. */
Error *checkpoint_last(Database *database, Graph *graph, const SegmentFile *file,
                       Str schema) MUST_CHECK;
/* Begins a checkpoint in the background if the log has become long. Without the lock. */
void checkpoint_consider(Database *database);
void checkpoint_wait(Database *database); /* until none is under way in the background */
/* The text that stands in metadata/ for a snapshot. */
void snapshot_describe(const Catalog *catalog, const CatalogState *state, Buffer *out);
/* ... and puts it there. */
Error *snapshot_write(const Io *io, const char *directory, const Catalog *catalog,
                      const CatalogState *state) MUST_CHECK;
/* Relative to the directory; empty: it has no such file. */
void snapshot_path(const CatalogState *state, char out[SEGMENT_NAME_BYTES_MAX]);
Error *snapshot_unknown(const Catalog *catalog, Str name); /* an error, with the nearest name */

/* ---- past.c ---- */
typedef struct Origin { /* of a graph: a segment and the log behind it */
    SegmentFile file;   /* id 0: an empty graph */
    Str schema;
    WalStart start;
} Origin;
Origin origin_of_catalog(const Catalog *catalog);
/* A graph as of record `limit_lsn`: the segment, and the log behind it done again. With `pin`, what
 * it lies on is pinned; *pin is closed by io_close. */
Error *past_rebuild(const Files *files, const Origin *origin, uint64_t limit_lsn, Graph **out,
                    IoFile **pin) MUST_CHECK;
/* After a checkpoint: the graph in use becomes one that lies on its segment, so that the memory of what
 * the log brought is given back. *moved false: somebody looked at it all the time, and it is not so.
 * With the files' maintenance, without the lock. */
Error *past_move(Database *database, bool *moved) MUST_CHECK;
/* A reader beside a writer: the catalog as it is now. Without the lock. */
Error *pasts_refresh(Database *database) MUST_CHECK;
void pasts_drop_idle(Database *database, bool all); /* those nobody uses: all, or of freed files */
#endif
