/* Looking after a database: a graph whose parts do not agree is told as such, each kind of
 * disagreement; a byte of any file that is changed is found, or changes nothing that is read; files
 * of any bytes can be inspected. */
#include "config.h"

#include "base/map.h"
#include "contextql.h"
#include "graph/graph_internal.h"
#include "storage/inspect.h"
#include "test.h"
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- a graph against itself ---- */

static void ignore_line(void *user, TellKind kind, const char *where, const char *what,
                        const char *advice)
{
    (void)user, (void)kind, (void)where, (void)what, (void)advice;
}

enum { NODES = 5000 };

/* Nodes in a ring, with an index, a unique and a required property. */
static Graph *ring(void)
{
    Graph *graph = graph_create();
    GraphWriter *writer = graph_writer_begin(graph);
    uint32_t label = graph_name_intern(writer, NAME_LABEL, STR("L")),
             key = graph_name_intern(writer, NAME_KEY, STR("x")),
             type = graph_name_intern(writer, NAME_TYPE, STR("T"));
    GraphIndex plain = {.name = STR("plain"), .label = label, .keys = {key}, .key_count = 1},
               unique = {.name = STR("one"), .label = label, .keys = {key}, .key_count = 1};
    GraphIndex required = {.name = STR("has"), .label = label, .keys = {key}, .key_count = 1};
    unique.constraint = GRAPH_UNIQUE;
    required.constraint = GRAPH_REQUIRED;
    error_drop(graph_create_index(writer, &plain));
    error_drop(graph_create_index(writer, &unique));
    error_drop(graph_create_index(writer, &required));
    for (uint64_t i = 0, node; i < NODES; i++) {
        error_drop(graph_create_node(writer, &label, 1, &node));
        graph_set_property(
            writer, VALUE_NODE, node, key,
            value_integer((int64_t)(i < NODES / 2 ? i : i ^ 1))); /* a run, a table */
    }
    for (uint64_t i = 0, relationship; i < NODES; i++)
        error_drop(graph_create_relationship(writer, type, i, (i + 1) % NODES, &relationship));
    graph_writer_publish(writer);
    return graph;
}

static uint64_t findings(Graph *graph)
{
    Tell to = {.line = ignore_line};
    GraphView view = {graph, graph_version(graph)};
    graph_verify(&view, &to);
    return to.findings;
}

static Index *index_numbered(Graph *graph, size_t i)
{
    return directory_get(&graph->indexes, i);
}

/* One fault each, as a wrong program would leave it. */
static void count_rows(Graph *graph)
{
    atomic_fetch_add(&graph->nodes.rows.live, 1);
}
static void count_label(Graph *graph)
{
    Label *label = directory_get(&graph->labels, 0);
    atomic_fetch_add(&label->live, 1);
}
static void lose_bit(Graph *graph)
{
    Label *label = directory_get(&graph->labels, 0);
    uint64_t *bits = directory_get(&label->blocks, 1);
    bits[3] ^= 16;
}
static void break_shape(Graph *graph)
{
    column_write(graph, &graph->shapes_of, 17, value_integer(999), graph_version(graph), false);
}
static void move_end(Graph *graph)
{
    EndsBlock *ends = directory_get(&graph_type(graph, 0)->ends, 1);
    ends->to[5] = 1;
}
static void double_entry(Graph *graph)
{
    adjacency_add(graph, &graph_type(graph, 0)->in, 8, 7, 7);
}
static void lose_entry(Graph *graph)
{
    adjacency_undo(&graph_type(graph, 0)->out, 4000);
}
static void count_relationships(Graph *graph)
{
    atomic_fetch_sub(&graph_type(graph, 0)->table.rows.live, 1);
}
static void delete_end(Graph *graph)
{
    GraphWriter *writer = graph_writer_begin(graph);
    graph_delete_node(writer, 3);
    graph_writer_publish(writer);
}
static void lose_slot(Graph *graph)
{
    HashTable *table = atomic_load(&index_numbered(graph, 0)->table);
    size_t at = 0;
    while (atomic_load(&table->slots[at]) == UINT64_MAX)
        at++;
    atomic_store(&table->slots[at], UINT64_MAX);
}
static void misplace_slot(Graph *graph)
{
    HashTable *table = atomic_load(&index_numbered(graph, 0)->table);
    size_t from = 0, to = table->mask;
    while (atomic_load(&table->slots[from]) == UINT64_MAX)
        from++;
    while (atomic_load(&table->slots[to]) != UINT64_MAX ||
           atomic_load(&table->slots[(to + table->mask) & table->mask]) != UINT64_MAX)
        to--;
    atomic_store(&table->slots[to], atomic_load(&table->slots[from]));
    atomic_store(&table->slots[from], UINT64_MAX);
}
static void count_slots(Graph *graph)
{
    index_numbered(graph, 0)->used++;
}
static void shorten_run(Graph *graph)
{
    atomic_fetch_sub(&index_numbered(graph, 0)->run.count, 1);
}
static void same_value(Graph *graph)
{
    GraphWriter *writer = graph_writer_begin(graph);
    graph_set_property(writer, VALUE_NODE, 4, 0, value_integer(5));
    graph_writer_publish(writer);
}
static void no_value(Graph *graph)
{
    GraphWriter *writer = graph_writer_begin(graph);
    graph_set_property(writer, VALUE_NODE, 4, 0, value_null());
    graph_writer_publish(writer);
}
static void bad_text(Graph *graph)
{
    GraphWriter *writer = graph_writer_begin(graph);
    uint32_t key = graph_name_intern(writer, NAME_KEY, STR("t"));
    graph_set_property(writer, VALUE_NODE, 4, key, value_string(STR("a\xff")));
    graph_writer_publish(writer);
}

