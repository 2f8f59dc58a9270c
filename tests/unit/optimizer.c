/*
 * A plan that was made to do less gives the rows of the plan that does what the statement says: random
 * graphs with loops and parallel relationships, random patterns over them, each asked with the
 * optimizer off and on, and on with the rows that have no order in another one. Part of the graph is
 * made after the rest and part of it deleted, so that every way to a neighbor is taken. And a limit
 * gives the first rows of what there is without it.
 *
 *     tests/unit/optimizer [seed [rounds]]
 */
#include "config.h"

#include "base/map.h"
#include "base/str.h"
#include "contextql.h"
#include "test.h"
#include <stdlib.h>

enum { QUERIES = 60, PATTERN_NODES = 5, ROWS_MAX = 20000 };

static contextql *session;
static uint64_t state;
static Buffer text;

static uint32_t chance(uint32_t below)
{
    return (uint32_t)(random_next(&state) % below);
}

/* ---- rows, compared without their order ---- */

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool failed; /* the last answer was an error */

/* All rows of `text`, sorted; an error is a row. */
static void answer(Buffer *out)
{
    static char *rows[ROWS_MAX];
    size_t count = 0;
    contextql_statement *statement = NULL;
    contextql_error_info info;
    int result = contextql_prepare(session, text.data, text.bytes, &statement, NULL);
    while (result == CONTEXTQL_OK || result == CONTEXTQL_ROW) {
        Buffer row = {0};
        result = contextql_step(statement);
        if (result != CONTEXTQL_ROW || count == ROWS_MAX) break;
        for (int c = 0; c < contextql_column_count(statement); c++) {
            char cell[256];
            contextql_value_print(contextql_column(statement, c), cell, sizeof cell);
            buffer_printf(&row, "%s|", cell);
        }
        buffer_char(&row, '\0');
        rows[count++] = row.data;
    }
    buffer_clear(out);
    bool cut = count == ROWS_MAX; /* which rows is left open then */
    failed = result != CONTEXTQL_DONE && !cut;
    if (failed) {
        contextql_error(session, &info);
        buffer_text(out, info.message);
    }
    contextql_finalize(statement);
    qsort(rows, count, sizeof *rows, by_text);
    for (size_t i = 0; i < count; i++) {
        buffer_printf(out, "%s\n", cut ? "row" : rows[i]);
        mem_free(rows[i]);
    }
}

static void execute(void)
{
    Buffer out = {0};
    answer(&out);
    if (out.bytes > 0)
        printf("# %.*s: %.*s\n", (int)text.bytes, text.data, (int)out.bytes, out.data);
    buffer_free(&out);
    buffer_clear(&text);
}

/* ---- graphs ---- */

static void make_nodes(uint32_t count)
{
    static const char *const labels[] = {"", ":A", ":B", ":A:B"};
    uint32_t mixed = chance(3); /* else all nodes have A */
    buffer_text(&text, "CREATE ");
    for (uint32_t i = 0; i < count; i++)
        buffer_printf(&text, "%s(%s {k: %u, g: %u})", i > 0 ? ", " : "",
                      mixed ? labels[chance(4)] : ":A", i, chance(4));
    execute();
}

static void make_relationships(uint32_t count, uint32_t nodes)
{
    buffer_text(&text, "UNWIND [");
    uint32_t hubs = 1 + chance(nodes);
    for (uint32_t i = 0; i < count; i++)
        buffer_printf(&text, "%s[%u, %u, %u]", i > 0 ? ", " : "", chance(nodes), chance(hubs),
                      chance(5));
    buffer_printf(&text,
                  "] AS e MATCH (a {k: e[0]}), (b {k: e[1]}) CREATE (a)-[:%s {w: e[2]}]->(b)",
                  chance(2) ? "R" : "S");
    execute();
}

/* Often k tells apart those who have A; of the others some have the k of another one, or none. */
static void make_key(void)
{
    if (chance(2) == 0) return;
    buffer_text(&text, "CREATE CONSTRAINT one FOR (a:A) REQUIRE a.k IS UNIQUE");
    execute();
    if (chance(2) == 0) return;
    buffer_text(&text, "MATCH (n) WHERE NOT n:A SET n.k = CASE WHEN n.g = 0 THEN null ELSE n.k / 2"
                       " END");
    execute();
}

