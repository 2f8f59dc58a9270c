/* paint.h - a statement being edited as rows of a terminal. */
#ifndef SHELL_PAINT_H
#define SHELL_PAINT_H
#include "shell/screen.h"

typedef struct Picture {
    Str prompt;
    Str text;      /* UTF-8, lines parted by \n */
    size_t cursor; /* offset in text; SIZE_MAX: behind everything, and no brackets are matched */
    Str tail;      /* set behind the text, as typed by nobody: "^C" */
    Str status;    /* a row below; empty: none */
    size_t columns;
    bool colour;
} Picture;

/* Keywords, texts and so on in the colours of the language's own lexer; lines after the first are
 * marked; what is too long goes on in the next row. Replaces what `out` holds. */
void paint(const Picture *picture, Frame *out);
#endif
