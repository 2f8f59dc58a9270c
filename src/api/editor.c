/* editor.c - what an editor asks of a text alone: none of these runs it. More: suggest.c. */
#include "config.h"

#include "api/api_internal.h"
#include "expression/functions.h"
#include "parser/ast.h"

bool contextql_is_complete(const char *text, size_t size, size_t *end)
{
    bool complete;
    size_t at = parser_statement_end_of((Str){text, size}, &complete);
    if (end != NULL) *end = at;
    return complete;
}

int contextql_tokenize(const char *text, size_t size, contextql_token *out, size_t max,
                       size_t *count)
{
    static const contextql_token_kind kinds[] = {[TOKEN_CLASS_NAME] = CONTEXTQL_TOKEN_NAME,
                                                 [TOKEN_CLASS_KEYWORD] = CONTEXTQL_TOKEN_KEYWORD,
                                                 [TOKEN_CLASS_STRING] = CONTEXTQL_TOKEN_STRING,
                                                 [TOKEN_CLASS_NUMBER] = CONTEXTQL_TOKEN_NUMBER,
                                                 [TOKEN_CLASS_PARAMETER] =
                                                     CONTEXTQL_TOKEN_PARAMETER,
                                                 [TOKEN_CLASS_OPERATOR] = CONTEXTQL_TOKEN_OPERATOR,
                                                 [TOKEN_CLASS_BRACKET] = CONTEXTQL_TOKEN_BRACKET,
                                                 [TOKEN_CLASS_COMMENT] = CONTEXTQL_TOKEN_COMMENT,
                                                 [TOKEN_CLASS_FUNCTION] = CONTEXTQL_TOKEN_FUNCTION,
                                                 [TOKEN_CLASS_LABEL] = CONTEXTQL_TOKEN_LABEL,
                                                 [TOKEN_CLASS_BAD] = CONTEXTQL_TOKEN_BAD};
    TokenSpan *spans = mem_alloc((max + 1) * sizeof *spans);
    *count = parser_tokens((Str){text, size}, spans, max);
    for (size_t i = 0; i < *count && i < max; i++)
        out[i] = (contextql_token){spans[i].offset, spans[i].length, kinds[spans[i].class]};
    mem_free(spans);
    return CONTEXTQL_OK;
}

bool contextql_refuses(const char *text, size_t size, size_t *offset, size_t *length)
{
    Str statement = {text, parser_statement_end((Str){text, size})};
    return parser_refuses(statement, offset, length);
}

bool contextql_function_at(size_t i, contextql_function_info *out)
{
    FunctionText text;
    if (!function_text(i, &text)) return false;
    *out = (contextql_function_info){text.group,   text.name,    text.signature,
                                     text.summary, text.example, text.result};
    return true;
}

/* Words of statements that this version parses but does not run are left out. */
bool contextql_keyword_at(size_t i, contextql_keyword *out)
{
    for (size_t at = 0; at < parser_keyword_count(); at++) {
        const char *meaning, *word = parser_keyword(at, &meaning);
        if (meaning[0] == '\0' || i-- > 0) continue;
        *out = (contextql_keyword){word, meaning};
        return true;
    }
    return false;
}
