/*
 * export.c - COPY (query) TO file: csv, tsv, or one JSON object a row.
 *
 * Rows go to a file beside the one that is meant, which takes its place when all of them are
 * written: who fails half-way leaves what was there before. What is no regular file (a pipe, a
 * terminal, a link to whatever) is written through. Fields are those that COPY FROM reads back: null is empty, an empty
 * text is quoted, and what is no text or number is JSON (expression/json.h).
 */
#include "config.h"

#include "base/csv.h"
#include "base/json.h"
#include "command/command_internal.h"
#include "expression/json.h"
#include "rowfile/rowfile.h"
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

typedef enum ExportFormat { EXPORT_CSV, EXPORT_TSV, EXPORT_JSONL, EXPORT_JSON } ExportFormat;
enum { EXPORT_FLUSH_BYTES = 1 << 16 };

typedef struct Export {
    const Plan *plan;
    const char *path, *beside; /* beside NULL: written directly */
    FILE *file;
    ExportFormat format;
    bool header;
    char delimiter, quote;
    Str null;
    Buffer text, field;
    Arena *arena; /* of one row */
    const EntityReader *reader;
    uint64_t written;
} Export;

/* ---- options ---- */

static Str text_of(Value options, const char *name, Str fallback)
{
    const Value *found = options.kind == VALUE_MAP ? value_map_get(options, str_from(name)) : NULL;
    return found != NULL && found->kind == VALUE_STRING ? value_text(*found) : fallback;
}

static Error *choose_format(Export *export, Value options)
{
    static const char *const names[] = {"csv", "tsv", "jsonl", "json"};
    const char *dot = strrchr(export->path, '.');
    Str name = text_of(options, "format", str_from(dot == NULL ? "" : dot + 1));
    for (int i = 0; i < 4; i++)
        if (str_equal_ignore_case(name, str_from(names[i])))
            return export->format = (ExportFormat)i, NULL;
    return error_hint(error_new(ERROR_ARGUMENT_VALUE, "%s: no format to write", export->path),
                      "csv, tsv, jsonl and json go by the file's name or USING {format: 'csv'}");
}

static Error *read_options(Export *export, Value options)
{
    TRY(rowfile_check_options(options, FILE_WRITE));
    TRY(choose_format(export, options));
    Str delimiter = export->format == EXPORT_TSV ? STR("\t") : STR(",");
    const Value *header = options.kind == VALUE_MAP ? value_map_get(options, STR("header")) : NULL;
    export->header = header == NULL || header->kind == VALUE_NULL || header->as.boolean;
    export->delimiter = text_of(options, "delimiter", delimiter).data[0];
    export->quote = text_of(options, "quote", STR("\"")).data[0];
    export->null = text_of(options, "null", export->null);
    return NULL;
}

/* ---- rows ---- */

static Error *failed(const Export *export)
{
    int reason = errno;
    return error_new(reason == ENOSPC ? ERROR_FULL : ERROR_IO, "%s: %s", export->path,
                     strerror(reason));
}

static Error *send(Export *export)
{
    size_t bytes = export->text.bytes;
    bool good = bytes == 0 || fwrite(export->text.data, 1, bytes, export->file) == bytes;
    buffer_clear(&export->text);
    return good ? NULL : failed(export);
}

static bool is_json(const Export *export)
{
    return export->format == EXPORT_JSONL || export->format == EXPORT_JSON;
}

static void put_field(Export *export, Value value)
{
    Buffer *out = &export->text;
    if (value.kind == VALUE_NULL) {
        buffer_str(out, export->null);
        return;
    }
    if (value.kind == VALUE_STRING) {
        csv_put_field(out, value_text(value), export->delimiter, export->quote);
        return;
    }
    Buffer *text = &export->field;
    buffer_clear(text);
    bool plain =
        value.kind <= VALUE_BYTES || (value.kind >= VALUE_DATE && value.kind <= VALUE_DURATION);
    if (plain)
        value_print(text, value, false);
    else
        value_json(text, value, export->reader, export->arena);
    csv_put_field(out, buffer_view(text), export->delimiter, export->quote);
}

