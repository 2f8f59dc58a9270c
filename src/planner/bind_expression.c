/*
 * bind_expression.c - expressions of the syntax tree become typed trees without names.
 *
 * Sub-queries inside an expression (EXISTS, COUNT, pattern predicates, pattern comprehensions) are
 * planned on the chain as an APPLY that fills a slot; the expression then reads the slot. So
 * whoever binds an expression must put its own operator on the chain afterwards.
 */
#include "config.h"

#include "planner/planner_internal.h"

/* ---- locals ---- */

uint32_t push_local(Binder *binder, Str name, uint8_t type)
{
    uint32_t index = binder->local_next++;
    binder->locals[binder->local_count++] = (Local){name, index, type};
    return index;
}

void pop_local(Binder *binder, uint32_t count)
{
    binder->local_count -= count;
}

Error *room_for_locals(const Binder *binder, size_t offset, size_t length)
{
    bool room =
        binder->local_count + 2 <= LOCALS_IN_SCOPE_MAX && binder->local_next + 2 <= EXPR_LOCALS_MAX;
    return room ? NULL
                : fail_at(ERROR_TOO_DEEP, offset, length,
                          "too many comprehensions in one statement");
}

/* ---- helpers ---- */

Expr *expr_binary(Binder *binder, ExprKind kind, Expr *a, Expr *b)
{
    Expr *expr = expr_new(binder->arena, kind, 2);
    expr->args[0] = a;
    expr->args[1] = b;
    expr->offset = a->offset;
    expr->length =
        b->offset + b->length > a->offset ? b->offset + b->length - a->offset : a->length;
    expr->type = VALUE_BOOLEAN;
    return expr;
}

Expr *expr_and(Binder *binder, Expr *a, Expr *b)
{
    return a == NULL ? b : expr_binary(binder, EXPR_AND, a, b);
}

bool has_aggregate(const Expr *expr)
{
    if (expr == NULL) return false;
    if (expr->kind == EXPR_AGGREGATE) return true;
    for (uint32_t i = 0; i < expr->arg_count; i++)
        if (has_aggregate(expr->args[i])) return true;
    return false;
}

bool ast_has_subquery(const AstExpr *ast)
{
    if (ast == NULL) return false;
    switch (ast->kind) {
    case AST_PATTERN:
    case AST_PATTERN_COMPREHENSION:
    case AST_EXISTS:
    case AST_COUNT:
    case AST_COLLECT:
    case AST_SHORTEST: return true;
    default: break;
    }
    if (ast_has_subquery(ast->a) || ast_has_subquery(ast->b) || ast_has_subquery(ast->c))
        return true;
    for (size_t i = 0; i < ast->list.count; i++)
        if (ast_has_subquery(ast->list.items[i])) return true;
    return false;
}

static Expr *placed(Expr *expr, const AstExpr *ast)
{
    expr->offset = ast->offset;
    expr->length = ast->length;
    return expr;
}

static Error *checked(Expr *expr, const AstExpr *ast, Expr **out)
{
    placed(expr, ast);
    expr->constant = expr->kind != EXPR_CALL || expr->function->pure;
    expr->nullable = true;
    for (uint32_t i = 0; i < expr->arg_count; i++)
        if (expr->args[i] != NULL && !expr->args[i]->constant) expr->constant = false;
    TRY(expr_check(expr));
    *out = expr;
    return NULL;
}

/* ---- leaves ---- */

static Error *bind_variable(Binder *binder, const AstExpr *ast, Expr **out)
{
    for (uint32_t i = binder->local_count; i > 0; i--) {
        const Local *local = &binder->locals[i - 1];
        if (!str_equal(local->name, ast->text)) continue;
        if (i - 1 < binder->local_floor) break; /* a variable of this sub-query by now */
        Expr *expr = placed(expr_new(binder->arena, EXPR_LOCAL, 0), ast);
        expr->index = local->index;
        expr->type = local->type;
        expr->constant = false;
        *out = expr;
        return NULL;
    }
    const Variable *variable = scope_find(&binder->scope, ast->text);
    if (variable == NULL) return undefined_variable(binder, ast->text, ast->offset, ast->length);
    *out =
        placed(expr_slot(binder->arena, variable->slot, variable->type, variable->nullable), ast);
    return NULL;
}

