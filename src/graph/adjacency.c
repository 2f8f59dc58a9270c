/*
 * adjacency.c - who is next to whom.
 *
 * Relationships of one type live twice: by source and by target, each as the segment's CSR and a
 * delta of runs, one a node, of what was created since. A run is appended
 * to by the one writer and read beside it: its count is published after the entry, and a full run
 * is replaced by a larger copy. Who may see an entry is decided by its relationship's row, not
 * here.
 *
 * Invariant: a node's entries are in the order of creation, those of the CSR before those of the
 * run.
 */
#include "config.h"

#include "graph/graph_internal.h"
#include "graph/lists.h"
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

static void delta_block_free(Graph *graph, void *item)
{
    DeltaBlock *block = item;
    (void)graph;
    for (size_t i = 0; i < GRAPH_BLOCK_ROWS; i++)
        mem_free(atomic_load(&block->runs[i]));
    mem_free(block);
}

void adjacency_free(Graph *graph, Adjacency *adjacency)
{
    directory_free(graph, &adjacency->delta, delta_block_free);
    csr_free(atomic_load(&adjacency->base));
}

bool adjacency_is_empty(const Adjacency *adjacency)
{
    return atomic_load(&adjacency->base) == NULL && directory_size(&adjacency->delta) == 0;
}

/* ---- the base ---- */

static bool touch(Csr *csr, const void *memory, size_t bytes)
{
    return segment_touch(csr->graph->segment, memory, bytes);
}

/* The entries' targets and numbers are ones that exist. */
static bool entries_fit(Csr *csr, uint32_t from, uint32_t to)
{
    uint64_t nodes = atomic_load(&csr->graph->nodes.rows.count);
    for (uint32_t i = from; i < to; i++)
        if (csr->targets[i] >= nodes || (csr->numbers != NULL && csr->numbers[i] >= csr->row_count))
            return false;
    return true;
}

static bool all_fits(Csr *csr)
{
    uint64_t slices = 0;
    for (uint64_t i = 0; i < csr->word_count; i++) {
        if (csr->ranks[i] != slices) return false;
        slices += (unsigned)__builtin_popcountll(csr->bits[i]);
    }
    if (slices != csr->slice_count || csr->offsets[0] != 0) return false;
    for (uint32_t i = 0; i < csr->slice_count; i++)
        if (csr->offsets[i] > csr->offsets[i + 1]) return false;
    return csr->offsets[csr->slice_count] == csr->entry_count &&
           entries_fit(csr, 0, csr->entry_count);
}

/* After so many looks the rest is checked at once, and no look pays for it any more. */
enum { CSR_LOOKS_MAX = 256 };

static void check_all(Csr *csr)
{
    uint64_t entries = csr->entry_count * sizeof(uint32_t);
    bool good = touch(csr, csr->bits, csr->word_count * sizeof *csr->bits) &&
                touch(csr, csr->ranks, csr->word_count * sizeof *csr->ranks) &&
                touch(csr, csr->offsets, (csr->slice_count + 1ul) * sizeof *csr->offsets) &&
                touch(csr, csr->targets, entries) &&
                (csr->numbers == NULL || touch(csr, csr->numbers, entries)) && all_fits(csr);
    if (good)
        atomic_store_explicit(&csr->looks, CSR_CHECKED, memory_order_release);
    else
        atomic_store(&csr->graph->damaged, true);
}

/* One slice's worth of the same. */
static bool check_entries(Csr *csr, uint32_t from, uint32_t to)
{
    if (from > to || to > csr->entry_count) return false;
    size_t bytes = (to - from) * sizeof(uint32_t);
    return touch(csr, csr->targets + from, bytes) &&
           (csr->numbers == NULL || touch(csr, csr->numbers + from, bytes)) &&
           entries_fit(csr, from, to);
}

static bool is_checked(Csr *csr)
{
    uint32_t looks = atomic_load_explicit(&csr->looks, memory_order_acquire);
    if (looks == CSR_CHECKED) return true;
    if (looks < CSR_LOOKS_MAX) {
        atomic_store_explicit(&csr->looks, looks + 1, memory_order_relaxed);
        return false;
    }
    check_all(csr);
    return atomic_load_explicit(&csr->looks, memory_order_acquire) == CSR_CHECKED;
}

