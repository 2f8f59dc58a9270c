/* shell.h - statements from the command line, files, standard input or a person at a terminal. */
#ifndef SHELL_SHELL_H
#define SHELL_SHELL_H
#include "base/script.h"
#include "commandline/options.h"
#include "contextql.h"

/* Gives the exit status. */
int shell_run(const Options *options, const ScriptLanguage *language);
#endif
