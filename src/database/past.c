/*
 * past.c - the graph as it once was.
 *
 * Every state that can be asked for is a segment and a part of the log behind it: a snapshot is its
 * segment alone; what a commit led to is the last checkpoint before it (the present one, or one
 * that is kept as history) and the log from there up to the commit. It is opened as a graph of its
 * own that nobody writes to, shared by all who ask for it, and kept for a while afterwards: states
 * are told apart by the first record that is not in them.
 *
 * A segment is pinned before it is looked for and stays pinned as long as the graph lies on it, so
 * that a writer, in this process or another, leaves it where it is. What a checkpoint removes
 * between the reading of the catalog and the pin makes the search begin anew.
 *
 * Locks: past_lock is held while a state is looked for and opened, so that two who ask for the same
 * open it once; the database's lock only for what it guards.
 */
#include "config.h"

#include "database/database_internal.h"
#include "database/finder.h"
#include "value/temporal.h"
#include "vector/device.h"
#include <assert.h>
#include <inttypes.h>
#include <string.h>

enum {
    PASTS_IDLE_MAX = 8, /* states that are kept open though nobody uses them: a mapping each */
    ATTEMPTS_MAX = 100  /* checkpoints that may come between */
};

struct Past {
    uint64_t next_lsn; /* the first record that is not in it */
    uint64_t file;     /* the segment it began with; 0: none */
    char name[SEGMENT_NAME_BYTES_MAX];
    Graph *graph;
    IoFile *pin;
    uint32_t users;
    Past *next; /* the last used first */
};

/* ---- making a graph ---- */

Origin origin_of_catalog(const Catalog *catalog)
{
    Origin origin = {.schema = catalog->schema, .start = catalog->start};
    if (catalog->file_count > 0) origin.file = catalog->files[0];
    return origin;
}

static Origin origin_of_state(const CatalogState *state)
{
    Origin origin = {.schema = state->schema, .start = state->start};
    if (state->file_count > 0) origin.file = state->files[0];
    return origin;
}

typedef struct Rebuild {
    const Files *files;
    bool pinned; /* pin what it lies on */
    Graph *graph;
    IoFile *pin;
    Wal *wal; /* behind the segment that it began with; NULL: not opened yet */
} Rebuild;

static Error *lie_on(Rebuild *rebuild, const SegmentFile *file, Str schema)
{
    Graph *graph;
    IoFile *pin;
    if (file->id == 0) {
        rebuild->graph = graph_create();
        return NULL;
    }
    TRY(files_load(rebuild->files, file, schema, rebuild->pinned, &graph, &pin));
    graph_destroy(rebuild->graph);
    io_close(rebuild->pin);
    rebuild->graph = graph;
    rebuild->pin = pin;
    return NULL;
}

static Error *do_again(void *user, Str payload, const WalCommit *commit)
{
    Rebuild *rebuild = user;
    LoggedSegment logged;
    (void)commit;
    if (log_names_segment(payload)) {
        TRY(log_decode_segment(payload, &logged));
        return lie_on(rebuild, &logged.file, logged.schema);
    }
    GraphWriter *writer = graph_writer_begin(rebuild->graph);
    Error *error = log_replay(writer, payload);
    if (error != NULL) {
        graph_writer_abort(writer, GRAPH_NO_SLOT);
        return error;
    }
    graph_writer_publish(writer);
    return graph_damage(rebuild->graph);
}

static Error *do_log_again(const Files *files, WalStart start, uint64_t limit_lsn, WalApply *apply,
                           void *user)
{
    Wal *wal;
    WalReport report;
    TRY(wal_open(files->io, files->directory, files->uuid, start, &wal));
    Error *error = wal_follow(wal, limit_lsn, apply, user, &report);
    wal_close(wal);
    return error;
}

static Error *rebuild_begin(Rebuild *rebuild, const Origin *origin)
{
    return lie_on(rebuild, &origin->file, origin->schema);
}

/* Further along the log, up to the record; it is durable. */
static Error *rebuild_to(Rebuild *rebuild, const Origin *origin, uint64_t limit_lsn)
{
    const Files *files = rebuild->files;
    WalReport report;
    if (limit_lsn < origin->start.lsn) return NULL;
    if (rebuild->wal == NULL)
        TRY(wal_open(files->io, files->directory, files->uuid, origin->start, &rebuild->wal));
    return wal_follow(rebuild->wal, limit_lsn, do_again, rebuild, &report);
}

