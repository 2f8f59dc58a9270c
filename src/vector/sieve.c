/*
 * sieve.c - pieces of rows, sieved by their codes, the rest scored.
 *
 * A piece of 256 rows is 32 KiB of codes at 128 dimensions, which stays in the first cache while each
 * query has its turn. Of a piece the bounds by the first plane of the query are computed for all rows;
 * where few take part, of as many as there are in a longer stretch, whose codes are all asked for before
 * the first is looked at. The rows that are left are fetched while the others are still being looked at,
 * then looked at once more with both planes and a floor that may have risen, and only then scored.
 *
 * Where many rows of a piece are left over (equal rows, rows close to each other and far from the
 * origin, a large k at the beginning) codes are no help: the piece is scored as a whole, and so are the
 * next ones, without another look for a while.
 */
#include "config.h"

#include "base/bits.h"
#include "base/memory.h"
#include "vector/sieve.h"
#include <assert.h>
#include <math.h>
#include <string.h>

enum {
    WORD_ROWS = 64,
    PIECE_WORDS = VECTOR_PIECE_ROWS / WORD_ROWS,
    FEW_ROWS =
        VECTOR_PIECE_ROWS / 4, /* that take part: taken together with those of other pieces */
    MANY_LEFT = VECTOR_PIECE_ROWS / 4, /* that are left: the codes were no help */
    REST_PIECES = 16,
    FEW_BYTES_AHEAD = 256 /* of a row's codes; the hardware sees where it goes on */
};

/* ---- codes of a block ---- */

/* Whole registers of them may be read. */
static size_t fours_of(size_t rows)
{
    return (rows + CODES_LANES_MAX - 1) / CODES_LANES_MAX * (CODES_LANES_MAX / 4);
}

size_t sieve_bytes(size_t rows, size_t dimensions)
{
    return fours_of(rows) * sizeof(BoundFour) + rows * quantize_stride(dimensions);
}

SieveBlock sieve_block(const void *memory, size_t rows)
{
    const BoundFour *bounds = memory;
    return (SieveBlock){bounds, (const uint8_t *)(bounds + fours_of(rows))};
}

VECTOR_BESIDE_A_WRITER void sieve_make(void *memory, const float *rows, size_t row_count,
                                       size_t stride, size_t dimensions, const uint64_t *present)
{
    size_t bytes = quantize_stride(dimensions);
    BoundFour *bounds = memory;
    uint8_t *codes = (uint8_t *)(bounds + fours_of(row_count));
    for (size_t i = 0; i < row_count; i++) {
        bool there =
            __atomic_load_n(&present[i / WORD_ROWS], __ATOMIC_ACQUIRE) >> i % WORD_ROWS & 1;
        BoundRow bound = {0, 0, INFINITY, 0}; /* whoever may come here later is scored */
        if (there)
            bound_row(rows + i * stride, dimensions, codes + i * bytes, &bound);
        else
            memset(codes + i * bytes, 0, bytes);
        bound_row_put(bounds, i, bound);
    }
}

/* ---- queries ---- */

void sieve_query_init(SieveQuery *out, const VectorQuery *query, size_t dimensions, TopK *top)
{
    size_t bytes = 2 * quantize_stride(dimensions);
    if (out->planes_capacity < bytes) {
        mem_free(out->planes);
        out->planes = mem_alloc_aligned(bytes, QUANTIZE_LINE_BYTES);
        out->planes_capacity = bytes;
    }
    out->query = *query;
    out->code_bytes = bytes / 2;
    out->top = top;
    out->rest = 0;
    out->scored = 0;
    out->bounded = query->factor != 0 && bound_query_init(&out->bound, query->metric, query->query,
                                                          dimensions, query->factor, out->planes);
}

void sieve_query_free(SieveQuery *query)
{
    mem_free(query->planes);
    query->planes = NULL;
    query->planes_capacity = 0;
}

