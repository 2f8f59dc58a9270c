/*
 * report.c - errors and warnings.
 *
 *     file.cql:1:22: error[CQL2104]: no such function: cosin
 *       1 | MATCH (d:Doc) RETURN cosin(d.v, $q)
 *         |                      ^~~~~
 *     hint: did you mean vector.cosine?
 *
 * As JSON: {"error": {"file": "file.cql", "line": 1, "column": 22, "code": "CQL2104", ..}}, members
 * as in the records of --jsonl.
 */
#include "config.h"

#include "base/json.h"
#include "editor/glyph.h"
#include "format/records.h"
#include "format/report.h"

/* ---- places ---- */

Place place_of(const char *name, Str text)
{
    return (Place){.name = name, .text = text, .line = 1};
}

void place_advance(Place *place, const char *to)
{
    for (const char *at = place->text.data + place->offset; at < to; at++) {
        place->offset++;
        if (*at != '\n') continue;
        place->line++;
        place->text.data += place->offset;
        place->text.bytes -= place->offset;
        place->offset = 0;
    }
}

/* ---- for people ---- */

static void begin_style(const Report *report, ThemePart part)
{
    Buffer style = {0};
    theme_begin(report->theme, part, &style);
    if (style.bytes > 0) fputs(style.data, report->file);
    buffer_free(&style);
}

static void end_style(const Report *report, ThemePart part)
{
    Buffer style = {0};
    theme_end(report->theme, part, &style);
    if (style.bytes > 0) fputs(style.data, report->file);
    buffer_free(&style);
}

static void put_kind(const Report *report, const char *kind, int code)
{
    ThemePart part = strcmp(kind, "error") == 0 ? THEME_ERROR : THEME_WARNING;
    begin_style(report, part);
    fputs(kind, report->file);
    if (code != 0) fprintf(report->file, "[CQL%04d]", code);
    end_style(report, part);
    fputs(": ", report->file);
}

static void put_hint(const Report *report, const char *hint)
{
    if (hint[0] == '\0') return;
    begin_style(report, THEME_HINT);
    fputs("hint", report->file);
    end_style(report, THEME_HINT);
    fprintf(report->file, ": %s\n", hint);
}

/* A mark below `length` bytes of `line` from `offset` on: as far to the right as they stand. */
static void put_mark(const Report *report, Str line, size_t offset, size_t length)
{
    size_t marks = glyph_width((Str){line.data + offset, length});
    FILE *file = report->file;
    fputs("      | ", file);
    for (size_t at = 0; at < offset;) {
        bool tab = line.data[at] == '\t';
        size_t width = glyph_next((Str){line.data, offset}, &at);
        fprintf(file, "%*s", (int)(tab ? 0 : width), "");
        if (tab) fputc('\t', file);
    }
    begin_style(report, THEME_ERROR);
    fputc('^', file);
    for (size_t i = 1; i < marks; i++)
        fputc('~', file);
    end_style(report, THEME_ERROR);
    fputc('\n', file);
}

static void put_source(const Report *report, const Place *at, size_t length)
{
    size_t end = 0;
    while (end < at->text.bytes && at->text.data[end] != '\n')
        end++;
    size_t left = end > at->offset ? end - at->offset : 0;
    Str line = {at->text.data, end};
    fprintf(report->file, "%5zu | %.*s\n", at->line, STR_ARG(line));
    put_mark(report, line, at->offset, length < left ? length : left);
}

/* ---- as JSON ---- */

static void begin_record(Buffer *out, const char *kind, const char *name)
{
    buffer_printf(out, "{\"%s\": {", kind);
    if (name[0] == '\0') return;
    buffer_text(out, "\"file\": ");
    json_put_string(out, str_from(name));
    buffer_text(out, ", ");
}

static void end_record(const Report *report, Buffer *out)
{
    buffer_text(out, "}}\n");
    fwrite(out->data, 1, out->bytes, report->file);
    buffer_free(out);
}

static void put_message(Buffer *out, const char *message, const char *hint)
{
    buffer_text(out, "\"message\": ");
    json_put_string(out, str_from(message));
    if (hint[0] == '\0') return;
    buffer_text(out, ", \"hint\": ");
    json_put_string(out, str_from(hint));
}

/* ---- what is told ---- */

void report_statement(const Report *report, const char *kind, const contextql_error_info *info,
                      const Place *place)
{
    Place at = *place;
    bool placed = info->offset != SIZE_MAX && info->offset <= at.text.bytes - at.offset;
    if (placed) place_advance(&at, at.text.data + at.offset + info->offset);
    size_t column = utf8_count((Str){at.text.data, at.offset}) + 1;
    if (report->json) {
        Buffer out = {0};
        begin_record(&out, kind, place->name);
        if (placed)
            buffer_printf(&out, "\"line\": %zu, \"column\": %zu, \"length\": %zu, ", at.line,
                          column, info->length);
        contextql_error_info unplaced = *info;
        unplaced.offset = SIZE_MAX;
        records_error(&out, &unplaced, STR(""));
        end_record(report, &out);
        return;
    }
    if (place->name[0] != '\0' && placed)
        fprintf(report->file, "%s:%zu:%zu: ", place->name, at.line, column);
    else if (place->name[0] != '\0')
        fprintf(report->file, "%s: ", place->name);
    put_kind(report, kind, info->code);
    fprintf(report->file, "%s\n", info->message);
    if (placed) put_source(report, &at, info->length);
    put_hint(report, info->hint);
}

void report_command(const Report *report, const char *name, size_t line, const Error *error)
{
    if (report->json) {
        Buffer out = {0};
        begin_record(&out, "error", name);
        if (name[0] != '\0') buffer_printf(&out, "\"line\": %zu, ", line);
        put_message(&out, error_message(error), error_hint_text(error));
        end_record(report, &out);
        return;
    }
    if (name[0] != '\0') fprintf(report->file, "%s:%zu: ", name, line);
    put_kind(report, "error", 0);
    fprintf(report->file, "%s\n", error_message(error));
    put_hint(report, error_hint_text(error));
}

void report_program(const Report *report, const char *message, const char *hint)
{
    if (report->json) {
        Buffer out = {0};
        begin_record(&out, "error", "");
        put_message(&out, message, hint);
        end_record(report, &out);
        return;
    }
    fprintf(report->file, "contextql: %s\n", message);
    put_hint(report, hint);
}
