/* csv.c - fields of separated text. */
#include "config.h"

#include "base/csv.h"

static bool needs_quotes(Str text, char delimiter, char quote)
{
    for (size_t i = 0; i < text.bytes; i++) {
        char c = text.data[i];
        if (c == delimiter || c == quote || c == '\n' || c == '\r') return true;
    }
    return text.bytes == 0;
}

void csv_put_field(Buffer *out, Str text, char delimiter, char quote)
{
    if (!needs_quotes(text, delimiter, quote)) {
        buffer_str(out, text);
        return;
    }
    buffer_char(out, quote);
    for (size_t i = 0; i < text.bytes; i++) {
        if (text.data[i] == quote) buffer_char(out, quote);
        buffer_char(out, text.data[i]);
    }
    buffer_char(out, quote);
}
