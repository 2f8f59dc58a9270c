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

#include "database/database_internal.h"
#include "database/finder.h"
#include "runtime/workers.h"
#include "vector/device.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

struct Transaction {
    Database *database;
    Held *held;
    GraphView view;
    uint32_t slot; /* of the held view */
    bool read;
    bool only_written;   /* its commit does not wait for the disk */
    GraphWriter *writer; /* NULL: it has not written yet */
    bool undoing;        /* its changes from `savepoint` on are being taken back, perhaps still */
    size_t savepoint;
};

/* ---- open and close ---- */

Held *held_new(Graph *graph)
{
    Held *held = mem_calloc(1, sizeof *held);
    held->graph = graph;
    return held;
}

void held_free(Database *database, Held *held)
{
    if (held == NULL) return;
    vector_device_forget(database->device);
    graph_destroy(held->graph);
    io_close(held->pin);
    mem_free(held);
}

static Database *database_new(const DatabaseOptions *options, const Clock *clock)
{
    Database *database = mem_calloc(1, sizeof *database);
    database->held = held_new(graph_create());
    database->device = vector_device_create();
    database->workers = workers_create(NULL);
    database->clock = clock;
    database->read_only = options->read_only;
    database->salvage = options->salvage;
    atomic_init(&database->sessions, 1);
    const char *temporary = getenv("TMPDIR");
    database->spill.io = io_posix();
    snprintf(database->spill.directory, sizeof database->spill.directory, "%s",
             temporary == NULL || temporary[0] == '\0' ? "/tmp" : temporary);
    pthread_mutex_init(&database->lock, NULL);
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&database->freed, &attributes);
    pthread_cond_init(&database->flushed, &attributes);
    pthread_cond_init(&database->unsynced, &attributes);
    pthread_cond_init(&database->aside.idle, &attributes);
    pthread_condattr_destroy(&attributes);
    return database;
}

static void database_free(Database *database)
{
    files_free(database);
    error_drop(database->salvaged);
    error_drop(database->lost);
    error_drop(database->trouble);
    held_free(database, database->held);
    vector_device_destroy(database->device);
    workers_destroy(database->workers);
    pthread_cond_destroy(&database->freed);
    pthread_cond_destroy(&database->flushed);
    pthread_cond_destroy(&database->unsynced);
    pthread_cond_destroy(&database->aside.idle);
    pthread_mutex_destroy(&database->lock);
    mem_free(database);
}

Error *database_open_memory(const DatabaseOptions *options, const Clock *clock, Database **out)
{
    *out = database_new(options, clock);
    return NULL;
}

Error *database_open(const char *directory, const DatabaseOptions *options, const Clock *clock,
                     Database **out)
{
    Database *database = database_new(options, clock);
    Error *error = files_open(database, directory, options);
    if (error != NULL) {
        database_free(database);
        return error;
    }
    if (!database->read_only) {
        database->spill.io = database->files->io;
        error = io_join(database->spill.directory, database->files->directory, "tmp");
        error_drop(error); /* too long: then no file of it would have been opened */
    }
    if (!database->salvage) finder_consider(database); /* leaving may have given one up */
    *out = database;
    return NULL;
}

Database *database_share(Database *database)
{
    atomic_fetch_add(&database->sessions, 1);
    return database;
}

/* The last session is gone, and leaving syncs. */
static void end_syncer(Database *database)
{
    if (!database->has_syncer) return;
    pthread_mutex_lock(&database->lock);
    database->leaving = true;
    pthread_cond_signal(&database->unsynced);
    pthread_mutex_unlock(&database->lock);
    pthread_join(database->syncer, NULL);
    database->has_syncer = false;
}

Error *database_close(Database *database)
{
    if (atomic_fetch_sub(&database->sessions, 1) > 1) return NULL;
    aside_settle(database);
    finder_settle(database);
    end_syncer(database);
    Error *error = database->files == NULL ? NULL : files_leave(database);
    database_free(database);
    return error;
}

