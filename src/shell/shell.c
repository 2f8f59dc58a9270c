/*
 * shell.c - a session from its opening to its end: what the command line asks for, then the prompt
 * or standard input.
 *
 * A session at a prompt begins with the person's init.lua. Others do not: what a script means must
 * not depend on whose home it runs in.
 */
#include "config.h"

#include "commandline/paths.h"
#include "editor/external.h"
#include "editor/glyph.h"
#include "editor/prompt.h"
#include "editor/terminal.h"
#include "shell/command.h"
#include "shell/complete.h"
#include "shell/jsonl.h"
#include "shell/shell.h"
#include "shell/shell_internal.h"
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

ScriptHost *shell_script(Shell *shell)
{
    if (shell->script != NULL || shell->language == NULL) return shell->script;
    shell->script = shell->language->create(shell->options->safe);
    if (shell->script == NULL) return NULL;
    shell->script->attach(shell->script->state, shell->session);
    if (shell->script->result != NULL)
        shell->script->result(shell->script->state, shell->last.rows);
    return shell->script;
}

/* ---- init.lua ---- */

/* What is wrong in it is told; the session begins anyway. */
static void read_rc(Shell *shell)
{
    const Options *options = shell->options;
    if (options->no_rc) return;
    char *path = paths_chosen(NULL, "CONTEXTQL_RC", "XDG_CONFIG_HOME", ".config", "init.lua");
    bool named = getenv("CONTEXTQL_RC") != NULL;
    ScriptHost *script =
        path != NULL && (named || access(path, F_OK) == 0) ? shell_script(shell) : NULL;
    if (script != NULL) {
        Error *error = script->run_file(script->state, path, 0, NULL);
        if (error != NULL)
            report_program(&shell->report, error_message(error), "-n starts without it");
        error_drop(error);
    }
    mem_free(path);
}

/* ---- the prompt ---- */

static void tell_failure(const Shell *shell, Error *error)
{
    if (error != NULL) report_program(&shell->report, error_message(error), "");
    error_drop(error);
}

void shell_event(Shell *shell, const ScriptEvent *event)
{
    const ScriptHost *script = shell->script;
    Error *error = NULL;
    if (script == NULL || script->event == NULL) return;
    script->event(script->state, event, &error);
    tell_failure(shell, error);
}

/* False: no script has said how; `out` stays empty. */
static bool ask_prompt(const Shell *shell, bool right, Buffer *out)
{
    const ScriptHost *script = shell->script;
    Buffer text = {0};
    Error *error = NULL;
    bool good = script->prompt(script->state, right, &text, &error);
    if (good) expand_prompt(shell, buffer_view(&text), out);
    tell_failure(shell, error);
    buffer_free(&text);
    return good;
}

/* By contextql.prompt and contextql.rprompt, if a script has said how; else at the right stands the
 * moment that the session looks at. */
static void name_prompt(const Shell *shell, Prompt *prompt)
{
    Buffer text = {0}, right = {0};
    bool asked = shell->script != NULL && shell->script->prompt != NULL;
    bool named = asked && ask_prompt(shell, false, &text),
         sided = asked && ask_prompt(shell, true, &right);
    if (!named) expand_prompt(shell, STR("%d> "), &text);
    if (!sided) expand_prompt(shell, STR("%a"), &right);
    prompt_name(prompt, buffer_view(&text), buffer_view(&right));
    buffer_free(&text);
    buffer_free(&right);
}

/* contextql.theme */
static void take_style(void *sink, Str part, Str style)
{
    Shell *shell = sink;
    Buffer name = {0};
    buffer_str(&name, style);
    bool good = part.bytes == 0 ? theme_find(name.data == NULL ? "" : name.data, &shell->theme)
                                : theme_set(&shell->theme, part, style);
    shell->theme_chosen = true;
    buffer_clear(&name);
    buffer_printf(&name,
                  part.bytes == 0 ? "no such theme: %.*s%.*s"
                                  : "no part %.*s of a theme, or no style: %.*s",
                  STR_ARG(part), STR_ARG(style));
    if (!good) report_program(&shell->report, name.data, "contextql-lua(7) lists parts and styles");
    buffer_free(&name);
}

static void take_theme(Shell *shell)
{
    const ScriptHost *script = shell->script;
    if (script != NULL && script->theme != NULL) script->theme(script->state, take_style, shell);
}

/* contextql.key */
static bool press_key(void *state, const char *key, Buffer *before, Buffer *after)
{
    const Shell *shell = state;
    const ScriptHost *script = shell->script;
    Error *error = NULL;
    if (script == NULL || script->key == NULL) return false;
    bool bound = script->key(script->state, key, before, after, &error);
    tell_failure(shell, error);
    return bound;
}

/* ---- shell.history() ---- */

