/*
 * query.c - clauses in their order, sub-queries of CALL, procedures, FOREACH, UNION.
 */
#include "config.h"

#include "algorithm/algorithm.h"
#include "planner/planner_internal.h"

bool clause_writes(const AstClause *clause)
{
    switch (clause->kind) {
    case CLAUSE_CREATE:
    case CLAUSE_MERGE:
    case CLAUSE_SET:
    case CLAUSE_REMOVE:
    case CLAUSE_DELETE:
    case CLAUSE_FOREACH:
    case CLAUSE_PUBLISH: return true;
    default: return false;
    }
}

/* ---- reading clauses ---- */

static Error *plan_unwind(Binder *binder, const AstClause *clause)
{
    Expr *expr;
    TRY(bind(binder, clause->expr, &expr));
    if (scope_find(&binder->scope, clause->name.text) != NULL)
        return fail_at(ERROR_VARIABLE_ALREADY_BOUND, clause->name.offset, clause->name.length,
                       "`%.*s` is there already", STR_ARG(clause->name.text));
    PlanNode *plan = plan_node(binder, PLAN_UNWIND, clause->offset, clause->length);
    plan->expr = expr;
    uint8_t type = EXPR_TYPE_ANY;
    if (expr->kind == EXPR_LIST && expr->arg_count > 0) {
        type = expr->args[0]->type;
        for (uint32_t i = 1; i < expr->arg_count; i++)
            if (expr->args[i]->type != type) type = EXPR_TYPE_ANY;
    }
    plan->slot = scope_add(binder, clause->name.text,
                           type == VALUE_NODE           ? VARIABLE_NODE
                           : type == VALUE_RELATIONSHIP ? VARIABLE_RELATIONSHIP
                                                        : VARIABLE_VALUE,
                           type)
                     ->slot;
    return NULL;
}

static Str dotted(Binder *binder, const AstNames *names)
{
    Buffer text = {0};
    for (size_t i = 0; i < names->count; i++) {
        if (i > 0) buffer_char(&text, '.');
        buffer_str(&text, names->items[i].text);
    }
    Str copy = str_copy(binder->arena, buffer_view(&text));
    buffer_free(&text);
    return copy;
}

static bool argument_fits(const Expr *expr, uint8_t wanted)
{
    if (expr->type == EXPR_TYPE_ANY || wanted == EXPR_TYPE_ANY) return true;
    if (wanted == PROCEDURE_NUMBER || wanted == VALUE_FLOAT)
        return expr->type == VALUE_INTEGER || expr->type == VALUE_FLOAT;
    return expr->type == wanted;
}

/* `algorithm`: one of ours, whose options may be left out; NULL: a program's procedure. */
static Error *call_arguments(Binder *binder, const AstClause *clause,
                             const PlanProcedure *procedure, const Algorithm *algorithm, bool alone,
                             PlanNode *plan)
{
    plan->exprs = arena_array(binder->arena, Expr *, procedure->argument_count + 1);
    plan->expr_count = procedure->argument_count;
    if (algorithm != NULL && clause->exprs.count == 0 && (clause->has_arguments || !alone)) {
        plan->exprs[0] = expr_constant(binder->arena, value_map(NULL, 0));
        return NULL;
    }
    if (!clause->has_arguments) { /* standing alone, arguments come from parameters of the same
                                     names */
        if (!alone)
            return fail_at(ERROR_INVALID_ARGUMENT_PASSING_MODE, clause->offset, clause->length,
                           "inside a query a procedure's arguments are written down");
        for (uint32_t i = 0; i < procedure->argument_count; i++) {
            AstExpr parameter = {.kind = AST_PARAMETER,
                                 .text = procedure->argument_names[i],
                                 .offset = clause->offset,
                                 .length = clause->length};
            TRY(bind(binder, &parameter, &plan->exprs[i]));
        }
        return NULL;
    }
    if (clause->exprs.count != procedure->argument_count)
        return fail_at(ERROR_INVALID_NUMBER_OF_ARGUMENTS, clause->offset, clause->length,
                       "%.*s takes %u arguments, not %zu", STR_ARG(procedure->name),
                       procedure->argument_count, clause->exprs.count);
    for (uint32_t i = 0; i < procedure->argument_count; i++) {
        const AstExpr *ast = clause->exprs.items[i];
        TRY(bind(binder, ast, &plan->exprs[i]));
        if (has_aggregate(plan->exprs[i]))
            return fail_at(ERROR_INVALID_AGGREGATION, ast->offset, ast->length,
                           "an aggregate cannot stand here");
        if (!argument_fits(plan->exprs[i], procedure->argument_types[i]))
            return fail_at(ERROR_INVALID_ARGUMENT_TYPE, ast->offset, ast->length,
                           "%.*s cannot take %s here", STR_ARG(procedure->name),
                           value_kind_name((ValueKind)plan->exprs[i]->type));
    }
    return NULL;
}

