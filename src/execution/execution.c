/*
 * execution.c - opening, pulling and closing a chain of operators, and what all of them need.
 */
#include "config.h"

#include "base/map.h"
#include "execution/score_internal.h"
#include <assert.h>
#include <time.h>

static void (*const openers[])(Operator *) = {[PLAN_UNIT] = open_unit,
                                              [PLAN_ARGUMENT] = open_argument,
                                              [PLAN_NODE_SCAN] = open_scan,
                                              [PLAN_NODE_SEEK] = open_seek,
                                              [PLAN_NODE_BY_ID] = open_seek,
                                              [PLAN_RELATIONSHIP_BY_ID] = open_seek,
                                              [PLAN_EXPAND] = open_expand,
                                              [PLAN_EXPAND_VARIABLE] = open_expand_variable,
                                              [PLAN_RELATIONSHIP_ENDS] = open_ends,
                                              [PLAN_WALK] = open_walk,
                                              [PLAN_SHORTEST] = open_shortest,
                                              [PLAN_REACH] = open_reach,
                                              [PLAN_COUNT] = open_degree,
                                              [PLAN_DEGREE] = open_degree,
                                              [PLAN_INTERSECT] = open_intersect,
                                              [PLAN_LINK] = open_intersect,
                                              [PLAN_FILTER] = open_filter,
                                              [PLAN_PROJECT] = open_project,
                                              [PLAN_UNWIND] = open_unwind,
                                              [PLAN_AGGREGATE] = open_aggregate,
                                              [PLAN_DISTINCT] = open_distinct,
                                              [PLAN_SORT] = open_sort,
                                              [PLAN_SKIP] = open_skip,
                                              [PLAN_LIMIT] = open_limit,
                                              [PLAN_UNION] = open_union,
                                              [PLAN_APPLY] = open_apply,
                                              [PLAN_CREATE] = open_create,
                                              [PLAN_MERGE] = open_merge,
                                              [PLAN_SET] = open_set,
                                              [PLAN_REMOVE] = open_set,
                                              [PLAN_DELETE] = open_delete,
                                              [PLAN_LOAD] = open_load,
                                              [PLAN_CALL] = open_call,
                                              [PLAN_SCORE] = open_score,
                                              [PLAN_RANK] = open_score,
                                              [PLAN_ENTER] = open_enter,
                                              [PLAN_LEAVE] = open_leave,
                                              [PLAN_PRODUCE] = open_produce};

MemTally *operator_tally(const Operator *operator)
{
    MemTally *memory = operator->execution->memory;
    return memory == NULL ? NULL : mem_tally_enter(&memory[operator->plan->id]);
}

static void leave_tally(const Operator *operator, MemTally * before)
{
    if (operator->execution->memory != NULL) mem_tally_enter(before);
}

Error *operator_open(Execution *execution, const PlanNode *plan, Operator **out)
{
    Operator *operator= arena_new(execution->arena, Operator);
    operator->plan = plan;
    operator->execution = execution;
    MemTally *before = operator_tally(operator);
    operator->arena = arena_create();
    operator->state_arena = arena_create();
    operator->cap = 8;
    execution->all[plan->id] = operator;
    leave_tally(operator, before);
    if (plan->input != NULL) TRY(operator_open(execution, plan->input, &operator->input));
    if (plan->inner != NULL) TRY(operator_open(execution, plan->inner, &operator->inner));
    assert((size_t)plan->kind < sizeof openers / sizeof *openers && openers[plan->kind] != NULL);
    before = operator_tally(operator);
    openers[plan->kind](operator);
    leave_tally(operator, before);
    *out = operator;
    return NULL;
}

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

Error *operator_check_memory(Operator *operator, size_t more)
{
    const ExecutionEnvironment *environment = &operator->execution->environment;
    size_t held = arena_bytes(operator->arena) + arena_bytes(operator->state_arena) + more;
    operator->beside = more;
    if (mem_is_short()) return error_memory();
    if (environment->memory_bytes_max == 0 || held <= environment->memory_bytes_max) return NULL;
    return error_hint(error_new(ERROR_LIMIT,
                                "%s needs more memory than the statement's limit of %llu bytes",
                                plan_kind_name(operator->plan->kind),
                                (unsigned long long)environment->memory_bytes_max),
                      "raise memory_limit, or ask for fewer rows at once");
}

