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
 *
 * So the EntityReader plug over graph views is here, too: an entity is read at the moment it is of.
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

/* ---- reading: those deleted in this statement cannot be read ---- */

static Error *gone(ValueKind kind)
{
    return error_new(ERROR_DELETED_ENTITY, "the %s was deleted in this statement",
                     kind == VALUE_NODE ? "node" : "relationship");
}

static Error *check_there(const Execution *execution, ValueKind kind, uint64_t id)
{
    if (!execution->deleted) return NULL;
    const GraphView *view = view_of(execution, id);
    id = entity_id(id);
    bool visible =
        kind == VALUE_NODE ? graph_node_visible(view, id) : graph_relationship_visible(view, id);
    return visible ? NULL : gone(kind);
}

/* How far the ids from `from` on are of one moment, and these ids without it: in `plain`, or where
 * they are. */
static uint32_t one_moment(const uint64_t *ids, uint32_t from, uint32_t count, Arena *arena,
                           const uint64_t **plain)
{
    uint32_t end = from + 1;
    while (end < count && entity_moment(ids[end]) == entity_moment(ids[from]))
        end++;
    *plain = ids + from;
    if (entity_moment(ids[from]) == 0) return end;
    uint64_t *copy = arena_alloc(arena, (end - from) * sizeof *copy);
    for (uint32_t i = from; i < end; i++)
        copy[i - from] = entity_id(ids[i]);
    *plain = copy;
    return end;
}

static Error *property(void *state, ValueKind kind, NameRef key, const uint64_t *ids, uint32_t how,
                       uint32_t count, Arena *arena, Column *out)
{
    Execution *execution = state;
    const uint64_t *plain = ids;
    for (uint32_t i = 0; execution->deleted && i < count; i++)
        TRY(check_there(execution, kind, ids[i]));
    uint32_t name = name_resolve(execution, NAME_KEY, key), end = count;
    bool several = execution->environment.moments != NULL && count > 0;
    if (several) end = one_moment(ids, 0, count, arena, &plain);
    if (end == count) {
        const GraphView *view = several ? view_of(execution, ids[0]) : &execution->view;
        bool words = (how & READ_WORDS) != 0 && kind == VALUE_NODE,
             ascending = (how & READ_ASCENDING) != 0 && !several;
        if (!words || !graph_words(view, name, plain, count, ascending, arena, out))
            graph_properties_ordered(view, kind, name, plain, count, ascending, arena, out);
        return NULL;
    }
    *out = *column_create(arena, COLUMN_ANY, count);
    for (uint32_t from = 0; from < count; from = end) {
        Column part;
        end = one_moment(ids, from, count, arena, &plain);
        graph_properties(view_of(execution, ids[from]), kind, name, plain, end - from, arena,
                         &part);
        for (uint32_t i = from; i < end; i++)
            out->values[i] = column_value(&part, i - from);
    }
    return NULL;
}

static Error *properties(void *state, Value entity, Arena *arena, Value *out)
{
    Execution *execution = state;
    TRY(check_there(execution, (ValueKind)entity.kind, entity.as.id));
    *out = graph_property_map(view_of(execution, entity.as.id), (ValueKind)entity.kind,
                              entity_id(entity.as.id), arena);
    return NULL;
}

static Error *labels(void *state, uint64_t node, Arena *arena, Value *out)
{
    Execution *execution = state;
    uint32_t count;
    TRY(check_there(execution, VALUE_NODE, node));
    const GraphView *view = view_of(execution, node);
    const uint32_t *ids = graph_node_labels(view, entity_id(node), &count);
    Value *items = arena_alloc(arena, (count + 1) * sizeof *items);
    for (uint32_t i = 0; i < count; i++)
        items[i] = value_string(graph_name_text(view->graph, NAME_LABEL, ids[i]));
    *out = value_list(items, count);
    return NULL;
}

static Error *has_label(void *state, NameRef label, const uint64_t *ids, uint32_t count,
                        uint8_t *out)
{
    Execution *execution = state;
    uint32_t name = name_resolve(execution, NAME_LABEL, label);
    for (uint32_t i = 0; execution->deleted && i < count; i++)
        TRY(check_there(execution, VALUE_NODE, ids[i]));
    if (execution->environment.moments == NULL) {
        graph_nodes_have_label(&execution->view, ids, count, name, out);
        return NULL;
    }
    for (uint32_t i = 0; i < count; i++)
        out[i] = graph_node_has_label(view_of(execution, ids[i]), entity_id(ids[i]), name);
    return NULL;
}

static Error *type(void *state, uint64_t relationship, Str *out)
{
    const Execution *execution = state;
    *out = graph_name_text(view_of(execution, relationship)->graph, NAME_TYPE,
                           relationship_type(relationship));
    return NULL;
}

/* They are of the moment the relationship is of. */
static Error *ends(void *state, uint64_t relationship, uint64_t *start, uint64_t *end)
{
    const Execution *execution = state;
    uint64_t moment = relationship - entity_id(relationship);
    graph_relationship_ends(view_of(execution, relationship), entity_id(relationship), start, end);
    *start |= moment;
    *end |= moment;
    return NULL;
}

static Error *degree(void *state, uint64_t node, const NameRef *type_name, int direction,
                     uint64_t *out)
{
    const Execution *execution = state;
    const GraphView *view = view_of(execution, node);
    uint32_t types = graph_name_count(view->graph, NAME_TYPE);
    *out = 0;
    for (uint32_t t = 0; t < types; t++)
        if (type_name == NULL || name_resolve(execution, NAME_TYPE, *type_name) == t)
            *out += graph_degree(view, t, (GraphDirection)direction, entity_id(node));
    return NULL;
}

void entity_reader_init(EntityReader *reader, Execution *execution)
{
    *reader =
        (EntityReader){execution, property, properties, labels, has_label, type, ends, degree};
}
