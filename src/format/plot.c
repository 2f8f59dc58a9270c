/*
 * plot.c - see plot.h.
 *
 * In text a point is one of the eight dots of a Braille character, and points that follow one
 * another are joined, so that a series is a line:
 *
 *     9 ┤      ⡠⠔⠉
 *       │  ⢀⠔⠊
 *     0 ┤⡠⠊
 *       └────────────
 *        0          3
 */
#include "config.h"

#include "editor/glyph.h"
#include "format/plot.h"
#include "format/value_text.h"
#include <math.h>
#include <stdio.h>

enum {
    LABEL_COLUMNS_MAX = 24,
    NUMBER_COLUMNS = 10,
    SVG_WIDTH = 640,
    SVG_HEIGHT = 400,
    SVG_MARGIN = 60,
    SVG_DOTS_MAX = 500 /* more points are a line alone */
};

typedef struct Range {
    double low, high;
} Range;

static Range range_of(const Plot *plot, bool of_y)
{
    Range range = {INFINITY, -INFINITY};
    for (size_t i = 0; i < plot->count; i++) {
        double value = of_y ? plot->points[i].y : plot->points[i].x;
        if (value < range.low) range.low = value;
        if (value > range.high) range.high = value;
    }
    if (of_y && plot->bars && range.low > 0) range.low = 0; /* a bar begins at nothing */
    if (of_y && plot->bars && range.high < 0) range.high = 0;
    return range;
}

/* Where a value lies in its range, 0 to 1; all are in the middle where there is no range. */
static double place(Range range, double value)
{
    double width =
        range.high / 2 - range.low / 2; /* halves: the range may be wider than a double */
    return width > 0 ? (value / 2 - range.low / 2) / width : 0.5;
}

static void put_number(Buffer *out, double number)
{
    char text[32];
    snprintf(text, sizeof text, fabs(number) < 1e7 && number == floor(number) ? "%.0f" : "%.5g",
             number);
    buffer_text(out, text);
}

/* At most `width` columns of a text, then blanks. */
static void put_label(Buffer *out, Str label, size_t width)
{
    size_t at = 0, used = 0;
    while (at < label.bytes) {
        size_t next = at, glyph = glyph_next(label, &next);
        if (used + glyph > width) break;
        bool control = (unsigned char)label.data[at] < 0x20 || label.data[at] == 0x7f;
        buffer_append(out, control ? " " : label.data + at, control ? 1 : next - at);
        used += control ? 1 : glyph;
        at = next;
    }
    for (; used < width; used++)
        buffer_char(out, ' ');
}

/* ---- bars in text ---- */

static void put_bars(Buffer *out, const Plot *plot, size_t columns)
{
    size_t width = 0, room;
    Range range = range_of(plot, true);
    for (size_t i = 0; i < plot->count; i++) {
        size_t own = glyph_width(plot->points[i].label);
        if (own > width) width = own;
    }
    if (width > LABEL_COLUMNS_MAX) width = LABEL_COLUMNS_MAX;
    room = columns > width + NUMBER_COLUMNS + 12 ? columns - width - NUMBER_COLUMNS - 2 : 10;
    double reach = fmax(fabs(range.low), fabs(range.high));
    for (size_t i = 0; i < plot->count; i++) {
        const PlotPoint *point = &plot->points[i];
        put_label(out, point->label, width);
        buffer_text(out, point->y < 0 ? " -" : "  ");
        value_text_bar(out, reach > 0 ? fabs(point->y) / reach : 0, room);
        buffer_text(out, point->y == 0 ? "" : " ");
        put_number(out, point->y);
        buffer_char(out, '\n');
    }
}

/* ---- dots in text ---- */

typedef struct Canvas {
    unsigned char *cells; /* the dots of a character: bits of Braille */
    size_t columns, rows;
} Canvas;

