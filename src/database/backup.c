/*
 * backup.c - a copy of a database, made while somebody may be writing to it.
 *
 * The copy holds everything up to one commit that was durable: the catalog as it was read, the
 * segments that it and the log name, the log up to that commit and zeros behind it. Segments never
 * change and are held open before the log is copied, so a checkpoint that removes them meanwhile
 * takes nothing away; one that removes the log makes the copy begin anew.
 *
 * Snapshots are part of the copy; history (the log behind earlier checkpoints) is not.
 *
 * Order: segments and log are copied and synced, then their folders; the catalog is written last,
 * under tmp/ and renamed. So a target that has a catalog is whole, and one that has none is refused
 * by everybody who opens it. At last the copy is opened and every checksum in it is read back; if that
 * fails, or is cancelled, the catalog goes.
 *
 * The copy keeps the database's identity (the uuid in every file): it is the same database, as of
 * then. LOCK is not copied; it speaks of who writes.
 */
#include "config.h"

#include "database/database_internal.h"
#include <assert.h>
#include <inttypes.h>

enum { ATTEMPTS_MAX = 100 }; /* a checkpoint took place meanwhile: again, so many times */

typedef struct Source { /* a segment, held open from when its name was read */
    SegmentFile file;
    IoFile *handle, *pin;
} Source;

typedef struct Backup {
    const Io *io;
    const char *directory, *target;
    Arena *arena;
    Catalog catalog;
    Wal *wal;
    Source *sources;
    size_t source_count, source_capacity;
    WalReport report;
    uint64_t bytes; /* of the segments */
    Tell *to;
} Backup;

/* ---- what is to be copied ---- */

static Error *hold(Backup *backup, const SegmentFile *file)
{
    char path[IO_PATH_BYTES_MAX];
    Source source = {*file, NULL, NULL};
    for (size_t i = 0; i < backup->source_count; i++)
        if (strcmp(backup->sources[i].file.name, file->name) == 0) return NULL;
    if (file->id == 0) return NULL;
    TRY(io_join(path, backup->directory, file->name));
    TRY(lock_pin(backup->io, backup->directory, file->id, &source.pin));
    Error *error = io_open(backup->io, path, IO_READ, &source.handle);
    if (error != NULL) {
        io_close(source.pin);
        return error;
    }
    mem_reserve(backup->sources, backup->source_capacity, backup->source_count + 1);
    backup->sources[backup->source_count++] = source;
    return NULL;
}

static Error *take_commit(void *user, Str payload, const WalCommit *commit)
{
    LoggedSegment logged;
    const Backup *backup = user;
    (void)commit;
    if (tell_ask(backup->to)) return tell_stopped(backup->to);
    if (!log_names_segment(payload)) return NULL;
    TRY(log_decode_segment(payload, &logged));
    return hold(user, &logged.file);
}

/* Up to what is durable now; without a writer, up to the last commit there is. */
static Error *read_log(Backup *backup, const DirectoryLock *lock)
{
    bool beside = lock_has_writer(lock);
    LockPage page = lock_page(lock);
    TRY(wal_open(backup->io, backup->directory, backup->catalog.uuid, backup->catalog.start,
                 &backup->wal));
    if (beside && page.checkpoint != backup->catalog.checkpoint)
        return error_new(ERROR_NO_FILE, "there is a newer checkpoint");
    if (beside)
        return wal_follow(backup->wal, page.durable_lsn, take_commit, backup, &backup->report);
    TRY(wal_recover(backup->wal, take_commit, backup, &backup->report));
    uint64_t end = wal_durable(backup->wal);
    if (page.checkpoint != backup->catalog.checkpoint || page.durable_lsn <= end ||
        lock_has_writer(lock))
        return NULL;
    return error_hint(error_new(ERROR_CORRUPT,
                                "%s/wal ends at record %" PRIu64 ", but record %" PRIu64
                                " was acknowledged",
                                backup->directory, end, page.durable_lsn),
                      "`contextql check` says what is damaged");
}

/* Snapshots are copied; what the log behind earlier checkpoints leads to stays where it is. */
static void leave_history(Catalog *catalog)
{
    size_t kept = 0;
    for (size_t i = 0; i < catalog->state_count; i++)
        if (catalog->states[i].kind == CATALOG_SNAPSHOT)
            catalog->states[kept++] = catalog->states[i];
    catalog->state_count = kept;
}

