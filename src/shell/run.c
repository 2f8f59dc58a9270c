/*
 * run.c - runs statements and commands one after another.
 *
 * A text is cut into statements by the engine's own lexer, so that a `;` inside a text or comment
 * cuts nothing. In batch the first error ends the run (--keep-going goes on); at a terminal nothing
 * does. Ctrl-C stops the statement or script that runs, not the session.
 */
#include "config.h"

#include "base/meant.h"
#include "commandline/literal.h"
#include "editor/external.h"
#include "editor/terminal.h"
#include "shell/command.h"
#include "shell/progress.h"
#include "shell/shell_internal.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

/* ---- Ctrl-C ---- */

/* What a signal stops; a signal handler can know nothing else. */
static contextql *volatile running;
static const ScriptHost *volatile running_script;
static volatile sig_atomic_t interrupted;

static void on_interrupt(int signal)
{
    (void)signal;
    interrupted = 1;
    if (running != NULL) contextql_interrupt(running);
    const ScriptHost *script = running_script;
    if (script != NULL && script->interrupt != NULL) script->interrupt(script->state);
}

void run_catch_interrupts(void)
{
    struct sigaction action = {.sa_handler = on_interrupt};
    sigset_t interrupt;
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigemptyset(&interrupt);
    sigaddset(&interrupt, SIGINT);
    sigprocmask(SIG_UNBLOCK, &interrupt, NULL); /* whoever started us may hold it back */
}

void run_forget_interrupt(void)
{
    interrupted = 0;
}

bool run_is_interrupted(void)
{
    return interrupted != 0;
}

void run_stoppable(contextql *session)
{
    running = session;
    if (session != NULL && interrupted)
        contextql_interrupt(session); /* Ctrl-C came before there was what to stop */
}

/* ---- parameters ---- */

static void bind_param(contextql_statement *statement, const char *param)
{
    const char *equals = strchr(param, '=');
    Buffer name = {0};
    contextql_value *value = literal_read(str_from(equals + 1));
    buffer_append(&name, param, (size_t)(equals - param));
    if (value != NULL) contextql_bind(statement, name.data, value);
    contextql_value_free(value);
    buffer_free(&name);
}

void run_bind(const Shell *shell, contextql_statement *statement)
{
    for (size_t i = 0; i < shell->options->param_count; i++)
        bind_param(statement, shell->options->params[i]);
    for (size_t i = 0; i < shell->param_count; i++)
        bind_param(statement, shell->params[i]);
    if (shell->last.rows != NULL) contextql_bind(statement, "_", shell->last.rows);
    if (shell->rows != NULL) contextql_bind(statement, "_rows", shell->rows);
}

/* At the prompt a result is kept as it is written. */
static void keep_row(void *state, const contextql_statement *statement, bool first)
{
    if (first) last_begin(state, statement);
    last_row(state, statement);
}

/* ---- one statement ---- */

void run_tell_error(Shell *shell, const Place *place)
{
    contextql_error_info info;
    contextql_error(shell->session, &info);
    /* The terminal has echoed ^C, which a bar may have stood before, or have taken away. */
    if (shell->interactive && interrupted)
        fputs(isatty(STDERR_FILENO) && terminal_can_draw() ? "\r^C\033[K\n" : "\n", stderr);
    report_statement(&shell->report, "error", &info, place);
    Str rest = {place->text.data + place->offset, place->text.bytes - place->offset};
    size_t end = rest.bytes;
    if (rest.bytes > 0) contextql_is_complete(rest.data, rest.bytes, &end);
    ScriptEvent event = {
        .name = "error", .statement = {rest.data, end}, .message = str_from(info.message)};
    shell_event(shell, &event);
    shell->status = info.code == CONTEXTQL_TIMEOUT     ? EXIT_TIMEOUT
                    : info.code == CONTEXTQL_CANCELLED ? EXIT_INTERRUPTED
                                                       : EXIT_FAILED;
}

static void show_warnings(const Shell *shell, contextql_statement *statement, const Place *place)
{
    contextql_stats stats;
    contextql_statement_stats(statement, &stats);
    for (size_t i = 0; i < stats.warning_count; i++) {
        contextql_error_info warning;
        if (contextql_statement_warning(statement, i, &warning) == CONTEXTQL_OK)
            report_statement(&shell->report, "warning", &warning, place);
    }
}

