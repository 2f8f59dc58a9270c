/* Codes are what they say, their products are the same integers at every level of SIMD, and order
 * rows as the metrics do. An index finds nearly what an exact search does, is made of the same bytes
 * by any number of threads at any level, and withstands damage. */
#include "config.h"

#include "runtime/workers.h"
#include "test.h"
#include "vector/near.h"
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

/* ---- the index ---- */

enum { COUNT = 3000, WIDTH = 24, QUERIES = 60, K = 10 };
typedef struct Data {
    size_t count, from; /* ids are from + 2 * i */
    float rows[COUNT][32];
    float factors[COUNT];
} Data;
static Data data;
static Workers *pool;

/* kind 0: around 40 centers, of different lengths; 1: each row a hundred times; 2: all the same. */
static void make_data(size_t count, int kind)
{
    static float centers[40][WIDTH];
    memset(&data, 0, sizeof data);
    data.count = count;
    for (size_t i = 0; i < 40; i++)
        for (size_t j = 0; j < WIDTH; j++)
            centers[i][j] = 4 * random_float() * (1 + (float)(i % 3));
    for (size_t i = 0; i < count; i++) {
        const float *center = centers[random_bits() % 40];
        for (size_t j = 0; j < WIDTH; j++)
            data.rows[i][j] = center[j] + random_float();
        if (kind == 1 && i >= 30) memcpy(data.rows[i], data.rows[i % 30], sizeof data.rows[i]);
        if (kind == 2) memcpy(data.rows[i], data.rows[0], sizeof data.rows[i]);
        data.factors[i] = vector_factor(vector_kernel("scalar"), data.rows[i], 32);
    }
}

static const float *give_row(void *user, size_t i, uint32_t *id, float *factor)
{
    const Data *from = user;
    *id = (uint32_t)(2 * (from->from + i));
    *factor = from->factors[from->from + i];
    return from->rows[from->from + i];
}

static NearOptions options_of(VectorMetric metric)
{
    return (NearOptions){
        .metric = metric, .dimensions = WIDTH, .ef_construction = 100, .threads = 1};
}

static NearIndex *build_data(VectorMetric metric, unsigned threads, const char *simd)
{
    NearOptions options = options_of(metric);
    NearRows rows = {&data, data.count, give_row};
    options.threads = threads;
    options.workers = pool;
    options.simd = simd;
    data.from = 0;
    return near_build(&options, &rows);
}

static float score_of(VectorMetric metric, const float *query, size_t i)
{
    const VectorKernel *kernel = vector_kernel("scalar");
    VectorQuery q;
    vector_query_init(&q, kernel, metric, query, 32);
    return vector_score(kernel, &q, data.rows[i], data.factors[i]);
}

/* How many of the K best scores are among those of the first 40 candidates? */
static size_t found_of(const NearIndex *index, const float *query, size_t ef)
{
    static float all[COUNT];
    uint32_t ids[NEAR_EF_MAX];
    VectorQuery q;
    VectorMetric metric = near_metric(index);
    vector_query_init(&q, vector_kernel(NULL), metric, query, 32);
    size_t count = near_search(index, codes_kernel(NULL), &q, ef, ids), found = 0, better;
    for (size_t i = 0; i < data.count; i++)
        all[i] = score_of(metric, query, i);
    for (size_t i = 0; i < count && i < 40; i++) {
        better = 0;
        for (size_t j = 0; j < data.count; j++)
            better += all[j] > all[ids[i] / 2];
        found += better < K;
    }
    return found < K ? found : K;
}

static double recall(const NearIndex *index, size_t ef)
{
    size_t found = 0;
    float query[32] = {0};
    for (int i = 0; i < QUERIES; i++) {
        size_t near = random_bits() % data.count;
        for (size_t j = 0; j < WIDTH; j++)
            query[j] = data.rows[near][j] + 0.7f * random_float();
        found += found_of(index, query, ef);
    }
    return (double)found / (QUERIES * K);
}

static void test_recall(void)
{
    make_data(COUNT, 0);
    for (int metric = VECTOR_DOT; metric <= VECTOR_COSINE; metric++) {
        NearIndex *index = build_data((VectorMetric)metric, 1, NULL);
        double few = recall(index, 20), more = recall(index, 200);
        printf("# metric %d: recall %.3f at ef 20, %.3f at 200\n", metric, few, more);
        EXPECT(few > 0.8 && more > 0.99);
        EXPECT(near_fault(index, NULL) == NULL && near_count(index) == COUNT);
        EXPECT(metric == VECTOR_DOT || near_bytes(index) < COUNT * (64 + 4 + 128 + 4) + 4096);
        near_free(index);
    }
}

