/*
 * database.c - sessions share a graph; transactions take turns at writing; commits share fsyncs.
 *
 * Committing has two steps. With the writer token held, the transaction's effects are encoded and
 * appended to the log's memory; then the token goes to the next writer. Without it, the session
 * waits until its record is durable: the first that finds nobody flushing does so for all that have
 * appended, publishes their versions and wakes them. A flush that fails is final: its transactions
 * and all built on them were never visible, and nothing is written any more.
 */
#include "config.h"

#include "database/database.h"
#include "database/log.h"
#include "storage/catalog.h"
#include "storage/lock.h"
#include "storage/wal.h"
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct Database {
    Graph *graph;
    const Clock *clock;
    bool read_only;
    atomic_uint sessions;
    pthread_mutex_t lock; /* of everything below; never held over a sync or while the graph is read
                             or written */
    pthread_cond_t freed, flushed;
    bool writing; /* somebody has the writer token */
    Wal *wal;     /* NULL in memory */
    DirectoryLock *directory;
    LoggedNames names;
    bool flushing;
    uint64_t appended_version; /* of the newest transaction in the log's memory */
    uint64_t durable_lsn;
    bool failed; /* the log could not be written: read-only from now on */
    DatabaseCounters counters;
};

struct Transaction {
    Database *database;
    GraphView view;
    uint32_t slot; /* of the held view */
    bool read;
    GraphWriter *writer; /* NULL: it has not written yet */
};

/* ---- open and close ---- */

static Database *database_new(const DatabaseOptions *options, const Clock *clock)
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
    pthread_cond_init(&database->flushed, &attributes);
    pthread_condattr_destroy(&attributes);
    return database;
}

static void database_free(Database *database)
{
    wal_close(database->wal);
    lock_close(database->directory);
    graph_destroy(database->graph);
    pthread_cond_destroy(&database->freed);
    pthread_cond_destroy(&database->flushed);
    pthread_mutex_destroy(&database->lock);
    mem_free(database);
}

Error *database_open_memory(const DatabaseOptions *options, const Clock *clock, Database **out)
{
    *out = database_new(options, clock);
    return NULL;
}

static Error *replay_one(void *user, Str payload)
{
    Database *database = user;
    GraphWriter *writer = graph_writer_begin(database->graph);
    Error *error = log_replay(writer, payload);
    if (error == NULL)
        graph_writer_publish(writer);
    else
        graph_writer_abort(writer);
    return error;
}

static Error *check_directory(const char *directory, const DatabaseOptions *options)
{
    struct stat status;
    if (stat(directory, &status) == 0)
        return S_ISDIR(status.st_mode)
                   ? NULL
                   : error_hint(error_new(ERROR_NOT_A_DATABASE,
                                          "%s is a file, not a database directory", directory),
                                "name a directory");
    if (errno != ENOENT) return error_errno(ERROR_IO, errno, "%s cannot be opened", directory);
    if (!options->create || options->read_only)
        return error_hint(error_new(ERROR_NO_FILE, "there is no database %s", directory),
                          "open it for writing to make it");
    return mkdir(directory, 0755) == 0
               ? NULL
               : error_errno(ERROR_IO, errno, "%s cannot be made", directory);
}

/* An existing directory that is not empty and no database is left alone. */
static Error *check_empty(const char *directory)
{
    char path[4352];
    snprintf(path, sizeof path, "%.4200s/catalog.db", directory);
    if (access(path, F_OK) == 0) return NULL;
    if (rmdir(directory) == 0)
        return mkdir(directory, 0755) == 0
                   ? NULL
                   : error_errno(ERROR_IO, errno, "%s cannot be made", directory);
    return error_hint(error_new(ERROR_NOT_A_DATABASE,
                                "%s is a directory, but not a database, and not empty", directory),
                      "name another directory");
}

static Error *open_files(Database *database, const char *directory, const DatabaseOptions *options)
{
    uint8_t uuid[CATALOG_UUID_BYTES];
    char log[4352];
    bool write = !options->read_only, written = false;
    WalReport report;
    TRY(check_directory(directory, options));
    TRY(check_empty(directory));
    TRY(lock_open(directory, write, &database->directory));
    TRY(catalog_open(directory, write, uuid));
    uint64_t limit_lsn = UINT64_MAX;
    if (!write) {
        uint64_t durable = lock_durable(database->directory, &written);
        if (written) limit_lsn = durable;
    }
    snprintf(log, sizeof log, "%.4200s/wal", directory);
    TRY(wal_open(log, uuid, write, limit_lsn, replay_one, database, &report, &database->wal));
    for (int kind = 0; kind < NAME_KIND_COUNT; kind++)
        database->names.count[kind] = graph_name_count(database->graph, (NameKind)kind);
    database->durable_lsn = wal_durable(database->wal);
    database->counters.replayed = report.commits;
    database->counters.discarded_bytes = report.discarded_bytes;
    if (write) lock_set_durable(database->directory, database->durable_lsn);
    return NULL;
}

