/* api_internal.h - what the files of this folder share. */
#ifndef API_API_INTERNAL_H
#define API_API_INTERNAL_H
#include "base/map.h"
#include "contextql.h"
#include "database/database.h"
#include "execution/execution.h"
#include <stdatomic.h>

/* Where a lent value comes from: its children are made in `arena`, its entities are read through
 * `reader`. */
typedef struct ValueHome {
    Arena *arena;
    const EntityReader *reader; /* NULL: a value made by a program */
} ValueHome;

struct contextql_value {
    Value value;
    ValueHome home;
    Value inside; /* of an entity: its properties; of a node also `labels`; read at the first
                     question */
    Value labels;
    bool inside_known, labels_known;
    bool owned;      /* made by contextql_value_new_*: home.arena is its own */
    size_t capacity; /* of an owned list or map */
};

/* A procedure or function that a program registered. */
typedef struct Registered {
    Str name;
    PlanProcedure shape; /* procedures */
    const char *signature, *meaning, *example; /* procedures; "" where nobody told */
    Function function;   /* functions */
    contextql_function_fn *call;
    void *user;
    void (*drop)(void *user);
    struct contextql *session;
} Registered;

typedef struct Settings {
    int64_t timeout_ns; /* of one statement; 0: none */
    uint64_t memory_bytes_max, spill_bytes_max;
    bool strict_names, files_allowed, plain;
    bool only_written;        /* durability */
    int64_t shuffle;          /* seed; 0: off */
    uint32_t workers, morsel; /* 0: the machine, the data decide */
    uint32_t vector_ef;       /* 0: the index decides */
    char simd[16], gpu[16], gpu_device[256], vector_codes[8];
    char at[256];         /* the moment that queries look at, as behind AT; empty: the present */
    uint64_t gpu_memory;  /* bytes; 0: the device decides */
    char directory[4096]; /* where relative file names of COPY and LOAD begin; empty: the process's
                           */
} Settings;

struct contextql {
    Arena *arena;             /* lives as long as the session */
    Database *database;       /* shared; NULL when opening failed */
    Transaction *transaction; /* between BEGIN and COMMIT; else NULL */
    int64_t transaction_begin_ns;
    Error *error; /* of the last call that failed; NULL: none */
    contextql_phase phase;
    Settings settings;
    Registered **functions, **procedures;
    size_t function_count, function_capacity, procedure_count, procedure_capacity;
    StrategyRegistry *strategies;
    uint64_t random;
    const Clock *clock;
    Clock frozen_clock; /* CONTEXTQL_TEST_CLOCK: */
    FrozenClock frozen;
    atomic_bool interrupted;
    contextql_progress_fn *progress;
    void *progress_user;
    size_t statement_count; /* open ones: the database stays until they are gone */
    size_t running_count;   /* of them; a cursor of the transaction may stand anywhere */
    char shown[64];         /* text of the last contextql_get */
    Arena *suggestions;     /* of the last contextql_suggest; NULL: none yet */
};

/* One call of what a program registered. */
struct contextql_call {
    contextql *session;
    Arena *arena;               /* of one call */
    EvalContext *context;       /* function */
    const PlanProcedure *shape; /* procedure */
    Error *(*emit)(void *sink, const Value *row);
    void *sink;
    Value result;
    Error *error;
};

/* contextql_open with all files of the database elsewhere than the machine's (NULL: there). */
int session_open(const char *directory, const contextql_options *options, const Io *io,
                 contextql **out);
/* CALL vector.recall, from now on (recall.c). */
void recall_register(contextql *session);
/* Keeps `error` as the session's last one and gives its code (CONTEXTQL_OK for NULL). */
int session_fail(contextql *session, Error *error, contextql_phase phase);
/* How much the process may hold when a statement of the session goes on; never 0. */
uint64_t session_memory_limit(const contextql *session);
void session_info(const Error *error, contextql_phase phase, contextql_error_info *out);
/* What the planner asks the session for. */
void session_environment(contextql *session, PlanEnvironment *out);
Error *session_call(void *session, Str procedure, const Value *args, uint32_t count,
                    Error *(*emit)(void *sink, const Value *row), void *sink);

/* The graphs that a run of a statement looks at, beside its transaction's. */
typedef struct Moments {
    uint32_t count;
    Past *pasts[PLAN_MOMENTS_MAX]; /* NULL: the present */
    GraphView views[PLAN_MOMENTS_MAX];
} Moments;
/* Finds those of the plan and puts them into `environment`, which has all else already; `moments`
 * is zero, and is closed also after an error. */
Error *moments_open(Moments *moments, Database *database, const Plan *plan,
                    ExecutionEnvironment *environment, Arena *arena) MUST_CHECK;
Error *moments_damage(const Moments *moments) MUST_CHECK;
void moments_close(Moments *moments, Database *database);

contextql_value *value_lend(const ValueHome *home, Value value); /* dies with home->arena */
/* A plain Value of what a program hands in: deep copy into `arena`. */
Value value_take(Arena *arena, const contextql_value *value);
#endif
