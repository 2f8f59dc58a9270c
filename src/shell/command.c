/*
 * command.c - the commands, one function each, found by name in a table.
 *
 * Some of them only run a statement of the language that is long to type: whoever reads `:schema`
 * can learn SHOW LABELS from it.
 */
#include "config.h"

#include "shell/command.h"
#include "editor/external.h"
#include <errno.h>

/* What a command was given: the words behind its name. */
typedef struct Call {
    Shell *shell;
    Str rest;        /* all behind the name, blanks cut off at both ends */
    Str first, last; /* its first word, and what comes behind that */
} Call;

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
                   rest.data[0] == '!');
    /* Before most statements only this much is looked at: a file may be one long line of them. */
    Str near = {rest.data,
                !marked && rest.bytes > FOREIGN_BYTES_MAX ? FOREIGN_BYTES_MAX : rest.bytes};
    size_t stop = line_end(near, 0);
    if (stop == near.bytes && near.bytes < rest.bytes) return false;
    *line = trimmed((Str){rest.data, stop});
    *end = at + stop + (stop < rest.bytes);
    return marked || meant_by(*line) != NULL;
}

/* ---- the commands ---- */

static void tell_command(FILE *output, const Command *command)
{
    char left[64];
    snprintf(left, sizeof left, ":%s %s", command->name, command->arguments);
    fprintf(output, "%-26s %s\n", left, command->meaning);
}

static void tell_script_command(void *output, Str name, Str help)
{
    fprintf(output, ":%-25.*s %.*s\n", STR_ARG(name), STR_ARG(help));
}

static void tell_function(FILE *output, const contextql_function_info *function)
{
    fprintf(output, "%s%s\n    %s\n    %s  gives %s\n", function->name, function->signature,
            function->meaning, function->example, function->result);
}

/* The nearest of all names that there is help on. */
typedef struct Nearest {
    size_t distance;
    const char *name;
} Nearest;

static bool is_asked(Str asked, const char *name, Nearest *nearest)
{
    enum { DISTANCE_MAX = 2 };
    size_t distance = str_distance(asked, str_from(name), DISTANCE_MAX);
    if (distance < nearest->distance && distance < asked.bytes)
        *nearest = (Nearest){distance, name};
    return str_equal_ignore_case(asked, str_from(name));
}

/* Commands, keywords and functions of a name: there may be one of each. */
static size_t tell_about(FILE *output, Str asked, Nearest *nearest)
{
    size_t count, told = 0;
    const Command *command = commands(&count);
    contextql_keyword keyword;
    contextql_function_info function;
    for (size_t i = 0; i < count; i++, command++)
        if (is_asked(asked, command->name, nearest)) tell_command(output, command), told++;
    for (size_t i = 0; contextql_keyword_at(i, &keyword); i++)
        if (is_asked(asked, keyword.word, nearest))
            fprintf(output, "%-26s %s\n", keyword.word, keyword.meaning), told++;
    for (size_t i = 0; contextql_function_at(i, &function); i++)
        if (is_asked(asked, function.name, nearest)) tell_function(output, &function), told++;
    return told;
}

static Error *run_help(const Call *call)
{
    size_t count;
    const Command *command = commands(&count);
    FILE *output = call->shell->output.file;
    Str asked = call->rest;
    Nearest nearest = {3, NULL};
    if (asked.bytes == 0) {
        for (size_t i = 0; i < count; i++)
            tell_command(output, &command[i]);
        const ScriptHost *script = call->shell->script;
        if (script != NULL && script->commands != NULL)
            script->commands(script->state, tell_script_command, output);
        return NULL;
    }
    if (asked.data[0] == ':' || asked.data[0] == '.') asked.data++, asked.bytes--;
    if (tell_about(output, asked, &nearest) > 0) return NULL;
    Error *error = error_new(ERROR_NAME_UNKNOWN, "no help on %.*s", STR_ARG(call->rest));
    if (nearest.name != NULL) return error_hint(error, "did you mean %s?", nearest.name);
    return error_hint(error, ":help lists the commands, SHOW FUNCTIONS the functions");
}

static Error *run_quit(const Call *call)
{
    call->shell->quit = true;
    return NULL;
}

