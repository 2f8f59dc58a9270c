/*
 * checkpoint.c - what the log holds becomes a segment, while readers and the writer go on; and
 * states that stay when the next checkpoint comes: snapshots, and history.
 *
 * A checkpoint has four steps. The writer token is held for the first alone:
 *
 *     begin     everything appended is made durable, and the log goes on in a new file (wal_rotate)
 *     build     the segment of the last checkpoint, with the log up to that place done again on
 *               top, in memory of its own, and written as a new segment, which refers to the ones
 *               before for what has not changed. The graph in use is not looked at, so nobody who
 *               uses it is held up; the price is doing the log again.
 *     compose   the catalog as it shall be: the checkpoint, the states that stay, less what
 *               retention gives up; metadata/ for a new snapshot
 *     commit    the catalog is written (the commit point); then the log before the place goes, and
 *               the files that nothing names any more, at last
 *
 * A snapshot is a checkpoint that stays. If nothing was committed since the last checkpoint, or if
 * the last commit is a segment already (a load), nothing is built: its file is named once more.
 *
 * History is the log that lies behind earlier checkpoints (past.c goes back along it): a checkpoint
 * that is left stays as a state of that kind, with the log's files behind it, as long as it is
 * needed for some time that history_keep covers. The states of that kind and the checkpoint follow
 * one another without a gap.
 *
 * Then the graph in use is laid on the new segment, with the log behind it done again on top (past_move),
 * so that what the log brought before takes no memory any more: when no transaction is under way for a
 * moment, else after another checkpoint.
 *
 * A failure before the commit changes nothing; the new segment is a leftover then. It is not
 * removed at once: a commit that failed may still be on the disk.
 */
#include "config.h"

#include "base/json.h"
#include "base/meant.h"
#include "database/database_internal.h"
#include "database/finder.h"
#include "value/temporal.h"
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    /* Log that brings about a checkpoint beside everything, and the part of the graph's segment: a
     * larger graph takes longer to write. Doing so much log again takes about a second. */
    CHECKPOINT_LOG_BYTES_MIN = 64 << 20,
    CHECKPOINT_GRAPH_PART = 4
};

typedef struct Checkpoint {
    WalStart start;      /* of the log behind it */
    int64_t commit_ns;   /* of the last commit before that place */
    int64_t made_ns;     /* ... and when it was the place; later commits are after it */
    SegmentFile *logged; /* what the log before it names */
    size_t logged_count;
    SegmentFiles made; /* none: an empty graph */
    Buffer schema;
    bool known; /* the file is there already */
    bool moved; /* it is not the catalog's own */
    bool snapshot;
    FinderCopy *finders; /* of the graph in use, at the place */
    uint64_t finders_made;
    uint64_t version; /* of the graph in use, at the place */
} Checkpoint;

static void checkpoint_free(Checkpoint *checkpoint)
{
    finder_copies_free(checkpoint->finders);
    mem_free(checkpoint->logged);
    mem_free(checkpoint->made.files);
    buffer_free(&checkpoint->schema);
}

/* ---- begin ---- */

static Error *rotate(Database *database, WalStart *out)
{
    pthread_mutex_lock(&database->lock);
    while (database->flushing)
        pthread_cond_wait(&database->flushed, &database->lock);
    database->flushing = true;
    pthread_mutex_unlock(&database->lock);
    Error *error = wal_rotate(database->wal, out);
    pthread_mutex_lock(&database->lock);
    database->flushing = false;
    pthread_cond_broadcast(&database->flushed);
    pthread_mutex_unlock(&database->lock);
    return error;
}

/* What is known of the place; nobody commits meanwhile. */
static void note_place(Database *database, Checkpoint *out)
{
    Files *files = database->files;
    pthread_mutex_lock(&database->lock);
    out->commit_ns = database->commit_ns;
    out->made_ns = files_now(database);
    if (out->made_ns < out->commit_ns) out->made_ns = out->commit_ns; /* the clock was set back */
    if (out->snapshot && out->made_ns > database->snapshot_ns) database->snapshot_ns = out->made_ns;
    out->moved = out->start.lsn != files->catalog.start.lsn;
    out->logged_count = files->logged_count;
    out->logged = mem_alloc((files->logged_count + 1) * sizeof *out->logged);
    if (files->logged_count > 0)
        memcpy(out->logged, files->logged, files->logged_count * sizeof *out->logged);
    bool whole =
        out->moved && files->logged_count > 0 && wal_bytes(database->wal) == files->base_log_bytes;
    if (!out->moved) {
        segment_files_set(&out->made, files->catalog.files, files->catalog.file_count);
        buffer_str(&out->schema, files->catalog.schema);
    } else if (whole) {
        segment_files_set(&out->made, &files->base, 1);
        buffer_str(&out->schema, buffer_view(&files->schema));
    }
    out->known = whole || !out->moved;
    pthread_mutex_unlock(&database->lock);
}

