/*
 * write.c - CREATE, MERGE, SET, REMOVE, DELETE.
 *
 * A writing clause is a barrier: it takes all its rows before it writes, and gives the first one
 * only when all is written, so that a clause sees the graph as the clause before left it. MERGE
 * alone looks again for each row and so sees what it made.
 */
#include "config.h"

#include "execution/operator_internal.h"
#include <math.h>

typedef struct Write {
    RowBuffer in, out;
    uint32_t *slots; /* of out */
    bool done;
    size_t at;
    EvalContext context;
    Arena *row_arena;
} Write;

/* ---- what can be a property ---- */

static bool simple(Value value)
{
    ValueKind kind = (ValueKind)value.kind;
    return kind == VALUE_BOOLEAN || kind == VALUE_INTEGER || kind == VALUE_FLOAT ||
           kind == VALUE_STRING || kind == VALUE_BYTES ||
           (kind >= VALUE_DATE && kind <= VALUE_DURATION);
}

Error *storable(Value value, Value *out)
{
    *out = value;
    if (value.kind == VALUE_NULL || simple(value)) return NULL;
    if (value.kind == VALUE_VECTOR) {
        for (uint32_t i = 0; i < value.aux; i++)
            if (!isfinite(value.as.vector[i]))
                return error_new(ERROR_ARGUMENT_VALUE, "a vector has finite components only");
        return NULL;
    }
    if (value.kind == VALUE_LIST) {
        for (uint32_t i = 0; i < value.aux; i++)
            if (!simple(value.as.items[i]))
                return error_new(ERROR_PROPERTY_TYPE, "a list with %s in it cannot be a property",
                                 value_kind_name((ValueKind)value.as.items[i].kind));
        return NULL;
    }
    return error_hint(
        error_new(ERROR_PROPERTY_TYPE, "%s cannot be a property",
                  value_kind_name((ValueKind)value.kind)),
        "properties are numbers, text, booleans, temporal values, vectors, and lists of them");
}

/* A list of numbers that are not all finite, as f32 has them. */
static bool has_infinite(Value list)
{
    for (uint32_t i = 0; i < list.aux; i++)
        if (value_is_number(list.as.items[i]) &&
            !isfinite((float)value_as_double(list.as.items[i])))
            return true;
    return false;
}

Error *storable_in(const GraphIndex *index, Value value)
{
    if (value.kind != VALUE_LIST || !has_infinite(value)) return NULL;
    return error_new(ERROR_ARGUMENT_VALUE,
                     "a vector has finite components only, and the index %.*s takes this list as "
                     "one",
                     STR_ARG(index->name));
}

/* As each vector index on the node's labels would have it. */
static Error *check_indexed(const Execution *execution, uint64_t node, uint32_t key, Value value)
{
    uint32_t count;
    if (value.kind != VALUE_LIST) return NULL;
    GraphView view = graph_writer_view(execution->environment.writer);
    const uint32_t *labels = graph_node_labels(&view, node, &count);
    for (uint32_t i = 0; i < count; i++) {
        const GraphIndex *index = graph_index_on(&view, labels[i], key, true);
        if (index != NULL) TRY(storable_in(index, value));
    }
    return NULL;
}

static Error *set_property(Operator *self, ValueKind kind, uint64_t id, NameRef key, Value value)
{
    Execution *execution = self->execution;
    Value stored;
    TRY(storable(value, &stored));
    uint32_t name = name_resolve(execution, NAME_KEY, key);
    if (name == GRAPH_NAME_UNKNOWN && stored.kind == VALUE_NULL) return NULL;
    if (name == GRAPH_NAME_UNKNOWN)
        name = graph_name_intern(execution->environment.writer, NAME_KEY, key.text);
    if (kind == VALUE_NODE) TRY(check_indexed(execution, id, name, stored));
    if (graph_set_property(execution->environment.writer, kind, id, name, stored))
        execution->stats.properties_set++;
    return NULL;
}

static Error *set_map(Operator *self, ValueKind kind, uint64_t id, Value map)
{
    for (uint32_t i = 0; i < map.aux; i++)
        TRY(set_property(self, kind, id, (NameRef){map.as.entries[i].key, GRAPH_NAME_UNKNOWN},
                         map.as.entries[i].value));
    return NULL;
}

/* ---- CREATE ---- */

