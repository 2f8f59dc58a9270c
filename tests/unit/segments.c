/* A graph written as a segment and opened again is the same graph, and goes on to be: random
 * changes, with the directory closed and opened in between, against the same changes in memory. */
#include "config.h"

#include "base/map.h"
#include "database/database.h"
#include "graph/lists.h"
#include "graph/stored.h"
#include "storage/catalog.h"
#include "test.h"
#include "value/encode.h"
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

static const DatabaseOptions writing = {.create = true}, reading = {.read_only = true};

static Database *opened(const char *directory, const DatabaseOptions *options)
{
    Database *database = NULL;
    Error *error = directory == NULL ? database_open_memory(options, clock_system(), &database)
                                     : database_open(directory, options, clock_system(), &database);
    if (error != NULL) printf("# %s\n", error_message(error));
    error_drop(error);
    return database;
}

/* ---- everything a graph shows, as text ---- */

static void dump_entity(const GraphView *view, ValueKind kind, uint64_t id, Arena *arena,
                        Buffer *out)
{
    value_print(out, graph_property_map(view, kind, id, arena), true);
    buffer_char(out, '\n');
}

static void dump_neighbors(const GraphView *view, uint64_t node, Buffer *out)
{
    Neighbors neighbors = {0};
    for (uint32_t type = 0; type < graph_name_count(view->graph, NAME_TYPE); type++)
        for (int direction = GRAPH_OUT; direction <= GRAPH_BOTH; direction++) {
            neighbors.count = 0;
            graph_expand(view, type, (GraphDirection)direction, node, &neighbors);
            for (size_t i = 0; i < neighbors.count; i++)
                buffer_printf(out, " %llu/%llu", (unsigned long long)neighbors.nodes[i],
                              (unsigned long long)neighbors.relationships[i]);
            buffer_printf(
                out, " (%llu)",
                (unsigned long long)graph_degree(view, type, (GraphDirection)direction, node));
        }
    neighbors_free(&neighbors);
}

static void dump_counts(const GraphView *view, Buffer *out)
{
    buffer_printf(out, "%llu nodes", (unsigned long long)graph_node_count(view));
    for (uint32_t i = 0; i < graph_name_count(view->graph, NAME_LABEL); i++)
        buffer_printf(out, " %llu", (unsigned long long)graph_label_count(view, i));
    for (uint32_t i = 0; i < graph_name_count(view->graph, NAME_TYPE); i++)
        buffer_printf(out, " %llu", (unsigned long long)graph_relationship_count(view, i));
}

static void dump_seeks(const GraphView *view, Buffer *out)
{
    const GraphIndex *index = graph_index_named(view, STR("by_number"));
    Neighbors found = {0};
    for (int64_t i = 0; index != NULL && i < 40; i++) {
        found.count = 0;
        graph_seek(view, index, value_integer(i), &found);
        buffer_printf(out, "\nseek %lld:", (long long)i);
        for (size_t j = 0; j < found.count; j++)
            buffer_printf(out, " %llu", (unsigned long long)found.nodes[j]);
    }
    neighbors_free(&found);
}

static bool holds_itself(const GraphLists *lists, uint64_t node)
{
    const uint32_t *targets;
    uint32_t count;
    bool found = false;
    if (!graph_list(lists, node, &targets, &count)) return false;
    for (uint32_t i = 0; i < count; i++)
        found = found || targets[i] == node;
    return found;
}

static uint32_t wrong_degrees; /* graphs that were looked at */

/* Degrees counted side by side, of all nodes and of every third, are those counted alone. */
static bool counts_right(const GraphView *view)
{
    static uint64_t nodes[1 << 17];
    static uint32_t counts[1 << 17];
    static uint16_t thirds[1 << 16];
    uint64_t cursor = 0;
    uint32_t count = graph_scan(view, NULL, 0, &cursor, nodes, 1 << 16), third = 0;
    bool right = true;
    for (uint32_t i = 0; i < count; i += 3)
        thirds[third++] = (uint16_t)i;
    for (uint32_t type = 0; type < graph_name_count(view->graph, NAME_TYPE); type++)
        for (int in = 0; in < 2; in++) {
            GraphLists lists;
            bool loops = false;
            if (!graph_lists(view, type, in ? GRAPH_IN : GRAPH_OUT, &lists) || lists.delta != NULL)
                continue;
            for (int every = 1; every <= 3; every += 2) {
                graph_list_counts(&lists, nodes, every == 3 ? thirds : NULL,
                                  every == 3 ? third : count, counts);
                for (uint32_t i = 0; i < count; i += (uint32_t)every)
                    right = right && counts[i] == graph_degree(view, type,
                                                               in ? GRAPH_IN : GRAPH_OUT, nodes[i]);
            }
            for (uint32_t i = 0; i < count; i++)
                loops = loops || holds_itself(&lists, nodes[i]);
            right = right && graph_lists_loopless(&lists) != loops;
        }
    return right;
}

static void dump(Database *database, Buffer *out)
{
    Transaction *transaction;
    Arena *arena = arena_create();
    uint64_t cursor = 0, id;
    buffer_clear(out);
    error_drop(transaction_begin(database, &transaction));
    GraphView view = transaction_view(transaction);
    while (graph_scan(&view, NULL, 0, &cursor, &id, 1) == 1) {
        uint32_t count;
        const uint32_t *labels = graph_node_labels(&view, id, &count);
        buffer_printf(out, "%llu:", (unsigned long long)id);
        for (uint32_t i = 0; i < count; i++)
            buffer_printf(out, " %u", labels[i]);
        dump_neighbors(&view, id, out);
        dump_entity(&view, VALUE_NODE, id, arena, out);
    }
    for (uint32_t type = 0; type < graph_name_count(view.graph, NAME_TYPE); type++)
        for (cursor = 0; graph_scan_relationships(&view, type, &cursor, &id, 1) == 1;) {
            uint64_t from, to;
            graph_relationship_ends(&view, id, &from, &to);
            buffer_printf(out, "%llx: %llu %llu ", (unsigned long long)id, (unsigned long long)from,
                          (unsigned long long)to);
            dump_entity(&view, VALUE_RELATIONSHIP, id, arena, out);
        }
    for (uint32_t label = 0; label < graph_name_count(view.graph, NAME_LABEL); label++)
        for (cursor = 0; graph_scan(&view, &label, 1, &cursor, &id, 1) == 1;)
            buffer_printf(out, "%llu ", (unsigned long long)id);
    wrong_degrees += !counts_right(&view);
    dump_counts(&view, out);
    dump_seeks(&view, out);
    transaction_rollback(transaction);
    arena_destroy(arena);
}

