/*
 * salvage.c - what can be read of a graph, made anew in another one.
 *
 * What stands twice is taken from where it can be read: labels from label sets, else from the
 * bitmaps of labels; where a relationship starts and ends from its row, else from the adjacency of
 * either end. Properties stand once: those of a block that cannot be read are lost. Nodes and
 * relationships get new ids, without gaps, in the order of the old ones; label and type names, and
 * property keys, all of them, keep theirs.
 *
 * Of several states of a graph each is made of the one before: what is in both keeps its new id, and
 * only what differs is written.
 */
#include "config.h"

#include "graph/graph_internal.h"
#include "value/encode.h"
#include <string.h>

#define NOT_MADE UINT64_MAX

typedef struct Given { /* new ids by old numbers; NOT_MADE: it is not there */
    uint64_t *ids;
    size_t count, capacity;
} Given;

struct GraphSalvage {
    Given nodes, *types; /* of each type its relationships */
    size_t type_count, type_capacity;
    Buffer one, other; /* values, to be compared */
    Arena *arena;
    /* of the state at work */
    GraphView from;
    GraphWriter *to;
    uint64_t node_count, done, count; /* done: rows looked at, of `count` */
    Tell *tell;
    GraphSalvaged *out;
};
typedef GraphSalvage Salvage;

/* One more row is looked at; an error: no more are. */
static Error *go_on(Salvage *salvage)
{
    enum { ASK_EVERY = 1024 };
    if (++salvage->done % ASK_EVERY != 0) return NULL;
    tell_done(salvage->tell, salvage->done, salvage->count);
    return tell_stopped(salvage->tell);
}

static void given_grow(Given *given, uint64_t count)
{
    mem_reserve(given->ids, given->capacity, (size_t)count);
    while (given->count < count)
        given->ids[given->count++] = NOT_MADE;
}

GraphSalvage *graph_salvage_begin(void)
{
    Salvage *salvage = mem_calloc(1, sizeof *salvage);
    salvage->arena = arena_create();
    return salvage;
}

void graph_salvage_end(GraphSalvage *salvage)
{
    if (salvage == NULL) return;
    for (size_t i = 0; i < salvage->type_count; i++)
        mem_free(salvage->types[i].ids);
    mem_free(salvage->types);
    mem_free(salvage->nodes.ids);
    buffer_free(&salvage->one);
    buffer_free(&salvage->other);
    arena_destroy(salvage->arena);
    mem_free(salvage);
}

/* Names are never taken back, so an older state has the first of a newer one's. */
static Error *copy_names(const Salvage *salvage)
{
    for (int kind = 0; kind < NAME_KIND_COUNT; kind++)
        for (uint32_t i = 0; i < graph_name_count(salvage->from.graph, (NameKind)kind); i++)
            if (graph_name_intern(salvage->to, (NameKind)kind,
                                  graph_name_text(salvage->from.graph, (NameKind)kind, i)) != i)
                return error_new(ERROR_CORRUPT, "its names are not those of the state before");
    return NULL;
}

static bool is_same(Salvage *salvage, Value a, Value b)
{
    if (a.kind != b.kind || a.kind == VALUE_NULL) return a.kind == b.kind;
    salvage->one.bytes = salvage->other.bytes = 0;
    value_encode(&salvage->one, a);
    value_encode(&salvage->other, b);
    return salvage->one.bytes == salvage->other.bytes &&
           memcmp(salvage->one.data, salvage->other.data, salvage->one.bytes) == 0;
}

/* `known`: it was there in the state before, with other properties perhaps. */
static void copy_properties(Salvage *salvage, ValueKind kind, const Table *table, uint64_t id,
                            uint64_t given, bool known)
{
    GraphView there = graph_writer_view(salvage->to);
    for (uint32_t key = 0; key < graph_name_count(salvage->from.graph, NAME_KEY); key++) {
        Value value = {.kind = VALUE_NULL};
        if (table_column(table, key) != NULL) value = graph_property(&salvage->from, kind, id, key);
        if (known && is_same(salvage, value, graph_property(&there, kind, given, key))) continue;
        if (known || value.kind != VALUE_NULL)
            graph_set_property(salvage->to, kind, given, key, value);
    }
}

/* ---- nodes ---- */

/* From the bitmaps; gives how many. */
static uint32_t labels_by_bits(const Salvage *salvage, uint64_t node, uint32_t *out)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < graph_name_count(salvage->from.graph, NAME_LABEL); i++) {
        const Label *label = directory_get(&salvage->from.graph->labels, i);
        const uint64_t *bits =
            label == NULL ? NULL : directory_get(&label->blocks, node / GRAPH_BLOCK_ROWS);
        uint64_t at = node % GRAPH_BLOCK_ROWS;
        if (bits != NULL && (bits[at / 64] >> at % 64 & 1)) out[count++] = i;
    }
    return count;
}

