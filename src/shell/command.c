/*
 * command.c - the commands, one function each, found by name in a table.
 *
 * Some of them only run a statement of the language that is long to type: whoever reads `:schema`
 * can learn SHOW LABELS from it.
 */
#include "config.h"

#include "editor/external.h"
#include "editor/terminal.h"
#include "shell/command_internal.h"
#include "shell/guide.h"
#include <stdlib.h>
#include <unistd.h>

typedef struct Command {
    const char *name, *arguments, *meaning;
    Error *(*run)(const Call *call);
} Command;

static const Command *commands(size_t *count);

/* ---- finding a command in a text ---- */

static size_t skip_blanks(Str text, size_t at)
{
    while (at < text.bytes && strchr(" \t\r\n", text.data[at]) != NULL && text.data[at] != '\0')
        at++;
    return at;
}

static bool starts(Str text, size_t at, const char *with)
{
    size_t bytes = strlen(with);
    return text.bytes - at >= bytes && memcmp(text.data + at, with, bytes) == 0;
}

static size_t skip_comment(Str text, size_t at)
{
    const char *end = starts(text, at, "//") ? "\n" : starts(text, at, "/*") ? "*/" : NULL;
    if (end == NULL) return at;
    while (at < text.bytes && !starts(text, at, end))
        at++;
    return at < text.bytes ? at + strlen(end) : at;
}

static size_t line_end(Str text, size_t at)
{
    while (at < text.bytes && text.data[at] != '\n')
        at++;
    return at;
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static Str trimmed(Str text)
{
    size_t from = skip_blanks(text, 0);
    text = (Str){text.data + from, text.bytes - from};
    while (text.bytes > 0 && strchr(" \t\r\n", text.data[text.bytes - 1]) != NULL)
        text.bytes--;
    return text;
}

enum { FOREIGN_BYTES_MAX = 8 }; /* the longest of them, a `;` and blanks */

/* What hands used to other shells type; no statement is one of these words alone. */
static const char *meant_by(Str line)
{
    static const struct {
        const char *typed, *meant;
    } foreign[] = {
        {"quit", "quit"}, {"exit", "quit"}, {"help", "help"}, {"\\q", "quit"}, {"\\?", "help"}};
    if (line.bytes > 0 && line.data[line.bytes - 1] == ';') line.bytes--;
    for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++)
        if (str_equal_ignore_case(line, str_from(foreign[i].typed))) return foreign[i].meant;
    return NULL;
}

size_t command_skip(Str text)
{
    size_t at = 0, before;
    do {
        before = at;
        at = skip_comment(text, skip_blanks(text, at));
    } while (at != before);
    return at;
}

bool command_find(Str text, Str *line, size_t *end)
{
    size_t at = command_skip(text);
    Str rest = {text.data + at, text.bytes - at};
    bool marked = rest.bytes > 1 &&
                  (((rest.data[0] == ':' || rest.data[0] == '.') && is_letter(rest.data[1])) ||
                   rest.data[0] == '!' || rest.data[0] == '=');
    /* Before most statements only this much is looked at: a file may be one long line of them. */
    Str near = {rest.data,
                !marked && rest.bytes > FOREIGN_BYTES_MAX ? FOREIGN_BYTES_MAX : rest.bytes};
    size_t stop = line_end(near, 0);
    if (stop == near.bytes && near.bytes < rest.bytes) return false;
    *line = trimmed((Str){rest.data, stop});
    *end = at + stop + (stop < rest.bytes);
    return marked || meant_by(*line) != NULL;
}

static size_t behind_tabs(Str text)
{
    size_t at = 0;
    while (at < text.bytes && (text.data[at] == ' ' || text.data[at] == '\t'))
        at++;
    return at;
}

bool command_pipe_may_come(Str text)
{
    size_t at = behind_tabs(text);
    return at == text.bytes || (text.data[at] == '|' && line_end(text, at) == text.bytes);
}

size_t command_pipe(Str text, Str *command)
{
    size_t at = behind_tabs(text);
    if (at == text.bytes || text.data[at] != '|') return 0;
    size_t end = line_end(text, at);
    *command = trimmed((Str){text.data + at + 1, end - at - 1});
    return end + (end < text.bytes);
}

/* ---- the commands ---- */

enum { LEFT_COLUMNS = 27, COLUMNS_MIN = 50 /* narrower ones have no room for two columns */ };

size_t command_width(const Shell *shell)
{
    size_t columns, rows;
    if (!shell->output.terminal || shell->output.to_file) return SIZE_MAX;
    terminal_size(STDOUT_FILENO, &columns, &rows);
    return columns;
}

