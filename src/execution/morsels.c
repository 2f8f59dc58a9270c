/*
 * morsels.c - the rows of a large scan, taken by several workers.
 *
 * An operator that takes all rows before it gives one (AGGREGATE, SORT with a limit) and whose rows come
 * from one scan, by operators that look at a row at a time, can have them in morsels: so many nodes of
 * the scan each, whoever they are taken by. Each worker has an execution of its own, with operators of
 * its own opened from the same plan, of the same view; only the scan at its end is told which nodes are
 * its own this time. What a morsel's rows come to is a part, made by the worker and merged into the
 * operator by its own thread, in the order of morsels.
 *
 * Whether there are morsels, and which, is decided by the graph alone: floating sums then fold in the
 * same order with one worker as with many. A morsel is no fewer than MORSEL_NODES_MIN nodes, so that
 * merging costs little beside making, and there are no more than MORSELS_MAX of them.
 *
 * What may not be shared: expressions that ask for random numbers (their order is the session's), call
 * functions of programs (which need not expect several threads), or run sub-queries.
 */
#include "config.h"

#include "execution/operator_internal.h"
#include "expression/functions.h"
#include "runtime/lane.h"
#include <time.h>

enum {
    MORSEL_NODES_MIN = 8 * GRAPH_BLOCK_ROWS,
    MORSELS_MAX = 1024,
    SHARED_NODES_MIN =
        4 * MORSEL_NODES_MIN /* fewer are walked in about the time of a wake-up or two */
};

/* ---- may it be? ---- */

static bool call_fits(const Function *function)
{
    bool ours = function_find(function->name, NULL) == function;
    return ours && !str_equal(function->name, STR("rand"));
}

static bool expr_fits(const Expr *expr)
{
    if (expr == NULL) return true;
    if (expr->kind == EXPR_SUBQUERY) return false;
    if (expr->kind == EXPR_CALL && !call_fits(expr->function)) return false;
    for (uint32_t i = 0; i < expr->arg_count; i++)
        if (!expr_fits(expr->args[i])) return false;
    return true;
}

static bool expressions_fit(const PlanNode *plan)
{
    bool fits = expr_fits(plan->expr) && expr_fits(plan->step);
    for (uint32_t i = 0; i < plan->item_count && fits; i++)
        fits = expr_fits(plan->items[i].expr);
    for (uint32_t i = 0; i < plan->aggregate_count && fits; i++)
        fits = expr_fits(plan->aggregates[i].spec.argument) &&
               expr_fits(plan->aggregates[i].spec.extra);
    return fits;
}

/* Operators that look at a row at a time, and begin anew when they are reset. */
static bool operator_fits(PlanKind kind)
{
    switch (kind) {
    case PLAN_NODE_SCAN:
    case PLAN_NODE_SEEK:
    case PLAN_NODE_BY_ID:
    case PLAN_EXPAND:
    case PLAN_EXPAND_VARIABLE:
    case PLAN_RELATIONSHIP_ENDS:
    case PLAN_WALK:
    case PLAN_SHORTEST:
    case PLAN_REACH:
    case PLAN_DEGREE:
    case PLAN_INTERSECT:
    case PLAN_LINK:
    case PLAN_FILTER:
    case PLAN_PROJECT:
    case PLAN_UNWIND: return true;
    default: return false;
    }
}

/* The scan at the end of the chain; NULL: there is none, or something before it does not fit. */
static const PlanNode *scan_below(const Execution *execution, const PlanNode *plan)
{
    for (; plan != NULL; plan = plan->input) {
        bool rows = plan->kind == PLAN_AGGREGATE && aggregate_streams(execution, plan);
        if (!rows && !operator_fits(plan->kind)) return NULL;
        if (plan->kind == PLAN_NODE_SCAN && plan->input->kind == PLAN_UNIT) return plan;
    }
    return NULL;
}

static uint64_t nodes_scanned(const Execution *execution, const PlanNode *scan)
{
    const GraphView *view = &execution->view;
    uint64_t fewest = graph_node_count(view);
    for (uint32_t i = 0; i < scan->label_count; i++) {
        uint32_t label = name_resolve(execution, NAME_LABEL, scan->labels[i]);
        uint64_t count = label == GRAPH_NAME_UNKNOWN ? 0 : graph_label_count(view, label);
        if (count < fewest) fewest = count;
    }
    return fewest;
}

