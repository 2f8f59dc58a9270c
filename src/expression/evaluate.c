/*
 * evaluate.c - one expression over one row: the definition of what expressions mean.
 *
 * Recursion is bounded by the depth the parser allows. Locals of comprehensions live in the context
 * by number; the planner numbers them so that nested ones never share.
 */
#include "config.h"

#include "expression/functions.h"
#include "expression/operators.h"
#include <assert.h>

typedef struct Row { /* what is the same throughout one evaluation */
    EvalContext *context;
    const Batch *batch;
    uint32_t position;
} Row;

static Error *evaluate(const Expr *expr, const Row *row, Value *out);

static Error *evaluate_and_or(const Expr *expr, const Row *row, Value *out)
{
    Value value;
    Truth left, right;
    Truth decides = expr->kind == EXPR_AND ? TRUTH_FALSE : TRUTH_TRUE;
    TRY(evaluate(expr->args[0], row, &value));
    TRY(operator_truth(value, expr->args[0], &left));
    if (left == decides) return *out = truth_value(left), NULL;
    TRY(evaluate(expr->args[1], row, &value));
    TRY(operator_truth(value, expr->args[1], &right));
    *out = truth_value(expr->kind == EXPR_AND ? truth_and(left, right) : truth_or(left, right));
    return NULL;
}

static Error *evaluate_list(const Expr *expr, const Row *row, Value *out)
{
    if (mem_is_short()) return error_memory();
    Value *items = arena_alloc(row->context->arena, expr->arg_count * sizeof *items);
    for (uint32_t i = 0; i < expr->arg_count; i++)
        TRY(evaluate(expr->args[i], row, &items[i]));
    *out = value_list(items, expr->arg_count);
    return NULL;
}

static Error *evaluate_map(const Expr *expr, const Row *row, Value *out)
{
    if (mem_is_short()) return error_memory();
    Value *values = arena_alloc(row->context->arena, (expr->arg_count + 1) * sizeof *values);
    size_t room = expr->arg_count, count = 0;
    for (uint32_t i = 0; i < expr->arg_count; i++) {
        TRY(evaluate(expr->args[i], row, &values[i]));
        if (expr->keys[i].data == NULL && values[i].kind == VALUE_MAP) room += values[i].aux;
    }
    ValueEntry *entries = arena_alloc(row->context->arena, (room + 1) * sizeof *entries);
    for (uint32_t i = 0; i < expr->arg_count; i++) {
        if (expr->keys[i].data != NULL) entries[count++] = (ValueEntry){expr->keys[i], values[i]};
        if (expr->keys[i].data != NULL || values[i].kind != VALUE_MAP) continue;
        for (uint32_t j = 0; j < values[i].aux; j++)
            entries[count++] = values[i].as.entries[j];
    }
    *out = value_map(entries, count);
    return NULL;
}

static Error *evaluate_case(const Expr *expr, const Row *row, Value *out)
{
    uint32_t pairs = expr->arg_count / 2;
    for (uint32_t i = 0; i < pairs; i++) {
        Value condition;
        Truth truth;
        TRY(evaluate(expr->args[2 * i], row, &condition));
        TRY(operator_truth(condition, expr->args[2 * i], &truth));
        if (truth == TRUTH_TRUE) return evaluate(expr->args[2 * i + 1], row, out);
    }
    return evaluate(expr->args[expr->arg_count - 1], row, out);
}

static Error *list_of(const Expr *expr, const Row *row, Value *list)
{
    TRY(evaluate(expr, row, list));
    if (list->kind == VALUE_NULL || list->kind == VALUE_LIST) return NULL;
    return error_at(error_new(ERROR_ARGUMENT_TYPE, "a list is wanted here, not %s",
                              value_kind_name((ValueKind)list->kind)),
                    expr->offset, expr->length);
}

static Error *holds(const Expr *where, const Row *row, Truth *out)
{
    Value value;
    *out = TRUTH_TRUE;
    if (where == NULL) return NULL;
    TRY(evaluate(where, row, &value));
    return operator_truth(value, where, out);
}

static Error *check_stop(const EvalContext *context, uint32_t i)
{
    if (mem_is_short()) return error_memory();
    bool asked = (i & 1023) == 1023 && context->interrupt != NULL &&
                 context->interrupt->stop(context->interrupt->state);
    return asked ? error_new(ERROR_CANCELLED, "the statement was cancelled") : NULL;
}

static Error *evaluate_comprehension(const Expr *expr, const Row *row, Value *out)
{
    Value list;
    TRY(list_of(expr->args[0], row, &list));
    if (list.kind == VALUE_NULL) return *out = list, NULL;
    TRY(error_if_short(list.aux * sizeof(Value)));
    Value *items = arena_alloc(row->context->arena, list.aux * sizeof *items);
    uint32_t count = 0;
    for (uint32_t i = 0; i < list.aux; i++) {
        Truth kept;
        row->context->locals[expr->index] = list.as.items[i];
        TRY(check_stop(row->context, i));
        TRY(holds(expr->args[1], row, &kept));
        if (kept != TRUTH_TRUE) continue;
        items[count] = list.as.items[i];
        if (expr->args[2] != NULL) TRY(evaluate(expr->args[2], row, &items[count]));
        count++;
    }
    *out = value_list(items, count);
    return NULL;
}

