/* rowfile_internal.h - shared by rowfile.c, text.c, json.c and matrix.c. */
#ifndef EXECUTION_ROWFILE_INTERNAL_H
#define EXECUTION_ROWFILE_INTERNAL_H
#include "rowfile/rowfile.h"
#include <stdio.h>

typedef enum RowFormat {
    ROWS_CSV,
    ROWS_TSV,
    ROWS_JSONL,
    ROWS_JSON,
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

typedef enum JsonPlace { JSON_BEGIN, JSON_IN_LIST, JSON_LOOSE, JSON_DONE } JsonPlace;

typedef struct Cell {
    char *text;
    size_t bytes;
    bool quoted;
} Cell;

struct RowFile {
    Arena *arena;
    const char *path;
    FILE *file;
    RowFormat format;
    uint64_t row, bytes_total;
    bool limited;
    int64_t left;
    Error *waiting; /* of a row behind those given out */
    /* What was read and not yet used: data[begin, end), and a zero byte behind it. */
    char *data;
    size_t begin, end, capacity;
    char *spare; /* the buffer before; a chunk may lie in it */
    size_t spare_capacity;
    bool may_swap;       /* the next fill goes to the other buffer */
    size_t chunk_bytes;  /* what a chunk like the last one may take */
    uint64_t bytes_read; /* up to `end` */
    bool ended;          /* nothing comes behind `end` */
    /* separated values */
    char delimiter, quote;
    bool header, lists;
    bool stops[256]; /* bytes that may end an unquoted cell */
    Str null_text;
    Str *columns;
    size_t column_count;
    Cell *cells;
    size_t cell_count, cell_capacity;
    /* JSON */
    Buffer record;  /* a line */
    JsonPlace json; /* in a text of objects: LOOSE is one behind the other */
    /* vectors */
    ElementType element;
    size_t element_bytes;
    uint32_t dimensions;
    uint64_t rows_total;
    bool rows_known;
};

/* Reads on until `bytes` are at hand or the file has ended. What lay in the buffer may move. */
Error *rowfile_fill(RowFile *file, size_t bytes);
static inline size_t rowfile_at_hand(const RowFile *file)
{
    return file->end - file->begin;
}

/* ---- text.c ---- */
Error *rowfile_text_begin(RowFile *file); /* reads the header line */
Error *rowfile_separated_row(RowFile *file, Arena *arena, Value *row);
Error *rowfile_separated_chunk(RowFile *file, Arena *arena, uint32_t max, RowChunk *out);
Error *rowfile_skip_mark(RowFile *file); /* a byte order mark, if the file begins with one */

/* ---- json.c: a row, or null at the end ---- */
Error *rowfile_json_line(RowFile *file, Arena *arena, Value *row);
Error *rowfile_json_object(RowFile *file, Arena *arena, Value *row);

/* ---- matrix.c ---- */
Error *rowfile_vector_begin(RowFile *file, Value options); /* reads the header, if there is one */
/* One vector; *more false: there are none left. */
Error *rowfile_vector(RowFile *file, Arena *arena, Value *out, bool *more);

/* ---- options ---- */
Str rowfile_option_text(Value options, const char *name, Str fallback);
int64_t rowfile_option_integer(Value options, const char *name, int64_t fallback);
#endif
