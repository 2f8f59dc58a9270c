/*
 * zone.c - TZif files, the rules in their footers, and the zones read so far.
 *
 * A TZif file (RFC 8536) says everything twice: first with times of 32 bits, for readers older than
 * its version 2, then with 64. We skip the first part and read the second:
 *
 *   44 bytes of header   "TZif", version, 15 unused, six counts of four bytes, big endian:
 *                        isutc, isstd, leap, time, type, char
 *   time  * 8            instants of the transitions, ascending
 *   time  * 1            which type holds from there on
 *   type  * 6            seconds east of UTC (4), is summer time (1), index of an abbreviation (1)
 *   char                 the abbreviations
 *   leap * 12, isstd, isutc
 *   "\n" TZ "\n"         the rule that goes on behind the last transition; may be empty
 *
 * A rule is POSIX's: "CET-1CEST,M3.5.0,M10.5.0/3". Its signs are the other way round: west is
 * positive. The bytes are foreign: each one is checked before a zone comes of them.
 */
#include "config.h"

#include "base/bytes.h"
#include "value/calendar.h"
#include "value/zone.h"
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    ZONE_TYPES_MAX = 256, /* a type's index has one byte */
    RULE_HOURS_MAX = 167  /* RFC 8536, 3.3.1 */
};

typedef struct RuleDay {
    char
        form; /* 'J': day 1 to 365, 29 February never counted; 'N': 0 to 365; 'M': month, week, day */
    int month, week, day;
    int32_t time; /* seconds after midnight, may be negative or beyond a day */
} RuleDay;

typedef struct Rule {
    int32_t standard, summer; /* seconds east of UTC */
    bool has_summer;
    RuleDay begin, end; /* of summer time */
} Rule;

struct Zone {
    Str name;
    uint32_t transition_count;
    int64_t *times; /* ascending */
    uint8_t *types; /* below type_count */
    uint32_t type_count;
    int32_t offsets[ZONE_TYPES_MAX];
    bool has_rule;
    Rule rule;
    const Zone *next; /* in the list of those kept */
};

/* ---- the rule of the footer ---- */

typedef struct Cursor {
    const char *at, *end;
} Cursor;

