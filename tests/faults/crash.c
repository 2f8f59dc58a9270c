/*
 * crash.c - loss of power at every moment of a database's life.
 *
 * The history of a whole life (ledger.h: statements, loads, checkpoints, closing and opening) is cut
 * behind every operation on the disk, and the disks that each cut may leave are opened, for reading
 * and for writing. Each must be the database after the last acknowledged thing, or after the one
 * that was under way, whole; and can be written to, closed and opened again. Some of them are
 * recovered on a disk that keeps a history, too: that one is cut again, so recovery may be
 * interrupted anywhere.
 *
 * Once more with sessions that only write (the setting durability): then the newest things may be missing,
 * but what is there is the database after one of them, whole.
 *
 * Many cuts leave the same disk: each is looked at once, for what must be there.
 *
 * Then the same with planted mistakes, each of which must be noticed: a test that sees nothing
 * where something is wrong proves nothing.
 *
 * FAULTS_LONG=1: every variant of every cut; else some of them.
 */
#include "config.h"

#include "base/map.h"
#include "crew.h"
#include "ledger.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WHY_BYTES = 256, TOLD_MAX = 5, GROWN_REFERRING = 4 };

typedef struct Found {
    size_t images, different; /* by what lies on them and what must be there */
    size_t violations, told;
    size_t behind; /* different images in which the newest is missing */
} Found;

typedef struct Enumeration {
    const Ledger *ledger;
    Found found;
    bool torn_only;
    bool quiet;        /* violations are expected */
    size_t every;      /* only one variant of so many, but for the first four */
    bool only_written; /* what was acknowledged may be missing, from some thing on */
    size_t again;      /* of so many images, one is recovered with a history; 0: none */
    size_t me, crew;   /* those fall to this process whose number, or what lies on them, says so */
    IntMap *seen;
} Enumeration;

/* tests/local.mk has the linker send checksum_fits here. */
static bool any_checksum_fits;
bool __real_checksum_fits(uint32_t stored, uint32_t computed);
bool __wrap_checksum_fits(uint32_t stored, uint32_t computed);
bool __wrap_checksum_fits(uint32_t stored, uint32_t computed)
{
    return any_checksum_fits || __real_checksum_fits(stored, computed);
}

static void add(Found *to, const Found *more)
{
    to->images += more->images, to->different += more->different;
    to->violations += more->violations, to->behind += more->behind;
}

static void violated(Enumeration *all, const Crash *crash, size_t variant, const char *how,
                     const char *why)
{
    all->found.violations++;
    if (all->quiet || all->found.told++ >= TOLD_MAX) return;
    printf("# behind operation %zu, variant %zu, after thing %llu: %s %s\n", crash_place(crash),
           variant, (unsigned long long)crash_mark(crash), how, why);
}

static bool fits(Enumeration *all, contextql *session, size_t least, size_t *there, char *why)
{
    *there = ledger_place(all->ledger, session, least, why);
    bool good = *there == least || *there == least + 1;
    if (all->only_written && *there < least) good = true, all->found.behind++;
    if (!good && *there != SIZE_MAX) snprintf(why, WHY_BYTES, "it is after thing %zu", *there);
    return good;
}

/* No database yet is right while nothing was acknowledged: for a reader there is none then. */
static bool read_it(Enumeration *all, Disk *disk, size_t least, char *why)
{
    size_t there;
    contextql *session = ledger_open(disk, true, why);
    if (session == NULL) return least == 0;
    bool good = fits(all, session, least, &there, why);
    contextql_close(session);
    return good;
}

static bool write_it(Enumeration *all, Disk *disk, size_t least, size_t *there, char *why)
{
    contextql *session = ledger_open(disk, false, why);
    bool good = session != NULL && fits(all, session, least, there, why) &&
                ledger_keeps(all->ledger, session, least, why) && ledger_can_write(session, why);
    contextql_close(session);
    if (!good) return false;
    session = ledger_open(disk, false, why);
    good = session != NULL && ledger_run(session, "MATCH (n:Extra) DELETE n", why);
    size_t again = good ? ledger_place(all->ledger, session, *there, why) : SIZE_MAX;
    if (good && again != *there) snprintf(why, WHY_BYTES, "written to, it is after %zu", again);
    contextql_close(session);
    return good && again == *there;
}

