/* session.h - what the benches that use the public interface share. A failure ends the program. */
#ifndef BENCH_SESSION_H
#define BENCH_SESSION_H
#include "contextql.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static inline void check(const contextql *session, int result)
{
    contextql_error_info info;
    if (result == CONTEXTQL_OK || result == CONTEXTQL_ROW || result == CONTEXTQL_DONE) return;
    contextql_error(session, &info);
    fprintf(stderr, "contextql: %s\n", info.message);
    exit(1);
}

static inline contextql_statement *prepare(contextql *session, const char *text)
{
    contextql_statement *statement;
    check(session, contextql_prepare(session, text, strlen(text), &statement, NULL));
    return statement;
}
#endif
