/*
 * segment_writer.c - making a segment: sections one behind the other, checksums beside them, and
 * the name only when all of it is on disk.
 *
 * Bytes go through a buffer that is a whole number of pieces and begins where a piece begins, so
 * that each piece's checksum is taken when the buffer is written. There are two buffers: while one
 * is filled, a thread of the writer's own takes the checksums of the other and writes it, past the
 * machine's cache, so that little is left to wait for when the file is synced, and what is in the
 * cache stays there. It is not started for a file that fits one buffer. What comes behind the sections
 * (pieces, table, trailer) is covered by checksums in the trailer, and the trailer's own checksum
 * is what others note when they name the file: one number that stands for every byte.
 */
#include "config.h"

#include "storage/segment.h"
#include "storage/segment_internal.h"
#include <assert.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

enum { BUFFER_BYTES = 16 * SEGMENT_PIECE_BYTES };

struct SegmentWriter {
    const Io *io;
    IoFile *file;
    char directory[IO_PATH_BYTES_MAX], temporary[IO_PATH_BYTES_MAX];
    const char *folder;
    uint8_t uuid[SEGMENT_UUID_BYTES];
    SegmentFile named;
    char *buffer;
    size_t buffered;
    uint64_t written; /* bytes of the file that the buffer comes behind */
    struct {          /* the thread, and what it has in hand; all under `lock` */
        pthread_t thread;
        pthread_mutex_t lock;
        pthread_cond_t changed;
        bool started, leaving;
        char *data; /* NULL: nothing to write */
        uint64_t offset;
        char *free;    /* the other buffer, when it is not in use */
        Error *failed; /* the first failure; nothing is written after it */
    } behind;
    uint32_t *pieces; /* the thread's while it has something in hand */
    size_t piece_count, piece_capacity;
    bool (*stop)(void *state); /* NULL: nobody stops it */
    void *stop_state;
    SegmentSection *sections;
    size_t section_count, section_capacity, dropped_count; /* a dropped one has the kind 0 */
    SegmentFile *files;                                    /* referred to */
    size_t file_count, file_capacity;
};

static uint64_t position(const SegmentWriter *writer)
{
    return writer->written + writer->buffered;
}

static Error *write_pieces(SegmentWriter *writer, uint64_t offset, const char *data, size_t bytes)
{
    for (size_t at = 0; at < bytes; at += SEGMENT_PIECE_BYTES) {
        size_t left = bytes - at, some = left < SEGMENT_PIECE_BYTES ? left : SEGMENT_PIECE_BYTES;
        mem_reserve(writer->pieces, writer->piece_capacity, writer->piece_count + 1);
        writer->pieces[writer->piece_count++] = crc32c(0, data + at, some);
    }
    TRY(io_write(writer->file, offset, data, bytes));
    io_write_out(writer->file, offset, bytes);
    return NULL;
}

static void *write_behind(void *user)
{
    SegmentWriter *writer = user;
    pthread_mutex_lock(&writer->behind.lock);
    for (;;) {
        while (writer->behind.data == NULL && !writer->behind.leaving)
            pthread_cond_wait(&writer->behind.changed, &writer->behind.lock);
        if (writer->behind.data == NULL) break;
        bool good = writer->behind.failed == NULL;
        pthread_mutex_unlock(&writer->behind.lock);
        Error *error =
            !good ? NULL
                  : write_pieces(writer, writer->behind.offset, writer->behind.data, BUFFER_BYTES);
        pthread_mutex_lock(&writer->behind.lock);
        if (error != NULL) writer->behind.failed = error;
        writer->behind.free = writer->behind.data;
        writer->behind.data = NULL;
        pthread_cond_signal(&writer->behind.changed);
    }
    pthread_mutex_unlock(&writer->behind.lock);
    return NULL;
}

static void start_behind(SegmentWriter *writer)
{
    pthread_mutex_init(&writer->behind.lock, NULL);
    pthread_cond_init(&writer->behind.changed, NULL);
    writer->behind.free = mem_alloc_aligned(BUFFER_BYTES, SEGMENT_ALIGN_BYTES);
    writer->behind.started =
        pthread_create(&writer->behind.thread, NULL, write_behind, writer) == 0;
    io_go_direct(writer->file);
    if (writer->behind.started) return;
    mem_free(writer->behind.free); /* no thread is to be had: then without */
    writer->behind.free = NULL;
    pthread_cond_destroy(&writer->behind.changed);
    pthread_mutex_destroy(&writer->behind.lock);
}

