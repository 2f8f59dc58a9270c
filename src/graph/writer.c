/*
 * writer.c - the one writer: what it does, and how it is taken back.
 *
 * Everything is done in place under the pending version and noted in a list of changes with what
 * was there before. Rolling back walks the list backwards, so rows given out are handed back in
 * reverse order and ids nobody ever saw are used again. Publishing makes the pending version the
 * newest; what was replaced is freed once no view is older.
 */
#include "config.h"

#include "graph/graph_internal.h"
#include <assert.h>
#include <math.h>

/* ---- begin and end ---- */

GraphWriter *graph_writer_begin(Graph *graph)
{
    GraphWriter *writer = mem_calloc(1, sizeof *writer);
    writer->graph = graph;
    writer->version = atomic_load(&graph->pending) + 1;
    writer->arena = arena_create();
    atomic_store(&graph->pending, writer->version);
    indexes_sweep(graph);
    return writer;
}

GraphView graph_writer_view(const GraphWriter *writer)
{
    return (GraphView){writer->graph, writer->version};
}

static void reclaim(Graph *graph)
{
    uint64_t horizon = graph_horizon(graph);
    size_t kept = 0;
    for (size_t i = 0; i < graph->retired_count; i++) {
        if (graph->retired[i].version <= horizon)
            retired_end(graph, &graph->retired[i]);
        else
            graph->retired[kept++] = graph->retired[i];
    }
    graph->retired_count = kept;
}

static void writer_free(GraphWriter *writer)
{
    arena_destroy(writer->arena);
    mem_free(writer->changes);
    mem_free(writer);
}

uint64_t graph_writer_finish(GraphWriter *writer)
{
    uint64_t version = writer->version;
    reclaim(writer->graph); /* by the version published so far: this one may still fail */
    writer_free(writer);
    return version;
}

void graph_writer_heed(GraphWriter *writer, bool (*stop)(void *state), void *state)
{
    writer->stop = stop;
    writer->stop_state = state;
}

void graph_writer_tell(GraphWriter *writer,
                       void (*tell)(void *state, uint64_t done, uint64_t count), void *state)
{
    writer->tell = tell;
    writer->tell_state = state;
}

bool graph_writer_is_stopped(void *writer)
{
    const GraphWriter *asked = writer;
    return asked->stop != NULL && asked->stop(asked->stop_state);
}

Error *writer_stopped(const GraphWriter *writer)
{
    if (!graph_writer_is_stopped((void *)(uintptr_t)writer)) return NULL;
    return error_new(ERROR_CANCELLED, "the statement was cancelled");
}

void graph_publish(Graph *graph, uint64_t version)
{
    uint64_t now = atomic_load(&graph->published);
    while (now < version && !atomic_compare_exchange_weak(&graph->published, &now, version))
        ;
}

uint64_t graph_pending(const Graph *graph)
{
    return atomic_load(&graph->pending);
}

void graph_writer_publish(GraphWriter *writer)
{
    graph_publish(writer->graph, writer->version);
    graph_writer_finish(writer);
}

/* Does nobody hold a view but the owner of `slot`? Who takes one from now on finds what was undone
 * gone. */
static bool is_alone(const Graph *graph, uint32_t slot)
{
    for (uint32_t i = 0; i < GRAPH_READERS_MAX; i++)
        if (i != slot && atomic_load(&graph->readers[i]) != 0) return false;
    return true;
}

/* What was taken back would be used again by the next rows; but a transaction that needed more memory
 * than there is must not keep it from others. */
