/*
 * tutorial.c - :tutorial, a first session on data of its own (contextql/tutorial.def).
 *
 * The steps run in a scratch database, which takes the place of the person's until the tutorial
 * ends. At a prompt each step tells something and leaves a statement to be run, or changed, by the
 * person; what went well leads to the next. Elsewhere all steps run one after another.
 */
#include "config.h"

#include "editor/prompt.h"
#include "shell/command_internal.h"

typedef struct Step {
    const char *text, *statement;
} Step;

static const char *const data =
#define DATA(statement) statement
#define STEP(text, statement)
#include "contextql/tutorial.def"
#undef DATA
#undef STEP
    ;

static const Step steps[] = {
#define DATA(statement)
#define STEP(text, statement) {text, statement},
#include "contextql/tutorial.def"
#undef DATA
#undef STEP
};
enum { STEP_COUNT = sizeof steps / sizeof *steps };

static Error *open_scratch(Shell *shell)
{
    contextql_options how = {.create = true};
    contextql *scratch = NULL;
    contextql_statement *statement = NULL;
    int code = contextql_open(":memory:", &how, &scratch);
    if (code == CONTEXTQL_OK)
        code = contextql_prepare(scratch, data, strlen(data), &statement, NULL);
    while (code == CONTEXTQL_OK || code == CONTEXTQL_ROW)
        code = contextql_step(statement);
    contextql_finalize(statement);
    if (code == CONTEXTQL_DONE) {
        shell->before_tutorial = shell->session;
        shell->session = scratch;
        return NULL;
    }
    Error *error = command_session_error(scratch);
    contextql_close(scratch);
    return error;
}

void tutorial_end(Shell *shell)
{
    if (shell->before_tutorial == NULL) return;
    last_clear(shell); /* its values are those of the scratch database */
    contextql_close(shell->session);
    shell->session = shell->before_tutorial;
    shell->before_tutorial = NULL;
}

static void tell(const Shell *shell, const Step *step)
{
    Buffer text = {0};
    buffer_printf(&text, "\n[%zu/%d] ", (size_t)(step - steps) + 1, STEP_COUNT);
    format_wrapped(&text, str_from(step->text), text.bytes - 1, 0, command_width(shell));
    fprintf(shell->output.file, "%.*s\n", (int)text.bytes, text.data);
    buffer_free(&text);
}

void tutorial_next(Shell *shell)
{
    if (shell->before_tutorial == NULL) return;
    if (shell->tutorial_step == STEP_COUNT) {
        tutorial_end(shell);
        fputs("\nThat was it; your own database is back. :help lists what else there is.\n",
              shell->output.file);
        return;
    }
    const Step *step = &steps[shell->tutorial_step++];
    tell(shell, step);
    prompt_begin_with(shell->prompt, str_from(step->statement));
}

/* Where nobody is: every step and what it gives. */
static void run_all(Shell *shell)
{
    for (size_t i = 0; i < STEP_COUNT; i++) {
        tell(shell, &steps[i]);
        fprintf(shell->output.file, "%s\n", steps[i].statement);
        run_text(shell, str_from(steps[i].statement), "");
    }
    tutorial_end(shell);
}

Error *run_tutorial(const Call *call)
{
    Shell *shell = call->shell;
    bool end = str_equal(call->rest, STR("end"));
    if (end && shell->before_tutorial == NULL)
        return error_hint(error_new(ERROR_MISUSE, "there is no tutorial to end"),
                          ":tutorial begins it");
    if (end) return tutorial_end(shell), NULL;
    if (call->rest.bytes > 0)
        return error_hint(error_new(ERROR_MISUSE, "a tutorial begins, or ends"), ":tutorial end");
    if (contextql_in_transaction(shell->session))
        return error_hint(error_new(ERROR_MISUSE, "a transaction is open"),
                          "COMMIT or ROLLBACK ends it");
    if (shell->before_tutorial == NULL) TRY(open_scratch(shell));
    shell->tutorial_step = 0;
    shell->tutorial_fresh = true;
    if (shell->prompt == NULL)
        run_all(shell);
    else
        tutorial_next(shell);
    return NULL;
}