static void make_graph(void)
{
    uint32_t nodes = 2 + chance(12);
    make_nodes(nodes);
    for (uint32_t part = 1 + chance(3); part > 0; part--)
        make_relationships(1 + chance((1 + chance(4)) * nodes), nodes);
    if (chance(3) > 0) return;
    buffer_printf(&text, "MATCH (a)-[r]->(b) WHERE r.w = %u DELETE r", chance(5));
    execute();
    make_key();
}

/* ---- queries ---- */

static void random_labels(void)
{
    static const char *const labels[] = {"", "", "", "", "", ":A", ":A", ":A", ":B", ":A:B"};
    buffer_text(&text, labels[chance(10)]);
}

static bool hops; /* may patterns have trails of several hops */

static void random_relationship(uint32_t number, bool named)
{
    static const char *const lengths[] = {"*0..2", "*1..3", "*..2", "*2..2"};
    static const char *const types[] = {"", "", ":R", ":S", ":R|S"};
    uint32_t direction = chance(5);
    buffer_text(&text, direction == 0 ? "<-[" : "-[");
    if (named) buffer_printf(&text, "r%u", number);
    buffer_text(&text, types[chance(5)]);
    if (hops && chance(4) == 0) buffer_text(&text, lengths[chance(4)]);
    buffer_text(&text, direction >= 1 && direction <= 3 ? "]->" : "]-");
}

/* A path of nodes n0, n1, ..; sometimes it comes back to one of them. */
static void random_path(uint32_t first, uint32_t count, uint32_t *relationships, bool named)
{
    for (uint32_t i = 0; i < count; i++) {
        uint32_t node = i > 0 && chance(4) == 0 ? chance(first + i) : first + i;
        if (i > 0) random_relationship((*relationships)++, named && chance(3) == 0);
        buffer_printf(&text, "(n%u", node);
        random_labels();
        buffer_char(&text, ')');
    }
}

/* A sub-query of a node: how often a row counts that the optimizer counts is not its business. */
static void random_subquery(uint32_t node)
{
    static const char *const ends[] = {"RETURN count(*) AS s", "RETURN q.k AS s",
                                       "RETURN DISTINCT q.g AS s",
                                       "RETURN q.k AS s ORDER BY s LIMIT 2"};
    buffer_printf(&text, " CALL { WITH n%u MATCH (n%u)-[:R]-(q) %s }", node, node, ends[chance(4)]);
}

static void random_return(uint32_t nodes)
{
    uint32_t a = chance(nodes), b = chance(nodes);
    switch (chance(13)) {
    case 9: buffer_printf(&text, " RETURN n%u.k, COUNT { (n%u)-[:S]-() }, count(*)", a, b); break;
    case 10:
        buffer_printf(&text, " RETURN n%u.g, size([(n%u)-->(q) | q.k]) AS s, count(*)", a, b);
        break;
    case 11:
        random_subquery(a);
        buffer_printf(&text, " RETURN n%u.k, s, count(*)", b);
        break;
    case 12:
        random_subquery(a);
        buffer_text(&text, " RETURN sum(s), count(*)");
        break;
    case 0:
    case 1: buffer_text(&text, " RETURN count(*)"); break;
    case 2: buffer_printf(&text, " RETURN count(n%u)", a); break;
    case 3: buffer_printf(&text, " RETURN count(DISTINCT n%u)", a); break;
    case 4: buffer_printf(&text, " RETURN n%u.k, count(*)", a); break;
    case 5: buffer_printf(&text, " RETURN n%u.g, count(n%u.k), sum(n%u.g)", a, b, b); break;
    case 6: buffer_printf(&text, " RETURN DISTINCT n%u.k, n%u.k", a, b); break;
    case 7: buffer_printf(&text, " RETURN n%u.k, n%u.g", a, b); break;
    default:
        buffer_printf(&text, " WITH n%u AS x, count(*) AS c RETURN c, count(x), min(x.k)", a);
        break;
    }
}

static void random_unlike(uint32_t nodes)
{
    static const char *const keys[] = {"", ".k", ".k", ".g"};
    const char *key = keys[chance(4)];
    buffer_printf(&text, " WHERE n%u%s <> n%u%s", chance(nodes + 1), key, chance(nodes + 1), key);
}

/* Nodes that a path meant to come back did not name are missing from the scope; such a query is an
 * error both ways, which is compared, too. */
