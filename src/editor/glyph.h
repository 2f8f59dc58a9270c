/*
 * glyph.h - how many columns of a terminal a text takes.
 *
 * What a person sees as one character may be several code points: a letter and its accents, an
 * emoji joined from others, a flag of two letters. The rules are those of Unicode's annex 29
 * (extended grapheme clusters) that a terminal needs; widths of code points are the C library's.
 */
#ifndef SHELL_GLYPH_H
#define SHELL_GLYPH_H
#include "base/str.h"

/* Once, before the others: the C library tells widths only in a UTF-8 locale, whatever the person's
 * is. Numbers and messages stay as they are. */
void glyph_start(void);
/* The character at *at (below text.bytes): moves *at behind it and gives its columns, 0 to 2. A bad
 * byte is one column wide, a control character none. */
size_t glyph_next(Str text, size_t *at);
/* Where the character begins that holds the byte before `at`; 0 at the start. */
size_t glyph_before(Str text, size_t at);
size_t glyph_width(Str text);
#endif