bool morsels_fit(const Operator *self)
{
    const Execution *execution = self->execution;
    const ExecutionEnvironment *environment = &execution->environment;
    const PlanNode *scan = scan_below(execution, self->plan->input);
    if (scan == NULL || execution->plan->writes || execution->worker != NULL ||
        environment->shuffle != 0)
        return false;
    uint64_t least = environment->morsel_nodes > 0 ? 1 : SHARED_NODES_MIN;
    if (nodes_scanned(execution, scan) < least || scan_is_by_index(execution->all[scan->id]))
        return false;
    for (const PlanNode *plan = self->plan; plan != scan; plan = plan->input)
        if (!expressions_fit(plan)) return false;
    return true;
}

/* ---- one worker's own execution ---- */

typedef struct Helper {
    Arena *arena; /* NULL: it has not begun */
    Execution *execution;
    Operator *own, *scan; /* the operator that has the morsels, and its scan */
    Interrupt interrupt;
    int64_t run_ns;
    char apart[LANE_LINE_BYTES]; /* from the next worker's */
} Helper;

typedef struct Sharing {
    Operator *self;
    const MorselSink *sink;
    Helper *helpers;
    char **parts; /* ring of `ahead` */
    uint32_t ahead;
    uint64_t nodes; /* a morsel */
} Sharing;

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static Error *helper_open(Helper *helper, const Operator *self, const Worker *worker)
{
    const Execution *of = self->execution;
    helper->arena = arena_create();
    Execution *execution = arena_new(helper->arena, Execution);
    *execution = *of;
    execution->arena = helper->arena;
    execution->worker = worker;
    helper->interrupt = (Interrupt){worker->stop, worker->stop_state};
    execution->environment.interrupt = &helper->interrupt;
    execution->environment.progress = NULL;
    execution->environment.random = NULL;
    execution->environment.warn = NULL;
    execution->subqueries = NULL;
    execution->stopped = NULL;
    execution->root = NULL;
    uint32_t nodes = of->plan->node_count;
    execution->all = arena_array(helper->arena, Operator *, nodes + 1);
    execution->rows = arena_array(helper->arena, uint64_t, nodes + 1);
    execution->elapsed_ns = arena_array(helper->arena, int64_t, nodes + 1);
    execution->notes = arena_array(helper->arena, const char *, nodes + 1);
    execution->file_bytes = arena_array(helper->arena, uint64_t, nodes + 1);
    entity_reader_init(&execution->reader, execution);
    helper->execution = execution;
    TRY(operator_open(execution, self->plan, &helper->own));
    helper->scan = helper->own->input;
    while (helper->scan->input->plan->kind != PLAN_UNIT)
        helper->scan = helper->scan->input;
    return NULL;
}

static Error *take_morsel(Sharing *sharing, const Worker *worker, uint64_t morsel)
{
    Helper *helper = &sharing->helpers[worker->index];
    void *part = sharing->parts[morsel % sharing->ahead];
    int64_t start = now_ns();
    Batch *batch;
    if (helper->arena == NULL) TRY(helper_open(helper, sharing->self, worker));
    Operator *own = helper->own;
    operator_reset(own->input);
    for (Operator *at = own->input; at != NULL; at = at->input)
        at->cap =
            BATCH_ROWS_MAX; /* nobody waits for the first rows; batches are blocks of the scan */
    scan_between(helper->scan, morsel * sharing->nodes, (morsel + 1) * sharing->nodes);
    for (;;) {
        TRY(operator_next(own->input, &batch));
        if (batch == NULL) break;
        TRY(sharing->sink->take(own, part, batch));
    }
    if (sharing->sink->finish != NULL) TRY(sharing->sink->finish(own, part));
    helper->run_ns += now_ns() - start;
    return NULL;
}

static Error *run_morsel(void *state, const Worker *worker, uint64_t morsel)
{
    Sharing *sharing = state;
    MemTally *before = operator_tally(sharing->self);
    Error *error = take_morsel(sharing, worker, morsel);
    if (sharing->self->execution->memory != NULL) mem_tally_enter(before);
    return error;
}

static Error *merge_part(void *state, uint64_t morsel)
{
    Sharing *sharing = state;
    void *part = sharing->parts[morsel % sharing->ahead];
    return sharing->sink->merge(sharing->self, part);
}

