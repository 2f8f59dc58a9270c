/*
 * copy.c - COPY :Label FROM file, COPY [:TYPE] FROM file.
 *
 * The file is read twice when it holds text: once to find the type that fits every cell of a column
 * (the first of INTEGER, FLOAT, BOOLEAN, STRING; a leading zero means STRING), once to load.
 * Everything happens in the statement's transaction, so a row that does not fit leaves nothing
 * behind, unless on_error is 'skip'.
 */
#include "config.h"

#include "execution/files.h"
#include "execution/operator_internal.h"
#include "execution/rowfile.h"
#include <stdio.h>

typedef enum CellType { CELL_INTEGER, CELL_FLOAT, CELL_BOOLEAN, CELL_STRING } CellType;

typedef struct CopyColumn {
    Str file_name, name; /* in the file; ours (bytes 0: dropped) */
    CellType type;
    bool seen;    /* a cell that is not null */
    bool value;   /* values come typed (JSON lines, vectors): no conversion */
    uint32_t key; /* property, resolved at the first use */
} CopyColumn;

typedef struct Copy {
    Arena *arena, *row_arena;
    const Plan *plan;
    const ExecutionEnvironment *environment;
    GraphWriter *writer;
    const char *path;
    Value options;
    CopyColumn *columns;
    size_t column_count;
    Str key, label_column, type_column;
    bool skip_errors;
    uint64_t read, created, matched, skipped;
    uint32_t label;
    const GraphIndex *index, *from_index, *to_index;
    Str from_column, to_column;
    Neighbors found;
} Copy;

/* ---- options ---- */

static const Value *option(const Copy *copy, const char *name)
{
    return copy->options.kind == VALUE_MAP ? value_map_get(copy->options, str_from(name)) : NULL;
}

static Str text_option(const Copy *copy, const char *name)
{
    const Value *found = option(copy, name);
    return found != NULL && found->kind == VALUE_STRING ? value_text(*found) : STR("");
}

static Error *check_options(const Copy *copy)
{
    static const char *const known[] = {"key",         "from",   "to",         "header",
                                        "delimiter",   "quote",  "null",       "label_column",
                                        "type_column", "rename", "on_error",   "skip",
                                        "limit",       "type",   "dimensions", "format"};
    for (uint32_t i = 0; copy->options.kind == VALUE_MAP && i < copy->options.aux; i++) {
        Str name = copy->options.as.entries[i].key;
        bool good = false;
        const char *nearest = NULL;
        for (size_t k = 0; k < sizeof known / sizeof *known; k++) {
            good = good || str_equal(name, str_from(known[k]));
            if (str_distance(name, str_from(known[k]), 2) <= 2) nearest = known[k];
        }
        if (good) continue;
        Error *error = error_new(ERROR_UNKNOWN_OPTION, "no such option: %.*s", STR_ARG(name));
        return nearest == NULL ? error : error_hint(error, "did you mean %s?", nearest);
    }
    return NULL;
}

static Str renamed(const Copy *copy, Str column)
{
    const Value *map = option(copy, "rename");
    const Value *to = map != NULL && map->kind == VALUE_MAP ? value_map_get(*map, column) : NULL;
    if (to == NULL) return column;
    return to->kind == VALUE_STRING ? value_text(*to) : (Str){"", 0};
}

/* ---- columns and their types ---- */

static CopyColumn *column_of(Copy *copy, Str file_name)
{
    for (size_t i = 0; i < copy->column_count; i++)
        if (str_equal(copy->columns[i].file_name, file_name)) return &copy->columns[i];
    CopyColumn *larger = arena_array(copy->arena, CopyColumn, copy->column_count + 1);
    if (copy->column_count > 0) memcpy(larger, copy->columns, copy->column_count * sizeof *larger);
    copy->columns = larger;
    CopyColumn *column = &copy->columns[copy->column_count++];
    *column =
        (CopyColumn){.file_name = str_copy(copy->arena, file_name), .key = GRAPH_NAME_UNKNOWN};
    column->name = renamed(copy, column->file_name);
    return column;
}

static bool fits(CellType type, Str text)
{
    int64_t integer;
    double number;
    Str digits =
        text.bytes > 0 && text.data[0] == '-' ? (Str){text.data + 1, text.bytes - 1} : text;
    bool padded = digits.bytes > 1 && digits.data[0] == '0' && digits.data[1] != '.';
    if (type == CELL_INTEGER)
        return !padded && text.data[0] != '+' && integer_parse(text, &integer);
    if (type == CELL_FLOAT) return !padded && float_parse(text, &number);
    if (type == CELL_BOOLEAN)
        return str_equal_ignore_case(text, STR("true")) ||
               str_equal_ignore_case(text, STR("false"));
    return true;
}