/* ---- random changes ---- */

typedef struct Random {
    uint64_t state;
} Random;

static uint64_t draw(Random *random, uint64_t below)
{
    return random_next(&random->state) % below;
}

static Value some_value(Random *random, uint32_t key)
{
    static Value items[3];
    static float components[8];
    static char text[32];
    static const Duration month = {.months = 1};
    switch (key == 7 ? draw(random, 7) : key) { /* key 7 holds all kinds */
    case 0: return value_integer((int64_t)draw(random, 40));
    case 1: return value_float((double)draw(random, 1000) / 8);
    case 2:
        snprintf(text, sizeof text, "text %llu", (unsigned long long)draw(random, 1000));
        return value_string(str_from(text));
    case 3: return value_boolean(draw(random, 2) == 1);
    case 4:
        for (int i = 0; i < 8; i++)
            components[i] = (float)draw(random, 100) - 50;
        return value_vector(components, 8);
    case 5:
        for (int i = 0; i < 3; i++)
            items[i] = value_integer((int64_t)draw(random, 9));
        items[1] = value_string(STR("inside"));
        return value_list(items, 3);
    case 6: return (Value){.kind = VALUE_DURATION, .as.duration = &month};
    default: return value_null();
    }
}

enum { KEYS = 8, LABELS = 4, TYPES = 3 };

static void some_names(GraphWriter *writer)
{
    char name[20];
    for (int i = 0; i < KEYS; i++) {
        snprintf(name, sizeof name, "key%d", i);
        graph_name_intern(writer, NAME_KEY, str_from(name));
    }
    for (int i = 0; i < LABELS; i++) {
        snprintf(name, sizeof name, "Label%d", i);
        graph_name_intern(writer, NAME_LABEL, str_from(name));
    }
    for (int i = 0; i < TYPES; i++) {
        snprintf(name, sizeof name, "TYPE%d", i);
        graph_name_intern(writer, NAME_TYPE, str_from(name));
    }
}

static void delete_node(GraphWriter *writer, uint64_t node)
{
    GraphView view = graph_writer_view(writer);
    Neighbors neighbors = {0};
    for (uint32_t type = 0; type < TYPES; type++)
        graph_expand(&view, type, GRAPH_BOTH, node, &neighbors);
    for (size_t i = 0; i < neighbors.count; i++)
        graph_delete_relationship(writer, neighbors.relationships[i]);
    neighbors_free(&neighbors);
    graph_delete_node(writer, node);
}

static void change_relationship(GraphWriter *writer, Random *random, uint64_t nodes)
{
    GraphView view = graph_writer_view(writer);
    uint64_t from = draw(random, nodes), to = draw(random, nodes), id;
    uint32_t type = (uint32_t)draw(random, TYPES), key = (uint32_t)draw(random, KEYS);
    if (!graph_node_visible(&view, from) || !graph_node_visible(&view, to)) return;
    error_drop(graph_create_relationship(writer, type, from, to, &id));
    graph_set_property(writer, VALUE_RELATIONSHIP, id, key, some_value(random, key));
    if (draw(random, 10) == 0) graph_delete_relationship(writer, id);
}

static void change_once(GraphWriter *writer, Random *random, uint64_t *nodes)
{
    GraphView view = graph_writer_view(writer);
    uint64_t what = draw(random, 100), id = *nodes == 0 ? 0 : draw(random, *nodes);
    uint32_t key = (uint32_t)draw(random, KEYS), label = (uint32_t)draw(random, LABELS);
    if (*nodes == 0 || what < 20) {
        error_drop(graph_create_node(writer, &label, 1, &id));
        *nodes = id + 1;
        graph_set_property(writer, VALUE_NODE, id, key, some_value(random, key));
        return;
    }
    if (!graph_node_visible(&view, id)) return;
    if (what < 50)
        change_relationship(writer, random, *nodes);
    else if (what < 80)
        graph_set_property(writer, VALUE_NODE, id, key, some_value(random, key));
    else if (what < 86)
        graph_set_property(writer, VALUE_NODE, id, key, value_null());
    else if (what < 92)
        graph_add_label(writer, id, label);
    else if (what < 96)
        graph_remove_label(writer, id, label);
    else if (what < 98)
        delete_node(writer, id);
}

/* The same seed makes the same changes. Some are rolled back. */
static void change(Database *database, uint64_t seed, uint64_t count, uint64_t *nodes)
{
    Random random = {seed};
    Transaction *transaction;
    GraphWriter *writer;
    error_drop(transaction_begin(database, &transaction));
    error_drop(transaction_writer(transaction, NULL, NULL, &writer));
    some_names(writer);
    if (seed == 1)
        error_drop(
            graph_create_index(writer, &(GraphIndex){.name = STR("by_number"), .key_count = 1}));
    for (uint64_t i = 0; i < count; i++)
        change_once(writer, &random, nodes);
    size_t savepoint = transaction_savepoint(transaction);
    uint64_t spoiled = *nodes;
    for (uint64_t i = 0; i < count / 10; i++)
        change_once(writer, &random, &spoiled);
    transaction_rollback_to(transaction, savepoint);
    Error *error = transaction_commit(transaction);
    if (error != NULL) printf("# %s\n", error_message(error));
    error_drop(error);
}

