/*
 * shell.c - what a key costs: repainting a long statement, and completing with many names.
 *
 * Repaint: paint() and screen_show() of 10,000 characters after one more was typed, at the end and
 * in the middle, on 100 x 40. Completion: contextql_suggest with 10,000 labels and 10,000
 * properties. Median of many, processor time.
 */
#include "config.h"

#include "editor/glyph.c"
#include "editor/paint.c"
#include "editor/screen.c"
#include "editor/terminal.c"
#include "editor/theme.c"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { ROUNDS = 200, NAMES = 10000, CHARACTERS = 10000 };

static double now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static int compare_times(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static void show(const char *name, double *times, size_t count, double allowed)
{
    qsort(times, count, sizeof *times, compare_times);
    printf("%-50s median %7.3f ms   slowest %7.3f ms   (%g allowed)\n", name, times[count / 2],
           times[count - 1], allowed);
}

static void repaint(const char *name, bool middle)
{
    double times[ROUNDS];
    Buffer text = {0};
    Frame frame = {0};
    Screen *screen = screen_open(open("/dev/null", O_WRONLY));
    while (text.bytes < CHARACTERS)
        buffer_printf(&text, "MATCH (p:Paper {id: %zu})-[:CITES]->(q) // a line\n", text.bytes);
    for (size_t i = 0; i < ROUNDS; i++) {
        size_t at = middle ? text.bytes / 2 : text.bytes;
        buffer_char(&text, 'x');
        memmove(text.data + at + 1, text.data + at, text.bytes - at - 1);
        text.data[at] = 'x';
        Theme theme;
        theme_find("dark", &theme);
        Picture picture = {.prompt = STR("papers> "),
                           .text = buffer_view(&text),
                           .cursor = at + 1,
                           .columns = 100,
                           .theme = &theme};
        double begin = now_ms();
        paint(&picture, &frame);
        screen_show(screen, &frame, STR(""));
        times[i] = now_ms() - begin;
    }
    show(name, times, ROUNDS, 0.2);
    frame_free(&frame);
    screen_close(screen);
    buffer_free(&text);
}

static contextql *make_names(void)
{
    contextql *session;
    Buffer text = {0};
    contextql_statement *statement = NULL;
    if (contextql_open(":memory:", NULL, &session) != CONTEXTQL_OK) exit(1);
    buffer_text(&text, "CREATE ");
    for (size_t i = 0; i < NAMES; i++)
        buffer_printf(&text, "%s(:Label%zu {property%zu: %zu})", i == 0 ? "" : ", ", i, i, i);
    if (contextql_prepare(session, text.data, text.bytes, &statement, NULL) != CONTEXTQL_OK ||
        contextql_step(statement) != CONTEXTQL_DONE)
        exit(1);
    contextql_finalize(statement);
    buffer_free(&text);
    return session;
}

static void complete(contextql *session, const char *text)
{
    enum { MAX = 500 };
    static contextql_suggestion found[MAX];
    double times[ROUNDS];
    size_t count = 0;
    for (size_t i = 0; i < ROUNDS; i++) {
        double begin = now_ms();
        contextql_suggest(session, text, strlen(text), found, MAX, &count);
        times[i] = now_ms() - begin;
    }
    char name[60];
    snprintf(name, sizeof name, "%s<Tab>", text);
    show(name, times, ROUNDS, 10);
}

int main(void)
{
    glyph_start();
    repaint("a key at the end of 10,000 characters", false);
    repaint("a key in the middle of 10,000 characters", true);
    contextql *session = make_names();
    complete(session, "MATCH (n:");
    complete(session, "MATCH (n:Label99");
    complete(session, "MATCH (n:Label77) RETURN n.");
    complete(session, "MATCH (n:Label77) RETURN n.pr");
    complete(session, "MATCH (n) RETURN n.p99");
    complete(session, "MATCH (n) RETURN ");
    contextql_close(session);
    return 0;
}
