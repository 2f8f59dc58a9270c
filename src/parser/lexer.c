/*
 * lexer.c - bytes to tokens, by hand, and the pre-pass that makes the language LALR(1).
 *
 * The language is not LALR(1) as it stands: `(` may open an expression or a path, `[x IN ..` a list
 * or a comprehension. So the whole text is lexed into an array with each bracket's partner, and
 * linear passes mark what the grammar could not tell:
 *
 *     PATTERN_PAREN          a ( whose ) is followed by -[..]-, <-[..]-, --, <-- and another (
 *     COMPREHENSION_BRACKET  [name IN with no comma before | or WHERE at that depth
 *     PATTERN_BRACKET        [ + PATTERN_PAREN, or name = PATTERN_PAREN, with a | at that depth
 *     BAR                    a | between types or labels
 *     FUNCTION               a.b.c before (, as one token; COUNT_STAR, QUANTIFIER, SHORTEST are
 *                            found likewise
 *
 * COUNT, EXISTS, COLLECT, REDUCE become names where no bracket follows. Each step looks at O(1) tokens, or
 * at its own members only.
 */
#include "config.h"

#include "parser/parser_internal.h"

/* ---- characters ---- */

static bool is_start(unsigned char c)
{
    return ((c | 32) >= 'a' && (c | 32) <= 'z') || c == '_' || c >= 0x80;
}

static bool is_digit(unsigned char c)
{
    return c >= '0' && c <= '9';
}

static bool is_part(unsigned char c)
{
    return is_start(c) || is_digit(c);
}

/* ---- keywords ---- */

typedef struct Keyword {
    const char *name;
    int kind;
    const char *meaning;
} Keyword;

static const Keyword keywords[] = {
#define KEYWORD(name, class, meaning) {#name, TOKEN_##name, meaning},
#include "contextql/keywords.def"
#undef KEYWORD
};
enum { KEYWORD_COUNT = sizeof keywords / sizeof *keywords, KEYWORD_BYTES_MAX = 15 };

