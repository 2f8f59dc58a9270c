/*
 * value_text.c - values as the language shows them, for people and for itself.
 *
 * A literal has to bring the value back: text in quotes with escapes, temporal values by their
 * functions, names in backticks where they need them.
 */
#include "config.h"

#include "format/value_text.h"
#include <math.h>

enum { SPARKLINE_COLUMNS = 16 };

static void put(Buffer *out, const contextql_value *value, ValueStyle style, bool inside);

static void put_text(Buffer *out, contextql_text text)
{
    buffer_append(out, text.data, text.size);
}

void value_text_name(Buffer *out, Str name)
{
    bool plain = name.bytes > 0 && !(name.data[0] >= '0' && name.data[0] <= '9');
    for (size_t i = 0; i < name.bytes; i++) {
        char c = name.data[i];
        plain = plain && ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                          (c >= '0' && c <= '9') || c == '_');
    }
    if (plain) {
        buffer_str(out, name);
        return;
    }
    buffer_char(out, '`');
    for (size_t i = 0; i < name.bytes; i++) {
        if (name.data[i] == '`') buffer_char(out, '`');
        buffer_char(out, name.data[i]);
    }
    buffer_char(out, '`');
}

static void put_name(Buffer *out, contextql_text name, ValueStyle style)
{
    if (style == VALUE_LITERAL)
        value_text_name(out, (Str){name.data, name.size});
    else
        put_text(out, name);
}

static void put_members(Buffer *out, const contextql_value *value, ValueStyle style)
{
    size_t count = contextql_value_count(value), shown = 0;
    buffer_char(out, '{');
    for (size_t i = 0; i < count; i++) {
        contextql_text key;
        const contextql_value *member = contextql_value_at(value, i, &key);
        if (shown++ > 0) buffer_text(out, ", ");
        put_name(out, key, style);
        buffer_text(out, ": ");
        put(out, member, style, true);
    }
    buffer_char(out, '}');
}

static void put_node(Buffer *out, const contextql_value *node, ValueStyle style)
{
    size_t labels = contextql_value_label_count(node);
    buffer_char(out, '(');
    for (size_t i = 0; i < labels; i++) {
        buffer_char(out, ':');
        put_name(out, contextql_value_label(node, i), style);
    }
    if (contextql_value_count(node) > 0) {
        if (labels > 0) buffer_char(out, ' ');
        put_members(out, node, style);
    }
    buffer_char(out, ')');
}

static void put_relationship(Buffer *out, const contextql_value *relationship, ValueStyle style)
{
    buffer_text(out, "[:");
    put_name(out, contextql_value_relationship_type(relationship), style);
    if (contextql_value_count(relationship) > 0) {
        buffer_char(out, ' ');
        put_members(out, relationship, style);
    }
    buffer_char(out, ']');
}

static void put_path(Buffer *out, const contextql_value *path, ValueStyle style)
{
    size_t count = contextql_value_count(path);
    for (size_t i = 0; i < count; i++) {
        const contextql_value *part = contextql_value_at(path, i, NULL);
        if (i % 2 == 0) {
            put_node(out, part, style);
            continue;
        }
        bool out_of = contextql_value_start_id(part) ==
                      contextql_value_id(contextql_value_at(path, i - 1, NULL));
        buffer_text(out, out_of ? "-" : "<-");
        put_relationship(out, part, style);
        buffer_text(out, out_of ? "->" : "-");
    }
}

static void put_list(Buffer *out, const contextql_value *list, ValueStyle style)
{
    size_t count = contextql_value_count(list);
    buffer_char(out, '[');
    for (size_t i = 0; i < count; i++) {
        if (i > 0) buffer_text(out, ", ");
        put(out, contextql_value_at(list, i, NULL), style, true);
    }
    buffer_char(out, ']');
}

static void put_quoted(Buffer *out, contextql_text text, ValueStyle style)
{
    bool literal = style == VALUE_LITERAL;
    buffer_char(out, '\'');
    for (size_t i = 0; i < text.size; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (c == '\'' || c == '\\')
            buffer_printf(out, "\\%c", c);
        else if (literal && c == '\n')
            buffer_text(out, "\\n");
        else if (literal && c == '\r')
            buffer_text(out, "\\r");
        else if (literal && c == '\t')
            buffer_text(out, "\\t");
        else if (literal && c < 0x20)
            buffer_printf(out, "\\u%04x", c);
        else
            buffer_char(out, (char)c);
    }
    buffer_char(out, '\'');
}

static void put_printed(Buffer *out, const contextql_value *value)
{
    int bytes = contextql_value_print(value, NULL, 0);
    char *to = buffer_reserve(out, (size_t)bytes);
    contextql_value_print(value, to, (size_t)bytes + 1);
    out->bytes += (size_t)bytes;
}

static void put_float(Buffer *out, double number, ValueStyle style)
{
    if (style == VALUE_LITERAL && !isfinite(number)) {
        buffer_text(out, isnan(number) ? "(0.0 / 0.0)"
                         : number > 0  ? "(1.0 / 0.0)"
                                       : "(-1.0 / 0.0)");
        return;
    }
    char *to = buffer_reserve(out, FLOAT_TEXT_MAX);
    out->bytes += float_print(to, number);
}

