/* The graph as it once was: snapshots, history, what is kept and what goes; checkpoints beside
 * readers and the writer. Then random work against a list of all states there ever were. */
#include "config.h"

#include "database/database.h"
#include "test.h"
#include <dirent.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- a clock of our own ---- */

static _Atomic int64_t now_ns = INT64_C(1767225600000000000); /* 2026-01-01 */
static int64_t wall(void *state)
{
    (void)state;
    return ++now_ns;
}
static const Clock our_clock = {.wall_ns = wall, .monotonic_ns = wall};
#define SECOND INT64_C(1000000000)

/* ---- a small graph, and what is in it ---- */

enum { IDS_MAX = 400 };
typedef struct State {      /* by node id */
    int64_t value[IDS_MAX]; /* 0: none */
    uint16_t degree[IDS_MAX];
    bool alive[IDS_MAX];
} State;

static int good(Error *error)
{
    if (error != NULL) printf("# %s (%s)\n", error_message(error), error_hint_text(error));
    int was = error == NULL;
    error_drop(error);
    return was;
}

static ErrorCode code_of(Error *error)
{
    ErrorCode code = error == NULL ? ERROR_NONE : error_code(error);
    error_drop(error);
    return code;
}

static State state_of(GraphView view)
{
    State state = {0};
    uint32_t key = graph_name_find(view.graph, NAME_KEY, STR("v")),
             type = graph_name_find(view.graph, NAME_TYPE, STR("T"));
    uint64_t cursor = 0, id;
    while (graph_scan(&view, NULL, 0, &cursor, &id, 1) == 1 && id < IDS_MAX) {
        Value value = graph_property(&view, VALUE_NODE, id, key);
        state.alive[id] = true;
        state.value[id] = value.kind == VALUE_INTEGER ? value.as.integer : -1;
        state.degree[id] =
            type == GRAPH_NAME_UNKNOWN ? 0 : (uint16_t)graph_degree(&view, type, GRAPH_BOTH, id);
    }
    return state;
}

static State present(Database *database)
{
    Transaction *transaction;
    if (!good(transaction_begin(database, &transaction))) return (State){0};
    State state = state_of(transaction_view(transaction));
    transaction_rollback(transaction);
    return state;
}

static int same(const State *a, const State *b)
{
    for (int i = 0; i < IDS_MAX; i++)
        if (a->alive[i] != b->alive[i] || a->value[i] != b->value[i] ||
            a->degree[i] != b->degree[i])
            return 0;
    return 1;
}

static int is_past(Database *database, Past *past, const State *wanted)
{
    if (past == NULL) {
        State state = present(database);
        return same(&state, wanted);
    }
    State state = state_of(past_view(past));
    return same(&state, wanted) && good(graph_damage(past_view(past).graph));
}

static int at_snapshot(Database *database, const char *name, uint64_t id, const State *wanted)
{
    Past *past = NULL;
    if (!good(database_at_snapshot(database, str_from(name), id, &past))) return 0;
    int as_wanted = past != NULL && is_past(database, past, wanted);
    past_release(database, past);
    return as_wanted;
}

static int at_time(Database *database, int64_t wall_ns, const State *wanted)
{
    Past *past = NULL;
    if (!good(database_at_time(database, wall_ns, &past))) return 0;
    int as_wanted = is_past(database, past, wanted);
    past_release(database, past);
    return as_wanted;
}

static ErrorCode no_time(Database *database, int64_t wall_ns)
{
    Past *past = NULL;
    ErrorCode code = code_of(database_at_time(database, wall_ns, &past));
    past_release(database, past);
    return code;
}

static Database *opened(const char *directory, bool read_only, uint64_t checkpoint_bytes)
{
    Database *database = NULL;
    DatabaseOptions options = {
        .read_only = read_only, .create = !read_only, .checkpoint_bytes = checkpoint_bytes};
    good(database_open(directory, &options, &our_clock, &database));
    return database;
}