static void same_after_every_reopening(const char *directory)
{
    Database *oracle = opened(NULL, &writing);
    Buffer expected = {0}, got = {0};
    uint64_t nodes[2] = {0, 0};
    int differ = 0;
    /* large ones become segments at commit, middling ones at leaving, small ones stay in the log */
    static const uint64_t counts[] = {20, 3000, 60000, 50, 9000, 7, 40000, 500, 70000, 1};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        Database *database = opened(directory, &writing);
        if (database == NULL) break;
        change(oracle, i + 1, counts[i], &nodes[0]);
        change(database, i + 1, counts[i], &nodes[1]);
        dump(oracle, &expected);
        dump(database, &got);
        differ += !str_equal(buffer_view(&expected), buffer_view(&got));
        Database *beside = opened(directory, &reading);
        dump(beside, &got);
        differ += !str_equal(buffer_view(&expected), buffer_view(&got));
        error_drop(database_close(beside));
        Error *error = database_close(database);
        differ += error != NULL;
        error_drop(error);
        database = opened(directory, &writing);
        dump(database, &got);
        differ += !str_equal(buffer_view(&expected), buffer_view(&got));
        error_drop(database_close(database));
        printf("# %zu: %llu nodes, %zu bytes of text, %d differences\n", i,
               (unsigned long long)nodes[0], expected.bytes, differ);
    }
    EXPECT(differ == 0 && nodes[0] == nodes[1]);
    error_drop(database_close(oracle));
    buffer_free(&expected);
    buffer_free(&got);
}

/* ---- loads in several statements, written while they go on ---- */

enum { CHUNK = 2048 };

/* Cells of one column for a chunk; texts and vectors are the arena's. */
static const Value *some_cells(Random *random, Arena *arena, uint32_t key)
{
    Value *cells = arena_array(arena, Value, CHUNK);
    for (uint32_t i = 0; i < CHUNK; i++)
        cells[i] =
            draw(random, 20) == 0 ? value_null() : value_copy(arena, some_value(random, key));
    return cells;
}

static GraphRows some_rows(Random *random, Arena *arena, GraphCells *columns, uint32_t count)
{
    static uint16_t all[CHUNK];
    for (uint32_t i = 0; i < CHUNK; i++)
        all[i] = (uint16_t)i;
    uint32_t first = (uint32_t)draw(random, KEYS - 2);
    for (uint32_t c = 0; c < 2; c++)
        columns[c] = (GraphCells){first + c, some_cells(random, arena, first + c)};
    return (GraphRows){all, count, 1, columns, 2};
}

static void load_nodes(GraphWriter *writer, Random *random, Arena *arena, uint64_t *nodes)
{
    GraphCells columns[2];
    uint32_t sets[CHUNK], labels[] = {0, (uint32_t)draw(random, LABELS)};
    for (uint32_t i = 0; i < CHUNK; i++)
        sets[i] = graph_label_set(writer, labels, 1 + i % 2);
    for (uint64_t chunks = 1 + draw(random, 12); chunks > 0; chunks--) {
        uint64_t first;
        GraphRows rows = some_rows(random, arena, columns, chunks == 1 ? 777 : CHUNK);
        error_drop(graph_append_nodes(writer, &rows, sets, NULL, &first));
        *nodes = first + rows.count;
    }
}

static void load_relationships(GraphWriter *writer, Random *random, Arena *arena, uint64_t nodes)
{
    GraphCells columns[2];
    GraphView view = graph_writer_view(writer);
    uint64_t from[CHUNK], to[CHUNK], first;
    uint32_t type = (uint32_t)draw(random, TYPES);
    for (uint64_t chunks = 1 + draw(random, 12); chunks > 0; chunks--) {
        uint32_t count = 0;
        for (uint32_t i = 0; i < CHUNK; i++) {
            from[count] = draw(random, nodes), to[count] = draw(random, nodes);
            count += graph_node_visible(&view, from[count]) && graph_node_visible(&view, to[count]);
        }
        GraphRows rows = some_rows(random, arena, columns, count);
        error_drop(graph_append_relationships(writer, type, &rows, from, to, &first));
    }
    graph_settle(writer, NULL, 1);
}

/* A property of many nodes, most of which have none yet. */
static void fill_property(GraphWriter *writer, Random *random, Arena *arena, uint64_t nodes)
{
    GraphCells columns[2];
    GraphView view = graph_writer_view(writer);
    uint64_t ids[CHUNK], at = draw(random, nodes);
    uint32_t count = 0;
    for (; count < CHUNK && at < nodes; at++)
        if (graph_node_visible(&view, at)) ids[count++] = at;
    GraphRows rows = some_rows(random, arena, columns, count);
    graph_set_properties(writer, ids, &rows, 0);
    graph_set_properties(writer, ids, &rows, 1);
}

static void load_step(GraphWriter *writer, Random *random, Arena *arena, uint64_t *nodes)
{
    uint64_t what = *nodes == 0 ? 0 : draw(random, 10);
    if (what < 3)
        load_nodes(writer, random, arena, nodes);
    else if (what < 6)
        load_relationships(writer, random, arena, *nodes);
    else if (what < 8)
        fill_property(writer, random, arena, *nodes);
    else
        for (uint64_t i = draw(random, 200); i > 0; i--)
            change_once(writer, random, nodes);
}

static void load_in_steps(Database *database, uint64_t seed)
{
    enum { STEPS = 14 };
    Random random = {seed};
    Transaction *transaction;
    GraphWriter *writer;
    uint64_t nodes = 0;
    error_drop(transaction_begin(database, &transaction));
    error_drop(transaction_writer(transaction, NULL, NULL, &writer));
    some_names(writer);
    error_drop(graph_create_index(writer, &(GraphIndex){.name = STR("by_number"), .key_count = 1}));
    for (int step = 0; step < STEPS; step++) {
        Arena *arena = arena_create();
        size_t savepoint = transaction_savepoint(transaction);
        uint64_t before = nodes;
        load_step(writer, &random, arena, &nodes);
        if (draw(&random, 4) == 0) {
            transaction_rollback_to(transaction, savepoint);
            nodes = before;
        } else {
            transaction_write_ahead(transaction);
        }
        arena_destroy(arena);
    }
    if (seed % 8 == 0) { /* all of it in vain, and once more */
        transaction_rollback(transaction);
        load_in_steps(database, seed + 1);
        return;
    }
    Error *error = transaction_commit(transaction);
    if (error != NULL) printf("# %s\n", error_message(error));
    error_drop(error);
}

