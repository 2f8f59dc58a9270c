/*
 * kernel.c - which level of SIMD runs, and what all levels share.
 *
 * The table is chosen by what the processor says it has, lowered by a setting. That is safe at any
 * time and in any statement, because all levels give the same bits: kernel_scalar.c defines them,
 * kernel_avx2.c and kernel_avx512.c say how they keep the order of operations. tests/unit/vector.c
 * holds them to it.
 */
#include "config.h"

#include "vector/kernel_internal.h"
#include <math.h>
#include <stdbool.h>
#include <string.h>

const VectorKernel *vector_kernel(const char *highest)
{
#if defined(__x86_64__)
    bool bounded = highest != NULL && highest[0] != '\0';
    if (bounded && strcmp(highest, "scalar") == 0) return &vector_kernel_scalar;
    bool wide = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                __builtin_cpu_supports("avx512vl");
    if (wide && !(bounded && strcmp(highest, "avx2") == 0)) return &vector_kernel_avx512;
    return __builtin_cpu_supports("avx2") ? &vector_kernel_avx2 : &vector_kernel_scalar;
#else
    (void)highest;
    return &vector_kernel_scalar;
#endif
}

float vector_factor(const VectorKernel *kernel, const float *row, size_t stride)
{
    float square = kernel->dot(row, row, stride);
    return square > 0 ? 1.0f / sqrtf(square) : 0.0f;
}
