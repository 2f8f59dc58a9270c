/* Scores have the same bits at every level of SIMD. */
#include "config.h"

#include "test.h"
#include "vector/kernel.h"
#include <math.h>
#include <string.h>

static uint32_t random_state = 12345;

static float random_float(void)
{
    random_state = random_state * 1664525u + 1013904223u;
    return (float)((int32_t)random_state) * 0x1p-31f;
}

static int same_bits(float a, float b)
{
    return memcmp(&a, &b, sizeof a) == 0 || (isnan(a) && isnan(b));
}

static int levels_agree(const float *row, const float *query, size_t stride)
{
    static const char *const names[] = {"scalar", "avx2", "avx512"};
    const VectorKernel *first = vector_kernel("scalar");
    int good = 1;
    for (size_t i = 1; i < sizeof names / sizeof *names; i++) {
        const VectorKernel *level = vector_kernel(names[i]);
        good = good && same_bits(level->dot(row, query, stride), first->dot(row, query, stride));
        good = good && same_bits(level->l2(row, query, stride), first->l2(row, query, stride));
        good =
            good && same_bits(vector_factor(level, row, stride), vector_factor(first, row, stride));
    }
    return good;
}

int main(void)
{
    enum { FLOATS_MAX = 224 };
    float row[FLOATS_MAX], query[FLOATS_MAX];
    int good = 1;
    for (size_t dimensions = 1; dimensions <= 200; dimensions++) {
        size_t stride = vector_stride(dimensions);
        memset(row, 0, sizeof row);
        memset(query, 0, sizeof query);
        for (size_t i = 0; i < dimensions; i++)
            row[i] = random_float(),
            query[i] = random_float() * (i % 7 == 0 ? 1e-40f : 1.0f); /* denormals too */
        good = good && levels_agree(row, query, stride);
    }
    EXPECT(good);
    row[3] = INFINITY;
    EXPECT(levels_agree(row, query, 64));
    row[3] = NAN;
    EXPECT(levels_agree(row, query, 64));
    memset(row, 0, sizeof row);
    EXPECT(vector_factor(vector_kernel(NULL), row, 64) == 0);
    EXPECT(vector_orderable(NAN) == 0 && vector_orderable(-0.0f) == vector_orderable(0.0f) &&
           vector_orderable(-1.0f) < vector_orderable(1.0f));
    return DONE();
}
