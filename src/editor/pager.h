/* pager.h - a text too long for the screen, looked through at will. */
#ifndef EDITOR_PAGER_H
#define EDITOR_PAGER_H
#include "editor/keys.h"

typedef struct PagerText {
    Str text;      /* lines, without styles */
    size_t header; /* so many lines stay in view */
} PagerText;

/* Shows it on the terminal's other screen until the person leaves. `sync`: marks for test programs,
 * see repl-tests/README.md. The terminal must be as programs expect it, and is so again behind. */
void pager_show(Keys *keys, int fd, const PagerText *text, bool sync);
#endif
