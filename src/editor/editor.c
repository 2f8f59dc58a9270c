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

#include "editor/editor.h"
#include "editor/external.h"
#include "editor/glyph.h"
#include "editor/keys.h"
#include "editor/menu.h"
#include "editor/pager.h"
#include "editor/paint.h"
#include <assert.h>
#include <histedit.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>
#include <wchar.h>

enum {
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
    bool searching, found;
    int32_t search_key;
    Buffer pattern;
    /* undo: steps[count - 1] is the present text */
    Step *steps;
    size_t step_count, step_capacity, step_bytes;
    /* what the helper says of the text, asked when no key waits */
    Buffer asked; /* the text and cursor it was asked about */
    size_t asked_cursor;
    Buffer ghost; /* what may come behind the text */
    Buffer about; /* the call that the cursor is in */
    size_t about_from, about_bytes, wrong_from, wrong_bytes;
    Menu menu;
    int32_t menu_key;
    /* vi */
    bool vi, vi_command, probe_next, redone;
};

typedef unsigned char Action(EditLine *, wint_t);

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

/* ---- the text ---- */

static Editor *editor_of(EditLine *line)
{
    Editor *editor = NULL;
    el_wget(line, EL_CLIENTDATA, &editor);
    return editor;
}

static void take_text(Editor *editor)
{
    const LineInfoW *info = el_wline(editor->line);
    char bytes[4];
    assert(info->buffer <= info->cursor && info->cursor <= info->lastchar);
    buffer_clear(&editor->text);
    editor->cursor = 0;
    for (const wchar_t *at = info->buffer; at < info->lastchar; at++) {
        if (at == info->cursor) editor->cursor = editor->text.bytes;
        buffer_append(&editor->text, bytes, utf8_put(bytes, (uint32_t)*at));
    }
    if (info->cursor == info->lastchar) editor->cursor = editor->text.bytes;
}

static void insert(Editor *editor, Str text)
{
    wchar_t *wide = mem_alloc((text.bytes + 1) * sizeof *wide);
    size_t count = 0;
    for (size_t at = 0; at < text.bytes;) {
        int32_t code = utf8_next(text, &at);
        /* what looks like one of our key codes would act as one when a macro repeats it */
        wide[count++] = code < 0 || (code >= 0x80 && code < 0xa0) ? 0xfffd : (wchar_t)code;
    }
    wide[count] = L'\0';
    if (count > 0) el_winsertstr(editor->line, wide);
    mem_free(wide);
}

/* el_wreplacestr refuses an empty text. */
static void clear_text(Editor *editor)
{
    const LineInfoW *info = el_wline(editor->line);
    int count = (int)(info->lastchar - info->buffer);
    el_cursor(editor->line, (int)(info->lastchar - info->cursor));
    if (count > 0) el_deletestr(editor->line, count);
}

/* The cursor goes to the end. */
static void set_text(Editor *editor, Str text)
{
    clear_text(editor);
    insert(editor, text);
}

static int points_between(const Editor *editor, size_t from, size_t to)
{
    return (int)utf8_count((Str){editor->text.data + from, to - from});
}

static void move_to(Editor *editor, size_t to)
{
    int distance = to < editor->cursor   ? -points_between(editor, to, editor->cursor)
                   : to > editor->cursor ? points_between(editor, editor->cursor, to)
                                         : 0;
    if (distance != 0) el_cursor(editor->line, distance);
}

static Editor *begin_action(EditLine *line)
{
    Editor *editor = editor_of(line);
    take_text(editor);
    return editor;
}

/* ---- painting ---- */

static Str status_of(Editor *editor, Buffer *out)
{
    if (!editor->searching) return buffer_view(&editor->about);
    buffer_printf(out, "search: %.*s", STR_ARG(buffer_view(&editor->pattern)));
    buffer_text(out, editor->found ? "" : "   (not found)");
    buffer_text(out, "   Enter: take, Ctrl-R: older, Esc: leave");
    return buffer_view(out);
}

