/*
 * import.c - reads a dump (dump.h) in one transaction.
 *
 * Its statements run as those of any file do, but that it must begin as a dump does, may not end
 * the transaction, has no commands of the shell, and must say in the end what has come in.
 */
#include "config.h"

#include "shell/command.h"
#include "shell/dump.h"
#include "shell/progress.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define HEADER "// ContextQL dump 1, mark "

enum { MARK_BYTES_MAX = 40 };

typedef struct Import {
    Shell *shell;
    bool begun, ended; /* the first line, the last statement was read */
    DumpCounts counts, said;
    Progress progress;
    double bytes, bytes_all; /* all: 0 if that is not known */
} Import;

static bool tell(const Import *import, const Place *place, Error *error)
{
    report_command(&import->shell->report, place->name, place->line, error);
    error_drop(error);
    import->shell->status = EXIT_FAILED;
    return false;
}

/* Keeps what a row says came in; no statement of a dump but the last has rows. */
static void take_row(Import *import, const contextql_statement *statement)
{
    const contextql_value *nodes = contextql_column(statement, 0),
                          *relationships = contextql_column(statement, 1);
    if (nodes == NULL || relationships == NULL) return;
    import->said = (DumpCounts){(uint64_t)contextql_value_integer(nodes),
                                (uint64_t)contextql_value_integer(relationships)};
    import->ended = true;
}

static int run_quietly(Import *import, Str text)
{
    contextql_statement *statement = NULL;
    contextql_stats stats;
    contextql *session = import->shell->session;
    int code = contextql_prepare(session, text.data, text.bytes, &statement, NULL);
    if (code == CONTEXTQL_OK && statement == NULL) return CONTEXTQL_DONE;
    run_stoppable(session);
    while (code == CONTEXTQL_OK || code == CONTEXTQL_ROW)
        if ((code = contextql_step(statement)) == CONTEXTQL_ROW) take_row(import, statement);
    run_stoppable(NULL);
    if (code == CONTEXTQL_DONE) {
        contextql_statement_stats(statement, &stats);
        import->counts.nodes += stats.nodes_created;
        import->counts.relationships += stats.relationships_created;
    }
    contextql_finalize(statement);
    return code;
}

static bool ends_transaction(Str statement)
{
    Str word = format_first_word(statement);
    return str_equal_ignore_case(word, STR("BEGIN")) ||
           str_equal_ignore_case(word, STR("COMMIT")) ||
           str_equal_ignore_case(word, STR("ROLLBACK"));
}

/* The first line; nodes that bear its mark would lose it. 0 bytes: more is needed. */
static size_t read_header(Import *import, Str text, bool last, const Place *place, bool *good)
{
    const char *end = memchr(text.data, '\n', text.bytes);
    char query[2 * MARK_BYTES_MAX];
    if (end == NULL && !last) return 0;
    Str line = {text.data, end == NULL ? text.bytes : (size_t)(end - text.data)};
    size_t known = sizeof HEADER - 1;
    bool fits = line.bytes > known && line.bytes - known < MARK_BYTES_MAX &&
                memcmp(line.data, HEADER, known) == 0;
    for (size_t i = known; fits && i < line.bytes; i++)
        fits = line.data[i] == '_' || (line.data[i] >= 'a' && line.data[i] <= 'z');
    import->begun = true;
    if (!fits) {
        Error *error = error_new(ERROR_MISUSE, "this is no dump");
        *good = tell(import, place,
                     error_hint(error, ":dump writes one; its first line begins with %s",
                                "// ContextQL dump 1"));
        return line.bytes;
    }
    int bytes = snprintf(query, sizeof query, "MATCH (n:%.*s) RETURN 0 AS a, 0 AS b LIMIT 1",
                         (int)(line.bytes - known), line.data + known);
    run_quietly(import, (Str){query, (size_t)bytes}); /* strict_names: no such label, and no node */
    if (!import->ended) return line.bytes;
    *good = tell(import, place,
                 error_new(ERROR_NAME_EXISTS, "the database has nodes with the label %.*s already",
                           (int)(line.bytes - known), line.data + known));
    return line.bytes;
}

