/*
 * nearest.h - the best k of a column of vectors by an index: what it finds by codes, scored by the
 * vectors as a view shows them, together with every node that has changed since the index was made.
 *
 * Nobody writes to what a request names, so several threads may search for different queries at once,
 * each with a side of its own. What a search gives depends on the index, the view and the query alone.
 */
#ifndef RANK_NEAREST_H
#define RANK_NEAREST_H
#include "graph/graph.h"
#include "vector/near.h"
#include "vector/topk.h"

enum {
    /* Codes are not trusted with the order of the nearest: twice as many are scored, and so many. */
    NEAREST_RESCORED_TIMES = 2,
    NEAREST_RESCORED_MIN = 20,
    NEAREST_K_MAX = NEAR_EF_MAX / NEAREST_RESCORED_TIMES, /* beyond, no search is wide enough */
    NEAREST_LABELS_MAX = 8
};

typedef struct NearestRequest {
    const GraphView *view;
    const GraphFinder *finder; /* of the queries' metric and dimensions */
    uint32_t key, dimensions;
    const VectorKernel *kernel;
    const CodesKernel *codes_kernel;
    uint32_t labels[NEAREST_LABELS_MAX]; /* who has all of them takes part; */
    uint32_t label_count;
    const uint64_t *words; /* or whose bit is set (as in rank/column.h); NULL: no bits */
    uint64_t block_count;
    uint64_t participants; /* how many take part, about */
    size_t k;              /* 1 to NEAREST_K_MAX */
    size_t ef;             /* how widely to search if all took part, 1 to NEAR_EF_MAX */
    bool firm;             /* so widely, though little beyond k is found */
} NearestRequest;

typedef struct NearestSide { /* of one thread; begins as zeroes */
    Arena *arena;
    float *row;
    size_t row_capacity;
    uint64_t candidates; /* looked at so far */
} NearestSide;
void nearest_side_end(NearestSide *side);

/* How widely to search, where the statement does not say: as the session does, else as the index does. */
size_t nearest_breadth(uint32_t setting, const GraphIndex *index);
/* So far a search for k goes: to be scored are some more than k, unless ef is firm. */
size_t nearest_ef(size_t ef, bool firm, size_t k);
/* By counts kept in the index, so the answer is the same everywhere: is a search cheaper than looking at
 * all that take part? */
bool nearest_pays(const NearestRequest *request);
/* The best k for one query, best first, into hits[k]; gives how many. Fewer than k: the index did not
 * find enough of those that take part, and only looking at all of them tells. */
size_t nearest_search(const NearestRequest *request, NearestSide *side, const VectorQuery *query,
                      TopKHit *hits);

/* ---- values that lie in no block of vectors ---- */
/* Components of a vector or list of finite numbers, padded, into *row; false: it is none. */
bool nearest_components(Value value, float **row, size_t *capacity);
/* The score of such a row; false: it has none, or the query has no direction. */
bool nearest_score_row(const VectorKernel *kernel, const VectorQuery *query, const float *row,
                       float *score);
#endif