/* A node with the value, joined to `to` if that is there; or the value of a node that is. */
static int commit(Database *database, State *state, int64_t value, uint64_t at, bool drop)
{
    Transaction *transaction;
    GraphWriter *writer;
    uint64_t id = at;
    if (!good(transaction_begin(database, &transaction)) ||
        !good(transaction_writer(transaction, NULL, NULL, &writer)))
        return 0;
    uint32_t key = graph_name_intern(writer, NAME_KEY, STR("v")),
             type = graph_name_intern(writer, NAME_TYPE, STR("T"));
    if (drop && state->alive[at] && state->degree[at] == 0) {
        graph_delete_node(writer, at);
        state->alive[at] = false, state->value[at] = 0;
    } else {
        if (!state->alive[at]) {
            if (!good(graph_create_node(writer, NULL, 0, &id))) return 0;
        } else if (value % 3 == 0) {
            uint64_t relationship;
            if (!good(graph_create_relationship(writer, type, at, at, &relationship))) return 0;
            state->degree[at]++;
        }
        graph_set_property(writer, VALUE_NODE, id, key, value_integer(value));
        state->alive[id] = true, state->value[id] = value;
    }
    return good(transaction_commit(transaction));
}

/* ---- the files there are ---- */

static int files_in(const char *directory, const char *folder)
{
    char path[512];
    int count = 0;
    snprintf(path, sizeof path, "%s/%s", directory, folder);
    DIR *listing = opendir(path);
    for (struct dirent *entry; listing != NULL && (entry = readdir(listing)) != NULL;)
        count += entry->d_name[0] != '.';
    if (listing != NULL) closedir(listing);
    return count;
}

static uint64_t told;
static void count_line(void *user, TellKind kind, const char *where, const char *what,
                       const char *hint)
{
    (void)hint, (void)user;
    bool stray = strstr(what, "not part of") != NULL;
    told += stray;
    if (kind == TELL_FINDING || stray) printf("# %s: %s\n", where, what);
}

/* Nothing is wrong, and nothing lies about. */
static int sound(const char *directory)
{
    Tell tell = {.line = count_line};
    told = 0;
    return good(database_check(NULL, directory, &our_clock, &tell)) && tell.findings == 0 &&
           told == 0;
}

/* ---- snapshots ---- */

