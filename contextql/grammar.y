/*
 * grammar.y - the grammar of ContextQL, read by people and by Lemon.
 *
 * openCypher 9 and the extensions. A rule has a one-line action that calls one builder of src/parser/ast.c; nothing is
 * decided here. It is LALR(1) without conflicts because the lexer's pre-pass has marked the tokens that would need more
 * than one token of sight: PATTERN_PAREN (a bracket that opens a path), COMPREHENSION_BRACKET, PATTERN_BRACKET, COUNT_STAR,
 * FUNCTION (a name with its bracket behind), QUANTIFIER, SHORTEST.
 *
 * Built with `lemon -c` (no default reductions): with them a %fallback keyword is taken as a name before the reduction that
 * would have left it a keyword. The stack grows (%stack_size 0); its bound is QUERY_DEPTH_MAX, held by the lexer.
 */
%name          grammar
%token_prefix  TOKEN_
%token_type    {Token}
%extra_argument {Parse *parse}
%stack_size    0
%include {
#include "config.h"

#include "parser/parser_internal.h"
#include <assert.h>
#define realloc mem_realloc
#define malloc mem_alloc
#define free mem_free
#pragma GCC diagnostic ignored "-Wunused-parameter"
#pragma GCC diagnostic ignored "-Wunused-variable"
#pragma GCC diagnostic ignored "-Wmissing-prototypes"
#pragma GCC diagnostic ignored "-Wshadow"
}
%token COUNT_STAR FUNCTION QUANTIFIER PATTERN_PAREN COMPREHENSION_BRACKET PATTERN_BRACKET SHORTEST.
%syntax_error  { parse_refused(parse, yypParser); }
%code {
/*
 * Would terminal `t` be shifted in the parser's present state? Walks a copy of the state stack, so that the answer is exact;
 * the action row of the top state alone is not (LALR merges states). Fallbacks are left out on purpose: only what the rules
 * name is expected, else every keyword would appear wherever a name may stand.
 */
enum { VIABLE_STATES_MAX = GRAMMAR_STATES_MAX + 64 };
static int grammar_viable(yyParser *p, int t)
{
    int states[VIABLE_STATES_MAX], n = 0;
    for (yyStackEntry *e = p->yystack; e <= p->yytos && n < VIABLE_STATES_MAX - 8; e++)
        states[n++] = e->stateno;
    for (int guard = 0; guard < VIABLE_STATES_MAX; guard++) {
        int action, rule, go, top = states[n - 1];
        if (top > YY_MAX_SHIFT) { /* a shift-reduce that has not been reduced yet */
            rule = top - YY_MIN_REDUCE;
        } else {
            int i = yy_shift_ofst[top] + t;
            action = i >= 0 && i < (int)YY_NLOOKAHEAD && yy_lookahead[i] == t ? yy_action[i] : yy_default[top];
            if (action == YY_ACCEPT_ACTION) return 1;
            if (action < YY_MIN_REDUCE) return action <= YY_MAX_SHIFTREDUCE;
            rule = action - YY_MIN_REDUCE;
        }
        n += yyRuleInfoNRhs[rule]; /* the negative length of the right side */
        go = yy_find_reduce_action(states[n - 1], yyRuleInfoLhs[rule]);
        if (go == YY_ACCEPT_ACTION) return 1;
        if (go >= YY_MIN_SHIFTREDUCE && go <= YY_MAX_SHIFTREDUCE) go += YY_MIN_REDUCE - YY_MIN_SHIFTREDUCE;
        if (n >= VIABLE_STATES_MAX - 8) return 0;
        states[n++] = go;
    }
    return 0;
}
size_t grammar_depth(const void *parser)
{
    const yyParser *p = parser;
    return (size_t)(p->yytos - p->yystack);
}
size_t grammar_expected(void *parser, int *out)
{
    size_t count = 0;
    for (int t = 0; t < YYNTOKEN; t++)
        if (grammar_viable(parser, t)) out[count++] = t;
    return count;
}
}
%fallback NAME ALL ANY ASC ASCENDING AT BEGIN BY CALL CASE COLLECT COMMIT CONSTRAINT CONTAINS COPY COUNT CREATE CSV DELETE DESC
    DESCENDING DETACH DISTINCT DROP ELSE END ENDS EXISTS EXPLAIN FIELDTERMINATOR FOR FOREACH FROM HEADERS IF INDEX IS LIMIT
    LOAD MATCHES MERGE NONE OF OFFSET ON OPTIONAL OPTIONS ORDER PER PROFILE PUBLISH RANK REDUCE REMOVE REQUIRE ROLLBACK ROWS SCORE
    SEARCH SET SHOW SIMILAR SINGLE SKIP SNAPSHOT STARTS SUBSCRIBE TEXT THEN TIMESTAMP TO TOPIC TRANSACTIONS UNION UNIQUE UNWIND
    USING VECTOR WHEN YIELD.
%token_class word NAME|QUOTED_NAME.
%left UNION.
%left OR.
%left XOR.
%left AND.
%right NOT.
%nonassoc COMPARISON.
%left EQ NE LT GT LE GE.
%left IN CONTAINS STARTS ENDS IS REGEX.
%left PLUS MINUS.
%left STAR SLASH PERCENT.
%left CARET.
%right UMINUS.
%left DOT LBRACKET COLON.

