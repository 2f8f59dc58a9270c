/*
 * history.h - the statements of before, whole, newest last; one that comes again moves to the end.
 *
 * They are kept in a file that all sessions of a person share. An entry is a line
 *     : TIME:SECONDS:DATABASE;STATEMENT
 * TIME in seconds since 1970, SECONDS how long it ran, DATABASE where (if in memory, neither it nor
 * its colon is there); in STATEMENT and DATABASE a line end is `\` and a line end, and a `\` is two, in
 * DATABASE a `;` is `\;`. zsh writes its history nearly so.
 */
#ifndef SHELL_HISTORY_H
#define SHELL_HISTORY_H
#include "base/error.h"
#include "base/str.h"

enum {
    HISTORY_ENTRIES_MAX = 10000, /* more are forgotten, oldest first: walking compares all */
    HISTORY_STATEMENT_BYTES_MAX =
        1 << 16, /* longer ones are data: this session knows them, no file */
    HISTORY_FILE_BYTES_MAX =
        8 << 20 /* read in some 10 ms; a larger file is cut to its newest half */
};

typedef struct Past Past;
typedef struct HistoryRun {
    int64_t time_s; /* since 1970; 0: it did not run, or that is not known */
    double seconds; /* how long it ran */
    Str database;   /* where; empty: not known */
} HistoryRun;
/* `path`: NULL keeps nothing. The file need not be there. What cannot be read is no history. */
Past *history_open(const char *path);
void history_close(Past *history); /* NULL is welcome */
/* For this session only. Blanks at the end are cut off; an empty text is not kept. */
void history_add(Past *history, Str statement);
/* Would the statement be written, did it not look as if it held a secret? */
bool history_hides(const Past *history, Str statement);
/* A text that begins with a blank, or seems to hold a secret (secret.h), is not written.
 * Appends to the file (mode 0600, folders 0700 are made), and takes in what other sessions
 * appended. After an error nothing more is written. */
Error *history_save(Past *history, Str statement, const HistoryRun *run) MUST_CHECK;
/* Takes in what other sessions have appended. */
void history_refresh(Past *history);
size_t history_count(const Past *history);
Str history_at(const Past *history, size_t i); /* 0: the oldest; lent until the next change */
HistoryRun history_run(const Past *history, size_t i); /* lent as well */
/* The newest below `before` that holds `pattern`, ASCII letters of any case; SIZE_MAX: none. */
size_t history_find(const Past *history, Str pattern, size_t before);
#endif
