/*
 * wal.c - appending, syncing and replaying the log.
 *
 * Replay walks the segments in order. The first record that does not check out ends it: if any
 * later record of the database says that this place was durable, the middle is damaged and nothing
 * is opened; else it is a tail that a crash tore, and it is zeroed and synced before anything is
 * appended behind it.
 */
#include "config.h"

#include "storage/wal.h"
#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define SEGMENT_MAGIC 0x57585443u /* "CTXW" */
#define RECORD_MAGIC  0x43455257u /* "WREC" */
enum {
    WAL_VERSION = 1,
    HEADER_BYTES = 4096,
    HEADER_USED_BYTES = 52,
    RECORD_HEADER_BYTES = 40,
    CHUNK_BYTES = 1 << 20,
    PATH_BYTES_MAX = 4352
};

typedef struct Records { /* whole records, one behind the other */
    Buffer bytes;
    size_t *ends; /* of each: a record never spans segments */
    size_t count, capacity;
} Records;

struct Wal {
    char *directory;
    uint8_t uuid[WAL_UUID_BYTES];
    int file;        /* the segment that is appended to; -1: none yet */
    uint64_t number; /* of that segment */
    uint64_t offset; /* where the next flush writes */
    uint64_t epoch, next_lsn, durable_lsn, appended_lsn, syncs;
    Records pending, writing; /* appended; being written */
    uint64_t writing_lsn;
    bool failed;
};

static void segment_path(const char *directory, uint64_t number, char out[PATH_BYTES_MAX])
{
    snprintf(out, PATH_BYTES_MAX, "%.4200s/wal-%08llu.ctxw", directory, (unsigned long long)number);
}

static Error *write_all(int file, const void *data, size_t bytes, uint64_t offset)
{
    const char *at = data;
    while (bytes > 0) {
        ssize_t written = pwrite(file, at, bytes, (off_t)offset);
        if (written < 0 && errno == EINTR) continue;
        if (written < 0)
            return error_errno(errno == ENOSPC ? ERROR_FULL : ERROR_IO, errno,
                               "the log cannot be written");
        at += written, bytes -= (size_t)written, offset += (uint64_t)written;
    }
    return NULL;
}

static Error *sync_file(Wal *wal, int file)
{
    wal->syncs++;
    return fdatasync(file) == 0 ? NULL : error_errno(ERROR_IO, errno, "the log cannot be synced");
}

static Error *sync_directory(const char *path)
{
    int directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    Error *error = NULL;
    if (directory < 0 || fsync(directory) != 0)
        error = error_errno(ERROR_IO, errno, "%s cannot be synced", path);
    if (directory >= 0) close(directory);
    return error;
}

/* ---- segments ---- */

static void make_header(const Wal *wal, uint64_t number, Buffer *out)
{
    put_u32(out, SEGMENT_MAGIC);
    put_u32(out, WAL_VERSION);
    buffer_append(out, wal->uuid, WAL_UUID_BYTES);
    put_u64(out, wal->epoch);
    put_u64(out, number);
    put_u64(out, wal->writing_lsn);
    put_u32(out, crc32c(0, out->data, out->bytes));
}

static Error *create_segment(Wal *wal, uint64_t number)
{
    char path[PATH_BYTES_MAX];
    Buffer header = {0};
    segment_path(wal->directory, number, path);
    int file = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (file < 0) return error_errno(ERROR_IO, errno, "%s cannot be created", path);
    char *zeros = mem_calloc(1, WAL_SEGMENT_BYTES);
    make_header(wal, number, &header);
    memcpy(zeros, header.data, header.bytes);
    Error *error = write_all(file, zeros, WAL_SEGMENT_BYTES, 0);
    mem_free(zeros);
    buffer_free(&header);
    if (error == NULL) error = sync_file(wal, file);
    if (error == NULL) error = sync_directory(wal->directory);
    if (error != NULL) {
        close(file);
        unlink(path);
        return error;
    }
    if (wal->file >= 0) close(wal->file);
    wal->file = file;
    wal->number = number;
    wal->offset = HEADER_BYTES;
    return NULL;
}

