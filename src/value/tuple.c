/*
 * tuple.c - values as bytes that sort as they do (tuple.h has the format). The idea is that of the
 * tuple layers of key-value stores: order and equality of several values become those of one text, so
 * that whatever finds texts finds them, and the beginning of a text stands for the first of them.
 *
 * Integers and floats are one kind, compared exactly (compare.c): an integer is the next float below
 * it, and what is left, which only those from 2^53 on have.
 */
#include "config.h"

#include "value/calendar.h"
#include "value/tuple.h"
#include <math.h>

static void put_high_first(Buffer *out, uint64_t number, unsigned bytes)
{
    char *at = buffer_reserve(out, bytes);
    for (unsigned i = 0; i < bytes; i++)
        at[i] = (char)(number >> 8 * (bytes - 1 - i));
    out->bytes += bytes;
    out->data[out->bytes] = '\0';
}

static void put_signed(Buffer *out, int64_t number)
{
    put_high_first(out, (uint64_t)number ^ UINT64_C(1) << 63, 8);
}

void tuple_put_kind(Buffer *out, Value like)
{
    buffer_char(out, (char)(value_order_rank(like) + 1));
}

static void put_number(Buffer *out, Value value)
{
    static const double EXACT = 0x1p53; /* below, every integer is a float */
    union {
        double number;
        uint64_t bits;
    } u = {value_as_double(value) + 0.0}; /* -0 becomes +0 */
    int64_t beyond = 0;
    if (isnan(u.number)) u.number = (double)NAN, u.bits &= INT64_MAX;
    if (value.kind == VALUE_INTEGER && fabs(u.number) >= EXACT) {
        if (u.number >= 0x1p63 || (int64_t)u.number > value.as.integer)
            u.number = nextafter(u.number, -INFINITY);
        beyond = value.as.integer - (int64_t)u.number;
    }
    bool large = fabs(u.number) >= EXACT;
    u.bits ^= u.bits >> 63 ? UINT64_MAX : UINT64_C(1) << 63;
    put_high_first(out, u.bits, 8);
    if (large) put_high_first(out, (uint64_t)beyond, 2);
}

static void put_escaped(Buffer *out, Str text)
{
    for (size_t at = 0; at < text.bytes;) {
        const char *zero = memchr(text.data + at, '\0', text.bytes - at);
        size_t some = zero == NULL ? text.bytes - at : (size_t)(zero - text.data) - at;
        buffer_append(out, text.data + at, some);
        if (zero != NULL) buffer_append(out, "\0\377", 2);
        at += some + (zero != NULL);
    }
}

void tuple_put_prefix(Buffer *out, Str text)
{
    tuple_put_kind(out, value_string(text));
    put_escaped(out, text);
}

static void put_text(Buffer *out, Str text)
{
    put_escaped(out, text);
    buffer_append(out, "\0\0", 2);
}

static void put_moment(Buffer *out, const Moment *moment)
{
    put_signed(out, moment->seconds);
    put_high_first(out, moment->nanoseconds, 4);
    put_high_first(out, (uint32_t)moment->offset ^ UINT32_C(1) << 31, 4);
    put_text(out, moment->zone);
}

static void put_duration(Buffer *out, const Duration *duration)
{
    __int128 seconds = (__int128)duration->months * SECONDS_A_MONTH +
                       (__int128)duration->days * SECONDS_A_DAY + duration->seconds;
    put_signed(out, (int64_t)(seconds >> 64));
    put_high_first(out, (uint64_t)seconds, 8);
    put_high_first(out, (uint32_t)duration->nanoseconds, 4);
    put_signed(out, duration->months);
    put_signed(out, duration->days);
}

static void put_vector(Buffer *out, Value vector)
{
    put_high_first(out, vector.aux, 4);
    for (uint32_t i = 0; i < vector.aux; i++) {
        union {
            float number;
            uint32_t bits;
        } u = {vector.as.vector[i] + 0.0F};
        u.bits ^= u.bits >> 31 ? UINT32_MAX : UINT32_C(1) << 31;
        put_high_first(out, u.bits, 4);
    }
}

static void put_list(Buffer *out, Value list)
{
    for (uint32_t i = 0; i < list.aux; i++)
        tuple_put(out, list.as.items[i]);
    buffer_char(out, '\0');
}

void tuple_put(Buffer *out, Value value)
{
    tuple_put_kind(out, value);
    switch ((ValueKind)value.kind) {
    case VALUE_BOOLEAN: buffer_char(out, (char)value.as.boolean); return;
    case VALUE_INTEGER:
    case VALUE_FLOAT: put_number(out, value); return;
    case VALUE_STRING:
    case VALUE_BYTES: put_text(out, value_text(value)); return;
    case VALUE_LIST: put_list(out, value); return;
    case VALUE_VECTOR: put_vector(out, value); return;
    case VALUE_DATE:
    case VALUE_LOCAL_TIME: put_signed(out, value.as.integer); return;
    case VALUE_TIME:
        put_signed(out, value.as.integer - (int64_t)(int32_t)value.aux * NS_A_SECOND);
        put_high_first(out, value.aux ^ UINT32_C(1) << 31, 4);
        return;
    case VALUE_LOCAL_DATETIME:
        put_signed(out, value.as.integer);
        put_high_first(out, value.aux, 4);
        return;
    case VALUE_DATETIME: put_moment(out, value.as.moment); return;
    case VALUE_DURATION: put_duration(out, value.as.duration); return;
    case VALUE_NULL:
    case VALUE_MAP:
    case VALUE_NODE:
    case VALUE_RELATIONSHIP:
    case VALUE_PATH:
    case VALUE_KIND_COUNT: return;
    }
}
