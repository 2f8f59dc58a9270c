/*
 * rowfile.c - opening by format, the buffer all formats read from, rows one by one and in chunks.
 * Separated values: text.c; JSON: json.c; vectors: matrix.c.
 *
 * The buffer holds whole rows: a reader that runs into its end asks for more (rowfile_fill), which
 * moves what is left to the front, and begins its row again.
 */
#include "config.h"

#include "base/meant.h"
#include "rowfile/rowfile_internal.h"
#include "value/options.h"
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

Error *rowfile_bad(const char *path, uint64_t row, const char *what)
{
    return error_new(ERROR_BAD_FILE, "%s: row %llu: %s", path, (unsigned long long)row + 1, what);
}

/* One read: large enough for any disk, and so small that what one thread reads the other finds in a
 * cache, and that a file after another takes the same memory. */
enum { READ_BYTES = 1 << 18 };

/* The chunk before this one may still be in use: its buffer is left alone, and what is left of it
 * goes on in the other. */
static void swap_buffers(RowFile *file, size_t left)
{
    char *data = file->spare;
    size_t capacity = file->spare_capacity;
    mem_reserve(data, capacity, left + 1);
    if (left > 0) memcpy(data, file->data + file->begin, left);
    file->spare = file->data;
    file->spare_capacity = file->capacity;
    file->data = data;
    file->capacity = capacity;
    file->may_swap = false;
}

Error *rowfile_fill(RowFile *file, size_t bytes)
{
    size_t left = rowfile_at_hand(file);
    if (left >= bytes || file->ended) return NULL;
    if (file->may_swap)
        swap_buffers(file, left);
    else if (left > 0 && file->begin > 0)
        memmove(file->data, file->data + file->begin, left);
    file->begin = 0;
    file->end = left;
    while (!file->ended && file->end < bytes) {
        mem_reserve(file->data, file->capacity, file->end + READ_BYTES + 1);
        size_t got = fread(file->data + file->end, 1, READ_BYTES, file->file);
        if (got == 0 && ferror(file->file)) return error_errno(ERROR_IO, errno, "%s", file->path);
        file->ended = got == 0;
        file->end += got;
        file->bytes_read += got;
    }
    mem_reserve(file->data, file->capacity, file->end + 1);
    file->data[file->end] = '\0';
    return NULL;
}

