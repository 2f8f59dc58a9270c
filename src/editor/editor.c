/*
 * editor.c - libedit edits, we draw.
 *
 * libedit keeps the keymaps of emacs and vi, the kill ring, macros, the person's editrc and the
 * modes of the terminal; it draws into /dev/null. Its hook for reading a key is the heart of this
 * file: when no input waits, it paints the text, waits, and hands one key on. libedit cannot draw a
 * statement itself: it drops rows of what is taller than the screen and knows neither joined
 * characters nor colours.
 *
 * Our own functions are bound like libedit's: accept, motions by whole characters and over lines,
 * history, search, undo, paste. Past is not libedit's, which cuts texts at 1024 characters.
 *
 * Ctrl-C, Ctrl-Z and Ctrl-S are characters while editing (-isig, -ixon); while a statement runs
 * libedit has given the terminal back, and Ctrl-C is a signal again.
 *
 * In vi, nothing tells which map is active. After each key that may change it we send KEY_PROBE,
 * bound to one function in the map for inserting, to another in that for commands.
 */
#include "config.h"

#include "editor/editor_internal.h"
#include "editor/external.h"
#include "editor/pager.h"
#include <signal.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

/* ---- signals ---- */

static volatile sig_atomic_t resized;
static struct termios terminal_before; /* what a signal that ends us gives back */

static void on_resize(int signal)
{
    (void)signal;
    resized = 1;
}

static volatile sig_atomic_t paging; /* the terminal shows its other screen */

static void on_end(int number)
{
    static const char paste_off[] = "\033[?2004l\r\n", page_off[] = "\033[?1049l";
    tcsetattr(STDIN_FILENO, TCSANOW, &terminal_before);
    if (paging && write(STDOUT_FILENO, page_off, sizeof page_off - 1) < 0) number = SIGTERM;
    if (write(STDOUT_FILENO, paste_off, sizeof paste_off - 1) < 0) number = SIGTERM;
    signal(number, SIG_DFL);
    raise(number);
}

static void catch_signals(void (*resize)(int), void (*end)(int))
{
    struct sigaction action = {.sa_handler = resize};
    sigemptyset(&action.sa_mask);
    sigaction(SIGWINCH, &action, NULL);
    action.sa_handler = end;
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
}

/* ---- menu ---- */

static void take_item(Editor *editor, const contextql_suggestion *item)
{
    Str text = str_from(item->text);
    int typed = edit_points(editor, item->replace_from, editor->cursor);
    if (typed > 0) el_deletestr(editor->line, typed);
    edit_insert(editor, text);
    editor->menu.open = false;
}

/* The only one there is, or the only one that begins as the word does where the others merely hold its
 * letters; NULL: the menu is asked. */
static const contextql_suggestion *sure_item(const Editor *editor)
{
    const Completions *list = &editor->menu.list;
    const contextql_suggestion *sure = list->count == 1 ? &list->items[0] : NULL;
    for (size_t i = 0; list->count > 1 && i < list->count; i++) {
        const contextql_suggestion *item = &list->items[i];
        Str word = {editor->text.data + item->replace_from, editor->cursor - item->replace_from};
        Str text = str_from(item->text);
        if (word.bytes == 0 || text.bytes < word.bytes) continue;
        if (!str_equal_ignore_case(word, (Str){text.data, word.bytes})) continue;
        if (sure != NULL) return NULL;
        sure = item;
    }
    return sure;
}

static unsigned char complete(EditLine *line, wint_t key)
{
    Editor *editor = edit_begin(line);
    (void)key;
    menu_refresh(&editor->menu, editor->options.helper, buffer_view(&editor->text), editor->cursor);
    const contextql_suggestion *sure = editor->menu.open ? sure_item(editor) : NULL;
    if (sure != NULL) take_item(editor, sure);
    return CC_REFRESH;
}

static bool is_menu_key(int32_t key)
{
    return key == '\t' || key == KEY_BACKTAB || key == KEY_UP || key == KEY_DOWN ||
           key == 'N' - '@' || key == 'P' - '@' || key == '\n' || key == KEY_ESCAPE ||
           key == 'G' - '@' || key == 'C' - '@';
}

