/*
 * command.h - statements that are no queries: indexes, constraints, SHOW, COPY.
 *
 * They run in the statement's transaction like a query does: what fails leaves nothing behind.
 */
#ifndef COMMAND_COMMAND_H
#define COMMAND_COMMAND_H
#include "execution/execution.h"

/* The rows of a command; values[r * column_count + c] is row r, column c, as the plan announces
 * them. */
typedef struct CommandTable {
    const Value *values;
    size_t row_count;
    uint32_t column_count;
    ExecutionStats stats; /* COPY */
} CommandTable;

/* Runs `plan`, which is not a query's. The table lies in `arena`. */
Error *command_execute(Arena *arena, const Plan *plan, const ExecutionEnvironment *environment,
                       CommandTable *out) MUST_CHECK;
#endif
