/*
 * extension.c - what ContextQL adds to openCypher: VECTOR .. SIMILAR TO, RANK BY, SEARCH, LOAD
 * FROM.
 */
#include "config.h"

#include "planner/planner_internal.h"
#include "rank/strategy.h"

/* ---- VECTOR ---- */

static bool mentions(const AstExpr *ast, Str name)
{
    if (ast == NULL) return false;
    if (ast->kind == AST_VARIABLE && str_equal(ast->text, name)) return true;
    if (mentions(ast->a, name) || mentions(ast->b, name) || mentions(ast->c, name)) return true;
    for (size_t i = 0; i < ast->list.count; i++)
        if (mentions(ast->list.items[i], name)) return true;
    return false;
}

/* VECTOR without a target means the last node variable of the preceding MATCH that the query
 * expression does not mention. */
static Error *implied_variable(Binder *binder, const AstScore *score, const AstClause *before,
                               Variable **out)
{
    *out = NULL;
    if (before == NULL || before->kind != CLAUSE_MATCH)
        return error_hint(
            fail_at(ERROR_UNEXPECTED_SYNTAX, score->offset, score->length, "what shall be ranked?"),
            "name it: VECTOR d.embedding SIMILAR TO ..");
    for (size_t p = 0; p < before->patterns.count; p++)
        for (size_t i = 0; i < before->patterns.items[p]->node_count; i++) {
            Str name = before->patterns.items[p]->nodes[i].variable.text;
            if (name.bytes > 0 && !mentions(score->query, name))
                *out = scope_find(&binder->scope, name);
        }
    if (*out != NULL) return NULL;
    return error_hint(fail_at(ERROR_UNEXPECTED_SYNTAX, score->offset, score->length,
                              "every node of the MATCH is in the query itself"),
                      "name what shall be ranked: VECTOR d.embedding SIMILAR TO ..");
}

/* The property: the one of the same name as in the query expression, else that of the label's only
 * vector index. */
static Error *implied_property(Binder *binder, const AstScore *score, const Variable *variable,
                               AstName *out)
{
    const Graph *graph = binder->view->graph;
    if (score->query->kind == AST_PROPERTY) {
        *out = (AstName){score->query->text, score->query->offset, score->query->length};
        return NULL;
    }
    const GraphIndex *found = NULL;
    for (uint32_t i = 0; i < graph_index_count(graph); i++) {
        const GraphIndex *index = graph_index_at(binder->view, i);
        bool fits = false;
        for (uint32_t l = 0; index != NULL && index->vector && l < variable->label_count; l++)
            fits = fits || variable->labels[l].id == index->label;
        if (!fits) continue;
        if (found != NULL)
            return fail_at(ERROR_UNEXPECTED_SYNTAX, score->offset, score->length,
                           "two vector indexes fit: %.*s and %.*s", STR_ARG(found->name),
                           STR_ARG(index->name));
        found = index;
    }
    if (found == NULL)
        return error_hint(fail_at(ERROR_UNEXPECTED_SYNTAX, score->offset, score->length,
                                  "no property is named, and no vector index tells one"),
                          "name it: VECTOR %.*s.embedding SIMILAR TO ..", STR_ARG(variable->name));
    *out =
        (AstName){graph_name_text(graph, NAME_KEY, found->keys[0]), score->offset, score->length};
    return NULL;
}

static const char *const metrics[] = {
    [METRIC_COSINE] = "cosine", [METRIC_DOT] = "dot", [METRIC_L2] = "l2"};
enum { METRIC_COUNT = sizeof metrics / sizeof *metrics };

/* false: no metric is called so. */
static bool metric_named(Str name, PlanMetric *out)
{
    for (int m = 0; m < METRIC_COUNT; m++)
        if (str_equal_ignore_case(name, str_from(metrics[m]))) return *out = (PlanMetric)m, true;
    return false;
}

/* What an index on the property says of its vectors. */
static void ask_index(Binder *binder, const Variable *variable, PlanScoreLeg *leg)
{
    for (uint32_t l = 0; l < variable->label_count; l++) {
        const GraphIndex *index =
            graph_index_on(binder->view, variable->labels[l].id, leg->key.id, true);
        if (index == NULL) continue;
        leg->metric = (PlanMetric)index->metric;
        leg->dimensions = index->dimensions;
        return;
    }
}

