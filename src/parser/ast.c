/*
 * ast.c - the builders that grammar.y calls: one node each, nothing decided.
 *
 * Lists grow in the arena by doubling; a list value passed by the grammar is the head of the only
 * copy, so appending to it in place is safe. Places: a node spans from its first to its last token,
 * brackets included.
 */
#include "config.h"

#include "parser/parser_internal.h"
#include <math.h>

/* ---- lists ---- */

static void *grown(Arena *arena, const void *items, size_t count, size_t *capacity, size_t bytes)
{
    if (count < *capacity) return (void *)items;
    *capacity = count < 4 ? 4 : count * 2;
    char *larger = arena_alloc(arena, *capacity * bytes);
    if (count > 0) memcpy(larger, items, count * bytes);
    return larger;
}

#define APPEND(List, list, item)                                                                   \
    List result = (list) == NULL ? (List){0} : *(list);                                            \
    result.items =                                                                                 \
        grown(parse->arena, result.items, result.count, &result.capacity, sizeof *result.items);   \
    result.items[result.count++] = (item);                                                         \
    return result

AstNames ast_names(Parse *parse, const AstNames *list, AstName name)
{
    APPEND(AstNames, list, name);
}

AstExprs ast_exprs(Parse *parse, const AstExprs *list, AstExpr *expr)
{
    APPEND(AstExprs, list, expr);
}

AstItems ast_items(Parse *parse, const AstItems *list, AstItem item)
{
    APPEND(AstItems, list, item);
}

AstPaths ast_paths(Parse *parse, const AstPaths *list, AstPath *path)
{
    APPEND(AstPaths, list, path);
}

AstSets ast_sets(Parse *parse, const AstSets *list, AstSet set)
{
    APPEND(AstSets, list, set);
}

/* ---- names ---- */

static void refuse(Parse *parse, size_t offset, size_t length, const char *what)
{
    if (parse->error == NULL)
        parse->error = error_at(error_new(ERROR_UNEXPECTED_SYNTAX, "%s", what), offset, length);
}

/* Nothing between the parts, no quotes: what nearly every name is. */
static bool is_as_written(Str text)
{
    for (size_t i = 0; i < text.bytes; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (c <= ' ' || c == '`' || c == '/' || c == 0xc2) return false; /* 0xc2 0xa0 is a blank */
    }
    return true;
}

static size_t unquote(Str quoted, char *out)
{
    size_t bytes = 0;
    for (size_t i = 1; i + 1 < quoted.bytes; i++) {
        out[bytes++] = quoted.data[i];
        if (quoted.data[i] == '`') i++; /* written twice */
    }
    return bytes;
}

/* `quoted ``names```, and dotted names that may have quotes, blanks and comments between the parts:
 * those are lexed once more. */
static Str plain_name(Parse *parse, Token token)
{
    Str text = {token.text, token.length};
    if (is_as_written(text)) return text;
    char *out = arena_alloc(parse->arena, text.bytes);
    size_t bytes = 0, at = 0;
    for (Token part; (part = lexer_next(text, &at, false)).kind > 0;) {
        if (part.kind != TOKEN_QUOTED_NAME) {
            memcpy(out + bytes, part.text, part.length);
            bytes += part.length;
            continue;
        }
        bytes += unquote((Str){part.text, part.length}, out + bytes);
    }
    if (!utf8_valid((Str){out, bytes}))
        refuse(parse, token.offset, token.length, "the name is not UTF-8");
    return (Str){out, bytes};
}

AstName ast_name(Parse *parse, Token token)
{
    return (AstName){plain_name(parse, token), token.offset, token.length};
}

AstName ast_token_name(Token token)
{
    return (AstName){{token.text, token.length}, token.offset, token.length};
}

AstName ast_joined_name(Parse *parse, AstNames names)
{
    AstName first = names.items[0], last = names.items[names.count - 1];
    size_t bytes = names.count - 1, at = 0;
    for (size_t i = 0; i < names.count; i++)
        bytes += names.items[i].text.bytes;
    char *out = arena_alloc(parse->arena, bytes);
    for (size_t i = 0; i < names.count; i++) {
        Str part = names.items[i].text;
        if (i > 0) out[at++] = '.';
        memcpy(out + at, part.data, part.bytes);
        at += part.bytes;
    }
    return (AstName){{out, bytes}, first.offset, last.offset + last.length - first.offset};
}