static int keyword_kind(const char *word, size_t length)
{
    char upper[KEYWORD_BYTES_MAX + 1];
    if (length > KEYWORD_BYTES_MAX || length < 2) return TOKEN_NAME;
    for (size_t i = 0; i < length; i++)
        upper[i] = (char)(word[i] >= 'a' && word[i] <= 'z' ? word[i] - 32 : word[i]);
    upper[length] = '\0';
    int low = 0, high = KEYWORD_COUNT;
    while (low < high) {
        int middle = (low + high) / 2;
        const char *name = keywords[middle].name;
        int order = name[0] != upper[0] ? name[0] - upper[0] : strcmp(name, upper);
        if (order == 0) return keywords[middle].kind;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return TOKEN_NAME;
}

const char *lexer_keyword_of(int kind)
{
    for (size_t i = 0; i < KEYWORD_COUNT; i++)
        if (keywords[i].kind == kind) return keywords[i].name;
    return NULL;
}

size_t parser_keyword_count(void)
{
    return KEYWORD_COUNT;
}

const char *parser_keyword(size_t i, const char **meaning)
{
    if (meaning != NULL) *meaning = keywords[i].meaning;
    return keywords[i].name;
}

/* ---- one token ---- */

static unsigned char byte_at(Str text, size_t at)
{
    return at < text.bytes ? (unsigned char)text.data[at] : '\0';
}

/* The end of the comment at `at`; text.bytes + 1 if it has none. */
static size_t comment_end(Str text, size_t at)
{
    if (byte_at(text, at + 1) == '/') {
        while (at < text.bytes && text.data[at] != '\n')
            at++;
        return at;
    }
    for (at += 2; at + 1 < text.bytes; at++)
        if (text.data[at] == '*' && text.data[at + 1] == '/') return at + 2;
    return text.bytes + 1;
}

static size_t quoted_end(Str text, size_t at, int kind, int *out)
{
    char quote = text.data[at++];
    *out = TOKEN_BAD;
    for (; at < text.bytes; at++) {
        if (text.data[at] == '\\' && quote != '`')
            at++;
        else if (text.data[at] == quote && quote == '`' && byte_at(text, at + 1) == '`')
            at++;
        else if (text.data[at] == quote)
            return *out = kind, at + 1;
    }
    return text.bytes;
}

static size_t number_end(Str text, size_t at, int *kind)
{
    *kind = TOKEN_INTEGER;
    unsigned char radix = byte_at(text, at + 1) | 32;
    if (text.data[at] == '0' && (radix == 'x' || radix == 'o')) {
        size_t start = at += 2;
        while (is_part(byte_at(text, at)))
            at++;
        if (at == start) *kind = TOKEN_BAD;
        for (size_t i = start; i < at; i++) {
            unsigned char c = (unsigned char)text.data[i];
            bool good = radix == 'x' ? is_digit(c) || ((c | 32) >= 'a' && (c | 32) <= 'f')
                                     : c >= '0' && c <= '7';
            if (!good) *kind = TOKEN_BAD;
        }
        return at;
    }
    while (is_digit(byte_at(text, at)))
        at++;
    if (byte_at(text, at) == '.' &&
        is_digit(byte_at(text, at + 1))) { /* 1..3 is INTEGER DOTDOT INTEGER */
        *kind = TOKEN_FLOAT;
        for (at++; is_digit(byte_at(text, at));)
            at++;
    }
    if ((byte_at(text, at) | 32) == 'e') {
        size_t digits = at + 1 + (byte_at(text, at + 1) == '+' || byte_at(text, at + 1) == '-');
        if (is_digit(byte_at(text, digits))) {
            *kind = TOKEN_FLOAT;
            for (at = digits; is_digit(byte_at(text, at));)
                at++;
        }
    }
    if (!is_start(byte_at(text, at))) return at;
    while (is_part(byte_at(text, at))) /* 12ab is one bad token */
        at++;
    *kind = TOKEN_BAD;
    return at;
}

static size_t operator_end(Str text, size_t at, int *kind)
{
    static const struct {
        char text[3];
        int kind;
    } operators[] = {{"..", TOKEN_DOTDOT},   {"=~", TOKEN_REGEX},   {"+=", TOKEN_PLUS_EQ},
                     {"<>", TOKEN_NE},       {"<=", TOKEN_LE},      {">=", TOKEN_GE},
                     {".", TOKEN_DOT},       {",", TOKEN_COMMA},    {";", TOKEN_SEMICOLON},
                     {":", TOKEN_COLON},     {"(", TOKEN_LPAREN},   {")", TOKEN_RPAREN},
                     {"[", TOKEN_LBRACKET},  {"]", TOKEN_RBRACKET}, {"{", TOKEN_LBRACE},
                     {"}", TOKEN_RBRACE},    {"=", TOKEN_EQ},       {"<", TOKEN_LT},
                     {">", TOKEN_GT},        {"+", TOKEN_PLUS},     {"-", TOKEN_MINUS},
                     {"*", TOKEN_STAR},      {"/", TOKEN_SLASH},    {"%", TOKEN_PERCENT},
                     {"^", TOKEN_CARET},     {"|", TOKEN_PIPE},     {"$", TOKEN_DOLLAR},
                     {"&", TOKEN_AMPERSAND}, {"!", TOKEN_BANG}};
    char first = text.data[at], second = (char)byte_at(text, at + 1);
    for (size_t i = 0; i < sizeof operators / sizeof *operators; i++) {
        const char *sign = operators[i].text;
        if (sign[0] != first || (sign[1] != '\0' && sign[1] != second)) continue;
        *kind = operators[i].kind;
        return at + (sign[1] == '\0' ? 1 : 2);
    }
    *kind = TOKEN_BAD;
    return at + 1;
}

/* A name ends before punctuation of Unicode that looks like an operator: those are bad characters,
 * never names. */
static bool is_name_point(int32_t c)
{
    if (c < 0x80) return c >= 0;
    bool punctuation = (c >= 0x2000 && c <= 0x206f) || (c >= 0x2190 && c <= 0x23ff) ||
                       (c >= 0x3000 && c <= 0x3004) || (c >= 0xfe30 && c <= 0xfe6b) || c == 0xa0 ||
                       c == 0xab || c == 0xbb || c == 0xd7 || c == 0xf7 || c == 0xad;
    return !punctuation;
}

static size_t name_end(Str text, size_t at, int *kind)
{
    size_t start = at;
    while (at < text.bytes && is_part((unsigned char)text.data[at])) {
        if ((unsigned char)text.data[at] < 0x80) {
            at++;
            continue;
        }
        size_t next = at;
        if (!is_name_point(utf8_next(text, &next))) break;
        at = next;
    }
    if (at == start) {
        *kind = TOKEN_BAD;
        utf8_next(text, &at);
        return at;
    }
    *kind = keyword_kind(text.data + start, at - start);
    return at;
}

Token lexer_next(Str text, size_t *at, bool comments)
{
    size_t start = *at;
    for (;;) {
        unsigned char c = byte_at(text, start);
        bool comment =
            c == '/' && (byte_at(text, start + 1) == '/' || byte_at(text, start + 1) == '*');
        if (start < text.bytes &&
            (c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\f' || c == '\v'))
            start++;
        else if (c == 0xc2 && byte_at(text, start + 1) == 0xa0)
            start += 2; /* no-break space, as pasted from the web */
        else if (comment && !comments && comment_end(text, start) <= text.bytes)
            start = comment_end(text, start);
        else
            break;
    }
    Token token = {.offset = start, .text = text.data + start};
    size_t end = start;
    unsigned char c = byte_at(text, start);
    if (start >= text.bytes)
        token.kind = 0;
    else if (c == '/' && (byte_at(text, start + 1) == '/' || byte_at(text, start + 1) == '*')) {
        end = comment_end(text, start);
        token.kind = end > text.bytes ? TOKEN_BAD : TOKEN_COMMENT;
        if (end > text.bytes) end = text.bytes;
    } else if (is_start(c))
        end = name_end(text, start, &token.kind);
    else if (c == '`')
        end = quoted_end(text, start, TOKEN_QUOTED_NAME, &token.kind);
    else if (c == '\'' || c == '"')
        end = quoted_end(text, start, TOKEN_STRING, &token.kind);
    else if (is_digit(c) || (c == '.' && is_digit(byte_at(text, start + 1))))
        end = number_end(text, start, &token.kind);
    else
        end = operator_end(text, start, &token.kind);
    token.length = end - start;
    *at = end;
    return token;
}

/* ---- the pre-pass ---- */

bool lexer_is_word(const Token *token)
{
    return token->kind == TOKEN_NAME || token->kind == TOKEN_QUOTED_NAME ||
           (token->kind > 0 && is_start((unsigned char)token->text[0]));
}

static bool is_plain_name(const Token *token)
{
    return token->kind == TOKEN_NAME || token->kind == TOKEN_QUOTED_NAME;
}

/* Over a bracketed part, so that a list costs only its own members. */
static size_t over(const Token *tokens, size_t i)
{
    return tokens[i].partner > i ? tokens[i].partner : i;
}

static void mark_patterns(Token *tokens, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        size_t partner = tokens[i].partner, dash = 0, end = 0;
        if (tokens[i].kind != TOKEN_LPAREN || partner <= i) continue;
        if (i > 0 && is_plain_name(&tokens[i - 1])) continue; /* a call: f(x) - (y) */
        if (tokens[partner + 1].kind == TOKEN_MINUS)
            dash = partner + 2;
        else if (tokens[partner + 1].kind == TOKEN_LT && tokens[partner + 2].kind == TOKEN_MINUS)
            dash = partner + 3;
        if (dash == 0) continue;
        if (tokens[dash].kind == TOKEN_LBRACKET && tokens[dash].partner > dash)
            end = tokens[dash].partner + 1;
        else if (tokens[dash].kind == TOKEN_MINUS)
            end = dash;
        if (end == 0 || tokens[end].kind != TOKEN_MINUS) continue;
        end++;
        if (tokens[end].kind == TOKEN_GT) end++;
        if (tokens[end].kind == TOKEN_PLUS || tokens[end].kind == TOKEN_STAR)
            end++;
        else if (tokens[end].kind == TOKEN_LBRACE && tokens[end].partner > end)
            end = tokens[end].partner + 1;
        if (tokens[end].kind == TOKEN_LPAREN || tokens[end].kind == 0)
            tokens[i].kind = TOKEN_PATTERN_PAREN;
    }
}

static void mark_comprehension(Token *tokens, size_t i)
{
    for (size_t j = i + 3; j < tokens[i].partner; j = over(tokens, j) + 1) {
        if (tokens[j].kind == TOKEN_COMMA) return; /* [x IN a, y] is a list of predicates */
        if (tokens[j].kind == TOKEN_PIPE || tokens[j].kind == TOKEN_WHERE) break;
    }
    tokens[i].kind = TOKEN_COMPREHENSION_BRACKET;
}

static void mark_lists(Token *tokens, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (tokens[i].kind != TOKEN_LBRACKET || tokens[i].partner <= i) continue;
        if (i > 0 && (is_plain_name(&tokens[i - 1]) || tokens[i - 1].kind == TOKEN_RBRACKET ||
                      tokens[i - 1].kind == TOKEN_RPAREN))
            continue;
        bool named = lexer_is_word(&tokens[i + 1]);
        if (named && tokens[i + 2].kind == TOKEN_IN) {
            mark_comprehension(tokens, i);
        } else if (tokens[i + 1].kind == TOKEN_PATTERN_PAREN ||
                   (named && tokens[i + 2].kind == TOKEN_EQ &&
                    tokens[i + 3].kind == TOKEN_PATTERN_PAREN)) {
            for (size_t j = i + 1; j < tokens[i].partner; j = over(tokens, j) + 1)
                if (tokens[j].kind == TOKEN_PIPE) tokens[i].kind = TOKEN_PATTERN_BRACKET;
        }
    }
}

/* A | between types or labels is not the one that ends a part of a comprehension, REDUCE or FOREACH,
 * which stands at the depth of their brackets. */
static void mark_bars(Token *tokens, size_t count)
{
    uint32_t open[QUERY_DEPTH_MAX];
    size_t depth = 0;
    for (size_t i = 0; i < count; i++) {
        Token *token = &tokens[i];
        if (token->partner > i) open[depth++] = (uint32_t)i;
        while (depth > 0 && tokens[open[depth - 1]].partner == i)
            depth--;
        if (token->kind != TOKEN_PIPE) continue;
        uint32_t at = depth == 0 ? 0 : open[depth - 1];
        int opener = depth == 0 ? 0 : tokens[at].kind, before = at == 0 ? 0 : tokens[at - 1].kind;
        bool ends = opener == TOKEN_COMPREHENSION_BRACKET || opener == TOKEN_PATTERN_BRACKET ||
                    (opener == TOKEN_LPAREN && (before == TOKEN_REDUCE || before == TOKEN_FOREACH));
        if (!ends) token->kind = TOKEN_BAR;
    }
}

/* Keywords that would start an atom but do not here become names again. */
static void demote(Token *tokens, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int kind = tokens[i].kind, next = tokens[i + 1].kind;
        bool after_if =
            i > 0 && (tokens[i - 1].kind == TOKEN_IF ||
                      (i > 1 && tokens[i - 1].kind == TOKEN_NOT && tokens[i - 2].kind == TOKEN_IF));
        if ((kind == TOKEN_COUNT || kind == TOKEN_EXISTS || kind == TOKEN_COLLECT) &&
            next != TOKEN_LBRACE && next != TOKEN_LPAREN && !after_if)
            tokens[i].kind = TOKEN_NAME;
        if (kind == TOKEN_REDUCE && next != TOKEN_LPAREN) tokens[i].kind = TOKEN_NAME;
    }
}

