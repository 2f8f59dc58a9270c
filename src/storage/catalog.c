/*
 * catalog.c - catalog.db: one table of names and values, read at opening and written at creation.
 */
#include "config.h"

#include "storage/catalog.h"
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

static Error *refused(sqlite3 *catalog, const char *directory)
{
    int code = sqlite3_errcode(catalog) & 0xff;
    bool foreign = code == SQLITE_NOTADB || code == SQLITE_ERROR || code == SQLITE_CORRUPT;
    return error_hint(error_new(foreign ? ERROR_NOT_A_DATABASE : ERROR_IO, "%s/catalog.db: %s",
                                directory, sqlite3_errmsg(catalog)),
                      foreign
                          ? "name a directory that contextql made, or one that does not exist yet"
                          : "check the directory's permissions and space");
}

static Error *make(sqlite3 *catalog, const char *directory)
{
    uint8_t uuid[CATALOG_UUID_BYTES];
    char statement[512], hex[2 * CATALOG_UUID_BYTES + 1];
    if (getrandom(uuid, sizeof uuid, 0) != (ssize_t)sizeof uuid)
        return error_new(ERROR_IO, "the system gives no random numbers");
    for (size_t i = 0; i < sizeof uuid; i++)
        snprintf(hex + 2 * i, 3, "%02x", uuid[i]);
    snprintf(statement, sizeof statement,
             "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; BEGIN IMMEDIATE;"
             "CREATE TABLE setting(name TEXT PRIMARY KEY, value NOT NULL);"
             "INSERT INTO setting VALUES('uuid', x'%s'), ('format_min_reader', %d), "
             "('format_min_writer', %d); COMMIT;",
             hex, CATALOG_FORMAT, CATALOG_FORMAT);
    return sqlite3_exec(catalog, statement, NULL, NULL, NULL) == SQLITE_OK
               ? NULL
               : refused(catalog, directory);
}

static Error *read_settings(sqlite3 *catalog, const char *directory,
                            uint8_t uuid[CATALOG_UUID_BYTES])
{
    sqlite3_stmt *query = NULL;
    bool found = false;
    int format = 0, step;
    if (sqlite3_prepare_v2(catalog, "SELECT name, value FROM setting", -1, &query, NULL) !=
        SQLITE_OK)
        return refused(catalog, directory);
    while ((step = sqlite3_step(query)) == SQLITE_ROW) {
        const char *name = (const char *)sqlite3_column_text(query, 0);
        if (name != NULL && strcmp(name, "uuid") == 0 &&
            sqlite3_column_bytes(query, 1) == CATALOG_UUID_BYTES) {
            memcpy(uuid, sqlite3_column_blob(query, 1), CATALOG_UUID_BYTES);
            found = true;
        }
        if (name != NULL && strcmp(name, "format_min_reader") == 0)
            format = sqlite3_column_int(query, 1);
    }
    Error *error = step == SQLITE_DONE ? NULL : refused(catalog, directory);
    sqlite3_finalize(query);
    if (error == NULL && !found)
        error =
            error_new(ERROR_NOT_A_DATABASE, "%s/catalog.db is no catalog of contextql", directory);
    if (error == NULL && format > CATALOG_FORMAT)
        error = error_hint(error_new(ERROR_VERSION,
                                     "%s was written in format %d, this program reads up to %d",
                                     directory, format, CATALOG_FORMAT),
                           "use a newer contextql");
    return error;
}

Error *catalog_open(const char *directory, bool create, uint8_t uuid[CATALOG_UUID_BYTES])
{
    char path[4352];
    sqlite3 *catalog = NULL;
    snprintf(path, sizeof path, "%.4200s/catalog.db", directory);
    bool there = access(path, F_OK) == 0;
    if (!there && !create)
        return error_hint(error_new(ERROR_NOT_A_DATABASE,
                                    "%s is not a database: it has no catalog.db", directory),
                          "name a directory that contextql made");
    int flags = there ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
    Error *error = NULL;
    if (sqlite3_open_v2(path, &catalog, flags, NULL) != SQLITE_OK)
        error = refused(catalog, directory);
    if (error == NULL && !there) error = make(catalog, directory);
    if (error == NULL) error = read_settings(catalog, directory, uuid);
    sqlite3_close(catalog);
    return error;
}
