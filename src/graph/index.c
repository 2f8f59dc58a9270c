/*
 * index.c - from a property's value to the nodes that may have it.
 *
 * A hash table of 64-bit slots: the upper half of the value's hash and the node's row. Entries are
 * only ever added; every candidate is checked against what the view shows, so the table needs no
 * versions: a node that lost the value, its label or its life is simply no hit. Readers probe
 * beside the writer; growing makes a new table and retires the old one.
 *
 * Keys often count up as the nodes do: 0, 1, 2, .. of a file's rows, or what an application hands out.
 * So the first entries of an index are kept as a run, which says where it begins and how long it is, as
 * long as every new one continues it; only what does not goes to the table. A run costs nothing to
 * keep or to write, and a search in it is a subtraction.
 */
#include "config.h"

#include "graph/graph_internal.h"
#include <stdlib.h>

enum {
    TABLE_FIRST_SLOTS = 1024,
    /* Slots are fetched so many keys ahead: a table is larger than the caches near the processor. */
    AHEAD = 16
};
#define SLOT_EMPTY UINT64_MAX

static HashTable *table_new(size_t size)
{
    HashTable *table = mem_alloc(sizeof *table + size * sizeof table->slots[0]);
    table->mask = size - 1;
    memset((void *)table->slots, 0xff, size * sizeof table->slots[0]);
    return table;
}

static size_t home(const HashTable *table, uint64_t slot)
{
    return (slot >> 32) * UINT64_C(0x9e3779b97f4a7c15) >> 20 & table->mask;
}

/* A slot of a table that lies in the segment is checked before it is believed; SLOT_EMPTY ends a
 * walk over damage. */
static uint64_t table_get(const Graph *graph, const HashTable *table, size_t at)
{
    const void *slot = (const void *)&table->slots[at];
    if (graph->segment != NULL && segment_holds(graph->segment, slot) &&
        !segment_touch(graph->segment, slot, sizeof table->slots[at]))
        return SLOT_EMPTY;
    return atomic_load_explicit(&table->slots[at], memory_order_acquire);
}

static void table_put(const Graph *graph, HashTable *table, uint64_t slot)
{
    size_t at = home(table, slot);
    while (table_get(graph, table, at) != SLOT_EMPTY)
        at = (at + 1) & table->mask;
    atomic_store_explicit(&table->slots[at], slot, memory_order_release);
}

static void table_grown(Graph *graph, Index *index, HashTable *table, size_t size)
{
    HashTable *larger = table_new(size);
    for (size_t i = 0; table != NULL && i <= table->mask; i++) {
        uint64_t slot = table_get(graph, table, i);
        if (slot != SLOT_EMPTY) table_put(graph, larger, slot);
    }
    atomic_store_explicit(&index->table, larger, memory_order_release);
    graph_retire(graph, table);
}

static uint64_t slot_of(Value value, uint64_t row)
{
    return (value_hash(value) >> 32) << 32 | row;
}

/* Is the value, as an integer, one that a run can hold? */
static bool run_key(Value value, int64_t *key)
{
    if (value.kind == VALUE_INTEGER) return *key = value.as.integer, true;
    double number = value.as.number;
    if (value.kind != VALUE_FLOAT || !(number >= -0x1p63 && number < 0x1p63)) return false;
    *key = (int64_t)number;
    return (double)*key == number;
}

/* The node that the run has for the value; false: none. */
static bool run_find(const Index *index, Value value, uint64_t *node)
{
    uint64_t count = atomic_load_explicit(&index->run.count, memory_order_acquire);
    int64_t key;
    if (count == 0 || !run_key(value, &key)) return false;
    uint64_t after = (uint64_t)key - (uint64_t)index->run.key;
    *node = index->run.node + after;
    return key >= index->run.key && after < count;
}

/* What moves on when a node's integer may be another one, or the node or its label be gone. */
static uint64_t run_stamp(const Graph *graph, const Index *index)
{
    const PropertyColumn *column = table_column(&graph->nodes, index->definition.key);
    return graph->nodes.rows.taken + graph->shapes_of.rewrites +
           (column == NULL ? 0 : column->rewrites);
}

/* To the writer, between whose changes nobody asks: is every entry of the run a hit? */
static bool run_is_sure(const GraphView *view, const Index *index)
{
    return view->version == graph_pending(view->graph) && atomic_load(&index->run.count) > 0 &&
           index->run.stamp == run_stamp(view->graph, index);
}

/* Only integers continue a run: what a node has is then known to its last bit. */
static bool run_take(const Graph *graph, Index *index, Value value, uint64_t row)
{
    uint64_t count = atomic_load_explicit(&index->run.count, memory_order_relaxed), node;
    if (value.kind != VALUE_INTEGER) return false;
    if (run_find(index, value, &node)) return node == row;
    if (count == 0 && index->used == 0) {
        index->run.key = value.as.integer;
        index->run.node = row;
        index->run.stamp = run_stamp(graph, index);
    } else if (count == 0 || row != index->run.node + count ||
               (uint64_t)value.as.integer != (uint64_t)index->run.key + count ||
               value.as.integer < index->run.key) {
        return false;
    }
    atomic_store_explicit(&index->run.count, count + 1, memory_order_release);
    return true;
}