static void random_query(void)
{
    uint32_t nodes = 1 + chance(PATTERN_NODES - 1), relationships = 0;
    bool named = chance(3) == 0;
    hops = !named && chance(3) == 0;
    buffer_text(&text, "MATCH ");
    random_path(0, nodes, &relationships, named);
    if (chance(3) == 0) {
        buffer_text(&text, chance(2) ? ", " : " MATCH ");
        buffer_printf(&text, "(n%u)", chance(nodes));
        random_relationship(relationships++, false);
        buffer_printf(&text, "(n%u)", chance(nodes + 1));
    }
    size_t pattern = text.bytes;
    if (chance(4) == 0)
        buffer_printf(&text, " WHERE n%u.g < %u", chance(nodes), 1 + chance(3));
    else if (chance(3) == 0)
        random_unlike(nodes);
    else if (chance(6) == 0)
        buffer_printf(&text, " WHERE EXISTS { (n%u)-[:R]->(m:A)-->(o) }", chance(nodes));
    if (chance(4) == 0) /* fails for some nodes: those that the rest leaves out must not make it */
        buffer_printf(&text, "%s 6 / n%u.g > %u", pattern == text.bytes ? " WHERE" : " AND",
                      chance(nodes), chance(4));
    if (chance(6) == 0)
        buffer_printf(&text, " OPTIONAL MATCH (n%u)-[:S]->(q)-->(t)", chance(nodes));
    random_return(nodes);
}

/* What fails as it is written may do without the row that makes it. */
static bool same_answers(void)
{
    Buffer plain = {0}, fast = {0};
    bool same = true;
    contextql_set(session, "optimizer", "off");
    answer(&plain);
    bool fails = failed;
    contextql_set(session, "optimizer", "on");
    for (uint32_t shuffled = 0; shuffled < 2 && same; shuffled++) {
        contextql_set(session, "shuffle", shuffled ? "7" : "0");
        answer(&fast);
        same = fails || str_equal(buffer_view(&plain), buffer_view(&fast));
        if (!same)
            printf("# %.*s\n# plain:\n%.*s# optimized:\n%.*s", (int)text.bytes, text.data,
                   (int)plain.bytes, plain.data, (int)fast.bytes, fast.data);
    }
    contextql_set(session, "shuffle", "0");
    buffer_free(&plain);
    buffer_free(&fast);
    return same;
}

/* ---- shortest trails ---- */

/* All shortest trails are the shortest of all trails; a shortest one is as long as they are. */
static bool right_trails(uint32_t from, uint32_t to, const char *trail)
{
    static const char ids[] = "[r IN relationships(p) | toString(id(r)) + type(r)]";
    Buffer all = {0}, shortest = {0}, one = {0}, length = {0};
    const char *kinds[] = {"allShortestPaths", "shortestPath"};
    buffer_clear(&text);
    buffer_printf(&text,
                  "MATCH p = (a {k: %u})%s(b {k: %u}) WITH length(p) AS l, collect(%s) AS c "
                  "ORDER BY l LIMIT 1 UNWIND c AS trail RETURN trail",
                  from, trail, to, ids);
    answer(&all);
    for (int i = 0; i < 2; i++) {
        buffer_clear(&text);
        buffer_printf(&text, "MATCH (a {k: %u}), (b {k: %u}) MATCH p = %s((a)%s(b)) RETURN %s",
                      from, to, kinds[i], trail, i == 0 ? ids : "length(p)");
        answer(i == 0 ? &shortest : &one);
    }
    buffer_clear(&text);
    buffer_printf(&text,
                  "MATCH p = (a {k: %u})%s(b {k: %u}) WITH min(length(p)) AS l "
                  "WHERE l IS NOT NULL RETURN l",
                  from, trail, to);
    answer(&length);
    bool right = str_equal(buffer_view(&all), buffer_view(&shortest)) &&
                 str_equal(buffer_view(&one), buffer_view(&length));
    if (!right)
        printf("# %u %s %u\n# all:\n%.*s# shortest:\n%.*s# one: %.*s# length: %.*s", from, trail,
               to, (int)all.bytes, all.data, (int)shortest.bytes, shortest.data, (int)one.bytes,
               one.data, (int)length.bytes, length.data);
    buffer_free(&all), buffer_free(&shortest), buffer_free(&one), buffer_free(&length);
    return right;
}

