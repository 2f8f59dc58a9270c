/*
 * temporal.c - comparing temporal values, writing them as ISO 8601, taking them apart and putting
 * them together.
 *
 * Inside, everything is reckoned in Parts (temporal_internal.h): what the wall clock shows, and the
 * zone it hangs in. A datetime keeps the instant and its offset, so that reading and comparing it
 * asks no zone.
 */
#include "config.h"

#include "value/temporal_internal.h"
#include <assert.h>
#include <stdio.h>

static int sign(int64_t a, int64_t b)
{
    return a < b ? -1 : a > b;
}

/* Of one instant the western clock comes first: it is earlier by its own hands. */
static int compare_zones(int32_t offset_a, Str zone_a, int32_t offset_b, Str zone_b)
{
    return offset_a != offset_b ? sign(offset_a, offset_b) : str_compare(zone_a, zone_b);
}

static int compare_times(Value a, Value b)
{
    int32_t offset_a = (int32_t)a.aux, offset_b = (int32_t)b.aux;
    int order = sign(a.as.integer - (int64_t)offset_a * NS_A_SECOND,
                     b.as.integer - (int64_t)offset_b * NS_A_SECOND);
    return order != 0 ? order : compare_zones(offset_a, STR(""), offset_b, STR(""));
}

static int compare_moments(const Moment *a, const Moment *b)
{
    if (a->seconds != b->seconds) return sign(a->seconds, b->seconds);
    if (a->nanoseconds != b->nanoseconds) return sign(a->nanoseconds, b->nanoseconds);
    return compare_zones(a->offset, a->zone, b->offset, b->zone);
}

int temporal_compare(Value a, Value b)
{
    if (a.kind == VALUE_TIME) return compare_times(a, b);
    if (a.kind == VALUE_DATETIME) return compare_moments(a.as.moment, b.as.moment);
    int order = sign(a.as.integer, b.as.integer);
    return order == 0 && a.kind == VALUE_LOCAL_DATETIME ? sign(a.aux, b.aux) : order;
}

int duration_order(const Duration *a, const Duration *b)
{
    __int128 left =
        (__int128)a->months * SECONDS_A_MONTH + (__int128)a->days * SECONDS_A_DAY + a->seconds;
    __int128 right =
        (__int128)b->months * SECONDS_A_MONTH + (__int128)b->days * SECONDS_A_DAY + b->seconds;
    if (left != right) return left < right ? -1 : 1;
    if (a->nanoseconds != b->nanoseconds) return sign(a->nanoseconds, b->nanoseconds);
    if (a->months != b->months) return sign(a->months, b->months);
    return sign(a->days, b->days);
}

static void print_date(Buffer *out, int64_t days)
{
    CivilDay civil = calendar_civil(days);
    const char *format =
        civil.year >= 0 && civil.year <= 9999 ? "%04lld-%02d-%02d" : "%+05lld-%02d-%02d";
    buffer_printf(out, format, (long long)civil.year, civil.month, civil.day);
}

/* Digits of a fraction without trailing zeros, with its point; nothing for 0. */
static void print_fraction(Buffer *out, int64_t nanoseconds)
{
    if (nanoseconds == 0) return;
    char digits[16];
    snprintf(digits, sizeof digits, "%09d", (int)nanoseconds);
    size_t count = 9;
    while (digits[count - 1] == '0')
        count--;
    buffer_char(out, '.');
    buffer_append(out, digits, count);
}

static void print_time(Buffer *out, int64_t second_of_day, int64_t nanoseconds)
{
    buffer_printf(out, "%02d:%02d", (int)(second_of_day / 3600), (int)(second_of_day / 60 % 60));
    if (second_of_day % 60 == 0 && nanoseconds == 0) return;
    buffer_printf(out, ":%02d", (int)(second_of_day % 60));
    print_fraction(out, nanoseconds);
}

void offset_print(Buffer *out, int32_t offset)
{
    if (offset == 0) {
        buffer_char(out, 'Z');
        return;
    }
    int32_t size = offset < 0 ? -offset : offset;
    buffer_printf(out, "%c%02d:%02d", offset < 0 ? '-' : '+', size / 3600, size / 60 % 60);
    if (size % 60 != 0) buffer_printf(out, ":%02d", size % 60);
}