void index_insert(Graph *graph, Index *index, Value value, uint64_t row)
{
    if (run_take(graph, index, value, row)) return;
    index_reserve(graph, index, 1);
    table_put(graph, atomic_load_explicit(&index->table, memory_order_relaxed),
              slot_of(value, row));
    index->used++;
}

void index_insert_many(Graph *graph, Index *index, const Value *values, const uint64_t *rows,
                       uint32_t count)
{
    uint64_t slots[AHEAD];
    uint32_t taken = 0;
    while (taken < count && run_take(graph, index, values[taken], rows[taken]))
        taken++;
    values += taken, rows += taken, count -= taken;
    index_reserve(graph, index, count);
    HashTable *table = atomic_load_explicit(&index->table, memory_order_relaxed);
    for (uint32_t i = 0; count > 0 && i < count + AHEAD; i++) {
        if (i >= AHEAD && i - AHEAD < count) table_put(graph, table, slots[i % AHEAD]);
        if (i >= count) continue;
        slots[i % AHEAD] = slot_of(values[i], rows[i]);
        __builtin_prefetch((const void *)&table->slots[home(table, slots[i % AHEAD])], 1);
    }
    index->used += count;
}

void index_reserve(Graph *graph, Index *index, uint64_t more)
{
    if (more == 0) return; /* of a segment: its table is still to be laid */
    HashTable *table = atomic_load_explicit(&index->table, memory_order_relaxed);
    size_t slots = table == NULL ? 0 : table->mask + 1, size = slots;
    while (size < TABLE_FIRST_SLOTS || (index->used + more) * 2 >= size)
        size = size < TABLE_FIRST_SLOTS ? TABLE_FIRST_SLOTS : size * 2;
    if (size > slots) table_grown(graph, index, table, size);
}

