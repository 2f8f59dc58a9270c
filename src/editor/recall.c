/* recall.c - the statements of before: walking over them, and searching them. */
#include "config.h"

#include "editor/editor_internal.h"
#include "editor/glyph.h"
#include <time.h>

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
    edit_set_text(editor, position == history_count(history) ? buffer_view(&editor->draft)
                                                             : history_at(history, position));
}

unsigned char recall_older(EditLine *line, wint_t key)
{
    Editor *editor = edit_begin(line);
    (void)key;
    if (editor->position == 0) return CC_ERROR;
    walk_to(editor, editor->position - 1);
    return CC_REFRESH;
}

unsigned char recall_newer(EditLine *line, wint_t key)
{
    Editor *editor = edit_begin(line);
    (void)key;
    if (editor->position >= history_count(editor->options.history)) return CC_ERROR;
    walk_to(editor, editor->position + 1);
    return CC_REFRESH;
}

/* Within the text first; at its edge, and while walking, over whole statements. */
unsigned char recall_up(EditLine *line, wint_t key)
{
    Editor *editor = edit_begin(line);
    Str text = buffer_view(&editor->text);
    size_t start = edit_line_start(text, editor->cursor);
    if (start == 0 || editor->walked_before) return recall_older(line, key);
    edit_move_to(editor,
                 edit_same_column(text, start, editor->cursor, edit_line_start(text, start - 1)));
    return CC_CURSOR;
}

unsigned char recall_down(EditLine *line, wint_t key)
{
    Editor *editor = edit_begin(line);
    Str text = buffer_view(&editor->text);
    size_t stop = edit_line_end(text, editor->cursor);
    if (stop == text.bytes || editor->walked_before) return recall_newer(line, key);
    edit_move_to(editor, edit_same_column(text, edit_line_start(text, editor->cursor),
                                          editor->cursor, stop + 1));
    return CC_CURSOR;
}

/* ---- search ---- */

/* A statement as a row of the list, and a line about when it ran. */
static contextql_suggestion pick_of(Editor *editor, size_t at)
{
    enum { SHOWN_BYTES_MAX = 400 };
    const Past *history = editor->options.history;
    Str text = history_at(history, at);
    if (text.bytes > SHOWN_BYTES_MAX) text.bytes = SHOWN_BYTES_MAX;
    HistoryRun run = history_run(history, at);
    char when[64] = "";
    time_t time = (time_t)run.time_s;
    struct tm local;
    if (run.time_s > 0 && localtime_r(&time, &local) != NULL)
        strftime(when, sizeof when, "%Y-%m-%d %H:%M", &local);
    const char *summary = "";
    if (run.time_s > 0)
        summary = arena_printf(editor->picker_arena, "%s, %.3f s%s%.*s", when, run.seconds,
                               run.database.bytes > 0 ? ", " : "", STR_ARG(run.database));
    return (contextql_suggestion){.text = arena_copy(editor->picker_arena, text.data, text.bytes),
                                  .kind = "",
                                  .summary = summary};
}

/* The text is what is selected; nothing was found: what was typed before. */
static void take_pick(Editor *editor)
{
    const Past *history = editor->options.history;
    bool found = editor->picker.list.count > 0;
    editor->position = found ? editor->picked[editor->picker.selected] : history_count(history);
    edit_set_text(editor,
                  found ? history_at(history, editor->position) : buffer_view(&editor->draft));
}

static void find_picks(Editor *editor)
{
    const Past *history = editor->options.history;
    Menu *picker = &editor->picker;
    picker->list.count = picker->selected = picker->top = 0;
    arena_reset(editor->picker_arena);
    size_t at = SIZE_MAX;
    while (picker->list.count < PICKS_MAX &&
           (at = history_find(history, buffer_view(&editor->pattern), at)) != SIZE_MAX) {
        editor->picked[picker->list.count] = at;
        picker->list.items[picker->list.count++] = pick_of(editor, at);
    }
    picker->open = picker->list.count > 0;
    take_pick(editor);
}

unsigned char recall_start_search(EditLine *line, wint_t key)
{
    Editor *editor = edit_begin(line);
    (void)key;
    walk_to(editor, editor->position); /* keeps the draft */
    buffer_clear(&editor->pattern);
    editor->searching = true;
    find_picks(editor);
    return CC_REFRESH;
}

static void leave_search(Editor *editor, bool take)
{
    editor->searching = editor->picker.open = false;
    if (take) return;
    editor->position = history_count(editor->options.history);
    edit_set_text(editor, buffer_view(&editor->draft));
}

static void shorten_pattern(Editor *editor)
{
    Buffer *pattern = &editor->pattern;
    if (pattern->bytes == 0) return;
    pattern->bytes = glyph_before(buffer_view(pattern), pattern->bytes);
    pattern->data[pattern->bytes] = '\0';
    find_picks(editor);
}

static void lengthen_pattern(Editor *editor, int32_t key)
{
    char bytes[4];
    if (editor->pattern.bytes + sizeof bytes > PATTERN_BYTES_MAX) return;
    buffer_append(&editor->pattern, bytes, utf8_put(bytes, (uint32_t)key));
    find_picks(editor);
}

static void move_pick(Editor *editor, bool older)
{
    if (!editor->picker.open) return;
    menu_move(&editor->picker, older);
    take_pick(editor);
}

/* Every key while searching; one that means nothing here takes the text and then acts. */
unsigned char recall_search(EditLine *line, wint_t unused)
{
    Editor *editor = edit_begin(line);
    int32_t key = editor->search_key;
    (void)unused;
    if (key == CONTROL('R') || key == KEY_DOWN || key == '\t' || key == CONTROL('P'))
        move_pick(editor, true);
    else if (key == CONTROL('S') || key == KEY_UP || key == KEY_BACKTAB || key == CONTROL('N'))
        move_pick(editor, false);
    else if (key == '\n' || key == '\r')
        leave_search(editor, true);
    else if (key == KEY_ESCAPE || key == CONTROL('G') || key == CONTROL('C'))
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
