/*
 * copy_rows.c - what COPY makes of a chunk of rows.
 *
 * Rows that cannot become anything are found first, so that what is left can be written column by
 * column (graph/bulk.c). Nodes with a key are looked up before: those that are there get the row's
 * properties one by one, and so do rows that repeat a key of the same chunk.
 */
#include "config.h"

#include "base/map.h"
#include "command/copy_internal.h"
#include <stdio.h>

enum { WARNINGS_MAX = 10 };

typedef struct Rows { /* of a chunk, and what becomes of each */
    Copy *copy;
    CopyChunk *whole;
    const RowChunk *chunk; /* its rows */
    bool bad[ROWFILE_CHUNK_ROWS_MAX];
    uint64_t ids[ROWFILE_CHUNK_ROWS_MAX], others[ROWFILE_CHUNK_ROWS_MAX]; /* found, or made */
    uint32_t names[ROWFILE_CHUNK_ROWS_MAX];                               /* label sets, types */
    uint16_t made[ROWFILE_CHUNK_ROWS_MAX];
    uint32_t made_count;
} Rows;

static const Value *cell_of(const Rows *rows, const CopyColumn *column, uint32_t row)
{
    return &rows->chunk->cells[row * (size_t)rows->chunk->column_count + column->at];
}

/* A row that cannot be is counted and told, or ends the statement. */
static Error *refuse(Rows *rows, uint32_t row, Error *error)
{
    Copy *copy = rows->copy;
    uint64_t number = rows->chunk->first_row + row;
    char text[512];
    if (!copy->skip_errors) {
        Error *placed = rowfile_bad(copy->path, number, error_message(error));
        error_hint(placed, "USING {on_error: 'skip'} leaves such rows out");
        error_drop(error);
        return placed;
    }
    rows->bad[row] = true;
    copy->skipped++;
    snprintf(text, sizeof text, "%s: row %llu left out: %.300s", copy->path,
             (unsigned long long)number + 1, error_message(error));
    if (copy->skipped <= WARNINGS_MAX && copy->environment->warn != NULL)
        copy->environment->warn(copy->environment->session, ERROR_ROW_SKIPPED, text, "");
    error_drop(error);
    return NULL;
}

/* ---- properties ---- */

static Error *does_not_fit(const CopyColumn *column, Value cell)
{
    Buffer text = {0};
    value_print(&text, cell, true);
    Error *error = error_new(ERROR_BAD_FILE, "the column %.*s is %.*s, not %.200s",
                             STR_ARG(column->name), STR_ARG(column->cast.text), text.data);
    buffer_free(&text);
    return error;
}

/* A column of a named type has cells of that type. They were made when the chunk was read; here the
 * others are told. */
static Error *check_cast(Rows *rows, const CopyColumn *column)
{
    for (uint32_t r = 0; column->cast.kind != VALUE_NULL && r < rows->chunk->row_count; r++) {
        Value *cell = (Value *)cell_of(rows, column, r);
        if (rows->bad[r] || cell_cast_apply(&column->cast, rows->whole->arena, cell)) continue;
        TRY(refuse(rows, r, does_not_fit(column, *cell)));
    }
    return NULL;
}

/* A list of as many numbers as a vector index wants becomes a vector. */
static Error *make_indexed(Rows *rows, const GraphIndex *index, Value *cell)
{
    if (index == NULL || cell->kind != VALUE_LIST) return NULL;
    TRY(storable_in(index, *cell));
    if (cell->aux != index->dimensions) return NULL;
    float *components = arena_array(rows->whole->arena, float, cell->aux);
    for (uint32_t i = 0; i < cell->aux; i++) {
        if (!value_is_number(cell->as.items[i])) return NULL;
        components[i] = (float)value_as_double(cell->as.items[i]);
    }
    *cell = value_vector(components, cell->aux);
    return NULL;
}

static const GraphIndex *vector_index(const Copy *copy, const CopyColumn *column)
{
    GraphView view = graph_writer_view(copy->writer);
    uint32_t key = graph_name_find(view.graph, NAME_KEY, column->name);
    return copy->plan->statement == STATEMENT_COPY_NODES && key != GRAPH_NAME_UNKNOWN
               ? graph_index_on(&view, copy->label, key, true)
               : NULL;
}

