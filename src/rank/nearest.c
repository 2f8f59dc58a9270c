/*
 * nearest.c - candidates of an index, scored where their vectors lie.
 *
 * An index says which of its rows are near by their codes, as they were when it was made. Who has
 * changed since stands in bits beside it (GraphFinder) and is scored in any case; so what the index
 * says of such a node is passed over, and what it says of others holds for every view it serves.
 * Nodes are scored in the order of their ids, block by block of their column, in pieces whose rows are
 * all asked for before the first is looked at.
 */
#include "config.h"

#include "rank/nearest.h"
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

void nearest_side_end(NearestSide *side)
{
    arena_destroy(side->arena);
    mem_free(side->row);
    *side = (NearestSide){.candidates = side->candidates};
}

/* ---- values ---- */

bool nearest_components(Value value, float **row, size_t *capacity)
{
    size_t stride = vector_stride(value.aux);
    mem_reserve(*row, *capacity, stride);
    for (uint32_t i = 0; i < value.aux; i++) {
        bool list = value.kind == VALUE_LIST;
        if (list && !value_is_number(value.as.items[i])) return false;
        (*row)[i] = list ? (float)value_as_double(value.as.items[i]) : value.as.vector[i];
        if (!isfinite((*row)[i])) return false;
    }
    memset(*row + value.aux, 0, (stride - value.aux) * sizeof **row);
    return true;
}

bool nearest_score_row(const VectorKernel *kernel, const VectorQuery *query, const float *row,
                       float *score)
{
    bool cosine = query->metric == VECTOR_COSINE;
    float factor = cosine ? vector_factor(kernel, row, query->stride) : 1.0f;
    if (factor == 0 || query->factor == 0) return false;
    *score = vector_score(kernel, query, row, factor);
    return true;
}

/* ---- scoring nodes ---- */

typedef struct Search {
    const NearestRequest *request;
    NearestSide *side;
    const VectorQuery *query;
    TopK *top;
} Search;

static void score_by_value(Search *search, uint64_t id)
{
    const NearestRequest *request = search->request;
    NearestSide *side = search->side;
    Column column;
    float score;
    if (side->arena == NULL) side->arena = arena_create();
    arena_reset(side->arena);
    graph_properties(request->view, VALUE_NODE, request->key, &id, 1, side->arena, &column);
    Value value = column_value(&column, 0);
    bool fits = (value.kind == VALUE_VECTOR || value.kind == VALUE_LIST) &&
                value.aux == request->dimensions;
    if (fits && nearest_components(value, &side->row, &side->row_capacity) &&
        nearest_score_row(request->kernel, search->query, side->row, &score))
        topk_offer(search->top, score, id);
}

/* Asks for the row; all that are wanted are on their way before the first is looked at. */
static void ask_for(const float *row, size_t stride)
{
    enum { FLOATS_MAX = 32 * VECTOR_LINE_FLOATS }; /* the rest the hardware fetches by itself */
    for (size_t at = 0; at < stride && at < FLOATS_MAX; at += VECTOR_LINE_FLOATS)
        __builtin_prefetch(row + at);
}

typedef struct Piece { /* rows that lie in blocks, and the blocks */
    GraphVectors blocks[VECTOR_PIECE_ROWS];
    const float *pointers[VECTOR_PIECE_ROWS];
    float factors[VECTOR_PIECE_ROWS];
    uint64_t ids[VECTOR_PIECE_ROWS];
    uint32_t block_count, count;
} Piece;

static void score_piece(Search *search, const Piece *piece)
{
    const NearestRequest *request = search->request;
    VectorPick found;
    bool held = true;
    if (piece->count == 0) return;
    vector_pick_pointers(request->kernel, search->query, piece->pointers, piece->factors,
                         piece->count, topk_floor(search->top), &found);
    for (uint32_t b = 0; b < piece->block_count; b++)
        held = held && graph_vectors_held(request->view, &piece->blocks[b]);
    for (size_t i = 0; held && i < found.count; i++)
        topk_offer(search->top, found.scores[i], piece->ids[found.at[i]]);
    for (uint32_t i = 0; !held && i < piece->count; i++) /* a writer came: old values count */
        score_by_value(search, piece->ids[i]);
}

