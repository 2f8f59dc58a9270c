/* A cancelled statement that wrote much is taken back beside its session: nobody sees a trace of it, in
 * memory and on the disk, in a transaction and without, whoever comes first afterwards. */
#include "config.h"

#include "contextql.h"
#include "test.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static contextql *session, *other;
static int64_t next_id; /* of a node that somebody makes now */

/* stop(n): interrupts its session when n is true, from within the statement. */
static void stop(contextql_call *call, int argc, const contextql_value **argv, void *user)
{
    (void)argc;
    if (contextql_value_boolean(argv[0])) contextql_interrupt(user);
    contextql_value *one = contextql_value_new_integer(1);
    contextql_return(call, one);
    contextql_value_free(one);
}

static int execute(contextql *in, const char *text, int64_t *out)
{
    contextql_statement *statement;
    int code = contextql_prepare(in, text, strlen(text), &statement, NULL);
    if (code != CONTEXTQL_OK) return code;
    while ((code = contextql_step(statement)) == CONTEXTQL_ROW)
        if (out != NULL) *out = contextql_value_integer(contextql_column(statement, 0));
    contextql_finalize(statement);
    return code;
}

static int64_t count(contextql *in, const char *text)
{
    int64_t number = -1;
    return execute(in, text, &number) == CONTEXTQL_DONE ? number : -1;
}

static bool done(const char *text)
{
    return execute(session, text, NULL) == CONTEXTQL_DONE;
}

static const char creates[] =
    "UNWIND range(1, 60000) AS n CREATE (:Made {n: n, s: stop(n = 50000)})-[:R]->(:Made {n: -n})";
static const char sets[] = "MATCH (a:Kept) SET a.s = stop(a.n = 15000), a.n = a.n + 1000000";
static const char deletes[] = "MATCH (a:Kept) DETACH DELETE a WITH count(*) AS c "
                              "UNWIND range(1, 3000) AS i CREATE (:Made {s: stop(i = 5)})";
static const char everything[] = "MATCH (a) RETURN sum(a.n) + count(a.s)";

static void without_transaction(const char *text)
{
    int64_t before = count(session, everything);
    EXPECT(execute(session, text, NULL) == CONTEXTQL_CANCELLED);
    EXPECT(count(other, everything) == before);
    EXPECT(execute(session, text, NULL) == CONTEXTQL_CANCELLED);
    EXPECT(count(session, everything) == before);
    /* The next writer waits, and gets the ids that nobody saw. */
    EXPECT(execute(session, text, NULL) == CONTEXTQL_CANCELLED);
    EXPECT(count(other, "CREATE (a:New {n: 0}) RETURN id(a)") == next_id++);
    EXPECT(done("MATCH (a:New) DELETE a"));
    EXPECT(count(session, everything) == before);
}

static void in_transaction(const char *text, const char *end, int64_t more)
{
    int64_t before = count(session, everything);
    EXPECT(done("BEGIN"));
    EXPECT(done("MATCH (a:Kept {n: 7}) SET a.n = 8"));
    EXPECT(execute(session, text, NULL) == CONTEXTQL_CANCELLED);
    EXPECT(count(other, everything) == before);
    EXPECT(contextql_in_transaction(session));
    EXPECT(count(session, everything) == before + 1);
    EXPECT(execute(session, text, NULL) == CONTEXTQL_CANCELLED);
    EXPECT(done(end));
    EXPECT(count(session, everything) == before + more &&
           count(other, everything) == before + more);
    EXPECT(done("MATCH (a:Kept {n: 8}) WHERE a.seven SET a.n = 7"));
    EXPECT(count(session, everything) == before);
}

/* Nobody asks any more while the last rows are made: then it is for the commit, which may be done by
 * then. Whole or not at all, on the disk too. */
static void in_commit(void)
{
    int64_t before = count(session, "MATCH (a) RETURN count(a)"), made = 59999;
    int code = execute(
        session,
        "UNWIND range(1, 59999) AS n CREATE (:Late {n: n, t: 'text ' + n, s: stop(n = 59999)})",
        NULL);
    EXPECT(code == CONTEXTQL_CANCELLED || code == CONTEXTQL_DONE);
    if (code == CONTEXTQL_CANCELLED) made = 0;
    EXPECT(count(other, "MATCH (a) RETURN count(a)") == before + made);
    EXPECT(done("MATCH (a:Late) DELETE a"));
    EXPECT(count(session, "MATCH (a) RETURN count(a)") == before);
}

/* A cursor of the same transaction stands still meanwhile, and goes on over what is there. */
static void beside_a_cursor(void)
{
    contextql_statement *cursor;
    static const char text[] = "MATCH (a:Kept) RETURN a.n";
    int64_t sum = 0, rows = 0, before = count(session, "MATCH (a:Kept) RETURN sum(a.n)");
    EXPECT(done("BEGIN"));
    EXPECT(contextql_prepare(session, text, strlen(text), &cursor, NULL) == CONTEXTQL_OK);
    while (contextql_step(cursor) == CONTEXTQL_ROW) {
        sum += contextql_value_integer(contextql_column(cursor, 0));
        if (rows++ == 10) EXPECT(execute(session, sets, NULL) == CONTEXTQL_CANCELLED);
    }
    EXPECT(rows == 20001 && sum == before);
    contextql_finalize(cursor);
    EXPECT(done("ROLLBACK"));
}

