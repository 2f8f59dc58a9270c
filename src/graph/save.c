/*
 * save.c - a graph as the sections of a segment (stored.h).
 *
 * Whoever saves holds the newest version still: what stands in the blocks is what counts, and no
 * chain is looked at. Properties of deleted rows and relationships are left out, their ids stay
 * taken. Columns of properties are save_column.c's.
 *
 * A graph that lies on a segment need not be written whole (graph_save_onto): what has not changed since
 * is referred to where it lies. Blocks of columns are told from copies of them by where they are, rows
 * by their counters, the table of an index by how much is in it. Relationships that came stand behind
 * the adjacency, as a list, and so do those of it that went, until they are too many: then their type's
 * adjacency is made anew.
 *
 * A load in several statements need not wait until its end to be written: graph_save_ahead takes the
 * columns of nodes and the types of relationships as the statements so far left them, and a thread
 * saves these parts while the next statement runs. It reads what is there and nothing that is made
 * meanwhile: new rows lie behind the ones it knows, and who would change these waits for it
 * (writer_wait_saved). Each part carries a stamp of the counters that any change moves on; a part whose
 * stamp is no longer that of the graph is dropped from the segment and saved again. Which parts are taken
 * when depends on the statements alone, so that the same statements make the same bytes.
 */
#include "config.h"

#include "graph/save_internal.h"
#include "value/encode.h"
#include <assert.h>
#include <stdlib.h>

Error *save_begin(Save *save, SegmentSection section)
{
    section.flags = SEGMENT_REQUIRED;
    return segment_begin(save->segment, &section);
}

/* ---- what lies in the base ---- */

const SegmentSection *save_find_base(const Save *save, StoredSection kind, uint32_t table,
                                     uint32_t key, uint64_t first)
{
    for (size_t i = 0; save->base != NULL && i < segment_count(save->base); i++) {
        const SegmentSection *section = segment_section(save->base, i);
        bool same = section->kind == kind && section->table == table && section->key == key;
        if (same && (first == ANY_FIRST || section->first == first)) return section;
    }
    return NULL;
}

Error *save_refer(Save *save, const SegmentSection *section, SegmentSection as, uint64_t used)
{
    if (section->bytes == 0) return segment_begin(save->segment, &as);
    segment_refer(save->segment, save->base, section, &as);
    save->kept += (used + SEGMENT_ALIGN_BYTES - 1) / SEGMENT_ALIGN_BYTES * SEGMENT_ALIGN_BYTES;
    return NULL;
}

static Error *refer(Save *save, const SegmentSection *section)
{
    return save_refer(save, section, *section, section->bytes);
}

/* All sections of the kind that the table has, of one key or of ANY_KEY. */
static Error *refer_kind(Save *save, StoredSection kind, uint32_t table, uint32_t key)
{
    for (size_t i = 0; i < segment_count(save->base); i++) {
        const SegmentSection *section = segment_section(save->base, i);
        if (section->kind == kind && section->table == table &&
            (key == ANY_KEY || section->key == key))
            TRY(refer(save, section));
    }
    return NULL;
}

const void *save_base_data(const Save *save, const SegmentSection *section)
{
    const void *data = section == NULL ? NULL : segment_data(save->base, section);
    return data != NULL && segment_touch(save->base, data, section->bytes) ? data : NULL;
}

static bool rows_changed(const Rows *rows)
{
    return rows->made > 0 || rows->taken > 0;
}

/* ---- rows ---- */

/* Of 64 rows those that are not there any more. */
static uint64_t dead_rows(const Rows *rows, uint64_t first, uint64_t count, uint64_t version)
{
    uint64_t word = 0;
    if (!rows_touched(rows, first / GRAPH_BLOCK_ROWS)) /* as the segment has them */
        return rows->dead == NULL ? 0 : rows->dead[first / 64];
    for (uint64_t i = first; i < count && i < first + 64; i++)
        if (!rows_visible(rows, i, version)) word |= UINT64_C(1) << i % 64;
    return word;
}