static void set_dot(Canvas *canvas, double x, double y)
{
    static const unsigned char bits[4][2] = {
        {0x01, 0x08}, {0x02, 0x10}, {0x04, 0x20}, {0x40, 0x80}};
    size_t column = (size_t)(x + 0.5), row = (size_t)(y + 0.5);
    canvas->cells[row / 4 * canvas->columns + column / 2] |= bits[row % 4][column % 2];
}

static void draw_line(Canvas *canvas, double x, double y, double to_x, double to_y)
{
    double steps = fmax(fabs(to_x - x), fabs(to_y - y));
    for (double i = 0; i <= steps; i++)
        set_dot(canvas, x + (to_x - x) * (steps > 0 ? i / steps : 0),
                y + (to_y - y) * (steps > 0 ? i / steps : 0));
}

static void draw(Canvas *canvas, const Plot *plot, Range xs, Range ys)
{
    double width = (double)(canvas->columns * 2 - 1), height = (double)(canvas->rows * 4 - 1);
    double before_x = 0, before_y = 0;
    for (size_t i = 0; i < plot->count; i++) {
        double x = place(xs, plot->points[i].x) * width,
               y = (1 - place(ys, plot->points[i].y)) * height;
        bool joined = i > 0 && plot->points[i].x >= plot->points[i - 1].x;
        draw_line(canvas, joined ? before_x : x, joined ? before_y : y, x, y);
        before_x = x, before_y = y;
    }
}

static void put_row(Buffer *out, const Canvas *canvas, size_t row)
{
    char bytes[4];
    size_t end = canvas->columns;
    const unsigned char *cells = canvas->cells + row * canvas->columns;
    while (end > 0 && cells[end - 1] == 0)
        end--;
    for (size_t c = 0; c < end; c++)
        if (cells[c] == 0)
            buffer_char(out, ' ');
        else
            buffer_append(out, bytes, utf8_put(bytes, 0x2800u + cells[c]));
    buffer_char(out, '\n');
}

static void put_x_axis(Buffer *out, const Canvas *canvas, Range xs, size_t margin)
{
    Buffer low = {0}, high = {0};
    put_number(&low, xs.low);
    put_number(&high, xs.high);
    buffer_printf(out, "%*s\u2514", (int)margin + 1, "");
    for (size_t c = 0; c < canvas->columns; c++)
        buffer_text(out, "\u2500");
    buffer_printf(out, "\n%*s%s", (int)margin + 2, "", low.data);
    if (xs.high > xs.low && low.bytes + high.bytes < canvas->columns)
        buffer_printf(out, "%*s", (int)(canvas->columns - low.bytes), high.data);
    buffer_char(out, '\n');
    buffer_free(&low);
    buffer_free(&high);
}

static void put_dots(Buffer *out, const Plot *plot, size_t columns, size_t rows)
{
    Range xs = range_of(plot, false), ys = range_of(plot, true);
    Buffer low = {0}, high = {0};
    put_number(&low, ys.low);
    put_number(&high, ys.high);
    size_t margin = low.bytes > high.bytes ? low.bytes : high.bytes;
    Canvas canvas = {.columns = columns > margin + 14 ? columns - margin - 4 : 10, .rows = rows};
    canvas.cells = mem_calloc(canvas.columns * canvas.rows, 1);
    draw(&canvas, plot, xs, ys);
    for (size_t row = 0; row < rows; row++) {
        const char *number = row == 0 ? high.data : row + 1 == rows ? low.data : "";
        buffer_printf(out, "%*s %s", (int)margin, number, number[0] == '\0' ? "\u2502" : "\u2524");
        put_row(out, &canvas, row);
    }
    put_x_axis(out, &canvas, xs, margin);
    mem_free(canvas.cells);
    buffer_free(&low);
    buffer_free(&high);
}

void plot_text(Buffer *out, const Plot *plot, size_t columns, size_t rows)
{
    if (plot->bars)
        put_bars(out, plot, columns);
    else
        put_dots(out, plot, columns, rows);
}

/* ---- SVG ---- */

