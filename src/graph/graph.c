/*
 * graph.c - views, names, labels, and everything a reader asks.
 */
#include "config.h"

#include "graph/graph_internal.h"
#include <assert.h>

/* ---- life ---- */

Graph *graph_create(void)
{
    Graph *graph = mem_calloc(1, sizeof *graph);
    pthread_mutex_init(&graph->names_lock, NULL);
    pthread_mutex_init(&graph->beside_lock, NULL);
    pthread_mutex_init(&graph->base_lock, NULL);
    for (int kind = 0; kind < NAME_KIND_COUNT; kind++)
        graph->names[kind].ids = strmap_create();
    graph->shapes_of.heap = arena_create();
    graph->shape_ids = strmap_create();
    atomic_store(&graph->published, 1);
    atomic_store(&graph->pending, 1);
    return graph;
}

static void label_free(Graph *graph, void *item)
{
    Label *label = item;
    directory_free(graph, &label->blocks, graph_free);
    mem_free(label);
}

static void type_free(Graph *graph, void *item)
{
    RelationshipType *type = item;
    table_free(graph, &type->table);
    directory_free(graph, &type->ends, graph_free);
    adjacency_free(graph, &type->out);
    adjacency_free(graph, &type->in);
    mem_free(type);
}

static void index_free(Graph *graph, void *item)
{
    Index *index = item;
    graph_free(graph, atomic_load(&index->table));
    graph_finder_free(atomic_load(&index->finder));
    ordered_free(atomic_load(&index->ordered));
    mem_free(index->levels);
    buffer_free(&index->scratch);
    mem_free((void *)index->definition.name.data);
    mem_free(index);
}

static void text_free(Graph *graph, void *item)
{
    (void)graph;
    mem_free((void *)((Str *)item)->data);
    mem_free(item);
}

void graph_destroy(Graph *graph)
{
    if (graph == NULL) return;
    for (int kind = 0; kind < NAME_KIND_COUNT; kind++) {
        strmap_destroy(graph->names[kind].ids);
        directory_free(graph, &graph->names[kind].texts, text_free);
    }
    table_free(graph, &graph->nodes);
    column_free(graph, &graph->shapes_of);
    directory_free(graph, &graph->shapes, graph_free);
    strmap_destroy(graph->shape_ids);
    directory_free(graph, &graph->labels, label_free);
    directory_free(graph, &graph->types, type_free);
    directory_free(graph, &graph->indexes, index_free);
    for (size_t i = 0; i < graph->retired_count; i++)
        retired_end(graph, &graph->retired[i]);
    mem_free(graph->retired);
    arena_destroy(graph->base_arena);
    beside_free(graph);
    segment_close(graph->segment);
    pthread_mutex_destroy(&graph->base_lock);
    pthread_mutex_destroy(&graph->names_lock);
    pthread_mutex_destroy(&graph->beside_lock);
    mem_free(graph);
}

/* ---- views ---- */

uint64_t graph_version(const Graph *graph)
{
    return atomic_load(&graph->published);
}

/* A slot is claimed with the version seen; if a newer one was published meanwhile the claim is
 * raised, so that the writer, which looks at the slots only after publishing, never frees what a
 * view may read. */
Error *graph_acquire(Graph *graph, GraphView *view, uint32_t *slot)
{
    for (uint32_t i = 0; i < GRAPH_READERS_MAX; i++) {
        uint64_t expected = 0, version = atomic_load(&graph->published);
        if (atomic_load_explicit(&graph->readers[i], memory_order_relaxed) != 0) continue;
        if (!atomic_compare_exchange_strong(&graph->readers[i], &expected, version + 1)) continue;
        for (uint64_t now = atomic_load(&graph->published); now != version;
             now = atomic_load(&graph->published)) {
            version = now;
            atomic_store(&graph->readers[i], version + 1);
        }
        *view = (GraphView){graph, version};
        *slot = i;
        return NULL;
    }
    return error_hint(
        error_new(ERROR_LIMIT, "more than %d statements read at the same time", GRAPH_READERS_MAX),
        "finish or reset some");
}

void graph_release(Graph *graph, uint32_t slot)
{
    atomic_store_explicit(&graph->readers[slot], 0, memory_order_release);
}

uint64_t graph_horizon(const Graph *graph)
{
    uint64_t oldest = atomic_load(&graph->published);
    for (uint32_t i = 0; i < GRAPH_READERS_MAX; i++) {
        /* What a view that was let go has read, it has read before it is freed. */
        uint64_t held = atomic_load_explicit(&graph->readers[i], memory_order_acquire);
        if (held != 0 && held - 1 < oldest) oldest = held - 1;
    }
    return oldest;
}

