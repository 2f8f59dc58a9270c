/*
 * load.c - a graph that lies on a segment (stored.h).
 *
 * Opening reads the schema and the table of sections and lays out who is where; arrays are used
 * where they lie. A block of a column, of sources and targets or of a label is asked for through
 * its directory (DirectoryBase): at the first look its checksum is taken and its description is
 * held against the section it is in. What does not fit is as if it were not there, and the graph is
 * damaged from then on (graph_damage).
 */
#include "config.h"

#include "graph/stored.h"
#include "value/encode.h"
#include <assert.h>

/* ---- damage ---- */

Error *graph_damage(const Graph *graph)
{
    bool damaged = atomic_load_explicit(&graph->damaged, memory_order_relaxed) ||
                   (graph->segment != NULL && segment_damaged(graph->segment));
    if (!damaged) return NULL;
    return error_hint(error_new(ERROR_CORRUPT, "%s is damaged: what was asked for cannot be read",
                                segment_damaged_name(graph->segment)),
                      "restore a copy of the directory; nothing was changed");
}

static void *damaged(Graph *graph)
{
    atomic_store(&graph->damaged, true);
    return NULL;
}

static Error *misfit(const Graph *graph, const char *what)
{
    return error_hint(error_new(ERROR_CORRUPT, "%s does not fit the catalog: %s",
                                segment_file(graph->segment)->name, what),
                      "restore a copy of the directory; nothing was changed");
}

/* ---- arrays of blocks used where they lie: sources and targets, labels ---- */

typedef struct ArrayBase {
    DirectoryBase directory;
    Graph *graph;
    char *data;
    size_t first, block_bytes;
} ArrayBase;

static void *array_item(DirectoryBase *directory, size_t i)
{
    ArrayBase *base = (ArrayBase *)directory; /* its first member */
    if (i < base->first) return NULL;
    char *item = base->data + (i - base->first) * base->block_bytes;
    return segment_touch(base->graph->segment, item, base->block_bytes) ? item
                                                                        : damaged(base->graph);
}

/* Room for the items is made at once, so that looking never makes the directory grow. */
static void lay(Graph *graph, Directory *directory, DirectoryBase *base)
{
    if (base->count > 0) directory_set(graph, directory, base->count - 1, NULL);
    directory->base = base;
}

static Error *lay_array(Graph *graph, Directory *directory, const SegmentSection *section,
                        size_t block_bytes)
{
    if (section->count > GRAPH_NODES_MAX || section->first > GRAPH_NODES_MAX ||
        section->bytes != section->count * block_bytes)
        return misfit(graph, "an array has another length");
    ArrayBase *base = arena_new(graph->base_arena, ArrayBase);
    *base = (ArrayBase){.directory = {array_item, section->first + section->count},
                        .graph = graph,
                        .data = segment_data(graph->segment, section),
                        .first = section->first,
                        .block_bytes = block_bytes};
    lay(graph, directory, &base->directory);
    return NULL;
}

/* ---- columns ---- */

typedef struct ColumnBase {
    DirectoryBase directory;
    Graph *graph;
    const StoredBlock *stored;
    const SegmentSection *data[STORED_SOURCES_MAX], *text[STORED_SOURCES_MAX];
    uint32_t source_count;
    ColumnBlock *blocks; /* filled at the first look, under base_lock */
    atomic_bool *ready;
} ColumnBase;

static bool offsets_fit(const Packed *offsets, uint64_t count, uint64_t bytes)
{
    int64_t before = 0;
    for (uint32_t i = 0; i <= count; i++) {
        int64_t at = packed_get(offsets, i);
        if (at < before) return false;
        before = at;
    }
    return (uint64_t)before <= bytes;
}

static bool is_present(const ColumnBlock *block, uint32_t i)
{
    return block->present[i / 64] >> i % 64 & 1;
}

static bool words_fit(const ColumnBlock *block, const StoredBlock *stored)
{
    for (uint32_t i = 0; i < stored->rows; i++)
        if (is_present(block, i) && (uint64_t)packed_get(&block->packed, i) >= stored->stride)
            return false;
    return true;
}

