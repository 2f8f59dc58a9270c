/* estimate.c - rows foreseen: samples of nodes and relationships, and what EXPLAIN shows of them. */
#include "config.h"

#include "planner/estimate.h"

enum { SAMPLE_NODES = 128, SAMPLE_RELATIONSHIPS = 64 };
static const double CONDITION_UNKNOWN = 0.5, COMPARISON_UNKNOWN = 0.3, TEXT_UNKNOWN = 0.1;

/* ---- counts and samples ---- */

double estimate_nodes(const GraphView *view, EstimateLabels labels)
{
    double rows = (double)graph_node_count(view);
    for (uint32_t i = 0; i < labels.count; i++) {
        double own = labels.labels[i].id == GRAPH_NAME_UNKNOWN
                         ? 0
                         : (double)graph_label_count(view, labels.labels[i].id);
        if (own < rows) rows = own;
    }
    return rows;
}

static uint32_t type_at(const EstimateHop *hop, uint32_t i)
{
    return hop->type_count == 0 ? i : hop->types[i].id;
}

static uint32_t types_of(const GraphView *view, const EstimateHop *hop)
{
    return hop->type_count == 0 ? graph_name_count(view->graph, NAME_TYPE) : hop->type_count;
}

double estimate_relationships(const GraphView *view, const EstimateHop *hop)
{
    double sum = 0;
    for (uint32_t i = 0; i < types_of(view, hop); i++)
        if (type_at(hop, i) != GRAPH_NAME_UNKNOWN)
            sum += (double)graph_relationship_count(view, type_at(hop, i));
    return sum;
}

typedef struct Ends { /* of relationships, as the hop goes over them */
    uint64_t near[2 * SAMPLE_RELATIONSHIPS], far[2 * SAMPLE_RELATIONSHIPS];
    uint32_t count;
} Ends;

static void add_ends(const EstimateHop *hop, uint64_t from, uint64_t to, Ends *out)
{
    bool back = hop->direction == PLAN_IN ||
                (hop->direction == PLAN_BOTH && out->count % 2 == 1); /* one way, then the other */
    out->near[out->count] = back ? to : from;
    out->far[out->count++] = back ? from : to;
}

/* Of each type as many as it is large, but one at least. */
static void sample_ends(const GraphView *view, const EstimateHop *hop, Ends *out)
{
    double all = estimate_relationships(view, hop);
    out->count = 0;
    for (uint32_t i = 0; i < types_of(view, hop) && out->count < 2 * SAMPLE_RELATIONSHIPS; i++) {
        uint32_t type = type_at(hop, i);
        uint64_t count = type == GRAPH_NAME_UNKNOWN ? 0 : graph_relationship_count(view, type);
        uint64_t wanted = 1 + (uint64_t)(SAMPLE_RELATIONSHIPS * ((double)count / (all + 1)));
        if (wanted > count) wanted = count;
        for (uint64_t n = 0; n < wanted && out->count < 2 * SAMPLE_RELATIONSHIPS; n++) {
            uint64_t cursor = count / wanted * n, id, from, to;
            if (graph_scan_relationships(view, type, &cursor, &id, 1) == 0) break;
            graph_relationship_ends(view, id, &from, &to);
            add_ends(hop, from, to, out);
        }
    }
}

static bool has_labels(const GraphView *view, uint64_t node, EstimateLabels labels)
{
    for (uint32_t i = 0; i < labels.count; i++)
        if (labels.labels[i].id == GRAPH_NAME_UNKNOWN ||
            !graph_node_has_label(view, node, labels.labels[i].id))
            return false;
    return true;
}

/* A share that a sample says is none or all is a bit off it. */
static double share_of(uint32_t hits, uint32_t count)
{
    return count == 0 ? 1 : hits == 0 ? 0.5 / (count + 1) : (double)hits / count;
}

static double share(const GraphView *view, const uint64_t *nodes, uint32_t count,
                    EstimateLabels labels)
{
    uint32_t hits = 0;
    for (uint32_t i = 0; i < count; i++)
        hits += has_labels(view, nodes[i], labels);
    return share_of(hits, count);
}

