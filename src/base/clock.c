/* clock.c - the system's clocks, and one that stands still. */
#include "config.h"

#include "base/clock.h"
#include <stddef.h>
#include <time.h>

static int64_t now(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int64_t system_wall(void *state)
{
    (void)state;
    return now(CLOCK_REALTIME);
}

static int64_t system_monotonic(void *state)
{
    (void)state;
    return now(CLOCK_MONOTONIC);
}

const Clock *clock_system(void)
{
    static const Clock clock = {system_wall, system_monotonic, NULL};
    return &clock;
}

static int64_t frozen(void *state)
{
    return *(const int64_t *)state;
}

void clock_frozen(Clock *out, int64_t *wall_ns)
{
    *out = (Clock){frozen, frozen, wall_ns};
}
