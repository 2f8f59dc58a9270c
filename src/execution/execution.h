/*
 * execution.h - plans made to run.
 *
 * An Execution is the state beside a read-only plan: open operators, buffers, counters. It pulls
 * batches from the root; a row leaves through execution_next. Statement effects (transactions,
 * savepoints, what is visible) are the caller's: api gives a view to read from and, for a writing
 * plan, a writer.
 */
#ifndef EXECUTION_EXECUTION_H
#define EXECUTION_EXECUTION_H
#include "graph/graph.h"
#include "planner/plan.h"
#include "rank/strategy.h"

typedef struct ExecutionStats {
    uint64_t nodes_created, nodes_deleted, relationships_created, relationships_deleted,
        properties_set, labels_added, labels_removed;
    uint64_t rows_read, rows_created, rows_matched, rows_skipped;
} ExecutionStats;

typedef struct ExecutionEnvironment { /* all borrowed; what the session provides */
    GraphView view;
    struct GraphWriter *writer; /* NULL: the plan does not write */
    /* The graph at the plan's moments: as many; the first, which is `view` again, is not looked at.
     * NULL: the plan has one only. */
    const GraphView *moments;
    const Value *parameters;
    int64_t now_ns, transaction_ns; /* when the statement began, and its transaction */
    const Clock *clock;
    uint64_t *random;
    const Interrupt *interrupt;
    const StrategyRegistry *strategies;
    void *session;
    /* Procedures: called once an input row; `emit` takes the rows it yields (values in the order of
     * its yields). */
    Error *(*call)(void *session, Str procedure, const Value *args, uint32_t count,
                   Error *(*emit)(void *sink, const Value *row), void *sink);
    /* A value left out, a row skipped: told once the statement ends. */
    void (*warn)(void *session, ErrorCode code, const char *message, const char *hint);
    void (*progress)(void *session, double done, uint64_t rows); /* may be NULL */
    const char *directory; /* relative file names start here; NULL: the process's */
    bool files_allowed;    /* --safe forbids */
    uint64_t shuffle; /* seed of the order of rows that have none (operator_shuffle); 0: as found */
    const char *simd, *gpu;      /* settings: "scalar"..., "auto" "off" "force" */
    const char *gpu_device;      /* part of a name, or a number; "": the fittest */
    uint64_t gpu_memory;         /* bytes for rows; 0: the device decides */
    const char *vector_codes;    /* "auto", "off", "now" */
    uint32_t vector_ef;          /* setting: how widely indexes search; 0: as each says */
    struct VectorDevice *device; /* the database's; NULL: none */
    struct Database *database;   /* for commands beside queries */
    struct Workers *workers;     /* the database's; NULL: one thread does everything */
    uint32_t worker_max;         /* setting: threads a statement may have; 0: the machine decides */
    uint32_t morsel_nodes;       /* setting, for tests: nodes a morsel; 0: as many as pay */
    uint64_t memory_bytes_max;
    struct SpillPlace *spill; /* where rows go that memory has no room for; NULL: nowhere */
    uint64_t spill_bytes_max; /* so much of an operator may go there; 0: as much as there is room */
} ExecutionEnvironment;

typedef struct Execution Execution;
/* `arena` outlives the execution (statement's). */
Error *execution_open(Arena *arena, const Plan *plan, const ExecutionEnvironment *environment,
                      Execution **out) MUST_CHECK;
/* The next batch of result rows (columns by plan->root->slots), NULL at the end. A plan without
 * rows is run to its end. */
Error *execution_next(Execution *execution, const Batch **out) MUST_CHECK;
/* In which operator a statement was stopped (ERROR_CANCELLED), as EXPLAIN names it; NULL: in none. */
const char *execution_stopped_in(const Execution *execution);
const ExecutionStats *execution_stats(const Execution *execution);
void execution_profile(const Execution *execution, PlanProfile *out);
/* What EXPLAIN and PROFILE tell beside operators, by node id (NULL: nothing): where scores are
 * computed, of how many candidates. Before a run, and of one. In `arena`, or the execution's. */
const char *const *execution_plan_notes(Arena *arena, const Plan *plan,
                                        const ExecutionEnvironment *environment);
const char *const *execution_notes(const Execution *execution);
void execution_close(Execution *execution); /* NULL is welcome */
/* Whether another run of the same plan may use what this one opened: no operator of it is better
 * opened anew, and it holds little memory. */
bool execution_is_small(const Execution *execution);
/* Brings such an execution back to where execution_open left it; false: it is none. */
bool execution_renew(Execution *execution, const ExecutionEnvironment *environment);
const EntityReader *
execution_reader(const Execution *execution); /* over the execution's view; lives as long as it */

/* ---- what statements beside queries (command/) share ---- */
/* The path a statement means: relative ones begin at the session's directory. Refused where files
 * are not allowed. */
Error *execution_path(const ExecutionEnvironment *environment, Arena *arena, Value source,
                      const char **out) MUST_CHECK;
/* As a property may hold it: no maps, no entities; lists of one kind. */
Error *storable(Value value, Value *out) MUST_CHECK;
/* Beside that, what a vector index refuses of a list: numbers that are not finite. */
Error *storable_in(const GraphIndex *index, Value value) MUST_CHECK;
/* Of the database's device; opens it, as a scan that is large enough would, unless it is off. */
struct VectorDeviceInfo;
void score_device_info(const ExecutionEnvironment *environment, struct VectorDeviceInfo *out);
#endif
