/* history.h - the statements of before, whole, newest last; one that comes again moves to the end.
 */
#ifndef SHELL_HISTORY_H
#define SHELL_HISTORY_H
#include "base/str.h"

enum { HISTORY_ENTRIES_MAX = 10000 }; /* more are forgotten, oldest first: walking compares all */

typedef struct Past Past;
Past *history_open(void);
void history_close(Past *history); /* NULL is welcome */
/* Blanks at the end are cut off; an empty text is not kept. */
void history_add(Past *history, Str statement);
size_t history_count(const Past *history);
Str history_at(const Past *history, size_t i); /* 0: the oldest; lent until the next change */
/* The newest below `before` that holds `pattern`, ASCII letters of any case; SIZE_MAX: none. */
size_t history_find(const Past *history, Str pattern, size_t before);
#endif
