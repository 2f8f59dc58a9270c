/*
 * verify.c - a graph held against itself: what `contextql check` looks for above checksums.
 *
 * Everything that stands twice must agree: a relationship's ends and the entries of its two
 * adjacencies, a node's label set and the bitmaps of labels, a property and the indexes on it, rows
 * and their counts. Adjacencies are walked node by node; each entry must be a relationship that
 * begins (or ends) there, each relationship must be met exactly once, which one bit a row remembers.
 * An index is walked slot by slot: an entry that lies where a search from its home would not come
 * by does not count.
 *
 * What a damaged segment does not give out is empty here and told by where it lies, then everything
 * that hangs on it would be told too: of each kind the first few findings are.
 */
#include "config.h"

#include "base/tell.h"
#include "graph/stored.h"

enum { FINDINGS_MAX = 10 }; /* of one kind: enough to see what it is about */
static const char advice[] =
    "restore a copy of the database, or export what can be read and load it anew";

typedef struct Verify {
    GraphView view;
    Tell *to;
    uint64_t told;        /* of the kind at hand */
    uint64_t done, count; /* rows looked at, each as often as it is */
} Verify;

/* The advice stands with the first of a kind. */
#define FIND(verify, where, ...)                                                                   \
    do {                                                                                           \
        if ((verify)->told++ < FINDINGS_MAX)                                                       \
            tell_line((verify)->to, TELL_FINDING, where, (verify)->told > 1 ? "" : advice,         \
                      __VA_ARGS__);                                                                \
    } while (0)

static void end_kind(Verify *verify, const char *where)
{
    if (verify->told > FINDINGS_MAX)
        tell_line(verify->to, TELL_FACT, where, "", "%llu more of this kind",
                  (unsigned long long)(verify->told - FINDINGS_MAX));
    verify->told = 0;
}

/* One more row is looked at; true: no more are. */
static bool stops(Verify *verify)
{
    enum { ASK_EVERY = 4096 };
    if (++verify->done % ASK_EVERY != 0) return verify->to->stopped;
    return tell_done(verify->to, verify->done, verify->count);
}

static bool has_bit(const uint64_t *bits, uint64_t i)
{
    return bits[i / 64] >> i % 64 & 1;
}

static uint64_t *bits_for(uint64_t count)
{
    return mem_calloc(count / 64 + 1, sizeof(uint64_t));
}

static Str name_of(const Verify *verify, NameKind kind, uint32_t id)
{
    return graph_name_text(verify->view.graph, kind, id);
}

/* ---- rows and columns ---- */

static void verify_rows(Verify *verify, const char *where, const Rows *rows)
{
    uint64_t count = atomic_load(&rows->count), live = atomic_load(&rows->live), seen = 0;
    for (uint64_t row = 0; row < count && !stops(verify); row++)
        seen += rows_visible(rows, row, verify->view.version);
    if (seen != live)
        FIND(verify, where, "%llu are counted, but %llu are there", (unsigned long long)live,
             (unsigned long long)seen);
    end_kind(verify, where);
}

/* A text of every row that is present. */
static bool texts_valid(const ColumnBlock *block)
{
    for (uint32_t i = 0; block->type == COLUMN_STRING && i < GRAPH_BLOCK_ROWS; i++)
        if (block->present[i / 64] >> i % 64 & 1) {
            Str text = column_block_text(block, i);
            if (text.bytes > 0 && !utf8_valid(text)) return false;
        }
    return true;
}

static void verify_column(Verify *verify, const char *where, Str key, const Rows *rows,
                          const PropertyColumn *column)
{
    Graph *graph = verify->view.graph;
    uint64_t blocks = (atomic_load(&rows->count) + GRAPH_BLOCK_ROWS - 1) / GRAPH_BLOCK_ROWS;
    for (uint64_t i = 0; i < blocks; i++) {
        verify->done += GRAPH_BLOCK_ROWS - 1;
        if (stops(verify)) return;
        bool before = atomic_load(&graph->damaged);
        atomic_store(&graph->damaged, false);
        const ColumnBlock *block = directory_get(&column->blocks, i);
        if (atomic_load(&graph->damaged))
            FIND(verify, where, "property %.*s of rows from %llu on cannot be read", STR_ARG(key),
                 (unsigned long long)(i * GRAPH_BLOCK_ROWS));
        else if (block != NULL && !texts_valid(block))
            FIND(verify, where, "property %.*s of rows from %llu on holds text that is not UTF-8",
                 STR_ARG(key), (unsigned long long)(i * GRAPH_BLOCK_ROWS));
        if (before) atomic_store(&graph->damaged, true);
    }
}

