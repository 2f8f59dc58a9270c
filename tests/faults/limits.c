/*
 * limits.c - memory_limit holds: whatever is asked, the process takes no more than the limit and a
 * documented slack, and lives.
 *
 * Each child has RLIMIT_DATA set to the limit and the slack, so that the machine itself refuses what goes
 * beyond, and asks what would take far more: rows, groups, lists, texts, transactions, loads, indexes,
 * eight sessions at once. Every statement must give its answer or the error of the limit, and name who
 * needed the memory; afterwards the same session still reads and writes, and what was not committed is
 * not there. A machine that refuses without a limit of ours is the last case: statements fail then, too.
 *
 * Sanitizers map far more than any limit: under them only the errors are looked at.
 */
#include "config.h"

#include "base/memory.h"
#include "contextql.h"
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef __has_feature
#define __has_feature(feature) 0
#endif
#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__ ||                                 \
    __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
enum { SANITIZED = 1 };
#else
enum { SANITIZED = 0 };
#endif

/* The slack of contextql(1): stacks of threads, what malloc, sqlite and the C library keep for
 * themselves, and what is taken between two questions. */
enum { LIMIT_BYTES = 48 << 20, SLACK_BYTES = 64 << 20, LIMIT_CODE = 4012, SESSIONS = 8 };

static char folder[] = "limits-XXXXXX", rows_file[64], links_file[64];

/* ---- asking ---- */

typedef struct Answer {
    int result;
    int64_t number; /* the first column of the last row, if it is one */
    char message[256];
} Answer;

static Answer ask(contextql *session, const char *text)
{
    Answer answer = {.result = CONTEXTQL_MISUSE};
    contextql_statement *statement = NULL;
    contextql_error_info info;
    answer.result = contextql_prepare(session, text, strlen(text), &statement, NULL);
    if (answer.result == CONTEXTQL_OK)
        while ((answer.result = contextql_step(statement)) == CONTEXTQL_ROW)
            answer.number = contextql_value_integer(contextql_column(statement, 0));
    contextql_error(session, &info);
    if (answer.result != CONTEXTQL_DONE)
        snprintf(answer.message, sizeof answer.message, "%s", info.message);
    contextql_finalize(statement);
    return answer;
}

static contextql *open_limited(const char *directory, uint64_t limit)
{
    const contextql_options options = {.create = true, .memory_bytes_max = limit};
    contextql *session = NULL;
    bool open = contextql_open(directory, &options, &session) == CONTEXTQL_OK;
    if (open && contextql_set(session, "spill_limit", "4M") == CONTEXTQL_OK) return session;
    contextql_close(session);
    return NULL;
}

static bool wanted(contextql *session, const char *text, int result, const char *what)
{
    Answer answer = ask(session, text);
    bool good =
        answer.result == result &&
        (result != LIMIT_CODE || (strncmp(answer.message, what, strlen(what)) == 0 &&
                                  strstr(answer.message, " needs more memory than ") != NULL));
    if (!good)
        printf("# %s\n# gave %d %s, not %d %s\n", text, answer.result, answer.message, result,
               what);
    return good;
}

/* Reads and writes still, and nothing of what failed is there. */
static bool lives(contextql *session)
{
    return wanted(session, "CREATE (:After)", CONTEXTQL_DONE, "") &&
           ask(session, "MATCH (n:After) RETURN count(n)").number == 1 &&
           ask(session, "MATCH (n:Lost) RETURN count(n)").number == 0 &&
           wanted(session, "MATCH (n:After) DELETE n", CONTEXTQL_DONE, "");
}

/* ---- statements that would take too much ---- */

#define SQUARE "UNWIND range(1, 3000) AS a UNWIND range(1, 3000) AS b "

typedef struct Case {
    const char *text, *who; /* who: how the message begins; "": with one or the other */
} Case;

