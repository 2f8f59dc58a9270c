/*
 * strays.c - what is put into a database's directory by others, taken out of it, or exchanged: files
 * that are nobody's, files of another database, formats of another version, names that are folders.
 *
 * For each: what opening says, for reading and for writing; that what opens is all there; and that
 * what is somebody else's stays. In a real directory, with what people do there.
 */
#include "config.h"

#include "base/bytes.h"
#include "ledger.h"
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { WHY_BYTES = 256, NEWER = 5003 };

static char folder[] = "strays-XXXXXX";

/* ---- files ---- */

/* A command of the shell, in the folder: d is the database at hand, a and b two sound ones. */
static void shell(const char *command)
{
    char line[512];
    snprintf(line, sizeof line, "cd %s && { %s; } >/dev/null 2>&1", folder, command);
    if (system(line) != 0) printf("# failed: %s\n", command);
}

static bool is_there(const char *name)
{
    char path[256];
    struct stat status;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return stat(path, &status) == 0;
}

/* The only file of this folder of d, as a path. */
static void only_file(const char *where, char out[256])
{
    char command[256];
    snprintf(command, sizeof command, "ls -d %s/d/%s/*", folder, where);
    FILE *listing = popen(command, "r");
    if (listing == NULL || fgets(out, 256, listing) == NULL) abort();
    pclose(listing);
    out[strcspn(out, "\n")] = '\0';
}

/* A number in a header of d, with the checksum behind it made right again. */
static void change_header(const char *where, long place, uint32_t value, size_t used)
{
    char path[256];
    uint8_t header[64];
    only_file(where, path);
    FILE *file = fopen(path, "r+");
    if (file == NULL || used > sizeof header || fread(header, 1, used, file) != used) abort();
    memcpy(header + place, &value, sizeof value);
    uint32_t crc = crc32c(0, header, used - 4);
    memcpy(header + used - 4, &crc, 4);
    rewind(file);
    if (fwrite(header, 1, used, file) != used) abort();
    fclose(file);
}

static void run_sql(sqlite3 *database, const char *text)
{
    if (sqlite3_exec(database, text, NULL, NULL, NULL) != SQLITE_OK)
        printf("# %s: %s\n", text, sqlite3_errmsg(database));
}

/* A setting of d's catalog, with all checksums made right. */
static void change_setting(const char *name, uint64_t value)
{
    char path[128], text[256];
    sqlite3 *database;
    uint8_t bytes[8];
    snprintf(path, sizeof path, "%s/d/catalog.db", folder);
    if (sqlite3_open(path, &database) != SQLITE_OK) abort();
    for (int i = 0; i < 8; i++)
        bytes[i] = (uint8_t)(value >> 8 * i);
    uint32_t crc = crc32c(crc32c(0, name, strlen(name)), bytes, 8);
    snprintf(text, sizeof text,
             "UPDATE setting SET value = x'%02x%02x%02x%02x%02x%02x%02x%02x', crc = %u WHERE name "
             "= '%s'",
             bytes[0], bytes[1], bytes[2], bytes[3], bytes[4], bytes[5], bytes[6], bytes[7], crc,
             name);
    run_sql(database, text);
    sqlite3_close(database);
}

static void sum_rows(void)
{
    char path[128];
    sqlite3 *database;
    sqlite3_stmt *query;
    snprintf(path, sizeof path, "%s/d/catalog.db", folder);
    if (sqlite3_open(path, &database) != SQLITE_OK ||
        sqlite3_prepare_v2(database,
                           "SELECT (SELECT total(crc) FROM setting WHERE name <> 'row_sum') + "
                           "(SELECT total(crc) FROM file) + (SELECT total(crc) FROM snapshot) + "
                           "(SELECT total(crc) FROM snapshot_file)",
                           -1, &query, NULL) != SQLITE_OK)
        abort();
    sqlite3_step(query);
    uint64_t sum = (uint64_t)sqlite3_column_double(query, 0);
    sqlite3_finalize(query);
    sqlite3_close(database);
    change_setting("row_sum", sum);
}

static void older(void)
{
    change_setting("format_min_reader", 1);
    change_setting("format_min_writer", 1);
    sum_rows();
}

static void newer_reader(void)
{
    change_setting("format_min_reader", 99);
    sum_rows();
}

static void newer_writer(void)
{
    change_setting("format_min_writer", 99);
    sum_rows();
}

static void newer_log(void)
{
    change_header("wal", 4, 99, 52);
}

static void newer_segment(void)
{
    change_header("graph", 4, 99, 44);
}

static void stale_row(void)
{
    change_setting("checkpoint", 7); /* a sound row, but not of this catalog */
}

/* ---- cases ---- */

