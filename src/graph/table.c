/*
 * table.c - rows with versions, columns with version chains, and the directories that lead to them.
 *
 * A reader at version v sees a row created at c and deleted at d when c <= v and not d <= v. A
 * column is written in place: before that, what was there goes to the front of the block's chain
 * with the version that replaces it. A reader takes what stands in the block, then looks whether
 * the chain has an entry for the row that is newer than its view: the oldest such entry holds what
 * it must see. The chain entry is published before the block changes, so a reader that saw the new
 * value, or half of it, also finds the entry. The order is what counts: first the value, then the
 * chain. Elements are read and written by words with relaxed atomics between two fences. A vector
 * lies in the block itself, where the writer will write: who lends one out copies it first.
 *
 * Invariants: a block has one type; values of another turn it into COLUMN_ANY, in a new block that
 * takes the old one's place.
 */
#include "config.h"

#include "graph/graph_internal.h"

#include <assert.h>
#include <math.h>

/* ---- memory that readers may still look at ---- */

void graph_retire(Graph *graph, void *memory)
{
    if (memory == NULL) return;
    mem_reserve(graph->retired, graph->retired_capacity, graph->retired_count + 1);
    graph->retired[graph->retired_count++] = (Retired){memory, NULL, atomic_load(&graph->pending)};
}

void graph_retire_by(Graph *graph, void *thing, void (*end)(void *thing))
{
    if (thing == NULL) return;
    graph_retire(graph, thing);
    graph->retired[graph->retired_count - 1].end = end;
}

void retired_end(Graph *graph, const Retired *retired)
{
    if (retired->end != NULL)
        retired->end(retired->memory);
    else
        graph_free(graph, retired->memory);
}

void graph_free(Graph *graph, void *memory)
{
    if (graph->segment == NULL || memory == NULL || !segment_holds(graph->segment, memory))
        mem_free(memory);
}

/* ---- directories ---- */

void *directory_miss(const Directory *directory, size_t i)
{
    DirectoryBase *base = directory->base;
    DirectoryArray *array = atomic_load_explicit(&directory->array, memory_order_acquire);
    void *item = i < base->count ? base->item(base, i) : NULL, *none = NULL;
    if (item == NULL || array == NULL || i >= array->capacity) return item;
    /* The writer may have put its own there meanwhile: that one counts. */
    return atomic_compare_exchange_strong(&array->items[i], &none, item) ? item : none;
}

size_t directory_size(const Directory *directory)
{
    DirectoryArray *array = atomic_load_explicit(&directory->array, memory_order_acquire);
    return array == NULL ? 0 : array->capacity;
}

void directory_set(Graph *graph, Directory *directory, size_t i, void *item)
{
    DirectoryArray *array = atomic_load_explicit(&directory->array, memory_order_relaxed);
    if (array == NULL || i >= array->capacity) {
        size_t capacity = array == NULL ? 8 : array->capacity * 2;
        if (capacity <= i) capacity = i + 1;
        DirectoryArray *larger = mem_calloc(1, sizeof *larger + capacity * sizeof larger->items[0]);
        larger->capacity = capacity;
        for (size_t j = 0; array != NULL && j < array->capacity; j++)
            atomic_store_explicit(&larger->items[j],
                                  atomic_load_explicit(&array->items[j], memory_order_relaxed),
                                  memory_order_relaxed);
        atomic_store_explicit(&directory->array, larger, memory_order_release);
        graph_retire(graph, array);
        array = larger;
    }
    atomic_store_explicit(&array->items[i], item, memory_order_release);
}

void directory_free(Graph *graph, Directory *directory, void (*release)(Graph *graph, void *item))
{
    size_t size = directory_size(directory);
    directory->base = NULL; /* nobody asks any more */
    for (size_t i = 0; i < size; i++) {
        void *item = directory_get(directory, i);
        if (item != NULL) release(graph, item);
    }
    mem_free(atomic_load(&directory->array));
}

void directory_trim(Graph *graph, Directory *directory, uint64_t from,
                    void (*release)(Graph *graph, void *item))
{
    DirectoryArray *array = atomic_load(&directory->array);
    if (directory->base != NULL && from < directory->base->count) from = directory->base->count;
    for (uint64_t i = from; array != NULL && i < array->capacity; i++) {
        void *item = atomic_exchange(&array->items[i], NULL);
        if (item != NULL) release(graph, item);
    }
}

static uint64_t blocks_of(uint64_t rows)
{
    return (rows + GRAPH_BLOCK_ROWS - 1) / GRAPH_BLOCK_ROWS;
}

/* ---- rows ---- */

bool rows_were_dead(const Rows *rows, uint64_t row)
{
    return rows->dead != NULL && (rows->dead[row / 64] >> row % 64 & 1);
}

