/*
 * index.c - from a property's value to the nodes that may have it.
 *
 * A hash table (hash_table.c) has the nodes that had a value at any time, and so has an ordered set of
 * pairs (order/ordered.h), which ranges are found by (range.c). Every candidate is checked
 * against what the view shows, so the table needs no versions: a node that lost the value, its label or
 * its life is simply no hit.
 *
 * Keys often count up as the nodes do: 0, 1, 2, .. of a file's rows, or what an application hands out.
 * So the first entries of an index are kept as a run, which says where it begins and how long it is, as
 * long as every new one continues it; only what does not goes to the table. A run costs nothing to
 * keep or to write, and a search in it is a subtraction.
 *
 * An index on several properties has one text for them (value/tuple.h), which sorts as they do: equal
 * values for all of them are one hash, equal ones for the first few the beginning of a text. Who lacks one
 * of the others is in the order, for the sake of the first, but not in the table, which is asked for all.
 *
 * A vector index has no table but a finder, which is made elsewhere and never changes. Here is what
 * changed since: a bit a node, in blocks that are made when the first of their nodes changes and stay
 * where they are, so that readers need no lock. Bits are never taken back: a bit too many costs a look
 * at one node.
 *
 * A constraint is an index with a rule. Nothing is looked at but the nodes that the writer's changes
 * touched, so that a check costs what the statement did, not what the database holds. Uniqueness is
 * asked at the end of a statement, because two values may be swapped within one; presence before a
 * commit, because a node may be made in one statement and filled in another. A rule that is new is
 * asked of all nodes of its label. Nodes appended under a key that was looked up for each of them
 * (COPY) are not asked again for that key.
 */
#include "config.h"

#include "graph/graph_internal.h"
#include "value/tuple.h"
#include <assert.h>
#include <stdlib.h>

/* Slots are fetched so many keys ahead: a table is larger than the caches near the processor. */
enum { AHEAD = 16 };

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

uint64_t index_stamp(const Graph *graph, const Index *index)
{
    uint64_t stamp = graph->nodes.rows.taken + graph->shapes_of.rewrites;
    for (uint32_t k = 0; k < index->definition.key_count; k++) {
        const PropertyColumn *column = table_column(&graph->nodes, index->definition.keys[k]);
        if (column != NULL) stamp += column->rewrites;
    }
    return stamp;
}

/* ---- what stands for a node ---- */

/* Of several properties: appended to `out`. false: the node lacks the first. */
static bool put_tuple(const GraphView *view, const GraphIndex *index, uint64_t node, Buffer *out,
                      bool *whole)
{
    *whole = true;
    for (uint32_t k = 0; k < index->key_count; k++) {
        Value value = graph_property(view, VALUE_NODE, node, index->keys[k]);
        if (k == 0 && value.kind == VALUE_NULL) return false;
        *whole = *whole && value.kind != VALUE_NULL;
        tuple_put(out, value);
    }
    return true;
}

Value index_value(const GraphView *view, const GraphIndex *index, uint64_t node, Buffer *scratch)
{
    bool whole;
    if (index->key_count == 1) return graph_property(view, VALUE_NODE, node, index->keys[0]);
    buffer_clear(scratch);
    return put_tuple(view, index, node, scratch, &whole) ? value_string(buffer_view(scratch))
                                                         : value_null();
}

Value index_keys(const GraphView *view, const GraphIndex *index, uint64_t node,
                 Value keys[GRAPH_INDEX_KEYS_MAX])
{
    for (uint32_t k = 0; k < index->key_count; k++) {
        keys[k] = graph_property(view, VALUE_NODE, node, index->keys[k]);
        if (keys[k].kind == VALUE_NULL) return value_null();
    }
    return index->key_count == 1 ? keys[0] : value_list(keys, index->key_count);
}

/* ---- putting in ---- */

/* To the writer, between whose changes nobody asks: is every entry of the run a hit? */
static bool run_is_sure(const GraphView *view, const Index *index)
{
    return view->version == graph_pending(view->graph) && atomic_load(&index->run.count) > 0 &&
           index->run.stamp == index_stamp(view->graph, index);
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
        index->run.stamp = index_stamp(graph, index);
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
    Ordered *ordered = atomic_load_explicit(&index->ordered, memory_order_relaxed);
    if (run_take(graph, index, value, row)) return;
    index_reserve(graph, index, 1);
    hash_put(graph, index, slot_of(value, row));
    if (ordered != NULL) ordered_add(ordered, value, (uint32_t)row);
}

