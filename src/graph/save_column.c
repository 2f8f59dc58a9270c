/*
 * save_column.c - a column of properties as sections of a segment (stored.h): elements, text, and
 * descriptions of its blocks, in three passes, because a section is written from its beginning to its
 * end. Blocks that are still where a base has them are told by where they are and referred to.
 */
#include "config.h"

#include "graph/save_internal.h"
#include "value/encode.h"
#include <assert.h>

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
    case COLUMN_WORD:
    case COLUMN_RELATIONSHIP: break;
    }
    return STORED_NOTHING;
}

typedef struct Described { /* a block, while it is saved */
    StoredBlock out;
    uint64_t present[GRAPH_BLOCK_ROWS / 64];
    bool shared; /* its words are those of the block before */
} Described;

static bool is_set(const Described *out, uint32_t i)
{
    return out->present[i / 64] >> i % 64 & 1;
}

static bool has_gaps(const Described *block)
{
    uint32_t set = 0;
    for (int i = 0; i < GRAPH_BLOCK_ROWS / 64; i++)
        set += (uint32_t)__builtin_popcountll(block->present[i]);
    return set < block->out.rows;
}

/* What of the block is worth keeping: values of rows that are alive. */
static void describe(const Save *save, const Extent *extent, uint64_t number,
                     const ColumnBlock *block, Described *out)
{
    uint64_t begin_row = number * GRAPH_BLOCK_ROWS;
    *out = (Described){0};
    for (uint32_t i = 0; block != NULL && i < GRAPH_BLOCK_ROWS && begin_row + i < extent->count;
         i += 64) {
        uint64_t left = extent->count - begin_row - i;
        uint64_t word = __atomic_load_n(&block->present[i / 64], __ATOMIC_ACQUIRE) &
                        (left < 64 ? (UINT64_C(1) << left) - 1 : UINT64_MAX);
        for (uint64_t bits = extent->all_live ? 0 : word; bits != 0; bits &= bits - 1) {
            uint32_t bit = (uint32_t)__builtin_ctzll(bits);
            if (!rows_visible(extent->rows, begin_row + i + bit, save->view.version))
                word &= ~(UINT64_C(1) << bit);
        }
        out->present[i / 64] = word;
        if (word != 0) out->out.rows = i + 64 - (uint32_t)__builtin_clzll(word);
    }
    if (out->out.rows == 0) return;
    out->out.type = (uint16_t)stored_type(block->type);
    out->out.gaps = has_gaps(out);
    out->out.dimensions = block->dimensions;
    out->out.stride = block->stride;
}

/* Where each row's text begins, if strings stand behind one another, and where they end. Mixed
 * values are encoded into scratch on the way. */
static Error *text_offsets(Save *save, const ColumnBlock *block, const Described *stored,
                           uint32_t offsets[GRAPH_BLOCK_ROWS + 1])
{
    uint64_t at = 0;
    buffer_clear(&save->scratch);
    for (uint32_t i = 0; i < stored->out.rows; i++) {
        offsets[i] = (uint32_t)at;
        if (!is_set(stored, i)) continue;
        if (stored->out.type == STORED_ANY) {
            value_encode(&save->scratch, column_block_value(block, i));
            at = save->scratch.bytes;
        } else {
            at += column_block_text(block, i).bytes;
        }
        if (at > UINT32_MAX)
            return error_hint(error_new(ERROR_LIMIT,
                                        "%d values of one property hold more than "
                                        "4 GiB of text",
                                        GRAPH_BLOCK_ROWS),
                              "cut the texts into smaller ones");
    }
    offsets[stored->out.rows] = (uint32_t)at;
    return NULL;
}

/* Integers, and doubles that are decimals, in as few bits as they need; what has no such form is left as
 * it is. */
