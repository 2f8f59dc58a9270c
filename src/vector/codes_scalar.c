/*
 * codes_scalar.c - products of codes in plain C, and the choice between levels.
 */
#include "config.h"

#include "vector/codes_internal.h"

#define CODES       VECTOR_BESIDE_A_WRITER
#define LEVEL(name) name##_scalar

CODES static inline int32_t LEVEL(one)(const uint8_t *row, const int8_t *query, size_t stride)
{
    int32_t sum = 0;
    for (size_t i = 0; i < stride; i++)
        sum += (int32_t)row[i] * query[i];
    return sum;
}

CODES static inline void LEVEL(four)(const uint8_t *r0, const uint8_t *r1, const uint8_t *r2,
                                     const uint8_t *r3, const int8_t *query, size_t stride,
                                     int32_t *out)
{
    out[0] = LEVEL(one)(r0, query, stride);
    out[1] = LEVEL(one)(r1, query, stride);
    out[2] = LEVEL(one)(r2, query, stride);
    out[3] = LEVEL(one)(r3, query, stride);
}

enum { LANES = 4 };
typedef float Floats __attribute__((vector_size(16)));
typedef int32_t Integers __attribute__((vector_size(16)));

CODES static inline uint32_t not_below(Floats scores, float floor)
{
    Integers below = scores < floor;
    return (uint32_t)((below[0] == 0) | (below[1] == 0) << 1 | (below[2] == 0) << 2 |
                      (below[3] == 0) << 3);
}
#define NOT_BELOW(scores, floor) not_below(scores, floor)

CODES static inline Floats of_fours(const float *numbers)
{
    Floats floats;
    memcpy(&floats, numbers, sizeof floats);
    return floats;
}
#define OF_FOURS(numbers) of_fours(numbers)

#include "vector/codes_template.h"

const CodesKernel codes_kernel_scalar = CODES_TABLE(scalar);

const CodesKernel *codes_kernel(const char *highest)
{
#if defined(__x86_64__)
    bool bounded = highest != NULL && highest[0] != '\0';
    if (bounded && strcmp(highest, "scalar") == 0) return &codes_kernel_scalar;
    bool wide = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512vnni");
    if (wide && !(bounded && strcmp(highest, "avx2") == 0)) return &codes_kernel_avx512;
    return __builtin_cpu_supports("avx2") ? &codes_kernel_avx2 : &codes_kernel_scalar;
#else
    (void)highest;
    return &codes_kernel_scalar;
#endif
}
