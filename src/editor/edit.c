/*
 * edit.c - the text that is edited: libedit has it in wide characters, we in UTF-8; undo and redo,
 * motion by characters as people count them and by words, what is cut and put back.
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

/* ---- undo and redo ---- */

/* Of all, those undone too: the oldest goes when they are too many. */
static void drop_oldest(Editor *editor)
{
    editor->step_bytes -= editor->steps[0].text.bytes;
    buffer_free(&editor->steps[0].text);
    editor->step_count--;
    memmove(editor->steps, editor->steps + 1,
            (editor->step_count + editor->undone_count) * sizeof *editor->steps);
}

/* Who changes a text after undo goes another way: what was undone is gone. */
static void drop_undone(Editor *editor)
{
    for (; editor->undone_count > 0; editor->undone_count--) {
        Step *last = &editor->steps[editor->step_count + editor->undone_count - 1];
        editor->step_bytes -= last->text.bytes;
        buffer_free(&last->text);
    }
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
    drop_undone(editor);
    mem_reserve(editor->steps, editor->step_capacity, editor->step_count + 1);
    editor->steps[editor->step_count++] = step;
    editor->step_bytes += step.text.bytes;
    while (editor->step_count > UNDO_STEPS_MAX ||
           (editor->step_count > 1 && editor->step_bytes > UNDO_BYTES_MAX))
        drop_oldest(editor);
}

void edit_forget_steps(Editor *editor)
{
    drop_undone(editor);
    while (editor->step_count > 0)
        drop_oldest(editor);
}

static unsigned char show_step(Editor *editor)
{
    const Step *step = &editor->steps[editor->step_count - 1];
    edit_set_text(editor, buffer_view(&step->text));
    edit_take_text(editor);
    edit_move_to(editor, step->cursor);
    return CC_REFRESH;
}

unsigned char edit_undo(EditLine *line, wint_t key)
{
    Editor *editor = edit_begin(line);
    (void)key;
    if (editor->step_count < 2) return CC_ERROR;
    editor->step_count--;
    editor->undone_count++;
    return show_step(editor);
}

unsigned char edit_redo(EditLine *line, wint_t key)
{
    Editor *editor = edit_begin(line);
    (void)key;
    if (editor->undone_count == 0) return CC_ERROR;
    editor->undone_count--;
    editor->step_count++;
    return show_step(editor);
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

/* ---- words ---- */

static bool is_word(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_' ||
           (unsigned char)c >= 0x80;
}

static size_t word_before(Str text, size_t at)
{
    while (at > 0 && !is_word(text.data[at - 1]))
        at--;
    while (at > 0 && is_word(text.data[at - 1]))
        at--;
    return at;
}

static size_t word_behind(Str text, size_t at)
{
    while (at < text.bytes && !is_word(text.data[at]))
        at++;
    while (at < text.bytes && is_word(text.data[at]))
        at++;
    return at;
}

unsigned char edit_word_left(EditLine *line, wint_t key)
{
    Editor *editor = edit_begin(line);
    (void)key;
    edit_move_to(editor, word_before(buffer_view(&editor->text), editor->cursor));
    return CC_CURSOR;
}

unsigned char edit_word_right(EditLine *line, wint_t key)
{
    Editor *editor = edit_begin(line);
    (void)key;
    edit_move_to(editor, word_behind(buffer_view(&editor->text), editor->cursor));
    return CC_CURSOR;
}

/* ---- what is cut, and put back: a ring of some pieces, newest at its top ---- */

/* One piece behind the other is one piece, as it stood in the text. */
static void keep_cut(Editor *editor, Str text, bool before)
{
    Buffer piece = {0};
    Buffer *top = &editor->cuts[editor->cut_top];
    if (editor->cut_before) {
        buffer_str(&piece, before ? text : buffer_view(top));
        buffer_str(&piece, before ? buffer_view(top) : text);
    } else {
        buffer_str(&piece, text);
        editor->cut_top = (editor->cut_top + 1) % CUTS_MAX;
        top = &editor->cuts[editor->cut_top];
    }
    buffer_free(top);
    *top = piece;
}

static unsigned char cut(Editor *editor, size_t from, size_t to)
{
    size_t cursor = editor->cursor;
    if (from == to) return CC_ERROR;
    keep_cut(editor, (Str){editor->text.data + from, to - from}, from < cursor && to == cursor);
    editor->cut = true;
    edit_move_to(editor, to);
    el_deletestr(editor->line, edit_points(editor, from, to));
    return CC_REFRESH;
}

unsigned char edit_cut_word_left(EditLine *line, wint_t key)
{
    Editor *editor = edit_begin(line);
    (void)key;
    return cut(editor, word_before(buffer_view(&editor->text), editor->cursor), editor->cursor);
}

unsigned char edit_cut_word_right(EditLine *line, wint_t key)
{
    Editor *editor = edit_begin(line);
    (void)key;
    return cut(editor, editor->cursor, word_behind(buffer_view(&editor->text), editor->cursor));
}

/* At the end of a line its line end. */
unsigned char edit_cut_rest(EditLine *line, wint_t key)
{
    Editor *editor = edit_begin(line);
    (void)key;
    size_t end = edit_line_end(buffer_view(&editor->text), editor->cursor);
    if (end == editor->cursor && end < editor->text.bytes) end++;
    return cut(editor, editor->cursor, end);
}

unsigned char edit_cut_all(EditLine *line, wint_t key)
{
    Editor *editor = edit_begin(line);
    (void)key;
    return cut(editor, 0, editor->text.bytes);
}

static unsigned char put_back(Editor *editor)
{
    Str text = buffer_view(&editor->cuts[editor->put_from]);
    if (text.bytes == 0) return CC_ERROR;
    edit_insert(editor, text);
    editor->put = true;
    return CC_REFRESH;
}

unsigned char edit_put_back(EditLine *line, wint_t key)
{
    Editor *editor = edit_begin(line);
    (void)key;
    editor->put_from = editor->cut_top;
    return put_back(editor);
}

/* In the place of what was put back just now the piece that was cut before it. */
unsigned char edit_put_older(EditLine *line, wint_t key)
{
    Editor *editor = edit_begin(line);
    (void)key;
    if (!editor->put_before) return CC_ERROR;
    Str present = buffer_view(&editor->cuts[editor->put_from]);
    el_deletestr(line, (int)utf8_count(present));
    do
        editor->put_from = (editor->put_from + CUTS_MAX - 1) % CUTS_MAX;
    while (editor->cuts[editor->put_from].bytes == 0);
    return put_back(editor);
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
