/*
 * complete.c - answers the editor's questions (helper.h).
 *
 * A text at the prompt is statements and commands; the cursor is in one of them. Of a statement the
 * engine is asked (contextql_suggest), but for names of files and parameters, which are ours. What a
 * command takes follows from its arguments in contextql/commands.def: FORMAT, FILE, [NAME] (what there
 * is help on), NAME (labels and types), MOMENT, OLD and NEW (snapshots), NAME VALUE (settings),
 * STATEMENT, or words between bars.
 */
#include "config.h"

#include "base/match.h"
#include "shell/command.h"
#include "shell/complete.h"
#include <dirent.h>
#include <stdlib.h>
#include <sys/stat.h>

enum {
    FILES_MAX = 1000, /* of a folder; a larger one is not listed to its end */
    NAMES_MAX = 200   /* labels, types, snapshots behind a command */
};

typedef struct Piece { /* of the text at the prompt: a statement or a command */
    Str text;
    size_t start;
    bool command;
} Piece;

/* The piece that the cursor is in. */
static Piece piece_at(Str text, size_t cursor)
{
    Piece piece = {text, 0, false};
    while (piece.text.bytes > 0) {
        size_t end;
        Str command;
        piece.command = command_find(piece.text, &command, &end);
        if (!piece.command) contextql_is_complete(piece.text.data, piece.text.bytes, &end);
        bool inside = piece.start + end > cursor || end == piece.text.bytes;
        bool line_ended = piece.command && end > 0 && piece.text.data[end - 1] == '\n';
        bool statement_ended =
            !piece.command && contextql_is_complete(piece.text.data, piece.text.bytes, &end);
        if (inside && !(piece.start + end == cursor && (line_ended || statement_ended))) {
            piece.text.bytes = end;
            return piece;
        }
        piece.start += end;
        piece.text.data += end;
        piece.text.bytes -= end;
    }
    piece.command = false;
    return piece;
}

struct Completer {
    Shell *shell;
    Arena *arena;     /* names of our own, kept until the next question */
    Completions *out; /* of the question at hand */
};

static void add(Completer *completer, const char *text, const char *kind, const char *summary,
                size_t from)
{
    Completions *out = completer->out;
    if (out->count < COMPLETIONS_MAX)
        out->items[out->count++] = (contextql_suggestion){text, kind, summary, from};
}

static void offer(Completer *completer, Str word, const char *text, const char *kind,
                  const char *summary, size_t from)
{
    if (match_word(word, str_from(text)) == MATCH_NONE) return;
    add(completer, text, kind, summary, from);
}

/* The words of a text like "on|off" or "auto, off, force". */
static void offer_words(Completer *completer, Str word, const char *words, size_t from)
{
    for (const char *at = words; *at != '\0';) {
        size_t bytes = strcspn(at, "|,");
        bool fixed = !(at[0] >= 'A' && at[0] <= 'Z'); /* COMMAND: any */
        if (fixed)
            offer(completer, word, arena_copy(completer->arena, at, bytes), "value", "", from);
        at += bytes;
        at += strspn(at, "|, ");
    }
}

/* ---- files ---- */

static int compare_names(const void *left, const void *right)
{
    return strcmp(((const contextql_suggestion *)left)->text,
                  ((const contextql_suggestion *)right)->text);
}

/* Files whose path begins with `path`, which stands at `from`. */
static void offer_files(Completer *completer, Str path, size_t from)
{
    Completions *out = completer->out;
    size_t folder_bytes = path.bytes, before = out->count, seen = 0;
    while (folder_bytes > 0 && path.data[folder_bytes - 1] != '/')
        folder_bytes--;
    Str word = {path.data + folder_bytes, path.bytes - folder_bytes};
    char *folder = arena_copy(completer->arena, path.data, folder_bytes);
    DIR *directory = opendir(folder_bytes == 0 ? "." : folder);
    if (directory == NULL) return;
    for (struct dirent *entry; (entry = readdir(directory)) != NULL && seen < FILES_MAX; seen++) {
        struct stat file;
        bool hidden = entry->d_name[0] == '.' && (word.bytes == 0 || word.data[0] != '.');
        bool special = strpbrk(entry->d_name, "'\\\n") != NULL;
        Str name = str_from(entry->d_name);
        bool fits = word.bytes == 0 || match_word(word, name) >= MATCH_BEGINNING;
        if (hidden || special || !fits) continue;
        char *whole = arena_printf(completer->arena, "%s%s", folder, entry->d_name);
        bool is_folder = stat(whole, &file) == 0 && S_ISDIR(file.st_mode);
        if (is_folder) whole = arena_printf(completer->arena, "%s/", whole);
        add(completer, whole, is_folder ? "folder" : "file", "", from);
    }
    closedir(directory);
    qsort(out->items + before, out->count - before, sizeof *out->items, compare_names);
}

