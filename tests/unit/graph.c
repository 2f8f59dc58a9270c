/* The store: a held view keeps its answers while a thousand versions pass; rolling back leaves
 * nothing. */
#include "config.h"

#include "graph/graph.h"
#include "test.h"
#include <pthread.h>

static void expect_no_error(Error *error)
{
    EXPECT(error == NULL);
    error_drop(error);
}

typedef struct Watch {
    GraphView view;
    uint64_t node;
    uint32_t key, label, type;
    _Atomic int stop, wrong, looks;
} Watch;

/* What a reader of the first version must see, whatever happens beside it. */
static int sees_first_version(const Watch *watch)
{
    uint64_t cursor = 0, ids[8];
    Neighbors neighbors = {0};
    Value value = graph_property(&watch->view, VALUE_NODE, watch->node, watch->key);
    int good = value.kind == VALUE_INTEGER && value.as.integer == 0;
    good = good && graph_scan(&watch->view, &watch->label, 1, &cursor, ids, 8) == 1 &&
           ids[0] == watch->node;
    graph_expand(&watch->view, watch->type, GRAPH_OUT, watch->node, &neighbors);
    good = good && neighbors.count == 1;
    neighbors_free(&neighbors);
    return good;
}

static void *watching(void *user)
{
    Watch *watch = user;
    while (!watch->stop) {
        watch->wrong += !sees_first_version(watch);
        watch->looks++;
    }
    return NULL;
}

static void held_view(void)
{
    enum { COMMITS = 1000 };
    Graph *graph = graph_create();
    Watch watch = {0};
    uint64_t relationship;
    uint32_t slot;
    GraphWriter *writer = graph_writer_begin(graph);
    watch.label = graph_name_intern(writer, NAME_LABEL, STR("A"));
    watch.key = graph_name_intern(writer, NAME_KEY, STR("n"));
    watch.type = graph_name_intern(writer, NAME_TYPE, STR("T"));
    expect_no_error(graph_create_node(writer, &watch.label, 1, &watch.node));
    graph_set_property(writer, VALUE_NODE, watch.node, watch.key, value_integer(0));
    expect_no_error(
        graph_create_relationship(writer, watch.type, watch.node, watch.node, &relationship));
    graph_writer_publish(writer);
    expect_no_error(graph_acquire(graph, &watch.view, &slot));
    pthread_t thread;
    pthread_create(&thread, NULL, watching, &watch);
    for (int i = 1; i <= COMMITS; i++) {
        uint64_t node, other;
        writer = graph_writer_begin(graph);
        graph_set_property(writer, VALUE_NODE, watch.node, watch.key,
                           i % 10 == 0 ? value_string(STR("text")) : value_integer(i));
        if (graph_create_node(writer, &watch.label, 1, &node) == NULL) {
            Error *error = graph_create_relationship(writer, watch.type, watch.node, node, &other);
            error_drop(error);
        }
        if (i == COMMITS / 2) graph_delete_relationship(writer, relationship);
        graph_writer_publish(writer);
    }
    while (watch.looks == 0)
        ;
    watch.stop = 1;
    pthread_join(thread, NULL);
    EXPECT(watch.wrong == 0 && sees_first_version(&watch));
    graph_release(graph, slot);
    GraphView now;
    expect_no_error(graph_acquire(graph, &now, &slot));
    uint64_t cursor = 0, ids[2048];
    EXPECT(graph_scan(&now, &watch.label, 1, &cursor, ids, 2048) == COMMITS + 1);
    EXPECT(graph_degree(&now, watch.type, GRAPH_OUT, watch.node) == COMMITS);
    graph_release(graph, slot);
    graph_destroy(graph);
}

static void rollback(void)
{
    Graph *graph = graph_create();
    uint64_t a, b, relationship;
    GraphWriter *writer = graph_writer_begin(graph);
    uint32_t label = graph_name_intern(writer, NAME_LABEL, STR("A")),
             other = graph_name_intern(writer, NAME_LABEL, STR("B"));
    uint32_t key = graph_name_intern(writer, NAME_KEY, STR("k")),
             type = graph_name_intern(writer, NAME_TYPE, STR("T"));
    GraphIndex index = {.name = STR("a_k"), .label = label, .key = key};
    expect_no_error(graph_create_node(writer, &label, 1, &a));
    graph_set_property(writer, VALUE_NODE, a, key, value_string(STR("one")));
    expect_no_error(graph_create_index(writer, &index));
    size_t savepoint = graph_savepoint(writer);
    expect_no_error(graph_create_node(writer, NULL, 0, &b));
    expect_no_error(graph_create_relationship(writer, type, a, b, &relationship));
    graph_set_property(writer, VALUE_NODE, a, key, value_integer(2));
    graph_set_property(writer, VALUE_RELATIONSHIP, relationship, key, value_float(1.5));
    EXPECT(graph_add_label(writer, a, other) && graph_remove_label(writer, a, label));
    EXPECT(graph_delete_relationship(writer, relationship) && graph_delete_node(writer, a));
    graph_rollback_to(writer, savepoint);
    GraphView view = graph_writer_view(writer);
    Value value = graph_property(&view, VALUE_NODE, a, key);
    EXPECT(value.kind == VALUE_STRING && str_equal(value_text(value), STR("one")));
    EXPECT(graph_node_visible(&view, a) && !graph_node_visible(&view, b) &&
           graph_node_count(&view) == 1);
    EXPECT(graph_node_has_label(&view, a, label) && !graph_node_has_label(&view, a, other));
    EXPECT(graph_label_count(&view, label) == 1 && graph_label_count(&view, other) == 0 &&
           graph_relationship_count(&view, type) == 0);
    Neighbors found = {0};
    graph_seek(&view, graph_index_named(graph, STR("a_k")), value_string(STR("one")), &found);
    EXPECT(found.count == 1 && found.nodes[0] == a);
    found.count = 0;
    graph_seek(&view, graph_index_named(graph, STR("a_k")), value_integer(2), &found);
    EXPECT(found.count == 0);
    neighbors_free(&found);
    expect_no_error(graph_create_node(writer, NULL, 0, &b));
    EXPECT(b == a + 1); /* an id nobody ever saw is given again */
    graph_writer_abort(writer);
    uint32_t slot;
    expect_no_error(graph_acquire(graph, &view, &slot));
    EXPECT(graph_node_count(&view) == 0 && graph_index_named(graph, STR("a_k")) == NULL);
    graph_release(graph, slot);
    graph_destroy(graph);
}

int main(void)
{
    held_view();
    rollback();
    return DONE();
}
