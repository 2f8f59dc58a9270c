/*
 * scan.c - the exact scan on the CPU.
 *
 * Bound by memory: a row of 48 floats is 256 bytes, which take longer to arrive than the 16
 * multiplications and additions of the widest kernel. So everything else stays in the first-level
 * cache: a piece of rows is scored into an array of floats (1 KiB), then the scores are compared
 * with the floor of the collector, which nearly all fail. Keys are built and heaps touched only for
 * the rest.
 *
 * A block with a bitmap is scanned word by word: a full word like a block without one, an empty
 * word not at all, others through pointers to the rows that take part. Rows left out are not even
 * read.
 *
 * Not here: which device scans (device.c), what a score means to a user (l2 is shown as a nearness
 * by execution).
 */
#include "config.h"

#include "vector/scan.h"
#include <assert.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

enum { WORD_ROWS = 64 };

void vector_query_init(VectorQuery *out, const VectorKernel *kernel, VectorMetric metric,
                       const float *query, size_t stride)
{
    assert(stride % VECTOR_LINE_FLOATS == 0);
    *out = (VectorQuery){query, stride, metric,
                         metric == VECTOR_COSINE ? vector_factor(kernel, query, stride) : 1.0f};
}

/* A cosine is at most 1; rounding may say otherwise. NaN stays. */
static inline float clamped(float cosine)
{
    return cosine > 1.0f ? 1.0f : cosine < -1.0f ? -1.0f : cosine;
}

typedef float Floats __attribute__((vector_size(16)));
typedef int32_t Truths __attribute__((vector_size(16)));
enum { GROUP_ROWS = 4 * sizeof(Floats) / sizeof(float) };

/* Is there anything but scores below the floor among the next GROUP_ROWS? NaN is. A row that has no
 * score may say yes. */
VECTOR_BESIDE_A_WRITER static inline bool worth_a_look(const float *raw, const float *factors,
                                                       float query_factor, float floor)
{
    Truths below = {-1, -1, -1, -1};
    for (size_t i = 0; i < GROUP_ROWS; i += sizeof(Floats) / sizeof(float)) {
        Floats score, factor;
        memcpy(&score, raw + i, sizeof score);
        if (factors != NULL) {
            memcpy(&factor, factors + i, sizeof factor);
            score = (score * factor) * query_factor;
        }
        below &= score < floor;
    }
    return (below[0] & below[1] & below[2] & below[3]) == 0;
}

/* Raw scores become scores; those that count are kept. A floor is itself clamped, so comparing
 * before clamping keeps the same rows, but for a floor of -1, which rounding can go below. */
VECTOR_BESIDE_A_WRITER static void pick(const VectorQuery *query, const float *raw,
                                        const float *factors, size_t count, float floor,
                                        VectorPick *out)
{
    bool cosine = query->metric == VECTOR_COSINE;
    size_t kept = 0;
    if (!cosine) factors = NULL;
    if (cosine && floor <= -1.0f) floor = -INFINITY;
    for (size_t i = 0; i < count;) {
        size_t end = i + GROUP_ROWS <= count ? i + GROUP_ROWS : count;
        bool look = end - i < GROUP_ROWS ||
                    worth_a_look(raw + i, cosine ? factors + i : NULL, query->factor, floor);
        for (; look && i < end; i++) {
            float score = cosine ? (raw[i] * factors[i]) * query->factor : raw[i];
            if (score < floor || (cosine && factors[i] == 0)) continue;
            out->at[kept] = (uint16_t)i;
            out->scores[kept++] = cosine ? clamped(score) : score;
        }
        i = end;
    }
    out->count = kept;
}

void vector_pick_rows(const VectorKernel *kernel, const VectorQuery *query, const float *rows,
                      const float *factors, size_t count, float floor, VectorPick *out)
{
    float raw[VECTOR_PIECE_ROWS];
    assert(count <= VECTOR_PIECE_ROWS);
    if (query->metric == VECTOR_L2)
        kernel->l2_rows(rows, count, query->stride, query->query, raw);
    else
        kernel->dot_rows(rows, count, query->stride, query->query, raw);
    pick(query, raw, factors, count, floor, out);
}

void vector_pick_pointers(const VectorKernel *kernel, const VectorQuery *query,
                          const float *const *rows, const float *factors, size_t count, float floor,
                          VectorPick *out)
{
    float raw[VECTOR_PIECE_ROWS];
    assert(count <= VECTOR_PIECE_ROWS);
    if (query->metric == VECTOR_L2)
        kernel->l2_pointers(rows, count, query->stride, query->query, raw);
    else
        kernel->dot_pointers(rows, count, query->stride, query->query, raw);
    pick(query, raw, factors, count, floor, out);
}

static void scan_rows(const VectorKernel *kernel, const VectorQuery *query, const float *rows,
                      const float *factors, size_t count, uint64_t first_id, TopK *top)
{
    VectorPick found;
    for (size_t from = 0; from < count; from += VECTOR_PIECE_ROWS) {
        size_t piece = count - from < VECTOR_PIECE_ROWS ? count - from : VECTOR_PIECE_ROWS;
        vector_pick_rows(kernel, query, rows + from * query->stride,
                         factors == NULL ? NULL : factors + from, piece, topk_floor(top), &found);
        for (size_t i = 0; i < found.count; i++)
            topk_offer(top, found.scores[i], first_id + from + found.at[i]);
    }
}

/* At most 64 rows, those whose bit is set. */
static void scan_bits(const VectorKernel *kernel, const VectorQuery *query, const float *rows,
                      const float *factors, uint64_t bits, uint64_t first_id, TopK *top)
{
    const float *pointers[WORD_ROWS];
    float own[WORD_ROWS];
    uint8_t positions[WORD_ROWS];
    size_t count = 0;
    VectorPick found;
    for (; bits != 0; bits &= bits - 1) {
        size_t row = (size_t)__builtin_ctzll(bits);
        positions[count] = (uint8_t)row;
        own[count] = factors == NULL ? 0 : factors[row];
        pointers[count++] = rows + row * query->stride;
    }
    vector_pick_pointers(kernel, query, pointers, own, count, topk_floor(top), &found);
    for (size_t i = 0; i < found.count; i++)
        topk_offer(top, found.scores[i], first_id + positions[found.at[i]]);
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
    return factor == 0 || query->factor == 0 ? NAN : clamped((dot * factor) * query->factor);
}
