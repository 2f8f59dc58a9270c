/*
 * rewrite.c - plans made to do less, once all of the statement is planned and it is known who asks
 * for what.
 *
 *   apart      relationships of one pattern that nobody asks for are told apart by their ends
 *   labels     of a node that a hop finds go to the hop
 *   link       a hop between two known nodes only counts
 *   intersect  a hop and a link that ends where the hop did become one meeting of two arms
 *   reach      where it does not matter how often a row comes, trails to a node nobody asks the way
 *              of are a breadth-first search
 *   unlike     a hop to a node of which a filter only wants that it, or a key of it, is not that of
 *              another node counts the ways there are, less those to that one
 *   degree     a hop to a node nobody asks for only counts
 *   count      a scan of nodes nobody asks for only counts; hops that go both ways from a node start
 *              there, so that paths of two hops are counted by their middles
 *   order      what an index has in order is not sorted (range.c)
 *
 * Nobody asks for a slot when no operator but the one that fills it names it anywhere in the plan
 * (uses). Rows stay the same with the same multiplicities, in the order in which the first operator
 * that is left finds them. Statements that write stay as they are planned.
 */
#include "config.h"

#include "planner/estimate.h"
#include "planner/range.h"

typedef struct Rewriter {
    Binder *binder;
    Plan *plan;
    uint32_t *uses; /* by slot: how many fields and expressions read it */
    bool *kept;     /* by slot: relationships that are held against others by id */
    bool changed;   /* another round is needed */
    bool apart;     /* a function says something else in each row: none stands for several */
} Rewriter;

/* ---- who reads what ---- */

static void use(Rewriter *rewriter, uint32_t slot)
{
    if (slot != SLOT_NONE) rewriter->uses[slot]++;
}

static void use_expr(Rewriter *rewriter, const Expr *expr)
{
    if (expr == NULL) return;
    if (expr->kind == EXPR_SLOT) use(rewriter, expr->index);
    if (expr->kind == EXPR_CALL && !function_repeats(expr->function)) rewriter->apart = true;
    for (uint32_t i = 0; i < expr->arg_count; i++)
        use_expr(rewriter, expr->args[i]);
}

static void use_items(Rewriter *rewriter, const PlanItem *items, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        use_expr(rewriter, items[i].expr);
}

static void use_chain(Rewriter *rewriter, const PlanNode *node);

static void use_node(Rewriter *rewriter, const PlanNode *node)
{
    use(rewriter, node->from_slot);
    if (node->to_bound) use(rewriter, node->to_slot);
    if (node->kind == PLAN_RELATIONSHIP_ENDS || node->kind == PLAN_WALK) {
        use(rewriter, node->relationship_slot);
        use(rewriter, node->to_slot);
    }
    use(rewriter, node->per_slot);
    use(rewriter, node->collect_slot);
    use_expr(rewriter, node->expr);
    use_expr(rewriter, node->options);
    use_expr(rewriter, node->step);
    use_expr(rewriter, node->limit);
    use_items(rewriter, node->items, node->kind == PLAN_CALL ? 0 : node->item_count);
    for (uint32_t i = 0; i < node->aggregate_count; i++) {
        use_expr(rewriter, node->aggregates[i].spec.argument);
        use_expr(rewriter, node->aggregates[i].spec.extra);
    }
    for (uint32_t i = 0; i < node->slot_count; i++)
        use(rewriter, node->slots[i]);
    for (uint32_t i = 0; i < node->branch_count * node->slot_count; i++)
        use(rewriter, node->branch_slots[i]);
    for (uint32_t i = 0; i < node->expr_count; i++)
        use_expr(rewriter, node->exprs[i]);
    for (uint32_t i = 0; i < node->leg_count; i++) {
        use(rewriter, node->legs[i].slot);
        use_expr(rewriter, node->legs[i].expr);
    }
    for (uint32_t i = 0; i < node->branch_count; i++)
        use_chain(rewriter, node->branches[i]);
    if (node->inner != NULL) use_chain(rewriter, node->inner);
}

