/*
 * temporal_fields.c - temporal values from maps, from one another, from the clock; truncation.
 *
 * A map's fields are read into a table first. Then the date is resolved, in one of four ways (by
 * month, by week, by quarter, by day of the year), then the time, then the zone. What the fields
 * leave open comes from a base, the value under `date`, `time` or `datetime`, or the truncated
 * value; without a base the smaller units are at their beginning, and no unit may be left out
 * between two that are given.
 */
#include "config.h"

#include "value/temporal_internal.h"

typedef enum Field {
    FIELD_YEAR,
    FIELD_MONTH,
    FIELD_DAY,
    FIELD_WEEK,
    FIELD_DAY_OF_WEEK,
    FIELD_QUARTER,
    FIELD_DAY_OF_QUARTER,
    FIELD_ORDINAL_DAY,
    FIELD_HOUR,
    FIELD_MINUTE,
    FIELD_SECOND,
    FIELD_MILLISECOND,
    FIELD_MICROSECOND,
    FIELD_NANOSECOND,
    FIELD_EPOCH_SECONDS,
    FIELD_EPOCH_MILLIS,
    FIELD_INTEGERS, /* the ones above are integers */
    FIELD_TIMEZONE = FIELD_INTEGERS,
    FIELD_DATE,
    FIELD_TIME,
    FIELD_DATETIME,
    FIELD_COUNT
} Field;

static const char *const field_names[FIELD_COUNT] = {
    "year",        "month",        "day",         "week",       "dayOfWeek",
    "quarter",     "dayOfQuarter", "ordinalDay",  "hour",       "minute",
    "second",      "millisecond",  "microsecond", "nanosecond", "epochSeconds",
    "epochMillis", "timezone",     "date",        "time",       "datetime"};

typedef struct Fields {
    bool has[FIELD_COUNT];
    int64_t number[FIELD_INTEGERS];
    Value value[FIELD_COUNT];
} Fields;

/* ---- reading the map ---- */

static Error *unknown_field(ValueKind kind, Str name, const char *const *names, size_t count)
{
    size_t best = 3;
    const char *nearest = NULL;
    for (size_t i = 0; i < count; i++) {
        size_t distance = str_distance(name, str_from(names[i]), 3);
        if (distance < best) best = distance, nearest = names[i];
    }
    Error *error = error_new(ERROR_ARGUMENT_VALUE, "a %s has no field `%.*s`",
                             value_kind_name(kind), STR_ARG(name));
    return nearest == NULL ? error : error_hint(error, "did you mean `%s`?", nearest);
}

static bool is_date_field(Field field)
{
    return field <= FIELD_ORDINAL_DAY || field == FIELD_DATE;
}

static bool is_time_field(Field field)
{
    return (field >= FIELD_HOUR && field <= FIELD_NANOSECOND) || field == FIELD_TIME;
}

static bool field_fits(ValueKind kind, Field field)
{
    bool date = kind == VALUE_DATE || kind == VALUE_LOCAL_DATETIME || kind == VALUE_DATETIME;
    if (is_date_field(field)) return date;
    if (is_time_field(field)) return kind != VALUE_DATE;
    if (field == FIELD_EPOCH_SECONDS || field == FIELD_EPOCH_MILLIS) return kind == VALUE_DATETIME;
    return true; /* timezone, datetime */
}

static Error *read_field(ValueKind kind, const ValueEntry *entry, Fields *fields)
{
    Field field = 0;
    while (field < FIELD_COUNT && !str_equal(entry->key, str_from(field_names[field])))
        field++;
    if (field == FIELD_COUNT || !field_fits(kind, field))
        return unknown_field(kind, entry->key, field_names, FIELD_COUNT);
    if (value_is_null(entry->value)) return NULL;
    fields->has[field] = true;
    fields->value[field] = entry->value;
    ValueKind wanted = field < FIELD_INTEGERS ? VALUE_INTEGER : VALUE_STRING;
    if (field <= FIELD_TIMEZONE && entry->value.kind != wanted)
        return error_new(ERROR_ARGUMENT_TYPE, "%s is %s, not %s", field_names[field],
                         field < FIELD_INTEGERS ? "an integer" : "a text",
                         value_kind_name((ValueKind)entry->value.kind));
    if (field < FIELD_INTEGERS) fields->number[field] = entry->value.as.integer;
    return NULL;
}

