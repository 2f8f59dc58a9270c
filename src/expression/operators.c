/*
 * operators.c - what the operators mean.
 *
 * Null in, null out, except where a list decides. Integers stay integers and overflow is an error;
 * an integer meeting a float becomes one. Values of the wrong kind are an ARGUMENT_TYPE error in
 * arithmetic and null in text predicates, as openCypher 9 has it.
 */
#include "config.h"

#include "expression/operators.h"
#include "value/temporal.h"
#include <math.h>
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

static Error *place(const Expr *expr, Error *error)
{
    return error_at(error, expr->offset, expr->length);
}

static Error *wrong_kinds(const Expr *expr, const char *what, Value a, Value b)
{
    return place(expr,
                 error_new(ERROR_ARGUMENT_TYPE, "%s wants other kinds than %s and %s", what,
                           value_kind_name((ValueKind)a.kind), value_kind_name((ValueKind)b.kind)));
}

static Error *overflow(const Expr *expr)
{
    return place(expr,
                 error_hint(error_new(ERROR_ARITHMETIC_OVERFLOW, "the result is beyond 64 bits"),
                            "use floats: toFloat(x)"));
}

Value truth_value(Truth truth)
{
    return truth == TRUTH_NULL ? value_null() : value_boolean(truth == TRUTH_TRUE);
}

Truth truth_and(Truth a, Truth b)
{
    if (a == TRUTH_FALSE || b == TRUTH_FALSE) return TRUTH_FALSE;
    return a == TRUTH_NULL || b == TRUTH_NULL ? TRUTH_NULL : TRUTH_TRUE;
}

Truth truth_or(Truth a, Truth b)
{
    if (a == TRUTH_TRUE || b == TRUTH_TRUE) return TRUTH_TRUE;
    return a == TRUTH_NULL || b == TRUTH_NULL ? TRUTH_NULL : TRUTH_FALSE;
}

static Truth truth_not(Truth a)
{
    return a == TRUTH_NULL ? TRUTH_NULL : a == TRUTH_TRUE ? TRUTH_FALSE : TRUTH_TRUE;
}

Error *operator_truth(Value value, const Expr *expr, Truth *out)
{
    if (value.kind == VALUE_NULL) return *out = TRUTH_NULL, NULL;
    if (value.kind == VALUE_BOOLEAN)
        return *out = value.as.boolean ? TRUTH_TRUE : TRUTH_FALSE, NULL;
    return place(expr, error_new(ERROR_ARGUMENT_TYPE, "a condition is true or false, not %s",
                                 value_kind_name((ValueKind)value.kind)));
}

/* ---- arithmetic ---- */

Value operator_concat(Arena *arena, Str a, Str b)
{
    const char *data = arena_join(arena, a.data, a.bytes, b.data, b.bytes);
    return value_string((Str){data, a.bytes + b.bytes});
}

/* Text and lists double where they are added to themselves: asked before, each time. */
static Error *room_to_join(const Arena *arena, const void *a, size_t a_count, size_t b_count,
                           size_t bytes_each)
{
    if (a_count + b_count > UINT32_MAX)
        return error_new(ERROR_LIMIT, "text and lists have at most %u bytes or elements",
                         UINT32_MAX);
    return error_if_short(arena_join_takes(arena, a, a_count * bytes_each, b_count * bytes_each));
}

static Value concat_lists(Arena *arena, Value a, Value b)
{
    const Value *items =
        arena_join(arena, a.as.items, a.aux * sizeof *items, b.as.items, b.aux * sizeof *items);
    return value_list(items, (size_t)a.aux + b.aux);
}

static Value single(Arena *arena, Value item)
{
    Value *items = arena_alloc(arena, sizeof *items);
    *items = item;
    return value_list(items, 1);
}

static Str as_text(Arena *arena, Value value)
{
    if (value.kind == VALUE_STRING) return value_text(value);
    Buffer text = {0};
    value_print(&text, value, false);
    Str copy = str_copy(arena, buffer_view(&text));
    buffer_free(&text);
    return copy;
}

