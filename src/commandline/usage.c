/*
 * usage.c - --help, and the scripts that complete our options in bash, zsh and fish, all made from
 * the one table.
 *
 * What may stand behind an option follows from its argument in the table: a|b|c are its words,
 * FORMAT a format, FILE a file; anything else nobody can guess.
 */
#include "config.h"

#include "base/str.h"
#include "commandline/options_internal.h"
#include "format/format.h"
#include <stdio.h>

/* ---- --help ---- */

enum { LEFT_COLUMNS = 28 };

/* Behind the left column, in rows that fit most windows. */
static void put_meaning(const char *meaning)
{
    enum { WIDTH = 80 };
    Buffer text = {0};
    format_wrapped(&text, str_from(meaning), LEFT_COLUMNS + 3, LEFT_COLUMNS + 3, WIDTH);
    printf(" %.*s\n", (int)text.bytes, text.data);
    buffer_free(&text);
}

void usage_help(const OptionRow *rows, size_t count)
{
    puts("contextql [option ..] [database] [option ..] [script [argument ..]]\n"
         "contextql tool operand ..\n"
         "A property graph and vectors, answered by one openCypher-compatible language.\n");
    for (size_t i = 0; i < count; i++) {
        char left[64], letter[4] = "   ";
        if (rows[i].letter != 0) snprintf(letter, sizeof letter, "-%c,", rows[i].letter);
        snprintf(left, sizeof left, "%s --%s%s%s", letter, rows[i].name,
                 rows[i].argument[0] ? "=" : "", rows[i].argument);
        printf("  %-*s", LEFT_COLUMNS, left);
        if (strlen(left) > LEFT_COLUMNS) printf("\n  %*s", LEFT_COLUMNS, "");
        put_meaning(rows[i].meaning);
    }
    puts("\nLooking after a database: contextql TOOL OPERAND ..");
    Tool tool;
    for (size_t i = 0; tool_at(i, &tool); i++) {
        char left[64];
        snprintf(left, sizeof left, "%s %s", tool.name, tool.operands);
        printf("  %-*s", LEFT_COLUMNS, left);
        put_meaning(tool.meaning);
    }
    puts("\nDATABASE is a directory, made if it is not there; without one, a scratch database in\n"
         "memory. A SCRIPT (*.cql, *.lua, or a file that begins with #!) is run like -f; what\n"
         "stands behind a script of Lua is its own, in `arg`. Without -c, -f, -e and script,\n"
         "statements are read from standard input; each ends with `;`.\n"
         "Exit status: 0 good, 1 a statement failed, 2 usage, 3 the database cannot be opened,\n"
         "4 output failed, 124 time-out, 130 interrupted.");
}

/* ---- words ---- */

/* The words that may stand behind an option, parted by blanks; false: any text may. */
static bool words_of(const OptionRow *row, Buffer *out)
{
    if (strcmp(row->argument, "FORMAT") == 0) {
        for (int i = 0; i < FORMAT_COUNT; i++)
            buffer_printf(out, "%s%s", i == 0 ? "" : " ", format_name((Format)i));
        return true;
    }
    if (strchr(row->argument, '|') == NULL) return false;
    for (const char *at = row->argument; *at != '\0'; at++)
        buffer_char(out, *at == '|' ? ' ' : *at);
    return true;
}

static bool takes_file(const OptionRow *row)
{
    return strcmp(row->argument, "FILE") == 0;
}

/* A text for between two single quotes of a shell. */
static void put_quoted(const char *text, const char *special)
{
    for (; *text != '\0'; text++) {
        if (*text == '\'')
            fputs("'\\''", stdout);
        else if (strchr(special, *text) != NULL)
            printf("\\%c", *text);
        else
            putchar(*text);
    }
}

/* The names of the tools, which may be the first word. */
static void print_tools(void)
{
    Tool tool;
    for (size_t i = 0; tool_at(i, &tool); i++)
        printf("%s%s", i == 0 ? "" : " ", tool.name);
}

/* ---- bash ---- */

