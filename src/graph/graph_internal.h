/* graph_internal.h - how the store is laid out. Included in this folder only. */
#ifndef GRAPH_GRAPH_INTERNAL_H
#define GRAPH_GRAPH_INTERNAL_H
#include "base/map.h"
#include "graph/graph.h"
#include "graph/lists.h"
#include "order/ordered.h"
#include "storage/pack.h"
#include "storage/segment.h"
#include <pthread.h>
#include <stdatomic.h>

/* ---- memory that readers may still look at ---- */
typedef struct Retired {
    void *memory;
    void (*end)(void *memory); /* NULL: it is freed */
    uint64_t version;
} Retired;
void graph_retire(Graph *graph,
                  void *memory); /* freed once no view is older than the version being made */
void graph_retire_by(Graph *graph, void *thing, void (*end)(void *thing)); /* the same */
void retired_end(Graph *graph, const Retired *retired);

/* Frees it unless it lies in the segment. */
void graph_free(Graph *graph, void *memory);

/* ---- directory: index -> pointer; grows by replacement, so that readers need no lock ---- */
typedef struct DirectoryArray {
    size_t capacity;
    void *_Atomic items[];
} DirectoryArray;
/* Frees what stands at `from` and behind it, but what a segment holds. Nobody looks there. */
typedef struct Directory Directory;
void directory_trim(Graph *graph, Directory *directory, uint64_t from,
                    void (*release)(Graph *graph, void *item));
typedef struct DirectoryBase { /* what a segment holds of a directory: asked at the first look */
    void *(*item)(struct DirectoryBase *base, size_t i); /* always the same answer; NULL: none */
    size_t count;
} DirectoryBase;
struct Directory {
    DirectoryArray *_Atomic array;
    DirectoryBase *base; /* NULL: none; set before anybody reads */
};
void *directory_miss(const Directory *directory, size_t i);
static inline void *directory_get(const Directory *directory, size_t i)
{
    DirectoryArray *array = atomic_load_explicit(&directory->array, memory_order_acquire);
    void *item = array == NULL || i >= array->capacity
                     ? NULL
                     : atomic_load_explicit(&array->items[i], memory_order_acquire);
    return item != NULL || directory->base == NULL ? item : directory_miss(directory, i);
}
/* What was put there, or was asked for before; NULL: neither. */
static inline void *directory_known(const Directory *directory, size_t i)
{
    DirectoryArray *array = atomic_load_explicit(&directory->array, memory_order_acquire);
    return array == NULL || i >= array->capacity
               ? NULL
               : atomic_load_explicit(&array->items[i], memory_order_acquire);
}
void directory_set(Graph *graph, Directory *directory, size_t i, void *item);
size_t directory_size(const Directory *directory);
void directory_free(Graph *graph, Directory *directory, void (*release)(Graph *graph, void *item));

/* ---- rows: who sees them ---- */
typedef struct RowBlock {
    /* A version a row; NULL: created_max made all of the block, as it does in a load. */
    uint64_t *_Atomic created;
    _Atomic uint64_t created_max; /* no row of this block is newer */
    uint64_t *_Atomic
        deleted; /* NULL: nothing in this block was deleted; else a version a row, 0 = alive */
} RowBlock;
static inline uint64_t row_block_created(const RowBlock *block, uint32_t i)
{
    uint64_t newest = atomic_load_explicit(&block->created_max, memory_order_acquire);
    const uint64_t *created = atomic_load_explicit(&block->created, memory_order_acquire);
    return created == NULL ? newest : created[i];
}
typedef struct Rows {
    _Atomic uint64_t count; /* rows given out */
    _Atomic uint64_t live;  /* of the newest version */
    Directory blocks;
    _Atomic uint64_t created_max, deleted_max; /* newest version that created or deleted anything */
    uint64_t made,
        taken; /* how often rows came, and how often some went or came back: the writer's */
    /* Of a segment: rows older than every view. Their blocks are made when one of them goes. */
    uint64_t base_count;
    const uint64_t *dead; /* bit i: row i was deleted before; NULL: none */
} Rows;
uint64_t rows_create(Graph *graph, Rows *rows, uint64_t version);
bool rows_visible(const Rows *rows, uint64_t row, uint64_t version);
void rows_delete(Graph *graph, Rows *rows, uint64_t row, uint64_t version);
void rows_undelete(Rows *rows, uint64_t row);
void rows_uncreate(Rows *rows, uint64_t row);
uint64_t rows_create_many(Graph *graph, Rows *rows, uint32_t count, uint64_t version);
void rows_uncreate_many(Rows *rows, uint64_t first, uint64_t count);
/* Was it, one of the segment's, deleted when that was written? */
bool rows_were_dead(const Rows *rows, uint64_t row);
/* May some of the 2048 rows be others than in the segment? */
bool rows_touched(const Rows *rows, uint64_t block);
uint64_t rows_created(const Rows *rows, uint64_t row); /* the version that did; 0: a segment's */
void rows_free(Graph *graph, Rows *rows);