static const Case reading[] = {
    {"RETURN size(range(1, 50000000)) AS x", "Project"},
    {SQUARE "RETURN collect(a * b) AS c", "Aggregate"},
    {SQUARE "RETURN DISTINCT a * b * 7919 AS c", "Distinct"},
    {SQUARE "RETURN a, b, count(*) AS c", "Aggregate"},
    {SQUARE "RETURN count(DISTINCT a * b * 7919) AS c", "Aggregate"},
    {SQUARE "RETURN a * b AS c ORDER BY c", "Sort"},
    {SQUARE "RETURN toString(a) + ' and ' + b AS c ORDER BY c", "Sort"},
    {"RETURN size(reduce(s = 'x', i IN range(1, 40) | s + s)) AS z", "Project"},
    {"RETURN size(reduce(s = [1], i IN range(1, 40) | s + s)) AS z", "Project"},
    {"UNWIND range(1, 2048) AS i RETURN size(reduce(s = 'x', j IN range(1, 20) | s + s)) AS z",
     "Project"},
    {"WITH reduce(s = 'x', i IN range(1, 20) | s + s) AS s RETURN size(replace(s, 'x', s)) AS z",
     "Project"},
    {"WITH reduce(s = 'x', i IN range(1, 22) | s + s) AS s RETURN size(split(s, '')) AS z",
     "Project"},
    {"RETURN [i IN range(1, 2000000) | [i, i, i, i, i, i, i, i]] AS z", "Project"},
    {"UNWIND range(1, 40) AS i RETURN [(a:N)-[*]->(b:N) | b.i] AS z", "Apply"},
    {"MATCH (a:N), (b:N), (c:N) RETURN a.i, b.i, c.i ORDER BY a.i", "Sort"},
    {"MATCH p = (a:N)-[:NEXT*]->(b:N) RETURN collect(p) AS z", ""},
};

static const Case writing[] = {
    {SQUARE "CREATE (:Lost {a: a, b: b})", "Create"},
    {SQUARE "MERGE (:Lost {a: a * 3000 + b})", "Merge"},
    {"MATCH (a:N), (b:N) CREATE (a)-[:LOST {t: 'some text that is long enough'}]->(b)", "Create"},
    {SQUARE "WITH a, b MATCH (n:N {i: 1}) SET n.t = toString(a * b)", "Set"},
    {"MATCH (n:N) SET n.t = reduce(s = 'x', i IN range(1, 17) | s + s)", "Set"},
};

static bool explode(contextql *session)
{
    bool good =
        wanted(session, "CREATE INDEX ON_I FOR (n:N) ON (n.i)", CONTEXTQL_DONE, "") &&
        wanted(session, "UNWIND range(1, 1000) AS i CREATE (:N {i: i})", CONTEXTQL_DONE, "") &&
        wanted(session, "MATCH (a:N), (b:N {i: a.i + 1}) CREATE (a)-[:NEXT]->(b)", CONTEXTQL_DONE,
               "");
    for (size_t i = 0; i < sizeof reading / sizeof *reading; i++)
        good = wanted(session, reading[i].text, LIMIT_CODE, reading[i].who) && good;
    good = lives(session) && good;
    for (size_t i = 0; i < sizeof writing / sizeof *writing; i++) {
        good = wanted(session, writing[i].text, LIMIT_CODE, writing[i].who) && good;
        good = lives(session) && good;
    }
    return good;
}

static bool explode_in_memory(void)
{
    contextql *session = open_limited(":memory:", LIMIT_BYTES);
    bool good = session != NULL && explode(session);
    contextql_close(session);
    return good;
}

static bool explode_on_disk(void)
{
    char directory[64];
    snprintf(directory, sizeof directory, "%s/explode", folder);
    contextql *session = open_limited(directory, LIMIT_BYTES);
    bool good = session != NULL && explode(session);
    good = contextql_close(session) == CONTEXTQL_OK && good;
    session = open_limited(directory, LIMIT_BYTES);
    good = good && lives(session) && ask(session, "MATCH (n) RETURN count(n)").number == 1000;
    contextql_close(session);
    return good;
}

/* A transaction of many statements, each of which fits: one of them fails, or its end; what it did so
 * far can still be committed or taken back. */