static void same_when_written_ahead(const char *folder)
{
    enum { SEEDS = 24 };
    Buffer expected = {0}, got = {0};
    char directory[4096];
    int differ = 0;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        snprintf(directory, sizeof directory, "%s/ahead-%d.cqldb", folder, (int)seed);
        Database *oracle = opened(NULL, &writing), *database = opened(directory, &writing);
        load_in_steps(oracle, seed);
        load_in_steps(database, seed);
        dump(oracle, &expected);
        dump(database, &got);
        differ += !str_equal(buffer_view(&expected), buffer_view(&got));
        error_drop(database_close(database));
        database = opened(directory, &reading);
        dump(database, &got);
        differ += !str_equal(buffer_view(&expected), buffer_view(&got));
        error_drop(database_close(database));
        error_drop(database_close(oracle));
        if (differ > 0) printf("# seed %d\n", (int)seed);
    }
    EXPECT(differ == 0);
    buffer_free(&expected);
    buffer_free(&got);
}

/* ---- nodes with very many relationships ---- */

enum { HUB = 5, HUB_NODES = 200, HUB_ENTRIES = 70000 }; /* more than 16 bits count */

/* Relationship i, of the hub and of others: in the order of its starts, or in none. */
static void hub_ends(uint64_t i, bool ordered, uint64_t *from, uint64_t *to)
{
    uint64_t total = HUB_ENTRIES + HUB_NODES * 10, at = ordered ? i : i * 7919 % total;
    *from = at < HUB * 10 ? at / 10 : at < HUB * 10 + HUB_ENTRIES ? HUB : (at - HUB_ENTRIES) / 10;
    *to = at * 31 % 100;
}

static void load_hub(Database *database, bool ordered)
{
    Transaction *transaction;
    GraphWriter *writer;
    uint64_t id, from[CHUNK], to[CHUNK], total = HUB_ENTRIES + HUB_NODES * 10;
    uint16_t places[CHUNK];
    error_drop(transaction_begin(database, &transaction));
    error_drop(transaction_writer(transaction, NULL, NULL, &writer));
    some_names(writer);
    for (uint16_t i = 0; i < CHUNK; i++)
        places[i] = i;
    for (int i = 0; i < HUB_NODES; i++)
        error_drop(graph_create_node(writer, NULL, 0, &id));
    for (uint64_t at = 0; at < total; at += CHUNK) {
        uint32_t count = total - at < CHUNK ? (uint32_t)(total - at) : CHUNK;
        GraphRows rows = {places, count, 1, NULL, 0};
        for (uint32_t i = 0; i < count; i++)
            hub_ends(at + i, ordered, &from[i], &to[i]);
        error_drop(graph_append_relationships(writer, 0, &rows, from, to, &id));
    }
    graph_settle(writer, NULL, 1);
    error_drop(transaction_commit(transaction));
}

/* Every node has just the relationships that were made, in the order in which they were. */
static bool has_hub(const GraphView *view, bool ordered)
{
    uint64_t total = HUB_ENTRIES + HUB_NODES * 10, from, to;
    size_t next[2][HUB_NODES] = {{0}};
    Neighbors found[2][HUB_NODES] = {{{0}}};
    bool good = graph_relationship_count(view, 0) == total;
    for (uint64_t node = 0; node < HUB_NODES; node++)
        for (int in = 0; in < 2; in++)
            graph_expand(view, 0, in ? GRAPH_IN : GRAPH_OUT, node, &found[in][node]);
    for (uint64_t i = 0; i < total && good; i++) {
        hub_ends(i, ordered, &from, &to);
        size_t out = next[0][from]++, in = next[1][to]++;
        const Neighbors *starts = &found[0][from], *ends = &found[1][to];
        uint64_t id = relationship_id(0, i), first, last;
        graph_relationship_ends(view, id, &first, &last);
        good = out < starts->count && in < ends->count && starts->nodes[out] == to &&
               starts->relationships[out] == id && ends->nodes[in] == from &&
               ends->relationships[in] == id && first == from && last == to;
    }
    for (uint64_t node = 0; node < HUB_NODES; node++)
        for (int in = 0; in < 2; in++) {
            good = good && next[in][node] == found[in][node].count;
            neighbors_free(&found[in][node]);
        }
    return good;
}

static bool shows_hub(Database *database, bool ordered)
{
    Transaction *transaction;
    error_drop(transaction_begin(database, &transaction));
    GraphView view = transaction_view(transaction);
    bool good = has_hub(&view, ordered) && counts_right(&view);
    transaction_rollback(transaction);
    return good;
}

static void hubs_are_whole(const char *folder)
{
    char directory[4096];
    for (int ordered = 0; ordered < 2; ordered++) {
        snprintf(directory, sizeof directory, "%s/hub-%d.cqldb", folder, ordered);
        Database *database = opened(directory, &writing);
        load_hub(database, ordered == 1);
        EXPECT(shows_hub(database, ordered == 1));
        error_drop(database_close(database));
        database = opened(directory, &reading);
        EXPECT(shows_hub(database, ordered == 1));
        error_drop(database_close(database));
    }
}

/* ---- checkpoints that write what has changed ---- */

static bool snap(Database *database)
{
    static const Retention few = {.keep = 2};
    SnapshotInfo info;
    Error *error = database_retain(database, few);
    if (error == NULL) error = database_create_snapshot(database, STR(""), NULL, NULL, &info);
    if (error != NULL) printf("# %s\n", error_message(error));
    bool good = error == NULL;
    error_drop(error);
    return good;
}