/* ---- names ---- */

uint32_t graph_name_find(const Graph *graph, NameKind kind, Str text)
{
    Graph *shared = (Graph *)graph; /* the lock is no part of what a reader sees */
    uint64_t id = GRAPH_NAME_UNKNOWN;
    pthread_mutex_lock(&shared->names_lock);
    strmap_get(graph->names[kind].ids, text, &id);
    pthread_mutex_unlock(&shared->names_lock);
    return (uint32_t)id;
}

uint32_t graph_name_count(const Graph *graph, NameKind kind)
{
    return atomic_load(&graph->names[kind].count);
}

Str graph_name_text(const Graph *graph, NameKind kind, uint32_t id)
{
    const Str *text = directory_get(&graph->names[kind].texts, id);
    return text == NULL ? STR("") : *text;
}

uint32_t graph_name_intern(GraphWriter *writer, NameKind kind, Str text)
{
    Graph *graph = writer->graph;
    Names *names = &graph->names[kind];
    uint32_t found = graph_name_find(graph, kind, text);
    if (found != GRAPH_NAME_UNKNOWN) return found;
    uint32_t id = atomic_load(&names->count);
    Str *kept = mem_alloc(sizeof *kept);
    char *data = mem_alloc(text.bytes + 1);
    memcpy(data, text.data, text.bytes);
    *kept = (Str){data, text.bytes};
    directory_set(graph, &names->texts, id, kept);
    pthread_mutex_lock(&graph->names_lock);
    strmap_put(names->ids, text, id);
    atomic_store(&names->count, id + 1);
    pthread_mutex_unlock(&graph->names_lock);
    if (kind == NAME_LABEL) directory_set(graph, &graph->labels, id, mem_calloc(1, sizeof(Label)));
    if (kind == NAME_TYPE)
        directory_set(graph, &graph->types, id, mem_calloc(1, sizeof(RelationshipType)));
    return id;
}

/* ---- nodes and labels ---- */

uint64_t graph_node_count(const GraphView *view)
{
    return atomic_load(&view->graph->nodes.rows.live);
}

uint64_t graph_label_count(const GraphView *view, uint32_t label)
{
    const Label *found = directory_get(&view->graph->labels, label);
    return found == NULL ? 0 : atomic_load(&found->live);
}

bool graph_node_visible(const GraphView *view, uint64_t node)
{
    return rows_visible(&view->graph->nodes.rows, node, view->version);
}

const Shape *graph_shape(const Graph *graph, uint64_t node, uint64_t version)
{
    Value shape = column_read(&graph->shapes_of, node, version, NULL);
    return shape.kind == VALUE_NULL ? NULL
                                    : directory_get(&graph->shapes, (size_t)shape.as.integer);
}

bool shape_has(const Shape *shape, uint32_t label)
{
    for (uint32_t i = 0; shape != NULL && i < shape->count; i++)
        if (shape->labels[i] == label) return true;
    return false;
}

bool graph_node_has_label(const GraphView *view, uint64_t node, uint32_t label)
{
    return shape_has(graph_shape(view->graph, node, view->version), label);
}

const uint32_t *graph_node_labels(const GraphView *view, uint64_t node, uint32_t *count)
{
    const Shape *shape = graph_shape(view->graph, node, view->version);
    *count = shape == NULL ? 0 : shape->count;
    return shape == NULL ? NULL : shape->labels;
}

/* ---- properties ---- */

static const Table *table_of(const Graph *graph, ValueKind kind, uint64_t id)
{
    if (kind == VALUE_NODE) return &graph->nodes;
    const RelationshipType *type = graph_type(graph, relationship_type(id));
    return type == NULL ? NULL : &type->table;
}

static Value property(const GraphView *view, ValueKind kind, uint64_t id, uint32_t key,
                      Arena *arena)
{
    const Table *table = table_of(view->graph, kind, id);
    const PropertyColumn *column =
        table == NULL || key == GRAPH_NAME_UNKNOWN ? NULL : table_column(table, key);
    return column == NULL ? value_null()
                          : column_read(column, kind == VALUE_NODE ? id : relationship_number(id),
                                        view->version, arena);
}

Value graph_property(const GraphView *view, ValueKind kind, uint64_t id, uint32_t key)
{
    return property(view, kind, id, key, NULL);
}

