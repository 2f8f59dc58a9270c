/*
 * value.h - what a cell can hold: 16 bytes, a kind and a payload.
 *
 * Values are plain data, copied by assignment; what they point to (text, elements) belongs to an
 * arena, a batch or the store. value_copy takes a deep copy into an arena. There is one order, one
 * equality and one equivalence, and they are here and nowhere else.
 *
 * Entities are ids only: a node is its dense id; a relationship's id holds its type above bit 40
 * and its number within the type below. Everything else about them is read through the plug
 * EntityReader (expression/reader.h).
 */
#ifndef VALUE_VALUE_H
#define VALUE_VALUE_H
#include "base/error.h"
#include "base/str.h"

typedef enum ValueKind {
    VALUE_NULL,
    VALUE_BOOLEAN,
    VALUE_INTEGER,
    VALUE_FLOAT,
    VALUE_STRING,
    VALUE_BYTES,
    VALUE_LIST,
    VALUE_MAP,
    VALUE_VECTOR,
    VALUE_DATE,       /* integer: days since 1970-01-01 */
    VALUE_LOCAL_TIME, /* integer: nanoseconds since midnight */
    VALUE_TIME, /* integer: nanoseconds since midnight, local; aux: offset in seconds east (int32_t)
                 */
    VALUE_LOCAL_DATETIME, /* integer: seconds since 1970-01-01T00:00 local; aux: nanoseconds */
    VALUE_DATETIME,       /* moment */
    VALUE_DURATION,       /* duration */
    VALUE_NODE,           /* id */
    VALUE_RELATIONSHIP,   /* id */
    VALUE_PATH,           /* path: node, relationship, node, ...; aux: how many ids, odd */
    VALUE_KIND_COUNT
} ValueKind;

typedef struct Moment { /* a datetime with zone */
    int64_t seconds;    /* UTC, since 1970-01-01 */
    uint32_t nanoseconds;
    int32_t offset; /* seconds east of UTC */
    Str zone;       /* name of tzdata, or empty: only the offset is known */
} Moment;

typedef struct Duration { /* the four parts are independent, each may be negative; |nanoseconds| <
                             1e9, sign of seconds' sum */
    int64_t months, days, seconds;
    int32_t nanoseconds; /* 0 to 999,999,999; seconds are floored */
} Duration;

typedef struct Value {
    union {
        struct {
            uint8_t kind; /* ValueKind */
            uint8_t spare[3];
            uint32_t aux; /* string, bytes: bytes; list, path, vector: elements; map: entries; time:
                             offset; local datetime: ns */
        };
        uint64_t
            head; /* all of these: a value that is made of two words stays in registers, one that
                          is put together from bytes goes through memory and waits there */
    };
    union {
        bool boolean;
        int64_t integer; /* and the temporal kinds that fit */
        double number;
        const char *text;
        const struct Value *items;        /* list */
        const struct ValueEntry *entries; /* map: sorted by key, keys unique */
        const float *vector;
        const Moment *moment;
        const Duration *duration;
        const uint64_t *path;
        uint64_t id;
    } as;
} Value;

typedef struct ValueEntry {
    Str key;
    Value value;
} ValueEntry;

_Static_assert(sizeof(Value) == 16, "a value is two words");

/* Inside a statement that looks at several moments, the id of a node or relationship that was read
 * at another moment than the present one says in its upper 4 bits at which: its number and 1. To
 * everybody who compares values it is another value than the same entity as it is now. */
enum { ENTITY_MOMENT_SHIFT = 60, ENTITY_MOMENTS_MAX = 15 };
static inline uint32_t entity_moment(uint64_t id)
{
    return (uint32_t)(id >> ENTITY_MOMENT_SHIFT);
}
static inline uint64_t entity_id(uint64_t id) /* without it */
{
    return id & ((UINT64_C(1) << ENTITY_MOMENT_SHIFT) - 1);
}

/* 2^20 types of 2^40 relationships each */
enum { RELATIONSHIP_TYPE_SHIFT = 40, RELATIONSHIP_TYPES_MAX = 1 << 20 };
static inline uint64_t relationship_id(uint32_t type, uint64_t number)
{
    return (uint64_t)type << RELATIONSHIP_TYPE_SHIFT | number;
}
static inline uint32_t relationship_type(uint64_t id)
{
    return (uint32_t)(entity_id(id) >> RELATIONSHIP_TYPE_SHIFT);
}
static inline uint64_t relationship_number(uint64_t id)
{
    return id & ((UINT64_C(1) << RELATIONSHIP_TYPE_SHIFT) - 1);
}

