/*
 * score.c - VECTOR .. SIMILAR TO and RANK BY: score every row, keep the best, best first.
 *
 * Rows without a score (no vector, another dimension, no direction under cosine) are left out of a
 * VECTOR clause. The best k are kept by letting rows gather to several times k and cutting back;
 * equal scores are ordered by the lower id. A strategy sees all candidates at once.
 */
#include "config.h"

#include "execution/operator_internal.h"
#include "vector/kernel.h"
#include <math.h>
#include <stdlib.h>

typedef struct Scored {
    double score;
    uint64_t id;
    uint32_t row; /* in the RowBuffer */
    Value per;
} Scored;

typedef struct Score {
    bool done;
    RowBuffer rows;
    Scored *scored;
    size_t count, capacity, at;
    double **legs; /* RANK: a column of scores a leg */
    size_t *leg_capacities;
    size_t row_count;
    EvalContext context;
    const VectorKernel *kernel;
    float *query;
    size_t query_stride;
    Arena *query_arena;
} Score;

/* The query as a padded vector; *found false: it is null. */
static Error *query_vector(Operator *self, const PlanScoreLeg *leg, const Batch *batch,
                           uint32_t position, uint32_t *dimensions, bool *found)
{
    Score *score = self->state;
    Value value;
    operator_context(self, score->query_arena, &score->context);
    TRY(expr_evaluate(leg->expr, &score->context, batch, position, &value));
    *found = value.kind != VALUE_NULL;
    if (!*found) return NULL;
    bool list = value.kind == VALUE_LIST;
    if (!list && value.kind != VALUE_VECTOR)
        return error_at(error_new(ERROR_ARGUMENT_TYPE,
                                  "a vector or a list of numbers is wanted, not %s",
                                  value_kind_name((ValueKind)value.kind)),
                        leg->expr->offset, leg->expr->length);
    if (value.aux == 0 || value.aux > VECTOR_DIMENSIONS_MAX)
        return error_at(error_new(ERROR_ARGUMENT_VALUE, "a vector has 1 to %d dimensions",
                                  VECTOR_DIMENSIONS_MAX),
                        leg->expr->offset, leg->expr->length);
    *dimensions = value.aux;
    score->query_stride = vector_stride(value.aux);
    score->query = arena_array(score->query_arena, float, score->query_stride);
    for (uint32_t i = 0; i < value.aux; i++) {
        if (list && !value_is_number(value.as.items[i]))
            return error_at(error_new(ERROR_ARGUMENT_TYPE, "a list of numbers is wanted"),
                            leg->expr->offset, leg->expr->length);
        score->query[i] = list ? (float)value_as_double(value.as.items[i]) : value.as.vector[i];
    }
    return NULL;
}

/* A stored value as a padded row. Vectors of the store are padded already; others are copied. */
static const float *row_vector(Score *score, Value value, uint32_t dimensions)
{
    if (value.aux != dimensions || (value.kind != VALUE_VECTOR && value.kind != VALUE_LIST))
        return NULL;
    float *row = arena_array(score->query_arena, float, score->query_stride);
    for (uint32_t i = 0; i < dimensions; i++) {
        if (value.kind == VALUE_LIST && !value_is_number(value.as.items[i])) return NULL;
        row[i] = value.kind == VALUE_LIST ? (float)value_as_double(value.as.items[i])
                                          : value.as.vector[i];
    }
    return row;
}

static double score_of(const Score *score, PlanMetric metric, const float *row)
{
    const VectorKernel *kernel = score->kernel;
    if (metric == METRIC_DOT) return (double)kernel->dot(row, score->query, score->query_stride);
    if (metric == METRIC_L2)
        return 1.0 / (1.0 + sqrt(-(double)kernel->l2(row, score->query, score->query_stride)));
    float own = vector_factor(kernel, row, score->query_stride),
          query = vector_factor(kernel, score->query, score->query_stride);
    if (own == 0 || query == 0) return NAN;
    return (double)(kernel->dot(row, score->query, score->query_stride) * own * query);
}

