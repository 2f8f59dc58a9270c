/*
 * aggregate.c - one state a group and aggregate.
 *
 * Values come with a multiplicity: sums and counts multiply, min and max do not care, lists repeat.
 * DISTINCT keeps a hash set of equivalent values and counts each once. Sums stay integer while
 * every value is one; an overflow is an error.
 */
#include "config.h"

#include "base/map.h"
#include "expression/functions.h"
#include "value/temporal.h"
#include <math.h>
#include <stdlib.h>

struct AggregateState {
    const AggregateSpec *spec;
    Arena *arena;
    uint64_t count;
    bool any, any_float, merging;
    int64_t integer;          /* of a count there is nothing from here on (state_bytes) */
    double sum, mean, square; /* mean and square: Welford's running moments */
    Value best, duration;     /* duration: the sum so far, null before the first */
    Value *values;            /* COLLECT, percentiles; DISTINCT keeps them too */
    size_t value_count, value_capacity;
    uint32_t *seen; /* DISTINCT: open addressing into values, UINT32_MAX empty */
    size_t seen_mask;
    double percentile;
    uint64_t
        *nodes; /* count(DISTINCT ..): nodes have a table of their own, which keeps no values */
    size_t node_count, node_mask;
};

static const struct {
    const char *name;
    AggregateKind kind;
    uint8_t args;
} aggregates[] = {
#define AGGREGATE(kind, name, args, signature, summary, example, result)                           \
    {name, AGGREGATE_##kind, args},
#include "contextql/functions.def"
};

bool aggregate_find(Str name, AggregateKind *kind, uint32_t *arg_count)
{
    for (size_t i = 0; i < sizeof aggregates / sizeof *aggregates; i++) {
        if (!str_equal_ignore_case(name, str_from(aggregates[i].name))) continue;
        *kind = aggregates[i].kind;
        *arg_count = aggregates[i].args;
        return true;
    }
    return false;
}

uint8_t aggregate_type(const AggregateSpec *spec)
{
    switch (spec->kind) {
    case AGGREGATE_COUNT_ROWS:
    case AGGREGATE_COUNT: return VALUE_INTEGER;
    case AGGREGATE_COLLECT: return VALUE_LIST;
    case AGGREGATE_STDEV:
    case AGGREGATE_STDEVP:
    case AGGREGATE_PERCENTILE_CONT: return VALUE_FLOAT;
    case AGGREGATE_SUM:
    case AGGREGATE_AVG:
    case AGGREGATE_PERCENTILE_DISC:
    case AGGREGATE_MIN:
    case AGGREGATE_MAX: break;
    }
    return EXPR_TYPE_ANY;
}

static bool is_count(const AggregateSpec *spec)
{
    return !spec->distinct && (spec->kind == AGGREGATE_COUNT_ROWS || spec->kind == AGGREGATE_COUNT);
}

bool aggregate_keeps_values(const AggregateSpec *spec)
{
    return spec->distinct || spec->kind == AGGREGATE_COLLECT ||
           spec->kind >= AGGREGATE_PERCENTILE_CONT;
}

/* There may be a state a row: a count has no more than it counts with. */
static size_t state_bytes(const AggregateSpec *spec)
{
    return is_count(spec) ? offsetof(AggregateState, integer) : sizeof(AggregateState);
}

AggregateState *aggregate_begin(Arena *arena, const AggregateSpec *spec)
{
    AggregateState *state = arena_calloc(arena, 1, state_bytes(spec));
    state->spec = spec;
    state->arena = arena;
    return state;
}

/* Asked before a value is kept: large tables and lists grow twice as large at once. A merge that was begun
 * is ended, for half of it could not be taken back: then only those are asked for. */
static Error *room(const AggregateState *state)
{
    enum { LARGE = 4096 };
    size_t bytes = 0;
    if (is_count(state->spec)) return NULL; /* it keeps nothing, and has no such members */
    if (state->value_count == state->value_capacity && state->value_capacity >= LARGE)
        bytes += state->value_capacity * 2 * sizeof *state->values;
    if (state->value_count * 2 > state->seen_mask && state->seen_mask >= LARGE)
        bytes += (state->seen_mask + 1) * 2 * sizeof *state->seen;
    if (state->node_count * 2 > state->node_mask && state->node_mask >= LARGE)
        bytes += (state->node_mask + 1) * 2 * sizeof *state->nodes;
    return bytes == 0 && state->merging ? NULL : error_if_short(bytes);
}

static void keep(AggregateState *state, Value value)
{
    if (state->value_count == state->value_capacity) {
        size_t capacity = state->value_capacity == 0 ? 4 : state->value_capacity * 2;
        Value *larger = arena_alloc(state->arena, capacity * sizeof *larger);
        if (state->value_count > 0)
            memcpy(larger, state->values, state->value_count * sizeof *larger);
        state->values = larger;
        state->value_capacity = capacity;
    }
    state->values[state->value_count++] = value_copy(state->arena, value);
}

static void seen_insert(AggregateState *state, size_t index)
{
    size_t at = value_hash(state->values[index]) & state->seen_mask;
    while (state->seen[at] != UINT32_MAX)
        at = (at + 1) & state->seen_mask;
    state->seen[at] = (uint32_t)index;
}

static void seen_grow(AggregateState *state)
{
    size_t size = state->seen == NULL ? 16 : (state->seen_mask + 1) * 2;
    state->seen = arena_alloc(state->arena, size * sizeof *state->seen);
    memset(state->seen, 0xff, size * sizeof *state->seen);
    state->seen_mask = size - 1;
    for (size_t i = 0; i < state->value_count; i++)
        seen_insert(state, i);
}

/* Is the value new to a DISTINCT aggregate? It is kept. */
static bool first_time(AggregateState *state, Value value)
{
    if (state->seen == NULL || state->value_count * 2 > state->seen_mask) seen_grow(state);
    size_t at = value_hash(value) & state->seen_mask;
    for (; state->seen[at] != UINT32_MAX; at = (at + 1) & state->seen_mask)
        if (value_equivalent(state->values[state->seen[at]], value)) return false;
    keep(state, value);
    seen_insert(state, state->value_count - 1);
    return true;
}

static void nodes_grow(AggregateState *state)
{
    size_t size = state->nodes == NULL ? 16 : (state->node_mask + 1) * 2,
           old = state->node_mask + 1;
    uint64_t *before = state->nodes;
    state->nodes = arena_alloc(state->arena, size * sizeof *state->nodes);
    memset(state->nodes, 0xff, size * sizeof *state->nodes);
    state->node_mask = size - 1;
    for (size_t i = 0; before != NULL && i < old; i++) {
        if (before[i] == UINT64_MAX) continue;
        size_t at = hash_u64(before[i]) & state->node_mask;
        while (state->nodes[at] != UINT64_MAX)
            at = (at + 1) & state->node_mask;
        state->nodes[at] = before[i];
    }
}

static bool first_time_node(AggregateState *state, uint64_t node)
{
    if (state->nodes == NULL || state->node_count * 2 > state->node_mask) nodes_grow(state);
    size_t at = hash_u64(node) & state->node_mask;
    for (; state->nodes[at] != UINT64_MAX; at = (at + 1) & state->node_mask)
        if (state->nodes[at] == node) return false;
    state->nodes[at] = node;
    state->node_count++;
    return true;
}

static Error *wrong(const AggregateState *state, Value value)
{
    for (size_t i = 0; i < sizeof aggregates / sizeof *aggregates; i++)
        if (aggregates[i].kind == state->spec->kind)
            return error_new(ERROR_ARGUMENT_TYPE, "%s() cannot take %s", aggregates[i].name,
                             value_kind_name((ValueKind)value.kind));
    return error_new(ERROR_ARGUMENT_TYPE, "an aggregate cannot take %s",
                     value_kind_name((ValueKind)value.kind));
}

/* Durations are summed among themselves. */
static Error *add_duration(AggregateState *state, Value value, uint64_t multiplicity)
{
    bool sums = state->spec->kind == AGGREGATE_SUM || state->spec->kind == AGGREGATE_AVG;
    if (!sums || (state->any && value_is_null(state->duration))) return wrong(state, value);
    if (multiplicity > INT64_MAX)
        return error_new(ERROR_ARITHMETIC_OVERFLOW, "the duration is beyond 64 bits");
    TRY(duration_scale(state->arena, value, value_integer((int64_t)multiplicity), false, &value));
    if (value_is_null(state->duration)) return state->duration = value, NULL;
    return temporal_add(state->arena, state->duration, value, false, &state->duration);
}

static Error *sum_overflow(void)
{
    return error_hint(error_new(ERROR_ARITHMETIC_OVERFLOW, "the sum is beyond 64 bits"),
                      "sum floats: sum(toFloat(x))");
}

static Error *add_up(AggregateState *state, Value value, uint64_t multiplicity)
{
    if (value.kind == VALUE_DURATION) return add_duration(state, value, multiplicity);
    if (!value_is_number(value) || !value_is_null(state->duration)) return wrong(state, value);
    double number = value_as_double(value);
    state->sum += number * (double)multiplicity;
    if (value.kind == VALUE_FLOAT) state->any_float = true;
    if (value.kind == VALUE_INTEGER && !state->any_float) {
        int64_t product;
        bool over = multiplicity > INT64_MAX ||
                    __builtin_mul_overflow(value.as.integer, (int64_t)multiplicity, &product) ||
                    __builtin_add_overflow(state->integer, product, &state->integer);
        if (over && state->spec->kind == AGGREGATE_SUM) return sum_overflow();
    }
    for (uint64_t i = 0; i < multiplicity && state->spec->kind >= AGGREGATE_STDEV; i++) {
        double before = number - state->mean;
        state->mean += before / (double)(state->count + i + 1);
        state->square += before * (number - state->mean);
    }
    return NULL;
}

static Error *set_percentile(AggregateState *state, Value extra)
{
    if (!value_is_number(extra)) return wrong(state, extra);
    state->percentile = value_as_double(extra);
    if (state->percentile >= 0 && state->percentile <= 1) return NULL;
    return error_new(ERROR_ARGUMENT_RANGE, "a percentile is between 0 and 1, not %g",
                     state->percentile);
}

static Error *note(AggregateState *state, uint64_t multiplicity)
{
    state->any = true;
    state->count += multiplicity;
    return NULL;
}

static Error *keep_all(AggregateState *state, Value value, uint64_t multiplicity)
{
    for (uint64_t i = 0; i < multiplicity; i++) {
        TRY(room(state));
        keep(state, value);
    }
    return note(state, multiplicity);
}

Error *aggregate_step(AggregateState *state, Value value, Value extra, uint64_t multiplicity)
{
    AggregateKind kind = state->spec->kind;
    if (kind == AGGREGATE_COUNT_ROWS) return state->count += multiplicity, NULL;
    if (kind >= AGGREGATE_PERCENTILE_CONT) TRY(set_percentile(state, extra));
    if (value.kind == VALUE_NULL) return NULL;
    TRY(room(state));
    bool kept = state->spec->distinct, node = kind == AGGREGATE_COUNT && value.kind == VALUE_NODE;
    if (kept && !(node ? first_time_node(state, value.as.id) : first_time(state, value)))
        return NULL;
    if (kept) multiplicity = 1;
    switch (kind) {
    case AGGREGATE_COUNT_ROWS:
    case AGGREGATE_COUNT: break;
    case AGGREGATE_SUM:
    case AGGREGATE_AVG:
    case AGGREGATE_STDEV:
    case AGGREGATE_STDEVP: TRY(add_up(state, value, multiplicity)); break;
    case AGGREGATE_MIN:
        if (!state->any || value_order(value, state->best) < 0)
            state->best = value_copy(state->arena, value);
        break;
    case AGGREGATE_MAX:
        if (!state->any || value_order(value, state->best) > 0)
            state->best = value_copy(state->arena, value);
        break;
    case AGGREGATE_PERCENTILE_CONT:
    case AGGREGATE_PERCENTILE_DISC:
        if (!value_is_number(value)) return wrong(state, value);
        return kept ? note(state, 1) : keep_all(state, value, multiplicity);
    case AGGREGATE_COLLECT: return kept ? note(state, 1) : keep_all(state, value, multiplicity);
    }
    return note(state, multiplicity);
}

static void count_rows(AggregateState *const *states, size_t stride, const AggregateRows *rows)
{
    const Batch *batch = rows->batch;
    for (uint32_t i = 0; i < batch->selected_count; i++)
        states[rows->groups[i] * stride]->count +=
            batch_multiplicity(batch, batch_position(batch, i));
}

/* ---- tallies ---- */

/*
 * Where a batch has many rows of few groups, what they come to is added up in a small array that begins
 * as the states are and goes back to them: the same additions in the same order, without a walk to the
 * state of each row.
 */
static bool tallies_fit(const AggregateRows *rows)
{
    enum { TALLY_ROWS = 4 /* a group, at least */ };
    return rows->group_count <= AGGREGATE_TALLIES_MAX && rows->batch->multiplicity == NULL &&
           rows->group_count * TALLY_ROWS <= rows->batch->selected_count;
}

/* Into two arrays in turn: a count that was just written is not waited for. */
static const uint32_t *rows_of_groups(AggregateRows *rows)
{
    uint32_t odd[AGGREGATE_TALLIES_MAX], i = 0, count = rows->batch->selected_count;
    const uint32_t *groups = rows->groups;
    if (rows->counted) return rows->counts;
    memset(rows->counts, 0, rows->group_count * sizeof *rows->counts);
    memset(odd, 0, rows->group_count * sizeof *odd);
    for (; i + 2 <= count; i += 2) {
        rows->counts[groups[i]]++;
        odd[groups[i + 1]]++;
    }
    if (i < count) odd[groups[i]]++;
    for (size_t g = 0; g < rows->group_count; g++)
        rows->counts[g] += odd[g];
    rows->counted = true;
    return rows->counts;
}

static void tally_rows(AggregateState *const *states, size_t stride, AggregateRows *rows)
{
    const uint32_t *counts = rows_of_groups(rows);
    for (size_t g = 0; g < rows->group_count; g++)
        if (counts[g] > 0) states[g * stride]->count += counts[g];
}

/* false: one has summed durations. */
static bool only_numbers(AggregateState *const *states, size_t stride, size_t groups)
{
    bool numbers = true;
    for (size_t g = 0; g < groups; g++)
        numbers = numbers && states[g * stride]->duration.kind == VALUE_NULL;
    return numbers;
}

static void tally_floats(AggregateState *const *states, size_t stride, AggregateRows *rows,
                         const double *floats)
{
    double sums[AGGREGATE_TALLIES_MAX];
    const uint32_t *counts = rows_of_groups(rows), *groups = rows->groups;
    const uint16_t *selection = rows->batch->selection;
    uint32_t count = rows->batch->selected_count;
    for (size_t g = 0; g < rows->group_count; g++)
        sums[g] = states[g * stride]->sum;
    for (uint32_t i = 0; selection == NULL && i < count; i++)
        sums[groups[i]] += floats[i];
    for (uint32_t i = 0; selection != NULL && i < count; i++)
        sums[groups[i]] += floats[selection[i]];
    for (size_t g = 0; g < rows->group_count; g++) {
        if (counts[g] == 0) continue;
        AggregateState *state = states[g * stride];
        state->sum = sums[g];
        state->count += counts[g];
        state->any = state->any_float = true;
    }
}

/* false also at an overflow: then nothing was added. */
static bool tally_integers(AggregateState *const *states, size_t stride, AggregateRows *rows,
                           const int64_t *integers)
{
    struct {
        double sum;
        int64_t integer;
    } sums[AGGREGATE_TALLIES_MAX];
    const uint32_t *counts = rows_of_groups(rows);
    const Batch *batch = rows->batch;
    bool over = false;
    for (size_t g = 0; g < rows->group_count; g++) {
        sums[g].sum = states[g * stride]->sum;
        sums[g].integer = states[g * stride]->integer;
    }
    for (uint32_t i = 0; i < batch->selected_count; i++) {
        uint32_t g = rows->groups[i];
        int64_t number = integers[batch_position(batch, i)];
        over |= __builtin_add_overflow(sums[g].integer, number, &sums[g].integer);
        sums[g].sum += (double)number;
    }
    for (size_t g = 0; !over && g < rows->group_count; g++) {
        if (counts[g] == 0) continue;
        AggregateState *state = states[g * stride];
        state->sum = sums[g].sum;
        state->integer = sums[g].integer;
        state->count += counts[g];
        state->any = true;
    }
    return !over;
}

/* Sums of integers, each row once; false at an overflow: the row at *done is still to be taken. */
static bool sum_integers(AggregateState *const *states, size_t stride, const AggregateRows *rows,
                         const int64_t *integers, uint32_t *done)
{
    const Batch *batch = rows->batch;
    for (uint32_t i = 0; i < batch->selected_count; i++) {
        AggregateState *state = states[rows->groups[i] * stride];
        int64_t number = integers[batch_position(batch, i)], sum;
        *done = i;
        if (__builtin_add_overflow(state->integer, number, &sum)) return false;
        state->integer = sum;
        state->sum += (double)number;
        state->any = true;
        state->count++;
    }
    *done = batch->selected_count;
    return true;
}

/* Sums of floats, each row once, as add_up does them; false: some have summed durations. */
static bool sum_floats(AggregateState *const *states, size_t stride, const AggregateRows *rows,
                       const double *floats)
{
    const Batch *batch = rows->batch;
    for (uint32_t i = 0; i < batch->selected_count; i++)
        if (states[rows->groups[i] * stride]->duration.kind != VALUE_NULL) return false;
    for (uint32_t i = 0; i < batch->selected_count; i++) {
        AggregateState *state = states[rows->groups[i] * stride];
        state->sum += floats[batch_position(batch, i)];
        state->any = state->any_float = true;
        state->count++;
    }
    return true;
}

/* Sums of a column of numbers without nulls, each row once. Gives how many rows are taken: the others
 * are taken one by one. */
static uint32_t add_numbers(AggregateState *const *states, size_t stride, AggregateRows *rows,
                            const Column *value)
{
    uint32_t done = 0, all = rows->batch->selected_count;
    bool few = tallies_fit(rows) && only_numbers(states, stride, rows->group_count);
    if (value->type == COLUMN_FLOAT) {
        if (few) return tally_floats(states, stride, rows, value->floats), all;
        return sum_floats(states, stride, rows, value->floats) ? all : 0;
    }
    if (few && tally_integers(states, stride, rows, value->integers)) return all;
    sum_integers(states, stride, rows, value->integers, &done);
    return done;
}

Error *aggregate_batch(AggregateState *const *states, size_t stride, AggregateRows *rows,
                       const Column *value, const Column *extra)
{
    const Batch *batch = rows->batch;
    if (batch->selected_count == 0) return NULL;
    const AggregateSpec *spec = states[rows->groups[0] * stride]->spec;
    bool plain = value->valid == NULL && value->type != COLUMN_ANY && value->type != COLUMN_UNSET &&
                 !spec->distinct;
    bool numbers = plain && !value->constant && batch->multiplicity == NULL &&
                   (value->type == COLUMN_INTEGER || value->type == COLUMN_FLOAT);
    uint32_t done = 0;
    if (spec->kind == AGGREGATE_COUNT_ROWS || (spec->kind == AGGREGATE_COUNT && plain)) {
        if (tallies_fit(rows))
            tally_rows(states, stride, rows);
        else
            count_rows(states, stride, rows);
        return NULL;
    }
    if (numbers && (spec->kind == AGGREGATE_SUM || spec->kind == AGGREGATE_AVG))
        done = add_numbers(states, stride, rows, value);
    for (uint32_t i = done; i < batch->selected_count; i++) {
        uint32_t position = batch_position(batch, i);
        TRY(aggregate_step(states[rows->groups[i] * stride], column_value(value, position),
                           column_value(extra, position), batch_multiplicity(batch, position)));
    }
    return NULL;
}

/* ---- two states in one ---- */

static Error *merge_distinct(AggregateState *into, const AggregateState *from)
{
    Value extra = value_float(from->percentile);
    for (size_t i = 0; i < from->value_count; i++)
        TRY(aggregate_step(into, from->values[i], extra, 1));
    for (size_t i = 0; from->nodes != NULL && i <= from->node_mask; i++)
        if (from->nodes[i] != UINT64_MAX)
            TRY(aggregate_step(into, value_node(from->nodes[i]), extra, 1));
    return NULL;
}

static Error *merge_durations(AggregateState *into, const AggregateState *from)
{
    bool numbers = !value_is_null(into->duration) && value_is_null(from->duration);
    if (numbers) return wrong(into, from->any_float ? value_float(0) : value_integer(0));
    if (value_is_null(into->duration) && into->any) return wrong(into, from->duration);
    if (!value_is_null(into->duration))
        return temporal_add(into->arena, into->duration, from->duration, false, &into->duration);
    into->duration = value_copy(into->arena, from->duration);
    return NULL;
}

static Error *merge_sums(AggregateState *into, const AggregateState *from)
{
    if (!value_is_null(into->duration) || !value_is_null(from->duration))
        return merge_durations(into, from);
    into->sum += from->sum;
    into->any_float = into->any_float || from->any_float;
    bool over =
        !into->any_float && __builtin_add_overflow(into->integer, from->integer, &into->integer);
    if (over && into->spec->kind == AGGREGATE_SUM) return sum_overflow();
    if (into->spec->kind < AGGREGATE_STDEV) return NULL;
    double a = (double)into->count, b = (double)from->count, between = from->mean - into->mean;
    into->mean += between * b / (a + b);
    into->square += from->square + between * between * a * b / (a + b);
    return NULL;
}

static Error *merge(AggregateState *into, const AggregateState *from)
{
    AggregateKind kind = into->spec->kind;
    if (!is_count(into->spec) && kind >= AGGREGATE_PERCENTILE_CONT && from->any)
        into->percentile = from->percentile;
    if (into->spec->distinct && kind != AGGREGATE_COUNT_ROWS) return merge_distinct(into, from);
    if (from->count == 0) return NULL;
    switch (kind) {
    case AGGREGATE_COUNT_ROWS:
    case AGGREGATE_COUNT: break;
    case AGGREGATE_SUM:
    case AGGREGATE_AVG:
    case AGGREGATE_STDEV:
    case AGGREGATE_STDEVP: TRY(merge_sums(into, from)); break;
    case AGGREGATE_MIN:
    case AGGREGATE_MAX: {
        int order = into->any ? value_order(from->best, into->best) : 0;
        bool better = kind == AGGREGATE_MIN ? order < 0 : order > 0;
        if (!into->any || better) into->best = value_copy(into->arena, from->best);
        break;
    }
    case AGGREGATE_COLLECT:
    case AGGREGATE_PERCENTILE_CONT:
    case AGGREGATE_PERCENTILE_DISC:
        for (size_t i = 0; i < from->value_count; i++) {
            TRY(room(into));
            keep(into, from->values[i]);
        }
        break;
    }
    into->any = into->any || from->any;
    into->count += from->count;
    return NULL;
}

Error *aggregate_merge(AggregateState *into, const AggregateState *from)
{
    into->merging = true;
    Error *error = merge(into, from);
    into->merging = false;
    return error;
}

static int by_order(const void *a, const void *b)
{
    return value_order(*(const Value *)a, *(const Value *)b);
}

static Value percentile(AggregateState *state)
{
    if (state->value_count == 0) return value_null();
    qsort(state->values, state->value_count, sizeof *state->values, by_order);
    size_t last = state->value_count - 1;
    if (state->spec->kind == AGGREGATE_PERCENTILE_DISC) {
        double rank = ceil(state->percentile * (double)state->value_count) - 1;
        return state->values[rank < 0 ? 0 : (size_t)rank > last ? last : (size_t)rank];
    }
    double at = state->percentile * (double)last, below = floor(at);
    double low = value_as_double(state->values[(size_t)below]);
    if (below == at) return value_float(low);
    double high = value_as_double(state->values[(size_t)below + 1]);
    return value_float(low + (at - below) * (high - low));
}

Error *aggregate_end(AggregateState *state, Arena *arena, Value *out)
{
    double count = (double)state->count;
    if (is_count(state->spec)) return *out = value_integer((int64_t)state->count), NULL;
    if (state->duration.kind == VALUE_DURATION) {
        if (state->spec->kind == AGGREGATE_SUM) return *out = state->duration, NULL;
        return duration_scale(arena, state->duration, value_integer((int64_t)state->count), true,
                              out);
    }
    switch (state->spec->kind) {
    case AGGREGATE_COUNT_ROWS:
    case AGGREGATE_COUNT: *out = value_integer((int64_t)state->count); break;
    case AGGREGATE_SUM:
        *out = state->any_float ? value_float(state->sum) : value_integer(state->integer);
        break;
    case AGGREGATE_AVG:
        *out = state->count == 0 ? value_null() : value_float(state->sum / count);
        break;
    case AGGREGATE_MIN:
    case AGGREGATE_MAX: *out = state->any ? state->best : value_null(); break;
    case AGGREGATE_COLLECT: *out = value_list(state->values, state->value_count); break;
    case AGGREGATE_STDEV:
        *out = value_float(state->count < 2 ? 0.0 : sqrt(state->square / (count - 1)));
        break;
    case AGGREGATE_STDEVP:
        *out = value_float(state->count < 1 ? 0.0 : sqrt(state->square / count));
        break;
    case AGGREGATE_PERCENTILE_CONT:
    case AGGREGATE_PERCENTILE_DISC: *out = percentile(state); break;
    }
    return NULL;
}