static bool is_among(uint32_t label, const uint32_t *labels, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (labels[i] == label) return true;
    return false;
}

static void change_labels(Salvage *salvage, uint64_t given, const uint32_t *labels, uint32_t count)
{
    GraphView there = graph_writer_view(salvage->to);
    uint32_t had_count;
    const uint32_t *lent = graph_node_labels(&there, given, &had_count);
    uint32_t *had = arena_alloc(salvage->arena, (had_count + 1) * sizeof *had);
    memcpy(had, lent, had_count * sizeof *had);
    for (uint32_t i = 0; i < had_count; i++)
        if (!is_among(had[i], labels, count)) graph_remove_label(salvage->to, given, had[i]);
    for (uint32_t i = 0; i < count; i++)
        if (!is_among(labels[i], had, had_count)) graph_add_label(salvage->to, given, labels[i]);
    arena_reset(salvage->arena);
}

static Error *copy_node(Salvage *salvage, uint64_t node, uint32_t *room)
{
    uint32_t count;
    uint64_t *given = &salvage->nodes.ids[node];
    const Graph *graph = salvage->from.graph;
    bool readable = directory_get(&graph->shapes_of.blocks, node / GRAPH_BLOCK_ROWS) != NULL,
         known = *given != NOT_MADE;
    const uint32_t *labels = graph_node_labels(&salvage->from, node, &count);
    if (!readable) labels = room, count = labels_by_bits(salvage, node, room);
    if (known)
        change_labels(salvage, *given, labels, count);
    else
        TRY(graph_create_node(salvage->to, labels, count, given));
    copy_properties(salvage, VALUE_NODE, &graph->nodes, node, *given, known);
    salvage->out->nodes++;
    return NULL;
}

static Error *copy_nodes(Salvage *salvage)
{
    uint32_t *room =
        mem_alloc((graph_name_count(salvage->from.graph, NAME_LABEL) + 1) * sizeof *room);
    Error *error = NULL;
    given_grow(&salvage->nodes, salvage->node_count);
    for (uint64_t node = 0; node < salvage->node_count && error == NULL; node++) {
        error = go_on(salvage);
        if (error == NULL && graph_node_visible(&salvage->from, node))
            error = copy_node(salvage, node, room);
    }
    mem_free(room);
    return error;
}

/* ---- what is not there any more ---- */

static Error *delete_relationships(Salvage *salvage)
{
    for (size_t type = 0; type < salvage->type_count; type++) {
        Given *given = &salvage->types[type];
        for (size_t row = 0; row < given->count; row++) {
            uint64_t id = relationship_id((uint32_t)type, row);
            TRY(go_on(salvage));
            if (given->ids[row] == NOT_MADE || graph_relationship_visible(&salvage->from, id))
                continue;
            graph_delete_relationship(salvage->to, given->ids[row]);
            given->ids[row] = NOT_MADE;
        }
    }
    return NULL;
}

/* A damaged state may have relationships of a node that is not there: with it they go. */
static void delete_around(Salvage *salvage, uint64_t given, Neighbors *found)
{
    GraphView there = graph_writer_view(salvage->to);
    for (size_t type = 0; type < salvage->type_count; type++)
        for (int in = 0; in < 2; in++) {
            found->count = 0;
            graph_expand(&there, (uint32_t)type, in ? GRAPH_IN : GRAPH_OUT, given, found);
            for (size_t i = 0; i < found->count; i++)
                graph_delete_relationship(salvage->to, found->relationships[i]);
        }
}

static Error *delete_nodes(Salvage *salvage)
{
    Neighbors found = {0};
    Error *error = NULL;
    for (size_t node = 0; node < salvage->nodes.count && error == NULL; node++) {
        error = go_on(salvage);
        uint64_t *given = &salvage->nodes.ids[node];
        bool there = node < salvage->node_count && graph_node_visible(&salvage->from, node);
        if (*given == NOT_MADE || there) continue;
        delete_around(salvage, *given, &found);
        graph_delete_node(salvage->to, *given);
        *given = NOT_MADE;
    }
    neighbors_free(&found);
    return error;
}

/* ---- relationships ---- */

typedef struct Ends { /* of the relationships of a type, by number; GRAPH_NO_NODE: not known */
    uint64_t *from, *to, rows;
} Ends;

static void ends_of_rows(const RelationshipType *type, Ends *ends)
{
    for (uint64_t row = 0; row < ends->rows; row++) {
        const EndsBlock *block = directory_get(&type->ends, row / GRAPH_BLOCK_ROWS);
        uint32_t at = row % GRAPH_BLOCK_ROWS;
        bool known = block != NULL && block->from[at] <= GRAPH_NODES_MAX;
        ends->from[row] = known ? block->from[at] : GRAPH_NO_NODE;
        ends->to[row] = known ? block->to[at] : GRAPH_NO_NODE;
    }
}

