/*
 * functions_temporal.c - functions that make temporal values.
 *
 * Each kind has the same seven: KIND(), which reads a text, a map or another temporal value;
 * KIND.transaction(), KIND.statement() and KIND.realtime(), which say what time it is;
 * KIND.truncate(). A statement sees one moment throughout, that of its beginning; transaction() is
 * the moment of BEGIN; realtime() asks the clock itself, once a row.
 */
#include "config.h"

#include "expression/functions_internal.h"
#include "value/temporal.h"

#define CALL(name)                                                                                 \
    Error *function_##name(EvalContext *context, const Function *function, const Value *args,      \
                           uint32_t count, Value *out)

static Error *want_text(const Function *function, Value value)
{
    return value.kind == VALUE_STRING ? NULL : function_wrong(function, value);
}

static Error *made(EvalContext *context, const Function *function, const Value *args,
                   uint32_t count, Value *out)
{
    ValueKind kind = (ValueKind)function->type;
    if (count == 0) return temporal_now(context->arena, kind, STR(""), context->now_ns, out);
    return temporal_from(context->arena, kind, args[0], context->now_ns, out);
}

static Error *now(EvalContext *context, const Function *function, const Value *args, uint32_t count,
                  int64_t now_ns, Value *out)
{
    Str zone = {"", 0};
    if (count > 0) {
        TRY(want_text(function, args[0]));
        zone = value_text(args[0]);
    }
    return temporal_now(context->arena, (ValueKind)function->type, zone, now_ns, out);
}

static int64_t real_ns(const EvalContext *context)
{
    return context->clock == NULL ? context->now_ns
                                  : context->clock->wall_ns(context->clock->state);
}

/* truncate(unit, of = now, fields = null) */
static Error *truncated(EvalContext *context, const Function *function, const Value *args,
                        uint32_t count, Value *out)
{
    ValueKind kind = (ValueKind)function->type;
    Value of, fields = count > 2 ? args[2] : value_null();
    *out = value_null();
    if (value_is_null(args[0]) || (count > 1 && value_is_null(args[1]))) return NULL;
    TRY(want_text(function, args[0]));
    if (count > 1)
        of = args[1];
    else
        TRY(temporal_now(context->arena, kind, STR(""), context->now_ns, &of));
    return temporal_truncate(context->arena, kind, value_text(args[0]), of, fields, out);
}

#define KIND(name)                                                                                 \
    CALL(name)                                                                                     \
    {                                                                                              \
        return made(context, function, args, count, out);                                          \
    }                                                                                              \
    CALL(name##_statement)                                                                         \
    {                                                                                              \
        return now(context, function, args, count, context->now_ns, out);                          \
    }                                                                                              \
    CALL(name##_transaction)                                                                       \
    {                                                                                              \
        return now(context, function, args, count, context->transaction_ns, out);                  \
    }                                                                                              \
    CALL(name##_realtime)                                                                          \
    {                                                                                              \
        return now(context, function, args, count, real_ns(context), out);                         \
    }                                                                                              \
    CALL(name##_truncate)                                                                          \
    {                                                                                              \
        return truncated(context, function, args, count, out);                                     \
    }

KIND(date)
KIND(localtime)
KIND(time)
KIND(localdatetime)
KIND(datetime)

/* ---- moments from numbers ---- */

static Error *want_integer(const Function *function, Value value)
{
    return value.kind == VALUE_INTEGER ? NULL : function_wrong(function, value);
}

CALL(datetime_from_epoch)
{
    TRY(want_integer(function, args[0]));
    if (count > 1) TRY(want_integer(function, args[1]));
    return temporal_from_epoch(context->arena, args[0].as.integer,
                               count > 1 ? args[1].as.integer : 0, out);
}

CALL(datetime_from_epoch_millis)
{
    (void)count;
    TRY(want_integer(function, args[0]));
    int64_t millis = args[0].as.integer; /* below 0 the nanoseconds are negative, and carried */
    return temporal_from_epoch(context->arena, millis / 1000, millis % 1000 * 1000000, out);
}

/* ---- durations ---- */

CALL(duration)
{
    return made(context, function, args, count, out);
}

#define BETWEEN(name, unit)                                                                        \
    CALL(name)                                                                                     \
    {                                                                                              \
        (void)function, (void)count;                                                               \
        return duration_between(context->arena, unit, args[0], args[1], out);                      \
    }

BETWEEN(duration_between, DURATION_BETWEEN)
BETWEEN(duration_in_months, DURATION_IN_MONTHS)
BETWEEN(duration_in_days, DURATION_IN_DAYS)
BETWEEN(duration_in_seconds, DURATION_IN_SECONDS)