/* Lists become what a property can hold; text and numbers are that already. */
static Error *make_storable(Rows *rows, const CopyColumn *column)
{
    const GraphIndex *index = column->value ? vector_index(rows->copy, column) : NULL;
    TRY(check_cast(rows, column));
    if (rows->whole->plain[column - rows->copy->columns]) return NULL;
    for (uint32_t r = 0; column->value && r < rows->chunk->row_count; r++) {
        Value *cell = (Value *)cell_of(rows, column, r);
        if (rows->bad[r] || cell->kind == VALUE_NULL) continue;
        Error *error = storable(*cell, cell);
        if (error == NULL) error = make_indexed(rows, index, cell);
        if (error != NULL) TRY(refuse(rows, r, error));
    }
    return NULL;
}

static bool any_cell(const Rows *rows, const CopyColumn *column)
{
    for (uint32_t r = 0; r < rows->chunk->row_count; r++)
        if (!rows->bad[r] && cell_of(rows, column, r)->kind != VALUE_NULL) return true;
    return false;
}

/* The columns that become properties; *count of them. */
static GraphCells *properties(Rows *rows, uint32_t *count)
{
    Copy *copy = rows->copy;
    bool nodes = copy->plan->statement == STATEMENT_COPY_NODES;
    GraphCells *cells = arena_array(rows->whole->arena, GraphCells, copy->column_count + 1);
    *count = 0;
    for (size_t i = 0; i < copy->column_count; i++) {
        CopyColumn *column = &copy->columns[i];
        bool end = !nodes && (str_equal(column->name, copy->from_column) ||
                              str_equal(column->name, copy->to_column) ||
                              str_equal(column->name, copy->type_column));
        if (end || column->name.bytes == 0 || !any_cell(rows, column)) continue;
        if (column->key == GRAPH_NAME_UNKNOWN)
            column->key = graph_name_intern(copy->writer, NAME_KEY, column->name);
        cells[(*count)++] = (GraphCells){column->key, &rows->chunk->cells[column->at]};
    }
    return cells;
}

/* The key itself stays as it is: by it the node was found. */
static void set_matched(Rows *rows, const GraphRows *matched)
{
    const Copy *copy = rows->copy;
    const CopyColumn *key = copy_column_named(copy, copy->key);
    for (uint32_t c = 0; c < matched->column_count; c++)
        if (key == NULL || matched->columns[c].key != key->key)
            graph_set_properties(copy->writer, rows->ids, matched, c);
}

/* ---- labels and types ---- */

/* The id of a name in a cell; few names stand in many rows. */
static uint32_t name_in(Copy *copy, Str text, uint32_t (*find)(Copy *copy, Str text))
{
    NameCached *cached = &copy->names[hash_bytes(text.data, text.bytes, 0) % COPY_NAMES_CACHED];
    if (cached->text.data == NULL || !str_equal(cached->text, text))
        *cached = (NameCached){str_copy(copy->arena, text), find(copy, text)};
    return cached->id;
}

/* The next of the labels that a cell names, "Actor;Director"; false: there are no more. */
static bool next_label(Str *rest, Str *label)
{
    while (rest->bytes > 0) {
        const char *end = memchr(rest->data, ';', rest->bytes);
        *label = (Str){rest->data, end == NULL ? rest->bytes : (size_t)(end - rest->data)};
        size_t taken = label->bytes + (end != NULL);
        *rest = (Str){rest->data + taken, rest->bytes - taken};
        if (label->bytes > 0) return true;
    }
    return false;
}

static uint32_t label_set_with(Copy *copy, Str text)
{
    uint32_t count = 1;
    for (Str rest = text, label; next_label(&rest, &label);)
        count++;
    uint32_t *labels = arena_array(copy->row_arena, uint32_t, count);
    labels[0] = copy->label;
    count = 1;
    for (Str label; next_label(&text, &label);)
        labels[count++] = graph_name_intern(copy->writer, NAME_LABEL, label);
    return graph_label_set(copy->writer, labels, count);
}

static uint32_t type_called(Copy *copy, Str text)
{
    return graph_name_intern(copy->writer, NAME_TYPE, text);
}

/* ---- nodes ---- */

static Error *check_keys(Rows *rows, const CopyColumn *key)
{
    for (uint32_t r = 0; r < rows->chunk->row_count; r++) {
        if (rows->bad[r] || (key != NULL && cell_of(rows, key, r)->kind != VALUE_NULL)) continue;
        TRY(refuse(rows, r,
                   error_new(ERROR_BAD_FILE, "the key %.*s is empty", STR_ARG(rows->copy->key))));
    }
    return NULL;
}