static void snapshots(const char *directory)
{
    Database *database = opened(directory, false, 0);
    SnapshotInfo info = {0}, unnamed = {0};
    State empty = {0}, one, two;
    EXPECT(good(database_create_snapshot(database, STR("empty"), NULL, NULL, &info)));
    State state = empty;
    EXPECT(commit(database, &state, 10, 0, false));
    one = state;
    EXPECT(good(database_create_snapshot(database, STR("one"), NULL, NULL, &info)) &&
           info.bytes > 0);
    EXPECT(files_in(directory, "graph") == 1 && files_in(directory, "metadata") == 2);
    EXPECT(good(database_create_snapshot(database, STR(""), NULL, NULL, &unnamed)));
    EXPECT(files_in(directory, "graph") == 1); /* nothing changed: nothing is written again */
    EXPECT(code_of(database_create_snapshot(database, STR("one"), NULL, NULL, &info)) ==
           ERROR_NAME_EXISTS);
    EXPECT(commit(database, &state, 20, 0, false) && commit(database, &state, 33, 0, false));
    two = state;
    EXPECT(at_snapshot(database, "empty", 0, &empty) && at_snapshot(database, "one", 0, &one));
    EXPECT(at_snapshot(database, "", unnamed.id, &one));
    EXPECT(good(database_create_snapshot(database, STR("two"), NULL, NULL, &info)));
    EXPECT(commit(database, &state, 40, 1, false));
    error_drop(database_close(database));
    EXPECT(sound(directory));
    Database *reader = opened(directory, true, 0);
    EXPECT(at_snapshot(reader, "one", 0, &one) && at_snapshot(reader, "two", 0, &two));
    Past *held = NULL;
    EXPECT(good(database_at_snapshot(reader, STR("two"), 0, &held)));
    database = opened(directory, false, 0);
    State now = present(database);
    EXPECT(same(&now, &state) && at_snapshot(database, "two", 0, &two));
    Error *error = database_at_snapshot(database, STR("tow"), 0, &(Past *){NULL});
    EXPECT(error != NULL && strcmp(error_hint_text(error), "did you mean two?") == 0);
    error_drop(error);
    /* A dropped snapshot's file stays as long as somebody reads it. */
    EXPECT(commit(database, &state, 50, 1, false));
    EXPECT(good(database_create_snapshot(database, STR("three"), NULL, NULL, &info)));
    int before = files_in(directory, "graph");
    EXPECT(good(database_drop_snapshot(database, STR("two"))));
    EXPECT(files_in(directory, "graph") == before && is_past(reader, held, &two));
    past_release(reader, held);
    error_drop(database_close(reader));
    EXPECT(good(database_drop_snapshot(database, STR("one"))));
    EXPECT(files_in(directory, "graph") == before - 1); /* `unnamed` still has the file of `one` */
    char number[24];
    snprintf(number, sizeof number, "%llu", (unsigned long long)unnamed.id);
    EXPECT(good(database_drop_snapshot(database, str_from(number))));
    EXPECT(files_in(directory, "graph") == before - 2);
    EXPECT(code_of(database_drop_snapshot(database, STR("one"))) == ERROR_NAME_UNKNOWN);
    error_drop(database_close(database));
    EXPECT(sound(directory));
    char copy[512];
    snprintf(copy, sizeof copy, "%s.copy", directory);
    Tell tell = {.line = count_line};
    EXPECT(good(database_backup(NULL, directory, copy, &our_clock, &tell)) && sound(copy));
    database = opened(copy, false, 0);
    EXPECT(at_snapshot(database, "empty", 0, &empty) && at_snapshot(database, "three", 0, &state));
    error_drop(database_close(database));
}

/* A name of 255 bytes is one, of 256 none; so many states are kept, and no more (a long test). */
static void limits(const char *directory, bool all)
{
    enum { NAME_BYTES = 255, STATES = 1024 };
    Database *database = opened(directory, false, 0);
    SnapshotInfo info;
    char name[NAME_BYTES + 1];
    memset(name, 'n', sizeof name);
    EXPECT(code_of(database_create_snapshot(database, (Str){name, NAME_BYTES + 1}, NULL, NULL,
                                            &info)) == ERROR_LIMIT);
    EXPECT(good(database_create_snapshot(database, (Str){name, NAME_BYTES}, NULL, NULL, &info)));
    int made = 1;
    while (all && made < 2 * STATES &&
           code_of(database_create_snapshot(database, STR(""), NULL, NULL, &info)) == 0)
        made++;
    EXPECT(!all || made == STATES - 1);
    EXPECT(!all ||
           code_of(database_create_snapshot(database, STR(""), NULL, NULL, &info)) == ERROR_LIMIT);
    error_drop(database_close(database));
    EXPECT(sound(directory));
}

