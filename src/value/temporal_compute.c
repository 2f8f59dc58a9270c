/*
 * temporal_compute.c - fields of temporal values, durations, and reckoning with them.
 *
 * Durations keep months, days and seconds apart, because none of them is a fixed number of the
 * next. Fractions flow down: of a month as 30.436875 days (2,629,746 seconds, a twelfth of the mean
 * Gregorian year), of a day as 24 hours. They are reckoned exactly, as decimals, not as binary
 * floats: 12.3 years are 12 years, 3 months and six tenths of a month; what is below a nanosecond
 * is cut. 128 bits hold every product of a 64-bit part with a decimal of 18 places.
 */
#include "config.h"

#include "value/temporal_internal.h"

typedef __int128 Wide;

/* ---- decimals ---- */

bool decimal_of(double number, Decimal *out)
{
    char text[FLOAT_TEXT_MAX];
    if (!(number - number == 0) || number >= 9.2e18 || number <= -9.2e18) return false;
    float_print(text, number);
    char digits[FLOAT_TEXT_MAX];
    int count = 0, point = -1, exponent = 0;
    const char *at = text + (text[0] == '-');
    for (; *at != '\0' && *at != 'e'; at++) {
        if (*at == '.')
            point = count;
        else
            digits[count++] = *at;
    }
    if (point < 0) point = count;
    if (*at == 'e') {
        bool minus = at[1] == '-';
        for (at += 1 + (at[1] == '-' || at[1] == '+'); *at != '\0'; at++)
            exponent = exponent * 10 + (*at - '0');
        if (minus) exponent = -exponent;
    }
    point += exponent;
    *out = (Decimal){0, 0};
    for (int i = 0; i < point; i++)
        out->whole = out->whole * 10 + (i < count ? digits[i] - '0' : 0);
    for (int i = point; i < point + 18; i++)
        out->fraction = out->fraction * 10 + (i >= 0 && i < count ? digits[i] - '0' : 0);
    if (text[0] == '-') out->whole = -out->whole, out->fraction = -out->fraction;
    return true;
}

/* ---- durations ---- */

static Error *overflow(void)
{
    return error_new(ERROR_ARITHMETIC_OVERFLOW, "the duration is beyond 64 bits");
}

static Error *duration_make(Arena *arena, Wide months, Wide days, Wide ns, Value *out)
{
    Wide seconds = ns / NS_A_SECOND - (ns % NS_A_SECOND < 0);
    bool fits = months >= INT64_MIN && months <= INT64_MAX && days >= INT64_MIN &&
                days <= INT64_MAX && seconds >= INT64_MIN && seconds <= INT64_MAX;
    if (!fits) return overflow();
    Duration *duration = arena_new(arena, Duration);
    *duration = (Duration){(int64_t)months, (int64_t)days, (int64_t)seconds,
                           (int32_t)(ns - seconds * NS_A_SECOND)};
    *out = (Value){.kind = VALUE_DURATION, .as.duration = duration};
    return NULL;
}

static Wide total_ns(const Duration *duration)
{
    return (Wide)duration->seconds * NS_A_SECOND + duration->nanoseconds;
}

Error *duration_sum_add(DurationSum *sum, DurationPart part, Decimal amount)
{
    static const int64_t sizes[PART_COUNT] = {/* months, then nanoseconds */
                                              12,
                                              3,
                                              1,
                                              7 * NS_A_DAY,
                                              NS_A_DAY,
                                              3600 * INT64_C(1000000000),
                                              60 * INT64_C(1000000000),
                                              NS_A_SECOND,
                                              1000000,
                                              1000,
                                              1};
    Wide more;
    if (part <= PART_MONTHS) {
        Wide exact = (Wide)amount.whole * DECIMAL_ONE + amount.fraction;
        bool over = __builtin_mul_overflow(exact, (Wide)sizes[part], &more) ||
                    __builtin_add_overflow(sum->months, more, &sum->months);
        return over ? overflow() : NULL;
    }
    more = (Wide)amount.whole * sizes[part] + (Wide)amount.fraction * sizes[part] / DECIMAL_ONE;
    if (part <= PART_DAYS)
        sum->day_ns += more;
    else
        sum->time_ns += more;
    return NULL;
}

