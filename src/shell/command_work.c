/* command_work.c - commands that do something with a statement, or with the last result. */
#include "config.h"

#include "editor/external.h"
#include "editor/prompt.h"
#include "editor/terminal.h"
#include "format/plot.h"
#include "format/value_text.h"
#include "shell/command_internal.h"
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static Str without_word(Str text, Str word)
{
    text.data += word.bytes;
    text.bytes -= word.bytes;
    while (text.bytes > 0 && (text.data[0] == ' ' || text.data[0] == '\t'))
        text.data++, text.bytes--;
    return text;
}

static Str first_word(Str text)
{
    size_t bytes = 0;
    while (bytes < text.bytes && text.data[bytes] != ' ' && text.data[bytes] != '\t')
        bytes++;
    return (Str){text.data, bytes};
}

/* A number in front of a statement, which never begins with one. */
static bool take_number(Str *rest, double *out)
{
    Str word = first_word(*rest);
    int64_t integer;
    if (integer_parse(word, &integer))
        *out = (double)integer;
    else if (!float_parse(word, out))
        return false;
    *rest = without_word(*rest, word);
    return true;
}

Error *command_statement(const Shell *shell, Str *rest)
{
    if (rest->bytes == 0) *rest = buffer_view(&shell->last_text);
    if (rest->bytes > 0) return NULL;
    return error_hint(error_new(ERROR_MISUSE, "no statement is given"),
                      "without one the last statement at the prompt is taken");
}

/* ---- :watch ---- */

enum { WATCH_SECONDS_MAX = 86400 };

static void wait_for(double seconds)
{
    struct timespec time = {(time_t)seconds, (long)((seconds - floor(seconds)) * 1e9)};
    nanosleep(&time, NULL); /* Ctrl-C ends it */
}

Error *run_watch(const Call *call)
{
    Shell *shell = call->shell;
    Str rest = call->rest;
    double seconds = 2, times = INFINITY;
    bool clear = shell->output.terminal && !shell->output.to_file;
    if (take_number(&rest, &seconds) && (!(seconds >= 0) || seconds > WATCH_SECONDS_MAX))
        return error_new(ERROR_MISUSE, "the seconds between two runs are 0 to %d",
                         WATCH_SECONDS_MAX);
    if (take_number(&rest, &times) && !(times >= 1))
        return error_new(ERROR_MISUSE, "a statement is watched once or more often");
    TRY(command_statement(shell, &rest));
    char *text = command_path(rest);
    for (double i = 0; i < times && !run_is_interrupted(); i++) {
        if (i > 0) wait_for(seconds);
        if (run_is_interrupted()) {
            if (shell->interactive) fputc('\n', stderr); /* behind ^C */
            break;
        }
        if (clear)
            fprintf(shell->output.file, "\033[H\033[2Jevery %g s, Ctrl-C ends: %s\n", seconds,
                    text);
        if (!run_text(shell, str_from(text), "")) break;
        fflush(shell->output.file);
    }
    if (run_is_interrupted() && shell->interactive) shell->status = EXIT_GOOD;
    run_forget_interrupt();
    mem_free(text);
    return NULL;
}

/* ---- :bench ---- */

enum { BENCH_RUNS = 10, BENCH_RUNS_MAX = 1000000, BENCH_PARTS = 4 };

typedef struct Bench {
    double *ms[BENCH_PARTS]; /* parse, plan, execute, all; a run each */
    size_t runs;
    uint64_t rows;
} Bench;