static void show_counts(const contextql_statement *statement, FILE *file)
{
    contextql_stats stats;
    contextql_statement_stats(statement, &stats);
    const struct {
        uint64_t count;
        const char *one, *many;
    } counts[] = {{stats.nodes_created, "node created", "nodes created"},
                  {stats.nodes_deleted, "node deleted", "nodes deleted"},
                  {stats.relationships_created, "relationship created", "relationships created"},
                  {stats.relationships_deleted, "relationship deleted", "relationships deleted"},
                  {stats.properties_set, "property set", "properties set"},
                  {stats.labels_added, "label added", "labels added"},
                  {stats.labels_removed, "label removed", "labels removed"}};
    const char *separator = "";
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        if (counts[i].count == 0) continue;
        fprintf(file, "%s%llu %s", separator, (unsigned long long)counts[i].count,
                counts[i].count == 1 ? counts[i].one : counts[i].many);
        separator = ", ";
    }
    if (separator[0] != '\0') fputc('\n', file);
}

static void show_time(const contextql_statement *statement)
{
    contextql_stats stats;
    contextql_statement_stats(statement, &stats);
    int64_t all_ns = stats.parse_ns + stats.plan_ns + stats.elapsed_ns;
    fprintf(stderr, "time: %.3f s (parse %.3f ms, plan %.3f ms, execute %.3f ms)\n",
            (double)all_ns / 1e9, (double)stats.parse_ns / 1e6, (double)stats.plan_ns / 1e6,
            (double)stats.elapsed_ns / 1e6);
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
    if (told) fputs(made.data, stderr);
    buffer_free(&made);
    return told;
}

static void show_done(const Shell *shell, const contextql_statement *statement, Str text)
{
    bool told = show_made(shell, statement, text);
    if (shell->options->quiet) return;
    if (shell->options->verbose)
        show_counts(statement, stderr);
    else if (!told && shell->interactive)
        show_counts(statement, stdout);
}

void run_begin_progress(const Shell *shell, Progress *progress)
{
    bool bar = !shell->options->quiet && isatty(STDERR_FILENO) && terminal_can_draw();
    progress_begin(progress, bar ? stderr : NULL, shell->clock, run_is_interrupted);
}

static int run_with_progress(Shell *shell, contextql_statement *statement, Str text)
{
    Progress progress;
    run_begin_progress(shell, &progress);
    /* Records are written as they come, by whoever reads no bar. */
    bool bar = progress.file != NULL && shell->output.format != FORMAT_RECORDS;
    if (bar) contextql_progress(shell->session, progress_report, &progress);
    shell->output.before = progress_end;
    shell->output.before_state = &progress;
    run_stoppable(shell->session);
    shell->output.each = shell->interactive && !shell->generated ? keep_row : NULL;
    shell->output.each_state = shell;
    int result = format_run(shell->session, statement, text, &shell->output);
    run_stoppable(NULL);
    shell->output.before = NULL;
    contextql_progress(shell->session, NULL, NULL);
    progress_end(&progress);
    return result;
}

/* False: the disk is full, or worse; that was told. */
static bool is_written(const Shell *shell)
{
    errno = 0;
    bool flushed = fflush(shell->output.file) == 0;
    if (flushed && !ferror(shell->output.file)) return true;
    if (shell->piped) return true; /* the command wanted no more */
    Buffer message = {0};
    buffer_printf(&message, "the output cannot be written%s%s", errno != 0 ? ": " : "",
                  errno != 0 ? strerror(errno) : "");
    report_program(&shell->report, message.data, "");
    buffer_free(&message);
    return false;
}

/* Does a statement begin with CREATE SNAPSHOT or DROP SNAPSHOT? */
static bool is_about_snapshots(Str text)
{
    Str first = format_first_word(text);
    if (!str_equal_ignore_case(first, STR("CREATE")) && !str_equal_ignore_case(first, STR("DROP")))
        return false;
    Str rest = {first.data + first.bytes,
                text.bytes - (size_t)(first.data + first.bytes - text.data)};
    return str_equal_ignore_case(format_first_word(rest), STR("SNAPSHOT"));
}