Error *duration_sum_end(Arena *arena, const DurationSum *sum, Value *out)
{
    static const int64_t month_ns = SECONDS_A_MONTH * INT64_C(1000000000);
    Wide months = sum->months / DECIMAL_ONE, broken = sum->months % DECIMAL_ONE;
    Wide day_ns = sum->day_ns + broken * month_ns / DECIMAL_ONE;
    return duration_make(arena, months, day_ns / NS_A_DAY, sum->time_ns + day_ns % NS_A_DAY, out);
}

Error *duration_scale(Arena *arena, Value duration, Value number, bool divide, Value *out)
{
    static const int64_t month_ns = SECONDS_A_MONTH * INT64_C(1000000000);
    Wide over = 0, under = 1; /* the number as a fraction */
    Decimal decimal;
    if (number.kind == VALUE_INTEGER) {
        over = number.as.integer;
    } else {
        if (!decimal_of(number.as.number, &decimal))
            return error_new(ERROR_ARGUMENT_VALUE, "a duration is scaled by a finite number");
        over = (Wide)decimal.whole * DECIMAL_ONE + decimal.fraction, under = DECIMAL_ONE;
        while (under > 1 && over % 10 == 0)
            over /= 10, under /= 10;
    }
    if (divide) {
        Wide swap = over;
        over = swap < 0 ? -under : under, under = swap < 0 ? -swap : swap;
    }
    if (under == 0) return error_new(ERROR_DIVISION_BY_ZERO, "division by zero");
    const Duration *d = duration.as.duration;
    Wide months = d->months * over, days = d->days * over, seconds = d->seconds * over;
    Wide day_part = months % under * month_ns + days % under * NS_A_DAY;
    Wide rest = day_part % under + seconds % under * NS_A_SECOND + d->nanoseconds * over;
    Wide whole_days = days / under + day_part / under / NS_A_DAY;
    if (seconds / under > INT64_MAX || seconds / under < INT64_MIN) return overflow();
    return duration_make(arena, months / under, whole_days,
                         seconds / under * NS_A_SECOND + day_part / under % NS_A_DAY + rest / under,
                         out);
}

static Error *duration_plus(Arena *arena, const Duration *a, const Duration *b, int sign,
                            Value *out)
{
    return duration_make(arena, (Wide)a->months + sign * (Wide)b->months,
                         (Wide)a->days + sign * (Wide)b->days, total_ns(a) + sign * total_ns(b),
                         out);
}

/* ---- temporal values and durations ---- */

/* Months first, the day cut to the month's length; then days. */
static Error *days_plus(int64_t from, Wide months, Wide days, int64_t *out)
{
    if (months != 0) {
        CivilDay civil = calendar_civil(from);
        Wide month = (Wide)civil.year * 12 + civil.month - 1 + months;
        Wide year = month / 12 - (month % 12 < 0);
        if (year < -CALENDAR_YEAR_MAX || year > CALENDAR_YEAR_MAX) return temporal_out_of_years();
        int of_year = (int)(month - year * 12) + 1;
        int longest = calendar_month_days((int64_t)year, of_year);
        from = calendar_days((int64_t)year, of_year, civil.day < longest ? civil.day : longest);
    }
    days += from;
    if (days < CALENDAR_DAYS_MIN || days > CALENDAR_DAYS_MAX) return temporal_out_of_years();
    return *out = (int64_t)days, NULL;
}

/* Nanoseconds may carry into days. */
static Error *clock_plus(Parts *parts, Wide ns)
{
    ns += parts->ns;
    Wide days = ns / NS_A_DAY - (ns % NS_A_DAY < 0);
    parts->ns = (int64_t)(ns - days * NS_A_DAY);
    return days_plus(parts->days, 0, days, &parts->days);
}

