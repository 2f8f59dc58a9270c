/*
 * command.h - what begins with `:` (or `.`, as in other shells) where a statement could begin. A
 * command ends with its line. All are in contextql/commands.def, but for two: `!` in front of a
 * command of the system, `=` in front of an expression of Lua.
 */
#ifndef SHELL_COMMAND_H
#define SHELL_COMMAND_H
#include "shell/shell_internal.h"

typedef struct CommandText { /* a row of contextql/commands.def */
    const char *name, *arguments, *meaning;
} CommandText;
bool command_at(size_t i, CommandText *out); /* false: there are no more */
bool command_named(Str name, CommandText *out);
typedef struct CommandTopic { /* a page of the guide, Markdown */
    Str name, title;
    const char *text;
} CommandTopic;
bool command_topic(size_t i, CommandTopic *out); /* false: there are no more */
/* Behind blanks and comments: where a statement or command of `text` begins; text.bytes: nowhere. */
size_t command_skip(Str text);
/* Does a command come next, behind blanks and comments? *line: its text from the `:` on, without
 * the line end; *end: the offset behind its line. */
bool command_find(Str text, Str *line, size_t *end);
/* Behind a statement: does its result go to a command of the system's shell, `| command`? Gives how
 * many bytes that is, with the line's end; 0: no. */
size_t command_pipe(Str text, Str *command);
/* Could more text make one of it? */
bool command_pipe_may_come(Str text);
/* False: it failed, which was told. `name`, `number`: file and line, for messages; "" at the
 * prompt. */
bool command_run(Shell *shell, Str line, const char *name, size_t number);
/* What the command line asks for in the place of a session (contextql/tools.def): the exit status. */
int command_tool(Shell *shell);
/* Results go to a file, which is emptied. */
Error *command_open_output(Shell *shell, const char *path) MUST_CHECK;
/* Results go to standard output again. An error: the file could not be written whole. */
Error *command_close_output(Shell *shell) MUST_CHECK;
/* Runs statements that a command has made. */
void command_run_text(Shell *shell, Str text);
/* What is read from now on is of this moment, as a person names one; empty: the present. */
Error *command_look_at(Shell *shell, Str moment) MUST_CHECK;
/* :log off. An error: the file could not be written whole. */
Error *command_close_log(Shell *shell) MUST_CHECK;
/* "csv"; an error names those there are. */
Error *command_format(Str name, Format *out) MUST_CHECK;
#endif
