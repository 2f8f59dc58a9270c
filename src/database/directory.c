/*
 * directory.c - a database directory: opening, segments, following another process, leaving.
 *
 *     catalog.db names the segment that holds everything up to where the log begins
 *     wal/       what was done since; a record of it may name a newer segment, which then holds
 *                everything up to that record
 *     graph/     segments; those that neither of the two names are left by a crash, and removed
 *
 * A transaction that changes a large part of the graph (a load) is not written to the log effect by
 * effect: the graph as it leaves it is written as a segment, synced, and one record names it. The
 * record is the commit. The last session to leave makes a segment of what would take long to
 * replay, and lets the catalog name it; so opening reads a schema and maps a file, whatever lies in
 * it.
 */
#include "config.h"

#include "base/meant.h"
#include "database/database_internal.h"
#include "database/finder.h"
#include "vector/device.h"
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum {
    /* Changes of a transaction below which it is logged: a segment costs some file operations. */
    SEGMENT_CHANGES_MIN = 50000,
    /* ... and how many times more the graph may hold before rewriting it costs more than logging.
     */
    SEGMENT_ROWS_PER_CHANGE = 4,
    /* Log that leaving does not turn into a segment: replaying it takes about 2 ms. */
    REPLAY_BYTES_MAX = 256 << 10,
    /* ... and values of new indexes: putting them in takes as long. */
    REPLAY_VALUES_MAX = 10000,
    /* Segments of fewer bytes are written whole: that takes no longer, and needs no other file. */
    REFER_BYTES_MIN = 128 << 10,
    /* A reader that finds the catalog changed under it begins again, so many times. */
    READ_ATTEMPTS_MAX = 100
};

/* ---- graphs ---- */

static void swap_graph(Database *database, Graph *graph)
{
    Held *old = database->held;
    database->held = held_new(graph);
    database->saved_version = 0;
    if (old->users == 0) held_free(database, old); /* else the last to leave frees it */
}

static void raise_segment(Files *files, uint64_t id)
{
    if (id > atomic_load(&files->segment_id)) atomic_store(&files->segment_id, id);
}

uint64_t files_next_segment(Files *files)
{
    return atomic_fetch_add(&files->segment_id, 1) + 1;
}

int64_t files_now(const Database *database)
{
    return database->clock->wall_ns(database->clock->state);
}

/* Those that the segment refers to are held by its pin, too (NULL: there is none). Closes the segment
 * when it fails. */
static Error *pin_others(Segment *segment, IoFile *pin)
{
    Error *error = NULL;
    for (size_t i = 0; i < segment_others(segment) && error == NULL; i++)
        error = lock_pin_too(pin, segment_other(segment, i)->id);
    if (error != NULL) segment_close(segment);
    return error;
}

Error *files_load(const Files *files, const SegmentFile *file, Str schema, bool pinned,
                  Graph **graph, IoFile **pin)
{
    Segment *segment;
    *pin = NULL;
    if (pinned) TRY(lock_pin(files->io, files->directory, file->id, pin));
    Error *error = segment_open(files->io, files->directory, files->uuid, file, &segment);
    if (error == NULL) error = pin_others(segment, *pin);
    if (error == NULL) error = graph_load(segment, schema, graph);
    if (error != NULL) {
        io_close(*pin);
        return error;
    }
    finder_load_all(*graph);
    return NULL;
}

static Error *load_base(Database *database, const SegmentFile *file, Str schema)
{
    Files *files = database->files;
    Graph *graph;
    IoFile *pin;
    TRY(files_load(files, file, schema, database->read_only, &graph, &pin));
    swap_graph(database, graph);
    database->held->pin = pin;
    files->base = *file;
    files->base_log_bytes = 0;
    raise_segment(files, file->id);
    return NULL;
}

static void note_logged(Files *files, const SegmentFile *file)
{
    mem_reserve(files->logged, files->logged_capacity, files->logged_count + 1);
    files->logged[files->logged_count++] = *file;
}

/* ---- replay ---- */

