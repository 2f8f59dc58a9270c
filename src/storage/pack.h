/*
 * pack.h - integers kept as what they differ from a line: value i is base + step * i + residual i, and
 * residuals have as many bits as the largest needs. Any of them is read alone, where it lies, so a
 * packed array is used in place like a plain one. (Frame of reference, with a slope: Zukowski et al.,
 * "Super-Scalar RAM-CPU Cache Compression", ICDE 2006.) Counters take no bits at all.
 *
 *     {i64 base, i64 step, residuals of `width` bits from bit 0 on, zeros up to a multiple of 8 bytes
 *      and 8 more}
 *
 * The count and the width are kept elsewhere (StoredBlock).
 */
#ifndef STORAGE_PACK_H
#define STORAGE_PACK_H
#include "base/bytes.h"
#include <string.h>

enum { PACK_WIDTH_MAX = 56, PACK_HEADER_BYTES = 16 };

typedef struct Packed {
    uint64_t base, step; /* of two's complement: sums wrap around */
    uint32_t width;
    const char *bits; /* NULL: not packed */
} Packed;

static inline int64_t packed_get(const Packed *packed, uint32_t i)
{
    uint64_t word, bit = (uint64_t)i * packed->width;
    memcpy(&word, packed->bits + bit / 8, sizeof word); /* 8 bytes follow the last residual */
    word = word >> bit % 8 & ((UINT64_C(1) << packed->width) - 1);
    return (int64_t)(packed->base + packed->step * i + word);
}

/* Values from, from + 1, .. side by side. */
void packed_some(const Packed *packed, uint32_t from, uint32_t count, int64_t *out);

/* out[i] = in[i] / power, for integers below 2 ^ 51 as pack_decimals() makes them. */
void decimals_from(const int64_t *in, uint32_t count, double power, double *out);
/* Decimals from, from + 1, .. side by side. */
void packed_decimals(const Packed *packed, uint32_t from, uint32_t count, double power,
                     double *out);

/* Bytes of `count` values. */
static inline uint64_t packed_bytes(uint64_t count, uint32_t width)
{
    return PACK_HEADER_BYTES + (count * width + 63) / 64 * 8 + 8;
}

/* Over packed_bytes() of them; the width is at most PACK_WIDTH_MAX. */
Packed packed_at(const char *data, uint32_t width);

/* Appends the values; those whose bit in `present` is not set (NULL: all are) may be anything. Gives
 * the width, or 0xff: they have no packed form that is smaller, and nothing was appended. */
uint32_t pack(const int64_t *values, uint32_t count, const uint64_t *present, Buffer *out);
enum { PACK_NOT = 0xff };

/* Doubles that are decimal fractions: out[i] / 10 ^ *exponent is values[i] to the bit. */
bool pack_decimals(const double *values, uint32_t count, const uint64_t *present, int64_t *out,
                   uint32_t *exponent);
enum { PACK_EXPONENT_MAX = 6 };
double pack_power(uint32_t exponent); /* 10 ^ exponent */
#endif
