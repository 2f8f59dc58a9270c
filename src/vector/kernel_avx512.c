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
#define AVX512 __attribute__((target("avx512f,avx512bw,avx512vl")))
/* How far ahead of the reader the lines of a row are asked for; see kernel_avx2.c. */
enum { PREFETCH_BYTES = 4096 };

AVX512 static inline void ahead(const float *at)
{
    _mm_prefetch((const char *)at + PREFETCH_BYTES, _MM_HINT_T0);
    _mm_prefetch((const char *)at + PREFETCH_BYTES + 64, _MM_HINT_T0);
}

AVX512 static inline __m512 pair(__m512 a, __m512 b)
{
    return _mm512_add_ps(_mm512_shuffle_ps(a, b, 0x88), _mm512_shuffle_ps(a, b, 0xdd));
}

AVX512 static inline __m128 fold(const __m512 low[4], const __m512 high[4])
{
    __m512 lanes = _mm512_add_ps(pair(pair(low[0], low[1]), pair(low[2], low[3])),
                                 pair(pair(high[0], high[1]), pair(high[2], high[3])));
    __m256 upper = _mm256_castpd_ps(_mm512_extractf64x4_pd(_mm512_castps_pd(lanes), 1));
    __m256 two = _mm256_add_ps(_mm512_castps512_ps256(lanes), upper);
    return _mm_add_ps(_mm256_castps256_ps128(two), _mm256_extractf128_ps(two, 1));
}

AVX512 static inline __m512 add_product(__m512 sum, const float *row, __m512 query)
{
    return _mm512_add_ps(sum, _mm512_mul_ps(_mm512_loadu_ps(row), query));
}

AVX512 static inline __m512 add_square(__m512 sum, const float *row, __m512 query)
{
    __m512 difference = _mm512_sub_ps(_mm512_loadu_ps(row), query);
    return _mm512_add_ps(sum, _mm512_mul_ps(difference, difference));
}

/* The loop over blocks of four rows at once; `add` is one of the two above. */
#define FOUR(name, add)                                                                            \
    AVX512 static inline __m128 name##_sum(const float *r0, const float *r1, const float *r2,      \
                                           const float *r3, const float *query, size_t stride)     \
    {                                                                                              \
        __m512 zero = _mm512_setzero_ps(), low[4] = {zero, zero, zero, zero},                      \
               high[4] = {zero, zero, zero, zero};                                                 \
        for (size_t at = 0; at < stride; at += VECTOR_BLOCK_FLOATS) {                              \
            __m512 q0 = _mm512_loadu_ps(query + at), q1 = _mm512_loadu_ps(query + at + 16);        \
            ahead(r0 + at), ahead(r1 + at), ahead(r2 + at), ahead(r3 + at);                        \
            low[0] = add(low[0], r0 + at, q0), high[0] = add(high[0], r0 + at + 16, q1);           \
            low[1] = add(low[1], r1 + at, q0), high[1] = add(high[1], r1 + at + 16, q1);           \
            low[2] = add(low[2], r2 + at, q0), high[2] = add(high[2], r2 + at + 16, q1);           \
            low[3] = add(low[3], r3 + at, q0), high[3] = add(high[3], r3 + at + 16, q1);           \
        }                                                                                          \
        return fold(low, high);                                                                    \
    }                                                                                              \
    AVX512 static inline float name##_sum_one(const float *row, const float *query, size_t stride) \
    {                                                                                              \
        __m512 low = _mm512_setzero_ps(), high = low;                                              \
        for (size_t at = 0; at < stride; at += VECTOR_BLOCK_FLOATS) {                              \
            low = add(low, row + at, _mm512_loadu_ps(query + at));                                 \
            high = add(high, row + at + 16, _mm512_loadu_ps(query + at + 16));                     \
        }                                                                                          \
        return _mm_cvtss_f32(                                                                      \
            fold((__m512[4]){low, low, low, low}, (__m512[4]){high, high, high, high}));           \
    }
FOUR(product, add_product)
FOUR(square, add_square)

AVX512 static inline __m128 dot_four_avx512(const float *r0, const float *r1, const float *r2,
                                            const float *r3, const float *query, size_t stride)
{
    return product_sum(r0, r1, r2, r3, query, stride);
}

AVX512 static inline __m128 l2_four_avx512(const float *r0, const float *r1, const float *r2,
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