static void shortest_trails(uint64_t seed)
{
    static const char *const trails[] = {"-[*1..4]->", "<-[*1..4]-", "-[:R*1..4]->",
                                         "-[:R|S*1..3]-", "-[*1..5 {w: 1}]->"};
    uint32_t good = 0, asked = 0;
    state = seed;
    buffer_clear(&text);
    contextql_open(":memory:", NULL, &session);
    make_nodes(9);
    for (int part = 0; part < 2; part++)
        make_relationships(9, 9);
    for (size_t t = 0; t < sizeof trails / sizeof *trails; t++)
        for (uint32_t from = 0; from < 9; from++)
            for (uint32_t to = 0; to < 9; to++) {
                if (from == to) continue;
                asked++;
                good += right_trails(from, to, trails[t]);
            }
    EXPECT(good == asked);
    contextql_close(session);
}

/* ---- views ---- */

static void run_in(contextql *in, const char *statement, Buffer *out)
{
    contextql *before = session;
    session = in;
    buffer_clear(&text);
    buffer_text(&text, statement);
    answer(out);
    session = before;
}

/* Who reads in a transaction counts what was there when it began, whatever others have done since;
 * who writes counts what he did. */
static void old_views(void)
{
    static const char *const counts[] = {
        "MATCH (a:A) RETURN count(*)",
        "MATCH (a) RETURN count(*)",
        "MATCH (:A)-[:R]->(:A) RETURN count(*)",
        "MATCH ()-[r]->() RETURN count(*)",
        "MATCH (:A)-[:R]->(:A)-[:R]->(:A) RETURN count(*)",
        "MATCH (a:A)-[:R]->(b:A)-[:R]->(c:A), (a)-[:R]->(c) RETURN count(*)",
        "MATCH (a:A)-[:R]->()-[:R]->(c) WHERE a.k <> c.k RETURN count(*)",
        "MATCH (a:A)-[:R]->()-[:R]->(c) WHERE a <> c RETURN count(*)",
        "MATCH (a:A {k: 1})-[:R*]->(b:A) RETURN count(DISTINCT b)",
        "MATCH (a:A {k: 1}), (b:A {k: 9}), p = shortestPath((a)-[:R*]->(b)) RETURN length(p)"};
    static const char *const changes[] = {
        "CREATE (:A {k: 100})-[:R]->(:B)",
        "MATCH (a:A {k: 1}), (b:A {k: 9}) CREATE (a)-[:R]->(b), (b)-[:R]->(a)",
        "MATCH (a:A {k: 3}) REMOVE a:A",
        "MATCH (a:A {k: 4})-[r:R]->() DELETE r",
        "MATCH (a:A {k: 5}) DETACH DELETE a",
        "MATCH (a {k: 3}) SET a:A"};
    enum { COUNTS = sizeof counts / sizeof *counts };
    contextql *reader;
    Buffer before[COUNTS] = {{0}}, now = {0}, plain = {0};
    contextql_open(":memory:", NULL, &session);
    contextql_connect(session, &reader);
    run_in(session, "UNWIND range(1, 20) AS i CREATE (:A {k: i})", &now);
    run_in(session, "CREATE CONSTRAINT one FOR (a:A) REQUIRE a.k IS UNIQUE", &now);
    run_in(session,
           "MATCH (a:A), (b:A) WHERE b.k IN [a.k + 1, a.k + 2, a.k * 2] CREATE (a)-[:R]->(b)",
           &now);
    run_in(reader, "BEGIN", &now);
    for (int i = 0; i < COUNTS; i++)
        run_in(reader, counts[i], &before[i]);
    for (size_t c = 0; c < sizeof changes / sizeof *changes; c++) {
        bool same = true;
        run_in(session, changes[c], &now);
        for (int i = 0; i < COUNTS; i++) {
            run_in(reader, counts[i], &now);
            same = same && str_equal(buffer_view(&now), buffer_view(&before[i]));
            run_in(session, counts[i], &now);
            contextql_set(session, "optimizer", "off");
            run_in(session, counts[i], &plain);
            contextql_set(session, "optimizer", "on");
            same = same && str_equal(buffer_view(&now), buffer_view(&plain));
        }
        EXPECT(same);
    }
    run_in(reader, "COMMIT", &now);
    for (int i = 0; i < COUNTS; i++)
        buffer_free(&before[i]);
    buffer_free(&now), buffer_free(&plain);
    contextql_close(reader);
    contextql_close(session);
}

/* ---- the best rows ---- */

