/*
 * statement.c - a prepared query and its cursor.
 *
 * A statement owns three arenas: one for its plan (as long as it lives), one for a run (until
 * reset), one for the row it shows (until the next step). The first step opens a transaction,
 * unless the session is inside BEGIN: then a savepoint is set, so that a statement that fails
 * leaves nothing behind. DONE comes after the commit: it is the acknowledgement.
 *
 *     prepared -> running -> done
 *                        \-> failed        reset brings it back to prepared from anywhere
 */
#include "config.h"

#include "api/api_internal.h"
#include "command/command.h"
#include "parser/ast.h"
#include <stdio.h>
#include <string.h>

typedef enum StatementState {
    STATEMENT_PREPARED,
    STATEMENT_RUNNING,
    STATEMENT_DONE,
    STATEMENT_FAILED
} StatementState;

typedef struct StatementWarning {
    ErrorCode code;
    const char *message, *hint;
    size_t offset, length; /* offset SIZE_MAX: no place */
} StatementWarning;

struct contextql_statement {
    contextql *session;
    Arena *arena, *run_arena, *row_arena;
    Plan *plan;
    Str text;
    Value *parameters;
    Arena **
        parameter_arenas; /* of each, made at its first value; a new value takes the old one's place */
    bool *bound;
    StatementState state;

    MemAccount account; /* of this run */
    bool was_short;     /* it was told to stop because of it */
    bool is_counted;    /* somebody has told how much of the run is done: */
    double done;
    uint64_t done_rows;
    Transaction *transaction; /* own (autocommit) or the session's */
    size_t savepoint;
    Execution *execution;
    Execution *parked;      /* of the last run, for the next one (execution_renew); NULL: none */
    Arena *execution_arena; /* of either */
    const Batch *batch;     /* the rows at hand */
    uint32_t next;          /* of its selected rows */
    uint64_t repeat;        /* how often the present row is still to be given */
    uint32_t position;      /* of the present row in the batch */

    const Value *table; /* rows of EXPLAIN, SHOW, COPY: row by row */
    size_t table_rows, table_next;
    Str *table_columns; /* their names; NULL: the plan's */
    uint32_t table_width;
    ExecutionStats command_stats; /* of a command: COPY counts what it makes */

    contextql_value *shown; /* a place for each column: values of the present row, when asked for */
    uint64_t *shown_in;     /* of which row it holds one */
    uint64_t row_number;    /* of the present row; others of runs before are below */
    const EntityReader *reader;
    const char **column_names;
    contextql_stats stats;
    int64_t parse_ns, plan_ns, started_ns, deadline_ns;
    StatementWarning *warnings;
    size_t warning_count, warning_capacity;
    Interrupt interrupt;
    ExecutionEnvironment environment;
    Moments moments;
};

/* ---- prepare ---- */

static bool only_blanks(Str text)
{
    return parser_is_blank(text);
}

static bool is_interrupted(void *state)
{
    const contextql *session = state;
    return atomic_load_explicit(&session->interrupted, memory_order_relaxed);
}

static Error *plan_statement(contextql_statement *statement)
{
    contextql *session = statement->session;
    PlanEnvironment environment;
    session_environment(session, &environment);
    Transaction *transaction = session->transaction;
    if (transaction == NULL) TRY(transaction_begin(session->database, &transaction));
    TRY(transaction_await(transaction, is_interrupted, session)); /* has it just begun, at once */
    GraphView view = transaction_view(transaction);
    const Clock *clock = environment.clock;
    int64_t begin_ns = clock->monotonic_ns(clock->state);
    Error *error =
        planner_plan(statement->arena, statement->text, &view, &environment, &statement->plan);
    if (error == NULL) {
        int64_t elapsed_ns = clock->monotonic_ns(clock->state) - begin_ns;
        statement->parse_ns = statement->plan->parse_ns;
        statement->plan_ns = elapsed_ns - statement->parse_ns;
    }
    if (transaction != session->transaction) transaction_rollback(transaction);
    return error;
}

/* A rule that its plan relies on may be gone since. */
static Error *plan_anew(contextql_statement *statement)
{
    const GraphView *view = &statement->environment.view;
    PlanEnvironment environment;
    if (planner_holds(statement->plan, view)) return NULL;
    session_environment(statement->session, &environment);
    execution_close(statement->parked);
    statement->parked = NULL;
    arena_reset(statement->execution_arena);
    return planner_plan(statement->arena, statement->text, view, &environment, &statement->plan);
}