static void print_local(Buffer *out, int64_t seconds, int64_t nanoseconds)
{
    int64_t days = floor_divide(seconds, SECONDS_A_DAY);
    print_date(out, days);
    buffer_char(out, 'T');
    print_time(out, seconds - days * SECONDS_A_DAY, nanoseconds);
}

static void print_part(Buffer *out, int64_t amount, char unit)
{
    if (amount != 0) buffer_printf(out, "%lld%c", (long long)amount, unit);
}

/* PnYnMnDTnHnMn.nS; years and months share a sign, so do hours, minutes and seconds. */
static void print_duration(Buffer *out, const Duration *d)
{
    size_t start = out->bytes;
    buffer_char(out, 'P');
    print_part(out, d->months / 12, 'Y');
    print_part(out, d->months % 12, 'M');
    print_part(out, d->days, 'D');
    __int128 total = (__int128)d->seconds * NS_A_SECOND + d->nanoseconds;
    bool negative = total < 0;
    unsigned __int128 size = negative ? (unsigned __int128)-total : (unsigned __int128)total;
    int64_t seconds = (int64_t)(size / NS_A_SECOND), rest = (int64_t)(size % NS_A_SECOND);
    if (size != 0) {
        const char *minus = negative ? "-" : "";
        buffer_char(out, 'T');
        if (seconds / 3600 != 0) buffer_printf(out, "%s%lldH", minus, (long long)(seconds / 3600));
        if (seconds / 60 % 60 != 0)
            buffer_printf(out, "%s%lldM", minus, (long long)(seconds / 60 % 60));
        if (seconds % 60 != 0 || rest != 0) {
            buffer_printf(out, "%s%lld", minus, (long long)(seconds % 60));
            print_fraction(out, rest);
            buffer_char(out, 'S');
        }
    }
    if (out->bytes == start + 1) buffer_text(out, "T0S");
}

const char *temporal_tag(ValueKind kind)
{
    static const char *const tags[] = {"$date",          "$localtime", "$time",
                                       "$localdatetime", "$datetime",  "$duration"};
    assert(kind >= VALUE_DATE && kind <= VALUE_DURATION);
    return tags[kind - VALUE_DATE];
}

void temporal_print(Buffer *out, Value value)
{
    if (value.kind == VALUE_DATE) print_date(out, value.as.integer);
    if (value.kind == VALUE_LOCAL_TIME || value.kind == VALUE_TIME)
        print_time(out, value.as.integer / NS_A_SECOND, value.as.integer % NS_A_SECOND);
    if (value.kind == VALUE_TIME) offset_print(out, (int32_t)value.aux);
    if (value.kind == VALUE_LOCAL_DATETIME) print_local(out, value.as.integer, value.aux);
    if (value.kind == VALUE_DURATION) print_duration(out, value.as.duration);
    if (value.kind != VALUE_DATETIME) return;
    const Moment *moment = value.as.moment;
    print_local(out, moment->seconds + moment->offset, moment->nanoseconds);
    offset_print(out, moment->offset);
    if (moment->zone.bytes > 0) buffer_printf(out, "[%.*s]", STR_ARG(moment->zone));
}

/* ---- apart and together ---- */

static bool time_in_range(int64_t ns)
{
    return ns >= 0 && ns < NS_A_DAY;
}

static bool offset_in_range(int32_t offset)
{
    return offset >= -ZONE_OFFSET_SECONDS_MAX && offset <= ZONE_OFFSET_SECONDS_MAX;
}

static bool local_in_range(int64_t seconds)
{
    return seconds >= CALENDAR_DAYS_MIN * SECONDS_A_DAY &&
           seconds < (CALENDAR_DAYS_MAX + 1) * SECONDS_A_DAY;
}