static int by_number(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static Error *list_segments(const char *directory, uint64_t **numbers, size_t *count)
{
    size_t capacity = 0;
    *numbers = NULL;
    *count = 0;
    DIR *listing = opendir(directory);
    if (listing == NULL) return error_errno(ERROR_IO, errno, "%s cannot be read", directory);
    for (struct dirent *entry; (entry = readdir(listing)) != NULL;) {
        unsigned long long number;
        char rest;
        if (sscanf(entry->d_name, "wal-%8llu.ctx%c", &number, &rest) != 2 || rest != 'w') continue;
        mem_reserve(*numbers, capacity, *count + 1);
        (*numbers)[(*count)++] = number;
    }
    closedir(listing);
    if (*count > 0) qsort(*numbers, *count, sizeof **numbers, by_number);
    return NULL;
}

/* ---- replay ---- */

typedef struct Record {
    uint16_t type;
    uint64_t lsn, epoch, durable_lsn;
    Str payload;
    size_t bytes; /* with header and padding */
} Record;

/* false: no whole, checked record begins here. */
static bool read_record(Str segment, size_t at, Record *out)
{
    if (segment.bytes - at < RECORD_HEADER_BYTES) return false;
    Reader reader = reader_of(segment.data + at, segment.bytes - at);
    if (get_u32(&reader) != RECORD_MAGIC) return false;
    uint32_t crc = get_u32(&reader), bytes = get_u32(&reader);
    if (bytes > WAL_RECORD_BYTES_MAX || bytes > segment.bytes - at - RECORD_HEADER_BYTES)
        return false;
    if (crc32c(0, segment.data + at + 8, RECORD_HEADER_BYTES - 8 + bytes) != crc) return false;
    out->type = get_u16(&reader);
    get_u16(&reader);
    out->lsn = get_u64(&reader);
    out->epoch = get_u64(&reader);
    out->durable_lsn = get_u64(&reader);
    out->payload = (Str){segment.data + at + RECORD_HEADER_BYTES, bytes};
    out->bytes = (RECORD_HEADER_BYTES + bytes + 7) / 8 * 8;
    return true;
}

typedef struct Replay {
    Wal *wal;
    WalApply *apply;
    void *user;
    WalReport *report;
    uint64_t limit_lsn;
    Buffer transaction; /* payloads of the transaction at hand */
    uint32_t records, crc;
    bool ended; /* a bad record was met */
    uint64_t hole_lsn, hole_segment, hole_offset;
    uint64_t begun_segment, begun_offset; /* where the transaction at hand begins */
} Replay;

static Error *corrupt(const Replay *replay, uint64_t segment, size_t at)
{
    return error_hint(error_new(ERROR_CORRUPT,
                                "the log %s is damaged in segment %llu at byte %zu: commits behind "
                                "it were acknowledged",
                                replay->wal->directory, (unsigned long long)segment, at),
                      "restore a copy of the directory; nothing was changed");
}

static Error *commit_record(Replay *replay, const Record *record, uint64_t segment, size_t at)
{
    Reader reader = reader_of(record->payload.data, record->payload.bytes);
    uint32_t records = get_u32(&reader), crc = get_u32(&reader);
    if (reader.failed || records != replay->records || crc != replay->crc)
        return corrupt(replay, segment, at);
    if (record->lsn <= replay->limit_lsn) {
        TRY(replay->apply(replay->user, buffer_view(&replay->transaction)));
        replay->report->commits++;
    }
    buffer_clear(&replay->transaction);
    replay->records = replay->crc = 0;
    return NULL;
}

static Error *take_record(Replay *replay, const Record *record, uint64_t segment, size_t at)
{
    Wal *wal = replay->wal;
    if (replay->records == 0) replay->begun_segment = segment, replay->begun_offset = at;
    wal->next_lsn = record->lsn + 1;
    if (record->epoch > wal->epoch) wal->epoch = record->epoch;
    if (record->type == WAL_CHANGES) {
        buffer_str(&replay->transaction, record->payload);
        replay->crc = crc32c(replay->crc, record->payload.data, record->payload.bytes);
        replay->records++;
    }
    return record->type == WAL_COMMIT ? commit_record(replay, record, segment, at) : NULL;
}

/* Behind a hole: does any record prove that the hole was durable? */
static Error *look_beyond(Replay *replay, Str segment, uint64_t number, size_t from)
{
    Record record;
    for (size_t at = (from + 7) / 8 * 8; at + RECORD_HEADER_BYTES <= segment.bytes; at += 8) {
        if (memcmp(segment.data + at, "WREC", 4) != 0 || !read_record(segment, at, &record))
            continue;
        if (record.durable_lsn >= replay->hole_lsn)
            return corrupt(replay, replay->hole_segment, replay->hole_offset);
    }
    (void)number;
    return NULL;
}

static bool only_zeros(Str segment, size_t from)
{
    for (size_t i = from; i < segment.bytes; i++)
        if (segment.data[i] != 0) return false;
    return true;
}

static Error *replay_segment(Replay *replay, Str segment, uint64_t number, bool last)
{
    Wal *wal = replay->wal;
    Reader reader = reader_of(segment.data, segment.bytes < HEADER_BYTES ? 0 : HEADER_USED_BYTES);
    uint32_t magic = get_u32(&reader), version = get_u32(&reader);
    bool ours = !reader.failed && memcmp(segment.data + 8, wal->uuid, WAL_UUID_BYTES) == 0;
    bool sound = ours && magic == SEGMENT_MAGIC;
    if (sound) {
        reader.at = (const uint8_t *)segment.data + HEADER_USED_BYTES - 4;
        sound = get_u32(&reader) == crc32c(0, segment.data, HEADER_USED_BYTES - 4);
    }
    if (!sound && last && only_zeros(segment, segment.bytes < HEADER_BYTES ? 0 : HEADER_BYTES))
        return replay->ended = true, NULL; /* made, not yet begun */
    if (!sound)
        return error_hint(error_new(ERROR_CORRUPT,
                                    "segment %llu of the log is not of this database, or damaged",
                                    (unsigned long long)number),
                          "restore a copy of the directory; nothing was changed");
    if (version > WAL_VERSION)
        return error_new(ERROR_VERSION, "the log was written by a newer version");
    if (replay->ended) return look_beyond(replay, segment, number, HEADER_BYTES);
    size_t at = HEADER_BYTES;
    Record record;
    while (at < segment.bytes && read_record(segment, at, &record) && record.lsn == wal->next_lsn) {
        TRY(take_record(replay, &record, number, at));
        at += record.bytes;
    }
    wal->offset = at;
    wal->number = number;
    if (at >= segment.bytes || (only_zeros(segment, at) && !last && replay->records == 0))
        return NULL;
    if (only_zeros(segment, at) && last && replay->records == 0) return NULL;
    if (only_zeros(segment, at) && !last)
        return NULL; /* the transaction goes on in the next segment */
    replay->ended = true;
    replay->hole_lsn = wal->next_lsn;
    replay->hole_segment = number;
    replay->hole_offset = at;
    return look_beyond(replay, segment, number, at + 8);
}

static Error *read_segment(Replay *replay, uint64_t number, bool last)
{
    char path[PATH_BYTES_MAX];
    struct stat status;
    segment_path(replay->wal->directory, number, path);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0 || fstat(file, &status) != 0) {
        if (file >= 0) close(file);
        return error_errno(ERROR_IO, errno, "%s cannot be read", path);
    }
    size_t bytes = (size_t)status.st_size < WAL_SEGMENT_BYTES * 8u ? (size_t)status.st_size
                                                                   : WAL_SEGMENT_BYTES * 8u,
           done = 0;
    char *data = mem_alloc(bytes + 8);
    while (done < bytes) {
        ssize_t got = pread(file, data + done, bytes - done, (off_t)done);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) break;
        done += (size_t)got;
    }
    close(file);
    Error *error = replay_segment(replay, (Str){data, done}, number, last);
    mem_free(data);
    return error;
}