static void widen(CopyColumn *column, Value cell)
{
    if (cell.kind == VALUE_NULL) return;
    if (cell.kind != VALUE_STRING) {
        column->value = true;
        return;
    }
    if (!column->seen) column->type = CELL_INTEGER;
    column->seen = true;
    while (column->type != CELL_STRING && !fits(column->type, value_text(cell)))
        column->type = column->type == CELL_INTEGER ? CELL_FLOAT
                       : column->type == CELL_FLOAT && !fits(CELL_BOOLEAN, value_text(cell))
                           ? CELL_STRING
                           : column->type + 1;
}

/* A column of numbers that meets a boolean, or the other way round, is text: types are found anew
 * for such a file. */
static Error *infer(Copy *copy)
{
    RowFile *file;
    Value row;
    TRY(rowfile_open(copy->path, copy->options, &file));
    Error *error = NULL;
    while ((error = rowfile_next(file, copy->row_arena, &row)) == NULL && row.kind == VALUE_MAP) {
        for (uint32_t i = 0; i < row.aux; i++)
            widen(column_of(copy, row.as.entries[i].key), row.as.entries[i].value);
        arena_reset(copy->row_arena);
    }
    rowfile_close(file);
    if (error != NULL && copy->skip_errors) { /* told again, row by row, when loading */
        error_drop(error);
        error = NULL;
    }
    for (size_t i = 0; i < copy->column_count; i++)
        if (!copy->columns[i].seen) copy->columns[i].type = CELL_STRING;
    return error;
}

static bool converted(const CopyColumn *column, Value cell, Value *out)
{
    int64_t integer = 0;
    double number = 0;
    *out = cell;
    if (cell.kind != VALUE_STRING || column->value || column->type == CELL_STRING) return true;
    if (!fits(column->type, value_text(cell))) return false;
    if (column->type == CELL_INTEGER)
        integer_parse(value_text(cell), &integer), *out = value_integer(integer);
    if (column->type == CELL_FLOAT)
        float_parse(value_text(cell), &number), *out = value_float(number);
    if (column->type == CELL_BOOLEAN) *out = value_boolean((value_text(cell).data[0] | 32) == 't');
    return true;
}

/* ---- rows ---- */

static Error *set_cell(Copy *copy, ValueKind kind, uint64_t id, CopyColumn *column, Value value)
{
    Value stored;
    if (value.kind == VALUE_NULL) return NULL;
    TRY(storable(value, &stored));
    if (column->key == GRAPH_NAME_UNKNOWN)
        column->key = graph_name_intern(copy->writer, NAME_KEY, column->name);
    graph_set_property(copy->writer, kind, id, column->key, stored);
    return NULL;
}

static Error *find_key(Copy *copy, const GraphIndex *index, Value key, uint64_t *out, bool *found)
{
    GraphView view = graph_writer_view(copy->writer);
    copy->found.count = 0;
    graph_seek(&view, index, key, &copy->found);
    *found = copy->found.count > 0;
    if (*found) *out = copy->found.nodes[0];
    return NULL;
}

static Value cell_named(Copy *copy, const Value *cells, Str name, bool *there)
{
    *there = false;
    for (size_t i = 0; i < copy->column_count; i++)
        if (str_equal(copy->columns[i].name, name)) return *there = true, cells[i];
    return value_null();
}

static Error *copy_node(Copy *copy, const Value *cells)
{
    uint64_t id;
    bool found = false, there;
    if (copy->key.bytes > 0) {
        Value key = cell_named(copy, cells, copy->key, &there);
        if (key.kind == VALUE_NULL)
            return error_new(ERROR_BAD_FILE, "the key %.*s is empty", STR_ARG(copy->key));
        TRY(find_key(copy, copy->index, key, &id, &found));
    }
    if (found)
        copy->matched++;
    else {
        TRY(graph_create_node(copy->writer, &copy->label, 1, &id));
        copy->created++;
    }
    if (copy->label_column.bytes > 0) {
        Value label = cell_named(copy, cells, copy->label_column, &there);
        if (label.kind == VALUE_STRING)
            graph_add_label(copy->writer, id,
                            graph_name_intern(copy->writer, NAME_LABEL, value_text(label)));
    }
    for (size_t i = 0; i < copy->column_count; i++)
        if (copy->columns[i].name.bytes > 0)
            TRY(set_cell(copy, VALUE_NODE, id, &copy->columns[i], cells[i]));
    return NULL;
}

static Error *end_node(Copy *copy, const GraphIndex *index, const Value *cells, Str column,
                       uint64_t *out)
{
    bool there, found;
    Value key = cell_named(copy, cells, column, &there);
    if (key.kind == VALUE_NULL)
        return error_new(ERROR_BAD_FILE, "the end %.*s is empty", STR_ARG(column));
    TRY(find_key(copy, index, key, out, &found));
    if (found) return NULL;
    Buffer text = {0};
    value_print(&text, key, true);
    Error *error = error_new(ERROR_BAD_FILE, "no node has %.*s = %s", STR_ARG(column), text.data);
    buffer_free(&text);
    return error;
}