static Error *bind_parameter(Binder *binder, const AstExpr *ast, Expr **out)
{
    Plan *plan = binder->plan;
    enum { PARAMETERS_STEP = 8 };
    uint32_t index = 0;
    while (index < plan->parameter_count && !str_equal(plan->parameters[index], ast->text))
        index++;
    if (index == plan->parameter_count) {
        if (index % PARAMETERS_STEP == 0) {
            Str *larger = arena_array(binder->arena, Str, index + PARAMETERS_STEP);
            if (index > 0) memcpy(larger, plan->parameters, index * sizeof *larger);
            plan->parameters = larger;
        }
        plan->parameters[plan->parameter_count++] = ast->text;
    }
    Expr *expr = placed(expr_new(binder->arena, EXPR_PARAMETER, 0), ast);
    expr->index = index;
    expr->name.text = ast->text;
    *out = expr;
    return NULL;
}

static Error *bind_constant(Binder *binder, const AstExpr *ast, Expr **out)
{
    Value value = value_null();
    if (ast->kind == AST_BOOLEAN) value = value_boolean(ast->flag);
    if (ast->kind == AST_INTEGER) {
        if (ast->flag)
            return fail_at(ERROR_INTEGER_OVERFLOW, ast->offset, ast->length,
                           "an integer beyond 64 bits: %.*s", STR_ARG(ast->text));
        value = value_integer(ast->integer);
    }
    if (ast->kind == AST_FLOAT) value = value_float(ast->number);
    if (ast->kind == AST_STRING) value = value_string(ast->text);
    *out = placed(expr_constant(binder->arena, value), ast);
    return NULL;
}

/* ---- operators ---- */

static Error *bind_args(Binder *binder, Expr *expr, const AstExpr *const *asts, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (asts[i] != NULL) TRY(bind(binder, asts[i], &expr->args[i]));
    return NULL;
}

static Error *bind_operator(Binder *binder, ExprKind kind, const AstExpr *ast, const AstExpr *a,
                            const AstExpr *b, Expr **out)
{
    const AstExpr *asts[] = {a, b};
    Expr *expr = expr_new(binder->arena, kind, b == NULL ? 1 : 2);
    TRY(bind_args(binder, expr, asts, expr->arg_count));
    return checked(expr, ast, out);
}

/* a < b < c is a < b AND b < c. */
static Error *bind_compare(Binder *binder, const AstExpr *ast, Expr **out)
{
    static const ExprKind kinds[] = {
        [AST_EQ] = EXPR_EQUAL,   [AST_NE] = EXPR_NOT_EQUAL,  [AST_LT] = EXPR_LESS,
        [AST_GT] = EXPR_GREATER, [AST_LE] = EXPR_LESS_EQUAL, [AST_GE] = EXPR_GREATER_EQUAL};
    Expr *all = NULL, *left = NULL;
    TRY(bind(binder, ast->list.items[0], &left));
    for (size_t i = 1; i < ast->list.count; i++) {
        Expr *right, *link;
        TRY(bind(binder, ast->list.items[i], &right));
        link = expr_binary(binder, kinds[ast->ops[i - 1]], left, right);
        TRY(checked(link, ast, &link));
        all = all == NULL ? link : placed(expr_binary(binder, EXPR_AND, all, link), ast);
        left = right;
    }
    *out = all;
    return NULL;
}

static Error *bind_list(Binder *binder, const AstExpr *ast, Expr **out)
{
    Expr *expr = expr_new(binder->arena, EXPR_LIST, (uint32_t)ast->list.count);
    TRY(bind_args(binder, expr, (const AstExpr *const *)ast->list.items, expr->arg_count));
    return checked(expr, ast, out);
}

static Error *bind_map(Binder *binder, const AstExpr *ast, Expr **out)
{
    Expr *expr = expr_new(binder->arena, EXPR_MAP, (uint32_t)ast->list.count);
    expr->keys = arena_array(binder->arena, Str, ast->list.count + 1);
    for (size_t i = 0; i < ast->list.count; i++)
        expr->keys[i] = ast->names.items[i].text;
    TRY(bind_args(binder, expr, (const AstExpr *const *)ast->list.items, expr->arg_count));
    return checked(expr, ast, out);
}

static Expr *is_null(Binder *binder, Expr *of)
{
    Expr *expr = expr_new(binder->arena, EXPR_IS_NULL, 1);
    expr->args[0] = of;
    expr->type = VALUE_BOOLEAN;
    return expr;
}