bool rows_touched(const Rows *rows, uint64_t block)
{
    return directory_get(&rows->blocks, block) != NULL;
}

/* Rows of a segment are as if the version 0 had made them; those it holds as deleted, the first. */
static RowBlock *row_block(Graph *graph, Rows *rows, uint64_t row)
{
    uint64_t number = row / GRAPH_BLOCK_ROWS, begin = number * GRAPH_BLOCK_ROWS;
    RowBlock *block = directory_get(&rows->blocks, number);
    if (block != NULL) return block;
    block = mem_calloc(1, sizeof *block);
    uint64_t *deleted = NULL;
    for (uint64_t i = begin; i < begin + GRAPH_BLOCK_ROWS && i < rows->base_count; i++) {
        if (!rows_were_dead(rows, i)) continue;
        if (deleted == NULL) deleted = mem_calloc(GRAPH_BLOCK_ROWS, sizeof *deleted);
        deleted[i - begin] = 1;
    }
    atomic_init(&block->deleted, deleted);
    directory_set(graph, &rows->blocks, number, block);
    return block;
}

/* Rows begin .. end - 1 of the block, which is not the rows' of anybody who reads. Those before them
 * have versions of their own from now on, unless theirs is the same. */
static void note_created(RowBlock *block, uint64_t begin, uint64_t end, uint64_t version)
{
    uint64_t *created = atomic_load_explicit(&block->created, memory_order_relaxed),
             newest = atomic_load_explicit(&block->created_max, memory_order_relaxed);
    if (created == NULL && begin > 0 && newest != version) {
        created = mem_alloc(GRAPH_BLOCK_ROWS * sizeof *created);
        for (uint64_t i = 0; i < begin; i++)
            created[i] = newest;
        atomic_store_explicit(&block->created, created, memory_order_release);
    }
    for (uint64_t i = begin; created != NULL && i < end; i++)
        created[i] = version;
    atomic_store_explicit(&block->created_max, version, memory_order_release);
}

uint64_t rows_create(Graph *graph, Rows *rows, uint64_t version)
{
    uint64_t row = atomic_load_explicit(&rows->count, memory_order_relaxed),
             i = row % GRAPH_BLOCK_ROWS;
    note_created(row_block(graph, rows, row), i, i + 1, version);
    atomic_store_explicit(&rows->created_max, version, memory_order_relaxed);
    rows->made++;
    atomic_store_explicit(&rows->count, row + 1, memory_order_release);
    atomic_fetch_add_explicit(&rows->live, 1, memory_order_release);
    return row;
}

uint64_t rows_create_many(Graph *graph, Rows *rows, uint32_t count, uint64_t version)
{
    uint64_t first = atomic_load_explicit(&rows->count, memory_order_relaxed);
    for (uint64_t row = first; row < first + count;) {
        RowBlock *block = row_block(graph, rows, row);
        uint64_t begin = row % GRAPH_BLOCK_ROWS, end = begin + (first + count - row);
        if (end > GRAPH_BLOCK_ROWS) end = GRAPH_BLOCK_ROWS;
        note_created(block, begin, end, version);
        row += end - begin;
    }
    atomic_store_explicit(&rows->created_max, version, memory_order_relaxed);
    rows->made++;
    atomic_store_explicit(&rows->count, first + count, memory_order_release);
    atomic_fetch_add_explicit(&rows->live, count, memory_order_release);
    return first;
}

void rows_uncreate_many(Rows *rows, uint64_t first, uint64_t count)
{
    assert(first + count == atomic_load(&rows->count)); /* undo goes backwards */
    rows->taken++;
    atomic_store(&rows->count, first);
    atomic_fetch_sub(&rows->live, count);
}

void rows_uncreate(Rows *rows, uint64_t row)
{
    assert(row + 1 == atomic_load(&rows->count)); /* undo goes backwards */
    rows->taken++;
    atomic_store(&rows->count, row);
    atomic_fetch_sub(&rows->live, 1);
}

bool rows_visible(const Rows *rows, uint64_t row, uint64_t version)
{
    if (row >= atomic_load_explicit(&rows->count, memory_order_acquire)) return false;
    const RowBlock *block = directory_get(&rows->blocks, row / GRAPH_BLOCK_ROWS);
    if (block == NULL) return !rows_were_dead(rows, row);
    /* Most blocks have no newer row: then the line with the row's own version is not looked at. */
    if (atomic_load_explicit(&block->created_max, memory_order_relaxed) > version &&
        row_block_created(block, row % GRAPH_BLOCK_ROWS) > version)
        return false;
    const uint64_t *deleted = atomic_load_explicit(&block->deleted, memory_order_acquire);
    if (deleted == NULL) return true;
    uint64_t when = __atomic_load_n(&deleted[row % GRAPH_BLOCK_ROWS], __ATOMIC_RELAXED);
    return when == 0 || when > version;
}