/* Which rows have a value; false: one that the block has not. */
static bool lay_present(const StoredBlock *stored, const char *data, ColumnBlock *block)
{
    if (stored->gaps) memcpy(block->present, data, STORED_BITMAP_BYTES);
    for (uint32_t i = 0; i < GRAPH_BLOCK_ROWS / 64; i++) {
        uint32_t begin = i * 64, rows = stored->rows;
        uint64_t some = rows >= begin + 64 ? UINT64_MAX
                        : rows <= begin    ? 0
                                           : (UINT64_C(1) << (rows - begin)) - 1;
        if (!stored->gaps) block->present[i] = some;
        if (block->present[i] & ~some) return false;
    }
    return true;
}

/* Numbers that say how long something is are small enough to be multiplied. */
static bool shape_fits(const StoredBlock *stored)
{
    uint32_t width = stored->dimensions;
    switch ((StoredType)stored->type) {
    case STORED_VECTOR:
        return stored->stride >= stored->dimensions && stored->stride - stored->dimensions < 16 &&
               stored->stride % 16 == 0;
    case STORED_PACKED:
    case STORED_TEXTS: return width <= PACK_WIDTH_MAX;
    case STORED_DECIMAL: return width <= PACK_WIDTH_MAX && stored->stride <= PACK_EXPONENT_MAX;
    case STORED_WORDS:
        return (width & 0xff) <= PACK_WIDTH_MAX && width >> 8 <= PACK_WIDTH_MAX &&
               stored->stride <= GRAPH_BLOCK_ROWS;
    case STORED_NOTHING:
    case STORED_ANY:
    case STORED_BOOLEAN:
    case STORED_INTEGER:
    case STORED_FLOAT:
    case STORED_STRING: return true;
    }
    return false;
}

/* The block's own bytes: description, elements and text are sound and inside their sections. */
static bool stored_fits(const ColumnBase *base, const StoredBlock *stored)
{
    Segment *segment = base->graph->segment;
    if (!segment_touch(segment, stored, sizeof *stored)) return false;
    if (!shape_fits(stored) || stored->rows > GRAPH_BLOCK_ROWS || stored->gaps > 1) return false;
    if (stored->type == STORED_NOTHING) return true;
    if (stored->source >= base->source_count) return false;
    const SegmentSection *own = base->data[stored->source], *texts = base->text[stored->source];
    uint64_t bytes = stored_data_bytes(stored) + (stored->gaps ? STORED_BITMAP_BYTES : 0);
    bool inside = stored->data_at % STORED_ALIGN == 0 && stored->data_at <= own->bytes &&
                  bytes <= own->bytes - stored->data_at && stored->text_at <= texts->bytes &&
                  stored->text_bytes <= texts->bytes - stored->text_at;
    if (!inside) return false;
    const char *data = segment_data(segment, own), *text = segment_data(segment, texts);
    return segment_touch(segment, data + stored->data_at, bytes) &&
           segment_touch(segment, text + stored->text_at, stored->text_bytes);
}

/* How the block's elements are packed; false: they point out of their texts or words. */
static bool unpack(const StoredBlock *stored, ColumnBlock *block, const char *data)
{
    uint32_t width = stored->dimensions & 0xff;
    uint64_t texts = stored->rows;
    switch ((StoredType)stored->type) {
    case STORED_DECIMAL:
        block->power = pack_power(stored->stride);
        block->packed = packed_at(data, width);
        return true;
    case STORED_PACKED: block->packed = packed_at(data, width); return true;
    case STORED_TEXTS: block->offsets = packed_at(data, width); break;
    case STORED_WORDS:
        block->packed = packed_at(data, width);
        block->offsets =
            packed_at(data + packed_bytes(stored->rows, width), stored->dimensions >> 8);
        texts = stored->stride;
        block->word_count = stored->stride;
        if (!words_fit(block, stored)) return false;
        break;
    case STORED_STRING: /* as many bits as a u32 has */
    case STORED_ANY: block->offsets = (Packed){0, 0, 32, data}; break;
    case STORED_NOTHING:
    case STORED_BOOLEAN:
    case STORED_INTEGER:
    case STORED_FLOAT:
    case STORED_VECTOR: return true;
    }
    return offsets_fit(&block->offsets, texts, stored->text_bytes);
}

