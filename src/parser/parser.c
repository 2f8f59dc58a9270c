/*
 * parser.c - drives the generated parser over the token array, and asks it what it expects.
 *
 * A refusal is reported at the token that could not be shifted, with every token that could have
 * been: the parser's own states answer that exactly (grammar_expected in contextql/grammar.y).
 */
#include "config.h"

#include "parser/parser_internal.h"

enum { EXPECTED_MAX = 256 };

/* Marked tokens and symbols by what a person would type. */
static const char *shown_name(int kind)
{
    static const struct {
        int kind;
        const char *name;
    } names[] = {{0, "end of input"},
                 {TOKEN_NAME, "a name"},
                 {TOKEN_QUOTED_NAME, NULL}, /* a name says it */
                 {TOKEN_STRING, "a text"},
                 {TOKEN_INTEGER, "an integer"},
                 {TOKEN_FLOAT, "a number"},
                 {TOKEN_FUNCTION, "a function"},
                 {TOKEN_QUANTIFIER, NULL},
                 {TOKEN_COUNT_STAR, NULL},
                 {TOKEN_SHORTEST, "shortestPath"},
                 {TOKEN_PATTERN_PAREN, "("},
                 {TOKEN_COMPREHENSION_BRACKET, "["},
                 {TOKEN_PATTERN_BRACKET, "["},
                 {TOKEN_LPAREN, "("},
                 {TOKEN_RPAREN, ")"},
                 {TOKEN_LBRACKET, "["},
                 {TOKEN_RBRACKET, "]"},
                 {TOKEN_LBRACE, "{"},
                 {TOKEN_RBRACE, "}"},
                 {TOKEN_COMMA, ","},
                 {TOKEN_DOT, "."},
                 {TOKEN_DOTDOT, ".."},
                 {TOKEN_COLON, ":"},
                 {TOKEN_SEMICOLON, ";"},
                 {TOKEN_PIPE, "|"},
                 {TOKEN_BAR, "|"},
                 {TOKEN_AMPERSAND, "&"},
                 {TOKEN_BANG, "!"},
                 {TOKEN_DOLLAR, "$"},
                 {TOKEN_PLUS, "+"},
                 {TOKEN_MINUS, "-"},
                 {TOKEN_STAR, "*"},
                 {TOKEN_SLASH, "/"},
                 {TOKEN_PERCENT, "%"},
                 {TOKEN_CARET, "^"},
                 {TOKEN_EQ, "="},
                 {TOKEN_NE, "<>"},
                 {TOKEN_LT, "<"},
                 {TOKEN_GT, ">"},
                 {TOKEN_LE, "<="},
                 {TOKEN_GE, ">="},
                 {TOKEN_REGEX, "=~"},
                 {TOKEN_PLUS_EQ, "+="}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (names[i].kind == kind) return names[i].name;
    return lexer_keyword_of(kind);
}

/* Words of statements that this version parses but does not run: never proposed. */
static bool is_executed(int kind)
{
    size_t count = parser_keyword_count();
    const char *word = lexer_keyword_of(kind), *meaning;
    for (size_t i = 0; word != NULL && i < count; i++)
        if (parser_keyword(i, &meaning) == word) return meaning[0] != '\0';
    return true;
}

static size_t name_all(const int *kinds, size_t count, const char **out, size_t max)
{
    size_t written = 0;
    for (size_t i = 0; i < count; i++) {
        const char *name = shown_name(kinds[i]);
        bool again = name == NULL || !is_executed(kinds[i]);
        for (size_t j = 0; j < written && !again; j++)
            again = strcmp(out[j], name) == 0;
        if (!again && written < max) out[written++] = name;
    }
    return written;
}

static void hint_at_keyword(Error *error, Token token, const char *const *expected, size_t count)
{
    Str written = {token.text, token.length};
    size_t best = 3;
    const char *nearest = NULL;
    for (size_t i = 0; i < count && lexer_is_word(&token); i++) {
        if (expected[i][0] < 'A' || expected[i][0] > 'Z') continue;
        size_t distance = str_distance(written, str_from(expected[i]), 2);
        if (distance < best && distance < written.bytes) best = distance, nearest = expected[i];
    }
    if (nearest != NULL) error_hint(error, "did you mean %s?", nearest);
}

/* What is said to who writes as in SQL; at the beginning of a statement, or behind COPY. */
static const char *hint_for_habit(const Parse *parse)
{
    static const char *const habits[][2] = {
        {"SELECT", "MATCH (n:Label) RETURN n.property gives rows; RETURN alone works, too"},
        {"INSERT", "CREATE (:Label {property: 'value'}) makes a node"},
        {"UPDATE", "MATCH (n:Label {id: 1}) SET n.property = 'value' changes one"},
        {"FROM", "MATCH (n:Label) RETURN n begins with what is looked for"},
        {"ALTER", "labels and properties need no declaration: SET n.property makes one"},
        {"DESCRIBE", "SHOW LABELS, SHOW PROPERTIES; in a session :schema and :describe"},
        {"PRAGMA", "SHOW SETTINGS; in a session :settings NAME VALUE"}};
    Str word = {parse->at.text, parse->at.length};
    for (size_t i = 0; parse->index == 0 && i < sizeof habits / sizeof *habits; i++)
        if (str_equal_ignore_case(word, str_from(habits[i][0]))) return habits[i][1];
    if (parse->at.kind == TOKEN_BANG && parse->at.text[1] == '=') return "not equal is <>";
    if (parse->index != 1 || parse->tokens->items[0].kind != TOKEN_COPY) return NULL;
    return lexer_is_word(&parse->at) ? "COPY :Label FROM 'file' loads nodes, COPY [:TYPE] FROM "
                                       "'file' relationships"
                                     : NULL;
}

/* `[:TYPE..]` and `[*-2]`: a sign that has no place in the brackets of a relationship, which begin
 * behind a `-`. */
static bool is_bad_length(const TokenArray *tokens, size_t at)
{
    Str sign = {tokens->items[at].text, tokens->items[at].length};
    if (!str_equal(sign, STR("..")) && !str_equal(sign, STR("-"))) return false;
    while (at > 0 && tokens->items[at].text[0] != '[')
        at--;
    return at > 0 && tokens->items[at - 1].text[0] == '-';
}

void parse_refused(Parse *parse, void *parser)
{
    int kinds[EXPECTED_MAX];
    const char *expected[EXPECTED_MAX];
    if (parse->error != NULL) return;
    size_t count = name_all(kinds, grammar_expected(parser, kinds), expected, EXPECTED_MAX);
    Token token = parse->at;
    Buffer message = {0};
    if (token.kind == 0)
        buffer_text(&message, "the statement ends too early");
    else
        buffer_printf(&message, "unexpected `%.*s`", token_shown_bytes(token), token.text);
    enum { SHOWN_MAX = 6 }; /* a longer list helps nobody in a message; `expected` has them all */
    for (size_t i = 0; i < count && count <= SHOWN_MAX; i++)
        buffer_printf(&message, "%s%s",
                      i == 0           ? ", expected "
                      : i + 1 == count ? " or "
                                       : ", ",
                      expected[i]);
    ErrorCode code = is_bad_length(parse->tokens, parse->index) ? ERROR_INVALID_RELATIONSHIP_PATTERN
                                                                : ERROR_UNEXPECTED_SYNTAX;
    parse->error = error_at(error_new(code, "%s", message.data), token.offset, token.length);
    buffer_free(&message);
    error_expect(parse->error, expected, count);
    const char *hint = hint_for_habit(parse);
    if (hint != NULL)
        error_hint(parse->error, "%s", hint);
    else
        hint_at_keyword(parse->error, token, expected, count);
}

/* Feeds `count` tokens; stops at the first error, which parse->error then holds. */
static void feed(Parse *parse, void *parser, const TokenArray *tokens, size_t count)
{
    parse->tokens = tokens;
    for (size_t i = 0; i < count && parse->error == NULL; i++) {
        parse->at = tokens->items[i];
        parse->index = i;
        grammar(parser, parse->at.kind, parse->at, parse);
        if (grammar_depth(parser) <= GRAMMAR_STATES_MAX || parse->error != NULL) continue;
        parse->error = levels_exceeded(parse->at.offset, parse->at.length);
    }
}

/* What may follow `before`, which may end anywhere: kinds of tokens, or none where it is wrong
 * already. */
static size_t kinds_after(Str before, int kinds[EXPECTED_MAX])
{
    TokenArray tokens = {0};
    Arena *arena = arena_create();
    lexer_tokenize_prefix(before, &tokens);
    Parse parse = {.arena = arena, .text = before, .statement = arena_new(arena, AstStatement)};
    void *parser = grammarAlloc(mem_alloc);
    feed(&parse, parser, &tokens, tokens.count - 1);
    size_t count = parse.error == NULL ? grammar_expected(parser, kinds) : 0;
    error_drop(parse.error);
    grammarFree(parser, mem_free);
    mem_free(tokens.items);
    arena_destroy(arena);
    return count;
}

/* `12ab` is a bad number where a number may stand, and just not what is wanted elsewhere. */
static Error *bad_token_at(Str text, Error *error)
{
    int kinds[EXPECTED_MAX];
    const char *expected[EXPECTED_MAX];
    if (error_code(error) != ERROR_INVALID_NUMBER_LITERAL) return error;
    size_t offset = error_offset(error), length = error_length(error);
    size_t count = kinds_after((Str){text.data, offset}, kinds);
    for (size_t i = 0; i < count; i++)
        if (kinds[i] == TOKEN_INTEGER) return error;
    if (count == 0) return error;
    count = name_all(kinds, count, expected, EXPECTED_MAX);
    error_drop(error);
    error = error_at(
        error_new(ERROR_UNEXPECTED_SYNTAX, "unexpected `%.*s`", (int)length, text.data + offset),
        offset, length);
    error_expect(error, expected, count);
    return error;
}

Error *parser_parse(Arena *arena, Str text, AstStatement **out)
{
    TokenArray tokens = {0};
    if (text.bytes > QUERY_BYTES_MAX)
        return error_new(ERROR_TOO_LONG, "a statement has at most %d MiB", QUERY_BYTES_MAX >> 20);
    Error *error = lexer_tokenize(text, &tokens);
    if (error != NULL) {
        mem_free(tokens.items);
        return bad_token_at(text, error);
    }
    Parse parse = {.arena = arena, .text = text, .statement = arena_new(arena, AstStatement)};
    parse.statement->length = text.bytes;
    void *parser = grammarAlloc(mem_alloc);
    feed(&parse, parser, &tokens, tokens.count);
    grammarFree(parser, mem_free);
    mem_free(tokens.items);
    if (parse.error == NULL) parse.error = levels_check(parse.statement);
    if (parse.error != NULL) return parse.error;
    *out = parse.statement;
    return NULL;
}

size_t parser_expected(Str text, size_t cursor, const char **out, size_t max)
{
    int kinds[EXPECTED_MAX];
    Str before = {text.data, cursor < text.bytes ? cursor : text.bytes};
    return name_all(kinds, kinds_after(before, kinds), out, max);
}

static bool refuses(Str text, bool growing, size_t *offset, size_t *length)
{
    TokenArray tokens = {0};
    Arena *arena = arena_create();
    lexer_tokenize_prefix(text, &tokens);
    size_t count = tokens.count - 1;
    const Token *last = count == 0 ? NULL : &tokens.items[count - 1];
    bool touches = last != NULL && last->offset + last->length == text.bytes;
    if (growing && touches && lexer_is_word(last)) count--;
    Parse parse = {.arena = arena, .text = text, .statement = arena_new(arena, AstStatement)};
    void *parser = grammarAlloc(mem_alloc);
    feed(&parse, parser, &tokens, count);
    bool refused = parse.error != NULL && error_has_place(parse.error);
    if (refused) *offset = error_offset(parse.error), *length = error_length(parse.error);
    error_drop(parse.error);
    grammarFree(parser, mem_free);
    mem_free(tokens.items);
    arena_destroy(arena);
    return refused;
}

/* What a bracket opens is known by what follows its partner: `(a)-[:T` in an expression is a
 * pattern only if `]-(` comes. So a refusal counts if none of the usual ends takes it away. */
bool parser_refuses(Str text, size_t *offset, size_t *length)
{
    static const char *const ends[] = {")", "]", "]-()", "-()", "->()", "()"};
    size_t at = 0, bytes = 0;
    if (!refuses(text, true, &at, &bytes)) return false;
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        Buffer longer = {0};
        size_t later, unused;
        buffer_str(&longer, text);
        buffer_text(&longer, ends[i]);
        bool still = refuses(buffer_view(&longer), false, &later, &unused) && later <= at;
        buffer_free(&longer);
        if (!still) return false;
    }
    *offset = at, *length = bytes;
    return true;
}