static Error *describe(Operator *self, const Batch *batch, uint32_t position, ValueKind kind,
                       uint64_t id, const PlanProperty *properties, uint32_t count, const Expr *map)
{
    Write *write = self->state;
    Value value;
    for (uint32_t i = 0; i < count; i++) {
        TRY(expr_evaluate(properties[i].expr, &write->context, batch, position, &value));
        TRY(error_at(set_property(self, kind, id, properties[i].key, value),
                     properties[i].expr->offset, properties[i].expr->length));
    }
    if (map == NULL) return NULL;
    TRY(expr_evaluate(map, &write->context, batch, position, &value));
    if (value.kind != VALUE_MAP)
        return error_at(error_new(ERROR_ARGUMENT_TYPE, "properties are a map, not %s",
                                  value_kind_name((ValueKind)value.kind)),
                        map->offset, map->length);
    return set_map(self, kind, id, value);
}

static Error *create_node(Operator *self, Batch *batch, uint32_t position,
                          const PlanCreateNode *plan)
{
    Execution *execution = self->execution;
    Write *write = self->state;
    uint32_t *labels = arena_array(write->row_arena, uint32_t, plan->label_count + 1);
    uint64_t id;
    for (uint32_t i = 0; i < plan->label_count; i++) {
        labels[i] =
            graph_name_intern(execution->environment.writer, NAME_LABEL, plan->labels[i].text);
        bool again = false;
        for (uint32_t j = 0; j < i; j++)
            again = again || labels[j] == labels[i];
        if (!again) execution->stats.labels_added++;
    }
    TRY(graph_create_node(execution->environment.writer, labels, plan->label_count, &id));
    execution->stats.nodes_created++;
    batch->columns[plan->slot].ids[position] = id;
    return describe(self, batch, position, VALUE_NODE, id, plan->properties, plan->property_count,
                    plan->map);
}

static Error *end_of(Operator *self, const Batch *batch, uint32_t position, uint32_t slot,
                     uint64_t *id)
{
    if (!entity_at(batch, slot, position, VALUE_NODE, id))
        return error_new(
            ERROR_ARGUMENT_TYPE, "a relationship wants a node at each end, not %s",
            value_kind_name((ValueKind)column_value(&batch->columns[slot], position).kind));
    TRY(check_present(column_value(&batch->columns[slot], position)));
    if (!graph_node_visible(&self->execution->view, *id))
        return error_new(ERROR_DELETED_ENTITY, "the node was deleted in this statement");
    return NULL;
}

static Error *create_relationship(Operator *self, Batch *batch, uint32_t position,
                                  const PlanCreateRelationship *plan)
{
    Execution *execution = self->execution;
    uint64_t from, to, id;
    TRY(end_of(self, batch, position, plan->from_slot, &from));
    TRY(end_of(self, batch, position, plan->to_slot, &to));
    uint32_t type = graph_name_intern(execution->environment.writer, NAME_TYPE, plan->type.text);
    TRY(graph_create_relationship(execution->environment.writer, type, from, to, &id));
    execution->stats.relationships_created++;
    batch->columns[plan->slot].ids[position] = id;
    return describe(self, batch, position, VALUE_RELATIONSHIP, id, plan->properties,
                    plan->property_count, plan->map);
}

static void make_columns(Operator *self, Arena *arena, Batch *batch)
{
    const PlanNode *plan = self->plan;
    for (uint32_t i = 0; i < plan->create_node_count; i++)
        batch_column(arena, batch, plan->create_nodes[i].slot, COLUMN_NODE);
    for (uint32_t i = 0; i < plan->create_relationship_count; i++)
        batch_column(arena, batch, plan->create_relationships[i].slot, COLUMN_RELATIONSHIP);
    for (uint32_t i = 0; i < plan->path_item_count; i++)
        batch_column(arena, batch, plan->path_items[i].slot, COLUMN_ANY);
}

/* All nodes, then relationships, then paths of one row; the pattern's properties see the row only,
 * not one another. */
static Error *create_row(Operator *self, Batch *batch, uint32_t position)
{
    const PlanNode *plan = self->plan;
    Write *write = self->state;
    operator_context(self, write->row_arena, &write->context);
    for (uint32_t i = 0; i < plan->create_node_count; i++)
        TRY(create_node(self, batch, position, &plan->create_nodes[i]));
    for (uint32_t i = 0; i < plan->create_relationship_count; i++)
        TRY(create_relationship(self, batch, position, &plan->create_relationships[i]));
    for (uint32_t i = 0; i < plan->path_item_count; i++)
        TRY(expr_evaluate(plan->path_items[i].expr, &write->context, batch, position,
                          &batch->columns[plan->path_items[i].slot].values[position]));
    return NULL;
}

