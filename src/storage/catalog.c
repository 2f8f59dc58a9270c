/*
 * catalog.c - catalog.db: read at opening, committed by checkpoints.
 *
 * Opened, used and closed again at once: closing folds sqlite's own log into the file, so that
 * between checkpoints the directory holds one catalog file. Its files go through Io
 * (catalog_vfs.c), in exclusive locking mode, without shared memory: the right to write is the
 * directory's. A reader writes nothing, which works on read-only media also when a crash has left
 * sqlite's log beside the file; it takes no lock, but every row is checked against its checksum,
 * and all of them against one that covers them, so what a commit in that very moment might do to
 * such a reader is noticed, and the reader begins anew.
 */
#include "config.h"

#include "storage/catalog.h"
#include "storage/catalog_vfs.h"
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

enum { BUSY_TIMEOUT_MS = 5000 };

typedef struct Connection {
    CatalogVfs files;
    sqlite3 *database;
    const char *directory;
} Connection;

/* What Io said is the better story; sqlite's own is told where it came to it by itself. */
static Error *refused(Connection *connection)
{
    const char *directory = connection->directory;
    Error *error = connection->files.error;
    connection->files.error = NULL;
    if (error != NULL) return error;
    sqlite3 *database = connection->database;
    int code = database == NULL ? SQLITE_NOMEM : sqlite3_errcode(database) & 0xff;
    const char *reason = database == NULL ? "no memory" : sqlite3_errmsg(database);
    if (code == SQLITE_BUSY)
        return error_hint(
            error_new(ERROR_LOCKED, "%s/catalog.db is in use by another program", directory),
            "end that program (a sqlite3 shell?) and try again");
    if (code == SQLITE_CORRUPT)
        return error_hint(error_new(ERROR_CORRUPT, "%s/catalog.db: %s", directory, reason),
                          "restore a copy of the directory");
    bool foreign = code == SQLITE_NOTADB || code == SQLITE_ERROR;
    return error_hint(error_new(foreign ? ERROR_NOT_A_DATABASE : ERROR_IO, "%s/catalog.db: %s",
                                directory, reason),
                      foreign
                          ? "name a directory that contextql made, or one that does not exist yet"
                          : "check the directory's permissions and space");
}

/* ---- open and close ---- */

static void close_connection(Connection *connection)
{
    sqlite3_close(connection->database);
    connection->database = NULL;
}

/* Temporary files would not be the database's. Exclusive comes before anything is read, for the
 * log's index to lie in sqlite's own memory. */
static Error *open_connection(Connection *connection, const Io *io, const char *directory,
                              const char *path, int flags)
{
    static const char settings[] = "PRAGMA locking_mode=EXCLUSIVE; PRAGMA temp_store=MEMORY;"
                                   "PRAGMA synchronous=FULL";
    bool reading = (flags & SQLITE_OPEN_READONLY) != 0;
    connection->directory = directory;
    if (!catalog_vfs_begin(&connection->files, io, reading)) return refused(connection);
    if (sqlite3_open_v2(path, &connection->database, flags, connection->files.name) != SQLITE_OK)
        return refused(connection);
    sqlite3_busy_timeout(connection->database, BUSY_TIMEOUT_MS);
    sqlite3_db_config(connection->database, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, reading, NULL);
    return sqlite3_exec(connection->database, settings, NULL, NULL, NULL) == SQLITE_OK
               ? NULL
               : refused(connection);
}

/* ---- rows ---- */

static uint32_t setting_crc(const char *name, const void *value, size_t bytes)
{
    return crc32c(crc32c(0, name, strlen(name)), value, bytes);
}

/* `state` is the id of the one whose file it is; 0: the checkpoint's. */
static uint32_t file_crc(uint64_t state, const SegmentFile *file, uint64_t position)
{
    Buffer row = {0};
    if (state != 0) put_u64(&row, state);
    put_u64(&row, file->id);
    put_str(&row, str_from(file->name));
    put_u64(&row, file->bytes);
    put_u32(&row, file->crc);
    put_u64(&row, position);
    uint32_t crc = crc32c(0, row.data, row.bytes);
    buffer_free(&row);
    return crc;
}

