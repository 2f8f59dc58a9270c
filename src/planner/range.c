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

/* ---- indexes ---- */

static const GraphIndex *index_on_keys(const GraphView *view, uint32_t label, const NameRef *keys,
                                       uint32_t count)
{
    uint32_t ids[GRAPH_INDEX_KEYS_MAX];
    for (uint32_t k = 0; k < count; k++)
        ids[k] = keys[k].id;
    return graph_index_on_several(view, label, ids, count);
}

const GraphIndex *plan_index_of_seek(const GraphView *view, const PlanNode *seek)
{
    if (seek->key_count > 0)
        return index_on_keys(view, seek->labels[0].id, seek->keys, seek->key_count);
    return graph_index_on(view, seek->labels[0].id, seek->key.id, false);
}

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

static GraphRange range_on(const PlanBound *bounds, uint32_t count, uint32_t key)
{
    GraphRange range = {0};
    for (uint32_t i = 0; i < count; i++)
        if (bounds[i].key == key) graph_range_narrow(&range, bounds[i].range);
    return range;
}

static bool is_open(const GraphRange *range)
{
    return range->low.kind == VALUE_NULL && range->high.kind == VALUE_NULL;
}

/* Of one value: then an index on several properties goes on with the next. */
static bool is_point(const GraphRange *range)
{
    return !range->prefix && !range->low_open && !range->high_open &&
           value_compare(range->low, range->high) == 0;
}

bool plan_index_range(Arena *arena, const GraphIndex *index, const PlanBound *bounds,
                      uint32_t count, GraphRange *out)
{
    Value values[GRAPH_INDEX_KEYS_MAX];
    uint32_t known = 0;
    GraphRange range = range_on(bounds, count, index->keys[0]);
    if (is_open(&range)) return false;
    if (index->key_count == 1) return *out = range, true;
    while (is_point(&range)) {
        values[known++] = range.low;
        range = (GraphRange){0};
        if (known == index->key_count) break;
        range = range_on(bounds, count, index->keys[known]);
    }
    *out = graph_range_of_several(arena, values, known, is_open(&range) ? NULL : &range);
    return true;
}

/* ---- ranges ---- */

static bool has_label(const PlanNode *scan, uint32_t label)
{
    for (uint32_t l = 0; l < scan->label_count; l++)
        if (scan->labels[l].id == label) return true;
    return false;
}

static bool is_property_of(const Expr *expr, uint32_t slot)
{
    return expr->kind == EXPR_PROPERTY && expr->args[0]->kind == EXPR_SLOT &&
           expr->args[0]->index == slot;
}

static bool is_fixed(const Expr *expr)
{
    return expr->kind == EXPR_CONSTANT || expr->kind == EXPR_PARAMETER;
}

static void note_range(Binder *binder, PlanNode *scan, const Expr *compared, int side)
{
    static const ExprKind turned[] = {[EXPR_EQUAL] = EXPR_EQUAL,
                                      [EXPR_LESS] = EXPR_GREATER,
                                      [EXPR_LESS_EQUAL] = EXPR_GREATER_EQUAL,
                                      [EXPR_GREATER] = EXPR_LESS,
                                      [EXPR_GREATER_EQUAL] = EXPR_LESS_EQUAL};
    Expr *property = compared->args[side], *bound = compared->args[1 - side];
    if (!is_fixed(bound) || !is_property_of(property, scan->slot) ||
        scan->range_count == RANGES_MAX)
        return;
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

/* Those of the scan's bounds that are known by now. */
static uint32_t known_bounds(const PlanNode *scan, PlanBound bounds[RANGES_MAX])
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < scan->range_count; i++) {
        const PlanRange *own = &scan->ranges[i];
        bool text = own->comparison != EXPR_STARTS_WITH || own->bound->value.kind == VALUE_STRING;
        if (own->bound->kind == EXPR_CONSTANT && graph_range_bound(own->bound->value) && text)
            bounds[count++] = (PlanBound){own->key.id, plan_range_of(own, own->bound->value)};
    }
    return count;
}

/* Nodes in the index between the bounds that are known. */
static double rows_in(const Binder *binder, const PlanNode *scan, const GraphIndex *index)
{
    double rows = estimate_nodes(binder->view, (EstimateLabels){scan->labels, scan->label_count});
    double share = 1;
    PlanBound bounds[RANGES_MAX];
    uint32_t known = known_bounds(scan, bounds);
    GraphRange range = range_on(bounds, known, index->keys[0]);
    for (uint32_t i = 0; i < scan->range_count; i++)
        if (scan->ranges[i].key.id == index->keys[0] &&
            scan->ranges[i].bound->kind != EXPR_CONSTANT)
            share = PARAMETER_SHARE;
    double found = (double)graph_range_count(binder->view, index, &range, (uint64_t)rows + 1);
    return (found < rows ? found : rows) * share;
}

/* The scan's bound on a property: with = rather than with another comparison. NULL: there is none. */
static PlanRange *bound_on(const PlanNode *scan, uint32_t key)
{
    PlanRange *found = NULL;
    for (uint32_t i = 0; i < scan->range_count; i++)
        if (scan->ranges[i].key.id == key &&
            (found == NULL || scan->ranges[i].comparison == EXPR_EQUAL))
            found = &scan->ranges[i];
    return found;
}

static double share_equal(const Binder *binder, NameRef key, EstimateLabels labels, double nodes)
{
    double share = nodes < 1 ? 1 : estimate_equal(binder->view, key, labels) / nodes;
    return share < 1 ? share : 1;
}