%type name {AstName}
%type any_name {AstName}
%type name_opt {AstName}
%type as_opt {AstName}
%type topic {AstName}
%type label {AstName}
%type query {AstQuery *}
%type aquery {AstQuery *}
%type single {AstClauses *}
%type clauses {AstClauses *}
%type clause {AstClause *}
%type score {AstScore *}
%type vector_score {AstScore *}
%type text_score {AstScore *}
%type strategy {AstClause *}
%type legs {AstClause *}
%type leg {AstLeg}
%type score_limit {AstScoreTail}
%type target {AstScoreTail}
%type at_opt {AstMoment}
%type patterns {AstPaths}
%type path {AstPath *}
%type chain {AstPath *}
%type node {AstNode}
%type relationship {AstRelationship}
%type dash_body {AstRelationship}
%type range_opt {AstRelationship}
%type hops_opt {AstRelationship}
%type left_arrow {int}
%type right_arrow {int}
%type distinct_opt {int}
%type all_opt {int}
%type direction {int}
%type compare_op {int}
%type if_not_opt {int}
%type if_opt {int}
%type index_kind {int}
%type headers_opt {int}
%type items {AstItems}
%type scope_opt {AstItems}
%type scope {AstItems}
%type item_list {AstItems}
%type item {AstItem}
%type tail {AstTail}
%type sorts {AstItems}
%type sort {AstItem}
%type order_opt {AstItems}
%type sets {AstSets}
%type set {AstSet}
%type removes {AstSets}
%type remove {AstSet}
%type merge_actions {AstMergeActions}
%type yield_opt {AstYield}
%type yields {AstItems}
%type yield {AstItem}
%type dotted {AstNames}
%type labelling_opt {AstLabelling}
%type labelling {AstLabelling}
%type label_or {AstExpr *}
%type label_and {AstExpr *}
%type label_not {AstExpr *}
%type labels {AstNames}
%type types_opt {AstNames}
%type types {AstNames}
%type index_properties {AstNames}
%type index_property_list {AstNames}
%type index_property {AstName}
%type exprs {AstExprs}
%type expr {AstExpr *}
%type where_opt {AstExpr *}
%type using_opt {AstExpr *}
%type options_opt {AstExpr *}
%type skip_opt {AstExpr *}
%type limit_opt {AstExpr *}
%type properties_opt {AstExpr *}
%type compare {AstExpr *}
%type predicate {AstExpr *}
%type sum {AstExpr *}
%type product {AstExpr *}
%type power {AstExpr *}
%type unary {AstExpr *}
%type labelled {AstExpr *}
%type postfix {AstExpr *}
%type expr_opt {AstExpr *}
%type primary {AstExpr *}
%type pattern_expr {AstPath *}
%type sub {AstExpr *}
%type projection_opt {AstExpr *}
%type whens {AstExprs}
%type else_opt {AstExpr *}
%type map {AstExpr *}
%type entries {AstExpr *}
%type projections {AstExpr *}
%type parameter {AstExpr *}
%type subscribe_from {AstExpr *}
%type terminator_opt {AstExpr *}
%type batch_opt {AstExpr *}

start ::= statement.
start ::= statement SEMICOLON.
statement ::= aquery.
statement ::= EXPLAIN aquery.                             { parse->statement->explain = true; }
statement ::= PROFILE aquery.                             { parse->statement->profile = true; }
statement ::= command.
aquery(Q) ::= query(A).                                   { Q = ast_statement_query(parse, A, AST_NOW, NULL); }
aquery(Q) ::= AT SNAPSHOT primary(E) query(A).            { Q = ast_statement_query(parse, A, AST_AT_SNAPSHOT, E); }
aquery(Q) ::= AT TIMESTAMP primary(E) query(A).           { Q = ast_statement_query(parse, A, AST_AT_TIMESTAMP, E); }
query(Q) ::= single(S).                                   { Q = ast_query(parse, NULL, S, 0); }
query(Q) ::= query(A) UNION all_opt(L) single(S).         { Q = ast_query(parse, A, S, L); }
all_opt(L) ::= .                                          { L = 0; }
all_opt(L) ::= ALL.                                       { L = 1; }
single(S) ::= clauses(C).                                 { S = C; }
clauses(L) ::= clause(C).                                 { L = ast_clauses(parse, NULL, C); }
clauses(L) ::= clauses(A) clause(C).                      { L = ast_clauses(parse, A, C); }

