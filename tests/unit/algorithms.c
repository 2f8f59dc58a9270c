/* Graph algorithms against definitions followed to the letter, slowly: random graphs with loops and
 * parallel relationships, of which the algorithms see a part. */
#include "config.h"

#include "base/map.h"
#include "base/str.h"
#include "contextql.h"
#include "test.h"
#include <math.h>
#include <stdlib.h>

enum { NODES = 24, ROUNDS = 25 };

static contextql *session;
static uint64_t state;
static int links[NODES][NODES]; /* how many relationships of type R, from and to */
static bool asked[NODES];       /* nodes of label A; k is the index */
static double given[NODES];     /* what the algorithm says, by k; NAN: no row */
static int64_t ids[NODES];

static uint32_t chance(uint32_t below)
{
    return (uint32_t)(random_next(&state) % below);
}

/* Runs a statement; with rows of (k, number) fills `out` by k. */
static int run(const char *text, double *out)
{
    contextql_statement *statement;
    int result = contextql_prepare(session, text, strlen(text), &statement, NULL);
    if (result != CONTEXTQL_OK) return result;
    while ((result = contextql_step(statement)) == CONTEXTQL_ROW && out != NULL)
        out[contextql_value_integer(contextql_column(statement, 0))] =
            contextql_value_float(contextql_column(statement, 1));
    contextql_finalize(statement);
    return result;
}

static bool ask(const char *call)
{
    char text[512];
    for (int i = 0; i < NODES; i++)
        given[i] = NAN;
    snprintf(text, sizeof text, "CALL %s AS x RETURN node.k, toFloat(x)", call);
    if (run(text, given) != CONTEXTQL_DONE) return false;
    for (int i = 0; i < NODES; i++)
        if (isnan(given[i]) == asked[i]) return false;
    return true;
}

static void make_graph(uint32_t edges)
{
    Buffer text = {0};
    double numbers[NODES];
    contextql_open(":memory:", NULL, &session);
    memset(links, 0, sizeof links);
    buffer_text(&text, "UNWIND [");
    for (uint32_t i = 0; i < NODES; i++)
        asked[i] = chance(8) > 0;
    for (uint32_t i = 0; i < edges; i++) {
        uint32_t from = chance(NODES), to = chance(3) ? chance(NODES) : chance(4), type = chance(6);
        if (type > 0) links[from][to]++;
        buffer_printf(&text, "%s[%u, %u, %u]", i > 0 ? ", " : "", from, to, type);
    }
    buffer_text(&text,
                "] AS e MATCH (a {k: e[0]}), (b {k: e[1]}) "
                "FOREACH (x IN CASE WHEN e[2] > 0 THEN [1] ELSE [] END | CREATE (a)-[:R]->(b)) "
                "FOREACH (x IN CASE WHEN e[2] > 0 THEN [] ELSE [1] END | CREATE (a)-[:S]->(b))");
    buffer_char(&text, '\0');
    for (uint32_t i = 0; i < NODES; i++) {
        char node[64];
        snprintf(node, sizeof node, "CREATE (%s {k: %u})", asked[i] ? ":A" : ":B", i);
        run(node, NULL);
    }
    run(text.data, NULL);
    buffer_free(&text);
    run("MATCH (n) RETURN n.k, toFloat(id(n))", numbers);
    for (int i = 0; i < NODES; i++)
        ids[i] = (int64_t)numbers[i];
    for (int i = 0; i < NODES; i++) /* the algorithms are asked about A and R only */
        for (int j = 0; j < NODES; j++)
            if (!asked[i] || !asked[j]) links[i][j] = 0;
}

static bool near(double a, double b)
{
    return fabs(a - b) <= 1e-6 * (1 + fabs(a) + fabs(b));
}

static bool next_to(int i, int j)
{
    return i != j && (links[i][j] > 0 || links[j][i] > 0);
}

#define EACH(i)                                                                                    \
    for (int i = 0; i < NODES; i++)                                                                \
        if (asked[i])

static bool right_ranks(void)
{
    double score[NODES], next[NODES], count = 0;
    bool right = true;
    EACH(i) count++;
    EACH(i) score[i] = 1 / count;
    for (int round = 0; round < 400; round++) {
        EACH(i) next[i] = 0.2 / count;
        EACH(i)
        {
            int out = 0;
            EACH(j) out += links[i][j];
            EACH(j) next[j] += 0.8 * (out > 0 ? score[i] * links[i][j] / out : score[i] / count);
        }
        memcpy(score, next, sizeof score);
    }
    right = ask("graph.pagerank({label: 'A', types: ['R'], damping: 0.8, tolerance: 1e-12, "
                "iterations: 1000}) YIELD node, score");
    EACH(i) right = right && near(given[i], score[i]);
    return right;
}

