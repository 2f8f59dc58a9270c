/*
 * codes_avx512.c - products of codes with 512-bit registers and the machine's products of bytes:
 * one load and one instruction for 64 components.
 */
#include "config.h"

#include "vector/codes_internal.h"

#if defined(__x86_64__)
#include <immintrin.h>
#define CODES       VECTOR_BESIDE_A_WRITER __attribute__((target("avx512f,avx512bw,avx512vl,avx512vnni")))
#define LEVEL(name) name##_avx512

CODES static inline int32_t LEVEL(one)(const uint8_t *row, const int8_t *query, size_t stride)
{
    __m512i sum = _mm512_setzero_si512();
    for (size_t at = 0; at < stride; at += QUANTIZE_LINE_BYTES)
        sum =
            _mm512_dpbusd_epi32(sum, _mm512_loadu_si512(row + at), _mm512_loadu_si512(query + at));
    return _mm512_reduce_add_epi32(sum);
}

/* Four sums of 16 lanes each become four numbers: transposed by unpacking, then folded. */
CODES static inline void LEVEL(four)(const uint8_t *r0, const uint8_t *r1, const uint8_t *r2,
                                     const uint8_t *r3, const int8_t *query, size_t stride,
                                     int32_t *out)
{
    __m512i a = _mm512_setzero_si512(), b = a, c = a, d = a;
    for (size_t at = 0; at < stride; at += QUANTIZE_LINE_BYTES) {
        __m512i q = _mm512_loadu_si512(query + at);
        a = _mm512_dpbusd_epi32(a, _mm512_loadu_si512(r0 + at), q);
        b = _mm512_dpbusd_epi32(b, _mm512_loadu_si512(r1 + at), q);
        c = _mm512_dpbusd_epi32(c, _mm512_loadu_si512(r2 + at), q);
        d = _mm512_dpbusd_epi32(d, _mm512_loadu_si512(r3 + at), q);
    }
    __m512i ab = _mm512_add_epi32(_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));
    __m512i cd = _mm512_add_epi32(_mm512_unpacklo_epi32(c, d), _mm512_unpackhi_epi32(c, d));
    __m512i all = _mm512_add_epi32(_mm512_unpacklo_epi64(ab, cd), _mm512_unpackhi_epi64(ab, cd));
    __m256i half = _mm256_add_epi32(_mm512_castsi512_si256(all), _mm512_extracti64x4_epi64(all, 1));
    _mm_storeu_si128((__m128i *)(void *)out, _mm_add_epi32(_mm256_castsi256_si128(half),
                                                           _mm256_extracti128_si256(half, 1)));
}

enum { LANES = 16 };
typedef float Floats __attribute__((vector_size(64)));
typedef int32_t Integers __attribute__((vector_size(64)));
#define NOT_BELOW(scores, floor)                                                                   \
    _mm512_cmp_ps_mask((__m512)(scores), _mm512_set1_ps(floor), _CMP_NLT_UQ)

CODES static inline Floats of_fours(const float *numbers)
{
    __m512 floats = _mm512_castps128_ps512(_mm_loadu_ps(numbers));
    floats = _mm512_insertf32x4(floats, _mm_loadu_ps(numbers + 16), 1);
    floats = _mm512_insertf32x4(floats, _mm_loadu_ps(numbers + 32), 2);
    return (Floats)_mm512_insertf32x4(floats, _mm_loadu_ps(numbers + 48), 3);
}
#define OF_FOURS(numbers) of_fours(numbers)

#include "vector/codes_template.h"

const CodesKernel codes_kernel_avx512 = CODES_TABLE(avx512);
#endif