const char *database_durability(const Database *database, bool only_written)
{
    return database->wal == NULL ? "none" : only_written ? "written" : "synced";
}

DatabaseCounters database_counters(Database *database)
{
    pthread_mutex_lock(&database->lock);
    DatabaseCounters counters = database->counters;
    if (database->wal != NULL) counters.syncs = wal_syncs(database->wal);
    pthread_mutex_unlock(&database->lock);
    return counters;
}

struct SpillPlace *database_spill_place(Database *database)
{
    return &database->spill;
}

struct Workers *database_workers(Database *database)
{
    return database->workers;
}

Error *database_take_trouble(Database *database)
{
    pthread_mutex_lock(&database->lock);
    Error *trouble = database->trouble;
    database->trouble = NULL;
    pthread_mutex_unlock(&database->lock);
    return trouble;
}

struct VectorDevice *database_device(Database *database)
{
    return database->device;
}

/* ---- waiting ---- */

static int64_t monotonic_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

bool wait_a_while(Database *database, pthread_cond_t *condition, int64_t until_ns,
                  bool (*stop)(void *state), void *state)
{
    enum { ASKED_EVERY_NS = 10000000 };
    if (stop != NULL) {
        int64_t soon_ns = monotonic_ns() + ASKED_EVERY_NS;
        if (soon_ns < until_ns) until_ns = soon_ns;
    }
    if (until_ns == INT64_MAX) {
        pthread_cond_wait(condition, &database->lock);
        return false;
    }
    struct timespec until = {until_ns / 1000000000, until_ns % 1000000000};
    pthread_cond_timedwait(condition, &database->lock, &until);
    if (stop == NULL) return false;
    pthread_mutex_unlock(&database->lock); /* it may call the program */
    bool stopped = stop(state);
    pthread_mutex_lock(&database->lock);
    return stopped;
}

/* ---- the writer token ---- */

static Error *error_cancelled(void)
{
    return error_new(ERROR_CANCELLED, "the statement was cancelled");
}

Error *token_take(Database *database, bool first, bool (*stop)(void *state), void *state)
{
    /* However long it takes: it ends by itself. */
    if (!aside_await(database, stop, state)) return error_cancelled();
    int64_t until_ns = monotonic_ns() + (int64_t)BUSY_TIMEOUT_MS * 1000000;
    bool stopped = false;
    pthread_mutex_lock(&database->lock);
    if (first) database->reserved = true;
    while ((database->writing || (database->reserved && !first)) && !stopped &&
           monotonic_ns() < until_ns)
        stopped = wait_a_while(database, &database->freed, until_ns, stop, state);
    if (first) database->reserved = false;
    bool taken = !database->writing && !database->reserved && !stopped;
    if (taken) database->writing = true;
    if (first && !taken) pthread_cond_broadcast(&database->freed); /* who waited for it goes on */
    if (stopped) pthread_cond_signal(&database->freed); /* it may have been woken for nothing */
    pthread_mutex_unlock(&database->lock);
    if (taken) return NULL;
    if (stopped) return error_cancelled();
    return error_hint(error_new(ERROR_LOCKED, "another transaction has been writing for over %d s",
                                BUSY_TIMEOUT_MS / 1000),
                      "end it, or try again");
}

/* With the lock. One who waits is enough, unless it is not to be the next. */
static void token_free(Database *database)
{
    database->writing = false;
    if (database->reserved)
        pthread_cond_broadcast(&database->freed);
    else
        pthread_cond_signal(&database->freed);
}

void token_give(Database *database)
{
    pthread_mutex_lock(&database->lock);
    token_free(database);
    pthread_mutex_unlock(&database->lock);
}

/* ---- transactions ---- */

static Error *hold(Database *database, Held **out)
{
    Error *error = NULL;
    pthread_mutex_lock(&database->lock);
    while (database->moving)
        pthread_cond_wait(&database->flushed, &database->lock);
    if (database->read_only && database->files != NULL) error = files_refresh(database);
    if (error == NULL) {
        *out = database->held;
        database->held->users++;
    }
    pthread_mutex_unlock(&database->lock);
    return error;
}

