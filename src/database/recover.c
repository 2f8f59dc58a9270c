/*
 * recover.c - what can be read of a damaged database, as a new one.
 *
 * The catalog must be readable, and header, table and trailer of the segments that it and the log
 * name: they say what everything is called and where it lies. Beyond that the log is done again up
 * to the place where it is damaged, whatever lies behind (its effects build on one another), and
 * blocks of the segment that cannot be read are left out (graph/salvage.c). What is damaged, and so
 * may be missing, is told as `check` tells it; then what was saved.
 *
 * Snapshots are not taken along, and that is told.
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
} Recovery;

static const char compare[] = "compare with a backup";

static Error *copy_graph(Recovery *recovery, const GraphView *from)
{
    Transaction *transaction;
    GraphWriter *writer;
    GraphSalvaged saved;
    TRY(transaction_begin(recovery->to, &transaction));
    Error *error = transaction_writer(transaction, &writer);
    if (error == NULL) error = graph_salvage(from, writer, &saved);
    if (error != NULL) {
        transaction_rollback(transaction);
        return error;
    }
    TRY(transaction_commit(transaction));
    if (saved.relationships_lost > 0)
        tell_line(recovery->tell, TELL_FINDING, recovery->target, compare,
                  "lost: %" PRIu64 " relationships whose ends cannot be read",
                  saved.relationships_lost);
    tell_line(recovery->tell, TELL_FACT, recovery->target, "",
              "saved; nodes: %" PRIu64 ", relationships: %" PRIu64, saved.nodes,
              saved.relationships);
    return NULL;
}

static Error *make_index(Database *database, const GraphIndex *index)
{
    Transaction *transaction;
    GraphWriter *writer;
    TRY(transaction_begin(database, &transaction));
    Error *error = transaction_writer(transaction, &writer);
    if (error == NULL) error = graph_create_index(writer, index);
    if (error == NULL) error = graph_check(writer, GRAPH_UNIQUE, 0);
    if (error == NULL) return transaction_commit(transaction);
    transaction_rollback(transaction);
    return error;
}

static Error *make_indexes(Recovery *recovery, const Graph *from)
{
    for (uint32_t i = 0; i < graph_index_count(from); i++) {
        const GraphIndex *index = graph_index_at(from, i);
        Error *error = index == NULL ? NULL : make_index(recovery->to, index);
        if (error != NULL && error_code(error) != ERROR_CONSTRAINT) return error;
        if (error != NULL)
            tell_line(recovery->tell, TELL_FINDING, recovery->target, compare,
                      "lost: constraint %.*s, since %s", STR_ARG(index->name),
                      error_message(error));
        error_drop(error);
    }
    return NULL;
}

/* They stay behind: ids become others, so what they show would not fit the new database. */
static void tell_snapshots(const Recovery *recovery)
{
    const Catalog *catalog = files_look(recovery->from).catalog;
    size_t count = 0;
    for (size_t i = 0; i < catalog->state_count; i++)
        count += catalog->states[i].kind == CATALOG_SNAPSHOT;
    if (count > 0)
        tell_line(recovery->tell, TELL_FINDING, recovery->target,
                  "those whose segments are whole can be read in the old one: --read-only --at",
                  "lost: snapshots: %zu", count);
}

static Error *copy_all(Recovery *recovery)
{
    Transaction *reading;
    TRY(transaction_begin(recovery->from, &reading));
    GraphView view = transaction_view(reading);
    if (recovery->from->salvaged != NULL)
        tell_line(recovery->tell, TELL_FINDING, "wal", compare, "lost: what is behind; %s",
                  error_message(recovery->from->salvaged));
    graph_verify_columns(&view, recovery->tell);
    Error *error = copy_graph(recovery, &view);
    if (error == NULL) error = make_indexes(recovery, view.graph);
    if (error == NULL) tell_snapshots(recovery);
    transaction_rollback(reading);
    return error;
}

Error *database_recover(const Io *io, const char *directory, const char *target, const Clock *clock,
                        Tell *to)
{
    const DatabaseOptions salvaging = {.read_only = true, .salvage = true, .io = io},
                          making = {.create = true, .io = io};
    Recovery recovery = {.target = target, .tell = to};
    if (io_kind(io == NULL ? io_posix() : io, target) != IO_NOTHING)
        return error_hint(error_new(ERROR_NAME_EXISTS, "%s is there already", target),
                          "name a directory that does not exist yet");
    TRY(database_open(directory, &salvaging, clock, &recovery.from));
    Error *error = database_open(target, &making, clock, &recovery.to);
    if (error == NULL) error = copy_all(&recovery);
    Error *closing = recovery.to == NULL ? NULL : database_close(recovery.to);
    if (error == NULL)
        error = closing;
    else
        error_drop(closing);                   /* the first one is told */
    error_drop(database_close(recovery.from)); /* it was only read */
    if (error != NULL && recovery.to != NULL)
        tell_line(to, TELL_FACT, target, "", "was not finished: remove it");
    return error;
}
