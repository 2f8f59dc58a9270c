/*
 * directory.c - any directory as a database. The first byte says which of a few sound databases is
 * taken (bit 7: it is recovered, too, into another one), the rest are edits of thirteen bytes on its files:
 *
 *     file u8 | what u8 (byte, u32, u64, cut here, remove) | place u24 | value u64
 *
 * A place is one among the bytes in use (zeros of padding are left out). Numbers are little-endian.
 * What comes out is checked and inspected, opened for reading, read by every kind of access,
 * opened for writing, changed, closed and read again. Checksums are told to fit, so that all behind them
 * is reached. Built with --enable-fuzzing (clang, libFuzzer).
 */
#include "config.h"

#include "base/bytes.h"
#include "contextql.h"
#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

enum {
    TEMPLATES = 5,
    CONTINUED = 2,
    FILES_MAX = 8,
    EDIT_BYTES = 13,
    EDITS_MAX = 16,
    NEAR_BYTES = 8
};

typedef struct Content {
    char path[64]; /* in the database */
    uint8_t *data;
    size_t bytes;
    uint32_t *places; /* bytes that are not zero, or near one */
    size_t place_count;
} Content;

typedef struct Template {
    Content files[FILES_MAX];
    size_t file_count;
} Template;

static Template templates[TEMPLATES];
static char work[256], database[300];

/* Statements that a version does not execute are left out of its databases. Segments refer to older ones
 * only if those have much that is still of use, be it zeros. */
static const char *const made[TEMPLATES][12] = {
    {"CREATE INDEX people FOR (n:Person) ON (n.name)",
     "CREATE (a:Person {name: 'Ada', age: 36, v: vector([1, 0, 2]), tags: ['x', 1]})-[:KNOWS "
     "{since: 1}]->"
     "(b:Person:User {name: 'Bob', age: 3.5, v: vector([0, 1, 0])}), (b)-[:KNOWS]->(b), "
     "(a)<-[:OWNS]-(:Doc {ok: true})",
     "MATCH (n:Doc) SET n.at = datetime('2020-01-01T00:00:00[Europe/Berlin]')",
     "MATCH (n:Doc) SET n.d = duration('P1M'), n.t = time('10:00+01:00')",
     "MATCH (n:Person {name: 'Bob'}) SET n.age = 'old', n:Old REMOVE n:User",
     "CREATE (x:Gone)-[:KNOWS]->(:Gone)", "MATCH (n:Gone) DETACH DELETE n"},
    {"CREATE INDEX people FOR (n:Person) ON (n.name)",
     "CREATE VECTOR INDEX vectors FOR (n:Person) ON (n.v) OPTIONS {dimensions: 3}",
     "UNWIND range(0, 99) AS i CREATE (a:Person {name: 'p' + toString(i), age: i, v: vector([i, 1, "
     "2]), tags: ['x', i]})"
     "-[:KNOWS {since: i}]->(b:Doc {ok: true, x: CASE i % 3 WHEN 0 THEN 1 WHEN 1 THEN 'two' END})",
     "MATCH (a:Person), (b:Doc) WHERE a.age < 5 CREATE (a)-[:OWNS]->(b)",
     "MATCH (n:Doc) SET n.at = datetime('2020-01-01T00:00:00[Europe/Berlin]')",
     "MATCH (n:Doc) SET n.d = duration('P1M'), n.t = time('10:00+01:00')",
     "MATCH (n:Person {age: 7}) DETACH DELETE n",
     "UNWIND range(1, 40000) AS i MATCH (n:Person {name: 'p1'}) SET n.age = i"},
    {"CREATE (:Person {name: 'late'})-[:NEW]->(:Late)",
     "MATCH (n:Person {name: 'p2'}) SET n.age = 2.5, n:Late"},
    {"UNWIND range(1, 1005) AS i CREATE (:Near {i: i, v: vector([i * 7919 % 1009 / 100.0, i * "
     "104729 % 997 / 100.0])})",
     "CREATE VECTOR INDEX near FOR (n:Near) ON (n.v) OPTIONS {dimensions: 2, metric: 'l2', ef: 16, "
     "ef_construction: 16}",
     "CREATE SNAPSHOT first", "MATCH (n:Near {i: 9}) SET n.v = [40, 40]"},
    {"UNWIND range(1, 10) AS i CREATE (:Zeros {z: vector([x IN range(1, 4096) | 0])})",
     "UNWIND range(0, 99) AS i CREATE (:Person {name: 'p' + toString(i)})",
     "MATCH (a:Person) UNWIND [1, 7] AS k MATCH (b:Person) WHERE id(b) = id(a) + k CREATE "
     "(a)-[:KNOWS]->(b)",
     "CREATE SNAPSHOT first", "MATCH (:Person {name: 'p1'})-[r:KNOWS]->() DELETE r",
     "MATCH (a:Person {name: 'p9'}), (b:Person {name: 'p2'}) CREATE "
     "(a)-[:KNOWS]->(b)-[:KNOWS]->(b)",
     "CREATE SNAPSHOT second", "MATCH (a:Person {name: 'p2'})-[r:KNOWS]->(a) DELETE r",
     "CREATE SNAPSHOT third"}};

