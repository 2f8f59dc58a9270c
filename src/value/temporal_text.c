/*
 * temporal_text.c - ISO 8601 read.
 *
 *   date      YYYY  YYYY-MM  YYYY-MM-DD  YYYY-Www  YYYY-Www-D  YYYY-Qq-DD  YYYY-DDD, and the same
 *             without dashes; a year with a sign has one to nine digits
 *   time      HH  HH:MM  HH:MM:SS  HH:MM:SS.fffffffff, and the same without colons; comma or point
 *   zone      Z  +HH  +HH:MM  +HHMM  +HH:MM:SS, a name of tzdata in brackets, or both
 *   duration  PnYnQnMnWnDTnHnMnS, each n with its own sign and fraction, a sign before all; or
 *             PYYYY-MM-DDThh:mm:ss
 *
 * Each reader takes what it knows from the front; the one called by the outside wants nothing left.
 */
#include "config.h"

#include "value/temporal_internal.h"

typedef struct Scan {
    const char *at, *end;
} Scan;

static char ahead(const Scan *scan)
{
    return scan->at < scan->end ? *scan->at : '\0';
}

static bool take(Scan *scan, char c)
{
    if (scan->at == scan->end || *scan->at != c) return false;
    scan->at++;
    return true;
}

static size_t digits_ahead(const Scan *scan)
{
    size_t count = 0;
    while (scan->at + count < scan->end && scan->at[count] >= '0' && scan->at[count] <= '9')
        count++;
    return count;
}

/* The next `count` digits, which are there. */
static int64_t number(Scan *scan, size_t count)
{
    int64_t value = 0;
    for (; count > 0; count--)
        value = value * 10 + (*scan->at++ - '0');
    return value;
}

static bool two_digits(Scan *scan, int64_t *out)
{
    if (digits_ahead(scan) < 2) return false;
    return *out = number(scan, 2), true;
}

/* temporal_parse puts the whole text before it. */
static Error *misread(void)
{
    return error_new(ERROR_ARGUMENT_VALUE, "its form is not known");
}

/* ---- dates ---- */

static Error *scan_week(Scan *scan, int64_t year, bool dash, int64_t *out)
{
    int64_t week, day = 1;
    if (!two_digits(scan, &week)) return misread();
    bool more = dash ? take(scan, '-') : digits_ahead(scan) == 1;
    if (more) {
        if (digits_ahead(scan) != 1) return misread();
        day = number(scan, 1);
    }
    return days_of_week(year, week, day, out);
}

static Error *scan_quarter(Scan *scan, int64_t year, bool dash, int64_t *out)
{
    int64_t day = 1;
    size_t digits = digits_ahead(scan);
    if (digits != 1 && (dash || digits != 3)) return misread();
    int64_t quarter = number(scan, 1);
    bool more = dash ? take(scan, '-') : digits == 3;
    if (more && !two_digits(scan, &day)) return misread();
    return days_of_quarter(year, quarter, day, out);
}

static Error *scan_month(Scan *scan, int64_t year, bool dash, int64_t *out)
{
    int64_t month = 1, day = 1;
    size_t digits = digits_ahead(scan);
    if (digits == 3) return days_of_ordinal(year, number(scan, 3), out);
    if (digits != 2 && (dash || digits != 4)) return misread();
    month = number(scan, 2);
    bool more = dash ? take(scan, '-') : digits == 4;
    if (more && !two_digits(scan, &day)) return misread();
    return days_of_calendar(year, month, day, out);
}

static Error *scan_date(Scan *scan, int64_t *out)
{
    bool minus = ahead(scan) == '-', sign = take(scan, '-') || take(scan, '+');
    size_t digits = digits_ahead(scan);
    if (sign ? digits == 0 || digits > 9 : digits < 4) return misread();
    int64_t year = number(scan, sign ? digits : 4);
    if (minus) year = -year;
    if (scan->at == scan->end || *scan->at == 'T') return days_of_calendar(year, 1, 1, out);
    bool dash = take(scan, '-');
    if (take(scan, 'W')) return scan_week(scan, year, dash, out);
    if (take(scan, 'Q')) return scan_quarter(scan, year, dash, out);
    return scan_month(scan, year, dash, out);
}

/* ---- times ---- */

static Error *scan_fraction(Scan *scan, int64_t *out)
{
    size_t digits = digits_ahead(scan);
    if (digits == 0) return misread();
    if (digits > 9)
        return error_new(ERROR_ARGUMENT_VALUE, "a second has at most nine digits behind its point");
    *out = number(scan, digits);
    for (; digits < 9; digits++)
        *out *= 10;
    return NULL;
}

static Error *time_of(int64_t hour, int64_t minute, int64_t second, int64_t ns, int64_t *out)
{
    TRY(temporal_in_range("hour", hour, 0, 23));
    TRY(temporal_in_range("minute", minute, 0, 59));
    TRY(temporal_in_range("second", second, 0, 59));
    *out = (hour * 3600 + minute * 60 + second) * NS_A_SECOND + ns;
    return NULL;
}

