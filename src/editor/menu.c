/*
 * menu.c - see menu.h.
 *
 *     > vector.cosine(   function
 *       vector.dot(      function
 *     1/2  (a :: VECTOR, b :: VECTOR) :: FLOAT  cosine similarity, -1 to 1
 */
#include "config.h"

#include "editor/glyph.h"
#include "editor/menu.h"

enum {
    ITEMS_MAX = 10,       /* in view */
    TEXT_COLUMNS_MAX = 32 /* of an item; a longer one pushes its kind to the right */
};

void menu_refresh(Menu *menu, const Helper *helper, Str text, size_t cursor)
{
    bool was_open = menu->open;
    menu->list.count = 0;
    helper->complete(helper->state, text, cursor, &menu->list);
    menu->open = menu->list.count > 0;
    if (!was_open || menu->selected >= menu->list.count) menu->selected = 0;
    menu->top = 0;
}

void menu_move(Menu *menu, bool down)
{
    size_t count = menu->list.count;
    menu->selected = down ? (menu->selected + 1) % count : (menu->selected + count - 1) % count;
}

/* As much as fits of `text`, blanks up to `width` behind it. */
static void put(FrameRow *row, Str text, size_t columns, size_t width)
{
    size_t begin = row->width;
    for (size_t at = 0; at < text.bytes;) {
        size_t from = at, glyph = glyph_next(text, &at);
        if (row->width + glyph >= columns) return;
        bool control = (unsigned char)text.data[from] < 0x20;
        buffer_append(&row->bytes, control ? " " : text.data + from, control ? 1 : at - from);
        row->width += control ? 1 : glyph;
    }
    while (row->width < begin + width && row->width + 1 < columns) {
        buffer_char(&row->bytes, ' ');
        row->width++;
    }
}

static void put_styled(FrameRow *row, Str text, size_t columns, size_t width, const Theme *theme,
                       ThemePart part)
{
    theme_begin(theme, part, &row->bytes);
    put(row, text, columns, width);
    theme_end(theme, part, &row->bytes);
}

static size_t widest(const Menu *menu, size_t count)
{
    size_t width = 0;
    for (size_t i = menu->top; i < menu->top + count; i++) {
        size_t own = glyph_width(str_from(menu->list.items[i].text));
        if (own > width) width = own;
    }
    return width < TEXT_COLUMNS_MAX ? width : TEXT_COLUMNS_MAX;
}

static void paint_about(const Menu *menu, Frame *frame, size_t columns, const Theme *theme)
{
    const contextql_suggestion *item = &menu->list.items[menu->selected];
    Buffer about = {0};
    buffer_printf(&about, "%zu/%zu", menu->selected + 1, menu->list.count);
    if (item->summary[0] != '\0') buffer_printf(&about, "  %s", item->summary);
    put_styled(frame_add(frame), buffer_view(&about), columns, 0, theme, THEME_STATUS);
    buffer_free(&about);
}

void menu_paint(Menu *menu, Frame *frame, size_t columns, size_t rows, const Theme *theme)
{
    if (!menu->open || rows < 2) return;
    size_t count = menu->list.count;
    if (count > ITEMS_MAX) count = ITEMS_MAX;
    if (count > rows - 1) count = rows - 1;
    if (menu->selected < menu->top) menu->top = menu->selected;
    if (menu->selected >= menu->top + count) menu->top = menu->selected - count + 1;
    if (menu->top + count > menu->list.count) menu->top = menu->list.count - count;
    size_t width = widest(menu, count);
    for (size_t i = menu->top; i < menu->top + count; i++) {
        const contextql_suggestion *item = &menu->list.items[i];
        FrameRow *row = frame_add(frame);
        bool selected = i == menu->selected;
        put(row, selected ? STR("> ") : STR("  "), columns, 0);
        put_styled(row, str_from(item->text), columns, width, selected ? theme : NULL,
                   THEME_SELECTED);
        put(row, STR("   "), columns, 0);
        put_styled(row, str_from(item->kind), columns, 0, theme, THEME_STATUS);
    }
    paint_about(menu, frame, columns, theme);
}
