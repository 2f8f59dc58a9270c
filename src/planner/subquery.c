/*
 * subquery.c - patterns and queries inside expressions and CALL { }, planned as inner chains that
 * see the outer rows.
 */
#include "config.h"

#include "planner/planner_internal.h"

static Error *refuse_writing(const AstQuery *query)
{
    for (size_t i = 0; i < query->count; i++)
        for (size_t c = 0; c < query->parts[i].count; c++)
            if (clause_writes(query->parts[i].items[c]))
                return fail_at(ERROR_INVALID_CLAUSE_COMPOSITION, query->parts[i].items[c]->offset,
                               query->parts[i].items[c]->length,
                               "a sub-query inside an expression cannot write");
    return NULL;
}

/* A query within an expression; of one whose values are collected the one column. */
static Error *plan_inner_query(Binder *binder, const AstQuery *query, bool collects,
                               uint32_t *collect_slot)
{
    QueryResult result = {.open_end = !collects};
    TRY(refuse_writing(query));
    TRY(plan_query(binder, query, &result));
    if (!collects) return NULL;
    if (result.count != 1)
        return error_hint(fail_at(ERROR_INVALID_CLAUSE_COMPOSITION, query->offset, query->length,
                                  "COLLECT { .. } gives the values of one column, not %u",
                                  (unsigned)result.count),
                          "put several into a list or a map: RETURN [a, b]");
    *collect_slot = result.slots[0];
    return NULL;
}

static Error *plan_inner(Binder *binder, const AstPaths *paths, const AstExpr *where,
                         const AstQuery *query, const AstExpr *collect, bool collects,
                         uint32_t *collect_slot)
{
    if (query != NULL) return plan_inner_query(binder, query, collects, collect_slot);
    TRY(plan_patterns(binder, paths, where, false));
    if (collect == NULL) return NULL;
    Expr *expr;
    TRY(bind(binder, collect, &expr));
    PlanNode *project = plan_node(binder, PLAN_PROJECT, collect->offset, collect->length);
    project->items = arena_array(binder->arena, PlanItem, 1);
    project->item_count = 1;
    project->items[0] = (PlanItem){.slot = new_slot(binder, STR("")), .expr = expr};
    *collect_slot = project->items[0].slot;
    return NULL;
}

/* The chain of a sub-query over the present scope, which it sees and does not change. */
static Error *plan_chain(Binder *binder, const AstPaths *paths, const AstExpr *where,
                         const AstQuery *query, const AstExpr *collect, bool collects,
                         size_t offset, size_t length, PlanNode **inner, uint32_t *row_slot,
                         uint32_t *collect_slot)
{
    Binder saved = *binder;
    binder->scope = scope_copy(binder);
    binder->chain = NULL;
    binder->local_floor = binder->local_count;
    binder->aggregates_allowed = binder->in_aggregate = false;
    binder->patterns_allowed = binder->run_subqueries = false;
    binder->depth++;
    PlanNode *argument = plan_node(binder, PLAN_ARGUMENT, offset, length);
    *row_slot = argument->row_slot = new_slot(binder, STR(""));
    *collect_slot = SLOT_NONE;
    Error *error = plan_inner(binder, paths, where, query, collect, collects, collect_slot);
    *inner = binder->chain;
    binder->chain = saved.chain;
    binder->scope = saved.scope;
    binder->local_floor = saved.local_floor;
    binder->aggregates_allowed = saved.aggregates_allowed;
    binder->in_aggregate = saved.in_aggregate;
    binder->patterns_allowed = saved.patterns_allowed;
    binder->run_subqueries = saved.run_subqueries;
    binder->depth--;
    return error;
}

Error *plan_apply(Binder *binder, PlanApplyKind kind, const AstPaths *paths, const AstExpr *where,
                  const AstQuery *query, const AstExpr *collect, size_t offset, size_t length,
                  uint32_t *out_slot)
{
    PlanNode *inner;
    uint32_t row_slot, collect_slot;
    TRY(plan_chain(binder, paths, where, query, collect, kind == APPLY_COLLECT, offset, length,
                   &inner, &row_slot, &collect_slot));
    PlanNode *apply = plan_node(binder, PLAN_APPLY, offset, length);
    apply->apply = kind;
    apply->inner = inner;
    apply->row_slot = row_slot;
    apply->collect_slot = collect_slot;
    apply->out_slot = *out_slot = new_slot(binder, STR(""));
    return NULL;
}

/* A comprehension's variable as a variable of the sub-query, hiding an outer one of its name. */
static uint32_t import_local(Binder *binder, const Local *local)
{
    VariableKind kind = local->type == VALUE_NODE           ? VARIABLE_NODE
                        : local->type == VALUE_RELATIONSHIP ? VARIABLE_RELATIONSHIP
                        : local->type == VALUE_PATH         ? VARIABLE_PATH
                                                            : VARIABLE_VALUE;
    Variable *variable = scope_find(&binder->scope, local->name);
    if (variable == NULL) variable = scope_add(binder, local->name, kind, local->type);
    *variable = (Variable){.name = variable->name,
                           .kind = kind,
                           .slot = new_slot(binder, local->name),
                           .type = local->type,
                           .nullable = true};
    return variable->slot;
}

static PlanSubquery *add_subquery(Binder *binder, uint32_t *index)
{
    Plan *plan = binder->plan;
    enum { SUBQUERIES_STEP = 4 };
    if (plan->subquery_count % SUBQUERIES_STEP == 0) {
        PlanSubquery *larger =
            arena_array(binder->arena, PlanSubquery, plan->subquery_count + SUBQUERIES_STEP);
        if (plan->subquery_count > 0)
            memcpy(larger, plan->subqueries, plan->subquery_count * sizeof *larger);
        plan->subqueries = larger;
    }
    *index = plan->subquery_count++;
    return &plan->subqueries[*index];
}

Error *plan_subquery(Binder *binder, PlanApplyKind kind, const AstPaths *paths, const AstExpr *ast,
                     uint8_t type, Expr **out)
{
    Scope scope = binder->scope;
    uint32_t count = binder->local_count - binder->local_floor, row_slot;
    const Local *locals = &binder->locals[binder->local_floor];
    PlanSubquery made = {.kind = kind, .slot_count = count};
    Expr *expr = expr_new(binder->arena, EXPR_SUBQUERY, count);
    made.slots = arena_array(binder->arena, uint32_t, count + 1);
    binder->scope = scope_copy(binder);
    for (uint32_t i = 0; i < count; i++) {
        made.slots[i] = import_local(binder, &locals[i]);
        expr->args[i] = expr_new(binder->arena, EXPR_LOCAL, 0);
        expr->args[i]->index = locals[i].index;
        expr->args[i]->type = locals[i].type;
        expr->args[i]->constant = false;
    }
    Error *error = plan_chain(binder, paths, ast->b, ast->query, ast->c, kind == APPLY_COLLECT,
                              ast->offset, ast->length, &made.inner, &row_slot, &made.collect_slot);
    binder->scope = scope;
    TRY(error);
    *add_subquery(binder, &expr->index) = made;
    expr->type = type;
    expr->constant = false;
    return *out = expr, NULL;
}