#define VALUE_NULL_INIT ((Value){.kind = VALUE_NULL})
static inline uint64_t value_head(ValueKind kind, size_t aux)
{
    return (uint64_t)aux << 32 | (uint64_t)kind; /* little endian, like everything (base/bytes.h) */
}
static inline Value value_null(void)
{
    return (Value){.head = value_head(VALUE_NULL, 0), .as.integer = 0};
}
static inline Value value_boolean(bool b)
{
    return (Value){.head = value_head(VALUE_BOOLEAN, 0), .as.integer = b};
}
static inline Value value_integer(int64_t i)
{
    return (Value){.head = value_head(VALUE_INTEGER, 0), .as.integer = i};
}
static inline Value value_float(double d)
{
    return (Value){.head = value_head(VALUE_FLOAT, 0), .as.number = d};
}
static inline Value value_string(Str s)
{
    return (Value){.head = value_head(VALUE_STRING, s.bytes), .as.text = s.data};
}
static inline Value value_node(uint64_t id)
{
    return (Value){.head = value_head(VALUE_NODE, 0), .as.id = id};
}
static inline Value value_relationship(uint64_t id)
{
    return (Value){.head = value_head(VALUE_RELATIONSHIP, 0), .as.id = id};
}
static inline Value value_list(const Value *items, size_t count)
{
    return (Value){.head = value_head(VALUE_LIST, count), .as.items = items};
}
/* 64 KiB of floats; also what the kernels count with (vector/kernel.h). */
enum { VALUE_VECTOR_DIMENSIONS_MAX = 16384 };
/* May these be a vector: 1 to so many components, all finite? Asked wherever one is made of what a
 * person or a program gives. */
Error *value_check_vector(const float *data, size_t dimensions) MUST_CHECK;
static inline Value value_vector(const float *data, size_t dimensions)
{
    return (Value){.head = value_head(VALUE_VECTOR, dimensions), .as.vector = data};
}
static inline bool value_is_null(Value v)
{
    return v.kind == VALUE_NULL;
}
static inline bool value_is_number(Value v)
{
    return v.kind == VALUE_INTEGER || v.kind == VALUE_FLOAT;
}
static inline double value_as_double(Value v)
{
    return v.kind == VALUE_INTEGER ? (double)v.as.integer : v.as.number;
}
static inline Str value_text(Value v)
{
    return (Str){v.as.text, v.aux};
} /* string, bytes */

/* Sorts `entries` by key and drops all but the last of equal keys; they are then the map's (no
 * copy). */
Value value_map(ValueEntry *entries, size_t count);
/* NULL: the map has no such key. */
const Value *value_map_get(Value map, Str key);

/* Deep copy into `arena`. */
Value value_copy(Arena *arena, Value value);

/* Three-valued logic, as openCypher 9 has it. */
typedef enum Truth { TRUTH_FALSE, TRUTH_TRUE, TRUTH_NULL } Truth;

/* a = b: null if either is null or undecided inside lists and maps; numbers compare by value
 * whatever their kind; other kinds are different from one another; NaN is equal to nothing. */
Truth value_equal(Value a, Value b);
/* Equivalence, for DISTINCT, grouping, UNION, keys: null is null, NaN is NaN, 1 and 1.0 are one. */
bool value_equivalent(Value a, Value b);
uint64_t
value_hash(Value value); /* equivalent values have the same hash; stable: indexes store it */
/* a < b and its kin: -1, 0, 1, or 2 when not comparable (null: other kinds, NaN, null inside). */
int value_compare(Value a, Value b);
/* The total order of ORDER BY, min, max, ascending: map, node, relationship, list, path, datetime,
 * local datetime, date, time, local time, duration, string, boolean, number (NaN above all), vector
 * and bytes before them by kind, null last. */
int value_order(Value a, Value b);
/* Below 32: values of a lower one come before, those of one are compared. */
int value_order_rank(Value value);

/* Kind by the language's name: "INTEGER", "LIST", "LOCAL DATETIME". */
const char *value_kind_name(ValueKind kind);
/* As the language writes it: 'text' quoted inside lists and maps, bare at the top when `quote` is
 * false. Entities print as (id) and [id]: faces that know more print more. */
void value_print(Buffer *out, Value value, bool quote);
#endif