Error *rowfile_check_options(Value options, FileUse use)
{
    enum { LOAD = FILE_LOAD, NODES = FILE_NODES, ENDS = FILE_ENDS, WRITE = FILE_WRITE };
    static const struct {
        OptionRule rule;
        uint32_t uses;
    } all[] = {
#define FILE_OPTION(name, kind, least, most, words, uses, meaning)                                 \
    {{#name, kind, least, most, words}, uses},
#include "contextql/file_options.def"
#undef FILE_OPTION
    };
    OptionRule rules[sizeof all / sizeof *all];
    size_t count = 0;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if ((all[i].uses & (uint32_t)use) != 0) rules[count++] = all[i].rule;
    return options_check(options, rules, count);
}

Str rowfile_option_text(Value options, const char *name, Str fallback)
{
    const Value *found = options.kind == VALUE_MAP ? value_map_get(options, str_from(name)) : NULL;
    return found != NULL && found->kind == VALUE_STRING ? value_text(*found) : fallback;
}

int64_t rowfile_option_integer(Value options, const char *name, int64_t fallback)
{
    const Value *found = options.kind == VALUE_MAP ? value_map_get(options, str_from(name)) : NULL;
    return found != NULL && found->kind == VALUE_INTEGER ? found->as.integer : fallback;
}

static bool option_boolean(Value options, const char *name, bool fallback)
{
    const Value *found = options.kind == VALUE_MAP ? value_map_get(options, str_from(name)) : NULL;
    return found != NULL && found->kind == VALUE_BOOLEAN ? found->as.boolean : fallback;
}

static const struct {
    const char *name;
    RowFormat format;
} formats[] = {{"csv", ROWS_CSV},     {"tsv", ROWS_TSV},     {"jsonl", ROWS_JSONL},
               {"json", ROWS_JSON},   {"npy", ROWS_NPY},     {"fvecs", ROWS_FVECS},
               {"bvecs", ROWS_BVECS}, {"ivecs", ROWS_IVECS}, {"fbin", ROWS_FBIN},
               {"u8bin", ROWS_U8BIN}, {"raw", ROWS_RAW}};

static Error *find_format(RowFile *file, Value options)
{
    const char *dot = strrchr(file->path, '.');
    Str name = rowfile_option_text(options, "format", dot == NULL ? STR("") : str_from(dot + 1));
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
        if (str_equal_ignore_case(name, str_from(formats[i].name)))
            return file->format = formats[i].format, NULL;
    return error_hint(
        error_new(ERROR_BAD_FILE, "%s: the format is not known", file->path),
        "USING {format: ..}: csv, tsv, jsonl, json, npy, fvecs, bvecs, ivecs, fbin, u8bin or raw");
}

/* ---- opening ---- */

static Error *open_format(RowFile *file, Value options)
{
    TRY(find_format(file, options));
    switch (file->format) {
    case ROWS_CSV:
    case ROWS_TSV: {
        Str delimiter = rowfile_option_text(options, "delimiter",
                                            file->format == ROWS_TSV ? STR("\t") : STR(",")),
            quote = rowfile_option_text(options, "quote", STR("\""));
        if (delimiter.bytes != 1 || quote.bytes != 1)
            return error_new(ERROR_BAD_FILE, "delimiter and quote are one character each");
        file->delimiter = delimiter.data[0];
        file->quote = quote.data[0];
        file->header = option_boolean(options, "header", true);
        file->lists = option_boolean(options, "lists", false);
        file->null_text = str_copy(file->arena, rowfile_option_text(options, "null", STR("")));
        memset(file->stops, 0, sizeof file->stops);
        file->stops[0] = file->stops['\n'] = file->stops['\r'] = true;
        file->stops[(unsigned char)file->delimiter] = true;
        return rowfile_text_begin(file);
    }
    case ROWS_JSONL:
    case ROWS_JSON: return rowfile_skip_mark(file);
    case ROWS_NPY:
    case ROWS_FVECS:
    case ROWS_BVECS:
    case ROWS_IVECS:
    case ROWS_FBIN:
    case ROWS_U8BIN:
    case ROWS_RAW: return rowfile_vector_begin(file, options);
    }
    return NULL;
}

static Error *cannot_open(const char *path, int why)
{
    if (why != ENOENT) return error_errno(ERROR_IO, why, "%s", path);
    return meant_file_hint(error_errno(ERROR_NO_FILE, why, "%s", path), path, "");
}

Error *rowfile_open(const char *path, Value options, RowFile **out)
{
    struct stat status;
    RowFile *file = mem_calloc(1, sizeof *file);
    file->arena = arena_create();
    file->path = arena_copy(file->arena, path, strlen(path));
    file->file = fopen(path, "rb");
    if (file->file != NULL) setvbuf(file->file, NULL, _IONBF, 0); /* our buffer is the buffer */
    Error *error = NULL;
    if (file->file == NULL)
        error = cannot_open(path, errno);
    else if (fstat(fileno(file->file), &status) != 0 || S_ISDIR(status.st_mode))
        error = error_new(ERROR_BAD_FILE, "%s is not a file", path);
    else
        file->bytes_total = (uint64_t)status.st_size;
    if (error == NULL) error = open_format(file, options);
    file->left = rowfile_option_integer(options, "limit", 0);
    file->limited = file->left > 0;
    if (error == NULL) {
        int64_t skip = rowfile_option_integer(options, "skip", 0);
        Arena *arena = arena_create();
        Value row = value_integer(0);
        bool limited = file->limited;
        file->limited = false;
        for (; skip > 0 && error == NULL && row.kind != VALUE_NULL; skip--, arena_reset(arena))
            error = rowfile_next(file, arena, &row);
        file->limited = limited;
        arena_destroy(arena);
    }
    if (error != NULL) {
        rowfile_close(file);
        return error;
    }
    *out = file;
    return NULL;
}

static bool is_separated(const RowFile *file)
{
    return file->format == ROWS_CSV || file->format == ROWS_TSV;
}

static Error *vector_row(RowFile *file, Arena *arena, Value *row)
{
    Value vector;
    bool more;
    TRY(rowfile_vector(file, arena, &vector, &more));
    if (!more) return NULL;
    ValueEntry *entries = arena_array(arena, ValueEntry, 2);
    entries[0] = (ValueEntry){STR("index"), value_integer((int64_t)file->row)};
    entries[1] = (ValueEntry){STR("vector"), vector};
    *row = value_map(entries, 2);
    return NULL;
}

Error *rowfile_next(RowFile *file, Arena *arena, Value *row)
{
    *row = value_null();
    if (file->limited && file->left == 0) return NULL;
    if (is_separated(file))
        TRY(rowfile_separated_row(file, arena, row));
    else if (file->format == ROWS_JSONL)
        TRY(rowfile_json_line(file, arena, row));
    else if (file->format == ROWS_JSON)
        TRY(rowfile_json_object(file, arena, row));
    else
        TRY(vector_row(file, arena, row));
    if (row->kind != VALUE_NULL) {
        file->row++;
        file->left -= file->limited;
    }
    return NULL;
}

bool rowfile_has_chunks(const RowFile *file)
{
    return file->format != ROWS_JSONL && file->format != ROWS_JSON;
}

static Error *vector_chunk(RowFile *file, Arena *arena, uint32_t max, RowChunk *out)
{
    enum { CHUNK_FLOATS = 1 << 20 }; /* 4 MiB of vectors at once */
    static const Str columns[] = {{"index", 5}, {"vector", 6}};
    size_t floats = 0;
    bool more = true;
    out->columns = columns;
    out->column_count = 2;
    out->cells = arena_alloc(arena, 2ul * max * sizeof *out->cells);
    while (out->row_count < max && floats < CHUNK_FLOATS) {
        Value *row = out->cells + 2ul * out->row_count;
        Error *error = rowfile_vector(file, arena, &row[1], &more);
        if (error != NULL && out->row_count == 0) return error;
        file->waiting = error;
        if (error != NULL || !more) return NULL;
        row[0] = value_integer((int64_t)file->row++);
        floats += row[1].aux;
        out->row_count++;
    }
    return NULL;
}

Error *rowfile_chunk(RowFile *file, Arena *arena, RowChunk *out)
{
    uint32_t max = ROWFILE_CHUNK_ROWS_MAX;
    Error *waiting = file->waiting;
    assert(rowfile_has_chunks(file) && !file->lists);
    *out = (RowChunk){.first_row = file->row};
    file->waiting = NULL;
    file->may_swap = true;
    if (waiting != NULL) return waiting;
    if (file->limited && file->left < max) max = (uint32_t)file->left;
    if (max == 0) return NULL;
    TRY(rowfile_fill(file, file->chunk_bytes)); /* lest the buffer ends within the chunk */
    uint64_t before = file->bytes_read - rowfile_at_hand(file);
    TRY(is_separated(file) ? rowfile_separated_chunk(file, arena, max, out)
                           : vector_chunk(file, arena, max, out));
    size_t bytes = (size_t)(file->bytes_read - rowfile_at_hand(file) - before);
    file->chunk_bytes = is_separated(file) ? bytes + bytes / 4 : 0;
    if (file->limited) file->left -= out->row_count;
    return NULL;
}

double rowfile_done(const RowFile *file)
{
    return file->bytes_total == 0
               ? 1
               : (double)(file->bytes_read - rowfile_at_hand(file)) / (double)file->bytes_total;
}

void rowfile_close(RowFile *file)
{
    if (file == NULL) return;
    if (file->file != NULL) fclose(file->file);
    error_drop(file->waiting);
    mem_free(file->data);
    mem_free(file->spare);
    buffer_free(&file->record);
    mem_free(file->cells);
    arena_destroy(file->arena);
    mem_free(file);
}
