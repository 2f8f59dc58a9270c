/*
 * bits.c - every bit of a small database flipped, one after the other: of the catalog, the segment,
 * the log and LOCK.
 *
 * A flip is refused or told of (an error at opening or from a statement), or it is harmless: the
 * database looks as it did. In the last commit of a database that was not closed it may also be
 * taken for a record that a crash tore, which opening tells as so many bytes discarded. Anything
 * else is wrong. Then the same with checksums that are not looked at, which must be noticed.
 *
 * FAULTS_LONG=1: every bit, but of the zeros with which the log was made one in 4096; else one in
 * some hundred.
 */
#include "config.h"

#include "crew.h"
#include "ledger.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WHY_BYTES = 256, TOLD_MAX = 5, WRITE_EVERY = 16, SPARSE = 4096 };
typedef enum Outcome { REFUSED, TOLD_LATER, HARMLESS, DISCARDED, WRONG, OUTCOMES } Outcome;

typedef struct Flips {
    const Ledger *ledger;
    bool closed; /* cleanly, before */
    uint64_t every;
    uint64_t outcomes[OUTCOMES];
    size_t told;
    bool quiet, crashed;
} Flips;

typedef struct FileFlips { /* those of one file */
    Flips *flips;
    const Disk *disk;
    size_t file;
    uint64_t dense; /* the bits up to here have their turn; behind, one in SPARSE of them */
} FileFlips;

/* tests/local.mk has the linker send checksum_fits here. */
static bool any_checksum_fits;
bool __real_checksum_fits(uint32_t stored, uint32_t computed);
bool __wrap_checksum_fits(uint32_t stored, uint32_t computed);
bool __wrap_checksum_fits(uint32_t stored, uint32_t computed)
{
    return any_checksum_fits || __real_checksum_fits(stored, computed);
}

static Outcome judge(const Flips *flips, contextql *session, char *why)
{
    size_t last = ledger_count(flips->ledger);
    why[0] = '\0';
    size_t there = ledger_place(flips->ledger, session, last, why);
    if (there == SIZE_MAX) return ledger_was_told(why) ? TOLD_LATER : WRONG;
    if (there == last - 1 && !flips->closed && ledger_discarded(session) > 0) return DISCARDED;
    if (there == last) {
        if (ledger_keeps(flips->ledger, session, last, why)) return HARMLESS;
        return ledger_was_told(why) ? TOLD_LATER : WRONG;
    }
    snprintf(why, WHY_BYTES, "it is after thing %zu, and %llu bytes discarded", there,
             (unsigned long long)ledger_discarded(session));
    return WRONG;
}

/* Whoever writes may find it, or not look at it: only not fall over it. */
static void write_to(const Disk *disk)
{
    char why[WHY_BYTES];
    Disk *copy = disk_copy(disk);
    contextql *session = ledger_open(copy, false, why);
    if (session != NULL) ledger_can_write(session, why);
    contextql_close(session);
    disk_destroy(copy);
}

static void flip(Flips *flips, Disk *disk, size_t file, uint64_t bit)
{
    char why[WHY_BYTES] = "";
    disk_file_flip(disk, file, bit);
    contextql *session = ledger_open(disk, true, why);
    Outcome outcome = session == NULL ? REFUSED : judge(flips, session, why);
    contextql_close(session);
    if (bit / flips->every % WRITE_EVERY == 0) write_to(disk);
    disk_file_flip(disk, file, bit);
    flips->outcomes[outcome]++;
    if (outcome == WRONG && !flips->quiet && flips->told++ < TOLD_MAX)
        printf("# %s, byte %llu bit %llu: %s\n", disk_file_path(disk, file),
               (unsigned long long)bit / 8, (unsigned long long)bit % 8, why);
}

static uint64_t used_bytes(const Disk *disk, size_t file)
{
    uint64_t bytes = disk_file_bytes(disk, file);
    uint8_t *data = malloc((size_t)bytes);
    disk_file_read(disk, file, 0, data, (size_t)bytes);
    while (bytes > 0 && data[bytes - 1] == 0)
        bytes--;
    free(data);
    return bytes;
}

static uint64_t total(const Flips *flips)
{
    uint64_t sum = 0;
    for (int i = 0; i < OUTCOMES; i++)
        sum += flips->outcomes[i];
    return sum;
}

/* The step is odd, so that every bit of a byte has its turn. */
static void flip_some(void *user, size_t me, size_t count, void *result)
{
    const FileFlips *all = user;
    Flips flips = *all->flips;
    Disk *disk = disk_copy(all->disk); /* the same names have the same numbers */
    uint64_t bits = disk_file_bytes(disk, all->file) * 8;
    memset(flips.outcomes, 0, sizeof flips.outcomes);
    for (uint64_t bit = 0, i = 0; bit < bits; i++) {
        if (i % count == me) flip(&flips, disk, all->file, bit);
        bit += bit < all->dense ? flips.every : SPARSE * flips.every;
    }
    disk_destroy(disk);
    memcpy(result, &flips, sizeof flips);
}

