/*
 * morsels.c - the rows of a large scan, taken by several workers.
 *
 * An operator that takes all rows before it gives one (AGGREGATE, DISTINCT, SORT with a limit) and whose
 * rows come from one source, a scan or UNWIND, by operators that look at a row at a time, can have them
 * in morsels: so many nodes of the scan each, or elements, whoever they are taken by. Each worker has an
 * execution of its own, with operators of its own opened from the same plan, of the same view; only the
 * source at its end is told what is its own this time. What a morsel's rows come to is a part, made by
 * the worker and merged into the operator by its own thread, in the order of morsels.
 *
 * Whether there are morsels, and which, is decided by the graph and the statement alone: floating sums
 * then fold in the same order with one worker as with many. A morsel is no fewer than MORSEL_NODES_MIN
 * nodes, so that merging costs little beside making, and there are no more than MORSELS_MAX of them. What
 * an index finds of a scan's nodes comes in the morsels of the scan.
 *
 * Rows that nobody takes as a whole are gathered (the second half of this file): the same rows in the same
 * order as one thread would give, so that here the machine may decide.
 *
 * What may not be shared: expressions that ask for random numbers (their order is the session's), call
 * functions of programs (which need not expect several threads), or run sub-queries.
 */
#include "config.h"

#include "execution/operator_internal.h"
#include "expression/functions.h"
#include "runtime/lane.h"
#include "value/groups.h"
#include <assert.h>
#include <time.h>

enum {
    MORSEL_NODES_MIN = 8 * GRAPH_BLOCK_ROWS,
    MORSEL_ELEMENTS_MIN = 2 * GRAPH_BLOCK_ROWS, /* each is a look-up or more */
    MORSELS_MAX = 1024,
    SHARED_NODES_MIN =
        4 * MORSEL_NODES_MIN, /* fewer are walked in about the time of a wake-up or two */
    SHARED_FOUND_MIN = MORSEL_NODES_MIN, /* of an index: each is looked at where it lies */
    SHARED_ELEMENTS_MIN = 4 * MORSEL_ELEMENTS_MIN
};

/* ---- may it be? ---- */

