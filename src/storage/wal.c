/*
 * wal.c - appending to the log and syncing it.
 *
 * Two sets of records: sessions append to `pending` while a flush writes `writing`. A flush takes
 * whole records, as many as the segment has room for, with one pwrite, then goes to the next
 * segment; at the end one sync. A segment is made of zeros first, so that a commit changes bytes
 * and not the file's length (half the latency of a growing file on ext4); when more is waiting than
 * a segment holds, the zeros are left out, because the records fill it at once.
 *
 * What a small flush waits for is the disk alone: it writes whole pages, the first one once more with
 * what it holds already (the same bytes, so that a torn write takes nothing from an older commit),
 * past the machine's cache where the file system can, instead of dirtying a page that the sync must
 * then find and write. A large flush, and one that is not synced, goes through the cache.
 *
 * The first append after opening cleans up what opening only looked at: a torn tail is zeroed and
 * synced, so that nothing of it can ever look valid again, and segments that a checkpoint holds are
 * removed.
 */
#include "config.h"

#include "storage/wal_internal.h"
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNK_BYTES = 1 << 20 }; /* of a payload in one record: fits every segment */

_Static_assert(CHUNK_BYTES + WAL_RECORD_HEADER_BYTES + WAL_HEADER_BYTES < WAL_SEGMENT_BYTES_MIN,
               "a record fits the smallest segment");

/* ---- names ---- */

Error *wal_segment_path(const Wal *wal, WalName name, char out[IO_PATH_BYTES_MAX])
{
    char file[64];
    snprintf(file, sizeof file, "wal-%06" PRIu64 "-%08" PRIu64 ".ctxw", name.epoch, name.number);
    return io_join(out, wal->directory, file);
}

typedef struct Listing {
    WalName *names;
    size_t count, capacity;
} Listing;

static void list_one(void *user, const char *file)
{
    Listing *listing = user;
    WalName name;
    char rest;
    if (sscanf(file, "wal-%20" SCNu64 "-%20" SCNu64 ".ctx%c", &name.epoch, &name.number, &rest) !=
            3 ||
        rest != 'w' || listing->count >= WAL_SEGMENTS_MAX)
        return;
    mem_reserve(listing->names, listing->capacity, listing->count + 1);
    listing->names[listing->count++] = name;
}

static int by_number(const void *a, const void *b)
{
    uint64_t x = ((const WalName *)a)->number, y = ((const WalName *)b)->number;
    return x < y ? -1 : x > y;
}

Error *wal_list(const Wal *wal, WalName **out, size_t *count)
{
    Listing listing = {0};
    *out = NULL;
    *count = 0;
    if (io_kind(wal->io, wal->directory) == IO_NOTHING) return NULL;
    TRY(io_list(wal->io, wal->directory, list_one, &listing));
    if (listing.count > 1) qsort(listing.names, listing.count, sizeof *listing.names, by_number);
    for (size_t i = 1; i < listing.count; i++)
        if (listing.names[i].number == listing.names[i - 1].number) {
            uint64_t number = listing.names[i].number;
            mem_free(listing.names);
            return error_hint(error_new(ERROR_CORRUPT,
                                        "there are two segments %llu of the log in %s",
                                        (unsigned long long)number, wal->directory),
                              "restore a copy of the directory");
        }
    *out = listing.names;
    *count = listing.count;
    return NULL;
}

/* ---- life ---- */

Error *wal_open(const Io *io, const char *directory, const uint8_t uuid[WAL_UUID_BYTES],
                WalStart start, Wal **out)
{
    assert(start.lsn > 0 && start.segment > 0);
    Wal *wal = mem_calloc(1, sizeof *wal);
    wal->io = io;
    Error *error = io_join(wal->directory, directory, "wal");
    if (error != NULL) {
        mem_free(wal);
        return error;
    }
    memcpy(wal->uuid, uuid, WAL_UUID_BYTES);
    wal->start = start;
    wal->kept = start.segment;
    wal->end = (WalPlace){0, 0, start.lsn};
    wal->epoch = start.epoch;
    wal->next_lsn = start.lsn;
    wal->durable_lsn = wal->appended_lsn = start.lsn - 1;
    *out = wal;
    return NULL;
}