typedef struct Case {
    const char *what, *command; /* what is done to d */
    void (*change)(void);
    int reading, writing; /* CONTEXTQL_OK: all is there */
    const char *stays;    /* a file that writing must not touch; NULL */
} Case;

static const Case cases[] = {
    {"nothing", ":", NULL, 0, 0, NULL},
    {"a file in the directory", "echo mine > d/notes.txt", NULL, 0, 0, "d/notes.txt"},
    {"a folder in the directory", "mkdir d/mine", NULL, 0, 0, "d/mine"},
    {"a file among the segments", "echo mine > d/graph/notes.txt", NULL, 0, 0, "d/graph/notes.txt"},
    {"a folder among the segments", "mkdir d/graph/00000077.ctxs", NULL, 0, 0,
     "d/graph/00000077.ctxs"},
    {"a file in the log", "echo mine > d/wal/notes.txt", NULL, 0, 0, "d/wal/notes.txt"},
    {"a copy kept in the log", "cp d/wal/wal-* d/wal/old.ctxw", NULL, 0, 0, "d/wal/old.ctxw"},
    {"a file in tmp", "mkdir -p d/tmp; echo mine > d/tmp/notes.txt", NULL, 0, 0, "d/tmp/notes.txt"},
    {"a folder in tmp", "mkdir -p d/tmp/x.ctxs", NULL, 0, 0, "d/tmp/x.ctxs"},
    {"half a segment in tmp", "mkdir -p d/tmp; echo half > d/tmp/00000002.ctxs", NULL, 0, 0, NULL},
    {"half a catalog in tmp", "mkdir -p d/tmp; echo half > d/tmp/catalog.db", NULL, 0, 0, NULL},
    {"a segment that nobody names", "cp b/graph/*.ctxs d/graph/00000042.ctxs", NULL, 0, 0, NULL},
    {"a segment of another database", "cp b/graph/*.ctxs d/graph/", NULL, CONTEXTQL_CORRUPT,
     CONTEXTQL_CORRUPT, NULL},
    {"a segment that is missing", "rm d/graph/*.ctxs", NULL, 1, 1, NULL},
    {"a segment that is cut", "truncate -s 5000 d/graph/*.ctxs", NULL, CONTEXTQL_CORRUPT,
     CONTEXTQL_CORRUPT, NULL},
    {"a segment that is longer", "echo more >> $(ls d/graph/*.ctxs)", NULL, CONTEXTQL_CORRUPT,
     CONTEXTQL_CORRUPT, NULL},
    {"a segment that is empty", ": > $(ls d/graph/*.ctxs)", NULL, CONTEXTQL_CORRUPT,
     CONTEXTQL_CORRUPT, NULL},
    {"a segment that is a folder", "f=$(ls d/graph/*.ctxs); rm $f; mkdir $f", NULL, 1, 1, NULL},
    {"the log of another database", "rm d/wal/*; cp b/wal/* d/wal/", NULL, CONTEXTQL_CORRUPT,
     CONTEXTQL_CORRUPT, NULL},
    {"a file of another log behind this one", "cp b/wal/* d/wal/wal-000009-00000003.ctxw", NULL,
     CONTEXTQL_CORRUPT, CONTEXTQL_CORRUPT, NULL},
    {"two files of one number", "cp d/wal/wal-* d/wal/wal-000009-00000002.ctxw", NULL,
     CONTEXTQL_CORRUPT, CONTEXTQL_CORRUPT, NULL},
    {"a log that is missing", "rm d/wal/*", NULL, CONTEXTQL_CORRUPT, CONTEXTQL_CORRUPT, NULL},
    {"the catalog of another database", "cp b/catalog.db d/", NULL, CONTEXTQL_CORRUPT,
     CONTEXTQL_CORRUPT, NULL},
    {"a catalog that is empty", ": > d/catalog.db", NULL, CONTEXTQL_NOT_A_DATABASE,
     CONTEXTQL_NOT_A_DATABASE, NULL},
    {"a catalog that is text",
     "yes > d/catalog.db & sleep 0.01; kill $!; truncate -s 8192 d/catalog.db", NULL,
     CONTEXTQL_NOT_A_DATABASE, CONTEXTQL_NOT_A_DATABASE, NULL},
    {"a catalog that is missing", "rm d/catalog.db", NULL, CONTEXTQL_NOT_A_DATABASE,
     CONTEXTQL_NOT_A_DATABASE, NULL},
    {"a catalog that is a folder", "rm d/catalog.db; mkdir d/catalog.db", NULL,
     CONTEXTQL_NOT_A_DATABASE, CONTEXTQL_NOT_A_DATABASE, NULL},
    {"another program's sqlite file",
     "rm d/catalog.db; python3 -c \"import sqlite3; "
     "sqlite3.connect('d/catalog.db').execute('create table t(x)')\"",
     NULL, CONTEXTQL_NOT_A_DATABASE, CONTEXTQL_NOT_A_DATABASE, NULL},
    {"a log of sqlite that is not the catalog's", "echo nothing > d/catalog.db-wal", NULL, 0, 0,
     NULL},
    {"shared memory of sqlite", "head -c 32768 /dev/zero > d/catalog.db-shm", NULL, 0, 0, NULL},
    {"no LOCK", "rm d/LOCK", NULL, 0, 0, NULL},
    {"an empty LOCK", ": > d/LOCK", NULL, 0, 0, NULL},
    {"a LOCK that is text", "echo mine > d/LOCK", NULL, 0, 0, NULL},
    {"a LOCK that is a folder", "rm d/LOCK; mkdir d/LOCK", NULL, 0, CONTEXTQL_IO, NULL},
    {"an older format", ":", older, NEWER, NEWER, NULL}, /* the same error: another version */
    {"a newer format, for readers", ":", newer_reader, NEWER, NEWER, NULL},
    {"a newer format, for writers only", ":", newer_writer, 0, NEWER, NULL},
    {"a newer log", ":", newer_log, NEWER, NEWER, NULL},
    {"a newer segment", ":", newer_segment, NEWER, NEWER, NULL},
    {"a catalog with a row of another time", ":", stale_row, CONTEXTQL_CORRUPT, CONTEXTQL_CORRUPT,
     NULL},
};