/* A query that stands in the statement is checked before it runs. */
static Error *check_literal(Binder *binder, const AstExpr *ast, const PlanScoreLeg *leg)
{
    Value query;
    if (leg->expr->kind != EXPR_LIST && leg->expr->kind != EXPR_CONSTANT &&
        leg->expr->kind != EXPR_CALL)
        return NULL;
    Error *error = leg->expr->constant ? expr_fold(binder->arena, leg->expr, &query) : NULL;
    if (!leg->expr->constant || error != NULL) /* a parameter; or it fails when it runs */
        return error_drop(error), NULL;
    for (uint32_t i = 0; query.kind == VALUE_LIST && i < query.aux; i++)
        if (!value_is_number(query.as.items[i]))
            return fail_at(ERROR_INVALID_ARGUMENT_TYPE, ast->offset, ast->length,
                           "a list of numbers is wanted, not one with %s in it",
                           value_kind_name((ValueKind)query.as.items[i].kind));
    bool vector = query.kind == VALUE_LIST || query.kind == VALUE_VECTOR;
    if (!vector || leg->dimensions == 0 || query.aux == leg->dimensions) return NULL;
    return fail_at(ERROR_INVALID_ARGUMENT_TYPE, ast->offset, ast->length,
                   "the query has %u dimensions, the index on %.*s has %u", query.aux,
                   STR_ARG(leg->key.text), leg->dimensions);
}

static Error *bind_leg(Binder *binder, const AstScore *score, const AstClause *before,
                       PlanScoreLeg *leg)
{
    Variable *variable;
    AstName property = score->property;
    if (score->text) return not_executed("full text search", score->offset, score->length);
    if (score->variable.text.bytes == 0)
        TRY(implied_variable(binder, score, before, &variable));
    else
        variable = scope_find(&binder->scope, score->variable.text);
    if (variable == NULL)
        return undefined_variable(binder, score->variable.text, score->variable.offset,
                                  score->variable.length);
    if (variable->kind != VARIABLE_NODE &&
        !(variable->kind == VARIABLE_VALUE && variable->type == EXPR_TYPE_ANY))
        return fail_at(ERROR_VARIABLE_TYPE_CONFLICT, score->offset, score->length,
                       "`%.*s` is not a node", STR_ARG(variable->name));
    if (property.text.bytes == 0) TRY(implied_property(binder, score, variable, &property));
    TRY(bind(binder, score->query, &leg->expr));
    uint8_t type = leg->expr->type;
    if (type != EXPR_TYPE_ANY && type != VALUE_LIST && type != VALUE_VECTOR)
        return fail_at(ERROR_INVALID_ARGUMENT_TYPE, score->query->offset, score->query->length,
                       "a vector or a list of numbers is wanted, not %s",
                       value_kind_name((ValueKind)type));
    leg->vector = true;
    leg->slot = variable->slot;
    leg->key = name_ref(binder, NAME_KEY, property, true);
    leg->metric = METRIC_COSINE;
    ask_index(binder, variable, leg);
    return check_literal(binder, score->query, leg);
}

/* `known` ends with NULL; "" is none. */
static Error *check_options(const AstExpr *options, const char *const *known)
{
    for (size_t i = 0; options != NULL && i < options->names.count; i++) {
        AstName name = options->names.items[i];
        size_t k = 0;
        while (known[k] != NULL && !str_equal(name.text, str_from(known[k])))
            k++;
        if (known[k] != NULL) continue;
        Error *error = fail_at(ERROR_UNKNOWN_OPTION, name.offset, name.length,
                               "no such option: %.*s", STR_ARG(name.text));
        for (k = 0; known[k] != NULL; k++)
            if (known[k][0] != '\0' && str_distance(name.text, str_from(known[k]), 2) <= 2)
                return error_hint(error, "did you mean %s?", known[k]);
        return error;
    }
    return NULL;
}

/* USING {metric: 'l2'}: decided before the statement runs, because the plan says it. */
static Error *metric_option(const AstExpr *ast, const Expr *options, PlanMetric *out)
{
    for (uint32_t i = 0; options != NULL && options->kind == EXPR_MAP && i < options->arg_count;
         i++) {
        const Expr *given = options->args[i];
        if (!str_equal(options->keys[i], STR("metric"))) continue;
        bool text = given->kind == EXPR_CONSTANT && given->value.kind == VALUE_STRING;
        if (text && metric_named(value_text(given->value), out)) return NULL;
        return fail_at(ERROR_INVALID_ARGUMENT_TYPE, ast->offset, ast->length,
                       "the metric is 'cosine', 'dot' or 'l2'");
    }
    return NULL;
}

