/* A vector index through statements: nearly the rows of an exact search, and exactly as many, with
 * filters, after changes, in older views and moments, after reopening, after checkpoints and crashes,
 * and while it is made anew beside the writer. */
#include "config.h"

#include "base/str.h"
#include "contextql.h"
#include "test.h"
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { K = 10, QUERIES = 40 };

/* Eight components of the node's number, of a different length of period each. */
#define VECTOR_OF(i)                                                                               \
    "[" i " * 7919 % 1009 / 100.0, " i " * 104729 % 997 / 100.0, " i " * 1299709 % 991 / "         \
    "100.0, " i " * 15485863 % 983 / 100.0, " i " * 32452843 % 977 / 100.0, " i                    \
    " * 49979687 % 971 / 100.0, " i " * 67867967 % 967 / 100.0, " i " * 86028121 % 953 / 100.0]"

/* Every row and column as text; an error as its message. */
static void ask(contextql *session, const char *text, int64_t n, Buffer *out)
{
    contextql_statement *statement = NULL;
    int result = contextql_prepare(session, text, strlen(text), &statement, NULL);
    buffer_clear(out);
    buffer_text(out, "");
    if (result == CONTEXTQL_OK && contextql_parameter_count(statement) > 0)
        contextql_bind_integer(statement, "n", n);
    while (statement != NULL && (result = contextql_step(statement)) == CONTEXTQL_ROW)
        for (int c = 0; c < contextql_column_count(statement); c++) {
            char cell[512];
            contextql_value_print(contextql_column(statement, c), cell, sizeof cell);
            buffer_printf(out, "%s%s", cell, c + 1 < contextql_column_count(statement) ? "," : ";");
        }
    if (result != CONTEXTQL_OK && result != CONTEXTQL_DONE) {
        contextql_error_info info;
        contextql_error(session, &info);
        buffer_text(out, info.message);
    }
    contextql_finalize(statement);
}

static int says(contextql *session, const char *text, int64_t n, const char *wanted)
{
    Buffer out = {0};
    ask(session, text, n, &out);
    int same = strcmp(out.data, wanted) == 0;
    if (!same) printf("# %s: %s, not %s\n", text, out.data, wanted);
    buffer_free(&out);
    return same;
}

static void run(contextql *session, const char *text, int64_t n)
{
    EXPECT(says(session, text, n, ""));
}

static int64_t number_of(contextql *session, const char *text)
{
    Buffer out = {0};
    ask(session, text, 0, &out);
    int64_t number = strtoll(out.data, NULL, 10);
    buffer_free(&out);
    return number;
}

static contextql *opened(const char *directory)
{
    contextql *session = NULL;
    contextql_options options = {.create = true};
    EXPECT(contextql_open(directory, &options, &session) == CONTEXTQL_OK);
    return session;
}

/* A search with `where` behind the pattern and `more` behind the vector. */
static void search(contextql *session, const char *where, const char *more, int64_t n, Buffer *out)
{
    Buffer text = {0};
    buffer_printf(&text, "MATCH (d:D) %s VECTOR d.v SIMILAR TO %s %s LIMIT %d AS s RETURN d.i",
                  where, VECTOR_OF("($n * 31 + 5)"), more, K);
    ask(session, text.data, n, out);
    buffer_free(&text);
}

static int by_index(contextql *session, const char *where, const char *more)
{
    Buffer text = {0}, out = {0};
    buffer_printf(&text,
                  "PROFILE MATCH (d:D) %s VECTOR d.v SIMILAR TO %s %s LIMIT %d AS s RETURN d.i",
                  where, VECTOR_OF("77"), more, K);
    ask(session, text.data, 0, &out);
    int found = strstr(out.data, "on index d_v") != NULL;
    buffer_free(&text);
    buffer_free(&out);
    return found;
}

/* Which part of the nearest is found; -1: not as many rows as there are. */
static double recall(contextql *session, const char *where, const char *more)
{
    Buffer found = {0}, wanted = {0};
    size_t hits = 0, all = 0;
    bool complete = true;
    for (int64_t n = 0; n < QUERIES; n++) {
        size_t rows = 0, wanted_rows = 0;
        search(session, where, more, n, &found);
        search(session, where, "USING {exact: true}", n, &wanted);
        for (const char *at = found.data; (at = strchr(at, ';')) != NULL; at++)
            rows++;
        for (char *at = wanted.data, *end; (end = strchr(at, ';')) != NULL; at = end + 1) {
            char one[32];
            snprintf(one, sizeof one, ";%.*s;", (int)(end - at), at);
            Buffer list = {0};
            buffer_printf(&list, ";%s", found.data);
            hits += strstr(list.data, one) != NULL;
            buffer_free(&list);
            wanted_rows++;
        }
        complete = complete && rows == wanted_rows;
        all += wanted_rows;
    }
    buffer_free(&found);
    buffer_free(&wanted);
    double part = all == 0 ? 1 : (double)hits / (double)all;
    printf("# %s %s: recall %.3f of %zu\n", where, more, part, all);
    return complete ? part : -1;
}