AstName ast_topic_pattern(Parse *parse, Token token)
{
    if (token.length == 2) refuse(parse, token.offset, token.length, "a name is never empty");
    return (AstName){ast_string(parse, token)->text, token.offset, token.length};
}

/* ---- statements and clauses ---- */

AstQuery *ast_statement_query(Parse *parse, AstQuery *query, AstTime time, AstExpr *at)
{
    parse->statement->query = query;
    parse->statement->time = time;
    parse->statement->at = at;
    return query;
}

AstQuery *ast_query(Parse *parse, AstQuery *query, AstClauses *part, int all)
{
    if (query == NULL) query = arena_new(parse->arena, AstQuery);
    size_t capacity = query->capacity;
    query->all = grown(parse->arena, query->all, query->count, &capacity, sizeof *query->all);
    query->parts =
        grown(parse->arena, query->parts, query->count, &query->capacity, sizeof *query->parts);
    query->all[query->count] = all != 0;
    query->parts[query->count++] = *part;
    query->offset = query->parts[0].items[0]->offset;
    return query;
}

AstClauses *ast_clauses(Parse *parse, AstClauses *clauses, AstClause *clause)
{
    if (clauses == NULL) clauses = arena_new(parse->arena, AstClauses);
    clauses->items = grown(parse->arena, clauses->items, clauses->count, &clauses->capacity,
                           sizeof *clauses->items);
    clauses->items[clauses->count++] = clause;
    return clauses;
}

static AstClause *clause_new(Parse *parse, AstClauseKind kind, Token token)
{
    AstClause *clause = arena_new(parse->arena, AstClause);
    clause->kind = kind;
    clause->offset = token.offset;
    clause->length = token.length;
    return clause;
}

AstClause *ast_match(Parse *parse, Token token, int optional, AstMoment at, AstPaths patterns,
                     AstExpr *where)
{
    AstClause *clause = clause_new(parse, CLAUSE_MATCH, token);
    clause->optional = optional != 0;
    clause->time = at.time;
    clause->at = at.expr;
    clause->patterns = patterns;
    clause->where = ast_conditions(parse, &patterns, where);
    return clause;
}

AstClause *ast_unwind(Parse *parse, Token token, AstExpr *expr, AstName name)
{
    AstClause *clause = clause_new(parse, CLAUSE_UNWIND, token);
    clause->expr = expr;
    clause->name = name;
    return clause;
}

AstClause *ast_project(Parse *parse, Token token, AstClauseKind kind, int distinct, AstItems items,
                       AstTail tail, AstExpr *where)
{
    AstClause *clause = clause_new(parse, kind, token);
    clause->distinct = distinct != 0;
    clause->items = items;
    clause->order = tail.order;
    clause->skip = tail.skip;
    clause->limit = tail.limit;
    clause->where = where;
    return clause;
}

AstClause *ast_call(Parse *parse, Token token, AstNames names, const AstExprs *arguments,
                    AstYield yield)
{
    AstClause *clause = clause_new(parse, CLAUSE_CALL, token);
    clause->names = names;
    clause->has_arguments = arguments != NULL;
    if (arguments != NULL) clause->exprs = *arguments;
    clause->yield = yield.yield;
    clause->yield_none = yield.none;
    clause->yield_star = yield.star;
    clause->yields = yield.items;
    clause->where = yield.where;
    return clause;
}

AstClause *ast_call_query(Parse *parse, Token token, AstQuery *query, int in_transactions,
                          AstExpr *rows)
{
    AstClause *clause = clause_new(parse, CLAUSE_CALL_QUERY, token);
    clause->query = query;
    clause->in_transactions = in_transactions != 0;
    clause->limit = rows;
    return clause;
}

AstClause *ast_load(Parse *parse, Token token, AstExpr *expr, AstExpr *options, AstName name)
{
    AstClause *clause = clause_new(parse, CLAUSE_LOAD, token);
    clause->expr = expr;
    clause->options = options;
    clause->name = name;
    return clause;
}

AstClause *ast_load_csv(Parse *parse, Token token, int headers, AstExpr *expr, AstName name,
                        AstExpr *delimiter)
{
    AstClause *clause = ast_load(parse, token, expr, NULL, name);
    clause->csv = true;
    clause->headers = headers != 0;
    clause->delimiter = delimiter;
    return clause;
}

AstScore *ast_score(Parse *parse, Token token, int text, AstScoreTail target, AstExpr *query)
{
    AstScore *score = arena_new(parse->arena, AstScore);
    *score =
        (AstScore){text != 0, target.variable, target.property, query, token.offset, token.length};
    return score;
}

