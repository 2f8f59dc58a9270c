/*
 * groups.c - two steps: each key's values get codes, then a row's codes get a group.
 *
 * A code is the number of a distinct value of one key, in the order of first rows; with one key it
 * is the group. With more, a group is a tuple of codes, so that values, which may be long, are
 * hashed and compared once a key and never again as parts of rows. Both tables are open addressing
 * over 64-bit slots: the upper half of a hash and a number.
 *
 * Text of up to eight bytes is one number, and compared as such. Text is looked up by where it lies
 * first: names of types and labels, and a value repeated for all that hangs on a node, come from one
 * place again and again. Integers that only ever ascend, as keys of rows in the order of their making
 * do, are each new or the last one: the table is made when the first one does not.
 */
#include "config.h"

#include "base/map.h"
#include "value/groups.h"
#include <assert.h>

enum {
    SLOTS_FIRST = 64,
    RECENT = 64,
    SPARSE_MAX = 1 << 14 /* slots: a table of so many fits a near cache, and has room to spare */
};
#define SLOT_EMPTY UINT64_MAX

typedef struct Table {
    uint64_t *slots;
    size_t mask;
} Table;

typedef struct Recent {
    const char *data;
    uint32_t bytes, code;
} Recent;

enum { SHORT_BYTES = 8, SHORT_NONE = UINT8_MAX };
typedef struct Short { /* what of a value is compared first */
    uint64_t word;     /* of short text: all of it */
    uint8_t bytes;     /* of it; SHORT_NONE: the value is none */
} Short;

typedef struct Coder { /* one key */
    Table table;
    Value *values; /* by code */
    uint64_t *hashes;
    Short *shorts;
    size_t count, value_capacity, hash_capacity, short_capacity;
    Str *words; /* of the last batch of words, and their codes; UINT32_MAX: not yet looked up */
    uint32_t *word_codes;
    uint32_t word_count;
    size_t word_capacity, word_code_capacity;
    bool hashed; /* false: all values are integers, ascending, and not in the table */
} Coder;

struct Groups {
    Arena *arena;
    uint32_t key_count;
    Coder *coders;
    Table table;     /* of tuples; unused with one key */
    uint32_t *codes; /* key_count a group */
    uint64_t *hashes;
    size_t count, code_capacity, hash_capacity;
    bool (*stop)(void *state); /* asked where a table is filled; NULL: nobody is */
    void *stop_state;
    bool stopped;                   /* it said so: tables may lack entries */
    uint32_t found[BATCH_ROWS_MAX]; /* codes of one key */
    uint32_t *tuples;               /* key_count a row of a batch */
};

/* ---- tables ---- */

static Table table_new(size_t size)
{
    Table table = {mem_alloc(size * sizeof *table.slots), size - 1};
    memset(table.slots, 0xff, size * sizeof *table.slots);
    return table;
}

/* Told to stop? Asked now and then while a large table is filled, which takes longer than a person who
 * pressed Ctrl-C would wait. */
static bool is_stopped(Groups *groups, size_t i)
{
    enum { ASK_EVERY = 1 << 14 }; /* entries: a millisecond at most */
    if (i % ASK_EVERY == ASK_EVERY - 1 && groups->stop != NULL)
        groups->stopped = groups->stopped || groups->stop(groups->stop_state);
    return groups->stopped;
}

/* Stopped: the table stays as it is, and has room for the rest of the batch. */
static void table_grow(Groups *groups, Table *table, const uint64_t *hashes, size_t count)
{
    if (groups->stopped) return;
    Table larger = table_new((table->mask + 1) * 2);
    for (size_t i = 0; i < count; i++) {
        if (is_stopped(groups, i)) {
            mem_free(larger.slots);
            return;
        }
        size_t at = hashes[i] & larger.mask;
        while (larger.slots[at] != SLOT_EMPTY)
            at = (at + 1) & larger.mask;
        larger.slots[at] = hashes[i] >> 32 << 32 | i;
    }
    mem_free(table->slots);
    *table = larger;
}

/* ---- codes ---- */

/* Two texts of one length, eight bytes at most, have the same word only if they are the same: it is
 * loaded as two parts that meet or overlap. */
