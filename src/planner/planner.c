/*
 * planner.c - from text to plan: parse, bind, plan, in one pass over the clauses.
 *
 * Binding and planning are one walk because a clause's plan depends only on what is bound before
 * it: the chain grows as the scope does. What could be reordered (the pattern of one MATCH) is, in
 * match.c.
 */
#include "config.h"

#include "planner/planner_internal.h"

static void explain_columns(Binder *binder)
{
    static const Str names[PROFILE_COLUMNS] = {
        {"plan", 4}, {"estimated", 9}, {"rows", 4}, {"ms", 2}, {"memory", 6}, {"files", 5}};
    Plan *plan = binder->plan;
    plan->column_count = plan->profile ? PROFILE_COLUMNS : EXPLAIN_COLUMNS;
    plan->columns = arena_array(binder->arena, Str, PROFILE_COLUMNS);
    memcpy(plan->columns, names, sizeof names);
}

static Error *refuse_in_the_past(const Binder *binder)
{
    if (binder->environment->at.bytes == 0) return NULL;
    return error_hint(
        error_new(ERROR_READ_ONLY, "the session looks at another moment and cannot write"),
        "the setting `at` says which; empty it is the present (in the shell :at now)");
}

static Error *plan_statement_query(Binder *binder, const AstStatement *statement)
{
    Plan *plan = binder->plan;
    QueryResult result = {0};
    if (statement->time != AST_NOW)
        TRY(plan_moment(binder, statement->time, statement->at, &plan->moments[0]));
    else if (binder->environment->at.bytes > 0)
        TRY(plan_session_moment(binder, binder->environment->at, &plan->moments[0]));
    plan_node(binder, PLAN_UNIT, statement->offset, 0);
    TRY(plan_query(binder, statement->query, &result));
    if (plan->writes && statement->time == AST_NOW) TRY(refuse_in_the_past(binder));
    if (plan->writes && statement->time != AST_NOW)
        return error_hint(fail_at(ERROR_READ_ONLY, statement->at->offset, statement->at->length,
                                  "a statement at another moment cannot write"),
                          "put AT behind the MATCH that shall look back");
    plan->gives_rows = result.gives_rows;
    plan->columns = result.columns;
    plan->column_count = result.gives_rows ? result.count : 0;
    PlanNode *produce = plan_node(binder, PLAN_PRODUCE, statement->offset, 0);
    produce->slots = result.slots;
    produce->slot_count = plan->column_count;
    plan->root = produce;
    bool several = plan->moment_count > 1; /* slots are filled and read behind its back */
    if (!plan->writes && !several && !binder->environment->plain) plan_rewrite(binder);
    plan->explain = statement->explain || statement->profile;
    plan->profile = statement->profile;
    if (plan->explain) plan_estimate(binder);
    if (plan->explain) explain_columns(binder);
    return NULL;
}

/* What a session at another moment is shown is of that moment; all else is about the present. */
static Error *plan_statement_command(Binder *binder, const AstStatement *statement)
{
    Plan *plan = binder->plan;
    TRY(plan_command(binder, statement));
    switch (plan->statement) {
    case STATEMENT_SHOW:
        if (binder->environment->at.bytes == 0) return NULL;
        return plan_session_moment(binder, binder->environment->at, &plan->moments[0]);
    case STATEMENT_BEGIN:
    case STATEMENT_COMMIT:
    case STATEMENT_ROLLBACK: return NULL;
    default: return refuse_in_the_past(binder);
    }
}

static Error *strict(const Plan *plan)
{
    const PlanWarning *warning = &plan->warnings[0];
    Error *error = error_at(error_new(ERROR_NAME_UNKNOWN, "%s", warning->message), warning->offset,
                            warning->length);
    return warning->hint[0] == '\0' ? error : error_hint(error, "%s", warning->hint);
}

static int64_t now_ns(const PlanEnvironment *environment)
{
    const Clock *clock = environment->clock;
    return clock == NULL ? 0 : clock->monotonic_ns(clock->state);
}

Error *planner_plan(Arena *arena, Str text, const struct GraphView *view,
                    const PlanEnvironment *environment, Plan **out)
{
    AstStatement *statement;
    int64_t begin_ns = now_ns(environment);
    TRY(parser_parse(arena, text, &statement));
    Plan *plan = arena_new(arena, Plan);
    plan->moment_count = 1;
    plan->parse_ns = now_ns(environment) - begin_ns;
    Binder binder = {
        .arena = arena, .text = text, .view = view, .environment = environment, .plan = plan};
    if (statement->kind == COMMAND_QUERY)
        TRY(plan_statement_query(&binder, statement));
    else
        TRY(plan_statement_command(&binder, statement));
    if (environment->strict_names && plan->warning_count > 0) return strict(plan);
    *out = plan;
    return NULL;
}