/* LIMIT k PER v AS name WHERE .., alike for VECTOR and RANK. */
static Error *finish_score(Binder *binder, const AstClause *clause, PlanNode *plan,
                           Str default_name)
{
    if (clause->limit != NULL) TRY(bind_number(binder, clause->limit, "LIMIT", &plan->limit));
    if (clause->per.text.bytes > 0) {
        const Variable *per = scope_find(&binder->scope, clause->per.text);
        if (per == NULL)
            return undefined_variable(binder, clause->per.text, clause->per.offset,
                                      clause->per.length);
        plan->per_slot = per->slot;
    }
    plan->slots = scope_slots(binder, &plan->slot_count);
    Str name = clause->name.text.bytes > 0 ? clause->name.text : default_name;
    if (scope_find(&binder->scope, name) != NULL)
        return error_hint(fail_at(ERROR_COLUMN_NAME_CONFLICT, clause->offset, clause->length,
                                  "there is a column `%.*s` already", STR_ARG(name)),
                          "give this one a name with AS");
    plan->slot = scope_add(binder, name, VARIABLE_VALUE, VALUE_FLOAT)->slot;
    if (clause->where == NULL) return NULL;
    Expr *expr;
    TRY(bind_condition(binder, clause->where, &expr));
    plan_node(binder, PLAN_FILTER, clause->where->offset, clause->where->length)->expr = expr;
    return NULL;
}

Error *plan_score(Binder *binder, const AstClause *clause, const AstClause *before)
{
    static const char *const known[] = {"exact", "ef", "metric", NULL};
    PlanScoreLeg *leg = arena_new(binder->arena, PlanScoreLeg);
    Expr *options = NULL;
    TRY(check_options(clause->options, known));
    TRY(bind_leg(binder, clause->score, before, leg));
    if (clause->options != NULL) TRY(bind_alone(binder, clause->options, "USING", &options));
    TRY(metric_option(clause->options, options, &leg->metric));
    PlanNode *plan = plan_node(binder, PLAN_SCORE, clause->offset, clause->length);
    plan->legs = leg;
    plan->leg_count = 1;
    plan->metric = leg->metric;
    plan->options = options;
    return finish_score(binder, clause, plan, STR("similarity_score"));
}

static Error *find_strategy(Binder *binder, const AstClause *clause, const Strategy **out)
{
    const StrategyRegistry *strategies = binder->environment->strategies;
    Str name = clause->name2.text;
    *out = strategies == NULL ? NULL : strategy_find(strategies, name);
    if (*out != NULL) return NULL;
    Error *error = fail_at(ERROR_NAME_UNKNOWN, clause->name2.offset, clause->name2.length,
                           "no such strategy: %.*s", STR_ARG(name));
    for (size_t i = 0; strategies != NULL && i < strategy_count(strategies); i++) {
        const char *other = strategy_at(strategies, i)->name;
        if (str_distance(name, str_from(other), 2) <= 2)
            return error_hint(error, "did you mean %s?", other);
    }
    return error_hint(error, "SHOW STRATEGIES lists them");
}

static Error *check_sources(const Strategy *strategy, const AstClause *clause)
{
    size_t count = clause->legs.count, most = strategy->sources_max;
    if (count >= strategy->sources_min && (most == 0 || count <= most)) return NULL;
    const char *bound = strategy->sources_min == most ? ""
                        : count > most                ? "at most "
                                                      : "at least ";
    size_t wanted = count < strategy->sources_min ? strategy->sources_min : most;
    return fail_at(ERROR_INVALID_NUMBER_OF_ARGUMENTS, clause->name2.offset, clause->name2.length,
                   "%s ranks by %s%zu source%s, not by %zu", strategy->name, bound, wanted,
                   wanted == 1 ? "" : "s", count);
}

Error *plan_rank(Binder *binder, const AstClause *clause, const AstClause *before)
{
    const Strategy *strategy;
    TRY(find_strategy(binder, clause, &strategy));
    TRY(check_sources(strategy, clause));
    if (strategy->options != NULL) TRY(check_options(clause->options, strategy->options));
    PlanScoreLeg *legs = arena_array(binder->arena, PlanScoreLeg, clause->legs.count + 1);
    Expr *options = NULL;
    for (size_t i = 0; i < clause->legs.count; i++) {
        if (clause->legs.items[i].score != NULL)
            TRY(bind_leg(binder, clause->legs.items[i].score, before, &legs[i]));
        else
            TRY(bind(binder, clause->legs.items[i].expr, &legs[i].expr));
        if (strategy->metric != NULL) metric_named(str_from(strategy->metric), &legs[i].metric);
    }
    if (clause->options != NULL) TRY(bind_alone(binder, clause->options, "USING", &options));
    PlanNode *plan = plan_node(binder, PLAN_RANK, clause->offset, clause->length);
    plan->strategy = clause->name2.text;
    plan->legs = legs;
    plan->leg_count = (uint32_t)clause->legs.count;
    plan->options = options;
    return finish_score(binder, clause, plan, STR("rank_score"));
}