static inline uint64_t short_word(Str text)
{
    uint64_t word = 0;
    uint32_t low, high;
    const char *at = text.data;
    if (text.bytes == 8) {
        memcpy(&word, at, 8);
    } else if (text.bytes >= 4) {
        memcpy(&low, at, 4);
        memcpy(&high, at + text.bytes - 4, 4);
        word = (uint64_t)high << 32 | low;
    } else if (text.bytes > 0) {
        word = (unsigned char)at[0] | (uint64_t)(unsigned char)at[text.bytes / 2] << 8 |
               (uint64_t)(unsigned char)at[text.bytes - 1] << 16;
    }
    return word;
}

/* Good enough to spread texts, and several times as fast as the hash that is stored. */
static inline uint64_t text_hash(Str text, uint64_t word)
{
    const uint64_t factor = UINT64_C(0x9e3779b97f4a7c15);
    const char *at = text.data, *end = text.data + text.bytes;
    uint64_t hash = text.bytes * factor;
    for (; end - at > SHORT_BYTES; at += 8) {
        memcpy(&word, at, 8);
        hash = (hash ^ word) * factor;
        hash ^= hash >> 29;
    }
    if (text.bytes > SHORT_BYTES) memcpy(&word, end - 8, 8);
    return hash_u64(hash ^ word);
}

static uint32_t coder_add(Groups *groups, Coder *coder, size_t at, uint64_t hash, Value value,
                          Short known)
{
    assert(coder->count < UINT32_MAX);
    mem_reserve(coder->values, coder->value_capacity, coder->count + 1);
    mem_reserve(coder->hashes, coder->hash_capacity, coder->count + 1);
    mem_reserve(coder->shorts, coder->short_capacity, coder->count + 1);
    coder->shorts[coder->count] = known;
    coder->values[coder->count] = value_copy(groups->arena, value);
    coder->hashes[coder->count] = hash;
    coder->table.slots[at] = hash >> 32 << 32 | coder->count++;
    bool sparse = coder->table.mask < SPARSE_MAX && coder->count * 8 > coder->table.mask;
    if (sparse || coder->count * 2 > coder->table.mask)
        table_grow(groups, &coder->table, coder->hashes, coder->count);
    return (uint32_t)coder->count - 1;
}

/* The values that were not looked up until now. */
static void hash_values(Groups *groups, Coder *coder)
{
    if (coder->hashed) return;
    coder->hashed = true;
    mem_reserve(coder->hashes, coder->hash_capacity, coder->count + 1);
    mem_reserve(coder->shorts, coder->short_capacity, coder->count + 1);
    size_t size = SLOTS_FIRST;
    while (coder->count * 2 >= size)
        size *= 2;
    mem_free(coder->table.slots);
    coder->table = table_new(size);
    for (size_t i = 0; i < coder->count && !is_stopped(groups, i); i++) {
        uint64_t hash = coder->hashes[i] = value_hash(coder->values[i]);
        coder->shorts[i] = (Short){.bytes = SHORT_NONE};
        size_t at = hash & coder->table.mask;
        while (coder->table.slots[at] != SLOT_EMPTY)
            at = (at + 1) & coder->table.mask;
        coder->table.slots[at] = hash >> 32 << 32 | i;
    }
}

/* Where a text stands in the table, or would. */
typedef struct Place {
    size_t at;
    uint64_t hash;
    Short known;
} Place;

/* UINT32_MAX: it has no code yet, and belongs at *place. */
static inline uint32_t find_short(const Coder *coder, Str text, Place *place)
{
    uint64_t word = short_word(text);
    place->known = (Short){word, (uint8_t)text.bytes};
    place->hash = text_hash(text, word);
    place->at = place->hash & coder->table.mask;
    for (uint64_t slot; (slot = coder->table.slots[place->at]) != SLOT_EMPTY;
         place->at = (place->at + 1) & coder->table.mask) {
        const Short *known = &coder->shorts[(uint32_t)slot];
        if (known->word == word && known->bytes == text.bytes) return (uint32_t)slot;
    }
    return UINT32_MAX;
}

static inline uint32_t find_text(const Coder *coder, Str text, Place *place)
{
    if (text.bytes <= SHORT_BYTES) return find_short(coder, text, place);
    place->known = (Short){.bytes = SHORT_NONE};
    place->hash = text_hash(text, 0);
    place->at = place->hash & coder->table.mask;
    for (uint64_t slot; (slot = coder->table.slots[place->at]) != SLOT_EMPTY;
         place->at = (place->at + 1) & coder->table.mask) {
        const Value *known = &coder->values[(uint32_t)slot];
        if (slot >> 32 == place->hash >> 32 && known->kind == VALUE_STRING &&
            known->aux == text.bytes && memcmp(known->as.text, text.data, text.bytes) == 0)
            return (uint32_t)slot;
    }
    return UINT32_MAX;
}