uint64_t rows_created(const Rows *rows, uint64_t row)
{
    const RowBlock *block = directory_get(&rows->blocks, row / GRAPH_BLOCK_ROWS);
    return block == NULL ? 0 : row_block_created(block, row % GRAPH_BLOCK_ROWS);
}

void rows_delete(Graph *graph, Rows *rows, uint64_t row, uint64_t version)
{
    RowBlock *block = row_block(graph, rows, row);
    uint64_t *deleted = atomic_load(&block->deleted);
    if (deleted == NULL) {
        deleted = mem_calloc(GRAPH_BLOCK_ROWS, sizeof *deleted);
        atomic_store_explicit(&block->deleted, deleted, memory_order_release);
    }
    rows->taken++;
    __atomic_store_n(&deleted[row % GRAPH_BLOCK_ROWS], version, __ATOMIC_RELEASE);
    atomic_store(&rows->deleted_max, version);
    atomic_fetch_sub(&rows->live, 1);
}

void rows_undelete(Rows *rows, uint64_t row)
{
    RowBlock *block = directory_get(&rows->blocks, row / GRAPH_BLOCK_ROWS);
    uint64_t *deleted = atomic_load(&block->deleted);
    assert(deleted != NULL);
    rows->taken++;
    __atomic_store_n(&deleted[row % GRAPH_BLOCK_ROWS], 0, __ATOMIC_RELEASE);
    atomic_fetch_add(&rows->live, 1);
}

static void row_block_free(Graph *graph, void *item)
{
    RowBlock *block = item;
    (void)graph;
    mem_free(atomic_load(&block->created));
    mem_free(atomic_load(&block->deleted));
    mem_free(block);
}

void rows_free(Graph *graph, Rows *rows)
{
    directory_free(graph, &rows->blocks, row_block_free);
}

/* ---- columns ---- */

typedef uint32_t __attribute__((may_alias)) Half;
typedef uint64_t __attribute__((may_alias)) Word;

/* Beside a writer, or beside readers: what is torn is thrown away, but never undefined. */
static inline void load_words(void *out, const void *from, size_t bytes)
{
    for (size_t i = 0; i < bytes / sizeof(Word); i++)
        ((Word *)out)[i] = __atomic_load_n((const Word *)from + i, __ATOMIC_RELAXED);
}

static void store_words(void *out, const void *from, size_t bytes)
{
    for (size_t i = 0; i < bytes / sizeof(Word); i++)
        __atomic_store_n((Word *)out + i, ((const Word *)from)[i], __ATOMIC_RELAXED);
}

static bool is_present(const ColumnBlock *block, uint32_t i)
{
    return __atomic_load_n(&block->present[i / 64], __ATOMIC_ACQUIRE) >> i % 64 & 1;
}

Str column_block_text(const ColumnBlock *block, uint32_t i)
{
    if (block->text != NULL) {
        if (block->packed.bits != NULL) i = (uint32_t)packed_get(&block->packed, i);
        int64_t from = packed_get(&block->offsets, i), to = packed_get(&block->offsets, i + 1);
        return (Str){block->text + from, (size_t)(to - from)};
    }
    Str text;
    load_words(&text, &block->strings[i], sizeof text);
    return text;
}

void column_block_words(const ColumnBlock *block, Str *out)
{
    int64_t from = packed_get(&block->offsets, 0), to;
    for (uint32_t i = 0; i < block->word_count; i++, from = to) {
        to = packed_get(&block->offsets, i + 1);
        out[i] = (Str){block->text + from, (size_t)(to - from)};
    }
}

static inline double block_float(const ColumnBlock *block, uint32_t i)
{
    double number;
    if (block->packed.bits != NULL) return (double)packed_get(&block->packed, i) / block->power;
    load_words(&number, &block->floats[i], sizeof number);
    return number;
}

static Value load_any(const Value *from)
{
    Value value;
    load_words(&value, from, sizeof value);
    return value;
}

Value column_block_value(const ColumnBlock *block, uint32_t i)
{
    if (!is_present(block, i)) return value_null();
    switch (block->type) {
    case COLUMN_ANY: return load_any(&block->values[i]);
    case COLUMN_BOOLEAN:
        return value_boolean(__atomic_load_n(&block->booleans[i], __ATOMIC_RELAXED) != 0);
    case COLUMN_INTEGER: return value_integer(block_integer(block, i));
    case COLUMN_FLOAT: return value_float(block_float(block, i));
    case COLUMN_STRING: return value_string(column_block_text(block, i));
    case COLUMN_VECTOR:
        return value_vector(block->vectors + (size_t)i * block->stride, block->dimensions);
    case COLUMN_UNSET:
    case COLUMN_NODE:
    case COLUMN_RELATIONSHIP:
    case COLUMN_WORD: break;
    }
    return value_null();
}

