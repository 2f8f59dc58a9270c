/*
 * adjacency.c - who is next to whom.
 *
 * Relationships of one type live twice: by source and by target, each as the segment's CSR and a
 * delta of runs, one a node, of what was created since. A run is appended
 * to by the one writer and read beside it: its count is published after the entry, and a full run
 * is replaced by a larger copy. Who may see an entry is decided by its relationship's row, not
 * here; the entries of a segment's CSR need not be asked about, but for nodes whose run says so.
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
    larger->gone = run != NULL && run->gone;
    if (run != NULL) memcpy(larger->entries, run->entries, count * sizeof run->entries[0]);
    graph_retire(graph, run);
    return larger;
}

static DeltaRun *_Atomic *run_place(Graph *graph, Adjacency *adjacency, uint64_t node)
{
    DeltaBlock *block = directory_get(&adjacency->delta, node / GRAPH_BLOCK_ROWS);
    if (block == NULL) {
        block = mem_calloc(1, sizeof *block);
        directory_set(graph, &adjacency->delta, node / GRAPH_BLOCK_ROWS, block);
    }
    return &block->runs[node % GRAPH_BLOCK_ROWS];
}

void adjacency_mark_gone(Graph *graph, Adjacency *adjacency, uint64_t node)
{
    DeltaRun *_Atomic *place = run_place(graph, adjacency, node);
    if (atomic_load(place) == NULL) atomic_store(place, run_grown(graph, NULL));
    atomic_load(place)->gone = true;
}

void adjacency_add(Graph *graph, Adjacency *adjacency, uint64_t node, uint32_t target,
                   uint32_t number)
{
    DeltaRun *_Atomic *place = run_place(graph, adjacency, node);
    DeltaRun *run = atomic_load(place);
    if (run == NULL || atomic_load(&run->count) == run->capacity) {
        run = run_grown(graph, run);
        atomic_store_explicit(place, run, memory_order_release);
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

void adjacency_trim(Graph *graph, Adjacency *adjacency, uint64_t nodes)
{
    uint64_t blocks = (nodes + GRAPH_BLOCK_ROWS - 1) / GRAPH_BLOCK_ROWS;
    directory_trim(graph, &adjacency->delta, blocks, delta_block_free);
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

static Packed number_block(const Csr *csr, uint32_t entry)
{
    const CsrNumbers *block = &csr->packed[entry / GRAPH_BLOCK_ROWS];
    return packed_at((const char *)csr->packed + 8ull * block->at, block->width);
}

void csr_numbers(const Csr *csr, uint32_t first, uint32_t count, uint64_t add, uint64_t *out)
{
    const uint32_t *targets = csr->targets + first;
    if (csr->packed == NULL) {
        for (uint32_t i = 0; i < count; i++)
            out[i] = add + (csr->numbers == NULL ? first + i : csr->numbers[first + i]);
        return;
    }
    for (uint32_t i = 0; i < count;) {
        uint32_t at = (first + i) % GRAPH_BLOCK_ROWS, left = GRAPH_BLOCK_ROWS - at;
        uint32_t end = left < count - i ? i + left : count;
        Packed packed = number_block(csr, first + i);
        for (; i < end; i++)
            out[i] = add + (uint64_t)packed_get(&packed, at++);
    }
    for (uint32_t i = 0; csr->frame != NULL && i < count; i++)
        out[i] += csr->frame->groups[targets[i] / 64 - csr->frame->first_group].base;
}

/* The block's description, and its bytes. */
static bool number_block_fits(Csr *csr, uint32_t entry)
{
    const CsrNumbers *block = &csr->packed[entry / GRAPH_BLOCK_ROWS];
    if (!touch(csr, block, sizeof *block) || block->width > PACK_WIDTH_MAX) return false;
    uint32_t left = csr->entry_count - entry / GRAPH_BLOCK_ROWS * GRAPH_BLOCK_ROWS;
    uint64_t begin = 8ull * block->at,
             bytes = packed_bytes(left < GRAPH_BLOCK_ROWS ? left : GRAPH_BLOCK_ROWS, block->width);
    return begin <= csr->packed_bytes && bytes <= csr->packed_bytes - begin &&
           touch(csr, (const char *)csr->packed + begin, bytes);
}

