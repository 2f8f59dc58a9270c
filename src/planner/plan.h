/*
 * plan.h - what the planner hands to execution: a read-only chain of operators over one frame of
 * slots.
 *
 * Every node takes the rows of `input` and gives rows of the same frame: matching extends,
 * filtering drops, projecting fills slots. The chain begins at PLAN_UNIT (one empty row) or, in a
 * sub-plan, at PLAN_ARGUMENT (the rows of the PLAN_APPLY above it, a batch at a time, with their
 * number in `row_slot`). So a cross product is a scan over input rows, and sub-queries run
 * batch-wise.
 *
 * Expressions are bound (expression/expression.h). Names of labels, types and keys are NameRefs:
 * what was unknown when the plan was made is looked up again when the operator first runs.
 *
 * A plan holds no state: execution keeps it beside (execution/execution.h). A plan may be run again
 * and again, by several sessions, until the catalog's version changes.
 */
#ifndef PLANNER_PLAN_H
#define PLANNER_PLAN_H
#include "base/clock.h"
#include "base/meant.h"
#include "expression/functions.h"

#define SLOT_NONE BATCH_SLOT_NONE

typedef enum PlanKind {
    PLAN_UNIT,            /* one empty row */
    PLAN_ARGUMENT,        /* the rows of the Apply above */
    PLAN_NODE_SCAN,       /* every node with all `labels`, for each input row: fills `slot` */
    PLAN_NODE_SEEK,       /* nodes of label labels[0] whose property `key` equals `expr`, or whose
                        `keys` equal the elements of it, a list, through the index on them */
    PLAN_NODE_BY_ID,      /* node whose id is `expr` */
    PLAN_EXPAND,          /* one hop */
    PLAN_EXPAND_VARIABLE, /* min..max hops, trails */
    PLAN_RELATIONSHIP_BY_ID, /* relationship whose id is `expr`: its ends come behind */
    PLAN_RELATIONSHIP_ENDS,  /* `relationship` is bound already: fills or checks its ends, type and
                               direction */
    PLAN_WALK,     /* a list of relationships is bound already: fills or checks the ends of
                               the trail it is */
    PLAN_SHORTEST, /* one or all shortest trails between two bound nodes */
    PLAN_REACH,  /* nodes that a trail of at most hops_max leads to, each once a row; hops_min is 0
                   or 1 */
    PLAN_COUNT,  /* each row as often as there are nodes with all `labels`, or (arms) relationships
                       from them by arms[0] */
    PLAN_DEGREE, /* each row as often as there are ways on by arms[0], or pairs of ways by arms[0]
                       and arms[1] */
    PLAN_INTERSECT, /* nodes that both arms lead to: fills `slot`, or only counts them (NONE) */
    PLAN_LINK,      /* each row as often as arms[0] leads to the node in to_slot */
    PLAN_FILTER,    /* predicate */
    PLAN_PROJECT,   /* fills slots from expressions */
    PLAN_UNWIND, /* one row an element of `expr`: a list; null gives none; another value itself */
    PLAN_AGGREGATE, /* group and aggregate; without keys exactly one row */
    PLAN_DISTINCT,  /* over `slots` */
    PLAN_SORT,      /* stable; with `limit` the first so many only */
    PLAN_SKIP,
    PLAN_LIMIT,
    PLAN_UNION, /* rows of each branch, in turn */
    PLAN_APPLY, /* a sub-plan for each input row */
    PLAN_CREATE,
    PLAN_MERGE,
    PLAN_SET,
    PLAN_REMOVE,
    PLAN_DELETE,
    PLAN_FOREACH,
    PLAN_LOAD,   /* LOAD FROM: one map a row */
    PLAN_CALL,   /* a procedure, for each input row */
    PLAN_SCORE,  /* VECTOR .. SIMILAR TO */
    PLAN_RANK,   /* RANK BY */
    PLAN_ENTER,  /* outer rows come into a MATCH at another moment: items[i].slot becomes what
                    items[i].expr, a slot, was then, or null */
    PLAN_LEAVE,  /* ... and rows leave it: below, the graph is that of `moment` */
    PLAN_PRODUCE /* root of a statement that gives rows: `slots` in the order of the columns */
} PlanKind;

