/*
 * segment.c - reading a segment: mapped, checked where it is touched.
 *
 * Opening looks at header, trailer, piece checksums and table: a few pages, whatever the file's
 * length; so it is with the older segments that it refers to, each of which is a Segment of its own
 * here. The data itself is checked a piece at a time when somebody is about to use it; one bit a
 * piece remembers that it was good. The mapping is private and may be written to: a store changes
 * its arrays in place and the kernel copies the pages; a piece must be checked before that.
 */
#include "config.h"

#include "storage/segment.h"
#include "storage/segment_internal.h"
#include <assert.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

struct Segment {
    const Io *io;
    SegmentFile named;
    char *memory;
    SegmentSection *sections;
    size_t section_count;
    uint64_t piece_count, data_end; /* pieces lie between header and here */
    const char *pieces;             /* in the mapping */
    struct Segment **others;        /* that it refers to; each by itself */
    size_t other_count;
    _Atomic uint64_t *checked; /* bit i: piece i agreed with its checksum */
    _Atomic uint64_t *bad;     /* bit i: it did not, and need not be asked again */
    atomic_bool damaged;
};

static Error *bad(const SegmentFile *file, const char *what)
{
    return error_hint(error_new(ERROR_CORRUPT, "%s is damaged: %s", file->name, what),
                      "restore a copy of the directory; nothing was changed");
}

static Error *check_header(const Segment *segment, const uint8_t *uuid)
{
    Reader reader = reader_of(segment->memory, SEGMENT_HEADER_USED_BYTES);
    uint32_t magic = get_u32(&reader), version = get_u32(&reader);
    reader.at += SEGMENT_UUID_BYTES + 8;
    uint64_t id = get_u64(&reader);
    uint32_t crc = get_u32(&reader);
    if (magic != SEGMENT_MAGIC) return bad(&segment->named, "it does not begin as a segment");
    if (!checksum_fits(crc, crc32c(0, segment->memory, SEGMENT_HEADER_USED_BYTES - 4)))
        return bad(&segment->named, "its header");
    if (version > SEGMENT_VERSION)
        return error_hint(
            error_new(ERROR_VERSION, "%s was written by a newer version", segment->named.name),
            "use a newer contextql");
    if (version < SEGMENT_VERSION_OLDEST)
        return error_hint(
            error_new(ERROR_VERSION,
                      "%s was written in format %u, this program reads those from %d on",
                      segment->named.name, version, SEGMENT_VERSION_OLDEST),
            "write it out with the contextql that made it, and load it anew");
    if (memcmp(segment->memory + 8, uuid, SEGMENT_UUID_BYTES) != 0)
        return bad(&segment->named, "it belongs to another database");
    return id == segment->named.id ? NULL : bad(&segment->named, "it is another file of this name");
}

typedef struct Trailer {
    uint64_t pieces, piece_count, table, section_count, bytes;
    uint32_t pieces_crc, table_crc;
} Trailer;

static Error *read_trailer(const Segment *segment, Trailer *out)
{
    const char *at = segment->memory + segment->named.bytes - SEGMENT_TRAILER_BYTES;
    Reader reader = reader_of(at, SEGMENT_TRAILER_USED_BYTES);
    uint32_t magic = get_u32(&reader);
    reader.at += 4 + SEGMENT_UUID_BYTES + 8;
    out->pieces = get_u64(&reader);
    out->piece_count = get_u64(&reader);
    out->table = get_u64(&reader);
    out->section_count = get_u64(&reader);
    out->bytes = get_u64(&reader);
    out->pieces_crc = get_u32(&reader);
    out->table_crc = get_u32(&reader);
    uint32_t crc = get_u32(&reader);
    bool sound = magic == SEGMENT_TRAILER_MAGIC &&
                 checksum_fits(crc, crc32c(0, at, SEGMENT_TRAILER_USED_BYTES - 4)) &&
                 checksum_fits(segment->named.crc, crc) && out->bytes == segment->named.bytes;
    return sound ? NULL : bad(&segment->named, "its trailer");
}