/* ---- a piece ---- */

typedef struct Piece {
    const VectorKernel *kernel;
    const CodesKernel *codes_kernel;
    VectorBlock block; /* the rows of the piece alone */
    const BoundFour *bounds;
    const uint8_t *codes;
    size_t stride, code_bytes; /* floats of a row, bytes of its codes */
    size_t taking_part;
    uint64_t present[PIECE_WORDS];
} Piece;

/* Those of a word of the block that take part. */
static uint64_t word_of(const VectorBlock *block, size_t word)
{
    size_t rows = block->count <= word * WORD_ROWS ? 0 : block->count - word * WORD_ROWS;
    uint64_t all = rows >= WORD_ROWS ? UINT64_MAX : (UINT64_C(1) << rows) - 1;
    return block->present == NULL || rows == 0 ? all : block->present[word] & all;
}

static void piece_of(Piece *piece, const VectorBlock *block, const SieveBlock *codes, size_t from)
{
    size_t left = block->count - from, count = left < VECTOR_PIECE_ROWS ? left : VECTOR_PIECE_ROWS;
    piece->block = (VectorBlock){block->rows + from * piece->stride,
                                 block->factors == NULL ? NULL : block->factors + from,
                                 block->present == NULL ? NULL : block->present + from / WORD_ROWS,
                                 count, block->first_id + from};
    piece->bounds = codes->bounds + from / 4;
    piece->codes = codes->codes + from * piece->code_bytes;
    for (size_t w = 0; w < PIECE_WORDS; w++)
        piece->present[w] = word_of(&piece->block, w);
    piece->taking_part = bits_in_many(piece->present, PIECE_WORDS);
}

static bool takes_part(const Piece *piece, size_t row)
{
    return piece->present[row / WORD_ROWS] >> row % WORD_ROWS & 1;
}

/* Rows that are left, and their codes' products with the first plane. */
typedef struct Left {
    size_t count;
    uint32_t rows[VECTOR_PIECE_ROWS];
    int32_t dots[VECTOR_PIECE_ROWS];
} Left;

/* The codes' products with the query's first plane. Hardware does not look beyond a page of memory, which
 * is a few rows of codes: so the next page is asked for while this one is worked on, and what lies beside
 * the codes at the beginning. */
static void dots_of_all(const Piece *piece, const int8_t *plane, int32_t *dots)
{
    enum { PAGE_BYTES = 4096 };
    size_t bytes = piece->code_bytes, step = bytes < PAGE_BYTES ? PAGE_BYTES / bytes : 1;
    for (size_t i = 0; i < piece->block.count; i += 4)
        __builtin_prefetch(piece->bounds + i / 4);
    for (size_t row = 0; row < piece->block.count; row += step) {
        const uint8_t *codes = piece->codes + row * bytes;
        size_t left = piece->block.count - row;
        for (size_t at = 0; at < PAGE_BYTES; at += QUANTIZE_LINE_BYTES)
            __builtin_prefetch(codes + PAGE_BYTES + at); /* beyond the end it does nothing */
        piece->codes_kernel->dot_rows(codes, left < step ? left : step, bytes, plane, dots + row);
    }
}

static void look_at_all(const Piece *piece, const BoundQuery *bound, float floor, Left *left)
{
    int32_t dots[VECTOR_PIECE_ROWS];
    uint16_t at[VECTOR_PIECE_ROWS];
    dots_of_all(piece, bound->planes, dots);
    size_t found =
        piece->codes_kernel->pick(bound, piece->bounds, dots, piece->block.count, floor, at);
    for (size_t i = 0; i < found; i++) {
        if (!takes_part(piece, at[i])) continue;
        left->dots[left->count] = dots[at[i]];
        left->rows[left->count++] = at[i];
    }
}