Error *database_open(const char *directory, const DatabaseOptions *options, const Clock *clock,
                     Database **out)
{
    Database *database = database_new(options, clock);
    Error *error = open_files(database, directory, options);
    if (error != NULL) {
        database_free(database);
        return error;
    }
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
    if (atomic_fetch_sub(&database->sessions, 1) == 1) database_free(database);
    return NULL;
}

const char *database_durability(const Database *database)
{
    return database->wal == NULL ? "none" : "synced";
}

DatabaseCounters database_counters(Database *database)
{
    pthread_mutex_lock(&database->lock);
    DatabaseCounters counters = database->counters;
    if (database->wal != NULL) counters.syncs = wal_syncs(database->wal);
    pthread_mutex_unlock(&database->lock);
    return counters;
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

void transaction_mark_read(Transaction *transaction)
{
    transaction->read = true;
}

Error *transaction_writer(Transaction *transaction, GraphWriter **out)
{
    Database *database = transaction->database;
    if (transaction->writer != NULL) return *out = transaction->writer, NULL;
    if (database->read_only) return error_new(ERROR_READ_ONLY, "the database was opened read-only");
    if (database->failed)
        return error_hint(
            error_new(ERROR_READ_ONLY, "writing the log failed: nothing more is written"),
            "close and open the database again");
    if (!take_token(database))
        return error_hint(error_new(ERROR_LOCKED,
                                    "another transaction has been writing for over %d s",
                                    BUSY_TIMEOUT_MS / 1000),
                          "end it, or try again");
    uint64_t published = graph_version(database->graph),
             newest =
                 database->appended_version > published ? database->appended_version : published;
    if (transaction->read && newest > transaction->view.version) {
        give_token(database);
        return error_new(ERROR_CONFLICT,
                         "another transaction has written since this one began to read");
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

/* Hands the transaction to the log's memory and gives the token on; *lsn: what to wait for. */
static Error *append(Database *database, GraphWriter *writer, uint64_t *lsn)
{
    Buffer payload = {0};
    log_encode(writer, &database->names, &payload);
    pthread_mutex_lock(&database->lock);
    Error *error = database->failed ? error_new(ERROR_READ_ONLY,
                                                "writing the log failed: nothing more is written")
                                    : wal_append(database->wal, buffer_view(&payload), lsn);
    if (error == NULL) {
        database->appended_version = graph_writer_finish(writer);
        database->counters.commits++;
        database->writing = false;
        pthread_cond_signal(&database->freed);
    }
    pthread_mutex_unlock(&database->lock);
    buffer_free(&payload);
    return error; /* then the token is still the caller's */
}

/* Called with the lock held, which is let go while the disk works. */
static Error *flush_all(Database *database)
{
    uint64_t version = database->appended_version;
    database->flushing = true;
    wal_begin_flush(database->wal);
    pthread_mutex_unlock(&database->lock);
    Error *error = wal_flush(database->wal);
    pthread_mutex_lock(&database->lock);
    database->flushing = false;
    if (error == NULL) {
        wal_end_flush(database->wal);
        database->durable_lsn = wal_durable(database->wal);
        lock_set_durable(database->directory, database->durable_lsn);
        graph_publish(database->graph, version);
    } else {
        database->failed = true;
    }
    pthread_cond_broadcast(&database->flushed);
    return error;
}

static Error *wait_durable(Database *database, uint64_t lsn)
{
    Error *error = NULL;
    pthread_mutex_lock(&database->lock);
    while (error == NULL && database->durable_lsn < lsn) {
        if (database->failed)
            error = error_new(ERROR_IO,
                              "the log could not be written: the transaction is not committed");
        else if (database->flushing)
            pthread_cond_wait(&database->flushed, &database->lock);
        else
            error = flush_all(database);
    }
    pthread_mutex_unlock(&database->lock);
    return error;
}

static void leave(Transaction *transaction)
{
    graph_release(transaction->database->graph, transaction->slot);
    mem_free(transaction);
}

Error *transaction_commit(Transaction *transaction)
{
    Database *database = transaction->database;
    GraphWriter *writer = transaction->writer;
    if (writer == NULL || graph_change_count(writer) == 0)
        return transaction_rollback(transaction), NULL;
    uint64_t lsn;
    Error *error = NULL;
    if (database->wal == NULL) {
        graph_writer_publish(writer);
        give_token(database);
    } else {
        error = append(database, writer, &lsn);
        if (error == NULL) {
            error = wait_durable(database, lsn);
        } else {
            graph_writer_abort(writer);
            give_token(database);
        }
    }
    leave(transaction);
    return error;
}

void transaction_rollback(Transaction *transaction)
{
    if (transaction == NULL) return;
    if (transaction->writer != NULL) {
        graph_writer_abort(transaction->writer);
        give_token(transaction->database);
    }
    leave(transaction);
}