static bool right_components(void)
{
    int component[NODES];
    for (int i = 0; i < NODES; i++)
        component[i] = i;
    for (int round = 0; round < NODES; round++)
        EACH(i)
    EACH(j) if (next_to(i, j) && ids[component[j]] < ids[component[i]]) component[i] = component[j];
    bool right = ask("graph.components({label: 'A', types: 'R'}) YIELD node, component");
    EACH(i) right = right && given[i] == (double)ids[component[i]];
    return right;
}

static bool right_triangles(void)
{
    bool right = ask("graph.triangles({label: 'A', types: ['R']}) YIELD node, triangles");
    EACH(a)
    {
        int count = 0;
        EACH(b)
        for (int c = 0; c < b; c++)
            count += next_to(a, b) && next_to(a, c) && next_to(b, c);
        right = right && given[a] == count;
    }
    return right;
}

static bool right_cores(void)
{
    int core[NODES] = {0};
    for (int k = 1; k < NODES; k++) {
        bool in[NODES];
        memcpy(in, asked, sizeof in);
        for (int round = 0; round < NODES; round++)
            EACH(i)
            {
                int count = 0;
                EACH(j) count += in[j] && next_to(i, j);
                in[i] = in[i] && count >= k;
            }
        EACH(i) if (in[i]) core[i] = k;
    }
    bool right = ask("graph.cores({label: 'A', types: ['R']}) YIELD node, core");
    EACH(i) right = right && given[i] == core[i];
    return right;
}

/* Of every pair the shortest paths, counted by matrices. */
static bool right_betweenness(bool directed)
{
    int distance[NODES][NODES];
    double paths[NODES][NODES], score[NODES] = {0};
    for (int i = 0; i < NODES; i++)
        for (int j = 0; j < NODES; j++) {
            distance[i][j] = i == j ? 0 : NODES * 2;
            paths[i][j] = i == j;
        }
    for (int length = 1; length < NODES; length++) /* paths grow by a last hop */
        EACH(s) EACH(v) EACH(t)
        {
            bool hop = v != t && (directed ? links[v][t] > 0 : next_to(v, t));
            if (!hop || distance[s][v] != length - 1 || distance[s][t] < length) continue;
            distance[s][t] = length;
            paths[s][t] += paths[s][v];
        }
    EACH(s)
    EACH(t)
    EACH(v)
    if (s != t && v != s && v != t && distance[s][t] < NODES * 2 &&
        distance[s][v] + distance[v][t] == distance[s][t])
        score[v] += paths[s][v] * paths[v][t] / paths[s][t];
    bool right =
        ask(directed ? "graph.betweenness({label: 'A', types: ['R'], samples: 0}) YIELD node, "
                       "score"
                     : "graph.betweenness({label: 'A', types: ['R'], samples: 0, directed: "
                       "false}) YIELD node, score");
    EACH(i) right = right && near(given[i], directed ? score[i] : score[i] / 2);
    return right;
}

static double modularity(const double *community)
{
    double all = 0, sum = 0, degree[NODES] = {0};
    EACH(i) EACH(j) degree[i] += next_to(i, j);
    EACH(i) all += degree[i];
    EACH(i)
    EACH(j)
    if (community[i] == community[j])
        sum += next_to(i, j) - (all > 0 ? degree[i] * degree[j] / all : 0);
    return all > 0 ? sum / all : 0;
}

/* No worse than everybody alone, than what hangs together, and than joining any two of them; each is
 * named by its lowest id and hangs together. */
static bool right_communities(void)
{
    double own[NODES], other[NODES];
    bool right = ask("graph.components({label: 'A', types: ['R']}) YIELD node, component");
    memcpy(other, given, sizeof other);
    right =
        right &&
        ask("graph.communities({label: 'A', types: ['R'], iterations: 100}) YIELD node, community");
    memcpy(own, given, sizeof own);
    double best = modularity(own) + 1e-9;
    right = right && best >= modularity(other);
    EACH(i) other[i] = i;
    right = right && best >= modularity(other);
    EACH(a) EACH(b)
    {
        EACH(i) other[i] = own[i] == own[a] ? own[b] : own[i];
        right = right && best >= modularity(other);
    }
    EACH(i) EACH(j) if (ids[j] < own[i]) right = right && own[j] != own[i];
    return right;
}

static double weight(int from, int to)
{
    return (from * 7 + to * 3) % 11 * 0.5;
}

