/*
 * bulk.c - rows appended many at once: what COPY writes with.
 *
 * A batch of new rows is one entry in the writer's list of changes, not one a row, label set and
 * property: taking it back clears its rows in every column. Columns are filled column by column.
 * Relationships are not entered at their ends one by one: they wait at the end of their type
 * (`pending`) until graph_settle, which makes a Csr of a type that has none, and otherwise adds
 * them to the delta.
 *
 * Invariant: pending is 0 between statements, so nobody who reads or writes in another way meets
 * relationships that cannot be found.
 */
#include "config.h"

#include "graph/graph_internal.h"
#include "runtime/workers.h"
#include <assert.h>

/* ---- nodes ---- */

uint32_t graph_label_set(GraphWriter *writer, const uint32_t *labels, uint32_t count)
{
    uint32_t *own = arena_array(writer->arena, uint32_t, count + 1), kept = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t at = 0;
        while (at < kept && own[at] < labels[i])
            at++;
        if (at < kept && own[at] == labels[i]) continue;
        memmove(&own[at + 1], &own[at], (kept - at) * sizeof *own);
        own[at] = labels[i];
        kept++;
    }
    return graph_shape_intern(writer, own, kept);
}

static const Shape *shape_numbered(const Graph *graph, uint32_t set)
{
    return directory_get(&graph->shapes, set);
}

/* Marks and counts rows first .. first + count - 1, which have the same set. */
static void mark_run(Graph *graph, const Shape *shape, uint64_t first, uint64_t count)
{
    for (uint32_t l = 0; l < shape->count; l++) {
        Label *label = directory_get(&graph->labels, shape->labels[l]);
        atomic_fetch_add(&label->live, count);
        for (uint64_t row = first; row < first + count;) {
            uint64_t in_word = 64 - row % 64, left = first + count - row;
            uint64_t some = left < in_word ? left : in_word;
            uint64_t bits = some == 64 ? UINT64_MAX : ((UINT64_C(1) << some) - 1) << row % 64;
            writer_mark_label(graph, shape->labels[l], row, bits);
            row += some;
        }
    }
}

static void set_shapes(GraphWriter *writer, uint64_t first, const uint32_t *sets, uint32_t count)
{
    Graph *graph = writer->graph;
    Value cells[GRAPH_BLOCK_ROWS] = {VALUE_NULL_INIT};
    uint16_t rows[GRAPH_BLOCK_ROWS];
    for (uint32_t i = 0; i < count; i++) {
        cells[i] = value_integer(sets[i]);
        rows[i] = (uint16_t)i;
    }
    column_append(graph, &graph->shapes_of, first, cells, &(GraphRows){rows, count, 1, NULL, 0},
                  writer->version);
    for (uint32_t i = 0, end; i < count; i = end) {
        for (end = i + 1; end < count && sets[end] == sets[i]; end++)
            ;
        mark_run(graph, shape_numbered(graph, sets[i]), first + i, end - i);
    }
}

static void fill_index(GraphWriter *writer, Index *index, const GraphRows *rows, const Value *cells,
                       const uint32_t *sets, uint64_t first)
{
    Graph *graph = writer->graph;
    Value values[GRAPH_BLOCK_ROWS];
    uint64_t ids[GRAPH_BLOCK_ROWS];
    uint32_t count = 0;
    bool has = false;
    for (uint32_t i = 0; i < rows->count; i++) {
        if (i == 0 || sets[i] != sets[i - 1])
            has = shape_has(shape_numbered(graph, sets[i]), index->definition.label);
        Value value = cells[rows->rows[i] * rows->stride];
        if (!has || value.kind == VALUE_NULL) continue;
        values[count] = value;
        ids[count++] = first + i;
    }
    if (index_has_table(&index->definition)) index_insert_many(graph, index, values, ids, count);
    for (uint32_t i = 0; index->definition.vector && i < count; i++)
        index_note_change(index, ids[i]);
}

