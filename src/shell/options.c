/* options.c - the command line, from the one table contextql/options.def. */
#include "config.h"

#include "base/str.h"
#include "contextql.h"
#include "shell/options.h"
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

typedef struct OptionRow {
    char letter;
    const char *name, *argument, *meaning;
} OptionRow;

static const OptionRow rows[] = {
#define OPTION(letter, name, argument, meaning) {letter, name, argument, meaning},
#include "contextql/options.def"
#undef OPTION
};
enum { ROW_COUNT = sizeof rows / sizeof *rows };

static void help(void)
{
    puts("contextql [option ..] [database] [script]\n"
         "A property graph and vectors, answered by one openCypher-compatible language.\n");
    for (size_t i = 0; i < ROW_COUNT; i++) {
        char left[64];
        snprintf(left, sizeof left, "%s%c%s --%s%s%s", rows[i].letter ? "-" : "  ",
                 rows[i].letter ? rows[i].letter : ' ', rows[i].letter ? "," : " ", rows[i].name,
                 rows[i].argument[0] ? "=" : "", rows[i].argument);
        printf("  %-28s %s\n", left, rows[i].meaning);
    }
    puts("\nDATABASE is a directory, made if it is not there; without one, a scratch database in "
         "memory. A SCRIPT (*.cql or *.lua) is run like -f;\n"
         "what stands behind a *.lua script is its own, in `arg`.\n"
         "Without -c, -f and script, statements are read from standard input; each ends with `;`.\n"
         "Exit status: 0 good, 1 a statement failed, 2 usage, 3 the database cannot be opened, 4 "
         "output failed, 124 time-out, 130 interrupted.");
}

static int usage(const char *what, const char *argument)
{
    fprintf(stderr, "contextql: %s: %s\nhint: contextql --help lists the options\n", what,
            argument);
    return EXIT_USAGE;
}

static const OptionRow *find_long(const char *name, size_t bytes)
{
    for (size_t i = 0; i < ROW_COUNT; i++)
        if (strlen(rows[i].name) == bytes && memcmp(rows[i].name, name, bytes) == 0)
            return &rows[i];
    return NULL;
}

static const OptionRow *find_letter(char letter)
{
    for (size_t i = 0; i < ROW_COUNT; i++)
        if (rows[i].letter != 0 && rows[i].letter == letter) return &rows[i];
    return NULL;
}

static void add_input(Options *options, bool file, bool lua, const char *text)
{
    options->inputs =
        mem_realloc(options->inputs, (options->input_count + 1) * sizeof *options->inputs);
    options->inputs[options->input_count++] = (OptionInput){file, lua, text};
}

static bool ends_with(const char *text, const char *end)
{
    size_t bytes = strlen(text), end_bytes = strlen(end);
    return bytes >= end_bytes && strcmp(text + bytes - end_bytes, end) == 0;
}

/* True: go on. */
static bool take(Options *options, const OptionRow *row, const char *value, int *status)
{
    const char *name = row->name;
    if (strcmp(name, "help") == 0) return help(), *status = EXIT_GOOD, false;
    if (strcmp(name, "version") == 0)
        return printf("contextql %s\n", contextql_version()), *status = EXIT_GOOD, false;
    if (strcmp(name, "command") == 0)
        add_input(options, false, false, value);
    else if (strcmp(name, "lua") == 0)
        add_input(options, false, true, value);
    else if (strcmp(name, "file") == 0)
        add_input(options, true, ends_with(value, ".lua"), value);
    else if (strcmp(name, "format") == 0)
        options->format = value;
    else if (strcmp(name, "param") == 0) {
        options->params =
            mem_realloc(options->params, (options->param_count + 1) * sizeof *options->params);
        options->params[options->param_count++] = value;
    } else if (strcmp(name, "jsonl") == 0)
        options->jsonl = true;
    else if (strcmp(name, "memory") == 0)
        options->database = ":memory:";
    else if (strcmp(name, "read-only") == 0)
        options->read_only = true;
    else if (strcmp(name, "batch") == 0)
        options->batch = true;
    else if (strcmp(name, "keep-going") == 0)
        options->keep_going = true;
    else if (strcmp(name, "quiet") == 0)
        options->quiet = true;
    else if (strcmp(name, "stats") == 0)
        options->stats = true;
    else if (strcmp(name, "timeout") == 0)
        options->timeout = value;
    else if (strcmp(name, "memory-limit") == 0)
        options->memory_limit = value;
    else if (strcmp(name, "strict-names") == 0)
        options->strict_names = true;
    return true;
}

static bool operand(Options *options, const char *argument, int *status)
{
    struct stat file;
    bool lua = ends_with(argument, ".lua");
    if ((lua || ends_with(argument, ".cql")) && stat(argument, &file) == 0 && S_ISREG(file.st_mode))
        return add_input(options, true, lua, argument), true;
    if (options->database != NULL)
        return *status = usage("one database is enough", argument), false;
    options->database = argument;
    return true;
}

static bool read_one(int argc, char **argv, int *i, Options *options, int *status)
{
    const char *argument = argv[*i], *value = NULL;
    const OptionRow *row;
    if (argument[0] != '-' || argument[1] == '\0') return operand(options, argument, status);
    if (argument[1] == '-') {
        const char *equals = strchr(argument, '=');
        size_t bytes = equals == NULL ? strlen(argument + 2) : (size_t)(equals - argument - 2);
        row = find_long(argument + 2, bytes);
        value = equals == NULL ? NULL : equals + 1;
    } else {
        row = find_letter(argument[1]);
        if (row != NULL && row->argument[0] != '\0' && argument[2] != '\0')
            value = argument + 2;
        else if (argument[2] != '\0')
            return *status = usage("write options of one letter one by one", argument), false;
    }
    if (row == NULL) return *status = usage("no such option", argument), false;
    bool wants = row->argument[0] != '\0';
    if (!wants && value != NULL)
        return *status = usage("this option takes no value", argument), false;
    if (wants && value == NULL) {
        if (*i + 1 == argc) return *status = usage("this option wants a value", argument), false;
        value = argv[++*i];
    }
    return take(options, row, value, status);
}

bool options_read(int argc, char **argv, Options *out, int *status)
{
    *out = (Options){0};
    *status = EXIT_GOOD;
    for (int i = 1; i < argc; i++) {
        size_t inputs = out->input_count;
        bool operand_next = argv[i][0] != '-';
        if (!read_one(argc, argv, &i, out, status)) return false;
        if (!operand_next || out->input_count == inputs || !out->inputs[inputs].lua) continue;
        out->argument_count = argc - i - 1; /* what stands behind a script is the script's */
        out->arguments = argv + i + 1;
        break;
    }
    if (out->database == NULL) out->database = ":memory:";
    return true;
}

bool options_want_script(const Options *options)
{
    bool wanted = options->jsonl;
    for (size_t i = 0; i < options->input_count; i++)
        wanted = wanted || options->inputs[i].lua;
    return wanted;
}

void options_free(Options *options)
{
    mem_free(options->params);
    mem_free(options->inputs);
}
