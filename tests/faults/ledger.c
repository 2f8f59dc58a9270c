/* ledger.c - see ledger.h. */
#include "config.h"

#include "api/api_internal.h"
#include "ledger.h"
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    WHY_BYTES = 256,
    BLOB_BYTES = 2200000, /* more than a record, and than a file of the log */
    SOME_BYTES = 300000,  /* more than leaving lets stand in the log */
    LOAD_ROWS = 13000,
    STATEMENTS_MAX = 4
};

typedef struct Thing {
    const char *statements[STATEMENTS_MAX]; /* several: between BEGIN and COMMIT */
    enum {
        GO_ON,
        CLOSED,
        SNAPPED,
        PASSING
    } before; /* closed and opened; a snapshot, PASSING: one
                                                        that goes when the next of its kind comes */
} Thing;

typedef struct Look { /* hashes of what statements say */
    uint64_t content, definitions;
} Look;

struct Ledger {
    const Thing *things;
    size_t count;
    Look *looks; /* [0]: before the first */
    char *rows;  /* the file that COPY reads; NULL: none */
    bool has_blobs;
    uint64_t referring;
};

static const Thing small[] = {
    {{"CREATE INDEX people FOR (p:Person) ON (p.name)",
      "CREATE INDEX docs FOR (d:Doc) ON (d.title, d.n)"},
     GO_ON},
    {{"CREATE (:Person {name: 'Ada', v: vector([1, 0, 2])})-[:KNOWS {since: 1}]->(:Person {name: "
      "'Bob'})"},
     GO_ON},
    {{"MATCH (p:Person) SET p.seen = 1", "CREATE (:Doc {title: 'one', tags: ['a', 1, 2.5]})",
      "MATCH (p:Person {name: 'Ada'}), (d:Doc) CREATE (p)-[:OWNS]->(d)"},
     GO_ON},
    {{"MATCH (p:Person {name: 'Bob'}) SET p.name = 'Robert', p:Old"}, GO_ON},
    {{"MATCH (p:Person {name: 'Robert'}) SET p.blob = 1", "CREATE (:Blob {n: 1, blob: $blob})"},
     GO_ON},
    {{"MATCH (d:Doc) SET d.at = datetime('2020-01-01T00:00:00[Europe/Berlin]'), d.blob = 1",
      "CREATE (:Blob {n: 2, blob: $blob})"},
     GO_ON},
    {{"MATCH (b:Blob {n: 1}) REMOVE b.blob",
      "CREATE CONSTRAINT one FOR (d:Doc) REQUIRE d.title IS UNIQUE"},
     GO_ON},
    {{"CREATE (:Doc {title: 'two'})"}, CLOSED},
    {{"MATCH (p:Old) DETACH DELETE p"}, GO_ON},
    {{"UNWIND range(1, 60) AS i CREATE (:Many {i: i})"}, GO_ON},
    {{"MATCH (b:Blob {n: 2}) SET b.blob = $blob, b.n = 3"}, GO_ON},
    {{"CREATE (:Doc {title: 'three'})"}, CLOSED}, /* the log became a segment */
    {{"MATCH (m:Many) WHERE m.i % 3 = 0 DELETE m"}, GO_ON},
    {{"DROP INDEX people", "MATCH (d:Doc) SET d.n = 0"}, GO_ON},
    {{"MATCH (a:Doc {title: 'three'}), (b:Doc {title: 'two'}) CREATE (a)-[:NEXT {x: 1.5}]->(b)"},
     CLOSED},
    {{"MATCH ()-[r:NEXT]->() DELETE r"}, GO_ON},
};

