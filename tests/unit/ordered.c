/*
 * An index, on one property or two, gives ranges and orders as a look at every node does: random values
 * of all kinds, random ranges, prefixes and orders, each asked with the optimizer off and on, row by row.
 * Between the questions values change, nodes come and go, transactions are taken back, snapshots are made, the
 * database is opened again. An old view and a snapshot are asked, too.
 *
 *     tests/unit/ordered [seed [rounds]]
 */
#include "config.h"

#include "base/map.h"
#include "base/str.h"
#include "contextql.h"
#include "test.h"
#include <stdlib.h>
#include <unistd.h>

enum { QUERIES = 40 };

static contextql *session;
static uint64_t state;
static Buffer text;

static uint32_t chance(uint32_t below)
{
    return (uint32_t)(random_next(&state) % below);
}

/* Rows of `text` in their order. */
static void answer(contextql *of, Buffer *out)
{
    contextql_statement *statement = NULL;
    int result = contextql_prepare(of, text.data, text.bytes, &statement, NULL);
    buffer_clear(out);
    buffer_text(out, "");
    while (result == CONTEXTQL_OK || result == CONTEXTQL_ROW) {
        result = contextql_step(statement);
        if (result != CONTEXTQL_ROW) break;
        for (int c = 0; c < contextql_column_count(statement); c++) {
            char cell[256];
            contextql_value_print(contextql_column(statement, c), cell, sizeof cell);
            buffer_printf(out, "%s|", cell);
        }
        buffer_char(out, '\n');
    }
    if (result != CONTEXTQL_DONE) {
        contextql_error_info info;
        contextql_error(of, &info);
        buffer_printf(out, "error: %s", info.message);
    }
    contextql_finalize(statement);
}

static void execute(const char *statement)
{
    Buffer out = {0};
    if (statement != NULL) {
        buffer_clear(&text);
        buffer_text(&text, statement);
    }
    answer(session, &out);
    if (strstr(out.data, "error:") != NULL)
        printf("# %.*s: %s\n", (int)text.bytes, text.data, out.data);
    buffer_free(&out);
    buffer_clear(&text);
}

/* ---- values ---- */

static void random_value(void)
{
    static const char *const strange[] = {"true",
                                          "false",
                                          "0.0 / 0.0",
                                          "1.0 / 0.0",
                                          "-1.0 / 0.0",
                                          "[1, 2]",
                                          "[1, 'a']",
                                          "''",
                                          "'\xc3\xbf'",
                                          "date('2024-02-29')",
                                          "datetime('2024-02-29T12:00:00Z')",
                                          "datetime('2024-02-29T12:00:00+01:00')",
                                          "localdatetime('2020-01-01T00:00:01')",
                                          "time('12:00:00+02:00')",
                                          "localtime('23:59')",
                                          "duration('P1D')",
                                          "9007199254740993",
                                          "9007199254740992.0",
                                          "9223372036854775807",
                                          "-9223372036854775807",
                                          "-0.0"};
    switch (chance(8)) {
    case 0:
    case 1:
    case 2: buffer_printf(&text, "%d", (int)chance(200) - 100); break;
    case 3: buffer_printf(&text, "%d.5", (int)chance(200) - 100); break;
    case 4: buffer_printf(&text, "'http://place/%x'", chance(512)); break;
    case 5: buffer_printf(&text, "'%c%c'", 'a' + chance(4), 'a' + chance(26)); break;
    case 6:
        buffer_printf(&text, "date('20%02u-0%u-1%u')", chance(30), 1 + chance(9), chance(9));
        break;
    default: buffer_text(&text, strange[chance(sizeof strange / sizeof *strange)]);
    }
}

/* ---- changes ---- */

