/* graph_internal.h - how the store is laid out. Included in this folder only. */
#ifndef GRAPH_GRAPH_INTERNAL_H
#define GRAPH_GRAPH_INTERNAL_H
#include "base/map.h"
#include "graph/graph.h"
#include <pthread.h>
#include <stdatomic.h>

/* ---- memory that readers may still look at ---- */
typedef struct Retired {
    void *memory;
    uint64_t version;
} Retired;
void graph_retire(Graph *graph,
                  void *memory); /* freed once no view is older than the version being made */

/* ---- directory: index -> pointer; grows by replacement, so that readers need no lock ---- */
typedef struct DirectoryArray {
    size_t capacity;
    void *_Atomic items[];
} DirectoryArray;
typedef struct Directory {
    DirectoryArray *_Atomic array;
} Directory;
static inline void *directory_get(const Directory *directory, size_t i)
{
    DirectoryArray *array = atomic_load_explicit(&directory->array, memory_order_acquire);
    return array == NULL || i >= array->capacity
               ? NULL
               : atomic_load_explicit(&array->items[i], memory_order_acquire);
}
void directory_set(Graph *graph, Directory *directory, size_t i, void *item);
size_t directory_size(const Directory *directory);
void directory_free(Directory *directory, void (*release)(void *item));

/* ---- rows: who sees them ---- */
typedef struct RowBlock {
    uint64_t created[GRAPH_BLOCK_ROWS];
    uint64_t *_Atomic
        deleted; /* NULL: nothing in this block was deleted; else a version a row, 0 = alive */
} RowBlock;
typedef struct Rows {
    _Atomic uint64_t count; /* rows given out */
    _Atomic uint64_t live;  /* of the newest version */
    Directory blocks;
    _Atomic uint64_t created_max, deleted_max; /* newest version that created or deleted anything */
} Rows;
uint64_t rows_create(Graph *graph, Rows *rows, uint64_t version);
bool rows_visible(const Rows *rows, uint64_t row, uint64_t version);
void rows_delete(Graph *graph, Rows *rows, uint64_t row, uint64_t version);
void rows_undelete(Rows *rows, uint64_t row);
void rows_uncreate(Rows *rows, uint64_t row);
void rows_free(Rows *rows);

/* ---- columns ---- */
typedef struct OldValue { /* what a row had before `version` */
    uint64_t version;
    uint32_t row; /* within the block */
    Value value;
    struct OldValue *next;
} OldValue;
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
} ColumnBlock;
typedef struct PropertyColumn {
    Directory blocks;
    Arena *heap; /* text and elements; only grows */
} PropertyColumn;
Value column_read(const PropertyColumn *column, uint64_t row, uint64_t version);
void column_read_many(const PropertyColumn *column, const uint64_t *rows, uint32_t count,
                      uint64_t mask, uint64_t version, Arena *arena, Column *out);
/* Stores in place; what was there goes to the version chain when `keep`. Gives it (valid until the
 * next write). */
Value column_write(Graph *graph, PropertyColumn *column, uint64_t row, Value value,
                   uint64_t version, bool keep);
void column_free(PropertyColumn *column);

typedef struct Table { /* rows and their columns by property key */
    Rows rows;
    Directory columns; /* PropertyColumn */
} Table;
PropertyColumn *table_column(const Table *table, uint32_t key); /* NULL */
PropertyColumn *table_column_make(Graph *graph, Table *table, uint32_t key);
void table_free(Table *table);

/* ---- adjacency ---- */
typedef struct Csr { /* immutable */
    uint64_t node_count;
    uint64_t *offsets; /* node_count + 1 */
    uint32_t *targets, *numbers;
} Csr;
typedef struct DeltaEntry {
    uint32_t target, number;
} DeltaEntry;
typedef struct DeltaRun {
    _Atomic uint32_t count;
    uint32_t capacity;
    DeltaEntry entries[];
} DeltaRun;
typedef struct Adjacency {
    Csr *_Atomic base;
    Directory delta; /* of DeltaBlock; NULL: that block of nodes is clean */
} Adjacency;
typedef struct EndsBlock {
    uint32_t from[GRAPH_BLOCK_ROWS], to[GRAPH_BLOCK_ROWS];
} EndsBlock;
typedef struct RelationshipType {
    Table table;
    Directory ends; /* EndsBlock */
    Adjacency out, in;
} RelationshipType;
void adjacency_add(Graph *graph, Adjacency *adjacency, uint64_t node, uint32_t target,
                   uint32_t number);
void adjacency_undo(Adjacency *adjacency, uint64_t node); /* the last one added to `node` */
void adjacency_free(Adjacency *adjacency);
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
} Label;

/* ---- index ---- */
typedef struct HashTable { /* slots: hash's upper 32 bits | row; UINT64_MAX empty */
    size_t mask;
    _Atomic uint64_t slots[];
} HashTable;
typedef struct Index {
    GraphIndex definition;
    HashTable *_Atomic table; /* NULL for a vector index */
    size_t used;
} Index;
void index_insert(Graph *graph, Index *index, Value value, uint64_t row);

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
    Directory indexes; /* Index; dropped ones leave NULL */
    _Atomic uint32_t index_count;
    Retired *retired;
    size_t retired_count, retired_capacity;
};
uint64_t graph_horizon(const Graph *graph); /* the oldest version a held view may look at */
const Shape *graph_shape(const Graph *graph, uint64_t node, uint64_t version);
bool shape_has(const Shape *shape, uint32_t label);

typedef enum ChangeKind {
    CHANGE_CREATE_NODE,
    CHANGE_CREATE_RELATIONSHIP,
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
    uint64_t id;
    Value before, after;
    Index *index;
} Change;
struct GraphWriter {
    Graph *graph;
    uint64_t version;
    Arena *arena; /* old values until the end */
    Change *changes;
    size_t count, capacity;
};
#endif
