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

/* The nearest entries, into walk->nearest, ascending. */
CODES static inline void LEVEL(look_at_entries)(NearWalk *walk, bool with_constants)
{
    enum { LAST = NEAR_GROUPS_ASKED - 1 };
    const uint8_t *codes = walk->entry_codes;
    NearPlace *nearest = walk->nearest;
    int32_t dots[FOUR];
    for (uint32_t i = 0; i < NEAR_GROUPS_ASKED; i++)
        nearest[i] = (NearPlace){INT32_MAX, 0};
    for (uint32_t i = 0; i < walk->entry_count; i += FOUR, codes += FOUR * walk->stride) {
        LEVEL(four)
        (codes, codes + walk->stride, codes + 2 * walk->stride, codes + 3 * walk->stride,
         walk->query, walk->stride, dots);
        for (uint32_t j = 0; j < FOUR; j++) {
            uint32_t place = walk->entries[i + j], at = LAST;
            int32_t distance = with_constants ? walk->constants[place] - 2 * dots[j] : -dots[j];
            if (distance >= nearest[LAST].distance) continue;
            for (; at > 0 && distance < nearest[at - 1].distance; at--)
                nearest[at] = nearest[at - 1];
            nearest[at] = (NearPlace){distance, i + j};
        }
    }
}

/* The nearest of the entry's group and `best`. Up to FOUR - 1 rows behind the group are looked at, too. */
CODES static inline NearPlace LEVEL(best_of_group)(const NearWalk *walk, uint32_t entry,
                                                   NearPlace best, bool with_constants)
{
    const uint8_t *codes = walk->codes + walk->starts[entry] * walk->stride;
    uint32_t end = walk->starts[entry + 1];
    int32_t dots[FOUR];
    for (uint32_t i = walk->starts[entry]; i < end; i += FOUR, codes += FOUR * walk->stride) {
        LEVEL(four)
        (codes, codes + walk->stride, codes + 2 * walk->stride, codes + 3 * walk->stride,
         walk->query, walk->stride, dots);
        for (uint32_t j = 0; j < FOUR; j++) {
            int32_t distance = with_constants ? walk->constants[i + j] - 2 * dots[j] : -dots[j];
            if (distance < best.distance) best = (NearPlace){distance, i + j};
        }
    }
    return best;
}

/* The nearest of the rows to begin from; and row 0, from which all can be reached: where one part of
 * the rows has no links to another, a search comes by it all the same. */
CODES static inline void LEVEL(walk_begin)(NearWalk *walk, bool with_constants)
{
    NearPlace best, zero = {LEVEL(one)(walk->codes, walk->query, walk->stride), 0};
    zero.distance = with_constants ? walk->constants[0] - 2 * zero.distance : -zero.distance;
    best = zero;
    LEVEL(look_at_entries)(walk, with_constants);
    if (walk->nearest[0].distance < best.distance)
        best = (NearPlace){walk->nearest[0].distance, walk->entries[walk->nearest[0].place]};
    for (uint32_t i = 0; i < NEAR_GROUPS_ASKED && walk->starts != NULL; i++)
        best = LEVEL(best_of_group)(walk, walk->nearest[i].place, best, with_constants);
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

/* The linked rows not seen yet, behind those touched, with FOUR - 1 of the last again. Which they are
 * cannot be foretold, so nothing branches on it. What a damaged file links to nowhere counts as row 0,
 * which has been seen. */
CODES static inline uint32_t LEVEL(unseen)(NearWalk *walk, uint32_t place, uint32_t *out)
{
    enum { SOME = 8 };
    const uint32_t *links = walk->links + (size_t)place * NEAR_LINKS;
    uint64_t *seen = walk->seen;
    uint32_t count = 0, rows = walk->count;
    for (uint32_t i = 0; i < NEAR_LINKS && links[i] < rows; i += SOME)
        for (uint32_t j = i; j < i + SOME; j++) {
            uint32_t next = links[j] < rows ? links[j] : 0;
            uint64_t bit = UINT64_C(1) << next % 64, word = seen[next / 64];
            seen[next / 64] = word | bit;
            out[count] = next;
            count += (word & bit) == 0;
        }
    for (uint32_t j = 0; j < FOUR - 1 && count > 0; j++)
        out[count + j] = out[count - 1];
    return count;
}

/* Distances of rows from the query; up to a multiple of FOUR is written and read. */
CODES static inline void LEVEL(measure)(const NearWalk *walk, const uint32_t *places,
                                        uint32_t count, bool with_constants, int32_t *out)
{
    const uint8_t *codes = walk->codes;
    const int32_t *constants = walk->constants;
    size_t stride = walk->stride;
    for (uint32_t i = 0; i < count; i += FOUR) {
        const uint8_t *rows[FOUR];
        for (uint32_t j = 0; j < FOUR; j++)
            rows[j] = codes + places[i + j] * stride;
        LEVEL(four)(rows[0], rows[1], rows[2], rows[3], walk->query, stride, out + i);
    }
    for (uint32_t i = 0; i < count; i++)
        out[i] = with_constants ? constants[places[i]] - 2 * out[i] : -out[i];
}

/* Asks for what the next of the pool links to: unless something nearer turns up, it is followed next,
 * and memory has answered by then. */
CODES static inline void LEVEL(look_ahead)(const NearWalk *walk, uint32_t at)
{
    while (at < walk->pool_count && walk->pool[at].place & NEAR_DONE)
        at++;
    if (at >= walk->pool_count) return;
    const uint32_t *links = walk->links + (size_t)walk->pool[at].place * NEAR_LINKS;
    for (uint32_t i = 0; i < NEAR_LINKS && links[i] < walk->count; i++) {
        if (walk->seen[links[i] / 64] >> links[i] % 64 & 1) continue;
        LEVEL(fetch)(walk->codes + (size_t)links[i] * walk->stride, walk->stride);
    }
}

/* Follows the links of the pool's entry at `at`. Gives the first that is new, or at + 1. */
CODES static inline uint32_t LEVEL(walk_on)(NearWalk *walk, uint32_t at, bool with_constants)
{
    int32_t distances[NEAR_LINKS];
    uint32_t *found = walk->touched + walk->touched_count, best = at + 1;
    uint32_t count = LEVEL(unseen)(walk, walk->pool[at].place, found);
    walk->pool[at].place |= NEAR_DONE;
    walk->touched_count += count;
    walk->looks += count;
    for (uint32_t i = 0; i < count; i++) {
        LEVEL(fetch)(walk->codes + (size_t)found[i] * walk->stride, walk->stride);
        if (with_constants) __builtin_prefetch(walk->constants + found[i]);
    }
    LEVEL(look_ahead)(walk, at + 1);
    LEVEL(measure)(walk, found, count, with_constants, distances);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t where = LEVEL(pool_insert)(walk, distances[i], found[i]);
        if (where == walk->ef) continue;
        for (uint32_t line = 0; line < LINES_OF_LINKS; line++)
            __builtin_prefetch(walk->links + (size_t)found[i] * NEAR_LINKS + line * WORDS_OF_LINE);
        if (where < best) best = where;
    }
    return best;
}

CODES static inline void LEVEL(walk)(NearWalk *walk, bool with_constants)
{
    LEVEL(walk_begin)(walk, with_constants);
    for (uint32_t at = 0; at < walk->pool_count;) {
        if (walk->pool[at].place & NEAR_DONE) {
            at++;
            continue;
        }
        uint32_t best = LEVEL(walk_on)(walk, at, with_constants);
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