/* Asked before each row that is written: nothing of it can be left out afterwards. */
static Error *row_room(Operator *self, size_t row)
{
    enum { ASK_EVERY = 1024 }; /* a table of an index becomes twice as large at once, but rarely */
    const GraphWriter *writer = self->execution->environment.writer;
    if (mem_is_short()) return operator_room(self, 0); /* what it takes stands in the graph */
    if (row % ASK_EVERY != 0) return NULL;
    TRY(operator_interrupted(self));
    return operator_room(self, graph_write_growth(writer));
}

/* A row that counts several times is written several times: multiplicities become rows. */
static Error *expand_multiplicity(Operator *self, const RowBuffer *in, size_t row, Batch **out,
                                  uint32_t *times)
{
    RowBuffer one = *in;
    uint64_t multiplicity = in->multiplicity[row];
    TRY(row_room(self, row));
    if (multiplicity > UINT32_MAX) return error_new(ERROR_LIMIT, "too many rows to write");
    *times = (uint32_t)multiplicity;
    uint64_t single = 1;
    one.values = in->values + row * in->column_count;
    one.multiplicity = &single;
    one.row_count = 1;
    Write *write = self->state;
    *out = rows_batch(&one, write->row_arena, self->execution->plan->slot_count, 0, 1);
    (*out)->multiplicity = NULL;
    return NULL;
}

static Error *create_all(Operator *self)
{
    Write *write = self->state;
    TRY(drain_input(self, &write->in));
    for (size_t row = 0; row < write->in.row_count; row++) {
        Batch *batch;
        uint32_t times;
        arena_reset(write->row_arena);
        TRY(expand_multiplicity(self, &write->in, row, &batch, &times));
        make_columns(self, write->row_arena, batch);
        for (uint32_t t = 0; t < times; t++) {
            TRY(row_room(self, t + 1));
            TRY(operator_room(self, rows_growth(&write->out, 1)));
            TRY(create_row(self, batch, 0));
            rows_append(&write->out, batch);
        }
    }
    return NULL;
}

static Error *give_rows(Operator *self, const RowBuffer *rows, Batch **out)
{
    Write *write = self->state;
    size_t left = rows->row_count - write->at;
    *out = NULL;
    if (left == 0) return NULL;
    uint32_t count = left > BATCH_ROWS_MAX ? BATCH_ROWS_MAX : (uint32_t)left;
    arena_reset(self->arena);
    *out = rows_batch(rows, self->arena, self->execution->plan->slot_count, write->at, count);
    write->at += count;
    return NULL;
}

static Error *next_create(Operator *self, Batch **out)
{
    Write *write = self->state;
    if (!write->done) {
        write->done = true;
        TRY(create_all(self));
    }
    return give_rows(self, &write->out, out);
}

static void reset_write(Operator *self)
{
    Write *write = self->state;
    write->done = false;
    write->at = write->in.row_count = write->out.row_count = 0;
}

static void close_write(Operator *self)
{
    arena_destroy(((Write *)self->state)->row_arena);
}

static Write *write_new(Operator *self)
{
    const PlanNode *plan = self->plan;
    Write *write = arena_new(self->state_arena, Write);
    uint32_t made =
                 plan->create_node_count + plan->create_relationship_count + plan->path_item_count,
             count = plan->slot_count;
    write->slots = arena_array(self->state_arena, uint32_t, plan->slot_count + made + 1);
    if (count > 0) memcpy(write->slots, plan->slots, count * sizeof *plan->slots);
    for (uint32_t i = 0; i < plan->create_node_count; i++)
        write->slots[count++] = plan->create_nodes[i].slot;
    for (uint32_t i = 0; i < plan->create_relationship_count; i++)
        write->slots[count++] = plan->create_relationships[i].slot;
    for (uint32_t i = 0; i < plan->path_item_count; i++)
        write->slots[count++] = plan->path_items[i].slot;
    write->row_arena = arena_create();
    rows_init(&write->in, self->state_arena, plan->slots, plan->slot_count);
    rows_init(&write->out, self->state_arena, write->slots, count);
    self->state = write;
    self->reset = reset_write;
    self->close = close_write;
    return write;
}

void open_create(Operator *self)
{
    write_new(self);
    self->next = next_create;
}

/* ---- SET and REMOVE ---- */