/* What a reader at `version` must see instead of the block's value; NULL: the block's value is
 * right. */
static const OldValue *older(const ColumnBlock *block, uint32_t i, uint64_t version)
{
    const OldValue *found = NULL;
    for (const OldValue *old = atomic_load_explicit(&block->old, memory_order_acquire);
         old != NULL && old->version > version; old = old->next)
        if (old->row == i) found = old;
    return found;
}

/* The chain has its newest entry in front. */
bool column_block_steady(const ColumnBlock *block, uint64_t version)
{
    atomic_thread_fence(memory_order_acquire);
    const OldValue *old = atomic_load_explicit(&block->old, memory_order_acquire);
    return old == NULL || old->version <= version;
}

static Value copied_vector(Arena *arena, Value value)
{
    float *components = arena_array(arena, float, value.aux + 1);
    for (uint32_t i = 0; i < value.aux; i++)
        __atomic_store_n((Half *)components + i,
                         __atomic_load_n((const Half *)value.as.vector + i, __ATOMIC_RELAXED),
                         __ATOMIC_RELAXED);
    return value_vector(components, value.aux);
}

Value column_read(const PropertyColumn *column, uint64_t row, uint64_t version, Arena *arena)
{
    const ColumnBlock *block = directory_get(&column->blocks, row / GRAPH_BLOCK_ROWS);
    if (block == NULL) return value_null();
    uint32_t i = row % GRAPH_BLOCK_ROWS;
    Value value = column_block_value(block, i);
    if (arena != NULL && block->type == COLUMN_VECTOR && value.kind == VALUE_VECTOR)
        value = copied_vector(arena, value);
    atomic_thread_fence(memory_order_acquire);
    const OldValue *old = older(block, i, version);
    return old == NULL ? value : old->value;
}

static size_t element_bytes(const ColumnBlock *block)
{
    switch (block->type) {
    case COLUMN_ANY: return sizeof(Value);
    case COLUMN_BOOLEAN: return 1;
    case COLUMN_INTEGER: return sizeof(int64_t);
    case COLUMN_FLOAT: return sizeof(double);
    case COLUMN_STRING: return sizeof(Str);
    case COLUMN_VECTOR: return block->stride * sizeof(float);
    case COLUMN_UNSET:
    case COLUMN_NODE:
    case COLUMN_RELATIONSHIP:
    case COLUMN_WORD: break;
    }
    return 0;
}

enum {
    VECTOR_STRIDE_FLOATS = 16,
    VECTOR_ALIGN = 64
}; /* the canonical kernel reads whole cache lines of 16 floats */

/* `whole`: vectors are written to all of its rows before anybody asks for one, so they need not be 0. */
static ColumnBlock *block_new(ColumnType type, uint32_t dimensions, bool whole)
{
    ColumnBlock *block = mem_calloc(1, sizeof *block);
    block->type = type;
    block->dimensions = type == COLUMN_VECTOR ? dimensions : 0;
    block->stride = type == COLUMN_VECTOR ? (dimensions + VECTOR_STRIDE_FLOATS - 1) /
                                                VECTOR_STRIDE_FLOATS * VECTOR_STRIDE_FLOATS
                                          : 0;
    size_t bytes = element_bytes(block) * GRAPH_BLOCK_ROWS;
    if (type == COLUMN_VECTOR) {
        block->vectors = mem_alloc_aligned(bytes == 0 ? VECTOR_ALIGN : bytes, VECTOR_ALIGN);
        if (!whole || block->stride > dimensions) memset(block->vectors, 0, bytes);
        block->factors = mem_calloc(GRAPH_BLOCK_ROWS, sizeof *block->factors);
    } else {
        block->data = mem_calloc(1, bytes);
    }
    return block;
}

/* Before anything of a writer goes to the heap. */
static void mark_heap(PropertyColumn *column, uint64_t version)
{
    if (column->marked == version) return;
    column->mark = arena_mark(column->heap);
    column->marked = version;
}

/* A copy that stays also when the writer is taken back. */
static Value kept(PropertyColumn *column, Value value)
{
    if (column->kept == NULL) column->kept = arena_create();
    return value_copy(column->kept, value);
}

static Value owned(PropertyColumn *column, Value value)
{
    return value.kind < VALUE_STRING || value.kind == VALUE_VECTOR
               ? value
               : value_copy(column->heap, value);
}

/*
 * 1 / |row| in the canonical order: products are summed in 8 lanes of 4 partial sums over blocks of
 * 32, (0+1)+(2+3) in a lane, then lanes +4, +2, +1, all in f32 and never fused, so that every
 * machine gets the same bits.
 */
