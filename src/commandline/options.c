/*
 * options.c - the command line, from the one table contextql/options.def.
 *
 * Letters may stand together (-qr); what a letter wants may follow it at once (-Fcsv) or be the
 * next argument. `--` ends the options. A regular file that ends in .cql or .lua, or begins with
 * #!, is a script; what stands behind a script of Lua is the script's.
 */
#include "config.h"

#include "base/meant.h"
#include "base/str.h"
#include "commandline/options_internal.h"
#include "contextql.h"
#include <stdio.h>
#include <sys/stat.h>

static const OptionRow rows[] = {
#define FLAG(member)                                    EFFECT_FLAG, offsetof(Options, member)
#define TEXT(member)                                    EFFECT_TEXT, offsetof(Options, member)
#define DOES(what)                                      EFFECT_##what, 0
#define OPTION(letter, name, argument, effect, meaning) {letter, name, argument, effect, meaning},
#include "contextql/options.def"
#undef OPTION
#undef FLAG
#undef TEXT
#undef DOES
};
enum { ROW_COUNT = sizeof rows / sizeof *rows };

typedef struct Reader { /* the arguments, and what is made of them */
    int argc, at;       /* `at`: the argument being read */
    char **argv;
    Options *options;
    bool options_ended; /* by `--` */
    int status;
} Reader;

static bool usage(Reader *reader, const char *what, const char *argument)
{
    fprintf(stderr, "contextql: %s: %s\nhint: contextql --help lists the options\n", what,
            argument);
    reader->status = EXIT_USAGE;
    return false;
}

static const OptionRow *find_long(Str name)
{
    for (size_t i = 0; i < ROW_COUNT; i++)
        if (str_equal(name, str_from(rows[i].name))) return &rows[i];
    return NULL;
}

static const OptionRow *find_letter(char letter)
{
    for (size_t i = 0; i < ROW_COUNT; i++)
        if (rows[i].letter != 0 && rows[i].letter == letter) return &rows[i];
    return NULL;
}

static bool unknown(Reader *reader, Str name)
{
    Meant nearest = meant_of(name);
    for (size_t i = 0; i < ROW_COUNT; i++)
        meant_see(&nearest, str_from(rows[i].name));
    if (nearest.name[0] == '\0') return usage(reader, "no such option", reader->argv[reader->at]);
    fprintf(stderr, "contextql: no such option: %s\nhint: did you mean --%s?\n",
            reader->argv[reader->at], nearest.name);
    reader->status = EXIT_USAGE;
    return false;
}

/* ---- what options do ---- */

static void add_input(Options *options, bool file, bool lua, const char *text)
{
    options->inputs =
        mem_realloc(options->inputs, (options->input_count + 1) * sizeof *options->inputs);
    options->inputs[options->input_count++] = (OptionInput){file, lua, text};
}

static void add_text(const char ***list, size_t *count, const char *text)
{
    *list = mem_realloc(*list, (*count + 1) * sizeof **list);
    (*list)[(*count)++] = text;
}

static bool is_pair(const char *value)
{
    return strchr(value, '=') != NULL && value[0] != '=';
}

static bool ends_with(const char *text, const char *end)
{
    size_t bytes = strlen(text), end_bytes = strlen(end);
    return bytes >= end_bytes && strcmp(text + bytes - end_bytes, end) == 0;
}

/* Is `word` one of those of "a|b|c"? An argument of another form takes any. */
static bool is_allowed(const char *argument, const char *word)
{
    Str wanted = str_from(word);
    if (strchr(argument, '|') == NULL) return true;
    for (const char *at = argument; *at != '\0';) {
        size_t bytes = strcspn(at, "|");
        if (str_equal(wanted, (Str){at, bytes})) return true;
        at += bytes + (at[bytes] == '|');
    }
    return false;
}