static Expr *all_properties(Binder *binder, Expr *of, const AstExpr *ast)
{
    Expr *expr = expr_new(binder->arena, EXPR_CALL, 1);
    expr->function = function_find(STR("properties"), NULL);
    expr->args[0] = of;
    expr->constant = false;
    expr->type = VALUE_MAP;
    return placed(expr, ast);
}

/* n {.a, .*, b, k: e} is null for null n, else a map. */
static Error *bind_map_projection(Binder *binder, const AstExpr *ast, Expr **out)
{
    Expr *of, *map = expr_new(binder->arena, EXPR_MAP, (uint32_t)ast->list.count);
    TRY(bind(binder, ast->a, &of));
    map->keys = arena_array(binder->arena, Str, ast->list.count + 1);
    map->type = VALUE_MAP;
    for (size_t i = 0; i < ast->list.count; i++) {
        const AstExpr *value = ast->list.items[i];
        map->keys[i] = ast->names.items[i].text;
        if (value != NULL && value->kind == AST_STAR) {
            map->keys[i] = (Str){NULL, 0};
            map->args[i] = all_properties(binder, of, value);
            continue;
        }
        if (value != NULL) {
            TRY(bind(binder, value, &map->args[i]));
            continue;
        }
        Expr *property = expr_new(binder->arena, EXPR_PROPERTY, 1);
        property->args[0] = of;
        property->name = name_ref(binder, NAME_KEY, ast->names.items[i],
                                  of->type == VALUE_NODE || of->type == VALUE_RELATIONSHIP);
        map->args[i] = placed(property, ast);
    }
    Expr *choice = expr_new(binder->arena, EXPR_CASE, 3);
    choice->args[0] = is_null(binder, of);
    choice->args[1] = expr_constant(binder->arena, value_null());
    choice->args[2] = placed(map, ast);
    *out = placed(choice, ast);
    return NULL;
}

static Error *bind_case(Binder *binder, const AstExpr *ast, Expr **out)
{
    Expr *operand = NULL, *expr = expr_new(binder->arena, EXPR_CASE, (uint32_t)ast->list.count + 1);
    if (ast->a != NULL) TRY(bind(binder, ast->a, &operand));
    for (size_t i = 0; i < ast->list.count; i++) {
        TRY(bind(binder, ast->list.items[i], &expr->args[i]));
        if (operand != NULL && i % 2 == 0)
            expr->args[i] = expr_binary(binder, EXPR_EQUAL, operand, expr->args[i]);
    }
    if (ast->b != NULL)
        TRY(bind(binder, ast->b, &expr->args[ast->list.count]));
    else
        expr->args[ast->list.count] = expr_constant(binder->arena, value_null());
    return checked(expr, ast, out);
}

static Error *bind_property(Binder *binder, const AstExpr *ast, Expr **out)
{
    Expr *expr = expr_new(binder->arena, EXPR_PROPERTY, 1);
    TRY(bind(binder, ast->a, &expr->args[0]));
    bool entity = expr->args[0]->type == VALUE_NODE || expr->args[0]->type == VALUE_RELATIONSHIP;
    size_t end = ast->offset + ast->length;
    AstName name = {ast->text, end >= ast->text.bytes ? end - ast->text.bytes : ast->offset,
                    ast->text.bytes};
    expr->name = name_ref(binder, NAME_KEY, name, entity);
    return checked(expr, ast, out);
}

static Error *bind_labels(Binder *binder, const AstExpr *ast, Expr **out)
{
    Expr *expr = expr_new(binder->arena, EXPR_HAS_LABELS, 1);
    TRY(bind(binder, ast->a, &expr->args[0]));
    NameKind kind = expr->args[0]->type == VALUE_RELATIONSHIP ? NAME_TYPE : NAME_LABEL;
    expr->names = name_refs(binder, kind, &ast->names, expr->args[0]->type == VALUE_NODE);
    expr->name_count = (uint32_t)ast->names.count;
    return checked(expr, ast, out);
}

