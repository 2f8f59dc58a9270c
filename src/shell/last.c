/*
 * last.c - the result before, at the prompt: `$_` in statements, `:last` shows it again.
 *
 * It is kept as a list of maps, a row each. A long one is kept in part, so that a session does not
 * grow with what it has shown.
 */
#include "config.h"

#include "format/value_text.h"
#include "shell/command_internal.h"

enum {
    LAST_ROWS_MAX = 10000,
    LAST_BYTES_MAX = 32 << 20 /* of their text: vectors and long texts */
};

/* Scripts see what is kept now: it is called whenever that becomes another. */
static void give(const Shell *shell)
{
    const ScriptHost *script = shell->script;
    if (script != NULL && script->result != NULL) script->result(script->state, shell->last.rows);
}

void last_clear(Shell *shell)
{
    Last *last = &shell->last;
    contextql_value_free(last->rows);
    for (size_t c = 0; c < last->column_count; c++)
        mem_free(last->columns[c]);
    mem_free(last->columns);
    *last = (Last){0};
    give(shell);
}

static char *copy_text(const char *text)
{
    size_t bytes = strlen(text) + 1;
    return memcpy(mem_alloc(bytes), text, bytes);
}

void last_begin(Shell *shell, const contextql_statement *statement)
{
    Last *last = &shell->last;
    int columns = contextql_column_count(statement);
    if (columns == 0) return; /* what gives no rows leaves the result before it */
    last_clear(shell);
    last->rows = contextql_value_new_list();
    last->column_count = (size_t)columns;
    last->columns = mem_calloc(last->column_count, sizeof *last->columns);
    for (int c = 0; c < columns; c++)
        last->columns[c] = copy_text(contextql_column_name(statement, c));
    give(shell);
}

/* About how much memory a value takes; what only looks large costs nothing here. */
static size_t bytes_of(const contextql_value *value)
{
    size_t dimensions, bytes = sizeof(double), count;
    switch (contextql_value_type(value)) {
    case CONTEXTQL_STRING: return bytes + contextql_value_string(value).size;
    case CONTEXTQL_BYTES: return bytes + contextql_value_bytes(value).size;
    case CONTEXTQL_VECTOR:
        contextql_value_vector(value, &dimensions);
        return bytes + dimensions * sizeof(float);
    case CONTEXTQL_LIST:
    case CONTEXTQL_MAP:
        count = contextql_value_count(value);
        for (size_t i = 0; i < count; i++)
            bytes += bytes_of(contextql_value_at(value, i, NULL));
        return bytes;
    default: return bytes;
    }
}

void last_row(Shell *shell, const contextql_statement *statement)
{
    Last *last = &shell->last;
    if (last->row_count++ >= LAST_ROWS_MAX || last->bytes > LAST_BYTES_MAX) return;
    contextql_value *row = contextql_value_new_map();
    for (size_t c = 0; c < last->column_count; c++) {
        const contextql_value *value = contextql_column(statement, (int)c);
        last->bytes += bytes_of(value);
        contextql_value_put(row, last->columns[c], strlen(last->columns[c]), value);
    }
    contextql_value_append(last->rows, row);
    contextql_value_free(row);
}

/* "UNWIND $from AS row RETURN row.a AS a, .." */
static void put_query(Buffer *out, const char *from, const char *const *columns, size_t count)
{
    buffer_printf(out, "UNWIND $%s AS row RETURN ", from);
    for (size_t c = 0; c < count; c++) {
        Str name = str_from(columns[c]);
        buffer_text(out, c == 0 ? "row." : ", row.");
        value_text_name(out, name);
        buffer_text(out, " AS ");
        value_text_name(out, name);
    }
    buffer_char(out, ';');
}

void command_run_text(Shell *shell, Str text)
{
    shell->generated = true;
    run_text(shell, text, "");
    shell->generated = false;
}

void command_show_rows(Shell *shell, const contextql_value *rows, const char *const *columns)
{
    Buffer text = {0};
    size_t count = 0;
    while (columns[count] != NULL)
        count++;
    put_query(&text, "_rows", columns, count);
    shell->rows = rows;
    command_run_text(shell, buffer_view(&text));
    shell->rows = NULL;
    buffer_free(&text);
}

Error *run_last(const Call *call)
{
    Shell *shell = call->shell;
    Last *last = &shell->last;
    Buffer text = {0};
    if (last->rows == NULL)
        return error_hint(error_new(ERROR_MISUSE, "there is no result yet"),
                          "the last one at the prompt is kept");
    uint64_t kept = contextql_value_count(last->rows);
    put_query(&text, "_", (const char *const *)last->columns, last->column_count);
    command_run_text(shell, buffer_view(&text));
    buffer_free(&text);
    if (kept < last->row_count)
        fprintf(stderr, "of %llu rows the first %llu were kept\n",
                (unsigned long long)last->row_count, (unsigned long long)kept);
    return NULL;
}
