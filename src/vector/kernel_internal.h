/* kernel_internal.h - the levels, each in a file of its own. */
#ifndef VECTOR_KERNEL_INTERNAL_H
#define VECTOR_KERNEL_INTERNAL_H
#include "vector/kernel.h"

enum {
    LANES = 8,
    ROWS_AT_ONCE = 4,
    AHEAD_FLOATS_MAX =
        8 * VECTOR_LINE_FLOATS /* the rest of a long row the hardware fetches by itself */
};

extern const VectorKernel vector_kernel_scalar;
#if defined(__x86_64__)
extern const VectorKernel vector_kernel_avx2, vector_kernel_avx512;
#endif

/* The forms of one level, from two functions of that level:
 *     float NAME_one(row, query, stride)
 *     __m128 NAME_four(r0, r1, r2, r3, query, stride)   scores of four rows, in order
 * Scattered rows are asked for one group ahead, because no hardware can guess them; rows in order
 * are left to it. A tail of one to three rows is scored one by one: the same bits. */
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
        size_t i = 0, ahead = stride < AHEAD_FLOATS_MAX ? stride : AHEAD_FLOATS_MAX;               \
        for (; i + ROWS_AT_ONCE <= count; i += ROWS_AT_ONCE) {                                     \
            for (size_t n = i + ROWS_AT_ONCE; n < i + 2 * ROWS_AT_ONCE && n < count; n++)          \
                for (size_t at = 0; at < ahead; at += VECTOR_LINE_FLOATS)                          \
                    _mm_prefetch((const char *)(rows[n] + at), _MM_HINT_T0);                       \
            _mm_storeu_ps(scores + i, name##_four_##level(rows[i], rows[i + 1], rows[i + 2],       \
                                                          rows[i + 3], query, stride));            \
        }                                                                                          \
        for (; i < count; i++)                                                                     \
            scores[i] = name##_one_##level(rows[i], query, stride);                                \
    }
#define KERNEL_TABLE(level)                                                                        \
    {                                                                                              \
#level, dot_one_##level, l2_one_##level, dot_rows_##level, l2_rows_##level,                \
            dot_pointers_##level, l2_pointers_##level                                              \
    }
#endif