static void use_chain(Rewriter *rewriter, const PlanNode *node)
{
    for (; node != NULL; node = node->input)
        use_node(rewriter, node);
}

static void find_uses(Rewriter *rewriter)
{
    const Plan *plan = rewriter->plan;
    use_chain(rewriter, plan->root);
    for (uint32_t i = 0; i < plan->subquery_count; i++) {
        use(rewriter, plan->subqueries[i].collect_slot);
        for (uint32_t s = 0; s < plan->subqueries[i].slot_count; s++)
            use(rewriter, plan->subqueries[i].slots[s]);
        use_chain(rewriter, plan->subqueries[i].inner);
    }
}

/* ---- chains ---- */

/* Calls `each` for every chain of the plan, inner ones first. */
typedef void ChainFn(Rewriter *rewriter, PlanNode **root);

static void each_chain(Rewriter *rewriter, PlanNode **root, ChainFn *each)
{
    for (PlanNode *node = *root; node != NULL; node = node->input) {
        if (node->inner != NULL) each_chain(rewriter, &node->inner, each);
        for (uint32_t i = 0; i < node->branch_count; i++)
            each_chain(rewriter, &node->branches[i], each);
    }
    each(rewriter, root);
}

static void each_plan_chain(Rewriter *rewriter, ChainFn *each)
{
    Plan *plan = rewriter->plan;
    each_chain(rewriter, &plan->root, each);
    for (uint32_t i = 0; i < plan->subquery_count; i++)
        each_chain(rewriter, &plan->subqueries[i].inner, each);
}

/* ---- relationships told apart by their ends ---- */

static bool has_type(const PlanNode *node, Str type)
{
    for (uint32_t i = 0; i < node->type_count; i++)
        if (str_equal(node->types[i].text, type)) return true;
    return node->type_count == 0;
}

/* Is every relationship that `inner` may find one that `outer` may find? */
static bool types_within(const PlanNode *inner, const PlanNode *outer)
{
    if (inner->type_count == 0) return outer->type_count == 0;
    for (uint32_t i = 0; i < inner->type_count; i++)
        if (!has_type(outer, inner->types[i].text)) return false;
    return true;
}

static PlanNode *hop_of(PlanNode *above, uint32_t relationship_slot)
{
    for (PlanNode *node = above->input; node != NULL; node = node->input)
        if (node->relationship_slot == relationship_slot)
            return node->kind == PLAN_EXPAND ? node : NULL;
    return NULL;
}

static bool is_free(const Rewriter *rewriter, uint32_t relationship_slot)
{
    return rewriter->uses[relationship_slot] == 0 && !rewriter->kept[relationship_slot];
}

/* The hop that can be told from `node` by its ends; NULL: by its id only. */
static PlanNode *apart_from(const Rewriter *rewriter, PlanNode *node, uint32_t relationship_slot)
{
    if (node->kind != PLAN_EXPAND || !is_free(rewriter, node->relationship_slot) ||
        !is_free(rewriter, relationship_slot))
        return NULL;
    PlanNode *other = hop_of(node, relationship_slot);
    if (other == NULL || !types_within(other, node) ||
        (other->direction == PLAN_BOTH) != (node->direction == PLAN_BOTH))
        return NULL;
    return other;
}

static void keep(Rewriter *rewriter, uint32_t slot)
{
    if (slot == SLOT_NONE || rewriter->kept[slot]) return;
    rewriter->kept[slot] = rewriter->changed = true;
}

/* What one pair keeps by id may take another pair along. */
static void keep_chain(Rewriter *rewriter, PlanNode **root)
{
    for (PlanNode *node = *root; node != NULL; node = node->input)
        for (uint32_t i = 0; i < node->different_count; i++) {
            if (apart_from(rewriter, node, node->different[i]) != NULL) continue;
            keep(rewriter, node->different[i]);
            keep(rewriter, node->relationship_slot);
        }
}