static bool next_is(Cursor *cursor, char c)
{
    if (cursor->at == cursor->end || *cursor->at != c) return false;
    cursor->at++;
    return true;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* A number of at most three digits, not above `max`. */
static bool read_number(Cursor *cursor, int max, int *out)
{
    int digits = 0, number = 0;
    for (; cursor->at < cursor->end && is_digit(*cursor->at) && digits < 4; digits++)
        number = number * 10 + (*cursor->at++ - '0');
    *out = number;
    return digits > 0 && digits < 4 && number <= max;
}

/* "CET" or "<+0330>". */
static bool skip_name(Cursor *cursor)
{
    const char *from = cursor->at;
    if (next_is(cursor, '<')) {
        while (cursor->at < cursor->end && *cursor->at != '>')
            cursor->at++;
        return next_is(cursor, '>');
    }
    while (cursor->at < cursor->end && is_letter(*cursor->at))
        cursor->at++;
    return cursor->at - from >= 3;
}

/* [+-]hh[:mm[:ss]] in seconds, as written. */
static bool read_time(Cursor *cursor, int hours_max, int32_t *out)
{
    int hours, minutes = 0, seconds = 0;
    bool negative = next_is(cursor, '-');
    if (!negative) next_is(cursor, '+');
    if (!read_number(cursor, hours_max, &hours)) return false;
    if (next_is(cursor, ':')) {
        if (!read_number(cursor, 59, &minutes)) return false;
        if (next_is(cursor, ':') && !read_number(cursor, 59, &seconds)) return false;
    }
    int32_t size = hours * 3600 + minutes * 60 + seconds;
    *out = negative ? -size : size;
    return true;
}

static bool read_offset(Cursor *cursor, int32_t *out)
{
    int32_t west;
    if (!read_time(cursor, ZONE_OFFSET_SECONDS_MAX / 3600, &west)) return false;
    *out = -west;
    return west >= -ZONE_OFFSET_SECONDS_MAX && west <= ZONE_OFFSET_SECONDS_MAX;
}

static bool read_rule_day(Cursor *cursor, RuleDay *out)
{
    *out = (RuleDay){.form = 'N', .time = 2 * 3600};
    if (next_is(cursor, 'M')) {
        out->form = 'M';
        if (!read_number(cursor, 12, &out->month) || out->month == 0 || !next_is(cursor, '.'))
            return false;
        if (!read_number(cursor, 5, &out->week) || out->week == 0 || !next_is(cursor, '.'))
            return false;
        if (!read_number(cursor, 6, &out->day)) return false;
    } else {
        if (next_is(cursor, 'J')) out->form = 'J';
        if (!read_number(cursor, 365, &out->day)) return false;
        if (out->form == 'J' && out->day == 0) return false;
    }
    return !next_is(cursor, '/') || read_time(cursor, RULE_HOURS_MAX, &out->time);
}

static bool read_rule(Str text, Rule *out)
{
    Cursor cursor = {text.data, text.data + text.bytes};
    *out = (Rule){.has_summer = false};
    if (!skip_name(&cursor) || !read_offset(&cursor, &out->standard)) return false;
    if (cursor.at == cursor.end) return true;
    out->has_summer = true;
    out->summer = out->standard + 3600;
    if (!skip_name(&cursor)) return false;
    if (cursor.at < cursor.end && *cursor.at != ',' && !read_offset(&cursor, &out->summer))
        return false;
    if (out->summer > ZONE_OFFSET_SECONDS_MAX) return false;
    if (!next_is(&cursor, ',') || !read_rule_day(&cursor, &out->begin)) return false;
    if (!next_is(&cursor, ',') || !read_rule_day(&cursor, &out->end)) return false;
    return cursor.at == cursor.end;
}

/* Seconds since 1970 by the clock that the rule's day is told in. */
static int64_t rule_seconds(const RuleDay *rule, int64_t year)
{
    int64_t day;
    if (rule->form == 'M') {
        day = calendar_days(year, rule->month, 1);
        int weekday = calendar_week(day).day % 7; /* Sunday is 0 */
        day += (rule->day - weekday + 7) % 7 + (rule->week - 1) * 7;
        if (calendar_civil(day).month != rule->month) day -= 7; /* week 5 is the last */
    } else {
        bool skips = rule->form == 'J' && calendar_leap(year) && rule->day >= 60;
        day = calendar_days(year, 1, 1) + rule->day - (rule->form == 'J') + skips;
    }
    return day * SECONDS_A_DAY + rule->time;
}

static int32_t rule_offset(const Rule *rule, int64_t utc)
{
    if (!rule->has_summer) return rule->standard;
    int64_t year = calendar_civil(floor_divide(utc + rule->standard, SECONDS_A_DAY)).year;
    int64_t begin = rule_seconds(&rule->begin, year) - rule->standard;
    int64_t end = rule_seconds(&rule->end, year) - rule->summer;
    bool summer = begin < end ? utc >= begin && utc < end : utc >= begin || utc < end;
    return summer ? rule->summer : rule->standard;
}

/* ---- the file ---- */

typedef struct Counts { /* in the order of the header */
    uint32_t isutc, isstd, leap, time, type, abbreviation;
} Counts;

static uint32_t get_big_u32(Reader *reader)
{
    return __builtin_bswap32(get_u32(reader));
}

static void skip(Reader *reader, uint64_t bytes)
{
    if (bytes > reader_left(reader)) {
        reader->failed = true;
        bytes = reader_left(reader);
    }
    reader->at += bytes;
}

static bool get_header(Reader *reader, Counts *out)
{
    bool magic = get_big_u32(reader) == 0x545a6966; /* TZif */
    uint8_t version = get_u8(reader);
    skip(reader, 15);
    out->isutc = get_big_u32(reader), out->isstd = get_big_u32(reader);
    out->leap = get_big_u32(reader), out->time = get_big_u32(reader);
    out->type = get_big_u32(reader), out->abbreviation = get_big_u32(reader);
    return magic && version >= '2' && version <= '4' && !reader->failed;
}

static uint64_t body_bytes(const Counts *counts, uint64_t time_bytes)
{
    return counts->time * (time_bytes + 1) + counts->type * UINT64_C(6) + counts->abbreviation +
           counts->leap * (time_bytes + 4) + counts->isstd + counts->isutc;
}

static bool get_transitions(Reader *reader, Zone *zone)
{
    for (uint32_t i = 0; i < zone->transition_count; i++) {
        zone->times[i] = (int64_t)__builtin_bswap64(get_u64(reader));
        if (i > 0 && zone->times[i] <= zone->times[i - 1]) return false;
    }
    for (uint32_t i = 0; i < zone->transition_count; i++) {
        zone->types[i] = get_u8(reader);
        if (zone->types[i] >= zone->type_count) return false;
    }
    return true;
}

static bool get_types(Reader *reader, Zone *zone)
{
    for (uint32_t i = 0; i < zone->type_count; i++) {
        int32_t offset = (int32_t)get_big_u32(reader);
        skip(reader, 2);
        if (offset < -ZONE_OFFSET_SECONDS_MAX || offset > ZONE_OFFSET_SECONDS_MAX) return false;
        zone->offsets[i] = offset;
    }
    return true;
}

static bool get_footer(Reader *reader, Zone *zone)
{
    const char *from = (const char *)reader->at;
    size_t left = reader_left(reader);
    if (left < 2 || from[0] != '\n') return false;
    const char *end = memchr(from + 1, '\n', left - 1);
    if (end == NULL) return false;
    Str text = {from + 1, (size_t)(end - from) - 1};
    zone->has_rule = text.bytes > 0;
    return !zone->has_rule || read_rule(text, &zone->rule);
}

static Zone *zone_create(Str name, const Counts *counts)
{
    Zone *zone = mem_calloc(1, sizeof *zone);
    zone->name = (Str){mem_alloc(name.bytes + 1), name.bytes};
    memcpy((char *)zone->name.data, name.data, name.bytes);
    zone->transition_count = counts->time, zone->type_count = counts->type;
    zone->times = mem_calloc(counts->time + 1, sizeof *zone->times);
    zone->types = mem_calloc(counts->time + 1, sizeof *zone->types);
    return zone;
}

void zone_free(Zone *zone)
{
    if (zone == NULL) return;
    mem_free((char *)zone->name.data);
    mem_free(zone->times);
    mem_free(zone->types);
    mem_free(zone);
}

Error *zone_decode(Str name, const void *file, size_t bytes, Zone **out)
{
    Reader reader = reader_of(file, bytes);
    Counts counts;
    if (!get_header(&reader, &counts)) return error_new(ERROR_CORRUPT, "not a TZif file");
    skip(&reader, body_bytes(&counts, 4));
    bool good = get_header(&reader, &counts) && body_bytes(&counts, 8) <= reader_left(&reader) &&
                counts.type > 0 && counts.type <= ZONE_TYPES_MAX;
    if (!good) return error_new(ERROR_CORRUPT, "the zone's file is cut short or damaged");
    if (counts.leap > 0) return error_new(ERROR_CORRUPT, "the zone's file counts leap seconds");
    Zone *zone = zone_create(name, &counts);
    good = get_transitions(&reader, zone) && get_types(&reader, zone);
    skip(&reader, (uint64_t)counts.abbreviation + counts.isstd + counts.isutc);
    if (!good || !get_footer(&reader, zone) || reader.failed) {
        zone_free(zone);
        return error_new(ERROR_CORRUPT, "the zone's file is damaged");
    }
    *out = zone;
    return NULL;
}

/* ---- asking ---- */

Str zone_name(const Zone *zone)
{
    return zone->name;
}

int32_t zone_offset(const Zone *zone, int64_t utc)
{
    uint32_t low = 0, high = zone->transition_count; /* how many transitions are not after utc */
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (zone->times[middle] <= utc)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == zone->transition_count && zone->has_rule) return rule_offset(&zone->rule, utc);
    return zone->offsets[low == 0 ? 0 : zone->types[low - 1]];
}

