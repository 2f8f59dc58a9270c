/*
 * commit.c - durable commits of one row, beside SQLite at the same promise: after each of them the row
 * survives a loss of power (SQLite: journal_mode=WAL, synchronous=FULL; ContextQL: its default).
 *
 *     bench/commit [ROUNDS [COMMITS]]
 *
 * One client and eight, each a thread with a session of its own (SQLite: a connection of its own, which
 * waits when another writes) and a prepared statement. Rounds alternate, the median of their ratios
 * counts. Syncs are counted where both programs make them: fsync and fdatasync are this program's.
 * Files lie in the folder it is run in, so that is the disk that is measured.
 */
#include "config.h"

#include "contextql.h"
#include "measure.h"
#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { CLIENTS_MAX = 8, ROUNDS_MAX = 101, BUSY_MS = 60000 };

static atomic_uint_fast64_t syncs;
static int failures;

__attribute__((visibility("default"))) int fsync(int file)
{
    atomic_fetch_add(&syncs, 1);
    return (int)syscall(SYS_fsync, file);
}

__attribute__((visibility("default"))) int fdatasync(int file)
{
    atomic_fetch_add(&syncs, 1);
    return (int)syscall(SYS_fdatasync, file);
}

static void die(const char *what, const char *why)
{
    fprintf(stderr, "bench/commit: %s: %s\n", what, why);
    exit(1);
}

static void run_shell(const char *command)
{
    if (system(command) != 0) die(command, "failed");
}

/* ---- clients ---- */

typedef struct Client {
    int number, commits;
    contextql *session;
    sqlite3 *connection;
} Client;

static const char text[] =
    "a line of what an agent remembers: one hundred and twenty bytes, as they come from a "
    "conversation, neither short nor very long.";

static void fail_contextql(contextql *session)
{
    contextql_error_info info;
    contextql_error(session, &info);
    die("contextql", info.message);
}

static void *commit_contextql(void *user)
{
    Client *client = user;
    static const char insert[] = "CREATE (:Event {id: $id, agent: $agent, text: $text})";
    contextql_statement *statement;
    if (contextql_prepare(client->session, insert, strlen(insert), &statement, NULL) !=
        CONTEXTQL_OK)
        fail_contextql(client->session);
    for (int i = 0; i < client->commits; i++) {
        contextql_bind_integer(statement, "id", client->number + (int64_t)i * CLIENTS_MAX);
        contextql_bind_integer(statement, "agent", client->number);
        contextql_bind_string(statement, "text", text, sizeof text - 1);
        if (contextql_step(statement) != CONTEXTQL_DONE) fail_contextql(client->session);
        contextql_reset(statement);
    }
    contextql_finalize(statement);
    return NULL;
}

static void *commit_sqlite(void *user)
{
    Client *client = user;
    sqlite3_stmt *statement;
    if (sqlite3_prepare_v2(client->connection, "INSERT INTO event VALUES(?, ?, ?)", -1, &statement,
                           NULL) != SQLITE_OK)
        die("sqlite", sqlite3_errmsg(client->connection));
    for (int i = 0; i < client->commits; i++) {
        sqlite3_bind_int64(statement, 1, client->number + (int64_t)i * CLIENTS_MAX);
        sqlite3_bind_int64(statement, 2, client->number);
        sqlite3_bind_text(statement, 3, text, sizeof text - 1, SQLITE_STATIC);
        if (sqlite3_step(statement) != SQLITE_DONE)
            die("sqlite", sqlite3_errmsg(client->connection));
        sqlite3_reset(statement);
    }
    sqlite3_finalize(statement);
    return NULL;
}

/* ---- a round ---- */

typedef struct Round {
    double commits_per_second, syncs_per_commit;
} Round;