Expr *labels_rule(Binder *binder, uint32_t slot, const AstExpr *rule)
{
    ExprKind kind = rule->kind == AST_AND ? EXPR_AND : rule->kind == AST_OR ? EXPR_OR : EXPR_NOT;
    if (rule->kind == AST_AND || rule->kind == AST_OR)
        return expr_binary(binder, kind, labels_rule(binder, slot, rule->a),
                           labels_rule(binder, slot, rule->b));
    bool leaf = rule->kind == AST_LABELS;
    Expr *expr = expr_new(binder->arena, leaf ? EXPR_HAS_LABELS : kind, 1);
    expr->args[0] = leaf ? expr_slot(binder->arena, slot, VALUE_NODE, true)
                         : labels_rule(binder, slot, rule->a);
    if (leaf) {
        expr->names = name_refs(binder, NAME_LABEL, &rule->names, true);
        expr->name_count = (uint32_t)rule->names.count;
    }
    expr->type = VALUE_BOOLEAN;
    expr->offset = rule->offset, expr->length = rule->length;
    return expr;
}

static Error *bind_slice(Binder *binder, const AstExpr *ast, Expr **out)
{
    const AstExpr *asts[] = {ast->a, ast->b, ast->c};
    Expr *expr = expr_new(binder->arena, EXPR_SLICE, 3);
    TRY(bind_args(binder, expr, asts, 3));
    return checked(expr, ast, out);
}

/* ---- functions and aggregates ---- */

static Error *bind_aggregate(Binder *binder, const AstExpr *ast, AggregateKind kind,
                             uint32_t wanted, Expr **out)
{
    if (!binder->aggregates_allowed)
        return fail_at(ERROR_INVALID_AGGREGATION, ast->offset, ast->length,
                       "an aggregate cannot stand here");
    if (binder->in_aggregate)
        return fail_at(ERROR_NESTED_AGGREGATION, ast->offset, ast->length,
                       "an aggregate cannot stand inside another");
    if (ast->kind == AST_CALL && ast->list.count != wanted)
        return fail_at(ERROR_INVALID_NUMBER_OF_ARGUMENTS, ast->offset, ast->length,
                       "%.*s() takes %u argument%s", STR_ARG(ast->text), wanted,
                       wanted == 1 ? "" : "s");
    Expr *expr = expr_new(binder->arena, EXPR_AGGREGATE, (uint32_t)ast->list.count);
    expr->aggregate = arena_new(binder->arena, AggregateSpec);
    expr->aggregate->kind = kind;
    expr->aggregate->distinct = ast->flag;
    binder->in_aggregate = true;
    Error *error =
        bind_args(binder, expr, (const AstExpr *const *)ast->list.items, expr->arg_count);
    binder->in_aggregate = false;
    TRY(error);
    for (uint32_t i = 0; i < expr->arg_count; i++)
        if (expr->args[i]->kind == EXPR_CALL &&
            str_equal(expr->args[i]->function->name, STR("rand")))
            return fail_at(ERROR_NON_CONSTANT_EXPRESSION, ast->offset, ast->length,
                           "an aggregate over rand() means nothing");
    expr->aggregate->argument = expr->arg_count > 0 ? expr->args[0] : NULL;
    expr->aggregate->extra = expr->arg_count > 1 ? expr->args[1] : NULL;
    expr->type = aggregate_type(expr->aggregate);
    binder->saw_aggregate = true;
    *out = placed(expr, ast);
    return NULL;
}

static Error *unknown_function(const AstExpr *ast, Str suggestion)
{
    Error *error = fail_at(ERROR_UNKNOWN_FUNCTION, ast->offset, ast->text.bytes,
                           "no such function: %.*s", STR_ARG(ast->text));
    return suggestion.bytes == 0 ? error
                                 : error_hint(error, "did you mean %.*s?", STR_ARG(suggestion));
}

/* date('2024-12-31') is a literal: it is read once. A text that is none fails when it runs. */
static void fold_temporal(Binder *binder, Expr **expr)
{
    Value value;
    const Expr *call = *expr;
    bool literal = call->function->type >= VALUE_DATE && call->function->type <= VALUE_DURATION &&
                   call->arg_count == 1 && call->args[0]->kind == EXPR_CONSTANT &&
                   call->args[0]->value.kind == VALUE_STRING && call->function->user == NULL &&
                   memchr(call->function->name.data, '.', call->function->name.bytes) == NULL;
    if (!literal) return;
    Error *error = expr_fold(binder->arena, call, &value);
    if (error != NULL) {
        error_drop(error);
        return;
    }
    Expr *constant = expr_constant(binder->arena, value);
    constant->offset = call->offset, constant->length = call->length;
    *expr = constant;
}