static contextql_statement *prepared(const char *text)
{
    contextql_statement *statement = NULL;
    EXPECT(contextql_prepare(session, text, strlen(text), &statement, NULL) == CONTEXTQL_OK);
    return statement;
}

static int interrupted(contextql_statement *statement)
{
    contextql_interrupt(session);
    int code = contextql_step(statement);
    contextql_finalize(statement);
    return code;
}

/* Who waits, for another's transaction or for what is taken back, hears of it, and of the time limit. */
static void while_it_waits(void)
{
    static const char making[] = "CREATE (a:New {n: 0})";
    int64_t before = count(session, everything);
    EXPECT(execute(other, "BEGIN", NULL) == CONTEXTQL_DONE);
    EXPECT(execute(other, making, NULL) == CONTEXTQL_DONE);
    EXPECT(interrupted(prepared(making)) == CONTEXTQL_CANCELLED);
    contextql_set(session, "timeout", "0.05");
    EXPECT(execute(session, making, NULL) == CONTEXTQL_TIMEOUT);
    contextql_set(session, "timeout", "0");
    EXPECT(execute(other, "ROLLBACK", NULL) == CONTEXTQL_DONE);
    EXPECT(done("BEGIN") && done("MATCH (a:Kept {n: 7}) SET a.n = 8"));
    contextql_statement *later = prepared(making);
    EXPECT(execute(session, creates, NULL) == CONTEXTQL_CANCELLED);
    EXPECT(interrupted(later) == CONTEXTQL_CANCELLED);
    EXPECT(count(session, everything) == before + 1);
    EXPECT(done("ROLLBACK"));
    EXPECT(count(session, everything) == before);
}

/* A plan that is not read to its end takes nothing back of the transaction it was asked in. */
static void explained_half_way(void)
{
    int64_t before = count(session, everything);
    EXPECT(done("BEGIN") && done("MATCH (a:Kept {n: 7}) SET a.n = 8"));
    contextql_statement *plan = prepared("EXPLAIN MATCH (a:Kept) DELETE a");
    EXPECT(contextql_step(plan) == CONTEXTQL_ROW);
    contextql_finalize(plan);
    EXPECT(count(session, everything) == before + 1);
    EXPECT(done("ROLLBACK"));
}

static void in_database(const char *directory)
{
    contextql_options options = {.create = true};
    EXPECT(contextql_open(directory, &options, &session) == CONTEXTQL_OK);
    EXPECT(contextql_connect(session, &other) == CONTEXTQL_OK);
    contextql_create_function(session, "stop(n :: BOOLEAN) :: INTEGER", stop, session, NULL);
    EXPECT(done("UNWIND range(0, 20000) AS n CREATE (:Kept {n: n, seven: n = 7})"));
    EXPECT(done("CREATE INDEX FOR (a:Kept) ON (a.n)"));
    next_id = 20001;
    without_transaction(creates);
    without_transaction(sets);
    without_transaction(deletes);
    in_transaction(creates, "COMMIT", 1);
    in_transaction(sets, "COMMIT", 1);
    in_transaction(deletes, "ROLLBACK", 0);
    beside_a_cursor();
    in_commit();
    while_it_waits();
    explained_half_way();
    /* Closed while it is taken back. */
    EXPECT(execute(session, creates, NULL) == CONTEXTQL_CANCELLED);
    EXPECT(contextql_close(other) == CONTEXTQL_OK && contextql_close(session) == CONTEXTQL_OK);
}

/* ---- looking after a database ---- */

typedef struct Poll {
    size_t calls, stop_at;  /* 0: never */
    double done, stop_from; /* the same */
    bool forwards;
} Poll;

static bool poll(void *user, double done, uint64_t rows)
{
    Poll *poll = user;
    (void)rows;
    poll->forwards = poll->forwards && done >= poll->done && done <= 1;
    poll->done = done;
    bool far = poll->stop_from > 0 && done >= poll->stop_from;
    return ++poll->calls == poll->stop_at || far;
}

/* How far it is, is told of whatever can count it; who is told may stop it. */
static void counted(const char *text)
{
    Poll whole = {.forwards = true};
    contextql_progress(session, poll, &whole);
    EXPECT(done(text));
    EXPECT(whole.calls > 1 && whole.done > 0 && whole.forwards);
    Poll stopped = {.stop_from = whole.done / 2};
    contextql_progress(session, poll, &stopped);
    EXPECT(execute(session, text, NULL) == CONTEXTQL_CANCELLED);
    contextql_progress(session, NULL, NULL);
}