static Error *read_fields(ValueKind kind, Value map, Fields *fields)
{
    *fields = (Fields){.has = {false}};
    if (value_is_null(map)) return NULL;
    if (map.kind != VALUE_MAP)
        return error_new(ERROR_ARGUMENT_TYPE, "fields are a map, not %s",
                         value_kind_name((ValueKind)map.kind));
    for (uint32_t i = 0; i < map.aux; i++)
        TRY(read_field(kind, &map.as.entries[i], fields));
    return NULL;
}

static bool any_between(const Fields *fields, Field first, Field last)
{
    for (Field field = first; field <= last; field++)
        if (fields->has[field]) return true;
    return false;
}

/* ---- the date ---- */

static Error *missing(Field field, Field because)
{
    return error_new(ERROR_ARGUMENT_VALUE, "%s cannot be given without %s", field_names[because],
                     field_names[field]);
}

/* The field, or the base's value, or the first of its kind; `smaller` may not be given alone. */
static Error *part(const Fields *fields, Field field, const int64_t *base, Field smaller,
                   int64_t *out)
{
    *out = base != NULL ? *base : 1;
    if (fields->has[field])
        *out = fields->number[field];
    else if (base == NULL && fields->has[smaller])
        return missing(field, smaller);
    return NULL;
}

static Error *one_way(const Fields *fields)
{
    static const Field pairs[][2] = {{FIELD_MONTH, FIELD_DAY},
                                     {FIELD_WEEK, FIELD_DAY_OF_WEEK},
                                     {FIELD_QUARTER, FIELD_DAY_OF_QUARTER},
                                     {FIELD_ORDINAL_DAY, FIELD_ORDINAL_DAY}};
    Field first = FIELD_COUNT;
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        if (!fields->has[pairs[i][0]] && !fields->has[pairs[i][1]]) continue;
        Field field = fields->has[pairs[i][0]] ? pairs[i][0] : pairs[i][1];
        if (first != FIELD_COUNT)
            return error_new(ERROR_ARGUMENT_VALUE, "%s and %s cannot be given together",
                             field_names[first], field_names[field]);
        first = field;
    }
    return NULL;
}

/* `base` is what the fields leave open (days), or NULL. */
static Error *resolve_date(const Fields *fields, const int64_t *base, int64_t *out)
{
    TRY(one_way(fields));
    CivilDay civil = calendar_civil(base != NULL ? *base : 0);
    WeekDay weekday = calendar_week(base != NULL ? *base : 0);
    bool by_week = fields->has[FIELD_WEEK] || fields->has[FIELD_DAY_OF_WEEK];
    bool by_quarter = fields->has[FIELD_QUARTER] || fields->has[FIELD_DAY_OF_QUARTER];
    if (base == NULL && !fields->has[FIELD_YEAR])
        return error_hint(error_new(ERROR_ARGUMENT_VALUE, "a date needs its year"),
                          "give `year`, or another value as `date`");
    int64_t year = by_week ? weekday.year : civil.year, middle, day;
    if (fields->has[FIELD_YEAR]) year = fields->number[FIELD_YEAR];
#define BASE(value) (base == NULL ? NULL : &(int64_t){value})
    if (by_week) {
        TRY(part(fields, FIELD_WEEK, BASE(weekday.week), FIELD_DAY_OF_WEEK, &middle));
        TRY(part(fields, FIELD_DAY_OF_WEEK, BASE(weekday.day), FIELD_DAY_OF_WEEK, &day));
        return days_of_week(year, middle, day, out);
    }
    if (by_quarter) {
        TRY(part(fields, FIELD_QUARTER, BASE((civil.month + 2) / 3), FIELD_DAY_OF_QUARTER,
                 &middle));
        TRY(part(fields, FIELD_DAY_OF_QUARTER, BASE(calendar_quarter_day(civil)),
                 FIELD_DAY_OF_QUARTER, &day));
        return days_of_quarter(year, middle, day, out);
    }
    if (fields->has[FIELD_ORDINAL_DAY])
        return days_of_ordinal(year, fields->number[FIELD_ORDINAL_DAY], out);
    TRY(part(fields, FIELD_MONTH, BASE(civil.month), FIELD_DAY, &middle));
    TRY(part(fields, FIELD_DAY, BASE(civil.day), FIELD_DAY, &day));
#undef BASE
    return days_of_calendar(year, middle, day, out);
}