static Error *ends_of_adjacency(Salvage *salvage, uint32_t number, bool in, Ends *ends)
{
    Neighbors found = {0};
    Error *error = NULL;
    for (uint64_t node = 0; node < salvage->node_count && error == NULL; node++) {
        error = go_on(salvage);
        found.count = 0;
        graph_expand(&salvage->from, number, in ? GRAPH_IN : GRAPH_OUT, node, &found);
        for (size_t i = 0; i < found.count; i++) {
            uint64_t row = relationship_number(found.relationships[i]);
            if (row >= ends->rows || ends->from[row] != GRAPH_NO_NODE) continue;
            ends->from[row] = in ? found.nodes[i] : node;
            ends->to[row] = in ? node : found.nodes[i];
        }
    }
    neighbors_free(&found);
    return error;
}

static uint64_t new_node(const Salvage *salvage, uint64_t node)
{
    return node < salvage->node_count ? salvage->nodes.ids[node] : NOT_MADE;
}

static Error *copy_relationships(Salvage *salvage, uint32_t number, const RelationshipType *type,
                                 const Ends *ends)
{
    GraphView there = graph_writer_view(salvage->to);
    Given *all = &salvage->types[number];
    given_grow(all, ends->rows);
    for (uint64_t row = 0; row < ends->rows; row++) {
        uint64_t id = relationship_id(number, row), from = new_node(salvage, ends->from[row]),
                 to = new_node(salvage, ends->to[row]), *given = &all->ids[row];
        TRY(go_on(salvage));
        if (!graph_relationship_visible(&salvage->from, id)) continue;
        bool known = *given != NOT_MADE && graph_relationship_visible(&there, *given);
        if (!known && (from == NOT_MADE || to == NOT_MADE)) {
            *given = NOT_MADE;
            salvage->out->relationships_lost++;
            continue;
        }
        if (!known) TRY(graph_create_relationship(salvage->to, number, from, to, given));
        copy_properties(salvage, VALUE_RELATIONSHIP, &type->table, id, *given, known);
        salvage->out->relationships++;
    }
    return NULL;
}

static Error *copy_type(Salvage *salvage, uint32_t number)
{
    const RelationshipType *type = graph_type(salvage->from.graph, number);
    if (type == NULL) return NULL;
    Ends ends = {.rows = atomic_load(&type->table.rows.count)};
    ends.from = mem_alloc((ends.rows + 1) * sizeof *ends.from);
    ends.to = mem_alloc((ends.rows + 1) * sizeof *ends.to);
    ends_of_rows(type, &ends);
    bool missing = false;
    for (uint64_t row = 0; row < ends.rows && !missing; row++)
        missing = ends.from[row] == GRAPH_NO_NODE;
    Error *error = missing ? ends_of_adjacency(salvage, number, false, &ends) : NULL;
    if (error == NULL && missing) error = ends_of_adjacency(salvage, number, true, &ends);
    if (error == NULL) error = copy_relationships(salvage, number, type, &ends);
    mem_free(ends.from);
    mem_free(ends.to);
    return error;
}

/* Rows to be looked at, about. */
static uint64_t count_rows(const Salvage *salvage)
{
    uint64_t count = salvage->node_count + salvage->nodes.count;
    for (uint32_t i = 0; i < graph_name_count(salvage->from.graph, NAME_TYPE); i++) {
        const RelationshipType *type = graph_type(salvage->from.graph, i);
        if (type != NULL) count += atomic_load(&type->table.rows.count);
        if (i < salvage->type_count) count += salvage->types[i].count;
    }
    return count;
}

static void types_grow(Salvage *salvage, uint32_t count)
{
    mem_reserve(salvage->types, salvage->type_capacity, count);
    while (salvage->type_count < count)
        salvage->types[salvage->type_count++] = (Given){0};
}

Error *graph_salvage_state(GraphSalvage *salvage, const GraphView *from, GraphWriter *to,
                           Tell *tell, GraphSalvaged *out)
{
    uint32_t type_count = graph_name_count(from->graph, NAME_TYPE);
    *out = (GraphSalvaged){0};
    salvage->from = *from, salvage->to = to, salvage->tell = tell, salvage->out = out;
    salvage->node_count = atomic_load(&from->graph->nodes.rows.count);
    salvage->done = 0, salvage->count = count_rows(salvage);
    TRY(copy_names(salvage));
    types_grow(salvage, type_count);
    TRY(delete_relationships(salvage));
    TRY(delete_nodes(salvage));
    TRY(copy_nodes(salvage));
    for (uint32_t i = 0; i < type_count; i++)
        TRY(copy_type(salvage, i));
    return NULL;
}