/* date + duration, duration * 2; *done is false where the kinds are none of these. */
static Error *temporal_arithmetic(const Expr *expr, EvalContext *context, Value a, Value b,
                                  bool *done, Value *out)
{
    bool scaled = expr->kind == EXPR_DIVIDE || expr->kind == EXPR_MULTIPLY;
    *done = true;
    if (scaled && a.kind == VALUE_DURATION && value_is_number(b))
        return duration_scale(context->arena, a, b, expr->kind == EXPR_DIVIDE, out);
    if (expr->kind == EXPR_MULTIPLY && b.kind == VALUE_DURATION && value_is_number(a))
        return duration_scale(context->arena, b, a, false, out);
    bool added = expr->kind == EXPR_ADD || expr->kind == EXPR_SUBTRACT;
    if (added && value_is_temporal(a) && value_is_temporal(b))
        return temporal_add(context->arena, a, b, expr->kind == EXPR_SUBTRACT, out);
    return *done = false, NULL;
}

/* Everything + can mean but numbers. */
static Error *add_others(const Expr *expr, EvalContext *context, Value a, Value b, Value *out)
{
    if (a.kind == VALUE_LIST || b.kind == VALUE_LIST) {
        Value left = a.kind == VALUE_LIST ? a : single(context->arena, a);
        Value right = b.kind == VALUE_LIST ? b : single(context->arena, b);
        TRY(room_to_join(context->arena, left.as.items, left.aux, right.aux, sizeof(Value)));
        *out = concat_lists(context->arena, left, right);
        return NULL;
    }
    bool text = (a.kind == VALUE_STRING && (b.kind == VALUE_STRING || value_is_number(b))) ||
                (b.kind == VALUE_STRING && value_is_number(a));
    if (!text) return wrong_kinds(expr, "+", a, b);
    Str left = as_text(context->arena, a), right = as_text(context->arena, b);
    TRY(room_to_join(context->arena, left.data, left.bytes, right.bytes, 1));
    *out = operator_concat(context->arena, left, right);
    return NULL;
}

static Error *arithmetic_integers(const Expr *expr, int64_t a, int64_t b, Value *out)
{
    int64_t result = 0;
    bool over = false;
    switch ((ExprKind)expr->kind) {
    case EXPR_ADD: over = __builtin_add_overflow(a, b, &result); break;
    case EXPR_SUBTRACT: over = __builtin_sub_overflow(a, b, &result); break;
    case EXPR_MULTIPLY: over = __builtin_mul_overflow(a, b, &result); break;
    default:
        if (b == 0) return place(expr, error_new(ERROR_DIVISION_BY_ZERO, "division by zero"));
        if (b == -1) {
            over = expr->kind == EXPR_DIVIDE && a == INT64_MIN;
            result = expr->kind == EXPR_DIVIDE && !over ? -a : 0;
        } else {
            result = expr->kind == EXPR_DIVIDE ? a / b : a % b;
        }
    }
    if (over) return overflow(expr);
    *out = value_integer(result);
    return NULL;
}

static double arithmetic_floats(ExprKind kind, double a, double b)
{
    if (kind == EXPR_ADD) return a + b;
    if (kind == EXPR_SUBTRACT) return a - b;
    if (kind == EXPR_MULTIPLY) return a * b;
    return kind == EXPR_DIVIDE ? a / b : fmod(a, b);
}

static Error *arithmetic(const Expr *expr, EvalContext *context, Value a, Value b, Value *out)
{
    static const char *const names[] = {
        [EXPR_ADD] = "+",    [EXPR_SUBTRACT] = "-", [EXPR_MULTIPLY] = "*",
        [EXPR_DIVIDE] = "/", [EXPR_MODULO] = "%",   [EXPR_POWER] = "^"};
    bool list = expr->kind == EXPR_ADD && (a.kind == VALUE_LIST || b.kind == VALUE_LIST);
    if ((a.kind == VALUE_NULL || b.kind == VALUE_NULL) && !list) return *out = value_null(), NULL;
    if (list && (a.kind == VALUE_NULL || b.kind == VALUE_NULL)) return *out = value_null(), NULL;
    if (!value_is_number(a) || !value_is_number(b)) {
        bool done;
        Error *error = temporal_arithmetic(expr, context, a, b, &done, out);
        if (done) return place(expr, error);
        if (expr->kind == EXPR_ADD) return add_others(expr, context, a, b, out);
        return wrong_kinds(expr, names[expr->kind], a, b);
    }
    if (expr->kind == EXPR_POWER)
        return *out = value_float(pow(value_as_double(a), value_as_double(b))), NULL;
    if (a.kind == VALUE_INTEGER && b.kind == VALUE_INTEGER)
        return arithmetic_integers(expr, a.as.integer, b.as.integer, out);
    *out = value_float(
        arithmetic_floats((ExprKind)expr->kind, value_as_double(a), value_as_double(b)));
    return NULL;
}

