/* number.c - numbers to text and back, the same in every locale. */
#include "config.h"

#include "base/str.h"
#include <float.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* Fifteen digits bring back most doubles, seventeen all of them: the first that does is the
 * shortest. Below the normal range fewer digits may do. */
static void shortest(char *out, size_t capacity, double value)
{
    for (int digits = fabs(value) < DBL_MIN ? 1 : 15; digits <= 17; digits++) {
        int bytes = snprintf(out, capacity, "%.*g", digits, value);
        if (bytes < 0 || (size_t)bytes >= capacity) return; /* cannot be: 24 characters at most */
        for (char *c = out; *c != '\0'; c++)
            if (*c == ',') *c = '.'; /* a locale's decimal comma */
        double back;
        if (float_parse(str_from(out), &back) && back == value) return;
    }
}

/* "1e+06" becomes "1e6"; "1e-07" becomes "1e-7". */
static void trim_exponent(char *text)
{
    char *e = strchr(text, 'e');
    if (e == NULL) return;
    char *from = e + 1, *to = e + 1;
    if (*from == '-')
        from++, to++;
    else if (*from == '+')
        from++;
    while (*from == '0' && from[1] != '\0')
        from++;
    memmove(to, from, strlen(from) + 1);
}

/* ---- decimals by whole numbers ---- */

/* So many bits, and the digits that bring back most and all values of a kind. */
typedef struct Precision {
    int bits, digits_least, digits_most;
} Precision;
static const Precision of_double = {53, 15, 17}, of_float = {24, 6, 9};

typedef unsigned __int128 Wide;

static Wide ten_to(int zeros)
{
    Wide power = zeros & 16 ? UINT64_C(10000000000000000) : 1;
    return power * (zeros & 8 ? 100000000 : 1) * (zeros & 4 ? 10000 : 1) * (zeros & 2 ? 100 : 1) *
           (zeros & 1 ? 10 : 1);
}

/* The compiler knows `power`, and divides by multiplying. */
static inline void drop_zeros(uint64_t *decimal, int *behind, uint64_t power, int zeros)
{
    if (*behind > zeros && *decimal % power == 0) *decimal /= power, *behind -= zeros;
}

/* With `behind` digits behind the point, less the zeros at the end, but for one. */
static size_t put_decimal(char *out, bool negative, uint64_t decimal, int behind)
{
    char reversed[FLOAT_TEXT_MAX];
    size_t count = 0, bytes = 0;
    drop_zeros(&decimal, &behind, 100000000, 8);
    drop_zeros(&decimal, &behind, 100000000, 8);
    drop_zeros(&decimal, &behind, 10000, 4);
    drop_zeros(&decimal, &behind, 100, 2);
    drop_zeros(&decimal, &behind, 10, 1);
    for (; decimal > 0 || (int)count <= behind; decimal /= 10)
        reversed[count++] = (char)('0' + decimal % 10);
    if (negative) out[bytes++] = '-';
    while (count > 0) {
        if ((int)count == behind) out[bytes++] = '.';
        out[bytes++] = reversed[--count];
    }
    out[bytes] = '\0';
    return bytes;
}

typedef enum Nearness { NEAR, FAR, UNSURE } Nearness;

/* Does a decimal bring the value back, so far away from it, in units of which `unit` are the value's last bit?
 * Below a power of two the next value is only half as far. At the edge it is for who reads texts to say. */
static Nearness nearness(Wide distance, Wide unit, bool power_of_two)
{
    enum { SURE_BITS = 26 };
    Wide edge = unit >> SURE_BITS;
    if (distance * (power_of_two ? 4 : 2) + edge < unit) return NEAR;
    return distance * 2 > unit + edge && !power_of_two ? FAR : UNSURE;
}

/* What `shortest` would find, for prices, scores, measures, components: from 0.0001 up to where the fewest
 * digits leave one behind the point, 128 bits hold value * 10^behind exactly. 0: it is not for here. */
static size_t plain_decimal(char *out, double value, Precision precision)
{
    enum { MANTISSA_BITS = 52, BIAS = 1023 };
    uint64_t bits, hidden = UINT64_C(1) << (precision.bits - 1);
    memcpy(&bits, &value, sizeof bits);
    if (!(fabs(value) >= 1e-4 && fabs(value) < (double)ten_to(precision.digits_least - 1)))
        return 0;
    int exponent = (int)(bits >> MANTISSA_BITS & 0x7ff) - BIAS,
        shift = precision.bits - 1 - exponent,
        before = (exponent + 196) * 1233 / 4096 - 59; /* digits before the point, but one; or two */
    uint64_t mantissa = (bits >> (MANTISSA_BITS + 1 - precision.bits) & (hidden - 1)) | hidden;
    int digits = precision.digits_least, behind = digits - 1 - before;
    Wide unit = ten_to(behind), half = (Wide)1 << (shift - 1);
    uint64_t limit = (uint64_t)ten_to(digits),
             decimal = (uint64_t)((mantissa * unit + half) >> shift);
    if (decimal >= limit) unit = ten_to(--behind);
    for (; behind > 0 && digits <= precision.digits_most; digits++, behind++, unit *= 10) {
        Wide exact = mantissa * unit;
        decimal = (uint64_t)((exact + half) >> shift);
        Wide near = (Wide)decimal << shift, distance = near > exact ? near - exact : exact - near;
        if (distance == half) return 0; /* which of the two is nearest is not for here, too */
        Nearness how = nearness(distance, unit, mantissa == hidden);
        if (how == NEAR) return put_decimal(out, value < 0, decimal, behind);
        if (how == UNSURE) return 0;
    }
    return 0;
}