static Error *read_source(Backup *backup, const DirectoryLock *lock)
{
    TRY(catalog_read(backup->io, backup->directory, true, backup->arena, &backup->catalog));
    for (size_t i = 0; i < backup->catalog.file_count; i++)
        TRY(hold(backup, &backup->catalog.files[i]));
    leave_history(&backup->catalog);
    for (size_t i = 0; i < backup->catalog.state_count; i++)
        for (size_t f = 0; f < backup->catalog.states[i].file_count; f++)
            TRY(hold(backup, &backup->catalog.states[i].files[f]));
    return read_log(backup, lock);
}

static void let_go(Backup *backup)
{
    for (size_t i = 0; i < backup->source_count; i++)
        io_close(backup->sources[i].handle), io_close(backup->sources[i].pin);
    backup->source_count = 0;
    wal_close(backup->wal);
    backup->wal = NULL;
    arena_reset(backup->arena);
}

/* ---- copying ---- */

static Error *folder(const Backup *backup, const char *name, char out[IO_PATH_BYTES_MAX])
{
    TRY(io_join(out, backup->target, name));
    return io_make_directory(backup->io, out);
}

static Error *copy_segment(Backup *backup, const Source *source)
{
    char path[IO_PATH_BYTES_MAX];
    IoFile *to;
    Segment *copy;
    TRY(io_join(path, backup->target, source->file.name));
    TRY(io_open(backup->io, path, IO_CREATE, &to));
    TellPart outer = tell_enter(backup->to, 0, 0.8);
    Error *error = io_copy(source->handle, source->file.bytes, to, backup->to);
    tell_leave(backup->to, outer);
    io_close(to);
    TRY(error);
    backup->bytes += source->file.bytes;
    TRY(segment_open_alone(backup->io, backup->target, backup->catalog.uuid, &source->file, &copy));
    tell_enter(backup->to, 0.8, 1);
    error = segment_verify(copy, backup->to);
    tell_leave(backup->to, outer);
    segment_close(copy);
    return error;
}

static Error *copy_files(Backup *backup)
{
    char path[IO_PATH_BYTES_MAX];
    if (backup->source_count > 0) TRY(folder(backup, "graph", path));
    uint64_t all = 1, done = 0;
    for (size_t i = 0; i < backup->source_count; i++)
        all += backup->sources[i].file.bytes;
    for (size_t i = 0; i < backup->source_count; i++) {
        double from = (double)done / (double)all;
        done += backup->sources[i].file.bytes;
        TellPart outer = tell_enter(backup->to, from, (double)done / (double)all);
        Error *error = copy_segment(backup, &backup->sources[i]);
        tell_leave(backup->to, outer);
        TRY(error);
    }
    return backup->source_count == 0 ? NULL : io_sync_directory(backup->io, path);
}

/* What an attempt left that a checkpoint overtook. */
typedef struct Sweep {
    const Io *io;
    const char *folder;
    Error *error;
} Sweep;

static void sweep_one(void *user, const char *name)
{
    Sweep *sweep = user;
    char path[IO_PATH_BYTES_MAX];
    if (sweep->error == NULL) sweep->error = io_join(path, sweep->folder, name);
    if (sweep->error == NULL) sweep->error = io_unlink(sweep->io, path);
}

static Error *sweep_target(Backup *backup)
{
    static const char *const folders[] = {"graph", "wal", "metadata"};
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        char path[IO_PATH_BYTES_MAX];
        Sweep sweep = {backup->io, path, NULL};
        TRY(io_join(path, backup->target, folders[i]));
        if (io_kind(backup->io, path) != IO_DIRECTORY) continue;
        TRY(io_list(backup->io, path, sweep_one, &sweep));
        TRY(sweep.error);
    }
    return NULL;
}

/* The log first: it is what a checkpoint removes. *again: one may have come between; *written: there is
 * somebody who makes them. */