/* ---- columns ---- */
typedef struct OldValue { /* what a row had before `version` */
    uint64_t version;
    uint32_t row; /* within the block */
    Value value;
    struct OldValue *next;
} OldValue;
/* What readers derived from blocks of vectors lies in pieces of large pages, because it is read one behind
 * the other (scan.c). Stamps are counts of writes and one. */
typedef struct BesideChunk {
    struct BesideChunk *next; /* all of a graph's: they go with it */
    size_t used, bytes;
} BesideChunk;
typedef struct Beside {
    _Atomic uint64_t writes; /* odd while a vector is being written */
    _Atomic uint64_t asked;  /* the stamp when somebody last wanted to derive; 0: nobody did */
    _Atomic uint64_t stamp;  /* of what was derived; 0: nothing is, BESIDE_BUSY: it is being made */
    void *_Atomic derived;
} Beside;
#define BESIDE_BUSY UINT64_MAX
enum {
    BESIDE_ALIGN = 64,
    BESIDE_PIECES = 16 /* at least so many lie in a chunk, once there are so many */
};
/* Around every write of vectors of a block. */
static inline void beside_begin(Beside *beside)
{
    uint64_t writes = atomic_load_explicit(&beside->writes, memory_order_relaxed);
    atomic_store_explicit(&beside->writes, writes + 1, memory_order_relaxed);
    atomic_thread_fence(memory_order_release);
}
static inline void beside_end(Beside *beside)
{
    uint64_t writes = atomic_load_explicit(&beside->writes, memory_order_relaxed);
    atomic_store_explicit(&beside->writes, writes + 1, memory_order_release);
}
void beside_move(Beside *from, Beside *to); /* its memory, if nobody is making something of it */
void beside_free(Graph *graph);             /* all of the graph's */
typedef struct ColumnBlock {
    ColumnType type;             /* COLUMN_UNSET while empty */
    uint32_t dimensions, stride; /* vectors: floats a row, padded */
    uint64_t present[GRAPH_BLOCK_ROWS / 64];
    union {
        void *data;
        Value *values;
        uint8_t *booleans;
        int64_t *integers;
        double *floats;
        Str *strings;
        float *vectors;
    };
    float *factors;        /* vectors: 1 / |row|, 0 for none */
    OldValue *_Atomic old; /* newest first */
    bool mapped; /* lies in the segment: never changed, a copy takes its place at the first write */
    Beside beside; /* vectors */
    /* Of a segment: integers, decimals (divided by `power`), words by number, or where texts begin;
     * then `data` is not theirs. */
    Packed packed,
        offsets; /* offsets: of texts, or of words: text i is text[offset i, offset i + 1) */
    double power;
    const char *text;    /* NULL: strings is meant, not offsets */
    uint32_t word_count; /* of the words that are numbered; 0: they are not */
} ColumnBlock;
/* Of a row that is present, by the block's type. */
static inline int64_t block_integer(const ColumnBlock *block, uint32_t i)
{
    return block->packed.bits != NULL ? packed_get(&block->packed, i)
                                      : __atomic_load_n(&block->integers[i], __ATOMIC_RELAXED);
}
typedef struct PropertyColumn {
    Directory blocks;
    Arena *heap; /* text and elements; grows until a writer is taken back */
    /* Where `heap` stood when the writer of version `marked` first wrote to it. */
    ArenaMark mark;
    uint64_t marked;
    Arena *kept; /* what a writer copies of what was there before: it stays; NULL: nothing */
    /* Counts writes of vectors: odd while one is under way, so that whoever copied the column knows
     * whether the copy is whole and still the column. */
    _Atomic uint64_t generation;
    uint64_t appends, rewrites; /* how often rows got their first values many at once, and how often
                                   anything else was stored; the writer's */
} PropertyColumn;
Value column_block_value(const ColumnBlock *block, uint32_t i); /* null where there is none */
Str column_block_text(const ColumnBlock *block,
                      uint32_t i); /* of a block of strings, where one is */