static void verify_columns(Verify *verify, const char *where, const Table *table)
{
    for (uint32_t key = 0; key < graph_name_count(verify->view.graph, NAME_KEY); key++) {
        const PropertyColumn *column = table_column(table, key);
        if (column != NULL)
            verify_column(verify, where, name_of(verify, NAME_KEY, key), &table->rows, column);
    }
    end_kind(verify, where);
}

static void verify_table(Verify *verify, const char *where, const Table *table)
{
    verify_rows(verify, where, &table->rows);
    verify_columns(verify, where, table);
}

static void verify_sets(Verify *verify)
{
    const Graph *graph = verify->view.graph;
    verify_column(verify, "labels", STR("label set"), &graph->nodes.rows, &graph->shapes_of);
    end_kind(verify, "labels");
}

/* ---- labels ---- */

typedef struct LabelBits { /* of one block of nodes, from the label sets */
    uint64_t (*bits)[GRAPH_BLOCK_WORDS];
    uint64_t *counts; /* of all blocks so far */
    uint32_t labels;
} LabelBits;

/* False: the node's label set is none. */
static bool take_labels(const Verify *verify, LabelBits *out, uint64_t node)
{
    const Graph *graph = verify->view.graph;
    Value number = column_read(&graph->shapes_of, node, verify->view.version, NULL);
    if (number.kind == VALUE_NULL) return true;
    const Shape *shape = number.kind == VALUE_INTEGER && number.as.integer >= 0
                             ? directory_get(&graph->shapes, (size_t)number.as.integer)
                             : NULL;
    for (uint32_t i = 0; shape != NULL && i < shape->count; i++) {
        uint64_t at = node % GRAPH_BLOCK_ROWS;
        if (shape->labels[i] >= out->labels) return false;
        out->bits[shape->labels[i]][at / 64] |= UINT64_C(1) << at % 64;
        out->counts[shape->labels[i]]++;
    }
    return shape != NULL;
}

static void verify_label_block(Verify *verify, LabelBits *sets, uint64_t block)
{
    uint64_t count = atomic_load(&verify->view.graph->nodes.rows.count),
             end = (block + 1) * GRAPH_BLOCK_ROWS;
    memset(sets->bits, 0, sets->labels * sizeof *sets->bits);
    for (uint64_t node = block * GRAPH_BLOCK_ROWS; node < end && node < count && !stops(verify);
         node++)
        if (graph_node_visible(&verify->view, node) && !take_labels(verify, sets, node))
            FIND(verify, "labels", "node %llu has a label set that is none",
                 (unsigned long long)node);
    for (uint32_t label = 0; label < sets->labels; label++) {
        uint64_t found[GRAPH_BLOCK_WORDS] = {0};
        bool any = graph_scan_block(&verify->view, &label, 1, block, found);
        if (!any) memset(found, 0, sizeof found);
        if (memcmp(found, sets->bits[label], sizeof found) != 0) {
            Str name = name_of(verify, NAME_LABEL, label);
            FIND(verify, "labels", "the bitmap of %.*s does not fit nodes from %llu on",
                 STR_ARG(name), (unsigned long long)(block * GRAPH_BLOCK_ROWS));
        }
    }
}

static void verify_labels(Verify *verify)
{
    LabelBits sets = {.labels = graph_name_count(verify->view.graph, NAME_LABEL)};
    sets.bits = mem_calloc(sets.labels + 1, sizeof *sets.bits);
    sets.counts = mem_calloc(sets.labels + 1, sizeof *sets.counts);
    for (uint64_t block = 0; block < graph_block_count(&verify->view) && !verify->to->stopped;
         block++)
        verify_label_block(verify, &sets, block);
    for (uint32_t label = 0; label < sets.labels; label++) {
        uint64_t counted = graph_label_count(&verify->view, label);
        Str name = name_of(verify, NAME_LABEL, label);
        if (counted != sets.counts[label])
            FIND(verify, "labels", "%llu nodes of %.*s are counted, but %llu are there",
                 (unsigned long long)counted, STR_ARG(name),
                 (unsigned long long)sets.counts[label]);
    }
    end_kind(verify, "labels");
    mem_free(sets.bits);
    mem_free(sets.counts);
}

/* ---- relationships ---- */

static void verify_ends(Verify *verify, uint32_t number, const char *where)
{
    uint64_t rows = atomic_load(&graph_type(verify->view.graph, number)->table.rows.count);
    for (uint64_t row = 0; row < rows && !stops(verify); row++) {
        uint64_t id = relationship_id(number, row), from, to;
        if (!graph_relationship_visible(&verify->view, id)) continue;
        graph_relationship_ends(&verify->view, id, &from, &to);
        if (!graph_node_visible(&verify->view, from) || !graph_node_visible(&verify->view, to))
            FIND(verify, where, "relationship %llu hangs on a node that is not there",
                 (unsigned long long)row);
    }
    end_kind(verify, where);
}

