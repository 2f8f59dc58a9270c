/*
 * sieve.h - the exact scan through codes: the answer of vector_scan, bit for bit, from a quarter of the
 * bytes.
 *
 * A row is scored with the canonical kernel only if its bound (bound.h) reaches the floor of its query's
 * collector. Several queries share one pass: what is read for the first is in the cache for the others.
 */
#ifndef VECTOR_SIEVE_H
#define VECTOR_SIEVE_H
#include "vector/bound.h"
#include "vector/codes.h"
#include "vector/scan.h"

/* Codes of a block of rows and what is kept beside them; lies in one piece of memory. */
typedef struct SieveBlock {
    const BoundFour *bounds;
    const uint8_t *codes; /* quantize_stride(dimensions) bytes a row */
} SieveBlock;
/* What the codes of `rows` rows take, and where they lie in it; 64-byte aligned. */
size_t sieve_bytes(size_t rows, size_t dimensions);
SieveBlock sieve_block(const void *memory, size_t rows);
/* Fills `memory` for rows of `stride` floats; where `present` (bit i: row i is there) says so. */
void sieve_make(void *memory, const float *rows, size_t row_count, size_t stride, size_t dimensions,
                const uint64_t *present);

typedef struct SieveQuery {
    VectorQuery query;
    BoundQuery bound;
    bool bounded;      /* false: rows are all scored */
    TopK *top;         /* the caller's */
    size_t code_bytes; /* of a row */
    int8_t *planes;
    size_t planes_capacity;
    uint64_t scored; /* rows that the canonical kernel was asked about */
    uint32_t rest;   /* pieces to be scored without a look at their codes */
} SieveQuery;
/* `query` as vector_query_init left it. The planes are the query's own until sieve_query_free; one
 * that was filled with zeros may be initialised many times. */
void sieve_query_init(SieveQuery *out, const VectorQuery *query, size_t dimensions, TopK *top);
void sieve_query_free(SieveQuery *query);

/* Offers the rows of the block that take part, so many, to each query's collector. All queries have the
 * same dimensions. `codes` NULL: all rows are scored. */
void sieve_scan(const VectorKernel *kernel, const CodesKernel *codes_kernel, SieveQuery *queries,
                size_t query_count, const VectorBlock *block, size_t taking_part,
                const SieveBlock *codes);
#endif