static bool numbers_fit(Csr *csr, uint32_t from, uint32_t to)
{
    enum { STRETCH = 256 };
    uint64_t found[STRETCH];
    const Csr *frame = csr->frame;
    for (uint32_t i = from; csr->packed != NULL && i < to;
         i += GRAPH_BLOCK_ROWS - i % GRAPH_BLOCK_ROWS)
        if (!number_block_fits(csr, i)) return false;
    for (uint32_t i = from; frame != NULL && i < to; i++) {
        uint64_t at = csr->targets[i] / 64 - frame->first_group;
        if (at >= frame->group_count || !touch(csr, &frame->groups[at], sizeof *frame->groups))
            return false;
    }
    for (uint32_t i = from; !csr_in_order(csr) && i < to; i += STRETCH) {
        uint32_t count = to - i < STRETCH ? to - i : STRETCH;
        csr_numbers(csr, i, count, 0, found);
        for (uint32_t j = 0; j < count; j++)
            if (found[j] >= csr->row_count) return false;
    }
    return true;
}

/* The entries' targets and numbers are ones that exist. */
static bool entries_fit(Csr *csr, uint32_t from, uint32_t to)
{
    uint64_t nodes = atomic_load(&csr->graph->nodes.rows.count);
    for (uint32_t i = from; i < to; i++)
        if (csr->targets[i] >= nodes) return false;
    return numbers_fit(csr, from, to);
}

/* Its lists follow one another, from its first entry to its last. */
static bool group_fits(const Csr *csr, const GraphGroup *group)
{
    uint32_t lists = (uint32_t)__builtin_popcountll(group->bits), from, to, end = group->base;
    if (group[1].base < end || group[1].base > csr->entry_count) return false;
    uint32_t offsets = csr_offsets_of(group[1].base - end, lists);
    if (group->rank > csr->offset_count || offsets > csr->offset_count - group->rank) return false;
    for (uint32_t k = 0; k < lists; k++) {
        graph_group_list(group, csr->offsets, k, &from, &to);
        if (from != end || to < from) return false;
        end = to;
    }
    return end == group[1].base;
}

static bool all_fits(Csr *csr)
{
    const GraphGroup *last = &csr->groups[csr->group_count];
    uint64_t offsets = 0;
    if (csr->groups[0].base != 0) return false;
    for (uint64_t i = 0; i < csr->group_count; i++) {
        const GraphGroup *group = &csr->groups[i];
        if (group->rank != offsets || !group_fits(csr, group)) return false;
        offsets += csr_offsets_of(group[1].base - group->base,
                                  (uint32_t)__builtin_popcountll(group->bits));
    }
    return last->bits == 0 && last->rank == offsets && offsets == csr->offset_count &&
           last->base == csr->entry_count && entries_fit(csr, 0, csr->entry_count);
}

/* After so many looks the rest is checked at once, and no look pays for it any more. */
enum { CSR_LOOKS_MAX = 256 };

static void check_all(Csr *csr)
{
    size_t entries = csr->entry_count * sizeof(uint32_t);
    bool good = touch(csr, csr->groups, (csr->group_count + 1) * sizeof *csr->groups) &&
                touch(csr, csr->offsets, csr->offset_count * sizeof *csr->offsets) &&
                touch(csr, csr->targets, entries) && all_fits(csr);
    if (good)
        atomic_store_explicit(&csr->looks, CSR_CHECKED, memory_order_release);
    else
        atomic_store(&csr->graph->damaged, true);
}

