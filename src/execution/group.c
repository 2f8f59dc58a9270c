/*
 * group.c - DISTINCT and AGGREGATE: rows by equivalence of values (value/groups.h).
 *
 * A batch's rows get their groups first, column by column, then each aggregate takes the batch.
 * Without keys there is exactly one group, also over no rows.
 *
 * When memory is short the table takes no more groups: rows that come from then on go to files, sorted by
 * their keys. Behind the last of them they come back group by group, go into the group of the table that
 * has their key or into one of their own, and what that comes to is sorted by its first row. So groups
 * come in the order they have without files, and sums fold in the order of rows (or of morsels) either
 * way; and it needs memory for one group, whatever their number.
 */
#include "config.h"

#include "execution/operator_internal.h"
#include "order/sorter.h"
#include "value/groups.h"
#include <stdlib.h>

/* ---- groups in files ---- */

typedef struct Table { /* groups, and what they come to: of all rows, or of a morsel's */
    Groups *groups;
    Arena *arena;            /* of states */
    AggregateState **states; /* aggregate_count a group */
    size_t state_capacity, state_groups;
    uint32_t *into; /* of a morsel's: which groups of the operator's table these are, */
    size_t into_capacity, into_count; /* ... as far as they have been merged */
} Table;

typedef struct Bucket { /* a group while its rows come back */
    const Value *keys;
    size_t group; /* of the table; SIZE_MAX: none */
    int64_t first;
    AggregateState **states, **part; /* part: of the morsel at hand, where rows came in morsels */
    int64_t morsel;
} Bucket;

typedef struct GroupSpill {
    uint32_t keys, aggregates; /* a row: keys, its number, its morsel, arguments, extras */
    bool in_morsels;
    int64_t number, morsel;
    Value *row;
    Sorter *rows, *results; /* results: number of the first row, keys, what aggregates come to */
    uint32_t *order;        /* the table's groups by their keys */
    Arena *arena;           /* of the buckets: groups with keys that order alike, mostly one */
    Bucket *buckets;
    size_t bucket_count, bucket_capacity;
} GroupSpill;

static void group_spill_free(GroupSpill *spill)
{
    if (spill == NULL) return;
    sorter_free(spill->rows);
    sorter_free(spill->results);
    arena_destroy(spill->arena);
    mem_free(spill->order);
    mem_free(spill->buckets);
    mem_free(spill->row);
    mem_free(spill);
}

static GroupSpill *group_spill_new(Operator *self, uint32_t keys, uint32_t aggregates,
                                   size_t groups)
{
    GroupSpill *spill = mem_calloc(1, sizeof *spill);
    SpillPlace *place = self->execution->environment.spill;
    size_t budget = operator_spill_budget();
    uint32_t width = keys + 2 + 2 * aggregates;
    spill->keys = keys;
    spill->aggregates = aggregates;
    spill->number = (int64_t)groups;
    spill->row = mem_calloc(width, sizeof *spill->row);
    spill->rows = sorter_new(place, width, keys, NULL, budget);
    spill->results = sorter_new(place, 1 + keys + aggregates, 1, NULL, budget);
    spill->arena = arena_create();
    return spill;
}

static Error *group_spill_batch(Operator *self, GroupSpill *spill, const Column *keys,
                                const Column *arguments, const Column *extras, const Batch *batch)
{
    Value *row = spill->row;
    uint32_t k = spill->keys, a = spill->aggregates;
    for (uint32_t i = 0; i < batch->selected_count; i++) {
        uint32_t position = batch_position(batch, i);
        for (uint32_t c = 0; c < k; c++)
            row[c] = column_value(&keys[c], position);
        row[k] = value_integer(spill->number++);
        row[k + 1] = value_integer(spill->morsel);
        for (uint32_t c = 0; c < a; c++) {
            row[k + 2 + c] = column_value(&arguments[c], position);
            row[k + 2 + a + c] = column_value(&extras[c], position);
        }
        TRY(sorter_add(spill->rows, row, batch_multiplicity(batch, position)));
    }
    TRY(operator_check_files(self, sorter_bytes(spill->rows)));
    return operator_check_memory(self, sorter_held(spill->rows));
}

typedef struct GroupOrder {
    const Groups *groups;
    uint32_t keys;
} GroupOrder;

