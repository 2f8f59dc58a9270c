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

#include "base/meant.h"
#include "database/database_internal.h"
#include "database/finder.h"
#include "storage/inspect.h"
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

static const char restore[] = "restore a copy of the directory; nothing was changed";

typedef struct Check {
    const Io *io;
    const char *directory;
    Tell *to;
    const char *where;                       /* the file at hand */
    const Database *database;                /* NULL: it does not open */
    char (*checked)[SEGMENT_NAME_BYTES_MAX]; /* names of segments */
    size_t checked_count, checked_capacity;
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

/* States share segments: each is read once. */
static bool is_checked(Check *check, const char *name)
{
    for (size_t i = 0; i < check->checked_count; i++)
        if (strcmp(check->checked[i], name) == 0) return true;
    mem_reserve(check->checked, check->checked_capacity, check->checked_count + 1);
    strcpy(check->checked[check->checked_count++], name);
    return false;
}

/* A mapping of its own: in the one of the open graph, pages were written to by the replay. */
static void check_segment(Check *check, const uint8_t *uuid, const SegmentFile *file)
{
    Segment *segment;
    if (file->id == 0 || is_checked(check, file->name)) return;
    Error *error = segment_open_alone(check->io, check->directory, uuid, file, &segment);
    check->where = file->name;
    if (error != NULL && is_replaced(check, error)) return;
    if (error != NULL) return tell_error(check, check->directory, error);
    segment_each_bad(segment, check->to, tell_piece, check);
    segment_close(segment);
}

static void check_segments(Check *check, const uint8_t *uuid, const SegmentFile *files,
                           size_t count)
{
    for (size_t i = 0; i < count && !check->to->stopped; i++) {
        TellPart outer =
            tell_enter(check->to, (double)i / (double)count, (double)(i + 1) / (double)count);
        check_segment(check, uuid, &files[i]);
        tell_leave(check->to, outer);
    }
}

/* ---- files that nobody names ---- */

typedef struct Strays {
    Check *check;
    const char *folder; /* "": the directory itself */
} Strays;

static bool is_expected(const Strays *strays, const char *name)
{
    static const char *const known[] = {
        "catalog.db", "catalog.db-wal", "catalog.db-shm", "LOCK", "tmp", "graph",
        "wal",        "metadata"};
    char relative[IO_PATH_BYTES_MAX];
    uint64_t epoch, number;
    char rest;
    for (size_t i = 0; strays->folder[0] == '\0' && i < sizeof known / sizeof *known; i++)
        if (strcmp(name, known[i]) == 0) return true;
    if (strcmp(strays->folder, "wal") == 0)
        return sscanf(name, "wal-%20" SCNu64 "-%20" SCNu64 ".ctx%c", &epoch, &number, &rest) == 3;
    snprintf(relative, sizeof relative, "%s/%s", strays->folder, name);
    return files_names(strays->check->database->files, relative);
}

static void look_at(void *user, const char *name)
{
    const Strays *strays = user;
    char relative[IO_PATH_BYTES_MAX];
    if (is_expected(strays, name)) return;
    snprintf(relative, sizeof relative, "%s/%s", strays->folder, name);
    tell_line(strays->check->to, TELL_FACT, strays->folder[0] == '\0' ? "." : strays->folder, "",
              "%s is not part of the database%s", name,
              files_may_remove(relative) ? ": the next who opens it for writing removes it" : "");
}

static void check_strays(Check *check, const FilesView *view)
{
    static const char *const folders[] = {"", "graph", "metadata", "wal", "tmp"};
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        char path[IO_PATH_BYTES_MAX];
        Strays strays = {check, folders[i]};
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

/* ---- states that are kept ---- */

static Error *read_text(const Io *io, const char *path, size_t bytes_max, Buffer *out)
{
    IoFile *file;
    size_t got = 0;
    TRY(io_open(io, path, IO_READ, &file));
    Error *error = io_read(file, 0, buffer_reserve(out, bytes_max), bytes_max, &got);
    out->bytes += got;
    io_close(file);
    return error;
}

/* What is written for people must be what the catalog says. */
static void check_metadata(Check *check, const Catalog *catalog, const CatalogState *state)
{
    char path[IO_PATH_BYTES_MAX], name[SEGMENT_NAME_BYTES_MAX];
    Buffer wanted = {0}, there = {0};
    snapshot_path(state, name);
    snapshot_describe(catalog, state, &wanted);
    Error *error = io_join(path, check->directory, name);
    if (error == NULL) error = read_text(check->io, path, wanted.bytes + 1, &there);
    check->where = name;
    bool same = error == NULL && str_equal(buffer_view(&wanted), buffer_view(&there));
    if (error == NULL && !same)
        tell_line(check->to, TELL_FINDING, name, "it is written anew by a backup",
                  "does not say what the catalog says of snapshot %" PRIu64, state->id);
    if (error != NULL && !is_replaced(check, error)) tell_error(check, name, error);
    buffer_free(&wanted);
    buffer_free(&there);
}

static Error *ask_only(void *user, Str payload, const WalCommit *commit)
{
    (void)payload, (void)commit;
    return tell_ask(user) ? tell_stopped(user) : NULL;
}

/* The log from a checkpoint that is kept to the next one: whole, and good. */
static void check_history(Check *check, const Catalog *catalog, size_t i)
{
    uint64_t until = catalog->start.lsn;
    Wal *wal;
    WalReport report;
    for (size_t j = catalog->state_count; j-- > i + 1;)
        if (catalog->states[j].kind == CATALOG_HISTORY) until = catalog->states[j].start.lsn;
    Error *error =
        wal_open(check->io, check->directory, catalog->uuid, catalog->states[i].start, &wal);
    if (error == NULL) {
        error = wal_follow(wal, until - 1, ask_only, check->to, &report);
        wal_close(wal);
    }
    check->where = "wal";
    if (error != NULL && is_replaced(check, error)) return;
    tell_error(check, "wal", error);
}

/* A snapshot that is not the present checkpoint is held against itself, too. */
static void check_snapshot_graph(Check *check, const CatalogState *state)
{
    const Files *files = check->database->files;
    Origin origin = {.schema = state->schema, .start = state->start};
    Graph *graph;
    IoFile *pin;
    if (state->file_count > 0) origin.file = state->files[0];
    if (strcmp(origin.file.name, files->catalogued.name) == 0) return;
    uint64_t before = check->to->findings;
    Error *error = past_rebuild(files, &origin, state->start.lsn - 1, &graph, &pin);
    if (error != NULL) {
        check->where = origin.file.name;
        if (!is_replaced(check, error)) tell_error(check, origin.file.name, error);
        return;
    }
    GraphView view = {graph, graph_version(graph)};
    graph_verify(&view, check->to);
    finder_verify_all(&view, check->to);
    if (check->to->findings == before) tell_error(check, origin.file.name, graph_damage(graph));
    graph_destroy(graph);
    io_close(pin);
}

static void check_states(Check *check, const Catalog *catalog)
{
    double count = (double)catalog->state_count;
    for (size_t i = 0; i < catalog->state_count && !check->to->stopped; i++) {
        const CatalogState *state = &catalog->states[i];
        uint64_t before = check->to->findings;
        TellPart outer = tell_enter(check->to, (double)i / count, (double)(i + 1) / count);
        check_segments(check, catalog->uuid, state->files, state->file_count);
        if (state->kind == CATALOG_HISTORY) {
            check_history(check, catalog, i);
        } else {
            check_metadata(check, catalog, state);
            if (check->to->findings == before) check_snapshot_graph(check, state);
        }
        tell_leave(check->to, outer);
    }
}

/* ---- all of it ---- */

static void tell_states(Check *check, const Catalog *catalog)
{
    size_t snapshots = 0;
    for (size_t i = 0; i < catalog->state_count; i++)
        snapshots += catalog->states[i].kind == CATALOG_SNAPSHOT;
    if (catalog->state_count > 0)
        tell_line(check->to, TELL_FACT, check->directory, "",
                  "snapshots: %zu, earlier checkpoints with their logs: %zu", snapshots,
                  catalog->state_count - snapshots);
}

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
    finder_verify_all(&view, check->to);
    if (check->to->findings == before) tell_error(check, "graph", transaction_damage(transaction));
    if (check->to->findings == 0)
        tell_sound(check, &view, segments, database_counters(database).replayed);
    if (check->to->findings == 0) tell_states(check, &database->files->catalog);
    transaction_rollback(transaction);
    return NULL;
}

static Error *check_open(Check *check, Database *database)
{
    FilesView view = files_look(database);
    uint64_t segments = view.logged_count + view.catalog->file_count;
    check_catalog(check, &view);
    /* Checksums go some times as fast as all else, and each snapshot is a graph of its own. */
    double files = 0.2, graphs = 1 - files,
           states = files + graphs * (1 - 1 / (double)(view.catalog->state_count + 1));
    TellPart whole = tell_enter(check->to, 0, files);
    check_segments(check, view.uuid, view.catalog->files, view.catalog->file_count);
    check_segments(check, view.uuid, view.logged, view.logged_count);
    check_log(check, database, &view);
    tell_leave(check->to, whole);
    tell_enter(check->to, files, states);
    check_states(check, view.catalog);
    check_strays(check, &view);
    tell_leave(check->to, whole);
    tell_enter(check->to, states, 1);
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
    if (readable) check_segments(check, catalog.uuid, catalog.files, catalog.file_count);
    for (size_t i = 0; readable && i < catalog.state_count; i++)
        check_segments(check, catalog.uuid, catalog.states[i].files, catalog.states[i].file_count);
    arena_destroy(arena);
}

Error *database_check(const Io *io, const char *directory, const Clock *clock, Tell *to)
{
    const DatabaseOptions reading = {.read_only = true, .io = io, .tell = to};
    if (io == NULL) io = io_posix();
    Check check = {.io = io, .directory = directory, .to = to, .where = directory};
    Database *database;
    if (io_kind(io, directory) == IO_NOTHING)
        return meant_file_hint(error_new(ERROR_NO_FILE, "there is no database %s", directory),
                               directory, "name a directory that contextql made");
    Error *error = database_open(directory, &reading, clock, &database);
    if (error != NULL) {
        if (error_code(error) == ERROR_CORRUPT) check_parts(&check);
        mem_free(check.checked);
        return error;
    }
    check.database = database;
    error = check_open(&check, database);
    if (error == NULL) error = tell_stopped(to);
    Error *closing = database_close(database);
    mem_free(check.checked);
    if (error != NULL) error_drop(closing); /* the first one is told */
    return error != NULL ? error : closing;
}

Error *database_inspect(const char *path, Tell *to)
{
    return inspect_file(io_posix(), path, graph_section_name, to);
}
