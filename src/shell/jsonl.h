/* jsonl.h - the machine protocol: JSON lines in, JSON lines out (contextql --jsonl). */
#ifndef SHELL_JSONL_H
#define SHELL_JSONL_H
#include "base/script.h"
#include "contextql.h"
#include <stdio.h>

typedef struct JsonlOptions {
    const char *database; /* ":memory:" for a scratch database; only that one may be reset */
    const contextql_options *options;
    const ScriptHost *script; /* for {"lua": ..}; NULL: refused */
    int (*prepare_session)(contextql *session,
                           void *state); /* settings of the command line; may be NULL */
    void *state;
} JsonlOptions;

enum { JSONL_LINE_BYTES_MAX = 256 << 20 }; /* a request is held in memory whole */

/* Answers until `in` ends. Gives the exit status: 0, 3 when the database cannot be opened, 4 when
 * `out` cannot be written. */
int jsonl_run(const JsonlOptions *options, FILE *in, FILE *out);
#endif