static void put_row(Export *export, const Batch *batch, uint32_t position)
{
    const PlanNode *root = export->plan->root;
    Buffer *out = &export->text;
    bool json = is_json(export);
    if (export->format == EXPORT_JSON) buffer_text(out, export->written == 0 ? "[\n" : ",\n");
    if (json) buffer_char(out, '{');
    for (uint32_t c = 0; c < root->slot_count; c++) {
        Value value = column_value(&batch->columns[root->slots[c]], position);
        if (c > 0 && json) buffer_text(out, ", ");
        if (c > 0 && !json) buffer_char(out, export->delimiter);
        if (json) {
            json_put_string(out, export->plan->copied[c]);
            buffer_text(out, ": ");
            value_json(out, value, export->reader, export->arena);
        } else {
            put_field(export, value);
        }
    }
    if (json) buffer_char(out, '}');
    if (export->format != EXPORT_JSON) buffer_char(out, '\n');
    arena_reset(export->arena);
}

static void put_header(Export *export)
{
    if (!export->header || is_json(export)) return;
    for (uint32_t c = 0; c < export->plan->root->slot_count; c++) {
        if (c > 0) buffer_char(&export->text, export->delimiter);
        csv_put_field(&export->text, export->plan->copied[c], export->delimiter, export->quote);
    }
    buffer_char(&export->text, '\n');
}

/* A list of JSON, which other programs read whole, is closed. */
static void put_end(Export *export)
{
    if (export->format == EXPORT_JSON)
        buffer_text(&export->text, export->written == 0 ? "[]\n" : "\n]\n");
}

static Error *put_batch(Export *export, const Batch *batch)
{
    for (uint32_t i = 0; i < batch->selected_count; i++) {
        uint32_t position = batch_position(batch, i);
        for (uint64_t n = batch_multiplicity(batch, position); n > 0; n--) {
            put_row(export, batch, position);
            export->written++;
            if (export->text.bytes >= EXPORT_FLUSH_BYTES) TRY(send(export));
        }
    }
    return NULL;
}

static Error *put_all(Export *export, Execution *execution)
{
    const Batch *batch;
    put_header(export);
    for (;;) {
        TRY(execution_next(execution, &batch));
        if (batch == NULL) return put_end(export), send(export);
        TRY(put_batch(export, batch));
    }
}

/* ---- the file ---- */

static Error *open_target(Export *export, Arena *arena)
{
    struct stat there;
    bool special = lstat(export->path, &there) == 0 && !S_ISREG(there.st_mode);
    if (!special) export->beside = arena_printf(arena, "%s.%ld.part", export->path, (long)getpid());
    export->file = fopen(special ? export->path : export->beside, "wb");
    return export->file == NULL ? failed(export) : NULL;
}

static Error *close_target(Export *export, Error *error)
{
    if (export->file != NULL && fclose(export->file) != 0 && error == NULL) error = failed(export);
    if (export->file == NULL || export->beside == NULL) return error;
    if (error == NULL && rename(export->beside, export->path) != 0) error = failed(export);
    if (error != NULL) unlink(export->beside);
    return error;
}

static Error *run(Export *export, Arena *arena, const ExecutionEnvironment *environment,
                  ExecutionStats *stats)
{
    Execution *execution;
    TRY(execution_open(arena, export->plan, environment, &execution));
    export->reader = execution_reader(execution);
    Error *error = open_target(export, arena);
    if (error == NULL) error = put_all(export, execution);
    error = close_target(export, error);
    *stats = *execution_stats(execution);
    execution_close(execution);
    return error;
}

Error *copy_to(Arena *arena, const Plan *plan, const ExecutionEnvironment *environment,
               CommandTable *out)
{
    EvalContext context = {.arena = arena, .parameters = environment->parameters};
    Batch empty = {.row_count = 1, .selected_count = 1};
    Value target, options = value_null();
    Export export = {.plan = plan};
    ExecutionStats stats = {0};
    TRY(expr_evaluate(plan->source, &context, &empty, 0, &target));
    if (plan->options != NULL) TRY(expr_evaluate(plan->options, &context, &empty, 0, &options));
    TRY(execution_path(environment, arena, target, &export.path));
    TRY(read_options(&export, options));
    export.arena = arena_create();
    Error *error = run(&export, arena, environment, &stats);
    arena_destroy(export.arena);
    buffer_free(&export.text);
    buffer_free(&export.field);
    TRY(error);
    Value *row = arena_array(arena, Value, 1);
    row[0] = value_integer((int64_t) export.written);
    *out = (CommandTable){row, 1, 1, stats};
    return NULL;
}