AstClause *ast_score_clause(Parse *parse, AstScore *score, AstExpr *options, AstScoreTail tail,
                            AstName name, AstExpr *where)
{
    AstClause *clause =
        clause_new(parse, CLAUSE_SCORE, (Token){.offset = score->offset, .length = score->length});
    clause->score = score;
    clause->options = options;
    clause->limit = tail.limit;
    clause->per = tail.variable;
    clause->name = name;
    clause->where = where;
    return clause;
}

AstClause *ast_strategy(Parse *parse, AstName name)
{
    AstClause *clause =
        clause_new(parse, CLAUSE_RANK, (Token){.offset = name.offset, .length = name.length});
    clause->name2 = name;
    return clause;
}

AstClause *ast_strategy_named(Parse *parse, AstClause *clause, Token name)
{
    clause->name2 = ast_name(parse, name);
    return clause;
}

AstClause *ast_leg(Parse *parse, AstClause *clause, AstLeg leg)
{
    if (clause == NULL) clause = arena_new(parse->arena, AstClause);
    clause->kind = CLAUSE_RANK;
    AstLegs *legs = &clause->legs;
    legs->items =
        grown(parse->arena, legs->items, legs->count, &legs->capacity, sizeof *legs->items);
    legs->items[legs->count++] = leg;
    return clause;
}

AstClause *ast_rank(Parse *parse, Token token, AstClause *clause, AstExpr *options,
                    AstScoreTail tail, AstName name, AstExpr *where)
{
    (void)parse;
    clause->offset = token.offset;
    clause->length = token.length;
    clause->options = options;
    clause->limit = tail.limit;
    clause->per = tail.variable;
    clause->name = name;
    clause->where = where;
    return clause;
}

AstClause *ast_search(Parse *parse, Token token, AstName variable, AstName index, AstExpr *expr,
                      AstExpr *where, AstExpr *limit, const AstName *score)
{
    AstClause *clause = clause_new(parse, CLAUSE_SEARCH, token);
    clause->per = variable;
    clause->name2 = index;
    clause->expr = expr;
    clause->where = where;
    clause->limit = limit;
    if (score != NULL) clause->name = *score;
    return clause;
}

AstClause *ast_create(Parse *parse, Token token, AstPaths patterns)
{
    AstClause *clause = clause_new(parse, CLAUSE_CREATE, token);
    clause->patterns = patterns;
    for (size_t i = 0; i < patterns.count; i++)
        ast_refuse_conditions(parse, patterns.items[i], 1);
    return clause;
}

AstClause *ast_merge(Parse *parse, Token token, AstPath *path, AstMergeActions actions)
{
    AstClause *clause = clause_new(parse, CLAUSE_MERGE, token);
    clause->patterns = ast_paths(parse, NULL, path);
    ast_refuse_conditions(parse, path, 1);
    clause->sets = actions.on_create;
    clause->match_sets = actions.on_match;
    return clause;
}

AstMergeActions ast_merge_action(Parse *parse, AstMergeActions actions, int on_create, AstSets sets)
{
    AstSets *into = on_create ? &actions.on_create : &actions.on_match;
    for (size_t i = 0; i < sets.count; i++)
        *into = ast_sets(parse, into, sets.items[i]);
    return actions;
}

AstClause *ast_set_clause(Parse *parse, Token token, AstClauseKind kind, AstSets sets)
{
    AstClause *clause = clause_new(parse, kind, token);
    clause->sets = sets;
    return clause;
}

AstClause *ast_delete(Parse *parse, Token token, int detach, AstExprs exprs)
{
    AstClause *clause = clause_new(parse, CLAUSE_DELETE, token);
    clause->detach = detach != 0;
    clause->exprs = exprs;
    return clause;
}

AstClause *ast_foreach(Parse *parse, Token token, AstName name, AstExpr *expr, AstClauses *clauses)
{
    AstClause *clause = clause_new(parse, CLAUSE_FOREACH, token);
    clause->name = name;
    clause->expr = expr;
    clause->clauses = clauses;
    return clause;
}

AstClause *ast_subscribe(Parse *parse, Token token, AstName topic, int pattern, AstExpr *from,
                         AstName name)
{
    AstClause *clause = clause_new(parse, CLAUSE_SUBSCRIBE, token);
    clause->name2 = topic;
    clause->topic_pattern = pattern != 0;
    clause->expr = from;
    clause->name = name;
    return clause;
}