static Error *properties_of(Operator *self, Value source, const Expr *expr, Value *out)
{
    const EntityReader *reader = &self->execution->reader;
    if (source.kind == VALUE_MAP) return *out = source, NULL;
    if (source.kind == VALUE_NODE || source.kind == VALUE_RELATIONSHIP)
        return reader->properties(reader->state, source, ((Write *)self->state)->row_arena, out);
    return error_at(error_new(ERROR_ARGUMENT_TYPE, "properties are a map or an entity, not %s",
                              value_kind_name((ValueKind)source.kind)),
                    expr->offset, expr->length);
}

static Error *set_all_properties(Operator *self, Value entity, Value source,
                                 const PlanSetItem *item)
{
    Value map, old;
    Write *write = self->state;
    const EntityReader *reader = &self->execution->reader;
    ValueKind kind = (ValueKind)entity.kind;
    TRY(properties_of(self, source, item->expr, &map));
    map = value_copy(write->row_arena, map);
    if (item->kind == SET_REPLACE_MAP) {
        TRY(reader->properties(reader->state, entity, write->row_arena, &old));
        for (uint32_t i = 0; i < old.aux; i++)
            if (value_map_get(map, old.as.entries[i].key) == NULL)
                TRY(set_property(self, kind, entity.as.id,
                                 (NameRef){old.as.entries[i].key, GRAPH_NAME_UNKNOWN},
                                 value_null()));
    }
    return set_map(self, kind, entity.as.id, map);
}

static void set_labels(Operator *self, uint64_t node, const PlanSetItem *item)
{
    Execution *execution = self->execution;
    GraphWriter *writer = execution->environment.writer;
    for (uint32_t i = 0; i < item->label_count; i++) {
        if (item->kind == SET_LABELS) {
            execution->stats.labels_added += graph_add_label(
                writer, node, graph_name_intern(writer, NAME_LABEL, item->labels[i].text));
            continue;
        }
        uint32_t label = name_resolve(execution, NAME_LABEL, item->labels[i]);
        if (label != GRAPH_NAME_UNKNOWN)
            execution->stats.labels_removed += graph_remove_label(writer, node, label);
    }
}

static Error *set_item(Operator *self, const Batch *batch, uint32_t position,
                       const PlanSetItem *item)
{
    Write *write = self->state;
    Value entity, value = value_null();
    operator_context(self, write->row_arena, &write->context);
    TRY(expr_evaluate(item->target, &write->context, batch, position, &entity));
    if (item->expr != NULL)
        TRY(expr_evaluate(item->expr, &write->context, batch, position, &value));
    if (entity.kind == VALUE_NULL) return NULL;
    bool labels = item->kind == SET_LABELS || item->kind == REMOVE_LABELS;
    if (entity.kind != VALUE_NODE && (labels || entity.kind != VALUE_RELATIONSHIP))
        return error_at(error_new(ERROR_ARGUMENT_TYPE, "%s cannot be changed",
                                  value_kind_name((ValueKind)entity.kind)),
                        item->target->offset, item->target->length);
    TRY(error_at(check_present(entity), item->target->offset, item->target->length));
    const GraphView *view = &self->execution->view;
    bool visible = entity.kind == VALUE_NODE ? graph_node_visible(view, entity.as.id)
                                             : graph_relationship_visible(view, entity.as.id);
    if (!visible)
        return error_new(ERROR_DELETED_ENTITY, "the entity was deleted in this statement");
    if (labels) return set_labels(self, entity.as.id, item), NULL;
    if (item->kind == SET_PROPERTY || item->kind == REMOVE_PROPERTY)
        return error_at(set_property(self, (ValueKind)entity.kind, entity.as.id, item->key, value),
                        item->target->offset, item->target->length);
    return set_all_properties(self, entity, value, item);
}

static Error *next_set(Operator *self, Batch **out)
{
    Write *write = self->state;
    if (!write->done) {
        write->done = true;
        TRY(drain_input(self, &write->in));
        for (size_t row = 0; row < write->in.row_count; row++) {
            Batch *batch;
            uint32_t times;
            arena_reset(write->row_arena);
            TRY(expand_multiplicity(self, &write->in, row, &batch, &times));
            for (uint32_t i = 0; i < self->plan->set_item_count; i++)
                TRY(set_item(self, batch, 0, &self->plan->set_items[i]));
        }
    }
    return give_rows(self, &write->in, out);
}

void open_set(Operator *self)
{
    write_new(self);
    self->next = next_set;
}

/* ---- MERGE ---- */

