/*
 * range.c - conditions that bound a property, and orders of one, for scans of nodes.
 *
 * A scan is told what the filter right above it wants of properties (PlanRange). If an index on one of
 * its labels has one of them, the scan may ask it which nodes those are: execution counts them first,
 * for a scan of everything is faster than an index that gives a large part of it one by one. The filter
 * stays, and nodes come by their ids either way, so nobody sees which way was taken.
 *
 * A SORT by a property that an index has in order goes away if its rows come from one scan, by operators
 * that keep their order: then the scan takes nodes in the order of the index. Equal values come by id
 * there, as a stable sort of a scan leaves them. That pays where a LIMIT needs few of them, or where
 * every node is wanted.
 */
#include "config.h"

#include "planner/estimate.h"
#include "planner/range.h"

enum { RANGES_MAX = 8 }; /* of a scan; more would hardly leave out more */

/* ---- ranges ---- */

const GraphIndex *plan_index_in_order(const GraphView *view, const PlanNode *scan, NameRef key)
{
    for (uint32_t l = 0; l < scan->label_count; l++) {
        uint32_t label = scan->labels[l].id;
        if (label == GRAPH_NAME_UNKNOWN || key.id == GRAPH_NAME_UNKNOWN) continue;
        const GraphIndex *index = graph_index_on(view, label, key.id, false);
        if (graph_index_orders(index)) return index;
    }
    return NULL;
}

static bool is_property_of(const Expr *expr, uint32_t slot)
{
    return expr->kind == EXPR_PROPERTY && expr->args[0]->kind == EXPR_SLOT &&
           expr->args[0]->index == slot;
}

static void note_range(Binder *binder, PlanNode *scan, const Expr *compared, int side)
{
    static const ExprKind turned[] = {[EXPR_EQUAL] = EXPR_EQUAL,
                                      [EXPR_LESS] = EXPR_GREATER,
                                      [EXPR_LESS_EQUAL] = EXPR_GREATER_EQUAL,
                                      [EXPR_GREATER] = EXPR_LESS,
                                      [EXPR_GREATER_EQUAL] = EXPR_LESS_EQUAL};
    Expr *property = compared->args[side], *bound = compared->args[1 - side];
    bool fixed = bound->kind == EXPR_CONSTANT || bound->kind == EXPR_PARAMETER;
    if (!fixed || !is_property_of(property, scan->slot) || scan->range_count == RANGES_MAX) return;
    if (scan->ranges == NULL) scan->ranges = arena_array(binder->arena, PlanRange, RANGES_MAX);
    ExprKind kind = (ExprKind)compared->kind;
    scan->ranges[scan->range_count++] =
        (PlanRange){property->name, side == 0 ? kind : turned[kind], bound, false};
}

static void note_ranges(Binder *binder, PlanNode *scan, const Expr *condition)
{
    switch (condition->kind) {
    case EXPR_AND:
        for (uint32_t i = 0; i < condition->arg_count; i++)
            note_ranges(binder, scan, condition->args[i]);
        return;
    case EXPR_EQUAL:
    case EXPR_LESS:
    case EXPR_LESS_EQUAL:
    case EXPR_GREATER:
    case EXPR_GREATER_EQUAL:
        note_range(binder, scan, condition, 0);
        note_range(binder, scan, condition, 1);
        return;
    case EXPR_STARTS_WITH: note_range(binder, scan, condition, 0); return;
    default: return;
    }
}

GraphRange plan_range_of(const PlanRange *range, Value bound)
{
    switch (range->comparison) {
    case EXPR_LESS: return (GraphRange){.high = bound, .high_open = true};
    case EXPR_LESS_EQUAL: return (GraphRange){.high = bound};
    case EXPR_GREATER: return (GraphRange){.low = bound, .low_open = true};
    case EXPR_GREATER_EQUAL: return (GraphRange){.low = bound};
    case EXPR_STARTS_WITH: return (GraphRange){.low = bound, .prefix = true};
    default: return (GraphRange){.low = bound, .high = bound};
    }
}

static const double PARAMETER_SHARE = 0.1; /* of the nodes, in a range with a bound not known yet */

/* Nodes in the index between the bounds that are known. */
static double rows_in(const Binder *binder, const PlanNode *scan, const GraphIndex *index)
{
    GraphRange range = {0};
    double rows = estimate_nodes(binder->view, (EstimateLabels){scan->labels, scan->label_count});
    double share = 1;
    for (uint32_t i = 0; i < scan->range_count; i++) {
        const PlanRange *own = &scan->ranges[i];
        if (own->key.id != index->key) continue;
        if (own->bound->kind != EXPR_CONSTANT)
            share = PARAMETER_SHARE;
        else if (graph_range_bound(own->bound->value))
            graph_range_narrow(&range, plan_range_of(own, own->bound->value));
    }
    double found = (double)graph_range_count(binder->view, index, &range, (uint64_t)rows + 1);
    return (found < rows ? found : rows) * share;
}

