/*
 * quantize.h - vectors as rows of bytes, whose products are integers.
 *
 * A component x becomes the code round((x - minimum) * scale), clamped to 0..255: a minimum for each
 * component, one scale for all, so that the squared distance of two rows of codes is that of the
 * vectors times the square of the scale, but for rounding. Cosine: of the vector divided by its
 * length. A row is padded with zeros to `stride` bytes, and rows lie 64-byte aligned.
 *
 * A query is signed bytes, for the multiplication that machines have is unsigned by signed
 * (codes.h). With d = codes_dot(row, query) the integer
 *
 *     l2, cosine   quantize_constant(row) - 2 * d    = |row|^2 - 2 row.query, of codes
 *     dot          -d
 *
 * orders rows as the metric does, smaller is nearer. Under l2 and cosine the query is coded as a row
 * is, less 128; under dot it has a scale of its own and no minimum, for the products of the minima
 * with it are the same for every row.
 *
 * Who builds neighborhoods wants distances between rows under dot as well: `extra` components behind
 * the others make all rows equally long (the largest square of a length less the row's own, spread
 * evenly), so that the nearest by distance is the one of the largest product. A query has zeros
 * there. (Bachrach et al., Speeding up the Xbox recommender system, RecSys 2014, the reduction of
 * inner products to distances.)
 */
#ifndef VECTOR_QUANTIZE_H
#define VECTOR_QUANTIZE_H
#include "vector/kernel.h"
#include <stdbool.h>

enum {
    QUANTIZE_LINE_BYTES = 64,
    QUANTIZE_SAMPLE_ROWS = 5000, /* that a quantizer is learned from, taken at equal steps */
    QUANTIZE_EXTRA_MAX = 64      /* components; beyond, the others would get too few steps */
};

typedef struct Quantizer {
    VectorMetric metric;
    uint32_t dimensions, extra; /* extra: dot only, and only if asked for */
    size_t stride;              /* bytes of a row of codes, whole lines */
    float scale;                /* steps per unit */
    float longest;              /* with extra components: the largest square of a length */
    float *minima;              /* of each of `dimensions`; whose, see quantizer_learn */
} Quantizer;

/* Bytes a row of so many components occupies. */
static inline size_t quantize_stride(size_t components)
{
    return (components + QUANTIZE_LINE_BYTES - 1) / QUANTIZE_LINE_BYTES * QUANTIZE_LINE_BYTES;
}

/* Learns from `count` rows (at least 1; finite) of `dimensions` floats: of each component the lowest
 * and highest thousandth are clamped. factors[i] is 1 / |rows[i]|, asked under cosine only. `extra`:
 * under dot, room for equal lengths. `minima` holds `dimensions` floats and stays the caller's. */
void quantizer_learn(Quantizer *out, VectorMetric metric, uint32_t dimensions, bool extra,
                     const float *const *rows, const float *factors, size_t count, float *minima);
/* Codes of one row: `stride` bytes. `factor` as above. */
void quantize_row(const Quantizer *quantizer, const float *row, float factor, uint8_t *codes);
/* A query as `stride` signed bytes. `factor` is 1 / |query|, asked under cosine only. */
void quantize_query(const Quantizer *quantizer, const float *query, float factor, int8_t *out);
/* A row of codes as a query: what lies near it? */
void quantize_as_query(const uint8_t *codes, size_t stride, int8_t *out);
/* |row|^2 - 256 * (sum of its codes): at least -16384 * stride, at most 0. */
int32_t quantize_constant(const uint8_t *codes, size_t stride);
/* |row|^2: with the constants, the squared distance of rows x and y of codes is
 * constant(x) - 2 * dot(x, y as a query) + square(y). */
int32_t quantize_square(const uint8_t *codes, size_t stride);
/* The value that a code stands for. */
static inline float quantize_value(const Quantizer *quantizer, size_t component, uint8_t code)
{
    return quantizer->minima[component] + (float)code / quantizer->scale;
}
#endif