static Error *begin(Database *database, Checkpoint *out)
{
    TRY(token_take(database, true, NULL, NULL));
    Error *error = flush_appended(database);
    if (error == NULL) error = rotate(database, &out->start);
    if (error == NULL) {
        note_place(database, out);
        out->finders_made = atomic_load(&database->finders_made);
        out->version = graph_pending(database->held->graph);
        out->finders = finder_copy_all(database->held->graph);
    }
    token_give(database);
    return error;
}

/* ---- build ---- */

static Error *build(Database *database, Checkpoint *out)
{
    Files *files = database->files;
    Graph *graph;
    Origin origin = origin_of_catalog(&files->catalog);
    if (out->known) return NULL;
    TRY(past_rebuild(files, &origin, out->start.lsn - 1, &graph, NULL));
    GraphView view = {graph, graph_pending(graph)};
    finder_paste_all(out->finders, graph);
    Error *error = files_save(files, &view, true, &out->made, &out->schema);
    graph_destroy(graph);
    return error;
}

/* ---- compose ---- */

static SegmentFile *copy_files(Arena *arena, const SegmentFile *files, size_t count)
{
    SegmentFile *copy = arena_array(arena, SegmentFile, count + 1);
    if (count > 0) memcpy(copy, files, count * sizeof *copy);
    return copy;
}

static void push_state(Arena *arena, Catalog *catalog, const CatalogState *state)
{
    CatalogState *copy = &catalog->states[catalog->state_count++];
    *copy = *state;
    copy->name = str_copy(arena, state->name);
    copy->schema = str_copy(arena, state->schema);
    copy->files = copy_files(arena, state->files, state->file_count);
}

static void drop_states(Catalog *catalog, bool (*gone)(const Catalog *, size_t i, int64_t now_ns),
                        int64_t now_ns)
{
    size_t kept = 0;
    bool *drop = mem_calloc(catalog->state_count + 1, sizeof *drop);
    for (size_t i = 0; i < catalog->state_count; i++)
        drop[i] = gone(catalog, i, now_ns);
    for (size_t i = 0; i < catalog->state_count; i++)
        if (!drop[i]) catalog->states[kept++] = catalog->states[i];
    catalog->state_count = kept;
    mem_free(drop);
}

/* No time that history_keep covers lies between this checkpoint and the next. */
static bool is_forgotten(const Catalog *catalog, size_t i, int64_t now_ns)
{
    if (catalog->states[i].kind != CATALOG_HISTORY) return false;
    int64_t next_ns = catalog->commit_ns;
    for (size_t j = catalog->state_count; j-- > i + 1;)
        if (catalog->states[j].kind == CATALOG_HISTORY) next_ns = catalog->states[j].commit_ns;
    return catalog->history_keep_ns == 0 || next_ns <= now_ns - catalog->history_keep_ns;
}

static bool is_history(const Catalog *catalog, size_t i, int64_t now_ns)
{
    (void)now_ns;
    return catalog->states[i].kind == CATALOG_HISTORY;
}

static bool is_expired(const Catalog *catalog, size_t i, int64_t now_ns)
{
    const CatalogState *state = &catalog->states[i];
    uint64_t newer = 0;
    if (state->kind != CATALOG_SNAPSHOT || state->name.bytes > 0) return false;
    for (size_t j = i + 1; j < catalog->state_count; j++)
        newer += catalog->states[j].kind == CATALOG_SNAPSHOT && catalog->states[j].name.bytes == 0;
    if (catalog->keep > 0 && newer >= catalog->keep) return true;
    return catalog->keep_for_ns > 0 && state->made_ns < now_ns - catalog->keep_for_ns;
}

