/*
 * sorter.c - an external merge sort (Knuth, "Sorting and Searching", 5.4.1).
 *
 * Rows are kept until they are as many as the budget allows, sorted, and written as a run behind the
 * runs before in one file. At the end runs are merged, at most FAN at a time: where they are more, by
 * passes, each from one file into another. Of rows that are equal that of the earlier run comes first,
 * and runs that are merged are neighbors, so the whole is stable.
 */
#include "config.h"

#include "order/sorter.h"
#include <stdlib.h>
#include <string.h>

enum {
    FAN = 64,              /* runs merged at once: each has a buffer */
    READ_BYTES_MIN = 4096, /* ... of so much, at least */
    READ_BYTES_MAX = 1 << 16
};

typedef struct Run {
    uint64_t from, until;
} Run;

typedef struct Source { /* a run that is being merged */
    SpillReader *reader;
    Arena *arenas[2]; /* of the row at hand and the one before, by turns */
    int turn;
    Value *row;
    uint64_t times;
    bool more;
} Source;

struct Sorter {
    SpillPlace *place;
    uint32_t width, key_count;
    const bool *descending;
    size_t budget, read_bytes;
    Arena *arena; /* of rows at hand */
    Value *values;
    uint64_t *times;
    size_t count, value_capacity, times_capacity;
    uint32_t *order;
    size_t order_capacity;
    SpillFile *file;
    Run *runs;
    size_t run_count, run_capacity;
    uint64_t bytes;
    bool merging;
    Source *sources; /* of the last merge */
    size_t source_count;
    size_t *heap; /* of sources that have a row; the least on top */
    size_t heap_count;
    bool given; /* the top's row was given and is to be replaced */
    size_t at;  /* without runs */
};

Sorter *sorter_new(SpillPlace *place, uint32_t width, uint32_t key_count, const bool *descending,
                   size_t budget)
{
    Sorter *sorter = mem_calloc(1, sizeof *sorter);
    *sorter = (Sorter){.place = place,
                       .width = width,
                       .key_count = key_count,
                       .descending = descending,
                       .budget = budget,
                       .arena = arena_create()};
    sorter->read_bytes = budget / FAN;
    if (sorter->read_bytes < READ_BYTES_MIN) sorter->read_bytes = READ_BYTES_MIN;
    if (sorter->read_bytes > READ_BYTES_MAX) sorter->read_bytes = READ_BYTES_MAX;
    return sorter;
}

static void end_sources(Sorter *sorter)
{
    for (size_t i = 0; i < sorter->source_count; i++) {
        spill_read_end(sorter->sources[i].reader);
        arena_destroy(sorter->sources[i].arenas[0]);
        arena_destroy(sorter->sources[i].arenas[1]);
        mem_free(sorter->sources[i].row);
    }
    mem_free(sorter->sources);
    mem_free(sorter->heap);
    sorter->sources = NULL;
    sorter->heap = NULL;
    sorter->source_count = sorter->heap_count = 0;
    sorter->given = false;
}

static void end_rows(Sorter *sorter)
{
    arena_destroy(sorter->arena);
    mem_free(sorter->values);
    mem_free(sorter->times);
    mem_free(sorter->order);
    sorter->arena = NULL;
    sorter->values = NULL;
    sorter->times = NULL;
    sorter->order = NULL;
    sorter->count = sorter->value_capacity = sorter->times_capacity = sorter->order_capacity = 0;
}

void sorter_free(Sorter *sorter)
{
    if (sorter == NULL) return;
    end_sources(sorter);
    end_rows(sorter);
    spill_close(sorter->file);
    mem_free(sorter->runs);
    mem_free(sorter);
}

size_t sorter_held(const Sorter *sorter)
{
    size_t bytes =
        sorter->value_capacity * sizeof(Value) + sorter->times_capacity * sizeof(uint64_t) +
        sorter->order_capacity * sizeof(uint32_t) + sorter->source_count * sorter->read_bytes;
    return bytes + (sorter->arena == NULL ? 0 : arena_bytes(sorter->arena));
}

uint64_t sorter_bytes(const Sorter *sorter)
{
    return sorter->bytes;
}

/* ---- runs ---- */

static int compare_keys(const Sorter *sorter, const Value *a, const Value *b)
{
    for (uint32_t k = 0; k < sorter->key_count; k++) {
        int order = value_order(a[k], b[k]);
        if (order != 0) return sorter->descending != NULL && sorter->descending[k] ? -order : order;
    }
    return 0;
}

static int compare_rows(const void *a, const void *b, void *user)
{
    const Sorter *sorter = user;
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    int order = compare_keys(sorter, sorter->values + (size_t)x * sorter->width,
                             sorter->values + (size_t)y * sorter->width);
    return order != 0 ? order : x < y ? -1 : x > y;
}

static void sort_rows(Sorter *sorter)
{
    mem_reserve(sorter->order, sorter->order_capacity, sorter->count + 1);
    for (size_t i = 0; i < sorter->count; i++)
        sorter->order[i] = (uint32_t)i;
    if (sorter->count > 1)
        qsort_r(sorter->order, sorter->count, sizeof *sorter->order, compare_rows, sorter);
}

static void note_run(Sorter *sorter, uint64_t from)
{
    Run run = {from, spill_end(sorter->file)};
    mem_reserve(sorter->runs, sorter->run_capacity, sorter->run_count + 1);
    sorter->runs[sorter->run_count++] = run;
    sorter->bytes += run.until - run.from;
}

