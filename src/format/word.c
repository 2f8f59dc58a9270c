/* word.c - what a statement begins with. */
#include "config.h"

#include "format/format.h"

Str format_first_word(Str text)
{
    contextql_token token;
    size_t count = 0;
    while (contextql_tokenize(text.data, text.bytes, &token, 1, &count) == CONTEXTQL_OK &&
           count > 0) {
        if (token.kind != CONTEXTQL_TOKEN_COMMENT)
            return (Str){text.data + token.offset, token.length};
        text.data += token.offset + token.length;
        text.bytes -= token.offset + token.length;
    }
    return STR("");
}
