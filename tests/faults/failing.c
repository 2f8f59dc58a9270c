/*
 * failing.c - the n-th call of every kind fails, for each n, once or from then on.
 *
 * A database's life (ledger.h) is lived on a disk that fails. What fails is told, and is not seen
 * afterwards by the session that met it; it is tried again, and may be done then or not. Once the
 * log could not be synced nothing is written any more. Whatever happened: the disk as it is, and
 * what a loss of power may leave of it, hold every thing that was acknowledged, and at most the one
 * that failed besides, whole; and can be written to.
 *
 * Then a real file system that is full (tmpfs, where mounting one is allowed).
 *
 * FAULTS_LONG=1: longer lives, too.
 */
#include "config.h"

#include "crew.h"
#include "ledger.h"
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WHY_BYTES = 256, TOLD_MAX = 8 };

typedef struct Failing {
    const Ledger *ledger;
    size_t faults, disks, wrong;
    size_t log_failed; /* lives in which the log could not be synced, and writing ended */
} Failing;

typedef struct Life {
    Failing *all;
    DiskFault fault;
    Disk *disk;
    contextql *session;
    size_t done, tried; /* the last that was acknowledged, and that was tried */
    bool log_failed;
} Life;

static void wrong(Life *life, const char *what, const char *why)
{
    if (life->all->wrong++ >= TOLD_MAX) return;
    printf("# %s %llu%s fails with %s%s, after thing %zu: %s %s\n",
           disk_call_names[life->fault.call], (unsigned long long)life->fault.number,
           life->fault.for_ever ? " and all behind" : "", strerror(life->fault.reason),
           life->fault.in_part ? " in part" : "", life->done, what, why);
}

static int code_of(contextql *session)
{
    contextql_error_info info;
    contextql_error(session, &info);
    return info.code;
}

/* What was not acknowledged is not seen. A statement may meet the fault itself. */
static void look(Life *life)
{
    char why[WHY_BYTES] = "";
    bool shows = ledger_shows(life->all->ledger, life->session, life->done, why);
    if (!shows && why[0] == '\0') wrong(life, "the session sees what was not committed", why);
}

/* Tries a thing, and once more. False: it cannot be done. */
static bool attempt(Life *life, size_t thing)
{
    char why[WHY_BYTES] = "", again[WHY_BYTES] = "";
    life->tried = thing;
    bool was_read_only = life->log_failed;
    if (ledger_do(life->all->ledger, life->session, thing, why)) {
        if (was_read_only) wrong(life, "written to behind a failed sync of the log", "");
        return true;
    }
    if (why[0] == '\0' || strcmp(why, "no error") == 0) wrong(life, "nothing was told", "");
    look(life);
    bool log = strstr(why, "/wal/") != NULL || strstr(why, "the log") != NULL;
    if (life->fault.call == DISK_SYNC && log) life->log_failed = true;
    life->all->log_failed += life->log_failed;
    if (ledger_do(life->all->ledger, life->session, thing, again)) {
        if (life->log_failed) wrong(life, "written to behind a failed sync of the log", why);
        return true;
    }
    if (life->log_failed && code_of(life->session) != CONTEXTQL_READ_ONLY)
        wrong(life, "not read-only behind a failed sync of the log:", again);
    return false;
}

/* Opening may fail for the fault, and must not when it has passed. */
static bool open_it(Life *life)
{
    char why[WHY_BYTES] = "";
    life->log_failed = false;
    life->session = ledger_open(life->disk, false, why);
    if (life->session != NULL) return true;
    if (!disk_failed(life->disk)) wrong(life, "it does not open:", why);
    life->session = ledger_open(life->disk, false, why);
    if (life->session == NULL && !life->fault.for_ever) wrong(life, "it does not open again:", why);
    return life->session != NULL;
}

static void live(Life *life)
{
    if (!open_it(life)) return;
    for (size_t thing = 1; thing <= ledger_count(life->all->ledger); thing++) {
        if (ledger_closes_before(life->all->ledger, thing)) {
            contextql_close(life->session);
            if (!open_it(life)) return;
        }
        ledger_snap(life->all->ledger, life->session, thing);
        if (!attempt(life, thing)) break;
        life->done = thing;
        disk_mark(life->disk, thing);
    }
    contextql_close(life->session);
}

/* ---- what is left ---- */

