/* lists.c - label sets as bits, and totals that need no counting. Lists are made in adjacency.c. */
#include "config.h"

#include "graph/graph_internal.h"
#include "graph/lists.h"

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
        if (label == NULL || atomic_load(&label->loose) || atomic_load(&label->live) != all)
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
