/* Scores have the same bits at every level of SIMD, in every form; the best k are those of a full
 * sort. */
#include "config.h"

#include "test.h"
#include "vector/scan.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { FLOATS_MAX = 224, ROWS = 23, LEVELS = 3 };
static const char *const level_names[LEVELS] = {"scalar", "avx2", "avx512"};
static uint32_t random_state = 12345;

static uint32_t random_bits(void)
{
    random_state = random_state * 1664525u + 1013904223u;
    return random_state >> 8;
}

static float random_float(void)
{
    return (float)((int32_t)random_bits() - (1 << 23)) * 0x1p-23f;
}

static int same_bits(float a, float b)
{
    return memcmp(&a, &b, sizeof a) == 0 || (isnan(a) && isnan(b));
}

/* The definition once more, written down without any cleverness. */
static float plain_score(const float *row, const float *query, size_t stride, int l2)
{
    volatile float partial[32] = {0}, lanes[8];
    for (size_t i = 0; i < stride; i++) {
        volatile float term = l2 ? row[i] - query[i] : row[i];
        term = term * (l2 ? term : query[i]);
        partial[i % 32] = partial[i % 32] + term;
    }
    for (size_t i = 0; i < 8; i++) {
        volatile float a = partial[4 * i] + partial[4 * i + 1],
                       b = partial[4 * i + 2] + partial[4 * i + 3];
        lanes[i] = a + b;
    }
    for (size_t half = 4; half > 0; half /= 2)
        for (size_t i = 0; i < half; i++)
            lanes[i] = lanes[i] + lanes[i + half];
    return l2 ? -lanes[0] : lanes[0];
}

/* All forms of a level, for 1 to ROWS rows, against the plain definition. */
static int level_agrees(const VectorKernel *kernel, const float *rows, const float *query,
                        size_t stride)
{
    float want_dot[ROWS], want_l2[ROWS], got[4][ROWS];
    const float *pointers[ROWS];
    for (size_t i = 0; i < ROWS; i++) {
        want_dot[i] = plain_score(rows + i * stride, query, stride, 0);
        want_l2[i] = plain_score(rows + i * stride, query, stride, 1);
        pointers[ROWS - 1 - i] = rows + i * stride;
    }
    for (size_t count = 1; count <= ROWS; count++) {
        kernel->dot_rows(rows, count, stride, query, got[0]);
        kernel->l2_rows(rows, count, stride, query, got[1]);
        kernel->dot_pointers(pointers, count, stride, query, got[2]);
        kernel->l2_pointers(pointers, count, stride, query, got[3]);
        for (size_t i = 0; i < count; i++)
            if (!same_bits(got[0][i], want_dot[i]) || !same_bits(got[1][i], want_l2[i]) ||
                !same_bits(got[2][i], want_dot[ROWS - 1 - i]) ||
                !same_bits(got[3][i], want_l2[ROWS - 1 - i]))
                return 0;
    }
    for (size_t i = 0; i < ROWS; i++)
        if (!same_bits(kernel->dot(pointers[i], query, stride), want_dot[ROWS - 1 - i]) ||
            !same_bits(kernel->l2(pointers[i], query, stride), want_l2[ROWS - 1 - i]) ||
            !same_bits(vector_factor(kernel, pointers[i], stride),
                       vector_factor(vector_kernel("scalar"), pointers[i], stride)))
            return 0;
    return 1;
}

static int levels_agree(const float *rows, const float *query, size_t stride)
{
    for (size_t i = 0; i < LEVELS; i++)
        if (!level_agrees(vector_kernel(level_names[i]), rows, query, stride)) return 0;
    return 1;
}

/* kind 0: plain; 1: few values; 2: denormals and numbers whose squares vanish; 3: NaN and infinity
 * here and there; 4: huge. */