static int order_of_keys(const Groups *groups, size_t group, const Value *keys, uint32_t count)
{
    for (uint32_t k = 0; k < count; k++) {
        int order = value_order(groups_key(groups, group, k), keys[k]);
        if (order != 0) return order;
    }
    return 0;
}

static int by_keys(const void *a, const void *b, void *user)
{
    const GroupOrder *context = user;
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    for (uint32_t k = 0; k < context->keys; k++) {
        int order =
            value_order(groups_key(context->groups, x, k), groups_key(context->groups, y, k));
        if (order != 0) return order;
    }
    return x < y ? -1 : x > y;
}

static void order_groups(GroupSpill *spill, const Groups *groups)
{
    size_t count = groups_count(groups);
    GroupOrder context = {groups, spill->keys};
    spill->order = mem_alloc((count + 1) * sizeof *spill->order);
    for (size_t i = 0; i < count; i++)
        spill->order[i] = (uint32_t)i;
    if (count > 1) qsort_r(spill->order, count, sizeof *spill->order, by_keys, &context);
}

static bool same_keys(const Value *a, const Value *b, uint32_t count)
{
    for (uint32_t k = 0; k < count; k++)
        if (!value_equivalent(a[k], b[k])) return false;
    return true;
}

/* The table's group with these keys; SIZE_MAX: it has none. */
static size_t group_with(const GroupSpill *spill, const Groups *groups, const Value *keys)
{
    size_t low = 0, count = groups_count(groups), high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (order_of_keys(groups, spill->order[middle], keys, spill->keys) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < count; low++) {
        size_t group = spill->order[low];
        if (order_of_keys(groups, group, keys, spill->keys) != 0) break;
        bool same = true;
        for (uint32_t k = 0; k < spill->keys && same; k++)
            same = value_equivalent(groups_key(groups, group, k), keys[k]);
        if (same) return group;
    }
    return SIZE_MAX;
}

static AggregateState **states_begin(const PlanNode *plan, Arena *arena)
{
    AggregateState **states = arena_array(arena, AggregateState *, plan->aggregate_count + 1);
    for (uint32_t a = 0; a < plan->aggregate_count; a++)
        states[a] = aggregate_begin(arena, &plan->aggregates[a].spec);
    return states;
}

static Bucket *bucket_of(Operator *self, GroupSpill *spill, const Table *table, const Value *row)
{
    for (size_t i = 0; i < spill->bucket_count; i++)
        if (same_keys(spill->buckets[i].keys, row, spill->keys)) return &spill->buckets[i];
    Value *keys = arena_array(spill->arena, Value, spill->keys + 1);
    for (uint32_t k = 0; k < spill->keys; k++)
        keys[k] = value_copy(spill->arena, row[k]);
    mem_reserve(spill->buckets, spill->bucket_capacity, spill->bucket_count + 1);
    Bucket *bucket = &spill->buckets[spill->bucket_count++];
    *bucket = (Bucket){.keys = keys,
                       .group = group_with(spill, table->groups, keys),
                       .first = row[spill->keys].as.integer};
    if (spill->aggregates == 0) return bucket;
    bucket->states = bucket->group == SIZE_MAX ? states_begin(self->plan, spill->arena)
                                               : table->states + bucket->group * spill->aggregates;
    return bucket;
}

static Error *end_part(const GroupSpill *spill, Bucket *bucket)
{
    for (uint32_t a = 0; bucket->part != NULL && a < spill->aggregates; a++)
        TRY(aggregate_merge(bucket->states[a], bucket->part[a]));
    bucket->part = NULL;
    return NULL;
}

static Error *bucket_take(Operator *self, GroupSpill *spill, Bucket *bucket, const Value *row,
                          uint64_t times)
{
    uint32_t k = spill->keys, count = spill->aggregates;
    int64_t morsel = row[k + 1].as.integer;
    if (spill->in_morsels && bucket->part != NULL && bucket->morsel != morsel)
        TRY(end_part(spill, bucket));
    if (spill->in_morsels && bucket->part == NULL && count > 0)
        bucket->part = states_begin(self->plan, spill->arena);
    bucket->morsel = morsel;
    AggregateState **states = bucket->part != NULL ? bucket->part : bucket->states;
    for (uint32_t a = 0; a < count; a++)
        TRY(aggregate_step(states[a], row[k + 2 + a], row[k + 2 + count + a], times));
    return NULL;
}

