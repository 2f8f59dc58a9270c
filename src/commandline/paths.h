/* paths.h - a person's files, by the XDG base directory specification. */
#ifndef COMMANDLINE_PATHS_H
#define COMMANDLINE_PATHS_H

/* The file `name` of contextql in the folder that `variable` names (XDG_STATE_HOME), or in
 * `fallback` of the home folder (".local/state"). NULL: there is neither. The caller frees it. */
char *paths_of(const char *variable, const char *fallback, const char *name);
/* What `variable` (CONTEXTQL_RC) or, before it, `given` (not NULL) says; empty: NULL. Without both,
 * paths_of the rest. */
char *paths_chosen(const char *given, const char *variable, const char *folder_variable,
                   const char *fallback, const char *name);
#endif
