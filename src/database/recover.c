/*
 * recover.c - what can be read of a damaged database, as a new one.
 *
 * The catalog must be readable, and header, table and trailer of the segments that it and the log
 * name: they say what everything is called and where it lies. Where the last checkpoint's are not, the
 * newest snapshot whose are takes the place of the present. Beyond that the log is done again up
 * to the place where it is damaged, whatever lies behind (its effects build on one another), and
 * blocks of the segment that cannot be read are left out (graph/salvage.c). What is damaged, and so
 * may be missing, is told as `check` tells it; then what was saved.
 *
 * Snapshots are made anew, the oldest first, each of the state before it, so that what is in two of
 * them is the same thing there; with their names and times, those without a name under new numbers.
 * One that cannot be read whole is told and left out: what it showed would not be what was. The present comes
 * last. They have no indexes: what is asked of them is looked for.
 *
 * The new database has an identity of its own. Indexes and constraints are made last, each in a
 * transaction of its own: one that does not hold any more is told and left out.
 */
#include "config.h"

#include "database/database_internal.h"
#include <inttypes.h>

typedef struct Recovery {
    const char *target;
    Database *from, *to;
    Tell *tell;
    GraphSalvage *salvage;
    const CatalogState *newest; /* the last snapshot that came along; NULL: none did */
    GraphSalvaged newest_saved;
    const Clock *real;
    /* What the new database takes for the time; INT64_MIN: that it is. Its threads ask, too. */
    _Atomic int64_t moment_ns;
} Recovery;

static int64_t wall_ns(void *state)
{
    const Recovery *recovery = state;
    int64_t moment_ns = atomic_load(&recovery->moment_ns);
    return moment_ns != INT64_MIN ? moment_ns : recovery->real->wall_ns(recovery->real->state);
}

static int64_t monotonic_ns(void *state)
{
    const Recovery *recovery = state;
    return recovery->real->monotonic_ns(recovery->real->state);
}

static const char compare[] = "compare with a backup";

static Error *copy_state(Recovery *recovery, const GraphView *from, GraphSalvaged *saved)
{
    Transaction *transaction;
    GraphWriter *writer;
    TRY(transaction_begin(recovery->to, &transaction));
    Error *error = transaction_writer(transaction, NULL, NULL, &writer);
    if (error == NULL) graph_writer_heed(writer, tell_ask, recovery->tell);
    if (error == NULL)
        error = graph_salvage_state(recovery->salvage, from, writer, recovery->tell, saved);
    if (error == NULL) return transaction_commit(transaction);
    transaction_rollback(transaction);
    return error;
}

static void tell_saved(const Recovery *recovery, const GraphSalvaged *saved)
{
    if (saved->relationships_lost > 0)
        tell_line(recovery->tell, TELL_FINDING, recovery->target, compare,
                  "lost: %" PRIu64 " relationships whose ends cannot be read",
                  saved->relationships_lost);
    tell_line(recovery->tell, TELL_FACT, recovery->target, "",
              "saved; nodes: %" PRIu64 ", relationships: %" PRIu64, saved->nodes,
              saved->relationships);
}

static Error *copy_graph(Recovery *recovery, const GraphView *from)
{
    GraphSalvaged saved;
    TRY(copy_state(recovery, from, &saved));
    tell_saved(recovery, &saved);
    return NULL;
}

static void tell_nodes(void *tell, uint64_t done, uint64_t count)
{
    tell_done(tell, done, count); /* whether to stop is asked, too, by who builds it */
}

static Error *make_index(Database *database, const GraphIndex *index, Tell *tell)
{
    Transaction *transaction;
    GraphWriter *writer;
    TRY(transaction_begin(database, &transaction));
    Error *error = transaction_writer(transaction, NULL, NULL, &writer);
    if (error == NULL) graph_writer_heed(writer, tell_ask, tell);
    if (error == NULL) graph_writer_tell(writer, tell_nodes, tell);
    if (error == NULL) error = graph_create_index(writer, index);
    if (error == NULL) error = graph_check(writer, GRAPH_UNIQUE, 0);
    if (error == NULL) return transaction_commit(transaction);
    transaction_rollback(transaction);
    return error;
}

static Error *make_indexes(Recovery *recovery, const GraphView *from)
{
    uint32_t count = graph_index_count(from->graph);
    for (uint32_t i = 0; i < count; i++) {
        const GraphIndex *index = graph_index_at(from, i);
        TellPart outer = tell_enter(recovery->tell, (double)i / count, (double)(i + 1) / count);
        Error *error = index == NULL ? NULL : make_index(recovery->to, index, recovery->tell);
        tell_leave(recovery->tell, outer);
        if (error != NULL && error_code(error) != ERROR_CONSTRAINT) return error;
        if (error != NULL)
            tell_line(recovery->tell, TELL_FINDING, recovery->target, compare,
                      "lost: constraint %.*s, since %s", STR_ARG(index->name),
                      error_message(error));
        error_drop(error);
    }
    return NULL;
}