/* Half of the limit for one operator, as long as all together leave a fourth of it: two sorts of a
 * sixteenth each, and what is held to merge their runs, are needed to go on in files. */
bool operator_wants_room(const Operator *operator, size_t held, size_t growth, bool in_morsels)
{
    enum { WANTED_BYTES_MIN = 256 << 10, OWN_PART = 2, LEFT_PART = 4 };
    const Execution *execution = operator->execution;
    uint64_t limit = mem_limit();
    if (execution->environment.spill == NULL || execution->worker != NULL || limit == 0 ||
        held + growth < WANTED_BYTES_MIN)
        return false;
    uint64_t all = in_morsels ? execution->began_bytes + held : mem_total();
    return held + growth > limit / OWN_PART || all + growth > limit - limit / LEFT_PART ||
           mem_is_short();
}

size_t operator_spill_budget(void)
{
    enum { PART = 16, BYTES_MIN = 128 << 10, BYTES_MAX = 64 << 20 };
    uint64_t part = mem_limit() / PART;
    return part < BYTES_MIN ? BYTES_MIN : part > BYTES_MAX ? BYTES_MAX : (size_t)part;
}

Error *operator_check_files(const Operator *operator, uint64_t bytes)
{
    uint64_t most = operator->execution->environment.spill_bytes_max;
    if (most == 0 || bytes <= most) return NULL;
    return error_hint(error_new(ERROR_LIMIT,
                                "%s needs more memory than there is, and more room in files than "
                                "the statement's limit of %llu bytes",
                                plan_kind_name(operator->plan->kind), (unsigned long long)most),
                      "raise spill_limit or memory_limit, or ask for fewer rows at once");
}

void operator_note_spill(Operator *operator, uint64_t bytes)
{
    operator->execution->file_bytes[operator->plan->id] += bytes;
}

Error *operator_room(const Operator *operator, size_t bytes)
{
    return error_named(error_if_short(bytes), plan_kind_name(operator->plan->kind));
}

Error *operator_interrupted(const Operator *operator)
{
    if (mem_is_short()) return error_memory();
    const Interrupt *interrupt = operator->execution->environment.interrupt;
    if (interrupt == NULL || !interrupt->stop(interrupt->state)) return NULL;
    return error_new(ERROR_CANCELLED, "the statement was cancelled");
}

static Error *check_limits(Operator *operator)
{
    TRY(operator_interrupted(operator));
    return operator_check_memory(operator, operator->beside);
}

/* Whoever finds that memory is short may be the last who took a little: the one who holds most is
 * named. */
static Error *name_heaviest(Error *error, const Operator *finder)
{
    const Execution *execution = finder->execution;
    const Operator *heaviest = finder;
    size_t most = 0;
    for (uint32_t i = 0; i < execution->plan->node_count; i++) {
        const Operator *operator= execution->all[i];
        if (operator== NULL || operator->arena == NULL) continue;
        size_t held =
            arena_bytes(operator->arena) + arena_bytes(operator->state_arena) + operator->beside;
        if (held > most) most = held, heaviest = operator;
    }
    error = error_named(error, plan_kind_name(heaviest->plan->kind));
    return error_at(error, heaviest->plan->offset, heaviest->plan->length);
}

Error *operator_next(Operator *operator, Batch ** out)
{
    Execution *execution = operator->execution;
    uint32_t id = operator->plan->id;
    Error *limit = check_limits(operator);
    if (limit != NULL && execution->stopped == NULL) execution->stopped = operator->plan;
    bool helper = execution->worker != NULL; /* where memory went is told by who has morsels */
    if (limit != NULL)
        return error_is_nameless(limit) && !helper ? name_heaviest(limit, operator) : limit;
    int64_t start = execution->plan->profile ? now_ns() : 0;
    MemTally *before = operator_tally(operator);
    Error *error = operator->next(operator, out);
    leave_tally(operator, before);
    if (error_is_nameless(error) && helper) return error;
    if (error_is_nameless(error)) error = name_heaviest(error, operator);
    if (error == NULL && *out != NULL && execution->plan->profile)
        execution->rows[id] += batch_rows(*out);
    if (execution->plan->profile) execution->elapsed_ns[id] += now_ns() - start;
    /* An expression told its own place; what is left is the clause's. Stopping has none. */
    bool stopped = error != NULL && error_code(error) == ERROR_CANCELLED;
    if (stopped && execution->stopped == NULL) execution->stopped = operator->plan;
    return stopped ? error : error_at(error, operator->plan->offset, operator->plan->length);
}

