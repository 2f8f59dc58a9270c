/* order.c - the cheapest way through a pattern; order.h says how. */
#include "config.h"

#include "planner/order.h"
#include <assert.h>

typedef struct Way { /* the best one over a set of relationships */
    double cost, rows;
    uint64_t nodes; /* a bit a node: those that have a value by now */
    bool known;
    int8_t start, last; /* the node it began with or ORDER_NONE; the last relationship */
} Way;

typedef struct Ordering {
    const OrderNode *nodes;
    const OrderRelationship *relationships;
    uint32_t count;
    Way *ways; /* by set */
} Ordering;

/* Over a walked relationship the node was reached; or it was left by one, and then stands in as many
 * rows as it has of them: either way nodes with many are there more often. */
static double fan_of(const Ordering *ordering, const OrderRelationship *next, int end, uint32_t set)
{
    for (uint32_t r = 0; r < ordering->count; r++)
        if ((set >> r & 1) && next->via[end][r] >= 0) return next->via[end][r];
    return next->fan[end];
}

/* `from` and one relationship more; false: it touches nothing that is bound. */
static bool go_on(const Ordering *ordering, const Way *from, uint32_t set, uint32_t r, Way *out)
{
    const OrderRelationship *next = &ordering->relationships[r];
    bool bound[2] = {from->nodes >> next->ends[0] & 1, from->nodes >> next->ends[1] & 1};
    if (!bound[0] && !bound[1]) return false;
    *out = *from;
    out->known = true;
    out->nodes |= UINT64_C(1) << next->ends[0] | UINT64_C(1) << next->ends[1];
    out->last = (int8_t)r;
    if (bound[0] && bound[1]) {
        double link = next->link[0] < next->link[1] ? next->link[0] : next->link[1];
        out->rows = from->rows * link;
        out->cost = from->cost + from->rows + out->rows;
        return true;
    }
    int end = bound[0] ? 0 : 1;
    double found = from->rows * fan_of(ordering, next, end, set);
    out->rows = found * ordering->nodes[next->ends[1 - end]].keep;
    out->cost = from->cost + from->rows + found;
    return true;
}

static void consider(Ordering *ordering, const Way *from, uint32_t set, uint32_t r)
{
    Way way, *best = &ordering->ways[set | 1u << r];
    if (!go_on(ordering, from, set, r, &way)) return;
    if (!best->known || way.cost < best->cost) *best = way; /* equal: the first found stays */
}

static void first_steps(Ordering *ordering, uint32_t node_count)
{
    Way nothing = {.rows = 1, .start = ORDER_NONE, .last = ORDER_NONE};
    bool touched = false;
    for (uint32_t n = 0; n < node_count; n++)
        if (ordering->nodes[n].bound) nothing.nodes |= UINT64_C(1) << n;
    for (uint32_t r = 0; r < ordering->count; r++) {
        const uint32_t *ends = ordering->relationships[r].ends;
        touched = touched || ordering->nodes[ends[0]].bound || ordering->nodes[ends[1]].bound;
        consider(ordering, &nothing, 0, r);
    }
    for (uint32_t n = 0; n < node_count && !touched; n++) {
        Way start = {.cost = ordering->nodes[n].cost,
                     .rows = ordering->nodes[n].rows,
                     .nodes = nothing.nodes | UINT64_C(1) << n,
                     .start = (int8_t)n};
        if (ordering->nodes[n].bound) continue;
        for (uint32_t r = 0; r < ordering->count; r++)
            if (ordering->relationships[r].ends[0] == n || ordering->relationships[r].ends[1] == n)
                consider(ordering, &start, 0, r);
    }
}

static uint32_t steps_of(const Ordering *ordering, uint32_t set, OrderStep *steps)
{
    uint32_t count = (uint32_t)__builtin_popcount(set);
    for (uint32_t i = count; i > 0; i--) {
        const Way *way = &ordering->ways[set];
        steps[i - 1] = (OrderStep){ORDER_NONE, way->last};
        if (i == 1) steps[0].node = way->start;
        set &= ~(1u << way->last);
    }
    return count;
}

uint32_t order_find(Arena *arena, const OrderNode *nodes, uint32_t node_count,
                    const OrderRelationship *relationships, uint32_t count, OrderStep *steps)
{
    assert(count <= ORDER_RELATIONSHIPS_MAX && node_count <= ORDER_NODES_MAX);
    Ordering ordering = {nodes, relationships, count, arena_array(arena, Way, 1ul << count)};
    uint32_t best = 0;
    first_steps(&ordering, node_count);
    for (uint32_t set = 1; set < 1u << count; set++) {
        const Way *way = &ordering.ways[set];
        if (!way->known) continue;
        for (uint32_t r = 0; r < count; r++)
            if ((set >> r & 1) == 0) consider(&ordering, way, set, r);
        bool more = __builtin_popcount(set) > __builtin_popcount(best);
        bool cheaper = __builtin_popcount(set) == __builtin_popcount(best) &&
                       way->cost < ordering.ways[best].cost;
        if (best == 0 || more || cheaper) best = set;
    }
    return steps_of(&ordering, best, steps);
}