static uint32_t state_crc(const CatalogState *state)
{
    Buffer row = {0};
    put_u64(&row, state->id);
    put_u64(&row, (uint64_t)state->kind);
    put_str(&row, state->name);
    put_u64(&row, (uint64_t)state->made_ns);
    put_u64(&row, (uint64_t)state->commit_ns);
    put_u64(&row, state->start.lsn);
    put_u64(&row, state->start.segment);
    put_u64(&row, state->start.epoch);
    put_u64(&row, state->file_count);
    put_str(&row, state->schema);
    uint32_t crc = crc32c(0, row.data, row.bytes);
    buffer_free(&row);
    return crc;
}

/* Numbers are kept as eight little-endian bytes, so that one checksum rule fits every setting. */
static bool put_setting(sqlite3_stmt *insert, uint64_t *sum, const char *name, const void *value,
                        size_t bytes)
{
    uint32_t crc = setting_crc(name, value, bytes);
    *sum += crc;
    sqlite3_reset(insert);
    sqlite3_bind_text(insert, 1, name, -1, SQLITE_STATIC);
    sqlite3_bind_blob64(insert, 2, value, bytes, SQLITE_STATIC);
    sqlite3_bind_int64(insert, 3, crc);
    return sqlite3_step(insert) == SQLITE_DONE;
}

static bool put_number(sqlite3_stmt *insert, uint64_t *sum, const char *name, uint64_t value)
{
    Buffer bytes = {0};
    put_u64(&bytes, value);
    bool good = put_setting(insert, sum, name, bytes.data, bytes.bytes);
    buffer_free(&bytes);
    return good;
}

static bool put_settings(sqlite3 *database, uint64_t *sum, const Catalog *catalog)
{
    sqlite3_stmt *insert = NULL;
    static const char text[] = "INSERT OR REPLACE INTO setting VALUES(?,?,?)";
    if (sqlite3_prepare_v2(database, text, -1, &insert, NULL) != SQLITE_OK) return false;
    bool good =
        put_setting(insert, sum, "uuid", catalog->uuid, CATALOG_UUID_BYTES) &&
        put_number(insert, sum, "format_min_reader", CATALOG_FORMAT) &&
        put_number(insert, sum, "format_min_writer", CATALOG_FORMAT) &&
        put_number(insert, sum, "checkpoint", catalog->checkpoint) &&
        put_number(insert, sum, "epoch", catalog->start.epoch) &&
        put_number(insert, sum, "wal_lsn", catalog->start.lsn) &&
        put_number(insert, sum, "wal_segment", catalog->start.segment) &&
        put_number(insert, sum, "file_count", catalog->file_count) &&
        put_number(insert, sum, "commit_time", (uint64_t)catalog->commit_ns) &&
        put_number(insert, sum, "snapshot_count", catalog->state_count) &&
        put_number(insert, sum, "keep", catalog->keep) &&
        put_number(insert, sum, "keep_for", (uint64_t)catalog->keep_for_ns) &&
        put_number(insert, sum, "history_keep", (uint64_t)catalog->history_keep_ns) &&
        put_setting(insert, sum, "schema", catalog->schema.data == NULL ? "" : catalog->schema.data,
                    catalog->schema.bytes);
    return sqlite3_finalize(insert) == SQLITE_OK && good;
}

