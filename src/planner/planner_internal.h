/* planner_internal.h - the binder's state, shared by the files of this folder. */
#ifndef PLANNER_PLANNER_INTERNAL_H
#define PLANNER_PLANNER_INTERNAL_H
#include "graph/graph.h"
#include "parser/ast.h"
#include "planner/plan.h"

typedef enum VariableKind {
    VARIABLE_VALUE,
    VARIABLE_NODE,
    VARIABLE_RELATIONSHIP,
    VARIABLE_RELATIONSHIPS,
    VARIABLE_PATH
} VariableKind;

typedef struct Variable {
    Str name;
    VariableKind kind;
    uint32_t slot;
    uint8_t type; /* ValueKind or EXPR_TYPE_ANY */
    bool nullable;
    NameRef *labels; /* of a node, where a pattern named them: for warnings and implied targets */
    uint32_t label_count;
} Variable;

typedef struct Scope {
    Variable *items;
    size_t count, capacity;
} Scope;

typedef struct Local { /* variable of a comprehension */
    Str name;
    uint32_t index;
    uint8_t type;
} Local;

enum { LOCALS_IN_SCOPE_MAX = 64 };

typedef struct MadeName { /* a name that the statement itself brings into the graph */
    Str text;
    NameKind kind;
    struct MadeName *next;
} MadeName;

typedef struct Binder {
    Arena *arena;
    Str text;
    const GraphView *view;
    const PlanEnvironment *environment;
    Plan *plan;
    Scope scope;
    PlanNode *chain; /* what has been planned so far */
    Local locals[LOCALS_IN_SCOPE_MAX];
    uint32_t local_count, local_next;
    uint32_t local_floor; /* locals below belong to an expression around this sub-query */
    bool aggregates_allowed, in_aggregate;
    bool patterns_allowed; /* pattern predicates: in conditions only */
    bool saw_aggregate;
    bool run_subqueries; /* by the evaluator, not on the chain (EXPR_SUBQUERY) */
    MadeName *made;      /* by clauses before: known to those behind */
    bool writing;        /* inside something that writes: nothing to warn about */
    size_t parameter_capacity, warning_capacity;
    uint32_t moment;    /* of the plan's: the one at hand */
    uint32_t depth;     /* of sub-queries */
    uint32_t part_slot; /* slots below belong to other parts of a UNION */
} Binder;

/* ---- binder.c ---- */
PlanNode *plan_node(Binder *binder, PlanKind kind, size_t offset,
                    size_t length);          /* on top of binder->chain, becomes it */
uint32_t new_slot(Binder *binder, Str name); /* empty name: hidden */
Variable *scope_find(Scope *scope, Str name);
Variable *scope_add(Binder *binder, Str name, VariableKind kind, uint8_t type);
Scope scope_copy(Binder *binder);
uint32_t *scope_slots(Binder *binder, uint32_t *count);
NameRef name_ref(Binder *binder, NameKind kind, AstName name,
                 bool reading); /* warns of what nobody has, when reading */