static float row_factor(const float *row, uint32_t stride)
{
    float partial[32] = {0}, lanes[8];
    uint32_t whole = stride / 32 * 32;
    for (uint32_t block = 0; block < whole; block += 32)
        for (uint32_t j = 0; j < 32; j++)
            partial[j] += row[block + j] * row[block + j];
    for (uint32_t j = whole; j < stride; j++)
        partial[j - whole] += row[j] * row[j];
    for (uint32_t i = 0; i < 8; i++)
        lanes[i] =
            (partial[4 * i] + partial[4 * i + 1]) + (partial[4 * i + 2] + partial[4 * i + 3]);
    for (uint32_t half = 4; half > 0; half /= 2)
        for (uint32_t i = 0; i < half; i++)
            lanes[i] = lanes[i] + lanes[i + half];
    return lanes[0] > 0 ? 1.0f / sqrtf(lanes[0]) : 0.0f;
}

static void store_vector(ColumnBlock *block, uint32_t i, const float *components)
{
    float *row = block->vectors + (size_t)i * block->stride;
    uint32_t j = 0;
    for (uint64_t two; j + 2 <= block->dimensions; j += 2) {
        memcpy(&two, components + j, sizeof two);
        __atomic_store_n((Word *)(void *)(row + j), two, __ATOMIC_RELAXED);
    }
    if (j < block->dimensions)
        __atomic_store_n((Half *)row + j, ((const Half *)components)[j], __ATOMIC_RELAXED);
    block->factors[i] = row_factor(row, block->stride);
}

static void block_store(ColumnBlock *block, uint32_t i, Value value)
{
    Str text;
    switch (block->type) {
    case COLUMN_ANY: store_words(&block->values[i], &value, sizeof value); break;
    case COLUMN_BOOLEAN:
        __atomic_store_n(&block->booleans[i], (uint8_t)value.as.boolean, __ATOMIC_RELAXED);
        break;
    case COLUMN_INTEGER:
        __atomic_store_n(&block->integers[i], value.as.integer, __ATOMIC_RELAXED);
        break;
    case COLUMN_FLOAT:
        store_words(&block->floats[i], &value.as.number, sizeof value.as.number);
        break;
    case COLUMN_STRING:
        text = value_text(value);
        store_words(&block->strings[i], &text, sizeof text);
        break;
    case COLUMN_VECTOR:
        beside_begin(&block->beside);
        store_vector(block, i, value.as.vector);
        beside_end(&block->beside);
        break;
    case COLUMN_UNSET:
    case COLUMN_NODE:
    case COLUMN_RELATIONSHIP:
    case COLUMN_WORD: break;
    }
    __atomic_fetch_or(&block->present[i / 64], UINT64_C(1) << i % 64, __ATOMIC_RELEASE);
}

static bool block_fits(const ColumnBlock *block, Value value)
{
    if (block->type == COLUMN_ANY) return true;
    if (block->type == COLUMN_VECTOR)
        return value.kind == VALUE_VECTOR && value.aux == block->dimensions;
    return block->type == column_type_of((ValueKind)value.kind);
}

/* A segment's block is never written to: a copy takes its place. Who reads the old one beside this
 * sees the same. */
static ColumnBlock *own_block(Graph *graph, PropertyColumn *column, uint64_t row,
                              ColumnBlock *mapped)
{
    ColumnBlock *block = block_new(mapped->type, mapped->dimensions, false);
    size_t bytes = element_bytes(block);
    for (uint32_t i = 0; i < GRAPH_BLOCK_ROWS; i++) {
        if (!is_present(mapped, i)) continue;
        if (block->type == COLUMN_STRING)
            block->strings[i] = column_block_text(mapped, i);
        else if (block->type == COLUMN_INTEGER)
            block->integers[i] = block_integer(mapped, i);
        else if (block->type == COLUMN_FLOAT)
            block->floats[i] = block_float(mapped, i);
        else
            memcpy((char *)block->data + i * bytes, (const char *)mapped->data + i * bytes, bytes);
        if (block->type == COLUMN_VECTOR) block->factors[i] = mapped->factors[i];
    }
    memcpy(block->present, mapped->present, sizeof block->present);
    beside_move(&mapped->beside, &block->beside);
    directory_set(graph, &column->blocks, row / GRAPH_BLOCK_ROWS, block);
    return block;
}