/* Values of mixed kinds are made from their bytes; what they are made of stays in the segment. */
static bool decode_values(ColumnBase *base, const StoredBlock *stored, ColumnBlock *block)
{
    const char *text = block->text;
    Value *values = arena_alloc(base->graph->base_arena, GRAPH_BLOCK_ROWS * sizeof *values);
    for (uint32_t i = 0; i < stored->rows; i++) {
        if (!is_present(block, i)) continue;
        int64_t from = packed_get(&block->offsets, i), to = packed_get(&block->offsets, i + 1);
        Reader reader = reader_of(text + from, (size_t)(to - from));
        values[i] = value_decode(&reader, base->graph->base_arena);
        if (reader.failed || reader_left(&reader) > 0) return false;
    }
    block->values = values;
    block->text = NULL;
    return true;
}

static bool make_block(ColumnBase *base, const StoredBlock *stored, ColumnBlock *block)
{
    static const ColumnType types[] = {
        [STORED_NOTHING] = COLUMN_UNSET,   [STORED_ANY] = COLUMN_ANY,
        [STORED_BOOLEAN] = COLUMN_BOOLEAN, [STORED_INTEGER] = COLUMN_INTEGER,
        [STORED_FLOAT] = COLUMN_FLOAT,     [STORED_STRING] = COLUMN_STRING,
        [STORED_VECTOR] = COLUMN_VECTOR,   [STORED_PACKED] = COLUMN_INTEGER,
        [STORED_DECIMAL] = COLUMN_FLOAT,   [STORED_TEXTS] = COLUMN_STRING,
        [STORED_WORDS] = COLUMN_STRING};
    if (!stored_fits(base, stored)) return false;
    block->type = types[stored->type];
    block->mapped = true;
    if (stored->type == STORED_NOTHING) return true;
    if (stored->type == STORED_VECTOR) {
        block->dimensions = stored->dimensions;
        block->stride = stored->stride;
    }
    const Segment *segment = base->graph->segment;
    block->data = (char *)segment_data(segment, base->data[stored->source]) + stored->data_at;
    if (!lay_present(stored, block->data, block)) return false;
    if (stored->gaps) block->data = (char *)block->data + STORED_BITMAP_BYTES;
    block->text = (char *)segment_data(segment, base->text[stored->source]) + stored->text_at;
    if (stored->type == STORED_VECTOR)
        block->factors = block->vectors + (size_t)stored->rows * stored->stride;
    if (!unpack(stored, block, block->data)) return false;
    return stored->type == STORED_ANY ? decode_values(base, stored, block) : true;
}

static void *column_item(DirectoryBase *directory, size_t i)
{
    ColumnBase *base = (ColumnBase *)directory; /* its first member */
    ColumnBlock *block = &base->blocks[i];
    if (!atomic_load_explicit(&base->ready[i], memory_order_acquire)) {
        pthread_mutex_lock(&base->graph->base_lock);
        bool made = atomic_load(&base->ready[i]) || make_block(base, &base->stored[i], block);
        if (made) atomic_store_explicit(&base->ready[i], true, memory_order_release);
        pthread_mutex_unlock(&base->graph->base_lock);
        if (!made) return damaged(base->graph);
    }
    return block->type == COLUMN_UNSET ? NULL : block;
}

static const SegmentSection *find(const Segment *segment, StoredSection kind, uint32_t table,
                                  uint32_t key)
{
    for (size_t i = 0; i < segment_count(segment); i++) {
        const SegmentSection *section = segment_section(segment, i);
        if (section->kind == kind && section->table == table && section->key == key) return section;
    }
    return NULL;
}

