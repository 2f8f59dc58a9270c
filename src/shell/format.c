/*
 * format.c - results as tables, separated values, JSON; errors with their place.
 *
 * Only the table needs to know all rows before it writes the first: its columns are as wide as
 * their widest cell.
 */
#include "config.h"

#include "base/json.h"
#include "shell/format.h"
#include "shell/glyph.h"
#include "shell/records.h"

static const char *const names[FORMAT_COUNT] = {"table", "markdown", "csv",     "tsv",
                                                "json",  "jsonl",    "records", "line"};

bool format_find(const char *name, Format *out)
{
    for (int i = 0; i < FORMAT_COUNT; i++)
        if (strcmp(name, names[i]) == 0) return *out = (Format)i, true;
    return false;
}

const char *format_name(Format format)
{
    return names[format];
}

/* ---- values ---- */

static void put_text(Buffer *out, contextql_text text)
{
    buffer_append(out, text.data, text.size);
}

static void put_members(Buffer *out, const contextql_value *value)
{
    size_t count = contextql_value_count(value);
    buffer_char(out, '{');
    for (size_t i = 0; i < count; i++) {
        contextql_text key;
        const contextql_value *member = contextql_value_at(value, i, &key);
        if (i > 0) buffer_text(out, ", ");
        put_text(out, key);
        buffer_text(out, ": ");
        format_value(out, member, true);
    }
    buffer_char(out, '}');
}

static void put_node(Buffer *out, const contextql_value *node)
{
    size_t labels = contextql_value_label_count(node);
    buffer_char(out, '(');
    for (size_t i = 0; i < labels; i++) {
        buffer_char(out, ':');
        put_text(out, contextql_value_label(node, i));
    }
    if (contextql_value_count(node) > 0) {
        if (labels > 0) buffer_char(out, ' ');
        put_members(out, node);
    }
    buffer_char(out, ')');
}

static void put_relationship(Buffer *out, const contextql_value *relationship)
{
    buffer_text(out, "[:");
    put_text(out, contextql_value_relationship_type(relationship));
    if (contextql_value_count(relationship) > 0) {
        buffer_char(out, ' ');
        put_members(out, relationship);
    }
    buffer_char(out, ']');
}

static void put_path(Buffer *out, const contextql_value *path)
{
    size_t count = contextql_value_count(path);
    for (size_t i = 0; i < count; i++) {
        const contextql_value *part = contextql_value_at(path, i, NULL);
        if (i % 2 == 0) {
            put_node(out, part);
            continue;
        }
        bool out_of = contextql_value_start_id(part) ==
                      contextql_value_id(contextql_value_at(path, i - 1, NULL));
        buffer_text(out, out_of ? "-" : "<-");
        put_relationship(out, part);
        buffer_text(out, out_of ? "->" : "-");
    }
}

static void put_list(Buffer *out, const contextql_value *list)
{
    size_t count = contextql_value_count(list);
    buffer_char(out, '[');
    for (size_t i = 0; i < count; i++) {
        if (i > 0) buffer_text(out, ", ");
        format_value(out, contextql_value_at(list, i, NULL), true);
    }
    buffer_char(out, ']');
}

static void put_quoted(Buffer *out, contextql_text text)
{
    buffer_char(out, '\'');
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] == '\'' || text.data[i] == '\\') buffer_char(out, '\\');
        buffer_char(out, text.data[i]);
    }
    buffer_char(out, '\'');
}

static void put_plain(Buffer *out, const contextql_value *value)
{
    int bytes = contextql_value_print(value, NULL, 0);
    char *to = buffer_reserve(out, (size_t)bytes);
    contextql_value_print(value, to, (size_t)bytes + 1);
    out->bytes += (size_t)bytes;
}

void format_value(Buffer *out, const contextql_value *value, bool quote)
{
    switch (contextql_value_type(value)) {
    case CONTEXTQL_STRING:
        if (quote)
            put_quoted(out, contextql_value_string(value));
        else
            put_text(out, contextql_value_string(value));
        break;
    case CONTEXTQL_LIST: put_list(out, value); break;
    case CONTEXTQL_MAP: put_members(out, value); break;
    case CONTEXTQL_NODE: put_node(out, value); break;
    case CONTEXTQL_RELATIONSHIP: put_relationship(out, value); break;
    case CONTEXTQL_PATH: put_path(out, value); break;
    default: put_plain(out, value); break;
    }
}

