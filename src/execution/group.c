/*
 * group.c - DISTINCT and AGGREGATE: rows by equivalence of values.
 *
 * Groups stand in an array in order of their first row, found by an open-addressing table over the
 * hash of their keys. Without keys there is exactly one group, also over no rows.
 */
#include "config.h"

#include "base/map.h"
#include "execution/operator_internal.h"

typedef struct Groups {
    Arena *arena;
    uint32_t key_count;
    Value *keys; /* key_count a group */
    uint64_t *hashes;
    size_t count, key_capacity, hash_capacity;
    uint32_t *table; /* UINT32_MAX: empty */
    size_t mask;
} Groups;

static void groups_init(Groups *groups, Arena *arena, uint32_t key_count)
{
    enum { TABLE_FIRST = 64 };
    *groups = (Groups){.arena = arena, .key_count = key_count, .mask = TABLE_FIRST - 1};
    groups->table = mem_alloc(TABLE_FIRST * sizeof *groups->table);
    memset(groups->table, 0xff, TABLE_FIRST * sizeof *groups->table);
}

static void groups_free(Groups *groups)
{
    mem_free(groups->keys);
    mem_free(groups->hashes);
    mem_free(groups->table);
}

static void groups_grow(Groups *groups)
{
    size_t size = (groups->mask + 1) * 2;
    groups->table = mem_realloc(groups->table, size * sizeof *groups->table);
    memset(groups->table, 0xff, size * sizeof *groups->table);
    groups->mask = size - 1;
    for (size_t i = 0; i < groups->count; i++) {
        size_t at = groups->hashes[i] & groups->mask;
        while (groups->table[at] != UINT32_MAX)
            at = (at + 1) & groups->mask;
        groups->table[at] = (uint32_t)i;
    }
}

static uint64_t hash_keys(const Value *keys, uint32_t count)
{
    uint64_t hash = 0;
    for (uint32_t i = 0; i < count; i++)
        hash = hash_u64(hash * 31 + value_hash(keys[i]));
    return hash;
}

static bool same_keys(const Groups *groups, size_t group, const Value *keys)
{
    for (uint32_t i = 0; i < groups->key_count; i++)
        if (!value_equivalent(groups->keys[group * groups->key_count + i], keys[i])) return false;
    return true;
}

/* The group of these keys; *fresh: it was made now. */
static size_t group_of(Groups *groups, const Value *keys, bool *fresh)
{
    uint64_t hash = hash_keys(keys, groups->key_count);
    size_t at = hash & groups->mask;
    for (; groups->table[at] != UINT32_MAX; at = (at + 1) & groups->mask) {
        size_t group = groups->table[at];
        if (groups->hashes[group] == hash && same_keys(groups, group, keys))
            return *fresh = false, group;
    }
    mem_reserve(groups->keys, groups->key_capacity, (groups->count + 1) * (groups->key_count + 1));
    mem_reserve(groups->hashes, groups->hash_capacity, groups->count + 1);
    for (uint32_t i = 0; i < groups->key_count; i++)
        groups->keys[groups->count * groups->key_count + i] = value_copy(groups->arena, keys[i]);
    groups->hashes[groups->count] = hash;
    groups->table[at] = (uint32_t)groups->count++;
    *fresh = true;
    if (groups->count * 2 > groups->mask) groups_grow(groups);
    return groups->count - 1;
}

/* ---- DISTINCT ---- */

static Error *next_distinct(Operator *self, Batch **out)
{
    Groups *groups = self->state;
    for (;;) {
        TRY(operator_next(self->input, out));
        if (*out == NULL) return NULL;
        Batch *batch = *out;
        arena_reset(self->arena);
        uint16_t *kept = arena_alloc(self->arena, (batch->selected_count + 1) * sizeof *kept);
        Value *keys = arena_alloc(self->arena, (groups->key_count + 1) * sizeof *keys);
        uint32_t count = 0;
        for (uint32_t i = 0; i < batch->selected_count; i++) {
            bool fresh;
            uint32_t position = batch_position(batch, i);
            for (uint32_t k = 0; k < groups->key_count; k++)
                keys[k] = column_value(&batch->columns[self->plan->slots[k]], position);
            group_of(groups, keys, &fresh);
            if (fresh) kept[count++] = (uint16_t)position;
        }
        batch->selection = kept;
        batch->selected_count = count;
        batch->multiplicity = NULL;
        if (count > 0) return NULL;
    }
}

static void reset_distinct(Operator *self)
{
    Groups *groups = self->state;
    uint32_t key_count = groups->key_count;
    groups_free(groups);
    groups_init(groups, self->state_arena, key_count);
}

static void close_distinct(Operator *self)
{
    groups_free(self->state);
}

void open_distinct(Operator *self)
{
    self->state = arena_new(self->state_arena, Groups);
    groups_init(self->state, self->state_arena, self->plan->slot_count);
    self->next = next_distinct;
    self->reset = reset_distinct;
    self->close = close_distinct;
}

