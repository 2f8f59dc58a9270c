/* A statement that is run again gives what one prepared anew gives, whatever ran before it, also
 * after it was left half-way, failed, or the graph has changed. */
#include "config.h"

#include "base/str.h"
#include "contextql.h"
#include "test.h"
#include <stdlib.h>

static contextql *session;

static contextql_statement *prepared(const char *text)
{
    contextql_statement *statement = NULL;
    contextql_prepare(session, text, strlen(text), &statement, NULL);
    EXPECT(statement != NULL);
    return statement;
}

/* All rows as text, at most `most` of them; an error is text, too. */
static void run(contextql_statement *statement, int64_t n, size_t most, Buffer *out)
{
    int result = CONTEXTQL_ROW;
    buffer_clear(out);
    contextql_bind_integer(statement, "n", n);
    while (most-- > 0 && (result = contextql_step(statement)) == CONTEXTQL_ROW) {
        for (int c = 0; c < contextql_column_count(statement); c++) {
            char cell[256];
            contextql_value_print(contextql_column(statement, c), cell, sizeof cell);
            buffer_printf(out, "%s|", cell);
        }
        buffer_char(out, '\n');
    }
    if (result != CONTEXTQL_ROW && result != CONTEXTQL_DONE) {
        contextql_error_info info;
        contextql_error(session, &info);
        buffer_text(out, info.message);
    }
    contextql_reset(statement);
}

static void execute(const char *text, int64_t n)
{
    Buffer out = {0};
    contextql_statement *statement = prepared(text);
    run(statement, n, SIZE_MAX, &out);
    contextql_finalize(statement);
    buffer_free(&out);
}

static const char *const texts[] = {
    "MATCH (a:A {id: $n}) RETURN a.id, a.text",
    "MATCH (a:A {id: $n})-[:T]->(b)-[:T]->(c) RETURN a.id, b.id, c.id",
    "MATCH (a:A {id: $n})-[:T*0..3]-(b) RETURN b.id",
    "MATCH (a:A) WHERE a.id > $n RETURN a.id SKIP 2 LIMIT 5",
    "MATCH (a:A) WHERE a.id < $n RETURN a.id % 3 AS k, count(*), sum(a.id), collect(a.text) ORDER "
    "BY k DESC",
    "MATCH (a:A) RETURN DISTINCT a.id / $n",
    "MATCH (a:A)-[r:T]->(b) WHERE a.id = $n RETURN type(r), labels(b), [x IN range(1, $n) | x * "
    "b.id]",
    "MATCH (a:A {id: $n})-[:T]->(b:A) RETURN count(*)",
    "MATCH (a:A {id: $n})-[:T]-(b:A)-[:T]->(c) RETURN count(b)",
    "MATCH (a:A)-[:T]->(b:A) WHERE a.id > $n RETURN b.id, count(a)",
    "MATCH (:A)-[:T]->(:A) RETURN count(*) + $n",
    "MATCH (:A)-[:T]->(:A)-[:T]->(:A) RETURN count(*) + $n",
    "MATCH (a:A)-[:T]->(b)-[:T]->(c), (a)-[:T]-(c) WHERE a.id <> $n RETURN count(*)",
    "MATCH (a:A {id: $n})-[:T*..4]->(b) RETURN count(DISTINCT b)",
    "MATCH (a:A) WHERE a.id <> $n RETURN a.id ORDER BY a.text DESC, a.id LIMIT 3",
    "UNWIND range(1, $n) AS i MATCH (a:A {id: i}) RETURN i, a.text LIMIT $n",
    "MATCH (a:A) VECTOR a.v SIMILAR TO [1.0, $n] LIMIT 3 AS s RETURN a.id, s",
    "MATCH (a:A) WHERE a.id > $n VECTOR a.v SIMILAR TO [$n, 1.0] USING {metric: 'l2'} LIMIT 4 AS s "
    "RETURN a.id, s",
    "MATCH (a:A) RETURN max(a.id), min(a.text), 10 / (a.id - $n)",
    "OPTIONAL MATCH (a:A {id: $n}) RETURN a.id, EXISTS { (a)-->() }",
    "MATCH (a:A {id: $n}) CALL { WITH a MATCH (a)-->(b) RETURN count(b) AS n } RETURN a.id, n",
};

