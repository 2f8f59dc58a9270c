/*
 * spill.c - rows as bytes in a file: a u32 of how many bytes follow, a varint of how often the row
 * counts, the values. Property values as they are encoded everywhere (value/encode.h); lists, maps, paths
 * and entities, which no property is, as a kind and what they are made of.
 */
#include "config.h"

#include "order/spill.h"
#include "value/encode.h"
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    NAMES_MAX = 100, /* of another process with our number: files of its crash */
    DEPTH_MAX = 1000 /* of lists in lists: what an expression can make is less deep */
};

struct SpillFile {
    SpillPlace *place;
    IoFile *file;
    Buffer waiting; /* not written yet */
    size_t buffer_bytes;
    uint64_t written;
};

/* What can be done is another thing than for other files. */
static Error *explain(const SpillPlace *place, Error *error)
{
    Error *told = error_hint(error_new(error_code(error), "%s", error_message(error)),
                             "rows that memory has no room for go to files in %s: make room there, "
                             "or raise memory_limit",
                             place->directory);
    error_drop(error);
    return told;
}

Error *spill_open(SpillPlace *place, size_t buffer_bytes, SpillFile **out)
{
    char name[64], path[IO_PATH_BYTES_MAX];
    IoFile *file = NULL;
    Error *error = io_make_directory(place->io, place->directory);
    for (int i = 0; error == NULL && file == NULL; i++) {
        snprintf(name, sizeof name, "spill-%ld-%llu", (long)getpid(),
                 (unsigned long long)atomic_fetch_add(&place->files, 1));
        error = io_join(path, place->directory, name);
        if (error == NULL && i < NAMES_MAX && io_kind(place->io, path) != IO_NOTHING) continue;
        if (error == NULL) error = io_open(place->io, path, IO_CREATE, &file);
    }
    if (error == NULL) error = io_unlink(place->io, path);
    if (error != NULL) {
        io_close(file);
        return explain(place, error);
    }
    SpillFile *made = mem_calloc(1, sizeof *made);
    *made = (SpillFile){.place = place, .file = file, .buffer_bytes = buffer_bytes};
    *out = made;
    return NULL;
}

void spill_close(SpillFile *file)
{
    if (file == NULL) return;
    io_close(file->file);
    buffer_free(&file->waiting);
    mem_free(file);
}

uint64_t spill_end(const SpillFile *file)
{
    return file->written + file->waiting.bytes;
}

static Error *write_waiting(SpillFile *file)
{
    Error *error = io_write(file->file, file->written, file->waiting.data, file->waiting.bytes);
    if (error != NULL) return explain(file->place, error);
    file->written += file->waiting.bytes;
    atomic_fetch_add(&file->place->bytes, file->waiting.bytes);
    buffer_clear(&file->waiting);
    return NULL;
}

/* ---- values ---- */

static void put_value(Buffer *out, Value value)
{
    switch ((ValueKind)value.kind) {
    case VALUE_LIST:
        put_u8(out, VALUE_LIST);
        put_varint(out, value.aux);
        for (uint32_t i = 0; i < value.aux; i++)
            put_value(out, value.as.items[i]);
        return;
    case VALUE_MAP:
        put_u8(out, VALUE_MAP);
        put_varint(out, value.aux);
        for (uint32_t i = 0; i < value.aux; i++) {
            put_str(out, value.as.entries[i].key);
            put_value(out, value.as.entries[i].value);
        }
        return;
    case VALUE_NODE:
    case VALUE_RELATIONSHIP:
        put_u8(out, value.kind);
        put_varint(out, value.as.id);
        return;
    case VALUE_PATH:
        put_u8(out, VALUE_PATH);
        put_varint(out, value.aux);
        for (uint32_t i = 0; i < value.aux; i++)
            put_varint(out, value.as.path[i]);
        return;
    default: value_encode(out, value);
    }
}

static Value get_value(Reader *reader, Arena *arena, int depth);

static Value get_map(Reader *reader, Arena *arena, uint64_t count, int depth)
{
    ValueEntry *entries = arena_alloc(arena, (count + 1) * sizeof *entries);
    for (uint64_t i = 0; i < count && !reader->failed; i++) {
        entries[i].key = get_str(reader);
        entries[i].value = get_value(reader, arena, depth + 1);
    }
    return (Value){.head = value_head(VALUE_MAP, count), .as.entries = entries};
}

static Value get_list(Reader *reader, Arena *arena, uint64_t count, int depth)
{
    Value *items = arena_alloc(arena, (count + 1) * sizeof *items);
    for (uint64_t i = 0; i < count && !reader->failed; i++)
        items[i] = get_value(reader, arena, depth + 1);
    return value_list(items, count);
}