/* A row whose key an earlier row of the chunk brought stands for the same node: others[row] is that
 * row. */
/* Do the keys count up? Then none is there twice. */
static bool keys_ascend(const Rows *rows, const CopyColumn *key)
{
    int64_t last = INT64_MIN;
    for (uint32_t r = 0; r < rows->chunk->row_count; r++) {
        Value mine = *cell_of(rows, key, r);
        if (mine.kind != VALUE_INTEGER || (r > 0 && mine.as.integer <= last)) return false;
        last = mine.as.integer;
    }
    return true;
}

static void find_twins(Rows *rows, const CopyColumn *key)
{
    enum { SLOTS = 2 * ROWFILE_CHUNK_ROWS_MAX };
    uint16_t table[SLOTS];
    memset(table, 0xff, sizeof table);
    for (uint32_t r = 0; r < rows->chunk->row_count; r++) {
        rows->others[r] = r;
        if (rows->bad[r] || rows->ids[r] != GRAPH_NO_NODE) continue;
        Value mine = *cell_of(rows, key, r);
        size_t at = value_hash(mine) % SLOTS;
        for (; table[at] != UINT16_MAX; at = (at + 1) % SLOTS)
            if (value_equal(*cell_of(rows, key, table[at]), mine) == TRUTH_TRUE) break;
        if (table[at] == UINT16_MAX)
            table[at] = (uint16_t)r;
        else
            rows->others[r] = table[at];
    }
}

static Error *find_nodes(Rows *rows)
{
    Copy *copy = rows->copy;
    const CopyColumn *key = copy_column_named(copy, copy->key);
    GraphView view = graph_writer_view(copy->writer);
    TRY(check_keys(rows, key));
    if (key == NULL) return NULL;
    graph_seek_first(&view, copy->index, &rows->chunk->cells[key->at], rows->chunk->column_count,
                     rows->chunk->row_count, rows->ids);
    if (!keys_ascend(rows, key)) find_twins(rows, key);
    return NULL;
}

static void choose_labels(Rows *rows)
{
    Copy *copy = rows->copy;
    const CopyColumn *column = copy_column_named(copy, copy->label_column);
    uint32_t alone = graph_label_set(copy->writer, &copy->label, 1);
    for (uint32_t i = 0; i < rows->made_count; i++) {
        const Value *cell = column == NULL ? NULL : cell_of(rows, column, rows->made[i]);
        bool named = cell != NULL && cell->kind == VALUE_STRING;
        rows->names[i] = named ? name_in(copy, value_text(*cell), label_set_with) : alone;
    }
}

static void add_label(Rows *rows, uint32_t row)
{
    Copy *copy = rows->copy;
    const CopyColumn *column = copy_column_named(copy, copy->label_column);
    const Value *cell = column == NULL ? NULL : cell_of(rows, column, row);
    if (cell == NULL || cell->kind != VALUE_STRING) return;
    Str text = value_text(*cell);
    for (Str label; next_label(&text, &label);)
        graph_add_label(copy->writer, rows->ids[row],
                        graph_name_intern(copy->writer, NAME_LABEL, label));
}

static Error *copy_nodes(Rows *rows)
{
    Copy *copy = rows->copy;
    const RowChunk *chunk = rows->chunk;
    uint64_t first;
    for (uint32_t r = 0; r < chunk->row_count; r++) {
        rows->ids[r] = GRAPH_NO_NODE;
        rows->others[r] = r;
    }
    for (size_t i = 0; i < copy->column_count; i++)
        TRY(make_storable(rows, &copy->columns[i]));
    if (copy->key.bytes > 0) TRY(find_nodes(rows));
    for (uint32_t r = 0; r < chunk->row_count; r++)
        if (!rows->bad[r] && rows->ids[r] == GRAPH_NO_NODE && rows->others[r] == r)
            rows->made[rows->made_count++] = (uint16_t)r;
    choose_labels(rows);
    GraphRows made = {rows->made, rows->made_count, chunk->column_count, NULL, 0};
    made.columns = properties(rows, &made.column_count);
    TRY(graph_append_nodes(copy->writer, &made, rows->names, copy->index, &first));
    copy->created += rows->made_count;
    for (uint32_t i = 0; i < rows->made_count; i++)
        rows->ids[rows->made[i]] = first + i;
    uint16_t matched_rows[ROWFILE_CHUNK_ROWS_MAX];
    GraphRows matched = {matched_rows, 0, made.stride, made.columns, made.column_count};
    for (uint32_t r = 0, next = 0; r < chunk->row_count; r++) {
        bool fresh = next < rows->made_count && rows->made[next] == r;
        next += fresh;
        if (rows->bad[r] || fresh) continue;
        if (rows->ids[r] == GRAPH_NO_NODE) rows->ids[r] = rows->ids[rows->others[r]];
        add_label(rows, r);
        matched_rows[matched.count++] = (uint16_t)r;
    }
    set_matched(rows, &matched);
    copy->matched += matched.count;
    return NULL;
}