static bool bench_once(Shell *shell, Str text, Bench *bench)
{
    contextql_statement *statement = NULL;
    contextql_stats stats;
    Place place = place_of("", text);
    int code = contextql_prepare(shell->session, text.data, text.bytes, &statement, NULL);
    if (code != CONTEXTQL_OK || statement == NULL) {
        if (code != CONTEXTQL_OK) run_tell_error(shell, &place);
        return false;
    }
    run_bind(shell, statement);
    run_stoppable(shell->session);
    while ((code = contextql_step(statement)) == CONTEXTQL_ROW)
        continue;
    run_stoppable(NULL);
    if (code != CONTEXTQL_DONE) run_tell_error(shell, &place);
    contextql_statement_stats(statement, &stats);
    contextql_finalize(statement);
    const double ms[BENCH_PARTS] = {
        (double)stats.parse_ns / 1e6, (double)stats.plan_ns / 1e6, (double)stats.elapsed_ns / 1e6,
        (double)(stats.parse_ns + stats.plan_ns + stats.elapsed_ns) / 1e6};
    for (size_t part = 0; part < BENCH_PARTS; part++)
        bench->ms[part][bench->runs] = ms[part];
    bench->runs++;
    bench->rows = stats.rows;
    return code == CONTEXTQL_DONE;
}

static int compare_numbers(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return a < b ? -1 : a > b;
}

static void put_float(contextql_value *map, const char *key, double number)
{
    contextql_value *value = contextql_value_new_float(round(number * 1000) / 1000);
    contextql_value_put(map, key, strlen(key), value);
    contextql_value_free(value);
}

void command_put_text(contextql_value *map, const char *key, Str text)
{
    contextql_value *value = contextql_value_new_string(text.data, text.bytes);
    if (value != NULL) contextql_value_put(map, key, strlen(key), value);
    contextql_value_free(value);
}

static void show_bench(Shell *shell, Bench *bench)
{
    static const char *const parts[BENCH_PARTS] = {"parse", "plan", "execute", "all"};
    static const char *const columns[] = {"part", "min", "median", "p95", "max", NULL};
    contextql_value *rows = contextql_value_new_list();
    for (size_t part = 0; part < BENCH_PARTS; part++) {
        double *ms = bench->ms[part];
        contextql_value *row = contextql_value_new_map();
        qsort(ms, bench->runs, sizeof *ms, compare_numbers);
        command_put_text(row, "part", str_from(parts[part]));
        put_float(row, "min", ms[0]);
        put_float(row, "median", (ms[(bench->runs - 1) / 2] + ms[bench->runs / 2]) / 2);
        put_float(row, "p95", ms[(bench->runs - 1) * 95 / 100]);
        put_float(row, "max", ms[bench->runs - 1]);
        contextql_value_append(rows, row);
        contextql_value_free(row);
    }
    command_show_rows(shell, rows, columns);
    contextql_value_free(rows);
    if (!shell->options->quiet)
        fprintf(stderr, "milliseconds; runs: %zu, rows of each: %llu\n", bench->runs,
                (unsigned long long)bench->rows);
}

Error *run_bench(const Call *call)
{
    Shell *shell = call->shell;
    Str rest = call->rest;
    double runs = BENCH_RUNS;
    Bench bench = {.runs = 0};
    if (take_number(&rest, &runs) && !(runs >= 1 && runs <= BENCH_RUNS_MAX))
        return error_new(ERROR_MISUSE, "a statement is run 1 to %d times", BENCH_RUNS_MAX);
    TRY(command_statement(shell, &rest));
    char *text = command_path(rest);
    for (size_t part = 0; part < BENCH_PARTS; part++)
        bench.ms[part] = mem_calloc((size_t)runs, sizeof *bench.ms[part]);
    bool good = true;
    for (size_t i = 0; i < (size_t)runs && good; i++)
        good = bench_once(shell, str_from(text), &bench);
    if (good) show_bench(shell, &bench);
    for (size_t part = 0; part < BENCH_PARTS; part++)
        mem_free(bench.ms[part]);
    mem_free(text);
    return NULL;
}

/* ---- :plot ---- */

enum { PLOT_ROWS = 16, PLOT_COLUMNS_MAX = 100 };

