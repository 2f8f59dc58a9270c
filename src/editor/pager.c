/*
 * pager.c - see pager.h.
 *
 * The terminal's other screen is filled row by row: the header, as many lines as fit, a row about
 * the place. Lines are not wrapped but moved sideways, so that the columns of a table stay columns.
 * Keys are those of less, and the arrows.
 */
#include "config.h"

#include "editor/glyph.h"
#include "editor/pager.h"
#include "editor/screen.h"
#include "editor/terminal.h"
#include <stdio.h>
#include <termios.h>
#include <unistd.h>

enum { STEP_COLUMNS = 8, PATTERN_BYTES_MAX = 200 };

#define STYLE_HEADER    "\033[1m"
#define STYLE_FOUND     "\033[7m"
#define STYLE_STATUS    "\033[7m"
#define STYLE_OFF       "\033[0m"
#define CONTROL(letter) ((letter) - '@')

typedef struct Pager {
    Keys *keys;
    int fd;
    Str *lines;
    size_t count, header; /* of lines; header below count */
    size_t width;         /* of the widest line */
    size_t top, left;     /* the first line below the header, the first column in view */
    size_t rows, columns;
    Buffer pattern;
    bool typing, missed; /* the pattern; it is nowhere */
    bool sync;
    Screen *screen;
    Frame frame;
} Pager;

static void split(Pager *pager, const PagerText *text)
{
    size_t capacity = 0;
    Str rest = text->text;
    while (rest.bytes > 0) {
        const char *end = memchr(rest.data, '\n', rest.bytes);
        size_t bytes = end == NULL ? rest.bytes : (size_t)(end - rest.data);
        mem_reserve(pager->lines, capacity, pager->count + 1);
        pager->lines[pager->count] = (Str){rest.data, bytes};
        size_t width = glyph_width(pager->lines[pager->count++]);
        if (width > pager->width) pager->width = width;
        bytes += end != NULL;
        rest = (Str){rest.data + bytes, rest.bytes - bytes};
    }
    pager->header = text->header < pager->count ? text->header : pager->count;
}

/* How many lines fit below the header: at least one. */
static size_t body_rows(const Pager *pager)
{
    return pager->rows > pager->header + 2 ? pager->rows - pager->header - 1 : 1;
}

static size_t top_max(const Pager *pager)
{
    size_t body = pager->count - pager->header, rows = body_rows(pager);
    return body > rows ? body - rows : 0;
}

static size_t left_max(const Pager *pager)
{
    return pager->width > pager->columns ? pager->width - pager->columns : 0;
}

/* ---- searching ---- */

/* Where the pattern stands in a line, from `at` on; SIZE_MAX: nowhere. ASCII letters of any case. */
static size_t find(const Pager *pager, Str line, size_t at)
{
    Str pattern = buffer_view(&pager->pattern);
    if (pattern.bytes == 0) return SIZE_MAX;
    for (; at + pattern.bytes <= line.bytes; at++)
        if (str_equal_ignore_case((Str){line.data + at, pattern.bytes}, pattern)) return at;
    return SIZE_MAX;
}

/* Brings what was found in line `line` into view. */
static void reveal(Pager *pager, size_t line, size_t at)
{
    size_t column = glyph_width((Str){pager->lines[line].data, at}),
           end = column + glyph_width(buffer_view(&pager->pattern));
    pager->top = line - pager->header;
    if (column < pager->left || end > pager->left + pager->columns)
        pager->left = column < pager->columns / 2 ? 0 : column - pager->columns / 2;
}

static void search_next(Pager *pager, size_t from)
{
    for (size_t i = pager->header + from; i < pager->count; i++) {
        size_t at = find(pager, pager->lines[i], 0);
        if (at == SIZE_MAX) continue;
        reveal(pager, i, at);
        pager->missed = false;
        return;
    }
    pager->missed = true;
}

static void search_before(Pager *pager)
{
    for (size_t i = pager->header + pager->top; i-- > pager->header;) {
        size_t at = find(pager, pager->lines[i], 0);
        if (at == SIZE_MAX) continue;
        reveal(pager, i, at);
        pager->missed = false;
        return;
    }
    pager->missed = true;
}

/* ---- painting ---- */