static bool is_quantifier(const Token *t)
{
    return (t[0].kind == TOKEN_ANY || t[0].kind == TOKEN_ALL || t[0].kind == TOKEN_NONE ||
            t[0].kind == TOKEN_SINGLE) &&
           t[1].kind == TOKEN_LPAREN && lexer_is_word(&t[2]) && t[3].kind == TOKEN_IN;
}

static bool is_shortest(const Token *t)
{
    Str name = {t->text, t->length};
    return t->kind == TOKEN_NAME && (str_equal_ignore_case(name, STR("shortestPath")) ||
                                     str_equal_ignore_case(name, STR("allShortestPaths")));
}

/* count(*), quantifiers and dotted function names become one token each; the array shrinks in
 * place. Partners are not kept: nobody needs them behind this pass. */
static void mark_calls(TokenArray *array)
{
    Token *t = array->items;
    size_t write = 0;
    for (size_t i = 0; i < array->count; i++) {
        bool after_dot = write > 0 && t[write - 1].kind == TOKEN_DOT;
        bool after_call = write > 0 && t[write - 1].kind == TOKEN_CALL &&
                          !(write > 1 && t[write - 2].kind == TOKEN_DOT);
        if (after_call) { /* a procedure's name stays in parts */
            t[write++] = t[i];
            while (i + 2 < array->count && t[i + 1].kind == TOKEN_DOT) {
                t[write++] = t[i + 1];
                t[write++] = t[i + 2];
                i += 2;
            }
            continue;
        }
        if (t[i].kind == TOKEN_COUNT && t[i + 1].kind == TOKEN_LPAREN &&
            t[i + 2].kind == TOKEN_STAR && t[i + 3].kind == TOKEN_RPAREN) {
            t[i].length = t[i + 3].offset + t[i + 3].length - t[i].offset;
            t[write] = t[i];
            t[write++].kind = TOKEN_COUNT_STAR;
            i += 3;
            continue;
        }
        bool quantifier = is_quantifier(&t[i]);
        if (quantifier) t[i].kind = TOKEN_QUANTIFIER;
        if (!quantifier && lexer_is_word(&t[i]) && t[i].kind != TOKEN_REDUCE && !after_dot) {
            size_t last = i;
            while (t[last + 1].kind == TOKEN_DOT && lexer_is_word(&t[last + 2]))
                last += 2;
            bool moment = write > 0 && t[write - 1].kind == TOKEN_AT; /* AT TIMESTAMP (..) */
            bool callable = last > i || is_plain_name(&t[i]) || t[i].kind == TOKEN_EXISTS ||
                            t[i].kind == TOKEN_COUNT || t[i].kind == TOKEN_COLLECT ||
                            t[i].kind == TOKEN_VECTOR || (t[i].kind == TOKEN_TIMESTAMP && !moment);
            if (t[last + 1].kind == TOKEN_LPAREN && callable) {
                int kind = last == i && is_shortest(&t[i]) ? TOKEN_SHORTEST : TOKEN_FUNCTION;
                t[i].length = t[last].offset + t[last].length - t[i].offset;
                t[write] = t[i];
                t[write++].kind = kind;
                i = last;
                continue;
            }
        }
        t[write++] = t[i];
    }
    array->count = write;
}

