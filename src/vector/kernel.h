/*
 * kernel.h - scores of vectors, the same bits on every machine.
 *
 * Canonical order (f32): 32 partial sums over blocks of 32 components, separate multiply and add,
 * never fused; partial sums 4i..4i+3 fold as (0+1)+(2+3) into lane i, lanes fold +4, +2, +1. Every
 * level does exactly this, so levels are compared for equality of bits. Rows are padded with zeros
 * to `stride`, a multiple of 32.
 */
#ifndef VECTOR_KERNEL_H
#define VECTOR_KERNEL_H
#include <stddef.h>
#include <stdint.h>

enum { VECTOR_BLOCK_FLOATS = 32, VECTOR_DIMENSIONS_MAX = 16384 };

typedef struct VectorKernel {
    const char *name; /* "scalar", "avx2", "avx512" */
    float (*dot)(const float *row, const float *query, size_t stride);
    float (*l2)(const float *row, const float *query,
                size_t stride); /* -(squared distance): higher is nearer */
} VectorKernel;

/* The best level this machine has, at most `highest` ("scalar", "avx2", "avx512"; NULL or "": no
 * bound). */
const VectorKernel *vector_kernel(const char *highest);
static inline size_t vector_stride(size_t dimensions)
{
    return (dimensions + VECTOR_BLOCK_FLOATS - 1) / VECTOR_BLOCK_FLOATS * VECTOR_BLOCK_FLOATS;
}
/* 1 / |row| from the canonical dot product; 0 for a row that has no direction. */
float vector_factor(const VectorKernel *kernel, const float *row, size_t stride);
/* Higher score first; equal scores by lower id; NaN last. Larger is better. */
static inline uint32_t vector_orderable(float score)
{
    union {
        float number;
        uint32_t bits;
    } u = {score};
    if ((u.bits & 0x7fffffff) > 0x7f800000) return 0;
    if (u.bits == 0x80000000) u.bits = 0;
    return u.bits >> 31 ? ~u.bits : u.bits | 0x80000000;
}
#endif