double estimate_fan(const GraphView *view, const EstimateHop *hop, EstimateLabels near)
{
    Ends ends;
    double all = estimate_relationships(view, hop), nodes = estimate_nodes(view, near);
    if (hop->direction == PLAN_BOTH) all *= 2;
    if (near.count > 0 && nodes < (double)graph_node_count(view)) {
        sample_ends(view, hop, &ends);
        all *= share(view, ends.near, ends.count, near);
    }
    return nodes < 1 ? all : all / nodes;
}

double estimate_share(const GraphView *view, const EstimateHop *hop, EstimateLabels far)
{
    Ends ends;
    if (far.count == 0 || estimate_nodes(view, far) >= (double)graph_node_count(view)) return 1;
    sample_ends(view, hop, &ends);
    return share(view, ends.far, ends.count, far);
}

double estimate_fan_via(const GraphView *view, const EstimateHop *via, const EstimateHop *hop)
{
    static const GraphDirection directions[] = {
        [PLAN_OUT] = GRAPH_OUT, [PLAN_IN] = GRAPH_IN, [PLAN_BOTH] = GRAPH_BOTH};
    Ends ends;
    double sum = 0;
    sample_ends(view, via, &ends);
    for (uint32_t i = 0; i < types_of(view, hop); i++)
        for (uint32_t n = 0; n < ends.count && type_at(hop, i) != GRAPH_NAME_UNKNOWN; n++)
            sum += (double)graph_degree(view, type_at(hop, i), directions[hop->direction],
                                        ends.far[n]);
    return ends.count == 0 ? 0 : sum / ends.count;
}

/* ---- conditions ---- */

typedef struct Sample {
    Value values[SAMPLE_NODES];
    uint32_t count;
} Sample;

static void sample_property(const GraphView *view, NameRef key, EstimateLabels labels, Sample *out)
{
    enum { LABELS_MAX = 8 };
    uint32_t ids[LABELS_MAX], count = 0;
    uint64_t id, places = graph_block_count(view) * GRAPH_BLOCK_ROWS, last = UINT64_MAX;
    for (; count < labels.count && count < LABELS_MAX; count++)
        ids[count] = labels.labels[count].id;
    out->count = 0;
    for (uint32_t i = 0; i < SAMPLE_NODES; i++) {
        uint64_t cursor = (uint64_t)((double)places * i / SAMPLE_NODES);
        if (graph_scan(view, ids, count, &cursor, &id, 1) == 0) break;
        if (id == last) continue; /* places without such nodes lead to the same one */
        last = id;
        out->values[out->count++] = graph_property(view, VALUE_NODE, id, key.id);
    }
}

double estimate_equal(const GraphView *view, NameRef key, EstimateLabels labels)
{
    Sample sample;
    uint32_t distinct = 0, there = 0;
    double nodes = estimate_nodes(view, labels);
    sample_property(view, key, labels, &sample);
    for (uint32_t i = 0; i < sample.count; i++) {
        uint32_t j = 0;
        if (sample.values[i].kind == VALUE_NULL) continue;
        there++;
        while (j < i && value_equal(sample.values[i], sample.values[j]) != TRUTH_TRUE)
            j++;
        distinct += j == i;
    }
    if (there == 0) return 1;
    if (distinct * 10 >= there * 9) return 1; /* as good as a key */
    return nodes * there / sample.count / distinct;
}

static bool compare(uint8_t kind, Value a, Value b)
{
    if (kind == EXPR_EQUAL || kind == EXPR_NOT_EQUAL)
        return (value_equal(a, b) == TRUTH_TRUE) == (kind == EXPR_EQUAL);
    int order = value_order(a, b);
    switch (kind) {
    case EXPR_LESS: return order < 0;
    case EXPR_LESS_EQUAL: return order <= 0;
    case EXPR_GREATER: return order > 0;
    default: return order >= 0;
    }
}

static uint8_t turned(uint8_t kind)
{
    switch (kind) {
    case EXPR_LESS: return EXPR_GREATER;
    case EXPR_LESS_EQUAL: return EXPR_GREATER_EQUAL;
    case EXPR_GREATER: return EXPR_LESS;
    case EXPR_GREATER_EQUAL: return EXPR_LESS_EQUAL;
    default: return kind;
    }
}

/* Of a node: samples are of nodes. */
static bool is_property_of(const Expr *expr, uint32_t slot)
{
    return expr->kind == EXPR_PROPERTY && expr->args[0]->kind == EXPR_SLOT &&
           expr->args[0]->index == slot && expr->args[0]->type != VALUE_RELATIONSHIP;
}

