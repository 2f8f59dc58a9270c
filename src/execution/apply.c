/*
 * apply.c - a sub-plan for each outer row, a batch of outer rows at a time.
 *
 * The inner chain begins at an Argument that gives the outer batch with the number of each row in
 * `row_slot`; whatever the chain extends carries that number along, so its rows find their outer
 * row again. How often an outer row counts is not the inner chain's business where that crosses
 * rows or is asked for a value: it would count for it as often. A sub-query inside a comprehension
 * is run from within the expression, for one row and the values of the comprehension's variables.
 * Where the inner chain crosses rows (groups, sorts, cuts) each outer row is given alone, and the
 * outer columns are put back beside what comes out.
 */
#include "config.h"

#include "execution/adjacent.h"
#include "execution/operator_internal.h"

typedef struct Apply {
    Batch *outer;
    bool running;     /* the inner chain has more for `outer` */
    bool crossing;    /* outer rows one by one */
    uint32_t at;      /* crossing: the next selected row */
    uint8_t *matched; /* by position */
    bool unmatched_pending;
    Batch given; /* to the inner chain; crossing: the one row */
    uint16_t position;
    Arena *outer_arena;
} Apply;

static bool crosses(const PlanNode *plan)
{
    for (; plan != NULL; plan = plan->input)
        if (plan->kind == PLAN_AGGREGATE || plan->kind == PLAN_DISTINCT ||
            plan->kind == PLAN_SORT || plan->kind == PLAN_SKIP || plan->kind == PLAN_LIMIT ||
            plan->kind == PLAN_UNION || plan->kind == PLAN_SCORE || plan->kind == PLAN_RANK)
            return true;
    return false;
}

/* A sub-query that only writes does so as often as the outer row counts. */
static bool keeps_multiplicity(const Apply *apply, PlanApplyKind kind)
{
    if (kind == APPLY_UNIT) return true;
    return !apply->crossing && (kind == APPLY_OPTIONAL || kind == APPLY_ROWS);
}

/* The next outer batch, or the next row of it; *more is false at the end. */
static Error *next_outer(Operator *self, bool *more)
{
    Apply *apply = self->state;
    *more = true;
    if (apply->outer == NULL || !apply->crossing || apply->at == apply->outer->selected_count) {
        TRY(operator_next(self->input, &apply->outer));
        apply->at = 0;
        if (apply->outer == NULL) return *more = false, NULL;
        arena_reset(apply->outer_arena);
        apply->matched = arena_array(apply->outer_arena, uint8_t, apply->outer->row_count);
    }
    apply->given = *apply->outer;
    if (apply->crossing) {
        apply->position = (uint16_t)batch_position(apply->outer, apply->at++);
        apply->given.selection = &apply->position;
        apply->given.selected_count = 1;
    }
    if (!keeps_multiplicity(apply, self->plan->apply)) apply->given.multiplicity = NULL;
    chain_start(self->inner, &apply->given);
    return NULL;
}

/* Crossing: the inner rows count as often as the outer one. */
static Error *restore_multiplicity(const Apply *apply, Batch *batch)
{
    uint64_t times = batch_multiplicity(apply->outer, apply->position);
    if (times == 1) return NULL;
    uint64_t *multiplicity =
        arena_alloc(apply->outer_arena, (batch->row_count + 1) * sizeof *multiplicity);
    for (uint32_t i = 0; i < batch->row_count; i++)
        TRY(times_rows(times, batch_multiplicity(batch, i), &multiplicity[i]));
    batch->multiplicity = multiplicity;
    return NULL;
}

/* Crossing: what the inner chain dropped of the outer row is put back as constants. */
static Error *restore_outer(Operator *self, Batch *batch)
{
    Apply *apply = self->state;
    for (uint32_t c = 0; c < batch->column_count; c++) {
        if (batch->columns[c].type != COLUMN_UNSET || apply->outer->columns[c].type == COLUMN_UNSET)
            continue;
        Value value = column_value(&apply->outer->columns[c], apply->position);
        Column *column = column_create(
            apply->outer_arena,
            value.kind == VALUE_NULL ? COLUMN_ANY : column_type_of((ValueKind)value.kind), 1);
        column_set(apply->outer_arena, column, 0, value, 1);
        column->constant = true;
        batch->columns[c] = *column;
    }
    return restore_multiplicity(apply, batch);
}

static uint32_t outer_position(const Operator *self, const Batch *batch, uint32_t position)
{
    const Apply *apply = self->state;
    return apply->crossing
               ? apply->position
               : (uint32_t)column_value(&batch->columns[self->plan->row_slot], position).as.integer;
}

/* ---- OPTIONAL and CALL { } with rows ---- */