/* The part of a line that is in view, what was found in it marked. */
static void put_line(const Pager *pager, Str line, const char *style, FrameRow *row)
{
    size_t column = 0, found = find(pager, line, 0), found_end = 0;
    buffer_text(&row->bytes, style);
    for (size_t at = 0; at < line.bytes;) {
        size_t from = at, width = glyph_next(line, &at);
        bool inside = column >= pager->left && column + width <= pager->left + pager->columns;
        if (from == found) {
            found_end = found + pager->pattern.bytes;
            if (inside) buffer_text(&row->bytes, STYLE_FOUND);
        }
        if (inside) {
            buffer_append(&row->bytes, line.data + from, at - from);
            row->width += width;
        }
        if (found_end > 0 && at >= found_end) {
            buffer_text(&row->bytes, STYLE_OFF);
            buffer_text(&row->bytes, style);
            found = find(pager, line, at);
            found_end = 0;
        }
        column += width;
    }
    if (style[0] != '\0' || found_end > 0) buffer_text(&row->bytes, STYLE_OFF);
}

static void put_place(const Pager *pager, Buffer *out)
{
    size_t body = pager->count - pager->header, last = pager->top + body_rows(pager);
    buffer_printf(out, " %zu-%zu of %zu", pager->top + 1, last < body ? last : body, body);
    if (pager->width > pager->columns)
        buffer_printf(out, ", columns %zu-%zu of %zu", pager->left + 1,
                      pager->left + pager->columns < pager->width ? pager->left + pager->columns
                                                                  : pager->width,
                      pager->width);
    if (pager->missed) buffer_printf(out, "   not found: %s", pager->pattern.data);
    buffer_text(out, "   q leave, / search, n next, arrows ");
}

static void put_status(const Pager *pager, FrameRow *row)
{
    Buffer text = {0};
    if (pager->typing)
        buffer_printf(&text, "/%.*s", STR_ARG(buffer_view(&pager->pattern)));
    else
        put_place(pager, &text);
    Str shown = buffer_view(&text);
    size_t at = 0, width = 0;
    while (at < shown.bytes) {
        size_t next = at, glyph = glyph_next(shown, &next);
        if (width + glyph > pager->columns - 1) break;
        width += glyph;
        at = next;
    }
    if (!pager->typing) buffer_text(&row->bytes, STYLE_STATUS);
    buffer_append(&row->bytes, shown.data, at);
    if (!pager->typing) buffer_text(&row->bytes, STYLE_OFF);
    row->width = width;
    buffer_free(&text);
}

static void paint(Pager *pager)
{
    Frame *frame = &pager->frame;
    char mark[80] = "";
    frame_clear(frame);
    for (size_t i = 0; i < pager->header && i + 2 < pager->rows; i++)
        put_line(pager, pager->lines[i], STYLE_HEADER, frame_add(frame));
    for (size_t i = 0; i < body_rows(pager); i++) {
        size_t line = pager->header + pager->top + i;
        FrameRow *row = frame_add(frame);
        if (line < pager->count) put_line(pager, pager->lines[line], "", row);
    }
    put_status(pager, frame_add(frame));
    frame->cursor_row = frame->count - 1;
    frame->cursor_column = pager->typing ? frame->rows[frame->count - 1].width : 0;
    if (pager->sync)
        snprintf(mark, sizeof mark, "\033]777;idle;%llu;%zux%zu\a",
                 (unsigned long long)keys_taken(pager->keys), pager->columns, pager->rows);
    screen_show(pager->screen, frame, str_from(mark));
}

/* ---- keys ---- */

static void move_down(Pager *pager, size_t lines)
{
    size_t most = top_max(pager);
    pager->top = most - pager->top > lines && pager->top < most ? pager->top + lines : most;
}

static void move_up(Pager *pager, size_t lines)
{
    pager->top = pager->top > lines ? pager->top - lines : 0;
}

static void move_right(Pager *pager, size_t columns)
{
    size_t most = left_max(pager);
    pager->left = pager->left + columns < most ? pager->left + columns : most;
}

static void move_left(Pager *pager, size_t columns)
{
    pager->left = pager->left > columns ? pager->left - columns : 0;
}