static void add_apart(Rewriter *rewriter, PlanNode *node, const PlanNode *other)
{
    PlanApart pair = {other->from_slot, other->to_slot};
    if (other->direction != node->direction) pair = (PlanApart){pair.far, pair.near};
    node->apart[node->apart_count++] = pair;
    use(rewriter, pair.near);
    use(rewriter, pair.far);
}

static void part_chain(Rewriter *rewriter, PlanNode **root)
{
    for (PlanNode *node = *root; node != NULL; node = node->input) {
        uint32_t left = 0;
        if (node->different_count > 0)
            node->apart = arena_array(rewriter->binder->arena, PlanApart, node->different_count);
        for (uint32_t i = 0; i < node->different_count; i++) {
            const PlanNode *other = apart_from(rewriter, node, node->different[i]);
            if (other == NULL)
                node->different[left++] = node->different[i];
            else
                add_apart(rewriter, node, other);
        }
        node->different_count = left;
    }
}

/* Only now: hop_of finds hops by their slots. */
static void hide_chain(Rewriter *rewriter, PlanNode **root)
{
    for (PlanNode *node = *root; node != NULL; node = node->input)
        if (node->kind == PLAN_EXPAND && is_free(rewriter, node->relationship_slot))
            node->relationship_slot = SLOT_NONE;
}

static bool is_bare(const PlanNode *node)
{
    return node->kind == PLAN_EXPAND && node->relationship_slot == SLOT_NONE &&
           node->different_count == 0;
}

/* A bare hop that finds its node. */
static bool is_finding(const PlanNode *node)
{
    return is_bare(node) && !node->to_bound && node->to_slot != node->from_slot;
}

/* ---- labels go to the hop ---- */

static NameRef *joined(Rewriter *rewriter, const NameRef *a, uint32_t a_count, const NameRef *b,
                       uint32_t b_count)
{
    NameRef *all = arena_array(rewriter->binder->arena, NameRef, a_count + b_count + 1);
    if (a_count > 0) memcpy(all, a, a_count * sizeof *all);
    if (b_count > 0) memcpy(all + a_count, b, b_count * sizeof *all);
    return all;
}

/* What is left of a condition when the labels of the hop's node are taken out; NULL: nothing. */
static Expr *take_labels(Rewriter *rewriter, Expr *expr, PlanNode *hop)
{
    if (expr->kind == EXPR_AND) {
        Expr *a = take_labels(rewriter, expr->args[0], hop),
             *b = take_labels(rewriter, expr->args[1], hop);
        if (a == expr->args[0] && b == expr->args[1]) return expr;
        return a == NULL ? b : b == NULL ? a : expr_and(rewriter->binder, a, b);
    }
    bool ours = expr->kind == EXPR_HAS_LABELS && expr->args[0]->kind == EXPR_SLOT &&
                expr->args[0]->index == hop->to_slot;
    if (!ours) return expr;
    hop->labels = joined(rewriter, hop->labels, hop->label_count, expr->names, expr->name_count);
    hop->label_count += expr->name_count;
    rewriter->uses[hop->to_slot]--;
    return NULL;
}

static PlanNode *below_filters(PlanNode *node)
{
    while (node != NULL && node->kind == PLAN_FILTER)
        node = node->input;
    return node;
}

static void label_chain(Rewriter *rewriter, PlanNode **root)
{
    for (PlanNode **at = root; *at != NULL;) {
        PlanNode *node = *at, *hop = node->kind == PLAN_FILTER ? below_filters(node) : NULL;
        if (hop != NULL && (is_finding(hop) || hop->kind == PLAN_REACH)) {
            node->expr = take_labels(rewriter, node->expr, hop);
            if (node->expr == NULL) {
                *at = node->input;
                continue;
            }
        }
        at = &node->input;
    }
}