void column_block_words(const ColumnBlock *block, Str *out); /* word_count of them */
/* A vector is copied into the arena; without one it is lent as it lies, until the next write. */
Value column_read(const PropertyColumn *column, uint64_t row, uint64_t version, Arena *arena);
/* An integer of a block that is steady for a reader at `version`; false: column_read must be asked. */
static inline bool column_plain_integer(const PropertyColumn *column, uint64_t row,
                                        uint64_t version, int64_t *out)
{
    const ColumnBlock *block = directory_get(&column->blocks, row / GRAPH_BLOCK_ROWS);
    uint32_t i = row % GRAPH_BLOCK_ROWS;
    if (block == NULL || block->type != COLUMN_INTEGER) return false;
    bool there = __atomic_load_n(&block->present[i / 64], __ATOMIC_ACQUIRE) >> i % 64 & 1;
    *out = block_integer(block, i);
    atomic_thread_fence(memory_order_acquire); /* the chain is looked at after the value: table.c */
    const OldValue *old = atomic_load_explicit(&block->old, memory_order_acquire);
    return there && (old == NULL || old->version <= version);
}
/* Has every row of the block, for a reader at `version`, the value that stands in it? Asked again
 * after the values were used: a writer may have begun meanwhile. */
bool column_block_steady(const ColumnBlock *block, uint64_t version);
/* scan.c; of words, of nodes: COLUMN_WORD, false: they are not all kept as such. `ascending`: each row is
 * greater than the one before; false: not known. */
void column_read_many(const PropertyColumn *column, const uint64_t *rows, uint32_t count,
                      uint64_t mask, bool ascending, uint64_t version, Arena *arena, Column *out);
bool column_read_words(const PropertyColumn *column, const uint64_t *rows, uint32_t count,
                       bool ascending, uint64_t version, Arena *arena, Column *out) MUST_CHECK;
/* Stores in place; what was there goes to the version chain when `keep`. Gives it (valid until the
 * next write). */
Value column_write(Graph *graph, PropertyColumn *column, uint64_t row, Value value,
                   uint64_t version, bool keep);
/* The same, of what column_write gave: text and elements lie where they lay. */
void column_restore(Graph *graph, PropertyColumn *column, uint64_t row, Value before,
                    uint64_t version);
void column_free(Graph *graph, PropertyColumn *column);
/* Nobody looks at the graph but its writer, whose version was taken back: gives back what it wrote
 * to the heap, and the blocks behind those of `rows` rows. */
void column_trim(Graph *graph, PropertyColumn *column, uint64_t rows, uint64_t version);
/* Rows first, first + 1, .. that nobody has seen yet get the cells that are not null; see
 * GraphRows. */
void column_append(Graph *graph, PropertyColumn *column, uint64_t first, const Value *cells,
                   const GraphRows *rows, uint64_t version);
void column_clear(PropertyColumn *column, uint64_t first, uint64_t count);
/* By the type of the row's block. */
bool column_may_hold(const PropertyColumn *column, uint64_t row, ValueKind kind);
bool column_present(const PropertyColumn *column, uint64_t row); /* to the one writer */