static Batch *unmatched(Operator *self)
{
    Apply *apply = self->state;
    const Batch *outer = apply->outer;
    uint16_t *positions = arena_alloc(self->arena, (outer->selected_count + 1) * sizeof *positions);
    uint32_t count = 0;
    for (uint32_t i = 0; i < outer->selected_count; i++) {
        uint32_t position = batch_position(outer, i);
        if (!apply->matched[position]) positions[count++] = (uint16_t)position;
    }
    if (count == 0) return NULL;
    Batch *batch = batch_extend(self, outer, positions, count);
    for (uint32_t s = 0; s < self->plan->slot_count; s++) {
        Column *column = batch_column(self->arena, batch, self->plan->slots[s], COLUMN_ANY);
        for (uint32_t i = 0; i < count; i++)
            column->values[i] = value_null();
    }
    return batch;
}

static Error *next_rows(Operator *self, Batch **out)
{
    Apply *apply = self->state;
    bool optional = self->plan->apply == APPLY_OPTIONAL, more;
    for (;;) {
        *out = NULL;
        if (apply->unmatched_pending) {
            apply->unmatched_pending = false;
            arena_reset(self->arena);
            if (optional && (*out = unmatched(self)) != NULL) return NULL;
        }
        if (!apply->running) {
            TRY(next_outer(self, &more));
            if (!more) return NULL;
            apply->running = true;
        }
        TRY(operator_next(self->inner, out));
        if (*out == NULL) {
            apply->running = false;
            apply->unmatched_pending =
                !apply->crossing || apply->at == apply->outer->selected_count;
            continue;
        }
        for (uint32_t i = 0; optional && i < (*out)->selected_count; i++)
            apply->matched[outer_position(self, *out, batch_position(*out, i))] = 1;
        if (apply->crossing) TRY(restore_outer(self, *out));
        return NULL;
    }
}

/* ---- EXISTS, COUNT, COLLECT, and sub-queries that only write ---- */

typedef struct Gathered {
    uint64_t *counts;
    Value **lists;
    size_t *capacities;
} Gathered;

static void gather_row(Operator *self, Gathered *gathered, const Batch *batch, uint32_t position)
{
    uint32_t outer = outer_position(self, batch, position);
    uint64_t times = batch_multiplicity(batch, position);
    if (self->plan->apply == APPLY_COLLECT) {
        for (uint64_t t = 0; t < times; t++) {
            if (gathered->counts[outer] + t >= gathered->capacities[outer]) {
                size_t capacity =
                    gathered->capacities[outer] < 4 ? 4 : gathered->capacities[outer] * 2;
                Value *larger = arena_alloc(self->arena, capacity * sizeof *larger);
                if (gathered->counts[outer] + t > 0)
                    memcpy(larger, gathered->lists[outer],
                           (gathered->counts[outer] + t) * sizeof *larger);
                gathered->lists[outer] = larger;
                gathered->capacities[outer] = capacity;
            }
            gathered->lists[outer][gathered->counts[outer] + t] = value_copy(
                self->arena, column_value(&batch->columns[self->plan->collect_slot], position));
        }
    }
    gathered->counts[outer] += times;
}

static Error *run_inner(Operator *self, Gathered *gathered)
{
    Batch *batch;
    for (;;) {
        TRY(operator_next(self->inner, &batch));
        if (batch == NULL) return NULL;
        if (self->plan->apply == APPLY_UNIT) continue;
        for (uint32_t i = 0; i < batch->selected_count; i++)
            gather_row(self, gathered, batch, batch_position(batch, i));
    }
}

static Error *next_value(Operator *self, Batch **out)
{
    Apply *apply = self->state;
    bool more;
    *out = NULL;
    apply->outer = NULL; /* it was given on, and belongs to whoever narrowed it since */
    TRY(next_outer(self, &more));
    if (!more) return NULL;
    arena_reset(self->arena);
    uint32_t rows = apply->outer->row_count;
    Gathered gathered = {arena_array(self->arena, uint64_t, rows + 1),
                         arena_array(self->arena, Value *, rows + 1),
                         arena_array(self->arena, size_t, rows + 1)};
    TRY(run_inner(self, &gathered));
    while (apply->crossing && apply->at < apply->outer->selected_count) {
        TRY(next_outer(self, &more));
        TRY(run_inner(self, &gathered));
    }
    *out = apply->outer;
    if (self->plan->apply == APPLY_UNIT) return NULL;
    static const ColumnType types[] = {[APPLY_EXISTS] = COLUMN_BOOLEAN,
                                       [APPLY_COUNT] = COLUMN_INTEGER,
                                       [APPLY_COLLECT] = COLUMN_ANY};
    Column *column =
        batch_column(self->arena, *out, self->plan->out_slot, types[self->plan->apply]);
    for (uint32_t i = 0; i < rows; i++) {
        if (self->plan->apply == APPLY_EXISTS)
            column->booleans[i] = gathered.counts[i] > 0;
        else if (self->plan->apply == APPLY_COUNT)
            column->integers[i] = (int64_t)gathered.counts[i];
        else
            column->values[i] = value_list(gathered.lists[i], gathered.counts[i]);
    }
    return NULL;
}

