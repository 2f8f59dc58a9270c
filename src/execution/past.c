/*
 * past.c - several moments in one statement.
 *
 * A MATCH with AT SNAPSHOT or AT TIMESTAMP is a sub-plan between two operators: Leave above it makes
 * its moment's graph the one that scans, hops and indexes look at whenever a batch is asked for, and
 * Enter below it takes the outer rows in. So no operator in between knows of moments.
 *
 * Entities do: outside, an id that was read at another moment than the one at hand says at which
 * (ENTITY_MOMENT_SHIFT). Both operators say all ids anew for the other side, also those in lists,
 * maps and paths. What stands in the pattern itself comes in as it was then: Enter gives it a slot
 * of its own, without a moment, and null if it was not there.
 */
#include "config.h"

#include "execution/operator_internal.h"
#include <assert.h>

const GraphView *view_of(const Execution *execution, uint64_t entity)
{
    uint32_t moment = entity_moment(entity);
    if (moment == 0 || execution->environment.moments == NULL) return &execution->view;
    return moment == 1 ? &execution->environment.view : &execution->environment.moments[moment - 1];
}

Error *check_present(Value entity)
{
    bool is_entity = entity.kind == VALUE_NODE || entity.kind == VALUE_RELATIONSHIP;
    if (!is_entity || entity_moment(entity.as.id) == 0) return NULL;
    const char *what = entity.kind == VALUE_NODE ? "node" : "relationship";
    return error_hint(error_new(ERROR_READ_ONLY, "a %s of the past cannot be written to", what),
                      "match the present one, by its id: MATCH (n) WHERE id(n) = id(old)");
}

/* ---- ids ---- */

static uint64_t say_anew(uint64_t id, uint32_t from, uint32_t to)
{
    uint32_t said = entity_moment(id), moment = said == 0 ? from : said - 1;
    uint64_t anew = moment == to ? 0 : moment + 1;
    return entity_id(id) | anew << ENTITY_MOMENT_SHIFT;
}

static bool has_entities(Value value)
{
    switch (value.kind) {
    case VALUE_NODE:
    case VALUE_RELATIONSHIP:
    case VALUE_PATH: return true;
    case VALUE_LIST:
        for (uint32_t i = 0; i < value.aux; i++)
            if (has_entities(value.as.items[i])) return true;
        return false;
    case VALUE_MAP:
        for (uint32_t i = 0; i < value.aux; i++)
            if (has_entities(value.as.entries[i].value)) return true;
        return false;
    default: return false;
    }
}

static Value value_anew(Arena *arena, Value value, uint32_t from, uint32_t to)
{
    if (!has_entities(value)) return value;
    if (value.kind == VALUE_LIST) {
        Value *items = arena_alloc(arena, (value.aux + 1ul) * sizeof *items);
        for (uint32_t i = 0; i < value.aux; i++)
            items[i] = value_anew(arena, value.as.items[i], from, to);
        value.as.items = items;
    } else if (value.kind == VALUE_MAP) {
        ValueEntry *entries = arena_alloc(arena, (value.aux + 1ul) * sizeof *entries);
        for (uint32_t i = 0; i < value.aux; i++)
            entries[i] = (ValueEntry){value.as.entries[i].key,
                                      value_anew(arena, value.as.entries[i].value, from, to)};
        value.as.entries = entries;
    } else if (value.kind == VALUE_PATH) {
        uint64_t *path = arena_alloc(arena, (value.aux + 1ul) * sizeof *path);
        for (uint32_t i = 0; i < value.aux; i++)
            path[i] = say_anew(value.as.path[i], from, to);
        value.as.path = path;
    } else {
        value.as.id = say_anew(value.as.id, from, to);
    }
    return value;
}