/* ---- LINK and INTERSECT ---- */

static PlanArm *new_arms(Rewriter *rewriter, PlanNode *node, uint32_t count)
{
    node->arms = arena_array(rewriter->binder->arena, PlanArm, count);
    node->arm_count = count;
    return node->arms;
}

static PlanArm arm_of(const PlanNode *hop)
{
    return (PlanArm){.from_slot = hop->from_slot,
                     .direction = hop->direction,
                     .types = hop->types,
                     .type_count = hop->type_count,
                     .labels = hop->labels,
                     .label_count = hop->label_count,
                     .apart = hop->apart,
                     .apart_count = hop->apart_count};
}

static PlanDirection opposite(PlanDirection direction)
{
    return direction == PLAN_OUT ? PLAN_IN : direction == PLAN_IN ? PLAN_OUT : PLAN_BOTH;
}

/* Takes the pair out that names `slot`, which there is once at most. */
static bool take_pair(Rewriter *rewriter, PlanArm *arm, uint32_t slot)
{
    for (uint32_t i = 0; i < arm->apart_count; i++) {
        PlanApart pair = arm->apart[i];
        if (pair.near != slot && pair.far != slot) continue;
        rewriter->uses[pair.near]--;
        rewriter->uses[pair.far]--;
        arm->apart[i] = arm->apart[--arm->apart_count];
        return true;
    }
    return false;
}

/* The hop to a known node, seen from the end that is not `slot`. */
static PlanArm arm_towards(const PlanNode *hop, uint32_t slot)
{
    PlanArm arm = arm_of(hop);
    if (hop->to_slot == slot) return arm;
    arm.from_slot = hop->to_slot;
    arm.direction = opposite(hop->direction);
    for (uint32_t i = 0; i < arm.apart_count; i++)
        arm.apart[i] = (PlanApart){arm.apart[i].far, arm.apart[i].near};
    return arm;
}

/* `closing` leads from a known node to where `hop` ended. The hop becomes the meeting. */
static bool meet(Rewriter *rewriter, PlanNode *hop, PlanNode *closing)
{
    uint32_t slot = hop->to_slot;
    bool ends = closing->to_slot == slot, begins = closing->from_slot == slot;
    if (ends == begins) return false;
    bool same = types_within(hop, closing), within = types_within(closing, hop);
    PlanArm arm = arm_towards(closing, slot);
    bool twins = take_pair(rewriter, &arm, slot);
    if (twins && !(same && within)) { /* back as it was: a rare case that two hops do as well */
        closing->apart_count = arm.apart_count;
        if (begins) arm_towards(closing, slot); /* turns the pairs round again */
        add_apart(rewriter, closing, hop);
        return false;
    }
    PlanArm first = arm_of(hop);
    arm.labels = hop->labels, arm.label_count = hop->label_count;
    first.labels = NULL, first.label_count = 0;
    PlanArm *arms = new_arms(rewriter, hop, 2);
    arms[0] = first, arms[1] = arm;
    rewriter->uses[slot]--;
    hop->kind = PLAN_INTERSECT;
    hop->slot = rewriter->uses[slot] > 0 ? slot : SLOT_NONE;
    hop->twins = twins;
    hop->twin_loop = first.direction != arm.direction;
    return true;
}

static void link_chain(Rewriter *rewriter, PlanNode **root)
{
    for (PlanNode **at = root; *at != NULL;) {
        PlanNode *node = *at;
        if (is_bare(node) && node->to_bound) {
            PlanNode *hop = below_filters(node->input);
            if (hop != NULL && is_finding(hop) && meet(rewriter, hop, node)) {
                *at = node->input;
                continue;
            }
            new_arms(rewriter, node, 1)[0] = arm_of(node);
            node->kind = PLAN_LINK;
        }
        at = &node->input;
    }
}

/* ---- REACH ---- */