/* One slice's worth of the same. */
static bool check_slice(Csr *csr, const GraphGroup *group, Slice slice)
{
    uint32_t from = slice.first, to = from + slice.count;
    return from >= group->base && to >= from && to <= group[1].base &&
           touch(csr, csr->targets + from, slice.count * sizeof *csr->targets) &&
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

/* A group that is not checked yet, before it is used. */
static bool check_group(Csr *csr, const GraphGroup *group)
{
    if (!touch(csr, group, 2 * sizeof *group)) return false;
    uint32_t lists = (uint32_t)__builtin_popcountll(group->bits),
             offsets = csr_offsets_of(group[1].base - group->base, lists);
    return group->rank <= csr->offset_count && offsets <= csr->offset_count - group->rank &&
           touch(csr, csr->offsets + group->rank, offsets * sizeof *csr->offsets) &&
           group_fits(csr, group);
}

static Slice slice_at(const Csr *csr, const GraphGroup *group, uint32_t place)
{
    uint32_t from, to;
    graph_group_list(group, csr->offsets, place, &from, &to);
    return (Slice){from, to - from};
}

Slice csr_slice(Csr *csr, uint64_t node)
{
    Slice none = {0};
    uint64_t at = node / 64 - csr->first_group; /* wraps around below it */
    if (node / 64 < csr->first_group || at >= csr->group_count) return none;
    const GraphGroup *group = &csr->groups[at];
    bool checked = is_checked(csr);
    if (!checked && !check_group(csr, group)) return atomic_store(&csr->graph->damaged, true), none;
    if ((group->bits >> node % 64 & 1) == 0) return none;
    Slice slice = slice_at(csr, group, graph_group_place(group, node));
    if (!checked && !check_slice(csr, group, slice))
        return atomic_store(&csr->graph->damaged, true), none;
    return slice;
}

/* Of the group's lists, the node that has it. */
static uint64_t group_node(const Csr *csr, const GraphGroup *group, uint32_t place)
{
    uint64_t bits = group->bits;
    for (; place > 0; place--)
        bits &= bits - 1;
    return (csr->first_group + (uint64_t)(group - csr->groups)) * 64 +
           (uint64_t)__builtin_ctzll(bits);
}

/* The list that has the entry, and its node; false: there is none, or damage. */
static bool find_slice(Csr *csr, uint32_t entry, bool checked, uint32_t *place, uint64_t *node)
{
    uint64_t low = 0, high = csr->group_count; /* groups[low].base <= entry < groups[high].base */
    while (low + 1 < high) {
        uint64_t middle = (low + high) / 2;
        if (!checked && !touch(csr, &csr->groups[middle], sizeof *csr->groups)) return false;
        *(csr->groups[middle].base <= entry ? &low : &high) = middle;
    }
    const GraphGroup *group = &csr->groups[low];
    if (!checked && !check_group(csr, group)) return false;
    uint32_t lists = (uint32_t)__builtin_popcountll(group->bits), first = 0;
    while (first + 1 < lists) {
        uint32_t middle = (first + lists) / 2;
        *(slice_at(csr, group, middle).first <= entry ? &first : &lists) = middle;
    }
    if (lists == 0) return false;
    *place = first;
    *node = group_node(csr, group, first);
    return true;
}

/* Asked for the numbers in order, as scans do, the list is the last one or the next. */
static bool is_near(const Csr *csr, uint32_t number, uint32_t *place, uint64_t *node)
{
    uint64_t last = atomic_load_explicit(&csr->last, memory_order_relaxed);
    *place = (uint32_t)(last >> 32);
    *node = last & UINT32_MAX;
    if (last == 0) return false;
    const GraphGroup *group = &csr->groups[*node / 64 - csr->first_group];
    Slice slice = slice_at(csr, group, *place);
    if (number < slice.first) return false;
    if (number - slice.first < slice.count) return true;
    if (++*place == (uint32_t)__builtin_popcountll(group->bits)) {
        *place = 0;
        while (++group < csr->groups + csr->group_count && group->bits == 0)
            ;
        if (group == csr->groups + csr->group_count) return false;
    }
    *node = group_node(csr, group, *place);
    slice = slice_at(csr, group, *place);
    return number - slice.first < slice.count;
}

bool csr_end(Csr *csr, uint32_t number, uint32_t *node, uint32_t *other)
{
    bool checked = is_checked(csr);
    uint32_t place;
    uint64_t found;
    if (number >= csr->entry_count) return false;
    bool there = (checked && is_near(csr, number, &place, &found)) ||
                 find_slice(csr, number, checked, &place, &found);
    Slice whole = there ? csr_slice(csr, found) : (Slice){0};
    if (number - whole.first >= whole.count) return atomic_store(&csr->graph->damaged, true), false;
    atomic_store_explicit(&csr->last, (uint64_t)place << 32 | found, memory_order_relaxed);
    *node = (uint32_t)found;
    *other = csr->targets[number];
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
    bool plain;    /* every entry of base is seen, but of nodes whose run says that some are gone */
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

static void append_slice(const Way *way, Slice slice, bool plain, uint64_t loop, Neighbors *out)
{
    if (slice.count == 0) return; /* an empty adjacency has no arrays */
    mem_reserve(out->nodes, out->node_capacity, out->count + slice.count);
    mem_reserve(out->relationships, out->relationship_capacity, out->count + slice.count);
    const uint32_t *targets = way->base->targets + slice.first;
    uint64_t *nodes = out->nodes + out->count, *relationships = out->relationships + out->count;
    size_t kept = 0;
    csr_numbers(way->base, slice.first, slice.count, way->first_id, relationships);
    for (uint32_t i = 0; i < slice.count; i++) {
        uint64_t id = relationships[i];
        if (targets[i] == loop) continue;
        if (!plain && !rows_visible(way->rows, relationship_number(id), way->version)) continue;
        nodes[kept] = targets[i];
        relationships[kept++] = id;
    }
    out->count += kept;
}

static void walk_delta(const Way *way, const DeltaRun *run, uint64_t loop, Neighbors *out)
{
    uint32_t count = run == NULL ? 0 : atomic_load_explicit(&run->count, memory_order_acquire);
    for (uint32_t i = 0; i < count; i++) {
        DeltaEntry entry = run->entries[i];
        if (entry.target != loop && rows_visible(way->rows, entry.number, way->version))
            append(out, entry.target, way->first_id + entry.number);
    }
}

/* What csr_slice does, for a base that is checked. */
static inline void walk_way(const Way *way, uint64_t node, Neighbors *out)
{
    uint64_t loop = way->loopless ? node : UINT64_MAX;
    const Csr *base = way->base;
    const DeltaRun *run = way->delta ? run_of(way->adjacency, node) : NULL;
    bool plain = way->plain && (run == NULL || !run->gone);
    if (base != NULL && way->checked) {
        uint64_t at = node / 64 - base->first_group; /* wraps around below it */
        const GraphGroup *group = &base->groups[at < base->group_count ? at : base->group_count];
        if (group->bits >> node % 64 & 1)
            append_slice(way, slice_at(base, group, graph_group_place(group, node)), plain, loop,
                         out);
    } else if (base != NULL) {
        append_slice(way, csr_slice(way->base, node), plain, loop, out);
    }
    if (run != NULL) walk_delta(way, run, loop, out);
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

/* Are the node's relationships others than those of its list in the CSR? */
static bool is_beside(const DeltaRun *run)
{
    return run != NULL &&
           (run->gone || atomic_load_explicit(&run->count, memory_order_acquire) > 0);
}

bool graph_slice(const GraphView *view, uint32_t type, GraphDirection direction, uint64_t node,
                 GraphSlice *out)
{
    const RelationshipType *relationships = graph_type(view->graph, type);
    *out = (GraphSlice){0};
    if (relationships == NULL) return true;
    if (direction == GRAPH_BOTH || !everybody_sees(relationships, view->version)) return false;
    const Adjacency *adjacency = direction == GRAPH_OUT ? &relationships->out : &relationships->in;
    if (is_beside(run_of(adjacency, node))) return false;
    Csr *base = atomic_load_explicit(&adjacency->base, memory_order_acquire);
    if (base == NULL) return true;
    Slice slice = csr_slice(base, node);
    if (slice.count > 0) *out = (GraphSlice){base->targets + slice.first, slice.count};
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
    out->first_group = base->first_group, out->group_count = base->group_count;
    out->groups = base->groups, out->offsets = base->offsets, out->targets = base->targets;
    out->entry_count = base->entry_count;
    out->base = base;
    return true;
}

bool graph_list_has_delta(const GraphLists *lists, uint64_t node)
{
    return is_beside(run_of(lists->delta, node));
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
