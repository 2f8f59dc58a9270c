/* shell_internal.h - one run of the program, as shell.c and its commands see it. */
#ifndef SHELL_SHELL_INTERNAL_H
#define SHELL_SHELL_INTERNAL_H
#include "base/clock.h"
#include "base/script.h"
#include "contextql.h"
#include "shell/format.h"
#include "shell/options.h"

enum { READ_DEPTH_MAX = 16 }; /* files that :read files: a file that reads itself ends here */

typedef struct Shell {
    const Options *options;
    contextql *session;
    const ScriptHost *script;
    Format format;
    FILE *output; /* of results: stdout, or the file of :output */
    bool interactive;
    bool timer; /* :timer on */
    bool quit;  /* :quit was said */
    int read_depth;
    int status;
    const Clock *clock;
    Clock frozen_clock; /* CONTEXTQL_TEST_CLOCK, as the session has it */
    int64_t frozen_wall_ns;
} Shell;

/* Every statement and command of a text; false: one failed, and the run ends. */
bool shell_run_text(Shell *shell, Str text, const char *name);
/* The same of a file; "-" is standard input. */
bool shell_run_file(Shell *shell, const char *path);
#endif