void wal_close(Wal *wal)
{
    if (wal == NULL) return;
    io_close(wal->file);
    buffer_free(&wal->pending.bytes);
    buffer_free(&wal->writing.bytes);
    mem_free(wal->pending.ends);
    mem_free(wal->writing.ends);
    mem_free(wal->tail);
    mem_free(wal);
}

void wal_keep(Wal *wal, uint64_t kept)
{
    if (kept < wal->kept) wal->kept = kept;
}

uint64_t wal_durable(const Wal *wal)
{
    return wal->durable_lsn;
}

uint64_t wal_appended(const Wal *wal)
{
    return wal->appended_lsn;
}

uint64_t wal_epoch(const Wal *wal)
{
    return wal->epoch;
}

uint64_t wal_syncs(const Wal *wal)
{
    return wal->syncs;
}

uint64_t wal_bytes(const Wal *wal)
{
    return wal->bytes;
}

static Error *sync_file(Wal *wal, IoFile *file)
{
    wal->syncs++;
    return io_sync(file);
}

/* ---- the file that is appended to ---- */

static void go_on_in(Wal *wal, IoFile *file, uint64_t file_bytes, WalPlace place)
{
    io_close(wal->file);
    wal->file = file;
    wal->file_bytes = file_bytes;
    wal->number = place.segment;
    wal->offset = place.offset;
}

static void make_tail(Wal *wal)
{
    if (wal->tail == NULL) wal->tail = mem_alloc_aligned(WAL_TAIL_BYTES, WAL_PAGE_BYTES);
}

static Error *read_tail(Wal *wal, IoFile *file, uint64_t offset)
{
    size_t bytes = offset % WAL_PAGE_BYTES, got;
    make_tail(wal);
    TRY(io_read(file, offset - bytes, wal->tail, bytes, &got));
    return got == bytes ? NULL
                        : error_new(ERROR_IO, "the log in %s became shorter", wal->directory);
}

/* Behind `offset` there are zeros, which the rest of the last page is written over with. */
static Error *write_pages(Wal *wal, const char *data, size_t bytes)
{
    size_t before = wal->offset % WAL_PAGE_BYTES, used = before + bytes;
    size_t over = used % WAL_PAGE_BYTES, padding = over == 0 ? 0 : WAL_PAGE_BYTES - over;
    memcpy(wal->tail + before, data, bytes);
    memset(wal->tail + used, 0, padding);
    io_go_direct(wal->file);
    TRY(io_write(wal->file, wal->offset - before, wal->tail, used + padding));
    memmove(wal->tail, wal->tail + used - over, over);
    return NULL;
}

static Error *write_cached(Wal *wal, const char *data, size_t bytes)
{
    size_t before = wal->offset % WAL_PAGE_BYTES, over = (before + bytes) % WAL_PAGE_BYTES;
    TRY(io_write(wal->file, wal->offset, data, bytes));
    if (over > bytes) /* still in the page it began in */
        memcpy(wal->tail + before, data, bytes);
    else
        memcpy(wal->tail, data + bytes - over, over);
    return NULL;
}

static Error *write_on(Wal *wal, const char *data, size_t bytes, bool direct)
{
    size_t before = wal->offset % WAL_PAGE_BYTES;
    bool small = before + bytes <= WAL_TAIL_BYTES;
    TRY(direct && small ? write_pages(wal, data, bytes) : write_cached(wal, data, bytes));
    wal->offset += bytes;
    wal->unsynced = true;
    return NULL;
}

/* ---- segments ---- */

static void make_header(const Wal *wal, uint64_t number, Buffer *out)
{
    put_u32(out, WAL_SEGMENT_MAGIC);
    put_u32(out, WAL_VERSION);
    buffer_append(out, wal->uuid, WAL_UUID_BYTES);
    put_u64(out, wal->epoch);
    put_u64(out, number);
    put_u64(out, wal->durable_lsn + 1);
    put_u32(out, crc32c(0, out->data, out->bytes));
    assert(out->bytes == WAL_HEADER_USED_BYTES);
}