static void put_escaped(Buffer *out, Str text)
{
    for (size_t i = 0; i < text.bytes; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (c == '<')
            buffer_text(out, "&lt;");
        else if (c == '&')
            buffer_text(out, "&amp;");
        else
            buffer_char(out, c < 0x20 || c == 0x7f ? ' ' : (char)c);
    }
}

static void put_text_at(Buffer *out, double x, double y, const char *anchor, Str text)
{
    buffer_printf(out, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">", x, y, anchor);
    put_escaped(out, text);
    buffer_text(out, "</text>\n");
}

static void put_number_at(Buffer *out, double x, double y, const char *anchor, double number)
{
    Buffer text = {0};
    put_number(&text, number);
    put_text_at(out, x, y, anchor, buffer_view(&text));
    buffer_free(&text);
}

static double svg_x(double share)
{
    return SVG_MARGIN + share * (SVG_WIDTH - 2 * SVG_MARGIN);
}

static double svg_y(double share)
{
    return SVG_HEIGHT - SVG_MARGIN - share * (SVG_HEIGHT - 2 * SVG_MARGIN);
}

static void put_svg_bars(Buffer *out, const Plot *plot, Range ys)
{
    double step = 1 / (double)plot->count, zero = svg_y(place(ys, 0));
    for (size_t i = 0; i < plot->count; i++) {
        const PlotPoint *point = &plot->points[i];
        double left = svg_x(step * ((double)i + 0.1)), right = svg_x(step * ((double)i + 0.9)),
               end = svg_y(place(ys, point->y));
        buffer_printf(
            out, "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" fill=\"#3574b4\"/>\n",
            left, fmin(end, zero), right - left, fabs(end - zero));
        put_text_at(out, (left + right) / 2, SVG_HEIGHT - SVG_MARGIN + 18, "middle", point->label);
    }
}

static void put_svg_line(Buffer *out, const Plot *plot, Range xs, Range ys)
{
    buffer_text(out, "<polyline fill=\"none\" stroke=\"#3574b4\" stroke-width=\"1.5\" points=\"");
    for (size_t i = 0; i < plot->count; i++)
        buffer_printf(out, "%s%.1f,%.1f", i > 0 ? " " : "", svg_x(place(xs, plot->points[i].x)),
                      svg_y(place(ys, plot->points[i].y)));
    buffer_text(out, "\"/>\n");
    for (size_t i = 0; plot->count <= SVG_DOTS_MAX && i < plot->count; i++)
        buffer_printf(out, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"2.5\" fill=\"#3574b4\"/>\n",
                      svg_x(place(xs, plot->points[i].x)), svg_y(place(ys, plot->points[i].y)));
    put_number_at(out, svg_x(0), SVG_HEIGHT - SVG_MARGIN + 18, "start", xs.low);
    put_number_at(out, svg_x(1), SVG_HEIGHT - SVG_MARGIN + 18, "end", xs.high);
}

void plot_svg(Buffer *out, const Plot *plot)
{
    Range xs = range_of(plot, false), ys = range_of(plot, true);
    buffer_printf(out,
                  "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" "
                  "font-family=\"sans-serif\" font-size=\"12\">\n"
                  "<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>\n",
                  SVG_WIDTH, SVG_HEIGHT);
    buffer_printf(out, "<path d=\"M%.1f %.1fV%.1fH%.1f\" fill=\"none\" stroke=\"black\"/>\n",
                  svg_x(0), svg_y(1), svg_y(0), svg_x(1));
    put_number_at(out, svg_x(0) - 6, svg_y(1) + 4, "end", ys.high);
    put_number_at(out, svg_x(0) - 6, svg_y(0) + 4, "end", ys.low);
    put_text_at(out, svg_x(0.5), SVG_HEIGHT - 12, "middle", plot->x_name);
    put_text_at(out, svg_x(0), svg_y(1) - 14, "middle", plot->y_name);
    if (plot->bars)
        put_svg_bars(out, plot, ys);
    else
        put_svg_line(out, plot, xs, ys);
    buffer_text(out, "</svg>\n");
}