static bool put_files(sqlite3 *database, uint64_t *sum, const Catalog *catalog)
{
    sqlite3_stmt *insert = NULL;
    static const char text[] = "INSERT INTO file VALUES(?,?,?,?,?,?)";
    if (sqlite3_prepare_v2(database, text, -1, &insert, NULL) != SQLITE_OK) return false;
    bool good = true;
    for (size_t i = 0; i < catalog->file_count && good; i++) {
        const SegmentFile *file = &catalog->files[i];
        uint32_t crc = file_crc(0, file, i);
        *sum += crc;
        sqlite3_reset(insert);
        sqlite3_bind_int64(insert, 1, (sqlite3_int64)file->id);
        sqlite3_bind_text(insert, 2, file->name, -1, SQLITE_STATIC);
        sqlite3_bind_int64(insert, 3, (sqlite3_int64)file->bytes);
        sqlite3_bind_int64(insert, 4, file->crc);
        sqlite3_bind_int64(insert, 5, (sqlite3_int64)i);
        sqlite3_bind_int64(insert, 6, crc);
        good = sqlite3_step(insert) == SQLITE_DONE;
    }
    return sqlite3_finalize(insert) == SQLITE_OK && good;
}

static bool put_state_files(sqlite3_stmt *insert, uint64_t *sum, const CatalogState *state)
{
    bool good = true;
    for (size_t i = 0; i < state->file_count && good; i++) {
        const SegmentFile *file = &state->files[i];
        uint32_t crc = file_crc(state->id, file, i);
        *sum += crc;
        sqlite3_reset(insert);
        sqlite3_bind_int64(insert, 1, (sqlite3_int64)state->id);
        sqlite3_bind_int64(insert, 2, (sqlite3_int64)i);
        sqlite3_bind_int64(insert, 3, (sqlite3_int64)file->id);
        sqlite3_bind_text(insert, 4, file->name, -1, SQLITE_STATIC);
        sqlite3_bind_int64(insert, 5, (sqlite3_int64)file->bytes);
        sqlite3_bind_int64(insert, 6, file->crc);
        sqlite3_bind_int64(insert, 7, crc);
        good = sqlite3_step(insert) == SQLITE_DONE;
    }
    return good;
}

static bool put_state(sqlite3_stmt *insert, uint64_t *sum, const CatalogState *state)
{
    uint32_t crc = state_crc(state);
    *sum += crc;
    sqlite3_reset(insert);
    sqlite3_bind_int64(insert, 1, (sqlite3_int64)state->id);
    sqlite3_bind_int64(insert, 2, (sqlite3_int64)state->kind);
    sqlite3_bind_text(insert, 3, state->name.bytes == 0 ? "" : state->name.data,
                      (int)state->name.bytes, SQLITE_STATIC);
    sqlite3_bind_int64(insert, 4, state->made_ns);
    sqlite3_bind_int64(insert, 5, state->commit_ns);
    sqlite3_bind_int64(insert, 6, (sqlite3_int64)state->start.lsn);
    sqlite3_bind_int64(insert, 7, (sqlite3_int64)state->start.segment);
    sqlite3_bind_int64(insert, 8, (sqlite3_int64)state->start.epoch);
    sqlite3_bind_int64(insert, 9, (sqlite3_int64)state->file_count);
    sqlite3_bind_blob64(insert, 10, state->schema.bytes == 0 ? "" : state->schema.data,
                        state->schema.bytes, SQLITE_STATIC);
    sqlite3_bind_int64(insert, 11, crc);
    return sqlite3_step(insert) == SQLITE_DONE;
}

static bool put_states(sqlite3 *database, uint64_t *sum, const Catalog *catalog)
{
    sqlite3_stmt *state = NULL, *file = NULL;
    static const char text[] = "INSERT INTO snapshot VALUES(?,?,?,?,?,?,?,?,?,?,?)",
                      file_text[] = "INSERT INTO snapshot_file VALUES(?,?,?,?,?,?,?)";
    bool good = sqlite3_prepare_v2(database, text, -1, &state, NULL) == SQLITE_OK &&
                sqlite3_prepare_v2(database, file_text, -1, &file, NULL) == SQLITE_OK;
    for (size_t i = 0; i < catalog->state_count && good; i++)
        good = put_state(state, sum, &catalog->states[i]) &&
               put_state_files(file, sum, &catalog->states[i]);
    bool left = sqlite3_finalize(state) == SQLITE_OK;
    return sqlite3_finalize(file) == SQLITE_OK && left && good;
}

