/*
 * copy_chunks.c - the chunks of a file for COPY, read ahead.
 *
 * While the statement's thread writes a chunk to the graph, a thread of the reader's own splits the
 * next one, turns its text into values, and finds one end of each relationship (work_on). A statement's
 * thread that waits gets the chunk as soon as it is split and does the rest itself, so that both have
 * about as much to do whatever the file is like. Nothing of that looks at what is being written (nodes
 * and their indexes stand still while relationships are loaded, and keys of nodes are looked up by the
 * writer). There are two chunks, so the reader is at most one ahead, which is also what a file's buffers
 * allow (rowfile.h). Files of one chunk and machines that give no thread are read by the statement's own.
 * What comes out is the same in every case.
 */
#include "config.h"

#include "command/copy_internal.h"
#include <pthread.h>
#include <stdatomic.h>

struct CopyReader {
    Copy *copy;
    RowFile *file;
    CopyChunk chunks[2];
    uint32_t taken; /* chunks given out: the next is chunks[taken % 2] */
    bool pending;   /* the first chunk was looked at, but not yet given out */
    pthread_t thread;
    pthread_mutex_t lock; /* over `ready`, `wanted` and `leaving` */
    pthread_cond_t changed;
    bool started, leaving, waited_for; /* waited_for: the statement's thread has nothing to do */
    _Atomic uint32_t ready, wanted; /* chunks made, chunks that may be made; changed under `lock` */
    uint64_t rows;                  /* JSON lines: rows so far */
};

/* ---- one chunk ---- */

static bool is_padded(Str text)
{
    Str digits =
        text.bytes > 0 && text.data[0] == '-' ? (Str){text.data + 1, text.bytes - 1} : text;
    return digits.bytes > 1 && digits.data[0] == '0' && digits.data[1] != '.';
}

/* What almost every cell of integers is: digits, none too many, no zero before others. */
static inline bool parse_digits(Str text, int64_t *out)
{
    enum { DIGITS_SAFE = 18 };
    uint64_t number = 0;
    if (text.bytes == 0 || text.bytes > DIGITS_SAFE || (text.data[0] == '0' && text.bytes > 1))
        return false;
    for (size_t i = 0; i < text.bytes; i++) {
        unsigned digit = (unsigned char)text.data[i] - '0';
        if (digit > 9) return false;
        number = number * 10 + digit;
    }
    *out = (int64_t)number;
    return true;
}

bool copy_parse_cell(CellType type, Str text, Value *out)
{
    int64_t integer;
    double number;
    switch (type) {
    case CELL_INTEGER:
        if (is_padded(text) || (text.bytes > 0 && text.data[0] == '+')) return false;
        return integer_parse(text, &integer) ? (*out = value_integer(integer), true) : false;
    case CELL_FLOAT:
        if (is_padded(text)) return false;
        return float_parse(text, &number) ? (*out = value_float(number), true) : false;
    case CELL_BOOLEAN:
        *out = value_boolean(str_equal_ignore_case(text, STR("true")));
        return out->as.boolean || str_equal_ignore_case(text, STR("false"));
    case CELL_STRING: break;
    }
    return true;
}

/* As many rows of JSON as make a chunk; the columns are those of the file, in our order. */
static Error *gather_chunk(CopyReader *reader, Arena *arena, RowChunk *rows)
{
    const Copy *copy = reader->copy;
    size_t width = copy->column_count;
    Str *names = arena_array(arena, Str, width + 1);
    for (size_t c = 0; c < width; c++)
        names[c] = copy->columns[c].file_name;
    *rows =
        (RowChunk){.columns = names, .column_count = (uint32_t)width, .first_row = reader->rows};
    rows->cells = arena_array(arena, Value, ROWFILE_CHUNK_ROWS_MAX * (width + 1));
    while (rows->row_count < ROWFILE_CHUNK_ROWS_MAX) {
        Value row;
        TRY(rowfile_next(reader->file, arena, &row));
        if (row.kind == VALUE_NULL) return NULL;
        for (size_t c = 0; c < width; c++) {
            const Value *cell = value_map_get(row, copy->columns[c].file_name);
            if (cell != NULL) rows->cells[rows->row_count * width + c] = *cell;
        }
        rows->row_count++;
        reader->rows++;
    }
    return NULL;
}