/* ---- sound databases ---- */

static void run(contextql *session, const char *text)
{
    contextql_statement *statement = NULL;
    if (contextql_prepare(session, text, strlen(text), &statement, NULL) != CONTEXTQL_OK) return;
    while (contextql_step(statement) == CONTEXTQL_ROW)
        for (int column = 0; column < contextql_column_count(statement); column++)
            contextql_value_print(contextql_column(statement, column), NULL, 0);
    contextql_finalize(statement);
}

static Template *filling; /* nftw carries no argument */

static void note_places(Content *content)
{
    content->places = malloc((content->bytes + 1) * sizeof *content->places);
    size_t near = 0;
    for (size_t i = content->bytes; i-- > 0;) {
        near = content->data[i] != 0 ? NEAR_BYTES : near > 0 ? near - 1 : 0;
        if (near > 0) content->places[content->place_count++] = (uint32_t)i;
    }
}

static int note_file(const char *path, const struct stat *status, int kind, struct FTW *ftw)
{
    (void)ftw;
    if (kind != FTW_F || strstr(path, "/LOCK") != NULL) return 0;
    if (filling->file_count == FILES_MAX) abort();
    Content *content = &filling->files[filling->file_count++];
    snprintf(content->path, sizeof content->path, "%s", path + strlen(database));
    content->bytes = (size_t)status->st_size;
    content->data = malloc(content->bytes + 1);
    int file = open(path, O_RDONLY);
    if (file < 0 || read(file, content->data, content->bytes) != (ssize_t)content->bytes) abort();
    close(file);
    note_places(content);
    return 0;
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *ftw)
{
    (void)status, (void)kind, (void)ftw;
    return remove(path);
}