static void name_columns(contextql_statement *statement)
{
    uint32_t count = statement->plan->column_count;
    statement->column_names = arena_array(statement->arena, const char *, count + 1);
    for (uint32_t i = 0; i < count; i++)
        statement->column_names[i] = str_copy(statement->arena, statement->plan->columns[i]).data;
}

static void statement_destroy(contextql_statement *statement)
{
    execution_close(statement->parked);
    arena_destroy(statement->execution_arena);
    for (uint32_t i = 0; i < statement->plan->parameter_count; i++)
        arena_destroy(statement->parameter_arenas[i]);
    arena_destroy(statement->run_arena);
    arena_destroy(statement->row_arena);
    mem_free(statement->warnings);
    arena_destroy(statement->arena);
}

int contextql_prepare(contextql *session, const char *text, size_t size, contextql_statement **out,
                      const char **rest)
{
    *out = NULL;
    Str whole = {text, size};
    size_t end = parser_statement_end(whole);
    if (end > size) end = size;
    if (rest != NULL) *rest = text + end;
    if (session->database == NULL)
        return session_fail(session, error_new(ERROR_MISUSE, "the session has no open database"),
                            CONTEXTQL_RUNTIME);
    if (only_blanks((Str){text, end})) return CONTEXTQL_OK;
    if (session->statement_count == 0) atomic_store(&session->interrupted, false);
    Arena *arena = arena_create();
    contextql_statement *statement = arena_new(arena, contextql_statement);
    statement->session = session;
    statement->arena = arena;
    statement->text = str_copy(arena, (Str){text, end});
    Error *error = plan_statement(statement);
    if (error != NULL) {
        arena_destroy(arena);
        return session_fail(session, error, CONTEXTQL_COMPILE_TIME);
    }
    statement->run_arena = arena_create();
    statement->row_arena = arena_create();
    statement->execution_arena = arena_create();
    statement->parameters = arena_array(arena, Value, statement->plan->parameter_count + 1);
    statement->parameter_arenas = arena_array(arena, Arena *, statement->plan->parameter_count + 1);
    statement->bound = arena_array(arena, bool, statement->plan->parameter_count + 1);
    name_columns(statement);
    session->statement_count++;
    *out = statement;
    return CONTEXTQL_OK;
}

void contextql_finalize(contextql_statement *statement)
{
    if (statement == NULL) return;
    contextql_reset(statement);
    statement->session->statement_count--;
    statement_destroy(statement);
}

/* ---- parameters ---- */

int contextql_parameter_count(const contextql_statement *statement)
{
    return (int)statement->plan->parameter_count;
}

const char *contextql_parameter_name(const contextql_statement *statement, int parameter)
{
    if (parameter < 0 || (uint32_t)parameter >= statement->plan->parameter_count) return NULL;
    return str_copy(statement->arena, statement->plan->parameters[parameter]).data;
}

static int bind_value(contextql_statement *statement, const char *name, Value value)
{
    if (statement->state == STATEMENT_RUNNING)
        return session_fail(
            statement->session,
            error_new(ERROR_MISUSE, "a running statement cannot be bound: reset it first"),
            CONTEXTQL_RUNTIME);
    Str wanted = str_from(name);
    for (uint32_t i = 0; i < statement->plan->parameter_count; i++)
        if (str_equal(statement->plan->parameters[i], wanted)) {
            if (statement->parameter_arenas[i] == NULL)
                statement->parameter_arenas[i] = arena_create();
            arena_reset(statement->parameter_arenas[i]);
            statement->parameters[i] = value_copy(statement->parameter_arenas[i], value);
            statement->bound[i] = true;
        }
    return CONTEXTQL_OK;
}

int contextql_bind(contextql_statement *statement, const char *name, const contextql_value *value)
{
    return bind_value(statement, name, value->value);
}

int contextql_bind_integer(contextql_statement *statement, const char *name, int64_t integer)
{
    return bind_value(statement, name, value_integer(integer));
}

int contextql_bind_float(contextql_statement *statement, const char *name, double number)
{
    return bind_value(statement, name, value_float(number));
}

int contextql_bind_string(contextql_statement *statement, const char *name, const char *data,
                          size_t size)
{
    return bind_value(statement, name, value_string((Str){data, size}));
}

