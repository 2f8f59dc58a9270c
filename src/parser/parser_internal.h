/* parser_internal.h - what the lexer, the generated parser and the builders share. */
#ifndef PARSER_PARSER_INTERNAL_H
#define PARSER_PARSER_INTERNAL_H
#include "parser/ast.h"
#include "parser/grammar.h"

typedef struct Token {
    int kind;         /* TOKEN_..., 0: end of text, TOKEN_BAD */
    uint32_t partner; /* of a bracket: index of the other one (or of the end, when it is missing) */
    size_t offset, length;
    const char *text;
} Token;

enum {
    TOKEN_BAD = -1,
    TOKEN_COMMENT = -2,
    GRAMMAR_STATES_MAX =
        4 * QUERY_LEVELS_MAX /* a level takes four states at most: CASE WHEN e THEN */
};

typedef struct TokenArray { /* `count` tokens, the last one the end; readable some way beyond it */
    Token *items;
    size_t count, capacity;
} TokenArray;

typedef struct Parse {
    Arena *arena;
    Str text;
    AstStatement *statement;
    Error *error;             /* the first; NULL: none */
    Token at;                 /* the token being fed */
    const TokenArray *tokens; /* all of them, and which is at hand */
    size_t index;
} Parse;

/* ---- lexer.c ---- */
/* The next token at *at; blanks and comments are skipped, or a comment is given as TOKEN_COMMENT
 * when `comments`. */
Token lexer_next(Str text, size_t *at, bool comments);
/* The whole text, brackets matched and the pre-pass done. A bad token or too deep nesting is an
 * error. */
Error *lexer_tokenize(Str text, TokenArray *out);
/* The same for a text that is being typed: bad tokens end it. */
void lexer_tokenize_prefix(Str text, TokenArray *out);
const char *lexer_keyword_of(int kind); /* NULL: not a keyword */
bool lexer_is_word(const Token *token); /* a name, or a keyword that could be one */

/* As much of a token as a message wants to repeat: for "%.*s". */
int token_shown_bytes(Token token);

/* ---- levels.c ---- */
Error *levels_check(const AstStatement *statement); /* ERROR_TOO_DEEP beyond QUERY_LEVELS_MAX */
Error *levels_exceeded(size_t offset, size_t length);

/* ---- what grammar.y calls ---- */
typedef struct AstMoment {
    AstTime time;
    AstExpr *expr;
} AstMoment;
typedef struct AstTail {
    AstItems order;
    AstExpr *skip, *limit;
} AstTail;
typedef struct AstScoreTail {
    AstExpr *limit;
    AstName variable, property;
} AstScoreTail;
typedef struct AstMergeActions {
    AstSets on_create, on_match;
} AstMergeActions;
typedef struct AstYield {
    bool yield, none, star;
    AstItems items;
    AstExpr *where;
} AstYield;
typedef struct AstLabelling { /* of a node: see conditions.c */
    AstNames names;
    AstExpr *rule;
} AstLabelling;
typedef struct AstProjection {
    AstName name;
    AstExpr *expr;
} AstProjection;

void parse_refused(Parse *parse, void *parser);
AstName ast_name(Parse *, Token); /* escapes of `quoted names` undone; a.b.c joined */
AstName ast_token_name(Token);
AstName ast_joined_name(Parse *, AstNames); /* a.b.c as one name */
AstName ast_topic_pattern(Parse *, Token);
AstNames ast_names(Parse *, const AstNames *, AstName);
AstExprs ast_exprs(Parse *, const AstExprs *, AstExpr *);
AstItems ast_items(Parse *, const AstItems *, AstItem);
AstPaths ast_paths(Parse *, const AstPaths *, AstPath *);
AstSets ast_sets(Parse *, const AstSets *, AstSet);
AstQuery *ast_statement_query(Parse *, AstQuery *, AstTime, AstExpr *);
AstQuery *ast_query(Parse *, AstQuery *, AstClauses *, int all);
AstClauses *ast_clauses(Parse *, AstClauses *, AstClause *);
AstClause *ast_match(Parse *, Token, int optional, AstMoment, AstPaths, AstExpr *where);
AstClause *ast_unwind(Parse *, Token, AstExpr *, AstName);
AstClause *ast_project(Parse *, Token, AstClauseKind, int distinct, AstItems, AstTail,
                       AstExpr *where);
