/*
 * editor_internal.h - the editor as its files see it: editor.c keys and their meaning, edit.c the
 * text, recall.c the statements of before, show.c what is seen.
 */
#ifndef EDITOR_EDITOR_INTERNAL_H
#define EDITOR_EDITOR_INTERNAL_H
#include "editor/editor.h"
#include "editor/keys.h"
#include "editor/menu.h"
#include "editor/paint.h"
#include <histedit.h>
#include <stdio.h>
#include <wchar.h>

enum {
    PICKS_MAX = 200, /* found statements that are listed: nobody walks through more */
    CUTS_MAX = 16,   /* pieces of text that can be put back */
    UNDO_STEPS_MAX = 256,
    UNDO_BYTES_MAX = 8 << 20, /* of all steps: every step keeps the whole text */
    HELP_BYTES_MAX = 1 << 15, /* what there is to say of a longer text takes longer than a key */
    PATTERN_BYTES_MAX = 200   /* of a search: a row of the widest screens */
};

typedef struct Step {
    Buffer text;
    size_t cursor;
} Step;

struct Editor {
    EditorOptions options;
    EditLine *line;
    FILE *nowhere; /* where libedit draws */
    Screen *screen;
    Keys *keys;
    Frame frame;
    Buffer text; /* what libedit has, as UTF-8 */
    size_t cursor;
    Buffer submitted;
    bool ended, accepted, asked_background;
    bool fresh;   /* no key of this text was read yet */
    Buffer begin; /* what the next text begins with */
    /* history: where we are in it; the text that was there before, kept while walking */
    size_t position;
    Buffer draft;
    bool walked, walked_before;
    /* search */
    bool searching;
    int32_t search_key;
    Buffer pattern;
    Menu picker;              /* what was found, newest first */
    size_t picked[PICKS_MAX]; /* where in the history each of it is */
    Arena *picker_arena;      /* of its texts */
    /* undo: steps[count - 1] is the present text, behind it stand those that were undone */
    Step *steps;
    size_t step_count, undone_count, step_capacity, step_bytes;
    /* What was cut, a ring, and did this key or the one before cut or put back? */
    Buffer cuts[CUTS_MAX];
    size_t cut_top, put_from;
    bool cut, cut_before, put, put_before;
    /* what the helper says of the text, asked when no key waits */
    Buffer asked; /* the text and cursor it was asked about */
    size_t asked_cursor;
    Buffer ghost; /* what may come behind the text */
    Buffer about; /* the call that the cursor is in */
    size_t about_from, about_bytes, wrong_from, wrong_bytes;
    Menu menu;
    int32_t menu_key;
    char script_key[8]; /* a key of the person's own: "Ctrl-T" */
    /* vi */
    bool vi, vi_command, probe_next, redone;
};

typedef unsigned char Action(EditLine *, wint_t);

static inline Editor *editor_of(EditLine *line)
{
    Editor *editor = NULL;
    el_wget(line, EL_CLIENTDATA, &editor);
    return editor;
}

#define CONTROL(letter) ((letter) - '@')

/* ---- edit.c: libedit has the text; Editor.text is a copy in UTF-8 ---- */
void edit_take_text(Editor *editor);
Editor *edit_begin(EditLine *line); /* the same, at the beginning of an action */
void edit_insert(Editor *editor, Str text);
void edit_clear_text(Editor *editor);
void edit_set_text(Editor *editor, Str text);                  /* the cursor goes to the end */
int edit_points(const Editor *editor, size_t from, size_t to); /* characters, as libedit counts */
void edit_move_to(Editor *editor, size_t to);
void edit_remember_step(Editor *editor); /* for undo */
void edit_forget_steps(Editor *editor);
size_t edit_line_start(Str text, size_t at);
size_t edit_line_end(Str text, size_t at);
/* From the line at `from` to the same column of the line that begins at `to`. */
size_t edit_same_column(Str text, size_t from, size_t cursor, size_t to);
Action edit_undo, edit_redo, edit_word_left, edit_word_right;
Action edit_cut_word_left, edit_cut_word_right, edit_cut_rest, edit_cut_all, edit_put_back,
    edit_put_older;
Action edit_left, edit_right, edit_delete_left, edit_delete_right, edit_home, edit_end;

/* ---- recall.c ---- */
Action recall_older, recall_newer, recall_up, recall_down, recall_start_search, recall_search;

/* ---- show.c ---- */
void show_text(Editor *editor);
/* The text as it stays, and `tail` behind it. */
void show_last(Editor *editor, Str tail);
/* Asks the helper about the text; true: there is something else to show than before. */
bool show_ask(Editor *editor);
#endif