/* PROFILE: rows of all workers; their time as a share of the time that passed. */
static void add_up(Operator *self, Sharing *sharing, uint32_t workers, int64_t passed_ns)
{
    Execution *execution = self->execution;
    int64_t run_ns = 0;
    for (uint32_t w = 0; w < workers; w++)
        run_ns += sharing->helpers[w].run_ns;
    double share = run_ns > passed_ns ? (double)passed_ns / (double)run_ns : 1;
    for (uint32_t w = 0; w < workers; w++) {
        const Helper *helper = &sharing->helpers[w];
        if (helper->execution == NULL) continue;
        for (uint32_t i = 0; i < execution->plan->node_count; i++) {
            execution->rows[i] += helper->execution->rows[i];
            execution->elapsed_ns[i] += (int64_t)((double)helper->execution->elapsed_ns[i] * share);
        }
        if (execution->stopped == NULL) execution->stopped = helper->execution->stopped;
    }
    const PlanNode *unit = self->plan;
    while (unit->kind != PLAN_UNIT)
        unit = unit->input;
    execution->rows[unit->id] = 1; /* it gave one a morsel */
}

static bool ask_interrupt(void *state)
{
    const Interrupt *interrupt = state;
    return interrupt->stop(interrupt->state);
}

/* How many nodes a morsel has, and how many there are. */
static uint64_t morsel_nodes(const Execution *execution, uint64_t *count)
{
    uint64_t nodes = graph_block_count(&execution->view) * GRAPH_BLOCK_ROWS,
             own = execution->environment.morsel_nodes;
    if (own == 0) {
        uint64_t blocks = nodes / MORSELS_MAX / GRAPH_BLOCK_ROWS + 1;
        own = blocks * GRAPH_BLOCK_ROWS;
        if (own < MORSEL_NODES_MIN) own = MORSEL_NODES_MIN;
    }
    *count = (nodes + own - 1) / own;
    return own;
}

Error *morsels_each(Operator *self, uint64_t first,
                    Error *(*take)(Operator *self, uint64_t morsel, Batch *batch))
{
    uint64_t count, nodes = morsel_nodes(self->execution, &count);
    Operator *scan = self->input;
    Batch *batch;
    while (scan->input->plan->kind != PLAN_UNIT)
        scan = scan->input;
    for (uint64_t morsel = first; morsel < count; morsel++) {
        operator_reset(self->input);
        for (Operator *at = self->input; at != NULL; at = at->input)
            at->cap = BATCH_ROWS_MAX;
        scan_between(scan, morsel * nodes, (morsel + 1) * nodes);
        for (;;) {
            TRY(operator_next(self->input, &batch));
            if (batch == NULL) break;
            TRY(take(self, morsel, batch));
        }
    }
    scan_between(scan, 0, UINT64_MAX);
    self->execution->rows[scan->input->plan->id] = 1; /* it gave one a morsel */
    return NULL;
}

Error *morsels_run(Operator *self, const MorselSink *sink)
{
    Execution *execution = self->execution;
    const ExecutionEnvironment *environment = &execution->environment;
    uint64_t count;
    Sharing sharing = {.self = self, .sink = sink, .nodes = morsel_nodes(execution, &count)};
    uint32_t workers = workers_chosen(environment->workers, environment->worker_max);
    if (workers > count) workers = (uint32_t)count;
    if (workers == 0) workers = 1;
    sharing.ahead = morsels_ahead(workers);
    sharing.helpers = mem_calloc(workers, sizeof *sharing.helpers);
    sharing.parts = mem_calloc(sharing.ahead, sizeof *sharing.parts);
    for (uint32_t i = 0; i < sharing.ahead; i++)
        sharing.parts[i] = sink->part(self);
    Interrupt *interrupt = (Interrupt *)(uintptr_t)environment->interrupt; /* as a plug's state */
    int64_t start = now_ns();
    Error *error = workers_run(environment->workers,
                               &(Morsels){.count = count,
                                          .workers = workers,
                                          .ahead = sharing.ahead,
                                          .run = run_morsel,
                                          .merge = merge_part,
                                          .state = &sharing,
                                          .stop = interrupt == NULL ? NULL : ask_interrupt,
                                          .stop_state = interrupt});
    add_up(self, &sharing, workers, now_ns() - start);
    if (execution->plan->profile)
        execution->notes[self->plan->id] =
            arena_printf(execution->arena, "%llu morsels, %u worker%s", (unsigned long long)count,
                         workers, workers == 1 ? "" : "s");
    for (uint32_t w = 0; w < workers; w++) {
        execution_close(sharing.helpers[w].execution);
        arena_destroy(sharing.helpers[w].arena);
    }
    for (uint32_t i = 0; i < sharing.ahead; i++)
        sink->drop(sharing.parts[i]);
    /* What fills memory is what the operator keeps: the others have a batch each. */
    if (error_is_nameless(error))
        error = error_at(error_named(error, plan_kind_name(self->plan->kind)), self->plan->offset,
                         self->plan->length);
    mem_free(sharing.parts);
    mem_free(sharing.helpers);
    return error;
}