bool temporal_valid(Value value)
{
    const Moment *moment;
    switch ((ValueKind)value.kind) {
    case VALUE_DATE:
        return value.as.integer >= CALENDAR_DAYS_MIN && value.as.integer <= CALENDAR_DAYS_MAX;
    case VALUE_LOCAL_TIME: return time_in_range(value.as.integer);
    case VALUE_TIME: return time_in_range(value.as.integer) && offset_in_range((int32_t)value.aux);
    case VALUE_LOCAL_DATETIME: return local_in_range(value.as.integer) && value.aux < NS_A_SECOND;
    case VALUE_DATETIME:
        moment = value.as.moment;
        return moment->nanoseconds < NS_A_SECOND && offset_in_range(moment->offset) &&
               moment->zone.bytes <= ZONE_NAME_BYTES_MAX && moment->seconds > INT64_MIN / 2 &&
               moment->seconds < INT64_MAX / 2 && local_in_range(moment->seconds + moment->offset);
    case VALUE_DURATION:
        return value.as.duration->nanoseconds >= 0 && value.as.duration->nanoseconds < NS_A_SECOND;
    default: return false;
    }
}

static void parts_from_local(Parts *parts, int64_t seconds, int64_t ns)
{
    parts->has_date = parts->has_time = true;
    parts->days = floor_divide(seconds, SECONDS_A_DAY);
    parts->ns = (seconds - parts->days * SECONDS_A_DAY) * NS_A_SECOND + ns;
}

Parts parts_of(Value value)
{
    Parts parts = {.has_date = false};
    if (value.kind == VALUE_DATE) parts.has_date = true, parts.days = value.as.integer;
    if (value.kind == VALUE_LOCAL_TIME || value.kind == VALUE_TIME)
        parts.has_time = true, parts.ns = value.as.integer;
    if (value.kind == VALUE_LOCAL_DATETIME) parts_from_local(&parts, value.as.integer, value.aux);
    parts.has_zone = value.kind == VALUE_TIME || value.kind == VALUE_DATETIME;
    if (value.kind == VALUE_TIME) parts.zone.offset = (int32_t)value.aux;
    if (value.kind == VALUE_DATETIME) {
        const Moment *moment = value.as.moment;
        parts_from_local(&parts, moment->seconds + moment->offset, moment->nanoseconds);
        parts.zone = (ZoneRef){moment->zone, moment->offset};
    }
    return parts;
}

Error *temporal_out_of_years(void)
{
    return error_new(ERROR_ARITHMETIC_OVERFLOW, "years go from -%d to %d", CALENDAR_YEAR_MAX,
                     CALENDAR_YEAR_MAX);
}

static int64_t local_seconds(const Parts *parts)
{
    return parts->days * SECONDS_A_DAY + parts->ns / NS_A_SECOND;
}

Error *parts_instant(const Parts *parts, int64_t *out)
{
    const Zone *zone;
    if (parts->days < CALENDAR_DAYS_MIN || parts->days > CALENDAR_DAYS_MAX)
        return temporal_out_of_years();
    int64_t local = local_seconds(parts);
    if (parts->zone.name.bytes == 0) return *out = local - parts->zone.offset, NULL;
    TRY(zone_find(parts->zone.name, &zone));
    *out = zone_instant(zone, local, parts->zone.offset);
    return NULL;
}

Error *zone_ref_offset(ZoneRef ref, int64_t utc, int32_t *out)
{
    const Zone *zone;
    if (ref.name.bytes == 0) return *out = ref.offset, NULL;
    TRY(zone_find(ref.name, &zone));
    return *out = zone_offset(zone, utc), NULL;
}

Error *parts_at(ZoneRef zone, int64_t utc, int64_t ns, Parts *out)
{
    TRY(zone_ref_offset(zone, utc, &zone.offset));
    *out = (Parts){.has_zone = true, .zone = zone};
    parts_from_local(out, utc + zone.offset, ns);
    return NULL;
}

Error *parts_move(Parts *parts, ZoneRef to)
{
    int64_t instant = 0;
    bool had_date = parts->has_date;
    TRY(parts_instant(parts, &instant));
    TRY(parts_at(to, instant, parts->ns % NS_A_SECOND, parts));
    parts->has_date = had_date;
    return NULL;
}