static void fetch_rows(const Piece *piece, const Left *left)
{
    enum {
        FLOATS_MAX = 16 * VECTOR_LINE_FLOATS
    }; /* the hardware sees where a longer row goes on */
    size_t floats = piece->stride < FLOATS_MAX ? piece->stride : FLOATS_MAX;
    for (size_t i = 0; i < left->count; i++)
        for (size_t at = 0; at < floats; at += VECTOR_LINE_FLOATS)
            __builtin_prefetch(piece->block.rows + left->rows[i] * piece->stride + at);
}

VECTOR_BESIDE_A_WRITER static void score_left(const Piece *piece, SieveQuery *query,
                                              const Left *left)
{
    const BoundQuery *bound = &query->bound;
    bool cosine = query->query.metric == VECTOR_COSINE;
    for (size_t i = 0; i < left->count; i++) {
        size_t row = left->rows[i];
        float factor = cosine ? piece->block.factors[row] : 1.0f;
        if (factor == 0) continue;
        int32_t second = piece->codes_kernel->dot(piece->codes + row * piece->code_bytes,
                                                  bound->planes + bound->stride, bound->stride);
        float floor = topk_floor(query->top);
        BoundRow numbers = bound_row_at(piece->bounds, row);
        if (bound_close(bound, &numbers, left->dots[i], second) < floor) continue;
        query->scored++;
        float score = vector_score(piece->kernel, &query->query,
                                   piece->block.rows + row * piece->stride, factor);
        if (!(score < floor)) topk_offer(query->top, score, piece->block.first_id + row);
    }
}

static void score_all(const Piece *piece, SieveQuery *query)
{
    query->scored += piece->taking_part;
    vector_scan(piece->kernel, &query->query, &piece->block, 1, query->top);
}

/* A floor of -1 is no bound under cosine: rounding may have taken a score below it. */
static bool floor_helps(const SieveQuery *query, float floor)
{
    return floor > -INFINITY && (query->query.metric != VECTOR_COSINE || floor > -1.0f);
}

static bool rests(SieveQuery *query, float floor)
{
    bool rests = query->rest > 0 || !query->bounded || !floor_helps(query, floor);
    query->rest -= query->rest > 0;
    return rests;
}

static void sieve_piece(const Piece *piece, SieveQuery *query)
{
    Left left; /* not all of it: it is two kilobytes */
    left.count = 0;
    float floor = topk_floor(query->top);
    if (rests(query, floor)) {
        score_all(piece, query);
        return;
    }
    look_at_all(piece, &query->bound, floor, &left);
    if (left.count >= MANY_LEFT) {
        query->rest = REST_PIECES;
        score_all(piece, query);
        return;
    }
    fetch_rows(piece, &left);
    score_left(piece, query, &left);
}

/* ---- few rows of a stretch ---- */

typedef struct Few {
    uint32_t count;
    uint32_t places[FEW_ROWS]; /* in the block */
    BoundFour bounds[FEW_ROWS / 4];
} Few;

/* The next rows of [*word, end) that take part, all of whose codes are asked for. */
static void few_of(const Piece *whole, size_t *word, size_t end, uint64_t *bits, Few *few)
{
    const VectorBlock *block = &whole->block;
    size_t ahead = whole->code_bytes < FEW_BYTES_AHEAD ? whole->code_bytes : FEW_BYTES_AHEAD;
    few->count = 0;
    for (;; *bits &= *bits - 1) {
        while (*bits == 0 && *word < end)
            *bits = word_of(block, (*word)++);
        if (*bits == 0 || few->count == FEW_ROWS) return;
        size_t row = (*word - 1) * WORD_ROWS + (size_t)__builtin_ctzll(*bits);
        __builtin_prefetch(whole->bounds + row / 4);
        for (size_t at = 0; at < ahead; at += QUANTIZE_LINE_BYTES)
            __builtin_prefetch(whole->codes + row * whole->code_bytes + at);
        few->places[few->count++] = (uint32_t)row;
    }
}