static bool shows(const Zone *zone, int64_t local, int32_t offset)
{
    return zone_offset(zone, local - offset) == offset;
}

/* No offset is a day long, so the offsets of a day before and a day after are those that may hold.
 */
int64_t zone_instant(const Zone *zone, int64_t local, int32_t preferred)
{
    if (shows(zone, local, preferred)) return local - preferred;
    int32_t before = zone_offset(zone, local - SECONDS_A_DAY);
    int32_t after = zone_offset(zone, local + SECONDS_A_DAY);
    bool early = shows(zone, local, before), late = shows(zone, local, after);
    if (early && late) return local - (before > after ? before : after);
    if (late) return local - after;
    return local - before; /* shown before, or skipped */
}

/* ---- the zones read so far ---- */

static pthread_mutex_t kept_lock = PTHREAD_MUTEX_INITIALIZER;
static const Zone *kept; /* a list: few are ever used, and they stay */

static const Zone *find_kept(Str name)
{
    for (const Zone *zone = kept; zone != NULL; zone = zone->next)
        if (str_equal(zone->name, name)) return zone;
    return NULL;
}

/* Letters, digits, "_", "+", "-" between slashes: no way out of the directory, no hidden file. */
static bool is_zone_name(Str name)
{
    if (name.bytes == 0 || name.bytes > ZONE_NAME_BYTES_MAX || !is_letter(name.data[0]))
        return false;
    for (size_t i = 0; i < name.bytes; i++) {
        char c = name.data[i];
        bool fits = is_letter(c) || is_digit(c) || c == '_' || c == '+' || c == '-' ||
                    (c == '/' && name.data[i - 1] != '/');
        if (!fits) return false;
    }
    return name.data[name.bytes - 1] != '/';
}

