/*
 * scan.h - exact search: every row is scored with the canonical kernel, the best are kept.
 *
 * This is the definition of what a vector search answers; whatever is faster (a GPU, an index) is
 * held to it.
 */
#ifndef VECTOR_SCAN_H
#define VECTOR_SCAN_H
#include "vector/topk.h"

typedef struct VectorQuery {
    const float *query; /* padded with zeros to `stride`; borrowed */
    size_t stride;
    VectorMetric metric;
    float factor; /* cosine: 1 / |query|; 0: it has no direction, no row has a score */
} VectorQuery;

/* Fills in `out`; the factor is computed here. */
void vector_query_init(VectorQuery *out, const VectorKernel *kernel, VectorMetric metric,
                       const float *query, size_t stride);

/* Rows that lie one behind the other and whose ids follow one another. */
typedef struct VectorBlock {
    const float *rows;       /* `count` rows of the query's stride */
    const float *factors;    /* cosine: vector_factor of each row; rows of 0 are left out */
    const uint64_t *present; /* bit i of word i / 64: row i takes part; NULL: all do */
    size_t count;
    uint64_t first_id; /* row i has the id first_id + i */
} VectorBlock;

/* Offers every row that takes part to `top`. No allocation but the collector's own, no error. */
void vector_scan(const VectorKernel *kernel, const VectorQuery *query, const VectorBlock *blocks,
                 size_t block_count, TopK *top);

/* What a scan is made of: of a piece of rows those whose score is not below `floor` (and which have
 * one: under cosine a factor of 0 says no). Rows lie one behind the other, or where the pointers
 * say; factors[i] belongs to row i and is asked under cosine only. */
enum { VECTOR_PIECE_ROWS = 256 };
typedef struct VectorPick {
    size_t count;
    uint16_t at[VECTOR_PIECE_ROWS]; /* numbers of rows in the piece, ascending */
    float scores[VECTOR_PIECE_ROWS];
} VectorPick;
void vector_pick_rows(const VectorKernel *kernel, const VectorQuery *query, const float *rows,
                      const float *factors, size_t count, float floor, VectorPick *out);
void vector_pick_pointers(const VectorKernel *kernel, const VectorQuery *query,
                          const float *const *rows, const float *factors, size_t count, float floor,
                          VectorPick *out);

/* The score of one row, as a scan would compute it. NaN: left out (cosine without a direction). */
float vector_score(const VectorKernel *kernel, const VectorQuery *query, const float *row,
                   float factor);
#endif
