/*
 * prompt.c - which of two ways to ask: the editor (editor.c), or plain lines when TERM is unset or
 * "dumb", where nothing but text may be sent (Emacs' shell, a log, a printer).
 */
#include "config.h"

#include "editor/editor.h"
#include "editor/prompt.h"
#include "editor/terminal.h"
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    NAME_BYTES_MAX = 30,   /* of the database in the prompt: half a line is for the statement */
    PROMPT_BYTES_MAX = 400 /* with its styles */
};

struct Prompt {
    char first[PROMPT_BYTES_MAX + 1], more[PROMPT_BYTES_MAX + 1], right[PROMPT_BYTES_MAX + 1];
    bool (*is_whole)(Str text);
    Past *history;
    Editor *editor; /* NULL: plain lines */
    bool sync;      /* marks for test programs, as the editor makes them */
    uint64_t taken;
    Buffer begin; /* of plain lines: what comes first, as typed */
};

static void name_prompts(Prompt *prompt, const char *database)
{
    const char *slash = strrchr(database, '/'), *name = slash == NULL ? database : slash + 1;
    if (strcmp(database, ":memory:") == 0) name = "contextql";
    Str shown = str_from(name);
    while (shown.bytes > NAME_BYTES_MAX)
        shown.bytes = utf8_offset(shown, utf8_count(shown) - 1);
    snprintf(prompt->first, sizeof prompt->first, "%.*s> ", STR_ARG(shown));
    snprintf(prompt->more, sizeof prompt->more, "%*s| ", (int)utf8_count(shown), "");
}

/* One line of it; with `plain` without styles. */
static void keep_prompt(char out[PROMPT_BYTES_MAX + 1], Str text, bool plain)
{
    const char *end = memchr(text.data, '\n', text.bytes);
    Buffer kept = {0};
    if (end != NULL) text.bytes = (size_t)(end - text.data);
    for (size_t i = 0; i < text.bytes; i++) {
        if (plain && text.data[i] == '\033')
            while (i + 1 < text.bytes && text.data[i] != 'm')
                i++;
        else
            buffer_char(&kept, text.data[i]);
    }
    text = buffer_view(&kept);
    while (text.bytes > PROMPT_BYTES_MAX)
        text.bytes = utf8_offset(text, utf8_count(text) - 1);
    snprintf(out, PROMPT_BYTES_MAX + 1, "%.*s", STR_ARG(text));
    buffer_free(&kept);
}

void prompt_name(Prompt *prompt, Str text, Str right)
{
    bool plain = prompt->editor == NULL;
    keep_prompt(prompt->first, text, plain);
    keep_prompt(prompt->right, right, plain);
    size_t width = utf8_count(str_from(prompt->first));
    snprintf(prompt->more, sizeof prompt->more, "%*s| ", width < 2 ? 0 : (int)width - 2, "");
    if (!plain) editor_name(prompt->editor, str_from(prompt->first), str_from(prompt->right));
}

size_t prompt_past_count(const Prompt *prompt)
{
    return history_count(prompt->history);
}

Str prompt_past(const Prompt *prompt, size_t i, HistoryRun *run)
{
    *run = history_run(prompt->history, i);
    return history_at(prompt->history, i);
}

Prompt *prompt_open(const PromptOptions *options)
{
    Prompt *prompt = mem_calloc(1, sizeof *prompt);
    name_prompts(prompt, options->database);
    prompt->is_whole = options->is_whole;
    prompt->history = history_open(options->history);
    prompt->sync = getenv("CONTEXTQL_TEST_SYNC") != NULL;
    EditorOptions editor = {.prompt = str_from(prompt->first),
                            .adapt = options->adapt,
                            .theme = options->theme,
                            .sync = prompt->sync,
                            .is_whole = options->is_whole,
                            .history = prompt->history,
                            .helper = options->helper,
                            .key = options->key,
                            .key_state = options->key_state,
                            .no_programs = options->no_programs,
                            .editrc = options->editrc};
    if (terminal_can_draw()) prompt->editor = editor_open(&editor);
    return prompt;
}

