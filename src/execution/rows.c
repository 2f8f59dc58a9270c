/* rows.c - operators that keep, drop, compute, cut and order rows. */
#include "config.h"

#include "execution/operator_internal.h"
#include <stdlib.h>

/* ---- FILTER and PROJECT ---- */

typedef struct Compute {
    Program **programs;
    EvalContext context;
} Compute;

static Error *next_filter(Operator *self, Batch **out)
{
    Compute *compute = self->state;
    for (;;) {
        TRY(operator_next(self->input, out));
        if (*out == NULL) return NULL;
        arena_reset(self->arena);
        operator_context(self, self->arena, &compute->context);
        TRY(program_filter(compute->programs[0], &compute->context, *out));
        if ((*out)->selected_count > 0) return NULL;
    }
}

static Compute *compute_new(Operator *self, uint32_t count)
{
    Compute *compute = arena_new(self->state_arena, Compute);
    compute->programs = arena_array(self->state_arena, Program *, count + 1);
    self->state = compute;
    return compute;
}

void open_filter(Operator *self)
{
    compute_new(self, 1)->programs[0] = program_compile(self->state_arena, self->plan->expr);
    self->next = next_filter;
}

/* All items see the input's columns: what one fills, another does not see. */
static Error *next_project(Operator *self, Batch **out)
{
    Compute *compute = self->state;
    uint32_t count = self->plan->item_count;
    TRY(operator_next(self->input, out));
    if (*out == NULL) return NULL;
    arena_reset(self->arena);
    operator_context(self, self->arena, &compute->context);
    Column *columns = arena_array(self->arena, Column, count + 1);
    for (uint32_t i = 0; i < count; i++)
        TRY(program_run(compute->programs[i], &compute->context, *out, &columns[i]));
    for (uint32_t i = 0; i < count; i++)
        (*out)->columns[self->plan->items[i].slot] = columns[i];
    return NULL;
}

void open_project(Operator *self)
{
    Compute *compute = compute_new(self, self->plan->item_count);
    for (uint32_t i = 0; i < self->plan->item_count; i++)
        compute->programs[i] = program_compile(self->state_arena, self->plan->items[i].expr);
    self->next = next_project;
}

/* ---- PRODUCE ---- */

static Error *next_produce(Operator *self, Batch **out)
{
    return operator_next(self->input, out);
}

void open_produce(Operator *self)
{
    self->next = next_produce;
}

/* ---- SKIP and LIMIT ---- */

typedef struct Cut {
    bool known;
    uint64_t count, left;
} Cut;

/* Drops the first or keeps the first `left` of the batch's rows; a position counts as often as its
 * multiplicity. */
static void cut_batch(Operator *self, Batch *batch, bool keep, uint64_t *left)
{
    uint16_t *positions = arena_alloc(self->arena, (batch->selected_count + 1) * sizeof *positions);
    uint64_t *multiplicity = NULL;
    uint32_t count = 0;
    if (batch->multiplicity != NULL) {
        multiplicity = arena_alloc(self->arena, batch->row_count * sizeof *multiplicity);
        memcpy(multiplicity, batch->multiplicity, batch->row_count * sizeof *multiplicity);
    }
    for (uint32_t i = 0; i < batch->selected_count; i++) {
        uint32_t position = batch_position(batch, i);
        uint64_t rows = batch_multiplicity(batch, position), taken = rows < *left ? rows : *left;
        uint64_t kept = keep ? taken : rows - taken;
        *left -= taken;
        if (kept == 0) continue;
        if (multiplicity != NULL) multiplicity[position] = kept;
        positions[count++] = (uint16_t)position;
    }
    batch->selection = positions;
    batch->selected_count = count;
    if (multiplicity != NULL) batch->multiplicity = multiplicity;
}

static Error *know_count(Operator *self, const char *what)
{
    Cut *cut = self->state;
    if (cut->known) return NULL;
    TRY(row_count_of(self, self->plan->expr, what, &cut->count));
    cut->left = cut->count;
    cut->known = true;
    return NULL;
}

