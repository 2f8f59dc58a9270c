/* Calendar, zones, texts and reckoning of temporal values. */
#include "config.h"

#include "test.h"
#include "value/calendar.h"
#include "value/encode.h"
#include "value/temporal.h"
#include "value/zone.h"
#include <stdlib.h>
#include <time.h>

static Arena *arena;

/* ---- calendar ---- */

/* Day by day through 1,200 years, against counting. */
static void calendar_days_count(void)
{
    int64_t days = calendar_days(1600, 1, 1);
    int good = 1, weekday = calendar_week(days).day;
    for (int64_t year = 1600; year < 2800; year++) {
        int ordinal = 0;
        for (int month = 1; month <= 12; month++)
            for (int day = 1; day <= calendar_month_days(year, month); day++, days++) {
                CivilDay civil = calendar_civil(days);
                good = good && civil.year == year && civil.month == month && civil.day == day &&
                       calendar_days(year, month, day) == days &&
                       calendar_ordinal(days) == ++ordinal;
                WeekDay week = calendar_week(days);
                good = good && week.day == weekday && calendar_week_days(week) == days &&
                       week.week <= calendar_year_weeks(week.year);
                weekday = weekday % 7 + 1;
            }
        good = good && ordinal == 365 + calendar_leap(year);
    }
    EXPECT(good);
    EXPECT(calendar_week(0).day == 4); /* a Thursday */
    EXPECT(calendar_days(-CALENDAR_YEAR_MAX, 1, 1) == CALENDAR_DAYS_MIN);
    EXPECT(calendar_days(CALENDAR_YEAR_MAX, 12, 31) == CALENDAR_DAYS_MAX);
}

/* ---- zones ---- */

/* The C library reads the same files. */
static int agrees_with_libc(const char *name)
{
    const Zone *zone;
    Error *error = zone_find(str_from(name), &zone);
    if (error != NULL) return error_drop(error), 0;
    setenv("TZ", name, 1);
    tzset();
    int good = 1;
    for (int64_t utc = -6000000000; utc < 16000000000; utc += 1000003) {
        time_t instant = (time_t)utc;
        struct tm broken;
        localtime_r(&instant, &broken);
        int32_t offset = zone_offset(zone, utc);
        good = good && offset == broken.tm_gmtoff;
        int64_t back = zone_instant(zone, utc + offset, offset);
        good = good && back == utc;
    }
    return good;
}

static void zones(void)
{
    static const char *const names[] = {
        "Europe/Stockholm", "America/New_York",  "Australia/Lord_Howe",
        "Asia/Kathmandu",   "America/Sao_Paulo", "Africa/Casablanca",
        "Pacific/Apia",     "America/Nuuk",      "UTC"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        EXPECT(agrees_with_libc(names[i]));
    static const char *const none[] = {
        "",       "/etc/passwd",  "../x",           "Europe/",   "Europe//Paris",
        "Europe", "europe/paris", "Europe/.hidden", "tzdata.zi", "Europe/Paris\n"};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        const Zone *zone;
        Error *error = zone_find(str_from(none[i]), &zone);
        EXPECT(error != NULL && error_code(error) == ERROR_ARGUMENT_VALUE);
        error_drop(error);
    }
}

/* A file of one transition and a rule, then cut at every length and with every bit turned: never
 * more than an error, and no zone answers beyond 18 hours. */
static size_t small_file(uint8_t *out)
{
    static const uint8_t first[44] = "TZif2", counts[44] = "TZif2";
    static const char footer[] = "\nCET-1CEST,M3.5.0,M10.5.0/3\n";
    size_t at = 0;
    memcpy(out, first, 44), at = 44;
    memcpy(out + at, counts, 44);
    out[at + 35] = 1; /* transitions */
    out[at + 39] = 2; /* types */
    out[at + 43] = 4; /* abbreviations */
    at += 44;
    static const uint8_t body[] = {
        0xff, 0xff, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff, 1,                /* when, type */
        0,    0,    0x0d, 0x48, 0,    0,    0,    0,    0x0e, 0x10, 0, 0, /* 2 types */
        'L',  'M',  'T',  0};
    memcpy(out + at, body, sizeof body), at += sizeof body;
    memcpy(out + at, footer, sizeof footer - 1);
    return at + sizeof footer - 1;
}

