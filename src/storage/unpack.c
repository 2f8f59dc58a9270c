/*
 * unpack.c - packed integers, many at a time (pack.h).
 *
 * Eight residuals of w bits lie in w bytes, so that every eighth begins with a byte. The wide forms take
 * the eight bytes that each residual lies in, shift them by what it begins behind the byte's first bit,
 * and cut off what is above: with AVX-512 by one permutation of the bytes, which are loaded as one
 * register (VBMI), with AVX2 by two gathers. All forms give the same numbers: tests/unit/pack.c holds
 * them against packed_get.
 */
#include "config.h"

#include "storage/pack_internal.h"
#if defined(__x86_64__)
#include <immintrin.h>
#endif

void unpack_scalar(const Packed *packed, uint32_t from, uint32_t count, int64_t *out)
{
    uint64_t value = packed->base + packed->step * from, step = packed->step, word,
             mask = (UINT64_C(1) << packed->width) - 1, bit = (uint64_t)from * packed->width;
    for (uint32_t i = 0; i < count; i++, value += step, bit += packed->width) {
        memcpy(&word, packed->bits + bit / 8, sizeof word);
        out[i] = (int64_t)(value + (word >> bit % 8 & mask));
    }
}

void decimals_scalar(const int64_t *in, uint32_t count, double power, double *out)
{
    for (uint32_t i = 0; i < count; i++)
        out[i] = (double)in[i] / power;
}

#if defined(__x86_64__)

enum { EIGHT = 8 };

/* How many of the values come before the first whose bits begin a byte, or all. */
static uint32_t before_byte(uint32_t from, uint32_t count)
{
    uint32_t before = (EIGHT - from % EIGHT) % EIGHT;
    return before < count ? before : count;
}

__attribute__((target("avx512f,avx512bw,avx512vbmi"))) void
unpack_avx512(const Packed *packed, uint32_t from, uint32_t count, int64_t *out)
{
    uint32_t width = packed->width, i = before_byte(from, count);
    unpack_scalar(packed, from, i, out);
    const char *bits = packed->bits + (uint64_t)(from + i) / EIGHT * width;
    /* The last of eight needs seven more bytes behind the one it begins in, and no more are there. */
    uint32_t last = (EIGHT - 1) * width / 8 + 8;
    __mmask64 there = last >= 64 ? ~(__mmask64)0 : ((__mmask64)1 << last) - 1;
    uint8_t bytes[64];
    uint64_t shifts[EIGHT], firsts[EIGHT];
    for (uint32_t j = 0; j < EIGHT; j++) {
        for (uint32_t b = 0; b < 8; b++)
            bytes[8 * j + b] = (uint8_t)(j * width / 8 + b);
        shifts[j] = j * width % 8;
        firsts[j] = packed->base + packed->step * (from + i + j);
    }
    __m512i order = _mm512_loadu_si512(bytes), shift = _mm512_loadu_si512(shifts),
            line = _mm512_loadu_si512(firsts),
            step = _mm512_set1_epi64((long long)(packed->step * EIGHT)),
            mask = _mm512_set1_epi64((long long)((UINT64_C(1) << width) - 1));
    for (; i + EIGHT <= count; i += EIGHT, bits += width) {
        __m512i eight = _mm512_permutexvar_epi8(order, _mm512_maskz_loadu_epi8(there, bits));
        eight = _mm512_and_si512(_mm512_srlv_epi64(eight, shift), mask);
        _mm512_storeu_si512(out + i, _mm512_add_epi64(eight, line));
        line = _mm512_add_epi64(line, step);
    }
    unpack_scalar(packed, from + i, count - i, out + i);
}