/* Waits for what the thread has in hand, and ends it; what failed there is told here. */
static Error *end_behind(SegmentWriter *writer)
{
    Error *failed = writer->behind.failed;
    if (writer->behind.started) {
        pthread_mutex_lock(&writer->behind.lock);
        writer->behind.leaving = true;
        pthread_cond_signal(&writer->behind.changed);
        pthread_mutex_unlock(&writer->behind.lock);
        pthread_join(writer->behind.thread, NULL);
        failed = writer->behind.failed;
        pthread_cond_destroy(&writer->behind.changed);
        pthread_mutex_destroy(&writer->behind.lock);
        mem_free(writer->behind.free);
        writer->behind.started = false;
        writer->behind.free = NULL;
    }
    writer->behind.failed = NULL;
    return failed;
}

/* Gives the full buffer to the thread and takes the other. */
static Error *flush_full(SegmentWriter *writer)
{
    assert(writer->buffered == BUFFER_BYTES);
    if (writer->stop != NULL && writer->stop(writer->stop_state))
        return error_new(ERROR_CANCELLED, "the statement was cancelled");
    if (!writer->behind.started) start_behind(writer);
    uint64_t offset = writer->written;
    writer->written += BUFFER_BYTES;
    writer->buffered = 0;
    if (!writer->behind.started) return write_pieces(writer, offset, writer->buffer, BUFFER_BYTES);
    pthread_mutex_lock(&writer->behind.lock);
    while (writer->behind.data != NULL)
        pthread_cond_wait(&writer->behind.changed, &writer->behind.lock);
    Error *failed = writer->behind.failed;
    writer->behind.failed = NULL;
    writer->behind.offset = offset;
    writer->behind.data = writer->buffer;
    writer->buffer = writer->behind.free;
    pthread_cond_signal(&writer->behind.changed);
    pthread_mutex_unlock(&writer->behind.lock);
    return failed;
}

/* The rest, when nothing comes behind it. */
static Error *flush(SegmentWriter *writer)
{
    TRY(end_behind(writer));
    TRY(write_pieces(writer, writer->written, writer->buffer, writer->buffered));
    writer->written += writer->buffered;
    writer->buffered = 0;
    return NULL;
}

static Error *put(SegmentWriter *writer, const void *data, size_t bytes)
{
    const char *at = data;
    while (bytes > 0) {
        size_t room = BUFFER_BYTES - writer->buffered, some = bytes < room ? bytes : room;
        if (at == NULL) {
            memset(writer->buffer + writer->buffered, 0, some);
        } else {
            memcpy(writer->buffer + writer->buffered, at, some);
            at += some;
        }
        writer->buffered += some;
        bytes -= some;
        if (writer->buffered == BUFFER_BYTES) TRY(flush_full(writer));
    }
    return NULL;
}

static Error *align_to(SegmentWriter *writer, uint64_t from, size_t alignment)
{
    uint64_t over = (position(writer) - from) % alignment;
    return over == 0 ? NULL : put(writer, NULL, alignment - over);
}

/* ---- begin ---- */

static Error *write_header(SegmentWriter *writer, uint32_t kind, uint64_t id)
{
    Buffer header = {0};
    put_u32(&header, SEGMENT_MAGIC);
    put_u32(&header, SEGMENT_VERSION);
    buffer_append(&header, writer->uuid, SEGMENT_UUID_BYTES);
    put_u32(&header, kind);
    put_u32(&header, 0);
    put_u64(&header, id);
    put_u32(&header, crc32c(0, header.data, header.bytes));
    assert(header.bytes == SEGMENT_HEADER_USED_BYTES);
    memset(writer->buffer, 0, SEGMENT_HEADER_BYTES);
    memcpy(writer->buffer, header.data, header.bytes);
    buffer_free(&header);
    writer->written = SEGMENT_HEADER_BYTES;
    return io_write(writer->file, 0, writer->buffer, SEGMENT_HEADER_BYTES);
}

static Error *open_temporary(SegmentWriter *writer, const char *directory, uint64_t id)
{
    char name[SEGMENT_NAME_BYTES_MAX], path[IO_PATH_BYTES_MAX];
    TRY(io_join(writer->directory, directory, ""));
    writer->directory[strlen(writer->directory) - 1] = '\0';
    TRY(io_join(path, directory, "tmp"));
    TRY(io_make_directory(writer->io, path));
    snprintf(name, sizeof name, "tmp/%08" PRIu64 ".ctxs", id);
    TRY(io_join(writer->temporary, directory, name));
    TRY(io_unlink(writer->io, writer->temporary)); /* left by a crash */
    return io_open(writer->io, writer->temporary, IO_CREATE, &writer->file);
}