static int decodes(const uint8_t *file, size_t bytes)
{
    Zone *zone = NULL;
    Error *error = zone_decode(STR("Test/Zone"), file, bytes, &zone);
    if (error != NULL) return error_drop(error), 0;
    for (int64_t utc = -40000000000; utc < 40000000000; utc += 777777777)
        if (labs(zone_offset(zone, utc)) > ZONE_OFFSET_SECONDS_MAX) abort();
    zone_free(zone);
    return 1;
}

static void damaged_zones(void)
{
    uint8_t file[256], damaged[256];
    size_t bytes = small_file(file);
    Zone *zone = NULL;
    EXPECT(zone_decode(STR("Test/Zone"), file, bytes, &zone) == NULL);
    EXPECT(zone_offset(zone, -3000000000) == 3400 && zone_offset(zone, 1700000000) == 3600 &&
           zone_offset(zone, 1720000000) == 7200);
    zone_free(zone);
    int cut = 0;
    for (size_t i = 0; i < bytes; i++)
        cut += decodes(file, i);
    EXPECT(cut == 0);
    for (size_t bit = 0; bit < bytes * 8; bit++) {
        memcpy(damaged, file, bytes);
        damaged[bit / 8] ^= (uint8_t)(1 << bit % 8);
        decodes(damaged, bytes);
    }
    EXPECT(1);
}

/* ---- texts ---- */

static uint64_t state = 88172645463325252u;

static uint64_t random_bits(void) /* xorshift64 */
{
    state ^= state << 13, state ^= state >> 7;
    return state ^= state << 17;
}

static int64_t between(int64_t low, int64_t high)
{
    return low + (int64_t)(random_bits() % ((uint64_t)(high - low) + 1));
}

static Value any_value(ValueKind kind)
{
    static const char *const names[] = {"", "Europe/Stockholm", "America/New_York", "Asia/Tokyo"};
    int64_t days = between(0, 1) ? between(-800000, 800000)
                                 : between(CALENDAR_DAYS_MIN + 2, CALENDAR_DAYS_MAX - 2);
    int64_t ns = between(0, 2) == 0 ? between(0, 86399) * NS_A_SECOND : between(0, NS_A_DAY - 1);
    int32_t offset = (int32_t)between(-18 * 3600, 18 * 3600);
    if (between(0, 1)) offset -= offset % 900;
    Duration *duration;
    Value value = {.kind = kind};
    switch (kind) {
    case VALUE_DATE: value.as.integer = days; break;
    case VALUE_TIME: value.aux = (uint32_t)offset; /* fall through */
    case VALUE_LOCAL_TIME: value.as.integer = ns; break;
    case VALUE_LOCAL_DATETIME:
        value.as.integer = days * SECONDS_A_DAY + ns / NS_A_SECOND;
        value.aux = (uint32_t)(ns % NS_A_SECOND);
        break;
    case VALUE_DATETIME: {
        Str zone = str_from(names[between(0, 3)]);
        error_drop(temporal_datetime(arena, days, ns, zone, offset, &value));
        break;
    }
    default:
        duration = arena_new(arena, Duration);
        *duration = (Duration){between(-20000, 20000), between(-20000, 20000),
                               between(-900000, 900000), (int32_t)between(0, NS_A_SECOND - 1)};
        if (between(0, 1)) duration->months = (int64_t)random_bits();
        if (between(0, 1)) duration->days = (int64_t)random_bits();
        if (between(0, 1)) duration->seconds = (int64_t)random_bits();
        value.as.duration = duration;
    }
    return value;
}