static const Thing tiny[] = {
    {{"CREATE INDEX people FOR (p:Person) ON (p.name)",
      "CREATE INDEX docs FOR (d:Doc) ON (d.title, d.n)"},
     GO_ON},
    {{"CREATE (:Person {name: 'Ada', v: vector([1, 0, 2])})-[:KNOWS {since: 1}]->(:Person {name: "
      "'Bob'})"},
     GO_ON},
    {{"CREATE (:Doc {title: 'two', tags: ['a', 1, 2.5], n: 3})",
      "MATCH (p:Person {name: 'Ada'}), (d:Doc) CREATE (p)-[:OWNS]->(d)"},
     GO_ON},
    {{"MATCH (p:Person {name: 'Bob'}) SET p.some = $some"}, GO_ON},
    {{"MATCH (p:Person {name: 'Bob'}) REMOVE p.some"}, GO_ON},
    {{"MATCH (d:Doc) SET d.at = datetime('2020-01-01T00:00:00[Europe/Berlin]')"},
     CLOSED}, /* a segment */
    {{"MATCH (p:Person {name: 'Bob'}) SET p.name = 'Robert', p:Old"}, GO_ON},
};

static const Thing kept[] = {
    {{"CREATE (:Doc {title: 'two', n: 3})"}, GO_ON},
    {{"CREATE (:Doc {title: 'three'})-[:NEXT]->(:Doc {title: 'four'})"}, SNAPPED},
    {{"MATCH (d:Doc {title: 'three'}) DETACH DELETE d"}, GO_ON},
    {{"UNWIND range(1, 10) AS i CREATE (:Many {i: i})"}, PASSING},
    {{"MATCH (d:Doc {title: 'two'}) SET d.n = 4"}, CLOSED},
    {{"MATCH (m:Many) WHERE m.i > 8 DELETE m"}, PASSING},
    {{"MATCH (m:Many) SET m.x = [m.i, 'x']"}, SNAPPED},
    {{"CREATE (:Person {name: 'Ada'})"}, CLOSED},
    {{"MATCH (m:Many) WHERE m.i < 3 DELETE m"}, PASSING},
};

static const Thing grown[] = {
    {{"CREATE (:Doc {title: 'one'})"}, GO_ON},
    {{"COPY :Row FROM $rows"}, GO_ON},
    {{"MATCH (d:Doc {title: 'one'}), (r:Row) WHERE r.id < 30 CREATE (d)-[:HAS {n: r.id}]->(r)"},
     GO_ON},
    {{"MATCH (r:Row {id: 7}) SET r.x = -1, r.name = 'other'"}, SNAPPED},
    {{"MATCH (d:Doc {title: 'one'}), (r:Row {id: 12000}) CREATE (d)-[:HAS {n: -1}]->(r)"}, PASSING},
    {{"CREATE (:Doc {title: 'two', n: 1})-[:NEXT]->(:Doc {title: 'three'})"}, PASSING},
    {{"MATCH (:Doc)-[h:HAS {n: -1}]->(:Row) SET h.n = 40"}, SNAPPED},
    {{"MATCH (r:Row) WHERE r.id < 3 DETACH DELETE r"}, CLOSED},
    {{"MATCH (r:Row {id: 9000}) SET r:Late, r.name = 'late'"}, PASSING},
    {{"MATCH (d:Doc {title: 'two'}) SET d.n = 3"}, PASSING},
};

/* The index is large enough for searches to go along its links. */
static const Thing near[] = {
    {{"UNWIND range(1, 1005) AS i CREATE (:Near {i: i, v: vector([i * 7919 % 1009 / 100.0, i * "
      "104729 % 997 / 100.0])})"},
     GO_ON},
    {{"CREATE VECTOR INDEX near FOR (n:Near) ON (n.v) OPTIONS {dimensions: 2, metric: 'l2', ef: "
      "16, ef_construction: 16}"},
     GO_ON},
    {{"MATCH (n:Near {i: 9}) SET n.v = [40, 40]"}, SNAPPED},
    {{"MATCH (n:Near {i: 11}) SET n.v = [4, 4]"}, CLOSED},
};