static void trim(Graph *graph, uint64_t version)
{
    uint64_t nodes = atomic_load(&graph->nodes.rows.count);
    uint64_t blocks = (nodes + GRAPH_BLOCK_ROWS - 1) / GRAPH_BLOCK_ROWS;
    table_trim(graph, &graph->nodes, version);
    column_trim(graph, &graph->shapes_of, nodes, version);
    for (uint32_t i = 0; i < graph_name_count(graph, NAME_LABEL); i++) {
        Label *label = directory_get(&graph->labels, i);
        directory_trim(graph, &label->blocks, blocks, graph_free);
    }
    for (uint32_t t = 0; t < graph_name_count(graph, NAME_TYPE); t++) {
        RelationshipType *type = graph_type(graph, t);
        uint64_t rows = atomic_load(&type->table.rows.count);
        table_trim(graph, &type->table, version);
        directory_trim(graph, &type->ends, (rows + GRAPH_BLOCK_ROWS - 1) / GRAPH_BLOCK_ROWS,
                       graph_free);
        adjacency_trim(graph, &type->out, nodes);
        adjacency_trim(graph, &type->in, nodes);
    }
    for (size_t i = 0; i < graph->retired_count; i++)
        retired_end(graph, &graph->retired[i]);
    graph->retired_count = 0;
}

/* The version's number is used up: what was retired under it must not look older than it is. */
void graph_writer_abort(GraphWriter *writer, uint32_t slot)
{
    Graph *graph = writer->graph;
    uint64_t version = writer->version;
    graph_rollback_to(writer, 0);
    if (slot != GRAPH_NO_SLOT && is_alone(graph, slot)) trim(graph, version);
    writer_free(writer);
}

static bool is_append(const Change *change)
{
    return change->kind == CHANGE_APPEND_NODES || change->kind == CHANGE_APPEND_RELATIONSHIPS;
}

GraphChange graph_change_at(const GraphWriter *writer, size_t i)
{
    static const GraphChangeKind kinds[] = {
        [CHANGE_CREATE_NODE] = GRAPH_CREATED_NODE,
        [CHANGE_CREATE_RELATIONSHIP] = GRAPH_CREATED_RELATIONSHIP,
        [CHANGE_APPEND_NODES] = GRAPH_CREATED_NODE,
        [CHANGE_APPEND_RELATIONSHIPS] = GRAPH_CREATED_RELATIONSHIP,
        [CHANGE_FILL_PROPERTY] = GRAPH_SET_PROPERTY,
        [CHANGE_PROPERTY] = GRAPH_SET_PROPERTY,
        [CHANGE_SHAPE] = GRAPH_SET_LABELS,
        [CHANGE_DELETE_NODE] = GRAPH_DELETED_NODE,
        [CHANGE_DELETE_RELATIONSHIP] = GRAPH_DELETED_RELATIONSHIP,
        [CHANGE_CREATE_INDEX] = GRAPH_CREATED_INDEX,
        [CHANGE_DROP_INDEX] = GRAPH_DROPPED_INDEX};
    const Change *change = &writer->changes[i];
    GraphView view = graph_writer_view(writer);
    GraphChange out = {.kind = kinds[change->kind],
                       .entity = (ValueKind)change->entity,
                       .id = change->id,
                       .key = change->key,
                       .count = 1,
                       .value = value_null()};
    if (is_append(change)) out.whole = true, out.count = change->count;
    if (change->kind == CHANGE_FILL_PROPERTY) out.count = change->count;
    if (out.kind == GRAPH_SET_PROPERTY)
        out.value = graph_property(&view, out.entity, change->id, change->key);
    if (change->kind == CHANGE_SHAPE) {
        const Shape *shape =
            directory_get(&writer->graph->shapes, (size_t)change->after.as.integer);
        out.labels = shape->labels;
        out.label_count = shape->count;
    }
    if (change->index != NULL) out.index = &change->index->definition;
    return out;
}

size_t graph_savepoint(const GraphWriter *writer)
{
    return writer->count;
}

size_t graph_change_count(const GraphWriter *writer)
{
    return writer->count;
}

uint64_t graph_change_weight(const GraphWriter *writer, size_t savepoint)
{
    uint64_t weight = 0;
    for (size_t i = savepoint; i < writer->count; i++)
        weight += is_append(&writer->changes[i]) ? (uint64_t)writer->changes[i].before.as.integer
                  : writer->changes[i].kind == CHANGE_FILL_PROPERTY ? writer->changes[i].count
                                                                    : 1;
    return weight;
}

Change *writer_note(GraphWriter *writer, Change change)
{
    mem_reserve(writer->changes, writer->capacity, writer->count + 1);
    writer->changes[writer->count] = change;
    return &writer->changes[writer->count++];
}