static Error *negate(const Expr *expr, Value a, Value *out)
{
    if (a.kind == VALUE_NULL) return *out = a, NULL;
    if (a.kind == VALUE_FLOAT)
        return *out = value_float(expr->kind == EXPR_NEGATE ? -a.as.number : a.as.number), NULL;
    if (a.kind != VALUE_INTEGER)
        return place(expr, error_new(ERROR_ARGUMENT_TYPE, "a sign wants a number, not %s",
                                     value_kind_name((ValueKind)a.kind)));
    if (expr->kind == EXPR_NEGATE && a.as.integer == INT64_MIN) return overflow(expr);
    *out = value_integer(expr->kind == EXPR_NEGATE ? -a.as.integer : a.as.integer);
    return NULL;
}

/* ---- comparison ---- */

static Value compare(ExprKind kind, Value a, Value b)
{
    if (a.kind == VALUE_NULL || b.kind == VALUE_NULL) return value_null();
    int order = value_compare(a, b);
    if (order == 2)
        return value_is_number(a) && value_is_number(b) ? value_boolean(false) : value_null();
    if (kind == EXPR_LESS) return value_boolean(order < 0);
    if (kind == EXPR_LESS_EQUAL) return value_boolean(order <= 0);
    return value_boolean(kind == EXPR_GREATER ? order > 0 : order >= 0);
}

static Error *is_in(const Expr *expr, Value element, Value list, Value *out)
{
    if (list.kind == VALUE_NULL) return *out = value_null(), NULL;
    if (list.kind != VALUE_LIST)
        return place(expr, error_new(ERROR_ARGUMENT_TYPE, "IN wants a list, not %s",
                                     value_kind_name((ValueKind)list.kind)));
    Truth found = TRUTH_FALSE;
    for (uint32_t i = 0; i < list.aux && found != TRUTH_TRUE; i++)
        found = truth_or(found, value_equal(element, list.as.items[i]));
    *out = truth_value(found);
    return NULL;
}

/* Most texts are too short for memmem to be worth preparing; `part` has one byte at least. */
static bool contains(Str text, Str part)
{
    enum { SHORT_BYTES = 64 };
    if (part.bytes == 1) return memchr(text.data, part.data[0], text.bytes) != NULL;
    if (text.bytes > SHORT_BYTES)
        return memmem(text.data, text.bytes, part.data, part.bytes) != NULL;
    for (size_t i = 0; i + part.bytes <= text.bytes; i++)
        if (text.data[i] == part.data[0] && text.data[i + 1] == part.data[1] &&
            memcmp(text.data + i + 2, part.data + 2, part.bytes - 2) == 0)
            return true;
    return false;
}

bool operator_text(ExprKind kind, Str text, Str part)
{
    if (part.bytes > text.bytes) return false;
    if (part.bytes == 0) return true;
    if (kind == EXPR_STARTS_WITH) return memcmp(text.data, part.data, part.bytes) == 0;
    if (kind == EXPR_ENDS_WITH)
        return memcmp(text.data + text.bytes - part.bytes, part.data, part.bytes) == 0;
    return contains(text, part);
}

static Error *regex(const Expr *expr, Str text, Str pattern, Value *out)
{
    int code;
    PCRE2_SIZE at;
    pcre2_code *compiled =
        pcre2_compile((PCRE2_SPTR)pattern.data, pattern.bytes,
                      PCRE2_UTF | PCRE2_ANCHORED | PCRE2_ENDANCHORED, &code, &at, NULL);
    if (compiled == NULL) {
        char reason[128];
        pcre2_get_error_message(code, (PCRE2_UCHAR *)reason, sizeof reason);
        return place(expr,
                     error_new(ERROR_ARGUMENT_VALUE, "not a regular expression: %s at byte %zu",
                               reason, (size_t)at));
    }
    pcre2_match_data *match = pcre2_match_data_create_from_pattern(compiled, NULL);
    int found = pcre2_match(compiled, (PCRE2_SPTR)text.data, text.bytes, 0, 0, match, NULL);
    pcre2_match_data_free(match);
    pcre2_code_free(compiled);
    if (found < 0 && found != PCRE2_ERROR_NOMATCH)
        return place(
            expr, error_hint(error_new(ERROR_LIMIT, "the regular expression gave up on this text"),
                             "write it with fewer nested repetitions"));
    *out = value_boolean(found >= 0);
    return NULL;
}

