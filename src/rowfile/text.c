/* text.c - separated values (RFC 4180). */
#include "config.h"

#include "rowfile/rowfile_internal.h"

static Error *end_cell(RowFile *file, char *text, size_t bytes, bool quoted)
{
    if (file->cell_count == ROWFILE_COLUMNS_MAX)
        return rowfile_bad(file->path, file->row, "too many columns");
    if (file->cell_count == file->cell_capacity)
        mem_reserve(file->cells, file->cell_capacity, file->cell_count + 1);
    file->cells[file->cell_count++] = (Cell){text, bytes, quoted};
    return NULL;
}

/* Where a record's scan stands. `cut`: the buffer ends within the record, and the file goes on. */
typedef struct Scan {
    char *at, *end;
    bool cut;
} Scan;

/* Inside quotes everything but a quote is text; two quotes are one. Goes behind the closing quote.
 */
static Error *quoted_cell(RowFile *file, Scan *scan)
{
    char *begin = ++scan->at;
    for (;;) {
        char *quote = memchr(scan->at, file->quote, (size_t)(scan->end - scan->at));
        if (quote == NULL || (quote + 1 == scan->end && !file->ended)) {
            scan->cut = !file->ended;
            return scan->cut ? NULL
                             : rowfile_bad(file->path, file->row, "a quoted cell has no end");
        }
        scan->at = quote + 1;
        if (scan->at < scan->end && *scan->at == file->quote) {
            scan->at++;
            continue;
        }
        return end_cell(file, begin, (size_t)(quote - begin), true);
    }
}

static Error *plain_cell(RowFile *file, Scan *scan)
{
    char *begin = scan->at, *at = begin; /* in a register: most bytes of a file pass here */
    while (!file->stops[(unsigned char)*at])
        at++;
    scan->at = at;
    if (at == scan->end)
        scan->cut = !file->ended;
    else if (*at == '\0')
        return rowfile_bad(file->path, file->row, "a zero byte: this is no text");
    return end_cell(file, begin, (size_t)(at - begin), false);
}

/* Goes behind what ends a cell; *last: it ends the record, too. */
static Error *end_of_cell(const RowFile *file, Scan *scan, bool *last)
{
    if (scan->at < scan->end && *scan->at == '\r') scan->at++;
    *last = scan->at == scan->end || *scan->at == '\n';
    if (scan->at == scan->end) {
        scan->cut = !file->ended;
        return NULL;
    }
    if (!*last && *scan->at != file->delimiter)
        return rowfile_bad(file->path, file->row, "something stands behind a quoted cell");
    scan->at++;
    return NULL;
}

/* The cells of the record that begins where the buffer does, as they stand there. */
static Error *scan_record(RowFile *file, Scan *scan)
{
    bool last = false;
    *scan = (Scan){file->data + file->begin, file->data + file->end, false};
    file->cell_count = 0;
    while (!last && !scan->cut) {
        if (scan->at < scan->end && *scan->at == file->quote)
            TRY(quoted_cell(file, scan));
        else
            TRY(plain_cell(file, scan));
        if (!scan->cut) TRY(end_of_cell(file, scan, &last));
    }
    return NULL;
}

static void unquote(const RowFile *file, Cell *cell)
{
    char *end = cell->text + cell->bytes, *from = memchr(cell->text, file->quote, cell->bytes);
    if (from == NULL) return;
    char *to = from;
    while (from < end) {
        if (*from == file->quote) from++; /* the first of two */
        *to++ = *from++;
    }
    cell->bytes = (size_t)(to - cell->text);
}

/* One record into file->cells; *more false: nothing is left. With `still`, the buffer may not move:
 * a record that is not whole in it is left for later, as if it were not there. */
static Error *read_record(RowFile *file, bool still, bool *more)
{
    Scan scan;
    *more = false;
    if (rowfile_at_hand(file) == 0 && still) return NULL;
    TRY(rowfile_fill(file, 1));
    if (rowfile_at_hand(file) == 0) return NULL;
    TRY(scan_record(file, &scan));
    while (scan.cut) {
        if (still) return NULL;
        if (rowfile_at_hand(file) > ROWFILE_ROW_BYTES_MAX)
            return rowfile_bad(file->path, file->row, "longer than 64 MiB");
        TRY(rowfile_fill(file, 2 * rowfile_at_hand(file)));
        TRY(scan_record(file, &scan));
    }
    char *begin = file->data + file->begin;
    if (!utf8_valid((Str){begin, (size_t)(scan.at - begin)}))
        return rowfile_bad(file->path, file->row, "not UTF-8");
    for (size_t i = 0; i < file->cell_count; i++)
        if (file->cells[i].quoted) unquote(file, &file->cells[i]);
    file->begin += (size_t)(scan.at - begin);
    *more = true;
    return NULL;
}

static Str cell_text(const RowFile *file, size_t i)
{
    return (Str){file->cells[i].text, file->cells[i].bytes};
}

/* A byte order mark says nothing about UTF-8, but editors write one. */
Error *rowfile_skip_mark(RowFile *file)
{
    TRY(rowfile_fill(file, 3));
    if (rowfile_at_hand(file) >= 3 && memcmp(file->data + file->begin, "\xef\xbb\xbf", 3) == 0)
        file->begin += 3;
    return NULL;
}