static void flip_file(Flips *flips, const Disk *disk, size_t file)
{
    Flips found[CREW_MAX];
    bool log = strstr(disk_file_path(disk, file), "/wal/") != NULL;
    uint64_t used = used_bytes(disk, file), bytes = disk_file_bytes(disk, file),
             before = total(flips);
    FileFlips all = {flips, disk, file, log ? used * 8 + 64 : bytes * 8};
    flips->crashed |= !crew_run(flip_some, &all, found, sizeof *found);
    for (size_t me = 0; me < crew_count(); me++)
        for (int i = 0; i < OUTCOMES; i++)
            flips->outcomes[i] += found[me].outcomes[i];
    printf("# %s: %llu bytes, %llu of them up to the last that is not zero, %llu flips\n",
           disk_file_path(disk, file), (unsigned long long)bytes, (unsigned long long)used,
           (unsigned long long)(total(flips) - before));
}

static void flip_all(Flips *flips, const Disk *disk)
{
    for (size_t i = 0; i < disk_file_count(disk); i++)
        if (disk_file_bytes(disk, i) > 0) flip_file(flips, disk, i);
}

static void say(const Flips *flips, const char *what)
{
    printf("# %s: %llu flips: %llu refused, %llu told by a statement, %llu harmless, %llu reported "
           "as discarded, %llu wrong\n",
           what, (unsigned long long)total(flips), (unsigned long long)flips->outcomes[REFUSED],
           (unsigned long long)flips->outcomes[TOLD_LATER],
           (unsigned long long)flips->outcomes[HARMLESS],
           (unsigned long long)flips->outcomes[DISCARDED],
           (unsigned long long)flips->outcomes[WRONG]);
}

static bool all_good(const Flips *flips, uint64_t refused_min)
{
    return flips->outcomes[WRONG] == 0 && !flips->crashed && flips->outcomes[REFUSED] > refused_min;
}

static int test_count, failed;

static void tell(bool good, const char *what)
{
    printf("%sok %d - %s\n", good ? "" : "not ", ++test_count, what);
    failed += !good;
    fflush(stdout);
}

/* As a process leaves it that is killed. */
static Disk *killed(const Ledger *ledger)
{
    Disk *disk = ledger_disk();
    contextql *session = ledger_open(disk, false, NULL);
    size_t done = ledger_go_on(ledger, disk, &session, 1, SIZE_MAX / 2);
    Disk *copy = disk_copy(disk);
    contextql_close(session);
    disk_destroy(disk);
    if (done == ledger_count(ledger)) return copy;
    disk_destroy(copy);
    return NULL;
}

int main(void)
{
    const char *mode = getenv("FAULTS_LONG");
    bool thorough = mode != NULL && mode[0] == '1';
    Ledger *ledger = ledger_create(LEDGER_TINY);
    Disk *closed = ledger_disk();
    printf("1..8\n");
    bool written = ledger_write(ledger, closed);
    Disk *open = killed(ledger);
    tell(written && open != NULL, "a small database is made");

    Flips flips = {ledger, .closed = true, .every = thorough ? 1 : 53};
    flip_all(&flips, closed);
    say(&flips, "closed");
    tell(all_good(&flips, 100), "closed: every flip is detected or harmless");
    flips = (Flips){ledger, .closed = false, .every = thorough ? 1 : 53};
    flip_all(&flips, open);
    say(&flips, "killed");
    tell(all_good(&flips, 100) && flips.outcomes[DISCARDED] > 0,
         "killed: every flip is detected, harmless, or reported as discarded");
    Ledger *grown = ledger_create(LEDGER_GROWN);
    Disk *several = ledger_disk();
    tell(ledger_write(grown, several) && ledger_referring(grown) > 0,
         "one is made whose segment refers to another");
    flips = (Flips){grown, .closed = true, .every = thorough ? 1009 : 20011};
    flip_all(&flips, several);
    say(&flips, "several segments");
    tell(all_good(&flips, 20), "several segments: every flip is detected or harmless");
    disk_destroy(several);
    ledger_destroy(grown);
    Ledger *near = ledger_create(LEDGER_NEAR);
    Disk *found = ledger_disk();
    tell(ledger_write(near, found), "one is made with a vector index and a snapshot");
    flips = (Flips){near, .closed = true, .every = thorough ? 1 : 997};
    flip_all(&flips, found);
    say(&flips, "vector index");
    tell(all_good(&flips, 100), "vector index: every flip is detected or harmless");
    disk_destroy(found);
    ledger_destroy(near);
    any_checksum_fits = true;
    flips = (Flips){ledger, .closed = true, .every = 211, .quiet = true};
    flip_all(&flips, closed);
    any_checksum_fits = false;
    say(&flips, "checksums are not looked at");
    tell(flips.outcomes[WRONG] > 0, "planted and noticed: checksums are not looked at");
    disk_destroy(closed);
    disk_destroy(open);
    ledger_destroy(ledger);
    return failed != 0;
}