typedef enum PlanDirection { PLAN_OUT, PLAN_IN, PLAN_BOTH } PlanDirection;

typedef struct PlanItem { /* PROJECT; keys of AGGREGATE; SORT (slot unused) */
    uint32_t slot;
    bool descending;
    Expr *expr;
} PlanItem;

typedef struct PlanAggregateItem {
    uint32_t slot;
    AggregateSpec spec;
} PlanAggregateItem;

typedef struct PlanProperty { /* key: value of a pattern that is written */
    NameRef key;
    Expr *expr;
} PlanProperty;

typedef struct PlanCreateNode {
    uint32_t slot;
    NameRef *labels;
    uint32_t label_count;
    PlanProperty *properties;
    uint32_t property_count;
    Expr *map; /* properties given as a map or parameter; NULL: none */
} PlanCreateNode;

typedef struct PlanCreateRelationship {
    uint32_t slot, from_slot, to_slot;
    NameRef type;
    PlanProperty *properties;
    uint32_t property_count;
    Expr *map;
} PlanCreateRelationship;

typedef enum PlanSetKind {
    SET_PROPERTY,    /* target.key = expr; null removes */
    SET_ADD_MAP,     /* target += expr */
    SET_REPLACE_MAP, /* target = expr (a map, or an entity whose properties are copied) */
    SET_LABELS,      /* target:labels */
    REMOVE_PROPERTY,
    REMOVE_LABELS
} PlanSetKind;

typedef struct PlanSetItem {
    PlanSetKind kind;
    Expr *target; /* gives a node or relationship, or null: then nothing happens */
    NameRef key;
    NameRef *labels;
    uint32_t label_count;
    Expr *expr;
} PlanSetItem;

typedef enum PlanApplyKind {
    APPLY_OPTIONAL, /* every row with its inner rows; a row without any once, `null_slots` null */
    APPLY_ROWS,     /* CALL { }: every row with its inner rows */
    APPLY_EXISTS,   /* out_slot: is there an inner row */
    APPLY_COUNT,    /* out_slot: how many */
    APPLY_COLLECT,  /* out_slot: list of inner `collect_slot` */
    APPLY_UNIT      /* CALL { } that only writes: the row as it was */
} PlanApplyKind;

typedef enum PlanMetric { METRIC_COSINE, METRIC_DOT, METRIC_L2 } PlanMetric;

typedef struct PlanScoreLeg { /* one argument of RANK BY */
    bool vector; /* VECTOR slot.key SIMILAR TO query; else `expr` gives a number a row */
    uint32_t slot;
    NameRef key;
    Expr *expr; /* the query vector, or the number */
    PlanMetric metric;
    uint32_t dimensions; /* as an index on the property declares them; 0: none does */
} PlanScoreLeg;

/* A relationship of the same pattern that must be another one, told by its ends: as seen from the
 * node at hand it starts in `near` and ends in `far`. Where neither relationship is asked for, one
 * of those between the two is left out, whichever it is. */
typedef struct PlanApart {
    uint32_t near, far;
} PlanApart;

/* One hop whose relationship nobody asks for. */
typedef struct PlanArm {
    uint32_t from_slot;
    PlanDirection direction;
    NameRef *types; /* none: all */
    uint32_t type_count;
    NameRef *labels; /* of the node it leads to */
    uint32_t label_count;
    PlanApart *apart;
    uint32_t apart_count;
    bool loops; /* only from a node to itself */
    /* Ways to a node other than the one in unlike_slot; with a key: to one whose property is not equal
     * to its, and neither is null. Of DEGREE with one arm. */
    bool unlike;
    uint32_t unlike_slot;
    NameRef unlike_key; /* no text: the nodes themselves are compared */
} PlanArm;

/* What a filter right above a scan wants of a property, so that nodes are found by an index, or blocks in
 * which no node has it can be left out; the filter stays. */
typedef struct PlanRange {
    NameRef key;
    ExprKind comparison; /* of the property with `bound`, a constant or parameter; or STARTS WITH */
    Expr *bound;
    bool indexed; /* an index may be asked */
} PlanRange;

