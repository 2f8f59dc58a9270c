/*
 * format.c - a result is written by one of these formats.
 *
 * Most write each row as it comes. Tables wait for all rows, because a column is as wide as its
 * widest cell; drawings, because a relationship may come before its nodes.
 */
#include "config.h"

#include "format/format_internal.h"
#include "format/records.h"

enum { SEND_BYTES = 1 << 16 }; /* rows are sent together, but for a terminal and -u */

static void nothing(Result *result)
{
    (void)result;
}

static void nothing_more(Result *result, bool good)
{
    (void)result, (void)good;
}

static const struct {
    const char *name;
    FormatCalls calls; /* none: records.c runs the statement itself */
} formats[FORMAT_COUNT] = {
    [FORMAT_TABLE] = {"table", {table_begin, table_row, table_end}},
    [FORMAT_BOX] = {"box", {table_begin, table_row, table_end}},
    [FORMAT_MARKDOWN] = {"markdown", {markdown_begin, markdown_row, nothing_more}},
    [FORMAT_CSV] = {"csv", {csv_begin, csv_row, nothing_more}},
    [FORMAT_TSV] = {"tsv", {tsv_begin, tsv_row, nothing_more}},
    [FORMAT_JSON] = {"json", {json_begin, json_row, json_end}},
    [FORMAT_JSONL] = {"jsonl", {nothing, jsonl_row, nothing_more}},
    [FORMAT_RECORDS] = {"records", {NULL, NULL, NULL}},
    [FORMAT_LINE] = {"line", {nothing, line_row, nothing_more}},
    [FORMAT_HTML] = {"html", {html_begin, html_row, html_end}},
    [FORMAT_STATEMENTS] = {"statements", {drawing_begin, drawing_row, drawing_end_statements}},
    [FORMAT_DOT] = {"dot", {drawing_begin, drawing_row, drawing_end_dot}},
    [FORMAT_GRAPH] = {"graph", {drawing_begin, drawing_row, drawing_end_graph}},
};

bool format_find(const char *name, Format *out)
{
    for (int i = 0; i < FORMAT_COUNT; i++)
        if (strcmp(name, formats[i].name) == 0) return *out = (Format)i, true;
    return false;
}

const char *format_name(Format format)
{
    return formats[format].name;
}

static void tell_before(const Output *output)
{
    if (output->before != NULL) output->before(output->before_state);
}

static void send(Result *result)
{
    if (result->text.bytes > 0) tell_before(result->output);
    if (result->text.bytes > 0)
        fwrite(result->text.data, 1, result->text.bytes, result->output->file);
    buffer_clear(&result->text);
}

/* In tables a plan is drawn. */
static const FormatCalls *calls_of(const Output *output, Str text)
{
    static const FormatCalls plan = {plan_begin, plan_row, plan_end};
    bool table = output->format == FORMAT_TABLE || output->format == FORMAT_BOX;
    Str word = table ? format_first_word(text) : STR("");
    bool explained =
        str_equal_ignore_case(word, STR("EXPLAIN")) || str_equal_ignore_case(word, STR("PROFILE"));
    return explained ? &plan : &formats[output->format].calls;
}

int format_run(contextql *session, contextql_statement *statement, Str text, const Output *output)
{
    const FormatCalls *calls = calls_of(output, text);
    Result result = {.statement = statement,
                     .output = output,
                     .columns = (size_t)contextql_column_count(statement)};
    bool begun = false;
    int code;
    if (output->format == FORMAT_RECORDS)
        return records_run(session, statement, text, (Str){"", 0}, output->file);
    while ((code = contextql_step(statement)) == CONTEXTQL_ROW) {
        if (output->each != NULL) output->each(output->each_state, statement, !begun);
        if (!begun) calls->begin(&result); /* not before the first row: the statement may fail */
        begun = true;
        calls->row(&result);
        result.rows++;
        if (output->unbuffered || result.text.bytes >= SEND_BYTES) send(&result);
        if (output->unbuffered) fflush(output->file);
        if (ferror(output->file)) {
            code = FORMAT_NOT_WRITTEN;
            break;
        }
    }
    bool good = code == CONTEXTQL_DONE;
    if (good && !begun && result.columns > 0) calls->begin(&result), begun = true;
    tell_before(output);
    if (begun) calls->end(&result, good);
    send(&result);
    buffer_free(&result.text);
    return code;
}
