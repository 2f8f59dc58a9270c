/*
 * prompt.c - a line editor from libedit: emacs or vi keys as the user's editrc says, history of
 * whole statements.
 */
#include "config.h"

#include "shell/prompt.h"
#include <errno.h>
#include <histedit.h>
#include <locale.h>
#include <stdio.h>

enum { HISTORY_ENTRIES = 1000 };

struct Prompt {
    EditLine *editor;
    History *history;
    char first[64], more[64];
    bool continued;
};

static char *prompt_text(EditLine *editor)
{
    Prompt *prompt = NULL;
    el_get(editor, EL_CLIENTDATA, &prompt);
    return prompt->continued ? prompt->more : prompt->first;
}

Prompt *prompt_open(const char *database)
{
    HistEvent event;
    Prompt *prompt = mem_calloc(1, sizeof *prompt);
    const char *slash = strrchr(database, '/'), *name = slash == NULL ? database : slash + 1;
    setlocale(LC_CTYPE, "");
    snprintf(prompt->first, sizeof prompt->first, "%.40s> ",
             strcmp(database, ":memory:") == 0 ? "contextql" : name);
    snprintf(prompt->more, sizeof prompt->more, "%*s| ", (int)strlen(prompt->first) - 2, "");
    prompt->editor = el_init("contextql", stdin, stdout, stderr);
    prompt->history = history_init();
    history(prompt->history, &event, H_SETSIZE, HISTORY_ENTRIES);
    history(prompt->history, &event, H_SETUNIQUE, 1);
    el_set(prompt->editor, EL_CLIENTDATA, prompt);
    el_set(prompt->editor, EL_PROMPT, prompt_text);
    el_set(prompt->editor, EL_EDITOR, "emacs");
    el_set(prompt->editor, EL_SIGNAL, 0);
    el_set(prompt->editor, EL_HIST, history, prompt->history);
    el_source(prompt->editor, NULL);
    return prompt;
}

PromptResult prompt_read(Prompt *prompt, bool more, Buffer *out)
{
    int bytes = 0;
    prompt->continued = more;
    errno = 0;
    const char *line = el_gets(prompt->editor, &bytes);
    if (line == NULL || bytes <= 0) {
        putchar('\n');
        return errno == EINTR ? PROMPT_INTERRUPTED : PROMPT_END;
    }
    buffer_append(out, line, (size_t)bytes);
    return PROMPT_LINE;
}

void prompt_remember(Prompt *prompt, Str statement)
{
    HistEvent event;
    Buffer text = {0};
    buffer_str(&text, statement);
    while (text.bytes > 0 && text.data[text.bytes - 1] == '\n')
        text.data[--text.bytes] = '\0';
    for (size_t i = 0; i < text.bytes; i++)
        if (text.data[i] == '\n') text.data[i] = ' ';
    if (text.bytes > 0) history(prompt->history, &event, H_ENTER, text.data);
    buffer_free(&text);
}

void prompt_close(Prompt *prompt)
{
    el_end(prompt->editor);
    history_end(prompt->history);
    mem_free(prompt);
}