static void tell_result(Shell *shell, contextql_statement *statement, Str text)
{
    contextql_stats stats;
    contextql_statement_stats(statement, &stats);
    ScriptEvent event = {.name = "result",
                         .statement = text,
                         .rows = stats.rows,
                         .seconds = (double)stats.elapsed_ns / 1e9};
    shell_event(shell, &event);
    event.name = "snapshot";
    if (is_about_snapshots(text)) shell_event(shell, &event);
}

/* Shows the plan, of what has one. */
static void show_plan(Shell *shell, Str text)
{
    contextql_statement *statement = NULL;
    Buffer explained = {0};
    buffer_printf(&explained, "EXPLAIN %.*s", STR_ARG(text));
    int code = contextql_prepare(shell->session, explained.data, explained.bytes, &statement, NULL);
    contextql_finalize(statement);
    if (code == CONTEXTQL_OK) command_run_text(shell, buffer_view(&explained));
    buffer_free(&explained);
}

/* A statement in the log of :log, with what became of it. */
static void log_statement(Shell *shell, Str text, const contextql_statement *statement, bool good)
{
    contextql_stats stats = {0};
    contextql_error_info info = {0};
    struct tm now;
    char when[32] = "";
    time_t seconds = (time_t)(shell->clock->wall_ns(shell->clock->state) / 1000000000);
    if (shell->log == NULL || shell->generated) return;
    if (gmtime_r(&seconds, &now) != NULL) strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", &now);
    if (statement != NULL) contextql_statement_stats(statement, &stats);
    bool ended = text.bytes > 0 && text.data[text.bytes - 1] == ';';
    fprintf(shell->log, "// %s, %.3f s, ", when,
            (double)(stats.parse_ns + stats.plan_ns + stats.elapsed_ns) / 1e9);
    if (good) fprintf(shell->log, "rows: %llu\n", (unsigned long long)stats.rows);
    if (!good) contextql_error(shell->session, &info);
    if (!good) fprintf(shell->log, "failed: %s\n", info.message);
    fprintf(shell->log, "%.*s%s\n", STR_ARG(text), ended ? "" : ";");
    fflush(shell->log);
}

/* `text`: a statement that begins at `place`. */
static bool run_statement(Shell *shell, Str text, const Place *place)
{
    contextql_statement *statement = NULL;
    bool records = shell->output.format == FORMAT_RECORDS;
    if (contextql_prepare(shell->session, text.data, text.bytes, &statement, NULL) !=
        CONTEXTQL_OK) {
        log_statement(shell, text, NULL, false);
        return run_tell_error(shell, place), false;
    }
    if (statement == NULL) return true;
    if (shell->explain && !shell->generated) show_plan(shell, text);
    if (shell->interactive && !shell->generated) {
        buffer_clear(&shell->last_text);
        buffer_str(&shell->last_text, text);
    }
    run_bind(shell, statement);
    ScriptEvent event = {.name = "statement", .statement = text};
    shell_event(shell, &event);
    int code = run_with_progress(shell, statement, text);
    if (shell->piped && code == FORMAT_NOT_WRITTEN) {
        contextql_finalize(statement);
        return true;
    }
    if (!is_written(shell) || code == FORMAT_NOT_WRITTEN) {
        contextql_finalize(statement);
        return shell->status = EXIT_OUTPUT, false;
    }
    bool good = code == CONTEXTQL_DONE;
    log_statement(shell, text, statement, good);
    if (!good && !records) run_tell_error(shell, place);
    if (!good && records) shell->status = EXIT_FAILED;
    if (good && !records) show_warnings(shell, statement, place);
    if (good) show_done(shell, statement, text);
    if (good) tell_result(shell, statement, text);
    if (shell->timer || shell->options->verbose) show_time(statement);
    contextql_finalize(statement);
    return good;
}

bool run_kept(Shell *shell, Str text)
{
    contextql_statement *statement = NULL;
    Place place = place_of("", text);
    int code = contextql_prepare(shell->session, text.data, text.bytes, &statement, NULL);
    if (code == CONTEXTQL_OK && statement == NULL) return true;
    if (code == CONTEXTQL_OK) {
        run_bind(shell, statement);
        run_stoppable(shell->session);
        last_clear(shell);
        for (bool first = true; (code = contextql_step(statement)) == CONTEXTQL_ROW; first = false)
            keep_row(shell, statement, first);
        run_stoppable(NULL);
        if (code == CONTEXTQL_DONE) show_warnings(shell, statement, &place);
    }
    if (code != CONTEXTQL_DONE) run_tell_error(shell, &place);
    contextql_finalize(statement);
    return code == CONTEXTQL_DONE;
}

