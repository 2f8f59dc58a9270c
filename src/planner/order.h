/*
 * order.h - in which order a pattern is walked: where to begin, and over which relationship to go on.
 *
 * Dynamic programming over sets of relationships: the best way to have walked a set is the best way
 * to have walked one less, and a last step. Cost is rows looked at: neighbors found, rows of scans.
 */
#ifndef PLANNER_ORDER_H
#define PLANNER_ORDER_H
#include "base/memory.h"
#include <stdbool.h>

enum {
    ORDER_RELATIONSHIPS_MAX = 10, /* beyond, 2^n sets are too many: then step by step, the cheapest
                                     next */
    ORDER_NODES_MAX = 64,         /* bits of a word */
    ORDER_NONE = -1
};

typedef struct OrderNode {
    bool bound;        /* before the pattern, or by what was walked already */
    double cost, rows; /* of beginning here: rows looked at, and rows left */
    double keep;       /* which part of those a hop finds here is kept */
} OrderNode;

typedef struct OrderRelationship {
    uint32_t ends[2];
    double fan[2];  /* neighbors of a row's node, walked from ends[0], from ends[1] */
    double link[2]; /* the part of nodes of the other end that is such a neighbor */
    /* By relationship: the fan from ends[i] of rows that were made by walking it, whichever way;
     * negative: it is not next to that node. */
    double via[2][ORDER_RELATIONSHIPS_MAX];
} OrderRelationship;

typedef struct OrderStep {
    int node; /* begin here, before the relationship; ORDER_NONE: it touches what is bound */
    int relationship; /* ORDER_NONE at most in the last step: nothing can be walked */
} OrderStep;

/* Steps over relationships that hang together with one another or with what is bound, as many as
 * there are; gives how many. At most ORDER_RELATIONSHIPS_MAX relationships; `steps` has room for
 * them. */
uint32_t order_find(Arena *arena, const OrderNode *nodes, uint32_t node_count,
                    const OrderRelationship *relationships, uint32_t count, OrderStep *steps);
#endif