static uint32_t code_of_text(Groups *groups, Coder *coder, Str text)
{
    Place place;
    uint32_t code = find_text(coder, text, &place);
    return code != UINT32_MAX
               ? code
               : coder_add(groups, coder, place.at, place.hash, value_string(text), place.known);
}

static uint32_t code_of(Groups *groups, Coder *coder, Value value)
{
    if (value.kind == VALUE_STRING) return code_of_text(groups, coder, value_text(value));
    uint64_t hash = value_hash(value);
    size_t at = hash & coder->table.mask;
    for (uint64_t slot; (slot = coder->table.slots[at]) != SLOT_EMPTY;
         at = (at + 1) & coder->table.mask)
        if (slot >> 32 == hash >> 32 && value_equivalent(coder->values[(uint32_t)slot], value))
            return (uint32_t)slot;
    return coder_add(groups, coder, at, hash, value, (Short){.bytes = SHORT_NONE});
}

static void codes_of_texts(Groups *groups, Coder *coder, const Column *column, const Batch *batch,
                           uint32_t *out)
{
    Recent recent[RECENT] = {{0}};
    uint32_t met = 0, i = 0; /* texts that were where one of before was */
    for (; i < batch->selected_count; i++) {
        if (i == 2 * RECENT && met < RECENT / 4) break; /* each row has its own: not worth a look */
        Str text = column->strings[batch_position(batch, i)];
        Recent *known = &recent[((uintptr_t)text.data >> 4 ^ (uintptr_t)text.data) % RECENT];
        if (known->data == NULL || known->data != text.data || known->bytes != text.bytes)
            *known = (Recent){text.data, (uint32_t)text.bytes, code_of_text(groups, coder, text)};
        else
            met++;
        out[i] = known->code;
    }
    for (; i < batch->selected_count; i++)
        out[i] = code_of_text(groups, coder, column->strings[batch_position(batch, i)]);
}

/* Words that lie where those of the batch before lay have the codes that those have. */
static uint32_t *word_codes(Coder *coder, const Column *column)
{
    size_t bytes = column->word_count * sizeof *coder->words;
    if (coder->word_count == column->word_count && memcmp(coder->words, column->words, bytes) == 0)
        return coder->word_codes;
    mem_reserve(coder->words, coder->word_capacity, column->word_count);
    mem_reserve(coder->word_codes, coder->word_code_capacity, column->word_count);
    coder->word_count = column->word_count;
    memcpy(coder->words, column->words, bytes);
    memset(coder->word_codes, 0xff, column->word_count * sizeof *coder->word_codes);
    return coder->word_codes;
}

/* Words that have a code get it at once, others when the first of their rows comes. */
static void codes_of_words(Groups *groups, Coder *coder, const Column *column, const Batch *batch,
                           uint32_t *out)
{
    uint32_t *codes = word_codes(coder, column), count = batch->selected_count, unknown = 0;
    const uint16_t *numbers = column->numbers, *selection = batch->selection;
    for (uint32_t i = 0; i < column->word_count; i++) {
        Place place;
        if (codes[i] == UINT32_MAX) codes[i] = find_text(coder, column->words[i], &place);
        unknown += codes[i] == UINT32_MAX;
    }
    if (unknown == 0) {
        for (uint32_t i = 0; selection == NULL && i < count; i++)
            out[i] = codes[numbers[i]];
        for (uint32_t i = 0; selection != NULL && i < count; i++)
            out[i] = codes[numbers[selection[i]]];
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        uint32_t word = numbers[batch_position(batch, i)];
        if (codes[word] == UINT32_MAX)
            codes[word] = code_of_text(groups, coder, column->words[word]);
        out[i] = codes[word];
    }
}

/* Integers and entities: a number a row, none of them null. */
static bool is_numbered(const Column *column)
{
    return column->valid == NULL &&
           (column->type == COLUMN_INTEGER || column->type == COLUMN_NODE ||
            column->type == COLUMN_RELATIONSHIP);
}

static int64_t number_at(const Column *column, uint32_t position)
{
    return column->type == COLUMN_INTEGER ? column->integers[position]
                                          : (int64_t)column->ids[position];
}

/* How many of the rows ascend; they have their codes. Only values of one kind are in a coder without
 * hashes. */
