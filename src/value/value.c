/* value.c - maps, deep copies, hashes, names of kinds. */
#include "config.h"

#include "base/map.h"
#include "value/value.h"
#include <math.h>

/* Merge sort by halves: equal keys keep the order they were written in. */
static void sort_entries(ValueEntry *entries, size_t count)
{
    enum { SMALL = 16 };
    if (count <= SMALL) {
        for (size_t i = 1; i < count; i++) {
            ValueEntry moving = entries[i];
            size_t at = i;
            for (; at > 0 && str_compare(entries[at - 1].key, moving.key) > 0; at--)
                entries[at] = entries[at - 1];
            entries[at] = moving;
        }
        return;
    }
    size_t half = count / 2;
    sort_entries(entries, half);
    sort_entries(entries + half, count - half);
    ValueEntry *left = mem_alloc(half * sizeof *left);
    memcpy(left, entries, half * sizeof *left);
    for (size_t i = 0, j = half, out = 0; i < half;) {
        bool right = j < count && str_compare(entries[j].key, left[i].key) < 0;
        entries[out++] = right ? entries[j++] : left[i++];
    }
    mem_free(left);
}

Value value_map(ValueEntry *entries, size_t count)
{
    sort_entries(entries, count);
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        if (kept > 0 && str_equal(entries[kept - 1].key, entries[i].key)) kept--;
        entries[kept++] = entries[i];
    }
    return (Value){.kind = VALUE_MAP, .aux = (uint32_t)kept, .as.entries = entries};
}