static double comparison(const GraphView *view, const Expr *condition, uint32_t slot,
                         EstimateLabels labels)
{
    const Expr *a = condition->args[0], *b = condition->args[1];
    uint8_t kind = condition->kind;
    Sample sample;
    if (!is_property_of(a, slot)) {
        const Expr *other = a;
        a = b, b = other;
        kind = turned(kind);
    }
    if (!is_property_of(a, slot)) return COMPARISON_UNKNOWN;
    if (b->kind != EXPR_CONSTANT) {
        double nodes = estimate_nodes(view, labels);
        if (kind != EXPR_EQUAL || nodes < 1) return COMPARISON_UNKNOWN;
        return estimate_equal(view, a->name, labels) / nodes;
    }
    uint32_t hits = 0;
    sample_property(view, a->name, labels, &sample);
    for (uint32_t i = 0; i < sample.count; i++)
        hits += sample.values[i].kind != VALUE_NULL && compare(kind, sample.values[i], b->value);
    return share_of(hits, sample.count);
}

double estimate_condition(const GraphView *view, const Expr *condition, uint32_t slot,
                          EstimateLabels labels)
{
    double a, b;
    switch (condition->kind) {
    case EXPR_AND:
        return estimate_condition(view, condition->args[0], slot, labels) *
               estimate_condition(view, condition->args[1], slot, labels);
    case EXPR_OR:
        a = estimate_condition(view, condition->args[0], slot, labels);
        b = estimate_condition(view, condition->args[1], slot, labels);
        return a + b - a * b;
    case EXPR_NOT: return 1 - estimate_condition(view, condition->args[0], slot, labels);
    case EXPR_EQUAL:
    case EXPR_NOT_EQUAL:
    case EXPR_LESS:
    case EXPR_LESS_EQUAL:
    case EXPR_GREATER:
    case EXPR_GREATER_EQUAL: return comparison(view, condition, slot, labels);
    case EXPR_HAS_LABELS: {
        double nodes = (double)graph_node_count(view);
        EstimateLabels named = {condition->names, condition->name_count};
        return nodes < 1 ? 1 : estimate_nodes(view, named) / nodes;
    }
    case EXPR_STARTS_WITH:
    case EXPR_ENDS_WITH:
    case EXPR_CONTAINS:
    case EXPR_REGEX: return TEXT_UNKNOWN;
    default: return CONDITION_UNKNOWN;
    }
}

/* ---- EXPLAIN ---- */

enum { VIA_NONE = PLAN_BOTH + 1 };
typedef struct Estimating {
    const Binder *binder;
    EstimateLabels *labels; /* by slot: what is known of the node there */
    EstimateHop *via; /* by slot: the hop that found the node, or back over the first that left
                                 it; direction VIA_NONE: neither */
    double outer;     /* rows that the sub-plan at hand begins with */
} Estimating;

static double rows_of(Estimating *estimating, PlanNode *node);

static EstimateHop hop_of(const PlanNode *node)
{
    return (EstimateHop){node->types, node->type_count, node->direction};
}

static double fan_from(const Estimating *estimating, const EstimateHop *hop, uint32_t slot)
{
    const GraphView *view = estimating->binder->view;
    if (slot == SLOT_NONE) return estimate_fan(view, hop, (EstimateLabels){0});
    const EstimateHop *via = &estimating->via[slot];
    if ((int)via->direction == VIA_NONE) return estimate_fan(view, hop, estimating->labels[slot]);
    return estimate_fan_via(view, via, hop);
}

static double arm_fan(const Estimating *estimating, const PlanArm *arm)
{
    EstimateHop hop = {arm->types, arm->type_count, arm->direction};
    return fan_from(estimating, &hop, arm->from_slot) *
           estimate_share(estimating->binder->view, &hop,
                          (EstimateLabels){arm->labels, arm->label_count});
}

/* The chance that a relationship of the arm leads to one certain node. */
static double arm_link(const Estimating *estimating, const PlanArm *arm)
{
    double nodes =
        estimate_nodes(estimating->binder->view, (EstimateLabels){arm->labels, arm->label_count});
    double fan = arm_fan(estimating, arm);
    return nodes < 1 ? 0 : fan / nodes;
}