/* Keys that change the word: the menu stays and shows what fits then. */
static bool keeps_menu(int32_t key)
{
    bool letter = (key >= '0' && key <= '9') || (key >= 'A' && key <= 'Z') ||
                  (key >= 'a' && key <= 'z') || key == '_' || key >= 0xa0;
    return letter || key == 0x7f || key == '\b';
}

static unsigned char choose(EditLine *line, wint_t unused)
{
    Editor *editor = edit_begin(line);
    int32_t key = editor->menu_key;
    (void)unused;
    if (key == '\t' || key == KEY_DOWN || key == 'N' - '@')
        menu_move(&editor->menu, true);
    else if (key == KEY_BACKTAB || key == KEY_UP || key == 'P' - '@')
        menu_move(&editor->menu, false);
    else if (key == '\n')
        take_item(editor, &editor->menu.list.items[editor->menu.selected]);
    else
        editor->menu.open = false;
    return CC_REFRESH;
}

/* ---- submitting, dropping, ending ---- */

static unsigned char new_line(EditLine *line, wint_t key)
{
    (void)key;
    el_winsertstr(line, L"\n");
    return CC_REFRESH;
}

static unsigned char accept(EditLine *line, wint_t key)
{
    Editor *editor = edit_begin(line);
    if (!editor->options.is_whole(buffer_view(&editor->text))) return new_line(line, key);
    show_last(editor, STR(""));
    buffer_str(&editor->submitted, buffer_view(&editor->text));
    editor->accepted = true;
    return CC_NEWLINE;
}

/* Up brings a dropped text back, in this session. */
static unsigned char drop(EditLine *line, wint_t key)
{
    Editor *editor = edit_begin(line);
    (void)key;
    show_last(editor, STR("^C"));
    history_add(editor->options.history, buffer_view(&editor->text));
    editor->position = history_count(editor->options.history);
    edit_forget_steps(editor);
    edit_clear_text(editor);
    if (editor->vi_command) el_wpush(line, L"i"); /* a new text begins by inserting */
    return CC_REFRESH; /* else libedit goes on where the old text ended, row by row out of its picture */
}

static unsigned char delete_or_end(EditLine *line, wint_t key)
{
    Editor *editor = edit_begin(line);
    if (editor->text.bytes > 0) return edit_delete_right(line, key);
    show_last(editor, STR(""));
    editor->ended = true;
    return CC_EOF;
}

static void begin_terminal(Editor *editor)
{
    screen_send(editor->screen, STR("\033[?2004h"));
}

static void end_terminal(Editor *editor)
{
    screen_send(editor->screen, STR("\033[?2004l"));
}

static unsigned char clear_screen(EditLine *line, wint_t key)
{
    Editor *editor = edit_begin(line);
    (void)key;
    screen_clear(editor->screen);
    return CC_REFRESH;
}

static unsigned char suspend(EditLine *line, wint_t key)
{
    Editor *editor = edit_begin(line);
    (void)key;
    show_last(editor, STR(""));
    end_terminal(editor);
    el_wset(line, EL_PREP_TERM, 0);
    raise(SIGTSTP); /* comes back when the person says fg */
    el_wset(line, EL_PREP_TERM, 1);
    screen_resize(editor->screen);
    begin_terminal(editor);
    return CC_NORM;
}

/* vi's `.` types again what was typed, and a `.` in it would do the same for ever, should libedit
 * take it for a command: once a key is enough. */
static unsigned char repeat(EditLine *line, wint_t key)
{
    static const wchar_t again[2] = {KEY_REDO, L'\0'};
    Editor *editor = editor_of(line);
    (void)key;
    if (editor->redone) return CC_ERROR;
    editor->redone = true;
    el_wpush(line, again);
    return CC_NORM;
}

/* The text goes through the person's own editor. */
static unsigned char edit_outside(EditLine *line, wint_t key)
{
    Editor *editor = edit_begin(line);
    Buffer text = {0};
    (void)key;
    if (editor->options.no_programs) return CC_ERROR;
    buffer_str(&text, buffer_view(&editor->text));
    screen_erase(editor->screen);
    end_terminal(editor);
    el_wset(line, EL_PREP_TERM, 0);
    Error *error = external_edit(&text);
    el_wset(line, EL_PREP_TERM, 1);
    if (error != NULL) fprintf(stderr, "error: %s\n", error_message(error));
    if (error == NULL) edit_set_text(editor, buffer_view(&text));
    error_drop(error);
    buffer_free(&text);
    screen_resize(editor->screen);
    begin_terminal(editor);
    return CC_REFRESH;
}