/* All answers to the queries, to be compared. */
static void answers(contextql *session, Buffer *out)
{
    Buffer one = {0};
    buffer_clear(out);
    for (int64_t n = 0; n < QUERIES; n++) {
        search(session, "", "", n, &one);
        buffer_printf(out, "%s\n", one.data);
    }
    buffer_free(&one);
}

static void fill(contextql *session, int64_t from, int64_t until)
{
    Buffer text = {0};
    buffer_printf(&text, "UNWIND range(%lld, %lld) AS i CREATE (:D {i: i, v: %s})", (long long)from,
                  (long long)until - 1, VECTOR_OF("i"));
    run(session, text.data, 0);
    buffer_free(&text);
}

#define INDEX "CREATE VECTOR INDEX d_v FOR (d:D) ON (d.v) OPTIONS "

static void metrics(void)
{
    static const char *const texts[] = {INDEX "{dimensions: 8, metric: 'l2', ef: 32}",
                                        INDEX "{dimensions: 8, metric: 'cosine', ef: 32}",
                                        INDEX "{dimensions: 8, metric: 'dot', ef: 32}"};
    for (int m = 0; m < 3; m++) {
        contextql *session = opened(":memory:");
        fill(session, 0, 8000);
        run(session, texts[m], 0);
        EXPECT(by_index(session, "", "") && by_index(session, "", "USING {ef: 40}"));
        EXPECT(!by_index(session, "", "USING {ef: 2000}")); /* as far as looking at all */
        EXPECT(!by_index(session, "", "USING {exact: true}"));
        EXPECT(!by_index(session, "",
                         m == 1 ? "USING {metric: 'l2', ef: 32}"
                                : "USING {metric: 'cosine', ef: 32}"));
        EXPECT(recall(session, "", "") > 0.9 && recall(session, "", "USING {ef: 60}") > 0.9);
        EXPECT(contextql_close(session) == CONTEXTQL_OK);
    }
}

static void filters(void)
{
    contextql *session = opened(":memory:");
    fill(session, 0, 10000);
    run(session, INDEX "{dimensions: 8, metric: 'l2', ef: 32}", 0);
    EXPECT(by_index(session, "WHERE d.i % 3 <> 0", ""));
    EXPECT(recall(session, "WHERE d.i % 3 <> 0", "") > 0.9);
    EXPECT(!by_index(session, "WHERE d.i % 500 = 1", "")); /* few: each is looked at */
    EXPECT(recall(session, "WHERE d.i % 500 = 1", "") == 1);
    EXPECT(recall(session, "WHERE d.i < 4", "") == 1);
    EXPECT(recall(session, "WHERE d.i < 0", "") == 1);
    /* All that match are far: none of those near the query counts. */
    EXPECT(recall(session, "WHERE d.v[0] > 4", "") > 0.9);
    EXPECT(recall(session, "WHERE d.v[0] > 9.5", "") == 1);
    run(session, "MATCH (d:D) WHERE d.i % 2 = 0 SET d:E", 0);
    EXPECT(recall(session, "WHERE d:E", "") > 0.9);
    EXPECT(contextql_close(session) == CONTEXTQL_OK);
}

