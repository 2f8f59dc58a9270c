/*
 * kernel_scalar.c - the canonical scores in plain C: what the other levels are compared with.
 *
 * The 32 partial sums are an array; the compiler may keep several in one register of whatever width
 * the machine's base instruction set has (SSE2 on x86-64, NEON on ARM), because that changes no
 * order of operations. It may not fuse (-ffp-contract=off) nor reassociate (no -ffast-math).
 */
#include "config.h"

#include "vector/kernel_internal.h"

/* Partial sums 4i..4i+3 into lane i, lanes +4, +2, +1. */
static float fold(const float *partial)
{
    float lanes[LANES];
    for (size_t i = 0; i < LANES; i++)
        lanes[i] =
            (partial[4 * i] + partial[4 * i + 1]) + (partial[4 * i + 2] + partial[4 * i + 3]);
    for (size_t half = LANES / 2; half > 0; half /= 2)
        for (size_t i = 0; i < half; i++)
            lanes[i] = lanes[i] + lanes[i + half];
    return lanes[0];
}

VECTOR_BESIDE_A_WRITER static float dot_one_scalar(const float *row, const float *query,
                                                   size_t stride)
{
    float partial[VECTOR_BLOCK_FLOATS] = {0};
    size_t whole = stride / VECTOR_BLOCK_FLOATS * VECTOR_BLOCK_FLOATS;
    for (size_t at = 0; at < whole; at += VECTOR_BLOCK_FLOATS)
        for (size_t j = 0; j < VECTOR_BLOCK_FLOATS; j++)
            partial[j] += row[at + j] * query[at + j];
    for (size_t at = whole; at < stride; at++)
        partial[at - whole] += row[at] * query[at];
    return fold(partial);
}

VECTOR_BESIDE_A_WRITER static float l2_one_scalar(const float *row, const float *query,
                                                  size_t stride)
{
    float partial[VECTOR_BLOCK_FLOATS] = {0};
    size_t whole = stride / VECTOR_BLOCK_FLOATS * VECTOR_BLOCK_FLOATS;
    for (size_t at = 0; at < whole; at += VECTOR_BLOCK_FLOATS)
        for (size_t j = 0; j < VECTOR_BLOCK_FLOATS; j++) {
            float difference = row[at + j] - query[at + j];
            partial[j] += difference * difference;
        }
    for (size_t at = whole; at < stride; at++) {
        float difference = row[at] - query[at];
        partial[at - whole] += difference * difference;
    }
    return -fold(partial);
}

static void dot_rows_scalar(const float *rows, size_t count, size_t stride, const float *query,
                            float *scores)
{
    for (size_t i = 0; i < count; i++)
        scores[i] = dot_one_scalar(rows + i * stride, query, stride);
}

static void l2_rows_scalar(const float *rows, size_t count, size_t stride, const float *query,
                           float *scores)
{
    for (size_t i = 0; i < count; i++)
        scores[i] = l2_one_scalar(rows + i * stride, query, stride);
}

static void dot_pointers_scalar(const float *const *rows, size_t count, size_t stride,
                                const float *query, float *scores)
{
    for (size_t i = 0; i < count; i++)
        scores[i] = dot_one_scalar(rows[i], query, stride);
}

static void l2_pointers_scalar(const float *const *rows, size_t count, size_t stride,
                               const float *query, float *scores)
{
    for (size_t i = 0; i < count; i++)
        scores[i] = l2_one_scalar(rows[i], query, stride);
}

const VectorKernel vector_kernel_scalar = KERNEL_TABLE(scalar);