static void remove_all(const char *path)
{
    nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void remove_work(void)
{
    remove_all(work);
}

static contextql *opened(bool read_only)
{
    const contextql_options options = {.read_only = read_only, .create = !read_only};
    contextql *session = NULL;
    if (contextql_open(database, &options, &session) != CONTEXTQL_OK) {
        contextql_close(session);
        return NULL;
    }
    contextql_set(session, "timeout", "0.5");
    contextql_set(session, "memory_limit", "64M");
    contextql_set(session, "gpu", "off");
    return session;
}

/* One is that before it after its checkpoint, with a log again; the next has a vector index that is
 * searched along its links, and a snapshot, and the last segments that say what came and went. */
static void make_template(size_t number)
{
    filling = &templates[number];
    if (number != CONTINUED) remove_all(database);
    contextql *session = opened(false);
    if (session == NULL) abort();
    for (size_t i = 0; i < sizeof made[number] / sizeof made[number][0]; i++)
        if (made[number][i] != NULL) run(session, made[number][i]);
    contextql_close(session);
    nftw(database, note_file, 16, FTW_PHYS);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    const char *folder = getenv("TMPDIR");
    snprintf(work, sizeof work, "%s/fuzz-directory-XXXXXX", folder == NULL ? "." : folder);
    if (mkdtemp(work) == NULL || atexit(remove_work) != 0) abort();
    snprintf(database, sizeof database, "%s/d", work);
    for (size_t i = 0; i < TEMPLATES; i++)
        make_template(i);
    if (getenv("FUZZ_SHOW") != NULL)
        for (size_t i = 0; i < TEMPLATES; i++)
            for (size_t j = 0; j < templates[i].file_count; j++)
                fprintf(stderr, "%zu %s: %zu bytes, %zu places\n", i, templates[i].files[j].path,
                        templates[i].files[j].bytes, templates[i].files[j].place_count);
    checksum_any_fits = true;
    return 0;
}

/* ---- edits ---- */

typedef enum EditKind { EDIT_BYTE, EDIT_U32, EDIT_U64, EDIT_CUT, EDIT_REMOVE, EDIT_KINDS } EditKind;

static void edit(int file, const Content *content, EditKind kind, uint32_t place, uint64_t value)
{
    static const size_t lengths[EDIT_KINDS] = {[EDIT_BYTE] = 1, [EDIT_U32] = 4, [EDIT_U64] = 8};
    if (content->place_count == 0) return;
    off_t at = content->places[place % content->place_count];
    if (kind == EDIT_CUT && ftruncate(file, at) != 0) abort();
    if (pwrite(file, &value, lengths[kind], at) != (ssize_t)lengths[kind]) abort();
}

static void make_folder_of(char *path)
{
    char *slash = strrchr(path, '/');
    *slash = '\0';
    mkdir(path, 0755);
    *slash = '/';
}

static void put_content(const Content *content, size_t number, const uint8_t *edits, size_t count)
{
    char path[400];
    snprintf(path, sizeof path, "%s%s", database, content->path);
    make_folder_of(path);
    int file = open(path, O_RDWR | O_CREAT | O_TRUNC, 0644);
    size_t used = content->place_count == 0 ? 0 : content->places[0] + 1ul; /* the last in use */
    if (file < 0 || write(file, content->data, used) != (ssize_t)used ||
        ftruncate(file, (off_t)content->bytes) != 0)
        abort();
    for (size_t i = 0; i < count; i++) {
        Reader reader = reader_of(edits + i * EDIT_BYTES, EDIT_BYTES);
        uint8_t which = get_u8(&reader), kind = get_u8(&reader) % EDIT_KINDS;
        uint32_t place = get_u16(&reader) | (uint32_t)get_u8(&reader) << 16;
        uint64_t value = get_u64(&reader);
        if (which != number) continue;
        if (kind == EDIT_REMOVE)
            unlink(path);
        else
            edit(file, content, (EditKind)kind, place, value);
    }
    close(file);
}

/* ---- use ---- */

static void read_all(void)
{
    static const char *const texts[] = {
        "MATCH (n) RETURN n",
        "MATCH (a)-[r]->(b) RETURN a, r, b",
        "MATCH (a)<-[r]-(b) RETURN r",
        "MATCH (n:Person {name: 'Ada'}) RETURN n.age",
        "MATCH (n:Person {name: 'p1'})--(m) RETURN m",
        "MATCH (n:Person) VECTOR n.v SIMILAR TO [1, 0, 2] LIMIT 3 RETURN n, similarity_score",
        "MATCH (n) RETURN count(n), max(n.age), collect(n.name), labels(n)",
        "MATCH p = (a:Person)-[*1..2]-(b) RETURN count(p)",
        "MATCH (n:Near) VECTOR n.v SIMILAR TO [5, 5] LIMIT 2 AS s RETURN n.i, s",
        "MATCH (a:Person)-[:KNOWS]-(b) RETURN count(DISTINCT a), count(b)",
        "AT SNAPSHOT second MATCH (a:Person)-[:KNOWS]->()<-[:KNOWS]-(b) RETURN count(*)",
        "AT SNAPSHOT first MATCH (n) RETURN count(n), sum(n.i)",
        "AT SNAPSHOT first MATCH (n:Near) VECTOR n.v SIMILAR TO [5, 5] LIMIT 2 AS s RETURN n.i, s",
        "SHOW SNAPSHOTS",
        "SHOW INDEXES"};
    contextql *session = opened(true);
    if (session == NULL) return;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        run(session, texts[i]);
    contextql_close(session);
}

static void look_after(const Template *template, bool recover)
{
    char path[400];
    contextql_check(database, NULL, NULL, NULL);
    snprintf(path, sizeof path, "%s/recovered", work);
    if (recover) contextql_recover(database, path, NULL, NULL, NULL);
    remove_all(path);
    for (size_t i = 0; i < template->file_count; i++) {
        snprintf(path, sizeof path, "%s%s", database, template->files[i].path);
        contextql_inspect(path, NULL, NULL);
    }
}

static void write_all(void)
{
    static const char *const texts[] = {
        "CREATE (:Person {name: 'new', age: 1, v: vector([1, 1, 1])})-[:KNOWS]->(:New)",
        "MATCH (n:Person) SET n.age = 5, n.fresh = n.name, n:Q REMOVE n.tags",
        "MATCH (a:Person)-[r:KNOWS]->(b) SET r.since = 2 DELETE r",
        "MATCH (n:Doc) DETACH DELETE n"};
    contextql *session = opened(false);
    if (session == NULL) return;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        run(session, texts[i]);
    contextql_close(session);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) return 0;
    const Template *template = &templates[(data[0] & 0x7f) % TEMPLATES];
    size_t count = (size - 1) / EDIT_BYTES;
    if (count > EDITS_MAX) return 0;
    remove_all(database);
    mkdir(database, 0755);
    for (size_t i = 0; i < template->file_count; i++)
        put_content(&template->files[i], i, data + 1, count);
    look_after(template, (data[0] & 0x80) != 0);
    read_all();
    write_all();
    read_all();
    return 0;
}