static unsigned char paste(EditLine *line, wint_t key)
{
    Editor *editor = edit_begin(line);
    Buffer text = {0};
    (void)key;
    keys_paste(editor->keys, &text);
    edit_insert(editor, buffer_view(&text));
    buffer_free(&text);
    return CC_REFRESH;
}

/* The terminal has answered. */
static unsigned char take_background(EditLine *line, wint_t key)
{
    Editor *editor = editor_of(line);
    (void)key;
    if (editor->options.adapt != NULL)
        theme_find(keys_background(editor->keys) ? "light" : "dark", editor->options.adapt);
    return CC_REFRESH;
}

/* A key of the person's own. */
static unsigned char script(EditLine *line, wint_t key)
{
    Editor *editor = edit_begin(line);
    Buffer before = {0}, after = {0};
    Str text = buffer_view(&editor->text);
    (void)key;
    buffer_append(&before, text.data, editor->cursor);
    buffer_append(&after, text.data + editor->cursor, text.bytes - editor->cursor);
    screen_erase(editor->screen); /* it may write something */
    editor->options.key(editor->options.key_state, editor->script_key, &before, &after);
    fflush(stdout);
    size_t cursor = before.bytes;
    buffer_str(&before, buffer_view(&after));
    if (!str_equal(text, buffer_view(&before)) || cursor != editor->cursor) {
        edit_set_text(editor, buffer_view(&before));
        edit_take_text(editor);
        edit_move_to(editor, cursor < editor->text.bytes ? cursor : editor->text.bytes);
    }
    buffer_free(&before);
    buffer_free(&after);
    return CC_REFRESH;
}

static unsigned char nothing(EditLine *line, wint_t key)
{
    (void)line, (void)key;
    return CC_NORM;
}

/* CC_ARGHACK keeps a count or operator that is being typed. */
static unsigned char probe(EditLine *line, bool command)
{
    Editor *editor = editor_of(line);
    if (editor->vi_command == command) return CC_ARGHACK;
    editor->vi_command = command;
    return CC_REFRESH;
}

static unsigned char probe_insert(EditLine *line, wint_t key)
{
    (void)key;
    return probe(line, false);
}

static unsigned char probe_command(EditLine *line, wint_t key)
{
    (void)key;
    return probe(line, true);
}

/* ---- keys ---- */

static void handle_resize(Editor *editor)
{
    if (!resized) return;
    resized = 0;
    screen_resize(editor->screen);
}

/* On an empty text vi's `$` of libedit steps before the start, and what comes next would write
 * there. */
static void mend_cursor(EditLine *line)
{
    const LineInfoW *info = el_wline(line);
    if (info->cursor < info->buffer) el_cursor(line, (int)(info->buffer - info->cursor));
    if (info->cursor > info->lastchar) el_cursor(line, (int)(info->lastchar - info->cursor));
}

/* vi's commands that read one more character: a probe would be it. */
static bool takes_character(int32_t key)
{
    return key == 'f' || key == 'F' || key == 't' || key == 'T' || key == 'r';
}

/* The picture that libedit draws for nobody: where typed text wraps in it often, libedit loses count
 * of its rows and writes past them. So it is made wide, anew for each text, because libedit begins
 * one by asking the terminal. */
static void widen_picture(Editor *editor)
{
    if (!editor->fresh) return;
    editor->fresh = false;
    el_wset(editor->line, EL_SETTC, L"li", L"50", NULL);
    el_wset(editor->line, EL_SETTC, L"co", L"1000", NULL);
    edit_insert(editor, buffer_view(&editor->begin));
    buffer_clear(&editor->begin);
}

/* Is it a key of the person's own? Then it is named in editor->script_key. */
static bool is_script_key(Editor *editor, int32_t key, int32_t follow)
{
    char *name = editor->script_key;
    bool control = follow == 0 && key > 0 && key <= CONTROL('Z'),
         alt = key == KEY_ESCAPE && follow > ' ' && follow < 0x7f;
    if (editor->options.key == NULL || (!control && !alt)) return false;
    snprintf(name, sizeof editor->script_key, control ? "Ctrl-%c" : "Alt-%c",
             control ? (char)(key + '@') : (char)follow);
    return editor->options.key(editor->options.key_state, name, NULL, NULL);
}

