/*
 * lane.h - a lane: what one thread tells another, in order, without a lock.
 *
 * A ring of 64-bit messages with exactly one thread that pushes and one that pops. The batch calls are
 * the main way: they move as many as fit and touch the other side's line once. Each side keeps what it
 * last saw of the other's place, so that it looks there only when that no longer suffices; the two
 * sides lie on lines of their own (Lamport's ring; the cached places are from Giacomoni's FastForward
 * and Lee's B-Queue).
 *
 * Neither side ever waits: who finds a lane full or empty decides what to do.
 */
#ifndef RUNTIME_LANE_H
#define RUNTIME_LANE_H
#include "base/memory.h"
#include <stdatomic.h>

enum { LANE_LINE_BYTES = 128 }; /* two lines: processors fetch them in pairs */

typedef struct Lane {
    uint64_t *messages; /* capacity of them, a power of two */
    size_t mask;
    _Alignas(LANE_LINE_BYTES) atomic_size_t pushed; /* by the one who pushes: */
    size_t popped_seen;
    _Alignas(LANE_LINE_BYTES) atomic_size_t popped; /* by the one who pops: */
    size_t pushed_seen;
} Lane;

/* At least `capacity` messages fit, which is above 0. Made and destroyed while nobody uses it. */
Lane *lane_create(size_t capacity);
void lane_destroy(Lane *lane); /* NULL is welcome */
/* How many of the messages went in, the first ones; 0: the lane is full. What the thread wrote before
 * is seen by who pops them. */
size_t lane_push_n(Lane *lane, const uint64_t *messages, size_t count);
/* At most `max` of them; 0: the lane is empty. */
size_t lane_pop_n(Lane *lane, uint64_t *messages, size_t max);
#endif