static Error *scan_time(Scan *scan, int64_t *out)
{
    int64_t hour = 0, minute = 0, second = 0, ns = 0;
    size_t digits = digits_ahead(scan);
    bool seconds = digits == 6;
    if (digits != 2 && digits != 4 && digits != 6) return misread();
    hour = number(scan, 2);
    if (digits >= 4) minute = number(scan, 2);
    if (digits == 6) second = number(scan, 2);
    if (digits == 2 && take(scan, ':')) {
        if (!two_digits(scan, &minute)) return misread();
        seconds = take(scan, ':');
        if (seconds && !two_digits(scan, &second)) return misread();
    }
    if (seconds && (take(scan, '.') || take(scan, ','))) TRY(scan_fraction(scan, &ns));
    return time_of(hour, minute, second, ns, out);
}

/* ---- zones ---- */

static Error *scan_offset(Scan *scan, int32_t *out)
{
    int64_t hours = 0, minutes = 0, seconds = 0;
    bool minus = ahead(scan) == '-';
    if (!take(scan, '-') && !take(scan, '+')) return misread();
    size_t digits = digits_ahead(scan);
    if (digits != 2 && digits != 4 && digits != 6) return misread();
    hours = number(scan, 2);
    if (digits >= 4) minutes = number(scan, 2);
    if (digits == 6) seconds = number(scan, 2);
    if (digits == 2 && take(scan, ':')) {
        if (!two_digits(scan, &minutes)) return misread();
        if (take(scan, ':') && !two_digits(scan, &seconds)) return misread();
    }
    int64_t size = hours * 3600 + minutes * 60 + seconds;
    if (minutes > 59 || seconds > 59 || size > ZONE_OFFSET_SECONDS_MAX)
        return error_new(ERROR_ARGUMENT_VALUE, "an offset is at most 18 hours");
    *out = (int32_t)(minus ? -size : size);
    return NULL;
}

Error *zone_ref_parse(Str text, ZoneRef *out)
{
    Scan scan = {text.data, text.data + text.bytes};
    *out = (ZoneRef){{"", 0}, 0};
    if (str_equal(text, STR("Z")) || str_equal(text, STR("z"))) return NULL;
    if (ahead(&scan) == '+' || ahead(&scan) == '-') {
        Error *error = scan_offset(&scan, &out->offset);
        if (error == NULL && scan.at < scan.end) error = misread();
        if (error == NULL) return NULL;
        error_drop(error);
        return error_hint(error_new(ERROR_ARGUMENT_VALUE, "'%.*s' is no time zone", STR_ARG(text)),
                          "write an offset like +02:00, or a name like Europe/Stockholm");
    }
    const Zone *zone;
    TRY(zone_find(text, &zone));
    out->name = zone_name(zone);
    return NULL;
}

/* "+01:00", "[Europe/Stockholm]", "+01:00[Europe/Stockholm]" or nothing behind a time. An offset
 * before a name must be one that the zone had then. */
static Error *scan_zone(Scan *scan, Parts *parts)
{
    bool utc = take(scan, 'Z') || take(scan, 'z');
    bool offset = !utc && (ahead(scan) == '+' || ahead(scan) == '-');
    if (offset) TRY(scan_offset(scan, &parts->zone.offset));
    parts->has_zone = true;
    if (!take(scan, '[')) return NULL;
    const char *from = scan->at, *close = memchr(from, ']', (size_t)(scan->end - from));
    if (close == NULL) return misread();
    if (!parts->has_date)
        return error_hint(error_new(ERROR_ARGUMENT_VALUE, "a time of no day has no named zone"),
                          "write its offset: +01:00");
    scan->at = close + 1;
    ZoneRef named;
    TRY(zone_ref_parse((Str){from, (size_t)(close - from)}, &named));
    named.offset = parts->zone.offset;
    parts->zone = named;
    if (!utc && !offset) return NULL;
    int64_t instant;
    int32_t shown;
    TRY(parts_instant(parts, &instant));
    TRY(zone_ref_offset(named, instant, &shown));
    return shown == named.offset
               ? NULL
               : error_new(ERROR_ARGUMENT_VALUE, "the zone has another offset at that time");
}

/* ---- durations ---- */

/* A number with its own sign and fraction. */
static Error *scan_decimal(Scan *scan, bool negate, Decimal *out)
{
    bool minus = ahead(scan) == '-';
    if (!take(scan, '-')) take(scan, '+');
    size_t digits = digits_ahead(scan);
    __int128 whole = 0;
    if (digits == 0 || digits > 19) return misread();
    for (; digits > 0; digits--)
        whole = whole * 10 + (*scan->at++ - '0');
    if (minus != negate) whole = -whole;
    if (whole < INT64_MIN || whole > INT64_MAX) return misread();
    out->whole = (int64_t)whole;
    out->fraction = 0;
    if (take(scan, '.') || take(scan, ',')) {
        size_t behind = digits_ahead(scan), used = behind < 18 ? behind : 18;
        if (behind == 0) return misread();
        out->fraction = number(scan, used);
        scan->at += behind - used;
        for (; used < 18; used++)
            out->fraction *= 10;
    }
    if (minus != negate) out->fraction = -out->fraction;
    return NULL;
}

