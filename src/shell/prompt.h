/* prompt.h - lines from a person, through libedit. The one room of histedit.h. */
#ifndef SHELL_PROMPT_H
#define SHELL_PROMPT_H
#include "base/str.h"

typedef struct Prompt Prompt;
typedef enum PromptResult { PROMPT_LINE, PROMPT_INTERRUPTED, PROMPT_END } PromptResult;

Prompt *prompt_open(const char *database);
/* Appends a line to `out`; `more`: the statement began on a line before. */
PromptResult prompt_read(Prompt *prompt, bool more, Buffer *out);
void prompt_remember(Prompt *prompt,
                     Str statement); /* a whole statement is one entry of the history */
void prompt_close(Prompt *prompt);
#endif
