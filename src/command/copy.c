/*
 * copy.c - COPY :Label FROM file, COPY [:TYPE] FROM file: columns, types, keys. How rows come is in
 * copy_chunks.c, what becomes of them in copy_rows.c.
 *
 * A column has the first type of INTEGER, FLOAT, BOOLEAN, STRING that fits every cell (a leading
 * zero means STRING). The types that fit the first chunk are taken for those of the file; a later
 * cell that does not fit shows that they are not, then what was made is taken back, the whole file
 * is looked at, and loaded again. So most files are read once. JSON lines, where every row may have
 * other columns, are always looked at first.
 *
 * Everything happens in the statement's transaction, so a row that does not fit leaves nothing
 * behind, unless on_error is 'skip'.
 */
#include "config.h"

#include "command/command_internal.h"
#include "command/copy_internal.h"

/* ---- options ---- */

static const Value *option(const Copy *copy, const char *name)
{
    const Value *found =
        copy->options.kind == VALUE_MAP ? value_map_get(copy->options, str_from(name)) : NULL;
    return found != NULL && found->kind == VALUE_NULL ? NULL : found;
}

static Str text_option(const Copy *copy, const char *name)
{
    const Value *found = option(copy, name);
    return found != NULL && found->kind == VALUE_STRING ? value_text(*found) : STR("");
}

static Str renamed(const Copy *copy, Str column)
{
    const Value *map = option(copy, "rename");
    const Value *to = map != NULL && map->kind == VALUE_MAP ? value_map_get(*map, column) : NULL;
    if (to == NULL) return column;
    return to->kind == VALUE_STRING ? value_text(*to) : (Str){"", 0};
}

/* ---- columns and their types ---- */

/* USING {types: {column: 'TYPE'}}, by the name after renaming. */
static Error *check_types(const Copy *copy)
{
    const Value *map = option(copy, "types");
    if (map == NULL) return NULL;
    for (uint32_t i = 0; i < map->aux; i++) {
        const ValueEntry *entry = &map->as.entries[i];
        CellCast cast;
        if (entry->value.kind == VALUE_STRING && cell_cast_parse(value_text(entry->value), &cast))
            continue;
        return error_hint(error_new(ERROR_ARGUMENT_VALUE, "no such type for the column %.*s",
                                    STR_ARG(entry->key)),
                          "INTEGER, FLOAT, BOOLEAN, STRING, DATE, LOCALTIME, TIME, LOCALDATETIME, "
                          "DATETIME, DURATION, LIST<..>, VECTOR(n)");
    }
    return NULL;
}

/* An option names a column that must be there, where there are any. */
static Error *check_column(const Copy *copy, Str name)
{
    bool there =
        name.bytes == 0 || copy->column_count == 0 || copy_column_named(copy, name) != NULL;
    return there ? NULL
                 : error_hint(error_new(ERROR_BAD_FILE, "%s has no column %.*s", copy->path,
                                        STR_ARG(name)),
                              "columns go by their names after rename");
}

/* Every column that a type was named for must be there. */
static Error *check_typed_columns(const Copy *copy)
{
    const Value *map = option(copy, "types");
    for (uint32_t i = 0; map != NULL && copy->column_count > 0 && i < map->aux; i++)
        TRY(check_column(copy, map->as.entries[i].key));
    return NULL;
}

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
    const Value *types = option(copy, "types");
    const Value *type = types == NULL ? NULL : value_map_get(*types, column->name);
    if (type != NULL) cell_cast_parse(value_text(*type), &column->cast);
    return column;
}

static void widen(CopyColumn *column, Value cell)
{
    Value parsed;
    if (cell.kind == VALUE_NULL || column->cast.kind != VALUE_NULL) return;
    if (cell.kind != VALUE_STRING) {
        column->mixed = column->mixed || (column->value && column->kind != (ValueKind)cell.kind);
        column->kind = (ValueKind)cell.kind;
        column->value = true;
        return;
    }
    if (!column->seen) column->type = CELL_INTEGER;
    column->seen = true;
    while (column->type != CELL_STRING && !copy_parse_cell(column->type, value_text(cell), &parsed))
        column->type = column->type == CELL_INTEGER ? CELL_FLOAT
                       : column->type == CELL_FLOAT &&
                               !copy_parse_cell(CELL_BOOLEAN, value_text(cell), &parsed)
                           ? CELL_STRING
                           : column->type + 1;
}

static void widen_chunk(Copy *copy, const RowChunk *chunk)
{
    for (uint32_t c = 0; c < chunk->column_count; c++) {
        CopyColumn *column = column_of(copy, chunk->columns[c]);
        for (uint32_t r = 0; r < chunk->row_count; r++)
            widen(column, chunk->cells[r * (size_t)chunk->column_count + c]);
    }
}

