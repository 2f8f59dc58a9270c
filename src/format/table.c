/*
 * table.c - results as tables, plain or in boxes.
 *
 * A column is as wide as its widest cell, so all rows are kept until the end. On a terminal a table
 * is cut to fit: wide cells end in an ellipsis, columns and rows that have no place are counted
 * below, never left out silently. What goes into a file or a pipe is whole.
 */
#include "config.h"

#include "editor/glyph.h"
#include "editor/terminal.h"
#include "format/format_internal.h"
#include "format/value_text.h"
#include <unistd.h>

enum {
    SCORE_COLUMNS = 8,         /* of the bar behind a score */
    CELL_COLUMNS_MIN = 8,      /* a column is not made narrower to fit, rather left out */
    PAGE_ROWS_MAX = 100000,    /* kept for a person to look through: nobody reads more */
    PAGE_BYTES_MAX = 64 << 20, /* of their text */
    FRAME_ROWS = 7 /* of the screen around a table: prompts, names, what is said below */
};

struct Table {
    Buffer text; /* cells, one behind the other; the first row has the names */
    size_t *ends, end_count, end_capacity;
    bool *nulls; /* a cell a bool, as many as `ends` */
    size_t null_capacity;
    size_t *widths;        /* of the rows that are shown */
    bool *scores;          /* columns of scores: a bar stands behind each number */
    double *best;          /* of each of them the highest */
    bool *numbers;         /* columns that hold numbers only: set to the right */
    size_t columns, shown; /* `shown`: how many of them fit */
    bool box, cut;
    const Theme *theme;
    const Output *output;
};

typedef struct Lines { /* what a table is drawn with */
    const char *left, *between, *right, *dash;
    const char *rule_left, *rule_between, *rule_right;
} Lines;

static const Lines plain_lines = {"", " | ", "", "-", "", "-+-", ""};
static const Lines box_lines = {"\u2502 ", " \u2502 ", " \u2502", "\u2500", NULL, NULL, NULL};

/* ---- taking rows in ---- */

Table *table_open(const Output *output, size_t columns)
{
    Table *table = mem_calloc(1, sizeof *table);
    table->output = output;
    table->columns = columns;
    table->cut = output->terminal && !output->to_file;
    table->theme = output->to_file ? NULL : output->theme;
    table->widths = mem_calloc(columns, sizeof *table->widths);
    table->numbers = mem_calloc(columns, sizeof *table->numbers);
    table->scores = mem_calloc(columns, sizeof *table->scores);
    table->best = mem_calloc(columns, sizeof *table->best);
    for (size_t c = 0; c < columns; c++)
        table->numbers[c] = true;
    return table;
}

Buffer *table_cell(Table *table)
{
    return &table->text;
}

/* Line breaks would break the table, and other controls the terminal. */
void table_end_cell(Table *table, bool null, bool number)
{
    size_t column = table->end_count % table->columns,
           from = table->end_count == 0 ? 0 : table->ends[table->end_count - 1];
    for (size_t i = from; i < table->text.bytes; i++) {
        unsigned char c = (unsigned char)table->text.data[i];
        if (c < 0x20 || c == 0x7f)
            table->text.data[i] = c == '\n' || c == '\t' || c == '\r' ? ' ' : '?';
    }
    mem_reserve(table->ends, table->end_capacity, table->end_count + 1);
    mem_reserve(table->nulls, table->null_capacity, table->end_count + 1);
    bool name = table->end_count < table->columns;
    table->numbers[column] = table->numbers[column] && (number || null || name);
    table->nulls[table->end_count] = null;
    table->ends[table->end_count++] = table->text.bytes;
}

/* "score", "rank_score" */
static bool is_score(Str name)
{
    Str end = STR("score");
    if (name.bytes < end.bytes) return false;
    name.data += name.bytes - end.bytes;
    name.bytes = end.bytes;
    return str_equal_ignore_case(name, end);
}

void table_begin(Result *result)
{
    Table *table = table_open(result->output, result->columns);
    result->state = table;
    for (size_t c = 0; c < table->columns; c++) {
        const char *name = contextql_column_name(result->statement, (int)c);
        buffer_text(&table->text, name);
        table->scores[c] = table->cut && is_score(str_from(name));
        table_end_cell(table, false, true);
    }
}

void table_row(Result *result)
{
    Table *table = result->state;
    uint64_t rows_max = result->output->rows_max;
    bool paged = result->output->page != NULL;
    if (table->cut && rows_max > 0 && result->rows >= rows_max &&
        (!paged || result->rows >= PAGE_ROWS_MAX || table->text.bytes > PAGE_BYTES_MAX))
        return;
    for (size_t c = 0; c < table->columns; c++) {
        const contextql_value *value = contextql_column(result->statement, (int)c);
        contextql_type type = contextql_value_type(value);
        value_text(&table->text, value, table->cut ? VALUE_SHORT : VALUE_PLAIN);
        table_end_cell(table, type == CONTEXTQL_NULL,
                       type == CONTEXTQL_INTEGER || type == CONTEXTQL_FLOAT);
    }
}