static const Thing bulk[] = {
    {{"CREATE (:Doc {title: 'one'})"}, GO_ON},
    {{"COPY :Row FROM $rows"}, GO_ON},
    {{"MATCH (r:Row {id: 7}) SET r.x = -1"}, GO_ON},
    {{"UNWIND range(1, 3000) AS i CREATE (:Near {i: i, v: vector([i * 7919 % 1009 / 100.0, i * "
      "104729 % 997 / 100.0])})"},
     GO_ON},
    {{"CREATE VECTOR INDEX near FOR (n:Near) ON (n.v) OPTIONS {dimensions: 2, metric: 'l2', ef: "
      "30, ef_construction: 20}"},
     CLOSED},
    {{"MATCH (n:Near {i: 9}) SET n.v = [40, 40]"}, GO_ON},
    {{"MATCH (r:Row) WHERE r.id < 5 DETACH DELETE r"}, GO_ON},
    {{"CREATE (:Doc {title: 'two'})-[:OF]->(:Doc {title: 'three'})"}, CLOSED},
    {{"MATCH (r:Row {id: 9000}) SET r.name = 'other', r:Late"}, GO_ON},
};

static bool names(const char *text, const char *parameter)
{
    return strstr(text, parameter) != NULL;
}

Ledger *ledger_create(LedgerWork work)
{
    Ledger *ledger = mem_calloc(1, sizeof *ledger);
    switch (work) {
    case LEDGER_TINY: ledger->things = tiny, ledger->count = sizeof tiny / sizeof *tiny; break;
    case LEDGER_SMALL: ledger->things = small, ledger->count = sizeof small / sizeof *small; break;
    case LEDGER_NEAR: ledger->things = near, ledger->count = sizeof near / sizeof *near; break;
    case LEDGER_BULK: ledger->things = bulk, ledger->count = sizeof bulk / sizeof *bulk; break;
    case LEDGER_KEPT: ledger->things = kept, ledger->count = sizeof kept / sizeof *kept; break;
    case LEDGER_GROWN: ledger->things = grown, ledger->count = sizeof grown / sizeof *grown; break;
    }
    ledger->looks = mem_calloc(ledger->count + 1, sizeof *ledger->looks);
    for (size_t i = 0; i < ledger->count * STATEMENTS_MAX; i++) {
        const char *text = ledger->things[i / STATEMENTS_MAX].statements[i % STATEMENTS_MAX];
        ledger->has_blobs |= text != NULL && names(text, "$blob");
    }
    if (work != LEDGER_BULK && work != LEDGER_GROWN) return ledger;
    char path[] = "rows-XXXXXX.csv";
    int descriptor = mkstemps(path, 4);
    FILE *file = descriptor < 0 ? NULL : fdopen(descriptor, "w");
    if (file == NULL) abort();
    fprintf(file, "id,x,name\n");
    for (int i = 0; i < LOAD_ROWS; i++)
        fprintf(file, "%d,%d,row %d\n", i, i % 7, i);
    fclose(file);
    ledger->rows = mem_strdup(path);
    return ledger;
}

void ledger_destroy(Ledger *ledger)
{
    if (ledger->rows != NULL) unlink(ledger->rows);
    mem_free(ledger->rows);
    mem_free(ledger->looks);
    mem_free(ledger);
}

size_t ledger_count(const Ledger *ledger)
{
    return ledger->count;
}

Disk *ledger_disk(void)
{
    Disk *disk = disk_create();
    Error *error = io_make_directory(disk_io(disk), "/top");
    if (error != NULL) abort();
    return disk;
}

/* ---- statements ---- */

static void say(contextql *session, char *why)
{
    contextql_error_info info;
    contextql_error(session, &info);
    if (why != NULL) snprintf(why, WHY_BYTES, "%s", info.message);
}

static const char *durability = "synced";

void ledger_durability(const char *level)
{
    durability = level;
}

/* The engine gives memory back to the machine as soon as it can; here thousands of databases need the
 * same memory one after the other. After the first opening, which sets what it wants. */
