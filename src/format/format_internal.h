/* format_internal.h - what a format is: three calls around the rows of a result. */
#ifndef SHELL_FORMAT_INTERNAL_H
#define SHELL_FORMAT_INTERNAL_H
#include "format/format.h"

typedef struct Result {
    contextql_statement *statement;
    const Output *output;
    size_t columns;
    uint64_t rows; /* given so far, without the present one */
    Buffer text;   /* written but not sent yet */
    void *state;   /* the format's own */
} Result;

typedef struct FormatCalls {
    void (*begin)(Result *result);
    void (*row)(Result *result); /* the statement has a row */
    /* `good`: the result is whole; else give back the state and write nothing. */
    void (*end)(Result *result, bool good);
} FormatCalls;

/* table.c */
void table_begin(Result *result);
void table_row(Result *result);
void table_end(Result *result, bool good);
/* The same table cell by cell, names first. */
typedef struct Table Table;
Table *table_open(const Output *output, size_t columns);
Buffer *table_cell(Table *table); /* append the cell's text to it */
void table_end_cell(Table *table, bool null, bool number);
void table_write(Table *table, uint64_t rows, bool box, Buffer *out);
void table_close(Table *table);
/* plan.c */
void plan_begin(Result *result);
void plan_row(Result *result);
void plan_end(Result *result, bool good);
/* separated.c */
void csv_begin(Result *result);
void csv_row(Result *result);
void tsv_begin(Result *result);
void tsv_row(Result *result);
/* markup.c */
void json_begin(Result *result);
void json_row(Result *result);
void json_end(Result *result, bool good);
void jsonl_row(Result *result);
void line_row(Result *result);
void markdown_begin(Result *result);
void markdown_row(Result *result);
void html_begin(Result *result);
void html_row(Result *result);
void html_end(Result *result, bool good);
/* drawing.c */
void drawing_begin(Result *result);
void drawing_row(Result *result);
void drawing_end_statements(Result *result, bool good);
void drawing_end_dot(Result *result, bool good);
void drawing_end_graph(Result *result, bool good);
#endif