/* libedit's reader of characters: paints, waits, decodes. 1: a key; 0: no more. */
static int read_key(EditLine *line, wchar_t *out)
{
    Editor *editor = editor_of(line);
    int32_t key, follow;
    widen_picture(editor);
    mend_cursor(line);
    editor->redone = false;
    if (editor->probe_next) {
        editor->probe_next = false;
        *out = KEY_PROBE;
        return 1;
    }
    do {
        handle_resize(editor);
        if (keys_waiting(editor->keys)) break;
        edit_take_text(editor);
        edit_remember_step(editor);
        show_text(editor);
    } while (!keys_wait(editor->keys));
    if (!keys_read(editor->keys, &key, &follow)) return 0;
    editor->walked_before = editor->walked;
    editor->walked = false;
    editor->cut_before = editor->cut, editor->put_before = editor->put;
    editor->cut = editor->put = false;
    if (editor->searching) {
        editor->search_key = follow != 0 ? KEY_NOTHING : key;
        *out = KEY_SEARCH;
        return 1;
    }
    if (editor->menu.open && follow == 0 && is_menu_key(key)) {
        editor->menu_key = key;
        *out = KEY_MENU;
        return 1;
    }
    if (editor->menu.open && (follow != 0 || !keeps_menu(key))) editor->menu.open = false;
    if (is_script_key(editor, key, follow)) {
        *out = KEY_SCRIPT;
        return 1;
    }
    if (follow != 0) {
        wchar_t next[2] = {(wchar_t)follow, L'\0'};
        el_wpush(line, next);
    }
    if (editor->vi && key == KEY_ESCAPE) editor->vi_command = true;
    editor->probe_next =
        editor->vi && editor->vi_command && !takes_character(follow != 0 ? follow : key);
    *out = (wchar_t)key;
    return 1;
}

/* Our functions and their keys, in emacs and vi, and in vi's map for commands too if `commands`. */
static const struct Binding {
    const wchar_t *name;
    Action *action;
    bool commands;
    wchar_t keys[5];
} bindings[] = {
    {L"cql-accept", accept, true, {L'\n'}},
    {L"cql-new-line", new_line, true, {L'\r', KEY_NEWLINE}},
    {L"cql-drop", drop, true, {CONTROL('C')}},
    {L"cql-delete-or-end", delete_or_end, true, {CONTROL('D')}},
    {L"cql-suspend", suspend, true, {CONTROL('Z')}},
    {L"cql-clear-screen", clear_screen, true, {CONTROL('L')}},
    {L"cql-edit-outside", edit_outside, true, {0}},
    {L"cql-repeat", repeat, true, {0}},
    {L"cql-redo", edit_redo, false, {0}},
    {L"cql-cut-word-left", edit_cut_word_left, false, {CONTROL('W')}},
    {L"cql-cut-word-right", edit_cut_word_right, false, {0}},
    {L"cql-cut-rest", edit_cut_rest, false, {0}},
    {L"cql-cut-all", edit_cut_all, false, {0}},
    {L"cql-put-back", edit_put_back, false, {0}},
    {L"cql-put-older", edit_put_older, false, {0}},
    {L"cql-word-left", edit_word_left, true, {KEY_WORD_LEFT}},
    {L"cql-word-right", edit_word_right, true, {KEY_WORD_RIGHT}},
    {L"cql-paste", paste, true, {KEY_PASTE}},
    {L"cql-up", recall_up, true, {KEY_UP}},
    {L"cql-down", recall_down, true, {KEY_DOWN}},
    {L"cql-left", edit_left, true, {KEY_LEFT}},
    {L"cql-right", edit_right, true, {KEY_RIGHT}},
    {L"cql-home", edit_home, true, {KEY_HOME}},
    {L"cql-end", edit_end, true, {KEY_END}},
    {L"cql-delete-right", edit_delete_right, true, {KEY_DELETE}},
    {L"cql-delete-left", edit_delete_left, false, {0x7f, L'\b'}},
    {L"cql-older", recall_older, true, {CONTROL('P')}},
    {L"cql-newer", recall_newer, true, {CONTROL('N')}},
    {L"cql-start-search", recall_start_search, true, {CONTROL('R')}},
    {L"cql-search", recall_search, true, {KEY_SEARCH}},
    {L"cql-undo", edit_undo, false, {CONTROL('_')}},
    {L"cql-script", script, true, {KEY_SCRIPT}},
    {L"cql-background", take_background, true, {KEY_BACKGROUND}},
    {L"cql-nothing", nothing, true, {KEY_NOTHING, KEY_BACKTAB, KEY_PAGE_UP, KEY_PAGE_DOWN}},
    {L"cql-complete", complete, false, {L'\t'}},
    {L"cql-choose", choose, true, {KEY_MENU}},
    {L"cql-probe-insert", probe_insert, false, {KEY_PROBE}},
    {L"cql-probe-command", probe_command, false, {0}},
};