static void make_frame(Editor *editor, bool last, Str tail)
{
    Buffer prompt = {0}, status = {0};
    if (editor->vi && !last) buffer_text(&prompt, editor->vi_command ? "[N] " : "[I] ");
    buffer_str(&prompt, editor->options.prompt);
    Picture picture = {.prompt = buffer_view(&prompt),
                       .text = buffer_view(&editor->text),
                       .cursor = last ? SIZE_MAX : editor->cursor,
                       .tail = tail,
                       .columns = screen_columns(editor->screen),
                       .theme = editor->options.theme};
    if (!last) {
        picture.status = status_of(editor, &status);
        picture.ghost = buffer_view(&editor->ghost);
        picture.wrong_from = editor->wrong_from, picture.wrong_bytes = editor->wrong_bytes;
        picture.strong_from = editor->about_from, picture.strong_bytes = editor->about_bytes;
    }
    paint(&picture, &editor->frame);
    if (!last && editor->menu.open)
        menu_paint(&editor->menu, &editor->frame, picture.columns, screen_rows(editor->screen) / 2,
                   picture.theme);
    buffer_free(&prompt);
    buffer_free(&status);
}

/* ---- what the helper says ---- */

/* The newest statement that begins with the text: what is behind it. */
static Str ghost_of_history(const Editor *editor)
{
    const Past *history = editor->options.history;
    Str text = buffer_view(&editor->text);
    for (size_t i = history_count(history); i-- > 0;) {
        Str entry = history_at(history, i);
        if (entry.bytes > text.bytes && memcmp(entry.data, text.data, text.bytes) == 0)
            return (Str){entry.data + text.bytes, entry.bytes - text.bytes};
    }
    return STR("");
}

/* The first completion that goes on with the word as it is typed. */
static Str ghost_of_helper(Editor *editor, Completions *list)
{
    const Helper *helper = editor->options.helper;
    Str text = buffer_view(&editor->text);
    helper->complete(helper->state, text, editor->cursor, list);
    for (size_t i = 0; i < list->count; i++) {
        Str item = str_from(list->items[i].text);
        size_t typed = text.bytes - list->items[i].replace_from;
        if (item.bytes == typed) break; /* the word is whole as it stands */
        if (typed > 0 && item.bytes > typed &&
            memcmp(item.data, text.data + list->items[i].replace_from, typed) == 0)
            return (Str){item.data + typed, item.bytes - typed};
    }
    return STR("");
}

/* Without colours a ghost could not be told from what was typed. */
static void find_ghost(Editor *editor)
{
    buffer_clear(&editor->ghost);
    bool wanted = editor->options.theme != NULL && editor->text.bytes > 0 &&
                  editor->text.bytes <= HELP_BYTES_MAX && editor->cursor == editor->text.bytes &&
                  !editor->walked && !editor->searching && !editor->menu.open &&
                  !editor->vi_command;
    if (!wanted) return;
    Str ghost = ghost_of_history(editor);
    if (ghost.bytes == 0) {
        Completions *list = mem_alloc(sizeof *list);
        ghost = ghost_of_helper(editor, list);
        buffer_str(&editor->ghost, ghost);
        mem_free(list);
        return;
    }
    buffer_str(&editor->ghost, ghost);
}

/* What was said of the text before does not hold any more; a ghost that was typed into goes on. */
static void forget_help(Editor *editor)
{
    Str text = buffer_view(&editor->text), before = buffer_view(&editor->asked);
    bool same = str_equal(text, before) && editor->cursor == editor->asked_cursor;
    if (same) return;
    size_t grown = text.bytes - before.bytes;
    bool typed = text.bytes > before.bytes && before.bytes > 0 &&
                 memcmp(text.data, before.data, before.bytes) == 0 &&
                 editor->cursor == text.bytes && grown <= editor->ghost.bytes &&
                 memcmp(text.data + before.bytes, editor->ghost.data, grown) == 0;
    if (typed) {
        memmove(editor->ghost.data, editor->ghost.data + grown, editor->ghost.bytes - grown + 1);
        editor->ghost.bytes -= grown;
    } else {
        buffer_clear(&editor->ghost);
    }
    if (editor->wrong_from + editor->wrong_bytes > text.bytes) editor->wrong_bytes = 0;
    if (editor->menu.open)
        menu_refresh(&editor->menu, editor->options.helper, text, editor->cursor);
}

