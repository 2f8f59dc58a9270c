/* functions_scalar.c - functions over numbers and text. */
#include "config.h"

#include "base/map.h"
#include "expression/functions_internal.h"
#include <math.h>

#define CALL(name)                                                                                 \
    Error *function_##name(EvalContext *context, const Function *function, const Value *args,      \
                           uint32_t count, Value *out)
#define UNUSED (void)context, (void)function, (void)args, (void)count

/* ---- numbers ---- */

#define REAL(name, formula)                                                                        \
    CALL(name)                                                                                     \
    {                                                                                              \
        UNUSED;                                                                                    \
        if (!value_is_number(args[0])) return function_wrong(function, args[0]);                   \
        double x = value_as_double(args[0]);                                                       \
        *out = value_float(formula);                                                               \
        return NULL;                                                                               \
    }

static const double pi = 3.14159265358979323846, euler = 2.71828182845904523536;

REAL(ceil, ceil(x))
REAL(floor, floor(x))
REAL(sqrt, sqrt(x))
REAL(exp, exp(x))
REAL(log, log(x))
REAL(log10, log10(x))
REAL(sin, sin(x))
REAL(cos, cos(x))
REAL(tan, tan(x))
REAL(cot, 1.0 / tan(x))
REAL(asin, asin(x))
REAL(acos, acos(x))
REAL(atan, atan(x))
REAL(degrees, x * 180.0 / pi)
REAL(radians, x *pi / 180.0)
REAL(haversin, (1.0 - cos(x)) / 2.0)

CALL(abs)
{
    UNUSED;
    if (args[0].kind == VALUE_FLOAT) return *out = value_float(fabs(args[0].as.number)), NULL;
    if (args[0].kind != VALUE_INTEGER) return function_wrong(function, args[0]);
    if (args[0].as.integer == INT64_MIN)
        return error_new(ERROR_ARITHMETIC_OVERFLOW, "the result is beyond 64 bits");
    return *out = value_integer(args[0].as.integer < 0 ? -args[0].as.integer : args[0].as.integer),
           NULL;
}

CALL(sign)
{
    UNUSED;
    if (!value_is_number(args[0])) return function_wrong(function, args[0]);
    double x = value_as_double(args[0]);
    return *out = value_integer((x > 0) - (x < 0)), NULL;
}

CALL(round)
{
    UNUSED;
    if (!value_is_number(args[0])) return function_wrong(function, args[0]);
    double x = value_as_double(args[0]), scale = 1;
    if (count == 2) {
        if (args[1].kind != VALUE_INTEGER) return function_wrong(function, args[1]);
        scale = pow(10, (double)args[1].as.integer);
    }
    *out = value_float(floor(x * scale + 0.5) / scale);
    return NULL;
}

CALL(atan2)
{
    UNUSED;
    if (!value_is_number(args[0])) return function_wrong(function, args[0]);
    if (!value_is_number(args[1])) return function_wrong(function, args[1]);
    return *out = value_float(atan2(value_as_double(args[0]), value_as_double(args[1]))), NULL;
}

/* ---- counting ---- */

static Error *want_counts(const Function *function, const Value *args, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (args[i].kind != VALUE_INTEGER) return function_wrong(function, args[i]);
    if (args[0].as.integer >= 0) return NULL;
    return error_new(ERROR_ARGUMENT_RANGE, "%.*s() counts what there is, not %lld things",
                     STR_ARG(function->name), (long long)args[0].as.integer);
}

/* n (n - 1) .. of k factors, each divided by its place if `unordered`: then what is there so far is a
 * binomial coefficient itself, and no division leaves anything. It is past 64 bits after 66 steps at most,
 * or done. */
static Error *choose(int64_t n, int64_t k, bool unordered, Value *out)
{
    __int128 ways = 1;
    if (k < 0 || k > n) return *out = value_integer(0), NULL;
    if (unordered && k > n - k) k = n - k;
    for (int64_t i = 1; i <= k; i++) {
        ways *= unordered ? n - k + i : n - (i - 1);
        if (unordered) ways /= i;
        if (ways > INT64_MAX)
            return error_new(ERROR_ARITHMETIC_OVERFLOW, "the result is beyond 64 bits");
    }
    return *out = value_integer((int64_t)ways), NULL;
}

CALL(factorial)
{
    UNUSED;
    TRY(want_counts(function, args, 1));
    return choose(args[0].as.integer, args[0].as.integer, false, out);
}

CALL(binomial)
{
    UNUSED;
    TRY(want_counts(function, args, 2));
    return choose(args[0].as.integer, args[1].as.integer, true, out);
}

CALL(permutations)
{
    UNUSED;
    TRY(want_counts(function, args, 2));
    return choose(args[0].as.integer, args[1].as.integer, false, out);
}