static void put_temporal(Buffer *out, const contextql_value *value, ValueStyle style)
{
    static const char *const functions[] = {
        [CONTEXTQL_DATE] = "date",         [CONTEXTQL_LOCAL_TIME] = "localtime",
        [CONTEXTQL_TIME] = "time",         [CONTEXTQL_LOCAL_DATETIME] = "localdatetime",
        [CONTEXTQL_DATETIME] = "datetime", [CONTEXTQL_DURATION] = "duration"};
    contextql_temporal temporal;
    if (style != VALUE_LITERAL || !contextql_value_temporal(value, &temporal)) {
        put_printed(out, value);
        return;
    }
    buffer_printf(out, "%s('", functions[temporal.kind]);
    put_printed(out, value);
    buffer_text(out, "')");
}

/* ---- vectors ---- */

static double group_mean(const float *vector, size_t from, size_t to)
{
    double sum = 0;
    for (size_t i = from; i < to; i++)
        sum += (double)vector[i];
    return sum / (double)(to - from);
}

void value_text_sparkline(Buffer *out, const float *vector, size_t dimensions, size_t columns)
{
    static const char *const bars[] = {"\u2581", "\u2582", "\u2583", "\u2584",
                                       "\u2585", "\u2586", "\u2587", "\u2588"};
    enum { BAR_COUNT = sizeof bars / sizeof *bars };
    if (columns > dimensions) columns = dimensions;
    double lowest = INFINITY, highest = -INFINITY;
    for (size_t c = 0; c < columns; c++) {
        double mean = group_mean(vector, c * dimensions / columns, (c + 1) * dimensions / columns);
        if (mean < lowest) lowest = mean;
        if (mean > highest) highest = mean;
    }
    for (size_t c = 0; c < columns; c++) {
        double mean = group_mean(vector, c * dimensions / columns, (c + 1) * dimensions / columns);
        double height = highest > lowest ? (mean - lowest) / (highest - lowest) : 0;
        buffer_text(out, bars[(size_t)(height * (BAR_COUNT - 1) + 0.5)]);
    }
}

void value_text_bar(Buffer *out, double share, size_t columns)
{
    static const char *const parts[] = {"",       "\u258f", "\u258e", "\u258d",
                                        "\u258c", "\u258b", "\u258a", "\u2589"};
    enum { PART_COUNT = sizeof parts / sizeof *parts };
    if (!(share > 0)) return;
    if (share > 1) share = 1;
    size_t filled = (size_t)(share * (double)(columns * PART_COUNT) + 0.5);
    if (filled == 0) filled = 1; /* little is not nothing */
    for (size_t i = 0; i < filled / PART_COUNT; i++)
        buffer_text(out, "\u2588");
    buffer_text(out, parts[filled % PART_COUNT]);
}

static void put_vector(Buffer *out, const contextql_value *value, ValueStyle style)
{
    if (style == VALUE_SHORT) {
        size_t dimensions;
        const float *vector = contextql_value_vector(value, &dimensions);
        value_text_sparkline(out, vector, dimensions, SPARKLINE_COLUMNS);
        buffer_printf(out, " (%zu)", dimensions);
        return;
    }
    if (style == VALUE_LITERAL) buffer_text(out, "vector(");
    put_printed(out, value);
    if (style == VALUE_LITERAL) buffer_char(out, ')');
}

static void put_bytes(Buffer *out, const contextql_value *value, ValueStyle style)
{
    if (style == VALUE_LITERAL) buffer_text(out, "bytes('");
    put_printed(out, value);
    if (style == VALUE_LITERAL) buffer_text(out, "')");
}

/* ---- any value ---- */

static void put(Buffer *out, const contextql_value *value, ValueStyle style, bool inside)
{
    switch (contextql_value_type(value)) {
    case CONTEXTQL_STRING:
        if (inside || style == VALUE_LITERAL)
            put_quoted(out, contextql_value_string(value), style);
        else
            put_text(out, contextql_value_string(value));
        break;
    case CONTEXTQL_INTEGER: buffer_integer(out, contextql_value_integer(value)); break;
    case CONTEXTQL_FLOAT: put_float(out, contextql_value_float(value), style); break;
    case CONTEXTQL_BYTES: put_bytes(out, value, style); break;
    case CONTEXTQL_TEMPORAL: put_temporal(out, value, style); break;
    case CONTEXTQL_LIST: put_list(out, value, style); break;
    case CONTEXTQL_MAP: put_members(out, value, style); break;
    case CONTEXTQL_VECTOR: put_vector(out, value, style); break;
    case CONTEXTQL_NODE: put_node(out, value, style); break;
    case CONTEXTQL_RELATIONSHIP: put_relationship(out, value, style); break;
    case CONTEXTQL_PATH: put_path(out, value, style); break;
    default: put_printed(out, value); break;
    }
}

void value_text(Buffer *out, const contextql_value *value, ValueStyle style)
{
    put(out, value, style, false);
}
