/*
 * inspect.c - one file of a database, byte range by byte range.
 *
 * The file is mapped and read front to back. In the log a record that does not check out ends what
 * is known: from there on every multiple of 8 is tried until a whole record is met again, and the
 * gap is told as one finding; zeros up to the end are how a log file is made. In a segment the
 * trailer says where everything lies; without a sound one there is only the header to tell.
 *
 * Everything that is read is held against the file's length first; nothing is allocated by a number
 * that stands in the file.
 */
#include "config.h"

#include "storage/inspect.h"
#include "storage/segment.h"
#include "storage/segment_internal.h"
#include "storage/wal_internal.h"
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

typedef struct Inspection {
    const char *data;
    uint64_t bytes;
    const char *(*section_name)(unsigned kind);
    Tell *to;
} Inspection;

enum { WHERE_BYTES = 32, UUID_TEXT_BYTES = 33 };
/* What to do, with the first finding; the others are of the same file. */
static const char *advice(const Inspection *look, bool good)
{
    static const char restore[] =
        "restore a copy of the database; `contextql check` tells whether it needs this file";
    return good || look->to->findings > 0 ? "" : restore;
}

static Reader at(const Inspection *look, uint64_t offset, size_t bytes)
{
    assert(offset <= look->bytes && bytes <= look->bytes - offset);
    return reader_of(look->data + offset, bytes);
}

static const char *place(char out[WHERE_BYTES], uint64_t offset)
{
    snprintf(out, WHERE_BYTES, "@%" PRIu64, offset);
    return out;
}

static const char *uuid_text(Reader *reader, char out[UUID_TEXT_BYTES])
{
    for (int i = 0; i < 16; i++)
        snprintf(out + 2 * i, 3, "%02x", get_u8(reader));
    return out;
}

/* Where zeros end, from `from` on. */
static uint64_t zeros_until(const Inspection *look, uint64_t from)
{
    while (from < look->bytes && look->data[from] == 0)
        from++;
    return from;
}

/* ---- the log ---- */

static void wal_header(const Inspection *look)
{
    char uuid[UUID_TEXT_BYTES];
    if (look->bytes < WAL_HEADER_BYTES) {
        tell_line(look->to, TELL_FINDING, "@0", advice(look, false), "header of the log: cut off");
        return;
    }
    Reader reader = at(look, 0, WAL_HEADER_USED_BYTES);
    uint32_t magic = get_u32(&reader), version = get_u32(&reader);
    uuid_text(&reader, uuid);
    uint64_t epoch = get_u64(&reader), number = get_u64(&reader), first = get_u64(&reader);
    bool good = checksum_fits(get_u32(&reader), crc32c(0, look->data, WAL_HEADER_USED_BYTES - 4)) &&
                magic == WAL_SEGMENT_MAGIC;
    tell_line(look->to, good ? TELL_FACT : TELL_FINDING, "@0", advice(look, good),
              "header of the log: version %" PRIu32 ", database %s, epoch %" PRIu64
              ", file %" PRIu64 ", first record %" PRIu64 ", checksum %s",
              version, uuid, epoch, number, first, good ? "good" : "bad");
}

typedef struct WalRecordHead {
    uint32_t payload;
    uint16_t type;
    uint64_t lsn, epoch, durable_lsn;
} WalRecordHead;

/* A whole record with a good checksum begins there. */
static bool wal_record_at(const Inspection *look, uint64_t offset, WalRecordHead *out)
{
    if (offset > look->bytes || look->bytes - offset < WAL_RECORD_HEADER_BYTES) return false;
    Reader reader = at(look, offset, WAL_RECORD_HEADER_BYTES);
    if (get_u32(&reader) != WAL_RECORD_MAGIC) return false;
    uint32_t crc = get_u32(&reader);
    out->payload = get_u32(&reader);
    out->type = get_u16(&reader);
    get_u16(&reader);
    out->lsn = get_u64(&reader);
    out->epoch = get_u64(&reader);
    out->durable_lsn = get_u64(&reader);
    uint64_t left = look->bytes - offset - WAL_RECORD_HEADER_BYTES;
    if (out->payload > WAL_RECORD_BYTES_MAX || out->payload > left) return false;
    return checksum_fits(crc, crc32c(0, look->data + offset + 8,
                                     WAL_RECORD_HEADER_BYTES - 8 + (size_t)out->payload));
}

