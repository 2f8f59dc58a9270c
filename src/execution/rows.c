/* rows.c - operators that keep, drop, compute, cut and order rows. */
#include "config.h"

#include "execution/operator_internal.h"
#include "order/sorter.h"
#include <assert.h>
#include <stdlib.h>

/* ---- FILTER and PROJECT ---- */

/*
 * A filter that looks at one node alone, which hops lead to, gives that node the same answer each time.
 * When it was asked twice as often as there are nodes, it answers for all of them at once and keeps a bit
 * of each; from then on only bits are looked at, as long as the run lasts.
 */
typedef struct Mask {
    uint64_t run; /* the execution's; of another one: void */
    uint64_t asked;
    uint64_t *bits; /* NULL: not made; by node id */
    size_t words;
} Mask;

typedef struct Compute {
    Program **programs;
    EvalContext context;
    Mask mask;
} Compute;

static Error *make_mask(Operator *self, Mask *mask)
{
    Compute *compute = self->state;
    const GraphView *view = &self->execution->view;
    uint64_t nodes = graph_block_count(view) * GRAPH_BLOCK_ROWS, cursor = 0,
             *ids = arena_alloc(self->state_arena, BATCH_ROWS_MAX * sizeof *ids);
    size_t words = (size_t)(nodes / 64 + 1);
    TRY(operator_room(self, words * sizeof *mask->bits));
    uint64_t *bits = arena_array(self->state_arena, uint64_t, words);
    for (;;) {
        uint32_t count = graph_scan_below(view, NULL, 0, &cursor, nodes, ids, BATCH_ROWS_MAX);
        if (count == 0) break;
        arena_reset(self->arena);
        Batch *batch = batch_create(self->arena, self->execution->plan->slot_count);
        batch->row_count = batch->selected_count = count;
        batch->columns[self->plan->slot] =
            (Column){.type = COLUMN_NODE, .ascending = true, .ids = ids};
        operator_context(self, self->arena, &compute->context);
        TRY(program_filter(compute->programs[0], &compute->context, batch));
        for (uint32_t i = 0; i < batch->selected_count; i++) {
            uint64_t id = ids[batch_position(batch, i)];
            bits[id / 64] |= UINT64_C(1) << id % 64;
        }
        TRY(operator_interrupted(self));
    }
    mask->words = words;
    mask->bits = bits;
    return NULL;
}

/* Is there a mask to be asked? It is made when that pays. */
static Error *know_mask(Operator *self, const Batch *batch, bool *known)
{
    enum { ASKED_OFTEN = 2, NODES_MIN = GRAPH_BLOCK_ROWS };
    Mask *mask = &((Compute *)self->state)->mask;
    const Execution *execution = self->execution;
    const Column *column = &batch->columns[self->plan->slot];
    if (mask->run != execution->run) *mask = (Mask){.run = execution->run};
    mask->asked += batch->selected_count;
    uint64_t nodes = graph_node_count(&execution->view),
             morsel = execution->environment.morsel_nodes;
    if (nodes < NODES_MIN && morsel == 0) nodes = NODES_MIN;
    *known = column->type == COLUMN_NODE && !column->constant && column->valid == NULL;
    if (!*known || mask->bits != NULL) return NULL;
    *known = mask->asked > ASKED_OFTEN * nodes;
    return *known ? make_mask(self, mask) : NULL;
}

static void filter_by_mask(Operator *self, Batch *batch)
{
    const Mask *mask = &((Compute *)self->state)->mask;
    const uint64_t *ids = batch->columns[self->plan->slot].ids;
    uint16_t *kept = arena_alloc(self->arena, (batch->selected_count + 1) * sizeof *kept);
    uint32_t count = 0;
    for (uint32_t i = 0; i < batch->selected_count; i++) {
        uint32_t position = batch_position(batch, i);
        uint64_t id = entity_id(ids[position]);
        assert(id / 64 < mask->words);
        kept[count] = (uint16_t)position;
        count += mask->bits[id / 64] >> id % 64 & 1;
    }
    batch->selection = kept;
    batch->selected_count = count;
}

