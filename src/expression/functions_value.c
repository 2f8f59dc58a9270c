/* functions_value.c - functions over lists, entities, paths, conversions and vectors. */
#include "config.h"

#include "expression/functions_internal.h"
#include <math.h>
#include <stdio.h>

#define CALL(name)                                                                                 \
    Error *function_##name(EvalContext *context, const Function *function, const Value *args,      \
                           uint32_t count, Value *out)
#define UNUSED (void)context, (void)function, (void)args, (void)count

CALL(size)
{
    UNUSED;
    if (args[0].kind == VALUE_LIST) return *out = value_integer(args[0].aux), NULL;
    if (args[0].kind == VALUE_STRING)
        return *out = value_integer((int64_t)utf8_count(value_text(args[0]))), NULL;
    return function_wrong(function, args[0]);
}

CALL(length)
{
    UNUSED;
    if (args[0].kind != VALUE_PATH) return function_wrong(function, args[0]);
    return *out = value_integer(args[0].aux / 2), NULL;
}

CALL(head)
{
    UNUSED;
    if (args[0].kind != VALUE_LIST) return function_wrong(function, args[0]);
    if (args[0].aux > 0) *out = args[0].as.items[0];
    return NULL;
}

CALL(last)
{
    UNUSED;
    if (args[0].kind != VALUE_LIST) return function_wrong(function, args[0]);
    if (args[0].aux > 0) *out = args[0].as.items[args[0].aux - 1];
    return NULL;
}

CALL(tail)
{
    UNUSED;
    if (args[0].kind != VALUE_LIST) return function_wrong(function, args[0]);
    *out = args[0].aux == 0 ? args[0] : value_list(args[0].as.items + 1, args[0].aux - 1);
    return NULL;
}

Error *integer_range(const Value *args, uint32_t count, IntegerRange *out)
{
    int64_t step = 1;
    for (uint32_t i = 0; i < count; i++)
        if (args[i].kind != VALUE_INTEGER)
            return error_new(ERROR_ARGUMENT_KIND, "range() wants integers, not %s",
                             value_kind_name((ValueKind)args[i].kind));
    if (count == 3) step = args[2].as.integer;
    if (step == 0) return error_new(ERROR_ARGUMENT_RANGE, "the step of range() cannot be 0");
    __int128 from = args[0].as.integer, to = args[1].as.integer;
    __int128 elements = (to - from) / step + 1;
    if ((step > 0 && from > to) || (step < 0 && from < to)) elements = 0;
    if (elements > INT64_MAX) elements = INT64_MAX; /* nobody lives to see the last of them */
    *out = (IntegerRange){args[0].as.integer, step, (uint64_t)elements};
    return NULL;
}

enum {
    RANGE_ELEMENTS_MAX = 50000000, /* 800 MB of values: more is a mistake */
    RANGE_STRETCH = 1 << 20        /* between two looks at whether the statement is to stop */
};

CALL(range)
{
    UNUSED;
    IntegerRange range;
    const Interrupt *interrupt = context->interrupt;
    TRY(integer_range(args, count, &range));
    if (range.count > RANGE_ELEMENTS_MAX)
        return error_hint(error_new(ERROR_LIMIT,
                                    "a list that range() gives has at most %d elements",
                                    RANGE_ELEMENTS_MAX),
                          "UNWIND range(..) makes no list and has no limit");
    TRY(error_if_short((size_t)range.count * sizeof(Value)));
    Value *items = arena_alloc(context->arena, (size_t)range.count * sizeof *items);
    for (uint64_t i = 0; i < range.count; i++) {
        items[i] = value_integer(range.from + (int64_t)i * range.step);
        if (i % RANGE_STRETCH == 0 && interrupt != NULL && interrupt->stop(interrupt->state))
            return error_new(ERROR_CANCELLED, "the statement was cancelled");
    }
    *out = value_list(items, (size_t)range.count);
    return NULL;
}

static Value reversed_text(Arena *arena, Str text)
{
    char *data = arena_alloc(arena, text.bytes);
    size_t at = 0;
    while (at < text.bytes) {
        size_t from = at;
        utf8_next(text, &at);
        memcpy(data + text.bytes - at, text.data + from, at - from);
    }
    return value_string((Str){data, text.bytes});
}