static Error *write_run(Sorter *sorter)
{
    if (sorter->file == NULL) TRY(spill_open(sorter->place, READ_BYTES_MAX, &sorter->file));
    uint64_t from = spill_end(sorter->file);
    sort_rows(sorter);
    for (size_t i = 0; i < sorter->count; i++) {
        size_t row = sorter->order[i];
        TRY(spill_put(sorter->file, sorter->values + row * sorter->width, sorter->width,
                      sorter->times[row]));
    }
    note_run(sorter, from);
    end_rows(sorter);
    sorter->arena = arena_create();
    return NULL;
}

Error *sorter_add(Sorter *sorter, const Value *values, uint64_t times)
{
    if (sorter->count == UINT32_MAX || (sorter->count > 0 && sorter_held(sorter) > sorter->budget))
        TRY(write_run(sorter));
    mem_reserve(sorter->values, sorter->value_capacity, (sorter->count + 1) * sorter->width);
    mem_reserve(sorter->times, sorter->times_capacity, sorter->count + 1);
    for (uint32_t i = 0; i < sorter->width; i++)
        sorter->values[sorter->count * sorter->width + i] = value_copy(sorter->arena, values[i]);
    sorter->times[sorter->count++] = times;
    return NULL;
}

/* ---- merging ---- */

static Error *next_of(const Sorter *sorter, Source *source)
{
    source->turn = 1 - source->turn;
    arena_reset(source->arenas[source->turn]);
    return spill_next(source->reader, source->arenas[source->turn], source->row, sorter->width,
                      &source->times, &source->more);
}

static bool is_less(const Sorter *sorter, size_t a, size_t b)
{
    int order = compare_keys(sorter, sorter->sources[a].row, sorter->sources[b].row);
    return order != 0 ? order < 0 : a < b;
}

static void sift_down(Sorter *sorter, size_t at)
{
    size_t *heap = sorter->heap, top = heap[at];
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= sorter->heap_count) break;
        if (child + 1 < sorter->heap_count && is_less(sorter, heap[child + 1], heap[child]))
            child++;
        if (!is_less(sorter, heap[child], top)) break;
        heap[at] = heap[child];
        at = child;
    }
    heap[at] = top;
}

static Error *begin_merge(Sorter *sorter, const Run *runs, size_t count)
{
    sorter->sources = mem_calloc(count + 1, sizeof *sorter->sources);
    sorter->heap = mem_calloc(count + 1, sizeof *sorter->heap);
    for (size_t i = 0; i < count; i++) {
        Source *source = &sorter->sources[sorter->source_count++];
        source->arenas[0] = arena_create();
        source->arenas[1] = arena_create();
        source->row = mem_calloc(sorter->width + 1, sizeof *source->row);
        TRY(spill_read(sorter->file, runs[i].from, runs[i].until, sorter->read_bytes,
                       &source->reader));
        TRY(next_of(sorter, source));
        if (source->more) sorter->heap[sorter->heap_count++] = i;
    }
    for (size_t i = sorter->heap_count / 2; i > 0; i--)
        sift_down(sorter, i - 1);
    return NULL;
}

static Error *next_merged(Sorter *sorter, const Value **values, uint64_t *times)
{
    *values = NULL;
    if (sorter->given) {
        Source *source = &sorter->sources[sorter->heap[0]];
        TRY(next_of(sorter, source));
        if (!source->more) sorter->heap[0] = sorter->heap[--sorter->heap_count];
        if (sorter->heap_count > 0) sift_down(sorter, 0);
        sorter->given = false;
    }
    if (sorter->heap_count == 0) return NULL;
    const Source *source = &sorter->sources[sorter->heap[0]];
    *values = source->row;
    *times = source->times;
    sorter->given = true;
    return NULL;
}

static Error *merge_into(Sorter *sorter, SpillFile *into, const Run *runs, size_t count)
{
    const Value *values;
    uint64_t times;
    TRY(begin_merge(sorter, runs, count));
    for (;;) {
        TRY(next_merged(sorter, &values, &times));
        if (values == NULL) break;
        TRY(spill_put(into, values, sorter->width, times));
    }
    end_sources(sorter);
    return NULL;
}

/* Of each FAN runs one. */
static Error *one_pass(Sorter *sorter)
{
    SpillFile *into = NULL;
    size_t made = 0;
    TRY(spill_open(sorter->place, READ_BYTES_MAX, &into));
    Error *error = NULL;
    for (size_t i = 0; i < sorter->run_count && error == NULL; i += FAN) {
        size_t left = sorter->run_count - i;
        uint64_t from = spill_end(into);
        error = merge_into(sorter, into, sorter->runs + i, left < FAN ? left : FAN);
        sorter->runs[made] = (Run){from, spill_end(into)};
        sorter->bytes += sorter->runs[made].until - from;
        made++;
    }
    if (error != NULL) {
        spill_close(into);
        return error;
    }
    spill_close(sorter->file);
    sorter->file = into;
    sorter->run_count = made;
    return NULL;
}

Error *sorter_finish(Sorter *sorter)
{
    if (sorter->run_count == 0) {
        sort_rows(sorter);
        return NULL;
    }
    if (sorter->count > 0) TRY(write_run(sorter));
    end_rows(sorter);
    while (sorter->run_count > FAN)
        TRY(one_pass(sorter));
    sorter->merging = true;
    return begin_merge(sorter, sorter->runs, sorter->run_count);
}

Error *sorter_next(Sorter *sorter, const Value **values, uint64_t *times)
{
    if (sorter->merging) return next_merged(sorter, values, times);
    *values = NULL;
    if (sorter->at == sorter->count) return NULL;
    size_t row = sorter->order[sorter->at++];
    *values = sorter->values + row * sorter->width;
    *times = sorter->times[row];
    return NULL;
}
