/*
 * group.c - DISTINCT and AGGREGATE: rows by equivalence of values (value/groups.h).
 *
 * A batch's rows get their groups first, column by column, then each aggregate takes the batch.
 * Without keys there is exactly one group, also over no rows.
 */
#include "config.h"

#include "execution/operator_internal.h"
#include "value/groups.h"

/* The groups of a batch's rows, unless the statement is to end. */
static Error *find_groups(Operator *self, Groups *groups, const Column *keys, const Batch *batch,
                          uint32_t *found)
{
    const Interrupt *interrupt = self->execution->environment.interrupt;
    groups_ask(groups, interrupt == NULL ? NULL : interrupt->stop,
               interrupt == NULL ? NULL : interrupt->state);
    if (groups_find(groups, keys, batch, found)) return NULL;
    return error_new(ERROR_CANCELLED, "the statement was cancelled");
}

/* ---- DISTINCT ---- */

typedef struct Distinct {
    Groups *groups;
    Column *keys;
} Distinct;

static Error *next_distinct(Operator *self, Batch **out)
{
    Distinct *distinct = self->state;
    for (;;) {
        TRY(operator_next(self->input, out));
        if (*out == NULL) return NULL;
        Batch *batch = *out;
        arena_reset(self->arena);
        uint16_t *kept = arena_alloc(self->arena, (batch->selected_count + 1) * sizeof *kept);
        uint32_t *found = arena_alloc(self->arena, (batch->selected_count + 1) * sizeof *found);
        size_t known = groups_count(distinct->groups);
        uint32_t count = 0;
        for (uint32_t k = 0; k < self->plan->slot_count; k++)
            distinct->keys[k] = batch->columns[self->plan->slots[k]];
        TRY(operator_room(self, groups_growth(distinct->groups, batch->selected_count)));
        TRY(find_groups(self, distinct->groups, distinct->keys, batch, found));
        for (uint32_t i = 0; i < batch->selected_count; i++) {
            if (found[i] != known) continue; /* the next new group comes with its first row */
            kept[count++] = (uint16_t)batch_position(batch, i);
            known++;
        }
        batch->selection = kept;
        batch->selected_count = count;
        batch->multiplicity = NULL;
        TRY(operator_check_memory(self, groups_bytes(distinct->groups)));
        if (count > 0) return NULL;
    }
}

static void reset_distinct(Operator *self)
{
    Distinct *distinct = self->state;
    groups_destroy(distinct->groups);
    distinct->groups = groups_create(self->plan->slot_count);
}

static void close_distinct(Operator *self)
{
    groups_destroy(((Distinct *)self->state)->groups);
}

void open_distinct(Operator *self)
{
    Distinct *distinct = arena_new(self->state_arena, Distinct);
    distinct->groups = groups_create(self->plan->slot_count);
    distinct->keys = arena_array(self->state_arena, Column, self->plan->slot_count + 1);
    self->state = distinct;
    self->next = next_distinct;
    self->reset = reset_distinct;
    self->close = close_distinct;
}

/* ---- AGGREGATE ---- */

typedef struct Table { /* groups, and what they come to: of all rows, or of a morsel's */
    Groups *groups;
    Arena *arena;            /* of states */
    AggregateState **states; /* aggregate_count a group */
    size_t state_capacity, state_groups;
} Table;

typedef struct Aggregate {
    uint64_t *order; /* where the setting shuffles: which group comes when */
    Table table;
    size_t at;
    bool done;
    uint32_t *slots;    /* of keys */
    uint64_t asked_run; /* when `streams` was found out */
    bool streams;
    Program **keys, **arguments, **extras; /* arguments, extras: NULL where there is none */
    EvalContext context;
} Aggregate;

/* States for the groups that have none yet. */
static void new_states(const PlanNode *plan, Table *table)
{
    uint32_t count = plan->aggregate_count;
    size_t groups = groups_count(table->groups);
    mem_reserve(table->states, table->state_capacity, groups * (count + 1));
    for (; table->state_groups < groups; table->state_groups++)
        for (uint32_t a = 0; a < count; a++)
            table->states[table->state_groups * count + a] =
                aggregate_begin(table->arena, &plan->aggregates[a].spec);
}

static size_t nth(const uint64_t *order, size_t i)
{
    return order == NULL ? i : (size_t)order[i];
}

typedef struct Columns {
    Column *keys, *arguments, *extras;
} Columns;