static Value get_path(Reader *reader, Arena *arena, uint64_t count)
{
    uint64_t *ids = arena_alloc(arena, (count + 1) * sizeof *ids);
    for (uint64_t i = 0; i < count; i++)
        ids[i] = get_varint(reader);
    return (Value){.head = value_head(VALUE_PATH, count), .as.path = ids};
}

/* What it points to lies in what the reader reads, or in `arena`. */
static Value get_value(Reader *reader, Arena *arena, int depth)
{
    uint8_t kind = reader_left(reader) > 0 ? *reader->at : VALUE_KIND_COUNT;
    bool ours = kind == VALUE_LIST || kind == VALUE_MAP || kind == VALUE_NODE ||
                kind == VALUE_RELATIONSHIP || kind == VALUE_PATH;
    if (!ours) return value_decode(reader, arena);
    get_u8(reader);
    uint64_t count = get_varint(reader);
    if (kind == VALUE_NODE) return value_node(count);
    if (kind == VALUE_RELATIONSHIP) return value_relationship(count);
    if (count > reader_left(reader) || depth > DEPTH_MAX) {
        reader->failed = true;
        return value_null();
    }
    if (kind == VALUE_PATH) return get_path(reader, arena, count);
    return kind == VALUE_MAP ? get_map(reader, arena, count, depth)
                             : get_list(reader, arena, count, depth);
}

/* ---- rows ---- */

Error *spill_put(SpillFile *file, const Value *values, uint32_t count, uint64_t times)
{
    size_t from = file->waiting.bytes;
    put_u32(&file->waiting, 0);
    put_varint(&file->waiting, times);
    for (uint32_t i = 0; i < count; i++)
        put_value(&file->waiting, values[i]);
    size_t bytes = file->waiting.bytes - from - sizeof(uint32_t);
    if (bytes > UINT32_MAX) return error_new(ERROR_LIMIT, "a row of over 4 GiB");
    uint32_t length = (uint32_t)bytes;
    memcpy(file->waiting.data + from, &length, sizeof length);
    return file->waiting.bytes >= file->buffer_bytes ? write_waiting(file) : NULL;
}

struct SpillReader {
    SpillFile *file;
    uint64_t at, until; /* what is not in the buffer yet */
    char *buffer;
    size_t begin, end, capacity; /* of what is in it */
};

Error *spill_read(SpillFile *file, uint64_t from, uint64_t until, size_t buffer_bytes,
                  SpillReader **out)
{
    if (file->waiting.bytes > 0) TRY(write_waiting(file));
    SpillReader *reader = mem_calloc(1, sizeof *reader);
    *reader = (SpillReader){.file = file, .at = from, .until = until};
    mem_reserve(reader->buffer, reader->capacity, buffer_bytes);
    *out = reader;
    return NULL;
}

void spill_read_end(SpillReader *reader)
{
    if (reader == NULL) return;
    mem_free(reader->buffer);
    mem_free(reader);
}

static Error *fill(SpillReader *reader, size_t needed)
{
    size_t there = reader->end - reader->begin, got = 0;
    if (there >= needed) return NULL;
    if (there > 0) memmove(reader->buffer, reader->buffer + reader->begin, there);
    reader->begin = 0;
    reader->end = there;
    mem_reserve(reader->buffer, reader->capacity, needed);
    uint64_t left = reader->until - reader->at;
    size_t wanted = reader->capacity - there < left ? reader->capacity - there : (size_t)left;
    TRY(io_read(reader->file->file, reader->at, reader->buffer + there, wanted, &got));
    reader->at += got;
    reader->end += got;
    if (reader->end >= needed) return NULL;
    return error_new(ERROR_IO, "a temporary file in %s is shorter than what was written to it",
                     reader->file->place->directory);
}

Error *spill_next(SpillReader *reader, Arena *arena, Value *values, uint32_t count, uint64_t *times,
                  bool *more)
{
    uint32_t bytes;
    *more = reader->end > reader->begin || reader->at < reader->until;
    if (!*more) return NULL;
    TRY(fill(reader, sizeof bytes));
    memcpy(&bytes, reader->buffer + reader->begin, sizeof bytes);
    TRY(fill(reader, sizeof bytes + (size_t)bytes));
    char *row = arena_copy(arena, reader->buffer + reader->begin + sizeof bytes, bytes);
    Reader in = reader_of(row, bytes);
    *times = get_varint(&in);
    for (uint32_t i = 0; i < count; i++)
        values[i] = get_value(&in, arena, 0);
    reader->begin += sizeof bytes + bytes;
    if (!in.failed && reader_left(&in) == 0) return NULL;
    return error_new(ERROR_IO, "a temporary file in %s is not what was written to it",
                     reader->file->place->directory);
}