static Error *bind_call(Binder *binder, const AstExpr *ast, Expr **out)
{
    AggregateKind kind;
    uint32_t wanted;
    Str suggestion;
    if (aggregate_find(ast->text, &kind, &wanted))
        return bind_aggregate(binder, ast, kind, wanted, out);
    const PlanEnvironment *environment = binder->environment;
    const Function *function = function_find(ast->text, &suggestion);
    if (function == NULL && environment->function != NULL)
        function = environment->function(environment->state, ast->text);
    if (function == NULL) return unknown_function(ast, suggestion);
    if (ast->list.count < function->args_min || ast->list.count > function->args_max)
        return error_hint(fail_at(ERROR_INVALID_NUMBER_OF_ARGUMENTS, ast->offset, ast->length,
                                  "%.*s() does not take %zu arguments", STR_ARG(function->name),
                                  ast->list.count),
                          "%.*s%s", STR_ARG(function->name), function->signature);
    Expr *expr = expr_new(binder->arena, EXPR_CALL, (uint32_t)ast->list.count);
    expr->function = function;
    bool patterns = binder->patterns_allowed; /* exists((n)-->()) takes a pattern anywhere */
    binder->patterns_allowed = str_equal(function->name, STR("exists"));
    Error *error =
        bind_args(binder, expr, (const AstExpr *const *)ast->list.items, expr->arg_count);
    bool pattern =
        error == NULL && binder->patterns_allowed && ast->list.items[0]->kind == AST_PATTERN;
    binder->patterns_allowed = patterns;
    TRY(error);
    if (pattern) return *out = expr->args[0], NULL;
    TRY(checked(expr, ast, out));
    fold_temporal(binder, out);
    return NULL;
}

/* ---- comprehensions ---- */

static uint8_t element_type(const Expr *list)
{
    if (list->kind == EXPR_CALL && str_equal(list->function->name, STR("nodes"))) return VALUE_NODE;
    if (list->kind == EXPR_CALL && str_equal(list->function->name, STR("relationships")))
        return VALUE_RELATIONSHIP;
    if (list->kind != EXPR_LIST || list->arg_count == 0) return EXPR_TYPE_ANY;
    uint8_t type = list->args[0]->type;
    for (uint32_t i = 1; i < list->arg_count; i++)
        if (list->args[i]->type != type) return EXPR_TYPE_ANY;
    return type;
}

static Error *no_aggregates(Binder *binder, const AstExpr *ast, bool condition, Expr **out)
{
    bool aggregates = binder->aggregates_allowed, patterns = binder->patterns_allowed;
    binder->aggregates_allowed = false;
    binder->patterns_allowed = condition;
    Error *error = bind(binder, ast, out);
    binder->aggregates_allowed = aggregates;
    binder->patterns_allowed = patterns;
    return error;
}

static Error *bind_comprehension(Binder *binder, const AstExpr *ast, ExprKind kind, Expr **out)
{
    Expr *expr = expr_new(binder->arena, kind, 3);
    TRY(bind(binder, ast->a, &expr->args[0]));
    TRY(room_for_locals(binder, ast->offset, ast->length)); /* the list may have taken some */
    expr->index = push_local(binder, ast->text, element_type(expr->args[0]));
    Error *error = ast->b == NULL ? NULL : no_aggregates(binder, ast->b, true, &expr->args[1]);
    if (error == NULL && ast->c != NULL)
        error = no_aggregates(binder, ast->c, false, &expr->args[2]);
    pop_local(binder, 1);
    TRY(error);
    return checked(expr, ast, out);
}

static Error *bind_reduce(Binder *binder, const AstExpr *ast, Expr **out)
{
    Expr *expr = expr_new(binder->arena, EXPR_REDUCE, 3);
    TRY(bind(binder, ast->a, &expr->args[0]));
    TRY(bind(binder, ast->b, &expr->args[1]));
    TRY(room_for_locals(binder, ast->offset, ast->length)); /* those two may have taken some */
    expr->index = push_local(binder, ast->text, EXPR_TYPE_ANY);
    push_local(binder, ast->text2, element_type(expr->args[1]));
    Error *error = no_aggregates(binder, ast->c, false, &expr->args[2]);
    pop_local(binder, 2);
    TRY(error);
    return checked(expr, ast, out);
}

