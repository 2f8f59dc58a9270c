/*
 * database.c - sessions share a graph; transactions take turns at writing.
 */
#include "config.h"

#include "database/database.h"
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

struct Database {
    Graph *graph;
    const Clock *clock;
    bool read_only;
    atomic_uint sessions;
    pthread_mutex_t lock;     /* of the token only: never held while anything is read or written */
    pthread_cond_t freed;
    bool writing;             /* somebody has the writer token */
};

struct Transaction {
    Database *database;
    GraphView view;
    uint32_t slot;            /* of the held view */
    GraphWriter *writer;      /* NULL: it has not written yet */
};

Error *database_open_memory(const DatabaseOptions *options, const Clock *clock, Database **out)
{
    Database *database = mem_calloc(1, sizeof *database);
    database->graph = graph_create();
    database->clock = clock;
    database->read_only = options->read_only;
    atomic_init(&database->sessions, 1);
    pthread_mutex_init(&database->lock, NULL);
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&database->freed, &attributes);
    pthread_condattr_destroy(&attributes);
    *out = database;
    return NULL;
}

Database *database_share(Database *database)
{
    atomic_fetch_add(&database->sessions, 1);
    return database;
}

Error *database_close(Database *database)
{
    if (atomic_fetch_sub(&database->sessions, 1) > 1) return NULL;
    graph_destroy(database->graph);
    pthread_cond_destroy(&database->freed);
    pthread_mutex_destroy(&database->lock);
    mem_free(database);
    return NULL;
}

const char *database_durability(const Database *database)
{
    (void)database;
    return "none";
}

/* ---- the writer token ---- */

static bool take_token(Database *database)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += BUSY_TIMEOUT_MS / 1000;
    pthread_mutex_lock(&database->lock);
    int waited = 0;
    while (database->writing && waited != ETIMEDOUT)
        waited = pthread_cond_timedwait(&database->freed, &database->lock, &until);
    bool taken = !database->writing;
    if (taken) database->writing = true;
    pthread_mutex_unlock(&database->lock);
    return taken;
}

static void give_token(Database *database)
{
    pthread_mutex_lock(&database->lock);
    database->writing = false;
    pthread_cond_signal(&database->freed);
    pthread_mutex_unlock(&database->lock);
}

/* ---- transactions ---- */

Error *transaction_begin(Database *database, Transaction **out)
{
    Transaction *transaction = mem_calloc(1, sizeof *transaction);
    transaction->database = database;
    Error *error = graph_acquire(database->graph, &transaction->view, &transaction->slot);
    if (error != NULL) {
        mem_free(transaction);
        return error;
    }
    *out = transaction;
    return NULL;
}

GraphView transaction_view(const Transaction *transaction)
{
    return transaction->writer != NULL ? graph_writer_view(transaction->writer) : transaction->view;
}

Error *transaction_writer(Transaction *transaction, GraphWriter **out)
{
    Database *database = transaction->database;
    if (transaction->writer != NULL) return *out = transaction->writer, NULL;
    if (database->read_only) return error_new(ERROR_READ_ONLY, "the database was opened read-only");
    if (!take_token(database))
        return error_hint(error_new(ERROR_LOCKED, "another transaction has been writing for over %d s", BUSY_TIMEOUT_MS / 1000), "end it, or try again");
    if (graph_version(database->graph) != transaction->view.version) {
        give_token(database);
        return error_new(ERROR_CONFLICT, "another transaction has written since this one began");
    }
    *out = transaction->writer = graph_writer_begin(database->graph);
    return NULL;
}

size_t transaction_savepoint(const Transaction *transaction)
{
    return transaction->writer == NULL ? 0 : graph_savepoint(transaction->writer);
}

void transaction_rollback_to(Transaction *transaction, size_t savepoint)
{
    if (transaction->writer != NULL) graph_rollback_to(transaction->writer, savepoint);
}

static void end(Transaction *transaction, bool publish)
{
    Database *database = transaction->database;
    graph_release(database->graph, transaction->slot);
    if (transaction->writer != NULL) {
        if (publish) graph_writer_publish(transaction->writer);
        else graph_writer_abort(transaction->writer);
        give_token(database);
    }
    mem_free(transaction);
}

Error *transaction_commit(Transaction *transaction)
{
    end(transaction, true);
    return NULL;
}

void transaction_rollback(Transaction *transaction)
{
    if (transaction != NULL) end(transaction, false);
}