static Error *replay_segment(Database *database, const LoggedSegment *logged)
{
    Files *files = database->files;
    if (!files->opening) /* views are open on the graph: whoever follows the log begins anew */
        return error_new(ERROR_NO_FILE, "the log names a new segment");
    TRY(load_base(database, &logged->file, logged->schema));
    note_logged(files, &logged->file);
    buffer_clear(&files->schema);
    buffer_str(&files->schema, logged->schema);
    files->base_log_bytes = files->replayed_bytes;
    return NULL;
}

static Error *replay_one(void *user, Str payload, const WalCommit *commit)
{
    Database *database = user;
    LoggedSegment logged;
    Tell *tell = database->files->tell;
    if (tell != NULL && tell_ask(tell)) return tell_stopped(tell);
    database->files->replayed_bytes += payload.bytes;
    if (commit->wall_ns > database->commit_ns) database->commit_ns = commit->wall_ns;
    database->visible_ns = database->commit_ns;
    if (database->lost != NULL) return NULL; /* it builds on what is not there */
    if (log_names_segment(payload)) {
        TRY(log_decode_segment(payload, &logged));
        return replay_segment(database, &logged);
    }
    GraphWriter *writer = graph_writer_begin(database->held->graph);
    Error *error = log_replay(writer, payload);
    if (error == NULL)
        graph_writer_publish(writer);
    else
        graph_writer_abort(writer, GRAPH_NO_SLOT);
    if (error != NULL || database->salvage) return error;
    return graph_damage(database->held->graph);
}

static void count_names(Database *database)
{
    for (int kind = 0; kind < NAME_KIND_COUNT; kind++)
        database->names.count[kind] = graph_name_count(database->held->graph, (NameKind)kind);
}

/* ---- another graph in the place of the one in use ---- */

enum { STOP_WAIT_MS = 20 }; /* what who begins a transaction may wait for those under way to end */

bool files_stop(Database *database, uint64_t *lsn)
{
    struct timespec until;
    int waited = 0;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += STOP_WAIT_MS * 1000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_mutex_lock(&database->lock);
    database->moving = true;
    while ((database->flushing || database->held->users > 0) && waited != ETIMEDOUT)
        waited = pthread_cond_timedwait(&database->flushed, &database->lock, &until);
    /* Whoever committed has waited until it was durable, or written. */
    bool stopped = !database->flushing && database->held->users == 0 && !database->failed &&
                   !atomic_load(&database->finder_building);
    *lsn = database->written_lsn;
    if (!stopped) database->moving = false;
    if (!stopped) pthread_cond_broadcast(&database->flushed);
    pthread_mutex_unlock(&database->lock);
    return stopped;
}

Held *files_go_on(Database *database, Graph *graph)
{
    Held *old = NULL;
    pthread_mutex_lock(&database->lock);
    assert(database->moving && database->held->users == 0 && !database->writing);
    if (graph != NULL) {
        old = database->held;
        database->held = held_new(graph);
        database->appended_version = graph_version(graph);
        database->saved_version = 0; /* what it has of a segment is older than any version */
        count_names(database);
    }
    database->moving = false;
    pthread_cond_broadcast(&database->flushed);
    pthread_mutex_unlock(&database->lock);
    return old;
}

/* ---- what is there ---- */

static Error *check_directory(const Io *io, const char *directory, const DatabaseOptions *options)
{
    switch (io_kind(io, directory)) {
    case IO_DIRECTORY: return NULL;
    case IO_FILE:
        return error_hint(
            error_new(ERROR_NOT_A_DATABASE, "%s is a file, not a database directory", directory),
            "name a directory");
    case IO_NOTHING: break;
    }
    if (!options->create || options->read_only)
        return meant_file_hint(error_new(ERROR_NO_FILE, "there is no database %s", directory),
                               directory, "open it for writing to make it");
    return io_make_directory(io, directory);
}

typedef struct Found {
    bool catalog, foreign;
} Found;

static void look_at(void *user, const char *name)
{
    Found *found = user;
    if (strcmp(name, "catalog.db") == 0)
        found->catalog = true;
    else if (strcmp(name, "LOCK") != 0 && strcmp(name, "tmp") != 0)
        found->foreign = true;
}

/* *fresh: nothing but what a crash while it was made may have left. A directory with other things
 * in it is left alone. */