static void reset_apply(Operator *self)
{
    Apply *apply = self->state;
    apply->outer = NULL;
    apply->running = apply->unmatched_pending = false;
    apply->at = 0;
}

static void close_apply(Operator *self)
{
    arena_destroy(((Apply *)self->state)->outer_arena);
}

void open_apply(Operator *self)
{
    Apply *apply = arena_new(self->state_arena, Apply);
    apply->outer_arena = arena_create();
    apply->crossing = crosses(self->plan->inner);
    self->state = apply;
    bool rows = self->plan->apply == APPLY_OPTIONAL || self->plan->apply == APPLY_ROWS;
    self->next = rows ? next_rows : next_value;
    self->reset = reset_apply;
    self->close = close_apply;
}

/* ---- sub-queries run by expressions ---- */

typedef struct Subquery {
    Operator *inner;
    Arena *arena; /* what is given to the chain: the outer row and the locals */
    uint16_t position;
    Batch given;
} Subquery;

/* The outer row with the locals beside it. An expression that no row has (of LIMIT) has no columns
 * either. */
static void give_row(Subquery *subquery, const Plan *plan, const PlanSubquery *shape,
                     const Value *locals, const Batch *batch, uint32_t position)
{
    arena_reset(subquery->arena);
    Column *columns = arena_array(subquery->arena, Column, plan->slot_count + 1);
    if (batch->column_count > 0)
        memcpy(columns, batch->columns, batch->column_count * sizeof *columns);
    for (uint32_t i = 0; i < shape->slot_count; i++) {
        Value value = locals[i];
        ColumnType type = value_is_null(value) ? COLUMN_ANY : column_type_of((ValueKind)value.kind);
        Column *column = &columns[shape->slots[i]];
        *column = *column_create(subquery->arena, type, 1);
        column_set(subquery->arena, column, 0, value, 1);
        column->constant = true;
    }
    subquery->position = (uint16_t)position;
    subquery->given = (Batch){.columns = columns,
                              .column_count = plan->slot_count,
                              .row_count = batch->row_count,
                              .selected_count = 1,
                              .selection = &subquery->position};
}

typedef struct Collected {
    Value *items;
    size_t count, capacity;
} Collected;

static void collect(Collected *collected, Arena *arena, Value value, uint64_t times)
{
    for (uint64_t t = 0; t < times; t++) {
        if (collected->count == collected->capacity) {
            collected->capacity = collected->capacity < 4 ? 4 : collected->capacity * 2;
            Value *larger = arena_alloc(arena, collected->capacity * sizeof *larger);
            if (collected->count > 0)
                memcpy(larger, collected->items, collected->count * sizeof *larger);
            collected->items = larger;
        }
        collected->items[collected->count++] = value_copy(arena, value);
    }
}

static Error *run_subquery(void *state, uint32_t index, const Value *locals, const Batch *batch,
                           uint32_t row, Arena *arena, Value *out)
{
    Execution *execution = state;
    Subquery *subquery = &execution->subqueries[index];
    const PlanSubquery *shape = &execution->plan->subqueries[index];
    Collected collected = {NULL, 0, 0};
    uint64_t rows = 0;
    give_row(subquery, execution->plan, shape, locals, batch, row);
    chain_start(subquery->inner, &subquery->given);
    for (;;) {
        Batch *found;
        TRY(operator_next(subquery->inner, &found));
        if (found == NULL || (rows > 0 && shape->kind == APPLY_EXISTS)) break;
        for (uint32_t i = 0; i < found->selected_count; i++) {
            uint32_t position = batch_position(found, i);
            uint64_t times = batch_multiplicity(found, position);
            rows += times;
            if (shape->kind == APPLY_COLLECT)
                collect(&collected, arena,
                        column_value(&found->columns[shape->collect_slot], position), times);
        }
    }
    *out = shape->kind == APPLY_EXISTS  ? value_boolean(rows > 0)
           : shape->kind == APPLY_COUNT ? value_integer((int64_t)rows)
                                        : value_list(collected.items, collected.count);
    return NULL;
}

Error *subqueries_open(Execution *execution)
{
    uint32_t count = execution->plan->subquery_count;
    execution->subquery_runner = (SubqueryRunner){execution, run_subquery};
    if (count == 0) return NULL;
    execution->subqueries = arena_array(execution->arena, Subquery, count);
    for (uint32_t i = 0; i < count; i++) {
        execution->subqueries[i].arena = arena_create();
        TRY(operator_open(execution, execution->plan->subqueries[i].inner,
                          &execution->subqueries[i].inner));
    }
    return NULL;
}

void subqueries_close(Execution *execution)
{
    for (uint32_t i = 0; execution->subqueries != NULL && i < execution->plan->subquery_count; i++)
        arena_destroy(execution->subqueries[i].arena);
}