/* The groups of the buckets are whole. */
static Error *end_buckets(Operator *self, GroupSpill *spill)
{
    Value *result = arena_array(spill->arena, Value, 1 + spill->keys + spill->aggregates);
    for (size_t i = 0; i < spill->bucket_count; i++) {
        Bucket *bucket = &spill->buckets[i];
        TRY(end_part(spill, bucket));
        if (bucket->group != SIZE_MAX) continue; /* the table gives it */
        result[0] = value_integer(bucket->first);
        for (uint32_t k = 0; k < spill->keys; k++)
            result[1 + k] = bucket->keys[k];
        for (uint32_t a = 0; a < spill->aggregates; a++)
            TRY(aggregate_end(bucket->states[a], spill->arena, &result[1 + spill->keys + a]));
        TRY(sorter_add(spill->results, result, 1));
    }
    spill->bucket_count = 0;
    arena_reset(spill->arena);
    TRY(operator_check_files(self, sorter_bytes(spill->rows) + sorter_bytes(spill->results)));
    return operator_check_memory(self, sorter_held(spill->rows) + sorter_held(spill->results));
}

static Error *group_spill_finish(Operator *self, GroupSpill *spill, const Table *table)
{
    const Value *row;
    uint64_t times;
    order_groups(spill, table->groups);
    TRY(sorter_finish(spill->rows));
    for (uint64_t i = 0;; i++) {
        TRY(sorter_next(spill->rows, &row, &times));
        if (row == NULL) break;
        bool next = false;
        for (uint32_t k = 0; spill->bucket_count > 0 && k < spill->keys && !next; k++)
            next = value_order(spill->buckets[0].keys[k], row[k]) != 0;
        if (next) TRY(end_buckets(self, spill));
        TRY(bucket_take(self, spill, bucket_of(self, spill, table, row), row, times));
        if (i % BATCH_ROWS_MAX == 0) TRY(operator_interrupted(self));
    }
    TRY(end_buckets(self, spill));
    TRY(sorter_finish(spill->results));
    operator_note_spill(self, sorter_bytes(spill->rows) + sorter_bytes(spill->results));
    sorter_free(spill->rows);
    spill->rows = NULL;
    return NULL;
}

/* Groups that the table has not, in the order of their first rows. */
static Error *group_spill_next(Operator *self, GroupSpill *spill, const uint32_t *slots,
                               Batch **out)
{
    uint32_t width = spill->keys + spill->aggregates, count = 0;
    const Value *row;
    uint64_t times;
    *out = NULL;
    arena_reset(self->arena);
    Batch *batch = batch_create(self->arena, self->execution->plan->slot_count);
    for (uint32_t c = 0; c < width; c++)
        batch_column(self->arena, batch, slots[c], COLUMN_ANY);
    while (count < BATCH_ROWS_MAX && arena_bytes(self->arena) < 2 * operator_spill_budget()) {
        TRY(sorter_next(spill->results, &row, &times));
        if (row == NULL) break;
        for (uint32_t c = 0; c < width; c++)
            batch->columns[slots[c]].values[count] = value_copy(self->arena, row[1 + c]);
        count++;
    }
    if (count == 0) return NULL;
    batch->row_count = batch->selected_count = count;
    *out = batch;
    return NULL;
}

/* The groups of a batch's rows, unless the statement is to end. */
static Error *find_asking(const Interrupt *interrupt, Groups *groups, const Column *keys,
                          const Batch *batch, uint32_t *found)
{
    groups_ask(groups, interrupt == NULL ? NULL : interrupt->stop,
               interrupt == NULL ? NULL : interrupt->state);
    if (groups_find(groups, keys, batch, found)) return NULL;
    return error_new(ERROR_CANCELLED, "the statement was cancelled");
}

static Error *find_groups(Operator *self, Groups *groups, const Column *keys, const Batch *batch,
                          uint32_t *found)
{
    return find_asking(self->execution->environment.interrupt, groups, keys, batch, found);
}

/* ---- DISTINCT ---- */