/* Is the cursor in a text that names a file: behind FROM, or COPY .. TO? */
static bool find_path(Str statement, size_t cursor, Str *path)
{
    size_t max = cursor + 1, count = 0;
    contextql_token *tokens = mem_alloc(max * sizeof *tokens);
    bool found = contextql_tokenize(statement.data, cursor, tokens, max, &count) == CONTEXTQL_OK &&
                 count >= 2 && tokens[count - 1].kind == CONTEXTQL_TOKEN_BAD;
    if (found) {
        Str text = {statement.data + tokens[count - 1].offset, tokens[count - 1].length},
            before = {statement.data + tokens[count - 2].offset, tokens[count - 2].length};
        bool quoted = text.data[0] == '\'' || text.data[0] == '"';
        found = quoted && (str_equal_ignore_case(before, STR("FROM")) ||
                           str_equal_ignore_case(before, STR("TO")));
        *path = (Str){text.data + 1, text.bytes - 1};
    }
    mem_free(tokens);
    return found;
}

/* ---- commands ---- */

static void offer_settings(Completer *completer, Str before, Str word, size_t from)
{
    contextql_setting setting;
    for (size_t i = 0; contextql_setting_at(i, &setting); i++) {
        if (before.bytes == 0)
            offer(completer, word, setting.name, "setting",
                  arena_printf(completer->arena, "%s (now %s)", setting.meaning,
                               contextql_get(completer->shell->session, setting.name)),
                  from);
        else if (str_equal(before, str_from(setting.name)) && strchr(setting.values, ',') != NULL)
            offer_words(completer, word, setting.values, from);
    }
}

static void offer_commands(Completer *completer, Str word, size_t from)
{
    CommandText command;
    for (size_t i = 0; command_at(i, &command); i++) {
        if (match_word(word, str_from(command.name)) == MATCH_NONE) continue;
        const char *summary =
            arena_printf(completer->arena, "%s%s%s", command.arguments,
                         command.arguments[0] == '\0' ? "" : "  ", command.meaning);
        add(completer, command.name, "command", summary, from);
    }
}

/* What there is help on. */
static void offer_names(Completer *completer, Str word, size_t from)
{
    contextql_keyword keyword;
    contextql_function_info function;
    contextql_procedure_info procedure;
    CommandTopic topic;
    offer_commands(completer, word, from);
    for (size_t i = 0; command_topic(i, &topic); i++)
        offer(completer, word, arena_printf(completer->arena, "%.*s", STR_ARG(topic.name)), "topic",
              arena_printf(completer->arena, "%.*s", STR_ARG(topic.title)), from);
    for (size_t i = 0; contextql_function_at(i, &function); i++)
        offer(completer, word, function.name, "function", function.meaning, from);
    for (size_t i = 0; contextql_procedure_at(completer->shell->session, i, &procedure); i++)
        offer(completer, word, procedure.name, "procedure", procedure.meaning, from);
    for (size_t i = 0; contextql_keyword_at(i, &keyword); i++)
        if (keyword.meaning[0] != '\0')
            offer(completer, word, keyword.word, "keyword", keyword.meaning, from);
}

/* What of a kind the engine would suggest for `word` behind `before`. */
static void offer_suggested(Completer *completer, const char *before, const char *kind, Str word,
                            size_t from)
{
    size_t count = 0;
    char *text = arena_printf(completer->arena, "%s%.*s", before, STR_ARG(word));
    contextql_suggestion *found = arena_array(completer->arena, contextql_suggestion, NAMES_MAX);
    contextql_suggest(completer->shell->session, text, strlen(text), found, NAMES_MAX, &count);
    for (size_t k = 0; k < count; k++)
        if (strcmp(found[k].kind, kind) == 0) /* it lives until the next question, asked here */
            add(completer, arena_printf(completer->arena, "%s", found[k].text), kind, "", from);
}

/* Where the statement behind a command begins, `:bench 10 RETURN 1`: behind numbers and a picture's
 * name. */
