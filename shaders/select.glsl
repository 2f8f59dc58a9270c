/* select.glsl - the best k of the keys that a workgroup's invocations push, in shared memory.
 *
 * best[0 .. CAPACITY) is the list, descending; best[CAPACITY .. 2 CAPACITY) a queue of arrivals. A
 * key enters the queue only above the k-th of the list; when the queue could overflow it is sorted
 * and merged. Atomics decide only which slot of the queue a key takes, never which key wins, so the
 * result does not depend on timing. */
layout(constant_id = 1) const uint CAPACITY = 256u; /* a power of two, at least k and the workgroup */
shared uint64_t best[2u * CAPACITY];
shared uint64_t threshold;
shared uint queued;

void select_init()
{
    for (uint i = invocation(); i < 2u * CAPACITY; i += gl_WorkGroupSize.x)
        best[i] = 0ul;
    if (invocation() == 0u) {
        queued = 0u;
        threshold = 0ul;
    }
    barrier();
}

void select_push(uint64_t key)
{
    if (key > threshold) best[CAPACITY + atomicAdd(queued, 1u)] = key;
}

/* The two partners of comparison `t` at distance `j`, a power of two: t with a zero put in. */
uvec2 partners(uint t, uint j)
{
    uint a = 2u * t - (t & (j - 1u));
    return uvec2(a, a + j);
}

/* Sorts the queue ascending, so that list and queue together are bitonic, and merges: the first k are
 * the best so far, the queue is empty. Every invocation calls it. */
void select_flush(uint k)
{
    barrier();
    uint live = queued;
    for (uint i = live + invocation(); i < CAPACITY; i += gl_WorkGroupSize.x)
        best[CAPACITY + i] = 0ul;
    barrier();
    for (uint run = 2u; run <= CAPACITY; run <<= 1)
        for (uint j = run >> 1; j > 0u; j >>= 1) {
            for (uint t = invocation(); t < CAPACITY / 2u; t += gl_WorkGroupSize.x) {
                uvec2 p = partners(t, j);
                bool ascending = (p.x & run) == 0u || run == CAPACITY;
                uint64_t x = best[CAPACITY + p.x], y = best[CAPACITY + p.y];
                if ((x > y) == ascending) {
                    best[CAPACITY + p.x] = y;
                    best[CAPACITY + p.y] = x;
                }
            }
            barrier();
        }
    for (uint j = CAPACITY; j > 0u; j >>= 1) {
        for (uint t = invocation(); t < CAPACITY; t += gl_WorkGroupSize.x) {
            uvec2 p = partners(t, j);
            uint64_t x = best[p.x], y = best[p.y];
            if (x < y) {
                best[p.x] = y;
                best[p.y] = x;
            }
        }
        barrier();
    }
    if (invocation() == 0u) {
        queued = 0u;
        threshold = best[k - 1u];
    }
    barrier();
}

/* After each round in which every one of `arrivals` invocations may have pushed once. */
void select_settle(uint arrivals, uint k)
{
    barrier();
    uint count = queued;
    barrier();
    if (count + arrivals > CAPACITY) select_flush(k);
}
