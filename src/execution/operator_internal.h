/* operator_internal.h - what operators share. */
#ifndef EXECUTION_OPERATOR_INTERNAL_H
#define EXECUTION_OPERATOR_INTERNAL_H
#include "execution/execution.h"
#include "runtime/workers.h"

/* What a SORT with a limit tells the operator below: rows that the first key alone puts behind its cut
 * are of no use, and what else they would have need not be found out. */
typedef struct RowCut {
    const Value *const *cut; /* the keys of the worst row that counts; *cut NULL: each row counts */
    uint32_t slot;           /* of the first key */
    bool descending;
} RowCut;

/* What a DISTINCT tells it: of rows that are alike in `slots` one is enough, the first. */
typedef struct RowOnce {
    const uint32_t *slots;
    uint32_t slot_count;
    struct Groups *const *groups; /* those that came so far */
} RowOnce;

typedef struct Operator Operator;
struct Operator {
    const PlanNode *plan;
    Execution *execution;
    Operator *input;     /* NULL for Unit, Argument */
    Operator *inner;     /* of Apply and Merge */
    Operator **branches; /* of Union, as many as the plan's */
    /* The next batch, or NULL at the end. It and all it points to belong to this operator until the
     * next call. */
    Error *(*next)(Operator *self, Batch **out);
    void (*reset)(Operator *self); /* to the state after opening; NULL: nothing to do */
    void (*close)(Operator *self);
    Arena *arena;       /* of the present batch: reset at each next */
    Arena *state_arena; /* as long as the operator */
    void *state;
    const RowCut *cut;     /* NULL: there is none */
    const RowOnce *once;   /* NULL: each row counts */
    struct Gather *gather; /* morsels.c: has workers bring its rows; NULL: it does not */
    size_t beside;         /* bytes beside its arenas, as it told operator_check_memory last */
    uint32_t cap; /* rows of the next batch: 8, 64, .. BATCH_ROWS_MAX, so that a short query does
                     little */
};

struct Execution {
    Arena *arena;
    const Plan *plan;
    ExecutionEnvironment environment;
    GraphView view;  /* at the moment at hand: */
    uint32_t moment; /* of the plan's */
    EntityReader reader;
    uint64_t run; /* 1, and more whenever it is used again: what was made of another view is void */
    uint64_t shuffle;     /* state of the generator */
    uint64_t began_bytes; /* of memory, the whole process, when it began */
    const struct Worker
        *worker; /* whose own this execution is (morsels.c); NULL: the statement's */
    SubqueryRunner subquery_runner;
    struct Subquery *subqueries; /* by index of EXPR_SUBQUERY */
    Operator *root;
    Operator **all; /* by plan node id */
    ExecutionStats stats;
    uint64_t *rows; /* PROFILE, by node id */
    int64_t *elapsed_ns;
    MemTally *memory;     /* ... the statement's, for all workers; NULL: no PROFILE */
    uint64_t *file_bytes; /* ... */
    bool deleted;         /* something was deleted: entities must be checked before they are read */
    atomic_bool *rows_failed; /* a lenient filter had a row that made it fail; the workers', too */
    const PlanNode *stopped;  /* the operator that found that it must stop; NULL: none */
    const char **notes;       /* by node id */
};

/* Is what the operator holds, and `more` bytes beside its arenas, within the statement's limit? */
Error *operator_check_memory(Operator *operator, size_t more) MUST_CHECK;
/* Asked before much is taken at once: is there room for it in the statement's account? */
Error *operator_room(const Operator *operator, size_t bytes) MUST_CHECK;
Error *operator_interrupted(const Operator *operator) MUST_CHECK; /* asked in long loops */
/* Should it go on in files (order/sorter.h), as it holds so much and would take `growth` at once? No if
 * it has no place for them. In morsels: what they hold is let go then, and counts for nothing here. */
bool operator_wants_room(const Operator *operator, size_t held, size_t growth, bool in_morsels);
size_t operator_spill_budget(void); /* what it may hold of memory then, here and there */
Error *operator_check_files(const Operator *operator, uint64_t bytes) MUST_CHECK;
void operator_note_spill(Operator *operator, uint64_t bytes); /* for PROFILE */
Error *operator_open(Execution *execution, const PlanNode *plan, Operator **out);
Error *operator_next(Operator *operator, Batch ** out); /* counts, times, asks for interruption */
void operator_reset(Operator *operator);                /* the whole chain below */
void operator_close(Operator *operator);
/* Begins a sub-plan anew over `batch`, which its Arguments give: one, or one a branch of UNION. */
void chain_start(Operator *inner, const Batch *batch);

/* From now on what the thread takes is the operator's, for PROFILE; gives who had it before, for
 * mem_tally_enter. */
MemTally *operator_tally(const Operator *operator);

/* A context for evaluating in `arena`. */
void operator_context(Operator *operator, Arena * arena, EvalContext *out);

/* Out of rows of `in` at `positions` a batch in operator->arena: every filled column is gathered,
 * multiplicity too. */
Batch *batch_extend(Operator *operator, const Batch * in, const uint16_t *positions,
                    uint32_t count);
/* Puts ids whose order the language leaves open, and what stands beside them (may be NULL), into
 * another one where the setting asks for it. */
void operator_shuffle(Operator *operator, uint64_t * ids, uint64_t *beside, size_t count);
uint32_t operator_cap(Operator *operator); /* and raises it for the next time */
/* Without what it says of its moment: patterns find entities by their ids, whenever they are. */
bool entity_at(const Batch *batch, uint32_t slot, uint32_t position, ValueKind kind, uint64_t *id);
uint32_t name_resolve(const Execution *execution, NameKind kind, NameRef ref);
/* All ids that `types` stand for (none: every type). In `arena`. */
uint32_t *types_resolve(const Execution *execution, Arena *arena, const NameRef *types,
                        uint32_t type_count, uint32_t *count);
