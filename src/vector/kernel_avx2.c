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
#define AVX2 __attribute__((target("avx2")))
/* How far ahead of the reader the lines of a row are asked for. Found by trial: from 1 to 6 KiB
 * nothing changes; it helps most where a stream crosses a page, which the hardware does not. */
enum { PREFETCH_BYTES = 2048 };

AVX2 static inline __m256 pair(__m256 a, __m256 b)
{
    return _mm256_add_ps(_mm256_shuffle_ps(a, b, 0x88), _mm256_shuffle_ps(a, b, 0xdd));
}

AVX2 static inline float fold(const __m256 partial[4])
{
    __m256 lanes = pair(pair(partial[0], partial[1]), pair(partial[2], partial[3]));
    __m128 even = _mm256_castps256_ps128(lanes), odd = _mm256_extractf128_ps(lanes, 1);
    /* +4: lane 0 + 4 and 2 + 6 in `even`, 1 + 5 and 3 + 7 in `odd`; +2 adds each one's two. */
    even = _mm_add_ps(even, _mm_movehl_ps(even, even));
    odd = _mm_add_ps(odd, _mm_movehl_ps(odd, odd));
    even = _mm_add_ss(even, _mm_movehdup_ps(even));
    odd = _mm_add_ss(odd, _mm_movehdup_ps(odd));
    return _mm_cvtss_f32(_mm_add_ss(even, odd));
}

AVX2 static inline float dot_one_avx2(const float *row, const float *query, size_t stride)
{
    __m256 partial[4] = {_mm256_setzero_ps(), _mm256_setzero_ps(), _mm256_setzero_ps(),
                         _mm256_setzero_ps()};
    for (size_t at = 0; at < stride; at += VECTOR_BLOCK_FLOATS) {
        _mm_prefetch((const char *)(row + at) + PREFETCH_BYTES, _MM_HINT_T0);
        _mm_prefetch((const char *)(row + at) + PREFETCH_BYTES + 64, _MM_HINT_T0);
        for (size_t j = 0; j < 4; j++)
            partial[j] =
                _mm256_add_ps(partial[j], _mm256_mul_ps(_mm256_loadu_ps(row + at + 8 * j),
                                                        _mm256_loadu_ps(query + at + 8 * j)));
    }
    return fold(partial);
}

AVX2 static inline float l2_one_avx2(const float *row, const float *query, size_t stride)
{
    __m256 partial[4] = {_mm256_setzero_ps(), _mm256_setzero_ps(), _mm256_setzero_ps(),
                         _mm256_setzero_ps()};
    for (size_t at = 0; at < stride; at += VECTOR_BLOCK_FLOATS) {
        _mm_prefetch((const char *)(row + at) + PREFETCH_BYTES, _MM_HINT_T0);
        _mm_prefetch((const char *)(row + at) + PREFETCH_BYTES + 64, _MM_HINT_T0);
        for (size_t j = 0; j < 4; j++) {
            __m256 difference = _mm256_sub_ps(_mm256_loadu_ps(row + at + 8 * j),
                                              _mm256_loadu_ps(query + at + 8 * j));
            partial[j] = _mm256_add_ps(partial[j], _mm256_mul_ps(difference, difference));
        }
    }
    return -fold(partial);
}

AVX2 static inline __m128 dot_four_avx2(const float *r0, const float *r1, const float *r2,
                                        const float *r3, const float *query, size_t stride)
{
    return _mm_setr_ps(dot_one_avx2(r0, query, stride), dot_one_avx2(r1, query, stride),
                       dot_one_avx2(r2, query, stride), dot_one_avx2(r3, query, stride));
}

AVX2 static inline __m128 l2_four_avx2(const float *r0, const float *r1, const float *r2,
                                       const float *r3, const float *query, size_t stride)
{
    return _mm_setr_ps(l2_one_avx2(r0, query, stride), l2_one_avx2(r1, query, stride),
                       l2_one_avx2(r2, query, stride), l2_one_avx2(r3, query, stride));
}

KERNEL_FORMS(dot, avx2, AVX2)
KERNEL_FORMS(l2, avx2, AVX2)

const VectorKernel vector_kernel_avx2 = KERNEL_TABLE(avx2);
#endif