static void table_put_many(Graph *graph, Index *index, const Value *values, const uint64_t *rows,
                           uint32_t count)
{
    uint64_t slots[AHEAD];
    index_reserve(graph, index, count);
    HashTable *table = atomic_load_explicit(&index->table, memory_order_relaxed);
    for (uint32_t i = 0; count > 0 && i < count + AHEAD; i++) {
        if (i >= AHEAD && i - AHEAD < count) hash_put(graph, index, slots[i % AHEAD]);
        if (i >= count) continue;
        slots[i % AHEAD] = slot_of(values[i], rows[i]);
        __builtin_prefetch(hash_home(table, slots[i % AHEAD]), 1);
    }
}

void index_insert_many(Graph *graph, Index *index, const Value *values, const uint64_t *rows,
                       uint32_t count)
{
    uint32_t taken = 0;
    while (taken < count && run_take(graph, index, values[taken], rows[taken]))
        taken++;
    values += taken, rows += taken, count -= taken;
    Ordered *ordered = atomic_load_explicit(&index->ordered, memory_order_relaxed);
    if (ordered != NULL) ordered_add_many(ordered, values, rows, count);
    table_put_many(graph, index, values, rows, count);
}

void index_insert_nodes(const GraphView *view, Index *index, const uint64_t *nodes, uint32_t count)
{
    Graph *graph = (Graph *)(uintptr_t)view->graph; /* the writer's */
    Buffer *text = &index->scratch;
    Value values[INDEX_NODES_MAX];
    uint64_t rows[INDEX_NODES_MAX];
    bool whole[INDEX_NODES_MAX];
    uint32_t there = 0, kept = 0;
    assert(count <= INDEX_NODES_MAX && index->definition.key_count > 1);
    buffer_clear(text);
    for (uint32_t i = 0; i < count; i++) {
        size_t from = text->bytes;
        if (!put_tuple(view, &index->definition, nodes[i], text, &whole[there])) continue;
        values[there] = value_string((Str){NULL, text->bytes - from});
        rows[there++] = nodes[i];
    }
    for (uint32_t i = 0, at = 0; i < there; at += values[i++].aux)
        values[i].as.text = text->data + at;
    ordered_add_many(atomic_load(&index->ordered), values, rows, there);
    for (uint32_t i = 0; i < there; i++) {
        if (!whole[i]) continue;
        values[kept] = values[i];
        rows[kept++] = rows[i];
    }
    table_put_many(graph, index, values, rows, kept);
}

/* ---- looking up ---- */