static Error *datetime_plus(Arena *arena, Parts *parts, Wide ns, Value *out)
{
    int64_t instant;
    Parts moved = {.has_date = true, .has_time = true};
    TRY(parts_instant(parts, &instant));
    moved.days = floor_divide(instant, SECONDS_A_DAY);
    moved.ns = (instant - moved.days * SECONDS_A_DAY) * NS_A_SECOND + parts->ns % NS_A_SECOND;
    TRY(clock_plus(&moved, ns));
    TRY(parts_at(parts->zone, moved.days * SECONDS_A_DAY + moved.ns / NS_A_SECOND,
                 moved.ns % NS_A_SECOND, parts));
    return parts_join(arena, VALUE_DATETIME, parts, out);
}

static Error *plus_duration(Arena *arena, Value a, const Duration *duration, int sign, Value *out)
{
    Parts parts = parts_of(a);
    Wide ns = sign * total_ns(duration);
    if (!parts.has_date) {
        Wide clock = (parts.ns + ns) % NS_A_DAY;
        parts.ns = (int64_t)(clock < 0 ? clock + NS_A_DAY : clock);
        return parts_join(arena, (ValueKind)a.kind, &parts, out);
    }
    TRY(days_plus(parts.days, sign * (Wide)duration->months, sign * (Wide)duration->days,
                  &parts.days));
    if (a.kind == VALUE_DATE)
        TRY(days_plus(parts.days, 0, ns / NS_A_DAY, &parts.days));
    else if (a.kind == VALUE_LOCAL_DATETIME)
        TRY(clock_plus(&parts, ns));
    else
        return datetime_plus(arena, &parts, ns, out);
    return parts_join(arena, (ValueKind)a.kind, &parts, out);
}

Error *temporal_add(Arena *arena, Value a, Value b, bool subtract, Value *out)
{
    int sign = subtract ? -1 : 1;
    if (a.kind == VALUE_DURATION && b.kind == VALUE_DURATION)
        return duration_plus(arena, a.as.duration, b.as.duration, sign, out);
    if (value_is_temporal(a) && b.kind == VALUE_DURATION)
        return plus_duration(arena, a, b.as.duration, sign, out);
    if (a.kind == VALUE_DURATION && value_is_temporal(b) && !subtract)
        return plus_duration(arena, b, a.as.duration, sign, out);
    return error_new(ERROR_ARGUMENT_TYPE, "%s is undefined between %s and %s", subtract ? "-" : "+",
                     value_kind_name((ValueKind)a.kind), value_kind_name((ValueKind)b.kind));
}

/* ---- from one to another ---- */

static Wide local_ns(const Parts *parts)
{
    return (Wide)parts->days * NS_A_DAY + parts->ns;
}

/* Whole months from a to b, towards zero. Days of months are compared as they are: 31 January to
 * 28 February is no month, to 1 March one. */
static int64_t months_between(const Parts *a, const Parts *b)
{
    int64_t days = b->days;
    if (days > a->days && b->ns < a->ns) days--;
    if (days < a->days && b->ns > a->ns) days++;
    CivilDay from = calendar_civil(a->days), to = calendar_civil(days);
    int64_t packed_from = (from.year * 12 + from.month - 1) * 32 + from.day;
    int64_t packed_to = (to.year * 12 + to.month - 1) * 32 + to.day;
    return (packed_to - packed_from) / 32;
}

/* The two values as clocks of one zone and day, where one of them lacks either. */
static Error *align(Parts *a, Parts *b)
{
    if (!a->has_date) a->days = b->days;
    if (!b->has_date) b->days = a->days;
    if (!a->has_zone && !b->has_zone) return NULL;
    if (!a->has_zone) a->has_zone = true, a->zone = b->zone;
    if (!b->has_zone) b->has_zone = true, b->zone = a->zone;
    return NULL;
}

static Error *instant_ns(const Parts *parts, Wide *out)
{
    int64_t instant;
    if (!parts->has_zone) return *out = local_ns(parts), NULL;
    TRY(parts_instant(parts, &instant));
    return *out = (Wide)instant * NS_A_SECOND + parts->ns % NS_A_SECOND, NULL;
}