static void create_nodes(uint32_t count, bool counting)
{
    static const char *const labels[] = {":P", ":P", ":P", ":Q", ":P:Q", ""};
    static uint32_t number;
    buffer_clear(&text);
    buffer_text(&text, "CREATE ");
    for (uint32_t i = 0; i < count; i++, number++) {
        buffer_printf(&text, "%s(%s {i: %u", i > 0 ? ", " : "", labels[chance(6)], number);
        if (counting) buffer_printf(&text, ", v: %u", number);
        if (!counting && chance(5) > 0) {
            buffer_text(&text, ", v: ");
            random_value();
        }
        if (chance(6) > 0) buffer_printf(&text, chance(2) ? ", w: %u" : ", w: %u.0", chance(4));
        buffer_text(&text, "})");
    }
    execute(NULL);
}

static void change(void)
{
    static const char *const changes[] = {"REMOVE n.v",       "REMOVE n:P", "SET n:P",
                                          "DELETE n",         "SET n:Q",    "REMOVE n.w",
                                          "SET n.w = n.i % 4"};
    buffer_clear(&text);
    buffer_printf(&text, "MATCH (n) WHERE n.i %% 17 = %u ", chance(17));
    if (chance(2) == 0) {
        buffer_text(&text, "SET n.v = ");
        random_value();
    } else {
        buffer_text(&text, changes[chance(sizeof changes / sizeof *changes)]);
    }
    execute(NULL);
}

static void change_and_perhaps_not(void)
{
    bool whole = chance(3) == 0;
    if (whole) execute("BEGIN");
    for (uint32_t i = 1 + chance(4); i > 0; i--) {
        if (chance(3) == 0)
            create_nodes(1 + chance(60), false);
        else
            change();
    }
    if (whole) execute(chance(2) ? "ROLLBACK" : "COMMIT");
}

/* ---- questions ---- */

static void random_condition(void)
{
    static const char *const signs[] = {"<", "<=", ">", ">=", "="};
    switch (chance(8)) {
    case 6:
    case 7: buffer_printf(&text, "n.w = %u", chance(5)); break;
    case 0: buffer_printf(&text, "n.v STARTS WITH 'http://place/%x'", chance(32)); break;
    case 1:
        buffer_printf(&text, "%d <= n.v AND n.v < %d", (int)chance(60) - 40, (int)chance(60));
        break;
    case 2: buffer_printf(&text, "n.v STARTS WITH '%c'", 'a' + chance(5)); break;
    default: buffer_printf(&text, "n.v %s ", signs[chance(5)]); random_value();
    }
}

static void random_query(const char *moment)
{
    static const char *const orders[] = {"", "", " ORDER BY n.v", " ORDER BY n.v DESC",
                                         " ORDER BY n.v, n.i"};
    buffer_clear(&text);
    buffer_printf(&text, "MATCH (n%s)%s", chance(4) == 0 ? ":P:Q" : ":P", moment);
    for (uint32_t i = 0, count = chance(4); i < count; i++) {
        buffer_text(&text, i == 0 ? " WHERE " : " AND ");
        random_condition();
    }
    if (chance(6) == 0) buffer_text(&text, " WITH n WHERE n.i % 3 = 0");
    buffer_text(&text, " RETURN n.v AS v, n.i");
    buffer_text(&text, orders[chance(5)]);
    if (chance(4) == 0) buffer_printf(&text, " SKIP %u", chance(9));
    if (chance(2) == 0) buffer_printf(&text, " LIMIT %u", chance(40));
}

/* With the optimizer, and without. */
static bool same_answer(contextql *of, const char *moment)
{
    Buffer fast = {0}, plain = {0};
    random_query(moment);
    answer(of, &fast);
    contextql_set(of, "optimizer", "off");
    answer(of, &plain);
    contextql_set(of, "optimizer", "on");
    bool same = str_equal(buffer_view(&fast), buffer_view(&plain));
    if (!same)
        printf("# %.*s\n# by index:\n%s# without:\n%s\n", (int)text.bytes, text.data, fast.data,
               plain.data);
    buffer_free(&fast);
    buffer_free(&plain);
    return same;
}