static int by_id(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

/* Ascending, each once. */
static size_t sort_ids(uint64_t *ids, size_t count)
{
    size_t kept = 0;
    if (count > 1) qsort(ids, count, sizeof *ids, by_id);
    for (size_t i = 0; i < count; i++)
        if (i == 0 || ids[i] != ids[i - 1]) ids[kept++] = ids[i];
    return kept;
}

static bool is_hit(const GraphView *view, const GraphIndex *definition, uint64_t node, Value value)
{
    return graph_node_visible(view, node) && graph_node_has_label(view, node, definition->label) &&
           value_equal(graph_property(view, VALUE_NODE, node, definition->keys[0]), value) ==
               TRUTH_TRUE;
}

static bool is_hit_of_several(const GraphView *view, const GraphIndex *definition, uint64_t node,
                              Value keys)
{
    bool hit =
        graph_node_visible(view, node) && graph_node_has_label(view, node, definition->label);
    for (uint32_t k = 0; k < keys.aux && hit; k++)
        hit = value_equal(graph_property(view, VALUE_NODE, node, definition->keys[k]),
                          keys.as.items[k]) == TRUTH_TRUE;
    return hit;
}

/* Does the entry stand for the value that its node has now? */
static bool is_current(const GraphView *view, const Index *index, uint64_t slot, Buffer *scratch)
{
    Value value = index_value(view, &index->definition, slot & UINT32_MAX, scratch);
    return value.kind != VALUE_NULL && slot_of(value, slot & UINT32_MAX) == slot;
}

enum { PART_SHIFT = 56, PARTS = 1 << (64 - PART_SHIFT) };

static void run_reachable(const GraphView *view, const Index *index, uint64_t *bits, uint64_t nodes)
{
    for (uint64_t i = 0; i < atomic_load(&index->run.count); i++) {
        uint64_t node = index->run.node + i;
        if (node >= nodes) break; /* taken back */
        Value value = graph_property(view, VALUE_NODE, node, index->definition.keys[0]);
        if (value.kind == VALUE_INTEGER &&
            value.as.integer == (int64_t)((uint64_t)index->run.key + i))
            bits[node / 64] |= UINT64_C(1) << node % 64;
    }
}

/* Entries of one hash, ascending: does a search come by each of them? */
static bool group_reachable(const GraphView *view, const HashTable *table, const uint64_t *entries,
                            size_t count, Neighbors *found)
{
    HashWalk walk = hash_walk(view->graph, table, entries[0]);
    uint64_t slot;
    found->count = 0;
    while (hash_next(&walk, &slot)) {
        mem_reserve(found->nodes, found->node_capacity, found->count + 1);
        found->nodes[found->count++] = slot;
    }
    found->count = sort_ids(found->nodes, found->count);
    for (size_t i = 0, at = 0; i < count; i++) {
        while (at < found->count && found->nodes[at] < entries[i])
            at++;
        if (at == found->count || found->nodes[at] != entries[i]) return false;
    }
    return true;
}

/* Puts entries of the upper bits' `part` behind those of the parts before; `ends` gets where each
 * ends. A sort of all at once could not be stopped. */
static uint64_t *part_entries(const uint64_t *all, uint64_t count, uint64_t ends[PARTS])
{
    uint64_t *parted = mem_alloc((count + 1) * sizeof *parted), begins[PARTS] = {0};
    for (size_t i = 0; i < count; i++)
        if (all[i] >> PART_SHIFT < PARTS - 1) begins[(all[i] >> PART_SHIFT) + 1]++;
    for (size_t part = 1; part < PARTS; part++)
        begins[part] += begins[part - 1];
    memcpy(ends, begins, sizeof begins);
    for (size_t i = 0; i < count; i++)
        parted[ends[all[i] >> PART_SHIFT]++] = all[i];
    return parted;
}

/* Of entries of one part, in any order. */
static bool part_reachable(const GraphView *view, const Index *index, const HashTable *table,
                           uint64_t *part, uint64_t count, uint64_t *bits, uint64_t nodes,
                           Neighbors *found)
{
    bool sound = true;
    Buffer scratch = {0};
    if (count > 1) qsort(part, count, sizeof *part, by_id);
    for (size_t i = 0, end; sound && i < count; i = end) {
        for (end = i + 1; end < count && part[end] >> 32 == part[i] >> 32; end++)
            ;
        sound = group_reachable(view, table, &part[i], end - i, found);
        for (size_t at = i; sound && at < end; at++) {
            uint64_t node = part[at] & UINT32_MAX;
            /* One that was taken back leaves its entry, and is found by nobody. */
            if (node < nodes && is_current(view, index, part[at], &scratch))
                bits[node / 64] |= UINT64_C(1) << node % 64;
        }
    }
    buffer_free(&scratch);
    return sound;
}

bool index_reachable(const GraphView *view, const Index *index, Tell *to, uint64_t *bits,
                     uint64_t nodes, uint64_t *entries)
{
    const HashTable *table = atomic_load_explicit(&index->table, memory_order_acquire);
    Neighbors found = {0};
    uint64_t *all = NULL, *parted = NULL, count = 0, ends[PARTS], at = 0;
    run_reachable(view, index, bits, nodes);
    bool sound = table == NULL || hash_entries(view->graph, table, &all, &count);
    if (sound) parted = part_entries(all, count, ends);
    for (size_t part = 0; part < PARTS && sound && !tell_ask(to); at = ends[part++])
        sound =
            part_reachable(view, index, table, parted + at, ends[part] - at, bits, nodes, &found);
    *entries = count;
    neighbors_free(&found);
    mem_free(parted);
    mem_free(all);
    return sound;
}

static void add_found(Neighbors *out, uint64_t node)
{
    mem_reserve(out->nodes, out->node_capacity, out->count + 1);
    out->nodes[out->count++] = node;
}

static void seek_whole(const GraphView *view, const GraphIndex *definition, Value keys, Value text,
                       Neighbors *out)
{
    const Index *index = (const Index *)(const void *)definition; /* its first member */
    const HashTable *table = atomic_load_explicit(&index->table, memory_order_acquire);
    size_t from = out->count;
    uint64_t slot;
    if (table == NULL) return;
    for (HashWalk walk = hash_walk(view->graph, table, slot_of(text, 0)); hash_next(&walk, &slot);)
        if (is_hit_of_several(view, definition, slot & UINT32_MAX, keys))
            add_found(out, slot & UINT32_MAX);
    if (out->count > from) out->count = from + sort_ids(out->nodes + from, out->count - from);
}

/* Values for the first properties: what the order has that begins with them. */
static void seek_first_ones(const GraphView *view, const GraphIndex *definition, Value keys,
                            Value text, Neighbors *out)
{
    GraphRange range = {.low = text, .prefix = true};
    size_t kept = out->count;
    GraphInOrder *order = graph_in_order(view, definition, &range, false);
    graph_in_order_all(order, out);
    graph_in_order_end(order);
    for (size_t i = kept; i < out->count; i++)
        if (is_hit_of_several(view, definition, out->nodes[i], keys))
            out->nodes[kept++] = out->nodes[i];
    out->count = kept;
}

static void seek_several(const GraphView *view, const GraphIndex *definition, Value keys,
                         Neighbors *out)
{
    Buffer text = {0};
    assert(keys.kind == VALUE_LIST && keys.aux > 0 && keys.aux <= definition->key_count);
    for (uint32_t k = 0; k < keys.aux; k++) {
        if (keys.as.items[k].kind == VALUE_NULL) return buffer_free(&text);
        tuple_put(&text, keys.as.items[k]);
    }
    Value all = value_string(buffer_view(&text));
    (keys.aux == definition->key_count ? seek_whole : seek_first_ones)(view, definition, keys, all,
                                                                       out);
    buffer_free(&text);
}

void graph_seek(const GraphView *view, const GraphIndex *definition, Value value, Neighbors *out)
{
    if (definition->key_count > 1) return seek_several(view, definition, value, out);
    const Index *index = (const Index *)(const void *)definition; /* its first member */
    const HashTable *table = atomic_load_explicit(&index->table, memory_order_acquire);
    size_t from = out->count;
    uint64_t node, slot;
    if (value.kind == VALUE_NULL) return;
    if (run_find(index, value, &node) && is_hit(view, definition, node, value))
        add_found(out, node);
    if (table == NULL) return;
    for (HashWalk walk = hash_walk(view->graph, table, slot_of(value, 0)); hash_next(&walk, &slot);)
        if (is_hit(view, definition, slot & UINT32_MAX, value)) add_found(out, slot & UINT32_MAX);
    if (out->count > from) out->count = from + sort_ids(out->nodes + from, out->count - from);
}

Probe index_probe(const GraphView *view, const GraphIndex *definition)
{
    return (Probe){view, definition, table_column(&view->graph->nodes, definition->keys[0]), -1,
                   false};
}

static void prefetch_cell(const PropertyColumn *column, uint64_t row)
{
    const ColumnBlock *block = directory_known(&column->blocks, row / GRAPH_BLOCK_ROWS);
    uint32_t i = row % GRAPH_BLOCK_ROWS;
    if (block == NULL) return;
    __builtin_prefetch(&block->present[i / 64]);
    if (block->packed.bits != NULL)
        __builtin_prefetch(block->packed.bits + (uint64_t)i * block->packed.width / 8);
    else if (block->type == COLUMN_STRING && block->strings != NULL)
        __builtin_prefetch(&block->strings[i]);
    else if (block->type == COLUMN_INTEGER)
        __builtin_prefetch(&block->integers[i]);
}

void probe_prefetch(const Probe *probe, uint64_t node)
{
    if (probe->column != NULL) prefetch_cell(probe->column, node);
    prefetch_cell(&probe->view->graph->shapes_of, node);
}

bool probe_hit(Probe *probe, uint64_t node, Value key)
{
    const Graph *graph = probe->view->graph;
    uint64_t version = probe->view->version;
    int64_t set, number;
    if (probe->column == NULL) return false;
    if (key.kind != VALUE_INTEGER || !column_plain_integer(probe->column, node, version, &number) ||
        !column_plain_integer(&graph->shapes_of, node, version, &set))
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
    uint64_t candidate;
    for (HashWalk walk = hash_walk(probe->view->graph, table, slot); hash_next(&walk, &candidate);)
        if ((candidate & UINT32_MAX) < found && probe_hit(probe, candidate & UINT32_MAX, key))
            found = candidate & UINT32_MAX;
    return found;
}

#define LATER (GRAPH_NO_NODE - 1) /* a place in `out` that waits for its slot to be fetched */

void graph_seek_first(const GraphView *view, const GraphIndex *definition, const Value *keys,
                      size_t stride, uint32_t count, uint64_t *out)
{
    const Index *index = (const Index *)(const void *)definition; /* its first member */
    const HashTable *table = atomic_load_explicit(&index->table, memory_order_acquire);
    Probe probe = index_probe(view, definition);
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
        __builtin_prefetch(hash_home(table, slots[i % AHEAD]));
    }
}