static Error *run_all(Operator *self, const Batch *batch, Columns *columns)
{
    Aggregate *aggregate = self->state;
    uint32_t keys = self->plan->item_count, count = self->plan->aggregate_count;
    columns->keys = arena_array(self->arena, Column, keys + 1);
    columns->arguments = arena_array(self->arena, Column, count + 1);
    columns->extras = arena_array(self->arena, Column, count + 1);
    for (uint32_t k = 0; k < keys; k++)
        TRY(program_run(aggregate->keys[k], &aggregate->context, batch, &columns->keys[k]));
    for (uint32_t a = 0; a < count; a++) {
        if (aggregate->arguments[a] != NULL)
            TRY(program_run(aggregate->arguments[a], &aggregate->context, batch,
                            &columns->arguments[a]));
        if (aggregate->extras[a] != NULL)
            TRY(program_run(aggregate->extras[a], &aggregate->context, batch, &columns->extras[a]));
    }
    return NULL;
}

static Error *take_batch(Operator *self, Table *table, const Batch *batch)
{
    Aggregate *aggregate = self->state;
    uint32_t count = self->plan->aggregate_count;
    Columns columns;
    arena_reset(self->arena);
    operator_context(self, self->arena, &aggregate->context);
    TRY(run_all(self, batch, &columns));
    uint32_t *found = arena_alloc(self->arena, (batch->selected_count + 1) * sizeof *found);
    TRY(operator_room(self, groups_growth(table->groups, batch->selected_count)));
    TRY(find_groups(self, table->groups, columns.keys, batch, found));
    new_states(self->plan, table);
    for (uint32_t a = 0; a < count; a++)
        TRY(aggregate_batch(table->states + a, count, found, table->state_groups,
                            &columns.arguments[a], &columns.extras[a], batch));
    return NULL;
}

static Error *check_table(Operator *self, const Table *table)
{
    return operator_check_memory(
        self, groups_bytes(table->groups) + table->state_capacity * sizeof(AggregateState *) +
                  (table->arena == self->state_arena ? 0 : arena_bytes(table->arena)));
}

/* Keys of groups from, from + 1, .. as columns, those of key k at slots[k]. */
static void key_columns(Operator *self, const Table *table, const uint64_t *order, size_t from,
                        Batch *batch, const uint32_t *slots)
{
    uint32_t count = batch->row_count;
    for (uint32_t k = 0; k < self->plan->item_count; k++) {
        Value first = groups_key(table->groups, nth(order, from), k);
        Column *column = batch_column(self->arena, batch, slots == NULL ? k : slots[k],
                                      column_type_of((ValueKind)first.kind));
        for (uint32_t i = 0; i < count; i++)
            column_set(self->arena, column, i, groups_key(table->groups, nth(order, from + i), k),
                       count);
    }
}

/* ---- AGGREGATE in morsels ---- */

static void *table_new(Operator *self)
{
    Table *table = mem_calloc(1, sizeof *table);
    table->groups = groups_create(self->plan->item_count);
    table->arena = arena_create();
    return table;
}

static void table_drop(void *part)
{
    Table *table = part;
    groups_destroy(table->groups);
    arena_destroy(table->arena);
    mem_free(table->states);
    mem_free(table);
}

static Error *take_part(Operator *own, void *part, Batch *batch)
{
    TRY(take_batch(own, part, batch));
    return check_table(own, part);
}

/* Groups come in the order of their first rows, as if one worker had met them. */
static Error *merge_part(Operator *self, void *part)
{
    Aggregate *aggregate = self->state;
    Table *table = &aggregate->table, *from = part;
    uint32_t count = self->plan->aggregate_count, keys = self->plan->item_count;
    size_t groups = groups_count(from->groups);
    for (size_t at = 0; at < groups; at += BATCH_ROWS_MAX) {
        uint32_t rows = groups - at < BATCH_ROWS_MAX ? (uint32_t)(groups - at) : BATCH_ROWS_MAX;
        arena_reset(self->arena);
        Batch *batch = batch_create(self->arena, keys + 1);
        uint32_t *found = arena_alloc(self->arena, rows * sizeof *found);
        batch->row_count = batch->selected_count = rows;
        key_columns(self, from, NULL, at, batch, NULL);
        TRY(find_groups(self, table->groups, batch->columns, batch, found));
        new_states(self->plan, table);
        for (uint32_t i = 0; i < rows; i++)
            for (uint32_t a = 0; a < count; a++)
                TRY(aggregate_merge(table->states[(size_t)found[i] * count + a],
                                    from->states[(at + i) * count + a]));
    }
    groups_destroy(from->groups);
    from->groups = groups_create(keys);
    arena_reset(from->arena);
    from->state_groups = 0;
    return check_table(self, table);
}

static const MorselSink aggregate_sink = {table_new, table_drop, take_part, NULL, merge_part};

/* ---- AGGREGATE of rows that are groups ---- */

/*
 * Where a key is a node that a scan gives once, or a property by which no two of them are equal and that
 * all of them have, and nothing on the way makes two rows of one, each row is a group: the table would
 * be filled with all of them only to be read once.
 */
