/* command_internal.h - what the commands' files share: a function run_NAME for each row of contextql/commands.def. */
#ifndef SHELL_COMMAND_INTERNAL_H
#define SHELL_COMMAND_INTERNAL_H
#include "base/meant.h"
#include "shell/command.h"

/* What a command was given: the words behind its name. */
typedef struct Call {
    Shell *shell;
    Str rest;        /* all behind the name, blanks cut off at both ends */
    Str first, last; /* its first word, and what comes behind that */
} Call;

#define COMMAND(name, arguments, meaning) Error *run_##name(const Call *call) MUST_CHECK;
#include "contextql/commands.def"
#undef COMMAND

/* The statement behind a command, or else the last one at the prompt. */
Error *command_statement(const Shell *shell, Str *rest) MUST_CHECK;
/* How wide a row for a person may be; in files there is no end to it. */
size_t command_width(const Shell *shell);
void command_tell_row(const Shell *shell, const char *left, const char *meaning);
Error *command_refuse_if_safe(const Shell *shell) MUST_CHECK; /* an error under --safe */
char *command_path(Str text); /* ended by NUL; the caller frees it */
void command_put_text(contextql_value *map, const char *key, Str text);
/* A list of maps in the format of now, the `columns` (ended by NULL) in their order. */
void command_show_rows(Shell *shell, const contextql_value *rows, const char *const *columns);
/* Runs a statement that a command has made, for its rows. */
typedef void EachRow(void *state, const contextql_statement *statement);
Error *command_query(Shell *shell, const char *text, EachRow *row, void *state) MUST_CHECK;
Error *command_session_error(contextql *session) MUST_CHECK; /* the last of the session */
#endif
