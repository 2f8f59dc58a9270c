/*
 * scan.c - nodes by label, properties and vectors by block, as a scan over all of them wants it.
 *
 * A scan walks words of 64 nodes. Who has a label is a bit (Label.blocks); whether the bit may be
 * believed, and whether all nodes of a block are visible, is decided once a block, so that in the
 * usual block a word is one AND. Only where nodes are newer than the view, were deleted, or changed
 * their labels are they looked at one by one.
 *
 * Properties of consecutive rows are unpacked side by side. Texts of a segment's blocks that have few
 * different ones can be had as numbers of words: who compares or groups does it once a word.
 *
 * Vectors of a block of one dimension are lent where they lie, with what the kernels want beside
 * them. They may be read beside a writer: who has used them asks graph_vectors_held, and if a writer
 * has begun to replace some, takes the values one by one instead, which finds the old ones.
 */
#include "config.h"

#include "base/bits.h"
#include "graph/graph_internal.h"
#include <assert.h>

enum { SCAN_LABELS = 4 }; /* bitmaps looked at; of further labels the nodes are asked */

typedef struct ScanBlock {
    uint64_t begin, count; /* nodes of the block: [begin, count) at most */
    const uint64_t *bits[SCAN_LABELS];
    uint32_t bits_count;
    const RowBlock *rows; /* NULL: a segment's, all of one age */
    const uint64_t *dead; /* of the segment; NULL: none */
    const uint64_t *deleted;
    bool check_rows, check_labels;
} ScanBlock;

static void scan_rows(const GraphView *view, uint64_t number, ScanBlock *out)
{
    const Rows *rows = &view->graph->nodes.rows;
    out->rows = directory_get(&rows->blocks, number);
    out->dead = out->rows == NULL ? rows->dead : NULL;
    out->deleted = NULL;
    out->check_rows = false;
    if (out->rows == NULL) return;
    out->deleted = atomic_load_explicit(&out->rows->deleted, memory_order_acquire);
    out->check_rows =
        out->deleted != NULL ||
        atomic_load_explicit(&out->rows->created_max, memory_order_relaxed) > view->version;
}

/* false: no node of the block has all labels. */
static bool scan_block(const GraphView *view, const uint32_t *labels, uint32_t label_count,
                       uint64_t number, ScanBlock *out)
{
    const Graph *graph = view->graph;
    uint64_t count = atomic_load_explicit(&graph->nodes.rows.count, memory_order_acquire);
    *out = (ScanBlock){.begin = number * GRAPH_BLOCK_ROWS, .count = count};
    if (out->begin >= count) return false;
    out->check_labels = label_count > SCAN_LABELS;
    for (uint32_t i = 0; i < label_count; i++) {
        if (labels[i] == GRAPH_NAME_UNKNOWN) return false;
        const Label *label = directory_get(&graph->labels, labels[i]);
        const uint64_t *bits = label == NULL ? NULL : directory_get(&label->blocks, number);
        if (bits == NULL) return false;
        if (out->bits_count < SCAN_LABELS) out->bits[out->bits_count++] = bits;
    }
    scan_rows(view, number, out);
    return true;
}

static bool is_visible(const ScanBlock *block, uint32_t i, uint64_t version)
{
    if (row_block_created(block->rows, i) > version) return false;
    if (block->deleted == NULL) return true;
    uint64_t when = __atomic_load_n(&block->deleted[i], __ATOMIC_RELAXED);
    return when == 0 || when > version;
}

/* Labels asked of many nodes: most have the set of the one before. */
typedef struct LabelTest {
    const GraphView *view;
    const uint32_t *labels;
    uint32_t count;
    int64_t set; /* the last looked at, -1: none */
    bool has;
} LabelTest;

static bool shape_has_all(const Shape *shape, const LabelTest *test)
{
    for (uint32_t i = 0; i < test->count; i++)
        if (!shape_has(shape, test->labels[i])) return false;
    return true;
}

static bool has_all(LabelTest *test, uint64_t node)
{
    const Graph *graph = test->view->graph;
    int64_t set;
    if (!column_plain_integer(&graph->shapes_of, node, test->view->version, &set))
        return shape_has_all(graph_shape(graph, node, test->view->version), test);
    if (set != test->set)
        test->has = shape_has_all(directory_get(&graph->shapes, (size_t)set), test);
    test->set = set;
    return test->has;
}

void graph_nodes_have_label(const GraphView *view, const uint64_t *ids, uint32_t count,
                            uint32_t label, uint8_t *out)
{
    LabelTest test = {view, &label, 1, -1, false};
    for (uint32_t i = 0; i < count; i++)
        out[i] = has_all(&test, ids[i]);
}