/* True: there is something else to show than before. */
static bool ask_helper(Editor *editor)
{
    const Helper *helper = editor->options.helper;
    Str text = buffer_view(&editor->text);
    Buffer ghost = editor->ghost, about = editor->about;
    size_t wrong_from = editor->wrong_from, wrong_bytes = editor->wrong_bytes,
           about_from = editor->about_from;
    bool wanted = text.bytes <= HELP_BYTES_MAX;
    editor->ghost = editor->about = (Buffer){0};
    editor->about_bytes = 0;
    if (!wanted || !helper->refuses(helper->state, text, &editor->wrong_from, &editor->wrong_bytes))
        editor->wrong_bytes = 0;
    bool explained = wanted && !editor->menu.open &&
                     helper->explain(helper->state, text, editor->cursor, &editor->about,
                                     &editor->about_from, &editor->about_bytes);
    if (!explained) buffer_clear(&editor->about);
    find_ghost(editor);
    buffer_clear(&editor->asked);
    buffer_str(&editor->asked, text);
    editor->asked_cursor = editor->cursor;
    bool same = str_equal(buffer_view(&ghost), buffer_view(&editor->ghost)) &&
                str_equal(buffer_view(&about), buffer_view(&editor->about)) &&
                wrong_bytes == editor->wrong_bytes &&
                (wrong_bytes == 0 || wrong_from == editor->wrong_from) &&
                about_from == editor->about_from;
    buffer_free(&ghost);
    buffer_free(&about);
    return !same;
}

/* Twice: what was typed is seen at once, what there is to say about it when no key waits. */
static void show(Editor *editor)
{
    char mark[80] = "";
    forget_help(editor);
    make_frame(editor, false, STR(""));
    screen_show(editor->screen, &editor->frame, STR(""));
    if (keys_waiting(editor->keys)) return;
    bool more = ask_helper(editor);
    if (more) make_frame(editor, false, STR(""));
    if (editor->options.sync)
        snprintf(mark, sizeof mark, "\033]777;idle;%llu;%zux%zu\a",
                 (unsigned long long)keys_taken(editor->keys), screen_columns(editor->screen),
                 screen_rows(editor->screen));
    if (more)
        screen_show(editor->screen, &editor->frame, str_from(mark));
    else
        screen_send(editor->screen, str_from(mark));
}

static void leave_screen(Editor *editor, Str tail)
{
    make_frame(editor, true, tail);
    screen_finish(editor->screen, &editor->frame);
}

/* ---- undo ---- */

static void drop_step(Editor *editor, size_t i)
{
    editor->step_bytes -= editor->steps[i].text.bytes;
    buffer_free(&editor->steps[i].text);
    editor->step_count--;
    memmove(editor->steps + i, editor->steps + i + 1,
            (editor->step_count - i) * sizeof *editor->steps);
}

static void remember_step(Editor *editor)
{
    Step *last = editor->step_count == 0 ? NULL : &editor->steps[editor->step_count - 1];
    if (last != NULL && str_equal(buffer_view(&last->text), buffer_view(&editor->text))) {
        last->cursor = editor->cursor;
        return;
    }
    Step step = {.cursor = editor->cursor};
    buffer_str(&step.text, buffer_view(&editor->text));
    mem_reserve(editor->steps, editor->step_capacity, editor->step_count + 1);
    editor->steps[editor->step_count++] = step;
    editor->step_bytes += step.text.bytes;
    while (editor->step_count > UNDO_STEPS_MAX ||
           (editor->step_count > 1 && editor->step_bytes > UNDO_BYTES_MAX))
        drop_step(editor, 0);
}

static void forget_steps(Editor *editor)
{
    while (editor->step_count > 0)
        drop_step(editor, editor->step_count - 1);
}

static unsigned char undo(EditLine *line, wint_t key)
{
    Editor *editor = begin_action(line);
    (void)key;
    if (editor->step_count < 2) return CC_ERROR;
    drop_step(editor, editor->step_count - 1);
    const Step *step = &editor->steps[editor->step_count - 1];
    set_text(editor, buffer_view(&step->text));
    take_text(editor);
    move_to(editor, step->cursor);
    return CC_REFRESH;
}

/* ---- motion by characters as people count them, and lines ---- */

static unsigned char left(EditLine *line, wint_t key)
{
    Editor *editor = begin_action(line);
    (void)key;
    move_to(editor, glyph_before(buffer_view(&editor->text), editor->cursor));
    return CC_CURSOR;
}

static size_t behind_glyph(const Editor *editor)
{
    size_t to = editor->cursor;
    if (to < editor->text.bytes) glyph_next(buffer_view(&editor->text), &to);
    return to;
}