static void end_types(Copy *copy)
{
    for (size_t i = 0; i < copy->column_count; i++)
        if (!copy->columns[i].seen) copy->columns[i].type = CELL_STRING;
}

static Error *infer_rows(Copy *copy, RowFile *file)
{
    Value row;
    for (;; arena_reset(copy->row_arena)) {
        TRY(error_if_short(0));
        TRY(rowfile_next(file, copy->row_arena, &row));
        if (row.kind != VALUE_MAP) return NULL;
        for (uint32_t i = 0; i < row.aux; i++)
            widen(column_of(copy, row.as.entries[i].key), row.as.entries[i].value);
    }
}

static Error *infer_chunks(Copy *copy, RowFile *file)
{
    RowChunk chunk;
    for (;; arena_reset(copy->row_arena)) {
        TRY(rowfile_chunk(file, copy->row_arena, &chunk));
        if (chunk.row_count == 0) return NULL;
        widen_chunk(copy, &chunk);
    }
}

/* By every row of the file. A column of numbers that meets a boolean, or the other way round, is
 * text. */
static Error *infer(Copy *copy)
{
    RowFile *file;
    TRY(rowfile_open(copy->path, copy->options, &file));
    Error *error = rowfile_has_chunks(file) ? infer_chunks(copy, file) : infer_rows(copy, file);
    rowfile_close(file);
    arena_reset(copy->row_arena);
    if (error != NULL && copy->skip_errors) { /* told again, row by row, when loading */
        error_drop(error);
        error = NULL;
    }
    end_types(copy);
    return error;
}

/* Where each of our columns stands in a chunk: the last of that name counts. */
static void place_columns(Copy *copy, const RowChunk *rows)
{
    for (size_t i = 0; i < copy->column_count; i++)
        for (uint32_t c = 0; c < rows->column_count; c++)
            if (str_equal(rows->columns[c], copy->columns[i].file_name)) copy->columns[i].at = c;
}

/* ---- keys ---- */

static bool has_rule(const GraphView *view, const GraphIndex *wanted)
{
    const GraphIndex *found = graph_index_on(view, wanted->label, wanted->keys[0], false);
    uint32_t count = wanted->constraint == GRAPH_NO_CONSTRAINT ? 0 : graph_index_count(view->graph);
    for (uint32_t i = 0; i < count; i++) {
        const GraphIndex *index = graph_index_at(view, i);
        if (index != NULL && index->label == wanted->label &&
            graph_index_is_on(index, wanted->keys[0]) && index->constraint == wanted->constraint)
            return true;
    }
    return wanted->constraint == GRAPH_NO_CONSTRAINT && found != NULL;
}

/* The index that finds nodes by a key. It is made when there is none; the key that COPY merges by
 * becomes unique. */
static Error *index_on(Copy *copy, Str label, Str key, GraphConstraint constraint,
                       const GraphIndex **out)
{
    GraphView view = graph_writer_view(copy->writer);
    GraphIndex definition = {.label = graph_name_intern(copy->writer, NAME_LABEL, label),
                             .keys = {graph_name_intern(copy->writer, NAME_KEY, key)},
                             .key_count = 1,
                             .constraint = constraint};
    *out = graph_index_on(&view, definition.label, definition.keys[0], false);
    if (has_rule(&view, &definition)) return NULL;
    bool taken = *out != NULL;
    definition.name = str_from(arena_printf(copy->arena, "%.*s_%.*s%s", STR_ARG(label),
                                            STR_ARG(key), taken ? "_unique" : ""));
    TRY(graph_create_index(copy->writer, &definition));
    *out = graph_index_on(&view, definition.label, definition.keys[0], false);
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
    return index_on(copy, label, key, GRAPH_NO_CONSTRAINT, out);
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
    TRY(check_column(copy, copy->type_column));
    TRY(check_column(copy, copy->label_column));
    TRY(check_column(copy, copy->key));
    if (copy->plan->statement == STATEMENT_COPY_NODES) {
        copy->label = graph_name_intern(copy->writer, NAME_LABEL, copy->plan->name);
        return copy->key.bytes == 0
                   ? NULL
                   : index_on(copy, copy->plan->name, copy->key, GRAPH_UNIQUE, &copy->index);
    }
    TRY(end_index(copy, "from", &copy->from_index));
    TRY(end_index(copy, "to", &copy->to_index));
    return end_columns(copy);
}

/* ---- the statement ---- */