/* ---- the time ---- */

/* Milliseconds, microseconds and nanoseconds add up; a unit holds what the larger ones given leave
 * of a second. `kept` are the base's, and `step` the smallest that it says something about. */
static Error *resolve_fraction(const Fields *fields, int64_t kept, int64_t step, int64_t *out)
{
    static const int64_t sizes[] = {1000000, 1000, 1};
    int64_t room = step;
    *out = kept;
    for (int i = 0; i < 3; i++) {
        Field field = FIELD_MILLISECOND + (Field)i;
        if (!fields->has[field]) continue;
        if (sizes[i] >= room)
            return error_new(ERROR_ARGUMENT_VALUE, "%s cannot be given here", field_names[field]);
        TRY(temporal_in_range(field_names[field], fields->number[field], 0, room / sizes[i] - 1));
        *out += fields->number[field] * sizes[i];
        room = sizes[i];
    }
    return NULL;
}

/* `base` is nanoseconds of the day, or NULL; `step` is what it was truncated to (1: it was not, and
 * fractions given replace its own). */
static Error *resolve_time(const Fields *fields, const int64_t *base, int64_t step, int64_t *out)
{
    static const int64_t limits[] = {23, 59, 59};
    int64_t clock = base == NULL ? 0 : *base, seconds = clock / NS_A_SECOND, whole = 0;
    int64_t shown[] = {seconds / 3600, seconds / 60 % 60, seconds % 60};
    bool fraction = any_between(fields, FIELD_MILLISECOND, FIELD_NANOSECOND);
    for (int i = 0; i < 3; i++) {
        Field field = FIELD_HOUR + (Field)i;
        if (fields->has[field])
            shown[i] = fields->number[field];
        else if (base == NULL && (any_between(fields, field + 1, FIELD_SECOND) || fraction))
            return missing(field, fields->has[FIELD_MINUTE]        ? FIELD_MINUTE
                                  : fields->has[FIELD_SECOND]      ? FIELD_SECOND
                                  : fields->has[FIELD_MILLISECOND] ? FIELD_MILLISECOND
                                  : fields->has[FIELD_MICROSECOND] ? FIELD_MICROSECOND
                                                                   : FIELD_NANOSECOND);
        TRY(temporal_in_range(field_names[field], shown[i], 0, limits[i]));
        whole = whole * 60 + shown[i];
    }
    int64_t ns = clock % NS_A_SECOND;
    bool truncated = step > 1;
    if (fraction)
        TRY(resolve_fraction(fields, truncated ? ns : 0,
                             truncated && step < NS_A_SECOND ? step : NS_A_SECOND, &ns));
    *out = whole * NS_A_SECOND + ns;
    return NULL;
}

/* ---- the whole ---- */

/* The parts of the value under `field`, which must have a date or a time. */
static Error *base_of(const Fields *fields, Field field, bool date, bool time, Parts *out)
{
    Value value = fields->value[field];
    bool fits = value_is_temporal(value) && value.kind != VALUE_DURATION;
    if (fits) *out = parts_of(value);
    if (fits && (!date || out->has_date) && (!time || out->has_time)) return NULL;
    return error_new(ERROR_ARGUMENT_TYPE, "a %s cannot be taken from %s", field_names[field],
                     value_kind_name((ValueKind)value.kind));
}