/* ---- snapshots ---- */

typedef struct Quiet { /* keeps the first finding, and asks whom it is kept from */
    Buffer first;
    Tell *loud;
} Quiet;

static void note_first(void *user, TellKind kind, const char *where, const char *what,
                       const char *advice)
{
    Quiet *quiet = user;
    (void)advice;
    if (kind == TELL_FINDING && quiet->first.bytes == 0)
        buffer_printf(&quiet->first, "%s: %s", where, what);
}

static bool ask_loud(void *user, double done)
{
    const Quiet *quiet = user;
    (void)done;
    return tell_ask(quiet->loud);
}

static void tell_lost(const Recovery *recovery, const CatalogState *state, const char *why)
{
    Buffer name = {0};
    if (state->name.bytes > 0)
        buffer_printf(&name, "%.*s", STR_ARG(state->name));
    else
        buffer_printf(&name, "%" PRIu64, state->id);
    tell_line(recovery->tell, TELL_FINDING, recovery->target, compare,
              "lost: snapshot %s, since %s", name.data, why);
    buffer_free(&name);
}

/* Is all of it there? Else it is told. */
static bool is_whole(const Recovery *recovery, const CatalogState *state, const GraphView *view)
{
    Quiet quiet = {.loud = recovery->tell};
    Tell tell = {.line = note_first, .user = &quiet, .ask = ask_loud};
    graph_verify(view, &tell);
    Error *damage = graph_damage(view->graph);
    bool whole = quiet.first.bytes == 0 && damage == NULL;
    if (!whole)
        tell_lost(recovery, state,
                  quiet.first.bytes > 0 ? quiet.first.data : error_message(damage));
    error_drop(damage);
    buffer_free(&quiet.first);
    return whole;
}

/* As it was made, and when. */
static Error *make_snapshot(Recovery *recovery, const CatalogState *state, const GraphView *view)
{
    SnapshotInfo info;
    atomic_store(&recovery->moment_ns, state->commit_ns);
    Error *error = copy_state(recovery, view, &recovery->newest_saved);
    atomic_store(&recovery->moment_ns, state->made_ns);
    if (error == NULL)
        error =
            database_create_snapshot(recovery->to, state->name, tell_ask, recovery->tell, &info);
    atomic_store(&recovery->moment_ns, INT64_MIN);
    if (error == NULL) recovery->newest = state;
    return error;
}

static Error *open_snapshot(const Recovery *recovery, const CatalogState *state, Graph **graph,
                            IoFile **pin)
{
    Origin origin = {.schema = state->schema, .start = state->start};
    if (state->file_count > 0) origin.file = state->files[0];
    return past_rebuild(recovery->from->files, &origin, state->start.lsn - 1, graph, pin);
}

static Error *copy_snapshot(Recovery *recovery, const CatalogState *state, uint64_t *saved)
{
    Graph *graph;
    IoFile *pin;
    Error *error = open_snapshot(recovery, state, &graph, &pin);
    if (error != NULL) {
        tell_lost(recovery, state, error_message(error));
        error_drop(error);
        return NULL;
    }
    GraphView view = {graph, graph_version(graph)};
    bool whole = is_whole(recovery, state, &view);
    error = tell_stopped(recovery->tell);
    if (error == NULL && whole) {
        error = make_snapshot(recovery, state, &view);
        *saved += error == NULL;
    }
    graph_destroy(graph);
    io_close(pin);
    return error;
}

static Error *copy_snapshots(Recovery *recovery)
{
    const Catalog *catalog = files_look(recovery->from).catalog;
    uint64_t saved = 0;
    for (size_t i = 0; i < catalog->state_count; i++) {
        double count = (double)catalog->state_count;
        TellPart outer = tell_enter(recovery->tell, (double)i / count, (double)(i + 1) / count);
        Error *error = catalog->states[i].kind == CATALOG_SNAPSHOT
                           ? copy_snapshot(recovery, &catalog->states[i], &saved)
                           : NULL;
        tell_leave(recovery->tell, outer);
        TRY(error);
    }
    if (saved > 0)
        tell_line(recovery->tell, TELL_FACT, recovery->target, "", "saved; snapshots: %" PRIu64,
                  saved);
    return NULL;
}

/* The new database is no younger than its oldest snapshot; INT64_MIN: there is none. */
static int64_t oldest_ns(const Recovery *recovery)
{
    const Catalog *catalog = files_look(recovery->from).catalog;
    for (size_t i = 0; i < catalog->state_count; i++)
        if (catalog->states[i].kind == CATALOG_SNAPSHOT) return catalog->states[i].commit_ns;
    return INT64_MIN;
}

