/*
 * calendar.c - the arithmetic of calendar.h.
 *
 * The conversion between days and civil days is Howard Hinnant's ("chrono-compatible low-level date
 * algorithms", days_from_civil and back): years begin in March, so that the leap day is the last of
 * its year, and 400 years are one era of 146,097 days.
 */
#include "config.h"

#include "value/calendar.h"

enum { ERA_DAYS = 146097, ERA_YEARS = 400, ERA_OF_1970 = 719468 /* days from 0000-03-01 */ };

bool calendar_leap(int64_t year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

int calendar_month_days(int64_t year, int month)
{
    static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return days[month - 1] + (month == 2 && calendar_leap(year));
}

int64_t calendar_days(int64_t year, int month, int day)
{
    year -= month <= 2;
    int64_t era = floor_divide(year, ERA_YEARS);
    int64_t of_era = year - era * ERA_YEARS;
    int from_march = month > 2 ? month - 3 : month + 9;
    int64_t of_year = (153 * from_march + 2) / 5 + day - 1;
    int64_t day_of_era = of_era * 365 + of_era / 4 - of_era / 100 + of_year;
    return era * ERA_DAYS + day_of_era - ERA_OF_1970;
}

CivilDay calendar_civil(int64_t days)
{
    days += ERA_OF_1970;
    int64_t era = floor_divide(days, ERA_DAYS);
    int64_t of_era = days - era * ERA_DAYS;
    int64_t year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int from_march = (int)((5 * of_year + 2) / 153);
    CivilDay civil;
    civil.day = (int)of_year - (153 * from_march + 2) / 5 + 1;
    civil.month = from_march < 10 ? from_march + 3 : from_march - 9;
    civil.year = year_of_era + era * ERA_YEARS + (civil.month <= 2);
    return civil;
}

int calendar_ordinal(int64_t days)
{
    return (int)(days - calendar_days(calendar_civil(days).year, 1, 1)) + 1;
}

/* Monday is 1; 1970-01-01 was a Thursday. */
static int day_of_week(int64_t days)
{
    int64_t from_monday = (days + 3) % 7;
    return (int)(from_monday < 0 ? from_monday + 7 : from_monday) + 1;
}

/* The Monday of week 1, which is the week with 4 January in it. */
static int64_t first_monday(int64_t year)
{
    int64_t fourth = calendar_days(year, 1, 4);
    return fourth - (day_of_week(fourth) - 1);
}

int calendar_year_weeks(int64_t year)
{
    return (int)((first_monday(year + 1) - first_monday(year)) / 7);
}

WeekDay calendar_week(int64_t days)
{
    int64_t year = calendar_civil(days).year;
    if (days >= first_monday(year + 1))
        year++;
    else if (days < first_monday(year))
        year--;
    return (WeekDay){year, (int)((days - first_monday(year)) / 7) + 1, day_of_week(days)};
}

int64_t calendar_week_days(WeekDay week)
{
    return first_monday(week.year) + (week.week - 1) * 7 + week.day - 1;
}

int calendar_quarter_days(int64_t year, int quarter)
{
    static const uint8_t days[] = {90, 91, 92, 92};
    return days[quarter - 1] + (quarter == 1 && calendar_leap(year));
}

int calendar_quarter_day(CivilDay day)
{
    int first = (day.month - 1) / 3 * 3 + 1;
    return (int)(calendar_days(day.year, day.month, day.day) - calendar_days(day.year, first, 1)) +
           1;
}
