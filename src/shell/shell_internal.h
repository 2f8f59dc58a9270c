/* shell_internal.h - one run of the program, as shell.c, run.c and the commands see it. */
#ifndef SHELL_SHELL_INTERNAL_H
#define SHELL_SHELL_INTERNAL_H
#include "base/clock.h"
#include "base/script.h"
#include "commandline/options.h"
#include "contextql.h"
#include "format/format.h"
#include "format/report.h"
#include "shell/progress.h"

enum {
    READ_DEPTH_MAX = 16, /* files that :read files: a file that reads itself ends here */
    SHELL_ROWS_MAX = 100 /* rows of a table on a terminal, unless :maxrows says otherwise */
};

typedef struct Prompt Prompt;

/* The rows of the last result at the prompt: $_ in statements. */
typedef struct Last {
    contextql_value *rows; /* a list of maps; NULL: there was none */
    char **columns;
    size_t column_count;
    uint64_t row_count; /* also those that were not kept */
    size_t bytes;       /* about, of the rows that were */
} Last;

typedef struct Shell {
    const Options *options;
    contextql *session;
    const ScriptLanguage *language;
    ScriptHost *script; /* NULL: none was needed yet; ask shell_script */
    Output output;      /* of results: stdout, or the file of -o and :output */
    Report report;
    Theme theme; /* of both */
    bool theme_chosen;
    bool interactive;
    Prompt *prompt; /* while there is one */
    char *pager;    /* :pager, a command; NULL: our own */
    bool no_pager;  /* --no-pager, :pager off */
    Last last;
    contextql *before_tutorial;  /* the person's session while :tutorial has one of its own */
    size_t tutorial_step;        /* the next */
    bool tutorial_fresh;         /* it has begun with the present text */
    bool failed;                 /* the last text at the prompt, */
    double seconds;              /* and how long it took */
    Buffer last_text;            /* the last statement at the prompt */
    const contextql_value *rows; /* $_rows, while a command shows what it has found */
    bool piped;                  /* results go to a command of the system's shell */
    bool generated;              /* what runs was made by a command: it is not the last statement */
    bool timer;                  /* :timer on */
    bool explain;                /* :explain on */
    FILE *log;                   /* :log FILE; NULL: none */
    char **params; /* of :param, NAME=VALUE; they go before those of the command line */
    size_t param_count;
    bool echoed; /* --echo: a statement was written before */
    bool quit;   /* :quit was said */
    int read_depth;
    int status;
    const Clock *clock;
    Clock frozen_clock; /* CONTEXTQL_TEST_CLOCK, as the session has it */
    FrozenClock frozen;
} Shell;

/* Ctrl-C stops what runs, not the program. */
void run_catch_interrupts(void);
/* Before something new is asked for: what was interrupted before does not matter any more. */
void run_forget_interrupt(void);
/* Every statement and command of a text; false: one failed, and the run ends. */
bool run_text(Shell *shell, Str text, const char *name);
/* What is whole at the front of `text` is done: gives how many bytes that was, 0 when more is needed;
 * with `last` there is no more. Not *good: the run ends. */
typedef size_t RunPiece(void *state, Str text, bool last, Place *place, bool *good);
/* A file piece by piece; no more of it is held than its longest piece. */
bool run_stream(Shell *shell, int file, const char *name, RunPiece *piece, void *state);
/* Tells why; false, always. */
bool run_cannot_read(Shell *shell, const char *path);
/* Runs one statement and keeps its rows as the last result, without writing them; false: it failed,
 * which was told. */
bool run_kept(Shell *shell, Str text);
/* Gives a statement the values of the parameters. */
void run_bind(const Shell *shell, contextql_statement *statement);
/* Has Ctrl-C come since run_forget_interrupt? */
bool run_is_interrupted(void);
/* Of what takes long from now on: a bar on standard error, if that is a terminal that can take it away
 * again, and Ctrl-C ends it. */
void run_begin_progress(const Shell *shell, Progress *progress);
/* Tells the session's error, of the statement at `place`. */
void run_tell_error(Shell *shell, const Place *place);
/* Ctrl-C stops what this session runs from now on; NULL: nothing. */
void run_stoppable(contextql *session);
/* The same of a file; "-" is standard input. */
bool run_file(Shell *shell, const char *path);
/* A chunk of Lua, or a file of it; false: it failed. */
bool run_script(Shell *shell, const OptionInput *input, int argument_count, char **arguments);
/* Does the last statement or command of a text end, or does its next line belong to it? */
bool run_is_whole(Str text);
/* A row of a result is kept (last.c); before the first of one, last_clear. */
void last_begin(Shell *shell, const contextql_statement *statement);
void last_row(Shell *shell, const contextql_statement *statement);
void last_clear(Shell *shell);
/* A prompt as a person writes it, `%d> `, with what it stands for (man contextql-lua). */
void expand_prompt(const Shell *shell, Str text, Buffer *out);
/* Tells the scripts of an event; what fails in them is told. */
void shell_event(Shell *shell, const ScriptEvent *event);
/* :tutorial (tutorial.c): after a text that went well the next step; nothing where none is on. */
void tutorial_next(Shell *shell);
void tutorial_end(Shell *shell);
/* The scripting language, made at the first question; NULL: there is none. */
ScriptHost *shell_script(Shell *shell);
#endif