static void make_rows(float *rows, size_t count, size_t dimensions, size_t stride, int kind)
{
    static const float strange[] = {NAN, INFINITY, -INFINITY, -0.0f, 0x1p-149f};
    memset(rows, 0, count * stride * sizeof *rows);
    for (size_t i = 0; i < count * stride; i++) {
        if (i % stride >= dimensions) continue;
        rows[i] = random_float();
        if (kind == 1) rows[i] = (float)((int)random_bits() % 3);
        if (kind == 2) rows[i] *= random_bits() % 2 ? 1e-39f : 1e-20f;
        if (kind == 3 && random_bits() % 40 == 0) rows[i] = strange[random_bits() % 5];
        if (kind == 4) rows[i] *= 1e20f;
    }
}

static void test_levels(void)
{
    float *rows = malloc(ROWS * FLOATS_MAX * sizeof *rows), query[FLOATS_MAX];
    for (int kind = 0; kind < 5; kind++) {
        int good = 1;
        for (size_t dimensions = 1; dimensions <= 200; dimensions++) {
            size_t stride = vector_stride(dimensions);
            make_rows(rows, ROWS, dimensions, stride, kind);
            make_rows(query, 1, dimensions, stride, kind == 3 ? 0 : kind);
            good = good && levels_agree(rows, query, stride);
        }
        EXPECT(good);
    }
    free(rows);
    for (size_t i = 0; i < LEVELS; i++)
        printf("# %s gives %s\n", level_names[i], vector_kernel(level_names[i])->name);
}

static void test_order(void)
{
    static const float ascending[] = {-INFINITY, -1, -0x1p-149f, 0, 0x1p-149f, 1, INFINITY};
    EXPECT(vector_orderable(NAN) == 0 && vector_orderable(-NAN) == 0);
    EXPECT(vector_orderable(-0.0f) == vector_orderable(0.0f));
    EXPECT(isnan(vector_score_of(0)));
    int good = vector_orderable(-INFINITY) > 0;
    for (size_t i = 0; i < sizeof ascending / sizeof *ascending; i++) {
        good = good && vector_score_of(vector_orderable(ascending[i])) == ascending[i];
        if (i > 0)
            good = good && vector_orderable(ascending[i - 1]) < vector_orderable(ascending[i]);
    }
    EXPECT(good);
    EXPECT(vector_key(1, 7) > vector_key(1, 8) && vector_key_row(vector_key(-2, 9)) == 9);
    float zero[32] = {0};
    EXPECT(vector_factor(vector_kernel(NULL), zero, 32) == 0);
}

static int better_first(const void *a, const void *b)
{
    const TopKHit *x = a, *y = b;
    uint32_t i = vector_orderable(x->score), j = vector_orderable(y->score);
    if (i != j) return i > j ? -1 : 1;
    return x->id < y->id ? -1 : x->id > y->id;
}

static int same_hits(const TopKHit *a, const TopKHit *b, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (a[i].id != b[i].id || vector_orderable(a[i].score) != vector_orderable(b[i].score))
            return 0;
    return 1;
}

static void test_topk(void)
{
    enum { COUNT = 3000 };
    static const size_t sizes[] = {0, 1, 2, 10, 100, 2999, 3000, 5000};
    static TopKHit all[COUNT], want[COUNT], got[COUNT];
    for (int kind = 0; kind < 3; kind++) {
        for (size_t i = 0; i < COUNT; i++) {
            float score = kind == 1 ? (float)(random_bits() % 5) : random_float();
            if (kind == 2 && i % 3 != 0) score = NAN;
            all[i] = (TopKHit){((uint64_t)random_bits() << 32) + i, score};
        }
        memcpy(want, all, sizeof all);
        qsort(want, COUNT, sizeof *want, better_first);
        for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
            size_t count = sizes[s] < COUNT ? sizes[s] : COUNT;
            TopK *top = topk_create(sizes[s]);
            for (size_t i = 0; i < COUNT; i++)
                if (!(all[i].score < topk_floor(top))) topk_offer(top, all[i].score, all[i].id);
            EXPECT(topk_count(top) == count && topk_take(top, got) == count &&
                   same_hits(got, want, count) && topk_count(top) == 0);
            topk_destroy(top);
        }
    }
}

