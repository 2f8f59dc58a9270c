/* command_session.c - commands that change how the session goes on: its output, parameters and settings. */
#include "config.h"

#include "shell/command_internal.h"
#include <errno.h>

Error *command_format(Str name, Format *out)
{
    char text[32];
    snprintf(text, sizeof text, "%.*s", STR_ARG(name));
    if (format_find(text, out)) return NULL;
    Buffer all = {0};
    Meant nearest = meant_of(name);
    buffer_text(&all, "one of ");
    for (int i = 0; i < FORMAT_COUNT; i++) {
        meant_see(&nearest, str_from(format_name((Format)i)));
        buffer_printf(&all, "%s%s", i == 0 ? "" : ", ", format_name((Format)i));
    }
    Error *error = meant_hint(error_new(ERROR_NAME_UNKNOWN, "no such format: %.*s", STR_ARG(name)),
                              &nearest, all.data);
    buffer_free(&all);
    return error;
}

Error *run_mode(const Call *call)
{
    Output *output = &call->shell->output;
    if (call->rest.bytes > 0) return command_format(call->rest, &output->format);
    return fprintf(output->file, "%s\n", format_name(output->format)), NULL;
}

char *command_path(Str text)
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

Error *command_refuse_if_safe(const Shell *shell)
{
    if (!shell->options->safe) return NULL;
    return error_new(ERROR_READ_ONLY, "--safe allows no files here");
}

Error *run_output(const Call *call)
{
    Shell *shell = call->shell;
    TRY(command_refuse_if_safe(shell));
    TRY(command_close_output(shell));
    if (call->rest.bytes == 0) return NULL;
    char *path = command_path(call->rest);
    Error *error = command_open_output(shell, path);
    mem_free(path);
    return error;
}

Error *run_read(const Call *call)
{
    Shell *shell = call->shell;
    if (call->rest.bytes == 0)
        return error_hint(error_new(ERROR_MISUSE, "no file is named"), ":read FILE");
    if (shell->read_depth == READ_DEPTH_MAX)
        return error_new(ERROR_MISUSE,
                         "files that read files may be %d deep: does one read itself?",
                         READ_DEPTH_MAX);
    TRY(command_refuse_if_safe(shell));
    char *path = command_path(call->rest);
    shell->read_depth++;
    run_file(shell, path); /* tells what failed */
    shell->read_depth--;
    mem_free(path);
    return NULL;
}

enum { ARGUMENTS_MAX = 64 }; /* of a script, behind :run */

Error *run_run(const Call *call)
{
    char *arguments[ARGUMENTS_MAX];
    int count = 0;
    Str file = call->first;
    bool lua = file.bytes > 4 && memcmp(file.data + file.bytes - 4, ".lua", 4) == 0;
    if (!lua) return run_read(call);
    TRY(command_refuse_if_safe(call->shell));
    char *path = command_path(file), *rest = command_path(call->last), *state;
    for (char *word = strtok_r(rest, " \t", &state); word != NULL;
         word = strtok_r(NULL, " \t", &state))
        if (count < ARGUMENTS_MAX) arguments[count++] = word;
    OptionInput input = {.file = true, .lua = true, .text = path};
    run_script(call->shell, &input, count, arguments); /* tells what failed */
    mem_free(path);
    mem_free(rest);
    return NULL;
}

Error *run_maxrows(const Call *call)
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

Error *run_param(const Call *call)
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

Error *run_pager(const Call *call)
{
    Shell *shell = call->shell;
    bool on = str_equal(call->rest, STR("on")), off = str_equal(call->rest, STR("off"));
    if (call->rest.bytes == 0)
        return fprintf(shell->output.file, "%s\n",
                       shell->no_pager        ? "off"
                       : shell->pager == NULL ? "on"
                                              : shell->pager),
               NULL;
    if (!on && !off && shell->options->safe)
        return error_new(ERROR_READ_ONLY, "--safe allows no programs");
    if (!off) mem_free(shell->pager);
    if (!off) shell->pager = on ? NULL : command_path(call->rest);
    shell->no_pager = off;
    return NULL;
}