static Round timed(Client *clients, int count, void *(*work)(void *))
{
    pthread_t threads[CLIENTS_MAX];
    uint64_t before = atomic_load(&syncs);
    double from = now_us();
    for (int i = 0; i < count; i++)
        if (pthread_create(&threads[i], NULL, work, &clients[i]) != 0)
            die("thread", "none to be had");
    for (int i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
    double seconds = (now_us() - from) * 1e-6, commits = (double)count * clients[0].commits;
    return (Round){commits / seconds, (double)(atomic_load(&syncs) - before) / commits};
}

static Round round_contextql(int count, int commits)
{
    Client clients[CLIENTS_MAX];
    contextql_options options = {.create = true};
    contextql *first;
    run_shell("rm -rf commit-bench.cqldb");
    if (contextql_open("commit-bench.cqldb", &options, &first) != CONTEXTQL_OK)
        fail_contextql(first);
    for (int i = 0; i < count; i++) {
        clients[i] = (Client){.number = i, .commits = commits};
        if (contextql_connect(first, &clients[i].session) != CONTEXTQL_OK) fail_contextql(first);
    }
    Round round = timed(clients, count, commit_contextql);
    for (int i = 0; i < count; i++)
        contextql_close(clients[i].session);
    contextql_close(first);
    return round;
}

static sqlite3 *connection_to(const char *path)
{
    sqlite3 *connection;
    if (sqlite3_open(path, &connection) != SQLITE_OK ||
        sqlite3_exec(connection, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL", NULL, NULL,
                     NULL) != SQLITE_OK)
        die("sqlite", sqlite3_errmsg(connection));
    sqlite3_busy_timeout(connection, BUSY_MS);
    return connection;
}

static Round round_sqlite(int count, int commits)
{
    Client clients[CLIENTS_MAX];
    run_shell("rm -f commit-bench.sqlite*");
    sqlite3 *first = connection_to("commit-bench.sqlite");
    sqlite3_exec(first, "CREATE TABLE event(id INTEGER PRIMARY KEY, agent INTEGER, text TEXT)",
                 NULL, NULL, NULL);
    for (int i = 0; i < count; i++)
        clients[i] = (Client){
            .number = i, .commits = commits, .connection = connection_to("commit-bench.sqlite")};
    Round round = timed(clients, count, commit_sqlite);
    for (int i = 0; i < count; i++)
        sqlite3_close(clients[i].connection);
    sqlite3_close(first);
    return round;
}

static void compare(int count, int rounds, int commits, double target)
{
    double ratios[ROUNDS_MAX], ours[ROUNDS_MAX], theirs[ROUNDS_MAX];
    Round mine = {0}, other = {0};
    for (int i = 0; i < rounds; i++) {
        mine = round_contextql(count, commits / count);
        other = round_sqlite(count, commits / count);
        ours[i] = mine.commits_per_second;
        theirs[i] = other.commits_per_second;
        ratios[i] = ours[i] / theirs[i];
    }
    double ratio = median(ratios, (size_t)rounds);
    printf("durable commits of one row, %d client%s %8.0f a second (%.2f syncs each), SQLite %8.0f "
           "(%.2f): %5.2f times (target %.1f)  %s\n",
           count, count == 1 ? ": " : "s:", median(ours, (size_t)rounds), mine.syncs_per_commit,
           median(theirs, (size_t)rounds), other.syncs_per_commit, ratio, target,
           ratio >= target ? "pass" : "FALLS SHORT");
    failures += ratio < target;
}

int main(int argc, char **argv)
{
    int rounds = argc > 1 ? atoi(argv[1]) : 7, commits = argc > 2 ? atoi(argv[2]) : 2000;
    if (rounds < 1 || rounds > ROUNDS_MAX || commits < CLIENTS_MAX)
        die("rounds", "1 to 101, and at least 8 commits");
    compare(1, rounds, commits, 1.2);
    compare(8, rounds, commits, 5);
    run_shell("rm -rf commit-bench.cqldb commit-bench.sqlite*");
    printf("%d fall short\n", failures);
    return 0;
}
