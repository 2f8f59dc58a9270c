/*
 * plan.c - EXPLAIN and PROFILE in tables: the plan as a tree, what is estimated and what came true
 * with bars.
 *
 *     plan                     | estimated | rows |        |    ms | time         | memory
 *     -------------------------+-----------+------+--------+-------+--------------+--------
 *     • Apply optional         |           |    3 | ▏      | 0.010 | ▌       10 % | 9.6 KiB
 *     ├─• Expand (a)-[:R]->(b) |           |    3 | ▏      | 0.020 | █▏      20 % |  24 KiB
 *     │ • Argument             |           |    3 | ▏      | 0.000 |          0 % | 5.4 KiB
 *     • NodeScan (a:A)         |      1000 | 1000 | ██████ | 0.070 | ████▏   70 % |  37 KiB
 *
 * An operator takes its rows from the one below it with the same bullet's column. The engine gives
 * the plan as lines, a sub-plan two blanks deeper; a chain ends with Unit or Argument. Times are
 * those of the operators alone, so they sum up; memory is the most an operator held. What went to
 * files has a column when something did.
 */
#include "config.h"

#include "format/format_internal.h"
#include "format/value_text.h"

enum { ROWS_COLUMNS = 6, TIME_COLUMNS = 6 };

typedef struct Line {
    Str text; /* of the arena, without its blanks */
    size_t depth;
    bool title, leaf, alone; /* of a sub-query; ends a chain; takes no rows from below */
    bool has_estimate, has_rows;
    bool has_files;
    int64_t estimated, rows, memory_bytes, file_bytes;
    double ms;
} Line;

typedef struct Drawn {
    Arena *arena;
    Line *lines;
    size_t count, capacity;
    bool profile, files;
} Drawn;

void plan_begin(Result *result)
{
    Drawn *drawn = mem_calloc(1, sizeof *drawn);
    drawn->arena = arena_create();
    drawn->profile = result->columns > 2;
    result->state = drawn;
}

static bool begins(Str text, Str with)
{
    return text.bytes >= with.bytes && memcmp(text.data, with.data, with.bytes) == 0;
}

static int64_t number_at(const Result *result, int column, bool *known)
{
    const contextql_value *value =
        (size_t)column < result->columns ? contextql_column(result->statement, column) : NULL;
    *known = value != NULL && contextql_value_type(value) == CONTEXTQL_INTEGER;
    return *known ? contextql_value_integer(value) : 0;
}

void plan_row(Result *result)
{
    Drawn *drawn = result->state;
    contextql_text text = contextql_value_string(contextql_column(result->statement, 0));
    Line line = {.text = {text.data, text.size}};
    while (line.text.bytes > 0 && line.text.data[0] == ' ')
        line.text.data++, line.text.bytes--, line.depth++;
    line.depth /= 2;
    line.title = begins(line.text, STR("Subquery "));
    line.leaf = str_equal(line.text, STR("Unit")) || str_equal(line.text, STR("Argument"));
    line.alone = begins(line.text, STR("Union"));
    line.text = str_copy(drawn->arena, line.text);
    line.estimated = number_at(result, 1, &line.has_estimate);
    line.rows = number_at(result, 2, &line.has_rows);
    if (drawn->profile) line.ms = contextql_value_float(contextql_column(result->statement, 3));
    bool has_memory; /* as it has rows */
    line.memory_bytes = number_at(result, 4, &has_memory);
    line.file_bytes = number_at(result, 5, &line.has_files);
    drawn->files = drawn->files || line.has_files;
    mem_reserve(drawn->lines, drawn->capacity, drawn->count + 1);
    drawn->lines[drawn->count++] = line;
}

/* ---- the tree ---- */

/* Does something come below line `i` that hangs on its ancestor at `level`: more of that one's
 * chain, or another sub-plan of it? */
static bool goes_on(const Drawn *drawn, size_t i, size_t level)
{
    bool ended = drawn->lines[i].depth == level + 1 && drawn->lines[i].leaf;
    for (size_t j = i + 1; j < drawn->count; j++) {
        const Line *line = &drawn->lines[j];
        if (line->depth < level || line->title) return false;
        if (line->depth == level) {
            size_t parent = i;
            while (drawn->lines[parent].depth > level)
                parent--;
            return !drawn->lines[parent].alone && !drawn->lines[parent].title;
        }
        if (line->depth == level + 1 && ended) return true;
        if (line->depth == level + 1) ended = line->leaf;
    }
    return false;
}