/* ---- fitting ---- */

static Str cell_text(const Table *table, size_t cell)
{
    size_t from = cell == 0 ? 0 : table->ends[cell - 1];
    return (Str){table->text.data == NULL ? "" : table->text.data + from, table->ends[cell] - from};
}

/* Bars want numbers, and one above zero. */
static void measure_scores(Table *table, size_t rows)
{
    for (size_t c = 0; c < table->columns; c++) {
        double number;
        table->best[c] = 0;
        for (size_t row = 1; row <= rows && table->scores[c] && table->numbers[c]; row++)
            if (float_parse(cell_text(table, row * table->columns + c), &number) &&
                number > table->best[c])
                table->best[c] = number;
        table->scores[c] = table->scores[c] && table->best[c] > 0;
    }
}

/* Every column as wide as its widest cell in the names and the first `rows` rows. */
static void measure(Table *table, size_t rows)
{
    memset(table->widths, 0, table->columns * sizeof *table->widths);
    measure_scores(table, rows);
    for (size_t i = 0; i < (rows + 1) * table->columns; i++) {
        size_t width = glyph_width(cell_text(table, i));
        if (width > table->widths[i % table->columns]) table->widths[i % table->columns] = width;
    }
    for (size_t c = 0; c < table->columns; c++)
        table->widths[c] += table->scores[c] ? SCORE_COLUMNS + 1 : 0;
}

static size_t width_with(const Table *table, size_t widest)
{
    size_t sum = table->box ? 4 : 0;
    for (size_t c = 0; c < table->shown; c++)
        sum += (table->widths[c] < widest ? table->widths[c] : widest) + (c > 0 ? 3 : 0);
    return sum;
}

/* Makes the widest columns narrower, all to the same width, as little as will do. */
static void fit(Table *table, size_t columns)
{
    for (size_t c = 0; c < table->columns; c++) { /* bars are the first to go */
        table->widths[c] -= table->scores[c] ? SCORE_COLUMNS + 1 : 0;
        table->scores[c] = false;
    }
    table->shown = table->columns;
    if (width_with(table, SIZE_MAX) <= columns) return;
    while (table->shown > 1 && width_with(table, CELL_COLUMNS_MIN) > columns)
        table->shown--;
    size_t low = 1, high = columns; /* `low` fits, or nothing does */
    while (low < high) {
        size_t middle = (low + high + 1) / 2;
        if (width_with(table, middle) <= columns)
            low = middle;
        else
            high = middle - 1;
    }
    for (size_t c = 0; c < table->shown; c++)
        if (table->widths[c] > low) table->widths[c] = low;
}

/* ---- drawing ---- */

static void put_blanks(Buffer *out, size_t count)
{
    for (size_t i = 0; i < count; i++)
        buffer_char(out, ' ');
}

/* At most `width` columns of `text`: cut at a character, with an ellipsis. */
static void put_cut(Buffer *out, Str text, size_t width)
{
    size_t at = 0, used = 0;
    while (at < text.bytes) {
        size_t next = at, glyph = glyph_next(text, &next);
        if (used + glyph > width - 1) break;
        used += glyph;
        at = next;
    }
    buffer_append(out, text.data, at);
    buffer_text(out, "\u2026");
    put_blanks(out, width - used - 1);
}

static void put_score(const Table *table, size_t column, Str text, Buffer *out)
{
    double number;
    Buffer bar = {0};
    if (float_parse(text, &number))
        value_text_bar(&bar, number / table->best[column], SCORE_COLUMNS);
    size_t used = utf8_count(buffer_view(&bar));
    buffer_char(out, ' ');
    buffer_str(out, buffer_view(&bar));
    put_blanks(out, SCORE_COLUMNS - used);
    buffer_free(&bar);
}

static void put_cell(const Table *table, size_t cell, bool last, Buffer *out)
{
    size_t column = cell % table->columns;
    Str text = cell_text(table, cell);
    bool header = cell < table->columns, right = table->numbers[column] && !header;
    size_t width = table->widths[column], own = glyph_width(text);
    if (table->scores[column]) width -= SCORE_COLUMNS + 1;
    bool styled = header || table->nulls[cell];
    ThemePart part = header ? THEME_NAME : THEME_NOTHING;
    const Theme *theme = styled ? table->theme : NULL;
    size_t blanks = own < width ? width - own : 0;
    if (right) put_blanks(out, blanks);
    theme_begin(theme, part, out);
    if (own > width)
        put_cut(out, text, width);
    else
        buffer_str(out, text);
    theme_end(theme, part, out);
    bool padded = !right && (!last || table->box || table->scores[column]);
    if (padded) put_blanks(out, blanks);
    if (table->scores[column] && header && (!last || table->box))
        put_blanks(out, SCORE_COLUMNS + 1);
    else if (table->scores[column] && !header)
        put_score(table, column, text, out);
}