static void graphs(void)
{
    void (*const faults[])(Graph *) = {
        count_rows,   count_label, lose_bit,      break_shape, move_end,
        double_entry, lose_entry,  delete_end,    lose_slot,   count_slots,
        same_value,   no_value,    misplace_slot, bad_text,    count_relationships,
        shorten_run};
    Graph *sound = ring();
    EXPECT(findings(sound) == 0);
    graph_destroy(sound);
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        Graph *graph = ring();
        faults[i](graph);
        printf("# fault %zu\n", i);
        EXPECT(findings(graph) > 0);
        graph_destroy(graph);
    }
}

/* ---- every byte of the files ---- */

static void run(const char *directory, bool read_only, const char *const *texts, size_t count,
                Buffer *out)
{
    contextql_options options = {.read_only = read_only, .create = !read_only};
    contextql *session = NULL;
    contextql_statement *statement;
    int result = contextql_open(directory, &options, &session);
    for (size_t i = 0; i < count && result == CONTEXTQL_OK; i++) {
        result = contextql_prepare(session, texts[i], strlen(texts[i]), &statement, NULL);
        while (result == CONTEXTQL_OK || result == CONTEXTQL_ROW) {
            result = contextql_step(statement);
            for (int c = 0; result == CONTEXTQL_ROW && c < contextql_column_count(statement); c++) {
                char cell[4096];
                contextql_value_print(contextql_column(statement, c), cell, sizeof cell);
                buffer_printf(out, "%s|", cell);
            }
        }
        contextql_finalize(statement);
        if (result == CONTEXTQL_DONE) result = CONTEXTQL_OK;
    }
    if (result != CONTEXTQL_OK) buffer_printf(out, "error %d", result);
    contextql_close(session);
}

static const char *const content[] = {
    "MATCH (n) RETURN labels(n), properties(n) ORDER BY n.x",
    "MATCH (a)-[r]->(b) RETURN a.x, type(r), properties(r), b.x ORDER BY a.x, b.x",
    "MATCH (p:P {x: 7}) RETURN p.t", "SHOW INDEXES"};

static void read_content(const char *directory, Buffer *out)
{
    buffer_clear(out);
    run(directory, true, content, sizeof content / sizeof *content, out);
}

/* A log that is long enough becomes a segment when it is left, here a small one: most of it is gone
 * again. Then a log of a few commits behind it. */
static void make(const char *directory)
{
    static const char *const first[] = {
        "CREATE INDEX places FOR (p:P) ON (p.x)",
        "CREATE CONSTRAINT names FOR (p:Q) REQUIRE p.x IS UNIQUE",
        "UNWIND range(1, 4000) AS i CREATE (:Gone {t: 'a text of some length to be gone "
        "again, so that the log is long enough for a segment ' + toString(i)})",
        "MATCH (n:Gone) DELETE n",
        "UNWIND range(1, 20) AS i CREATE (:P {x: i, t: 'text ' + toString(i), f: 1.5 * i, b: "
        "true, l: [i, 'x', date('2026-01-01')], v: [1.0, 2.0]})-[:R {w: i}]->(:Q:S {x: 100 + i})"};
    static const char *const then[] = {"CREATE (:P {x: 1000, t: 'then'})",
                                       "MATCH (a:P {x: 1}), (b:P {x: 2}) CREATE (a)-[:N]->(b)",
                                       "MATCH (a:P {x: 3}) SET a:S, a.t = 'later'"};
    Buffer out = {0};
    run(directory, false, first, sizeof first / sizeof *first, &out);
    run(directory, false, then, sizeof then / sizeof *then, &out);
    EXPECT(out.bytes == 0);
    buffer_free(&out);
}

typedef struct Flips {
    const char *directory;
    Str sound; /* what is read of it */
    Buffer now;
    uint64_t flipped, found, harmless, wrong;
} Flips;

static void flip(Flips *flips, int file, off_t at)
{
    uint8_t byte = 0, other;
    if (pread(file, &byte, 1, at) != 1) return;
    other = byte ^ (uint8_t)(1 << at % 8);
    if (pwrite(file, &other, 1, at) != 1) return;
    flips->flipped++;
    if (contextql_check(flips->directory, NULL, NULL, NULL) != CONTEXTQL_OK) {
        flips->found++;
    } else {
        read_content(flips->directory, &flips->now);
        if (str_equal(buffer_view(&flips->now), flips->sound))
            flips->harmless++;
        else
            flips->wrong++, printf("# byte %lld, not found, but read\n", (long long)at);
    }
    if (pwrite(file, &byte, 1, at) != 1) abort();
}

