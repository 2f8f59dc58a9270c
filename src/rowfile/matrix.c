/*
 * rowfile_vector.c - files of vectors: NumPy matrices, the *vecs and *bin formats, bare matrices.
 */
#include "config.h"

#include "base/bytes.h"
#include "rowfile/rowfile_internal.h"
#include "vector/kernel.h"
#include <math.h>
#include <string.h>

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

#define ELEMENTS_LOOP(type, value)                                                                 \
    for (uint32_t i = 0; i < count; i++) {                                                         \
        type element;                                                                              \
        memcpy(&element, data + i * sizeof element, sizeof element);                               \
        out[i] = (float)(value);                                                                   \
    }                                                                                              \
    break

/* Files are little endian, and so is every machine this is built for (base/bytes.h). */
static void convert(ElementType type, const char *data, uint32_t count, float *out)
{
    switch (type) {
    case ELEMENT_I8: ELEMENTS_LOOP(int8_t, element);
    case ELEMENT_U8: ELEMENTS_LOOP(uint8_t, element);
    case ELEMENT_F16: ELEMENTS_LOOP(uint16_t, half(element));
    case ELEMENT_I32: ELEMENTS_LOOP(int32_t, element);
    case ELEMENT_F32: ELEMENTS_LOOP(float, element);
    case ELEMENT_F64: ELEMENTS_LOOP(double, element);
    }
}

static bool all_finite(ElementType type, const float *vector, uint32_t count)
{
    if (type == ELEMENT_I8 || type == ELEMENT_U8 || type == ELEMENT_I32) return true;
    for (uint32_t i = 0; i < count; i++)
        if (!isfinite(vector[i])) return false;
    return true;
}

_Static_assert(VECTOR_DIMENSIONS_MAX == 16384, "errors say so");

static bool counts_each_row(const RowFile *file)
{
    return file->format == ROWS_FVECS || file->format == ROWS_BVECS || file->format == ROWS_IVECS;
}

static Error *read_count(RowFile *file, uint32_t *dimensions, bool *more)
{
    TRY(rowfile_fill(file, 4));
    *more = rowfile_at_hand(file) > 0;
    if (!*more) return NULL;
    Reader reader = reader_of(file->data + file->begin, rowfile_at_hand(file));
    *dimensions = get_u32(&reader);
    if (reader.failed || *dimensions == 0 || *dimensions > VECTOR_DIMENSIONS_MAX)
        return rowfile_bad(file->path, file->row, "its count of dimensions is not 1 to 16384");
    file->begin += 4;
    return NULL;
}

Error *rowfile_vector(RowFile *file, Arena *arena, Value *out, bool *more)
{
    uint32_t dimensions = file->dimensions;
    *more = !file->rows_known || file->row < file->rows_total;
    if (counts_each_row(file)) TRY(read_count(file, &dimensions, more));
    if (!*more) return NULL;
    size_t bytes = dimensions * file->element_bytes;
    TRY(rowfile_fill(file, bytes));
    *more = rowfile_at_hand(file) > 0 || file->format != ROWS_RAW;
    if (!*more) return NULL;
    if (rowfile_at_hand(file) < bytes)
        return rowfile_bad(file->path, file->row, "the file ends within a vector");
    float *vector = arena_alloc(arena, dimensions * sizeof *vector);
    convert(file->element, file->data + file->begin, dimensions, vector);
    file->begin += bytes;
    if (!all_finite(file->element, vector, dimensions))
        return rowfile_bad(file->path, file->row, "a component is not finite");
    *out = value_vector(vector, dimensions);
    return NULL;
}

static bool take(RowFile *file, void *out, size_t bytes)
{
    Error *error = rowfile_fill(file, bytes);
    bool there = error == NULL && rowfile_at_hand(file) >= bytes;
    error_drop(error);
    if (!there) return false;
    memcpy(out, file->data + file->begin, bytes);
    file->begin += bytes;
    return true;
}

/* {'descr': '|i1', 'fortran_order': False, 'shape': (117659, 48), } */
static Error *npy_header(RowFile *file)
{
    uint8_t start[10];
    char header[4096];
    if (!take(file, start, sizeof start) || memcmp(start, "\x93NUMPY\x01", 7) != 0)
        return rowfile_bad(file->path, file->row, "not a NumPy file of format 1.0");
    size_t bytes = start[8] | (size_t)start[9] << 8;
    if (bytes >= sizeof header || !take(file, header, bytes))
        return rowfile_bad(file->path, file->row, "its header is too long or cut off");
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
        return rowfile_bad(file->path, file->row,
                           "want a matrix of i1, u1, f2, f4 or f8 in C order");
    if (columns == 0 || columns > VECTOR_DIMENSIONS_MAX)
        return rowfile_bad(file->path, file->row, "its count of dimensions is not 1 to 16384");
    file->dimensions = (uint32_t)columns;
    file->rows_total = rows;
    file->rows_known = true;
    return NULL;
}

static Error *bin_header(RowFile *file)
{
    uint8_t header[8];
    if (!take(file, header, sizeof header))
        return rowfile_bad(file->path, file->row, "it has no header");
    Reader reader = reader_of(header, sizeof header);
    file->rows_total = get_u32(&reader);
    file->dimensions = get_u32(&reader);
    file->rows_known = true;
    set_element(file, file->format == ROWS_FBIN ? ELEMENT_F32 : ELEMENT_U8);
    bool fits = file->dimensions > 0 && file->dimensions <= VECTOR_DIMENSIONS_MAX;
    return fits ? NULL
                : rowfile_bad(file->path, file->row, "its count of dimensions is not 1 to 16384");
}

static Error *raw_header(RowFile *file, Value options)
{
    Str type = rowfile_option_text(options, "type", STR(""));
    int64_t dimensions = rowfile_option_integer(options, "dimensions", 0);
    for (size_t i = 0; i < sizeof elements / sizeof *elements; i++)
        if (str_equal(type, str_from(elements[i].name))) set_element(file, elements[i].type);
    if (file->element_bytes == 0 || dimensions <= 0 || dimensions > VECTOR_DIMENSIONS_MAX)
        return error_hint(
            error_new(ERROR_BAD_FILE, "%s: a raw file needs type and dimensions", file->path),
            "USING {format: 'raw', type: 'f32', dimensions: 48}");
    file->dimensions = (uint32_t)dimensions;
    if (file->bytes_total % (file->dimensions * file->element_bytes) != 0)
        return rowfile_bad(file->path, file->row, "its size does not divide into vectors");
    return NULL;
}

Error *rowfile_vector_begin(RowFile *file, Value options)
{
    switch (file->format) {
    case ROWS_NPY: return npy_header(file);
    case ROWS_FVECS: set_element(file, ELEMENT_F32); return NULL;
    case ROWS_BVECS: set_element(file, ELEMENT_U8); return NULL;
    case ROWS_IVECS: set_element(file, ELEMENT_I32); return NULL;
    case ROWS_FBIN:
    case ROWS_U8BIN: return bin_header(file);
    case ROWS_RAW: return raw_header(file, options);
    case ROWS_CSV:
    case ROWS_TSV:
    case ROWS_JSONL:
    case ROWS_JSON: break;
    }
    return NULL;
}
