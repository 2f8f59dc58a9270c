/* kernel_internal.h - the levels, each in a file of its own. */
#ifndef VECTOR_KERNEL_INTERNAL_H
#define VECTOR_KERNEL_INTERNAL_H
#include "vector/kernel.h"

enum { LANES = 8, ROWS_AT_ONCE = 4 };

extern const VectorKernel vector_kernel_scalar;
#if defined(__x86_64__)
extern const VectorKernel vector_kernel_avx2, vector_kernel_avx512;
#endif

/* The forms of one level, from two functions of that level:
 *     float NAME_one(row, query, stride)
 *     __m128 NAME_four(r0, r1, r2, r3, query, stride)   scores of four rows, in order
 * A tail of one to three rows is scored one by one: the same bits. */
#define KERNEL_FORMS(name, level, target)                                                          \
    target static void name##_rows_##level(const float *rows, size_t count, size_t stride,         \
                                           const float *query, float *scores)                      \
    {                                                                                              \
        size_t i = 0;                                                                              \
        for (; i + ROWS_AT_ONCE <= count; i += ROWS_AT_ONCE, rows += ROWS_AT_ONCE * stride)        \
            _mm_storeu_ps(scores + i, name##_four_##level(rows, rows + stride, rows + 2 * stride,  \
                                                          rows + 3 * stride, query, stride));      \
        for (; i < count; i++, rows += stride)                                                     \
            scores[i] = name##_one_##level(rows, query, stride);                                   \
    }                                                                                              \
    target static void name##_pointers_##level(const float *const *rows, size_t count,             \
                                               size_t stride, const float *query, float *scores)   \
    {                                                                                              \
        size_t i = 0;                                                                              \
        for (; i + ROWS_AT_ONCE <= count; i += ROWS_AT_ONCE)                                       \
            _mm_storeu_ps(scores + i, name##_four_##level(rows[i], rows[i + 1], rows[i + 2],       \
                                                          rows[i + 3], query, stride));            \
        for (; i < count; i++)                                                                     \
            scores[i] = name##_one_##level(rows[i], query, stride);                                \
    }
#define KERNEL_TABLE(level)                                                                        \
    {                                                                                              \
#level, dot_one_##level, l2_one_##level, dot_rows_##level, l2_rows_##level,                \
            dot_pointers_##level, l2_pointers_##level                                              \
    }
#endif