typedef struct Table { /* rows and their columns by property key */
    Rows rows;
    Directory columns; /* PropertyColumn */
} Table;
PropertyColumn *table_column(const Table *table, uint32_t key); /* NULL */
PropertyColumn *table_column_make(Graph *graph, Table *table, uint32_t key);
void table_free(Graph *graph, Table *table);
void table_trim(Graph *graph, Table *table, uint64_t version); /* as column_trim */

/* ---- adjacency ---- */
/*
 * Of a segment or of a load; immutable. How lists are found is GraphGroup's business (lists.h).
 * Entries are in the order of creation, each with the number of its relationship: its place, or
 * what `numbers` says, or `packed`, in blocks; these are counted from where the group of the entry's
 * target begins in `frame`, the other direction, where that is known (few bits do then).
 */
typedef struct CsrNumbers { /* of a block of entries, packed (pack.h) */
    uint32_t at, width;     /* in units of 8 bytes from the first CsrNumbers on */
} CsrNumbers;
typedef struct Csr {
    Graph *graph;
    uint64_t first_group, group_count; /* groups has one more */
    const GraphGroup *groups;
    const uint16_t *offsets;
    const uint32_t *targets, *numbers;
    const CsrNumbers *packed;
    uint64_t packed_bytes;
    struct Csr *frame; /* NULL: packed numbers are what they are */
    uint32_t offset_count, entry_count, row_count;
    _Atomic uint32_t looks; /* before everything was checked at once; then CSR_CHECKED */
    _Atomic uint64_t last;  /* place << 32 | node that csr_end found last: it is asked in order */
    bool owned;             /* made in memory (csr.c), not of a segment */
    _Atomic uint8_t loops;  /* CsrLoops: who asks first finds out */
} Csr;
typedef enum CsrLoops { CSR_LOOPS_UNKNOWN, CSR_LOOPS_NONE, CSR_LOOPS_SOME } CsrLoops;
#define CSR_CHECKED UINT32_MAX
static inline bool csr_in_order(const Csr *csr) /* is an entry's place its number? */
{
    return csr->numbers == NULL && csr->packed == NULL;
}
/* How many offsets a group has, of so many entries and lists. */
static inline uint32_t csr_offsets_of(uint32_t entries, uint32_t lists)
{
    return lists == 0 ? 0 : (lists + 1) * (entries > UINT16_MAX ? 2 : 1);
}
/* Numbers of the entries from `first` on. */
void csr_numbers(const Csr *csr, uint32_t first, uint32_t count, uint64_t add, uint64_t *out);
typedef struct Slice { /* of entries */
    uint32_t first, count;
} Slice;
/* Checked as it is given out; what does not check out is empty, and the graph is damaged. */
Slice csr_slice(Csr *csr, uint64_t node);
typedef struct DeltaEntry {
    uint32_t target, number;
} DeltaEntry;
typedef struct DeltaRun {
    _Atomic uint32_t count;
    uint32_t capacity;
    bool gone; /* the node's list in the CSR has relationships that a segment says are deleted */
    DeltaEntry entries[];
} DeltaRun;
typedef struct Adjacency {
    Csr *_Atomic base; /* NULL: none */
    Directory delta;   /* of DeltaBlock; NULL: that block of nodes is clean */
} Adjacency;
typedef struct EndsBlock {
    uint32_t from[GRAPH_BLOCK_ROWS], to[GRAPH_BLOCK_ROWS];
} EndsBlock;
typedef struct RelationshipType {
    Table table;
    Directory
        ends; /* EndsBlock; of a segment only if no direction has them in order (type_order) */
    Adjacency out, in;
    uint64_t pending; /* the last so many rows are not in `out` and `in` yet (bulk.c) */
    bool saving;      /* it is being saved ahead (save.c) */
} RelationshipType;
/* The base, of `count` relationships, in which they lie by number; NULL: neither does. */
Csr *type_order(const RelationshipType *type, uint64_t count, bool *in);
bool type_ends(const RelationshipType *type, uint64_t number, uint32_t *from, uint32_t *to);
/* The block that the row is in, made if there is none; to be written to. */
EndsBlock *type_ends_block(Graph *graph, RelationshipType *type, uint64_t row);
void adjacency_add(Graph *graph, Adjacency *adjacency, uint64_t node, uint32_t target,
                   uint32_t number);
