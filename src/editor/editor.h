/*
 * editor.h - a person edits a statement at a terminal. The one room of histedit.h.
 *
 * Keys are those of libedit, emacs or vi as the person's editrc says, with ours for statements of
 * many lines, characters of many code points, history and undo; man contextql lists them.
 */
#ifndef SHELL_EDITOR_H
#define SHELL_EDITOR_H
#include "editor/helper.h"
#include "editor/history.h"
#include "editor/theme.h"

typedef struct EditorOptions {
    Str prompt, right;  /* "papers> "; styles as a terminal has them may be in them */
    Theme *adapt;       /* becomes light or dark as the terminal says; NULL: it is not asked */
    const Theme *theme; /* borrowed; NULL: no colours */
    bool sync;          /* marks for test programs, see repl-tests/README.md */
    bool (*is_whole)(Str text); /* may Enter submit this text? else it begins a new line */
    Past *history;              /* borrowed */
    const Helper *helper;       /* borrowed */
    /* Keys of the person's own; NULL: none. */
    bool (*key)(void *state, const char *key, Buffer *before, Buffer *after);
    void *key_state;
    bool no_programs;   /* --safe: $EDITOR is not run */
    const char *editrc; /* read by editor_open; where it is not there, ~/.editrc is */
} EditorOptions;

typedef struct Editor Editor;
Editor *editor_open(const EditorOptions *options); /* NULL: this terminal cannot be edited on */
void editor_close(Editor *editor);                 /* NULL is welcome */
/* The prompt, and what stands at the right of its row; borrowed until the next. */
void editor_name(Editor *editor, Str prompt, Str right);
/* Appends the statement that was submitted; false: the person has ended the session. Ctrl-C drops
 * the text and starts anew. */
bool editor_read(Editor *editor, Buffer *out);
/* The next text begins with this one. */
void editor_begin_with(Editor *editor, Str text);
/* Shows a long text on the terminal's other screen until the person leaves it. */
void editor_page(Editor *editor, Str text, size_t header);
/* Marks for test programs that a statement begins to run. */
void editor_running(Editor *editor);
#endif