/* On several properties, which are in their columns by now. */
static void fill_index_of_several(GraphWriter *writer, Index *index, const uint32_t *sets,
                                  uint64_t first, uint32_t rows)
{
    GraphView view = graph_writer_view(writer);
    uint64_t ids[GRAPH_BLOCK_ROWS];
    uint32_t count = 0;
    for (uint32_t i = 0; i < rows; i++)
        if (shape_has(shape_numbered(writer->graph, sets[i]), index->definition.label))
            ids[count++] = first + i;
    index_insert_nodes(&view, index, ids, count);
}

static void fill_columns(GraphWriter *writer, Table *table, const GraphRows *rows, uint64_t first)
{
    for (uint32_t c = 0; c < rows->column_count; c++)
        column_append(writer->graph, table_column_make(writer->graph, table, rows->columns[c].key),
                      first, rows->columns[c].cells, rows, writer->version);
}

static Change *note_rows(GraphWriter *writer, ChangeKind kind, uint64_t id, const GraphRows *rows)
{
    uint64_t weight = rows->count * (uint64_t)(rows->column_count + 1);
    return writer_note(writer, (Change){.kind = kind,
                                        .count = rows->count,
                                        .id = id,
                                        .before = value_integer((int64_t)weight)});
}

Error *graph_append_nodes(GraphWriter *writer, const GraphRows *rows, const uint32_t *sets,
                          const GraphIndex *unique, uint64_t *first)
{
    Graph *graph = writer->graph;
    GraphView view = graph_writer_view(writer);
    assert(rows->count <= GRAPH_BLOCK_ROWS);
    *first = atomic_load(&graph->nodes.rows.count);
    if (*first + rows->count > GRAPH_NODES_MAX)
        return error_new(ERROR_LIMIT, "a database holds at most %u nodes",
                         (unsigned)GRAPH_NODES_MAX);
    if (rows->count == 0) return NULL;
    rows_create_many(graph, &graph->nodes.rows, rows->count, writer->version);
    note_rows(writer, CHANGE_APPEND_NODES, *first, rows)->index =
        (Index *)(uintptr_t)unique; /* its first member; only compared */
    set_shapes(writer, *first, sets, rows->count);
    fill_columns(writer, &graph->nodes, rows, *first);
    for (uint32_t i = 0; i < graph_index_count(graph); i++) {
        Index *index = index_at(&view, i);
        if (index == NULL || index->definition.constraint == GRAPH_REQUIRED) continue;
        if (index->definition.key_count > 1)
            fill_index_of_several(writer, index, sets, *first, rows->count);
        for (uint32_t c = 0; c < rows->column_count; c++)
            if (graph_index_is_on(&index->definition, rows->columns[c].key))
                fill_index(writer, index, rows, rows->columns[c].cells, sets, *first);
    }
    return NULL;
}

/* ---- properties of nodes that are there ---- */

static bool has_index(const GraphView *view, uint32_t key)
{
    for (uint32_t i = 0; i < graph_index_count(view->graph); i++) {
        const GraphIndex *index = graph_index_at(view, i);
        if (index != NULL && index_has_key(index, key)) return true;
    }
    return false;
}

/* One behind the other, made by this writer, and without the property: as if they were appended now. */
static bool can_fill(const GraphWriter *writer, const PropertyColumn *column, const uint64_t *nodes,
                     const GraphRows *rows)
{
    for (uint32_t i = 0; i < rows->count; i++) {
        uint64_t node = nodes[rows->rows[i]];
        bool next = node == nodes[rows->rows[0]] + i && writer_made(writer, VALUE_NODE, node);
        if (!next || column_present(column, node)) return false;
    }
    return rows->count > 0;
}

void graph_set_properties(GraphWriter *writer, const uint64_t *nodes, const GraphRows *rows,
                          uint32_t column)
{
    Graph *graph = writer->graph;
    GraphView view = graph_writer_view(writer);
    GraphCells cells = rows->columns[column];
    PropertyColumn *into = table_column_make(graph, &graph->nodes, cells.key);
    if (!has_index(&view, cells.key) && can_fill(writer, into, nodes, rows)) {
        uint64_t first = nodes[rows->rows[0]];
        column_append(graph, into, first, cells.cells, rows, writer->version);
        writer_note(writer, (Change){.kind = CHANGE_FILL_PROPERTY,
                                     .entity = VALUE_NODE,
                                     .key = cells.key,
                                     .count = rows->count,
                                     .id = first});
        return;
    }
    for (uint32_t i = 0; i < rows->count; i++) {
        Value value = cells.cells[rows->rows[i] * rows->stride];
        if (value.kind != VALUE_NULL)
            graph_set_property(writer, VALUE_NODE, nodes[rows->rows[i]], cells.key, value);
    }
}