typedef struct PlanNode PlanNode;
struct PlanNode {
    PlanKind kind;
    PlanNode *input;       /* NULL for UNIT, ARGUMENT */
    size_t offset, length; /* clause in the statement */
    double estimated_rows; /* < 0: no estimate */
    uint32_t id; /* position in the plan, for PROFILE; unique in the plan, below Plan.node_count */
    bool streaming; /* a writing node that may write as rows come, because nobody before it can tell
                     */

    uint32_t slot;   /* what SCAN, SEEK, UNWIND, LOAD, SCORE (score), RANK (score) fill */
    NameRef *labels; /* of SCAN, SEEK; EXPAND, REACH: of the node in to_slot, COUNT: see there */
    uint32_t label_count;
    Expr *expr; /* FILTER predicate; UNWIND, SKIP, LIMIT, SEEK key, LOAD source; SORT: its limit or
                   NULL */
    bool lenient;  /* FILTER: rows that make it fail go on, to one behind the whole pattern, */
    bool again;    /* ... which this is: where no row failed it lets all through */
    bool masks;    /* FILTER: it looks at the node in `slot` alone, which comes again and again */
    Expr *options; /* USING map, or NULL */
    NameRef key;   /* SEEK, SCORE, SCAN in order: property */
    NameRef *keys; /* SEEK by an index on several: the first of them, or all */
    uint32_t key_count;
    PlanRange *ranges; /* SCAN */
    uint32_t range_count;
    bool by_index;   /* SCAN: an index has the values of one of the ranges, or of `key`, in order */
    bool in_order;   /* SCAN: nodes come by their `key`, those that lack it last, */
    bool descending; /* ... or by it downwards, and those first; */
    bool no_lack;    /* ... or nobody wants those */
    double
        range_rows; /* SCAN by index, SEEK by several properties: nodes it gives, as far as is known */

    /* EXPAND, EXPAND_VARIABLE, RELATIONSHIP_*, SHORTEST */
    uint32_t from_slot, to_slot,
        relationship_slot; /* relationship_slot NONE: nobody asks; a list of them when variable */
    bool to_bound; /* to_slot has a value: check instead of fill (also RELATIONSHIP_ENDS, WALK:
                              from_bound) */
    bool from_bound;
    PlanDirection direction;
    NameRef *types; /* none: all */
    uint32_t type_count;
    uint32_t *different; /* slots of relationships or lists of them that this one must not repeat
                            (one pattern, one trail) */
    uint32_t different_count;
    int64_t hops_min, hops_max; /* hops_max -1: no bound */
    PlanApart *apart;           /* EXPAND without relationship_slot: like `different` */
    uint32_t apart_count;
    /* COUNT, DEGREE, INTERSECT, LINK. DEGREE of two arms that may be one relationship: arms[2] leads
     * over those, which are no pairs. */
    PlanArm *arms;
    uint32_t arm_count;
    bool counted;   /* REACH: each row as often as it reaches nodes, which nobody asks for */
    bool twins;     /* INTERSECT: both arms may be the same relationship, which does not count: when
                       they start at the same node, */
    bool twin_loop; /* and end there, too */
    Expr *step; /* VARIABLE, SHORTEST: predicate over EXPR_LOCAL `step_local` = each relationship;
                   NULL: none */
    uint32_t step_local;
    bool all_shortest;
    uint32_t path_slot; /* SHORTEST: the path; NONE otherwise */

    PlanItem *items; /* PROJECT, SORT, AGGREGATE keys */
    uint32_t item_count;
    PlanAggregateItem *aggregates;
    uint32_t aggregate_count;
    uint32_t *slots; /* DISTINCT, PRODUCE, UNION (out); APPLY: null_slots */
    uint32_t slot_count;

    PlanNode **
        branches; /* UNION: roots; branch b's column c stands in branch_slots[b * slot_count + c] */
    uint32_t branch_count;
    uint32_t *branch_slots;

