/* operators.h - what the operators mean, over values. Shared by the scalar evaluator and the batch
 * programs. */
#ifndef EXPRESSION_OPERATORS_H
#define EXPRESSION_OPERATORS_H
#include "expression/expression.h"

/* Every binary and unary operator but AND and OR, which know when not to look at their right side.
 */
Error *operator_apply(const Expr *expr, EvalContext *context, const Value *args, Value *out);
Error *operator_truth(Value value, const Expr *expr,
                      Truth *out); /* a boolean or null, else an error */
Value truth_value(Truth truth);
Truth truth_and(Truth a, Truth b);
Truth truth_or(Truth a, Truth b);
Error *operator_property(const Expr *expr, EvalContext *context, Value of, Value *out);
Error *operator_index(EvalContext *context, Value of, Value index, Value *out);
Error *operator_slice(EvalContext *context, const Expr *expr, Value of, Value from, Value to,
                      Value *out);
Error *operator_path(EvalContext *context, const Value *parts, uint32_t count, Value *out);
Value operator_concat(Arena *arena, Str a, Str b);
/* STARTS WITH, ENDS WITH, CONTAINS. */
bool operator_text(ExprKind kind, Str text, Str part);
#endif