static void apply_retention(Catalog *catalog, int64_t now_ns)
{
    drop_states(catalog, is_expired, now_ns);
    drop_states(catalog, is_forgotten, now_ns);
}

/* The catalog's checkpoint, which is left, with the files that the log behind it names. */
static void push_left(Arena *arena, const Catalog *old, const Checkpoint *made, int64_t now_ns,
                      Catalog *next)
{
    bool room = made->logged_count + old->file_count < CATALOG_FILES_MAX &&
                next->state_count + 2 <= CATALOG_STATES_MAX;
    if (!room) { /* history begins anew */
        drop_states(next, is_history, now_ns);
        return;
    }
    size_t own = old->file_count > 0 ? old->file_count : 1; /* an empty graph's is none */
    SegmentFile *files = arena_calloc(arena, made->logged_count + own, sizeof *files);
    if (old->file_count > 0) memcpy(files, old->files, own * sizeof *files);
    if (made->logged_count > 0)
        memcpy(files + own, made->logged, made->logged_count * sizeof *files);
    push_state(arena, next,
               &(CatalogState){.id = next->checkpoint,
                               .kind = CATALOG_HISTORY,
                               .made_ns = now_ns,
                               .commit_ns = old->commit_ns,
                               .start = old->start,
                               .schema = old->schema,
                               .files = files,
                               .file_count = made->logged_count + own});
}

/* Everything but the checkpoint itself, as it is now; room for two states more. */
static Catalog copy_catalog(Arena *arena, const Catalog *old)
{
    Catalog next = *old;
    next.checkpoint++;
    next.schema = str_copy(arena, old->schema);
    next.files = copy_files(arena, old->files, old->file_count);
    next.states = arena_array(arena, CatalogState, old->state_count + 2);
    next.state_count = 0;
    for (size_t i = 0; i < old->state_count; i++)
        push_state(arena, &next, &old->states[i]);
    return next;
}

static Catalog compose(Arena *arena, const Catalog *old, const Checkpoint *made, int64_t now_ns)
{
    Catalog next = copy_catalog(arena, old);
    if (made->moved && old->history_keep_ns > 0) push_left(arena, old, made, now_ns, &next);
    next.start = made->start;
    next.schema = str_copy(arena, buffer_view(&made->schema));
    next.files = copy_files(arena, made->made.files, made->made.count);
    next.file_count = made->made.count;
    next.commit_ns = made->moved ? made->commit_ns : old->commit_ns;
    return next;
}

/* ---- commit ---- */

typedef struct Names { /* of files that were needed */
    SegmentFile *files;
    size_t count, capacity;
} Names;

static void note_file(Names *names, const SegmentFile *file)
{
    if (file->name[0] == '\0') return;
    for (size_t i = 0; i < names->count; i++)
        if (strcmp(names->files[i].name, file->name) == 0) return;
    mem_reserve(names->files, names->capacity, names->count + 1);
    names->files[names->count++] = *file;
}

static void note_catalog(Names *names, const Catalog *catalog)
{
    for (size_t i = 0; i < catalog->file_count; i++)
        note_file(names, &catalog->files[i]);
    for (size_t i = 0; i < catalog->state_count; i++) {
        SegmentFile metadata = {.id = 0};
        for (size_t f = 0; f < catalog->states[i].file_count; f++)
            note_file(names, &catalog->states[i].files[f]);
        snapshot_path(&catalog->states[i], metadata.name);
        note_file(names, &metadata);
    }
}

/* Those that somebody reads in another process, or of the past in this one, are left for later. */
static Error *remove_freed(Database *database)
{
    Files *files = database->files;
    Error *error = NULL;
    size_t left = 0;
    for (size_t i = 0; i < files->freed_count; i++) {
        char path[IO_PATH_BYTES_MAX];
        const SegmentFile file = files->freed[i];
        if (error != NULL || (file.id != 0 && lock_is_pinned(files->lock, file.id))) {
            files->freed[left++] = file;
            continue;
        }
        error = io_join(path, files->directory, file.name);
        if (error == NULL) error = io_unlink(files->io, path);
    }
    files->freed_count = left;
    return error;
}