static Str type_name(const CopyColumn *column)
{
    static const Str types[] = {{"INTEGER", 7}, {"FLOAT", 5}, {"BOOLEAN", 7}, {"STRING", 6}};
    if (column->cast.kind != VALUE_NULL) return column->cast.text;
    if (!column->value) return types[column->type];
    return column->mixed || column->seen ? STR("ANY") : str_from(value_kind_name(column->kind));
}

static Value shown_columns(const Copy *copy)
{
    ValueEntry *entries = arena_array(copy->arena, ValueEntry, copy->column_count + 1);
    uint32_t count = 0;
    for (size_t i = 0; i < copy->column_count; i++)
        if (copy->columns[i].name.bytes > 0)
            entries[count++] =
                (ValueEntry){copy->columns[i].name, value_string(type_name(&copy->columns[i]))};
    return value_map(entries, count);
}

static Error *load_chunk(Copy *copy, CopyChunk *chunk)
{
    const ExecutionEnvironment *environment = copy->environment;
    TRY(error_if_short(graph_write_growth(copy->writer)));
    TRY(copy_chunk(copy, chunk));
    copy->read += chunk->rows.row_count;
    if (environment->interrupt != NULL &&
        environment->interrupt->stop(environment->interrupt->state))
        return error_new(ERROR_CANCELLED, "the statement was cancelled");
    if (environment->progress != NULL)
        environment->progress(environment->session, chunk->done, copy->read);
    return NULL;
}

static Error *load_chunks(Copy *copy, CopyReader *reader, bool *fits)
{
    CopyChunk *chunk;
    for (;;) {
        TRY(copy_reader_next(reader, &chunk));
        *fits = chunk->fits;
        if (!*fits || chunk->rows.row_count == 0) return NULL;
        TRY(load_chunk(copy, chunk));
    }
}

/* *fits false: the types taken for the file's are not, and nothing was made. */
static Error *load(Copy *copy, RowFile *file, bool *fits)
{
    CopyReader *reader = copy_reader_new(copy, file);
    size_t savepoint = 0;
    CopyChunk *chunk;
    *fits = true;
    Error *error = copy_reader_first(reader, &chunk);
    if (error == NULL && !copy->inferred) {
        widen_chunk(copy, &chunk->rows);
        end_types(copy);
    }
    if (error == NULL) error = check_typed_columns(copy);
    if (error == NULL) error = prepare_keys(copy);
    if (error == NULL) {
        place_columns(copy, &chunk->rows);
        savepoint = graph_savepoint(copy->writer);
        error = load_chunks(copy, reader, fits);
    }
    copy_reader_free(reader);
    if (error == NULL && *fits) error = error_if_short(graph_settle_growth(copy->writer));
    const ExecutionEnvironment *environment = copy->environment;
    if (error == NULL && *fits)
        graph_settle(copy->writer, environment->workers, environment->worker_max);
    if (error != NULL || *fits) return error;
    graph_rollback_to(copy->writer, savepoint);
    copy->read = copy->created = copy->matched = copy->skipped = 0;
    return NULL;
}

static Error *load_file(Copy *copy, bool *fits)
{
    RowFile *file;
    TRY(rowfile_open(copy->path, copy->options, &file));
    if (!copy->inferred && !rowfile_has_chunks(file)) {
        Error *error = infer(copy);
        copy->inferred = true;
        if (error != NULL) {
            rowfile_close(file);
            return error;
        }
    }
    Error *error = load(copy, file, fits);
    rowfile_close(file);
    return error;
}

static Error *run(Copy *copy)
{
    bool fits;
    bool nodes = copy->plan->statement == STATEMENT_COPY_NODES;
    TRY(rowfile_check_options(copy->options, nodes ? FILE_NODES : FILE_ENDS));
    TRY(check_types(copy));
    copy->skip_errors = str_equal_ignore_case(text_option(copy, "on_error"), STR("skip"));
    TRY(load_file(copy, &fits));
    if (fits) return NULL;
    copy->column_count = 0;
    TRY(infer(copy));
    copy->inferred = true;
    TRY(load_file(copy, &fits));
    return fits ? NULL : error_new(ERROR_BAD_FILE, "%s changed while it was read", copy->path);
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
                 CommandTable *out)
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
    TRY(execution_path(environment, arena, source, &copy.path));
    copy.row_arena = arena_create();
    Error *error = run(&copy);
    arena_destroy(copy.row_arena);
    TRY(error);
    Value *row = arena_array(arena, Value, 5);
    row[0] = value_integer((int64_t)copy.read), row[1] = value_integer((int64_t)copy.created),
    row[2] = value_integer((int64_t)copy.matched);
    row[3] = value_integer((int64_t)copy.skipped), row[4] = shown_columns(&copy);
    *out = (CommandTable){row, 1, 5, stats_of(&copy)};
    return NULL;
}
