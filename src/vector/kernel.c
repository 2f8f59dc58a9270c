/*
 * kernel.c - the canonical scores at each level of SIMD, and which level runs.
 *
 * The source of all levels is one template: the compiler vectorises it for each target, and because
 * it may neither fuse nor reorder (-ffp-contract=off, no -ffast-math), every level gives the same
 * bits. Tests hold that.
 */
#include "config.h"

#include "vector/kernel.h"
#include <math.h>
#include <stdbool.h>
#include <string.h>

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("O3") /* the loops below are worth it at any -O */
#define WIDE ",prefer-vector-width=512"
#else
#define WIDE ""
#endif

#define LEVEL scalar
#define TARGET
#include "vector/kernel_template.h"
#undef LEVEL
#undef TARGET

static const VectorKernel scalar = {"scalar", dot_scalar, l2_scalar};

#if defined(__x86_64__)
#define LEVEL  avx2
#define TARGET __attribute__((target("avx2")))
#include "vector/kernel_template.h"
#undef LEVEL
#undef TARGET
#define LEVEL  avx512
#define TARGET __attribute__((target("avx512f,avx512bw,avx512vl" WIDE)))
#include "vector/kernel_template.h"
#undef LEVEL
#undef TARGET

static const VectorKernel avx2 = {"avx2", dot_avx2, l2_avx2},
                          avx512 = {"avx512", dot_avx512, l2_avx512};

const VectorKernel *vector_kernel(const char *highest)
{
    bool bounded = highest != NULL && highest[0] != '\0';
    if (bounded && strcmp(highest, "scalar") == 0) return &scalar;
    bool wide = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                __builtin_cpu_supports("avx512vl");
    if (wide && !(bounded && strcmp(highest, "avx2") == 0)) return &avx512;
    return __builtin_cpu_supports("avx2") ? &avx2 : &scalar;
}
#else
const VectorKernel *vector_kernel(const char *highest)
{
    (void)highest;
    return &scalar;
}
#endif

float vector_factor(const VectorKernel *kernel, const float *row, size_t stride)
{
    float square = kernel->dot(row, row, stride);
    return square > 0 ? 1.0f / sqrtf(square) : 0.0f;
}