static const wchar_t redo_key[2] = {KEY_REDO, L'\0'};

/* Keys of emacs that vi uses for something else, and those of vi's map for commands. */
static const struct ModeBinding {
    const wchar_t *key, *name;
} emacs_bindings[] = {{L"^A", L"cql-home"},
                      {L"^E", L"cql-end"},
                      {L"^B", L"cql-left"},
                      {L"^F", L"cql-right"},
                      {L"^K", L"cql-cut-rest"},
                      {L"^U", L"cql-cut-all"},
                      {L"^Y", L"cql-put-back"},
                      {L"^[y", L"cql-put-older"},
                      {L"^[d", L"cql-cut-word-right"},
                      {L"^[^?", L"cql-cut-word-left"},
                      {L"^[b", L"cql-word-left"},
                      {L"^[f", L"cql-word-right"},
                      {L"^[/", L"cql-redo"},
                      /* libedit's regions trust a mark that outlives the text it was set in */
                      {L"^[w", L"cql-nothing"},
                      {L"^[W", L"cql-nothing"},
                      {L"^X^X", L"cql-nothing"},
                      {L"^@", L"cql-nothing"},
                      {L"^X^E", L"cql-edit-outside"},
                      /* reads a line of its own, in which our codes for keys would be text */
                      {L"^[x", L"cql-nothing"},
                      {L"^[X", L"cql-nothing"}},
  command_bindings[] = {
      {L".", L"cql-repeat"},       {redo_key, L"vi-redo"}, {L"v", L"cql-edit-outside"},
      {L"j", L"cql-down"},         {L"k", L"cql-up"},      {L"/", L"cql-start-search"},
      {L"?", L"cql-start-search"}, {L"@", L"cql-nothing"}, /* reads a character, too */
      {L":", L"cql-nothing"}};
#define COUNT_OF(array) (sizeof(array) / sizeof *(array))

static void bind_key(Editor *editor, const struct Binding *binding, wchar_t key)
{
    wchar_t text[2] = {key, L'\0'};
    el_wset(editor->line, EL_BIND, text, binding->name, NULL);
    if (editor->vi && binding->commands)
        el_wset(editor->line, EL_BIND, L"-a", text, binding->name, NULL);
}

static void bind_keys(Editor *editor)
{
    static const wchar_t probe_key[2] = {KEY_PROBE, L'\0'};
    for (size_t i = 0; i < COUNT_OF(bindings); i++) {
        const struct Binding *binding = &bindings[i];
        el_wset(editor->line, EL_ADDFN, binding->name, L"contextql", binding->action);
        for (size_t k = 0; k < COUNT_OF(binding->keys) && binding->keys[k] != 0; k++)
            bind_key(editor, binding, binding->keys[k]);
    }
    for (size_t i = 0; !editor->vi && i < COUNT_OF(emacs_bindings); i++)
        el_wset(editor->line, EL_BIND, emacs_bindings[i].key, emacs_bindings[i].name, NULL);
    for (size_t i = 0; editor->vi && i < COUNT_OF(command_bindings); i++)
        el_wset(editor->line, EL_BIND, L"-a", command_bindings[i].key, command_bindings[i].name,
                NULL);
    if (editor->vi) el_wset(editor->line, EL_BIND, L"-a", probe_key, L"cql-probe-command", NULL);
}