/* SEARCH v IN (VECTOR INDEX i FOR e WHERE c LIMIT k) SCORE AS s: the same operator in another's
 * words. */
Error *plan_search(Binder *binder, const AstClause *clause)
{
    const GraphIndex *index = graph_index_named(binder->view, clause->name2.text);
    if (index == NULL || !index->vector)
        return error_hint(fail_at(ERROR_NAME_UNKNOWN, clause->name2.offset, clause->name2.length,
                                  "no such vector index: %.*s", STR_ARG(clause->name2.text)),
                          "SHOW INDEXES lists them");
    if (clause->where != NULL) {
        Expr *expr;
        TRY(bind_condition(binder, clause->where, &expr));
        plan_node(binder, PLAN_FILTER, clause->where->offset, clause->where->length)->expr = expr;
    }
    AstScore score = {.variable = clause->per,
                      .query = clause->expr,
                      .offset = clause->offset,
                      .length = clause->length};
    score.property = (AstName){graph_name_text(binder->view->graph, NAME_KEY, index->keys[0]),
                               clause->name2.offset, clause->name2.length};
    PlanScoreLeg *leg = arena_new(binder->arena, PlanScoreLeg);
    TRY(bind_leg(binder, &score, NULL, leg));
    leg->metric = (PlanMetric)index->metric;
    leg->dimensions = index->dimensions;
    TRY(check_literal(binder, clause->expr, leg));
    PlanNode *plan = plan_node(binder, PLAN_SCORE, clause->offset, clause->length);
    plan->legs = leg;
    plan->leg_count = 1;
    plan->metric = leg->metric;
    AstClause rest = *clause;
    rest.where = NULL;
    rest.per = (AstName){0};
    return finish_score(binder, &rest, plan, STR("similarity_score"));
}

/* ---- LOAD ---- */

static void map_entry(Binder *binder, Expr *map, const char *key, Expr *value)
{
    Str *keys = arena_array(binder->arena, Str, map->arg_count + 1);
    Expr **args = arena_array(binder->arena, Expr *, map->arg_count + 2);
    if (map->arg_count > 0) {
        memcpy(keys, map->keys, map->arg_count * sizeof *keys);
        memcpy(args, map->args, map->arg_count * sizeof *args);
    }
    keys[map->arg_count] = str_from(key);
    args[map->arg_count++] = value;
    map->keys = keys;
    map->args = args;
}

/* LOAD CSV in the terms of LOAD FROM: without headers a row is a list. */
static Error *csv_options(Binder *binder, const AstClause *clause, Expr **out)
{
    Expr *options = *out = expr_new(binder->arena, EXPR_MAP, 0), *delimiter;
    options->type = VALUE_MAP;
    map_entry(binder, options, "format", expr_constant(binder->arena, value_string(STR("csv"))));
    map_entry(binder, options, "header",
              expr_constant(binder->arena, value_boolean(clause->headers)));
    if (!clause->headers)
        map_entry(binder, options, "lists", expr_constant(binder->arena, value_boolean(true)));
    if (clause->delimiter == NULL) return NULL;
    TRY(bind(binder, clause->delimiter, &delimiter));
    map_entry(binder, options, "delimiter", delimiter);
    return NULL;
}

Error *plan_load(Binder *binder, const AstClause *clause)
{
    enum { LOAD = 1, NODES = 0, ENDS = 0, WRITE = 0 };
    static const char *const known[] = {
#define FILE_OPTION(name, kind, least, most, words, uses, meaning) (uses) == 0 ? "" : #name,
#include "contextql/file_options.def"
#undef FILE_OPTION
        NULL};
    Expr *source, *options = NULL;
    TRY(bind(binder, clause->expr, &source));
    TRY(check_options(clause->options, known));
    if (clause->options != NULL) TRY(bind(binder, clause->options, &options));
    if (clause->csv) TRY(csv_options(binder, clause, &options));
    if (scope_find(&binder->scope, clause->name.text) != NULL)
        return fail_at(ERROR_VARIABLE_ALREADY_BOUND, clause->name.offset, clause->name.length,
                       "`%.*s` is there already", STR_ARG(clause->name.text));
    PlanNode *plan = plan_node(binder, PLAN_LOAD, clause->offset, clause->length);
    plan->expr = source;
    plan->options = options;
    plan->slot = scope_add(binder, clause->name.text, VARIABLE_VALUE, EXPR_TYPE_ANY)->slot;
    return NULL;
}
