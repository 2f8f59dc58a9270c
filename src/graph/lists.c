/* lists.c - degrees of many nodes, label sets as bits, and totals that need no counting. Lists are made
 * in adjacency.c. */
#include "config.h"

#include "graph/graph_internal.h"
#include "graph/lists.h"

/* ---- degrees ---- */

/* Of all nodes of a group. Who has no list comes to where the next one begins, and goes on there. */
static void group_counts(const GraphLists *lists, const GraphGroup *group, uint32_t counts[64])
{
    const uint16_t *own = lists->offsets + group->rank;
    uint64_t bits = group->bits;
    if (bits == 0) {
        memset(counts, 0, 64 * sizeof *counts);
    } else if (group[1].base - group->base <= UINT16_MAX && bits == UINT64_MAX) {
        for (uint32_t i = 0; i < 64; i++)
            counts[i] = (uint32_t)own[i + 1] - own[i];
    } else if (group[1].base - group->base <= UINT16_MAX) {
        uint32_t at = 0, from = own[0];
        for (uint32_t i = 0; i < 64; i++) {
            at += bits >> i & 1;
            counts[i] = own[at] - from;
            from = own[at];
        }
    } else {
        for (uint32_t i = 0, from, to; i < 64; i++) {
            from = to = 0;
            if (bits >> i & 1)
                graph_group_list(group, lists->offsets, graph_group_place(group, i), &from, &to);
            counts[i] = to - from;
        }
    }
}

/* The 64 nodes of a group, in their order? */
static bool is_group(const uint64_t *nodes)
{
    uint64_t apart = nodes[0] % 64;
    for (uint32_t i = 0; i < 64; i++)
        apart |= nodes[i] ^ (nodes[0] + i);
    return apart == 0;
}

void graph_list_counts(const GraphLists *lists, const uint64_t *nodes, const uint16_t *positions,
                       uint32_t count, uint32_t *out)
{
    enum { MANY = 16 }; /* nodes of a group, about: then all of it is counted */
    uint32_t counts[64];
    uint64_t counted = lists->group_count; /* no group: those below the first wrap around */
    const uint32_t *targets;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t position = positions == NULL ? i : positions[i];
        uint64_t node = nodes[position], group = node / 64 - lists->first_group;
        bool whole = positions == NULL && node % 64 == 0 && i + 64 <= count &&
                     group < lists->group_count && is_group(nodes + i);
        if (whole) {
            group_counts(lists, &lists->groups[group], out + i);
            i += 63;
            continue;
        }
        if (group != counted && i + MANY < count && group < lists->group_count &&
            nodes[positions == NULL ? i + MANY : positions[i + MANY]] / 64 == node / 64) {
            group_counts(lists, &lists->groups[group], counts);
            counted = group;
        }
        if (group == counted && group < lists->group_count)
            out[position] = counts[node % 64];
        else
            (void)graph_list(lists, node, &targets, &out[position]); /* no delta: always told */
    }
}

static bool holds_itself(const GraphLists *lists, uint64_t node)
{
    const uint32_t *targets;
    uint32_t count, own = 0;
    (void)graph_list(lists, node, &targets, &count);
    for (uint32_t i = 0; i < count; i++)
        own |= targets[i] == node;
    return own != 0;
}

bool graph_lists_loopless(const GraphLists *lists)
{
    Csr *base = lists->base;
    if (base == NULL) return true;
    uint8_t known = atomic_load_explicit(&base->loops, memory_order_relaxed);
    if (known != CSR_LOOPS_UNKNOWN) return known == CSR_LOOPS_NONE;
    bool some = false;
    for (uint64_t g = 0; g < lists->group_count && !some; g++)
        for (uint64_t bits = lists->groups[g].bits; bits != 0 && !some; bits &= bits - 1)
            some = holds_itself(lists,
                                (lists->first_group + g) * 64 + (uint64_t)__builtin_ctzll(bits));
    atomic_store_explicit(&base->loops, some ? CSR_LOOPS_SOME : CSR_LOOPS_NONE,
                          memory_order_relaxed);
    return !some;
}

/* ---- label sets ---- */

static uint64_t count_bits(const uint64_t words[GRAPH_BLOCK_WORDS])
{
    uint64_t count = 0;
    for (int i = 0; i < GRAPH_BLOCK_WORDS; i++)
        count += (uint64_t)__builtin_popcountll(words[i]);
    return count;
}

void graph_label_set_make(const GraphView *view, const uint32_t *labels, uint32_t label_count,
                          Arena *arena, GraphLabelSet *out)
{
    uint64_t blocks = graph_block_count(view), every = 0, all[GRAPH_BLOCK_WORDS];
    *out = (GraphLabelSet){.word_count = blocks * GRAPH_BLOCK_WORDS};
    uint64_t *words = arena_array(arena, uint64_t, out->word_count + 1);
    for (uint64_t block = 0; block < blocks; block++) {
        uint64_t *own = words + block * GRAPH_BLOCK_WORDS;
        if (graph_scan_block(view, labels, label_count, block, own))
            out->count += count_bits(own);
        else
            memset(own, 0, sizeof all); /* it may have been begun */
        if (label_count > 0 && graph_scan_block(view, NULL, 0, block, all))
            every += count_bits(all);
    }
    out->words = words;
    out->all = label_count == 0 || out->count == every;
}

/* As many nodes have the label as there are, nobody got or lost it later than he was made, and the
 * counts are the view's: see graph_relationship_total. */
bool graph_labels_cover(const GraphView *view, const uint32_t *labels, uint32_t label_count)
{
    const Rows *rows = &view->graph->nodes.rows;
    uint64_t all = atomic_load_explicit(&rows->live, memory_order_acquire);
    for (uint32_t i = 0; i < label_count; i++) {
        const Label *label =
            labels[i] == GRAPH_NAME_UNKNOWN ? NULL : directory_get(&view->graph->labels, labels[i]);
        if (label == NULL || atomic_load(&label->live) != all ||
            atomic_load(&label->exact_from) > view->version) /* told before it is counted */
            return false;
    }
    return atomic_load(&rows->created_max) <= view->version &&
           atomic_load(&rows->deleted_max) <= view->version;
}

/* `live` is the newest version's, the pending one's too: it is the view's only if nothing was
 * created or deleted since, also while it was read. */
bool graph_relationship_total(const GraphView *view, uint32_t type, uint64_t *out)
{
    const RelationshipType *relationships = graph_type(view->graph, type);
    *out = 0;
    if (relationships == NULL) return true;
    const Rows *rows = &relationships->table.rows;
    *out = atomic_load_explicit(&rows->live, memory_order_acquire);
    return atomic_load(&rows->created_max) <= view->version &&
           atomic_load(&rows->deleted_max) <= view->version;
}
