/*
 * batch.c - columns, batches, and rows kept beyond a batch's life.
 *
 * A column starts out typed and becomes COLUMN_ANY when a value of another kind comes: from then on
 * nulls are values and `valid` is gone. Rows in a RowBuffer are plain 16-byte values, row by row:
 * what sorts, groups and writes looks at whole rows.
 */
#include "config.h"

#include "value/batch.h"
#include <assert.h>

static size_t element_bytes(ColumnType type)
{
    switch (type) {
    case COLUMN_UNSET: return 0;
    case COLUMN_ANY: return sizeof(Value);
    case COLUMN_BOOLEAN: return 1;
    case COLUMN_INTEGER: return sizeof(int64_t);
    case COLUMN_FLOAT: return sizeof(double);
    case COLUMN_STRING: return sizeof(Str);
    case COLUMN_NODE:
    case COLUMN_RELATIONSHIP: return sizeof(uint64_t);
    case COLUMN_VECTOR: return sizeof(float *);
    case COLUMN_WORD: return sizeof(uint16_t);
    }
    return 0;
}

Batch *batch_create(Arena *arena, uint32_t column_count)
{
    Batch *batch = arena_new(arena, Batch);
    batch->columns = arena_array(arena, Column, column_count);
    batch->column_count = column_count;
    return batch;
}

static void column_init(Arena *arena, Column *column, ColumnType type, uint32_t rows)
{
    *column = (Column){.type = type};
    column->data = arena_alloc(arena, element_bytes(type) * rows);
}

Column *batch_column(Arena *arena, Batch *batch, uint32_t slot, ColumnType type)
{
    assert(slot < batch->column_count);
    uint32_t rows = batch->row_count == 0 ? BATCH_ROWS_MAX : batch->row_count;
    column_init(arena, &batch->columns[slot], type, rows);
    return &batch->columns[slot];
}

Column *column_create(Arena *arena, ColumnType type, uint32_t row_count_max)
{
    Column *column = arena_new(arena, Column);
    column_init(arena, column, type, row_count_max);
    return column;
}

Value column_value(const Column *column, uint32_t position)
{
    if (!column_valid(column, position)) return value_null();
    if (column->constant) position = 0;
    switch (column->type) {
    case COLUMN_UNSET: return value_null();
    case COLUMN_ANY: return column->values[position];
    case COLUMN_BOOLEAN: return value_boolean(column->booleans[position] != 0);
    case COLUMN_INTEGER: return value_integer(column->integers[position]);
    case COLUMN_FLOAT: return value_float(column->floats[position]);
    case COLUMN_STRING: return value_string(column->strings[position]);
    case COLUMN_NODE: return value_node(column->ids[position]);
    case COLUMN_RELATIONSHIP: return value_relationship(column->ids[position]);
    case COLUMN_VECTOR: return value_vector(column->vectors[position], column->dimensions);
    case COLUMN_WORD: return value_string(column->words[column->numbers[position]]);
    }
    return value_null();
}

ColumnType column_type_of(ValueKind kind)
{
    if (kind == VALUE_BOOLEAN) return COLUMN_BOOLEAN;
    if (kind == VALUE_INTEGER) return COLUMN_INTEGER;
    if (kind == VALUE_FLOAT) return COLUMN_FLOAT;
    if (kind == VALUE_STRING) return COLUMN_STRING;
    if (kind == VALUE_NODE) return COLUMN_NODE;
    if (kind == VALUE_RELATIONSHIP) return COLUMN_RELATIONSHIP;
    if (kind == VALUE_VECTOR) return COLUMN_VECTOR;
    return COLUMN_ANY;
}

static void become_any(Arena *arena, Column *column, uint32_t rows)
{
    Value *values = arena_alloc(arena, rows * sizeof *values);
    for (uint32_t i = 0; i < rows; i++)
        values[i] = column_value(column, i);
    *column = (Column){.type = COLUMN_ANY, .values = values};
}

static uint64_t *validity(Arena *arena, Column *column, uint32_t rows)
{
    if (column->valid == NULL) {
        size_t words = (rows + 63) / 64;
        column->valid = arena_alloc(arena, words * sizeof(uint64_t));
        memset(column->valid, 0xff, words * sizeof(uint64_t));
    }
    return column->valid;
}

void column_set_null(Arena *arena, Column *column, uint32_t position, uint32_t rows)
{
    column->ascending = false;
    if (column->type == COLUMN_ANY)
        column->values[position] = value_null();
    else
        validity(arena, column, rows)[position / 64] &= ~(UINT64_C(1) << position % 64);
}

