/* cell.c - cells as values of a named type. */
#include "config.h"

#include "base/json.h"
#include "rowfile/cell.h"
#include "value/temporal.h"
#include "vector/kernel.h"
#include <math.h>

static const struct {
    const char *name;
    ValueKind kind;
} plain[] = {{"INTEGER", VALUE_INTEGER},   {"FLOAT", VALUE_FLOAT},
             {"BOOLEAN", VALUE_BOOLEAN},   {"STRING", VALUE_STRING},
             {"DATE", VALUE_DATE},         {"LOCALTIME", VALUE_LOCAL_TIME},
             {"TIME", VALUE_TIME},         {"LOCALDATETIME", VALUE_LOCAL_DATETIME},
             {"DATETIME", VALUE_DATETIME}, {"DURATION", VALUE_DURATION}};

static bool plain_kind(Str text, ValueKind *out)
{
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
        if (str_equal_ignore_case(text, str_from(plain[i].name))) return *out = plain[i].kind, true;
    return false;
}

/* What stands between `open` and `close` behind `name`; false: the text is not of that form. */
static bool inside(Str text, Str name, char open, char close, Str *out)
{
    bool fits = text.bytes > name.bytes + 2 &&
                str_equal_ignore_case((Str){text.data, name.bytes}, name) &&
                text.data[name.bytes] == open && text.data[text.bytes - 1] == close;
    if (fits) *out = (Str){text.data + name.bytes + 1, text.bytes - name.bytes - 2};
    return fits;
}

bool cell_cast_parse(Str text, CellCast *out)
{
    Str part;
    int64_t dimensions;
    *out = (CellCast){.text = text};
    if (plain_kind(text, &out->kind)) return true;
    if (str_equal_ignore_case(text, STR("VECTOR"))) return out->kind = VALUE_VECTOR, true;
    if (inside(text, STR("LIST"), '<', '>', &part))
        return out->kind = VALUE_LIST, plain_kind(part, &out->element);
    if (!inside(text, STR("VECTOR"), '(', ')', &part) || !integer_parse(part, &dimensions) ||
        dimensions < 1 || dimensions > VECTOR_DIMENSIONS_MAX)
        return false;
    out->kind = VALUE_VECTOR;
    out->dimensions = (uint32_t)dimensions;
    return true;
}

static bool from_text(ValueKind kind, Arena *arena, Value *cell)
{
    Str text = value_text(*cell);
    int64_t integer;
    double number;
    bool truth = str_equal_ignore_case(text, STR("true"));
    if (kind == VALUE_STRING) return true;
    if (kind == VALUE_INTEGER)
        return integer_parse(text, &integer) && (*cell = value_integer(integer), true);
    if (kind == VALUE_FLOAT)
        return float_parse(text, &number) && (*cell = value_float(number), true);
    if (kind == VALUE_BOOLEAN) {
        if (!truth && !str_equal_ignore_case(text, STR("false"))) return false;
        return *cell = value_boolean(truth), true;
    }
    Value made;
    Error *error = temporal_parse(arena, kind, text, &made);
    if (error == NULL) *cell = made;
    bool good = error == NULL;
    error_drop(error); /* the row's own error says what was wanted */
    return good;
}

static bool to_plain(ValueKind kind, Arena *arena, Value *cell)
{
    if (cell->kind == kind || cell->kind == VALUE_NULL) return true;
    if (cell->kind == VALUE_STRING) return from_text(kind, arena, cell);
    if (kind == VALUE_FLOAT && cell->kind == VALUE_INTEGER)
        return *cell = value_float((double)cell->as.integer), true;
    return false;
}

/* A list of JSON scalars; NULL: the text is none. */
static const Json *json_list(Arena *arena, Str text)
{
    const Json *json;
    Error *error = json_parse(arena, text, &json);
    bool list = error == NULL && json->kind == JSON_LIST;
    error_drop(error);
    for (size_t i = 0; list && i < json->count; i++)
        list = json->items[i].kind != JSON_LIST && json->items[i].kind != JSON_OBJECT;
    return list ? json : NULL;
}

static Value json_scalar(Arena *arena, const Json *json)
{
    int64_t integer;
    double number = 0;
    switch (json->kind) {
    case JSON_TRUE:
    case JSON_FALSE: return value_boolean(json->kind == JSON_TRUE);
    case JSON_STRING: return value_string(str_copy(arena, json->text));
    case JSON_NUMBER:
        if (integer_parse(json->text, &integer)) return value_integer(integer);
        float_parse(json->text, &number);
        return value_float(number);
    case JSON_NULL:
    case JSON_LIST:
    case JSON_OBJECT: break;
    }
    return value_null();
}

static bool text_to_list(Arena *arena, Value *cell)
{
    const Json *json = json_list(arena, value_text(*cell));
    if (json == NULL) return false;
    Value *items = arena_array(arena, Value, json->count + 1);
    for (size_t i = 0; i < json->count; i++)
        items[i] = json_scalar(arena, &json->items[i]);
    *cell = value_list(items, (uint32_t)json->count);
    return true;
}

static bool to_list(ValueKind element, Arena *arena, Value *cell)
{
    Value list = *cell;
    if (list.kind == VALUE_STRING && !text_to_list(arena, &list)) return false;
    if (list.kind != VALUE_LIST) return false;
    Value *items = arena_array(arena, Value, list.aux + 1);
    for (uint32_t i = 0; i < list.aux; i++) {
        items[i] = list.as.items[i];
        if (items[i].kind == VALUE_NULL || !to_plain(element, arena, &items[i])) return false;
    }
    *cell = value_list(items, list.aux);
    return true;
}

static bool to_vector(uint32_t dimensions, Arena *arena, Value *cell)
{
    Value list = *cell;
    if (list.kind == VALUE_VECTOR) return dimensions == 0 || list.aux == dimensions;
    if (list.kind == VALUE_STRING && !text_to_list(arena, &list)) return false;
    if (list.kind != VALUE_LIST || list.aux == 0 || list.aux > VECTOR_DIMENSIONS_MAX) return false;
    if (dimensions != 0 && list.aux != dimensions) return false;
    float *components = arena_array(arena, float, list.aux);
    for (uint32_t i = 0; i < list.aux; i++) {
        if (!value_is_number(list.as.items[i])) return false;
        components[i] = (float)value_as_double(list.as.items[i]);
        if (!isfinite(components[i])) return false;
    }
    *cell = value_vector(components, list.aux);
    return true;
}

bool cell_cast_apply(const CellCast *cast, Arena *arena, Value *cell)
{
    if (cell->kind == VALUE_NULL) return true;
    if (cast->kind == VALUE_LIST) return to_list(cast->element, arena, cell);
    if (cast->kind == VALUE_VECTOR) return to_vector(cast->dimensions, arena, cell);
    return to_plain(cast->kind, arena, cell);
}
