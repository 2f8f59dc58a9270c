/* Any bytes as a file of each format; the first byte says which. Built with --enable-fuzzing (clang, libFuzzer). */
#include "config.h"

#include "execution/rowfile.h"
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const formats[] = {"csv", "tsv", "jsonl", "npy", "fvecs", "bvecs", "ivecs", "fbin", "u8bin"};
    char path[] = "/tmp/contextql-fuzz-XXXXXX";
    if (size == 0) return 0;
    int file = mkstemp(path);
    if (file < 0 || write(file, data + 1, size - 1) != (ssize_t)(size - 1)) abort();
    close(file);
    const char *format = formats[data[0] % (sizeof formats / sizeof *formats)];
    ValueEntry entry = {STR("format"), value_string(str_from(format))};
    RowFile *rows = NULL;
    Error *error = rowfile_open(path, value_map(&entry, 1), &rows);
    Arena *arena = arena_create();
    Value row = value_integer(0);
    for (int i = 0; i < 10000 && error == NULL && row.kind != VALUE_NULL; i++) {
        error = rowfile_next(rows, arena, &row);
        arena_reset(arena);
    }
    error_drop(error);
    rowfile_close(rows);
    arena_destroy(arena);
    unlink(path);
    return 0;
}