static void mark_indexed(const PlanNode *scan, uint32_t key)
{
    for (uint32_t i = 0; i < scan->range_count; i++)
        scan->ranges[i].indexed = scan->ranges[i].indexed || scan->ranges[i].key.id == key;
}

/* As rows_in, of an index on several properties: what is known from the first on is counted, for what is
 * not a guess is taken. Marks the bounds that it is asked for. Below 0: it cannot be asked. */
static double rows_in_several(Binder *binder, const PlanNode *scan, const GraphIndex *index)
{
    EstimateLabels labels = {scan->labels, scan->label_count};
    double nodes = estimate_nodes(binder->view, labels), rows = nodes, share = 1;
    PlanBound bounds[RANGES_MAX];
    GraphRange range;
    uint32_t known = known_bounds(scan, bounds);
    if (bound_on(scan, index->keys[0]) == NULL) return -1;
    if (plan_index_range(binder->arena, index, bounds, known, &range)) {
        double found = (double)graph_range_count(binder->view, index, &range, (uint64_t)nodes + 1);
        rows = found < nodes ? found : nodes;
    }
    bool counted = true, equal = true;
    for (uint32_t k = 0; k < index->key_count && equal; k++) {
        PlanRange *own = bound_on(scan, index->keys[k]);
        if (own == NULL) break;
        mark_indexed(scan, index->keys[k]);
        counted = counted && own->bound->kind == EXPR_CONSTANT;
        equal = own->comparison == EXPR_EQUAL;
        if (!counted)
            share *= equal ? share_equal(binder, own->key, labels, nodes) : PARAMETER_SHARE;
    }
    return rows * share;
}

static void consider_rows(PlanNode *scan, double rows)
{
    if (!scan->by_index || rows < scan->range_rows) scan->range_rows = rows;
    scan->by_index = true;
}

void plan_ranges(Binder *binder, PlanNode *scan, const Expr *condition)
{
    const GraphView *view = binder->view;
    note_ranges(binder, scan, condition);
    for (uint32_t i = 0; i < scan->range_count; i++) {
        const GraphIndex *index = plan_index_in_order(view, scan, scan->ranges[i].key);
        if (index == NULL) continue;
        consider_rows(scan, rows_in(binder, scan, index));
        scan->ranges[i].indexed = true;
    }
    for (uint32_t i = 0; i < graph_index_count(view->graph); i++) {
        const GraphIndex *index = graph_index_at(view, i);
        if (index == NULL || index->key_count == 1 || !has_label(scan, index->label)) continue;
        double rows = rows_in_several(binder, scan, index);
        if (rows >= 0) consider_rows(scan, rows);
    }
}

/* ---- equal values of several properties ---- */

/* How far the equalities go along the index's properties; values and which they are of. */
static uint32_t equal_along(const GraphIndex *index, const PlanEqual *equals, size_t count,
                            const PlanEqual *along[GRAPH_INDEX_KEYS_MAX])
{
    for (uint32_t k = 0; k < index->key_count; k++) {
        along[k] = NULL;
        for (size_t i = 0; i < count && along[k] == NULL; i++)
            if (equals[i].key.id == index->keys[k]) along[k] = &equals[i];
        if (along[k] == NULL) return k;
    }
    return index->key_count;
}

static double rows_equal(const Binder *binder, const NameRef *keys, uint32_t count,
                         EstimateLabels labels)
{
    double nodes = estimate_nodes(binder->view, labels), rows = nodes;
    for (uint32_t k = 0; k < count; k++)
        rows *= share_equal(binder, keys[k], labels, nodes);
    return rows < 1 ? 1 : rows;
}

bool plan_seek_several(const Binder *binder, const NameRef *names, uint32_t name_count,
                       const PlanEqual *equals, size_t count, PlanSeek *out)
{
    const GraphView *view = binder->view;
    EstimateLabels labels = {names, name_count};
    bool any = false;
    for (uint32_t i = 0; i < graph_index_count(view->graph); i++) {
        const GraphIndex *index = graph_index_at(view, i);
        const PlanEqual *along[GRAPH_INDEX_KEYS_MAX];
        uint32_t label = 0;
        if (index == NULL || index->key_count == 1) continue;
        while (label < labels.count && labels.labels[label].id != index->label)
            label++;
        uint32_t found = label == labels.count ? 0 : equal_along(index, equals, count, along);
        bool whole = found == index->key_count, fixed = true;
        PlanSeek seek = {.label = label, .count = found, .rows = 1};
        for (uint32_t k = 0; k < found; k++) {
            fixed = fixed && is_fixed(along[k]->value);
            seek.keys[k] = along[k]->key;
            seek.values[k] = (Expr *)(uintptr_t)along[k]->value;
            seek.filters[k] = along[k]->filter;
        }
        /* A scan is asked what the first ones that are known leave: perhaps it is most. */
        if (found == 0 || (!whole && fixed)) continue;
        seek.unique = whole && index->constraint == GRAPH_UNIQUE;
        if (!seek.unique) seek.rows = rows_equal(binder, seek.keys, found, labels);
        bool less = !any || seek.unique || seek.rows < out->rows ||
                    (seek.rows == out->rows && seek.count > out->count);
        if (less) *out = seek;
        any = true;
        if (seek.unique) break;
    }
    return any;
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
            share *= share_left(binder, scan, node->expr, index->keys[0], &no_lack);
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