Error *segment_create(const Io *io, const char *directory, const char *folder,
                      const uint8_t uuid[SEGMENT_UUID_BYTES], uint32_t kind, uint64_t id,
                      SegmentWriter **out)
{
    SegmentWriter *writer = mem_calloc(1, sizeof *writer);
    writer->io = io;
    writer->folder = folder;
    writer->buffer = mem_alloc_aligned(BUFFER_BYTES, SEGMENT_ALIGN_BYTES);
    memcpy(writer->uuid, uuid, SEGMENT_UUID_BYTES);
    writer->named.id = id;
    snprintf(writer->named.name, sizeof writer->named.name, "%s/%08" PRIu64 ".ctxs", folder, id);
    Error *error = open_temporary(writer, directory, id);
    if (error == NULL) error = write_header(writer, kind, id);
    if (error != NULL) {
        segment_abandon(writer);
        return error;
    }
    *out = writer;
    return NULL;
}

/* ---- sections ---- */

static void end_section(SegmentWriter *writer)
{
    if (writer->section_count == 0) return;
    SegmentSection *last = &writer->sections[writer->section_count - 1];
    if (last->file == 0) last->bytes = position(writer) - last->offset;
}

void segment_heed(SegmentWriter *writer, bool (*stop)(void *state), void *state)
{
    writer->stop = stop;
    writer->stop_state = state;
}

Error *segment_begin(SegmentWriter *writer, const SegmentSection *section)
{
    assert(writer->section_count < SEGMENT_SECTIONS_MAX);
    assert(section->kind != 0);
    end_section(writer);
    TRY(align_to(writer, 0, SEGMENT_ALIGN_BYTES));
    mem_reserve(writer->sections, writer->section_capacity, writer->section_count + 1);
    SegmentSection *own = &writer->sections[writer->section_count++];
    *own = *section;
    own->file = 0;
    own->offset = position(writer);
    return NULL;
}

/* The file's place among those referred to, from 1 on. */
static uint32_t file_number(SegmentWriter *writer, const SegmentFile *file)
{
    size_t i = 0;
    while (i < writer->file_count && writer->files[i].id != file->id)
        i++;
    if (i == writer->file_count) {
        mem_reserve(writer->files, writer->file_capacity, writer->file_count + 1);
        writer->files[writer->file_count++] = *file;
    }
    return (uint32_t)i + 1;
}

void segment_refer(SegmentWriter *writer, const Segment *base, const SegmentSection *section,
                   const SegmentSection *as)
{
    const SegmentFile *file =
        section->file == 0 ? segment_file(base) : segment_other(base, section->file - 1);
    assert(writer->section_count < SEGMENT_SECTIONS_MAX && as->kind != 0);
    assert(file->id < writer->named.id);
    end_section(writer);
    mem_reserve(writer->sections, writer->section_capacity, writer->section_count + 1);
    SegmentSection *row = &writer->sections[writer->section_count++];
    *row = *as;
    row->file = file_number(writer, file);
    row->offset = section->offset;
    row->bytes = section->bytes;
}

size_t segment_referred(const SegmentWriter *writer, const SegmentFile **files)
{
    *files = writer->files;
    return writer->file_count;
}

Error *segment_put(SegmentWriter *writer, const void *data, size_t bytes)
{
    assert(writer->section_count > 0);
    assert(data != NULL || bytes == 0);
    return bytes == 0 ? NULL : put(writer, data, bytes);
}

Error *segment_pad(SegmentWriter *writer, size_t alignment)
{
    assert(alignment <= SEGMENT_ALIGN_BYTES && (alignment & (alignment - 1)) == 0);
    assert(writer->section_count > 0);
    return align_to(writer, writer->sections[writer->section_count - 1].offset, alignment);
}

uint64_t segment_put_bytes(const SegmentWriter *writer)
{
    assert(writer->section_count > 0);
    return position(writer) - writer->sections[writer->section_count - 1].offset;
}

size_t segment_begun(const SegmentWriter *writer)
{
    return writer->section_count;
}

void segment_drop(SegmentWriter *writer, size_t first, size_t count)
{
    assert(first + count <= writer->section_count);
    for (size_t i = first; i < first + count; i++) {
        writer->dropped_count += writer->sections[i].kind != 0;
        writer->sections[i].kind = 0;
    }
}

/* ---- end ---- */

static void put_table(const SegmentWriter *writer, Buffer *out)
{
    for (size_t i = 0; i < writer->section_count; i++) {
        const SegmentSection *section = &writer->sections[i];
        if (section->kind == 0) continue;
        put_u16(out, section->kind);
        put_u16(out, section->flags);
        put_u32(out, section->table);
        put_u32(out, section->key);
        put_u32(out, section->file);
        put_u64(out, section->first);
        put_u64(out, section->count);
        put_u64(out, section->extra);
        put_u64(out, section->offset);
        put_u64(out, section->bytes);
        put_u64(out, 0);
    }
}

