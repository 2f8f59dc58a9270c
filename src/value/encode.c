/*
 * encode.c - values as bytes: one byte that says the kind, then the payload.
 */
#include "config.h"

#include "value/encode.h"
#include "value/temporal.h"

enum { VALUE_DEPTH_MAX = 8 }; /* a property is a value or a list of values: deeper is damage */

/* ---- writing ---- */

void value_encode(Buffer *out, Value value)
{
    put_u8(out, value.kind);
    switch ((ValueKind)value.kind) {
    case VALUE_BOOLEAN: put_u8(out, value.as.boolean); break;
    case VALUE_INTEGER:
    case VALUE_DATE:
    case VALUE_LOCAL_TIME: put_u64(out, (uint64_t)value.as.integer); break;
    case VALUE_TIME:
    case VALUE_LOCAL_DATETIME:
        put_u64(out, (uint64_t)value.as.integer);
        put_u32(out, value.aux);
        break;
    case VALUE_FLOAT: buffer_append(out, &value.as.number, sizeof value.as.number); break;
    case VALUE_STRING:
    case VALUE_BYTES: put_str(out, value_text(value)); break;
    case VALUE_VECTOR:
        put_varint(out, value.aux);
        buffer_append(out, value.as.vector, value.aux * sizeof(float));
        break;
    case VALUE_LIST:
        put_varint(out, value.aux);
        for (uint32_t i = 0; i < value.aux; i++)
            value_encode(out, value.as.items[i]);
        break;
    case VALUE_DATETIME:
        put_u64(out, (uint64_t)value.as.moment->seconds);
        put_u32(out, value.as.moment->nanoseconds);
        put_u32(out, (uint32_t)value.as.moment->offset);
        put_str(out, value.as.moment->zone);
        break;
    case VALUE_DURATION:
        put_u64(out, (uint64_t)value.as.duration->months);
        put_u64(out, (uint64_t)value.as.duration->days);
        put_u64(out, (uint64_t)value.as.duration->seconds);
        put_u32(out, (uint32_t)value.as.duration->nanoseconds);
        break;
    case VALUE_NULL:
    case VALUE_MAP:
    case VALUE_NODE:
    case VALUE_RELATIONSHIP:
    case VALUE_PATH:
    case VALUE_KIND_COUNT: break; /* no property holds one */
    }
}

/* ---- reading ---- */

static Value get_value(Reader *reader, Arena *arena, int depth);

static Value get_list(Reader *reader, Arena *arena, int depth)
{
    uint64_t count = get_varint(reader);
    if (count > reader_left(reader) || depth >= VALUE_DEPTH_MAX) {
        reader->failed = true;
        return value_null();
    }
    Value *items = arena_alloc(arena, (count + 1) * sizeof *items);
    for (uint64_t i = 0; i < count; i++)
        items[i] = get_value(reader, arena, depth + 1);
    return value_list(items, count);
}

static Value get_vector(Reader *reader, Arena *arena)
{
    uint64_t count = get_varint(reader);
    if (count > reader_left(reader) / sizeof(float) || count > VALUE_VECTOR_DIMENSIONS_MAX) {
        reader->failed = true;
        return value_null();
    }
    float *components = arena_alloc(arena, (count + 1) * sizeof *components);
    memcpy(components, reader->at, count * sizeof *components);
    reader->at += count * sizeof *components;
    return value_vector(components, count);
}

static Value get_moment(Reader *reader, Arena *arena)
{
    Moment *moment = arena_new(arena, Moment);
    moment->seconds = (int64_t)get_u64(reader);
    moment->nanoseconds = get_u32(reader);
    moment->offset = (int32_t)get_u32(reader);
    moment->zone = get_str(reader);
    return (Value){.kind = VALUE_DATETIME, .as.moment = moment};
}

static Value get_duration(Reader *reader, Arena *arena)
{
    Duration *duration = arena_new(arena, Duration);
    duration->months = (int64_t)get_u64(reader);
    duration->days = (int64_t)get_u64(reader);
    duration->seconds = (int64_t)get_u64(reader);
    duration->nanoseconds = (int32_t)get_u32(reader);
    return (Value){.kind = VALUE_DURATION, .as.duration = duration};
}

static Value get_any(Reader *reader, Arena *arena, int depth)
{
    Value value = {.kind = get_u8(reader)};
    uint64_t bits;
    switch ((ValueKind)value.kind) {
    case VALUE_NULL: break;
    case VALUE_BOOLEAN: value.as.boolean = get_u8(reader) != 0; break;
    case VALUE_INTEGER:
    case VALUE_DATE:
    case VALUE_LOCAL_TIME: value.as.integer = (int64_t)get_u64(reader); break;
    case VALUE_TIME:
    case VALUE_LOCAL_DATETIME:
        value.as.integer = (int64_t)get_u64(reader);
        value.aux = get_u32(reader);
        break;
    case VALUE_FLOAT:
        bits = get_u64(reader);
        memcpy(&value.as.number, &bits, sizeof bits);
        break;
    case VALUE_STRING:
    case VALUE_BYTES: {
        Str text = get_str(reader);
        value.aux = (uint32_t)text.bytes;
        value.as.text = text.data;
        break;
    }
    case VALUE_VECTOR: return get_vector(reader, arena);
    case VALUE_LIST: return get_list(reader, arena, depth);
    case VALUE_DATETIME: return get_moment(reader, arena);
    case VALUE_DURATION: return get_duration(reader, arena);
    default: reader->failed = true;
    }
    return value;
}

/* Times beyond their day, offsets beyond 18 hours: damage, for all that reckons trusts them. */
static Value get_value(Reader *reader, Arena *arena, int depth)
{
    Value value = get_any(reader, arena, depth);
    if (value_is_temporal(value) && !temporal_valid(value)) reader->failed = true;
    return reader->failed ? value_null() : value;
}

Value value_decode(Reader *reader, Arena *arena)
{
    return get_value(reader, arena, 0);
}
