/*
 * projection.c - WITH and RETURN: projecting, grouping, sorting, cutting.
 *
 * With an aggregate among the items, the others are the grouping keys. An item that mixes both is
 * computed after grouping: inside it, what equals a key stands for the key; a variable that is no
 * key has no one value there and is refused.
 *
 * ORDER BY sees the new names and, where rows were neither grouped nor made distinct, the old ones
 * too; an expression that equals an item means that item.
 */
#include "config.h"

#include "planner/planner_internal.h"
#include <stdlib.h>

typedef struct Item {
    Str name;
    Expr *expr; /* over the old scope */
    uint32_t slot;
    size_t offset, length;
    VariableKind kind;
    const Variable *variable; /* passed on as it is; NULL: computed */
} Item;

typedef struct Projection {
    Binder *binder;
    const AstClause *clause;
    Item *items;
    size_t count;
    bool grouped;
    const AstExpr *unnamed; /* the first item of a WITH that lacks a name */
    PlanNode *aggregate;
    size_t key_capacity, aggregate_capacity;
} Projection;

static int by_name(const void *a, const void *b)
{
    const Variable *const *left = a, *const *right = b;
    return str_compare((*left)->name, (*right)->name);
}

static Str verbatim_at(const Binder *binder, size_t offset, size_t length)
{
    Str text = {binder->text.data + offset, length};
    while (text.bytes > 0 && (unsigned char)text.data[text.bytes - 1] <= ' ')
        text.bytes--;
    return text;
}

static Str verbatim(const Binder *binder, const AstExpr *expr)
{
    return verbatim_at(binder, expr->offset, expr->length);
}

static VariableKind kind_of(const Expr *expr, const Variable *variable)
{
    if (variable != NULL) return variable->kind;
    if (expr->type == VALUE_NODE) return VARIABLE_NODE;
    if (expr->type == VALUE_RELATIONSHIP) return VARIABLE_RELATIONSHIP;
    return expr->type == VALUE_PATH ? VARIABLE_PATH : VARIABLE_VALUE;
}

/* * stands for every variable, in the order of their names. */
static Error *star_items(Projection *projection)
{
    Binder *binder = projection->binder;
    const Variable **sorted = arena_array(binder->arena, const Variable *, binder->scope.count + 1);
    if (binder->scope.count == 0 && projection->clause->kind == CLAUSE_RETURN)
        return fail_at(ERROR_NO_VARIABLES_IN_SCOPE, projection->clause->offset,
                       projection->clause->length, "* stands for no variable here");
    for (size_t i = 0; i < binder->scope.count; i++)
        sorted[i] = &binder->scope.items[i];
    qsort(sorted, binder->scope.count, sizeof *sorted, by_name);
    for (size_t i = 0; i < binder->scope.count; i++) {
        Expr *expr = expr_slot(binder->arena, sorted[i]->slot, sorted[i]->type, true);
        projection->items[projection->count++] = (Item){
            .name = sorted[i]->name, .expr = expr, .kind = sorted[i]->kind, .variable = sorted[i]};
    }
    return NULL;
}

static Error *bind_items(Projection *projection)
{
    Binder *binder = projection->binder;
    const AstItems *items = &projection->clause->items;
    projection->items = arena_array(binder->arena, Item, items->count + binder->scope.count + 1);
    if (items->star) TRY(star_items(projection));
    binder->aggregates_allowed = true;
    for (size_t i = 0; i < items->count; i++) {
        const AstExpr *ast = items->items[i].expr;
        Item item = {
            .name = items->items[i].alias.text, .offset = ast->offset, .length = ast->length};
        bool plain = ast->kind == AST_VARIABLE;
        TRY(bind(binder, ast, &item.expr));
        if (plain) item.variable = scope_find(&binder->scope, ast->text);
        if (item.name.bytes == 0 && projection->clause->kind == CLAUSE_WITH && !plain &&
            projection->unnamed == NULL)
            projection->unnamed = ast;
        if (item.name.bytes == 0) item.name = plain ? ast->text : verbatim(binder, ast);
        item.kind = kind_of(item.expr, item.variable);
        projection->grouped = projection->grouped || has_aggregate(item.expr);
        projection->items[projection->count++] = item;
    }
    binder->aggregates_allowed = false;
    for (size_t i = 0; i < projection->count; i++)
        for (size_t j = 0; j < i; j++)
            if (str_equal(projection->items[i].name, projection->items[j].name))
                return fail_at(ERROR_COLUMN_NAME_CONFLICT, projection->items[i].offset,
                               projection->items[i].length, "two columns are named `%.*s`",
                               STR_ARG(projection->items[i].name));
    return NULL;
}

/* ---- grouping ---- */