typedef struct Distinct {
    Groups *groups;
    Column *keys;
    GroupSpill *spill; /* NULL: all groups are in the table */
    bool done;         /* no rows come any more */
    RowOnce told;
} Distinct;

/* Rows that may be new groups wait until all of them are there. */
static Error *distinct_rest(Operator *self, Batch **out)
{
    Distinct *distinct = self->state;
    Batch *batch;
    while (!distinct->done) {
        TRY(operator_next(self->input, &batch));
        if (batch == NULL) {
            Table table = {.groups = distinct->groups};
            TRY(group_spill_finish(self, distinct->spill, &table));
            distinct->done = true;
            break;
        }
        for (uint32_t k = 0; k < self->plan->slot_count; k++)
            distinct->keys[k] = batch->columns[self->plan->slots[k]];
        TRY(group_spill_batch(self, distinct->spill, distinct->keys, NULL, NULL, batch));
    }
    return group_spill_next(self, distinct->spill, self->plan->slots, out);
}

static Error *next_distinct(Operator *self, Batch **out)
{
    Distinct *distinct = self->state;
    for (;;) {
        if (distinct->spill == NULL &&
            operator_wants_room(self, groups_bytes(distinct->groups),
                                groups_growth(distinct->groups, BATCH_ROWS_MAX), false))
            distinct->spill =
                group_spill_new(self, self->plan->slot_count, 0, groups_count(distinct->groups));
        if (distinct->spill != NULL) return distinct_rest(self, out);
        TRY(operator_next(self->input, out));
        if (*out == NULL) return NULL;
        Batch *batch = *out;
        arena_reset(self->arena);
        uint16_t *kept = arena_alloc(self->arena, (batch->selected_count + 1) * sizeof *kept);
        uint32_t *found = arena_alloc(self->arena, (batch->selected_count + 1) * sizeof *found);
        size_t known = groups_count(distinct->groups);
        for (uint32_t k = 0; k < self->plan->slot_count; k++)
            distinct->keys[k] = batch->columns[self->plan->slots[k]];
        TRY(operator_room(self, groups_growth(distinct->groups, batch->selected_count)));
        TRY(find_groups(self, distinct->groups, distinct->keys, batch, found));
        groups_keep_first(batch, found, known, kept);
        batch->multiplicity = NULL;
        TRY(operator_check_memory(self, groups_bytes(distinct->groups)));
        if (batch->selected_count > 0) return NULL;
    }
}

static void reset_distinct(Operator *self)
{
    Distinct *distinct = self->state;
    groups_destroy(distinct->groups);
    distinct->groups = groups_create(self->plan->slot_count);
    group_spill_free(distinct->spill);
    distinct->spill = NULL;
    distinct->done = false;
}

static void close_distinct(Operator *self)
{
    Distinct *distinct = self->state;
    groups_destroy(distinct->groups);
    group_spill_free(distinct->spill);
}

void open_distinct(Operator *self)
{
    Distinct *distinct = arena_new(self->state_arena, Distinct);
    distinct->groups = groups_create(self->plan->slot_count);
    distinct->keys = arena_array(self->state_arena, Column, self->plan->slot_count + 1);
    distinct->told = (RowOnce){self->plan->slots, self->plan->slot_count, &distinct->groups};
    self->input->once = &distinct->told;
    self->state = distinct;
    self->next = next_distinct;
    self->reset = reset_distinct;
    self->close = close_distinct;
}

/* ---- AGGREGATE ---- */

typedef struct Aggregate {
    uint64_t *order; /* where the setting shuffles: which group comes when */
    Table table;
    size_t at;
    bool done;
    uint32_t *slots;    /* of keys, and behind them of aggregates */
    GroupSpill *spill;  /* NULL: all groups are in the table */
    uint64_t merged;    /* morsels in the table; */
    bool torn;          /* ... and one in part */
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
    AggregateRows rows;
    rows.batch = batch;
    rows.groups = found;
    rows.group_count = table->state_groups;
    rows.counted = false;
    for (uint32_t a = 0; a < count; a++)
        TRY(aggregate_batch(table->states + a, count, &rows, &columns.arguments[a],
                            &columns.extras[a]));
    return NULL;
}

static size_t table_bytes(const Operator *self, const Table *table)
{
    return groups_bytes(table->groups) + table->state_capacity * sizeof(AggregateState *) +
           (table->arena == self->state_arena ? 0 : arena_bytes(table->arena));
}

