/*
 * progress.c - a bar that comes late and goes without a trace.
 *
 * What takes less than half a second shows none: it would only flicker. What is left is told from
 * the pace so far, which for reading a file is a fair guess.
 */
#include "config.h"

#include "editor/terminal.h"
#include "format/format.h"
#include "shell/progress.h"

enum { BAR_COLUMNS = 20, BAR_COLUMNS_MIN = 4 };
static const int64_t first_ns = 500 * INT64_C(1000000), between_ns = 100 * INT64_C(1000000);

void progress_begin(Progress *progress, FILE *file, const Clock *clock, bool (*is_stopped)(void))
{
    *progress = (Progress){file, clock, is_stopped, clock->monotonic_ns(clock->state), 0, false};
}

/* If there is room: all are letters of one column. */
static void put_if(Buffer *out, size_t columns, const Buffer *text)
{
    if (out->bytes + text->bytes < columns) buffer_str(out, buffer_view(text));
}

void progress_print(Buffer *out, double done, uint64_t rows, double seconds, size_t columns)
{
    Buffer left = {0}, rate = {0}, bar = {0};
    size_t around = strlen("100 % []"), width = BAR_COLUMNS;
    if (!(done >= 0)) done = 0; /* not a number, too */
    if (done > 1) done = 1;
    if (columns <= around + width)
        width = columns <= around + BAR_COLUMNS_MIN ? 0 : columns - 1 - around;
    buffer_printf(&bar, width > 0 ? "%3d %% [" : "%3d %%", (int)(done * 100));
    for (size_t i = 0; i < width; i++)
        buffer_char(&bar, i < (size_t)(done * (double)width) ? '#' : ' ');
    if (width > 0) buffer_char(&bar, ']');
    if (done > 0) buffer_printf(&left, " %.0f s left", seconds / done - seconds);
    if (rows > 0 && seconds > 0) buffer_printf(&rate, " %.0f rows/s,", (double)rows / seconds);
    put_if(out, columns, &bar);
    if (bar.bytes + left.bytes < columns) put_if(out, columns - left.bytes, &rate);
    put_if(out, columns, &left);
    buffer_free(&left);
    buffer_free(&rate);
    buffer_free(&bar);
}

static void draw(Progress *progress, double done, uint64_t rows)
{
    int64_t now_ns = progress->clock->monotonic_ns(progress->clock->state);
    bool first = progress->drawn_ns == 0;
    if (now_ns - (first ? progress->begin_ns : progress->drawn_ns) <
        (first ? first_ns : between_ns))
        return;
    size_t columns, height;
    terminal_size(fileno(progress->file), &columns, &height);
    Buffer text = {0};
    progress_print(&text, done, rows, (double)(now_ns - progress->begin_ns) / 1e9, columns);
    fprintf(progress->file, "\r%.*s\033[K", (int)text.bytes, buffer_view(&text).data);
    fflush(progress->file);
    buffer_free(&text);
    progress->drawn_ns = now_ns;
    progress->stands = true;
}

bool progress_report(void *state, double done, uint64_t rows)
{
    Progress *progress = state;
    if (progress->file != NULL) draw(progress, done, rows);
    return progress->is_stopped();
}

void progress_end(void *state)
{
    Progress *progress = state;
    if (!progress->stands) return;
    fputs("\r\033[K", progress->file);
    fflush(progress->file);
    progress->stands = false;
}

bool progress_is_load(Str statement)
{
    Str word = format_first_word(statement);
    return str_equal_ignore_case(word, STR("COPY")) || str_equal_ignore_case(word, STR("LOAD"));
}

void progress_print_made(Buffer *out, const contextql_stats *stats)
{
    const struct {
        uint64_t count;
        const char *one, *many;
    } made[] = {{stats->nodes_created, "node", "nodes"},
                {stats->relationships_created, "edge", "edges"},
                {stats->rows_matched, "matched", "matched"}};
    double seconds = (double)stats->elapsed_ns / 1e9;
    const char *separator = "";
    for (size_t i = 0; i < sizeof made / sizeof *made; i++) {
        if (made[i].count == 0) continue;
        buffer_printf(out, "%s%llu %s", separator, (unsigned long long)made[i].count,
                      made[i].count == 1 ? made[i].one : made[i].many);
        separator = ", ";
    }
    if (separator[0] == '\0') return;
    buffer_printf(out, " in %.3g s", seconds);
    separator = " (";
    for (size_t i = 0; seconds > 0 && i < sizeof made / sizeof *made; i++) {
        if (made[i].count == 0) continue;
        buffer_printf(out, "%s%.0f %s/s", separator, (double)made[i].count / seconds, made[i].many);
        separator = ", ";
    }
    buffer_text(out, seconds > 0 ? ")\n" : "\n");
}
