/* word.c - what a statement begins with; words in rows. */
#include "config.h"

#include "format/format.h"

enum { WINDOW_BYTES = 64 }; /* most first words end within; a statement may be a megabyte long */

Str format_first_word(Str text)
{
    contextql_token token;
    size_t window = WINDOW_BYTES;
    for (;;) {
        size_t count = 0, bytes = text.bytes < window ? text.bytes : window;
        if (contextql_tokenize(text.data, bytes, &token, 1, &count) != CONTEXTQL_OK) return STR("");
        bool cut = count == 0 || token.offset + token.length == bytes;
        if (cut && bytes < text.bytes) {
            window *= 4;
            continue;
        }
        if (count == 0) return STR("");
        if (token.kind != CONTEXTQL_TOKEN_COMMENT)
            return (Str){text.data + token.offset, token.length};
        text.data += token.offset + token.length;
        text.bytes -= token.offset + token.length;
    }
}

static size_t word_end(Str text, size_t at)
{
    while (at < text.bytes && text.data[at] != ' ' && text.data[at] != '\n')
        at++;
    return at;
}

static size_t begin_row(Buffer *out, size_t indent)
{
    buffer_printf(out, "\n%*s", (int)indent, "");
    return indent;
}

void format_wrapped(Buffer *out, Str text, size_t column, size_t indent, size_t width)
{
    bool first = true; /* of its row */
    for (size_t at = 0; at < text.bytes;) {
        size_t end = word_end(text, at);
        size_t columns = utf8_count((Str){text.data + at, end - at});
        if (!first && columns > 0 && column + 1 + columns > width) {
            column = begin_row(out, indent);
            first = true;
        }
        if (!first && columns > 0) buffer_char(out, ' '), column++;
        buffer_append(out, text.data + at, end - at);
        column += columns;
        first = first && columns == 0;
        if (end < text.bytes && text.data[end] == '\n') {
            column = begin_row(out, indent);
            first = true;
        }
        at = end + 1;
    }
}
