/* rowfile.c - opening by format, and the formats of vectors. Text formats: rowfile_text.c. */
#include "config.h"

#include "base/bytes.h"
#include "execution/rowfile_internal.h"
#include "vector/kernel.h"
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <sys/stat.h>

Error *rowfile_bad(const RowFile *file, const char *what)
{
    return error_new(ERROR_BAD_FILE, "%s: row %llu: %s", file->path,
                     (unsigned long long)file->row + 1, what);
}

static Str option_text(Value options, const char *name, Str fallback)
{
    const Value *found = options.kind == VALUE_MAP ? value_map_get(options, str_from(name)) : NULL;
    return found != NULL && found->kind == VALUE_STRING ? value_text(*found) : fallback;
}

static int64_t option_integer(Value options, const char *name, int64_t fallback)
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
               {"npy", ROWS_NPY},     {"fvecs", ROWS_FVECS}, {"bvecs", ROWS_BVECS},
               {"ivecs", ROWS_IVECS}, {"fbin", ROWS_FBIN},   {"u8bin", ROWS_U8BIN},
               {"raw", ROWS_RAW}};

static Error *find_format(RowFile *file, Value options)
{
    const char *dot = strrchr(file->path, '.');
    Str name = option_text(options, "format", dot == NULL ? STR("") : str_from(dot + 1));
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
        if (str_equal_ignore_case(name, str_from(formats[i].name)))
            return file->format = formats[i].format, NULL;
    return error_hint(
        error_new(ERROR_BAD_FILE, "%s: the format is not known", file->path),
        "USING {format: ..}: csv, tsv, jsonl, npy, fvecs, bvecs, ivecs, fbin, u8bin or raw");
}

/* ---- vectors ---- */

static bool read_exact(RowFile *file, void *out, size_t bytes)
{
    size_t got = fread(out, 1, bytes, file->file);
    file->bytes_read += got;
    return got == bytes;
}

static const struct {
    const char *name;
    ElementType type;
    size_t bytes;
} elements[] = {{"i8", ELEMENT_I8, 1},   {"u8", ELEMENT_U8, 1},   {"f16", ELEMENT_F16, 2},
                {"f32", ELEMENT_F32, 4}, {"f64", ELEMENT_F64, 8}, {"i32", ELEMENT_I32, 4}};

static void set_element(RowFile *file, ElementType type)
{
    file->element = type;
    for (size_t i = 0; i < sizeof elements / sizeof *elements; i++)
        if (elements[i].type == type) file->element_bytes = elements[i].bytes;
}

static float half(uint16_t bits)
{
    int exponent = bits >> 10 & 31, mantissa = bits & 1023;
    float size = exponent == 0    ? ldexpf((float)mantissa, -24)
                 : exponent == 31 ? (mantissa == 0 ? INFINITY : NAN)
                                  : ldexpf((float)(mantissa | 1024), exponent - 25);
    return bits >> 15 ? -size : size;
}

static float element_at(const RowFile *file, const uint8_t *data, size_t i)
{
    const uint8_t *at = data + i * file->element_bytes;
    Reader reader = reader_of(at, file->element_bytes);
    uint32_t bits;
    uint64_t wide;
    float single;
    double number;
    switch (file->element) {
    case ELEMENT_I8: return (float)(int8_t)at[0];
    case ELEMENT_U8: return (float)at[0];
    case ELEMENT_F16: return half(get_u16(&reader));
    case ELEMENT_I32: return (float)(int32_t)get_u32(&reader);
    case ELEMENT_F32: bits = get_u32(&reader); return memcpy(&single, &bits, 4), single;
    case ELEMENT_F64: wide = get_u64(&reader); return memcpy(&number, &wide, 8), (float)number;
    }
    return 0;
}

