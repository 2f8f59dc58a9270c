/*
 * salvage.c - what can be read of a graph, made anew in another one.
 *
 * What stands twice is taken from where it can be read: labels from label sets, else from the
 * bitmaps of labels; where a relationship starts and ends from its row, else from the adjacency of
 * either end. Properties stand once: those of a block that cannot be read are lost. Nodes and
 * relationships get new ids, without gaps, in the order of the old ones; label and type names, and
 * property keys, all of them, keep theirs.
 */
#include "config.h"

#include "graph/graph_internal.h"

typedef struct Salvage {
    GraphView from;
    GraphWriter *to;
    uint64_t *nodes; /* new id of each old one; GRAPH_NO_NODE: it is not there */
    uint64_t node_count;
    GraphSalvaged *out;
} Salvage;

static void copy_names(const Salvage *salvage)
{
    for (int kind = 0; kind < NAME_KIND_COUNT; kind++)
        for (uint32_t i = 0; i < graph_name_count(salvage->from.graph, (NameKind)kind); i++)
            graph_name_intern(salvage->to, (NameKind)kind,
                              graph_name_text(salvage->from.graph, (NameKind)kind, i));
}

static void copy_properties(const Salvage *salvage, ValueKind kind, const Table *table, uint64_t id,
                            uint64_t given)
{
    for (uint32_t key = 0; key < graph_name_count(salvage->from.graph, NAME_KEY); key++) {
        if (table_column(table, key) == NULL) continue;
        Value value = graph_property(&salvage->from, kind, id, key);
        if (value.kind != VALUE_NULL) graph_set_property(salvage->to, kind, given, key, value);
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

static Error *copy_node(Salvage *salvage, uint64_t node, uint32_t *room)
{
    uint32_t count;
    const Graph *graph = salvage->from.graph;
    bool readable = directory_get(&graph->shapes_of.blocks, node / GRAPH_BLOCK_ROWS) != NULL;
    const uint32_t *labels = graph_node_labels(&salvage->from, node, &count);
    if (!readable) labels = room, count = labels_by_bits(salvage, node, room);
    TRY(graph_create_node(salvage->to, labels, count, &salvage->nodes[node]));
    copy_properties(salvage, VALUE_NODE, &graph->nodes, node, salvage->nodes[node]);
    salvage->out->nodes++;
    return NULL;
}

static Error *copy_nodes(Salvage *salvage)
{
    uint32_t *room =
        mem_alloc((graph_name_count(salvage->from.graph, NAME_LABEL) + 1) * sizeof *room);
    Error *error = NULL;
    for (uint64_t node = 0; node < salvage->node_count && error == NULL; node++) {
        salvage->nodes[node] = GRAPH_NO_NODE;
        if (graph_node_visible(&salvage->from, node)) error = copy_node(salvage, node, room);
    }
    mem_free(room);
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

static void ends_of_adjacency(const Salvage *salvage, uint32_t number, bool in, Ends *ends)
{
    Neighbors found = {0};
    for (uint64_t node = 0; node < salvage->node_count; node++) {
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
}

static uint64_t new_node(const Salvage *salvage, uint64_t node)
{
    return node < salvage->node_count ? salvage->nodes[node] : GRAPH_NO_NODE;
}

static Error *copy_relationships(Salvage *salvage, uint32_t number, const RelationshipType *type,
                                 const Ends *ends)
{
    for (uint64_t row = 0; row < ends->rows; row++) {
        uint64_t id = relationship_id(number, row), given,
                 from = new_node(salvage, ends->from[row]), to = new_node(salvage, ends->to[row]);
        if (!graph_relationship_visible(&salvage->from, id)) continue;
        if (from == GRAPH_NO_NODE || to == GRAPH_NO_NODE) {
            salvage->out->relationships_lost++;
            continue;
        }
        TRY(graph_create_relationship(salvage->to, number, from, to, &given));
        copy_properties(salvage, VALUE_RELATIONSHIP, &type->table, id, given);
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
    if (missing) ends_of_adjacency(salvage, number, false, &ends);
    if (missing) ends_of_adjacency(salvage, number, true, &ends);
    Error *error = copy_relationships(salvage, number, type, &ends);
    mem_free(ends.from);
    mem_free(ends.to);
    return error;
}

Error *graph_salvage(const GraphView *from, GraphWriter *to, GraphSalvaged *out)
{
    Salvage salvage = {*from, to, NULL, atomic_load(&from->graph->nodes.rows.count), out};
    *out = (GraphSalvaged){0};
    copy_names(&salvage);
    salvage.nodes = mem_alloc((salvage.node_count + 1) * sizeof *salvage.nodes);
    Error *error = copy_nodes(&salvage);
    for (uint32_t i = 0; i < graph_name_count(from->graph, NAME_TYPE) && error == NULL; i++)
        error = copy_type(&salvage, i);
    mem_free(salvage.nodes);
    return error;
}