/* While a segment is laid: not all in the node's list is alive. */
void adjacency_mark_gone(Graph *graph, Adjacency *adjacency, uint64_t node);
void adjacency_undo(Adjacency *adjacency, uint64_t node); /* the last one added to `node` */
void adjacency_free(Graph *graph, Adjacency *adjacency);
void adjacency_trim(Graph *graph, Adjacency *adjacency, uint64_t nodes);
bool adjacency_is_empty(const Adjacency *adjacency);

/* ---- making a Csr (csr.c) ---- */
/* Of the type's relationships that a reader at `version` sees, or of all rows; NULL: there are
 * none. Freed by csr_free. */
#define CSR_ALL_ROWS UINT64_MAX
Csr *csr_make(Graph *graph, const RelationshipType *type, bool in, uint64_t version);
/* Where relationship `number` of a Csr whose entries lie by number begins (or ends), and its other
 * end; false: it is not in there, or there is damage. */
bool csr_end(Csr *csr, uint32_t number, uint32_t *node, uint32_t *other);
void csr_free(Csr *csr); /* NULL is welcome; not of a segment: nothing happens */
void csr_retire(Graph *graph, Csr *csr);
RelationshipType *graph_type(const Graph *graph, uint32_t type); /* NULL */

/* ---- labels ---- */
typedef struct Shape {
    uint32_t count;
    uint32_t labels[]; /* ascending */
} Shape;
typedef struct Label {
    Directory blocks; /* bitmaps of GRAPH_BLOCK_ROWS bits: who had the label at any time; checked
                         against the shape */
    _Atomic uint64_t live;
    /* Views of this version and later may believe the bits. A node that got the label later than it was
     * made has its bit for older views, too, and who lost it (UINT64_MAX) for all. Never taken back; a
     * segment's bits are exact again. */
    _Atomic uint64_t exact_from;
} Label;

/* ---- index ---- */
typedef struct HashTable { /* slots: hash's upper 32 bits | row; UINT64_MAX empty */
    size_t mask;
    _Atomic uint64_t slots[];
} HashTable;
typedef struct Index {
    GraphIndex definition;
    HashTable *_Atomic table; /* NULL: no entries in it */
    Ordered
        *_Atomic ordered; /* every value that is not in the run; NULL: none, or a file of an older
                                 program has it not */
    uint64_t order_stamp; /* of the graph as the index was made, when all in `ordered` was a hit */
    bool order_known;     /* load.c's */
    _Atomic uint64_t
        until; /* the version that dropped it, and later ones, have it not; 0: none did */
    size_t used;
    struct HashLevel *levels; /* hash_table.c's, of the writer; NULL: none */
    Buffer scratch;           /* of the writer: keys of several properties */
    struct { /* nodes node, node + 1, .. have the integers key, key + 1, ..: `count` entries more */
        uint64_t node;
        int64_t key;
        uint64_t stamp;         /* of the graph as the run began (run_is_sure) */
        _Atomic uint64_t count; /* the others never change once it is not 0 */
    } run;
    /* Vector indexes. */
    GraphFinder *_Atomic finder; /* NULL: none */
    GraphFinder *preparing;      /* being made; its maker's; NULL: none */
} Index;
/* A node got a value, or the label, of a vector index. */
void index_note_change(Index *index, uint64_t node);
void index_retire(Graph *graph, Index *index);      /* nobody finds it any more */
Index *index_at(const GraphView *view, uint32_t i); /* as graph_index_at */
/* Dropped ones that no view shows go. To be called as a version begins: who found one is of an earlier
 * version, and holds the view while it looks at it. */
