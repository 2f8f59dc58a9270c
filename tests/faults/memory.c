/*
 * memory.c - the n-th request for memory is refused. One of the engine's: it gives up its reserve
 * (base/memory.h), the statement fails, and the process lives. That and all that follow: the process
 * ends. One of sqlite's: an error.
 *
 * A child does numbered commits in a real directory, notes each that was acknowledged through a
 * pipe, closes and opens in between, and is refused memory at some place. The parent then opens the
 * directory: every acknowledged commit is there, at most one more, and none is half there. The
 * child must have ended by itself, saying why, never by a signal; and only where nothing was to be had
 * any more.
 *
 * FAULTS_LONG=1: more places.
 */
#include "config.h"

#include "contextql.h"
#include <inttypes.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { COMMITS = 12, CLOSE_EVERY = 4, EXIT_NO_MEMORY = 70, EXIT_TOLD = 3, TOLD_MAX = 5 };

/* ---- memory that is refused; tests/local.mk has the linker send the engine's requests here ---- */

static uint64_t asked, refused_at; /* 0: never */
static bool for_ever;              /* all from there on are refused */
static uint64_t asked_by_sqlite, sqlite_refused_at;

void *__real_malloc(size_t bytes);
void *__real_calloc(size_t count, size_t bytes);
void *__real_realloc(void *memory, size_t bytes);
int __real_posix_memalign(void **out, size_t alignment, size_t bytes);
void *__wrap_malloc(size_t bytes);
void *__wrap_calloc(size_t count, size_t bytes);
void *__wrap_realloc(void *memory, size_t bytes);
int __wrap_posix_memalign(void **out, size_t alignment, size_t bytes);

static bool is_refused(void)
{
    uint64_t number = __atomic_add_fetch(&asked, 1, __ATOMIC_RELAXED);
    return number == refused_at || (for_ever && refused_at > 0 && number > refused_at);
}

void *__wrap_malloc(size_t bytes)
{
    return is_refused() ? NULL : __real_malloc(bytes);
}

void *__wrap_calloc(size_t count, size_t bytes)
{
    return is_refused() ? NULL : __real_calloc(count, bytes);
}

void *__wrap_realloc(void *memory, size_t bytes)
{
    return is_refused() ? NULL : __real_realloc(memory, bytes);
}

int __wrap_posix_memalign(void **out, size_t alignment, size_t bytes)
{
    return is_refused() ? 12 : __real_posix_memalign(out, alignment, bytes);
}

static sqlite3_mem_methods plain;

static void *sqlite_malloc(int bytes)
{
    return ++asked_by_sqlite == sqlite_refused_at ? NULL : plain.xMalloc(bytes);
}

static void *sqlite_realloc(void *memory, int bytes)
{
    return ++asked_by_sqlite == sqlite_refused_at ? NULL : plain.xRealloc(memory, bytes);
}

static void take_sqlite(void)
{
    sqlite3_config(SQLITE_CONFIG_GETMALLOC, &plain);
    sqlite3_mem_methods ours = plain;
    ours.xMalloc = sqlite_malloc;
    ours.xRealloc = sqlite_realloc;
    sqlite3_config(SQLITE_CONFIG_MALLOC, &ours);
}

/* ---- commits ---- */

static char folder[] = "memory-XXXXXX", database[64];

static bool run(contextql *session, const char *text, int64_t *out, size_t count)
{
    contextql_statement *statement = NULL;
    int result = contextql_prepare(session, text, strlen(text), &statement, NULL);
    while (result == CONTEXTQL_OK || result == CONTEXTQL_ROW) {
        result = contextql_step(statement);
        for (size_t i = 0; result == CONTEXTQL_ROW && i < count; i++)
            out[i] = contextql_value_integer(contextql_column(statement, (int)i));
    }
    contextql_finalize(statement);
    return result == CONTEXTQL_DONE;
}

/* Commit n makes a pair that holds n; every third is large enough for closing to make a segment. */
static bool commit(contextql *session, int64_t n)
{
    char text[256];
    snprintf(text, sizeof text,
             n % 3 == 0 ? "UNWIND range(1, 4000) AS i MERGE (c:Counter) SET c.last = %" PRId64
                          ", c.i = i, c.text = 'a text that makes the log of it longer'"
                        : "MERGE (c:Counter) SET c.last = %" PRId64
                          " CREATE (:Pair {n: c.last})-[:OF]->(:Pair {n: c.last})",
             n);
    return run(session, text, NULL, 0);
}

static contextql *opened(bool read_only)
{
    const contextql_options options = {.read_only = read_only, .create = !read_only};
    contextql *session = NULL;
    if (contextql_open(database, &options, &session) == CONTEXTQL_OK) return session;
    contextql_close(session);
    return NULL;
}

/* Goes through all commits; ends with the first that fails. */
static void live(int acknowledged)
{
    contextql *session = NULL;
    for (int64_t n = 1; n <= COMMITS; n++) {
        if (session == NULL || n % CLOSE_EVERY == 0) {
            contextql_close(session);
            session = opened(false);
        }
        if (session == NULL || !commit(session, n)) break;
        if (write(acknowledged, &n, sizeof n) != sizeof n) _exit(4);
    }
    contextql_close(session);
}

typedef struct Outcome {
    uint64_t asked, asked_by_sqlite; /* of the whole life, when nothing was refused */
    int64_t acknowledged;
    int status;
} Outcome;