static size_t statement_start(Str line, size_t at)
{
    for (;;) {
        while (at < line.bytes && line.data[at] == ' ')
            at++;
        size_t end = at;
        double number;
        int64_t integer;
        while (end < line.bytes && line.data[end] != ' ')
            end++;
        Str word = {line.data + at, end - at};
        bool picture = word.bytes > 4 && memcmp(word.data + word.bytes - 4, ".svg", 4) == 0;
        if (end == line.bytes ||
            (!picture && !float_parse(word, &number) && !integer_parse(word, &integer)))
            return at;
        at = end;
    }
}

static void complete_inner_statement(Completer *completer, Str line, size_t name_bytes,
                                     size_t cursor)
{
    Completions *out = completer->out;
    size_t start = statement_start(line, name_bytes);
    contextql_suggest(completer->shell->session, line.data + start, line.bytes - start, out->items,
                      COMPLETIONS_MAX, &out->count);
    for (size_t i = 0; i < out->count; i++)
        out->items[i].replace_from += cursor - line.bytes + start;
}

/* `line`: from the `:` to the cursor, which is at `cursor` in the whole text. */
static void complete_command(Completer *completer, Str line, size_t cursor)
{
    CommandText command;
    size_t name_bytes = 1, word_at = line.bytes;
    while (name_bytes < line.bytes && line.data[name_bytes] != ' ')
        name_bytes++;
    while (word_at > 0 && line.data[word_at - 1] != ' ')
        word_at--;
    Str word = {line.data + word_at, line.bytes - word_at};
    size_t from = cursor - word.bytes;
    if (name_bytes == line.bytes) {
        Str name = {line.data + 1, line.bytes - 1};
        offer_commands(completer, name, cursor - line.bytes + 1);
        return;
    }
    if (!command_named((Str){line.data + 1, name_bytes - 1}, &command)) return;
    size_t first = name_bytes, end = word_at;
    while (first < end && line.data[first] == ' ')
        first++;
    while (end > first && line.data[end - 1] == ' ')
        end--;
    Str before = {line.data + first, end - first};
    const char *arguments = command.arguments;
    if (strcmp(arguments, "[NAME [VALUE]]") == 0)
        offer_settings(completer, before, word, from);
    else if (strstr(arguments, "STATEMENT") != NULL)
        complete_inner_statement(completer, line, name_bytes, cursor);
    else if (before.bytes > 0 && strstr(arguments, "FILE") == NULL &&
             strstr(arguments, "NEW") == NULL)
        return;
    else if (strstr(arguments, "FORMAT") != NULL)
        for (int i = 0; i < FORMAT_COUNT; i++)
            offer(completer, word, format_name((Format)i), "format", "", from);
    else if (strstr(arguments, "FILE") != NULL)
        offer_files(completer, word, from);
    else if (strcmp(arguments, "[NAME]") == 0)
        offer_names(completer, word, from);
    else if (strcmp(arguments, "NAME") == 0)
        offer_suggested(completer, "MATCH (n:", "label", word, from),
            offer_suggested(completer, "MATCH ()-[:", "type", word, from);
    else if (strstr(arguments, "MOMENT") != NULL || strstr(arguments, "OLD") != NULL)
        offer_suggested(completer, "DROP SNAPSHOT ", "snapshot", word, from);
    else if (strchr(arguments, '|') != NULL)
        offer_words(
            completer, word,
            arena_printf(completer->arena, "%.*s", (int)strcspn(arguments + 1, "]"), arguments + 1),
            from);
}

/* ---- the helper ---- */

static void offer_parameter(Completer *completer, Str word, const char *param, size_t from)
{
    const char *equals = strchr(param, '=');
    const char *name = arena_copy(completer->arena, param, (size_t)(equals - param));
    offer(completer, word, name, "parameter", arena_printf(completer->arena, "%s", equals + 1),
          from);
}

static void offer_parameters(Completer *completer, Str word, size_t from)
{
    const Shell *shell = completer->shell;
    for (size_t i = 0; i < shell->param_count; i++)
        offer_parameter(completer, word, shell->params[i], from);
    for (size_t i = 0; i < shell->options->param_count; i++)
        offer_parameter(completer, word, shell->options->params[i], from);
}

static bool in_parameter(Str text, size_t cursor, size_t *from)
{
    *from = cursor;
    while (*from > 0 &&
           (((text.data[*from - 1] | 32) >= 'a' && (text.data[*from - 1] | 32) <= 'z') ||
            (text.data[*from - 1] >= '0' && text.data[*from - 1] <= '9') ||
            text.data[*from - 1] == '_'))
        (*from)--;
    return *from > 0 && text.data[*from - 1] == '$';
}