/* reading */
clause(C) ::= MATCH(T) at_opt(A) patterns(P) where_opt(W).          { C = ast_match(parse, T, 0, A, P, W); }
clause(C) ::= OPTIONAL(T) MATCH at_opt(A) patterns(P) where_opt(W). { C = ast_match(parse, T, 1, A, P, W); }
clause(C) ::= UNWIND(T) expr(E) AS name(N).                         { C = ast_unwind(parse, T, E, N); }
clause(C) ::= WITH(T) distinct_opt(D) items(I) tail(L) where_opt(W). { C = ast_project(parse, T, CLAUSE_WITH, D, I, L, W); }
clause(C) ::= RETURN(T) distinct_opt(D) items(I) tail(L).           { C = ast_project(parse, T, CLAUSE_RETURN, D, I, L, NULL); }
clause(C) ::= CALL(T) dotted(N) yield_opt(Y).                       { C = ast_call(parse, T, N, NULL, Y); }
clause(C) ::= CALL(T) dotted(N) LPAREN RPAREN yield_opt(Y).         { C = ast_call(parse, T, N, &(AstExprs){0}, Y); }
clause(C) ::= CALL(T) dotted(N) LPAREN exprs(E) RPAREN yield_opt(Y). { C = ast_call(parse, T, N, &E, Y); }
clause(C) ::= CALL(T) scope_opt(S) LBRACE query(Q) RBRACE.          { C = ast_call_query(parse, T, ast_scope(parse, T, S, Q), 0, NULL); }
clause(C) ::= CALL(T) scope_opt(S) LBRACE query(Q) RBRACE IN TRANSACTIONS batch_opt(B). { C = ast_call_query(parse, T, ast_scope(parse, T, S, Q), 1, B); }
scope_opt(L) ::= .                                        { L = (AstItems){0}; }
scope_opt(L) ::= LPAREN RPAREN.                           { L = (AstItems){0}; }
scope_opt(L) ::= LPAREN STAR RPAREN.                      { L = (AstItems){.star = true}; }
scope_opt(L) ::= LPAREN scope(A) RPAREN.                  { L = A; }
scope(L) ::= name(N).                                     { L = ast_items(parse, NULL, (AstItem){.expr = ast_variable(parse, N)}); }
scope(L) ::= scope(A) COMMA name(N).                      { L = ast_items(parse, &A, (AstItem){.expr = ast_variable(parse, N)}); }
batch_opt(E) ::= .                                        { E = NULL; }
batch_opt(E) ::= OF primary(P) ROWS.                      { E = P; }
clause(C) ::= LOAD(T) FROM expr(E) using_opt(U) AS name(N). { C = ast_load(parse, T, E, U, N); }
clause(C) ::= LOAD(T) CSV headers_opt(H) FROM expr(E) AS name(N) terminator_opt(D). { C = ast_load_csv(parse, T, H, E, N, D); }
headers_opt(H) ::= .                                      { H = 0; }
headers_opt(H) ::= WITH HEADERS.                          { H = 1; }
terminator_opt(E) ::= .                                   { E = NULL; }
terminator_opt(E) ::= FIELDTERMINATOR expr(F).            { E = F; }
at_opt(A) ::= .                                           { A = (AstMoment){AST_NOW, NULL}; }
at_opt(A) ::= AT SNAPSHOT primary(E).                     { A = (AstMoment){AST_AT_SNAPSHOT, E}; }
at_opt(A) ::= AT TIMESTAMP primary(E).                    { A = (AstMoment){AST_AT_TIMESTAMP, E}; }

/* scoring */
clause(C) ::= score(S) using_opt(U) score_limit(L) as_opt(N) where_opt(W). { C = ast_score_clause(parse, S, U, L, N, W); }
clause(C) ::= RANK(T) BY strategy(S) using_opt(U) score_limit(L) as_opt(N) where_opt(W). { C = ast_rank(parse, T, S, U, L, N, W); }
clause(C) ::= SEARCH(T) name(V) IN LPAREN VECTOR INDEX name(I) FOR expr(E) where_opt(W) LIMIT expr(L) RPAREN. { C = ast_search(parse, T, V, I, E, W, L, NULL); }
clause(C) ::= SEARCH(T) name(V) IN LPAREN VECTOR INDEX name(I) FOR expr(E) where_opt(W) LIMIT expr(L) RPAREN SCORE AS name(S). { C = ast_search(parse, T, V, I, E, W, L, &S); }
score(S) ::= vector_score(A).                             { S = A; }
score(S) ::= text_score(A).                               { S = A; }
vector_score(S) ::= VECTOR(T) target(A) SIMILAR TO expr(E). { S = ast_score(parse, T, 0, A, E); }
text_score(S) ::= TEXT(T) target(A) MATCHES expr(E).      { S = ast_score(parse, T, 1, A, E); }
target(A) ::= .                                           { A = (AstScoreTail){0}; }
target(A) ::= name(V).                                    { A = (AstScoreTail){.variable = V}; }
target(A) ::= name(V) DOT any_name(P).                    { A = (AstScoreTail){.variable = V, .property = P}; }
strategy(C) ::= name(N).                                  { C = ast_strategy(parse, N); }
strategy(C) ::= FUNCTION(N) LPAREN RPAREN.                { C = ast_strategy(parse, ast_name(parse, N)); }
strategy(C) ::= FUNCTION(N) LPAREN legs(L) RPAREN.        { C = ast_strategy_named(parse, L, N); }
legs(C) ::= leg(L).                                       { C = ast_leg(parse, NULL, L); }
legs(C) ::= legs(A) COMMA leg(L).                         { C = ast_leg(parse, A, L); }
leg(L) ::= vector_score(S).                               { L = (AstLeg){.score = S}; }
leg(L) ::= text_score(S).                                 { L = (AstLeg){.score = S}; }
leg(L) ::= expr(E).                                       { L = (AstLeg){.expr = E}; }
score_limit(L) ::= .                                      { L = (AstScoreTail){0}; }
score_limit(L) ::= LIMIT expr(E).                         { L = (AstScoreTail){.limit = E}; }
score_limit(L) ::= LIMIT expr(E) PER name(V).             { L = (AstScoreTail){.limit = E, .variable = V}; }
using_opt(E) ::= .                                        { E = NULL; }
using_opt(E) ::= USING map(M).                            { E = M; }
as_opt(N) ::= .                                           { N = (AstName){0}; }
as_opt(N) ::= AS name(A).                                 { N = A; }