/* ---- labels ---- */

uint32_t graph_shape_intern(GraphWriter *writer, const uint32_t *labels, uint32_t count)
{
    Graph *graph = writer->graph;
    uint64_t id;
    Str key = {(const char *)labels, count * sizeof *labels};
    if (count == 0) key = STR("");
    if (strmap_get(graph->shape_ids, key, &id)) return (uint32_t)id;
    Shape *shape = mem_alloc(sizeof *shape + count * sizeof *labels);
    shape->count = count;
    if (count > 0) memcpy(shape->labels, labels, count * sizeof *labels);
    id = atomic_load(&graph->shape_count);
    directory_set(graph, &graph->shapes, id, shape);
    strmap_put(graph->shape_ids, key, id);
    atomic_store(&graph->shape_count, (uint32_t)id + 1);
    return (uint32_t)id;
}

/* `bits`: of the word of 64 nodes that `node` is in. */
void writer_mark_label(Graph *graph, uint32_t id, uint64_t node, uint64_t word_bits)
{
    Label *label = directory_get(&graph->labels, id);
    uint64_t *bits = directory_get(&label->blocks, node / GRAPH_BLOCK_ROWS);
    if (bits == NULL) {
        bits = mem_calloc(GRAPH_BLOCK_ROWS / 64, sizeof *bits);
        directory_set(graph, &label->blocks, node / GRAPH_BLOCK_ROWS, bits);
    }
    __atomic_fetch_or(&bits[node % GRAPH_BLOCK_ROWS / 64], word_bits, __ATOMIC_RELEASE);
}

static void count_labels(Graph *graph, const Shape *shape, bool up)
{
    for (uint32_t i = 0; shape != NULL && i < shape->count; i++) {
        Label *label = directory_get(&graph->labels, shape->labels[i]);
        if (up)
            atomic_fetch_add(&label->live, 1);
        else
            atomic_fetch_sub(&label->live, 1);
    }
}

static const Shape *shape_at(const Graph *graph, Value id)
{
    return id.kind == VALUE_NULL ? NULL : directory_get(&graph->shapes, (size_t)id.as.integer);
}

/* Labels of `one` that `other` has not: their bits lie for views before `exact_from`. Told before a bit
 * is set, so that nobody sees the bit alone. */
static void loosen(Graph *graph, const Shape *one, const Shape *other, uint64_t exact_from)
{
    for (uint32_t i = 0; one != NULL && i < one->count; i++) {
        if (shape_has(other, one->labels[i])) continue;
        Label *label = directory_get(&graph->labels, one->labels[i]);
        if (atomic_load_explicit(&label->exact_from, memory_order_relaxed) < exact_from)
            atomic_store_explicit(&label->exact_from, exact_from, memory_order_release);
    }
}

static void set_shape(GraphWriter *writer, uint64_t node, uint32_t shape, bool keep)
{
    Graph *graph = writer->graph;
    Value after = value_integer(shape);
    if (keep) {
        const Shape *old = graph_shape(graph, node, writer->version),
                    *new = directory_get(&graph->shapes, shape);
        loosen(graph, old, new, UINT64_MAX);
        loosen(graph, new, old, writer->version);
    }
    Value before = column_write(graph, &graph->shapes_of, node, after, writer->version, keep);
    const Shape *new_shape = shape_at(graph, after);
    count_labels(graph, shape_at(graph, before), false);
    count_labels(graph, new_shape, true);
    for (uint32_t i = 0; i < new_shape->count; i++)
        writer_mark_label(graph, new_shape->labels[i], node, UINT64_C(1) << node % 64);
    writer_note(writer,
                (Change){.kind = CHANGE_SHAPE, .id = node, .before = before, .after = after});
}

static uint32_t sorted_once(uint32_t *labels, uint32_t count)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t label = labels[i], at = 0;
        while (at < kept && labels[at] < label)
            at++;
        if (at < kept && labels[at] == label) continue;
        memmove(&labels[at + 1], &labels[at], (kept - at) * sizeof *labels);
        labels[at] = label;
        kept++;
    }
    return kept;
}