static Error *check_content(const Io *io, const char *directory, bool *fresh)
{
    Found found = {0};
    TRY(io_list(io, directory, look_at, &found));
    *fresh = !found.catalog;
    if (found.catalog || !found.foreign) return NULL;
    return error_hint(error_new(ERROR_NOT_A_DATABASE,
                                "%s is a directory, but not a database, and not empty", directory),
                      "name another directory");
}

/* ---- leftovers ---- */

typedef struct Leftovers {
    Files *files;
    const char *folder;
    Error *error;
} Leftovers;

static bool is_state_named(const CatalogState *state, const char *name)
{
    char metadata[SEGMENT_NAME_BYTES_MAX];
    for (size_t i = 0; i < state->file_count; i++)
        if (strcmp(name, state->files[i].name) == 0) return true;
    snapshot_path(state, metadata);
    return strcmp(name, metadata) == 0;
}

bool files_names(const Files *files, const char *name)
{
    if (strcmp(name, files->base.name) == 0 || strcmp(name, files->catalogued.name) == 0)
        return true;
    for (size_t i = 0; i < files->logged_count; i++)
        if (strcmp(name, files->logged[i].name) == 0) return true;
    for (size_t i = 0; i < files->catalog.file_count; i++)
        if (strcmp(name, files->catalog.files[i].name) == 0) return true;
    for (size_t i = 0; i < files->catalog.state_count; i++)
        if (is_state_named(&files->catalog.states[i], name)) return true;
    return false;
}

/* Somebody in another process reads a segment that is not named any more. */
static bool is_read(const Files *files, const char *relative)
{
    uint64_t id;
    return sscanf(relative, "graph/%20" SCNu64, &id) == 1 && id > 0 &&
           lock_is_pinned(files->lock, id);
}

bool files_may_remove(const char *relative)
{
    static const char *const patterns[] = {"graph/%20[0-9].ctx%1[s]%c", "tmp/%20[0-9].ctx%1[s]%c",
                                           "metadata/snapshot-%20[0-9].jso%1[n]%c"};
    char number[24], last[2], more;
    for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++)
        if (sscanf(relative, patterns[i], number, last, &more) == 2) return true;
    return strncmp(relative, "tmp/catalog.db", 14) == 0 ||
           strncmp(relative, "tmp/spill-", 10) == 0 || strcmp(relative, "tmp/snapshot.json") == 0;
}

static void remove_leftover(void *user, const char *name)
{
    Leftovers *leftovers = user;
    const Files *files = leftovers->files;
    char relative[IO_PATH_BYTES_MAX], path[IO_PATH_BYTES_MAX];
    if (leftovers->error != NULL) return;
    leftovers->error = io_join(relative, leftovers->folder, name);
    if (leftovers->error != NULL || !files_may_remove(relative) || files_names(files, relative) ||
        is_read(files, relative))
        return;
    leftovers->error = io_join(path, files->directory, relative);
    if (leftovers->error == NULL && io_kind(files->io, path) == IO_FILE)
        leftovers->error = io_unlink(files->io, path);
}

/* What a crash left half-made, and files that nobody needs any more. */
Error *files_remove_leftovers(Database *database)
{
    static const char *const folders[] = {"tmp", "graph", "metadata"};
    Files *files = database->files;
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        char path[IO_PATH_BYTES_MAX];
        Leftovers leftovers = {files, folders[i], NULL};
        TRY(io_join(path, files->directory, folders[i]));
        if (io_kind(files->io, path) != IO_DIRECTORY) continue;
        TRY(io_list(files->io, path, remove_leftover, &leftovers));
        TRY(leftovers.error);
    }
    return NULL;
}

/* ---- opening ---- */

/* Is, or was, somebody at work here since the catalog was read? */
static bool is_overtaken(const Files *files)
{
    return lock_has_writer(files->lock) || lock_page(files->lock).checkpoint > files->checkpoint;
}

/* Is it damaged, or not there, and not one that another program reads? */
static bool is_lost(const Error *error)
{
    ErrorCode code = error_code(error);
    return code == ERROR_CORRUPT || code == ERROR_NO_FILE || code == ERROR_IO;
}