/* What the map selects from other values. */
static Error *read_bases(ValueKind kind, const Fields *fields, Parts *base)
{
    bool wants_date = kind == VALUE_DATE || kind == VALUE_LOCAL_DATETIME || kind == VALUE_DATETIME;
    Parts other;
    *base = (Parts){.has_date = false};
    if (fields->has[FIELD_DATETIME]) {
        if (fields->has[FIELD_DATE] || fields->has[FIELD_TIME])
            return error_new(ERROR_ARGUMENT_VALUE,
                             "datetime cannot be given together with date or time");
        return base_of(fields, FIELD_DATETIME, wants_date, kind != VALUE_DATE, base);
    }
    if (fields->has[FIELD_DATE]) {
        TRY(base_of(fields, FIELD_DATE, true, false, &other));
        base->has_date = true, base->days = other.days;
    }
    if (fields->has[FIELD_TIME]) {
        TRY(base_of(fields, FIELD_TIME, false, true, &other));
        base->has_time = true, base->ns = other.ns;
        base->has_zone = other.has_zone, base->zone = other.zone;
    }
    return NULL;
}

/* {epochSeconds, nanosecond} or {epochMillis, nanosecond}. */
static Error *from_epoch_fields(Arena *arena, const Fields *fields, Value *out)
{
    bool millis = fields->has[FIELD_EPOCH_MILLIS];
    ZoneRef zone = {{"", 0}, 0};
    Parts parts;
    if (any_between(fields, FIELD_YEAR, FIELD_MICROSECOND) ||
        any_between(fields, FIELD_DATE, FIELD_DATETIME) ||
        (millis && fields->has[FIELD_EPOCH_SECONDS]))
        return error_new(ERROR_ARGUMENT_VALUE,
                         "epochSeconds or epochMillis goes with nanosecond and timezone only");
    int64_t room = millis ? 1000000 : NS_A_SECOND, unit = millis ? 1000 : 1, seconds, ns;
    int64_t given = fields->number[millis ? FIELD_EPOCH_MILLIS : FIELD_EPOCH_SECONDS];
    TRY(temporal_in_range("nanosecond", fields->number[FIELD_NANOSECOND], 0, room - 1));
    seconds = floor_divide(given, unit);
    int64_t rest = given % unit;
    ns = (rest < 0 ? rest + unit : rest) * 1000000 + fields->number[FIELD_NANOSECOND];
    if (floor_divide(seconds, SECONDS_A_DAY) < CALENDAR_DAYS_MIN ||
        floor_divide(seconds, SECONDS_A_DAY) > CALENDAR_DAYS_MAX)
        return temporal_out_of_years();
    if (fields->has[FIELD_TIMEZONE])
        TRY(zone_ref_parse(value_text(fields->value[FIELD_TIMEZONE]), &zone));
    TRY(parts_at(zone, seconds, ns, &parts));
    return parts_join(arena, VALUE_DATETIME, &parts, out);
}

/* The zone that was asked for: the base's clock moves to it, or is taken as being there already. */
static Error *resolve_zone(ValueKind kind, const Fields *fields, bool move, int64_t now_ns,
                           Parts *parts)
{
    ZoneRef zone;
    if (fields->has[FIELD_TIMEZONE]) {
        TRY(zone_ref_parse(value_text(fields->value[FIELD_TIMEZONE]), &zone));
        if (kind == VALUE_TIME && zone.name.bytes > 0) { /* as the zone is now */
            TRY(zone_ref_offset(zone, floor_divide(now_ns, NS_A_SECOND), &zone.offset));
            zone.name = (Str){"", 0};
        }
        if (parts->has_zone && move) return parts_move(parts, zone);
        parts->zone = zone;
    }
    parts->has_zone = true;
    return NULL;
}