static Error *leg_score(Operator *self, const PlanScoreLeg *leg, const Batch *batch,
                        uint32_t position, double *out)
{
    Score *score = self->state;
    Value value;
    uint64_t id;
    *out = NAN;
    arena_reset(score->query_arena);
    if (!leg->vector) {
        operator_context(self, score->query_arena, &score->context);
        TRY(expr_evaluate(leg->expr, &score->context, batch, position, &value));
        if (value_is_number(value)) *out = value_as_double(value);
        return NULL;
    }
    uint32_t dimensions = 0;
    bool found;
    if (!entity_at(batch, leg->slot, position, VALUE_NODE, &id)) return NULL;
    TRY(query_vector(self, leg, batch, position, &dimensions, &found));
    if (!found) return NULL;
    value = graph_property(&self->execution->view, VALUE_NODE, id,
                           name_resolve(self->execution, NAME_KEY, leg->key));
    if (value.kind == VALUE_VECTOR && value.aux != dimensions && leg->expr->constant)
        return error_at(error_new(ERROR_ARGUMENT_VALUE, "the query has %u dimensions, %.*s has %u",
                                  dimensions, STR_ARG(leg->key.text), value.aux),
                        leg->expr->offset, leg->expr->length);
    const float *row = row_vector(score, value, dimensions);
    if (row != NULL) *out = score_of(score, leg->metric, row);
    return NULL;
}

static int better_first(const void *a, const void *b)
{
    const Scored *x = a, *y = b;
    bool nan_x = isnan(x->score), nan_y = isnan(y->score);
    if (nan_x != nan_y) return nan_x ? 1 : -1;
    if (!nan_x && x->score != y->score) return x->score > y->score ? -1 : 1;
    if (x->id != y->id) return x->id < y->id ? -1 : 1;
    return x->row < y->row ? -1 : x->row > y->row;
}

static uint64_t row_id(const Operator *self, const Batch *batch, uint32_t position)
{
    uint64_t id = 0;
    for (uint32_t i = 0; i < self->plan->leg_count; i++)
        if (self->plan->legs[i].vector &&
            entity_at(batch, self->plan->legs[i].slot, position, VALUE_NODE, &id))
            return id;
    for (uint32_t i = 0; i < self->plan->slot_count; i++)
        if (entity_at(batch, self->plan->slots[i], position, VALUE_NODE, &id)) return id;
    return 0;
}

static Error *take_row(Operator *self, const Batch *batch, uint32_t position, uint32_t row,
                       bool *kept)
{
    Score *score = self->state;
    bool rank = self->plan->kind == PLAN_RANK;
    Scored scored = {.score = NAN, .id = row_id(self, batch, position), .row = row};
    for (uint32_t l = 0; l < self->plan->leg_count; l++) {
        double value;
        TRY(leg_score(self, &self->plan->legs[l], batch, position, &value));
        if (!rank) scored.score = value;
        if (!rank) continue;
        mem_reserve(score->legs[l], score->leg_capacities[l], score->count + 1);
        score->legs[l][score->count] = value;
    }
    *kept = rank || !isnan(scored.score);
    if (!*kept) return NULL;
    if (self->plan->per_slot != SLOT_NONE)
        scored.per = value_copy(self->state_arena,
                                column_value(&batch->columns[self->plan->per_slot], position));
    mem_reserve(score->scored, score->capacity, score->count + 1);
    score->scored[score->count++] = scored;
    return NULL;
}

static Error *take_batch(Operator *self, Batch *batch)
{
    Score *score = self->state;
    uint16_t *kept = arena_alloc(self->arena, (batch->selected_count + 1) * sizeof *kept);
    uint32_t count = 0;
    for (uint32_t i = 0; i < batch->selected_count; i++) {
        bool keep;
        uint32_t position = batch_position(batch, i);
        TRY(take_row(self, batch, position, (uint32_t)score->rows.row_count + count, &keep));
        if (keep) kept[count++] = (uint16_t)position;
    }
    batch->selection = kept;
    batch->selected_count = count;
    rows_append(&score->rows, batch);
    return NULL;
}

static Error *run_strategy(Operator *self)
{
    Score *score = self->state;
    const Strategy *strategy =
        strategy_find(self->execution->environment.strategies, self->plan->strategy);
    Value options = value_null();
    Batch empty = {.row_count = 1, .selected_count = 1};
    if (strategy == NULL)
        return error_new(ERROR_NAME_UNKNOWN, "no such strategy: %.*s",
                         STR_ARG(self->plan->strategy));
    operator_context(self, self->state_arena, &score->context);
    if (self->plan->options != NULL)
        TRY(expr_evaluate(self->plan->options, &score->context, &empty, 0, &options));
    uint64_t *ids = arena_alloc(self->state_arena, (score->count + 1) * sizeof *ids);
    double *out = arena_alloc(self->state_arena, (score->count + 1) * sizeof *out);
    for (size_t i = 0; i < score->count; i++)
        ids[i] = score->scored[i].id;
    Candidates candidates = {score->count, self->plan->leg_count, ids,
                             (const double *const *)score->legs, NULL};
    TRY(strategy->score(strategy->user, options, &candidates, out));
    for (size_t i = 0; i < score->count; i++)
        score->scored[i].score = out[i];
    return NULL;
}