/* There is no present: what the newest snapshot showed stays, and gets its indexes. */
static Error *copy_past(Recovery *recovery)
{
    Graph *graph;
    IoFile *pin;
    TRY(copy_snapshots(recovery));
    if (recovery->newest == NULL) {
        Error *error = recovery->from->lost;
        recovery->from->lost = NULL;
        return error;
    }
    tell_line(recovery->tell, TELL_FINDING, recovery->target, compare,
              "lost: all behind the newest of these snapshots, since %s",
              error_message(recovery->from->lost));
    tell_saved(recovery, &recovery->newest_saved);
    TRY(open_snapshot(recovery, recovery->newest, &graph, &pin));
    GraphView view = {graph, graph_version(graph)};
    Error *error = make_indexes(recovery, &view);
    graph_destroy(graph);
    io_close(pin);
    return error == NULL ? database_retain(recovery->to, database_retention(recovery->from))
                         : error;
}

static Error *copy_all(Recovery *recovery)
{
    if (recovery->from->lost != NULL) return copy_past(recovery);
    Transaction *reading;
    TRY(transaction_begin(recovery->from, &reading));
    GraphView view = transaction_view(reading);
    if (recovery->from->salvaged != NULL)
        tell_line(recovery->tell, TELL_FINDING, "wal", compare, "lost: what is behind; %s",
                  error_message(recovery->from->salvaged));
    /* Copying takes longest, once for the present and once for each snapshot. */
    double states = (double)files_look(recovery->from).catalog->state_count,
           snapshots = 0.1 + 0.7 * states / (states + 1);
    TellPart whole = tell_enter(recovery->tell, 0, 0.1);
    graph_verify_columns(&view, recovery->tell);
    tell_leave(recovery->tell, whole);
    tell_enter(recovery->tell, 0.1, snapshots);
    Error *error = tell_stopped(recovery->tell);
    if (error == NULL) error = copy_snapshots(recovery);
    tell_leave(recovery->tell, whole);
    tell_enter(recovery->tell, snapshots, 0.8);
    if (error == NULL) error = copy_graph(recovery, &view);
    tell_leave(recovery->tell, whole);
    tell_enter(recovery->tell, 0.8, 0.9);
    if (error == NULL) error = make_indexes(recovery, &view);
    tell_leave(recovery->tell, whole);
    if (error == NULL) error = database_retain(recovery->to, database_retention(recovery->from));
    transaction_rollback(reading);
    return error;
}

/* What is to be removed need not be saved; else that may be stopped, too. */
static Error *close_target(const Recovery *recovery, const Error *error)
{
    Database *database = recovery->to;
    if (database == NULL) return NULL;
    if (error != NULL) database->failed = true;
    database->files->stop = tell_ask;
    database->files->stop_state = recovery->tell;
    return database_close(database);
}

Error *database_recover(const Io *io, const char *directory, const char *target, const Clock *clock,
                        Tell *to)
{
    const DatabaseOptions salvaging = {.read_only = true, .salvage = true, .io = io, .tell = to},
                          making = {.create = true, .io = io};
    Recovery recovery = {.target = target, .tell = to, .real = clock, .moment_ns = INT64_MIN};
    Clock moving = {wall_ns, monotonic_ns, &recovery};
    if (io_kind(io == NULL ? io_posix() : io, target) != IO_NOTHING)
        return error_hint(error_new(ERROR_NAME_EXISTS, "%s is there already", target),
                          "name a directory that does not exist yet");
    TRY(database_open(directory, &salvaging, clock, &recovery.from));
    if (recovery.from->lost != NULL && oldest_ns(&recovery) == INT64_MIN) {
        Error *lost = recovery.from->lost; /* and there is no snapshot either */
        recovery.from->lost = NULL;
        error_drop(database_close(recovery.from));
        return lost;
    }
    atomic_store(&recovery.moment_ns, oldest_ns(&recovery));
    Error *error = database_open(target, &making, &moving, &recovery.to);
    atomic_store(&recovery.moment_ns, INT64_MIN);
    recovery.salvage = graph_salvage_begin();
    if (error == NULL) error = copy_all(&recovery);
    graph_salvage_end(recovery.salvage);
    Error *closing = close_target(&recovery, error);
    if (error == NULL)
        error = closing;
    else
        error_drop(closing);                   /* the first one is told */
    error_drop(database_close(recovery.from)); /* it was only read */
    bool left = error != NULL && io_kind(io == NULL ? io_posix() : io, target) != IO_NOTHING;
    if (left) /* says nothing if it was stopped */
        tell_line(to, TELL_FACT, target, "", "was not finished: remove it");
    return error;
}