static void pack_numbers(Save *save, const ColumnBlock *block, Described *stored)
{
    int64_t integers[GRAPH_BLOCK_ROWS];
    double numbers[GRAPH_BLOCK_ROWS];
    bool floats = stored->out.type == STORED_FLOAT;
    uint32_t exponent = 0;
    for (uint32_t i = 0; i < stored->out.rows; i++) {
        if (!is_set(stored, i)) continue;
        if (floats)
            numbers[i] = column_block_value(block, i).as.number;
        else
            integers[i] = block_integer(block, i);
    }
    buffer_clear(&save->scratch);
    if (floats && !pack_decimals(numbers, stored->out.rows, stored->present, integers, &exponent))
        return;
    uint32_t width = pack(integers, stored->out.rows, stored->present, &save->scratch);
    if (width == PACK_NOT) return;
    stored->out.type = floats ? STORED_DECIMAL : STORED_PACKED;
    stored->out.dimensions = width;
    stored->out.stride = exponent;
}

/* The word's number; WORDS_MAX: there are too many. */
static uint32_t word_number(Words *words, Str text)
{
    if (text.bytes == 0) text = STR("");
    size_t at = hash_bytes(text.data, text.bytes, 0) % WORD_SLOTS;
    for (; words->slots[at] != 0; at = (at + 1) % WORD_SLOTS)
        if (str_equal(words->texts[words->slots[at] - 1], text)) return words->slots[at] - 1;
    if (words->count == WORDS_MAX) return WORDS_MAX;
    words->texts[words->count] = text;
    words->bytes += text.bytes;
    words->slots[at] = (uint16_t)++words->count;
    return words->count - 1;
}

/* The numbers of the block's texts; false: there are more than WORDS_MAX, or so few of those that are
 * known already that the block had better have its own. */
static bool number_words(Words *words, const ColumnBlock *block, const Described *stored,
                         int64_t *numbers)
{
    bool used[WORDS_MAX] = {false};
    uint32_t known = words->count, uses = 0;
    for (uint32_t i = 0; i < stored->out.rows; i++) {
        if (!is_set(stored, i)) continue;
        numbers[i] = word_number(words, column_block_text(block, i));
        if (numbers[i] == WORDS_MAX) return false;
        uses += !used[numbers[i]];
        used[numbers[i]] = true;
    }
    return known == 0 || uses * 2 > words->count;
}

/* Few texts in many rows are kept once; false: they are not few. A block goes on with the words of the
 * one before it, which it shares where it has no others. */
static bool pack_words(Save *save, const ColumnBlock *block, Described *stored, uint64_t text_bytes)
{
    int64_t numbers[GRAPH_BLOCK_ROWS], offsets[WORDS_MAX + 1] = {0};
    Words *words = &save->recent;
    uint32_t known = words->count;
    bool few = number_words(words, block, stored, numbers);
    if (!few && known > 0) {
        *words = (Words){.count = 0};
        known = 0;
        few = number_words(words, block, stored, numbers);
    }
    if (!few ||
        words->bytes + stored->out.rows > text_bytes) { /* a byte a row: no more than that */
        *words = (Words){.count = 0};
        return false;
    }
    for (uint32_t i = 0; i < words->count; i++)
        offsets[i + 1] = offsets[i] + (int64_t)words->texts[i].bytes;
    uint32_t width = pack(numbers, stored->out.rows, stored->present, &save->scratch);
    uint32_t offset_width = pack(offsets, words->count + 1, NULL, &save->scratch);
    for (uint32_t i = 0; i < words->count && known != words->count; i++)
        buffer_str(&save->words, words->texts[i]);
    stored->shared = known == words->count;
    stored->out.type = STORED_WORDS;
    stored->out.stride = words->count;
    stored->out.dimensions = width | offset_width << 8;
    stored->out.text_bytes = words->bytes;
    return true;
}

static Error *pack_texts(Save *save, const ColumnBlock *block, Described *stored)
{
    uint32_t offsets[GRAPH_BLOCK_ROWS + 1];
    int64_t wide[GRAPH_BLOCK_ROWS + 1];
    TRY(text_offsets(save, block, stored, offsets));
    if (pack_words(save, block, stored, offsets[stored->out.rows])) return NULL;
    for (uint32_t i = 0; i <= stored->out.rows; i++)
        wide[i] = offsets[i];
    stored->out.type = STORED_TEXTS;
    stored->out.text_bytes = offsets[stored->out.rows];
    stored->out.dimensions = pack(wide, stored->out.rows + 1, NULL, &save->scratch);
    return NULL;
}