static bool run_one(Import *import, Str statement, const Place *place)
{
    Shell *shell = import->shell;
    if (import->ended)
        return tell(import, place,
                    error_new(ERROR_MISUSE, "something stands behind the dump's end"));
    if (ends_transaction(statement))
        return tell(import, place,
                    error_new(ERROR_MISUSE, "a dump may not begin or end a transaction"));
    if (run_quietly(import, statement) == CONTEXTQL_DONE) return true;
    run_tell_error(shell, place);
    return false;
}

static size_t import_piece(void *state, Str text, bool last, Place *place, bool *good)
{
    Import *import = state;
    Str command;
    size_t end, begin;
    *good = true;
    if (!import->begun) return read_header(import, text, last, place, good);
    begin = command_skip(text);
    bool is_command = command_find(text, &command, &end);
    bool whole = is_command || contextql_is_complete(text.data, text.bytes, &end);
    if (!whole && !last) return 0;
    place_advance(place, text.data + begin);
    if (is_command)
        *good = tell(import, place, error_new(ERROR_MISUSE, "a dump has no commands"));
    else if (begin < end)
        *good = run_one(import, (Str){text.data + begin, end - begin}, place);
    if (place->text.data + place->offset < text.data + end) place_advance(place, text.data + end);
    import->bytes += (double)end;
    if (import->bytes_all > 0)
        progress_report(&import->progress, import->bytes / import->bytes_all, 0);
    return end;
}

/* True: what came in is what the dump says. */
static bool is_whole(Import *import, const char *path)
{
    const DumpCounts *made = &import->counts, *said = &import->said;
    Buffer message = {0};
    if (!import->ended)
        buffer_printf(&message, "%s: the dump was cut off: its last statement is not there", path);
    else if (made->nodes != said->nodes || made->relationships != said->relationships)
        buffer_printf(
            &message,
            "%s: the dump has %llu nodes and %llu relationships, but says it has %llu and "
            "%llu",
            path, (unsigned long long)made->nodes, (unsigned long long)made->relationships,
            (unsigned long long)said->nodes, (unsigned long long)said->relationships);
    bool good = message.bytes == 0;
    if (!good) report_program(&import->shell->report, message.data, "nothing of it was taken");
    if (!good) import->shell->status = EXIT_FAILED;
    buffer_free(&message);
    return good;
}

static bool run_file_at(Import *import, int file, const char *path)
{
    Shell *shell = import->shell;
    struct stat about;
    const char *name = file == STDIN_FILENO ? "<stdin>" : path;
    Place place = place_of(name, STR(""));
    if (fstat(file, &about) == 0 && S_ISREG(about.st_mode))
        import->bytes_all = (double)about.st_size;
    run_begin_progress(shell, &import->progress);
    bool good = run_quietly(import, STR("BEGIN")) == CONTEXTQL_DONE;
    if (!good) run_tell_error(shell, &place);
    good = good && run_stream(shell, file, name, import_piece, import) && is_whole(import, name);
    progress_end(&import->progress);
    if (good) {
        good = run_quietly(import, STR("COMMIT")) == CONTEXTQL_DONE;
        if (!good) run_tell_error(shell, &place);
    }
    if (!good && contextql_in_transaction(shell->session)) run_quietly(import, STR("ROLLBACK"));
    return good;
}

bool dump_read(Shell *shell, const char *path, DumpCounts *out)
{
    Import import = {.shell = shell};
    if (contextql_in_transaction(shell->session)) {
        report_program(&shell->report, "an import is a transaction of its own",
                       "COMMIT or ROLLBACK ends the one that is open");
        return shell->status = EXIT_FAILED, false;
    }
    bool standard = strcmp(path, "-") == 0;
    int file = standard ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return run_cannot_read(shell, path);
    bool good = run_file_at(&import, file, path);
    if (!standard) close(file);
    if (good) *out = import.counts;
    return good;
}
