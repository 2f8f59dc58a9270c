/*
 * opening.c - how soon a database answers: opened, a statement prepared, its first row; beside
 * SQLite, and with ten times as much in it. And what a snapshot of one change takes and writes.
 *
 * Two databases are made once, of 1 and of 10 million relationships between a tenth as many nodes,
 * ids and targets from a fixed generator, each in ContextQL (through the engine, in one transaction,
 * closed) and in SQLite (WAL, an index on the sources). Then both are opened again and again in
 * this process, in turn, and asked for one neighbour's property; what closing takes is not counted.
 * The files are in the machine's cache. Medians; the ratio is of one run.
 *
 *     bench/opening [relationships in millions]
 */
#include "config.h"

#include "bench/measure.h"
#include "contextql.h"
#include "database/database.h"
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ROUNDS = 31, ROWS = GRAPH_BLOCK_ROWS, NODES_PART = 10 };

static uint64_t seed = 1;
static uint64_t dice(uint64_t sides)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (seed >> 33) % sides;
}

static _Noreturn void die(const char *what, const char *why)
{
    fprintf(stderr, "bench/opening: %s: %s\n", what, why);
    exit(1);
}

static void must(Error *error)
{
    if (error != NULL) die("the database", error_message(error));
}

/* ---- made once ---- */

static void make_nodes(GraphWriter *writer, uint64_t count)
{
    static Value cells[ROWS];
    static uint16_t rows[ROWS];
    static uint32_t sets[ROWS];
    uint32_t label = graph_name_intern(writer, NAME_LABEL, STR("N")),
             key = graph_name_intern(writer, NAME_KEY, STR("id")),
             set = graph_label_set(writer, &label, 1);
    for (uint64_t at = 0; at < count; at += ROWS) {
        uint32_t some = count - at < ROWS ? (uint32_t)(count - at) : ROWS;
        GraphCells column = {key, cells};
        GraphRows made = {rows, some, 1, &column, 1};
        uint64_t first;
        for (uint32_t i = 0; i < some; i++) {
            rows[i] = (uint16_t)i;
            sets[i] = set;
            cells[i] = value_integer((int64_t)(at + i));
        }
        must(graph_append_nodes(writer, &made, sets, NULL, &first));
    }
}

static void make_relationships(GraphWriter *writer, uint64_t count, sqlite3_stmt *insert)
{
    static uint64_t from[ROWS], to[ROWS];
    static uint16_t rows[ROWS];
    uint32_t type = graph_name_intern(writer, NAME_TYPE, STR("E"));
    for (uint64_t at = 0; at < count; at += ROWS) {
        uint32_t some = count - at < ROWS ? (uint32_t)(count - at) : ROWS;
        GraphRows made = {.rows = rows, .count = some};
        uint64_t first;
        for (uint32_t i = 0; i < some; i++) {
            rows[i] = (uint16_t)i;
            from[i] = (at + i) / NODES_PART;
            to[i] = dice(count / NODES_PART);
            sqlite3_bind_int64(insert, 1, (sqlite3_int64)from[i]);
            sqlite3_bind_int64(insert, 2, (sqlite3_int64)to[i]);
            if (sqlite3_step(insert) != SQLITE_DONE) die("sqlite", "insert");
            sqlite3_reset(insert);
        }
        must(graph_append_relationships(writer, type, &made, from, to, &first));
    }
    graph_settle(writer, NULL, 1);
}

static void run_lite(sqlite3 *lite, const char *sql)
{
    if (sqlite3_exec(lite, sql, NULL, NULL, NULL) != SQLITE_OK) die(sql, sqlite3_errmsg(lite));
}

static void make(const char *directory, const char *file, uint64_t count)
{
    const DatabaseOptions options = {.create = true};
    Database *database;
    Transaction *transaction;
    GraphWriter *writer;
    sqlite3 *lite;
    sqlite3_stmt *insert;
    must(database_open(directory, &options, clock_system(), &database));
    must(transaction_begin(database, &transaction));
    must(transaction_writer(transaction, NULL, NULL, &writer));
    if (sqlite3_open(file, &lite) != SQLITE_OK) die(file, sqlite3_errmsg(lite));
    run_lite(lite, "PRAGMA journal_mode=WAL; CREATE TABLE node(id INTEGER PRIMARY KEY);"
                   "CREATE TABLE edge(source INTEGER, target INTEGER); BEGIN");
    char sql[160];
    snprintf(sql, sizeof sql,
             "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < %llu) "
             "INSERT INTO node SELECT i FROM n",
             (unsigned long long)(count / NODES_PART));
    run_lite(lite, sql);
    sqlite3_prepare_v2(lite, "INSERT INTO edge VALUES(?,?)", -1, &insert, NULL);
    make_nodes(writer, count / NODES_PART);
    make_relationships(writer, count, insert);
    sqlite3_finalize(insert);
    run_lite(lite, "COMMIT; CREATE INDEX source ON edge(source)");
    if (sqlite3_close(lite) != SQLITE_OK) die(file, "is still busy");
    must(transaction_commit(transaction));
    must(database_close(database));
}

/* ---- opened again and again ---- */

static double ours_us(const char *directory, int64_t *answer)
{
    static const char text[] = "MATCH (a:N)-[:E]->(b) RETURN b.id LIMIT 1";
    contextql *session;
    contextql_statement *statement;
    double begin = now_us();
    if (contextql_open(directory, NULL, &session) != CONTEXTQL_OK ||
        contextql_prepare(session, text, sizeof text - 1, &statement, NULL) != CONTEXTQL_OK ||
        contextql_step(statement) != CONTEXTQL_ROW)
        die(directory, "does not answer");
    *answer = contextql_value_integer(contextql_column(statement, 0));
    double took = now_us() - begin;
    contextql_finalize(statement);
    contextql_close(session);
    return took;
}