static void all_counted(void)
{
    EXPECT(contextql_open(":memory:", NULL, &session) == CONTEXTQL_OK);
    EXPECT(done("UNWIND range(1, 60000) AS n CREATE (:Kept {n: n, t: 'text ' + n})-[:R]->(:Kept)"));
    counted("UNWIND range(1, 60000) AS n RETURN n");
    counted("MATCH (a:Kept) WHERE a.n % 2 = 0 RETURN a.t");
    counted("MATCH (a:Kept) RETURN a.t AS t ORDER BY t");
    contextql_set(session, "morsel", "4096");
    counted("MATCH (a:Kept) RETURN a.n % 7 AS rest, sum(a.n)");
    counted("CALL graph.pagerank({}) YIELD node RETURN count(*)");
    Poll made = {.forwards = true};
    contextql_progress(session, poll, &made);
    EXPECT(done("CREATE INDEX made FOR (a:Kept) ON (a.t)"));
    EXPECT(made.calls > 1 && made.done > 0.9 && made.forwards);
    contextql_progress(session, NULL, NULL);
    EXPECT(contextql_close(session) == CONTEXTQL_OK);
}

typedef enum Care { CHECK, BACKUP, RECOVER, CARES } Care;

static int care(Care what, const char *directory, const char *target, Poll *state)
{
    return what == CHECK    ? contextql_check(directory, NULL, poll, state)
           : what == BACKUP ? contextql_backup(directory, target, NULL, poll, state)
                            : contextql_recover(directory, target, NULL, poll, state);
}

/* A target that opens: it must not. */
static bool opens(const char *target)
{
    contextql_options reading = {.read_only = true};
    contextql *opened;
    bool good = contextql_open(target, &reading, &opened) == CONTEXTQL_OK;
    contextql_close(opened);
    return good;
}

static void remove_directory(const char *directory)
{
    char command[80];
    snprintf(command, sizeof command, "rm -rf %s", directory);
    EXPECT(system(command) == 0);
}

/* Told to stop the first time it asks, the last, or between: it ends then and asks no more; no target is
 * a database, and the next attempt does it. */
static void stopped_care(Care what, const char *directory, const char *target)
{
    enum { MOMENTS = 12 };
    Poll whole = {.forwards = true};
    EXPECT(care(what, directory, target, &whole) == CONTEXTQL_OK);
    EXPECT(whole.calls > MOMENTS && whole.forwards);
    EXPECT(what == CHECK || opens(target));
    remove_directory(target);
    for (size_t i = 0; i <= MOMENTS; i++) {
        Poll stopped = {.stop_at = 1 + (whole.calls - 1) * i / MOMENTS, .forwards = true};
        int code = care(what, directory, target, &stopped);
        if (stopped.calls < stopped.stop_at) continue; /* fewer questions this time */
        EXPECT(code == CONTEXTQL_CANCELLED && stopped.calls == stopped.stop_at);
        EXPECT(what == RECOVER || !opens(target));
        remove_directory(target);
    }
}

static void looked_after(const char *directory)
{
    static const char *const texts[] = {
        "CREATE INDEX FOR (a:Kept) ON (a.n)",
        "CREATE INDEX FOR (a:Kept) ON (a.t)",
        "CREATE VECTOR INDEX FOR (a:Near) ON (a.v) OPTIONS {dimensions: 4}",
        "UNWIND range(0, 30000) AS n CREATE (:Kept {n: n, t: 'text ' + n})-[:R {w: n}]->(:Other)",
        "UNWIND range(0, 1000) AS n CREATE (:Near {v: vector([n, 1, 2, 3])})",
        "CREATE SNAPSHOT one",
        "MATCH (a:Kept) WHERE a.n < 20000 SET a.t = 'other'",
        "CREATE (:Logged)",
        "CREATE (:Logged)"};
    char target[64];
    EXPECT(contextql_open(directory, NULL, &session) == CONTEXTQL_OK);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        EXPECT(done(texts[i]));
    EXPECT(contextql_close(session) == CONTEXTQL_OK);
    snprintf(target, sizeof target, "%s-made", directory);
    for (int what = 0; what < CARES; what++)
        stopped_care((Care)what, directory, target);
    EXPECT(contextql_check(directory, NULL, NULL, NULL) == CONTEXTQL_OK);
}

int main(void)
{
    all_counted();
    char looked_at[] = "cancel-care-XXXXXX";
    EXPECT(mkdtemp(looked_at) != NULL);
    looked_after(looked_at);
    remove_directory(looked_at);
    char directory[] = "cancel-XXXXXX", command[64];
    in_database(":memory:");
    EXPECT(mkdtemp(directory) != NULL);
    in_database(directory);
    EXPECT(contextql_open(directory, NULL, &session) == CONTEXTQL_OK);
    EXPECT(count(session, "MATCH (a) RETURN count(a)") == 20001);
    EXPECT(count(session, "MATCH (a) RETURN sum(a.n)") == 20000 * 20001 / 2);
    contextql_close(session);
    snprintf(command, sizeof command, "rm -r %s", directory);
    EXPECT(system(command) == 0);
    return DONE();
}