static int same_parts(const NearIndex *a, const NearIndex *b)
{
    Buffer first = {0}, second = {0};
    NearParts one, other;
    near_parts(a, &first, &one);
    near_parts(b, &second, &other);
    int same = 1;
    for (int part = 0; part < NEAR_PART_COUNT; part++)
        same = same && one.bytes[part] == other.bytes[part] &&
               memcmp(one.data[part], other.data[part], one.bytes[part]) == 0;
    buffer_free(&first);
    buffer_free(&second);
    return same;
}

static void test_same(void)
{
    for (int kind = 0; kind < 2; kind++)
        for (int metric = VECTOR_DOT; metric <= VECTOR_COSINE - kind; metric++) {
            make_data(COUNT / 2, kind);
            NearIndex *one = build_data((VectorMetric)metric, 1, "scalar");
            int same = 1;
            for (unsigned threads = 1; threads <= 3; threads += 2)
                for (size_t level = 0; level < LEVELS; level++) {
                    NearIndex *other =
                        build_data((VectorMetric)metric, threads, level_names[level]);
                    same = same && near_hash(one) == near_hash(other) && same_parts(one, other);
                    near_free(other);
                }
            EXPECT(same);
            near_free(one);
        }
}

/* Any level finds the same, in the same order. */
static void test_same_search(void)
{
    make_data(COUNT, 0);
    for (int metric = VECTOR_DOT; metric <= VECTOR_COSINE; metric++) {
        NearIndex *index = build_data((VectorMetric)metric, 1, NULL);
        int same = 1;
        for (size_t i = 0; i < COUNT; i += 50) {
            uint32_t want[64], got[64];
            VectorQuery q;
            vector_query_init(&q, vector_kernel("scalar"), (VectorMetric)metric, data.rows[i], 32);
            size_t count = near_search(index, codes_kernel("scalar"), &q, 64, want);
            for (size_t level = 0; level < LEVELS; level++)
                same = same &&
                       near_search(index, codes_kernel(level_names[level]), &q, 64, got) == count &&
                       memcmp(got, want, count * sizeof *got) == 0;
        }
        EXPECT(same);
        near_free(index);
    }
}

/* Few rows, rows again and again: each can be reached, and with ef as large all are found. */
static void test_small(void)
{
    int reachable = 1, all = 1;
    for (size_t count = 0; count < 150; count++) {
        uint32_t ids[NEAR_EF_MAX];
        VectorQuery q;
        make_data(count, (int)(count % 3));
        NearIndex *index = build_data(VECTOR_L2, 2, NULL);
        vector_query_init(&q, vector_kernel(NULL), VECTOR_L2, data.rows[0], 32);
        reachable = reachable && near_fault(index, NULL) == NULL;
        all = all && near_search(index, codes_kernel(NULL), &q, NEAR_EF_MAX, ids) == count;
        near_free(index);
    }
    EXPECT(reachable && all);
    for (int kind = 1; kind <= 2; kind++) {
        make_data(COUNT, kind);
        NearIndex *index = build_data(VECTOR_COSINE, 2, NULL);
        const char *fault = near_fault(index, NULL);
        printf("# kind %d: %s\n", kind, fault == NULL ? "sound" : fault);
        EXPECT(fault == NULL);
        near_free(index);
    }
}

/* Of `near_count` rows given, in whatever order they lie. */
static int has_each_once(const NearIndex *index)
{
    static uint8_t times[COUNT];
    int good = 1;
    memset(times, 0, sizeof times);
    for (size_t i = 0; i < near_count(index); i++)
        times[near_ids(index)[i] / 2]++;
    for (size_t i = 0; i < near_count(index); i++)
        good = good && times[i] == 1;
    return good;
}