/* `base` says what the fields leave open; `step` as in resolve_time. */
static Error *resolve(Arena *arena, ValueKind kind, const Fields *fields, const Parts *base,
                      int64_t step, int64_t now_ns, Value *out)
{
    Parts parts = *base;
    bool date = kind != VALUE_LOCAL_TIME && kind != VALUE_TIME, time = kind != VALUE_DATE;
    bool truncating = step > 1;
    if (date) TRY(resolve_date(fields, base->has_date ? &base->days : NULL, &parts.days));
    if (!date) parts.days = 0;
    if (time && kind != VALUE_DATETIME && kind != VALUE_LOCAL_DATETIME && !base->has_time &&
        !any_between(fields, FIELD_HOUR, FIELD_NANOSECOND))
        return error_hint(error_new(ERROR_ARGUMENT_VALUE, "a time needs its hour"),
                          "give `hour`, or another value as `time`");
    if (time) TRY(resolve_time(fields, base->has_time ? &base->ns : NULL, step, &parts.ns));
    if (!time) parts.ns = 0;
    if (kind == VALUE_TIME) parts.zone.name = (Str){"", 0}; /* its offset was taken */
    if (kind == VALUE_TIME || kind == VALUE_DATETIME)
        TRY(resolve_zone(kind, fields, !truncating, now_ns, &parts));
    return parts_join(arena, kind, &parts, out);
}

/* ---- durations ---- */

static const char *const part_names[PART_COUNT] = {
    "years",   "quarters", "months",       "weeks",        "days",       "hours",
    "minutes", "seconds",  "milliseconds", "microseconds", "nanoseconds"};

static Error *duration_from_map(Arena *arena, Value map, Value *out)
{
    DurationSum sum = {0, 0, 0};
    if (map.aux == 0) return error_new(ERROR_ARGUMENT_VALUE, "a duration needs at least one part");
    for (uint32_t i = 0; i < map.aux; i++) {
        const ValueEntry *entry = &map.as.entries[i];
        Decimal amount = {0, 0};
        DurationPart part = 0;
        while (part < PART_COUNT && !str_equal(entry->key, str_from(part_names[part])))
            part++;
        if (part == PART_COUNT)
            return unknown_field(VALUE_DURATION, entry->key, part_names, PART_COUNT);
        if (value_is_null(entry->value)) continue;
        if (!value_is_number(entry->value))
            return error_new(ERROR_ARGUMENT_TYPE, "%s is a number, not %s", part_names[part],
                             value_kind_name((ValueKind)entry->value.kind));
        if (entry->value.kind == VALUE_INTEGER)
            amount.whole = entry->value.as.integer;
        else if (!decimal_of(entry->value.as.number, &amount))
            return error_new(ERROR_ARGUMENT_VALUE, "%s is beyond 64 bits", part_names[part]);
        TRY(duration_sum_add(&sum, part, amount));
    }
    return duration_sum_end(arena, &sum, out);
}

/* ---- what the header promises ---- */

Error *temporal_now(Arena *arena, ValueKind kind, Str zone, int64_t now_ns, Value *out)
{
    ZoneRef ref = {{"", 0}, 0};
    Parts parts;
    if (zone.bytes > 0) TRY(zone_ref_parse(zone, &ref));
    int64_t rest = now_ns % NS_A_SECOND;
    TRY(parts_at(ref, floor_divide(now_ns, NS_A_SECOND), rest < 0 ? rest + NS_A_SECOND : rest,
                 &parts));
    return parts_join(arena, kind, &parts, out);
}

