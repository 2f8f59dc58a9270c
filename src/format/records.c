/*
 * records.c - results as JSON records, one a line.
 *
 *     {"id": 7, "columns": ["n"]}           once, if the statement gives rows, also for no rows
 *     {"id": 7, "row": [value, ...]}        one a row
 *     {"id": 7, "done": {"rows": 1, "ms": 0.12, "stats": {"nodes_created": 1}}}
 *     {"id": 7, "error": {"type": .., "phase": .., "detail": .., "code": "CQL2101", ..}}
 *
 * The last record is always done or error.
 */
#include "config.h"

#include "base/json.h"
#include "format/records.h"
#include "format/value_text.h"

void records_value(Buffer *out, const contextql_value *value)
{
    contextql_text text;
    switch (contextql_value_type(value)) { /* of rows by the million these two are most */
    case CONTEXTQL_INTEGER: buffer_integer(out, contextql_value_integer(value)); return;
    case CONTEXTQL_STRING:
        text = contextql_value_string(value);
        json_put_string(out, (Str){text.data, text.size});
        return;
    default: text = contextql_value_json(value); buffer_append(out, text.data, text.size);
    }
}

static void put_place(Buffer *out, const contextql_error_info *info, Str text)
{
    if (info->offset == SIZE_MAX) return;
    size_t line = 1, start = 0;
    for (size_t i = 0; i < info->offset && i < text.bytes; i++)
        if (text.data[i] == '\n') line++, start = i + 1;
    Str before = {text.data + start, info->offset > start ? info->offset - start : 0};
    buffer_printf(out, ", \"line\": %zu, \"column\": %zu, \"length\": %zu", line,
                  utf8_count(before) + 1, info->length);
}

static void put_member(Buffer *out, const char *name, const char *text)
{
    buffer_printf(out, "\"%s\": ", name);
    json_put_string(out, str_from(text));
}

static void put_code(Buffer *out, const contextql_error_info *info, Str text)
{
    buffer_printf(out, "\"code\": \"CQL%04d\", ", info->code);
    put_member(out, "gqlstatus", info->status);
    buffer_text(out, ", ");
    put_member(out, "message", info->message);
    put_place(out, info, text);
    if (info->hint[0] != '\0') buffer_text(out, ", "), put_member(out, "hint", info->hint);
}

void records_error(Buffer *out, const contextql_error_info *info, Str text)
{
    put_member(out, "type", info->type);
    buffer_text(out, info->phase == CONTEXTQL_COMPILE_TIME ? ", \"phase\": \"compile time\", "
                                                           : ", \"phase\": \"runtime\", ");
    put_member(out, "detail", info->detail);
    buffer_text(out, ", ");
    put_code(out, info, text);
    if (info->expected_count == 0) return;
    buffer_text(out, ", \"expected\": [");
    for (size_t i = 0; i < info->expected_count; i++) {
        if (i > 0) buffer_text(out, ", ");
        json_put_string(out, str_from(info->expected[i]));
    }
    buffer_char(out, ']');
}

static void begin(Buffer *out, Str id, const char *member)
{
    buffer_clear(out);
    if (id.bytes > 0)
        buffer_printf(out, "{\"id\": %.*s, \"%s\": ", STR_ARG(id), member);
    else
        buffer_printf(out, "{\"%s\": ", member);
}

static void finish(Buffer *out, FILE *file)
{
    buffer_text(out, "}\n");
    fwrite(out->data, 1, out->bytes, file);
}

void records_failed(contextql *session, Str text, Str id, FILE *file)
{
    contextql_error_info info;
    contextql_error(session, &info);
    Buffer out = {0};
    begin(&out, id, "error");
    buffer_char(&out, '{');
    records_error(&out, &info, text);
    buffer_char(&out, '}');
    finish(&out, file);
    buffer_free(&out);
}

static void put_columns(Buffer *out, contextql_statement *statement, Str id, FILE *file)
{
    int columns = contextql_column_count(statement);
    begin(out, id, "columns");
    buffer_char(out, '[');
    for (int i = 0; i < columns; i++) {
        if (i > 0) buffer_text(out, ", ");
        json_put_string(out, str_from(contextql_column_name(statement, i)));
    }
    buffer_char(out, ']');
    finish(out, file);
}

static void put_row(Buffer *out, contextql_statement *statement, Str id, FILE *file)
{
    int columns = contextql_column_count(statement);
    begin(out, id, "row");
    buffer_char(out, '[');
    for (int i = 0; i < columns; i++) {
        if (i > 0) buffer_text(out, ", ");
        records_value(out, contextql_column(statement, i));
    }
    buffer_char(out, ']');
    finish(out, file);
}

static void put_stats(Buffer *out, const contextql_stats *stats)
{
    const struct {
        const char *name;
        uint64_t count;
    } counters[] = {
        {"nodes_created", stats->nodes_created},
        {"nodes_deleted", stats->nodes_deleted},
        {"relationships_created", stats->relationships_created},
        {"relationships_deleted", stats->relationships_deleted},
        {"properties_set", stats->properties_set},
        {"labels_added", stats->labels_added},
        {"labels_removed", stats->labels_removed},
    };
    const char *separator = "";
    buffer_printf(out, "{\"rows\": %llu, \"ms\": %.3f, \"stats\": {",
                  (unsigned long long)stats->rows, (double)stats->elapsed_ns / 1e6);
    for (size_t i = 0; i < sizeof counters / sizeof *counters; i++) {
        if (counters[i].count == 0) continue;
        buffer_printf(out, "%s\"%s\": %llu", separator, counters[i].name,
                      (unsigned long long)counters[i].count);
        separator = ", ";
    }
    buffer_char(out, '}');
}

static void put_done(Buffer *out, contextql_statement *statement, Str text, Str id, FILE *file)
{
    contextql_stats stats;
    contextql_statement_stats(statement, &stats);
    begin(out, id, "done");
    put_stats(out, &stats);
    for (size_t i = 0; i < stats.warning_count; i++) {
        contextql_error_info warning;
        if (contextql_statement_warning(statement, (int)i, &warning) != CONTEXTQL_OK) continue;
        buffer_text(out, i == 0 ? ", \"warnings\": [{" : ", {");
        put_code(out, &warning, text);
        buffer_char(out, '}');
    }
    buffer_text(out, stats.warning_count > 0 ? "]}" : "}");
    finish(out, file);
}

int records_run(contextql *session, contextql_statement *statement, Str text, Str id, FILE *file)
{
    Buffer out = {0};
    bool announced = contextql_column_count(statement) == 0;
    int result;
    while ((result = contextql_step(statement)) == CONTEXTQL_ROW) {
        if (!announced) put_columns(&out, statement, id, file);
        announced = true;
        put_row(&out, statement, id, file);
    }
    if (result == CONTEXTQL_DONE) {
        if (!announced) put_columns(&out, statement, id, file);
        put_done(&out, statement, text, id, file);
    } else {
        records_failed(session, text, id, file);
    }
    buffer_free(&out);
    return result;
}
