/*
 * conditions.c - what is said in short, made into what the planner knows: (n:A&!B|C) and (n WHERE
 * n.x > 1), [r WHERE r.x > 1], [*2..3] and ->{2,3}, CALL (n) { .. }.
 *
 * A label expression is a tree of AST_AND, AST_OR and AST_NOT over AST_LABELS of one name each. What is
 * an AND of plain names at its top becomes labels, which scans and estimates know; the rest is the
 * node's rule. WHERE inside a pattern is a part of the WHERE behind it.
 */
#include "config.h"

#include "parser/parser_internal.h"

static Error *place(const AstExpr *expr, ErrorCode code, const char *message)
{
    return error_at(error_new(code, "%s", message), expr->offset, expr->length);
}

static void refuse_with(Parse *parse, const AstExpr *expr, const char *message, const char *hint)
{
    if (parse->error == NULL)
        parse->error = error_hint(place(expr, ERROR_UNEXPECTED_SYNTAX, message), "%s", hint);
}

/* ---- label expressions ---- */

AstExpr *ast_label(Parse *parse, AstName name)
{
    AstExpr *expr = arena_new(parse->arena, AstExpr);
    expr->kind = AST_LABELS;
    expr->offset = name.offset, expr->length = name.length;
    expr->names = ast_names(parse, NULL, name);
    return expr;
}

/* Plain names of the AND at the top to `names`; what is left is given, or NULL. */
static AstExpr *take_names(Parse *parse, AstExpr *tree, AstNames *names)
{
    if (tree->kind == AST_LABELS) {
        *names = ast_names(parse, names, tree->names.items[0]);
        return NULL;
    }
    if (tree->kind != AST_AND) return tree;
    AstExpr *a = take_names(parse, tree->a, names), *b = take_names(parse, tree->b, names);
    return a == NULL ? b : b == NULL ? a : ast_binary(parse, AST_AND, a, b);
}

AstLabelling ast_labelling(Parse *parse, const AstLabelling *before, AstExpr *tree)
{
    AstLabelling all = before == NULL ? (AstLabelling){0} : *before;
    AstExpr *rule = take_names(parse, tree, &all.names);
    if (rule != NULL)
        all.rule = all.rule == NULL ? rule : ast_binary(parse, AST_AND, all.rule, rule);
    return all;
}

static AstExpr *said_of(Parse *parse, AstExpr *entity, const AstExpr *tree)
{
    AstExpr *expr = arena_new(parse->arena, AstExpr);
    *expr = *tree;
    expr->length += expr->offset - entity->offset;
    expr->offset = entity->offset;
    if (tree->kind == AST_LABELS) {
        expr->a = entity;
    } else {
        expr->a = said_of(parse, entity, tree->a);
        if (tree->b != NULL) expr->b = said_of(parse, entity, tree->b);
    }
    return expr;
}

AstExpr *ast_labelled(Parse *parse, AstExpr *entity, AstLabelling labels)
{
    AstExpr *plain = labels.names.count == 0 ? NULL : ast_labels(parse, entity, labels.names);
    AstExpr *rule = labels.rule == NULL ? NULL : said_of(parse, entity, labels.rule);
    if (plain == NULL || rule == NULL) return plain == NULL ? rule : plain;
    return ast_binary(parse, AST_AND, plain, rule);
}

/* ---- WHERE inside a pattern ---- */

static AstExpr *both(Parse *parse, AstExpr *a, AstExpr *b)
{
    return a == NULL ? b : b == NULL ? a : ast_binary(parse, AST_AND, a, b);
}

static AstExpr *conditions_of(Parse *parse, const AstPath *path, AstExpr *where)
{
    for (size_t i = 0; i < path->node_count; i++) {
        where = both(parse, where, path->nodes[i].where);
        if (i + 1 == path->node_count) break;
        const AstRelationship *hop = &path->relationships[i];
        if (hop->where != NULL && (hop->variable_length || path->shortest != AST_ANY_PATH))
            refuse_with(parse, hop->where, "WHERE cannot stand in a path of many hops",
                        "name its relationships: -[rs*]- .. WHERE all(r IN rs WHERE ..)");
        where = both(parse, where, hop->where);
    }
    return where;
}

AstExpr *ast_conditions(Parse *parse, const AstPaths *paths, AstExpr *where)
{
    for (size_t i = 0; i < paths->count; i++)
        where = conditions_of(parse, paths->items[i], where);
    return where;
}

void ast_refuse_conditions(Parse *parse, const AstPath *path, int rules)
{
    for (size_t i = 0; i < path->node_count; i++) {
        const AstNode *node = &path->nodes[i];
        const AstExpr *where = node->where;
        if (where == NULL && i + 1 < path->node_count) where = path->relationships[i].where;
        if (where != NULL)
            refuse_with(parse, where, "WHERE cannot stand in this pattern",
                        "it can in MATCH, EXISTS { .. } and COUNT { .. }");
        if (rules && node->rule != NULL)
            refuse_with(parse, node->rule, "what is made has labels, not one of several",
                        "name each: (:A:B), or (:A&B)");
    }
}

/* ---- how many hops ---- */

static int64_t bound_of(Parse *parse, const Token *token)
{
    int64_t number = 0;
    if (!integer_parse((Str){token->text, token->length}, &number)) {
        if (parse->error == NULL)
            parse->error = error_at(error_new(ERROR_INTEGER_OVERFLOW, "not a number of hops: %.*s",
                                              token_shown_bytes(*token), token->text),
                                    token->offset, token->length);
    }
    return number;
}

AstRelationship ast_range(Parse *parse, const Token *min, const Token *max, int dots)
{
    AstRelationship range = {.variable_length = true};
    range.has_min = min != NULL;
    range.has_max = max != NULL;
    (void)dots;
    if (min != NULL) range.min = bound_of(parse, min);
    if (max != NULL) range.max = bound_of(parse, max);
    return range;
}

AstRelationship ast_hops(Parse *parse, const Token *min, const Token *max)
{
    AstRelationship hops = ast_range(parse, min, max, 0);
    hops.has_min = true;
    return hops;
}

/* ---- what CALL (a, b) { .. } takes in ---- */

AstQuery *ast_scope(Parse *parse, Token token, AstItems items, AstQuery *query)
{
    if (items.count == 0 && !items.star) return query;
    for (size_t i = 0; i < query->count; i++) {
        AstTail no_tail = {.order = {0}};
        AstClauses *all = ast_clauses(
            parse, NULL, ast_project(parse, token, CLAUSE_WITH, 0, items, no_tail, NULL));
        for (size_t c = 0; c < query->parts[i].count; c++)
            all = ast_clauses(parse, all, query->parts[i].items[c]);
        query->parts[i] = *all;
    }
    return query;
}
