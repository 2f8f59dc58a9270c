/*
 * zone.h - time zones of tzdata: what a clock on the wall showed, shows and will show.
 *
 * A zone is read once a process from its TZif file (RFC 8536, versions 2 to 4) under the directory
 * that TZDIR in the environment names, else ZONE_DIRECTORY, and kept for ever: pointers to it and
 * its name stay good. Safe from any thread. Behind the last transition of the file the rule of its
 * footer (a POSIX TZ text) goes on. Files that count leap seconds ("right/...") are refused.
 */
#ifndef VALUE_ZONE_H
#define VALUE_ZONE_H
#include "base/error.h"
#include "base/str.h"

#define ZONE_DIRECTORY "/usr/share/zoneinfo"
enum {
    ZONE_NAME_BYTES_MAX = 64,        /* the longest in tzdata has 38 */
    ZONE_FILE_BYTES_MAX = 256 << 10, /* the largest in tzdata has 4 KiB */
    ZONE_OFFSET_SECONDS_MAX = 18 * 3600
};

typedef struct Zone Zone;

/* ERROR_ARGUMENT_VALUE: not a name of tzdata (case counts), or a file that is no zone. */
Error *zone_find(Str name, const Zone **out) MUST_CHECK;
/* A zone from the bytes of a TZif file, not kept by anybody: zone_free ends it. ERROR_CORRUPT where
 * they are none. */
Error *zone_decode(Str name, const void *file, size_t bytes, Zone **out) MUST_CHECK;
void zone_free(Zone *zone); /* NULL is welcome */
Str zone_name(const Zone *zone);
/* Seconds east of UTC at `utc`, seconds since 1970-01-01 UTC, within the calendar's years. */
int32_t zone_offset(const Zone *zone, int64_t utc);
/* The instant at which the zone's clock showed `local` (seconds since 1970-01-01T00:00 by that
 * clock). A time that was shown twice is the one with `preferred` as its offset if that fits, else
 * the earlier; a time that was skipped is moved on by as much as was skipped. */
int64_t zone_instant(const Zone *zone, int64_t local, int32_t preferred);
#endif