/* What is printed reads back as the same value; what is encoded too. */
static void round_trips(ValueKind kind)
{
    int good = 1;
    for (int i = 0; i < 20000; i++) {
        Value value = any_value(kind), back = value_null();
        Buffer text = {0}, bytes = {0};
        temporal_print(&text, value);
        Error *error = temporal_parse(arena, kind, buffer_view(&text), &back);
        if (error != NULL || !value_equivalent(value, back)) {
            printf("# %s: %s\n", text.data, error == NULL ? "differs" : error_message(error));
            good = 0;
        }
        error_drop(error);
        value_encode(&bytes, value);
        Reader reader = reader_of(bytes.data, bytes.bytes);
        good = good && value_equivalent(value, value_decode(&reader, arena)) && !reader.failed;
        good = good && temporal_valid(value);
        buffer_free(&text);
        buffer_free(&bytes);
        if (i % 256 == 0) arena_reset(arena);
    }
    EXPECT(good);
}

/* What is out of range on disk is damage. */
static void damaged_values(void)
{
    const Moment moments[] = {{0, 1000000000, 0, {"", 0}},
                              {0, 0, 70000, {"", 0}},
                              {INT64_MAX, 0, 0, {"", 0}},
                              {INT64_MIN, 0, -1, {"", 0}}};
    const Duration duration = {0, 0, 0, -1};
    const Value values[] = {{.kind = VALUE_DATE, .as.integer = INT64_MAX},
                            {.kind = VALUE_LOCAL_TIME, .as.integer = NS_A_DAY},
                            {.kind = VALUE_TIME, .aux = 70000},
                            {.kind = VALUE_LOCAL_DATETIME, .aux = NS_A_SECOND},
                            {.kind = VALUE_DATETIME, .as.moment = &moments[0]},
                            {.kind = VALUE_DATETIME, .as.moment = &moments[1]},
                            {.kind = VALUE_DATETIME, .as.moment = &moments[2]},
                            {.kind = VALUE_DATETIME, .as.moment = &moments[3]},
                            {.kind = VALUE_DURATION, .as.duration = &duration}};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        Buffer bytes = {0};
        value_encode(&bytes, values[i]);
        Reader reader = reader_of(bytes.data, bytes.bytes);
        EXPECT(value_is_null(value_decode(&reader, arena)) && reader.failed);
        buffer_free(&bytes);
    }
}

static int refused(ValueKind kind, const char *text, ErrorCode code)
{
    Value value;
    Error *error = temporal_parse(arena, kind, str_from(text), &value);
    int good = error != NULL && error_code(error) == code;
    error_drop(error);
    return good;
}

static void bad_texts(void)
{
    static const char *const dates[] = {
        "",         "2024-",       "2024-1",      "2024-13",          "2024-02-30", "2023-02-29",
        "2024-W54", "2023-W53",    "2024-W1-8",   "2024-367",         "2023-366",   "2024-Q5",
        "202",      "+1234567890", "2024-01-01 ", "2024-01-01T00:00", "2024-0101",  "\xff\xfe"};
    static const char *const times[] = {"24:00",   "23:60",     "23:59:60",
                                        "1:00",    "12:",       "12:3",
                                        "12:30.5", "12:30:00.", "12:30:00.1234567890",
                                        "123"};
    static const char *const zoned[] = {
        "12:00+19:00",         "12:00+1", "12:00+01:60",   "12:00+01:00x",
        "12:00[Europe/Paris]", "12:00[",  "12:00-18:00:01"};
    static const char *const durations[] = {"",
                                            "P",
                                            "PT",
                                            "P1",
                                            "P1D1Y",
                                            "P1DT",
                                            "PT1D",
                                            "P1H",
                                            "P1.D",
                                            "P--1D",
                                            "P99999999999999999999D",
                                            "1D"};
    int good = 1;
    for (size_t i = 0; i < sizeof dates / sizeof *dates; i++)
        good = good && refused(VALUE_DATE, dates[i], ERROR_ARGUMENT_VALUE);
    for (size_t i = 0; i < sizeof times / sizeof *times; i++)
        good = good && refused(VALUE_LOCAL_TIME, times[i], ERROR_ARGUMENT_VALUE);
    for (size_t i = 0; i < sizeof zoned / sizeof *zoned; i++)
        good = good && refused(VALUE_TIME, zoned[i], ERROR_ARGUMENT_VALUE);
    for (size_t i = 0; i < sizeof durations / sizeof *durations; i++)
        good = good && refused(VALUE_DURATION, durations[i], ERROR_ARGUMENT_VALUE);
    EXPECT(good);
    EXPECT(refused(VALUE_DURATION, "P9223372036854775807Y", ERROR_ARITHMETIC_OVERFLOW));
    EXPECT(refused(VALUE_DATETIME, "2024-07-01T12:00+01:00[Europe/Paris]", ERROR_ARGUMENT_VALUE));
}

