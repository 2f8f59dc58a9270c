/* temporal_internal.h - what the files of temporal values share: values taken apart and put
 * together. */
#ifndef VALUE_TEMPORAL_INTERNAL_H
#define VALUE_TEMPORAL_INTERNAL_H
#include "value/calendar.h"
#include "value/temporal.h"
#include "value/zone.h"

/* What a wall clock needs to know of its place. */
typedef struct ZoneRef {
    Str name;       /* of tzdata, living for ever; empty: only the offset is known */
    int32_t offset; /* seconds east; with a name: the one wanted where a time was shown twice */
} ZoneRef;

/* A temporal value (not a duration) taken apart: what its clock shows. */
typedef struct Parts {
    bool has_date, has_time, has_zone;
    int64_t days, ns; /* since 1970-01-01; since midnight. 0 where there is none */
    ZoneRef zone;
} Parts;

/* `value` is temporal and no duration. */
Parts parts_of(Value value);
/* A value of `kind` (no duration) of what its clock shows; what the kind has and `parts` lack is
 * midnight, or UTC. ERROR_ARITHMETIC_OVERFLOW outside the years. */
Error *parts_join(Arena *arena, ValueKind kind, const Parts *parts, Value *out) MUST_CHECK;
/* Seconds since 1970-01-01 UTC; `parts` have a zone. */
Error *parts_instant(const Parts *parts, int64_t *out) MUST_CHECK;
/* The same instant by the clock of another zone. */
Error *parts_move(Parts *parts, ZoneRef to) MUST_CHECK;
/* What `zone`'s clock shows at `utc` seconds and `ns` nanoseconds. */
Error *parts_at(ZoneRef zone, int64_t utc, int64_t ns, Parts *out) MUST_CHECK;

/* "Z", "+01:00", or a name of tzdata. */
Error *zone_ref_parse(Str text, ZoneRef *out) MUST_CHECK;
Error *zone_ref_offset(ZoneRef zone, int64_t utc, int32_t *out) MUST_CHECK;

void offset_print(Buffer *out, int32_t offset); /* "Z", "+01:00", "+01:12:12" */

/* ERROR_ARGUMENT_VALUE unless low <= value <= high: "month is 1 to 12, not 13". */
Error *temporal_in_range(const char *what, int64_t value, int64_t low, int64_t high) MUST_CHECK;
/* Days of what must be looked at: every part checked. */
Error *days_of_calendar(int64_t year, int64_t month, int64_t day, int64_t *out) MUST_CHECK;
Error *days_of_week(int64_t year, int64_t week, int64_t day, int64_t *out) MUST_CHECK;
Error *days_of_quarter(int64_t year, int64_t quarter, int64_t day, int64_t *out) MUST_CHECK;
Error *days_of_ordinal(int64_t year, int64_t day, int64_t *out) MUST_CHECK;
Error *temporal_out_of_years(void) MUST_CHECK;

/* A decimal number as written: whole part and fraction in units of 10^-18, both of one sign. */
typedef struct Decimal {
    int64_t whole, fraction;
} Decimal;
#define DECIMAL_ONE INT64_C(1000000000000000000)
/* The shortest decimal that reads back as `number`, further digits cut; false: not finite, or
 * beyond 64 bits. */
bool decimal_of(double number, Decimal *out);

typedef enum DurationPart {
    PART_YEARS,
    PART_QUARTERS,
    PART_MONTHS,
    PART_WEEKS,
    PART_DAYS,
    PART_HOURS,
    PART_MINUTES,
    PART_SECONDS,
    PART_MILLISECONDS,
    PART_MICROSECONDS,
    PART_NANOSECONDS,
    PART_COUNT
} DurationPart;

/* Parts of a duration as they are added up: fractions flow down when all is there. */
typedef struct DurationSum {
    __int128 months;  /* in 10^-18 */
    __int128 day_ns;  /* whole and broken days */
    __int128 time_ns; /* hours and less */
} DurationSum;
Error *duration_sum_add(DurationSum *sum, DurationPart part, Decimal amount) MUST_CHECK;
Error *duration_sum_end(Arena *arena, const DurationSum *sum, Value *out) MUST_CHECK;
#endif