void operator_reset(Operator *operator)
{
    for (; operator!= NULL; operator= operator->input) {
        MemTally *before = operator_tally(operator);
        if (operator->reset != NULL) operator->reset(operator);
        leave_tally(operator, before);
        operator->cap = 8;
        if (operator->inner != NULL) operator_reset(operator->inner);
    }
}

void operator_close(Operator *operator)
{
    if (operator== NULL) return;
    MemTally *before = operator_tally(operator);
    if (operator->close != NULL) operator->close(operator);
    arena_destroy(operator->arena);
    arena_destroy(operator->state_arena);
    leave_tally(operator, before);
    operator->arena = operator->state_arena = NULL;
}

static void set_arguments(Operator *operator, const Batch * batch)
{
    while (operator->input != NULL)
        operator= operator->input;
    if (operator->plan->kind == PLAN_ARGUMENT) argument_set(operator, batch);
    for (uint32_t b = 0; operator->plan->kind == PLAN_UNION && b<operator->plan->branch_count; b++)
        set_arguments(operator->branches[b], batch);
}

void chain_start(Operator *inner, const Batch *batch)
{
    operator_reset(inner);
    set_arguments(inner, batch);
}

/* ---- what operators need ---- */

void operator_context(Operator *operator, Arena * arena, EvalContext *out)
{
    const ExecutionEnvironment *environment = &operator->execution->environment;
    out->arena = arena;
    out->reader = &operator->execution->reader;
    out->subqueries = &operator->execution->subquery_runner;
    out->parameters = environment->parameters;
    out->now_ns = environment->now_ns;
    out->transaction_ns = environment->transaction_ns;
    out->clock = environment->clock;
    out->random = environment->random;
    out->interrupt = environment->interrupt;
    out->session = environment->session;
}

Batch *batch_extend(Operator *operator, const Batch * in, const uint16_t *positions, uint32_t count)
{
    Arena *arena = operator->arena;
    Batch *batch = batch_create(arena, in->column_count);
    batch->row_count = batch->selected_count = count;
    for (uint32_t c = 0; c < in->column_count; c++)
        if (in->columns[c].type != COLUMN_UNSET)
            column_gather(arena, &batch->columns[c], &in->columns[c], positions, count);
    if (in->multiplicity == NULL) return batch;
    batch->multiplicity = arena_alloc(arena, (count + 1) * sizeof *batch->multiplicity);
    for (uint32_t i = 0; i < count; i++)
        batch->multiplicity[i] = in->multiplicity[positions[i]];
    return batch;
}

/* Fisher and Yates; splitmix64. */
void operator_shuffle(Operator *operator, uint64_t * ids, uint64_t *beside, size_t count)
{
    Execution *execution = operator->execution;
    if (execution->environment.shuffle == 0) return;
    for (size_t i = count; i > 1; i--) {
        size_t j = (size_t)(random_next(&execution->shuffle) % i);
        uint64_t id = ids[i - 1];
        ids[i - 1] = ids[j], ids[j] = id;
        if (beside == NULL) continue;
        id = beside[i - 1];
        beside[i - 1] = beside[j], beside[j] = id;
    }
}

uint32_t operator_cap(Operator *operator)
{
    uint32_t cap = operator->cap;
    if (operator->cap<BATCH_ROWS_MAX)
        operator->cap = operator->cap * 8> BATCH_ROWS_MAX ? BATCH_ROWS_MAX : operator->cap * 8;
    return cap;
}

bool entity_at(const Batch *batch, uint32_t slot, uint32_t position, ValueKind kind, uint64_t *id)
{
    const Column *column = &batch->columns[slot];
    ColumnType typed = kind == VALUE_NODE ? COLUMN_NODE : COLUMN_RELATIONSHIP;
    if (column->type == typed && !column->constant && column->valid == NULL)
        return *id = entity_id(column->ids[position]), true;
    Value value = column_value(column, position);
    if (value.kind != kind) return false;
    *id = entity_id(value.as.id);
    return true;
}

