/* care.c - looking after a database: the tools of the command line, the commands that do the same, and
 * which indexes a statement wants. */
#include "config.h"

#include "format/value_text.h"
#include "shell/command_internal.h"
#include "shell/dump.h"
#include "shell/progress.h"
#include <errno.h>
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct Notes { /* where they go, and the last of them if it was a failure */
    Shell *shell;
    FILE *file;
    Error *failure;
    Progress progress;
    const char *work, *target; /* what is done; what it makes, or NULL */
} Notes;

static void take_note(void *user, const contextql_note *note)
{
    Notes *notes = user;
    if (note->kind == CONTEXTQL_FAILURE) {
        notes->failure = error_hint(error_new(ERROR_CORRUPT, "%s", note->what), "%s", note->advice);
        return;
    }
    if (note->kind == CONTEXTQL_FACT && notes->shell->options->quiet) return;
    progress_end(&notes->progress); /* the bar stands where the text goes */
    fprintf(notes->file, "%s: %s\n", note->where, note->what);
    if (note->advice[0] != '\0') fprintf(notes->file, "  hint: %s\n", note->advice);
}

static int remove_one(const char *path, const struct stat *about, int kind, struct FTW *walk)
{
    (void)about, (void)walk;
    return kind == FTW_DP ? rmdir(path) : unlink(path);
}