/* ---- texts and files ---- */

/* A statement or command as it stands, with the comments before it. */
static void echo(Shell *shell, Str text)
{
    while (text.bytes > 0 && strchr(" \t\r\n", text.data[0]) != NULL)
        text.data++, text.bytes--;
    while (text.bytes > 0 && strchr(" \t\r\n", text.data[text.bytes - 1]) != NULL)
        text.bytes--;
    if (text.bytes == 0) return;
    fprintf(shell->output.file, "%s%.*s\n", shell->echoed ? "\n" : "", STR_ARG(text));
    shell->echoed = true;
}

/* Does a failure end the run? */
static bool must_stop(const Shell *shell)
{
    return !shell->options->keep_going || shell->status == EXIT_OUTPUT ||
           shell->status == EXIT_INTERRUPTED;
}

/* A statement that begins at the place, with its result to a command of the system's shell. */
static bool run_into(Shell *shell, Str text, Str command, const Place *place)
{
    Output before = shell->output;
    ExternalPipe pipe = {.file = NULL};
    bool good = false;
    Error *error = shell->options->safe ? error_new(ERROR_READ_ONLY, "--safe allows no programs")
                                        : external_open(&pipe, command);
    if (error == NULL) {
        shell->output.file = pipe.file;
        shell->output.to_file = true;
        shell->piped = true;
        good = run_statement(shell, text, place);
        shell->piped = false;
        shell->output = before;
        error = external_close(&pipe);
    }
    if (error != NULL) {
        report_command(&shell->report, place->name, place->line, error);
        shell->status = EXIT_FAILED;
        error_drop(error);
        good = false;
    }
    return good;
}

/* Runs what is whole at the front of `text`: one statement, `statement; | command`, or a command.
 * Gives how many bytes that was, 0 when more is needed; with `last` there is no more, and everything
 * is whole. Not good: it failed, and the run ends. */
static size_t run_piece(void *state, Str text, bool last, Place *place, bool *good)
{
    Shell *shell = state;
    size_t end, begin = command_skip(text), pipe = 0;
    Str command;
    *good = true;
    bool is_command = command_find(text, &command, &end);
    bool whole = is_command ? end < text.bytes || text.data[end - 1] == '\n'
                            : contextql_is_complete(text.data, text.bytes, &end);
    Str behind = {text.data + end, text.bytes - end};
    if (!last && (!whole || (!is_command && command_pipe_may_come(behind)))) return 0;
    if (shell->options->echo) echo(shell, (Str){text.data, end});
    place_advance(place, text.data + begin);
    Str statement = {text.data + begin, end - begin};
    if (is_command)
        *good = command_run(shell, command, place->name, place->line);
    else if (whole && (pipe = command_pipe(behind, &command)) > 0)
        *good = run_into(shell, statement, command, place);
    else if (begin < end)
        *good = run_statement(shell, statement, place);
    end += pipe;
    if (place->text.data + place->offset < text.data + end) place_advance(place, text.data + end);
    *good = *good || !must_stop(shell);
    return end;
}

bool run_text(Shell *shell, Str text, const char *name)
{
    Place place = place_of(name, text);
    while (text.bytes > 0 && !shell->quit) {
        bool good;
        size_t bytes = run_piece(shell, text, true, &place, &good);
        if (!good) return false;
        text.data += bytes;
        text.bytes -= bytes;
    }
    return true;
}

/* A first line for the system, `#!/usr/bin/env contextql`, is none for us. */
static void blank_mark(Buffer *text)
{
    if (text->bytes < 2 || memcmp(text->data, "#!", 2) != 0) return;
    for (size_t i = 0; i < text->bytes && text->data[i] != '\n'; i++)
        text->data[i] = ' ';
}

bool run_cannot_read(Shell *shell, const char *path)
{
    Buffer message = {0};
    int why = errno;
    buffer_printf(&message, "%s: %s", path, strerror(why));
    Error *error = error_new(ERROR_IO, "%s", message.data);
    if (why == ENOENT) error = meant_file_hint(error, path, "");
    report_program(&shell->report, error_message(error), error_hint_text(error));
    error_drop(error);
    buffer_free(&message);
    return shell->status = interrupted ? EXIT_INTERRUPTED : EXIT_USAGE, false;
}