/* ---- plain lines ---- */

typedef enum Line { LINE_READ, LINE_INTERRUPTED, LINE_END } Line;

static Line read_line(Prompt *prompt, Buffer *out)
{
    size_t before = out->bytes;
    int byte;
    errno = 0;
    while ((byte = getchar()) != EOF && byte != '\n')
        buffer_char(out, (char)byte);
    prompt->taken += out->bytes - before + (byte == '\n');
    if (byte == '\n') return buffer_char(out, '\n'), LINE_READ;
    bool interrupted = ferror(stdin) && errno == EINTR;
    clearerr(stdin);
    if (interrupted) return LINE_INTERRUPTED;
    return out->bytes > before ? LINE_READ : LINE_END;
}

static void ask(const Prompt *prompt, bool first)
{
    fputs(first ? prompt->first : prompt->more, stdout);
    if (prompt->sync) printf("\033]777;idle;%llu\a", (unsigned long long)prompt->taken);
    fflush(stdout);
}

/* Asks and waits for a line. SIGINT waits too until the waiting begins: one that came just before
 * would be handled, and then nothing would end the waiting. */
static Line next_line(Prompt *prompt, Buffer *out, bool first)
{
    sigset_t interrupt, before;
    struct pollfd input = {STDIN_FILENO, POLLIN, 0};
    sigemptyset(&interrupt);
    sigaddset(&interrupt, SIGINT);
    sigprocmask(SIG_BLOCK, &interrupt, &before);
    ask(prompt, first);
    bool interrupted = ppoll(&input, 1, NULL, &before) < 0 && errno == EINTR;
    sigprocmask(SIG_SETMASK, &before, NULL);
    return interrupted ? LINE_INTERRUPTED : read_line(prompt, out);
}

static bool read_plain(Prompt *prompt, Buffer *out)
{
    size_t before = out->bytes;
    if (prompt->begin.bytes > 0) {
        printf("%s%s\n", prompt->first, prompt->begin.data);
        buffer_str(out, buffer_view(&prompt->begin));
        buffer_char(out, '\n');
        buffer_clear(&prompt->begin);
        if (prompt->is_whole((Str){out->data + before, out->bytes - before})) return true;
    }
    for (;;) {
        Line line = next_line(prompt, out, out->bytes == before);
        if (line != LINE_READ) putchar('\n');
        if (line == LINE_END) return false;
        if (line == LINE_INTERRUPTED)
            out->bytes = before;
        else if (prompt->is_whole((Str){out->data + before, out->bytes - before}))
            return true;
    }
}

bool prompt_read(Prompt *prompt, Buffer *out)
{
    fflush(stdout);
    history_refresh(prompt->history);
    if (prompt->editor == NULL) return read_plain(prompt, out);
    return editor_read(prompt->editor, out);
}

void prompt_begin_with(Prompt *prompt, Str text)
{
    if (prompt->editor != NULL)
        editor_begin_with(prompt->editor, text);
    else
        buffer_str(&prompt->begin, text);
}

void prompt_running(Prompt *prompt)
{
    if (prompt->editor != NULL) editor_running(prompt->editor);
}

void prompt_remember(Prompt *prompt, Str text)
{
    history_add(prompt->history, text);
}

void prompt_save(Prompt *prompt, Str text, const HistoryRun *run)
{
    if (history_hides(prompt->history, text))
        fputs("contextql: not kept in the history file: it seems to hold a secret\n", stderr);
    Error *error = history_save(prompt->history, text, run);
    if (error == NULL) return;
    fprintf(stderr, "contextql: %s\nhint: %s\n", error_message(error), error_hint_text(error));
    error_drop(error);
}

bool prompt_page(Prompt *prompt, Str text, size_t header)
{
    if (prompt->editor == NULL) return false;
    fflush(stdout);
    editor_page(prompt->editor, text, header);
    return true;
}

void prompt_close(Prompt *prompt)
{
    editor_close(prompt->editor);
    history_close(prompt->history);
    buffer_free(&prompt->begin);
    mem_free(prompt);
}
