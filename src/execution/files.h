/* files.h - what LOAD and COPY share. */
#ifndef EXECUTION_FILES_H
#define EXECUTION_FILES_H
#include "execution/execution.h"

/* The path a statement means: relative ones begin at the session's directory. Refused where files
 * are not allowed. */
Error *files_path(const ExecutionEnvironment *environment, Arena *arena, Value source,
                  const char **out);
Error *copy_from(Arena *arena, const Plan *plan, const ExecutionEnvironment *environment,
                 ExecutionTable *out);
Error *copy_to(Arena *arena, const Plan *plan, const ExecutionEnvironment *environment,
               ExecutionTable *out);
#endif
