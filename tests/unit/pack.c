/* Packed arrays hold what went in: lines, gaps, extremes, decimals; random ones against plain arrays. */
#include "config.h"

#include "base/map.h"
#include "storage/pack_internal.h"
#include "test.h"
#include <math.h>
#include <stdlib.h>

enum { COUNT_MAX = 2048 };

static uint64_t state = 7;

static uint64_t draw(uint64_t below)
{
    uint64_t x = random_next(&state);
    return below == 0 ? x : x % below;
}

static int some_as_one_by_one(const Packed *packed, uint32_t count)
{
    int64_t some[COUNT_MAX];
    uint32_t from = (uint32_t)draw(count);
    packed_some(packed, from, count - from, some);
    for (uint32_t i = from; i < count; i++)
        if (some[i - from] != packed_get(packed, i)) return 0;
    return 1;
}

/* The width they took; -1: something else came out. */
static int around(const int64_t *values, uint32_t count, const uint64_t *present)
{
    Buffer out = {0};
    uint32_t width = pack(values, count, present, &out);
    int result = (int)width;
    if (width == PACK_NOT) {
        if (out.bytes > 0) result = -1;
    } else {
        Packed packed = packed_at(out.data, width);
        if (out.bytes != packed_bytes(count, width)) result = -1;
        for (uint32_t i = 0; i < count; i++)
            if ((present == NULL || (present[i / 64] >> i % 64 & 1)) &&
                packed_get(&packed, i) != values[i])
                result = -1;
        if (!some_as_one_by_one(&packed, count)) result = -1;
    }
    buffer_free(&out);
    return result;
}

static void test_widths(void)
{
    int64_t values[COUNT_MAX];
    for (int i = 0; i < COUNT_MAX; i++)
        values[i] = 1000 + 3 * i;
    EXPECT(around(values, COUNT_MAX, NULL) == 0);
    EXPECT(around(values, 1, NULL) == 0);
    values[5] += 1;
    EXPECT(around(values, COUNT_MAX, NULL) == 1);
    for (int i = 0; i < COUNT_MAX; i++)
        values[i] = i % 2 == 0 ? -64 : 63;
    EXPECT(around(values, COUNT_MAX, NULL) == 7);
    values[0] = INT64_MIN;
    EXPECT(around(values, COUNT_MAX, NULL) == PACK_NOT);
    values[0] = INT64_C(1) << 59, values[1] = 0; /* steep: the line alone would not fit */
    EXPECT(around(values, 2, NULL) == 0);
    uint64_t none[COUNT_MAX / 64] = {0}, late[COUNT_MAX / 64] = {0};
    EXPECT(around(values, COUNT_MAX, none) == PACK_NOT);
    late[COUNT_MAX / 64 - 1] = UINT64_C(3) << 62;
    values[COUNT_MAX - 2] = 0, values[COUNT_MAX - 1] = INT64_C(1) << 59;
    EXPECT(around(values, COUNT_MAX, late) == 0);
}

static void test_random(void)
{
    int64_t values[COUNT_MAX];
    uint64_t present[COUNT_MAX / 64];
    int good = 1;
    for (int round = 0; round < 3000; round++) {
        uint32_t count = 1 + (uint32_t)draw(COUNT_MAX), bits = (uint32_t)draw(64);
        int64_t slope = (int64_t)draw(0) >> (20 + draw(43));
        for (uint32_t i = 0; i < count; i++)
            values[i] = (int64_t)((uint64_t)slope * i + (draw(0) >> bits));
        for (uint32_t i = 0; i < COUNT_MAX / 64; i++)
            present[i] = draw(0) | (round % 2 == 0 ? UINT64_MAX : 0);
        good = good && around(values, count, present) >= 0;
    }
    EXPECT(good);
}

static void test_decimals(void)
{
    double values[] = {12.5, -0.25, 3, 99.9999};
    int64_t scaled[4];
    uint32_t exponent;
    EXPECT(pack_decimals(values, 4, NULL, scaled, &exponent) && exponent == 4 &&
           scaled[0] == 125000 && scaled[3] == 999999);
    EXPECT(pack_decimals(values + 2, 1, NULL, scaled, &exponent) && exponent == 0 &&
           scaled[0] == 3);
    static const double none[] = {-0.0, NAN, INFINITY, 1.0 / 3, 1e300, 5e-324};
    for (int i = 0; i < 6; i++)
        EXPECT(!pack_decimals(&none[i], 1, NULL, scaled, &exponent));
}

/* ---- the forms of unpacking ---- */

typedef struct Form {
    const char *name;
    void (*unpack)(const Packed *, uint32_t, uint32_t, int64_t *);
    void (*decimals)(const int64_t *, uint32_t, double, double *);
} Form;

/* Those that this processor has; the first is the one that the others are held against. */
static size_t forms_here(Form *out)
{
    size_t count = 0;
    out[count++] = (Form){"scalar", unpack_scalar, decimals_scalar};
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2")) out[count++] = (Form){"avx2", unpack_avx2, decimals_avx2};
    if (__builtin_cpu_supports("avx512vbmi"))
        out[count++] = (Form){"avx512", unpack_avx512, decimals_avx512};
#endif
    return count;
}

/* Random residuals in as many bytes as there must be, for a sanitizer to see who reads beyond. */
static int unpacks(const Form *form, uint32_t width, uint32_t count)
{
    int64_t *out = malloc(count * sizeof *out);
    size_t bytes = packed_bytes(count, width) - PACK_HEADER_BYTES;
    char *bits = malloc(bytes);
    int good = 1;
    for (size_t i = 0; i < bytes; i++)
        bits[i] = (char)draw(256);
    Packed packed = {draw(0), draw(0) >> draw(64), width, bits};
    for (int round = 0; round < 8; round++) {
        uint32_t from = (uint32_t)draw(count), some = (uint32_t)draw(count - from + 1);
        form->unpack(&packed, from, some, out);
        for (uint32_t i = 0; i < some; i++)
            good = good && out[i] == packed_get(&packed, from + i);
    }
    free(bits);
    free(out);
    return good;
}

static int same_decimals(const Form *form)
{
    int64_t in[100];
    double want[100], got[100];
    int good = 1;
    for (uint32_t e = 0; e <= PACK_EXPONENT_MAX; e++)
        for (uint32_t count = 0; count <= 100; count += 1 + (uint32_t)draw(9)) {
            for (uint32_t i = 0; i < count; i++)
                in[i] = ((int64_t)draw(0) >> 13) / ((int64_t)1 << draw(50)); /* below 2 ^ 51 */
            decimals_scalar(in, count, pack_power(e), want);
            form->decimals(in, count, pack_power(e), got);
            good = good && memcmp(want, got, count * sizeof *want) == 0;
        }
    return good;
}

static void test_forms(void)
{
    Form forms[4];
    size_t count = forms_here(forms);
    for (size_t f = 0; f < count; f++) {
        int good = 1;
        for (uint32_t width = 1; width <= PACK_WIDTH_MAX; width++)
            for (uint32_t rows = 1; rows < 200; rows += 1 + (uint32_t)draw(30))
                good = good && unpacks(&forms[f], width, rows);
        EXPECT(good);
        EXPECT(same_decimals(&forms[f]));
        printf("# %s\n", forms[f].name);
    }
}

int main(void)
{
    test_forms();
    test_widths();
    test_random();
    test_decimals();
    return DONE();
}