AstClause *ast_publish(Parse *parse, Token token, AstExpr *expr, AstName topic, AstExpr *options)
{
    AstClause *clause = clause_new(parse, CLAUSE_PUBLISH, token);
    clause->expr = expr;
    clause->name2 = topic;
    clause->options = options;
    return clause;
}

/* ---- SET and REMOVE ---- */

static size_t end_of(const AstExpr *expr)
{
    return expr->offset + expr->length;
}

AstSet ast_set_equal(Parse *parse, AstExpr *target, AstExpr *value)
{
    if (target->kind != AST_PROPERTY && target->kind != AST_VARIABLE)
        refuse(parse, target->offset, target->length, "only a variable or a property can be set");
    AstSetKind kind = target->kind == AST_VARIABLE ? AST_SET_REPLACE : AST_SET_PROPERTY;
    return (AstSet){.kind = kind,
                    .target = target,
                    .value = value,
                    .offset = target->offset,
                    .length = end_of(value) - target->offset};
}

AstSet ast_set_add(Parse *parse, AstExpr *target, AstExpr *value)
{
    if (target->kind != AST_VARIABLE)
        refuse(parse, target->offset, target->length, "+= wants a variable before it");
    return (AstSet){.kind = AST_SET_ADD,
                    .target = target,
                    .value = value,
                    .offset = target->offset,
                    .length = end_of(value) - target->offset};
}

AstSet ast_set_labels(Parse *parse, AstExpr *target, AstNames labels, AstSetKind kind)
{
    (void)parse;
    return (AstSet){.kind = kind,
                    .target = target,
                    .labels = labels,
                    .offset = target->offset,
                    .length = target->length};
}

AstSet ast_remove_property(Parse *parse, AstExpr *target)
{
    if (target->kind != AST_PROPERTY)
        refuse(parse, target->offset, target->length, "REMOVE wants a property or labels");
    return (AstSet){.kind = AST_REMOVE_PROPERTY,
                    .target = target,
                    .offset = target->offset,
                    .length = target->length};
}

/* ---- patterns ---- */

AstPath *ast_path(Parse *parse, AstNode node)
{
    AstPath *path = arena_new(parse->arena, AstPath);
    path->capacity = 4;
    path->nodes = arena_array(parse->arena, AstNode, path->capacity);
    path->relationships = arena_array(parse->arena, AstRelationship, path->capacity);
    path->nodes[0] = node;
    path->node_count = 1;
    path->offset = node.offset;
    path->length = node.length;
    return path;
}

AstPath *ast_path_step(Parse *parse, AstPath *path, AstRelationship relationship, AstNode node)
{
    size_t capacity = path->capacity;
    path->nodes =
        grown(parse->arena, path->nodes, path->node_count, &capacity, sizeof *path->nodes);
    path->relationships = grown(parse->arena, path->relationships, path->node_count,
                                &path->capacity, sizeof *path->relationships);
    if (relationship.length == 0) { /* --: between the nodes */
        relationship.offset =
            path->nodes[path->node_count - 1].offset + path->nodes[path->node_count - 1].length;
        relationship.length = node.offset - relationship.offset;
    }
    path->relationships[path->node_count - 1] = relationship;
    path->nodes[path->node_count++] = node;
    path->length = node.offset + node.length - path->offset;
    return path;
}

AstPath *ast_path_named(Parse *parse, AstName name, AstPath *path)
{
    (void)parse;
    path->variable = name;
    return path;
}

AstPath *ast_path_shortest(Parse *parse, Token token, AstPath *path, Token end)
{
    bool one = str_equal_ignore_case((Str){token.text, token.length}, STR("shortestPath"));
    path->shortest = one ? AST_SHORTEST_ONE : AST_SHORTEST_ALL;
    path->offset = token.offset;
    path->length = end.offset + end.length - token.offset;
    if (path->node_count != 2)
        refuse(parse, path->offset, path->length,
               "a shortest path has exactly one relationship pattern");
    return path;
}

AstNode ast_node(Parse *parse, Token token, AstName variable, AstLabelling labels,
                 AstExpr *properties, AstExpr *where, Token end)
{
    (void)parse;
    return (AstNode){.variable = variable,
                     .labels = labels.names,
                     .rule = labels.rule,
                     .properties = properties,
                     .where = where,
                     .offset = token.offset,
                     .length = end.offset + end.length - token.offset};
}