static Error *copy_once(Backup *backup, bool *again, bool *written)
{
    DirectoryLock *lock;
    TRY(lock_watch(backup->io, backup->directory, &lock));
    Error *error = read_source(backup, lock);
    TellPart whole = tell_enter(backup->to, 0, 0.1);
    if (error == NULL) error = wal_copy(backup->wal, backup->target, backup->to);
    tell_leave(backup->to, whole);
    tell_enter(backup->to, 0.1, 1);
    if (error == NULL) error = copy_files(backup);
    tell_leave(backup->to, whole);
    for (size_t i = 0; error == NULL && i < backup->catalog.state_count; i++)
        error = snapshot_write(backup->io, backup->target, &backup->catalog,
                               &backup->catalog.states[i]);
    *written = lock_has_writer(lock);
    *again = error != NULL && error_code(error) != ERROR_CANCELLED &&
             (*written || lock_page(lock).checkpoint > backup->catalog.checkpoint);
    lock_close(lock);
    return error;
}

/* Where nobody writes and the catalog stays as it is, there is no checkpoint to wait for: what LOCK says
 * of one is wrong, and so is something else. */
static Error *copy_all(Backup *backup)
{
    bool again, written;
    Error *error = copy_once(backup, &again, &written);
    for (int i = 0; again && i < ATTEMPTS_MAX; i++) {
        bool was_written = written;
        uint64_t checkpoint = backup->catalog.checkpoint;
        error_drop(error);
        let_go(backup);
        TRY(sweep_target(backup));
        if (written) files_wait(i);
        error = copy_once(backup, &again, &written);
        if (!was_written && !written && backup->catalog.checkpoint == checkpoint) break;
    }
    TRY(error);
    return catalog_create_as(backup->io, backup->target, &backup->catalog);
}

/* ---- the folder it becomes ---- */

static Error *make_target(const Io *io, const char *directory, const char *target)
{
    char catalog[IO_PATH_BYTES_MAX];
    TRY(io_join(catalog, directory, "catalog.db"));
    if (io_kind(io, directory) == IO_NOTHING)
        return error_hint(error_new(ERROR_NO_FILE, "there is no database %s", directory),
                          "name a directory that contextql made");
    if (io_kind(io, catalog) != IO_FILE)
        return error_hint(error_new(ERROR_NOT_A_DATABASE,
                                    "%s is not a database: it has no catalog.db", directory),
                          "name a directory that contextql made");
    if (io_kind(io, target) != IO_NOTHING)
        return error_hint(error_new(ERROR_NAME_EXISTS, "%s is there already", target),
                          "name a directory that does not exist yet");
    TRY(io_make_directory(io, target));
    return io_sync_parent(io, target);
}

/* Read back as a reader reads it: catalog, segments, every record of the log. */
static Error *read_back(const Backup *backup, const Clock *clock)
{
    const DatabaseOptions reading = {.read_only = true, .io = backup->io, .tell = backup->to};
    Database *copy;
    TRY(database_open(backup->target, &reading, clock, &copy));
    DatabaseCounters counters = database_counters(copy);
    tell_line(backup->to, TELL_FACT, backup->target, "",
              "a copy of %s: segments: %zu, %" PRIu64 " bytes; commits in the log: %" PRIu64,
              backup->directory, backup->source_count, backup->bytes, counters.replayed);
    return database_close(copy);
}

/* Without a catalog it is no database: nobody takes for whole what was not read back. */
static void disown(const Backup *backup)
{
    char path[IO_PATH_BYTES_MAX];
    Error *error = io_join(path, backup->target, "catalog.db");
    if (error == NULL && io_kind(backup->io, path) == IO_FILE) error = io_unlink(backup->io, path);
    error_drop(error); /* the error that led here is told */
}

Error *database_backup(const Io *io, const char *directory, const char *target, const Clock *clock,
                       Tell *to)
{
    Backup backup = {
        .io = io == NULL ? io_posix() : io, .directory = directory, .target = target, .to = to};
    TRY(make_target(backup.io, directory, target));
    backup.arena = arena_create();
    Error *error = copy_all(&backup);
    if (error == NULL) error = read_back(&backup, clock);
    if (error == NULL) error = tell_stopped(to); /* where nothing was left to be stopped */
    if (error != NULL) {
        disown(&backup);
        tell_line(to, TELL_FACT, target, "", "was not finished and is no database: remove it");
    }
    let_go(&backup);
    arena_destroy(backup.arena);
    mem_free(backup.sources);
    return error;
}
