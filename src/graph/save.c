/*
 * save.c - a graph as the sections of a segment (stored.h).
 *
 * Whoever saves holds the newest version still: what stands in the blocks is what counts, and no
 * chain is looked at. Properties of deleted rows and relationships are left out, their ids stay
 * taken. Columns go out in three passes (elements, text, descriptions), because a section is
 * written from its beginning to its end.
 */
#include "config.h"

#include "graph/stored.h"
#include "value/encode.h"
#include <assert.h>

typedef struct Save {
    const GraphView *view;
    SegmentWriter *segment;
    Buffer scratch; /* one block's mixed values at a time */
} Save;

static Error *begin(Save *save, SegmentSection section)
{
    section.flags = SEGMENT_REQUIRED;
    return segment_begin(save->segment, &section);
}

static uint64_t blocks_for(uint64_t rows)
{
    return (rows + GRAPH_BLOCK_ROWS - 1) / GRAPH_BLOCK_ROWS;
}

/* ---- rows ---- */

static Error *save_rows(Save *save, uint32_t table, const Rows *rows)
{
    uint64_t count = atomic_load(&rows->count), live = atomic_load(&rows->live);
    TRY(begin(save, (SegmentSection){
                        .kind = STORED_ROWS, .table = table, .count = count, .extra = live}));
    for (uint64_t row = 0; live < count && row < count; row += 64) {
        uint64_t word = 0;
        for (uint64_t i = row; i < count && i < row + 64; i++)
            if (!rows_visible(rows, i, save->view->version)) word |= UINT64_C(1) << i % 64;
        TRY(segment_put(save->segment, &word, sizeof word));
    }
    return NULL;
}

/* ---- columns ---- */

static StoredType stored_type(ColumnType type)
{
    switch (type) {
    case COLUMN_ANY: return STORED_ANY;
    case COLUMN_BOOLEAN: return STORED_BOOLEAN;
    case COLUMN_INTEGER: return STORED_INTEGER;
    case COLUMN_FLOAT: return STORED_FLOAT;
    case COLUMN_STRING: return STORED_STRING;
    case COLUMN_VECTOR: return STORED_VECTOR;
    case COLUMN_UNSET:
    case COLUMN_NODE:
    case COLUMN_RELATIONSHIP: break;
    }
    return STORED_NOTHING;
}

static bool is_set(const StoredBlock *out, uint32_t i)
{
    return out->present[i / 64] >> i % 64 & 1;
}

/* What of the block is worth keeping: values of rows that are alive. */
static void describe(const Save *save, const Rows *rows, uint64_t number, const ColumnBlock *block,
                     StoredBlock *out)
{
    uint64_t count = atomic_load(&rows->count), begin_row = number * GRAPH_BLOCK_ROWS;
    bool all_live = atomic_load(&rows->live) == count;
    *out = (StoredBlock){0};
    for (uint32_t i = 0; block != NULL && i < GRAPH_BLOCK_ROWS && begin_row + i < count; i++) {
        bool kept = (block->present[i / 64] >> i % 64 & 1) &&
                    (all_live || rows_visible(rows, begin_row + i, save->view->version));
        if (!kept) continue;
        out->present[i / 64] |= UINT64_C(1) << i % 64;
        out->rows = i + 1;
    }
    if (out->rows == 0) return;
    out->type = stored_type(block->type);
    out->dimensions = block->dimensions;
    out->stride = block->stride;
}

/* Where each row's text begins, if strings stand behind one another, and where they end. Mixed
 * values are encoded into scratch on the way. */
static Error *text_offsets(Save *save, const ColumnBlock *block, const StoredBlock *stored,
                           uint32_t offsets[GRAPH_BLOCK_ROWS + 1])
{
    uint64_t at = 0;
    buffer_clear(&save->scratch);
    for (uint32_t i = 0; i < stored->rows; i++) {
        offsets[i] = (uint32_t)at;
        if (!is_set(stored, i)) continue;
        Value value = column_block_value(block, i);
        if (stored->type == STORED_ANY) value_encode(&save->scratch, value);
        at = stored->type == STORED_ANY ? save->scratch.bytes : at + value.aux;
        if (at > UINT32_MAX)
            return error_hint(error_new(ERROR_LIMIT,
                                        "%d values of one property hold more than "
                                        "4 GiB of text",
                                        GRAPH_BLOCK_ROWS),
                              "cut the texts into smaller ones");
    }
    offsets[stored->rows] = (uint32_t)at;
    return NULL;
}

