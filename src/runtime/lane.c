/* lane.c - a ring between two threads (lane.h says how). Places count up for ever; only the mask wraps. */
#include "config.h"

#include "runtime/lane.h"
#include <assert.h>

Lane *lane_create(size_t capacity)
{
    size_t room = 1;
    assert(capacity > 0 && capacity <= SIZE_MAX / 4);
    while (room < capacity)
        room *= 2;
    Lane *lane = mem_alloc_aligned(sizeof *lane, LANE_LINE_BYTES);
    *lane = (Lane){.messages = mem_alloc(room * sizeof *lane->messages), .mask = room - 1};
    return lane;
}

void lane_destroy(Lane *lane)
{
    if (lane == NULL) return;
    mem_free(lane->messages);
    mem_free(lane);
}

size_t lane_push_n(Lane *lane, const uint64_t *messages, size_t count)
{
    size_t at = atomic_load_explicit(&lane->pushed, memory_order_relaxed), room = lane->mask + 1;
    if (room - (at - lane->popped_seen) < count)
        lane->popped_seen = atomic_load_explicit(&lane->popped, memory_order_acquire);
    size_t free = room - (at - lane->popped_seen);
    if (count > free) count = free;
    for (size_t i = 0; i < count; i++)
        lane->messages[(at + i) & lane->mask] = messages[i];
    atomic_store_explicit(&lane->pushed, at + count, memory_order_release);
    return count;
}

size_t lane_pop_n(Lane *lane, uint64_t *messages, size_t max)
{
    size_t at = atomic_load_explicit(&lane->popped, memory_order_relaxed);
    if (lane->pushed_seen - at < max)
        lane->pushed_seen = atomic_load_explicit(&lane->pushed, memory_order_acquire);
    size_t count = lane->pushed_seen - at;
    if (count > max) count = max;
    for (size_t i = 0; i < count; i++)
        messages[i] = lane->messages[(at + i) & lane->mask];
    atomic_store_explicit(&lane->popped, at + count, memory_order_release);
    return count;
}