/* The tail that a crash tore is zeroed, so that nothing of it can ever look valid again. */
static Error *cut_tail(Replay *replay)
{
    Wal *wal = replay->wal;
    char path[PATH_BYTES_MAX];
    bool unfinished = replay->records > 0;
    uint64_t number = unfinished ? replay->begun_segment : wal->number,
             offset = unfinished ? replay->begun_offset : wal->offset;
    uint64_t *numbers;
    size_t count;
    TRY(list_segments(wal->directory, &numbers, &count));
    Error *error = NULL;
    for (size_t i = 0; i < count && error == NULL; i++) {
        if (numbers[i] < number) continue;
        segment_path(wal->directory, numbers[i], path);
        if (numbers[i] > number) { /* nothing in it is committed */
            if (unlink(path) != 0)
                error = error_errno(ERROR_IO, errno, "%s cannot be removed", path);
            continue;
        }
        int file = open(path, O_RDWR | O_CLOEXEC);
        if (file < 0) {
            error = error_errno(ERROR_IO, errno, "%s cannot be written", path);
            continue;
        }
        struct stat status;
        size_t bytes = fstat(file, &status) == 0 && (uint64_t)status.st_size > offset
                           ? (size_t)status.st_size - offset
                           : 0;
        size_t wanted = WAL_SEGMENT_BYTES > offset ? WAL_SEGMENT_BYTES - offset : 0;
        if (wanted > bytes) bytes = wanted;
        char *zeros = mem_calloc(1, bytes + 1);
        error = write_all(file, zeros, bytes, offset);
        mem_free(zeros);
        if (error == NULL) error = sync_file(wal, file);
        if (error == NULL)
            wal->file = file, wal->number = number, wal->offset = offset;
        else
            close(file);
    }
    mem_free(numbers);
    return error == NULL ? sync_directory(wal->directory) : error;
}