/* A block of mixed values takes the typed one's place; who reads the old one sees what it was. */
static ColumnBlock *promote(Graph *graph, PropertyColumn *column, uint64_t row, ColumnBlock *typed)
{
    ColumnBlock *mixed = block_new(COLUMN_ANY, 0, false);
    for (uint32_t i = 0; i < GRAPH_BLOCK_ROWS; i++) {
        Value value = column_block_value(typed, i);
        if (value.kind != VALUE_NULL)
            block_store(mixed, i, value.kind == VALUE_VECTOR ? kept(column, value) : value);
    }
    atomic_store(&mixed->old, atomic_load(&typed->old));
    directory_set(graph, &column->blocks, row / GRAPH_BLOCK_ROWS, mixed);
    graph_retire(graph, typed->data);
    graph_retire(graph, typed->factors);
    graph_retire(graph, typed);
    return mixed;
}

/* Old values nobody can need any more are let go before a new one is added. */
static void chain_push(Graph *graph, PropertyColumn *column, ColumnBlock *block, uint32_t i,
                       Value before, uint64_t version)
{
    OldValue *head = atomic_load_explicit(&block->old, memory_order_relaxed);
    /* Looked at once a block and version: what this version pushed itself somebody may need. */
    if (head != NULL && head->version < version && head->version <= graph_horizon(graph)) {
        atomic_store(&block->old, NULL);
        while (head != NULL) {
            OldValue *next = head->next;
            graph_retire(graph, head);
            head = next;
        }
    }
    OldValue *entry = mem_alloc(sizeof *entry);
    *entry = (OldValue){version, i, before.kind == VALUE_VECTOR ? kept(column, before) : before,
                        atomic_load(&block->old)};
    atomic_store_explicit(&block->old, entry, memory_order_release);
    atomic_thread_fence(memory_order_release);
}

typedef enum Storing { STORE_NEW, STORE_AND_KEEP, STORE_AGAIN } Storing;

static Value write_value(Graph *graph, PropertyColumn *column, uint64_t row, Value value,
                         uint64_t version, Storing storing)
{
    ColumnBlock *block = directory_get(&column->blocks, row / GRAPH_BLOCK_ROWS);
    uint32_t i = row % GRAPH_BLOCK_ROWS;
    writer_wait_saved(graph);
    column->rewrites++;
    mark_heap(column, version);
    if (block == NULL) {
        if (value.kind == VALUE_NULL) return value_null();
        block = block_new(column_type_of((ValueKind)value.kind), value.aux, false);
        directory_set(graph, &column->blocks, row / GRAPH_BLOCK_ROWS, block);
    }
    if (block->mapped) block = own_block(graph, column, row, block);
    Value before = column_block_value(block, i);
    if (block->type == COLUMN_VECTOR) before = value_copy(column->heap, before);
    if (storing == STORE_AND_KEEP) chain_push(graph, column, block, i, before, version);
    if (value.kind == VALUE_NULL) {
        __atomic_fetch_and(&block->present[i / 64], ~(UINT64_C(1) << i % 64), __ATOMIC_RELEASE);
        return before;
    }
    if (!block_fits(block, value)) block = promote(graph, column, row, block);
    bool mixed = block->type == COLUMN_ANY && value.kind == VALUE_VECTOR;
    if (storing == STORE_AGAIN)
        block_store(block, i, mixed ? kept(column, value) : value);
    else
        block_store(block, i, mixed ? value_copy(column->heap, value) : owned(column, value));
    return before;
}

static void begin_vectors(PropertyColumn *column)
{
    uint64_t generation = atomic_load_explicit(&column->generation, memory_order_relaxed);
    atomic_store_explicit(&column->generation, generation + 1, memory_order_relaxed);
    atomic_thread_fence(memory_order_release);
}

static void end_vectors(PropertyColumn *column)
{
    uint64_t generation = atomic_load_explicit(&column->generation, memory_order_relaxed);
    atomic_store_explicit(&column->generation, generation + 1, memory_order_release);
}

static Value write_any(Graph *graph, PropertyColumn *column, uint64_t row, Value value,
                       uint64_t version, Storing storing)
{
    const ColumnBlock *block = directory_get(&column->blocks, row / GRAPH_BLOCK_ROWS);
    bool vectors = value.kind == VALUE_VECTOR || (block != NULL && block->type == COLUMN_VECTOR);
    if (!vectors) return write_value(graph, column, row, value, version, storing);
    begin_vectors(column);
    Value before = write_value(graph, column, row, value, version, storing);
    end_vectors(column);
    return before;
}

Value column_write(Graph *graph, PropertyColumn *column, uint64_t row, Value value,
                   uint64_t version, bool keep)
{
    return write_any(graph, column, row, value, version, keep ? STORE_AND_KEEP : STORE_NEW);
}

void column_restore(Graph *graph, PropertyColumn *column, uint64_t row, Value before,
                    uint64_t version)
{
    write_any(graph, column, row, before, version, STORE_AGAIN);
}

/* ---- many rows at once ---- */