static void wal_record(const Inspection *look, uint64_t offset, const WalRecordHead *head)
{
    static const char *const types[] = {
        [WAL_CHANGES] = "changes", [WAL_COMMIT] = "commit", [WAL_MARK] = "mark"};
    char where[WHERE_BYTES];
    bool known = head->type >= WAL_CHANGES && head->type <= WAL_MARK;
    tell_line(look->to, TELL_FACT, place(where, offset), "",
              "record %" PRIu64 ": %s, epoch %" PRIu64 ", durable %" PRIu64 ", %" PRIu32
              " bytes, checksum good",
              head->lsn, known ? types[head->type] : "of an unknown kind", head->epoch,
              head->durable_lsn, head->payload);
}

/* The next record behind a place where there is none; the file's end if there is none left. */
static uint64_t wal_next(const Inspection *look, uint64_t offset)
{
    WalRecordHead head;
    for (offset += 8; offset < look->bytes; offset += 8)
        if (look->bytes - offset >= 4 && memcmp(look->data + offset, "WREC", 4) == 0 &&
            wal_record_at(look, offset, &head))
            return offset;
    return look->bytes;
}

static void inspect_wal(const Inspection *look)
{
    char where[WHERE_BYTES];
    WalRecordHead head;
    wal_header(look);
    for (uint64_t offset = WAL_HEADER_BYTES, next; offset < look->bytes; offset = next) {
        if (wal_record_at(look, offset, &head)) {
            wal_record(look, offset, &head);
            next = offset + (WAL_RECORD_HEADER_BYTES + (uint64_t)head.payload + 7) / 8 * 8;
        } else if (zeros_until(look, offset) == look->bytes) {
            next = look->bytes;
            tell_line(look->to, TELL_FACT, place(where, offset), "",
                      "%" PRIu64 " bytes of zeros: room for more", next - offset);
        } else {
            next = wal_next(look, offset);
            tell_line(look->to, TELL_FINDING, place(where, offset), advice(look, false),
                      "%" PRIu64 " bytes that are no record: damaged, or never written whole",
                      next - offset);
        }
    }
}

/* ---- segments ---- */

typedef struct SegmentParts { /* of the trailer */
    uint64_t end;             /* where it begins */
    uint64_t pieces, piece_count, table, section_count, bytes;
    uint32_t pieces_crc, table_crc, crc;
    bool good;
} SegmentParts;

static void segment_header(const Inspection *look)
{
    char uuid[UUID_TEXT_BYTES];
    if (look->bytes < SEGMENT_HEADER_BYTES) {
        tell_line(look->to, TELL_FINDING, "@0", advice(look, false),
                  "header of the segment: cut off");
        return;
    }
    Reader reader = at(look, 0, SEGMENT_HEADER_USED_BYTES);
    uint32_t magic = get_u32(&reader), version = get_u32(&reader);
    uuid_text(&reader, uuid);
    uint32_t kind = get_u32(&reader);
    get_u32(&reader);
    uint64_t id = get_u64(&reader);
    bool good =
        checksum_fits(get_u32(&reader), crc32c(0, look->data, SEGMENT_HEADER_USED_BYTES - 4)) &&
        magic == SEGMENT_MAGIC;
    tell_line(look->to, good ? TELL_FACT : TELL_FINDING, "@0", advice(look, good),
              "header of the segment: version %" PRIu32 ", database %s, kind %" PRIu32
              ", number %" PRIu64 ", checksum %s",
              version, uuid, kind, id, good ? "good" : "bad");
}

/* All that it points to lies in the file, and is as many as there can be. */
static bool parts_fit(const SegmentParts *parts)
{
    if (parts->pieces < SEGMENT_HEADER_BYTES || parts->pieces > parts->end) return false;
    if (parts->table < parts->pieces || parts->table > parts->end) return false;
    uint64_t data = parts->pieces - SEGMENT_HEADER_BYTES;
    return parts->piece_count <= (parts->table - parts->pieces) / 4 &&
           parts->piece_count == (data + SEGMENT_PIECE_BYTES - 1) / SEGMENT_PIECE_BYTES &&
           parts->section_count <= (parts->end - parts->table) / SEGMENT_TABLE_ROW_BYTES;
}