static Outcome live_in_child(uint64_t place, uint64_t sqlite_place)
{
    Outcome outcome = {.acknowledged = 0};
    int acks[2], counts[2];
    int64_t number;
    if (pipe(acks) != 0 || pipe(counts) != 0) exit(1);
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        refused_at = place == 0 ? 0 : asked + place;
        sqlite_refused_at = sqlite_place == 0 ? 0 : asked_by_sqlite + sqlite_place;
        if (freopen("/dev/null", "w", stderr) == NULL) _exit(4);
        live(acks[1]);
        uint64_t seen[2] = {asked, asked_by_sqlite};
        _exit(write(counts[1], seen, sizeof seen) == sizeof seen ? EXIT_TOLD : 4);
    }
    close(acks[1]);
    close(counts[1]);
    while (read(acks[0], &number, sizeof number) == sizeof number)
        outcome.acknowledged = number;
    uint64_t seen[2] = {0, 0};
    if (read(counts[0], seen, sizeof seen) == sizeof seen) {
        outcome.asked = seen[0];
        outcome.asked_by_sqlite = seen[1];
    }
    close(acks[0]);
    close(counts[0]);
    waitpid(pid, &outcome.status, 0);
    return outcome;
}

/* ---- what is there ---- */

static bool is_sound(const Outcome *outcome, const char **what)
{
    bool ended = WIFEXITED(outcome->status) && (WEXITSTATUS(outcome->status) == EXIT_NO_MEMORY ||
                                                WEXITSTATUS(outcome->status) == EXIT_TOLD);
    *what = "it did not end by itself";
    if (!ended) return false;
    contextql *session = opened(true);
    *what = "it does not open";
    if (session == NULL) return outcome->acknowledged == 0;
    int64_t last = 0, pairs[2] = {0, 0}, wanted = 0;
    *what = "a statement fails";
    bool good =
        run(session, "MATCH (c:Counter) RETURN c.last", &last, 1) &&
        run(session, "MATCH (a:Pair)-[:OF]->(b:Pair) WHERE a.n = b.n RETURN count(*), sum(a.n)",
            pairs, 2);
    contextql_close(session);
    if (!good) return false;
    int64_t sum = 0;
    for (int64_t n = 1; n <= last; n++) {
        wanted += n % 3 != 0;
        sum += n % 3 != 0 ? n : 0;
    }
    *what = "an acknowledged commit is not there";
    if (last != outcome->acknowledged && last != outcome->acknowledged + 1) return false;
    *what = "a commit is half there";
    return pairs[0] == wanted && pairs[1] == sum;
}

static int test_count, failed;

static void tell(bool good, const char *what)
{
    printf("%sok %d - %s\n", good ? "" : "not ", ++test_count, what);
    failed += !good;
    fflush(stdout);
}

static void remove_database(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", database);
    if (system(command) != 0) exit(1);
}

typedef enum Refusal { REFUSE_ONCE, REFUSE_FOR_EVER, REFUSE_SQLITE } Refusal;

static void refuse_each(const char *name, uint64_t places, uint64_t wanted, Refusal how)
{
    bool sqlite = how == REFUSE_SQLITE;
    char what[128];
    uint64_t done = 0, wrong = 0, ended = 0;
    uint64_t step = places / wanted | 1;
    for_ever = how == REFUSE_FOR_EVER;
    for (uint64_t place = 1; place <= places; place += step, done++) {
        const char *bad = "";
        Outcome outcome = live_in_child(sqlite ? 0 : place, sqlite ? place : 0);
        ended += WIFEXITED(outcome.status) && WEXITSTATUS(outcome.status) == EXIT_NO_MEMORY;
        if (!is_sound(&outcome, &bad) && wrong++ < TOLD_MAX)
            printf("# place %" PRIu64 ", %" PRId64 " acknowledged, status %#x: %s\n", place,
                   outcome.acknowledged, outcome.status, bad);
        remove_database();
    }
    printf("# %s: %" PRIu64 " of %" PRIu64 " requests refused, %" PRIu64
           " processes ended by it, %" PRIu64 " wrong\n",
           name, done, places, ended, wrong);
    snprintf(what, sizeof what, "%s that is refused loses nothing", name);
    bool ends = how == REFUSE_FOR_EVER ? ended > done / 2 : ended == 0;
    tell(wrong == 0 && done > 20 && ends, what);
}

int main(void)
{
    const char *mode = getenv("FAULTS_LONG"), *bad;
    bool thorough = mode != NULL && mode[0] == '1';
    take_sqlite();
    if (mkdtemp(folder) == NULL) return 1;
    snprintf(database, sizeof database, "%s/d", folder);
    printf("1..4\n");
    Outcome whole = live_in_child(0, 0);
    tell(whole.acknowledged == COMMITS && is_sound(&whole, &bad) && whole.asked > 1000,
         "a life without refusals");
    remove_database();
    refuse_each("memory of the engine", whole.asked, thorough ? 5000 : 100, REFUSE_ONCE);
    refuse_each("all memory from there on", whole.asked, thorough ? 5000 : 100, REFUSE_FOR_EVER);
    refuse_each("memory of sqlite", whole.asked_by_sqlite, thorough ? 5000 : 100, REFUSE_SQLITE);
    rmdir(folder);
    return failed != 0;
}
