/*
 * statement.c - any bytes as statements: told apart, coloured, parsed, planned and run on a small
 * graph of every kind of property. No file is read or written; time and memory are limited, so that
 * a hang is one that limits do not reach. Built with --enable-fuzzing (clang, libFuzzer).
 */
#include "contextql.h"
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ROWS_MAX = 200, STATEMENTS_MAX = 8, TOKENS_MAX = 64 };

static const char graph[] =
    "CREATE (a:Person {name: 'Ada', age: 36, v: vector([1, 0, 2]), tags: ['x', 'y'], born: "
    "date('1815-12-10')})"
    " CREATE (b:Person:User {name: 'Bob', age: 3.5, v: vector([0, 1, 0]), embedding: vector([1, "
    "0])})"
    " CREATE (c:Doc:Document {title: 'one', id: 1, embedding: vector([1, 1]), at: "
    "datetime('2020-01-01T00:00:00Z')})"
    " CREATE (d:Doc:Document {title: 'two', id: 2, embedding: vector([0, 0]), long: "
    "duration('P1M2DT3S')})"
    " CREATE (e:X:Y {num: null, name: true})"
    " CREATE (a)-[:KNOWS {since: 1}]->(b)-[:KNOWS]->(c), (b)-[:OWNS {w: 'z'}]->(c), "
    "(b)-[:OWNS]->(d)"
    " CREATE (d)-[:R]->(d), (c)-[:R]->(e), (e)-[:R]->(a);";
static const char index_name[] = "CREATE INDEX FOR (n:Person) ON (n.name);";

static void run(contextql *session, const char *text, size_t size)
{
    contextql_statement *statement = NULL;
    const char *rest = text, *end = text + size;
    for (int i = 0; i < STATEMENTS_MAX && rest < end; i++) {
        if (contextql_prepare(session, rest, (size_t)(end - rest), &statement, &rest) !=
                CONTEXTQL_OK ||
            statement == NULL)
            return;
        contextql_bind_integer(statement, "n", 7);
        contextql_bind_string(statement, "s", "Ada", 3);
        for (int row = 0; row < ROWS_MAX && contextql_step(statement) == CONTEXTQL_ROW; row++)
            for (int column = 0; column < contextql_column_count(statement); column++)
                contextql_value_print(contextql_column(statement, column), NULL, 0);
        contextql_finalize(statement);
    }
}

/* What an editor asks of a text that is being typed. */
static void edit(contextql *session, const char *text, size_t size)
{
    contextql_token tokens[TOKENS_MAX];
    contextql_suggestion suggestions[TOKENS_MAX];
    size_t count, end;
    contextql_is_complete(text, size, &end);
    contextql_tokenize(text, size, tokens, TOKENS_MAX, &count);
    contextql_suggest(session, text, size, suggestions, TOKENS_MAX, &count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    contextql *session = NULL;
    if (contextql_open(":memory:", NULL, &session) != CONTEXTQL_OK) abort();
    run(session, graph, sizeof graph - 1);
    run(session, index_name, sizeof index_name - 1);
    contextql_set(session, "timeout", "0.2");
    contextql_set(session, "memory_limit", "64M");
    contextql_set(session, "files", "false");
    contextql_set(session, "gpu", "off");
    char *text = malloc(size); /* no longer than said: reading behind it is found */
    if (size > 0) memcpy(text, data, size);
    edit(session, text, size);
    run(session, text, size);
    free(text);
    contextql_close(session);
    return 0;
}
