/*
 * separated.c - csv and tsv: what other programs read, as fast as it can be written.
 *
 * Null is the empty field; the empty text is "" in CSV. Lists, maps, vectors and entities are JSON
 * text, so that nothing is lost.
 */
#include "config.h"

#include "base/csv.h"
#include "format/format_internal.h"
#include "format/records.h"
#include "format/value_text.h"

/* ---- tsv: a tab, a line end and a backslash are written \t, \n, \\ ---- */

static void put_tsv(Buffer *out, Str text, bool null)
{
    for (size_t i = 0; i < text.bytes; i++) {
        char c = text.data[i];
        if (null && c != '\t')
            buffer_char(out, c); /* a NUL ends the row: a line end is part of the text */
        else if (c == '\t')
            buffer_text(out, null ? " " : "\\t");
        else if (c == '\n')
            buffer_text(out, "\\n");
        else if (c == '\\')
            buffer_text(out, "\\\\");
        else
            buffer_char(out, c);
    }
}

/* ---- both ---- */

static void put_field(Result *result, Str text, bool csv)
{
    if (csv)
        csv_put_field(&result->text, text, ',', '"');
    else
        put_tsv(&result->text, text, result->output->null);
}

static void put_value(Result *result, const contextql_value *value, bool csv)
{
    Buffer text = {0};
    contextql_text string;
    switch (contextql_value_type(value)) {
    case CONTEXTQL_NULL: return;
    case CONTEXTQL_BOOLEAN:
    case CONTEXTQL_INTEGER:
    case CONTEXTQL_FLOAT: value_text(&result->text, value, VALUE_PLAIN); return;
    case CONTEXTQL_STRING:
        string = contextql_value_string(value);
        put_field(result, (Str){string.data, string.size}, csv);
        return;
    case CONTEXTQL_TEMPORAL:
    case CONTEXTQL_BYTES: value_text(&text, value, VALUE_PLAIN); break;
    default: records_value(&text, value); break;
    }
    put_field(result, buffer_view(&text), csv);
    buffer_free(&text);
}

static void put_row(Result *result, bool csv)
{
    for (size_t c = 0; c < result->columns; c++) {
        if (c > 0) buffer_char(&result->text, csv ? ',' : '\t');
        put_value(result, contextql_column(result->statement, (int)c), csv);
    }
    buffer_char(&result->text, result->output->null ? '\0' : '\n');
}

static void put_header(Result *result, bool csv)
{
    if (result->output->null) return;
    for (size_t c = 0; c < result->columns; c++) {
        if (c > 0) buffer_char(&result->text, csv ? ',' : '\t');
        put_field(result, str_from(contextql_column_name(result->statement, (int)c)), csv);
    }
    buffer_char(&result->text, '\n');
}

void csv_begin(Result *result)
{
    put_header(result, true);
}

void csv_row(Result *result)
{
    put_row(result, true);
}

void tsv_begin(Result *result)
{
    put_header(result, false);
}

void tsv_row(Result *result)
{
    put_row(result, false);
}
