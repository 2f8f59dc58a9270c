/* range.h - what conditions are to an index. */
#ifndef PLANNER_RANGE_H
#define PLANNER_RANGE_H
#include "graph/graph.h"
#include "planner/plan.h"

/* The values that `range` lets through, its bound being `bound`: one that a GraphRange can have. */
GraphRange plan_range_of(const PlanRange *range, Value bound);
/* The index that may be asked for nodes of the scan by the order of `key`; NULL: there is none. */
const GraphIndex *plan_index_in_order(const GraphView *view, const PlanNode *scan, NameRef key);
/* The index that a SEEK asks; NULL: it is gone. */
const GraphIndex *plan_index_of_seek(const GraphView *view, const PlanNode *seek);

typedef struct PlanBound { /* what is known of a property */
    uint32_t key;
    GraphRange range;
} PlanBound;
/* The part of the index in which nodes lie that those bounds let through. false: they say nothing of its
 * first property. */
bool plan_index_range(Arena *arena, const GraphIndex *index, const PlanBound *bounds,
                      uint32_t count, GraphRange *out);
#endif