CALL(lbinomial)
{
    UNUSED;
    int sign;
    TRY(want_counts(function, args, 2));
    double n = (double)args[0].as.integer, k = (double)args[1].as.integer;
    double ways = k < 0 || k > n ? -INFINITY
                                 : lgamma_r(n + 1, &sign) - lgamma_r(k + 1, &sign) -
                                       lgamma_r(n - k + 1, &sign);
    return *out = value_float(ways), NULL;
}

CALL(pi)
{
    UNUSED;
    return *out = value_float(pi), NULL;
}

CALL(e)
{
    UNUSED;
    return *out = value_float(euler), NULL;
}

/* 53 bits make the float. */
CALL(rand)
{
    UNUSED;
    uint64_t bits = context->random == NULL ? 0 : random_next(context->random);
    return *out = value_float((double)(bits >> 11) * 0x1p-53), NULL;
}

/* RFC 9562, version 4: 122 random bits. */
CALL(random_uuid)
{
    UNUSED;
    uint64_t high = context->random == NULL ? 0 : random_next(context->random),
             low = context->random == NULL ? 0 : random_next(context->random);
    high = (high & ~UINT64_C(0xf000)) | 0x4000;
    low = (low & ~(UINT64_C(3) << 62)) | UINT64_C(1) << 63;
    Buffer text = {0};
    buffer_printf(&text, "%08x-%04x-%04x-%04x-%012llx", (unsigned)(high >> 32),
                  (unsigned)(high >> 16 & 0xffff), (unsigned)(high & 0xffff), (unsigned)(low >> 48),
                  (unsigned long long)(low & 0xffffffffffff));
    *out = value_string(str_copy(context->arena, buffer_view(&text)));
    buffer_free(&text);
    return NULL;
}

/* ---- text ---- */

static Error *want_texts(const Function *function, const Value *args, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (args[i].kind != VALUE_STRING) return function_wrong(function, args[i]);
    return NULL;
}

static Str find_text(Str text, Str part)
{
    const char *found =
        part.bytes == 0 ? NULL : memmem(text.data, text.bytes, part.data, part.bytes);
    if (found == NULL) return (Str){text.data + text.bytes, 0};
    return (Str){found, part.bytes};
}

CALL(replace)
{
    TRY(want_texts(function, args, count));
    Str rest = value_text(args[0]), from = value_text(args[1]), to = value_text(args[2]);
    Buffer text = {0};
    for (Str found = find_text(rest, from); found.bytes > 0; found = find_text(rest, from)) {
        size_t before = (size_t)(found.data - rest.data);
        buffer_append(&text, rest.data, before);
        buffer_str(&text, to);
        if (mem_is_short()) break;
        rest = (Str){found.data + from.bytes, rest.bytes - before - from.bytes};
    }
    buffer_str(&text, rest);
    Error *error = error_if_short(text.bytes);
    if (error == NULL) *out = value_string(str_copy(context->arena, buffer_view(&text)));
    buffer_free(&text);
    return error;
}

static Value split_characters(Arena *arena, Str text)
{
    Value *items = arena_alloc(arena, (text.bytes + 1) * sizeof *items);
    size_t at = 0, parts = 0;
    while (at < text.bytes) {
        size_t from = at;
        utf8_next(text, &at);
        items[parts++] = value_string((Str){text.data + from, at - from});
    }
    return value_list(items, parts);
}

CALL(split)
{
    TRY(want_texts(function, args, count));
    Str rest = value_text(args[0]), delimiter = value_text(args[1]);
    TRY(error_if_short((rest.bytes + 2) / (delimiter.bytes + 1) * sizeof(Value)));
    if (delimiter.bytes == 0) return *out = split_characters(context->arena, rest), NULL;
    size_t parts = 1;
    Value *items = arena_alloc(context->arena, (rest.bytes / delimiter.bytes + 2) * sizeof *items);
    for (Str found = find_text(rest, delimiter); found.bytes > 0;
         found = find_text(rest, delimiter)) {
        size_t before = (size_t)(found.data - rest.data);
        items[parts++ - 1] = value_string((Str){rest.data, before});
        rest = (Str){found.data + delimiter.bytes, rest.bytes - before - delimiter.bytes};
    }
    items[parts - 1] = value_string(rest);
    *out = value_list(items, parts);
    return NULL;
}

static Error *want_position(const Function *function, Value value, const char *what, size_t *out)
{
    if (value.kind != VALUE_INTEGER) return function_wrong(function, value);
    if (value.as.integer < 0)
        return error_new(ERROR_ARGUMENT_RANGE, "the %s of %.*s() is negative", what,
                         STR_ARG(function->name));
    *out = (size_t)value.as.integer;
    return NULL;
}

CALL(substring)
{
    UNUSED;
    size_t start = 0, length = SIZE_MAX;
    if (args[0].kind != VALUE_STRING) return function_wrong(function, args[0]);
    TRY(want_position(function, args[1], "start", &start));
    if (count == 3) TRY(want_position(function, args[2], "length", &length));
    Str text = value_text(args[0]);
    size_t skip = utf8_offset(text, start);
    Str rest = {text.data + skip, text.bytes - skip};
    *out = value_string((Str){rest.data, utf8_offset(rest, length)});
    return NULL;
}

