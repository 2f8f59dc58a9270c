/* report.h - what went wrong, told on standard error: for people, or as JSON. */
#ifndef SHELL_REPORT_H
#define SHELL_REPORT_H
#include "base/error.h"
#include "base/str.h"
#include "contextql.h"
#include "editor/theme.h"
#include <stdio.h>

typedef struct Report {
    FILE *file;
    bool json;          /* an object a line: {"error": {..}}, {"warning": {..}} */
    const Theme *theme; /* NULL: no colours; not with json */
} Report;

/* Where a statement stands. */
typedef struct Place {
    const char *name; /* of the file; "" at the prompt, where nobody needs it */
    Str text;         /* from the beginning of the line that the statement begins in */
    size_t line;      /* the number of that line */
    size_t offset;    /* of the statement, in `text` */
} Place;

/* Moves `place` to `to`, further on in the text. */
void place_advance(Place *place, const char *to);
/* The place of a piece of text that is all there is, from line 1 on. */
Place place_of(const char *name, Str text);

/* An error ("error") or warning ("warning") of a statement with its place: NAME:LINE:COLUMN, the
 * line, a mark below, the hint. Offsets of `info` count from the statement's beginning. */
void report_statement(const Report *report, const char *kind, const contextql_error_info *info,
                      const Place *place);
/* Of a command in line `line`. */
void report_command(const Report *report, const char *name, size_t line, const Error *error);
/* Of the program itself: "contextql: MESSAGE". `hint`: "" if there is none. */
void report_program(const Report *report, const char *message, const char *hint);
#endif