/* Each part lies where it can lie: checked before anything is multiplied or read. */
static bool trailer_fits(const Trailer *trailer)
{
    uint64_t end = trailer->bytes - SEGMENT_TRAILER_BYTES;
    if (trailer->pieces < SEGMENT_HEADER_BYTES || trailer->pieces > end) return false;
    uint64_t data = trailer->pieces - SEGMENT_HEADER_BYTES;
    if (trailer->piece_count != (data + SEGMENT_PIECE_BYTES - 1) / SEGMENT_PIECE_BYTES)
        return false;
    if (trailer->table < trailer->pieces + 4 * trailer->piece_count || trailer->table > end)
        return false;
    return trailer->section_count <= SEGMENT_SECTIONS_MAX &&
           trailer->section_count * SEGMENT_TABLE_ROW_BYTES <= end - trailer->table;
}

/* Where the section's file has its sections; NULL: that file is not open. */
static const Segment *home_of(const Segment *segment, const SegmentSection *section)
{
    if (section->file == 0) return segment;
    return section->file <= segment->other_count ? segment->others[section->file - 1] : NULL;
}

static bool lies_inside(const Segment *home, const SegmentSection *section)
{
    return section->offset % SEGMENT_ALIGN_BYTES == 0 && section->offset >= SEGMENT_HEADER_BYTES &&
           section->offset <= home->data_end && section->bytes <= home->data_end - section->offset;
}

static Error *read_table(Segment *segment, const Trailer *trailer)
{
    const char *table = segment->memory + trailer->table;
    size_t bytes = trailer->section_count * SEGMENT_TABLE_ROW_BYTES;
    if (!checksum_fits(trailer->table_crc, crc32c(0, table, bytes)))
        return bad(&segment->named, "its table of sections");
    Reader reader = reader_of(table, bytes);
    segment->section_count = trailer->section_count;
    segment->sections = mem_calloc(segment->section_count + 1, sizeof *segment->sections);
    for (size_t i = 0; i < segment->section_count; i++) {
        SegmentSection *section = &segment->sections[i];
        section->kind = get_u16(&reader);
        section->flags = get_u16(&reader);
        section->table = get_u32(&reader);
        section->key = get_u32(&reader);
        section->file = get_u32(&reader);
        section->first = get_u64(&reader);
        section->count = get_u64(&reader);
        section->extra = get_u64(&reader);
        section->offset = get_u64(&reader);
        section->bytes = get_u64(&reader);
        get_u64(&reader);
        if (section->file == 0 && !lies_inside(segment, section))
            return bad(&segment->named, "a section lies outside");
    }
    return NULL;
}

static Error *read_all(Segment *segment, const uint8_t *uuid)
{
    Trailer trailer;
    TRY(check_header(segment, uuid));
    TRY(read_trailer(segment, &trailer));
    if (!trailer_fits(&trailer)) return bad(&segment->named, "its parts do not fit");
    segment->data_end = trailer.pieces;
    segment->piece_count = trailer.piece_count;
    segment->pieces = segment->memory + trailer.pieces;
    if (!checksum_fits(trailer.pieces_crc, crc32c(0, segment->pieces, 4 * segment->piece_count)))
        return bad(&segment->named, "its checksums");
    segment->checked = mem_calloc(segment->piece_count / 64 + 1, sizeof *segment->checked);
    segment->bad = mem_calloc(segment->piece_count / 64 + 1, sizeof *segment->bad);
    return read_table(segment, &trailer);
}

static Error *map_file(Segment *segment, const char *directory)
{
    char path[IO_PATH_BYTES_MAX];
    IoFile *file;
    uint64_t bytes = 0;
    void *memory = NULL;
    TRY(io_join(path, directory, segment->named.name));
    TRY(io_open(segment->io, path, IO_READ, &file));
    Error *error = io_bytes(file, &bytes);
    if (error == NULL &&
        (bytes != segment->named.bytes || bytes < SEGMENT_HEADER_BYTES + SEGMENT_TRAILER_BYTES))
        error = bad(&segment->named, "it is not as long as it was");
    if (error == NULL) error = io_map(file, bytes, false, &memory);
    segment->memory = memory;
    io_close(file);
    return error;
}