static Error *take_yield(Binder *binder, const PlanProcedure *procedure, Str column, AstName name,
                         size_t offset, size_t length, PlanNode *plan)
{
    uint32_t i = 0;
    while (i < procedure->yield_count && !str_equal(procedure->yield_names[i], column))
        i++;
    if (i == procedure->yield_count)
        return fail_at(ERROR_UNDEFINED_VARIABLE, offset, length, "%.*s gives no column `%.*s`",
                       STR_ARG(procedure->name), STR_ARG(column));
    if (scope_find(&binder->scope, name.text) != NULL)
        return fail_at(ERROR_VARIABLE_ALREADY_BOUND, offset, length, "`%.*s` is there already",
                       STR_ARG(name.text));
    uint8_t type = procedure->yield_types[i];
    plan->yields[plan->slot_count] = procedure->yield_names[i];
    VariableKind kind = type == VALUE_NODE   ? VARIABLE_NODE
                        : type == VALUE_PATH ? VARIABLE_PATH
                                             : VARIABLE_VALUE;
    plan->slots[plan->slot_count++] =
        scope_add(binder, name.text, kind, type == PROCEDURE_NUMBER ? EXPR_TYPE_ANY : type)->slot;
    return NULL;
}

/* A graph algorithm in the shape of a procedure. */
static const PlanProcedure *shape_of(Binder *binder, const Algorithm *algorithm)
{
    static const Str argument = {"options", sizeof "options" - 1};
    static const uint8_t argument_type = VALUE_MAP;
    AlgorithmShape shape;
    algorithm_shape_of(algorithm, &shape);
    PlanProcedure *procedure = arena_new(binder->arena, PlanProcedure);
    Str *yields = arena_array(binder->arena, Str, 2);
    uint8_t *types = arena_array(binder->arena, uint8_t, 2);
    yields[0] = shape.entity, yields[1] = shape.column;
    types[0] = shape.entity_type, types[1] = shape.column_type;
    *procedure = (PlanProcedure){shape.name, 1, 2, &argument, yields, &argument_type, types};
    return procedure;
}

/* A program's own procedure goes before an algorithm of that name. NULL: there is neither. */
static const PlanProcedure *find_procedure(Binder *binder, Str name, const Algorithm **algorithm)
{
    const PlanEnvironment *environment = binder->environment;
    const PlanProcedure *procedure = NULL;
    *algorithm = NULL;
    if (environment->procedure != NULL &&
        environment->procedure(environment->state, name, &procedure))
        return procedure;
    *algorithm = algorithm_find(name);
    return *algorithm == NULL ? NULL : shape_of(binder, *algorithm);
}

static Error *no_procedure(const Binder *binder, const AstClause *clause, Str name)
{
    const PlanEnvironment *environment = binder->environment;
    Meant nearest = meant_of(name);
    if (environment->see_procedures != NULL)
        environment->see_procedures(environment->state, &nearest);
    Error *error = fail_at(ERROR_PROCEDURE_NOT_FOUND, clause->names.items[0].offset, name.bytes,
                           "no such procedure: %.*s", STR_ARG(name));
    return meant_hint(error, &nearest, "SHOW PROCEDURES lists them");
}