static void retention(const char *directory)
{
    Database *database = opened(directory, false, 0);
    SnapshotInfo info = {0}, *list;
    size_t count;
    Arena *arena = arena_create();
    State state = {0};
    EXPECT(good(database_retain(database, (Retention){.keep = 2})));
    EXPECT(good(database_create_snapshot(database, STR("stays"), NULL, NULL, &info)));
    for (int i = 0; i < 4; i++) {
        now_ns += SECOND;
        EXPECT(commit(database, &state, i + 1, 0, false));
        EXPECT(good(database_create_snapshot(database, STR(""), NULL, NULL, &info)));
    }
    EXPECT(good(database_snapshots(database, arena, &list, &count)) && count == 3);
    EXPECT(count == 3 && str_equal(list[0].name, STR("stays")) && list[2].id == info.id);
    EXPECT(files_in(directory, "graph") == 2 && files_in(directory, "metadata") == 3);
    EXPECT(good(database_retain(database, (Retention){.keep_for_ns = 10 * SECOND})));
    error_drop(database_close(database));
    now_ns += 20 * SECOND;
    database = opened(directory, false, 0);
    EXPECT(database_retention(database).keep_for_ns == 10 * SECOND);
    EXPECT(good(database_create_snapshot(database, STR("last"), NULL, NULL, &info)));
    EXPECT(good(database_snapshots(database, arena, &list, &count)) && count == 2);
    Database *reader = opened(directory, true, 0);
    EXPECT(code_of(database_create_snapshot(reader, STR("x"), NULL, NULL, &info)) ==
           ERROR_READ_ONLY);
    EXPECT(code_of(database_retain(reader, (Retention){.keep = 1})) == ERROR_READ_ONLY);
    error_drop(database_close(reader));
    error_drop(database_close(database));
    EXPECT(sound(directory));
    DatabaseOptions memory = {0};
    EXPECT(good(database_open_memory(&memory, &our_clock, &database)));
    EXPECT(code_of(database_create_snapshot(database, STR("x"), NULL, NULL, &info)) ==
           ERROR_READ_ONLY);
    error_drop(database_close(database));
    arena_destroy(arena);
}

/* ---- history ---- */

static void history(const char *directory)
{
    enum { COMMITS = 12 };
    Database *database = opened(directory, false, 0);
    SnapshotInfo info = {0};
    State state = {0}, states[COMMITS];
    int64_t times[COMMITS]; /* right after */
    EXPECT(good(database_retain(database, (Retention){.history_keep_ns = 100 * SECOND})));
    for (int i = 0; i < COMMITS; i++) {
        now_ns += SECOND;
        EXPECT(commit(database, &state, i + 1, (uint64_t)(i % 3), false));
        states[i] = state;
        times[i] = now_ns;
        if (i % 4 == 3)
            EXPECT(good(database_create_snapshot(database, STR(""), NULL, NULL, &info)));
    }
    for (int i = 0; i < COMMITS; i++)
        EXPECT(at_time(database, times[i], &states[i]) &&
               at_time(database, times[i] + SECOND / 2, &states[i]));
    EXPECT(no_time(database, times[0] - 10000 * SECOND) == ERROR_NAME_UNKNOWN);
    EXPECT(sound(directory));
    error_drop(database_close(database));
    Database *reader = opened(directory, true, 0);
    EXPECT(at_time(reader, times[2], &states[2]) && at_time(reader, times[9], &states[9]));
    error_drop(database_close(reader));
    /* When time has gone on, and then something is written. */
    now_ns += 1000 * SECOND;
    database = opened(directory, false, 0);
    EXPECT(at_time(database, times[5], &states[5]));
    EXPECT(commit(database, &state, 77, 2, false));
    EXPECT(good(database_create_snapshot(database, STR("later"), NULL, NULL, &info)));
    now_ns += SECOND;
    EXPECT(commit(database, &state, 78, 2, false));
    EXPECT(at_time(database, now_ns - 500 * SECOND, &states[COMMITS - 1]));
    EXPECT(no_time(database, times[1]) == ERROR_NAME_UNKNOWN);
    EXPECT(at_time(database, times[3], &states[3])); /* a snapshot was taken just then */
    error_drop(database_close(database));
    EXPECT(sound(directory));
}

/* ---- checkpoints beside everything ---- */

typedef struct Beside {
    Database *database;
    atomic_bool stop;
    int bad;
} Beside;

/* The values of nodes 0 and 1 are always one another's opposite. */
static void *read_beside(void *user)
{
    Beside *beside = user;
    while (!atomic_load(&beside->stop)) {
        State state = present(beside->database);
        beside->bad += state.value[0] != -state.value[1];
    }
    return NULL;
}