/* ---- reckoning ---- */

static Value parsed(ValueKind kind, const char *text)
{
    Value value = value_null();
    error_drop(temporal_parse(arena, kind, str_from(text), &value));
    return value;
}

static int shows(Error *error, Value value, const char *text)
{
    Buffer out = {0};
    if (error == NULL) temporal_print(&out, value);
    int good = error == NULL && str_equal(buffer_view(&out), str_from(text));
    if (!good) printf("# %s\n", error == NULL ? out.data : error_message(error));
    error_drop(error);
    buffer_free(&out);
    return good;
}

static int adds(ValueKind kind, const char *a, const char *duration, const char *sum)
{
    Value out = value_null();
    Error *error =
        temporal_add(arena, parsed(kind, a), parsed(VALUE_DURATION, duration), false, &out);
    return shows(error, out, sum);
}

static int scales(const char *duration, double by, bool divide, const char *result)
{
    Value out = value_null();
    Error *error =
        duration_scale(arena, parsed(VALUE_DURATION, duration), value_float(by), divide, &out);
    return shows(error, out, result);
}

static void sums(void)
{
    EXPECT(adds(VALUE_DATE, "2024-01-31", "P1M", "2024-02-29"));
    EXPECT(adds(VALUE_DATE, "2024-03-31", "P-1M", "2024-02-29"));
    EXPECT(adds(VALUE_DATE, "2024-01-31", "PT47H", "2024-02-01"));
    EXPECT(adds(VALUE_LOCAL_TIME, "23:00", "P5DT2H", "01:00"));
    EXPECT(adds(VALUE_TIME, "00:30+02:00", "PT-1H", "23:30+02:00"));
    /* A day is a day by the clock, 24 hours are 24 hours, on the day summer time begins. */
    EXPECT(adds(VALUE_DATETIME, "2024-03-30T12:00[Europe/Paris]", "P1D",
                "2024-03-31T12:00+02:00[Europe/Paris]"));
    EXPECT(adds(VALUE_DATETIME, "2024-03-30T12:00[Europe/Paris]", "PT24H",
                "2024-03-31T13:00+02:00[Europe/Paris]"));
    EXPECT(scales("P1M", 0.5, false, "P15DT5H14M33S"));
    EXPECT(scales("PT0.3S", 3, true, "PT0.1S"));
    EXPECT(scales("PT1S", 0.1, false, "PT0.1S"));
    EXPECT(scales("P3D", 7, true, "PT10H17M8.571428571S"));
    EXPECT(scales("P-3D", 7, true, "PT-10H-17M-8.571428571S"));
}