/* ---- both ways ---- */

size_t float_print(char out[FLOAT_TEXT_MAX], double value)
{
    size_t bytes;
    if (isnan(value)) return (size_t)snprintf(out, FLOAT_TEXT_MAX, "NaN");
    if (isinf(value))
        return (size_t)snprintf(out, FLOAT_TEXT_MAX, value > 0 ? "Infinity" : "-Infinity");
    if ((bytes = plain_decimal(out, value, of_double)) > 0) return bytes;
    if (value == floor(value) && fabs(value) < 1e16)
        return (size_t)snprintf(out, FLOAT_TEXT_MAX, "%.0f.0", value);
    shortest(out, FLOAT_TEXT_MAX, value);
    trim_exponent(out);
    if (strpbrk(out, ".e") == NULL) strcat(out, ".0");
    return strlen(out);
}

void buffer_integer(Buffer *out, int64_t number)
{
    char digits[20];
    size_t count = 0;
    uint64_t rest = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
    do
        digits[sizeof digits - ++count] = (char)('0' + rest % 10);
    while ((rest /= 10) > 0);
    if (number < 0) digits[sizeof digits - ++count] = '-';
    buffer_append(out, digits + sizeof digits - count, count);
}

bool integer_parse(Str text, int64_t *out)
{
    size_t at = 0;
    bool negative = text.bytes > 0 && text.data[0] == '-';
    if (text.bytes > 0 && (text.data[0] == '-' || text.data[0] == '+')) at++;
    if (at == text.bytes) return false;
    enum { DIGITS_SAFE = 18 }; /* as many cannot be too many */
    uint64_t limit = negative ? (uint64_t)INT64_MAX + 1 : INT64_MAX, number = 0;
    for (size_t safe = at + DIGITS_SAFE; at < text.bytes; at++) {
        unsigned digit = (unsigned char)text.data[at] - '0';
        if (digit > 9 || (at >= safe && number > (limit - digit) / 10)) return false;
        number = number * 10 + digit;
    }
    *out = negative ? (int64_t)(0 - number) : (int64_t)number;
    return true;
}

static bool float_shape(Str text)
{
    size_t at = 0, digits = 0;
    if (at < text.bytes && (text.data[at] == '-' || text.data[at] == '+')) at++;
    for (; at < text.bytes && text.data[at] >= '0' && text.data[at] <= '9'; at++)
        digits++;
    if (at < text.bytes && text.data[at] == '.')
        for (at++; at < text.bytes && text.data[at] >= '0' && text.data[at] <= '9'; at++)
            digits++;
    if (digits == 0) return false;
    if (at == text.bytes) return true;
    if (text.data[at] != 'e' && text.data[at] != 'E') return false;
    at++;
    if (at < text.bytes && (text.data[at] == '-' || text.data[at] == '+')) at++;
    size_t first = at;
    while (at < text.bytes && text.data[at] >= '0' && text.data[at] <= '9')
        at++;
    return at > first && at == text.bytes;
}

/* Nine digits always bring a float back; fewer when they do. */
void float32_print(char out[FLOAT_TEXT_MAX], float value)
{
    double back = 0;
    if (plain_decimal(out, (double)value, of_float) > 0) return;
    if (value == 0) {
        strcpy(out,
               signbit(value) ? "-0.0" : "0.0"); /* of vectors of few components there are many */
        return;
    }
    for (int digits = 6; digits <= 9; digits++) {
        snprintf(out, FLOAT_TEXT_MAX, "%.*g", digits, (double)value);
        for (char *c = out; *c != '\0'; c++)
            if (*c == ',') *c = '.'; /* a locale's decimal comma */
        if (float_parse(str_from(out), &back) && (float)back == value) break;
    }
    if (strpbrk(out, ".en") == NULL) strcat(out, ".0"); /* e: an exponent; n: nan, inf */
}

/* The program around us may have set a locale with a decimal comma. */
static double parse_in_c_locale(const char *text)
{
    locale_t c = newlocale(LC_NUMERIC_MASK, "C", (locale_t)0);
    double number = c == (locale_t)0 ? strtod(text, NULL) : strtod_l(text, NULL, c);
    if (c != (locale_t)0) freelocale(c);
    return number;
}

bool float_parse(Str text, double *out)
{
    char small[64], *copy = small;
    if (!float_shape(text)) return false;
    if (text.bytes >= sizeof small) copy = mem_alloc(text.bytes + 1);
    memcpy(copy, text.data, text.bytes);
    copy[text.bytes] = '\0';
    *out = localeconv()->decimal_point[0] == '.' ? strtod(copy, NULL) : parse_in_c_locale(copy);
    if (copy != small) mem_free(copy);
    return true;
}