static SegmentParts read_trailer(const Inspection *look)
{
    SegmentParts parts = {.end = look->bytes - SEGMENT_TRAILER_BYTES};
    Reader reader = at(look, parts.end, SEGMENT_TRAILER_USED_BYTES);
    uint32_t magic = get_u32(&reader);
    reader.at += 4 + SEGMENT_UUID_BYTES + 8;
    parts.pieces = get_u64(&reader);
    parts.piece_count = get_u64(&reader);
    parts.table = get_u64(&reader);
    parts.section_count = get_u64(&reader);
    parts.bytes = get_u64(&reader);
    parts.pieces_crc = get_u32(&reader);
    parts.table_crc = get_u32(&reader);
    parts.crc = get_u32(&reader);
    uint32_t made = crc32c(0, look->data + parts.end, SEGMENT_TRAILER_USED_BYTES - 4);
    parts.good = magic == SEGMENT_TRAILER_MAGIC && checksum_fits(parts.crc, made) &&
                 parts.bytes == look->bytes;
    return parts;
}

static void segment_trailer(const Inspection *look, const SegmentParts *parts)
{
    char where[WHERE_BYTES];
    tell_line(look->to, parts->good ? TELL_FACT : TELL_FINDING, place(where, parts->end),
              advice(look, parts->good),
              "trailer: %" PRIu64 " sections, file of %" PRIu64 " bytes, checksum %08" PRIx32 " %s",
              parts->section_count, parts->bytes, parts->crc, parts->good ? "good" : "bad");
}

static bool piece_good(const Inspection *look, const SegmentParts *parts, uint64_t piece)
{
    uint64_t begin = SEGMENT_HEADER_BYTES + piece * SEGMENT_PIECE_BYTES,
             left = parts->pieces - begin;
    Reader stored = at(look, parts->pieces + 4 * piece, 4);
    return checksum_fits(get_u32(&stored),
                         crc32c(0, look->data + begin,
                                left < SEGMENT_PIECE_BYTES ? (size_t)left : SEGMENT_PIECE_BYTES));
}

static void segment_pieces(const Inspection *look, const SegmentParts *parts)
{
    char where[WHERE_BYTES];
    uint64_t bad = 0;
    for (uint64_t piece = 0; piece < parts->piece_count; piece++) {
        if (piece_good(look, parts, piece)) continue;
        bad++;
        tell_line(look->to, TELL_FINDING,
                  place(where, SEGMENT_HEADER_BYTES + piece * SEGMENT_PIECE_BYTES),
                  advice(look, false), "piece %" PRIu64 " of %d bytes: checksum bad", piece,
                  SEGMENT_PIECE_BYTES);
    }
    bool good = checksum_fits(
        parts->pieces_crc, crc32c(0, look->data + parts->pieces, 4 * (size_t)parts->piece_count));
    tell_line(look->to, good ? TELL_FACT : TELL_FINDING, place(where, parts->pieces),
              advice(look, good),
              "checksums of %" PRIu64 " pieces, %" PRIu64 " pieces bad; their own checksum %s",
              parts->piece_count, bad, good ? "good" : "bad");
}

static void segment_row(const Inspection *look, uint64_t number, uint64_t row)
{
    char where[WHERE_BYTES];
    Reader reader = at(look, row, SEGMENT_TABLE_ROW_BYTES);
    unsigned kind = get_u16(&reader);
    get_u16(&reader);
    uint32_t table = get_u32(&reader), key = get_u32(&reader);
    uint32_t file = get_u32(&reader);
    char home[32] = "";
    if (file > 0) snprintf(home, sizeof home, " of other file %" PRIu32, file);
    uint64_t first = get_u64(&reader), count = get_u64(&reader), extra = get_u64(&reader),
             offset = get_u64(&reader), bytes = get_u64(&reader);
    const char *name = kind == SEGMENT_FILES_KIND   ? "FILES"
                       : look->section_name == NULL ? NULL
                                                    : look->section_name(kind);
    tell_line(look->to, TELL_FACT, place(where, offset), "",
              "section %" PRIu64 ": kind %u %s, table %" PRIu32 ", key %" PRIu32 ", first %" PRIu64
              ", count %" PRIu64 ", extra %" PRIu64 ", %" PRIu64 " bytes%s",
              number, kind, name == NULL ? "(unknown)" : name, table, key, first, count, extra,
              bytes, home);
}

static void segment_sections(const Inspection *look, const SegmentParts *parts)
{
    for (uint64_t i = 0; i < parts->section_count; i++)
        segment_row(look, i, parts->table + i * SEGMENT_TABLE_ROW_BYTES);
}