static void walked(Estimating *estimating, const PlanNode *node)
{
    EstimateHop there = hop_of(node), back = there;
    if (there.direction != PLAN_BOTH)
        back.direction = there.direction == PLAN_OUT ? PLAN_IN : PLAN_OUT;
    EstimateHop *from = &estimating->via[node->from_slot], *to = &estimating->via[node->to_slot];
    if ((int)from->direction == VIA_NONE) *from = back;
    if ((int)to->direction == VIA_NONE) *to = there;
}

static double hop_rows(Estimating *estimating, const PlanNode *node)
{
    const GraphView *view = estimating->binder->view;
    EstimateHop hop = hop_of(node);
    EstimateLabels far = {node->labels, node->label_count};
    double fan = fan_from(estimating, &hop, node->from_slot);
    walked(estimating, node);
    if (node->to_bound) {
        double nodes = estimate_nodes(view, estimating->labels[node->to_slot]);
        return nodes < 1 ? 0 : fan / nodes;
    }
    estimating->labels[node->to_slot] = far;
    return fan * estimate_share(view, &hop, far);
}

static double trail_rows(Estimating *estimating, const PlanNode *node)
{
    enum { HOPS_SEEN = 5 }; /* beyond, a number says nothing any more */
    const GraphView *view = estimating->binder->view;
    EstimateHop hop = hop_of(node);
    double fan = fan_from(estimating, &hop, node->from_slot),
           on = estimate_fan_via(view, &hop, &hop), sum = node->hops_min == 0, step = fan,
           nodes = (double)graph_node_count(view);
    for (int64_t i = 1; i <= HOPS_SEEN && (node->hops_max < 0 || i <= node->hops_max); i++) {
        if (i >= node->hops_min) sum += step;
        step *= on;
    }
    EstimateLabels far = {node->labels, node->label_count};
    estimating->labels[node->to_slot] = far;
    if (node->kind == PLAN_REACH && sum > nodes) sum = nodes;
    sum *= estimate_share(view, &hop, far);
    return node->to_bound ? (nodes < 1 ? 0 : sum / nodes) : sum;
}

static double filter_share(const Estimating *estimating, const Expr *condition)
{
    if (condition->kind == EXPR_AND)
        return filter_share(estimating, condition->args[0]) *
               filter_share(estimating, condition->args[1]);
    for (uint32_t slot = 0; slot < estimating->binder->plan->slot_count; slot++)
        if (expr_uses_slot(condition, slot))
            return estimate_condition(estimating->binder->view, condition, slot,
                                      estimating->labels[slot]);
    return CONDITION_UNKNOWN;
}

static double constant(const Expr *expr, double otherwise)
{
    return expr != NULL && expr->kind == EXPR_CONSTANT && expr->value.kind == VALUE_INTEGER
               ? (double)expr->value.as.integer
               : otherwise;
}

enum { LIST_UNKNOWN = 10 };

static double range_rows(const Expr *call)
{
    Value args[3];
    IntegerRange range;
    for (uint32_t i = 0; i < call->arg_count; i++) {
        if (call->args[i]->kind != EXPR_CONSTANT) return LIST_UNKNOWN;
        args[i] = call->args[i]->value;
    }
    Error *error = integer_range(args, call->arg_count, &range);
    if (error == NULL) return (double)range.count;
    error_drop(error);
    return LIST_UNKNOWN;
}

static double unwind_rows(const Expr *list)
{
    if (list->kind == EXPR_LIST) return list->arg_count;
    if (list->kind == EXPR_CALL && str_equal(list->function->name, STR("range")))
        return range_rows(list);
    return list->kind == EXPR_CONSTANT && list->value.kind == VALUE_LIST ? list->value.aux
                                                                         : LIST_UNKNOWN;
}

static double least(double a, double b)
{
    return a < b ? a : b;
}

static double found_rows(Estimating *estimating, const PlanNode *node)
{
    const GraphView *view = estimating->binder->view;
    EstimateLabels labels = {node->labels, node->label_count};
    estimating->labels[node->slot] = labels;
    if (node->kind == PLAN_NODE_SCAN)
        return node->by_index ? node->range_rows : estimate_nodes(view, labels);
    if (node->key_count > 0) return node->range_rows;
    return node->kind == PLAN_NODE_BY_ID ? 1 : estimate_equal(view, node->key, labels);
}