static Error *save_rows(Save *save, uint32_t table, const Rows *rows)
{
    uint64_t count = atomic_load(&rows->count), live = atomic_load(&rows->live);
    const SegmentSection *same = save_find_base(save, STORED_ROWS, table, 0, ANY_FIRST);
    if (same != NULL && !rows_changed(rows)) return refer(save, same);
    TRY(save_begin(save, (SegmentSection){
                             .kind = STORED_ROWS, .table = table, .count = count, .extra = live}));
    for (uint64_t row = 0; live < count && row < count; row += 64) {
        uint64_t word = dead_rows(rows, row, count, save->view.version);
        TRY(segment_put(save->segment, &word, sizeof word));
    }
    return NULL;
}

static Extent extent_of(const Rows *rows)
{
    uint64_t count = atomic_load(&rows->count);
    return (Extent){rows, count, atomic_load(&rows->live) == count};
}

/* ---- labels ---- */

/* The label sets of these nodes, as bits. */
static void take_labels(const GraphView *view, uint64_t first, uint64_t end, uint64_t **bits)
{
    for (uint64_t node = first; node < end; node++) {
        int64_t set;
        if (!graph_node_visible(view, node)) continue;
        const Shape *shape =
            column_plain_integer(&view->graph->shapes_of, node, view->version, &set)
                ? directory_get(&view->graph->shapes, (size_t)set)
                : graph_shape(view->graph, node, view->version);
        for (uint32_t i = 0; shape != NULL && i < shape->count; i++)
            bits[shape->labels[i]][node / 64] |= UINT64_C(1) << node % 64;
    }
}

/* What the base says of a block of nodes that has not changed. */
static void keep_labels(const Save *save, uint64_t block, uint32_t labels, uint64_t **bits)
{
    for (uint32_t i = 0; i < labels; i++) {
        const SegmentSection *section = save_find_base(save, STORED_LABEL, 0, i, ANY_FIRST);
        const uint64_t *data = save_base_data(save, section);
        if (data == NULL || block < section->first || block - section->first >= section->count)
            continue;
        memcpy(bits[i] + block * GRAPH_BLOCK_WORDS,
               data + (block - section->first) * GRAPH_BLOCK_WORDS, GRAPH_BLOCK_ROWS / 8);
    }
}