static void keep_memory(void)
{
    enum { KEPT_BYTES = 256 << 20, MAPPED_BYTES = 64 << 20, MORE_BYTES = 16 << 20 };
    static bool set;
    if (set) return;
    set = true;
    mallopt(M_MMAP_THRESHOLD, MAPPED_BYTES);
    mallopt(M_TRIM_THRESHOLD, KEPT_BYTES);
    mallopt(M_TOP_PAD, MORE_BYTES);
}

contextql *ledger_open(Disk *disk, bool read_only, char *why)
{
    const contextql_options options = {.read_only = read_only, .create = !read_only};
    contextql *session = NULL;
    if (session_open(LEDGER_DATABASE, &options, disk_io(disk), &session) == CONTEXTQL_OK) {
        keep_memory();
        contextql_set(session, "gpu", "off");
        contextql_set(session, "durability", durability);
        return session;
    }
    say(session, why);
    contextql_close(session);
    return NULL;
}

/* What the text names alone: a value is copied, and these are large. */
static void bind_all(contextql_statement *statement, const char *text, const char *rows)
{
    static char blob[BLOB_BYTES];
    if (blob[0] == 0)
        for (size_t i = 0; i < sizeof blob; i++)
            blob[i] = (char)('a' + i * i % 23);
    if (names(text, "$blob")) contextql_bind_string(statement, "blob", blob, sizeof blob);
    if (names(text, "$some")) contextql_bind_string(statement, "some", blob, SOME_BYTES);
    if (rows != NULL) contextql_bind_string(statement, "rows", rows, strlen(rows));
}

/* How a vector index finds is no promise: after a crash it may be made anew, and later. */
static bool is_passing(const char *column)
{
    static const char *const passing[] = {"state", "ef", "build_seconds"};
    for (size_t i = 0; i < sizeof passing / sizeof *passing; i++)
        if (strcmp(column, passing[i]) == 0) return true;
    return false;
}

/* Runs a statement; its rows are printed into the hash. */
static bool run(contextql *session, const char *text, const char *rows, uint64_t *hash, char *why)
{
    contextql_statement *statement = NULL;
    int result = contextql_prepare(session, text, strlen(text), &statement, NULL);
    if (result == CONTEXTQL_OK) bind_all(statement, text, rows);
    while (result == CONTEXTQL_OK || result == CONTEXTQL_ROW) {
        result = contextql_step(statement);
        if (result != CONTEXTQL_ROW || hash == NULL) continue;
        for (int i = 0; i < contextql_column_count(statement); i++) {
            if (is_passing(contextql_column_name(statement, i))) continue;
            contextql_text value = contextql_value_json(contextql_column(statement, i));
            *hash = hash_bytes(value.data, value.size, *hash);
        }
    }
    if (result != CONTEXTQL_DONE) say(session, why);
    contextql_finalize(statement);
    return result == CONTEXTQL_DONE;
}

bool ledger_run(contextql *session, const char *text, char *why)
{
    return run(session, text, NULL, NULL, why);
}

/* ---- snapshots ---- */

void ledger_snap(const Ledger *ledger, contextql *session, size_t thing)
{
    char name[32];
    SnapshotInfo info;
    int before = (int)ledger->things[thing - 1].before;
    if (before != SNAPPED && before != PASSING) return;
    static const Retention retention = {.keep = 1, .history_keep_ns = INT64_C(3600000000000)};
    snprintf(name, sizeof name, "t%zu", thing);
    Error *error = database_retain(session->database, retention);
    if (error == NULL)
        error = database_create_snapshot(
            session->database, before == SNAPPED ? str_from(name) : STR(""), NULL, NULL, &info);
    error_drop(error); /* things go on; what is listed afterwards must be there */
}

/* ---- things ---- */

static bool do_thing(const Ledger *ledger, contextql *session, const Thing *thing, char *why)
{
    bool several = thing->statements[1] != NULL;
    if (several && !run(session, "BEGIN", NULL, NULL, why)) return false;
    for (size_t i = 0; i < STATEMENTS_MAX && thing->statements[i] != NULL; i++)
        if (!run(session, thing->statements[i], ledger->rows, NULL, why)) {
            if (contextql_in_transaction(session)) run(session, "ROLLBACK", NULL, NULL, NULL);
            return false;
        }
    return !several || run(session, "COMMIT", NULL, NULL, why);
}

