/*
 * check.c - a database directory read to its last byte.
 *
 * It is opened for reading, as any reader would, beside a writer too: catalog, segments and log are
 * then known to open. What opening leaves for later is done here at once: every piece of every
 * segment that the catalog or the log names against its checksum, sqlite's own check of the
 * catalog, the end of the log against what LOCK says was durable, and the graph against itself
 * (graph/verify.c). What cannot be opened is looked at part by part, so that more than the first
 * reason is told.
 *
 * Nothing is written. Files that nobody names are facts, not findings: they are left by a crash and
 * removed by the next who opens for writing.
 */
#include "config.h"

#include "database/database_internal.h"
#include "storage/inspect.h"
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

static const char restore[] = "restore a copy of the directory; nothing was changed";

typedef struct Check {
    const Io *io;
    const char *directory;
    Tell *to;
    const char *where;        /* the file at hand */
    const Database *database; /* NULL: it does not open */
} Check;

/* ---- segments ---- */

static void tell_piece(void *user, uint64_t from, uint64_t until)
{
    Check *check = user;
    tell_line(check->to, TELL_FINDING, check->where, restore,
              "damaged between byte %" PRIu64 " and %" PRIu64, from, until);
}

/* What does not open was met by opening the whole, which tells it. */
static void tell_error(Check *check, const char *where, Error *error)
{
    if (error != NULL && check->database != NULL)
        tell_line(check->to, TELL_FINDING, where, error_hint_text(error), "%s",
                  error_message(error));
    error_drop(error);
}

/* A writer's checkpoint may have removed the file since its name was read. Drops the error then. */
static bool is_replaced(Check *check, Error *error)
{
    if (check->database == NULL) return false;
    FilesView now = files_look(check->database);
    if (error_code(error) != ERROR_NO_FILE || now.page.checkpoint <= now.checkpoint) return false;
    tell_line(check->to, TELL_FACT, check->where, "",
              "a checkpoint has taken its place meanwhile: check once more");
    error_drop(error);
    return true;
}

/* A mapping of its own: in the one of the open graph, pages were written to by the replay. */
static void check_segment(Check *check, const uint8_t *uuid, const SegmentFile *file)
{
    Segment *segment;
    if (file->id == 0) return;
    Error *error = segment_open(check->io, check->directory, uuid, file, &segment);
    check->where = file->name;
    if (error != NULL && is_replaced(check, error)) return;
    if (error != NULL) return tell_error(check, check->directory, error);
    segment_each_bad(segment, tell_piece, check);
    segment_close(segment);
}

/* ---- files that nobody names ---- */

typedef struct Strays {
    Check *check;
    const FilesView *view;
    const char *folder; /* "": the directory itself */
} Strays;

static bool is_expected(const Strays *strays, const char *name)
{
    static const char *const known[] = {
        "catalog.db", "catalog.db-wal", "catalog.db-shm", "LOCK", "tmp", "graph", "wal"};
    char relative[IO_PATH_BYTES_MAX];
    uint64_t epoch, number;
    char rest;
    for (size_t i = 0; strays->folder[0] == '\0' && i < sizeof known / sizeof *known; i++)
        if (strcmp(name, known[i]) == 0) return true;
    if (strcmp(strays->folder, "wal") == 0)
        return sscanf(name, "wal-%20" SCNu64 "-%20" SCNu64 ".ctx%c", &epoch, &number, &rest) == 3;
    snprintf(relative, sizeof relative, "%s/%s", strays->folder, name);
    if (strcmp(relative, strays->view->catalogued->name) == 0) return true;
    for (size_t i = 0; i < strays->view->logged_count; i++)
        if (strcmp(relative, strays->view->logged[i].name) == 0) return true;
    return false;
}

static void look_at(void *user, const char *name)
{
    const Strays *strays = user;
    if (is_expected(strays, name)) return;
    tell_line(strays->check->to, TELL_FACT, strays->folder[0] == '\0' ? "." : strays->folder, "",
              "%s is not part of the database%s", name,
              strays->folder[0] == '\0' || strcmp(strays->folder, "wal") == 0
                  ? ""
                  : ": the next who opens it for writing removes it");
}

static void check_strays(Check *check, const FilesView *view)
{
    static const char *const folders[] = {"", "graph", "wal", "tmp"};
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        char path[IO_PATH_BYTES_MAX];
        Strays strays = {check, view, folders[i]};
        if (view->has_writer && i > 0) continue; /* it may be making them */
        Error *error = io_join(path, check->directory, folders[i]);
        if (error == NULL && io_kind(check->io, path) == IO_DIRECTORY)
            error = io_list(check->io, path, look_at, &strays);
        tell_error(check, folders[i], error);
    }
}

/* ---- the catalog ---- */

static void tell_catalog(void *user, const char *what)
{
    Check *check = user;
    tell_line(check->to, TELL_FINDING, "catalog.db", restore, "%s", what);
}