static void segment_table(const Inspection *look, const SegmentParts *parts)
{
    char where[WHERE_BYTES];
    size_t bytes = SEGMENT_TABLE_ROW_BYTES * (size_t)parts->section_count;
    bool good = checksum_fits(parts->table_crc, crc32c(0, look->data + parts->table, bytes));
    tell_line(look->to, good ? TELL_FACT : TELL_FINDING, place(where, parts->table),
              advice(look, good), "table of %" PRIu64 " sections, checksum %s",
              parts->section_count, good ? "good" : "bad");
}

static void inspect_segment(const Inspection *look)
{
    char where[WHERE_BYTES];
    segment_header(look);
    if (look->bytes < SEGMENT_HEADER_BYTES + SEGMENT_TRAILER_BYTES) {
        tell_line(look->to, TELL_FINDING, place(where, look->bytes), advice(look, false),
                  "the file ends before its trailer");
        return;
    }
    SegmentParts parts = read_trailer(look);
    if (parts_fit(&parts)) {
        segment_sections(look, &parts);
        segment_pieces(look, &parts);
        segment_table(look, &parts);
    } else {
        tell_line(look->to, TELL_FINDING, place(where, SEGMENT_HEADER_BYTES), advice(look, false),
                  "the trailer does not say where anything lies: all between is unknown");
    }
    segment_trailer(look, &parts);
}

/* ---- LOCK ---- */

static void inspect_lock(const Inspection *look)
{
    if (look->bytes < 32) {
        tell_line(look->to, TELL_FACT, "@0", "",
                  "LOCK of %" PRIu64 " bytes: nobody has written yet", look->bytes);
        return;
    }
    Reader reader = at(look, 0, 32);
    uint64_t epoch = get_u64(&reader), durable = get_u64(&reader), checkpoint = get_u64(&reader),
             pid = get_u64(&reader);
    tell_line(look->to, TELL_FACT, "@0", "",
              "LOCK: epoch %" PRIu64 ", durable up to record %" PRIu64 ", checkpoint %" PRIu64
              ", last written by pid %" PRIu64,
              epoch, durable, checkpoint, pid);
}

/* ---- which it is ---- */

static bool ends_with(const char *path, const char *end)
{
    size_t bytes = strlen(path), end_bytes = strlen(end);
    return bytes >= end_bytes && strcmp(path + bytes - end_bytes, end) == 0;
}

/* By its first bytes; if they are damaged, by its name. */
static Error *inspect_bytes(const Inspection *look, const char *path)
{
    static const char sqlite[] = "SQLite format 3";
    Reader reader = at(look, 0, look->bytes < 4 ? 0 : 4);
    uint32_t magic = get_u32(&reader);
    if (magic == WAL_SEGMENT_MAGIC || (magic != SEGMENT_MAGIC && ends_with(path, ".ctxw")))
        return inspect_wal(look), NULL;
    if (magic == SEGMENT_MAGIC || ends_with(path, ".ctxs")) return inspect_segment(look), NULL;
    if (ends_with(path, "LOCK")) return inspect_lock(look), NULL;
    if (look->bytes >= sizeof sqlite && memcmp(look->data, sqlite, sizeof sqlite) == 0)
        return error_hint(error_new(ERROR_BAD_FILE, "%s is a file of sqlite", path),
                          "`contextql check` looks at a database's catalog; sqlite3 opens it");
    return error_hint(
        error_new(ERROR_BAD_FILE, "%s is neither a file of a log nor a segment", path),
        "name a file in the folder wal or graph of a database");
}

Error *inspect_file(const Io *io, const char *path, const char *(*section_name)(unsigned kind),
                    Tell *to)
{
    Inspection look = {.data = "", .section_name = section_name, .to = to};
    IoFile *file;
    void *memory = NULL;
    if (io_kind(io, path) == IO_DIRECTORY)
        return error_hint(error_new(ERROR_BAD_FILE, "%s is a directory", path),
                          "`contextql check` looks at a whole database");
    TRY(io_open(io, path, IO_READ, &file));
    Error *error = io_bytes(file, &look.bytes);
    if (error == NULL && look.bytes > 0) error = io_map(file, look.bytes, false, &memory);
    io_close(file);
    TRY(error);
    if (memory != NULL) look.data = memory;
    error = inspect_bytes(&look, path);
    io_unmap(io, memory, look.bytes);
    return error;
}