/* ---- finders of vector indexes ---- */

enum { LEVELS = 22 }; /* level l has 2^l blocks, from 2^l - 1 on: together more than there are */
_Static_assert((UINT64_C(1) << LEVELS) > GRAPH_NODES_MAX / GRAPH_BLOCK_ROWS, "too few levels");
typedef struct ChangedBlock {
    _Atomic uint64_t words[GRAPH_BLOCK_WORDS];
} ChangedBlock;
struct GraphFinder {
    void *thing;
    void (*end)(void *thing);
    uint64_t version;
    _Atomic uint64_t changed_count;
    ChangedBlock *_Atomic *_Atomic changed[LEVELS];
};

GraphFinder *graph_finder_new(void *thing, void (*end)(void *thing), uint64_t version)
{
    GraphFinder *finder = mem_calloc(1, sizeof *finder);
    finder->thing = thing;
    finder->end = end;
    finder->version = version;
    return finder;
}

void graph_finder_give(GraphFinder *finder, void *thing, void (*end)(void *thing))
{
    assert(finder->thing == NULL);
    finder->thing = thing;
    finder->end = end;
}

void graph_finder_free(GraphFinder *finder)
{
    if (finder == NULL) return;
    for (size_t level = 0; level < LEVELS; level++) {
        ChangedBlock *_Atomic *blocks = atomic_load(&finder->changed[level]);
        for (size_t i = 0; blocks != NULL && i < (size_t)1 << level; i++)
            mem_free(atomic_load(&blocks[i]));
        mem_free((void *)blocks);
    }
    if (finder->thing != NULL) finder->end(finder->thing);
    mem_free(finder);
}