static Error *refuse_null(Operator *self, const Batch *batch, const PlanProperty *properties,
                          uint32_t count)
{
    Write *write = self->state;
    for (uint32_t i = 0; i < count; i++) {
        Value value;
        TRY(expr_evaluate(properties[i].expr, &write->context, batch, 0, &value));
        if (value.kind == VALUE_NULL)
            return error_at(error_new(ERROR_MERGE_READ_OWN_WRITES,
                                      "MERGE cannot look for a property that is null: %.*s",
                                      STR_ARG(properties[i].key.text)),
                            properties[i].expr->offset, properties[i].expr->length);
    }
    return NULL;
}

static Error *refuse_nulls(Operator *self, const Batch *batch)
{
    const PlanNode *plan = self->plan;
    operator_context(self, ((Write *)self->state)->row_arena, &((Write *)self->state)->context);
    for (uint32_t i = 0; i < plan->create_node_count; i++)
        TRY(refuse_null(self, batch, plan->create_nodes[i].properties,
                        plan->create_nodes[i].property_count));
    for (uint32_t i = 0; i < plan->create_relationship_count; i++)
        TRY(refuse_null(self, batch, plan->create_relationships[i].properties,
                        plan->create_relationships[i].property_count));
    return NULL;
}

/* One row the match found: what it found under the names of the pattern, beside the row. */
static Error *take_match(Operator *self, Batch *row, const Batch *match, uint32_t position)
{
    Write *write = self->state;
    const PlanNode *plan = self->plan;
    for (uint32_t i = 0; i < plan->item_count; i++) {
        Value value = column_value(&match->columns[plan->items[i].expr->index], position);
        Column *column = batch_column(write->row_arena, row, plan->items[i].slot, COLUMN_ANY);
        column->values[0] = value_copy(write->row_arena, value);
    }
    for (uint32_t i = 0; i < plan->match_item_count; i++)
        TRY(set_item(self, row, 0, &plan->match_items[i]));
    TRY(operator_room(self, rows_growth(&write->out, 1)));
    rows_append(&write->out, row);
    return NULL;
}

/* Matches are collected before ON MATCH changes anything they depend on. */
static Error *merge_row(Operator *self, Batch *row)
{
    Write *write = self->state;
    const PlanNode *plan = self->plan;
    RowBuffer found;
    uint32_t *slots = arena_array(write->row_arena, uint32_t, plan->item_count + 1);
    for (uint32_t i = 0; i < plan->item_count; i++)
        slots[i] = plan->items[i].expr->index;
    rows_init(&found, write->row_arena, slots, plan->item_count);
    TRY(refuse_nulls(self, row));
    chain_start(self->inner, row);
    for (;;) {
        Batch *batch;
        TRY(operator_next(self->inner, &batch));
        if (batch == NULL) break;
        TRY(operator_room(self, rows_growth(&found, batch->selected_count)));
        rows_append(&found, batch);
    }
    for (size_t i = 0; i < found.row_count; i++)
        TRY(take_match(
            self, row,
            rows_batch(&found, write->row_arena, self->execution->plan->slot_count, i, 1), 0));
    if (found.row_count > 0) return self->execution->stats.rows_matched++, NULL;
    self->execution->stats.rows_created++;
    make_columns(self, write->row_arena, row);
    TRY(create_row(self, row, 0));
    for (uint32_t i = 0; i < plan->set_item_count; i++)
        TRY(set_item(self, row, 0, &plan->set_items[i]));
    rows_append(&write->out, row);
    return NULL;
}

static Error *next_merge(Operator *self, Batch **out)
{
    Write *write = self->state;
    if (!write->done) {
        write->done = true;
        TRY(drain_input(self, &write->in));
        for (size_t row = 0; row < write->in.row_count; row++) {
            Batch *batch;
            uint32_t times;
            arena_reset(write->row_arena);
            TRY(expand_multiplicity(self, &write->in, row, &batch, &times));
            for (uint32_t t = 0; t < times; t++)
                TRY(merge_row(self, batch));
        }
    }
    return give_rows(self, &write->out, out);
}

void open_merge(Operator *self)
{
    write_new(self);
    self->next = next_merge;
}

/* ---- DELETE ---- */

typedef struct Doomed {
    uint64_t *nodes, *relationships;
    size_t node_count, node_capacity, relationship_count, relationship_capacity;
} Doomed;

