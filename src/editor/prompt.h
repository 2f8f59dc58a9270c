/*
 * prompt.h - statements from a person at a terminal: edited where the terminal can do it, else
 * plain lines.
 */
#ifndef SHELL_PROMPT_H
#define SHELL_PROMPT_H
#include "base/str.h"
#include "editor/helper.h"
#include "editor/history.h"
#include "editor/theme.h"

typedef struct Prompt Prompt;

typedef struct PromptOptions {
    const char *database;
    bool (*is_whole)(Str text); /* does this text end here, or does a further line belong to it? */
    const Helper *helper;       /* borrowed for as long as the prompt is open */
    Theme *adapt;       /* becomes light or dark as the terminal says; NULL: it is not asked */
    const Theme *theme; /* borrowed; NULL: no colours */
    /* A key of the person's own, "Ctrl-T" or "Alt-x", with the text before and behind the cursor;
     * false: it is none. Without `before` it only tells whether it is. NULL: there are none. */
    bool (*key)(void *state, const char *key, Buffer *before, Buffer *after);
    void *key_state;
    bool no_programs;    /* --safe */
    const char *history; /* its file; NULL: none */
    const char *editrc;  /* the keys' file; where there is none, editline's own ~/.editrc is read */
} PromptOptions;

/* Borrows only what is_whole points to. */
Prompt *prompt_open(const PromptOptions *options);
/* Another text for the prompt, and one at the right of its row, until the next; what does not fit is
 * cut off. Styles as a terminal has them may be in them. */
void prompt_name(Prompt *prompt, Str text, Str right);
/* The statements of before, oldest first; lent until the next text is read. */
size_t prompt_past_count(const Prompt *prompt);
Str prompt_past(const Prompt *prompt, size_t i, HistoryRun *run);
/* Appends what was typed, one statement or more; false: the person has ended the session. */
bool prompt_read(Prompt *prompt, Buffer *out);
/* The next text begins with this one, to be edited on. */
void prompt_begin_with(Prompt *prompt, Str text);
/* Just before what was typed runs. */
void prompt_running(Prompt *prompt);
/* One entry of the history: before it runs for this session, after it ran for all. */
void prompt_remember(Prompt *prompt, Str text);
void prompt_save(Prompt *prompt, Str text, const HistoryRun *run);
/* Shows a long text for the person to look through; the first `header` lines stay in view. False:
 * this terminal cannot. */
bool prompt_page(Prompt *prompt, Str text, size_t header);
void prompt_close(Prompt *prompt);
#endif