/* writing */
clause(C) ::= CREATE(T) patterns(P).                      { C = ast_create(parse, T, P); }
clause(C) ::= MERGE(T) path(P) merge_actions(A).          { C = ast_merge(parse, T, P, A); }
clause(C) ::= SET(T) sets(S).                             { C = ast_set_clause(parse, T, CLAUSE_SET, S); }
clause(C) ::= REMOVE(T) removes(S).                       { C = ast_set_clause(parse, T, CLAUSE_REMOVE, S); }
clause(C) ::= DELETE(T) exprs(E).                         { C = ast_delete(parse, T, 0, E); }
clause(C) ::= DETACH(T) DELETE exprs(E).                  { C = ast_delete(parse, T, 1, E); }
clause(C) ::= FOREACH(T) LPAREN name(N) IN expr(E) PIPE clauses(L) RPAREN. { C = ast_foreach(parse, T, N, E, L); }
clause(C) ::= SUBSCRIBE(T) topic(N) subscribe_from(E) AS name(V).  { C = ast_subscribe(parse, T, N, 0, E, V); }
clause(C) ::= SUBSCRIBE(T) STRING(N) subscribe_from(E) AS name(V). { C = ast_subscribe(parse, T, ast_topic_pattern(parse, N), 1, E, V); }
clause(C) ::= PUBLISH(T) expr(E) TO topic(N) using_opt(U). { C = ast_publish(parse, T, E, N, U); }
topic(N) ::= dotted(L).                                   { N = ast_joined_name(parse, L); }
subscribe_from(E) ::= .                                   { E = NULL; }
subscribe_from(E) ::= FROM expr(F).                       { E = F; }
merge_actions(A) ::= .                                    { A = (AstMergeActions){0}; }
merge_actions(A) ::= merge_actions(B) ON MATCH SET sets(S).  { A = ast_merge_action(parse, B, 0, S); }
merge_actions(A) ::= merge_actions(B) ON CREATE SET sets(S). { A = ast_merge_action(parse, B, 1, S); }
sets(L) ::= set(S).                                       { L = ast_sets(parse, NULL, S); }
sets(L) ::= sets(A) COMMA set(S).                         { L = ast_sets(parse, &A, S); }
set(S) ::= postfix(P) EQ expr(E).                         { S = ast_set_equal(parse, P, E); }
set(S) ::= postfix(P) PLUS_EQ expr(E).                    { S = ast_set_add(parse, P, E); }
set(S) ::= postfix(P) labels(L).                          { S = ast_set_labels(parse, P, L, AST_SET_LABELS); }
removes(L) ::= remove(S).                                 { L = ast_sets(parse, NULL, S); }
removes(L) ::= removes(A) COMMA remove(S).                { L = ast_sets(parse, &A, S); }
remove(S) ::= postfix(P).                                 { S = ast_remove_property(parse, P); }
remove(S) ::= postfix(P) labels(L).                       { S = ast_set_labels(parse, P, L, AST_REMOVE_LABELS); }

/* projections */
distinct_opt(D) ::= .                                     { D = 0; }
distinct_opt(D) ::= DISTINCT.                             { D = 1; }
items(L) ::= STAR.                                        { L = (AstItems){.star = true}; }
items(L) ::= STAR COMMA item_list(A).                     { L = A; L.star = true; }
items(L) ::= item_list(A).                                { L = A; }
item_list(L) ::= item(I).                                 { L = ast_items(parse, NULL, I); }
item_list(L) ::= item_list(A) COMMA item(I).              { L = ast_items(parse, &A, I); }
item(I) ::= expr(E).                                      { I = (AstItem){.expr = E}; }
item(I) ::= expr(E) AS name(N).                           { I = (AstItem){.expr = E, .alias = N}; }
tail(T) ::= order_opt(O) skip_opt(S) limit_opt(L).        { T = (AstTail){O, S, L}; }
order_opt(L) ::= .                                        { L = (AstItems){0}; }
order_opt(L) ::= ORDER BY sorts(S).                       { L = S; }
sorts(L) ::= sort(I).                                     { L = ast_items(parse, NULL, I); }
sorts(L) ::= sorts(A) COMMA sort(I).                      { L = ast_items(parse, &A, I); }
sort(I) ::= expr(E).                                      { I = (AstItem){.expr = E}; }
sort(I) ::= expr(E) direction(D).                         { I = (AstItem){.expr = E, .descending = D}; }
direction(D) ::= ASC.                                     { D = 0; }
direction(D) ::= ASCENDING.                               { D = 0; }
direction(D) ::= DESC.                                    { D = 1; }
direction(D) ::= DESCENDING.                              { D = 1; }
skip_opt(E) ::= .                                         { E = NULL; }
skip_opt(E) ::= SKIP expr(A).                             { E = A; }
skip_opt(E) ::= OFFSET expr(A).                           { E = A; }
limit_opt(E) ::= .                                        { E = NULL; }
limit_opt(E) ::= LIMIT expr(A).                           { E = A; }
where_opt(E) ::= .                                        { E = NULL; }
where_opt(E) ::= WHERE expr(A).                           { E = A; }
yield_opt(Y) ::= .                                        { Y = (AstYield){0}; }
yield_opt(Y) ::= YIELD MINUS.                             { Y = (AstYield){.yield = true, .none = true}; }
yield_opt(Y) ::= YIELD STAR.                              { Y = (AstYield){.yield = true, .star = true}; }
yield_opt(Y) ::= YIELD yields(L) where_opt(W).            { Y = (AstYield){.yield = true, .items = L, .where = W}; }
yields(L) ::= yield(I).                                   { L = ast_items(parse, NULL, I); }
yields(L) ::= yields(A) COMMA yield(I).                   { L = ast_items(parse, &A, I); }
yield(I) ::= name(N).                                     { I = (AstItem){.expr = ast_variable(parse, N)}; }
yield(I) ::= name(N) AS name(A).                          { I = (AstItem){.expr = ast_variable(parse, N), .alias = A}; }
dotted(L) ::= name(N).                                    { L = ast_names(parse, NULL, N); }
dotted(L) ::= dotted(A) DOT any_name(N).                  { L = ast_names(parse, &A, N); }

