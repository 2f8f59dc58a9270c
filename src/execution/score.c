/*
 * score.c - VECTOR .. SIMILAR TO and RANK BY: rows in, the best out, best first.
 *
 * VECTOR scores a batch at a time and keeps the best k as it goes (value/best.h): a row is copied
 * only when it gets in, so memory is k rows and most rows cost their score and one comparison.
 * Where the rows come from a scan, it is taken as a whole: by a graphics device, or through codes
 * (score_scan.c).
 *
 * RANK collects all rows and a column of scores a leg, because a strategy sees all candidates at
 * once (a rank, a greatest score); then the best k are picked in the same way.
 *
 * Equal scores are ordered by the lower id of what is scored, then by the order of the rows.
 */
#include "config.h"

#include "execution/score_internal.h"
#include <assert.h>
#include <math.h>
#include <stdio.h>

typedef struct Score {
    bool done;
    uint64_t run;       /* of the execution, that `facts` are about */
    Leg **legs;         /* vector legs; others NULL */
    Program **programs; /* of the others */
    EvalContext context;
    Scored *scored;
    BestRows *best;
    uint64_t limit;
    size_t at, count;
    ScoreFacts facts;                /* of all runs */
    char note[SCORE_WHERE_MAX + 64]; /* what PROFILE tells */

    /* RANK */
    Arena *rows_arena;
    RowBuffer rows;
    double **columns; /* a score a row and leg */
    size_t *column_capacities;
    uint64_t *ids;
    size_t id_capacity;
} Score;

static Value group_of(const Operator *self, const Batch *batch, uint32_t position)
{
    uint32_t slot = self->plan->per_slot;
    return slot == SLOT_NONE ? value_null() : column_value(&batch->columns[slot], position);
}

static Error *check_held(Operator *self)
{
    const Score *score = self->state;
    return operator_check_memory(self, best_bytes(score->best) + arena_bytes(score->rows_arena));
}

/* ---- VECTOR ---- */

static Error *take_batch(Operator *self, const Batch *batch)
{
    Score *score = self->state;
    Scored *scored = score->scored;
    score->facts.candidates += batch->selected_count;
    TRY(leg_score(score->legs[0], batch, (float)best_floor(score->best), scored));
    for (uint32_t i = 0; i < scored->count; i++)
        best_offer(score->best, batch, scored->positions[i], (double)scored->scores[i],
                   scored->ids[i], group_of(self, batch, scored->positions[i]));
    return check_held(self);
}

/* The input begins anew, as if nothing had been taken of it; `rows` are those that PROFILE counted before. */
static void begin_anew(Operator *self, const uint64_t *rows)
{
    Score *score = self->state;
    const Execution *execution = self->execution;
    operator_reset(self->input);
    memcpy(execution->rows, rows, execution->plan->node_count * sizeof *rows);
    best_destroy(score->best);
    score->best = best_create(self->plan->slots, self->plan->slot_count, score->limit, false);
}

/* More rows than are scored as fast as they are looked at. */
static Error *ask_again(Operator *self, const uint64_t *rows, bool *found)
{
    Score *score = self->state;
    begin_anew(self, rows);
    TRY(score_again(self, score->legs[0], score->limit, score->best, &score->facts, found));
    if (!*found) begin_anew(self, rows);
    return NULL;
}

static Error *take_input(Operator *self, const uint64_t *rows)
{
    Score *score = self->state;
    uint64_t before = score->facts.candidates;
    Batch *batch;
    for (;;) {
        TRY(operator_next(self->input, &batch));
        if (batch == NULL) return NULL;
        if (rows != NULL && score->facts.candidates - before > SCORE_AGAIN_ROWS) {
            bool found = false;
            score->facts.candidates = before;
            TRY(ask_again(self, rows, &found));
            if (found) return NULL;
            rows = NULL;
        } else if (score->limit > 0) {
            TRY(take_batch(self, batch));
        }
    }
}

static Error *score_input(Operator *self)
{
    Score *score = self->state;
    const Execution *execution = self->execution;
    uint64_t *rows = NULL;
    if (score->limit == 0 && !plan_writes_below(self->plan->input)) return NULL;
    if (score_may_ask_again(self, score->legs[0], score->limit)) {
        rows = mem_alloc((execution->plan->node_count + 1) * sizeof *rows);
        memcpy(rows, execution->rows, execution->plan->node_count * sizeof *rows);
    }
    Error *error = take_input(self, rows);
    mem_free(rows);
    return error == NULL ? leg_check(score->legs[0]) : error;
}

