/* Databases in a directory: what was committed is there again, what was not is not; sessions share
 * syncs; damage is told. */
#include "config.h"

#include "contextql.h"
#include "database/database.h"
#include "test.h"
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static const DatabaseOptions writing = {.create = true}, reading = {.read_only = true};

static Database *opened(const char *directory, const DatabaseOptions *options)
{
    Database *database = NULL;
    Error *error = database_open(directory, options, clock_system(), &database);
    if (error != NULL) printf("# %s\n", error_message(error));
    error_drop(error);
    return database;
}

static ErrorCode refused(const char *directory, const DatabaseOptions *options)
{
    Database *database = NULL;
    Error *error = database_open(directory, options, clock_system(), &database);
    ErrorCode code = error == NULL ? ERROR_NONE : error_code(error);
    if (error == NULL) error_drop(database_close(database));
    error_drop(error);
    return code;
}

static int good(Error *error)
{
    if (error != NULL) printf("# %s\n", error_message(error));
    int was = error == NULL;
    error_drop(error);
    return was;
}

/* One commit: a pair of nodes with the number, joined. */
static int commit_pair(Database *database, int64_t number)
{
    Transaction *transaction;
    GraphWriter *writer;
    uint64_t a = 0, b = 0, relationship = 0;
    if (!good(transaction_begin(database, &transaction)) ||
        !good(transaction_writer(transaction, NULL, NULL, &writer)))
        return 0;
    uint32_t label = graph_name_intern(writer, NAME_LABEL, STR("Pair")),
             key = graph_name_intern(writer, NAME_KEY, STR("number"));
    uint32_t type = graph_name_intern(writer, NAME_TYPE, STR("WITH"));
    int all = good(graph_create_node(writer, &label, 1, &a)) &&
              good(graph_create_node(writer, &label, 1, &b));
    all = all && good(graph_create_relationship(writer, type, a, b, &relationship));
    graph_set_property(writer, VALUE_NODE, a, key, value_integer(number));
    graph_set_property(writer, VALUE_NODE, b, key, value_integer(number));
    graph_set_property(writer, VALUE_RELATIONSHIP, relationship, key, value_string(STR("seal")));
    return all && good(transaction_commit(transaction));
}

/* How many whole pairs there are; -1 if one is not whole. */
static int64_t whole_pairs(Database *database)
{
    Transaction *transaction;
    if (!good(transaction_begin(database, &transaction))) return -1;
    GraphView view = transaction_view(transaction);
    uint32_t label = graph_name_find(view.graph, NAME_LABEL, STR("Pair")),
             key = graph_name_find(view.graph, NAME_KEY, STR("number"));
    uint32_t type = graph_name_find(view.graph, NAME_TYPE, STR("WITH"));
    uint64_t cursor = 0, id;
    int64_t nodes = 0, joined = 0;
    Neighbors neighbors = {0};
    while (label != GRAPH_NAME_UNKNOWN && graph_scan(&view, &label, 1, &cursor, &id, 1) == 1) {
        nodes++;
        neighbors.count = 0;
        graph_expand(&view, type, GRAPH_OUT, id, &neighbors);
        if (neighbors.count != 1) continue;
        Value own = graph_property(&view, VALUE_NODE, id, key),
              other = graph_property(&view, VALUE_NODE, neighbors.nodes[0], key);
        Value seal = graph_property(&view, VALUE_RELATIONSHIP, neighbors.relationships[0], key);
        joined += value_equal(own, other) == TRUTH_TRUE && seal.kind == VALUE_STRING;
    }
    neighbors_free(&neighbors);
    transaction_rollback(transaction);
    return nodes == 2 * joined ? joined : -1;
}

static void reopen(const char *directory)
{
    Database *database = opened(directory, &writing);
    Transaction *transaction;
    GraphWriter *writer = NULL;
    uint64_t node;
    EXPECT(database != NULL && commit_pair(database, 1) && commit_pair(database, 2));
    EXPECT(good(transaction_begin(database, &transaction)) &&
           good(transaction_writer(transaction, NULL, NULL, &writer)));
    EXPECT(good(graph_create_node(writer, NULL, 0, &node)));
    EXPECT(refused(directory, &writing) == ERROR_LOCKED);
    Database *beside = opened(directory, &reading);
    EXPECT(beside != NULL && whole_pairs(beside) == 2);
    transaction_rollback(transaction);
    EXPECT(commit_pair(database, 3) && whole_pairs(database) == 3 && whole_pairs(beside) == 3);
    error_drop(database_close(beside));
    error_drop(database_close(database));
    database = opened(directory, &writing);
    EXPECT(database != NULL && whole_pairs(database) == 3 &&
           database_counters(database).replayed == 3);
    EXPECT(commit_pair(database, 4));
    error_drop(database_close(database));
    EXPECT(refused("/nonexistent/database", &reading) == ERROR_NO_FILE);
}

