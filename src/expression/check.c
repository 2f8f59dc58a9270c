/*
 * check.c - what can be known of an expression before it runs: its type, and that its parts cannot
 * fit.
 *
 * An error here is openCypher's SyntaxError InvalidArgumentType at compile time. Only types that
 * are certain are used: a property or a parameter may hold anything.
 */
#include "config.h"

#include "expression/functions.h"

static bool known(const Expr *expr)
{
    return expr != NULL && expr->type != EXPR_TYPE_ANY;
}

static bool is(const Expr *expr, ValueKind kind)
{
    return known(expr) && expr->type == kind;
}

static bool is_number(const Expr *expr)
{
    return is(expr, VALUE_INTEGER) || is(expr, VALUE_FLOAT);
}

static Error *misfit(const Expr *expr, const char *where)
{
    return error_at(error_new(ERROR_INVALID_ARGUMENT_TYPE, "%s cannot take %s", where,
                              value_kind_name((ValueKind)expr->type)),
                    expr->offset, expr->length);
}

static Error *want_boolean(const Expr *arg, const char *where)
{
    return known(arg) && !is(arg, VALUE_BOOLEAN) ? misfit(arg, where) : NULL;
}

static bool is_temporal(const Expr *expr)
{
    return known(expr) && expr->type >= VALUE_DATE && expr->type <= VALUE_DURATION;
}

static Error *check_arithmetic(Expr *expr)
{
    const Expr *a = expr->args[0], *b = expr->args[1];
    if (is_number(a) && is_number(b)) {
        bool floats = expr->kind == EXPR_POWER || is(a, VALUE_FLOAT) || is(b, VALUE_FLOAT);
        expr->type = floats ? VALUE_FLOAT : VALUE_INTEGER;
        return NULL;
    }
    if (expr->kind == EXPR_ADD) {
        if (is(a, VALUE_LIST) || is(b, VALUE_LIST))
            expr->type = VALUE_LIST;
        else if (is(a, VALUE_STRING) && is(b, VALUE_STRING))
            expr->type = VALUE_STRING;
        return NULL;
    }
    for (uint32_t i = 0; i < 2; i++) {
        const Expr *arg = expr->args[i];
        if (known(arg) && !is_number(arg) && !is_temporal(arg)) return misfit(arg, "arithmetic");
    }
    return NULL;
}

/* Sets of kinds that a letter of functions.def allows; exact letters were turned into arg_types
 * already. */
static bool letter_allows(char letter, uint8_t type)
{
    switch (letter) {
    case 'n': return type == VALUE_INTEGER || type == VALUE_FLOAT;
    case 'z': return type == VALUE_LIST || type == VALUE_STRING;
    case 'e': return type == VALUE_NODE || type == VALUE_RELATIONSHIP;
    case 'x': return type == VALUE_NODE || type == VALUE_RELATIONSHIP || type == VALUE_MAP;
    case 'v': return type == VALUE_VECTOR || type == VALUE_LIST;
    case 'i': return type == VALUE_INTEGER;
    case 's': return type == VALUE_STRING;
    case 'b': return type == VALUE_BOOLEAN;
    case 'l': return type == VALUE_LIST;
    case 'm': return type == VALUE_MAP;
    case 'N': return type == VALUE_NODE;
    case 'R': return type == VALUE_RELATIONSHIP;
    case 'P': return type == VALUE_PATH;
    default: return true;
    }
}

static Error *check_call(Expr *expr)
{
    const Function *function = expr->function;
    expr->type = function->type;
    for (uint32_t i = 0; i < expr->arg_count; i++) {
        const Expr *arg = expr->args[i];
        if (!known(arg) || letter_allows(function->arg_letters[i], arg->type)) continue;
        /* A map or list that turns out at run time is told then; the certain misfits are entities
         * and literals. */
        return error_at(error_new(ERROR_INVALID_ARGUMENT_TYPE, "%.*s() cannot take %s",
                                  STR_ARG(function->name), value_kind_name((ValueKind)arg->type)),
                        arg->offset, arg->length);
    }
    bool same =
        function->type == EXPR_TYPE_ANY && expr->arg_count == 1 &&
        (str_equal(function->name, STR("abs")) || str_equal(function->name, STR("reverse")));
    if (same) expr->type = expr->args[0]->type;
    return NULL;
}