typedef struct Met { /* the relationships of a type, each by its bit */
    uint64_t *bits, rows;
} Met;

/* One entry of a node's adjacency. */
static void verify_entry(Verify *verify, const char *where, bool in, uint64_t node, uint64_t other,
                         uint64_t id, Met *met)
{
    uint64_t from = GRAPH_NO_NODE, to = GRAPH_NO_NODE, row = relationship_number(id);
    if (row < met->rows) graph_relationship_ends(&verify->view, id, &from, &to);
    bool fits = in ? to == node && from == other : from == node && to == other;
    if (!fits)
        FIND(verify, where, "node %llu is joined to %llu by relationship %llu, which is another",
             (unsigned long long)node, (unsigned long long)other, (unsigned long long)row);
    else if (!graph_relationship_visible(&verify->view, id))
        FIND(verify, where, "node %llu is joined to %llu by relationship %llu, which is deleted",
             (unsigned long long)node, (unsigned long long)other, (unsigned long long)row);
    else if (has_bit(met->bits, row))
        FIND(verify, where, "relationship %llu stands twice at node %llu", (unsigned long long)row,
             (unsigned long long)node);
    if (row < met->rows) met->bits[row / 64] |= UINT64_C(1) << row % 64;
}

static void verify_direction(Verify *verify, uint32_t number, bool in, const char *where)
{
    const GraphView *view = &verify->view;
    uint64_t rows = atomic_load(&graph_type(view->graph, number)->table.rows.count),
             nodes = atomic_load(&view->graph->nodes.rows.count);
    Met met = {bits_for(rows), rows};
    Neighbors neighbors = {0};
    for (uint64_t node = 0; node < nodes && !stops(verify); node++) {
        neighbors.count = 0;
        graph_expand(view, number, in ? GRAPH_IN : GRAPH_OUT, node, &neighbors);
        for (size_t i = 0; i < neighbors.count && !stops(verify); i++)
            verify_entry(verify, where, in, node, neighbors.nodes[i], neighbors.relationships[i],
                         &met);
    }
    for (uint64_t row = 0; row < rows && !stops(verify); row++)
        if (!has_bit(met.bits, row) &&
            graph_relationship_visible(view, relationship_id(number, row)))
            FIND(verify, where, "relationship %llu is missing at the node it %s",
                 (unsigned long long)row, in ? "ends at" : "starts from");
    neighbors_free(&neighbors);
    mem_free(met.bits);
    end_kind(verify, where);
}

static void verify_type(Verify *verify, uint32_t number)
{
    const RelationshipType *type = graph_type(verify->view.graph, number);
    Str name = name_of(verify, NAME_TYPE, number);
    Buffer where = {0};
    if (type == NULL) return;
    buffer_printf(&where, "relationships %.*s", STR_ARG(name));
    verify_table(verify, where.data, &type->table);
    verify_ends(verify, number, where.data);
    verify_direction(verify, number, false, where.data);
    verify_direction(verify, number, true, where.data);
    buffer_free(&where);
}

/* ---- indexes ---- */

/* What stands in the order of its values: is it one, and is every node in it that is in the index? */
static uint64_t *verify_order(Verify *verify, const Index *index, const char *where, uint64_t nodes)
{
    uint64_t *bits = bits_for(nodes);
    if (!index_order_reachable(&verify->view, index, verify->to, bits, nodes))
        FIND(verify, where, "values are not in order");
    return bits;
}