static void check_disk(Life *life, Disk *disk, const char *what)
{
    char why[WHY_BYTES] = "";
    life->all->disks++;
    contextql *session = ledger_open(disk, false, why);
    if (session == NULL) return wrong(life, what, why);
    size_t there = ledger_place(life->all->ledger, session, life->done, why);
    if (there != life->done && there != life->tried) {
        if (there != SIZE_MAX) snprintf(why, sizeof why, "it is after thing %zu", there);
        wrong(life, what, why);
    } else if (!ledger_keeps(life->all->ledger, session, 0, why)) {
        wrong(life, what, why);
    } else if (!ledger_can_write(session, why)) {
        wrong(life, what, why);
    }
    contextql_close(session);
}

static void check_all(Life *life)
{
    disk_fail(life->disk, (DiskFault){.number = 0});
    Crash *crash = crash_create(life->disk);
    while (crash_next(crash))
        ;
    size_t variants = crash_variants(crash);
    for (size_t i = 0; i < variants; i += i < 3 ? 1 : 7) {
        Disk *image = crash_disk(crash, i);
        check_disk(life, image, "after a loss of power:");
        disk_destroy(image);
    }
    crash_destroy(crash);
    check_disk(life, life->disk, "opened again:");
}

/* False: there is no call of this number any more. */
static bool one_life(Failing *all, DiskFault fault)
{
    Life life = {.all = all, .fault = fault, .disk = ledger_disk()};
    disk_record(life.disk);
    disk_fail(life.disk, fault);
    live(&life);
    bool failed = disk_failed(life.disk);
    all->faults += failed;
    if (!failed && life.done != ledger_count(all->ledger)) wrong(&life, "without a fault", "");
    check_all(&life);
    disk_destroy(life.disk);
    return failed;
}

static int test_count, failed;

static void tell(bool good, const char *what)
{
    printf("%sok %d - %s\n", good ? "" : "not ", ++test_count, what);
    failed += !good;
    fflush(stdout);
}

typedef struct Way { /* a way to fail */
    const char *name;
    int reason;
    bool for_ever, in_part;
    unsigned calls; /* bits of DiskCall */
} Way;

typedef struct Job {
    const Ledger *ledger;
    const Way *way;
    uint64_t step;
} Job;

static void fail_share(void *user, size_t me, size_t count, void *result)
{
    const Job *job = user;
    const Way *way = job->way;
    Failing all = {.ledger = job->ledger};
    for (int call = 0; call < DISK_CALLS; call++) {
        if ((way->calls >> call & 1) == 0) continue;
        uint64_t number = 1 + job->step * me;
        while (one_life(
            &all, (DiskFault){(DiskCall)call, number, way->for_ever, way->reason, way->in_part}))
            number += job->step * count;
    }
    memcpy(result, &all, sizeof all);
}

static void fail_each(const Ledger *ledger, const char *name, const Way *way, uint64_t step)
{
    Failing all = {.ledger = ledger}, found[CREW_MAX];
    Job job = {ledger, way, step};
    char what[160];
    bool good = crew_run(fail_share, &job, found, sizeof *found);
    for (size_t me = 0; me < crew_count(); me++) {
        all.faults += found[me].faults, all.disks += found[me].disks;
        all.wrong += found[me].wrong, all.log_failed += found[me].log_failed;
    }
    printf(
        "# %s: %s: %zu faults, %zu disks looked at, %zu wrong; %zu times the log was not synced\n",
        name, way->name, all.faults, all.disks, all.wrong, all.log_failed);
    bool syncs = (way->calls >> DISK_SYNC & 1) != 0;
    snprintf(what, sizeof what, "%s: %s", name, way->name);
    tell(good && all.wrong == 0 && all.faults > 2 && (!syncs || all.log_failed > 0), what);
}

/* ---- a file system that is full ---- */

enum { NOT_ALLOWED = 77 };

