/*
 * shell.c - runs statements one after another.
 *
 * A text is cut into statements by the engine's own lexer, so that a `;` inside a text or comment
 * cuts nothing. In batch the first error ends the run (--keep-going goes on); at a terminal nothing
 * does. Ctrl-C stops the statement that runs, not the session; at the prompt it drops what was
 * typed.
 */
#include "config.h"

#include "shell/command.h"
#include "shell/format.h"
#include "shell/glyph.h"
#include "shell/jsonl.h"
#include "shell/progress.h"
#include "shell/prompt.h"
#include "shell/shell.h"
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

/* ---- Ctrl-C ---- */

static contextql
    *volatile running; /* what a signal stops; a signal handler can know nothing else */
static volatile sig_atomic_t interrupted;

static void on_interrupt(int signal)
{
    (void)signal;
    interrupted = 1;
    if (running != NULL) contextql_interrupt(running);
}

static void catch_interrupts(void)
{
    struct sigaction action = {.sa_handler = on_interrupt};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
}

/* ---- parameters ---- */

static contextql_value *value_of(Str text)
{
    int64_t integer;
    double number;
    if (integer_parse(text, &integer)) return contextql_value_new_integer(integer);
    if (float_parse(text, &number)) return contextql_value_new_float(number);
    if (str_equal(text, STR("true")) || str_equal(text, STR("false")))
        return contextql_value_new_boolean(text.data[0] == 't');
    if (str_equal(text, STR("null"))) return contextql_value_new_null();
    return contextql_value_new_string(text.data, text.bytes);
}

static void bind_params(const Options *options, contextql_statement *statement)
{
    for (size_t i = 0; i < options->param_count; i++) {
        const char *equals = strchr(options->params[i], '=');
        if (equals == NULL) continue;
        char name[256];
        snprintf(name, sizeof name, "%.*s", (int)(equals - options->params[i]), options->params[i]);
        contextql_value *value = value_of(str_from(equals + 1));
        if (value == NULL) continue;
        contextql_bind(statement, name, value);
        contextql_value_free(value);
    }
}

/* ---- one statement ---- */

static void show_error(Shell *shell, const char *name, Str text, size_t line)
{
    contextql_error_info info;
    contextql_error(shell->session, &info);
    if (shell->interactive && interrupted) fputc('\n', stderr); /* the terminal has echoed ^C */
    format_error(stderr, &info, "error", name, text, line);
    shell->status = info.code == CONTEXTQL_TIMEOUT     ? EXIT_TIMEOUT
                    : info.code == CONTEXTQL_CANCELLED ? EXIT_INTERRUPTED
                                                       : EXIT_FAILED;
}

static void show_warnings(contextql_statement *statement, const char *name, Str text, size_t line)
{
    contextql_stats stats;
    contextql_statement_stats(statement, &stats);
    for (size_t i = 0; i < stats.warning_count; i++) {
        contextql_error_info warning;
        if (contextql_statement_warning(statement, i, &warning) == CONTEXTQL_OK)
            format_error(stderr, &warning, "warning", name, text, line);
    }
}

static void show_counts(const contextql_statement *statement)
{
    contextql_stats stats;
    contextql_statement_stats(statement, &stats);
    const struct {
        uint64_t count;
        const char *what;
    } counts[] = {{stats.nodes_created, "nodes created"},
                  {stats.nodes_deleted, "nodes deleted"},
                  {stats.relationships_created, "relationships created"},
                  {stats.relationships_deleted, "relationships deleted"},
                  {stats.properties_set, "properties set"},
                  {stats.labels_added, "labels added"},
                  {stats.labels_removed, "labels removed"}};
    const char *separator = "";
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        if (counts[i].count == 0) continue;
        printf("%s%llu %s", separator, (unsigned long long)counts[i].count, counts[i].what);
        separator = ", ";
    }
    if (separator[0] != '\0') putchar('\n');
}

static void show_time(const contextql_statement *statement)
{
    contextql_stats stats;
    contextql_statement_stats(statement, &stats);
    fprintf(stderr, "time: %.3f s\n", (double)stats.elapsed_ns / 1e9);
}

/* What a load has made, and how fast; true: told. */
static bool show_made(const Shell *shell, const contextql_statement *statement, Str text)
{
    contextql_stats stats;
    Buffer made = {0};
    bool wanted = shell->options->stats || (isatty(STDERR_FILENO) && !shell->options->quiet);
    if (!wanted || !progress_is_load(text)) return false;
    contextql_statement_stats(statement, &stats);
    progress_print_made(&made, &stats);
    bool told = made.bytes > 0;
    fflush(shell->output);
    if (told) fputs(made.data, stderr);
    buffer_free(&made);
    return told;
}

