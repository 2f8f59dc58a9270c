/*
 * expression.h - bound expressions: made by the planner, run over batches.
 *
 * An Expr is a typed tree without names: variables are slots of the batch or locals of an enclosing
 * comprehension, parameters and functions are resolved. It is read-only and lives in the plan's
 * arena. program_compile flattens it to steps over registers, which program_run executes over a
 * batch at a time with typed kernels; expr_evaluate is the scalar evaluator that defines what an
 * expression means (one row), and is what comprehensions and constants use. Both give the same
 * answer: tests hold them against each other.
 */
#ifndef EXPRESSION_EXPRESSION_H
#define EXPRESSION_EXPRESSION_H
#include "base/clock.h"
#include "expression/reader.h"

typedef enum ExprKind {
    EXPR_CONSTANT,   /* value */
    EXPR_PARAMETER,  /* index into EvalContext.parameters */
    EXPR_SLOT,       /* index: column of the batch */
    EXPR_LOCAL,      /* index: variable of a comprehension, quantifier, reduce */
    EXPR_PROPERTY,   /* args[0].name: entity, map, temporal value; null of null */
    EXPR_HAS_LABELS, /* args[0]:names...; for a relationship its type */
    EXPR_CALL,       /* function(args) */
    EXPR_AGGREGATE,  /* only in the planner's hands: aggregate(args), replaced by a slot before
                        running */
    EXPR_NOT,
    EXPR_AND, /* two args; the right one is not evaluated where the left one decides */
    EXPR_OR,
    EXPR_XOR,
    EXPR_EQUAL,
    EXPR_NOT_EQUAL,
    EXPR_LESS,
    EXPR_LESS_EQUAL,
    EXPR_GREATER,
    EXPR_GREATER_EQUAL,
    EXPR_ADD, /* numbers, text, lists, temporal */
    EXPR_SUBTRACT,
    EXPR_MULTIPLY,
    EXPR_DIVIDE,
    EXPR_MODULO,
    EXPR_POWER,
    EXPR_NEGATE,
    EXPR_PLUS, /* unary */
    EXPR_IN,
    EXPR_STARTS_WITH,
    EXPR_ENDS_WITH,
    EXPR_CONTAINS,
    EXPR_REGEX, /* =~ , the whole text must match */
    EXPR_IS_NULL,
    EXPR_IS_NOT_NULL,
    EXPR_INDEX,         /* args[0][args[1]]: list, map, entity */
    EXPR_SLICE,         /* args[0][args[1]..args[2]]; an absent bound is a NULL pointer */
    EXPR_LIST,          /* [args...] */
    EXPR_MAP,           /* {keys[i]: args[i]}; without a key args[i] is a map whose entries go in */
    EXPR_CASE,          /* args: condition, result, condition, result, ..., else (always there) */
    EXPR_COMPREHENSION, /* [local IN args[0] WHERE args[1] | args[2]]; args[1], args[2] may be NULL
                         */
    EXPR_ANY,           /* any(local IN args[0] WHERE args[1]) */
    EXPR_ALL,
    EXPR_NONE,
    EXPR_SINGLE,
    EXPR_REDUCE,   /* reduce(local = args[0], local + 1 IN args[1] | args[2]) */
    EXPR_SUBQUERY, /* index: of the plan's sub-queries, asked through EvalContext.subqueries; args:
                      the locals it looks at */
    EXPR_PATH /* a path of args: node, relationship or list of relationships, node, ...; null if one
                 is null */
} ExprKind;

enum { EXPR_TYPE_ANY = VALUE_KIND_COUNT }; /* not known before running */

typedef struct Function Function; /* functions.h */
typedef struct Expr Expr;
struct Expr {
    uint8_t kind;  /* ExprKind */
    uint8_t type;  /* ValueKind every non-null result has, or EXPR_TYPE_ANY; number-or-null etc. are
                      ANY */
    bool nullable; /* false: never null */
    bool constant; /* depends on no slot, local, or function that is not pure */
    uint32_t index; /* slot, parameter or local */
    uint32_t arg_count;
    Expr **args;
    Value value;    /* EXPR_CONSTANT */
    NameRef name;   /* EXPR_PROPERTY */
    NameRef *names; /* EXPR_HAS_LABELS */
    uint32_t name_count;
    Str *keys;                       /* EXPR_MAP */
    const Function *function;        /* EXPR_CALL */
    struct AggregateSpec *aggregate; /* EXPR_AGGREGATE */
    size_t offset, length;           /* place in the statement, for errors */
};

enum {
    EXPR_LOCALS_MAX = 256
}; /* comprehensions nested in one another; the parser's depth limit keeps far below */

typedef struct Interrupt { /* asked once a batch and in long loops */
    bool (*stop)(void *state);
    void *state;
} Interrupt;

/* A plug: sub-queries over the variables of comprehensions, which are no rows. Owned here, filled in
 * by execution. `locals` are the values of the expression's args; what is given lies in `arena`. */
typedef struct SubqueryRunner {
    void *state;
    Error *(*run)(void *state, uint32_t index, const Value *locals, const Batch *batch,
                  uint32_t position, Arena *arena, Value *out);
} SubqueryRunner;

typedef struct EvalContext {
    Arena *arena; /* results of the present batch */
    const EntityReader *reader;
    const SubqueryRunner *subqueries; /* NULL where no expression has any */
    const Value *parameters;          /* by index */
    Value locals[EXPR_LOCALS_MAX];
    int64_t now_ns;         /* of the statement */
    int64_t transaction_ns; /* of its transaction */
    const Clock *clock;     /* for realtime(); NULL: now_ns stands for it */
    uint64_t *random;       /* state of rand(); owned by the session */
    const Interrupt *interrupt;
    void *session; /* handed to functions of programs (Lua, C), never looked at here */
} EvalContext;

/* ---- one row: the definition ---- */
Error *expr_evaluate(const Expr *expr, EvalContext *context, const Batch *batch, uint32_t position,
                     Value *out) MUST_CHECK;

/* ---- a batch at a time ---- */
typedef struct Program Program;
Program *program_compile(Arena *arena, const Expr *expr);
/* For who can do with COLUMN_WORD as well. */
Program *program_compile_words(Arena *arena, const Expr *expr);
/* out becomes a column over the batch's positions (only selected ones are filled in), allocated
 * from context->arena or borrowed from the batch. */
Error *program_run(const Program *program, EvalContext *context, const Batch *batch,
                   Column *out) MUST_CHECK;
/* Narrows the batch's selection to the rows for which `program` is true. */
Error *program_filter(const Program *program, EvalContext *context, Batch *batch) MUST_CHECK;

/* ---- for the planner ---- */
Expr *expr_new(Arena *arena, ExprKind kind, uint32_t arg_count);
Expr *expr_constant(Arena *arena, Value value);
Expr *expr_slot(Arena *arena, uint32_t slot, uint8_t type, bool nullable);
bool expr_equal(const Expr *a, const Expr *b); /* the same expression, for GROUP BY and ORDER BY */
bool expr_uses_slot(const Expr *expr, uint32_t slot);
void expr_print(Buffer *out, const Expr *expr, const char *const *slot_names); /* for EXPLAIN */
/* Evaluates a constant expression now (no slots, no parameters). */
Error *expr_fold(Arena *arena, const Expr *expr, Value *out) MUST_CHECK;
/* The result type of an operator or NULL-safe function over argument types;
 * ERROR_INVALID_ARGUMENT_TYPE where the types known before running cannot fit (compile-time type
 * check), with the place of the argument. Sets type and nullable. */
Error *expr_check(Expr *expr) MUST_CHECK;
#endif