int contextql_bind_vector(contextql_statement *statement, const char *name, const float *components,
                          size_t dimensions)
{
    Error *error = value_check_vector(components, dimensions);
    if (error != NULL) return session_fail(statement->session, error, CONTEXTQL_RUNTIME);
    return bind_value(statement, name, value_vector(components, dimensions));
}

static Error *check_parameters(const contextql_statement *statement)
{
    for (uint32_t i = 0; i < statement->plan->parameter_count; i++) {
        if (statement->bound[i]) continue;
        Str name = statement->plan->parameters[i];
        return error_hint(
            error_new(ERROR_MISSING_PARAMETER, "parameter $%.*s has no value", STR_ARG(name)),
            "give it one: :param %.*s VALUE at the prompt, -p %.*s=VALUE, or a bind call",
            STR_ARG(name), STR_ARG(name));
    }
    return NULL;
}

/* ---- what a run needs ---- */

/* What is done of a run, as last told by who counts. */
static void tell_progress(const contextql_statement *statement)
{
    contextql *session = statement->session;
    if (session->progress != NULL &&
        session->progress(session->progress_user, statement->done, statement->done_rows))
        contextql_interrupt(session);
}

/* Asked often, and by the session's own thread: where much is done between two tellings the program is
 * called nevertheless. */
static bool should_stop(void *state)
{
    contextql_statement *statement = state;
    const contextql *session = statement->session;
    if (statement->is_counted) tell_progress(statement);
    if (is_interrupted(statement->session)) return true;
    if (mem_is_short()) return statement->was_short = true;
    return statement->deadline_ns != 0 &&
           session->clock->monotonic_ns(session->clock->state) > statement->deadline_ns;
}

static void add_warning(contextql_statement *statement, StatementWarning warning)
{
    enum { WARNINGS_MAX = 1000 }; /* more are counted by nobody and read by nobody */
    if (statement->warning_count == WARNINGS_MAX) return;
    mem_reserve(statement->warnings, statement->warning_capacity, statement->warning_count + 1);
    statement->warnings[statement->warning_count++] = warning;
}

static void warn(void *user, ErrorCode code, const char *message, const char *hint)
{
    contextql_statement *statement = user;
    add_warning(statement, (StatementWarning){
                               code, arena_copy(statement->run_arena, message, strlen(message)),
                               arena_copy(statement->run_arena, hint, strlen(hint)), SIZE_MAX, 0});
}

static void progress(void *user, double done, uint64_t rows)
{
    contextql_statement *statement = user;
    statement->is_counted = true;
    statement->done = done;
    statement->done_rows = rows;
    tell_progress(statement);
}

static Error *call_procedure(void *user, Str procedure, const Value *args, uint32_t count,
                             Error *(*emit)(void *sink, const Value *row), void *sink)
{
    contextql_statement *statement = user;
    return session_call(statement->session, procedure, args, count, emit, sink);
}

static void prepare_environment(contextql_statement *statement)
{
    contextql *session = statement->session;
    int64_t now_ns = session->clock->wall_ns(session->clock->state);
    statement->interrupt = (Interrupt){should_stop, statement};
    statement->environment = (ExecutionEnvironment){
        .view = transaction_view(statement->transaction),
        .parameters = statement->parameters,
        .now_ns = now_ns,
        .transaction_ns = session->transaction == NULL ? now_ns : session->transaction_begin_ns,
        .clock = session->clock,
        .random = &session->random,
        .interrupt = &statement->interrupt,
        .strategies = session->strategies,
        .session = statement,
        .call = call_procedure,
        .warn = warn,
        .progress = progress,
        .directory = session->settings.directory[0] == '\0' ? NULL : session->settings.directory,
        .files_allowed = session->settings.files_allowed,
        .simd = session->settings.simd,
        .shuffle = (uint64_t)session->settings.shuffle,
        .gpu = session->settings.gpu,
        .gpu_device = session->settings.gpu_device,
        .gpu_memory = session->settings.gpu_memory,
        .vector_codes = session->settings.vector_codes,
        .vector_ef = session->settings.vector_ef,
        .device = database_device(session->database),
        .database = session->database,
        .workers = database_workers(session->database),
        .worker_max = session->settings.workers,
        .morsel_nodes = session->settings.morsel,
        .memory_bytes_max = session->settings.memory_bytes_max,
        .spill = database_spill_place(session->database),
        .spill_bytes_max = session->settings.spill_bytes_max,
    };
}

/* ---- transactions around a statement ---- */

