/* expression.c - making, comparing, walking and printing bound expressions. */
#include "config.h"

#include "expression/functions.h"

Expr *expr_new(Arena *arena, ExprKind kind, uint32_t arg_count)
{
    Expr *expr = arena_new(arena, Expr);
    expr->kind = (uint8_t)kind;
    expr->type = EXPR_TYPE_ANY;
    expr->nullable = true;
    expr->arg_count = arg_count;
    expr->args = arena_array(arena, Expr *, arg_count + 1);
    return expr;
}

Expr *expr_constant(Arena *arena, Value value)
{
    Expr *expr = expr_new(arena, EXPR_CONSTANT, 0);
    expr->value = value;
    expr->type = value.kind == VALUE_NULL ? EXPR_TYPE_ANY : value.kind;
    expr->nullable = value.kind == VALUE_NULL;
    expr->constant = true;
    return expr;
}

Expr *expr_slot(Arena *arena, uint32_t slot, uint8_t type, bool nullable)
{
    Expr *expr = expr_new(arena, EXPR_SLOT, 0);
    expr->index = slot;
    expr->type = type;
    expr->nullable = nullable;
    return expr;
}

static bool same_names(const Expr *a, const Expr *b)
{
    if (a->name_count != b->name_count || !str_equal(a->name.text, b->name.text)) return false;
    for (uint32_t i = 0; i < a->name_count; i++)
        if (!str_equal(a->names[i].text, b->names[i].text)) return false;
    for (uint32_t i = 0; i < a->arg_count && a->keys != NULL && b->keys != NULL; i++)
        if (!str_equal(a->keys[i], b->keys[i])) return false;
    return true;
}

static bool same_aggregate(const Expr *a, const Expr *b)
{
    if (a->kind != EXPR_AGGREGATE) return true;
    return a->aggregate->kind == b->aggregate->kind &&
           a->aggregate->distinct == b->aggregate->distinct;
}

bool expr_equal(const Expr *a, const Expr *b)
{
    if (a == b) return true;
    if (a == NULL || b == NULL || a->kind != b->kind || a->index != b->index ||
        a->arg_count != b->arg_count)
        return false;
    if (a->function != b->function || !same_names(a, b) || !same_aggregate(a, b)) return false;
    if (a->kind == EXPR_CONSTANT &&
        (a->value.kind != b->value.kind || !value_equivalent(a->value, b->value)))
        return false;
    for (uint32_t i = 0; i < a->arg_count; i++)
        if (!expr_equal(a->args[i], b->args[i])) return false;
    return true;
}

bool expr_uses_slot(const Expr *expr, uint32_t slot)
{
    if (expr == NULL) return false;
    if (expr->kind == EXPR_SLOT && expr->index == slot) return true;
    for (uint32_t i = 0; i < expr->arg_count; i++)
        if (expr_uses_slot(expr->args[i], slot)) return true;
    return false;
}

Error *expr_fold(Arena *arena, const Expr *expr, Value *out)
{
    EvalContext context = {.arena = arena};
    Batch batch = {.row_count = 1, .selected_count = 1};
    return expr_evaluate(expr, &context, &batch, 0, out);
}

/* ---- printing ---- */

/* As it would be written: date('2024-12-31'). */
static void print_constant(Buffer *out, Value value)
{
    static const char *const makers[VALUE_KIND_COUNT] = {
        [VALUE_DATE] = "date",         [VALUE_LOCAL_TIME] = "localtime",
        [VALUE_TIME] = "time",         [VALUE_LOCAL_DATETIME] = "localdatetime",
        [VALUE_DATETIME] = "datetime", [VALUE_DURATION] = "duration"};
    const char *maker = makers[value.kind];
    if (maker != NULL) buffer_printf(out, "%s('", maker);
    value_print(out, value, true);
    if (maker != NULL) buffer_text(out, "')");
}

static const char *operator_text(ExprKind kind)
{
    static const char *const texts[] = {
        [EXPR_AND] = " AND ",
        [EXPR_OR] = " OR ",
        [EXPR_XOR] = " XOR ",
        [EXPR_EQUAL] = " = ",
        [EXPR_NOT_EQUAL] = " <> ",
        [EXPR_LESS] = " < ",
        [EXPR_LESS_EQUAL] = " <= ",
        [EXPR_GREATER] = " > ",
        [EXPR_GREATER_EQUAL] = " >= ",
        [EXPR_ADD] = " + ",
        [EXPR_SUBTRACT] = " - ",
        [EXPR_MULTIPLY] = " * ",
        [EXPR_DIVIDE] = " / ",
        [EXPR_MODULO] = " % ",
        [EXPR_POWER] = " ^ ",
        [EXPR_IN] = " IN ",
        [EXPR_STARTS_WITH] = " STARTS WITH ",
        [EXPR_ENDS_WITH] = " ENDS WITH ",
        [EXPR_CONTAINS] = " CONTAINS ",
        [EXPR_REGEX] = " =~ ",
    };
    return (size_t)kind < sizeof texts / sizeof *texts ? texts[kind] : NULL;
}