CALL(reverse)
{
    UNUSED;
    if (args[0].kind == VALUE_STRING)
        return *out = reversed_text(context->arena, value_text(args[0])), NULL;
    if (args[0].kind != VALUE_LIST) return function_wrong(function, args[0]);
    Value *items = arena_alloc(context->arena, args[0].aux * sizeof *items);
    for (uint32_t i = 0; i < args[0].aux; i++)
        items[i] = args[0].as.items[args[0].aux - 1 - i];
    *out = value_list(items, args[0].aux);
    return NULL;
}

/* Of these openCypher says that the value, not the kind of the argument, is wrong. */
static Error *function_bad_value(const Function *function, Value value)
{
    return error_new(ERROR_ARGUMENT_VALUE, "%.*s() cannot take %s", STR_ARG(function->name),
                     value_kind_name((ValueKind)value.kind));
}

static bool is_entity(Value value)
{
    return value.kind == VALUE_NODE || value.kind == VALUE_RELATIONSHIP;
}

CALL(properties)
{
    UNUSED;
    if (args[0].kind == VALUE_MAP) return *out = args[0], NULL;
    if (!is_entity(args[0])) return function_wrong(function, args[0]);
    return context->reader->properties(context->reader->state, args[0], context->arena, out);
}

CALL(keys)
{
    Value map;
    TRY(function_properties(context, function, args, count, &map));
    Value *items = arena_alloc(context->arena, map.aux * sizeof *items);
    for (uint32_t i = 0; i < map.aux; i++)
        items[i] = value_string(map.as.entries[i].key);
    *out = value_list(items, map.aux);
    return NULL;
}

CALL(labels)
{
    UNUSED;
    if (args[0].kind != VALUE_NODE) return function_bad_value(function, args[0]);
    return context->reader->labels(context->reader->state, args[0].as.id, context->arena, out);
}

CALL(type)
{
    UNUSED;
    Str type;
    if (args[0].kind != VALUE_RELATIONSHIP) return function_bad_value(function, args[0]);
    TRY(context->reader->type(context->reader->state, args[0].as.id, &type));
    return *out = value_string(type), NULL;
}

CALL(id)
{
    UNUSED;
    if (!is_entity(args[0])) return function_wrong(function, args[0]);
    return *out = value_integer((int64_t)entity_id(args[0].as.id)), NULL;
}

CALL(element_id)
{
    UNUSED;
    if (!is_entity(args[0])) return function_wrong(function, args[0]);
    *out = value_string(str_from(
        arena_printf(context->arena, "%llu", (unsigned long long)entity_id(args[0].as.id))));
    return NULL;
}

static Error *path_parts(EvalContext *context, const Function *function, Value path, uint32_t first,
                         Value *out)
{
    if (path.kind != VALUE_PATH) return function_wrong(function, path);
    Value *items = arena_alloc(context->arena, path.aux * sizeof *items);
    uint32_t parts = 0;
    for (uint32_t i = first; i < path.aux; i += 2)
        items[parts++] =
            first == 0 ? value_node(path.as.path[i]) : value_relationship(path.as.path[i]);
    *out = value_list(items, parts);
    return NULL;
}

CALL(nodes)
{
    UNUSED;
    return path_parts(context, function, args[0], 0, out);
}

CALL(relationships)
{
    UNUSED;
    return path_parts(context, function, args[0], 1, out);
}

CALL(start_node)
{
    UNUSED;
    uint64_t start, end;
    if (args[0].kind != VALUE_RELATIONSHIP) return function_wrong(function, args[0]);
    TRY(context->reader->ends(context->reader->state, args[0].as.id, &start, &end));
    return *out = value_node(start), NULL;
}

CALL(end_node)
{
    UNUSED;
    uint64_t start, end;
    if (args[0].kind != VALUE_RELATIONSHIP) return function_wrong(function, args[0]);
    TRY(context->reader->ends(context->reader->state, args[0].as.id, &start, &end));
    return *out = value_node(end), NULL;
}

CALL(coalesce)
{
    UNUSED;
    for (uint32_t i = 0; i < count; i++)
        if (args[i].kind != VALUE_NULL) return *out = args[i], NULL;
    return NULL;
}

CALL(null_if)
{
    UNUSED;
    return *out = value_equal(args[0], args[1]) == TRUTH_TRUE ? value_null() : args[0], NULL;
}

CALL(exists)
{
    UNUSED;
    return *out = value_boolean(args[0].kind != VALUE_NULL), NULL;
}

CALL(timestamp)
{
    UNUSED;
    return *out = value_integer(context->now_ns / 1000000), NULL;
}

/* ---- conversions ---- */