/* What is salvaged goes on without: there may be snapshots. */
static Error *load_catalogued(Database *database)
{
    const Files *files = database->files;
    Error *error = load_base(database, &files->catalog.files[0], files->catalog.schema);
    error_drop(database->lost);
    database->lost = NULL;
    if (error == NULL || !database->salvage || !is_lost(error) || is_overtaken(files)) return error;
    database->lost = error;
    swap_graph(database, graph_create());
    return NULL;
}

static Error *read_catalog(Database *database)
{
    Files *files = database->files;
    Arena *arena = arena_create();
    Catalog read, *catalog = &files->catalog;
    Error *error = catalog_read(files->io, files->directory, database->read_only, arena, &read);
    if (error != NULL) {
        arena_destroy(arena);
        return error;
    }
    arena_destroy(files->catalog_arena);
    files->catalog_arena = arena;
    files->catalog = read;
    memcpy(files->uuid, catalog->uuid, sizeof files->uuid);
    files->checkpoint = catalog->checkpoint;
    database->commit_ns = database->visible_ns = catalog->commit_ns;
    database->snapshot_ns = 0;
    for (size_t i = 0; i < catalog->state_count; i++)
        if (catalog->states[i].kind == CATALOG_SNAPSHOT &&
            catalog->states[i].made_ns > database->snapshot_ns)
            database->snapshot_ns = catalog->states[i].made_ns;
    for (size_t i = 0; i < catalog->state_count; i++)
        for (size_t f = 0; f < catalog->states[i].file_count; f++)
            raise_segment(files, catalog->states[i].files[f].id);
    files->base = files->catalogued = (SegmentFile){0};
    files->base_log_bytes = files->replayed_bytes = files->logged_count = 0;
    if (catalog->file_count == 0) {
        swap_graph(database, graph_create());
        return NULL;
    }
    files->catalogued = catalog->files[0];
    return load_catalogued(database);
}

/* The page in LOCK is stored behind the sync it speaks of: a log that ends before it, and not in a
 * torn record, is not the log that was written. */
static Error *check_log_end(const Files *files, const Wal *wal, const WalReport *report)
{
    LockPage page = lock_page(files->lock);
    bool lost = page.checkpoint == files->checkpoint && page.durable_lsn > wal_durable(wal) &&
                report->discarded_bytes == 0;
    if (!lost) return NULL;
    return error_hint(
        error_new(ERROR_CORRUPT,
                  "%s/wal ends at record %" PRIu64 ", but record %" PRIu64
                  " was acknowledged: a file of it is missing or another",
                  files->directory, wal_durable(wal), page.durable_lsn),
        "restore a copy of the directory; if this is a copy made while somebody wrote, remove LOCK "
        "from it");
}

static Error *read_log(Database *database)
{
    Files *files = database->files;
    const Catalog *catalog = &files->catalog;
    WalReport report;
    TRY(wal_open(files->io, files->directory, files->uuid, catalog->start, &database->wal));
    for (size_t i = 0; i < catalog->state_count; i++)
        if (catalog->states[i].kind == CATALOG_HISTORY)
            wal_keep(database->wal, catalog->states[i].start.segment);
    bool beside = database->read_only && lock_has_writer(files->lock);
    LockPage page = lock_page(files->lock);
    if (beside && page.checkpoint != files->checkpoint)
        return error_new(ERROR_NO_FILE, "there is a newer checkpoint");
    Error *error = beside
                       ? wal_follow(database->wal, page.durable_lsn, replay_one, database, &report)
                       : wal_recover(database->wal, replay_one, database, &report);
    if (error == NULL && !beside) error = check_log_end(files, database->wal, &report);
    if (error != NULL && !database->salvage) return error;
    error_drop(database->salvaged);
    database->salvaged = error;
    database->durable_lsn = database->written_lsn = wal_durable(database->wal);
    database->counters.replayed = report.commits;
    database->counters.discarded_bytes = report.discarded_bytes;
    return NULL;
}

/* Is the end of the log known to be on disk? A clean close has said so; who was killed has not. */
static bool is_settled(const Files *files, const Wal *wal)
{
    LockPage page = lock_page(files->lock);
    return page.checkpoint == files->checkpoint && page.durable_lsn >= wal_durable(wal);
}