/* ---- tables ---- */

typedef struct Table {
    Buffer text; /* cells, one behind the other */
    size_t *ends, end_count, end_capacity;
    size_t *widths;
    bool *numbers; /* columns that hold numbers only: set to the right */
    size_t columns;
} Table;

/* Line breaks and tabs would break the table. */
static void add_cell(Table *table, size_t column, size_t from)
{
    for (size_t i = from; i < table->text.bytes; i++)
        if (table->text.data[i] == '\n' || table->text.data[i] == '\t' ||
            table->text.data[i] == '\r')
            table->text.data[i] = ' ';
    mem_reserve(table->ends, table->end_capacity, table->end_count + 1);
    table->ends[table->end_count++] = table->text.bytes;
    size_t width = glyph_width(
        (Str){table->text.data == NULL ? "" : table->text.data + from, table->text.bytes - from});
    if (width > table->widths[column]) table->widths[column] = width;
}

static void add_header(Table *table, contextql_statement *statement)
{
    table->columns = (size_t)contextql_column_count(statement);
    table->widths = mem_calloc(table->columns, sizeof *table->widths);
    table->numbers = mem_calloc(table->columns, sizeof *table->numbers);
    for (size_t c = 0; c < table->columns; c++) {
        size_t from = table->text.bytes;
        table->numbers[c] = true;
        buffer_text(&table->text, contextql_column_name(statement, (int)c));
        add_cell(table, c, from);
    }
}

static void add_row(Table *table, contextql_statement *statement)
{
    for (size_t c = 0; c < table->columns; c++) {
        size_t from = table->text.bytes;
        const contextql_value *value = contextql_column(statement, (int)c);
        contextql_type type = contextql_value_type(value);
        table->numbers[c] =
            table->numbers[c] &&
            (type == CONTEXTQL_INTEGER || type == CONTEXTQL_FLOAT || type == CONTEXTQL_NULL);
        format_value(&table->text, value, false);
        add_cell(table, c, from);
    }
}

static void put_cell(const Table *table, size_t cell, bool header, bool last, FILE *file)
{
    size_t from = cell == 0 ? 0 : table->ends[cell - 1], bytes = table->ends[cell] - from,
           column = cell % table->columns;
    Str text = {table->text.data + from, bytes};
    size_t blanks = table->widths[column] - glyph_width(text);
    bool right = table->numbers[column] && !header;
    if (right) fprintf(file, "%*s", (int)blanks, "");
    fwrite(text.data, 1, text.bytes, file);
    if (!right && !last) fprintf(file, "%*s", (int)blanks, "");
}

static void put_rule(const Table *table, FILE *file)
{
    for (size_t c = 0; c < table->columns; c++) {
        if (c > 0) fputs("-+-", file);
        for (size_t i = 0; i < table->widths[c]; i++)
            fputc('-', file);
    }
    fputc('\n', file);
}

static void put_table(const Table *table, uint64_t rows, FILE *file)
{
    if (rows == 0) {
        fputs("(no rows)\n", file);
        return;
    }
    for (size_t cell = 0; cell < table->end_count; cell++) {
        bool first = cell % table->columns == 0, last = (cell + 1) % table->columns == 0;
        if (!first) fputs(" | ", file);
        put_cell(table, cell, cell < table->columns, last, file);
        if (last) fputc('\n', file);
        if (cell + 1 == table->columns) put_rule(table, file);
    }
    fprintf(file, "(%llu row%s)\n", (unsigned long long)rows, rows == 1 ? "" : "s");
}

static void table_free(Table *table)
{
    buffer_free(&table->text);
    mem_free(table->ends);
    mem_free(table->widths);
    mem_free(table->numbers);
}

/* ---- row by row ---- */

