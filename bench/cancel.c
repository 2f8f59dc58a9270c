/*
 * cancel.c - how soon a statement ends after contextql_interrupt, which is what Ctrl-C calls.
 *
 *     bench/cancel [NAME]
 *
 * Each of these statements runs for a while, or would run for ever, on a graph of 200,000 nodes and
 * 1,000,000 relationships in memory, or reads a file of 5,000,000 rows. It is interrupted while it runs,
 * at several moments; the longest wait counts. Behind each the session must still be in its transaction,
 * and nothing may stay of what was written.
 *
 * So are the tools of the command line that take long, as programs of their own (CONTEXTQL, or else
 * src/contextql), on such a graph on a disk: from SIGINT to the end of the program, which leaves no target.
 */
#include "config.h"

#include "contextql.h"
#include "measure.h"
#include "session.h"
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    NODES = 200000,
    RELATIONSHIPS = 1000000,
    MOMENTS = 8,
    RUN_US_MAX = 1500000 /* the moments lie in so much of a run */
};

typedef struct Interruption {
    contextql *session;
    unsigned after_us;
    double at_us, used_us; /* when; the processor's time of the statement's thread until then */
    clockid_t clock;
    atomic_bool done; /* the statement has ended by itself */
} Interruption;

typedef struct Wait {
    double us, used_us, took_us; /* took: from the beginning */
} Wait;