static bool same_answers(contextql *of, const char *moment)
{
    bool same = true;
    for (int i = 0; i < QUERIES && same; i++)
        same = same_answer(of, moment);
    return same;
}

static void finding(void *user, const contextql_note *found)
{
    (void)user;
    printf("# %s: %s\n", found->where, found->what);
}

static bool is_used(const char *query, const char *how)
{
    Buffer out = {0};
    buffer_clear(&text);
    buffer_printf(&text, "EXPLAIN %s", query);
    answer(session, &out);
    bool used = strstr(out.data, how) != NULL;
    if (!used) printf("# %s", out.data);
    buffer_free(&out);
    return used;
}

static void reopen(const char *directory)
{
    contextql_options options = {.create = true};
    contextql_close(session);
    session = NULL;
    contextql_open(directory, &options, &session);
}

static void one_round(const char *directory, uint32_t round)
{
    contextql *reader = NULL;
    char moment[64] = "";
    bool same = true;
    reopen(directory);
    create_nodes(300 + chance(300), true); /* keys that count up, then others */
    create_nodes(300 + chance(2000), false);
    execute("CREATE INDEX pw FOR (n:P) ON (n.w, n.v)");
    if (round % 4 < 2) execute("CREATE INDEX p FOR (n:P) ON (n.v)");
    if (round % 2 == 0) reopen(directory);
    for (int step = 0; step < 6 && same; step++) {
        contextql_connect(session, &reader);
        contextql_statement *begin = NULL;
        contextql_prepare(reader, "BEGIN", 5, &begin, NULL);
        contextql_step(begin);
        contextql_finalize(begin);
        same = same_answers(reader, "");
        change_and_perhaps_not();
        same = same && same_answers(session, "") && same_answers(reader, "");
        if (chance(2) == 0) {
            buffer_clear(&text);
            buffer_printf(&text, "CREATE SNAPSHOT s%u_%d", round, step);
            execute(NULL);
            snprintf(moment, sizeof moment, " AT SNAPSHOT 's%u_%d'", round, step);
        }
        contextql_close(reader);
        if (chance(3) == 0) reopen(directory);
        if (moment[0] != '\0') same = same && same_answers(session, moment);
        if (chance(5) == 0) {
            execute("DROP INDEX pw");
            execute("CREATE INDEX pw FOR (n:P) ON (n.w, n.v)");
        }
    }
    EXPECT(same);
    EXPECT(is_used("MATCH (n:P) WHERE n.w = 2 AND n.v > 90 RETURN n", "by index with .w = 2"));
    EXPECT(is_used("UNWIND [1, 2] AS x MATCH (n:P {w: x}) RETURN n", "NodeSeek (n:P).w = x"));
    execute("CREATE INDEX p IF NOT EXISTS FOR (n:P) ON (n.v)");
    EXPECT(is_used("MATCH (n:P) WHERE n.v > 90 AND n.v < 95 RETURN n", "by index"));
    EXPECT(is_used("MATCH (n:P) RETURN n ORDER BY n.v LIMIT 3", "in order"));
    execute("MATCH (n) DETACH DELETE n");
    execute("DROP INDEX p");
    execute("DROP INDEX pw");
    contextql_close(session);
    session = NULL;
    EXPECT(contextql_check(directory, finding, NULL, NULL) == CONTEXTQL_OK);
}

int main(int argc, char **argv)
{
    state = argc > 1 ? strtoull(argv[1], NULL, 10) : 1;
    uint32_t rounds = argc > 2 ? (uint32_t)atoi(argv[2]) : 4;
    char directory[] = "ordered.XXXXXX", remove[64];
    if (mkdtemp(directory) == NULL) return 99;
    for (uint32_t round = 0; round < rounds; round++)
        one_round(directory, round);
    snprintf(remove, sizeof remove, "rm -rf %s", directory);
    if (system(remove) != 0) printf("# %s stays\n", directory);
    buffer_free(&text);
    return DONE();
}
