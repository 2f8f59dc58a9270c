/*
 * codes.c - rows as codes, queries as planes, and the bound of a score.
 *
 * u = 2^-24 is half a unit in the last place. With q' the query's plane(s) and dot the codes' integer dot
 * product with them, r'.q' = scale step dot + offset total, where total = sum(q'). In f32:
 *
 *   canonical dot   at most (d / 32 + 6) u |r| |q| beside r.q: d / 32 additions in a partial sum, a
 *                   product, five folds, and sum |r_j q_j| <= |r| |q|
 *   this bound      255 scale <= 2 |r|, so |scale step dot| <= 2 sqrt(d) |r| |q'| and |offset total|
 *                   <= sqrt(d) |r| |q'|: eight roundings of those are 24 sqrt(d) u |r| |q'|
 *   underflow       a product below the normal numbers is off by 2^-149 at most: d 1e-36 in all
 *
 * What multiplies |r| is a row's norm times `loss`. All terms that are added are rounded up by more than
 * the additions lose (ROUND_UP).
 *
 *   norm         |r| <= norm <= |r| (1 + (d / 4 + 8) u), but for rows below 1e-11, whose error has grown by more
 *   cosine       the canonical score is (dot factor) query factor, where factor is 1 / |r| within (d / 64 + 5) u
 *                of it, so that b / norm differs from b factor by those two and 1e-6 for the bound b of the
 *                dot; |b / norm| query factor is below 2.4 wherever that matters: `loss` is the product
 *   l2           -|r - q|^2 = 2 r.q - |r|^2 - |q|^2; the canonical sum is off by 2 (d / 32 + 8) u (|r|^2 + |q|^2)
 *                at most, norm^2 by 2 (d / 4 + 8) u |r|^2, and the three terms here lose 3e-6 of the same
 *
 * Rows with components beyond 1e15, infinite or NaN have an infinite error, so that they are always
 * scored; that a bound is NaN says the same. A query below 1e-15 or above 1e15 has no bounds.
 */
#include "config.h"

#include "vector/bound.h"
#include "vector/quantize.h"
#include <assert.h>
#include <math.h>
#include <string.h>

#define HALF_ULP    6.0e-8 /* 2^-24, rounded up */
#define ROUND_UP    1.000002
#define NORM_MAX    1e15
#define NORM_MIN    1e-15
#define LEAST_A_DIM 1e-36
enum { CODE_MAX = 255, PLANE_MAX = 127, PLANE_STEP = 128, LANES_WIDE = 4 };

typedef float Floats __attribute__((vector_size(16)));
typedef int32_t Integers __attribute__((vector_size(16)));

VECTOR_BESIDE_A_WRITER static inline Floats load(const float *from)
{
    Floats floats;
    memcpy(&floats, from, sizeof floats);
    return floats;
}

static inline Floats all(float value)
{
    return (Floats){value, value, value, value};
}

/* Whichever is smaller (larger), lane by lane; a NaN in `a` is passed over. */
static inline Floats smaller(Floats a, Floats b)
{
    Integers less = a < b;
    return (Floats)(((Integers)a & less) | ((Integers)b & ~less));
}

static inline Floats larger(Floats a, Floats b)
{
    Integers more = a > b;
    return (Floats)(((Integers)a & more) | ((Integers)b & ~more));
}

/* ---- rows ---- */

typedef struct Range {
    float low, high, square;
} Range;

VECTOR_BESIDE_A_WRITER static Range range_of(const float *row, size_t dimensions)
{
    Floats low = all(row[0]), high = low, square = all(0);
    size_t j = 0;
    for (; j + LANES_WIDE <= dimensions; j += LANES_WIDE) {
        Floats part = load(row + j);
        low = smaller(part, low), high = larger(part, high);
        square += part * part;
    }
    Range range = {low[0], high[0], square[0]};
    for (size_t i = 1; i < LANES_WIDE; i++) {
        range.low = low[i] < range.low ? low[i] : range.low;
        range.high = high[i] > range.high ? high[i] : range.high;
        range.square += square[i];
    }
    for (; j < dimensions; j++) {
        range.low = row[j] < range.low ? row[j] : range.low;
        range.high = row[j] > range.high ? row[j] : range.high;
        range.square += row[j] * row[j];
    }
    return range;
}

/* (r - offset) / scale to the nearest; what f32 rounds away only makes the error larger. Gives the sum of the
 * squares of what is lost. */
VECTOR_BESIDE_A_WRITER static float write_codes(const float *row, size_t dimensions, float offset,
                                                float scale, uint8_t *codes)
{
    float steps = scale > 0 ? 1 / scale : 0, lost = 0;
    Floats sums = all(0);
    size_t j = 0;
    for (; j + LANES_WIDE <= dimensions; j += LANES_WIDE) {
        Floats part = load(row + j);
        Floats at = smaller((part - offset) * steps + 0.5f, all(CODE_MAX + 0.5f));
        Integers code = __builtin_convertvector(at, Integers);
        Floats left = part - (offset + scale * __builtin_convertvector(code, Floats));
        sums += left * left;
        for (size_t i = 0; i < LANES_WIDE; i++)
            codes[j + i] = (uint8_t)code[i];
    }
    for (; j < dimensions; j++) {
        float at = (row[j] - offset) * steps + 0.5f;
        codes[j] = (uint8_t)(at < CODE_MAX ? at : CODE_MAX);
        float left = row[j] - (offset + scale * (float)codes[j]);
        lost += left * left;
    }
    return lost + ((sums[0] + sums[1]) + (sums[2] + sums[3]));
}