static uint64_t bytes_of(const Wal *wal, uint64_t number)
{
    uint64_t bytes = WAL_SEGMENT_BYTES_MIN;
    for (uint64_t i = wal->start.segment; i < number && bytes < WAL_SEGMENT_BYTES_MAX; i++)
        bytes *= 2;
    return bytes;
}

/* Header and zeros (or the header alone), synced with the name before a record goes in. */
static Error *fill_segment(Wal *wal, IoFile *file, uint64_t number, uint64_t bytes, bool zeros)
{
    Buffer header = {0};
    make_header(wal, number, &header);
    size_t written = zeros ? bytes : WAL_HEADER_BYTES;
    char *content = mem_calloc(1, written);
    memcpy(content, header.data, header.bytes);
    Error *error = io_write(file, 0, content, written);
    mem_free(content);
    buffer_free(&header);
    if (error == NULL) error = sync_file(wal, file);
    return error == NULL ? io_sync_directory(wal->io, wal->directory) : error;
}

static Error *create_segment(Wal *wal, uint64_t number, size_t waiting)
{
    char path[IO_PATH_BYTES_MAX];
    IoFile *file = NULL;
    uint64_t bytes = bytes_of(wal, number);
    TRY(wal_segment_path(wal, (WalName){wal->epoch, number}, path));
    TRY(io_open(wal->io, path, IO_CREATE, &file));
    Error *error = fill_segment(wal, file, number, bytes, waiting < bytes - WAL_HEADER_BYTES);
    if (error != NULL) {
        io_close(file);
        error_drop(io_unlink(wal->io, path)); /* the first error is the one to tell */
        return error;
    }
    make_tail(wal);
    go_on_in(wal, file, bytes, (WalPlace){number, WAL_HEADER_BYTES, 0});
    return NULL;
}

/* ---- cleaning up ---- */

static Error *zero_from(Wal *wal, IoFile *file, uint64_t from, uint64_t until)
{
    enum { ZERO_BYTES = 1 << 20 };
    char *zeros = mem_calloc(1, ZERO_BYTES);
    Error *error = NULL;
    while (error == NULL && from < until) {
        size_t bytes = until - from < ZERO_BYTES ? (size_t)(until - from) : ZERO_BYTES;
        error = io_write(file, from, zeros, bytes);
        from += bytes;
    }
    mem_free(zeros);
    return error == NULL ? sync_file(wal, file) : error;
}

/* The segment that the last commit lies in is gone on with. */
static Error *reopen_segment(Wal *wal, WalName name)
{
    char path[IO_PATH_BYTES_MAX];
    IoFile *file;
    uint64_t bytes;
    TRY(wal_segment_path(wal, name, path));
    TRY(io_open(wal->io, path, IO_WRITE, &file));
    Error *error = io_bytes(file, &bytes);
    if (error == NULL && wal->torn) error = zero_from(wal, file, wal->end.offset, bytes);
    if (error == NULL) error = read_tail(wal, file, wal->end.offset);
    if (error != NULL) {
        io_close(file);
        return error;
    }
    assert(wal->file == NULL);
    go_on_in(wal, file, bytes, wal->end);
    return NULL;
}

static Error *remove_segment(const Wal *wal, WalName name)
{
    char path[IO_PATH_BYTES_MAX];
    TRY(wal_segment_path(wal, name, path));
    return io_unlink(wal->io, path);
}

/* What lies behind the last commit is removed before the place it hangs on is written again. (If
 * nothing was replayed, `end` names no segment, and all from the start on go.) */