/* Is it of the row that was looked at, and not of the statement? */
static bool is_of_row(const Error *error)
{
    ErrorCode code = error_code(error);
    return code != ERROR_LIMIT && code != ERROR_CANCELLED && code != ERROR_CORRUPT;
}

/* Keeps the rows that make it fail: perhaps they do not match in the end. */
static Error *filter_leniently(Operator *self, Batch *batch)
{
    Compute *compute = self->state;
    Error *error = program_filter(compute->programs[0], &compute->context, batch);
    if (error == NULL || !is_of_row(error)) return error;
    error_drop(error); /* whose it is shows row by row */
    atomic_store(self->execution->rows_failed, true);
    uint16_t *kept = arena_alloc(self->arena, (batch->selected_count + 1) * sizeof *kept);
    uint32_t count = 0;
    for (uint32_t i = 0; i < batch->selected_count; i++) {
        uint32_t position = batch_position(batch, i);
        Value value;
        error = expr_evaluate(self->plan->expr, &compute->context, batch, position, &value);
        if (error != NULL && !is_of_row(error)) return error;
        bool fails = error != NULL, null = !fails && value.kind == VALUE_NULL,
             no = !fails && value.kind == VALUE_BOOLEAN && !value.as.boolean;
        error_drop(error); /* said where it is asked again */
        if (!null && !no) kept[count++] = (uint16_t)position;
    }
    batch->selection = kept;
    batch->selected_count = count;
    return NULL;
}