static size_t level_of(uint64_t block, size_t *at)
{
    size_t level = 63 - (size_t)__builtin_clzll(block + 1);
    *at = (size_t)(block + 1 - (UINT64_C(1) << level));
    return level;
}

void graph_finder_change(GraphFinder *finder, uint64_t node)
{
    size_t at, level = level_of(node / GRAPH_BLOCK_ROWS, &at);
    assert(node < GRAPH_NODES_MAX);
    ChangedBlock *_Atomic *blocks = atomic_load(&finder->changed[level]);
    if (blocks == NULL) {
        blocks = mem_calloc((size_t)1 << level, sizeof *blocks);
        atomic_store(&finder->changed[level], blocks);
    }
    ChangedBlock *block = atomic_load(&blocks[at]);
    if (block == NULL) {
        block = mem_calloc(1, sizeof *block);
        atomic_store(&blocks[at], block);
    }
    uint64_t bit = UINT64_C(1) << node % 64;
    uint64_t before = atomic_fetch_or(&block->words[node % GRAPH_BLOCK_ROWS / 64], bit);
    if (!(before & bit)) atomic_fetch_add(&finder->changed_count, 1);
}

void index_note_change(Index *index, uint64_t node)
{
    GraphFinder *finder = atomic_load_explicit(&index->finder, memory_order_relaxed);
    if (finder != NULL) graph_finder_change(finder, node);
    if (index->preparing != NULL) graph_finder_change(index->preparing, node);
}

const uint64_t *graph_finder_changed(const GraphFinder *finder, uint64_t block)
{
    size_t at, level = level_of(block, &at);
    ChangedBlock *_Atomic *blocks = atomic_load(&finder->changed[level]);
    const ChangedBlock *found = blocks == NULL ? NULL : atomic_load(&blocks[at]);
    return found == NULL ? NULL : (const uint64_t *)found->words;
}