static void test_extend(void)
{
    make_data(COUNT, 0);
    NearOptions options = options_of(VECTOR_L2);
    NearRows rows = {&data, 2000, give_row};
    NearIndex *base = near_build(&options, &rows);
    uint64_t hash = near_hash(base);
    data.from = 2000;
    rows.count = COUNT - 2000;
    NearIndex *one = near_extend(base, &options, &rows);
    options.threads = 3;
    options.workers = pool;
    NearIndex *other = near_extend(base, &options, &rows);
    double found = recall(one, 60);
    printf("# recall of an extended one: %.3f\n", found);
    EXPECT(near_count(one) == COUNT && near_fault(one, NULL) == NULL && found > 0.95);
    EXPECT(same_parts(one, other) && near_hash(base) == hash);
    EXPECT(has_each_once(one) && has_each_once(base));
    near_free(one);
    near_free(other);
    near_free(base);
    /* from nothing */
    rows.count = 0;
    base = near_build(&options, &rows);
    data.from = 0;
    rows.count = 100;
    one = near_extend(base, &options, &rows);
    EXPECT(near_count(base) == 0 && near_count(one) == 100 && near_fault(one, NULL) == NULL);
    near_free(base);
    near_free(one);
}

static bool stop_at(void *user, uint64_t done, uint64_t count)
{
    uint64_t *last = user;
    bool good = done >= *last && done <= count && count == COUNT;
    *last = good ? done : COUNT;
    return done > 1000 || !good;
}

static void test_tell(void)
{
    uint64_t last = 0;
    make_data(COUNT, 0);
    NearOptions options = options_of(VECTOR_L2);
    NearRows rows = {&data, COUNT, give_row};
    options.tell = stop_at;
    options.user = &last;
    EXPECT(near_build(&options, &rows) == NULL && last > 1000 && last < COUNT);
}

/* Few of many wanted: looking at those; most of them: searching, farther. */
static void test_choice(void)
{
    make_data(COUNT, 0);
    NearIndex *index = build_data(VECTOR_L2, 1, NULL);
    EXPECT(near_exact_is_cheaper(index, 64, 0) && near_exact_is_cheaper(index, 64, 100));
    EXPECT(!near_exact_is_cheaper(index, 20, COUNT));
    EXPECT(near_ef(index, 50, COUNT / 2) == 100 && near_ef(index, 50, COUNT) == 50);
    EXPECT(near_ef(index, 50, 1) == NEAR_EF_MAX && near_ef(index, 50, 0) == 50);
    near_free(index);
}

typedef struct Copy {
    uint8_t *memory[NEAR_PART_COUNT];
    Buffer parameters;
    NearParts parts;
} Copy;

static void copy_parts(const NearIndex *index, Copy *out)
{
    *out = (Copy){0};
    near_parts(index, &out->parameters, &out->parts);
    for (int part = 0; part < NEAR_PART_COUNT; part++) {
        out->memory[part] = malloc(out->parts.bytes[part] + 1);
        memcpy(out->memory[part], out->parts.data[part], out->parts.bytes[part]);
        out->parts.data[part] = out->memory[part];
    }
}

static void free_copy(Copy *copy)
{
    for (int part = 0; part < NEAR_PART_COUNT; part++)
        free(copy->memory[part]);
    buffer_free(&copy->parameters);
}

/* What lies in a file finds what was built; of other sizes it is refused. */
static void test_parts(void)
{
    Copy copy;
    NearIndex *attached;
    make_data(COUNT, 0);
    NearIndex *index = build_data(VECTOR_DOT, 1, NULL);
    copy_parts(index, &copy);
    Error *error = near_attach(&copy.parts, &attached);
    EXPECT(error == NULL && same_parts(index, attached) && near_fault(attached, NULL) == NULL &&
           near_dimensions(attached) == WIDTH && near_ef_construction(attached) == 100 &&
           near_metric(attached) == VECTOR_DOT);
    EXPECT(found_of(index, data.rows[5], 50) == found_of(attached, data.rows[5], 50));
    EXPECT(!near_exact_is_cheaper(attached, 20, COUNT));
    near_free(attached);
    int refused = 1;
    for (int part = 0; part < NEAR_PART_COUNT; part++)
        for (int off = -4; off <= 4; off += 8) {
            NearParts other = copy.parts;
            other.bytes[part] += (size_t)off;
            if (part == NEAR_PARAMETERS && off > 0) continue; /* read beyond what there is */
            error = near_attach(&other, &attached);
            refused = refused && error_code(error) == ERROR_CORRUPT;
            error_drop(error);
        }
    EXPECT(refused);
    free_copy(&copy);
    near_free(index);
}