/* At most VECTOR_PIECE_ROWS nodes, ascending. */
VECTOR_BESIDE_A_WRITER static void take_piece(Search *search, const uint64_t *ids, uint32_t count,
                                              Piece *piece)
{
    const NearestRequest *request = search->request;
    uint64_t number = UINT64_MAX;
    bool usable = false, none = false;
    piece->block_count = piece->count = 0;
    for (uint32_t i = 0; i < count; i++) {
        size_t row = ids[i] % GRAPH_BLOCK_ROWS;
        if (ids[i] / GRAPH_BLOCK_ROWS != number) {
            GraphVectors *block = &piece->blocks[piece->block_count];
            number = ids[i] / GRAPH_BLOCK_ROWS;
            GraphVectorsKind kind = graph_vectors(request->view, request->key, number, block);
            none = kind == GRAPH_VECTORS_NONE;
            usable = kind == GRAPH_VECTORS_LENT && block->dimensions == request->dimensions;
            piece->block_count += usable;
        }
        if (none) continue;
        if (!usable) {
            score_by_value(search, ids[i]);
            continue;
        }
        const GraphVectors *block = &piece->blocks[piece->block_count - 1];
        if (!(__atomic_load_n(&block->present[row / 64], __ATOMIC_ACQUIRE) >> row % 64 & 1))
            continue;
        piece->pointers[piece->count] = block->rows + row * block->stride;
        piece->factors[piece->count] = block->factors[row];
        piece->ids[piece->count] = ids[i];
        ask_for(piece->pointers[piece->count++], block->stride);
    }
}

static void score_nodes(Search *search, const uint64_t *ids, uint32_t count)
{
    Piece piece;
    for (uint32_t from = 0; from < count; from += VECTOR_PIECE_ROWS) {
        uint32_t some = count - from < VECTOR_PIECE_ROWS ? count - from : VECTOR_PIECE_ROWS;
        take_piece(search, ids + from, some, &piece);
        score_piece(search, &piece);
    }
}

/* ---- who is scored ---- */

static bool takes_part(const NearestRequest *request, uint64_t node)
{
    if (request->words == NULL)
        return graph_scan_has(request->view, request->labels, request->label_count, node);
    return node / GRAPH_BLOCK_ROWS < request->block_count &&
           (request->words[node / 64] >> node % 64 & 1);
}

static bool has_changed(const GraphFinder *finder, uint64_t node)
{
    const uint64_t *changed = graph_finder_changed(finder, node / GRAPH_BLOCK_ROWS);
    size_t row = node % GRAPH_BLOCK_ROWS;
    return changed != NULL &&
           (__atomic_load_n(&changed[row / 64], __ATOMIC_RELAXED) >> row % 64 & 1);
}

