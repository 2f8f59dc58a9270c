/*
 * kernel_avx2.c - the canonical scores with 256-bit registers.
 *
 * The 32 partial sums of a row are four registers, so that register j holds partial sums 8j..8j+7:
 * the lanes 2j (low half) and 2j+1 (high half) of the canonical order. Folding four partial sums
 * into a lane is two shuffles that put 0,2 beside 0,2 and 1,3 beside 1,3, and one addition, done
 * twice. Only the order of the two operands of an addition differs from the scalar code, which
 * changes no bit.
 *
 *     pair(a, b)   a0+a1 a2+a3 b0+b1 b2+b3                 in each half
 *     p = pair(register 0, register 1), r = pair(register 2, register 3)
 *     pair(p, r)   lanes 0 2 4 6 | 1 3 5 7
 *
 * The target attribute is on each function: the file is compiled for any x86-64, and kernel.c calls
 * in here only where the machine has AVX2.
 */
#include "config.h"

#include "vector/kernel_internal.h"

#if defined(__x86_64__)
#include <immintrin.h>
#define AVX2   VECTOR_BESIDE_A_WRITER __attribute__((target("avx2")))
#define INLINE inline __attribute__((always_inline))

AVX2 static INLINE __m256 pair(__m256 a, __m256 b)
{
    return _mm256_add_ps(_mm256_shuffle_ps(a, b, 0x88), _mm256_shuffle_ps(a, b, 0xdd));
}

AVX2 static INLINE float fold(__m256 p0, __m256 p1, __m256 p2, __m256 p3)
{
    __m256 lanes = pair(pair(p0, p1), pair(p2, p3));
    __m128 even = _mm256_castps256_ps128(lanes), odd = _mm256_extractf128_ps(lanes, 1);
    /* +4: lane 0 + 4 and 2 + 6 in `even`, 1 + 5 and 3 + 7 in `odd`; +2 adds each one's two. */
    even = _mm_add_ps(even, _mm_movehl_ps(even, even));
    odd = _mm_add_ps(odd, _mm_movehl_ps(odd, odd));
    even = _mm_add_ss(even, _mm_movehdup_ps(even));
    odd = _mm_add_ss(odd, _mm_movehdup_ps(odd));
    return _mm_cvtss_f32(_mm_add_ss(even, odd));
}

AVX2 static INLINE __m256 add_product(__m256 sum, const float *row, const float *query)
{
    return _mm256_add_ps(sum, _mm256_mul_ps(_mm256_loadu_ps(row), _mm256_loadu_ps(query)));
}

AVX2 static INLINE __m256 add_square(__m256 sum, const float *row, const float *query)
{
    __m256 difference = _mm256_sub_ps(_mm256_loadu_ps(row), _mm256_loadu_ps(query));
    return _mm256_add_ps(sum, _mm256_mul_ps(difference, difference));
}

/* The loop over the blocks of a row; `add` is one of the two above. */
#define SUM(name, add)                                                                             \
    AVX2 static INLINE float name(const float *row, const float *query, size_t stride)             \
    {                                                                                              \
        __m256 p0 = _mm256_setzero_ps(), p1 = p0, p2 = p0, p3 = p0;                                \
        size_t at = 0;                                                                             \
        for (; at + VECTOR_BLOCK_FLOATS <= stride; at += VECTOR_BLOCK_FLOATS) {                    \
            p0 = add(p0, row + at, query + at), p1 = add(p1, row + at + 8, query + at + 8);        \
            p2 = add(p2, row + at + 16, query + at + 16);                                          \
            p3 = add(p3, row + at + 24, query + at + 24);                                          \
        }                                                                                          \
        if (at < stride) /* half a block */                                                        \
            p0 = add(p0, row + at, query + at), p1 = add(p1, row + at + 8, query + at + 8);        \
        return fold(p0, p1, p2, p3);                                                               \
    }
SUM(product_sum, add_product)
SUM(square_sum, add_square)

AVX2 static float dot_one_avx2(const float *row, const float *query, size_t stride)
{
    return product_sum(row, query, stride);
}

AVX2 static float l2_one_avx2(const float *row, const float *query, size_t stride)
{
    return -square_sum(row, query, stride);
}

/* In order: the arguments of one call would be computed in any, and memory read backwards is slow.
 */
#define FOUR(name)                                                                                 \
    AVX2 static INLINE __m128 name##_four(const float *r0, const float *r1, const float *r2,       \
                                          const float *r3, const float *query, size_t stride)      \
    {                                                                                              \
        float s0 = name(r0, query, stride), s1 = name(r1, query, stride);                          \
        float s2 = name(r2, query, stride), s3 = name(r3, query, stride);                          \
        return _mm_setr_ps(s0, s1, s2, s3);                                                        \
    }
FOUR(product_sum)
FOUR(square_sum)

AVX2 static INLINE __m128 dot_four_avx2(const float *r0, const float *r1, const float *r2,
                                        const float *r3, const float *query, size_t stride)
{
    return product_sum_four(r0, r1, r2, r3, query, stride);
}

AVX2 static INLINE __m128 l2_four_avx2(const float *r0, const float *r1, const float *r2,
                                       const float *r3, const float *query, size_t stride)
{
    return _mm_xor_ps(square_sum_four(r0, r1, r2, r3, query, stride), _mm_set1_ps(-0.0f));
}

KERNEL_FORMS(dot, avx2, AVX2)
KERNEL_FORMS(l2, avx2, AVX2)

const VectorKernel vector_kernel_avx2 = KERNEL_TABLE(avx2);
#endif