static Error *vector_row(RowFile *file, Arena *arena, Value *row)
{
    uint32_t dimensions = file->dimensions;
    *row = value_null();
    if (file->format == ROWS_FVECS || file->format == ROWS_BVECS || file->format == ROWS_IVECS) {
        uint8_t count[4];
        size_t got = fread(count, 1, 4, file->file);
        if (got == 0) return NULL;
        Reader reader = reader_of(count, got);
        dimensions = get_u32(&reader);
        if (reader.failed || dimensions == 0 || dimensions > VECTOR_DIMENSIONS_MAX)
            return rowfile_bad(file, "not a count of dimensions");
        file->bytes_read += 4;
    } else if (file->rows_known && file->row >= file->rows_total) {
        return NULL;
    }
    size_t bytes = dimensions * file->element_bytes;
    uint8_t *data = arena_alloc(arena, bytes);
    size_t got = fread(data, 1, bytes, file->file);
    file->bytes_read += got;
    if (got == 0 && !file->rows_known && file->format == ROWS_RAW) return NULL;
    if (got < bytes) return rowfile_bad(file, "the file ends within a vector");
    float *vector = arena_array(arena, float, dimensions);
    for (uint32_t i = 0; i < dimensions; i++) {
        vector[i] = element_at(file, data, i);
        if (!isfinite(vector[i])) return rowfile_bad(file, "a component is not finite");
    }
    ValueEntry *entries = arena_array(arena, ValueEntry, 2);
    entries[0] = (ValueEntry){STR("index"), value_integer((int64_t)file->row)};
    entries[1] = (ValueEntry){STR("vector"), value_vector(vector, dimensions)};
    *row = value_map(entries, 2);
    return NULL;
}

/* {'descr': '|i1', 'fortran_order': False, 'shape': (117659, 48), } */
static Error *npy_header(RowFile *file)
{
    uint8_t start[10];
    char header[4096];
    if (!read_exact(file, start, sizeof start) || memcmp(start, "\x93NUMPY\x01", 7) != 0)
        return rowfile_bad(file, "not a NumPy file of format 1.0");
    size_t bytes = start[8] | (size_t)start[9] << 8;
    if (bytes >= sizeof header || !read_exact(file, header, bytes))
        return rowfile_bad(file, "its header is too long or cut off");
    header[bytes] = '\0';
    static const struct {
        const char *name;
        ElementType type;
    } kinds[] = {{"i1'", ELEMENT_I8},
                 {"u1'", ELEMENT_U8},
                 {"<f2'", ELEMENT_F16},
                 {"<f4'", ELEMENT_F32},
                 {"<f8'", ELEMENT_F64}};
    const char *descr = strstr(header, "'descr'"), *shape = strstr(header, "'shape'"),
               *order = strstr(header, "'fortran_order': False");
    bool known = false;
    for (size_t i = 0; descr != NULL && i < sizeof kinds / sizeof *kinds; i++) {
        const char *found = strstr(descr, kinds[i].name);
        if (found == NULL || (shape != NULL && found > shape && shape > descr)) continue;
        set_element(file, kinds[i].type);
        known = true;
        break;
    }
    unsigned long long rows = 0, columns = 0;
    const char *bracket = shape == NULL ? NULL : strchr(shape, '(');
    if (!known || order == NULL || bracket == NULL ||
        sscanf(bracket, "(%llu, %llu)", &rows, &columns) != 2)
        return rowfile_bad(file, "want a matrix of i1, u1, f2, f4 or f8 in C order");
    if (columns == 0 || columns > VECTOR_DIMENSIONS_MAX)
        return rowfile_bad(file, "too many columns for a vector");
    file->dimensions = (uint32_t)columns;
    file->rows_total = rows;
    file->rows_known = true;
    return NULL;
}

static Error *bin_header(RowFile *file)
{
    uint8_t header[8];
    if (!read_exact(file, header, sizeof header)) return rowfile_bad(file, "it has no header");
    Reader reader = reader_of(header, sizeof header);
    file->rows_total = get_u32(&reader);
    file->dimensions = get_u32(&reader);
    file->rows_known = true;
    set_element(file, file->format == ROWS_FBIN ? ELEMENT_F32 : ELEMENT_U8);
    bool fits = file->dimensions > 0 && file->dimensions <= VECTOR_DIMENSIONS_MAX;
    return fits ? NULL : rowfile_bad(file, "not a count of dimensions");
}

