/*
 * stored.h - how a graph is laid out in a segment: its kinds of sections and what is in them. Used
 * by save.c and load.c only.
 *
 *     ROWS      table; count rows, extra alive    bitmap of the deleted ones, or nothing
 *     BLOCKS    table, key; count blocks          a StoredBlock each 2048 rows
 *     DATA      table, key; first source          the elements of these blocks, from multiples of
 *                                                 64; before them a bitmap of the rows that have
 *                                                 one, if some have none
 *     TEXT      table, key; first source          what strings and mixed values refer to
 *     LABEL     key label; first, count blocks,   bitmaps of 2048 bits
 *               extra alive
 *     ENDS      table; count blocks               u32 sources[2048], targets[2048]; not there if a
 *                                                 direction without NUMBERS has all of the rows
 *     GROUPS, OFFSETS, TARGETS                    a Csr: GraphGroups and one more, u16, u32
 *               table, key direction; GROUPS:
 *               first group
 *     NUMBERS   table, key direction; count       CsrNumbers of each 2048 entries and what they
 *               entries, extra framed             describe; not there: an entry's place is its
 *                                                 number
 *     ADDED     table; first row, count           u32 from, u32 to: relationships behind those of
 *                                                 the adjacency and of ENDS
 *     GONE      table; count                      u32 row, from, to: relationships that the adjacency
 *                                                 has, and that are deleted; by ascending row
 *     INDEX     key which; count slots, extra     {u64 mask, u64 slots[]}
 *               used
 *     RUN       key which index; first node,      nothing: entries that are in no table, of the nodes
 *               count, extra the first integer    first, first + 1, .. and their integers
 *     ORDERED   key which index; first 0: all,    OrderedKey keys[], u32 nodes[], in order (order/ordered.h)
 *               1: what came since; count
 *     KEYS      key which index; first as there   what those keys point to
 *     FINDER    key which index; first which part what a vector index finds by (database/finder.c)
 *
 * `table` is 0 for nodes and 1 + type for relationships. Numbers are little endian and lie where a
 * program can use them in place.
 */
#ifndef GRAPH_STORED_H
#define GRAPH_STORED_H
#include "graph/graph_internal.h"

typedef enum StoredSection {
    STORED_ROWS = 1,
    STORED_BLOCKS,
    STORED_DATA,
    STORED_TEXT,
    STORED_LABEL,
    STORED_ENDS,
    STORED_GROUPS,
    STORED_OFFSETS,
    STORED_TARGETS,
    STORED_NUMBERS,
    STORED_INDEX,
    STORED_RUN,
    STORED_FINDER,
    STORED_ADDED,
    STORED_ORDERED,
    STORED_KEYS,
    STORED_GONE
} StoredSection;

#define STORED_SHAPES UINT32_MAX /* the key under which a node's label set is kept */
enum { STORED_ALIGN = 64 };      /* a cache line; what vector kernels like */

typedef enum StoredType { /* numbers of the format, never to change */
                          STORED_NOTHING = 0,
                          STORED_ANY = 1,
                          STORED_BOOLEAN = 2,
                          STORED_INTEGER = 3,
                          STORED_FLOAT = 4,
                          STORED_STRING = 5,
                          STORED_VECTOR = 6,
                          STORED_PACKED = 7,
                          STORED_DECIMAL = 8,
                          STORED_TEXTS = 9,
                          STORED_WORDS = 10
} StoredType;

/* Elements of rows 0 to `rows` of a block: u8, i64, f64; f32 of `stride` a row and then f32 factors
 * for vectors; u32 offsets of rows + 1 for strings and mixed values, which count from text_at. Packed
 * (pack.h), with a width of `dimensions`: integers; of doubles 10 ^ stride times each; of texts the
 * offsets of rows + 1; of words, few that stand in many rows, which of `stride` it is, and behind that
 * the offsets of stride + 1, with a width of dimensions >> 8. */
typedef struct StoredBlock {
    uint64_t data_at, text_at, text_bytes;
    uint32_t rows, dimensions, stride;
    uint16_t type, gaps; /* gaps 1: the bitmap is there; 0: all of the rows have a value */
    uint32_t source; /* in which DATA and TEXT of the column it is: parts of older segments, too */
    uint32_t zero;
} StoredBlock;
_Static_assert(sizeof(StoredBlock) == 48, "StoredBlock is a format");
_Static_assert(sizeof(GraphGroup) == 16 && sizeof(CsrNumbers) == 8, "they are formats");
enum {
    STORED_SOURCES_MAX = SEGMENT_FILES_MAX + 2, /* one a file, and the one being made */
    /* Relationships of a type that its adjacency has not yet: each takes 0.1 us when the graph is opened. */
    STORED_ADDED_MAX = 32768,
    STORED_GONE_MAX = 32768, /* the same of those that it has still */
    /* Values that came to an ordered index: each is put in when it is first asked. */
    STORED_ORDERED_ADDED_MAX = 4096
};
enum { STORED_BITMAP_BYTES = GRAPH_BLOCK_ROWS / 8 };
typedef struct StoredGone {
    uint32_t row, from, to;
} StoredGone;
_Static_assert(sizeof(StoredGone) == 12, "StoredGone is a format");
_Static_assert(sizeof(EndsBlock) == 2 * 4 * GRAPH_BLOCK_ROWS, "EndsBlock is a format");

static inline uint64_t stored_data_bytes(const StoredBlock *block)
{
    uint64_t rows = block->rows;
    switch ((StoredType)block->type) {
    case STORED_NOTHING: return 0;
    case STORED_BOOLEAN: return rows;
    case STORED_INTEGER:
    case STORED_FLOAT: return rows * 8;
    case STORED_VECTOR: return rows * (block->stride + 1ull) * sizeof(float);
    case STORED_STRING:
    case STORED_ANY: return (rows + 1) * sizeof(uint32_t);
    case STORED_PACKED:
    case STORED_DECIMAL: return packed_bytes(rows, block->dimensions);
    case STORED_TEXTS: return packed_bytes(rows + 1, block->dimensions);
    case STORED_WORDS:
        return packed_bytes(rows, block->dimensions & 0xff) +
               packed_bytes(block->stride + 1ull, block->dimensions >> 8);
    }
    return UINT64_MAX;
}
#endif