static const PlanNode *scan_of_rows(const PlanNode *plan)
{
    for (; plan != NULL; plan = plan->input)
        switch (plan->kind) {
        case PLAN_NODE_SCAN: return plan->input->kind == PLAN_UNIT ? plan : NULL;
        case PLAN_FILTER:
        case PLAN_PROJECT:
        case PLAN_DEGREE:
        case PLAN_LINK: break;
        default: return NULL;
        }
    return NULL;
}

static bool tells_apart(const Execution *execution, const PlanNode *scan, const Expr *key)
{
    const GraphView *view = &execution->view;
    uint32_t *labels = arena_array(execution->arena, uint32_t, scan->label_count + 1);
    bool id = key->kind == EXPR_CALL && str_equal(key->function->name, STR("id"));
    if (id) key = key->args[0];
    if (key->kind == EXPR_SLOT) return key->index == scan->slot;
    if (id || key->kind != EXPR_PROPERTY || key->args[0]->kind != EXPR_SLOT ||
        key->args[0]->index != scan->slot)
        return false;
    uint32_t property = name_resolve(execution, NAME_KEY, key->name);
    bool unique = false;
    for (uint32_t i = 0; i < scan->label_count; i++) {
        labels[i] = name_resolve(execution, NAME_LABEL, scan->labels[i]);
        const GraphIndex *index = graph_index_on(view->graph, labels[i], property, false);
        unique = unique || (graph_index_serves(index, view) && index->constraint == GRAPH_UNIQUE);
    }
    return unique && graph_property_covers(view, labels, scan->label_count, property);
}

bool aggregate_streams(const Execution *execution, const PlanNode *plan)
{
    enum { NODES_MIN = 1024 }; /* of fewer the table is soon made */
    const PlanNode *scan = scan_of_rows(plan->input);
    bool fits = scan != NULL && plan->item_count > 0 && !execution->plan->writes &&
                execution->environment.shuffle == 0 && execution->environment.moments == NULL &&
                graph_node_count(&execution->view) >= NODES_MIN;
    for (uint32_t a = 0; a < plan->aggregate_count && fits; a++)
        fits = plan->aggregates[a].spec.kind == AGGREGATE_COUNT_ROWS;
    if (!fits) return false;
    for (uint32_t k = 0; k < plan->item_count; k++)
        if (tells_apart(execution, scan, plan->items[k].expr)) return true;
    return false;
}

/* May the keys of rows wait until it is known that their counts are not behind the cut? */
static bool cuts_counts(const Operator *self)
{
    const PlanNode *plan = self->plan;
    bool counts = false;
    if (self->cut == NULL || *self->cut->cut == NULL) return false;
    for (uint32_t a = 0; a < plan->aggregate_count; a++)
        counts = counts || plan->aggregates[a].slot == self->cut->slot;
    for (uint32_t k = 0; k < plan->item_count; k++)
        counts = counts && expr_is_safe(self->execution, plan->items[k].expr);
    return counts;
}

static void cut_counts(Operator *self, Batch *batch)
{
    Column *counts = column_create(self->arena, COLUMN_INTEGER, batch->row_count);
    for (uint32_t i = 0; i < batch->selected_count; i++) {
        uint32_t position = batch_position(batch, i);
        counts->integers[position] = (int64_t)batch_multiplicity(batch, position);
    }
    batch_cut(self->cut, self->arena, counts, batch);
}

static Error *next_row_groups(Operator *self, Batch **out)
{
    Aggregate *aggregate = self->state;
    const PlanNode *plan = self->plan;
    Batch *in;
    Columns columns;
    *out = NULL;
    do {
        TRY(operator_next(self->input, &in));
        if (in == NULL) return NULL;
        arena_reset(self->arena);
        if (cuts_counts(self)) cut_counts(self, in);
    } while (in->selected_count == 0);
    operator_context(self, self->arena, &aggregate->context);
    TRY(run_all(self, in, &columns));
    uint32_t count = in->selected_count;
    Batch *batch = batch_create(self->arena, self->execution->plan->slot_count);
    batch->row_count = batch->selected_count = count;
    for (uint32_t k = 0; k < plan->item_count; k++) {
        Column *column = &batch->columns[plan->items[k].slot];
        column_spell(self->arena, &columns.keys[k], in);
        if (in->selection == NULL)
            *column = columns.keys[k];
        else
            column_gather(self->arena, column, &columns.keys[k], in->selection, count);
    }
    for (uint32_t a = 0; a < plan->aggregate_count; a++) {
        Column *column = batch_column(self->arena, batch, plan->aggregates[a].slot, COLUMN_INTEGER);
        for (uint32_t i = 0; i < count; i++)
            column->integers[i] = (int64_t)batch_multiplicity(in, batch_position(in, i));
    }
    *out = batch;
    return NULL;
}