static void put_rule(const Table *table, const char *left, const char *between, const char *right,
                     const char *dash, Buffer *out)
{
    buffer_text(out, left);
    for (size_t c = 0; c < table->shown; c++) {
        if (c > 0) buffer_text(out, between);
        for (size_t i = 0; i < table->widths[c]; i++)
            buffer_text(out, dash);
    }
    buffer_text(out, right);
    buffer_char(out, '\n');
}

/* The names and the first `rows` rows. */
static void put_cells(const Table *table, const Lines *lines, size_t rows, Buffer *out)
{
    for (size_t row = 0; row < (rows + 1) * table->columns; row += table->columns) {
        buffer_text(out, lines->left);
        for (size_t c = 0; c < table->shown; c++) {
            if (c > 0) buffer_text(out, lines->between);
            put_cell(table, row + c, c + 1 == table->shown, out);
        }
        size_t last = row + table->shown - 1;
        bool empty = cell_text(table, last).bytes == 0;
        while (empty && !table->box && out->bytes > 0 && out->data[out->bytes - 1] == ' ')
            out->bytes--;
        buffer_text(out, lines->right);
        buffer_char(out, '\n');
        if (row > 0) continue;
        if (table->box)
            put_rule(table, "\u251c\u2500", "\u2500\u253c\u2500", "\u2500\u2524", lines->dash, out);
        else
            put_rule(table, lines->rule_left, lines->rule_between, lines->rule_right, lines->dash,
                     out);
    }
}

/* What the terminal had no place for. */
static void put_rest(const Table *table, uint64_t more_rows, const char *how, Buffer *out)
{
    if (more_rows > 0)
        buffer_printf(out, "\u2026 %llu more row%s (%s)\n", (unsigned long long)more_rows,
                      more_rows == 1 ? "" : "s", how);
    if (table->shown == table->columns) return;
    size_t more = table->columns - table->shown;
    buffer_printf(out, "\u2026 %zu more column%s: ", more, more == 1 ? "" : "s");
    for (size_t c = table->shown; c < table->columns; c++) {
        if (c > table->shown) buffer_text(out, ", ");
        buffer_str(out, cell_text(table, c));
    }
    buffer_char(out, '\n');
}

/* The first `shown` of `rows` rows. */
static void put_table(Table *table, size_t shown, uint64_t rows, const char *how, Buffer *out)
{
    if (table->box)
        put_rule(table, "\u250c\u2500", "\u2500\u252c\u2500", "\u2500\u2510", "\u2500", out);
    put_cells(table, table->box ? &box_lines : &plain_lines, shown, out);
    if (table->box)
        put_rule(table, "\u2514\u2500", "\u2500\u2534\u2500", "\u2500\u2518", "\u2500", out);
    put_rest(table, rows - shown, how, out);
    buffer_printf(out, "(%llu row%s)\n", (unsigned long long)rows, rows == 1 ? "" : "s");
}

/* All that was kept, as wide as it is. True: a person has looked at it. */
static bool show_page(Table *table, size_t kept, uint64_t rows)
{
    Buffer text = {0};
    const Theme *theme = table->theme;
    table->theme = NULL;
    table->shown = table->columns;
    measure(table, kept);
    put_table(table, kept, rows, "they were not kept", &text);
    while (kept == rows && text.bytes > 1 && text.data[text.bytes - 2] != '\n')
        text.bytes--; /* the pager counts the rows */
    if (kept == rows) text.bytes--;
    table->theme = theme;
    bool seen =
        table->output->page(table->output->page_state, buffer_view(&text), table->box ? 3 : 2);
    buffer_free(&text);
    return seen;
}

void table_write(Table *table, uint64_t rows, bool box, Buffer *out)
{
    size_t columns, lines, kept = table->end_count / table->columns - 1, shown = kept;
    uint64_t rows_max = table->output->rows_max;
    table->box = box;
    table->shown = table->columns;
    if (rows == 0) {
        buffer_text(out, "(no rows)\n");
        return;
    }
    terminal_size(STDOUT_FILENO, &columns, &lines);
    if (table->cut && rows_max > 0 && shown > rows_max) shown = (size_t)rows_max;
    bool tall = table->cut && kept + FRAME_ROWS > lines && lines > FRAME_ROWS;
    const char *how = ":maxrows 0 shows all";
    if (tall && table->output->page != NULL && show_page(table, kept, rows)) {
        if (shown > lines - FRAME_ROWS) shown = lines - FRAME_ROWS;
        how = ":last shows them";
    }
    measure(table, shown);
    if (table->cut && width_with(table, SIZE_MAX) > columns) fit(table, columns);
    put_table(table, shown, rows, how, out);
}

void table_close(Table *table)
{
    buffer_free(&table->text);
    mem_free(table->ends);
    mem_free(table->nulls);
    mem_free(table->widths);
    mem_free(table->numbers);
    mem_free(table->scores);
    mem_free(table->best);
    mem_free(table);
}

void table_end(Result *result, bool good)
{
    bool box = result->output->format == FORMAT_BOX;
    if (good) table_write(result->state, result->rows, box, &result->text);
    table_close(result->state);
}