static void changes(void)
{
    contextql *session = opened(":memory:"), *other;
    Buffer before = {0}, after = {0};
    fill(session, 0, 8000);
    run(session, INDEX "{dimensions: 8, metric: 'l2', ef: 32}", 0);
    EXPECT(contextql_connect(session, &other) == CONTEXTQL_OK);
    run(other, "BEGIN", 0);
    answers(other, &before);
    fill(session, 8000, 8300);
    EXPECT(by_index(session, "", "") && recall(session, "", "") > 0.9);
    /* what nobody is near to is found at once, also by who wrote it and has not committed */
    run(session, "BEGIN", 0);
    run(session, "CREATE (:D {i: -1, v: [50, 50, 50, 50, 50, 50, 50, 50]})", 0);
    static const char *const far =
        "MATCH (d:D) VECTOR d.v SIMILAR TO [50,50,50,50,50,50,50,50] LIMIT 1 AS s RETURN d.i, s";
    EXPECT(says(session, far, 0, "-1,1.0;"));
    EXPECT(!says(other, far, 0, "-1,1.0;"));
    run(session, "ROLLBACK", 0);
    EXPECT(number_of(session, far) >= 0);
    /* another value, or none; another label */
    run(session, "MATCH (d:D {i: 17}) SET d.v = [50, 50, 50, 50, 50, 50, 50, 50]", 0);
    EXPECT(says(session, far, 0, "17,1.0;"));
    run(session, "MATCH (d:D {i: 17}) REMOVE d.v", 0);
    EXPECT(number_of(session, far) != 17);
    run(session, "CREATE (:F {i: -2, v: vector([50, 50, 50, 50, 50, 50, 50, 50])})", 0);
    EXPECT(number_of(session, far) >= 0);
    run(session, "MATCH (f:F {i: -2}) SET f:D", 0);
    EXPECT(says(session, far, 0, "-2,1.0;"));
    run(session, "MATCH (f:F {i: -2}) REMOVE f:D", 0);
    EXPECT(number_of(session, far) >= 0);
    /* half of all gone, everywhere, and all that is near one query */
    run(session, "MATCH (d:D) WHERE d.i % 2 = 1 DELETE d", 0);
    EXPECT(recall(session, "", "") > 0.9);
    run(session, "MATCH (d:D) WHERE d.v[0] < 6 DELETE d", 0);
    EXPECT(recall(session, "", "") > 0.9);
    answers(other, &after); /* which has seen nothing of it */
    EXPECT(strcmp(before.data, after.data) == 0);
    run(other, "COMMIT", 0);
    run(session, "MATCH (d:D) WHERE d.i > 20 DELETE d", 0);
    EXPECT(recall(session, "", "") == 1);
    run(session, "DROP INDEX d_v", 0);
    EXPECT(!by_index(session, "", ""));
    EXPECT(contextql_close(other) == CONTEXTQL_OK && contextql_close(session) == CONTEXTQL_OK);
    buffer_free(&before);
    buffer_free(&after);
}

/* A view that is older than the index does not ask it; a statement that is stopped leaves none. */
static bool stop(void *user, double done, uint64_t rows)
{
    (void)user, (void)rows;
    return done > 0.2;
}

static void creation(void)
{
    contextql *session = opened(":memory:"), *other;
    fill(session, 0, 6000);
    EXPECT(contextql_connect(session, &other) == CONTEXTQL_OK);
    run(other, "BEGIN", 0);
    EXPECT(number_of(other, "MATCH (d:D) RETURN count(d)") == 6000);
    run(session, "BEGIN", 0);
    run(session, INDEX "{dimensions: 8, metric: 'l2', ef: 32}", 0);
    EXPECT(by_index(session, "", ""));
    run(session, "ROLLBACK", 0);
    EXPECT(!by_index(session, "", ""));
    contextql_progress(session, stop, NULL);
    EXPECT(!says(session, INDEX "{dimensions: 8, metric: 'l2', ef: 32}", 0, ""));
    EXPECT(says(session, "SHOW INDEXES", 0, ""));
    contextql_progress(session, NULL, NULL);
    run(session, INDEX "{dimensions: 8, metric: 'l2', ef: 32}", 0);
    EXPECT(by_index(session, "", ""));
    run(session, "MATCH (d:D) SET d.v = NULL", 0);
    EXPECT(recall(other, "", "") == 1);
    run(other, "COMMIT", 0);
    EXPECT(contextql_close(other) == CONTEXTQL_OK && contextql_close(session) == CONTEXTQL_OK);
    session = opened(":memory:");
    fill(session, 0, 6000);
    run(session, INDEX "{dimensions: 8, metric: 'l2', type: 'flat'}", 0);
    EXPECT(!by_index(session, "", ""));
    EXPECT(contextql_close(session) == CONTEXTQL_OK);
}

static void copy_directory(const char *from, const char *to)
{
    char command[512];
    snprintf(command, sizeof command, "rm -rf %s && cp -r %s %s", to, from, to);
    EXPECT(system(command) == 0);
}