/* At the end of the text the ghost is taken for typed. */
static bool take_ghost(Editor *editor)
{
    bool taken = editor->cursor == editor->text.bytes && editor->ghost.bytes > 0;
    if (taken) insert(editor, buffer_view(&editor->ghost));
    return taken;
}

static unsigned char right(EditLine *line, wint_t key)
{
    Editor *editor = begin_action(line);
    (void)key;
    if (take_ghost(editor)) return CC_REFRESH;
    move_to(editor, behind_glyph(editor));
    return CC_CURSOR;
}

static unsigned char delete_left(EditLine *line, wint_t key)
{
    Editor *editor = begin_action(line);
    (void)key;
    if (editor->cursor == 0) return CC_ERROR;
    size_t from = glyph_before(buffer_view(&editor->text), editor->cursor);
    el_deletestr(line, points_between(editor, from, editor->cursor));
    return CC_REFRESH;
}

static unsigned char delete_right(EditLine *line, wint_t key)
{
    Editor *editor = begin_action(line);
    (void)key;
    size_t to = behind_glyph(editor);
    if (to == editor->cursor) return CC_ERROR;
    move_to(editor, to);
    el_deletestr(line, points_between(editor, editor->cursor, to));
    return CC_REFRESH;
}

static size_t line_start(Str text, size_t at)
{
    while (at > 0 && text.data[at - 1] != '\n')
        at--;
    return at;
}

static size_t line_end(Str text, size_t at)
{
    while (at < text.bytes && text.data[at] != '\n')
        at++;
    return at;
}

static unsigned char home(EditLine *line, wint_t key)
{
    Editor *editor = begin_action(line);
    (void)key;
    move_to(editor, line_start(buffer_view(&editor->text), editor->cursor));
    return CC_CURSOR;
}

static unsigned char end(EditLine *line, wint_t key)
{
    Editor *editor = begin_action(line);
    (void)key;
    if (take_ghost(editor)) return CC_REFRESH;
    move_to(editor, line_end(buffer_view(&editor->text), editor->cursor));
    return CC_CURSOR;
}

/* From the line at `from` to the same column of the line that begins at `to`. */
static size_t same_column(Str text, size_t from, size_t cursor, size_t to)
{
    size_t wanted = glyph_width((Str){text.data + from, cursor - from}), width = 0;
    size_t stop = line_end(text, to);
    while (to < stop && width < wanted)
        width += glyph_next(text, &to);
    return to;
}

/* ---- history ---- */

static void walk_to(Editor *editor, size_t position)
{
    const Past *history = editor->options.history;
    if (editor->position == history_count(history)) {
        buffer_clear(&editor->draft);
        buffer_str(&editor->draft, buffer_view(&editor->text));
    }
    editor->position = position;
    editor->walked = true;
    set_text(editor, position == history_count(history) ? buffer_view(&editor->draft)
                                                        : history_at(history, position));
}

static unsigned char older(EditLine *line, wint_t key)
{
    Editor *editor = begin_action(line);
    (void)key;
    if (editor->position == 0) return CC_ERROR;
    walk_to(editor, editor->position - 1);
    return CC_REFRESH;
}

static unsigned char newer(EditLine *line, wint_t key)
{
    Editor *editor = begin_action(line);
    (void)key;
    if (editor->position >= history_count(editor->options.history)) return CC_ERROR;
    walk_to(editor, editor->position + 1);
    return CC_REFRESH;
}

/* Within the text first; at its edge, and while walking, over whole statements. */
static unsigned char up(EditLine *line, wint_t key)
{
    Editor *editor = begin_action(line);
    Str text = buffer_view(&editor->text);
    size_t start = line_start(text, editor->cursor);
    if (start == 0 || editor->walked_before) return older(line, key);
    move_to(editor, same_column(text, start, editor->cursor, line_start(text, start - 1)));
    return CC_CURSOR;
}

static unsigned char down(EditLine *line, wint_t key)
{
    Editor *editor = begin_action(line);
    Str text = buffer_view(&editor->text);
    size_t stop = line_end(text, editor->cursor);
    if (stop == text.bytes || editor->walked_before) return newer(line, key);
    move_to(editor, same_column(text, line_start(text, editor->cursor), editor->cursor, stop + 1));
    return CC_CURSOR;
}

/* ---- search ---- */

static unsigned char start_search(EditLine *line, wint_t key)
{
    Editor *editor = begin_action(line);
    (void)key;
    walk_to(editor, editor->position); /* keeps the draft */
    editor->position = history_count(editor->options.history);
    buffer_clear(&editor->pattern);
    editor->searching = editor->found = true;
    return CC_REFRESH;
}

