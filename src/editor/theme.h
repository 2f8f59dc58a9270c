/* theme.h - what is drawn in which colours (contextql/theme.def). */
#ifndef EDITOR_THEME_H
#define EDITOR_THEME_H
#include "base/str.h"

typedef enum ThemePart {
#define THEME_PART(part, name, dark, light, mono, meaning) THEME_##part,
#include "contextql/theme.def"
#undef THEME_PART
    THEME_PART_COUNT
} ThemePart;

enum { THEME_STYLE_BYTES_MAX = 31 };

typedef struct Theme {
    const char *name;                                         /* "dark", "light", "mono" */
    char styles[THEME_PART_COUNT][THEME_STYLE_BYTES_MAX + 1]; /* "1;34"; "": as the rest */
} Theme;

/* False: there is none of that name. */
bool theme_find(const char *name, Theme *out);
const char *theme_name(size_t i); /* of the i-th; NULL: there are no more */
/* The one for this terminal as far as its environment tells (COLORFGBG): dark, if it does not. */
void theme_choose(Theme *out);
/* Another style for a part, by its name; false: there is no such part, or no style. */
bool theme_set(Theme *theme, Str part, Str style);
/* The styles as sequences of a terminal; nothing if `theme` is NULL. */
void theme_begin(const Theme *theme, ThemePart part, Buffer *out);
void theme_end(const Theme *theme, ThemePart part, Buffer *out);
#endif