static uint32_t *number_at(Copy *copy, size_t at)
{
    return (uint32_t *)(void *)(copy->memory[NEAR_PARAMETERS] + 4 * at);
}

/* Is it refused with that number in its parameters? */
static int refused_with(Copy *copy, size_t at, uint32_t number)
{
    NearIndex *attached = NULL;
    uint32_t kept = *number_at(copy, at);
    *number_at(copy, at) = number;
    Error *error = near_attach(&copy->parts, &attached);
    int refused = error_code(error) == ERROR_CORRUPT;
    if (error == NULL) near_free(attached);
    error_drop(error);
    *number_at(copy, at) = kept;
    return refused;
}

/* Groups of rows to begin from: those of a file without them are found as well, and such as lie nowhere
 * are refused. */
static void test_groups(void)
{
    enum { GROUPS = 6 + 8 + 2 + WIDTH }; /* where their number stands */
    Copy copy;
    NearIndex *attached;
    make_data(COUNT, 0);
    NearIndex *index = build_data(VECTOR_L2, 1, NULL);
    double grouped = recall(index, 20), spread;
    copy_parts(index, &copy);
    uint32_t groups = *number_at(&copy, GROUPS);
    EXPECT(*number_at(&copy, 0) == 2 && groups >= 4 && groups <= 64);
    EXPECT(copy.parts.bytes[NEAR_PARAMETERS] == 4 * (GROUPS + 1 + groups + 1));
    EXPECT(refused_with(&copy, GROUPS, 0) && refused_with(&copy, GROUPS, 68) &&
           refused_with(&copy, GROUPS, UINT32_MAX));
    EXPECT(refused_with(&copy, GROUPS + 1, 1)); /* the first begins at row 0 */
    EXPECT(refused_with(&copy, GROUPS + 3, *number_at(&copy, GROUPS + 2))); /* none is empty */
    EXPECT(
        refused_with(&copy, GROUPS + 1 + groups, COUNT - 2)); /* there are rows behind the last */
    EXPECT(refused_with(&copy, 0, 1)); /* its size is that of the other format */
    *number_at(&copy, 0) = 1;
    copy.parts.bytes[NEAR_PARAMETERS] = 4 * (size_t)GROUPS;
    Error *error = near_attach(&copy.parts, &attached);
    EXPECT(error == NULL && near_fault(attached, NULL) == NULL &&
           near_hash(attached) == near_hash(index));
    spread = recall(attached, 20);
    printf("# recall at ef 20 with groups %.3f, without %.3f\n", grouped, spread);
    EXPECT(grouped > 0.95 && spread > 0.95);
    near_free(attached);
    free_copy(&copy);
    near_free(index);
}

/* Bytes changed anywhere: refused, or a search that ends and gives at most so many. */
static void test_damage(void)
{
    make_data(300, 0);
    NearIndex *index = build_data(VECTOR_COSINE, 1, NULL), *attached;
    int good = 1, attached_count = 0;
    for (int round = 0; round < 2000; round++) {
        Copy copy;
        VectorQuery q;
        uint32_t ids[50];
        copy_parts(index, &copy);
        for (int i = 0; i < 20; i++) {
            int part = (int)(random_bits() % NEAR_PART_COUNT);
            if (part == NEAR_PARAMETERS && round % 4 != 0) continue;
            copy.memory[part][random_bits() % copy.parts.bytes[part]] = (uint8_t)random_bits();
        }
        Error *error = near_attach(&copy.parts, &attached);
        if (error == NULL && near_metric(attached) == VECTOR_COSINE) {
            vector_query_init(&q, vector_kernel(NULL), VECTOR_COSINE, data.rows[7], 32);
            good = good && near_search(attached, codes_kernel(NULL), &q, 50, ids) <= 50;
            (void)near_fault(attached, NULL);
            attached_count++;
        }
        if (error == NULL) near_free(attached);
        error_drop(error);
        free_copy(&copy);
    }
    printf("# %d of 2000 were searched\n", attached_count);
    EXPECT(good && attached_count > 1000);
    near_free(index);
}

/* What a copy is held against. */
typedef struct Sound {
    const Copy *copy;
    NearParts parts; /* as they were written */
    size_t asked, refused;
} Sound;