Error *run_theme(const Call *call)
{
    Shell *shell = call->shell;
    Buffer all = {0};
    if (call->rest.bytes == 0) return fprintf(shell->output.file, "%s\n", shell->theme.name), NULL;
    char *name = command_path(call->rest);
    bool found = theme_find(name, &shell->theme);
    shell->theme_chosen = shell->theme_chosen || found;
    mem_free(name);
    if (found) return NULL;
    Meant nearest = meant_of(call->rest);
    buffer_text(&all, "one of ");
    for (size_t i = 0; theme_name(i) != NULL; i++) {
        meant_see(&nearest, str_from(theme_name(i)));
        buffer_printf(&all, "%s%s", i == 0 ? "" : ", ", theme_name(i));
    }
    Error *error =
        meant_hint(error_new(ERROR_NAME_UNKNOWN, "no such theme: %.*s", STR_ARG(call->rest)),
                   &nearest, all.data);
    buffer_free(&all);
    return error;
}

static Error *switch_of(const Call *call, const char *what, bool *out)
{
    bool on = str_equal(call->rest, STR("on")), off = str_equal(call->rest, STR("off"));
    if (call->rest.bytes == 0)
        return fprintf(call->shell->output.file, "%s\n", *out ? "on" : "off"), NULL;
    Meant nearest = meant_of(call->rest);
    meant_see_words(&nearest, "on off");
    if (!on && !off)
        return meant_hint(error_new(ERROR_MISUSE, "%s cannot be %.*s", what, STR_ARG(call->rest)),
                          &nearest, "on or off");
    *out = on;
    return NULL;
}

Error *run_timer(const Call *call)
{
    return switch_of(call, "the timer", &call->shell->timer);
}

Error *run_explain(const Call *call)
{
    return switch_of(call, "explain", &call->shell->explain);
}

/* ---- :log ---- */

Error *command_close_log(Shell *shell)
{
    FILE *file = shell->log;
    shell->log = NULL;
    if (file == NULL) return NULL;
    bool good = ferror(file) == 0;
    if (fclose(file) == 0 && good) return NULL;
    return error_new(ERROR_IO, "the log of statements could not be written whole");
}

Error *run_log(const Call *call)
{
    Shell *shell = call->shell;
    if (call->rest.bytes == 0)
        return fprintf(shell->output.file, "%s\n", shell->log == NULL ? "off" : "on"), NULL;
    TRY(command_refuse_if_safe(shell));
    TRY(command_close_log(shell));
    if (str_equal(call->rest, STR("off"))) return NULL;
    char *path = command_path(call->rest);
    shell->log = fopen(path, "ae");
    Error *error = shell->log == NULL ? error_errno(ERROR_IO, errno, "the file %s", path) : NULL;
    mem_free(path);
    return error;
}

Error *command_session_error(contextql *session)
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

Error *run_settings(const Call *call)
{
    contextql_setting setting;
    Shell *shell = call->shell;
    Error *error = NULL;
    if (call->last.bytes > 0) {
        if (str_equal(call->first, STR("files"))) TRY(command_refuse_if_safe(shell));
        char *name = command_path(call->first), *value = command_path(call->last);
        if (contextql_set(shell->session, name, value) != CONTEXTQL_OK)
            error = command_session_error(shell->session);
        mem_free(name);
        mem_free(value);
        return error;
    }
    char *name = command_path(call->rest);
    if (name[0] != '\0' && contextql_get(shell->session, name) == NULL)
        error = command_session_error(shell->session);
    mem_free(name);
    for (size_t i = 0; error == NULL && contextql_setting_at(i, &setting); i++)
        if (call->rest.bytes == 0 || str_equal(call->rest, str_from(setting.name)))
            show_setting(shell, &setting);
    return error;
}