AstRelationship ast_relationship(Parse *parse, int left, AstRelationship body, int right,
                                 AstRelationship hops)
{
    if (hops.variable_length && body.variable_length)
        refuse(parse, body.offset, body.length, "how many hops is said twice");
    if (hops.variable_length) {
        body.variable_length = true;
        body.has_min = hops.has_min, body.has_max = hops.has_max;
        body.min = hops.min, body.max = hops.max;
    }
    body.direction = left == right ? AST_BOTH : left ? AST_IN_DIRECTION : AST_OUT;
    return body;
}

AstRelationship ast_dash_body(Parse *parse, Token token, AstName variable, AstNames types,
                              AstRelationship range, AstExpr *properties, AstExpr *where, Token end)
{
    (void)parse;
    range.where = where;
    range.variable = variable;
    range.types = types;
    range.properties = properties;
    range.offset = token.offset;
    range.length = end.offset + end.length - token.offset;
    return range;
}

/* ---- expressions ---- */

static AstExpr *expr_at(Parse *parse, AstKind kind, size_t offset, size_t end)
{
    AstExpr *expr = arena_new(parse->arena, AstExpr);
    expr->kind = kind;
    expr->offset = offset;
    expr->length = end - offset;
    return expr;
}

static size_t token_end(Token token)
{
    return token.offset + token.length;
}

AstExpr *ast_binary(Parse *parse, AstKind kind, AstExpr *a, AstExpr *b)
{
    AstExpr *expr = expr_at(parse, kind, a->offset, end_of(b));
    expr->a = a;
    expr->b = b;
    return expr;
}

AstExpr *ast_unary(Parse *parse, AstKind kind, Token token, AstExpr *a)
{
    AstExpr *expr = expr_at(parse, kind, token.offset, end_of(a));
    expr->a = a;
    return expr;
}

/* -9223372036854775808 is legal though 9223372036854775808 is not: the sign is folded before the
 * range is checked. A literal too large by exactly that one is marked with flag. */
AstExpr *ast_negate(Parse *parse, Token token, AstExpr *a)
{
    bool literal = a->kind == AST_INTEGER && !a->parenthesized && (a->flag || a->integer > 0);
    if (!literal) return ast_unary(parse, AST_NEGATE, token, a);
    a->integer = a->flag ? INT64_MIN : -a->integer;
    a->flag = false;
    a->length = end_of(a) - token.offset;
    a->offset = token.offset;
    return a;
}

AstExpr *ast_compare(Parse *parse, AstExpr *a, int op, AstExpr *b)
{
    AstExpr *expr = a;
    if (a->kind != AST_COMPARE || a->parenthesized) {
        expr = expr_at(parse, AST_COMPARE, a->offset, end_of(a));
        expr->list = ast_exprs(parse, NULL, a);
    }
    size_t links = expr->list.count - 1, capacity = links;
    expr->ops = grown(parse->arena, expr->ops, links, &capacity, sizeof *expr->ops);
    expr->ops[links] = (AstCompare)op;
    expr->list = ast_exprs(parse, &expr->list, b);
    expr->length = end_of(b) - expr->offset;
    return expr;
}

AstExpr *ast_is_null(Parse *parse, AstKind kind, AstExpr *a, Token end)
{
    AstExpr *expr = expr_at(parse, kind, a->offset, token_end(end));
    expr->a = a;
    return expr;
}

AstExpr *ast_labels(Parse *parse, AstExpr *a, AstNames labels)
{
    AstName last = labels.items[labels.count - 1];
    AstExpr *expr = expr_at(parse, AST_LABELS, a->offset, last.offset + last.length);
    expr->a = a;
    expr->names = labels;
    return expr;
}

AstExpr *ast_property(Parse *parse, AstExpr *a, AstName key)
{
    AstExpr *expr = expr_at(parse, AST_PROPERTY, a->offset, key.offset + key.length);
    expr->a = a;
    expr->text = key.text;
    return expr;
}

AstExpr *ast_index(Parse *parse, AstExpr *a, AstExpr *index, Token end)
{
    AstExpr *expr = expr_at(parse, AST_INDEX, a->offset, token_end(end));
    expr->a = a;
    expr->b = index;
    return expr;
}

AstExpr *ast_slice(Parse *parse, AstExpr *a, AstExpr *from, AstExpr *to, Token end)
{
    AstExpr *expr = ast_index(parse, a, from, end);
    expr->kind = AST_SLICE;
    expr->c = to;
    return expr;
}

