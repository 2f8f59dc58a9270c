/*
 * prompt.h - statements from a person at a terminal: edited where the terminal can do it, else
 * plain lines.
 */
#ifndef SHELL_PROMPT_H
#define SHELL_PROMPT_H
#include "base/str.h"

typedef struct Prompt Prompt;

/* `is_whole`: does this text end here, or does a further line belong to it? */
Prompt *prompt_open(const char *database, bool (*is_whole)(Str text));
/* Appends what was typed, one statement or more; false: the person has ended the session. */
bool prompt_read(Prompt *prompt, Buffer *out);
/* Just before what was typed runs. */
void prompt_running(Prompt *prompt);
/* One entry of the history: before it runs for this session, after it ran for all. */
void prompt_remember(Prompt *prompt, Str text);
void prompt_save(Prompt *prompt, Str text, int64_t time_s, double seconds);
void prompt_close(Prompt *prompt);
/* May this program write colours to the terminal? Not if NO_COLOR is set (no-color.org), nor if the
 * terminal is dumb. */
bool prompt_colour(void);
/* May it move the cursor? Not if the terminal is dumb. */
bool prompt_can_draw(void);
#endif