static Error *unknown(Str name)
{
    Error *error = error_new(ERROR_ARGUMENT_VALUE, "no such time zone: %.*s", STR_ARG(name));
    return error_hint(error, "write an offset like +02:00, or a name like Europe/Stockholm");
}

/* The whole of a regular file, in memory the caller frees; NULL with errno set. */
static char *read_file(const char *path, size_t *bytes)
{
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file < 0) return NULL;
    struct stat about;
    char *data = NULL;
    bool fits =
        fstat(file, &about) == 0 && S_ISREG(about.st_mode) && about.st_size <= ZONE_FILE_BYTES_MAX;
    if (fits) {
        size_t size = (size_t)about.st_size;
        data = mem_alloc(size + 1);
        for (*bytes = 0; *bytes < size;) {
            ssize_t got = read(file, data + *bytes, size - *bytes);
            if (got < 0 && errno == EINTR) continue;
            if (got <= 0) break;
            *bytes += (size_t)got;
        }
    }
    close(file);
    return data;
}

static Error *load(Str name, Zone **out)
{
    const char *directory = getenv("TZDIR");
    if (directory == NULL || directory[0] == '\0') directory = ZONE_DIRECTORY;
    Buffer path = {0};
    buffer_printf(&path, "%s/%.*s", directory, STR_ARG(name));
    size_t bytes = 0;
    char *file = read_file(path.data, &bytes);
    buffer_free(&path);
    Error *error = file == NULL ? unknown(name) : zone_decode(name, file, bytes, out);
    mem_free(file);
    if (error == NULL || error_code(error) == ERROR_ARGUMENT_VALUE) return error;
    Error *told = error_new(ERROR_ARGUMENT_VALUE, "%.*s is no time zone: %s", STR_ARG(name),
                            error_message(error));
    error_drop(error);
    return told;
}

Error *zone_find(Str name, const Zone **out)
{
    if (!is_zone_name(name)) return unknown(name);
    Error *error = NULL;
    pthread_mutex_lock(&kept_lock);
    const Zone *found = find_kept(name);
    if (found == NULL) {
        Zone *read = NULL;
        error = load(name, &read);
        if (error == NULL) read->next = kept, kept = found = read;
    }
    pthread_mutex_unlock(&kept_lock);
    if (error == NULL) *out = found;
    assert(error != NULL || found != NULL);
    return error;
}