static void let_go(Database *database, Held *held)
{
    pthread_mutex_lock(&database->lock);
    bool last = --held->users == 0 && held != database->held;
    if (database->moving && held->users == 0) pthread_cond_broadcast(&database->flushed);
    pthread_mutex_unlock(&database->lock);
    if (last) held_free(database, held);
}

Error *transaction_begin(Database *database, Transaction **out)
{
    Held *held;
    TRY(hold(database, &held));
    Transaction *transaction = mem_calloc(1, sizeof *transaction);
    transaction->database = database;
    transaction->held = held;
    Error *error = graph_acquire(held->graph, &transaction->view, &transaction->slot);
    if (error != NULL) {
        let_go(database, held);
        mem_free(transaction);
        return error;
    }
    *out = transaction;
    return NULL;
}

Error *transaction_damage(const Transaction *transaction)
{
    return graph_damage(transaction->held->graph);
}

/* Until what was to be taken back is: from then on nobody but its session looks at it. */
static void settle(Transaction *transaction)
{
    if (transaction->undoing) aside_wait(transaction->database);
    transaction->undoing = false;
}

void database_await_aside(Database *database, bool (*stop)(void *state), void *state)
{
    aside_await(database, stop, state);
}

Error *transaction_await(Transaction *transaction, bool (*stop)(void *state), void *state)
{
    if (transaction->undoing && !aside_await(transaction->database, stop, state))
        return error_cancelled();
    transaction->undoing = false;
    return NULL;
}

bool transaction_is_busy(Transaction *transaction)
{
    return transaction->undoing && aside_is_working(transaction->database);
}

GraphView transaction_view(const Transaction *transaction)
{
    if (transaction->undoing) aside_wait(transaction->database);
    return transaction->writer != NULL ? graph_writer_view(transaction->writer) : transaction->view;
}

void transaction_only_write(Transaction *transaction, bool only_written)
{
    transaction->only_written = only_written;
}

void transaction_mark_read(Transaction *transaction)
{
    transaction->read = true;
}

Error *transaction_writer(Transaction *transaction, bool (*stop)(void *state), void *state,
                          GraphWriter **out)
{
    Database *database = transaction->database;
    TRY(transaction_await(transaction, stop, state));
    if (transaction->writer != NULL) return *out = transaction->writer, NULL;
    if (database->read_only) return error_new(ERROR_READ_ONLY, "the database was opened read-only");
    if (database->failed)
        return error_hint(
            error_new(ERROR_READ_ONLY, "writing the log failed: nothing more is written"),
            "close and open the database again");
    TRY(token_take(database, false, stop, state));
    uint64_t published = graph_version(database->held->graph),
             newest =
                 database->appended_version > published ? database->appended_version : published;
    if (transaction->read && newest > transaction->view.version) {
        token_give(database);
        return error_new(ERROR_CONFLICT,
                         "another transaction has written since this one began to read");
    }
    *out = transaction->writer = graph_writer_begin(database->held->graph);
    return NULL;
}

size_t transaction_savepoint(Transaction *transaction)
{
    settle(transaction);
    return transaction->writer == NULL ? 0 : graph_savepoint(transaction->writer);
}

void transaction_rollback_to(Transaction *transaction, size_t savepoint)
{
    settle(transaction);
    if (transaction->writer != NULL) graph_rollback_to(transaction->writer, savepoint);
}

void transaction_write_ahead(Transaction *transaction)
{
    if (transaction->writer != NULL && transaction->database->files != NULL)
        files_write_ahead(transaction->database, transaction->writer);
}