static bool grow_a_transaction(void)
{
    contextql *session = open_limited(":memory:", LIMIT_BYTES);
    if (session == NULL) return false;
    bool good = wanted(session, "BEGIN", CONTEXTQL_DONE, "");
    int64_t made = 0;
    Answer answer = {.result = CONTEXTQL_DONE};
    for (int i = 0; i < 1000 && answer.result == CONTEXTQL_DONE; i++) {
        answer = ask(session, "UNWIND range(1, 5000) AS i CREATE (:Kept {i: i})");
        if (answer.result == CONTEXTQL_DONE) made += 5000;
    }
    good = good && answer.result == LIMIT_CODE && made > 0 &&
           ask(session, "MATCH (n:Kept) RETURN count(n)").number == made &&
           wanted(session, "COMMIT", CONTEXTQL_DONE, "") &&
           ask(session, "MATCH (n:Kept) RETURN count(n)").number == made &&
           wanted(session, "BEGIN", CONTEXTQL_DONE, "") &&
           wanted(session, "MATCH (n:Kept {i: 1}) SET n.i = 0", CONTEXTQL_DONE, "") &&
           wanted(session, "ROLLBACK", CONTEXTQL_DONE, "") &&
           ask(session, "MATCH (n:Kept {i: 0}) RETURN count(n)").number == 0;
    contextql_close(session);
    return good;
}

/* ---- loads ---- */

static bool write_files(void)
{
    enum { ROWS = 1500000 };
    snprintf(rows_file, sizeof rows_file, "%s/rows.csv", folder);
    snprintf(links_file, sizeof links_file, "%s/links.csv", folder);
    FILE *rows = fopen(rows_file, "w"), *links = fopen(links_file, "w");
    if (rows == NULL || links == NULL) return false;
    fputs("id,group,text\n", rows);
    fputs("from,to\n", links);
    for (int i = 0; i < ROWS; i++) {
        fprintf(rows, "%d,%d,this is the text of row %d of them\n", i, i % 1000, i);
        fprintf(links, "%d,%d\n", i, (i * 7) % ROWS);
    }
    bool good = fclose(rows) == 0;
    return fclose(links) == 0 && good;
}

static void text_of(char *out, size_t capacity, const char *format, const char *path)
{
    char whole[4096];
    if (realpath(path, whole) == NULL) whole[0] = '\0';
    snprintf(out, capacity, format, whole);
}

static bool load_too_much(void)
{
    char nodes[8192], links[8192], directory[64];
    text_of(nodes, sizeof nodes, "COPY :Lost FROM '%s' USING {key: 'id'}", rows_file);
    text_of(links, sizeof links,
            "COPY [:LOST] FROM '%s' USING {from: 'Few.id', to: 'Few.id', on_error: 'skip'}",
            links_file);
    snprintf(directory, sizeof directory, "%s/load", folder);
    contextql *session = open_limited(directory, LIMIT_BYTES);
    bool good =
        session != NULL && wanted(session, nodes, LIMIT_CODE, "COPY") && lives(session) &&
        wanted(session, "UNWIND range(0, 50000) AS i CREATE (:Few {id: i})", CONTEXTQL_DONE, "");
    Answer answer = ask(session, links); /* what fits stays */
    good =
        good && (answer.result == CONTEXTQL_DONE || answer.result == LIMIT_CODE) && lives(session);
    contextql_close(session);
    return good;
}

/* Segments are mapped: what lies on the disk is no memory of ours, however much it is. */
static bool look_at_much(void)
{
    char nodes[8192], directory[64];
    text_of(nodes, sizeof nodes, "COPY :Row FROM '%s'", rows_file);
    snprintf(directory, sizeof directory, "%s/much", folder);
    contextql *session = open_limited(directory, 0);
    bool good = session != NULL && wanted(session, nodes, CONTEXTQL_DONE, "");
    good = contextql_close(session) == CONTEXTQL_OK && good;
    uint64_t before = mem_total(), limit = 8 << 20;
    session = open_limited(directory, limit + before);
    static const struct {
        const char *text;
        int64_t number; /* of the one row; -1: there are others */
    } questions[] = {{"MATCH (n:Row) RETURN sum(n.id)", INT64_C(1499999) * 1500000 / 2},
                     {"MATCH (n:Row) RETURN n.group AS g, sum(size(n.text)) AS s, count(*) AS c "
                      "ORDER BY s DESC, g LIMIT 1000",
                      -1},
                     {"MATCH (n:Row) WHERE n.text CONTAINS 'row 1234567 of' RETURN n.id", 1234567},
                     {"MATCH (n:Row) RETURN n.id AS i ORDER BY n.text DESC LIMIT 10", -1}};
    for (size_t i = 0; i < sizeof questions / sizeof *questions && good; i++) {
        Answer answer = session == NULL ? (Answer){.result = -1} : ask(session, questions[i].text);
        good = answer.result == CONTEXTQL_DONE &&
               (questions[i].number < 0 || answer.number == questions[i].number);
        if (!good) printf("# %s gave %d %s\n", questions[i].text, answer.result, answer.message);
    }
    good = good && mem_total() < before + limit + SLACK_BYTES;
    contextql_close(session);
    return good;
}

