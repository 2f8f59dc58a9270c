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
    GraphIndex index = {.name = STR("a_k"), .label = label, .keys = {key}, .key_count = 1};
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
    graph_seek(&view, graph_index_named(&view, STR("a_k")), value_string(STR("one")), &found);
    EXPECT(found.count == 1 && found.nodes[0] == a);
    found.count = 0;
    graph_seek(&view, graph_index_named(&view, STR("a_k")), value_integer(2), &found);
    EXPECT(found.count == 0);
    neighbors_free(&found);
    expect_no_error(graph_create_node(writer, NULL, 0, &b));
    EXPECT(b == a + 1); /* an id nobody ever saw is given again */
    graph_writer_abort(writer, GRAPH_NO_SLOT);
    uint32_t slot;
    expect_no_error(graph_acquire(graph, &view, &slot));
    EXPECT(graph_node_count(&view) == 0 && graph_index_named(&view, STR("a_k")) == NULL);
    graph_release(graph, slot);
    graph_destroy(graph);
}

/* Nodes with the label, as a scan gives them and as each says. */
static uint64_t labelled(const GraphView *view, uint32_t label)
{
    uint64_t cursor = 0, ids[8], asked = 0;
    uint32_t found = graph_scan(view, &label, 1, &cursor, ids, 8);
    for (uint64_t node = 0; node < 4; node++) {
        bool has = graph_node_visible(view, node) && graph_node_has_label(view, node, label);
        EXPECT(graph_scan_has(view, &label, 1, node) == has);
        asked += has;
    }
    EXPECT(asked == found);
    return found;
}

/* A label that was given late is seen by those who began later, and one that was taken away by the
 * others. */
static void labels_late(void)
{
    Graph *graph = graph_create();
    GraphView before, between, after;
    uint32_t slots[3];
    GraphWriter *writer = graph_writer_begin(graph);
    uint32_t label = graph_name_intern(writer, NAME_LABEL, STR("A"));
    uint64_t nodes[3];
    for (int i = 0; i < 3; i++)
        expect_no_error(graph_create_node(writer, &label, i == 0, &nodes[i]));
    graph_writer_publish(writer);
    expect_no_error(graph_acquire(graph, &before, &slots[0]));
    writer = graph_writer_begin(graph);
    EXPECT(graph_add_label(writer, nodes[1], label));
    GraphView own = graph_writer_view(writer);
    EXPECT(labelled(&before, label) == 1 && labelled(&own, label) == 2);
    graph_writer_publish(writer);
    expect_no_error(graph_acquire(graph, &between, &slots[1]));
    EXPECT(labelled(&before, label) == 1 && labelled(&between, label) == 2);
    writer = graph_writer_begin(graph);
    EXPECT(graph_remove_label(writer, nodes[0], label) && graph_add_label(writer, nodes[2], label));
    size_t savepoint = graph_savepoint(writer);
    EXPECT(graph_remove_label(writer, nodes[2], label));
    own = graph_writer_view(writer);
    EXPECT(labelled(&between, label) == 2 && labelled(&own, label) == 1);
    graph_rollback_to(writer, savepoint);
    graph_writer_publish(writer);
    expect_no_error(graph_acquire(graph, &after, &slots[2]));
    EXPECT(labelled(&before, label) == 1 && labelled(&between, label) == 2);
    EXPECT(labelled(&after, label) == 2 && !graph_scan_has(&after, &label, 1, nodes[0]));
    for (int i = 0; i < 3; i++)
        graph_release(graph, slots[i]);
    graph_destroy(graph);
}

enum { MANY = 3000 };

typedef struct Names {
    uint32_t label, key, text, type;
} Names;

