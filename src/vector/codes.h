/*
 * codes.h - products of rows of codes with a query, the same integers at every level of SIMD.
 *
 * Rows are unsigned bytes, queries signed ones (quantize.h says what they mean), both padded with
 * zeros to a stride of whole lines of 64 bytes and aligned to them. A product of up to
 * VECTOR_DIMENSIONS_MAX components and QUANTIZE_EXTRA_MAX more fits an int32 by far.
 */
#ifndef VECTOR_CODES_H
#define VECTOR_CODES_H
#include "vector/bound.h"
#include "vector/quantize.h"

enum { CODES_LANES_MAX = 16 };
struct NearWalk;
struct NearPrune;

typedef struct CodesKernel {
    const char *name; /* "scalar", "avx2", "avx512" */
    int32_t (*dot)(const uint8_t *row, const int8_t *query, size_t stride);
    /* out[i]: of row i of `count` that lie one behind the other. */
    void (*dot_rows)(const uint8_t *rows, size_t count, size_t stride, const int8_t *query,
                     int32_t *out);
    /* out[i]: of the row at codes + places[i] * stride. */
    void (*dot_places)(const uint8_t *codes, const uint32_t *places, size_t count, size_t stride,
                       const int8_t *query, int32_t *out);
    /* Numbers of those of `count` rows whose score may reach `floor`, ascending: all that do, and few
     * others. dots[i] is the product of row i's codes with the query's first plane. All arrays may be
     * read up to the next multiple of CODES_LANES_MAX. */
    size_t (*pick)(const BoundQuery *query, const BoundFour *rows, const int32_t *dots,
                   size_t count, float floor, uint16_t *out);
    /* What near.c is made of. */
    void (*near_walk)(struct NearWalk *walk);
    uint32_t (*near_prune)(const struct NearPrune *prune);
} CodesKernel;

/* The best level this machine has, at most `highest` (as in vector_kernel). The widest wants the
 * machine's products of bytes (VNNI). */
const CodesKernel *codes_kernel(const char *highest);
#endif