Error *duration_between(Arena *arena, DurationUnit unit, Value from, Value to, Value *out)
{
    bool fits = value_is_temporal(from) && from.kind != VALUE_DURATION && value_is_temporal(to) &&
                to.kind != VALUE_DURATION;
    if (!fits)
        return error_new(ERROR_ARGUMENT_TYPE,
                         "a duration is between two points in time, not %s "
                         "and %s",
                         value_kind_name((ValueKind)from.kind),
                         value_kind_name((ValueKind)to.kind));
    Parts a = parts_of(from), b = parts_of(to);
    bool dates = a.has_date && b.has_date;
    int64_t months = 0, days = 0;
    Wide begin, end;
    TRY(align(&a, &b));
    TRY(instant_ns(&b, &end));
    if (dates && b.has_zone) TRY(parts_move(&b, a.zone));
    if (dates && (unit == DURATION_BETWEEN || unit == DURATION_IN_MONTHS)) {
        months = months_between(&a, &b);
        TRY(days_plus(a.days, months, 0, &a.days));
    }
    if (dates && (unit == DURATION_BETWEEN || unit == DURATION_IN_DAYS)) {
        days = (int64_t)((local_ns(&b) - local_ns(&a)) / NS_A_DAY);
        TRY(days_plus(a.days, 0, days, &a.days));
    }
    if (unit == DURATION_IN_MONTHS || unit == DURATION_IN_DAYS)
        return duration_make(arena, months, days, 0, out);
    TRY(instant_ns(&a, &begin));
    return duration_make(arena, months, days, end - begin, out);
}

/* ---- fields ---- */

typedef enum Component {
    COMPONENT_YEAR,
    COMPONENT_QUARTER,
    COMPONENT_MONTH,
    COMPONENT_WEEK,
    COMPONENT_WEEK_YEAR,
    COMPONENT_DAY,
    COMPONENT_ORDINAL_DAY,
    COMPONENT_DAY_OF_WEEK,
    COMPONENT_DAY_OF_QUARTER,
    COMPONENT_HOUR,
    COMPONENT_MINUTE,
    COMPONENT_SECOND,
    COMPONENT_MILLISECOND,
    COMPONENT_MICROSECOND,
    COMPONENT_NANOSECOND,
    COMPONENT_TIMEZONE,
    COMPONENT_OFFSET,
    COMPONENT_OFFSET_MINUTES,
    COMPONENT_OFFSET_SECONDS,
    COMPONENT_EPOCH_SECONDS,
    COMPONENT_EPOCH_MILLIS,
    COMPONENT_MONTHS,
    COMPONENT_DAYS,
    COMPONENT_SECONDS,
    COMPONENT_SUBSECONDS,
} Component;

enum { OF_DATE = 1, OF_TIME = 2, OF_ZONE = 4, OF_MOMENT = 8, OF_DURATION = 16 };