uint32_t name_resolve(const Execution *execution, NameKind kind, NameRef ref)
{
    return ref.id != GRAPH_NAME_UNKNOWN ? ref.id
                                        : graph_name_find(execution->view.graph, kind, ref.text);
}

uint32_t *types_resolve(const Execution *execution, Arena *arena, const NameRef *types,
                        uint32_t type_count, uint32_t *count)
{
    uint32_t all = graph_name_count(execution->view.graph, NAME_TYPE);
    uint32_t *ids = arena_array(arena, uint32_t, (type_count == 0 ? all : type_count) + 1);
    *count = 0;
    for (uint32_t i = 0; type_count == 0 && i < all; i++)
        ids[(*count)++] = i;
    for (uint32_t i = 0; i < type_count; i++) {
        uint32_t id = name_resolve(execution, NAME_TYPE, types[i]);
        bool again = id == GRAPH_NAME_UNKNOWN;
        for (uint32_t j = 0; j < *count && !again; j++)
            again = ids[j] == id;
        if (!again) ids[(*count)++] = id;
    }
    return ids;
}

Error *drain_input(Operator *operator, RowBuffer * rows)
{
    Batch *batch;
    for (;;) {
        TRY(operator_next(operator->input, &batch));
        if (batch == NULL) return NULL;
        TRY(operator_room(operator, rows_growth(rows, batch->selected_count)));
        rows_append(rows, batch);
        TRY(operator_check_memory(operator, 0));
    }
}

Error *row_count_of(Operator *operator, const Expr * expr, const char *what, uint64_t *out)
{
    EvalContext context = {0};
    Batch empty = {.row_count = 1, .selected_count = 1};
    Value value;
    operator_context(operator, operator->state_arena, &context);
    TRY(expr_evaluate(expr, &context, &empty, 0, &value));
    if (value.kind != VALUE_INTEGER)
        return error_at(error_new(ERROR_NON_INTEGER_ARGUMENT, "%s is an integer, not %s", what,
                                  value_kind_name((ValueKind)value.kind)),
                        expr->offset, expr->length);
    if (value.as.integer < 0)
        return error_at(error_new(ERROR_NEGATIVE_ARGUMENT, "%s cannot be negative", what),
                        expr->offset, expr->length);
    *out = (uint64_t)value.as.integer;
    return NULL;
}

/* ---- executions ---- */

Error *execution_open(Arena *arena, const Plan *plan, const ExecutionEnvironment *environment,
                      Execution **out)
{
    Execution *execution = arena_new(arena, Execution);
    execution->arena = arena;
    execution->plan = plan;
    execution->environment = *environment;
    execution->view = environment->view;
    execution->moment = 0;
    execution->run = 1;
    execution->shuffle = environment->shuffle;
    execution->began_bytes = mem_total();
    execution->all = arena_array(arena, Operator *, plan->node_count + 1);
    execution->rows = arena_array(arena, uint64_t, plan->node_count + 1);
    execution->elapsed_ns = arena_array(arena, int64_t, plan->node_count + 1);
    execution->notes = arena_array(arena, const char *, plan->node_count + 1);
    execution->file_bytes = arena_array(arena, uint64_t, plan->node_count + 1);
    execution->rows_failed = arena_new(arena, atomic_bool);
    if (plan->profile) execution->memory = arena_array(arena, MemTally, plan->node_count + 1);
    entity_reader_init(&execution->reader, execution);
    Error *error = operator_open(execution, plan->root, &execution->root);
    if (error == NULL) error = subqueries_open(execution);
    if (error != NULL) {
        execution_close(execution);
        return error;
    }
    *out = execution;
    return NULL;
}

Error *execution_next(Execution *execution, const Batch **out)
{
    Batch *batch;
    TRY(operator_next(execution->root, &batch));
    *out = batch;
    return NULL;
}

void execution_close(Execution *execution)
{
    if (execution == NULL) return;
    for (uint32_t i = 0; i < execution->plan->node_count; i++)
        operator_close(execution->all[i]);
    subqueries_close(execution);
}

