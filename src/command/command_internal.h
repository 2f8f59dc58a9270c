/* command_internal.h - the commands that have files of their own. */
#ifndef COMMAND_COMMAND_INTERNAL_H
#define COMMAND_COMMAND_INTERNAL_H
#include "command/command.h"

Error *copy_from(Arena *arena, const Plan *plan, const ExecutionEnvironment *environment,
                 CommandTable *out) MUST_CHECK;
Error *copy_to(Arena *arena, const Plan *plan, const ExecutionEnvironment *environment,
               CommandTable *out) MUST_CHECK;
Error *create_snapshot(Arena *arena, const Plan *plan, const ExecutionEnvironment *environment,
                       CommandTable *out) MUST_CHECK;
Error *drop_snapshot(const Plan *plan, const ExecutionEnvironment *environment) MUST_CHECK;
Error *show_snapshots(Arena *arena, const Plan *plan, const ExecutionEnvironment *environment,
                      CommandTable *out) MUST_CHECK;

/* What SHOW gives: values row by row, in `arena`. */
typedef struct ShowRows {
    Arena *arena;
    Value *values;
    size_t count, capacity; /* of values */
} ShowRows;
void show_add(ShowRows *rows, Value value);
void show_add_text(ShowRows *rows, const char *text); /* borrows the text */
void show_hardware(ShowRows *rows, const ExecutionEnvironment *environment);
void show_workers(ShowRows *rows, const ExecutionEnvironment *environment);
#endif
