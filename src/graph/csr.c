/*
 * csr.c - relationships sorted by the node they start from, or end at: a counting sort, one pass
 * to count and one to place, so that a node's entries stay in the order of their numbers.
 *
 * A segment is written from it (save.c), and a load that is the first of its type gets one in
 * memory instead of a run a node (bulk.c).
 */
#include "config.h"

#include "graph/graph_internal.h"
#include <assert.h>

/* ---- ends of relationships by their number ---- */

Csr *type_order(const RelationshipType *type, uint64_t count, bool *in)
{
    for (int direction = 0; direction < 2; direction++) {
        Csr *base = atomic_load(direction == 0 ? &type->out.base : &type->in.base);
        *in = direction == 1;
        if (base != NULL && csr_in_order(base) && base->entry_count == count) return base;
    }
    return NULL;
}

bool type_ends(const RelationshipType *type, uint64_t number, uint32_t *from, uint32_t *to)
{
    const EndsBlock *block = directory_get(&type->ends, number / GRAPH_BLOCK_ROWS);
    if (block != NULL) {
        *from = block->from[number % GRAPH_BLOCK_ROWS];
        *to = block->to[number % GRAPH_BLOCK_ROWS];
        return true;
    }
    Csr *base = atomic_load_explicit(&type->out.base, memory_order_acquire);
    if (base != NULL && csr_in_order(base)) return csr_end(base, (uint32_t)number, from, to);
    base = atomic_load_explicit(&type->in.base, memory_order_acquire);
    return base != NULL && csr_in_order(base) && csr_end(base, (uint32_t)number, to, from);
}

/* New rows may lie in one block with the last ones of a segment that kept no ends. */
EndsBlock *type_ends_block(Graph *graph, RelationshipType *type, uint64_t row)
{
    uint64_t first = row / GRAPH_BLOCK_ROWS * GRAPH_BLOCK_ROWS;
    EndsBlock *ends = directory_get(&type->ends, row / GRAPH_BLOCK_ROWS);
    if (ends != NULL) return ends;
    ends = mem_calloc(1, sizeof *ends);
    for (uint64_t i = first; i < row && i < type->table.rows.base_count; i++)
        if (!type_ends(type, i, &ends->from[i - first], &ends->to[i - first])) {
            memset(ends, 0xff, sizeof *ends); /* nodes that there are not */
            break;
        }
    directory_set(graph, &type->ends, row / GRAPH_BLOCK_ROWS, ends);
    return ends;
}

/* ---- making ---- */

typedef struct Ends { /* where entries come from */
    const RelationshipType *type;
    uint64_t rows, version;
    bool in, all;
    EndsBlock found; /* of a block that is not kept */
} Ends;

/* One block of rows: where its relationships start, and where they end. */
typedef struct EndsPart {
    const uint32_t *nodes, *others; /* NULL: the block is damaged, who saves says so */
    uint64_t first;
    uint32_t count;
} EndsPart;

static EndsPart ends_part(Ends *ends, uint64_t first)
{
    const EndsBlock *block = directory_get(&ends->type->ends, first / GRAPH_BLOCK_ROWS);
    uint64_t left = ends->rows - first;
    uint32_t count = left < GRAPH_BLOCK_ROWS ? (uint32_t)left : GRAPH_BLOCK_ROWS;
    for (uint32_t i = 0; block == NULL && i < count; i++)
        if (!type_ends(ends->type, first + i, &ends->found.from[i], &ends->found.to[i]))
            return (EndsPart){NULL, NULL, first, 0};
    if (block == NULL) block = &ends->found;
    return (EndsPart){ends->in ? block->to : block->from, ends->in ? block->from : block->to, first,
                      count};
}

static bool is_taken(const Ends *ends, uint64_t number)
{
    return ends->all || rows_visible(&ends->type->table.rows, number, ends->version);
}

#define FOR_EACH_END(ends, part, i)                                                                \
    for (uint64_t first_ = 0; first_ < (ends)->rows; first_ += GRAPH_BLOCK_ROWS)                   \
        for (EndsPart part = ends_part(ends, first_), *once_ = &part; once_ != NULL; once_ = NULL) \
            for (uint32_t i = 0; i < part.count; i++)                                              \
                if (is_taken(ends, first_ + i))

typedef struct Parts { /* of a Csr, while it is made */
    uint64_t first_group, group_count;
    GraphGroup *groups;
    uint16_t *offsets;
    uint32_t *targets, *numbers;
    uint32_t offset_count, count;
    bool in_order; /* every entry's place is its number, which need not be kept */
} Parts;

static size_t put_offset(uint16_t *out, uint32_t offset, bool wide)
{
    if (wide)
        memcpy(out, &offset, sizeof offset);
    else
        *out = (uint16_t)offset;
    return wide ? 2 : 1;
}

