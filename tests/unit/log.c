/* The log by itself: transactions of every size, flushed a few at a time, synced or only written, come
 * back whole and in order from every disk: one in memory that knows no pages, the one tests run on,
 * and one of memory. A small flush writes the last page once more: what it held must stay. */
#include "config.h"

#include "base/map.h"
#include "storage/wal.h"
#include "tests/faults/disk_internal.h"
#include "tests/unit/test.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TRANSACTIONS = 600, OPENINGS = 12, BYTES_MAX = 3 << 20 };

static const uint8_t uuid[WAL_UUID_BYTES] = "a log by itself";
static const WalStart start = {1, 1, 1};

/* What transaction `number` writes; most are small, some end at a page, some fill a segment. */
static Str payload_of(uint64_t number, char *room)
{
    static const size_t most[] = {40, 200, 300, 5000, 200, 90, 70 << 10, 300, 120, 1500};
    uint64_t random = hash_u64(number + 1);
    size_t bytes = random % most[number % 10] + 1;
    if (number % 97 == 96) bytes = BYTES_MAX - number;
    for (size_t i = 0; i < bytes; i++)
        room[i] = (char)((random >> (i % 57)) + i);
    return (Str){room, bytes};
}

typedef struct Replayed {
    uint64_t count, wrong;
    char *room;
} Replayed;

static Error *take(void *user, Str payload, const WalCommit *commit)
{
    Replayed *replayed = user;
    (void)commit;
    replayed->wrong += !str_equal(payload, payload_of(replayed->count++, replayed->room));
    return NULL;
}

static int good(Error *error)
{
    if (error != NULL) printf("# %s\n", error_message(error));
    int was = error == NULL;
    error_drop(error);
    return was;
}

static Wal *opened(const Io *io, const char *directory, Replayed *replayed, uint64_t *discarded)
{
    Wal *wal = NULL;
    WalReport report = {0};
    replayed->count = replayed->wrong = 0;
    if (!good(wal_open(io, directory, uuid, start, &wal))) return NULL;
    if (!good(wal_recover(wal, take, replayed, &report)) || !good(wal_settle(wal)))
        printf("# behind %d transactions\n", (int)replayed->count);
    *discarded = report.discarded_bytes;
    return wal;
}

static int flush(Wal *wal, bool sync)
{
    wal_begin_flush(wal);
    int fine = good(wal_flush(wal, sync));
    wal_end_flush(wal);
    return fine;
}

static int write_some(Wal *wal, uint64_t from, uint64_t until, char *room)
{
    uint64_t lsn;
    int fine = 1;
    for (uint64_t i = from; i < until && fine; i++) {
        fine = good(wal_append(wal, payload_of(i, room), (int64_t)i + 1, &lsn));
        if (fine && hash_u64(i) % 3 != 0) fine = flush(wal, hash_u64(i) % 5 != 0);
    }
    return fine && flush(wal, true);
}

/* Written, opened and gone on with, many times: as a process that ends does, and one that is killed. */
static void write_and_read(const Io *io, const char *directory, const char *what)
{
    Replayed replayed = {.room = malloc(BYTES_MAX)};
    uint64_t done = 0, wrong = 0, missing = 0, all_discarded = 0, discarded;
    for (int opening = 0; opening < OPENINGS; opening++) {
        uint64_t until = done + TRANSACTIONS / OPENINGS;
        Wal *wal = opened(io, directory, &replayed, &discarded);
        wrong += replayed.wrong, missing += done - replayed.count, all_discarded += discarded;
        if (!write_some(wal, done, until, replayed.room)) wrong++;
        wal_close(wal);
        done = until;
    }
    wal_close(opened(io, directory, &replayed, &discarded));
    printf("# %s: %d transactions, %d openings, %d wrong, %d missing, %d bytes discarded\n", what,
           (int)replayed.count, OPENINGS, (int)wrong, (int)missing, (int)all_discarded);
    EXPECT(wrong + replayed.wrong == 0 && missing == 0 && all_discarded + discarded == 0);
    EXPECT(replayed.count == TRANSACTIONS / OPENINGS * OPENINGS);
    free(replayed.room);
}

/* What a small flush asks the disk for: whole pages at pages, and one write and one sync a commit. */
static void whole_pages(void)
{
    enum { COMMITS = 200 };
    Disk *disk = disk_create();
    Replayed replayed = {.room = malloc(BYTES_MAX)};
    uint64_t discarded, lsn, fine = 0, writes = 0, paged = 0, syncs = 0;
    Wal *wal = opened(disk_io(disk), "/", &replayed, &discarded);
    EXPECT(good(wal_append(wal, STR("the first makes a segment"), 1, &lsn)) && flush(wal, true));
    disk_record(disk);
    for (uint64_t i = 0; i < COMMITS; i++)
        fine += good(wal_append(wal, STR("one of many"), 1, &lsn)) && flush(wal, true);
    for (size_t i = 0; i < disk->op_count; i++) {
        const Op *op = &disk->ops[i];
        writes += op->kind == OP_WRITE;
        syncs += op->kind == OP_SYNC;
        paged +=
            op->kind == OP_WRITE && op->offset % PAGE_BYTES == 0 && op->bytes % PAGE_BYTES == 0;
    }
    wal_close(wal);
    free(replayed.room);
    disk_destroy(disk);
    EXPECT(fine == COMMITS);
    EXPECT(writes == COMMITS && paged == writes && syncs == COMMITS);
}

static void on_a_folder(const char *template, const char *what)
{
    char folder[64], command[128];
    snprintf(folder, sizeof folder, "%s", template);
    if (mkdtemp(folder) == NULL) {
        printf("# %s: no folder can be made there\n", what);
        return;
    }
    write_and_read(io_posix(), folder, what);
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    if (system(command) != 0) printf("# %s stays\n", folder);
}

int main(void)
{
    Disk *disk = disk_create();
    write_and_read(disk_io(disk), "/", "a disk in memory");
    disk_destroy(disk);
    on_a_folder("log-XXXXXX", "this disk");
    on_a_folder("/dev/shm/log-XXXXXX", "a file system in memory");
    whole_pages();
    return DONE();
}