static Error *open_other(Segment *segment, const char *directory, const uint8_t *uuid, Reader *row)
{
    SegmentFile file = {.id = get_u64(row)};
    file.bytes = get_u64(row);
    file.crc = get_u32(row);
    const char *slash = strrchr(segment->named.name, '/');
    int folder = slash == NULL ? 0 : (int)(slash - segment->named.name) + 1;
    if (get_u32(row) != 0 || file.id == 0 || file.id >= segment->named.id)
        return bad(&segment->named, "it refers to no older segment");
    snprintf(file.name, sizeof file.name, "%.*s%08" PRIu64 ".ctxs", folder, segment->named.name,
             file.id);
    TRY(segment_open_alone(segment->io, directory, uuid, &file,
                           &segment->others[segment->other_count]));
    segment->other_count++;
    return NULL;
}

/* The table's last section names the other files; it is nobody's business beyond here. */
static Error *open_others(Segment *segment, const char *directory, const uint8_t *uuid)
{
    size_t own = segment->section_count;
    const SegmentSection *names = own == 0 ? NULL : &segment->sections[own - 1];
    if (names == NULL || names->kind != SEGMENT_FILES_KIND) return NULL;
    segment->section_count--;
    bool fits = names->file == 0 && names->count <= SEGMENT_FILES_MAX &&
                names->bytes == names->count * SEGMENT_FILE_ROW_BYTES &&
                segment_touch(segment, segment->memory + names->offset, names->bytes);
    if (!fits) return bad(&segment->named, "its list of files");
    segment->others = mem_calloc(names->count + 1, sizeof(Segment *));
    Reader rows = reader_of(segment->memory + names->offset, names->bytes);
    for (uint64_t i = 0; directory != NULL && i < names->count; i++)
        TRY(open_other(segment, directory, uuid, &rows));
    return NULL;
}

/* Without `others` sections that lie there are left out. */
static Error *open_file(const Io *io, const char *directory, const uint8_t *uuid,
                        const SegmentFile *file, bool others, Segment **out)
{
    Segment *segment = mem_calloc(1, sizeof *segment);
    segment->io = io;
    segment->named = *file;
    Error *error = map_file(segment, directory);
    if (error == NULL) error = read_all(segment, uuid);
    if (error == NULL) error = open_others(segment, others ? directory : NULL, uuid);
    for (size_t i = 0; error == NULL && others && i < segment->section_count; i++) {
        const Segment *home = home_of(segment, &segment->sections[i]);
        if (home == NULL || !lies_inside(home, &segment->sections[i]))
            error = bad(&segment->named, "a section lies outside");
    }
    if (error != NULL) {
        segment_close(segment);
        return error;
    }
    *out = segment;
    return NULL;
}

Error *segment_open(const Io *io, const char *directory, const uint8_t uuid[SEGMENT_UUID_BYTES],
                    const SegmentFile *file, Segment **out)
{
    return open_file(io, directory, uuid, file, true, out);
}

Error *segment_open_alone(const Io *io, const char *directory,
                          const uint8_t uuid[SEGMENT_UUID_BYTES], const SegmentFile *file,
                          Segment **out)
{
    return open_file(io, directory, uuid, file, false, out);
}

void segment_close(Segment *segment)
{
    if (segment == NULL) return;
    for (size_t i = 0; i < segment->other_count; i++)
        segment_close(segment->others[i]);
    mem_free(segment->others);
    io_unmap(segment->io, segment->memory, segment->named.bytes);
    mem_free(segment->sections);
    mem_free((void *)segment->checked);
    mem_free((void *)segment->bad);
    mem_free(segment);
}

size_t segment_others(const Segment *segment)
{
    return segment->other_count;
}

const SegmentFile *segment_other(const Segment *segment, size_t i)
{
    assert(i < segment->other_count);
    return &segment->others[i]->named;
}

const SegmentFile *segment_file(const Segment *segment)
{
    return &segment->named;
}

size_t segment_count(const Segment *segment)
{
    return segment->section_count;
}

const SegmentSection *segment_section(const Segment *segment, size_t i)
{
    assert(i < segment->section_count);
    return &segment->sections[i];
}

void *segment_data(const Segment *segment, const SegmentSection *section)
{
    const Segment *home = home_of(segment, section);
    assert(home != NULL && section->offset + section->bytes <= home->data_end);
    return home->memory + section->offset;
}

static bool is_mapped(const Segment *segment, const void *memory)
{
    uintptr_t at = (uintptr_t)memory, begin = (uintptr_t)segment->memory;
    return at >= begin && at - begin < segment->named.bytes;
}