AstClause *ast_call(Parse *, Token, AstNames, const AstExprs *arguments, AstYield);
/* `CALL (a, b) { .. }`: WITH a, b before each part of the query. */
AstQuery *ast_scope(Parse *, Token, AstItems, AstQuery *);
AstClause *ast_call_query(Parse *, Token, AstQuery *, int in_transactions, AstExpr *rows);
AstClause *ast_load(Parse *, Token, AstExpr *, AstExpr *options, AstName);
AstClause *ast_load_csv(Parse *, Token, int headers, AstExpr *, AstName, AstExpr *delimiter);
AstClause *ast_score_clause(Parse *, AstScore *, AstExpr *options, AstScoreTail, AstName,
                            AstExpr *where);
AstClause *ast_rank(Parse *, Token, AstClause *strategy, AstExpr *options, AstScoreTail, AstName,
                    AstExpr *where);
AstClause *ast_search(Parse *, Token, AstName variable, AstName index, AstExpr *, AstExpr *where,
                      AstExpr *limit, const AstName *);
AstScore *ast_score(Parse *, Token, int text, AstScoreTail target, AstExpr *);
AstClause *ast_strategy(Parse *, AstName);
AstClause *ast_strategy_named(Parse *, AstClause *, Token);
AstClause *ast_leg(Parse *, AstClause *, AstLeg);
AstClause *ast_create(Parse *, Token, AstPaths);
AstClause *ast_merge(Parse *, Token, AstPath *, AstMergeActions);
AstMergeActions ast_merge_action(Parse *, AstMergeActions, int on_create, AstSets);
AstClause *ast_set_clause(Parse *, Token, AstClauseKind, AstSets);
AstClause *ast_delete(Parse *, Token, int detach, AstExprs);
AstClause *ast_foreach(Parse *, Token, AstName, AstExpr *, AstClauses *);
AstClause *ast_subscribe(Parse *, Token, AstName topic, int pattern, AstExpr *from, AstName);
AstClause *ast_publish(Parse *, Token, AstExpr *, AstName topic, AstExpr *options);
AstSet ast_set_equal(Parse *, AstExpr *, AstExpr *);
AstSet ast_set_add(Parse *, AstExpr *, AstExpr *);
AstSet ast_set_labels(Parse *, AstExpr *, AstNames, AstSetKind);
AstSet ast_remove_property(Parse *, AstExpr *);
AstPath *ast_path(Parse *, AstNode);
AstPath *ast_path_step(Parse *, AstPath *, AstRelationship, AstNode);
AstPath *ast_path_named(Parse *, AstName, AstPath *);
AstPath *ast_path_shortest(Parse *, Token, AstPath *, Token end);
AstNode ast_node(Parse *, Token, AstName, AstLabelling, AstExpr *, AstExpr *where, Token end);
AstRelationship ast_relationship(Parse *, int left, AstRelationship, int right,
                                 AstRelationship hops);
AstRelationship ast_dash_body(Parse *, Token, AstName, AstNames, AstRelationship range, AstExpr *,
                              AstExpr *where, Token end);