/* Rows `from` .. of a ring of MANY nodes: every third has no text. */
static void append_nodes(GraphWriter *writer, const Names *names, uint32_t from, uint32_t count)
{
    Value cells[2 * GRAPH_BLOCK_ROWS];
    uint16_t rows[GRAPH_BLOCK_ROWS];
    uint32_t sets[GRAPH_BLOCK_ROWS];
    GraphCells columns[] = {{names->key, cells}, {names->text, cells + 1}};
    uint64_t first;
    for (uint32_t i = 0; i < count; i++) {
        cells[2 * i] = value_integer(from + i);
        cells[2 * i + 1] = (from + i) % 3 == 0 ? value_null() : value_string(STR("text"));
        rows[i] = (uint16_t)i;
        sets[i] = graph_label_set(writer, &names->label, 1);
    }
    GraphRows all = {rows, count, 2, columns, 2};
    expect_no_error(graph_append_nodes(writer, &all, sets, NULL, &first));
    EXPECT(first == from);
}

static void append_ring(GraphWriter *writer, const Names *names, uint32_t from, uint32_t count)
{
    uint64_t froms[GRAPH_BLOCK_ROWS], tos[GRAPH_BLOCK_ROWS], first;
    Value cells[GRAPH_BLOCK_ROWS];
    uint16_t rows[GRAPH_BLOCK_ROWS];
    GraphCells column = {names->key, cells};
    for (uint32_t i = 0; i < count; i++) {
        froms[i] = from + i;
        tos[i] = (from + i + 1) % MANY;
        cells[i] = value_integer(from + i);
        rows[i] = (uint16_t)i;
    }
    GraphRows all = {rows, count, 1, &column, 1};
    expect_no_error(graph_append_relationships(writer, names->type, &all, froms, tos, &first));
    EXPECT(first == relationship_id(names->type, from));
}

static void expect_ring(const GraphView *view, const GraphIndex *index, const Names *names)
{
    Neighbors found = {0};
    for (uint32_t i = 0; i < MANY; i += 97) {
        uint64_t node;
        Value key = value_integer(i);
        graph_seek_first(view, index, &key, 1, 1, &node);
        EXPECT(node == i);
        found.count = 0;
        graph_expand(view, names->type, GRAPH_OUT, i, &found);
        EXPECT(found.count == 1 && found.nodes[0] == (i + 1) % MANY);
        graph_expand(view, names->type, GRAPH_IN, i, &found);
        EXPECT(found.count == 2 && found.nodes[1] == (i + MANY - 1) % MANY);
        EXPECT(graph_property(view, VALUE_RELATIONSHIP, found.relationships[0], names->key)
                   .as.integer == i);
        EXPECT((graph_property(view, VALUE_NODE, i, names->text).kind == VALUE_NULL) ==
               (i % 3 == 0));
    }
    neighbors_free(&found);
}

static void ring(GraphWriter *writer, const Names *names)
{
    append_nodes(writer, names, 0, GRAPH_BLOCK_ROWS);
    append_nodes(writer, names, GRAPH_BLOCK_ROWS, MANY - GRAPH_BLOCK_ROWS);
    append_ring(writer, names, 0, 1000);
    append_ring(writer, names, 1000, MANY - 1000);
}

/* Many rows at once: found by index and at their ends, taken back whole, before and after they were
 * settled, and a savepoint later. */