static bool is_sound(void *user, const void *memory, size_t bytes)
{
    Sound *sound = user;
    sound->asked++;
    for (int part = 0; part < NEAR_PART_COUNT; part++) {
        size_t from = (size_t)((const uint8_t *)memory - sound->copy->memory[part]);
        if (from >= sound->parts.bytes[part]) continue;
        bool same = memcmp(memory, (const char *)sound->parts.data[part] + from, bytes) == 0;
        sound->refused += !same;
        return same;
    }
    return false;
}

static size_t search(const NearIndex *index, uint32_t ids[50])
{
    VectorQuery q;
    vector_query_init(&q, vector_kernel(NULL), VECTOR_L2, data.rows[7], 32);
    return near_search(index, codes_kernel(NULL), &q, 50, ids);
}

/* A bit of a file changed: a search finds what it found, or nothing, and who keeps checksums knows. What
 * was asked for once is not asked for again. */
static void test_sound(void)
{
    make_data(COUNT, 0);
    NearIndex *index = build_data(VECTOR_L2, 1, NULL), *attached;
    Buffer parameters = {0};
    uint32_t want[50], got[50];
    size_t count = search(index, want), wrong = 0, refused = 0, same = 0;
    for (int round = 0; round <= 400; round++) {
        Copy copy;
        copy_parts(index, &copy);
        Sound sound = {.copy = &copy};
        near_parts(index, &parameters, &sound.parts);
        copy.parts.is_sound = is_sound, copy.parts.user = &sound;
        int part = NEAR_CODES + round % (NEAR_PART_COUNT - 1);
        uint8_t *at = &copy.memory[part][random_bits() % copy.parts.bytes[part]];
        if (round > 0) *at ^= (uint8_t)(1u << random_bits() % 8);
        Error *error = near_attach(&copy.parts, &attached);
        if (error != NULL) abort();
        wrong += sound.asked != 0;
        size_t found = search(attached, got);
        if (sound.refused > 0)
            refused++, wrong += found != 0;
        else
            same++, wrong += found != count || memcmp(want, got, count * sizeof *got) != 0;
        wrong += near_is_sound(attached) != (round == 0);
        size_t asked = sound.asked;
        wrong += round == 0 && (search(attached, got) != count || sound.asked != asked);
        near_free(attached);
        free_copy(&copy);
    }
    printf("# a bit changed: %zu searches refused, %zu as before\n", refused, same);
    EXPECT(wrong == 0 && refused > 100 && same > 0);
    buffer_free(&parameters);
    near_free(index);
}

/* What near_fault is for. */
static void test_fault(void)
{
    NearIndex *attached;
    make_data(500, 0);
    NearIndex *index = build_data(VECTOR_L2, 1, NULL);
    static const char *const faults[] = {
        "a link leads nowhere", "a row is linked to itself", "a row has a link twice",
        "a row's constant is not that of its codes", "a row cannot be reached"};
    for (size_t kind = 0; kind < sizeof faults / sizeof *faults; kind++) {
        Copy copy;
        copy_parts(index, &copy);
        uint32_t *links = (uint32_t *)(void *)copy.memory[NEAR_LINK_TABLE];
        if (kind == 0) links[33] = 500;
        if (kind == 1) links[33] = 1;
        if (kind == 2) links[33] = links[32];
        if (kind == 3) copy.memory[NEAR_CODES][64 * 7] ^= 1;
        for (size_t i = 0; kind == 4 && i < (size_t)500 * NEAR_LINKS; i++)
            links[i] = UINT32_MAX;
        Error *error = near_attach(&copy.parts, &attached);
        const char *fault = error == NULL ? near_fault(attached, NULL) : "";
        EXPECT(fault != NULL && strcmp(fault, faults[kind]) == 0);
        if (error == NULL) near_free(attached);
        error_drop(error);
        free_copy(&copy);
    }
    near_free(index);
}

int main(void)
{
    pool = workers_create(NULL);
    test_recall();
    test_same();
    test_same_search();
    test_small();
    test_extend();
    test_tell();
    test_choice();
    test_parts();
    test_groups();
    test_damage();
    test_sound();
    test_fault();
    test_products();
    test_codes();
    test_constants();
    test_order(VECTOR_L2, 2);
    test_order(VECTOR_L2, 1e-15f);
    test_order(VECTOR_COSINE, 20);
    test_order(VECTOR_DOT, 2);
    test_order(VECTOR_DOT, 20);
    workers_destroy(pool);
    return DONE();
}