void bound_row(const float *row, size_t dimensions, uint8_t *codes, BoundRow *out)
{
    assert(dimensions > 0 && dimensions <= VECTOR_DIMENSIONS_MAX);
    size_t stride = quantize_stride(dimensions);
    Range range = range_of(row, dimensions);
    double largest = fmax(fabs((double)range.low), fabs((double)range.high)),
           roots = sqrt((double)dimensions), sums = ((double)dimensions / 4 + 4) * HALF_ULP;
    /* A sum of squares in f32 is off by `sums` of it; a NaN anywhere is in it. */
    double square = (double)range.square * (1 + sums) + (double)dimensions * LEAST_A_DIM;
    if (!(square < NORM_MAX * NORM_MAX)) {
        memset(codes, 0, stride);
        *out = (BoundRow){0, 0, INFINITY, 0};
        return;
    }
    float scale = (range.high - range.low) / CODE_MAX;
    memset(codes + dimensions, 0, stride - dimensions);
    double lost = (double)write_codes(row, dimensions, range.low, scale, codes);
    /* What is lost was computed with three roundings of numbers of the largest's size. */
    double error = sqrt(lost * (1 + sums) + (double)dimensions * LEAST_A_DIM) * ROUND_UP +
                   roots * 4 * HALF_ULP * largest;
    *out = (BoundRow){scale, range.low, (float)(error * ROUND_UP + LEAST_A_DIM),
                      (float)(sqrt(square) * (1 + 2 * HALF_ULP))};
}

/* ---- queries ---- */

typedef struct PlaneSums {
    double total, lost; /* of the components; of the squares of what is not in them */
} PlaneSums;

static void write_planes(const float *query, size_t dimensions, double step, int8_t *planes,
                         size_t stride, PlaneSums sums[2])
{
    memset(planes, 0, 2 * stride);
    for (size_t j = 0; j < dimensions; j++) {
        long whole = lrint((double)query[j] / step);
        long first = (whole + (whole >= 0 ? PLANE_STEP / 2 : -PLANE_STEP / 2)) / PLANE_STEP;
        long second = whole - first * PLANE_STEP;
        planes[j] = (int8_t)first;
        planes[stride + j] = (int8_t)second;
        double kept[2] = {(double)(first * PLANE_STEP) * step, (double)whole * step};
        for (int i = 0; i < 2; i++) {
            double left = (double)query[j] - kept[i];
            sums[i].total += kept[i];
            sums[i].lost += left * left;
        }
    }
}

static BoundTerms terms_of(double step, const PlaneSums *sums, double norm, double dimensions)
{
    double lost = sqrt(sums->lost) * ROUND_UP, reach = (norm + lost) * ROUND_UP;
    double rounding = (dimensions / 32 + 8 + 24 * sqrt(dimensions)) * HALF_ULP * reach;
    return (BoundTerms){(float)step, (float)sums->total, (float)(reach * ROUND_UP),
                        (float)((lost + rounding) * ROUND_UP), (float)(dimensions * LEAST_A_DIM)};
}

bool bound_query_init(BoundQuery *out, VectorMetric metric, const float *query, size_t dimensions,
                      float factor, int8_t *planes)
{
    double square = 0, largest = 0, d = (double)dimensions;
    PlaneSums sums[2] = {{0, 0}, {0, 0}};
    assert(dimensions > 0 && dimensions <= VECTOR_DIMENSIONS_MAX);
    for (size_t j = 0; j < dimensions; j++) {
        largest = fmax(largest, fabs((double)query[j]));
        square += (double)query[j] * (double)query[j];
    }
    double norm = sqrt(square);
    if (!(norm > NORM_MIN && norm < NORM_MAX)) return false; /* NaN, too */
    double step = largest / (PLANE_MAX * PLANE_STEP);
    *out = (BoundQuery){.planes = planes,
                        .stride = quantize_stride(dimensions),
                        .metric = metric,
                        .factor = factor};
    write_planes(query, dimensions, step, planes, out->stride, sums);
    out->first = terms_of(step * PLANE_STEP, &sums[0], norm, d);
    out->both = terms_of(step, &sums[1], norm, d);
    double norm_loss = (d / 4 + 8) * HALF_ULP;
    double slack = 2 * (d / 32 + 8) * HALF_ULP + 2 * norm_loss + 3e-6;
    out->square = (float)(square * (1 - slack));
    out->keep = (float)(1 - slack);
    out->loss = (float)(2.4 * ((d / 64 + 5) * HALF_ULP + norm_loss + 1.2e-6));
    return true;
}

/* ---- bounds ---- */

VECTOR_BESIDE_A_WRITER float bound_close(const BoundQuery *bound, const BoundRow *row,
                                         int32_t first, int32_t second)
{
    float dots = (float)first * PLANE_STEP + (float)second;
    float dot = BOUND_DOT(&bound->both, dots, row->scale, row->offset, row->error, row->norm);
    if (bound->metric == VECTOR_DOT) return dot;
    return bound->metric == VECTOR_COSINE ? BOUND_COSINE(bound, dot, row->norm)
                                          : BOUND_L2(bound, dot, row->norm);
}