static void many(void)
{
    Graph *graph = graph_create();
    GraphWriter *writer = graph_writer_begin(graph);
    Names names = {graph_name_intern(writer, NAME_LABEL, STR("A")),
                   graph_name_intern(writer, NAME_KEY, STR("k")),
                   graph_name_intern(writer, NAME_KEY, STR("t")),
                   graph_name_intern(writer, NAME_TYPE, STR("T"))};
    GraphIndex definition = {
        .name = STR("a_k"), .label = names.label, .keys = {names.key}, .key_count = 1};
    expect_no_error(graph_create_index(writer, &definition));
    GraphView view = graph_writer_view(writer);
    const GraphIndex *index = graph_index_named(&view, STR("a_k"));
    size_t savepoint = graph_savepoint(writer);
    for (int settled = 0; settled < 2; settled++) {
        ring(writer, &names);
        if (settled) graph_settle(writer, NULL, 1);
        EXPECT(graph_label_count(&view, names.label) == MANY);
        graph_rollback_to(writer, savepoint);
        EXPECT(graph_node_count(&view) == 0 && graph_relationship_count(&view, names.type) == 0 &&
               graph_label_count(&view, names.label) == 0);
        Value key = value_integer(97);
        uint64_t node;
        graph_seek_first(&view, index, &key, 1, 1, &node);
        EXPECT(node == GRAPH_NO_NODE);
        expect_no_error(graph_create_node(writer, NULL, 0, &node));
        EXPECT(node == 0 && graph_property(&view, VALUE_NODE, node, names.key).kind == VALUE_NULL);
        graph_rollback_to(writer, savepoint);
    }
    ring(writer, &names);
    graph_settle(writer, NULL, 1);
    expect_ring(&view, index, &names);
    EXPECT(graph_change_weight(writer, 0) == 1 + 3u * MANY + 2u * MANY);
    savepoint = graph_savepoint(writer);
    append_ring(writer, &names, MANY, 10); /* from nodes that are not there: only taken back */
    graph_rollback_to(writer, savepoint);
    expect_ring(&view, index, &names);
    graph_writer_publish(writer);
    writer = graph_writer_begin(graph);
    uint64_t relationship;
    expect_no_error(graph_create_relationship(writer, names.type, 0, 5, &relationship));
    view = graph_writer_view(writer);
    EXPECT(graph_degree(&view, names.type, GRAPH_OUT, 0) == 2);
    graph_writer_abort(writer, GRAPH_NO_SLOT);
    uint32_t slot;
    expect_no_error(graph_acquire(graph, &view, &slot));
    expect_ring(&view, index, &names);
    graph_release(graph, slot);
    graph_destroy(graph);
}

/* One key to seek: what graph_seek gives first. */
static uint64_t sought(const GraphView *view, const GraphIndex *index, Value key)
{
    Neighbors found = {0};
    graph_seek(view, index, key, &found);
    uint64_t first = found.count == 0 ? GRAPH_NO_NODE : found.nodes[0];
    neighbors_free(&found);
    return first;
}

/* Keys that count up as their nodes do are guessed; the others, and those that are gone, must be
 * found as if nobody guessed. */
static void guessed_keys(void)
{
    enum { NODES = 3000, ASKED = 4096, STEP = 7 };
    Graph *graph = graph_create();
    GraphWriter *writer = graph_writer_begin(graph);
    uint32_t label = graph_name_intern(writer, NAME_LABEL, STR("A")),
             other = graph_name_intern(writer, NAME_LABEL, STR("B")),
             name = graph_name_intern(writer, NAME_KEY, STR("k"));
    GraphIndex definition = {.name = STR("a_k"),
                             .label = label,
                             .keys = {name},
                             .key_count = 1,
                             .constraint = GRAPH_UNIQUE};
    expect_no_error(graph_create_index(writer, &definition));
    for (uint32_t i = 0; i < NODES; i++) { /* runs of keys, gaps between them; some are floats */
        uint64_t node;
        int64_t key = (int64_t)i + i / 100 * STEP - 50;
        expect_no_error(graph_create_node(writer, i % 11 == 0 ? &other : &label, 1, &node));
        graph_set_property(writer, VALUE_NODE, node, name,
                           i % 13 == 0 ? value_float((double)key) : value_integer(key));
        if (i % 17 == 0) graph_delete_node(writer, node);
        if (i % 19 == 0) graph_add_label(writer, node, label);
    }
    GraphView view = graph_writer_view(writer);
    const GraphIndex *index = graph_index_named(&view, STR("a_k"));
    static Value keys[ASKED];
    static uint64_t found[ASKED];
    for (uint32_t i = 0; i < ASKED; i++)
        keys[i] = i % 23 == 0   ? value_null()
                  : i % 29 == 0 ? value_float((double)i)
                  : i % 31 == 0 ? value_string(STR("k"))
                  : i % 37 == 0 ? value_integer(INT64_MIN + i)
                                : value_integer((int64_t)i - 60);
    graph_seek_first(&view, index, keys, 1, ASKED, found);
    for (uint32_t i = 0; i < ASKED; i++)
        EXPECT(found[i] == sought(&view, index, keys[i]));
    graph_writer_abort(writer, GRAPH_NO_SLOT);
    graph_destroy(graph);
}