static Error *raw_header(RowFile *file, Value options)
{
    Str type = option_text(options, "type", STR(""));
    int64_t dimensions = option_integer(options, "dimensions", 0);
    for (size_t i = 0; i < sizeof elements / sizeof *elements; i++)
        if (str_equal(type, str_from(elements[i].name))) set_element(file, elements[i].type);
    if (file->element_bytes == 0 || dimensions <= 0 || dimensions > VECTOR_DIMENSIONS_MAX)
        return error_hint(
            error_new(ERROR_BAD_FILE, "%s: a raw file needs type and dimensions", file->path),
            "USING {format: 'raw', type: 'f32', dimensions: 48}");
    file->dimensions = (uint32_t)dimensions;
    if (file->bytes_total % (file->dimensions * file->element_bytes) != 0)
        return rowfile_bad(file, "its size does not divide into vectors");
    return NULL;
}

/* ---- opening ---- */

static Error *open_format(RowFile *file, Value options)
{
    TRY(find_format(file, options));
    switch (file->format) {
    case ROWS_CSV:
    case ROWS_TSV: {
        Str delimiter =
                option_text(options, "delimiter", file->format == ROWS_TSV ? STR("\t") : STR(",")),
            quote = option_text(options, "quote", STR("\""));
        if (delimiter.bytes != 1 || quote.bytes != 1)
            return error_new(ERROR_BAD_FILE, "delimiter and quote are one character each");
        file->delimiter = delimiter.data[0];
        file->quote = quote.data[0];
        file->header = option_boolean(options, "header", true);
        file->lists = option_boolean(options, "lists", false);
        file->null_text = str_copy(file->arena, option_text(options, "null", STR("")));
        return rowfile_text_begin(file);
    }
    case ROWS_JSONL: return NULL;
    case ROWS_NPY: return npy_header(file);
    case ROWS_FVECS: set_element(file, ELEMENT_F32); return NULL;
    case ROWS_BVECS: set_element(file, ELEMENT_U8); return NULL;
    case ROWS_IVECS: set_element(file, ELEMENT_I32); return NULL;
    case ROWS_FBIN:
    case ROWS_U8BIN: return bin_header(file);
    case ROWS_RAW: return raw_header(file, options);
    }
    return NULL;
}

Error *rowfile_open(const char *path, Value options, RowFile **out)
{
    struct stat status;
    RowFile *file = mem_calloc(1, sizeof *file);
    file->arena = arena_create();
    file->path = arena_copy(file->arena, path, strlen(path));
    file->file = fopen(path, "rb");
    Error *error = NULL;
    if (file->file == NULL)
        error = error_errno(errno == ENOENT ? ERROR_NO_FILE : ERROR_IO, errno, "%s", path);
    else if (fstat(fileno(file->file), &status) != 0 || S_ISDIR(status.st_mode))
        error = error_new(ERROR_BAD_FILE, "%s is not a file", path);
    else
        file->bytes_total = (uint64_t)status.st_size;
    if (error == NULL) error = open_format(file, options);
    file->left = option_integer(options, "limit", 0);
    file->limited = file->left > 0;
    if (error == NULL) {
        int64_t skip = option_integer(options, "skip", 0);
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

Error *rowfile_next(RowFile *file, Arena *arena, Value *row)
{
    bool text = file->format == ROWS_CSV || file->format == ROWS_TSV;
    *row = value_null();
    if (file->limited && file->left == 0) return NULL;
    if (text)
        TRY(rowfile_separated_row(file, arena, row));
    else if (file->format == ROWS_JSONL)
        TRY(rowfile_json_row(file, arena, row));
    else
        TRY(vector_row(file, arena, row));
    if (row->kind != VALUE_NULL) {
        file->row++;
        file->left -= file->limited;
    }
    return NULL;
}

double rowfile_done(const RowFile *file)
{
    return file->bytes_total == 0 ? 1 : (double)file->bytes_read / (double)file->bytes_total;
}

void rowfile_close(RowFile *file)
{
    if (file == NULL) return;
    if (file->file != NULL) fclose(file->file);
    buffer_free(&file->record);
    mem_free(file->cells);
    arena_destroy(file->arena);
    mem_free(file);
}
