/* reader.c - the EntityReader plug over graph views: an entity is read at the moment it is of.
 * Entities deleted in this statement cannot be read. */
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
        TRY(check(execution, kind, ids[i]));
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
    TRY(check(execution, (ValueKind)entity.kind, entity.as.id));
    *out = graph_property_map(view_of(execution, entity.as.id), (ValueKind)entity.kind,
                              entity_id(entity.as.id), arena);
    return NULL;
}

static Error *labels(void *state, uint64_t node, Arena *arena, Value *out)
{
    Execution *execution = state;
    uint32_t count;
    TRY(check(execution, VALUE_NODE, node));
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
        TRY(check(execution, VALUE_NODE, ids[i]));
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
