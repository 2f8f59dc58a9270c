/* markup.c - json, jsonl, markdown, html, and line: a row a block of lines. */
#include "config.h"

#include "base/json.h"
#include "format/format_internal.h"
#include "editor/glyph.h"
#include "format/records.h"
#include "format/value_text.h"

static Str name_of(const Result *result, size_t column)
{
    return str_from(contextql_column_name(result->statement, (int)column));
}

static const contextql_value *value_of(const Result *result, size_t column)
{
    return contextql_column(result->statement, (int)column);
}

/* ---- json ---- */

static void put_object(Result *result)
{
    buffer_char(&result->text, '{');
    for (size_t c = 0; c < result->columns; c++) {
        if (c > 0) buffer_text(&result->text, ", ");
        json_put_string(&result->text, name_of(result, c));
        buffer_text(&result->text, ": ");
        records_value(&result->text, value_of(result, c));
    }
    buffer_char(&result->text, '}');
}

void json_begin(Result *result)
{
    buffer_char(&result->text, '[');
}

void json_row(Result *result)
{
    if (result->rows > 0) buffer_text(&result->text, ",\n ");
    put_object(result);
}

void json_end(Result *result, bool good)
{
    if (good) buffer_text(&result->text, "]\n");
}

void jsonl_row(Result *result)
{
    put_object(result);
    buffer_char(&result->text, '\n');
}

/* ---- line ---- */

void line_row(Result *result)
{
    size_t widest = 0;
    for (size_t c = 0; c < result->columns; c++) {
        size_t width = glyph_width(name_of(result, c));
        if (width > widest) widest = width;
    }
    if (result->rows > 0) buffer_char(&result->text, '\n');
    for (size_t c = 0; c < result->columns; c++) {
        Str name = name_of(result, c);
        buffer_printf(&result->text, "%*s%.*s = ", (int)(widest - glyph_width(name)), "",
                      STR_ARG(name));
        value_text(&result->text, value_of(result, c), VALUE_PLAIN);
        buffer_char(&result->text, '\n');
    }
}

/* ---- markdown ---- */

static void put_markdown(Buffer *out, Str text)
{
    for (size_t i = 0; i < text.bytes; i++) {
        if (text.data[i] == '|') buffer_char(out, '\\');
        buffer_char(out, text.data[i] == '\n' ? ' ' : text.data[i]);
    }
}

void markdown_begin(Result *result)
{
    for (size_t c = 0; c < result->columns; c++) {
        buffer_text(&result->text, c == 0 ? "| " : " | ");
        put_markdown(&result->text, name_of(result, c));
    }
    buffer_text(&result->text, " |\n");
    for (size_t c = 0; c < result->columns; c++)
        buffer_text(&result->text, c == 0 ? "| ---" : " | ---");
    buffer_text(&result->text, " |\n");
}

void markdown_row(Result *result)
{
    for (size_t c = 0; c < result->columns; c++) {
        Buffer text = {0};
        value_text(&text, value_of(result, c), VALUE_PLAIN);
        buffer_text(&result->text, c == 0 ? "| " : " | ");
        put_markdown(&result->text, buffer_view(&text));
        buffer_free(&text);
    }
    buffer_text(&result->text, " |\n");
}

/* ---- html ---- */

static void put_html(Buffer *out, Str text)
{
    for (size_t i = 0; i < text.bytes; i++) {
        switch (text.data[i]) {
        case '<': buffer_text(out, "&lt;"); break;
        case '>': buffer_text(out, "&gt;"); break;
        case '&': buffer_text(out, "&amp;"); break;
        case '"': buffer_text(out, "&quot;"); break;
        default: buffer_char(out, text.data[i]); break;
        }
    }
}

void html_begin(Result *result)
{
    buffer_text(&result->text, "<table>\n<tr>");
    for (size_t c = 0; c < result->columns; c++) {
        buffer_text(&result->text, "<th>");
        put_html(&result->text, name_of(result, c));
        buffer_text(&result->text, "</th>");
    }
    buffer_text(&result->text, "</tr>\n");
}

void html_row(Result *result)
{
    buffer_text(&result->text, "<tr>");
    for (size_t c = 0; c < result->columns; c++) {
        const contextql_value *value = value_of(result, c);
        contextql_type type = contextql_value_type(value);
        bool number = type == CONTEXTQL_INTEGER || type == CONTEXTQL_FLOAT;
        Buffer text = {0};
        if (type != CONTEXTQL_NULL) value_text(&text, value, VALUE_PLAIN);
        buffer_text(&result->text, number ? "<td align=\"right\">" : "<td>");
        put_html(&result->text, buffer_view(&text));
        buffer_text(&result->text, "</td>");
        buffer_free(&text);
    }
    buffer_text(&result->text, "</tr>\n");
}

void html_end(Result *result, bool good)
{
    if (good) buffer_text(&result->text, "</table>\n");
}