static Error *next_skip(Operator *self, Batch **out)
{
    Cut *cut = self->state;
    TRY(know_count(self, "SKIP"));
    for (;;) {
        TRY(operator_next(self->input, out));
        if (*out == NULL || cut->left == 0) return NULL;
        arena_reset(self->arena);
        cut_batch(self, *out, false, &cut->left);
        if ((*out)->selected_count > 0) return NULL;
    }
}

bool plan_writes_below(const PlanNode *plan)
{
    for (; plan != NULL; plan = plan->input)
        if ((plan->kind >= PLAN_CREATE && plan->kind <= PLAN_FOREACH) ||
            (plan->inner != NULL && plan_writes_below(plan->inner)))
            return true;
    return false;
}

static Error *next_limit(Operator *self, Batch **out)
{
    Cut *cut = self->state;
    TRY(know_count(self, "LIMIT"));
    *out = NULL;
    if (cut->left == 0) {
        if (cut->count > 0 || !plan_writes_below(self->plan->input)) return NULL;
        Batch *unseen; /* LIMIT 0 hides rows, it does not undo what is written */
        do
            TRY(operator_next(self->input, &unseen));
        while (unseen != NULL);
        return NULL;
    }
    TRY(operator_next(self->input, out));
    if (*out == NULL) return NULL;
    arena_reset(self->arena);
    cut_batch(self, *out, true, &cut->left);
    return NULL;
}

static void reset_cut(Operator *self)
{
    ((Cut *)self->state)->known = false;
}

void open_skip(Operator *self)
{
    self->state = arena_new(self->state_arena, Cut);
    self->next = next_skip;
    self->reset = reset_cut;
}

void open_limit(Operator *self)
{
    open_skip(self);
    self->next = next_limit;
}

/* ---- UNION ---- */

typedef struct Union {
    uint32_t at;
} Union;

static Error *next_union(Operator *self, Batch **out)
{
    Union *state = self->state;
    const PlanNode *plan = self->plan;
    for (*out = NULL; state->at < plan->branch_count; state->at++) {
        Batch *batch;
        TRY(operator_next(self->branches[state->at], &batch));
        if (batch == NULL) continue;
        arena_reset(self->arena);
        Batch *renamed = batch_create(self->arena, batch->column_count);
        Column *columns = renamed->columns;
        *renamed = *batch;
        renamed->columns = columns;
        for (uint32_t c = 0; c < plan->slot_count; c++)
            columns[plan->slots[c]] =
                batch->columns[plan->branch_slots[state->at * plan->slot_count + c]];
        *out = renamed;
        return NULL;
    }
    return NULL;
}

static void reset_union(Operator *self)
{
    Union *state = self->state;
    state->at = 0;
    for (uint32_t b = 0; b < self->plan->branch_count; b++)
        operator_reset(self->branches[b]);
}

void open_union(Operator *self)
{
    Union *state = arena_new(self->state_arena, Union);
    self->branches = arena_array(self->state_arena, Operator *, self->plan->branch_count);
    for (uint32_t b = 0; b < self->plan->branch_count; b++)
        error_drop(operator_open(self->execution, self->plan->branches[b],
                                 &self->branches[b])); /* opening chains cannot fail */
    self->state = state;
    self->next = next_union;
    self->reset = reset_union;
}

/* ---- SORT ---- */

typedef struct Sort {
    bool done;
    RowBuffer rows;
    Value *keys;
    size_t key_capacity;
    uint32_t *order;
    size_t at, count;
    Compute compute;
} Sort;

typedef struct SortContext {
    const Sort *sort;
    const PlanNode *plan;
} SortContext;

static int compare_rows(const void *a, const void *b, void *user)
{
    const SortContext *context = user;
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b, keys = context->plan->item_count;
    for (uint32_t k = 0; k < keys; k++) {
        int order = value_order(context->sort->keys[(size_t)x * keys + k],
                                context->sort->keys[(size_t)y * keys + k]);
        if (order != 0) return context->plan->items[k].descending ? -order : order;
    }
    return x < y ? -1 : x > y; /* stable */
}