uint64_t graph_finder_changed_count(const GraphFinder *finder)
{
    return atomic_load_explicit(&finder->changed_count, memory_order_relaxed);
}

void *graph_finder_thing(const GraphFinder *finder)
{
    return finder->thing;
}

const GraphFinder *graph_finder(const GraphView *view, const GraphIndex *definition)
{
    const Index *index = (const Index *)(const void *)definition; /* its first member */
    const GraphFinder *finder = atomic_load_explicit(&index->finder, memory_order_acquire);
    return finder != NULL && finder->version <= view->version ? finder : NULL;
}

static void end_finder(void *finder)
{
    graph_finder_free(finder);
}

static void end_ordered(void *ordered)
{
    ordered_free(ordered);
}

void graph_set_finder(Graph *graph, const GraphIndex *definition, GraphFinder *finder)
{
    Index *index = (Index *)(uintptr_t)definition;
    assert(definition->vector && (finder == NULL || finder->version <= graph_pending(graph)));
    GraphFinder *before = atomic_exchange(&index->finder, finder);
    index->preparing = NULL;
    graph_retire_by(graph, before, end_finder);
}

void graph_prepare_finder(GraphWriter *writer, const GraphIndex *definition, GraphFinder *finder)
{
    Index *index = (Index *)(uintptr_t)definition;
    assert(definition->vector && writer->count == 0); /* what it did already would be missing */
    index->preparing = finder;
}

/* Everybody who looks from now on sees it dropped, and nobody who still does. */
static bool is_over(const Index *index, uint64_t horizon)
{
    uint64_t until = index == NULL ? 0 : atomic_load(&index->until);
    return until != 0 && until <= horizon;
}

void indexes_sweep(Graph *graph)
{
    uint64_t horizon = graph->dropped_count == 0 ? 0 : graph_horizon(graph);
    for (uint32_t i = 0; graph->dropped_count > 0 && i < graph_index_count(graph); i++) {
        Index *index = directory_get(&graph->indexes, i);
        if (!is_over(index, horizon)) continue;
        directory_set(graph, &graph->indexes, i, NULL);
        index_retire(graph, index);
        graph->dropped_count--;
    }
}

void index_retire(Graph *graph, Index *index)
{
    graph_retire(graph, atomic_load(&index->table));
    graph_retire_by(graph, atomic_load(&index->finder), end_finder);
    graph_retire_by(graph, atomic_load(&index->ordered), end_ordered);
    mem_free(index->levels);
    buffer_free(&index->scratch);
    graph_retire(graph, (void *)index->definition.name.data);
    graph_retire(graph, index);
}

/* ---- definitions ---- */

enum { KIND_MORE = 0x80, KIND_SEVERAL = 0x40 };

void graph_put_index(const GraphIndex *index, Buffer *out)
{
    bool more = index->flat || index->ef != 0 || index->ef_construction != 0,
         several = index->key_count > 1;
    put_str(out, index->name);
    put_varint(out, index->label);
    put_varint(out, index->keys[0]);
    put_u8(out, (uint8_t)(index->vector | index->constraint << 1 | (several ? KIND_SEVERAL : 0) |
                          (more ? KIND_MORE : 0)));
    put_varint(out, index->dimensions);
    put_u8(out, index->metric);
    if (more) {
        put_u8(out, index->flat);
        put_varint(out, index->ef);
        put_varint(out, index->ef_construction);
    }
    if (several) put_varint(out, index->key_count - 1);
    for (uint32_t k = 1; k < index->key_count; k++)
        put_varint(out, index->keys[k]);
}

