/* Any bytes as a statement: parsed, planned and, on a scratch database, run. Built with --enable-fuzzing (clang, libFuzzer). */
#include "contextql.h"
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    contextql *session = NULL;
    contextql_statement *statement = NULL;
    if (contextql_open(":memory:", NULL, &session) != CONTEXTQL_OK) return 0;
    contextql_set(session, "timeout", "1");
    contextql_set(session, "memory_limit", "64M");
    contextql_set(session, "files", "false");
    if (contextql_prepare(session, (const char *)data, size, &statement, NULL) == CONTEXTQL_OK && statement != NULL)
        for (int row = 0; row < 1000 && contextql_step(statement) == CONTEXTQL_ROW; row++)
            for (int column = 0; column < contextql_column_count(statement); column++)
                contextql_value_print(contextql_column(statement, column), NULL, 0);
    contextql_finalize(statement);
    contextql_close(session);
    return 0;
}
