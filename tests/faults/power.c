/*
 * power.c - what is on a disk (disk.h) when the power goes, at any place of its history.
 *
 * A Crash goes along the history. What was synced is applied to a disk that is there for good; the
 * rest is pending, in order, and each variant says what became of it: kept, lost, or torn.
 */
#include "config.h"

#include "base/map.h"
#include "disk_internal.h"
#include <assert.h>
#include <stdio.h>
#include <string.h>

/* ---- history ---- */

size_t disk_history_count(const Disk *disk)
{
    return disk->op_count;
}

const char *disk_history_text(const Disk *disk, size_t i, char out[256])
{
    static const char *const names[] = {"write",       "store",       "truncate", "sync",
                                        "failed sync", "create",      "folder",   "rename",
                                        "unlink",      "sync folder", "mark"};
    const Op *op = &disk->ops[i];
    snprintf(out, 256, "%s file %d %s %s at %llu, %llu", names[op->kind], op->file,
             op->path == NULL ? "" : op->path, op->to == NULL ? "" : op->to,
             (unsigned long long)op->offset, (unsigned long long)op->bytes);
    return out;
}

/* ---- loss of power ---- */

struct Crash {
    const Disk *disk;
    Disk *durable;
    size_t place;
    uint64_t mark;
    struct Pending { /* not synced, in order */
        const Op *op;
        bool dropped; /* by a sync that failed: a later one does not bring it to the disk */
    } * pending;
    size_t pending_count, pending_capacity;
};

Crash *crash_create(const Disk *disk)
{
    Crash *crash = mem_calloc(1, sizeof *crash);
    crash->disk = disk;
    assert(disk->before != NULL);
    crash->durable = disk_copy(disk->before);
    return crash;
}

void crash_destroy(Crash *crash)
{
    disk_destroy(crash->durable);
    mem_free(crash->pending);
    mem_free(crash);
}

static bool is_data(const Op *op)
{
    return op->kind == OP_WRITE || op->kind == OP_STORE || op->kind == OP_TRUNCATE;
}

/* The folder that must be synced for the operation to last. */
static void folder_of(const Op *op, char out[IO_PATH_BYTES_MAX])
{
    path_parent(op->kind == OP_RENAME ? op->to : op->path, out);
}

static bool is_settled_by(const Op *op, const Op *sync)
{
    char folder[IO_PATH_BYTES_MAX];
    if (is_data(op)) return sync->kind == OP_SYNC && sync->file == op->file;
    if (sync->kind != OP_SYNC_FOLDER) return false;
    folder_of(op, folder);
    return strcmp(folder, sync->path) == 0;
}

static void settle(Crash *crash, const Op *sync)
{
    size_t kept = 0;
    for (size_t i = 0; i < crash->pending_count; i++)
        if (is_settled_by(crash->pending[i].op, sync)) {
            if (!crash->pending[i].dropped) disk_apply(crash->durable, crash->pending[i].op);
        } else
            crash->pending[kept++] = crash->pending[i];
    crash->pending_count = kept;
}

/* A page that is stored into for ever is on disk as it was at some time: the last two will do. */
static void drop_old_stores(Crash *crash)
{
    size_t stores = 0, kept = 0;
    for (size_t i = 0; i < crash->pending_count; i++)
        stores += crash->pending[i].op->kind == OP_STORE;
    for (size_t i = 0; i < crash->pending_count; i++)
        if (crash->pending[i].op->kind != OP_STORE || stores-- <= 2)
            crash->pending[kept++] = crash->pending[i];
    crash->pending_count = kept;
}

bool crash_next(Crash *crash)
{
    if (crash->place == crash->disk->op_count) return false;
    const Op *op = &crash->disk->ops[crash->place++];
    if (op->kind == OP_MARK) {
        crash->mark = op->bytes;
    } else if (op->kind == OP_SYNC || op->kind == OP_SYNC_FOLDER) {
        settle(crash, op);
    } else if (op->kind == OP_FAILED_SYNC) {
        for (size_t i = 0; i < crash->pending_count; i++)
            if (is_data(crash->pending[i].op) && crash->pending[i].op->file == op->file)
                crash->pending[i].dropped = true;
    } else {
        mem_reserve(crash->pending, crash->pending_capacity, crash->pending_count + 1);
        crash->pending[crash->pending_count++] = (struct Pending){op, false};
        if (op->kind == OP_STORE) drop_old_stores(crash);
    }
    return true;
}

size_t crash_place(const Crash *crash)
{
    return crash->place;
}

uint64_t crash_mark(const Crash *crash)
{
    return crash->mark;
}

/* ---- what is left ---- */

typedef enum Fate { LOST, KEPT, TORN } Fate;