static int commit_opposites(Database *database, int64_t value)
{
    Transaction *transaction;
    GraphWriter *writer;
    if (!good(transaction_begin(database, &transaction)) ||
        !good(transaction_writer(transaction, NULL, NULL, &writer)))
        return 0;
    uint32_t key = graph_name_intern(writer, NAME_KEY, STR("v"));
    for (uint64_t id = 0; id < 2; id++) {
        uint64_t made;
        if (value == 0 && !good(graph_create_node(writer, NULL, 0, &made))) return 0;
        graph_set_property(writer, VALUE_NODE, id, key, value_integer(id == 0 ? value : -value));
    }
    return good(transaction_commit(transaction));
}

/* A checkpoint that fails is told once, and loses nothing. */
static void failing_checkpoint(const char *directory)
{
    char path[4096];
    Database *database = opened(directory, false, 4000);
    Error *trouble = NULL;
    int all = commit_opposites(database, 0);
    snprintf(path, sizeof path, "%s/tmp", directory);
    FILE *file = rmdir(path) == 0 ? fopen(path, "w") : NULL; /* where a segment would be begun */
    EXPECT(file != NULL && fclose(file) == 0);
    for (int64_t i = 1; i < 6000 && all && trouble == NULL; i++) {
        all = commit_opposites(database, i);
        trouble = database_take_trouble(database);
        if (i > 600 && trouble == NULL) usleep(10000);
    }
    EXPECT(all && trouble != NULL);
    error_drop(trouble);
    EXPECT(remove(path) == 0);
    error_drop(database_close(database));
    EXPECT(sound(directory));
}

static void checkpoints(const char *directory)
{
    enum { COMMITS = 600, PATIENCE = 6000 }; /* of 10 ms: a busy machine */
    Database *database = opened(directory, false, 4000);
    pthread_t threads[2];
    EXPECT(commit_opposites(database, 0));
    Database *reader = opened(directory, true, 0);
    Beside here = {.database = database}, there = {.database = reader};
    Transaction *held;
    EXPECT(good(transaction_begin(reader, &held)));
    pthread_create(&threads[0], NULL, read_beside, &here);
    pthread_create(&threads[1], NULL, read_beside, &there);
    int all = 1;
    for (int64_t i = 1; i < COMMITS; i++)
        all = all && commit_opposites(database, i);
    EXPECT(all);
    /* Commits are faster than a checkpoint, whose thread may not even have run yet. */
    int64_t value = COMMITS - 1;
    for (int i = 0; i < PATIENCE && all && database_counters(database).checkpoints == 0; i++) {
        usleep(10000);
        all = commit_opposites(database, ++value);
    }
    EXPECT(all);
    SnapshotInfo info;
    EXPECT(good(database_create_snapshot(database, STR("end"), NULL, NULL, &info)));
    atomic_store(&here.stop, true), atomic_store(&there.stop, true);
    pthread_join(threads[0], NULL), pthread_join(threads[1], NULL);
    EXPECT(here.bad == 0 && there.bad == 0);
    State old = state_of(transaction_view(held));
    EXPECT(old.value[0] == 0 && old.alive[1]); /* what it saw when it began */
    transaction_rollback(held);
    DatabaseCounters counters = database_counters(database);
    printf("# checkpoints beside readers and the writer: %llu\n",
           (unsigned long long)counters.checkpoints);
    EXPECT(counters.checkpoints > 0);
    State last = present(reader);
    EXPECT(last.value[0] == value);
    error_drop(database_close(reader));
    error_drop(database_close(database));
    EXPECT(sound(directory) && files_in(directory, "wal") <= 1);
    database = opened(directory, false, 0);
    EXPECT(database_counters(database).replayed < COMMITS);
    last = present(database);
    EXPECT(last.value[0] == value && last.value[1] == -value);
    error_drop(database_close(database));
}

/* ---- opening writes nothing ---- */

/* The machine's own files, opened for reading only; what would change one, or a folder, is counted
 * and refused: as on media that cannot be written to. A writer's LOCK alone is let through, for
 * `writing`. */
