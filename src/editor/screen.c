/*
 * screen.c - the difference between two pictures, as few bytes to a terminal.
 *
 * All motion is relative to the cursor, so it does not matter where on the terminal the picture is:
 * up by CSI A, down by line feeds, which make room at the bottom edge by scrolling. No row uses the
 * last column, so that a terminal never wraps one by itself.
 */
#include "config.h"

#include "editor/screen.h"
#include "editor/terminal.h"
#include <errno.h>
#include <unistd.h>

struct Screen {
    int fd;
    size_t columns, rows;
    Frame shown; /* what the terminal has: only the part in view */
    size_t top;  /* first row of the picture in view */
    Buffer out;
};

/* ---- pictures ---- */

void frame_clear(Frame *frame)
{
    frame->count = frame->cursor_row = frame->cursor_column = 0;
}

FrameRow *frame_add(Frame *frame)
{
    size_t before = frame->capacity;
    mem_reserve(frame->rows, frame->capacity, frame->count + 1);
    for (size_t i = before; i < frame->capacity; i++)
        frame->rows[i] = (FrameRow){0};
    FrameRow *row = &frame->rows[frame->count++];
    buffer_clear(&row->bytes);
    row->width = 0;
    return row;
}

void frame_free(Frame *frame)
{
    for (size_t i = 0; i < frame->capacity; i++)
        buffer_free(&frame->rows[i].bytes);
    mem_free(frame->rows);
    *frame = (Frame){0};
}

/* ---- the terminal ---- */

static void ask_size(Screen *screen)
{
    terminal_size(screen->fd, &screen->columns, &screen->rows);
}

Screen *screen_open(int fd)
{
    Screen *screen = mem_calloc(1, sizeof *screen);
    screen->fd = fd;
    ask_size(screen);
    return screen;
}

void screen_close(Screen *screen)
{
    if (screen == NULL) return;
    frame_free(&screen->shown);
    buffer_free(&screen->out);
    mem_free(screen);
}

size_t screen_columns(const Screen *screen)
{
    return screen->columns;
}

size_t screen_rows(const Screen *screen)
{
    return screen->rows;
}

/* A terminal that is gone takes nothing: the next read says so. */
void screen_send(Screen *screen, Str bytes)
{
    while (bytes.bytes > 0) {
        ssize_t sent = write(screen->fd, bytes.data, bytes.bytes);
        if (sent < 0 && errno == EINTR) continue;
        if (sent <= 0) return;
        bytes.data += sent;
        bytes.bytes -= (size_t)sent;
    }
}

static void flush(Screen *screen)
{
    screen_send(screen, buffer_view(&screen->out));
    buffer_clear(&screen->out);
}

/* ---- pictures to bytes ---- */

static void go_to_first_row(Screen *screen)
{
    buffer_char(&screen->out, '\r');
    if (screen->shown.cursor_row > 0)
        buffer_printf(&screen->out, "\033[%zuA", screen->shown.cursor_row);
}

/* Moves the view as little as keeps the cursor in it. */
static size_t place_view(Screen *screen, const Frame *frame)
{
    size_t cursor = frame->cursor_row, height = screen->rows;
    if (frame->count <= height) return screen->top = 0;
    if (cursor < screen->top) screen->top = cursor;
    if (cursor >= screen->top + height) screen->top = cursor - height + 1;
    if (screen->top > frame->count - height) screen->top = frame->count - height;
    return screen->top;
}

static void send_row(Screen *screen, const FrameRow *row)
{
    buffer_str(&screen->out, buffer_view(&row->bytes));
    buffer_text(&screen->out, "\033[K");
}

static void remember(Screen *screen, const Frame *frame, size_t top, size_t visible)
{
    Frame *shown = &screen->shown;
    frame_clear(shown);
    for (size_t i = 0; i < visible; i++) {
        FrameRow *row = frame_add(shown);
        buffer_str(&row->bytes, buffer_view(&frame->rows[top + i].bytes));
        row->width = frame->rows[top + i].width;
    }
    shown->cursor_row = frame->cursor_row - top;
    shown->cursor_column = frame->cursor_column;
}

static void place_cursor(Screen *screen, size_t row_now, const Frame *frame, size_t top)
{
    size_t row = frame->cursor_row - top;
    if (row_now > row) buffer_printf(&screen->out, "\033[%zuA", row_now - row);
    buffer_char(&screen->out, '\r');
    if (frame->cursor_column > 0) buffer_printf(&screen->out, "\033[%zuC", frame->cursor_column);
}

void screen_show(Screen *screen, const Frame *frame, Str mark)
{
    size_t top = place_view(screen, frame);
    size_t visible = frame->count < screen->rows ? frame->count : screen->rows;
    const Frame *shown = &screen->shown;
    buffer_text(&screen->out, "\033[?2026h\033[?25l");
    go_to_first_row(screen);
    for (size_t i = 0; i < visible; i++) {
        const FrameRow *row = &frame->rows[top + i];
        bool same = i < shown->count &&
                    str_equal(buffer_view(&shown->rows[i].bytes), buffer_view(&row->bytes));
        if (i > 0) buffer_text(&screen->out, "\r\n");
        if (!same) send_row(screen, row);
    }
    if (shown->count > visible) buffer_text(&screen->out, "\r\n\033[J\033[A");
    place_cursor(screen, visible - 1, frame, top);
    buffer_text(&screen->out, "\033[?25h\033[?2026l");
    buffer_str(&screen->out, mark);
    remember(screen, frame, top, visible);
    flush(screen);
}

void screen_finish(Screen *screen, const Frame *frame)
{
    go_to_first_row(screen);
    buffer_text(&screen->out, "\033[J");
    for (size_t i = 0; i < frame->count; i++) {
        buffer_str(&screen->out, buffer_view(&frame->rows[i].bytes));
        buffer_text(&screen->out, "\r\n");
    }
    frame_clear(&screen->shown);
    screen->top = 0;
    flush(screen);
}

void screen_clear(Screen *screen)
{
    screen_send(screen, STR("\033[H\033[2J"));
    frame_clear(&screen->shown);
    screen->top = 0;
}

void screen_erase(Screen *screen)
{
    go_to_first_row(screen);
    buffer_text(&screen->out, "\033[J");
    frame_clear(&screen->shown);
    flush(screen);
}

void screen_resize(Screen *screen)
{
    Frame *shown = &screen->shown;
    ask_size(screen);
    /* A narrower terminal has broken rows above the cursor in two or more. */
    size_t extra = shown->cursor_column / screen->columns;
    for (size_t i = 0; i < shown->cursor_row; i++)
        if (shown->rows[i].width > screen->columns)
            extra += (shown->rows[i].width - 1) / screen->columns;
    shown->cursor_row += extra;
    screen_erase(screen);
}
