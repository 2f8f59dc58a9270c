/*
 * cancel.c - how soon a statement ends after contextql_interrupt, which is what Ctrl-C calls.
 *
 *     bench/cancel
 *
 * Each of these statements would run for seconds or longer on a graph of 200,000 nodes and 1,000,000
 * relationships in memory. It is interrupted while it runs, at several moments; the longest wait counts.
 * Behind each the session must still be in its transaction, and nothing may stay of what was written.
 */
#include "config.h"

#include "contextql.h"
#include "measure.h"
#include "session.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { NODES = 200000, RELATIONSHIPS = 1000000, MOMENTS = 5 };

typedef struct Interruption {
    contextql *session;
    unsigned after_us;
    double at_us;
    atomic_bool done; /* the statement has ended by itself */
} Interruption;

static const struct {
    const char *name, *text;
} cases[] = {
    {"cross product, counted", "MATCH (a), (b) WHERE a.n < b.n RETURN count(*)"},
    {"sort", "UNWIND range(1, 20000000) AS n RETURN n ORDER BY -n LIMIT 20000000"},
    {"group", "UNWIND range(1, 20000000) AS n RETURN n % 5000000 AS k, count(*)"},
    {"distinct", "UNWIND range(1, 20000000) AS n RETURN DISTINCT n"},
    {"trails", "MATCH (a:N {n: 1})-[*1..9]->(b) RETURN count(*)"},
    {"4-paths", "MATCH (a)-->(b)-->(c)-->(d)-->(e) WHERE a.n + e.n = 7 RETURN count(*)"},
    {"shortest paths", "MATCH (a:N), (b:N) MATCH p = shortestPath((a)-[*]-(b)) RETURN count(p)"},
    {"all shortest paths",
     "MATCH (a:N), (b:N) MATCH p = allShortestPaths((a)-[*]->(b)) RETURN count(p)"},
    {"one list", "RETURN size([n IN range(1, 50000000) WHERE n % 7 = 0 | n * n])"},
    {"reduce", "RETURN reduce(s = 0, n IN range(1, 50000000) | s + n)"},
    {"one text", "RETURN size(reduce(s = '', n IN range(1, 1000000) | s + 'abcdefgh'))"},
    {"regular expression", "RETURN 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab' =~ '(a+a+)+c'"},
    {"pagerank",
     "CALL graph.pagerank({iterations: 100000, tolerance: 0.0}) YIELD node RETURN count(*)"},
    {"betweenness", "CALL graph.betweenness({samples: 0}) YIELD node RETURN count(*)"},
    {"triangles", "CALL graph.triangles({}) YIELD node RETURN count(*)"},
    {"communities", "CALL graph.communities({}) YIELD node RETURN count(*)"},
    {"create", "UNWIND range(1, 50000000) AS n CREATE (:Made {n: n})"},
    {"merge", "UNWIND range(1, 50000000) AS n MERGE (:Made {n: n})"},
    {"set", "MATCH (a:N) UNWIND range(1, 1000) AS i SET a.x = i"},
    {"delete", "MATCH (a:N) DETACH DELETE a"},
    {"index", "CREATE INDEX made FOR (a:N) ON (a.text)"},
    {"load", "COPY :Row FROM 'rows.csv'"},
    {"vectors",
     "UNWIND range(1, 1000) AS i MATCH (a:N) VECTOR a.v SIMILAR TO [1.0, i, 3, 4] LIMIT 3 "
     "RETURN count(*)"},
    {"sub-query", "MATCH (a:N) RETURN sum(count { (a)-->()-->()-->() })"}};

static void die(const char *what, const contextql *session)
{
    contextql_error_info info;
    contextql_error(session, &info);
    fprintf(stderr, "bench/cancel: %s: %s\n", what, info.message);
    exit(1);
}

static int run(contextql_statement *statement)
{
    int code;
    while ((code = contextql_step(statement)) == CONTEXTQL_ROW)
        continue;
    return code;
}

static void must(contextql *session, const char *text)
{
    contextql_statement *statement = prepare(session, text);
    if (run(statement) != CONTEXTQL_DONE) die(text, session);
    contextql_finalize(statement);
}

static void make_graph(contextql *session)
{
    char text[512];
    snprintf(text, sizeof text,
             "UNWIND range(0, %d) AS n CREATE (:N {n: n, text: 'text ' + toString(n), v: "
             "vector([n %% 7, 1.0, n %% 3, 2.0])})",
             NODES - 1);
    must(session, "CREATE INDEX FOR (a:N) ON (a.n)");
    must(session, text);
    snprintf(
        text, sizeof text,
        "UNWIND range(1, %d) AS i MATCH (a:N {n: (i * 7919) %% %d}), (b:N {n: (i * 104729 + i / "
        "3) %% %d}) CREATE (a)-[:R {w: i}]->(b)",
        RELATIONSHIPS, NODES, NODES);
    must(session, text);
    FILE *file = fopen("rows.csv", "w");
    if (file == NULL) exit(1);
    fputs("a,b,c\n", file);
    for (int i = 0; i < 5000000; i++)
        fprintf(file, "%d,some text of row %d,%d.5\n", i, i, i);
    fclose(file);
}

static void *interrupt(void *state)
{
    Interruption *interruption = state;
    usleep(interruption->after_us);
    interruption->at_us = now_us();
    if (!atomic_load(&interruption->done)) contextql_interrupt(interruption->session);
    return NULL;
}

/* Microseconds from the interrupt to the end; below 0: it had ended before. */
static double wait_of(contextql *session, const char *text, unsigned after_us)
{
    pthread_t thread;
    Interruption interruption = {.session = session, .after_us = after_us};
    contextql_statement *statement = prepare(session, text);
    if (pthread_create(&thread, NULL, interrupt, &interruption) != 0) exit(1);
    int code = run(statement);
    double ended = now_us();
    atomic_store(&interruption.done, true);
    pthread_join(thread, NULL);
    contextql_finalize(statement);
    if (code == CONTEXTQL_DONE) return -1;
    if (code != CONTEXTQL_CANCELLED) die(text, session);
    return ended - interruption.at_us;
}

static int64_t count(contextql *session, const char *text)
{
    contextql_statement *statement = prepare(session, text);
    if (contextql_step(statement) != CONTEXTQL_ROW) die(text, session);
    int64_t value = contextql_value_integer(contextql_column(statement, 0));
    contextql_finalize(statement);
    return value;
}

int main(void)
{
    contextql *session;
    double worst = 0;
    if (contextql_open(":memory:", NULL, &session) != CONTEXTQL_OK) die("open", session);
    make_graph(session);
    int64_t before = count(session, "MATCH (a) RETURN count(a)");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        double longest = -1;
        for (int k = 1; k <= MOMENTS; k++) {
            must(session, "BEGIN");
            double us = wait_of(session, cases[i].text, (unsigned)(30000 * k * k));
            must(session, "ROLLBACK");
            if (us > longest) longest = us;
        }
        if (longest < 0)
            printf("%-22s ended by itself\n", cases[i].name);
        else
            printf("%-22s %8.2f ms\n", cases[i].name, longest / 1000);
        fflush(stdout);
        if (longest > worst) worst = longest;
        if (count(session, "MATCH (a) RETURN count(a)") != before) die("something stayed", session);
    }
    printf("the longest wait: %.2f ms\n", worst / 1000);
    contextql_close(session);
    unlink("rows.csv");
    return 0;
}
