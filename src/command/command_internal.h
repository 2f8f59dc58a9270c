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
#endif