static void no_line(void *user, TellKind kind, const char *where, const char *what,
                    const char *advice)
{
    (void)user, (void)advice;
    if (kind == TELL_FINDING) printf("# %s: %s\n", where, what);
}

static uint64_t findings(const char *directory)
{
    Tell tell = {.line = no_line};
    Error *error = database_check(NULL, directory, clock_system(), &tell);
    if (error != NULL) printf("# %s\n", error_message(error));
    uint64_t found = tell.findings + (error != NULL);
    error_drop(error);
    return found;
}

static bool reads_the_same(const char *directory, const Buffer *expected, Buffer *got)
{
    Database *beside = opened(directory, &reading);
    dump(beside, got);
    error_drop(database_close(beside));
    return str_equal(buffer_view(expected), buffer_view(got));
}

static void same_when_changes_are_written(const char *directory)
{
    static const uint64_t counts[] = {1, 30, 2, 300, 5, 5000, 1, 60, 3, 9};
    enum { ROUNDS = 24, REFERRING_MIN = 8 };
    Database *oracle = opened(NULL, &writing), *database = opened(directory, &writing);
    Buffer expected = {0}, got = {0};
    uint64_t nodes[2] = {0, 0}, referring = 0, found = 0;
    int differ = 0;
    change(oracle, 1, 60000, &nodes[0]);
    change(database, 1, 60000, &nodes[1]);
    for (uint64_t round = 0; round < ROUNDS; round++) {
        uint64_t count = counts[round % (sizeof counts / sizeof *counts)];
        change(oracle, 100 + round, count, &nodes[0]);
        change(database, 100 + round, count, &nodes[1]);
        differ += !snap(database);
        dump(oracle, &expected);
        differ += !reads_the_same(directory, &expected, &got);
        if (round % 3 > 0) continue;
        referring += database_counters(database).referring;
        error_drop(database_close(database));
        found += findings(directory);
        database = opened(directory, &writing);
        dump(database, &got);
        differ += !str_equal(buffer_view(&expected), buffer_view(&got));
    }
    referring += database_counters(database).referring;
    printf("# %d of %d checkpoints referred to older segments, %d differences\n", (int)referring,
           ROUNDS, differ);
    EXPECT(differ == 0 && found == 0);
    EXPECT(referring >= REFERRING_MIN && referring < ROUNDS);
    error_drop(database_close(oracle));
    error_drop(database_close(database));
    buffer_free(&expected);
    buffer_free(&got);
}

/* The newest segment, with what it refers to. */
static Segment *newest(const char *directory)
{
    Arena *arena = arena_create();
    Catalog catalog;
    Segment *segment = NULL;
    Error *error = catalog_read(io_posix(), directory, true, arena, &catalog);
    if (error == NULL)
        error = segment_open(io_posix(), directory, catalog.uuid, &catalog.files[0], &segment);
    if (error != NULL) printf("# %s\n", error_message(error));
    EXPECT(error == NULL && segment_others(segment) + 1 == catalog.file_count);
    error_drop(error);
    arena_destroy(arena);
    return segment;
}

/* How many relationships stand behind the adjacency, or are gone from it. */
static uint64_t stored(const char *directory, StoredSection kind)
{
    Segment *segment = newest(directory);
    uint64_t count = 0;
    for (size_t i = 0; i < segment_count(segment); i++)
        if (segment_section(segment, i)->kind == kind) count += segment_section(segment, i)->count;
    segment_close(segment);
    return count;
}

static uint64_t added(const char *directory)
{
    return stored(directory, STORED_ADDED);
}

static uint64_t newest_bytes(const char *directory)
{
    Segment *segment = newest(directory);
    uint64_t bytes = segment_file(segment)->bytes;
    segment_close(segment);
    return bytes;
}

static void join_many(Database *database, uint64_t count)
{
    Transaction *transaction;
    GraphWriter *writer;
    uint64_t id;
    error_drop(transaction_begin(database, &transaction));
    error_drop(transaction_writer(transaction, NULL, NULL, &writer));
    for (uint64_t i = 0; i < count; i++)
        error_drop(graph_create_relationship(writer, 0, i % HUB_NODES, i * 7 % HUB_NODES, &id));
    error_drop(transaction_commit(transaction));
}

static uint64_t degrees(Database *database)
{
    Transaction *transaction;
    uint64_t sum = 0;
    error_drop(transaction_begin(database, &transaction));
    GraphView view = transaction_view(transaction);
    for (uint64_t node = 0; node < HUB_NODES; node++)
        sum += graph_degree(&view, 0, GRAPH_OUT, node) + graph_degree(&view, 0, GRAPH_IN, node);
    transaction_rollback(transaction);
    return sum;
}

static void relationships_stand_behind(const char *directory)
{
    uint64_t total = HUB_ENTRIES + HUB_NODES * 10;
    Database *database = opened(directory, &writing);
    load_hub(database, true);
    join_many(database, 10);
    EXPECT(snap(database) && added(directory) == 10);
    join_many(database, STORED_ADDED_MAX - 10);
    EXPECT(snap(database) && added(directory) == STORED_ADDED_MAX);
    error_drop(database_close(database));
    database = opened(directory, &writing);
    EXPECT(degrees(database) == 2 * (total + STORED_ADDED_MAX));
    EXPECT(findings(directory) == 0);
    join_many(database, 1); /* one more than may be */
    EXPECT(snap(database) && added(directory) == 0);
    error_drop(database_close(database));
    database = opened(directory, &writing);
    EXPECT(degrees(database) == 2 * (total + STORED_ADDED_MAX + 1));
    error_drop(database_close(database));
    EXPECT(findings(directory) == 0);
}

