/* care.c - looking after a database: the tools of the command line, and the commands that do the same. */
#include "config.h"

#include "shell/command_internal.h"
#include "shell/dump.h"
#include <errno.h>
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

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

/* ---- dump and import ---- */

static void note_counts(const Notes *notes, const char *where, const DumpCounts *counts)
{
    if (notes->shell->options->quiet) return;
    fprintf(notes->file, "%s: nodes: %llu, relationships: %llu\n", where,
            (unsigned long long)counts->nodes, (unsigned long long)counts->relationships);
}

/* The session of a tool; its error is the failure. */
static int open_session(Notes *notes, const char *directory, bool create)
{
    Shell *shell = notes->shell;
    contextql_options how = {.read_only = !create, .create = create};
    int code = contextql_open(directory, &how, &shell->session);
    run_catch_interrupts();
    if (code == CONTEXTQL_OK) return code;
    notes->failure = command_session_error(shell->session);
    contextql_close(shell->session);
    shell->session = NULL;
    return code;
}

static int close_session(Notes *notes)
{
    Shell *shell = notes->shell;
    int code = contextql_close(shell->session);
    shell->session = NULL;
    return code;
}

static int dump_status(const Error *error)
{
    return error_code(error) == ERROR_IO          ? EXIT_OUTPUT
           : error_code(error) == ERROR_CANCELLED ? EXIT_INTERRUPTED
                                                  : EXIT_FAILED;
}

static int tool_dump(Notes *notes, const char *const *operands)
{
    DumpCounts counts;
    int code = open_session(notes, operands[0], false);
    if (code != CONTEXTQL_OK) return code;
    notes->failure = dump_write(notes->shell->session, stdout, &counts);
    if (notes->failure != NULL) notes->shell->status = dump_status(notes->failure);
    return close_session(notes);
}

static int remove_one(const char *path, const struct stat *about, int kind, struct FTW *walk)
{
    (void)about, (void)walk;
    return kind == FTW_DP ? rmdir(path) : unlink(path);
}

static int tool_import(Notes *notes, const char *const *operands)
{
    enum { FOLDERS_MAX = 8 };
    struct stat about;
    DumpCounts counts;
    bool made = stat(operands[0], &about) != 0 && errno == ENOENT;
    int code = open_session(notes, operands[0], true);
    if (code != CONTEXTQL_OK) return code;
    bool good = dump_read(notes->shell, operands[1], &counts);
    code = close_session(notes);
    if (good && code == CONTEXTQL_OK) note_counts(notes, operands[0], &counts);
    if (!good && made) nftw(operands[0], remove_one, FOLDERS_MAX, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
    return code;
}

Error *run_dump(const Call *call)
{
    Shell *shell = call->shell;
    Notes notes = {.shell = shell, .file = shell->output.file};
    DumpCounts counts;
    if (call->rest.bytes == 0) return dump_write(shell->session, shell->output.file, &counts);
    TRY(command_refuse_if_safe(shell));
    char *path = command_path(call->rest);
    FILE *file = fopen(path, "w");
    Error *error = file == NULL ? error_errno(ERROR_IO, errno, "the file %s", path)
                                : dump_write(shell->session, file, &counts);
    bool closed = file == NULL || fclose(file) == 0;
    if (error == NULL && !closed) error = error_errno(ERROR_IO, errno, "the file %s", path);
    if (error == NULL) note_counts(&notes, path, &counts);
    mem_free(path);
    return error;
}

Error *run_import(const Call *call)
{
    Shell *shell = call->shell;
    Notes notes = {.shell = shell, .file = shell->output.file};
    DumpCounts counts;
    TRY(command_refuse_if_safe(shell));
    if (call->rest.bytes == 0)
        return error_hint(error_new(ERROR_MISUSE, "no file is named"), ":import FILE");
    char *path = command_path(call->rest);
    if (dump_read(shell, path, &counts)) note_counts(&notes, path, &counts);
    mem_free(path);
    return NULL; /* what failed was told */
}

/* ---- by name ---- */

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
    if (fflush(stdout) != 0 && notes.failure == NULL) return EXIT_OUTPUT;
    if (notes.failure != NULL)
        report_program(&shell->report, error_message(notes.failure),
                       error_hint_text(notes.failure));
    error_drop(notes.failure);
    if (shell->status != EXIT_GOOD) return shell->status;
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

Error *run_check(const Call *call)
{
    Shell *shell = call->shell;
    Notes notes = {.shell = shell, .file = shell->output.file};
    TRY(has_directory(shell));
    int result = contextql_check(shell->options->database, take_note, &notes);
    if (result == CONTEXTQL_FOUND) shell->status = EXIT_FAILED;
    return notes.failure;
}

Error *run_backup(const Call *call)
{
    Shell *shell = call->shell;
    Notes notes = {.shell = shell, .file = shell->output.file};
    TRY(has_directory(shell));
    TRY(command_refuse_if_safe(shell));
    if (call->rest.bytes == 0)
        return error_hint(error_new(ERROR_MISUSE, "no directory is named"), ":backup TARGET");
    char *target = command_path(call->rest);
    int result = contextql_backup(shell->options->database, target, take_note, &notes);
    mem_free(target);
    (void)result; /* a failure is noted, and a copy finds nothing */
    return notes.failure;
}