/* All rows' checksums together, so that none can be an older one that was sound. */
static bool put_sum(sqlite3 *database, uint64_t sum)
{
    sqlite3_stmt *insert = NULL;
    static const char text[] = "INSERT OR REPLACE INTO setting VALUES(?,?,?)";
    if (sqlite3_prepare_v2(database, text, -1, &insert, NULL) != SQLITE_OK) return false;
    bool good = put_number(insert, &(uint64_t){0}, "row_sum", sum);
    return sqlite3_finalize(insert) == SQLITE_OK && good;
}

/* ---- writing ---- */

/* Databases of format 1 have the first two tables only. */
static const char tables[] =
    "CREATE TABLE IF NOT EXISTS setting(name TEXT PRIMARY KEY, value NOT NULL,"
    " crc INTEGER NOT NULL);"
    "CREATE TABLE IF NOT EXISTS file(id INTEGER PRIMARY KEY, name TEXT NOT NULL,"
    " bytes INTEGER NOT NULL, content_crc INTEGER NOT NULL, position INTEGER NOT NULL,"
    " crc INTEGER NOT NULL);"
    "CREATE TABLE IF NOT EXISTS snapshot(id INTEGER PRIMARY KEY, kind INTEGER NOT NULL,"
    " name TEXT NOT NULL, made INTEGER NOT NULL, committed INTEGER NOT NULL,"
    " wal_lsn INTEGER NOT NULL, wal_segment INTEGER NOT NULL, epoch INTEGER NOT NULL,"
    " file_count INTEGER NOT NULL, schema NOT NULL, crc INTEGER NOT NULL);"
    "CREATE TABLE IF NOT EXISTS snapshot_file(snapshot INTEGER NOT NULL,"
    " position INTEGER NOT NULL, id INTEGER NOT NULL, name TEXT NOT NULL, bytes INTEGER NOT NULL,"
    " content_crc INTEGER NOT NULL, crc INTEGER NOT NULL, PRIMARY KEY(snapshot, position));";

static bool run(sqlite3 *database, const char *text)
{
    return sqlite3_exec(database, text, NULL, NULL, NULL) == SQLITE_OK;
}

static bool replace_all(sqlite3 *database, const Catalog *catalog)
{
    uint64_t sum = 0;
    return run(database, "BEGIN IMMEDIATE") && run(database, tables) &&
           run(database, "DELETE FROM file; DELETE FROM snapshot; DELETE FROM snapshot_file") &&
           put_settings(database, &sum, catalog) && put_files(database, &sum, catalog) &&
           put_states(database, &sum, catalog) && put_sum(database, sum) && run(database, "COMMIT");
}

/* Made under tmp/ and renamed when it is whole: a crash leaves either no catalog or this one. What
 * fails while it is closed has left a part of it in sqlite's log, so it is not whole. */