/* For a duration: (part / divisor) % modulus, or the seconds in units of 10^-9 * divisor. */
static const struct Row {
    const char *name;
    uint8_t of;
    Component component;
    int64_t divisor, modulus;
} rows[] = {
    {"year", OF_DATE, COMPONENT_YEAR, 0, 0},
    {"quarter", OF_DATE, COMPONENT_QUARTER, 0, 0},
    {"month", OF_DATE, COMPONENT_MONTH, 0, 0},
    {"week", OF_DATE, COMPONENT_WEEK, 0, 0},
    {"weekYear", OF_DATE, COMPONENT_WEEK_YEAR, 0, 0},
    {"day", OF_DATE, COMPONENT_DAY, 0, 0},
    {"ordinalDay", OF_DATE, COMPONENT_ORDINAL_DAY, 0, 0},
    {"weekDay", OF_DATE, COMPONENT_DAY_OF_WEEK, 0, 0},
    {"dayOfWeek", OF_DATE, COMPONENT_DAY_OF_WEEK, 0, 0},
    {"dayOfQuarter", OF_DATE, COMPONENT_DAY_OF_QUARTER, 0, 0},
    {"hour", OF_TIME, COMPONENT_HOUR, 0, 0},
    {"minute", OF_TIME, COMPONENT_MINUTE, 0, 0},
    {"second", OF_TIME, COMPONENT_SECOND, 0, 0},
    {"millisecond", OF_TIME, COMPONENT_MILLISECOND, 0, 0},
    {"microsecond", OF_TIME, COMPONENT_MICROSECOND, 0, 0},
    {"nanosecond", OF_TIME, COMPONENT_NANOSECOND, 0, 0},
    {"timezone", OF_ZONE, COMPONENT_TIMEZONE, 0, 0},
    {"offset", OF_ZONE, COMPONENT_OFFSET, 0, 0},
    {"offsetMinutes", OF_ZONE, COMPONENT_OFFSET_MINUTES, 0, 0},
    {"offsetSeconds", OF_ZONE, COMPONENT_OFFSET_SECONDS, 0, 0},
    {"epochSeconds", OF_MOMENT, COMPONENT_EPOCH_SECONDS, 0, 0},
    {"epochMillis", OF_MOMENT, COMPONENT_EPOCH_MILLIS, 0, 0},
    {"years", OF_DURATION, COMPONENT_MONTHS, 12, 0},
    {"quarters", OF_DURATION, COMPONENT_MONTHS, 3, 0},
    {"months", OF_DURATION, COMPONENT_MONTHS, 1, 0},
    {"quartersOfYear", OF_DURATION, COMPONENT_MONTHS, 3, 4},
    {"monthsOfQuarter", OF_DURATION, COMPONENT_MONTHS, 1, 3},
    {"monthsOfYear", OF_DURATION, COMPONENT_MONTHS, 1, 12},
    {"weeks", OF_DURATION, COMPONENT_DAYS, 7, 0},
    {"days", OF_DURATION, COMPONENT_DAYS, 1, 0},
    {"daysOfWeek", OF_DURATION, COMPONENT_DAYS, 1, 7},
    {"hours", OF_DURATION, COMPONENT_SECONDS, 3600, 0},
    {"minutes", OF_DURATION, COMPONENT_SECONDS, 60, 0},
    {"seconds", OF_DURATION, COMPONENT_SECONDS, 1, 0},
    {"minutesOfHour", OF_DURATION, COMPONENT_SECONDS, 60, 60},
    {"secondsOfMinute", OF_DURATION, COMPONENT_SECONDS, 1, 60},
    {"milliseconds", OF_DURATION, COMPONENT_SUBSECONDS, 1000000, 0},
    {"microseconds", OF_DURATION, COMPONENT_SUBSECONDS, 1000, 0},
    {"nanoseconds", OF_DURATION, COMPONENT_SUBSECONDS, 1, 0},
    {"millisecondsOfSecond", OF_DURATION, COMPONENT_SUBSECONDS, 1000000, 1},
    {"microsecondsOfSecond", OF_DURATION, COMPONENT_SUBSECONDS, 1000, 1},
    {"nanosecondsOfSecond", OF_DURATION, COMPONENT_SUBSECONDS, 1, 1},
};
enum { ROW_COUNT = sizeof rows / sizeof *rows };

static int components_of(ValueKind kind)
{
    switch (kind) {
    case VALUE_DATE: return OF_DATE;
    case VALUE_LOCAL_TIME: return OF_TIME;
    case VALUE_TIME: return OF_TIME | OF_ZONE;
    case VALUE_LOCAL_DATETIME: return OF_DATE | OF_TIME;
    case VALUE_DATETIME: return OF_DATE | OF_TIME | OF_ZONE | OF_MOMENT;
    default: return OF_DURATION;
    }
}

