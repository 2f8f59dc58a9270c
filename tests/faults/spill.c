/*
 * spill.c - statements whose rows go to files, over a disk that fails: every call of the statement fails
 * once, for good, or for want of room. The statement then ends with an error that says why, nothing of it
 * stays, no file does, and the same session gives the right rows as soon as the disk is well again. What
 * writes is taken back. And a file that a crash left goes when the database is opened.
 */
#include "config.h"

#include "api/api_internal.h"
#include "base/map.h"
#include "contextql.h"
#include "tests/faults/disk.h"
#include "tests/unit/test.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define DATABASE "/db"
enum { CALLS_MAX = 400 };

static const char *const questions[] = {
    "UNWIND range(1, 60000) AS x RETURN x * 7919 % 60000 AS k, 'a text beside it ' + x ORDER BY k",
    "UNWIND range(1, 60000) AS x RETURN x * 7919 % 45000 AS k, count(*), sum(x * 0.1)",
    "UNWIND range(1, 60000) AS x RETURN DISTINCT x * 7919 % 45000, 'text ' + x % 20000"};

static contextql *session;

/* The rows' hash; 0: the statement failed, and `why` says with what. */
static uint64_t ask(const char *text, char why[512], int *code)
{
    contextql_statement *statement = NULL;
    uint64_t hash = 1;
    int result = contextql_prepare(session, text, strlen(text), &statement, NULL);
    while (result == CONTEXTQL_OK || result == CONTEXTQL_ROW) {
        result = contextql_step(statement);
        for (int c = 0; result == CONTEXTQL_ROW && c < contextql_column_count(statement); c++) {
            char cell[64];
            contextql_value_print(contextql_column(statement, c), cell, sizeof cell);
            hash = hash_u64(hash ^ hash_bytes(cell, strlen(cell), 0));
        }
    }
    why[0] = '\0';
    *code = result == CONTEXTQL_DONE ? 0 : result;
    if (result != CONTEXTQL_DONE) {
        contextql_error_info info;
        contextql_error(session, &info);
        *code = info.code;
        snprintf(why, 512, "%s; %s", info.message, info.hint);
        hash = 0;
    }
    contextql_finalize(statement);
    return hash;
}

static size_t strays(const Disk *disk)
{
    size_t count = 0;
    for (size_t i = 0; i < disk_file_count(disk); i++)
        count += strstr(disk_file_path(disk, i), "spill") != NULL;
    return count;
}

/* Each call of one kind fails in turn, until the statement has fewer. */
static bool each_call(Disk *disk, const char *text, DiskCall call, int reason, bool for_ever,
                      uint64_t want)
{
    char why[512];
    int code;
    bool good = true, failed = true;
    for (uint64_t number = 1; failed && good && number < CALLS_MAX; number += 1 + number / 8) {
        disk_fail(disk, (DiskFault){call, number, for_ever, reason, reason == ENOSPC});
        uint64_t got = ask(text, why, &code);
        failed = disk_failed(disk);
        disk_fail(disk, (DiskFault){0});
        good = failed ? got == 0 && code == (reason == ENOSPC ? ERROR_FULL : ERROR_IO) &&
                            strstr(why, DATABASE) != NULL
                      : got == want;
        good = good && strays(disk) == (failed && call == DISK_UNLINK);
        if (!good) printf("# %s %d: %s\n", disk_call_names[call], (int)number, why);
        if (call == DISK_UNLINK) break; /* it stays where unlinking fails */
    }
    uint64_t again = ask(text, why, &code);
    if (again != want) printf("# afterwards: %s\n", why);
    return good && again == want;
}

int main(void)
{
    static const DiskCall calls[] = {DISK_OPEN, DISK_WRITE, DISK_READ, DISK_MAKE_FOLDER};
    Disk *disk = disk_create();
    contextql_options options = {.create = true};
    char why[512];
    int code;
    EXPECT(session_open(DATABASE, &options, disk_io(disk), &session) == CONTEXTQL_OK);
    contextql_set(session, "gpu", "off");
    for (size_t q = 0; q < 3; q++) {
        contextql_set(session, "memory_limit", "0");
        uint64_t want = ask(questions[q], why, &code);
        contextql_set(session, "memory_limit", "14M");
        disk_fail(disk, (DiskFault){0});
        EXPECT(ask(questions[q], why, &code) == want && want != 0);
        EXPECT(disk_calls(disk, DISK_WRITE) > 4); /* it went to files */
        for (size_t c = 0; c < sizeof calls / sizeof *calls; c++)
            EXPECT(each_call(disk, questions[q], calls[c], EIO, false, want));
        EXPECT(each_call(disk, questions[q], DISK_WRITE, ENOSPC, true, want));
    }
    /* What a statement wrote before is taken back with it. */
    static const char *const writing = "CREATE (:Made) WITH 1 AS one UNWIND range(1, 60000) AS x "
                                       "WITH x * 7919 % 60000 AS k, 'a text beside it ' + x AS t "
                                       "ORDER BY k RETURN count(t)";
    disk_fail(disk, (DiskFault){DISK_WRITE, 1, true, ENOSPC, false});
    EXPECT(ask(writing, why, &code) == 0 && code == ERROR_FULL);
    disk_fail(disk, (DiskFault){0});
    uint64_t none = ask("RETURN 0", why, &code), one = ask("RETURN 1", why, &code);
    EXPECT(ask("MATCH (m:Made) RETURN count(m)", why, &code) == none);
    EXPECT(ask(writing, why, &code) != 0);
    EXPECT(ask("MATCH (m:Made) RETURN count(m)", why, &code) == one);
    contextql_close(session);
    disk_put_file(disk, DATABASE "/tmp/spill-1-1", "left", 4);
    EXPECT(strays(disk) == 1);
    EXPECT(session_open(DATABASE, &options, disk_io(disk), &session) == CONTEXTQL_OK);
    EXPECT(strays(disk) == 0);
    contextql_close(session);
    disk_destroy(disk);
    return DONE();
}
