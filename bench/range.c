/*
 * range.c - ranges, prefixes and orders by an index, beside SQLite's B-tree on the same rows.
 *
 * A million nodes of a label have an integer and a text, both in an order of their own; both engines
 * keep them in a file and have an index on each. Every question is prepared once and asked with other
 * bounds each time, in turns; the sums of what comes back must be the same. Printed are medians of
 * processor time and what they are of one another.
 *
 *     bench/range [rows]
 */
#include "config.h"

#include "base/str.h"
#include "bench/measure.h"
#include "bench/session.h"
#include "contextql.h"
#include <sqlite3.h>
#include <stdlib.h>
#include <unistd.h>

enum { TIMES = 301, WARM = 10 };

static int64_t rows = 1000000;
static contextql *session;
static sqlite3 *lite;

static double cpu_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static void run(const char *text)
{
    contextql_statement *statement = prepare(session, text);
    int result;
    if (contextql_parameter_count(statement) > 0)
        check(session, contextql_bind_integer(statement, "rows", rows));
    do
        check(session, result = contextql_step(statement));
    while (result == CONTEXTQL_ROW);
    contextql_finalize(statement);
}

static void run_lite(const char *text)
{
    char *message = NULL;
    if (sqlite3_exec(lite, text, NULL, NULL, &message) == SQLITE_OK) return;
    fprintf(stderr, "sqlite: %s\n", message);
    exit(1);
}

static void fill(void)
{
    sqlite3_stmt *insert;
    run("UNWIND range(0, $rows - 1) AS i "
        "CREATE (:Place {at: i * 7919 % $rows, name: 'place/' + toString(i * 104729 % $rows)})");
    run("CREATE INDEX at FOR (p:Place) ON (p.at)");
    run("CREATE INDEX name FOR (p:Place) ON (p.name)");
    run_lite(
        "PRAGMA journal_mode = WAL; CREATE TABLE place (id INTEGER PRIMARY KEY, at, name); BEGIN");
    sqlite3_prepare_v2(lite, "INSERT INTO place (at, name) VALUES (?, 'place/' || ?)", -1, &insert,
                       NULL);
    for (int64_t i = 0; i < rows; i++) {
        sqlite3_bind_int64(insert, 1, i * 7919 % rows);
        sqlite3_bind_int64(insert, 2, i * 104729 % rows);
        sqlite3_step(insert);
        sqlite3_reset(insert);
    }
    sqlite3_finalize(insert);
    run_lite("COMMIT; CREATE INDEX at ON place (at); CREATE INDEX name ON place (name); ANALYZE");
}

typedef struct Question {
    const char *what, *cql, *sql;
    int64_t wide; /* how far the second bound is from the first; 0: there is none */
    bool text;
} Question;

static const Question questions[] = {
    {"10 in a range", "MATCH (p:Place) WHERE p.at >= $a AND p.at < $b RETURN p.at",
     "SELECT at FROM place WHERE at >= ? AND at < ?", 10, false},
    {"1000 in a range", "MATCH (p:Place) WHERE p.at >= $a AND p.at < $b RETURN size(p.name)",
     "SELECT length(name) FROM place WHERE at >= ? AND at < ?", 1000, false},
    {"first 10 behind", "MATCH (p:Place) WHERE p.at > $a RETURN p.at ORDER BY p.at LIMIT 10",
     "SELECT at FROM place WHERE at > ? ORDER BY at LIMIT 10", 0, false},
    {"last 10", "MATCH (p:Place) WHERE p.at < $a RETURN p.at ORDER BY p.at DESC LIMIT 10",
     "SELECT at FROM place WHERE at < ? ORDER BY at DESC LIMIT 10", 0, false},
    {"a prefix of text", "MATCH (p:Place) WHERE p.name STARTS WITH $a RETURN p.at",
     "SELECT at FROM place WHERE name >= ?1 AND name < ?1 || x'ff'", 0, true}};

static int64_t ask(const Question *question, contextql_statement *statement, int64_t a)
{
    char text[32];
    int64_t sum = 0;
    snprintf(text, sizeof text, "place/%lld", (long long)(a / 100 + 1000));
    contextql_reset(statement);
    if (question->text)
        check(session, contextql_bind_string(statement, "a", text, strlen(text)));
    else
        check(session, contextql_bind_integer(statement, "a", a));
    if (question->wide > 0)
        check(session, contextql_bind_integer(statement, "b", a + question->wide));
    int result;
    while ((result = contextql_step(statement)) == CONTEXTQL_ROW)
        sum += contextql_value_integer(contextql_column(statement, 0));
    check(session, result);
    return sum;
}

static int64_t ask_lite(const Question *question, sqlite3_stmt *statement, int64_t a)
{
    char text[32];
    int64_t sum = 0;
    snprintf(text, sizeof text, "place/%lld", (long long)(a / 100 + 1000));
    sqlite3_reset(statement);
    if (question->text)
        sqlite3_bind_text(statement, 1, text, -1, SQLITE_TRANSIENT);
    else
        sqlite3_bind_int64(statement, 1, a);
    if (question->wide > 0) sqlite3_bind_int64(statement, 2, a + question->wide);
    while (sqlite3_step(statement) == SQLITE_ROW)
        sum += sqlite3_column_int64(statement, 0);
    return sum;
}

static int measure(const Question *question)
{
    static double ours[TIMES], theirs[TIMES];
    contextql_statement *statement = prepare(session, question->cql);
    sqlite3_stmt *other;
    sqlite3_prepare_v2(lite, question->sql, -1, &other, NULL);
    int bad = 0;
    for (int i = -WARM; i < TIMES; i++) {
        int64_t a = (int64_t)(i + WARM + 1) * 104729 % (rows - 2000);
        double start = cpu_us();
        int64_t sum = ask(question, statement, a);
        double middle = cpu_us();
        bad += sum != ask_lite(question, other, a);
        double end = cpu_us();
        if (i < 0) continue;
        ours[i] = middle - start;
        theirs[i] = end - middle;
    }
    double mine = median(ours, TIMES), lites = median(theirs, TIMES);
    printf("%-18s %8.2f us, SQLite %8.2f us, %5.2f times%s\n", question->what, mine, lites,
           lites / mine, bad > 0 ? "  DIFFERENT ANSWERS" : "");
    contextql_finalize(statement);
    sqlite3_finalize(other);
    return bad;
}

int main(int argc, char **argv)
{
    char directory[] = "range.XXXXXX", path[64], command[80];
    contextql_options options = {.create = true};
    int bad = 0;
    if (argc > 1) rows = strtoll(argv[1], NULL, 10);
    if (rows < 10000 || mkdtemp(directory) == NULL) return 2;
    snprintf(path, sizeof path, "%s/cql", directory);
    check(session, contextql_open(path, &options, &session));
    snprintf(path, sizeof path, "%s/lite", directory);
    if (sqlite3_open(path, &lite) != SQLITE_OK) return 2;
    fill();
    for (size_t i = 0; i < sizeof questions / sizeof *questions; i++)
        bad += measure(&questions[i]);
    contextql_close(session);
    sqlite3_close(lite);
    snprintf(command, sizeof command, "rm -rf %s", directory);
    return system(command) != 0 || bad > 0;
}