/* An id has 20 bits for the type, since what a statement of several moments puts above them. */
static void too_many_types(void)
{
    Graph *graph = graph_create();
    GraphWriter *writer = graph_writer_begin(graph);
    uint64_t node = 0, relationship;
    expect_no_error(graph_create_node(writer, NULL, 0, &node));
    Error *error =
        graph_create_relationship(writer, RELATIONSHIP_TYPES_MAX, node, node, &relationship);
    EXPECT(error != NULL && error_code(error) == ERROR_LIMIT);
    error_drop(error);
    uint64_t id = relationship_id(RELATIONSHIP_TYPES_MAX - 1, 7);
    EXPECT(relationship_type(id) == RELATIONSHIP_TYPES_MAX - 1 && entity_moment(id) == 0);
    EXPECT(relationship_number(id) == 7 && entity_id(id) == id);
    graph_writer_abort(writer, GRAPH_NO_SLOT);
    graph_destroy(graph);
}

/* Nodes that a view shows, one by one and as a scan finds them. */
static uint32_t shown(const GraphView *view)
{
    uint64_t cursor = 0, ids[GRAPH_BLOCK_ROWS];
    uint32_t scanned = 0, asked = 0, found;
    while ((found = graph_scan(view, NULL, 0, &cursor, ids, GRAPH_BLOCK_ROWS)) > 0)
        scanned += found;
    for (uint64_t node = 0; node < 2 * GRAPH_BLOCK_ROWS; node++)
        asked += graph_node_visible(view, node);
    EXPECT(scanned == asked);
    return asked;
}

/* A block of rows is made by one version, or by several, some of which are taken back: each view sees
 * those of its own and of the ones before. */
static void versions_of_a_block(void)
{
    enum { VERSIONS = 4 };
    static const uint32_t more[VERSIONS] = {1000, 900, 1,
                                            300}; /* the last goes on to a second block */
    Graph *graph = graph_create();
    GraphView views[VERSIONS];
    uint32_t slots[VERSIONS], all = 0;
    Names names = {0};
    for (int i = 0; i < VERSIONS; i++) {
        GraphWriter *writer = graph_writer_begin(graph);
        names = (Names){graph_name_intern(writer, NAME_LABEL, STR("A")),
                        graph_name_intern(writer, NAME_KEY, STR("k")),
                        graph_name_intern(writer, NAME_KEY, STR("t")), 0};
        append_nodes(writer, &names, all, 500);
        graph_writer_abort(writer, GRAPH_NO_SLOT);
        writer = graph_writer_begin(graph);
        append_nodes(writer, &names, all, more[i]);
        graph_writer_publish(writer);
        all += more[i];
        expect_no_error(graph_acquire(graph, &views[i], &slots[i]));
    }
    all = 0;
    for (int i = 0; i < VERSIONS; i++) {
        EXPECT(shown(&views[i]) == (all += more[i]));
        graph_release(graph, slots[i]);
    }
    graph_destroy(graph);
}

