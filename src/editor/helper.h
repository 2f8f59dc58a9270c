/*
 * helper.h - Helper: what the editor asks about the text it edits. The editor knows keys and rows;
 * what a statement is, and what may stand in it, is known to who fills this in (complete.c).
 */
#ifndef SHELL_HELPER_H
#define SHELL_HELPER_H
#include "base/str.h"
#include "contextql.h"

enum { COMPLETIONS_MAX = 500 }; /* nobody walks through more; typing on finds what is not shown */

typedef struct Completions {
    contextql_suggestion items[COMPLETIONS_MAX]; /* best first; live until the next question */
    size_t count;
} Completions;

typedef struct Helper {
    void *state;
    void (*complete)(void *state, Str text, size_t cursor, Completions *out);
    /* Where the grammar stops; false: nowhere yet. */
    bool (*refuses)(void *state, Str text, size_t *offset, size_t *length);
    /* A line about the brackets the cursor is in, and where in it the argument at hand stands. */
    bool (*explain)(void *state, Str text, size_t cursor, Buffer *out, size_t *from, size_t *bytes);
} Helper;
#endif