static void ignore_complaint(void *user, const char *what)
{
    (void)what;
    ++*(int *)user;
}

/* A reader beside a writer may meet a checkpoint in the middle of it: a complaint counts when it
 * stays. */
static void check_catalog(Check *check, const FilesView *view)
{
    enum { ATTEMPTS_MAX = 100 };
    for (int i = 0; i < ATTEMPTS_MAX && view->has_writer; i++) {
        int complaints = 0;
        Error *error = catalog_verify(check->io, check->directory, ignore_complaint, &complaints);
        bool good = error == NULL && complaints == 0;
        error_drop(error);
        if (good) return;
    }
    tell_error(check, "catalog.db",
               catalog_verify(check->io, check->directory, tell_catalog, check));
}

/* ---- the log ---- */

static void check_log(Check *check, Database *database, const FilesView *view)
{
    DatabaseCounters counters = database_counters(database);
    uint64_t durable = wal_durable(database->wal);
    bool lost = !view->has_writer && view->page.checkpoint == view->checkpoint &&
                view->page.durable_lsn > durable;
    if (lost)
        tell_line(check->to, TELL_FINDING, "wal", restore,
                  "it can be read up to record %" PRIu64 ", but record %" PRIu64
                  " was acknowledged; %" PRIu64 " bytes behind are damaged",
                  durable, view->page.durable_lsn, counters.discarded_bytes);
    else if (counters.discarded_bytes > 0)
        tell_line(check->to, TELL_FACT, "wal", "",
                  "%" PRIu64 " bytes behind the last commit are of one that a crash cut off",
                  counters.discarded_bytes);
}

/* ---- all of it ---- */

static void tell_sound(Check *check, const GraphView *view, uint64_t segments, uint64_t commits)
{
    uint64_t relationships = 0;
    for (uint32_t i = 0; i < graph_name_count(view->graph, NAME_TYPE); i++)
        relationships += graph_relationship_count(view, i);
    tell_line(check->to, TELL_FACT, check->directory, "",
              "sound; nodes: %" PRIu64 ", relationships: %" PRIu64 ", segments: %" PRIu64
              ", commits in the log: %" PRIu64,
              graph_node_count(view), relationships, segments, commits);
}

static Error *check_graph(Check *check, Database *database, uint64_t segments)
{
    Transaction *transaction;
    TRY(transaction_begin(database, &transaction));
    GraphView view = transaction_view(transaction);
    uint64_t before = check->to->findings;
    graph_verify(&view, check->to);
    if (check->to->findings == before) tell_error(check, "graph", transaction_damage(transaction));
    if (check->to->findings == 0)
        tell_sound(check, &view, segments, database_counters(database).replayed);
    transaction_rollback(transaction);
    return NULL;
}

static Error *check_open(Check *check, Database *database)
{
    FilesView view = files_look(database);
    uint64_t segments = view.logged_count + (view.catalogued->id != 0);
    check_catalog(check, &view);
    check_segment(check, view.uuid, view.catalogued);
    for (size_t i = 0; i < view.logged_count; i++)
        check_segment(check, view.uuid, &view.logged[i]);
    check_log(check, database, &view);
    check_strays(check, &view);
    if (check->to->findings == 0) return check_graph(check, database, segments);
    tell_line(check->to, TELL_FACT, check->directory, "",
              "its parts were not held against one another, for some of them are damaged");
    return NULL;
}

/* It does not open: what its parts say one by one. The error says why; parts that are sound say
 * nothing. */
static void check_parts(Check *check)
{
    Arena *arena = arena_create();
    Catalog catalog;
    Error *error = catalog_read(check->io, check->directory, true, arena, &catalog);
    bool readable = error == NULL;
    error_drop(error); /* opening has met it too */
    error_drop(catalog_verify(check->io, check->directory, tell_catalog, check));
    for (size_t i = 0; readable && i < catalog.file_count; i++)
        check_segment(check, catalog.uuid, &catalog.files[i]);
    arena_destroy(arena);
}

Error *database_check(const Io *io, const char *directory, const Clock *clock, Tell *to)
{
    const DatabaseOptions reading = {.read_only = true, .io = io};
    if (io == NULL) io = io_posix();
    Check check = {.io = io, .directory = directory, .to = to, .where = directory};
    Database *database;
    if (io_kind(io, directory) == IO_NOTHING)
        return error_hint(error_new(ERROR_NO_FILE, "there is no database %s", directory),
                          "name a directory that contextql made");
    Error *error = database_open(directory, &reading, clock, &database);
    if (error != NULL) {
        if (error_code(error) == ERROR_CORRUPT) check_parts(&check);
        return error;
    }
    check.database = database;
    error = check_open(&check, database);
    Error *closing = database_close(database);
    if (error != NULL) error_drop(closing); /* the first one is told */
    return error != NULL ? error : closing;
}

Error *database_inspect(const char *path, Tell *to)
{
    return inspect_file(io_posix(), path, graph_section_name, to);
}