/* Hands the transaction to the log's memory and gives the token on; *lsn: what to wait for. */
static Error *append(Database *database, GraphWriter *writer, uint64_t *lsn)
{
    Buffer payload = {0};
    bool whole = files_wants_segment(database, writer);
    Error *error = graph_damage(database->held->graph);
    if (error == NULL && whole) error = files_write_segment(database, writer, &payload);
    if (!whole) files_abandon_segment(database);
    if (error == NULL && !whole) error = log_encode(writer, &database->names, &payload);
    error = error_named(error, "COMMIT");
    int64_t now_ns = database->clock->wall_ns(database->clock->state);
    pthread_mutex_lock(&database->lock);
    if (now_ns < database->commit_ns) now_ns = database->commit_ns; /* it was set back */
    if (now_ns <= database->snapshot_ns) now_ns = database->snapshot_ns + 1;
    if (error == NULL)
        error = database->failed
                    ? error_new(ERROR_READ_ONLY, "writing the log failed: nothing more is written")
                    : wal_append(database->wal, buffer_view(&payload), now_ns, lsn);
    if (error == NULL) {
        if (whole) files_segment_logged(database);
        database->appended_version = graph_writer_finish(writer);
        if (whole) database->saved_version = database->appended_version;
        database->commit_ns = now_ns;
        database->counters.commits++;
        token_free(database);
    }
    pthread_mutex_unlock(&database->lock);
    buffer_free(&payload);
    return error; /* then the token is still the caller's */
}

/* Called with the lock held, which is let go while the disk works. Without `sync` what was appended is
 * only written: a process that dies loses nothing of it, a machine may. */
static Error *flush_all(Database *database, bool sync)
{
    uint64_t lsn = wal_appended(database->wal);
    uint64_t version = database->appended_version;
    int64_t commit_ns = database->commit_ns;
    database->flushing = true;
    wal_begin_flush(database->wal);
    pthread_mutex_unlock(&database->lock);
    Error *error = wal_flush(database->wal, sync);
    pthread_mutex_lock(&database->lock);
    database->flushing = false;
    if (error == NULL) {
        wal_end_flush(database->wal);
        database->durable_lsn = wal_durable(database->wal);
        database->written_lsn = lsn;
        database->visible_ns = commit_ns;
        if (database->durable_lsn < lsn) pthread_cond_signal(&database->unsynced);
        files_publish(database);
        graph_publish(database->held->graph, version);
    } else {
        database->failed = true;
    }
    pthread_cond_broadcast(&database->flushed);
    return error;
}

/* ---- who syncs what is only written ---- */

static void *keep_synced(void *user)
{
    enum { SYNC_EVERY_NS = 100000000 }; /* so much of what was acknowledged may a machine lose */
    Database *database = user;
    pthread_mutex_lock(&database->lock);
    while (!database->leaving && !database->failed) {
        struct timespec until;
        if (database->written_lsn <= database->durable_lsn) {
            pthread_cond_wait(&database->unsynced, &database->lock);
            continue;
        }
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_nsec += SYNC_EVERY_NS;
        if (until.tv_nsec >= 1000000000) until.tv_sec++, until.tv_nsec -= 1000000000;
        while (!database->leaving &&
               pthread_cond_timedwait(&database->unsynced, &database->lock, &until) == 0)
            ;
        while (database->flushing || database->moving)
            pthread_cond_wait(&database->flushed, &database->lock);
        /* A failure makes the database read-only, and the next statement that writes tells. */
        if (!database->leaving && !database->failed) error_drop(flush_all(database, true));
    }
    pthread_mutex_unlock(&database->lock);
    return NULL;
}

/* With the lock. Signals are for the program's own threads. */
static bool has_syncer(Database *database)
{
    sigset_t all, before;
    if (database->has_syncer) return true;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    database->has_syncer = pthread_create(&database->syncer, NULL, keep_synced, database) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return database->has_syncer;
}

static uint64_t reached(const Database *database, bool sync)
{
    return sync ? database->durable_lsn : database->written_lsn;
}