static void complete_statement(Completer *completer, const Piece *piece, size_t cursor)
{
    Completions *out = completer->out;
    Str path;
    size_t from, inside = cursor - piece->start;
    if (find_path(piece->text, inside, &path)) {
        offer_files(completer, path, cursor - path.bytes);
        return;
    }
    if (in_parameter(piece->text, inside, &from)) {
        Str word = {piece->text.data + from, inside - from};
        offer_parameters(completer, word, piece->start + from);
        return;
    }
    contextql_suggest(completer->shell->session, piece->text.data, inside, out->items,
                      COMPLETIONS_MAX, &out->count);
    for (size_t i = 0; i < out->count; i++)
        out->items[i].replace_from += piece->start;
}

/* ---- what scripts offer (contextql.completer) ---- */

typedef struct Offer {
    Completer *completer;
    Str word;
    size_t from;
} Offer;

static void take_offer(void *sink, Str text, Str summary)
{
    const Offer *to = sink;
    Arena *arena = to->completer->arena;
    offer(to->completer, to->word, arena_copy(arena, text.data, text.bytes), "script",
          arena_copy(arena, summary.data, summary.bytes), to->from);
}

/* The word ends at the cursor and begins behind the last blank, bracket or comma. */
static void offer_scripts(Completer *completer, Str text, size_t cursor)
{
    const ScriptHost *script = completer->shell->script;
    Offer to = {.completer = completer, .from = cursor};
    if (script == NULL || script->complete == NULL) return;
    while (to.from > 0 && strchr(" \t\n()[]{},", text.data[to.from - 1]) == NULL)
        to.from--;
    to.word = (Str){text.data + to.from, cursor - to.from};
    script->complete(script->state, to.word, (Str){text.data, cursor}, take_offer, &to);
}

static void complete(void *state, Str text, size_t cursor, Completions *out)
{
    Completer *completer = state;
    if (text.data == NULL) text = STR("");
    Piece piece = piece_at(text, cursor);
    size_t skipped = command_skip(piece.text), line_at = piece.start + skipped;
    Str line = {piece.text.data + skipped, piece.text.bytes - skipped};
    bool mark = line.bytes > 0 && (line.data[0] == ':' || line.data[0] == '.');
    completer->out = out;
    out->count = 0;
    arena_reset(completer->arena);
    if (!piece.command && !(mark && line.bytes == 1))
        complete_statement(completer, &piece, cursor);
    else if (mark && line_at < cursor)
        complete_command(completer, (Str){line.data, cursor - line_at}, cursor);
    offer_scripts(completer, text, cursor);
}

static bool refuses(void *state, Str text, size_t *offset, size_t *length)
{
    size_t start = 0;
    (void)state;
    while (start < text.bytes) {
        Str rest = {text.data + start, text.bytes - start}, command;
        size_t end;
        bool marked = rest.data[0] == ':' || rest.data[0] == '.';
        if (command_find(rest, &command, &end) || (marked && rest.bytes == 1)) {
            start += marked && rest.bytes == 1 ? 1 : end;
            continue;
        }
        if (start > 0 && (end = command_pipe(rest, &command)) > 0) {
            start += end;
            continue;
        }
        if (contextql_refuses(rest.data, rest.bytes, offset, length)) {
            *offset += start;
            return true;
        }
        contextql_is_complete(rest.data, rest.bytes, &end);
        start += end;
    }
    return false;
}

static bool explain(void *state, Str text, size_t cursor, Buffer *out, size_t *from, size_t *bytes)
{
    const Completer *completer = state;
    contextql_called called;
    Piece piece = piece_at(text, cursor);
    if (piece.command || piece.text.bytes == 0) return false;
    if (!contextql_explain_call(completer->shell->session, piece.text.data, cursor - piece.start,
                                &called))
        return false;
    buffer_text(out, called.name);
    *from = out->bytes + called.argument_offset;
    *bytes = called.argument_length;
    buffer_printf(out, "%s  %s", called.signature, called.summary);
    return true;
}

Completer *complete_open(Shell *shell)
{
    Completer *completer = mem_calloc(1, sizeof *completer);
    completer->shell = shell;
    completer->arena = arena_create();
    return completer;
}

void complete_close(Completer *completer)
{
    arena_destroy(completer->arena);
    mem_free(completer);
}

Helper complete_helper(Completer *completer)
{
    return (Helper){completer, complete, refuses, explain};
}