static void print_args(Buffer *out, const Expr *expr, const char *const *slots)
{
    for (uint32_t i = 0; i < expr->arg_count; i++) {
        if (i > 0) buffer_text(out, ", ");
        if (expr->kind == EXPR_MAP) buffer_printf(out, "%.*s: ", STR_ARG(expr->keys[i]));
        if (expr->args[i] == NULL)
            buffer_char(out, '_');
        else
            expr_print(out, expr->args[i], slots);
    }
}

static void print_binary(Buffer *out, const Expr *expr, const char *text, const char *const *slots)
{
    for (uint32_t i = 0; i < 2; i++) {
        bool nested = operator_text((ExprKind)expr->args[i]->kind) != NULL;
        if (i == 1) buffer_text(out, text);
        if (nested) buffer_char(out, '(');
        expr_print(out, expr->args[i], slots);
        if (nested) buffer_char(out, ')');
    }
}

static void print_named(Buffer *out, const char *name, const Expr *expr, const char *const *slots)
{
    buffer_printf(out, "%s(", name);
    print_args(out, expr, slots);
    buffer_char(out, ')');
}

/* What is written like a function, by its name; NULL: the kind has a form of its own. */
static const char *named_as(ExprKind kind)
{
    switch (kind) {
    case EXPR_NOT: return "NOT ";
    case EXPR_NEGATE: return "-";
    case EXPR_PLUS: return "+";
    case EXPR_SLICE: return "slice";
    case EXPR_CASE: return "case";
    case EXPR_COMPREHENSION: return "comprehension";
    case EXPR_ANY: return "any";
    case EXPR_ALL: return "all";
    case EXPR_NONE: return "none";
    case EXPR_SINGLE: return "single";
    case EXPR_REDUCE: return "reduce";
    case EXPR_PATH: return "path";
    case EXPR_AGGREGATE: return "aggregate";
    default: return NULL;
    }
}

static void print_slot(Buffer *out, const Expr *expr, const char *const *slots)
{
    if (slots != NULL && slots[expr->index] != NULL)
        buffer_text(out, slots[expr->index]);
    else
        buffer_printf(out, "_%u", expr->index);
}

static void print_between(Buffer *out, char open, const Expr *expr, char close,
                          const char *const *slots)
{
    buffer_char(out, open);
    print_args(out, expr, slots);
    buffer_char(out, close);
}

/* The first argument, and what is said of it. */
static void print_behind(Buffer *out, const Expr *expr, const char *const *slots)
{
    expr_print(out, expr->args[0], slots);
    switch ((ExprKind)expr->kind) {
    case EXPR_PROPERTY: buffer_printf(out, ".%.*s", STR_ARG(expr->name.text)); break;
    case EXPR_IS_NULL: buffer_text(out, " IS NULL"); break;
    case EXPR_IS_NOT_NULL: buffer_text(out, " IS NOT NULL"); break;
    case EXPR_INDEX:
        buffer_char(out, '[');
        expr_print(out, expr->args[1], slots);
        buffer_char(out, ']');
        break;
    default: break;
    }
    for (uint32_t i = 0; expr->kind == EXPR_HAS_LABELS && i < expr->name_count; i++)
        buffer_printf(out, ":%.*s", STR_ARG(expr->names[i].text));
}

void expr_print(Buffer *out, const Expr *expr, const char *const *slots)
{
    const char *text = operator_text((ExprKind)expr->kind), *name = named_as((ExprKind)expr->kind);
    if (text != NULL || name != NULL) {
        if (text != NULL)
            print_binary(out, expr, text, slots);
        else
            print_named(out, name, expr, slots);
        return;
    }
    switch ((ExprKind)expr->kind) {
    case EXPR_CONSTANT: print_constant(out, expr->value); break;
    case EXPR_PARAMETER: buffer_printf(out, "$%.*s", STR_ARG(expr->name.text)); break;
    case EXPR_SLOT: print_slot(out, expr, slots); break;
    case EXPR_LOCAL: buffer_printf(out, "x%u", expr->index); break;
    case EXPR_PROPERTY:
    case EXPR_HAS_LABELS:
    case EXPR_IS_NULL:
    case EXPR_IS_NOT_NULL:
    case EXPR_INDEX: print_behind(out, expr, slots); break;
    case EXPR_CALL:
        buffer_str(out, expr->function->name);
        print_between(out, '(', expr, ')', slots);
        break;
    case EXPR_LIST: print_between(out, '[', expr, ']', slots); break;
    case EXPR_MAP: print_between(out, '{', expr, '}', slots); break;
    case EXPR_SUBQUERY:
        buffer_printf(out, "subquery %u", expr->index + 1);
        print_between(out, '(', expr, ')', slots);
        break;
    default: break; /* above */
    }
}
