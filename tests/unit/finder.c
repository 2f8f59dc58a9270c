/* A vector index through statements: nearly the rows of an exact search, and exactly as many, with
 * filters, after changes, in older views and moments, after reopening, after checkpoints and crashes,
 * and while it is made anew beside the writer. */
#include "config.h"

#include "api/api_internal.h"
#include "base/str.h"
#include "contextql.h"
#include "database/database_internal.h"
#include "test.h"
#include "vector/near.h"
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

static int ends_with(contextql *session, const char *text, const char *end)
{
    Buffer out = {0};
    ask(session, text, 0, &out);
    size_t bytes = strlen(end);
    int found = out.bytes >= bytes && memcmp(out.data + out.bytes - bytes, end, bytes) == 0;
    buffer_free(&out);
    return found;
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

/* A narrow search stays one, and gives all rows though some of the nearest are gone. */
static void narrow(void)
{
    contextql *session = opened(":memory:");
    fill(session, 0, 8000);
    run(session, INDEX "{dimensions: 8, metric: 'l2', ef: 32}", 0);
    double few = recall(session, "", "USING {ef: 1}"), more = recall(session, "", "USING {ef: 20}");
    EXPECT(few > 0.4 && few < more);
    run(session, "MATCH (d:D) WHERE d.i % 5 = 0 DELETE d", 0);
    EXPECT(by_index(session, "", "USING {ef: 10}"));
    EXPECT(recall(session, "", "USING {ef: 10}") > few);
    EXPECT(contextql_close(session) == CONTEXTQL_OK);
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

/* Candidates of a pattern. Rows that might differ when they are asked for again are scored as they come,
 * which is what the others are held to. */
static int same_of_pattern(contextql *session, const char *query, const char *pattern,
                           const char *more, const char *wanted)
{
    Buffer texts[2] = {{0}, {0}}, found = {0}, expected = {0};
    for (int i = 0; i < 2; i++)
        buffer_printf(&texts[i],
                      "MATCH %s%s VECTOR d.v SIMILAR TO %s USING {exact: true %s RETURN %s",
                      pattern, i == 0 ? "" : " AND rand() >= 0", query, more, wanted);
    ask(session, texts[0].data, 0, &found);
    ask(session, texts[1].data, 0, &expected);
    int same = found.bytes > 0 && strcmp(found.data, expected.data) == 0;
    if (!same) printf("# %s: %s, not %s\n", texts[0].data, found.data, expected.data);
    for (int i = 0; i < 2; i++)
        buffer_free(&texts[i]);
    buffer_free(&found);
    buffer_free(&expected);
    return same;
}

static int all_same_of_pattern(contextql *session, const char *query)
{
    static const char *const patterns[] = {
        "(h:Hub)-[:Y]->(d:D) WHERE d.i >= 0", "(h:Hub {n: 1})-[:Y]->(d:D) WHERE d.i % 7 <> 1",
        "(h:Hub)-[:Y]->(d) WHERE h.n >= 1", "(h:Hub {n: 2})-[:Y]->(d:D) WHERE d.i < 100"};
    int same = 1;
    for (size_t p = 0; p < sizeof patterns / sizeof *patterns; p++) {
        same = same_of_pattern(session, query, patterns[p], "} LIMIT 7 AS s", "d.i, s") && same;
        same =
            same_of_pattern(session, query, patterns[p], "} LIMIT 7 AS s", "h.n, d.i, s") && same;
        same =
            same_of_pattern(session, query, patterns[p], "} LIMIT 1000 AS s", "count(*), sum(s)") &&
            same;
        same =
            same_of_pattern(session, query, patterns[p], "} LIMIT 7 PER h AS s", "d.i, s") && same;
    }
    return same;
}

static void patterns(void)
{
    static const char *const metrics[] = {"l2", "cosine", "dot"};
    contextql *session = opened(":memory:");
    fill(session, 0, 9000);
    run(session, "UNWIND [1, 2] AS n CREATE (:Hub {n: n})", 0);
    run(session, "MATCH (h:Hub), (d:D) WHERE d.i % 10 <> h.n CREATE (h)-[:Y]->(d)", 0);
    EXPECT(all_same_of_pattern(session, VECTOR_OF("77")));
    for (int m = 0; m < 3; m++) {
        Buffer text = {0};
        buffer_printf(&text, INDEX "{dimensions: 8, metric: '%s', ef: 32}", metrics[m]);
        run(session, text.data, 0);
        EXPECT(all_same_of_pattern(session, VECTOR_OF("77")));
        buffer_clear(&text);
        buffer_printf(&text,
                      "PROFILE MATCH (:Hub {n: 1})-[:Y]->(d:D) VECTOR d.v SIMILAR TO %s LIMIT 5 "
                      "RETURN d.i",
                      VECTOR_OF("77"));
        Buffer out = {0};
        ask(session, text.data, 0, &out);
        EXPECT(strstr(out.data, "on index d_v") != NULL);
        EXPECT(strstr(out.data, "8100") != NULL); /* rows of the hop, counted once */
        run(session, "DROP INDEX d_v", 0);
        buffer_free(&text);
        buffer_free(&out);
    }
    /* who is not in the index; no vector, another kind of value, another dimension */
    run(session, INDEX "{dimensions: 8, metric: 'l2', ef: 32}", 0);
    run(session, "MATCH (d:D) WHERE d.i % 1000 = 5 REMOVE d:D SET d:Other", 0);
    EXPECT(all_same_of_pattern(session, VECTOR_OF("77")));
    run(session, "MATCH (d:D) WHERE d.i % 1000 = 7 SET d.v = [1, 2, 3]", 0);
    run(session, "MATCH (d:D) WHERE d.i % 1000 = 8 SET d.v = 'none'", 0);
    run(session, "MATCH (d:D) WHERE d.i % 1000 = 9 REMOVE d.v", 0);
    EXPECT(all_same_of_pattern(session, VECTOR_OF("77")));
    EXPECT(contextql_close(session) == CONTEXTQL_OK);
    /* rows that hold more than the node: asked for twice where scoring takes longer */
    session = opened(":memory:");
    run(session,
        "UNWIND range(0, 5999) AS i CREATE (:D {i: i, v: [x IN range(0, 255) | (i * (x + 3)) % "
        "101]})",
        0);
    run(session, "UNWIND [1, 2] AS n CREATE (:Hub {n: n})", 0);
    run(session, "MATCH (h:Hub), (d:D) WHERE d.i % 10 <> h.n CREATE (h)-[:Y]->(d)", 0);
    EXPECT(all_same_of_pattern(session, "[x IN range(0, 255) | x % 50]"));
    run(session, INDEX "{dimensions: 256, metric: 'l2', ef: 32}", 0);
    EXPECT(all_same_of_pattern(session, "[x IN range(0, 255) | x % 50]"));
    EXPECT(contextql_close(session) == CONTEXTQL_OK);
}

/* Queries that come from rows are asked of the index together: each has the answer that it has alone,
 * whatever the number of workers. */
#define EACH                                                                                       \
    "UNWIND range(0, 299) AS n MATCH (d:D) %s VECTOR d.v SIMILAR TO %s %s LIMIT %d PER n AS s "    \
    "RETURN n, d.i, s ORDER BY n, s DESC, id(d)"

static void each_alone(contextql *session, const char *where, const char *more, int k, Buffer *out)
{
    Buffer text = {0}, one = {0};
    buffer_clear(out);
    buffer_printf(&text,
                  "MATCH (d:D) %s VECTOR d.v SIMILAR TO %s %s LIMIT %d AS s RETURN $n, d.i, s "
                  "ORDER BY s DESC, id(d)",
                  where, VECTOR_OF("($n * 31 + 5)"), more, k);
    for (int64_t n = 0; n < 300; n++) {
        ask(session, text.data, n, &one);
        buffer_text(out, one.data);
    }
    buffer_free(&text);
    buffer_free(&one);
}

static int each_together(contextql *session, const char *where, const char *more, int k,
                         const char *wanted)
{
    static const char *const workers[] = {"1", "2", "8"};
    Buffer text = {0}, out = {0};
    int same = 1;
    buffer_printf(&text, EACH, where, VECTOR_OF("(n * 31 + 5)"), more, k);
    for (int w = 0; w < 3; w++) {
        contextql_set(session, "workers", workers[w]);
        ask(session, text.data, 0, &out);
        same = same && strcmp(out.data, wanted) == 0;
    }
    buffer_free(&text);
    buffer_free(&out);
    return same;
}

/* How EXPLAIN, or PROFILE, says it goes. */
static int goes(contextql *session, const char *how, const char *where, int k, const char *said)
{
    Buffer text = {0}, out = {0};
    buffer_printf(&text, "%s " EACH, how, where, VECTOR_OF("(n * 31 + 5)"), "", k);
    ask(session, text.data, 0, &out);
    int found = strstr(out.data, said) != NULL;
    if (!found) printf("# %s: %s\n", text.data, out.data);
    buffer_free(&text);
    buffer_free(&out);
    return found;
}

static void together(void)
{
    static const char *const wheres[] = {"", "WHERE d.i % 3 <> 0", "WHERE d.v[0] > 4",
                                         "WHERE d.i % 500 = 1"};
    contextql *session = opened(":memory:");
    Buffer wanted = {0};
    fill(session, 0, 8000);
    run(session, INDEX "{dimensions: 8, metric: 'l2', ef: 32}", 0);
    for (int w = 0; w < 4; w++) {
        each_alone(session, wheres[w], "", K, &wanted);
        EXPECT(each_together(session, wheres[w], "", K, wanted.data));
    }
    EXPECT(goes(session, "EXPLAIN", "", K, "on index d_v, many rows at once"));
    EXPECT(goes(session, "PROFILE", "", K, "on index d_v"));
    EXPECT(goes(session, "PROFILE", wheres[1], K, "on index d_v"));
    EXPECT(goes(session, "EXPLAIN", wheres[3], 3000, "not index d_v: LIMIT is above 2048"));
    EXPECT(goes(session, "EXPLAIN", "WHERE d.i > n * rand()", K,
                "not index d_v: who takes part is found row by row"));
    EXPECT(goes(session, "PROFILE", wheres[3], K, "on cpu"));
    /* among what changed; where there is less than is asked for; where the index finds too few */
    fill(session, 8000, 8100);
    run(session, "MATCH (d:D) WHERE d.i % 7 = 0 SET d.v = [x IN range(0, 7) | d.v[x] + 1]", 0);
    run(session, "MATCH (d:D) WHERE d.i % 5 = 0 AND d.i > 2000 DELETE d", 0);
    each_alone(session, "", "", K, &wanted);
    EXPECT(each_together(session, "", "", K, wanted.data));
    EXPECT(goes(session, "PROFILE", "", K, "on index d_v"));
    run(session, "MATCH (d:D) WHERE d.v[0] < 6 DELETE d", 0);
    each_alone(session, "", "", K, &wanted);
    EXPECT(each_together(session, "", "", K, wanted.data));
    /* as wide as a session says, unless the statement does */
    EXPECT(contextql_set(session, "vector_ef", "4097") != CONTEXTQL_OK);
    EXPECT(contextql_set(session, "vector_ef", "90") == CONTEXTQL_OK);
    EXPECT(strcmp(contextql_get(session, "vector_ef"), "90") == 0);
    each_alone(session, "", "USING {ef: 90}", K, &wanted);
    EXPECT(each_together(session, "", "", K, wanted.data));
    EXPECT(contextql_set(session, "vector_ef", "auto") == CONTEXTQL_OK);
    EXPECT(strcmp(contextql_get(session, "vector_ef"), "auto") == 0);
    EXPECT(contextql_close(session) == CONTEXTQL_OK);
    /* for more of them than one pass over a column looks for */
    session = opened(":memory:");
    fill(session, 0, 60000);
    run(session, INDEX "{dimensions: 8, metric: 'l2', ef: 8, ef_construction: 20}", 0);
    EXPECT(goes(session, "PROFILE", "WHERE n < 3", 1100, "on index d_v"));
    EXPECT(contextql_close(session) == CONTEXTQL_OK);
    buffer_free(&wanted);
}

/* Filters that look at both sides are asked about what the search finds: exact searches give what each
 * gives alone, by an index nearly so, both the same with any number of workers. */
static size_t lines_that_differ(const char *a, const char *b)
{
    size_t differ = 0;
    for (; *a != '\0'; a = strchr(a, ';') + 1) {
        char one[128];
        snprintf(one, sizeof one, "%.*s", (int)(strchr(a, ';') - a + 1), a);
        differ += strstr(b, one) == NULL;
    }
    return differ;
}

static void pairs(void)
{
    static const char *const wheres[] = {"WHERE d.i <> %s",
                                         "WHERE d.i %% 3 <> %s %% 3",
                                         "WHERE d.i %% 2 = 0 AND d.i > %s",
                                         "WHERE d.i %% 50 = %s %% 50",
                                         "WHERE d.i %% 4000 = %s",
                                         "WHERE d.i < -%s"};
    contextql *session = opened(":memory:");
    fill(session, 0, 8000);
    run(session, INDEX "{dimensions: 8, metric: 'l2', ef: 32}", 0);
    for (int round = 0; round < 2; round++) {
        for (size_t w = 0; w < sizeof wheres / sizeof *wheres; w++) {
            Buffer alone = {0}, together = {0}, text = {0}, wanted = {0}, got = {0};
            buffer_printf(&alone, wheres[w], "$n");
            buffer_printf(&together, wheres[w], "n");
            each_alone(session, alone.data, "USING {exact: true}", K, &wanted);
            EXPECT(each_together(session, together.data, "USING {exact: true}", K, wanted.data));
            buffer_printf(&text, EACH, together.data, VECTOR_OF("(n * 31 + 5)"), "", K);
            ask(session, text.data, 0, &got);
            size_t differ = lines_that_differ(wanted.data, got.data);
            printf("# %s: %zu of the nearest are not found\n", together.data, differ);
            EXPECT(wanted.bytes == 0 ? got.bytes == 0 : differ < 30);
            EXPECT(each_together(session, together.data, "", K, got.data));
            buffer_free(&alone), buffer_free(&together), buffer_free(&text);
            buffer_free(&wanted), buffer_free(&got);
        }
        EXPECT(goes(session, "EXPLAIN", "WHERE d.i <> n", K, "on index d_v, many rows at once"));
        EXPECT(goes(session, "PROFILE", "WHERE d.i <> n", K, "on index d_v"));
        if (round == 1) break;
        /* some vectors lie in no block of their kind, some have changed */
        run(session, "MATCH (d:D) WHERE d.i % 9 = 1 SET d.v = [x IN range(0, 7) | d.v[x] + 1]", 0);
        run(session, "MATCH (d:D) WHERE d.i % 11 = 1 SET d.v = [1, 2, 3]", 0);
    }
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
    EXPECT(!ends_with(session, "SHOW INDEXES", ",32,null;")); /* how long it took is known here, */
    EXPECT(contextql_close(session) == CONTEXTQL_OK);
    session = opened(directory);
    EXPECT(ends_with(session, "SHOW INDEXES", ",32,null;")); /* and not kept */
    EXPECT(contextql_set(session, "vector_ef", "77") == CONTEXTQL_OK);
    EXPECT(ends_with(session, "SHOW INDEXES", ",77,null;"));
    EXPECT(contextql_set(session, "vector_ef", "auto") == CONTEXTQL_OK);
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

static void await_index(contextql *session)
{
    for (int i = 0; i < 2000 && !by_index(session, "", ""); i++)
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
}

/* The log creates the index: it is made beside what goes on from opening on; until then searches are
 * exact. */
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
    EXPECT(contextql_close(opened(crashed)) == CONTEXTQL_OK); /* leaving gives it up */
    session = opened(crashed);
    EXPECT(recall(session, "", "USING {exact: true}") == 1 && recall(session, "", "") > 0.9);
    fill(session, 6000, 6010);
    EXPECT(recall(session, "", "") > 0.9);
    await_index(session);
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
    EXPECT(contextql_close(session) == CONTEXTQL_OK); /* gives up what is being made */
    session = opened(directory);
    EXPECT(by_index(session, "", "") && recall(session, "", "USING {ef: 200}") > 0.9);
    EXPECT(contextql_close(session) == CONTEXTQL_OK);
}

/* Does the graph in use find by what lies in the segment, and not in memory? */
static int lies_on_segment(contextql *session)
{
    Graph *graph = session->database->held->graph;
    GraphView view = {graph, graph_version(graph)};
    const GraphFinder *finder = graph_finder(&view, graph_index_named(&view, STR("d_v")));
    return finder != NULL && near_is_lent(graph_finder_thing(finder));
}

static void change_both(contextql *const sessions[2], int64_t round)
{
    for (int s = 0; s < 2; s++) {
        fill(sessions[s], 8000 + 200 * round, 8200 + 200 * round);
        run(sessions[s],
            "MATCH (d:D) WHERE d.i % 40 = $n SET d.v = [x IN range(0, 7) | d.v[x] / 2]", round);
        run(sessions[s], "MATCH (d:D) WHERE d.i % 40 = $n + 1 DELETE d", round);
    }
}

/* After a checkpoint the graph in use lies on the new segment, its index too, and nothing differs from
 * a database that stays as it is. */
static void moving(const char *folder)
{
    enum { ROUNDS = 12 };
    char directory[256];
    Buffer answer[2] = {{0}, {0}};
    int differ = 0, lies = 0;
    snprintf(directory, sizeof directory, "%s/four", folder);
    contextql *sessions[2] = {opened(":memory:"), opened(directory)};
    Database *database = sessions[1]->database;
    database->files->checkpoint_bytes = 64 << 10;
    for (int s = 0; s < 2; s++) {
        fill(sessions[s], 0, 8000);
        run(sessions[s], INDEX "{dimensions: 8, metric: 'l2', ef: 32}", 0);
    }
    for (int64_t round = 0; round < ROUNDS; round++) {
        uint64_t before = database_counters(database).moves;
        change_both(sessions, round);
        if (round == ROUNDS / 2) /* one that no segment has is carried along */
            for (int s = 0; s < 2; s++) {
                run(sessions[s], "DROP INDEX d_v", 0);
                run(sessions[s], INDEX "{dimensions: 8, metric: 'l2', ef: 32}", 0);
            }
        for (int i = 0; i < 500 && database_counters(database).moves == before; i++)
            nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
        for (int s = 0; s < 2; s++)
            answers(sessions[s], &answer[s]);
        differ += strcmp(answer[0].data, answer[1].data) != 0;
        lies += lies_on_segment(sessions[1]);
    }
    uint64_t moves = database_counters(database).moves;
    printf("# %d moves, %d times on a segment\n", (int)moves, lies);
    EXPECT(differ == 0 && moves >= 2 && lies >= 1);
    EXPECT(by_index(sessions[1], "", ""));
    EXPECT(contextql_close(sessions[1]) == CONTEXTQL_OK);
    sessions[1] = opened(directory);
    answers(sessions[1], &answer[1]);
    EXPECT(by_index(sessions[1], "", "") && strcmp(answer[0].data, answer[1].data) == 0);
    for (int s = 0; s < 2; s++) {
        EXPECT(contextql_close(sessions[s]) == CONTEXTQL_OK);
        buffer_free(&answer[s]);
    }
}

int main(void)
{
    char folder[] = "/tmp/finder-XXXXXX", command[64];
    metrics();
    narrow();
    filters();
    patterns();
    together();
    pairs();
    changes();
    creation();
    EXPECT(mkdtemp(folder) != NULL);
    persistence(folder);
    crash_before_segment(folder);
    growth(folder);
    moving(folder);
    snprintf(command, sizeof command, "rm -rf %s", folder);
    EXPECT(system(command) == 0);
    return DONE();
}