static uint32_t add_key(Projection *projection, Expr *expr, Str name)
{
    PlanNode *node = projection->aggregate;
    for (uint32_t i = 0; i < node->item_count; i++)
        if (expr_equal(node->items[i].expr, expr)) return node->items[i].slot;
    PlanItem *larger = arena_array(projection->binder->arena, PlanItem, node->item_count + 1);
    if (node->item_count > 0) memcpy(larger, node->items, node->item_count * sizeof *larger);
    larger[node->item_count] = (PlanItem){.slot = new_slot(projection->binder, name), .expr = expr};
    node->items = larger;
    return node->items[node->item_count++].slot;
}

static uint32_t add_aggregate(Projection *projection, const Expr *expr)
{
    PlanNode *node = projection->aggregate;
    PlanAggregateItem *larger =
        arena_array(projection->binder->arena, PlanAggregateItem, node->aggregate_count + 1);
    if (node->aggregate_count > 0)
        memcpy(larger, node->aggregates, node->aggregate_count * sizeof *larger);
    larger[node->aggregate_count] = (PlanAggregateItem){
        .slot = new_slot(projection->binder, STR("")), .spec = *expr->aggregate};
    node->aggregates = larger;
    return node->aggregates[node->aggregate_count++].slot;
}

/* An expression over groups: aggregates and keys become slots. */
static Error *over_groups(Projection *projection, const Expr *expr, Expr **out)
{
    Binder *binder = projection->binder;
    if (expr == NULL) return *out = NULL, NULL;
    if (expr->kind == EXPR_AGGREGATE) {
        *out = expr_slot(binder->arena, add_aggregate(projection, expr), expr->type, true);
        return NULL;
    }
    bool simple = expr->kind == EXPR_SLOT ||
                  (expr->kind == EXPR_PROPERTY && expr->args[0]->kind == EXPR_SLOT);
    for (uint32_t i = 0; simple && i < projection->aggregate->item_count; i++)
        if (expr_equal(projection->aggregate->items[i].expr, expr)) {
            *out = expr_slot(binder->arena, projection->aggregate->items[i].slot, expr->type, true);
            return NULL;
        }
    if (expr->kind == EXPR_SLOT || expr->kind == EXPR_SUBQUERY) /* whose chain reads any variable */
        return error_hint(fail_at(ERROR_AMBIGUOUS_AGGREGATION, expr->offset, expr->length,
                                  "this has no one value within a group"),
                          "make it a column of its own, or group by it in a WITH before");
    Expr *copy = arena_new(binder->arena, Expr);
    *copy = *expr;
    copy->args = arena_array(binder->arena, Expr *, expr->arg_count + 1);
    for (uint32_t i = 0; i < expr->arg_count; i++)
        TRY(over_groups(projection, expr->args[i], &copy->args[i]));
    *out = copy;
    return NULL;
}

static Error *plan_groups(Projection *projection)
{
    Binder *binder = projection->binder;
    const AstClause *clause = projection->clause;
    projection->aggregate = plan_node(binder, PLAN_AGGREGATE, clause->offset, clause->length);
    for (size_t i = 0; i < projection->count; i++)
        if (!has_aggregate(projection->items[i].expr))
            projection->items[i].slot =
                add_key(projection, projection->items[i].expr, projection->items[i].name);
    PlanItem *after = arena_array(binder->arena, PlanItem, projection->count + 1);
    uint32_t count = 0;
    for (size_t i = 0; i < projection->count; i++) {
        Expr *expr;
        Item *item = &projection->items[i];
        if (!has_aggregate(item->expr)) continue;
        TRY(over_groups(projection, item->expr, &expr));
        item->slot = expr->kind == EXPR_SLOT ? expr->index : new_slot(binder, item->name);
        if (expr->kind == EXPR_SLOT)
            binder->plan->slot_names[item->slot] = str_copy(binder->arena, item->name).data;
        else
            after[count++] = (PlanItem){.slot = item->slot, .expr = expr};
    }
    if (count == 0) return NULL;
    PlanNode *project = plan_node(binder, PLAN_PROJECT, clause->offset, clause->length);
    project->items = after;
    project->item_count = count;
    return NULL;
}

static void plan_rows(Projection *projection)
{
    Binder *binder = projection->binder;
    const AstClause *clause = projection->clause;
    PlanItem *items = arena_array(binder->arena, PlanItem, projection->count + 1);
    uint32_t count = 0;
    for (size_t i = 0; i < projection->count; i++) {
        Item *item = &projection->items[i];
        if (item->variable != NULL) { /* the same value under a new name, perhaps */
            item->slot = item->variable->slot;
            continue;
        }
        item->slot = new_slot(binder, item->name);
        items[count++] = (PlanItem){.slot = item->slot, .expr = item->expr};
    }
    if (count == 0) return;
    PlanNode *project = plan_node(binder, PLAN_PROJECT, clause->offset, clause->length);
    project->items = items;
    project->item_count = count;
}

