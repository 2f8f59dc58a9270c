/* order.c - the cheapest way through a pattern; order.h says how. */
#include "config.h"

#include "planner/order.h"
#include <assert.h>

typedef struct Way { /* the best one over a set of relationships */
    double cost, rows;
    bool known;
    int8_t start, last; /* the node it began with or ORDER_NONE; the last relationship */
} Way;

typedef struct Ordering {
    const OrderNode *nodes;
    const OrderRelationship *relationships;
    uint32_t count;
    Way *ways; /* by set */
} Ordering;

static bool is_bound(const Ordering *ordering, uint32_t set, int start, uint32_t node)
{
    if (ordering->nodes[node].bound || (int)node == start) return true;
    for (uint32_t r = 0; r < ordering->count; r++)
        if ((set >> r & 1) && (ordering->relationships[r].ends[0] == node ||
                               ordering->relationships[r].ends[1] == node))
            return true;
    return false;
}

/* Over a walked relationship the node was reached, if it was not there before. */
static double fan_of(const Ordering *ordering, const OrderRelationship *next, int end, uint32_t set,
                     int start)
{
    uint32_t node = next->ends[end];
    if (ordering->nodes[node].bound || (int)node == start) return next->fan[end];
    for (uint32_t r = 0; r < ordering->count; r++)
        if ((set >> r & 1) && next->via[end][r] >= 0) return next->via[end][r];
    return next->fan[end];
}

/* `from` and one relationship more; false: it touches nothing that is bound. */
static bool go_on(const Ordering *ordering, const Way *from, uint32_t set, int start, uint32_t r,
                  Way *out)
{
    const OrderRelationship *next = &ordering->relationships[r];
    bool bound[2] = {is_bound(ordering, set, start, next->ends[0]),
                     is_bound(ordering, set, start, next->ends[1])};
    if (!bound[0] && !bound[1]) return false;
    *out = *from;
    out->known = true;
    out->start = (int8_t)start;
    out->last = (int8_t)r;
    if (bound[0] && bound[1]) {
        double link = next->link[0] < next->link[1] ? next->link[0] : next->link[1];
        out->rows = from->rows * link;
        out->cost = from->cost + from->rows + out->rows;
        return true;
    }
    int end = bound[0] ? 0 : 1;
    double found = from->rows * fan_of(ordering, next, end, set, start);
    out->rows = found * ordering->nodes[next->ends[1 - end]].keep;
    out->cost = from->cost + from->rows + found;
    return true;
}

static void consider(Ordering *ordering, const Way *from, uint32_t set, int start, uint32_t r)
{
    Way way, *best = &ordering->ways[set | 1u << r];
    if (!go_on(ordering, from, set, start, r, &way)) return;
    if (!best->known || way.cost < best->cost) *best = way; /* equal: the first found stays */
}

static void first_steps(Ordering *ordering, uint32_t node_count)
{
    Way nothing = {.rows = 1, .start = ORDER_NONE, .last = ORDER_NONE};
    bool touched = false;
    for (uint32_t r = 0; r < ordering->count; r++) {
        const uint32_t *ends = ordering->relationships[r].ends;
        touched = touched || ordering->nodes[ends[0]].bound || ordering->nodes[ends[1]].bound;
        consider(ordering, &nothing, 0, ORDER_NONE, r);
    }
    for (uint32_t n = 0; n < node_count && !touched; n++) {
        Way start = {.cost = ordering->nodes[n].cost, .rows = ordering->nodes[n].rows};
        if (ordering->nodes[n].bound) continue;
        for (uint32_t r = 0; r < ordering->count; r++)
            if (ordering->relationships[r].ends[0] == n || ordering->relationships[r].ends[1] == n)
                consider(ordering, &start, 0, (int)n, r);
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
    assert(count <= ORDER_RELATIONSHIPS_MAX && node_count <= INT8_MAX);
    Ordering ordering = {nodes, relationships, count, arena_array(arena, Way, 1ul << count)};
    uint32_t best = 0;
    first_steps(&ordering, node_count);
    for (uint32_t set = 1; set < 1u << count; set++) {
        const Way *way = &ordering.ways[set];
        if (!way->known) continue;
        for (uint32_t r = 0; r < count; r++)
            if ((set >> r & 1) == 0) consider(&ordering, way, set, way->start, r);
        bool more = __builtin_popcount(set) > __builtin_popcount(best);
        bool cheaper = __builtin_popcount(set) == __builtin_popcount(best) &&
                       way->cost < ordering.ways[best].cost;
        if (best == 0 || more || cheaper) best = set;
    }
    return steps_of(&ordering, best, steps);
}
