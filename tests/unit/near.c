/* Codes are what they say, their products are the same integers at every level of SIMD, and order
 * rows as the metrics do. */
#include "config.h"

#include "test.h"
#include "vector/codes.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { LEVELS = 3, STRIDE_MAX = 640, ROWS = 23 };
static const char *const level_names[LEVELS] = {"scalar", "avx2", "avx512"};
static uint32_t random_state = 4711;

static uint32_t random_bits(void)
{
    random_state = random_state * 1664525u + 1013904223u;
    return random_state >> 8;
}

static float random_float(void)
{
    return (float)((int32_t)random_bits() - (1 << 23)) * 0x1p-23f;
}

static int32_t plain_dot(const uint8_t *row, const int8_t *query, size_t stride)
{
    int64_t sum = 0;
    for (size_t i = 0; i < stride; i++)
        sum += (int64_t)row[i] * query[i];
    return (int32_t)sum;
}

static int products_agree(const CodesKernel *kernel, const uint8_t *rows, const int8_t *query,
                          size_t stride)
{
    int32_t out[ROWS];
    uint32_t places[ROWS];
    for (uint32_t i = 0; i < ROWS; i++)
        places[i] = random_bits() % ROWS;
    for (size_t count = 1; count <= ROWS; count++) {
        kernel->dot_rows(rows, count, stride, query, out);
        for (size_t i = 0; i < count; i++)
            if (out[i] != plain_dot(rows + i * stride, query, stride)) return 0;
        kernel->dot_places(rows, places, count, stride, query, out);
        for (size_t i = 0; i < count; i++)
            if (out[i] != plain_dot(rows + places[i] * stride, query, stride)) return 0;
    }
    return kernel->dot(rows, query, stride) == plain_dot(rows, query, stride);
}

/* Random bytes, and those at the ends of what bytes can be: where sums of 16 bits would saturate. */
static void test_products(void)
{
    static uint8_t rows[ROWS * STRIDE_MAX];
    static int8_t query[STRIDE_MAX];
    static const uint8_t row_ends[] = {0, 255, 254};
    static const int8_t query_ends[] = {-128, 127, -127};
    for (size_t level = 0; level < LEVELS; level++) {
        const CodesKernel *kernel = codes_kernel(level_names[level]);
        int good = 1;
        printf("# %s gives %s\n", level_names[level], kernel->name);
        for (size_t stride = 64; stride <= STRIDE_MAX; stride += 64)
            for (size_t kind = 0; kind < 4; kind++) {
                for (size_t i = 0; i < ROWS * stride; i++)
                    rows[i] = kind == 3 ? (uint8_t)random_bits() : row_ends[kind];
                for (size_t i = 0; i < stride; i++)
                    query[i] = kind == 3 ? (int8_t)random_bits() : query_ends[kind];
                good = good && products_agree(kernel, rows, query, stride);
            }
        EXPECT(good);
    }
}

enum { SAMPLE = 3000, DIMENSIONS = 40 };
static float sample[SAMPLE][DIMENSIONS], factors[SAMPLE], minima[DIMENSIONS];
static const float *pointers[SAMPLE];

/* Components between -width and width around 10 * their number. */
static void make_sample(float width)
{
    for (size_t i = 0; i < SAMPLE; i++) {
        float square = 0;
        for (size_t j = 0; j < DIMENSIONS; j++) {
            sample[i][j] = width * random_float() + 10.0f * (float)(j % 3);
            square += sample[i][j] * sample[i][j];
        }
        factors[i] = square > 0 ? 1.0f / sqrtf(square) : 0;
        pointers[i] = sample[i];
    }
}