/* Relationships of one load take no version each, and those in order no number. */
static void bytes_of_a_load(void)
{
    enum { CHUNKS = 50, BYTES_MAX = 8 + 8 + 4 + 8 + 4 }; /* ends, a property, out, in; the rest */
    uint64_t before = mem_total();
    Graph *graph = graph_create();
    GraphWriter *writer = graph_writer_begin(graph);
    Names names = {.label = graph_name_intern(writer, NAME_LABEL, STR("A")),
                   .key = graph_name_intern(writer, NAME_KEY, STR("k")),
                   .type = graph_name_intern(writer, NAME_TYPE, STR("T"))};
    for (uint32_t i = 0; i < CHUNKS; i++)
        append_ring(writer, &names, i * GRAPH_BLOCK_ROWS, GRAPH_BLOCK_ROWS);
    graph_settle(writer, NULL, 1);
    uint64_t taken = mem_total() - before;
    EXPECT(taken < (uint64_t)CHUNKS * GRAPH_BLOCK_ROWS * BYTES_MAX);
    graph_writer_publish(writer);
    graph_destroy(graph);
}

enum { DIMENSIONS = 48, BLOCKS = 7 };

static void append_vectors(GraphWriter *writer, const Names *names)
{
    static float components[GRAPH_BLOCK_ROWS][DIMENSIONS];
    Value cells[GRAPH_BLOCK_ROWS];
    uint16_t rows[GRAPH_BLOCK_ROWS];
    uint32_t sets[GRAPH_BLOCK_ROWS];
    GraphCells column = {names->key, cells};
    for (uint32_t block = 0; block < BLOCKS; block++) {
        uint64_t first;
        for (uint32_t i = 0; i < GRAPH_BLOCK_ROWS; i++) {
            for (uint32_t d = 0; d < DIMENSIONS; d++)
                components[i][d] = (float)(block * DIMENSIONS + d);
            cells[i] = value_vector(components[i], DIMENSIONS);
            rows[i] = (uint16_t)i;
            sets[i] = graph_label_set(writer, &names->label, 1);
        }
        GraphRows all = {rows, GRAPH_BLOCK_ROWS, 1, &column, 1};
        expect_no_error(graph_append_nodes(writer, &all, sets, NULL, &first));
        EXPECT(first == block * GRAPH_BLOCK_ROWS);
    }
}

static bool has_vectors(const GraphView *view, uint32_t key, uint32_t block)
{
    bool same = true;
    for (uint32_t i = 0; i < GRAPH_BLOCK_ROWS; i++) {
        Value value = graph_property(view, VALUE_NODE, block * GRAPH_BLOCK_ROWS + i, key);
        same = same && value.kind == VALUE_VECTOR && value.aux == DIMENSIONS;
        for (uint32_t d = 0; same && d < DIMENSIONS; d++)
            same = value.as.vector[d] == (float)(block * DIMENSIONS + d);
    }
    return same;
}

/* Vectors of a load share memory with those of the next block: they are what they were when others of
 * them become mixed values or are taken back, and all of it is given back. */
static void vectors_of_a_load(void)
{
    uint64_t before = mem_total();
    Graph *graph = graph_create();
    GraphWriter *writer = graph_writer_begin(graph);
    Names names = {.label = graph_name_intern(writer, NAME_LABEL, STR("A")),
                   .key = graph_name_intern(writer, NAME_KEY, STR("k"))};
    append_vectors(writer, &names);
    graph_writer_abort(writer, GRAPH_NO_SLOT);
    writer = graph_writer_begin(graph);
    append_vectors(writer, &names);
    graph_writer_publish(writer);
    GraphView view;
    uint32_t slot;
    expect_no_error(graph_acquire(graph, &view, &slot));
    writer = graph_writer_begin(graph);
    for (uint32_t block = 0; block < BLOCKS; block += 2)
        graph_set_property(writer, VALUE_NODE, block * GRAPH_BLOCK_ROWS, names.key,
                           value_string(STR("text")));
    graph_writer_publish(writer);
    for (uint32_t block = 0; block < BLOCKS; block++)
        EXPECT(has_vectors(&view, names.key, block));
    graph_release(graph, slot);
    graph_destroy(graph);
    EXPECT(mem_total() == before);
}

int main(void)
{
    vectors_of_a_load();
    versions_of_a_block();
    bytes_of_a_load();
    too_many_types();
    guessed_keys();
    held_view();
    rollback();
    labels_late();
    many();
    return DONE();
}