/* Ends it; the graph, if it is still there, is not wanted. */
static void rebuild_end(Rebuild *rebuild)
{
    wal_close(rebuild->wal);
    graph_destroy(rebuild->graph);
    io_close(rebuild->pin);
}

Error *past_rebuild(const Files *files, const Origin *origin, uint64_t limit_lsn, Graph **out,
                    IoFile **pin)
{
    Rebuild rebuild = {.files = files, .pinned = pin != NULL};
    Error *error = rebuild_begin(&rebuild, origin);
    if (error == NULL) error = rebuild_to(&rebuild, origin, limit_lsn);
    if (error == NULL) {
        *out = rebuild.graph;
        if (pin != NULL) *pin = rebuild.pin;
        rebuild.graph = NULL;
        rebuild.pin = NULL;
    }
    rebuild_end(&rebuild);
    return error;
}

/* ---- the present, laid on the segment of a checkpoint ---- */

Error *past_move(Database *database, bool *moved)
{
    Rebuild rebuild = {.files = database->files};
    pthread_mutex_lock(&database->lock);
    Origin origin = origin_of_catalog(&database->files->catalog);
    uint64_t lsn = database->written_lsn;
    pthread_mutex_unlock(&database->lock);
    *moved = false;
    Error *error = rebuild_begin(&rebuild, &origin);
    if (error == NULL) error = rebuild_to(&rebuild, &origin, lsn); /* while writers go on */
    if (error == NULL && files_stop(database, &lsn)) {
        error = rebuild_to(&rebuild, &origin, lsn);
        *moved = error == NULL;
        if (*moved) finder_carry(database, database->held->graph, rebuild.graph);
        Held *old = files_go_on(database, *moved ? rebuild.graph : NULL);
        if (*moved) rebuild.graph = NULL;
        held_free(database, old);
    }
    rebuild_end(&rebuild);
    return error;
}

/* ---- those that are open; with past_lock ---- */

static void past_free(Database *database, Past *past)
{
    assert(past->users == 0);
    vector_device_forget(database->device);
    graph_destroy(past->graph);
    io_close(past->pin);
    mem_free(past);
}

/* Is its segment one that nobody needs any more? */
static bool is_freed(Database *database, const Past *past)
{
    if (past->file == 0) return false;
    pthread_mutex_lock(&database->lock);
    bool freed = !files_names(database->files, past->name);
    pthread_mutex_unlock(&database->lock);
    return freed;
}

static void drop_idle(Database *database, bool all)
{
    uint32_t idle = 0;
    for (Past **at = &database->files->pasts; *at != NULL;) {
        Past *past = *at;
        bool drop =
            past->users == 0 && (all || ++idle > PASTS_IDLE_MAX || is_freed(database, past));
        if (drop) {
            *at = past->next;
            past_free(database, past);
        } else {
            at = &past->next;
        }
    }
}

void pasts_drop_idle(Database *database, bool all)
{
    pthread_mutex_lock(&database->files->past_lock);
    drop_idle(database, all);
    pthread_mutex_unlock(&database->files->past_lock);
}

static Past *find_open(Files *files, uint64_t next_lsn)
{
    for (Past **at = &files->pasts; *at != NULL; at = &(*at)->next) {
        Past *past = *at;
        if (past->next_lsn != next_lsn) continue;
        *at = past->next;
        past->next = files->pasts;
        return files->pasts = past;
    }
    return NULL;
}

static Error *open_past(Database *database, const Origin *origin, uint64_t next_lsn, Past **out)
{
    Files *files = database->files;
    Past *past = find_open(files, next_lsn);
    if (past == NULL) {
        Graph *graph;
        IoFile *pin;
        TRY(past_rebuild(files, origin, next_lsn - 1, &graph, &pin));
        past = mem_calloc(1, sizeof *past);
        past->next_lsn = next_lsn;
        past->file = origin->file.id;
        memcpy(past->name, origin->file.name, sizeof past->name);
        past->graph = graph;
        past->pin = pin;
        past->next = files->pasts;
        files->pasts = past;
    }
    past->users++;
    drop_idle(database, false);
    *out = past;
    return NULL;
}

GraphView past_view(const Past *past)
{
    return (GraphView){past->graph, graph_version(past->graph)};
}

void past_release(Database *database, Past *past)
{
    if (past == NULL) return;
    pthread_mutex_lock(&database->files->past_lock);
    past->users--;
    drop_idle(database, false);
    pthread_mutex_unlock(&database->files->past_lock);
}

/* ---- the catalog ---- */