/* After the bits were read: one that was set late or in vain told so before (writer.c). */
static bool bits_lie(const GraphView *view, const uint32_t *labels, uint32_t label_count)
{
    for (uint32_t i = 0; i < label_count; i++) {
        const Label *label = directory_get(&view->graph->labels, labels[i]);
        uint64_t exact_from = atomic_load_explicit(&label->exact_from, memory_order_acquire);
        if (exact_from > view->version) return true;
    }
    return false;
}

/* Of the nodes in `bits`, the first of which is `first`, those that have the labels' bits. */
static uint64_t labelled(const ScanBlock *block, uint64_t first, uint64_t bits)
{
    uint32_t word = (uint32_t)((first - block->begin) / 64);
    for (uint32_t i = 0; i < block->bits_count; i++)
        bits &= __atomic_load_n(&block->bits[i][word], __ATOMIC_ACQUIRE);
    if (first + 64 > block->count) bits &= (UINT64_C(1) << (block->count - first)) - 1;
    return block->dead == NULL ? bits : bits & ~block->dead[first / 64];
}

/* Of these, some at least, those that are to be given. */
static uint64_t checked(LabelTest *test, const ScanBlock *block, uint64_t first, uint64_t bits,
                        bool check_labels)
{
    uint32_t word = (uint32_t)((first - block->begin) / 64);
    if (!block->check_rows && !check_labels) return bits;
    for (uint64_t left = bits; left != 0; left &= left - 1) {
        uint32_t i = (uint32_t)__builtin_ctzll(left);
        bool good = (!block->check_rows || is_visible(block, word * 64 + i, test->view->version)) &&
                    (!check_labels || has_all(test, first + i));
        if (!good) bits &= ~(UINT64_C(1) << i);
    }
    return bits;
}

/* Of the nodes in `bits`, the first of which is `first`, those that are to be given. */
static uint64_t scan_some(LabelTest *test, const ScanBlock *block, uint64_t first, uint64_t bits)
{
    bits = labelled(block, first, bits);
    if (bits == 0) return 0;
    bool lie = block->check_labels || bits_lie(test->view, test->labels, test->count);
    return checked(test, block, first, bits, lie);
}

/* The nodes of one word, without those below `from` (a node of the block). */
static uint64_t scan_word(LabelTest *test, const ScanBlock *block, uint64_t from)
{
    return scan_some(test, block, from / 64 * 64, UINT64_MAX << from % 64);
}

/* Writes the nodes of `bits`, at most `max`; *bits keeps the rest. */
static uint32_t take_word(uint64_t *bits, uint64_t first, uint64_t *ids, uint32_t max)
{
    uint32_t found = 0;
    if (*bits == UINT64_MAX && max >= 64) {
        for (; found < 64; found++)
            ids[found] = first + found;
        *bits = 0;
    }
    for (; *bits != 0 && found < max; *bits &= *bits - 1)
        ids[found++] = first + (uint64_t)__builtin_ctzll(*bits);
    return found;
}

uint32_t graph_scan(const GraphView *view, const uint32_t *labels, uint32_t label_count,
                    uint64_t *cursor, uint64_t *ids, uint32_t max)
{
    return graph_scan_below(view, labels, label_count, cursor, UINT64_MAX, ids, max);
}

uint32_t graph_scan_below(const GraphView *view, const uint32_t *labels, uint32_t label_count,
                          uint64_t *cursor, uint64_t below, uint64_t *ids, uint32_t max)
{
    uint64_t count = atomic_load_explicit(&view->graph->nodes.rows.count, memory_order_acquire);
    if (count > below) count = below;
    LabelTest test = {view, labels, label_count, -1, false};
    uint32_t found = 0;
    ScanBlock block;
    while (*cursor < count && found < max) {
        uint64_t number = *cursor / GRAPH_BLOCK_ROWS, end = (number + 1) * GRAPH_BLOCK_ROWS;
        if (!scan_block(view, labels, label_count, number, &block)) {
            *cursor = end;
            continue;
        }
        if (end > block.count) end = block.count;
        if (end > below) end = block.count = below;
        while (*cursor < end && found < max) {
            uint64_t bits = scan_word(&test, &block, *cursor), first = *cursor / 64 * 64;
            found += take_word(&bits, first, ids + found, max - found);
            *cursor = bits == 0 ? first + 64 : first + (uint64_t)__builtin_ctzll(bits);
        }
    }
    return found;
}

