/*
 * subquery.c - patterns and queries inside expressions and CALL { }, planned as inner chains that
 * see the outer rows.
 */
#include "config.h"

#include "planner/planner_internal.h"

static Error *plan_inner(Binder *binder, const AstPaths *paths, const AstExpr *where,
                         const AstQuery *query, const AstExpr *collect, uint32_t *collect_slot)
{
    if (query != NULL) {
        QueryResult result = {.open_end = true};
        for (size_t i = 0; i < query->count; i++)
            for (size_t c = 0; c < query->parts[i].count; c++)
                if (clause_writes(query->parts[i].items[c]))
                    return fail_at(ERROR_INVALID_CLAUSE_COMPOSITION,
                                   query->parts[i].items[c]->offset,
                                   query->parts[i].items[c]->length,
                                   "a sub-query inside an expression cannot write");
        return plan_query(binder, query, &result);
    }
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

Error *plan_apply(Binder *binder, PlanApplyKind kind, const AstPaths *paths, const AstExpr *where,
                  const AstQuery *query, const AstExpr *collect, size_t offset, size_t length,
                  uint32_t *out_slot)
{
    PlanNode *outer = binder->chain;
    Scope scope = scope_copy(binder), saved = binder->scope;
    uint32_t floor = binder->local_floor, collect_slot = SLOT_NONE;
    bool aggregates = binder->aggregates_allowed, patterns = binder->patterns_allowed,
         inside = binder->in_aggregate;
    binder->scope = scope;
    binder->chain = NULL;
    binder->local_floor = binder->local_count;
    binder->aggregates_allowed = binder->in_aggregate = false;
    binder->patterns_allowed = false;
    PlanNode *argument = plan_node(binder, PLAN_ARGUMENT, offset, length);
    argument->row_slot = new_slot(binder, STR(""));
    Error *error = plan_inner(binder, paths, where, query, collect, &collect_slot);
    PlanNode *inner = binder->chain;
    binder->chain = outer;
    binder->scope = saved;
    binder->local_floor = floor;
    binder->aggregates_allowed = aggregates;
    binder->patterns_allowed = patterns;
    binder->in_aggregate = inside;
    TRY(error);
    PlanNode *apply = plan_node(binder, PLAN_APPLY, offset, length);
    apply->apply = kind;
    apply->inner = inner;
    apply->row_slot = argument->row_slot;
    apply->collect_slot = collect_slot;
    apply->out_slot = *out_slot = new_slot(binder, STR(""));
    return NULL;
}