Error *temporal_from_map(Arena *arena, ValueKind kind, Value map, int64_t now_ns, Value *out)
{
    Fields fields;
    Parts base;
    if (kind == VALUE_DURATION) return duration_from_map(arena, map, out);
    TRY(read_fields(kind, map, &fields));
    bool zone_only = fields.has[FIELD_TIMEZONE] &&
                     !any_between(&fields, FIELD_YEAR, FIELD_EPOCH_MILLIS) &&
                     !any_between(&fields, FIELD_DATE, FIELD_DATETIME);
    if (zone_only)
        return temporal_now(arena, kind, value_text(fields.value[FIELD_TIMEZONE]), now_ns, out);
    if (fields.has[FIELD_TIMEZONE] && kind != VALUE_TIME && kind != VALUE_DATETIME)
        return error_new(ERROR_ARGUMENT_VALUE, "a %s has no time zone", value_kind_name(kind));
    if (fields.has[FIELD_EPOCH_SECONDS] || fields.has[FIELD_EPOCH_MILLIS])
        return from_epoch_fields(arena, &fields, out);
    TRY(read_bases(kind, &fields, &base));
    return resolve(arena, kind, &fields, &base, 1, now_ns, out);
}

static Error *from_other(Arena *arena, ValueKind kind, Value other, Value *out)
{
    bool date = kind == VALUE_DATE || kind == VALUE_LOCAL_DATETIME || kind == VALUE_DATETIME;
    bool time = kind == VALUE_LOCAL_TIME || kind == VALUE_TIME;
    if (other.kind == kind) return *out = other, NULL;
    if (other.kind != VALUE_DURATION && kind != VALUE_DURATION) {
        Parts parts = parts_of(other);
        if (!date) parts.days = 0;
        if (kind == VALUE_DATE) parts.ns = 0;
        if ((!date || parts.has_date) && (!time || parts.has_time))
            return parts_join(arena, kind, &parts, out);
    }
    return error_new(ERROR_ARGUMENT_TYPE, "no %s can be made from %s", value_kind_name(kind),
                     value_kind_name((ValueKind)other.kind));
}

Error *temporal_from(Arena *arena, ValueKind kind, Value argument, int64_t now_ns, Value *out)
{
    if (value_is_null(argument)) return *out = argument, NULL;
    if (argument.kind == VALUE_STRING)
        return temporal_parse(arena, kind, value_text(argument), out);
    if (argument.kind == VALUE_MAP) return temporal_from_map(arena, kind, argument, now_ns, out);
    if (value_is_temporal(argument)) return from_other(arena, kind, argument, out);
    return error_new(ERROR_ARGUMENT_TYPE, "no %s can be made from %s", value_kind_name(kind),
                     value_kind_name((ValueKind)argument.kind));
}

Error *temporal_from_epoch(Arena *arena, int64_t seconds, int64_t nanoseconds, Value *out)
{
    Parts parts;
    int64_t carried = floor_divide(nanoseconds, NS_A_SECOND), rest = nanoseconds % NS_A_SECOND;
    bool over = __builtin_add_overflow(seconds, carried, &seconds);
    int64_t days = floor_divide(seconds, SECONDS_A_DAY);
    if (over || days < CALENDAR_DAYS_MIN || days > CALENDAR_DAYS_MAX)
        return temporal_out_of_years();
    TRY(parts_at((ZoneRef){{"", 0}, 0}, seconds, rest < 0 ? rest + NS_A_SECOND : rest, &parts));
    return parts_join(arena, VALUE_DATETIME, &parts, out);
}

/* ---- truncation ---- */

typedef enum Unit {
    UNIT_MILLENNIUM,
    UNIT_CENTURY,
    UNIT_DECADE,
    UNIT_YEAR,
    UNIT_WEEK_YEAR,
    UNIT_QUARTER,
    UNIT_MONTH,
    UNIT_WEEK,
    UNIT_DAY,
    UNIT_HOUR,
    UNIT_MINUTE,
    UNIT_SECOND,
    UNIT_MILLISECOND,
    UNIT_MICROSECOND,
    UNIT_COUNT
} Unit;

static const char *const unit_names[UNIT_COUNT] = {
    "millennium", "century", "decade", "year",   "weekYear", "quarter",     "month",
    "week",       "day",     "hour",   "minute", "second",   "millisecond", "microsecond"};