__attribute__((target("avx2"))) void unpack_avx2(const Packed *packed, uint32_t from,
                                                 uint32_t count, int64_t *out)
{
    uint32_t width = packed->width, i = before_byte(from, count);
    unpack_scalar(packed, from, i, out);
    const char *bits = packed->bits + (uint64_t)(from + i) / EIGHT * width;
    long long at[EIGHT], shifts[EIGHT], firsts[EIGHT];
    for (uint32_t j = 0; j < EIGHT; j++) {
        at[j] = j * width / 8;
        shifts[j] = j * width % 8;
        firsts[j] = (long long)(packed->base + packed->step * (from + i + j));
    }
    __m256i step = _mm256_set1_epi64x((long long)(packed->step * EIGHT)),
            mask = _mm256_set1_epi64x((long long)((UINT64_C(1) << width) - 1)), places[2], shift[2],
            line[2];
    for (int half = 0; half < 2; half++) {
        places[half] = _mm256_loadu_si256((const __m256i *)(const void *)(at + 4 * half));
        shift[half] = _mm256_loadu_si256((const __m256i *)(const void *)(shifts + 4 * half));
        line[half] = _mm256_loadu_si256((const __m256i *)(const void *)(firsts + 4 * half));
    }
    for (; i + EIGHT <= count; i += EIGHT, bits += width)
        for (int half = 0; half < 2; half++) {
            __m256i four =
                _mm256_i64gather_epi64((const long long *)(const void *)bits, places[half], 1);
            four = _mm256_and_si256(_mm256_srlv_epi64(four, shift[half]), mask);
            _mm256_storeu_si256((__m256i *)(void *)(out + i + 4 * half),
                                _mm256_add_epi64(four, line[half]));
            line[half] = _mm256_add_epi64(line[half], step);
        }
    unpack_scalar(packed, from + i, count - i, out + i);
}

/* Integers below 2 ^ 51 added to 1.5 * 2 ^ 52 as if they were its last bits are doubles. */
#define LARGE 0x1.8p52

__attribute__((target("avx512f"))) void decimals_avx512(const int64_t *in, uint32_t count,
                                                        double power, double *out)
{
    __m512d large = _mm512_set1_pd(LARGE), divisor = _mm512_set1_pd(power);
    __m512i offset = _mm512_castpd_si512(large);
    uint32_t i = 0;
    for (; i + EIGHT <= count; i += EIGHT) {
        __m512i eight = _mm512_add_epi64(_mm512_loadu_si512(in + i), offset);
        __m512d whole = _mm512_sub_pd(_mm512_castsi512_pd(eight), large);
        _mm512_storeu_pd(out + i, _mm512_div_pd(whole, divisor));
    }
    decimals_scalar(in + i, count - i, power, out + i);
}

__attribute__((target("avx2"))) void decimals_avx2(const int64_t *in, uint32_t count, double power,
                                                   double *out)
{
    __m256d large = _mm256_set1_pd(LARGE), divisor = _mm256_set1_pd(power);
    __m256i offset = _mm256_castpd_si256(large);
    uint32_t i = 0;
    for (; i + 4 <= count; i += 4) {
        __m256i four = _mm256_loadu_si256((const __m256i *)(const void *)(in + i));
        __m256d whole = _mm256_sub_pd(_mm256_castsi256_pd(_mm256_add_epi64(four, offset)), large);
        _mm256_storeu_pd(out + i, _mm256_div_pd(whole, divisor));
    }
    decimals_scalar(in + i, count - i, power, out + i);
}

#endif

void packed_some(const Packed *packed, uint32_t from, uint32_t count, int64_t *out)
{
    enum { WIDE_MIN = 32 }; /* values: fewer are read before the registers are ready */
    uint64_t value = packed->base + packed->step * from;
    if (packed->width == 0) {
        for (uint32_t i = 0; i < count; i++, value += packed->step)
            out[i] = (int64_t)value;
        return;
    }
#if defined(__x86_64__)
    if (count >= WIDE_MIN && __builtin_cpu_supports("avx512vbmi")) {
        unpack_avx512(packed, from, count, out);
        return;
    }
    if (count >= WIDE_MIN && __builtin_cpu_supports("avx2")) {
        unpack_avx2(packed, from, count, out);
        return;
    }
#endif
    unpack_scalar(packed, from, count, out);
}

void decimals_from(const int64_t *in, uint32_t count, double power, double *out)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f")) {
        decimals_avx512(in, count, power, out);
        return;
    }
    if (__builtin_cpu_supports("avx2")) {
        decimals_avx2(in, count, power, out);
        return;
    }
#endif
    decimals_scalar(in, count, power, out);
}

void packed_decimals(const Packed *packed, uint32_t from, uint32_t count, double power, double *out)
{
    enum { SOME = 256 };
    int64_t some[SOME];
    for (uint32_t done = 0; done < count; done += SOME) {
        uint32_t these = count - done < SOME ? count - done : SOME;
        packed_some(packed, from + done, these, some);
        decimals_from(some, these, power, out + done);
    }
}