static Error *clean_up(Wal *wal)
{
    WalName *names;
    size_t count;
    assert(wal->file == NULL);
    TRY(io_make_directory(wal->io, wal->directory));
    TRY(io_sync_parent(wal->io, wal->directory)); /* also one that a process made and was killed */
    TRY(wal_list(wal, &names, &count));
    Error *error = NULL;
    for (size_t i = count; i-- > 0 && error == NULL;) {
        uint64_t number = names[i].number;
        bool behind = number >= wal->start.segment && number > wal->end.segment;
        if (behind || number < wal->kept)
            error = remove_segment(wal, names[i]);
        else if (number == wal->end.segment)
            error = reopen_segment(wal, names[i]);
    }
    mem_free(names);
    if (error == NULL) error = io_sync_directory(wal->io, wal->directory);
    if (error == NULL && wal->file == NULL) wal->number = wal->start.segment - 1;
    wal->torn = false;
    wal->clean = error == NULL;
    return error;
}

/* ---- what replay took ---- */

static Error *write_again(IoFile *file, uint64_t until)
{
    enum { COPY_BYTES = 1 << 20 };
    char *bytes = mem_alloc(COPY_BYTES);
    Error *error = NULL;
    for (uint64_t at = 0; error == NULL && at < until; at += COPY_BYTES) {
        size_t wanted = until - at < COPY_BYTES ? (size_t)(until - at) : COPY_BYTES, got = 0;
        error = io_read(file, at, bytes, wanted, &got);
        if (error == NULL) error = io_write(file, at, bytes, got);
    }
    mem_free(bytes);
    return error;
}

Error *wal_settle(Wal *wal)
{
    WalName *names;
    size_t count;
    assert(wal->file == NULL);
    if (wal->end.segment == 0 || wal->end.offset <= WAL_HEADER_BYTES) return NULL;
    TRY(wal_list(wal, &names, &count));
    Error *error = NULL;
    for (size_t i = 0; i < count && error == NULL; i++) {
        char path[IO_PATH_BYTES_MAX];
        IoFile *file = NULL;
        if (names[i].number != wal->end.segment) continue;
        error = wal_segment_path(wal, names[i], path);
        if (error == NULL) error = io_open(wal->io, path, IO_WRITE, &file);
        if (error == NULL) error = write_again(file, wal->end.offset);
        if (error == NULL) error = sync_file(wal, file);
        io_close(file);
    }
    mem_free(names);
    return error;
}

/* ---- appending ---- */

static void put_record(Wal *wal, WalType type, Str payload)
{
    WalRecords *records = &wal->pending;
    size_t begin = records->bytes.bytes;
    put_u32(&records->bytes, WAL_RECORD_MAGIC);
    put_u32(&records->bytes, 0);
    put_u32(&records->bytes, (uint32_t)payload.bytes);
    put_u16(&records->bytes, (uint16_t)type);
    put_u16(&records->bytes, 0);
    put_u64(&records->bytes, wal->next_lsn++);
    put_u64(&records->bytes, wal->epoch);
    put_u64(&records->bytes, wal->durable_lsn);
    assert(records->bytes.bytes - begin == WAL_RECORD_HEADER_BYTES);
    buffer_str(&records->bytes, payload);
    Buffer crc = {0};
    put_u32(&crc, crc32c(0, records->bytes.data + begin + 8, records->bytes.bytes - begin - 8));
    memcpy(records->bytes.data + begin + 4, crc.data, 4);
    buffer_free(&crc);
    while (records->bytes.bytes % 8 != 0)
        put_u8(&records->bytes, 0);
    mem_reserve(records->ends, records->capacity, records->count + 1);
    records->ends[records->count++] = records->bytes.bytes;
}

static Error *given_up(void)
{
    return error_hint(
        error_new(ERROR_READ_ONLY, "the log could not be written: the database is read-only now"),
        "close and open the database again");
}