static Error *copy_relationship(Copy *copy, const Value *cells)
{
    uint64_t from, to, id;
    bool there;
    Str type = copy->plan->name;
    TRY(end_node(copy, copy->from_index, cells, copy->from_column, &from));
    TRY(end_node(copy, copy->to_index, cells, copy->to_column, &to));
    Value named = cell_named(copy, cells, copy->type_column, &there);
    if (copy->type_column.bytes > 0 && named.kind == VALUE_STRING) type = value_text(named);
    TRY(graph_create_relationship(copy->writer, graph_name_intern(copy->writer, NAME_TYPE, type),
                                  from, to, &id));
    copy->created++;
    for (size_t i = 0; i < copy->column_count; i++) {
        Str name = copy->columns[i].name;
        bool property = name.bytes > 0 && !str_equal(name, copy->from_column) &&
                        !str_equal(name, copy->to_column) && !str_equal(name, copy->type_column);
        if (property) TRY(set_cell(copy, VALUE_RELATIONSHIP, id, &copy->columns[i], cells[i]));
    }
    return NULL;
}

static Error *copy_row(Copy *copy, Value row)
{
    Value *cells = arena_array(copy->row_arena, Value, copy->column_count + 1);
    for (size_t i = 0; i < copy->column_count; i++) {
        const Value *cell = value_map_get(row, copy->columns[i].file_name);
        if (!converted(&copy->columns[i], cell == NULL ? value_null() : *cell, &cells[i]))
            return error_new(ERROR_BAD_FILE, "%.*s does not fit its column",
                             STR_ARG(copy->columns[i].name));
    }
    return copy->plan->statement == STATEMENT_COPY_NODES ? copy_node(copy, cells)
                                                         : copy_relationship(copy, cells);
}

enum { WARNINGS_MAX = 10, REPORT_ROWS = 4096 };

/* A row that failed is taken back and counted, or ends the statement. */
static Error *row_failed(Copy *copy, const RowFile *file, Error *error, size_t savepoint)
{
    char text[512];
    if (!copy->skip_errors) {
        Error *placed = rowfile_bad(file, error_message(error));
        error_hint(placed, "USING {on_error: 'skip'} leaves such rows out");
        error_drop(error);
        return placed;
    }
    graph_rollback_to(copy->writer, savepoint);
    copy->skipped++;
    snprintf(text, sizeof text, "%s: row %llu left out: %.300s", copy->path,
             (unsigned long long)copy->read, error_message(error));
    if (copy->skipped <= WARNINGS_MAX && copy->environment->warn != NULL)
        copy->environment->warn(copy->environment->session, ERROR_ROW_SKIPPED, text, "");
    error_drop(error);
    return NULL;
}

static Error *copy_rows(Copy *copy, RowFile *file)
{
    const ExecutionEnvironment *environment = copy->environment;
    for (;;) {
        Value row;
        arena_reset(copy->row_arena);
        TRY(rowfile_next(file, copy->row_arena, &row));
        if (row.kind == VALUE_NULL) return NULL;
        copy->read++;
        size_t savepoint = graph_savepoint(copy->writer);
        Error *error = copy_row(copy, row);
        if (error != NULL) TRY(row_failed(copy, file, error, savepoint));
        if (copy->read % REPORT_ROWS != 0) continue;
        if (environment->interrupt != NULL &&
            environment->interrupt->stop(environment->interrupt->state))
            return error_new(ERROR_CANCELLED, "the statement was cancelled");
        if (environment->progress != NULL)
            environment->progress(environment->session, rowfile_done(file), copy->read);
    }
}

/* ---- keys ---- */

static Error *index_on(Copy *copy, Str label, Str key, const GraphIndex **out)
{
    const Graph *graph = graph_writer_view(copy->writer).graph;
    GraphIndex definition = {.label = graph_name_intern(copy->writer, NAME_LABEL, label),
                             .key = graph_name_intern(copy->writer, NAME_KEY, key)};
    *out = graph_index_on(graph, definition.label, definition.key, false);
    if (*out != NULL) return NULL;
    definition.name =
        str_from(arena_printf(copy->arena, "%.*s_%.*s", STR_ARG(label), STR_ARG(key)));
    TRY(graph_create_index(copy->writer, &definition));
    *out = graph_index_on(graph, definition.label, definition.key, false);
    return NULL;
}