/* With the lock: the catalog is `next` now, and the log is followed from where it says. */
static void go_on_from(Database *database, Arena *arena, const Catalog *next,
                       const Checkpoint *made)
{
    Files *files = database->files;
    uint64_t kept = next->start.segment;
    for (size_t i = 0; i < next->state_count; i++)
        if (next->states[i].kind == CATALOG_HISTORY && next->states[i].start.segment < kept)
            kept = next->states[i].start.segment;
    arena_destroy(files->catalog_arena);
    files->catalog_arena = arena;
    files->catalog = *next;
    files->checkpoint = next->checkpoint;
    files->catalogued = next->file_count > 0 ? next->files[0] : (SegmentFile){0};
    if (made != NULL && made->moved && next->file_count > 1) database->counters.referring++;
    uint64_t before = wal_bytes(database->wal);
    wal_restart(database->wal, next->start, kept);
    uint64_t gone = before - wal_bytes(database->wal);
    if (made != NULL && made->version > database->saved_version)
        database->saved_version = made->version;
    if (made != NULL && made->moved) {
        files->logged_count -= made->logged_count;
        if (files->logged_count > 0)
            memmove(files->logged, files->logged + made->logged_count,
                    files->logged_count * sizeof *files->logged);
        bool newer = files->logged_count > 0; /* a load was committed meanwhile */
        if (!newer) files->base = files->catalogued;
        files->base_log_bytes = newer ? files->base_log_bytes - gone : 0;
    }
    files_publish(database);
}

/* `arena` holds `next`, and is taken. */
static Error *commit(Database *database, Arena *arena, const Catalog *next, const Checkpoint *made)
{
    Files *files = database->files;
    Names before = {0};
    Error *error = catalog_commit(files->io, files->directory, next);
    if (error != NULL) {
        arena_destroy(arena);
        return error;
    }
    if (made != NULL && !made->known) atomic_store(&database->finders_saved, made->finders_made);
    note_catalog(&before, &files->catalog);
    for (size_t i = 0; made != NULL && i < made->logged_count; i++)
        note_file(&before, &made->logged[i]);
    pthread_mutex_lock(&database->lock);
    while (database->flushing)
        pthread_cond_wait(&database->flushed, &database->lock);
    go_on_from(database, arena, next, made);
    for (size_t i = 0; i < before.count; i++) {
        if (files_names(files, before.files[i].name)) continue;
        mem_reserve(files->freed, files->freed_capacity, files->freed_count + 1);
        files->freed[files->freed_count++] = before.files[i];
    }
    pthread_mutex_unlock(&database->lock);
    mem_free(before.files);
    pasts_drop_idle(database, false);
    /* Committed is committed: what cannot be removed now is a leftover for the next opening. */
    error_drop(wal_remove_old(database->wal));
    error_drop(remove_freed(database));
    return NULL;
}

/* ---- metadata ---- */

void snapshot_path(const CatalogState *state, char out[SEGMENT_NAME_BYTES_MAX])
{
    out[0] = '\0';
    if (state->kind == CATALOG_SNAPSHOT)
        snprintf(out, SEGMENT_NAME_BYTES_MAX, "metadata/snapshot-%06" PRIu64 ".json", state->id);
}

static void put_time(Buffer *out, const char *name, int64_t wall_ns)
{
    Arena *arena = arena_create();
    Value value;
    Error *error = temporal_from_epoch(arena, 0, wall_ns, &value);
    buffer_printf(out, "  \"%s\": \"", name);
    if (error == NULL) temporal_print(out, value);
    error_drop(error); /* no time that a clock shows is outside of the years */
    buffer_text(out, "\",\n");
    arena_destroy(arena);
}

void snapshot_describe(const Catalog *catalog, const CatalogState *state, Buffer *out)
{
    buffer_printf(out, "{\n  \"snapshot\": %" PRIu64 ",\n  \"name\": ", state->id);
    json_put_string(out, state->name);
    buffer_text(out, ",\n  \"database\": \"");
    for (size_t i = 0; i < CATALOG_UUID_BYTES; i++)
        buffer_printf(out, "%02x", catalog->uuid[i]);
    buffer_text(out, "\",\n");
    put_time(out, "made", state->made_ns);
    put_time(out, "last_commit", state->commit_ns);
    buffer_printf(out, "  \"next_record\": %" PRIu64 ",\n  \"files\": [", state->start.lsn);
    for (size_t i = 0; i < state->file_count; i++)
        buffer_printf(out, "%s{\"name\": \"%s\", \"bytes\": %" PRIu64 ", \"checksum\": \"%08x\"}",
                      i == 0 ? "" : ", ", state->files[i].name, state->files[i].bytes,
                      state->files[i].crc);
    buffer_text(out, "]\n}\n");
}