/* ---- relationships ---- */

static Error *no_such_end(Str column, Value key)
{
    if (key.kind == VALUE_NULL)
        return error_new(ERROR_BAD_FILE, "the end %.*s is empty", STR_ARG(column));
    Buffer text = {0};
    value_print(&text, key, true);
    Error *error = error_new(ERROR_BAD_FILE, "no node has %.*s = %s", STR_ARG(column), text.data);
    buffer_free(&text);
    return error;
}

static Error *check_ends(Rows *rows, Str name, const uint64_t *ends)
{
    const CopyColumn *column = copy_column_named(rows->copy, name);
    for (uint32_t r = 0; r < rows->chunk->row_count; r++) {
        if (rows->bad[r] || (ends != NULL && ends[r] != GRAPH_NO_NODE)) continue;
        TRY(refuse(rows, r,
                   no_such_end(name, column == NULL ? value_null() : *cell_of(rows, column, r))));
    }
    return NULL;
}

static void choose_types(Rows *rows)
{
    Copy *copy = rows->copy;
    const CopyColumn *column = copy_column_named(copy, copy->type_column);
    uint32_t written = UINT32_MAX; /* the statement's own, made when a row needs it */
    for (uint32_t r = 0; r < rows->chunk->row_count; r++) {
        const Value *cell = column == NULL ? NULL : cell_of(rows, column, r);
        if (rows->bad[r]) continue;
        if (cell != NULL && cell->kind == VALUE_STRING) {
            rows->names[r] = name_in(copy, value_text(*cell), type_called);
            continue;
        }
        if (written == UINT32_MAX) written = type_called(copy, copy->plan->name);
        rows->names[r] = written;
    }
}

/* The rows from `row` on that have its type. They are done then. */
static Error *append_type(Rows *rows, uint32_t row, GraphRows *made)
{
    uint64_t from[ROWFILE_CHUNK_ROWS_MAX], to[ROWFILE_CHUNK_ROWS_MAX], first;
    uint32_t type = rows->names[row];
    made->count = 0;
    for (uint32_t r = row; r < rows->chunk->row_count; r++) {
        if (rows->bad[r] || rows->names[r] != type) continue;
        rows->bad[r] = true;
        from[made->count] = rows->whole->from[r];
        to[made->count] = rows->whole->to[r];
        rows->made[made->count++] = (uint16_t)r;
    }
    rows->copy->created += made->count;
    return graph_append_relationships(rows->copy->writer, type, made, from, to, &first);
}

static Error *copy_relationships(Rows *rows)
{
    Copy *copy = rows->copy;
    for (size_t i = 0; i < copy->column_count; i++)
        TRY(make_storable(rows, &copy->columns[i]));
    rows->whole->to = copy_find_ends(copy, rows->whole, copy->to_index, copy->to_column);
    TRY(check_ends(rows, copy->from_column, rows->whole->from));
    TRY(check_ends(rows, copy->to_column, rows->whole->to));
    choose_types(rows);
    GraphRows made = {rows->made, 0, rows->chunk->column_count, NULL, 0};
    made.columns = properties(rows, &made.column_count);
    for (uint32_t r = 0; r < rows->chunk->row_count; r++)
        if (!rows->bad[r]) TRY(append_type(rows, r, &made));
    return NULL;
}

Error *copy_chunk(Copy *copy, CopyChunk *chunk)
{
    Rows *rows = arena_new(chunk->arena, Rows);
    rows->copy = copy;
    rows->whole = chunk;
    rows->chunk = &chunk->rows;
    return copy->plan->statement == STATEMENT_COPY_NODES ? copy_nodes(rows)
                                                         : copy_relationships(rows);
}
