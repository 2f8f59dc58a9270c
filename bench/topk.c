/*
 * topk.c - a whole statement against the speed at which memory can be read.
 *
 * 1,000,000 clustered rows of 48 floats (stride 48, 192 MB) are nodes in a database in memory, loaded
 * through the public interface. A prepared `MATCH (r:Row) VECTOR r.v SIMILAR TO $q LIMIT 10 RETURN
 * r.number, similarity_score` is run with one new query a round, from binding to the last row. In
 * every round a buffer of the same size (rows x stored stride x 4 bytes) is summed with the widest
 * loads the machine has, with and without software prefetch; the faster median is the bandwidth. One
 * thread. Printed: medians, and the ratio of the sum's to the statement's, which is the share of the
 * bandwidth that the statement uses; once more by the processor's time, which other programs on the
 * machine disturb less.
 *
 * Then the same with a filter that half of the rows pass, and with a graphics device if there is one
 * that is not software.
 *
 *     bench/topk [rows [dimensions [k [rounds]]]]
 */
#include "config.h"

#include "base/clock.h"
#include "base/memory.h"
#include "session.h"
#include "sum.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ROUNDS_MAX = 1001, CLUSTERS = 200, CHUNK = 5000, STRIDE_FLOATS = 16, DIMENSIONS_MAX = 4096 };

static size_t row_count = 1000000, dimensions = 48, k = 10, rounds = 21;
static float *centres, *buffer;
static uint64_t random_state = 88172645463325252u;

static float random_float(void)
{
    random_state ^= random_state << 13, random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (float)((int32_t)(random_state >> 32)) * 0x1p-31f;
}

static void random_row(float *row)
{
    const float *centre = centres + random_state % CLUSTERS * dimensions;
    for (size_t j = 0; j < dimensions; j++)
        row[j] = centre[j] + 0.4f * random_float();
}

typedef struct Time {
    double wall, processor; /* milliseconds */
} Time;

static Time now(void)
{
    struct timespec used;
    const Clock *clock = clock_system();
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    return (Time){(double)clock->monotonic_ns(clock->state) * 1e-6,
                  (double)used.tv_sec * 1e3 + (double)used.tv_nsec * 1e-6};
}

static Time since(Time from)
{
    Time to = now();
    return (Time){to.wall - from.wall, to.processor - from.processor};
}

/* ---- the sum ---- */

static Time time_sum(size_t count, bool ahead)
{
    Time from = now();
    volatile float sink = sum_widest(buffer, count, ahead);
    (void)sink;
    return since(from);
}

/* ---- the database ---- */

static void run(contextql *session, contextql_statement *statement)
{
    int result;
    do
        check(session, result = contextql_step(statement));
    while (result == CONTEXTQL_ROW);
    contextql_reset(statement);
}

static void load(contextql *session)
{
    contextql_statement *create =
        prepare(session, "UNWIND $rows AS row CREATE (:Row {number: row[0], v: row[1]})");
    float row[DIMENSIONS_MAX];
    for (size_t at = 0; at < row_count; at += CHUNK) {
        contextql_value *rows = contextql_value_new_list();
        for (size_t i = at; i < at + CHUNK && i < row_count; i++) {
            random_row(row);
            contextql_value *pair = contextql_value_new_list(),
                            *number = contextql_value_new_integer((int64_t)i),
                            *vector = contextql_value_new_vector(row, dimensions);
            contextql_value_append(pair, number);
            contextql_value_append(pair, vector);
            contextql_value_append(rows, pair);
            contextql_value_free(number);
            contextql_value_free(vector);
            contextql_value_free(pair);
        }
        check(session, contextql_bind(create, "rows", rows));
        contextql_value_free(rows);
        run(session, create);
    }
    contextql_finalize(create);
}

/* ---- rounds ---- */