Error *wal_append(Wal *wal, Str payload, int64_t wall_ns, uint64_t *lsn)
{
    if (wal->failed) return given_up();
    uint32_t records = 0, crc = 0;
    for (size_t at = 0; at < payload.bytes; at += CHUNK_BYTES, records++) {
        size_t left = payload.bytes - at;
        Str chunk = {payload.data + at, left < CHUNK_BYTES ? left : CHUNK_BYTES};
        crc = crc32c(crc, chunk.data, chunk.bytes);
        put_record(wal, WAL_CHANGES, chunk);
    }
    Buffer commit = {0};
    put_u32(&commit, records);
    put_u32(&commit, crc);
    put_u64(&commit, (uint64_t)wall_ns);
    *lsn = wal->appended_lsn = wal->next_lsn;
    put_record(wal, WAL_COMMIT, buffer_view(&commit));
    buffer_free(&commit);
    wal->bytes += payload.bytes;
    return NULL;
}

Error *wal_append_mark(Wal *wal)
{
    if (wal->failed) return given_up();
    wal->appended_lsn = wal->next_lsn;
    put_record(wal, WAL_MARK, STR(""));
    return NULL;
}

/* ---- flushing ---- */

static Error *write_records(Wal *wal, const WalRecords *records, bool direct)
{
    size_t done = 0, record = 0;
    if (!wal->clean) TRY(clean_up(wal));
    while (done < records->bytes.bytes) {
        size_t until = done;
        while (wal->file != NULL && record < records->count &&
               wal->offset + (records->ends[record] - done) <= wal->file_bytes)
            until = records->ends[record++];
        if (until == done) { /* full, or there is none */
            if (wal->file != NULL) TRY(sync_file(wal, wal->file));
            TRY(create_segment(wal, wal->number + 1, records->bytes.bytes - done));
            continue;
        }
        TRY(write_on(wal, records->bytes.data + done, until - done, direct));
        done = until;
    }
    return NULL;
}

void wal_begin_flush(Wal *wal)
{
    WalRecords empty = wal->writing;
    wal->writing = wal->pending;
    buffer_clear(&empty.bytes);
    empty.count = 0;
    wal->pending = empty;
    wal->writing_lsn = wal->appended_lsn;
}

Error *wal_flush(Wal *wal, bool sync)
{
    if (wal->failed) return given_up();
    Error *error = wal->writing.bytes.bytes == 0 ? NULL : write_records(wal, &wal->writing, sync);
    if (error == NULL && sync && wal->unsynced) {
        error = sync_file(wal, wal->file);
        wal->unsynced = false;
    }
    if (error == NULL) return NULL;
    wal->failed = true;
    return error_hint(error, "the database is read-only now; free space or check the disk, then "
                             "open it again");
}

void wal_end_flush(Wal *wal)
{
    if (!wal->unsynced) wal->durable_lsn = wal->writing_lsn;
}

/* ---- checkpoints ---- */

Error *wal_rotate(Wal *wal, WalStart *out)
{
    assert(wal->appended_lsn == wal->durable_lsn && wal->pending.bytes.bytes == 0);
    if (wal->failed) return given_up();
    if (wal->next_lsn == wal->start.lsn) return *out = wal->start, NULL;
    if (wal->next_lsn == wal->rotated.lsn) return *out = wal->rotated, NULL;
    if (!wal->clean) TRY(clean_up(wal));
    io_close(wal->file);
    wal->file = NULL;
    wal->epoch++;
    wal->rotated = (WalStart){wal->next_lsn, wal->number + 1, wal->epoch};
    wal->rotated_bytes = wal->bytes;
    *out = wal->rotated;
    return NULL;
}

void wal_restart(Wal *wal, WalStart start, uint64_t kept)
{
    assert(start.lsn == wal->start.lsn || start.lsn == wal->rotated.lsn);
    if (start.lsn == wal->rotated.lsn) {
        wal->bytes -= wal->rotated_bytes;
        wal->rotated_bytes = 0;
    }
    wal->start = start;
    wal->kept = kept < start.segment ? kept : start.segment;
}

Error *wal_remove_old(const Wal *wal)
{
    WalName *names;
    size_t count;
    TRY(wal_list(wal, &names, &count));
    Error *error = NULL;
    for (size_t i = 0; i < count && error == NULL; i++)
        if (names[i].number < wal->kept) error = remove_segment(wal, names[i]);
    mem_free(names);
    return error;
}
