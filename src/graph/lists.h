/*
 * lists.h - neighbors where they lie, for whoever goes over very many of them: counting, marking,
 * intersecting. What is not plain (a delta, deletions, an older view) is left to graph_walk.
 *
 * Like a GraphWalk, lists see what the view saw when they were made; a writer makes them anew.
 */
#ifndef GRAPH_LISTS_H
#define GRAPH_LISTS_H
#include "graph/graph.h"

/* One direction of one type. Members are graph_list's business. */
typedef struct GraphLists {
    uint64_t first_word, word_count;
    const uint64_t *bits;
    const uint32_t *ranks, *offsets, *targets;
    uint32_t entry_count;
    const void *delta; /* NULL: there is none */
} GraphLists;
/* Checks all of the adjacency at once where it was not yet: a cost in proportion to it, to be paid
 * once. false: it is not plain. Not for GRAPH_BOTH. */
bool graph_lists(const GraphView *view, uint32_t type, GraphDirection direction, GraphLists *out);
/* Has the node relationships beside its list? */
bool graph_list_has_delta(const GraphLists *lists, uint64_t node);
/* The node's neighbors, in the order of creation; false: graph_walk must be asked. */
static inline bool graph_list(const GraphLists *lists, uint64_t node, const uint32_t **targets,
                              uint32_t *count)
{
    uint64_t word = node / 64 - lists->first_word; /* wraps around below it */
    *count = 0;
    if (lists->delta != NULL && graph_list_has_delta(lists, node)) return false;
    if (word >= lists->word_count || (lists->bits[word] >> node % 64 & 1) == 0) return true;
    uint64_t before = lists->bits[word] & ((UINT64_C(1) << node % 64) - 1);
    uint32_t slice = lists->ranks[word] + (uint32_t)__builtin_popcountll(before);
    *targets = lists->targets + lists->offsets[slice];
    *count = lists->offsets[slice + 1] - lists->offsets[slice];
    return true;
}

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