static void return_history(contextql_call *call, int count, const contextql_value **arguments,
                           void *user)
{
    const Shell *shell = user;
    (void)count, (void)arguments;
    for (size_t i = shell->prompt == NULL ? 0 : prompt_past_count(shell->prompt); i-- > 0;) {
        HistoryRun run;
        Str text = prompt_past(shell->prompt, i, &run), database = run.database;
        contextql_temporal when = {
            .kind = CONTEXTQL_DATETIME, .days = run.time_s / 86400, .seconds = run.time_s % 86400};
        contextql_value *columns[] = {
            run.time_s > 0 ? contextql_value_new_temporal(&when) : contextql_value_new_null(),
            contextql_value_new_float(run.seconds),
            database.bytes > 0 ? contextql_value_new_string(database.data, database.bytes)
                               : contextql_value_new_null(),
            contextql_value_new_string(text.data, text.bytes)};
        bool good =
            columns[2] != NULL && columns[3] != NULL &&
            contextql_yield_row(call, (const contextql_value *const *)columns) == CONTEXTQL_OK;
        for (size_t c = 0; c < sizeof columns / sizeof *columns; c++)
            contextql_value_free(columns[c]);
        if (!good) return;
    }
}

/* A result taller than the screen. */
static bool page_result(void *state, Str text, size_t header)
{
    Shell *shell = state;
    if (shell->no_pager || shell->output.to_file) return false;
    if (shell->pager == NULL) return prompt_page(shell->prompt, text, header);
    Error *error = external_feed(str_from(shell->pager), text);
    if (error != NULL) report_program(&shell->report, error_message(error), ":pager on: our own");
    error_drop(error);
    return true;
}

/* $PAGER, as other programs have it. */
static void choose_pager(Shell *shell)
{
    const char *pager = getenv("PAGER");
    shell->no_pager = shell->options->no_pager;
    if (pager == NULL || pager[0] == '\0' || shell->options->safe) return;
    shell->pager = strcpy(mem_alloc(strlen(pager) + 1), pager);
}

/* True: nothing in it failed. */
static bool run_prompted(Shell *shell, Str text)
{
    shell->status = EXIT_GOOD;
    run_text(shell, text, "");
    return shell->status == EXIT_GOOD;
}

/* Who has no history yet is told a little more. */
static void greet(const char *history)
{
    bool known = history == NULL || access(history, F_OK) == 0;
    size_t columns, rows;
    Buffer told = {0}, text = {0};
    terminal_size(STDOUT_FILENO, &columns, &rows);
    buffer_printf(&told,
                  known ? "ContextQL %s. A statement ends with `;`; :help lists the commands.\n"
                        : "Welcome to ContextQL %s: a graph, vectors, and one language for both.\n",
                  contextql_version());
    if (!known)
        buffer_text(&told, "A statement ends with `;`. Tab completes, :help lists the commands, "
                           ":keys the keys.\n"
                           ":tutorial is a first session on data of its own; Ctrl-D ends.\n");
    format_wrapped(&text, buffer_view(&told), 0, 0, columns);
    fwrite(text.data, 1, text.bytes, stdout);
    buffer_free(&text);
    buffer_free(&told);
}

static void run_prompt(Shell *shell)
{
    const Options *options = shell->options;
    char *history = paths_chosen(options->history, "CONTEXTQL_HISTORY", "XDG_STATE_HOME",
                                 ".local/state", "history");
    char *editrc = paths_of("XDG_CONFIG_HOME", ".config", "editrc");
    Completer *completer = complete_open(shell);
    Helper helper = complete_helper(completer);
    bool adapts =
        shell->output.theme != NULL && !shell->theme_chosen && getenv("COLORFGBG") == NULL;
    PromptOptions prompt_options = {.database = options->database,
                                    .is_whole = run_is_whole,
                                    .helper = &helper,
                                    .adapt = adapts ? &shell->theme : NULL,
                                    .theme = shell->output.theme,
                                    .no_programs = options->safe,
                                    .history = history,
                                    .editrc = editrc};
    prompt_options.key = press_key;
    prompt_options.key_state = shell;
    Prompt *prompt = prompt_open(&prompt_options);
    contextql_create_procedure(
        shell->session,
        "shell.history() :: (time :: ANY, seconds :: FLOAT, database :: ANY, statement :: STRING)",
        return_history, shell, NULL);
    const Clock *clock = shell->clock;
    char *where = realpath(options->database, NULL); /* NULL: in memory */
    Buffer text = {0};
    if (!options->quiet) greet(history);
    shell->prompt = prompt;
    shell->output.page = page_result;
    shell->output.page_state = shell;
    name_prompt(shell, prompt);
    while (!shell->quit && prompt_read(prompt, &text)) {
        run_forget_interrupt();
        prompt_remember(prompt, buffer_view(&text));
        prompt_running(prompt);
        int64_t wall_ns = clock->wall_ns(clock->state),
                begin_ns = clock->monotonic_ns(clock->state);
        shell->failed = !run_prompted(shell, buffer_view(&text));
        int64_t elapsed_ns = clock->monotonic_ns(clock->state) - begin_ns;
        if (!shell->failed && !shell->tutorial_fresh && !shell->quit) tutorial_next(shell);
        shell->tutorial_fresh = false;
        shell->seconds = (double)elapsed_ns / 1e9;
        HistoryRun run = {wall_ns / 1000000000, shell->seconds,
                          str_from(where == NULL ? "" : where)};
        prompt_save(prompt, buffer_view(&text), &run);
        buffer_clear(&text);
        name_prompt(shell, prompt);
    }
    shell->status = EXIT_GOOD;
    buffer_free(&text);
    shell->output.page = NULL;
    shell->prompt = NULL;
    prompt_close(prompt);
    complete_close(completer);
    free(where); /* of realpath */
    mem_free(history);
    mem_free(editrc);
}

