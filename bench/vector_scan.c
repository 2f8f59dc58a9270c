/*
 * vector_scan.c - the exact scan against the speed at which memory can be read.
 *
 * 1,000,000 clustered rows of 48 floats (stride 64, 256 MB) are scanned for the best 10 under each
 * metric; between the scans the same buffer is summed with the widest loads the machine has, with
 * and without software prefetch (the faster of the two is the bandwidth). All read every byte once,
 * with one thread. Printed: median times of interleaved rounds, and the ratio of the sum's to the
 * scan's, which is the share of the bandwidth that the scan uses.
 *
 *     bench/vector_scan [rows [dimensions [k [rounds]]]]
 */
#include "config.h"

#include "base/clock.h"
#include "bench/measure.h"
#include "bench/sum.h"
#include "vector/scan.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { METRICS = 3, ROUNDS_MAX = 1001, CLUSTERS = 200 };

static uint64_t random_state = 88172645463325252u;

static float random_float(void)
{
    random_state ^= random_state << 13, random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (float)((int32_t)(random_state >> 32)) * 0x1p-31f;
}

typedef struct Bench {
    float *rows, *factors;
    size_t count, dimensions, stride, k;
    float query[VECTOR_DIMENSIONS_MAX];
} Bench;

static Bench bench;

static void make_rows(void)
{
    float *centres = mem_alloc(CLUSTERS * bench.dimensions * sizeof *centres);
    const VectorKernel *kernel = vector_kernel(NULL);
    bench.rows = mem_alloc_aligned(bench.count * bench.stride * sizeof(float), VECTOR_ALIGN_BYTES);
    bench.factors = mem_alloc(bench.count * sizeof(float));
    for (size_t i = 0; i < CLUSTERS * bench.dimensions; i++)
        centres[i] = random_float();
    for (size_t i = 0; i < bench.count; i++) {
        float *row = bench.rows + i * bench.stride;
        const float *centre = centres + random_state % CLUSTERS * bench.dimensions;
        memset(row, 0, bench.stride * sizeof *row);
        for (size_t j = 0; j < bench.dimensions; j++)
            row[j] = centre[j] + 0.4f * random_float();
        bench.factors[i] = vector_factor(kernel, row, bench.stride);
    }
    for (size_t j = 0; j < bench.dimensions; j++)
        bench.query[j] = centres[j] + 0.4f * random_float();
    mem_free(centres);
}

static double milliseconds(void)
{
    const Clock *clock = clock_system();
    return (double)clock->monotonic_ns(clock->state) * 1e-6;
}

static double time_sum(bool ahead)
{
    double from = milliseconds();
    volatile float sink = sum_widest(bench.rows, bench.count * bench.stride, ahead);
    (void)sink;
    return milliseconds() - from;
}

static double time_scan(const VectorKernel *kernel, VectorMetric metric, uint64_t *best)
{
    VectorQuery query;
    VectorBlock block = {bench.rows, bench.factors, NULL, bench.count, 0};
    TopK *top = topk_create(bench.k);
    TopKHit *hits = mem_alloc((bench.k + 1) * sizeof *hits);
    double from = milliseconds();
    vector_query_init(&query, kernel, metric, bench.query, bench.stride);
    vector_scan(kernel, &query, &block, 1, top);
    *best = topk_take(top, hits) > 0 ? hits[0].id : 0;
    double took = milliseconds() - from;
    topk_destroy(top);
    mem_free(hits);
    return took;
}

static void run_level(const char *level, size_t rounds)
{
    static const char *const names[METRICS] = {"dot", "l2", "cosine"};
    static double sums[ROUNDS_MAX], ahead[ROUNDS_MAX], scans[METRICS][ROUNDS_MAX];
    const VectorKernel *kernel = vector_kernel(level);
    double bytes = (double)bench.count * (double)bench.stride * sizeof(float);
    uint64_t best[METRICS];
    if (strcmp(kernel->name, level) != 0) return;
    for (size_t r = 0; r < rounds; r++) {
        sums[r] = time_sum(false);
        ahead[r] = time_sum(true);
        for (size_t m = 0; m < METRICS; m++)
            scans[m][r] = time_scan(kernel, (VectorMetric)m, &best[m]);
    }
    double sum_ms = median(sums, rounds), ahead_ms = median(ahead, rounds);
    printf("%-7s sum  %8.2f ms  %6.2f GB/s, with prefetch %.2f ms\n", level, sum_ms,
           bytes / sum_ms * 1e-6, ahead_ms);
    if (ahead_ms < sum_ms) sum_ms = ahead_ms;
    for (size_t m = 0; m < METRICS; m++) {
        double scan_ms = median(scans[m], rounds);
        printf("%-7s %-6s top %zu %8.2f ms  %6.2f GB/s  ratio %.3f  (best row %llu)\n", level,
               names[m], bench.k, scan_ms, bytes / scan_ms * 1e-6, sum_ms / scan_ms,
               (unsigned long long)best[m]);
    }
}

int main(int argc, char **argv)
{
    bench.count = argc > 1 ? (size_t)atoll(argv[1]) : 1000000;
    bench.dimensions = argc > 2 ? (size_t)atoll(argv[2]) : 48;
    bench.k = argc > 3 ? (size_t)atoll(argv[3]) : 10;
    size_t rounds = argc > 4 ? (size_t)atoll(argv[4]) : 21;
    if (bench.count == 0 || bench.dimensions == 0 || bench.dimensions > VECTOR_DIMENSIONS_MAX ||
        rounds == 0 || rounds > ROUNDS_MAX)
        return fprintf(stderr, "usage: vector_scan [rows [dimensions [k [rounds]]]]\n"), 2;
    bench.stride = vector_stride(bench.dimensions);
    make_rows();
    printf("%zu rows x %zu dimensions (stride %zu), median of %zu rounds\n", bench.count,
           bench.dimensions, bench.stride, rounds);
    run_level("scalar", rounds / 4 + 1);
    run_level("avx2", rounds);
    run_level("avx512", rounds);
    mem_free(bench.rows);
    mem_free(bench.factors);
    return 0;
}