static contextql *opened(bool read_only, int *code, char *why)
{
    char path[128];
    contextql_error_info info;
    const contextql_options options = {.read_only = read_only};
    contextql *session = NULL;
    snprintf(path, sizeof path, "%s/d", folder);
    *code = contextql_open(path, &options, &session);
    if (*code == CONTEXTQL_OK) return session;
    contextql_error(session, &info);
    snprintf(why, WHY_BYTES, "%s", info.message);
    if (info.message[0] == '\0' || info.hint[0] == '\0')
        *code = -1; /* says nothing, or no way on */
    contextql_close(session);
    return NULL;
}

/* 1 in a case: any error. */
static bool as_wanted(int wanted, int code)
{
    return wanted == 1 ? code > 1000 : wanted == code;
}

static bool look(const Ledger *ledger, const Case *one, bool read_only, char *why)
{
    int code, wanted = read_only ? one->reading : one->writing;
    contextql *session = opened(read_only, &code, why);
    bool good = as_wanted(wanted, code);
    if (session != NULL) {
        size_t last = ledger_count(ledger);
        good = good && ledger_place(ledger, session, last, why) == last;
        if (!read_only) good = good && ledger_can_write(session, why);
        contextql_close(session);
    }
    if (!good)
        printf("# %s: %s gave %d: %s\n", one->what, read_only ? "reading" : "writing", code, why);
    return good;
}

static void make(const Ledger *ledger, const char *name)
{
    char path[128];
    contextql *session = NULL;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    for (size_t thing = 1; thing <= ledger_count(ledger); thing++) {
        if (session == NULL || ledger_closes_before(ledger, thing)) {
            contextql_close(session);
            if (contextql_open(path, NULL, &session) != CONTEXTQL_OK) abort();
        }
        if (!ledger_do(ledger, session, thing, NULL)) abort();
    }
    contextql_close(session);
}

int main(void)
{
    enum { CASES = sizeof cases / sizeof *cases };
    int failed = 0;
    Ledger *ledger = ledger_create(LEDGER_TINY);
    Disk *disk = ledger_disk();
    if (mkdtemp(folder) == NULL || !ledger_write(ledger, disk)) return 1;
    make(ledger, "a");
    make(ledger, "b");
    printf("1..%d\n# %d cases, each for reading and for writing\n", CASES, CASES);
    for (int i = 0; i < CASES; i++) {
        char why[WHY_BYTES] = "";
        shell("rm -rf d && cp -r a d");
        shell(cases[i].command);
        if (cases[i].change != NULL) cases[i].change();
        bool good = look(ledger, &cases[i], true, why);
        good = look(ledger, &cases[i], false, why) && good;
        if (cases[i].stays != NULL && !is_there(cases[i].stays)) {
            printf("# %s is gone\n", cases[i].stays);
            good = false;
        }
        printf("%sok %d - %s\n", good ? "" : "not ", i + 1, cases[i].what);
        failed += !good;
    }
    shell("rm -rf a b d");
    rmdir(folder);
    disk_destroy(disk);
    ledger_destroy(ledger);
    return failed != 0;
}