    PlanNode *inner; /* APPLY, MERGE (the match), FOREACH (the updates): ends in ARGUMENT */
    PlanApplyKind apply;
    uint32_t moment, outer_moment; /* ENTER, LEAVE: of the plan's, inside and outside */
    uint32_t row_slot;             /* hidden: number of the outer row in its batch */
    uint32_t out_slot, collect_slot;

    PlanCreateNode *create_nodes; /* CREATE, MERGE */
    uint32_t create_node_count;
    PlanCreateRelationship *create_relationships;
    uint32_t create_relationship_count;
    uint32_t create_room[3]; /* the planner's: capacities of nodes, relationships, path_items */
    PlanSetItem *set_items;  /* SET, REMOVE; MERGE: ON CREATE */
    uint32_t set_item_count;
    PlanSetItem *match_items; /* MERGE: ON MATCH */
    uint32_t match_item_count;
    PlanItem *path_items; /* CREATE, MERGE: named paths, made after the entities */
    uint32_t path_item_count;

    Expr **exprs; /* DELETE; CALL arguments */
    uint32_t expr_count;
    bool detach;

    Str procedure;                     /* CALL */
    const struct Algorithm *algorithm; /* CALL: of the engine's own; NULL: a program's */
    Str *yields;                       /* names of result columns taken, into `slots` */

    /* SCORE, RANK */
    Str strategy; /* RANK; SCORE uses `metric` */
    PlanMetric metric;
    PlanScoreLeg *legs; /* SCORE: one */
    uint32_t leg_count;
    Expr *limit;       /* NULL: every row is scored and kept */
    uint32_t per_slot; /* LIMIT k PER v; NONE */
};

/* A sub-query inside a comprehension: EXPR_SUBQUERY runs it for one row and the values of its args,
 * which become `slots`. */
typedef struct PlanSubquery {
    PlanApplyKind kind; /* EXISTS, COUNT, COLLECT */
    PlanNode *inner;
    uint32_t collect_slot;
    uint32_t *slots;
    uint32_t slot_count;
} PlanSubquery;

typedef enum PlanStatement {
    STATEMENT_QUERY,
    STATEMENT_CREATE_INDEX,
    STATEMENT_DROP_INDEX,
    STATEMENT_CREATE_SNAPSHOT,
    STATEMENT_DROP_SNAPSHOT,
    STATEMENT_COPY_NODES,
    STATEMENT_COPY_RELATIONSHIPS,
    STATEMENT_COPY_TO,
    STATEMENT_SHOW,
    STATEMENT_BEGIN,
    STATEMENT_COMMIT,
    STATEMENT_ROLLBACK
} PlanStatement;

typedef struct PlanIndex {                  /* CREATE INDEX, DROP INDEX */
    Str name;                               /* empty: made from label and property */
    bool vector, on_relationship, tolerant; /* IF NOT EXISTS, IF EXISTS */
    bool is_constraint;                     /* CREATE or DROP CONSTRAINT */
    uint8_t constraint;                     /* GraphConstraint (graph/graph.h) */
    Str label, *properties;
    uint32_t property_count; /* at most GRAPH_INDEX_KEYS_MAX, each once */
    Expr *options;
} PlanIndex;

typedef struct PlanMoment { /* AT SNAPSHOT, AT TIMESTAMP */
    Expr *expr;             /* which, or when; NULL: the present */
    bool timestamp;
    size_t offset, length;
} PlanMoment;
enum { PLAN_MOMENTS_MAX = ENTITY_MOMENTS_MAX };

typedef struct PlanWarning {
    ErrorCode code;
    const char *message, *hint;
    size_t offset, length;
} PlanWarning;

