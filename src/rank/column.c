/*
 * column.c - morsels of blocks, through codes or without.
 *
 * A block may turn out to have been written while it was read; then what was found in it is void. So a
 * worker remembers its collectors at the beginning of a morsel, goes back to them if one of its blocks
 * was not held, and leaves the bits of all blocks of the morsel where they are: the caller scores those
 * nodes value by value, as the view shows them. That is rare: it takes a writer that changes vectors
 * in the very block.
 */
#include "config.h"

#include "base/bits.h"
#include "rank/column.h"
#include <assert.h>
#include <stdatomic.h>
#include <string.h>

typedef struct Side { /* one worker's */
    SieveQuery *queries;
    TopK **saved;
    ColumnFacts facts;
    uint64_t present[GRAPH_BLOCK_WORDS];
} Side;

_Static_assert(COLUMN_MORSEL_BLOCKS <= 64, "a bit each");

struct ColumnSearch {
    ColumnRequest request;
    bool codes;               /* are looked at */
    _Atomic int64_t may_code; /* blocks */
    Side **sides;             /* made by their worker at its first morsel */
};

bool column_uses_codes(ColumnCodes use, const CodesKernel *codes, size_t dimensions)
{
    if (use == COLUMN_CODES_NOW) return true;
    return use == COLUMN_CODES_AUTO && dimensions >= BOUND_DIMENSIONS_MIN &&
           strcmp(codes->name, "scalar") != 0; /* slower than scoring, without wide registers */
}

ColumnSearch *column_search_create(const ColumnRequest *request)
{
    ColumnSearch *search = mem_calloc(1, sizeof *search);
    assert(request->k > 0 && request->k <= COLUMN_K_MAX && request->workers > 0);
    assert(request->morsel_blocks > 0 && request->morsel_blocks <= COLUMN_MORSEL_BLOCKS);
    assert(request->query_count > 0 && request->query_count <= COLUMN_QUERIES_MAX);
    search->request = *request;
    search->codes = column_uses_codes(request->codes, request->codes_kernel, request->dimensions);
    atomic_init(&search->may_code,
                request->codes == COLUMN_CODES_NOW ? INT64_MAX : COLUMN_CODED_BLOCKS);
    search->sides = mem_calloc(request->workers, sizeof(Side *));
    return search;
}

static void side_destroy(Side *side, size_t query_count)
{
    if (side == NULL) return;
    for (size_t q = 0; q < query_count; q++) {
        topk_destroy(side->queries[q].top);
        topk_destroy(side->saved[q]);
        sieve_query_free(&side->queries[q]);
    }
    mem_free(side->queries);
    mem_free(side->saved);
    mem_free(side);
}

void column_search_destroy(ColumnSearch *search)
{
    if (search == NULL) return;
    for (uint32_t w = 0; w < search->request.workers; w++)
        side_destroy(search->sides[w], search->request.query_count);
    mem_free(search->sides);
    mem_free(search);
}

uint64_t column_search_morsels(const ColumnSearch *search)
{
    const ColumnRequest *request = &search->request;
    return (request->block_count + request->morsel_blocks - 1) / request->morsel_blocks;
}

static Side *side_of(ColumnSearch *search, uint32_t worker)
{
    const ColumnRequest *request = &search->request;
    assert(worker < request->workers);
    if (search->sides[worker] != NULL) return search->sides[worker];
    Side *side = search->sides[worker] = mem_calloc(1, sizeof *side);
    side->queries = mem_calloc(request->query_count, sizeof *side->queries);
    side->saved = mem_calloc(request->query_count, sizeof(TopK *));
    for (size_t q = 0; q < request->query_count; q++) {
        side->saved[q] = topk_create(request->k);
        sieve_query_init(&side->queries[q], &request->queries[q], request->dimensions,
                         topk_create(request->k));
    }
    return side;
}

/* ---- codes ---- */

/* The block's codes as it is now, made if it is their turn; NULL: none. */
static const void *codes_of(ColumnSearch *search, const GraphVectors *vectors, size_t taking_part,
                            uint64_t *stamp)
{
    const void *there = graph_derived(vectors, stamp);
    bool now = search->request.codes == COLUMN_CODES_NOW;
    if (there != NULL) return there;
    /* For a few rows of a block it is not worth it. */
    if (!now && (taking_part < vectors->count / 4 || atomic_load(&search->may_code) <= 0))
        return NULL;
    void *room =
        graph_derive(vectors, sieve_bytes(vectors->count, vectors->dimensions), now, stamp);
    if (room == NULL) return NULL;
    atomic_fetch_sub(&search->may_code, 1);
    sieve_make(room, vectors->rows, vectors->count, vectors->stride, vectors->dimensions,
               vectors->present);
    graph_derive_end(vectors, *stamp);
    return graph_derived(vectors, stamp);
}