/* ---- the session ---- */

typedef struct Choice { /* a setting that the command line or the environment gives */
    const char *setting, *value;
} Choice;

/* "NAME=VALUE" */
static int set_pair(contextql *session, const char *pair)
{
    const char *value = strchr(pair, '=') + 1;
    Buffer name = {0};
    buffer_printf(&name, "%.*s", (int)(value - 1 - pair), pair);
    int result = contextql_set(session, name.data, value);
    buffer_free(&name);
    return result;
}

static int configure(contextql *session, void *user)
{
    const Options *options = user;
    const Choice choices[] = {{"timeout", options->timeout},
                              {"memory_limit", options->memory_limit},
                              {"workers", options->threads},
                              {"strict_names", options->strict_names ? "true" : NULL},
                              {"files", options->safe ? "false" : NULL},
                              {"simd", getenv("CONTEXTQL_SIMD")},
                              {"shuffle", getenv("CONTEXTQL_SHUFFLE")},
                              {"workers", getenv("CONTEXTQL_WORKERS")},
                              {"morsel", getenv("CONTEXTQL_MORSEL")},
                              {"vector_codes", getenv("CONTEXTQL_VECTOR_CODES")},
                              {"gpu", getenv("CONTEXTQL_GPU")}};
    int result = CONTEXTQL_OK;
    for (size_t i = 0; i < sizeof choices / sizeof *choices && result == CONTEXTQL_OK; i++)
        if (choices[i].value != NULL)
            result = contextql_set(session, choices[i].setting, choices[i].value);
    for (size_t i = 0; i < options->setting_count && result == CONTEXTQL_OK; i++)
        result = set_pair(session, options->settings[i]);
    return result;
}

static int fail_open(const Shell *shell, int status)
{
    contextql_error_info info;
    contextql_error(shell->session, &info);
    report_program(&shell->report, info.message, info.hint);
    contextql_close(shell->session);
    return status;
}

static int run_jsonl(const Options *options, const contextql_options *how,
                     const ScriptLanguage *language)
{
    ScriptHost *script = language == NULL ? NULL : language->create(options->safe);
    JsonlOptions jsonl = {.database = options->database,
                          .options = how,
                          .script = script,
                          .prepare_session = configure,
                          .state = (void *)options};
    int status = jsonl_run(&jsonl, stdin, stdout);
    if (language != NULL) language->destroy(script);
    return status;
}

static void choose_clock(Shell *shell)
{
    const char *frozen = getenv("CONTEXTQL_TEST_CLOCK");
    shell->clock = clock_system();
    if (frozen == NULL || frozen[0] == '\0') return;
    shell->frozen = clock_parse(frozen);
    clock_frozen(&shell->frozen_clock, &shell->frozen);
    shell->clock = &shell->frozen_clock;
}

/* False: shell->status says why not. */
static bool choose_output(Shell *shell)
{
    const Options *options = shell->options;
    Output *output = &shell->output;
    bool terminal = isatty(STDOUT_FILENO) && options->output == NULL;
    output->file = stdout;
    output->null = options->null;
    output->terminal = isatty(STDOUT_FILENO) && terminal_can_draw();
    output->rows_max = SHELL_ROWS_MAX;
    output->unbuffered = options->unbuffered || terminal;
    output->theme =
        !options->batch && terminal_colour(STDOUT_FILENO, options->color) ? &shell->theme : NULL;
    output->format = options->null ? FORMAT_TSV : terminal ? FORMAT_TABLE : FORMAT_CSV;
    if (options->format != NULL && !format_find(options->format, &output->format)) {
        Error *error = command_format(str_from(options->format), &output->format);
        report_program(&shell->report, error_message(error), error_hint_text(error));
        error_drop(error);
        return shell->status = EXIT_USAGE, false;
    }
    if (options->output == NULL) return true;
    Error *error = command_open_output(shell, options->output);
    if (error == NULL) return true;
    report_program(&shell->report, error_message(error), "");
    error_drop(error);
    return shell->status = EXIT_OUTPUT, false;
}

