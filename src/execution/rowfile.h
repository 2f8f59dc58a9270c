/*
 * rowfile.h - files read row by row: one map a row.
 *
 *     csv, tsv     RFC 4180 cells, every one a STRING or null (an empty unquoted cell)
 *     jsonl        one object a line
 *     npy          NumPy 1.0, i1 u1 f2 f4 f8 in C order: {index, vector}
 *     fvecs bvecs ivecs, fbin u8bin: {index, vector}
 *     raw          {type, dimensions} say what it is; no header
 *
 * Nothing in a file is trusted: what does not fit is ERROR_BAD_FILE with file and row. Memory is
 * bounded by the longest row.
 */
#ifndef EXECUTION_ROWFILE_H
#define EXECUTION_ROWFILE_H
#include "value/value.h"

enum {
    ROWFILE_ROW_BYTES_MAX = 64 << 20, /* a longer row is a file that is not what it seems */
    ROWFILE_COLUMNS_MAX = 4096
};

typedef struct RowFile RowFile;
/* `options`: the map of USING, or null. Unknown options are the caller's to refuse. */
Error *rowfile_open(const char *path, Value options, RowFile **out) MUST_CHECK;
/* The next row, or null at the end; it lives in `arena`. */
Error *rowfile_next(RowFile *file, Arena *arena, Value *row) MUST_CHECK;
double rowfile_done(const RowFile *file); /* share of the bytes read */
void rowfile_close(RowFile *file);        /* NULL is welcome */
/* "file:row" for messages. */
Error *rowfile_bad(const RowFile *file, const char *what);
#endif