/* A scan over three blocks, one with a bitmap, against scoring each row and sorting. */
static int scan_agrees(const VectorKernel *kernel, VectorMetric metric, int kind, size_t dimensions,
                       size_t k)
{
    enum { COUNT = 1500, BLOCKS = 3 };
    size_t stride = vector_stride(dimensions), hit_count = 0;
    float *rows = malloc(COUNT * stride * sizeof *rows), *factors = malloc(COUNT * sizeof *factors);
    float *padded = calloc(stride, sizeof *padded);
    TopKHit *want = malloc(COUNT * sizeof *want), *got = malloc(COUNT * sizeof *got);
    uint64_t present[COUNT / 64 + 1];
    make_rows(rows, COUNT, dimensions, stride, kind);
    make_rows(padded, 1, dimensions, stride, 0);
    memset(rows + 17 * stride, 0, stride * sizeof *rows);
    for (size_t i = 0; i < COUNT; i++)
        factors[i] = vector_factor(kernel, rows + i * stride, stride);
    for (size_t w = 0; w < COUNT / 64 + 1; w++)
        present[w] = w % 4 == 0   ? UINT64_MAX
                     : w % 4 == 1 ? 0
                                  : (uint64_t)random_bits() << 40 | random_bits();
    VectorQuery query;
    vector_query_init(&query, kernel, metric, padded, stride);
    VectorBlock blocks[BLOCKS] = {{rows, factors, NULL, 300, 5},
                                  {rows + 300 * stride, factors + 300, present, 1130, 1u << 20},
                                  {rows + 1430 * stride, factors + 1430, NULL, 70, 1ull << 40}};
    for (size_t b = 0; b < BLOCKS; b++)
        for (size_t i = 0; i < blocks[b].count; i++) {
            const float *row = blocks[b].rows + i * stride;
            float factor = blocks[b].factors[i];
            if (b == 1 && !(present[i / 64] >> i % 64 & 1)) continue;
            if (metric == VECTOR_COSINE && factor == 0) continue;
            want[hit_count++] =
                (TopKHit){blocks[b].first_id + i, vector_score(kernel, &query, row, factor)};
        }
    qsort(want, hit_count, sizeof *want, better_first);
    TopK *top = topk_create(k);
    vector_scan(kernel, &query, blocks, BLOCKS, top);
    size_t count = topk_take(top, got);
    int good = count == (k < hit_count ? k : hit_count) && same_hits(got, want, count);
    topk_destroy(top);
    free(rows), free(factors), free(padded), free(want), free(got);
    return good;
}

static void test_scan(void)
{
    static const size_t sizes[] = {1, 10, 333, 5000};
    for (size_t level = 0; level < LEVELS; level++)
        for (int metric = VECTOR_DOT; metric <= VECTOR_COSINE; metric++) {
            int good = 1;
            for (int kind = 0; kind < 5; kind++)
                for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
                    good = good && scan_agrees(vector_kernel(level_names[level]),
                                               (VectorMetric)metric, kind, 5 + 43 * s, sizes[s]);
            EXPECT(good);
        }
    float zero[32] = {0}, rows[32] = {1}, factor = 1;
    VectorQuery query;
    vector_query_init(&query, vector_kernel(NULL), VECTOR_COSINE, zero, 32);
    TopK *top = topk_create(3);
    vector_scan(vector_kernel(NULL), &query, &(VectorBlock){rows, &factor, NULL, 1, 0}, 1, top);
    EXPECT(topk_count(top) == 0);
    topk_destroy(top);
}

int main(void)
{
    test_levels();
    test_order();
    test_topk();
    test_scan();
    return DONE();
}
