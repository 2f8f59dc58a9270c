/*
 * texts.c - what the parser says of many texts, for tests/corpus.
 *
 * Reads texts from standard input, each ended by a NUL. For each one it prints one line: `ok`, or
 * the detail of the error. Beside that it holds three promises over every text that parses, and
 * ends with status 1 and a line on standard error where one is broken:
 *
 *   - any prefix is parsed or refused, never more (and the sanitizers watch);
 *   - a prefix is complete in the sense of parser_statement_end_of only where a `;` stands;
 *   - every token but the first of a text may stand where it stands: it is in parser_expected of
 *     what is before it. Only words are asked for that are keywords of their place, and signs:
 *     names are not listed one by one. Misses are counted on standard error, no promise yet: a
 *     word becomes something else by the bracket that follows it (a function's name), which a
 *     prefix lacks.
 */
#include "config.h"

#include "base/error.h"
#include "parser/ast.h"
#include <stdio.h>
#include <stdlib.h>

enum { EXPECTED_MAX = 256 };

typedef struct Counts {
    size_t texts, prefixes, tokens, misses, broken;
} Counts;

static bool parses(Arena *arena, Str text, ErrorCode *code)
{
    AstStatement *statement = NULL;
    Error *error = parser_parse(arena, text, &statement);
    *code = error == NULL ? ERROR_NONE : error_code(error);
    if (error != NULL && error_has_place(error) && error_offset(error) > text.bytes)
        fprintf(stderr, "# a place beyond the text: %.*s\n", STR_ARG(text));
    error_drop(error);
    arena_reset(arena);
    return *code == ERROR_NONE;
}

static void check_prefixes(Arena *arena, Str text, Counts *counts)
{
    ErrorCode code;
    bool complete;
    for (size_t bytes = 0; bytes < text.bytes; bytes++, counts->prefixes++) {
        Str prefix = {text.data, bytes};
        parses(arena, prefix, &code);
        size_t end = parser_statement_end_of(prefix, &complete);
        if (!complete || text.data[end - 1] == ';') continue;
        counts->broken++;
        fprintf(stderr, "# complete without a `;`: %.*s\n", STR_ARG(prefix));
    }
}

static bool is_listed(Str text, TokenSpan span)
{
    const char *expected[EXPECTED_MAX];
    Str token = {text.data + span.offset, span.length};
    size_t count = parser_expected(text, span.offset, expected, EXPECTED_MAX);
    for (size_t i = 0; i < count; i++)
        if (str_equal_ignore_case(token, str_from(expected[i]))) return true;
    return false;
}

/* Only what the grammar alone decides: words that are keywords where they stand, and signs. */
static void check_expected(Str text, Counts *counts)
{
    static TokenSpan spans[1 << 16];
    size_t count = parser_tokens(text, spans, sizeof spans / sizeof *spans);
    for (size_t i = 1; i < count && count <= sizeof spans / sizeof *spans; i++) {
        bool sign = spans[i].class == TOKEN_CLASS_OPERATOR || spans[i].class == TOKEN_CLASS_BRACKET;
        bool word = spans[i].class == TOKEN_CLASS_KEYWORD;
        if (!sign && !word) continue;
        counts->tokens++;
        if (is_listed(text, spans[i])) continue;
        counts->misses++;
        if (getenv("SHOW_MISSES") != NULL)
            printf("# `%.*s` of: %.*s\n", (int)spans[i].length, text.data + spans[i].offset,
                   STR_ARG(text));
    }
}

int main(void)
{
    Buffer input = {0};
    Counts counts = {0};
    Arena *arena = arena_create();
    for (size_t got = 1; got > 0; input.bytes += got)
        got = fread(buffer_reserve(&input, 1 << 16), 1, 1 << 16, stdin);
    for (size_t at = 0; at < input.bytes; counts.texts++) {
        Str text = {input.data + at, strlen(input.data + at)};
        ErrorCode code;
        at += text.bytes + 1;
        puts(parses(arena, text, &code) ? "ok" : error_code_detail(code));
        if (code != ERROR_NONE) continue;
        check_prefixes(arena, text, &counts);
        check_expected(text, &counts);
    }
    fprintf(stderr, "texts %zu prefixes %zu tokens %zu misses %zu broken %zu\n", counts.texts,
            counts.prefixes, counts.tokens, counts.misses, counts.broken);
    arena_destroy(arena);
    buffer_free(&input);
    return counts.broken != 0;
}