static Error *plan_call(Binder *binder, const AstClause *clause, bool alone, QueryResult *result)
{
    const Algorithm *algorithm;
    Str name = dotted(binder, &clause->names);
    const PlanProcedure *procedure = find_procedure(binder, name, &algorithm);
    if (procedure == NULL) return no_procedure(binder, clause, name);
    if (clause->yield_star && !alone)
        return fail_at(ERROR_UNEXPECTED_SYNTAX, clause->offset, clause->length,
                       "YIELD * stands only where a procedure stands alone");
    PlanNode shape = {0};
    TRY(call_arguments(binder, clause, procedure, algorithm, alone, &shape));
    PlanNode *plan = plan_node(binder, PLAN_CALL, clause->offset, clause->length);
    plan->exprs = shape.exprs;
    plan->expr_count = shape.expr_count;
    plan->procedure = procedure->name;
    plan->algorithm = algorithm;
    uint32_t room = procedure->yield_count + (uint32_t)clause->yields.count + 1;
    plan->yields = arena_array(binder->arena, Str, room);
    plan->slots = arena_array(binder->arena, uint32_t, room);
    bool all = alone && (!clause->yield || clause->yield_star);
    for (uint32_t i = 0; all && i < procedure->yield_count; i++)
        TRY(take_yield(binder, procedure, procedure->yield_names[i],
                       (AstName){procedure->yield_names[i], 0, 0}, clause->offset, clause->length,
                       plan));
    if (!all && !clause->yield && procedure->yield_count > 0 && !alone)
        return error_hint(fail_at(ERROR_UNDEFINED_VARIABLE, clause->offset, clause->length,
                                  "the columns of %.*s are not named", STR_ARG(name)),
                          "add YIELD");
    for (size_t i = 0; i < clause->yields.count; i++) {
        const AstItem *item = &clause->yields.items[i];
        AstName as = item->alias.text.bytes > 0
                         ? item->alias
                         : (AstName){item->expr->text, item->expr->offset, item->expr->length};
        TRY(take_yield(binder, procedure, item->expr->text, as, item->expr->offset,
                       item->expr->length, plan));
    }
    plan->item_count = procedure->yield_count; /* how many columns a row of the procedure has */
    plan->branch_slots =
        arena_array(binder->arena, uint32_t, room); /* which of them each slot takes */
    for (uint32_t i = 0; i < plan->slot_count; i++)
        for (uint32_t j = 0; j < procedure->yield_count; j++)
            if (str_equal(procedure->yield_names[j], plan->yields[i])) plan->branch_slots[i] = j;
    if (clause->where != NULL) {
        Expr *expr;
        TRY(bind_condition(binder, clause->where, &expr));
        plan_node(binder, PLAN_FILTER, clause->where->offset, clause->where->length)->expr = expr;
    }
    if (!alone) return NULL;
    result->count = plan->slot_count;
    result->slots = plan->slots;
    result->gives_rows = procedure->yield_count > 0;
    result->columns = arena_array(binder->arena, Str, room);
    for (uint32_t i = 0; i < plan->slot_count; i++)
        result->columns[i] = binder->scope.items[binder->scope.count - plan->slot_count + i].name;
    return NULL;
}

/* ---- inner queries ---- */

/* CALL { } sees outer variables only where its first clause is a WITH that passes them on. */
static bool imports(const AstClauses *part)
{
    return part->count > 0 && part->items[0]->kind == CLAUSE_WITH;
}

static Error *plan_call_query(Binder *binder, const AstClause *clause)
{
    if (clause->in_transactions)
        return not_executed("CALL { } IN TRANSACTIONS", clause->offset, clause->length);
    PlanNode *outer = binder->chain;
    Scope saved = binder->scope;
    QueryResult result = {.imports = true};
    binder->chain = NULL;
    binder->scope = scope_copy(binder);
    PlanNode *argument = plan_node(binder, PLAN_ARGUMENT, clause->offset, clause->length);
    argument->row_slot = new_slot(binder, STR(""));
    TRY(plan_query(binder, clause->query, &result));
    PlanNode *inner = binder->chain;
    binder->chain = outer;
    binder->scope = saved;
    PlanNode *apply = plan_node(binder, PLAN_APPLY, clause->offset, clause->length);
    apply->apply = result.gives_rows ? APPLY_ROWS : APPLY_UNIT;
    apply->inner = inner;
    apply->row_slot = argument->row_slot;
    for (uint32_t i = 0; i < result.count; i++) {
        if (scope_find(&binder->scope, result.columns[i]) != NULL)
            return fail_at(ERROR_VARIABLE_ALREADY_BOUND, clause->offset, clause->length,
                           "`%.*s` is there already", STR_ARG(result.columns[i]));
        scope_add(binder, result.columns[i], VARIABLE_VALUE, EXPR_TYPE_ANY)->slot = result.slots[i];
    }
    return NULL;
}

