/*
 * kill9.c - an acknowledged commit survives kill -9, and no half of one is ever seen.
 *
 * A child does numbered things, each one transaction that also notes its number in a node: pairs of
 * nodes, deletes, properties, indexes made and dropped, loads large enough to be committed as a
 * segment; now and then it closes the database and opens it again, which checkpoints. It notes each
 * acknowledged number in a ledger outside the database with write(2). What a database holds after
 * the first n things follows from n alone. The parent kills the child at a random moment (seeded),
 * opens the database, for reading only or for writing, and asks: is n the number of the ledger or
 * the one that was under way, and is everything as it must be after n things? Every other round goes
 * with the setting durability = written: a commit is then in the machine's cache, which survives its
 * program. FAULTS_LONG=1: for more rounds.
 */
#include "config.h"

#include "contextql.h"
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    ROUNDS = 200,
    ROUNDS_LONG = 3000,
    CYCLE = 10,
    LOAD_EVERY = 50,
    CLOSE_EVERY = 23,
    LOAD_ROWS = 20000
};
enum { MAKE_INDEX = 3, DROP_INDEX = 6, DELETE_PAIR = 7, MARK_PAIR = 8 }; /* places in a cycle */

static char folder[] = "kill9-XXXXXX", database[64], ledger[64], rows[64];

static const char *durability = "synced";

static contextql *opened(bool read_only)
{
    const contextql_options options = {.read_only = read_only, .create = !read_only};
    contextql *session = NULL;
    if (contextql_open(database, &options, &session) == CONTEXTQL_OK &&
        contextql_set(session, "durability", durability) == CONTEXTQL_OK)
        return session;
    contextql_error_info info;
    contextql_error(session, &info);
    printf("# %s\n", info.message);
    contextql_close(session);
    return NULL;
}

/* Runs a statement and counts its rows; the integers of the first, if there is one, go to `out`. */
static bool run_counted(contextql *session, const char *text, int64_t *out, int64_t *row_count)
{
    contextql_statement *statement = NULL;
    int result = contextql_prepare(session, text, strlen(text), &statement, NULL);
    *row_count = 0;
    while (result == CONTEXTQL_OK || result == CONTEXTQL_ROW) {
        result = contextql_step(statement);
        if (result != CONTEXTQL_ROW || (*row_count)++ > 0 || out == NULL) continue;
        for (int i = 0; i < contextql_column_count(statement); i++)
            out[i] = contextql_value_integer(contextql_column(statement, i));
    }
    if (result != CONTEXTQL_DONE) {
        contextql_error_info info;
        contextql_error(session, &info);
        printf("# %s: %s\n", text, info.message);
    }
    contextql_finalize(statement);
    return result == CONTEXTQL_DONE;
}

static bool run(contextql *session, const char *text, int64_t *out)
{
    int64_t row_count;
    return run_counted(session, text, out, &row_count);
}

/* ---- thing number n ---- */

static bool is_load(int64_t n)
{
    return n % LOAD_EVERY == LOAD_EVERY / 2;
}

/* Does it make a pair (that is deleted, marked, or neither later)? */
static bool is_pair(int64_t n)
{
    int64_t place = n % CYCLE;
    return !is_load(n) && place != MAKE_INDEX && place != DROP_INDEX && place != DELETE_PAIR &&
           place != MARK_PAIR;
}

static void put_thing(int64_t n, char *out, size_t bytes)
{
    int64_t place = n % CYCLE, pair = n - 4;
    if (is_load(n)) /* what the last load made goes, so that the database stays small */
        snprintf(out, bytes, "COPY :Row%" PRId64 " FROM '%s'", n / LOAD_EVERY, rows);
    else if (place == MAKE_INDEX)
        snprintf(out, bytes, "CREATE INDEX marks FOR (p:Pair) ON (p.mark)");
    else if (place == DROP_INDEX)
        snprintf(out, bytes, "DROP INDEX marks");
    else if (place == DELETE_PAIR)
        snprintf(out, bytes, "MATCH (p:Pair {number: %" PRId64 "}) DETACH DELETE p", pair - 1);
    else if (place == MARK_PAIR)
        snprintf(out, bytes, "MATCH (p:Pair {number: %" PRId64 "}) SET p.mark = %" PRId64, pair, n);
    else
        snprintf(out, bytes,
                 "CREATE (:Pair {number: %" PRId64
                 "})-[:WITH {seal: 'x'}]->(:Pair {number: %" PRId64 "})",
                 n, n);
}