/* A number, or a moment as seconds or days. */
static bool number_of(const contextql_value *value, double *out)
{
    contextql_temporal moment;
    contextql_type type = contextql_value_type(value);
    if (type == CONTEXTQL_INTEGER || type == CONTEXTQL_FLOAT) {
        *out = contextql_value_float(value);
        return isfinite(*out);
    }
    if (type != CONTEXTQL_TEMPORAL || !contextql_value_temporal(value, &moment)) return false;
    *out = (double)moment.days;
    if (moment.kind == CONTEXTQL_DATE) return true;
    *out = (double)(moment.days * 86400 + moment.seconds - moment.offset_seconds) +
           (double)moment.nanoseconds / 1e9;
    return moment.kind != CONTEXTQL_DURATION;
}

typedef struct Points {
    Arena *arena; /* of labels */
    PlotPoint *points;
    size_t count, left_out;
    bool bars;
} Points;

static const contextql_value *cell(const Last *last, const contextql_value *row, size_t column)
{
    return contextql_value_get(row, last->columns[column]);
}

static void take_point(Points *points, const contextql_value *x, const contextql_value *y)
{
    PlotPoint point = {.x = 0};
    Buffer label = {0};
    bool good = x != NULL && y != NULL && number_of(y, &point.y) &&
                (points->bars ? contextql_value_type(x) != CONTEXTQL_NULL : number_of(x, &point.x));
    if (good) {
        value_text(&label, x, VALUE_PLAIN);
        point.label = str_copy(points->arena, buffer_view(&label));
        points->points[points->count++] = point;
    }
    points->left_out += !good;
    buffer_free(&label);
}

static void take_points(const Last *last, Points *points)
{
    size_t count = contextql_value_count(last->rows);
    double number;
    points->points = mem_calloc(count + 1, sizeof *points->points);
    for (size_t i = 0; i < count && !points->bars; i++) {
        const contextql_value *x = cell(last, contextql_value_at(last->rows, i, NULL), 0);
        contextql_type type = x == NULL ? CONTEXTQL_NULL : contextql_value_type(x);
        points->bars = type != CONTEXTQL_NULL && type != CONTEXTQL_FLOAT && !number_of(x, &number);
    }
    for (size_t i = 0; i < count; i++) {
        const contextql_value *row = contextql_value_at(last->rows, i, NULL);
        take_point(points, cell(last, row, 0), cell(last, row, 1));
    }
}

static Error *write_plot(Shell *shell, const Plot *plot, const char *path)
{
    Buffer out = {0};
    size_t columns, rows;
    terminal_size(STDOUT_FILENO, &columns, &rows);
    if (columns > PLOT_COLUMNS_MAX) columns = PLOT_COLUMNS_MAX;
    if (path == NULL)
        plot_text(&out, plot, columns, PLOT_ROWS < rows - 4 || rows < 8 ? PLOT_ROWS : rows - 4);
    else
        plot_svg(&out, plot);
    FILE *file = path == NULL ? shell->output.file : fopen(path, "w");
    Error *error = file == NULL ? error_errno(ERROR_IO, errno, "the file %s", path) : NULL;
    if (file != NULL) fwrite(out.data, 1, out.bytes, file);
    if (file != NULL && path != NULL && (ferror(file) | fclose(file)) != 0)
        error = error_errno(ERROR_IO, errno, "the file %s", path);
    buffer_free(&out);
    return error;
}

static Error *plot_last(Shell *shell, const char *path)
{
    const Last *last = &shell->last;
    if (last->rows == NULL)
        return error_hint(error_new(ERROR_MISUSE, "there is no result yet"),
                          ":plot [FILE.svg] [STATEMENT]");
    if (last->column_count != 2)
        return error_hint(error_new(ERROR_MISUSE, "a plot wants two columns, the result has %zu",
                                    last->column_count),
                          "RETURN x, y: y a number, x a number or a name");
    Points points = {.arena = arena_create()};
    take_points(last, &points);
    Plot plot = {.points = points.points,
                 .count = points.count,
                 .bars = points.bars,
                 .x_name = str_from(last->columns[0]),
                 .y_name = str_from(last->columns[1])};
    Error *error = points.count > 0
                       ? write_plot(shell, &plot, path)
                       : error_hint(error_new(ERROR_MISUSE, "the result has no numbers to plot"),
                                    "RETURN x, y: y a number, x a number or a name");
    uint64_t kept = contextql_value_count(last->rows);
    if (error == NULL && points.left_out > 0)
        fprintf(stderr, "rows without a number are left out: %zu\n", points.left_out);
    if (error == NULL && kept < last->row_count)
        fprintf(stderr, "of %llu rows the first %llu were kept\n",
                (unsigned long long)last->row_count, (unsigned long long)kept);
    mem_free(points.points);
    arena_destroy(points.arena);
    return error;
}