/* ---- morsels ---- */

/* Those of the block's candidates that have a vector, into side->present; how many. */
static size_t take_part(const ColumnSearch *search, Side *side, uint64_t number,
                        const GraphVectors *vectors)
{
    const uint64_t *words = search->request.words + number * GRAPH_BLOCK_WORDS;
    for (uint32_t w = 0; w < GRAPH_BLOCK_WORDS; w++)
        side->present[w] = words[w] & __atomic_load_n(&vectors->present[w], __ATOMIC_ACQUIRE);
    return bits_in_many(side->present, GRAPH_BLOCK_WORDS);
}

typedef enum Outcome { LEFT, DONE, VOID } Outcome;

static Outcome search_block(ColumnSearch *search, Side *side, uint64_t number)
{
    const ColumnRequest *request = &search->request;
    GraphVectors vectors;
    if (!bits_any(request->words + number * GRAPH_BLOCK_WORDS, GRAPH_BLOCK_WORDS)) return LEFT;
    GraphVectorsKind kind = graph_vectors(request->view, request->key, number, &vectors);
    if (kind == GRAPH_VECTORS_NONE) return DONE;
    if (kind != GRAPH_VECTORS_LENT || vectors.dimensions != request->dimensions) return LEFT;
    size_t rows = take_part(search, side, number, &vectors);
    uint64_t stamp = 0;
    const void *memory =
        search->codes && rows > 0 ? codes_of(search, &vectors, rows, &stamp) : NULL;
    VectorBlock block = {vectors.rows, vectors.factors, side->present, vectors.count,
                         number * GRAPH_BLOCK_ROWS};
    SieveBlock codes = {.codes = NULL};
    if (memory != NULL) codes = sieve_block(memory, vectors.count);
    sieve_scan(request->kernel, request->codes_kernel, side->queries, request->query_count, &block,
               rows, memory == NULL ? NULL : &codes);
    side->facts.rows += rows * request->query_count;
    if (memory != NULL) side->facts.coded += rows * request->query_count;
    bool held = graph_vectors_held(request->view, &vectors) &&
                (memory == NULL || graph_derived_held(&vectors, stamp));
    return held ? DONE : VOID;
}

void column_search_run(ColumnSearch *search, uint32_t worker, uint64_t morsel)
{
    Side *side = side_of(search, worker);
    size_t queries = search->request.query_count;
    uint64_t first = morsel * search->request.morsel_blocks, done = 0,
             end = first + search->request.morsel_blocks;
    if (end > search->request.block_count) end = search->request.block_count;
    for (size_t q = 0; q < queries; q++)
        topk_copy(side->saved[q], side->queries[q].top);
    for (uint64_t b = first; b < end; b++) {
        Outcome outcome = search_block(search, side, b);
        if (outcome == VOID) {
            for (size_t q = 0; q < queries; q++)
                topk_copy(side->queries[q].top, side->saved[q]);
            return;
        }
        if (outcome == DONE) done |= UINT64_C(1) << (b - first);
    }
    for (uint64_t b = first; b < end; b++)
        if (done >> (b - first) & 1)
            memset(search->request.words + b * GRAPH_BLOCK_WORDS, 0,
                   GRAPH_BLOCK_WORDS * sizeof(uint64_t));
}

/* ---- the answer ---- */

size_t column_search_take(ColumnSearch *search, size_t query, TopKHit *hits)
{
    TopK *first = NULL;
    for (uint32_t w = 0; w < search->request.workers; w++) {
        if (search->sides[w] == NULL) continue;
        TopK *top = search->sides[w]->queries[query].top;
        if (first == NULL)
            first = top;
        else
            topk_merge(first, top);
    }
    return first == NULL ? 0 : topk_take(first, hits);
}

ColumnFacts column_search_facts(const ColumnSearch *search)
{
    ColumnFacts facts = {0, 0, 0};
    for (uint32_t w = 0; w < search->request.workers; w++) {
        const Side *side = search->sides[w];
        if (side == NULL) continue;
        facts.rows += side->facts.rows;
        facts.coded += side->facts.coded;
        for (size_t q = 0; q < search->request.query_count; q++)
            facts.scored += side->queries[q].scored;
    }
    facts.scored += facts.rows - facts.coded;
    return facts;
}