static bool begins_branch(const Drawn *drawn, size_t i)
{
    const Line *line = &drawn->lines[i];
    if (line->depth == 0 || i == 0) return false;
    if (drawn->lines[i - 1].depth < line->depth) return true;
    for (size_t j = i; j-- > 0 && drawn->lines[j].depth >= line->depth;)
        if (drawn->lines[j].depth == line->depth) return drawn->lines[j].leaf;
    return false;
}

static void put_tree(const Drawn *drawn, size_t i, Buffer *out)
{
    const Line *line = &drawn->lines[i];
    bool branch = begins_branch(drawn, i);
    for (size_t level = 0; level < line->depth; level++) {
        bool last = level + 1 == line->depth, more = goes_on(drawn, i, level);
        if (last && branch)
            buffer_text(out, more ? "\u251c\u2500" : "\u2514\u2500");
        else
            buffer_text(out, more ? "\u2502 " : "  ");
    }
    if (!line->title) buffer_text(out, "\u2022 ");
    buffer_str(out, line->text);
}

/* ---- the columns ---- */

static void put_number(Table *table, bool known, int64_t number)
{
    if (known) buffer_integer(table_cell(table), number);
    table_end_cell(table, !known, true);
}

static void put_bar(Table *table, double part, double whole)
{
    value_text_bar(table_cell(table), whole > 0 ? part / whole : 0, ROWS_COLUMNS);
    table_end_cell(table, false, false);
}

static void put_time(Table *table, const Line *line, double whole)
{
    Buffer *cell = table_cell(table);
    double share = whole > 0 ? line->ms / whole : 0;
    if (line->has_rows) buffer_printf(cell, "%.3f", line->ms);
    table_end_cell(table, !line->has_rows, true);
    if (!line->has_rows) {
        table_end_cell(table, true, false);
        return;
    }
    Buffer bar = {0};
    value_text_bar(&bar, share, TIME_COLUMNS);
    size_t width = utf8_count(buffer_view(&bar));
    buffer_printf(cell, "%s%*s %3.0f %%", bar.data == NULL ? "" : bar.data,
                  (int)(TIME_COLUMNS - width), "", 100 * share);
    buffer_free(&bar);
    table_end_cell(table, false, false);
}

static void put_bytes(Table *table, bool known, int64_t bytes)
{
    static const char *const units[] = {"KiB", "MiB", "GiB", "TiB"};
    double amount = (double)bytes / 1024;
    size_t unit = 0;
    while (amount >= 1000 && unit + 1 < sizeof units / sizeof *units)
        amount /= 1024, unit++;
    if (known) buffer_printf(table_cell(table), "%.*f %s", amount < 10, amount, units[unit]);
    table_end_cell(table, !known, true);
}

static Table *open_table(const Output *output, const Drawn *drawn)
{
    static const char *const names[] = {"plan", "estimated", "rows",   "",
                                        "ms",   "time",      "memory", "files"};
    size_t count = drawn->profile ? sizeof names / sizeof *names - !drawn->files : 2;
    Table *table = table_open(output, count);
    for (size_t i = 0; i < count; i++) {
        buffer_text(table_cell(table), names[i]);
        table_end_cell(table, false, true);
    }
    return table;
}

static void put_plan(const Drawn *drawn, const Output *output, Buffer *out)
{
    Table *table = open_table(output, drawn);
    double rows_max = 0, ms = 0;
    for (size_t i = 0; i < drawn->count; i++) {
        const Line *line = &drawn->lines[i];
        if ((double)line->rows > rows_max) rows_max = (double)line->rows;
        ms += line->ms;
    }
    for (size_t i = 0; i < drawn->count; i++) {
        const Line *line = &drawn->lines[i];
        put_tree(drawn, i, table_cell(table));
        table_end_cell(table, false, false);
        put_number(table, line->has_estimate, line->estimated);
        if (!drawn->profile) continue;
        put_number(table, line->has_rows, line->rows);
        put_bar(table, (double)line->rows, rows_max);
        put_time(table, line, ms);
        put_bytes(table, line->has_rows, line->memory_bytes);
        if (drawn->files) put_bytes(table, line->has_files, line->file_bytes);
    }
    table_write(table, drawn->count, output->format == FORMAT_BOX, out);
    table_close(table);
}

void plan_end(Result *result, bool good)
{
    Drawn *drawn = result->state;
    if (good) put_plan(drawn, result->output, &result->text);
    arena_destroy(drawn->arena);
    mem_free(drawn->lines);
    mem_free(drawn);
}