void indexes_sweep(Graph *graph);
/* Vector indexes and constraints on presence have no table. */
static inline bool index_has_table(const GraphIndex *index)
{
    return !index->vector && index->constraint != GRAPH_REQUIRED;
}
/* What moves on when a node's value may be another one, or the node or its label be gone. */
uint64_t index_stamp(const Graph *graph, const Index *index);
static inline bool index_has_key(const GraphIndex *index, uint32_t key) /* among others */
{
    for (uint32_t k = 0; k < index->key_count; k++)
        if (index->keys[k] == key) return true;
    return false;
}
/* What stands for a node in the index: its property, or a text of several, made in `scratch`; null where
 * it lacks the first. */
Value index_value(const GraphView *view, const GraphIndex *index, uint64_t node, Buffer *scratch);
/* The node's values as graph_seek takes them, of several in `keys`; null where it lacks one. */
Value index_keys(const GraphView *view, const GraphIndex *index, uint64_t node,
                 Value keys[GRAPH_INDEX_KEYS_MAX]);
/* As they are now, of an index on several properties. By the writer. */
enum { INDEX_NODES_MAX = GRAPH_BLOCK_ROWS };
void index_insert_nodes(const GraphView *view, Index *index, const uint64_t *nodes, uint32_t count);
void index_insert(Graph *graph, Index *index, Value value, uint64_t row);
void index_insert_many(Graph *graph, Index *index, const Value *values, const uint64_t *rows,
                       uint32_t count);
void index_reserve(Graph *graph, Index *index, uint64_t more);

/* ---- the table of an index (hash_table.c) ---- */
typedef struct HashWalk {
    const Graph *graph;
    const HashTable *table;
    uint32_t hash, level, same;
    size_t at, looks;
} HashWalk;
/* The entries of the slot's hash, some perhaps twice. */
HashWalk hash_walk(const Graph *graph, const HashTable *table, uint64_t slot);
bool hash_next(HashWalk *walk, uint64_t *slot);
void hash_put(const Graph *graph, Index *index, uint64_t slot); /* there is room (index_reserve) */
const void *hash_home(const HashTable *table, uint64_t slot); /* where a walk begins, to fetch it */
/* All of them, in memory of the caller's; false: the table has no end. */
bool hash_entries(const Graph *graph, const HashTable *table, uint64_t **out, uint64_t *count);

/* Sets the bits of those of `nodes` nodes that a search for their value comes by, and counts the
 * table's entries; false: an entry lies where none can, or the table has no end. Asks `to`. */
bool index_reachable(const GraphView *view, const Index *index, Tell *to, uint64_t *bits,
                     uint64_t nodes, uint64_t *entries);

/* One index asked many times: what a hit is, with the way to the two columns it is read from. */
typedef struct Probe {
    const GraphView *view;
    const GraphIndex *definition;
    const PropertyColumn *column; /* NULL: nobody has the property */
    int64_t set;                  /* the label set looked at last, and whether it has the label */
    bool has;
} Probe;
Probe index_probe(const GraphView *view, const GraphIndex *definition);
void probe_prefetch(const Probe *probe, uint64_t node); /* what probe_hit will look at */
/* Is the node visible, of the label, and its property equal to the key? */
bool probe_hit(Probe *probe, uint64_t node, Value key);

/* Sets the bits of the nodes that stand in the index's order with the value they have; false: it is no
 * order (range.c). Asks `to`. */
bool index_order_reachable(const GraphView *view, const Index *index, Tell *to, uint64_t *bits,
                           uint64_t nodes);
/* What a view shows of an order, or of what came to it since its base, in arrays of mem_* that are the
 * caller's; `arena` holds what was decoded. */
uint64_t index_order_entries(const GraphView *view, const GraphIndex *index, Ordered *ordered,
                             bool added, Arena *arena, Value **values, uint32_t **nodes);
Ordered *index_order_made(const GraphView *view, const GraphIndex *index); /* anew; the caller's */