static void read_rows(CopyReader *reader, CopyChunk *chunk)
{
    arena_reset(chunk->arena);
    chunk->rows = (RowChunk){0};
    chunk->from = chunk->to = NULL;
    chunk->fits = true;
    chunk->worked_on = false;
    chunk->error = rowfile_has_chunks(reader->file)
                       ? rowfile_chunk(reader->file, chunk->arena, &chunk->rows)
                       : gather_chunk(reader, chunk->arena, &chunk->rows);
    chunk->done = rowfile_done(reader->file);
}

/* Text becomes values. A cell that does not fit its column shows that its type was taken too soon.
 */
static void convert(const Copy *copy, CopyChunk *chunk)
{
    size_t width = chunk->rows.column_count;
    for (size_t i = 0; i < copy->column_count; i++) {
        const CopyColumn *column = &copy->columns[i];
        for (uint32_t r = 0; column->cast.kind != VALUE_NULL && r < chunk->rows.row_count; r++)
            cell_cast_apply(&column->cast, chunk->arena,
                            &chunk->rows.cells[r * width + column->at]);
        if (column->cast.kind != VALUE_NULL) continue; /* what does not fit is a bad row */
        bool unseen = !column->seen && !column->value && !copy->inferred;
        if (column->type == CELL_STRING && !unseen) continue;
        for (uint32_t r = 0; r < chunk->rows.row_count; r++) {
            Value *cell = &chunk->rows.cells[r * width + column->at];
            int64_t integer;
            if (cell->kind == VALUE_NULL || (cell->kind != VALUE_STRING && !unseen)) continue;
            if (!unseen && column->type == CELL_INTEGER &&
                parse_digits(value_text(*cell), &integer)) {
                *cell = value_integer(integer);
                continue;
            }
            if (unseen || !copy_parse_cell(column->type, value_text(*cell), cell))
                chunk->fits = false;
        }
    }
}

CopyColumn *copy_column_named(const Copy *copy, Str name)
{
    for (size_t i = 0; i < copy->column_count && name.bytes > 0; i++)
        if (str_equal(copy->columns[i].name, name)) return &copy->columns[i];
    for (size_t i = 0; i < copy->column_count && name.bytes > 0; i++)
        if (copy->columns[i].name.bytes == 0 && str_equal(copy->columns[i].file_name, name))
            return &copy->columns[i];
    return NULL;
}

uint64_t *copy_find_ends(const Copy *copy, const CopyChunk *chunk, const GraphIndex *index,
                         Str name)
{
    GraphView view = graph_writer_view(copy->writer);
    const CopyColumn *column = copy_column_named(copy, name);
    if (column == NULL) return NULL;
    uint64_t *ends = arena_alloc(chunk->arena, (chunk->rows.row_count + 1) * sizeof *ends);
    graph_seek_first(&view, index, &chunk->rows.cells[column->at], chunk->rows.column_count,
                     chunk->rows.row_count, ends);
    return ends;
}

static bool is_plain(const CopyChunk *chunk, const CopyColumn *column)
{
    for (uint32_t r = 0; column->value && r < chunk->rows.row_count; r++) {
        Value cell = chunk->rows.cells[r * (size_t)chunk->rows.column_count + column->at];
        Error *error = cell.kind == VALUE_LIST ? NULL : storable(cell, &cell);
        bool plain = cell.kind != VALUE_LIST && error == NULL;
        error_drop(error); /* told by who writes the row */
        if (!plain) return false;
    }
    return true;
}

static void work_on(const Copy *copy, CopyChunk *chunk)
{
    chunk->worked_on = true;
    if (chunk->error != NULL || chunk->rows.row_count == 0) return;
    convert(copy, chunk);
    chunk->plain = arena_calloc(chunk->arena, copy->column_count + 1, sizeof *chunk->plain);
    for (size_t i = 0; i < copy->column_count; i++)
        chunk->plain[i] = is_plain(chunk, &copy->columns[i]);
    if (!chunk->fits || copy->plan->statement != STATEMENT_COPY_RELATIONSHIPS) return;
    chunk->from = copy_find_ends(copy, chunk, copy->from_index, copy->from_column);
}

/* ---- ahead ---- */

/* A chunk takes about as long as waking a thread does: who waits for the other looks a while before
 * it goes to sleep. */
static void look_a_while(_Atomic uint32_t *count, uint32_t known)
{
    enum { LOOKS = 2000 }; /* some tens of microseconds */
    for (int i = 0; i < LOOKS && atomic_load_explicit(count, memory_order_relaxed) == known; i++)
#if defined(__x86_64__)
        __builtin_ia32_pause();
#else
        atomic_signal_fence(memory_order_seq_cst);
#endif
}