/* ---- sub-queries ---- */

static Error *bind_apply(Binder *binder, const AstExpr *ast, PlanApplyKind kind,
                         const AstPaths *paths, uint8_t type, Expr **out)
{
    uint32_t slot;
    if (binder->local_count > binder->local_floor || binder->run_subqueries) {
        TRY(plan_subquery(binder, kind, paths, ast, type, out));
        placed(*out, ast);
        return NULL;
    }
    TRY(plan_apply(binder, kind, paths, ast->b, ast->query, ast->c, ast->offset, ast->length,
                   &slot));
    *out = placed(expr_slot(binder->arena, slot, type, false), ast);
    return NULL;
}

static bool is_local(const Binder *binder, Str name)
{
    for (uint32_t i = binder->local_floor; i < binder->local_count; i++)
        if (str_equal(binder->locals[i].name, name)) return true;
    return false;
}

/* A pattern as a condition makes no variables. */
static Error *wants_known(Binder *binder, const AstName *name)
{
    if (name->text.bytes == 0 || is_local(binder, name->text) ||
        scope_find(&binder->scope, name->text) != NULL)
        return NULL;
    return undefined_variable(binder, name->text, name->offset, name->length);
}

static Error *wants_known_path(Binder *binder, const AstPath *path)
{
    for (size_t i = 0; i < path->node_count; i++) {
        TRY(wants_known(binder, &path->nodes[i].variable));
        if (i + 1 < path->node_count) TRY(wants_known(binder, &path->relationships[i].variable));
    }
    return NULL;
}

static Error *bind_pattern(Binder *binder, const AstExpr *ast, Expr **out)
{
    if (!binder->patterns_allowed)
        return error_hint(fail_at(ERROR_UNEXPECTED_SYNTAX, ast->offset, ast->length,
                                  "a pattern is a condition: it cannot stand here"),
                          "use EXISTS { .. }, or a pattern comprehension [.. | ..]");
    TRY(wants_known_path(binder, ast->pattern));
    AstPath *item = ast->pattern;
    AstPaths paths = {&item, 1, 1};
    return bind_apply(binder, ast, APPLY_EXISTS, &paths, VALUE_BOOLEAN, out);
}

static Error *bind_pattern_comprehension(Binder *binder, const AstExpr *ast, Expr **out)
{
    AstPath *item = ast->pattern;
    AstPaths paths = {&item, 1, 1};
    return bind_apply(binder, ast, APPLY_COLLECT, &paths, VALUE_LIST, out);
}

/* shortestPath((a)-[*]-(b)) is the first of [p = shortestPath(..) | p], or null;
 * allShortestPaths(..) all of them. */
static Error *bind_shortest(Binder *binder, const AstExpr *ast, Expr **out)
{
    AstPath *path = arena_new(binder->arena, AstPath);
    AstExpr *name = arena_new(binder->arena, AstExpr), *whole = arena_new(binder->arena, AstExpr);
    Expr *list;
    TRY(wants_known_path(binder, ast->pattern));
    *path = *ast->pattern;
    path->variable = (AstName){STR(" path"), ast->offset, ast->length}; /* nobody's name */
    *name = (AstExpr){.kind = AST_VARIABLE, .text = path->variable.text};
    name->offset = ast->offset, name->length = ast->length;
    *whole = *ast;
    whole->c = name;
    AstPaths paths = {&path, 1, 1};
    TRY(bind_apply(binder, whole, APPLY_COLLECT, &paths, VALUE_LIST, &list));
    if (path->shortest == AST_SHORTEST_ALL) return *out = list, NULL;
    Expr *first = expr_new(binder->arena, EXPR_INDEX, 2);
    first->args[0] = list;
    first->args[1] = expr_constant(binder->arena, value_integer(0));
    first->type = VALUE_PATH;
    first->constant = false;
    first->nullable = true;
    return *out = placed(first, ast), NULL;
}