/* The order matters: choosing emacs or vi, which an editrc may do, makes the maps anew. */
static void set_up(Editor *editor)
{
    const wchar_t *mode = L"";
    el_wset(editor->line, EL_CLIENTDATA, editor);
    el_wset(editor->line, EL_SIGNAL, 0);
    el_wset(editor->line, EL_EDITOR, L"emacs");
    if (editor->options.editrc == NULL || el_source(editor->line, editor->options.editrc) != 0)
        el_source(editor->line, NULL);
    el_wget(editor->line, EL_EDITOR, &mode);
    editor->vi = wcscmp(mode, L"vi") == 0;
    bind_keys(editor);
    el_wset(editor->line, EL_SETTY, L"-d", L"-isig", L"-ixon", NULL);
    el_wset(editor->line, EL_GETCFN, read_key);
}

Editor *editor_open(const EditorOptions *options)
{
    Editor *editor = mem_calloc(1, sizeof *editor);
    editor->options = *options;
    editor->nowhere = fopen("/dev/null", "w");
    bool terminal = tcgetattr(STDIN_FILENO, &terminal_before) == 0;
    if (terminal && editor->nowhere != NULL)
        editor->line = el_init_fd("contextql", stdin, editor->nowhere, editor->nowhere,
                                  STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO);
    if (editor->line == NULL) {
        if (editor->nowhere != NULL) fclose(editor->nowhere);
        mem_free(editor);
        return NULL;
    }
    editor->picker_arena = arena_create();
    editor->screen = screen_open(STDOUT_FILENO);
    editor->keys = keys_open(STDIN_FILENO);
    set_up(editor);
    catch_signals(on_resize, on_end);
    return editor;
}

void editor_close(Editor *editor)
{
    if (editor == NULL) return;
    catch_signals(SIG_DFL, SIG_DFL);
    el_end(editor->line);
    fclose(editor->nowhere);
    keys_close(editor->keys);
    screen_close(editor->screen);
    frame_free(&editor->frame);
    edit_forget_steps(editor);
    for (size_t i = 0; i < CUTS_MAX; i++)
        buffer_free(&editor->cuts[i]);
    mem_free(editor->steps);
    buffer_free(&editor->text);
    buffer_free(&editor->submitted);
    buffer_free(&editor->draft);
    buffer_free(&editor->pattern);
    buffer_free(&editor->asked);
    buffer_free(&editor->ghost);
    buffer_free(&editor->about);
    buffer_free(&editor->begin);
    arena_destroy(editor->picker_arena);
    mem_free(editor);
}

void editor_name(Editor *editor, Str prompt, Str right)
{
    editor->options.prompt = prompt;
    editor->options.right = right;
}

/* Its answer comes as a key, whenever it comes. */
static void ask_background(Editor *editor)
{
    const char *terminal = getenv("TERM");
    if (editor->options.adapt == NULL || editor->asked_background) return;
    editor->asked_background = true;
    if (terminal != NULL && strcmp(terminal, "linux") == 0) return; /* would write it out */
    screen_send(editor->screen, STR("\033]11;?\a"));
}

bool editor_read(Editor *editor, Buffer *out)
{
    int count;
    editor->accepted = editor->ended = editor->vi_command = editor->walked = false;
    editor->position = history_count(editor->options.history);
    buffer_clear(&editor->submitted);
    edit_forget_steps(editor);
    buffer_clear(&editor->text);
    show_ask(editor);
    editor->fresh = true;
    begin_terminal(editor);
    ask_background(editor);
    resized = 1; /* the terminal may have changed while a statement ran */
    el_wgets(editor->line, &count);
    end_terminal(editor);
    if (!editor->accepted) return false;
    buffer_str(out, buffer_view(&editor->submitted));
    return true;
}

void editor_running(Editor *editor)
{
    char mark[40];
    if (!editor->options.sync) return;
    snprintf(mark, sizeof mark, "\033]777;run;%llu\a",
             (unsigned long long)keys_taken(editor->keys));
    screen_send(editor->screen, str_from(mark));
}

void editor_begin_with(Editor *editor, Str text)
{
    buffer_clear(&editor->begin);
    buffer_str(&editor->begin, text);
}

void editor_page(Editor *editor, Str text, size_t header)
{
    PagerText page = {text, header};
    paging = 1;
    pager_show(editor->keys, STDOUT_FILENO, &page, editor->options.sync);
    paging = 0;
}