static void verify_index(Verify *verify, const Index *index)
{
    const GraphView *view = &verify->view;
    const GraphIndex *definition = &index->definition;
    uint64_t nodes = atomic_load(&view->graph->nodes.rows.count), cursor = 0, node, taken = 0;
    uint64_t *found = bits_for(nodes), *in_order = NULL;
    Buffer where = {0};
    Buffer scratch = {0};
    Neighbors equal = {0};
    buffer_printf(&where, "index %.*s", STR_ARG(definition->name));
    if (index_has_table(definition)) {
        bool whole = index_reachable(view, index, verify->to, found, nodes, &taken);
        if (!whole || taken != index->used)
            FIND(verify, where.data, "%llu entries are counted, but %llu lie in its table",
                 (unsigned long long)index->used, (unsigned long long)taken);
        if (graph_index_orders(definition))
            in_order = verify_order(verify, index, where.data, nodes);
    }
    while (!stops(verify) && graph_scan(view, &definition->label, 1, &cursor, &node, 1) == 1) {
        Value keys[GRAPH_INDEX_KEYS_MAX], whole = index_keys(view, definition, node, keys);
        Value value = index_value(view, definition, node, &scratch);
        if (value.kind == VALUE_NULL && definition->constraint == GRAPH_REQUIRED)
            FIND(verify, where.data, "node %llu lacks the property", (unsigned long long)node);
        if (value.kind == VALUE_NULL || !index_has_table(definition)) continue;
        if (whole.kind != VALUE_NULL && !has_bit(found, node))
            FIND(verify, where.data, "node %llu is not found through it", (unsigned long long)node);
        if (in_order != NULL && !has_bit(in_order, node))
            FIND(verify, where.data, "node %llu is not in its order", (unsigned long long)node);
        equal.count = 0;
        if (definition->constraint == GRAPH_UNIQUE && whole.kind != VALUE_NULL)
            graph_seek(view, definition, whole, &equal);
        if (equal.count > 1)
            FIND(verify, where.data, "nodes %llu and %llu have the same value",
                 (unsigned long long)equal.nodes[0], (unsigned long long)equal.nodes[1]);
    }
    end_kind(verify, where.data);
    neighbors_free(&equal);
    buffer_free(&where);
    buffer_free(&scratch);
    mem_free(found);
    mem_free(in_order);
}

/* How many rows are looked at, each as often as it is. */
static uint64_t columns_count(const Graph *graph, const Table *table)
{
    uint64_t columns = 0;
    for (uint32_t key = 0; key < graph_name_count(graph, NAME_KEY); key++)
        columns += table_column(table, key) != NULL;
    return columns * atomic_load(&table->rows.count);
}

static uint64_t count_rows(const GraphView *view)
{
    const Graph *graph = view->graph;
    uint64_t nodes = atomic_load(&graph->nodes.rows.count),
             all = columns_count(graph, &graph->nodes) + 3 * nodes; /* rows, sets, labels */
    for (uint32_t i = 0; i < graph_name_count(graph, NAME_TYPE); i++) {
        const RelationshipType *type = graph_type(graph, i);
        if (type == NULL) continue;
        all += columns_count(graph, &type->table) + 2 * nodes;
        all += 6 * atomic_load(&type->table.rows.count); /* itself, its ends, twice each way */
    }
    for (uint32_t i = 0; i < graph_index_count(graph); i++) {
        const Index *index = index_at(view, i);
        if (index != NULL && !index->definition.vector) all += nodes;
    }
    return all;
}

void graph_verify(const GraphView *view, Tell *to)
{
    const Graph *graph = view->graph;
    Verify verify = {.view = *view, .to = to, .count = count_rows(view)};
    verify_table(&verify, "nodes", &graph->nodes);
    verify_sets(&verify);
    verify_labels(&verify);
    for (uint32_t i = 0; i < graph_name_count(graph, NAME_TYPE) && !to->stopped; i++)
        verify_type(&verify, i);
    for (uint32_t i = 0; i < graph_index_count(graph) && !to->stopped; i++) {
        const Index *index = index_at(view, i);
        if (index != NULL && !index->definition.vector) verify_index(&verify, index);
    }
}

void graph_verify_columns(const GraphView *view, Tell *to)
{
    Verify verify = {.view = *view, .to = to, .count = count_rows(view)};
    verify_columns(&verify, "nodes", &view->graph->nodes);
    verify_sets(&verify);
    for (uint32_t i = 0; i < graph_name_count(view->graph, NAME_TYPE); i++) {
        const RelationshipType *type = graph_type(view->graph, i);
        if (type != NULL) verify_columns(&verify, "relationships", &type->table);
    }
}

const char *graph_section_name(unsigned kind)
{
    static const char *const names[] = {
        [STORED_ROWS] = "ROWS",       [STORED_BLOCKS] = "BLOCKS",   [STORED_DATA] = "DATA",
        [STORED_TEXT] = "TEXT",       [STORED_LABEL] = "LABEL",     [STORED_ENDS] = "ENDS",
        [STORED_GROUPS] = "GROUPS",   [STORED_OFFSETS] = "OFFSETS", [STORED_TARGETS] = "TARGETS",
        [STORED_NUMBERS] = "NUMBERS", [STORED_INDEX] = "INDEX",     [STORED_RUN] = "RUN",
        [STORED_FINDER] = "FINDER",   [STORED_ADDED] = "ADDED",     [STORED_ORDERED] = "ORDERED",
        [STORED_KEYS] = "KEYS",       [STORED_GONE] = "GONE"};
    return kind < sizeof names / sizeof *names ? names[kind] : NULL;
}
