/* records.h - results as JSON records, one a line: the protocol of --jsonl and the format
 * "records". */
#ifndef SHELL_RECORDS_H
#define SHELL_RECORDS_H
#include "base/str.h"
#include "contextql.h"
#include <stdio.h>

/* A value in the protocol's notation: {"$node": ..}, {"$date": ..}, integers without and floats
 * with a point. */
void records_value(Buffer *out, const contextql_value *value);
/* An error or warning as the members of a record, without braces around. `text` is the statement,
 * for line and column. */
void records_error(Buffer *out, const contextql_error_info *info, Str text);
/* Runs a prepared statement to its end and writes columns, rows and done (or error) to `file`.
 * `id`: JSON text of the request's id, empty for none. Gives the result code. */
int records_run(contextql *session, contextql_statement *statement, Str text, Str id, FILE *file);
/* Writes the session's last error as a record. */
void records_failed(contextql *session, Str text, Str id, FILE *file);
#endif
