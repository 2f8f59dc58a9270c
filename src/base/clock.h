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
/* A clock of tests: it stands, but that each question for a duration takes `step_ns`. */
typedef struct FrozenClock {
    int64_t wall_ns, monotonic_ns, step_ns;
} FrozenClock;
/* "SECONDS" since 1970, or "SECONDS+STEP", the step in seconds. */
FrozenClock clock_parse(const char *text);
void clock_frozen(Clock *out, FrozenClock *frozen); /* both are the caller's */
#endif