/* The texts of cells that are one, side by side in the heap. */
static void store_texts(PropertyColumn *column, ColumnBlock *block, uint32_t at, const Value *cells,
                        const GraphRows *rows, uint32_t from, uint32_t count)
{
    size_t bytes = 0;
    for (uint32_t i = 0; i < count; i++) {
        const Value *cell = &cells[rows->rows[from + i] * rows->stride];
        bytes += cell->kind == VALUE_STRING ? cell->aux : 0;
    }
    char *heap = arena_alloc(column->heap, bytes + 1);
    for (uint32_t i = 0; i < count; i++) {
        const Value *cell = &cells[rows->rows[from + i] * rows->stride];
        if (cell->kind != VALUE_STRING) continue;
        memcpy(heap, cell->as.text, cell->aux);
        block->strings[at + i] = (Str){heap, cell->aux};
        heap += cell->aux;
    }
}

static void store_integers(ColumnBlock *block, uint32_t at, const Value *cells,
                           const GraphRows *rows, uint32_t from, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        block->integers[at + i] = cells[rows->rows[from + i] * rows->stride].as.integer;
}

static void store_floats(ColumnBlock *block, uint32_t at, const Value *cells, const GraphRows *rows,
                         uint32_t from, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        block->floats[at + i] = cells[rows->rows[from + i] * rows->stride].as.number;
}

/* Who scores whole blocks may read these rows meanwhile, and throws them away. */
static void store_vectors(PropertyColumn *column, ColumnBlock *block, uint32_t at,
                          const Value *cells, const GraphRows *rows, uint32_t from, uint32_t count)
{
    begin_vectors(column);
    beside_begin(&block->beside);
    for (uint32_t i = 0; i < count; i++) {
        const Value *cell = &cells[rows->rows[from + i] * rows->stride];
        if (cell->kind == VALUE_VECTOR) store_vector(block, at + i, cell->as.vector);
    }
    beside_end(&block->beside);
    end_vectors(column);
}

/* Who reads an older version looks at other rows, but at the same words of `present`. */
static void mark_present(ColumnBlock *block, uint32_t at, const Value *cells, const GraphRows *rows,
                         uint32_t from, uint32_t count)
{
    for (uint32_t i = 0; i < count;) {
        uint32_t word = (at + i) / 64;
        uint64_t bits = 0;
        for (; i < count && (at + i) / 64 == word; i++)
            if (cells[rows->rows[from + i] * rows->stride].kind != VALUE_NULL)
                bits |= UINT64_C(1) << (at + i) % 64;
        __atomic_fetch_or(&block->present[word], bits, __ATOMIC_RELEASE);
    }
}

/* The one kind of the cells that are not null; VALUE_NULL: all are, VALUE_KIND_COUNT: there are
 * more. */
static ValueKind only_kind(const Value *cells, const GraphRows *rows, uint32_t from, uint32_t count)
{
    ValueKind kind = VALUE_NULL;
    for (uint32_t i = 0; i < count; i++) {
        ValueKind other = (ValueKind)cells[rows->rows[from + i] * rows->stride].kind;
        if (other == VALUE_NULL || other == kind) continue;
        if (kind != VALUE_NULL) return VALUE_KIND_COUNT;
        kind = other;
    }
    return kind;
}

/* Of cells that are vectors or null; 0: they differ. *filled: how many are vectors. */
static uint32_t only_dimensions(const Value *cells, const GraphRows *rows, uint32_t from,
                                uint32_t count, uint32_t *filled)
{
    uint32_t dimensions = 0;
    for (uint32_t i = 0; i < count; i++) {
        const Value *cell = &cells[rows->rows[from + i] * rows->stride];
        *filled += cell->kind == VALUE_VECTOR;
        if (cell->kind != VALUE_VECTOR || cell->aux == dimensions) continue;
        if (dimensions > 0) return 0;
        dimensions = cell->aux;
    }
    return dimensions;
}