/* The column's DATA and TEXT, by their source; false: there is a gap. */
static bool find_sources(const Segment *segment, const SegmentSection *of, ColumnBase *base)
{
    uint32_t count = 0;
    for (size_t i = 0; i < segment_count(segment); i++) {
        const SegmentSection *section = segment_section(segment, i);
        bool data = section->kind == STORED_DATA;
        if (section->table != of->table || section->key != of->key ||
            (!data && section->kind != STORED_TEXT))
            continue;
        if (section->first >= STORED_SOURCES_MAX) return false;
        (data ? base->data : base->text)[section->first] = section;
        count += data;
    }
    for (uint32_t i = 0; i < count; i++)
        if (base->data[i] == NULL || base->text[i] == NULL) return false;
    base->source_count = count;
    return true;
}

static Error *lay_column(Graph *graph, PropertyColumn *column, const SegmentSection *section)
{
    ColumnBase found = {.source_count = 0};
    if (!find_sources(graph->segment, section, &found) || section->count > GRAPH_NODES_MAX ||
        section->bytes != section->count * sizeof(StoredBlock))
        return misfit(graph, "a column");
    ColumnBase *base = arena_new(graph->base_arena, ColumnBase);
    *base = found;
    base->directory = (DirectoryBase){column_item, section->count};
    base->graph = graph;
    base->stored = segment_data(graph->segment, section);
    base->blocks = arena_array(graph->base_arena, ColumnBlock, section->count);
    base->ready = arena_calloc(graph->base_arena, section->count, sizeof(atomic_bool));
    lay(graph, &column->blocks, &base->directory);
    return NULL;
}

/* ---- adjacency ---- */

typedef struct CsrParts {
    const SegmentSection *groups, *offsets, *targets, *numbers;
} CsrParts;

/* How many of a type's relationships lie in its adjacency: the others stand behind it. */
static uint64_t adjacency_rows(const Graph *graph, uint32_t number)
{
    const SegmentSection *added = find(graph->segment, STORED_ADDED, 1 + number, 0);
    uint64_t rows = atomic_load(&graph_type(graph, number)->table.rows.count);
    return added == NULL || added->count > rows ? rows : rows - added->count;
}

static bool parts_fit(const CsrParts *parts)
{
    if (parts->offsets == NULL || parts->targets == NULL) return false;
    uint64_t groups = parts->groups->count, entries = parts->targets->count;
    return groups > 1 && groups <= GRAPH_NODES_MAX / 64 + 2 &&
           parts->groups->first <= GRAPH_NODES_MAX / 64 && entries < UINT32_MAX &&
           parts->offsets->count <= UINT32_MAX &&
           parts->groups->bytes == groups * sizeof(GraphGroup) &&
           parts->offsets->bytes == parts->offsets->count * sizeof(uint16_t) &&
           parts->targets->bytes == entries * sizeof(uint32_t) &&
           (parts->numbers == NULL ||
            (parts->numbers->count == entries && parts->numbers->extra <= 1 &&
             parts->numbers->bytes >=
                 (entries + GRAPH_BLOCK_ROWS - 1) / GRAPH_BLOCK_ROWS * sizeof(CsrNumbers)));
}

static Error *lay_adjacency(Graph *graph, RelationshipType *type, const SegmentSection *groups)
{
    Segment *segment = graph->segment;
    CsrParts parts = {groups, find(segment, STORED_OFFSETS, groups->table, groups->key),
                      find(segment, STORED_TARGETS, groups->table, groups->key),
                      find(segment, STORED_NUMBERS, groups->table, groups->key)};
    uint64_t rows = adjacency_rows(graph, groups->table - 1);
    bool fits = groups->key <= 1 && parts_fit(&parts) && parts.targets->count <= rows;
    if (!fits) return misfit(graph, "an adjacency");
    Csr *csr = arena_new(graph->base_arena, Csr);
    csr->graph = graph;
    csr->first_group = groups->first;
    csr->group_count = groups->count - 1;
    csr->groups = segment_data(segment, groups);
    csr->offsets = segment_data(segment, parts.offsets);
    csr->targets = segment_data(segment, parts.targets);
    csr->offset_count = (uint32_t)parts.offsets->count;
    csr->entry_count = (uint32_t)parts.targets->count;
    csr->row_count = (uint32_t)rows;
    if (parts.numbers != NULL) {
        csr->packed = segment_data(segment, parts.numbers);
        csr->packed_bytes = parts.numbers->bytes;
    }
    atomic_store(groups->key == 0 ? &type->out.base : &type->in.base, csr);
    return NULL;
}