static int by_size(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

static Time median(const Time *times)
{
    static double wall[ROUNDS_MAX], processor[ROUNDS_MAX];
    for (size_t r = 0; r < rounds; r++)
        wall[r] = times[r].wall, processor[r] = times[r].processor;
    qsort(wall, rounds, sizeof *wall, by_size);
    qsort(processor, rounds, sizeof *processor, by_size);
    return (Time){wall[rounds / 2], processor[rounds / 2]};
}

static Time time_query(contextql *session, contextql_statement *statement)
{
    float query[DIMENSIONS_MAX];
    random_row(query);
    Time from = now();
    check(session, contextql_bind_vector(statement, "q", query, dimensions));
    run(session, statement);
    return since(from);
}

static void measure(contextql *session, const char *what, const char *text)
{
    static Time sums[ROUNDS_MAX], ahead[ROUNDS_MAX], queries[ROUNDS_MAX];
    size_t stride = (dimensions + STRIDE_FLOATS - 1) / STRIDE_FLOATS * STRIDE_FLOATS,
           floats = row_count * stride;
    double bytes = (double)floats * sizeof(float);
    contextql_statement *statement = prepare(session, text);
    for (size_t r = 0; r < 5; r++)
        time_query(session, statement); /* a graphics device takes its rows meanwhile */
    for (size_t r = 0; r < rounds; r++) {
        sums[r] = time_sum(floats, false);
        ahead[r] = time_sum(floats, true);
        queries[r] = time_query(session, statement);
    }
    contextql_finalize(statement);
    Time sum = median(sums), other = median(ahead), query = median(queries);
    if (other.wall < sum.wall) sum.wall = other.wall;
    if (other.processor < sum.processor) sum.processor = other.processor;
    printf("%-18s %7.2f ms %6.2f GB/s   sum %7.2f ms %6.2f GB/s   ratio %.3f   "
           "processor's time %.2f and %.2f ms, ratio %.3f\n",
           what, query.wall, bytes / query.wall * 1e-6, sum.wall, bytes / sum.wall * 1e-6,
           sum.wall / query.wall, query.processor, sum.processor, sum.processor / query.processor);
}

static void measure_all(contextql *session)
{
    char text[512];
    static const char *const wheres[] = {"", "WHERE r.number % 2 = 0 "};
    static const char *const names[] = {"all rows", "every second row"};
    for (int w = 0; w < 2; w++) {
        snprintf(text, sizeof text,
                 "MATCH (r:Row) %sVECTOR r.v SIMILAR TO $q LIMIT %zu RETURN r.number, "
                 "similarity_score",
                 wheres[w], k);
        measure(session, names[w], text);
    }
}

static bool has_device(contextql *session)
{
    contextql_set(session, "gpu", "auto");
    contextql_statement *show = prepare(session, "SHOW HARDWARE");
    bool found = false;
    while (contextql_step(show) == CONTEXTQL_ROW) {
        contextql_text what = contextql_value_string(contextql_column(show, 0)),
                       value = contextql_value_string(contextql_column(show, 1));
        if (what.size == 10 && memcmp(what.data, "gpu device", 10) == 0)
            found =
                value.size > 0 && printf("graphics device: %.*s\n", (int)value.size, value.data);
    }
    contextql_finalize(show);
    return found;
}

int main(int argc, char **argv)
{
    if (argc > 1) row_count = (size_t)atoll(argv[1]);
    if (argc > 2) dimensions = (size_t)atoll(argv[2]);
    if (argc > 3) k = (size_t)atoll(argv[3]);
    if (argc > 4) rounds = (size_t)atoll(argv[4]);
    if (row_count == 0 || dimensions == 0 || dimensions > DIMENSIONS_MAX || rounds == 0 ||
        rounds > ROUNDS_MAX)
        return fprintf(stderr, "usage: topk [rows [dimensions [k [rounds]]]]\n"), 2;
    size_t stride = (dimensions + STRIDE_FLOATS - 1) / STRIDE_FLOATS * STRIDE_FLOATS;
    centres = mem_alloc(CLUSTERS * dimensions * sizeof *centres);
    buffer = mem_alloc_aligned(row_count * stride * sizeof *buffer, 64);
    for (size_t i = 0; i < CLUSTERS * dimensions; i++)
        centres[i] = random_float();
    for (size_t i = 0; i < row_count * stride; i++)
        buffer[i] = random_float();
    contextql *session;
    check(session, contextql_open(":memory:", NULL, &session));
    Time from = now();
    load(session);
    printf(
        "%zu rows x %zu dimensions (stride %zu), top %zu, median of %zu rounds; loaded in %.1f s\n",
        row_count, dimensions, stride, k, rounds, since(from).wall * 1e-3);
    contextql_set(session, "gpu", "off");
    measure_all(session);
    if (has_device(session)) measure_all(session);
    contextql_close(session);
    mem_free(buffer);
    mem_free(centres);
    return 0;
}