Error *pasts_refresh(Database *database)
{
    Files *files = database->files;
    if (!database->read_only) return NULL; /* it is this process that writes it */
    Error *error = NULL;
    for (int i = 0; i < ATTEMPTS_MAX; i++) {
        error_drop(error);
        pthread_mutex_lock(&database->lock);
        uint64_t have = files->catalog.checkpoint;
        pthread_mutex_unlock(&database->lock);
        if (lock_page(files->lock).checkpoint <= have) return NULL;
        Arena *arena = arena_create();
        Catalog read;
        error = catalog_read(files->io, files->directory, true, arena, &read);
        if (error == NULL) {
            pthread_mutex_lock(&database->lock);
            arena_destroy(files->catalog_arena);
            files->catalog_arena = arena;
            files->catalog = read;
            pthread_mutex_unlock(&database->lock);
            return NULL;
        }
        arena_destroy(arena); /* a commit was in the middle of it */
    }
    return error;
}

/* Did a checkpoint take something away since the catalog was `checkpoint`? */
static bool is_overtaken(Database *database, uint64_t checkpoint)
{
    pthread_mutex_lock(&database->lock);
    bool newer = database->files->catalog.checkpoint > checkpoint ||
                 lock_page(database->files->lock).checkpoint > checkpoint;
    pthread_mutex_unlock(&database->lock);
    return newer;
}

/* ---- what is asked for ---- */

typedef struct Wanted {
    Str name; /* a snapshot by its name, or by `id`, or by neither: */
    uint64_t id;
    int64_t wall_ns;
    bool by_time;
} Wanted;

typedef struct Answer { /* what the catalog says of it; in `arena` */
    Arena *arena;
    Origin origin;
    uint64_t until_lsn; /* the log behind it leads to the next state here */
    bool search;        /* ... and in it the commit is to be found */
    bool present;
    uint64_t checkpoint; /* the catalog's */
} Answer;

static void take_origin(Answer *answer, Origin origin)
{
    answer->origin = origin;
    answer->origin.schema = str_copy(answer->arena, origin.schema);
}

static Error *find_snapshot(const Catalog *catalog, const Wanted *wanted, Answer *out)
{
    for (size_t i = 0; i < catalog->state_count; i++) {
        const CatalogState *state = &catalog->states[i];
        bool same =
            wanted->name.bytes > 0 ? str_equal(state->name, wanted->name) : state->id == wanted->id;
        if (state->kind != CATALOG_SNAPSHOT || !same) continue;
        take_origin(out, origin_of_state(state));
        return NULL;
    }
    if (wanted->name.bytes > 0) return snapshot_unknown(catalog, wanted->name);
    return error_hint(error_new(ERROR_NAME_UNKNOWN, "no such snapshot: %" PRIu64, wanted->id),
                      "SHOW SNAPSHOTS lists them");
}

static void put_moment(Buffer *out, int64_t wall_ns)
{
    Arena *arena = arena_create();
    Value value;
    Error *error = temporal_from_epoch(arena, 0, wall_ns, &value);
    if (error == NULL) temporal_print(out, value);
    error_drop(error); /* 64 bits of nanoseconds lie within the years */
    arena_destroy(arena);
}

static void put_snapshot(Buffer *out, const CatalogState *state, const char *before)
{
    if (state == NULL) return;
    buffer_printf(out, "; snapshot ");
    if (state->name.bytes > 0)
        buffer_printf(out, "'%.*s'", STR_ARG(state->name));
    else
        buffer_printf(out, "%" PRIu64, state->id);
    buffer_printf(out, " %s it is of ", before);
    put_moment(out, state->made_ns);
}

/* The nearest that there is, on both sides. */
static Error *nothing_then(const Catalog *catalog, int64_t begin_ns, int64_t wall_ns)
{
    const CatalogState *before = NULL, *behind = NULL;
    Buffer what = {0}, hint = {0};
    for (size_t i = 0; i < catalog->state_count; i++) {
        const CatalogState *state = &catalog->states[i];
        if (state->kind != CATALOG_SNAPSHOT) continue;
        if (state->made_ns < wall_ns && (before == NULL || state->made_ns > before->made_ns))
            before = state;
        if (state->made_ns > wall_ns && (behind == NULL || state->made_ns < behind->made_ns))
            behind = state;
    }
    put_moment(&what, wall_ns);
    buffer_text(&hint, "history begins at ");
    put_moment(&hint, begin_ns);
    put_snapshot(&hint, before, "before");
    put_snapshot(&hint, behind, "after");
    Error *error = error_hint(
        error_new(ERROR_NAME_UNKNOWN, "nothing is kept of %.*s", STR_ARG(buffer_view(&what))),
        "%.*s", STR_ARG(buffer_view(&hint)));
    buffer_free(&what);
    buffer_free(&hint);
    return error;
}

