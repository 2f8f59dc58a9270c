/*
 * dump.c - any bytes as a dump that `contextql import` takes in (shell/import.c), into a database that
 * has something already; bit 0 of the first byte: nothing.
 *
 * It is taken whole or not at all: after a refusal the database is what it was, and why was told. What was
 * taken goes out as a dump again, and comes in elsewhere as the same. Statements may read no files; their
 * time and memory are limited. Built with --enable-fuzzing (clang, libFuzzer).
 */
#include "config.h"

#include "shell/dump.h"
#include "tests/fuzz/one_file.h"
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What it has: nodes, relationships, rules, and the names that dumps use for themselves. */
static const char *const made[] = {
    "CREATE INDEX people FOR (n:Person) ON (n.name)",
    "CREATE CONSTRAINT one FOR (n:Doc) REQUIRE n.title IS UNIQUE",
    "CREATE (:Person {name: 'Ada', v: vector([1, 2])})-[:OWNS {w: 1.5}]->(:Doc {title: 'one'})"};
/* What is compared: all but ids. */
static const char *const shown[] = {
    "MATCH (n) RETURN labels(n) AS l, n{.*} AS p",
    "MATCH (a)-[r]->(b) RETURN a{.*} AS a, type(r) AS t, r{.*} AS r, b{.*} AS b", "SHOW INDEXES",
    "SHOW CONSTRAINTS"};
enum { SHOWN_COLUMNS = 5 }; /* of SHOW INDEXES; behind them is how it is made at the moment */

static contextql *opened(void)
{
    contextql *session = NULL;
    if (contextql_open(":memory:", NULL, &session) != CONTEXTQL_OK) abort();
    contextql_set(session, "files", "false");
    contextql_set(session, "gpu", "off");
    return session;
}

static void print_row(contextql_statement *statement, Buffer *row)
{
    int columns = contextql_column_count(statement);
    for (int i = 0; i < columns && i < SHOWN_COLUMNS; i++) {
        const contextql_value *value = contextql_column(statement, i);
        size_t bytes = contextql_value_print(value, NULL, 0);
        char *text = malloc(bytes + 1);
        contextql_value_print(value, text, bytes + 1);
        buffer_printf(row, "%s|", text);
        free(text);
    }
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The statement's rows, sorted. */
static void show(contextql *session, const char *text, Buffer *out)
{
    contextql_statement *statement = NULL;
    char **rows = NULL;
    size_t count = 0, capacity = 0;
    if (contextql_prepare(session, text, strlen(text), &statement, NULL) != CONTEXTQL_OK) abort();
    int code;
    while ((code = contextql_step(statement)) == CONTEXTQL_ROW) {
        Buffer row = {0};
        print_row(statement, &row);
        mem_reserve(rows, capacity, count + 1);
        rows[count++] = row.data;
    }
    if (code != CONTEXTQL_DONE) abort();
    contextql_finalize(statement);
    if (count > 0) qsort(rows, count, sizeof *rows, by_text);
    for (size_t i = 0; i < count; i++) {
        buffer_printf(out, "%s\n", rows[i]);
        mem_free(rows[i]);
    }
    mem_free(rows);
}

static Buffer content(contextql *session)
{
    Buffer out = {0};
    contextql_set(session, "timeout", "0");
    contextql_set(session, "memory_limit", "0");
    for (size_t i = 0; i < sizeof shown / sizeof *shown; i++)
        show(session, shown[i], &out);
    return out;
}

static void fill(contextql *session)
{
    for (size_t i = 0; i < sizeof made / sizeof *made; i++) {
        contextql_statement *statement = NULL;
        contextql_prepare(session, made[i], strlen(made[i]), &statement, NULL);
        if (contextql_step(statement) != CONTEXTQL_DONE) abort();
        contextql_finalize(statement);
    }
}

/* Takes the file in; false: it was refused, which must have been told. */
static bool take(contextql *session, bool limited)
{
    Options options = {.quiet = true};
    DumpCounts counts;
    char *told = NULL;
    size_t told_bytes = 0;
    Shell shell = {.options = &options, .session = session, .clock = clock_system()};
    shell.report.file = open_memstream(&told, &told_bytes);
    contextql_set(session, "timeout", limited ? "0.2" : "0");
    contextql_set(session, "memory_limit", limited ? "64M" : "0");
    bool good = dump_read(&shell, path, &counts);
    fclose(shell.report.file);
    if (contextql_in_transaction(session) || good != (told_bytes == 0)) abort();
    free(told);
    return good;
}

/* What was taken, by way of a dump of it. */
static void again(contextql *session, const Buffer *as)
{
    char *text = NULL;
    size_t bytes = 0;
    DumpCounts counts;
    FILE *file = open_memstream(&text, &bytes);
    Error *error = dump_write(session, file, NULL, NULL, &counts);
    fclose(file);
    if (error != NULL) abort();
    put_file(text, bytes);
    contextql *other = opened();
    if (!take(other, false)) abort();
    Buffer got = content(other);
    if (!str_equal(buffer_view(as), buffer_view(&got))) abort();
    buffer_free(&got);
    contextql_close(other);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) return 0;
    contextql *session = opened();
    if ((data[0] & 1) == 0) fill(session);
    put_file((const char *)data + 1, size - 1);
    Buffer before = content(session);
    bool good = take(session, true);
    Buffer after = content(session);
    if (!good && !str_equal(buffer_view(&before), buffer_view(&after))) abort();
    if (good) again(session, &after);
    buffer_free(&before);
    buffer_free(&after);
    contextql_close(session);
    return 0;
}