static uint32_t codes_ascending(Coder *coder, const Column *column, const Batch *batch,
                                uint32_t *out)
{
    uint32_t i = 0;
    if (coder->hashed || !is_numbered(column)) return 0;
    mem_reserve(coder->values, coder->value_capacity, coder->count + batch->selected_count);
    Value value = column_value(column, batch_position(batch, 0));
    if (coder->count > 0 && coder->values[0].kind != value.kind) return 0;
    for (; i < batch->selected_count; i++) {
        int64_t number = number_at(column, batch_position(batch, i));
        int64_t last = coder->count == 0 ? 0 : coder->values[coder->count - 1].as.integer;
        if (coder->count > 0 && number < last) break;
        value.as.integer = number;
        if (coder->count == 0 || number > last) coder->values[coder->count++] = value;
        out[i] = (uint32_t)coder->count - 1;
    }
    return i;
}

/* The same number often stands in many rows, one below the other. */
static void codes_of_numbers(Groups *groups, Coder *coder, const Column *column, const Batch *batch,
                             uint32_t from, uint32_t *out)
{
    int64_t last = 0;
    uint32_t code = UINT32_MAX;
    for (uint32_t i = from; i < batch->selected_count; i++) {
        uint32_t position = batch_position(batch, i);
        int64_t number = number_at(column, position);
        if (code == UINT32_MAX || number != last)
            code = code_of(groups, coder, column_value(column, position));
        last = number;
        out[i] = code;
    }
}

static void codes_of_column(Groups *groups, Coder *coder, const Column *column, const Batch *batch,
                            uint32_t *out)
{
    uint32_t known = column->constant || batch->selected_count == 0
                         ? 0
                         : codes_ascending(coder, column, batch, out);
    if (known == batch->selected_count && known > 0) return;
    hash_values(groups, coder);
    if (groups->stopped) return;
    if (column->constant) {
        uint32_t code =
            batch->selected_count == 0 ? 0 : code_of(groups, coder, column_value(column, 0));
        for (uint32_t i = 0; i < batch->selected_count; i++)
            out[i] = code;
    } else if (column->type == COLUMN_STRING && column->valid == NULL) {
        codes_of_texts(groups, coder, column, batch, out);
    } else if (column->type == COLUMN_WORD && column->valid == NULL) {
        codes_of_words(groups, coder, column, batch, out);
    } else if (is_numbered(column)) {
        codes_of_numbers(groups, coder, column, batch, known, out);
    } else {
        for (uint32_t i = known; i < batch->selected_count; i++)
            out[i] = code_of(groups, coder, column_value(column, batch_position(batch, i)));
    }
}

/* ---- groups ---- */

Groups *groups_create(uint32_t key_count)
{
    Groups *groups = mem_calloc(1, sizeof *groups);
    groups->arena = arena_create();
    groups->key_count = key_count;
    groups->coders = mem_calloc(key_count + 1, sizeof *groups->coders);
    for (uint32_t k = 0; k < key_count; k++)
        groups->coders[k].table = table_new(SLOTS_FIRST);
    if (key_count < 2) return groups;
    groups->table = table_new(SLOTS_FIRST);
    groups->tuples = mem_alloc((size_t)BATCH_ROWS_MAX * key_count * sizeof *groups->tuples);
    return groups;
}

void groups_destroy(Groups *groups)
{
    if (groups == NULL) return;
    for (uint32_t k = 0; k < groups->key_count; k++) {
        mem_free(groups->coders[k].table.slots);
        mem_free(groups->coders[k].values);
        mem_free(groups->coders[k].hashes);
        mem_free(groups->coders[k].shorts);
        mem_free(groups->coders[k].words);
        mem_free(groups->coders[k].word_codes);
    }
    mem_free(groups->coders);
    mem_free(groups->table.slots);
    mem_free(groups->codes);
    mem_free(groups->hashes);
    mem_free(groups->tuples);
    arena_destroy(groups->arena);
    mem_free(groups);
}

size_t groups_bytes(const Groups *groups)
{
    size_t bytes = arena_bytes(groups->arena) + (groups->table.mask + 1) * sizeof(uint64_t) +
                   groups->code_capacity * sizeof *groups->codes +
                   groups->hash_capacity * sizeof *groups->hashes;
    for (uint32_t k = 0; k < groups->key_count; k++) {
        const Coder *coder = &groups->coders[k];
        bytes += (coder->table.mask + 1) * sizeof(uint64_t) +
                 coder->value_capacity * sizeof *coder->values +
                 coder->hash_capacity * sizeof *coder->hashes +
                 coder->short_capacity * sizeof *coder->shorts;
    }
    return bytes;
}