Slice csr_slice(Csr *csr, uint64_t node)
{
    Slice none = {0};
    uint64_t word = node / 64 - csr->first_word; /* wraps around below it */
    if (node / 64 < csr->first_word || word >= csr->word_count) return none;
    bool checked = is_checked(csr);
    if (!checked && !(touch(csr, &csr->bits[word], sizeof *csr->bits) &&
                      touch(csr, &csr->ranks[word], sizeof *csr->ranks)))
        return none;
    if ((csr->bits[word] >> node % 64 & 1) == 0) return none;
    uint64_t before = csr->bits[word] & ((UINT64_C(1) << node % 64) - 1);
    uint64_t slice = csr->ranks[word] + (unsigned)__builtin_popcountll(before);
    if (!checked &&
        (slice >= csr->slice_count || !touch(csr, &csr->offsets[slice], 2 * sizeof *csr->offsets)))
        return atomic_store(&csr->graph->damaged, true), none;
    uint32_t from = csr->offsets[slice], to = csr->offsets[slice + 1];
    if (!checked && !check_entries(csr, from, to))
        return atomic_store(&csr->graph->damaged, true), none;
    return (Slice){csr->targets + from, csr->numbers == NULL ? NULL : csr->numbers + from, from,
                   to - from};
}

/* The slice that has the entry, and its node; false: there is none, or damage. */
static bool find_slice(Csr *csr, uint32_t entry, bool checked, uint32_t *slice, uint64_t *node)
{
    uint64_t low = 0, high = csr->slice_count; /* offsets[low] <= entry < offsets[high] */
    while (low + 1 < high) {
        uint64_t middle = (low + high) / 2;
        if (!checked && !touch(csr, &csr->offsets[middle], sizeof *csr->offsets)) return false;
        *(csr->offsets[middle] <= entry ? &low : &high) = middle;
    }
    *slice = (uint32_t)low;
    for (low = 0, high = csr->word_count; low + 1 < high;) { /* ranks[low] <= slice < ranks[high] */
        uint64_t middle = (low + high) / 2;
        if (!checked && !touch(csr, &csr->ranks[middle], sizeof *csr->ranks)) return false;
        *(csr->ranks[middle] <= *slice ? &low : &high) = middle;
    }
    if (!checked && !(touch(csr, &csr->bits[low], sizeof *csr->bits) &&
                      touch(csr, &csr->ranks[low], sizeof *csr->ranks)))
        return false;
    uint64_t bits = csr->bits[low];
    for (uint32_t skip = *slice - csr->ranks[low]; skip > 0 && bits != 0; skip--)
        bits &= bits - 1;
    *node = bits == 0 ? UINT64_MAX : (csr->first_word + low) * 64 + (uint64_t)__builtin_ctzll(bits);
    return bits != 0;
}

/* The first node behind `node` that has a slice, as there is one. */
static uint64_t next_node(const Csr *csr, uint64_t node)
{
    uint64_t word = (node + 1) / 64 - csr->first_word;
    uint64_t bits = csr->bits[word] & UINT64_MAX << (node + 1) % 64;
    while (bits == 0)
        bits = csr->bits[++word];
    return (csr->first_word + word) * 64 + (uint64_t)__builtin_ctzll(bits);
}

/* Asked for the numbers in order, as scans do, the slice is the last one or the next. */
static bool is_near(const Csr *csr, uint32_t number, uint32_t *slice, uint64_t *node)
{
    uint64_t last = atomic_load_explicit(&csr->last, memory_order_relaxed);
    *slice = (uint32_t)(last >> 32);
    *node = last & UINT32_MAX;
    if (last == 0 || number < csr->offsets[*slice]) return false;
    if (number < csr->offsets[*slice + 1]) return true;
    if (*slice + 1 == csr->slice_count || number >= csr->offsets[*slice + 2]) return false;
    ++*slice;
    *node = next_node(csr, *node);
    return true;
}