NameRef *name_refs(Binder *binder, NameKind kind, const AstNames *names, bool reading);
Error *fail_at(ErrorCode code, size_t offset, size_t length, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
Error *not_executed(const char *what, size_t offset, size_t length);
Error *undefined_variable(Binder *binder, Str name, size_t offset, size_t length);

/* ---- bind_expression.c ---- */
Error *bind(Binder *binder, const AstExpr *ast, Expr **out);
/* A condition: pattern predicates may stand in it, aggregates may not; certain non-booleans are
 * refused. */
Error *bind_condition(Binder *binder, const AstExpr *ast, Expr **out);
/* Whatever properties the entities have: no row makes it fail. */
bool expr_never_fails(const Expr *expr);
/* What no row is behind (options, files, SKIP, LIMIT): constants, parameters, functions of them. */
Error *bind_alone(Binder *binder, const AstExpr *ast, const char *what, Expr **out);
Error *bind_number(Binder *binder, const AstExpr *ast, const char *what,
                   Expr **out); /* SKIP, LIMIT: constant, not negative */
bool has_aggregate(const Expr *expr);
bool ast_has_subquery(const AstExpr *ast);
Expr *expr_and(Binder *binder, Expr *a, Expr *b); /* a may be NULL */
Expr *expr_binary(Binder *binder, ExprKind kind, Expr *a, Expr *b);
/* What a label expression (parser/conditions.c) says of the node in a slot. */
Expr *labels_rule(Binder *binder, uint32_t slot, const AstExpr *rule);

/* ---- match.c ---- */
Error *plan_patterns(Binder *binder, const AstPaths *paths, const AstExpr *where, bool merge);
Error *plan_match(Binder *binder, const AstClause *clause);
/* One more moment of the plan. */
Error *plan_moment(Binder *binder, AstTime time, const AstExpr *at, PlanMoment *out);
/* Does a node or relationship in the first `count` paths have that name? */
bool pattern_names(const AstPaths *paths, size_t count, Str name);
/* The one of the session, written as behind AT. */
Error *plan_session_moment(Binder *binder, Str at, PlanMoment *out);
/* Is a MATCH planned by plan_match_apart? One at the moment at hand is, too, once there are several,
 * if it knows entities: they may be of another one. */
bool match_is_apart(const Binder *binder, const AstClause *clause);
Error *plan_match_apart(Binder *binder, const AstClause *clause);
/* `count` of them from `from` on, MATCHes that can be walked in one order. */
Error *plan_matches(Binder *binder, const AstClauses *clauses, size_t from, size_t count);
/* Is there a slot for two more? Asked before every push_local. */
Error *room_for_locals(const Binder *binder, size_t offset, size_t length) MUST_CHECK;
uint32_t push_local(Binder *binder, Str name, uint8_t type);
void pop_local(Binder *binder, uint32_t count);

/* ---- subquery.c ---- */
/* Plans patterns (or a query) as an inner chain over the present scope and puts an APPLY of `kind`
 * on the chain. */
Error *plan_apply(Binder *binder, PlanApplyKind kind, const AstPaths *paths, const AstExpr *where,
                  const AstQuery *query, const AstExpr *collect, size_t offset, size_t length,
                  uint32_t *out_slot);

/* The same inside a comprehension, whose variables are no rows: the plan keeps the chain, and `out`
 * is an expression that runs it. */
Error *plan_subquery(Binder *binder, PlanApplyKind kind, const AstPaths *paths, const AstExpr *ast,
                     uint8_t type, Expr **out);

/* ---- projection.c ---- */
Error *plan_projection(Binder *binder, const AstClause *clause, Str **columns, uint32_t **slots,
                       uint32_t *count);

/* ---- write.c ---- */
Error *plan_create(Binder *binder, const AstClause *clause);
Error *plan_merge(Binder *binder, const AstClause *clause);
Error *plan_set(Binder *binder, const AstClause *clause);
Error *plan_delete(Binder *binder, const AstClause *clause);

/* ---- extension.c ---- */
Error *plan_score(Binder *binder, const AstClause *clause, const AstClause *before);
Error *plan_rank(Binder *binder, const AstClause *clause, const AstClause *before);
Error *plan_search(Binder *binder, const AstClause *clause);
Error *plan_load(Binder *binder, const AstClause *clause);

/* ---- query.c ---- */
typedef struct QueryResult {
    Str *columns;
    uint32_t *slots;
    uint32_t count;
    bool gives_rows;
    bool imports;  /* given: outer variables are seen only by a WITH at the beginning, as in CALL */
    bool open_end; /* given: the query need not end with RETURN, as in EXISTS { MATCH .. } */
} QueryResult;
Error *plan_query(Binder *binder, const AstQuery *query, QueryResult *out);
Error *plan_clauses(Binder *binder, const AstClauses *clauses, QueryResult *out);
bool clause_writes(const AstClause *clause);

/* ---- rewrite.c ---- */
void plan_rewrite(Binder *binder); /* the plan of a query that does not write, made to do less */

/* ---- range.c ---- */
/* Notes what a condition wants of properties of the nodes that the scan finds. */
void plan_ranges(Binder *binder, PlanNode *scan, const Expr *condition);
typedef struct PlanEqual { /* a condition that a property of a node equals a value */
    NameRef key;
    const Expr *value;
    size_t filter; /* which one, for whoever asks */
} PlanEqual;
typedef struct PlanSeek { /* a SEEK by an index on several properties */
    uint32_t label, count;
    NameRef keys[GRAPH_INDEX_KEYS_MAX];
    Expr *values[GRAPH_INDEX_KEYS_MAX];
    size_t filters[GRAPH_INDEX_KEYS_MAX];
    double rows;
    bool unique;
} PlanSeek;
/* The one that finds least. false: none of the indexes can be asked. */
bool plan_seek_several(const Binder *binder, const NameRef *labels, uint32_t label_count,
                       const PlanEqual *equals, size_t count, PlanSeek *out);
/* Takes out SORTs of a chain that an index makes needless. */
void plan_order_by_index(Binder *binder, PlanNode **root);

/* ---- estimate.c ---- */
void plan_estimate(Binder *binder); /* estimated_rows of every operator, for EXPLAIN and PROFILE */

/* ---- command.c ---- */
Error *plan_command(Binder *binder, const AstStatement *statement);
#endif