/* Every label's bitmap at once: one pass over the nodes. */
static uint64_t **label_bits(const Save *save, uint32_t labels, uint64_t words)
{
    const Graph *graph = save->view.graph;
    const Rows *rows = &graph->nodes.rows;
    uint64_t **bits = mem_calloc(labels + 1, sizeof *bits), nodes = atomic_load(&rows->count);
    for (uint32_t i = 0; i < labels; i++)
        bits[i] = mem_calloc(words + 1, sizeof **bits);
    for (uint64_t first = 0; first < nodes; first += GRAPH_BLOCK_ROWS) {
        uint64_t block = first / GRAPH_BLOCK_ROWS, end = first + GRAPH_BLOCK_ROWS;
        bool same = save->base != NULL && rows->taken == 0 && end <= rows->base_count &&
                    !save_block_changed(&graph->shapes_of, block);
        if (same)
            keep_labels(save, block, labels, bits);
        else
            take_labels(&save->view, first, end < nodes ? end : nodes, bits);
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
    TRY(save_begin(save, (SegmentSection){.kind = STORED_LABEL,
                                          .key = label,
                                          .first = from,
                                          .count = until - from,
                                          .extra = graph_label_count(&save->view, label)}));
    return segment_put(save->segment, bits + from * WORDS, (until - from) * WORDS * sizeof *bits);
}

static bool sets_changed(const Save *save)
{
    uint64_t blocks = blocks_for(atomic_load(&save->view.graph->nodes.rows.count));
    for (uint64_t i = 0; i < blocks; i++)
        if (save_block_changed(&save->view.graph->shapes_of, i)) return true;
    return false;
}

static Error *save_labels(Save *save)
{
    uint32_t labels = graph_name_count(save->view.graph, NAME_LABEL);
    if (save->base != NULL && !rows_changed(&save->view.graph->nodes.rows) && !sets_changed(save))
        return refer_kind(save, STORED_LABEL, 0, ANY_KEY);
    uint64_t words =
        blocks_for(atomic_load(&save->view.graph->nodes.rows.count)) * (GRAPH_BLOCK_ROWS / 64);
    uint64_t **bits = label_bits(save, labels, words);
    Error *error = NULL;
    for (uint32_t i = 0; i < labels; i++) {
        if (error == NULL) error = save_label(save, i, bits[i], words);
        mem_free(bits[i]);
    }
    mem_free(bits);
    return error;
}

/* ---- adjacency ---- */

/* Of a block of entries: what their numbers are beyond those that begin where the group of each
 * one's target does in `frame`. */
static void count_from_frame(const Csr *csr, const Csr *frame, uint32_t first, uint32_t count,
                             int64_t *out)
{
    for (uint32_t i = 0; i < count; i++) {
        uint32_t number = csr->numbers[first + i], target = csr->targets[first + i];
        uint32_t base = frame == NULL ? 0 : frame->groups[target / 64 - frame->first_group].base;
        out[i] = (int64_t)number - base;
    }
}

static Error *put_numbers(Save *save, SegmentSection section, const Csr *csr, const Csr *frame)
{
    int64_t values[GRAPH_BLOCK_ROWS];
    uint64_t blocks = blocks_for(csr->entry_count);
    CsrNumbers *described = mem_alloc(blocks * sizeof *described);
    buffer_clear(&save->scratch);
    for (uint64_t i = 0; i < blocks; i++) {
        uint32_t first = (uint32_t)(i * GRAPH_BLOCK_ROWS), left = csr->entry_count - first,
                 count = left < GRAPH_BLOCK_ROWS ? left : GRAPH_BLOCK_ROWS;
        count_from_frame(csr, frame, first, count, values);
        described[i].at = (uint32_t)(blocks + save->scratch.bytes / 8);
        described[i].width = pack(values, count, NULL, &save->scratch);
        assert(described[i].width <= PACK_WIDTH_MAX); /* of 32 bits */
    }
    section.kind = STORED_NUMBERS;
    section.count = csr->entry_count;
    section.extra = frame != NULL;
    Error *error = save_begin(save, section);
    if (error == NULL) error = segment_put(save->segment, described, blocks * sizeof *described);
    if (error == NULL) error = segment_put(save->segment, save->scratch.data, save->scratch.bytes);
    mem_free(described);
    return error;
}

/* `frame`: the other direction, if it is in order and has all there are; else NULL. */
static Error *put_csr(Save *save, uint32_t table, const Csr *csr, const Csr *frame, bool in)
{
    const struct {
        StoredSection kind;
        const void *data;
        uint64_t count, bytes;
    } parts[] = {{STORED_GROUPS, csr->groups, csr->group_count + 1, sizeof *csr->groups},
                 {STORED_OFFSETS, csr->offsets, csr->offset_count, sizeof *csr->offsets},
                 {STORED_TARGETS, csr->targets, csr->entry_count, sizeof *csr->targets}};
    SegmentSection section = {.table = table, .key = in, .first = csr->first_group};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        section.kind = (uint16_t)parts[i].kind;
        section.count = parts[i].count;
        TRY(save_begin(save, section));
        TRY(segment_put(save->segment, parts[i].data, parts[i].count * parts[i].bytes));
    }
    return csr_in_order(csr) ? NULL : put_numbers(save, section, csr, frame);
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

static Error *save_ends(Save *save, uint32_t number, const RelationshipType *type, uint64_t blocks)
{
    TRY(save_begin(save,
                   (SegmentSection){.kind = STORED_ENDS, .table = 1 + number, .count = blocks}));
    for (uint64_t i = 0; i < blocks; i++) {
        EndsBlock found = {0};
        const EndsBlock *block = directory_get(&type->ends, i);
        uint64_t first = i * GRAPH_BLOCK_ROWS, rows = atomic_load(&type->table.rows.count);
        for (uint64_t row = first; block == NULL && row < rows && row < first + GRAPH_BLOCK_ROWS;
             row++)
            if (!type_ends(type, row, &found.from[row - first], &found.to[row - first]))
                return graph_damage(save->view.graph);
        TRY(segment_put(save->segment, block == NULL ? &found : block, sizeof *block));
    }
    return NULL;
}

/* Relationships that lie by number in one direction have their ends there. */
static bool has_order(const Csr *csr, uint64_t rows)
{
    return csr != NULL && csr_in_order(csr) && csr->entry_count == rows;
}

typedef struct Gone { /* relationships that the base's adjacency has, and that are deleted */
    StoredGone *all;
    uint64_t count;
    size_t capacity;
} Gone;

static int by_row(const void *a, const void *b)
{
    const StoredGone *x = a, *y = b;
    return x->row < y->row ? -1 : x->row > y->row;
}

/* Those of before, and of the base's rows that were alive those that are not any more. */
static Error *find_gone(const Save *save, uint32_t number, const RelationshipType *type, Gone *out)
{
    const SegmentSection *before = save_find_base(save, STORED_GONE, 1 + number, 0, ANY_FIRST);
    const StoredGone *known = save_base_data(save, before);
    const Rows *rows = &type->table.rows;
    uint64_t end = atomic_load(&type->out.base)->row_count;
    if (before != NULL && known == NULL) return graph_damage(save->view.graph);
    if (before != NULL) {
        mem_reserve(out->all, out->capacity, before->count);
        memcpy(out->all, known, before->bytes);
        out->count = before->count;
    }
    for (uint64_t row = 0; row < end && out->count <= STORED_GONE_MAX; row++) {
        if (row % GRAPH_BLOCK_ROWS == 0 && !rows_touched(rows, row / GRAPH_BLOCK_ROWS)) {
            row += GRAPH_BLOCK_ROWS - 1;
            continue;
        }
        if (rows_were_dead(rows, row) || rows_visible(rows, row, save->view.version)) continue;
        StoredGone gone = {.row = (uint32_t)row};
        if (!type_ends(type, row, &gone.from, &gone.to)) return graph_damage(save->view.graph);
        mem_reserve(out->all, out->capacity, out->count + 1);
        out->all[out->count++] = gone;
    }
    if (out->count > 0) qsort(out->all, out->count, sizeof *out->all, by_row);
    return NULL;
}

/* Is the adjacency of the base good for all but some relationships that came since, and some that went? */
static bool may_keep_adjacency(const Save *save, const RelationshipType *type, uint64_t rows)
{
    const Csr *out = atomic_load(&type->out.base), *in = atomic_load(&type->in.base);
    return save->base != NULL && out != NULL && in != NULL && !out->owned && !in->owned &&
           rows - out->row_count <= STORED_ADDED_MAX;
}

static Error *save_added(Save *save, uint32_t number, const RelationshipType *type, uint64_t first,
                         uint64_t end)
{
    if (first == end) return NULL;
    TRY(save_begin(save, (SegmentSection){.kind = STORED_ADDED,
                                          .table = 1 + number,
                                          .first = first,
                                          .count = end - first}));
    for (uint64_t row = first; row < end; row++) {
        uint32_t ends[2];
        if (!type_ends(type, row, &ends[0], &ends[1])) return graph_damage(save->view.graph);
        TRY(segment_put(save->segment, ends, sizeof ends));
    }
    return NULL;
}

static Error *save_gone(Save *save, uint32_t number, const Gone *gone)
{
    const SegmentSection *same = save_find_base(save, STORED_GONE, 1 + number, 0, ANY_FIRST);
    if (gone->count == 0) return NULL;
    if (same != NULL && same->count == gone->count) return refer(save, same);
    SegmentSection section = {.kind = STORED_GONE, .table = 1 + number, .count = gone->count};
    TRY(save_begin(save, section));
    return segment_put(save->segment, gone->all, gone->count * sizeof *gone->all);
}

static Error *refer_adjacency(Save *save, uint32_t number, const RelationshipType *type,
                              uint64_t rows, const Gone *gone)
{
    static const StoredSection kinds[] = {STORED_ENDS, STORED_GROUPS, STORED_OFFSETS,
                                          STORED_TARGETS, STORED_NUMBERS};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        TRY(refer_kind(save, kinds[i], 1 + number, ANY_KEY));
    TRY(save_gone(save, number, gone));
    return save_added(save, number, type, atomic_load(&type->out.base)->row_count, rows);
}

/* Not *kept: it is to be made anew. */
static Error *keep_adjacency(Save *save, uint32_t number, const RelationshipType *type,
                             uint64_t rows, bool *kept)
{
    Gone gone = {0};
    *kept = false;
    if (!may_keep_adjacency(save, type, rows)) return NULL;
    Error *error = find_gone(save, number, type, &gone);
    *kept = gone.count <= STORED_GONE_MAX;
    if (error == NULL && *kept) error = refer_adjacency(save, number, type, rows, &gone);
    mem_free(gone.all);
    return error;
}

static Error *save_directions(Save *save, uint32_t number, const RelationshipType *type,
                              const Extent *extent)
{
    bool kept;
    TRY(keep_adjacency(save, number, type, extent->count, &kept));
    if (kept) return NULL;
    const Csr *bases[2] = {whole_base(type, &type->out), whole_base(type, &type->in)};
    Csr *made[2] = {NULL, NULL};
    for (int in = 0; in < 2; in++)
        if (bases[in] == NULL)
            bases[in] = made[in] = csr_make(save->view.graph, type, in == 1, save->view.version);
    const Csr *frames[2] = {NULL, NULL}; /* of out, and of in */
    for (int in = 0; in < 2; in++)
        if (has_order(bases[in], extent->count)) frames[!in] = bases[in];
    bool order = frames[0] != NULL || frames[1] != NULL;
    Error *error = order ? NULL : save_ends(save, number, type, blocks_for(extent->count));
    for (int in = 0; in < 2 && error == NULL; in++)
        if (bases[in] != NULL) error = put_csr(save, 1 + number, bases[in], frames[in], in == 1);
    csr_free(made[0]);
    csr_free(made[1]);
    return error;
}

static Error *save_type(Save *save, uint32_t number)
{
    const RelationshipType *type = graph_type(save->view.graph, number);
    Extent extent = extent_of(&type->table.rows);
    TRY(save_rows(save, 1 + number, &type->table.rows));
    for (uint32_t key = 0; key < directory_size(&type->table.columns); key++) {
        const PropertyColumn *column = table_column(&type->table, key);
        if (column != NULL) TRY(save_column(save, 1 + number, key, &extent, column));
    }
    return save_directions(save, number, type, &extent);
}

/* ---- indexes and what everything is called ---- */

/* Nodes that were taken back need not be in the run any more. */
static Error *save_run(Save *save, const Index *index, uint32_t number)
{
    uint64_t nodes = atomic_load(&save->view.graph->nodes.rows.count);
    uint64_t count = atomic_load(&index->run.count);
    if (index->run.node + count > nodes)
        count = index->run.node < nodes ? nodes - index->run.node : 0;
    if (count == 0) return NULL;
    return save_begin(save, (SegmentSection){.kind = STORED_RUN,
                                             .key = number,
                                             .first = index->run.node,
                                             .count = count,
                                             .extra = (uint64_t)index->run.key});
}

/* Values and nodes of an order, or of what came to it, as they are found again. */
static Error *put_order(Save *save, const Index *index, Ordered *ordered, bool added,
                        uint32_t number)
{
    enum { KEYS_PUT = 512, TEXT_PUT = 1 << 16, AHEAD = 8 };
    Arena *arena = arena_create();
    Value *values;
    uint32_t *nodes;
    uint64_t count = index_order_entries(&save->view, &index->definition, ordered, added, arena,
                                         &values, &nodes),
             bytes = 0;
    SegmentSection section = {
        .kind = STORED_ORDERED, .key = number, .first = added, .count = count};
    Buffer text = {0};
    Error *error = segment_begin(save->segment, &section); /* an older program does without it */
    for (uint64_t i = 0; i < count && error == NULL; i += KEYS_PUT) {
        OrderedKey keys[KEYS_PUT];
        uint32_t these = count - i < KEYS_PUT ? (uint32_t)(count - i) : KEYS_PUT;
        for (uint32_t k = 0; k < these; k++)
            keys[k] = ordered_key(values[i + k], &bytes, NULL);
        error = segment_put(save->segment, keys, these * sizeof *keys);
    }
    if (error == NULL && count > 0)
        error = segment_put(save->segment, nodes, count * sizeof *nodes);
    section.kind = STORED_KEYS;
    if (error == NULL) error = segment_begin(save->segment, &section);
    for (uint64_t i = 0; i < count && error == NULL; i++) {
        if (i + AHEAD < count) __builtin_prefetch(values[i + AHEAD].as.text);
        ordered_key(values[i], &bytes, &text);
        if (text.bytes < TEXT_PUT && i + 1 < count) continue;
        if (text.bytes > 0) error = segment_put(save->segment, text.data, text.bytes);
        buffer_clear(&text);
    }
    buffer_free(&text);
    mem_free(values);
    mem_free(nodes);
    arena_destroy(arena);
    return error;
}

/* What came since stands behind the base's, as long as it is little beside it. */
static Error *save_order(Save *save, const Index *index, uint32_t number)
{
    enum { ADDED_PART = 8 };
    Ordered *ordered = atomic_load(&index->ordered), *made = NULL;
    if (ordered == NULL) ordered = made = index_order_made(&save->view, &index->definition);
    ordered_settle(ordered);
    const OrderedBase *base = ordered_base(ordered);
    uint64_t added = ordered_added(ordered);
    bool little = added <= STORED_ORDERED_ADDED_MAX && added <= base->count / ADDED_PART;
    const SegmentSection *keys = NULL, *text = NULL;
    for (size_t i = 0; little && save->base != NULL && i < segment_count(save->base); i++) {
        const SegmentSection *section = segment_section(save->base, i);
        const void *data = section->bytes == 0 ? NULL : segment_data(save->base, section);
        if (section->kind == STORED_ORDERED && data == base->keys) keys = section;
        if (section->kind == STORED_KEYS && keys != NULL && section->key == keys->key &&
            section->first == keys->first)
            text = section;
    }
    Error *error = NULL;
    if (text != NULL) {
        SegmentSection as = *keys, text_as = *text;
        as.key = text_as.key = number;
        error = save_refer(save, keys, as, keys->bytes);
        if (error == NULL) error = save_refer(save, text, text_as, text->bytes);
        if (error == NULL && added > 0) error = put_order(save, index, ordered, true, number);
    } else {
        error = put_order(save, index, ordered, false, number);
    }
    ordered_free(made);
    return error;
}

/* The base's table that the index still uses as it is: only ever more is put into it. */
static const SegmentSection *same_table(const Save *save, const Index *index, const void *table)
{
    for (size_t i = 0; save->base != NULL && i < segment_count(save->base); i++) {
        const SegmentSection *section = segment_section(save->base, i);
        if (section->kind == STORED_INDEX && segment_data(save->base, section) == table &&
            section->extra == index->used)
            return section;
    }
    return NULL;
}

static Error *save_indexes(Save *save)
{
    const Graph *graph = save->view.graph;
    for (uint32_t i = 0, number = 0; i < graph_index_count(graph); i++) {
        const Index *index = index_at(&save->view, i);
        if (index == NULL) continue;
        TRY(save_run(save, index, number));
        if (index->used > 0 || index->definition.key_count > 1)
            TRY(save_order(save, index, number));
        const HashTable *table = atomic_load(&index->table);
        if (table != NULL) {
            size_t slots = table->mask + 1;
            const Segment *base = graph->segment;
            const SegmentSection *same = same_table(save, index, table);
            if (same != NULL) {
                SegmentSection as = *same;
                as.key = number++;
                TRY(save_refer(save, same, as, same->bytes));
                continue;
            }
            if (base != NULL && segment_holds(base, table) &&
                !segment_touch(graph->segment, table, sizeof *table + slots * sizeof *table->slots))
                return graph_damage(graph);
            TRY(save_begin(save, (SegmentSection){.kind = STORED_INDEX,
                                                  .key = number,
                                                  .count = slots,
                                                  .extra = index->used}));
            TRY(segment_put(save->segment, table, sizeof *table + slots * sizeof *table->slots));
        }
        number++;
    }
    return NULL;
}

static void put_schema(const GraphView *view, Buffer *out)
{
    const Graph *graph = view->graph;
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
        indexes += graph_index_at(view, i) != NULL;
    put_varint(out, indexes);
    for (uint32_t i = 0; i < graph_index_count(graph); i++)
        if (graph_index_at(view, i) != NULL) graph_put_index(graph_index_at(view, i), out);
}

/* ---- ahead ---- */

static uint64_t type_stamp(const RelationshipType *type)
{
    uint64_t stamp = type->table.rows.made + type->table.rows.taken;
    for (uint32_t key = 0; key < directory_size(&type->table.columns); key++) {
        const PropertyColumn *column = table_column(&type->table, key);
        if (column != NULL) stamp += column->appends + column->rewrites;
    }
    return stamp;
}

/* Rows that come do not matter to a column that stores nothing of theirs. */
static uint64_t column_stamp(const Graph *graph, const PropertyColumn *column)
{
    return column->appends + column->rewrites + graph->nodes.rows.taken;
}

static Part *part_of(const Save *save, uint32_t table, uint32_t key)
{
    for (size_t i = 0; i < save->part_count; i++)
        if (save->parts[i].table == table && save->parts[i].key == key) return &save->parts[i];
    return NULL;
}

/* Is the part in the segment as it is now? If it is there, but as it was, it is dropped. */
static bool is_saved(Save *save, uint32_t table, uint32_t key, uint64_t stamp)
{
    Part *part = part_of(save, table, key);
    if (part == NULL || part->count == 0) return false;
    if (part->stamp == stamp) return true;
    segment_drop(save->segment, part->first, part->count);
    part->count = 0;
    return false;
}

static void want(Save *save, uint32_t table, uint32_t key, uint64_t stamp)
{
    if (is_saved(save, table, key, stamp)) return;
    Part *part = part_of(save, table, key);
    if (part == NULL) {
        mem_reserve(save->parts, save->part_capacity, save->part_count + 1);
        part = &save->parts[save->part_count++];
    }
    *part = (Part){.table = table, .key = key, .stamp = stamp};
}

/* Columns of nodes that are all alive, and types that lie as a load left them. */
static void choose_parts(Save *save)
{
    Graph *graph = save->view.graph;
    if (extent_of(&graph->nodes.rows).all_live)
        for (uint32_t key = 0; key < graph_name_count(graph, NAME_KEY); key++) {
            const PropertyColumn *column = table_column(&graph->nodes, key);
            if (column != NULL) want(save, 0, key, column_stamp(graph, column));
        }
    for (uint32_t i = 0; i < graph_name_count(graph, NAME_TYPE); i++) {
        RelationshipType *type = graph_type(graph, i);
        if (whole_base(type, &type->out) == NULL || whole_base(type, &type->in) == NULL) continue;
        want(save, 1 + i, WHOLE_TABLE, type_stamp(type));
        type->saving = true;
    }
}

static Error *save_part(Save *save, Part *part, const Extent *nodes)
{
    const Graph *graph = save->view.graph;
    part->first = segment_begun(save->segment);
    Error *error = part->key == WHOLE_TABLE ? save_type(save, part->table - 1)
                                            : save_column(save, 0, part->key, nodes,
                                                          table_column(&graph->nodes, part->key));
    part->count = segment_begun(save->segment) - part->first;
    return error;
}

static void *save_parts(void *user)
{
    Save *save = user;
    for (size_t i = 0; i < save->part_count && save->failed == NULL; i++)
        if (save->parts[i].count == 0)
            save->failed = save_part(save, &save->parts[i], &save->nodes);
    return NULL;
}

void graph_save_ahead(GraphSave *save, const GraphWriter *writer)
{
    graph_save_wait(save);
    if (save->failed != NULL) return;
    save->view = graph_writer_view(writer);
    save->nodes = extent_of(&save->view.graph->nodes.rows);
    choose_parts(save);
    save->running = pthread_create(&save->thread, NULL, save_parts, save) == 0;
    save->view.graph->ahead = save;
    if (!save->running) graph_save_wait(save); /* no thread is to be had: all of it at the end */
}

void graph_save_wait(GraphSave *save)
{
    Graph *graph = save->view.graph;
    if (graph == NULL || graph->ahead != save) return;
    if (save->running) pthread_join(save->thread, NULL);
    save->running = false;
    graph->ahead = NULL;
    for (uint32_t i = 0; i < graph_name_count(graph, NAME_TYPE); i++)
        graph_type(graph, i)->saving = false;
}

/* ---- all of it ---- */

static Error *save_nodes(Save *save)
{
    const Graph *graph = save->view.graph;
    Extent extent = extent_of(&graph->nodes.rows);
    TRY(save_rows(save, 0, &graph->nodes.rows));
    for (uint32_t key = 0; key < graph_name_count(graph, NAME_KEY); key++) {
        const PropertyColumn *column = table_column(&graph->nodes, key);
        if (column != NULL && !is_saved(save, 0, key, column_stamp(graph, column)))
            TRY(save_column(save, 0, key, &extent, column));
    }
    return save_column(save, 0, STORED_SHAPES, &extent, &graph->shapes_of);
}

static Error *save_everything(Save *save)
{
    const Graph *graph = save->view.graph;
    TRY(save_nodes(save));
    TRY(save_labels(save));
    for (uint32_t i = 0; i < graph_name_count(graph, NAME_TYPE); i++)
        if (!is_saved(save, 1 + i, WHOLE_TABLE, type_stamp(graph_type(graph, i))))
            TRY(save_type(save, i));
    return save_indexes(save);
}

/* Sorts what indexes were given in no order: of what is saved ahead nothing waits for that. */
static void settle_orders(const GraphView *view)
{
    for (uint32_t i = 0; i < graph_index_count(view->graph); i++) {
        const Index *index = index_at(view, i);
        Ordered *ordered = index == NULL ? NULL : atomic_load(&index->ordered);
        if (ordered != NULL) ordered_settle(ordered);
    }
}

GraphSave *graph_save_new(SegmentWriter *segment)
{
    Save *save = mem_calloc(1, sizeof *save);
    save->segment = segment;
    return save;
}

Error *graph_save_all(GraphSave *save, const GraphView *view, Buffer *schema)
{
    assert(view->version == graph_pending(view->graph));
    settle_orders(view); /* while the thread is at work */
    graph_save_wait(save);
    Error *error = save->failed;
    save->failed = NULL;
    save->view = *view;
    put_schema(view, schema);
    if (error == NULL) error = save_everything(save);
    return error == NULL ? graph_damage(view->graph) : error;
}

Error *graph_save_finder(GraphSave *save, const GraphIndex *definition, uint32_t part,
                         const void *data, size_t bytes)
{
    uint32_t number = 0;
    for (uint32_t i = 0; graph_index_at(&save->view, i) != definition; i++)
        number += graph_index_at(&save->view, i) != NULL;
    /* Whoever does not know it can do without. */
    SegmentSection section = {.kind = STORED_FINDER, .key = number, .first = part, .count = bytes};
    const SegmentSection *same = save_find_base(save, STORED_FINDER, 0, number, part);
    if (same != NULL && bytes > 0 && same->bytes == bytes) { /* perhaps in another mapping */
        const void *there = save_base_data(save, same);
        if (there == data || (there != NULL && memcmp(there, data, bytes) == 0))
            return save_refer(save, same, section, bytes);
    }
    TRY(segment_begin(save->segment, &section));
    return bytes == 0 ? NULL : segment_put(save->segment, data, bytes);
}

const Segment *graph_segment(const Graph *graph)
{
    return graph->segment;
}

/* So much of what the files hold is used by nobody that all is better written anew: they take twice
 * the room they need then. */
enum { GARBAGE_PARTS = 2 };

Error *graph_save_onto(GraphSave *save, const GraphView *view, Buffer *schema)
{
    assert(view->graph->segment != NULL && save->part_count == 0);
    save->base = view->graph->segment;
    return graph_save_all(save, view, schema);
}

bool graph_save_fits(const GraphSave *save)
{
    const SegmentFile *files;
    uint64_t bytes = 0;
    size_t count = segment_referred(save->segment, &files);
    for (size_t i = 0; i < count; i++)
        bytes += files[i].bytes;
    return count <= SEGMENT_FILES_MAX && bytes / GARBAGE_PARTS <= save->kept;
}

void graph_save_free(GraphSave *save)
{
    if (save == NULL) return;
    graph_save_wait(save);
    error_drop(save->failed);
    buffer_free(&save->scratch);
    buffer_free(&save->words);
    mem_free(save->parts);
    mem_free(save);
}