static void print_bash(const OptionRow *rows, size_t count)
{
    puts("# contextql for bash: eval \"$(contextql --print-completion=bash)\"\n"
         "_contextql() {\n"
         "    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}\n"
         "    if [ \"$word\" = = ]; then word=; fi\n"
         "    if [ \"$before\" = = ]; then before=${COMP_WORDS[COMP_CWORD-2]}; fi\n"
         "    case $before in");
    for (size_t i = 0; i < count; i++) {
        Buffer words = {0};
        if (rows[i].argument[0] != '\0') {
            if (rows[i].letter != 0) printf("    -%c|", rows[i].letter);
            printf("%s--%s) ", rows[i].letter != 0 ? "" : "    ", rows[i].name);
            if (words_of(&rows[i], &words))
                printf("COMPREPLY=($(compgen -W '%s' -- \"$word\")); return ;;\n", words.data);
            else if (takes_file(&rows[i]))
                puts("COMPREPLY=($(compgen -f -- \"$word\")); return ;;");
            else
                puts("COMPREPLY=(); return ;;");
        }
        buffer_free(&words);
    }
    fputs("    esac\n    case $word in\n    -*) COMPREPLY=($(compgen -W '", stdout);
    for (size_t i = 0; i < count; i++)
        printf("%s--%s", i == 0 ? "" : " ", rows[i].name);
    fputs("' -- \"$word\")) ;;\n    *) if [ \"$COMP_CWORD\" = 1 ]; then tools='", stdout);
    print_tools();
    puts("'; else tools=; fi\n       COMPREPLY=($(compgen -f -W \"$tools\" -- \"$word\")) ;;\n    "
         "esac\n}\n"
         "complete -o filenames -F _contextql contextql");
}

/* ---- zsh ---- */

static void print_zsh_option(const OptionRow *row)
{
    Buffer words = {0};
    bool again = row->effect == EFFECT_STATEMENT || row->effect == EFFECT_FILE ||
                 row->effect == EFFECT_LUA || row->effect == EFFECT_PARAM ||
                 row->effect == EFFECT_SETTING;
    const char *wants = row->argument[0] != '\0' ? "=" : "";
    fputs("    ", stdout);
    if (row->letter != 0 && again)
        printf("'*'{-%c,--%s%s}'[", row->letter, row->name, wants);
    else if (row->letter != 0)
        printf("'(-%c --%s)'{-%c,--%s%s}'[", row->letter, row->name, row->letter, row->name, wants);
    else
        printf("'--%s%s[", row->name, wants);
    put_quoted(row->meaning, "[]:");
    putchar(']');
    if (row->argument[0] != '\0') {
        bool known = words_of(row, &words);
        printf(":%s:", known ? "word" : row->argument);
        if (known) printf("(%s)", words.data);
        if (takes_file(row)) fputs("_files", stdout);
    }
    puts("' \\");
    buffer_free(&words);
}

static void print_zsh(const OptionRow *rows, size_t count)
{
    puts("#compdef contextql\n"
         "# contextql for zsh: put this into a file _contextql in a folder of $fpath\n"
         "_arguments -s \\");
    for (size_t i = 0; i < count; i++)
        print_zsh_option(&rows[i]);
    fputs("    '1:database, script or tool:{_files; compadd ", stdout);
    print_tools();
    puts("}' \\\n    '*:database or script:_files'");
}

/* ---- fish ---- */

static void print_fish(const OptionRow *rows, size_t count)
{
    puts("# contextql for fish: contextql --print-completion=fish > "
         "~/.config/fish/completions/contextql.fish");
    Tool tool;
    for (size_t i = 0; tool_at(i, &tool); i++)
        printf("complete -c contextql -n __fish_is_first_token -a %s\n", tool.name);
    for (size_t i = 0; i < count; i++) {
        Buffer words = {0};
        fputs("complete -c contextql", stdout);
        if (rows[i].letter != 0) printf(" -s %c", rows[i].letter);
        printf(" -l %s", rows[i].name);
        if (words_of(&rows[i], &words))
            printf(" -x -a '%s'", words.data);
        else if (takes_file(&rows[i]))
            fputs(" -r -F", stdout);
        else if (rows[i].argument[0] != '\0')
            fputs(" -x", stdout);
        fputs(" -d '", stdout);
        for (const char *at = rows[i].meaning; *at != '\0'; at++)
            printf(*at == '\'' || *at == '\\' ? "\\%c" : "%c", *at);
        puts("'");
        buffer_free(&words);
    }
}

void usage_completion(const OptionRow *rows, size_t count, const char *shell)
{
    if (strcmp(shell, "bash") == 0) print_bash(rows, count);
    if (strcmp(shell, "zsh") == 0) print_zsh(rows, count);
    if (strcmp(shell, "fish") == 0) print_fish(rows, count);
}
