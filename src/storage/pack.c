/* pack.c - making packed arrays (pack.h). */
#include "config.h"

#include "storage/pack.h"
#include <math.h>
#include <string.h>

static bool is_present(const uint64_t *present, uint32_t i)
{
    return present == NULL || (present[i / 64] >> i % 64 & 1);
}

/* Differences from the first stay so far from the ends of their type that a line through them does,
 * too. */
#define SPREAD_MAX (INT64_C(1) << 60)

typedef struct Line {
    uint32_t first, last; /* present ones */
    int64_t step, lowest; /* of what is left when the first and the line are taken away */
    uint32_t width;
} Line;

static bool find_ends(const int64_t *values, uint32_t count, const uint64_t *present, Line *line)
{
    int64_t low = INT64_MAX, high = INT64_MIN;
    line->first = UINT32_MAX;
    for (uint32_t i = 0; i < count; i++) {
        if (!is_present(present, i)) continue;
        if (line->first == UINT32_MAX) line->first = i;
        line->last = i;
        low = values[i] < low ? values[i] : low;
        high = values[i] > high ? values[i] : high;
    }
    return line->first != UINT32_MAX && low > INT64_MIN / 4 && high < INT64_MAX / 4 &&
           high - low < SPREAD_MAX;
}

static void fit(const int64_t *values, const uint64_t *present, int64_t step, Line *line)
{
    int64_t low = INT64_MAX, high = INT64_MIN;
    for (uint32_t i = line->first; i <= line->last; i++) {
        if (!is_present(present, i)) continue;
        int64_t left = values[i] - step * (int64_t)(i - line->first);
        low = left < low ? left : low;
        high = left > high ? left : high;
    }
    uint64_t range = (uint64_t)high - (uint64_t)low;
    uint32_t width = range == 0 ? 0 : 64 - (uint32_t)__builtin_clzll(range);
    if (width >= line->width) return;
    line->step = step, line->lowest = low, line->width = width;
}

static void put_residuals(const int64_t *values, const uint64_t *present, const Line *line,
                          char *bits)
{
    for (uint32_t i = line->first; i <= line->last && line->width > 0; i++) {
        if (!is_present(present, i)) continue;
        uint64_t residual =
            (uint64_t)(values[i] - line->step * (int64_t)(i - line->first) - line->lowest);
        uint64_t word, bit = (uint64_t)i * line->width;
        memcpy(&word, bits + bit / 8, sizeof word);
        word |= residual << bit % 8;
        memcpy(bits + bit / 8, &word, sizeof word);
    }
}

uint32_t pack(const int64_t *values, uint32_t count, const uint64_t *present, Buffer *out)
{
    Line line = {.width = 64};
    if (!find_ends(values, count, present, &line)) return PACK_NOT;
    fit(values, present, 0, &line);
    if (line.last > line.first)
        fit(values, present,
            (values[line.last] - values[line.first]) / (int64_t)(line.last - line.first), &line);
    if (line.width > PACK_WIDTH_MAX) return PACK_NOT;
    put_u64(out, (uint64_t)line.lowest - (uint64_t)line.step * line.first);
    put_u64(out, (uint64_t)line.step);
    size_t bytes = packed_bytes(count, line.width) - PACK_HEADER_BYTES;
    char *bits = buffer_reserve(out, bytes);
    memset(bits, 0, bytes);
    put_residuals(values, present, &line, bits);
    out->bytes += bytes;
    return line.width;
}

Packed packed_at(const char *data, uint32_t width)
{
    Reader reader = reader_of(data, PACK_HEADER_BYTES);
    Packed packed = {.width = width, .bits = data + PACK_HEADER_BYTES};
    packed.base = get_u64(&reader);
    packed.step = get_u64(&reader);
    return packed;
}

/* ---- decimal fractions ---- */

double pack_power(uint32_t exponent)
{
    static const double powers[] = {1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6};
    return powers[exponent <= PACK_EXPONENT_MAX ? exponent : 0];
}

/* Minus zero is no integer, and what is not finite is none. */
static bool scale(double value, double power, int64_t *out)
{
    double scaled = nearbyint(value * power);
    if (!(fabs(scaled) < 0x1p51)) return false;
    *out = (int64_t)scaled;
    double back = (double)*out / power;
    return memcmp(&back, &value, sizeof back) == 0;
}

bool pack_decimals(const double *values, uint32_t count, const uint64_t *present, int64_t *out,
                   uint32_t *exponent)
{
    for (uint32_t e = 0; e <= PACK_EXPONENT_MAX; e++) {
        uint32_t i = 0;
        while (i < count && (!is_present(present, i) || scale(values[i], pack_power(e), &out[i])))
            i++;
        if (i == count) return *exponent = e, true;
    }
    return false;
}
