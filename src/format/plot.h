/* plot.h - points of two columns as a picture, in text or as SVG. */
#ifndef FORMAT_PLOT_H
#define FORMAT_PLOT_H
#include "base/str.h"

typedef struct PlotPoint {
    Str label; /* what x says; for bars */
    double x, y;
} PlotPoint;

typedef struct Plot {
    const PlotPoint *points; /* finite numbers */
    size_t count;
    bool bars; /* x is a name, not a number */
    Str x_name, y_name;
} Plot;

/* Bars a row each, or a line of dots in `columns` x `rows` characters with its axes. */
void plot_text(Buffer *out, const Plot *plot, size_t columns, size_t rows);
void plot_svg(Buffer *out, const Plot *plot);
#endif
