/* snapshot.c - CREATE, DROP and SHOW SNAPSHOTS. What they do is no part of a transaction. */
#include "config.h"

#include "command/command_internal.h"
#include "database/database.h"
#include "value/temporal.h"

Error *create_snapshot(Arena *arena, const Plan *plan, const ExecutionEnvironment *environment,
                       CommandTable *out)
{
    SnapshotInfo info;
    const Interrupt *interrupt = environment->interrupt;
    TRY(database_create_snapshot(environment->database, plan->name,
                                 interrupt == NULL ? NULL : interrupt->stop,
                                 interrupt == NULL ? NULL : interrupt->state, &info));
    Value *row = arena_array(arena, Value, 2);
    row[0] = value_integer((int64_t)info.id);
    row[1] = plan->name.bytes == 0 ? value_null() : value_string(plan->name);
    *out = (CommandTable){.values = row, .row_count = 1, .column_count = 2};
    return NULL;
}

Error *drop_snapshot(const Plan *plan, const ExecutionEnvironment *environment)
{
    return database_drop_snapshot(environment->database, plan->name);
}

Error *show_snapshots(Arena *arena, const Plan *plan, const ExecutionEnvironment *environment,
                      CommandTable *out)
{
    SnapshotInfo *infos;
    size_t count;
    TRY(database_snapshots(environment->database, arena, &infos, &count));
    Value *rows = arena_array(arena, Value, count * plan->column_count + 1);
    for (size_t i = 0; i < count; i++) {
        Value *row = &rows[i * plan->column_count];
        row[0] = value_integer((int64_t)infos[i].id);
        row[1] = infos[i].name.bytes == 0 ? value_null() : value_string(infos[i].name);
        TRY(temporal_from_epoch(arena, 0, infos[i].made_ns, &row[2]));
        TRY(temporal_from_epoch(arena, 0, infos[i].commit_ns, &row[3]));
        row[4] = value_integer((int64_t)infos[i].bytes);
    }
    *out = (CommandTable){.values = rows, .row_count = count, .column_count = plan->column_count};
    return NULL;
}