/* ---- a held view ---- */

enum { HELD_COMMITS = 1000, HELD_COMMITS_MAX = 1000000 };

static int64_t nodes_seen(const Transaction *transaction)
{
    GraphView view = transaction_view(transaction);
    uint64_t cursor = 0, id;
    int64_t count = 0;
    while (graph_scan(&view, NULL, 0, &cursor, &id, 1) == 1)
        count++;
    return count;
}

/* In another process: begins to read, says so, and looks again when told, many checkpoints later.
 * Exit status 0: what it saw did not change, and a new transaction sees everything. */
static int hold_beside(const char *directory, int say, int wait)
{
    Database *database = opened(directory, &reading);
    Transaction *transaction;
    char byte = 0;
    int committed;
    if (database == NULL || !good(transaction_begin(database, &transaction))) return 1;
    int64_t before = nodes_seen(transaction);
    if (write(say, &byte, 1) != 1) return 2;
    if (read(wait, &committed, sizeof committed) != sizeof committed) return 2;
    if (nodes_seen(transaction) != before) return 3;
    transaction_rollback(transaction);
    if (!good(transaction_begin(database, &transaction))) return 4;
    if (nodes_seen(transaction) != before + 2 * (int64_t)committed) return 5;
    transaction_rollback(transaction);
    error_drop(database_close(database));
    return 0;
}

