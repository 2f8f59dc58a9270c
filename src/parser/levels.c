/*
 * levels.c - no tree deeper than QUERY_LEVELS_MAX leaves the parser.
 *
 * Planner, expressions and operators walk by recursion what the parser gives them, so its depth has
 * to be bounded here or a text could end the process: `1 + 1 + 1 + ..` is one bracket deep and
 * 20,000 nodes deep. Brackets alone are bounded earlier, by the lexer (QUERY_DEPTH_MAX), and the
 * right-nested forms (NOT NOT .., CASE in CASE) by the parser's stack (parser.c); what is left are
 * the left-nested ones, and everything together.
 *
 * A level is what becomes one step of somebody's recursion: an operator within an operator, a link
 * of a comparison chain, a label or property of a pattern (they become a chain of ANDs), a hop of a
 * path, a clause behind a clause and a part of a UNION (operators on top of one another). Wide is
 * not deep: a list, a map, the arguments of a function, the branches of CASE, the items of SET and
 * the patterns of CREATE are siblings.
 *
 * The walk itself recurses once a level and stops at the limit, so it is bounded by what it checks.
 * A new kind of node needs nothing here if it keeps its children in the fields of AstExpr and
 * AstClause that are walked below.
 */
#include "config.h"

#include "parser/parser_internal.h"

static Error *check_query(const AstQuery *query, size_t level);

Error *levels_exceeded(size_t offset, size_t length)
{
    return error_at(
        error_new(ERROR_TOO_DEEP, "more than %d levels within one another", QUERY_LEVELS_MAX),
        offset, length);
}

static Error *check_expr(const AstExpr *expr, size_t level);

static Error *check_exprs(const AstExprs *exprs, size_t level)
{
    for (size_t i = 0; i < exprs->count; i++)
        TRY(check_expr(exprs->items[i], level));
    return NULL;
}

/* A property that is looked for is a condition of its own: one more AND each. */
static Error *check_properties(const AstExpr *map, size_t *level, bool found)
{
    if (map == NULL) return NULL;
    TRY(check_expr(map, *level));
    if (found) *level += map->list.count;
    return *level > QUERY_LEVELS_MAX ? levels_exceeded(map->offset, map->length) : NULL;
}

/* `found`: matched or merged, so that labels and properties are conditions and the next path stands
 * on this one; what is created stands side by side, only the hops of one path are a chain. */
static Error *check_path(const AstPath *path, size_t *level, bool found)
{
    size_t deepest = *level;
    for (size_t i = 0; i < path->node_count; i++) {
        const AstNode *node = &path->nodes[i];
        size_t here = ++deepest + (found ? node->labels.count : 0);
        if (here > QUERY_LEVELS_MAX) return levels_exceeded(node->offset, node->length);
        TRY(check_expr(node->rule, here));
        TRY(check_properties(node->properties, &here, found));
        if (i + 1 < path->node_count)
            TRY(check_properties(path->relationships[i].properties, &here, found));
        if (found) deepest = here;
    }
    if (found) *level = deepest;
    return NULL;
}

static Error *check_paths(const AstPaths *paths, size_t *level, bool found)
{
    for (size_t i = 0; i < paths->count; i++)
        TRY(check_path(paths->items[i], level, found));
    return NULL;
}

static Error *check_expr(const AstExpr *expr, size_t level)
{
    if (expr == NULL) return NULL;
    level += expr->kind == AST_COMPARE ? expr->list.count - 1 : 1;
    if (expr->kind == AST_LABELS) level += expr->names.count;
    if (level > QUERY_LEVELS_MAX) return levels_exceeded(expr->offset, expr->length);
    TRY(check_expr(expr->a, level));
    TRY(check_expr(expr->b, level));
    TRY(check_expr(expr->c, level));
    TRY(check_exprs(&expr->list, level));
    size_t inner = level;
    if (expr->pattern != NULL) TRY(check_path(expr->pattern, &inner, true));
    TRY(check_paths(&expr->patterns, &inner, true));
    return check_query(expr->query, level);
}

static Error *check_items(const AstItems *items, size_t level)
{
    for (size_t i = 0; i < items->count; i++)
        TRY(check_expr(items->items[i].expr, level));
    return NULL;
}

static Error *check_sets(const AstSets *sets, size_t level)
{
    for (size_t i = 0; i < sets->count; i++) {
        TRY(check_expr(sets->items[i].target, level));
        TRY(check_expr(sets->items[i].value, level));
    }
    return NULL;
}

static Error *check_clauses(const AstClauses *clauses, size_t level);

static Error *check_clause_lists(const AstClause *clause, size_t level)
{
    TRY(check_items(&clause->items, level));
    TRY(check_items(&clause->order, level));
    TRY(check_exprs(&clause->exprs, level));
    TRY(check_sets(&clause->sets, level));
    TRY(check_sets(&clause->match_sets, level));
    if (clause->score != NULL) TRY(check_expr(clause->score->query, level));
    for (size_t i = 0; i < clause->legs.count; i++) {
        const AstLeg *leg = &clause->legs.items[i];
        TRY(check_expr(leg->score != NULL ? leg->score->query : leg->expr, level));
    }
    TRY(check_query(clause->query, level));
    return clause->clauses == NULL ? NULL : check_clauses(clause->clauses, level);
}

/* *level: the operators below this clause; raised by what it puts on top of them. */
static Error *check_clause(const AstClause *clause, size_t *level)
{
    if (++*level > QUERY_LEVELS_MAX) return levels_exceeded(clause->offset, clause->length);
    size_t base = *level;
    TRY(check_paths(&clause->patterns, level,
                    clause->kind == CLAUSE_MATCH || clause->kind == CLAUSE_MERGE));
    const AstExpr *exprs[] = {clause->at,    clause->where,   clause->expr,     clause->skip,
                              clause->limit, clause->options, clause->delimiter};
    for (size_t i = 0; i < sizeof exprs / sizeof *exprs; i++)
        TRY(check_expr(exprs[i], base));
    return check_clause_lists(clause, base);
}

static Error *check_clauses(const AstClauses *clauses, size_t level)
{
    for (size_t i = 0; i < clauses->count; i++)
        TRY(check_clause(clauses->items[i], &level));
    return NULL;
}

static Error *check_query(const AstQuery *query, size_t level)
{
    if (query == NULL) return NULL;
    for (size_t i = 0; i < query->count; i++)
        TRY(check_clauses(&query->parts[i], level + i));
    return NULL;
}

Error *levels_check(const AstStatement *statement)
{
    TRY(check_expr(statement->at, 0));
    TRY(check_expr(statement->expr, 0));
    TRY(check_expr(statement->options, 0));
    return check_query(statement->query, 0);
}
