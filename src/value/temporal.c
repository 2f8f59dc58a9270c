/*
 * temporal.c - comparing temporal values and writing them as ISO 8601.
 *
 * Days are civil days of the proleptic Gregorian calendar; the conversion is Howard Hinnant's
 * "chrono-compatible low-level date algorithms" (days_from_civil and back), exact for all years an
 * int64_t of days can name.
 */
#include "config.h"

#include "value/temporal.h"
#include <stdio.h>

enum { NS_A_SECOND = 1000000000, SECONDS_A_DAY = 86400, SECONDS_A_MONTH = 2629746 };

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

static int64_t floor_divide(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

static void civil_from_days(int64_t days, int64_t *year, int *month, int *day)
{
    days += 719468;
    int64_t era = floor_divide(days, 146097);
    int64_t of_era = days - era * 146097;
    int64_t year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t day_of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t shifted = (5 * day_of_year + 2) / 153; /* months from March */
    *day = (int)(day_of_year - (153 * shifted + 2) / 5 + 1);
    *month = (int)(shifted < 10 ? shifted + 3 : shifted - 9);
    *year = year_of_era + era * 400 + (*month <= 2);
}

static void print_date(Buffer *out, int64_t days)
{
    int64_t year;
    int month, day;
    civil_from_days(days, &year, &month, &day);
    if (year >= 0 && year <= 9999)
        buffer_printf(out, "%04lld-%02d-%02d", (long long)year, month, day);
    else
        buffer_printf(out, "%+05lld-%02d-%02d", (long long)year, month, day);
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

static void print_offset(Buffer *out, int32_t offset)
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

void temporal_print(Buffer *out, Value value)
{
    if (value.kind == VALUE_DATE) print_date(out, value.as.integer);
    if (value.kind == VALUE_LOCAL_TIME || value.kind == VALUE_TIME)
        print_time(out, value.as.integer / NS_A_SECOND, value.as.integer % NS_A_SECOND);
    if (value.kind == VALUE_TIME) print_offset(out, (int32_t)value.aux);
    if (value.kind == VALUE_LOCAL_DATETIME) print_local(out, value.as.integer, value.aux);
    if (value.kind == VALUE_DURATION) print_duration(out, value.as.duration);
    if (value.kind != VALUE_DATETIME) return;
    const Moment *moment = value.as.moment;
    print_local(out, moment->seconds + moment->offset, moment->nanoseconds);
    print_offset(out, moment->offset);
    if (moment->zone.bytes > 0) buffer_printf(out, "[%.*s]", STR_ARG(moment->zone));
}