AstExpr *ast_variable(Parse *parse, AstName name)
{
    AstExpr *expr = expr_at(parse, AST_VARIABLE, name.offset, name.offset + name.length);
    expr->text = name.text;
    return expr;
}

static bool radix_integer(Str digits, unsigned shift, uint64_t *out)
{
    uint64_t number = 0;
    for (size_t i = 0; i < digits.bytes; i++) {
        char c = digits.data[i];
        unsigned digit = (unsigned)(c <= '9' ? c - '0' : (c | 32) - 'a' + 10);
        if (number >> (64 - shift) != 0) return false;
        number = number << shift | digit;
    }
    *out = number;
    return number <= (uint64_t)INT64_MAX + 1;
}

static bool decimal_integer(Str digits, uint64_t *out)
{
    uint64_t number = 0;
    for (size_t i = 0; i < digits.bytes; i++) {
        unsigned digit = (unsigned)(digits.data[i] - '0');
        if (number > ((uint64_t)INT64_MAX + 1 - digit) / 10) return false;
        number = number * 10 + digit;
    }
    *out = number;
    return true;
}

AstExpr *ast_integer(Parse *parse, Token token)
{
    AstExpr *expr = expr_at(parse, AST_INTEGER, token.offset, token_end(token));
    Str text = {token.text, token.length};
    bool radix = text.bytes > 2 && (text.data[1] | 32) > '9';
    Str digits = radix ? (Str){text.data + 2, text.bytes - 2} : text;
    uint64_t number = 0;
    bool good = !radix ? decimal_integer(digits, &number)
                       : radix_integer(digits, (text.data[1] | 32) == 'x' ? 4 : 3, &number);
    if (!good && parse->error == NULL)
        parse->error =
            error_at(error_hint(error_new(ERROR_INTEGER_OVERFLOW, "an integer beyond 64 bits: %.*s",
                                          token_shown_bytes(token), token.text),
                                "write it with a decimal point to get a float"),
                     token.offset, token.length);
    expr->flag = number == (uint64_t)INT64_MAX + 1;
    expr->integer = expr->flag ? INT64_MAX : (int64_t)number;
    expr->text = text;
    return expr;
}

