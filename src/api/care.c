/* care.c - check, backup, recover and inspect: calls that need no session, told note by note. */
#include "config.h"

#include "api/api_internal.h"

typedef struct Listener {
    contextql_note_fn *note;
    contextql_progress_fn *progress;
    void *user;
} Listener;

static void pass_on(void *user, TellKind kind, const char *where, const char *what,
                    const char *advice)
{
    const Listener *listener = user;
    contextql_note note = {kind == TELL_FINDING ? CONTEXTQL_FINDING : CONTEXTQL_FACT, where, what,
                           advice};
    if (listener->note != NULL) listener->note(listener->user, &note);
}

static bool ask(void *user, double done)
{
    const Listener *listener = user;
    return listener->progress != NULL && listener->progress(listener->user, done, 0);
}

/* Takes the error. */
static int end(const Listener *listener, const Tell *told, Error *error)
{
    if (error == NULL) return told->findings > 0 ? CONTEXTQL_FOUND : CONTEXTQL_OK;
    contextql_note note = {CONTEXTQL_FAILURE, "", error_message(error), error_hint_text(error)};
    int code = (int)error_code(error);
    if (listener->note != NULL) listener->note(listener->user, &note);
    error_drop(error);
    return code;
}

int contextql_check(const char *directory, contextql_note_fn *note, contextql_progress_fn *progress,
                    void *user)
{
    Listener listener = {note, progress, user};
    Tell told = {.line = pass_on, .user = &listener, .ask = ask};
    Error *error = database_check(NULL, directory, clock_system(), &told);
    return end(&listener, &told, error);
}

int contextql_backup(const char *directory, const char *target, contextql_note_fn *note,
                     contextql_progress_fn *progress, void *user)
{
    Listener listener = {note, progress, user};
    Tell told = {.line = pass_on, .user = &listener, .ask = ask};
    Error *error = database_backup(NULL, directory, target, clock_system(), &told);
    return end(&listener, &told, error);
}

int contextql_recover(const char *directory, const char *target, contextql_note_fn *note,
                      contextql_progress_fn *progress, void *user)
{
    Listener listener = {note, progress, user};
    Tell told = {.line = pass_on, .user = &listener, .ask = ask};
    Error *error = database_recover(NULL, directory, target, clock_system(), &told);
    return end(&listener, &told, error);
}

int contextql_inspect(const char *file, contextql_note_fn *note, void *user)
{
    Listener listener = {note, NULL, user};
    Tell told = {.line = pass_on, .user = &listener};
    Error *error = database_inspect(file, &told);
    return end(&listener, &told, error);
}
