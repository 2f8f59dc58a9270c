/* complete.h - what may stand at the cursor: statements, commands, files. */
#ifndef SHELL_COMPLETE_H
#define SHELL_COMPLETE_H
#include "editor/helper.h"
#include "shell/shell_internal.h"

typedef struct Completer Completer;
Completer *complete_open(Shell *shell); /* borrows it */
void complete_close(Completer *completer);
Helper complete_helper(Completer *completer); /* lives as long as the completer */
#endif