static Error *write_text(const Io *io, const char *path, const char *folder, Str text)
{
    IoFile *file;
    TRY(io_unlink(io, path)); /* of an attempt that did not come to its commit */
    TRY(io_open(io, path, IO_CREATE, &file));
    Error *error = io_write(file, 0, text.data, text.bytes);
    if (error == NULL) error = io_sync(file);
    io_close(file);
    return error == NULL ? io_sync_directory(io, folder) : error;
}

Error *snapshot_write(const Io *io, const char *directory, const Catalog *catalog,
                      const CatalogState *state)
{
    char path[IO_PATH_BYTES_MAX], temporary[IO_PATH_BYTES_MAX], tmp[IO_PATH_BYTES_MAX],
        folder[IO_PATH_BYTES_MAX], name[SEGMENT_NAME_BYTES_MAX];
    Buffer text = {0};
    snapshot_path(state, name);
    TRY(io_join(tmp, directory, "tmp"));
    TRY(io_join(folder, directory, "metadata"));
    TRY(io_join(path, directory, name));
    TRY(io_join(temporary, tmp, "snapshot.json"));
    TRY(io_make_directory(io, tmp));
    TRY(io_make_directory(io, folder));
    snapshot_describe(catalog, state, &text);
    Error *error = write_text(io, temporary, tmp, buffer_view(&text));
    buffer_free(&text);
    TRY(error);
    TRY(io_rename(io, temporary, path));
    TRY(io_sync_directory(io, folder));
    return io_sync_directory(io, directory);
}

/* ---- checkpoints ---- */

static Error *finish(Database *database, Checkpoint *made)
{
    Arena *arena = arena_create();
    Catalog next = compose(arena, &database->files->catalog, made, made->made_ns);
    apply_retention(&next, made->made_ns);
    return commit(database, arena, &next, made);
}

Error *checkpoint_last(Database *database, Graph *graph, const SegmentFile *file, Str schema)
{
    Checkpoint made = {.known = true};
    Error *error = wal_rotate(database->wal, &made.start);
    if (error == NULL) note_place(database, &made);
    buffer_clear(&made.schema);
    if (error == NULL && file != NULL) {
        segment_files_set(&made.made, file, 1);
        buffer_str(&made.schema, schema);
    } else if (error == NULL) {
        GraphView view = {graph, graph_pending(graph)};
        bool refer = files_may_refer(database->files, graph);
        error = files_save(database->files, &view, refer, &made.made, &made.schema);
    }
    if (error == NULL) error = finish(database, &made);
    if (error == NULL) error = files_remove_leftovers(database);
    checkpoint_free(&made);
    return error;
}

static Error *checkpoint_beside(Database *database, bool *made_one)
{
    Checkpoint made = {0};
    pthread_mutex_lock(&database->files->maintenance);
    Error *error = begin(database, &made);
    if (error == NULL && made.moved) error = build(database, &made);
    if (error == NULL && made.moved) error = finish(database, &made);
    *made_one = error == NULL && made.moved;
    bool moved = false;
    if (*made_one) error = past_move(database, &moved);
    pthread_mutex_lock(&database->lock);
    database->counters.moves += moved;
    pthread_mutex_unlock(&database->lock);
    checkpoint_free(&made);
    pthread_mutex_unlock(&database->files->maintenance);
    return error;
}

static void *run_checkpoint(void *user)
{
    Database *database = user;
    Files *files = database->files;
    bool made_one;
    Error *error = checkpoint_beside(database, &made_one);
    pthread_mutex_lock(&database->lock);
    files->checkpointing = false;
    files->tried_bytes = error == NULL ? 0 : wal_bytes(database->wal) - files->base_log_bytes;
    if (made_one) database->counters.checkpoints++;
    /* Nothing is lost: the log has it all. It is tried again some log later. */
    error_drop(database->trouble);
    database->trouble = error;
    pthread_mutex_unlock(&database->lock);
    return NULL;
}

