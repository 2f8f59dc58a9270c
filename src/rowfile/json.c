/*
 * json.c - rows of JSON: an object a line (jsonl), or a text of objects (json): the items of one list
 * around all, or objects one behind the other, over as many lines as they like. RFC 8259.
 *
 * Of a json file only where an object ends is looked for here, by brackets outside strings; what lies
 * in it is read as a line is.
 */
#include "config.h"

#include "base/json.h"
#include "rowfile/rowfile_internal.h"
#include "value/temporal.h"
#include <math.h>

static Value value_of(Arena *arena, const Json *json);

static Value map_of(Arena *arena, const Json *object)
{
    ValueEntry *entries = arena_array(arena, ValueEntry, object->count);
    for (size_t i = 0; i < object->count; i++)
        entries[i] =
            (ValueEntry){str_copy(arena, object->items[i].key), value_of(arena, &object->items[i])};
    return value_map(entries, object->count);
}

static bool vector_of(Arena *arena, const Json *list, Value *out)
{
    double number;
    if (list->count == 0 || list->count > VALUE_VECTOR_DIMENSIONS_MAX) return false;
    float *components = arena_array(arena, float, list->count);
    for (size_t i = 0; i < list->count; i++) {
        const Json *item = &list->items[i];
        if (item->kind != JSON_NUMBER || !float_parse(item->text, &number)) return false;
        components[i] = (float)number;
        if (!isfinite(components[i])) return false;
    }
    return *out = value_vector(components, list->count), true;
}

static bool special_float(Str text, Value *out)
{
    double number = str_equal(text, STR("NaN"))         ? NAN
                    : str_equal(text, STR("Infinity"))  ? INFINITY
                    : str_equal(text, STR("-Infinity")) ? -INFINITY
                                                        : 0;
    return *out = value_float(number), number != 0;
}

static bool temporal_of(Arena *arena, const Json *inside, Value *out)
{
    for (int kind = VALUE_DATE; kind <= VALUE_DURATION; kind++) {
        if (!str_equal(inside->key, str_from(temporal_tag((ValueKind)kind)))) continue;
        Error *error = temporal_parse(arena, (ValueKind)kind, inside->text, out);
        bool fits = error == NULL;
        error_drop(error);
        return fits;
    }
    return false;
}

/* {"$date": "2026-11-28"} and its kin, as COPY .. TO and --jsonl write what JSON has no value for. False: it
 * is none of them, and an object as any other. */
static bool value_of_tagged(Arena *arena, const Json *object, Value *out)
{
    const Json *inside = object->items;
    if (object->count != 1 || inside->key.bytes == 0 || inside->key.data[0] != '$') return false;
    if (inside->kind == JSON_OBJECT && str_equal(inside->key, STR("$map")))
        return *out = map_of(arena, inside), true;
    if (inside->kind == JSON_LIST && str_equal(inside->key, STR("$vector")))
        return vector_of(arena, inside, out);
    if (inside->kind != JSON_STRING) return false;
    if (str_equal(inside->key, STR("$float"))) return special_float(inside->text, out);
    return temporal_of(arena, inside, out);
}

static Value value_of(Arena *arena, const Json *json)
{
    int64_t integer;
    double number = 0;
    Value value;
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
    case JSON_OBJECT: return value_of_tagged(arena, json, &value) ? value : map_of(arena, json);
    }
    return value_null();
}

static Error *too_long(const RowFile *file)
{
    return rowfile_bad(file->path, file->row, "longer than 64 MiB");
}

static Error *take_object(RowFile *file, Arena *arena, Str text, const char *otherwise, Value *row)
{
    const Json *json;
    Error *error = json_parse(arena, text, &json);
    if (error != NULL) {
        char what[256];
        snprintf(what, sizeof what, "%s", error_message(error));
        error_drop(error);
        return rowfile_bad(file->path, file->row, what);
    }
    if (json->kind != JSON_OBJECT) return rowfile_bad(file->path, file->row, otherwise);
    *row = map_of(arena, json);
    return NULL;
}

/* ---- an object a line ---- */