/* patterns */
patterns(L) ::= path(P).                                  { L = ast_paths(parse, NULL, P); }
patterns(L) ::= patterns(A) COMMA path(P).                { L = ast_paths(parse, &A, P); }
path(P) ::= chain(C).                                     { P = C; }
path(P) ::= name(N) EQ chain(C).                          { P = ast_path_named(parse, N, C); }
path(P) ::= SHORTEST(T) LPAREN chain(C) RPAREN(R).        { P = ast_path_shortest(parse, T, C, R); }
path(P) ::= name(N) EQ SHORTEST(T) LPAREN chain(C) RPAREN(R). { P = ast_path_named(parse, N, ast_path_shortest(parse, T, C, R)); }
chain(P) ::= node(N).                                     { P = ast_path(parse, N); }
chain(P) ::= chain(A) relationship(R) node(N).            { P = ast_path_step(parse, A, R, N); }
paren(T) ::= LPAREN(A).                                   { T = A; }
paren(T) ::= PATTERN_PAREN(A).                            { T = A; }
%type paren {Token}
node(N) ::= paren(T) name_opt(V) labelling_opt(L) properties_opt(P) where_opt(W) RPAREN(R). { N = ast_node(parse, T, V, L, P, W, R); }
name_opt(N) ::= .                                         { N = (AstName){0}; }
name_opt(N) ::= name(A).                                  { N = A; }
labelling_opt(L) ::= .                                    { L = (AstLabelling){0}; }
labelling_opt(L) ::= labelling(A).                        { L = A; }
labelling(L) ::= COLON label_or(E).                       { L = ast_labelling(parse, NULL, E); }
labelling(L) ::= labelling(A) COLON label_or(E).          { L = ast_labelling(parse, &A, E); }
label_or(E) ::= label_and(A).                             { E = A; }
label_or(E) ::= label_or(A) BAR label_and(B).             { E = ast_binary(parse, AST_OR, A, B); }
label_and(E) ::= label_not(A).                            { E = A; }
label_and(E) ::= label_and(A) AMPERSAND label_not(B).     { E = ast_binary(parse, AST_AND, A, B); }
label_not(E) ::= any_name(N).                             { E = ast_label(parse, N); }
label_not(E) ::= BANG(T) label_not(A).                    { E = ast_unary(parse, AST_NOT, T, A); }
label_not(E) ::= LPAREN label_or(A) RPAREN.               { E = A; }
labels(L) ::= label(N).                                   { L = ast_names(parse, NULL, N); }
labels(L) ::= labels(A) label(N).                         { L = ast_names(parse, &A, N); }
label(N) ::= COLON any_name(A).                           { N = A; }
properties_opt(E) ::= .                                   { E = NULL; }
properties_opt(E) ::= map(M).                             { E = M; }
properties_opt(E) ::= parameter(P).                       { E = P; }
relationship(R) ::= left_arrow(L) dash_body(B) right_arrow(A) hops_opt(H). { R = ast_relationship(parse, L, B, A, H); }
hops_opt(R) ::= .                                         { R = (AstRelationship){0}; }
hops_opt(R) ::= STAR.                                     { R = ast_hops(parse, NULL, NULL); }
hops_opt(R) ::= PLUS.                                     { R = ast_range(parse, NULL, NULL, 0); }
hops_opt(R) ::= LBRACE INTEGER(A) RBRACE.                 { R = ast_hops(parse, &A, &A); }
hops_opt(R) ::= LBRACE INTEGER(A) COMMA RBRACE.           { R = ast_hops(parse, &A, NULL); }
hops_opt(R) ::= LBRACE COMMA INTEGER(B) RBRACE.           { R = ast_hops(parse, NULL, &B); }
hops_opt(R) ::= LBRACE INTEGER(A) COMMA INTEGER(B) RBRACE. { R = ast_hops(parse, &A, &B); }
left_arrow(L) ::= MINUS.                                  { L = 0; }
left_arrow(L) ::= LT MINUS.                               { L = 1; }
right_arrow(L) ::= MINUS.                                 { L = 0; }
right_arrow(L) ::= MINUS GT.                              { L = 1; }
dash_body(R) ::= .                                        { R = (AstRelationship){0}; }
dash_body(R) ::= LBRACKET(T) name_opt(V) types_opt(L) range_opt(G) properties_opt(P) where_opt(W) RBRACKET(E). { R = ast_dash_body(parse, T, V, L, G, P, W, E); }
types_opt(L) ::= .                                        { L = (AstNames){0}; }
types_opt(L) ::= COLON types(A).                          { L = A; }
types(L) ::= any_name(N).                                 { L = ast_names(parse, NULL, N); }
types(L) ::= types(A) BAR any_name(N).                    { L = ast_names(parse, &A, N); }
types(L) ::= types(A) BAR COLON any_name(N).              { L = ast_names(parse, &A, N); }
range_opt(R) ::= .                                        { R = (AstRelationship){0}; }
range_opt(R) ::= STAR.                                    { R = ast_range(parse, NULL, NULL, 0); }
range_opt(R) ::= STAR INTEGER(A).                         { R = ast_range(parse, &A, &A, 0); }
range_opt(R) ::= STAR INTEGER(A) DOTDOT.                  { R = ast_range(parse, &A, NULL, 1); }
range_opt(R) ::= STAR INTEGER(A) DOTDOT INTEGER(B).       { R = ast_range(parse, &A, &B, 1); }
range_opt(R) ::= STAR DOTDOT INTEGER(B).                  { R = ast_range(parse, NULL, &B, 1); }
range_opt(R) ::= STAR DOTDOT.                             { R = ast_range(parse, NULL, NULL, 1); }