static bool do_thing(contextql *session, int64_t n)
{
    char text[256], count[128];
    put_thing(n, text, sizeof text);
    snprintf(count, sizeof count, "MERGE (c:Counter) SET c.last = %" PRId64, n);
    if (!run(session, "BEGIN", NULL) || !run(session, text, NULL) || !run(session, count, NULL))
        return false;
    snprintf(text, sizeof text, "MATCH (r:Row%" PRId64 ") DETACH DELETE r", n / LOAD_EVERY - 1);
    if (is_load(n) && n > LOAD_EVERY && !run(session, text, NULL)) return false;
    return run(session, "COMMIT", NULL);
}

/* `told` gets a byte when the first thing is done. */
static void child(int64_t n, int told)
{
    bool first = true;
    contextql *session = opened(false);
    int file = open(ledger, O_WRONLY | O_APPEND);
    if (session == NULL || file < 0) _exit(3);
    for (;; n++) {
        if (n % CLOSE_EVERY == 0) {
            contextql_close(session);
            session = opened(false);
        }
        if (session == NULL || !do_thing(session, n) || write(file, &n, sizeof n) != sizeof n)
            _exit(4);
        if (first && write(told, "", 1) != 1) _exit(5);
        first = false;
    }
}

/* ---- what must be there after the things 0 .. last ---- */

typedef struct Wanted {
    int64_t pairs, numbers, marks, indexes, rows;
} Wanted;

static Wanted wanted_after(int64_t last)
{
    Wanted wanted = {0};
    for (int64_t n = 0; n <= last; n++) {
        int64_t place = n % CYCLE;
        if (is_load(n))
            wanted.rows = LOAD_ROWS;
        else if (place == MAKE_INDEX || place == DROP_INDEX)
            wanted.indexes = place == MAKE_INDEX;
        else if (place == DELETE_PAIR)
            wanted.pairs -= is_pair(n - 5), wanted.numbers -= is_pair(n - 5) ? n - 5 : 0;
        else if (place == MARK_PAIR)
            wanted.marks += is_pair(n - 4) ? 2 * n : 0;
        else if (is_pair(n))
            wanted.pairs++, wanted.numbers += n;
    }
    return wanted;
}

static bool same(const char *what, int64_t there, int64_t wanted)
{
    if (there != wanted) printf("# %s: %" PRId64 ", not %" PRId64 "\n", what, there, wanted);
    return there == wanted;
}

/* -2: something is not as it must be; else the number of the last thing. */
static int64_t look(contextql *session)
{
    int64_t last = -1, nodes[3] = {0}, joined[2] = {0}, others = 0, indexes = 0;
    int64_t counts[2] = {0};
    char text[128];
    if (!run(session, "MATCH (c:Counter) RETURN c.last", &last)) return -2;
    Wanted wanted = wanted_after(last);
    int64_t load = last < LOAD_EVERY ? 0 : (last + LOAD_EVERY / 2) / LOAD_EVERY - 1;
    snprintf(text, sizeof text, "MATCH (r:Row%" PRId64 ") RETURN count(DISTINCT r.id), sum(r.x)",
             load);
    bool good =
        run(session, "MATCH (p:Pair) RETURN count(p), sum(p.number), sum(p.mark)", nodes) &&
        run(session,
            "MATCH (a:Pair)-[w:WITH]->(b:Pair) WHERE a.number = b.number AND w.seal = 'x' RETURN "
            "count(*), sum(a.number)",
            joined) &&
        run(session, "MATCH (n) WHERE NOT n:Pair RETURN count(n)", &others) &&
        run_counted(session, "SHOW INDEXES", NULL, &indexes) && run(session, text, counts);
    good = good && same("pairs", nodes[0], 2 * wanted.pairs) &&
           same("their numbers", nodes[1], 2 * wanted.numbers) &&
           same("marks", nodes[2], wanted.marks) && same("joined pairs", joined[0], wanted.pairs) &&
           same("joined numbers", joined[1], wanted.numbers) &&
           same("other nodes", others, wanted.rows + (last >= 0)) &&
           same("indexes", indexes, wanted.indexes) && same("loaded rows", counts[0], wanted.rows);
    return good ? last : -2;
}