static int64_t truncated_days(Unit unit, int64_t days)
{
    CivilDay civil = calendar_civil(days);
    WeekDay week = calendar_week(days);
    switch (unit) {
    case UNIT_MILLENNIUM: return calendar_days(floor_divide(civil.year, 1000) * 1000, 1, 1);
    case UNIT_CENTURY: return calendar_days(floor_divide(civil.year, 100) * 100, 1, 1);
    case UNIT_DECADE: return calendar_days(floor_divide(civil.year, 10) * 10, 1, 1);
    case UNIT_YEAR: return calendar_days(civil.year, 1, 1);
    case UNIT_WEEK_YEAR: return calendar_week_days((WeekDay){week.year, 1, 1});
    case UNIT_QUARTER: return calendar_days(civil.year, (civil.month - 1) / 3 * 3 + 1, 1);
    case UNIT_MONTH: return calendar_days(civil.year, civil.month, 1);
    case UNIT_WEEK: return days - (week.day - 1);
    default: return days;
    }
}

static int64_t unit_ns(Unit unit)
{
    static const int64_t sizes[] = {NS_A_SECOND * INT64_C(3600), NS_A_SECOND * INT64_C(60),
                                    NS_A_SECOND, 1000000, 1000};
    return unit <= UNIT_DAY ? NS_A_DAY : sizes[unit - UNIT_HOUR];
}

static Error *find_unit(ValueKind kind, Str name, Unit *out)
{
    bool date = kind == VALUE_DATE, time = kind == VALUE_LOCAL_TIME || kind == VALUE_TIME;
    for (Unit unit = 0; unit < UNIT_COUNT; unit++) {
        if (!str_equal(name, str_from(unit_names[unit]))) continue;
        if ((date && unit > UNIT_DAY) || (time && unit < UNIT_DAY)) break;
        return *out = unit, NULL;
    }
    Error *error = error_new(ERROR_ARGUMENT_VALUE, "a %s cannot be truncated to '%.*s'",
                             value_kind_name(kind), STR_ARG(name));
    return error_hint(error, date   ? "units: millennium, century, decade, year, weekYear, "
                                      "quarter, month, week, day"
                             : time ? "units: day, hour, minute, second, millisecond, microsecond"
                                    : "units: millennium, century, decade, year, weekYear, "
                                      "quarter, month, week, day, hour, minute, second, "
                                      "millisecond, microsecond");
}

Error *temporal_truncate(Arena *arena, ValueKind kind, Str unit_name, Value of, Value map,
                         Value *out)
{
    Unit unit = UNIT_DAY;
    Fields fields;
    bool date = kind != VALUE_LOCAL_TIME && kind != VALUE_TIME;
    bool fits = value_is_temporal(of) && of.kind != VALUE_DURATION;
    TRY(find_unit(kind, unit_name, &unit));
    Parts parts = {.has_date = false};
    if (fits) parts = parts_of(of);
    if (!fits || (date ? !parts.has_date : !parts.has_time))
        return error_new(ERROR_ARGUMENT_TYPE, "%s cannot be truncated to a %s",
                         value_kind_name((ValueKind)of.kind), value_kind_name(kind));
    TRY(read_fields(kind, map, &fields));
    if (any_between(&fields, FIELD_EPOCH_SECONDS, FIELD_EPOCH_MILLIS) ||
        any_between(&fields, FIELD_DATE, FIELD_DATETIME))
        return error_new(ERROR_ARGUMENT_VALUE, "a truncated value takes only units and timezone");
    if (date) parts.days = truncated_days(unit, parts.days);
    if (parts.days < CALENDAR_DAYS_MIN) return temporal_out_of_years();
    parts.ns -= parts.ns % unit_ns(unit);
    parts.has_time = true;
    return resolve(arena, kind, &fields, &parts, unit_ns(unit), 0, out);
}