static void store(Column *column, uint32_t position, Value value)
{
    switch (column->type) {
    case COLUMN_UNSET:
    case COLUMN_WORD: break; /* is only read */
    case COLUMN_ANY: column->values[position] = value; break;
    case COLUMN_BOOLEAN: column->booleans[position] = value.as.boolean; break;
    case COLUMN_INTEGER: column->integers[position] = value.as.integer; break;
    case COLUMN_FLOAT: column->floats[position] = value.as.number; break;
    case COLUMN_STRING: column->strings[position] = value_text(value); break;
    case COLUMN_NODE:
    case COLUMN_RELATIONSHIP: column->ids[position] = value.as.id; break;
    case COLUMN_VECTOR: column->vectors[position] = value.as.vector; break;
    }
}

void column_set(Arena *arena, Column *column, uint32_t position, Value value, uint32_t rows)
{
    assert(!column->constant && column->type != COLUMN_UNSET && column->type != COLUMN_WORD);
    column->ascending = false;
    if (value.kind == VALUE_NULL) {
        column_set_null(arena, column, position, rows);
        return;
    }
    bool fits = column->type == COLUMN_ANY || column->type == column_type_of((ValueKind)value.kind);
    if (fits && column->type == COLUMN_VECTOR && column->dimensions != value.aux) {
        fits = column->dimensions == 0;
        column->dimensions = fits ? value.aux : column->dimensions;
    }
    if (!fits) become_any(arena, column, rows);
    store(column, position, value);
    if (column->valid != NULL) column->valid[position / 64] |= UINT64_C(1) << position % 64;
}

static void gather_valid(Arena *arena, Column *out, const Column *in, const uint16_t *positions,
                         uint32_t count)
{
    out->valid = arena_calloc(arena, (count + 63) / 64, sizeof(uint64_t));
    for (uint32_t i = 0; i < count; i++)
        if (in->valid[positions[i] / 64] >> positions[i] % 64 & 1)
            out->valid[i / 64] |= UINT64_C(1) << i % 64;
}

#define GATHER(member)                                                                             \
    for (uint32_t i = 0; i < count; i++)                                                           \
        out->member[i] = in->member[positions[i]];                                                 \
    break

void column_gather(Arena *arena, Column *out, const Column *in, const uint16_t *positions,
                   uint32_t count)
{
    *out = *in;
    if (in->constant || in->type == COLUMN_UNSET) return;
    for (uint32_t i = 1; i < count && out->ascending; i++)
        out->ascending = positions[i] > positions[i - 1];
    out->data = arena_alloc(arena, element_bytes(in->type) * count);
    if (in->valid != NULL) gather_valid(arena, out, in, positions, count);
    switch (in->type) {
    case COLUMN_UNSET: break;
    case COLUMN_ANY: GATHER(values);
    case COLUMN_BOOLEAN: GATHER(booleans);
    case COLUMN_INTEGER: GATHER(integers);
    case COLUMN_FLOAT: GATHER(floats);
    case COLUMN_STRING: GATHER(strings);
    case COLUMN_NODE:
    case COLUMN_RELATIONSHIP: GATHER(ids);
    case COLUMN_VECTOR: GATHER(vectors);
    case COLUMN_WORD: GATHER(numbers);
    }
}

#define SCATTER(member)                                                                            \
    for (uint32_t i = 0; i < count; i++)                                                           \
        out->member[positions[i]] = in->member[i];                                                 \
    break

void column_scatter(Arena *arena, Column *out, const Column *in, const uint16_t *positions,
                    uint32_t count, uint32_t rows, bool between)
{
    assert(!in->constant && in->type != COLUMN_UNSET);
    *out = (Column){.type = in->type, .dimensions = in->dimensions, .words = in->words};
    out->data = arena_calloc(arena, rows, element_bytes(in->type)); /* a value of kind 0 is null */
    if (in->type != COLUMN_ANY && (in->valid != NULL || between)) {
        out->valid = arena_calloc(arena, (rows + 63) / 64, sizeof(uint64_t));
        for (uint32_t i = 0; i < count; i++)
            if (column_valid(in, i))
                out->valid[positions[i] / 64] |= UINT64_C(1) << positions[i] % 64;
    }
    switch (in->type) {
    case COLUMN_UNSET: break;
    case COLUMN_ANY: SCATTER(values);
    case COLUMN_BOOLEAN: SCATTER(booleans);
    case COLUMN_INTEGER: SCATTER(integers);
    case COLUMN_FLOAT: SCATTER(floats);
    case COLUMN_STRING: SCATTER(strings);
    case COLUMN_NODE:
    case COLUMN_RELATIONSHIP: SCATTER(ids);
    case COLUMN_VECTOR: SCATTER(vectors);
    case COLUMN_WORD: SCATTER(numbers);
    }
}