static Error *enter_transaction(contextql_statement *statement)
{
    contextql *session = statement->session;
    statement->transaction = session->transaction;
    if (statement->transaction == NULL)
        TRY(transaction_begin(session->database, &statement->transaction));
    TRY(transaction_await(statement->transaction, should_stop, statement));
    bool only_explained = statement->plan->explain && !statement->plan->profile;
    if (!statement->plan->writes && !only_explained) transaction_mark_read(statement->transaction);
    if (!statement->plan->writes || only_explained) return NULL;
    GraphWriter *writer;
    TRY(transaction_writer(statement->transaction, should_stop, statement, &writer));
    statement->environment.writer = writer;
    statement->savepoint = transaction_savepoint(statement->transaction);
    return NULL;
}

static bool is_copy_from(const Plan *plan)
{
    return plan->statement == STATEMENT_COPY_NODES ||
           plan->statement == STATEMENT_COPY_RELATIONSHIPS;
}

/* What became of a run. A cancelled one need not be taken back before its session goes on. */
typedef enum Outcome { RUN_GOOD, RUN_FAILED, RUN_CANCELLED } Outcome;

/* Takes back what the statement wrote. Another cursor of the session may look at it at its next step. */
static void take_back(contextql_statement *statement, Transaction *transaction, bool own,
                      bool aside)
{
    if (own && aside)
        transaction_abandon(transaction);
    else if (own)
        transaction_rollback(transaction);
    else if (statement->environment.writer == NULL) /* it did not come to write */
        return;
    else if (aside && statement->session->running_count == 0)
        transaction_abandon_to(transaction, statement->savepoint);
    else
        transaction_rollback_to(transaction, statement->savepoint);
}

static Error *leave_transaction(contextql_statement *statement, Outcome outcome)
{
    Transaction *transaction = statement->transaction;
    bool own = transaction != NULL && transaction != statement->session->transaction;
    statement->transaction = NULL;
    moments_close(&statement->moments, statement->session->database);
    if (transaction == NULL) return NULL;
    transaction_only_write(transaction, statement->session->settings.only_written);
    if (own && outcome == RUN_GOOD) return transaction_commit(transaction);
    if (outcome != RUN_GOOD)
        take_back(statement, transaction, own, outcome == RUN_CANCELLED);
    else if (is_copy_from(statement->plan))
        transaction_write_ahead(transaction);
    return NULL;
}

static Error *run_command(contextql_statement *statement)
{
    contextql *session = statement->session;
    switch (statement->plan->statement) {
    case STATEMENT_BEGIN:
        if (session->transaction != NULL)
            return error_hint(error_new(ERROR_TRANSACTION_STATE, "a transaction is open already"),
                              "COMMIT or ROLLBACK it first");
        session->transaction_begin_ns = session->clock->wall_ns(session->clock->state);
        return transaction_begin(session->database, &session->transaction);
    case STATEMENT_COMMIT:
    case STATEMENT_ROLLBACK: {
        Transaction *transaction = session->transaction;
        if (transaction == NULL)
            return error_hint(error_new(ERROR_TRANSACTION_STATE, "no transaction is open"),
                              "BEGIN one");
        session->transaction = NULL;
        transaction_only_write(transaction, session->settings.only_written);
        if (statement->plan->statement == STATEMENT_COMMIT) return transaction_commit(transaction);
        transaction_abandon(transaction); /* what is much goes beside the session */
        return NULL;
    }
    case STATEMENT_QUERY:
    case STATEMENT_CREATE_INDEX:
    case STATEMENT_DROP_INDEX:
    case STATEMENT_CREATE_SNAPSHOT:
    case STATEMENT_DROP_SNAPSHOT:
    case STATEMENT_COPY_NODES:
    case STATEMENT_COPY_RELATIONSHIPS:
    case STATEMENT_COPY_TO:
    case STATEMENT_SHOW: break;
    }
    return NULL;
}

static bool is_transaction_command(const Plan *plan)
{
    return plan->statement == STATEMENT_BEGIN || plan->statement == STATEMENT_COMMIT ||
           plan->statement == STATEMENT_ROLLBACK;
}

/* ---- running ---- */

