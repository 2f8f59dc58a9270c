/*
 * estimate.h - how many rows there will be: counts that the graph keeps, and small samples.
 *
 * Samples are taken at fixed places (every n-th node of a label, every n-th relationship of a type), so
 * that the same graph gives the same plan. Wrong by a factor of ten is normal; what counts is the
 * order of plans.
 */
#ifndef PLANNER_ESTIMATE_H
#define PLANNER_ESTIMATE_H
#include "planner/planner_internal.h"

/* A hop as the estimates see it: from a node with `near` labels by relationships of `types`. */
typedef struct EstimateHop {
    const NameRef *types; /* none: all */
    uint32_t type_count;
    PlanDirection direction;
} EstimateHop;

typedef struct EstimateLabels {
    const NameRef *labels;
    uint32_t count;
} EstimateLabels;

double estimate_nodes(const GraphView *view, EstimateLabels labels);
double estimate_relationships(const GraphView *view, const EstimateHop *hop);
/* Neighbors of a node with such labels, on average. */
double estimate_fan(const GraphView *view, const EstimateHop *hop, EstimateLabels near);
/* The same of a node that was reached by `via`: nodes with many neighbors are reached more often. */
double estimate_fan_via(const GraphView *view, const EstimateHop *via, const EstimateHop *hop);
/* Which part of those the hop leads to have the labels. */
double estimate_share(const GraphView *view, const EstimateHop *hop, EstimateLabels far);
/* Which part of the nodes with such labels, which stand in `slot`, the condition leaves. */
double estimate_condition(const GraphView *view, const Expr *condition, uint32_t slot,
                          EstimateLabels labels);
/* How many nodes with such labels have one value of the property, on average. */
double estimate_equal(const GraphView *view, NameRef key, EstimateLabels labels);
#endif