/* With a bar on standard error, if that is a terminal that can take it away again. */
static int run_with_progress(Shell *shell, contextql_statement *statement, Str text, uint64_t *rows)
{
    Progress progress;
    bool bar = !shell->options->quiet && isatty(STDERR_FILENO) && prompt_can_draw();
    progress_begin(&progress, stderr, shell->clock);
    if (bar) contextql_progress(shell->session, progress_report, &progress);
    running = shell->session;
    if (interrupted)
        contextql_interrupt(shell->session); /* Ctrl-C came before there was what to stop */
    int result = format_run(shell->session, statement, text, shell->format, shell->output, rows);
    running = NULL;
    contextql_progress(shell->session, NULL, NULL);
    progress_end(&progress);
    return result;
}

static bool run_statement(Shell *shell, Str text, const char *name, size_t line)
{
    contextql_statement *statement = NULL;
    uint64_t rows;
    if (contextql_prepare(shell->session, text.data, text.bytes, &statement, NULL) != CONTEXTQL_OK)
        return show_error(shell, name, text, line), false;
    if (statement == NULL) return true;
    bind_params(shell->options, statement);
    int result = run_with_progress(shell, statement, text, &rows);
    bool good = result == CONTEXTQL_DONE;
    if (!good && shell->format != FORMAT_RECORDS) show_error(shell, name, text, line);
    if (!good && shell->format == FORMAT_RECORDS) shell->status = EXIT_FAILED;
    if (good && shell->format != FORMAT_RECORDS) show_warnings(statement, name, text, line);
    bool told = good && show_made(shell, statement, text);
    if (good && !told && shell->interactive && !shell->options->quiet) show_counts(statement);
    bool flushed = fflush(shell->output) == 0;
    if (shell->timer) show_time(statement);
    contextql_finalize(statement);
    if (!flushed) return shell->status = EXIT_OUTPUT, false;
    return good;
}

static size_t lines_before(Str text, Str part)
{
    size_t lines = 0;
    for (const char *at = text.data; at < part.data; at++)
        lines += *at == '\n';
    return lines;
}

bool shell_run_text(Shell *shell, Str text, const char *name)
{
    size_t line = 1;
    while (text.bytes > 0 && !shell->quit) {
        size_t end;
        Str command;
        bool good;
        if (command_find(text, &command, &end)) {
            good = command_run(shell, command, name, line + lines_before(text, command));
        } else {
            contextql_is_complete(text.data, text.bytes, &end);
            good = run_statement(shell, (Str){text.data, end}, name, line);
        }
        if (!good && (!shell->options->keep_going || shell->status == EXIT_OUTPUT ||
                      shell->status == EXIT_INTERRUPTED))
            return false;
        for (size_t i = 0; i < end; i++)
            line += text.data[i] == '\n';
        text.data += end;
        text.bytes -= end;
    }
    return true;
}

/* ---- where statements come from ---- */

static bool read_all(FILE *file, Buffer *out)
{
    char chunk[1 << 16];
    size_t bytes;
    while ((bytes = fread(chunk, 1, sizeof chunk, file)) > 0)
        buffer_append(out, chunk, bytes);
    return ferror(file) == 0;
}

bool shell_run_file(Shell *shell, const char *path)
{
    bool standard = strcmp(path, "-") == 0;
    FILE *file = standard ? stdin : fopen(path, "rb");
    Buffer text = {0};
    if (file == NULL) {
        fprintf(stderr, "contextql: %s: %s\n", path, strerror(errno));
        return shell->status = EXIT_USAGE, false;
    }
    bool good = read_all(file, &text);
    if (!good) shell->status = EXIT_FAILED;
    if (!standard) fclose(file);
    good = good && shell_run_text(shell, buffer_view(&text), standard ? "<stdin>" : path);
    buffer_free(&text);
    return good;
}

static bool run_lua(Shell *shell, const OptionInput *input)
{
    const ScriptHost *script = shell->script;
    if (script == NULL) return shell->status = EXIT_FAILED, false;
    running = shell->session;
    Error *error = input->file
                       ? script->run_file(script->state, input->text,
                                          shell->options->argument_count, shell->options->arguments)
                       : script->run(script->state, str_from(input->text), "=<lua>", true);
    running = NULL;
    if (error == NULL) return true;
    fprintf(stderr, "contextql: %s\n", error_message(error));
    error_drop(error);
    return shell->status = EXIT_FAILED, false;
}

/* Nothing but blanks and comments. */
static bool is_blank(Str text)
{
    contextql_token token;
    size_t count = 0;
    for (;;) {
        if (contextql_tokenize(text.data, text.bytes, &token, 1, &count) != CONTEXTQL_OK)
            return false;
        if (count == 0) return true;
        if (token.kind != CONTEXTQL_TOKEN_COMMENT) return false;
        text.data += token.offset + token.length;
        text.bytes -= token.offset + token.length;
    }
}

/* Does the last statement or command of a text end, or does its next line belong to it? */
static bool is_whole(Str text)
{
    size_t end;
    Str command;
    while (text.bytes > 0) {
        if (!command_find(text, &command, &end) &&
            !contextql_is_complete(text.data, text.bytes, &end))
            return is_blank(text);
        text.data += end;
        text.bytes -= end;
    }
    return true;
}