static bool one_type(const uint64_t *ids, uint32_t count)
{
    for (uint32_t i = 1; i < count; i++)
        if (relationship_type(ids[i]) != relationship_type(ids[0])) return false;
    return true;
}

static void all_null(Arena *arena, uint32_t count, Column *out)
{
    *out = *column_create(arena, COLUMN_ANY, count == 0 ? 1 : count);
    for (uint32_t i = 0; i < count; i++)
        out->values[i] = value_null();
}

void graph_properties_ordered(const GraphView *view, ValueKind kind, uint32_t key,
                              const uint64_t *ids, uint32_t count, bool ascending, Arena *arena,
                              Column *out)
{
    if (count == 0 || key == GRAPH_NAME_UNKNOWN) {
        all_null(arena, count, out);
        return;
    }
    if (kind == VALUE_NODE || one_type(ids, count)) {
        const Table *table = table_of(view->graph, kind, ids[0]);
        const PropertyColumn *column = table == NULL ? NULL : table_column(table, key);
        uint64_t mask = kind == VALUE_NODE ? UINT64_MAX : relationship_number(UINT64_MAX);
        if (column == NULL)
            all_null(arena, count, out);
        else
            column_read_many(column, ids, count, mask, ascending, view->version, arena, out);
        return;
    }
    *out = *column_create(arena, COLUMN_ANY, count);
    for (uint32_t i = 0; i < count; i++)
        out->values[i] = property(view, kind, ids[i], key, arena);
}

void graph_properties(const GraphView *view, ValueKind kind, uint32_t key, const uint64_t *ids,
                      uint32_t count, Arena *arena, Column *out)
{
    graph_properties_ordered(view, kind, key, ids, count, false, arena, out);
}

bool graph_words(const GraphView *view, uint32_t key, const uint64_t *nodes, uint32_t count,
                 bool ascending, Arena *arena, Column *out)
{
    const PropertyColumn *column =
        key == GRAPH_NAME_UNKNOWN ? NULL : table_column(&view->graph->nodes, key);
    return column != NULL &&
           column_read_words(column, nodes, count, ascending, view->version, arena, out);
}

Value graph_property_map(const GraphView *view, ValueKind kind, uint64_t id, Arena *arena)
{
    uint32_t keys = graph_name_count(view->graph, NAME_KEY), count = 0;
    ValueEntry *entries = arena_alloc(arena, (keys + 1) * sizeof *entries);
    for (uint32_t key = 0; key < keys; key++) {
        Value value = property(view, kind, id, key, arena);
        if (value.kind != VALUE_NULL)
            entries[count++] = (ValueEntry){graph_name_text(view->graph, NAME_KEY, key), value};
    }
    return value_map(entries, count);
}

/* ---- relationships ---- */

RelationshipType *graph_type(const Graph *graph, uint32_t type)
{
    return type == GRAPH_NAME_UNKNOWN ? NULL : directory_get(&graph->types, type);
}

uint64_t graph_relationship_count(const GraphView *view, uint32_t type)
{
    const RelationshipType *found = graph_type(view->graph, type);
    return found == NULL ? 0 : atomic_load(&found->table.rows.live);
}

bool graph_relationship_visible(const GraphView *view, uint64_t relationship)
{
    const RelationshipType *type = graph_type(view->graph, relationship_type(relationship));
    return type != NULL &&
           rows_visible(&type->table.rows, relationship_number(relationship), view->version);
}

void graph_relationship_ends(const GraphView *view, uint64_t relationship, uint64_t *from,
                             uint64_t *to)
{
    uint64_t number = relationship_number(relationship);
    const RelationshipType *type = graph_type(view->graph, relationship_type(relationship));
    uint32_t begin = 0, end = 0; /* of what is damaged */
    type_ends(type, number, &begin, &end);
    *from = begin;
    *to = end;
}

uint32_t graph_scan_relationships(const GraphView *view, uint32_t type, uint64_t *cursor,
                                  uint64_t *ids, uint32_t max)
{
    const RelationshipType *found = graph_type(view->graph, type);
    uint32_t written = 0;
    if (found == NULL) return 0;
    uint64_t count = atomic_load_explicit(&found->table.rows.count, memory_order_acquire);
    for (; *cursor < count && written < max; (*cursor)++)
        if (rows_visible(&found->table.rows, *cursor, view->version))
            ids[written++] = relationship_id(type, *cursor);
    return written;
}