static Error *read_once(Database *database)
{
    wal_close(database->wal);
    database->wal = NULL;
    TRY(read_catalog(database));
    return read_log(database);
}

/* Whoever is in the middle of a checkpoint may not have a processor just now: who looks again at once
 * would come to an end of all attempts before him. */
void files_wait(int attempt)
{
    enum { WAIT_MS_MAX = 50 }; /* of 100 attempts: under 4 s */
    struct timespec pause = {0, (attempt < WAIT_MS_MAX ? attempt : WAIT_MS_MAX) * 1000000L};
    nanosleep(&pause, NULL);
}

/* A writer may take a checkpoint while this process reads the one before: then it begins again. Where
 * nobody writes and the catalog stays as it is, nobody has: what LOCK says of a later checkpoint is
 * wrong. */
static Error *read_directory(Database *database)
{
    const Files *files = database->files;
    Error *error = read_once(database);
    for (int i = 0; i < READ_ATTEMPTS_MAX && database->read_only && error != NULL &&
                    error_code(error) != ERROR_CANCELLED && is_overtaken(files);
         i++) {
        uint64_t checkpoint = files->checkpoint;
        bool written = lock_has_writer(files->lock);
        if (written) files_wait(i);
        Error *again = read_once(database);
        error_drop(error);
        error = again;
        if (!written && files->checkpoint == checkpoint) break;
    }
    return error;
}

Error *files_open(Database *database, const char *directory, const DatabaseOptions *options)
{
    Files *files = database->files = mem_calloc(1, sizeof *files);
    bool fresh;
    pthread_mutex_init(&files->maintenance, NULL);
    pthread_mutex_init(&files->past_lock, NULL);
    files->checkpoint_bytes = options->checkpoint_bytes;
    files->io = options->io == NULL ? io_posix() : options->io;
    TRY(check_directory(files->io, directory, options));
    TRY(check_content(files->io, directory, &fresh));
    TRY(io_join(files->directory, directory, ""));
    files->directory[strlen(files->directory) - 1] = '\0';
    TRY(options->read_only ? lock_watch(files->io, directory, &files->lock)
                           : lock_acquire(files->io, directory, &files->lock));
    if (fresh && !options->read_only) {
        TRY(io_sync_parent(files->io, directory)); /* before: with a catalog it is not fresh */
        TRY(catalog_create(files->io, directory, files_now(database)));
    }
    files->opening = true;
    files->tell = options->tell;
    TRY(read_directory(database));
    files->tell = NULL;
    files->opening = false;
    count_names(database);
    if (options->read_only) return NULL;
    if (!is_settled(files, database->wal)) TRY(wal_settle(database->wal));
    files_publish(database);
    return files_remove_leftovers(database);
}

void files_publish(const Database *database)
{
    lock_publish(database->files->lock, (LockPage){.epoch = wal_epoch(database->wal),
                                                   .durable_lsn = database->durable_lsn,
                                                   .checkpoint = database->files->checkpoint});
}

Error *files_refresh(Database *database)
{
    Files *files = database->files;
    LockPage page = lock_page(files->lock);
    WalReport report;
    if (page.durable_lsn <= database->durable_lsn) return NULL;
    Error *error = wal_follow(database->wal, page.durable_lsn, replay_one, database, &report);
    if (error == NULL) {
        database->durable_lsn = database->written_lsn = wal_durable(database->wal);
        return NULL;
    }
    error_drop(error); /* the log it reads is no more, or names a segment: all of it anew */
    files->opening = true;
    error = read_directory(database);
    files->opening = false;
    return error;
}

FilesView files_look(const Database *database)
{
    const Files *files = database->files;
    return (FilesView){.io = files->io,
                       .directory = files->directory,
                       .uuid = files->uuid,
                       .catalogued = &files->catalogued,
                       .logged = files->logged,
                       .logged_count = files->logged_count,
                       .catalog = &files->catalog,
                       .checkpoint = files->checkpoint,
                       .page = lock_page(files->lock),
                       .has_writer = lock_has_writer(files->lock)};
}