static Error *create_at(const Io *io, const char *path, const char *directory,
                        const Catalog *catalog)
{
    Connection connection = {0};
    Error *error = open_connection(&connection, io, directory, path,
                                   SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
    if (error == NULL && (!run(connection.database, "PRAGMA journal_mode=WAL") ||
                          !replace_all(connection.database, catalog)))
        error = refused(&connection);
    close_connection(&connection);
    if (error == NULL && connection.files.error != NULL) error = refused(&connection);
    catalog_vfs_end(&connection.files);
    return error;
}

static Error *sync_whole(const Io *io, const char *path)
{
    IoFile *file;
    TRY(io_open(io, path, IO_WRITE, &file));
    Error *error = io_sync(file);
    io_close(file);
    return error;
}

Error *catalog_create_as(const Io *io, const char *directory, const Catalog *catalog)
{
    static const char *const leftovers[] = {"tmp/catalog.db", "tmp/catalog.db-wal",
                                            "tmp/catalog.db-shm", "tmp/catalog.db-journal"};
    char path[IO_PATH_BYTES_MAX], temporary[IO_PATH_BYTES_MAX];
    TRY(io_join(temporary, directory, "tmp"));
    TRY(io_make_directory(io, temporary));
    for (size_t i = 0; i < sizeof leftovers / sizeof *leftovers; i++) {
        TRY(io_join(temporary, directory, leftovers[i]));
        TRY(io_unlink(io, temporary));
    }
    TRY(io_join(temporary, directory, leftovers[0]));
    TRY(io_join(path, directory, "catalog.db"));
    TRY(create_at(io, temporary, directory, catalog));
    TRY(sync_whole(io, temporary));
    TRY(io_rename(io, temporary, path));
    return io_sync_directory(io, directory);
}

Error *catalog_create(const Io *io, const char *directory, int64_t now_ns)
{
    Catalog catalog = {.start = {.lsn = 1, .segment = 1, .epoch = 1}, .commit_ns = now_ns};
    if (getrandom(catalog.uuid, sizeof catalog.uuid, 0) != (ssize_t)sizeof catalog.uuid)
        return error_new(ERROR_IO, "the system gives no random numbers");
    return catalog_create_as(io, directory, &catalog);
}

Error *catalog_commit(const Io *io, const char *directory, const Catalog *catalog)
{
    char path[IO_PATH_BYTES_MAX];
    Connection connection = {0};
    assert(catalog->file_count <= CATALOG_FILES_MAX);
    assert(catalog->state_count <= CATALOG_STATES_MAX);
    TRY(io_join(path, directory, "catalog.db"));
    Error *error = open_connection(&connection, io, directory, path, SQLITE_OPEN_READWRITE);
    if (error == NULL && !replace_all(connection.database, catalog)) error = refused(&connection);
    close_connection(&connection); /* what fails in it is in sqlite's log, which stays then */
    catalog_vfs_end(&connection.files);
    return error;
}

/* ---- reading ---- */

typedef struct Reading {
    Connection connection;
    Arena *arena;
    Catalog *out;
    bool read_only;
    uint64_t format, writer_format, file_count, state_count;
    uint64_t sum, stored_sum; /* of the checksums of the rows read; as written */
    uint32_t setting_count;
} Reading;

enum { SETTING_COUNT = 10 }; /* of format 1 */

/* No database lives so long; below it nothing that counts on from here overflows. */
#define COUNTER_MAX (UINT64_C(1) << 62)

static Error *damaged(const Reading *reading, const char *what)
{
    return error_hint(error_new(ERROR_CORRUPT, "%s/catalog.db is damaged: %s",
                                reading->connection.directory, what),
                      "restore a copy of the directory; nothing was changed");
}

static void take_setting(Reading *reading, const char *name, Str value)
{
    Catalog *out = reading->out;
    struct {
        const char *name;
        void *at; /* uint64_t, or int64_t of a time */
    } numbers[] = {{"format_min_reader", &reading->format},
                   {"format_min_writer", &reading->writer_format},
                   {"checkpoint", &out->checkpoint},
                   {"epoch", &out->start.epoch},
                   {"wal_lsn", &out->start.lsn},
                   {"wal_segment", &out->start.segment},
                   {"file_count", &reading->file_count},
                   {"row_sum", &reading->stored_sum},
                   {"commit_time", &out->commit_ns},
                   {"snapshot_count", &reading->state_count},
                   {"keep", &out->keep},
                   {"keep_for", &out->keep_for_ns},
                   {"history_keep", &out->history_keep_ns}};
    Reader reader = reader_of(value.data, value.bytes);
    reading->setting_count++;
    if (strcmp(name, "uuid") == 0 && value.bytes == CATALOG_UUID_BYTES)
        memcpy(out->uuid, value.data, CATALOG_UUID_BYTES);
    if (strcmp(name, "schema") == 0) out->schema = str_copy(reading->arena, value);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (strcmp(name, numbers[i].name) == 0) {
            uint64_t number = get_u64(&reader);
            memcpy(numbers[i].at, &number, sizeof number);
        }
}

static Error *read_settings(Reading *reading)
{
    sqlite3_stmt *query = NULL;
    static const char text[] = "SELECT name, value, crc FROM setting";
    if (sqlite3_prepare_v2(reading->connection.database, text, -1, &query, NULL) != SQLITE_OK)
        return refused(&reading->connection);
    Error *error = NULL;
    int step;
    while (error == NULL && (step = sqlite3_step(query)) == SQLITE_ROW) {
        const char *name = (const char *)sqlite3_column_text(query, 0);
        Str value = {sqlite3_column_blob(query, 1), (size_t)sqlite3_column_bytes(query, 1)};
        if (value.data == NULL) value.data = "";
        uint32_t crc = (uint32_t)sqlite3_column_int64(query, 2);
        if (name == NULL || !checksum_fits(crc, setting_crc(name, value.data, value.bytes)))
            error = damaged(reading, "a setting");
        else
            take_setting(reading, name, value);
        if (name != NULL && strcmp(name, "row_sum") != 0) reading->sum += crc;
    }
    if (error == NULL && step != SQLITE_DONE) error = refused(&reading->connection);
    sqlite3_finalize(query);
    return error;
}

/* The columns from `first` on: id, name, bytes, content_crc, crc. */
static Error *take_file(Reading *reading, sqlite3_stmt *query, int first, uint64_t state,
                        uint64_t position, SegmentFile *file)
{
    const char *name = (const char *)sqlite3_column_text(query, first + 1);
    if (name == NULL || strlen(name) >= sizeof file->name || strstr(name, "..") != NULL)
        return damaged(reading, "a file's name");
    strcpy(file->name, name);
    file->id = (uint64_t)sqlite3_column_int64(query, first);
    file->bytes = (uint64_t)sqlite3_column_int64(query, first + 2);
    file->crc = (uint32_t)sqlite3_column_int64(query, first + 3);
    uint32_t crc = file_crc(state, file, position);
    if (!checksum_fits((uint32_t)sqlite3_column_int64(query, first + 4), crc))
        return damaged(reading, "a file's row");
    reading->sum += crc;
    return NULL;
}

static Error *read_files(Reading *reading)
{
    sqlite3_stmt *query = NULL;
    static const char text[] =
        "SELECT id, name, bytes, content_crc, crc FROM file ORDER BY position";
    if (reading->file_count > CATALOG_FILES_MAX) return damaged(reading, "too many files");
    reading->out->files = arena_array(reading->arena, SegmentFile, reading->file_count + 1);
    if (sqlite3_prepare_v2(reading->connection.database, text, -1, &query, NULL) != SQLITE_OK)
        return refused(&reading->connection);
    Error *error = NULL;
    int step;
    while (error == NULL && (step = sqlite3_step(query)) == SQLITE_ROW) {
        size_t i = reading->out->file_count++;
        error = i >= reading->file_count
                    ? damaged(reading, "more files than it says")
                    : take_file(reading, query, 0, 0, i, &reading->out->files[i]);
    }
    if (error == NULL && step != SQLITE_DONE) error = refused(&reading->connection);
    sqlite3_finalize(query);
    if (error == NULL && reading->out->file_count != reading->file_count)
        error = damaged(reading, "a file is missing in it");
    return error;
}

/* ---- states that are kept ---- */

static bool start_is_sound(const WalStart *start)
{
    return start->lsn > 0 && start->segment > 0 && start->lsn < COUNTER_MAX &&
           start->segment < COUNTER_MAX && start->epoch < COUNTER_MAX;
}

static Str column_bytes(const Reading *reading, sqlite3_stmt *query, int column)
{
    Str bytes = {sqlite3_column_blob(query, column), (size_t)sqlite3_column_bytes(query, column)};
    return bytes.data == NULL ? STR("") : str_copy(reading->arena, bytes);
}

static Error *take_state(Reading *reading, sqlite3_stmt *query, CatalogState *state)
{
    state->id = (uint64_t)sqlite3_column_int64(query, 0);
    state->kind = (CatalogKind)sqlite3_column_int64(query, 1);
    state->name = column_bytes(reading, query, 2);
    state->made_ns = sqlite3_column_int64(query, 3);
    state->commit_ns = sqlite3_column_int64(query, 4);
    state->start.lsn = (uint64_t)sqlite3_column_int64(query, 5);
    state->start.segment = (uint64_t)sqlite3_column_int64(query, 6);
    state->start.epoch = (uint64_t)sqlite3_column_int64(query, 7);
    state->file_count = (size_t)sqlite3_column_int64(query, 8);
    state->schema = column_bytes(reading, query, 9);
    uint32_t crc = state_crc(state);
    bool sound = checksum_fits((uint32_t)sqlite3_column_int64(query, 10), crc) &&
                 (state->kind == CATALOG_SNAPSHOT || state->kind == CATALOG_HISTORY) &&
                 state->id > 0 && state->id < COUNTER_MAX &&
                 state->file_count <= CATALOG_FILES_MAX && start_is_sound(&state->start);
    if (!sound) return damaged(reading, "a snapshot's row");
    reading->sum += crc;
    state->files = arena_array(reading->arena, SegmentFile, state->file_count + 1);
    return NULL;
}

static Error *read_state_rows(Reading *reading, sqlite3_stmt *query)
{
    Catalog *out = reading->out;
    Error *error = NULL;
    int step = SQLITE_DONE;
    while (error == NULL && (step = sqlite3_step(query)) == SQLITE_ROW) {
        size_t i = out->state_count++;
        error = i >= reading->state_count ? damaged(reading, "more snapshots than it says")
                                          : take_state(reading, query, &out->states[i]);
    }
    if (error == NULL && step != SQLITE_DONE) error = refused(&reading->connection);
    if (error == NULL && out->state_count != reading->state_count)
        error = damaged(reading, "a snapshot is missing in it");
    return error;
}

/* In the order of states, and of positions in each: every row must be the next one. */
static Error *read_state_files(Reading *reading, sqlite3_stmt *query)
{
    Catalog *out = reading->out;
    size_t state = 0, position = 0;
    Error *error = NULL;
    int step = SQLITE_DONE;
    for (;;) {
        while (state < out->state_count && position == out->states[state].file_count)
            state++, position = 0;
        step = sqlite3_step(query);
        if (step != SQLITE_ROW) break;
        if (state == out->state_count ||
            (uint64_t)sqlite3_column_int64(query, 0) != out->states[state].id ||
            (uint64_t)sqlite3_column_int64(query, 1) != position)
            return damaged(reading, "a file of a snapshot is missing in it, or one too many");
        error = take_file(reading, query, 2, out->states[state].id, position,
                          &out->states[state].files[position]);
        if (error != NULL) return error;
        position++;
    }
    if (step != SQLITE_DONE) return refused(&reading->connection);
    return state == out->state_count ? NULL
                                     : damaged(reading, "a file of a snapshot is missing in it");
}

static Error *read_states(Reading *reading)
{
    static const char *const texts[] = {
        "SELECT id, kind, name, made, committed, wal_lsn, wal_segment, epoch, file_count, schema,"
        " crc FROM snapshot ORDER BY id",
        "SELECT snapshot, position, id, name, bytes, content_crc, crc FROM snapshot_file"
        " ORDER BY snapshot, position"};
    if (reading->state_count == 0) return NULL;
    if (reading->state_count > CATALOG_STATES_MAX) return damaged(reading, "too many snapshots");
    reading->out->states = arena_array(reading->arena, CatalogState, reading->state_count);
    Error *error = NULL;
    for (int i = 0; i < 2 && error == NULL; i++) {
        sqlite3_stmt *query = NULL;
        if (sqlite3_prepare_v2(reading->connection.database, texts[i], -1, &query, NULL) !=
            SQLITE_OK)
            return refused(&reading->connection);
        error = i == 0 ? read_state_rows(reading, query) : read_state_files(reading, query);
        sqlite3_finalize(query);
    }
    return error;
}

/* ---- all of it ---- */

static Error *check_format(const Reading *reading)
{
    if (reading->format < CATALOG_FORMAT_OLDEST)
        return error_hint(
            error_new(ERROR_VERSION,
                      "%s was written in format %" PRIu64 ", this program reads those from %d on",
                      reading->connection.directory, reading->format, CATALOG_FORMAT_OLDEST),
            "write it out with the contextql that made it, and load it anew");
    bool reads = reading->format <= CATALOG_FORMAT,
         writes = reading->writer_format <= CATALOG_FORMAT;
    if (reads && (writes || reading->read_only)) return NULL;
    return error_hint(
        error_new(ERROR_VERSION, "%s was written in format %" PRIu64 ", this program %s up to %d",
                  reading->connection.directory, reads ? reading->writer_format : reading->format,
                  reads ? "writes" : "reads", CATALOG_FORMAT),
        reads ? "use a newer contextql, or open with --read-only" : "use a newer contextql");
}

static Error *read_all(Reading *reading)
{
    TRY(read_settings(reading));
    TRY(check_format(reading));
    if (reading->setting_count < SETTING_COUNT) return damaged(reading, "a setting is missing");
    bool sound = start_is_sound(&reading->out->start) && reading->out->checkpoint < COUNTER_MAX &&
                 reading->out->keep_for_ns >= 0 && reading->out->history_keep_ns >= 0;
    if (!sound) return damaged(reading, "a number is out of range");
    TRY(read_files(reading));
    TRY(read_states(reading));
    /* Whole numbers of 64 bits: what a checksum is told to fit (fuzzing), its sum fits, too. */
    bool same = reading->sum == reading->stored_sum || checksum_fits(0, 1);
    return same ? NULL : damaged(reading, "its rows are not of one time");
}

/* Left by a crash in the middle of a commit; whoever writes folds it in. */
static bool has_log(const Io *io, const char *path)
{
    char log[IO_PATH_BYTES_MAX + 8];
    snprintf(log, sizeof log, "%s-wal", path);
    return io_kind(io, log) == IO_FILE;
}

Error *catalog_read(const Io *io, const char *directory, bool read_only, Arena *arena, Catalog *out)
{
    char path[IO_PATH_BYTES_MAX];
    *out = (Catalog){0};
    TRY(io_join(path, directory, "catalog.db"));
    if (io_kind(io, path) != IO_FILE)
        return error_hint(error_new(ERROR_NOT_A_DATABASE,
                                    "%s is not a database: it has no catalog.db", directory),
                          "name a directory that contextql made");
    Reading reading = {.arena = arena, .out = out, .read_only = read_only};
    bool quiet = read_only || !has_log(io, path);
    Error *error = open_connection(&reading.connection, io, directory, path,
                                   quiet ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE);
    if (error == NULL) error = read_all(&reading);
    close_connection(&reading.connection);
    catalog_vfs_end(&reading.connection.files);
    return error;
}

/* ---- what sqlite says of it ---- */

Error *catalog_verify(const Io *io, const char *directory,
                      void (*bad)(void *user, const char *what), void *user)
{
    char path[IO_PATH_BYTES_MAX];
    Connection connection = {0};
    sqlite3_stmt *query = NULL;
    TRY(io_join(path, directory, "catalog.db"));
    Error *error = open_connection(&connection, io, directory, path, SQLITE_OPEN_READONLY);
    if (error == NULL && sqlite3_prepare_v2(connection.database, "PRAGMA integrity_check", -1,
                                            &query, NULL) != SQLITE_OK)
        error = refused(&connection);
    int step = SQLITE_DONE;
    while (error == NULL && (step = sqlite3_step(query)) == SQLITE_ROW) {
        const char *what = (const char *)sqlite3_column_text(query, 0);
        if (what != NULL && strcmp(what, "ok") != 0) bad(user, what);
    }
    if (error == NULL && step != SQLITE_DONE) error = refused(&connection);
    sqlite3_finalize(query);
    close_connection(&connection);
    catalog_vfs_end(&connection.files);
    return error;
}