/* A row an operator; times are in steps of a microsecond. */
static void explain(contextql_statement *statement)
{
    size_t count, width = statement->plan->column_count;
    PlanProfile profile = {0};
    if (statement->execution != NULL) execution_profile(statement->execution, &profile);
    bool has_run = statement->execution != NULL;
    const char *const *notes =
        statement->execution == NULL
            ? execution_plan_notes(statement->run_arena, statement->plan, &statement->environment)
            : execution_notes(statement->execution);
    const ExplainRow *rows = planner_explain(statement->run_arena, statement->plan,
                                             has_run ? &profile : NULL, notes, &count);
    Value *values = arena_array(statement->run_arena, Value, count * width + 1);
    for (size_t i = 0; i < count; i++) {
        const ExplainRow *row = &rows[i];
        Value *to = values + i * width;
        bool ran = row->is_operator && has_run;
        to[0] = value_string(row->text);
        to[1] = row->estimated_rows < 0 ? value_null()
                                        : value_integer((int64_t)(row->estimated_rows + 0.5));
        if (width == EXPLAIN_COLUMNS) continue;
        to[2] = ran ? value_integer((int64_t)row->rows) : value_null();
        to[3] = ran ? value_float((double)(row->own_ns / 1000) / 1000) : value_null();
        to[4] = ran ? value_integer((int64_t)row->memory_bytes) : value_null();
        to[5] = row->file_bytes > 0 ? value_integer((int64_t)row->file_bytes) : value_null();
    }
    statement->table = values;
    statement->table_rows = count;
    statement->table_width = width;
}

static Error *check_damage(const contextql_statement *statement)
{
    TRY(transaction_damage(statement->transaction));
    return moments_damage(&statement->moments);
}

static Error *drain(contextql_statement *statement)
{
    const Batch *batch;
    do
        TRY(execution_next(statement->execution, &batch));
    while (batch != NULL);
    return check_damage(statement);
}

/* Of the run before, if that can be run again, else a new one. */
static Error *open_execution(contextql_statement *statement)
{
    Execution *parked = statement->parked;
    statement->parked = NULL;
    if (parked != NULL && execution_renew(parked, &statement->environment)) {
        statement->execution = parked;
        return NULL;
    }
    execution_close(parked);
    arena_reset(statement->execution_arena);
    return execution_open(statement->execution_arena, statement->plan, &statement->environment,
                          &statement->execution);
}

/* A run has ended, whole or not: what it ran with may serve the next, unless that was large. */
static void park_execution(contextql_statement *statement)
{
    if (statement->execution == NULL) return;
    statement->parked = statement->execution;
    statement->execution = NULL;
    if (execution_is_small(statement->parked)) return;
    execution_close(statement->parked);
    statement->parked = NULL;
    arena_reset(statement->execution_arena);
}

static Error *start_query(contextql_statement *statement)
{
    const Plan *plan = statement->plan;
    if (plan->explain && !plan->profile) {
        explain(statement);
        return NULL;
    }
    TRY(open_execution(statement));
    statement->reader = execution_reader(statement->execution);
    if (!plan->profile) return NULL;
    TRY(drain(statement));
    explain(statement);
    return NULL;
}

static void show_settings(contextql_statement *statement)
{
    contextql_setting setting;
    size_t count = 0;
    while (contextql_setting_at(count, &setting))
        count++;
    Value *cells = arena_array(statement->run_arena, Value, count * 4);
    for (size_t i = 0; contextql_setting_at(i, &setting); i++) {
        const char *value = contextql_get(statement->session, setting.name);
        const char *texts[] = {setting.name, value == NULL ? "" : value, setting.values,
                               setting.meaning};
        for (size_t c = 0; c < 4; c++)
            cells[i * 4 + c] = value_string(str_copy(statement->run_arena, str_from(texts[c])));
    }
    statement->table = cells;
    statement->table_rows = count;
    statement->table_width = 4;
}

static void show_procedures(contextql_statement *statement)
{
    enum { COLUMNS = 5 };
    contextql_procedure_info procedure;
    size_t count = 0;
    while (contextql_procedure_at(statement->session, count, &procedure))
        count++;
    Value *cells = arena_array(statement->run_arena, Value, count * COLUMNS);
    for (size_t i = 0; contextql_procedure_at(statement->session, i, &procedure); i++) {
        const char *texts[COLUMNS] = {procedure.name, procedure.signature, procedure.options,
                                      procedure.meaning, procedure.example};
        for (size_t c = 0; c < COLUMNS; c++)
            cells[i * COLUMNS + c] = value_string(str_from(texts[c]));
    }
    statement->table = cells;
    statement->table_rows = count;
    statement->table_width = COLUMNS;
}