static Error *check_table(Operator *self, const Table *table)
{
    return operator_check_memory(self, table_bytes(self, table));
}

/* Without keys there is one group, which no file would make smaller. */
static bool may_use_files(const Operator *self)
{
    return self->plan->item_count > 0 && self->execution->environment.spill != NULL;
}

/* Would so many groups more be too many? */
static bool wants_files(Operator *self, const Table *table, size_t groups, bool in_morsels)
{
    return may_use_files(self) &&
           operator_wants_room(self, table_bytes(self, table) + arena_bytes(self->state_arena),
                               groups_growth(table->groups, (uint32_t)groups), in_morsels);
}

static void begin_files(Operator *self, bool in_morsels)
{
    Aggregate *aggregate = self->state;
    aggregate->spill = group_spill_new(self, self->plan->item_count, self->plan->aggregate_count,
                                       groups_count(aggregate->table.groups));
    aggregate->spill->in_morsels = in_morsels;
}

static Error *put_batch(Operator *self, const Batch *batch)
{
    Aggregate *aggregate = self->state;
    Columns columns;
    arena_reset(self->arena);
    operator_context(self, self->arena, &aggregate->context);
    TRY(run_all(self, batch, &columns));
    return group_spill_batch(self, aggregate->spill, columns.keys, columns.arguments,
                             columns.extras, batch);
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
    mem_free(table->into);
    mem_free(table);
}

static Error *take_part(Operator *own, void *part, Batch *batch)
{
    TRY(take_batch(own, part, batch));
    return check_table(own, part);
}

/* What was begun is ended where memory is short, for half of it could not go to files. */
static bool stop_but_for_memory(void *state)
{
    const Interrupt *interrupt = state;
    return interrupt != NULL && !mem_is_short() && interrupt->stop(interrupt->state);
}

/* The operator's groups for those of a part that have none yet. */
static Error *find_into(Operator *self, Table *from)
{
    Aggregate *aggregate = self->state;
    size_t groups = groups_count(from->groups);
    uint32_t keys = self->plan->item_count;
    Interrupt interrupt = {stop_but_for_memory,
                           (void *)(uintptr_t)self->execution->environment.interrupt};
    mem_reserve(from->into, from->into_capacity, groups + 1);
    while (from->into_count < groups) {
        size_t at = from->into_count, left = groups - at;
        arena_reset(self->arena);
        Batch *batch = batch_create(self->arena, keys + 1);
        batch->row_count = batch->selected_count =
            left < BATCH_ROWS_MAX ? (uint32_t)left : BATCH_ROWS_MAX;
        key_columns(self, from, NULL, at, batch, NULL);
        TRY(find_asking(&interrupt, aggregate->table.groups, batch->columns, batch,
                        from->into + at));
        from->into_count += batch->row_count;
    }
    new_states(self->plan, &aggregate->table);
    return NULL;
}

/* A part with few groups keeps them for the next morsel, which mostly has the same ones: it need not
 * look them up again. (They are in the operator's table, so their order is no longer asked for.) */
static void part_clear(Table *part, uint32_t keys)
{
    enum { KEPT_MAX = AGGREGATE_TALLIES_MAX }; /* groups */
    arena_reset(part->arena);
    part->state_groups = 0;
    if (groups_count(part->groups) <= KEPT_MAX) return;
    groups_destroy(part->groups);
    part->groups = groups_create(keys);
    part->into_count = 0;
}

/* Does merging so many new groups make the table larger? What has its groups already and only counts does not,
 * and goes on in memory, however little of that is left. */
static bool merging_grows(const Operator *self, size_t new)
{
    bool grows = new > 0;
    for (uint32_t a = 0; a < self->plan->aggregate_count; a++)
        grows = grows || aggregate_keeps_values(&self->plan->aggregates[a].spec);
    return grows;
}

