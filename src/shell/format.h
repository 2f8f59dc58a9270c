/* format.h - results as people and other programs read them. */
#ifndef SHELL_FORMAT_H
#define SHELL_FORMAT_H
#include "base/str.h"
#include "contextql.h"
#include <stdio.h>

typedef enum Format {
    FORMAT_TABLE,
    FORMAT_MARKDOWN,
    FORMAT_CSV,
    FORMAT_TSV,
    FORMAT_JSON,
    FORMAT_JSONL,
    FORMAT_RECORDS,
    FORMAT_LINE,
    FORMAT_COUNT
} Format;

bool format_find(const char *name, Format *out);
const char *format_name(Format format);
/* A value as the language shows it: (:Label {key: 1}), [:TYPE], text without quotes at the top. */
void format_value(Buffer *out, const contextql_value *value, bool quote);
/* Runs a statement to its end and writes its rows. Gives the result code (CONTEXTQL_DONE when all
 * went well); *rows: how many. */
int format_run(contextql *session, contextql_statement *statement, Str text, Format format,
               FILE *file, uint64_t *rows);
/* An error or warning with its place: `name`:line:column, the line, a mark below, the hint. */
void format_error(FILE *file, const contextql_error_info *info, const char *kind, const char *name,
                  Str text, size_t first_line);
#endif
