/*
 * temporal.h - dates, times, moments and durations: making, reading, computing, comparing,
 * printing.
 *
 * Six kinds: VALUE_DATE, VALUE_LOCAL_TIME, VALUE_TIME, VALUE_LOCAL_DATETIME, VALUE_DATETIME,
 * VALUE_DURATION; how each is kept says value.h. The calendar is the proleptic Gregorian one, years
 * -999,999,999 to 999,999,999, nanosecond precision, no leap seconds. Time zones are those of
 * tzdata (zone.h) or an offset of at most 18 hours.
 *
 * Every function here gives values whose parts lie in `arena` or live for ever (zone names). None
 * looks at a clock: `now_ns` is the statement's time, nanoseconds since 1970-01-01 UTC. Errors have
 * no place in the text yet; callers put it in (error_at). A bad text, a bad field or an unknown
 * zone is ERROR_ARGUMENT_VALUE; a field of the wrong kind or a value that lacks what is asked of it
 * ERROR_ARGUMENT_TYPE; a result outside the years or 64 bits ERROR_ARITHMETIC_OVERFLOW.
 */
#ifndef VALUE_TEMPORAL_H
#define VALUE_TEMPORAL_H
#include "value/value.h"

static inline bool value_is_temporal(Value v)
{
    return v.kind >= VALUE_DATE && v.kind <= VALUE_DURATION;
}

/* Are the parts within their limits? What came from a disk or a program is asked this once; all the
 * rest here takes it for granted. */
bool temporal_valid(Value value);

/* ---- making ---- */

/* What the language's date(x), localtime(x), time(x), localdatetime(x), datetime(x), duration(x)
 * give: of a text temporal_parse, of a map temporal_from_map, of another temporal value the part
 * asked for, of null null. */
Error *temporal_from(Arena *arena, ValueKind kind, Value argument, int64_t now_ns,
                     Value *out) MUST_CHECK;
/* The present moment as `kind` in `zone` (a name or an offset; empty: UTC); not for durations. */
Error *temporal_now(Arena *arena, ValueKind kind, Str zone, int64_t now_ns, Value *out) MUST_CHECK;
/* datetime.fromEpoch(seconds, nanoseconds): UTC; nanoseconds beyond a second are carried over. */
Error *temporal_from_epoch(Arena *arena, int64_t seconds, int64_t nanoseconds,
                           Value *out) MUST_CHECK;
/* A datetime of what a clock shows, `ns` after midnight of day `days`. With a zone's name `offset`
 * only decides where the clock showed that twice. */
Error *temporal_datetime(Arena *arena, int64_t days, int64_t ns, Str zone, int32_t offset,
                         Value *out) MUST_CHECK;
/* From fields: {year, month, day}, {year, week, dayOfWeek}, {year, ordinalDay}, {year, quarter,
 * dayOfQuarter}; {hour, minute, second, millisecond, microsecond, nanosecond}; {timezone};
 * {epochSeconds} or {epochMillis}; for a duration {years, quarters, months, weeks, days, hours,
 * minutes, seconds, milliseconds, microseconds, nanoseconds}, which may be fractions. `date`,
 * `time` and `datetime` select from another temporal value what the other fields leave open. A
 * field that is null counts as absent; {timezone} alone means now. */
Error *temporal_from_map(Arena *arena, ValueKind kind, Value map, int64_t now_ns,
                         Value *out) MUST_CHECK;
/* ISO 8601, basic and extended, and durations as "P1Y2M3W4DT5H6M7.8S" or "P2012-02-02T14:37:21". A
 * zone name may follow in brackets. The whole text must be one. */
Error *temporal_parse(Arena *arena, ValueKind kind, Str text, Value *out) MUST_CHECK;
/* date.truncate(unit, of, map) and kin: `of` cut down to `unit` ("millennium" to "microsecond"), as
 * `kind`, then the fields of `map` (a map or null) set. */
Error *temporal_truncate(Arena *arena, ValueKind kind, Str unit, Value of, Value map,
                         Value *out) MUST_CHECK;

/* ---- reading ---- */

/* of.name: d.year, t.offsetMinutes, p.monthsOfYear... An unknown name is ERROR_ARGUMENT_VALUE with
 * the nearest one as a hint. */
Error *temporal_component(Arena *arena, Value of, Str name, Value *out) MUST_CHECK;

/* ---- computing ---- */

/* a + b or a - b, where `b` is a duration and `a` any temporal value; or `a` a duration, `b`
 * another temporal value, and + (not -). Other kinds: ERROR_ARGUMENT_TYPE. Months go first (the day
 * is cut to the month's length), then days, then seconds; a date ignores what is less than a day, a
 * time what is more. */
Error *temporal_add(Arena *arena, Value a, Value b, bool subtract, Value *out) MUST_CHECK;
/* A duration times or divided by a number; fractions flow to the next smaller part, a month being
 * 30.436875 days. Division by 0 is ERROR_DIVISION_BY_ZERO. */
Error *duration_scale(Arena *arena, Value duration, Value number, bool divide,
                      Value *out) MUST_CHECK;

typedef enum DurationUnit {
    DURATION_BETWEEN, /* months, days, seconds: duration.between */
    DURATION_IN_MONTHS,
    DURATION_IN_DAYS,
    DURATION_IN_SECONDS
} DurationUnit;
/* From `from` to `to`, both temporal and no durations. Where one has no date it takes the other's
 * and only the time counts; where one has no zone it takes the other's. */
Error *duration_between(Arena *arena, DurationUnit unit, Value from, Value to,
                        Value *out) MUST_CHECK;

/* ---- comparing, printing ---- */

/* Two values of one temporal kind (not durations): -1, 0, 1. Times with an offset and datetimes
 * compare as instants; of one instant the more western offset is less, then the zone's name
 * decides, so that only equal values are 0. */
int temporal_compare(Value a, Value b);
/* Durations by their length in seconds, a month as 30.436875 days (a year of 365.2425); equal
 * lengths by parts. */
int duration_order(const Duration *a, const Duration *b);
/* What JSON calls a value of this kind: {"$date": "2024-12-31"}. */
const char *temporal_tag(ValueKind kind);
/* ISO 8601 text, which temporal_parse reads back as the same value. */
void temporal_print(Buffer *out, Value value);
#endif