static int by_id(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static void append_once(Neighbors *out, size_t from, uint64_t node)
{
    for (size_t i = from; i < out->count; i++)
        if (out->nodes[i] == node) return;
    mem_reserve(out->nodes, out->node_capacity, out->count + 1);
    out->nodes[out->count++] = node;
}

static bool is_hit(const GraphView *view, const GraphIndex *definition, uint64_t node, Value value)
{
    return graph_node_visible(view, node) && graph_node_has_label(view, node, definition->label) &&
           value_equal(graph_property(view, VALUE_NODE, node, definition->key), value) ==
               TRUTH_TRUE;
}

/* Does the entry stand for the value that its node has now? */
static bool is_current(const GraphView *view, const Index *index, uint64_t slot)
{
    Value value = graph_property(view, VALUE_NODE, slot & UINT32_MAX, index->definition.key);
    return value.kind != VALUE_NULL && slot_of(value, slot & UINT32_MAX) == slot;
}

bool index_reachable(const GraphView *view, const Index *index, uint64_t *bits, uint64_t nodes,
                     uint64_t *entries)
{
    const HashTable *table = atomic_load_explicit(&index->table, memory_order_acquire);
    size_t empty = 0, size = table == NULL ? 0 : table->mask + 1;
    bool sound = true;
    *entries = 0;
    for (uint64_t i = 0; i < atomic_load(&index->run.count); i++) {
        uint64_t node = index->run.node + i;
        if (node >= nodes) break; /* taken back */
        Value value = graph_property(view, VALUE_NODE, node, index->definition.key);
        if (value.kind == VALUE_INTEGER &&
            value.as.integer == (int64_t)((uint64_t)index->run.key + i))
            bits[node / 64] |= UINT64_C(1) << node % 64;
    }
    while (empty < size && table_get(view->graph, table, empty) != SLOT_EMPTY)
        empty++;
    if (empty == size) return table == NULL;     /* a search for what is not there would not end */
    for (size_t i = 1, run = 0; i < size; i++) { /* run: entries since the last empty slot */
        size_t at = (empty + i) & table->mask;
        uint64_t slot = table_get(view->graph, table, at), node = slot & UINT32_MAX;
        if (slot == SLOT_EMPTY) {
            run = 0;
            continue;
        }
        bool reached = ((at - home(table, slot)) & table->mask) <= run++;
        ++*entries;
        sound = sound && reached && node < nodes;
        if (reached && node < nodes && is_current(view, index, slot))
            bits[node / 64] |= UINT64_C(1) << node % 64;
    }
    return sound;
}

void graph_seek(const GraphView *view, const GraphIndex *definition, Value value, Neighbors *out)
{
    const Index *index = (const Index *)(const void *)definition; /* its first member */
    const HashTable *table = atomic_load_explicit(&index->table, memory_order_acquire);
    size_t from = out->count;
    uint64_t near;
    if (value.kind == VALUE_NULL) return;
    if (run_find(index, value, &near) && is_hit(view, definition, near, value))
        append_once(out, from, near);
    if (table == NULL) return;
    uint64_t wanted = slot_of(value, 0) >> 32;
    size_t at = home(table, slot_of(value, 0));
    for (size_t looks = 0; looks <= table->mask; looks++, at = (at + 1) & table->mask) {
        uint64_t slot = table_get(view->graph, table, at);
        if (slot == SLOT_EMPTY) break;
        uint64_t node = slot & UINT32_MAX;
        if (slot >> 32 == wanted && is_hit(view, definition, node, value))
            append_once(out, from, node);
    }
    if (out->count > from) qsort(out->nodes + from, out->count - from, sizeof *out->nodes, by_id);
}

/* One index asked many times: what a hit is, with the way to the two columns it is read from. */
typedef struct Probe {
    const GraphView *view;
    const GraphIndex *definition;
    const PropertyColumn *column; /* NULL: nobody has the property */
    int64_t set;                  /* the label set looked at last, and whether it has the label */
    bool has;
} Probe;

static bool probe_hit(Probe *probe, uint64_t node, Value key)
{
    const Graph *graph = probe->view->graph;
    int64_t set, number;
    if (probe->column == NULL) return false;
    if (key.kind != VALUE_INTEGER || !column_plain_integer(probe->column, node, &number) ||
        !column_plain_integer(&graph->shapes_of, node, &set))
        return is_hit(probe->view, probe->definition, node, key);
    if (number != key.as.integer || !graph_node_visible(probe->view, node)) return false;
    if (set != probe->set)
        probe->has =
            shape_has(directory_get(&graph->shapes, (size_t)set), probe->definition->label);
    probe->set = set;
    return probe->has;
}

static uint64_t first_match(Probe *probe, const Index *index, const HashTable *table, Value key,
                            uint64_t slot)
{
    uint64_t found = GRAPH_NO_NODE, near;
    if (run_find(index, key, &near) && probe_hit(probe, near, key)) found = near;
    size_t at = home(table, slot);
    for (size_t looks = 0; looks <= table->mask; looks++, at = (at + 1) & table->mask) {
        uint64_t candidate = table_get(probe->view->graph, table, at);
        if (candidate == SLOT_EMPTY) break;
        if (candidate >> 32 != slot >> 32 || (candidate & UINT32_MAX) >= found) continue;
        if (probe_hit(probe, candidate & UINT32_MAX, key)) found = candidate & UINT32_MAX;
    }
    return found;
}

#define LATER (GRAPH_NO_NODE - 1) /* a place in `out` that waits for its slot to be fetched */

void graph_seek_first(const GraphView *view, const GraphIndex *definition, const Value *keys,
                      size_t stride, uint32_t count, uint64_t *out)
{
    const Index *index = (const Index *)(const void *)definition; /* its first member */
    const HashTable *table = atomic_load_explicit(&index->table, memory_order_acquire);
    Probe probe = {view, definition, table_column(&view->graph->nodes, definition->key), -1, false};
    uint64_t slots[AHEAD];
    bool sure = run_is_sure(view, index);
    for (uint32_t i = 0; i < count + AHEAD; i++) {
        if (i >= AHEAD && out[i - AHEAD] == LATER)
            out[i - AHEAD] =
                first_match(&probe, index, table, keys[(i - AHEAD) * stride], slots[i % AHEAD]);
        if (i >= count) continue;
        Value key = keys[i * stride];
        bool near = run_find(index, key, &out[i]) && (sure || probe_hit(&probe, out[i], key));
        if (near && (table == NULL || definition->constraint == GRAPH_UNIQUE)) continue;
        out[i] = table == NULL || key.kind == VALUE_NULL ? GRAPH_NO_NODE : LATER;
        if (out[i] != LATER) continue;
        slots[i % AHEAD] = slot_of(key, 0);
        __builtin_prefetch((const void *)&table->slots[home(table, slots[i % AHEAD])]);
    }
}

uint32_t graph_index_count(const Graph *graph)
{
    return atomic_load(&graph->index_count);
}

const GraphIndex *graph_index_at(const Graph *graph, uint32_t i)
{
    const Index *index = directory_get(&graph->indexes, i);
    return index == NULL ? NULL : &index->definition;
}

const GraphIndex *graph_index_named(const Graph *graph, Str name)
{
    for (uint32_t i = 0; i < graph_index_count(graph); i++) {
        const GraphIndex *index = graph_index_at(graph, i);
        if (index != NULL && str_equal(index->name, name)) return index;
    }
    return NULL;
}

const GraphIndex *graph_index_on(const Graph *graph, uint32_t label, uint32_t key, bool vector)
{
    for (uint32_t i = 0; i < graph_index_count(graph); i++) {
        const GraphIndex *index = graph_index_at(graph, i);
        bool fits = index != NULL && index->label == label && index->key == key;
        if (fits && (vector ? index->vector : index_has_table(index))) return index;
    }
    return NULL;
}