/* Numbers that count from where groups of the other direction begin: it is the one in order. */
static Error *lay_frames(Graph *graph, uint32_t number)
{
    RelationshipType *type = graph_type(graph, number);
    Csr *bases[2] = {atomic_load(&type->out.base), atomic_load(&type->in.base)};
    bool in;
    for (uint32_t key = 0; key < 2; key++) {
        const SegmentSection *numbers = find(graph->segment, STORED_NUMBERS, 1 + number, key);
        if (numbers == NULL || numbers->extra == 0 || bases[key] == NULL) continue;
        bases[key]->frame = type_order(type, adjacency_rows(graph, number), &in);
        if (bases[key]->frame == NULL) return misfit(graph, "numbers of relationships");
    }
    return NULL;
}

/* Those that the adjacency has still, but that are deleted: who looks at their ends is told. */
static Error *lay_gone(Graph *graph, uint32_t number)
{
    const SegmentSection *section = find(graph->segment, STORED_GONE, 1 + number, 0);
    RelationshipType *type = graph_type(graph, number);
    uint64_t nodes = atomic_load(&graph->nodes.rows.count), rows = adjacency_rows(graph, number);
    if (section == NULL) return NULL;
    const StoredGone *gone = segment_data(graph->segment, section);
    bool fits = section->count <= STORED_GONE_MAX &&
                section->bytes == section->count * sizeof *gone &&
                segment_touch(graph->segment, gone, section->bytes);
    for (uint64_t i = 0; fits && i < section->count; i++)
        fits = gone[i].row < rows && (i == 0 || gone[i - 1].row < gone[i].row) &&
               gone[i].from < nodes && gone[i].to < nodes &&
               rows_were_dead(&type->table.rows, gone[i].row);
    if (!fits) return misfit(graph, "relationships that are gone from an adjacency");
    for (uint64_t i = 0; i < section->count; i++) {
        adjacency_mark_gone(graph, &type->out, gone[i].from);
        adjacency_mark_gone(graph, &type->in, gone[i].to);
    }
    return NULL;
}

/* Relationships behind the adjacency go where those go that the log brings. */
static Error *lay_added(Graph *graph, uint32_t number)
{
    const SegmentSection *section = find(graph->segment, STORED_ADDED, 1 + number, 0);
    RelationshipType *type = graph_type(graph, number);
    uint64_t nodes = atomic_load(&graph->nodes.rows.count);
    if (section == NULL) return NULL;
    const uint32_t(*ends)[2] = segment_data(graph->segment, section);
    bool fits = section->count <= STORED_ADDED_MAX &&
                section->bytes == section->count * sizeof *ends &&
                section->first + section->count == atomic_load(&type->table.rows.count) &&
                segment_touch(graph->segment, ends, section->bytes);
    for (uint64_t i = 0; fits && i < section->count; i++)
        fits = ends[i][0] < nodes && ends[i][1] < nodes;
    if (!fits) return misfit(graph, "relationships behind an adjacency");
    for (uint64_t i = 0; i < section->count; i++) {
        uint32_t from = ends[i][0], to = ends[i][1], row = (uint32_t)(section->first + i);
        EndsBlock *block = type_ends_block(graph, type, row);
        block->from[row % GRAPH_BLOCK_ROWS] = from;
        block->to[row % GRAPH_BLOCK_ROWS] = to;
        if (rows_were_dead(&type->table.rows, row)) continue;
        adjacency_add(graph, &type->out, from, to, row);
        adjacency_add(graph, &type->in, to, from, row);
    }
    return NULL;
}