/* As `labelled`, of all nodes of the block. */
static void labelled_of_block(const ScanBlock *block, uint64_t bits[GRAPH_BLOCK_WORDS])
{
    for (uint32_t word = 0; word < GRAPH_BLOCK_WORDS; word++) {
        uint64_t from = block->begin + word * UINT64_C(64);
        uint64_t left = block->count <= from ? 0 : block->count - from;
        bits[word] = left >= 64 ? UINT64_MAX : (UINT64_C(1) << left) - 1;
        if (block->dead != NULL && left > 0) bits[word] &= ~block->dead[from / 64];
    }
    for (uint32_t i = 0; i < block->bits_count; i++)
        for (uint32_t word = 0; word < GRAPH_BLOCK_WORDS; word++)
            bits[word] &= __atomic_load_n(&block->bits[i][word], __ATOMIC_ACQUIRE);
}

bool graph_scan_block(const GraphView *view, const uint32_t *labels, uint32_t label_count,
                      uint64_t number, uint64_t bits[GRAPH_BLOCK_WORDS])
{
    LabelTest test = {view, labels, label_count, -1, false};
    ScanBlock block;
    if (!scan_block(view, labels, label_count, number, &block)) return false;
    labelled_of_block(&block, bits);
    if (!bits_any(bits, GRAPH_BLOCK_WORDS)) return false;
    /* Asked once, when all words were read. */
    bool lie = block.check_labels || bits_lie(view, labels, label_count);
    if (!block.check_rows && !lie) return true;
    for (uint32_t word = 0; word < GRAPH_BLOCK_WORDS; word++)
        bits[word] = checked(&test, &block, block.begin + word * UINT64_C(64), bits[word], lie);
    return bits_any(bits, GRAPH_BLOCK_WORDS);
}

bool graph_scan_has(const GraphView *view, const uint32_t *labels, uint32_t label_count,
                    uint64_t node)
{
    LabelTest test = {view, labels, label_count, -1, false};
    ScanBlock block;
    uint64_t bit = UINT64_C(1) << node % 64;
    return scan_block(view, labels, label_count, node / GRAPH_BLOCK_ROWS, &block) &&
           node < block.count && scan_some(&test, &block, node / 64 * 64, bit) != 0;
}

/* Of the block's nodes in `bits` those that have the property go out. */
static void without_property(const GraphView *view, const PropertyColumn *column, uint64_t number,
                             uint64_t bits[GRAPH_BLOCK_WORDS])
{
    const ColumnBlock *block = directory_get(&column->blocks, number);
    uint64_t present[GRAPH_BLOCK_WORDS];
    if (block == NULL) return;
    for (uint32_t word = 0; word < GRAPH_BLOCK_WORDS; word++)
        present[word] = __atomic_load_n(&block->present[word], __ATOMIC_ACQUIRE);
    if (column_block_steady(block, view->version)) {
        for (uint32_t word = 0; word < GRAPH_BLOCK_WORDS; word++)
            bits[word] &= ~present[word];
        return;
    }
    for (uint32_t i = 0; i < GRAPH_BLOCK_ROWS; i++) {
        if (!(bits[i / 64] >> i % 64 & 1)) continue;
        Value value = column_read(column, number * GRAPH_BLOCK_ROWS + i, view->version, NULL);
        if (value.kind != VALUE_NULL) bits[i / 64] &= ~(UINT64_C(1) << i % 64);
    }
}

uint32_t graph_scan_lacking(const GraphView *view, const uint32_t *labels, uint32_t label_count,
                            uint32_t key, uint64_t *cursor, uint64_t *ids, uint32_t max)
{
    const PropertyColumn *column =
        key == GRAPH_NAME_UNKNOWN ? NULL : table_column(&view->graph->nodes, key);
    uint64_t blocks = graph_block_count(view), bits[GRAPH_BLOCK_WORDS];
    uint32_t found = 0;
    while (found < max && *cursor < blocks * GRAPH_BLOCK_ROWS) {
        uint64_t number = *cursor / GRAPH_BLOCK_ROWS, begin = number * GRAPH_BLOCK_ROWS;
        uint32_t first = (uint32_t)(*cursor % GRAPH_BLOCK_ROWS);
        *cursor = begin + GRAPH_BLOCK_ROWS;
        if (!graph_scan_block(view, labels, label_count, number, bits)) continue;
        if (column != NULL) without_property(view, column, number, bits);
        bits[first / 64] &= UINT64_MAX << first % 64;
        for (uint32_t word = first / 64; word < GRAPH_BLOCK_WORDS && found < max; word++) {
            found += take_word(&bits[word], begin + word * UINT64_C(64), ids + found, max - found);
            if (bits[word] != 0)
                *cursor = begin + word * UINT64_C(64) + (uint64_t)__builtin_ctzll(bits[word]);
            else if (found == max && word + 1 < GRAPH_BLOCK_WORDS)
                *cursor = begin + (word + 1) * UINT64_C(64);
        }
    }
    return found;
}

