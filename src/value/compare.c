/*
 * compare.c - the one equality, the one equivalence, the one order.
 *
 * Equality is openCypher's: null where a null decides, numbers by value, NaN equal to nothing.
 * Equivalence is what grouping wants: total. value_order is the total order of ORDER BY. Integers
 * meet floats exactly, never through a rounding conversion.
 */
#include "config.h"

#include "value/temporal.h"
#include "value/value.h"
#include <math.h>

static int sign(int64_t a, int64_t b)
{
    return a < b ? -1 : a > b;
}

/* -1, 0, 1; NaN must have been sorted out before. */
static int compare_integer_float(int64_t a, double b)
{
    if (b >= 9223372036854775808.0) return -1;
    if (b < -9223372036854775808.0) return 1;
    int64_t whole = (int64_t)b; /* towards zero */
    if (a != whole) return a < whole ? -1 : 1;
    double rest = b - (double)whole;
    return rest > 0 ? -1 : rest < 0;
}

/* 2: one is NaN. */
static int compare_numbers(Value a, Value b)
{
    if (a.kind == VALUE_INTEGER && b.kind == VALUE_INTEGER) return sign(a.as.integer, b.as.integer);
    if ((a.kind == VALUE_FLOAT && isnan(a.as.number)) ||
        (b.kind == VALUE_FLOAT && isnan(b.as.number)))
        return 2;
    if (a.kind == VALUE_INTEGER) return compare_integer_float(a.as.integer, b.as.number);
    if (b.kind == VALUE_INTEGER) return -compare_integer_float(b.as.integer, a.as.number);
    return a.as.number < b.as.number ? -1 : a.as.number > b.as.number;
}

static bool same_duration(const Duration *a, const Duration *b)
{
    return a->months == b->months && a->days == b->days && a->seconds == b->seconds &&
           a->nanoseconds == b->nanoseconds;
}

/* Kinds without elements, of one kind and not numbers. */
static bool same_simple(Value a, Value b)
{
    switch ((ValueKind)a.kind) {
    case VALUE_BOOLEAN: return a.as.boolean == b.as.boolean;
    case VALUE_STRING:
    case VALUE_BYTES: return str_equal(value_text(a), value_text(b));
    case VALUE_NODE:
    case VALUE_RELATIONSHIP: return a.as.id == b.as.id;
    case VALUE_PATH:
        return a.aux == b.aux && memcmp(a.as.path, b.as.path, a.aux * sizeof *a.as.path) == 0;
    case VALUE_DATE:
    case VALUE_LOCAL_TIME:
    case VALUE_TIME:
    case VALUE_LOCAL_DATETIME:
    case VALUE_DATETIME: return temporal_compare(a, b) == 0;
    case VALUE_DURATION: return same_duration(a.as.duration, b.as.duration);
    case VALUE_VECTOR:
        if (a.aux != b.aux) return false;
        for (uint32_t i = 0; i < a.aux; i++)
            if (a.as.vector[i] != b.as.vector[i]) return false;
        return true;
    case VALUE_NULL:
    case VALUE_INTEGER:
    case VALUE_FLOAT:
    case VALUE_LIST:
    case VALUE_MAP:
    case VALUE_KIND_COUNT: break;
    }
    return true;
}

static Truth equal_lists(Value a, Value b)
{
    if (a.aux != b.aux) return TRUTH_FALSE;
    Truth all = TRUTH_TRUE;
    for (uint32_t i = 0; i < a.aux; i++) {
        Truth one = value_equal(a.as.items[i], b.as.items[i]);
        if (one == TRUTH_FALSE) return TRUTH_FALSE;
        if (one == TRUTH_NULL) all = TRUTH_NULL;
    }
    return all;
}

static Truth equal_maps(Value a, Value b)
{
    if (a.aux != b.aux) return TRUTH_FALSE;
    for (uint32_t i = 0; i < a.aux; i++)
        if (!str_equal(a.as.entries[i].key, b.as.entries[i].key)) return TRUTH_FALSE;
    Truth all = TRUTH_TRUE;
    for (uint32_t i = 0; i < a.aux; i++) {
        Truth one = value_equal(a.as.entries[i].value, b.as.entries[i].value);
        if (one == TRUTH_FALSE) return TRUTH_FALSE;
        if (one == TRUTH_NULL) all = TRUTH_NULL;
    }
    return all;
}

Truth value_equal(Value a, Value b)
{
    if (a.kind == VALUE_NULL || b.kind == VALUE_NULL) return TRUTH_NULL;
    if (value_is_number(a) && value_is_number(b))
        return compare_numbers(a, b) == 0 ? TRUTH_TRUE : TRUTH_FALSE;
    if (a.kind != b.kind) return TRUTH_FALSE;
    if (a.kind == VALUE_LIST) return equal_lists(a, b);
    if (a.kind == VALUE_MAP) return equal_maps(a, b);
    return same_simple(a, b) ? TRUTH_TRUE : TRUTH_FALSE;
}

bool value_equivalent(Value a, Value b)
{
    if (value_is_number(a) && value_is_number(b)) {
        int order = compare_numbers(a, b);
        if (order != 2) return order == 0;
        return a.kind == b.kind && isnan(a.as.number) && isnan(b.as.number);
    }
    if (a.kind != b.kind) return false;
    if (a.kind != VALUE_LIST && a.kind != VALUE_MAP) return same_simple(a, b);
    if (a.aux != b.aux) return false;
    for (uint32_t i = 0; i < a.aux; i++) {
        if (a.kind == VALUE_LIST && !value_equivalent(a.as.items[i], b.as.items[i])) return false;
        if (a.kind == VALUE_MAP &&
            (!str_equal(a.as.entries[i].key, b.as.entries[i].key) ||
             !value_equivalent(a.as.entries[i].value, b.as.entries[i].value)))
            return false;
    }
    return true;
}

