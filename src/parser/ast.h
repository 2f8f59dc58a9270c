/*
 * ast.h - what the parser makes of a statement, and what else it can tell about a text.
 *
 * Everything lives in the arena given to parser_parse and may borrow from the text. Every node
 * knows its place (offset and length in bytes), so that errors get carets and columns get their
 * verbatim names. Nothing here is checked beyond the grammar: names, kinds and scopes are the
 * planner's business.
 */
#ifndef PARSER_AST_H
#define PARSER_AST_H
#include "base/error.h"
#include "base/str.h"

enum {
    QUERY_BYTES_MAX = 64 << 20, /* a statement is held in memory several times over; data belongs
                                   into files and parameters */
    QUERY_TOKENS_MAX = 4 << 20, /* a token costs about 200 bytes of tree */
    QUERY_DEPTH_MAX = 1000,     /* brackets in brackets */
    QUERY_LEVELS_MAX = 5000     /* operators in operators, clauses behind clauses, hops: what comes
                                   after the parser walks by recursion, and 8 MiB of stack end
                                   between 20,000 and 30,000 levels (src/parser/levels.c) */
};

typedef enum AstKind {
    AST_NULL,
    AST_BOOLEAN,        /* flag */
    AST_INTEGER,        /* integer */
    AST_FLOAT,          /* number */
    AST_STRING,         /* text, escapes undone */
    AST_PARAMETER,      /* text: name without $ */
    AST_VARIABLE,       /* text */
    AST_PROPERTY,       /* a.text */
    AST_INDEX,          /* a[b] */
    AST_SLICE,          /* a[b..c], b and c may be NULL */
    AST_LABELS,         /* a:names */
    AST_LIST,           /* list */
    AST_MAP,            /* names[i]: list[i] */
    AST_MAP_PROJECTION, /* a {..}: names[i]: list[i]; a list[i] of AST_STAR is .* ; see
                           ast_projection in parser/ast.c */
    AST_STAR,
    AST_CALL, /* text(list), flag: DISTINCT */
    AST_COUNT_STAR,
    AST_NOT,
    AST_NEGATE,
    AST_PLUS,
    AST_AND,
    AST_OR,
    AST_XOR,
    AST_COMPARE, /* list[0] ops[0] list[1] ops[1] ...: a chain is an AND of its links */
    AST_ADD,
    AST_SUBTRACT,
    AST_MULTIPLY,
    AST_DIVIDE,
    AST_MODULO,
    AST_POWER,
    AST_IN,
    AST_CONTAINS,
    AST_STARTS_WITH,
    AST_ENDS_WITH,
    AST_REGEX,
    AST_MATCHES, /* full text */
    AST_IS_NULL,
    AST_IS_NOT_NULL,
    AST_CASE, /* a: the operand or NULL; list: when, then, when, then ..; b: else or NULL */
    AST_COMPREHENSION,         /* [text IN a WHERE b | c], b and c may be NULL */
    AST_QUANTIFIER,            /* op(text IN a WHERE b), integer: AstQuantifier */
    AST_REDUCE,                /* reduce(text = a, text2 IN b | c) */
    AST_PATTERN,               /* a pattern as a predicate: pattern */
    AST_PATTERN_COMPREHENSION, /* [pattern WHERE b | c] */
    AST_SHORTEST,              /* shortestPath(..) as an expression: pattern */
    AST_EXISTS,                /* EXISTS { query } or { patterns WHERE b } */
    AST_COUNT,                 /* COUNT { .. } */
    AST_COLLECT                /* COLLECT { query } */
} AstKind;

typedef enum AstQuantifier { AST_ALL, AST_ANY, AST_NONE, AST_SINGLE } AstQuantifier;
typedef enum AstCompare { AST_EQ, AST_NE, AST_LT, AST_GT, AST_LE, AST_GE } AstCompare;
typedef enum AstDirection { AST_OUT, AST_IN_DIRECTION, AST_BOTH } AstDirection;
typedef enum AstShortest { AST_ANY_PATH, AST_SHORTEST_ONE, AST_SHORTEST_ALL } AstShortest;

typedef struct AstExpr AstExpr;
typedef struct AstQuery AstQuery;

typedef struct AstName {
    Str text; /* bytes 0: there is none */
    size_t offset, length;
} AstName;

typedef struct AstNames {
    AstName *items;
    size_t count, capacity;
} AstNames;

typedef struct AstExprs {
    AstExpr **items;
    size_t count, capacity;
} AstExprs;