/* True: go on. */
static bool take(Reader *reader, const OptionRow *row, const char *value)
{
    Options *options = reader->options;
    char *member = (char *)options + row->member;
    switch (row->effect) {
    case EFFECT_FLAG: *(bool *)member = true; return true;
    case EFFECT_TEXT: *(const char **)member = value; return true;
    case EFFECT_STATEMENT: return add_input(options, false, false, value), true;
    case EFFECT_FILE: return add_input(options, true, ends_with(value, ".lua"), value), true;
    case EFFECT_LUA: return add_input(options, false, true, value), true;
    case EFFECT_PARAM:
        if (!is_pair(value)) return usage(reader, "a parameter is given as NAME=VALUE", value);
        return add_text(&options->params, &options->param_count, value), true;
    case EFFECT_SETTING:
        if (!is_pair(value)) return usage(reader, "a setting is given as NAME=VALUE", value);
        return add_text(&options->settings, &options->setting_count, value), true;
    case EFFECT_MEMORY: return options->database = ":memory:", true;
    case EFFECT_COMPLETION: return usage_completion(rows, ROW_COUNT, value), false;
    case EFFECT_HELP: return usage_help(rows, ROW_COUNT), false;
    case EFFECT_VERSION: return printf("contextql %s\n", contextql_version()), false;
    }
    return true;
}

/* ---- reading ---- */

/* `given`: what was written together with the option, NULL: nothing. */
static bool take_with_value(Reader *reader, const OptionRow *row, const char *given)
{
    const char *argument = reader->argv[reader->at], *value = given;
    if (row->argument[0] == '\0' && given != NULL)
        return usage(reader, "this option takes no value", argument);
    if (row->argument[0] != '\0' && value == NULL) {
        if (reader->at + 1 == reader->argc)
            return usage(reader, "this option wants a value", argument);
        value = reader->argv[++reader->at];
    }
    if (value != NULL && !is_allowed(row->argument, value)) {
        Meant nearest = meant_of(str_from(value));
        meant_see_words(&nearest, row->argument);
        bool near = nearest.name[0] != '\0';
        fprintf(stderr, "contextql: --%s cannot be %s\nhint: %s %s%s\n", row->name, value,
                near ? "did you mean" : "one of", near ? nearest.name : row->argument,
                near ? "?" : "");
        return reader->status = EXIT_USAGE, false;
    }
    return take(reader, row, value);
}

static bool read_long(Reader *reader)
{
    const char *name = reader->argv[reader->at] + 2;
    size_t bytes = strcspn(name, "=");
    const OptionRow *row = find_long((Str){name, bytes});
    if (row == NULL) return unknown(reader, (Str){name, bytes});
    return take_with_value(reader, row, name[bytes] == '=' ? name + bytes + 1 : NULL);
}

static bool read_letters(Reader *reader)
{
    const char *argument = reader->argv[reader->at];
    for (const char *at = argument + 1; *at != '\0'; at++) {
        const OptionRow *row = find_letter(*at);
        if (row == NULL) return usage(reader, "no such option", argument);
        bool wants = row->argument[0] != '\0';
        if (!take_with_value(reader, row, wants && at[1] != '\0' ? at + 1 : NULL)) return false;
        if (wants) return true;
    }
    return true;
}

static bool begins_with_mark(const char *path)
{
    char begin[2] = "";
    FILE *file = fopen(path, "rb");
    size_t bytes = file == NULL ? 0 : fread(begin, 1, sizeof begin, file);
    if (file != NULL) fclose(file);
    return bytes == sizeof begin && begin[0] == '#' && begin[1] == '!';
}

static bool is_script(const char *path)
{
    struct stat file;
    if (stat(path, &file) != 0 || !S_ISREG(file.st_mode)) return false;
    return ends_with(path, ".lua") || ends_with(path, ".cql") || begins_with_mark(path);
}

/* ---- tools ---- */

static const Tool tools[] = {
#define TOOL(name, operands, count, meaning) {#name, operands, meaning, count},
#include "contextql/tools.def"
#undef TOOL
};
enum { TOOL_COUNT = sizeof tools / sizeof *tools };

bool tool_at(size_t i, Tool *out)
{
    if (i >= TOOL_COUNT) return false;
    *out = tools[i];
    return true;
}

