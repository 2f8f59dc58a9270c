/*
 * quantize.c - the codes of vectors.
 *
 * The minimum of a component is the value below which a thousandth of the sample lies, and the scale
 * lets the widest component between that and the same from above use all 256 steps. One scale for
 * all keeps the order of distances; a scale for each would weigh components.
 *
 * Rounding is to the nearest, ties to even, by adding a number whose last bit is worth 1: the same on
 * every machine, and compilers make wide code of it.
 */
#include "config.h"

#include "vector/quantize.h"
#include <assert.h>
#include <float.h>
#include <math.h>
#include <string.h>

enum {
    STEPS = 255,
    OUTSIDE_MAX = 1 + QUANTIZE_SAMPLE_ROWS / 1000, /* a thousandth, and the first inside */
    QUERY_STEPS = 127
};

/* `low` for what is not a number. */
static inline float clamped(float steps, float low, float high)
{
    float above = steps > low ? steps : low;
    return above < high ? above : high;
}

/* Of a float from -2^22 to 2^22: the nearest integer. */
static inline int32_t nearest(float number)
{
    union {
        float number;
        int32_t bits;
    } u = {number + 0x1.8p23f}, zero = {0x1.8p23f};
    return u.bits - zero.bits;
}

/* The `kept` lowest of what is offered, ascending. */
static void keep_lowest(float *lowest, size_t *count, size_t kept, float value)
{
    if (*count == kept && value >= lowest[kept - 1]) return;
    size_t at = *count < kept ? (*count)++ : kept - 1;
    for (; at > 0 && lowest[at - 1] > value; at--)
        lowest[at] = lowest[at - 1];
    lowest[at] = value;
}

/* Where a component of the sample begins and ends, but for a thousandth at each side. */
static void component_range(const float *const *rows, const float *factors, size_t count,
                            size_t component, float *low, float *high)
{
    float lowest[OUTSIDE_MAX], highest[OUTSIDE_MAX];
    size_t lows = 0, highs = 0, kept = count / 1000 + 1;
    for (size_t i = 0; i < count; i++) {
        float value = rows[i][component] * (factors == NULL ? 1.0f : factors[i]);
        keep_lowest(lowest, &lows, kept, value);
        keep_lowest(highest, &highs, kept, -value);
    }
    *low = lowest[kept - 1];
    *high = -highest[kept - 1];
}

static float square_of(const float *row, uint32_t dimensions)
{
    float sum = 0;
    for (uint32_t i = 0; i < dimensions; i++)
        sum += row[i] * row[i];
    return sum;
}

/* Room for the differences between lengths, in components as wide as the widest. */
static void learn_extra(Quantizer *out, const float *const *rows, size_t count, float widest)
{
    float shortest = FLT_MAX;
    for (size_t i = 0; i < count; i++) {
        float square = square_of(rows[i], out->dimensions);
        if (square > out->longest) out->longest = square < FLT_MAX ? square : FLT_MAX;
        if (square < shortest) shortest = square;
    }
    float wanted = (out->longest - shortest) / (widest * widest);
    if (!(wanted < QUANTIZE_EXTRA_MAX)) wanted = QUANTIZE_EXTRA_MAX;
    out->extra = (uint32_t)ceilf(wanted);
}

void quantizer_learn(Quantizer *out, VectorMetric metric, uint32_t dimensions, bool extra,
                     const float *const *rows, const float *factors, size_t count, float *minima)
{
    float widest = 0;
    assert(count > 0 && count <= QUANTIZE_SAMPLE_ROWS);
    assert(dimensions > 0 && dimensions <= VECTOR_DIMENSIONS_MAX);
    *out = (Quantizer){.metric = metric, .dimensions = dimensions, .minima = minima};
    for (size_t i = 0; i < dimensions; i++) {
        float low, high;
        component_range(rows, metric == VECTOR_COSINE ? factors : NULL, count, i, &low, &high);
        minima[i] = low;
        if (high - low > widest) widest = high - low;
    }
    if (!(widest > FLT_MIN * STEPS)) widest = STEPS; /* all the same */
    if (!(widest < FLT_MAX)) widest = FLT_MAX;
    out->scale = STEPS / widest;
    if (extra && metric == VECTOR_DOT) learn_extra(out, rows, count, widest);
    out->stride = quantize_stride(dimensions + out->extra);
}

void quantize_row(const Quantizer *quantizer, const float *row, float factor, uint8_t *codes)
{
    const float *minima = quantizer->minima;
    uint32_t dimensions = quantizer->dimensions, extra = quantizer->extra;
    float scale = quantizer->scale, own = quantizer->metric == VECTOR_COSINE ? factor : 1.0f;
    for (uint32_t i = 0; i < dimensions; i++)
        codes[i] = (uint8_t)nearest(clamped((row[i] * own - minima[i]) * scale, 0, STEPS));
    if (extra > 0) {
        float missing = quantizer->longest - square_of(row, dimensions);
        float each = missing > 0 ? sqrtf(missing / (float)extra) : 0;
        memset(codes + dimensions, nearest(clamped(each * scale, 0, STEPS)), extra);
    }
    memset(codes + dimensions + extra, 0, quantizer->stride - dimensions - extra);
}

/* With a scale of its own, from the largest component. */
static void scaled_query(const Quantizer *quantizer, const float *query, int8_t *out)
{
    float largest = 0;
    for (uint32_t i = 0; i < quantizer->dimensions; i++)
        if (fabsf(query[i]) > largest) largest = fabsf(query[i]);
    float scale = largest > 0 ? QUERY_STEPS / largest : 0;
    if (!(scale <= FLT_MAX)) scale = FLT_MAX;
    memset(out, 0, quantizer->stride);
    for (uint32_t i = 0; i < quantizer->dimensions; i++)
        out[i] = (int8_t)nearest(clamped(query[i] * scale, -QUERY_STEPS, QUERY_STEPS));
}

void quantize_query(const Quantizer *quantizer, const float *query, float factor, int8_t *out)
{
    if (quantizer->metric == VECTOR_DOT) {
        scaled_query(quantizer, query, out);
        return;
    }
    quantize_row(quantizer, query, factor, (uint8_t *)out);
    quantize_as_query((const uint8_t *)out, quantizer->stride, out);
}

void quantize_as_query(const uint8_t *codes, size_t stride, int8_t *out)
{
    uint64_t word; /* rows are whole lines */
    for (size_t i = 0; i < stride; i += sizeof word) {
        memcpy(&word, codes + i, sizeof word);
        word ^= UINT64_C(0x8080808080808080);
        memcpy(out + i, &word, sizeof word);
    }
}

int32_t quantize_constant(const uint8_t *codes, size_t stride)
{
    int32_t sum = 0;
    for (size_t i = 0; i < stride; i++)
        sum += (int32_t)codes[i] * ((int32_t)codes[i] - 256);
    return sum;
}

int32_t quantize_square(const uint8_t *codes, size_t stride)
{
    int32_t sum = 0;
    for (size_t i = 0; i < stride; i++)
        sum += (int32_t)codes[i] * (int32_t)codes[i];
    return sum;
}