static Error *score_all(Operator *self)
{
    Score *score = self->state;
    Leg *leg = score->legs[0];
    const Batch unit = {.row_count = 1, .selected_count = 1};
    leg_reset(leg);
    if (leg_constant(leg)) TRY(leg_query(leg, &unit, 0));
    TRY(score_scan(self, leg, score->limit, score->scored, score->best, &score->facts));
    if (score->facts.where[0] == '\0')
        TRY(score_each(self, leg, score->limit, score->scored, score->best, &score->facts));
    if (score->facts.where[0] != '\0') return leg_check(leg);
    snprintf(score->facts.where, sizeof score->facts.where, "cpu %s", leg->kernel->name);
    return score_input(self);
}

/* ---- RANK ---- */

/* The id that decides between equal scores: that of the first vector source's node, else that of the
 * first node of the row. */
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

/* Scores of a leg over the selected rows, NaN where it has none. */
static Error *leg_column(Operator *self, uint32_t l, const Batch *batch, double *out)
{
    Score *score = self->state;
    Column column;
    const Scored *scored = score->scored;
    if (score->legs[l] == NULL) {
        operator_context(self, self->arena, &score->context);
        TRY(program_run(score->programs[l], &score->context, batch, &column));
        for (uint32_t i = 0; i < batch->selected_count; i++) {
            Value value = column_value(&column, batch_position(batch, i));
            out[i] = value_is_number(value) ? value_as_double(value) : (double)NAN;
        }
        return NULL;
    }
    TRY(leg_score(score->legs[l], batch, -INFINITY, score->scored));
    for (uint32_t i = 0, at = 0; i < batch->selected_count; i++) {
        bool found = at < scored->count && scored->positions[at] == batch_position(batch, i);
        out[i] = found ? score_shown(self->plan->legs[l].metric, (double)scored->scores[at])
                       : (double)NAN;
        at += found;
    }
    return NULL;
}

static Error *collect_batch(Operator *self, const Batch *batch)
{
    Score *score = self->state;
    size_t rows = score->rows.row_count, all = rows + batch->selected_count;
    arena_reset(self->arena);
    for (uint32_t l = 0; l < self->plan->leg_count; l++) {
        mem_reserve(score->columns[l], score->column_capacities[l], all);
        TRY(leg_column(self, l, batch, score->columns[l] + rows));
    }
    mem_reserve(score->ids, score->id_capacity, all);
    for (uint32_t i = 0; i < batch->selected_count; i++)
        score->ids[rows + i] = row_id(self, batch, batch_position(batch, i));
    rows_append(&score->rows, batch);
    score->facts.candidates += batch->selected_count;
    return check_held(self);
}

static Error *check_options(const Strategy *strategy, Value options)
{
    for (uint32_t i = 0; strategy->options != NULL && options.kind == VALUE_MAP && i < options.aux;
         i++) {
        bool known = false;
        for (size_t k = 0; strategy->options[k] != NULL; k++)
            known = known || str_equal(options.as.entries[i].key, str_from(strategy->options[k]));
        if (!known)
            return error_new(ERROR_ARGUMENT_VALUE, "%s has no option %.*s", strategy->name,
                             STR_ARG(options.as.entries[i].key));
    }
    if (options.kind == VALUE_MAP || options.kind == VALUE_NULL) return NULL;
    return error_new(ERROR_ARGUMENT_TYPE, "USING wants a map, not %s",
                     value_kind_name((ValueKind)options.kind));
}

static Error *ask_strategy(Operator *self, double *out)
{
    Score *score = self->state;
    Value options = value_null();
    const Batch unit = {.row_count = 1, .selected_count = 1};
    const Strategy *strategy =
        strategy_find(self->execution->environment.strategies, self->plan->strategy);
    if (strategy == NULL)
        return error_new(ERROR_NAME_UNKNOWN, "no such strategy: %.*s",
                         STR_ARG(self->plan->strategy));
    operator_context(self, self->arena, &score->context);
    if (self->plan->options != NULL)
        TRY(expr_evaluate(self->plan->options, &score->context, &unit, 0, &options));
    TRY(check_options(strategy, options));
    Candidates candidates = {score->rows.row_count, self->plan->leg_count, score->ids,
                             (const double *const *)score->columns, NULL};
    return strategy->score(strategy->user, options, &candidates, out);
}

static Error *run_strategy(Operator *self)
{
    Score *score = self->state;
    size_t count = score->rows.row_count;
    double *out = mem_alloc((count + 1) * sizeof *out);
    arena_reset(self->arena);
    Error *error = ask_strategy(self, out);
    const Expr *options = self->plan->options;
    if (error != NULL && options != NULL && !error_has_place(error))
        error = error_at(error, options->offset, options->length);
    for (size_t from = 0; error == NULL && from < count; from += BATCH_ROWS_MAX) {
        uint32_t rows = count - from < BATCH_ROWS_MAX ? (uint32_t)(count - from) : BATCH_ROWS_MAX;
        arena_reset(self->arena);
        const Batch *batch =
            rows_batch(&score->rows, self->arena, self->execution->plan->slot_count, from, rows);
        for (uint32_t i = 0; i < rows; i++)
            best_offer(score->best, batch, i, out[from + i], score->ids[from + i],
                       group_of(self, batch, i));
        error = check_held(self);
    }
    mem_free(out);
    return error;
}