void command_tell_row(const Shell *shell, const char *left, const char *meaning)
{
    Buffer row = {0};
    size_t width = command_width(shell), indent = width < COLUMNS_MIN ? 4 : LEFT_COLUMNS,
           used = strlen(left);
    buffer_text(&row, left);
    if (width != SIZE_MAX && used >= indent)
        buffer_printf(&row, "\n%*s", (int)indent, "");
    else
        buffer_printf(&row, "%*s", used < indent ? (int)(indent - used) : 1, "");
    format_wrapped(&row, str_from(meaning), indent, indent, width);
    fprintf(shell->output.file, "%.*s\n", (int)row.bytes, row.data);
    buffer_free(&row);
}

static void tell_command(const Shell *shell, const Command *command)
{
    char left[64];
    snprintf(left, sizeof left, ":%s%s%s", command->name, command->arguments[0] == '\0' ? "" : " ",
             command->arguments);
    command_tell_row(shell, left, command->meaning);
}

static void tell_named(const Shell *shell, const char *before, Str name, Str meaning)
{
    Buffer left = {0}, right = {0};
    buffer_printf(&left, "%s%.*s", before, STR_ARG(name));
    buffer_printf(&right, "%.*s", STR_ARG(meaning));
    command_tell_row(shell, left.data, right.data);
    buffer_free(&left);
    buffer_free(&right);
}

static void tell_script_command(void *shell, Str name, Str help)
{
    tell_named(shell, ":", name, help);
}

/* The commands below what they are for. */
static void tell_commands(const Shell *shell)
{
    static const char *const titles[] = {
#define COMMAND_GROUP(title)                  title,
#define COMMAND(name, arguments, its_meaning) NULL,
#include "contextql/commands.def"
#undef COMMAND
    };
    size_t count, at = 0;
    const Command *command = commands(&count);
    for (size_t i = 0; i < sizeof titles / sizeof *titles; i++) {
        if (titles[i] == NULL)
            tell_command(shell, &command[at++]);
        else
            fprintf(shell->output.file, "%s%s\n", i == 0 ? "" : "\n", titles[i]);
    }
}

static void tell_function(FILE *output, const contextql_function_info *function)
{
    fprintf(output, "%s%s\n    %s\n    %s  gives %s\n", function->name, function->signature,
            function->meaning, function->example, function->result);
}

static void tell_procedure(FILE *output, const contextql_procedure_info *procedure)
{
    fprintf(output, "%s\n", procedure->signature);
    if (procedure->meaning[0] != '\0') fprintf(output, "    %s\n", procedure->meaning);
    if (procedure->options[0] != '\0') fprintf(output, "    options: %s\n", procedure->options);
    if (procedure->example[0] != '\0') fprintf(output, "    %s\n", procedure->example);
}

/* Topics are the pages of the guide: "2-vectors.md" is `vectors`. */
bool command_topic(size_t i, CommandTopic *out)
{
    if (i >= sizeof guide / sizeof *guide) return false;
    Str name = str_from(strchr(guide[i].name, '-') + 1), title = str_from(guide[i].source + 2);
    name.bytes -= strlen(".md");
    title.bytes = strcspn(title.data, "\n");
    *out = (CommandTopic){name, title, guide[i].source};
    return true;
}

static void list_topics(const Shell *shell)
{
    CommandTopic topic;
    fputs("\nThe guide\n", shell->output.file);
    for (size_t i = 0; command_topic(i, &topic); i++)
        tell_named(shell, ":help ", topic.name, topic.title);
}

/* The nearest of all names that there is help on. */
typedef struct Nearest {
    size_t distance;
    Str name;
} Nearest;

static bool is_asked(Str asked, Str name, Nearest *nearest)
{
    enum { DISTANCE_MAX = 2 };
    size_t distance = str_distance(asked, name, DISTANCE_MAX);
    if (distance < nearest->distance && distance < asked.bytes)
        *nearest = (Nearest){distance, name};
    return str_equal_ignore_case(asked, name);
}

/* Commands, keywords and functions of a name: there may be one of each. */
static size_t tell_about(const Call *call, Str asked, Nearest *nearest)
{
    FILE *output = call->shell->output.file;
    size_t count, told = 0;
    const Command *command = commands(&count);
    contextql_keyword keyword;
    contextql_function_info function;
    contextql_procedure_info procedure;
    CommandTopic topic;
    for (size_t i = 0; i < count; i++, command++)
        if (is_asked(asked, str_from(command->name), nearest))
            tell_command(call->shell, command), told++;
    for (size_t i = 0; contextql_keyword_at(i, &keyword); i++)
        if (is_asked(asked, str_from(keyword.word), nearest))
            fprintf(output, "%-26s %s\n", keyword.word, keyword.meaning), told++;
    for (size_t i = 0; contextql_function_at(i, &function); i++)
        if (is_asked(asked, str_from(function.name), nearest))
            tell_function(output, &function), told++;
    for (size_t i = 0; contextql_procedure_at(call->shell->session, i, &procedure); i++)
        if (is_asked(asked, str_from(procedure.name), nearest))
            tell_procedure(output, &procedure), told++;
    for (size_t i = 0; command_topic(i, &topic); i++)
        if (is_asked(asked, topic.name, nearest)) fputs(topic.text, output), told++;
    return told;
}