/* One statement, asked of one snapshot after another: plans are kept, what they look at is not. */
static void snapshots(void)
{
    static const char *const asked[] = {
        "AT SNAPSHOT $n MATCH (a:A) RETURN a.v",
        "AT SNAPSHOT $n MATCH (a:A)-[:T]->(b) RETURN a.v, b.v",
        "MATCH (now:A) MATCH AT SNAPSHOT $n (a:A) WHERE id(a) = id(now) RETURN now.v, a.v"};
    static const char *const wanted[][2] = {
        {"10|\n", "20|\n"}, {"10|10|\n", "20|20|\n"}, {"30|10|\n", "30|20|\n"}};
    char folder[] = "/tmp/contextql-prepared.XXXXXX", command[64];
    contextql_options options = {.create = true};
    Buffer out = {0};
    EXPECT(mkdtemp(folder) != NULL && contextql_open(folder, &options, &session) == CONTEXTQL_OK);
    execute("CREATE (a:A {v: 10}) CREATE (a)-[:T]->(a)", 0);
    execute("CREATE SNAPSHOT", 0);
    execute("MATCH (a:A) SET a.v = 20", 0);
    execute("CREATE SNAPSHOT", 0);
    execute("MATCH (a:A) SET a.v = 30", 0);
    for (size_t t = 0; t < sizeof asked / sizeof *asked; t++) {
        contextql_statement *statement = prepared(asked[t]);
        for (int64_t i = 0; i < 6; i++) {
            run(statement, 1 + i % 2, SIZE_MAX, &out);
            EXPECT(str_equal(buffer_view(&out), str_from(wanted[t][i % 2])));
        }
        run(statement, 9, SIZE_MAX, &out);
        EXPECT(str_equal(buffer_view(&out), STR("no such snapshot: 9")));
        contextql_finalize(statement);
    }
    EXPECT(contextql_close(session) == CONTEXTQL_OK);
    buffer_free(&out);
    snprintf(command, sizeof command, "rm -rf %s", folder);
    EXPECT(system(command) == 0);
}

/* A plan that relies on a constraint is made anew when that is gone, and none relies on one at a moment
 * that did not know it. */
static void rules(void)
{
    static const char reached[] = "MATCH (a:A {id: $n})-[:T*..4]->(b) RETURN count(DISTINCT b)",
                      back[] = "AT SNAPSHOT 'two' MATCH (a:A {id: $n})-[:T*..4]->(b) RETURN "
                               "count(DISTINCT b)";
    char folder[] = "/tmp/contextql-prepared.XXXXXX", command[64];
    contextql_options options = {.create = true};
    Buffer out = {0};
    EXPECT(mkdtemp(folder) != NULL && contextql_open(folder, &options, &session) == CONTEXTQL_OK);
    execute("CREATE (b:B) CREATE (:A {id: 1})-[:T]->(b), (:A {id: 1})-[:T]->(b)", 0);
    execute("CREATE SNAPSHOT two", 0);
    execute("MATCH (a:A) WITH a LIMIT 1 SET a.id = 2", 0);
    execute("CREATE CONSTRAINT one FOR (a:A) REQUIRE a.id IS UNIQUE", 0);
    contextql_statement *kept = prepared(reached);
    run(kept, 1, SIZE_MAX, &out);
    EXPECT(str_equal(buffer_view(&out), STR("1|\n")));
    contextql_statement *past = prepared(back);
    run(past, 1, SIZE_MAX, &out);
    EXPECT(str_equal(buffer_view(&out), STR("1|\n")));
    contextql_finalize(past);
    execute("DROP CONSTRAINT one", 0);
    execute("MATCH (a:A {id: 2}) SET a.id = 1", 0);
    for (int again = 0; again < 3; again++) {
        run(kept, 1, SIZE_MAX, &out);
        EXPECT(str_equal(buffer_view(&out), STR("1|\n")));
    }
    contextql_finalize(kept);
    EXPECT(contextql_close(session) == CONTEXTQL_OK);
    buffer_free(&out);
    snprintf(command, sizeof command, "rm -rf %s", folder);
    EXPECT(system(command) == 0);
}

int main(void)
{
    snapshots();
    rules();
    enum { TEXTS = sizeof texts / sizeof *texts, ROUNDS = 12 };
    contextql_statement *kept[TEXTS];
    Buffer again = {0}, anew = {0};
    EXPECT(contextql_open(":memory:", NULL, &session) == CONTEXTQL_OK);
    execute("UNWIND range(1, 40) AS i CREATE (:A {id: i, text: 'text ' + i, v: vector([i % 7, i % "
            "5 + 1])})",
            0);
    execute("CREATE INDEX FOR (a:A) ON (a.id)", 0);
    execute("MATCH (a:A) MATCH (b:A {id: a.id % 40 + 1}) CREATE (a)-[:T]->(b)", 0);
    for (size_t t = 0; t < TEXTS; t++)
        kept[t] = prepared(texts[t]);
    for (int64_t round = 0; round < ROUNDS; round++) {
        for (size_t t = 0; t < TEXTS; t++) {
            contextql_statement *fresh = prepared(texts[t]);
            if (round % 3 == 1) run(kept[t], round, 1, &again); /* left half-way */
            run(kept[t], 3 * round + 1, SIZE_MAX, &again);
            run(fresh, 3 * round + 1, SIZE_MAX, &anew);
            EXPECT(str_equal(buffer_view(&again), buffer_view(&anew)));
            EXPECT(round != 2 || again.bytes > 0);
            contextql_finalize(fresh);
        }
        execute("MATCH (a:A {id: $n}) SET a.text = 'new', a.id = a.id + 100 CREATE (a)-[:T]->(:A "
                "{id: a.id - 100})",
                round + 1);
        execute("MATCH (a:A {id: $n}) DETACH DELETE a", round + 20);
    }
    for (size_t t = 0; t < TEXTS; t++)
        contextql_finalize(kept[t]);
    EXPECT(contextql_close(session) == CONTEXTQL_OK);
    buffer_free(&again);
    buffer_free(&anew);
    return DONE();
}
