/* external.h - programs of the person's: an editor, a command of the system's shell. */
#ifndef SHELL_EXTERNAL_H
#define SHELL_EXTERNAL_H
#include "base/error.h"
#include "base/str.h"

/* Has `text` edited by $VISUAL, $EDITOR or vi, in a file that only this person can read, and
 * replaces it by what was saved. The terminal must be as programs expect it. */
Error *external_edit(Buffer *text) MUST_CHECK;
/* Runs a command of the system's shell, connected as this program is; an error: its status is not
 * 0. */
Error *external_run(Str command) MUST_CHECK;
/* Gives a command of the system's shell `text` on its standard input: a pager. */
Error *external_feed(Str command, Str text) MUST_CHECK;
#endif