Error *run_help(const Call *call)
{
    Str asked = call->rest;
    Nearest nearest = {3, {NULL, 0}};
    if (asked.bytes == 0) {
        const ScriptHost *script = call->shell->script;
        tell_commands(call->shell);
        if (script != NULL && script->commands != NULL)
            script->commands(script->state, tell_script_command, call->shell);
        list_topics(call->shell);
        return NULL;
    }
    if (asked.data[0] == ':' || asked.data[0] == '.') asked.data++, asked.bytes--;
    if (tell_about(call, asked, &nearest) > 0) return NULL;
    Error *error = error_new(ERROR_NAME_UNKNOWN, "no help on %.*s", STR_ARG(call->rest));
    if (nearest.name.data != NULL)
        return error_hint(error, "did you mean %.*s?", STR_ARG(nearest.name));
    return error_hint(error,
                      ":help lists the commands, SHOW FUNCTIONS and SHOW PROCEDURES the rest");
}

Error *run_quit(const Call *call)
{
    call->shell->quit = true;
    return NULL;
}

/* ---- by name ---- */

static const Command *commands(size_t *count)
{
    static const Command rows[] = {
#define COMMAND(name, arguments, meaning) {#name, arguments, meaning, run_##name},
#include "contextql/commands.def"
#undef COMMAND
    };
    *count = sizeof rows / sizeof *rows;
    return rows;
}

bool command_at(size_t i, CommandText *out)
{
    size_t count;
    const Command *rows = commands(&count);
    if (i >= count) return false;
    *out = (CommandText){rows[i].name, rows[i].arguments, rows[i].meaning};
    return true;
}

bool command_named(Str name, CommandText *out)
{
    for (size_t i = 0; command_at(i, out); i++)
        if (str_equal(name, str_from(out->name))) return true;
    return false;
}

static const Command *find(Str name, Meant *nearest)
{
    size_t count;
    const Command *rows = commands(&count);
    *nearest = meant_of(name);
    for (size_t i = 0; i < count; i++) {
        if (str_equal(name, str_from(rows[i].name))) return &rows[i];
        meant_see(nearest, str_from(rows[i].name));
    }
    return NULL;
}

/* What other shells call it; names near each other would mislead. */
static const char *called_here(Str name)
{
    static const struct {
        const char *typed, *hint;
    } foreign[] = {{"q", "did you mean :quit?"},
                   {"x", "did you mean :quit?"},
                   {"exit", "did you mean :quit?"},
                   {"tables", "did you mean :schema?"},
                   {"d", "did you mean :schema?"},
                   {"dt", "did you mean :schema?"},
                   {"clear", "Ctrl-L clears the screen"},
                   {"history", "Ctrl-R looks through it; CALL shell.history() gives it as rows"},
                   {"open", "a session has one database: contextql DATABASE begins another"},
                   {"use", "a session has one database: contextql DATABASE begins another"},
                   {"connect", "a session has one database: contextql DATABASE begins another"}};
    for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++)
        if (str_equal_ignore_case(name, str_from(foreign[i].typed))) return foreign[i].hint;
    return NULL;
}

/* `name` begins with its sign. */
static Error *unknown(Str name, const Meant *nearest)
{
    Error *error = error_new(ERROR_NAME_UNKNOWN, "no such command: %.*s", STR_ARG(name));
    const char *hint = called_here((Str){name.data + 1, name.bytes - 1});
    if (hint != NULL) return error_hint(error, "%s", hint);
    if (nearest->name[0] != '\0') return error_hint(error, "did you mean :%s?", nearest->name);
    return error_hint(error, ":help lists them");
}

static size_t word_end(Str text)
{
    size_t at = 0;
    while (at < text.bytes && strchr(" \t", text.data[at]) == NULL)
        at++;
    return at;
}

/* Commands that a script has defined (contextql.command). */
static bool run_by_script(const Call *call, Str name, Error **error)
{
    const ScriptHost *script = call->shell->script;
    if (script == NULL || script->command == NULL) return false;
    fflush(call->shell->output.file);
    return script->command(script->state, name, call->rest, error);
}