bool graph_property_covers(const GraphView *view, const uint32_t *labels, uint32_t label_count,
                           uint32_t key)
{
    const PropertyColumn *column =
        key == GRAPH_NAME_UNKNOWN ? NULL : table_column(&view->graph->nodes, key);
    uint64_t blocks = graph_block_count(view), bits[GRAPH_BLOCK_WORDS];
    for (uint64_t number = 0; number < blocks; number++) {
        if (!graph_scan_block(view, labels, label_count, number, bits)) continue;
        const ColumnBlock *block = column == NULL ? NULL : directory_get(&column->blocks, number);
        if (block == NULL) return false;
        for (uint32_t word = 0; word < GRAPH_BLOCK_WORDS; word++)
            if ((bits[word] & ~__atomic_load_n(&block->present[word], __ATOMIC_ACQUIRE)) != 0)
                return false;
        if (block->type != COLUMN_INTEGER && block->type != COLUMN_STRING) return false;
        if (!column_block_steady(block, view->version)) return false;
    }
    return true;
}

uint64_t graph_block_count(const GraphView *view)
{
    uint64_t count = atomic_load_explicit(&view->graph->nodes.rows.count, memory_order_acquire);
    return (count + GRAPH_BLOCK_ROWS - 1) / GRAPH_BLOCK_ROWS;
}

/* ---- properties of many rows ---- */

/* Rows that lie in one block: how many of those from `from` on, and whether they are consecutive. */
typedef struct Stretch {
    const ColumnBlock *block; /* NULL: none is there */
    uint32_t first, count;    /* the first one's place in the block */
    bool dense;
} Stretch;

/* Two at a time, as any machine can. */
static bool consecutive(const uint64_t *rows, uint32_t count, uint64_t mask)
{
    typedef uint64_t Two __attribute__((vector_size(16)));
    uint64_t first = rows[0] & mask;
    Two wanted = {first, first + 1}, apart = {0}, two;
    if ((rows[count - 1] & mask) != first + count - 1) return false;
    for (uint32_t i = 0; i + 2 <= count; i += 2, wanted += 2) {
        memcpy(&two, rows + i, sizeof two);
        apart |= (two & mask) ^ wanted;
    }
    return (apart[0] | apart[1]) == 0; /* of an odd count the last was looked at above */
}

static Stretch stretch_from(const PropertyColumn *column, const uint64_t *rows, uint32_t count,
                            uint64_t mask, bool ascending)
{
    uint64_t first = rows[0] & mask, number = first / GRAPH_BLOCK_ROWS;
    Stretch stretch = {directory_get(&column->blocks, number), first % GRAPH_BLOCK_ROWS, 1, false};
    uint32_t room = GRAPH_BLOCK_ROWS - stretch.first, dense = count < room ? count : room;
    stretch.dense =
        ascending ? (rows[dense - 1] & mask) == first + dense - 1 : consecutive(rows, dense, mask);
    stretch.count = stretch.dense ? dense : 1;
    while (!stretch.dense && stretch.count < count &&
           (rows[stretch.count] & mask) / GRAPH_BLOCK_ROWS == number)
        stretch.count++;
    return stretch;
}

static bool is_full(const ColumnBlock *block)
{
    uint64_t all = UINT64_MAX;
    for (uint32_t i = 0; i < GRAPH_BLOCK_ROWS / 64; i++)
        all &= __atomic_load_n(&block->present[i], __ATOMIC_ACQUIRE);
    return all == UINT64_MAX;
}