static void run_prompt(Shell *shell)
{
    Prompt *prompt = prompt_open(shell->options->database, is_whole);
    const Clock *clock = shell->clock;
    Buffer text = {0};
    if (!shell->options->quiet)
        printf("ContextQL %s. A statement ends with `;`; :help lists the commands.\n",
               contextql_version());
    while (!shell->quit && prompt_read(prompt, &text)) {
        interrupted = 0;
        prompt_remember(prompt, buffer_view(&text));
        prompt_running(prompt);
        int64_t wall_ns = clock->wall_ns(clock->state),
                begin_ns = clock->monotonic_ns(clock->state);
        shell_run_text(shell, buffer_view(&text), "");
        int64_t elapsed_ns = clock->monotonic_ns(clock->state) - begin_ns;
        prompt_save(prompt, buffer_view(&text), wall_ns / 1000000000, (double)elapsed_ns / 1e9);
        buffer_clear(&text);
    }
    shell->status = EXIT_GOOD;
    buffer_free(&text);
    prompt_close(prompt);
}

/* ---- the session ---- */

static int configure(contextql *session, void *user)
{
    const Options *options = user;
    int result = CONTEXTQL_OK;
    if (options->timeout != NULL) result = contextql_set(session, "timeout", options->timeout);
    if (result == CONTEXTQL_OK && options->memory_limit != NULL)
        result = contextql_set(session, "memory_limit", options->memory_limit);
    if (result == CONTEXTQL_OK && options->strict_names)
        result = contextql_set(session, "strict_names", "true");
    const char *simd = getenv("CONTEXTQL_SIMD");
    if (result == CONTEXTQL_OK && simd != NULL) result = contextql_set(session, "simd", simd);
    return result;
}

static int fail_open(contextql *session, int status)
{
    contextql_error_info info;
    contextql_error(session, &info);
    fprintf(stderr, "contextql: %s\n", info.message);
    if (info.hint[0] != '\0') fprintf(stderr, "hint: %s\n", info.hint);
    contextql_close(session);
    return status;
}

static int run_jsonl(const Options *options, const contextql_options *how, const ScriptHost *script)
{
    JsonlOptions jsonl = {.database = options->database,
                          .options = how,
                          .script = script,
                          .prepare_session = configure,
                          .state = (void *)options};
    return jsonl_run(&jsonl, stdin, stdout);
}

static void choose_clock(Shell *shell)
{
    const char *frozen = getenv("CONTEXTQL_TEST_CLOCK");
    shell->clock = clock_system();
    if (frozen == NULL || frozen[0] == '\0') return;
    shell->frozen_wall_ns = strtoll(frozen, NULL, 10) * INT64_C(1000000000);
    clock_frozen(&shell->frozen_clock, &shell->frozen_wall_ns);
    shell->clock = &shell->frozen_clock;
}

int shell_run(const Options *options, const ScriptHost *script)
{
    contextql_options how = {.read_only = options->read_only, .create = !options->read_only};
    Shell shell = {.options = options, .script = script, .output = stdout};
    bool terminal = isatty(STDOUT_FILENO);
    if (options->jsonl) return run_jsonl(options, &how, script);
    shell.format = terminal ? FORMAT_TABLE : FORMAT_CSV;
    if (options->format != NULL && !format_find(options->format, &shell.format)) {
        fprintf(stderr, "contextql: no such format: %s\nhint: contextql --help lists them\n",
                options->format);
        return EXIT_USAGE;
    }
    if (contextql_open(options->database, &how, &shell.session) != CONTEXTQL_OK)
        return fail_open(shell.session, EXIT_DATABASE);
    if (configure(shell.session, (void *)options) != CONTEXTQL_OK)
        return fail_open(shell.session, EXIT_USAGE);
    choose_clock(&shell);
    catch_interrupts();
    glyph_start();
    if (script != NULL) script->attach(script->state, shell.session);
    bool good = true;
    for (size_t i = 0; i < options->input_count && good && !shell.quit; i++) {
        const OptionInput *input = &options->inputs[i];
        if (input->lua) {
            good = run_lua(&shell, input);
            continue;
        }
        good = input->file ? shell_run_file(&shell, input->text)
                           : shell_run_text(&shell, str_from(input->text), "<command>");
    }
    if (options->input_count == 0) {
        shell.interactive = isatty(STDIN_FILENO) && terminal && !options->batch;
        if (shell.interactive)
            run_prompt(&shell);
        else
            shell_run_file(&shell, "-");
    }
    if (script != NULL) script->attach(script->state, NULL);
    Error *error = command_close_output(&shell);
    if (error != NULL) fprintf(stderr, "contextql: %s\n", error_message(error));
    error_drop(error);
    if (contextql_close(shell.session) != CONTEXTQL_OK && shell.status == EXIT_GOOD)
        shell.status = EXIT_DATABASE;
    return shell.status;
}