/* Who needs too much memory; NULL: the statement itself, whatever it is. */
static const char *command_name(const Plan *plan)
{
    if (is_copy_from(plan) || plan->statement == STATEMENT_COPY_TO) return "COPY";
    return plan->statement == STATEMENT_CREATE_INDEX ? "CREATE INDEX" : NULL;
}

static Error *start_command(contextql_statement *statement)
{
    CommandTable table = {0};
    const Plan *plan = statement->plan;
    bool apart =
        plan->statement == STATEMENT_CREATE_SNAPSHOT || plan->statement == STATEMENT_DROP_SNAPSHOT;
    if (apart && statement->session->transaction != NULL)
        return error_hint(error_new(ERROR_TRANSACTION_STATE,
                                    "a snapshot is of what is committed: not inside a transaction"),
                          "COMMIT or ROLLBACK it first");
    if (plan->statement == STATEMENT_SHOW && str_equal(plan->name, STR("SETTINGS"))) {
        show_settings(statement);
        return NULL;
    }
    if (plan->statement == STATEMENT_SHOW && str_equal(plan->name, STR("PROCEDURES"))) {
        show_procedures(statement);
        return NULL;
    }
    TRY(error_named(command_execute(statement->run_arena, plan, &statement->environment, &table),
                    command_name(plan)));
    statement->table = table.values;
    statement->table_rows = table.row_count;
    statement->table_width = table.column_count;
    statement->command_stats = table.stats;
    return NULL;
}

static Error *start(contextql_statement *statement)
{
    contextql *session = statement->session;
    bool only_explained = statement->plan->explain && !statement->plan->profile;
    if (!only_explained) TRY(check_parameters(statement)); /* a plan is the same for all values */
    if (statement->plan->writes) TRY(error_if_short(0));
    statement->is_counted = false;
    statement->started_ns = session->clock->monotonic_ns(session->clock->state);
    int64_t timeout_ns = session->settings.timeout_ns;
    statement->deadline_ns = timeout_ns == 0 ? 0 : statement->started_ns + timeout_ns;
    for (uint32_t i = 0; i < statement->plan->warning_count; i++) {
        const PlanWarning *w = &statement->plan->warnings[i];
        add_warning(statement,
                    (StatementWarning){w->code, w->message, w->hint, w->offset, w->length});
    }
    if (is_transaction_command(statement->plan)) return run_command(statement);
    TRY(enter_transaction(statement));
    GraphWriter *writer = statement->environment.writer;
    prepare_environment(statement);
    statement->environment.writer = writer;
    TRY(plan_anew(statement));
    if (writer != NULL) graph_writer_heed(writer, should_stop, statement);
    if (!only_explained)
        TRY(moments_open(&statement->moments, session->database, statement->plan,
                         &statement->environment, statement->run_arena));
    if (statement->plan->statement == STATEMENT_QUERY) return start_query(statement);
    return start_command(statement);
}

/* Rows of the batch at hand are given without a look at anything else. */
static inline bool has_next_row(const contextql_statement *statement)
{
    return statement->state == STATEMENT_RUNNING && statement->batch != NULL &&
           statement->repeat <= 1 && statement->next < statement->batch->selected_count &&
           statement->table == NULL;
}

static void take_next_row(contextql_statement *statement)
{
    statement->position = batch_position(statement->batch, statement->next++);
    statement->repeat = batch_multiplicity(statement->batch, statement->position);
}

/* *more: there is a row at hand. */
static Error *advance(contextql_statement *statement, bool *more)
{
    *more = true;
    if (statement->table != NULL || statement->execution == NULL) {
        *more = statement->table_next < statement->table_rows;
        statement->table_next += *more;
        return NULL;
    }
    if (statement->repeat > 1) {
        statement->repeat--;
        return NULL;
    }
    if (!statement->plan->gives_rows) {
        *more = false;
        return drain(statement);
    }
    while (statement->batch == NULL || statement->next == statement->batch->selected_count) {
        statement->next = 0;
        TRY(execution_next(statement->execution, &statement->batch));
        TRY(check_damage(statement));
        if (statement->batch == NULL) return *more = false, NULL;
    }
    take_next_row(statement);
    return NULL;
}