static int64_t last_acknowledged(void)
{
    int64_t number = -1, last = -1;
    int file = open(ledger, O_RDONLY);
    while (read(file, &number, sizeof number) == sizeof number)
        last = number;
    close(file);
    return last;
}

static bool prepared(void)
{
    if (mkdtemp(folder) == NULL) return false;
    snprintf(database, sizeof database, "%s/d.cqldb", folder);
    snprintf(ledger, sizeof ledger, "%s/ledger", folder);
    snprintf(rows, sizeof rows, "%s/rows.csv", folder);
    close(open(ledger, O_WRONLY | O_CREAT, 0644));
    FILE *file = fopen(rows, "w");
    if (file == NULL) return false;
    fprintf(file, "id,x,name\n");
    for (int i = 0; i < LOAD_ROWS; i++)
        fprintf(file, "%d,%d,row %d\n", i, i % 7, i);
    return fclose(file) == 0;
}

/* One round; *last: the last thing that was there before, and after. Three rounds of four begin to
 * count when the child has done something, so that a slow machine sees as much as a fast one. */
static bool kill_and_look(int round, long moment_ns, int64_t *last)
{
    int told[2];
    char byte;
    fflush(stdout);
    if (pipe(told) != 0) return false;
    pid_t pid = fork();
    if (pid == 0) child(*last + 1, told[1]);
    close(told[1]);
    if (round % 4 != 3 && read(told[0], &byte, 1) != 1) printf("# nothing was done\n");
    struct timespec moment = {0, moment_ns};
    nanosleep(&moment, NULL);
    kill(pid, SIGKILL);
    int status = 0;
    waitpid(pid, &status, 0);
    close(told[0]);
    bool read_only = round % 2 == 1 && *last >= 0;
    contextql *session = opened(read_only);
    if (session == NULL || !WIFSIGNALED(status)) return false;
    int64_t acknowledged = last_acknowledged(), there = look(session);
    contextql_close(session);
    if (acknowledged < *last) acknowledged = *last;
    bool good = there == acknowledged || there == acknowledged + 1;
    if (!good)
        printf("# round %d: %" PRId64 " acknowledged, %" PRId64 " there\n", round, acknowledged,
               there);
    *last = there;
    return good;
}

int main(void)
{
    unsigned seed = 20240917;
    int64_t last = -1;
    int round = 0;
    const char *mode = getenv("FAULTS_LONG");
    int rounds = mode != NULL && mode[0] == '1' ? ROUNDS_LONG : ROUNDS;
    bool good = prepared();
    for (; round < rounds && good; round++) {
        seed = seed * 1103515245u + 12345u;
        durability = round % 2 == 0 ? "synced" : "written";
        good = kill_and_look(round, 5000000 + (long)(seed >> 16) % 100000 * 1000, &last);
    }
    printf("# %d rounds, %" PRId64 " commits, %" PRId64 " loads\n", round, last + 1,
           last / LOAD_EVERY);
    printf("1..1\n%sok 1 - no acknowledged commit is lost and none is half there\n",
           good ? "" : "not ");
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    if (!good) return 1;
    return system(command) != 0;
}