static bool expr_fits(const Expr *expr)
{
    if (expr == NULL) return true;
    if (expr->kind == EXPR_SUBQUERY) return false;
    if (expr->kind == EXPR_CALL && !function_repeats(expr->function)) return false;
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

static bool is_source(const PlanNode *plan)
{
    return (plan->kind == PLAN_NODE_SCAN || plan->kind == PLAN_UNWIND) &&
           plan->input->kind == PLAN_UNIT;
}

/* The source at the end of the chain; NULL: there is none, or something before it does not fit. Elements
 * of a list that are not looked up in the graph are soon done with. */
static const PlanNode *source_below(const Execution *execution, const PlanNode *plan)
{
    bool looks_up = false;
    for (; plan != NULL; plan = plan->input) {
        bool rows = plan->kind == PLAN_AGGREGATE && aggregate_streams(execution, plan);
        if (!rows && !operator_fits(plan->kind)) return NULL;
        if (is_source(plan)) return plan->kind == PLAN_NODE_SCAN || looks_up ? plan : NULL;
        looks_up = looks_up || plan->kind == PLAN_NODE_SEEK || plan->kind == PLAN_NODE_BY_ID;
    }
    return NULL;
}

static Operator *source_of(Operator *operator)
{
    while (!is_source(operator->plan))
        operator= operator->input;
    return operator;
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

static bool is_large(const Execution *execution, Operator *source)
{
    bool any = execution->environment.morsel_nodes > 0;
    uint64_t found;
    if (source->plan->kind == PLAN_UNWIND)
        return unwind_elements(source) >= (any ? 1 : SHARED_ELEMENTS_MIN);
    if (source->plan->in_order ||
        nodes_scanned(execution, source->plan) < (any ? 1 : SHARED_NODES_MIN))
        return false;
    return !scan_found_by_index(source, &found) || found >= (any ? 1 : SHARED_FOUND_MIN);
}

/* The rows of the chain from `plan` on, and what operators from `self` on look at. */
static bool fits(const Operator *self, const PlanNode *plan)
{
    const Execution *execution = self->execution;
    const PlanNode *source = source_below(execution, plan);
    if (source == NULL || execution->plan->writes || execution->worker != NULL ||
        execution->environment.shuffle != 0)
        return false;
    for (plan = self->plan; plan != source; plan = plan->input)
        if (!expressions_fit(plan)) return false;
    return expressions_fit(source) && is_large(execution, execution->all[source->id]);
}

bool morsels_fit(const Operator *self)
{
    return fits(self, self->plan->input);
}

/* ---- one worker's own execution ---- */

typedef struct Helper {
    Arena *arena; /* NULL: it has not begun */
    Execution *execution;
    Operator *own, *source; /* the operator that has the morsels, and where its rows begin */
    Interrupt interrupt;
    int64_t run_ns;
    char apart[LANE_LINE_BYTES]; /* from the next worker's */
} Helper;

typedef struct Cut {       /* how a source is cut */
    uint64_t count, units; /* morsels; nodes or elements of one, */
    uint64_t all;          /* and of all; the last one has fewer */
} Cut;

typedef struct Sharing {
    Operator *self;
    const MorselSink *sink;
    Helper *helpers;
    uint32_t workers;
    char **parts; /* ring of `ahead` */
    uint32_t ahead;
    uint64_t first; /* the morsel that counts as 0 now */
    Cut cut;
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
    helper->own->once = self->once;
    helper->source = source_of(helper->own);
    if (helper->source->plan->kind == PLAN_NODE_SCAN)
        scan_lend(helper->source, of->all[helper->source->plan->id]);
    return NULL;
}

/* From now on the operators from `top` on give the rows of that morsel. */
static void begin_morsel(Operator *top, Operator *source, const Cut *cut, uint64_t morsel)
{
    operator_reset(top);
    for (Operator *at = top; at != NULL; at = at->input)
        at->cap =
            BATCH_ROWS_MAX; /* nobody waits for the first rows; batches are blocks of the scan */
    source_between(source, morsel * cut->units, (morsel + 1) * cut->units);
}

static Error *take_morsel(Sharing *sharing, const Worker *worker, uint64_t morsel)
{
    Helper *helper = &sharing->helpers[worker->index];
    const MorselSink *sink = sharing->sink;
    void *part = sharing->parts[morsel % sharing->ahead];
    int64_t start = now_ns();
    Batch *batch;
    helper->interrupt = (Interrupt){worker->stop, worker->stop_state};
    if (helper->arena == NULL) TRY(helper_open(helper, sharing->self, worker));
    Operator *own = helper->own, *top = sink->whole ? own : own->input;
    helper->execution->worker = worker;
    begin_morsel(top, helper->source, &sharing->cut, sharing->first + morsel);
    while (sink->full == NULL || !sink->full(part)) {
        TRY(operator_next(top, &batch));
        if (batch == NULL) break;
        TRY(sink->take(own, part, batch));
    }
    if (sink->finish != NULL) TRY(sink->finish(own, part));
    helper->run_ns += now_ns() - start;
    return NULL;
}

static Error *run_morsel(void *state, const Worker *worker, uint64_t morsel)
{
    Sharing *sharing = state;
    MemTally *before = operator_tally(sharing->self);
    Error *error = take_morsel(sharing, worker, morsel);
    if (sharing->self->execution->memory != NULL) mem_tally_enter(before);
    if (error == NULL || sharing->sink->keep == NULL) return error;
    return sharing->sink->keep(sharing->parts[morsel % sharing->ahead], error);
}

/* So many of all morsels are done. */
static void tell_progress(const Sharing *sharing, uint64_t done)
{
    const ExecutionEnvironment *environment = &sharing->self->execution->environment;
    const Cut *cut = &sharing->cut;
    uint64_t units = done * cut->units < cut->all ? done * cut->units : cut->all;
    if (environment->progress != NULL && cut->all > 0)
        environment->progress(environment->session, (double)units / (double)cut->all, units);
}

static Error *merge_part(void *state, uint64_t morsel)
{
    Sharing *sharing = state;
    void *part = sharing->parts[morsel % sharing->ahead];
    tell_progress(sharing, sharing->first + morsel + 1);
    return sharing->sink->merge(sharing->self, part);
}

/* What an index found for the scan is found once for all morsels that it is to give. */
static void keep_found(Operator *source)
{
    if (source->plan->kind == PLAN_NODE_SCAN) scan_lend(source, source);
}

static void give_all(Operator *source)
{
    if (source->plan->kind == PLAN_NODE_SCAN) scan_lend(source, NULL);
    source_between(source, 0, UINT64_MAX);
}

static void add_from(Execution *execution, Helper *helper, const Operator *self, bool whole,
                     double share)
{
    Execution *own = helper->execution;
    for (uint32_t i = 0; i < execution->plan->node_count; i++) {
        if (whole && i == self->plan->id) continue; /* it counts what it gives */
        execution->rows[i] += own->rows[i];
        execution->elapsed_ns[i] += (int64_t)((double)own->elapsed_ns[i] * share);
        own->rows[i] = 0;
        own->elapsed_ns[i] = 0;
    }
    helper->run_ns = 0;
    if (execution->stopped == NULL) execution->stopped = own->stopped;
}

/* PROFILE: rows of all workers; their time as a share of the time that passed. */
static void add_up(Sharing *sharing, int64_t passed_ns)
{
    Operator *self = sharing->self;
    Execution *execution = self->execution;
    int64_t run_ns = 0;
    for (uint32_t w = 0; w < sharing->workers; w++)
        run_ns += sharing->helpers[w].run_ns;
    double share = run_ns > passed_ns ? (double)passed_ns / (double)run_ns : 1;
    for (uint32_t w = 0; w < sharing->workers; w++)
        if (sharing->helpers[w].execution != NULL)
            add_from(execution, &sharing->helpers[w], self, sharing->sink->whole, share);
    execution->rows[source_of(self)->input->plan->id] = 1; /* it gave one a morsel */
}

static bool ask_interrupt(void *state)
{
    const Interrupt *interrupt = state;
    return interrupt->stop(interrupt->state);
}

static Cut cut_of(const Execution *execution, Operator *source)
{
    bool elements = source->plan->kind == PLAN_UNWIND;
    uint64_t all = elements ? unwind_elements(source)
                            : graph_block_count(&execution->view) * GRAPH_BLOCK_ROWS,
             least = elements ? MORSEL_ELEMENTS_MIN : MORSEL_NODES_MIN,
             units = execution->environment.morsel_nodes;
    if (units == 0) units = (all / MORSELS_MAX / GRAPH_BLOCK_ROWS + 1) * GRAPH_BLOCK_ROWS;
    if (execution->environment.morsel_nodes == 0 && units < least) units = least;
    return (Cut){(all + units - 1) / units, units, all};
}

/* As many as pay: more come to too little each. */
static uint32_t workers_for(const Execution *execution, Operator *source, uint64_t morsels)
{
    enum { FOUND_EACH = MORSEL_NODES_MIN / 4 };
    const ExecutionEnvironment *environment = &execution->environment;
    uint64_t workers = workers_chosen(environment->workers, environment->worker_max), found;
    if (workers > morsels) workers = morsels;
    if (source->plan->kind == PLAN_NODE_SCAN && environment->morsel_nodes == 0 &&
        scan_found_by_index(source, &found) && workers > found / FOUND_EACH)
        workers = found / FOUND_EACH;
    return workers == 0 ? 1 : (uint32_t)workers;
}

static void sharing_open(Sharing *sharing, Operator *self, const MorselSink *sink)
{
    Operator *source = source_of(self->input);
    *sharing = (Sharing){.self = self, .sink = sink, .cut = cut_of(self->execution, source)};
    sharing->workers = workers_for(self->execution, source, sharing->cut.count);
    sharing->ahead = morsels_ahead(sharing->workers);
    sharing->helpers = mem_calloc(sharing->workers, sizeof *sharing->helpers);
    sharing->parts = mem_calloc(sharing->ahead, sizeof *sharing->parts);
    for (uint32_t i = 0; i < sharing->ahead; i++)
        sharing->parts[i] = sink->part(self);
}

static void sharing_close(Sharing *sharing)
{
    for (uint32_t w = 0; w < sharing->workers; w++) {
        execution_close(sharing->helpers[w].execution);
        arena_destroy(sharing->helpers[w].arena);
    }
    for (uint32_t i = 0; i < sharing->ahead; i++)
        sharing->sink->drop(sharing->parts[i]);
    mem_free(sharing->parts);
    mem_free(sharing->helpers);
    *sharing = (Sharing){0};
}

/* `count` morsels from sharing->first on. */
static Error *sharing_run(Sharing *sharing, uint64_t count)
{
    Operator *self = sharing->self;
    Execution *execution = self->execution;
    const ExecutionEnvironment *environment = &execution->environment;
    Interrupt *interrupt = (Interrupt *)(uintptr_t)environment->interrupt; /* as a plug's state */
    bool merges = sharing->sink->merge != NULL;
    tell_progress(sharing, sharing->first);
    int64_t start = now_ns();
    Error *error = workers_run(environment->workers,
                               &(Morsels){.count = count,
                                          .workers = sharing->workers,
                                          .ahead = merges ? sharing->ahead : 0,
                                          .run = run_morsel,
                                          .merge = merges ? merge_part : NULL,
                                          .state = sharing,
                                          .stop = interrupt == NULL ? NULL : ask_interrupt,
                                          .stop_state = interrupt});
    add_up(sharing, now_ns() - start);
    if (execution->plan->profile)
        execution->notes[self->plan->id] =
            arena_printf(execution->arena, "%llu morsels, %u worker%s",
                         (unsigned long long)(sharing->first + count), sharing->workers,
                         sharing->workers == 1 ? "" : "s");
    /* What fills memory is what the operator keeps: the others have a batch each. */
    if (error_is_nameless(error))
        error = error_at(error_named(error, plan_kind_name(self->plan->kind)), self->plan->offset,
                         self->plan->length);
    return error;
}

Error *morsels_run(Operator *self, const MorselSink *sink)
{
    Sharing sharing;
    sharing_open(&sharing, self, sink);
    Error *error = sharing_run(&sharing, sharing.cut.count);
    sharing_close(&sharing);
    return error;
}

Error *morsels_each(Operator *self, uint64_t first,
                    Error *(*take)(Operator *self, uint64_t morsel, Batch *batch))
{
    Operator *source = source_of(self->input);
    Cut cut = cut_of(self->execution, source);
    Batch *batch;
    keep_found(source);
    for (uint64_t morsel = first; morsel < cut.count; morsel++) {
        begin_morsel(self->input, source, &cut, morsel);
        for (;;) {
            TRY(operator_next(self->input, &batch));
            if (batch == NULL) break;
            TRY(take(self, morsel, batch));
        }
    }
    give_all(source);
    self->execution->rows[source->input->plan->id] = 1; /* it gave one a morsel */
    return NULL;
}

/* ---- rows that are gathered ---- */

/*
 * FILTER and PROJECT above a large scan, whose rows go to an operator that takes them as they come. The
 * first nodes are looked at by the statement's own thread, as who asks may want a few rows only. Where few
 * of them pass, so that the work is in the others, the rest is taken by workers, some morsels at a time;
 * their rows are copied and given in the order of morsels. An error of a morsel waits for its turn. A
 * morsel that comes to more rows than are to be kept is left to the statement's own thread, as are all
 * behind it.
 *
 * Batches are those of the morsels whoever makes them: where rows end when one of them fails, and how
 * operators above go on, is then the same at every number of workers.
 */
enum {
    GATHER_FIRST = SHARED_NODES_MIN, /* nodes */
    GATHER_PASS_PART = 4,            /* at most a fourth of them, */
    GATHER_ONCE_PART = 32, /* or so many are different: of a morsel it may be as many again */
    GATHER_ROWS_MAX = MORSEL_NODES_MIN,
    GATHER_BUDGET_PART = 32 /* of what an operator may hold where memory is short, for a morsel */
};

typedef enum GatherState {
    GATHER_NEW,
    GATHER_ALONE, /* the operator's own rows, and no morsels */
    GATHER_FIRST_NODES,
    GATHER_SHARED,
    GATHER_MORSELS /* by the operator's own chain */
} GatherState;

struct Gather {
    Error *(*alone)(Operator *self, Batch **out); /* the operator's own next */
    GatherState state;
    Operator *source;
    Cut cut;
    uint64_t next, given; /* the morsel to be begun; rows of the first nodes */
    bool inside;          /* the morsel before `next` has begun, by the operator's own chain */
    Sharing sharing;
    uint64_t part, parts; /* of those that were run last: at hand, how many */
    size_t batch, row;    /* of the part, the next to be given */
};

typedef struct GatheredPart {
    Arena *arena;
    RowBuffer rows;
    uint32_t *slots; /* NULL: it has no rows yet */
    size_t *ends;    /* rows of the first so many batches */
    size_t end_count, end_capacity;
    Groups *once; /* its rows, where those that are alike are to come once; else NULL */
    Error *error; /* behind its rows */
    bool full;
} GatheredPart;

static void *gathered_new(Operator *self)
{
    (void)self;
    GatheredPart *part = mem_calloc(1, sizeof *part);
    part->arena = arena_create();
    return part;
}

static void gathered_empty(GatheredPart *part)
{
    error_drop(part->error); /* nobody came so far */
    groups_destroy(part->once);
    mem_free(part->ends);
    arena_reset(part->arena);
    *part = (GatheredPart){.arena = part->arena};
}

static void gathered_drop(void *user)
{
    GatheredPart *part = user;
    gathered_empty(part);
    arena_destroy(part->arena);
    mem_free(part);
}

static size_t part_bytes(const GatheredPart *part)
{
    return arena_bytes(part->arena) + (part->once == NULL ? 0 : groups_bytes(part->once));
}

/* Leaves out rows of which the part has one. */
static void leave_once(const RowOnce *once, Arena *arena, GatheredPart *part, Batch *batch)
{
    if (part->once == NULL) part->once = groups_create(once->slot_count);
    uint32_t *found = arena_alloc(arena, (batch->selected_count + 1) * sizeof *found);
    uint16_t *kept = arena_alloc(arena, (batch->selected_count + 1) * sizeof *kept);
    Column *keys = arena_array(arena, Column, once->slot_count + 1);
    size_t known = groups_count(part->once);
    for (uint32_t k = 0; k < once->slot_count; k++)
        keys[k] = batch->columns[once->slots[k]];
    bool all = groups_find(part->once, keys, batch, found);
    assert(all); /* nobody is asked whether to stop */
    (void)all;
    groups_keep_first(batch, found, known, kept);
}

static Error *gathered_take(Operator *own, void *user, Batch *batch)
{
    GatheredPart *part = user;
    uint32_t count = 0;
    if (own->once != NULL) leave_once(own->once, own->arena, part, batch);
    if (batch->selected_count == 0) return NULL;
    if (part->slots == NULL) {
        part->slots = arena_array(part->arena, uint32_t, batch->column_count + 1);
        for (uint32_t slot = 0; slot < batch->column_count; slot++)
            if (batch->columns[slot].type != COLUMN_UNSET) part->slots[count++] = slot;
        rows_init(&part->rows, part->arena, part->slots, count);
    }
    rows_append(&part->rows, batch);
    mem_reserve(part->ends, part->end_capacity, part->end_count + 1);
    part->ends[part->end_count++] = part->rows.row_count;
    part->full = part->rows.row_count > GATHER_ROWS_MAX ||
                 part_bytes(part) > operator_spill_budget() / GATHER_BUDGET_PART;
    return NULL;
}

static bool gathered_full(const void *part)
{
    return ((const GatheredPart *)part)->full;
}

/* What is before it counts, so it does not end the work of all. */
static Error *gathered_keep(void *part, Error *error)
{
    ((GatheredPart *)part)->error = error;
    return NULL;
}

static const MorselSink gathered_sink = {.part = gathered_new,
                                         .drop = gathered_drop,
                                         .take = gathered_take,
                                         .full = gathered_full,
                                         .keep = gathered_keep,
                                         .whole = true};

/* Does whoever takes the rows take them as they come? AGGREGATE, and SORT with a limit, have morsels of
 * their own; the order of what APPLY gives depends on its batches. */
static bool is_gathered(const Operator *self)
{
    const PlanNode *node = self->execution->plan->root, *above = NULL;
    bool as_they_come = true;
    for (; node != NULL && node != self->plan; above = node, node = node->input) {
        bool rows = node->kind == PLAN_PRODUCE || node->kind == PLAN_SKIP ||
                    node->kind == PLAN_LIMIT || node->kind == PLAN_DISTINCT ||
                    operator_fits(node->kind);
        bool all = node->kind == PLAN_SORT || node->kind == PLAN_AGGREGATE;
        as_they_come = all || (as_they_come && rows);
    }
    if (node == NULL || above == NULL || !as_they_come || operator_fits(above->kind)) return false;
    return above->kind != PLAN_AGGREGATE && (above->kind != PLAN_SORT || above->expr == NULL);
}

static void begin_gather(Operator *self)
{
    struct Gather *gather = self->gather;
    const ExecutionEnvironment *environment = &self->execution->environment;
    gather->state = GATHER_ALONE;
    if (!is_gathered(self) || !fits(self, self->plan)) return;
    gather->source = source_of(self->input);
    gather->cut = cut_of(self->execution, gather->source);
    gather->next = environment->morsel_nodes > 0 ? 1 : GATHER_FIRST / gather->cut.units;
    if (gather->next == 0) gather->next = 1;
    gather->given = 0;
    gather->state = GATHER_FIRST_NODES;
    keep_found(gather->source);
    source_between(gather->source, 0, gather->next * gather->cut.units);
}

/* The first nodes have given all they have: who looks at the others? */
static void end_first(Operator *self)
{
    struct Gather *gather = self->gather;
    const ExecutionEnvironment *environment = &self->execution->environment;
    uint64_t looked_at = gather->next * gather->cut.units;
    bool pays = self->once == NULL
                    ? gather->given * GATHER_PASS_PART <= looked_at
                    : groups_count(*self->once->groups) * GATHER_ONCE_PART <= looked_at;
    gather->state = GATHER_MORSELS;
    if (!pays || gather->next >= gather->cut.count ||
        workers_chosen(environment->workers, environment->worker_max) < 2)
        return;
    sharing_open(&gather->sharing, self, &gathered_sink);
    gather->part = gather->parts = gather->batch = gather->row = 0;
    gather->state = GATHER_SHARED;
}

/* Of the rows that workers found; *out NULL: there are no more of them. */
static Error *give_gathered(Operator *self, Batch **out)
{
    struct Gather *gather = self->gather;
    for (; gather->part < gather->parts; gather->part++) {
        GatheredPart *part = (void *)gather->sharing.parts[gather->part];
        if (part->full || error_is_nameless(part->error)) {
            gather->next = gather->sharing.first + gather->part;
            sharing_close(&gather->sharing);
            gather->state = GATHER_MORSELS;
            return NULL;
        }
        if (gather->batch < part->end_count) {
            size_t end = part->ends[gather->batch++];
            arena_reset(self->arena);
            *out = rows_batch(&part->rows, self->arena, self->execution->plan->slot_count,
                              gather->row, (uint32_t)(end - gather->row));
            gather->row = end;
            return NULL;
        }
        Error *error = part->error;
        part->error = NULL;
        if (error != NULL) return error;
        gathered_empty(part);
        gather->batch = gather->row = 0;
    }
    return NULL;
}

static Error *run_some(Operator *self)
{
    struct Gather *gather = self->gather;
    Sharing *sharing = &gather->sharing;
    uint64_t left = sharing->cut.count - gather->next;
    size_t held = 0;
    gather->parts = left < sharing->ahead ? left : sharing->ahead;
    gather->part = 0;
    sharing->first = gather->next;
    gather->next += gather->parts;
    TRY(sharing_run(sharing, gather->parts));
    for (uint64_t i = 0; i < gather->parts; i++)
        held += part_bytes((GatheredPart *)(void *)sharing->parts[i]);
    return operator_check_memory(self, held);
}

static Error *next_shared(Operator *self, Batch **out)
{
    struct Gather *gather = self->gather;
    while (gather->state == GATHER_SHARED) {
        TRY(give_gathered(self, out));
        if (*out != NULL || gather->state != GATHER_SHARED) return NULL;
        if (gather->next >= gather->cut.count) return sharing_close(&gather->sharing), NULL;
        TRY(run_some(self));
    }
    return NULL;
}

/* By the operator's own chain; *out NULL: there are no more rows. */
static Error *next_of_morsels(Operator *self, Batch **out)
{
    struct Gather *gather = self->gather;
    for (;;) {
        if (!gather->inside && gather->next >= gather->cut.count) return NULL;
        if (!gather->inside)
            begin_morsel(self->input, gather->source, &gather->cut, gather->next++);
        gather->inside = true;
        TRY(gather->alone(self, out));
        self->execution->rows[gather->source->input->plan->id] = 1; /* it gave one a morsel */
        if (*out != NULL) return NULL;
        gather->inside = false;
    }
}

static Error *next_gathered(Operator *self, Batch **out)
{
    struct Gather *gather = self->gather;
    *out = NULL;
    if (gather->state == GATHER_NEW) begin_gather(self);
    if (gather->state == GATHER_ALONE) return gather->alone(self, out);
    if (gather->state == GATHER_FIRST_NODES) {
        TRY(gather->alone(self, out));
        if (*out != NULL) return gather->given += (*out)->selected_count, NULL;
        end_first(self);
    }
    if (gather->state == GATHER_SHARED) TRY(next_shared(self, out));
    return *out == NULL && gather->state == GATHER_MORSELS ? next_of_morsels(self, out) : NULL;
}

static void reset_gather(Operator *self)
{
    struct Gather *gather = self->gather;
    sharing_close(&gather->sharing);
    if (gather->source != NULL) give_all(gather->source);
    *gather = (struct Gather){.alone = gather->alone};
}

static void close_gather(Operator *self)
{
    sharing_close(&self->gather->sharing);
}

bool gather_is_idle(const Operator *self)
{
    return self->gather == NULL || self->gather->sharing.helpers == NULL;
}

void gather_open(Operator *self)
{
    const Execution *execution = self->execution;
    if (execution->worker != NULL || source_below(execution, self->plan) == NULL) return;
    assert(self->reset == NULL && self->close == NULL);
    self->gather = arena_new(self->state_arena, struct Gather);
    self->gather->alone = self->next;
    self->next = next_gathered;
    self->reset = reset_gather;
    self->close = close_gather;
}
