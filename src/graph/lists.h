/*
 * lists.h - neighbors where they lie, for whoever goes over very many of them: counting, marking,
 * intersecting. What is not plain (a delta, deletions, an older view) is left to graph_walk.
 *
 * Like a GraphWalk, lists see what the view saw when they were made; a writer makes them anew.
 */
#ifndef GRAPH_LISTS_H
#define GRAPH_LISTS_H
#include "graph/graph.h"
#include <string.h>

/*
 * Where the lists of 64 nodes lie, one line of memory for a quarter of them. Only nodes that have
 * neighbors have a list, and list k of a group is [base + own[k], base + own[k + 1]) with `own`
 * behind offsets[rank]: of 16 bits each, or of 32, as pairs, where the group has more entries than
 * that can say. A group of no entries follows the last one.
 */
typedef struct GraphGroup {
    uint64_t bits; /* which of the nodes have a list */
    uint32_t rank, base;
} GraphGroup;
static inline void graph_group_list(const GraphGroup *group, const uint16_t *offsets, uint32_t k,
                                    uint32_t *from, uint32_t *to)
{
    const uint16_t *own = offsets + group->rank;
    uint32_t wide[2];
    if (group[1].base - group->base <= UINT16_MAX) {
        *from = group->base + own[k], *to = group->base + own[k + 1];
        return;
    }
    memcpy(wide, own + 2ul * k, sizeof wide);
    *from = group->base + wide[0], *to = group->base + wide[1];
}
/* How many bits are set (Warren, Hacker's Delight, 5-1): the baseline of x86-64 has no instruction for
 * it, and what compilers call instead is a table. */
static inline uint32_t graph_bits_set(uint64_t bits)
{
    bits -= bits >> 1 & UINT64_C(0x5555555555555555);
    bits = (bits & UINT64_C(0x3333333333333333)) + (bits >> 2 & UINT64_C(0x3333333333333333));
    bits = (bits + (bits >> 4)) & UINT64_C(0x0f0f0f0f0f0f0f0f);
    return (uint32_t)(bits * UINT64_C(0x0101010101010101) >> 56);
}
/* Which list of its group is the node's, if it has one. */
static inline uint32_t graph_group_place(const GraphGroup *group, uint64_t node)
{
    return graph_bits_set(group->bits & ((UINT64_C(1) << node % 64) - 1));
}

/* One direction of one type. Members are graph_list's business. */
typedef struct GraphLists {
    uint64_t first_group, group_count;
    const GraphGroup *groups;
    const uint16_t *offsets;
    const uint32_t *targets;
    uint32_t entry_count;
    const void *delta; /* NULL: there is none */
    void *base;        /* NULL: there are no lists */
} GraphLists;
/* Checks all of the adjacency at once where it was not yet: a cost in proportion to it, to be paid
 * once. false: it is not plain. Not for GRAPH_BOTH. */
bool graph_lists(const GraphView *view, uint32_t type, GraphDirection direction, GraphLists *out);
/* Are the node's relationships others than those in its list? */
bool graph_list_has_delta(const GraphLists *lists, uint64_t node);
/* The node's neighbors, in the order of creation; false: graph_walk must be asked. */
static inline bool graph_list(const GraphLists *lists, uint64_t node, const uint32_t **targets,
                              uint32_t *count)
{
    uint64_t at = node / 64 - lists->first_group; /* wraps around below it */
    uint32_t from, to;
    *count = 0;
    if (lists->delta != NULL && graph_list_has_delta(lists, node)) return false;
    if (at >= lists->group_count) return true;
    const GraphGroup *group = &lists->groups[at];
    if ((group->bits >> node % 64 & 1) == 0) return true;
    graph_group_list(group, lists->offsets, graph_group_place(group, node), &from, &to);
    *targets = lists->targets + from;
    *count = to - from;
    return true;
}

/* How many neighbors nodes have, for lists without a delta; best for nodes that ascend. Of nodes[i] at
 * positions[0], .. (NULL: 0, 1, ..), as many as `count`; out has the same places as nodes. */
void graph_list_counts(const GraphLists *lists, const uint64_t *nodes, const uint16_t *positions,
                       uint32_t count, uint32_t *out);
/* Does the list of no node hold the node itself? Looked up once, and known from then on. For lists
 * without a delta. */
bool graph_lists_loopless(const GraphLists *lists);

/* The nodes that have all of some labels, as bits: made once, asked of each node that is met. */
typedef struct GraphLabelSet {
    bool all;              /* every node the view shows: `words` is not needed */
    const uint64_t *words; /* NULL if `all` */
    uint64_t word_count;
    uint64_t count; /* nodes in it */
} GraphLabelSet;
void graph_label_set_make(const GraphView *view, const uint32_t *labels, uint32_t label_count,
                          Arena *arena, GraphLabelSet *out);
static inline bool graph_label_set_has(const GraphLabelSet *set, uint64_t node)
{
    if (set->all) return true;
    return node / 64 < set->word_count && (set->words[node / 64] >> node % 64 & 1);
}

/* Do all nodes the view shows have the labels, as far as that is known without a look at them? */
bool graph_labels_cover(const GraphView *view, const uint32_t *labels, uint32_t label_count);

/* How many relationships of the type the view shows, where that is known without counting. */
bool graph_relationship_total(const GraphView *view, uint32_t type, uint64_t *out);
#endif
