/*
 * moment.c - AT SNAPSHOT and AT TIMESTAMP: which graphs a run of a statement looks at.
 *
 * What stands behind AT is evaluated when a run begins, before any row: a name or number of a
 * snapshot, or a time. The graphs are held until the run ends.
 */
#include "config.h"

#include "api/api_internal.h"
#include "value/temporal.h"

/* Milliseconds, as timestamp() gives them, a datetime, or a text of one. */
static Error *time_of(Arena *arena, Value value, int64_t *wall_ns)
{
    enum { NS = 1000000000, MS_NS = 1000000 };
    int64_t seconds, rest;
    if (value.kind == VALUE_STRING)
        TRY(temporal_parse(arena, VALUE_DATETIME, value_text(value), &value));
    if (value.kind == VALUE_DATETIME) {
        seconds = value.as.moment->seconds;
        rest = value.as.moment->nanoseconds;
    } else if (value.kind == VALUE_INTEGER) {
        seconds = value.as.integer / (NS / MS_NS);
        rest = value.as.integer % (NS / MS_NS) * MS_NS;
    } else {
        return error_hint(error_new(ERROR_ARGUMENT_TYPE,
                                    "AT TIMESTAMP wants a datetime, a text of one or milliseconds, "
                                    "not %s",
                                    value_kind_name((ValueKind)value.kind)),
                          "AT TIMESTAMP datetime('2026-01-01T00:00Z')");
    }
    /* Before and behind what nanoseconds of 64 bits can say nothing was ever committed. */
    if (__builtin_mul_overflow(seconds, (int64_t)NS, wall_ns) ||
        __builtin_add_overflow(*wall_ns, rest, wall_ns))
        *wall_ns = seconds < 0 ? INT64_MIN : INT64_MAX;
    return NULL;
}

static Error *find(Database *database, const PlanMoment *moment, EvalContext *context, Past **out)
{
    Batch empty = {.row_count = 1, .selected_count = 1};
    Value value;
    int64_t wall_ns = 0;
    TRY(expr_evaluate(moment->expr, context, &empty, 0, &value));
    if (moment->timestamp) {
        TRY(time_of(context->arena, value, &wall_ns));
        return database_at_time(database, wall_ns, out);
    }
    if (value.kind == VALUE_STRING && value.aux > 0)
        return database_at_snapshot(database, value_text(value), 0, out);
    if (value.kind == VALUE_INTEGER)
        return database_at_snapshot(database, STR(""), (uint64_t)value.as.integer, out);
    return error_hint(
        error_new(ERROR_ARGUMENT_TYPE, "AT SNAPSHOT wants a snapshot's name or number"),
        "SHOW SNAPSHOTS lists them");
}

Error *moments_open(Moments *moments, Database *database, const Plan *plan,
                    ExecutionEnvironment *environment, Arena *arena)
{
    EvalContext context = {.arena = arena,
                           .parameters = environment->parameters,
                           .now_ns = environment->now_ns,
                           .transaction_ns = environment->transaction_ns,
                           .clock = environment->clock,
                           .random = environment->random,
                           .interrupt = environment->interrupt,
                           .session = environment->session};
    moments->count = plan->moment_count;
    for (uint32_t i = 0; i < plan->moment_count; i++) {
        const PlanMoment *moment = &plan->moments[i];
        moments->views[i] = environment->view;
        if (moment->expr == NULL) continue;
        Error *error = find(database, moment, &context, &moments->pasts[i]);
        TRY(moment->length == 0 ? error : error_at(error, moment->offset, moment->length));
        if (moments->pasts[i] != NULL) moments->views[i] = past_view(moments->pasts[i]);
    }
    environment->view = moments->views[0];
    if (plan->moment_count > 1) environment->moments = moments->views;
    return NULL;
}

Error *moments_damage(const Moments *moments)
{
    for (uint32_t i = 0; i < moments->count; i++)
        if (moments->pasts[i] != NULL) TRY(graph_damage(moments->views[i].graph));
    return NULL;
}

void moments_close(Moments *moments, Database *database)
{
    for (uint32_t i = 0; i < moments->count; i++)
        past_release(database, moments->pasts[i]);
    *moments = (Moments){.count = 0};
}