/* Keeps the best `limit`, or the best `limit` for each value of `per`. */
static void cut(Operator *self, uint64_t limit)
{
    Score *score = self->state;
    if (self->plan->per_slot == SLOT_NONE) {
        if (score->count > limit) score->count = limit;
        return;
    }
    size_t kept = 0;
    for (size_t i = 0; i < score->count; i++) {
        uint64_t before = 0;
        for (size_t j = 0; j < kept; j++)
            before += value_equivalent(score->scored[j].per, score->scored[i].per);
        if (before < limit) score->scored[kept++] = score->scored[i];
    }
    score->count = kept;
}

static Error *score_all(Operator *self)
{
    Score *score = self->state;
    Batch *batch;
    uint64_t limit = UINT64_MAX;
    score->kernel = vector_kernel(self->execution->environment.simd);
    self->execution->device = score->kernel->name;
    if (self->plan->limit != NULL) TRY(row_count_of(self, self->plan->limit, "LIMIT", &limit));
    for (;;) {
        TRY(operator_next(self->input, &batch));
        if (batch == NULL) break;
        arena_reset(self->arena);
        TRY(take_batch(self, batch));
    }
    if (self->plan->kind == PLAN_RANK) TRY(run_strategy(self));
    if (score->count > 0) qsort(score->scored, score->count, sizeof *score->scored, better_first);
    if (self->plan->limit != NULL) cut(self, limit);
    return NULL;
}

static Error *next_score(Operator *self, Batch **out)
{
    Score *score = self->state;
    if (!score->done) {
        score->done = true;
        TRY(score_all(self));
    }
    *out = NULL;
    if (score->at == score->count) return NULL;
    arena_reset(self->arena);
    size_t left = score->count - score->at;
    uint32_t count = left > BATCH_ROWS_MAX ? BATCH_ROWS_MAX : (uint32_t)left,
             width = score->rows.column_count;
    RowBuffer best;
    rows_init(&best, self->arena, score->rows.slots, width);
    best.values = arena_alloc(self->arena, ((size_t)count * width + 1) * sizeof(Value));
    best.multiplicity = arena_alloc(self->arena, count * sizeof *best.multiplicity);
    best.row_count = best.row_capacity = count;
    for (uint32_t i = 0; i < count; i++) {
        size_t row = score->scored[score->at + i].row;
        memcpy(best.values + (size_t)i * width, score->rows.values + row * width,
               width * sizeof(Value));
        best.multiplicity[i] = score->rows.multiplicity[row];
    }
    *out = rows_batch(&best, self->arena, self->execution->plan->slot_count, 0, count);
    Column *column = batch_column(self->arena, *out, self->plan->slot, COLUMN_FLOAT);
    for (uint32_t i = 0; i < count; i++)
        column->floats[i] = score->scored[score->at + i].score;
    score->at += count;
    return NULL;
}

static void reset_score(Operator *self)
{
    Score *score = self->state;
    score->done = false;
    score->at = score->count = score->rows.row_count = 0;
}

static void close_score(Operator *self)
{
    Score *score = self->state;
    mem_free(score->scored);
    for (uint32_t l = 0; l < self->plan->leg_count; l++)
        mem_free(score->legs[l]);
    arena_destroy(score->query_arena);
}

void open_score(Operator *self)
{
    Score *score = arena_new(self->state_arena, Score);
    score->legs = arena_array(self->state_arena, double *, self->plan->leg_count + 1);
    score->leg_capacities = arena_array(self->state_arena, size_t, self->plan->leg_count + 1);
    score->query_arena = arena_create();
    rows_init(&score->rows, self->state_arena, self->plan->slots, self->plan->slot_count);
    self->state = score;
    self->next = next_score;
    self->reset = reset_score;
    self->close = close_score;
}