static int compare_lists(Value a, Value b)
{
    uint32_t common = a.aux < b.aux ? a.aux : b.aux;
    for (uint32_t i = 0; i < common; i++) {
        int order = value_compare(a.as.items[i], b.as.items[i]);
        if (order == 2) return 2;
        if (order != 0) return order;
    }
    return sign(a.aux, b.aux);
}

int value_compare(Value a, Value b)
{
    if (a.kind == VALUE_NULL || b.kind == VALUE_NULL) return 2;
    if (value_is_number(a) && value_is_number(b)) return compare_numbers(a, b);
    if (a.kind != b.kind) return 2;
    switch ((ValueKind)a.kind) {
    case VALUE_BOOLEAN: return sign(a.as.boolean, b.as.boolean);
    case VALUE_STRING: return str_compare(value_text(a), value_text(b));
    case VALUE_LIST: return compare_lists(a, b);
    case VALUE_DATE:
    case VALUE_LOCAL_TIME:
    case VALUE_TIME:
    case VALUE_LOCAL_DATETIME:
    case VALUE_DATETIME: return temporal_compare(a, b);
    case VALUE_DURATION: return same_duration(a.as.duration, b.as.duration) ? 0 : 2;
    case VALUE_NULL:
    case VALUE_INTEGER:
    case VALUE_FLOAT:
    case VALUE_BYTES:
    case VALUE_MAP:
    case VALUE_VECTOR:
    case VALUE_NODE:
    case VALUE_RELATIONSHIP:
    case VALUE_PATH:
    case VALUE_KIND_COUNT: break;
    }
    return value_equal(a, b) == TRUTH_TRUE ? 0 : 2;
}

/* ---- the total order ---- */

int value_order_rank(Value v)
{
    static const uint8_t ranks[VALUE_KIND_COUNT] = {
        [VALUE_BYTES] = 0,     [VALUE_VECTOR] = 1,       [VALUE_MAP] = 2,
        [VALUE_NODE] = 3,      [VALUE_RELATIONSHIP] = 4, [VALUE_LIST] = 5,
        [VALUE_PATH] = 6,      [VALUE_DATETIME] = 7,     [VALUE_LOCAL_DATETIME] = 8,
        [VALUE_DATE] = 9,      [VALUE_TIME] = 10,        [VALUE_LOCAL_TIME] = 11,
        [VALUE_DURATION] = 12, [VALUE_STRING] = 13,      [VALUE_BOOLEAN] = 14,
        [VALUE_INTEGER] = 15,  [VALUE_FLOAT] = 15,       [VALUE_NULL] = 16,
    };
    return ranks[v.kind];
}

static int order_numbers(Value a, Value b)
{
    int order = compare_numbers(a, b);
    if (order != 2) return order;
    bool left = a.kind == VALUE_FLOAT && isnan(a.as.number),
         right = b.kind == VALUE_FLOAT && isnan(b.as.number);
    return left - right;
}

static int order_lists(Value a, Value b)
{
    uint32_t common = a.aux < b.aux ? a.aux : b.aux;
    for (uint32_t i = 0; i < common; i++) {
        int order = value_order(a.as.items[i], b.as.items[i]);
        if (order != 0) return order;
    }
    return sign(a.aux, b.aux);
}

static int order_maps(Value a, Value b)
{
    uint32_t common = a.aux < b.aux ? a.aux : b.aux;
    for (uint32_t i = 0; i < common; i++) {
        int order = str_compare(a.as.entries[i].key, b.as.entries[i].key);
        if (order == 0) order = value_order(a.as.entries[i].value, b.as.entries[i].value);
        if (order != 0) return order;
    }
    return sign(a.aux, b.aux);
}

static int order_paths(Value a, Value b)
{
    uint32_t common = a.aux < b.aux ? a.aux : b.aux;
    for (uint32_t i = 0; i < common; i++)
        if (a.as.path[i] != b.as.path[i]) return a.as.path[i] < b.as.path[i] ? -1 : 1;
    return sign(a.aux, b.aux);
}

static int order_vectors(Value a, Value b)
{
    if (a.aux != b.aux) return sign(a.aux, b.aux);
    for (uint32_t i = 0; i < a.aux; i++)
        if (a.as.vector[i] != b.as.vector[i]) return a.as.vector[i] < b.as.vector[i] ? -1 : 1;
    return 0;
}

int value_order(Value a, Value b)
{
    int left = value_order_rank(a), right = value_order_rank(b);
    if (left != right) return left < right ? -1 : 1;
    switch ((ValueKind)a.kind) {
    case VALUE_INTEGER:
    case VALUE_FLOAT: return order_numbers(a, b);
    case VALUE_BOOLEAN: return sign(a.as.boolean, b.as.boolean);
    case VALUE_STRING:
    case VALUE_BYTES: return str_compare(value_text(a), value_text(b));
    case VALUE_LIST: return order_lists(a, b);
    case VALUE_MAP: return order_maps(a, b);
    case VALUE_VECTOR: return order_vectors(a, b);
    case VALUE_NODE:
    case VALUE_RELATIONSHIP: return a.as.id < b.as.id ? -1 : a.as.id > b.as.id;
    case VALUE_PATH: return order_paths(a, b);
    case VALUE_DATE:
    case VALUE_LOCAL_TIME:
    case VALUE_TIME:
    case VALUE_LOCAL_DATETIME:
    case VALUE_DATETIME: return temporal_compare(a, b);
    case VALUE_DURATION: return duration_order(a.as.duration, b.as.duration);
    case VALUE_NULL:
    case VALUE_KIND_COUNT: break;
    }
    return 0;
}