/* In a process of its own, with a folder of its own as big as told. */
static int fill(const Ledger *ledger, size_t megabytes)
{
    char folder[] = "full-XXXXXX", options[32], database[64], why[WHY_BYTES] = "";
    if (mkdtemp(folder) == NULL) return 1;
    snprintf(options, sizeof options, "size=%zum", megabytes);
    snprintf(database, sizeof database, "%s/d", folder);
    if (unshare(CLONE_NEWNS) != 0 && unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) {
        rmdir(folder);
        return NOT_ALLOWED;
    }
    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL);
    if (mount("tmpfs", folder, "tmpfs", 0, options) != 0) {
        rmdir(folder);
        return NOT_ALLOWED;
    }
    contextql *session = NULL;
    size_t done = 0;
    int result = 1;
    bool full = false;
    for (; done < ledger_count(ledger) && !full; done++) {
        if (session == NULL || ledger_closes_before(ledger, done + 1)) {
            contextql_close(session);
            if (contextql_open(database, NULL, &session) != CONTEXTQL_OK) break;
        }
        full = !ledger_do(ledger, session, done + 1, why);
        if (full) done--;
    }
    full = full || done < ledger_count(ledger);
    bool told = !full || code_of(session) == CONTEXTQL_FULL;
    contextql_close(session);
    session = NULL;
    const contextql_options reading = {.read_only = true};
    if (!told) printf("# full, but what was said is: %s\n", why);
    if (contextql_open(database, &reading, &session) == CONTEXTQL_OK) {
        size_t there = ledger_place(ledger, session, done, why);
        result = told && (there == done || there == done + 1) ? 0 : 1;
        if (result != 0) printf("# full after thing %zu, there is %zu: %s\n", done, there, why);
    } else if (done == 0 && told) {
        result = 0;
    }
    contextql_close(session);
    umount(folder);
    rmdir(folder);
    return result;
}

static void fill_all(const Ledger *ledger)
{
    size_t sizes = 0, wrong_ones = 0;
    for (size_t megabytes = 1; megabytes <= 16; megabytes++, sizes++) {
        fflush(stdout);
        pid_t pid = fork();
        if (pid == 0) {
            int result = fill(ledger, megabytes);
            fflush(stdout);
            _exit(result);
        }
        int status = 0;
        waitpid(pid, &status, 0);
        if (WIFEXITED(status) && WEXITSTATUS(status) == NOT_ALLOWED) {
            printf("ok %d - a full tmpfs # SKIP mounting one is not allowed here\n", ++test_count);
            return;
        }
        wrong_ones += !WIFEXITED(status) || WEXITSTATUS(status) != 0;
    }
    printf("# a full tmpfs: %zu sizes, %zu wrong\n", sizes, wrong_ones);
    tell(wrong_ones == 0, "a full tmpfs");
}

int main(void)
{
    const unsigned all = (1u << DISK_CALLS) - 1;
    const unsigned filling = 1u << DISK_OPEN | 1u << DISK_WRITE | 1u << DISK_TRUNCATE |
                             1u << DISK_MAKE_FOLDER | 1u << DISK_RENAME;
    const Way ways[] = {{"EIO once", EIO, false, false, all},
                        {"EIO from then on", EIO, true, false, all},
                        {"EIO, half of it written", EIO, false, true, 1u << DISK_WRITE},
                        {"disk full once", ENOSPC, false, true, filling},
                        {"disk full from then on", ENOSPC, true, true, filling}};
    enum { WAYS = sizeof ways / sizeof *ways };
    const char *mode = getenv("FAULTS_LONG");
    bool thorough = mode != NULL && mode[0] == '1';
    Ledger *tiny = ledger_create(LEDGER_TINY), *small = ledger_create(LEDGER_SMALL),
           *bulk = ledger_create(LEDGER_BULK), *kept = ledger_create(LEDGER_KEPT),
           *grown = ledger_create(LEDGER_GROWN);
    Disk *disks[5] = {ledger_disk(), ledger_disk(), ledger_disk(), ledger_disk(), ledger_disk()};
    printf("1..%d\n", 5 * WAYS + 2);
    tell(ledger_write(tiny, disks[0]) && ledger_write(small, disks[1]) &&
             ledger_write(bulk, disks[2]) && ledger_write(kept, disks[3]) &&
             ledger_write(grown, disks[4]) && ledger_referring(grown) > 0,
         "without faults");
    for (int i = 0; i < WAYS; i++)
        fail_each(tiny, "a small database", &ways[i], 1);
    for (int i = 0; i < WAYS; i++)
        fail_each(small, "large values", &ways[i], thorough ? 1 : 3);
    for (int i = 0; i < WAYS; i++)
        fail_each(bulk, "loads", &ways[i], thorough ? 1 : 13);
    for (int i = 0; i < WAYS; i++)
        fail_each(kept, "snapshots and history", &ways[i], thorough ? 1 : 3);
    for (int i = 0; i < WAYS; i++)
        fail_each(grown, "checkpoints of what has changed", &ways[i], thorough ? 2 : 23);
    fill_all(small);
    for (int i = 0; i < 5; i++)
        disk_destroy(disks[i]);
    ledger_destroy(tiny);
    ledger_destroy(small);
    ledger_destroy(bulk);
    ledger_destroy(kept);
    ledger_destroy(grown);
    return failed != 0;
}