typedef struct AstNode {
    AstName variable;
    AstNames labels;     /* all of them */
    AstExpr *rule;       /* and what else is said of its labels, or NULL: parser/conditions.c */
    AstExpr *properties; /* AST_MAP, AST_PARAMETER or NULL */
    AstExpr *where;      /* taken into that of the clause */
    size_t offset, length;
} AstNode;

typedef struct AstRelationship {
    AstName variable;
    AstNames types;
    AstExpr *properties, *where;
    AstDirection direction;
    bool variable_length;
    bool has_min, has_max; /* *2..3; *2 has both, equal */
    int64_t min, max;
    size_t offset, length;
} AstRelationship;

typedef struct AstPath { /* node_count nodes with node_count - 1 relationships between them */
    AstName variable;
    AstShortest shortest;
    AstNode *nodes;
    AstRelationship *relationships;
    size_t node_count, capacity;
    size_t offset, length;
} AstPath;

typedef struct AstPaths {
    AstPath **items;
    size_t count, capacity;
} AstPaths;

struct AstExpr {
    AstKind kind;
    bool flag;
    bool parenthesized;
    size_t offset, length;
    Str text, text2;
    int64_t integer;
    double number;
    AstExpr *a, *b, *c;
    AstExprs list;
    AstNames names;
    AstCompare *ops; /* AST_COMPARE */
    AstPath *pattern;
    AstPaths patterns; /* AST_EXISTS, AST_COUNT without a query */
    AstQuery *query;
};

typedef struct AstItem { /* expr [AS alias] */
    AstExpr *expr;
    AstName alias;
    bool descending; /* as a sort key */
} AstItem;

typedef struct AstItems {
    AstItem *items;
    size_t count, capacity;
    bool star;
} AstItems;

typedef enum AstTime { AST_NOW, AST_AT_SNAPSHOT, AST_AT_TIMESTAMP } AstTime;

typedef enum AstSetKind {
    AST_SET_PROPERTY,
    AST_SET_REPLACE,
    AST_SET_ADD,
    AST_SET_LABELS,
    AST_REMOVE_PROPERTY,
    AST_REMOVE_LABELS
} AstSetKind;

typedef struct AstSet {
    AstSetKind kind;
    AstExpr *target; /* property access, variable, or the entity of labels */
    AstNames labels;
    AstExpr *value;
    size_t offset, length;
} AstSet;

typedef struct AstSets {
    AstSet *items;
    size_t count, capacity;
} AstSets;

typedef struct AstScore { /* VECTOR a SIMILAR TO q, TEXT a MATCHES q */
    bool text;
    AstName variable, property; /* either may be absent */
    AstExpr *query;
    size_t offset, length;
} AstScore;

typedef struct AstLeg { /* argument of a strategy */
    AstScore *score;    /* or */
    AstExpr *expr;
} AstLeg;

typedef struct AstLegs {
    AstLeg *items;
    size_t count, capacity;
} AstLegs;

typedef enum AstClauseKind {
    CLAUSE_MATCH,  /* patterns, where; optional; time */
    CLAUSE_UNWIND, /* expr AS name */
    CLAUSE_WITH,   /* distinct, items, order, skip, limit, where */
    CLAUSE_RETURN,
    CLAUSE_CREATE, /* patterns */
    CLAUSE_MERGE,  /* patterns (one), on_create, on_match */
    CLAUSE_SET,    /* sets */
    CLAUSE_REMOVE,
    CLAUSE_DELETE, /* exprs, detach */
    CLAUSE_CALL,   /* names (dotted), exprs, has_arguments; yields, yield_star, yield_none, where */
    CLAUSE_CALL_QUERY, /* query; in_transactions, limit (rows) */
    CLAUSE_FOREACH,    /* name IN expr | clauses */
    CLAUSE_SCORE,      /* score USING options LIMIT limit PER per AS name WHERE where */
    CLAUSE_RANK,       /* name2 = strategy, legs, options, limit, per, name, where */
    CLAUSE_SEARCH,     /* per = variable, name2 = index, expr, where, limit, name = score column */
    CLAUSE_LOAD,       /* expr USING options AS name; csv: LOAD CSV, headers, delimiter */
    CLAUSE_SUBSCRIBE,  /* name2 = topic (topic_pattern: 'a.*'), expr = from or NULL, name */
    CLAUSE_PUBLISH     /* expr TO name2 USING options */
} AstClauseKind;

