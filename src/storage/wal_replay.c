/*
 * wal_replay.c - reading the log, by its owner after whatever happened, or beside the one who
 * writes it.
 *
 * Recovery walks the segments in order. The first record that does not check out ends it: if any
 * later record of the database says that this place was durable, the middle is damaged and nothing
 * is opened; else it is a tail that a crash tore. Nothing is written here: the tail is only noted
 * (Wal.torn), so that opening and reading leave a directory as it was.
 *
 * A follower knows how far the log is durable and reads no further, so it meets no torn tail: a
 * record that does not check out before that point is damage.
 *
 * Bytes are read through a window, so that going on from a place costs what lies behind it.
 */
#include "config.h"

#include "storage/wal_internal.h"
#include <assert.h>
#include <string.h>

enum { WINDOW_BYTES = 256 << 10 };

typedef struct Window { /* a part of one segment */
    IoFile *file;
    WalName name;
    uint64_t file_bytes, base;
    size_t have, capacity;
    char *data;
} Window;

typedef struct Replay {
    Wal *wal;
    WalApply *apply;
    void *user;
    WalReport *report;
    uint64_t limit_lsn;
    Window window;
    Buffer transaction; /* payloads of the transaction at hand */
    uint32_t records, crc;
    uint64_t next_lsn;
    bool ended; /* a bad record was met, here: */
    WalPlace hole;
} Replay;

typedef struct Record {
    uint16_t type;
    uint64_t lsn, epoch, durable_lsn;
    Str payload;
    size_t bytes; /* with header and padding */
} Record;

/* ---- the window ---- */

static Error *window_open(Replay *replay, WalName name)
{
    Window *window = &replay->window;
    char path[IO_PATH_BYTES_MAX];
    io_close(window->file);
    window->file = NULL;
    window->name = name;
    window->base = window->have = 0;
    TRY(wal_segment_path(replay->wal, name, path));
    TRY(io_open(replay->wal->io, path, IO_READ, &window->file));
    return io_bytes(window->file, &window->file_bytes);
}

/* The bytes from `at`, as many of `bytes` as the segment has. */
static Error *window_get(Window *window, uint64_t at, size_t bytes, Str *out)
{
    uint64_t left = at < window->file_bytes ? window->file_bytes - at : 0;
    if (bytes > left) bytes = (size_t)left;
    if (at < window->base || at + bytes > window->base + window->have) {
        size_t wanted = bytes < WINDOW_BYTES ? WINDOW_BYTES : bytes;
        mem_reserve(window->data, window->capacity, wanted);
        window->base = at;
        TRY(io_read(window->file, at, window->data, wanted, &window->have));
        if (bytes > window->have) bytes = window->have;
    }
    *out = (Str){window->data + (at - window->base), bytes};
    return NULL;
}

/* *found: a whole, checked record begins at `at`. */
static Error *read_record(Window *window, uint64_t at, Record *out, bool *found)
{
    Str bytes;
    *found = false;
    TRY(window_get(window, at, WAL_RECORD_HEADER_BYTES, &bytes));
    if (bytes.bytes < WAL_RECORD_HEADER_BYTES) return NULL;
    Reader reader = reader_of(bytes.data, bytes.bytes);
    if (get_u32(&reader) != WAL_RECORD_MAGIC) return NULL;
    uint32_t crc = get_u32(&reader), payload = get_u32(&reader);
    if (payload > WAL_RECORD_BYTES_MAX) return NULL;
    TRY(window_get(window, at, WAL_RECORD_HEADER_BYTES + payload, &bytes));
    if (bytes.bytes < WAL_RECORD_HEADER_BYTES + payload) return NULL;
    if (!checksum_fits(crc, crc32c(0, bytes.data + 8, bytes.bytes - 8))) return NULL;
    reader = reader_of(bytes.data + 12, bytes.bytes - 12);
    out->type = get_u16(&reader);
    get_u16(&reader);
    out->lsn = get_u64(&reader);
    out->epoch = get_u64(&reader);
    out->durable_lsn = get_u64(&reader);
    out->payload = (Str){bytes.data + WAL_RECORD_HEADER_BYTES, payload};
    out->bytes = (WAL_RECORD_HEADER_BYTES + payload + 7) / 8 * 8;
    *found = true;
    return NULL;
}