static void note_stats(contextql_statement *statement)
{
    contextql *session = statement->session;
    contextql_stats *stats = &statement->stats;
    stats->elapsed_ns = session->clock->monotonic_ns(session->clock->state) - statement->started_ns;
    stats->parse_ns = statement->parse_ns;
    stats->plan_ns = statement->plan_ns;
    stats->warning_count = statement->warning_count;
    stats->durability = database_durability(session->database, session->settings.only_written);
    const ExecutionStats *done = statement->execution == NULL
                                     ? &statement->command_stats
                                     : execution_stats(statement->execution);
    stats->nodes_created = done->nodes_created, stats->nodes_deleted = done->nodes_deleted;
    stats->relationships_created = done->relationships_created;
    stats->relationships_deleted = done->relationships_deleted;
    stats->properties_set = done->properties_set;
    stats->labels_added = done->labels_added, stats->labels_removed = done->labels_removed;
    stats->rows_created = done->rows_created, stats->rows_matched = done->rows_matched;
    stats->rows_skipped = done->rows_skipped;
}

static Error *why_stopped(const contextql_statement *statement, Error *error)
{
    if (error_code(error) != ERROR_CANCELLED || atomic_load(&statement->session->interrupted))
        return error;
    error_drop(error);
    const char *where = statement->execution == NULL ? command_name(statement->plan)
                                                     : execution_stopped_in(statement->execution);
    if (statement->was_short) return error_named(error_memory(), where);
    double seconds = (double)statement->session->settings.timeout_ns / 1e9;
    return error_hint(error_new(ERROR_TIMEOUT,
                                "the statement took longer than its time limit of %g s%s%s",
                                seconds, where == NULL ? "" : ", in ", where == NULL ? "" : where),
                      "raise timeout, or ask for less: fewer hops, a condition, LIMIT");
}

/* What must hold when a statement has ended. (What must hold of a transaction, its commit asks.) */
static Error *check_end(const contextql_statement *statement)
{
    const GraphWriter *writer = statement->environment.writer;
    return writer == NULL ? NULL : graph_check(writer, GRAPH_UNIQUE, statement->savepoint);
}

/* A checkpoint beside everything has nobody to tell why it failed: the next who writes is told. */
static void tell_trouble(contextql_statement *statement)
{
    Error *trouble = database_take_trouble(statement->session->database);
    if (trouble == NULL) return;
    warn(statement, error_code(trouble),
         arena_printf(statement->run_arena, "a checkpoint in the background failed: %s",
                      error_message(trouble)),
         "nothing is lost, the log holds all of it; it is tried again when the log has grown");
    error_drop(trouble);
}

/* Ends the run and gives back what it took; of a cancelled one what is large later. */
static Error *end_run(contextql_statement *statement, Outcome outcome)
{
    MemBin bin = {NULL};
    if (outcome == RUN_CANCELLED) mem_bin_begin(&bin);
    park_execution(statement);
    if (outcome == RUN_CANCELLED) mem_bin_end();
    statement->session->running_count--;
    bool own = statement->transaction != statement->session->transaction;
    if (statement->environment.writer != NULL && !own) /* else its commit may be stopped, too */
        graph_writer_heed(statement->environment.writer, NULL, NULL);
    Error *left = leave_transaction(statement, outcome);
    database_free_aside(statement->session->database, &bin);
    return left;
}

static int finish(contextql_statement *statement, Error *error)
{
    if (statement->plan->writes) tell_trouble(statement);
    if (error == NULL) error = check_end(statement);
    if (error == NULL) note_stats(statement);
    if (error != NULL) error = why_stopped(statement, error); /* asks the execution */
    Error *left = end_run(statement, error == NULL                          ? RUN_GOOD
                                     : error_code(error) == ERROR_CANCELLED ? RUN_CANCELLED
                                                                            : RUN_FAILED);
    if (error == NULL)
        error = left == NULL ? NULL : why_stopped(statement, left);
    else
        error_drop(left);
    statement->state = error == NULL ? STATEMENT_DONE : STATEMENT_FAILED;
    atomic_store(&statement->session->interrupted, false); /* it was for this run */
    if (error == NULL) return CONTEXTQL_DONE;
    return session_fail(statement->session, error, CONTEXTQL_RUNTIME);
}

static int step(contextql_statement *statement)
{
    Error *error = NULL;
    bool more = false;
    if (statement->state == STATEMENT_PREPARED) {
        statement->state = STATEMENT_RUNNING;
        statement->session->running_count++;
        error = start(statement);
    }
    arena_reset(statement->row_arena);
    statement->row_number++;
    if (error == NULL) error = advance(statement, &more);
    if (error != NULL || !more) return finish(statement, error);
    statement->stats.rows++;
    return CONTEXTQL_ROW;
}