/* Rows in their order. */
static void in_order(const char *order, uint64_t limit, Buffer *out)
{
    contextql_statement *statement = NULL;
    buffer_clear(&text);
    buffer_printf(&text, "MATCH (n:T) RETURN n.v, n.k ORDER BY %s", order);
    if (limit != UINT64_MAX) buffer_printf(&text, " LIMIT %llu", (unsigned long long)limit);
    buffer_clear(out);
    contextql_prepare(session, text.data, text.bytes, &statement, NULL);
    while (contextql_step(statement) == CONTEXTQL_ROW) {
        char cells[2][64];
        for (int c = 0; c < 2; c++)
            contextql_value_print(contextql_column(statement, c), cells[c], sizeof cells[c]);
        buffer_printf(out, "%s|%s\n", cells[0], cells[1]);
    }
    contextql_finalize(statement);
}

/* Whatever comes in which order: a limit gives the first rows of what there is without it. */
static void best_rows(void)
{
    static const char *const values[] = {"n.k", "-n.k", "n.k % 7", "toFloat(n.k % 100)",
                                         ("CASE n.k % 5 WHEN 0 THEN null WHEN 1 THEN 'x' + n.k "
                                          "WHEN 2 THEN 0.5 * n.k ELSE n.k % 90 END")};
    static const char *const orders[] = {"n.v", "n.v DESC", "n.v % 3, n.k DESC", "n.v, n.k DESC"};
    static const uint64_t limits[] = {0, 1, 10, 3000, 20000};
    contextql_open(":memory:", NULL, &session);
    buffer_clear(&text);
    buffer_text(&text, "UNWIND range(1, 9000) AS i CREATE (:T {k: i * 7919 % 9001})");
    execute();
    for (size_t v = 0; v < sizeof values / sizeof *values; v++) {
        buffer_clear(&text);
        buffer_printf(&text, "MATCH (n:T) SET n.v = %s", values[v]);
        execute();
        for (size_t o = 0; o < sizeof orders / sizeof *orders; o++) {
            Buffer all = {0}, some = {0};
            bool right = true;
            in_order(orders[o], UINT64_MAX, &all);
            for (size_t l = 0; l < sizeof limits / sizeof *limits; l++) {
                in_order(orders[o], limits[l], &some);
                right = right && some.bytes <= all.bytes &&
                        str_equal(buffer_view(&some), (Str){all.data, some.bytes});
                uint64_t lines = 0;
                for (size_t i = 0; i < some.bytes; i++)
                    lines += some.data[i] == '\n';
                right = right && (all.bytes == 0 || lines == (limits[l] > 9000 ? 9000 : limits[l]));
            }
            EXPECT(right);
            buffer_free(&all);
            buffer_free(&some);
        }
    }
    contextql_close(session);
}

/* ---- blocks that a filter leaves out ---- */

enum { ZONE_KEYS = 8, ZONE_NODES = 20000 };

static void zone_query(void)
{
    static const char *const signs[] = {"<", "<=", ">", ">=", "="};
    static const double scales[] = {1, 100, 10000, 1e12};
    buffer_clear(&text);
    buffer_text(&text, chance(3) == 0 ? "MATCH (n) WHERE " : "MATCH (n:Z) WHERE ");
    for (uint32_t i = 0, count = 1 + chance(3); i < count; i++) {
        double scale = scales[chance(4)];
        int64_t whole = (int64_t)((chance(4001) - 2000.0) / 1000 * scale);
        if (i > 0) buffer_text(&text, chance(4) == 0 ? " OR " : " AND ");
        if (chance(2) == 0)
            buffer_printf(&text, "n.p%u %s %lld", chance(ZONE_KEYS), signs[chance(5)],
                          (long long)whole);
        else
            buffer_printf(&text, "%lld.5 %s n.p%u", (long long)whole, signs[chance(5)],
                          chance(ZONE_KEYS));
    }
    buffer_text(&text, " RETURN count(*), min(n.i), max(n.i), sum(n.i)");
}

static bool zones_hold(uint32_t queries)
{
    bool same = true;
    for (uint32_t i = 0; i < queries && same; i++) {
        zone_query();
        same = same_answers();
    }
    buffer_clear(&text);
    return same;
}

/* Each block's first and last number is found, and what lies beside is not. */
static bool edges_hold(void)
{
    bool same = true;
    for (int i = 2047; i < ZONE_NODES && same; i += i % 2048 == 0 ? 2047 : 1) {
        const char *wanted = "1|\n";
        Buffer now = {0};
        char query[160];
        snprintf(query, sizeof query,
                 "MATCH (n:Z) WHERE n.p0 = %d AND n.p1 <= %d AND n.p4 >= %d / 8.0 - 1000 RETURN "
                 "count(*)",
                 i, 20000 - i, i);
        run_in(session, query, &now);
        same = str_equal(buffer_view(&now), str_from(wanted));
        buffer_free(&now);
    }
    return same;
}

