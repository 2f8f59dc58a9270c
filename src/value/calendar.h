/*
 * calendar.h - days, months, weeks and quarters of the proleptic Gregorian calendar and of ISO
 * 8601's weeks.
 *
 * A day is its number since 1970-01-01. Every function is exact and without overflow for days and
 * years between the two limits and for a year or so beyond; callers check the limits.
 */
#ifndef VALUE_CALENDAR_H
#define VALUE_CALENDAR_H
#include <stdbool.h>
#include <stdint.h>

#define CALENDAR_YEAR_MAX 999999999
#define CALENDAR_DAYS_MIN INT64_C(-365243219162) /* -999999999-01-01 */
#define CALENDAR_DAYS_MAX INT64_C(365241780471)  /* 999999999-12-31 */

enum { SECONDS_A_DAY = 86400, NS_A_SECOND = 1000000000 };
#define NS_A_DAY (INT64_C(86400) * NS_A_SECOND)
/* The mean Gregorian month: 146,097 days in 4,800 months, 30.436875 days. */
enum { SECONDS_A_MONTH = 2629746 };

typedef struct CivilDay {
    int64_t year;
    int month, day; /* from 1 */
} CivilDay;

typedef struct WeekDay { /* ISO 8601 */
    int64_t year;        /* may differ from the calendar's at the year's ends */
    int week, day;       /* from 1; 1 is Monday */
} WeekDay;

static inline int64_t floor_divide(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

bool calendar_leap(int64_t year);
int calendar_month_days(int64_t year, int month);
int64_t calendar_days(int64_t year, int month, int day); /* the day's number */
CivilDay calendar_civil(int64_t days);
int calendar_ordinal(int64_t days);    /* day of its year, from 1 */
int calendar_year_weeks(int64_t year); /* 52 or 53 */
WeekDay calendar_week(int64_t days);
int64_t calendar_week_days(WeekDay week); /* the day's number */
int calendar_quarter_days(int64_t year, int quarter);
int calendar_quarter_day(CivilDay day); /* day of its quarter, from 1 */
#endif
