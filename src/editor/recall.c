/* recall.c - the statements of before: walking over them, and searching them. */
#include "config.h"

#include "editor/editor_internal.h"
#include "editor/glyph.h"

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

unsigned char recall_start_search(EditLine *line, wint_t key)
{
    Editor *editor = edit_begin(line);
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
    edit_set_text(editor, history_at(history, at));
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
    edit_set_text(editor, buffer_view(&editor->draft));
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
unsigned char recall_search(EditLine *line, wint_t unused)
{
    Editor *editor = edit_begin(line);
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