static Error *rank_all(Operator *self)
{
    Score *score = self->state;
    Batch *batch;
    snprintf(score->facts.where, sizeof score->facts.where, "cpu %s",
             vector_kernel(self->execution->environment.simd)->name);
    if (score->limit == 0 && !plan_writes_below(self->plan->input)) return NULL;
    for (uint32_t l = 0; l < self->plan->leg_count; l++)
        if (score->legs[l] != NULL) leg_reset(score->legs[l]);
    for (;;) {
        TRY(operator_next(self->input, &batch));
        if (batch == NULL) break;
        TRY(collect_batch(self, batch));
    }
    for (uint32_t l = 0; l < self->plan->leg_count; l++)
        if (score->legs[l] != NULL) TRY(leg_check(score->legs[l]));
    return run_strategy(self);
}

/* ---- the operator ---- */

static Error *run(Operator *self)
{
    Score *score = self->state;
    score->limit = BEST_ALL;
    if (self->plan->limit != NULL)
        TRY(row_count_of(self, self->plan->limit, "LIMIT", &score->limit));
    score->best = best_create(self->plan->slots, self->plan->slot_count, score->limit,
                              self->plan->per_slot != SLOT_NONE);
    TRY(self->plan->kind == PLAN_RANK ? rank_all(self) : score_all(self));
    score->count = best_finish(score->best);
    if (!self->execution->plan->profile) return NULL;
    const ScoreFacts *facts = &score->facts;
    int length = snprintf(score->note, sizeof score->note, "on %s, %llu candidates", facts->where,
                          (unsigned long long)facts->candidates);
    if (facts->scored > 0)
        snprintf(score->note + length, sizeof score->note - (size_t)length, ", %llu scored",
                 (unsigned long long)facts->scored);
    self->execution->notes[self->plan->id] = score->note;
    return NULL;
}

static Error *next_score(Operator *self, Batch **out)
{
    Score *score = self->state;
    double scores[BATCH_ROWS_MAX];
    *out = NULL;
    if (!score->done) {
        score->done = true;
        TRY(run(self));
    }
    if (score->at == score->count) return NULL;
    size_t left = score->count - score->at;
    uint32_t count = left > BATCH_ROWS_MAX ? BATCH_ROWS_MAX : (uint32_t)left;
    arena_reset(self->arena);
    *out = best_batch(score->best, self->arena, self->execution->plan->slot_count, score->at, count,
                      scores);
    Column *column = batch_column(self->arena, *out, self->plan->slot, COLUMN_FLOAT);
    for (uint32_t i = 0; i < count; i++)
        column->floats[i] = self->plan->kind == PLAN_RANK
                                ? scores[i]
                                : score_shown(self->plan->legs[0].metric, scores[i]);
    score->at += count;
    return NULL;
}

static void reset_score(Operator *self)
{
    Score *score = self->state;
    best_destroy(score->best);
    score->best = NULL;
    score->done = false;
    score->at = score->count = 0;
    if (score->run != self->execution->run) score->facts = (ScoreFacts){.candidates = 0};
    score->run = self->execution->run;
    arena_reset(score->rows_arena);
    rows_init(&score->rows, score->rows_arena, self->plan->slots, self->plan->slot_count);
}

static void close_score(Operator *self)
{
    Score *score = self->state;
    best_destroy(score->best);
    for (uint32_t l = 0; l < self->plan->leg_count; l++) {
        leg_close(score->legs[l]);
        mem_free(score->columns[l]);
    }
    mem_free(score->ids);
    arena_destroy(score->rows_arena);
}

void open_score(Operator *self)
{
    Score *score = arena_new(self->state_arena, Score);
    uint32_t legs = self->plan->leg_count;
    const VectorKernel *kernel = vector_kernel(self->execution->environment.simd);
    score->legs = arena_array(self->state_arena, Leg *, legs + 1);
    score->programs = arena_array(self->state_arena, Program *, legs + 1);
    score->columns = arena_array(self->state_arena, double *, legs + 1);
    score->column_capacities = arena_array(self->state_arena, size_t, legs + 1);
    for (uint32_t l = 0; l < legs; l++)
        if (self->plan->legs[l].vector)
            score->legs[l] = leg_new(self, &self->plan->legs[l], kernel);
        else
            score->programs[l] = program_compile(self->state_arena, self->plan->legs[l].expr);
    score->scored = arena_new(self->state_arena, Scored);
    score->rows_arena = arena_create();
    rows_init(&score->rows, score->rows_arena, self->plan->slots, self->plan->slot_count);
    self->state = score;
    self->next = next_score;
    self->reset = reset_score;
    self->close = close_score;
}