static void enumerate(Enumeration *all, const Disk *disk, size_t least);

/* Recovers a disk with a history, and cuts that. The first thing is not acknowledged anew: what
 * was there stays. */
static void interrupt(Enumeration *all, const Crash *crash, size_t variant, size_t least)
{
    char why[WHY_BYTES];
    Disk *disk = crash_disk(crash, variant);
    disk_record(disk);
    contextql *session = ledger_open(disk, false, why);
    size_t there = session == NULL ? SIZE_MAX : ledger_place(all->ledger, session, least, why);
    if (there != SIZE_MAX) {
        disk_mark(disk, there);
        ledger_go_on(all->ledger, disk, &session, there + 1, 2);
        contextql_close(session);
        Enumeration inner = {all->ledger, .quiet = all->quiet, .every = all->every * 8};
        inner.crew = 1, inner.seen = all->seen;
        enumerate(&inner, disk, least);
        add(&all->found, &inner.found);
    } else {
        contextql_close(session);
    }
    disk_destroy(disk);
}

static void look_at(Enumeration *all, Disk *disk, const Crash *crash, size_t variant, size_t least)
{
    char why[WHY_BYTES] = "";
    size_t there = 0;
    if (!read_it(all, disk, least, why))
        violated(all, crash, variant, "reading:", why);
    else if (!write_it(all, disk, least, &there, why))
        violated(all, crash, variant, "writing:", why);
}

static void look_once(Enumeration *all, const Crash *crash, size_t variant, size_t least)
{
    Disk *disk = crash_disk(crash, variant);
    uint64_t key = disk_hash(disk) ^ hash_u64(least + 1), seen;
    if (key % all->crew == all->me) {
        all->found.images++;
        if (!intmap_get(all->seen, key, &seen)) {
            intmap_put(all->seen, key, 1);
            all->found.different++;
            look_at(all, disk, crash, variant, least);
        }
    }
    disk_destroy(disk);
}

static bool is_looked_at(const Enumeration *all, const Crash *crash, size_t variant)
{
    if (all->torn_only) return crash_tears(crash, variant);
    return variant < 4 || (variant + crash_place(crash)) % all->every == 0;
}

static void enumerate(Enumeration *all, const Disk *disk, size_t least)
{
    Crash *crash = crash_create(disk);
    size_t number = 0;
    while (crash_next(crash)) {
        if (crash_mark(crash) > least) least = crash_mark(crash);
        size_t variants = crash_variants(crash);
        for (size_t i = 0; i < variants; i++) {
            if (!is_looked_at(all, crash, i)) continue;
            look_once(all, crash, i, least);
            if (all->again == 0 || ++number % all->again != 0) continue;
            if (number / all->again % all->crew == all->me) interrupt(all, crash, i, least);
        }
    }
    crash_destroy(crash);
}

typedef struct Job {
    Enumeration *all;
    const Disk *disk;
} Job;

static void enumerate_share(void *user, size_t me, size_t count, void *result)
{
    const Job *job = user;
    Enumeration all = *job->all;
    all.me = me, all.crew = count, all.seen = intmap_create();
    enumerate(&all, job->disk, 0);
    intmap_destroy(all.seen);
    memcpy(result, &all.found, sizeof all.found);
}

/* By all processes. False: one of them fell over. */
static bool enumerate_all(Enumeration *all, const Disk *disk)
{
    Found found[CREW_MAX];
    Job job = {all, disk};
    bool good = crew_run(enumerate_share, &job, found, sizeof *found);
    for (size_t me = 0; me < crew_count(); me++)
        add(&all->found, &found[me]);
    return good;
}

static int test_count, failed;

static void tell(bool good, const char *what)
{
    printf("%sok %d - %s\n", good ? "" : "not ", ++test_count, what);
    failed += !good;
    fflush(stdout);
}