/* ---- AGGREGATE ---- */

typedef struct Aggregate {
    Groups groups;
    AggregateState **states; /* aggregate_count a group */
    size_t state_capacity, at;
    bool done;
    Program **keys, **arguments, **extras; /* arguments, extras: NULL where there is none */
    EvalContext context;
} Aggregate;

static void new_states(Operator *self, Aggregate *aggregate)
{
    uint32_t count = self->plan->aggregate_count;
    mem_reserve(aggregate->states, aggregate->state_capacity,
                aggregate->groups.count * (count + 1));
    for (uint32_t a = 0; a < count; a++)
        aggregate->states[(aggregate->groups.count - 1) * count + a] =
            aggregate_begin(self->state_arena, &self->plan->aggregates[a].spec);
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

static Error *take_batch(Operator *self, const Batch *batch)
{
    Aggregate *aggregate = self->state;
    uint32_t keys = self->plan->item_count, count = self->plan->aggregate_count;
    Columns columns;
    arena_reset(self->arena);
    operator_context(self, self->arena, &aggregate->context);
    TRY(run_all(self, batch, &columns));
    Value *row = arena_alloc(self->arena, (keys + 1) * sizeof *row);
    for (uint32_t i = 0; i < batch->selected_count; i++) {
        uint32_t position = batch_position(batch, i);
        bool fresh;
        for (uint32_t k = 0; k < keys; k++)
            row[k] = column_value(&columns.keys[k], position);
        size_t group = group_of(&aggregate->groups, row, &fresh);
        if (fresh) new_states(self, aggregate);
        for (uint32_t a = 0; a < count; a++)
            TRY(aggregate_step(
                aggregate->states[group * count + a], column_value(&columns.arguments[a], position),
                column_value(&columns.extras[a], position), batch_multiplicity(batch, position)));
    }
    return NULL;
}

static Error *take_all(Operator *self)
{
    Aggregate *aggregate = self->state;
    Batch *batch;
    for (;;) {
        TRY(operator_next(self->input, &batch));
        if (batch == NULL) break;
        TRY(take_batch(self, batch));
    }
    if (aggregate->groups.count == 0 && self->plan->item_count == 0) {
        bool fresh;
        group_of(&aggregate->groups, NULL, &fresh);
        new_states(self, aggregate);
    }
    aggregate->done = true;
    return NULL;
}

static Error *next_aggregate(Operator *self, Batch **out)
{
    Aggregate *aggregate = self->state;
    const PlanNode *plan = self->plan;
    if (!aggregate->done) TRY(take_all(self));
    *out = NULL;
    size_t left = aggregate->groups.count - aggregate->at;
    if (left == 0) return NULL;
    uint32_t count = left > BATCH_ROWS_MAX ? BATCH_ROWS_MAX : (uint32_t)left;
    arena_reset(self->arena);
    Batch *batch = batch_create(self->arena, self->execution->plan->slot_count);
    batch->row_count = batch->selected_count = count;
    for (uint32_t k = 0; k < plan->item_count; k++) {
        Value first = aggregate->groups.keys[aggregate->at * plan->item_count + k];
        Column *column = batch_column(self->arena, batch, plan->items[k].slot,
                                      column_type_of((ValueKind)first.kind));
        for (uint32_t i = 0; i < count; i++)
            column_set(self->arena, column, i,
                       aggregate->groups.keys[(aggregate->at + i) * plan->item_count + k], count);
    }
    for (uint32_t a = 0; a < plan->aggregate_count; a++) {
        Column *column = batch_column(self->arena, batch, plan->aggregates[a].slot, COLUMN_ANY);
        for (uint32_t i = 0; i < count; i++)
            TRY(aggregate_end(aggregate->states[(aggregate->at + i) * plan->aggregate_count + a],
                              self->arena, &column->values[i]));
    }
    aggregate->at += count;
    *out = batch;
    return NULL;
}

static void reset_aggregate(Operator *self)
{
    Aggregate *aggregate = self->state;
    groups_free(&aggregate->groups);
    groups_init(&aggregate->groups, self->state_arena, self->plan->item_count);
    aggregate->at = 0;
    aggregate->done = false;
}

static void close_aggregate(Operator *self)
{
    Aggregate *aggregate = self->state;
    groups_free(&aggregate->groups);
    mem_free(aggregate->states);
}

void open_aggregate(Operator *self)
{
    const PlanNode *plan = self->plan;
    Aggregate *aggregate = arena_new(self->state_arena, Aggregate);
    groups_init(&aggregate->groups, self->state_arena, plan->item_count);
    aggregate->keys = arena_array(self->state_arena, Program *, plan->item_count + 1);
    aggregate->arguments = arena_array(self->state_arena, Program *, plan->aggregate_count + 1);
    aggregate->extras = arena_array(self->state_arena, Program *, plan->aggregate_count + 1);
    for (uint32_t k = 0; k < plan->item_count; k++)
        aggregate->keys[k] = program_compile(self->state_arena, plan->items[k].expr);
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