/* The node got a value, or the label, of the index. */
static void index_node(GraphWriter *writer, Index *index, uint64_t node, Value value)
{
    GraphView view = graph_writer_view(writer);
    if (index->definition.key_count > 1) return index_insert_nodes(&view, index, &node, 1);
    if (value.kind == VALUE_NULL) return;
    if (index_has_table(&index->definition)) index_insert(writer->graph, index, value, node);
    if (index->definition.vector) index_note_change(index, node);
}

/* Every indexed property of the node goes into the indexes of a label it just got. */
static void index_label(GraphWriter *writer, uint64_t node, uint32_t label)
{
    Graph *graph = writer->graph;
    GraphView view = graph_writer_view(writer);
    for (uint32_t i = 0; i < graph_index_count(graph); i++) {
        Index *index = index_at(&view, i);
        if (index == NULL || index->definition.label != label) continue;
        index_node(writer, index, node,
                   graph_property(&view, VALUE_NODE, node, index->definition.keys[0]));
    }
}

bool graph_add_label(GraphWriter *writer, uint64_t node, uint32_t label)
{
    const Shape *shape = graph_shape(writer->graph, node, writer->version);
    uint32_t count = shape == NULL ? 0 : shape->count;
    if (shape_has(shape, label)) return false;
    uint32_t *labels = arena_array(writer->arena, uint32_t, count + 1);
    if (count > 0) memcpy(labels, shape->labels, count * sizeof *labels);
    labels[count] = label;
    set_shape(writer, node, graph_shape_intern(writer, labels, sorted_once(labels, count + 1)),
              true);
    index_label(writer, node, label);
    return true;
}

bool graph_remove_label(GraphWriter *writer, uint64_t node, uint32_t label)
{
    const Shape *shape = graph_shape(writer->graph, node, writer->version);
    if (!shape_has(shape, label)) return false;
    uint32_t *labels = arena_array(writer->arena, uint32_t, shape->count), count = 0;
    for (uint32_t i = 0; i < shape->count; i++)
        if (shape->labels[i] != label) labels[count++] = shape->labels[i];
    set_shape(writer, node, graph_shape_intern(writer, labels, count), true);
    return true;
}

void graph_set_labels(GraphWriter *writer, uint64_t node, const uint32_t *labels, uint32_t count)
{
    uint32_t *own = arena_array(writer->arena, uint32_t, count + 1);
    if (count > 0) memcpy(own, labels, count * sizeof *own);
    uint32_t kept = sorted_once(own, count);
    set_shape(writer, node, graph_shape_intern(writer, own, kept), true);
    for (uint32_t i = 0; i < kept; i++)
        index_label(writer, node, own[i]);
}

/* ---- nodes and relationships ---- */

Error *graph_create_node(GraphWriter *writer, const uint32_t *labels, uint32_t label_count,
                         uint64_t *out)
{
    Graph *graph = writer->graph;
    if (atomic_load(&graph->nodes.rows.count) >= GRAPH_NODES_MAX)
        return error_new(ERROR_LIMIT, "a database holds at most %u nodes",
                         (unsigned)GRAPH_NODES_MAX);
    uint32_t *own = arena_array(writer->arena, uint32_t, label_count + 1);
    if (label_count > 0) memcpy(own, labels, label_count * sizeof *own);
    uint64_t node = rows_create(graph, &graph->nodes.rows, writer->version);
    writer_note(writer, (Change){.kind = CHANGE_CREATE_NODE, .id = node});
    set_shape(writer, node, graph_shape_intern(writer, own, sorted_once(own, label_count)), false);
    *out = node;
    return NULL;
}

/* A relationship's id has no room for more types. */
Error *writer_check_type(uint32_t type)
{
    if (type < RELATIONSHIP_TYPES_MAX) return NULL;
    return error_new(ERROR_LIMIT, "there are at most %d relationship types",
                     RELATIONSHIP_TYPES_MAX);
}

