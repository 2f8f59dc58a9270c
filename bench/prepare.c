/*
 * prepare.c - the claim: 99 of 100 queries of the TCK are prepared (parsed, bound, planned) in less
 * than 100 microseconds.
 *
 *     tests/corpus --texts | bench/prepare
 *
 * Reads texts from standard input, each ended by a NUL, and plans each 21 times over an empty graph
 * into one arena that is reset after each. A text's time is the median of its 21; printed are the
 * mean, the 99th percentile and the worst of those medians. Status 1 when the percentile is over
 * the bound. Errors count too.
 */
#include "config.h"

#include "bench/measure.h"
#include "database/database.h"
#include "planner/plan.h"
#include <stdio.h>
#include <stdlib.h>

enum { ROUNDS = 21, BOUND_US = 100 };

static double median_us(Arena *arena, Str text, const GraphView *view)
{
    static const PlanEnvironment environment = {0};
    double times[ROUNDS];
    for (int round = 0; round < ROUNDS; round++) {
        Plan *plan;
        double start = now_us();
        error_drop(planner_plan(arena, text, (const struct GraphView *)view, &environment, &plan));
        times[round] = now_us() - start;
        arena_reset(arena);
    }
    qsort(times, ROUNDS, sizeof *times, by_number);
    return times[ROUNDS / 2];
}

static bool open_empty(Database **database, Transaction **transaction)
{
    const DatabaseOptions options = {.create = true};
    Error *error = database_open_memory(&options, clock_system(), database);
    if (error == NULL) error = transaction_begin(*database, transaction);
    if (error != NULL) fprintf(stderr, "prepare: %s\n", error_message(error));
    bool good = error == NULL;
    error_drop(error);
    return good;
}

int main(void)
{
    Buffer input = {0};
    Database *database;
    Transaction *transaction;
    double *times = NULL, sum = 0;
    size_t texts = 0, capacity = 0;
    if (!open_empty(&database, &transaction)) return 2;
    GraphView view = transaction_view(transaction);
    Arena *arena = arena_create();
    for (size_t got = 1; got > 0; input.bytes += got)
        got = fread(buffer_reserve(&input, 1 << 16), 1, 1 << 16, stdin);
    for (size_t at = 0; at < input.bytes; texts++) {
        Str text = {input.data + at, strlen(input.data + at)};
        at += text.bytes + 1;
        mem_reserve(times, capacity, texts + 1);
        times[texts] = median_us(arena, text, &view);
        sum += times[texts];
    }
    if (texts == 0) return fprintf(stderr, "prepare: no texts on standard input\n"), 2;
    qsort(times, texts, sizeof *times, by_number);
    double percentile = times[texts * 99 / 100];
    printf("%zu texts: mean %.2f us, 99th percentile %.2f us of %d allowed, worst %.2f us\n", texts,
           sum / (double)texts, percentile, BOUND_US, times[texts - 1]);
    mem_free(times);
    arena_destroy(arena);
    buffer_free(&input);
    transaction_rollback(transaction);
    error_drop(database_close(database));
    return percentile > BOUND_US;
}
