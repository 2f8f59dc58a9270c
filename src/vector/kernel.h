/*
 * kernel.h - scores of vectors, the same bits on every machine.
 *
 * Canonical order (f32): 32 partial sums over blocks of 32 components (the last may be half a one,
 * which adds to the first 16 only), separate multiply and add, never fused; partial sums 4i..4i+3
 * fold as (0+1)+(2+3) into lane i, lanes fold +4, +2, +1. Every level does exactly this, so levels
 * are compared for equality of bits (any NaN equals any other: which one comes out is the only thing
 * left open). Rows and queries are padded with zeros to `stride` floats, whole cache lines of 16,
 * which is also what a row occupies; the wide levels want no alignment but are fastest at 64 bytes.
 * The shaders of shaders/ do the same on a GPU.
 *
 *   dot      sum of row * query
 *   l2       -(squared distance): higher is nearer, like everything else
 *   cosine   (dot * row factor) * query factor, in this order, but at most 1 and at least -1;
 *            a factor is 1 / |row|
 */
#ifndef VECTOR_KERNEL_H
#define VECTOR_KERNEL_H
#include <stddef.h>
#include <stdint.h>

enum {
    VECTOR_BLOCK_FLOATS = 32,
    VECTOR_LINE_FLOATS = 16,
    VECTOR_DIMENSIONS_MAX = 16384, /* 64 KiB a row; also keeps row offsets in 32 bits of floats */
    VECTOR_ALIGN_BYTES = 64
};

/* Rows may be read while a writer replaces some of them: what comes out is thrown away then, for who
 * lent them tells so afterwards. Wide loads cannot be atomic, so the thread sanitizer is told here. */
#define VECTOR_BESIDE_A_WRITER __attribute__((no_sanitize("thread")))

typedef enum VectorMetric { VECTOR_DOT, VECTOR_L2, VECTOR_COSINE } VectorMetric;

/* One level. The forms for many rows score `count` of them into `scores`: rows one behind the other
 * (row i at rows + i * stride), or rows wherever the pointers say. */
typedef struct VectorKernel {
    const char *name; /* "scalar", "avx2", "avx512" */
    float (*dot)(const float *row, const float *query, size_t stride);
    float (*l2)(const float *row, const float *query, size_t stride);
    void (*dot_rows)(const float *rows, size_t count, size_t stride, const float *query,
                     float *scores);
    void (*l2_rows)(const float *rows, size_t count, size_t stride, const float *query,
                    float *scores);
    void (*dot_pointers)(const float *const *rows, size_t count, size_t stride, const float *query,
                         float *scores);
    void (*l2_pointers)(const float *const *rows, size_t count, size_t stride, const float *query,
                        float *scores);
} VectorKernel;

/* The best level this machine has, at most `highest` ("scalar", "avx2", "avx512"; NULL or "": no
 * bound). */
const VectorKernel *vector_kernel(const char *highest);

/* Floats a row of `dimensions` occupies. */
static inline size_t vector_stride(size_t dimensions)
{
    return (dimensions + VECTOR_LINE_FLOATS - 1) / VECTOR_LINE_FLOATS * VECTOR_LINE_FLOATS;
}

/* 1 / |row| from the canonical dot product; 0 for a row without a direction (all zero, or with a
 * square that is zero, infinite or NaN in f32). Such a row has no cosine: it is left out. */
float vector_factor(const VectorKernel *kernel, const float *row, size_t stride);

/* The total order of scores as an unsigned number, larger is better: NaN is 0, below -infinity; -0
 * and +0 are one. */
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

/* The score again: NaN for 0, +0 for both zeros. */
static inline float vector_score_of(uint32_t orderable)
{
    union {
        uint32_t bits;
        float number;
    } u = {orderable >> 31 ? orderable & 0x7fffffff : ~orderable};
    if (orderable == 0) u.bits = 0x7fc00000;
    return u.number;
}

/* What a scan of up to 2^32 - 1 rows orders by, on a CPU as on a GPU: larger is better, equal
 * scores go to the lower row, 0 is no row at all. */
static inline uint64_t vector_key(float score, uint32_t row)
{
    return (uint64_t)vector_orderable(score) << 32 | (uint32_t)~row;
}
static inline uint32_t vector_key_row(uint64_t key)
{
    return ~(uint32_t)key;
}
#endif