CALL(left)
{
    UNUSED;
    size_t length = 0;
    if (args[0].kind != VALUE_STRING) return function_wrong(function, args[0]);
    TRY(want_position(function, args[1], "length", &length));
    Str text = value_text(args[0]);
    return *out = value_string((Str){text.data, utf8_offset(text, length)}), NULL;
}

CALL(right)
{
    UNUSED;
    size_t length = 0;
    if (args[0].kind != VALUE_STRING) return function_wrong(function, args[0]);
    TRY(want_position(function, args[1], "length", &length));
    Str text = value_text(args[0]);
    size_t characters = utf8_count(text);
    size_t skip = utf8_offset(text, characters > length ? characters - length : 0);
    return *out = value_string((Str){text.data + skip, text.bytes - skip}), NULL;
}

/* Blanks, or the characters of a second text, from either end. */
static Error *trimmed(const Function *function, const Value *args, uint32_t count, bool left,
                      bool right, Value *out)
{
    TRY(want_texts(function, args, count));
    Str text = value_text(args[0]), set = count > 1 ? value_text(args[1]) : (Str){" \t\r\n\f\v", 6};
    while (left && text.bytes > 0) {
        Str first = {text.data, utf8_offset(text, 1)};
        if (find_text(set, first).bytes == 0) break;
        text.data += first.bytes, text.bytes -= first.bytes;
    }
    while (right && text.bytes > 0) {
        size_t begin = text.bytes - 1;
        while (begin > 0 && (text.data[begin] & 0xc0) == 0x80)
            begin--;
        if (find_text(set, (Str){text.data + begin, text.bytes - begin}).bytes == 0) break;
        text.bytes = begin;
    }
    return *out = value_string(text), NULL;
}

CALL(trim)
{
    (void)context;
    return trimmed(function, args, count, true, true, out);
}

CALL(ltrim)
{
    (void)context;
    return trimmed(function, args, count, true, false, out);
}

CALL(rtrim)
{
    (void)context;
    return trimmed(function, args, count, false, true, out);
}

CALL(char_length)
{
    UNUSED;
    TRY(want_texts(function, args, count));
    return *out = value_integer((int64_t)utf8_count(value_text(args[0]))), NULL;
}

/* Letters of the Latin, Greek and Cyrillic blocks by rule, so that the answer depends on no locale.
 */
static uint32_t upper_point(uint32_t c)
{
    if (c >= 'a' && c <= 'z') return c - 32;
    if ((c >= 0xe0 && c <= 0xfe && c != 0xf7) || (c >= 0x3b1 && c <= 0x3c9 && c != 0x3c2) ||
        (c >= 0x430 && c <= 0x44f))
        return c - 32;
    if (c >= 0x450 && c <= 0x45f) return c - 80;
    if (((c >= 0x100 && c <= 0x137) || (c >= 0x14a && c <= 0x177) || (c >= 0x460 && c <= 0x481)) &&
        (c & 1))
        return c - 1;
    if (((c >= 0x139 && c <= 0x148) || (c >= 0x179 && c <= 0x17e)) && !(c & 1)) return c - 1;
    return c == 0xff ? 0x178 : c;
}

static uint32_t lower_point(uint32_t c)
{
    if (c >= 'A' && c <= 'Z') return c + 32;
    if ((c >= 0xc0 && c <= 0xde && c != 0xd7) || (c >= 0x391 && c <= 0x3a9) ||
        (c >= 0x410 && c <= 0x42f))
        return c + 32;
    if (c >= 0x400 && c <= 0x40f) return c + 80;
    if (((c >= 0x100 && c <= 0x137) || (c >= 0x14a && c <= 0x177) || (c >= 0x460 && c <= 0x481)) &&
        !(c & 1))
        return c + 1;
    if (((c >= 0x139 && c <= 0x148) || (c >= 0x179 && c <= 0x17e)) && (c & 1)) return c + 1;
    return c == 0x178 ? 0xff : c;
}

static Value mapped(Arena *arena, Str text, uint32_t (*map)(uint32_t))
{
    char *data = arena_alloc(arena, text.bytes * 2 + 4);
    size_t bytes = 0, at = 0;
    while (at < text.bytes) {
        int32_t point = utf8_next(text, &at);
        if (point >= 0) bytes += utf8_put(data + bytes, map((uint32_t)point));
    }
    return value_string((Str){data, bytes});
}

CALL(to_upper)
{
    TRY(want_texts(function, args, count));
    return *out = mapped(context->arena, value_text(args[0]), upper_point), NULL;
}

CALL(to_lower)
{
    TRY(want_texts(function, args, count));
    return *out = mapped(context->arena, value_text(args[0]), lower_point), NULL;
}