static Error *text_operator(const Expr *expr, Value a, Value b, Value *out)
{
    *out = value_null();
    if (a.kind != VALUE_STRING || b.kind != VALUE_STRING) return NULL;
    if (expr->kind == EXPR_REGEX) return regex(expr, value_text(a), value_text(b), out);
    *out = value_boolean(operator_text((ExprKind)expr->kind, value_text(a), value_text(b)));
    return NULL;
}

Error *operator_apply(const Expr *expr, EvalContext *context, const Value *args, Value *out)
{
    Truth left = TRUTH_NULL, right = TRUTH_NULL;
    switch ((ExprKind)expr->kind) {
    case EXPR_ADD:
    case EXPR_SUBTRACT:
    case EXPR_MULTIPLY:
    case EXPR_DIVIDE:
    case EXPR_MODULO:
    case EXPR_POWER: return arithmetic(expr, context, args[0], args[1], out);
    case EXPR_NEGATE:
    case EXPR_PLUS: return negate(expr, args[0], out);
    case EXPR_EQUAL: return *out = truth_value(value_equal(args[0], args[1])), NULL;
    case EXPR_NOT_EQUAL: return *out = truth_value(truth_not(value_equal(args[0], args[1]))), NULL;
    case EXPR_LESS:
    case EXPR_LESS_EQUAL:
    case EXPR_GREATER:
    case EXPR_GREATER_EQUAL: return *out = compare((ExprKind)expr->kind, args[0], args[1]), NULL;
    case EXPR_IN: return is_in(expr, args[0], args[1], out);
    case EXPR_STARTS_WITH:
    case EXPR_ENDS_WITH:
    case EXPR_CONTAINS:
    case EXPR_REGEX: return text_operator(expr, args[0], args[1], out);
    case EXPR_IS_NULL: return *out = value_boolean(args[0].kind == VALUE_NULL), NULL;
    case EXPR_IS_NOT_NULL: return *out = value_boolean(args[0].kind != VALUE_NULL), NULL;
    case EXPR_NOT:
        TRY(operator_truth(args[0], expr, &left));
        return *out = truth_value(truth_not(left)), NULL;
    case EXPR_XOR:
        TRY(operator_truth(args[0], expr, &left));
        TRY(operator_truth(args[1], expr, &right));
        *out =
            left == TRUTH_NULL || right == TRUTH_NULL ? value_null() : value_boolean(left != right);
        return NULL;
    default: break;
    }
    return place(expr, error_new(ERROR_MISUSE, "not an operator"));
}

/* ---- looking inside ---- */

Error *operator_property(const Expr *expr, EvalContext *context, Value of, Value *out)
{
    *out = value_null();
    if (of.kind == VALUE_NULL) return NULL;
    if (of.kind == VALUE_MAP) {
        const Value *found = value_map_get(of, expr->name.text);
        if (found != NULL) *out = *found;
        return NULL;
    }
    if (of.kind == VALUE_NODE || of.kind == VALUE_RELATIONSHIP) {
        Column column = {0};
        Error *error =
            context->reader->property(context->reader->state, (ValueKind)of.kind, expr->name,
                                      &of.as.id, 0, 1, context->arena, &column);
        if (error == NULL) *out = column_value(&column, 0);
        return place(expr, error);
    }
    if (value_is_temporal(of))
        return place(expr, temporal_component(context->arena, of, expr->name.text, out));
    return place(expr, error_new(ERROR_ARGUMENT_TYPE, "%s has no properties",
                                 value_kind_name((ValueKind)of.kind)));
}

