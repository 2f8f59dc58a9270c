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

/* The score of one row, as a scan would compute it. NaN: left out (cosine without a direction). */
float vector_score(const VectorKernel *kernel, const VectorQuery *query, const float *row,
                   float factor);
#endif