static Error *put_data(Save *save, const ColumnBlock *block, StoredBlock *stored)
{
    uint32_t offsets[GRAPH_BLOCK_ROWS + 1];
    uint64_t bytes = stored_data_bytes(stored);
    if (stored->type == STORED_NOTHING) return NULL;
    TRY(segment_pad(save->segment, STORED_ALIGN));
    stored->data_at = segment_put_bytes(save->segment);
    if (stored->type == STORED_STRING || stored->type == STORED_ANY) {
        TRY(text_offsets(save, block, stored, offsets));
        stored->text_bytes = offsets[stored->rows];
        return segment_put(save->segment, offsets, bytes);
    }
    if (stored->type != STORED_VECTOR) return segment_put(save->segment, block->data, bytes);
    uint64_t factor_bytes = stored->rows * sizeof(float);
    TRY(segment_put(save->segment, block->vectors, bytes - factor_bytes));
    return segment_put(save->segment, block->factors, factor_bytes);
}

static Error *put_text(Save *save, const ColumnBlock *block, StoredBlock *stored)
{
    uint32_t offsets[GRAPH_BLOCK_ROWS + 1];
    stored->text_at = segment_put_bytes(save->segment);
    if (stored->type == STORED_ANY) {
        TRY(text_offsets(save, block, stored, offsets));
        return segment_put(save->segment, save->scratch.data, save->scratch.bytes);
    }
    for (uint32_t i = 0; stored->type == STORED_STRING && i < stored->rows; i++) {
        if (!is_set(stored, i)) continue;
        Str text = column_block_text(block, i);
        TRY(segment_put(save->segment, text.data == NULL ? "" : text.data, text.bytes));
    }
    return NULL;
}

static Error *save_column(Save *save, uint32_t table, uint32_t key, const Rows *rows,
                          const PropertyColumn *column, StoredBlock *stored)
{
    uint64_t count = blocks_for(atomic_load(&rows->count));
    bool any = false;
    for (uint64_t i = 0; i < count; i++) {
        describe(save, rows, i, directory_get(&column->blocks, i), &stored[i]);
        any = any || stored[i].type != STORED_NOTHING;
    }
    if (!any) return NULL;
    SegmentSection section = {.table = table, .key = key, .count = count};
    section.kind = STORED_DATA;
    TRY(begin(save, section));
    for (uint64_t i = 0; i < count; i++)
        TRY(put_data(save, directory_get(&column->blocks, i), &stored[i]));
    section.kind = STORED_TEXT;
    TRY(begin(save, section));
    for (uint64_t i = 0; i < count; i++)
        TRY(put_text(save, directory_get(&column->blocks, i), &stored[i]));
    section.kind = STORED_BLOCKS;
    TRY(begin(save, section));
    return segment_put(save->segment, stored, count * sizeof *stored);
}

static Error *save_table(Save *save, uint32_t number, const Table *table)
{
    uint32_t keys = graph_name_count(save->view->graph, NAME_KEY);
    uint64_t count = blocks_for(atomic_load(&table->rows.count));
    StoredBlock *stored = mem_calloc(count + 1, sizeof *stored);
    Error *error = save_rows(save, number, &table->rows);
    for (uint32_t key = 0; key < keys && error == NULL; key++) {
        const PropertyColumn *column = table_column(table, key);
        if (column != NULL) error = save_column(save, number, key, &table->rows, column, stored);
    }
    if (error == NULL && number == 0)
        error = save_column(save, 0, STORED_SHAPES, &table->rows, &save->view->graph->shapes_of,
                            stored);
    mem_free(stored);
    return error;
}

/* ---- labels ---- */