static bool all_present(const Stretch *stretch, const uint64_t *rows, uint64_t mask)
{
    enum { MANY = 128 }; /* rows that are asked one by one: then first for the whole block */
    const uint64_t *present = stretch->block->present;
    uint32_t i = stretch->first, end = stretch->first + stretch->count;
    uint64_t missing = 0;
    if (!stretch->dense && stretch->count >= MANY && is_full(stretch->block)) return true;
    while (stretch->dense && i < end) {
        uint64_t some = UINT64_MAX << i % 64;
        if (end - i / 64 * 64 < 64) some &= (UINT64_C(1) << end % 64) - 1;
        missing |= some & ~__atomic_load_n(&present[i / 64], __ATOMIC_ACQUIRE);
        i = (i / 64 + 1) * 64;
    }
    for (uint32_t j = 0; !stretch->dense && j < stretch->count; j++) {
        uint32_t at = (rows[j] & mask) % GRAPH_BLOCK_ROWS;
        missing |= ~(__atomic_load_n(&present[at / 64], __ATOMIC_ACQUIRE) >> at % 64) & 1;
    }
    return missing == 0;
}

static inline double float_at(const ColumnBlock *block, uint32_t i)
{
    uint64_t bits;
    double number;
    if (block->packed.bits != NULL) return (double)packed_get(&block->packed, i) / block->power;
    bits = __atomic_load_n((const uint64_t *)(const void *)block->floats + i, __ATOMIC_RELAXED);
    memcpy(&number, &bits, sizeof number);
    return number;
}

/* The near end of a hop stands in many rows, one below the other. */
#define READ_ROWS(member, value)                                                                   \
    for (uint32_t i = 0; i < stretch->count; i++) {                                                \
        uint32_t at = (rows[i] & mask) % GRAPH_BLOCK_ROWS;                                         \
        out->member[from + i] =                                                                    \
            i > 0 && rows[i] == rows[i - 1] ? out->member[from + i - 1] : (value);                 \
    }                                                                                              \
    break

/* Decimals that lie apart: their integers first, for dividing is what takes long. */
static void read_decimals(const Stretch *stretch, const uint64_t *rows, uint64_t mask, double *out)
{
    enum { SOME = 256 };
    const ColumnBlock *block = stretch->block;
    int64_t some[SOME];
    for (uint32_t done = 0; done < stretch->count; done += SOME) {
        uint32_t these = stretch->count - done < SOME ? stretch->count - done : SOME;
        for (uint32_t i = 0; i < these; i++)
            some[i] = packed_get(&block->packed, (rows[done + i] & mask) % GRAPH_BLOCK_ROWS);
        decimals_from(some, these, block->power, out + done);
    }
}

static void read_stretch(const Stretch *stretch, const uint64_t *rows, uint64_t mask, Column *out,
                         uint32_t from)
{
    const ColumnBlock *block = stretch->block;
    bool packed = block->packed.bits != NULL;
    if (packed && block->type == COLUMN_INTEGER && stretch->dense) {
        packed_some(&block->packed, stretch->first, stretch->count, out->integers + from);
        return;
    }
    if (packed && block->type == COLUMN_FLOAT && stretch->dense) {
        packed_decimals(&block->packed, stretch->first, stretch->count, block->power,
                        out->floats + from);
        return;
    }
    if (packed && block->type == COLUMN_FLOAT) {
        read_decimals(stretch, rows, mask, out->floats + from);
        return;
    }
    bool words = block->type == COLUMN_INTEGER || block->type == COLUMN_FLOAT;
    if (stretch->dense && words && block->packed.bits == NULL) {
        typedef uint64_t __attribute__((may_alias)) Word; /* either type is one */
        const Word *in = (const Word *)block->data + stretch->first;
        Word *to = (Word *)out->integers + from;
        for (uint32_t i = 0; i < stretch->count; i++)
            to[i] = __atomic_load_n(in + i, __ATOMIC_RELAXED);
        return;
    }
    switch (block->type) {
    case COLUMN_BOOLEAN:
        READ_ROWS(booleans, __atomic_load_n(&block->booleans[at], __ATOMIC_RELAXED));
    case COLUMN_INTEGER: READ_ROWS(integers, block_integer(block, at));
    case COLUMN_FLOAT: READ_ROWS(floats, float_at(block, at));
    default: READ_ROWS(strings, column_block_text(block, at));
    }
}

/* A row that has its block for itself, as the far ends of hops mostly have. */
static bool read_alone(const ColumnBlock *block, uint32_t at, uint64_t version, Column *out,
                       uint32_t i)
{
    bool there = block != NULL && block->type == out->type &&
                 (__atomic_load_n(&block->present[at / 64], __ATOMIC_ACQUIRE) >> at % 64 & 1);
    if (!there) return false;
    switch (out->type) {
    case COLUMN_BOOLEAN:
        out->booleans[i] = __atomic_load_n(&block->booleans[at], __ATOMIC_RELAXED);
        break;
    case COLUMN_INTEGER: out->integers[i] = block_integer(block, at); break;
    case COLUMN_FLOAT: out->floats[i] = float_at(block, at); break;
    default: out->strings[i] = column_block_text(block, at); break;
    }
    return column_block_steady(block, version);
}

