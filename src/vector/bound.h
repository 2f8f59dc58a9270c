/*
 * bound.h - rows as 8-bit codes that say how good a row can be at most.
 *
 * A row r is kept as r'[j] = offset + scale * code[j] and error >= |r - r'|, a quarter of its size. From
 * that and a query comes a bound that no score of the canonical kernel exceeds, so that a scan may read
 * codes and score only those rows whose bound reaches the floor of its collector (sieve.h).
 *
 * By Cauchy and Schwarz, with the query as q' of one plane of 8 bits,
 *     r.q = r'.q' + (r - r').q' + r.(q - q') <= r'.q' + error |q'| + |r| |q - q'|
 * and what rounding can add (bound.c). A second plane of 7 more bits makes q' exact enough for the few
 * rows that are left after the first. Codes of a row have a scale of their own, unlike those of an index
 * (quantize.h), for it is the error of each row that decides; the products are the same (codes.h).
 */
#ifndef VECTOR_BOUND_H
#define VECTOR_BOUND_H
#include "vector/kernel.h"
#include <stdbool.h>

/* Shorter rows are hardly larger than their codes and what is kept beside those. */
enum { BOUND_DIMENSIONS_MIN = 48 };

/* What is kept of a row beside its codes. */
typedef struct BoundRow {
    float scale, offset;
    float error; /* infinity: nothing can be said of this row */
    float norm;  /* >= |r| */
} BoundRow;

/* The same of four rows, each kind of number side by side: one line of 64 bytes, so that a row alone costs
 * one look, and many rows few shuffles. */
typedef struct BoundFour {
    float scale[4], offset[4], error[4], norm[4];
} BoundFour;
static inline BoundRow bound_row_at(const BoundFour *fours, size_t row)
{
    const BoundFour *four = &fours[row / 4];
    return (BoundRow){four->scale[row % 4], four->offset[row % 4], four->error[row % 4],
                      four->norm[row % 4]};
}
static inline void bound_row_put(BoundFour *fours, size_t row, BoundRow bound)
{
    BoundFour *four = &fours[row / 4];
    four->scale[row % 4] = bound.scale;
    four->offset[row % 4] = bound.offset;
    four->error[row % 4] = bound.error;
    four->norm[row % 4] = bound.norm;
}

/* Codes of one row, quantize_stride(dimensions) bytes of the caller's; those behind `dimensions` become
 * 0. The row may hold anything, NaN too. */
void bound_row(const float *row, size_t dimensions, uint8_t *codes, BoundRow *out);

/* Of the first plane, or of both: how much the dot product of codes, an offset, an error and a norm
 * count in the bound of a dot product; `least` is added. */
typedef struct BoundTerms {
    float step, total, reach, loss, least;
} BoundTerms;

typedef struct BoundQuery {
    const int8_t *planes; /* one behind the other */
    size_t stride;        /* bytes of a plane and of a row's codes */
    VectorMetric metric;
    BoundTerms first, both;
    float square; /* l2: of the query, less what rounding can do */
    float keep;   /* l2: so much of a row's square counts */
    float factor; /* cosine: of the query */
    float loss;   /* cosine: what rounding can add to it */
} BoundQuery;

/* Makes a query ready. The planes are 2 * quantize_stride(dimensions) bytes, 64-byte aligned, of the
 * caller's, who keeps them as long. `factor` is VectorQuery's. false: the query is too small, too large
 * or not finite, and has no bounds. */
bool bound_query_init(BoundQuery *out, VectorMetric metric, const float *query, size_t dimensions,
                      float factor, int8_t *planes);

/* Which rows' scores may reach a floor is said by CodesKernel.pick (codes.h), from their first products.
 *
 * The formula, for numbers and for vectors of them: what a dot product is at most, and with it a score. */
#define BOUND_DOT(terms, dots, scale, offset, error, norm)                                         \
    (((dots) * (terms)->step) * (scale) + (offset) * (terms)->total +                              \
     ((error) * (terms)->reach + (norm) * (terms)->loss + (terms)->least))
#define BOUND_COSINE(bound, dot, norm) (((dot) / (norm)) * (bound)->factor + (bound)->loss)
#define BOUND_L2(bound, dot, norm)                                                                 \
    (((dot) + (dot)) - ((norm) * (norm)) * (bound)->keep - (bound)->square)

/* What the score of one row is at most, from its codes' products with both planes. */
float bound_close(const BoundQuery *query, const BoundRow *row, int32_t first, int32_t second);
#endif
