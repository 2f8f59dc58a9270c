/*
 * register.c - functions, procedures and strategies that a program adds to a session.
 *
 * Their shape is told in the language's own notation, "name(a :: INTEGER?) :: (x :: STRING, y ::
 * FLOAT)": a `?` allows null and is kept only for reading (every argument may be null at run time).
 * A procedure gives rows one by one through contextql_yield_row while it runs; a function gives one
 * value.
 */
#include "config.h"

#include "algorithm/algorithm.h"
#include "api/api_internal.h"
#include <string.h>

/* ---- signatures ---- */

typedef struct Signature {
    Str name;
    uint32_t argument_count, yield_count;
    Str names[2 * FUNCTION_ARGS_MAX];
    uint8_t types[2 * FUNCTION_ARGS_MAX];
    uint8_t type; /* of a function */
} Signature;

typedef struct Cursor {
    const char *at;
} Cursor;

static void blanks(Cursor *cursor)
{
    cursor->at += strspn(cursor->at, " \t\n");
}

static bool take(Cursor *cursor, const char *token)
{
    blanks(cursor);
    size_t bytes = strlen(token);
    if (strncmp(cursor->at, token, bytes) != 0) return false;
    cursor->at += bytes;
    return true;
}

static Str take_until(Cursor *cursor, const char *stops)
{
    blanks(cursor);
    size_t bytes = strcspn(cursor->at, stops);
    Str text = {cursor->at, bytes};
    cursor->at += bytes;
    while (text.bytes > 0 && strchr(" \t\n", text.data[text.bytes - 1]) != NULL)
        text.bytes--;
    return text;
}

static bool type_of(Str name, uint8_t *out)
{
    static const struct {
        Str name;
        uint8_t type;
    } extra[] = {{{"ANY", 3}, EXPR_TYPE_ANY},
                 {{"NUMBER", 6}, PROCEDURE_NUMBER},
                 {{"BOOL", 4}, VALUE_BOOLEAN}};
    if (name.bytes > 0 && name.data[name.bytes - 1] == '?') name.bytes--;
    for (size_t i = 0; i < sizeof extra / sizeof *extra; i++)
        if (str_equal_ignore_case(name, extra[i].name)) return *out = extra[i].type, true;
    Str list = STR("LIST");
    if (name.bytes > 4 && str_equal_ignore_case((Str){name.data, 4}, list))
        return *out = VALUE_LIST, true; /* LIST<T>, LIST OF T */
    for (int kind = VALUE_BOOLEAN; kind < VALUE_KIND_COUNT; kind++)
        if (str_equal_ignore_case(name, str_from(value_kind_name((ValueKind)kind))))
            return *out = (uint8_t)kind, true;
    return false;
}

/* "(a :: T, b :: T)"; adds to the signature's names from `from` on. */
static bool take_fields(Cursor *cursor, Signature *signature, uint32_t from, uint32_t *count)
{
    *count = 0;
    if (!take(cursor, "(")) return false;
    if (take(cursor, ")")) return true;
    do {
        if (*count == FUNCTION_ARGS_MAX) return false;
        signature->names[from + *count] = take_until(cursor, ":,)");
        if (!take(cursor, "::")) return false;
        if (!type_of(take_until(cursor, ",)"), &signature->types[from + *count])) return false;
        (*count)++;
    } while (take(cursor, ","));
    return take(cursor, ")");
}

static bool read_signature(const char *text, bool procedure, Signature *out)
{
    Cursor cursor = {text};
    *out = (Signature){.type = EXPR_TYPE_ANY};
    out->name = take_until(&cursor, "(");
    if (out->name.bytes == 0 || !take_fields(&cursor, out, 0, &out->argument_count)) return false;
    blanks(&cursor);
    if (*cursor.at == '\0') return procedure;
    if (!take(&cursor, "::")) return false;
    if (procedure)
        return (take(&cursor, "VOID") ||
                take_fields(&cursor, out, out->argument_count, &out->yield_count));
    return type_of(take_until(&cursor, ""), &out->type);
}

static Registered *register_new(contextql *session, contextql_function_fn *call, void *user,
                                void (*drop)(void *))
{
    Registered *registered = arena_new(session->arena, Registered);
    registered->call = call;
    registered->user = user;
    registered->drop = drop;
    registered->session = session;
    return registered;
}

static int bad_signature(contextql *session, const char *signature)
{
    Error *error = error_new(ERROR_MISUSE, "not a signature: %s", signature);
    return session_fail(
        session,
        error_hint(error, "write name(a :: TYPE, ..) :: TYPE, for a procedure :: (x :: TYPE, ..)"),
        CONTEXTQL_RUNTIME);
}

/* A name registered again takes the place of the old one; what is running keeps what it has. */
static void keep(Registered ***list, size_t *count, size_t *capacity, Registered *registered)
{
    for (size_t i = 0; i < *count; i++) {
        if (!str_equal_ignore_case((*list)[i]->name, registered->name)) continue;
        if ((*list)[i]->drop != NULL) (*list)[i]->drop((*list)[i]->user);
        (*list)[i] = registered;
        return;
    }
    mem_reserve(*list, *capacity, *count + 1);
    (*list)[(*count)++] = registered;
}