/* How many of the rows are read. The fast path holds while every row lies in a block of the first
 * block's type, is present, and the block is steady, which is asked after the values, as ever. */
static uint32_t read_plain(const PropertyColumn *column, const uint64_t *rows, uint32_t count,
                           uint64_t mask, bool ascending, uint64_t version, Arena *arena,
                           Column *out)
{
    const ColumnBlock *block = directory_get(&column->blocks, (rows[0] & mask) / GRAPH_BLOCK_ROWS);
    if (block == NULL) return 0;
    ColumnType type = block->type;
    bool plain = type == COLUMN_BOOLEAN || type == COLUMN_INTEGER || type == COLUMN_FLOAT ||
                 type == COLUMN_STRING;
    if (!plain) return 0;
    *out = *column_create(arena, type, count);
    for (uint32_t i = 0; i < count;) {
        uint64_t row = rows[i] & mask, number = row / GRAPH_BLOCK_ROWS;
        if (i + 1 == count || (rows[i + 1] & mask) / GRAPH_BLOCK_ROWS != number) {
            block = directory_get(&column->blocks, number);
            if (!read_alone(block, row % GRAPH_BLOCK_ROWS, version, out, i)) return i;
            i++;
            continue;
        }
        Stretch stretch = stretch_from(column, rows + i, count - i, mask, ascending);
        if (stretch.block == NULL || stretch.block->type != type ||
            !all_present(&stretch, rows + i, mask))
            return i;
        read_stretch(&stretch, rows + i, mask, out, i);
        if (!column_block_steady(stretch.block, version)) return i;
        i += stretch.count;
    }
    return count;
}

static void read_numbers(const Stretch *stretch, const uint64_t *rows, uint64_t mask, uint32_t add,
                         uint16_t *out)
{
    const Packed *packed = &stretch->block->packed;
    if (stretch->dense && packed->width == 8 && packed->step == 0) { /* bytes */
        const uint8_t *bytes = (const uint8_t *)packed->bits + stretch->first;
        uint16_t base = (uint16_t)(packed->base + add);
        enum { MANY = 16 }; /* a register of them, where there is one */
        uint32_t i = 0;
        for (; i + MANY <= stretch->count; i += MANY)
            for (uint32_t j = 0; j < MANY; j++)
                out[i + j] = (uint16_t)(base + bytes[i + j]);
        for (; i < stretch->count; i++)
            out[i] = (uint16_t)(base + bytes[i]);
        return;
    }
    for (uint32_t i = 0; i < stretch->count; i++)
        out[i] =
            (uint16_t)(add + (uint64_t)packed_get(packed, (rows[i] & mask) % GRAPH_BLOCK_ROWS));
}

/* The words of blocks that have some, one block's behind the other's; false: there are others, or so
 * many words that each row had as well its own text. */
bool column_read_words(const PropertyColumn *column, const uint64_t *rows, uint32_t count,
                       bool ascending, uint64_t version, Arena *arena, Column *out)
{
    enum { WORDS_PAY = 64 }; /* rows: of fewer, each has its text at once */
    const uint64_t mask = UINT64_MAX;
    Str *words = NULL;
    uint16_t *numbers = NULL;
    uint32_t known = 0;
    if (count < WORDS_PAY) return false;
    for (uint32_t i = 0; i < count;) {
        Stretch stretch = stretch_from(column, rows + i, count - i, mask, ascending);
        const ColumnBlock *block = stretch.block;
        bool fits = block != NULL && block->type == COLUMN_STRING && block->word_count > 0 &&
                    known + block->word_count <= count / 2 && all_present(&stretch, rows + i, mask);
        if (!fits) return false;
        if (words == NULL) words = arena_alloc(arena, count / 2 * sizeof *words);
        if (numbers == NULL) numbers = arena_alloc(arena, count * sizeof *numbers);
        read_numbers(&stretch, rows + i, mask, known, numbers + i);
        column_block_words(block, words + known);
        if (!column_block_steady(block, version)) return false;
        known += block->word_count;
        i += stretch.count;
    }
    *out = (Column){.type = COLUMN_WORD, .numbers = numbers, .words = words, .word_count = known};
    return true;
}

