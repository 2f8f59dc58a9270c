/*
 * selftest.c - is a device's arithmetic ours? Asked once, when it is opened.
 *
 * A driver may flush denormals, fuse a product into a sum although it was told not to, or have a
 * faulty compiler. So a few hundred rows (plain, denormal, with NaN and infinities, ties, the order
 * that makes every row enter the queue) are scored on the device and by the definition of
 * vector/kernel.h, written down here once more in plain C because this floor cannot see that one. A
 * device that differs in one key is refused. tests/unit/gpu.c holds this definition to vector/'s.
 */
#include "config.h"

#include "gpu/gpu_internal.h"
#include <assert.h>
#include <math.h>
#include <string.h>

enum { ROWS = 320, FLOATS = 80, KEYS = 96, LANES = 8, PARTIALS = 4 * LANES };

static float score(const float *row, const float *query, GpuMetric metric)
{
    float partial[PARTIALS] = {0}, lanes[LANES];
    for (size_t i = 0; i < FLOATS; i++) {
        float term = metric == GPU_L2 ? row[i] - query[i] : row[i];
        term = term * (metric == GPU_L2 ? term : query[i]);
        partial[i % PARTIALS] += term;
    }
    for (size_t i = 0; i < LANES; i++) {
        const float *p = partial + 4 * i;
        lanes[i] = (p[0] + p[1]) + (p[2] + p[3]);
    }
    for (size_t half = LANES / 2; half > 0; half /= 2)
        for (size_t i = 0; i < half; i++)
            lanes[i] = lanes[i] + lanes[i + half];
    return metric == GPU_L2 ? -lanes[0] : lanes[0];
}

static uint64_t key_of(float value, uint32_t row)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    if (bits == 0x80000000) bits = 0;
    bits = isnan(value) ? 0 : bits >> 31 ? ~bits : bits | 0x80000000;
    return (uint64_t)bits << 32 | (uint32_t)~row;
}

/* Keeps `keys` descending; the last falls out. */
static void insert(uint64_t *keys, uint64_t key)
{
    size_t at = KEYS;
    if (key <= keys[KEYS - 1]) return;
    for (at = KEYS - 1; at > 0 && keys[at - 1] < key; at--)
        keys[at] = keys[at - 1];
    keys[at] = key;
}

static void expected(const float *rows, const float *factors, const GpuQuery *query, uint64_t *keys)
{
    memset(keys, 0, KEYS * sizeof *keys);
    for (uint32_t i = 0; i < ROWS; i++) {
        float value = score(rows + (size_t)i * FLOATS, query->query, query->metric);
        if (query->metric == GPU_COSINE) {
            value = (value * factors[i]) * query->factor;
            value = value > 1.0f ? 1.0f : value < -1.0f ? -1.0f : value;
        }
        if (query->metric != GPU_COSINE || factors[i] != 0) insert(keys, key_of(value, i));
    }
}

/* Rows in eighths of different kinds; numbers from a generator of 24 random bits. */
static void make(float *rows, float *factors)
{
    static const float strange[] = {NAN, INFINITY, -INFINITY, -0.0f, 0x1p-149f};
    uint32_t state = 1;
    for (size_t i = 0; i < (size_t)ROWS * FLOATS; i++) {
        size_t row = i / FLOATS, kind = row * 8 / ROWS;
        state = state * 1664525u + 1013904223u;
        float number = (float)((int32_t)(state >> 8) - (1 << 23)) * 0x1p-23f;
        if (kind == 4) number *= 1e-39f;
        if (kind == 5) number *= 1e-20f;
        if (kind == 6) number = (float)(state >> 30);
        if (kind == 7 && state >> 26 == 0) number = strange[row % 5];
        rows[i] = kind == 3 ? (float)row * 0x1p-12f : number;
    }
    for (size_t i = 0; i < ROWS; i++)
        factors[i] = i % 50 == 7 ? 0 : 1.0f / (float)(i + 1);
}

static Error *compare(Gpu *gpu, const float *rows, const float *factors, GpuMetric metric)
{
    uint64_t want[KEYS], got[KEYS] = {0};
    uint32_t count = 0;
    GpuQuery query = {.metric = metric, .query = rows, .factor = 0.07f, .k = KEYS};
    expected(rows, factors, &query, want);
    assert(want[KEYS - 1] != 0);
    TRY(gpu_topk(gpu, 1, 1, &query, got, &count));
    if (count == KEYS && memcmp(want, got, sizeof want) == 0) return NULL;
    return error_new(ERROR_GPU, "%s does not calculate as the CPU does (self-test)",
                     gpu->properties.deviceName);
}

Error *gpu_selftest(Gpu *gpu)
{
    float *rows = mem_alloc((size_t)ROWS * FLOATS * sizeof *rows),
          *factors = mem_alloc(ROWS * sizeof *factors);
    make(rows, factors);
    GpuRows piece = {rows, factors, ROWS};
    Error *error = gpu_put(gpu, 1, 1, &piece, 1, FLOATS);
    for (GpuMetric metric = GPU_DOT; error == NULL && metric <= GPU_COSINE; metric++)
        error = compare(gpu, rows, factors, metric);
    gpu_drop(gpu, 1);
    mem_free(rows);
    mem_free(factors);
    return error;
}
