/*
 * scan.c - the exact scan on the CPU.
 *
 * Bound by memory: a row of 48 floats is 256 bytes, which take longer to arrive than the 16
 * multiplications and additions of the widest kernel. So everything else stays in the first-level
 * cache: a piece of rows is scored into an array of floats, then the scores are compared with the
 * floor of the collector, which nearly all fail. Keys are built and heaps touched only for the
 * rest.
 *
 * A block with a bitmap is scanned word by word: a full word like a block without one, an empty
 * word not at all, others through pointers to the rows that take part. Rows left out are not even
 * read.
 *
 * Not here: which device scans (search.c), what a score means to a user (l2 is shown as a nearness
 * by execution).
 */
#include "config.h"

#include "vector/scan.h"
#include <assert.h>
#include <math.h>
#include <stdbool.h>

/* Scores of a piece: 1 KiB, out of the way of rows in a cache of 32. */
enum { PIECE_ROWS = 256, WORD_ROWS = 64 };

void vector_query_init(VectorQuery *out, const VectorKernel *kernel, VectorMetric metric,
                       const float *query, size_t stride)
{
    assert(stride % VECTOR_BLOCK_FLOATS == 0);
    *out = (VectorQuery){query, stride, metric,
                         metric == VECTOR_COSINE ? vector_factor(kernel, query, stride) : 1.0f};
}

/* Offers scores[i] for the id ids[i], or first_id + i where there are no ids. */
static void offer(const VectorQuery *query, const float *scores, const float *factors, size_t count,
                  uint64_t first_id, const uint8_t *positions, TopK *top)
{
    float floor = topk_floor(top);
    for (size_t i = 0; i < count; i++) {
        size_t row = positions != NULL ? positions[i] : i;
        float score = scores[i];
        if (query->metric == VECTOR_COSINE) score = (score * factors[row]) * query->factor;
        if (score < floor) continue;
        if (query->metric == VECTOR_COSINE && factors[row] == 0) continue;
        topk_offer(top, score, first_id + row);
        floor = topk_floor(top);
    }
}

static void scan_rows(const VectorKernel *kernel, const VectorQuery *query, const float *rows,
                      const float *factors, size_t count, uint64_t first_id, TopK *top)
{
    float scores[PIECE_ROWS];
    for (size_t from = 0; from < count; from += PIECE_ROWS) {
        size_t piece = count - from < PIECE_ROWS ? count - from : PIECE_ROWS;
        const float *at = rows + from * query->stride;
        if (query->metric == VECTOR_L2)
            kernel->l2_rows(at, piece, query->stride, query->query, scores);
        else
            kernel->dot_rows(at, piece, query->stride, query->query, scores);
        offer(query, scores, factors == NULL ? NULL : factors + from, piece, first_id + from, NULL,
              top);
    }
}

/* At most 64 rows, those whose bit is set. */
static void scan_bits(const VectorKernel *kernel, const VectorQuery *query, const float *rows,
                      const float *factors, uint64_t bits, uint64_t first_id, TopK *top)
{
    const float *pointers[WORD_ROWS];
    float scores[WORD_ROWS];
    uint8_t positions[WORD_ROWS];
    size_t count = 0;
    for (; bits != 0; bits &= bits - 1) {
        positions[count] = (uint8_t)__builtin_ctzll(bits);
        pointers[count] = rows + positions[count] * query->stride;
        count++;
    }
    if (query->metric == VECTOR_L2)
        kernel->l2_pointers(pointers, count, query->stride, query->query, scores);
    else
        kernel->dot_pointers(pointers, count, query->stride, query->query, scores);
    offer(query, scores, factors, count, first_id, positions, top);
}

static void scan_present(const VectorKernel *kernel, const VectorQuery *query,
                         const VectorBlock *block, TopK *top)
{
    for (size_t from = 0; from < block->count; from += WORD_ROWS) {
        size_t count = block->count - from < WORD_ROWS ? block->count - from : WORD_ROWS;
        uint64_t all = count == WORD_ROWS ? UINT64_MAX : (UINT64_C(1) << count) - 1,
                 bits = block->present[from / WORD_ROWS] & all;
        const float *rows = block->rows + from * query->stride,
                    *factors = block->factors == NULL ? NULL : block->factors + from;
        if (bits == all)
            scan_rows(kernel, query, rows, factors, count, block->first_id + from, top);
        else if (bits != 0)
            scan_bits(kernel, query, rows, factors, bits, block->first_id + from, top);
    }
}

void vector_scan(const VectorKernel *kernel, const VectorQuery *query, const VectorBlock *blocks,
                 size_t block_count, TopK *top)
{
    bool cosine = query->metric == VECTOR_COSINE;
    if (topk_limit(top) == 0 || (cosine && query->factor == 0)) return;
    for (size_t b = 0; b < block_count; b++) {
        const VectorBlock *block = &blocks[b];
        assert(!cosine || block->factors != NULL || block->count == 0);
        if (block->present != NULL)
            scan_present(kernel, query, block, top);
        else
            scan_rows(kernel, query, block->rows, block->factors, block->count, block->first_id,
                      top);
    }
}

float vector_score(const VectorKernel *kernel, const VectorQuery *query, const float *row,
                   float factor)
{
    if (query->metric == VECTOR_L2) return kernel->l2(row, query->query, query->stride);
    float dot = kernel->dot(row, query->query, query->stride);
    if (query->metric == VECTOR_DOT) return dot;
    return factor == 0 || query->factor == 0 ? NAN : (dot * factor) * query->factor;
}