/* Every `step`-th relationship from `first` on, `count` of those that are there. */
static void part_many(Database *database, uint64_t first, uint64_t step, uint64_t count)
{
    Transaction *transaction;
    GraphWriter *writer;
    error_drop(transaction_begin(database, &transaction));
    error_drop(transaction_writer(transaction, NULL, NULL, &writer));
    for (uint64_t row = first; count > 0; row += step)
        count -= graph_delete_relationship(writer, relationship_id(0, row));
    error_drop(transaction_commit(transaction));
}

/* Can the node's neighbors be read where they lie? */
static bool is_plain(Database *database, uint64_t node)
{
    Transaction *transaction;
    GraphSlice slice;
    error_drop(transaction_begin(database, &transaction));
    GraphView view = transaction_view(transaction);
    bool plain = graph_slice(&view, 0, GRAPH_OUT, node, &slice) && slice.count > 0;
    transaction_rollback(transaction);
    return plain;
}

/* A few deletions cost a checkpoint a bit a relationship and a few bytes each, not the adjacency; who is
 * not at their ends is read as before. */
static void relationships_are_gone(const char *directory, bool ordered)
{
    enum { FEW = 10, ADDED = 20, FEW_BYTES = 48 * 1024 };
    uint64_t total = HUB_ENTRIES + HUB_NODES * 10, left = total, gone = 0;
    Database *database = opened(directory, &writing);
    load_hub(database, ordered);
    EXPECT(snap(database) && newest_bytes(directory) > 6 * total);
    part_many(database, 0, 1, FEW); /* all that start from node 0, if they are in order */
    left -= FEW, gone += FEW;
    EXPECT(snap(database) && stored(directory, STORED_GONE) == gone);
    EXPECT(newest_bytes(directory) < FEW_BYTES);
    join_many(database, ADDED);
    EXPECT(snap(database) && stored(directory, STORED_GONE) == gone && added(directory) == ADDED);
    part_many(database, total + 3, 2, 5); /* of those behind it */
    part_many(database, 50, 1000, FEW);
    left += ADDED - 5 - FEW, gone += FEW;
    EXPECT(snap(database) && stored(directory, STORED_GONE) == gone && added(directory) == ADDED);
    EXPECT(newest_bytes(directory) < FEW_BYTES);
    error_drop(database_close(database));
    database = opened(directory, &writing);
    EXPECT(degrees(database) == 2 * left && findings(directory) == 0);
    EXPECT(is_plain(database, HUB_NODES - 1) && (!ordered || !is_plain(database, HUB)));
    part_many(database, 20001, 1, STORED_GONE_MAX - gone);
    left -= STORED_GONE_MAX - gone;
    EXPECT(snap(database) && stored(directory, STORED_GONE) == STORED_GONE_MAX);
    EXPECT(degrees(database) == 2 * left && findings(directory) == 0);
    part_many(database, total - 1, 1, 1); /* one more than may be */
    EXPECT(snap(database) && stored(directory, STORED_GONE) == 0 && added(directory) == 0);
    error_drop(database_close(database));
    database = opened(directory, &writing);
    EXPECT(degrees(database) == 2 * (left - 1) && findings(directory) == 0);
    error_drop(database_close(database));
}

/* What somebody else reads meanwhile; until it is told to end. */
typedef struct Looker {
    Database *database;
    pthread_t thread;
    atomic_bool ended;
    uint64_t looks, wrong;
} Looker;

static void *look_again(void *user)
{
    Looker *looker = user;
    while (!atomic_load(&looker->ended)) {
        Transaction *transaction;
        error_drop(transaction_begin(looker->database, &transaction));
        GraphView view = transaction_view(transaction);
        uint64_t counts[2] = {0, 0}, ids[64], some;
        for (int i = 0; i < 2; i++)
            for (uint64_t cursor = 0; (some = graph_scan(&view, NULL, 0, &cursor, ids, 64)) > 0;)
                counts[i] += some;
        looker->wrong += counts[0] != counts[1] || counts[0] == 0;
        looker->looks++;
        transaction_rollback(transaction);
        usleep(100);
    }
    return NULL;
}

static void wait_for_checkpoint(Database *database, uint64_t before)
{
    enum { WAIT_US = 1000, WAITS_MAX = 500 };
    for (int i = 0; i < WAITS_MAX && database_counters(database).checkpoints == before; i++)
        usleep(WAIT_US);
}

static void the_graph_moves(const char *directory)
{
    static const DatabaseOptions often = {.create = true, .checkpoint_bytes = 64 << 10};
    enum { ROUNDS = 30 };
    Database *oracle = opened(NULL, &writing), *database = opened(directory, &often);
    Looker looker = {.database = database};
    Buffer expected = {0}, got = {0};
    uint64_t nodes[2] = {0, 0};
    int differ = 0;
    change(oracle, 1, 20000, &nodes[0]);
    change(database, 1, 20000, &nodes[1]);
    bool started = pthread_create(&looker.thread, NULL, look_again, &looker) == 0;
    for (uint64_t round = 0; round < ROUNDS; round++) {
        uint64_t before = database_counters(database).checkpoints;
        change(oracle, 200 + round, 900, &nodes[0]);
        change(database, 200 + round, 900, &nodes[1]);
        if (round % 3 == 2) wait_for_checkpoint(database, before);
        dump(oracle, &expected);
        dump(database, &got);
        differ += !str_equal(buffer_view(&expected), buffer_view(&got));
    }
    atomic_store(&looker.ended, true);
    if (started) pthread_join(looker.thread, NULL);
    DatabaseCounters counters = database_counters(database);
    printf("# %d checkpoints, %d moves, %d looks\n", (int)counters.checkpoints, (int)counters.moves,
           (int)looker.looks);
    EXPECT(differ == 0 && looker.wrong == 0 && looker.looks > 0);
    EXPECT(counters.moves >= 3 && counters.moves <= counters.checkpoints);
    error_drop(database_close(database));
    EXPECT(findings(directory) == 0);
    database = opened(directory, &reading);
    dump(database, &got);
    EXPECT(str_equal(buffer_view(&expected), buffer_view(&got)));
    error_drop(database_close(database));
    error_drop(database_close(oracle));
    buffer_free(&expected);
    buffer_free(&got);
}