static Error *replay_all(Replay *replay)
{
    uint64_t *numbers;
    size_t count;
    TRY(list_segments(replay->wal->directory, &numbers, &count));
    Error *error = NULL;
    for (size_t i = 0; i < count && error == NULL; i++) {
        if (i > 0 && numbers[i] != numbers[i - 1] + 1)
            error = error_hint(error_new(ERROR_CORRUPT, "segment %llu of the log is missing",
                                         (unsigned long long)numbers[i - 1] + 1),
                               "restore a copy of the directory");
        else
            error = read_segment(replay, numbers[i], i + 1 == count);
    }
    mem_free(numbers);
    return error;
}

Error *wal_open(const char *directory, const uint8_t uuid[WAL_UUID_BYTES], bool write,
                uint64_t limit_lsn, WalApply *apply, void *user, WalReport *report, Wal **out)
{
    Wal *wal = mem_calloc(1, sizeof *wal);
    Replay replay = {
        .wal = wal, .apply = apply, .user = user, .report = report, .limit_lsn = limit_lsn};
    wal->directory = mem_strdup(directory);
    memcpy(wal->uuid, uuid, WAL_UUID_BYTES);
    wal->file = -1;
    wal->next_lsn = 1;
    *report = (WalReport){0};
    Error *error = NULL;
    if (write && mkdir(directory, 0755) != 0 && errno != EEXIST)
        error = error_errno(ERROR_IO, errno, "%s cannot be made", directory);
    if (error == NULL) error = replay_all(&replay);
    report->discarded_bytes = replay.transaction.bytes;
    if (replay.records > 0) wal->next_lsn -= replay.records; /* those lsns were never committed */
    if (error == NULL && write && wal->number > 0) error = cut_tail(&replay);
    buffer_free(&replay.transaction);
    if (error != NULL) {
        wal_close(wal);
        return error;
    }
    wal->durable_lsn = wal->appended_lsn = wal->next_lsn - 1;
    wal->epoch++;
    *out = wal;
    return NULL;
}