bool csr_end(Csr *csr, uint32_t number, uint32_t *node, uint32_t *other)
{
    bool checked = is_checked(csr);
    uint32_t slice;
    uint64_t found;
    if (number >= csr->entry_count) return false;
    bool there = (checked && is_near(csr, number, &slice, &found)) ||
                 find_slice(csr, number, checked, &slice, &found);
    Slice whole = there ? csr_slice(csr, found) : (Slice){0};
    if (number - whole.first >= whole.count) return atomic_store(&csr->graph->damaged, true), false;
    atomic_store_explicit(&csr->last, (uint64_t)slice << 32 | found, memory_order_relaxed);
    *node = (uint32_t)found;
    *other = whole.targets[number - whole.first];
    return true;
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

static bool everybody_sees(const RelationshipType *type, uint64_t version)
{
    const Rows *rows = &type->table.rows;
    return atomic_load(&rows->created_max) <= version && atomic_load(&rows->deleted_max) == 0;
}

typedef struct Way { /* one direction of one type */
    const Rows *rows;
    const Adjacency *adjacency;
    Csr *base;     /* NULL: none */
    bool checked;  /* base may be looked into without checking it */
    bool plain;    /* every entry of base is seen */
    bool delta;    /* there may be a run */
    bool loopless; /* leaves out loops: seen on the other way already */
    uint64_t first_id;
    uint64_t version;
} Way;

struct GraphWalk {
    uint32_t count;
    Way ways[];
};

static void way_init(Way *way, const GraphView *view, uint32_t type, bool in, bool loopless)
{
    const RelationshipType *relationships = graph_type(view->graph, type);
    const Adjacency *adjacency = in ? &relationships->in : &relationships->out;
    Csr *base = atomic_load_explicit(&adjacency->base, memory_order_acquire);
    *way = (Way){.rows = &relationships->table.rows,
                 .adjacency = adjacency,
                 .base = base,
                 .checked = base != NULL && is_checked(base),
                 .plain = everybody_sees(relationships, view->version),
                 .delta = directory_size(&adjacency->delta) > 0,
                 .loopless = loopless,
                 .first_id = relationship_id(type, 0),
                 .version = view->version};
}

static void append_slice(const Way *way, Slice slice, uint64_t loop, Neighbors *out)
{
    mem_reserve(out->nodes, out->node_capacity, out->count + slice.count);
    mem_reserve(out->relationships, out->relationship_capacity, out->count + slice.count);
    size_t count = out->count;
    for (uint32_t i = 0; i < slice.count; i++) {
        uint32_t number = slice.numbers == NULL ? slice.first + i : slice.numbers[i];
        if (slice.targets[i] == loop) continue;
        if (!way->plain && !rows_visible(way->rows, number, way->version)) continue;
        out->nodes[count] = slice.targets[i];
        out->relationships[count++] = way->first_id + number;
    }
    out->count = count;
}

static void walk_delta(const Way *way, uint64_t node, uint64_t loop, Neighbors *out)
{
    const DeltaRun *run = run_of(way->adjacency, node);
    uint32_t count = run == NULL ? 0 : atomic_load_explicit(&run->count, memory_order_acquire);
    for (uint32_t i = 0; i < count; i++) {
        DeltaEntry entry = run->entries[i];
        if (entry.target != loop && rows_visible(way->rows, entry.number, way->version))
            append(out, entry.target, way->first_id + entry.number);
    }
}

/* The walk over bits and ranks of csr_slice, for a base that is checked. */
static inline void walk_way(const Way *way, uint64_t node, Neighbors *out)
{
    uint64_t loop = way->loopless ? node : UINT64_MAX;
    const Csr *base = way->base;
    if (base != NULL && way->checked) {
        uint64_t word = node / 64 - base->first_word; /* wraps around below it */
        if (word < base->word_count && (base->bits[word] >> node % 64 & 1)) {
            uint64_t before = base->bits[word] & ((UINT64_C(1) << node % 64) - 1);
            uint32_t slice = base->ranks[word] + (uint32_t)__builtin_popcountll(before),
                     from = base->offsets[slice], to = base->offsets[slice + 1];
            append_slice(way,
                         (Slice){base->targets + from,
                                 base->numbers == NULL ? NULL : base->numbers + from, from,
                                 to - from},
                         loop, out);
        }
    } else if (base != NULL) {
        append_slice(way, csr_slice(way->base, node), loop, out);
    }
    if (way->delta) walk_delta(way, node, loop, out);
}

GraphWalk *graph_walk_create(Arena *arena, const GraphView *view, const uint32_t *types,
                             uint32_t type_count, GraphDirection direction)
{
    GraphWalk *walk = arena_alloc(arena, sizeof *walk + 2ul * type_count * sizeof walk->ways[0]);
    walk->count = 0;
    for (uint32_t i = 0; i < type_count; i++) {
        if (graph_type(view->graph, types[i]) == NULL) continue;
        if (direction != GRAPH_IN)
            way_init(&walk->ways[walk->count++], view, types[i], false, false);
        if (direction != GRAPH_OUT)
            way_init(&walk->ways[walk->count++], view, types[i], true, direction == GRAPH_BOTH);
    }
    return walk;
}

void graph_walk(const GraphWalk *walk, uint64_t node, Neighbors *out)
{
    for (uint32_t i = 0; i < walk->count; i++)
        walk_way(&walk->ways[i], node, out);
}

void graph_expand(const GraphView *view, uint32_t type, GraphDirection direction, uint64_t node,
                  Neighbors *out)
{
    Way way;
    if (graph_type(view->graph, type) == NULL) return;
    if (direction != GRAPH_IN) {
        way_init(&way, view, type, false, false);
        walk_way(&way, node, out);
    }
    if (direction == GRAPH_OUT) return;
    way_init(&way, view, type, true, direction == GRAPH_BOTH);
    walk_way(&way, node, out);
}

bool graph_slice(const GraphView *view, uint32_t type, GraphDirection direction, uint64_t node,
                 GraphSlice *out)
{
    const RelationshipType *relationships = graph_type(view->graph, type);
    *out = (GraphSlice){0};
    if (relationships == NULL) return true;
    if (direction == GRAPH_BOTH || !everybody_sees(relationships, view->version)) return false;
    const Adjacency *adjacency = direction == GRAPH_OUT ? &relationships->out : &relationships->in;
    const DeltaRun *run = run_of(adjacency, node);
    if (run != NULL && atomic_load(&run->count) > 0) return false;
    Csr *base = atomic_load_explicit(&adjacency->base, memory_order_acquire);
    if (base == NULL) return true;
    Slice slice = csr_slice(base, node);
    *out = (GraphSlice){slice.targets, slice.numbers, slice.first, slice.count};
    return true;
}

bool graph_lists(const GraphView *view, uint32_t type, GraphDirection direction, GraphLists *out)
{
    const RelationshipType *relationships = graph_type(view->graph, type);
    *out = (GraphLists){0};
    if (relationships == NULL) return true;
    assert(direction != GRAPH_BOTH);
    if (!everybody_sees(relationships, view->version)) return false;
    const Adjacency *adjacency = direction == GRAPH_OUT ? &relationships->out : &relationships->in;
    Csr *base = atomic_load_explicit(&adjacency->base, memory_order_acquire);
    if (directory_size(&adjacency->delta) > 0) out->delta = adjacency;
    if (base == NULL) return true;
    if (!is_checked(base)) {
        check_all(base);
        if (!is_checked(base)) return false; /* graph_walk finds out, and says so */
    }
    out->first_word = base->first_word, out->word_count = base->word_count;
    out->bits = base->bits, out->ranks = base->ranks;
    out->offsets = base->offsets, out->targets = base->targets;
    out->entry_count = base->entry_count;
    return true;
}

bool graph_list_has_delta(const GraphLists *lists, uint64_t node)
{
    const DeltaRun *run = run_of(lists->delta, node);
    return run != NULL && atomic_load_explicit(&run->count, memory_order_acquire) > 0;
}

uint64_t graph_degree(const GraphView *view, uint32_t type, GraphDirection direction, uint64_t node)
{
    GraphSlice slice;
    if (graph_slice(view, type, direction, node, &slice)) return slice.count;
    Neighbors neighbors = {0};
    graph_expand(view, type, direction, node, &neighbors);
    uint64_t degree = neighbors.count;
    neighbors_free(&neighbors);
    return degree;
}