static Error *run_mode(const Call *call)
{
    char name[32];
    if (call->rest.bytes == 0)
        return fprintf(call->shell->output.file, "%s\n", format_name(call->shell->output.format)),
               NULL;
    snprintf(name, sizeof name, "%.*s", STR_ARG(call->rest));
    if (format_find(name, &call->shell->output.format)) return NULL;
    Buffer all = {0};
    for (int i = 0; i < FORMAT_COUNT; i++)
        buffer_printf(&all, "%s%s", i == 0 ? "" : ", ", format_name((Format)i));
    Error *error =
        error_hint(error_new(ERROR_NAME_UNKNOWN, "no such format: %.*s", STR_ARG(call->rest)),
                   "one of %s", all.data);
    buffer_free(&all);
    return error;
}

static char *path_of(Str text)
{
    Buffer path = {0};
    buffer_str(&path, text);
    return path.data;
}

Error *command_close_output(Shell *shell)
{
    FILE *file = shell->output.file;
    if (file == stdout) return NULL;
    shell->output.file = stdout;
    shell->output.to_file = false;
    bool good = ferror(file) == 0;
    if (fclose(file) == 0 && good) return NULL;
    shell->status = EXIT_OUTPUT;
    return error_new(ERROR_IO, "the output file could not be written whole");
}

Error *command_open_output(Shell *shell, const char *path)
{
    FILE *file = fopen(path, "w");
    if (file == NULL) return error_errno(ERROR_IO, errno, "the file %s", path);
    shell->output.file = file;
    shell->output.to_file = true;
    return NULL;
}

static Error *refuse_if_safe(const Shell *shell)
{
    if (!shell->options->safe) return NULL;
    return error_new(ERROR_READ_ONLY, "--safe allows no files here");
}

static Error *run_output(const Call *call)
{
    Shell *shell = call->shell;
    TRY(refuse_if_safe(shell));
    TRY(command_close_output(shell));
    if (call->rest.bytes == 0) return NULL;
    char *path = path_of(call->rest);
    Error *error = command_open_output(shell, path);
    mem_free(path);
    return error;
}

static Error *run_read(const Call *call)
{
    Shell *shell = call->shell;
    if (call->rest.bytes == 0)
        return error_hint(error_new(ERROR_MISUSE, "no file is named"), ":read FILE");
    if (shell->read_depth == READ_DEPTH_MAX)
        return error_new(ERROR_MISUSE,
                         "files that read files may be %d deep: does one read itself?",
                         READ_DEPTH_MAX);
    TRY(refuse_if_safe(shell));
    char *path = path_of(call->rest);
    shell->read_depth++;
    run_file(shell, path); /* tells what failed */
    shell->read_depth--;
    mem_free(path);
    return NULL;
}

static Error *run_maxrows(const Call *call)
{
    int64_t rows;
    Output *output = &call->shell->output;
    if (call->rest.bytes == 0)
        return fprintf(output->file, "%llu\n", (unsigned long long)output->rows_max), NULL;
    if (!integer_parse(call->rest, &rows) || rows < 0)
        return error_hint(
            error_new(ERROR_MISUSE, "not a number of rows: %.*s", STR_ARG(call->rest)),
            "0 shows all");
    output->rows_max = (uint64_t)rows;
    return NULL;
}

static bool has_name(const char *param, Str name)
{
    return strncmp(param, name.data, name.bytes) == 0 && param[name.bytes] == '=';
}

static void show_param(FILE *output, const char *param)
{
    const char *equals = strchr(param, '=');
    fprintf(output, "$%.*s = %s\n", (int)(equals - param), param, equals + 1);
}

static void show_params(const Shell *shell)
{
    const Options *options = shell->options;
    for (size_t i = 0; i < options->param_count; i++) {
        const char *param = options->params[i];
        Str name = {param, strcspn(param, "=")};
        bool replaced = false;
        for (size_t k = 0; k < shell->param_count; k++)
            replaced = replaced || has_name(shell->params[k], name);
        if (!replaced) show_param(shell->output.file, param);
    }
    for (size_t i = 0; i < shell->param_count; i++)
        show_param(shell->output.file, shell->params[i]);
}

