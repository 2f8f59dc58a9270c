/* clock.c - the system's clocks, and one that tests set. */
#include "config.h"

#include "base/clock.h"
#include "base/str.h"
#include <stdlib.h>
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

static int64_t frozen_wall(void *state)
{
    const FrozenClock *frozen = state;
    return frozen->wall_ns;
}

static int64_t frozen_monotonic(void *state)
{
    FrozenClock *frozen = state;
    return frozen->monotonic_ns += frozen->step_ns;
}

FrozenClock clock_parse(const char *text)
{
    char *rest;
    int64_t ns = strtoll(text, &rest, 10) * INT64_C(1000000000);
    double step = 0;
    if (*rest == '+') float_parse(str_from(rest + 1), &step);
    return (FrozenClock){ns, ns, (int64_t)(step * 1e9)};
}

void clock_frozen(Clock *out, FrozenClock *frozen)
{
    *out = (Clock){frozen_wall, frozen_monotonic, frozen};
}
