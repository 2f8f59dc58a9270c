/* adjacent.h - where an arm of the plan leads, without the relationships: for counting (count.c) and
 * for meeting (intersect.c), and for the hop whose relationship nobody asks for (expand.c). */
#ifndef EXECUTION_ADJACENT_H
#define EXECUTION_ADJACENT_H
#include "execution/operator_internal.h"
#include "graph/lists.h"

/* Neighbors of one node by one direction of one type. */
typedef struct Span {
    const uint32_t *targets;
    uint32_t count;
    bool loopless; /* the node itself does not count: it came the other way */
} Span;

typedef struct Adjacent {
    Operator *operator;
    PlanArm plan;
    Arena *arena;  /* of what is made anew after a write */
    uint64_t made; /* in which run of the execution; 0: in none */
    uint32_t *types, type_count;
    uint32_t *labels;
    GraphWalk *walk;
    GraphLists *lists; /* by type and direction; NULL until many nodes were asked */
    bool *plain;
    const GraphLists *only; /* where there is one type and direction, and it is plain; else NULL */
    bool covered;           /* all nodes have the labels, or all that the arm may lead to */
    bool set_made;          /* when many labels were tested */
    bool ends_tested;       /* all of them at once */
    GraphLabelSet set;
    uint64_t asked;
    uint64_t tested;   /* labels of ends */
    uint64_t all_ends; /* of the lists; when so many were tested, all of them are, once */
    Neighbors found;
    uint32_t *copied; /* `found` as a span */
    size_t copied_capacity;
    Span *spans;
    uint64_t *far; /* as many as the plan names pairs */
    struct {
        bool known; /* in this run */
        bool nodes; /* it is enough to compare the nodes */
        uint32_t key;
        uint32_t label; /* ... of those that have it; GRAPH_NAME_UNKNOWN: of all */
        uint64_t *ends; /* else: of a node, */
        size_t end_capacity;
        Arena *arena; /* and what they have; NULL: never asked */
    } unlike;
} Adjacent;

void adjacent_open(Operator *operator, const PlanArm * plan, Adjacent *out);
void adjacent_close(Adjacent *adjacent);
/* Before each batch of input: in another run, or where the statement writes, all is made anew. true:
 * it was. */
bool adjacent_renew(Adjacent *adjacent);
/* It will be asked of very many nodes: what that takes is made now. */
void adjacent_prepare(Adjacent *adjacent);
/* The node's neighbors, whatever their labels; they live until the next call. */
uint32_t adjacent_spans(Adjacent *adjacent, uint64_t node, const Span **out);
bool adjacent_labels_fit(Adjacent *adjacent, uint64_t node);
/* Need no end be tested? */
static inline bool adjacent_any_label(const Adjacent *adjacent)
{
    return adjacent->covered;
}
/* How many ways lead on; apart from those the row at `position` has used. */
uint64_t adjacent_count(Adjacent *adjacent, uint64_t node);
uint64_t adjacent_count_apart(Adjacent *adjacent, const Batch *batch, uint32_t position,
                              uint64_t node);
/* The same where the arm leads to nodes unlike another one. */
uint64_t adjacent_count_unlike(Adjacent *adjacent, const Batch *batch, uint32_t position,
                               uint64_t node);
/* How many relationships of `node` the row has used; their other ends are in adjacent->far. */
uint32_t adjacent_used(Adjacent *adjacent, const Batch *batch, uint32_t position, uint64_t node);
/* The product; ERROR_LIMIT: there is none in 64 bits. */
Error *times_rows(uint64_t times, uint64_t rows, uint64_t *out) MUST_CHECK;
#endif