static Error *sort_take(Operator *self, const Batch *batch)
{
    Sort *sort = self->state;
    uint32_t keys = self->plan->item_count;
    arena_reset(self->arena);
    operator_context(self, self->arena, &sort->compute.context);
    Column *columns = arena_array(self->arena, Column, keys);
    for (uint32_t k = 0; k < keys; k++)
        TRY(program_run(sort->compute.programs[k], &sort->compute.context, batch, &columns[k]));
    mem_reserve(sort->keys, sort->key_capacity,
                (sort->rows.row_count + batch->selected_count + 1) * keys);
    for (uint32_t i = 0; i < batch->selected_count; i++)
        for (uint32_t k = 0; k < keys; k++)
            sort->keys[(sort->rows.row_count + i) * keys + k] =
                value_copy(self->state_arena, column_value(&columns[k], batch_position(batch, i)));
    rows_append(&sort->rows, batch);
    return NULL;
}

static Error *sort_all(Operator *self)
{
    Sort *sort = self->state;
    Batch *batch;
    uint64_t limit = UINT64_MAX;
    if (self->plan->expr != NULL) TRY(row_count_of(self, self->plan->expr, "LIMIT", &limit));
    for (;;) {
        TRY(operator_next(self->input, &batch));
        if (batch == NULL) break;
        TRY(sort_take(self, batch));
    }
    sort->count = sort->rows.row_count;
    sort->order = arena_alloc(self->state_arena, (sort->count + 1) * sizeof *sort->order);
    for (size_t i = 0; i < sort->count; i++)
        sort->order[i] = (uint32_t)i;
    SortContext context = {sort, self->plan};
    qsort_r(sort->order, sort->count, sizeof *sort->order, compare_rows, &context);
    if (sort->count > limit) sort->count = limit;
    sort->done = true;
    return NULL;
}

static Error *next_sort(Operator *self, Batch **out)
{
    Sort *sort = self->state;
    if (!sort->done) TRY(sort_all(self));
    *out = NULL;
    if (sort->at == sort->count) return NULL;
    arena_reset(self->arena);
    uint32_t count = sort->count - sort->at > BATCH_ROWS_MAX ? BATCH_ROWS_MAX
                                                             : (uint32_t)(sort->count - sort->at);
    uint32_t width = sort->rows.column_count;
    RowBuffer sorted;
    rows_init(&sorted, self->arena, sort->rows.slots, width);
    sorted.values = arena_alloc(self->arena, ((size_t)count * width + 1) * sizeof(Value));
    sorted.multiplicity = arena_alloc(self->arena, count * sizeof *sorted.multiplicity);
    sorted.row_count = sorted.row_capacity = count;
    for (uint32_t i = 0; i < count; i++) {
        size_t row = sort->order[sort->at + i];
        memcpy(sorted.values + (size_t)i * width, sort->rows.values + row * width,
               width * sizeof(Value));
        sorted.multiplicity[i] = sort->rows.multiplicity[row];
    }
    sort->at += count;
    *out = rows_batch(&sorted, self->arena, self->execution->plan->slot_count, 0, count);
    return NULL;
}

static void reset_sort(Operator *self)
{
    Sort *sort = self->state;
    sort->done = false;
    sort->at = sort->count = 0;
    sort->rows.row_count = 0;
}

static void close_sort(Operator *self)
{
    mem_free(((Sort *)self->state)->keys);
}

void open_sort(Operator *self)
{
    Sort *sort = arena_new(self->state_arena, Sort);
    rows_init(&sort->rows, self->state_arena, self->plan->slots, self->plan->slot_count);
    sort->compute.programs = arena_array(self->state_arena, Program *, self->plan->item_count + 1);
    for (uint32_t i = 0; i < self->plan->item_count; i++)
        sort->compute.programs[i] = program_compile(self->state_arena, self->plan->items[i].expr);
    self->state = sort;
    self->next = next_sort;
    self->reset = reset_sort;
    self->close = close_sort;
}
