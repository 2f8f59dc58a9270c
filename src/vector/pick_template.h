/*
 * pick_template.h - which rows may reach a floor, compiled once by each level of SIMD (codes_template.h).
 *
 * Wanted: Floats, a vector of LANES floats; Integers, one of as many int32_t; and
 *     OF_FOURS(numbers)          four numbers here, four a line of 64 bytes further, and so on
 *     NOT_BELOW(scores, floor)   a bit for each lane that is not less than the floor, NaN included
 * The numbers are the same at every level: nothing but sums, products and quotients, lane by lane.
 */
CODES static inline Floats LEVEL(bounds)(const BoundQuery *bound, const BoundFour *four,
                                         const int32_t *dots)
{
    Integers whole;
    memcpy(&whole, dots, sizeof whole);
    Floats scale = OF_FOURS(four->scale), offset = OF_FOURS(four->offset),
           error = OF_FOURS(four->error), norm = OF_FOURS(four->norm);
    Floats dot = BOUND_DOT(&bound->first, __builtin_convertvector(whole, Floats), scale, offset,
                           error, norm);
    if (bound->metric == VECTOR_DOT) return dot;
    return bound->metric == VECTOR_COSINE ? BOUND_COSINE(bound, dot, norm)
                                          : BOUND_L2(bound, dot, norm);
}

CODES static size_t LEVEL(pick)(const BoundQuery *bound, const BoundFour *rows, const int32_t *dots,
                                size_t count, float floor, uint16_t *out)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i += LANES) {
        uint32_t left = NOT_BELOW(LEVEL(bounds)(bound, rows + i / 4, dots + i), floor);
        if (count - i < LANES) left &= (UINT32_C(1) << (count - i)) - 1;
        for (; left != 0; left &= left - 1)
            out[kept++] = (uint16_t)(i + (size_t)__builtin_ctz(left));
    }
    return kept;
}