static bool is_simple(contextql_type type)
{
    return type != CONTEXTQL_LIST && type != CONTEXTQL_MAP && type != CONTEXTQL_VECTOR &&
           type != CONTEXTQL_NODE && type != CONTEXTQL_RELATIONSHIP && type != CONTEXTQL_PATH;
}

static void put_field(Buffer *out, Str text, Format format)
{
    if (format == FORMAT_TSV) {
        for (size_t i = 0; i < text.bytes; i++) {
            char c = text.data[i];
            if (c == '\t')
                buffer_text(out, "\\t");
            else if (c == '\n')
                buffer_text(out, "\\n");
            else if (c == '\\')
                buffer_text(out, "\\\\");
            else
                buffer_char(out, c);
        }
        return;
    }
    bool quote = text.bytes == 0;
    for (size_t i = 0; i < text.bytes && !quote; i++)
        quote = strchr(",\"\n\r", text.data[i]) != NULL;
    if (!quote) {
        buffer_str(out, text);
        return;
    }
    buffer_char(out, '"');
    for (size_t i = 0; i < text.bytes; i++) {
        if (text.data[i] == '"') buffer_char(out, '"');
        buffer_char(out, text.data[i]);
    }
    buffer_char(out, '"');
}

/* Null is the empty field; the empty text is "" in CSV. */
static void separated_row(Buffer *out, contextql_statement *statement, Format format)
{
    int columns = contextql_column_count(statement);
    for (int c = 0; c < columns; c++) {
        const contextql_value *value = contextql_column(statement, c);
        Buffer text = {0};
        if (c > 0) buffer_char(out, format == FORMAT_TSV ? '\t' : ',');
        if (contextql_value_type(value) == CONTEXTQL_NULL) continue;
        if (is_simple(contextql_value_type(value)))
            format_value(&text, value, false);
        else
            records_value(&text, value);
        put_field(out, buffer_view(&text), format);
        buffer_free(&text);
    }
    buffer_char(out, '\n');
}

static void separated_header(Buffer *out, contextql_statement *statement, Format format)
{
    int columns = contextql_column_count(statement);
    for (int c = 0; c < columns; c++) {
        if (c > 0) buffer_char(out, format == FORMAT_TSV ? '\t' : ',');
        put_field(out, str_from(contextql_column_name(statement, c)), format);
    }
    buffer_char(out, '\n');
}

static void json_row(Buffer *out, contextql_statement *statement)
{
    int columns = contextql_column_count(statement);
    buffer_char(out, '{');
    for (int c = 0; c < columns; c++) {
        if (c > 0) buffer_text(out, ", ");
        json_put_string(out, str_from(contextql_column_name(statement, c)));
        buffer_text(out, ": ");
        records_value(out, contextql_column(statement, c));
    }
    buffer_char(out, '}');
}

static void line_row(Buffer *out, contextql_statement *statement, uint64_t row)
{
    int columns = contextql_column_count(statement);
    if (row > 0) buffer_char(out, '\n');
    for (int c = 0; c < columns; c++) {
        buffer_printf(out, "%s = ", contextql_column_name(statement, c));
        format_value(out, contextql_column(statement, c), false);
        buffer_char(out, '\n');
    }
}

static void markdown_row(Buffer *out, contextql_statement *statement, bool header)
{
    int columns = contextql_column_count(statement);
    for (int c = 0; c < columns; c++) {
        Buffer text = {0};
        buffer_text(out, c == 0 ? "| " : " | ");
        if (header)
            buffer_text(&text, contextql_column_name(statement, c));
        else
            format_value(&text, contextql_column(statement, c), false);
        for (size_t i = 0; i < text.bytes; i++) {
            if (text.data[i] == '|') buffer_char(out, '\\');
            buffer_char(out, text.data[i] == '\n' ? ' ' : text.data[i]);
        }
        buffer_free(&text);
    }
    buffer_text(out, " |\n");
    for (int c = 0; header && c < columns; c++)
        buffer_text(out, c == 0 ? "| ---" : " | ---");
    if (header) buffer_text(out, " |\n");
}

