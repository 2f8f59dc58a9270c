/* Several values as one text: it sorts as they do, and equal values are equal bytes. */
#include "config.h"

#include "test.h"
#include "value/tuple.h"
#include <math.h>
#include <stdio.h>

enum { VALUES = 600, PAIRS = 200000 };

static uint64_t random_state = 88172645463325252u;

static uint32_t below(uint32_t limit)
{
    random_state ^= random_state << 13, random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (uint32_t)(random_state >> 32) % limit;
}

/* Around where floats begin to leave integers out, and at the ends. */
static int64_t some_integer(void)
{
    static const int64_t places[] = {
        0, INT64_C(1) << 53, -(INT64_C(1) << 53), INT64_C(1) << 60, INT64_MAX - 4, INT64_MIN + 4};
    return places[below(6)] + ((int64_t)below(9) - 4);
}

static double some_float(void)
{
    static const double places[] = {-0.0,   INFINITY, -INFINITY, NAN,  1e300,
                                    0x1p63, -0x1p63,  0.5,       -2.5, 5e-324};
    return below(2) == 0 ? (double)some_integer() : places[below(10)];
}

static Value some_moment(Arena *arena)
{
    static const Str zones[] = {{"", 0}, {"Europe/Berlin", 13}, {"Europe/Paris", 12}};
    Moment *moment = arena_new(arena, Moment);
    *moment =
        (Moment){(int64_t)below(3) - 1, below(2), (int32_t)below(3) * 3600 - 3600, zones[below(3)]};
    return (Value){.head = value_head(VALUE_DATETIME, 0), .as.moment = moment};
}

static Value some_duration(Arena *arena)
{
    Duration *duration = arena_new(arena, Duration);
    *duration = (Duration){(int64_t)below(3) - 1, (int64_t)below(63) - 31,
                           (int64_t)below(3) * 86400 - 86400, (int32_t)below(2)};
    return (Value){.head = value_head(VALUE_DURATION, 0), .as.duration = duration};
}

static Value some_vector(Arena *arena)
{
    static const float components[] = {-1.5F, -0.0F, 0.0F, 2.0F};
    uint32_t count = 1 + below(3);
    float *vector = arena_array(arena, float, count);
    for (uint32_t i = 0; i < count; i++)
        vector[i] = components[below(4)];
    return value_vector(vector, count);
}

static Value some_value(Arena *arena, int depth)
{
    static const char texts[] = "a\0b\0\0\377ab";
    uint32_t from = below(9);
    Str text = {texts + from, below((uint32_t)sizeof texts - from)};
    int64_t small = (int64_t)below(5) - 2;
    switch (below(depth > 0 ? 14 : 13)) {
    case 0: return value_null();
    case 1: return value_boolean(below(2) == 0);
    case 2: return value_integer(some_integer());
    case 3: return value_float(some_float());
    case 4: return value_string(text);
    case 5: return (Value){.head = value_head(VALUE_BYTES, text.bytes), .as.text = text.data};
    case 6: return some_vector(arena);
    case 7: return (Value){.head = value_head(VALUE_DATE, 0), .as.integer = small};
    case 8: return (Value){.head = value_head(VALUE_LOCAL_TIME, 0), .as.integer = small + 2};
    case 9:
        return (Value){.head = value_head(VALUE_TIME, (uint32_t)(small * 3600)),
                       .as.integer = (int64_t)below(3) * 3600 * 1000000000};
    case 10:
        return (Value){.head = value_head(VALUE_LOCAL_DATETIME, below(3)), .as.integer = small};
    case 11: return some_moment(arena);
    case 12: return some_duration(arena);
    default: break;
    }
    uint32_t count = below(4);
    Value *items = arena_array(arena, Value, count + 1);
    for (uint32_t i = 0; i < count; i++)
        items[i] = some_value(arena, depth - 1);
    return value_list(items, count);
}

static int sign_of(int order)
{
    return order < 0 ? -1 : order > 0;
}

static Str tuple(Buffer *out, Value a, Value b)
{
    buffer_clear(out);
    tuple_put(out, a);
    tuple_put(out, b);
    return buffer_view(out);
}

static bool begins_with(Str text, Str with)
{
    return text.bytes >= with.bytes && memcmp(text.data, with.data, with.bytes) == 0;
}

/* What a tuple begins with: kind and, of a text, its first bytes. */
static bool begins_as_it_should(Value value, Buffer *whole, Buffer *part)
{
    buffer_clear(whole);
    buffer_clear(part);
    tuple_put(whole, value);
    tuple_put_kind(part, value);
    bool right = begins_with(buffer_view(whole), buffer_view(part));
    if (value.kind != VALUE_STRING) return right;
    buffer_clear(part);
    tuple_put_prefix(part, (Str){value.as.text, below(value.aux + 1)});
    right = right && begins_with(buffer_view(whole), buffer_view(part));
    buffer_clear(part);
    tuple_put_prefix(part, STR("ac"));
    return right && !begins_with(buffer_view(whole), buffer_view(part));
}

int main(void)
{
    static Value values[VALUES];
    Arena *arena = arena_create();
    Buffer one = {0}, other = {0};
    uint32_t wrong = 0, unequal = 0, beginnings = 0;
    for (uint32_t i = 0; i < VALUES; i++)
        values[i] = some_value(arena, 3);
    for (uint32_t i = 0; i < PAIRS; i++) {
        Value a = values[below(VALUES)], b = values[below(VALUES)], c = values[below(VALUES)],
              d = below(2) == 0 ? b : values[below(VALUES)];
        if (below(2) == 0) c = a;
        int order = value_order(a, c) != 0 ? value_order(a, c) : value_order(b, d);
        int bytes = str_compare(tuple(&one, a, b), tuple(&other, c, d));
        wrong += sign_of(order) != sign_of(bytes);
        unequal += value_equal(a, c) == TRUTH_TRUE && value_equal(b, d) == TRUTH_TRUE && bytes != 0;
    }
    for (uint32_t i = 0; i < VALUES; i++)
        beginnings += !begins_as_it_should(values[i], &one, &other);
    EXPECT(wrong == 0);
    EXPECT(unequal == 0);
    EXPECT(beginnings == 0);
    buffer_free(&one);
    buffer_free(&other);
    arena_destroy(arena);
    return DONE();
}
