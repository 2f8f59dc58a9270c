/*
 * log.c - any bytes as what a transaction did (database/log.h): transactions, each a u16 length and
 * a payload, are done one after the other, as replay does them behind the checksums.
 *
 * A payload is refused or done as a whole. What was done is written as a segment to a disk in memory
 * and read from it again: a graph that agrees with itself must do so then, too, and hold as much.
 * FUZZ_SEEDS=FOLDER writes what real statements log as seeds. Built with --enable-fuzzing (clang,
 * libFuzzer).
 */
#include "config.h"

#include "api/api_internal.h"
#include "database/log.h"
#include "storage/catalog.h"
#include "storage/wal.h"
#include "tests/faults/disk.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

enum { NODES_MAX = 100000 }; /* of one input: replay may make many of few bytes */

/* ---- seeds ---- */

static const char *const statements[] = {
    "CREATE INDEX people FOR (n:Person) ON (n.name)",
    "CREATE VECTOR INDEX vectors FOR (n:Person) ON (n.v) OPTIONS {dimensions: 3}",
    "CREATE (a:Person {name: 'Ada', age: 36, v: vector([1, 0, 2]), tags: ['x', 1]})-[:KNOWS "
    "{since: "
    "1}]->(:Person:User {name: 'Bob', age: 3.5})",
    "UNWIND range(1, 5) AS i CREATE (:Many {i: i, ok: i > 2, d: duration({days: i})})",
    "MATCH (n:Person {name: 'Bob'}) SET n.age = 'old', n:Old REMOVE n:User",
    "MATCH (a:Person), (m:Many) WHERE m.i < 3 CREATE (a)-[:OWNS]->(m)",
    "MATCH (:Person)-[r:OWNS]->() DELETE r",
    "MATCH (m:Many) DETACH DELETE m",
    "CREATE CONSTRAINT one FOR (d:Doc) REQUIRE d.title IS UNIQUE",
    "DROP INDEX people"};

typedef struct Seeds {
    const char *folder;
    unsigned count;
    Buffer all; /* the transactions so far */
} Seeds;

static Error *write_seed(void *user, Str payload, const WalCommit *commit)
{
    Seeds *seeds = user;
    char path[512];
    (void)commit;
    put_u16(&seeds->all, (uint16_t)payload.bytes);
    buffer_str(&seeds->all, payload);
    snprintf(path, sizeof path, "%s/%02u", seeds->folder, seeds->count++);
    FILE *file = fopen(path, "wb");
    if (file == NULL || fwrite(seeds->all.data, 1, seeds->all.bytes, file) != seeds->all.bytes)
        abort();
    fclose(file);
    return NULL;
}

static void make_seeds(const char *folder)
{
    Disk *disk = disk_create();
    const Io *io = disk_io(disk);
    contextql *session = NULL;
    Seeds seeds = {.folder = folder};
    if (session_open("/d", NULL, io, &session) != CONTEXTQL_OK) abort();
    for (size_t i = 0; i < sizeof statements / sizeof *statements; i++) {
        contextql_statement *statement = NULL;
        int result =
            contextql_prepare(session, statements[i], strlen(statements[i]), &statement, NULL);
        while (result == CONTEXTQL_OK || result == CONTEXTQL_ROW)
            result = contextql_step(statement);
        contextql_finalize(statement);
    }
    contextql_close(session);
    Arena *arena = arena_create();
    Catalog catalog;
    Wal *wal = NULL;
    WalReport report;
    Error *error = catalog_read(io, "/d", true, arena, &catalog);
    if (error == NULL) error = wal_open(io, "/d", catalog.uuid, catalog.start, &wal);
    if (error == NULL) error = wal_recover(wal, write_seed, &seeds, &report);
    if (error != NULL || seeds.count < 5) abort();
    _exit(0); /* what is still held goes with the process */
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    const char *folder = getenv("FUZZ_SEEDS");
    if (folder != NULL) make_seeds(folder);
    return 0;
}

/* ---- replay ---- */

static void count_finding(void *user, TellKind kind, const char *where, const char *what,
                          const char *advice)
{
    (void)user, (void)advice;
    if (kind == TELL_FINDING && getenv("FUZZ_SHOW") != NULL)
        fprintf(stderr, "%s: %s\n", where, what);
}

static uint64_t findings(const GraphView *view)
{
    Tell tell = {.line = count_finding};
    graph_verify(view, &tell);
    return tell.findings;
}

static void replay(Graph *graph, Str payload)
{
    LoggedSegment logged;
    if (log_names_segment(payload)) {
        error_drop(log_decode_segment(payload, &logged));
        return;
    }
    GraphWriter *writer = graph_writer_begin(graph);
    Error *error = log_replay(writer, payload);
    if (error == NULL)
        graph_writer_publish(writer);
    else
        graph_writer_abort(writer, GRAPH_NO_SLOT);
    error_drop(error);
}

static uint64_t size_of(const GraphView *view)
{
    uint64_t entities = graph_node_count(view);
    for (uint32_t type = 0; type < graph_name_count(view->graph, NAME_TYPE); type++)
        entities += graph_relationship_count(view, type);
    return entities;
}

static Error *save(Disk *disk, const GraphView *view, SegmentFile *out, Buffer *schema)
{
    static const uint8_t uuid[SEGMENT_UUID_BYTES] = {1};
    SegmentWriter *segment;
    TRY(segment_create(disk_io(disk), "", "graph", uuid, GRAPH_SEGMENT_KIND, 1, &segment));
    GraphSave *saving = graph_save_new(segment);
    Error *error = graph_save_all(saving, view, schema);
    graph_save_free(saving);
    if (error == NULL) return segment_finish(segment, out);
    segment_abandon(segment);
    return error;
}

static void write_and_read(Graph *made)
{
    static const uint8_t uuid[SEGMENT_UUID_BYTES] = {1};
    Disk *disk = disk_create();
    Buffer schema = {0};
    SegmentFile file;
    Segment *segment;
    Graph *graph = NULL;
    GraphView newest = {made, graph_pending(made)};
    Error *error = save(disk, &newest, &file, &schema);
    if (error == NULL) error = segment_open(disk_io(disk), "", uuid, &file, &segment);
    if (error == NULL) error = graph_load(segment, buffer_view(&schema), &graph);
    if (error != NULL) {
        fprintf(stderr, "%s\n", error_message(error));
        abort();
    }
    GraphView again = {graph, graph_version(graph)};
    if (findings(&again) > 0 || size_of(&again) != size_of(&newest)) abort();
    graph_destroy(graph);
    buffer_free(&schema);
    disk_destroy(disk);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Reader reader = reader_of(data, size);
    Graph *graph = graph_create();
    GraphView view = {graph, 0};
    while (reader_left(&reader) > 2 && graph_node_count(&view) < NODES_MAX) {
        size_t bytes = get_u16(&reader), left = reader_left(&reader);
        Str payload = {(const char *)reader.at, bytes < left ? bytes : left};
        reader.at += payload.bytes;
        if (payload.bytes > 0) replay(graph, payload);
        view.version = graph_version(graph);
    }
    /* Effects no statement has (a value twice under a unique constraint) are findings, not errors. */
    if (findings(&view) == 0) write_and_read(graph);
    graph_destroy(graph);
    return 0;
}
