/*
 * file.c - any bytes as a file of each format. The first byte says which format, the second how it
 * is read (header, lists, another delimiter, a limit), the rest is the file. Built with
 * --enable-fuzzing (clang, libFuzzer).
 */
#include "config.h"

#include "rowfile/rowfile.h"
#include "tests/fuzz/one_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ROWS_MAX = 10000, OPTIONS = 8 };

static Value options_of(uint8_t format, uint8_t how, ValueEntry entries[OPTIONS])
{
    static const char *const formats[] = {"csv",   "tsv",  "jsonl", "npy", "fvecs", "bvecs",
                                          "ivecs", "fbin", "u8bin", "raw", "json"};
    static const char *const types[] = {"i8", "u8", "f16", "f32", "f64", "i32", "f32", "none"};
    size_t count = 0;
    const char *name = formats[format % (sizeof formats / sizeof *formats)];
    entries[count++] = (ValueEntry){STR("format"), value_string(str_from(name))};
    entries[count++] = (ValueEntry){STR("header"), value_boolean((how & 1) == 0)};
    entries[count++] = (ValueEntry){STR("lists"), value_boolean((how & 2) != 0)};
    if (how & 4) entries[count++] = (ValueEntry){STR("delimiter"), value_string(STR(";"))};
    if (how & 8) entries[count++] = (ValueEntry){STR("skip"), value_integer(2)};
    if (how & 16) entries[count++] = (ValueEntry){STR("limit"), value_integer(3)};
    entries[count++] = (ValueEntry){STR("type"), value_string(str_from(types[how >> 5]))};
    entries[count++] = (ValueEntry){STR("dimensions"), value_integer((how & 3) + 1)};
    return value_map(entries, count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2) return 0;
    put_file(data + 2, size - 2);
    ValueEntry entries[OPTIONS];
    RowFile *rows = NULL;
    Error *error = rowfile_open(path, options_of(data[0], data[1], entries), &rows);
    Arena *arena = arena_create();
    Value row = value_integer(0);
    for (int i = 0; i < ROWS_MAX && error == NULL && row.kind != VALUE_NULL; i++) {
        error = rowfile_next(rows, arena, &row);
        arena_reset(arena);
    }
    error_drop(error);
    rowfile_close(rows);
    arena_destroy(arena);
    return 0;
}