GraphDirection graph_direction(PlanDirection direction);
/* Does the row use the relationship in another part of its pattern? */
bool relationship_is_used(const PlanNode *plan, const Batch *in, uint32_t position,
                          uint64_t relationship);
/* The walk over the plan's types, made anew for each batch of input: a writer may have written
 * since. It lives in an arena of its own, which the operator destroys. */
typedef struct Ways {
    Arena *arena;
    GraphWalk *walk;
} Ways;
void ways_renew(Operator *self, Ways *ways, GraphDirection direction);
/* Shuffled, where that is asked for. */
void neighbors_of(Operator *self, const Ways *ways, uint64_t node, Neighbors *out);
/* Rows of `in` with `nodes` (NULL: as they are) in to_slot and `lists` in relationship_slot. */
Batch *batch_lists(Operator *self, const Batch *in, const uint16_t *positions,
                   const uint64_t *nodes, const Value *lists, uint32_t count);
/* The batch without the rows that `keys`, the column of the cut's slot, puts behind it. */
void batch_cut(const RowCut *cut, Arena *arena, const Column *keys, Batch *batch);
/* What never fails, so that it need not be tried for rows that are cut off. */
bool expr_is_safe(const Execution *execution, const Expr *expr);
Error *drain_input(Operator *operator,
                   RowBuffer * rows); /* every row of the input, in state_arena */
Error *row_count_of(Operator *operator, const Expr * expr, const char *what,
                    uint64_t *out); /* SKIP, LIMIT */

/* ---- morsels.c: the rows of a large scan, taken by several workers ---- */
typedef struct MorselSink {
    void *(*part)(Operator *self); /* what a morsel's rows come to: an empty one */
    void (*drop)(void *part);
    /* By a worker; `own` is an operator like self, opened for it alone. */
    Error *(*take)(Operator *own, void *part, Batch *batch);
    Error *(*finish)(Operator *own, void *part); /* after the last batch; NULL: nothing to do */
    /* By self's thread, in the order of morsels; leaves the part empty. NULL: parts are looked at when
     * all of them are made. */
    Error *(*merge)(Operator *self, void *part);
    bool (*full)(const void *part); /* is the rest of the morsel of no use? NULL: never */
    /* Keeps the error that ended a morsel, instead of ending all; NULL: none is kept. */
    Error *(*keep)(void *part, Error *error);
    bool whole; /* the rows are those of an operator like self, not of its input */
} MorselSink;
/* group.c: an AGGREGATE each of whose input rows is a group of its own, so that it gives a row as soon
 * as it has one. Asked once a run. */
bool aggregate_streams(const Execution *execution, const PlanNode *plan);
/* Is the operator's input such, and so large, that it comes in morsels? */
bool morsels_fit(const Operator *self);
Error *morsels_run(Operator *self, const MorselSink *sink) MUST_CHECK;
/* The same morsels from the first-th on, one behind the other, by the operator's own input. */
Error *morsels_each(Operator *self, uint64_t first,
                    Error *(*take)(Operator *self, uint64_t morsel, Batch *batch)) MUST_CHECK;
/* From the next reset on the scan gives nodes of [from, to) only, UNWIND those elements. */
void source_between(Operator *source, uint64_t from, uint64_t to);
/* Does an index give the scan's nodes, by their ids? Then how many. */
bool scan_found_by_index(Operator *scan, uint64_t *count);
/* Those are what `to`, a worker's scan or the same, gives from now on, also when it is reset; `from`
 * NULL: no longer. */
void scan_lend(Operator *to, const Operator *from);
/* How many elements UNWIND has, over one row, if that is known before it runs; else 0. */
uint64_t unwind_elements(Operator *unwind);

/* FILTER and PROJECT, once they are opened: where they are above a large scan, workers bring the rows,
 * the same in the same order. */
void gather_open(Operator *self);
bool gather_is_idle(const Operator *self); /* no worker's operators are open for it */

void open_unit(Operator *), open_argument(Operator *), open_scan(Operator *), open_seek(Operator *),
    open_unwind(Operator *), open_call(Operator *);
void open_ends(Operator *), open_expand(Operator *), open_expand_variable(Operator *),
    open_shortest(Operator *), open_reach(Operator *), open_walk(Operator *);
void open_degree(Operator *), open_intersect(Operator *);
void open_filter(Operator *), open_project(Operator *), open_skip(Operator *),
    open_limit(Operator *), open_produce(Operator *);
void open_distinct(Operator *), open_sort(Operator *), open_aggregate(Operator *),
    open_union(Operator *);
void open_apply(Operator *), open_create(Operator *), open_merge(Operator *), open_set(Operator *),
    open_delete(Operator *);
void open_load(Operator *), open_score(Operator *);
void open_enter(Operator *), open_leave(Operator *);

/* ---- past.c: several moments in one statement ---- */
/* The graph as it was when the entity was read. */
const GraphView *view_of(const Execution *execution, uint64_t entity);
/* Only what is may be changed. */
Error *check_present(Value entity) MUST_CHECK;

void argument_set(Operator *argument, const Batch *batch); /* what the Argument gives next */
void entity_reader_init(EntityReader *reader, Execution *execution);
/* ---- apply.c: sub-queries that expressions run ---- */
Error *subqueries_open(Execution *execution);
void subqueries_close(Execution *execution);

bool plan_writes_below(const PlanNode *plan); /* plan or anything it gets rows from */

#endif
