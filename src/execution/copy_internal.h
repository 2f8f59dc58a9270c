/* copy_internal.h - shared by copy.c and copy_rows.c. */
#ifndef EXECUTION_COPY_INTERNAL_H
#define EXECUTION_COPY_INTERNAL_H
#include "execution/operator_internal.h"
#include "execution/rowfile.h"

typedef enum CellType { CELL_INTEGER, CELL_FLOAT, CELL_BOOLEAN, CELL_STRING } CellType;

typedef struct CopyColumn {
    Str file_name, name; /* in the file; ours (bytes 0: dropped) */
    CellType type;
    bool seen;    /* a cell that is not null */
    bool value;   /* values come typed (JSON lines, vectors): no conversion */
    uint32_t key; /* property, resolved at the first use */
    uint32_t at;  /* in a chunk */
} CopyColumn;

typedef struct NameCached { /* a label or type, as it stands in a cell, and what goes by it */
    Str text;
    uint32_t id;
} NameCached;
enum { COPY_NAMES_CACHED = 64 };

typedef struct Copy {
    Arena *arena, *row_arena;
    const Plan *plan;
    const ExecutionEnvironment *environment;
    GraphWriter *writer;
    const char *path;
    Value options;
    CopyColumn *columns;
    size_t column_count;
    bool inferred; /* the types are those of the whole file */
    Str key, label_column, type_column;
    bool skip_errors;
    uint64_t read, created, matched, skipped;
    uint32_t label;
    const GraphIndex *index, *from_index, *to_index;
    Str from_column, to_column;
    NameCached names[COPY_NAMES_CACHED];
} Copy;

/* Makes what the chunk's rows say: `cells` are values already. */
Error *copy_chunk(Copy *copy, const RowFile *file, const RowChunk *chunk);
#endif