/* Does it not matter how often a group's rows come? */
static bool ignores_repeats(const PlanNode *node)
{
    for (uint32_t i = 0; i < node->aggregate_count; i++) {
        const AggregateSpec *spec = &node->aggregates[i].spec;
        bool ignores = spec->distinct || spec->kind == AGGREGATE_MIN || spec->kind == AGGREGATE_MAX;
        if (!ignores || spec->kind == AGGREGATE_COLLECT) return false;
    }
    return true;
}

/* Operators that give a row for each of a row's own, whatever the others are. */
static bool keeps_rows_apart(PlanKind kind)
{
    switch (kind) {
    case PLAN_NODE_SCAN:
    case PLAN_NODE_SEEK:
    case PLAN_NODE_BY_ID:
    case PLAN_RELATIONSHIP_BY_ID:
    case PLAN_EXPAND:
    case PLAN_EXPAND_VARIABLE:
    case PLAN_REACH:
    case PLAN_COUNT:
    case PLAN_DEGREE:
    case PLAN_INTERSECT:
    case PLAN_LINK:
    case PLAN_FILTER:
    case PLAN_PROJECT:
    case PLAN_UNWIND:
    case PLAN_PRODUCE: return true;
    default: return false;
    }
}

static void reach_from(Rewriter *rewriter, PlanNode *root, bool repeats_matter)
{
    for (PlanNode *node = root; node != NULL; node = node->input) {
        if (node->inner != NULL)
            reach_from(rewriter, node->inner,
                       node->kind != PLAN_APPLY || node->apply != APPLY_EXISTS);
        for (uint32_t i = 0; i < node->branch_count; i++)
            reach_from(rewriter, node->branches[i], true);
        if (node->kind == PLAN_DISTINCT)
            repeats_matter = false;
        else if (node->kind == PLAN_AGGREGATE)
            repeats_matter = !ignores_repeats(node);
        else if (!keeps_rows_apart(node->kind))
            repeats_matter = true;
        if (node->kind != PLAN_EXPAND_VARIABLE || repeats_matter || node->to_bound ||
            node->to_slot == node->from_slot || node->step != NULL || node->hops_min > 1 ||
            node->different_count > 0 || !is_free(rewriter, node->relationship_slot))
            continue;
        node->kind = PLAN_REACH;
        node->relationship_slot = SLOT_NONE;
    }
}

/* ---- DEGREE ---- */

static bool found_in(const PlanNode *node, uint32_t slot)
{
    for (; node != NULL; node = node->input) {
        bool scan = node->kind == PLAN_NODE_SCAN || node->kind == PLAN_NODE_SEEK ||
                    node->kind == PLAN_NODE_BY_ID;
        if (scan && node->slot == slot) return true;
        if (node->kind == PLAN_EXPAND && node->relationship_slot == slot) return true;
        if (node->kind == PLAN_EXPAND && !node->to_bound && node->to_slot == slot) return true;
    }
    return false;
}

static bool is_unique(const GraphView *view, const PlanNode *seek)
{
    const GraphIndex *index = plan_index_of_seek(view, seek);
    return index != NULL && index->constraint == GRAPH_UNIQUE &&
           (seek->key_count == 0 || seek->key_count == index->key_count);
}

bool planner_holds(const Plan *plan, const GraphView *view)
{
    return plan->key_seek == NULL || is_unique(view, plan->key_seek);
}

/* One row at most, whatever the graph is: an id, or a key that one node may have (at other moments
 * two may have it). */
static bool gives_one_row(const Rewriter *rewriter, const PlanNode *node)
{
    Plan *plan = rewriter->plan;
    if (node == NULL || node->input == NULL || node->input->kind != PLAN_UNIT) return false;
    if (node->kind == PLAN_NODE_BY_ID) return true;
    if (node->kind != PLAN_NODE_SEEK || !is_unique(rewriter->binder->view, node) ||
        plan->moment_count > 1 || plan->moments[0].expr != NULL ||
        (plan->key_seek != NULL && plan->key_seek != node))
        return false;
    plan->key_seek = node;
    return true;
}