Error *bind(Binder *binder, const AstExpr *ast, Expr **out)
{
    switch (ast->kind) {
    case AST_NULL:
    case AST_BOOLEAN:
    case AST_INTEGER:
    case AST_FLOAT:
    case AST_STRING: return bind_constant(binder, ast, out);
    case AST_PARAMETER: return bind_parameter(binder, ast, out);
    case AST_VARIABLE: return bind_variable(binder, ast, out);
    case AST_PROPERTY: return bind_property(binder, ast, out);
    case AST_INDEX: return bind_operator(binder, EXPR_INDEX, ast, ast->a, ast->b, out);
    case AST_SLICE: return bind_slice(binder, ast, out);
    case AST_LABELS: return bind_labels(binder, ast, out);
    case AST_LIST: return bind_list(binder, ast, out);
    case AST_MAP: return bind_map(binder, ast, out);
    case AST_MAP_PROJECTION: return bind_map_projection(binder, ast, out);
    case AST_CALL: return bind_call(binder, ast, out);
    case AST_COUNT_STAR: return bind_aggregate(binder, ast, AGGREGATE_COUNT_ROWS, 0, out);
    case AST_NOT: return bind_operator(binder, EXPR_NOT, ast, ast->a, NULL, out);
    case AST_NEGATE: return bind_operator(binder, EXPR_NEGATE, ast, ast->a, NULL, out);
    case AST_PLUS: return bind_operator(binder, EXPR_PLUS, ast, ast->a, NULL, out);
    case AST_AND: return bind_operator(binder, EXPR_AND, ast, ast->a, ast->b, out);
    case AST_OR: return bind_operator(binder, EXPR_OR, ast, ast->a, ast->b, out);
    case AST_XOR: return bind_operator(binder, EXPR_XOR, ast, ast->a, ast->b, out);
    case AST_COMPARE: return bind_compare(binder, ast, out);
    case AST_ADD: return bind_operator(binder, EXPR_ADD, ast, ast->a, ast->b, out);
    case AST_SUBTRACT: return bind_operator(binder, EXPR_SUBTRACT, ast, ast->a, ast->b, out);
    case AST_MULTIPLY: return bind_operator(binder, EXPR_MULTIPLY, ast, ast->a, ast->b, out);
    case AST_DIVIDE: return bind_operator(binder, EXPR_DIVIDE, ast, ast->a, ast->b, out);
    case AST_MODULO: return bind_operator(binder, EXPR_MODULO, ast, ast->a, ast->b, out);
    case AST_POWER: return bind_operator(binder, EXPR_POWER, ast, ast->a, ast->b, out);
    case AST_IN: return bind_operator(binder, EXPR_IN, ast, ast->a, ast->b, out);
    case AST_CONTAINS: return bind_operator(binder, EXPR_CONTAINS, ast, ast->a, ast->b, out);
    case AST_STARTS_WITH: return bind_operator(binder, EXPR_STARTS_WITH, ast, ast->a, ast->b, out);
    case AST_ENDS_WITH: return bind_operator(binder, EXPR_ENDS_WITH, ast, ast->a, ast->b, out);
    case AST_REGEX: return bind_operator(binder, EXPR_REGEX, ast, ast->a, ast->b, out);
    case AST_IS_NULL: return bind_operator(binder, EXPR_IS_NULL, ast, ast->a, NULL, out);
    case AST_IS_NOT_NULL: return bind_operator(binder, EXPR_IS_NOT_NULL, ast, ast->a, NULL, out);
    case AST_CASE: return bind_case(binder, ast, out);
    case AST_COMPREHENSION: return bind_comprehension(binder, ast, EXPR_COMPREHENSION, out);
    case AST_QUANTIFIER: {
        static const ExprKind kinds[] = {[AST_ALL] = EXPR_ALL,
                                         [AST_ANY] = EXPR_ANY,
                                         [AST_NONE] = EXPR_NONE,
                                         [AST_SINGLE] = EXPR_SINGLE};
        return bind_comprehension(binder, ast, kinds[ast->integer], out);
    }
    case AST_REDUCE: return bind_reduce(binder, ast, out);
    case AST_PATTERN: return bind_pattern(binder, ast, out);
    case AST_PATTERN_COMPREHENSION: return bind_pattern_comprehension(binder, ast, out);
    case AST_EXISTS:
        return bind_apply(binder, ast, APPLY_EXISTS, &ast->patterns, VALUE_BOOLEAN, out);
    case AST_COUNT: return bind_apply(binder, ast, APPLY_COUNT, &ast->patterns, VALUE_INTEGER, out);
    case AST_COLLECT:
        return bind_apply(binder, ast, APPLY_COLLECT, &ast->patterns, VALUE_LIST, out);
    case AST_MATCHES: return not_executed("full text search", ast->offset, ast->length);
    case AST_SHORTEST: return bind_shortest(binder, ast, out);
    case AST_STAR: break;
    }
    return fail_at(ERROR_UNEXPECTED_SYNTAX, ast->offset, ast->length, "unexpected `*`");
}