bool segment_holds(const Segment *segment, const void *memory)
{
    if (is_mapped(segment, memory)) return true;
    for (size_t i = 0; i < segment->other_count; i++)
        if (is_mapped(segment->others[i], memory)) return true;
    return false;
}

/* ---- checksums ---- */

static bool piece_good(Segment *segment, uint64_t piece)
{
    uint64_t bit = UINT64_C(1) << piece % 64;
    if (atomic_load_explicit(&segment->checked[piece / 64], memory_order_acquire) & bit)
        return true;
    if (atomic_load_explicit(&segment->bad[piece / 64], memory_order_relaxed) & bit) return false;
    uint64_t begin = SEGMENT_HEADER_BYTES + piece * SEGMENT_PIECE_BYTES;
    uint64_t left = segment->data_end - begin;
    size_t bytes = left < SEGMENT_PIECE_BYTES ? left : SEGMENT_PIECE_BYTES;
    Reader stored = reader_of(segment->pieces + 4 * piece, 4);
    /* A piece that another thread has found good, and changed since, is good. */
    if (!checksum_fits(get_u32(&stored), crc32c(0, segment->memory + begin, bytes))) {
        if (atomic_load_explicit(&segment->checked[piece / 64], memory_order_acquire) & bit)
            return true;
        atomic_fetch_or_explicit(&segment->bad[piece / 64], bit, memory_order_relaxed);
        return false;
    }
    atomic_fetch_or_explicit(&segment->checked[piece / 64], bit, memory_order_release);
    return true;
}

bool segment_touch(Segment *segment, const void *memory, size_t bytes)
{
    assert(segment_holds(segment, memory));
    if (bytes == 0) return true;
    for (size_t i = 0; !is_mapped(segment, memory); i++)
        if (is_mapped(segment->others[i], memory))
            return segment_touch(segment->others[i], memory, bytes);
    uint64_t from = (uint64_t)((const char *)memory - segment->memory);
    assert(from >= SEGMENT_HEADER_BYTES && from + bytes <= segment->data_end);
    uint64_t piece = (from - SEGMENT_HEADER_BYTES) / SEGMENT_PIECE_BYTES,
             last = (from + bytes - 1 - SEGMENT_HEADER_BYTES) / SEGMENT_PIECE_BYTES;
    for (; piece <= last; piece++)
        if (!piece_good(segment, piece)) {
            atomic_store(&segment->damaged, true);
            return false;
        }
    return true;
}

bool segment_damaged(const Segment *segment)
{
    for (size_t i = 0; i < segment->other_count; i++)
        if (segment_damaged(segment->others[i])) return true;
    return atomic_load_explicit(&segment->damaged, memory_order_relaxed);
}

const char *segment_damaged_name(const Segment *segment)
{
    for (size_t i = 0; i < segment->other_count; i++)
        if (segment_damaged(segment->others[i])) return segment->others[i]->named.name;
    return segment->named.name;
}

void segment_each_bad(Segment *segment, Tell *to,
                      void (*each)(void *user, uint64_t from, uint64_t until), void *user)
{
    for (uint64_t piece = 0; piece < segment->piece_count; piece++) {
        if (tell_done(to, piece, segment->piece_count)) return;
        uint64_t from = SEGMENT_HEADER_BYTES + piece * SEGMENT_PIECE_BYTES,
                 until = from + SEGMENT_PIECE_BYTES;
        if (piece_good(segment, piece)) continue;
        atomic_store(&segment->damaged, true);
        each(user, from, until < segment->data_end ? until : segment->data_end);
    }
}

Error *segment_verify(Segment *segment, Tell *to)
{
    for (uint64_t piece = 0; piece < segment->piece_count; piece++) {
        if (tell_done(to, piece, segment->piece_count)) return tell_stopped(to);
        if (!piece_good(segment, piece)) {
            atomic_store(&segment->damaged, true);
            return error_hint(
                error_new(
                    ERROR_CORRUPT, "%s is damaged between byte %llu and %llu", segment->named.name,
                    (unsigned long long)SEGMENT_HEADER_BYTES + piece * SEGMENT_PIECE_BYTES,
                    (unsigned long long)SEGMENT_HEADER_BYTES + (piece + 1) * SEGMENT_PIECE_BYTES),
                "restore a copy of the directory; nothing was changed");
        }
    }
    return NULL;
}