void column_read_many(const PropertyColumn *column, const uint64_t *rows, uint32_t count,
                      uint64_t mask, bool ascending, uint64_t version, Arena *arena, Column *out)
{
    uint32_t done =
        count == 0 ? 0 : read_plain(column, rows, count, mask, ascending, version, arena, out);
    if (done == count && count > 0) return;
    ColumnType type = done > 0 ? out->type : COLUMN_UNSET;
    for (uint32_t i = done; i < count; i++) {
        Value value = column_read(column, rows[i] & mask, version, arena);
        if (type == COLUMN_UNSET) {
            if (value.kind == VALUE_NULL && i + 1 < count) continue;
            type = value.kind == VALUE_NULL ? COLUMN_ANY : column_type_of((ValueKind)value.kind);
            *out = *column_create(arena, type, count);
            for (uint32_t j = 0; j < i; j++)
                column_set_null(arena, out, j, count);
        }
        column_set(arena, out, i, value, count);
    }
    if (count == 0) *out = *column_create(arena, COLUMN_ANY, 1);
}

/* ---- zones ---- */

/* The least and the greatest that the block's packed numbers can be; false: not known. */
static bool packed_zone(const ColumnBlock *block, Value *low, Value *high)
{
    const Packed *packed = &block->packed;
    bool numbers = block->type == COLUMN_INTEGER || block->type == COLUMN_FLOAT;
    if (!numbers || packed->bits == NULL) return false;
    __int128 first = (int64_t)packed->base,
             last = first + (__int128)(int64_t)packed->step * (GRAPH_BLOCK_ROWS - 1);
    __int128 least = first < last ? first : last,
             most = (first < last ? last : first) + ((__int128)1 << packed->width) - 1;
    if (least < INT64_MIN || most > INT64_MAX) return false; /* sums that wrap around */
    bool integer = block->type == COLUMN_INTEGER;
    *low = integer ? value_integer((int64_t)least) : value_float((double)least / block->power);
    *high = integer ? value_integer((int64_t)most) : value_float((double)most / block->power);
    return true;
}

bool graph_block_spans(const GraphView *view, uint64_t block, uint32_t key, Value low, Value high)
{
    const PropertyColumn *column =
        key == GRAPH_NAME_UNKNOWN ? NULL : table_column(&view->graph->nodes, key);
    const ColumnBlock *found = column == NULL ? NULL : directory_get(&column->blocks, block);
    Value least, most;
    if (found == NULL) return false; /* null is in no interval */
    if (!packed_zone(found, &least, &most)) return true;
    return value_compare(most, low) != -1 && value_compare(least, high) != 1;
}

/* ---- vectors ---- */

/* A segment's block has as many rows as were there, its factors right behind them. */
static size_t rows_lent(const ColumnBlock *block)
{
    if (!block->mapped || block->stride == 0) return GRAPH_BLOCK_ROWS;
    return (size_t)(block->factors - block->vectors) / block->stride;
}

GraphVectorsKind graph_vectors(const GraphView *view, uint32_t key, uint64_t number,
                               GraphVectors *out)
{
    const PropertyColumn *column =
        key == GRAPH_NAME_UNKNOWN ? NULL : table_column(&view->graph->nodes, key);
    ColumnBlock *block = column == NULL ? NULL : directory_get(&column->blocks, number);
    if (block == NULL) return GRAPH_VECTORS_NONE;
    if (block->type != COLUMN_VECTOR) return GRAPH_VECTORS_VALUES;
    *out = (GraphVectors){block->vectors, block->factors,    block->present, rows_lent(block),
                          block->stride,  block->dimensions, block,          view->graph};
    return column_block_steady(block, view->version) ? GRAPH_VECTORS_LENT : GRAPH_VECTORS_NEWER;
}

bool graph_vectors_held(const GraphView *view, const GraphVectors *vectors)
{
    return column_block_steady(vectors->block, view->version);
}

bool graph_vectors_version(const GraphView *view, uint32_t key, uint64_t *column,
                           uint64_t *generation)
{
    const PropertyColumn *found =
        key == GRAPH_NAME_UNKNOWN ? NULL : table_column(&view->graph->nodes, key);
    if (found == NULL) return false;
    *generation = atomic_load_explicit(&found->generation, memory_order_acquire);
    *column = (uint64_t)(uintptr_t)found;
    return *generation % 2 == 0;
}

/* ---- beside vectors ---- */

/*
 * A seqlock: who reads looks at the stamp before and after, who makes says that it is busy first. Both
 * hold the count of writes against it, so that a write voids what is there and what is being made. The
 * memory stays where it is, for others may look at it; what they saw of a later making is void.
 */
static Beside *beside_of(const GraphVectors *vectors)
{
    return &((ColumnBlock *)vectors->block)->beside;
}