/* Numbers that ascend, descend, are one, any, decimals, large, missing, of several kinds; as a segment
 * has them, and with changes of all kinds on top, which an older view does not see. */
static void left_out_blocks(const char *folder)
{
    Buffer before = {0}, now = {0};
    contextql *old;
    state = 4711;
    buffer_clear(&text);
    contextql_open(folder, &(contextql_options){.create = true}, &session);
    buffer_printf(
        &text,
        "UNWIND range(0, %d) AS i CREATE (:Z {i: i, p0: i, p1: 20000 - i, p2: 7, p3: i * "
        "7919 %% 20011 - 10000, p4: i / 8.0 - 1000, p5: 9007199254740990 + i, p6: CASE WHEN "
        "i %% 5000 < 2100 THEN null ELSE i END, p7: CASE i / 3000 WHEN 1 THEN 'x' WHEN 2 "
        "THEN 0.1 * i ELSE -i END})",
        ZONE_NODES - 1);
    execute();
    contextql_close(session);
    contextql_open(folder, &(contextql_options){.create = true}, &session);
    run_in(session, "MATCH (n:Z) RETURN count(n)", &now);
    EXPECT(str_equal(buffer_view(&now), STR("20000|\n")));
    run_in(session, "EXPLAIN MATCH (n:Z) WHERE n.p0 > 3 RETURN n", &now);
    EXPECT(strstr(now.data, "in blocks with .p0 > 3") != NULL);
    EXPECT(edges_hold() && zones_hold(300));
    contextql_connect(session, &old);
    run_in(old, "BEGIN", &now);
    run_in(old, "MATCH (n:Z) WHERE n.p0 < 5000 RETURN count(*), sum(n.p3)", &before);
    static const char *const changes[] = {
        "MATCH (n:Z) WHERE n.i % 17 = 0 SET n.p0 = 30000 - n.p0, n.p2 = n.i",
        "MATCH (n:Z) WHERE n.i % 1000 = 1 SET n.p1 = 'text', n.p4 = null",
        "MATCH (n:Z) WHERE n.i > 15000 DETACH DELETE n",
        "UNWIND range(0, 4999) AS i CREATE (:Z {i: -i, p0: -i, p3: i * 100, p5: i})",
        "MATCH (n) WHERE n.p0 < 100 SET n.p0 = n.p0 + 40000"};
    for (size_t c = 0; c < sizeof changes / sizeof *changes; c++) {
        run_in(session, changes[c], &now);
        EXPECT(now.bytes == 0 && zones_hold(60));
        run_in(old, "MATCH (n:Z) WHERE n.p0 < 5000 RETURN count(*), sum(n.p3)", &now);
        EXPECT(str_equal(buffer_view(&now), buffer_view(&before)));
    }
    contextql_close(old);
    contextql_close(session);
    contextql_open(folder, NULL, &session);
    EXPECT(zones_hold(100));
    contextql_close(session);
    buffer_free(&before), buffer_free(&now);
}

int main(int argc, char **argv)
{
    char folder[] = "optimizer-XXXXXX", command[64];
    uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 10) : 1;
    unsigned long rounds = argc > 2 ? strtoul(argv[2], NULL, 10) : 40;
    for (unsigned long round = 0; round < rounds; round++) {
        uint32_t good = 0;
        state = seed + round;
        contextql_open(":memory:", NULL, &session);
        make_graph();
        for (uint32_t i = 0; i < QUERIES; i++) {
            buffer_clear(&text);
            random_query();
            good += same_answers();
            buffer_clear(&text);
        }
        if (good < QUERIES) printf("# seed %llu\n", (unsigned long long)(seed + round));
        EXPECT(good == QUERIES);
        contextql_close(session);
    }
    for (unsigned long round = 0; round < rounds / 10; round++)
        shortest_trails(seed + round);
    old_views();
    best_rows();
    if (mkdtemp(folder) == NULL) return 99;
    left_out_blocks(folder);
    snprintf(command, sizeof command, "rm -r %s", folder);
    if (system(command) != 0) return 99;
    buffer_free(&text);
    return DONE();
}