/* Groups come in the order of their first rows, as if one worker had met them. */
static Error *merge_part(Operator *self, void *part)
{
    Aggregate *aggregate = self->state;
    Table *table = &aggregate->table, *from = part;
    uint32_t count = self->plan->aggregate_count;
    size_t new = groups_count(from->groups) - from->into_count;
    size_t most = table_bytes(self, from) + groups_growth(table->groups, (uint32_t) new);
    if (may_use_files(self) && merging_grows(self, new) &&
        (!mem_has_room(most) || wants_files(self, table, new, true)))
        return error_memory(); /* see take_morsels */
    aggregate->torn = true;
    TRY(find_into(self, from));
    for (size_t g = 0; g < from->state_groups; g++)
        for (uint32_t a = 0; a < count; a++)
            TRY(aggregate_merge(table->states[(size_t)from->into[g] * count + a],
                                from->states[g * count + a]));
    part_clear(from, self->plan->item_count);
    aggregate->torn = false;
    aggregate->merged++;
    return check_table(self, table);
}

static const MorselSink aggregate_sink = {
    .part = table_new, .drop = table_drop, .take = take_part, .merge = merge_part};

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
        const GraphIndex *index = graph_index_on(view, labels[i], property, false);
        unique = unique || (index != NULL && index->constraint == GRAPH_UNIQUE);
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
    const uint64_t *multiplicity = batch->multiplicity;
    for (uint32_t i = 0; i < batch->selected_count; i++) {
        uint32_t position = batch_position(batch, i);
        counts->integers[position] = multiplicity == NULL ? 1 : (int64_t)multiplicity[position];
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
        if (aggregate->spill == NULL && wants_files(self, &aggregate->table, BATCH_ROWS_MAX, false))
            begin_files(self, false);
        if (aggregate->spill != NULL) {
            TRY(put_batch(self, batch));
            continue;
        }
        TRY(take_batch(self, &aggregate->table, batch));
        if (!wants_files(self, &aggregate->table, BATCH_ROWS_MAX, false))
            TRY(check_table(self, &aggregate->table));
    }
}

static Error *put_of_morsel(Operator *self, uint64_t morsel, Batch *batch)
{
    Aggregate *aggregate = self->state;
    aggregate->spill->morsel = (int64_t)morsel;
    return put_batch(self, batch);
}

/* Morsels that are not in the table when memory is short go to files, one behind the other. */
static Error *take_morsels(Operator *self)
{
    Aggregate *aggregate = self->state;
    Error *error = morsels_run(self, &aggregate_sink), *still = NULL;
    if (error == NULL || aggregate->torn || !may_use_files(self)) return error;
    /* Who is told to stop because memory is short says that it was cancelled; by now it is not. */
    bool limit = error_code(error) == ERROR_LIMIT;
    if (!limit &&
        (error_code(error) != ERROR_CANCELLED || (still = operator_interrupted(self)) != NULL)) {
        error_drop(still);
        return error;
    }
    error_drop(error);
    begin_files(self, true);
    return morsels_each(self, aggregate->merged, put_of_morsel);
}

static Error *take_all(Operator *self)
{
    Aggregate *aggregate = self->state;
    TRY(morsels_fit(self) ? take_morsels(self) : take_rows(self));
    if (aggregate->spill != NULL)
        TRY(group_spill_finish(self, aggregate->spill, &aggregate->table));
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
    if (left == 0 && aggregate->spill != NULL)
        return group_spill_next(self, aggregate->spill, aggregate->slots, out);
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
    aggregate->done = aggregate->torn = false;
    aggregate->merged = 0;
    group_spill_free(aggregate->spill);
    aggregate->spill = NULL;
}

static void close_aggregate(Operator *self)
{
    Aggregate *aggregate = self->state;
    groups_destroy(aggregate->table.groups);
    mem_free(aggregate->table.states);
    group_spill_free(aggregate->spill);
}

void open_aggregate(Operator *self)
{
    const PlanNode *plan = self->plan;
    Aggregate *aggregate = arena_new(self->state_arena, Aggregate);
    aggregate->table.groups = groups_create(plan->item_count);
    aggregate->table.arena = self->state_arena;
    aggregate->slots =
        arena_array(self->state_arena, uint32_t, plan->item_count + plan->aggregate_count + 1);
    for (uint32_t k = 0; k < plan->item_count; k++)
        aggregate->slots[k] = plan->items[k].slot;
    for (uint32_t a = 0; a < plan->aggregate_count; a++)
        aggregate->slots[plan->item_count + a] = plan->aggregates[a].slot;
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