void column_spell(Arena *arena, Column *column, const Batch *batch)
{
    if (column->type != COLUMN_WORD) return;
    Column spelled = *column;
    uint32_t rows = column->constant ? 1 : batch->row_count;
    spelled.type = COLUMN_STRING;
    spelled.word_count = 0;
    spelled.words = NULL;
    spelled.strings = arena_alloc(arena, (rows + 1) * sizeof *spelled.strings);
    if (column->constant) spelled.strings[0] = column->words[column->numbers[0]];
    for (uint32_t i = 0; !column->constant && i < batch->selected_count; i++) {
        uint32_t position = batch_position(batch, i);
        spelled.strings[position] = column->words[column->numbers[position]];
    }
    *column = spelled;
}

uint64_t batch_rows(const Batch *batch)
{
    uint64_t rows = 0;
    if (batch->multiplicity == NULL && batch->list == NULL) return batch->selected_count;
    for (uint32_t i = 0; i < batch->selected_count; i++) {
        uint32_t position = batch_position(batch, i);
        uint64_t length = batch->list == NULL ? 1 : batch->list->length[position];
        rows += batch_multiplicity(batch, position) * length;
    }
    return rows;
}

/* ---- rows kept ---- */

void rows_init(RowBuffer *rows, Arena *arena, const uint32_t *slots, uint32_t column_count)
{
    *rows = (RowBuffer){.arena = arena, .column_count = column_count, .slots = slots};
}

static size_t grown_capacity(const RowBuffer *rows, size_t needed)
{
    if (needed <= rows->row_capacity) return rows->row_capacity;
    size_t capacity = rows->row_capacity < 8 ? 16 : rows->row_capacity * 2;
    return capacity < needed ? needed : capacity;
}

size_t rows_growth(const RowBuffer *rows, uint32_t more)
{
    size_t capacity = grown_capacity(rows, rows->row_count + more);
    return capacity == rows->row_capacity
               ? 0
               : capacity * ((rows->column_count + 1) * sizeof(Value) + sizeof(uint64_t));
}

static void rows_reserve(RowBuffer *rows, size_t needed)
{
    size_t before = rows->row_capacity, capacity = grown_capacity(rows, needed);
    size_t row_bytes = (rows->column_count + 1) * sizeof(Value), times = sizeof(uint64_t);
    if (capacity == before) return;
    rows->values =
        arena_grow(rows->arena, rows->values, before * row_bytes,
                   rows->row_count * rows->column_count * sizeof(Value), capacity * row_bytes);
    rows->multiplicity = arena_grow(rows->arena, rows->multiplicity, before * times,
                                    rows->row_count * times, capacity * times);
    rows->row_capacity = capacity;
}

void rows_append(RowBuffer *rows, const Batch *batch)
{
    assert(batch->list == NULL);
    rows_reserve(rows, rows->row_count + batch->selected_count);
    for (uint32_t i = 0; i < batch->selected_count; i++) {
        uint32_t position = batch_position(batch, i);
        Value *row = rows->values + (rows->row_count + i) * rows->column_count;
        for (uint32_t c = 0; c < rows->column_count; c++)
            row[c] =
                value_copy(rows->arena, column_value(&batch->columns[rows->slots[c]], position));
        rows->multiplicity[rows->row_count + i] = batch_multiplicity(batch, position);
    }
    rows->row_count += batch->selected_count;
}

/* The type all values of a column share, COLUMN_ANY if they do not. */
static ColumnType common_type(const RowBuffer *rows, size_t from, uint32_t count, uint32_t c)
{
    ColumnType type = COLUMN_UNSET;
    uint32_t dimensions = 0;
    for (uint32_t i = 0; i < count; i++) {
        Value value = rows->values[(from + i) * rows->column_count + c];
        if (value.kind == VALUE_NULL) continue;
        ColumnType own = column_type_of((ValueKind)value.kind);
        if (type == COLUMN_UNSET) type = own, dimensions = value.aux;
        if (own != type || (type == COLUMN_VECTOR && value.aux != dimensions)) return COLUMN_ANY;
    }
    return type == COLUMN_UNSET ? COLUMN_ANY : type;
}

Batch *rows_batch(const RowBuffer *rows, Arena *arena, uint32_t frame, size_t from, uint32_t count)
{
    assert(count <= BATCH_ROWS_MAX && from + count <= rows->row_count);
    Batch *batch = batch_create(arena, frame);
    batch->row_count = batch->selected_count = count;
    bool many = false;
    for (uint32_t i = 0; i < count; i++)
        many = many || rows->multiplicity[from + i] != 1;
    if (many) batch->multiplicity = rows->multiplicity + from;
    for (uint32_t c = 0; c < rows->column_count; c++) {
        Column *column =
            batch_column(arena, batch, rows->slots[c], common_type(rows, from, count, c));
        for (uint32_t i = 0; i < count; i++)
            column_set(arena, column, i, rows->values[(from + i) * rows->column_count + c], count);
    }
    return batch;
}
