/* external.h - programs of the person's: an editor, a command of the system's shell. */
#ifndef SHELL_EXTERNAL_H
#define SHELL_EXTERNAL_H
#include "base/error.h"
#include "base/str.h"
#include <signal.h>
#include <stdio.h>

/* Has `text` edited by $VISUAL, $EDITOR or vi, in a file that only this person can read, and
 * replaces it by what was saved. The terminal must be as programs expect it. */
Error *external_edit(Buffer *text) MUST_CHECK;
/* Runs a command of the system's shell, connected as this program is; an error: its status is not
 * 0. */
Error *external_run(Str command) MUST_CHECK;
typedef struct ExternalPipe { /* {0} is ready */
    FILE *file;               /* the command's standard input */
    Buffer command;
    struct sigaction pipe_before;
} ExternalPipe;
Error *external_open(ExternalPipe *pipe, Str command) MUST_CHECK;
/* Waits for its end; an error: its status is not 0. */
Error *external_close(ExternalPipe *pipe) MUST_CHECK;
/* Gives a command of the system's shell `text` on its standard input: a pager. */
Error *external_feed(Str command, Str text) MUST_CHECK;
#endif
