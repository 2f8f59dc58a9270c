/*
 * path.c - the lightest ways from one node: to another, or to all that can be reached.
 *
 * Dijkstra over a binary heap. What is kept grows with the nodes that were touched, never with the graph:
 * each has a number, found by its id in a table. Of two nodes that are equally far the one with the lower
 * id is settled first, and a way is taken only if it is lighter than the one before, so the same graph
 * gives the same path.
 *
 * Weights are a property of relationships, numbers that are not negative: with negative ones "lightest"
 * may have no answer. Without `weight` each relationship weighs 1. Where the property is missing
 * `missing` stands for it; without that option it is an error, for neither "free" nor "impassable" is
 * what everybody means.
 */
#include "config.h"

#include "algorithm/algorithm_internal.h"
#include "base/map.h"
#include <math.h>

typedef struct Spot {            /* a node that was touched */
    uint64_t node, relationship; /* by which it is reached best so far */
    double distance;
    uint32_t before; /* number of the node before it */
    uint32_t heap;   /* its place in the heap; SETTLED */
} Spot;
enum { SETTLED = UINT32_MAX };

typedef struct Search {
    Run *run;
    IntMap *numbers; /* node to number */
    Spot *spots;
    size_t count, capacity;
    uint32_t *heap; /* numbers of spots, nearest first */
    size_t heap_count, heap_capacity;
    GraphWalk *walk;
    Neighbors found;
    Arena *arena; /* of one node's weights */
    uint32_t key; /* of the weight; GRAPH_NAME_UNKNOWN: nobody has it */
    bool weighed; /* there is the option */
    bool may_miss;
    double missing, most; /* farther ones are not looked at */
} Search;

/* ---- the heap ---- */

static bool is_nearer(const Search *search, uint32_t a, uint32_t b)
{
    const Spot *x = &search->spots[a], *y = &search->spots[b];
    return x->distance < y->distance || (x->distance == y->distance && x->node < y->node);
}

static void put(Search *search, size_t at, uint32_t spot)
{
    search->heap[at] = spot;
    search->spots[spot].heap = (uint32_t)at;
}

