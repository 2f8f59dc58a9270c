/*
 * constraint.c - what must hold of a label's nodes: a property is there, or no two have it equal.
 *
 * A constraint is an index with a rule. Nothing is looked at but the nodes that the writer's changes
 * touched, so that a check costs what the statement did, not what the database holds. Uniqueness is
 * asked at the end of a statement, because two values may be swapped within one; presence before a
 * commit, because a node may be made in one statement and filled in another. A rule that is new is
 * asked of all nodes of its label. Nodes appended under a key that was looked up for each of them
 * (COPY) are not asked again for that key.
 */
#include "config.h"

#include "graph/graph_internal.h"

typedef struct Check {
    GraphView view;
    GraphConstraint rule;
    Neighbors found;
} Check;

static Error *violated(const Check *check, const GraphIndex *index, uint64_t node, Value value)
{
    const Graph *graph = check->view.graph;
    Str label = graph_name_text(graph, NAME_LABEL, index->label),
        key = graph_name_text(graph, NAME_KEY, index->key);
    if (check->rule == GRAPH_REQUIRED)
        return error_hint(error_new(ERROR_CONSTRAINT, "node %llu of :%.*s has no %.*s",
                                    (unsigned long long)node, STR_ARG(label), STR_ARG(key)),
                          "the constraint %.*s wants one when the transaction ends",
                          STR_ARG(index->name));
    Buffer text = {0};
    value_print(&text, value, true);
    Error *error = error_new(ERROR_CONSTRAINT, "nodes %llu and %llu of :%.*s both have %.*s %.200s",
                             (unsigned long long)check->found.nodes[0],
                             (unsigned long long)check->found.nodes[1], STR_ARG(label),
                             STR_ARG(key), text.data);
    buffer_free(&text);
    return error_hint(error, "the constraint %.*s allows one", STR_ARG(index->name));
}

static Error *check_node(Check *check, const GraphIndex *index, uint64_t node)
{
    if (!graph_node_visible(&check->view, node) ||
        !graph_node_has_label(&check->view, node, index->label))
        return NULL;
    Value value = graph_property(&check->view, VALUE_NODE, node, index->key);
    if (check->rule == GRAPH_REQUIRED)
        return value.kind != VALUE_NULL ? NULL : violated(check, index, node, value);
    if (value.kind == VALUE_NULL) return NULL; /* many may have none */
    check->found.count = 0;
    graph_seek(&check->view, index, value, &check->found);
    return check->found.count < 2 ? NULL : violated(check, index, node, value);
}

static Error *check_change(Check *check, const Index *index, const Change *change)
{
    uint32_t count = 0;
    if (change->kind == CHANGE_APPEND_NODES && change->index != index) count = change->count;
    if (change->kind == CHANGE_SHAPE) count = 1;
    if (change->kind == CHANGE_PROPERTY && change->entity == VALUE_NODE)
        count = change->key == index->definition.key;
    if (change->kind == CHANGE_FILL_PROPERTY && change->key == index->definition.key)
        count = change->count;
    for (uint32_t i = 0; i < count; i++)
        TRY(check_node(check, &index->definition, change->id + i));
    return NULL;
}

static Error *check_below(Check *check, const GraphWriter *writer, const GraphIndex *index,
                          uint64_t end)
{
    enum { CHUNK = 256 };
    uint64_t cursor = 0, ids[CHUNK];
    uint32_t count;
    while (cursor < end &&
           (count = graph_scan(&check->view, &index->label, 1, &cursor, ids, CHUNK)) > 0) {
        TRY(writer_stopped(writer));
        for (uint32_t i = 0; i < count && ids[i] < end; i++)
            TRY(check_node(check, index, ids[i]));
    }
    return NULL;
}

/* A rule made among these changes is asked of all nodes there were then: those from the first that
 * was made after it are among the changes. 0: the rule was there before. */
static uint64_t nodes_before(const GraphWriter *writer, size_t from, const Index *index)
{
    bool made = false;
    for (size_t i = from; i < writer->count; i++) {
        const Change *change = &writer->changes[i];
        made = made || (change->kind == CHANGE_CREATE_INDEX && change->index == index);
        if (made && (change->kind == CHANGE_CREATE_NODE || change->kind == CHANGE_APPEND_NODES))
            return change->id;
    }
    return made ? UINT64_MAX : 0;
}

static Error *check_rule(Check *check, const GraphWriter *writer, size_t from, const Index *index)
{
    enum { ASK_EVERY = 1024 };
    TRY(check_below(check, writer, &index->definition, nodes_before(writer, from, index)));
    for (size_t i = from; i < writer->count; i++) {
        if (i % ASK_EVERY == 0) TRY(writer_stopped(writer));
        TRY(check_change(check, index, &writer->changes[i]));
    }
    return NULL;
}

Error *graph_check(const GraphWriter *writer, GraphConstraint rule, size_t from)
{
    const Graph *graph = writer->graph;
    Check check = {.view = graph_writer_view(writer), .rule = rule};
    Error *error = NULL;
    for (uint32_t i = 0; error == NULL && i < graph_index_count(graph); i++) {
        const Index *index = directory_get(&graph->indexes, i);
        if (index != NULL && index->definition.constraint == rule)
            error = check_rule(&check, writer, from, index);
    }
    neighbors_free(&check.found);
    return error;
}