VECTOR_BESIDE_A_WRITER static void take_bounds(const Piece *whole, Few *few)
{
    for (size_t i = 0; i < few->count; i++)
        bound_row_put(few->bounds, i, bound_row_at(whole->bounds, few->places[i]));
}

static void score_few(const Piece *whole, const Few *few, SieveQuery *query)
{
    const VectorBlock *block = &whole->block;
    const float *rows[FEW_ROWS];
    float factors[FEW_ROWS];
    VectorPick found;
    if (query->query.metric == VECTOR_COSINE && query->query.factor == 0) return;
    for (size_t i = 0; i < few->count; i++) {
        rows[i] = block->rows + few->places[i] * whole->stride;
        factors[i] = block->factors == NULL ? 0 : block->factors[few->places[i]];
    }
    query->scored += few->count;
    vector_pick_pointers(whole->kernel, &query->query, rows, factors, few->count,
                         topk_floor(query->top), &found);
    for (size_t i = 0; i < found.count; i++)
        topk_offer(query->top, found.scores[i], block->first_id + few->places[found.at[i]]);
}

static void sieve_few(const Piece *whole, const Few *few, SieveQuery *query)
{
    int32_t dots[FEW_ROWS];
    uint16_t at[FEW_ROWS];
    float floor = topk_floor(query->top);
    Left left; /* not all of it: it is two kilobytes */
    if (rests(query, floor)) {
        score_few(whole, few, query);
        return;
    }
    whole->codes_kernel->dot_places(whole->codes, few->places, few->count, whole->code_bytes,
                                    query->bound.planes, dots);
    left.count = whole->codes_kernel->pick(&query->bound, few->bounds, dots, few->count, floor, at);
    if (left.count >= MANY_LEFT) query->rest = REST_PIECES;
    for (size_t i = 0; i < left.count; i++) {
        left.dots[i] = dots[at[i]];
        left.rows[i] = few->places[at[i]];
    }
    fetch_rows(whole, &left);
    score_left(whole, query, &left);
}

/* The words [word, end) of the block, in which few take part. */
static void sieve_stretch(const Piece *whole, size_t word, size_t end, SieveQuery *queries,
                          size_t query_count)
{
    uint64_t bits = 0;
    Few few;
    for (few_of(whole, &word, end, &bits, &few); few.count > 0;
         few_of(whole, &word, end, &bits, &few)) {
        take_bounds(whole, &few);
        for (size_t q = 0; q < query_count; q++)
            sieve_few(whole, &few, &queries[q]);
    }
}

void sieve_scan(const VectorKernel *kernel, const CodesKernel *codes_kernel, SieveQuery *queries,
                size_t query_count, const VectorBlock *block, size_t taking_part,
                const SieveBlock *codes)
{
    Piece piece = {.kernel = kernel, .codes_kernel = codes_kernel};
    if (query_count == 0) return;
    piece.stride = queries[0].query.stride;
    if (codes == NULL) {
        for (size_t q = 0; q < query_count; q++)
            vector_scan(kernel, &queries[q].query, block, 1, queries[q].top);
        return;
    }
    piece.code_bytes = queries[0].code_bytes;
    Piece whole = piece;
    whole.block = *block, whole.bounds = codes->bounds, whole.codes = codes->codes;
    size_t words = (block->count + WORD_ROWS - 1) / WORD_ROWS, done = 0;
    bool few = taking_part < FEW_ROWS;
    for (size_t word = 0; word < words && !few; word += PIECE_WORDS) {
        piece_of(&piece, block, codes, word * WORD_ROWS);
        if (piece.taking_part < FEW_ROWS) continue;
        sieve_stretch(&whole, done, word, queries, query_count);
        for (size_t q = 0; q < query_count; q++)
            sieve_piece(&piece, &queries[q]);
        done = word + PIECE_WORDS;
    }
    if (done < words) sieve_stretch(&whole, done, words, queries, query_count);
}