static void rise(Search *search, size_t at)
{
    uint32_t spot = search->heap[at];
    while (at > 0 && is_nearer(search, spot, search->heap[(at - 1) / 2])) {
        put(search, at, search->heap[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    put(search, at, spot);
}

static uint32_t take_nearest(Search *search)
{
    uint32_t nearest = search->heap[0], last = search->heap[--search->heap_count];
    size_t at = 0;
    search->spots[nearest].heap = SETTLED;
    if (search->heap_count == 0) return nearest;
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= search->heap_count) break;
        if (child + 1 < search->heap_count &&
            is_nearer(search, search->heap[child + 1], search->heap[child]))
            child++;
        if (!is_nearer(search, search->heap[child], last)) break;
        put(search, at, search->heap[child]);
        at = child;
    }
    put(search, at, last);
    return nearest;
}

/* ---- ways on ---- */

/* `before` leads to the node by the relationship: is that better than what is known? */
static void reach(Search *search, uint32_t before, uint64_t node, uint64_t relationship,
                  double distance)
{
    uint64_t number;
    if (!(distance <= search->most)) return;
    if (!intmap_get(search->numbers, node, &number)) {
        number = search->count;
        intmap_put(search->numbers, node, number);
        mem_reserve(search->spots, search->capacity, search->count + 1);
        mem_reserve(search->heap, search->heap_capacity, search->heap_count + 1);
        search->spots[search->count++] = (Spot){.node = node, .distance = INFINITY};
        search->heap[search->heap_count] = (uint32_t)number;
        search->spots[number].heap = (uint32_t)search->heap_count++;
    }
    Spot *spot = &search->spots[number];
    if (spot->heap == SETTLED || !(distance < spot->distance)) return;
    spot->relationship = relationship;
    spot->before = before;
    spot->distance = distance;
    rise(search, spot->heap);
}

static Error *bad_weight(const Search *search, uint64_t relationship, const char *what)
{
    const GraphView *view = search->run->context->view;
    Str type = graph_name_text(view->graph, NAME_TYPE, relationship_type(relationship));
    uint64_t from, to;
    graph_relationship_ends(view, relationship, &from, &to);
    return error_new(ERROR_ARGUMENT_VALUE,
                     "%.*s: the weight of a relationship [:%.*s] from node %llu to %llu is %s",
                     STR_ARG(search->run->algorithm->shape.name), STR_ARG(type),
                     (unsigned long long)from, (unsigned long long)to, what);
}

static Error *weight_of(const Search *search, uint64_t relationship, Value value, double *out)
{
    *out = search->missing;
    if (value.kind == VALUE_NULL) {
        if (search->may_miss) return NULL;
        return error_hint(bad_weight(search, relationship, "missing"),
                          "the option missing: 1.0 gives one to all that have none");
    }
    if (!value_is_number(value)) return bad_weight(search, relationship, "no number");
    *out = value_as_double(value);
    return *out >= 0 ? NULL : bad_weight(search, relationship, "negative");
}

static bool is_asked(const Run *run, uint64_t node)
{
    for (uint32_t i = 0; i < run->label_count; i++)
        if (!graph_node_has_label(run->context->view, node, run->labels[i])) return false;
    return true;
}

static Error *go_on(Search *search, uint32_t number)
{
    const GraphView *view = search->run->context->view;
    uint64_t node = search->spots[number].node;
    double distance = search->spots[number].distance;
    Column weights;
    search->found.count = 0;
    graph_walk(search->walk, node, &search->found);
    for (size_t from = 0; from < search->found.count; from += BATCH_ROWS_MAX) {
        size_t left = search->found.count - from;
        uint32_t count = left < BATCH_ROWS_MAX ? (uint32_t)left : BATCH_ROWS_MAX;
        const uint64_t *relationships = search->found.relationships + from;
        arena_reset(search->arena);
        if (search->weighed)
            graph_properties(view, VALUE_RELATIONSHIP, search->key, relationships, count,
                             search->arena, &weights);
        for (uint32_t i = 0; i < count; i++) {
            double weight = 1;
            uint64_t next = search->found.nodes[from + i];
            if (search->weighed)
                TRY(weight_of(search, relationships[i], column_value(&weights, i), &weight));
            if (is_asked(search->run, next))
                reach(search, number, next, relationships[i], distance + weight);
        }
    }
    return NULL;
}

/* ---- options ---- */

static Error *node_option(const Run *run, const char *name, uint64_t *out)
{
    Value value;
    if (!option_value(run, name, &value) || value.kind != VALUE_NODE)
        return error_hint(error_new(ERROR_ARGUMENT_TYPE, "%.*s: the option %s is a node",
                                    STR_ARG(run->algorithm->shape.name), name),
                          "%s", run->algorithm->shape.example);
    *out = entity_id(value.as.id);
    if (graph_node_visible(run->context->view, *out)) return NULL;
    return error_new(ERROR_DELETED_ENTITY, "%.*s: the option %s is a node that is not there",
                     STR_ARG(run->algorithm->shape.name), name);
}

static Error *text_option(const Run *run, const char *name, Str *out)
{
    Value value;
    if (!option_value(run, name, &value)) return NULL;
    if (value.kind != VALUE_STRING)
        return error_new(ERROR_ARGUMENT_TYPE, "%.*s: the option %s is text, not %s",
                         STR_ARG(run->algorithm->shape.name), name,
                         value_kind_name((ValueKind)value.kind));
    *out = value_text(value);
    return NULL;
}

static Error *direction_option(const Run *run, GraphDirection *out)
{
    Str text = STR("out");
    TRY(text_option(run, "direction", &text));
    *out = str_equal(text, STR("in"))     ? GRAPH_IN
           : str_equal(text, STR("both")) ? GRAPH_BOTH
                                          : GRAPH_OUT;
    if (*out != GRAPH_OUT || str_equal(text, STR("out"))) return NULL;
    return error_new(ERROR_ARGUMENT_VALUE,
                     "%.*s: the option direction is 'out', 'in' or 'both', not '%.*s'",
                     STR_ARG(run->algorithm->shape.name), STR_ARG(text));
}

static Error *search_options(Search *search)
{
    Run *run = search->run;
    GraphDirection direction;
    Value value;
    Str weight = {0};
    search->may_miss = option_value(run, "missing", &value);
    TRY(option_number(run, "missing", 0, INFINITY, &search->missing));
    search->most = INFINITY;
    TRY(option_number(run, "most", 0, INFINITY, &search->most));
    TRY(text_option(run, "weight", &weight));
    search->weighed = weight.data != NULL;
    search->key = graph_name_find(run->context->view->graph, NAME_KEY, weight);
    TRY(direction_option(run, &direction));
    search->walk =
        graph_walk_create(run->arena, run->context->view, run->types, run->type_count, direction);
    return NULL;
}

/* ---- searching ---- */

static Error *check_memory(const Search *search)
{
    void *none;
    size_t bytes = search->capacity * sizeof(Spot) + search->heap_capacity * sizeof(uint32_t) +
                   intmap_count(search->numbers) * 4 * sizeof(uint64_t);
    uint64_t limit = search->run->context->memory_bytes_max;
    return limit > 0 && bytes > limit ? run_alloc(search->run, bytes, 1, &none) : NULL;
}

/* Settles node after node, to `last` or (GRAPH_NO_NODE) to the end; *reached: its number. */
static Error *settle(Search *search, uint64_t last, bool *found, uint32_t *reached)
{
    enum { CHECK_EVERY = 1024 };
    *found = false;
    for (uint64_t steps = 0; search->heap_count > 0; steps++) {
        uint32_t number = take_nearest(search);
        search->run->count = (uint32_t)steps + 1;
        if (search->spots[number].node == last) {
            *found = true;
            *reached = number;
            return NULL;
        }
        TRY(go_on(search, number));
        if (steps % CHECK_EVERY > 0) continue;
        TRY(run_step(search->run, 0));
        TRY(check_memory(search));
    }
    return NULL;
}

static Error *give_path(const Search *search, uint32_t reached)
{
    uint32_t hops = 0;
    for (uint32_t at = reached; at != 0; at = search->spots[at].before)
        hops++;
    uint64_t *ids;
    TRY(run_alloc(search->run, 2 * (size_t)hops + 1, sizeof *ids, &ids));
    for (uint32_t at = reached, i = 2 * hops; i > 0; at = search->spots[at].before) {
        ids[i--] = search->spots[at].node;
        ids[i--] = search->spots[at].relationship;
    }
    ids[0] = search->spots[0].node;
    Value row[2] = {{.kind = VALUE_PATH, .aux = 2 * hops + 1, .as.path = ids},
                    value_float(search->spots[reached].distance)};
    return search->run->emit(search->run->sink, row);
}

static int by_node(const void *a, const void *b)
{
    const Spot *x = a, *y = b;
    return (x->node > y->node) - (x->node < y->node);
}

static Error *give_distances(Search *search)
{
    qsort(search->spots, search->count, sizeof *search->spots, by_node);
    for (size_t i = 0; i < search->count; i++) {
        Value row[2] = {value_node(search->spots[i].node), value_float(search->spots[i].distance)};
        TRY(search->run->emit(search->run->sink, row));
    }
    return NULL;
}

static Error *search_from(Search *search, bool path)
{
    uint64_t from, to = GRAPH_NO_NODE;
    uint32_t reached = 0;
    bool found;
    TRY(node_option(search->run, "from", &from));
    if (path) TRY(node_option(search->run, "to", &to));
    TRY(search_options(search));
    if (is_asked(search->run, from)) reach(search, 0, from, 0, 0);
    TRY(settle(search, to, &found, &reached));
    if (!path) return give_distances(search);
    return found ? give_path(search, reached) : NULL;
}

static Error *run_search(Run *run, bool path)
{
    Search search = {.run = run, .numbers = intmap_create(), .arena = arena_create()};
    Error *error = search_from(&search, path);
    intmap_destroy(search.numbers);
    arena_destroy(search.arena);
    neighbors_free(&search.found);
    mem_free(search.spots);
    mem_free(search.heap);
    return error;
}

Error *run_path(Run *run)
{
    return run_search(run, true);
}

Error *run_distances(Run *run)
{
    return run_search(run, false);
}