/* ---- segments ---- */

bool files_wants_segment(const Database *database, const GraphWriter *writer)
{
    GraphView view = graph_writer_view(writer);
    uint64_t changes = graph_change_weight(writer, 0), rows = graph_node_count(&view);
    (void)database;
    for (uint32_t i = 0; i < graph_name_count(view.graph, NAME_TYPE); i++)
        rows += graph_relationship_count(&view, i);
    return changes >= SEGMENT_CHANGES_MIN && rows <= changes * SEGMENT_ROWS_PER_CHANGE;
}

static Error *begin_segment(Files *files)
{
    TRY(segment_create(files->io, files->directory, "graph", files->uuid, GRAPH_SEGMENT_KIND,
                       files_next_segment(files), &files->segment));
    files->save = graph_save_new(files->segment);
    return NULL;
}

void files_abandon_segment(Database *database)
{
    Files *files = database->files;
    if (files == NULL) return;
    graph_save_free(files->save);
    segment_abandon(files->segment);
    files->save = NULL;
    files->segment = NULL;
}

void files_write_ahead(Database *database, const GraphWriter *writer)
{
    Files *files = database->files;
    if (!files_wants_segment(database, writer)) return;
    Error *error = files->segment == NULL ? begin_segment(files) : NULL;
    if (error == NULL) graph_save_ahead(files->save, writer);
    error_drop(error); /* met again, and told, when the transaction commits */
}

void segment_files_set(SegmentFiles *out, const SegmentFile *files, size_t count)
{
    mem_free(out->files);
    out->files = mem_alloc((count + 1) * sizeof *out->files);
    if (count > 0) memcpy(out->files, files, count * sizeof *files);
    out->count = count;
}

bool files_may_refer(const Files *files, const Graph *graph)
{
    const Segment *base = graph_segment(graph);
    if (base == NULL || !files_names(files, segment_file(base)->name)) return false;
    for (size_t i = 0; i < segment_others(base); i++)
        if (!files_names(files, segment_other(base, i)->name)) return false;
    return true;
}

/* *fits false: with `refer`, it is better not referred to; nothing was made. */
static Error *save_once(Files *files, const GraphView *view, bool refer, bool *fits,
                        SegmentFiles *out, Buffer *schema)
{
    const SegmentFile *others;
    SegmentWriter *segment;
    TRY(segment_create(files->io, files->directory, "graph", files->uuid, GRAPH_SEGMENT_KIND,
                       files_next_segment(files), &segment));
    segment_heed(segment, files->stop, files->stop_state);
    GraphSave *save = graph_save_new(segment);
    Error *error = refer ? graph_save_onto(save, view, schema) : graph_save_all(save, view, schema);
    if (error == NULL) error = finder_save_all(save, view);
    *fits = error != NULL || graph_save_fits(save);
    graph_save_free(save);
    if (error != NULL || !*fits) {
        segment_abandon(segment);
        return error;
    }
    size_t count = segment_referred(segment, &others);
    mem_free(out->files);
    out->files = mem_calloc(count + 1, sizeof *out->files);
    out->count = count + 1;
    if (count > 0) memcpy(out->files + 1, others, count * sizeof *others);
    return segment_finish(segment, &out->files[0]);
}

/* Is what the graph lies on so large that referring to it pays? */
static bool is_large(const Segment *base)
{
    uint64_t bytes = base == NULL ? 0 : segment_file(base)->bytes;
    for (size_t i = 0; base != NULL && i < segment_others(base); i++)
        bytes += segment_other(base, i)->bytes;
    return bytes >= REFER_BYTES_MIN;
}

Error *files_save(Files *files, const GraphView *view, bool refer, SegmentFiles *out,
                  Buffer *schema)
{
    bool fits;
    size_t before = schema->bytes;
    refer = refer && is_large(graph_segment(view->graph));
    TRY(save_once(files, view, refer, &fits, out, schema));
    if (fits) return NULL;
    schema->bytes = before;
    return save_once(files, view, false, &fits, out, schema);
}