/* expressions */
exprs(L) ::= expr(E).                                     { L = ast_exprs(parse, NULL, E); }
exprs(L) ::= exprs(A) COMMA expr(E).                      { L = ast_exprs(parse, &A, E); }
expr(E) ::= expr(A) OR expr(B).                           { E = ast_binary(parse, AST_OR, A, B); }
expr(E) ::= expr(A) XOR expr(B).                          { E = ast_binary(parse, AST_XOR, A, B); }
expr(E) ::= expr(A) AND expr(B).                          { E = ast_binary(parse, AST_AND, A, B); }
expr(E) ::= NOT(T) expr(A).                               { E = ast_unary(parse, AST_NOT, T, A); }
expr(E) ::= compare(A). [COMPARISON]                      { E = A; }
compare(E) ::= predicate(A).                              { E = A; }
compare(E) ::= compare(A) compare_op(O) predicate(B).     { E = ast_compare(parse, A, O, B); }
compare_op(O) ::= EQ.                                     { O = AST_EQ; }
compare_op(O) ::= NE.                                     { O = AST_NE; }
compare_op(O) ::= LT.                                     { O = AST_LT; }
compare_op(O) ::= GT.                                     { O = AST_GT; }
compare_op(O) ::= LE.                                     { O = AST_LE; }
compare_op(O) ::= GE.                                     { O = AST_GE; }
predicate(E) ::= sum(A).                                  { E = A; }
predicate(E) ::= predicate(A) IN sum(B).                  { E = ast_binary(parse, AST_IN, A, B); }
predicate(E) ::= predicate(A) CONTAINS sum(B).            { E = ast_binary(parse, AST_CONTAINS, A, B); }
predicate(E) ::= predicate(A) STARTS WITH sum(B).         { E = ast_binary(parse, AST_STARTS_WITH, A, B); }
predicate(E) ::= predicate(A) ENDS WITH sum(B).           { E = ast_binary(parse, AST_ENDS_WITH, A, B); }
predicate(E) ::= predicate(A) REGEX sum(B).               { E = ast_binary(parse, AST_REGEX, A, B); }
predicate(E) ::= predicate(A) MATCHES sum(B).             { E = ast_binary(parse, AST_MATCHES, A, B); }
predicate(E) ::= predicate(A) IS NULL(T).                 { E = ast_is_null(parse, AST_IS_NULL, A, T); }
predicate(E) ::= predicate(A) IS NOT NULL(T).             { E = ast_is_null(parse, AST_IS_NOT_NULL, A, T); }
sum(E) ::= product(A).                                    { E = A; }
sum(E) ::= sum(A) PLUS product(B).                        { E = ast_binary(parse, AST_ADD, A, B); }
sum(E) ::= sum(A) MINUS product(B).                       { E = ast_binary(parse, AST_SUBTRACT, A, B); }
product(E) ::= power(A).                                  { E = A; }
product(E) ::= product(A) STAR power(B).                  { E = ast_binary(parse, AST_MULTIPLY, A, B); }
product(E) ::= product(A) SLASH power(B).                 { E = ast_binary(parse, AST_DIVIDE, A, B); }
product(E) ::= product(A) PERCENT power(B).               { E = ast_binary(parse, AST_MODULO, A, B); }
power(E) ::= unary(A).                                    { E = A; }
power(E) ::= power(A) CARET unary(B).                     { E = ast_binary(parse, AST_POWER, A, B); }
unary(E) ::= labelled(A).                                 { E = A; }
unary(E) ::= MINUS(T) unary(A).                           { E = ast_negate(parse, T, A); }
unary(E) ::= PLUS(T) unary(A).                            { E = ast_unary(parse, AST_PLUS, T, A); }
labelled(E) ::= postfix(A).                               { E = A; }
labelled(E) ::= postfix(A) labelling(L).                  { E = ast_labelled(parse, A, L); }
postfix(E) ::= primary(A).                                { E = A; }
postfix(E) ::= postfix(A) DOT any_name(N).                { E = ast_property(parse, A, N); }
postfix(E) ::= postfix(A) LBRACKET expr(I) RBRACKET(T).   { E = ast_index(parse, A, I, T); }
postfix(E) ::= postfix(A) LBRACKET expr_opt(B) DOTDOT expr_opt(C) RBRACKET(T). { E = ast_slice(parse, A, B, C, T); }
expr_opt(E) ::= .                                         { E = NULL; }
expr_opt(E) ::= expr(A).                                  { E = A; }
primary(E) ::= name(N).                                   { E = ast_variable(parse, N); }
primary(E) ::= parameter(P).                              { E = P; }
primary(E) ::= INTEGER(T).                                { E = ast_integer(parse, T); }
primary(E) ::= FLOAT(T).                                  { E = ast_float(parse, T); }
primary(E) ::= STRING(T).                                 { E = ast_string(parse, T); }
primary(E) ::= TRUE(T).                                   { E = ast_word(parse, AST_BOOLEAN, T, 1); }
primary(E) ::= FALSE(T).                                  { E = ast_word(parse, AST_BOOLEAN, T, 0); }
primary(E) ::= NULL(T).                                   { E = ast_word(parse, AST_NULL, T, 0); }
primary(E) ::= map(M).                                    { E = M; }
primary(E) ::= name(N) LBRACE projections(P) RBRACE(T).   { E = ast_map_projection(parse, N, P, T); }
primary(E) ::= name(N) LBRACE RBRACE(T).                  { E = ast_map_projection(parse, N, NULL, T); }
primary(E) ::= LPAREN(T) expr(A) RPAREN(R).               { E = ast_parentheses(parse, T, A, R); }
primary(E) ::= pattern_expr(P). [OR]                      { E = ast_pattern(parse, P); }
primary(E) ::= SHORTEST(T) LPAREN chain(C) RPAREN(R).     { E = ast_shortest(parse, T, C, R); }
primary(E) ::= LBRACKET(T) RBRACKET(R).                   { E = ast_list(parse, T, NULL, R); }
primary(E) ::= LBRACKET(T) exprs(L) RBRACKET(R).          { E = ast_list(parse, T, &L, R); }
primary(E) ::= COMPREHENSION_BRACKET(T) name(N) IN expr(A) where_opt(W) projection_opt(P) RBRACKET(R). { E = ast_comprehension(parse, T, N, A, W, P, R); }
primary(E) ::= PATTERN_BRACKET(T) chain(C) where_opt(W) PIPE expr(P) RBRACKET(R). { E = ast_pattern_comprehension(parse, T, C, W, P, R); }
primary(E) ::= PATTERN_BRACKET(T) name(N) EQ chain(C) where_opt(W) PIPE expr(P) RBRACKET(R). { E = ast_pattern_comprehension(parse, T, ast_path_named(parse, N, C), W, P, R); }
primary(E) ::= COUNT_STAR(T).                             { E = ast_word(parse, AST_COUNT_STAR, T, 0); }
primary(E) ::= FUNCTION(T) LPAREN RPAREN(R).              { E = ast_call_function(parse, T, 0, NULL, R); }
primary(E) ::= FUNCTION(T) LPAREN distinct_opt(D) exprs(L) RPAREN(R). { E = ast_call_function(parse, T, D, &L, R); }
primary(E) ::= QUANTIFIER(T) LPAREN name(N) IN expr(A) where_opt(W) RPAREN(R). { E = ast_quantifier(parse, T, N, A, W, R); }
primary(E) ::= REDUCE(T) LPAREN name(N) EQ expr(A) COMMA name(M) IN expr(B) PIPE expr(C) RPAREN(R). { E = ast_reduce(parse, T, N, A, M, B, C, R); }
primary(E) ::= CASE(T) whens(W) else_opt(L) END(R).       { E = ast_case(parse, T, NULL, W, L, R); }
primary(E) ::= CASE(T) expr(A) whens(W) else_opt(L) END(R). { E = ast_case(parse, T, A, W, L, R); }
primary(E) ::= EXISTS(T) LBRACE sub(S) RBRACE(R).         { E = ast_subquery(parse, AST_EXISTS, T, S, R); }
primary(E) ::= COUNT(T) LBRACE sub(S) RBRACE(R).          { E = ast_subquery(parse, AST_COUNT, T, S, R); }
primary(E) ::= COLLECT(T) LBRACE query(Q) RBRACE(R).      { E = ast_subquery(parse, AST_COLLECT, T, ast_sub_query(parse, Q), R); }
pattern_expr(P) ::= PATTERN_PAREN(T) name_opt(V) labelling_opt(L) properties_opt(M) where_opt(W) RPAREN(R) relationship(A) node(N). { P = ast_path_step(parse, ast_path(parse, ast_node(parse, T, V, L, M, W, R)), A, N); }
pattern_expr(P) ::= pattern_expr(A) relationship(R) node(N). { P = ast_path_step(parse, A, R, N); }
sub(E) ::= patterns(P) where_opt(W).                      { E = ast_sub_patterns(parse, P, W); }
sub(E) ::= query(Q).                                      { E = ast_sub_query(parse, Q); }
projection_opt(E) ::= .                                   { E = NULL; }
projection_opt(E) ::= PIPE expr(A).                       { E = A; }
whens(L) ::= WHEN expr(A) THEN expr(B).                   { AstExprs one = ast_exprs(parse, NULL, A); L = ast_exprs(parse, &one, B); }
whens(L) ::= whens(M) WHEN expr(A) THEN expr(B).          { AstExprs one = ast_exprs(parse, &M, A); L = ast_exprs(parse, &one, B); }
else_opt(E) ::= .                                         { E = NULL; }
else_opt(E) ::= ELSE expr(A).                             { E = A; }
map(E) ::= LBRACE(T) RBRACE(R).                           { E = ast_map(parse, T, NULL, R); }
map(E) ::= LBRACE(T) entries(L) RBRACE(R).                { E = ast_map(parse, T, L, R); }
entries(E) ::= any_name(N) COLON expr(A).                 { E = ast_entry(parse, NULL, N, A); }
entries(E) ::= entries(M) COMMA any_name(N) COLON expr(A). { E = ast_entry(parse, M, N, A); }
projections(E) ::= projection(A).                         { E = ast_entry(parse, NULL, A.name, A.expr); }
projections(E) ::= projections(M) COMMA projection(A).    { E = ast_entry(parse, M, A.name, A.expr); }
%type projection {AstProjection}
projection(P) ::= DOT any_name(N).                        { P = (AstProjection){N, NULL}; }
projection(P) ::= DOT STAR(T).                            { P = (AstProjection){.expr = ast_word(parse, AST_STAR, T, 0)}; }
projection(P) ::= name(N).                                { P = (AstProjection){N, ast_variable(parse, N)}; }
projection(P) ::= any_name(N) COLON expr(E).              { P = (AstProjection){N, E}; }
parameter(E) ::= DOLLAR(T) any_name(N).                   { E = ast_parameter(parse, T, N); }
parameter(E) ::= DOLLAR(T) INTEGER(N).                    { E = ast_parameter(parse, T, ast_token_name(N)); }
name(N) ::= word(T).                                      { N = ast_name(parse, T); }
any_name(N) ::= name(A).                                  { N = A; }
any_name(N) ::= AND|AS|FALSE|IN|MATCH|NOT|NULL|OR|RETURN|TRUE|WHERE|WITH|XOR|QUANTIFIER|FUNCTION|SHORTEST(T). { N = ast_name(parse, T); }