int contextql_step(contextql_statement *statement)
{
    if (has_next_row(statement)) {
        arena_reset(statement->row_arena);
        statement->row_number++;
        take_next_row(statement);
        statement->stats.rows++;
        return CONTEXTQL_ROW;
    }
    if (statement->state == STATEMENT_DONE) return CONTEXTQL_DONE;
    if (statement->state == STATEMENT_FAILED)
        return session_fail(statement->session,
                            error_new(ERROR_MISUSE, "the statement failed: reset it first"),
                            CONTEXTQL_RUNTIME);
    if (statement->state == STATEMENT_PREPARED) {
        mem_keep_reserve();
        /* What is being taken back goes on holding memory until it is. */
        if (mem_total() > session_memory_limit(statement->session) / 2)
            database_await_aside(statement->session->database, is_interrupted, statement->session);
        statement->account = (MemAccount){.limit = session_memory_limit(statement->session),
                                          .writes = statement->plan->writes};
        statement->was_short = false;
    }
    MemAccount *before = mem_account_enter(&statement->account);
    int result = step(statement);
    mem_account_enter(before);
    return result;
}

int contextql_reset(contextql_statement *statement)
{
    if (statement->state == STATEMENT_RUNNING) {
        /* A writing statement left half-way is taken back: nobody was told it is done. */
        error_drop(end_run(statement, statement->plan->writes ? RUN_CANCELLED : RUN_GOOD));
    }
    atomic_store(&statement->session->interrupted, false);
    statement->state = STATEMENT_PREPARED;
    statement->batch = NULL;
    statement->next = statement->position = 0;
    statement->repeat = 0;
    statement->table = NULL;
    statement->table_rows = statement->table_next = 0;
    statement->environment.writer = NULL;
    statement->stats = (contextql_stats){0};
    statement->command_stats = (ExecutionStats){0};
    statement->warning_count = 0;
    arena_reset(statement->row_arena);
    arena_reset(statement->run_arena);
    return CONTEXTQL_OK;
}

/* ---- the present row ---- */

int contextql_column_count(const contextql_statement *statement)
{
    return (int)statement->plan->column_count;
}

const char *contextql_column_name(const contextql_statement *statement, int column)
{
    if (column < 0 || (uint32_t)column >= statement->plan->column_count) return NULL;
    return statement->column_names[column];
}

static Value cell(const contextql_statement *statement, uint32_t column)
{
    if (statement->table != NULL)
        return statement->table[(statement->table_next - 1) * statement->table_width + column];
    uint32_t slot = statement->plan->root->slots[column];
    return column_value(&statement->batch->columns[slot], statement->position);
}

const contextql_value *contextql_column(const contextql_statement *statement, int column)
{
    contextql_statement *cache =
        (contextql_statement *)statement; /* wrapping a value changes no meaning */
    uint32_t count = statement->plan->column_count;
    if (statement->state != STATEMENT_RUNNING || column < 0 || (uint32_t)column >= count)
        return NULL;
    if (statement->shown == NULL) {
        cache->shown = arena_array(statement->arena, contextql_value, count);
        cache->shown_in = arena_array(statement->arena, uint64_t, count);
    }
    contextql_value *shown = &cache->shown[column];
    if (statement->shown_in[column] != statement->row_number) {
        cache->shown_in[column] = statement->row_number;
        shown->value = cell(statement, (uint32_t)column);
        shown->home = (ValueHome){statement->row_arena, statement->reader};
        shown->inside_known = shown->labels_known = false;
    }
    return shown;
}

void contextql_statement_stats(const contextql_statement *statement, contextql_stats *out)
{
    *out = statement->stats;
    if (out->durability == NULL) out->durability = "none";
}

int contextql_statement_warning(const contextql_statement *statement, size_t i,
                                contextql_error_info *out)
{
    if (i >= statement->warning_count) return CONTEXTQL_MISUSE;
    const StatementWarning *warning = &statement->warnings[i];
    *out = (contextql_error_info){.code = (int)warning->code,
                                  .status = error_code_status(warning->code),
                                  .type = "",
                                  .detail = "",
                                  .phase = CONTEXTQL_COMPILE_TIME,
                                  .message = warning->message,
                                  .hint = warning->hint == NULL ? "" : warning->hint,
                                  .offset = warning->offset,
                                  .length = warning->length};
    return CONTEXTQL_OK;
}