/* Operators whose reset brings back all there was after opening. Those that mark nodes keep memory in
 * proportion to the graph, and are opened anew. */
static bool can_renew(PlanKind kind)
{
    switch (kind) {
    case PLAN_UNIT:
    case PLAN_NODE_SCAN:
    case PLAN_NODE_SEEK:
    case PLAN_NODE_BY_ID:
    case PLAN_RELATIONSHIP_BY_ID:
    case PLAN_EXPAND:
    case PLAN_EXPAND_VARIABLE:
    case PLAN_RELATIONSHIP_ENDS:
    case PLAN_COUNT:
    case PLAN_DEGREE:
    case PLAN_FILTER:
    case PLAN_PROJECT:
    case PLAN_UNWIND:
    case PLAN_AGGREGATE:
    case PLAN_DISTINCT:
    case PLAN_SORT:
    case PLAN_SKIP:
    case PLAN_LIMIT:
    case PLAN_SCORE:
    case PLAN_PRODUCE: return true;
    default: return false;
    }
}

bool execution_is_small(const Execution *execution)
{
    enum { KEPT_BYTES_MAX = 256 << 10 }; /* what a prepared statement that is not run may hold */
    const Plan *plan = execution->plan;
    size_t held = 0;
    if (plan->subquery_count > 0) return false;
    for (uint32_t i = 0; i < plan->node_count; i++) {
        const Operator *operator= execution->all[i];
        if (operator== NULL) continue; /* a node that the planner took out again */
        if (!can_renew(operator->plan->kind) || !gather_is_idle(operator)) return false;
        held += arena_bytes(operator->arena) + arena_bytes(operator->state_arena);
    }
    return held <= KEPT_BYTES_MAX;
}

bool execution_renew(Execution *execution, const ExecutionEnvironment *environment)
{
    uint32_t nodes = execution->plan->node_count;
    if (!execution_is_small(execution)) return false;
    execution->environment = *environment;
    execution->view = environment->view;
    execution->moment = 0;
    execution->run++;
    execution->began_bytes = mem_total();
    execution->stats = (ExecutionStats){0};
    execution->deleted = false;
    atomic_store(execution->rows_failed, false);
    execution->stopped = NULL;
    memset(execution->notes, 0, nodes * sizeof *execution->notes);
    memset(execution->rows, 0, nodes * sizeof *execution->rows);
    memset(execution->elapsed_ns, 0, nodes * sizeof *execution->elapsed_ns);
    memset(execution->file_bytes, 0, nodes * sizeof *execution->file_bytes);
    operator_reset(execution->root);
    for (uint32_t i = 0; execution->memory != NULL && i < nodes; i++)
        execution->memory[i].most = execution->memory[i].held;
    return true;
}

const char *execution_stopped_in(const Execution *execution)
{
    return execution->stopped == NULL ? NULL : plan_kind_name(execution->stopped->kind);
}

const ExecutionStats *execution_stats(const Execution *execution)
{
    return &execution->stats;
}

void execution_profile(const Execution *execution, PlanProfile *out)
{
    *out = (PlanProfile){execution->rows, execution->elapsed_ns, execution->memory,
                         execution->file_bytes};
}

const char *const *execution_notes(const Execution *execution)
{
    return execution->notes;
}

static void note_chain(Arena *arena, const Plan *plan, const PlanNode *node,
                       const ExecutionEnvironment *environment, const char **notes)
{
    for (; node != NULL; node = node->input) {
        if (node->kind == PLAN_SCORE || node->kind == PLAN_RANK)
            notes[node->id] = score_where(environment, node, plan->slot_count, arena);
        if (node->inner != NULL) note_chain(arena, plan, node->inner, environment, notes);
        for (uint32_t i = 0; i < node->branch_count; i++)
            note_chain(arena, plan, node->branches[i], environment, notes);
    }
}

const char *const *execution_plan_notes(Arena *arena, const Plan *plan,
                                        const ExecutionEnvironment *environment)
{
    const char **notes = arena_array(arena, const char *, plan->node_count + 1);
    note_chain(arena, plan, plan->root, environment, notes);
    return notes;
}

const EntityReader *execution_reader(const Execution *execution)
{
    return &execution->reader;
}