/* Asks everything, of a moment if there is one ("AT .."). */
static bool ask_all(const Ledger *ledger, contextql *session, const char *moment, uint64_t *content,
                    char *why)
{
    static const char *const questions[] = {
        "MATCH (n) WHERE NOT n:Row AND NOT n:Blob AND NOT n:Near RETURN n ORDER BY id(n)",
        "MATCH (a)-[r]->(b) RETURN id(a), id(b), id(r), r ORDER BY id(r)",
        "MATCH (b)<-[r]-(a) RETURN id(a), id(b) ORDER BY id(r)",
        "MATCH (r:Row) RETURN count(r), sum(r.id), sum(r.x), min(r.name), max(r.name), sum(id(r))",
        "MATCH (b:Blob) RETURN b.n, b.blob = $blob ORDER BY b.n",
        "MATCH (p:Person {name: 'Ada'}) RETURN p",
        "MATCH (d:Doc {title: 'two'}) RETURN d.n",
        "MATCH (d:Doc {title: 'two', n: 3}) RETURN d",
        "MATCH (d:Doc) WHERE d.title = 'two' AND d.n < 9 RETURN d.n",
        ("MATCH (n:Near) RETURN count(n), sum(n.i), sum(n.v[0] * n.i), sum(n.v[1] * n.i), "
         "sum(id(n))"),
        "MATCH (n:Near) VECTOR n.v SIMILAR TO [5, 5] LIMIT 2 AS s RETURN n.i, s",
        "MATCH (n:Near) VECTOR n.v SIMILAR TO [40, 40] LIMIT 1 AS s RETURN n.i, s"};
    char text[256];
    *content = 0;
    for (size_t i = 0; i < sizeof questions / sizeof *questions; i++) {
        *content = hash_bytes("|", 1, *content);
        if (names(questions[i], "$blob") && !ledger->has_blobs) continue;
        snprintf(text, sizeof text, "%s %s", moment, questions[i]);
        if (!run(session, text, NULL, content, why)) return false;
    }
    return true;
}

static bool look(const Ledger *ledger, contextql *session, Look *out, char *why)
{
    *out = (Look){0};
    return ask_all(ledger, session, "", &out->content, why) &&
           run(session, "SHOW INDEXES", NULL, &out->definitions, why) &&
           run(session, "SHOW CONSTRAINTS", NULL, &out->definitions, why);
}

static bool same(Look a, Look b)
{
    return a.content == b.content && a.definitions == b.definitions;
}

/* One with a name shows what was there before the thing it is called after; one without can be read. */
static bool is_kept(const Ledger *ledger, contextql *session, const SnapshotInfo *info, char *why)
{
    char moment[64];
    uint64_t content;
    bool named = info->name.bytes > 1;
    size_t thing = named ? (size_t)atoi(info->name.data + 1) : 0;
    snprintf(moment, sizeof moment, named ? "AT SNAPSHOT 't%llu'" : "AT SNAPSHOT %llu",
             (unsigned long long)(named ? thing : info->id));
    if (!ask_all(ledger, session, moment, &content, why)) return false;
    bool good = !named || (thing > 0 && thing <= ledger->count &&
                           ledger->looks[thing - 1].content == content);
    if (!good) snprintf(why, WHY_BYTES, "it shows something else in snapshot t%zu", thing);
    return good;
}