/* The last checkpoint that is not after the time, with the log up to the one behind it. Snapshots
 * answer for the time from their last commit on until they were made. */
static Error *find_time(const Database *database, const Catalog *catalog, int64_t wall_ns,
                        Answer *out)
{
    const CatalogState *best = NULL, *exact = NULL;
    int64_t begin_ns = catalog->commit_ns;
    uint64_t until_lsn = database->written_lsn;
    out->search = true;
    if (wall_ns >= database->visible_ns) return out->present = true, NULL;
    if (wall_ns >= catalog->commit_ns) {
        take_origin(out, origin_of_catalog(catalog));
        out->until_lsn = until_lsn;
        return NULL;
    }
    until_lsn = catalog->start.lsn - 1;
    for (size_t i = catalog->state_count; i-- > 0 && best == NULL;) {
        const CatalogState *state = &catalog->states[i];
        bool history = state->kind == CATALOG_HISTORY;
        if (!history && exact == NULL && state->commit_ns <= wall_ns && wall_ns <= state->made_ns)
            exact = state;
        if (history && state->commit_ns <= wall_ns) best = state;
        if (history && best == NULL) until_lsn = state->start.lsn - 1, begin_ns = state->commit_ns;
    }
    if (best == NULL && exact == NULL) return nothing_then(catalog, begin_ns, wall_ns);
    out->search = best != NULL;
    out->until_lsn = until_lsn;
    take_origin(out, origin_of_state(best != NULL ? best : exact));
    return NULL;
}

static Error *look(Database *database, const Wanted *wanted, Answer *out)
{
    TRY(pasts_refresh(database));
    pthread_mutex_lock(&database->lock);
    const Catalog *catalog = &database->files->catalog;
    out->checkpoint = catalog->checkpoint;
    Error *error = wanted->by_time ? find_time(database, catalog, wanted->wall_ns, out)
                                   : find_snapshot(catalog, wanted, out);
    pthread_mutex_unlock(&database->lock);
    return error;
}

typedef struct Search {
    int64_t wall_ns;
    uint64_t lsn; /* of the last commit not after it; 0: none */
} Search;

static Error *look_at_commit(void *user, Str payload, const WalCommit *commit)
{
    Search *search = user;
    (void)payload;
    if (commit->wall_ns <= search->wall_ns) search->lsn = commit->lsn;
    return NULL;
}

static Error *open_answer(Database *database, const Wanted *wanted, const Answer *answer,
                          Past **out)
{
    Search search = {wanted->wall_ns, 0};
    *out = NULL;
    if (answer->present) return NULL;
    if (answer->search)
        TRY(do_log_again(database->files, answer->origin.start, answer->until_lsn, look_at_commit,
                         &search));
    uint64_t next = search.lsn > 0 ? search.lsn + 1 : answer->origin.start.lsn;
    return open_past(database, &answer->origin, next, out);
}

static Error *find_once(Database *database, const Wanted *wanted, uint64_t *checkpoint, Past **out)
{
    Answer answer = {.arena = arena_create()};
    Error *error = look(database, wanted, &answer);
    *checkpoint = answer.checkpoint;
    if (error == NULL) error = open_answer(database, wanted, &answer, out);
    arena_destroy(answer.arena);
    return error;
}

static Error *find(Database *database, const Wanted *wanted, Past **out)
{
    uint64_t checkpoint;
    if (database->files == NULL)
        return error_hint(error_new(ERROR_NAME_UNKNOWN, "a database in memory keeps no snapshots "
                                                        "and no history"),
                          "open one in a directory");
    pthread_mutex_lock(&database->files->past_lock);
    Error *error = find_once(database, wanted, &checkpoint, out);
    for (int i = 0; i < ATTEMPTS_MAX && error != NULL && is_overtaken(database, checkpoint); i++) {
        error_drop(error);
        error = find_once(database, wanted, &checkpoint, out);
    }
    pthread_mutex_unlock(&database->files->past_lock);
    return error;
}

Error *database_at_snapshot(Database *database, Str name, uint64_t id, Past **out)
{
    return find(database, &(Wanted){.name = name, .id = id}, out);
}

Error *database_at_time(Database *database, int64_t wall_ns, Past **out)
{
    return find(database, &(Wanted){.wall_ns = wall_ns, .by_time = true}, out);
}