/* ---- order, skip, limit ---- */

static void new_scope(Projection *projection)
{
    Binder *binder = projection->binder;
    Scope old = binder->scope;
    (void)old;
    binder->scope = (Scope){0};
    for (size_t i = 0; i < projection->count; i++) {
        const Item *item = &projection->items[i];
        Variable *added = scope_add(binder, item->name, item->kind, item->expr->type);
        added->slot = item->slot;
        if (item->variable != NULL)
            added->labels = item->variable->labels,
            added->label_count = item->variable->label_count;
    }
}

/* What equals an item means the item's slot. */
static Expr *over_items(Projection *projection, Expr *expr)
{
    if (expr == NULL) return NULL;
    for (size_t i = 0; i < projection->count; i++)
        if (expr_equal(projection->items[i].expr, expr))
            return expr_slot(projection->binder->arena, projection->items[i].slot, expr->type,
                             true);
    Expr *copy = arena_new(projection->binder->arena, Expr);
    *copy = *expr;
    copy->args = arena_array(projection->binder->arena, Expr *, expr->arg_count + 1);
    for (uint32_t i = 0; i < expr->arg_count; i++)
        copy->args[i] = over_items(projection, expr->args[i]);
    return copy;
}

static bool is_simple(const Expr *expr)
{
    return expr->kind == EXPR_SLOT ||
           (expr->kind == EXPR_PROPERTY && expr->args[0]->kind == EXPR_SLOT);
}

/* Beside an aggregate a key may be named by its column, or written again where it is a variable or
 * a property; a longer expression that only looks like a key is refused, as openCypher has it. */
static Error *clear_keys(const Projection *projection, const Expr *expr)
{
    if (expr == NULL || expr->kind == EXPR_AGGREGATE) return NULL;
    for (size_t i = 0; i < projection->count; i++) {
        const Expr *item = projection->items[i].expr;
        if (expr->arg_count == 0 || is_simple(item) || has_aggregate(item)) continue;
        if (expr_equal(item, expr))
            return error_hint(fail_at(ERROR_AMBIGUOUS_AGGREGATION, expr->offset, expr->length,
                                      "this is more than a key of the groups"),
                              "name its column with AS, and write that name here");
    }
    for (uint32_t i = 0; i < expr->arg_count; i++)
        TRY(clear_keys(projection, expr->args[i]));
    return NULL;
}

static bool only_items(const Projection *projection, const Expr *expr, const Expr **stranger)
{
    if (expr == NULL) return true;
    if (expr->kind == EXPR_SUBQUERY) return *stranger = expr, false;
    if (expr->kind == EXPR_SLOT) {
        for (size_t i = 0; i < projection->count; i++)
            if (projection->items[i].slot == expr->index) return true;
        for (uint32_t i = 0;
             projection->aggregate != NULL && i < projection->aggregate->aggregate_count; i++)
            if (projection->aggregate->aggregates[i].slot == expr->index) return true;
        return *stranger = expr, false;
    }
    for (uint32_t i = 0; i < expr->arg_count; i++)
        if (!only_items(projection, expr->args[i], stranger)) return false;
    return true;
}

/* The scope ORDER BY is bound in: new names before old ones. */
static Scope both_scopes(Projection *projection, const Scope *old)
{
    Binder *binder = projection->binder;
    Scope now = binder->scope, both;
    binder->scope = *old;
    both = scope_copy(binder);
    binder->scope = both;
    for (size_t i = 0; i < now.count; i++) {
        Variable *added =
            scope_add(binder, now.items[i].name, now.items[i].kind, now.items[i].type);
        added->slot = now.items[i].slot;
    }
    both = binder->scope;
    binder->scope = now;
    return both;
}

static Error *order_key(Projection *projection, const AstItem *key, const Scope *both,
                        PlanItem *out)
{
    Binder *binder = projection->binder;
    Scope now = binder->scope;
    binder->scope = *both;
    binder->aggregates_allowed = projection->grouped;
    Error *error = bind(binder, key->expr, &out->expr);
    binder->aggregates_allowed = false;
    binder->scope = now;
    TRY(error);
    out->descending = key->descending;
    if (has_aggregate(out->expr)) {
        for (uint32_t i = 0; i < out->expr->arg_count; i++)
            if (out->expr->kind != EXPR_AGGREGATE) TRY(clear_keys(projection, out->expr->args[i]));
    }
    out->expr = over_items(projection, out->expr);
    bool closed = projection->grouped || projection->clause->distinct;
    const Expr *stranger = NULL;
    if (has_aggregate(out->expr)) {
        /* An aggregate that is no item: computed with the groups, if it is clear. */
        return error_hint(fail_at(ERROR_UNDEFINED_VARIABLE, key->expr->offset, key->expr->length,
                                  "no column holds this aggregate"),
                          "make it a column, and sort by its name");
    }
    if (closed && !only_items(projection, out->expr, &stranger))
        return error_hint(fail_at(ERROR_UNDEFINED_VARIABLE, stranger->offset, stranger->length,
                                  "this is not known any more after grouping or DISTINCT"),
                          "sort by one of the columns");
    return NULL;
}