bool ledger_keeps(const Ledger *ledger, contextql *session, size_t least, char *why)
{
    Arena *arena = arena_create();
    SnapshotInfo *infos = NULL;
    size_t count = 0, wanted = 0, named = 0;
    Error *error = database_snapshots(session->database, arena, &infos, &count);
    bool good = error == NULL;
    if (!good) snprintf(why, WHY_BYTES, "%s", error_message(error));
    error_drop(error);
    for (size_t i = 0; i < least; i++)
        wanted += ledger->things[i].before == SNAPPED;
    for (size_t i = 0; i < count && good; i++) {
        named += infos[i].name.bytes > 0;
        good = is_kept(ledger, session, &infos[i], why);
    }
    if (good && named < wanted) {
        snprintf(why, WHY_BYTES, "it has %zu of %zu snapshots", named, wanted);
        good = false;
    }
    arena_destroy(arena);
    return good;
}

uint64_t ledger_referring(const Ledger *ledger)
{
    return ledger->referring;
}

/* Ends a session of the life without faults. */
static void close_counted(Ledger *ledger, contextql *session)
{
    if (session != NULL) ledger->referring += database_counters(session->database).referring;
    contextql_close(session);
}

bool ledger_write(Ledger *ledger, Disk *disk)
{
    char why[WHY_BYTES] = "";
    contextql *session = ledger_open(disk, false, why);
    bool good = session != NULL && look(ledger, session, &ledger->looks[0], why);
    for (size_t i = 0; i < ledger->count && good; i++) {
        if (ledger->things[i].before == CLOSED) {
            close_counted(ledger, session);
            session = ledger_open(disk, false, why);
            if (session == NULL) break;
        }
        ledger_snap(ledger, session, i + 1);
        good = do_thing(ledger, session, &ledger->things[i], why);
        if (good) disk_mark(disk, i + 1);
        good = good && look(ledger, session, &ledger->looks[i + 1], why) &&
               !same(ledger->looks[i + 1], ledger->looks[i]);
        if (!good) printf("# thing %zu: %s\n", i + 1, why);
    }
    close_counted(ledger, session);
    return good && session != NULL;
}

bool ledger_do(const Ledger *ledger, contextql *session, size_t thing, char *why)
{
    return do_thing(ledger, session, &ledger->things[thing - 1], why);
}

bool ledger_closes_before(const Ledger *ledger, size_t thing)
{
    return ledger->things[thing - 1].before == CLOSED;
}

uint64_t ledger_discarded(contextql *session)
{
    return contextql_discarded(session);
}

size_t ledger_go_on(const Ledger *ledger, Disk *disk, contextql **session, size_t first,
                    size_t count)
{
    size_t done = first - 1;
    for (; done < ledger->count && done + 1 < first + count; done++) {
        if (ledger->things[done].before == CLOSED && done >= first) {
            contextql_close(*session);
            *session = ledger_open(disk, false, NULL);
        }
        if (*session != NULL) ledger_snap(ledger, *session, done + 1);
        if (*session == NULL || !do_thing(ledger, *session, &ledger->things[done], NULL)) break;
        disk_mark(disk, done + 1);
    }
    return done;
}

bool ledger_was_told(const char *why)
{
    return why[0] != '\0' && strncmp(why, "it ", 3) != 0;
}

size_t ledger_place(const Ledger *ledger, contextql *session, size_t least, char *why)
{
    Look seen;
    if (!look(ledger, session, &seen, why)) return SIZE_MAX;
    for (size_t i = least; i <= ledger->count; i++)
        if (same(ledger->looks[i], seen)) return i;
    for (size_t i = 0; i < least && i <= ledger->count; i++)
        if (same(ledger->looks[i], seen)) return i;
    snprintf(why, WHY_BYTES, "it looks as after no thing");
    return SIZE_MAX;
}

bool ledger_shows(const Ledger *ledger, contextql *session, size_t thing, char *why)
{
    Look seen;
    return look(ledger, session, &seen, why) && seen.content == ledger->looks[thing].content;
}

bool ledger_can_write(contextql *session, char *why)
{
    uint64_t before = 0, after = 0;
    static const char question[] = "MATCH (n:Extra) RETURN n";
    return run(session, question, NULL, &before, why) &&
           run(session, "CREATE (:Extra {n: 'more'})", NULL, NULL, why) &&
           run(session, question, NULL, &after, why) && before != after;
}
