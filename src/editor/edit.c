/*
 * edit.c - the text that is edited: libedit has it in wide characters, we in UTF-8; undo, and motion
 * by characters as people count them.
 */
#include "config.h"

#include "editor/editor_internal.h"
#include "editor/glyph.h"
#include <assert.h>

/* ---- the text ---- */

void edit_take_text(Editor *editor)
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

void edit_insert(Editor *editor, Str text)
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
void edit_clear_text(Editor *editor)
{
    const LineInfoW *info = el_wline(editor->line);
    int count = (int)(info->lastchar - info->buffer);
    el_cursor(editor->line, (int)(info->lastchar - info->cursor));
    if (count > 0) el_deletestr(editor->line, count);
}

/* The cursor goes to the end. */
void edit_set_text(Editor *editor, Str text)
{
    edit_clear_text(editor);
    edit_insert(editor, text);
}

int edit_points(const Editor *editor, size_t from, size_t to)
{
    return (int)utf8_count((Str){editor->text.data + from, to - from});
}

void edit_move_to(Editor *editor, size_t to)
{
    int distance = to < editor->cursor   ? -edit_points(editor, to, editor->cursor)
                   : to > editor->cursor ? edit_points(editor, editor->cursor, to)
                                         : 0;
    if (distance != 0) el_cursor(editor->line, distance);
}

Editor *edit_begin(EditLine *line)
{
    Editor *editor = editor_of(line);
    edit_take_text(editor);
    return editor;
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

void edit_remember_step(Editor *editor)
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

void edit_forget_steps(Editor *editor)
{
    while (editor->step_count > 0)
        drop_step(editor, editor->step_count - 1);
}

unsigned char edit_undo(EditLine *line, wint_t key)
{
    Editor *editor = edit_begin(line);
    (void)key;
    if (editor->step_count < 2) return CC_ERROR;
    drop_step(editor, editor->step_count - 1);
    const Step *step = &editor->steps[editor->step_count - 1];
    edit_set_text(editor, buffer_view(&step->text));
    edit_take_text(editor);
    edit_move_to(editor, step->cursor);
    return CC_REFRESH;
}

/* ---- motion by characters as people count them, and lines ---- */

unsigned char edit_left(EditLine *line, wint_t key)
{
    Editor *editor = edit_begin(line);
    (void)key;
    edit_move_to(editor, glyph_before(buffer_view(&editor->text), editor->cursor));
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
    if (taken) edit_insert(editor, buffer_view(&editor->ghost));
    return taken;
}

unsigned char edit_right(EditLine *line, wint_t key)
{
    Editor *editor = edit_begin(line);
    (void)key;
    if (take_ghost(editor)) return CC_REFRESH;
    edit_move_to(editor, behind_glyph(editor));
    return CC_CURSOR;
}

unsigned char edit_delete_left(EditLine *line, wint_t key)
{
    Editor *editor = edit_begin(line);
    (void)key;
    if (editor->cursor == 0) return CC_ERROR;
    size_t from = glyph_before(buffer_view(&editor->text), editor->cursor);
    el_deletestr(line, edit_points(editor, from, editor->cursor));
    return CC_REFRESH;
}

unsigned char edit_delete_right(EditLine *line, wint_t key)
{
    Editor *editor = edit_begin(line);
    (void)key;
    size_t to = behind_glyph(editor);
    if (to == editor->cursor) return CC_ERROR;
    edit_move_to(editor, to);
    el_deletestr(line, edit_points(editor, editor->cursor, to));
    return CC_REFRESH;
}

size_t edit_line_start(Str text, size_t at)
{
    while (at > 0 && text.data[at - 1] != '\n')
        at--;
    return at;
}

size_t edit_line_end(Str text, size_t at)
{
    while (at < text.bytes && text.data[at] != '\n')
        at++;
    return at;
}

unsigned char edit_home(EditLine *line, wint_t key)
{
    Editor *editor = edit_begin(line);
    (void)key;
    edit_move_to(editor, edit_line_start(buffer_view(&editor->text), editor->cursor));
    return CC_CURSOR;
}

unsigned char edit_end(EditLine *line, wint_t key)
{
    Editor *editor = edit_begin(line);
    (void)key;
    if (take_ghost(editor)) return CC_REFRESH;
    edit_move_to(editor, edit_line_end(buffer_view(&editor->text), editor->cursor));
    return CC_CURSOR;
}

/* From the line at `from` to the same column of the line that begins at `to`. */
size_t edit_same_column(Str text, size_t from, size_t cursor, size_t to)
{
    size_t wanted = glyph_width((Str){text.data + from, cursor - from}), width = 0;
    size_t stop = edit_line_end(text, to);
    while (to < stop && width < wanted)
        width += glyph_next(text, &to);
    return to;
}