static const struct {
    const char *name, *text;
} cases[] = {
    {"cross product, counted", "MATCH (a), (b) WHERE a.n < b.n RETURN count(*)"},
    {"sort", "UNWIND range(1, 20000000) AS n RETURN n ORDER BY -n LIMIT 20000000"},
    {"sort, from the relationships", "MATCH ()-[r]->() RETURN r.w AS w ORDER BY w % 1000 DESC, w"},
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
    {"vector index", "CREATE VECTOR INDEX made FOR (a:N) ON (a.v) OPTIONS {dimensions: 4}"},
    {"constraint", "CREATE CONSTRAINT made FOR (a:N) REQUIRE a.text IS UNIQUE"},
    {"load", "COPY :Row FROM 'rows.csv'"},
    {"load, row by row",
     "LOAD FROM 'rows.csv' AS row CREATE (:Row {a: row.a, b: row.b, c: row.c})"},
    {"rows of a file", "LOAD FROM 'rows.csv' AS row RETURN sum(toInteger(row.a))"},
    {"copy to a file", "COPY (UNWIND range(1, 20000000) AS n RETURN n, 'text') TO 'out.csv'"},
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

/* Of a thread, by its clock: on a busy machine it says how long it would have taken on a free one. */
static double used_us(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static void *interrupt(void *state)
{
    Interruption *interruption = state;
    usleep(interruption->after_us);
    interruption->at_us = now_us();
    interruption->used_us = used_us(interruption->clock);
    if (!atomic_load(&interruption->done)) contextql_interrupt(interruption->session);
    return NULL;
}

/* Microseconds from the interrupt to the end, and of the processor; below 0: it had ended before. */
static Wait wait_of(contextql *session, const char *text, unsigned after_us)
{
    pthread_t thread;
    Interruption interruption = {.session = session, .after_us = after_us};
    pthread_getcpuclockid(pthread_self(), &interruption.clock);
    contextql_statement *statement = prepare(session, text);
    double began = now_us();
    if (pthread_create(&thread, NULL, interrupt, &interruption) != 0) exit(1);
    int code = run(statement);
    double ended = now_us(), used = used_us(interruption.clock);
    atomic_store(&interruption.done, true);
    pthread_join(thread, NULL);
    contextql_finalize(statement);
    if (code == CONTEXTQL_DONE) return (Wait){-1, -1, ended - began};
    if (code != CONTEXTQL_CANCELLED) die(text, session);
    return (Wait){ended - interruption.at_us, used - interruption.used_us, ended - began};
}

static int64_t count(contextql *session, const char *text)
{
    contextql_statement *statement = prepare(session, text);
    if (contextql_step(statement) != CONTEXTQL_ROW) die(text, session);
    int64_t value = contextql_value_integer(contextql_column(statement, 0));
    contextql_finalize(statement);
    return value;
}

/* ---- tools ---- */

static const char stored[] = "cancel.cqldb", made[] = "cancel-made.cqldb", dumped[] = "cancel.dump";
static const struct {
    const char *name, *arguments[3];
} tools[] = {{"contextql check", {stored}},
             {"contextql backup", {stored, made}},
             {"contextql recover", {stored, made}},
             {"contextql dump", {stored}},
             {"contextql import", {made, dumped}}};

static pid_t start(const char *name, const char *const *arguments, const char *output)
{
    pid_t child = fork();
    if (child != 0) return child;
    const char *program = getenv("CONTEXTQL");
    if (program == NULL) program = "src/contextql";
    int file = open(output, O_WRONLY | O_CREAT | O_TRUNC, 0600),
        silence = open("/dev/null", O_WRONLY);
    if (file >= 0) dup2(file, STDOUT_FILENO);
    if (silence >= 0) dup2(silence, STDERR_FILENO);
    execl(program, program, strchr(name, ' ') + 1, arguments[0], arguments[1], (char *)NULL);
    _exit(1);
}

static void remove_made(void)
{
    char command[64];
    snprintf(command, sizeof command, "rm -rf %s", made);
    if (system(command) != 0) exit(1);
}

/* As wait_of; the processor's time is not told. 0: it is not interrupted. */
static Wait tool_wait(const char *name, const char *const *arguments, unsigned after_us)
{
    int status;
    double began = now_us();
    pid_t child = start(name, arguments, "/dev/null");
    if (after_us > 0) usleep(after_us);
    double at_us = now_us();
    if (after_us > 0) kill(child, SIGINT);
    if (waitpid(child, &status, 0) != child) exit(1);
    double ended = now_us();
    bool left = access(made, F_OK) == 0;
    if (left) remove_made();
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return (Wait){-1, -1, ended - began};
    bool cancelled = WIFSIGNALED(status) ? WTERMSIG(status) == SIGINT : WEXITSTATUS(status) == 130;
    if (!cancelled || left) {
        fprintf(stderr, "bench/cancel: %s: %s\n", name, left ? "something stayed" : "failed");
        exit(1);
    }
    return (Wait){ended - at_us, -1, ended - began};
}

static void make_stored(void)
{
    contextql *session;
    int status;
    char command[64];
    snprintf(command, sizeof command, "rm -rf %s", stored);
    if (system(command) != 0) exit(1);
    remove_made();
    if (contextql_open(stored, NULL, &session) != CONTEXTQL_OK) die("open", session);
    make_graph(session);
    must(session, "CREATE INDEX FOR (a:N) ON (a.text)");
    must(session, "CREATE SNAPSHOT before");
    must(session, "MATCH (a:N) WHERE a.n % 10 = 0 SET a.text = 'another'");
    if (contextql_close(session) != CONTEXTQL_OK) exit(1);
    if (waitpid(start("contextql dump", (const char *const[]){stored, NULL}, dumped), &status, 0) <
        0)
        exit(1);
}

static double measure_tools(const char *only)
{
    double worst = 0;
    make_stored();
    for (size_t i = 0; i < sizeof tools / sizeof *tools; i++) {
        if (only != NULL && strcmp(only, tools[i].name) != 0) continue;
        double longest = -1;
        double took_us = tool_wait(tools[i].name, tools[i].arguments, 0).took_us;
        for (int k = 0; k < MOMENTS; k++) {
            Wait wait = tool_wait(tools[i].name, tools[i].arguments,
                                  (unsigned)(took_us * (2 * k + 1) / (2 * MOMENTS)));
            if (wait.us > longest) longest = wait.us;
            if (getenv("EACH")) printf("   %d: %.2f\n", k, wait.us / 1000);
        }
        printf("%-28s %8.2f ms of %.0f\n", tools[i].name, longest / 1000, took_us / 1000);
        fflush(stdout);
        if (longest > worst) worst = longest;
    }
    unlink(dumped);
    return worst;
}

int main(int argc, char **argv)
{
    contextql *session;
    double worst = 0;
    if (argc > 1 && strncmp(argv[1], "contextql", strlen("contextql")) == 0)
        return measure_tools(strchr(argv[1], ' ') == NULL ? NULL : argv[1]) < 0;
    if (contextql_open(":memory:", NULL, &session) != CONTEXTQL_OK) die("open", session);
    make_graph(session);
    int64_t before = count(session, "MATCH (a) RETURN count(a)");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Wait longest = {-1, -1, 0};
        if (argc > 1 && strcmp(argv[1], cases[i].name) != 0) continue;
        must(session, "BEGIN");
        double took_us = wait_of(session, cases[i].text, RUN_US_MAX).took_us;
        must(session, "ROLLBACK");
        if (took_us > RUN_US_MAX) took_us = RUN_US_MAX;
        for (int k = 0; k < MOMENTS; k++) {
            must(session, "BEGIN");
            Wait wait =
                wait_of(session, cases[i].text, (unsigned)(took_us * (2 * k + 1) / (2 * MOMENTS)));
            must(session, "ROLLBACK");
            if (wait.us > longest.us) longest.us = wait.us;
            if (wait.used_us > longest.used_us) longest.used_us = wait.used_us;
        }
        if (longest.us < 0)
            printf("%-28s ended by itself, in %.0f ms\n", cases[i].name, took_us / 1000);
        else
            printf("%-28s %8.2f ms, of the processor %8.2f\n", cases[i].name, longest.us / 1000,
                   longest.used_us / 1000);
        fflush(stdout);
        if (longest.us > worst) worst = longest.us;
        if (count(session, "MATCH (a) RETURN count(a)") != before) die("something stayed", session);
    }
    contextql_close(session);
    double tool = argc > 1 ? 0 : measure_tools(NULL);
    printf("the longest wait: %.2f ms\n", (tool > worst ? tool : worst) / 1000);
    unlink("rows.csv");
    unlink("out.csv");
    return 0;
}
