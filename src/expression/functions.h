/*
 * functions.h - the functions of the language: one row each in contextql/functions.def, plus what
 * programs register.
 */
#ifndef EXPRESSION_FUNCTIONS_H
#define EXPRESSION_FUNCTIONS_H
#include "expression/expression.h"

typedef Error *FunctionCall(EvalContext *context, const Function *function, const Value *args,
                            uint32_t count, Value *out);

enum {
    FUNCTION_ARGS_MAX = 16
}; /* more never helped anybody; parameters of a call live on the stack */

struct Function {
    Str name;              /* as documented; looked up ignoring case */
    const char *signature; /* "(a :: VECTOR, b :: VECTOR) :: FLOAT" */
    const char *summary, *example, *result;
    uint8_t args_min, args_max;
    uint8_t
        arg_types[FUNCTION_ARGS_MAX]; /* ValueKind or EXPR_TYPE_ANY, for the compile-time check */
    char arg_letters[FUNCTION_ARGS_MAX]; /* the same in the letters of functions.def, which know
                                            sets of kinds; 0: anything */
    uint8_t type;                        /* of the result */
    bool pure;         /* same arguments, same answer, no entity read: may be folded */
    bool null_on_null; /* null if any argument is null, without being called */
    FunctionCall *call;
    void *user; /* of a registered function */
};

/* Built-in functions. NULL: none of that name; `suggestion` (may be NULL) gets the nearest name or
 * an empty text. */
const Function *function_find(Str name, Str *suggestion);
/* Asked again in one statement, by whichever thread, does it say the same? Not a random one, nor one of a
 * program, of which nobody knows. */
bool function_repeats(const Function *function);
size_t function_count(void);
const Function *function_at(size_t i);

typedef struct FunctionText {
    const char *group, *name, *signature, *summary, *example, *result;
} FunctionText;
/* The i-th row of contextql/functions.def, functions and aggregates in its order; false: no more. */
bool function_text(size_t i, FunctionText *out);

/* What range() of these arguments has, one after the other, `step` apart. */
typedef struct IntegerRange {
    int64_t from, step;
    uint64_t count;
} IntegerRange;
Error *integer_range(const Value *args, uint32_t count, IntegerRange *out) MUST_CHECK;

/* ---- aggregates ---- */
typedef enum AggregateKind {
    AGGREGATE_COUNT_ROWS,
    AGGREGATE_COUNT,
    AGGREGATE_SUM,
    AGGREGATE_AVG,
    AGGREGATE_MIN,
    AGGREGATE_MAX,
    AGGREGATE_COLLECT,
    AGGREGATE_STDEV,
    AGGREGATE_STDEVP,
    AGGREGATE_PERCENTILE_CONT,
    AGGREGATE_PERCENTILE_DISC
} AggregateKind;

typedef struct AggregateSpec {
    AggregateKind kind;
    bool distinct;
    Expr *argument; /* NULL: count(*) */
    Expr *extra;    /* the percentile, constant over a group */
} AggregateSpec;

/* false: not the name of an aggregate. */
bool aggregate_find(Str name, AggregateKind *kind, uint32_t *arg_count);
uint8_t aggregate_type(const AggregateSpec *spec); /* of the result: ValueKind or EXPR_TYPE_ANY */

/* Does a state keep all values that it is given (or those that differ), and grow with them? */
bool aggregate_keeps_values(const AggregateSpec *spec);
/* One state a group and aggregate, in `arena` (which lives as long as the aggregation). */
typedef struct AggregateState AggregateState;
AggregateState *aggregate_begin(Arena *arena, const AggregateSpec *spec);
/* `value` counts `multiplicity` times; text is copied as far as it is kept. `extra` is the
 * percentile or null. */
Error *aggregate_step(AggregateState *state, Value value, Value extra,
                      uint64_t multiplicity) MUST_CHECK;
/* A batch's selected rows and the groups they are in, for all aggregates of an operator. What rows a
 * group has is counted once, for whoever asks first. */
enum { AGGREGATE_TALLIES_MAX = 512 };
typedef struct AggregateRows {
    const Batch *batch;
    const uint32_t *groups; /* of the i-th selected row; below group_count */
    size_t group_count;
    bool counted;
    uint32_t counts[AGGREGATE_TALLIES_MAX];
} AggregateRows;
/* The i-th selected row goes to states[groups[i] * stride]; the same as a step for each of them. The
 * states are all of one aggregate. */
Error *aggregate_batch(AggregateState *const *states, size_t stride, AggregateRows *rows,
                       const Column *value, const Column *extra) MUST_CHECK;
/* What `from` has taken counts as taken by `into`, behind what that has. They are of one aggregate;
 * `from` is not changed, and nothing of it is kept. Sums of doubles are added sum to sum; variances
 * by Chan, Golub and LeVeque's formula for two samples. */
Error *aggregate_merge(AggregateState *into, const AggregateState *from) MUST_CHECK;
Error *aggregate_end(AggregateState *state, Arena *arena, Value *out) MUST_CHECK;
#endif