typedef struct AstClause {
    AstClauseKind kind;
    size_t offset, length; /* of the clause's first word */
    bool optional, distinct, detach, has_arguments, yield_none, yield_star, yield, in_transactions,
        csv, headers, topic_pattern;
    AstTime time;
    AstExpr *at;
    AstPaths patterns;
    AstExpr *where, *expr, *skip, *limit, *options, *delimiter;
    AstItems items, order, yields; /* yields: variables with alias */
    AstName name, name2, per;
    AstNames names;
    AstExprs exprs;
    AstSets sets, match_sets; /* SET, REMOVE; MERGE: ON CREATE, ON MATCH */
    AstScore *score;
    AstLegs legs;
    AstQuery *query;
    struct AstClauses *clauses;
} AstClause;

typedef struct AstClauses {
    AstClause **items;
    size_t count, capacity;
} AstClauses;

struct AstQuery { /* single (UNION [ALL] single)* */
    AstClauses *parts;
    bool *all; /* all[i]: UNION ALL before part i */
    size_t count, capacity;
    size_t offset, length;
};

typedef enum AstCommandKind {
    COMMAND_QUERY,
    COMMAND_CREATE_INDEX, /* index_kind, name, tolerant, label, on_relationship, properties, options
                           */
    COMMAND_DROP_INDEX,   /* name, tolerant */
    COMMAND_CREATE_CONSTRAINT, /* name, tolerant, label, properties, not_null */
    COMMAND_DROP_CONSTRAINT,
    COMMAND_CREATE_SNAPSHOT,
    COMMAND_DROP_SNAPSHOT,
    COMMAND_CREATE_TOPIC, /* name (dots included), tolerant, options */
    COMMAND_DROP_TOPIC,
    COMMAND_COPY_NODES, /* label, expr (file), options */
    COMMAND_COPY_RELATIONSHIPS,
    COMMAND_COPY_TO, /* query, expr, options */
    COMMAND_SHOW,    /* name */
    COMMAND_BEGIN,
    COMMAND_COMMIT,
    COMMAND_ROLLBACK
} AstCommandKind;

typedef enum AstIndexKind { AST_INDEX_PROPERTY, AST_INDEX_VECTOR, AST_INDEX_TEXT } AstIndexKind;

typedef struct AstStatement {
    AstCommandKind kind;
    bool explain, profile, tolerant, on_relationship, not_null;
    AstTime time;
    AstExpr *at;
    AstQuery *query;
    AstIndexKind index_kind;
    AstName name, label;
    AstNames properties;
    AstExpr *expr, *options;
    size_t offset, length;
} AstStatement;

/* Parses one statement; a `;` may end it. Errors have a place, and an expected list where the
 * grammar refused. */
Error *parser_parse(Arena *arena, Str text, AstStatement **out) MUST_CHECK;

/* ---- what else a text tells ---- */

/* Behind the `;` of the first statement, or text.bytes when it has none (*complete, which may be
 * NULL, is then false). */
size_t parser_statement_end_of(Str text, bool *complete);
size_t parser_statement_end(Str text);
bool parser_is_blank(Str text); /* blanks, comments and a `;` at most */

typedef enum TokenClass {
    TOKEN_CLASS_NAME,
    TOKEN_CLASS_KEYWORD,
    TOKEN_CLASS_STRING,
    TOKEN_CLASS_NUMBER,
    TOKEN_CLASS_PARAMETER,
    TOKEN_CLASS_OPERATOR,
    TOKEN_CLASS_BRACKET,
    TOKEN_CLASS_COMMENT,
    TOKEN_CLASS_FUNCTION,
    TOKEN_CLASS_LABEL,
    TOKEN_CLASS_BAD
} TokenClass;
typedef struct TokenSpan {
    size_t offset, length;
    TokenClass class;
} TokenSpan;
/* Every token and comment of `text`, for highlighting; any text at all will do. Gives how many
 * there are; writes at most `max`. */
size_t parser_tokens(Str text, TokenSpan *out, size_t max);

/* The tokens that may stand behind the first `cursor` bytes, as text ("MATCH", ")", "a name");
 * exact: what the parser would take. Constants, at most `max`. */
size_t parser_expected(Str text, size_t cursor, const char **out, size_t max);

/* Does the grammar refuse a statement that is still being typed? Gives the place of the token that
 * cannot be shifted. The end of the text, and a word that touches it, refuse nothing yet. */
bool parser_refuses(Str text, size_t *offset, size_t *length);

size_t parser_keyword_count(void);
const char *parser_keyword(size_t i, const char **meaning); /* sorted */
#endif
