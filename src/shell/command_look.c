/* command_look.c - commands that show what the database has. */
#include "config.h"

#include "shell/command_internal.h"

Error *run_schema(const Call *call)
{
    run_text(call->shell, STR("SHOW LABELS; SHOW TYPES; SHOW PROPERTIES;"), "");
    return NULL;
}

Error *run_indexes(const Call *call)
{
    run_text(call->shell, STR("SHOW INDEXES;"), "");
    return NULL;
}
