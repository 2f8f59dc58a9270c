/* rowfile_internal.h - shared by rowfile.c and rowfile_text.c. */
#ifndef EXECUTION_ROWFILE_INTERNAL_H
#define EXECUTION_ROWFILE_INTERNAL_H
#include "execution/rowfile.h"
#include <stdio.h>

typedef enum RowFormat {
    ROWS_CSV,
    ROWS_TSV,
    ROWS_JSONL,
    ROWS_NPY,
    ROWS_FVECS,
    ROWS_BVECS,
    ROWS_IVECS,
    ROWS_FBIN,
    ROWS_U8BIN,
    ROWS_RAW
} RowFormat;
typedef enum ElementType {
    ELEMENT_I8,
    ELEMENT_U8,
    ELEMENT_F16,
    ELEMENT_F32,
    ELEMENT_F64,
    ELEMENT_I32
} ElementType;

typedef struct Cell {
    size_t from, bytes; /* in the record */
    bool quoted;
} Cell;

struct RowFile {
    Arena *arena;
    const char *path;
    FILE *file;
    RowFormat format;
    uint64_t row, bytes_read, bytes_total;
    bool limited;
    int64_t left;
    /* separated values */
    char delimiter, quote;
    bool header, lists;
    Str null_text;
    Str *columns;
    size_t column_count;
    Buffer record;
    Cell *cells;
    size_t cell_count, cell_capacity;
    /* vectors */
    ElementType element;
    size_t element_bytes;
    uint32_t dimensions;
    uint64_t rows_total;
    bool rows_known;
};

Error *rowfile_text_begin(RowFile *file); /* reads the header line */
Error *rowfile_separated_row(RowFile *file, Arena *arena, Value *row);
Error *rowfile_json_row(RowFile *file, Arena *arena, Value *row);
#endif