static void put_row(Buffer *out, contextql_statement *statement, Format format, uint64_t row)
{
    if (format == FORMAT_CSV || format == FORMAT_TSV) separated_row(out, statement, format);
    if (format == FORMAT_LINE) line_row(out, statement, row);
    if (format == FORMAT_MARKDOWN) markdown_row(out, statement, false);
    if (format == FORMAT_JSON && row > 0) buffer_text(out, ",\n ");
    if (format == FORMAT_JSON || format == FORMAT_JSONL) json_row(out, statement);
    if (format == FORMAT_JSONL) buffer_char(out, '\n');
}

static void put_begin(Buffer *out, contextql_statement *statement, Format format)
{
    if (format == FORMAT_CSV || format == FORMAT_TSV) separated_header(out, statement, format);
    if (format == FORMAT_MARKDOWN) markdown_row(out, statement, true);
    if (format == FORMAT_JSON) buffer_char(out, '[');
}

int format_run(contextql *session, contextql_statement *statement, Str text, Format format,
               FILE *file, uint64_t *rows)
{
    Buffer out = {0};
    Table table = {0};
    bool has_rows = contextql_column_count(statement) > 0, begun = false;
    int result;
    *rows = 0;
    if (format == FORMAT_RECORDS) return records_run(session, statement, text, (Str){"", 0}, file);
    if (has_rows && format == FORMAT_TABLE) add_header(&table, statement);
    while ((result = contextql_step(statement)) == CONTEXTQL_ROW) {
        buffer_clear(&out);
        if (format == FORMAT_TABLE) {
            add_row(&table, statement);
        } else {
            if (!begun) put_begin(&out, statement, format);
            put_row(&out, statement, format, *rows);
            fwrite(out.data, 1, out.bytes, file);
        }
        begun = true;
        (*rows)++;
    }
    buffer_clear(&out);
    bool good = result == CONTEXTQL_DONE && has_rows;
    if (good && format != FORMAT_TABLE && !begun) put_begin(&out, statement, format);
    if (good && format == FORMAT_TABLE) put_table(&table, *rows, file);
    if (good && format == FORMAT_JSON) buffer_text(&out, "]\n");
    if (out.bytes > 0) fwrite(out.data, 1, out.bytes, file);
    buffer_free(&out);
    table_free(&table);
    return result;
}

/* ---- errors ---- */

/* A mark below `length` bytes of `line` from `offset` on: as far to the right as they stand. */
static void put_mark(FILE *file, Str line, size_t offset, size_t length)
{
    size_t marks = glyph_width((Str){line.data + offset, length});
    fputs("      | ", file);
    for (size_t at = 0; at < offset;) {
        bool tab = line.data[at] == '\t';
        size_t width = glyph_next((Str){line.data, offset}, &at);
        fprintf(file, "%*s", (int)(tab ? 0 : width), "");
        if (tab) fputc('\t', file);
    }
    fputc('^', file);
    for (size_t i = 1; i < marks; i++)
        fputc('~', file);
    fputc('\n', file);
}

void format_error(FILE *file, const contextql_error_info *info, const char *kind, const char *name,
                  Str text, size_t first_line)
{
    size_t line = first_line, start = 0;
    bool placed = info->offset != SIZE_MAX && info->offset <= text.bytes;
    for (size_t i = 0; placed && i < info->offset; i++)
        if (text.data[i] == '\n') line++, start = i + 1;
    size_t column = placed ? utf8_count((Str){text.data + start, info->offset - start}) : 0;
    if (name[0] != '\0' && placed)
        fprintf(file, "%s:%zu:%zu: ", name, line, column + 1);
    else if (name[0] != '\0')
        fprintf(file, "%s: ", name);
    fprintf(file, "%s[CQL%04d]: %s\n", kind, info->code, info->message);
    if (placed) {
        size_t end = start;
        while (end < text.bytes && text.data[end] != '\n')
            end++;
        size_t left = end > info->offset ? end - info->offset : 0,
               length = info->length < left ? info->length : left;
        Str whole = {text.data + start, end - start};
        fprintf(file, "%5zu | %.*s\n", line, STR_ARG(whole));
        put_mark(file, whole, info->offset - start, length);
    }
    if (info->hint[0] != '\0') fprintf(file, "hint: %s\n", info->hint);
}