Error *rowfile_text_begin(RowFile *file)
{
    bool more;
    TRY(rowfile_skip_mark(file));
    if (!file->header) return NULL;
    TRY(read_record(file, false, &more));
    if (!more) return rowfile_bad(file->path, file->row, "the file is empty");
    file->column_count = file->cell_count;
    file->columns = arena_array(file->arena, Str, file->column_count);
    for (size_t i = 0; i < file->column_count; i++)
        file->columns[i] = str_copy(file->arena, cell_text(file, i));
    return NULL;
}

static void name_columns(RowFile *file)
{
    file->column_count = file->cell_count;
    file->columns = arena_array(file->arena, Str, file->column_count);
    for (size_t i = 0; i < file->column_count; i++)
        file->columns[i] = str_from(arena_printf(file->arena, "c%zu", i));
}

static inline Value cell_value(const RowFile *file, size_t i)
{
    Str text = cell_text(file, i);
    if (text.bytes == file->null_text.bytes && !file->cells[i].quoted &&
        str_equal(text, file->null_text))
        return value_null();
    return value_string(text);
}

/* The next record that is a row: no empty line, and as many cells as there are columns. */
static Error *read_row(RowFile *file, bool still, bool *more)
{
    bool empty;
    do {
        TRY(read_record(file, still, more));
        if (!*more) return NULL;
        if (file->columns == NULL) name_columns(file);
        empty = file->cell_count == 1 && file->cells[0].bytes == 0 && !file->cells[0].quoted &&
                file->column_count > 1;
    } while (empty);
    if (file->cell_count == file->column_count) return NULL;
    char what[96];
    snprintf(what, sizeof what, "%zu cells where there are %zu columns", file->cell_count,
             file->column_count);
    return rowfile_bad(file->path, file->row, what);
}

Error *rowfile_separated_row(RowFile *file, Arena *arena, Value *row)
{
    bool more;
    TRY(read_row(file, false, &more));
    if (!more) return NULL;
    size_t count = file->cell_count;
    if (file->lists) {
        Value *items = arena_array(arena, Value, count);
        for (size_t i = 0; i < count; i++)
            items[i] = value_copy(arena, cell_value(file, i));
        *row = value_list(items, count);
        return NULL;
    }
    ValueEntry *entries = arena_array(arena, ValueEntry, count);
    for (size_t i = 0; i < count; i++)
        entries[i] = (ValueEntry){file->columns[i], value_copy(arena, cell_value(file, i))};
    *row = value_map(entries, count);
    return NULL;
}

/* The cell at `at` up to what ends it, and where that is; NULL: not an easy one. Bytes of it that stand
 * outside quotes are gathered in *bytes, to see whether all are ASCII. */
static inline const char *easy_cell(const RowFile *file, const char *at, const char *end,
                                    Value *cell, unsigned *bytes)
{
    const char *begin = at;
    Str null_text = file->null_text;
    unsigned seen = 0;
    if (*at == file->quote) {
        begin++;
        at = memchr(begin, file->quote, (size_t)(end - begin));
        if (at == NULL || at[1] == file->quote) return NULL;
        *bytes |= 0x80; /* nobody has looked */
        *cell = value_string((Str){begin, (size_t)(at - begin)});
        return at + 1;
    }
    for (; !file->stops[(unsigned char)*at]; at++)
        seen |= (unsigned char)*at;
    *bytes |= seen;
    Str text = {begin, (size_t)(at - begin)};
    bool none = text.bytes == null_text.bytes && memcmp(begin, null_text.data, text.bytes) == 0;
    *cell = none ? value_null() : value_string(text);
    return at;
}

/* Most rows are easy: as many cells as there are columns, all of it at hand, no quote inside quotes, a
 * newline behind. They become values in one pass. False: nothing was done, read_row must look. */
static bool easy_row(RowFile *file, Value *cells)
{
    const char *begin = file->data + file->begin, *end = file->data + file->end, *at = begin;
    unsigned bytes = 0;
    for (size_t i = 0; i < file->column_count; i++) {
        char stop = i + 1 < file->column_count ? file->delimiter : '\n';
        at = at == end ? NULL : easy_cell(file, at, end, &cells[i], &bytes);
        if (at != NULL && at < end && *at == '\r') at++;
        if (at == NULL || at == end || *at++ != stop) return false;
    }
    if (bytes >= 0x80 && !utf8_valid((Str){begin, (size_t)(at - begin)})) return false;
    file->begin += (size_t)(at - begin);
    return true;
}

Error *rowfile_separated_chunk(RowFile *file, Arena *arena, uint32_t max, RowChunk *out)
{
    while (out->row_count < max) {
        bool more = false;
        if (out->cells != NULL && file->column_count > 1 &&
            easy_row(file, out->cells + out->row_count * file->column_count)) {
            out->row_count++;
            file->row++;
            continue;
        }
        Error *error = read_row(file, out->row_count > 0, &more);
        if (error != NULL && out->row_count == 0) return error;
        file->waiting = error;
        if (error != NULL || !more) return NULL;
        if (out->cells == NULL) {
            out->columns = file->columns;
            out->column_count = (uint32_t)file->column_count;
            out->cells = arena_alloc(arena, max * file->column_count * sizeof *out->cells);
        }
        Value *cells = out->cells + out->row_count++ * file->column_count;
        for (size_t i = 0; i < file->column_count; i++)
            cells[i] = cell_value(file, i);
        file->row++;
    }
    return NULL;
}