static Truth quantified(ExprKind kind, uint32_t yes, uint32_t no, uint32_t unknown)
{
    if (kind == EXPR_ANY) return yes > 0 ? TRUTH_TRUE : unknown > 0 ? TRUTH_NULL : TRUTH_FALSE;
    if (kind == EXPR_ALL) return no > 0 ? TRUTH_FALSE : unknown > 0 ? TRUTH_NULL : TRUTH_TRUE;
    if (kind == EXPR_NONE) return yes > 0 ? TRUTH_FALSE : unknown > 0 ? TRUTH_NULL : TRUTH_TRUE;
    if (yes > 1) return TRUTH_FALSE;
    return unknown > 0 ? TRUTH_NULL : yes == 1 ? TRUTH_TRUE : TRUTH_FALSE;
}

static Error *evaluate_quantifier(const Expr *expr, const Row *row, Value *out)
{
    Value list;
    uint32_t counts[3] = {0};
    TRY(list_of(expr->args[0], row, &list));
    if (list.kind == VALUE_NULL) return *out = list, NULL;
    for (uint32_t i = 0; i < list.aux; i++) {
        Truth truth;
        row->context->locals[expr->index] = list.as.items[i];
        TRY(check_stop(row->context, i));
        TRY(holds(expr->args[1], row, &truth));
        counts[truth]++;
    }
    *out = truth_value(quantified((ExprKind)expr->kind, counts[TRUTH_TRUE], counts[TRUTH_FALSE],
                                  counts[TRUTH_NULL]));
    return NULL;
}

static Error *reduce_one(const Expr *expr, const Row *row, Value list, uint32_t i, Value *sum)
{
    row->context->locals[expr->index] = *sum;
    row->context->locals[expr->index + 1] = list.as.items[i];
    TRY(check_stop(row->context, i));
    return evaluate(expr->args[2], row, sum);
}

enum {
    REDUCE_SHORT = 256,        /* elements: what their steps leave behind is not worth two arenas */
    REDUCE_BYTES_MIN = 1 << 20 /* of what steps leave behind, before it is thrown away */
};

/* Each step makes its sum anew, and a text that grows by every element would be kept in all its
 * lengths: now and then what is left behind is thrown away, when it is four times what stays. */
static Error *reduce_long(const Expr *expr, const Row *row, Value list, Value *sum)
{
    Arena *mine = row->context->arena, *now = arena_create(), *next = arena_create();
    Error *error = NULL;
    size_t most = REDUCE_BYTES_MIN;
    for (uint32_t i = 0; i < list.aux && error == NULL; i++) {
        row->context->arena = now;
        error = reduce_one(expr, row, list, i, sum);
        if (error != NULL || arena_bytes(now) < most) continue;
        *sum = value_copy(next, *sum);
        arena_reset(now);
        Arena *free = now;
        now = next, next = free;
        most = 4 * arena_bytes(now) < REDUCE_BYTES_MIN ? REDUCE_BYTES_MIN : 4 * arena_bytes(now);
    }
    if (error == NULL) *sum = value_copy(mine, *sum);
    row->context->arena = mine;
    arena_destroy(now);
    arena_destroy(next);
    return error;
}

static Error *evaluate_reduce(const Expr *expr, const Row *row, Value *out)
{
    Value list, sum;
    TRY(evaluate(expr->args[0], row, &sum));
    TRY(list_of(expr->args[1], row, &list));
    if (list.kind == VALUE_NULL) return *out = list, NULL;
    if (list.aux > REDUCE_SHORT)
        TRY(reduce_long(expr, row, list, &sum));
    else
        for (uint32_t i = 0; i < list.aux; i++)
            TRY(reduce_one(expr, row, list, i, &sum));
    *out = sum;
    return NULL;
}

static Error *evaluate_call(const Expr *expr, const Row *row, Value *out)
{
    Value args[FUNCTION_ARGS_MAX];
    if (mem_is_short()) return error_memory();
    for (uint32_t i = 0; i < expr->arg_count; i++) {
        TRY(evaluate(expr->args[i], row, &args[i]));
        if (expr->function->null_on_null && args[i].kind == VALUE_NULL)
            return *out = value_null(), NULL;
    }
    *out = value_null();
    return error_at(expr->function->call(row->context, expr->function, args, expr->arg_count, out),
                    expr->offset, expr->length);
}