static bool find_range(Ends *ends, Parts *out)
{
    uint32_t lowest = UINT32_MAX, highest = 0;
    bool ascending = true;
    FOR_EACH_END(ends, part, i)
    {
        uint32_t node = part.nodes[i];
        ascending = ascending && node >= highest;
        lowest = node < lowest ? node : lowest;
        highest = node > highest ? node : highest;
        out->count++;
    }
    out->in_order = ascending && out->count == ends->rows;
    out->first_group = lowest / 64;
    out->group_count = out->count == 0 ? 0 : highest / 64 - lowest / 64 + 1;
    return out->count > 0;
}

/* From how many entries each node has: where the groups' lists will lie. */
static void make_groups(Parts *out, const uint32_t *degrees)
{
    uint32_t base = 0, rank = 0;
    for (uint64_t i = 0; i < out->group_count; i++) {
        GraphGroup *group = &out->groups[i];
        uint32_t entries = 0;
        group->base = base, group->rank = rank;
        for (uint64_t bit = 0; bit < 64; bit++) {
            entries += degrees[i * 64 + bit];
            if (degrees[i * 64 + bit] > 0) group->bits |= UINT64_C(1) << bit;
        }
        base += entries;
        rank += csr_offsets_of(entries, (uint32_t)__builtin_popcountll(group->bits));
    }
    out->groups[out->group_count] = (GraphGroup){.rank = rank, .base = base};
    out->offset_count = rank;
}

/* ... and their offsets; `next` is how many entries each node has, and then where its list begins. */
static void make_offsets(Parts *out, uint32_t *next)
{
    uint32_t at = 0;
    for (uint64_t i = 0; i < out->group_count; i++) {
        const GraphGroup *group = &out->groups[i];
        bool wide = group[1].base - group->base > UINT16_MAX;
        uint16_t *own = out->offsets + group->rank;
        for (uint64_t bits = group->bits; bits != 0; bits &= bits - 1) {
            uint64_t node = i * 64 + (uint64_t)__builtin_ctzll(bits);
            uint32_t degree = next[node];
            own += put_offset(own, at - group->base, wide);
            next[node] = at;
            at += degree;
        }
        if (group->bits != 0) put_offset(own, at - group->base, wide);
    }
}

static void place(Ends *ends, Parts *out, uint32_t *next)
{
    uint64_t first = out->first_group * 64;
    if (out->in_order) {
        FOR_EACH_END(ends, part, i) out->targets[part.first + i] = part.others[i];
        return;
    }
    out->numbers = mem_alloc(out->count * sizeof *out->numbers);
    FOR_EACH_END(ends, part, i)
    {
        uint32_t to = next[part.nodes[i] - first]++;
        out->targets[to] = part.others[i];
        out->numbers[to] = (uint32_t)part.first + i;
    }
}

Csr *csr_make(Graph *graph, const RelationshipType *type, bool in, uint64_t version)
{
    Ends ends = {.type = type,
                 .rows = atomic_load(&type->table.rows.count),
                 .version = version,
                 .in = in,
                 .all = version == CSR_ALL_ROWS};
    Parts parts = {0};
    if (!find_range(&ends, &parts)) return NULL;
    uint64_t first = parts.first_group * 64;
    uint32_t *next = mem_calloc(parts.group_count * 64, sizeof *next);
    FOR_EACH_END(&ends, part, i) next[part.nodes[i] - first]++;
    parts.groups = mem_calloc(parts.group_count + 1, sizeof *parts.groups);
    make_groups(&parts, next);
    parts.offsets = mem_alloc(parts.offset_count * sizeof *parts.offsets);
    make_offsets(&parts, next);
    parts.targets = mem_alloc(parts.count * sizeof *parts.targets);
    place(&ends, &parts, next);
    mem_free(next);
    Csr *csr = mem_calloc(1, sizeof *csr);
    csr->graph = graph;
    csr->first_group = parts.first_group, csr->group_count = parts.group_count;
    csr->groups = parts.groups, csr->offsets = parts.offsets;
    csr->targets = parts.targets, csr->numbers = parts.numbers;
    csr->offset_count = parts.offset_count, csr->entry_count = parts.count;
    csr->row_count = (uint32_t)ends.rows;
    csr->owned = true;
    atomic_store(&csr->looks, CSR_CHECKED); /* nothing came from a disk */
    return csr;
}

void csr_free(Csr *csr)
{
    if (csr == NULL || !csr->owned) return;
    mem_free((void *)csr->groups);
    mem_free((void *)csr->offsets);
    mem_free((void *)csr->targets);
    mem_free((void *)csr->numbers);
    mem_free(csr);
}

void csr_retire(Graph *graph, Csr *csr)
{
    if (csr == NULL) return;
    assert(csr->owned);
    graph_retire(graph, (void *)csr->groups);
    graph_retire(graph, (void *)csr->offsets);
    graph_retire(graph, (void *)csr->targets);
    graph_retire(graph, (void *)csr->numbers);
    graph_retire(graph, csr);
}
