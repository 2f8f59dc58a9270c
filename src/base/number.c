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

/* Prices, scores, measures: a decimal of up to fifteen digits, eight behind the point, found by a
 * division that is rounded correctly because both its sides are exact. Only one such decimal reads
 * back as `value`, so it is the one `shortest` would find. 0: it is none. */
static size_t plain_decimal(char *out, double value)
{
    double magnitude = fabs(value), power = 10;
    if (!(magnitude >= 1e-4 && magnitude < 1e7)) return 0;
    for (int digits = 1; digits <= 8; digits++, power *= 10) {
        double scaled = rint(magnitude * power);
        if (scaled / power != magnitude) continue;
        char reversed[FLOAT_TEXT_MAX];
        size_t count = 0, bytes = 0;
        for (uint64_t rest = (uint64_t)scaled; rest > 0 || (int)count <= digits; rest /= 10)
            reversed[count++] = (char)('0' + rest % 10);
        if (value < 0) out[bytes++] = '-';
        while (count > 0) {
            if ((int)count == digits) out[bytes++] = '.';
            out[bytes++] = reversed[--count];
        }
        out[bytes] = '\0';
        return bytes;
    }
    return 0;
}

size_t float_print(char out[FLOAT_TEXT_MAX], double value)
{
    size_t bytes;
    if (isnan(value)) return (size_t)snprintf(out, FLOAT_TEXT_MAX, "NaN");
    if (isinf(value))
        return (size_t)snprintf(out, FLOAT_TEXT_MAX, value > 0 ? "Infinity" : "-Infinity");
    if (value == floor(value) && fabs(value) < 1e16)
        return (size_t)snprintf(out, FLOAT_TEXT_MAX, "%.0f.0", value);
    if ((bytes = plain_decimal(out, value)) > 0) return bytes;
    shortest(out, FLOAT_TEXT_MAX, value);
    trim_exponent(out);
    if (strpbrk(out, ".e") == NULL) strcat(out, ".0");
    return strlen(out);
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
