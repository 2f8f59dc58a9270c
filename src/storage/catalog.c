/*
 * catalog.c - catalog.db: read at opening, committed by checkpoints.
 *
 * Opened, used and closed again at once: closing folds sqlite's own log into the file, so that
 * between checkpoints the directory holds one catalog file and readers need no shared memory. A
 * reader opens it as immutable when there is no sqlite log beside it, which writes nothing and
 * works on read-only media; every row is checked against its checksum, so what a commit in that
 * very moment might do to such a reader is noticed, and the reader begins anew.
 */
#include "config.h"

#include "storage/catalog.h"
#include <assert.h>
#include <inttypes.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

enum { BUSY_TIMEOUT_MS = 5000, URI_BYTES_MAX = 3 * IO_PATH_BYTES_MAX + 64 };

static Error *refused(sqlite3 *database, const char *directory)
{
    int code = database == NULL ? SQLITE_NOMEM : sqlite3_errcode(database) & 0xff;
    const char *reason = database == NULL ? "no memory" : sqlite3_errmsg(database);
    if (code == SQLITE_FULL)
        return error_hint(error_new(ERROR_FULL, "%s/catalog.db: %s", directory, reason),
                          "free space on the disk");
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

/* ---- open ---- */

static void put_uri_path(char *out, const char *path)
{
    static const char digits[] = "0123456789ABCDEF";
    for (; *path != '\0'; path++) {
        bool plain = *path != '%' && *path != '?' && *path != '#';
        if (plain) {
            *out++ = *path;
        } else {
            *out++ = '%';
            *out++ = digits[(unsigned char)*path >> 4];
            *out++ = digits[*path & 15];
        }
    }
    *out = '\0';
}

static bool has_log(const char *path)
{
    char log[IO_PATH_BYTES_MAX + 8];
    struct stat status;
    snprintf(log, sizeof log, "%s-wal", path);
    return stat(log, &status) == 0 && status.st_size > 0;
}

static Error *open_reading(const char *path, const char *directory, sqlite3 **out)
{
    char uri[URI_BYTES_MAX] = "file:";
    put_uri_path(uri + 5, path);
    if (!has_log(path)) strcat(uri, "?immutable=1");
    if (sqlite3_open_v2(uri, out, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, NULL) == SQLITE_OK)
        return NULL;
    return refused(*out, directory);
}

static Error *open_writing(const char *path, const char *directory, bool create, sqlite3 **out)
{
    int flags = SQLITE_OPEN_READWRITE | (create ? SQLITE_OPEN_CREATE : 0);
    if (sqlite3_open_v2(path, out, flags, NULL) != SQLITE_OK) return refused(*out, directory);
    sqlite3_busy_timeout(*out, BUSY_TIMEOUT_MS);
    return sqlite3_exec(*out, "PRAGMA synchronous=FULL", NULL, NULL, NULL) == SQLITE_OK
               ? NULL
               : refused(*out, directory);
}

/* ---- rows ---- */

static uint32_t setting_crc(const char *name, const void *value, size_t bytes)
{
    return crc32c(crc32c(0, name, strlen(name)), value, bytes);
}

static uint32_t file_crc(const SegmentFile *file, uint64_t position)
{
    Buffer row = {0};
    put_u64(&row, file->id);
    put_str(&row, str_from(file->name));
    put_u64(&row, file->bytes);
    put_u32(&row, file->crc);
    put_u64(&row, position);
    uint32_t crc = crc32c(0, row.data, row.bytes);
    buffer_free(&row);
    return crc;
}

/* Numbers are kept as eight little-endian bytes, so that one checksum rule fits every setting. */
static bool put_setting(sqlite3_stmt *insert, const char *name, const void *value, size_t bytes)
{
    sqlite3_reset(insert);
    sqlite3_bind_text(insert, 1, name, -1, SQLITE_STATIC);
    sqlite3_bind_blob64(insert, 2, value, bytes, SQLITE_STATIC);
    sqlite3_bind_int64(insert, 3, setting_crc(name, value, bytes));
    return sqlite3_step(insert) == SQLITE_DONE;
}

static bool put_number(sqlite3_stmt *insert, const char *name, uint64_t value)
{
    Buffer bytes = {0};
    put_u64(&bytes, value);
    bool good = put_setting(insert, name, bytes.data, bytes.bytes);
    buffer_free(&bytes);
    return good;
}

static bool put_settings(sqlite3 *database, const Catalog *catalog)
{
    sqlite3_stmt *insert = NULL;
    static const char text[] = "INSERT OR REPLACE INTO setting VALUES(?,?,?)";
    if (sqlite3_prepare_v2(database, text, -1, &insert, NULL) != SQLITE_OK) return false;
    bool good =
        put_setting(insert, "uuid", catalog->uuid, CATALOG_UUID_BYTES) &&
        put_number(insert, "format_min_reader", CATALOG_FORMAT) &&
        put_number(insert, "format_min_writer", CATALOG_FORMAT) &&
        put_number(insert, "checkpoint", catalog->checkpoint) &&
        put_number(insert, "epoch", catalog->start.epoch) &&
        put_number(insert, "wal_lsn", catalog->start.lsn) &&
        put_number(insert, "wal_segment", catalog->start.segment) &&
        put_number(insert, "file_count", catalog->file_count) &&
        put_setting(insert, "schema", catalog->schema.data == NULL ? "" : catalog->schema.data,
                    catalog->schema.bytes);
    return sqlite3_finalize(insert) == SQLITE_OK && good;
}

static bool put_files(sqlite3 *database, const Catalog *catalog)
{
    sqlite3_stmt *insert = NULL;
    static const char text[] = "INSERT INTO file VALUES(?,?,?,?,?,?)";
    if (sqlite3_prepare_v2(database, text, -1, &insert, NULL) != SQLITE_OK) return false;
    bool good = true;
    for (size_t i = 0; i < catalog->file_count && good; i++) {
        const SegmentFile *file = &catalog->files[i];
        sqlite3_reset(insert);
        sqlite3_bind_int64(insert, 1, (sqlite3_int64)file->id);
        sqlite3_bind_text(insert, 2, file->name, -1, SQLITE_STATIC);
        sqlite3_bind_int64(insert, 3, (sqlite3_int64)file->bytes);
        sqlite3_bind_int64(insert, 4, file->crc);
        sqlite3_bind_int64(insert, 5, (sqlite3_int64)i);
        sqlite3_bind_int64(insert, 6, file_crc(file, i));
        good = sqlite3_step(insert) == SQLITE_DONE;
    }
    return sqlite3_finalize(insert) == SQLITE_OK && good;
}

/* ---- writing ---- */

static bool replace_all(sqlite3 *database, const Catalog *catalog)
{
    return sqlite3_exec(database, "BEGIN IMMEDIATE; DELETE FROM file;", NULL, NULL, NULL) ==
               SQLITE_OK &&
           put_settings(database, catalog) && put_files(database, catalog) &&
           sqlite3_exec(database, "COMMIT", NULL, NULL, NULL) == SQLITE_OK;
}

/* Made under tmp/ and renamed when it is whole: a crash leaves either no catalog or this one. */
static Error *create_at(const char *path, const char *directory, const Catalog *catalog)
{
    static const char tables[] =
        "PRAGMA journal_mode=WAL;"
        "CREATE TABLE setting(name TEXT PRIMARY KEY, value NOT NULL, crc INTEGER NOT NULL);"
        "CREATE TABLE file(id INTEGER PRIMARY KEY, name TEXT NOT NULL, bytes INTEGER NOT NULL,"
        " content_crc INTEGER NOT NULL, position INTEGER NOT NULL, crc INTEGER NOT NULL);";
    sqlite3 *database = NULL;
    Error *error = open_writing(path, directory, true, &database);
    if (error == NULL && (sqlite3_exec(database, tables, NULL, NULL, NULL) != SQLITE_OK ||
                          !replace_all(database, catalog)))
        error = refused(database, directory);
    sqlite3_close(database);
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

Error *catalog_create_as(const char *directory, const Catalog *catalog)
{
    static const char *const leftovers[] = {"tmp/catalog.db", "tmp/catalog.db-wal",
                                            "tmp/catalog.db-shm", "tmp/catalog.db-journal"};
    const Io *io = io_posix();
    char path[IO_PATH_BYTES_MAX], temporary[IO_PATH_BYTES_MAX];
    TRY(io_join(temporary, directory, "tmp"));
    TRY(io_make_directory(io, temporary));
    for (size_t i = 0; i < sizeof leftovers / sizeof *leftovers; i++) {
        TRY(io_join(temporary, directory, leftovers[i]));
        TRY(io_unlink(io, temporary));
    }
    TRY(io_join(temporary, directory, leftovers[0]));
    TRY(io_join(path, directory, "catalog.db"));
    TRY(create_at(temporary, directory, catalog));
    TRY(sync_whole(io, temporary));
    TRY(io_rename(io, temporary, path));
    return io_sync_directory(io, directory);
}

Error *catalog_create(const char *directory)
{
    Catalog catalog = {.start = {.lsn = 1, .segment = 1, .epoch = 1}};
    if (getrandom(catalog.uuid, sizeof catalog.uuid, 0) != (ssize_t)sizeof catalog.uuid)
        return error_new(ERROR_IO, "the system gives no random numbers");
    return catalog_create_as(directory, &catalog);
}

Error *catalog_commit(const char *directory, const Catalog *catalog)
{
    char path[IO_PATH_BYTES_MAX];
    assert(catalog->file_count <= CATALOG_FILES_MAX);
    TRY(io_join(path, directory, "catalog.db"));
    sqlite3 *database = NULL;
    Error *error = open_writing(path, directory, false, &database);
    if (error == NULL && !replace_all(database, catalog)) error = refused(database, directory);
    sqlite3_close(database);
    return error;
}

/* ---- reading ---- */

typedef struct Reading {
    sqlite3 *database;
    const char *directory;
    Arena *arena;
    Catalog *out;
    uint64_t format, file_count;
    uint32_t setting_count;
} Reading;

enum { SETTING_COUNT = 9 };

/* No database lives so long; below it nothing that counts on from here overflows. */
#define COUNTER_MAX (UINT64_C(1) << 62)

static Error *damaged(const Reading *reading, const char *what)
{
    return error_hint(
        error_new(ERROR_CORRUPT, "%s/catalog.db is damaged: %s", reading->directory, what),
        "restore a copy of the directory; nothing was changed");
}

static void take_setting(Reading *reading, const char *name, Str value)
{
    Catalog *out = reading->out;
    struct {
        const char *name;
        uint64_t *at;
    } numbers[] = {{"format_min_reader", &reading->format},
                   {"checkpoint", &out->checkpoint},
                   {"epoch", &out->start.epoch},
                   {"wal_lsn", &out->start.lsn},
                   {"wal_segment", &out->start.segment},
                   {"file_count", &reading->file_count}};
    Reader reader = reader_of(value.data, value.bytes);
    reading->setting_count++;
    if (strcmp(name, "uuid") == 0 && value.bytes == CATALOG_UUID_BYTES)
        memcpy(out->uuid, value.data, CATALOG_UUID_BYTES);
    if (strcmp(name, "schema") == 0) out->schema = str_copy(reading->arena, value);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (strcmp(name, numbers[i].name) == 0) *numbers[i].at = get_u64(&reader);
}

static Error *read_settings(Reading *reading)
{
    sqlite3_stmt *query = NULL;
    static const char text[] = "SELECT name, value, crc FROM setting";
    if (sqlite3_prepare_v2(reading->database, text, -1, &query, NULL) != SQLITE_OK)
        return refused(reading->database, reading->directory);
    Error *error = NULL;
    int step;
    while (error == NULL && (step = sqlite3_step(query)) == SQLITE_ROW) {
        const char *name = (const char *)sqlite3_column_text(query, 0);
        Str value = {sqlite3_column_blob(query, 1), (size_t)sqlite3_column_bytes(query, 1)};
        if (value.data == NULL) value.data = "";
        if (name == NULL || !checksum_fits((uint32_t)sqlite3_column_int64(query, 2),
                                           setting_crc(name, value.data, value.bytes)))
            error = damaged(reading, "a setting");
        else
            take_setting(reading, name, value);
    }
    if (error == NULL && step != SQLITE_DONE)
        error = refused(reading->database, reading->directory);
    sqlite3_finalize(query);
    return error;
}

static Error *take_file(Reading *reading, sqlite3_stmt *query)
{
    Catalog *out = reading->out;
    if (out->file_count >= reading->file_count) return damaged(reading, "more files than it says");
    SegmentFile *file = &out->files[out->file_count];
    const char *name = (const char *)sqlite3_column_text(query, 1);
    if (name == NULL || strlen(name) >= sizeof file->name || strstr(name, "..") != NULL)
        return damaged(reading, "a file's name");
    strcpy(file->name, name);
    file->id = (uint64_t)sqlite3_column_int64(query, 0);
    file->bytes = (uint64_t)sqlite3_column_int64(query, 2);
    file->crc = (uint32_t)sqlite3_column_int64(query, 3);
    if (!checksum_fits((uint32_t)sqlite3_column_int64(query, 4), file_crc(file, out->file_count)))
        return damaged(reading, "a file's row");
    out->file_count++;
    return NULL;
}

static Error *read_files(Reading *reading)
{
    sqlite3_stmt *query = NULL;
    static const char text[] =
        "SELECT id, name, bytes, content_crc, crc FROM file ORDER BY position";
    if (reading->file_count > CATALOG_FILES_MAX) return damaged(reading, "too many files");
    reading->out->files = arena_array(reading->arena, SegmentFile, reading->file_count + 1);
    if (sqlite3_prepare_v2(reading->database, text, -1, &query, NULL) != SQLITE_OK)
        return refused(reading->database, reading->directory);
    Error *error = NULL;
    int step;
    while (error == NULL && (step = sqlite3_step(query)) == SQLITE_ROW)
        error = take_file(reading, query);
    if (error == NULL && step != SQLITE_DONE)
        error = refused(reading->database, reading->directory);
    sqlite3_finalize(query);
    if (error == NULL && reading->out->file_count != reading->file_count)
        error = damaged(reading, "a file is missing in it");
    return error;
}

static Error *read_all(Reading *reading)
{
    TRY(read_settings(reading));
    if (reading->format > CATALOG_FORMAT)
        return error_hint(error_new(ERROR_VERSION,
                                    "%s was written in format %" PRIu64
                                    ", this program reads up to %d",
                                    reading->directory, reading->format, CATALOG_FORMAT),
                          "use a newer contextql");
    if (reading->setting_count < SETTING_COUNT) return damaged(reading, "a setting is missing");
    const WalStart *start = &reading->out->start;
    bool sound = start->lsn > 0 && start->segment > 0 && reading->out->checkpoint < COUNTER_MAX &&
                 start->lsn < COUNTER_MAX && start->segment < COUNTER_MAX &&
                 start->epoch < COUNTER_MAX;
    if (!sound) return damaged(reading, "a number is out of range");
    return read_files(reading);
}

Error *catalog_read(const char *directory, bool read_only, Arena *arena, Catalog *out)
{
    char path[IO_PATH_BYTES_MAX];
    *out = (Catalog){0};
    TRY(io_join(path, directory, "catalog.db"));
    if (io_kind(io_posix(), path) != IO_FILE)
        return error_hint(error_new(ERROR_NOT_A_DATABASE,
                                    "%s is not a database: it has no catalog.db", directory),
                          "name a directory that contextql made");
    Reading reading = {.directory = directory, .arena = arena, .out = out};
    bool quiet = read_only || !has_log(path);
    Error *error = quiet ? open_reading(path, directory, &reading.database)
                         : open_writing(path, directory, false, &reading.database);
    if (error == NULL) error = read_all(&reading);
    sqlite3_close(reading.database);
    return error;
}

/* ---- what sqlite says of it ---- */

Error *catalog_verify(const char *directory, void (*bad)(void *user, const char *what), void *user)
{
    char path[IO_PATH_BYTES_MAX];
    sqlite3 *database = NULL;
    sqlite3_stmt *query = NULL;
    TRY(io_join(path, directory, "catalog.db"));
    Error *error = open_reading(path, directory, &database);
    if (error == NULL &&
        sqlite3_prepare_v2(database, "PRAGMA integrity_check", -1, &query, NULL) != SQLITE_OK)
        error = refused(database, directory);
    int step = SQLITE_DONE;
    while (error == NULL && (step = sqlite3_step(query)) == SQLITE_ROW) {
        const char *what = (const char *)sqlite3_column_text(query, 0);
        if (what != NULL && strcmp(what, "ok") != 0) bad(user, what);
    }
    if (error == NULL && step != SQLITE_DONE) error = refused(database, directory);
    sqlite3_finalize(query);
    sqlite3_close(database);
    return error;
}