static Str trimmed(Str text)
{
    while (text.bytes > 0 && text.data[0] == ' ')
        text.data++, text.bytes--;
    while (text.bytes > 0 && text.data[text.bytes - 1] == ' ')
        text.bytes--;
    return text;
}

static Error *cannot_convert(const Function *function, Value value)
{
    return error_new(ERROR_ARGUMENT_VALUE, "%.*s() cannot convert %s", STR_ARG(function->name),
                     value_kind_name((ValueKind)value.kind));
}

static bool integer_of_double(double number, Value *out)
{
    if (!(number >= -9223372036854775808.0 && number < 9223372036854775808.0)) return false;
    *out = value_integer((int64_t)number);
    return true;
}

CALL(to_integer)
{
    UNUSED;
    int64_t integer;
    double number;
    if (args[0].kind == VALUE_INTEGER) return *out = args[0], NULL;
    if (args[0].kind == VALUE_BOOLEAN) return *out = value_integer(args[0].as.boolean), NULL;
    if (args[0].kind == VALUE_FLOAT) return integer_of_double(args[0].as.number, out), NULL;
    if (args[0].kind != VALUE_STRING) return cannot_convert(function, args[0]);
    Str text = trimmed(value_text(args[0]));
    if (integer_parse(text, &integer))
        *out = value_integer(integer);
    else if (float_parse(text, &number))
        integer_of_double(number, out);
    return NULL;
}

CALL(to_float)
{
    UNUSED;
    double number;
    if (value_is_number(args[0])) return *out = value_float(value_as_double(args[0])), NULL;
    if (args[0].kind != VALUE_STRING) return cannot_convert(function, args[0]);
    if (float_parse(trimmed(value_text(args[0])), &number)) *out = value_float(number);
    return NULL;
}

CALL(to_string)
{
    UNUSED;
    ValueKind kind = (ValueKind)args[0].kind;
    bool simple = kind == VALUE_BOOLEAN || kind == VALUE_INTEGER || kind == VALUE_FLOAT ||
                  (kind >= VALUE_DATE && kind <= VALUE_DURATION);
    if (kind == VALUE_STRING) return *out = args[0], NULL;
    if (!simple) return cannot_convert(function, args[0]);
    Buffer text = {0};
    value_print(&text, args[0], false);
    *out = value_string(str_copy(context->arena, buffer_view(&text)));
    buffer_free(&text);
    return NULL;
}

CALL(to_boolean)
{
    UNUSED;
    if (args[0].kind == VALUE_BOOLEAN) return *out = args[0], NULL;
    if (args[0].kind == VALUE_INTEGER) return *out = value_boolean(args[0].as.integer != 0), NULL;
    if (args[0].kind != VALUE_STRING) return cannot_convert(function, args[0]);
    Str text = trimmed(value_text(args[0]));
    if (str_equal_ignore_case(text, STR("true")))
        *out = value_boolean(true);
    else if (str_equal_ignore_case(text, STR("false")))
        *out = value_boolean(false);
    return NULL;
}

/* What cannot be converted is null there. */
static Error *or_null(Error *error, Value *out)
{
    if (error != NULL) *out = value_null();
    error_drop(error);
    return NULL;
}

CALL(to_integer_or_null)
{
    return or_null(function_to_integer(context, function, args, count, out), out);
}

CALL(to_float_or_null)
{
    return or_null(function_to_float(context, function, args, count, out), out);
}

CALL(to_string_or_null)
{
    return or_null(function_to_string(context, function, args, count, out), out);
}

CALL(to_boolean_or_null)
{
    return or_null(function_to_boolean(context, function, args, count, out), out);
}

/* ---- bytes ---- */