/* ---- relationships ---- */

Error *graph_append_relationships(GraphWriter *writer, uint32_t type, const GraphRows *rows,
                                  const uint64_t *from, const uint64_t *to, uint64_t *first)
{
    Graph *graph = writer->graph;
    RelationshipType *relationships = graph_type(graph, type);
    assert(relationships != NULL && rows->count <= GRAPH_BLOCK_ROWS);
    if (relationships->saving) writer_wait_saved(graph);
    uint64_t number = atomic_load(&relationships->table.rows.count);
    TRY(writer_check_type(type));
    if (number + rows->count > UINT32_MAX)
        return error_new(ERROR_LIMIT, "a type has at most %u relationships", UINT32_MAX);
    *first = relationship_id(type, number);
    if (rows->count == 0) return NULL;
    for (uint32_t i = 0; i < rows->count; i++) {
        uint64_t row = number + i;
        EndsBlock *ends = type_ends_block(graph, relationships, row);
        assert(from[i] < GRAPH_NODES_MAX && to[i] < GRAPH_NODES_MAX);
        ends->from[row % GRAPH_BLOCK_ROWS] = (uint32_t)from[i];
        ends->to[row % GRAPH_BLOCK_ROWS] = (uint32_t)to[i];
    }
    rows_create_many(graph, &relationships->table.rows, rows->count, writer->version);
    relationships->pending += rows->count;
    note_rows(writer, CHANGE_APPEND_RELATIONSHIPS, *first, rows);
    fill_columns(writer, &relationships->table, rows, number);
    return NULL;
}

static void add_pending(Graph *graph, RelationshipType *type)
{
    uint64_t count = atomic_load(&type->table.rows.count);
    for (uint64_t row = count - type->pending; row < count; row++) {
        const EndsBlock *ends = directory_get(&type->ends, row / GRAPH_BLOCK_ROWS);
        uint32_t from = ends->from[row % GRAPH_BLOCK_ROWS], to = ends->to[row % GRAPH_BLOCK_ROWS];
        adjacency_add(graph, &type->out, from, to, (uint32_t)row);
        adjacency_add(graph, &type->in, to, from, (uint32_t)row);
    }
}

/* All there are of the type, and so many that a Csr pays: fewer are cheaper in the delta, and stay easy
 * to add to. */
static bool wants_csr(const RelationshipType *type)
{
    enum { CSR_ROWS_MIN = 256 };
    return type->pending >= CSR_ROWS_MIN && type->pending == atomic_load(&type->table.rows.count) &&
           adjacency_is_empty(&type->out) && adjacency_is_empty(&type->in);
}

/* Two for each type, outgoing and incoming: each looks at the rows alone. NULL: not wanted, or not made
 * yet. */
typedef struct Settling {
    Graph *graph;
    Csr **made;
} Settling;

static Error *make_csr(void *state, const Worker *worker, uint64_t morsel)
{
    const Settling *settling = state;
    RelationshipType *type = graph_type(settling->graph, (uint32_t)(morsel / 2));
    (void)worker;
    if (wants_csr(type))
        settling->made[morsel] = csr_make(settling->graph, type, morsel % 2 == 1, CSR_ALL_ROWS);
    return NULL;
}

size_t graph_settle_growth(const GraphWriter *writer)
{
    const Graph *graph = writer->graph;
    size_t bytes = 0;
    for (uint32_t t = 0; t < graph_name_count(graph, NAME_TYPE); t++)
        bytes += graph_type(graph, t)->pending * 4 * sizeof(uint32_t); /* ends, numbers; twice */
    return bytes;
}