/* A line into file->record, without what ends it; *more false: the file has ended. */
static Error *read_line(RowFile *file, bool *more)
{
    buffer_clear(&file->record);
    for (;;) {
        TRY(rowfile_fill(file, 1));
        size_t left = rowfile_at_hand(file);
        const char *begin = file->data + file->begin, *newline = memchr(begin, '\n', left);
        size_t bytes = newline == NULL ? left : (size_t)(newline - begin);
        buffer_append(&file->record, begin, bytes);
        file->begin += bytes + (newline != NULL);
        *more = newline != NULL || file->record.bytes > 0;
        if (file->record.bytes > ROWFILE_ROW_BYTES_MAX) return too_long(file);
        if (newline != NULL || left == 0) return NULL;
    }
}

Error *rowfile_json_line(RowFile *file, Arena *arena, Value *row)
{
    bool more;
    do {
        TRY(read_line(file, &more));
        if (!more) return NULL;
    } while (file->record.bytes == 0 || strspn(file->record.data, " \t\r") == file->record.bytes);
    return take_object(file, arena, buffer_view(&file->record), "a line is one JSON object", row);
}

/* ---- a text of objects ---- */

/* The next byte that is no blank, not taken; '\0': the file has ended. */
static Error *look_ahead(RowFile *file, char *out)
{
    for (*out = '\0';;) {
        TRY(rowfile_fill(file, 1));
        if (rowfile_at_hand(file) == 0) return NULL;
        char c = file->data[file->begin];
        if (c != ' ' && c != '\t' && c != '\n' && c != '\r') return *out = c, NULL;
        file->begin++;
    }
}

/* The object that begins here, in the buffer until the next read. What it holds is for the parser to
 * judge; here brackets of either kind count alike. */
static Error *read_object(RowFile *file, Str *out)
{
    size_t at = 0, depth = 0;
    bool string = false;
    do {
        TRY(rowfile_fill(file, at + 1));
        if (at >= rowfile_at_hand(file))
            return rowfile_bad(file->path, file->row, "the file ends inside it");
        if (at > ROWFILE_ROW_BYTES_MAX) return too_long(file);
        char c = file->data[file->begin + at++];
        if (string && c == '\\')
            at++; /* whatever comes behind it ends no string */
        else if (c == '"')
            string = !string;
        else if (!string && (c == '{' || c == '['))
            depth++;
        else if (!string && (c == '}' || c == ']'))
            depth--;
    } while (depth > 0);
    *out = (Str){file->data + file->begin, at};
    file->begin += at;
    return NULL;
}

/* Over the bracket or comma before the next object of the list, whose first byte *c becomes, or over the
 * list's end. */
static Error *go_on_in_list(RowFile *file, bool first, char *c)
{
    bool comma = *c == ',' && !first;
    if (first || comma) {
        file->begin++;
        TRY(look_ahead(file, c));
    } else if (*c != ']' && *c != '\0') {
        return rowfile_bad(file->path, file->row, "no comma before it");
    }
    if (*c == '\0') return rowfile_bad(file->path, file->row, "the file ends inside the list");
    if (*c != ']') return NULL;
    if (comma) return rowfile_bad(file->path, file->row, "no object behind the comma");
    file->begin++;
    file->json = JSON_DONE;
    return look_ahead(file, c);
}

/* Up to where the next object begins; *more false: there is none. */
static Error *go_to_object(RowFile *file, bool *more)
{
    char c;
    bool first = file->json == JSON_BEGIN;
    TRY(look_ahead(file, &c));
    if (first) file->json = c == '[' ? JSON_IN_LIST : JSON_LOOSE;
    if (file->json == JSON_IN_LIST) TRY(go_on_in_list(file, first, &c));
    *more = c != '\0';
    if (!*more || c == '{') return NULL;
    return rowfile_bad(file->path, file->row,
                       file->json == JSON_DONE
                           ? "something stands behind the list"
                           : "a row is a JSON object, alone or in one list of them");
}

Error *rowfile_json_object(RowFile *file, Arena *arena, Value *row)
{
    Str text;
    bool more;
    TRY(go_to_object(file, &more));
    if (!more) return NULL;
    TRY(read_object(file, &text));
    return take_object(file, arena, text, "a row is a JSON object", row);
}
