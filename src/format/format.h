/* format.h - results as people and other programs read them. */
#ifndef SHELL_FORMAT_H
#define SHELL_FORMAT_H
#include "base/str.h"
#include "contextql.h"
#include "editor/theme.h"
#include <stdio.h>

typedef enum Format {
    FORMAT_TABLE,
    FORMAT_BOX,
    FORMAT_MARKDOWN,
    FORMAT_CSV,
    FORMAT_TSV,
    FORMAT_JSON,
    FORMAT_JSONL,
    FORMAT_RECORDS,
    FORMAT_LINE,
    FORMAT_HTML,
    FORMAT_STATEMENTS,
    FORMAT_DOT,
    FORMAT_GRAPH,
    FORMAT_COUNT
} Format;

bool format_find(const char *name, Format *out);
const char *format_name(Format format);

typedef struct Output { /* where results go, and how they are written */
    FILE *file;
    Format format;
    bool to_file;       /* not to standard output */
    bool terminal;      /* standard output is one: tables may be cut to fit it */
    bool null;          /* tsv without a header, rows ended by a NUL */
    bool unbuffered;    /* each row at once */
    const Theme *theme; /* on a terminal; NULL: no colours */
    uint64_t rows_max;  /* of a table on a terminal; 0: all */
    /* A person looks through a table taller than the screen, before as much as fits is printed; NULL:
     * nobody does. The first `header` lines stay in view. False: nothing was shown. */
    bool (*page)(void *state, Str text, size_t header);
    void *page_state;
    /* Is told of each row, before it is written; NULL: nobody is. */
    void (*each)(void *state, const contextql_statement *statement, bool first);
    void *each_state;
    /* Is told before something is written, or a person looks through it; NULL: nobody is. */
    void (*before)(void *state);
    void *before_state;
} Output;

/* The first word of a statement, behind comments; empty: there is none. */
Str format_first_word(Str text);
/* The words of a text, in rows of `width` columns: the first begins at column `at`, the next ones are
 * indented. Line ends stay. */
void format_wrapped(Buffer *out, Str text, size_t at, size_t indent, size_t width);
enum { FORMAT_NOT_WRITTEN = -1 };
/* Runs a statement to its end and writes its rows. Gives the result code (CONTEXTQL_DONE when all
 * went well), or FORMAT_NOT_WRITTEN as soon as the file takes no more; what is still buffered shows
 * when the file is flushed. */
int format_run(contextql *session, contextql_statement *statement, Str text, const Output *output);
#endif