static bool get_kind(GraphIndex *index, Reader *reader)
{
    uint8_t kind = get_u8(reader), constraint = (kind & ~(KIND_MORE | KIND_SEVERAL) & 0xff) >> 1;
    uint64_t dimensions = get_varint(reader), ef = 0, ef_construction = 0;
    index->metric = get_u8(reader);
    uint8_t flat = kind & KIND_MORE ? get_u8(reader) : 0;
    if (kind & KIND_MORE) {
        ef = get_varint(reader);
        ef_construction = get_varint(reader);
    }
    uint64_t keys = 1 + (kind & KIND_SEVERAL ? get_varint(reader) : 0);
    bool count = keys >= 1 + (uint64_t)((kind & KIND_SEVERAL) != 0) && keys <= GRAPH_INDEX_KEYS_MAX;
    index->key_count = count ? (uint32_t)keys : 1;
    for (uint32_t k = 1; k < index->key_count; k++) {
        uint64_t key = get_varint(reader);
        index->keys[k] = key < UINT32_MAX ? (uint32_t)key : UINT32_MAX;
    }
    index->vector = kind & 1;
    index->constraint = (GraphConstraint)constraint;
    index->dimensions = (uint32_t)dimensions;
    index->flat = flat == 1;
    index->ef = (uint16_t)ef;
    index->ef_construction = (uint16_t)ef_construction;
    bool may_several = !index->vector && constraint != GRAPH_REQUIRED;
    return !reader->failed && index->metric <= 2 && constraint <= GRAPH_REQUIRED && flat <= 1 &&
           dimensions <= UINT32_MAX && ef <= UINT16_MAX && ef_construction <= UINT16_MAX && count &&
           (index->key_count == 1 || may_several);
}

bool graph_get_index(GraphIndex *index, const Graph *graph, Reader *reader)
{
    *index = (GraphIndex){.name = get_str(reader)};
    uint64_t label = get_varint(reader), key = get_varint(reader);
    bool sound = label < graph_name_count(graph, NAME_LABEL) &&
                 key < graph_name_count(graph, NAME_KEY) && get_kind(index, reader);
    index->label = (uint32_t)label;
    index->keys[0] = (uint32_t)key;
    for (uint32_t k = 1; k < index->key_count && sound; k++)
        sound = index->keys[k] < graph_name_count(graph, NAME_KEY);
    return sound;
}

uint32_t graph_index_count(const Graph *graph)
{
    return atomic_load(&graph->index_count);
}

Index *index_at(const GraphView *view, uint32_t i)
{
    Index *index = directory_get(&view->graph->indexes, i);
    if (index == NULL || index->definition.since > view->version) return NULL;
    uint64_t until = atomic_load_explicit(&index->until, memory_order_acquire);
    return until == 0 || view->version < until ? index : NULL;
}

const GraphIndex *graph_index_at(const GraphView *view, uint32_t i)
{
    const Index *index = index_at(view, i);
    return index == NULL ? NULL : &index->definition;
}

const GraphIndex *graph_index_named(const GraphView *view, Str name)
{
    for (uint32_t i = 0; i < graph_index_count(view->graph); i++) {
        const GraphIndex *index = graph_index_at(view, i);
        if (index != NULL && str_equal(index->name, name)) return index;
    }
    return NULL;
}

const GraphIndex *graph_index_on(const GraphView *view, uint32_t label, uint32_t key, bool vector)
{
    for (uint32_t i = 0; i < graph_index_count(view->graph); i++) {
        const GraphIndex *index = graph_index_at(view, i);
        bool fits = index != NULL && index->label == label && graph_index_is_on(index, key);
        if (fits && (vector ? index->vector : index_has_table(index))) return index;
    }
    return NULL;
}

const GraphIndex *graph_index_on_several(const GraphView *view, uint32_t label,
                                         const uint32_t *keys, uint32_t count)
{
    const GraphIndex *best = NULL;
    for (uint32_t i = 0; i < graph_index_count(view->graph); i++) {
        const GraphIndex *index = graph_index_at(view, i);
        bool fits = index != NULL && index->label == label && index->key_count > 1 &&
                    index->key_count >= count &&
                    memcmp(index->keys, keys, count * sizeof *keys) == 0;
        if (fits && (best == NULL || index->key_count < best->key_count)) best = index;
    }
    return best;
}

/* ---- constraints ---- */

typedef struct Check {
    GraphView view;
    GraphConstraint rule;
    Neighbors found;
} Check;

static Str key_name(const Check *check, const GraphIndex *index, uint32_t k)
{
    return graph_name_text(check->view.graph, NAME_KEY, index->keys[k]);
}

static Error *lacking(const Check *check, const GraphIndex *index, uint64_t node)
{
    Str label = graph_name_text(check->view.graph, NAME_LABEL, index->label);
    return error_hint(
        error_new(ERROR_CONSTRAINT, "node %llu of :%.*s has no %.*s", (unsigned long long)node,
                  STR_ARG(label), STR_ARG(key_name(check, index, 0))),
        "the constraint %.*s wants one when the transaction ends", STR_ARG(index->name));
}