/* A beginning, an end, any sectors, or all but one. The length is that of the whole. */
static void apply_torn(Disk *disk, const Op *op, uint64_t *random)
{
    File *file = disk_file(disk, op->file);
    uint64_t first = op->offset / SECTOR_BYTES,
             last = (op->offset + op->bytes - 1) / SECTOR_BYTES + 1, sectors = last - first;
    uint64_t how = random_next(random) % 4, cut = random_next(random) % (sectors + 1);
    if (op->offset + op->bytes > file->bytes) file_resize(file, op->offset + op->bytes);
    for (uint64_t i = 0; i < sectors; i++) {
        bool there = how == 0   ? i < cut
                     : how == 1 ? i >= cut
                     : how == 2 ? (random_next(random) & 1) != 0
                                : i != cut;
        uint64_t from = (first + i) * SECTOR_BYTES, until = from + SECTOR_BYTES;
        if (from < op->offset) from = op->offset;
        if (until > op->offset + op->bytes) until = op->offset + op->bytes;
        if (there) file_write(file, from, op->data + (from - op->offset), (size_t)(until - from));
    }
}

static void apply_fate(Disk *disk, const Op *op, Fate fate, uint64_t *random)
{
    if (fate == TORN && op->kind == OP_WRITE)
        apply_torn(disk, op, random);
    else if (fate != LOST)
        disk_apply(disk, op);
}

/* Names: those of a folder are there up to one of them, so behind a lost one all are lost. */
typedef struct Folders {
    char lost[16][256];
    size_t count;
} Folders;

static bool is_lost(Folders *folders, const Op *op, bool lose)
{
    char folder[IO_PATH_BYTES_MAX];
    folder_of(op, folder);
    for (size_t i = 0; i < folders->count; i++)
        if (strcmp(folders->lost[i], folder) == 0) return true;
    if (lose && folders->count < 16 && strlen(folder) < 256)
        strcpy(folders->lost[folders->count++], folder);
    return lose;
}

/* Variants 0 to 3: all or nothing of the data, all or nothing of the names. Then four for each
 * operation: it alone is lost; it alone is there; it is torn, the rest is there, twice. */
enum { WHOLE_VARIANTS = 4, VARIANTS_EACH = 4, RANDOM_VARIANTS = 4, EACH_MAX = 24 };

size_t crash_variants(const Crash *crash)
{
    size_t count = crash->pending_count;
    if (count == 0) return 1;
    return WHOLE_VARIANTS + VARIANTS_EACH * (count < EACH_MAX ? count : EACH_MAX) + RANDOM_VARIANTS;
}

bool crash_tears(const Crash *crash, size_t variant)
{
    size_t count = crash->pending_count, each = count < EACH_MAX ? count : EACH_MAX;
    if (variant < WHOLE_VARIANTS || count == 0) return false;
    variant -= WHOLE_VARIANTS;
    if (variant >= VARIANTS_EACH * each) return true;
    return variant % VARIANTS_EACH >= 2 &&
           crash->pending[count - 1 - variant / VARIANTS_EACH].op->kind == OP_WRITE;
}

static Fate fate_of(const Crash *crash, size_t variant, size_t i, uint64_t *random)
{
    const Op *op = crash->pending[i].op;
    size_t count = crash->pending_count, each = count < EACH_MAX ? count : EACH_MAX;
    uint64_t chance = random_next(random) % 8;
    if (variant < WHOLE_VARIANTS) return (is_data(op) ? variant & 1 : variant >> 1) ? LOST : KEPT;
    variant -= WHOLE_VARIANTS;
    if (variant < VARIANTS_EACH * each) { /* the newest: what is old was looked at before */
        size_t chosen = count - 1 - variant / VARIANTS_EACH;
        if (variant % VARIANTS_EACH == 0) return i == chosen ? LOST : KEPT;
        if (variant % VARIANTS_EACH == 1) return i == chosen || !is_data(op) ? KEPT : LOST;
        return i == chosen ? TORN : KEPT;
    }
    return chance < 3 ? KEPT : chance < 6 ? LOST : TORN;
}

Disk *crash_disk(const Crash *crash, size_t variant)
{
    Disk *disk = disk_copy(crash->durable);
    uint64_t random = crash->place * UINT64_C(1000003) + variant;
    Folders folders = {.count = 0};
    for (size_t i = 0; i < crash->pending_count; i++) {
        const Op *op = crash->pending[i].op;
        Fate fate = fate_of(crash, variant, i, &random);
        if (!is_data(op)) fate = is_lost(&folders, op, fate == LOST) ? LOST : KEPT;
        apply_fate(disk, op, fate, &random);
    }
    disk_prune(disk);
    return disk;
}