static Error *end_index(Copy *copy, const char *name, const GraphIndex **out)
{
    Str end = text_option(copy, name);
    const char *dot = memchr(end.data, '.', end.bytes);
    if (dot == NULL)
        return error_hint(
            error_new(ERROR_ARGUMENT_VALUE, "COPY of relationships wants the %s end", name),
            "USING {from: 'Label.key', to: 'Label.key'}");
    Str label = {end.data, (size_t)(dot - end.data)}, key = {dot + 1, end.bytes - label.bytes - 1};
    return index_on(copy, label, key, out);
}

/* The columns named from and to, else the first two that are not the type. Maps are sorted, so
 * "first" is by name there. */
static Error *end_columns(Copy *copy)
{
    Str plain[2] = {{"", 0}, {"", 0}};
    size_t count = 0;
    bool from = false, to = false;
    for (size_t i = 0; i < copy->column_count; i++) {
        Str name = copy->columns[i].name;
        from = from || str_equal(name, STR("from"));
        to = to || str_equal(name, STR("to"));
        if (count < 2 && name.bytes > 0 && !str_equal(name, copy->type_column))
            plain[count++] = name;
    }
    copy->from_column = from ? STR("from") : plain[0];
    copy->to_column = to ? STR("to") : plain[1];
    return copy->column_count == 0 || (copy->from_column.bytes > 0 && copy->to_column.bytes > 0)
               ? NULL
               : error_new(ERROR_BAD_FILE, "%s has no two columns for the ends", copy->path);
}

static Error *prepare_keys(Copy *copy)
{
    copy->type_column = text_option(copy, "type_column");
    copy->label_column = text_option(copy, "label_column");
    copy->key = text_option(copy, "key");
    if (copy->plan->statement == STATEMENT_COPY_NODES) {
        copy->label = graph_name_intern(copy->writer, NAME_LABEL, copy->plan->name);
        return copy->key.bytes == 0 ? NULL
                                    : index_on(copy, copy->plan->name, copy->key, &copy->index);
    }
    TRY(end_index(copy, "from", &copy->from_index));
    TRY(end_index(copy, "to", &copy->to_index));
    return end_columns(copy);
}

/* ---- the statement ---- */

static Value shown_columns(const Copy *copy)
{
    static const char *const types[] = {"INTEGER", "FLOAT", "BOOLEAN", "STRING"};
    ValueEntry *entries = arena_array(copy->arena, ValueEntry, copy->column_count + 1);
    uint32_t count = 0;
    for (size_t i = 0; i < copy->column_count; i++)
        if (copy->columns[i].name.bytes > 0)
            entries[count++] =
                (ValueEntry){copy->columns[i].name,
                             value_string(str_from(
                                 copy->columns[i].value ? "ANY" : types[copy->columns[i].type]))};
    return value_map(entries, count);
}

static Error *run(Copy *copy)
{
    RowFile *file;
    TRY(check_options(copy));
    copy->skip_errors = str_equal(text_option(copy, "on_error"), STR("skip"));
    TRY(infer(copy));
    TRY(prepare_keys(copy));
    TRY(rowfile_open(copy->path, copy->options, &file));
    Error *error = copy_rows(copy, file);
    rowfile_close(file);
    return error;
}

static ExecutionStats stats_of(const Copy *copy)
{
    bool nodes = copy->plan->statement == STATEMENT_COPY_NODES;
    return (ExecutionStats){.nodes_created = nodes ? copy->created : 0,
                            .relationships_created = nodes ? 0 : copy->created,
                            .rows_read = copy->read,
                            .rows_created = copy->created,
                            .rows_matched = copy->matched,
                            .rows_skipped = copy->skipped};
}

Error *copy_from(Arena *arena, const Plan *plan, const ExecutionEnvironment *environment,
                 ExecutionTable *out)
{
    EvalContext context = {.arena = arena, .parameters = environment->parameters};
    Batch empty = {.row_count = 1, .selected_count = 1};
    Value source;
    Copy copy = {.arena = arena,
                 .plan = plan,
                 .environment = environment,
                 .writer = environment->writer,
                 .options = value_null()};
    TRY(expr_evaluate(plan->source, &context, &empty, 0, &source));
    if (plan->options != NULL)
        TRY(expr_evaluate(plan->options, &context, &empty, 0, &copy.options));
    TRY(files_path(environment, arena, source, &copy.path));
    copy.row_arena = arena_create();
    Error *error = run(&copy);
    arena_destroy(copy.row_arena);
    neighbors_free(&copy.found);
    TRY(error);
    Value *row = arena_array(arena, Value, 5);
    row[0] = value_integer((int64_t)copy.read), row[1] = value_integer((int64_t)copy.created),
    row[2] = value_integer((int64_t)copy.matched);
    row[3] = value_integer((int64_t)copy.skipped), row[4] = shown_columns(&copy);
    *out = (ExecutionTable){row, 1, 5, stats_of(&copy)};
    return NULL;
}