/* From one row REACH gives each node once: counting different ones is counting rows. */
static void count_reached(Rewriter *rewriter, PlanNode **root)
{
    for (PlanNode *node = *root; node != NULL; node = node->input) {
        const PlanNode *reach = below_filters(node->input);
        if (node->kind != PLAN_AGGREGATE || node->item_count > 0 || node->aggregate_count != 1 ||
            reach == NULL || reach->kind != PLAN_REACH || !gives_one_row(rewriter, reach->input))
            continue;
        AggregateSpec *spec = &node->aggregates[0].spec;
        if (spec->kind != AGGREGATE_COUNT || !spec->distinct || spec->argument->kind != EXPR_SLOT ||
            spec->argument->index != reach->to_slot)
            continue;
        rewriter->uses[reach->to_slot]--;
        *spec = (AggregateSpec){.kind = AGGREGATE_COUNT_ROWS};
    }
}

/* What a pattern found is never null: counting it is counting rows. */
static void count_rows(Rewriter *rewriter, PlanNode **root)
{
    for (PlanNode *node = *root; node != NULL; node = node->input)
        for (uint32_t i = 0; i < node->aggregate_count; i++) {
            AggregateSpec *spec = &node->aggregates[i].spec;
            if (spec->kind != AGGREGATE_COUNT || spec->distinct || spec->argument == NULL ||
                spec->argument->kind != EXPR_SLOT || !found_in(node->input, spec->argument->index))
                continue;
            rewriter->uses[spec->argument->index]--;
            spec->kind = AGGREGATE_COUNT_ROWS;
            spec->argument = NULL;
        }
}

/* A node, or the property of one. */
static bool node_of(const Expr *expr, uint32_t *slot, NameRef *key)
{
    *key = (NameRef){{NULL, 0}, NAME_ID_UNKNOWN};
    if (expr->kind == EXPR_PROPERTY) *key = expr->name, expr = expr->args[0];
    *slot = expr->index;
    return expr->kind == EXPR_SLOT && expr->type == VALUE_NODE;
}

/* Is there a key by which nodes of some label are told apart? Where there is none, values would have to
 * be read way by way, which a filter does as well. */
static bool is_some_key(const Rewriter *rewriter, uint32_t key)
{
    const GraphView *view = rewriter->binder->view;
    for (uint32_t i = 0; i < graph_index_count(view->graph); i++) {
        const GraphIndex *index = graph_index_at(view, i);
        if (index == NULL) continue;
        bool unique = !index->vector && index->constraint == GRAPH_UNIQUE;
        if (unique && graph_index_is_on(index, key)) return true;
    }
    return false;
}

static bool takes_unlike(const Rewriter *rewriter, const Expr *expr, const PlanNode *hop,
                         PlanArm *arm)
{
    uint32_t slots[2];
    NameRef keys[2];
    if (expr->kind != EXPR_NOT_EQUAL || rewriter->plan->moment_count > 1 ||
        !node_of(expr->args[0], &slots[0], &keys[0]) ||
        !node_of(expr->args[1], &slots[1], &keys[1]) || slots[0] == slots[1])
        return false;
    bool first = slots[0] == hop->to_slot, keyed = keys[0].text.data != NULL;
    if (!(first || slots[1] == hop->to_slot) || keyed != (keys[1].text.data != NULL)) return false;
    if (keyed && (!str_equal(keys[0].text, keys[1].text) || !is_some_key(rewriter, keys[0].id)))
        return false;
    arm->unlike = true;
    arm->unlike_slot = slots[first ? 1 : 0];
    arm->unlike_key = keys[0];
    return true;
}

