/* save_internal.h - between the parts of saving a graph: save.c and save_column.c. */
#ifndef GRAPH_SAVE_INTERNAL_H
#define GRAPH_SAVE_INTERNAL_H
#include "graph/stored.h"

typedef struct Extent { /* how far a table goes */
    const Rows *rows;
    uint64_t count;
    bool all_live; /* then nobody is asked one by one */
} Extent;

typedef struct Part {    /* saved ahead: a column of the nodes, or all of a type */
    uint32_t table, key; /* WHOLE_TABLE: all of a type */
    uint64_t stamp;
    size_t first, count; /* sections in the segment; 0: not begun yet */
} Part;
#define WHOLE_TABLE (UINT32_MAX - 1) /* no key, and not STORED_SHAPES */
#define ANY_KEY     (UINT32_MAX - 2)
#define ANY_FIRST   UINT64_MAX

enum { WORDS_MAX = 256, WORD_SLOTS = 1024 };

typedef struct Words { /* the different texts of blocks, in the order in which they first come */
    Str texts[WORDS_MAX];
    uint32_t count;
    uint64_t bytes;
    uint16_t slots[WORD_SLOTS]; /* 1 + number; 0: empty */
} Words;

struct GraphSave {
    GraphView view;
    SegmentWriter *segment;
    Buffer scratch; /* one block's mixed values, or packed elements, at a time */
    Segment *base;  /* what is not changed lies there; NULL: all of it is written */
    uint64_t kept;  /* bytes of it that are referred to and used */
    Buffer words;   /* of the blocks of one column that have them, until its text is written */
    size_t words_at;
    Words recent;       /* of the block before */
    uint64_t recent_at; /* where they stand in the column's text */
    Extent nodes;       /* as they were when the thread began */
    Part *parts;
    size_t part_count, part_capacity;
    pthread_t thread;
    bool running;  /* the thread: everything else here is its own then */
    Error *failed; /* what it met */
};
typedef struct GraphSave Save;

static inline uint64_t blocks_for(uint64_t rows)
{
    return (rows + GRAPH_BLOCK_ROWS - 1) / GRAPH_BLOCK_ROWS;
}

Error *save_begin(Save *save, SegmentSection section) MUST_CHECK; /* of those that must be known */
/* What the base has of it; ANY_FIRST: wherever it begins. NULL: nothing. */
const SegmentSection *save_find_base(const Save *save, StoredSection kind, uint32_t table,
                                     uint32_t key, uint64_t first);
/* Where it lies; NULL: it is not there, or it is damaged, which the segment remembers. */
const void *save_base_data(const Save *save, const SegmentSection *section);
/* The same as it is there; what takes no room is no reason to need a file. `used` bytes of it are. */
Error *save_refer(Save *save, const SegmentSection *section, SegmentSection as,
                  uint64_t used) MUST_CHECK;

/* ---- save_column.c ---- */
Error *save_column(Save *save, uint32_t table, uint32_t key, const Extent *extent,
                   const PropertyColumn *column) MUST_CHECK;
/* Is the block another one than in the base? */
bool save_block_changed(const PropertyColumn *column, uint64_t i);
#endif
