/*
 * codes_avx2.c - products of codes with 256-bit registers.
 *
 * The instruction that multiplies bytes by bytes saturates its sums of two, which would be another
 * integer; so both sides are widened to 16 bits, whose products and sums of two fit 32.
 */
#include "config.h"

#include "vector/codes_internal.h"

#if defined(__x86_64__)
#include <immintrin.h>
#define CODES       VECTOR_BESIDE_A_WRITER __attribute__((target("avx2")))
#define LEVEL(name) name##_avx2
enum { HALF_BYTES = 16 };

CODES static inline __m256i add_products(__m256i sum, const uint8_t *row, __m256i query)
{
    __m256i wide = _mm256_cvtepu8_epi16(_mm_loadu_si128((const __m128i *)(const void *)row));
    return _mm256_add_epi32(sum, _mm256_madd_epi16(wide, query));
}

CODES static inline __m256i wide_query(const int8_t *query)
{
    return _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(const void *)query));
}

CODES static inline int32_t LEVEL(one)(const uint8_t *row, const int8_t *query, size_t stride)
{
    __m256i sum = _mm256_setzero_si256();
    for (size_t at = 0; at < stride; at += HALF_BYTES)
        sum = add_products(sum, row + at, wide_query(query + at));
    __m128i four = _mm_add_epi32(_mm256_castsi256_si128(sum), _mm256_extracti128_si256(sum, 1));
    four = _mm_add_epi32(four, _mm_shuffle_epi32(four, 0x4e));
    return _mm_cvtsi128_si32(_mm_add_epi32(four, _mm_shuffle_epi32(four, 0xb1)));
}

CODES static inline void LEVEL(four)(const uint8_t *r0, const uint8_t *r1, const uint8_t *r2,
                                     const uint8_t *r3, const int8_t *query, size_t stride,
                                     int32_t *out)
{
    __m256i s0 = _mm256_setzero_si256(), s1 = s0, s2 = s0, s3 = s0;
    for (size_t at = 0; at < stride; at += HALF_BYTES) {
        __m256i wide = wide_query(query + at);
        s0 = add_products(s0, r0 + at, wide);
        s1 = add_products(s1, r1 + at, wide);
        s2 = add_products(s2, r2 + at, wide);
        s3 = add_products(s3, r3 + at, wide);
    }
    __m256i sums = _mm256_hadd_epi32(_mm256_hadd_epi32(s0, s1), _mm256_hadd_epi32(s2, s3));
    _mm_storeu_si128((__m128i *)(void *)out, _mm_add_epi32(_mm256_castsi256_si128(sums),
                                                           _mm256_extracti128_si256(sums, 1)));
}

enum { LANES = 8 };
typedef float Floats __attribute__((vector_size(32)));
typedef int32_t Integers __attribute__((vector_size(32)));
#define NOT_BELOW(scores, floor)                                                                   \
    (uint32_t)                                                                                     \
        _mm256_movemask_ps(_mm256_cmp_ps((__m256)(scores), _mm256_set1_ps(floor), _CMP_NLT_UQ))

CODES static inline Floats of_fours(const float *numbers)
{
    return (Floats)_mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(numbers)),
                                        _mm_loadu_ps(numbers + 16), 1);
}
#define OF_FOURS(numbers) of_fours(numbers)

#include "vector/codes_template.h"

const CodesKernel codes_kernel_avx2 = CODES_TABLE(avx2);
#endif