static Error *scan_units(Scan *scan, bool negate, DurationSum *sum)
{
    static const struct {
        char letter;
        bool time;
        DurationPart part;
    } units[] = {{'Y', false, PART_YEARS},  {'Q', false, PART_QUARTERS}, {'M', false, PART_MONTHS},
                 {'W', false, PART_WEEKS},  {'D', false, PART_DAYS},     {'H', true, PART_HOURS},
                 {'M', true, PART_MINUTES}, {'S', true, PART_SECONDS}};
    enum { UNITS = sizeof units / sizeof *units };
    bool time = false, any = false;
    size_t unit = 0;
    while (scan->at < scan->end) {
        Decimal amount;
        if (!time && take(scan, 'T')) time = true, any = false;
        TRY(scan_decimal(scan, negate, &amount));
        while (unit < UNITS && (units[unit].time != time || units[unit].letter != ahead(scan)))
            unit++;
        if (unit == UNITS) return misread();
        scan->at++;
        TRY(duration_sum_add(sum, units[unit++].part, amount));
        any = true;
    }
    return any ? NULL : misread();
}

/* P2012-02-02T14:37:21.545: every part like a clock's. */
static Error *scan_clock(Scan *scan, bool negate, DurationSum *sum)
{
    int64_t years = number(scan, 4), months, days, ns = 0;
    take(scan, '-');
    if (!two_digits(scan, &months) || !take(scan, '-') || !two_digits(scan, &days))
        return misread();
    TRY(temporal_in_range("month", months, 0, 12));
    TRY(temporal_in_range("day", days, 0, 31));
    if (take(scan, 'T')) TRY(scan_time(scan, &ns));
    int sign = negate ? -1 : 1;
    TRY(duration_sum_add(sum, PART_MONTHS, (Decimal){sign * (years * 12 + months), 0}));
    TRY(duration_sum_add(sum, PART_DAYS, (Decimal){sign * days, 0}));
    return duration_sum_add(sum, PART_NANOSECONDS, (Decimal){sign * ns, 0});
}

static Error *scan_duration(Arena *arena, Scan *scan, Value *out)
{
    DurationSum sum = {0, 0, 0};
    bool negate = ahead(scan) == '-';
    if (!take(scan, '-')) take(scan, '+');
    if (!take(scan, 'P')) return misread();
    if (digits_ahead(scan) == 4 && scan->end - scan->at > 4 && scan->at[4] == '-')
        TRY(scan_clock(scan, negate, &sum));
    else
        TRY(scan_units(scan, negate, &sum));
    if (scan->at < scan->end) return misread();
    return duration_sum_end(arena, &sum, out);
}

/* ---- the whole text ---- */

static Error *scan_value(Arena *arena, ValueKind kind, Scan *scan, Value *out)
{
    Parts parts = {.has_date = kind != VALUE_LOCAL_TIME && kind != VALUE_TIME,
                   .has_time = kind != VALUE_DATE};
    if (kind == VALUE_DURATION) return scan_duration(arena, scan, out);
    if (parts.has_date) TRY(scan_date(scan, &parts.days));
    if (parts.has_time && (!parts.has_date || take(scan, 'T'))) TRY(scan_time(scan, &parts.ns));
    if (kind == VALUE_TIME || kind == VALUE_DATETIME) TRY(scan_zone(scan, &parts));
    if (scan->at < scan->end) return misread();
    return parts_join(arena, kind, &parts, out);
}

Error *temporal_parse(Arena *arena, ValueKind kind, Str text, Value *out)
{
    static const char *const examples[VALUE_KIND_COUNT] = {
        [VALUE_DATE] = "2024-12-31",
        [VALUE_LOCAL_TIME] = "13:45:00.5",
        [VALUE_TIME] = "13:45:00+01:00",
        [VALUE_LOCAL_DATETIME] = "2024-12-31T13:45:00",
        [VALUE_DATETIME] = "2024-12-31T13:45:00+01:00[Europe/Stockholm]",
        [VALUE_DURATION] = "P1Y2M3DT4H5M6.5S"};
    Scan scan = {text.data, text.data + text.bytes};
    Error *error = scan_value(arena, kind, &scan, out);
    if (error == NULL || error_code(error) != ERROR_ARGUMENT_VALUE) return error;
    Error *told = error_new(ERROR_ARGUMENT_VALUE, "'%.*s' is no %s: %s", STR_ARG(text),
                            value_kind_name(kind), error_message(error));
    const char *hint = error_hint_text(error);
    if (hint[0] != '\0')
        error_hint(told, "%s", hint);
    else
        error_hint(told, "write it like '%s'", examples[kind]);
    error_drop(error);
    return told;
}