enum { LONG_NODES = 40 * CHUNK };

static void load_texts(Database *database)
{
    static char text[64];
    Transaction *transaction;
    GraphWriter *writer;
    uint16_t places[CHUNK];
    Value *cells = mem_alloc(CHUNK * sizeof *cells);
    uint32_t sets[CHUNK];
    uint64_t first;
    Arena *arena = arena_create();
    error_drop(transaction_begin(database, &transaction));
    error_drop(transaction_writer(transaction, NULL, NULL, &writer));
    some_names(writer);
    for (uint32_t done = 0; done < LONG_NODES; done += CHUNK) {
        for (uint32_t i = 0; i < CHUNK; i++) {
            places[i] = (uint16_t)i;
            sets[i] = graph_label_set(writer, NULL, 0);
            snprintf(text, sizeof text, "a text that only node %u of them all has", done + i);
            cells[i] = value_copy(arena, value_string(str_from(text)));
        }
        GraphCells column = {2, cells};
        GraphRows rows = {places, CHUNK, 1, &column, 1};
        error_drop(graph_append_nodes(writer, &rows, sets, NULL, &first));
    }
    error_drop(transaction_commit(transaction));
    arena_destroy(arena);
    mem_free(cells);
}

/* ---- many properties read at once ---- */

enum { WORDY_CHUNKS = 40 };

/* Integers, decimals, and texts of which most chunks have few, the same for a while; some have many. */
static Value wordy_cell(Arena *arena, uint32_t key, uint32_t node)
{
    char text[32];
    uint32_t chunk = node / CHUNK, many = chunk % 7 == 3 ? 1000 : 20;
    if (key == 0) return value_integer((int64_t)(node * 17 % 4001) - 300);
    if (key == 1) return value_float((double)(node * 31 % 7919) / 100);
    if (node == 5000) return value_null();
    snprintf(text, sizeof text, "word %u", chunk / 3 * 5 + node * 7 % many);
    return value_copy(arena, value_string(str_from(text)));
}

static void load_wordy(Database *database)
{
    Transaction *transaction;
    GraphWriter *writer;
    uint16_t places[CHUNK];
    uint32_t sets[CHUNK];
    uint64_t first;
    Arena *arena = arena_create();
    error_drop(transaction_begin(database, &transaction));
    error_drop(transaction_writer(transaction, NULL, NULL, &writer));
    some_names(writer);
    for (uint32_t chunk = 0; chunk < WORDY_CHUNKS; chunk++) {
        GraphCells columns[3];
        for (uint32_t key = 0; key < 3; key++) {
            Value *cells = arena_array(arena, Value, CHUNK);
            for (uint32_t i = 0; i < CHUNK; i++)
                cells[i] = wordy_cell(arena, key, chunk * CHUNK + i);
            columns[key] = (GraphCells){key, cells};
        }
        for (uint32_t i = 0; i < CHUNK; i++) {
            places[i] = (uint16_t)i;
            sets[i] = graph_label_set(writer, NULL, 0);
        }
        GraphRows rows = {places, CHUNK, 1, columns, 3};
        error_drop(graph_append_nodes(writer, &rows, sets, NULL, &first));
    }
    error_drop(transaction_commit(transaction));
    arena_destroy(arena);
}

/* How many of them came as words; UINT32_MAX: something is not what it is when it is read alone. */
static uint32_t read_many(const GraphView *view, uint32_t key, uint64_t first, uint64_t step,
                          Arena *arena)
{
    uint64_t nodes[BATCH_ROWS_MAX] = {0}, all = WORDY_CHUNKS * (uint64_t)CHUNK;
    uint32_t count = 0;
    for (; count < BATCH_ROWS_MAX && first + count * step < all; count++)
        nodes[count] = first + count * step;
    Column values, words;
    graph_properties_ordered(view, VALUE_NODE, key, nodes, count, first % 2 == 0, arena, &values);
    bool few = graph_words(view, key, nodes, count, first % 2 == 0, arena, &words);
    for (uint32_t i = 0; i < count; i++) {
        Value alone = graph_property(view, VALUE_NODE, nodes[i], key);
        if (!value_equivalent(column_value(&values, i), alone) ||
            (few && !value_equivalent(column_value(&words, i), alone)))
            return UINT32_MAX;
    }
    return few ? count : 0;
}

static bool reads_many(Database *database, uint32_t *words)
{
    Transaction *transaction;
    Arena *arena = arena_create();
    bool good = true;
    error_drop(transaction_begin(database, &transaction));
    GraphView view = transaction_view(transaction);
    *words = 0;
    for (uint32_t key = 0; key < 3; key++)
        for (uint64_t first = 0; first < WORDY_CHUNKS * (uint64_t)CHUNK; first += 501)
            for (uint64_t step = 1; step < 4; step++) {
                uint32_t few = read_many(&view, key, first, step, arena);
                good = good && few != UINT32_MAX;
                *words += few;
                arena_reset(arena);
            }
    transaction_rollback(transaction);
    arena_destroy(arena);
    return good;
}

static bool set_text(Database *database, uint64_t node, Str text)
{
    Transaction *transaction;
    GraphWriter *writer;
    error_drop(transaction_begin(database, &transaction));
    error_drop(transaction_writer(transaction, NULL, NULL, &writer));
    graph_set_property(writer, VALUE_NODE, node, 2, value_string(text));
    Error *error = transaction_commit(transaction);
    bool good = error == NULL;
    error_drop(error);
    return good;
}

static bool has_text(Database *database, uint64_t node, Str text)
{
    Transaction *transaction;
    error_drop(transaction_begin(database, &transaction));
    GraphView view = transaction_view(transaction);
    Value value = graph_property(&view, VALUE_NODE, node, 2);
    bool good = value.kind == VALUE_STRING && str_equal(value_text(value), text);
    transaction_rollback(transaction);
    return good;
}