static Error *put_vectors(Save *save, const ColumnBlock *block, const Described *stored)
{
    uint64_t factor_bytes = stored->out.rows * sizeof(float);
    TRY(segment_put(save->segment, block->vectors, stored_data_bytes(&stored->out) - factor_bytes));
    return segment_put(save->segment, block->factors, factor_bytes);
}

static Error *put_data(Save *save, const ColumnBlock *block, Described *stored)
{
    uint32_t offsets[GRAPH_BLOCK_ROWS + 1];
    if (stored->out.type == STORED_NOTHING) return NULL;
    TRY(segment_pad(save->segment, STORED_ALIGN));
    stored->out.data_at = segment_put_bytes(save->segment);
    if (stored->out.gaps) TRY(segment_put(save->segment, stored->present, sizeof stored->present));
    switch ((StoredType)stored->out.type) {
    case STORED_VECTOR: return put_vectors(save, block, stored);
    case STORED_ANY:
        TRY(text_offsets(save, block, stored, offsets));
        stored->out.text_bytes = offsets[stored->out.rows];
        return segment_put(save->segment, offsets, stored_data_bytes(&stored->out));
    case STORED_STRING:
        TRY(pack_texts(save, block, stored));
        return segment_put(save->segment, save->scratch.data, save->scratch.bytes);
    case STORED_INTEGER:
    case STORED_FLOAT:
        pack_numbers(save, block, stored);
        if (stored->out.type != STORED_INTEGER && stored->out.type != STORED_FLOAT)
            return segment_put(save->segment, save->scratch.data, save->scratch.bytes);
        break;
    default: break;
    }
    return segment_put(save->segment, block->data, stored_data_bytes(&stored->out));
}

static Error *put_text(Save *save, const ColumnBlock *block, Described *stored)
{
    uint32_t offsets[GRAPH_BLOCK_ROWS + 1];
    stored->out.text_at = segment_put_bytes(save->segment);
    if (stored->out.type == STORED_ANY) {
        TRY(text_offsets(save, block, stored, offsets));
        return segment_put(save->segment, save->scratch.data, save->scratch.bytes);
    }
    if (stored->shared) {
        stored->out.text_at = save->recent_at;
        return NULL;
    }
    if (stored->out.type == STORED_WORDS) {
        save->recent_at = stored->out.text_at;
        const char *words = save->words.data + save->words_at;
        save->words_at += stored->out.text_bytes;
        return segment_put(save->segment, words, stored->out.text_bytes);
    }
    for (uint32_t i = 0; stored->out.type == STORED_TEXTS && i < stored->out.rows; i++) {
        if (!is_set(stored, i)) continue;
        Str text = column_block_text(block, i);
        TRY(segment_put(save->segment, text.data == NULL ? "" : text.data, text.bytes));
    }
    return NULL;
}

/* What the base has of a column, and which of it is used again. */
typedef struct Kept {
    const StoredBlock *blocks;
    uint64_t block_count;
    uint32_t sources[STORED_SOURCES_MAX]; /* the new number of each; 0: not used */
    uint64_t used[STORED_SOURCES_MAX];    /* bytes */
    uint32_t source_count;
} Kept;

/* A copy has taken the place of the one in the segment, or there was none. */
bool save_block_changed(const PropertyColumn *column, uint64_t i)
{
    const ColumnBlock *block = directory_known(&column->blocks, i);
    return block != NULL && !block->mapped;
}

static bool column_changed(const PropertyColumn *column, const Kept *kept, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++)
        if (save_block_changed(column, i)) return true;
    return kept->block_count != count; /* of rows that came, and have no value */
}

/* A block that is still where it was. */
static void keep_block(Kept *kept, uint64_t i, StoredBlock *out)
{
    *out = kept->blocks[i];
    if (out->type == STORED_NOTHING) {
        out->source = 0;
        return;
    }
    uint32_t source = out->source;
    if (kept->sources[source] == 0) kept->sources[source] = ++kept->source_count;
    out->source = kept->sources[source];
    const StoredBlock *before = i == 0 ? NULL : &kept->blocks[i - 1];
    bool shared = before != NULL && before->type == STORED_WORDS && before->source == source &&
                  before->text_at == out->text_at;
    kept->used[source] += stored_data_bytes(out) + (shared ? 0 : out->text_bytes);
}

