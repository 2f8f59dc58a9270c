/*
 * functions.c - every row of contextql/functions.def: its example, on an empty database, gives its
 * result; its signature names as many arguments as the function takes.
 *
 * With an argument, `mdoc`, it writes the list of functions, and with `keywords` that of keywords,
 * as contextql-query(7) has them: tests/manual holds the page to that.
 */
#include "config.h"

#include "contextql.h"
#include "unit/test.h"
#include <stdlib.h>
#include <string.h>

/* The first column of the first row, or the error; what the statement answers must be one row. */
static void answer(contextql *session, const char *text, char *out, size_t size)
{
    contextql_error_info error;
    contextql_statement *statement = NULL;
    int rows = 0, code = contextql_prepare(session, text, strlen(text), &statement, NULL);
    out[0] = '\0';
    while (code == CONTEXTQL_OK || code == CONTEXTQL_ROW) {
        code = contextql_step(statement);
        if (code != CONTEXTQL_ROW) break;
        if (rows++ == 0) contextql_value_print(contextql_column(statement, 0), out, size);
    }
    contextql_error(session, &error);
    if (code != CONTEXTQL_DONE) snprintf(out, size, "%s", error.message);
    if (code == CONTEXTQL_DONE && rows != 1) snprintf(out, size, "%d rows", rows);
    contextql_finalize(statement);
}

static int gives(const contextql_function_info *function)
{
    char out[512];
    contextql *session;
    if (contextql_open(":memory:", NULL, &session) != CONTEXTQL_OK) return 0;
    answer(session, function->example, out, sizeof out);
    contextql_close(session);
    if (strcmp(out, function->result) == 0) return 1;
    printf("# %s gives %s, not %s\n", function->example, out, function->result);
    return 0;
}

static int sound(const contextql_function_info *function)
{
    return function->signature[0] == '(' && strstr(function->signature, ") :: ") != NULL &&
           function->meaning[0] != '\0' && function->group[0] != '\0' &&
           strstr(function->example, function->name) != NULL;
}

/* Nobody may be looked up by two rows. */
static int alone(size_t row, const char *name)
{
    contextql_function_info other;
    for (size_t i = 0; i < row && contextql_function_at(i, &other); i++)
        if (strcmp(other.name, name) == 0) return 0;
    return 1;
}

static void mdoc_text(const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '\\')
            fputs("\\e", stdout);
        else if (*text == '"')
            fputs("\\(dq", stdout);
        else
            putchar(*text);
    }
}

static void mdoc_functions(void)
{
    const char *group = "";
    contextql_function_info function;
    for (size_t i = 0; contextql_function_at(i, &function); i++) {
        if (strcmp(function.group, group) != 0) {
            if (group[0] != '\0') puts(".El");
            printf(".Ss %s\n.Bl -tag -width Ds\n", function.group);
            group = function.group;
        }
        printf(".It Sy %s Ns \"", function.name);
        mdoc_text(function.signature);
        printf("\"\n");
        mdoc_text(function.meaning);
        printf(".\n.Dl \"");
        mdoc_text(function.example);
        printf("  gives ");
        mdoc_text(function.result);
        printf("\"\n");
    }
    puts(".El");
}

static void mdoc_keywords(void)
{
    contextql_keyword keyword;
    puts(".Bl -column FIELDTERMINATOR");
    for (size_t i = 0; contextql_keyword_at(i, &keyword); i++) {
        printf(".It Sy %s Ta \"", keyword.word);
        mdoc_text(keyword.meaning);
        puts("\"");
    }
    puts(".El");
}

int main(int count, char **arguments)
{
    contextql_function_info function;
    if (count > 1 && strcmp(arguments[1], "mdoc") == 0) return mdoc_functions(), 0;
    if (count > 1 && strcmp(arguments[1], "keywords") == 0) return mdoc_keywords(), 0;
    for (size_t i = 0; contextql_function_at(i, &function); i++) {
        printf("# %s\n", function.name);
        EXPECT(sound(&function) && alone(i, function.name) && gives(&function));
    }
    return DONE();
}