static Error *write_segment(Database *database, const GraphWriter *writer, const GraphView *view,
                            SegmentFile *out, Buffer *schema)
{
    Files *files = database->files;
    if (files->segment == NULL) TRY(begin_segment(files));
    graph_save_wait(files->save); /* a thread may have begun it */
    segment_heed(files->segment, graph_writer_is_stopped, (void *)(uintptr_t)writer);
    Error *error = graph_save_all(files->save, view, schema);
    if (error == NULL) error = finder_save_all(files->save, view);
    if (error == NULL) {
        error = segment_finish(files->segment, out);
        files->segment = NULL;
    }
    files_abandon_segment(database);
    return error;
}

Error *files_write_segment(Database *database, const GraphWriter *writer, Buffer *payload)
{
    Files *files = database->files;
    GraphView view = graph_writer_view(writer);
    buffer_clear(&files->written_schema);
    TRY(write_segment(database, writer, &view, &files->written, &files->written_schema));
    log_encode_segment(&(LoggedSegment){files->written, buffer_view(&files->written_schema)},
                       payload);
    return NULL;
}

void files_segment_logged(Database *database)
{
    Files *files = database->files;
    Buffer schema = files->schema;
    files->base = files->written;
    files->schema = files->written_schema;
    files->written_schema = schema;
    note_logged(files, &files->written);
    files->base_log_bytes = wal_bytes(database->wal);
    count_names(database);
}

/* ---- leaving ---- */

static Error *flush_mark(Database *database)
{
    TRY(wal_append_mark(database->wal));
    wal_begin_flush(database->wal);
    TRY(wal_flush(database->wal, true));
    wal_end_flush(database->wal);
    database->durable_lsn = database->written_lsn = wal_durable(database->wal);
    files_publish(database);
    return NULL;
}

/* What others read when nobody needed it any more: perhaps they do not now. */
static Error *remove_freed(Database *database)
{
    return database->files->freed_count == 0 ? NULL : files_remove_leftovers(database);
}

/* Are there indexes of many values that no segment holds? Opening would put all of them in again. */
static bool indexes_unsaved(const Database *database)
{
    const Graph *graph = database->held->graph;
    GraphView view = {database->held->graph, graph_version(graph)};
    uint64_t values = 0;
    for (uint32_t i = 0; i < graph_index_count(graph); i++) {
        const GraphIndex *index = graph_index_at(&view, i);
        if (index != NULL && index->since > database->saved_version && !index->vector &&
            index->constraint != GRAPH_REQUIRED)
            values += graph_label_count(&view, index->label);
    }
    return values > REPLAY_VALUES_MAX;
}

Error *files_leave(Database *database)
{
    Files *files = database->files;
    checkpoint_wait(database);
    Graph *graph = database->held->graph;
    pasts_drop_idle(database, true); /* nobody is there: their segments may go */
    if (database->read_only || database->failed) return NULL;
    bool unsaved = finder_unsaved(database) || indexes_unsaved(database);
    if (wal_bytes(database->wal) == 0 && !unsaved) return remove_freed(database);
    uint64_t tail = wal_bytes(database->wal) - files->base_log_bytes;
    bool named = strcmp(files->base.name, files->catalogued.name) == 0;
    uint64_t allowed =
        files->base.bytes / 8 > REPLAY_BYTES_MAX ? files->base.bytes / 8 : REPLAY_BYTES_MAX;
    if (database->counters.commits > 0) TRY(flush_mark(database));
    if (tail == 0 && !named && !unsaved)
        return checkpoint_last(database, NULL, &files->base, buffer_view(&files->schema));
    if (tail <= allowed && !unsaved) return remove_freed(database);
    return checkpoint_last(database, graph, NULL, STR(""));
}

void files_free(Database *database)
{
    Files *files = database->files;
    if (files == NULL) return;
    pasts_drop_idle(database, true);
    wal_close(database->wal);
    lock_close(files->lock);
    buffer_free(&files->schema);
    buffer_free(&files->written_schema);
    arena_destroy(files->catalog_arena);
    mem_free(files->logged);
    mem_free(files->freed);
    pthread_mutex_destroy(&files->maintenance);
    pthread_mutex_destroy(&files->past_lock);
    mem_free(files);
}