/* Values at and beyond the limits: an error, never undefined. */
static void limits(void)
{
    static const int64_t amounts[] = {INT64_MIN, INT64_MIN + 1, -1, 0, 1, INT64_MAX};
    static const double factors[] = {0.0, 1e-18, 0.1, 1.0, -1.0, 3.7, 1e17, 9e18, 1e300, -1e300};
    Value ends[] = {parsed(VALUE_DATE, "-999999999-01-01"),
                    parsed(VALUE_DATE, "+999999999-12-31"),
                    parsed(VALUE_LOCAL_DATETIME, "+999999999-12-31T23:59:59.999999999"),
                    parsed(VALUE_DATETIME, "-999999999-01-01T00:00+18:00"),
                    parsed(VALUE_DATETIME, "+999999999-12-31T23:59-18:00"),
                    parsed(VALUE_DATETIME, "+999999999-12-31T23:59[America/New_York]"),
                    parsed(VALUE_LOCAL_TIME, "23:59:59.999999999")};
    int errors = 0, values = 0;
    for (int m = 0; m < 6; m++)
        for (int d = 0; d < 6; d++)
            for (int s = 0; s < 6; s++) {
                Duration duration = {amounts[m], amounts[d], amounts[s], 999999999};
                Value by = {.kind = VALUE_DURATION, .as.duration = &duration}, out;
                for (int sign = 0; sign < 2; sign++) {
                    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
                        Error *error = temporal_add(arena, ends[i], by, sign == 1, &out);
                        values += error == NULL, errors += error != NULL;
                        error_drop(error);
                    }
                    error_drop(temporal_add(arena, by, by, sign == 1, &out));
                    for (size_t i = 0; i < sizeof factors / sizeof *factors; i++)
                        error_drop(
                            duration_scale(arena, by, value_float(factors[i]), sign == 1, &out));
                    for (int i = 0; i < 6; i++)
                        error_drop(
                            duration_scale(arena, by, value_integer(amounts[i]), sign == 1, &out));
                }
                Buffer text = {0};
                temporal_print(&text, by);
                buffer_free(&text);
            }
    EXPECT(errors > 0 && values > 0);
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        for (size_t j = 0; j < sizeof ends / sizeof *ends; j++)
            for (DurationUnit unit = DURATION_BETWEEN; unit <= DURATION_IN_SECONDS; unit++) {
                Value out;
                Error *error = duration_between(arena, unit, ends[i], ends[j], &out);
                errors += error != NULL;
                error_drop(error);
            }
    EXPECT(ends[6].kind == VALUE_LOCAL_TIME);
}

/* Numbers of any size as fields and as epochs. */
static void extremes(void)
{
    static const int64_t numbers[] = {INT64_MIN, INT64_MIN + 1, -999999999, -1, 0,
                                      1,         1999,          INT64_MAX};
    static const char *const names[] = {"year",        "month",      "day",          "week",
                                        "dayOfWeek",   "quarter",    "dayOfQuarter", "ordinalDay",
                                        "hour",        "minute",     "second",       "millisecond",
                                        "microsecond", "nanosecond", "epochSeconds", "epochMillis",
                                        "years",       "months",     "days",         "seconds"};
    int values = 0, errors = 0;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        for (size_t n = 0; n < sizeof numbers / sizeof *numbers; n++)
            for (ValueKind kind = VALUE_DATE; kind <= VALUE_DURATION; kind++) {
                ValueEntry entries[] = {{str_from(names[i]), value_integer(numbers[n])},
                                        {STR("date"), parsed(VALUE_DATE, "2024-02-29")}};
                Value out;
                Error *error =
                    temporal_from_map(arena, kind, value_map(entries, 1 + i % 2), 0, &out);
                values += error == NULL, errors += error != NULL;
                error_drop(error);
                error_drop(temporal_from_epoch(arena, numbers[n], numbers[i % 8], &out));
            }
    EXPECT(values > 0 && errors > 0);
    Value moment = value_null();
    Error *error = temporal_from_epoch(arena, -1, -1, &moment);
    EXPECT(shows(error, moment, "1969-12-31T23:59:58.999999999Z"));
}

/* The difference of two, added to the first, gives the second. */
static void differences(void)
{
    int good = 1;
    for (int i = 0; i < 20000; i++) {
        ValueKind kind = between(0, 1) ? VALUE_LOCAL_DATETIME : VALUE_DATE;
        Value a = any_value(kind), b = any_value(kind), d, sum;
        Error *error = duration_between(arena, DURATION_BETWEEN, a, b, &d);
        if (error == NULL) error = temporal_add(arena, a, d, false, &sum);
        good = good && error == NULL && value_equivalent(sum, b);
        error_drop(error);
        if (i % 256 == 0) arena_reset(arena);
    }
    EXPECT(good);
}

int main(void)
{
    arena = arena_create();
    calendar_days_count();
    zones();
    damaged_zones();
    for (ValueKind kind = VALUE_DATE; kind <= VALUE_DURATION; kind++)
        round_trips(kind);
    damaged_values();
    bad_texts();
    sums();
    limits();
    extremes();
    differences();
    arena_destroy(arena);
    return DONE();
}
