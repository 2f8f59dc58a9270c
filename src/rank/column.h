/*
 * column.h - the exact best k of a column of vectors, for one query or several in one pass.
 *
 * Who takes part is said by bits, one a node. The vectors are read where they lie, through 8-bit codes
 * beside their block where there are some (vector/sieve.h), which this makes on the way: of a block
 * that is as it was at the last search, of a few blocks a search, so that no search takes much longer
 * than one without codes. The answer is the same with and without, to the bit.
 *
 * The work is cut into morsels of fixed bounds, which several workers may run at once, each with
 * collectors of its own; the order of hits is total, so it does not show who found them.
 */
#ifndef RANK_COLUMN_H
#define RANK_COLUMN_H
#include "graph/graph.h"
#include "vector/sieve.h"

enum {
    COLUMN_MORSEL_BLOCKS = 4, /* of 2048 rows: 30 to 130 us at 128 dimensions */
    COLUMN_CODED_BLOCKS = 64, /* a search makes codes for: 131,072 rows, some 20 ms */
    COLUMN_QUERIES_MAX = 64,  /* in one pass: their planes stay in the second cache */
    COLUMN_K_MAX = 1024       /* above, most bounds reach the floor, and codes are no help */
};

typedef enum ColumnCodes {
    COLUMN_CODES_AUTO,
    COLUMN_CODES_OFF,
    COLUMN_CODES_NOW /* for tests: all blocks, at the first search */
} ColumnCodes;

/* Would a search of vectors of these dimensions use codes? */
bool column_uses_codes(ColumnCodes use, const CodesKernel *codes, size_t dimensions);

typedef struct ColumnRequest {
    const GraphView *view; /* of the nodes; held until the search is done */
    uint32_t key;
    uint32_t dimensions;
    const VectorKernel *kernel;
    const CodesKernel *codes_kernel;
    ColumnCodes codes;
    const VectorQuery *queries; /* up to COLUMN_QUERIES_MAX, of one metric; the caller's */
    size_t query_count, k;      /* k: 1 to COLUMN_K_MAX */
    /* Bit n of word n / 64: node n takes part; GRAPH_BLOCK_WORDS words a block. Bits of blocks that
     * were searched are taken away; those that are left are for the caller to score: mixed values,
     * other dimensions, values newer than the view, or written just now. */
    uint64_t *words;
    uint64_t block_count;
    uint32_t morsel_blocks; /* 1 to COLUMN_MORSEL_BLOCKS */
    uint32_t workers;       /* at most so many run morsels at once */
} ColumnRequest;

typedef struct ColumnSearch ColumnSearch;
ColumnSearch *column_search_create(const ColumnRequest *request);
void column_search_destroy(ColumnSearch *search); /* NULL is welcome */
uint64_t column_search_morsels(const ColumnSearch *search);
/* Each morsel once, in any order, by whatever thread; `worker` is below workers and runs one morsel at
 * a time. */
void column_search_run(ColumnSearch *search, uint32_t worker, uint64_t morsel);
/* When all morsels are through: the best of one query, best first, at most k. */
size_t column_search_take(ColumnSearch *search, size_t query, TopKHit *hits);

typedef struct ColumnFacts {
    uint64_t rows;   /* that took part, of all queries together */
    uint64_t scored; /* of them, by the canonical kernel */
    uint64_t coded;  /* of them, had codes */
} ColumnFacts;
ColumnFacts column_search_facts(const ColumnSearch *search);
#endif