Error *bind_condition(Binder *binder, const AstExpr *ast, Expr **out)
{
    bool patterns = binder->patterns_allowed, aggregates = binder->aggregates_allowed;
    binder->patterns_allowed = true;
    binder->aggregates_allowed = false;
    Error *error = bind(binder, ast, out);
    binder->patterns_allowed = patterns;
    binder->aggregates_allowed = aggregates;
    TRY(error);
    uint8_t type = (*out)->type;
    if (type == EXPR_TYPE_ANY || type == VALUE_BOOLEAN) return NULL;
    return fail_at(ERROR_INVALID_ARGUMENT_TYPE, ast->offset, ast->length,
                   "a condition is true or false, not %s", value_kind_name((ValueKind)type));
}

bool expr_never_fails(const Expr *expr)
{
    bool logical = expr->kind == EXPR_AND || expr->kind == EXPR_OR || expr->kind == EXPR_XOR ||
                   expr->kind == EXPR_NOT;
    switch (expr->kind) {
    case EXPR_CONSTANT:
    case EXPR_PARAMETER:
    case EXPR_SLOT: return true;
    case EXPR_PROPERTY:
    case EXPR_HAS_LABELS:
        return expr->args[0]->kind == EXPR_SLOT &&
               (expr->args[0]->type == VALUE_NODE || expr->args[0]->type == VALUE_RELATIONSHIP);
    case EXPR_AND:
    case EXPR_OR:
    case EXPR_XOR:
    case EXPR_NOT:
    case EXPR_EQUAL:
    case EXPR_NOT_EQUAL:
    case EXPR_LESS:
    case EXPR_LESS_EQUAL:
    case EXPR_GREATER:
    case EXPR_GREATER_EQUAL:
    case EXPR_STARTS_WITH:
    case EXPR_ENDS_WITH:
    case EXPR_CONTAINS:
    case EXPR_IS_NULL:
    case EXPR_IS_NOT_NULL: break;
    default: return false;
    }
    for (uint32_t i = 0; i < expr->arg_count; i++)
        if (!expr_never_fails(expr->args[i]) || (logical && expr->args[i]->type != VALUE_BOOLEAN))
            return false;
    return true;
}

Error *bind_alone(Binder *binder, const AstExpr *ast, const char *what, Expr **out)
{
    Scope scope = binder->scope;
    if (ast_has_subquery(ast))
        return error_hint(fail_at(ERROR_NON_CONSTANT_EXPRESSION, ast->offset, ast->length,
                                  "%s cannot ask the graph", what),
                          "ask in a statement before, and pass the answer as a parameter");
    binder->scope = (Scope){0};
    Error *error = bind(binder, ast, out);
    binder->scope = scope;
    if (error == NULL || error_code(error) != ERROR_UNDEFINED_VARIABLE || scope.count == 0)
        return error;
    error_drop(error);
    return fail_at(ERROR_NON_CONSTANT_EXPRESSION, ast->offset, ast->length,
                   "%s cannot depend on the rows", what);
}

Error *bind_number(Binder *binder, const AstExpr *ast, const char *what, Expr **out)
{
    TRY(bind_alone(binder, ast, what, out));
    Expr *expr = *out;
    if (expr->kind == EXPR_NEGATE && expr->args[0]->kind == EXPR_CONSTANT) {
        Value folded;
        if (expr_fold(binder->arena, expr, &folded) == NULL)
            *out = expr = placed(expr_constant(binder->arena, folded), ast);
    }
    if (expr->kind != EXPR_CONSTANT) return NULL;
    if (expr->value.kind == VALUE_INTEGER && expr->value.as.integer < 0)
        return fail_at(ERROR_NEGATIVE_INTEGER_ARGUMENT, ast->offset, ast->length,
                       "%s cannot be negative", what);
    if (expr->value.kind != VALUE_INTEGER)
        return fail_at(ERROR_INVALID_ARGUMENT_TYPE, ast->offset, ast->length,
                       "%s is an integer, not %s", what,
                       value_kind_name((ValueKind)expr->value.kind));
    return NULL;
}