static void unlike_chain(Rewriter *rewriter, PlanNode **root)
{
    for (PlanNode **at = root; *at != NULL;) {
        PlanNode *node = *at, *hop = node->input;
        PlanArm arm;
        if (node->kind == PLAN_FILTER && is_finding(hop) && rewriter->uses[hop->to_slot] == 1) {
            arm = arm_of(hop);
            if (takes_unlike(rewriter, node->expr, hop, &arm)) {
                new_arms(rewriter, hop, 1)[0] = arm;
                hop->kind = PLAN_DEGREE;
                rewriter->uses[hop->to_slot]--;
                *at = hop;
                continue;
            }
        }
        at = &node->input;
    }
}

static void degree_chain(Rewriter *rewriter, PlanNode **root)
{
    for (PlanNode *node = *root; node != NULL; node = node->input) {
        if (node->kind == PLAN_REACH) node->counted = rewriter->uses[node->to_slot] == 0;
        if (!is_finding(node) || rewriter->uses[node->to_slot] > 0) continue;
        new_arms(rewriter, node, 1)[0] = arm_of(node);
        node->kind = PLAN_DEGREE;
    }
}

/* ---- COUNT, and two hops from the middle ---- */

/* `degree` counts ways on from where `hop` ends, which began at `scan`, of whom nobody else wants to
 * know: both are counted from the middle. */
static bool from_the_middle(Rewriter *rewriter, PlanNode *scan, PlanNode *hop, PlanNode *degree)
{
    uint32_t outer = scan->slot, middle = hop->to_slot;
    if (degree->arm_count != 1 || degree->arms[0].from_slot != middle || hop->apart_count > 0 ||
        hop->from_slot != outer || degree->arms[0].apart_count > 1 || degree->arms[0].unlike)
        return false;
    bool pair = degree->arms[0].apart_count == 1;
    if (rewriter->uses[outer] != 1 + (uint32_t)pair) return false;
    const GraphView *view = rewriter->binder->view;
    EstimateHop over = {hop->types, hop->type_count, hop->direction};
    if (estimate_nodes(view, (EstimateLabels){hop->labels, hop->label_count}) >
        estimate_nodes(view, (EstimateLabels){scan->labels, scan->label_count}) +
            estimate_relationships(view, &over))
        return false;
    PlanArm on = degree->arms[0], back = arm_of(hop);
    if (pair && !take_pair(rewriter, &on, outer)) return false;
    back.from_slot = middle;
    back.direction = opposite(hop->direction);
    back.labels = scan->labels, back.label_count = scan->label_count;
    PlanArm *arms = new_arms(rewriter, degree, pair ? 3 : 2);
    arms[0] = back, arms[1] = on;
    if (pair) {
        arms[2] = back;
        arms[2].labels = joined(rewriter, back.labels, back.label_count, on.labels, on.label_count);
        arms[2].label_count = back.label_count + on.label_count;
        arms[2].loops = back.direction != on.direction;
    }
    scan->slot = middle;
    scan->labels = hop->labels, scan->label_count = hop->label_count;
    return true;
}

static void count_scan(PlanNode *scan)
{
    scan->kind = PLAN_COUNT;
    scan->slot = SLOT_NONE;
}

static void count_chain(Rewriter *rewriter, PlanNode **root)
{
    for (PlanNode **at = root; *at != NULL;) {
        PlanNode *node = *at, *below = below_filters(node->input);
        PlanNode *scan = below == NULL ? NULL : below->input;
        if (node->kind == PLAN_DEGREE && below != NULL && is_finding(below) && scan != NULL &&
            scan->kind == PLAN_NODE_SCAN && from_the_middle(rewriter, scan, below, node)) {
            PlanNode **last = &node->input;
            while (*last != below)
                last = &(*last)->input;
            *last = scan;
        }
        scan = node->input;
        if (node->kind == PLAN_DEGREE && node->arm_count == 1 && node->arms[0].apart_count == 0 &&
            !node->arms[0].unlike && scan != NULL && scan->kind == PLAN_NODE_SCAN &&
            scan->slot == node->arms[0].from_slot && rewriter->uses[scan->slot] == 1) {
            scan->arms = node->arms, scan->arm_count = 1;
            count_scan(scan);
            *at = scan;
            continue;
        }
        if (node->kind == PLAN_NODE_SCAN && rewriter->uses[node->slot] == 0) count_scan(node);
        at = &node->input;
    }
}