void *graph_derived(const GraphVectors *vectors, uint64_t *stamp)
{
    Beside *beside = beside_of(vectors);
    uint64_t writes = atomic_load_explicit(&beside->writes, memory_order_acquire);
    *stamp = writes + 1;
    if (writes % 2 != 0 || atomic_load_explicit(&beside->stamp, memory_order_acquire) != *stamp)
        return NULL;
    return atomic_load_explicit(&beside->derived, memory_order_acquire);
}

bool graph_derived_held(const GraphVectors *vectors, uint64_t stamp)
{
    const Beside *beside = beside_of(vectors);
    atomic_thread_fence(memory_order_acquire);
    return atomic_load_explicit(&beside->stamp, memory_order_relaxed) == stamp &&
           atomic_load_explicit(&beside->writes, memory_order_relaxed) == stamp - 1;
}

/* With the lock held. The first chunk is small, for small graphs. */
static BesideChunk *make_chunk(Graph *graph, size_t bytes)
{
    size_t wanted = atomic_load(&graph->derived_bytes), most = BESIDE_PIECES * bytes;
    if (wanted > most) wanted = most;
    if (wanted < bytes) wanted = bytes;
    wanted = (wanted + BESIDE_ALIGN + MEM_PAGE_BYTES - 1) / MEM_PAGE_BYTES * MEM_PAGE_BYTES;
    BesideChunk *chunk = mem_alloc_pages(wanted);
    *chunk = (BesideChunk){graph->beside_chunks, BESIDE_ALIGN, wanted};
    graph->beside_chunks = chunk;
    return chunk;
}

/* It outlives the statement, so it is nobody's. */
static void *make_room(Graph *graph, Beside *beside, size_t bytes)
{
    void *room = atomic_load_explicit(&beside->derived, memory_order_relaxed);
    if (room != NULL) return room;
    MemAccount *account = mem_account_enter(NULL);
    bytes = (bytes + BESIDE_ALIGN - 1) / BESIDE_ALIGN * BESIDE_ALIGN;
    pthread_mutex_lock(&graph->beside_lock);
    BesideChunk *chunk = graph->beside_chunks;
    if (chunk == NULL || chunk->bytes - chunk->used < bytes) chunk = make_chunk(graph, bytes);
    room = (char *)chunk + chunk->used;
    chunk->used += bytes;
    pthread_mutex_unlock(&graph->beside_lock);
    mem_account_enter(account);
    atomic_fetch_add(&graph->derived_bytes, bytes);
    atomic_store_explicit(&beside->derived, room, memory_order_release);
    return room;
}

void *graph_derive(const GraphVectors *vectors, size_t bytes, bool now, uint64_t *stamp)
{
    Beside *beside = beside_of(vectors);
    uint64_t writes = atomic_load_explicit(&beside->writes, memory_order_acquire),
             before = atomic_load_explicit(&beside->stamp, memory_order_relaxed);
    if (writes % 2 != 0 || before == BESIDE_BUSY || mem_is_short()) return NULL;
    *stamp = writes + 1;
    if (atomic_exchange_explicit(&beside->asked, *stamp, memory_order_relaxed) != *stamp && !now)
        return NULL;
    if (!atomic_compare_exchange_strong(&beside->stamp, &before, BESIDE_BUSY)) return NULL;
    atomic_thread_fence(memory_order_release);
    return make_room(vectors->graph, beside, bytes);
}

void graph_derive_end(const GraphVectors *vectors, uint64_t stamp)
{
    Beside *beside = beside_of(vectors);
    atomic_thread_fence(memory_order_acquire);
    bool held = atomic_load_explicit(&beside->writes, memory_order_relaxed) == stamp - 1;
    atomic_store_explicit(&beside->stamp, held ? stamp : 0, memory_order_release);
}

void beside_move(Beside *from, Beside *to)
{
    uint64_t stamp = atomic_load(&from->stamp);
    if (stamp == BESIDE_BUSY || !atomic_compare_exchange_strong(&from->stamp, &stamp, BESIDE_BUSY))
        return;
    atomic_store(&to->derived, atomic_load(&from->derived)); /* `from` stays busy for ever */
}

uint64_t graph_derived_bytes(const Graph *graph)
{
    return atomic_load_explicit(&graph->derived_bytes, memory_order_relaxed);
}

void beside_free(Graph *graph)
{
    for (BesideChunk *at = graph->beside_chunks, *next; at != NULL; at = next) {
        next = at->next;
        mem_free(at);
    }
}