/* -c, -f, -e and scripts; false: one failed. */
static bool run_inputs(Shell *shell)
{
    const Options *options = shell->options;
    bool good = true;
    for (size_t i = 0; i < options->input_count && good && !shell->quit; i++) {
        const OptionInput *input = &options->inputs[i];
        if (input->lua)
            good = run_script(shell, input, options->argument_count, options->arguments);
        else
            good = input->file ? run_file(shell, input->text)
                               : run_text(shell, str_from(input->text), "<command>");
        good = good || (options->keep_going && shell->status != EXIT_OUTPUT &&
                        shell->status != EXIT_INTERRUPTED);
    }
    return good;
}

static bool at_prompt(const Options *options)
{
    bool on = options->input_count == 0 || options->interactive;
    return on && isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) && !options->batch;
}

/* Is it a directory that is not there yet? */
static bool is_missing(const Options *options)
{
    return strcmp(options->database, ":memory:") != 0 && access(options->database, F_OK) != 0;
}

static void run_session(Shell *shell)
{
    const Options *options = shell->options;
    bool on = options->input_count == 0 || options->interactive, prompt = at_prompt(options);
    if (prompt) read_rc(shell);
    take_theme(shell);
    shell->interactive = prompt && options->input_count == 0;
    bool good = run_inputs(shell);
    shell->interactive = prompt;
    if (prompt && !shell->quit && (good || options->interactive))
        run_prompt(shell);
    else if (on && good && !shell->quit)
        run_file(shell, "-");
}

/* What a crash cut off was never acknowledged; it is told, so that nobody misses it in silence. */
static void tell_discarded(const Shell *shell)
{
    uint64_t bytes = contextql_discarded(shell->session);
    if (bytes == 0 || shell->options->quiet) return;
    Buffer text = {0};
    buffer_printf(&text,
                  "%llu bytes discarded: of a commit that a crash cut off before it was done",
                  (unsigned long long)bytes);
    buffer_append(&text, "", 1);
    report_program(&shell->report, text.data, "");
    buffer_free(&text);
}

/* --at; false: there is no such moment. */
static bool look_at(Shell *shell)
{
    Error *error = command_look_at(shell, str_from(shell->options->at));
    bool good = error == NULL;
    error_drop(error); /* the session has it */
    return good;
}

int shell_run(const Options *options, const ScriptLanguage *language)
{
    contextql_options how = {.read_only = options->read_only, .create = !options->read_only};
    Shell shell = {.options = options, .language = language};
    theme_choose(&shell.theme);
    shell.report = (Report){
        .file = stderr,
        .json = options->errors != NULL && strcmp(options->errors, "json") == 0,
        .theme = !options->batch && terminal_colour(STDERR_FILENO, options->color) ? &shell.theme
                                                                                   : NULL};
    choose_clock(&shell);
    if (options->tool != NULL) return command_tool(&shell);
    if (options->jsonl) return run_jsonl(options, &how, language);
    glyph_start();
    if (!choose_output(&shell)) return shell.status;
    bool made = is_missing(options);
    if (contextql_open(options->database, &how, &shell.session) != CONTEXTQL_OK)
        return fail_open(&shell, EXIT_DATABASE);
    if (configure(shell.session, (void *)options) != CONTEXTQL_OK)
        return fail_open(&shell, EXIT_USAGE);
    if (options->at != NULL && !look_at(&shell)) return fail_open(&shell, EXIT_USAGE);
    if (made && !options->quiet && (options->verbose || at_prompt(options)))
        fprintf(stderr, "contextql: a new database is made: %s\n", options->database);
    tell_discarded(&shell);
    choose_pager(&shell);
    run_catch_interrupts();
    run_session(&shell);
    tutorial_end(&shell);
    if (shell.script != NULL) shell.script->attach(shell.script->state, NULL);
    last_clear(&shell);
    Error *error = command_close_log(&shell);
    if (error == NULL) error = command_close_output(&shell);
    if (error != NULL) report_program(&shell.report, error_message(error), "");
    error_drop(error);
    if (contextql_close(shell.session) != CONTEXTQL_OK && shell.status == EXIT_GOOD)
        shell.status = EXIT_DATABASE;
    if (language != NULL) language->destroy(shell.script);
    for (size_t i = 0; i < shell.param_count; i++)
        mem_free(shell.params[i]);
    mem_free(shell.params);
    mem_free(shell.pager);
    buffer_free(&shell.last_text);
    return shell.status;
}
