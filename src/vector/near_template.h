/*
 * near_template.h - the loops of searching and of choosing links, compiled once by each level of SIMD
 * (codes_template.h), so that nothing is called for a distance.
 */
enum {
    LINES_OF_LINKS = NEAR_LINKS * 4 / QUANTIZE_LINE_BYTES,
    WORDS_OF_LINE = QUANTIZE_LINE_BYTES / 4
};

/* Into the pool, behind what is as near. Gives where, or ef: it is farther than all of a full one. */
static inline uint32_t LEVEL(pool_insert)(NearWalk *walk, int32_t distance, uint32_t place)
{
    NearPlace *pool = walk->pool;
    uint32_t count = walk->pool_count, low = 0, high = count;
    if (count == walk->ef && distance >= pool[count - 1].distance) return walk->ef;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (pool[middle].distance <= distance)
            low = middle + 1;
        else
            high = middle;
    }
    if (count == walk->ef) count--;
    memmove(pool + low + 1, pool + low, (count - low) * sizeof *pool);
    pool[low] = (NearPlace){distance, place};
    walk->pool_count = count + 1;
    return low;
}

/* The nearest of the rows to begin from; and row 0, from which all can be reached: where one part of
 * the rows has no links to another, a search comes by it all the same. */
CODES static inline void LEVEL(walk_begin)(NearWalk *walk, bool with_constants)
{
    NearPlace best, zero = {LEVEL(one)(walk->codes, walk->query, walk->stride), 0};
    const uint8_t *codes = walk->entry_codes;
    int32_t dots[FOUR];
    zero.distance = with_constants ? walk->constants[0] - 2 * zero.distance : -zero.distance;
    best = zero;
    for (uint32_t i = 0; i < walk->entry_count; i += FOUR, codes += FOUR * walk->stride) {
        LEVEL(four)
        (codes, codes + walk->stride, codes + 2 * walk->stride, codes + 3 * walk->stride,
         walk->query, walk->stride, dots);
        for (uint32_t j = 0; j < FOUR; j++) {
            uint32_t place = walk->entries[i + j];
            int32_t distance = with_constants ? walk->constants[place] - 2 * dots[j] : -dots[j];
            if (distance < best.distance) best = (NearPlace){distance, place};
        }
    }
    walk->pool[0] = best;
    walk->pool[1] = zero;
    walk->pool_count = best.place == 0 || walk->ef == 1 ? 1 : 2;
    walk->touched[0] = best.place;
    walk->touched[1] = 0;
    walk->touched_count = best.place == 0 ? 1 : 2;
    for (size_t i = 0; i < walk->touched_count; i++)
        walk->seen[walk->touched[i] / 64] |= UINT64_C(1) << walk->touched[i] % 64;
    walk->looks = 0;
}

/* The linked rows not seen yet, asked for on the way; what a damaged file links to nowhere is left
 * out. */
CODES static inline uint32_t LEVEL(unseen)(NearWalk *walk, uint32_t place, uint32_t *out)
{
    const uint32_t *links = walk->links + (size_t)place * NEAR_LINKS;
    uint32_t count = 0;
    for (uint32_t i = 0; i < NEAR_LINKS; i++) {
        uint32_t next = links[i];
        if (next >= walk->count) break;
        uint64_t bit = UINT64_C(1) << next % 64, *word = &walk->seen[next / 64];
        if (*word & bit) continue;
        *word |= bit;
        walk->touched[walk->touched_count++] = next;
        LEVEL(fetch)(walk->codes + (size_t)next * walk->stride, walk->stride);
        out[count++] = next;
    }
    return count;
}

CODES static inline void LEVEL(walk)(NearWalk *walk, bool with_constants)
{
    uint32_t at = 0, found[NEAR_LINKS];
    size_t stride = walk->stride;
    LEVEL(walk_begin)(walk, with_constants);
    while (at < walk->pool_count) {
        uint32_t place = walk->pool[at].place, best = at + 1;
        if (place & NEAR_DONE) {
            at++;
            continue;
        }
        walk->pool[at].place |= NEAR_DONE;
        uint32_t count = LEVEL(unseen)(walk, place, found);
        walk->looks += count;
        for (uint32_t i = 0; i < count; i += FOUR) {
            int32_t dots[FOUR];
            uint32_t last = count - 1;
            const uint8_t *rows[FOUR];
            for (uint32_t j = 0; j < FOUR; j++)
                rows[j] = walk->codes + (size_t)found[i + j < count ? i + j : last] * stride;
            LEVEL(four)(rows[0], rows[1], rows[2], rows[3], walk->query, stride, dots);
            for (uint32_t j = 0; j < FOUR && i + j < count; j++) {
                uint32_t next = found[i + j];
                int32_t distance = with_constants ? walk->constants[next] - 2 * dots[j] : -dots[j];
                uint32_t where = LEVEL(pool_insert)(walk, distance, next);
                if (where == walk->ef) continue;
                for (uint32_t line = 0; line < LINES_OF_LINKS; line++)
                    __builtin_prefetch(walk->links + (size_t)next * NEAR_LINKS +
                                       line * WORDS_OF_LINE);
                if (where < best) best = where;
            }
        }
        at = best <= at ? best : at + 1;
    }
    for (size_t i = 0; i < walk->touched_count; i++)
        walk->seen[walk->touched[i] / 64] = 0;
    for (uint32_t i = 0; i < walk->pool_count; i++)
        walk->pool[i].place &= ~NEAR_DONE;
}

CODES static void LEVEL(near_walk)(NearWalk *walk)
{
    if (walk->constants != NULL)
        LEVEL(walk)(walk, true);
    else
        LEVEL(walk)(walk, false);
}

/* Is the candidate, as `query`, nearer to one of the kept rows than to the row in the middle? */
CODES static inline bool LEVEL(is_covered)(const NearPrune *prune, NearPlace candidate,
                                           const int8_t *query, const uint32_t *kept,
                                           uint32_t kept_count)
{
    int32_t dots[FOUR], square = prune->squares[candidate.place];
    for (uint32_t i = 0; i < kept_count; i += FOUR) {
        const uint8_t *rows[FOUR];
        uint32_t last = kept_count - 1;
        for (uint32_t j = 0; j < FOUR; j++)
            rows[j] =
                prune->codes + (size_t)kept[i + j < kept_count ? i + j : last] * prune->stride;
        LEVEL(four)(rows[0], rows[1], rows[2], rows[3], query, prune->stride, dots);
        for (uint32_t j = 0; j < FOUR && i + j < kept_count; j++)
            if (prune->constants[kept[i + j]] - 2 * dots[j] + square < candidate.distance)
                return true;
    }
    return false;
}

CODES static uint32_t LEVEL(near_prune)(const NearPrune *prune)
{
    uint32_t kept = 0;
    for (size_t i = 0; i < prune->count && kept < NEAR_LINKS; i++) {
        NearPlace candidate = prune->candidates[i];
        bool known = candidate.place == prune->self;
        for (uint32_t j = 0; j < kept; j++)
            known = known || prune->out[j] == candidate.place;
        if (known) continue;
        quantize_as_query(prune->codes + (size_t)candidate.place * prune->stride, prune->stride,
                          prune->scratch);
        if (!LEVEL(is_covered)(prune, candidate, prune->scratch, prune->out, kept))
            prune->out[kept++] = candidate.place;
    }
    return kept;
}