static Error *next_filter(Operator *self, Batch **out)
{
    Compute *compute = self->state;
    for (;;) {
        bool masked = false;
        TRY(operator_next(self->input, out));
        if (*out == NULL) return NULL;
        if (self->plan->again && !atomic_load(self->execution->rows_failed)) return NULL;
        if (self->plan->masks) TRY(know_mask(self, *out, &masked));
        arena_reset(self->arena);
        operator_context(self, self->arena, &compute->context);
        if (masked)
            filter_by_mask(self, *out);
        else if (self->plan->lenient)
            TRY(filter_leniently(self, *out));
        else
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
    gather_open(self);
}

/* ---- rows cut off ---- */

bool expr_is_safe(const Execution *execution, const Expr *expr)
{
    bool entity = expr->arg_count > 0 && expr->args[0]->kind == EXPR_SLOT &&
                  (expr->args[0]->type == VALUE_NODE || expr->args[0]->type == VALUE_RELATIONSHIP);
    if (execution->plan->writes) return false; /* what was deleted cannot be read */
    return expr->kind == EXPR_SLOT || expr->kind == EXPR_CONSTANT || expr->kind == EXPR_PARAMETER ||
           (expr->kind == EXPR_PROPERTY && entity);
}

/* A comparison with NaN is false: it is looked at when all keys are. Most batches have none that is
 * kept, once the cut is good, or few. */
#define CUT_LOOP(member, operation, bound)                                                         \
    for (uint32_t i = 0; selection == NULL && i < batch->selected_count; i++) {                    \
        kept[count] = (uint16_t)i;                                                                 \
        count += !(keys->member[i] operation bound);                                               \
    }                                                                                              \
    for (uint32_t i = 0; selection != NULL && i < batch->selected_count; i++) {                    \
        kept[count] = selection[i];                                                                \
        count += !(keys->member[selection[i]] operation bound);                                    \
    }

void batch_cut(const RowCut *cut, Arena *arena, const Column *keys, Batch *batch)
{
    const Value *worst = cut == NULL ? NULL : *cut->cut;
    bool integers = worst != NULL && keys->type == COLUMN_INTEGER && worst->kind == VALUE_INTEGER,
         floats = worst != NULL && keys->type == COLUMN_FLOAT && worst->kind == VALUE_FLOAT;
    if (!(integers || floats) || keys->constant || keys->valid != NULL) return;
    uint16_t *kept = arena_alloc(arena, (batch->selected_count + 1) * sizeof *kept);
    const uint16_t *selection = batch->selection;
    uint32_t count = 0;
    if (integers && cut->descending) {
        CUT_LOOP(integers, <, worst->as.integer)
    } else if (integers) {
        CUT_LOOP(integers, >, worst->as.integer)
    } else if (cut->descending) {
        CUT_LOOP(floats, <, worst->as.number)
    } else {
        CUT_LOOP(floats, >, worst->as.number)
    }
    if (count == batch->selected_count) return;
    batch->selection = kept;
    batch->selected_count = count;
}

/* Which item is the cut's key, if the others may wait for it; item_count: none. */
static uint32_t item_of_cut(const Operator *self)
{
    const PlanNode *plan = self->plan;
    uint32_t found = plan->item_count;
    if (self->cut == NULL || *self->cut->cut == NULL) return found;
    for (uint32_t i = 0; i < plan->item_count; i++) {
        if (plan->items[i].slot == self->cut->slot)
            found = i;
        else if (!expr_is_safe(self->execution, plan->items[i].expr))
            return plan->item_count;
    }
    return found;
}

/* All items see the input's columns: what one fills, another does not see. */
static Error *next_project(Operator *self, Batch **out)
{
    Compute *compute = self->state;
    uint32_t count = self->plan->item_count, first = item_of_cut(self);
    Column *columns;
    do {
        TRY(operator_next(self->input, out));
        if (*out == NULL) return NULL;
        arena_reset(self->arena);
        operator_context(self, self->arena, &compute->context);
        columns = arena_array(self->arena, Column, count + 1);
        if (first == count) break;
        TRY(program_run(compute->programs[first], &compute->context, *out, &columns[first]));
        batch_cut(self->cut, self->arena, &columns[first], *out);
    } while ((*out)->selected_count == 0);
    for (uint32_t i = 0; i < count; i++)
        if (i != first)
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
    gather_open(self);
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

/* Who wants a few rows does not pay for eight, each of which may lie on a page of its own: the first
 * batches below are as short as that. (They grow, should rows be dropped on the way.) And who wants ten
 * in an order does not pay for the second batch. */
static void begin_short(Operator *input, uint64_t rows)
{
    enum { SHORT = 64 };
    for (; input != NULL && rows > 0; input = input->input) {
        switch (input->plan->kind) {
        case PLAN_NODE_SCAN:
        case PLAN_NODE_SEEK:
        case PLAN_NODE_BY_ID:
        case PLAN_RELATIONSHIP_BY_ID:
        case PLAN_EXPAND:
        case PLAN_FILTER:
        case PLAN_PROJECT:
            if (rows < input->cap || (input->plan->in_order && rows < SHORT))
                input->cap = (uint32_t)rows;
            break;
        default: return;
        }
    }
}

static Error *next_limit(Operator *self, Batch **out)
{
    Cut *cut = self->state;
    bool first = !cut->known;
    TRY(know_count(self, "LIMIT"));
    if (first) begin_short(self->input, cut->left);
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

/*
 * With a limit, rows are thrown out as soon as there are twice as many as it asks for, and a bit: what
 * is left is sorted, and from then on no row is taken that comes behind the last of them. When memory is
 * short all rows go to a sorter, which has files.
 */
typedef struct Sort {
    bool done, limited;
    uint64_t limit;
    const Value *cut; /* keys of the worst row that counts; NULL: each does */
    Arena *cut_arena; /* of a cut that outlives its rows (morsels) */
    RowBuffer rows;
    Arena *arenas[2]; /* of the rows and keys, by turns */
    uint32_t arena;
    Value *keys;
    size_t key_capacity;
    uint32_t *order;
    size_t order_capacity, at, count;
    Sorter *sorter; /* NULL: rows are in memory */
    bool *descending;
    Value *row; /* of the sorter's: keys, then slots */
    Compute compute;
    RowCut told; /* to the operator below */
} Sort;

typedef struct SortContext {
    const Sort *sort;
    const PlanNode *plan;
} SortContext;

enum {
    SORT_SLACK =
        64, /* rows beyond twice the limit: so few cost little to sort, so a cut is soon known */
    SORT_RUN_ROWS = 1 << 15,  /* sorted in some ms */
    SORT_SHARED_MAX = 1 << 14 /* with a greater limit merging takes as long as sorting */
};

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

/* Does the first key alone put the row behind the cut? For numbers of one kind, which most are. */
static bool behind_by_first(const Column *column, uint32_t position, Value cut, bool descending)
{
    if (column->constant || column->valid != NULL) return false;
    if (column->type == COLUMN_INTEGER && cut.kind == VALUE_INTEGER)
        return descending ? column->integers[position] < cut.as.integer
                          : column->integers[position] > cut.as.integer;
    if (column->type == COLUMN_FLOAT &&
        cut.kind == VALUE_FLOAT) /* false for NaN: looked at below */
        return descending ? column->floats[position] < cut.as.number
                          : column->floats[position] > cut.as.number;
    return false;
}

/* Of two equal rows the one that came first stays. */
static bool is_behind(Operator *self, const Column *columns, uint32_t position)
{
    const Sort *sort = self->state;
    const PlanNode *plan = self->plan;
    const Value *cut = sort->cut;
    if (behind_by_first(&columns[0], position, cut[0], plan->items[0].descending)) return true;
    for (uint32_t k = 0; k < plan->item_count; k++) {
        int order = value_order(column_value(&columns[k], position), cut[k]);
        if (order != 0) return (order > 0) != plan->items[k].descending;
    }
    return true;
}

/* Runs of `width` rows each become half as many. */
static Error *merge_runs(Operator *self, const uint32_t *from, uint32_t *to, size_t count,
                         size_t width)
{
    SortContext context = {self->state, self->plan};
    for (size_t begin = 0; begin < count; begin += 2 * width) {
        size_t middle = begin + width < count ? begin + width : count;
        size_t end = middle + width < count ? middle + width : count, left = begin, right = middle;
        for (size_t at = begin; at < end; at++) {
            if (at % SORT_RUN_ROWS == 0) TRY(operator_interrupted(self));
            bool first = right == end ||
                         (left < middle && compare_rows(&from[left], &from[right], &context) < 0);
            to[at] = first ? from[left++] : from[right++];
        }
    }
    return NULL;
}

/* Millions of rows take seconds, and whoever waits may cancel: no more than a run at once. */
static Error *sort_rows(Operator *self)
{
    Sort *sort = self->state;
    SortContext context = {sort, self->plan};
    size_t count = sort->rows.row_count;
    Error *error = NULL;
    mem_reserve(sort->order, sort->order_capacity, count + 1);
    for (size_t i = 0; i < count; i++)
        sort->order[i] = (uint32_t)i;
    for (size_t i = 0; i < count; i += SORT_RUN_ROWS) {
        TRY(operator_interrupted(self));
        qsort_r(sort->order + i, count - i < SORT_RUN_ROWS ? count - i : SORT_RUN_ROWS,
                sizeof *sort->order, compare_rows, &context);
    }
    if (count <= SORT_RUN_ROWS) return NULL;
    uint32_t *other = mem_alloc(sort->order_capacity * sizeof *other);
    for (size_t width = SORT_RUN_ROWS; width < count && error == NULL; width *= 2) {
        error = merge_runs(self, sort->order, other, count, width);
        uint32_t *merged = other;
        other = sort->order;
        sort->order = merged;
    }
    mem_free(other);
    return error;
}

/* The best rows, in their order, in the other arena. */
static Error *prune(Operator *self)
{
    Sort *sort = self->state;
    uint32_t keys = self->plan->item_count, width = sort->rows.column_count;
    TRY(sort_rows(self));
    sort->arena = 1 - sort->arena;
    Arena *arena = sort->arenas[sort->arena];
    RowBuffer old = sort->rows;
    Value *old_keys = sort->keys;
    size_t kept = (size_t)sort->limit, capacity = 2 * kept + SORT_SLACK + BATCH_ROWS_MAX;
    arena_reset(arena);
    rows_init(&sort->rows, arena, old.slots, width);
    sort->rows.values = arena_alloc(arena, (capacity * width + 1) * sizeof(Value));
    sort->rows.multiplicity = arena_alloc(arena, capacity * sizeof *sort->rows.multiplicity);
    sort->rows.row_capacity = capacity;
    sort->rows.row_count = kept;
    sort->keys = mem_alloc((capacity + 1) * keys * sizeof *sort->keys);
    sort->key_capacity = (capacity + 1) * keys;
    for (size_t i = 0; i < kept; i++) {
        size_t row = sort->order[i];
        for (uint32_t c = 0; c < width; c++)
            sort->rows.values[i * width + c] = value_copy(arena, old.values[row * width + c]);
        for (uint32_t k = 0; k < keys; k++)
            sort->keys[i * keys + k] = value_copy(arena, old_keys[row * keys + k]);
        sort->rows.multiplicity[i] = old.multiplicity[row];
    }
    mem_free(old_keys);
    arena_reset(old.arena);
    sort->cut = kept == 0 ? NULL : sort->keys + (kept - 1) * keys;
    return NULL;
}

static void select_better(Operator *self, const Column *columns, Batch *batch)
{
    uint16_t *better = arena_alloc(self->arena, (batch->selected_count + 1) * sizeof *better);
    uint32_t count = 0;
    for (uint32_t i = 0; i < batch->selected_count; i++) {
        uint32_t position = batch_position(batch, i);
        if (!is_behind(self, columns, position)) better[count++] = (uint16_t)position;
    }
    batch->selection = better;
    batch->selected_count = count;
}

/* For so many rows more. The cut may lie among the keys, and moves with them. */
static void reserve_keys(Sort *sort, uint32_t keys, size_t more)
{
    bool inside = sort->cut != NULL && sort->cut == sort->keys + (sort->limit - 1) * keys;
    mem_reserve(sort->keys, sort->key_capacity, (sort->rows.row_count + more + 1) * keys);
    if (inside) sort->cut = sort->keys + (sort->limit - 1) * keys;
}

static Error *know_limit(Operator *self)
{
    Sort *sort = self->state;
    if (sort->limited) return NULL;
    sort->limit = UINT64_MAX;
    if (self->plan->expr != NULL) TRY(row_count_of(self, self->plan->expr, "LIMIT", &sort->limit));
    sort->limited = true;
    return NULL;
}

/* ---- SORT in files ---- */

static Error *sort_begin_files(Operator *self)
{
    Sort *sort = self->state;
    uint32_t keys = self->plan->item_count, width = sort->rows.column_count;
    sort->descending = arena_array(self->state_arena, bool, keys);
    sort->row = arena_array(self->state_arena, Value, keys + width);
    for (uint32_t k = 0; k < keys; k++)
        sort->descending[k] = self->plan->items[k].descending;
    sort->sorter = sorter_new(self->execution->environment.spill, keys + width, keys,
                              sort->descending, operator_spill_budget());
    for (size_t i = 0; i < sort->rows.row_count; i++) {
        memcpy(sort->row, sort->keys + i * keys, keys * sizeof *sort->row);
        if (width > 0)
            memcpy(sort->row + keys, sort->rows.values + i * width, width * sizeof *sort->row);
        TRY(sorter_add(sort->sorter, sort->row, sort->rows.multiplicity[i]));
    }
    for (int i = 0; i < 2; i++) {
        arena_destroy(sort->arenas[i]);
        sort->arenas[i] = arena_create();
    }
    rows_init(&sort->rows, sort->arenas[0], self->plan->slots, width);
    mem_free(sort->keys);
    sort->keys = NULL;
    sort->key_capacity = sort->arena = 0;
    sort->cut = NULL;
    return NULL;
}

static Error *sort_put(Operator *self, const Column *columns, const Batch *batch)
{
    Sort *sort = self->state;
    uint32_t keys = self->plan->item_count, width = sort->rows.column_count;
    for (uint32_t i = 0; i < batch->selected_count; i++) {
        uint32_t position = batch_position(batch, i);
        for (uint32_t k = 0; k < keys; k++)
            sort->row[k] = column_value(&columns[k], position);
        for (uint32_t c = 0; c < width; c++)
            sort->row[keys + c] = column_value(&batch->columns[sort->rows.slots[c]], position);
        TRY(sorter_add(sort->sorter, sort->row, batch_multiplicity(batch, position)));
    }
    TRY(operator_check_files(self, sorter_bytes(sort->sorter)));
    return operator_check_memory(self, sorter_held(sort->sorter));
}

static Error *sort_end_files(Operator *self)
{
    Sort *sort = self->state;
    TRY(sorter_finish(sort->sorter));
    operator_note_spill(self, sorter_bytes(sort->sorter));
    sort->count = sort->limit < SIZE_MAX ? (size_t)sort->limit : SIZE_MAX;
    sort->done = true;
    return NULL;
}

/* As many rows as a batch has, but not more than memory is for. */
static Error *next_of_files(Operator *self, Batch **out)
{
    Sort *sort = self->state;
    uint32_t keys = self->plan->item_count, width = sort->rows.column_count;
    RowBuffer sorted;
    const Value *row;
    uint64_t times;
    *out = NULL;
    arena_reset(self->arena);
    rows_init(&sorted, self->arena, sort->rows.slots, width);
    sorted.row_capacity = BATCH_ROWS_MAX;
    sorted.values = arena_alloc(self->arena, ((size_t)BATCH_ROWS_MAX * width + 1) * sizeof(Value));
    sorted.multiplicity = arena_alloc(self->arena, BATCH_ROWS_MAX * sizeof *sorted.multiplicity);
    while (sorted.row_count < BATCH_ROWS_MAX && sort->at < sort->count &&
           arena_bytes(self->arena) < 2 * operator_spill_budget()) {
        TRY(sorter_next(sort->sorter, &row, &times));
        if (row == NULL) break;
        for (uint32_t c = 0; c < width; c++)
            sorted.values[sorted.row_count * width + c] = value_copy(self->arena, row[keys + c]);
        sorted.multiplicity[sorted.row_count++] = times;
        sort->at++;
    }
    if (sorted.row_count == 0) return NULL;
    *out = rows_batch(&sorted, self->arena, self->execution->plan->slot_count, 0,
                      (uint32_t)sorted.row_count);
    return NULL;
}

/* What its rows hold, and what so many more take at once. */
static bool sort_wants_files(Operator *self, const Batch *batch)
{
    const Sort *sort = self->state;
    size_t held = arena_bytes(sort->arenas[0]) + arena_bytes(sort->arenas[1]) +
                  sort->key_capacity * sizeof *sort->keys;
    size_t order = (sort->rows.row_count + batch->selected_count) * 2 * sizeof *sort->order;
    return operator_wants_room(self, held + order, rows_growth(&sort->rows, batch->selected_count),
                               false);
}

static Error *sort_take(Operator *self, Batch *batch)
{
    Sort *sort = self->state;
    uint32_t keys = self->plan->item_count;
    arena_reset(self->arena);
    operator_context(self, self->arena, &sort->compute.context);
    Column *columns = arena_array(self->arena, Column, keys);
    for (uint32_t k = 0; k < keys; k++)
        TRY(program_run(sort->compute.programs[k], &sort->compute.context, batch, &columns[k]));
    if (sort->cut != NULL) select_better(self, columns, batch);
    if (sort->sorter == NULL && sort_wants_files(self, batch)) TRY(sort_begin_files(self));
    if (sort->sorter != NULL) return sort_put(self, columns, batch);
    TRY(operator_room(self, rows_growth(&sort->rows, batch->selected_count)));
    reserve_keys(sort, keys, batch->selected_count);
    for (uint32_t i = 0; i < batch->selected_count; i++)
        for (uint32_t k = 0; k < keys; k++)
            sort->keys[(sort->rows.row_count + i) * keys + k] =
                value_copy(sort->rows.arena, column_value(&columns[k], batch_position(batch, i)));
    rows_append(&sort->rows, batch);
    if (sort->limit < UINT32_MAX && sort->rows.row_count >= 2 * sort->limit + SORT_SLACK)
        TRY(prune(self));
    return operator_check_memory(self, arena_bytes(sort->arenas[0]) + arena_bytes(sort->arenas[1]) +
                                           sort->key_capacity * sizeof *sort->keys);
}

/* ---- SORT in morsels: of each the best rows, in order ---- */

typedef struct SortPart {
    Arena *arena;
    RowBuffer rows;
    Value *keys;
} SortPart;

static void *sort_part_new(Operator *self)
{
    SortPart *part = mem_calloc(1, sizeof *part);
    part->arena = arena_create();
    rows_init(&part->rows, part->arena, self->plan->slots, self->plan->slot_count);
    return part;
}

static void sort_part_drop(void *user)
{
    SortPart *part = user;
    arena_destroy(part->arena);
    mem_free(part);
}

static Error *sort_part_take(Operator *own, void *part, Batch *batch)
{
    (void)part;
    TRY(know_limit(own));
    return sort_take(own, batch);
}

static void copy_values(Arena *arena, Value *to, const Value *from, size_t count)
{
    for (size_t i = 0; i < count; i++)
        to[i] = value_copy(arena, from[i]);
}

/* The best rows leave; the worst of them stays as the cut. The worker's morsels to come are later ones,
 * so what is no better than it comes behind it. */
static Error *sort_part_finish(Operator *own, void *user)
{
    Sort *sort = own->state;
    SortPart *part = user;
    uint32_t keys = own->plan->item_count, width = sort->rows.column_count;
    TRY(know_limit(own));
    TRY(sort_rows(own));
    size_t count = sort->rows.row_count < sort->limit ? sort->rows.row_count : (size_t)sort->limit;
    part->rows.values = arena_alloc(part->arena, (count * width + 1) * sizeof(Value));
    part->rows.multiplicity = arena_alloc(part->arena, (count + 1) * sizeof(uint64_t));
    part->rows.row_count = part->rows.row_capacity = count;
    part->keys = arena_alloc(part->arena, (count * keys + 1) * sizeof(Value));
    for (size_t i = 0; i < count; i++) {
        size_t row = sort->order[i];
        copy_values(part->arena, part->rows.values + i * width, sort->rows.values + row * width,
                    width);
        copy_values(part->arena, part->keys + i * keys, sort->keys + row * keys, keys);
        part->rows.multiplicity[i] = sort->rows.multiplicity[row];
    }
    if (count == sort->limit && count > 0) {
        arena_reset(sort->cut_arena);
        Value *kept = arena_alloc(sort->cut_arena, keys * sizeof *kept);
        copy_values(sort->cut_arena, kept, part->keys + (count - 1) * keys, keys);
        sort->cut = kept;
    }
    arena_reset(sort->rows.arena);
    rows_init(&sort->rows, sort->rows.arena, own->plan->slots, width);
    return NULL;
}

static Error *sort_part_merge(Operator *self, void *user)
{
    Sort *sort = self->state;
    SortPart *part = user;
    uint32_t keys = self->plan->item_count, width = sort->rows.column_count;
    for (size_t i = 0; i < part->rows.row_count; i += BATCH_ROWS_MAX) {
        size_t left = part->rows.row_count - i;
        uint32_t count = left < BATCH_ROWS_MAX ? (uint32_t)left : BATCH_ROWS_MAX;
        reserve_keys(sort, keys, count);
        copy_values(sort->rows.arena, sort->keys + sort->rows.row_count * keys,
                    part->keys + i * keys, (size_t)count * keys);
        arena_reset(self->arena);
        rows_append(&sort->rows, rows_batch(&part->rows, self->arena,
                                            self->execution->plan->slot_count, i, count));
    }
    arena_reset(part->arena);
    rows_init(&part->rows, part->arena, self->plan->slots, width);
    if (sort->rows.row_count >= 2 * sort->limit + SORT_SLACK) prune(self);
    return operator_check_memory(self, arena_bytes(sort->arenas[0]) + arena_bytes(sort->arenas[1]) +
                                           sort->key_capacity * sizeof *sort->keys);
}

static const MorselSink sort_sink = {.part = sort_part_new,
                                     .drop = sort_part_drop,
                                     .take = sort_part_take,
                                     .finish = sort_part_finish,
                                     .merge = sort_part_merge};

static Error *sort_all(Operator *self)
{
    Sort *sort = self->state;
    Batch *batch;
    TRY(know_limit(self));
    bool shared = sort->limit <= SORT_SHARED_MAX && morsels_fit(self);
    if (shared) TRY(morsels_run(self, &sort_sink));
    while (!shared) {
        TRY(operator_next(self->input, &batch));
        if (batch == NULL) break;
        TRY(sort_take(self, batch));
    }
    if (sort->sorter != NULL) return sort_end_files(self);
    TRY(operator_room(self, sort->rows.row_count * 2 * sizeof *sort->order)); /* and merging's */
    TRY(sort_rows(self));
    sort->count = sort->rows.row_count;
    if (sort->count > sort->limit) sort->count = (size_t)sort->limit;
    sort->done = true;
    return NULL;
}

static Error *next_sort(Operator *self, Batch **out)
{
    Sort *sort = self->state;
    if (!sort->done) TRY(sort_all(self));
    if (sort->sorter != NULL) return next_of_files(self, out);
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
    sort->done = sort->limited = false;
    sort->cut = NULL;
    sort->at = sort->count = 0;
    sorter_free(sort->sorter);
    sort->sorter = NULL;
    arena_reset(sort->rows.arena);
    rows_init(&sort->rows, sort->rows.arena, self->plan->slots, self->plan->slot_count);
}

static void close_sort(Operator *self)
{
    Sort *sort = self->state;
    sorter_free(sort->sorter);
    mem_free(sort->keys);
    mem_free(sort->order);
    arena_destroy(sort->arenas[0]);
    arena_destroy(sort->arenas[1]);
    arena_destroy(sort->cut_arena);
}

void open_sort(Operator *self)
{
    Sort *sort = arena_new(self->state_arena, Sort);
    sort->arenas[0] = arena_create(), sort->arenas[1] = arena_create();
    sort->cut_arena = arena_create();
    rows_init(&sort->rows, sort->arenas[0], self->plan->slots, self->plan->slot_count);
    sort->compute.programs = arena_array(self->state_arena, Program *, self->plan->item_count + 1);
    for (uint32_t i = 0; i < self->plan->item_count; i++)
        sort->compute.programs[i] = program_compile(self->state_arena, self->plan->items[i].expr);
    const PlanItem *first = self->plan->items;
    if (self->plan->expr != NULL && self->plan->item_count > 0 && first->expr->kind == EXPR_SLOT) {
        sort->told = (RowCut){&sort->cut, first->expr->index, first->descending};
        self->input->cut = &sort->told;
    }
    self->state = sort;
    self->next = next_sort;
    self->reset = reset_sort;
    self->close = close_sort;
}