/* Every label's bitmap at once: one pass over the nodes. */
static uint64_t **label_bits(const GraphView *view, uint32_t labels, uint64_t words)
{
    uint64_t **bits = mem_calloc(labels + 1, sizeof *bits);
    for (uint32_t i = 0; i < labels; i++)
        bits[i] = mem_calloc(words + 1, sizeof **bits);
    uint64_t nodes = atomic_load(&view->graph->nodes.rows.count);
    for (uint64_t node = 0; node < nodes; node++) {
        int64_t set;
        if (!graph_node_visible(view, node)) continue;
        const Shape *shape = column_plain_integer(&view->graph->shapes_of, node, &set)
                                 ? directory_get(&view->graph->shapes, (size_t)set)
                                 : graph_shape(view->graph, node, view->version);
        for (uint32_t i = 0; shape != NULL && i < shape->count; i++)
            bits[shape->labels[i]][node / 64] |= UINT64_C(1) << node % 64;
    }
    return bits;
}

static Error *save_label(Save *save, uint32_t label, const uint64_t *bits, uint64_t words)
{
    enum { WORDS = GRAPH_BLOCK_ROWS / 64 };
    uint64_t first = 0, end = words;
    while (first < end && bits[first] == 0)
        first++;
    while (end > first && bits[end - 1] == 0)
        end--;
    if (first == end) return NULL;
    uint64_t from = first / WORDS, until = (end + WORDS - 1) / WORDS;
    TRY(begin(save, (SegmentSection){.kind = STORED_LABEL,
                                     .key = label,
                                     .first = from,
                                     .count = until - from,
                                     .extra = graph_label_count(save->view, label)}));
    return segment_put(save->segment, bits + from * WORDS, (until - from) * WORDS * sizeof *bits);
}

static Error *save_labels(Save *save)
{
    uint32_t labels = graph_name_count(save->view->graph, NAME_LABEL);
    uint64_t words =
        blocks_for(atomic_load(&save->view->graph->nodes.rows.count)) * (GRAPH_BLOCK_ROWS / 64);
    uint64_t **bits = label_bits(save->view, labels, words);
    Error *error = NULL;
    for (uint32_t i = 0; i < labels; i++) {
        if (error == NULL) error = save_label(save, i, bits[i], words);
        mem_free(bits[i]);
    }
    mem_free(bits);
    return error;
}

/* ---- adjacency ---- */

static Error *put_csr(Save *save, uint32_t table, const Csr *csr, bool in)
{
    const struct {
        StoredSection kind;
        const void *data;
        uint64_t count, bytes;
    } parts[] = {{STORED_BITS, csr->bits, csr->word_count, sizeof *csr->bits},
                 {STORED_RANKS, csr->ranks, csr->word_count, sizeof *csr->ranks},
                 {STORED_OFFSETS, csr->offsets, csr->slice_count + 1ul, sizeof *csr->offsets},
                 {STORED_TARGETS, csr->targets, csr->entry_count, sizeof *csr->targets},
                 {STORED_NUMBERS, csr->numbers, csr->entry_count, sizeof *csr->numbers}};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        if (parts[i].data == NULL) continue;
        TRY(begin(save, (SegmentSection){.kind = (uint16_t)parts[i].kind,
                                         .table = table,
                                         .key = in,
                                         .first = csr->first_word,
                                         .count = parts[i].count}));
        TRY(segment_put(save->segment, parts[i].data, parts[i].count * parts[i].bytes));
    }
    return NULL;
}

/* What a load made is taken as it is, if it is all there is. */
static const Csr *whole_base(const RelationshipType *type, const Adjacency *adjacency)
{
    const Csr *base = atomic_load(&adjacency->base);
    uint64_t count = atomic_load(&type->table.rows.count);
    bool all = base != NULL && base->owned && base->entry_count == count &&
               atomic_load(&type->table.rows.live) == count;
    return all ? base : NULL;
}

static Error *save_direction(Save *save, uint32_t number, const RelationshipType *type, bool in)
{
    const Csr *base = whole_base(type, in ? &type->in : &type->out);
    if (base != NULL) return put_csr(save, 1 + number, base, in);
    Csr *made = csr_make(save->view->graph, type, in, save->view->version);
    Error *error = made == NULL ? NULL : put_csr(save, 1 + number, made, in);
    csr_free(made);
    return error;
}

