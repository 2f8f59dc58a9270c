/* paint.h - a statement being edited as rows of a terminal. */
#ifndef SHELL_PAINT_H
#define SHELL_PAINT_H
#include "editor/screen.h"
#include "editor/theme.h"

typedef struct Picture {
    Str prompt,
        right;     /* `right`: at the end of the first row, if it has room; styles may be in both */
    Str text;      /* UTF-8, lines parted by \n */
    size_t cursor; /* offset in text; SIZE_MAX: behind everything, and no brackets are matched */
    Str tail;      /* set behind the text, as typed by nobody: "^C" */
    Str ghost;     /* set behind the text, dim: what could be typed there */
    size_t wrong_from, wrong_bytes;   /* where the grammar stops; 0 bytes: nowhere */
    Str status;                       /* a row below; empty: none */
    size_t strong_from, strong_bytes; /* of the status, what matters most in it */
    size_t columns;
    const Theme *theme; /* NULL: no colours */
} Picture;

/* Keywords, texts and so on in the colours of the language's own lexer; lines after the first are
 * marked; what is too long goes on in the next row. Replaces what `out` holds. */
void paint(const Picture *picture, Frame *out);
#endif