/* The first operand, if it is the name of a tool: of a file or folder, too, that is there. */
static const Tool *find_tool(const Reader *reader, const char *argument)
{
    const Options *options = reader->options;
    bool first = options->database == NULL && options->input_count == 0 && !reader->options_ended;
    for (size_t i = 0; first && i < TOOL_COUNT; i++)
        if (strcmp(argument, tools[i].name) == 0) return &tools[i];
    return NULL;
}

static bool tool_usage(Reader *reader)
{
    const Tool *tool = reader->options->tool;
    fprintf(stderr,
            "contextql: %s wants %s and nothing else\nhint: a database of this name is ./%s\n",
            tool->name, tool->operands, tool->name);
    reader->status = EXIT_USAGE;
    return false;
}

static bool no_script(Reader *reader, const char *name)
{
    Buffer meant = {0};
    if (!meant_file(name, &meant)) return usage(reader, "no such script", name);
    fprintf(stderr, "contextql: no such script: %s\nhint: did you mean %s?\n", name, meant.data);
    buffer_free(&meant);
    return reader->status = EXIT_USAGE, false;
}

/* Was the first one meant to be a tool? */
static bool second_database(Reader *reader, const char *name)
{
    Meant nearest = meant_of(str_from(reader->options->database));
    for (size_t i = 0; i < TOOL_COUNT; i++)
        meant_see(&nearest, str_from(tools[i].name));
    if (nearest.name[0] == '\0') return usage(reader, "one database is enough", name);
    fprintf(stderr, "contextql: one database is enough: %s\nhint: did you mean contextql %s %s?\n",
            name, nearest.name, name);
    return reader->status = EXIT_USAGE, false;
}

static bool read_operand(Reader *reader)
{
    Options *options = reader->options;
    const char *argument = reader->argv[reader->at];
    if (options->tool != NULL) {
        if (options->operand_count == options->tool->operand_count) return tool_usage(reader);
        return options->operands[options->operand_count++] = argument, true;
    }
    options->tool = find_tool(reader, argument);
    if (options->tool != NULL) return true;
    if (!is_script(argument)) {
        struct stat file;
        bool script = ends_with(argument, ".lua") || ends_with(argument, ".cql");
        if (script && stat(argument, &file) != 0)
            return no_script(reader, argument); /* and no database of that name */
        if (options->database != NULL) return second_database(reader, argument);
        return options->database = argument, true;
    }
    bool lua = !ends_with(argument, ".cql");
    add_input(options, true, lua, argument);
    if (!lua) return true;
    options->argument_count = reader->argc - reader->at - 1;
    options->arguments = reader->argv + reader->at + 1;
    reader->at = reader->argc;
    return true;
}

static bool read_one(Reader *reader)
{
    const char *argument = reader->argv[reader->at];
    if (reader->options_ended || argument[0] != '-' || argument[1] == '\0')
        return read_operand(reader);
    if (strcmp(argument, "--") == 0) return reader->options_ended = true;
    return argument[1] == '-' ? read_long(reader) : read_letters(reader);
}

static bool check(Reader *reader)
{
    const Options *options = reader->options;
    if (options->null && options->format != NULL && strcmp(options->format, "tsv") != 0)
        return usage(reader, "-0 writes tsv, no other format", options->format);
    if (options->batch && options->interactive)
        return usage(reader, "-B has no prompt to go on with", "-i");
    bool other = options->database != NULL || options->input_count > 0 || options->jsonl ||
                 options->interactive || options->output != NULL || options->param_count > 0;
    if (options->tool != NULL && (other || options->operand_count < options->tool->operand_count))
        return tool_usage(reader);
    return true;
}

bool options_read(int argc, char **argv, Options *out, int *status)
{
    Reader reader = {.argc = argc, .argv = argv, .options = out, .status = EXIT_GOOD};
    *out = (Options){0};
    bool good = true;
    for (reader.at = 1; reader.at < argc && good; reader.at++)
        good = read_one(&reader);
    good = good && check(&reader);
    if (out->database == NULL) out->database = ":memory:";
    *status = reader.status;
    return good;
}

void options_free(Options *options)
{
    mem_free(options->params);
    mem_free(options->settings);
    mem_free(options->inputs);
}