static void *read_ahead(void *user)
{
    CopyReader *reader = user;
    pthread_mutex_lock(&reader->lock);
    for (;;) {
        while (reader->ready == reader->wanted && !reader->leaving)
            pthread_cond_wait(&reader->changed, &reader->lock);
        if (reader->leaving) break;
        CopyChunk *chunk = &reader->chunks[reader->ready % 2];
        pthread_mutex_unlock(&reader->lock);
        read_rows(reader, chunk);
        pthread_mutex_lock(&reader->lock);
        bool hurry = reader->waited_for;
        pthread_mutex_unlock(&reader->lock);
        if (!hurry) work_on(reader->copy, chunk);
        pthread_mutex_lock(&reader->lock);
        uint32_t made = ++reader->ready;
        pthread_cond_broadcast(&reader->changed);
        pthread_mutex_unlock(&reader->lock);
        look_a_while(&reader->wanted, made);
        pthread_mutex_lock(&reader->lock);
    }
    pthread_mutex_unlock(&reader->lock);
    return NULL;
}

/* Chunk `taken` is given out; the one after it may be made. */
static void start(CopyReader *reader)
{
    pthread_mutex_init(&reader->lock, NULL);
    pthread_cond_init(&reader->changed, NULL);
    reader->ready = reader->taken;
    reader->wanted = reader->taken + 1;
    reader->started = pthread_create(&reader->thread, NULL, read_ahead, reader) == 0;
    if (reader->started) return;
    pthread_cond_destroy(&reader->changed);
    pthread_mutex_destroy(&reader->lock);
}

CopyReader *copy_reader_new(Copy *copy, RowFile *file)
{
    CopyReader *reader = arena_new(copy->arena, CopyReader);
    reader->copy = copy;
    reader->file = file;
    for (int i = 0; i < 2; i++)
        reader->chunks[i].arena = arena_create();
    return reader;
}

Error *copy_reader_first(CopyReader *reader, CopyChunk **out)
{
    *out = &reader->chunks[0];
    read_rows(reader, *out);
    reader->pending = true;
    Error *error = (*out)->error;
    (*out)->error = NULL;
    return error;
}

static CopyChunk *wait_for(CopyReader *reader)
{
    pthread_mutex_lock(&reader->lock);
    reader->waited_for = reader->ready == reader->taken;
    pthread_mutex_unlock(&reader->lock);
    look_a_while(&reader->ready, reader->taken);
    pthread_mutex_lock(&reader->lock);
    while (reader->ready == reader->taken)
        pthread_cond_wait(&reader->changed, &reader->lock);
    reader->waited_for = false;
    CopyChunk *chunk = &reader->chunks[reader->taken++ % 2];
    reader->wanted = reader->taken + 1;
    pthread_cond_broadcast(&reader->changed);
    pthread_mutex_unlock(&reader->lock);
    return chunk;
}

Error *copy_reader_next(CopyReader *reader, CopyChunk **out)
{
    CopyChunk *chunk;
    if (reader->pending) { /* read, but its columns were not known then */
        chunk = &reader->chunks[reader->taken++ % 2];
        work_on(reader->copy, chunk);
        reader->pending = false;
        if (chunk->rows.row_count == ROWFILE_CHUNK_ROWS_MAX || chunk->done < 1) start(reader);
    } else if (reader->started) {
        chunk = wait_for(reader);
        if (!chunk->worked_on) work_on(reader->copy, chunk);
    } else {
        chunk = &reader->chunks[reader->taken++ % 2];
        read_rows(reader, chunk);
        work_on(reader->copy, chunk);
    }
    *out = chunk;
    Error *error = chunk->error;
    chunk->error = NULL;
    return error;
}

void copy_reader_free(CopyReader *reader)
{
    if (reader->started) {
        pthread_mutex_lock(&reader->lock);
        reader->leaving = true;
        pthread_cond_broadcast(&reader->changed);
        pthread_mutex_unlock(&reader->lock);
        pthread_join(reader->thread, NULL);
        pthread_cond_destroy(&reader->changed);
        pthread_mutex_destroy(&reader->lock);
    }
    for (int i = 0; i < 2; i++) {
        error_drop(reader->chunks[i].error);
        arena_destroy(reader->chunks[i].arena);
    }
}