/* A file that is read piece by piece, so that a statement of a pipe is answered when it is whole and
 * a long file needs no more memory than its longest statement. */
typedef struct Stream {
    int file;
    bool ended;
    Buffer text; /* from the beginning of the line that comes next */
    size_t at;   /* what comes next */
    Place place;
} Stream;

/* Forgets the lines before and reads on; false: that failed. */
static bool stream_read(Stream *stream)
{
    enum { READ_BYTES = 1 << 16 };
    size_t gone =
        stream->text.bytes == 0 ? 0 : (size_t)(stream->place.text.data - stream->text.data);
    if (gone > 0) memmove(stream->text.data, stream->text.data + gone, stream->text.bytes - gone);
    stream->text.bytes -= gone;
    stream->at -= gone;
    char *room = buffer_reserve(&stream->text, READ_BYTES);
    ssize_t bytes = read(stream->file, room, READ_BYTES);
    if (bytes > 0) stream->text.bytes += (size_t)bytes;
    stream->ended = bytes == 0;
    stream->place.text = buffer_view(&stream->text);
    return bytes >= 0;
}

/* Could what was read since `from` end a statement or a command? Asked so that a long statement is
 * not looked at again and again. */
static bool could_end(const Stream *stream, size_t from)
{
    Str text = buffer_view(&stream->text);
    return stream->ended || memchr(text.data + from, ';', text.bytes - from) != NULL ||
           memchr(text.data + from, '\n', text.bytes - from) != NULL;
}

bool run_stream(Shell *shell, int file, const char *name, RunPiece *piece, void *state)
{
    Stream stream = {.file = file, .place = place_of(name, STR(""))};
    bool good = true;
    size_t bytes = 0, known = 0; /* bytes in which nothing ends */
    while (good && !shell->quit && (!stream.ended || stream.at < stream.text.bytes)) {
        if (bytes == 0) {
            known = stream.text.bytes - stream.at;
            bool first = stream.text.bytes == 0;
            good = stream_read(&stream) || run_cannot_read(shell, name);
            if (first) blank_mark(&stream.text);
            if (!good || !could_end(&stream, stream.at + known)) continue;
        }
        Str rest = {stream.text.data + stream.at, stream.text.bytes - stream.at};
        if (rest.bytes == 0)
            bytes = 0;
        else
            bytes = piece(state, rest, stream.ended, &stream.place, &good);
        stream.at += bytes;
    }
    buffer_free(&stream.text);
    return good;
}

bool run_file(Shell *shell, const char *path)
{
    bool standard = strcmp(path, "-") == 0;
    int file = standard ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return run_cannot_read(shell, path);
    bool good = run_stream(shell, file, standard ? "<stdin>" : path, run_piece, shell);
    if (!standard) close(file);
    return good;
}

bool run_script(Shell *shell, const OptionInput *input, int argument_count, char **arguments)
{
    if (input->file && access(input->text, R_OK) != 0) return run_cannot_read(shell, input->text);
    const ScriptHost *script = shell_script(shell);
    if (script == NULL) return shell->status = EXIT_FAILED, false;
    running = shell->session;
    running_script = script;
    Error *error = input->file
                       ? script->run_file(script->state, input->text, argument_count, arguments)
                       : script->run(script->state, str_from(input->text), "=<lua>", true);
    running_script = NULL;
    running = NULL;
    if (error == NULL) {
        if (is_written(shell)) return true;
        return shell->status = EXIT_OUTPUT, false;
    }
    report_program(&shell->report, error_message(error), "");
    error_drop(error);
    return shell->status = interrupted ? EXIT_INTERRUPTED : EXIT_FAILED, false;
}

/* ---- is it whole? ---- */

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

bool run_is_whole(Str text)
{
    size_t end;
    Str command;
    while (text.bytes > 0) {
        bool is_command = command_find(text, &command, &end);
        if (!is_command && !contextql_is_complete(text.data, text.bytes, &end))
            return is_blank(text);
        Str rest = {text.data + end, text.bytes - end};
        if (!is_command) end += command_pipe(rest, &command);
        text.data += end;
        text.bytes -= end;
    }
    return true;
}