static void held_views(const char *directory)
{
    int said[2], told[2], status = -1;
    char byte = 0;
    if (pipe(said) != 0 || pipe(told) != 0) return;
    static const DatabaseOptions often = {.create = true, .checkpoint_bytes = 10000};
    Database *database = opened(directory, &often);
    EXPECT(commit_pair(database, 0));
    fflush(stdout); /* else a child may print it once more */
    pid_t pid = fork();
    if (pid == 0) _exit(hold_beside(directory, said[1], told[0]));
    EXPECT(read(said[0], &byte, 1) == 1);
    Transaction *held;
    EXPECT(good(transaction_begin(database, &held)));
    int64_t before = nodes_seen(held);
    int committed = 0;
    /* A commit waits for the log alone: many of them may pass while the disk makes a checkpoint. */
    while (committed < HELD_COMMITS ||
           (committed < HELD_COMMITS_MAX && database_counters(database).checkpoints == 0)) {
        if (!commit_pair(database, committed)) break;
        committed++;
    }
    EXPECT(committed >= HELD_COMMITS && database_counters(database).checkpoints > 0);
    EXPECT(nodes_seen(held) == before);
    transaction_rollback(held);
    EXPECT(write(told[1], &committed, sizeof committed) == sizeof committed);
    waitpid(pid, &status, 0);
    EXPECT(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    error_drop(database_close(database));
}

/* ---- sessions share syncs ---- */

enum { SESSIONS = 8, COMMITS_EACH = 50 };

static Database *_Atomic slow_disk; /* NULL: the disk is as fast as it is */
static _Atomic uint64_t ended_sessions;

static uint64_t durable_version(Database *database)
{
    Transaction *transaction;
    if (!good(transaction_begin(database, &transaction))) return 0;
    uint64_t version = transaction_view(transaction).version;
    transaction_rollback(transaction);
    return version;
}

/* Commits, a version each, that are handed to the log and not durable. */
static uint64_t waiting_commits(Database *database)
{
    static uint64_t version_of_none;
    uint64_t durable = durable_version(database), commits = database_counters(database).commits;
    if (commits == 0) version_of_none = durable;
    return commits - (durable - version_of_none);
}

/* In place of the C library's: a disk so slow that every session has a commit waiting before a sync
 * ends, whatever the machine. */
int fdatasync(int descriptor)
{
    Database *database = slow_disk;
    while (database != NULL && waiting_commits(database) + ended_sessions < SESSIONS)
        sched_yield();
    return (int)syscall(SYS_fdatasync, descriptor);
}

static void *committing(void *user)
{
    static _Atomic int64_t number;
    void *failed = NULL;
    for (int i = 0; i < COMMITS_EACH && failed == NULL; i++)
        if (!commit_pair(user, 1000 + number++)) failed = user;
    ended_sessions++;
    return failed;
}

static void group_commit(const char *directory)
{
    pthread_t threads[SESSIONS];
    Database *database = opened(directory, &writing);
    int64_t before = whole_pairs(database);
    DatabaseCounters start = database_counters(database);
    waiting_commits(database); /* none yet */
    slow_disk = database;
    for (int i = 0; i < SESSIONS; i++)
        pthread_create(&threads[i], NULL, committing, database);
    int failed = 0;
    for (int i = 0; i < SESSIONS; i++) {
        void *result;
        pthread_join(threads[i], &result);
        failed += result != NULL;
    }
    slow_disk = NULL;
    DatabaseCounters end = database_counters(database);
    printf("# %llu commits, %llu syncs\n", (unsigned long long)(end.commits - start.commits),
           (unsigned long long)(end.syncs - start.syncs));
    EXPECT(failed == 0 && whole_pairs(database) == before + SESSIONS * COMMITS_EACH);
    EXPECT(end.commits - start.commits == SESSIONS * COMMITS_EACH &&
           end.syncs - start.syncs <= (end.commits - start.commits) / 3);
    error_drop(database_close(database));
}

/* ---- damage ---- */

/* The only file in a folder of the database. */
static void only_file(const char *directory, const char *folder, char *out, size_t bytes)
{
    snprintf(out, bytes, "%s/%s", directory, folder);
    DIR *entries = opendir(out);
    for (struct dirent *entry; entries != NULL && (entry = readdir(entries)) != NULL;)
        if (entry->d_name[0] != '.')
            snprintf(out, bytes, "%s/%s/%s", directory, folder, entry->d_name);
    if (entries != NULL) closedir(entries);
}

static void copy_all(const char *from, const char *to)
{
    char command[8400];
    snprintf(command, sizeof command, "cp -r '%s' '%s'", from, to);
    if (system(command) != 0) printf("# %s is not copied\n", from);
}

static size_t used_bytes(const char *path)
{
    static char data[8 << 20];
    int file = open(path, O_RDONLY);
    ssize_t bytes = read(file, data, sizeof data);
    close(file);
    while (bytes > 0 && data[bytes - 1] == 0)
        bytes--;
    return bytes < 0 ? 0 : (size_t)bytes;
}

static void flip(const char *path, size_t at)
{
    char byte;
    int file = open(path, O_RDWR);
    if (pread(file, &byte, 1, (off_t)at) == 1) {
        byte ^= 0x10;
        if (pwrite(file, &byte, 1, (off_t)at) != 1) perror("pwrite");
    }
    close(file);
}

static void damage(const char *directory)
{
    char path[8192], crashed[4200];
    snprintf(crashed, sizeof crashed, "%s.crashed", directory);
    Database *database = opened(directory, &writing);
    for (int i = 0; i < 20; i++)
        EXPECT(commit_pair(database, i));
    copy_all(directory, crashed); /* as a crash would leave it */
    error_drop(database_close(database));
    only_file(directory, "wal", path, sizeof path);
    size_t used = used_bytes(path);
    int unnoticed = 0, looked = 0;
    for (size_t at = 0; at < used; at += 37) { /* refused, or nothing is lost */
        flip(path, at);
        ErrorCode code = refused(directory, &reading);
        if (code == ERROR_NONE) {
            Database *torn = opened(directory, &reading);
            unnoticed += whole_pairs(torn) != 20;
            error_drop(database_close(torn));
        }
        flip(path, at);
        looked++;
    }
    printf("# %d flips\n", looked);
    EXPECT(unnoticed == 0 && looked > 50);
    /* not closed, and the last transaction is torn: it goes, and what is written then is kept */
    only_file(crashed, "wal", path, sizeof path);
    flip(path, used_bytes(path) - 3);
    database = opened(crashed, &writing);
    EXPECT(database != NULL && whole_pairs(database) == 19 && commit_pair(database, 99));
    error_drop(database_close(database));
    database = opened(crashed, &writing);
    EXPECT(database != NULL && whole_pairs(database) == 20);
    error_drop(database_close(database));
}

static void remove_all(const char *directory)
{
    char command[4200];
    snprintf(command, sizeof command, "rm -rf '%s'", directory);
    if (system(command) != 0) printf("# %s stays\n", directory);
}

/* ---- commits that are only written ---- */

static int session_counts(contextql *session, const char *text, int64_t *out, const char **level)
{
    contextql_statement *statement = NULL;
    contextql_stats stats;
    int result = contextql_prepare(session, text, strlen(text), &statement, NULL);
    while (result == CONTEXTQL_OK || result == CONTEXTQL_ROW) {
        result = contextql_step(statement);
        if (result == CONTEXTQL_ROW) *out = contextql_value_integer(contextql_column(statement, 0));
    }
    if (result == CONTEXTQL_DONE) {
        contextql_statement_stats(statement, &stats);
        *level = stats.durability;
    }
    contextql_finalize(statement);
    return result == CONTEXTQL_DONE;
}

/* Others see them at once; acknowledgements say what they stand for; closing leaves nothing behind. */
static void only_written(const char *path)
{
    enum { COMMITS = 50 };
    const contextql_options options = {.create = true};
    contextql *session = NULL, *other = NULL;
    const char *level = "";
    int64_t count = 0;
    int all = contextql_open(path, &options, &session) == CONTEXTQL_OK &&
              contextql_connect(session, &other) == CONTEXTQL_OK;
    EXPECT(all && strcmp(contextql_get(session, "durability"), "synced") == 0);
    EXPECT(contextql_set(session, "durability", "never") == CONTEXTQL_MISUSE);
    EXPECT(session_counts(session, "CREATE (:N)", &count, &level) && strcmp(level, "synced") == 0);
    EXPECT(contextql_set(session, "durability", "written") == CONTEXTQL_OK);
    for (int i = 0; i < COMMITS && all; i++)
        all = session_counts(session, "CREATE (:N)", &count, &level) &&
              strcmp(level, "written") == 0 &&
              session_counts(other, "MATCH (n:N) RETURN count(n)", &count, &level) &&
              count == i + 2;
    EXPECT(all);
    EXPECT(session_counts(other, "CREATE (:N)", &count, &level) && strcmp(level, "synced") == 0);
    contextql_close(other);
    EXPECT(contextql_close(session) == CONTEXTQL_OK);
    EXPECT(contextql_open(path, &options, &session) == CONTEXTQL_OK &&
           contextql_discarded(session) == 0 &&
           session_counts(session, "MATCH (n:N) RETURN count(n)", &count, &level) &&
           count == COMMITS + 2);
    contextql_close(session);
}

/* ---- definitions ---- */

static int64_t rows_of(contextql *session, const char *text)
{
    contextql_statement *statement = NULL;
    int64_t rows = 0;
    int result = contextql_prepare(session, text, strlen(text), &statement, NULL);
    while (result == CONTEXTQL_OK || result == CONTEXTQL_ROW)
        rows += (result = contextql_step(statement)) == CONTEXTQL_ROW;
    contextql_finalize(statement);
    return result == CONTEXTQL_DONE ? rows : -1;
}

/* An index and a constraint are there for others when they are committed. */
static void definitions(void)
{
    contextql *session = NULL, *other = NULL;
    EXPECT(contextql_open(":memory:", NULL, &session) == CONTEXTQL_OK &&
           contextql_connect(session, &other) == CONTEXTQL_OK);
    EXPECT(rows_of(session, "BEGIN") == 0);
    EXPECT(rows_of(session, "CREATE INDEX a FOR (n:N) ON (n.a)") == 0);
    EXPECT(rows_of(session, "CREATE CONSTRAINT b FOR (n:N) REQUIRE n.b IS UNIQUE") == 0);
    EXPECT(rows_of(session, "SHOW INDEXES") == 2 && rows_of(session, "SHOW CONSTRAINTS") == 1);
    EXPECT(rows_of(other, "SHOW INDEXES") == 0 && rows_of(other, "SHOW CONSTRAINTS") == 0);
    EXPECT(rows_of(session, "COMMIT") == 0);
    EXPECT(rows_of(other, "SHOW INDEXES") == 2 && rows_of(other, "SHOW CONSTRAINTS") == 1);
    contextql_close(other);
    contextql_close(session);
}

int main(void)
{
    char folder[] = "database-XXXXXX", path[4096];
    if (mkdtemp(folder) == NULL) return 99;
    snprintf(path, sizeof path, "%s/a.cqldb", folder);
    reopen(path);
    group_commit(path);
    snprintf(path, sizeof path, "%s/b.cqldb", folder);
    damage(path);
    snprintf(path, sizeof path, "%s/c.cqldb", folder);
    held_views(path);
    snprintf(path, sizeof path, "%s/e.cqldb", folder);
    only_written(path);
    definitions();
    EXPECT(refused(folder, &writing) == ERROR_NOT_A_DATABASE);
    remove_all(folder);
    return DONE();
}