static Error *check_in(Expr *expr)
{
    const Expr *list = expr->args[1];
    expr->type = VALUE_BOOLEAN;
    return known(list) && !is(list, VALUE_LIST) ? misfit(list, "IN") : NULL;
}

static Error *check_property(Expr *expr)
{
    const Expr *of = expr->args[0];
    bool fits = !known(of) || is(of, VALUE_NODE) || is(of, VALUE_RELATIONSHIP) ||
                is(of, VALUE_MAP) || is_temporal(of);
    if (fits) return NULL;
    if (is(of, VALUE_PATH)) return misfit(of, "a property access");
    return error_at(error_new(ERROR_ARGUMENT_TYPE, "%s has no properties",
                              value_kind_name((ValueKind)of->type)),
                    of->offset, of->length);
}

static Error *check_list_argument(const Expr *list, const char *where)
{
    return known(list) && !is(list, VALUE_LIST) ? misfit(list, where) : NULL;
}

Error *expr_check(Expr *expr)
{
    switch ((ExprKind)expr->kind) {
    case EXPR_NOT: expr->type = VALUE_BOOLEAN; return want_boolean(expr->args[0], "NOT");
    case EXPR_AND:
    case EXPR_OR:
    case EXPR_XOR:
        expr->type = VALUE_BOOLEAN;
        TRY(want_boolean(expr->args[0], "AND, OR, XOR"));
        return want_boolean(expr->args[1], "AND, OR, XOR");
    case EXPR_EQUAL:
    case EXPR_NOT_EQUAL:
    case EXPR_LESS:
    case EXPR_LESS_EQUAL:
    case EXPR_GREATER:
    case EXPR_GREATER_EQUAL:
    case EXPR_STARTS_WITH:
    case EXPR_ENDS_WITH:
    case EXPR_CONTAINS:
    case EXPR_REGEX:
    case EXPR_IS_NULL:
    case EXPR_IS_NOT_NULL:
    case EXPR_HAS_LABELS: expr->type = VALUE_BOOLEAN; return NULL;
    case EXPR_IN: return check_in(expr);
    case EXPR_ADD:
    case EXPR_SUBTRACT:
    case EXPR_MULTIPLY:
    case EXPR_DIVIDE:
    case EXPR_MODULO:
    case EXPR_POWER: return check_arithmetic(expr);
    case EXPR_NEGATE:
    case EXPR_PLUS:
        if (is_number(expr->args[0])) expr->type = expr->args[0]->type;
        return known(expr->args[0]) && !is_number(expr->args[0]) && !is_temporal(expr->args[0])
                   ? misfit(expr->args[0], "a sign")
                   : NULL;
    case EXPR_CALL: return check_call(expr);
    case EXPR_PROPERTY: return check_property(expr);
    case EXPR_LIST: expr->type = VALUE_LIST; return NULL;
    case EXPR_SLICE: expr->type = VALUE_LIST; return NULL;
    case EXPR_MAP: expr->type = VALUE_MAP; return NULL;
    case EXPR_PATH: expr->type = VALUE_PATH; return NULL;
    case EXPR_COMPREHENSION:
        expr->type = VALUE_LIST;
        return check_list_argument(expr->args[0], "a list comprehension");
    case EXPR_ANY:
    case EXPR_ALL:
    case EXPR_NONE:
    case EXPR_SINGLE:
        expr->type = VALUE_BOOLEAN;
        TRY(expr->args[1] == NULL ? NULL : want_boolean(expr->args[1], "a quantifier's condition"));
        return check_list_argument(expr->args[0], "a quantifier");
    case EXPR_REDUCE: return check_list_argument(expr->args[1], "reduce()");
    case EXPR_CONSTANT:
    case EXPR_PARAMETER:
    case EXPR_SLOT:
    case EXPR_LOCAL:
    case EXPR_AGGREGATE:
    case EXPR_SUBQUERY:
    case EXPR_INDEX:
    case EXPR_CASE: break;
    }
    return NULL;
}