static Error *plan_foreach(Binder *binder, const AstClause *clause)
{
    PlanNode *outer = binder->chain;
    Scope saved = binder->scope;
    binder->scope = scope_copy(binder);
    binder->chain = NULL;
    PlanNode *argument = plan_node(binder, PLAN_ARGUMENT, clause->offset, clause->length);
    argument->row_slot = new_slot(binder, STR(""));
    AstClause unwind = {.kind = CLAUSE_UNWIND,
                        .offset = clause->offset,
                        .length = clause->length,
                        .expr = clause->expr,
                        .name = clause->name};
    TRY(plan_unwind(binder, &unwind));
    for (size_t i = 0; i < clause->clauses->count; i++)
        if (!clause_writes(clause->clauses->items[i]))
            return fail_at(ERROR_INVALID_CLAUSE_COMPOSITION, clause->clauses->items[i]->offset,
                           clause->clauses->items[i]->length, "FOREACH holds writing clauses only");
    QueryResult result = {0};
    TRY(plan_clauses(binder, clause->clauses, &result));
    PlanNode *inner = binder->chain;
    binder->chain = outer;
    binder->scope = saved;
    PlanNode *apply = plan_node(binder, PLAN_APPLY, clause->offset, clause->length);
    apply->apply = APPLY_UNIT;
    apply->inner = inner;
    apply->row_slot = argument->row_slot;
    apply->slots = scope_slots(binder, &apply->slot_count);
    binder->plan->writes = true;
    return NULL;
}

/* ---- order of clauses ---- */

static Error *check_order(const AstClauses *clauses, size_t i, bool open_end)
{
    const AstClause *clause = clauses->items[i];
    bool last = i + 1 == clauses->count;
    if (clause->kind == CLAUSE_RETURN && !last)
        return fail_at(ERROR_INVALID_CLAUSE_COMPOSITION, clauses->items[i + 1]->offset,
                       clauses->items[i + 1]->length, "nothing can follow RETURN");
    if (last && !open_end &&
        (clause->kind == CLAUSE_WITH || clause->kind == CLAUSE_MATCH ||
         clause->kind == CLAUSE_UNWIND || clause->kind == CLAUSE_LOAD ||
         clause->kind == CLAUSE_SCORE || clause->kind == CLAUSE_RANK ||
         clause->kind == CLAUSE_SEARCH))
        return error_hint(fail_at(ERROR_INVALID_CLAUSE_COMPOSITION, clause->offset, clause->length,
                                  "a query cannot end here"),
                          "end it with RETURN, or write something");
    bool reads = clause->kind == CLAUSE_MATCH && !clause->optional;
    if (reads && i > 0 && clause_writes(clauses->items[i - 1]))
        return error_hint(fail_at(ERROR_INVALID_CLAUSE_COMPOSITION, clause->offset, clause->length,
                                  "a WITH is needed between writing and MATCH"),
                          "add WITH *");
    return NULL;
}