static Error *not_unique(const Check *check, const GraphIndex *index, const Value *keys)
{
    Str label = graph_name_text(check->view.graph, NAME_LABEL, index->label);
    Buffer text = {0}, one = {0};
    for (uint32_t k = 0; k < index->key_count; k++) {
        buffer_clear(&one);
        value_print(&one, keys[k], true);
        buffer_printf(&text, "%s%.*s %.200s", k > 0 ? ", " : "", STR_ARG(key_name(check, index, k)),
                      one.data);
    }
    Error *error = error_new(ERROR_CONSTRAINT, "nodes %llu and %llu of :%.*s both have %s",
                             (unsigned long long)check->found.nodes[0],
                             (unsigned long long)check->found.nodes[1], STR_ARG(label), text.data);
    buffer_free(&text);
    buffer_free(&one);
    return error_hint(error, "the constraint %.*s allows one", STR_ARG(index->name));
}

static Error *check_node(Check *check, const GraphIndex *index, uint64_t node)
{
    if (!graph_node_visible(&check->view, node) ||
        !graph_node_has_label(&check->view, node, index->label))
        return NULL;
    Value keys[GRAPH_INDEX_KEYS_MAX], value = index_keys(&check->view, index, node, keys);
    if (check->rule == GRAPH_REQUIRED)
        return value.kind != VALUE_NULL ? NULL : lacking(check, index, node);
    if (value.kind == VALUE_NULL) return NULL; /* many may have none */
    check->found.count = 0;
    graph_seek(&check->view, index, value, &check->found);
    return check->found.count < 2 ? NULL : not_unique(check, index, keys);
}

static Error *check_change(Check *check, const Index *index, const Change *change)
{
    uint32_t count = 0;
    if (change->kind == CHANGE_APPEND_NODES && change->index != index) count = change->count;
    if (change->kind == CHANGE_SHAPE) count = 1;
    if (change->kind == CHANGE_PROPERTY && change->entity == VALUE_NODE)
        count = index_has_key(&index->definition, change->key);
    if (change->kind == CHANGE_FILL_PROPERTY && index_has_key(&index->definition, change->key))
        count = change->count;
    for (uint32_t i = 0; i < count; i++)
        TRY(check_node(check, &index->definition, change->id + i));
    return NULL;
}

static Error *check_below(Check *check, const GraphWriter *writer, const GraphIndex *index,
                          uint64_t end)
{
    enum { CHUNK = 256 };
    uint64_t cursor = 0, ids[CHUNK];
    uint32_t count;
    while (cursor < end &&
           (count = graph_scan(&check->view, &index->label, 1, &cursor, ids, CHUNK)) > 0) {
        TRY(writer_stopped(writer));
        for (uint32_t i = 0; i < count && ids[i] < end; i++)
            TRY(check_node(check, index, ids[i]));
    }
    return NULL;
}

/* A rule made among these changes is asked of all nodes there were then: those from the first that
 * was made after it are among the changes. 0: the rule was there before. */
static uint64_t nodes_before(const GraphWriter *writer, size_t from, const Index *index)
{
    bool made = false;
    for (size_t i = from; i < writer->count; i++) {
        const Change *change = &writer->changes[i];
        made = made || (change->kind == CHANGE_CREATE_INDEX && change->index == index);
        if (made && (change->kind == CHANGE_CREATE_NODE || change->kind == CHANGE_APPEND_NODES))
            return change->id;
    }
    return made ? UINT64_MAX : 0;
}

static Error *check_rule(Check *check, const GraphWriter *writer, size_t from, const Index *index)
{
    enum { ASK_EVERY = 1024 };
    TRY(check_below(check, writer, &index->definition, nodes_before(writer, from, index)));
    for (size_t i = from; i < writer->count; i++) {
        if (i % ASK_EVERY == 0) TRY(writer_stopped(writer));
        TRY(check_change(check, index, &writer->changes[i]));
    }
    return NULL;
}

Error *graph_check(const GraphWriter *writer, GraphConstraint rule, size_t from)
{
    const Graph *graph = writer->graph;
    Check check = {.view = graph_writer_view(writer), .rule = rule};
    Error *error = NULL;
    for (uint32_t i = 0; error == NULL && i < graph_index_count(graph); i++) {
        const Index *index = index_at(&check.view, i);
        if (index != NULL && index->definition.constraint == rule)
            error = check_rule(&check, writer, from, index);
    }
    neighbors_free(&check.found);
    return error;
}
