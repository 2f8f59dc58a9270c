/* The parser: places, limits, what is expected, statements one after another. */
#include "config.h"

#include "parser/ast.h"
#include "test.h"

static ErrorCode code_of(const char *text)
{
    Arena *arena = arena_create();
    AstStatement *statement;
    Error *error = parser_parse(arena, str_from(text), &statement);
    ErrorCode code = error == NULL ? ERROR_NONE : error_code(error);
    error_drop(error);
    arena_destroy(arena);
    return code;
}

static int expects(const char *text, const char *token)
{
    const char *tokens[256];
    size_t count = parser_expected(str_from(text), strlen(text), tokens, 256);
    for (size_t i = 0; i < count; i++)
        if (strcmp(tokens[i], token) == 0) return 1;
    return 0;
}

static void nested(int depth, ErrorCode expected)
{
    Buffer text = {0};
    buffer_text(&text, "RETURN ");
    for (int i = 0; i < depth; i++)
        buffer_char(&text, '[');
    buffer_char(&text, '1');
    for (int i = 0; i < depth; i++)
        buffer_char(&text, ']');
    EXPECT(code_of(text.data) == expected);
    buffer_free(&text);
}

int main(void)
{
    for (size_t i = 1; i < parser_keyword_count(); i++)
        if (strcmp(parser_keyword(i - 1, NULL), parser_keyword(i, NULL)) >= 0)
            EXPECT(!"keywords are sorted");
    EXPECT(code_of("MATCH (user:User)-[:OWNS]->(doc:Document) VECTOR SIMILAR TO user.embedding "
                   "LIMIT 10 RETURN doc.title, similarity_score") == ERROR_NONE);
    EXPECT(code_of("MATCH (vector) RETURN vector.similar AS text") == ERROR_NONE);
    EXPECT(code_of("RETURN -9223372036854775808") == ERROR_NONE);
    EXPECT(code_of("RETURN -0x8000000000000000") == ERROR_NONE);
    EXPECT(code_of("RETURN 92233720368547758080") == ERROR_INTEGER_OVERFLOW);
    EXPECT(code_of("RETURN 12ab") == ERROR_INVALID_NUMBER_LITERAL);
    EXPECT(code_of("RETURN '\\uZZZZ'") == ERROR_INVALID_UNICODE_LITERAL);
    EXPECT(code_of("RETURN 1 \xe2\x80\x94 2") == ERROR_INVALID_UNICODE_CHARACTER);
    EXPECT(code_of("RETURN 1.0e999") == ERROR_FLOATING_POINT_OVERFLOW);
    EXPECT(code_of("RETURN 'open") == ERROR_UNEXPECTED_SYNTAX);
    EXPECT(code_of("") == ERROR_UNEXPECTED_SYNTAX);
    nested(QUERY_DEPTH_MAX, ERROR_NONE);
    nested(QUERY_DEPTH_MAX + 1, ERROR_TOO_DEEP);
    EXPECT(expects("MATCH (n RETURN n", ")") == 0 && expects("MATCH (n", ")") &&
           expects("MATCH (n:L) WHERE n.x STARTS ", "WITH"));
    EXPECT(expects("MATCH (d:Doc) VECTOR ", "SIMILAR") && expects("", "MATCH") &&
           !expects("", "SUBSCRIBE"));
    bool complete;
    EXPECT(parser_statement_end_of(STR("RETURN ';'; RETURN 2"), &complete) == 11 && complete);
    EXPECT(parser_statement_end_of(STR("RETURN 1"), &complete) == 8 && !complete);
    EXPECT(parser_is_blank(STR("  /* nothing */ ; ")) && !parser_is_blank(STR("RETURN 1")));
    TokenSpan spans[16];
    size_t count = parser_tokens(STR("MATCH (n:Paper) // end"), spans, 16);
    EXPECT(count == 7 && spans[0].class == TOKEN_CLASS_KEYWORD &&
           spans[4].class == TOKEN_CLASS_LABEL && spans[6].class == TOKEN_CLASS_COMMENT);
    return DONE();
}