AstRelationship ast_range(Parse *, const Token *min, const Token *max, int dots);
AstRelationship ast_hops(Parse *, const Token *min, const Token *max); /* min NULL: 0 */
AstExpr *ast_binary(Parse *, AstKind, AstExpr *, AstExpr *);
AstExpr *ast_unary(Parse *, AstKind, Token, AstExpr *);
AstExpr *ast_negate(Parse *, Token, AstExpr *);
AstExpr *ast_compare(Parse *, AstExpr *, int op, AstExpr *);
AstExpr *ast_is_null(Parse *, AstKind, AstExpr *, Token end);
AstExpr *ast_labels(Parse *, AstExpr *, AstNames);
AstExpr *ast_label(Parse *, AstName); /* a leaf of a label expression */
AstLabelling ast_labelling(Parse *, const AstLabelling *, AstExpr *tree);
AstExpr *ast_labelled(Parse *, AstExpr *entity, AstLabelling);
/* `where` and what the patterns themselves say with WHERE. */
AstExpr *ast_conditions(Parse *, const AstPaths *, AstExpr *where);
/* For a pattern that has no place for conditions; `rules`: nor for a choice of labels. */
void ast_refuse_conditions(Parse *, const AstPath *, int rules);
AstExpr *ast_property(Parse *, AstExpr *, AstName);
AstExpr *ast_index(Parse *, AstExpr *, AstExpr *, Token end);
AstExpr *ast_slice(Parse *, AstExpr *, AstExpr *, AstExpr *, Token end);
AstExpr *ast_variable(Parse *, AstName);
AstExpr *ast_integer(Parse *, Token);
AstExpr *ast_float(Parse *, Token);
AstExpr *ast_string(Parse *, Token);
AstExpr *ast_word(Parse *, AstKind, Token, int flag);
AstExpr *ast_parentheses(Parse *, Token, AstExpr *, Token end);
AstExpr *ast_pattern(Parse *, AstPath *);
AstExpr *ast_shortest(Parse *, Token, AstPath *, Token end);
AstExpr *ast_list(Parse *, Token, const AstExprs *, Token end);
AstExpr *ast_comprehension(Parse *, Token, AstName, AstExpr *, AstExpr *, AstExpr *, Token end);
AstExpr *ast_pattern_comprehension(Parse *, Token, AstPath *, AstExpr *, AstExpr *, Token end);
AstExpr *ast_call_function(Parse *, Token, int distinct, const AstExprs *, Token end);
AstExpr *ast_quantifier(Parse *, Token, AstName, AstExpr *, AstExpr *, Token end);
AstExpr *ast_reduce(Parse *, Token, AstName, AstExpr *, AstName, AstExpr *, AstExpr *, Token end);
AstExpr *ast_case(Parse *, Token, AstExpr *, AstExprs, AstExpr *, Token end);
AstExpr *ast_subquery(Parse *, AstKind, Token, AstExpr *sub, Token end);
AstExpr *ast_sub_patterns(Parse *, AstPaths, AstExpr *where);
AstExpr *ast_sub_query(Parse *, AstQuery *);
AstExpr *ast_map(Parse *, Token, AstExpr *entries, Token end);
AstExpr *ast_entry(Parse *, AstExpr *, AstName, AstExpr *);
AstExpr *ast_map_projection(Parse *, AstName, AstExpr *entries, Token end);
AstExpr *ast_parameter(Parse *, Token, AstName);
void ast_create_index(Parse *, int kind, AstName, int tolerant, int on_relationship, AstName label,
                      AstNames, AstExpr *options);
void ast_create_constraint(Parse *, AstName, int tolerant, AstName label, AstNames, int not_null);
void ast_command(Parse *, AstCommandKind, AstName, int tolerant);
void ast_create_topic(Parse *, AstName, int tolerant, AstExpr *options);
void ast_copy_from(Parse *, AstCommandKind, AstName, AstExpr *, AstExpr *options);
void ast_copy_to(Parse *, AstQuery *, AstExpr *, AstExpr *options);

/* ---- made by Lemon from contextql/grammar.y ---- */
void *grammarAlloc(void *(*allocate)(size_t));
void grammar(void *parser, int kind, Token token, Parse *parse);
void grammarFree(void *parser, void (*release)(void *));
size_t grammar_expected(void *parser, int *out);
size_t grammar_depth(const void *parser); /* states on its stack */
#endif
