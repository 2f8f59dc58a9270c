/* rowfile_text.c - separated values (RFC 4180) and JSON lines. */
#include "config.h"

#include "base/json.h"
#include "execution/rowfile_internal.h"

static int next_byte(RowFile *file)
{
    int c = getc_unlocked(file->file);
    file->bytes_read += c != EOF;
    return c;
}

/* ---- separated values ---- */

static Error *end_cell(RowFile *file, size_t from, bool quoted)
{
    if (file->cell_count == ROWFILE_COLUMNS_MAX) return rowfile_bad(file, "too many columns");
    mem_reserve(file->cells, file->cell_capacity, file->cell_count + 1);
    file->cells[file->cell_count++] = (Cell){from, file->record.bytes - from, quoted};
    return NULL;
}

/* Inside quotes everything but a quote is text; two quotes are one. Gives the byte behind the
 * closing quote. */
static Error *quoted_cell(RowFile *file, int *next)
{
    for (;;) {
        int c = next_byte(file);
        if (c == EOF) return rowfile_bad(file, "a quoted cell has no end");
        if (c == file->quote) {
            *next = next_byte(file);
            if (*next != file->quote) return NULL;
        }
        buffer_char(&file->record, (char)c);
        if (file->record.bytes > ROWFILE_ROW_BYTES_MAX)
            return rowfile_bad(file, "longer than 64 MiB");
    }
}

/* One record into file->record and file->cells; *more false: the file has ended. */
static Error *read_record(RowFile *file, bool *more)
{
    int c = next_byte(file);
    buffer_clear(&file->record);
    file->cell_count = 0;
    *more = c != EOF;
    if (!*more) return NULL;
    for (;;) {
        size_t from = file->record.bytes;
        bool quoted = c == file->quote;
        if (quoted) TRY(quoted_cell(file, &c));
        while (!quoted && c != EOF && c != file->delimiter && c != '\n' && c != '\r') {
            if (c == '\0') return rowfile_bad(file, "a zero byte: this is no text");
            buffer_char(&file->record, (char)c);
            if (file->record.bytes > ROWFILE_ROW_BYTES_MAX)
                return rowfile_bad(file, "longer than 64 MiB");
            c = next_byte(file);
        }
        TRY(end_cell(file, from, quoted));
        if (c == '\r') c = next_byte(file);
        if (c == '\n' || c == EOF) break;
        if (c != file->delimiter) return rowfile_bad(file, "something stands behind a quoted cell");
        c = next_byte(file);
    }
    if (file->record.bytes > 0 && !utf8_valid(buffer_view(&file->record)))
        return rowfile_bad(file, "not UTF-8");
    return NULL;
}

static Str cell_text(const RowFile *file, size_t i)
{
    return (Str){(file->record.data == NULL ? "" : file->record.data) + file->cells[i].from,
                 file->cells[i].bytes};
}

Error *rowfile_text_begin(RowFile *file)
{
    bool more;
    if (!file->header) return NULL;
    TRY(read_record(file, &more));
    if (!more) return rowfile_bad(file, "the file is empty");
    if (file->cells[0].bytes >= 3 && memcmp(file->record.data, "\xef\xbb\xbf", 3) == 0)
        file->cells[0].from += 3, file->cells[0].bytes -= 3;
    file->column_count = file->cell_count;
    file->columns = arena_array(file->arena, Str, file->column_count);
    for (size_t i = 0; i < file->column_count; i++)
        file->columns[i] = str_copy(file->arena, cell_text(file, i));
    return NULL;
}

static void name_columns(RowFile *file)
{
    file->column_count = file->cell_count;
    file->columns = arena_array(file->arena, Str, file->column_count);
    for (size_t i = 0; i < file->column_count; i++)
        file->columns[i] = str_from(arena_printf(file->arena, "c%zu", i));
}

static Value cell_value(const RowFile *file, Arena *arena, size_t i)
{
    Str text = cell_text(file, i);
    if (!file->cells[i].quoted && str_equal(text, file->null_text)) return value_null();
    return value_string(str_copy(arena, text));
}

Error *rowfile_separated_row(RowFile *file, Arena *arena, Value *row)
{
    bool more;
    TRY(read_record(file, &more));
    if (!more) return NULL;
    if (file->columns == NULL) name_columns(file);
    if (file->cell_count == 1 && file->cells[0].bytes == 0 && !file->cells[0].quoted &&
        file->column_count > 1) {
        return rowfile_separated_row(file, arena, row); /* an empty line */
    }
    if (file->cell_count != file->column_count) {
        char what[96];
        snprintf(what, sizeof what, "%zu cells where there are %zu columns", file->cell_count,
                 file->column_count);
        return rowfile_bad(file, what);
    }
    if (file->lists) {
        Value *items = arena_array(arena, Value, file->cell_count);
        for (size_t i = 0; i < file->cell_count; i++)
            items[i] = cell_value(file, arena, i);
        *row = value_list(items, file->cell_count);
        return NULL;
    }
    ValueEntry *entries = arena_array(arena, ValueEntry, file->cell_count);
    for (size_t i = 0; i < file->cell_count; i++)
        entries[i] = (ValueEntry){file->columns[i], cell_value(file, arena, i)};
    *row = value_map(entries, file->cell_count);
    return NULL;
}

/* ---- JSON lines ---- */

static Value value_of(Arena *arena, const Json *json)
{
    int64_t integer;
    double number = 0;
    switch (json->kind) {
    case JSON_NULL: return value_null();
    case JSON_FALSE: return value_boolean(false);
    case JSON_TRUE: return value_boolean(true);
    case JSON_NUMBER:
        if (integer_parse(json->text, &integer)) return value_integer(integer);
        float_parse(json->text, &number);
        return value_float(number);
    case JSON_STRING: return value_string(str_copy(arena, json->text));
    case JSON_LIST: {
        Value *items = arena_array(arena, Value, json->count);
        for (size_t i = 0; i < json->count; i++)
            items[i] = value_of(arena, &json->items[i]);
        return value_list(items, json->count);
    }
    case JSON_OBJECT: {
        ValueEntry *entries = arena_array(arena, ValueEntry, json->count);
        for (size_t i = 0; i < json->count; i++)
            entries[i] =
                (ValueEntry){str_copy(arena, json->items[i].key), value_of(arena, &json->items[i])};
        return value_map(entries, json->count);
    }
    }
    return value_null();
}

Error *rowfile_json_row(RowFile *file, Arena *arena, Value *row)
{
    const Json *json;
    int c;
    do {
        buffer_clear(&file->record);
        while ((c = next_byte(file)) != EOF && c != '\n') {
            buffer_char(&file->record, (char)c);
            if (file->record.bytes > ROWFILE_ROW_BYTES_MAX)
                return rowfile_bad(file, "longer than 64 MiB");
        }
        if (file->record.bytes == 0 && c == EOF) return NULL;
    } while (file->record.bytes == 0 || strspn(file->record.data, " \t\r") == file->record.bytes);
    Error *error = json_parse(arena, buffer_view(&file->record), &json);
    if (error != NULL) {
        char what[256];
        snprintf(what, sizeof what, "%s", error_message(error));
        error_drop(error);
        return rowfile_bad(file, what);
    }
    if (json->kind != JSON_OBJECT) return rowfile_bad(file, "a line is one JSON object");
    *row = value_of(arena, json);
    return NULL;
}