/* One call that goes over the bytes at the speed of memory: every opening looks at a whole segment. */
static bool all_zero(Str bytes)
{
    return bytes.data[0] == 0 && memcmp(bytes.data, bytes.data + 1, bytes.bytes - 1) == 0;
}

/* Where the last byte that is not zero ends, at or behind `from`; `from` if all are. */
static Error *used_until(Window *window, uint64_t from, uint64_t *out)
{
    *out = from;
    for (Str bytes; from < window->file_bytes; from += bytes.bytes) {
        TRY(window_get(window, from, WINDOW_BYTES, &bytes));
        if (bytes.bytes == 0) break;
        if (all_zero(bytes)) continue;
        for (size_t i = bytes.bytes; i-- > 0;)
            if (bytes.data[i] != 0) {
                *out = from + i + 1;
                break;
            }
    }
    return NULL;
}

/* ---- damage ---- */

static Error *corrupt(const Replay *replay, WalPlace place)
{
    return error_hint(
        error_new(ERROR_CORRUPT,
                  "%s is damaged in segment %llu at byte %llu: commits behind it were acknowledged",
                  replay->wal->directory, (unsigned long long)place.segment,
                  (unsigned long long)place.offset),
        "restore a copy of the directory; nothing was changed");
}

/* Behind a hole: does any record prove that the hole was durable? */
static Error *look_beyond(Replay *replay, uint64_t from)
{
    Window *window = &replay->window;
    for (uint64_t at = (from + 7) / 8 * 8; at + WAL_RECORD_HEADER_BYTES <= window->file_bytes;
         at += 8) {
        Str word;
        Record record;
        bool found;
        TRY(window_get(window, at, 4, &word));
        if (word.bytes < 4 || memcmp(word.data, "WREC", 4) != 0) continue;
        TRY(read_record(window, at, &record, &found));
        if (found && record.durable_lsn >= replay->hole.lsn) return corrupt(replay, replay->hole);
    }
    return NULL;
}

static Error *meet_hole(Replay *replay, uint64_t at)
{
    uint64_t until;
    replay->ended = replay->wal->torn = true;
    replay->hole = (WalPlace){replay->window.name.number, at, replay->next_lsn};
    TRY(used_until(&replay->window, at, &until));
    replay->report->discarded_bytes += until - at;
    return look_beyond(replay, at + 8);
}

/* ---- records ---- */

static Error *take_commit(Replay *replay, const Record *record, uint64_t at)
{
    Reader reader = reader_of(record->payload.data, record->payload.bytes);
    uint32_t records = get_u32(&reader), crc = get_u32(&reader);
    if (reader.failed || records != replay->records || !checksum_fits(crc, replay->crc))
        return corrupt(replay, (WalPlace){replay->window.name.number, at, record->lsn});
    WalCommit commit = {record->lsn, 0};
    if (reader_left(&reader) >= sizeof(uint64_t)) commit.wall_ns = (int64_t)get_u64(&reader);
    TRY(replay->apply(replay->user, buffer_view(&replay->transaction), &commit));
    replay->report->commits++;
    replay->report->bytes += replay->transaction.bytes;
    buffer_clear(&replay->transaction);
    replay->records = replay->crc = 0;
    return NULL;
}

static Error *take_record(Replay *replay, const Record *record, uint64_t at)
{
    Wal *wal = replay->wal;
    replay->next_lsn = record->lsn + 1;
    if (record->epoch > wal->epoch) wal->epoch = record->epoch;
    if (record->type == WAL_CHANGES) {
        buffer_str(&replay->transaction, record->payload);
        replay->crc = crc32c(replay->crc, record->payload.data, record->payload.bytes);
        replay->records++;
        return NULL;
    }
    if (record->type == WAL_COMMIT) TRY(take_commit(replay, record, at));
    if (record->type == WAL_COMMIT || record->type == WAL_MARK)
        wal->end = (WalPlace){replay->window.name.number, at + record->bytes, replay->next_lsn};
    return NULL;
}

/* ---- segments ---- */

typedef enum Header { HEADER_SOUND, HEADER_EMPTY, HEADER_BAD, HEADER_NEWER } Header;