static Error *save_type(Save *save, uint32_t number)
{
    const RelationshipType *type = graph_type(save->view->graph, number);
    uint64_t blocks = blocks_for(atomic_load(&type->table.rows.count));
    TRY(save_table(save, 1 + number, &type->table));
    TRY(begin(save, (SegmentSection){.kind = STORED_ENDS, .table = 1 + number, .count = blocks}));
    for (uint64_t i = 0; i < blocks; i++) {
        const EndsBlock *block = directory_get(&type->ends, i);
        if (block == NULL) return graph_damage(save->view->graph);
        TRY(segment_put(save->segment, block, sizeof *block));
    }
    TRY(save_direction(save, number, type, false));
    return save_direction(save, number, type, true);
}

/* ---- indexes and what everything is called ---- */

/* Nodes that were taken back need not be in the run any more. */
static Error *save_run(Save *save, const Index *index, uint32_t number)
{
    uint64_t nodes = atomic_load(&save->view->graph->nodes.rows.count);
    uint64_t count = atomic_load(&index->run.count);
    if (index->run.node + count > nodes)
        count = index->run.node < nodes ? nodes - index->run.node : 0;
    if (count == 0) return NULL;
    return begin(save, (SegmentSection){.kind = STORED_RUN,
                                        .key = number,
                                        .first = index->run.node,
                                        .count = count,
                                        .extra = (uint64_t)index->run.key});
}

static Error *save_indexes(Save *save)
{
    const Graph *graph = save->view->graph;
    for (uint32_t i = 0, number = 0; i < graph_index_count(graph); i++) {
        const Index *index = directory_get(&graph->indexes, i);
        if (index == NULL) continue;
        TRY(save_run(save, index, number));
        const HashTable *table = atomic_load(&index->table);
        if (table != NULL) {
            size_t slots = table->mask + 1;
            const Segment *base = graph->segment;
            if (base != NULL && segment_holds(base, table) &&
                !segment_touch(graph->segment, table, sizeof *table + slots * sizeof *table->slots))
                return graph_damage(graph);
            TRY(begin(save, (SegmentSection){.kind = STORED_INDEX,
                                             .key = number,
                                             .count = slots,
                                             .extra = index->used}));
            TRY(segment_put(save->segment, table, sizeof *table + slots * sizeof *table->slots));
        }
        number++;
    }
    return NULL;
}

static void put_index(const GraphIndex *index, Buffer *out)
{
    put_str(out, index->name);
    put_varint(out, index->label);
    put_varint(out, index->key);
    put_u8(out, graph_index_byte(index));
    put_varint(out, index->dimensions);
    put_u8(out, index->metric);
}

static void put_schema(const Graph *graph, Buffer *out)
{
    uint32_t indexes = 0;
    for (int kind = 0; kind < NAME_KIND_COUNT; kind++) {
        uint32_t count = graph_name_count(graph, (NameKind)kind);
        put_varint(out, count);
        for (uint32_t i = 0; i < count; i++)
            put_str(out, graph_name_text(graph, (NameKind)kind, i));
    }
    uint32_t shapes = atomic_load(&graph->shape_count);
    put_varint(out, shapes);
    for (uint32_t i = 0; i < shapes; i++) {
        const Shape *shape = directory_get(&graph->shapes, i);
        put_varint(out, shape->count);
        for (uint32_t j = 0; j < shape->count; j++)
            put_varint(out, shape->labels[j]);
    }
    for (uint32_t i = 0; i < graph_index_count(graph); i++)
        indexes += graph_index_at(graph, i) != NULL;
    put_varint(out, indexes);
    for (uint32_t i = 0; i < graph_index_count(graph); i++)
        if (graph_index_at(graph, i) != NULL) put_index(graph_index_at(graph, i), out);
}

Error *graph_save(const GraphView *view, SegmentWriter *segment, Buffer *schema)
{
    Save save = {.view = view, .segment = segment};
    assert(view->version == graph_pending(view->graph));
    put_schema(view->graph, schema);
    Error *error = save_table(&save, 0, &view->graph->nodes);
    if (error == NULL) error = save_labels(&save);
    for (uint32_t i = 0; i < graph_name_count(view->graph, NAME_TYPE) && error == NULL; i++)
        error = save_type(&save, i);
    if (error == NULL) error = save_indexes(&save);
    buffer_free(&save.scratch);
    return error == NULL ? graph_damage(view->graph) : error;
}