static Error *plan_order(Projection *projection, const Scope *old)
{
    Binder *binder = projection->binder;
    const AstClause *clause = projection->clause;
    if (clause->order.count == 0) return NULL;
    Scope both = both_scopes(projection, old);
    PlanItem *items = arena_array(binder->arena, PlanItem, clause->order.count);
    for (size_t i = 0; i < clause->order.count; i++)
        TRY(order_key(projection, &clause->order.items[i], &both, &items[i]));
    PlanNode *sort = plan_node(binder, PLAN_SORT, clause->offset, clause->length);
    sort->items = items;
    sort->item_count = (uint32_t)clause->order.count;
    Scope now = binder->scope;
    if (clause->where != NULL) binder->scope = both; /* WHERE may look at the old names too */
    sort->slots = scope_slots(binder, &sort->slot_count);
    binder->scope = now;
    return NULL;
}

static Error *plan_cut(Projection *projection)
{
    Binder *binder = projection->binder;
    const AstClause *clause = projection->clause;
    Expr *skip = NULL, *limit = NULL;
    if (clause->skip != NULL) TRY(bind_number(binder, clause->skip, "SKIP", &skip));
    if (clause->limit != NULL) TRY(bind_number(binder, clause->limit, "LIMIT", &limit));
    bool top = limit != NULL && binder->chain != NULL && binder->chain->kind == PLAN_SORT;
    if (top && skip == NULL) binder->chain->expr = limit;
    if (top && skip != NULL) {
        Expr *sum = expr_binary(binder, EXPR_ADD, skip, limit);
        sum->type = EXPR_TYPE_ANY;
        binder->chain->expr = sum;
    }
    if (skip != NULL)
        plan_node(binder, PLAN_SKIP, clause->skip->offset, clause->skip->length)->expr = skip;
    if (limit != NULL)
        plan_node(binder, PLAN_LIMIT, clause->limit->offset, clause->limit->length)->expr = limit;
    return NULL;
}

/* WHERE sees what ORDER BY sees: new names, and old ones as far as they are columns. */
static Error *bind_where(Projection *projection, const Scope *old, Expr **out)
{
    Binder *binder = projection->binder;
    const AstExpr *where = projection->clause->where;
    Scope now = binder->scope;
    const Expr *stranger = NULL;
    binder->scope = both_scopes(projection, old);
    Error *error = bind_condition(binder, where, out);
    binder->scope = now;
    TRY(error);
    if (!projection->grouped && !projection->clause->distinct) return NULL;
    *out = over_items(projection, *out);
    if (only_items(projection, *out, &stranger)) return NULL;
    Str name = verbatim_at(binder, stranger->offset, stranger->length);
    return undefined_variable(binder, name, stranger->offset, stranger->length);
}

static Error *wants_alias(const Projection *projection)
{
    const AstExpr *ast = projection->unnamed;
    if (ast == NULL) return NULL;
    return error_hint(fail_at(ERROR_NO_EXPRESSION_ALIAS, ast->offset, ast->length,
                              "WITH wants a name for an expression"),
                      "write `%.*s AS name`", STR_ARG(verbatim(projection->binder, ast)));
}

Error *plan_projection(Binder *binder, const AstClause *clause, Str **columns, uint32_t **slots,
                       uint32_t *count)
{
    Projection projection = {.binder = binder, .clause = clause};
    Scope old = binder->scope;
    TRY(bind_items(&projection));
    if (projection.grouped)
        TRY(plan_groups(&projection));
    else
        plan_rows(&projection);
    new_scope(&projection);
    if (clause->distinct) {
        PlanNode *distinct = plan_node(binder, PLAN_DISTINCT, clause->offset, clause->length);
        distinct->slots = scope_slots(binder, &distinct->slot_count);
    }
    TRY(plan_order(&projection, &old));
    TRY(wants_alias(&projection));
    TRY(plan_cut(&projection));
    if (clause->where != NULL) {
        Expr *expr;
        TRY(bind_where(&projection, &old, &expr));
        plan_node(binder, PLAN_FILTER, clause->where->offset, clause->where->length)->expr = expr;
    }
    *columns = arena_array(binder->arena, Str, projection.count + 1);
    *slots = arena_array(binder->arena, uint32_t, projection.count + 1);
    *count = (uint32_t)projection.count;
    for (size_t i = 0; i < projection.count; i++) {
        (*columns)[i] = projection.items[i].name;
        (*slots)[i] = projection.items[i].slot;
    }
    return NULL;
}