static Error *read_header(Replay *replay, Header *out)
{
    Str bytes;
    uint64_t until;
    TRY(window_get(&replay->window, 0, WAL_HEADER_BYTES, &bytes));
    Reader reader = reader_of(bytes.data, bytes.bytes);
    uint32_t magic = get_u32(&reader), version = get_u32(&reader);
    bool sound = bytes.bytes == WAL_HEADER_BYTES && magic == WAL_SEGMENT_MAGIC &&
                 memcmp(bytes.data + 8, replay->wal->uuid, WAL_UUID_BYTES) == 0;
    if (sound) {
        Reader crc = reader_of(bytes.data + WAL_HEADER_USED_BYTES - 4, 4);
        sound = checksum_fits(get_u32(&crc), crc32c(0, bytes.data, WAL_HEADER_USED_BYTES - 4));
    }
    *out = sound ? version > WAL_VERSION ? HEADER_NEWER : HEADER_SOUND : HEADER_BAD;
    if (sound) return NULL;
    TRY(used_until(&replay->window, WAL_HEADER_BYTES, &until));
    if (until == WAL_HEADER_BYTES) *out = HEADER_EMPTY;
    return NULL;
}

/* A segment is synced with its header before anything is written into it: without a sound header it
 * can only be the last one, and empty. */
static Error *check_header(Replay *replay, bool last)
{
    Header header;
    TRY(read_header(replay, &header));
    if (header == HEADER_NEWER)
        return error_hint(error_new(ERROR_VERSION, "the log was written by a newer version"),
                          "use a newer contextql");
    if (header == HEADER_SOUND) return NULL;
    if (header == HEADER_EMPTY && last) {
        replay->ended = replay->wal->torn = true;
        return NULL;
    }
    return error_hint(error_new(ERROR_CORRUPT,
                                "segment %llu of the log is not of this database, or damaged",
                                (unsigned long long)replay->window.name.number),
                      "restore a copy of the directory; nothing was changed");
}

static Error *read_records(Replay *replay, uint64_t at, bool last)
{
    Record record;
    bool found = true;
    uint64_t until;
    while (replay->next_lsn <= replay->limit_lsn) {
        TRY(read_record(&replay->window, at, &record, &found));
        found = found && record.lsn == replay->next_lsn && record.epoch >= replay->wal->epoch;
        if (!found) break;
        TRY(take_record(replay, &record, at));
        at += record.bytes;
    }
    if (found) return NULL;
    TRY(used_until(&replay->window, at, &until));
    if (until == at) { /* the rest is as it was made: an end, or the next segment goes on */
        if (last && replay->records > 0) replay->wal->torn = true;
        return NULL;
    }
    return meet_hole(replay, at);
}

static Error *read_segment(Replay *replay, WalName name, bool last)
{
    Wal *wal = replay->wal;
    TRY(window_open(replay, name));
    bool again = wal->end.segment == name.number;
    if (!again || wal->end.offset == 0) TRY(check_header(replay, last));
    if (replay->ended && replay->hole.segment == 0) return NULL;
    if (replay->ended) return look_beyond(replay, WAL_HEADER_BYTES);
    uint64_t from = again && wal->end.offset > 0 ? wal->end.offset : WAL_HEADER_BYTES;
    if (replay->records == 0) wal->end = (WalPlace){name.number, from, replay->next_lsn};
    return read_records(replay, from, last);
}

static Error *missing(uint64_t number)
{
    return error_hint(
        error_new(ERROR_CORRUPT, "segment %llu of the log is missing", (unsigned long long)number),
        "restore a copy of the directory; nothing was changed");
}

static Error *read_all(Replay *replay, const WalName *names, size_t count)
{
    Wal *wal = replay->wal;
    uint64_t expected = wal->end.segment > 0 ? wal->end.segment : wal->start.segment;
    for (size_t i = 0; i < count && replay->next_lsn <= replay->limit_lsn; i++) {
        if (names[i].number < expected) continue; /* a checkpoint holds it */
        if (names[i].number != expected) return missing(expected);
        TRY(read_segment(replay, names[i], i + 1 == count));
        expected++;
    }
    if (replay->records > 0 && replay->report->discarded_bytes == 0)
        replay->report->discarded_bytes = replay->transaction.bytes;
    return NULL;
}