/* ---- many at once ---- */

typedef struct Crowd {
    contextql *session;
    int number, limited, done, other;
} Crowd;

static void *ask_much(void *user)
{
    Crowd *crowd = user;
    for (int round = 0; round < 3; round++)
        for (size_t i = 0; i < 8; i++) {
            size_t at = (i + (size_t)crowd->number * 3) % 8;
            Answer answer = ask(crowd->session, reading[at].text);
            crowd->limited += answer.result == LIMIT_CODE;
            crowd->done += answer.result == CONTEXTQL_DONE;
            if (answer.result == LIMIT_CODE || answer.result == CONTEXTQL_DONE) continue;
            crowd->other++;
            printf("# %d %s\n", answer.result, answer.message);
        }
    return NULL;
}

static bool ask_together(void)
{
    enum { STACK_BYTES = 512 << 10 };
    Crowd crowd[SESSIONS] = {{0}};
    pthread_t threads[SESSIONS];
    pthread_attr_t attributes;
    contextql *first = open_limited(":memory:", LIMIT_BYTES);
    bool good = first != NULL;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    for (int i = 0; i < SESSIONS && good; i++) {
        crowd[i].number = i;
        good = contextql_connect(first, &crowd[i].session) == CONTEXTQL_OK &&
               pthread_create(&threads[i], &attributes, ask_much, &crowd[i]) == 0;
    }
    for (int i = 0; i < SESSIONS && good; i++) {
        pthread_join(threads[i], NULL);
        good = crowd[i].limited > 0 && crowd[i].other == 0 && good;
        contextql_close(crowd[i].session);
    }
    pthread_attr_destroy(&attributes);
    good = good && lives(first);
    contextql_close(first);
    return good;
}

/* The limit is beyond what the machine gives: statements end with an error all the same. */
static bool be_refused(void)
{
    static const char *const texts[] = {SQUARE "RETURN collect(a * b) AS c",
                                        SQUARE "RETURN DISTINCT a * b * 7919 AS c",
                                        SQUARE "CREATE (:Lost {a: a, b: b})"};
    contextql *session = open_limited(":memory:", UINT64_C(1) << 40);
    bool good = session != NULL;
    for (size_t i = 0; i < sizeof texts / sizeof *texts && good; i++) {
        Answer answer = ask(session, texts[i]);
        good = answer.result == LIMIT_CODE && lives(session);
        if (!good) printf("# %s gave %d %s\n", texts[i], answer.result, answer.message);
    }
    contextql_close(session);
    return good;
}

/* ---- children ---- */

static int test_count, failed;

static void in_child(const char *what, bool (*run)(void), uint64_t data_bytes)
{
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        struct rlimit limit = {data_bytes, data_bytes};
        if (!SANITIZED && data_bytes > 0 && setrlimit(RLIMIT_DATA, &limit) != 0) _exit(3);
        bool good = run();
        fflush(stdout);
        _exit(good ? 0 : 1);
    }
    int status = -1;
    waitpid(pid, &status, 0);
    if (status != 0) printf("# ended with %#x\n", (unsigned)status);
    printf("%sok %d - %s\n", status == 0 ? "" : "not ", ++test_count, what);
    failed += status != 0;
}

int main(void)
{
    char command[128];
    enum { WHOLE_BYTES = LIMIT_BYTES + SLACK_BYTES };
    if (mkdtemp(folder) == NULL || !write_files()) return 1;
    in_child("what explodes ends, in memory", explode_in_memory, WHOLE_BYTES);
    in_child("what explodes ends, on disk", explode_on_disk, WHOLE_BYTES);
    in_child("a transaction that grows", grow_a_transaction, WHOLE_BYTES);
    in_child("loads that are too large", load_too_much, WHOLE_BYTES);
    in_child("data larger than the limit is looked at", look_at_much, 0);
    in_child("many sessions", ask_together, WHOLE_BYTES);
    if (!SANITIZED) in_child("the machine refuses", be_refused, WHOLE_BYTES);
    printf("1..%d\n", test_count);
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command) != 0 || failed != 0;
}