Error *graph_create_relationship(GraphWriter *writer, uint32_t type, uint64_t from, uint64_t to,
                                 uint64_t *out)
{
    Graph *graph = writer->graph;
    TRY(writer_check_type(type));
    RelationshipType *relationships = graph_type(graph, type);
    assert(relationships != NULL && from < GRAPH_NODES_MAX && to < GRAPH_NODES_MAX);
    if (relationships->saving) writer_wait_saved(graph);
    if (atomic_load(&relationships->table.rows.count) >= UINT32_MAX)
        return error_new(ERROR_LIMIT, "a type has at most %u relationships", UINT32_MAX);
    uint64_t number = rows_create(graph, &relationships->table.rows, writer->version);
    EndsBlock *ends = type_ends_block(graph, relationships, number);
    ends->from[number % GRAPH_BLOCK_ROWS] = (uint32_t)from;
    ends->to[number % GRAPH_BLOCK_ROWS] = (uint32_t)to;
    adjacency_add(graph, &relationships->out, from, (uint32_t)to, (uint32_t)number);
    adjacency_add(graph, &relationships->in, to, (uint32_t)from, (uint32_t)number);
    *out = relationship_id(type, number);
    writer_note(writer, (Change){.kind = CHANGE_CREATE_RELATIONSHIP, .id = *out});
    return NULL;
}

bool graph_delete_relationship(GraphWriter *writer, uint64_t relationship)
{
    GraphView view = graph_writer_view(writer);
    if (!graph_relationship_visible(&view, relationship)) return false;
    RelationshipType *type = graph_type(writer->graph, relationship_type(relationship));
    rows_delete(writer->graph, &type->table.rows, relationship_number(relationship),
                writer->version);
    writer_note(writer, (Change){.kind = CHANGE_DELETE_RELATIONSHIP, .id = relationship});
    return true;
}

bool graph_delete_node(GraphWriter *writer, uint64_t node)
{
    GraphView view = graph_writer_view(writer);
    if (!graph_node_visible(&view, node)) return false;
    rows_delete(writer->graph, &writer->graph->nodes.rows, node, writer->version);
    count_labels(writer->graph, graph_shape(writer->graph, node, writer->version), false);
    writer_note(writer, (Change){.kind = CHANGE_DELETE_NODE, .id = node});
    return true;
}

/* ---- properties ---- */

static Table *table_for(Graph *graph, ValueKind kind, uint64_t id)
{
    return kind == VALUE_NODE ? &graph->nodes : &graph_type(graph, relationship_type(id))->table;
}

/* A list of numbers becomes a vector where a vector index of its dimension wants one. */
static Value as_indexed(GraphWriter *writer, uint64_t node, uint32_t key, Value value)
{
    GraphView view = graph_writer_view(writer);
    if (value.kind != VALUE_LIST) return value;
    const Shape *shape = graph_shape(view.graph, node, writer->version);
    for (uint32_t i = 0; shape != NULL && i < shape->count; i++) {
        const GraphIndex *index = graph_index_on(&view, shape->labels[i], key, true);
        if (index == NULL || index->dimensions != value.aux) continue;
        float *components = arena_array(writer->arena, float, value.aux);
        for (uint32_t j = 0; j < value.aux; j++) {
            if (!value_is_number(value.as.items[j])) return value;
            components[j] = (float)value_as_double(value.as.items[j]);
            if (!isfinite(components[j])) return value; /* was there before the index */
        }
        return value_vector(components, value.aux);
    }
    return value;
}

static void index_property(GraphWriter *writer, uint64_t node, uint32_t key, Value value)
{
    Graph *graph = writer->graph;
    GraphView view = graph_writer_view(writer);
    for (uint32_t i = 0; i < graph_index_count(graph); i++) {
        Index *index = index_at(&view, i);
        if (index == NULL || !index_has_key(&index->definition, key)) continue;
        if (!shape_has(graph_shape(graph, node, writer->version), index->definition.label))
            continue;
        index_node(writer, index, node, value);
    }
}

bool writer_made(const GraphWriter *writer, ValueKind kind, uint64_t id)
{
    const Graph *graph = writer->graph;
    const Rows *rows = kind == VALUE_NODE ? &graph->nodes.rows
                                          : &graph_type(graph, relationship_type(id))->table.rows;
    uint64_t row = kind == VALUE_NODE ? id : relationship_number(id);
    return rows_created(rows, row) == writer->version;
}