static Error *run_param(const Call *call)
{
    Shell *shell = call->shell;
    Str name = call->first;
    if (name.bytes == 0) return show_params(shell), NULL;
    if (name.data[0] == '$') name.data++, name.bytes--;
    if (call->last.bytes == 0 || name.bytes == 0 || memchr(name.data, '=', name.bytes) != NULL)
        return error_hint(error_new(ERROR_MISUSE, "a parameter has a name and a value"),
                          ":param NAME VALUE");
    Buffer param = {0};
    buffer_printf(&param, "%.*s=%.*s", STR_ARG(name), STR_ARG(call->last));
    for (size_t i = 0; i < shell->param_count; i++)
        if (has_name(shell->params[i], name)) {
            mem_free(shell->params[i]);
            return shell->params[i] = param.data, NULL;
        }
    shell->params = mem_realloc(shell->params, (shell->param_count + 1) * sizeof *shell->params);
    shell->params[shell->param_count++] = param.data;
    return NULL;
}

static Error *run_timer(const Call *call)
{
    bool on = str_equal(call->rest, STR("on")), off = str_equal(call->rest, STR("off"));
    if (call->rest.bytes == 0)
        return fprintf(call->shell->output.file, "%s\n", call->shell->timer ? "on" : "off"), NULL;
    if (!on && !off)
        return error_hint(error_new(ERROR_MISUSE, "the timer cannot be %.*s", STR_ARG(call->rest)),
                          "on or off");
    call->shell->timer = on;
    return NULL;
}

static Error *run_schema(const Call *call)
{
    run_text(call->shell, STR("SHOW LABELS; SHOW TYPES; SHOW PROPERTIES;"), "");
    return NULL;
}

static Error *run_indexes(const Call *call)
{
    run_text(call->shell, STR("SHOW INDEXES;"), "");
    return NULL;
}

static Error *last_error(contextql *session)
{
    contextql_error_info info;
    contextql_error(session, &info);
    return error_hint(error_new((ErrorCode)info.code, "%s", info.message), "%s", info.hint);
}

static void show_setting(const Shell *shell, const contextql_setting *setting)
{
    fprintf(shell->output.file, "%-13s %-8s %s (%s)\n", setting->name,
            contextql_get(shell->session, setting->name), setting->meaning, setting->values);
}

static Error *run_settings(const Call *call)
{
    contextql_setting setting;
    Shell *shell = call->shell;
    Error *error = NULL;
    if (call->last.bytes > 0) {
        if (str_equal(call->first, STR("files"))) TRY(refuse_if_safe(shell));
        char *name = path_of(call->first), *value = path_of(call->last);
        if (contextql_set(shell->session, name, value) != CONTEXTQL_OK)
            error = last_error(shell->session);
        mem_free(name);
        mem_free(value);
        return error;
    }
    size_t shown = 0;
    for (size_t i = 0; contextql_setting_at(i, &setting); i++) {
        if (call->rest.bytes > 0 && !str_equal(call->rest, str_from(setting.name))) continue;
        show_setting(shell, &setting);
        shown++;
    }
    if (shown > 0) return NULL;
    return error_hint(error_new(ERROR_NAME_UNKNOWN, "no such setting: %.*s", STR_ARG(call->rest)),
                      ":settings lists them");
}

/* ---- looking after a database ---- */

typedef struct Notes { /* where they go, and the last of them if it was a failure */
    Shell *shell;
    FILE *file;
    Error *failure;
} Notes;

static void take_note(void *user, const contextql_note *note)
{
    Notes *notes = user;
    if (note->kind == CONTEXTQL_FAILURE) {
        notes->failure = error_hint(error_new(ERROR_CORRUPT, "%s", note->what), "%s", note->advice);
        return;
    }
    if (note->kind == CONTEXTQL_FACT && notes->shell->options->quiet) return;
    fprintf(notes->file, "%s: %s\n", note->where, note->what);
    if (note->advice[0] != '\0') fprintf(notes->file, "  hint: %s\n", note->advice);
}

static int tool_check(Notes *notes, const char *const *operands)
{
    return contextql_check(operands[0], take_note, notes);
}

static int tool_backup(Notes *notes, const char *const *operands)
{
    return contextql_backup(operands[0], operands[1], take_note, notes);
}

static int tool_recover(Notes *notes, const char *const *operands)
{
    return contextql_recover(operands[0], operands[1], take_note, notes);
}

static int tool_inspect(Notes *notes, const char *const *operands)
{
    return contextql_inspect(operands[0], take_note, notes);
}