const Value *value_map_get(Value map, Str key)
{
    size_t low = 0, high = map.aux;
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = str_compare(map.as.entries[middle].key, key);
        if (order == 0) return &map.as.entries[middle].value;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

static const void *copied(Arena *arena, const void *data, size_t bytes)
{
    return bytes == 0 ? "" : memcpy(arena_alloc(arena, bytes), data, bytes);
}

static Value copy_map(Arena *arena, Value map)
{
    ValueEntry *entries = arena_array(arena, ValueEntry, map.aux);
    for (uint32_t i = 0; i < map.aux; i++) {
        entries[i].key = str_copy(arena, map.as.entries[i].key);
        entries[i].value = value_copy(arena, map.as.entries[i].value);
    }
    map.as.entries = entries;
    return map;
}

static Value copy_list(Arena *arena, Value list)
{
    Value *items = arena_alloc(arena, list.aux * sizeof *items);
    for (uint32_t i = 0; i < list.aux; i++)
        items[i] = value_copy(arena, list.as.items[i]);
    list.as.items = items;
    return list;
}

static Value copy_moment(Arena *arena, Value value)
{
    Moment *moment = arena_new(arena, Moment);
    *moment = *value.as.moment;
    moment->zone = str_copy(arena, moment->zone);
    value.as.moment = moment;
    return value;
}

Error *value_check_vector(const float *data, size_t dimensions)
{
    if (dimensions == 0 || dimensions > VALUE_VECTOR_DIMENSIONS_MAX)
        return error_new(ERROR_ARGUMENT_VALUE, "a vector has 1 to %d dimensions, not %zu",
                         VALUE_VECTOR_DIMENSIONS_MAX, dimensions);
    for (size_t i = 0; i < dimensions; i++)
        if (!isfinite(data[i]))
            return error_new(ERROR_ARGUMENT_VALUE, "a vector has finite components only");
    return NULL;
}

Value value_copy(Arena *arena, Value value)
{
    switch ((ValueKind)value.kind) {
    case VALUE_STRING:
    case VALUE_BYTES: value.as.text = copied(arena, value.as.text, value.aux); break;
    case VALUE_VECTOR:
        value.as.vector = copied(arena, value.as.vector, value.aux * sizeof(float));
        break;
    case VALUE_PATH:
        value.as.path = copied(arena, value.as.path, value.aux * sizeof(uint64_t));
        break;
    case VALUE_DURATION:
        value.as.duration = copied(arena, value.as.duration, sizeof(Duration));
        break;
    case VALUE_LIST: return copy_list(arena, value);
    case VALUE_MAP: return copy_map(arena, value);
    case VALUE_DATETIME: return copy_moment(arena, value);
    case VALUE_NULL:
    case VALUE_BOOLEAN:
    case VALUE_INTEGER:
    case VALUE_FLOAT:
    case VALUE_DATE:
    case VALUE_LOCAL_TIME:
    case VALUE_TIME:
    case VALUE_LOCAL_DATETIME:
    case VALUE_NODE:
    case VALUE_RELATIONSHIP:
    case VALUE_KIND_COUNT: break;
    }
    return value;
}

/* 1 and 1.0 are equivalent, so a float that is an integer hashes as one; all NaNs are one. */
static uint64_t hash_number(Value value)
{
    if (value.kind == VALUE_INTEGER) return hash_u64((uint64_t)value.as.integer + 1);
    double number = value.as.number;
    if (isnan(number)) return UINT64_C(0x7ff8dead);
    if (number >= -9223372036854775808.0 && number < 9223372036854775808.0 &&
        number == floor(number))
        return hash_u64((uint64_t)(int64_t)number + 1);
    uint64_t bits;
    memcpy(&bits, &number, sizeof bits);
    return hash_u64(bits);
}

static uint64_t mix(uint64_t hash, uint64_t more)
{
    return hash_u64(hash * UINT64_C(0x9e3779b97f4a7c15) + more);
}

uint64_t value_hash(Value value)
{
    uint64_t hash = value.kind;
    switch ((ValueKind)value.kind) {
    case VALUE_INTEGER:
    case VALUE_FLOAT: return hash_number(value);
    case VALUE_STRING:
    case VALUE_BYTES: return hash_bytes(value.as.text, value.aux, value.kind);
    case VALUE_BOOLEAN: return mix(hash, value.as.boolean);
    case VALUE_LIST:
        for (uint32_t i = 0; i < value.aux; i++)
            hash = mix(hash, value_hash(value.as.items[i]));
        return hash;
    case VALUE_MAP:
        for (uint32_t i = 0; i < value.aux; i++) {
            Str key = value.as.entries[i].key;
            hash = mix(mix(hash, hash_bytes(key.data, key.bytes, 0)),
                       value_hash(value.as.entries[i].value));
        }
        return hash;
    case VALUE_VECTOR: return hash_bytes(value.as.vector, value.aux * sizeof(float), hash);
    case VALUE_PATH: return hash_bytes(value.as.path, value.aux * sizeof(uint64_t), hash);
    case VALUE_TIME:
        return mix(hash, (uint64_t)(value.as.integer - (int64_t)(int32_t)value.aux * 1000000000));
    case VALUE_LOCAL_DATETIME: return mix(mix(hash, (uint64_t)value.as.integer), value.aux);
    case VALUE_DATETIME:
        return mix(mix(hash, (uint64_t)value.as.moment->seconds), value.as.moment->nanoseconds);
    case VALUE_DURATION: {
        const Duration *d = value.as.duration;
        return mix(
            mix(mix(mix(hash, (uint64_t)d->months), (uint64_t)d->days), (uint64_t)d->seconds),
            (uint64_t)d->nanoseconds);
    }
    case VALUE_DATE:
    case VALUE_LOCAL_TIME: return mix(hash, (uint64_t)value.as.integer);
    case VALUE_NODE:
    case VALUE_RELATIONSHIP: return mix(hash, value.as.id);
    case VALUE_NULL:
    case VALUE_KIND_COUNT: break;
    }
    return hash_u64(hash);
}

const char *value_kind_name(ValueKind kind)
{
    static const char *const names[VALUE_KIND_COUNT] = {
        [VALUE_NULL] = "NULL",
        [VALUE_BOOLEAN] = "BOOLEAN",
        [VALUE_INTEGER] = "INTEGER",
        [VALUE_FLOAT] = "FLOAT",
        [VALUE_STRING] = "STRING",
        [VALUE_BYTES] = "BYTES",
        [VALUE_LIST] = "LIST",
        [VALUE_MAP] = "MAP",
        [VALUE_VECTOR] = "VECTOR",
        [VALUE_DATE] = "DATE",
        [VALUE_LOCAL_TIME] = "LOCAL TIME",
        [VALUE_TIME] = "TIME",
        [VALUE_LOCAL_DATETIME] = "LOCAL DATETIME",
        [VALUE_DATETIME] = "DATETIME",
        [VALUE_DURATION] = "DURATION",
        [VALUE_NODE] = "NODE",
        [VALUE_RELATIONSHIP] = "RELATIONSHIP",
        [VALUE_PATH] = "PATH",
    };
    return (unsigned)kind < VALUE_KIND_COUNT ? names[kind] : "ANY";
}