/* ---- the whole text ---- */

enum { SENTINELS = 8 }; /* so that t[m + 3] may be looked at */

int token_shown_bytes(Token token)
{
    enum { SHOWN_BYTES_MAX = 40 };
    size_t bytes = 0;
    Str text = {token.text, token.length};
    while (bytes < text.bytes && bytes < SHOWN_BYTES_MAX) /* whole code points */
        utf8_next(text, &bytes);
    return (int)bytes;
}

static Error *bad_token(Token token)
{
    unsigned char c = (unsigned char)token.text[0];
    Error *error;
    if (is_digit(c) || c == '.') {
        error = error_new(ERROR_INVALID_NUMBER_LITERAL, "not a number: %.*s",
                          token_shown_bytes(token), token.text);
    } else if (c == '\'' || c == '"') {
        error = error_hint(error_new(ERROR_UNEXPECTED_SYNTAX, "a text without its closing %c", c),
                           "double a backslash, or close the text");
    } else if (c == '`') {
        error = error_new(ERROR_UNEXPECTED_SYNTAX, "a name without its closing `");
    } else if (c == '/') {
        error = error_new(ERROR_UNEXPECTED_SYNTAX, "a comment without its closing */");
    } else if (c >= 0x80) {
        error = error_new(ERROR_INVALID_UNICODE_CHARACTER, "this character cannot stand here: %.*s",
                          (int)token.length, token.text);
    } else if (c < 0x20 || c == 0x7f) {
        error =
            error_new(ERROR_UNEXPECTED_SYNTAX, "a control character (0x%02x) cannot stand here", c);
    } else {
        error = error_new(ERROR_UNEXPECTED_SYNTAX, "unexpected `%c`", c);
    }
    return error_at(error, token.offset, token.length);
}