/* `!command` of the system's shell. */
static Error *run_outside(const Shell *shell, Str command)
{
    if (shell->options->safe) return error_new(ERROR_READ_ONLY, "--safe allows no programs");
    fflush(shell->output.file);
    return external_run(command);
}

/* A chunk of Lua; what it gives is printed. */
static Error *run_lua_text(Shell *shell, Str before, Str chunk)
{
    Buffer text = {0};
    buffer_printf(&text, "%.*s%.*s", STR_ARG(before), STR_ARG(chunk));
    OptionInput input = {.lua = true, .text = text.data};
    fflush(shell->output.file);
    run_script(shell, &input, 0, NULL); /* tells what failed */
    buffer_free(&text);
    return NULL;
}

Error *run_lua(const Call *call)
{
    if (call->rest.bytes == 0)
        return error_hint(error_new(ERROR_MISUSE, "there is nothing to run"),
                          ":lua CHUNK; `db` is the database, `_` the last result");
    return run_lua_text(call->shell, STR(""), call->rest);
}

static Error *run(Shell *shell, Str line)
{
    Meant nearest;
    Error *error = NULL;
    const char *meant = meant_by(line);
    if (meant != NULL)
        return error_hint(error_new(ERROR_NAME_UNKNOWN, "no such command: %.*s", STR_ARG(line)),
                          "did you mean :%s?", meant);
    Str all = {line.data + 1, line.bytes - 1};
    if (line.data[0] == '!') return run_outside(shell, trimmed(all));
    if (line.data[0] == '=') return run_lua_text(shell, STR("return "), all);
    /* `;` ends statements; a hand adds it to commands too. */
    while (all.bytes > 0 && all.data[all.bytes - 1] == ';')
        all.bytes--;
    size_t name_bytes = word_end(all);
    Str name = {all.data, name_bytes};
    Call call = {.shell = shell,
                 .rest = trimmed((Str){all.data + name_bytes, all.bytes - name_bytes})};
    call.first = (Str){call.rest.data, word_end(call.rest)};
    call.last =
        trimmed((Str){call.rest.data + call.first.bytes, call.rest.bytes - call.first.bytes});
    const Command *command = find(name, &nearest);
    if (command == NULL && run_by_script(&call, name, &error)) return error;
    if (command == NULL) return unknown((Str){line.data, name_bytes + 1}, &nearest);
    if (command->arguments[0] == '\0' && call.rest.bytes > 0)
        return error_new(ERROR_MISUSE, ":%s takes nothing behind it", command->name);
    return command->run(&call);
}

/* What these write may be taller than the screen. */
static bool is_listing(Str line)
{
    static const char *const names[] = {"help", "keys", "schema", "settings"};
    Str name = {line.data + 1, line.bytes - 1};
    name.bytes = word_end(name);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (str_equal(name, str_from(names[i]))) return true;
    return false;
}

static size_t line_count(Str text)
{
    size_t count = 0;
    for (size_t i = 0; i < text.bytes; i++)
        count += text.data[i] == '\n';
    return count;
}

/* Runs a command and shows what it writes in the pager, if that is taller than the screen. */
static Error *run_paged(Shell *shell, Str line)
{
    char *text = NULL;
    size_t bytes = 0, columns, rows;
    FILE *file = shell->output.file, *kept = open_memstream(&text, &bytes);
    if (kept == NULL) return run(shell, line);
    shell->output.file = kept;
    Error *error = run(shell, line);
    shell->output.file = file;
    if (fclose(kept) != 0) bytes = 0;
    terminal_size(STDOUT_FILENO, &columns, &rows);
    Str written = {text == NULL ? "" : text, bytes};
    bool seen =
        line_count(written) >= rows && shell->output.page(shell->output.page_state, written, 0);
    if (!seen) fwrite(written.data, 1, written.bytes, file);
    free(text); /* of open_memstream */
    return error;
}

bool command_run(Shell *shell, Str line, const char *name, size_t number)
{
    int before = shell->status;
    shell->status = EXIT_GOOD;
    bool paged = shell->output.page != NULL && !shell->output.to_file && is_listing(line);
    Error *error = paged ? run_paged(shell, line) : run(shell, line);
    bool good = error == NULL && shell->status == EXIT_GOOD;
    if (error != NULL) {
        if (shell->status == EXIT_GOOD) shell->status = EXIT_FAILED;
        report_command(&shell->report, name, number, error);
        error_drop(error);
    }
    if (shell->status == EXIT_GOOD) shell->status = before;
    return good;
}
