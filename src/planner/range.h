/* range.h - what a condition's bounds are to an index. */
#ifndef PLANNER_RANGE_H
#define PLANNER_RANGE_H
#include "graph/graph.h"
#include "planner/plan.h"

/* The values that `range` lets through, its bound being `bound`: one that a GraphRange can have. */
GraphRange plan_range_of(const PlanRange *range, Value bound);
/* The index that may be asked for nodes of the scan by the order of `key`; NULL: there is none. */
const GraphIndex *plan_index_in_order(const GraphView *view, const PlanNode *scan, NameRef key);
#endif
