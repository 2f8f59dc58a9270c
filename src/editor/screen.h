/*
 * screen.h - a picture of a few rows at the bottom of the terminal, kept up to date with little
 * traffic.
 *
 * The picture begins where the cursor stood when the screen was opened, erased or finished, and
 * takes as many rows as it needs. Only rows that changed are sent, between marks (mode 2026) that
 * let the terminal show them at once. A picture taller than the terminal is shown in part, around
 * the cursor.
 */
#ifndef SHELL_SCREEN_H
#define SHELL_SCREEN_H
#include "base/str.h"

typedef struct FrameRow {
    Buffer bytes; /* text and styles; the styles are off at its end */
    size_t width; /* columns */
} FrameRow;
typedef struct Frame { /* {0} is empty and ready */
    FrameRow *rows;
    size_t count, capacity;
    size_t cursor_row, cursor_column;
} Frame;

void frame_clear(Frame *frame);
FrameRow *frame_add(Frame *frame); /* an empty row; older rows may move */
void frame_free(Frame *frame);

typedef struct Screen Screen;
Screen *screen_open(int fd); /* asks the terminal its size; 80 x 24 if it does not know */
void screen_close(Screen *screen);
size_t screen_columns(const Screen *screen);
size_t screen_rows(const Screen *screen);
/* Shows the picture in place of the one before. `mark` (may be empty) is sent behind it. */
void screen_show(Screen *screen, const Frame *frame, Str mark);
/* Shows the whole picture, however tall, and leaves it: what comes next begins on a fresh row
 * below. */
void screen_finish(Screen *screen, const Frame *frame);
/* Empties the terminal; the next picture begins at its top. */
void screen_clear(Screen *screen);
/* Takes the picture away. */
void screen_erase(Screen *screen);
/* Asks the size anew and erases: the terminal has wrapped the rows its own way. */
void screen_resize(Screen *screen);
/* Sends bytes as they are. */
void screen_send(Screen *screen, Str bytes);
#endif