/* A directory that a call made and did not finish; false: some of it is left. */
static bool remove_made(const char *path)
{
    enum { FOLDERS_MAX = 8, ATTEMPTS_MAX = 10 }; /* a thread may be making a file in it */
    for (int i = 0; i < ATTEMPTS_MAX; i++) {
        nftw(path, remove_one, FOLDERS_MAX, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
        if (access(path, F_OK) != 0) return true;
    }
    return false;
}

static Error *cancelled(const Notes *notes)
{
    Error *error = error_new(ERROR_CANCELLED, "the %s was cancelled", notes->work);
    if (notes->target == NULL || remove_made(notes->target)) return error;
    return error_hint(error, "%s is no database: remove it", notes->target);
}

/* A tool ends here: to take back in memory what nobody will see takes a good part of the time that making
 * it took. */
static void end_tool(Notes *notes)
{
    progress_end(&notes->progress);
    Error *error = cancelled(notes);
    report_program(&notes->shell->report, error_message(error), error_hint_text(error));
    fflush(NULL);
    _exit(EXIT_INTERRUPTED);
}

static bool is_cancelled(void *user, double done, uint64_t rows)
{
    Notes *notes = user;
    bool stop = progress_report(&notes->progress, done, rows);
    if (stop && notes->shell->options->tool != NULL) end_tool(notes);
    return stop;
}

static void begin_care(Notes *notes, const char *work, const char *target)
{
    notes->work = work;
    notes->target = target;
    run_catch_interrupts();
    run_begin_progress(notes->shell, &notes->progress);
}

static int end_care(Notes *notes, int result)
{
    progress_end(&notes->progress);
    if (result != CONTEXTQL_CANCELLED) return result;
    error_drop(notes->failure);
    notes->failure = cancelled(notes);
    notes->shell->status = EXIT_INTERRUPTED;
    if (notes->shell->interactive) fputc('\n', stderr); /* the terminal has echoed ^C */
    return result;
}

static int check(Notes *notes, const char *directory)
{
    begin_care(notes, "check", NULL);
    return end_care(notes, contextql_check(directory, take_note, is_cancelled, notes));
}

static int back_up(Notes *notes, const char *directory, const char *target)
{
    begin_care(notes, "backup", target);
    return end_care(notes, contextql_backup(directory, target, take_note, is_cancelled, notes));
}

static int tool_check(Notes *notes, const char *const *operands)
{
    return check(notes, operands[0]);
}

static int tool_backup(Notes *notes, const char *const *operands)
{
    return back_up(notes, operands[0], operands[1]);
}

static int recover(Notes *notes, const char *directory, const char *target)
{
    begin_care(notes, "recovery", target);
    return end_care(notes, contextql_recover(directory, target, take_note, is_cancelled, notes));
}

static int tool_recover(Notes *notes, const char *const *operands)
{
    return recover(notes, operands[0], operands[1]);
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
    run_catch_interrupts(); /* opening ends with the program */
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

/* With a bar, unless the dump itself goes to the terminal. */
static Error *write_dump(Notes *notes, FILE *file, DumpCounts *counts)
{
    run_begin_progress(notes->shell, &notes->progress);
    bool shown = isatty(fileno(file));
    Error *error = dump_write(notes->shell->session, file, shown ? NULL : progress_report,
                              &notes->progress, counts);
    progress_end(&notes->progress);
    return error;
}

static int tool_dump(Notes *notes, const char *const *operands)
{
    DumpCounts counts;
    int code = open_session(notes, operands[0], false);
    if (code != CONTEXTQL_OK) return code;
    notes->failure = write_dump(notes, stdout, &counts);
    if (notes->failure != NULL) notes->shell->status = dump_status(notes->failure);
    return close_session(notes);
}

static int tool_import(Notes *notes, const char *const *operands)
{
    struct stat about;
    DumpCounts counts;
    bool made = stat(operands[0], &about) != 0 && errno == ENOENT;
    int code = open_session(notes, operands[0], true);
    if (code != CONTEXTQL_OK) return code;
    bool good = dump_read(notes->shell, operands[1], &counts);
    if (!good && run_is_interrupted()) { /* the program ends, as in end_tool */
        if (made) remove_made(operands[0]);
        fflush(NULL);
        _exit(EXIT_INTERRUPTED);
    }
    code = close_session(notes);
    if (good && code == CONTEXTQL_OK) note_counts(notes, operands[0], &counts);
    if (!good && made) remove_made(operands[0]);
    return code;
}

/* A dump that did not come to its end; a pipe or device stays. */
static void remove_part(const char *path)
{
    struct stat about;
    if (stat(path, &about) == 0 && S_ISREG(about.st_mode)) unlink(path);
}

Error *run_dump(const Call *call)
{
    Shell *shell = call->shell;
    Notes notes = {.shell = shell, .file = shell->output.file};
    DumpCounts counts;
    if (call->rest.bytes == 0) return write_dump(&notes, shell->output.file, &counts);
    TRY(command_refuse_if_safe(shell));
    char *path = command_path(call->rest);
    FILE *file = fopen(path, "w");
    Error *error = file == NULL ? error_errno(ERROR_IO, errno, "the file %s", path)
                                : write_dump(&notes, file, &counts);
    bool closed = file == NULL || fclose(file) == 0;
    if (error == NULL && !closed) error = error_errno(ERROR_IO, errno, "the file %s", path);
    if (error == NULL) note_counts(&notes, path, &counts);
    if (error != NULL && file != NULL) remove_part(path);
    mem_free(path);
    if (error != NULL) shell->status = dump_status(error);
    if (shell->status == EXIT_INTERRUPTED && shell->interactive) fputc('\n', stderr);
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
    int result = check(&notes, shell->options->database);
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
    back_up(&notes, shell->options->database, target); /* a failure is noted */
    mem_free(target);
    return notes.failure;
}

/* Of any database in a directory, which is only read. */
Error *run_recover(const Call *call)
{
    Shell *shell = call->shell;
    Notes notes = {.shell = shell, .file = shell->output.file};
    TRY(command_refuse_if_safe(shell));
    if (call->last.bytes == 0)
        return error_hint(error_new(ERROR_MISUSE, "a database and a new directory are wanted"),
                          ":recover DATABASE TARGET");
    char *directory = command_path(call->first), *target = command_path(call->last);
    if (recover(&notes, directory, target) == CONTEXTQL_FOUND) shell->status = EXIT_FAILED;
    mem_free(directory);
    mem_free(target);
    return notes.failure;
}

Error *run_inspect(const Call *call)
{
    Shell *shell = call->shell;
    Notes notes = {.shell = shell, .file = shell->output.file};
    TRY(command_refuse_if_safe(shell));
    if (call->rest.bytes == 0)
        return error_hint(error_new(ERROR_MISUSE, "no file is named"), ":inspect FILE");
    char *path = command_path(call->rest);
    if (contextql_inspect(path, take_note, &notes) == CONTEXTQL_FOUND) shell->status = EXIT_FAILED;
    mem_free(path);
    return notes.failure;
}

/* ---- :advise ---- */

/*
 * Whether an index helps is known to the planner alone. So each that the statement could want is made,
 * in a transaction that is taken back, and the planner asked again.
 */
enum { ADVISED_NAMES_MAX = 16, ADVISED_TOKENS_MAX = 4096 };
static const char probe_name[] = "advise_probe";

typedef struct Wanted { /* labels and properties that a statement names */
    Str labels[ADVISED_NAMES_MAX], keys[ADVISED_NAMES_MAX];
    size_t label_count, key_count;
} Wanted;

typedef struct Explained {
    double rows; /* of all operators, by their estimates */
    size_t seeks;
} Explained;

static void add_once(Str *names, size_t *count, Str name)
{
    if (name.bytes >= 2 && name.data[0] == '`') name.data++, name.bytes -= 2;
    for (size_t i = 0; i < *count; i++)
        if (str_equal(names[i], name)) return;
    if (*count < ADVISED_NAMES_MAX) names[(*count)++] = name;
}

static Str token_of(Str text, const contextql_token *token)
{
    return (Str){text.data + token->offset, token->length};
}

/* A name behind a dot, or before the colon of a map. */
static bool is_key(Str text, const contextql_token *tokens, size_t i, size_t count)
{
    if (tokens[i].kind != CONTEXTQL_TOKEN_NAME && tokens[i].kind != CONTEXTQL_TOKEN_KEYWORD)
        return false;
    if (i > 0 && str_equal(token_of(text, &tokens[i - 1]), STR("."))) return true;
    if (i == 0 || i + 1 == count || !str_equal(token_of(text, &tokens[i + 1]), STR(":")))
        return false;
    Str before = token_of(text, &tokens[i - 1]);
    return str_equal(before, STR("{")) || str_equal(before, STR(","));
}

static void find_wanted(Str text, Wanted *wanted)
{
    contextql_token *tokens = mem_alloc(ADVISED_TOKENS_MAX * sizeof *tokens);
    size_t count = 0;
    *wanted = (Wanted){.label_count = 0};
    contextql_tokenize(text.data, text.bytes, tokens, ADVISED_TOKENS_MAX, &count);
    for (size_t i = 0; i < count; i++) {
        if (tokens[i].kind == CONTEXTQL_TOKEN_LABEL)
            add_once(wanted->labels, &wanted->label_count, token_of(text, &tokens[i]));
        else if (is_key(text, tokens, i, count))
            add_once(wanted->keys, &wanted->key_count, token_of(text, &tokens[i]));
    }
    mem_free(tokens);
}

static void take_operator(void *state, const contextql_statement *statement)
{
    Explained *explained = state;
    contextql_text plan = contextql_value_string(contextql_column(statement, 0));
    explained->rows += contextql_value_float(contextql_column(statement, 1));
    explained->seeks += strstr(plan.data, "NodeSeek") != NULL;
}

static Error *explain(Shell *shell, Str text, Explained *out)
{
    Buffer statement = {0};
    *out = (Explained){0};
    buffer_printf(&statement, "EXPLAIN %.*s", STR_ARG(text));
    Error *error = command_query(shell, statement.data, take_operator, out);
    buffer_free(&statement);
    return error;
}

static void count_row(void *state, const contextql_statement *statement)
{
    (void)statement;
    ++*(size_t *)state;
}

static void put_index(Buffer *out, const char *name, Str label, Str key)
{
    buffer_printf(out, "CREATE INDEX %s%sFOR (n:", name, name[0] == '\0' ? "" : " ");
    value_text_name(out, label);
    buffer_text(out, ") ON (n.");
    value_text_name(out, key);
    buffer_char(out, ')');
}

/* Has some node with the label the property? */
static Error *is_there(Shell *shell, Str label, Str key, bool *out)
{
    Buffer text = {0};
    size_t found = 0;
    buffer_text(&text, "MATCH (n:");
    value_text_name(&text, label);
    buffer_text(&text, ") WHERE n.");
    value_text_name(&text, key);
    buffer_text(&text, " IS NOT NULL RETURN 1 LIMIT 1");
    Error *error = command_query(shell, text.data, count_row, &found);
    *out = found > 0;
    buffer_free(&text);
    return error;
}

/* *made: there was none; then *out is the plan with it. Nothing stays. */
static Error *explain_with(Shell *shell, Str text, Str label, Str key, bool *made, Explained *out)
{
    Buffer index = {0};
    size_t rows = 0;
    put_index(&index, probe_name, label, key);
    TRY(command_query(shell, "BEGIN", count_row, &rows));
    Error *error = command_query(shell, index.data, count_row, &rows);
    *made = error == NULL;
    if (*made) {
        error = explain(shell, text, out);
    } else if (error_code(error) == ERROR_NAME_EXISTS) {
        error_drop(error);
        error = NULL;
    }
    Error *back = command_query(shell, "ROLLBACK", count_row, &rows);
    if (error == NULL)
        error = back;
    else
        error_drop(back);
    buffer_free(&index);
    return error;
}

static void advise(contextql_value *rows, Str label, Str key, const Explained *now,
                   const Explained *then)
{
    Buffer text = {0};
    contextql_value *row = contextql_value_new_map();
    const struct {
        const char *name;
        double count;
    } counts[] = {{"rows now", now->rows}, {"rows with it", then->rows}};
    put_index(&text, "", label, key);
    buffer_char(&text, ';');
    command_put_text(row, "index", buffer_view(&text));
    for (size_t i = 0; i < 2; i++) {
        contextql_value *count = contextql_value_new_integer((int64_t)counts[i].count);
        contextql_value_put(row, counts[i].name, strlen(counts[i].name), count);
        contextql_value_free(count);
    }
    contextql_value_append(rows, row);
    contextql_value_free(row);
    buffer_free(&text);
}

static Error *try_index(Shell *shell, Str text, Str label, Str key, const Explained *now,
                        contextql_value *rows)
{
    Explained then;
    bool there, made;
    TRY(is_there(shell, label, key, &there));
    if (!there) return NULL;
    TRY(explain_with(shell, text, label, key, &made, &then));
    if (made && then.seeks > now->seeks && then.rows < now->rows)
        advise(rows, label, key, now, &then);
    return NULL;
}

Error *run_advise(const Call *call)
{
    static const char *const columns[] = {"index", "rows now", "rows with it", NULL};
    Shell *shell = call->shell;
    Str text = call->rest;
    Wanted wanted;
    Explained now;
    TRY(command_statement(shell, &text));
    if (contextql_in_transaction(shell->session))
        return error_hint(error_new(ERROR_TRANSACTION_STATE, "a transaction is open"),
                          "COMMIT or ROLLBACK it: indexes are tried in one of their own");
    TRY(explain(shell, text, &now));
    find_wanted(text, &wanted);
    contextql_value *rows = contextql_value_new_list();
    Error *error = NULL;
    for (size_t l = 0; l < wanted.label_count; l++)
        for (size_t k = 0; k < wanted.key_count && error == NULL; k++)
            error = try_index(shell, text, wanted.labels[l], wanted.keys[k], &now, rows);
    if (error == NULL && contextql_value_count(rows) > 0)
        command_show_rows(shell, rows, columns);
    else if (error == NULL)
        fputs("no index that is not there would help this statement\n", shell->output.file);
    contextql_value_free(rows);
    return error;
}