static Registered *find(Registered **list, size_t count, Str name)
{
    for (size_t i = 0; i < count; i++)
        if (str_equal_ignore_case(list[i]->name, name)) return list[i];
    return NULL;
}

/* ---- functions ---- */

static const contextql_value **lend_all(contextql_call *call, const EntityReader *reader,
                                        const Value *args, uint32_t count)
{
    const contextql_value **lent = arena_array(call->arena, const contextql_value *, count + 1);
    ValueHome home = {call->arena, reader};
    for (uint32_t i = 0; i < count; i++)
        lent[i] = value_lend(&home, args[i]);
    return lent;
}

static Error *call_function(EvalContext *context, const Function *function, const Value *args,
                            uint32_t count, Value *out)
{
    Registered *registered = function->user;
    contextql_call call = {
        .session = registered->session, .arena = context->arena, .context = context};
    registered->call(&call, (int)count, lend_all(&call, context->reader, args, count),
                     registered->user);
    *out = call.result;
    return call.error;
}

int contextql_create_function(contextql *session, const char *signature,
                              contextql_function_fn *function, void *user, void (*drop)(void *user))
{
    Signature read;
    if (!read_signature(signature, false, &read)) return bad_signature(session, signature);
    Registered *registered = register_new(session, function, user, drop);
    registered->name = str_copy(session->arena, read.name);
    Function *made = &registered->function;
    made->name = registered->name;
    made->signature = arena_copy(session->arena, signature, strlen(signature));
    made->summary = made->example = made->result = "";
    made->args_min = made->args_max = (uint8_t)read.argument_count;
    for (uint32_t i = 0; i < read.argument_count; i++)
        made->arg_types[i] = read.types[i] == PROCEDURE_NUMBER ? EXPR_TYPE_ANY : read.types[i];
    made->type = read.type == PROCEDURE_NUMBER ? EXPR_TYPE_ANY : read.type;
    made->call = call_function;
    made->user = registered;
    keep(&session->functions, &session->function_count, &session->function_capacity, registered);
    return CONTEXTQL_OK;
}

/* ---- procedures ---- */

int contextql_create_procedure(contextql *session, const char *signature,
                               contextql_function_fn *procedure, void *user,
                               void (*drop)(void *user))
{
    Signature read;
    if (!read_signature(signature, true, &read)) return bad_signature(session, signature);
    Registered *registered = register_new(session, procedure, user, drop);
    registered->name = str_copy(session->arena, read.name);
    registered->signature = arena_printf(session->arena, "%s", signature);
    registered->meaning = registered->example = "";
    uint32_t fields = read.argument_count + read.yield_count;
    Str *names = arena_array(session->arena, Str, fields + 1);
    uint8_t *types = arena_array(session->arena, uint8_t, fields + 1);
    for (uint32_t i = 0; i < fields; i++) {
        names[i] = str_copy(session->arena, read.names[i]);
        types[i] = read.types[i];
    }
    registered->shape = (PlanProcedure){.name = registered->name,
                                        .argument_count = read.argument_count,
                                        .yield_count = read.yield_count,
                                        .argument_names = names,
                                        .yield_names = names + read.argument_count,
                                        .argument_types = types,
                                        .yield_types = types + read.argument_count};
    keep(&session->procedures, &session->procedure_count, &session->procedure_capacity, registered);
    return CONTEXTQL_OK;
}

/* NULL: there is none of that name. */
static Registered *registered_procedure(contextql *session, Str name)
{
    Registered *registered = find(session->procedures, session->procedure_count, name);
    if (registered != NULL || !str_equal_ignore_case(name, STR("vector.recall"))) return registered;
    recall_register(session); /* ours, and seldom asked for */
    registered = find(session->procedures, session->procedure_count, name);
    registered->meaning = "measures a vector index: of the ten nearest to so many of its nodes, "
                          "the part that it finds";
    registered->example = "CALL vector.recall('Item_embedding', 100) YIELD recall, searches";
    return registered;
}

bool contextql_procedure_at(contextql *session, size_t i, contextql_procedure_info *out)
{
    AlgorithmShape shape;
    size_t algorithms = 0;
    while (algorithm_shape(algorithms, &shape))
        algorithms++;
    if (i < algorithms) {
        algorithm_shape(i, &shape);
        *out = (contextql_procedure_info){shape.name.data, shape.signature, shape.options,
                                          shape.summary, shape.example};
        return true;
    }
    registered_procedure(session, STR("vector.recall"));
    if (i - algorithms >= session->procedure_count) return false;
    const Registered *own = session->procedures[i - algorithms];
    *out =
        (contextql_procedure_info){own->name.data, own->signature, "", own->meaning, own->example};
    return true;
}