Error *operator_index(EvalContext *context, Value of, Value index, Value *out)
{
    *out = value_null();
    if (of.kind == VALUE_NULL || index.kind == VALUE_NULL) return NULL;
    if (of.kind == VALUE_LIST || of.kind == VALUE_VECTOR) {
        if (index.kind != VALUE_INTEGER)
            return error_new(ERROR_ARGUMENT_TYPE, "a list is read by an integer, not %s",
                             value_kind_name((ValueKind)index.kind));
        int64_t at = index.as.integer < 0 ? index.as.integer + (int64_t)of.aux : index.as.integer;
        if (at < 0 || at >= (int64_t)of.aux) return NULL;
        *out = of.kind == VALUE_LIST ? of.as.items[at] : value_float((double)of.as.vector[at]);
        return NULL;
    }
    bool keyed = of.kind == VALUE_MAP || of.kind == VALUE_NODE || of.kind == VALUE_RELATIONSHIP ||
                 value_is_temporal(of);
    if (!keyed)
        return error_new(ERROR_ARGUMENT_TYPE, "%s has no elements",
                         value_kind_name((ValueKind)of.kind));
    if (index.kind != VALUE_STRING)
        return error_new(of.kind == VALUE_MAP ? ERROR_MAP_ELEMENT_BY_NON_STRING
                                              : ERROR_ARGUMENT_TYPE,
                         "a %s is read by text, not %s", value_kind_name((ValueKind)of.kind),
                         value_kind_name((ValueKind)index.kind));
    Expr property = {.name = {value_text(index), NAME_ID_UNKNOWN}};
    return operator_property(&property, context, of, out);
}

Error *operator_slice(EvalContext *context, const Expr *expr, Value of, Value from, Value to,
                      Value *out)
{
    (void)context;
    *out = value_null();
    bool open_from = expr->args[1] == NULL, open_to = expr->args[2] == NULL;
    if (of.kind == VALUE_NULL || (!open_from && from.kind == VALUE_NULL) ||
        (!open_to && to.kind == VALUE_NULL))
        return NULL;
    if (of.kind != VALUE_LIST)
        return place(expr, error_new(ERROR_ARGUMENT_TYPE, "only a list can be sliced, not %s",
                                     value_kind_name((ValueKind)of.kind)));
    if ((!open_from && from.kind != VALUE_INTEGER) || (!open_to && to.kind != VALUE_INTEGER))
        return place(expr,
                     error_new(ERROR_ARGUMENT_TYPE, "a slice goes from an integer to an integer"));
    int64_t count = of.aux, start = open_from ? 0 : from.as.integer,
            end = open_to ? count : to.as.integer;
    if (start < 0) start = start + count < 0 ? 0 : start + count;
    if (end < 0) end += count;
    if (end > count) end = count;
    *out =
        start >= end ? value_list(NULL, 0) : value_list(of.as.items + start, (size_t)(end - start));
    return NULL;
}

/* Relationships of a list continue the path from its last node, whichever way they were walked. */
static Error *walk(EvalContext *context, Value relationship, uint64_t *path, uint32_t *count)
{
    uint64_t start, end, at = path[*count - 1];
    TRY(context->reader->ends(context->reader->state, relationship.as.id, &start, &end));
    path[(*count)++] = relationship.as.id;
    path[(*count)++] = start == at ? end : start;
    return NULL;
}

Error *operator_path(EvalContext *context, const Value *parts, uint32_t part_count, Value *out)
{
    size_t room = 1;
    *out = value_null();
    for (uint32_t i = 0; i < part_count; i++) {
        if (parts[i].kind == VALUE_NULL) return NULL;
        room += parts[i].kind == VALUE_LIST ? 2 * (size_t)parts[i].aux : 2;
    }
    uint64_t *path = arena_alloc(context->arena, room * sizeof *path);
    uint32_t count = 0;
    path[count++] = parts[0].as.id;
    for (uint32_t i = 1; i < part_count; i++) {
        Value part = parts[i];
        if (part.kind == VALUE_LIST) {
            for (uint32_t j = 0; j < part.aux; j++)
                TRY(walk(context, part.as.items[j], path, &count));
        } else if (part.kind == VALUE_RELATIONSHIP) {
            TRY(walk(context, part, path, &count));
        }
    }
    *out = (Value){.kind = VALUE_PATH, .aux = count, .as.path = path};
    return NULL;
}
