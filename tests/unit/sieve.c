/* A scan through codes answers as a scan of the rows does, whatever they hold: ids, order, bits of
 * scores. And why: no score is above its row's bound. */
#include "config.h"

#include "test.h"
#include "vector/sieve.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 2048, QUERIES = 3, LEVELS = 3 };
static const char *const level_names[LEVELS] = {"scalar", "avx2", "avx512"};
static uint64_t random_state = 88172645463325252u;

static uint64_t random_bits(void)
{
    random_state ^= random_state << 13, random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state >> 11;
}

static float random_float(void)
{
    return (float)((int32_t)random_bits()) * 0x1p-31f;
}

typedef enum Kind {
    CLUSTERED,
    UNIFORM,
    NOT_NEGATIVE, /* as counts are */
    FAR_AWAY,     /* close to each other, far from the origin */
    FEW,          /* equal rows */
    OPPOSITE,     /* to each other, so that cosines are -1 and 1, or beyond by rounding */
    MAGNITUDES,   /* rows from 1e-40 to 1e38 */
    DENORMAL,
    SPIKES,     /* one component is nearly all */
    UNFINISHED, /* NaN, infinity, zero rows */
    KINDS
} Kind;

static void fill_row(float *row, size_t d, Kind kind, size_t number)
{
    static float centres[16][VECTOR_DIMENSIONS_MAX];
    static const float sizes[] = {1e-40f, 1e-30f, 1e-19f, 1e-10f, 1, 1e10f, 1e16f, 1e38f};
    float *centre = centres[random_bits() % 16];
    if (centre[0] == 0)
        for (size_t j = 0; j < VECTOR_DIMENSIONS_MAX; j++)
            centre[j] = random_float();
    for (size_t j = 0; j < d; j++) {
        float r = random_float();
        switch (kind) {
        case CLUSTERED: row[j] = centre[j] + 0.1f * r; break;
        case NOT_NEGATIVE: row[j] = floorf(fabsf(r) * 200); break;
        case FAR_AWAY: row[j] = 1000 + r * 0.01f; break;
        case FEW: row[j] = centres[0][j] * (float)(number % 3 + 1); break;
        case OPPOSITE:
            row[j] = centres[0][j] * (number % 2 == 0 ? 1.0f : -1.0f) * (1 + (float)(number % 7));
            break;
        case MAGNITUDES: row[j] = r * sizes[number % 8]; break;
        case DENORMAL: row[j] = r * 1e-41f; break;
        case SPIKES: row[j] = j == number % d ? 100 * r : 0.001f * r; break;
        default: row[j] = r; break;
        }
    }
    if (kind != UNFINISHED) return;
    if (number % 50 == 7) row[number % d] = number % 3 == 0 ? NAN : INFINITY;
    if (number % 50 == 8) memset(row, 0, d * sizeof *row);
}

typedef struct Set {
    size_t d, stride, count;
    float *rows, *factors, *query;
    void *memory;
    uint64_t present[ROWS / 64];
} Set;

static Set set_make(size_t d, size_t count, Kind kind, int sparse)
{
    Set set = {.d = d, .stride = vector_stride(d), .count = count};
    set.rows = aligned_alloc(64, count * set.stride * sizeof(float));
    set.factors = malloc(count * sizeof(float));
    set.query = calloc(set.stride * QUERIES, sizeof(float));
    memset(set.rows, 0, count * set.stride * sizeof(float));
    for (size_t i = 0; i < count; i++) {
        fill_row(set.rows + i * set.stride, d, kind, i);
        set.factors[i] = vector_factor(vector_kernel(NULL), set.rows + i * set.stride, set.stride);
    }
    /* The last query is a row. */
    for (size_t q = 0; q < QUERIES; q++)
        fill_row(set.query + q * set.stride, d, kind == UNFINISHED ? UNIFORM : kind, q + 3);
    memcpy(set.query + (QUERIES - 1) * set.stride, set.rows + 5 * set.stride, d * sizeof(float));
    for (size_t w = 0; w < ROWS / 64; w++)
        set.present[w] =
            sparse == 0   ? UINT64_MAX
            : sparse == 1 ? random_bits() << 20 | random_bits()
            : sparse == 3 && w / 4 % 3 == 1 /* few between many, and the other way round */
                ? UINT64_MAX
                : UINT64_C(1) << random_bits() % 64 | UINT64_C(1) << w % 64;
    set.memory = aligned_alloc(64, (sieve_bytes(count, d) + 63) / 64 * 64);
    sieve_make(set.memory, set.rows, count, set.stride, d, set.present);
    return set;
}

