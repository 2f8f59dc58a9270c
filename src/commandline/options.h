/*
 * options.h - the command line: contextql [option ..] [database] [option ..] [script [argument ..]]
 *
 *         contextql tool operand ..
 *
 * All options stand in contextql/options.def, all tools in contextql/tools.def.
 */
#ifndef COMMANDLINE_OPTIONS_H
#define COMMANDLINE_OPTIONS_H
#include <stdbool.h>
#include <stddef.h>

enum {
    EXIT_GOOD = 0,
    EXIT_FAILED = 1,
    EXIT_USAGE = 2,
    EXIT_DATABASE = 3,
    EXIT_OUTPUT = 4,
    EXIT_TIMEOUT = 124,
    EXIT_INTERRUPTED = 130
};

typedef struct OptionInput { /* -c, -f and -e in the order given */
    bool file, lua;
    const char *text;
} OptionInput;

enum { TOOL_OPERANDS_MAX = 2 };
typedef struct Tool { /* a row of contextql/tools.def */
    const char *name, *operands, *meaning;
    int operand_count;
} Tool;

typedef struct Options {
    const Tool *tool; /* instead of a session; NULL: none */
    const char *operands[TOOL_OPERANDS_MAX];
    int operand_count;
    const char *database; /* ":memory:" when none is given */
    const char *format;   /* NULL: by where the output goes */
    const char *output;   /* NULL: standard output */
    const char **params;  /* NAME=VALUE */
    size_t param_count;
    const char **settings; /* NAME=VALUE */
    size_t setting_count;
    OptionInput *inputs;
    size_t input_count;
    bool jsonl, read_only, batch, keep_going, quiet, verbose, echo, stats, strict_names;
    bool interactive, null, unbuffered, no_rc, safe, no_pager;
    const char *timeout, *memory_limit, *at, *threads;
    const char *color, *errors; /* NULL, or one of their words */
    const char *history;        /* NULL: not given; "": none */
    int argument_count;         /* of a .lua script: all behind its name */
    char **arguments;
} Options;

/* Reads the arguments into `out` (freed by options_free). True: go on; false: end with *status
 * (help was shown, or usage said). */
bool options_read(int argc, char **argv, Options *out, int *status);
void options_free(Options *options);

bool tool_at(size_t i, Tool *out); /* the rows of tools.def; false: there are no more */

/* What --help and --print-completion write (usage.c). */
typedef struct OptionRow OptionRow;
void usage_help(const OptionRow *rows, size_t count);
void usage_completion(const OptionRow *rows, size_t count, const char *shell);
#endif
