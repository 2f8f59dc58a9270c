/*
 * moment.c - AT: which moment a statement or a MATCH looks at.
 *
 * A MATCH at a moment of its own is a chain of its own inside an Apply: known entities that stand in
 * its pattern enter as what they were then, and what it finds bears its moment when it leaves.
 */
#include "config.h"

#include "planner/planner_internal.h"

Error *plan_moment(Binder *binder, AstTime time, const AstExpr *at, PlanMoment *out)
{
    *out = (PlanMoment){
        .timestamp = time == AST_AT_TIMESTAMP, .offset = at->offset, .length = at->length};
    if (at->kind == AST_VARIABLE && time == AST_AT_SNAPSHOT)
        return error_hint(undefined_variable(binder, at->text, at->offset, at->length),
                          "quote the name: AT SNAPSHOT '%.*s'", STR_ARG(at->text));
    return bind_alone(binder, at, out->timestamp ? "AT TIMESTAMP" : "AT SNAPSHOT", &out->expr);
}

Error *plan_session_moment(Binder *binder, Str at, PlanMoment *out)
{
    Buffer text = {0};
    AstStatement *statement;
    buffer_printf(&text, "AT %.*s RETURN 0", STR_ARG(at));
    Str kept = str_copy(binder->arena, buffer_view(&text));
    buffer_free(&text);
    TRY(parser_parse(binder->arena, kept, &statement));
    TRY(plan_moment(binder, statement->time, statement->at, out));
    out->length = 0; /* it stands nowhere in the statement */
    return NULL;
}

bool pattern_names(const AstPaths *paths, size_t count, Str name)
{
    for (size_t p = 0; p < count; p++)
        for (size_t i = 0; i < paths->items[p]->node_count; i++) {
            const AstPath *path = paths->items[p];
            if (str_equal(path->nodes[i].variable.text, name)) return true;
            if (i + 1 < path->node_count && str_equal(path->relationships[i].variable.text, name))
                return true;
        }
    return false;
}

typedef struct Carried { /* known variables that stand in the pattern: inside they have a slot of */
    size_t *variables;   /* their own */
    uint32_t *outside, *inside;
    size_t count;
} Carried;

static Carried carry(Binder *binder, const AstPaths *paths)
{
    size_t known = binder->scope.count;
    Carried carried = {arena_array(binder->arena, size_t, known + 1),
                       arena_array(binder->arena, uint32_t, known + 1),
                       arena_array(binder->arena, uint32_t, known + 1), 0};
    for (size_t i = 0; i < known; i++) {
        if (!pattern_names(paths, paths->count, binder->scope.items[i].name)) continue;
        carried.variables[carried.count] = i;
        carried.outside[carried.count] = binder->scope.items[i].slot;
        carried.inside[carried.count] = new_slot(binder, STR(""));
        binder->scope.items[i].slot = carried.inside[carried.count++];
    }
    return carried;
}

/* What was not there then matches nothing. */
static void enter(Binder *binder, const Carried *carried, const AstClause *clause, uint32_t outer)
{
    PlanNode *node = plan_node(binder, PLAN_ENTER, clause->offset, clause->length);
    node->moment = binder->moment;
    node->outer_moment = outer;
    node->items = arena_array(binder->arena, PlanItem, carried->count + 1);
    for (size_t i = 0; i < carried->count; i++) {
        Expr *known = expr_slot(binder->arena, carried->outside[i], EXPR_TYPE_ANY, true);
        node->items[node->item_count++] = (PlanItem){.slot = carried->inside[i], .expr = known};
    }
    for (size_t i = 0; i < carried->count; i++) {
        Expr *there = expr_new(binder->arena, EXPR_IS_NOT_NULL, 1);
        there->args[0] = expr_slot(binder->arena, carried->inside[i], EXPR_TYPE_ANY, true);
        there->type = VALUE_BOOLEAN;
        there->offset = clause->offset, there->length = clause->length;
        plan_node(binder, PLAN_FILTER, clause->offset, clause->length)->expr = there;
    }
}

Error *plan_match_apart(Binder *binder, const AstClause *clause)
{
    uint32_t outer = binder->moment;
    if (clause->time != AST_NOW) {
        if (binder->plan->moment_count == PLAN_MOMENTS_MAX)
            return fail_at(ERROR_LIMIT, clause->at->offset, clause->at->length,
                           "MATCH AT stands in a statement %d times at most", PLAN_MOMENTS_MAX - 1);
        uint32_t moment = binder->plan->moment_count;
        TRY(plan_moment(binder, clause->time, clause->at, &binder->plan->moments[moment]));
        binder->plan->moment_count++;
        binder->moment = moment;
    }
    Carried carried = carry(binder, &clause->patterns);
    enter(binder, &carried, clause, outer);
    Error *error = plan_patterns(binder, &clause->patterns, clause->where, false);
    if (error == NULL) {
        PlanNode *leave = plan_node(binder, PLAN_LEAVE, clause->offset, clause->length);
        leave->moment = binder->moment;
        leave->outer_moment = outer;
    }
    for (size_t i = 0; i < carried.count; i++)
        binder->scope.items[carried.variables[i]].slot = carried.outside[i];
    binder->moment = outer;
    return error;
}

bool match_is_apart(const Binder *binder, const AstClause *clause)
{
    if (clause->time != AST_NOW) return true;
    for (size_t i = 0; binder->plan->moment_count > 1 && i < binder->scope.count; i++)
        if (pattern_names(&clause->patterns, clause->patterns.count, binder->scope.items[i].name))
            return true;
    return false;
}