AstExpr *ast_float(Parse *parse, Token token)
{
    AstExpr *expr = expr_at(parse, AST_FLOAT, token.offset, token_end(token));
    Str text = {token.text, token.length};
    bool good = float_parse(text, &expr->number) && isfinite(expr->number);
    if (!good && parse->error == NULL)
        parse->error = error_at(error_new(ERROR_FLOATING_POINT_OVERFLOW,
                                          "a number beyond the range of a float: %.*s",
                                          token_shown_bytes(token), token.text),
                                token.offset, token.length);
    return expr;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    return (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
}

/* \uXXXX, \UXXXXXXXX: false if the digits are not there. */
static bool unicode_escape(Str text, size_t *at, size_t digits, char *out, size_t *bytes)
{
    uint32_t point = 0;
    for (size_t i = 0; i < digits; i++, (*at)++) {
        int digit = *at < text.bytes ? hex_digit(text.data[*at]) : -1;
        if (digit < 0) return false;
        point = point << 4 | (uint32_t)digit;
    }
    bool surrogate = point >= 0xd800 && point < 0xe000;
    bool pair = point < 0xdc00 && surrogate && digits == 4 && *at + 6 <= text.bytes &&
                text.data[*at] == '\\' && text.data[*at + 1] == 'u';
    if (pair) {
        uint32_t low = 0;
        for (size_t i = 0; i < 4; i++) {
            int digit = hex_digit(text.data[*at + 2 + i]);
            if (digit < 0) return false;
            low = low << 4 | (uint32_t)digit;
        }
        if (low < 0xdc00 || low > 0xdfff) return false;
        *at += 6;
        point = 0x10000 + ((point - 0xd800) << 10) + (low - 0xdc00);
    } else if (surrogate || point > 0x10ffff) {
        return false;
    }
    *bytes += utf8_put(out + *bytes, point);
    return true;
}

AstExpr *ast_string(Parse *parse, Token token)
{
    static const char from[] = "\\'\"bfnrt", to[] = "\\'\"\b\f\n\r\t";
    AstExpr *expr = expr_at(parse, AST_STRING, token.offset, token_end(token));
    Str text = {token.text + 1, token.length - 2};
    expr->text = text;
    if (!utf8_valid(text)) refuse(parse, token.offset, token.length, "the text is not UTF-8");
    if (text.bytes == 0 || memchr(text.data, '\\', text.bytes) == NULL) return expr;
    char *out = arena_alloc(parse->arena, text.bytes + 4);
    size_t bytes = 0, at = 0;
    while (at < text.bytes) {
        char c = text.data[at++];
        if (c != '\\') {
            out[bytes++] = c;
            continue;
        }
        c = at < text.bytes ? text.data[at++] : '\0';
        const char *known = c == '\0' ? NULL : strchr(from, c);
        if (known != NULL) {
            out[bytes++] = to[known - from];
        } else if ((c != 'u' && c != 'U') ||
                   !unicode_escape(text, &at, c == 'u' ? 4 : 8, out, &bytes)) {
            ErrorCode code =
                c == 'u' || c == 'U' ? ERROR_INVALID_UNICODE_LITERAL : ERROR_UNEXPECTED_SYNTAX;
            if (parse->error == NULL)
                parse->error = error_at(error_hint(error_new(code, "a bad escape in a text"),
                                                   "a backslash itself is written \\\\"),
                                        token.offset, token.length);
            return expr;
        }
    }
    expr->text = (Str){out, bytes};
    return expr;
}

AstExpr *ast_word(Parse *parse, AstKind kind, Token token, int flag)
{
    AstExpr *expr = expr_at(parse, kind, token.offset, token_end(token));
    expr->flag = flag != 0;
    return expr;
}

AstExpr *ast_parentheses(Parse *parse, Token token, AstExpr *a, Token end)
{
    (void)parse;
    a->parenthesized = true;
    a->offset = token.offset;
    a->length = token_end(end) - token.offset;
    return a;
}

AstExpr *ast_pattern(Parse *parse, AstPath *path)
{
    AstExpr *expr = expr_at(parse, AST_PATTERN, path->offset, path->offset + path->length);
    ast_refuse_conditions(parse, path, 0);
    expr->pattern = path;
    return expr;
}

AstExpr *ast_shortest(Parse *parse, Token token, AstPath *path, Token end)
{
    AstExpr *expr = ast_pattern(parse, ast_path_shortest(parse, token, path, end));
    expr->kind = AST_SHORTEST;
    return expr;
}

AstExpr *ast_list(Parse *parse, Token token, const AstExprs *list, Token end)
{
    AstExpr *expr = expr_at(parse, AST_LIST, token.offset, token_end(end));
    if (list != NULL) expr->list = *list;
    return expr;
}

AstExpr *ast_comprehension(Parse *parse, Token token, AstName name, AstExpr *list, AstExpr *where,
                           AstExpr *project, Token end)
{
    AstExpr *expr = expr_at(parse, AST_COMPREHENSION, token.offset, token_end(end));
    expr->text = name.text;
    expr->a = list;
    expr->b = where;
    expr->c = project;
    return expr;
}

AstExpr *ast_pattern_comprehension(Parse *parse, Token token, AstPath *path, AstExpr *where,
                                   AstExpr *project, Token end)
{
    AstExpr *expr = expr_at(parse, AST_PATTERN_COMPREHENSION, token.offset, token_end(end));
    AstPaths one = ast_paths(parse, NULL, path);
    expr->pattern = path;
    expr->b = ast_conditions(parse, &one, where);
    expr->c = project;
    return expr;
}

AstExpr *ast_call_function(Parse *parse, Token token, int distinct, const AstExprs *list, Token end)
{
    AstExpr *expr = expr_at(parse, AST_CALL, token.offset, token_end(end));
    expr->text = plain_name(parse, token);
    expr->flag = distinct != 0;
    if (list != NULL) expr->list = *list;
    return expr;
}

AstExpr *ast_quantifier(Parse *parse, Token token, AstName name, AstExpr *list, AstExpr *where,
                        Token end)
{
    AstExpr *expr = expr_at(parse, AST_QUANTIFIER, token.offset, token_end(end));
    char first = (char)(token.text[0] | 32), second = (char)(token.text[1] | 32);
    expr->integer = first == 'n'    ? AST_NONE
                    : first == 's'  ? AST_SINGLE
                    : second == 'n' ? AST_ANY
                                    : AST_ALL;
    expr->text = name.text;
    expr->a = list;
    expr->b = where;
    return expr;
}

AstExpr *ast_reduce(Parse *parse, Token token, AstName sum, AstExpr *start, AstName name,
                    AstExpr *list, AstExpr *step, Token end)
{
    AstExpr *expr = expr_at(parse, AST_REDUCE, token.offset, token_end(end));
    expr->text = sum.text;
    expr->text2 = name.text;
    expr->a = start;
    expr->b = list;
    expr->c = step;
    return expr;
}

AstExpr *ast_case(Parse *parse, Token token, AstExpr *operand, AstExprs whens, AstExpr *otherwise,
                  Token end)
{
    AstExpr *expr = expr_at(parse, AST_CASE, token.offset, token_end(end));
    expr->a = operand;
    expr->list = whens;
    expr->b = otherwise;
    return expr;
}

AstExpr *ast_subquery(Parse *parse, AstKind kind, Token token, AstExpr *sub, Token end)
{
    (void)parse;
    sub->kind = kind;
    sub->offset = token.offset;
    sub->length = token_end(end) - token.offset;
    return sub;
}

AstExpr *ast_sub_patterns(Parse *parse, AstPaths patterns, AstExpr *where)
{
    AstExpr *expr = expr_at(parse, AST_EXISTS, 0, 0);
    expr->patterns = patterns;
    expr->b = ast_conditions(parse, &patterns, where);
    return expr;
}

AstExpr *ast_sub_query(Parse *parse, AstQuery *query)
{
    AstExpr *expr = expr_at(parse, AST_EXISTS, 0, 0);
    expr->query = query;
    return expr;
}

AstExpr *ast_entry(Parse *parse, AstExpr *map, AstName name, AstExpr *value)
{
    if (map == NULL) map = expr_at(parse, AST_MAP, name.offset, name.offset);
    map->names = ast_names(parse, &map->names, name);
    map->list = ast_exprs(parse, &map->list, value);
    return map;
}

AstExpr *ast_map(Parse *parse, Token token, AstExpr *entries, Token end)
{
    AstExpr *map = entries == NULL ? expr_at(parse, AST_MAP, 0, 0) : entries;
    map->offset = token.offset;
    map->length = token_end(end) - token.offset;
    return map;
}

AstExpr *ast_map_projection(Parse *parse, AstName name, AstExpr *entries, Token end)
{
    AstExpr *map = entries == NULL ? expr_at(parse, AST_MAP, 0, 0) : entries;
    map->kind = AST_MAP_PROJECTION;
    map->a = ast_variable(parse, name);
    map->offset = name.offset;
    map->length = token_end(end) - name.offset;
    return map;
}

AstExpr *ast_parameter(Parse *parse, Token token, AstName name)
{
    AstExpr *expr = expr_at(parse, AST_PARAMETER, token.offset, name.offset + name.length);
    expr->text = name.text;
    return expr;
}

/* ---- commands ---- */

void ast_create_index(Parse *parse, int kind, AstName name, int tolerant, int on_relationship,
                      AstName label, AstNames properties, AstExpr *options)
{
    AstStatement *statement = parse->statement;
    statement->kind = COMMAND_CREATE_INDEX;
    statement->index_kind = (AstIndexKind)kind;
    statement->name = name;
    statement->tolerant = tolerant != 0;
    statement->on_relationship = on_relationship != 0;
    statement->label = label;
    statement->properties = properties;
    statement->options = options;
}

void ast_create_constraint(Parse *parse, AstName name, int tolerant, AstName label,
                           AstNames properties, int not_null)
{
    ast_create_index(parse, AST_INDEX_PROPERTY, name, tolerant, 0, label, properties, NULL);
    parse->statement->kind = COMMAND_CREATE_CONSTRAINT;
    parse->statement->not_null = not_null != 0;
}

void ast_command(Parse *parse, AstCommandKind kind, AstName name, int tolerant)
{
    parse->statement->kind = kind;
    parse->statement->name = name;
    parse->statement->tolerant = tolerant != 0;
}

void ast_create_topic(Parse *parse, AstName name, int tolerant, AstExpr *options)
{
    ast_command(parse, COMMAND_CREATE_TOPIC, name, tolerant);
    parse->statement->options = options;
}

void ast_copy_from(Parse *parse, AstCommandKind kind, AstName label, AstExpr *file,
                   AstExpr *options)
{
    parse->statement->kind = kind;
    parse->statement->label = label;
    parse->statement->expr = file;
    parse->statement->options = options;
}

void ast_copy_to(Parse *parse, AstQuery *query, AstExpr *file, AstExpr *options)
{
    parse->statement->kind = COMMAND_COPY_TO;
    parse->statement->query = query;
    parse->statement->expr = file;
    parse->statement->options = options;
}