static void test_codes(void)
{
    Quantizer q;
    uint8_t codes[64];
    int within = 1, padded = 1;
    make_sample(2);
    quantizer_learn(&q, VECTOR_L2, DIMENSIONS, true, pointers, NULL, SAMPLE, minima);
    EXPECT(q.stride == 64 && q.extra == 0 && q.scale > 255 / 4.0f && q.scale < 1.01f * 255 / 4.0f);
    for (size_t i = 0; i < SAMPLE; i++) {
        quantize_row(&q, sample[i], 0, codes);
        for (size_t j = 0; j < DIMENSIONS; j++) {
            float off = fabsf(quantize_value(&q, j, codes[j]) - sample[i][j]);
            within = within && (off <= 0.501f / q.scale || codes[j] == 0 || codes[j] == 255);
        }
        for (size_t j = DIMENSIONS; j < q.stride; j++)
            padded = padded && codes[j] == 0;
    }
    EXPECT(within && padded);
    /* a tie goes to the even code, what lies outside to the ends, what is no number to the lowest */
    float row[DIMENSIONS] = {0}, flat[DIMENSIONS] = {0};
    const float *flat_rows[] = {flat};
    quantizer_learn(&q, VECTOR_L2, DIMENSIONS, false, flat_rows, NULL, 1, minima);
    EXPECT(q.scale == 1);
    row[0] = 0.5f, row[1] = 1.5f, row[2] = 2.5f, row[3] = -7, row[4] = 1e30f, row[5] = NAN,
    row[6] = INFINITY;
    quantize_row(&q, row, 0, codes);
    EXPECT(codes[0] == 0 && codes[1] == 2 && codes[2] == 2 && codes[3] == 0 && codes[4] == 255 &&
           codes[5] == 0 && codes[6] == 255);
    /* components as far apart as floats can be */
    float low[DIMENSIONS], high[DIMENSIONS];
    for (size_t j = 0; j < DIMENSIONS; j++)
        low[j] = -3e38f, high[j] = 3e38f;
    const float *far_rows[] = {low, high};
    quantizer_learn(&q, VECTOR_DOT, DIMENSIONS, true, far_rows, NULL, 2, minima);
    quantize_row(&q, low, 0, codes);
    EXPECT(q.scale > 0 && codes[0] == 0 && q.extra <= QUANTIZE_EXTRA_MAX);
}

static void test_constants(void)
{
    uint8_t x[128], y[128];
    int8_t as_query[128];
    int good = 1;
    const CodesKernel *kernel = codes_kernel(NULL);
    for (int round = 0; round < 200; round++) {
        int32_t square = 0, distance = 0;
        for (size_t i = 0; i < sizeof x; i++) {
            x[i] = round == 0 ? 255 : (uint8_t)random_bits();
            y[i] = round == 0 ? 0 : (uint8_t)random_bits();
            square += x[i] * x[i];
            distance += (x[i] - y[i]) * (x[i] - y[i]);
        }
        quantize_as_query(y, sizeof y, as_query);
        int32_t constant = quantize_constant(x, sizeof x);
        good = good && quantize_square(x, sizeof x) == square && constant <= 0 &&
               constant >= -16384 * (int32_t)sizeof x &&
               constant - 2 * kernel->dot(x, as_query, sizeof x) + quantize_square(y, sizeof y) ==
                   distance;
    }
    EXPECT(good);
}

/* Of pairs of rows whose scores differ by more than steps can hide, how many stand in the order of
 * their scores? All. */
static void test_order(VectorMetric metric, float width)
{
    Quantizer q;
    const CodesKernel *kernel = codes_kernel(NULL);
    static uint8_t codes[SAMPLE][192];
    static float scores[SAMPLE];
    static int32_t ranks[SAMPLE];
    int8_t query[192];
    int good = 1;
    float lowest = INFINITY, highest = -INFINITY;
    make_sample(width);
    quantizer_learn(&q, metric, DIMENSIONS, true, pointers, factors, SAMPLE, minima);
    EXPECT(q.stride <= sizeof codes[0]);
    quantize_query(&q, sample[7], factors[7], query);
    for (size_t i = 0; i < SAMPLE; i++) {
        float score = 0;
        for (size_t j = 0; j < DIMENSIONS; j++) {
            float off = sample[i][j] - sample[7][j];
            score += metric == VECTOR_L2 ? -off * off : sample[i][j] * sample[7][j];
        }
        scores[i] = metric == VECTOR_COSINE ? score * factors[i] : score;
        quantize_row(&q, sample[i], factors[i], codes[i]);
        int32_t dot = kernel->dot(codes[i], query, q.stride);
        ranks[i] = metric == VECTOR_DOT ? -dot : quantize_constant(codes[i], q.stride) - 2 * dot;
        if (scores[i] < lowest) lowest = scores[i];
        if (scores[i] > highest) highest = scores[i];
    }
    for (size_t i = 0; i < SAMPLE; i++)
        for (size_t j = 0; j < SAMPLE; j += 7)
            if (scores[i] > scores[j] + (highest - lowest) / 25) good = good && ranks[i] < ranks[j];
    EXPECT(good);
}

int main(void)
{
    test_products();
    test_codes();
    test_constants();
    test_order(VECTOR_L2, 2);
    test_order(VECTOR_L2, 1e-15f);
    test_order(VECTOR_COSINE, 20);
    test_order(VECTOR_DOT, 2);
    test_order(VECTOR_DOT, 20);
    return DONE();
}
