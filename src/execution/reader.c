/* reader.c - the EntityReader plug over a graph view. Entities deleted in this statement cannot be
 * read. */
#include "config.h"

#include "execution/operator_internal.h"

static Error *gone(ValueKind kind)
{
    return error_new(ERROR_DELETED_ENTITY, "the %s was deleted in this statement",
                     kind == VALUE_NODE ? "node" : "relationship");
}

static Error *check(const Execution *execution, ValueKind kind, uint64_t id)
{
    if (!execution->deleted) return NULL;
    bool visible = kind == VALUE_NODE ? graph_node_visible(&execution->view, id)
                                      : graph_relationship_visible(&execution->view, id);
    return visible ? NULL : gone(kind);
}

static Error *property(void *state, ValueKind kind, NameRef key, const uint64_t *ids,
                       const uint64_t *valid, uint32_t count, Arena *arena, Column *out)
{
    Execution *execution = state;
    (void)valid;
    for (uint32_t i = 0; execution->deleted && i < count; i++)
        TRY(check(execution, kind, ids[i]));
    graph_properties(&execution->view, kind, name_resolve(execution, NAME_KEY, key), ids, count,
                     arena, out);
    return NULL;
}

static Error *properties(void *state, Value entity, Arena *arena, Value *out)
{
    Execution *execution = state;
    TRY(check(execution, (ValueKind)entity.kind, entity.as.id));
    *out = graph_property_map(&execution->view, (ValueKind)entity.kind, entity.as.id, arena);
    return NULL;
}

static Error *labels(void *state, uint64_t node, Arena *arena, Value *out)
{
    Execution *execution = state;
    uint32_t count;
    TRY(check(execution, VALUE_NODE, node));
    const uint32_t *ids = graph_node_labels(&execution->view, node, &count);
    Value *items = arena_alloc(arena, (count + 1) * sizeof *items);
    for (uint32_t i = 0; i < count; i++)
        items[i] = value_string(graph_name_text(execution->view.graph, NAME_LABEL, ids[i]));
    *out = value_list(items, count);
    return NULL;
}

static Error *has_label(void *state, NameRef label, const uint64_t *ids, uint32_t count,
                        uint8_t *out)
{
    Execution *execution = state;
    for (uint32_t i = 0; execution->deleted && i < count; i++)
        TRY(check(execution, VALUE_NODE, ids[i]));
    graph_nodes_have_label(&execution->view, ids, count, name_resolve(execution, NAME_LABEL, label),
                           out);
    return NULL;
}

static Error *type(void *state, uint64_t relationship, Str *out)
{
    const Execution *execution = state;
    *out = graph_name_text(execution->view.graph, NAME_TYPE, relationship_type(relationship));
    return NULL;
}

static Error *ends(void *state, uint64_t relationship, uint64_t *start, uint64_t *end)
{
    const Execution *execution = state;
    graph_relationship_ends(&execution->view, relationship, start, end);
    return NULL;
}

static Error *degree(void *state, uint64_t node, const NameRef *type_name, int direction,
                     uint64_t *out)
{
    const Execution *execution = state;
    uint32_t types = graph_name_count(execution->view.graph, NAME_TYPE);
    *out = 0;
    for (uint32_t t = 0; t < types; t++)
        if (type_name == NULL || name_resolve(execution, NAME_TYPE, *type_name) == t)
            *out += graph_degree(&execution->view, t, (GraphDirection)direction, node);
    return NULL;
}

void entity_reader_init(EntityReader *reader, Execution *execution)
{
    *reader =
        (EntityReader){execution, property, properties, labels, has_label, type, ends, degree};
}