static bool opens(int kind)
{
    return kind == TOKEN_LPAREN || kind == TOKEN_LBRACKET || kind == TOKEN_LBRACE;
}

static bool closes(int kind)
{
    return kind == TOKEN_RPAREN || kind == TOKEN_RBRACKET || kind == TOKEN_RBRACE;
}

static Error *collect(Str text, TokenArray *out, bool prefix)
{
    uint32_t open[QUERY_DEPTH_MAX];
    size_t depth = 0, at = 0;
    for (;;) {
        mem_reserve(out->items, out->capacity, out->count + 1 + SENTINELS);
        Token token = lexer_next(text, &at, false);
        if (token.kind == TOKEN_BAD && !prefix) return bad_token(token);
        if (token.kind == TOKEN_BAD) token.kind = 0;
        if (out->count == QUERY_TOKENS_MAX)
            return error_at(error_new(ERROR_TOO_LONG, "a statement has at most %d words and signs",
                                      QUERY_TOKENS_MAX),
                            token.offset, token.length);
        if (opens(token.kind)) {
            if (depth == QUERY_DEPTH_MAX)
                return error_at(error_new(ERROR_TOO_DEEP, "more than %d brackets within brackets",
                                          QUERY_DEPTH_MAX),
                                token.offset, 1);
            open[depth++] = (uint32_t)out->count;
        }
        if (closes(token.kind) && depth > 0) {
            token.partner = open[--depth];
            out->items[token.partner].partner = (uint32_t)out->count;
        }
        out->items[out->count++] = token;
        if (token.kind == 0) break;
    }
    while (depth > 0) /* unfinished: the end stands for the missing bracket */
        out->items[open[--depth]].partner = (uint32_t)out->count - 1;
    for (size_t i = 0; i < SENTINELS; i++)
        out->items[out->count + i] = (Token){.offset = text.bytes, .text = text.data + text.bytes};
    mark_patterns(out->items, out->count);
    mark_lists(out->items, out->count);
    mark_bars(out->items, out->count);
    demote(out->items, out->count);
    mark_calls(out);
    return NULL;
}

