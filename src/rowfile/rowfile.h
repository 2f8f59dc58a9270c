/*
 * rowfile.h - files read row by row: one map a row, or a chunk of rows as cells.
 *
 *     csv, tsv     RFC 4180 cells, every one a STRING or null (an empty unquoted cell)
 *     jsonl        one object a line
 *     json         objects: the items of one list, or one behind the other
 *     npy          NumPy 1.0, i1 u1 f2 f4 f8 in C order: {index, vector}
 *     fvecs bvecs ivecs, fbin u8bin: {index, vector}
 *     raw          {type, dimensions} say what it is; no header
 *
 * Nothing in a file is trusted: what does not fit is ERROR_BAD_FILE with file and row. Memory is
 * bounded by the longest row and some megabytes.
 */
#ifndef EXECUTION_ROWFILE_H
#define EXECUTION_ROWFILE_H
#include "value/value.h"

enum {
    ROWFILE_ROW_BYTES_MAX = 64 << 20, /* a longer row is a file that is not what it seems */
    ROWFILE_COLUMNS_MAX = 4096,
    ROWFILE_CHUNK_ROWS_MAX = 2048
};

/* Who reads or writes, for options that not everybody has; bits. */
typedef enum FileUse { FILE_LOAD = 1, FILE_NODES = 2, FILE_ENDS = 4, FILE_WRITE = 8 } FileUse;
/* Does the map of USING, or null, say only what there is to say (contextql/file_options.def)? */
Error *rowfile_check_options(Value options, FileUse use) MUST_CHECK;

typedef struct RowFile RowFile;
/* `options`: the map of USING, or null, once checked. */
Error *rowfile_open(const char *path, Value options, RowFile **out) MUST_CHECK;
/* The next row, or null at the end; it lives in `arena`. */
Error *rowfile_next(RowFile *file, Arena *arena, Value *row) MUST_CHECK;

/* Rows whose columns are the same: the r-th row's c-th cell is cells[r * column_count + c]. */
typedef struct RowChunk {
    const Str *columns;
    uint32_t column_count, row_count; /* row_count 0: the end */
    Value *cells;                     /* the caller may put others there */
    uint64_t first_row;               /* counted from 0 */
} RowChunk;
/* Whether the format has chunks: all but those of JSON. */
bool rowfile_has_chunks(const RowFile *file);
/* The next rows, as many as are at hand, at most ROWFILE_CHUNK_ROWS_MAX. Cells live until the next
 * call but one, in `arena` or in one of the file's two buffers. A bad row is an error once those
 * before it were given. */
Error *rowfile_chunk(RowFile *file, Arena *arena, RowChunk *out) MUST_CHECK;

double rowfile_done(const RowFile *file); /* share of the bytes read */
void rowfile_close(RowFile *file);        /* NULL is welcome */
/* "file: row N: what"; rows are counted from 0 here and from 1 for people. */
Error *rowfile_bad(const char *path, uint64_t row, const char *what);
#endif
