/* menu.h - a list below the text to choose from. */
#ifndef SHELL_MENU_H
#define SHELL_MENU_H
#include "editor/helper.h"
#include "editor/screen.h"
#include "editor/theme.h"

typedef struct Menu {
    bool open;
    Completions list;
    size_t selected, top; /* `top`: the first in view */
} Menu;

/* Opens it with what fits, or takes in a new list while it is open; without items it closes. */
void menu_refresh(Menu *menu, const Helper *helper, Str text, size_t cursor);
/* Round and round. */
void menu_move(Menu *menu, bool down);
/* Adds at most `rows` rows to the picture, the last of them about what is selected. */
void menu_paint(Menu *menu, Frame *frame, size_t columns, size_t rows, const Theme *theme);
#endif
