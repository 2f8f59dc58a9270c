/* command_internal.h - what the commands' files share: a function run_NAME for each row of contextql/commands.def. */
#ifndef SHELL_COMMAND_INTERNAL_H
#define SHELL_COMMAND_INTERNAL_H
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

Error *command_refuse_if_safe(const Shell *shell) MUST_CHECK; /* an error under --safe */
char *command_path(Str text);                                /* ended by NUL; the caller frees it */
Error *command_session_error(contextql *session) MUST_CHECK; /* the last of the session */
#endif