/* Rows that are not selected may hold anything: they are not looked at. */
static void column_anew(Arena *arena, const Batch *batch, Column *column, uint32_t from,
                        uint32_t to)
{
    uint32_t rows = column->constant ? 1 : batch->row_count;
    bool ids = column->type == COLUMN_NODE || column->type == COLUMN_RELATIONSHIP;
    if (!ids && column->type != COLUMN_ANY) return;
    Column anew = *column;
    if (ids)
        anew.ids = arena_alloc(arena, (rows + 1ul) * sizeof *anew.ids);
    else
        anew.values = arena_alloc(arena, (rows + 1ul) * sizeof *anew.values);
    uint32_t count = column->constant ? 1 : batch->selected_count;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t p = column->constant ? 0 : batch_position(batch, i);
        if (!column->constant && !column_valid(column, p)) continue;
        if (ids)
            anew.ids[p] = say_anew(column->ids[p], from, to);
        else
            anew.values[p] = value_anew(arena, column->values[p], from, to);
    }
    *column = anew;
}

static Batch *batch_anew(Operator *self, const Batch *in, uint32_t from, uint32_t to)
{
    Batch *batch = batch_create(self->arena, in->column_count);
    Column *columns = batch->columns;
    *batch = *in;
    batch->columns = columns;
    memcpy(columns, in->columns, in->column_count * sizeof *columns);
    for (uint32_t c = 0; c < batch->column_count && from != to; c++)
        column_anew(self->arena, batch, &columns[c], from, to);
    return batch;
}

/* ---- Enter ---- */

/* What is now, as it was then: without a moment, or null. */
static Value then(const Execution *execution, Value entity)
{
    bool node = entity.kind == VALUE_NODE;
    if (!node && entity.kind != VALUE_RELATIONSHIP) return entity;
    entity.as.id = entity_id(entity.as.id);
    bool there = node ? graph_node_visible(&execution->view, entity.as.id)
                      : graph_relationship_visible(&execution->view, entity.as.id);
    return there ? entity : value_null();
}

static Value value_then(const Execution *execution, Arena *arena, Value value)
{
    if (value.kind != VALUE_LIST) return then(execution, value);
    Value *items = arena_alloc(arena, (value.aux + 1ul) * sizeof *items);
    for (uint32_t i = 0; i < value.aux; i++) {
        items[i] = then(execution, value.as.items[i]);
        if (items[i].kind == VALUE_NULL) return value_null();
    }
    value.as.items = items;
    return value;
}

static Error *next_enter(Operator *self, Batch **out)
{
    Execution *execution = self->execution;
    const PlanNode *plan = self->plan;
    Batch *in;
    *out = NULL;
    TRY(operator_next(self->input, &in));
    if (in == NULL) return NULL;
    arena_reset(self->arena);
    Batch *batch = batch_anew(self, in, plan->outer_moment, plan->moment);
    for (uint32_t s = 0; s < plan->item_count; s++) {
        const Column *known = &in->columns[plan->items[s].expr->index];
        Column *column = batch_column(self->arena, batch, plan->items[s].slot, COLUMN_ANY);
        for (uint32_t i = 0; i < batch->selected_count; i++) {
            uint32_t p = batch_position(batch, i);
            column->values[p] = value_then(execution, self->arena, column_value(known, p));
        }
    }
    *out = batch;
    return NULL;
}

void open_enter(Operator *self)
{
    self->next = next_enter;
}

/* ---- Leave ---- */

static void go_to(Execution *execution, uint32_t moment)
{
    execution->moment = moment;
    execution->view =
        moment == 0 ? execution->environment.view : execution->environment.moments[moment];
}

static Error *next_leave(Operator *self, Batch **out)
{
    Execution *execution = self->execution;
    const PlanNode *plan = self->plan;
    Batch *in;
    *out = NULL;
    assert(execution->moment == plan->outer_moment);
    go_to(execution, plan->moment);
    Error *error = operator_next(self->input, &in);
    go_to(execution, plan->outer_moment);
    if (error != NULL || in == NULL) return error;
    arena_reset(self->arena);
    *out = batch_anew(self, in, plan->moment, plan->outer_moment);
    return NULL;
}

void open_leave(Operator *self)
{
    self->next = next_leave;
}