void checkpoint_consider(Database *database)
{
    Files *files = database->files;
    pthread_mutex_lock(&database->lock);
    uint64_t part = files->base.bytes / CHECKPOINT_GRAPH_PART,
             allowed = part > CHECKPOINT_LOG_BYTES_MIN ? part : CHECKPOINT_LOG_BYTES_MIN;
    if (files->checkpoint_bytes > 0) allowed = files->checkpoint_bytes;
    uint64_t bytes = wal_bytes(database->wal) - files->base_log_bytes;
    bool wanted = !files->checkpointing && !database->failed && bytes > allowed &&
                  (files->tried_bytes == 0 || bytes > files->tried_bytes + allowed);
    if (wanted) {
        /* The one before has ended, and does not want the lock any more. */
        if (files->checkpointer_joinable) pthread_join(files->checkpointer, NULL);
        files->checkpointing =
            pthread_create(&files->checkpointer, NULL, run_checkpoint, database) == 0;
        files->checkpointer_joinable = files->checkpointing;
    }
    pthread_mutex_unlock(&database->lock);
}

void checkpoint_wait(Database *database)
{
    Files *files = database->files;
    if (!files->checkpointer_joinable) return;
    pthread_join(files->checkpointer, NULL);
    files->checkpointer_joinable = false;
}

/* ---- snapshots ---- */

static Error *check_writable(const Database *database)
{
    if (database->files == NULL)
        return error_hint(
            error_new(ERROR_READ_ONLY, "a database in memory keeps no snapshots and no history"),
            "open one in a directory");
    if (database->read_only) return error_new(ERROR_READ_ONLY, "the database was opened read-only");
    return NULL;
}

static const CatalogState *find_named(const Catalog *catalog, Str name)
{
    for (size_t i = 0; i < catalog->state_count; i++)
        if (catalog->states[i].kind == CATALOG_SNAPSHOT && name.bytes > 0 &&
            str_equal(catalog->states[i].name, name))
            return &catalog->states[i];
    return NULL;
}

static Error *check_new_name(const Catalog *catalog, Str name)
{
    if (name.bytes > CATALOG_NAME_BYTES_MAX)
        return error_new(ERROR_LIMIT, "the name of a snapshot has at most %d bytes",
                         CATALOG_NAME_BYTES_MAX);
    if (find_named(catalog, name) != NULL)
        return error_hint(
            error_new(ERROR_NAME_EXISTS, "there is a snapshot %.*s already", STR_ARG(name)),
            "choose another name, or give that one up: DROP SNAPSHOT %.*s", STR_ARG(name));
    if (catalog->state_count + 2 > CATALOG_STATES_MAX)
        return error_hint(error_new(ERROR_LIMIT, "there are %d snapshots, and no more are kept",
                                    CATALOG_STATES_MAX),
                          "drop some, or set `keep` or `keep_for`");
    return NULL;
}

static SnapshotInfo info_of(const CatalogState *state)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < state->file_count; i++)
        bytes += state->files[i].bytes;
    return (SnapshotInfo){.id = state->id,
                          .name = state->name,
                          .made_ns = state->made_ns,
                          .commit_ns = state->commit_ns,
                          .bytes = bytes};
}

static Error *finish_snapshot(Database *database, Checkpoint *made, Str name, SnapshotInfo *out)
{
    Files *files = database->files;
    Arena *arena = arena_create();
    Catalog next = compose(arena, &files->catalog, made, made->made_ns);
    bool left = next.state_count > 0 && next.states[next.state_count - 1].id == next.checkpoint;
    CatalogState state = {.id = left ? ++next.checkpoint : next.checkpoint,
                          .kind = CATALOG_SNAPSHOT,
                          .name = name,
                          .made_ns = made->made_ns,
                          .commit_ns = next.commit_ns,
                          .start = next.start,
                          .schema = next.schema,
                          .files = next.files,
                          .file_count = next.file_count};
    push_state(arena, &next, &state);
    apply_retention(&next, made->made_ns);
    Error *error = snapshot_write(files->io, files->directory, &next, &state);
    if (error != NULL) {
        arena_destroy(arena);
        return error;
    }
    *out = info_of(&state);
    out->name = name;
    return commit(database, arena, &next, made);
}