static double lite_us(const char *file, int64_t *answer)
{
    static const char text[] =
        "SELECT n.id FROM edge e JOIN node n ON n.id = e.target WHERE e.source = 0 LIMIT 1";
    sqlite3 *lite;
    sqlite3_stmt *statement;
    double begin = now_us();
    if (sqlite3_open(file, &lite) != SQLITE_OK ||
        sqlite3_prepare_v2(lite, text, -1, &statement, NULL) != SQLITE_OK ||
        sqlite3_step(statement) != SQLITE_ROW)
        die(file, sqlite3_errmsg(lite));
    *answer = sqlite3_column_int64(statement, 0);
    double took = now_us() - begin;
    sqlite3_finalize(statement);
    sqlite3_close(lite);
    return took;
}

/* ---- one change, and a snapshot of it ---- */

static void run_ours(contextql *session, const char *text)
{
    contextql_statement *statement;
    int result = CONTEXTQL_ROW;
    if (contextql_prepare(session, text, strlen(text), &statement, NULL) != CONTEXTQL_OK)
        die(text, "is not understood");
    while (result == CONTEXTQL_ROW)
        result = contextql_step(statement);
    if (result != CONTEXTQL_DONE) die(text, "fails");
    contextql_finalize(statement);
}

/* Bytes of the newest segment. */
static double newest_bytes(const char *directory)
{
    enum { NUMBERS = 200 };
    struct stat found = {.st_size = 0};
    for (int i = 1; i < NUMBERS; i++) {
        char path[300];
        struct stat at;
        snprintf(path, sizeof path, "%s/graph/%08d.ctxs", directory, i);
        if (stat(path, &at) == 0) found = at;
    }
    return (double)found.st_size;
}

static bool change_one(contextql *session, const char *directory, const char *what,
                       const char *text, double whole)
{
    enum { TIMES = 5 };
    double ms[TIMES];
    for (int i = 0; i < TIMES; i++) {
        run_ours(session, text);
        double begin = now_us();
        run_ours(session, "CREATE SNAPSHOT");
        ms[i] = (now_us() - begin) / 1000;
    }
    double bytes = newest_bytes(directory), took = median(ms, TIMES);
    bool good = bytes < whole / 50 && took < 50;
    printf("  snapshot of one %-13s %5.1f ms, %6.0f KB of %5.1f MB (at most 2 %% and 50 ms)  %s\n",
           what, took, bytes / 1e3, whole / 1e6, good ? "pass" : "FALLS SHORT");
    return good;
}

static bool measure_changes(const char *directory)
{
    contextql *session;
    double whole = newest_bytes(directory);
    if (contextql_open(directory, NULL, &session) != CONTEXTQL_OK) die(directory, "does not open");
    bool property = change_one(session, directory, "property:",
                               "MATCH (a:N) WITH a LIMIT 1 SET a.x = coalesce(a.x, 0) + 1", whole),
         relationship =
             change_one(session, directory,
                        "relationship:", "MATCH (a:N) WITH a LIMIT 1 CREATE (a)-[:E]->(a)", whole),
         node = change_one(session, directory, "node:", "CREATE (:N {id: -1})", whole),
         deletion = change_one(session, directory,
                               "deletion:", "MATCH (:N)-[r:E]->() WITH r LIMIT 1 DELETE r", whole);
    contextql_close(session);
    return property && relationship && node && deletion;
}

static double measure(const char *folder, uint64_t count)
{
    char directory[256], file[256];
    double ours[ROUNDS], lite[ROUNDS];
    snprintf(directory, sizeof directory, "%s/%llu.cqldb", folder, (unsigned long long)count);
    snprintf(file, sizeof file, "%s/%llu.sqlite", folder, (unsigned long long)count);
    make(directory, file, count);
    for (int i = 0; i < ROUNDS; i++) {
        int64_t mine, theirs;
        ours[i] = ours_us(directory, &mine);
        lite[i] = lite_us(file, &theirs);
        if (mine != theirs) die("the answers", "differ");
    }
    double us = median(ours, ROUNDS), them = median(lite, ROUNDS);
    bool good = us <= 3 * them && us < 5000, small_changes;
    printf("%9llu relationships: open and first row %7.0f us, SQLite %6.0f us: %4.1f times as long "
           "(at most 3, and 5000 us)  %s\n",
           (unsigned long long)count, us, them, us / them, good ? "pass" : "FALLS SHORT");
    small_changes = measure_changes(directory);
    good = good && small_changes;
    return good ? us : -us;
}

int main(int argc, char **argv)
{
    char folder[] = "opening.XXXXXX", command[64];
    uint64_t millions = argc > 1 ? strtoull(argv[1], NULL, 10) : 10;
    if (millions == 0 || mkdtemp(folder) == NULL) die("opening", "a number of millions is wanted");
    double small = measure(folder, millions * 100000), large = measure(folder, millions * 1000000);
    bool even = (large < 0 ? -large : large) < 1.5 * (small < 0 ? -small : small);
    printf("ten times as large: %s\n", even ? "as soon  pass" : "later  FALLS SHORT");
    snprintf(command, sizeof command, "rm -rf %s", folder);
    if (system(command) != 0) die(folder, "was not removed");
    return small < 0 || large < 0 || !even;
}