static int digit_of(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    c |= 32;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* As they are shown, so that what was shown can be written. */
CALL(bytes)
{
    UNUSED;
    Str text = value_text(args[0]);
    bool good = text.bytes % 2 == 0 && text.bytes >= 2 && memcmp(text.data, "0x", 2) == 0;
    uint32_t byte_count = good ? (uint32_t)(text.bytes / 2 - 1) : 0;
    char *bytes = arena_alloc(context->arena, byte_count + 1);
    for (uint32_t i = 0; i < byte_count; i++) {
        int high = digit_of(text.data[2 + 2 * i]), low = digit_of(text.data[3 + 2 * i]);
        good = good && high >= 0 && low >= 0;
        bytes[i] = (char)(high * 16 + low);
    }
    if (!good)
        return error_hint(error_new(ERROR_ARGUMENT_VALUE, "not bytes: %.*s", STR_ARG(text)),
                          "bytes('0x00ff')");
    *out = (Value){.kind = VALUE_BYTES, .aux = byte_count, .as.text = bytes};
    return NULL;
}

/* ---- vectors ---- */

/* A vector, or a list of numbers as one. */
static Error *as_vector(EvalContext *context, const Function *function, Value value,
                        const float **out, uint32_t *dimensions)
{
    *dimensions = value.aux;
    if (value.kind == VALUE_VECTOR) return *out = value.as.vector, NULL;
    if (value.kind != VALUE_LIST) return function_wrong(function, value);
    float *components = arena_alloc(context->arena, value.aux * sizeof *components);
    for (uint32_t i = 0; i < value.aux; i++) {
        if (!value_is_number(value.as.items[i])) return function_wrong(function, value.as.items[i]);
        components[i] = (float)value_as_double(value.as.items[i]);
        if (!isfinite(components[i]))
            return error_new(ERROR_ARGUMENT_VALUE, "a vector has finite components only");
    }
    *out = components;
    return NULL;
}

CALL(vector)
{
    UNUSED;
    const float *components;
    uint32_t dimensions;
    TRY(as_vector(context, function, args[0], &components, &dimensions));
    TRY(value_check_vector(components, dimensions));
    return *out = value_vector(components, dimensions), NULL;
}

CALL(vector_normalize)
{
    (void)count;
    const float *components;
    uint32_t dimensions;
    TRY(as_vector(context, function, args[0], &components, &dimensions));
    TRY(value_check_vector(components, dimensions));
    double square = 0;
    for (uint32_t i = 0; i < dimensions; i++)
        square += (double)components[i] * (double)components[i];
    if (square == 0) return NULL;
    float *unit = arena_alloc(context->arena, dimensions * sizeof *unit);
    for (uint32_t i = 0; i < dimensions; i++)
        unit[i] = (float)((double)components[i] / sqrt(square));
    return *out = value_vector(unit, dimensions), NULL;
}

typedef struct Sums {
    double dot, left, right, distance;
} Sums;

static Error *sums_of(EvalContext *context, const Function *function, const Value *args, Sums *sums)
{
    const float *a, *b;
    uint32_t dimensions, other;
    TRY(as_vector(context, function, args[0], &a, &dimensions));
    TRY(as_vector(context, function, args[1], &b, &other));
    if (dimensions != other)
        return error_new(ERROR_ARGUMENT_VALUE, "vectors of %u and %u dimensions", dimensions,
                         other);
    *sums = (Sums){0};
    for (uint32_t i = 0; i < dimensions; i++) {
        double x = (double)a[i], y = (double)b[i];
        sums->dot += x * y, sums->left += x * x, sums->right += y * y,
            sums->distance += (x - y) * (x - y);
    }
    return NULL;
}

CALL(vector_cosine)
{
    (void)count;
    Sums sums;
    TRY(sums_of(context, function, args, &sums));
    if (sums.left > 0 && sums.right > 0)
        *out = value_float(sums.dot / (sqrt(sums.left) * sqrt(sums.right)));
    return NULL;
}

CALL(vector_dot)
{
    (void)count;
    Sums sums;
    TRY(sums_of(context, function, args, &sums));
    return *out = value_float(sums.dot), NULL;
}

CALL(vector_l2)
{
    (void)count;
    Sums sums;
    TRY(sums_of(context, function, args, &sums));
    return *out = value_float(sqrt(sums.distance)), NULL;
}

CALL(vector_norm)
{
    (void)count;
    Sums sums;
    Value both[2] = {args[0], args[0]};
    TRY(sums_of(context, function, both, &sums));
    return *out = value_float(sqrt(sums.left)), NULL;
}

CALL(vector_list)
{
    (void)count;
    const float *components;
    uint32_t dimensions;
    TRY(as_vector(context, function, args[0], &components, &dimensions));
    Value *items = arena_alloc(context->arena, (dimensions + 1) * sizeof *items);
    for (uint32_t i = 0; i < dimensions; i++)
        items[i] = value_float((double)components[i]);
    return *out = value_list(items, dimensions), NULL;
}

CALL(vector_dimensions)
{
    (void)count;
    const float *components;
    uint32_t dimensions;
    TRY(as_vector(context, function, args[0], &components, &dimensions));
    return *out = value_integer(dimensions), NULL;
}