void graph_settle(GraphWriter *writer, Workers *workers, uint32_t worker_max)
{
    enum { SHARED_ROWS_MIN = 1 << 15 }; /* some milliseconds of work */
    Graph *graph = writer->graph;
    uint32_t types = graph_name_count(graph, NAME_TYPE);
    uint64_t pending = 0;
    for (uint32_t t = 0; t < types; t++)
        pending += graph_type(graph, t)->pending;
    if (pending == 0) return;
    Settling settling = {graph, mem_calloc(2 * (size_t)types, sizeof *settling.made)};
    Morsels morsels = {.count = 2 * (uint64_t)types,
                       .workers =
                           pending < SHARED_ROWS_MIN ? 1 : workers_chosen(workers, worker_max),
                       .run = make_csr,
                       .state = &settling};
    error_drop(workers_run(workers, &morsels)); /* memory is short: what is missing is made here */
    for (uint32_t t = 0; t < types; t++) {
        RelationshipType *type = graph_type(graph, t);
        Csr **made = settling.made + 2 * (size_t)t;
        for (int in = 0; in < 2 && wants_csr(type); in++)
            if (made[in] == NULL) made[in] = csr_make(graph, type, in == 1, CSR_ALL_ROWS);
        if (made[0] != NULL) {
            atomic_store(&type->out.base, made[0]);
            atomic_store(&type->in.base, made[1]);
        } else if (type->pending > 0) {
            add_pending(graph, type);
        }
        type->pending = 0;
    }
    mem_free(settling.made);
}

/* ---- taking back ---- */

static void undo_nodes(GraphWriter *writer, uint64_t first, uint32_t count)
{
    Graph *graph = writer->graph;
    for (uint64_t node = first; node < first + count; node++) {
        const Shape *shape = graph_shape(graph, node, writer->version);
        for (uint32_t i = 0; shape != NULL && i < shape->count; i++) {
            Label *label = directory_get(&graph->labels, shape->labels[i]);
            atomic_fetch_sub(&label->live, 1);
            atomic_store(&label->exact_from, UINT64_MAX); /* the bit stays */
        }
    }
    column_clear(&graph->shapes_of, first, count);
    rows_uncreate_many(&graph->nodes.rows, first, count);
}

/* A Csr made of these rows goes with them: it holds no others, for it was made of all there were,
 * and a savepoint never lies within what one settling made. */
static void undo_relationships(GraphWriter *writer, RelationshipType *type, uint64_t first,
                               uint32_t count)
{
    Graph *graph = writer->graph;
    Csr *out = atomic_load(&type->out.base), *in = atomic_load(&type->in.base);
    uint64_t rows = atomic_load(&type->table.rows.count);
    if (type->pending == 0 && out != NULL && out->owned && first < out->row_count) {
        atomic_store(&type->out.base, NULL);
        atomic_store(&type->in.base, NULL);
        csr_retire(graph, out);
        csr_retire(graph, in);
        type->pending = rows;
    }
    for (uint64_t row = first + count; row-- > first && type->pending == 0;) {
        const EndsBlock *ends = directory_get(&type->ends, row / GRAPH_BLOCK_ROWS);
        adjacency_undo(&type->in, ends->to[row % GRAPH_BLOCK_ROWS]);
        adjacency_undo(&type->out, ends->from[row % GRAPH_BLOCK_ROWS]);
    }
    assert(type->pending == 0 || type->pending >= count);
    type->pending -= type->pending == 0 ? 0 : count;
    rows_uncreate_many(&type->table.rows, first, count);
}

void bulk_undo(GraphWriter *writer, const Change *change)
{
    Graph *graph = writer->graph;
    bool nodes = change->kind == CHANGE_APPEND_NODES;
    RelationshipType *type = nodes ? NULL : graph_type(graph, relationship_type(change->id));
    uint64_t first = nodes ? change->id : relationship_number(change->id);
    Table *table = nodes ? &graph->nodes : &type->table;
    for (uint32_t key = 0; key < graph_name_count(graph, NAME_KEY); key++) {
        PropertyColumn *column = table_column(table, key);
        if (column != NULL) column_clear(column, first, change->count);
    }
    if (nodes)
        undo_nodes(writer, first, change->count);
    else
        undo_relationships(writer, type, first, change->count);
}