static void search_before(Editor *editor, size_t before)
{
    const Past *history = editor->options.history;
    size_t at = history_find(history, buffer_view(&editor->pattern), before);
    editor->found = at != SIZE_MAX;
    if (!editor->found) return;
    editor->position = at;
    set_text(editor, history_at(history, at));
}

static void search_newer(Editor *editor)
{
    const Past *history = editor->options.history;
    for (size_t i = editor->position + 1; i < history_count(history); i++)
        if (history_find(history, buffer_view(&editor->pattern), i + 1) == i) {
            search_before(editor, i + 1);
            return;
        }
    editor->found = false;
}

static void leave_search(Editor *editor, bool take)
{
    editor->searching = false;
    if (take) return;
    editor->position = history_count(editor->options.history);
    set_text(editor, buffer_view(&editor->draft));
}

static void shorten_pattern(Editor *editor)
{
    Buffer *pattern = &editor->pattern;
    if (pattern->bytes == 0) return;
    pattern->bytes = glyph_before(buffer_view(pattern), pattern->bytes);
    pattern->data[pattern->bytes] = '\0';
    search_before(editor, SIZE_MAX);
}

static void lengthen_pattern(Editor *editor, int32_t key)
{
    char bytes[4];
    if (editor->pattern.bytes + sizeof bytes > PATTERN_BYTES_MAX) return;
    buffer_append(&editor->pattern, bytes, utf8_put(bytes, (uint32_t)key));
    bool none_yet = editor->position == history_count(editor->options.history);
    search_before(editor, none_yet ? SIZE_MAX : editor->position + 1);
}

/* Every key while searching; one that means nothing here takes the text and then acts. */
static unsigned char search(EditLine *line, wint_t unused)
{
    Editor *editor = begin_action(line);
    int32_t key = editor->search_key;
    (void)unused;
    if (key == 'R' - '@' || key == KEY_UP)
        search_before(editor, editor->position);
    else if (key == 'S' - '@' || key == KEY_DOWN)
        search_newer(editor);
    else if (key == '\n' || key == '\r')
        leave_search(editor, true);
    else if (key == KEY_ESCAPE || key == 'G' - '@' || key == 'C' - '@')
        leave_search(editor, false);
    else if (key == 0x7f || key == '\b')
        shorten_pattern(editor);
    else if (key >= ' ' && (key < 0x80 || key >= 0xa0))
        lengthen_pattern(editor, key);
    else {
        wchar_t again[2] = {(wchar_t)key, L'\0'};
        leave_search(editor, true);
        el_wpush(line, again);
    }
    return CC_REFRESH;
}

/* ---- menu ---- */

static void take_item(Editor *editor, const contextql_suggestion *item)
{
    Str text = str_from(item->text);
    int typed = points_between(editor, item->replace_from, editor->cursor);
    if (typed > 0) el_deletestr(editor->line, typed);
    insert(editor, text);
    editor->menu.open = false;
}

static unsigned char complete(EditLine *line, wint_t key)
{
    Editor *editor = begin_action(line);
    (void)key;
    menu_refresh(&editor->menu, editor->options.helper, buffer_view(&editor->text), editor->cursor);
    if (editor->menu.open && editor->menu.list.count == 1)
        take_item(editor, &editor->menu.list.items[0]);
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
    Editor *editor = begin_action(line);
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
    Editor *editor = begin_action(line);
    if (!editor->options.is_whole(buffer_view(&editor->text))) return new_line(line, key);
    leave_screen(editor, STR(""));
    buffer_str(&editor->submitted, buffer_view(&editor->text));
    editor->accepted = true;
    return CC_NEWLINE;
}

/* Up brings a dropped text back, in this session. */
static unsigned char drop(EditLine *line, wint_t key)
{
    Editor *editor = begin_action(line);
    (void)key;
    leave_screen(editor, STR("^C"));
    history_add(editor->options.history, buffer_view(&editor->text));
    editor->position = history_count(editor->options.history);
    forget_steps(editor);
    clear_text(editor);
    if (editor->vi_command) el_wpush(line, L"i"); /* a new text begins by inserting */
    return CC_REFRESH; /* else libedit goes on where the old text ended, row by row out of its picture */
}