static void many_read_as_one(const char *directory)
{
    uint32_t words, before;
    Database *database = opened(directory, &writing);
    load_wordy(database);
    EXPECT(reads_many(database, &words) && words == 0); /* as they were loaded */
    database_close(database);
    database = opened(directory, &writing);
    EXPECT(reads_many(database, &before) && before > WORDY_CHUNKS * CHUNK);
    EXPECT(set_text(database, 30, STR("written over")));
    EXPECT(reads_many(database, &words) && words > 0 && words < before);
    EXPECT(snap(database));
    database_close(database);
    EXPECT(findings(directory) == 0);
    database = opened(directory, &writing);
    EXPECT(reads_many(database, &words) && words > 0 &&
           has_text(database, 30, STR("written over")));
    database_close(database);
}

/* A block each time: every segment has something that the next ones need, until they are too many. */
static void files_are_merged(const char *directory)
{
    enum { ROUNDS = SEGMENT_FILES_MAX + 4 };
    Database *database = opened(directory, &writing);
    size_t most = 0, whole = 0, wrong = 0;
    load_texts(database);
    EXPECT(snap(database));
    for (uint64_t round = 0; round < ROUNDS; round++) {
        wrong += !set_text(database, round * CHUNK + 5, STR("other")) || !snap(database);
        Segment *segment = newest(directory);
        size_t others = segment_others(segment);
        most = others > most ? others : most;
        whole += others == 0;
        segment_close(segment);
    }
    error_drop(database_close(database));
    printf("# at most %zu files, whole %zu times\n", most, whole);
    EXPECT(wrong == 0 && most == SEGMENT_FILES_MAX && whole == 1);
    EXPECT(findings(directory) == 0);
    database = opened(directory, &reading);
    for (uint64_t round = 0; round < ROUNDS; round++)
        wrong += !has_text(database, round * CHUNK + 5, STR("other")) ||
                 has_text(database, round * CHUNK + 6, STR("other"));
    EXPECT(wrong == 0 && has_text(database, 0, STR("a text that only node 0 of them all has")));
    error_drop(database_close(database));
}

/* ---- damage ---- */

static void segment_path(const char *directory, char *out, size_t bytes)
{
    snprintf(out, bytes, "%.4000s/graph/00000001.ctxs", directory);
}

static void flip(const char *path, size_t at)
{
    char byte;
    int file = open(path, O_RDWR);
    if (pread(file, &byte, 1, (off_t)at) == 1) {
        byte ^= 0x04;
        if (pwrite(file, &byte, 1, (off_t)at) != 1) perror("pwrite");
    }
    close(file);
}

static bool shows(const char *directory, const Buffer *expected, Buffer *got)
{
    Database *database = NULL;
    Transaction *transaction;
    Error *refused = database_open(directory, &reading, clock_system(), &database);
    if (refused != NULL) return error_drop(refused), true; /* noticed */
    dump(database, got);
    error_drop(transaction_begin(database, &transaction));
    Error *damage = transaction_damage(transaction);
    transaction_rollback(transaction);
    error_drop(database_close(database));
    bool noticed = damage != NULL;
    error_drop(damage);
    return noticed || str_equal(buffer_view(expected), buffer_view(got));
}

static void no_flip_is_unnoticed(const char *directory)
{
    char path[4200];
    Buffer expected = {0}, got = {0};
    uint64_t nodes = 0;
    Database *database = opened(directory, &writing);
    change(database, 1, 60000, &nodes);
    dump(database, &expected);
    error_drop(database_close(database));
    segment_path(directory, path, sizeof path);
    int file = open(path, O_RDONLY);
    off_t bytes = lseek(file, 0, SEEK_END);
    close(file);
    int unnoticed = 0, looked = 0;
    EXPECT(bytes > 100000 && shows(directory, &expected, &got));
    for (off_t at = 0; at < bytes; at += bytes / 300 + 1, looked++) {
        flip(path, (size_t)at);
        unnoticed += !shows(directory, &expected, &got);
        flip(path, (size_t)at);
    }
    for (off_t at = bytes - 4096; at < bytes - 4000; at++, looked++) { /* the trailer, whole */
        flip(path, (size_t)at);
        unnoticed += !shows(directory, &expected, &got);
        flip(path, (size_t)at);
    }
    printf("# %d flips in %lld bytes\n", looked, (long long)bytes);
    EXPECT(unnoticed == 0 && looked > 300);
    if (truncate(path, bytes - 1) != 0) perror("truncate");
    EXPECT(opened(directory, &reading) == NULL);
    buffer_free(&expected);
    buffer_free(&got);
}

int main(void)
{
    char folder[] = "segments-XXXXXX", path[4096], command[64];
    if (mkdtemp(folder) == NULL) return 99;
    snprintf(path, sizeof path, "%s/a.cqldb", folder);
    same_after_every_reopening(path);
    same_when_written_ahead(folder);
    hubs_are_whole(folder);
    snprintf(path, sizeof path, "%s/changes.cqldb", folder);
    same_when_changes_are_written(path);
    snprintf(path, sizeof path, "%s/moves.cqldb", folder);
    the_graph_moves(path);
    snprintf(path, sizeof path, "%s/behind.cqldb", folder);
    relationships_stand_behind(path);
    for (int ordered = 0; ordered < 2; ordered++) {
        snprintf(path, sizeof path, "%s/gone-%d.cqldb", folder, ordered);
        relationships_are_gone(path, ordered == 1);
    }
    snprintf(path, sizeof path, "%s/merged.cqldb", folder);
    files_are_merged(path);
    snprintf(path, sizeof path, "%s/wordy.cqldb", folder);
    many_read_as_one(path);
    snprintf(path, sizeof path, "%s/b.cqldb", folder);
    no_flip_is_unnoticed(path);
    snprintf(command, sizeof command, "rm -rf %s", folder);
    EXPECT(wrong_degrees == 0);
    return system(command) != 0 || DONE();
}