typedef struct Still {
    Io io;
    int changes;
    bool writing;
} Still;

static Still still;

static Error *refuse_change(void)
{
    still.changes++;
    return error_new(ERROR_IO, "read-only media");
}
static Error *still_open(const Io *io, const char *path, IoMode mode, IoFile **out)
{
    (void)io;
    const char *name = strrchr(path, '/');
    bool lock = still.writing && name != NULL && strcmp(name, "/LOCK") == 0;
    return mode == IO_READ || lock ? io_posix()->open(io_posix(), path, mode, out)
                                   : refuse_change();
}
static Error *still_rename(const Io *io, const char *from, const char *to)
{
    (void)io, (void)from, (void)to;
    return refuse_change();
}
static Error *still_path(const Io *io, const char *path)
{
    (void)io, (void)path;
    return refuse_change();
}

static void no_writes(const char *directory)
{
    Database *database = opened(directory, false, 0);
    SnapshotInfo info;
    State state = {0}, old;
    EXPECT(commit(database, &state, 5, 0, false));
    EXPECT(good(database_create_snapshot(database, STR("old"), NULL, NULL, &info)));
    old = state;
    EXPECT(commit(database, &state, 6, 1, false)); /* is in the log */
    error_drop(database_close(database));
    still.io = *io_posix();
    still.io.open = still_open;
    still.io.rename = still_rename, still.io.unlink = still_path;
    still.io.make_directory = still_path, still.io.sync_directory = still_path;
    for (int writing = 0; writing < 2; writing++) {
        const DatabaseOptions options = {.read_only = !writing, .io = &still.io};
        still.writing = writing;
        EXPECT(good(database_open(directory, &options, &our_clock, &database)));
        State now = present(database);
        EXPECT(same(&now, &state) && at_snapshot(database, "old", 0, &old));
        error_drop(database_close(database));
        EXPECT(still.changes == 0);
    }
}

/* ---- random work ---- */

static uint64_t seed;
static uint64_t dice(uint64_t sides)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (seed >> 33) % sides;
}

enum { MOMENTS_MAX = 4000, KEPT_MAX = 64 };
typedef struct Instant {        /* after a commit */
    int64_t before_ns, wall_ns; /* it was made between */
    State state;
} Instant;
typedef struct Kept {
    char name[16];
    uint64_t id;
    int64_t made_ns;
    bool doubtful; /* a checkpoint may have found it expired */
    State state;
} Kept;

typedef struct World {
    const char *directory;
    Database *database, *reader;
    Instant *moments;
    int moment_count;
    Kept kept[KEPT_MAX];
    int kept_count;
    State state;
    Retention retention;
    uint64_t created; /* nodes: the next one's id */
    Past *held;
    State held_state;
    int steps, snapshots, drops, looks, reopens;
} World;

static const State *state_at(const World *world, int64_t wall_ns)
{
    const State *found = NULL;
    for (int i = 0; i < world->moment_count; i++)
        if (world->moments[i].wall_ns <= wall_ns) found = &world->moments[i].state;
    return found;
}

static int step_commit(World *world)
{
    uint64_t at = dice(3) == 0 ? world->created : dice(world->created + 1);
    if (world->moment_count == MOMENTS_MAX) return 1;
    while (at < world->created && !world->state.alive[at])
        at++;
    if (at == IDS_MAX) return 1;
    world->created += at == world->created;
    bool drop = dice(6) == 0;
    now_ns += (int64_t)dice(3) * SECOND;
    int64_t before_ns = now_ns;
    int all = commit(world->database, &world->state, (int64_t)dice(1000) + 1, at, drop);
    world->moments[world->moment_count++] = (Instant){before_ns, now_ns, world->state};
    return all;
}

