/*
 * kernel_avx512.c - the canonical scores with 512-bit registers, four rows at a time.
 *
 * The 32 partial sums of a row are two registers: the first holds the lanes 0 to 3 of the canonical
 * order (a lane is the four partial sums of one 128-bit quarter), the second the lanes 4 to 7. With
 * four rows side by side the folds need no horizontal addition:
 *
 *     quarters(a, b, c, d)   for the four rows: (0+1)+(2+3) in every quarter, so that quarter l of
 *                            the result is lane l of the rows a, b, c, d
 *     low + high             +4: quarter l is lane l + lane l+4
 *     halves, quarters       +2, +1
 *
 * Only operands of an addition change places against the scalar code, which changes no bit. The
 * target attribute is on each function: kernel.c calls in here only where the machine has AVX-512.
 */
#include "config.h"

#include "vector/kernel_internal.h"

#if defined(__x86_64__)
#include <immintrin.h>
#define AVX512 VECTOR_BESIDE_A_WRITER __attribute__((target("avx512f,avx512bw,avx512vl")))
#define INLINE inline __attribute__((always_inline))

AVX512 static INLINE __m512 pair(__m512 a, __m512 b)
{
    return _mm512_add_ps(_mm512_shuffle_ps(a, b, 0x88), _mm512_shuffle_ps(a, b, 0xdd));
}

AVX512 static INLINE __m128 fold(__m512 low, __m512 high)
{
    __m512 lanes = _mm512_add_ps(low, high);
    __m256 upper = _mm256_castpd_ps(_mm512_extractf64x4_pd(_mm512_castps_pd(lanes), 1));
    __m256 two = _mm256_add_ps(_mm512_castps512_ps256(lanes), upper);
    return _mm_add_ps(_mm256_castps256_ps128(two), _mm256_extractf128_ps(two, 1));
}

AVX512 static INLINE __m512 add_product(__m512 sum, const float *row, __m512 query)
{
    return _mm512_add_ps(sum, _mm512_mul_ps(_mm512_loadu_ps(row), query));
}

AVX512 static INLINE __m512 add_square(__m512 sum, const float *row, __m512 query)
{
    __m512 difference = _mm512_sub_ps(_mm512_loadu_ps(row), query);
    return _mm512_add_ps(sum, _mm512_mul_ps(difference, difference));
}

/* The two sums of one row. Rows are read whole and in order, one after the other: that is the
 * pattern hardware prefetch knows. Four rows in step, or prefetching by hand as well, were measured
 * and cost 10 to 40 % of the bandwidth. */
#define SUM(name, add)                                                                             \
    AVX512 static INLINE void name##_row(const float *row, const float *query, size_t stride,      \
                                         __m512 *low, __m512 *high)                                \
    {                                                                                              \
        __m512 l = _mm512_setzero_ps(), h = l;                                                     \
        size_t at = 0;                                                                             \
        for (; at + VECTOR_BLOCK_FLOATS <= stride; at += VECTOR_BLOCK_FLOATS) {                    \
            l = add(l, row + at, _mm512_loadu_ps(query + at));                                     \
            h = add(h, row + at + 16, _mm512_loadu_ps(query + at + 16));                           \
        }                                                                                          \
        if (at < stride) l = add(l, row + at, _mm512_loadu_ps(query + at)); /* half a block */     \
        *low = l, *high = h;                                                                       \
    }                                                                                              \
    AVX512 static INLINE __m128 name##_sum(const float *r0, const float *r1, const float *r2,      \
                                           const float *r3, const float *query, size_t stride)     \
    {                                                                                              \
        __m512 l0, l1, l2, l3, h0, h1, h2, h3;                                                     \
        name##_row(r0, query, stride, &l0, &h0);                                                   \
        name##_row(r1, query, stride, &l1, &h1);                                                   \
        name##_row(r2, query, stride, &l2, &h2);                                                   \
        name##_row(r3, query, stride, &l3, &h3);                                                   \
        return fold(pair(pair(l0, l1), pair(l2, l3)), pair(pair(h0, h1), pair(h2, h3)));           \
    }                                                                                              \
    AVX512 static INLINE float name##_sum_one(const float *row, const float *query, size_t stride) \
    {                                                                                              \
        __m512 low, high;                                                                          \
        name##_row(row, query, stride, &low, &high);                                               \
        low = pair(low, low), high = pair(high, high);                                             \
        return _mm_cvtss_f32(fold(pair(low, low), pair(high, high)));                              \
    }
SUM(product, add_product)
SUM(square, add_square)

AVX512 static INLINE __m128 dot_four_avx512(const float *r0, const float *r1, const float *r2,
                                            const float *r3, const float *query, size_t stride)
{
    return product_sum(r0, r1, r2, r3, query, stride);
}

AVX512 static INLINE __m128 l2_four_avx512(const float *r0, const float *r1, const float *r2,
                                           const float *r3, const float *query, size_t stride)
{
    return _mm_xor_ps(square_sum(r0, r1, r2, r3, query, stride), _mm_set1_ps(-0.0f));
}

AVX512 static float dot_one_avx512(const float *row, const float *query, size_t stride)
{
    return product_sum_one(row, query, stride);
}

AVX512 static float l2_one_avx512(const float *row, const float *query, size_t stride)
{
    return -square_sum_one(row, query, stride);
}

KERNEL_FORMS(dot, avx512, AVX512)
KERNEL_FORMS(l2, avx512, AVX512)

const VectorKernel vector_kernel_avx512 = KERNEL_TABLE(avx512);
#endif
