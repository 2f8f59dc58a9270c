/*
 * batch.h - what flows between operators: up to 2048 rows, column by column.
 *
 * A batch has the columns of its plan's frame (one slot a variable); a column nobody has filled is
 * COLUMN_UNSET. Four things say which rows are meant, and every operator honours all four:
 *   selection     u16 positions that count, ascending; NULL: all of row_count
 *   multiplicity  how often each position counts (u64 a position); NULL: once
 *   list view     at most one column may be unflattened: each position has a slice of an adjacency
 *                 instead of one value
 *   valid         a bitmap a column; NULL: nothing is null
 *
 * Ownership: a batch and all it points to belong to the operator that gave it out, until its next
 * call. Who keeps rows longer copies them (batch_append).
 */
#ifndef VALUE_BATCH_H
#define VALUE_BATCH_H
#include "value/value.h"

enum { BATCH_ROWS_MAX = 2048, BATCH_VALID_WORDS = BATCH_ROWS_MAX / 64 };

typedef enum ColumnType {
    COLUMN_UNSET,
    COLUMN_ANY,          /* Value[]; null is a Value here, `valid` is NULL */
    COLUMN_BOOLEAN,      /* uint8_t[], 0 or 1 */
    COLUMN_INTEGER,      /* int64_t[] */
    COLUMN_FLOAT,        /* double[] */
    COLUMN_STRING,       /* Str[] */
    COLUMN_NODE,         /* uint64_t[] ids */
    COLUMN_RELATIONSHIP, /* uint64_t[] ids */
    COLUMN_VECTOR,       /* const float *[]; all of `dimensions` */
    COLUMN_WORD /* uint16_t[]: text words[number], for who asked for it (program_compile_words) */
} ColumnType;

typedef struct Column {
    ColumnType type;
    bool constant;  /* one element stands for every row (index 0 of data and valid) */
    bool ascending; /* ids, each greater than the one before; false: unknown */
    union {
        uint32_t dimensions; /* COLUMN_VECTOR */
        uint32_t word_count; /* COLUMN_WORD */
    };
    uint64_t *valid; /* bit i clear: row i is null; NULL: none is */
    union {
        void *data;
        Value *values;
        uint8_t *booleans;
        int64_t *integers;
        double *floats;
        Str *strings;
        uint64_t *ids;
        const float **vectors;
        uint16_t *numbers;
    };
    const Str *words; /* COLUMN_WORD; two of them may be the same text */
} Column;

/* An unflattened column: position i stands for `length[i]` rows whose node is targets[i][j] and
 * whose relationship has the number numbers[i][j] (or, where numbers[i] is NULL, first_number[i] +
 * j) in `type`. */
typedef struct ListView {
    uint32_t node_slot, relationship_slot; /* BATCH_SLOT_NONE if the plan does not ask */
    uint32_t type;
    const uint32_t **targets, **numbers;
    uint64_t *first_number;
    uint32_t *length;
} ListView;
#define BATCH_SLOT_NONE UINT32_MAX

typedef struct Batch {
    Column *columns;
    uint32_t column_count;
    uint32_t row_count;      /* positions, at most BATCH_ROWS_MAX */
    uint32_t selected_count; /* = row_count when selection is NULL */
    uint16_t *selection;
    uint64_t *multiplicity;
    ListView *list; /* NULL: everything is flat */
} Batch;

static inline uint32_t batch_position(const Batch *batch, uint32_t i)
{
    return batch->selection != NULL ? batch->selection[i] : i;
}
static inline uint64_t batch_multiplicity(const Batch *batch, uint32_t position)
{
    return batch->multiplicity != NULL ? batch->multiplicity[position] : 1;
}
static inline bool column_valid(const Column *column, uint32_t position)
{
    if (column->constant) position = 0;
    return column->valid == NULL || (column->valid[position / 64] >> position % 64 & 1);
}

/* A batch of `column_count` unset columns; one unit row if row_count is 1. */
Batch *batch_create(Arena *arena, uint32_t column_count);
/* Makes column `slot` a fresh array of `type` for BATCH_ROWS_MAX rows (valid: NULL). */
Column *batch_column(Arena *arena, Batch *batch, uint32_t slot, ColumnType type);
Column *column_create(Arena *arena, ColumnType type, uint32_t row_count_max);
/* The value at a position, whatever the column's type; COLUMN_UNSET gives null. Text and elements
 * are borrowed. */
Value column_value(const Column *column, uint32_t position);
/* Stores `value`; the column becomes COLUMN_ANY (in `arena`) when it cannot hold the value's kind.
 * `rows` is the length of the array. */
void column_set(Arena *arena, Column *column, uint32_t position, Value value, uint32_t rows);
void column_set_null(Arena *arena, Column *column, uint32_t position, uint32_t rows);
ColumnType column_type_of(ValueKind kind); /* the typed form of a kind, COLUMN_ANY if it has none */
/* out[i] = in[positions[i]]; a constant column stays one. */
void column_gather(Arena *arena, Column *out, const Column *in, const uint16_t *positions,
                   uint32_t count);
/* out[positions[i]] = in[i], in an array of `rows`. `between`: what lies between them is null; else
 * nobody asks for it. */
void column_scatter(Arena *arena, Column *out, const Column *in, const uint16_t *positions,
                    uint32_t count, uint32_t rows, bool between);
/* A column of words becomes one of texts, at the selected rows of the batch. */
void column_spell(Arena *arena, Column *column, const Batch *batch);
/* Sum of multiplicities over the selected rows (list lengths counted in). */
uint64_t batch_rows(const Batch *batch);

/* Rows kept beyond a batch's life: dense, flat, with their multiplicities, deep-copied into an
 * arena. `slots` names the columns kept (count of them); row r column c is rows->values[r * count +
 * c]. */
typedef struct RowBuffer {
    Arena *arena;
    uint32_t column_count;
    const uint32_t *slots;
    Value *values;
    uint64_t *multiplicity;
    size_t row_count, row_capacity;
} RowBuffer;
void rows_init(RowBuffer *rows, Arena *arena, const uint32_t *slots, uint32_t column_count);
/* Bytes that appending so many rows takes at once, beside what they point to; mostly 0. */
size_t rows_growth(const RowBuffer *rows, uint32_t more);
void rows_append(RowBuffer *rows, const Batch *batch); /* the selected rows; `batch` must be flat */
/* Rows [from, from + count) as a batch of `frame` columns in `arena`; count at most BATCH_ROWS_MAX.
 * Columns come typed where all values of a slot are of one kind. */
Batch *rows_batch(const RowBuffer *rows, Arena *arena, uint32_t frame, size_t from, uint32_t count);
#endif
