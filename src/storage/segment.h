/*
 * segment.h - the one container of immutable data: raw arrays with a description each, mapped into
 * memory and used in place.
 *
 *     header    4 KiB {magic u32, version u32, uuid 16 bytes, kind u32, 0 u32, id u64, crc u32}
 *     sections  each from a multiple of 4 KiB on: one flat array
 *     pieces    one CRC32C for each 64 KiB of the file between header and here
 *     table     64 bytes a section {kind u16, flags u16, table u32, key u32, file u32, first u64,
 *               count u64, extra u64, offset u64, bytes u64, 0 u64}
 *     trailer   4 KiB {magic u32, version u32, uuid, id u64, piece offset u64, piece count u64,
 *               table offset u64, section count u64, file bytes u64, crc of pieces u32, crc of
 *               table u32, crc of the trailer u32}
 *
 * Little endian. What kind, table, key, first, count and extra mean is the business of who wrote
 * them. A segment is written under tmp/, synced, renamed to its folder, and the folder synced:
 * whoever names it (a log record, the catalog) does so afterwards.
 *
 * A section may lie in an older segment of the same folder: then `file` is not 0, and the last section
 * of the table, of kind 0xffff, has a row for each of these files {id u64, bytes u64, crc u32, 0 u32}.
 * So what has not changed since it was written is not written again; whoever names the segment names
 * the files it refers to, too.
 *
 * Nothing read is trusted: lengths are checked when a segment is opened, its pieces when they are
 * first touched (segment_touch) or all at once (segment_verify).
 */
#ifndef STORAGE_SEGMENT_H
#define STORAGE_SEGMENT_H
#include "base/bytes.h"
#include "base/tell.h"
#include "storage/io.h"

enum {
    SEGMENT_UUID_BYTES = 16,
    SEGMENT_ALIGN_BYTES = 4096,
    SEGMENT_PIECE_BYTES = 64 << 10,
    SEGMENT_SECTIONS_MAX = 1 << 20, /* a table of 64 MiB: beyond that a file is taken for damaged */
    SEGMENT_NAME_BYTES_MAX = 64,
    SEGMENT_FILES_MAX = 32 /* that one refers to: opening maps each, some 20 us */
};
enum { SEGMENT_REQUIRED = 1 }; /* flag: a reader that does not know the kind refuses the file */

typedef struct SegmentSection {
    uint16_t kind, flags;
    uint32_t table, key;
    uint64_t first, count, extra;
    uint64_t offset, bytes; /* in the file; the writer fills them in */
    uint32_t file;          /* 0: this one, else 1 + which of the older ones; so is this */
} SegmentSection;

/* How others name a segment: log records and the catalog. */
typedef struct SegmentFile {
    char name[SEGMENT_NAME_BYTES_MAX]; /* relative to the database: "graph/00000003.ctxs" */
    uint64_t id, bytes;
    uint32_t crc; /* of its trailer, which covers everything */
} SegmentFile;

/* ---- writing ---- */
typedef struct Segment Segment;
typedef struct SegmentWriter SegmentWriter;
/* Begins DIRECTORY/tmp/ID.ctxs, to become DIRECTORY/FOLDER/ID.ctxs. Makes the folders. `folder` is
 * a constant's text. */
Error *segment_create(const Io *io, const char *directory, const char *folder,
                      const uint8_t uuid[SEGMENT_UUID_BYTES], uint32_t kind, uint64_t id,
                      SegmentWriter **out) MUST_CHECK;
/* Asked whenever a buffer is full, by the thread that puts: true ends it with ERROR_CANCELLED. */
void segment_heed(SegmentWriter *writer, bool (*stop)(void *state), void *state);
/* A new section; the one before is complete. offset and bytes of `section` are not looked at. */
Error *segment_begin(SegmentWriter *writer, const SegmentSection *section) MUST_CHECK;
Error *segment_put(SegmentWriter *writer, const void *data, size_t bytes) MUST_CHECK;
/* Zeros until the section's length is a multiple of `alignment` (a power of two up to 4096). */
Error *segment_pad(SegmentWriter *writer, size_t alignment) MUST_CHECK;
uint64_t segment_put_bytes(const SegmentWriter *writer); /* of the section at hand, so far */
/* Sections begun so far, and taking some of them back: they are in no table, only their bytes stay. */
size_t segment_begun(const SegmentWriter *writer);
void segment_drop(SegmentWriter *writer, size_t first, size_t count);
/* A section that is one of `base`, or of what it refers to, described anew: `as`, of which offset, bytes
 * and file are not looked at. It takes no room, and is no section to put anything into. */
void segment_refer(SegmentWriter *writer, const Segment *base, const SegmentSection *section,
                   const SegmentSection *as);
/* The files referred to so far. More than SEGMENT_FILES_MAX: it cannot be finished. */
size_t segment_referred(const SegmentWriter *writer, const SegmentFile **files);
/* Everything is on disk under its name. Ends the writer, also when it fails (then nothing stays).
 */
Error *segment_finish(SegmentWriter *writer, SegmentFile *out) MUST_CHECK;
void segment_abandon(SegmentWriter *writer); /* ends it, leaving nothing; NULL is welcome */

/* ---- reading ---- */
/* Maps DIRECTORY/NAME, and the files it refers to, privately: what is stored into them stays in this
 * process. A file that is missing is ERROR_NO_FILE; one of another database, of another length or
 * checksum than named, or damaged in header, table or trailer is ERROR_CORRUPT. */
Error *segment_open(const Io *io, const char *directory, const uint8_t uuid[SEGMENT_UUID_BYTES],
                    const SegmentFile *file, Segment **out) MUST_CHECK;
/* The file alone: sections that lie in others cannot be asked for. */
Error *segment_open_alone(const Io *io, const char *directory,
                          const uint8_t uuid[SEGMENT_UUID_BYTES], const SegmentFile *file,
                          Segment **out) MUST_CHECK;
size_t segment_others(const Segment *segment);
const SegmentFile *segment_other(const Segment *segment, size_t i); /* that it refers to */
void segment_close(Segment *segment);                               /* NULL is welcome */
const SegmentFile *segment_file(const Segment *segment);
size_t segment_count(const Segment *segment);
const SegmentSection *segment_section(const Segment *segment, size_t i);
void *segment_data(const Segment *segment, const SegmentSection *section);
bool segment_holds(const Segment *segment, const void *memory); /* points into the mapping? */
/* Checks the pieces under these bytes of the mapping, each once; must be called before they are
 * changed. False: damaged, and segment_damaged says so from now on. Safe from several threads. */
bool segment_touch(Segment *segment, const void *memory, size_t bytes);
bool segment_damaged(const Segment *segment);
const char *segment_damaged_name(const Segment *segment); /* of the file; its own if none is */
/* All pieces of the file itself: gives every bad one, as a range of bytes of it. Asks `to`. */
void segment_each_bad(Segment *segment, Tell *to,
                      void (*bad)(void *user, uint64_t from, uint64_t until), void *user);
/* All pieces of the file itself; ERROR_CORRUPT names the first bad one. Asks `to`. */
Error *segment_verify(Segment *segment, Tell *to) MUST_CHECK;
#endif