Error *session_call(void *user, Str procedure, const Value *args, uint32_t count,
                    Error *(*emit)(void *sink, const Value *row), void *sink)
{
    contextql *session = user;
    Registered *registered = find(session->procedures, session->procedure_count, procedure);
    if (registered == NULL)
        return error_new(ERROR_PROCEDURE_NOT_FOUND, "no such procedure: %.*s", STR_ARG(procedure));
    contextql_call call = {.session = session,
                           .arena = arena_create(),
                           .shape = &registered->shape,
                           .emit = emit,
                           .sink = sink};
    registered->call(&call, (int)count, lend_all(&call, NULL, args, count), registered->user);
    arena_destroy(call.arena);
    return call.error;
}

/* ---- what a call may do ---- */

void contextql_return(contextql_call *call, const contextql_value *value)
{
    call->result = value_take(call->arena, value);
}

int contextql_yield_row(contextql_call *call, const contextql_value *const *columns)
{
    if (call->emit == NULL || call->error != NULL) return CONTEXTQL_MISUSE;
    Value row[FUNCTION_ARGS_MAX];
    for (uint32_t i = 0; i < call->shape->yield_count; i++)
        row[i] = value_take(call->arena, columns[i]);
    call->error = call->emit(call->sink, row);
    return call->error == NULL ? CONTEXTQL_OK : (int)error_code(call->error);
}

void contextql_return_error(contextql_call *call, const char *message)
{
    if (call->error == NULL) call->error = error_new(ERROR_SCRIPT, "%s", message);
}

/* ---- for the planner ---- */

static const Function *find_function(void *state, Str name)
{
    contextql *session = state;
    Registered *registered = find(session->functions, session->function_count, name);
    return registered == NULL ? NULL : &registered->function;
}

static bool find_procedure(void *state, Str name, const PlanProcedure **out)
{
    Registered *registered = registered_procedure(state, name);
    if (registered == NULL) return false;
    *out = &registered->shape;
    return true;
}

static void see_procedures(void *state, Meant *nearest)
{
    contextql_procedure_info procedure;
    for (size_t i = 0; contextql_procedure_at(state, i, &procedure); i++)
        meant_see(nearest, str_from(procedure.name));
}

void session_environment(contextql *session, PlanEnvironment *out)
{
    *out = (PlanEnvironment){.state = session,
                             .clock = session->clock,
                             .function = find_function,
                             .procedure = find_procedure,
                             .see_procedures = see_procedures,
                             .strategies = session->strategies,
                             .strict_names = session->settings.strict_names,
                             .plain = session->settings.plain,
                             .at = str_from(session->settings.at)};
}

/* ---- strategies ---- */

typedef struct ProgramStrategy {
    contextql_strategy strategy;
    void *user;
    void (*drop)(void *user);
} ProgramStrategy;

static Error *strategy_failed(const ProgramStrategy *program, const char *why)
{
    return error_new(ERROR_SCRIPT, "the strategy %s failed%s%s", program->strategy.name,
                     why[0] == '\0' ? "" : ": ", why);
}

static Error *score_by_program(void *user, Value options, const Candidates *candidates, double *out)
{
    ProgramStrategy *program = user;
    char message[CONTEXTQL_MESSAGE_MAX] = "";
    Arena *arena = arena_create();
    ValueHome home = {arena, NULL};
    contextql_candidates shown = {candidates->count, candidates->ids, candidates->scores,
                                  candidates->sources, message};
    void *state = program->user;
    bool good =
        program->strategy.begin == NULL ||
        program->strategy.begin(program->user, value_lend(&home, options), &state) == CONTEXTQL_OK;
    if (good) {
        good = program->strategy.score(state, &shown, out) == CONTEXTQL_OK;
        if (program->strategy.end != NULL) program->strategy.end(state);
    }
    message[sizeof message - 1] = '\0';
    arena_destroy(arena);
    return good ? NULL : strategy_failed(program, message);
}

static void drop_program(void *user)
{
    ProgramStrategy *program = user;
    if (program->drop != NULL) program->drop(program->user);
}

int contextql_create_strategy(contextql *session, const contextql_strategy *strategy, void *user,
                              void (*drop)(void *user))
{
    if (strategy->name == NULL || strategy->score == NULL ||
        strategy->sources > STRATEGY_SOURCES_MAX)
        return session_fail(session,
                            error_new(ERROR_MISUSE,
                                      "a strategy has a name, a score function and at "
                                      "most %d sources",
                                      STRATEGY_SOURCES_MAX),
                            CONTEXTQL_RUNTIME);
    ProgramStrategy *program = arena_new(session->arena, ProgramStrategy);
    *program = (ProgramStrategy){*strategy, user, drop};
    program->strategy.name = arena_copy(session->arena, strategy->name, strlen(strategy->name));
    const char *summary = strategy->summary == NULL ? "" : strategy->summary;
    size_t sources = strategy->sources;
    strategy_register(session->strategies,
                      (Strategy){.name = program->strategy.name,
                                 .summary = summary,
                                 .score = score_by_program,
                                 .user = program,
                                 .drop = drop_program,
                                 .options = strategy->options,
                                 .sources_min = sources == 0 ? 1 : sources,
                                 .sources_max = sources == 0 ? STRATEGY_SOURCES_MAX : sources});
    return CONTEXTQL_OK;
}