static void set_free(Set *set)
{
    free(set->rows), free(set->factors), free(set->query), free(set->memory);
}

/* All queries in one pass, against a scan of each. */
static int answers_agree(const Set *set, const VectorKernel *kernel, const CodesKernel *codes,
                         VectorMetric metric, size_t k, uint64_t *scored)
{
    SieveQuery queries[QUERIES] = {{.planes = NULL}};
    VectorQuery plain[QUERIES];
    static TopKHit want[ROWS], got[ROWS];
    VectorBlock block = {set->rows, set->factors, set->present, set->count, 77};
    SieveBlock sieve = sieve_block(set->memory, set->count);
    int good = 1;
    for (size_t q = 0; q < QUERIES; q++) {
        vector_query_init(&plain[q], kernel, metric, set->query + q * set->stride, set->stride);
        sieve_query_init(&queries[q], &plain[q], set->d, topk_create(k));
    }
    size_t taking_part = 0;
    for (size_t i = 0; i < set->count; i++)
        taking_part += set->present[i / 64] >> i % 64 & 1;
    sieve_scan(kernel, codes, queries, QUERIES, &block, taking_part, &sieve);
    for (size_t q = 0; q < QUERIES; q++) {
        TopK *top = topk_create(k);
        vector_scan(kernel, &plain[q], &block, 1, top);
        size_t wanted = topk_take(top, want), found = topk_take(queries[q].top, got);
        good = good && wanted == found;
        for (size_t i = 0; good && i < wanted; i++)
            good = want[i].id == got[i].id &&
                   vector_orderable(want[i].score) == vector_orderable(got[i].score);
        *scored += queries[q].scored;
        topk_destroy(top);
        topk_destroy(queries[q].top);
        sieve_query_free(&queries[q]);
    }
    return good;
}

/* Do all levels keep the row, and others of its kind beside it, at this floor? */
static int picks(const BoundQuery *query, BoundRow row, int32_t dot, float floor)
{
    static const char *const levels[] = {"scalar", "avx2", "avx512"};
    BoundFour rows[CODES_LANES_MAX / 4];
    int32_t dots[CODES_LANES_MAX];
    uint16_t at[CODES_LANES_MAX];
    int good = 1;
    for (size_t i = 0; i < CODES_LANES_MAX; i++) {
        bound_row_put(rows, i, row);
        dots[i] = dot;
    }
    for (size_t l = 0; l < 3; l++)
        for (size_t count = 1; count <= CODES_LANES_MAX; count += 5)
            good = good &&
                   codes_kernel(levels[l])->pick(query, rows, dots, count, floor, at) == count &&
                   at[count - 1] == count - 1;
    return good;
}