/* Everything behind the sections, as one run of bytes that ends with the file. */
static void put_tail(SegmentWriter *writer, Buffer *out)
{
    uint64_t begin = writer->written;
    for (size_t i = 0; i < writer->piece_count; i++)
        put_u32(out, writer->pieces[i]);
    uint32_t pieces_crc = crc32c(0, out->data, out->bytes);
    while (out->bytes % 8 != 0)
        put_u8(out, 0);
    size_t table = out->bytes;
    put_table(writer, out);
    uint32_t table_crc = crc32c(0, out->data + table, out->bytes - table);
    while ((begin + out->bytes) % SEGMENT_ALIGN_BYTES != 0)
        put_u8(out, 0);
    size_t trailer = out->bytes;
    writer->named.bytes = begin + trailer + SEGMENT_TRAILER_BYTES;
    put_u32(out, SEGMENT_TRAILER_MAGIC);
    put_u32(out, SEGMENT_VERSION);
    buffer_append(out, writer->uuid, SEGMENT_UUID_BYTES);
    put_u64(out, writer->named.id);
    put_u64(out, begin);
    put_u64(out, writer->piece_count);
    put_u64(out, begin + table);
    put_u64(out, writer->section_count - writer->dropped_count);
    put_u64(out, writer->named.bytes);
    put_u32(out, pieces_crc);
    put_u32(out, table_crc);
    writer->named.crc = crc32c(0, out->data + trailer, out->bytes - trailer);
    put_u32(out, writer->named.crc);
    assert(out->bytes - trailer == SEGMENT_TRAILER_USED_BYTES);
    while (out->bytes - trailer < SEGMENT_TRAILER_BYTES)
        put_u8(out, 0);
}

static Error *put_file_names(SegmentWriter *writer)
{
    Buffer rows = {0};
    assert(writer->file_count <= SEGMENT_FILES_MAX);
    if (writer->file_count == 0) return NULL;
    for (size_t i = 0; i < writer->file_count; i++) {
        put_u64(&rows, writer->files[i].id);
        put_u64(&rows, writer->files[i].bytes);
        put_u32(&rows, writer->files[i].crc);
        put_u32(&rows, 0);
    }
    Error *error = segment_begin(writer, &(SegmentSection){.kind = SEGMENT_FILES_KIND,
                                                           .flags = SEGMENT_REQUIRED,
                                                           .count = writer->file_count});
    if (error == NULL) error = segment_put(writer, rows.data, rows.bytes);
    buffer_free(&rows);
    return error;
}

static Error *write_end(SegmentWriter *writer)
{
    Buffer tail = {0};
    TRY(put_file_names(writer));
    end_section(writer);
    Error *error = flush(writer);
    if (error == NULL) {
        put_tail(writer, &tail);
        error = io_write(writer->file, writer->written, tail.data, tail.bytes);
    }
    buffer_free(&tail);
    return error == NULL ? io_sync(writer->file) : error;
}

/* The name appears only now, and is on disk before anybody can refer to it. */
static Error *give_name(SegmentWriter *writer)
{
    char folder[IO_PATH_BYTES_MAX], path[IO_PATH_BYTES_MAX];
    TRY(io_join(folder, writer->directory, writer->folder));
    TRY(io_make_directory(writer->io, folder));
    TRY(io_sync_parent(writer->io, folder)); /* also one that a process made and was killed */
    TRY(io_join(path, writer->directory, writer->named.name));
    TRY(io_rename(writer->io, writer->temporary, path));
    writer->temporary[0] = '\0';
    return io_sync_directory(writer->io, folder);
}

Error *segment_finish(SegmentWriter *writer, SegmentFile *out)
{
    Error *error = write_end(writer);
    if (error == NULL) error = give_name(writer);
    if (error == NULL) *out = writer->named;
    segment_abandon(writer);
    return error;
}

void segment_abandon(SegmentWriter *writer)
{
    if (writer == NULL) return;
    error_drop(end_behind(writer));
    io_close(writer->file);
    if (writer->file != NULL && writer->temporary[0] != '\0')
        error_drop(io_unlink(writer->io, writer->temporary)); /* recovery empties tmp/ anyway */
    mem_free(writer->buffer);
    mem_free(writer->pieces);
    mem_free(writer->sections);
    mem_free(writer->files);
    mem_free(writer);
}
