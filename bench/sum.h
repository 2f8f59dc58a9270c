/*
 * sum.h - the speed at which memory can be read: a sum over an array with the widest loads the machine
 * has, in eight streams of additions, so that nothing but the loads can be the limit.
 */
#ifndef BENCH_SUM_H
#define BENCH_SUM_H
#include <stdbool.h>
#include <stddef.h>
#if defined(__x86_64__)
#include <immintrin.h>

/* `ahead`: so many bytes ahead are asked for by prefetches; 0: none are. */
__attribute__((target("avx512f"))) static inline float sum_avx512(const float *data, size_t count,
                                                                  size_t ahead)
{
    __m512 sums[8];
    for (size_t j = 0; j < 8; j++)
        sums[j] = _mm512_setzero_ps();
    for (size_t i = 0; i + 128 <= count; i += 128)
        for (size_t j = 0; j < 8; j++) {
            if (ahead > 0) _mm_prefetch((const char *)(data + i + 16 * j) + ahead, _MM_HINT_T0);
            sums[j] = _mm512_add_ps(sums[j], _mm512_load_ps(data + i + 16 * j));
        }
    for (size_t j = 1; j < 8; j++)
        sums[0] = _mm512_add_ps(sums[0], sums[j]);
    return _mm512_reduce_add_ps(sums[0]);
}
#endif

static inline float sum_plain(const float *data, size_t count)
{
    float sums[32] = {0};
    for (size_t i = 0; i + 32 <= count; i += 32)
        for (size_t j = 0; j < 32; j++)
            sums[j] += data[i + j];
    return sums[0] + sums[31];
}

enum { SUM_AHEAD = 4096 };

/* `data`: 64-aligned. */
static inline float sum_widest(const float *data, size_t count, bool ahead)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f"))
        return ahead ? sum_avx512(data, count, SUM_AHEAD) : sum_avx512(data, count, 0);
#endif
    (void)ahead;
    return sum_plain(data, count);
}
#endif
