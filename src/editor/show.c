/*
 * show.c - what is seen of the text: the text at once, what there is to say about it when no key
 * waits.
 */
#include "config.h"

#include "editor/editor_internal.h"

/* ---- painting ---- */

static Str status_of(Editor *editor, Buffer *out)
{
    if (!editor->searching) return buffer_view(&editor->about);
    buffer_printf(out, "search: %.*s", STR_ARG(buffer_view(&editor->pattern)));
    buffer_text(out, editor->picker.open ? "" : "   (not found)");
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
        picture.right = editor->options.right;
        picture.status = status_of(editor, &status);
        picture.ghost = buffer_view(&editor->ghost);
        picture.wrong_from = editor->wrong_from, picture.wrong_bytes = editor->wrong_bytes;
        picture.strong_from = editor->about_from, picture.strong_bytes = editor->about_bytes;
    }
    paint(&picture, &editor->frame);
    Menu *menu = editor->searching ? &editor->picker : &editor->menu;
    if (!last && menu->open)
        menu_paint(menu, &editor->frame, picture.columns, screen_rows(editor->screen) / 2,
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
bool show_ask(Editor *editor)
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
void show_text(Editor *editor)
{
    char mark[80] = "";
    forget_help(editor);
    make_frame(editor, false, STR(""));
    screen_show(editor->screen, &editor->frame, STR(""));
    if (keys_waiting(editor->keys)) return;
    bool more = show_ask(editor);
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

void show_last(Editor *editor, Str tail)
{
    make_frame(editor, true, tail);
    screen_finish(editor->screen, &editor->frame);
}