bool graph_set_property(GraphWriter *writer, ValueKind kind, uint64_t id, uint32_t key, Value value)
{
    Graph *graph = writer->graph;
    Table *table = table_for(graph, kind, id);
    uint64_t row = kind == VALUE_NODE ? id : relationship_number(id);
    if (value.kind == VALUE_NULL && table_column(table, key) == NULL) return false;
    if (kind == VALUE_NODE) value = as_indexed(writer, id, key, value);
    PropertyColumn *column = table_column_make(graph, table, key);
    bool keep = !writer_made(writer, kind, id); /* nobody else saw a row made just now */
    Value before = column_write(graph, column, row, value, writer->version, keep);
    if (before.kind == VALUE_NULL && value.kind == VALUE_NULL) return false;
    writer_note(writer, (Change){.kind = CHANGE_PROPERTY,
                                 .entity = (uint8_t)kind,
                                 .key = key,
                                 .id = id,
                                 .before = before});
    if (kind == VALUE_NODE) index_property(writer, id, key, value);
    return true;
}

/* ---- indexes ---- */

/* Lists of numbers become the vectors that the index wants. */
static void vectors_of(GraphWriter *writer, const Index *index, const uint64_t *ids, uint32_t count)
{
    GraphView view = graph_writer_view(writer);
    const PropertyColumn *column = table_column(&writer->graph->nodes, index->definition.keys[0]);
    for (uint32_t i = 0; i < count; i++) {
        if (column == NULL || !column_may_hold(column, ids[i], VALUE_LIST)) continue;
        Value value = graph_property(&view, VALUE_NODE, ids[i], index->definition.keys[0]);
        if (value.kind == VALUE_LIST)
            graph_set_property(writer, VALUE_NODE, ids[i], index->definition.keys[0], value);
    }
}

/* Of a block at most. */
static void index_nodes(GraphWriter *writer, Index *index, uint64_t *ids, uint32_t found)
{
    Value values[GRAPH_BLOCK_ROWS];
    uint32_t count = 0;
    GraphView view = graph_writer_view(writer);
    if (index->definition.key_count > 1) return index_insert_nodes(&view, index, ids, found);
    for (uint32_t i = 0; i < found; i++) {
        values[count] = graph_property(&view, VALUE_NODE, ids[i], index->definition.keys[0]);
        ids[count] = ids[i];
        count += values[count].kind != VALUE_NULL;
    }
    index_insert_many(writer->graph, index, values, ids, count);
}

static Error *build_index(GraphWriter *writer, Index *index)
{
    enum { CHUNK = 512 };
    GraphView view = graph_writer_view(writer);
    uint64_t cursor = 0, ids[CHUNK], done = 0,
             all = graph_label_count(&view, index->definition.label);
    uint32_t found;
    if (index->definition.constraint == GRAPH_REQUIRED) return NULL;
    while ((found = graph_scan(&view, &index->definition.label, 1, &cursor, ids, CHUNK)) > 0) {
        TRY(writer_stopped(writer));
        TRY(error_if_short(graph_write_growth(writer)));
        done += found;
        if (writer->tell != NULL) writer->tell(writer->tell_state, done, all);
        if (index->definition.vector)
            vectors_of(writer, index, ids, found);
        else
            index_nodes(writer, index, ids, found);
        /* Keys that make no run go to a table, which is as large as it will be from the start. */
        if (index->used > 0 && index->used <= CHUNK) {
            TRY(error_if_short(all * 8 * sizeof(uint64_t)));
            index_reserve(writer->graph, index, all);
            ordered_reserve(atomic_load(&index->ordered), all);
        }
    }
    return NULL;
}