static void doom(Doomed *doomed, ValueKind kind, uint64_t id)
{
    if (kind == VALUE_NODE) {
        mem_reserve(doomed->nodes, doomed->node_capacity, doomed->node_count + 1);
        doomed->nodes[doomed->node_count++] = id;
    } else {
        mem_reserve(doomed->relationships, doomed->relationship_capacity,
                    doomed->relationship_count + 1);
        doomed->relationships[doomed->relationship_count++] = id;
    }
}

static Error *doom_value(Doomed *doomed, Value value, const Expr *expr)
{
    if (value.kind == VALUE_NULL) return NULL;
    TRY(error_at(check_present(value), expr->offset, expr->length));
    if (value.kind == VALUE_NODE || value.kind == VALUE_RELATIONSHIP)
        return doom(doomed, (ValueKind)value.kind, value.as.id), NULL;
    if (value.kind != VALUE_PATH)
        return error_at(error_new(ERROR_ARGUMENT_TYPE, "%s cannot be deleted",
                                  value_kind_name((ValueKind)value.kind)),
                        expr->offset, expr->length);
    for (uint32_t i = 0; i < value.aux; i++)
        TRY(error_at(check_present(value_node(value.as.path[i])), expr->offset, expr->length));
    for (uint32_t i = 0; i < value.aux; i++)
        doom(doomed, i % 2 == 0 ? VALUE_NODE : VALUE_RELATIONSHIP, value.as.path[i]);
    return NULL;
}

static Error *doom_rows(Operator *self, Doomed *doomed)
{
    Write *write = self->state;
    for (size_t row = 0; row < write->in.row_count; row++) {
        Batch *batch;
        uint32_t times;
        arena_reset(write->row_arena);
        TRY(expand_multiplicity(self, &write->in, row, &batch, &times));
        operator_context(self, write->row_arena, &write->context);
        for (uint32_t i = 0; i < self->plan->expr_count; i++) {
            Value value;
            TRY(expr_evaluate(self->plan->exprs[i], &write->context, batch, 0, &value));
            TRY(doom_value(doomed, value, self->plan->exprs[i]));
        }
    }
    return NULL;
}

static void relationships_of(Operator *self, uint64_t node, Neighbors *out)
{
    uint32_t types = graph_name_count(self->execution->view.graph, NAME_TYPE);
    out->count = 0;
    for (uint32_t t = 0; t < types; t++)
        graph_expand(&self->execution->view, t, GRAPH_BOTH, node, out);
}

static Error *delete_all(Operator *self, const Doomed *doomed)
{
    Execution *execution = self->execution;
    GraphWriter *writer = execution->environment.writer;
    Neighbors around = {0};
    Error *error = NULL;
    for (size_t i = 0; i < doomed->relationship_count && error == NULL; i++) {
        execution->stats.relationships_deleted +=
            graph_delete_relationship(writer, doomed->relationships[i]);
        error = row_room(self, i);
    }
    for (size_t i = 0; self->plan->detach && i < doomed->node_count && error == NULL; i++) {
        relationships_of(self, doomed->nodes[i], &around);
        for (size_t r = 0; r < around.count; r++)
            execution->stats.relationships_deleted +=
                graph_delete_relationship(writer, around.relationships[r]);
        error = row_room(self, i);
    }
    for (size_t i = 0; i < doomed->node_count && error == NULL; i++) {
        execution->stats.nodes_deleted += graph_delete_node(writer, doomed->nodes[i]);
        error = row_room(self, i);
    }
    for (size_t i = 0; error == NULL && i < doomed->node_count; i++) {
        if ((error = row_room(self, i)) != NULL) break;
        relationships_of(self, doomed->nodes[i], &around);
        if (around.count > 0)
            error = error_hint(error_new(ERROR_DELETE_CONNECTED_NODE,
                                         "node %llu still has relationships",
                                         (unsigned long long)doomed->nodes[i]),
                               "DETACH DELETE takes them along");
    }
    neighbors_free(&around);
    execution->deleted = execution->deleted || doomed->node_count + doomed->relationship_count > 0;
    return error;
}

static Error *next_delete(Operator *self, Batch **out)
{
    Write *write = self->state;
    if (!write->done) {
        Doomed doomed = {0};
        write->done = true;
        TRY(drain_input(self, &write->in));
        Error *error = doom_rows(self, &doomed);
        if (error == NULL) error = delete_all(self, &doomed);
        mem_free(doomed.nodes);
        mem_free(doomed.relationships);
        TRY(error);
    }
    return give_rows(self, &write->in, out);
}

void open_delete(Operator *self)
{
    write_new(self);
    self->next = next_delete;
}
