/* copy_internal.h - shared by copy.c, copy_chunks.c and copy_rows.c. */
#ifndef EXECUTION_COPY_INTERNAL_H
#define EXECUTION_COPY_INTERNAL_H
#include "command/command_internal.h"
#include "rowfile/cell.h"
#include "rowfile/rowfile.h"

typedef enum CellType { CELL_INTEGER, CELL_FLOAT, CELL_BOOLEAN, CELL_STRING } CellType;

typedef struct CopyColumn {
    Str file_name, name; /* in the file; ours (bytes 0: dropped) */
    CellType type;       /* found out */
    CellCast cast;       /* or named: cast.kind is not null */
    bool seen;           /* a cell that is not null */
    bool value;          /* values come typed (JSON lines, vectors): no conversion; */
    ValueKind kind;      /* of those looked at, */
    bool mixed;          /* ... if it is one */
    uint32_t key;        /* property, resolved at the first use */
    uint32_t at;         /* in a chunk */
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

/* ---- copy_chunks.c ---- */
typedef struct CopyChunk {
    Arena *arena; /* the chunk's; whoever has the chunk may take from it */
    RowChunk rows;
    uint64_t *from, *to; /* relationships: the ends, GRAPH_NO_NODE where there is none; `to` is
                            found by who writes them */
    bool worked_on;      /* its text is values, and so on */
    bool fits;           /* the types of the columns fit all its cells */
    bool *plain;         /* a column: its cells can be stored as they are, and none is a list */
    double done;         /* share of the file read so far */
    Error *error;
} CopyChunk;
typedef struct CopyReader CopyReader; /* in the statement's arena */
CopyReader *copy_reader_new(Copy *copy, RowFile *file);
/* The first chunk as text, to find columns and types by; copy_reader_next gives it again. */
Error *copy_reader_first(CopyReader *reader, CopyChunk **out) MUST_CHECK;
/* The next chunk as values; the one before is no longer the caller's. At the end it has no rows. */
Error *copy_reader_next(CopyReader *reader, CopyChunk **out) MUST_CHECK;
void copy_reader_free(CopyReader *reader);
/* The cell's text as a value of the type; false: it does not fit. */
bool copy_parse_cell(CellType type, Str text, Value *out);
/* The nodes that a column of keys names, in the chunk's arena; NULL: there is no such column. */
uint64_t *copy_find_ends(const Copy *copy, const CopyChunk *chunk, const GraphIndex *index,
                         Str name);
/* By the name after rename; a column that rename leaves out by that in the file. NULL: there is none. */
CopyColumn *copy_column_named(const Copy *copy, Str name);

/* ---- copy_rows.c ---- */
/* Makes what the chunk's rows say. */
Error *copy_chunk(Copy *copy, CopyChunk *chunk) MUST_CHECK;
#endif