Error *run_plot(const Call *call)
{
    Shell *shell = call->shell;
    Str rest = call->rest, word = first_word(rest);
    bool file = word.bytes > 4 && memcmp(word.data + word.bytes - 4, ".svg", 4) == 0;
    if (file) TRY(command_refuse_if_safe(shell));
    if (file) rest = without_word(rest, word);
    if (rest.bytes > 0 && !run_kept(shell, rest)) return NULL; /* what failed was told */
    char *path = file ? command_path(word) : NULL;
    Error *error = plot_last(shell, path);
    mem_free(path);
    return error;
}

/* ---- :copy ---- */

enum {
    COPY_BYTES_MAX = 74994
}; /* a sequence of 100,000 bytes is the most that xterm and others take */

static void put_base64(Buffer *out, Str text)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < text.bytes; i += 3) {
        uint32_t bits = 0;
        for (size_t k = 0; k < 3; k++)
            bits = bits << 8 | (i + k < text.bytes ? (unsigned char)text.data[i + k] : 0);
        for (size_t k = 0; k < 4; k++)
            buffer_char(out, i + k <= text.bytes ? digits[bits >> (18 - 6 * k) & 63] : '=');
    }
}

/* The last result as a text in a format. */
static Error *render_last(Shell *shell, Format format, char **text, size_t *bytes)
{
    Output before = shell->output;
    FILE *file = open_memstream(text, bytes);
    if (file == NULL) return error_errno(ERROR_IO, errno, "the text to copy");
    shell->output = (Output){.file = file, .format = format, .to_file = true};
    Call call = {.shell = shell};
    Error *error = run_last(&call);
    shell->output = before;
    if (fclose(file) != 0 && error == NULL)
        error = error_errno(ERROR_IO, errno, "the text to copy");
    return error;
}

Error *run_copy(const Call *call)
{
    Shell *shell = call->shell;
    Format format = FORMAT_TSV;
    char *text = NULL;
    size_t bytes = 0;
    if (call->rest.bytes > 0) TRY(command_format(call->rest, &format));
    if (!shell->output.terminal)
        return error_new(ERROR_MISUSE, "there is no terminal to whose clipboard to copy");
    Error *error = render_last(shell, format, &text, &bytes);
    if (error == NULL && bytes > COPY_BYTES_MAX)
        error = error_hint(error_new(ERROR_TOO_LONG, "the result has %zu bytes, terminals take %d",
                                     bytes, COPY_BYTES_MAX),
                           ":output FILE, then :last");
    if (error == NULL) {
        Buffer sequence = {0};
        buffer_text(&sequence, "\033]52;c;");
        put_base64(&sequence, (Str){text, bytes});
        printf("%s\acopied: %zu bytes of %s\n", sequence.data, bytes, format_name(format));
        buffer_free(&sequence);
    }
    free(text); /* of open_memstream */
    return error;
}

/* ---- :edit ---- */

Error *run_edit(const Call *call)
{
    Shell *shell = call->shell;
    Buffer text = {0};
    if (shell->options->safe) return error_new(ERROR_READ_ONLY, "--safe allows no programs");
    if (shell->prompt == NULL) return error_new(ERROR_MISUSE, "there is no prompt to edit at");
    buffer_str(&text, call->rest.bytes > 0 ? call->rest : buffer_view(&shell->last_text));
    fflush(shell->output.file);
    Error *error = external_edit(&text);
    if (error == NULL) prompt_begin_with(shell->prompt, buffer_view(&text));
    buffer_free(&text);
    return error;
}