/* ---- sections ---- */

static Error *lay_rows(Graph *graph, Rows *rows, const SegmentSection *section)
{
    uint64_t words = (section->count + 63) / 64;
    bool all = section->extra == section->count;
    if (section->count > GRAPH_NODES_MAX || section->extra > section->count ||
        section->bytes != (all ? 0 : words * sizeof(uint64_t)))
        return misfit(graph, "the rows of a table");
    rows->base_count = section->count;
    atomic_store(&rows->count, section->count);
    atomic_store(&rows->live, section->extra);
    atomic_store(&rows->created_max, 1);
    if (all) return NULL;
    rows->dead = segment_data(graph->segment, section);
    return segment_touch(graph->segment, rows->dead, section->bytes)
               ? NULL
               : misfit(graph, "the deleted rows of a table");
}

static Error *lay_index(Graph *graph, const SegmentSection *section)
{
    Index *index = directory_get(&graph->indexes, section->key);
    uint64_t slots = section->count;
    HashTable *table = segment_data(graph->segment, section);
    bool fits = index != NULL && slots > 0 && (slots & (slots - 1)) == 0 &&
                slots <= SIZE_MAX / sizeof(uint64_t) / 2 && section->extra <= slots / 2 &&
                section->bytes == sizeof *table + slots * sizeof *table->slots &&
                segment_touch(graph->segment, table, sizeof *table) && table->mask == slots - 1;
    if (!fits) return misfit(graph, "an index");
    atomic_store(&index->table, table);
    index->used = section->extra;
    return NULL;
}

static Error *lay_run(Graph *graph, const SegmentSection *section)
{
    Index *index = directory_get(&graph->indexes, section->key);
    bool fits = index != NULL && index_has_table(&index->definition) && section->bytes == 0 &&
                section->first < GRAPH_NODES_MAX &&
                section->count <= GRAPH_NODES_MAX - section->first;
    if (!fits) return misfit(graph, "the run of an index");
    index->run.node = section->first;
    index->run.key = (int64_t)section->extra;
    index->run.stamp = UINT64_MAX; /* nobody has looked */
    atomic_store(&index->run.count, section->count);
    return NULL;
}

/* What came since the base was written goes where it went before. */
static Error *lay_added_values(Ordered *ordered, const OrderedBase *base)
{
    Ordered *part = ordered_new();
    Arena *arena = arena_create();
    Value value;
    uint32_t node;
    ordered_lay(part, base);
    OrderedCursor cursor = ordered_cursor(part, (OrderedRun){0}, arena);
    while (ordered_next(&cursor, &value, &node) && value.kind != VALUE_NULL)
        ordered_add(ordered, value, node);
    arena_destroy(arena);
    ordered_free(part);
    return NULL;
}

static Error *lay_ordered(Graph *graph, const SegmentSection *section)
{
    Index *index = directory_get(&graph->indexes, section->key);
    const SegmentSection *text = NULL;
    for (size_t i = 0; i < segment_count(graph->segment); i++) {
        const SegmentSection *other = segment_section(graph->segment, i);
        if (other->kind == STORED_KEYS && other->key == section->key &&
            other->first == section->first)
            text = other;
    }
    bool fits = index != NULL && atomic_load(&index->ordered) != NULL && text != NULL &&
                section->first <= 1 && section->count <= UINT32_MAX &&
                (section->first == 0 || section->count <= STORED_ORDERED_ADDED_MAX) &&
                section->bytes == section->count * ORDERED_ENTRY_BYTES;
    if (!fits) return misfit(graph, "the order of an index");
    const OrderedKey *keys = segment_data(graph->segment, section);
    OrderedBase base = {.segment = graph->segment,
                        .keys = keys,
                        .numbers = (const uint32_t *)(const void *)(keys + section->count),
                        .text = segment_data(graph->segment, text),
                        .count = section->count,
                        .text_bytes = text->bytes};
    if (section->first == 1) return lay_added_values(atomic_load(&index->ordered), &base);
    ordered_lay(atomic_load(&index->ordered), &base);
    index->order_stamp = UINT64_MAX; /* some of it may be of before */
    index->order_known = true;
    return NULL;
}