/* A key while the pattern is typed. */
static void type(Pager *pager, int32_t key)
{
    Buffer *pattern = &pager->pattern;
    char bytes[4];
    if (key == '\r' || key == '\n') {
        pager->typing = false;
        search_next(pager, pager->top);
    } else if (key == KEY_ESCAPE || key == CONTROL('C') || key == CONTROL('G')) {
        pager->typing = false;
        buffer_clear(pattern);
    } else if (key == 0x7f || key == '\b') {
        if (pattern->bytes == 0) {
            pager->typing = false;
            return;
        }
        pattern->bytes = glyph_before(buffer_view(pattern), pattern->bytes);
        pattern->data[pattern->bytes] = '\0';
    } else if (key >= ' ' && (key < 0x80 || key >= 0xa0) &&
               pattern->bytes + sizeof bytes <= PATTERN_BYTES_MAX) {
        buffer_append(pattern, bytes, utf8_put(bytes, (uint32_t)key));
    }
}

/* False: the person leaves. */
static bool act(Pager *pager, int32_t key)
{
    size_t page = body_rows(pager);
    pager->missed = false;
    switch (key) {
    case 'q':
    case 'Q':
    case KEY_ESCAPE:
    case CONTROL('C'):
    case CONTROL('D'): return false;
    case 'j':
    case KEY_DOWN:
    case '\r':
    case '\n':
    case CONTROL('N'): move_down(pager, 1); break;
    case 'k':
    case KEY_UP:
    case CONTROL('P'): move_up(pager, 1); break;
    case ' ':
    case 'f':
    case KEY_PAGE_DOWN:
    case CONTROL('F'): move_down(pager, page); break;
    case 'b':
    case KEY_PAGE_UP:
    case CONTROL('B'): move_up(pager, page); break;
    case 'g':
    case '<':
    case KEY_HOME: pager->top = 0; break;
    case 'G':
    case '>':
    case KEY_END: pager->top = top_max(pager); break;
    case 'l':
    case KEY_RIGHT: move_right(pager, STEP_COLUMNS); break;
    case 'h':
    case KEY_LEFT: move_left(pager, STEP_COLUMNS); break;
    case '$':
    case KEY_WORD_RIGHT: pager->left = left_max(pager); break;
    case '0':
    case KEY_WORD_LEFT: pager->left = 0; break;
    case 'n': search_next(pager, pager->top + 1); break;
    case 'N': search_before(pager); break;
    case '/':
        buffer_clear(&pager->pattern);
        pager->typing = true;
        break;
    default: break;
    }
    return true;
}

/* A terminal of another size: everything anew. */
static void look_at_size(Pager *pager)
{
    size_t columns, rows;
    terminal_size(pager->fd, &columns, &rows);
    if (rows < 3) rows = 3;
    if (columns == pager->columns && rows == pager->rows) return;
    pager->columns = columns;
    pager->rows = rows;
    screen_resize(pager->screen);
    screen_clear(pager->screen);
    if (pager->left > left_max(pager)) pager->left = left_max(pager);
    if (pager->top > top_max(pager)) pager->top = top_max(pager);
}

static void look(Pager *pager)
{
    int32_t key, follow;
    for (bool on = true; on;) {
        look_at_size(pager);
        if (!keys_waiting(pager->keys)) {
            paint(pager);
            if (!keys_wait(pager->keys)) continue;
        }
        if (!keys_read(pager->keys, &key, &follow)) return;
        if (follow != 0) continue; /* Alt and a letter */
        if (pager->typing)
            type(pager, key);
        else
            on = act(pager, key);
    }
}

void pager_show(Keys *keys, int fd, const PagerText *text, bool sync)
{
    struct termios before, raw;
    Pager pager = {.keys = keys, .fd = fd, .sync = sync};
    if (tcgetattr(STDIN_FILENO, &before) != 0) return;
    raw = before;
    raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO | ISIG | IEXTEN);
    raw.c_iflag &= ~(tcflag_t)(IXON | INLCR | ICRNL);
    tcsetattr(STDIN_FILENO, TCSADRAIN, &raw);
    split(&pager, text);
    pager.screen = screen_open(fd);
    screen_send(pager.screen, STR("\033[?1049h"));
    look(&pager);
    screen_send(pager.screen, STR("\033[?1049l"));
    tcsetattr(STDIN_FILENO, TCSADRAIN, &before);
    screen_close(pager.screen);
    frame_free(&pager.frame);
    buffer_free(&pager.pattern);
    mem_free(pager.lines);
}
