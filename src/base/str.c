/* str.c - text with a length, UTF-8, and the growing buffer. */
#include "config.h"

#include "base/str.h"
#include <stdarg.h>
#include <stdio.h>

int str_compare(Str a, Str b)
{
    size_t common = a.bytes < b.bytes ? a.bytes : b.bytes;
    int order = common == 0 ? 0 : memcmp(a.data, b.data, common);
    if (order != 0) return order < 0 ? -1 : 1;
    return a.bytes < b.bytes ? -1 : a.bytes > b.bytes;
}

static unsigned char lower(char c)
{
    return (unsigned char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
}

bool str_equal_ignore_case(Str a, Str b)
{
    if (a.bytes != b.bytes) return false;
    for (size_t i = 0; i < a.bytes; i++)
        if (lower(a.data[i]) != lower(b.data[i])) return false;
    return true;
}

Str str_copy(Arena *arena, Str text)
{
    return (Str){arena_copy(arena, text.data, text.bytes), text.bytes};
}

enum { DISTANCE_BYTES_MAX = 64 }; /* names longer than this are never suggested */

/* Optimal string alignment: insert, delete, replace, swap of neighbours; three rows of the usual
 * table. */
size_t str_distance(Str a, Str b, size_t max)
{
    size_t rows[3][DISTANCE_BYTES_MAX + 1];
    if (a.bytes > DISTANCE_BYTES_MAX || b.bytes > DISTANCE_BYTES_MAX) return max + 1;
    for (size_t j = 0; j <= b.bytes; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= a.bytes; i++) {
        size_t *row = rows[i % 3], *above = rows[(i - 1) % 3], *two = rows[(i + 1) % 3];
        row[0] = i;
        for (size_t j = 1; j <= b.bytes; j++) {
            size_t cost = lower(a.data[i - 1]) != lower(b.data[j - 1]);
            size_t best = above[j - 1] + cost;
            if (above[j] + 1 < best) best = above[j] + 1;
            if (row[j - 1] + 1 < best) best = row[j - 1] + 1;
            bool swapped = i > 1 && j > 1 && lower(a.data[i - 1]) == lower(b.data[j - 2]) &&
                           lower(a.data[i - 2]) == lower(b.data[j - 1]);
            if (swapped && two[j - 2] + 1 < best) best = two[j - 2] + 1;
            row[j] = best;
        }
    }
    size_t distance = rows[a.bytes % 3][b.bytes];
    return distance > max ? max + 1 : distance;
}

/* ---- UTF-8 ---- */

int32_t utf8_next(Str text, size_t *at)
{
    const unsigned char *s = (const unsigned char *)text.data + *at;
    size_t left = text.bytes - *at;
    if (left == 0) return -1;
    if (s[0] < 0x80) return (*at)++, s[0];
    size_t length = s[0] >= 0xf0 && s[0] < 0xf5 ? 4 : s[0] >= 0xe0 ? 3 : s[0] >= 0xc2 ? 2 : 1;
    if (length == 1 || s[0] >= 0xf5 || left < length) return (*at)++, -1;
    int32_t point = s[0] & (0xff >> (length + 1));
    for (size_t i = 1; i < length; i++) {
        if ((s[i] & 0xc0) != 0x80) return (*at)++, -1;
        point = point << 6 | (s[i] & 0x3f);
    }
    static const int32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    bool bad = point < least[length] || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff);
    *at += bad ? 1 : length;
    return bad ? -1 : point;
}

size_t utf8_put(char out[4], uint32_t c)
{
    if (c < 0x80) return out[0] = (char)c, 1;
    if (c < 0x800) return out[0] = (char)(0xc0 | c >> 6), out[1] = (char)(0x80 | (c & 0x3f)), 2;
    if (c < 0x10000) {
        out[0] = (char)(0xe0 | c >> 12), out[1] = (char)(0x80 | (c >> 6 & 0x3f));
        out[2] = (char)(0x80 | (c & 0x3f));
        return 3;
    }
    out[0] = (char)(0xf0 | c >> 18), out[1] = (char)(0x80 | (c >> 12 & 0x3f));
    out[2] = (char)(0x80 | (c >> 6 & 0x3f)), out[3] = (char)(0x80 | (c & 0x3f));
    return 4;
}

bool utf8_valid(Str text)
{
    size_t at = 0;
    while (at < text.bytes) {
        uint64_t eight, line[4];
        if (text.bytes - at >= sizeof line) {
            memcpy(line, text.data + at, sizeof line);
            if (((line[0] | line[1] | line[2] | line[3]) & UINT64_C(0x8080808080808080)) == 0) {
                at += sizeof line;
                continue;
            }
        }
        if (text.bytes - at >= sizeof eight) { /* of ASCII most often */
            memcpy(&eight, text.data + at, sizeof eight);
            if ((eight & UINT64_C(0x8080808080808080)) == 0) {
                at += sizeof eight;
                continue;
            }
        }
        if ((unsigned char)text.data[at] < 0x80)
            at++;
        else if (utf8_next(text, &at) < 0)
            return false;
    }
    return true;
}

size_t utf8_count(Str text)
{
    size_t count = 0;
    for (size_t i = 0; i < text.bytes; i++)
        count += ((unsigned char)text.data[i] & 0xc0) != 0x80;
    return count;
}

size_t utf8_offset(Str text, size_t code_points)
{
    size_t at = 0;
    while (at < text.bytes && code_points > 0) {
        utf8_next(text, &at);
        code_points--;
    }
    return at;
}

/* ---- buffer ---- */

void buffer_free(Buffer *buffer)
{
    mem_free(buffer->data);
    *buffer = (Buffer){0};
}

void buffer_clear(Buffer *buffer)
{
    buffer->bytes = 0;
    if (buffer->data != NULL) buffer->data[0] = '\0';
}

char *buffer_reserve(Buffer *buffer, size_t bytes)
{
    mem_reserve(buffer->data, buffer->capacity, buffer->bytes + bytes + 1);
    return buffer->data + buffer->bytes;
}

void buffer_append(Buffer *buffer, const void *data, size_t bytes)
{
    char *to = buffer_reserve(buffer, bytes);
    if (bytes > 0) memcpy(to, data, bytes);
    to[bytes] = '\0';
    buffer->bytes += bytes;
}

void buffer_str(Buffer *buffer, Str text)
{
    buffer_append(buffer, text.data, text.bytes);
}

void buffer_text(Buffer *buffer, const char *text)
{
    buffer_append(buffer, text, strlen(text));
}

void buffer_printf(Buffer *buffer, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int bytes = vsnprintf(NULL, 0, format, args);
    va_end(args);
    char *to = buffer_reserve(buffer, (size_t)bytes);
    va_start(args, format);
    vsnprintf(to, (size_t)bytes + 1, format, args);
    va_end(args);
    buffer->bytes += (size_t)bytes;
}

Str buffer_view(const Buffer *buffer)
{
    return (Str){buffer->data == NULL ? "" : buffer->data, buffer->bytes};
}