/* A table is made anew with twice as many slots. (The arrays grow by less near a limit.) */
static size_t table_growth(const Table *table, size_t entries)
{
    return entries * 2 > table->mask ? (table->mask + 1) * 2 * sizeof *table->slots : 0;
}

size_t groups_growth(const Groups *groups, uint32_t rows)
{
    size_t bytes = groups->key_count < 2 ? 0 : table_growth(&groups->table, groups->count + rows);
    for (uint32_t k = 0; k < groups->key_count; k++) {
        const Coder *coder = &groups->coders[k];
        if (coder->hashed || coder->count == 0)
            bytes += table_growth(&coder->table, coder->count + rows);
        else
            bytes += coder->count * 4 * sizeof *coder->table.slots; /* all at once: hash_values */
    }
    return bytes;
}

size_t groups_count(const Groups *groups)
{
    return groups->key_count == 1 ? groups->coders[0].count : groups->count;
}

Value groups_key(const Groups *groups, size_t group, uint32_t key)
{
    assert(group < groups_count(groups) && key < groups->key_count);
    return groups->key_count == 1
               ? groups->coders[0].values[group]
               : groups->coders[key].values[groups->codes[group * groups->key_count + key]];
}

static bool same_tuple(const uint32_t *a, const uint32_t *b, uint32_t count)
{
    for (uint32_t k = 0; k < count; k++)
        if (a[k] != b[k]) return false;
    return true;
}

static uint32_t group_of(Groups *groups, const uint32_t *tuple)
{
    uint32_t keys = groups->key_count;
    uint64_t hash = tuple[0];
    for (uint32_t k = 1; k < keys; k++)
        hash = hash_u64(hash << 32 | tuple[k]) + k;
    size_t at = hash & groups->table.mask;
    for (uint64_t slot; (slot = groups->table.slots[at]) != SLOT_EMPTY;
         at = (at + 1) & groups->table.mask)
        if (slot >> 32 == hash >> 32 &&
            same_tuple(groups->codes + (size_t)(uint32_t)slot * keys, tuple, keys))
            return (uint32_t)slot;
    assert(groups->count < UINT32_MAX);
    mem_reserve(groups->codes, groups->code_capacity, (groups->count + 1) * keys);
    mem_reserve(groups->hashes, groups->hash_capacity, groups->count + 1);
    memcpy(groups->codes + groups->count * keys, tuple, keys * sizeof *tuple);
    groups->hashes[groups->count] = hash;
    groups->table.slots[at] = hash >> 32 << 32 | groups->count++;
    if (groups->count * 2 > groups->table.mask)
        table_grow(groups, &groups->table, groups->hashes, groups->count);
    return (uint32_t)groups->count - 1;
}

static void find_tuples(Groups *groups, const Column *keys, const Batch *batch, uint32_t *out)
{
    uint32_t count = groups->key_count;
    for (uint32_t k = 0; k < count; k++) {
        codes_of_column(groups, &groups->coders[k], &keys[k], batch, groups->found);
        if (groups->stopped) return;
        for (uint32_t i = 0; i < batch->selected_count; i++)
            groups->tuples[(size_t)i * count + k] = groups->found[i];
    }
    for (uint32_t i = 0; i < batch->selected_count; i++) {
        const uint32_t *tuple = groups->tuples + (size_t)i * count;
        out[i] =
            i > 0 && same_tuple(tuple, tuple - count, count) ? out[i - 1] : group_of(groups, tuple);
    }
}

void groups_ask(Groups *groups, bool (*stop)(void *state), void *state)
{
    groups->stop = stop;
    groups->stop_state = state;
}

bool groups_find(Groups *groups, const Column *keys, const Batch *batch, uint32_t *out)
{
    assert(batch->selected_count <= BATCH_ROWS_MAX);
    if (groups->key_count == 1) {
        codes_of_column(groups, &groups->coders[0], &keys[0], batch, out);
    } else if (groups->key_count == 0) {
        groups->count = 1;
        memset(out, 0, batch->selected_count * sizeof *out);
    } else {
        find_tuples(groups, keys, batch, out);
    }
    return !groups->stopped;
}

void groups_keep_first(Batch *batch, const uint32_t *found, size_t known, uint16_t *kept)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < batch->selected_count; i++) {
        if (found[i] != known) continue; /* the next new group comes with its first row */
        kept[count++] = (uint16_t)batch_position(batch, i);
        known++;
    }
    batch->selection = kept;
    batch->selected_count = count;
}