static bool is_over(const World *world, int i)
{
    uint64_t newer = 0;
    if (world->kept[i].name[0] != '\0') return false;
    for (int j = i + 1; j < world->kept_count; j++)
        newer += world->kept[j].name[0] == '\0';
    return (world->retention.keep > 0 && newer >= world->retention.keep) ||
           (world->retention.keep_for_ns > 0 &&
            world->kept[i].made_ns < now_ns - world->retention.keep_for_ns);
}

/* What retention gives up when something is made. */
static void expire(World *world)
{
    int left = 0;
    bool over[KEPT_MAX];
    for (int i = 0; i < world->kept_count; i++)
        over[i] = is_over(world, i);
    for (int i = 0; i < world->kept_count; i++)
        if (!over[i]) world->kept[left++] = world->kept[i];
    world->kept_count = left;
}

static int step_snapshot(World *world)
{
    SnapshotInfo info;
    if (world->kept_count == KEPT_MAX) return 1;
    Kept *kept = &world->kept[world->kept_count];
    *kept = (Kept){.state = world->state, .made_ns = now_ns};
    if (dice(2) == 0) snprintf(kept->name, sizeof kept->name, "s%d", world->steps);
    if (!good(database_create_snapshot(world->database, str_from(kept->name), NULL, NULL, &info)))
        return 0;
    kept->id = info.id;
    world->kept_count++;
    world->snapshots++;
    expire(world);
    return 1;
}

static int step_drop(World *world)
{
    char number[24];
    if (world->kept_count == 0) return 1;
    int i = (int)dice((uint64_t)world->kept_count);
    if (world->kept[i].doubtful) return 1;
    snprintf(number, sizeof number, "%llu", (unsigned long long)world->kept[i].id);
    const char *name = world->kept[i].name[0] != '\0' ? world->kept[i].name : number;
    if (!good(database_drop_snapshot(world->database, str_from(name)))) return 0;
    memmove(&world->kept[i], &world->kept[i + 1],
            (size_t)(world->kept_count - i - 1) * sizeof *world->kept);
    world->kept_count--;
    world->drops++;
    expire(world);
    return 1;
}

static int step_retain(World *world)
{
    world->retention.keep = dice(3) == 0 ? dice(4) : 0;
    world->retention.keep_for_ns = dice(3) == 0 ? (int64_t)dice(30) * SECOND : 0;
    return good(database_retain(world->database, world->retention));
}

static int step_look(World *world)
{
    Database *from = world->reader != NULL && dice(2) == 0 ? world->reader : world->database;
    world->looks++;
    if (world->kept_count > 0 && dice(2) == 0) {
        const Kept *kept = &world->kept[dice((uint64_t)world->kept_count)];
        if (kept->doubtful) return 1;
        return at_snapshot(from, kept->name, kept->id, &kept->state);
    }
    if (from == world->reader) present(from); /* a reader is as far as its last transaction */
    int64_t ago = (int64_t)dice(60) * SECOND, then = now_ns - ago;
    const State *wanted = state_at(world, then);
    for (int i = 0; i < world->moment_count; i++)
        if (world->moments[i].before_ns <= then && then < world->moments[i].wall_ns) return 1;
    if (wanted != NULL && ago < world->retention.history_keep_ns)
        return at_time(from, then, wanted);
    Past *past = NULL;
    Error *error = database_at_time(from, then, &past);
    if (error != NULL) return code_of(error) == ERROR_NAME_UNKNOWN;
    State none = {0};
    int as_wanted = is_past(from, past, wanted == NULL ? &none : wanted);
    past_release(from, past);
    return as_wanted;
}

/* A past is held over steps, and is still what it was. */
static int step_hold(World *world)
{
    Database *from = world->reader;
    if (from == NULL) return 1;
    if (world->held != NULL) {
        int as_it_was = is_past(from, world->held, &world->held_state);
        past_release(from, world->held);
        world->held = NULL;
        return as_it_was;
    }
    if (world->kept_count == 0) return 1;
    const Kept *kept = &world->kept[dice((uint64_t)world->kept_count)];
    if (kept->doubtful) return 1;
    world->held_state = kept->state;
    return good(database_at_snapshot(from, str_from(kept->name), kept->id, &world->held));
}