static Error *plan_clause(Binder *binder, const AstClauses *clauses, size_t i, QueryResult *result)
{
    const AstClause *clause = clauses->items[i];
    const AstClause *before = i == 0 ? NULL : clauses->items[i - 1];
    Str *columns;
    uint32_t *slots, count;
    switch (clause->kind) {
    case CLAUSE_MATCH: return plan_match(binder, clause);
    case CLAUSE_UNWIND: return plan_unwind(binder, clause);
    case CLAUSE_WITH: return plan_projection(binder, clause, &columns, &slots, &count);
    case CLAUSE_RETURN:
        TRY(plan_projection(binder, clause, &result->columns, &result->slots, &result->count));
        result->gives_rows = true;
        return NULL;
    case CLAUSE_CREATE: return plan_create(binder, clause);
    case CLAUSE_MERGE: return plan_merge(binder, clause);
    case CLAUSE_SET:
    case CLAUSE_REMOVE: return plan_set(binder, clause);
    case CLAUSE_DELETE: return plan_delete(binder, clause);
    case CLAUSE_CALL:
        return plan_call(binder, clause, clauses->count == 1 && binder->depth == 0, result);
    case CLAUSE_CALL_QUERY: return plan_call_query(binder, clause);
    case CLAUSE_FOREACH: return plan_foreach(binder, clause);
    case CLAUSE_SCORE: return plan_score(binder, clause, before);
    case CLAUSE_RANK: return plan_rank(binder, clause, before);
    case CLAUSE_SEARCH: return plan_search(binder, clause);
    case CLAUSE_LOAD: return plan_load(binder, clause);
    case CLAUSE_SUBSCRIBE: return not_executed("SUBSCRIBE", clause->offset, clause->length);
    case CLAUSE_PUBLISH: return not_executed("PUBLISH", clause->offset, clause->length);
    }
    return NULL;
}

/* ---- several clauses planned as one ---- */

static bool plain_properties(const AstExpr *map)
{
    for (size_t i = 0; map != NULL && i < map->list.count; i++)
        if (ast_has_subquery(map->list.items[i])) return false;
    return true;
}

/* Nothing in it but nodes and relationships: no names of paths, no sub-queries, no shortest paths. */
static bool is_plain_match(const AstClause *clause, bool first)
{
    if (clause->kind != CLAUSE_MATCH || clause->optional || clause->time != AST_NOW ||
        (clause->where != NULL && ast_has_subquery(clause->where)))
        return false;
    for (size_t p = 0; p < clause->patterns.count; p++) {
        const AstPath *path = clause->patterns.items[p];
        if (path->variable.text.bytes > 0 || path->shortest != AST_ANY_PATH) return false;
        for (size_t i = 0; i < path->node_count; i++) {
            const AstNode *node = &path->nodes[i];
            bool nameless = node->properties != NULL && node->variable.text.bytes == 0;
            if (!plain_properties(node->properties) || (nameless && !first)) return false;
            if (i + 1 < path->node_count && !plain_properties(path->relationships[i].properties))
                return false;
        }
    }
    return true;
}

static bool names_relationship(const AstClause *clause, Str name)
{
    for (size_t p = 0; p < clause->patterns.count; p++)
        for (size_t i = 0; i + 1 < clause->patterns.items[p]->node_count; i++)
            if (str_equal(clause->patterns.items[p]->relationships[i].variable.text, name))
                return true;
    return false;
}

/* A relationship of one of the clauses before may stand in this one again: then it is bound. */
static bool repeats_relationship(const AstClauses *clauses, size_t from, size_t at)
{
    const AstPaths *paths = &clauses->items[at]->patterns;
    for (size_t p = 0; p < paths->count; p++)
        for (size_t i = 0; i + 1 < paths->items[p]->node_count; i++) {
            Str name = paths->items[p]->relationships[i].variable.text;
            for (size_t before = from; name.bytes > 0 && before < at; before++)
                if (names_relationship(clauses->items[before], name)) return true;
        }
    return false;
}

/* How many clauses from `from` on, a MATCH, can be walked in one order; and so planned. */
static size_t match_run(const Binder *binder, const AstClauses *clauses, size_t from)
{
    size_t to = from + 1;
    if (binder->environment->plain || binder->plan->moment_count > 1 ||
        !is_plain_match(clauses->items[from], true))
        return 1;
    while (to < clauses->count && is_plain_match(clauses->items[to], false) &&
           !repeats_relationship(clauses, from, to))
        to++;
    return to - from;
}