static Error *replay_from(Wal *wal, uint64_t limit_lsn, WalApply *apply, void *user,
                          WalReport *report)
{
    Replay replay = {.wal = wal,
                     .apply = apply,
                     .user = user,
                     .report = report,
                     .limit_lsn = limit_lsn,
                     .next_lsn = wal->end.lsn};
    WalName *names = NULL;
    size_t count = 0;
    *report = (WalReport){0};
    Error *error = wal_list(wal, &names, &count);
    if (error == NULL) error = read_all(&replay, names, count);
    io_close(replay.window.file);
    mem_free(replay.window.data);
    buffer_free(&replay.transaction);
    mem_free(names);
    wal->bytes += report->bytes;
    return error;
}

/* ---- copying ---- */

/* Whole, or up to the last commit and zeros from there to the length it has. */
static Error *copy_segment(const Wal *wal, WalName name, IoFile *from, IoFile *to, Tell *tell)
{
    uint64_t bytes, used;
    TRY(io_bytes(from, &bytes));
    used = name.number == wal->end.segment ? wal->end.offset : bytes;
    TRY(io_copy(from, used, to, tell));
    char *zeros = mem_calloc(1, WINDOW_BYTES);
    Error *error = NULL;
    for (uint64_t at = used; at < bytes && error == NULL; at += WINDOW_BYTES)
        error = tell_ask(tell)
                    ? tell_stopped(tell)
                    : io_write(to, at, zeros,
                               bytes - at < WINDOW_BYTES ? (size_t)(bytes - at) : WINDOW_BYTES);
    mem_free(zeros);
    return error == NULL ? io_sync(to) : error;
}

static Error *copy_named(const Wal *wal, const Wal *target, WalName name, Tell *tell)
{
    char path[IO_PATH_BYTES_MAX], copy[IO_PATH_BYTES_MAX];
    IoFile *from, *to = NULL;
    TRY(wal_segment_path(wal, name, path));
    TRY(wal_segment_path(target, name, copy));
    TRY(io_open(wal->io, path, IO_READ, &from));
    Error *error = io_open(wal->io, copy, IO_CREATE, &to);
    if (error == NULL) error = copy_segment(wal, name, from, to, tell);
    io_close(from);
    io_close(to);
    return error;
}

Error *wal_copy(const Wal *wal, const char *directory, Tell *tell)
{
    WalName *names;
    size_t count;
    uint64_t next = wal->start.segment;
    Wal target = {.io = wal->io};
    if (wal->end.segment == 0) return NULL; /* there was nothing to replay */
    TRY(io_join(target.directory, directory, "wal"));
    TRY(io_make_directory(wal->io, target.directory));
    TRY(wal_list(wal, &names, &count));
    Error *error = NULL;
    for (size_t i = 0; i < count && error == NULL; i++) {
        if (names[i].number < wal->start.segment || names[i].number > wal->end.segment) continue;
        if (names[i].number == next++) error = copy_named(wal, &target, names[i], tell);
    }
    mem_free(names);
    TRY(error);
    if (next <= wal->end.segment)
        return error_new(ERROR_NO_FILE, "the log has gone on behind a checkpoint");
    return io_sync_directory(wal->io, target.directory);
}

/* ---- the two ways ---- */

Error *wal_recover(Wal *wal, WalApply *apply, void *user, WalReport *report)
{
    assert(wal->file == NULL && wal->end.lsn == wal->start.lsn);
    TRY(replay_from(wal, UINT64_MAX, apply, user, report));
    wal->next_lsn = wal->end.lsn;
    wal->durable_lsn = wal->appended_lsn = wal->next_lsn - 1;
    wal->epoch++;
    return NULL;
}

Error *wal_follow(Wal *wal, uint64_t limit_lsn, WalApply *apply, void *user, WalReport *report)
{
    assert(wal->file == NULL);
    if (wal->end.lsn > limit_lsn) return NULL;
    TRY(replay_from(wal, limit_lsn, apply, user, report));
    wal->durable_lsn = wal->end.lsn - 1;
    if (wal->durable_lsn >= limit_lsn) return NULL;
    return error_new(ERROR_NO_FILE, "the log does not reach its durable end: a checkpoint has "
                                    "taken its place");
}