/* commands */
command ::= CREATE index_kind(K) INDEX name_opt(N) if_not_opt(I) FOR paren name label(L) RPAREN ON index_properties(P) options_opt(O). { ast_create_index(parse, K, N, I, 0, L, P, O); }
command ::= CREATE index_kind(K) INDEX name_opt(N) if_not_opt(I) FOR paren RPAREN MINUS LBRACKET name label(L) RBRACKET MINUS paren RPAREN ON index_properties(P) options_opt(O). { ast_create_index(parse, K, N, I, 1, L, P, O); }
command ::= DROP INDEX name(N) if_opt(I).                 { ast_command(parse, COMMAND_DROP_INDEX, N, I); }
command ::= CREATE CONSTRAINT name_opt(N) if_not_opt(I) FOR paren name label(L) RPAREN REQUIRE index_properties(P) IS UNIQUE. { ast_create_constraint(parse, N, I, L, P, 0); }
command ::= CREATE CONSTRAINT name_opt(N) if_not_opt(I) FOR paren name label(L) RPAREN REQUIRE index_properties(P) IS NOT NULL. { ast_create_constraint(parse, N, I, L, P, 1); }
command ::= DROP CONSTRAINT name(N) if_opt(I).            { ast_command(parse, COMMAND_DROP_CONSTRAINT, N, I); }
command ::= CREATE SNAPSHOT name_opt(N).                  { ast_command(parse, COMMAND_CREATE_SNAPSHOT, N, 0); }
command ::= DROP SNAPSHOT name(N).                        { ast_command(parse, COMMAND_DROP_SNAPSHOT, N, 0); }
command ::= CREATE TOPIC topic(N) if_not_opt(I) options_opt(O). { ast_create_topic(parse, N, I, O); }
command ::= DROP TOPIC topic(N) if_opt(I).                { ast_command(parse, COMMAND_DROP_TOPIC, N, I); }
command ::= COPY label(L) FROM expr(E) using_opt(U).      { ast_copy_from(parse, COMMAND_COPY_NODES, L, E, U); }
command ::= COPY LPAREN label(L) RPAREN FROM expr(E) using_opt(U). { ast_copy_from(parse, COMMAND_COPY_NODES, L, E, U); }
command ::= COPY LBRACKET label(L) RBRACKET FROM expr(E) using_opt(U). { ast_copy_from(parse, COMMAND_COPY_RELATIONSHIPS, L, E, U); }
command ::= COPY LPAREN query(Q) RPAREN TO expr(E) using_opt(U). { ast_copy_to(parse, Q, E, U); }
command ::= SHOW name(N).                                 { ast_command(parse, COMMAND_SHOW, N, 0); }
command ::= SHOW INDEX(T).                                { ast_command(parse, COMMAND_SHOW, ast_token_name(T), 0); }
command ::= BEGIN.                                        { ast_command(parse, COMMAND_BEGIN, (AstName){0}, 0); }
command ::= COMMIT.                                       { ast_command(parse, COMMAND_COMMIT, (AstName){0}, 0); }
command ::= ROLLBACK.                                     { ast_command(parse, COMMAND_ROLLBACK, (AstName){0}, 0); }
index_kind(K) ::= .                                       { K = AST_INDEX_PROPERTY; }
index_kind(K) ::= VECTOR.                                 { K = AST_INDEX_VECTOR; }
index_kind(K) ::= TEXT.                                   { K = AST_INDEX_TEXT; }
if_not_opt(I) ::= .                                       { I = 0; }
if_not_opt(I) ::= IF NOT EXISTS.                          { I = 1; }
if_opt(I) ::= .                                           { I = 0; }
if_opt(I) ::= IF EXISTS.                                  { I = 1; }
options_opt(E) ::= .                                      { E = NULL; }
options_opt(E) ::= OPTIONS map(M).                        { E = M; }
index_properties(L) ::= index_property(N).                { L = ast_names(parse, NULL, N); }
index_properties(L) ::= LPAREN index_property_list(A) RPAREN. { L = A; }
index_property_list(L) ::= index_property(N).             { L = ast_names(parse, NULL, N); }
index_property_list(L) ::= index_property_list(A) COMMA index_property(N). { L = ast_names(parse, &A, N); }
index_property(N) ::= name DOT any_name(P).               { N = P; }