static void life(Ledger *ledger, const char *name, size_t every, size_t again)
{
    char what[128];
    Disk *disk = ledger_disk();
    disk_record(disk);
    Enumeration all = {ledger, .every = every, .again = again};
    bool good = ledger_write(ledger, disk) && enumerate_all(&all, disk);
    printf("# %s: %zu operations, %zu disks, %zu of them different, %zu wrong\n", name,
           disk_history_count(disk), all.found.images, all.found.different, all.found.violations);
    if (getenv("FAULTS_SHOW") != NULL)
        for (size_t i = 0; i < disk_history_count(disk); i++) {
            char text[256];
            printf("# %zu: %s\n", i + 1, disk_history_text(disk, i, text));
        }
    snprintf(what, sizeof what, "%s: no acknowledged commit is lost, none is half there", name);
    tell(good && all.found.violations == 0 && all.found.different > 400, what);
    disk_destroy(disk);
}

static void life_that_only_writes(Ledger *ledger, const char *name, size_t every)
{
    char what[128];
    Disk *disk = ledger_disk();
    disk_record(disk);
    ledger_durability("written");
    Enumeration all = {ledger, .every = every, .only_written = true};
    bool good = ledger_write(ledger, disk) && enumerate_all(&all, disk);
    ledger_durability("synced");
    printf("# %s, only written: %zu operations, %zu disks, %zu of them different, %zu wrong, %zu "
           "without the newest\n",
           name, disk_history_count(disk), all.found.images, all.found.different,
           all.found.violations, all.found.behind);
    snprintf(what, sizeof what, "%s, only written: the newest may be missing, none is half there",
             name);
    tell(good && all.found.violations == 0 && all.found.different > 400 && all.found.behind > 0,
         what);
    disk_destroy(disk);
}

static void planted(Ledger *ledger, const char *name, DiskLie lie, bool checksums, size_t every)
{
    char what[128];
    Disk *disk = ledger_disk();
    disk_record(disk);
    disk_lie(disk, lie);
    Enumeration all = {ledger, .every = every, .torn_only = !checksums, .quiet = true};
    bool written = ledger_write(ledger, disk);
    any_checksum_fits = !checksums;
    written = written && enumerate_all(&all, disk);
    any_checksum_fits = false;
    printf("# %s: %zu of %zu disks are wrong\n", name, all.found.violations, all.found.different);
    snprintf(what, sizeof what, "planted and noticed: %s", name);
    tell(written && all.found.violations > 0, what);
    disk_destroy(disk);
}

int main(void)
{
    const char *mode = getenv("FAULTS_LONG");
    bool thorough = mode != NULL && mode[0] == '1';
    Ledger *ledger = ledger_create(LEDGER_SMALL), *load = ledger_create(LEDGER_BULK),
           *kept = ledger_create(LEDGER_KEPT), *grown = ledger_create(LEDGER_GROWN);
    printf("1..11\n");
    life(ledger, "statements and checkpoints", thorough ? 1 : 2, thorough ? 50 : 200);
    life(load, "loads", thorough ? 1 : 8, thorough ? 100 : 400);
    life(kept, "snapshots and history", thorough ? 1 : 10, thorough ? 50 : 200);
    life(grown, "checkpoints of what has changed", thorough ? 1 : 20, thorough ? 100 : 200);
    printf("# %d of them\n", (int)ledger_referring(grown));
    tell(ledger_referring(grown) >= GROWN_REFERRING, "they were of what had changed");
    life_that_only_writes(ledger, "statements", thorough ? 1 : 6);
    life_that_only_writes(grown, "checkpoints", thorough ? 1 : 40);
    planted(ledger, "folders are not synced", DISK_NO_FOLDER_SYNC, true, 40);
    planted(ledger, "files are not synced before they are renamed", DISK_NO_SYNC_IN_TMP, true, 40);
    planted(ledger, "acknowledged before the log is synced", DISK_NO_SYNC_OF_LOG, true, 40);
    planted(ledger, "checksums are not looked at", DISK_HONEST, false, 1);
    ledger_destroy(ledger);
    ledger_destroy(load);
    ledger_destroy(kept);
    ledger_destroy(grown);
    return failed != 0;
}