/* ---- appending ---- */

static void put_record(Wal *wal, WalType type, Str payload)
{
    Buffer body = {0};
    put_u32(&body, (uint32_t)payload.bytes);
    put_u16(&body, (uint16_t)type);
    put_u16(&body, 0);
    put_u64(&body, wal->next_lsn++);
    put_u64(&body, wal->epoch);
    put_u64(&body, wal->durable_lsn);
    buffer_str(&body, payload);
    Records *records = &wal->pending;
    put_u32(&records->bytes, RECORD_MAGIC);
    put_u32(&records->bytes, crc32c(0, body.data, body.bytes));
    buffer_str(&records->bytes, buffer_view(&body));
    while (records->bytes.bytes % 8 != 0)
        buffer_char(&records->bytes, '\0');
    mem_reserve(records->ends, records->capacity, records->count + 1);
    records->ends[records->count++] = records->bytes.bytes;
    buffer_free(&body);
}

Error *wal_append(Wal *wal, Str payload, uint64_t *lsn)
{
    if (wal->failed)
        return error_hint(error_new(ERROR_READ_ONLY, "writing to the log failed before"),
                          "close and open the database again");
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
    *lsn = wal->appended_lsn = wal->next_lsn;
    put_record(wal, WAL_COMMIT, buffer_view(&commit));
    buffer_free(&commit);
    return NULL;
}

/* As many whole records as the segment has room for, then the next segment. */
static Error *write_records(Wal *wal, const Records *records)
{
    size_t done = 0, record = 0;
    if (wal->file < 0) TRY(create_segment(wal, wal->number + 1));
    while (done < records->bytes.bytes) {
        size_t until = done;
        while (record < records->count &&
               wal->offset + (records->ends[record] - done) <= WAL_SEGMENT_BYTES)
            until = records->ends[record++];
        if (until == done) { /* full */
            TRY(sync_file(wal, wal->file));
            TRY(create_segment(wal, wal->number + 1));
            continue;
        }
        TRY(write_all(wal->file, records->bytes.data + done, until - done, wal->offset));
        wal->offset += until - done;
        done = until;
    }
    return sync_file(wal, wal->file);
}

void wal_begin_flush(Wal *wal)
{
    Records empty = wal->writing;
    wal->writing = wal->pending;
    buffer_clear(&empty.bytes);
    empty.count = 0;
    wal->pending = empty;
    wal->writing_lsn = wal->appended_lsn;
}

Error *wal_flush(Wal *wal)
{
    if (wal->failed) return error_new(ERROR_READ_ONLY, "writing to the log failed before");
    Error *error = wal->writing.bytes.bytes == 0 ? NULL : write_records(wal, &wal->writing);
    if (error == NULL) return NULL;
    wal->failed = true;
    return error_hint(
        error,
        "nothing more is written; free space or check the disk, then open the database again");
}

void wal_end_flush(Wal *wal)
{
    wal->durable_lsn = wal->writing_lsn;
}

uint64_t wal_appended(const Wal *wal)
{
    return wal->appended_lsn;
}

uint64_t wal_durable(const Wal *wal)
{
    return wal->durable_lsn;
}

uint64_t wal_syncs(const Wal *wal)
{
    return wal->syncs;
}

void wal_close(Wal *wal)
{
    if (wal == NULL) return;
    if (wal->file >= 0) close(wal->file);
    buffer_free(&wal->pending.bytes);
    buffer_free(&wal->writing.bytes);
    mem_free(wal->pending.ends);
    mem_free(wal->writing.ends);
    mem_free(wal->directory);
    mem_free(wal);
}