static int by_id(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

/* Ascending, each once: what was added to an index again stands in it twice. */
static uint32_t sort_nodes(uint64_t *nodes, uint32_t count)
{
    enum { FEW = 64 };
    uint32_t kept = 0;
    if (count > FEW) qsort(nodes, count, sizeof *nodes, by_id);
    for (uint32_t i = 1; count <= FEW && i < count; i++) {
        uint64_t node = nodes[i];
        uint32_t at = i;
        for (; at > 0 && nodes[at - 1] > node; at--)
            nodes[at] = nodes[at - 1];
        nodes[at] = node;
    }
    for (uint32_t i = 0; i < count; i++)
        if (i == 0 || nodes[i] != nodes[i - 1]) nodes[kept++] = nodes[i];
    return kept;
}

static size_t rescored_of(size_t k)
{
    size_t rescored = k * NEAREST_RESCORED_TIMES;
    return rescored < NEAREST_RESCORED_MIN ? NEAREST_RESCORED_MIN : rescored;
}

size_t nearest_breadth(uint32_t setting, const GraphIndex *index)
{
    return setting != 0 ? setting : index->ef != 0 ? index->ef : NEAR_EF;
}

size_t nearest_ef(size_t ef, bool firm, size_t k)
{
    size_t least = firm ? k : rescored_of(k);
    return ef < least ? least : ef;
}

static size_t ef_of(const NearestRequest *request)
{
    return nearest_ef(request->ef, request->firm, request->k);
}

/* The nearest by their codes that take part and have not changed since, into `seen`. */
static uint32_t find(Search *search, size_t ef, uint64_t seen[NEAR_EF_MAX])
{
    const NearestRequest *request = search->request;
    const NearIndex *near = graph_finder_thing(request->finder);
    uint32_t found[NEAR_EF_MAX], count = 0;
    size_t rescored = rescored_of(request->k), among = near_ef(near, ef, request->participants);
    size_t found_count = near_search(near, request->codes_kernel, search->query, among, found);
    for (size_t i = 0; i < found_count && count < rescored; i++)
        if (!has_changed(request->finder, found[i]) && takes_part(request, found[i]))
            seen[count++] = found[i];
    search->side->candidates += among;
    return count;
}

/* ... scored, and ascending. */
static uint32_t score_found(Search *search, uint64_t seen[NEAR_EF_MAX])
{
    const NearestRequest *request = search->request;
    size_t ef = ef_of(request), rescored = rescored_of(request->k);
    uint32_t count = find(search, ef, seen);
    if (count < request->k && ef < rescored) /* who does not take part stood in the way */
        count = find(search, rescored, seen);
    count = sort_nodes(seen, count);
    score_nodes(search, seen, count);
    return count;
}

/* What has changed since the index was made. A node that changes between two looks is in `seen`. */
static void score_changed(Search *search, const uint64_t *seen, uint32_t seen_count)
{
    const NearestRequest *request = search->request;
    uint64_t nodes[GRAPH_BLOCK_ROWS];
    uint64_t blocks =
        graph_finder_changed_count(request->finder) == 0 ? 0 : graph_block_count(request->view);
    for (uint64_t block = 0; block < blocks; block++) {
        const uint64_t *changed = graph_finder_changed(request->finder, block);
        uint32_t count = 0;
        for (uint32_t w = 0; changed != NULL && w < GRAPH_BLOCK_WORDS; w++)
            for (uint64_t bits = __atomic_load_n(&changed[w], __ATOMIC_RELAXED); bits != 0;
                 bits &= bits - 1) {
                uint64_t node =
                    block * GRAPH_BLOCK_ROWS + w * UINT64_C(64) + (uint64_t)__builtin_ctzll(bits);
                if (takes_part(request, node) &&
                    bsearch(&node, seen, seen_count, sizeof node, by_id) == NULL)
                    nodes[count++] = node;
            }
        search->side->candidates += count;
        score_nodes(search, nodes, count);
    }
}

bool nearest_pays(const NearestRequest *request)
{
    const NearIndex *near = graph_finder_thing(request->finder);
    return !near_exact_is_cheaper(near, ef_of(request), request->participants);
}

size_t nearest_search(const NearestRequest *request, NearestSide *side, const VectorQuery *query,
                      TopKHit *hits)
{
    uint64_t seen[NEAR_EF_MAX];
    assert(request->k >= 1 && request->k <= NEAREST_K_MAX);
    assert(request->ef >= 1 && request->ef <= NEAR_EF_MAX);
    Search search = {request, side, query, topk_create(request->k)};
    uint32_t seen_count = score_found(&search, seen);
    score_changed(&search, seen, seen_count);
    size_t count = topk_take(search.top, hits);
    topk_destroy(search.top);
    return count;
}
