/* clock.h - what time it is, as a plug: tests own it. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H
#include <stdint.h>

typedef struct Clock {
    int64_t (*wall_ns)(void *state);      /* nanoseconds since 1970-01-01 UTC */
    int64_t (*monotonic_ns)(void *state); /* for durations only */
    void *state;
} Clock;
const Clock *clock_system(void);
/* A clock that stands at `wall_ns`; `out` is filled in by the caller's storage. */
void clock_frozen(Clock *out, int64_t *wall_ns);
#endif
