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

typedef struct Ends { /* where entries come from */
    const RelationshipType *type;
    uint64_t rows, version;
    bool in, all;
} Ends;

/* One block of rows: where its relationships start, and where they end. */
typedef struct EndsPart {
    const uint32_t *nodes, *others; /* NULL: the block is damaged, who saves says so */
    uint64_t first;
    uint32_t count;
} EndsPart;

static EndsPart ends_part(const Ends *ends, uint64_t first)
{
    const EndsBlock *block = directory_get(&ends->type->ends, first / GRAPH_BLOCK_ROWS);
    uint64_t left = ends->rows - first;
    if (block == NULL) return (EndsPart){NULL, NULL, first, 0};
    return (EndsPart){ends->in ? block->to : block->from, ends->in ? block->from : block->to, first,
                      left < GRAPH_BLOCK_ROWS ? (uint32_t)left : GRAPH_BLOCK_ROWS};
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
    uint64_t first_word, word_count;
    uint64_t *bits;
    uint32_t *ranks, *offsets, *targets, *numbers;
    uint32_t slices, count;
} Parts;

static bool find_range(const Ends *ends, Parts *out)
{
    uint32_t lowest = UINT32_MAX, highest = 0;
    FOR_EACH_END(ends, part, i)
    {
        uint32_t node = part.nodes[i];
        lowest = node < lowest ? node : lowest;
        highest = node > highest ? node : highest;
        out->count++;
    }
    out->first_word = lowest / 64;
    out->word_count = out->count == 0 ? 0 : highest / 64 - lowest / 64 + 1;
    return out->count > 0;
}

static void count_slices(const Ends *ends, Parts *out, uint32_t *next)
{
    uint64_t range = out->word_count * 64, first = out->first_word * 64;
    uint32_t at = 0;
    FOR_EACH_END(ends, part, i) next[part.nodes[i] - first]++;
    for (uint64_t i = 0; i < range; i++) {
        uint32_t degree = next[i];
        next[i] = at;
        if (degree == 0) continue;
        out->bits[i / 64] |= UINT64_C(1) << i % 64;
        out->offsets[out->slices++] = at;
        at += degree;
    }
    out->offsets[out->slices] = at;
}

/* Gives whether every entry's place is its number: then the numbers need not be kept. */
static bool place(const Ends *ends, Parts *out, uint32_t *next)
{
    uint64_t first = out->first_word * 64;
    bool in_place = true;
    FOR_EACH_END(ends, part, i)
    {
        uint32_t to = next[part.nodes[i] - first]++;
        out->targets[to] = part.others[i];
        out->numbers[to] = (uint32_t)part.first + i;
        in_place = in_place && to == part.first + i;
    }
    return in_place;
}

static void rank(Parts *out)
{
    uint32_t before = 0;
    for (uint64_t i = 0; i < out->word_count; i++) {
        out->ranks[i] = before;
        before += (uint32_t)__builtin_popcountll(out->bits[i]);
    }
    assert(before == out->slices);
}

Csr *csr_make(Graph *graph, const RelationshipType *type, bool in, uint64_t version)
{
    Ends ends = {type, atomic_load(&type->table.rows.count), version, in, version == CSR_ALL_ROWS};
    Parts parts = {0};
    if (!find_range(&ends, &parts)) return NULL;
    parts.bits = mem_calloc(parts.word_count, sizeof *parts.bits);
    parts.ranks = mem_alloc(parts.word_count * sizeof *parts.ranks);
    parts.offsets = mem_alloc((parts.count + 1ul) * sizeof *parts.offsets);
    parts.targets = mem_alloc(parts.count * sizeof *parts.targets);
    parts.numbers = mem_alloc(parts.count * sizeof *parts.numbers);
    uint32_t *next = mem_calloc(parts.word_count * 64, sizeof *next);
    count_slices(&ends, &parts, next);
    if (place(&ends, &parts, next)) {
        mem_free(parts.numbers);
        parts.numbers = NULL;
    }
    mem_free(next);
    rank(&parts);
    Csr *csr = mem_calloc(1, sizeof *csr);
    csr->graph = graph;
    csr->first_word = parts.first_word, csr->word_count = parts.word_count;
    csr->bits = parts.bits, csr->ranks = parts.ranks, csr->offsets = parts.offsets;
    csr->targets = parts.targets, csr->numbers = parts.numbers;
    csr->slice_count = parts.slices, csr->entry_count = parts.count;
    csr->row_count = (uint32_t)ends.rows;
    csr->owned = true;
    atomic_store(&csr->looks, CSR_CHECKED); /* nothing came from a disk */
    return csr;
}

void csr_free(Csr *csr)
{
    if (csr == NULL || !csr->owned) return;
    mem_free((void *)csr->bits);
    mem_free((void *)csr->ranks);
    mem_free((void *)csr->offsets);
    mem_free((void *)csr->targets);
    mem_free((void *)csr->numbers);
    mem_free(csr);
}

void csr_retire(Graph *graph, Csr *csr)
{
    if (csr == NULL) return;
    assert(csr->owned);
    graph_retire(graph, (void *)csr->bits);
    graph_retire(graph, (void *)csr->ranks);
    graph_retire(graph, (void *)csr->offsets);
    graph_retire(graph, (void *)csr->targets);
    graph_retire(graph, (void *)csr->numbers);
    graph_retire(graph, csr);
}