/* ---- names ---- */
typedef struct Names {
    StrMap *ids;
    Directory texts; /* Str */
    _Atomic uint32_t count;
} Names;

struct Graph {
    _Atomic uint64_t published, pending;         /* newest visible version; the one being made */
    _Atomic uint64_t readers[GRAPH_READERS_MAX]; /* version + 1 of a held view; 0: free */
    pthread_mutex_t
        names_lock; /* interning and looking up names: short, never held over anything else */
    Names names[NAME_KIND_COUNT];
    Table nodes;
    PropertyColumn shapes_of; /* node -> shape, versioned like a property */
    Directory shapes;         /* Shape */
    StrMap *shape_ids;
    _Atomic uint32_t shape_count;
    Directory labels;  /* Label by id */
    Directory types;   /* RelationshipType by id */
    Directory indexes; /* Index; dropped ones leave NULL, when no view shows them any more */
    _Atomic uint32_t index_count;
    uint32_t dropped_count;    /* of those that some view may show; the writer's */
    Segment *segment;          /* what the graph lies on; NULL: none */
    Arena *base_arena;         /* what describes it, and values decoded from it */
    pthread_mutex_t base_lock; /* of base_arena, after opening */
    atomic_bool damaged;       /* something in the segment is not what it must be */
    Retired *retired;
    size_t retired_count, retired_capacity;
    pthread_mutex_t beside_lock; /* of the next two: */
    BesideChunk *beside_chunks;  /* the one that has room first */
    _Atomic uint64_t derived_bytes;
    GraphSave *ahead; /* a thread of it reads what the writer loaded; the writer's (save.c) */
};
/* What is being saved ahead stands still: called before anything but new rows is written. */
static inline void writer_wait_saved(Graph *graph)
{
    if (graph->ahead != NULL) graph_save_wait(graph->ahead);
}
uint64_t graph_horizon(const Graph *graph); /* the oldest version a held view may look at */
const Shape *graph_shape(const Graph *graph, uint64_t node, uint64_t version);
uint32_t graph_shape_intern(GraphWriter *writer, const uint32_t *labels, uint32_t count);
bool shape_has(const Shape *shape, uint32_t label);

typedef enum ChangeKind {
    CHANGE_CREATE_NODE,
    CHANGE_CREATE_RELATIONSHIP,
    CHANGE_APPEND_NODES, /* `count` of them from `id` on, with labels and properties */
    CHANGE_APPEND_RELATIONSHIPS,
    CHANGE_FILL_PROPERTY, /* of the `count` nodes from `id` on, which had none */
    CHANGE_PROPERTY,
    CHANGE_SHAPE,
    CHANGE_DELETE_NODE,
    CHANGE_DELETE_RELATIONSHIP,
    CHANGE_CREATE_INDEX,
    CHANGE_DROP_INDEX
} ChangeKind;
typedef struct Change { /* what was done, and what takes it back */
    ChangeKind kind;
    uint8_t entity; /* VALUE_NODE, VALUE_RELATIONSHIP: PROPERTY */
    uint32_t key;
    uint32_t count; /* APPEND_.., FILL_PROPERTY */
    uint64_t id;
    Value before, after;
    Index *index;
} Change;
Change *writer_note(GraphWriter *writer, Change change);
Error *writer_check_type(uint32_t type) MUST_CHECK;
void writer_mark_label(Graph *graph, uint32_t label, uint64_t node, uint64_t bits);
bool writer_made(const GraphWriter *writer, ValueKind kind, uint64_t id); /* itself, just now */
void bulk_undo(GraphWriter *writer, const Change *change);
Error *writer_stopped(const GraphWriter *writer) MUST_CHECK; /* NULL: go on */
struct GraphWriter {
    Graph *graph;
    uint64_t version;
    Arena *arena; /* old values until the end */
    Change *changes;
    size_t count, capacity;
    bool (*stop)(void *state); /* NULL: nobody stops it */
    void *stop_state;
    void (*tell)(void *state, uint64_t done, uint64_t count); /* NULL: nobody is told */
    void *tell_state;
};
#endif