Error *plan_clauses(Binder *binder, const AstClauses *clauses, QueryResult *out)
{
    for (size_t i = 0; i < clauses->count; i++) {
        TRY(check_order(clauses, i, out->open_end));
        size_t run = clauses->items[i]->kind == CLAUSE_MATCH ? match_run(binder, clauses, i) : 1;
        for (size_t other = 1; other < run; other++)
            TRY(check_order(clauses, i + other, out->open_end));
        if (run == 1)
            TRY(plan_clause(binder, clauses, i, out));
        else
            TRY(plan_matches(binder, clauses, i, run));
        i += run - 1;
    }
    return NULL;
}

/* ---- UNION ---- */

static Error *check_union(const AstQuery *query, const QueryResult *first, const QueryResult *part,
                          size_t i)
{
    const AstClause *clause = query->parts[i].items[0];
    for (size_t j = 2; j < query->count; j++)
        if (query->all[j] != query->all[1])
            return fail_at(ERROR_INVALID_CLAUSE_COMPOSITION, query->parts[j].items[0]->offset,
                           query->parts[j].items[0]->length, "UNION and UNION ALL cannot be mixed");
    bool same = first->count == part->count;
    for (uint32_t c = 0; same && c < first->count; c++)
        same = str_equal(first->columns[c], part->columns[c]);
    if (same) return NULL;
    return error_hint(fail_at(ERROR_DIFFERENT_COLUMNS_IN_UNION, clause->offset, clause->length,
                              "the parts of UNION have different columns"),
                      "name them alike with AS");
}

Error *plan_query(Binder *binder, const AstQuery *query, QueryResult *out)
{
    *out = (QueryResult){.open_end = out->open_end, .imports = out->imports};
    if (query->count == 1) {
        if (out->imports && !imports(&query->parts[0])) binder->scope = (Scope){0};
        return plan_clauses(binder, &query->parts[0], out);
    }
    PlanNode *start = binder->chain;
    Scope scope = binder->scope;
    PlanNode **branches = arena_array(binder->arena, PlanNode *, query->count);
    uint32_t *branch_slots = NULL;
    for (size_t i = 0; i < query->count; i++) {
        QueryResult part = {.open_end = out->open_end, .imports = out->imports};
        binder->chain = start;
        binder->scope = scope;
        binder->scope = scope_copy(binder);
        if (start->kind == PLAN_UNIT) { /* each branch begins anew */
            binder->chain = NULL;
            binder->part_slot = binder->plan->slot_count;
            plan_node(binder, PLAN_UNIT, query->offset, query->length);
        }
        if (start->kind == PLAN_ARGUMENT && i > 0) { /* each over the same outer rows */
            binder->chain = NULL;
            plan_node(binder, PLAN_ARGUMENT, query->offset, query->length)->row_slot =
                start->row_slot;
        }
        if (out->imports && !imports(&query->parts[i])) binder->scope = (Scope){0};
        TRY(plan_clauses(binder, &query->parts[i], &part));
        if (i == 0)
            *out = part;
        else
            TRY(check_union(query, out, &part, i));
        if (branch_slots == NULL)
            branch_slots = arena_array(binder->arena, uint32_t, query->count * (part.count + 1));
        if (part.count > 0)
            memcpy(branch_slots + i * part.count, part.slots, part.count * sizeof *branch_slots);
        branches[i] = binder->chain;
    }
    binder->chain = NULL;
    binder->scope = scope;
    PlanNode *plan = plan_node(binder, PLAN_UNION, query->offset, query->length);
    plan->branches = branches;
    plan->branch_count = (uint32_t)query->count;
    plan->branch_slots = branch_slots;
    plan->slot_count = out->count;
    plan->slots = arena_array(binder->arena, uint32_t, out->count + 1);
    for (uint32_t c = 0; c < out->count; c++)
        plan->slots[c] = new_slot(binder, out->columns[c]);
    out->slots = plan->slots;
    if (query->all[1] || !out->gives_rows) return NULL;
    PlanNode *distinct = plan_node(binder, PLAN_DISTINCT, query->offset, query->length);
    distinct->slots = plan->slots;
    distinct->slot_count = plan->slot_count;
    return NULL;
}