static Error *wait_until(Database *database, uint64_t lsn, bool sync)
{
    Error *error = NULL;
    pthread_mutex_lock(&database->lock);
    if (!sync) sync = !has_syncer(database);
    while (error == NULL && reached(database, sync) < lsn) {
        if (database->failed)
            error = error_hint(error_new(ERROR_IO, "the log could not be written: whether the "
                                                   "transaction is committed is not known"),
                               "open the database again: it is there as a whole, or not at all");
        else if (database->flushing)
            pthread_cond_wait(&database->flushed, &database->lock);
        else
            error = flush_all(database, sync);
    }
    pthread_mutex_unlock(&database->lock);
    return error;
}

Error *flush_appended(Database *database)
{
    pthread_mutex_lock(&database->lock);
    uint64_t lsn = wal_appended(database->wal);
    bool failed = database->failed;
    pthread_mutex_unlock(&database->lock);
    if (failed)
        return error_new(ERROR_READ_ONLY, "writing the log failed: nothing more is written");
    return wait_until(database, lsn, true);
}

static void leave(Transaction *transaction)
{
    graph_release(transaction->held->graph, transaction->slot);
    let_go(transaction->database, transaction->held);
    mem_free(transaction);
}

Error *transaction_commit(Transaction *transaction)
{
    Database *database = transaction->database;
    GraphWriter *writer = transaction->writer;
    settle(transaction);
    if (writer == NULL || graph_change_count(writer) == 0)
        return transaction_rollback(transaction), NULL;
    uint64_t lsn;
    Error *error = graph_check(writer, GRAPH_REQUIRED, 0);
    if (error != NULL) {
        transaction_rollback(transaction);
        return error;
    }
    if (database->wal == NULL) {
        graph_writer_publish(writer);
        token_give(database);
    } else {
        error = append(database, writer, &lsn);
        if (error == NULL) {
            error = wait_until(database, lsn, !transaction->only_written);
        } else {
            if (error_code(error) == ERROR_CANCELLED)
                transaction_abandon(transaction); /* who cancelled it waits */
            else
                transaction_rollback(transaction);
            return error;
        }
    }
    if (error == NULL) finder_consider(database); /* while the graph in use stays so */
    leave(transaction);
    if (error == NULL && database->wal != NULL) checkpoint_consider(database);
    return error;
}

void transaction_rollback(Transaction *transaction)
{
    if (transaction == NULL) return;
    settle(transaction);
    if (transaction->writer != NULL) {
        files_abandon_segment(transaction->database);
        graph_writer_abort(transaction->writer, transaction->slot);
        token_give(transaction->database);
    }
    leave(transaction);
}

/* ---- taken back beside the session ---- */

/* What is taken back faster than a thread is made and waited for. */
static bool is_little(const GraphWriter *writer, size_t savepoint)
{
    enum { CHANGES = 4096 };
    if (writer == NULL) return true;
    return graph_change_count(writer) - savepoint <= CHANGES &&
           graph_change_weight(writer, savepoint) <= CHANGES;
}

static void undo_statement(void *user)
{
    const Transaction *transaction = user;
    graph_rollback_to(transaction->writer, transaction->savepoint);
}

static void undo_transaction(void *user)
{
    transaction_rollback(user);
}

void transaction_abandon_to(Transaction *transaction, size_t savepoint)
{
    settle(transaction);
    if (is_little(transaction->writer, savepoint)) {
        transaction_rollback_to(transaction, savepoint);
        return;
    }
    transaction->savepoint = savepoint;
    transaction->undoing = aside_do(transaction->database, undo_statement, transaction);
}

void transaction_abandon(Transaction *transaction)
{
    settle(transaction);
    if (is_little(transaction->writer, 0))
        transaction_rollback(transaction);
    else
        aside_do(transaction->database, undo_transaction, transaction);
}

void database_free_aside(Database *database, MemBin *bin)
{
    if (bin->first == NULL) return;
    void *first = bin->first;
    bin->first = NULL;
    aside_do(database, mem_bin_free, first);
}