static unsigned char delete_or_end(EditLine *line, wint_t key)
{
    Editor *editor = begin_action(line);
    if (editor->text.bytes > 0) return delete_right(line, key);
    leave_screen(editor, STR(""));
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
    Editor *editor = begin_action(line);
    (void)key;
    screen_clear(editor->screen);
    return CC_REFRESH;
}

static unsigned char suspend(EditLine *line, wint_t key)
{
    Editor *editor = begin_action(line);
    (void)key;
    leave_screen(editor, STR(""));
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
static unsigned char redo(EditLine *line, wint_t key)
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
    Editor *editor = begin_action(line);
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
    if (error == NULL) set_text(editor, buffer_view(&text));
    error_drop(error);
    buffer_free(&text);
    screen_resize(editor->screen);
    begin_terminal(editor);
    return CC_REFRESH;
}

static unsigned char paste(EditLine *line, wint_t key)
{
    Editor *editor = begin_action(line);
    Buffer text = {0};
    (void)key;
    keys_paste(editor->keys, &text);
    insert(editor, buffer_view(&text));
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
    insert(editor, buffer_view(&editor->begin));
    buffer_clear(&editor->begin);
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
        take_text(editor);
        remember_step(editor);
        show(editor);
    } while (!keys_wait(editor->keys));
    if (!keys_read(editor->keys, &key, &follow)) return 0;
    editor->walked_before = editor->walked;
    editor->walked = false;
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

#define CONTROL(letter) ((letter) - '@')

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
    {L"cql-redo", redo, true, {0}},
    {L"cql-paste", paste, true, {KEY_PASTE}},
    {L"cql-up", up, true, {KEY_UP}},
    {L"cql-down", down, true, {KEY_DOWN}},
    {L"cql-left", left, true, {KEY_LEFT}},
    {L"cql-right", right, true, {KEY_RIGHT}},
    {L"cql-home", home, true, {KEY_HOME}},
    {L"cql-end", end, true, {KEY_END}},
    {L"cql-delete-right", delete_right, true, {KEY_DELETE}},
    {L"cql-delete-left", delete_left, false, {0x7f, L'\b'}},
    {L"cql-older", older, true, {CONTROL('P')}},
    {L"cql-newer", newer, true, {CONTROL('N')}},
    {L"cql-start-search", start_search, true, {CONTROL('R')}},
    {L"cql-search", search, true, {KEY_SEARCH}},
    {L"cql-undo", undo, false, {CONTROL('_')}},
    {L"cql-background", take_background, true, {KEY_BACKGROUND}},
    {L"cql-nothing", nothing, true, {KEY_NOTHING, KEY_BACKTAB, KEY_PAGE_UP, KEY_PAGE_DOWN}},
    {L"cql-complete", complete, false, {L'\t'}},
    {L"cql-choose", choose, true, {KEY_MENU}},
    {L"cql-probe-insert", probe_insert, false, {KEY_PROBE}},
    {L"cql-probe-command", probe_command, false, {0}},
    {L"ed-delete-prev-word", NULL, false, {CONTROL('W')}},
    {L"ed-prev-word", NULL, true, {KEY_WORD_LEFT}},
    {L"em-next-word", NULL, true, {KEY_WORD_RIGHT}},
};

static const wchar_t redo_key[2] = {KEY_REDO, L'\0'};

/* Keys of emacs that vi uses for something else, and those of vi's map for commands. */
static const struct ModeBinding {
    const wchar_t *key, *name;
} emacs_bindings[] = {{L"^A", L"cql-home"},
                      {L"^E", L"cql-end"},
                      {L"^B", L"cql-left"},
                      {L"^F", L"cql-right"},
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
      {L".", L"cql-redo"},         {redo_key, L"vi-redo"}, {L"v", L"cql-edit-outside"},
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
        if (binding->action != NULL)
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
    forget_steps(editor);
    mem_free(editor->steps);
    buffer_free(&editor->text);
    buffer_free(&editor->submitted);
    buffer_free(&editor->draft);
    buffer_free(&editor->pattern);
    buffer_free(&editor->asked);
    buffer_free(&editor->ghost);
    buffer_free(&editor->about);
    buffer_free(&editor->begin);
    mem_free(editor);
}

void editor_name(Editor *editor, Str prompt)
{
    editor->options.prompt = prompt;
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
    forget_steps(editor);
    buffer_clear(&editor->text);
    ask_helper(editor);
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
