/*
 * script.h - ScriptHost: the plug between the shell and a scripting language. Filled in by lua,
 * used by shell, wired in main.c; neither of the two knows the other.
 *
 * Every call may be NULL when the host does not offer it. An Error given back is the caller's.
 */
#ifndef BASE_SCRIPT_H
#define BASE_SCRIPT_H
#include "base/error.h"
#include "base/str.h"

typedef struct ScriptEvent {
    const char *name; /* "statement" before one runs, "result" behind it, "snapshot" too if it made
                         or dropped one, "error" */
    Str statement, message;
    uint64_t rows;
    double seconds;
} ScriptEvent;

typedef struct ScriptHost {
    void *state;
    /* The session that scripts see as `db` (a contextql *, which base does not know). NULL: none
     * any more. */
    void (*attach)(void *state, void *session);
    /* Runs a chunk. `chunk` names it in messages: "=stdin", "@file.lua". With `print`, values it
     * gives are printed to standard output, one a line. */
    Error *(*run)(void *state, Str source, const char *chunk, bool print);
    /* Runs a file as a program: arguments are in the global `arg`, a first line that begins with #!
     * is skipped. */
    Error *(*run_file)(void *state, const char *path, int argument_count, char **arguments);
    void (*interrupt)(void *state); /* from a signal handler: stops what runs */
    /* The prompt for the next text, or what stands at the right of its row; false: the shell's own,
     * and *error may tell why. */
    bool (*prompt)(void *state, bool right, Buffer *out, Error **error);
    /* A key, "Ctrl-T" or "Alt-x": may change the text before and behind the cursor. False: it is not
     * bound. Without `before` it only tells whether it is. */
    bool (*key)(void *state, const char *key, Buffer *before, Buffer *after, Error **error);
    /* What else may take the place of `word`, the end of `before`. */
    void (*complete)(void *state, Str word, Str before,
                     void (*offer)(void *sink, Str text, Str summary), void *sink);
    /* The colours a script wants: a theme's name with an empty part first, then styles of parts. */
    void (*theme)(void *state, void (*set)(void *sink, Str part, Str style), void *sink);
    /* A command of the shell; false: there is none of that name. */
    bool (*command)(void *state, Str name, Str arguments, Error **error);
    void (*commands)(void *state, void (*offer)(void *sink, Str name, Str help), void *sink);
    void (*event)(void *state, const ScriptEvent *event, Error **error);
    /* The last result at the prompt, a list (a contextql_value *, which base does not know), lent
     * until the next call; NULL: there is none. */
    void (*result)(void *state, const void *rows);
} ScriptHost;

/* How a host is made: only when something is to be run, for it costs a millisecond. */
typedef struct ScriptLanguage {
    /* `safe`: scripts get no files, no programs, no other database. NULL: there is no memory. */
    ScriptHost *(*create)(bool safe);
    void (*destroy)(ScriptHost *); /* NULL is welcome */
} ScriptLanguage;
#endif