static Error *refer_sources(Save *save, uint32_t table, uint32_t key, const Kept *kept, bool anew)
{
    static const StoredSection kinds[] = {STORED_DATA, STORED_TEXT};
    for (uint32_t source = 0; source < STORED_SOURCES_MAX; source++)
        for (int i = 0; kept->sources[source] > 0 && i < 2; i++) {
            const SegmentSection *section = save_find_base(save, kinds[i], table, key, source);
            if (section == NULL) continue; /* opening has seen that it is there */
            SegmentSection as = *section;
            if (anew) as.first = kept->sources[source];
            TRY(save_refer(save, section, as, i == 0 ? kept->used[source] : 0));
        }
    return NULL;
}

/* Nothing of the column has changed: it is as it was. */
static Error *refer_column(Save *save, const SegmentSection *blocks, Kept *kept)
{
    StoredBlock ignored;
    for (uint64_t i = 0; i < kept->block_count; i++)
        keep_block(kept, i, &ignored);
    for (uint32_t source = 0; source < STORED_SOURCES_MAX; source++)
        kept->sources[source] = 1; /* under the number it had */
    TRY(save_refer(save, blocks, *blocks, blocks->bytes));
    return refer_sources(save, blocks->table, blocks->key, kept, false);
}

/* True: there is a base of the column, and it is sound. */
static bool find_kept(Save *save, uint32_t table, uint32_t key, Kept *out)
{
    const SegmentSection *section = save_find_base(save, STORED_BLOCKS, table, key, ANY_FIRST);
    *out = (Kept){.blocks = save_base_data(save, section)};
    if (out->blocks == NULL) return false;
    out->block_count = section->count;
    for (uint64_t i = 0; i < section->count; i++)
        if (out->blocks[i].source >= STORED_SOURCES_MAX) return *out = (Kept){0}, false;
    return true;
}

static Error *save_blocks(Save *save, uint32_t table, uint32_t key, const Extent *extent,
                          const PropertyColumn *column, Described *stored)
{
    uint64_t count = blocks_for(extent->count);
    bool any = false;
    Kept kept;
    if (find_kept(save, table, key, &kept) && !column_changed(column, &kept, count))
        return refer_column(save, save_find_base(save, STORED_BLOCKS, table, key, ANY_FIRST),
                            &kept);
    for (uint64_t i = 0; i < count; i++) {
        bool same = i < kept.block_count && !save_block_changed(column, i);
        stored[i].shared = false;
        if (same)
            keep_block(&kept, i, &stored[i].out);
        else
            describe(save, extent, i, directory_get(&column->blocks, i), &stored[i]);
        any = any || stored[i].out.type != STORED_NOTHING;
    }
    if (!any) return NULL;
    SegmentSection section = {.table = table, .key = key, .count = count};
    buffer_clear(&save->words);
    save->words_at = 0;
    save->recent = (Words){.count = 0};
    section.kind = STORED_DATA;
    TRY(save_begin(save, section));
    for (uint64_t i = 0; i < count; i++)
        if (stored[i].out.source == 0)
            TRY(put_data(save, directory_get(&column->blocks, i), &stored[i]));
    section.kind = STORED_TEXT;
    TRY(save_begin(save, section));
    for (uint64_t i = 0; i < count; i++)
        if (stored[i].out.source == 0)
            TRY(put_text(save, directory_get(&column->blocks, i), &stored[i]));
    section.kind = STORED_BLOCKS;
    TRY(save_begin(save, section));
    for (uint64_t i = 0; i < count; i++)
        TRY(segment_put(save->segment, &stored[i].out, sizeof stored[i].out));
    return refer_sources(save, table, key, &kept, true);
}

Error *save_column(Save *save, uint32_t table, uint32_t key, const Extent *extent,
                   const PropertyColumn *column)
{
    Described *stored = mem_alloc((blocks_for(extent->count) + 1) * sizeof *stored);
    Error *error = save_blocks(save, table, key, extent, column, stored);
    mem_free(stored);
    return error;
}