typedef struct Plan {
    PlanStatement statement;
    bool explain, profile;
    int64_t parse_ns; /* how long parsing took */
    bool writes;      /* takes the writer token */
    bool gives_rows;
    PlanNode *root;                       /* QUERY, COPY_TO */
    PlanMoment moments[PLAN_MOMENTS_MAX]; /* the first is the whole statement's */
    uint32_t moment_count;                /* at least one */
    const PlanNode *key_seek;             /* the plan is right only while this finds one node at
                                           * most (planner_holds); NULL: it always is */
    PlanSubquery *subqueries;             /* by index of EXPR_SUBQUERY */
    uint32_t subquery_count;
    uint32_t node_count;
    uint32_t slot_count;
    const char **slot_names; /* for EXPLAIN; NULL entries are hidden slots */
    Str *columns; /* names of the result's columns. EXPLAIN and PROFILE: one, "plan". COPY FROM:
                   * read, created, matched, skipped, columns. COPY TO: written. SHOW: as
                   * execution/command.c gives them (names in planner/command.c) */
    uint32_t column_count;
    Str *parameters; /* by index of EXPR_PARAMETER */
    uint32_t parameter_count;
    PlanWarning *warnings;
    uint32_t warning_count;
    PlanIndex index;
    Str name; /* SHOW what; COPY: label or type; CREATE, DROP SNAPSHOT: which, may be empty */
    Expr *source, *options; /* COPY: file; USING */
    Str *copied;            /* COPY_TO: names of the columns written, root->slot_count of them */
} Plan;

enum { PLAN_SHOW_COLUMNS = 9 };
typedef struct
    PlanShow { /* SHOW what, in one line, and its columns, NULL behind the last of fewer */
    const char *what, *meaning, *columns[PLAN_SHOW_COLUMNS];
} PlanShow;
/* The i-th; NULL: there are no more. */
const PlanShow *plan_show_at(size_t i);
const char *plan_kind_name(PlanKind kind); /* "Expand", as EXPLAIN says it */

/* Binds and plans `text` (one statement) in `arena`. `names` looks up labels, types, keys and
 * indexes of the present version; procedures and registered functions come from `environment`.
 * Errors have a place and are compile-time ones. */
struct GraphView;
typedef struct PlanProcedure {
    Str name;
    uint32_t argument_count, yield_count;
    const Str *argument_names, *yield_names;
    const uint8_t *argument_types, *yield_types; /* ValueKind, EXPR_TYPE_ANY, or PROCEDURE_NUMBER */
} PlanProcedure;
enum { PROCEDURE_NUMBER = EXPR_TYPE_ANY + 1 }; /* integer or float */

typedef struct PlanEnvironment { /* what the session adds; every member may be NULL */
    void *state;
    const Function *(*function)(void *state, Str name);
    /* A procedure's shape: false if there is none of that name. Arrays live as long as the session.
     */
    bool (*procedure)(void *state, Str name, const PlanProcedure **out);
    void (*see_procedures)(void *state, Meant *nearest); /* all there are */
    const struct StrategyRegistry *strategies;
    const Clock *clock; /* NULL: how long parsing took is not measured */
    bool strict_names;
    bool plain; /* plans are not made faster by rewriting: for tests */
    Str at;     /* at which moment queries look that say none, as behind AT; empty: the present */
} PlanEnvironment;

Error *planner_plan(Arena *arena, Str text, const struct GraphView *view,
                    const PlanEnvironment *environment, Plan **out) MUST_CHECK;

/* Does what the plan was made under still hold? Else the statement is to be planned anew. */
bool planner_holds(const Plan *plan, const struct GraphView *view);

typedef struct PlanProfile { /* what a run gave, by node id */
    const uint64_t *rows;
    const int64_t *elapsed_ns;
    const MemTally *memory;     /* NULL: nobody asked */
    const uint64_t *file_bytes; /* written for want of memory */
} PlanProfile;

/* The plan as rows: an operator each, the last one first, sub-plans deeper by two blanks. notes[node
 * id] (NULL: none) stands behind the operator. */
typedef struct ExplainRow {
    Str text;
    bool is_operator;      /* else the title of a sub-plan */
    double estimated_rows; /* below 0: not known */
    uint64_t rows;
    /* Without the operators it took its rows from; memory_bytes: the most it held. */
    int64_t own_ns;
    uint64_t memory_bytes, file_bytes;
} ExplainRow;
enum { EXPLAIN_COLUMNS = 2, PROFILE_COLUMNS = 6 }; /* plan, estimated; rows, ms, memory, files */
/* `profile` NULL: it did not run. */
const ExplainRow *planner_explain(Arena *arena, const Plan *plan, const PlanProfile *profile,
                                  const char *const *notes, size_t *count);
#endif