/* Closed and opened, nothing differs; killed, what was committed since a checkpoint is found too. */
static void persistence(const char *folder)
{
    char directory[256], crashed[256];
    Buffer before = {0}, after = {0};
    snprintf(directory, sizeof directory, "%s/one", folder);
    snprintf(crashed, sizeof crashed, "%s/crashed", folder);
    contextql *session = opened(directory);
    fill(session, 0, 8000);
    run(session, INDEX "{dimensions: 8, metric: 'cosine', ef: 32, ef_construction: 150}", 0);
    fill(session, 8000, 8100);
    answers(session, &before);
    EXPECT(contextql_close(session) == CONTEXTQL_OK);
    session = opened(directory);
    answers(session, &after);
    EXPECT(by_index(session, "", "") && strcmp(before.data, after.data) == 0);
    fill(session, 8100, 8200);
    answers(session, &before);
    copy_directory(directory, crashed); /* as if it had been killed */
    EXPECT(contextql_close(session) == CONTEXTQL_OK);
    session = opened(crashed);
    answers(session, &after);
    EXPECT(by_index(session, "", "") && strcmp(before.data, after.data) == 0);
    /* an index that a checkpoint beside the writer takes along; and the moment it was */
    run(session, "DROP INDEX d_v", 0);
    run(session, INDEX "{dimensions: 8, metric: 'l2', ef: 32}", 0);
    answers(session, &before);
    EXPECT(number_of(session, "CREATE SNAPSHOT s") > 0);
    fill(session, 8200, 8300);
    run(session, "MATCH (d:D) WHERE d.i < 2000 SET d.v = [x IN range(0, 7) | d.v[x] + 1]", 0);
    copy_directory(crashed, directory);
    EXPECT(contextql_close(session) == CONTEXTQL_OK);
    session = opened(directory);
    EXPECT(by_index(session, "", "") && recall(session, "", "") > 0.9);
    EXPECT(contextql_set(session, "at", "SNAPSHOT 's'") == CONTEXTQL_OK);
    answers(session, &after);
    EXPECT(strcmp(before.data, after.data) == 0);
    EXPECT(contextql_close(session) == CONTEXTQL_OK);
    buffer_free(&before);
    buffer_free(&after);
}

/* The log creates the index: without it searches are exact, after the next commit it is made. */
static void crash_before_segment(const char *folder)
{
    char directory[256], crashed[256];
    snprintf(directory, sizeof directory, "%s/two", folder);
    snprintf(crashed, sizeof crashed, "%s/crashed", folder);
    contextql *session = opened(directory);
    fill(session, 0, 6000);
    run(session, INDEX "{dimensions: 8, metric: 'l2', ef: 32}", 0);
    copy_directory(directory, crashed);
    EXPECT(contextql_close(session) == CONTEXTQL_OK);
    session = opened(crashed);
    EXPECT(!by_index(session, "", "") && recall(session, "", "") == 1);
    fill(session, 6000, 6010);
    for (int i = 0; i < 2000 && !by_index(session, "", ""); i++)
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    EXPECT(by_index(session, "", "") && recall(session, "", "") > 0.9);
    EXPECT(contextql_close(session) == CONTEXTQL_OK);
    session = opened(crashed);
    EXPECT(by_index(session, "", "") && recall(session, "", "") > 0.9);
    EXPECT(contextql_close(session) == CONTEXTQL_OK);
}

/* Much that changed is added to what there is, while it goes on changing; much that is gone makes it
 * new. */
static void growth(const char *folder)
{
    char directory[256];
    snprintf(directory, sizeof directory, "%s/three", folder);
    contextql *session = opened(directory);
    fill(session, 0, 2000);
    run(session, INDEX "{dimensions: 8, metric: 'l2', ef_construction: 60}", 0);
    fill(session, 2000, 20000);
    for (int64_t i = 0; i < 20; i++) {
        fill(session, 20000 + 10 * i, 20010 + 10 * i);
        run(session, "MATCH (d:D {i: $n}) SET d.v = [60, 60, 60, 60, 60, 60, 60, 60]", 100 * i);
        EXPECT(number_of(session, "MATCH (d:D) VECTOR d.v SIMILAR TO [60,60,60,60,60,60,60,60] "
                                  "LIMIT 20 AS s WHERE s = 1 RETURN count(d)") == i + 1);
    }
    EXPECT(contextql_close(session) == CONTEXTQL_OK); /* waits for what is being made */
    session = opened(directory);
    EXPECT(by_index(session, "", "") && recall(session, "", "USING {ef: 200}") > 0.9);
    EXPECT(contextql_close(session) == CONTEXTQL_OK);
}

int main(void)
{
    char folder[] = "/tmp/finder-XXXXXX", command[64];
    metrics();
    filters();
    changes();
    creation();
    EXPECT(mkdtemp(folder) != NULL);
    persistence(folder);
    crash_before_segment(folder);
    growth(folder);
    snprintf(command, sizeof command, "rm -rf %s", folder);
    EXPECT(system(command) == 0);
    return DONE();
}