static double count_rows(Estimating *estimating, const PlanNode *node)
{
    double nodes =
        estimate_nodes(estimating->binder->view, (EstimateLabels){node->labels, node->label_count});
    return node->arm_count == 0 ? nodes : nodes * arm_fan(estimating, &node->arms[0]);
}

static double arms_rows(Estimating *estimating, const PlanNode *node)
{
    if (node->kind == PLAN_LINK) return arm_link(estimating, &node->arms[0]);
    double fan = arm_fan(estimating, &node->arms[0]);
    if (node->kind == PLAN_INTERSECT) return fan * arm_link(estimating, &node->arms[1]);
    return node->arm_count == 1 ? fan : fan * arm_fan(estimating, &node->arms[1]);
}

static double branches_rows(Estimating *estimating, PlanNode *node)
{
    double sum = 0;
    for (uint32_t i = 0; i < node->branch_count; i++)
        sum += rows_of(estimating, node->branches[i]);
    return sum;
}

static double apply_rows(Estimating *estimating, PlanNode *node, double in)
{
    double before = estimating->outer;
    estimating->outer = in;
    double inner = rows_of(estimating, node->inner);
    estimating->outer = before;
    switch (node->apply) {
    case APPLY_ROWS: return inner;
    case APPLY_OPTIONAL: return inner < in ? in : inner;
    default: return in;
    }
}

/* What an index looked at is not left out twice. */
static double filtered_rows(Estimating *estimating, const PlanNode *node, double in)
{
    const PlanNode *scan = node->input;
    double all = in, share = filter_share(estimating, node->expr);
    if (scan->kind == PLAN_NODE_SCAN && scan->by_index)
        all = estimate_nodes(estimating->binder->view,
                             (EstimateLabels){scan->labels, scan->label_count});
    return all * share < in ? all * share : in;
}

static double node_rows(Estimating *estimating, PlanNode *node, double in)
{
    switch (node->kind) {
    case PLAN_ARGUMENT: return estimating->outer;
    case PLAN_NODE_SCAN:
    case PLAN_NODE_SEEK:
    case PLAN_NODE_BY_ID: return in * found_rows(estimating, node);
    case PLAN_RELATIONSHIP_BY_ID: return in;
    case PLAN_EXPAND: return in * hop_rows(estimating, node);
    case PLAN_EXPAND_VARIABLE:
    case PLAN_REACH: return in * trail_rows(estimating, node);
    case PLAN_COUNT: return in * count_rows(estimating, node);
    case PLAN_DEGREE:
    case PLAN_INTERSECT:
    case PLAN_LINK: return in * arms_rows(estimating, node);
    case PLAN_UNWIND: return in * unwind_rows(node->expr);
    case PLAN_FILTER: return filtered_rows(estimating, node, in);
    case PLAN_AGGREGATE: return node->item_count == 0 ? 1 : least(in, 1 + in / 2);
    case PLAN_SORT: return least(in, constant(node->expr, in));
    case PLAN_LIMIT: return least(in, constant(node->expr, in));
    case PLAN_SCORE:
    case PLAN_RANK: return least(in, constant(node->limit, in));
    case PLAN_APPLY: return apply_rows(estimating, node, in);
    case PLAN_UNION: return branches_rows(estimating, node);
    default: return in;
    }
}

/* Known for all operators below, or for none. */
static double rows_of(Estimating *estimating, PlanNode *node)
{
    double in = node->input == NULL ? 1 : rows_of(estimating, node->input);
    return node->estimated_rows = node_rows(estimating, node, in);
}

void plan_estimate(Binder *binder)
{
    Plan *plan = binder->plan;
    Estimating estimating = {.binder = binder,
                             .outer = 1,
                             .labels =
                                 arena_array(binder->arena, EstimateLabels, plan->slot_count + 1),
                             .via = arena_array(binder->arena, EstimateHop, plan->slot_count + 1)};
    for (uint32_t i = 0; i < plan->slot_count; i++)
        estimating.via[i].direction = (PlanDirection)VIA_NONE;
    rows_of(&estimating, plan->root);
    for (uint32_t i = 0; i < plan->subquery_count; i++)
        rows_of(&estimating, plan->subqueries[i].inner);
}