void plan_ranges(Binder *binder, PlanNode *scan, const Expr *condition)
{
    note_ranges(binder, scan, condition);
    for (uint32_t i = 0; i < scan->range_count; i++) {
        const GraphIndex *index = plan_index_in_order(binder->view, scan, scan->ranges[i].key);
        if (index == NULL) continue;
        double rows = rows_in(binder, scan, index);
        if (!scan->by_index || rows < scan->range_rows) scan->range_rows = rows;
        scan->by_index = scan->ranges[i].indexed = true;
    }
}

/* ---- order ---- */

enum { SHORT_ORDER = 8 }; /* a node by an index costs some times what one in a scan does */
static const double LIMIT_UNKNOWN = 100;

/* What `expr` is below PROJECTs, seen from above `node`. */
static const Expr *meaning_of(const Expr *expr, const PlanNode *node, const PlanNode *scan)
{
    for (; node != scan && expr->kind == EXPR_SLOT; node = node->input)
        for (uint32_t i = 0; node->kind == PLAN_PROJECT && i < node->item_count; i++)
            if (node->items[i].slot == expr->index) {
                expr = node->items[i].expr;
                break;
            }
    return expr;
}

/* The part of the rows that conditions leave, but for those on the key that the index looks at. */
static double share_left(const Binder *binder, const PlanNode *scan, const Expr *condition,
                         uint32_t key, bool *no_lack)
{
    EstimateLabels labels = {scan->labels, scan->label_count};
    if (condition->kind == EXPR_AND)
        return share_left(binder, scan, condition->args[0], key, no_lack) *
               share_left(binder, scan, condition->args[1], key, no_lack);
    PlanNode alone = {.slot = scan->slot};
    note_ranges((Binder *)binder, &alone, condition);
    for (uint32_t i = 0; i < alone.range_count; i++)
        if (alone.ranges[i].key.id == key) return *no_lack = true, 1;
    return estimate_condition(binder->view, condition, scan->slot, labels);
}

/* How many rows the sort is asked for; as many as there are: all. */
static double rows_wanted(const PlanNode *sort, double all)
{
    if (sort->expr == NULL) return all;
    if (sort->expr->kind != EXPR_CONSTANT || sort->expr->value.kind != VALUE_INTEGER)
        return LIMIT_UNKNOWN;
    return (double)sort->expr->value.as.integer;
}

static PlanNode *scan_under(PlanNode *node)
{
    while (node != NULL && (node->kind == PLAN_PROJECT || node->kind == PLAN_FILTER))
        node = node->input;
    bool fits = node != NULL && node->kind == PLAN_NODE_SCAN && node->input->kind == PLAN_UNIT;
    return fits && !node->in_order ? node : NULL;
}

static bool sort_by_index(Binder *binder, PlanNode *sort)
{
    PlanNode *scan = scan_under(sort->input);
    if (scan == NULL || sort->item_count != 1) return false;
    const Expr *key = meaning_of(sort->items[0].expr, sort->input, scan);
    if (!is_property_of(key, scan->slot)) return false;
    const GraphIndex *index = plan_index_in_order(binder->view, scan, key->name);
    if (index == NULL) return false;
    double share = 1,
           all = estimate_nodes(binder->view, (EstimateLabels){scan->labels, scan->label_count});
    bool no_lack = false;
    for (const PlanNode *node = sort->input; node != scan; node = node->input)
        if (node->kind == PLAN_FILTER)
            share *= share_left(binder, scan, node->expr, index->key, &no_lack);
    double in_range = no_lack ? rows_in(binder, scan, index) : all;
    double walked = rows_wanted(sort, in_range) / (share > 0 ? share : 1);
    if (walked > in_range) walked = in_range;
    if (share < 1 || in_range < all) /* else a sort has all of them, too, and then sorts */
        if (walked * SHORT_ORDER > all) return false;
    scan->in_order = scan->by_index = true;
    scan->descending = sort->items[0].descending;
    scan->no_lack = no_lack;
    scan->key = key->name;
    if (!no_lack) scan->range_rows = all;
    return true;
}

void plan_order_by_index(Binder *binder, PlanNode **root)
{
    for (PlanNode **at = root; *at != NULL;) {
        PlanNode *node = *at;
        if (node->kind == PLAN_SORT && sort_by_index(binder, node))
            *at = node->input;
        else
            at = &node->input;
    }
}