Error *lexer_tokenize(Str text, TokenArray *out)
{
    return collect(text, out, false);
}

void lexer_tokenize_prefix(Str text, TokenArray *out)
{
    Error *error = collect(text, out, true);
    if (error == NULL) return;
    error_drop(error); /* too deep or too long: nothing can be expected there */
    out->count = 1;
    out->items[0] = (Token){.offset = text.bytes, .text = text.data + text.bytes};
}

/* ---- what else a text tells ---- */

size_t parser_statement_end_of(Str text, bool *complete)
{
    size_t at = 0, depth = 0;
    if (complete != NULL) *complete = false;
    for (;;) {
        Token token = lexer_next(text, &at, false);
        if (token.kind == 0 || (token.kind == TOKEN_BAD && at >= text.bytes)) return text.bytes;
        if (opens(token.kind)) depth++;
        if (closes(token.kind) && depth > 0) depth--;
        if (token.kind != TOKEN_SEMICOLON) continue;
        if (complete != NULL)
            *complete =
                true; /* a `;` inside brackets can only be a mistake: it ends the statement too */
        return at;
    }
}

size_t parser_statement_end(Str text)
{
    return parser_statement_end_of(text, NULL);
}

bool parser_is_blank(Str text)
{
    size_t at = 0;
    Token token = lexer_next(text, &at, false);
    if (token.kind == TOKEN_SEMICOLON) token = lexer_next(text, &at, false);
    return token.kind == 0;
}

/* `before`, `after`: the kinds of its neighbors. */
static TokenClass class_of(const Token *token, int before, int after)
{
    int kind = token->kind;
    if (kind == TOKEN_BAD) return TOKEN_CLASS_BAD;
    if (kind == TOKEN_COMMENT) return TOKEN_CLASS_COMMENT;
    if (kind == TOKEN_STRING) return TOKEN_CLASS_STRING;
    if (kind == TOKEN_INTEGER || kind == TOKEN_FLOAT) return TOKEN_CLASS_NUMBER;
    if (kind == TOKEN_DOLLAR || (before == TOKEN_DOLLAR && lexer_is_word(token)))
        return TOKEN_CLASS_PARAMETER;
    if (opens(kind) || closes(kind)) return TOKEN_CLASS_BRACKET;
    if (!lexer_is_word(token)) return TOKEN_CLASS_OPERATOR;
    if (before == TOKEN_COLON) return TOKEN_CLASS_LABEL;
    if (before == TOKEN_DOT && after == TOKEN_LPAREN) return TOKEN_CLASS_FUNCTION;
    if (before == TOKEN_DOT || after == TOKEN_DOT) return TOKEN_CLASS_NAME;
    if (is_plain_name(token))
        return after == TOKEN_LPAREN ? TOKEN_CLASS_FUNCTION : TOKEN_CLASS_NAME;
    return TOKEN_CLASS_KEYWORD;
}

/* Two tokens take turns: copying one that was just made would wait for its parts to be written. */
size_t parser_tokens(Str text, TokenSpan *out, size_t max)
{
    Token pair[2];
    size_t at = 0, count = 0;
    int before = 0;
    pair[0] = lexer_next(text, &at, true);
    for (; pair[count % 2].kind != 0; count++) {
        const Token *token = &pair[count % 2], *after = &pair[(count + 1) % 2];
        pair[(count + 1) % 2] = lexer_next(text, &at, true);
        if (count < max)
            out[count] =
                (TokenSpan){token->offset, token->length, class_of(token, before, after->kind)};
        before = token->kind;
    }
    return count;
}