/* Cells from, from + 1, .. into rows of one block. */
static void append_part(Graph *graph, PropertyColumn *column, uint64_t first, const Value *cells,
                        const GraphRows *rows, uint32_t from, uint32_t count, uint64_t version)
{
    ValueKind kind = only_kind(cells, rows, from, count);
    ColumnType type = column_type_of(kind == VALUE_KIND_COUNT ? VALUE_NULL : kind);
    ColumnBlock *block = directory_get(&column->blocks, first / GRAPH_BLOCK_ROWS);
    uint32_t at = first % GRAPH_BLOCK_ROWS;
    if (kind == VALUE_NULL) return;
    uint32_t filled = 0, dimensions = 0;
    if (type == COLUMN_VECTOR) dimensions = only_dimensions(cells, rows, from, count, &filled);
    bool plain =
        type == COLUMN_INTEGER || type == COLUMN_FLOAT || type == COLUMN_STRING || dimensions > 0;
    if (plain && block == NULL) {
        block = block_new(type, dimensions, filled == GRAPH_BLOCK_ROWS);
        directory_set(graph, &column->blocks, first / GRAPH_BLOCK_ROWS, block);
    }
    if (!plain || block->type != type || block->dimensions != dimensions || block->mapped) {
        for (uint32_t i = 0; i < count; i++) {
            Value cell = cells[rows->rows[from + i] * rows->stride];
            if (cell.kind != VALUE_NULL)
                column_write(graph, column, first + i, cell, version, false);
        }
        return;
    }
    column->appends++;
    mark_heap(column, version);
    if (type == COLUMN_STRING)
        store_texts(column, block, at, cells, rows, from, count);
    else if (type == COLUMN_FLOAT)
        store_floats(block, at, cells, rows, from, count);
    else if (type == COLUMN_VECTOR)
        store_vectors(column, block, at, cells, rows, from, count);
    else
        store_integers(block, at, cells, rows, from, count);
    mark_present(block, at, cells, rows, from, count);
}

void column_append(Graph *graph, PropertyColumn *column, uint64_t first, const Value *cells,
                   const GraphRows *rows, uint64_t version)
{
    for (uint32_t from = 0; from < rows->count;) {
        uint32_t room = GRAPH_BLOCK_ROWS - (uint32_t)((first + from) % GRAPH_BLOCK_ROWS);
        uint32_t left = rows->count - from, count = left < room ? left : room;
        append_part(graph, column, first + from, cells, rows, from, count, version);
        from += count;
    }
}

bool column_may_hold(const PropertyColumn *column, uint64_t row, ValueKind kind)
{
    const ColumnBlock *block = directory_get(&column->blocks, row / GRAPH_BLOCK_ROWS);
    return block != NULL && (block->type == COLUMN_ANY || block->type == column_type_of(kind));
}

bool column_present(const PropertyColumn *column, uint64_t row)
{
    const ColumnBlock *block = directory_get(&column->blocks, row / GRAPH_BLOCK_ROWS);
    return block != NULL && is_present(block, row % GRAPH_BLOCK_ROWS);
}

void column_clear(PropertyColumn *column, uint64_t first, uint64_t count)
{
    column->rewrites++;
    for (uint64_t row = first; row < first + count; row++) {
        ColumnBlock *block = directory_get(&column->blocks, row / GRAPH_BLOCK_ROWS);
        if (block == NULL || block->mapped) continue; /* a segment's block has no new rows */
        __atomic_fetch_and(&block->present[row % GRAPH_BLOCK_ROWS / 64], ~(UINT64_C(1) << row % 64),
                           __ATOMIC_RELEASE);
    }
}

static void column_block_free(Graph *graph, void *item)
{
    ColumnBlock *block = item;
    (void)graph;
    if (block->mapped) return; /* the column's base has it */
    for (OldValue *old = atomic_load(&block->old), *next; old != NULL; old = next) {
        next = old->next;
        mem_free(old);
    }
    mem_free(block->data);
    mem_free(block->factors);
    mem_free(block);
}

void column_free(Graph *graph, PropertyColumn *column)
{
    directory_free(graph, &column->blocks, column_block_free);
    arena_destroy(column->heap);
    arena_destroy(column->kept);
}

void column_trim(Graph *graph, PropertyColumn *column, uint64_t rows, uint64_t version)
{
    directory_trim(graph, &column->blocks, blocks_of(rows), column_block_free);
    if (column->marked == version) arena_rewind(column->heap, column->mark);
    column->marked = 0;
}

PropertyColumn *table_column(const Table *table, uint32_t key)
{
    return directory_get(&table->columns, key);
}

PropertyColumn *table_column_make(Graph *graph, Table *table, uint32_t key)
{
    PropertyColumn *column = table_column(table, key);
    if (column == NULL) {
        column = mem_calloc(1, sizeof *column);
        column->heap = arena_create();
        directory_set(graph, &table->columns, key, column);
    }
    return column;
}

static void property_column_free(Graph *graph, void *item)
{
    column_free(graph, item);
    mem_free(item);
}

void table_free(Graph *graph, Table *table)
{
    rows_free(graph, &table->rows);
    directory_free(graph, &table->columns, property_column_free);
}

void table_trim(Graph *graph, Table *table, uint64_t version)
{
    uint64_t rows = atomic_load(&table->rows.count);
    directory_trim(graph, &table->rows.blocks, blocks_of(rows), row_block_free);
    for (size_t key = 0; key < directory_size(&table->columns); key++) {
        PropertyColumn *column = directory_get(&table->columns, key);
        if (column != NULL) column_trim(graph, column, rows, version);
    }
}