/* Distances by Bellman and Ford; every path is as heavy as it is told, and as its parts together. */
static bool right_paths(const char *direction)
{
    double distance[NODES], found[NODES], sums[NODES];
    char text[512];
    int from = 0;
    bool right = true;
    EACH(i) from = i;
    run("MATCH (a)-[r]->(b) SET r.w = (a.k * 7 + b.k * 3) % 11 * 0.5", NULL);
    for (int i = 0; i < NODES; i++)
        distance[i] = i == from && asked[i] ? 0 : INFINITY, found[i] = sums[i] = INFINITY;
    for (int round = 0; round < NODES; round++)
        EACH(i)
    EACH(j)
    {
        bool out = links[i][j] > 0 && direction[0] != 'i',
             in = links[j][i] > 0 && direction[0] != 'o';
        if (out && distance[i] + weight(i, j) < distance[j])
            distance[j] = distance[i] + weight(i, j);
        if (in && distance[i] + weight(j, i) < distance[j])
            distance[j] = distance[i] + weight(j, i);
    }
    snprintf(
        text, sizeof text,
        "MATCH (a {k: %d}) CALL graph.distances({from: a, weight: 'w', label: 'A', types: 'R', "
        "direction: '%s'}) YIELD node, distance RETURN node.k, distance",
        from, direction);
    right = run(text, found) == CONTEXTQL_DONE;
    for (int i = 0; i < NODES; i++)
        right = right && found[i] == distance[i]; /* halves add up exactly */
    snprintf(text, sizeof text,
             "MATCH (a {k: %d}), (b) CALL graph.path({from: a, to: b, weight: 'w', label: 'A', "
             "types: 'R', direction: '%s'}) YIELD path, cost WITH b, path, cost WHERE cost = "
             "reduce(s = 0.0, r IN relationships(path) | s + r.w) AND last(nodes(path)) = b AND "
             "head(nodes(path)) = a RETURN b.k, cost",
             from, direction);
    right = right && run(text, sums) == CONTEXTQL_DONE;
    for (int i = 0; i < NODES; i++)
        right = right && sums[i] == distance[i];
    return right;
}

static bool fails(const char *call, int code)
{
    contextql_error_info info;
    char text[256];
    snprintf(text, sizeof text, "CALL %s", call);
    run(text, NULL);
    contextql_error(session, &info);
    return info.code == code;
}

static void limits(void)
{
    contextql_open(":memory:", NULL, &session);
    run("UNWIND range(1, 20000) AS i CREATE (:A {k: 0})-[:R]->(:A {k: 1})", NULL);
    EXPECT(fails("graph.pagerank({damping: 2})", 3010));
    EXPECT(fails("graph.pagerank({damping: 'x'})", 3001));
    EXPECT(fails("graph.pagerank({dampening: 1})", 3002));
    EXPECT(fails("graph.components({types: 7})", 3001));
    EXPECT(fails("graph.components({label: ['A']})", 3001));
    EXPECT(run("CALL graph.components({types: 'none', label: 'nobody'})", NULL) == CONTEXTQL_DONE);
    EXPECT(run("CALL graph.cores()", NULL) == CONTEXTQL_ROW);
    EXPECT(run("CALL graph.cores() YIELD node, core RETURN 1, toFloat(core)", given) ==
           CONTEXTQL_DONE);
    EXPECT(fails("graph.path()", 3001)); /* it wants its ends */
    EXPECT(fails("graph.distances({from: 1})", 3001));
    contextql_set(session, "memory_limit", "200000");
    EXPECT(fails("graph.pagerank({})", 4012));
    contextql_set(session, "memory_limit", "0");
    contextql_set(session, "timeout", "0.000001");
    EXPECT(fails("graph.betweenness({samples: 0})", CONTEXTQL_TIMEOUT));
    contextql_set(session, "timeout", "0");
    EXPECT(run("CALL graph.cores({}) YIELD node, core WITH node, core WHERE core > 1 RETURN 1, 1.0",
               given) == CONTEXTQL_DONE);
    contextql_close(session);
}

int main(void)
{
    for (uint32_t round = 0; round < ROUNDS; round++) {
        state = round;
        make_graph(round * 4);
        EXPECT(right_ranks() && right_components() && right_triangles());
        EXPECT(right_cores() && right_betweenness(true) && right_betweenness(false));
        EXPECT(right_communities());
        EXPECT(right_paths("out") && right_paths("in") && right_paths("both"));
        contextql_close(session);
    }
    limits();
    return DONE();
}