/* They are the segment's now. An older program wrote the table of an index, but no order. */
static Error *settle_indexes(Graph *graph)
{
    for (uint32_t i = 0; i < graph_index_count(graph); i++) {
        Index *index = directory_get(&graph->indexes, i);
        index->definition.since = 0;
        if (index->definition.key_count > 1 && !index->order_known)
            return misfit(graph, "the order of an index");
        if (index->used == 0 || index->order_known) continue;
        ordered_free(atomic_exchange(&index->ordered, NULL));
    }
    return NULL;
}

static Table *table_numbered(Graph *graph, uint32_t number)
{
    if (number == 0) return &graph->nodes;
    RelationshipType *type = graph_type(graph, number - 1);
    return type == NULL ? NULL : &type->table;
}

static Error *lay_section(Graph *graph, const SegmentSection *section)
{
    Table *table = table_numbered(graph, section->table);
    RelationshipType *type = section->table == 0 ? NULL : graph_type(graph, section->table - 1);
    Label *label;
    if (table == NULL) return misfit(graph, "a table that the catalog does not know");
    switch ((StoredSection)section->kind) {
    case STORED_ROWS: return lay_rows(graph, &table->rows, section);
    case STORED_BLOCKS:
        if (section->table == 0 && section->key == STORED_SHAPES)
            return lay_column(graph, &graph->shapes_of, section);
        if (section->key >= graph_name_count(graph, NAME_KEY)) return misfit(graph, "a key");
        return lay_column(graph, table_column_make(graph, table, section->key), section);
    case STORED_LABEL:
        label = directory_get(&graph->labels, section->key);
        if (label == NULL) return misfit(graph, "a label");
        atomic_store(&label->live, section->extra);
        return lay_array(graph, &label->blocks, section, GRAPH_BLOCK_ROWS / 8);
    case STORED_ENDS:
        if (type == NULL) return misfit(graph, "a type");
        return lay_array(graph, &type->ends, section, sizeof(EndsBlock));
    case STORED_GROUPS:
        return type == NULL ? misfit(graph, "a type") : lay_adjacency(graph, type, section);
    case STORED_INDEX: return lay_index(graph, section);
    case STORED_RUN: return lay_run(graph, section);
    case STORED_ORDERED: return lay_ordered(graph, section);
    case STORED_DATA:
    case STORED_TEXT:
    case STORED_OFFSETS:
    case STORED_TARGETS:
    case STORED_NUMBERS:
    case STORED_ADDED:
    case STORED_GONE:
    case STORED_KEYS:
    case STORED_FINDER: return NULL; /* parts of the others, or asked for by graph_stored_finder */
    }
    return section->flags & SEGMENT_REQUIRED
               ? error_hint(error_new(ERROR_VERSION, "%s was written by a newer version",
                                      segment_file(graph->segment)->name),
                            "use a newer contextql")
               : NULL;
}

/* ---- what everything is called ---- */

static Error *bad_schema(void)
{
    return error_hint(error_new(ERROR_CORRUPT, "the catalog's names are damaged"),
                      "restore a copy of the directory; nothing was changed");
}

static Error *load_names(GraphWriter *writer, Reader *reader)
{
    for (int kind = 0; kind < NAME_KIND_COUNT; kind++) {
        uint64_t count = get_varint(reader);
        if (count > reader_left(reader)) return bad_schema();
        for (uint32_t i = 0; i < count; i++) {
            Str name = get_str(reader);
            if (reader->failed || graph_name_intern(writer, (NameKind)kind, name) != i)
                return bad_schema();
        }
    }
    return NULL;
}