static int bounds_hold(const Set *set, VectorMetric metric)
{
    const VectorKernel *kernel = vector_kernel(NULL);
    const CodesKernel *codes = codes_kernel(NULL);
    SieveBlock sieve = sieve_block(set->memory, set->count);
    size_t bytes = quantize_stride(set->d);
    int good = 1;
    for (size_t q = 0; q < QUERIES; q++) {
        SieveQuery query = {.planes = NULL};
        VectorQuery plain;
        vector_query_init(&plain, kernel, metric, set->query + q * set->stride, set->stride);
        sieve_query_init(&query, &plain, set->d, NULL);
        for (size_t i = 0; query.bounded && i < set->count; i++) {
            if (!(set->present[i / 64] >> i % 64 & 1)) continue;
            float score =
                vector_score(kernel, &plain, set->rows + i * set->stride, set->factors[i]);
            const uint8_t *row = sieve.codes + i * bytes;
            int32_t first = codes->dot(row, query.planes, bytes),
                    second = codes->dot(row, query.planes + bytes, bytes);
            BoundRow row_bound = bound_row_at(sieve.bounds, i);
            /* A cosine is clamped; before that it may be a little more. */
            good = good && !(bound_close(&query.bound, &row_bound, first, second) < score) &&
                   picks(&query.bound, row_bound, first, score);
        }
        sieve_query_free(&query);
    }
    return good;
}

static void test_answers(void)
{
    static const size_t dimensions[] = {1, 7, 48, 100, 128, 768}, sizes[] = {1, 10, 300};
    for (int level = 0; level < LEVELS; level++) {
        const VectorKernel *kernel = vector_kernel(level_names[level]);
        const CodesKernel *codes = codes_kernel(level_names[level]);
        uint64_t scored = 0;
        for (int kind = 0; kind < KINDS; kind++) {
            int good = 1;
            for (size_t d = 0; d < sizeof dimensions / sizeof *dimensions; d++)
                for (int sparse = 0; sparse < 4; sparse++) {
                    Set set =
                        set_make(dimensions[d], sparse == 1 ? ROWS - 37 : ROWS, (Kind)kind, sparse);
                    for (int metric = VECTOR_DOT; metric <= VECTOR_COSINE; metric++)
                        for (size_t s = 0; s < 3; s++)
                            good = good && answers_agree(&set, kernel, codes, (VectorMetric)metric,
                                                         sizes[s], &scored);
                    set_free(&set);
                }
            if (!good) printf("# %s, kind %d\n", level_names[level], kind);
            EXPECT(good);
        }
    }
}

static void test_bounds(void)
{
    static const size_t dimensions[] = {1, 7, 48, 100, 128, 768, 3000, VECTOR_DIMENSIONS_MAX};
    for (int kind = 0; kind < KINDS; kind++) {
        int good = 1;
        for (size_t d = 0; d < sizeof dimensions / sizeof *dimensions; d++) {
            Set set = set_make(dimensions[d], dimensions[d] > 1000 ? 64 : 512, (Kind)kind, 0);
            for (int metric = VECTOR_DOT; metric <= VECTOR_COSINE; metric++) {
                int holds = bounds_hold(&set, (VectorMetric)metric);
                if (!holds) printf("# kind %d, %zu dimensions, metric %d\n", kind, set.d, metric);
                good = good && holds;
            }
            set_free(&set);
        }
        EXPECT(good);
    }
}

/* Codes are of use: of rows like those of embeddings few are scored. */
static void test_use(void)
{
    Set set = set_make(128, ROWS, CLUSTERED, 0);
    for (int metric = VECTOR_DOT; metric <= VECTOR_COSINE; metric++) {
        uint64_t scored = 0;
        EXPECT(answers_agree(&set, vector_kernel(NULL), codes_kernel(NULL), (VectorMetric)metric,
                             10, &scored));
        EXPECT(scored < QUERIES * ROWS / 3);
    }
    set_free(&set);
    float zero[48] = {0}, huge[48] = {1e16f}, tiny[48] = {1e-16f};
    int8_t *planes = aligned_alloc(64, 128);
    BoundQuery bound;
    EXPECT(!bound_query_init(&bound, VECTOR_DOT, zero, 48, 1, planes));
    EXPECT(!bound_query_init(&bound, VECTOR_DOT, huge, 48, 1, planes));
    EXPECT(!bound_query_init(&bound, VECTOR_DOT, tiny, 48, 1, planes));
    free(planes);
}

int main(void)
{
    test_answers();
    test_bounds();
    test_use();
    return DONE();
}