static Error *unknown_component(ValueKind kind, Str name)
{
    size_t best = 3;
    const char *nearest = NULL;
    for (size_t i = 0; i < ROW_COUNT; i++) {
        if ((rows[i].of & components_of(kind)) == 0) continue;
        size_t distance = str_distance(name, str_from(rows[i].name), 3);
        if (distance < best) best = distance, nearest = rows[i].name;
    }
    Error *error =
        error_new(ERROR_ARGUMENT_VALUE, "a %s has no `%.*s`", value_kind_name(kind), STR_ARG(name));
    return nearest == NULL ? error : error_hint(error, "did you mean `%s`?", nearest);
}

static Error *duration_component(const Duration *duration, const struct Row *row, Value *out)
{
    Wide value = duration->months;
    if (row->component == COMPONENT_DAYS) value = duration->days;
    if (row->component == COMPONENT_SECONDS) value = duration->seconds;
    if (row->component == COMPONENT_SUBSECONDS)
        value = row->modulus != 0 ? duration->nanoseconds : total_ns(duration);
    value /= row->divisor;
    if (row->modulus > 1) value %= row->modulus;
    if (value > INT64_MAX || value < INT64_MIN) return overflow();
    return *out = value_integer((int64_t)value), NULL;
}

static int64_t date_component(Component component, int64_t days)
{
    CivilDay civil = calendar_civil(days);
    switch (component) {
    case COMPONENT_YEAR: return civil.year;
    case COMPONENT_QUARTER: return (civil.month + 2) / 3;
    case COMPONENT_MONTH: return civil.month;
    case COMPONENT_WEEK: return calendar_week(days).week;
    case COMPONENT_WEEK_YEAR: return calendar_week(days).year;
    case COMPONENT_DAY: return civil.day;
    case COMPONENT_ORDINAL_DAY: return calendar_ordinal(days);
    case COMPONENT_DAY_OF_WEEK: return calendar_week(days).day;
    default: return calendar_quarter_day(civil);
    }
}

static int64_t time_component(Component component, int64_t ns)
{
    int64_t seconds = ns / NS_A_SECOND, fraction = ns % NS_A_SECOND;
    switch (component) {
    case COMPONENT_HOUR: return seconds / 3600;
    case COMPONENT_MINUTE: return seconds / 60 % 60;
    case COMPONENT_SECOND: return seconds % 60;
    case COMPONENT_MILLISECOND: return fraction / 1000000;
    case COMPONENT_MICROSECOND: return fraction / 1000;
    default: return fraction;
    }
}

static Value zone_component(Arena *arena, Component component, ZoneRef zone)
{
    if (component == COMPONENT_OFFSET_MINUTES) return value_integer(zone.offset / 60);
    if (component == COMPONENT_OFFSET_SECONDS) return value_integer(zone.offset);
    if (component == COMPONENT_TIMEZONE && zone.name.bytes > 0)
        return value_string(str_copy(arena, zone.name));
    Buffer text = {0};
    offset_print(&text, zone.offset);
    Value value = value_string(str_copy(arena, buffer_view(&text)));
    buffer_free(&text);
    return value;
}

Error *temporal_component(Arena *arena, Value of, Str name, Value *out)
{
    const struct Row *row = rows;
    int has = components_of((ValueKind)of.kind);
    while (row < rows + ROW_COUNT && !((row->of & has) && str_equal(name, str_from(row->name))))
        row++;
    if (row == rows + ROW_COUNT) return unknown_component((ValueKind)of.kind, name);
    if (row->of == OF_DURATION) return duration_component(of.as.duration, row, out);
    if (row->of == OF_MOMENT) {
        const Moment *moment = of.as.moment;
        int64_t millis = moment->seconds * 1000 + moment->nanoseconds / 1000000;
        *out = value_integer(row->component == COMPONENT_EPOCH_SECONDS ? moment->seconds : millis);
        return NULL;
    }
    Parts parts = parts_of(of);
    if (row->of == OF_ZONE)
        *out = zone_component(arena, row->component, parts.zone);
    else if (row->of == OF_DATE)
        *out = value_integer(date_component(row->component, parts.days));
    else
        *out = value_integer(time_component(row->component, parts.ns));
    return NULL;
}