int command_tool(Shell *shell)
{
    static const struct {
        const char *name;
        int (*run)(Notes *notes, const char *const *operands);
    } rows[] = {
#define TOOL(name, operands, count, meaning) {#name, tool_##name},
#include "contextql/tools.def"
#undef TOOL
    };
    const Options *options = shell->options;
    Notes notes = {.shell = shell, .file = stdout};
    int result = CONTEXTQL_MISUSE;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (strcmp(rows[i].name, options->tool->name) == 0)
            result = rows[i].run(&notes, options->operands);
    if (fflush(stdout) != 0) return EXIT_OUTPUT;
    if (notes.failure != NULL)
        report_program(&shell->report, error_message(notes.failure),
                       error_hint_text(notes.failure));
    error_drop(notes.failure);
    return result == CONTEXTQL_OK      ? EXIT_GOOD
           : result == CONTEXTQL_FOUND ? EXIT_FAILED
                                       : EXIT_DATABASE;
}

/* The directory of the session; what is only in memory has none. */
static Error *has_directory(const Shell *shell)
{
    if (strcmp(shell->options->database, ":memory:") != 0) return NULL;
    return error_hint(error_new(ERROR_MISUSE, "a scratch database in memory has no files"),
                      "contextql DATABASE opens one that has");
}

static Error *run_check(const Call *call)
{
    Shell *shell = call->shell;
    Notes notes = {.shell = shell, .file = shell->output.file};
    TRY(has_directory(shell));
    int result = contextql_check(shell->options->database, take_note, &notes);
    if (result == CONTEXTQL_FOUND) shell->status = EXIT_FAILED;
    return notes.failure;
}

static Error *run_backup(const Call *call)
{
    Shell *shell = call->shell;
    Notes notes = {.shell = shell, .file = shell->output.file};
    TRY(has_directory(shell));
    TRY(refuse_if_safe(shell));
    if (call->rest.bytes == 0)
        return error_hint(error_new(ERROR_MISUSE, "no directory is named"), ":backup TARGET");
    char *target = path_of(call->rest);
    int result = contextql_backup(shell->options->database, target, take_note, &notes);
    mem_free(target);
    (void)result; /* a failure is noted, and a copy finds nothing */
    return notes.failure;
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

static const Command *find(Str name, const Command **nearest)
{
    enum { DISTANCE_MAX = 2 }; /* of a word of six letters more is another word */
    size_t count, best = DISTANCE_MAX + 1;
    const Command *rows = commands(&count);
    *nearest = NULL;
    for (size_t i = 0; i < count; i++) {
        size_t distance = str_distance(name, str_from(rows[i].name), DISTANCE_MAX);
        if (distance == 0) return &rows[i];
        if (distance < best) best = distance, *nearest = &rows[i];
    }
    return NULL;
}

static Error *unknown(Str name, const Command *nearest)
{
    Error *error = error_new(ERROR_NAME_UNKNOWN, "no such command: %.*s", STR_ARG(name));
    if (nearest != NULL) return error_hint(error, "did you mean :%s?", nearest->name);
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

static Error *run(Shell *shell, Str line)
{
    const Command *nearest;
    Error *error = NULL;
    const char *meant = meant_by(line);
    if (meant != NULL)
        return error_hint(error_new(ERROR_NAME_UNKNOWN, "no such command: %.*s", STR_ARG(line)),
                          "did you mean :%s?", meant);
    Str all = {line.data + 1, line.bytes - 1};
    if (line.data[0] == '!') return run_outside(shell, trimmed(all));
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
    if (command == NULL) return unknown((Str){line.data, name_bytes + 1}, nearest);
    if (command->arguments[0] == '\0' && call.rest.bytes > 0)
        return error_new(ERROR_MISUSE, ":%s takes nothing behind it", command->name);
    return command->run(&call);
}

bool command_run(Shell *shell, Str line, const char *name, size_t number)
{
    int before = shell->status;
    shell->status = EXIT_GOOD;
    Error *error = run(shell, line);
    bool good = error == NULL && shell->status == EXIT_GOOD;
    if (error != NULL) {
        if (shell->status == EXIT_GOOD) shell->status = EXIT_FAILED;
        report_command(&shell->report, name, number, error);
        error_drop(error);
    }
    if (shell->status == EXIT_GOOD) shell->status = before;
    return good;
}