static void close_reader(World *world)
{
    if (world->reader == NULL) return;
    past_release(world->reader, world->held);
    world->held = NULL;
    error_drop(database_close(world->reader));
    world->reader = NULL;
}

static int step_reopen(World *world)
{
    world->reopens++;
    if (dice(2) == 0) {
        if (world->reader == NULL)
            world->reader = opened(world->directory, true, 0);
        else
            close_reader(world);
        return 1;
    }
    error_drop(database_close(world->database));
    world->database = opened(world->directory, false, dice(2) == 0 ? 300 : 0);
    if (world->database == NULL) return 0;
    State state = present(world->database);
    return same(&state, &world->state);
}

static int step(World *world)
{
    for (int i = 0; i < world->kept_count; i++)
        world->kept[i].doubtful = world->kept[i].doubtful || is_over(world, i);
    switch (dice(16)) {
    case 0:
    case 1: return step_snapshot(world);
    case 2: return step_drop(world);
    case 3: return step_retain(world);
    case 4: return step_reopen(world);
    case 5: return step_hold(world);
    case 6:
    case 7:
    case 8: return step_look(world);
    default: return step_commit(world);
    }
}

static void random_work(const char *directory, uint64_t round, int steps)
{
    seed = round;
    World world = {.directory = directory, .database = opened(directory, false, 300)};
    world.moments = mem_calloc(MOMENTS_MAX + 1, sizeof *world.moments);
    world.retention.history_keep_ns = (int64_t)dice(3) * 20 * SECOND;
    int all = good(database_retain(world.database, world.retention));
    for (; world.steps < steps && all; world.steps++)
        all = step(&world);
    if (!all) printf("# seed %llu, step %d\n", (unsigned long long)round, world.steps);
    EXPECT(all);
    close_reader(&world);
    error_drop(database_close(world.database));
    world.database = opened(directory, false, 0);
    int kept = 1;
    for (int i = 0; i < world.kept_count; i++)
        kept = kept && (world.kept[i].doubtful || is_over(&world, i) ||
                        at_snapshot(world.database, world.kept[i].name, world.kept[i].id,
                                    &world.kept[i].state));
    EXPECT(kept);
    State state = present(world.database);
    EXPECT(same(&state, &world.state));
    error_drop(database_close(world.database));
    EXPECT(sound(directory));
    printf("# seed %llu: %d steps, %d snapshots, %d dropped, %d looks back, %d reopened\n",
           (unsigned long long)round, world.steps, world.snapshots, world.drops, world.looks,
           world.reopens);
    mem_free(world.moments);
}

int main(void)
{
    char directory[64] = "/tmp/contextql-snapshots.XXXXXX", path[128], command[128];
    const char *asked = getenv("SNAPSHOT_ROUNDS"); /* more than a check has time for */
    int rounds = asked == NULL ? 6 : atoi(asked);
    if (mkdtemp(directory) == NULL) return 99;
    snprintf(path, sizeof path, "%s/snapshots", directory);
    snapshots(path);
    snprintf(path, sizeof path, "%s/limits", directory);
    limits(path, asked != NULL);
    snprintf(path, sizeof path, "%s/retention", directory);
    retention(path);
    snprintf(path, sizeof path, "%s/history", directory);
    history(path);
    snprintf(path, sizeof path, "%s/still", directory);
    no_writes(path);
    snprintf(path, sizeof path, "%s/checkpoints", directory);
    checkpoints(path);
    snprintf(path, sizeof path, "%s/trouble", directory);
    failing_checkpoint(path);
    for (int round = 1; round <= rounds; round++) {
        snprintf(path, sizeof path, "%s/random%d", directory, round);
        random_work(path, (uint64_t)round, 200);
    }
    snprintf(command, sizeof command, "rm -rf %s", directory);
    return system(command) != 0 ? 99 : DONE();
}