/* Every `step`-th byte, and every one that is not zero where that is few. */
static void flip_file(Flips *flips, const char *name, off_t step)
{
    char path[4096];
    struct stat status;
    snprintf(path, sizeof path, "%s/%s", flips->directory, name);
    int file = open(path, O_RDWR);
    if (file < 0 || fstat(file, &status) != 0) abort();
    uint64_t before = flips->flipped;
    for (off_t at = 0; at < status.st_size; at++) {
        uint8_t byte = 0;
        if (pread(file, &byte, 1, at) != 1) break;
        if (byte != 0 || at % step == 0) flip(flips, file, at);
    }
    printf("# %s: %llu of %lld bytes\n", name, (unsigned long long)(flips->flipped - before),
           (long long)status.st_size);
    close(file);
}

static void first_name(const char *directory, const char *folder, char out[512])
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", directory, folder);
    DIR *opened = opendir(path);
    struct dirent *entry;
    out[0] = '\0';
    while (opened != NULL && (entry = readdir(opened)) != NULL)
        if (entry->d_name[0] != '.') snprintf(out, 512, "%s/%s", folder, entry->d_name);
    closedir(opened);
}

static void every_byte(const char *directory)
{
    char segment[512], log[512];
    Buffer sound = {0};
    make(directory);
    first_name(directory, "graph", segment);
    first_name(directory, "wal", log);
    EXPECT(segment[0] != '\0' && log[0] != '\0');
    EXPECT(contextql_check(directory, NULL, NULL, NULL) == CONTEXTQL_OK);
    read_content(directory, &sound);
    EXPECT(strstr(sound.data, "later") != NULL && strstr(sound.data, "error") == NULL);
    Flips flips = {.directory = directory, .sound = buffer_view(&sound)};
    flip_file(&flips, "catalog.db", 61);
    flip_file(&flips, segment, 509);
    flip_file(&flips, log, 4001);
    printf("# %llu bytes flipped: %llu found, %llu harmless, %llu wrong\n",
           (unsigned long long)flips.flipped, (unsigned long long)flips.found,
           (unsigned long long)flips.harmless, (unsigned long long)flips.wrong);
    EXPECT(flips.wrong == 0);
    EXPECT(flips.found > 1000);
    EXPECT(contextql_check(directory, NULL, NULL, NULL) == CONTEXTQL_OK);
    buffer_free(&flips.now);
    buffer_free(&sound);
}

/* ---- any bytes ---- */

static Buffer content_of(const char *path)
{
    Buffer out = {0};
    FILE *file = fopen(path, "rb");
    char chunk[4096];
    size_t some;
    while (file != NULL && (some = fread(chunk, 1, sizeof chunk, file)) > 0)
        buffer_append(&out, chunk, some);
    if (file != NULL) fclose(file);
    return out;
}

static void inspect_any(const char *directory, const char *folder)
{
    enum { ROUNDS = 300 };
    char name[512], path[4096], copy[4096];
    uint64_t state = 7, told = 0;
    first_name(directory, folder, name);
    snprintf(path, sizeof path, "%s/%s", directory, name);
    snprintf(copy, sizeof copy, "%s/copy%s", directory, name + strlen(name) - 5);
    EXPECT(contextql_inspect(path, NULL, NULL) == CONTEXTQL_OK);
    Buffer whole = content_of(path);
    for (int round = 0; round < ROUNDS; round++) {
        size_t bytes =
            random_next(&state) % 8 == 0 ? random_next(&state) % whole.bytes : whole.bytes;
        FILE *file = fopen(copy, "wb");
        if (file == NULL || fwrite(whole.data, 1, bytes, file) != bytes) abort();
        for (int i = 0; i < 8; i++) { /* near the end of a segment lies what says where all is */
            uint64_t range = random_next(&state) % 2 == 0 || bytes < 8192 ? bytes : 8192;
            uint64_t at = folder[0] == 'g' ? bytes - 1 - random_next(&state) % (range + 1)
                                           : random_next(&state) % 16384;
            if (at < bytes && fseek(file, (long)at, SEEK_SET) == 0)
                fputc((int)(random_next(&state) & 255), file);
        }
        fclose(file);
        told += contextql_inspect(copy, NULL, NULL) == CONTEXTQL_FOUND;
    }
    unlink(copy);
    printf("# %s: %llu of %d told\n", folder, (unsigned long long)told, ROUNDS);
    EXPECT(told > ROUNDS / 2);
    buffer_free(&whole);
}

static void remove_all(const char *directory)
{
    char command[4200];
    snprintf(command, sizeof command, "rm -rf '%s'", directory);
    if (system(command) != 0) printf("# %s stays\n", directory);
}

int main(void)
{
    char folder[] = "check-XXXXXX", path[4096];
    if (mkdtemp(folder) == NULL) return 99;
    snprintf(path, sizeof path, "%s/a.cqldb", folder);
    graphs();
    every_byte(path);
    inspect_any(path, "graph");
    inspect_any(path, "wal");
    remove_all(folder);
    return DONE();
}
