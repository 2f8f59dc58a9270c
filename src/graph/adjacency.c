/*
 * adjacency.c - who is next to whom.
 *
 * Relationships of one type live twice: by source and by target, each as a CSR (offsets and
 * targets, immutable) and a delta of runs, one a node, of what was created since. A run is appended
 * to by the one writer and read beside it: its count is published after the entry, and a full run
 * is replaced by a larger copy. Who may see an entry is decided by its relationship's row, not
 * here.
 *
 * Invariants: offsets[0] == 0, offsets[i] <= offsets[i + 1]; entries of a run are in the order of
 * creation.
 */
#include "config.h"

#include "graph/graph_internal.h"
#include <assert.h>

typedef struct DeltaBlock {
    DeltaRun *_Atomic runs[GRAPH_BLOCK_ROWS];
} DeltaBlock;

enum { RUN_FIRST_ENTRIES = 4 };

static DeltaRun *run_of(const Adjacency *adjacency, uint64_t node)
{
    DeltaBlock *block = directory_get(&adjacency->delta, node / GRAPH_BLOCK_ROWS);
    return block == NULL
               ? NULL
               : atomic_load_explicit(&block->runs[node % GRAPH_BLOCK_ROWS], memory_order_acquire);
}

static DeltaRun *run_grown(Graph *graph, DeltaRun *run)
{
    uint32_t count = run == NULL ? 0 : atomic_load(&run->count),
             capacity = run == NULL ? RUN_FIRST_ENTRIES : run->capacity * 2;
    DeltaRun *larger = mem_alloc(sizeof *larger + capacity * sizeof larger->entries[0]);
    atomic_init(&larger->count, count);
    larger->capacity = capacity;
    if (run != NULL) memcpy(larger->entries, run->entries, count * sizeof run->entries[0]);
    graph_retire(graph, run);
    return larger;
}

void adjacency_add(Graph *graph, Adjacency *adjacency, uint64_t node, uint32_t target,
                   uint32_t number)
{
    DeltaBlock *block = directory_get(&adjacency->delta, node / GRAPH_BLOCK_ROWS);
    if (block == NULL) {
        block = mem_calloc(1, sizeof *block);
        directory_set(graph, &adjacency->delta, node / GRAPH_BLOCK_ROWS, block);
    }
    DeltaRun *run = atomic_load(&block->runs[node % GRAPH_BLOCK_ROWS]);
    if (run == NULL || atomic_load(&run->count) == run->capacity) {
        run = run_grown(graph, run);
        atomic_store_explicit(&block->runs[node % GRAPH_BLOCK_ROWS], run, memory_order_release);
    }
    uint32_t count = atomic_load(&run->count);
    run->entries[count] = (DeltaEntry){target, number};
    atomic_store_explicit(&run->count, count + 1, memory_order_release);
}

void adjacency_undo(Adjacency *adjacency, uint64_t node)
{
    DeltaRun *run = run_of(adjacency, node);
    assert(run != NULL && atomic_load(&run->count) > 0);
    atomic_fetch_sub(&run->count, 1);
}

static void delta_block_free(void *item)
{
    DeltaBlock *block = item;
    for (size_t i = 0; i < GRAPH_BLOCK_ROWS; i++)
        mem_free(atomic_load(&block->runs[i]));
    mem_free(block);
}

void adjacency_free(Adjacency *adjacency)
{
    Csr *base = atomic_load(&adjacency->base);
    if (base != NULL) {
        mem_free(base->offsets);
        mem_free(base->targets);
        mem_free(base->numbers);
        mem_free(base);
    }
    directory_free(&adjacency->delta, delta_block_free);
}

/* ---- reading ---- */

void neighbors_free(Neighbors *neighbors)
{
    mem_free(neighbors->nodes);
    mem_free(neighbors->relationships);
    *neighbors = (Neighbors){0};
}

static void append(Neighbors *out, uint64_t node, uint64_t relationship)
{
    mem_reserve(out->nodes, out->node_capacity, out->count + 1);
    mem_reserve(out->relationships, out->relationship_capacity, out->count + 1);
    out->nodes[out->count] = node;
    out->relationships[out->count++] = relationship;
}

typedef struct Walk { /* one direction of one type */
    const RelationshipType *type;
    const Adjacency *adjacency;
    uint32_t type_id;
    uint64_t version;
    uint64_t loop; /* a target to leave out; UINT64_MAX: none */
} Walk;

static void walk_entry(const Walk *walk, uint32_t target, uint32_t number, Neighbors *out)
{
    if (target == walk->loop || !rows_visible(&walk->type->table.rows, number, walk->version))
        return;
    append(out, target, relationship_id(walk->type_id, number));
}

static void walk_node(const Walk *walk, uint64_t node, Neighbors *out)
{
    const Csr *base = atomic_load_explicit(&walk->adjacency->base, memory_order_acquire);
    if (base != NULL && node < base->node_count)
        for (uint64_t i = base->offsets[node]; i < base->offsets[node + 1]; i++)
            walk_entry(walk, base->targets[i], base->numbers[i], out);
    const DeltaRun *run = run_of(walk->adjacency, node);
    uint32_t count = run == NULL ? 0 : atomic_load_explicit(&run->count, memory_order_acquire);
    for (uint32_t i = 0; i < count; i++)
        walk_entry(walk, run->entries[i].target, run->entries[i].number, out);
}

void graph_expand(const GraphView *view, uint32_t type, GraphDirection direction, uint64_t node,
                  Neighbors *out)
{
    const RelationshipType *relationships = graph_type(view->graph, type);
    if (relationships == NULL) return;
    Walk walk = {relationships, &relationships->out, type, view->version, UINT64_MAX};
    if (direction != GRAPH_IN) walk_node(&walk, node, out);
    walk.adjacency = &relationships->in;
    if (direction == GRAPH_BOTH) walk.loop = node; /* seen on the way out already */
    if (direction != GRAPH_OUT) walk_node(&walk, node, out);
}

static bool everybody_sees(const RelationshipType *type, uint64_t version)
{
    const Rows *rows = &type->table.rows;
    return atomic_load(&rows->created_max) <= version && atomic_load(&rows->deleted_max) == 0;
}

bool graph_slice(const GraphView *view, uint32_t type, GraphDirection direction, uint64_t node,
                 const uint32_t **targets, const uint32_t **numbers, uint32_t *count)
{
    const RelationshipType *relationships = graph_type(view->graph, type);
    if (relationships == NULL || direction == GRAPH_BOTH ||
        !everybody_sees(relationships, view->version))
        return false;
    const Adjacency *adjacency = direction == GRAPH_OUT ? &relationships->out : &relationships->in;
    const Csr *base = atomic_load_explicit(&adjacency->base, memory_order_acquire);
    const DeltaRun *run = run_of(adjacency, node);
    if (base == NULL || (run != NULL && atomic_load(&run->count) > 0)) return false;
    *count = 0;
    if (node >= base->node_count) return true;
    *targets = base->targets + base->offsets[node];
    *numbers = base->numbers + base->offsets[node];
    *count = (uint32_t)(base->offsets[node + 1] - base->offsets[node]);
    return true;
}

uint64_t graph_degree(const GraphView *view, uint32_t type, GraphDirection direction, uint64_t node)
{
    const uint32_t *targets, *numbers;
    uint32_t count;
    if (graph_slice(view, type, direction, node, &targets, &numbers, &count)) return count;
    Neighbors neighbors = {0};
    graph_expand(view, type, direction, node, &neighbors);
    uint64_t degree = neighbors.count;
    neighbors_free(&neighbors);
    return degree;
}
