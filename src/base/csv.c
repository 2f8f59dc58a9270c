/* csv.c - fields of separated text. Nearly all need no quotes, so most of the time goes into seeing that. */
#include "config.h"

#include "base/bits.h"
#include "base/csv.h"
#include <string.h>

static bool needs_quotes(Str text, char delimiter, char quote)
{
    uint64_t found = 0;
    size_t i = 0;
    if (text.bytes == 0) return true;
    for (; i + sizeof found <= text.bytes && found == 0; i += sizeof found) {
        uint64_t word = bytes_at(text.data + i);
        found = bytes_equal(word, (unsigned char)delimiter) |
                bytes_equal(word, (unsigned char)quote) | bytes_equal(word, '\n') |
                bytes_equal(word, '\r');
    }
    for (; i < text.bytes && found == 0; i++) {
        char c = text.data[i];
        found = c == delimiter || c == quote || c == '\n' || c == '\r';
    }
    return found != 0;
}

void csv_put_field(Buffer *out, Str text, char delimiter, char quote)
{
    if (!needs_quotes(text, delimiter, quote)) {
        buffer_str(out, text);
        return;
    }
    buffer_char(out, quote);
    for (const char *from = text.data, *end = from + text.bytes, *next; from < end; from = next) {
        const char *at = memchr(from, quote, (size_t)(end - from));
        next = at == NULL ? end : at + 1;
        buffer_append(out, from, (size_t)(next - from));
        if (at != NULL) buffer_char(out, quote);
    }
    buffer_char(out, quote);
}