Error *database_create_snapshot(Database *database, Str name, bool (*stop)(void *state),
                                void *state, SnapshotInfo *out)
{
    Checkpoint made = {.snapshot = true};
    TRY(check_writable(database));
    pthread_mutex_lock(&database->files->maintenance);
    database->files->stop = stop;
    database->files->stop_state = state;
    Error *error = check_new_name(&database->files->catalog, name);
    if (error == NULL) error = begin(database, &made);
    if (error == NULL) error = build(database, &made);
    if (error == NULL) error = finish_snapshot(database, &made, name, out);
    checkpoint_free(&made);
    database->files->stop = NULL;
    pthread_mutex_unlock(&database->files->maintenance);
    return error;
}

static const CatalogState *find_snapshot(const Catalog *catalog, Str name)
{
    const CatalogState *found = find_named(catalog, name);
    int64_t id;
    if (found != NULL || !integer_parse(name, &id)) return found;
    for (size_t i = 0; i < catalog->state_count; i++)
        if (catalog->states[i].kind == CATALOG_SNAPSHOT && catalog->states[i].id == (uint64_t)id &&
            catalog->states[i].name.bytes == 0)
            return &catalog->states[i];
    return NULL;
}

Error *snapshot_unknown(const Catalog *catalog, Str name)
{
    Error *error = error_new(ERROR_NAME_UNKNOWN, "no such snapshot: %.*s", STR_ARG(name));
    Meant nearest = meant_of(name);
    for (size_t i = 0; i < catalog->state_count; i++) {
        const CatalogState *state = &catalog->states[i];
        if (state->kind == CATALOG_SNAPSHOT) meant_see(&nearest, state->name);
    }
    return meant_hint(error, &nearest, "SHOW SNAPSHOTS lists them");
}

Error *database_drop_snapshot(Database *database, Str name)
{
    TRY(check_writable(database));
    Files *files = database->files;
    pthread_mutex_lock(&files->maintenance);
    const CatalogState *found = find_snapshot(&files->catalog, name);
    Error *error = found == NULL ? snapshot_unknown(&files->catalog, name) : NULL;
    if (error == NULL) {
        Arena *arena = arena_create();
        Catalog next = copy_catalog(arena, &files->catalog);
        size_t at = (size_t)(found - files->catalog.states);
        next.state_count--;
        memmove(&next.states[at], &next.states[at + 1],
                (next.state_count - at) * sizeof *next.states);
        apply_retention(&next, files_now(database));
        error = commit(database, arena, &next, NULL);
    }
    pthread_mutex_unlock(&files->maintenance);
    return error;
}

Error *database_snapshots(Database *database, Arena *arena, SnapshotInfo **out, size_t *count)
{
    *out = NULL;
    *count = 0;
    if (database->files == NULL) return NULL;
    TRY(pasts_refresh(database));
    pthread_mutex_lock(&database->lock);
    const Catalog *catalog = &database->files->catalog;
    *out = arena_array(arena, SnapshotInfo, catalog->state_count + 1);
    for (size_t i = 0; i < catalog->state_count; i++) {
        if (catalog->states[i].kind != CATALOG_SNAPSHOT) continue;
        SnapshotInfo *info = &(*out)[(*count)++];
        *info = info_of(&catalog->states[i]);
        info->name = str_copy(arena, info->name);
    }
    pthread_mutex_unlock(&database->lock);
    return NULL;
}

/* ---- retention ---- */

Retention database_retention(Database *database)
{
    if (database->files == NULL) return (Retention){0};
    pthread_mutex_lock(&database->lock);
    const Catalog *catalog = &database->files->catalog;
    Retention retention = {catalog->keep, catalog->keep_for_ns, catalog->history_keep_ns};
    pthread_mutex_unlock(&database->lock);
    return retention;
}

Error *database_retain(Database *database, Retention retention)
{
    assert(retention.keep_for_ns >= 0 && retention.history_keep_ns >= 0);
    TRY(check_writable(database));
    Files *files = database->files;
    pthread_mutex_lock(&files->maintenance);
    Arena *arena = arena_create();
    Catalog next = copy_catalog(arena, &files->catalog);
    next.keep = retention.keep;
    next.keep_for_ns = retention.keep_for_ns;
    next.history_keep_ns = retention.history_keep_ns;
    Error *error = commit(database, arena, &next, NULL);
    pthread_mutex_unlock(&files->maintenance);
    return error;
}