static bool streams(Operator *self)
{
    Aggregate *aggregate = self->state;
    if (aggregate->asked_run != self->execution->run)
        aggregate->streams = aggregate_streams(self->execution, self->plan);
    aggregate->asked_run = self->execution->run;
    return aggregate->streams;
}

/* ---- AGGREGATE's rows ---- */

static void shuffle_groups(Operator *self, Aggregate *aggregate)
{
    size_t count = groups_count(aggregate->table.groups);
    aggregate->order = NULL;
    if (self->execution->environment.shuffle == 0) return;
    aggregate->order = arena_array(self->state_arena, uint64_t, count + 1);
    for (size_t i = 0; i < count; i++)
        aggregate->order[i] = i;
    operator_shuffle(self, aggregate->order, NULL, count);
}

static Error *take_rows(Operator *self)
{
    Aggregate *aggregate = self->state;
    Batch *batch;
    for (;;) {
        TRY(operator_next(self->input, &batch));
        if (batch == NULL) return NULL;
        TRY(take_batch(self, &aggregate->table, batch));
        TRY(check_table(self, &aggregate->table));
    }
}

static Error *take_all(Operator *self)
{
    Aggregate *aggregate = self->state;
    TRY(morsels_fit(self) ? morsels_run(self, &aggregate_sink) : take_rows(self));
    if (self->plan->item_count == 0) {
        uint32_t none;
        TRY(find_groups(self, aggregate->table.groups, NULL, &(Batch){0}, &none));
        new_states(self->plan, &aggregate->table);
    }
    shuffle_groups(self, aggregate);
    aggregate->done = true;
    return NULL;
}

static Error *next_aggregate(Operator *self, Batch **out)
{
    Aggregate *aggregate = self->state;
    const PlanNode *plan = self->plan;
    if (streams(self)) return next_row_groups(self, out);
    if (!aggregate->done) TRY(take_all(self));
    *out = NULL;
    size_t left = groups_count(aggregate->table.groups) - aggregate->at;
    const uint64_t *order = aggregate->order; /* NULL: as the groups were met */
    if (left == 0) return NULL;
    uint32_t count = left > BATCH_ROWS_MAX ? BATCH_ROWS_MAX : (uint32_t)left;
    arena_reset(self->arena);
    Batch *batch = batch_create(self->arena, self->execution->plan->slot_count);
    batch->row_count = batch->selected_count = count;
    key_columns(self, &aggregate->table, order, aggregate->at, batch, aggregate->slots);
    for (uint32_t a = 0; a < plan->aggregate_count; a++) {
        Column *column = batch_column(self->arena, batch, plan->aggregates[a].slot, COLUMN_ANY);
        for (uint32_t i = 0; i < count; i++)
            TRY(aggregate_end(
                aggregate->table.states[nth(order, aggregate->at + i) * plan->aggregate_count + a],
                self->arena, &column->values[i]));
    }
    aggregate->at += count;
    *out = batch;
    return NULL;
}

static void reset_aggregate(Operator *self)
{
    Aggregate *aggregate = self->state;
    groups_destroy(aggregate->table.groups);
    aggregate->table.groups = groups_create(self->plan->item_count);
    aggregate->at = aggregate->table.state_groups = 0;
    aggregate->done = false;
}

static void close_aggregate(Operator *self)
{
    Aggregate *aggregate = self->state;
    groups_destroy(aggregate->table.groups);
    mem_free(aggregate->table.states);
}

void open_aggregate(Operator *self)
{
    const PlanNode *plan = self->plan;
    Aggregate *aggregate = arena_new(self->state_arena, Aggregate);
    aggregate->table.groups = groups_create(plan->item_count);
    aggregate->table.arena = self->state_arena;
    aggregate->slots = arena_array(self->state_arena, uint32_t, plan->item_count + 1);
    for (uint32_t k = 0; k < plan->item_count; k++)
        aggregate->slots[k] = plan->items[k].slot;
    aggregate->keys = arena_array(self->state_arena, Program *, plan->item_count + 1);
    aggregate->arguments = arena_array(self->state_arena, Program *, plan->aggregate_count + 1);
    aggregate->extras = arena_array(self->state_arena, Program *, plan->aggregate_count + 1);
    for (uint32_t k = 0; k < plan->item_count; k++)
        aggregate->keys[k] = program_compile_words(self->state_arena, plan->items[k].expr);
    for (uint32_t a = 0; a < plan->aggregate_count; a++) {
        const AggregateSpec *spec = &plan->aggregates[a].spec;
        if (spec->argument != NULL)
            aggregate->arguments[a] = program_compile(self->state_arena, spec->argument);
        if (spec->extra != NULL)
            aggregate->extras[a] = program_compile(self->state_arena, spec->extra);
    }
    self->state = aggregate;
    self->next = next_aggregate;
    self->reset = reset_aggregate;
    self->close = close_aggregate;
}