static Error *join_datetime(Arena *arena, const Parts *parts, Value *out)
{
    int64_t instant;
    int32_t offset = parts->zone.offset;
    Str name = {"", 0};
    TRY(parts_instant(parts, &instant));
    if (parts->zone.name.bytes > 0) {
        const Zone *zone;
        TRY(zone_find(parts->zone.name, &zone));
        offset = zone_offset(zone, instant);
        name = zone_name(zone);
    }
    if (!local_in_range(instant + offset)) return temporal_out_of_years();
    Moment *moment = arena_new(arena, Moment);
    *moment = (Moment){instant, (uint32_t)(parts->ns % NS_A_SECOND), offset, name};
    *out = (Value){.kind = VALUE_DATETIME, .as.moment = moment};
    return NULL;
}

Error *parts_join(Arena *arena, ValueKind kind, const Parts *parts, Value *out)
{
    if (parts->days < CALENDAR_DAYS_MIN || parts->days > CALENDAR_DAYS_MAX)
        return temporal_out_of_years();
    switch (kind) {
    case VALUE_DATE: *out = (Value){.kind = kind, .as.integer = parts->days}; break;
    case VALUE_LOCAL_TIME: *out = (Value){.kind = kind, .as.integer = parts->ns}; break;
    case VALUE_TIME:
        *out = (Value){.kind = kind, .aux = (uint32_t)parts->zone.offset, .as.integer = parts->ns};
        break;
    case VALUE_LOCAL_DATETIME:
        *out = (Value){.kind = kind,
                       .aux = (uint32_t)(parts->ns % NS_A_SECOND),
                       .as.integer = local_seconds(parts)};
        break;
    default: return join_datetime(arena, parts, out);
    }
    return NULL;
}

/* ---- parts that must be looked at ---- */

Error *temporal_in_range(const char *what, int64_t value, int64_t low, int64_t high)
{
    if (value >= low && value <= high) return NULL;
    return error_new(ERROR_ARGUMENT_VALUE, "%s is %lld to %lld, not %lld", what, (long long)low,
                     (long long)high, (long long)value);
}

static Error *check_year(int64_t year)
{
    return temporal_in_range("year", year, -CALENDAR_YEAR_MAX, CALENDAR_YEAR_MAX);
}

Error *days_of_calendar(int64_t year, int64_t month, int64_t day, int64_t *out)
{
    TRY(check_year(year));
    TRY(temporal_in_range("month", month, 1, 12));
    TRY(temporal_in_range("day", day, 1, calendar_month_days(year, (int)month)));
    return *out = calendar_days(year, (int)month, (int)day), NULL;
}

Error *days_of_week(int64_t year, int64_t week, int64_t day, int64_t *out)
{
    TRY(check_year(year));
    TRY(temporal_in_range("week", week, 1, calendar_year_weeks(year)));
    TRY(temporal_in_range("dayOfWeek", day, 1, 7));
    return *out = calendar_week_days((WeekDay){year, (int)week, (int)day}), NULL;
}

Error *days_of_quarter(int64_t year, int64_t quarter, int64_t day, int64_t *out)
{
    TRY(check_year(year));
    TRY(temporal_in_range("quarter", quarter, 1, 4));
    TRY(temporal_in_range("dayOfQuarter", day, 1, calendar_quarter_days(year, (int)quarter)));
    return *out = calendar_days(year, (int)quarter * 3 - 2, 1) + day - 1, NULL;
}

Error *days_of_ordinal(int64_t year, int64_t day, int64_t *out)
{
    TRY(check_year(year));
    TRY(temporal_in_range("ordinalDay", day, 1, calendar_leap(year) ? 366 : 365));
    return *out = calendar_days(year, 1, 1) + day - 1, NULL;
}

Error *temporal_datetime(Arena *arena, int64_t days, int64_t ns, Str zone, int32_t offset,
                         Value *out)
{
    Parts parts = {true, true, true, days, ns, {zone, offset}};
    if (!time_in_range(ns) || !offset_in_range(offset))
        return error_new(ERROR_ARGUMENT_VALUE, "a time or an offset beyond its day");
    return parts_join(arena, VALUE_DATETIME, &parts, out);
}