static Error *evaluate_labels(const Expr *expr, const Row *row, Value *out)
{
    Value entity;
    const EntityReader *reader = row->context->reader;
    TRY(evaluate(expr->args[0], row, &entity));
    *out = value_null();
    if (entity.kind == VALUE_NULL) return NULL;
    if (entity.kind == VALUE_RELATIONSHIP) {
        Str type;
        TRY(reader->type(reader->state, entity.as.id, &type));
        *out = value_boolean(expr->name_count == 1 && str_equal(type, expr->names[0].text));
        return NULL;
    }
    if (entity.kind != VALUE_NODE)
        return error_at(error_new(ERROR_ARGUMENT_TYPE, "%s has no labels",
                                  value_kind_name((ValueKind)entity.kind)),
                        expr->offset, expr->length);
    uint8_t has = 1;
    for (uint32_t i = 0; i < expr->name_count && has; i++)
        TRY(reader->has_label(reader->state, expr->names[i], &entity.as.id, 1, &has));
    *out = value_boolean(has != 0);
    return NULL;
}

static Error *evaluate_path(const Expr *expr, const Row *row, Value *out)
{
    Value *parts = arena_alloc(row->context->arena, expr->arg_count * sizeof *parts);
    for (uint32_t i = 0; i < expr->arg_count; i++)
        TRY(evaluate(expr->args[i], row, &parts[i]));
    return operator_path(row->context, parts, expr->arg_count, out);
}

static Error *evaluate_index(const Expr *expr, const Row *row, Value *out)
{
    Value of, index;
    TRY(evaluate(expr->args[0], row, &of));
    TRY(evaluate(expr->args[1], row, &index));
    return error_at(operator_index(row->context, of, index, out), expr->offset, expr->length);
}

static Error *evaluate_slice(const Expr *expr, const Row *row, Value *out)
{
    Value of, from = value_null(), to = value_null();
    TRY(evaluate(expr->args[0], row, &of));
    if (expr->args[1] != NULL) TRY(evaluate(expr->args[1], row, &from));
    if (expr->args[2] != NULL) TRY(evaluate(expr->args[2], row, &to));
    return operator_slice(row->context, expr, of, from, to, out);
}

static Error *evaluate_operator(const Expr *expr, const Row *row, Value *out)
{
    Value args[2];
    for (uint32_t i = 0; i < expr->arg_count; i++)
        TRY(evaluate(expr->args[i], row, &args[i]));
    return operator_apply(expr, row->context, args, out);
}

static Error *evaluate_subquery(const Expr *expr, const Row *row, Value *out)
{
    const SubqueryRunner *runner = row->context->subqueries;
    Value *locals = arena_alloc(row->context->arena, expr->arg_count * sizeof *locals);
    assert(runner != NULL);
    for (uint32_t i = 0; i < expr->arg_count; i++)
        TRY(evaluate(expr->args[i], row, &locals[i]));
    return runner->run(runner->state, expr->index, locals, row->batch, row->position,
                       row->context->arena, out);
}

static Error *evaluate(const Expr *expr, const Row *row, Value *out)
{
    Value of;
    switch ((ExprKind)expr->kind) {
    case EXPR_CONSTANT: return *out = expr->value, NULL;
    case EXPR_PARAMETER: return *out = row->context->parameters[expr->index], NULL;
    case EXPR_SLOT:
        return *out = column_value(&row->batch->columns[expr->index], row->position), NULL;
    case EXPR_LOCAL: return *out = row->context->locals[expr->index], NULL;
    case EXPR_PROPERTY:
        TRY(evaluate(expr->args[0], row, &of));
        return operator_property(expr, row->context, of, out);
    case EXPR_HAS_LABELS: return evaluate_labels(expr, row, out);
    case EXPR_CALL: return evaluate_call(expr, row, out);
    case EXPR_AND:
    case EXPR_OR: return evaluate_and_or(expr, row, out);
    case EXPR_INDEX: return evaluate_index(expr, row, out);
    case EXPR_SLICE: return evaluate_slice(expr, row, out);
    case EXPR_LIST: return evaluate_list(expr, row, out);
    case EXPR_MAP: return evaluate_map(expr, row, out);
    case EXPR_CASE: return evaluate_case(expr, row, out);
    case EXPR_COMPREHENSION: return evaluate_comprehension(expr, row, out);
    case EXPR_ANY:
    case EXPR_ALL:
    case EXPR_NONE:
    case EXPR_SINGLE: return evaluate_quantifier(expr, row, out);
    case EXPR_REDUCE: return evaluate_reduce(expr, row, out);
    case EXPR_SUBQUERY: return evaluate_subquery(expr, row, out);
    case EXPR_PATH: return evaluate_path(expr, row, out);
    case EXPR_AGGREGATE:
        return error_at(error_new(ERROR_INVALID_AGGREGATION, "an aggregate cannot stand here"),
                        expr->offset, expr->length);
    default: return evaluate_operator(expr, row, out);
    }
}

Error *expr_evaluate(const Expr *expr, EvalContext *context, const Batch *batch, uint32_t position,
                     Value *out)
{
    Row row = {context, batch, position};
    return evaluate(expr, &row, out);
}
