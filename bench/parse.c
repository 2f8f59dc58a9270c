/*
 * parse.c - the claim: every query of the TCK is parsed in less than 50 microseconds, tree
 * included. One of its texts is no query but a set-up script of 42 KB: it is told beside the bound.
 *
 *     tests/corpus --texts | bench/parse
 *
 * Reads texts from standard input, each ended by a NUL, and parses all of them 21 times over into
 * one arena that is reset after each. A text's time is the median of its 21; printed are the mean
 * and the worst of those medians and which text it was. Status 1 when the worst is over the bound.
 * Errors count too: a text that is refused costs its expected list.
 */
#include "config.h"

#include "base/error.h"
#include "bench/measure.h"
#include "parser/ast.h"
#include <stdio.h>
#include <stdlib.h>

enum { ROUNDS = 21, BOUND_US = 50, QUERY_BYTES = 16 << 10 };

static double median_us(Arena *arena, Str text)
{
    double times[ROUNDS];
    for (int round = 0; round < ROUNDS; round++) {
        AstStatement *statement;
        double start = now_us();
        error_drop(parser_parse(arena, text, &statement));
        times[round] = now_us() - start;
        arena_reset(arena);
    }
    qsort(times, ROUNDS, sizeof *times, by_number);
    return times[ROUNDS / 2];
}

int main(void)
{
    Buffer input = {0};
    Arena *arena = arena_create();
    Str worst_text = {"", 0};
    double worst = 0, sum = 0;
    size_t texts = 0, bytes = 0;
    for (size_t got = 1; got > 0; input.bytes += got)
        got = fread(buffer_reserve(&input, 1 << 16), 1, 1 << 16, stdin);
    for (size_t at = 0; at < input.bytes; texts++) {
        Str text = {input.data + at, strlen(input.data + at)};
        at += text.bytes + 1;
        bytes += text.bytes;
        double time = median_us(arena, text);
        sum += time;
        if (text.bytes > QUERY_BYTES)
            printf("a script of %zu bytes: %.0f us\n", text.bytes, time);
        else if (time > worst)
            worst = time, worst_text = text;
    }
    if (texts == 0) return fprintf(stderr, "parse: no texts on standard input\n"), 2;
    printf("%zu texts: mean %.2f us (%.1f MB/s), worst %.2f us of %d allowed: %.*s\n", texts,
           sum / (double)texts, (double)bytes / sum, worst, BOUND_US,
           worst_text.bytes < 100 ? (int)worst_text.bytes : 100, worst_text.data);
    arena_destroy(arena);
    buffer_free(&input);
    return worst > BOUND_US;
}