Error *graph_create_index(GraphWriter *writer, const GraphIndex *definition)
{
    Graph *graph = writer->graph;
    GraphView view = graph_writer_view(writer);
    if (graph_index_named(&view, definition->name) != NULL)
        return error_new(ERROR_NAME_EXISTS, "there is an index %.*s already",
                         STR_ARG(definition->name));
    Index *index = mem_calloc(1, sizeof *index);
    index->definition = *definition;
    index->definition.since = writer->version;
    if (index_has_table(definition)) atomic_store(&index->ordered, ordered_new());
    index->order_stamp = definition->key_count > 1 ? UINT64_MAX : index_stamp(graph, index);
    char *name = mem_alloc(definition->name.bytes + 1);
    memcpy(name, definition->name.data, definition->name.bytes);
    index->definition.name.data = name;
    uint32_t id = atomic_load(&graph->index_count);
    directory_set(graph, &graph->indexes, id, index);
    atomic_store(&graph->index_count, id + 1);
    writer_note(writer, (Change){.kind = CHANGE_CREATE_INDEX, .id = id, .index = index});
    return build_index(writer, index);
}

bool graph_drop_index(GraphWriter *writer, Str name)
{
    GraphView view = graph_writer_view(writer);
    for (uint32_t i = 0; i < graph_index_count(writer->graph); i++) {
        Index *index = index_at(&view, i);
        if (index == NULL || !str_equal(index->definition.name, name)) continue;
        atomic_store(&index->until, writer->version);
        writer->graph->dropped_count++;
        writer_note(writer, (Change){.kind = CHANGE_DROP_INDEX, .id = i, .index = index});
        return true;
    }
    return false;
}

/* ---- taking back ---- */

static void undo_relationship(GraphWriter *writer, uint64_t relationship)
{
    uint64_t from, to;
    GraphView view = graph_writer_view(writer);
    RelationshipType *type = graph_type(writer->graph, relationship_type(relationship));
    graph_relationship_ends(&view, relationship, &from, &to);
    adjacency_undo(&type->in, to);
    adjacency_undo(&type->out, from);
    rows_uncreate(&type->table.rows, relationship_number(relationship));
}

static void undo_shape(GraphWriter *writer, const Change *change)
{
    Graph *graph = writer->graph;
    count_labels(graph, shape_at(graph, change->after), false);
    count_labels(graph, shape_at(graph, change->before), true);
    /* The bits stay; the row may be given out again, to a node of other labels. */
    loosen(graph, shape_at(graph, change->after), shape_at(graph, change->before), UINT64_MAX);
    column_restore(graph, &graph->shapes_of, change->id, change->before, writer->version);
}

static void undo(GraphWriter *writer, const Change *change)
{
    Graph *graph = writer->graph;
    uint64_t row = change->entity == VALUE_NODE ? change->id : relationship_number(change->id);
    switch (change->kind) {
    case CHANGE_CREATE_NODE: rows_uncreate(&graph->nodes.rows, change->id); break;
    case CHANGE_CREATE_RELATIONSHIP: undo_relationship(writer, change->id); break;
    case CHANGE_APPEND_NODES:
    case CHANGE_APPEND_RELATIONSHIPS: bulk_undo(writer, change); break;
    case CHANGE_FILL_PROPERTY:
        column_clear(table_column(&graph->nodes, change->key), change->id, change->count);
        break;
    case CHANGE_PROPERTY: {
        Table *table = table_for(graph, (ValueKind)change->entity, change->id);
        column_restore(graph, table_column(table, change->key), row, change->before,
                       writer->version);
        break;
    }
    case CHANGE_SHAPE: undo_shape(writer, change); break;
    case CHANGE_DELETE_NODE:
        rows_undelete(&graph->nodes.rows, change->id);
        count_labels(graph, graph_shape(graph, change->id, writer->version), true);
        break;
    case CHANGE_DELETE_RELATIONSHIP:
        rows_undelete(&graph_type(graph, relationship_type(change->id))->table.rows,
                      relationship_number(change->id));
        break;
    case CHANGE_CREATE_INDEX:
        directory_set(graph, &graph->indexes, change->id, NULL);
        index_retire(graph, change->index);
        break;
    case CHANGE_DROP_INDEX:
        atomic_store(&change->index->until, 0);
        graph->dropped_count--;
        break;
    }
}

void graph_rollback_to(GraphWriter *writer, size_t savepoint)
{
    assert(savepoint <= writer->count);
    if (savepoint < writer->count) writer_wait_saved(writer->graph);
    while (writer->count > savepoint)
        undo(writer, &writer->changes[--writer->count]);
}