/* ---- filters as masks ---- */

static bool uses_alone(const Expr *expr, uint32_t slot)
{
    if (expr->kind == EXPR_SLOT) return expr->index == slot;
    for (uint32_t i = 0; i < expr->arg_count; i++)
        if (!uses_alone(expr->args[i], slot)) return false;
    return true;
}

/* A node that hops lead to is asked as often as they do; what it answers is always the same. */
static void mask_chain(Rewriter *rewriter, PlanNode **root)
{
    (void)rewriter;
    for (PlanNode *node = *root; node != NULL; node = node->input) {
        const PlanNode *hop = node->input;
        if (node->kind != PLAN_FILTER || hop == NULL || hop->kind != PLAN_EXPAND || hop->to_bound)
            continue;
        node->masks = !node->lenient && node->expr->type == VALUE_BOOLEAN &&
                      expr_never_fails(node->expr) && uses_alone(node->expr, hop->to_slot);
        node->slot = hop->to_slot;
    }
}

static void order_chain(Rewriter *rewriter, PlanNode **root)
{
    plan_order_by_index(rewriter->binder, root);
}

/* ---- what the best rows keep ---- */

static bool reads_what_it_says(PlanKind kind)
{
    return kind == PLAN_PRODUCE || kind == PLAN_PROJECT || kind == PLAN_FILTER ||
           kind == PLAN_SORT || kind == PLAN_SKIP || kind == PLAN_LIMIT || kind == PLAN_AGGREGATE ||
           kind == PLAN_DISTINCT;
}

/* Of a scored row only what somebody above reads is kept, and what was scored. */
static void narrow_score(Rewriter *rewriter)
{
    Plan *plan = rewriter->plan;
    PlanNode *score = plan->root;
    while (score != NULL && reads_what_it_says(score->kind))
        score = score->input;
    if (score == NULL || score->kind != PLAN_SCORE) return;
    Rewriter all = *rewriter, below = *rewriter;
    all.uses = arena_array(rewriter->binder->arena, uint32_t, plan->slot_count + 1);
    below.uses = arena_array(rewriter->binder->arena, uint32_t, plan->slot_count + 1);
    find_uses(&all);
    use_chain(&below, score);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < score->slot_count; i++) {
        uint32_t slot = score->slots[i];
        if (all.uses[slot] > below.uses[slot] || slot == score->legs[0].slot)
            score->slots[kept++] = slot;
    }
    score->slot_count = kept;
}

void plan_rewrite(Binder *binder)
{
    Plan *plan = binder->plan;
    Rewriter rewriter = {.binder = binder, .plan = plan};
    rewriter.uses = arena_array(binder->arena, uint32_t, plan->slot_count + 1);
    rewriter.kept = arena_array(binder->arena, bool, plan->slot_count + 1);
    find_uses(&rewriter);
    do {
        rewriter.changed = false;
        each_plan_chain(&rewriter, keep_chain);
    } while (rewriter.changed);
    if (!rewriter.apart) reach_from(&rewriter, plan->root, true);
    static ChainFn *const steps[] = {part_chain,  hide_chain,    label_chain,  link_chain,
                                     count_rows,  count_reached, unlike_chain, degree_chain,
                                     count_chain, order_chain,   mask_chain};
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++)
        if (!rewriter.apart || steps[i] == label_chain || steps[i] == order_chain)
            each_plan_chain(&rewriter, steps[i]);
    narrow_score(&rewriter);
}
