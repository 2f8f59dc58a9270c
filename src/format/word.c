/* word.c - what a statement begins with. */
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
