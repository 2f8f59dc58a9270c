/*
 * codes_template.h - what one level of SIMD makes of its two products; included once by each of
 * codes_scalar.c, codes_avx2.c and codes_avx512.c, so that the products are compiled into the loops.
 *
 * Wanted: LEVEL(name) gives the name at the level, CODES attributes of every function, and
 *     CODES static inline int32_t LEVEL(one)(row, query, stride)
 *     CODES static inline void LEVEL(four)(r0, r1, r2, r3, query, stride, int32_t out[4])
 */
enum {
    FOUR = 4,
    PLACES_AHEAD = 12, /* rows asked for before they are needed: what memory takes to answer */
    PLACES_AHEAD_BYTES = 256 /* of each; the rest of a longer row the hardware fetches by itself */
};

CODES static int32_t LEVEL(dot)(const uint8_t *row, const int8_t *query, size_t stride)
{
    return LEVEL(one)(row, query, stride);
}

CODES static void LEVEL(dot_rows)(const uint8_t *rows, size_t count, size_t stride,
                                  const int8_t *query, int32_t *out)
{
    size_t i = 0;
    for (; i + FOUR <= count; i += FOUR, rows += FOUR * stride)
        LEVEL(four)
    (rows, rows + stride, rows + 2 * stride, rows + 3 * stride, query, stride, out + i);
    for (; i < count; i++, rows += stride)
        out[i] = LEVEL(one)(rows, query, stride);
}

CODES static inline void LEVEL(fetch)(const uint8_t *row, size_t stride)
{
    size_t ahead = stride < PLACES_AHEAD_BYTES ? stride : PLACES_AHEAD_BYTES;
    for (size_t at = 0; at < ahead; at += QUANTIZE_LINE_BYTES)
        __builtin_prefetch(row + at);
}

CODES static void LEVEL(dot_places)(const uint8_t *codes, const uint32_t *places, size_t count,
                                    size_t stride, const int8_t *query, int32_t *out)
{
    size_t i = 0;
    for (; i + FOUR <= count; i += FOUR) {
        const uint8_t *rows[FOUR];
        for (size_t n = 0; n < FOUR; n++) {
            rows[n] = codes + (size_t)places[i + n] * stride;
            if (i + n + PLACES_AHEAD < count)
                LEVEL(fetch)(codes + (size_t)places[i + n + PLACES_AHEAD] * stride, stride);
        }
        LEVEL(four)(rows[0], rows[1], rows[2], rows[3], query, stride, out + i);
    }
    for (; i < count; i++)
        out[i] = LEVEL(one)(codes + (size_t)places[i] * stride, query, stride);
}

#include "vector/near_template.h"
#include "vector/pick_template.h"

#define CODES_TEXT(level) #level
#define CODES_TABLE(level)                                                                         \
    {                                                                                              \
        CODES_TEXT(level), LEVEL(dot), LEVEL(dot_rows), LEVEL(dot_places), LEVEL(pick),            \
            LEVEL(near_walk), LEVEL(near_prune)                                                    \
    }