static Error *load_shapes(GraphWriter *writer, Reader *reader, Arena *arena)
{
    uint32_t labels = graph_name_count(graph_writer_view(writer).graph, NAME_LABEL);
    uint64_t shapes = get_varint(reader);
    if (shapes > reader_left(reader)) return bad_schema();
    for (uint32_t i = 0; i < shapes; i++) {
        uint64_t count = get_varint(reader);
        if (count > labels || count > reader_left(reader)) return bad_schema();
        uint32_t *ids = arena_array(arena, uint32_t, count + 1);
        for (uint64_t j = 0; j < count; j++) {
            uint64_t id = get_varint(reader);
            if (id >= labels || (j > 0 && id <= ids[j - 1])) return bad_schema();
            ids[j] = (uint32_t)id;
        }
        if (graph_shape_intern(writer, ids, (uint32_t)count) != i) return bad_schema();
    }
    return NULL;
}

static Error *load_indexes(GraphWriter *writer, Reader *reader)
{
    const Graph *graph = graph_writer_view(writer).graph;
    uint64_t count = get_varint(reader);
    if (count > reader_left(reader)) return bad_schema();
    for (uint64_t i = 0; i < count; i++) {
        GraphIndex index;
        if (!graph_get_index(&index, graph, reader)) return bad_schema();
        TRY(graph_create_index(writer, &index));
    }
    return NULL;
}

static Error *load_schema(Graph *graph, Str schema)
{
    Reader reader = reader_of(schema.data, schema.bytes);
    GraphWriter *writer = graph_writer_begin(graph);
    Arena *arena = arena_create();
    Error *error = load_names(writer, &reader);
    if (error == NULL) error = load_shapes(writer, &reader, arena);
    if (error == NULL) error = load_indexes(writer, &reader);
    if (error == NULL && (reader.failed || reader_left(&reader) > 0)) error = bad_schema();
    arena_destroy(arena);
    graph_writer_publish(writer);
    return error;
}

/* They stand in a section of their own, or in a direction that has all of them in order. */
static Error *check_ends(const Graph *graph, uint32_t number)
{
    const RelationshipType *type = graph_type(graph, number);
    uint64_t rows = adjacency_rows(graph, number);
    bool in, there = rows == 0 || find(graph->segment, STORED_ENDS, 1 + number, 0) != NULL ||
                     type_order(type, rows, &in) != NULL;
    return there ? NULL : misfit(graph, "the ends of relationships");
}

Error *graph_load(Segment *segment, Str schema, Graph **out)
{
    Graph *graph = graph_create();
    graph->segment = segment;
    graph->base_arena = arena_create();
    Error *error = load_schema(graph, schema);
    for (int pass = 0; pass < 2; pass++) /* rows first: the rest is held against their numbers */
        for (size_t i = 0; i < segment_count(segment) && error == NULL; i++) {
            const SegmentSection *section = segment_section(segment, i);
            if ((section->kind == STORED_ROWS) == (pass == 0)) error = lay_section(graph, section);
        }
    for (uint32_t i = 0; i < graph_name_count(graph, NAME_TYPE) && error == NULL; i++)
        if ((error = check_ends(graph, i)) == NULL && (error = lay_frames(graph, i)) == NULL)
            if ((error = lay_added(graph, i)) == NULL) error = lay_gone(graph, i);
    if (error == NULL) error = settle_indexes(graph);
    if (error != NULL) {
        graph_destroy(graph);
        return error;
    }
    *out = graph;
    return NULL;
}

bool graph_stored_finder(const Graph *graph, const GraphIndex *definition, uint32_t part,
                         bool checked, const void **data, size_t *bytes)
{
    const Segment *segment = graph->segment;
    for (size_t i = 0; segment != NULL && i < segment_count(segment); i++) {
        const SegmentSection *section = segment_section(segment, i);
        if (section->kind != STORED_FINDER || section->first != part) continue;
        const Index *index = directory_get(&graph->indexes, section->key);
        if (index == NULL || &index->definition != definition) continue;
        *data = segment_data(segment, section);
        *bytes = section->bytes;
        return !checked || segment_touch(graph->segment, *data, *bytes);
    }
    return false;
}
