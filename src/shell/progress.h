/* progress.h - how far something long is, while it runs, on a terminal; and what a load made, when it is
 * done. */
#ifndef SHELL_PROGRESS_H
#define SHELL_PROGRESS_H
#include "base/clock.h"
#include "base/str.h"
#include "contextql.h"
#include <stdio.h>

typedef struct Progress {
    FILE *file; /* a terminal; NULL: no bar is wanted */
    const Clock *clock;
    bool (*is_stopped)(void);
    int64_t begin_ns, drawn_ns; /* drawn_ns 0: never */
    bool stands;                /* on the terminal */
} Progress;

/* A contextql_progress_fn: draws a bar after half a second, ten times a second at most, and says whether
 * to stop. */
bool progress_report(void *progress, double done, uint64_t rows);
void progress_begin(Progress *progress, FILE *file, const Clock *clock, bool (*is_stopped)(void));
/* Takes the bar away, before a text goes where it stands; `progress`: a Progress. */
void progress_end(void *progress);
/* The bar's text, without line end: "  42 % [########            ] 1200 rows/s, 3 s left". `seconds`:
 * since the beginning; rows 0: they are not counted. Of what does not fit into `columns`, less one, first the
 * rate goes, then what is left, then the bar. */
void progress_print(Buffer *out, double done, uint64_t rows, double seconds, size_t columns);
/* Does the statement load a file: does it begin with COPY or LOAD? */
bool progress_is_load(Str statement);
/* "3 nodes, 2 edges in 0.5 s (6 nodes/s, 4 edges/s)" and a line end; nothing if nothing was made. */
void progress_print_made(Buffer *out, const contextql_stats *stats);
#endif
