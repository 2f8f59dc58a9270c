/*
 * search.c - breadth first: shortest trails between two nodes, and who can be reached at all.
 *
 * A shortest trail is looked for from both ends, a level at a time at the end that has fewer nodes to
 * go on from, until the two meet; every trail of that length goes through one of the nodes that the
 * last level added and the other side had. Each side remembers the edges that lead to a node at its
 * least depth: all of them where all trails are wanted, else the first. What is kept grows with the
 * nodes touched, never with the graph.
 *
 * Who can be reached by a trail of at most so many hops is who is so near: the shortest way repeats
 * nothing. Only for the start itself it must be asked how long the shortest way back is (REACH).
 */
#include "config.h"

#include "base/map.h"
#include "execution/adjacent.h"

/* ---- shortest trails ---- */

typedef struct Edge { /* into an entry from `parent`; the next edge into the same one */
    uint32_t parent, next;
    uint64_t relationship;
} Edge;

typedef struct Entry { /* a node reached */
    uint64_t node;
    uint32_t depth, edges; /* edges: first, UINT32_MAX none */
} Entry;

typedef struct Side {
    Entry *entries;
    size_t entry_count, entry_capacity;
    Edge *edges;
    size_t edge_count, edge_capacity;
    IntMap *reached;
    size_t level; /* where the entries of the last level begin */
    uint32_t depth;
    Ways ways;
} Side;

typedef struct Search {
    Batch *in;
    uint32_t at;
    Neighbors found;
    Side sides[2]; /* from the start, from the target */
    uint32_t *meetings;
    size_t meeting_count, meeting_capacity;
    EvalContext context;
    Value *items; /* the trail at hand, from the start on */
    Value *lists; /* answers of the row at hand */
    size_t list_count, list_capacity, list_at;
} Search;

static uint32_t reach(Side *side, uint64_t node, uint32_t depth)
{
    mem_reserve(side->entries, side->entry_capacity, side->entry_count + 1);
    side->entries[side->entry_count] = (Entry){node, depth, UINT32_MAX};
    intmap_put(side->reached, node, side->entry_count);
    return (uint32_t)side->entry_count++;
}

static void side_begin(Side *side, uint64_t node)
{
    side->entry_count = side->edge_count = side->level = 0;
    side->depth = 0;
    intmap_destroy(side->reached);
    side->reached = intmap_create();
    reach(side, node, 0);
}

static void add_edge(Side *side, uint32_t into, uint32_t parent, uint64_t relationship)
{
    mem_reserve(side->edges, side->edge_capacity, side->edge_count + 1);
    side->edges[side->edge_count] = (Edge){parent, side->entries[into].edges, relationship};
    side->entries[into].edges = (uint32_t)side->edge_count++;
}

static Error *step_allowed(Operator *self, Search *search, uint32_t position, uint64_t relationship,
                           bool *out)
{
    Value value;
    *out = !relationship_is_used(self->plan, search->in, position, relationship);
    if (!*out || self->plan->step == NULL) return NULL;
    operator_context(self, self->arena, &search->context);
    search->context.locals[self->plan->step_local] = value_relationship(relationship);
    TRY(expr_evaluate(self->plan->step, &search->context, search->in, position, &value));
    *out = value.kind == VALUE_BOOLEAN && value.as.boolean;
    return NULL;
}

static size_t side_bytes(const Side *side)
{
    return side->entry_capacity * (sizeof(Entry) + 24) + side->edge_capacity * sizeof(Edge);
}

static Error *check_search(Operator *self, const Search *search)
{
    TRY(operator_interrupted(self));
    return operator_check_memory(self,
                                 side_bytes(&search->sides[0]) + side_bytes(&search->sides[1]));
}

static Error *leave_entry(Operator *self, Search *search, Side *side, uint32_t position, uint32_t i)
{
    Entry here = side->entries[i];
    neighbors_of(self, &side->ways, here.node, &search->found);
    for (size_t n = 0; n < search->found.count; n++) {
        uint64_t known, relationship = search->found.relationships[n];
        bool allowed, seen = intmap_get(side->reached, search->found.nodes[n], &known);
        if (seen && (!self->plan->all_shortest || side->entries[known].depth != here.depth + 1))
            continue;
        TRY(step_allowed(self, search, position, relationship, &allowed));
        if (!allowed) continue;
        uint32_t into =
            seen ? (uint32_t)known : reach(side, search->found.nodes[n], here.depth + 1);
        add_edge(side, into, i, relationship);
    }
    return NULL;
}

/* One level more on one side; who is on both sides then goes to `meetings`. */
static Error *go_on(Operator *self, Search *search, int which, uint32_t position)
{
    Side *side = &search->sides[which], *other = &search->sides[1 - which];
    size_t from = side->level, to = side->entry_count;
    for (size_t i = from; i < to; i++) {
        if ((i - from) % 256 == 255) TRY(check_search(self, search));
        TRY(leave_entry(self, search, side, position, (uint32_t)i));
    }
    side->level = to;
    side->depth++;
    for (size_t i = to; i < side->entry_count; i++) {
        if (!intmap_get(other->reached, side->entries[i].node, NULL)) continue;
        mem_reserve(search->meetings, search->meeting_capacity, search->meeting_count + 1);
        search->meetings[search->meeting_count++] = (uint32_t)i;
    }
    return NULL;
}

/* Until they meet, one side cannot go on, or the trail would be too long. *which is the side whose
 * last level the meetings are in. */
static Error *search_both(Operator *self, Search *search, uint32_t position, int *which)
{
    Side *sides = search->sides;
    search->meeting_count = 0;
    while (search->meeting_count == 0) {
        size_t ahead[2] = {sides[0].entry_count - sides[0].level,
                           sides[1].entry_count - sides[1].level};
        int64_t length = (int64_t)sides[0].depth + sides[1].depth;
        if (ahead[0] == 0 || ahead[1] == 0) return NULL;
        if (self->plan->hops_max >= 0 && length >= self->plan->hops_max) return NULL;
        *which = ahead[1] < ahead[0];
        TRY(go_on(self, search, *which, position));
    }
    return NULL;
}

static void keep_list(Operator *self, Search *search, uint32_t length)
{
    Value *copy = arena_alloc(self->arena, (length + 1) * sizeof *copy);
    for (uint32_t i = 0; i < length; i++)
        copy[i] = search->items[self->plan->streaming ? length - 1 - i : i];
    mem_reserve(search->lists, search->list_capacity, search->list_count + 1);
    search->lists[search->list_count++] = value_list(copy, length);
}

/* Every way from an entry of the target's side to the target, behind what is known of the trail. */
static Error *collect_on(Operator *self, Search *search, uint32_t entry, uint32_t length)
{
    const Side *side = &search->sides[1];
    if (side->entries[entry].depth == 0) {
        keep_list(self, search, length);
        return search->list_count % 256 == 0 ? check_search(self, search) : NULL;
    }
    for (uint32_t e = side->entries[entry].edges; e != UINT32_MAX; e = side->edges[e].next) {
        search->items[length] = value_relationship(side->edges[e].relationship);
        TRY(collect_on(self, search, side->edges[e].parent, length + 1));
        if (!self->plan->all_shortest) return NULL;
    }
    return NULL;
}

/* Every way back to the start, and with each of them every way on from `middle`. */
static Error *collect_back(Operator *self, Search *search, uint32_t entry, uint32_t middle,
                           uint32_t length)
{
    const Side *side = &search->sides[0];
    uint32_t depth = side->entries[entry].depth;
    if (depth == 0) return collect_on(self, search, middle, length);
    for (uint32_t e = side->entries[entry].edges; e != UINT32_MAX; e = side->edges[e].next) {
        search->items[depth - 1] = value_relationship(side->edges[e].relationship);
        TRY(collect_back(self, search, side->edges[e].parent, middle, length));
        if (!self->plan->all_shortest) return NULL;
    }
    return NULL;
}

static Error *search_row(Operator *self, Search *search, uint32_t position)
{
    uint64_t from, to, other;
    int which = 0;
    Side *sides = search->sides;
    search->list_count = search->list_at = 0;
    if (!entity_at(search->in, self->plan->from_slot, position, VALUE_NODE, &from)) return NULL;
    if (!entity_at(search->in, self->plan->to_slot, position, VALUE_NODE, &to)) return NULL;
    if (from == to) {
        search->items = NULL;
        if (self->plan->hops_min == 0) keep_list(self, search, 0);
        return NULL;
    }
    side_begin(&sides[0], from);
    side_begin(&sides[1], to);
    TRY(search_both(self, search, position, &which));
    uint32_t length = sides[0].depth + sides[1].depth;
    if (search->meeting_count == 0 || (int64_t)length < self->plan->hops_min) return NULL;
    search->items = arena_alloc(self->arena, (length + 1) * sizeof *search->items);
    for (size_t i = 0; i < search->meeting_count; i++) {
        uint32_t entry[2];
        entry[which] = search->meetings[i];
        intmap_get(sides[1 - which].reached, sides[which].entries[entry[which]].node, &other);
        entry[1 - which] = (uint32_t)other;
        TRY(collect_back(self, search, entry[0], entry[1], sides[0].entries[entry[0]].depth));
        if (!self->plan->all_shortest) return NULL;
    }
    return NULL;
}

static Error *next_shortest(Operator *self, Batch **out)
{
    Search *search = self->state;
    GraphDirection there = graph_direction(self->plan->direction),
                   back = there == GRAPH_OUT  ? GRAPH_IN
                          : there == GRAPH_IN ? GRAPH_OUT
                                              : GRAPH_BOTH;
    uint16_t positions[BATCH_ROWS_MAX];
    *out = NULL;
    for (;;) {
        while (search->in == NULL || (search->at == search->in->selected_count &&
                                      search->list_at == search->list_count)) {
            TRY(operator_next(self->input, &search->in));
            search->at = 0;
            search->list_at = search->list_count = 0;
            if (search->in == NULL) return NULL;
            ways_renew(self, &search->sides[0].ways, there);
            ways_renew(self, &search->sides[1].ways, back);
        }
        if (search->list_at == search->list_count) {
            arena_reset(self->arena);
            TRY(search_row(self, search, batch_position(search->in, search->at++)));
        }
        uint32_t count = 0, position = batch_position(search->in, search->at - 1);
        while (count < BATCH_ROWS_MAX && search->list_at + count < search->list_count)
            positions[count++] = (uint16_t)position;
        if (count == 0) continue;
        *out =
            batch_lists(self, search->in, positions, NULL, search->lists + search->list_at, count);
        search->list_at += count;
        return NULL;
    }
}

static void reset_search(Operator *self)
{
    Search *search = self->state;
    search->in = NULL;
    search->at = 0;
    search->list_at = search->list_count = 0;
}

static void close_search(Operator *self)
{
    Search *search = self->state;
    neighbors_free(&search->found);
    for (int i = 0; i < 2; i++) {
        mem_free(search->sides[i].entries);
        mem_free(search->sides[i].edges);
        intmap_destroy(search->sides[i].reached);
        arena_destroy(search->sides[i].ways.arena);
    }
    mem_free(search->meetings);
    mem_free(search->lists);
}

void open_shortest(Operator *self)
{
    self->state = arena_new(self->state_arena, Search);
    self->next = next_shortest;
    self->reset = reset_search;
    self->close = close_search;
}

/* ---- who can be reached ---- */

typedef struct Reach {
    Batch *in;
    uint32_t at;
    bool inside;
    Adjacent arm;
    uint64_t *seen; /* a bit a node; only what is touched is ever set or cleared */
    size_t seen_words;
    uint32_t *nodes; /* in the order of their depth, the start first */
    size_t count, capacity, next;
    uint32_t *branches; /* BOTH: over which of the start's relationships, by place in `nodes` */
    uint32_t *places;   /* by node; meaningful where `seen` is set */
    size_t branch_capacity, place_count;
    uint16_t *positions;
    uint64_t *ids;
    GraphLists back; /* the other way, for levels from below */
    bool back_asked, back_plain;
    uint64_t *front; /* a bit a node of the level at hand; only then set */
    size_t front_words;
} Reach;

static void reach_forget(Reach *reach)
{
    for (size_t i = 0; i < reach->count; i++)
        reach->seen[reach->nodes[i] / 64] = 0;
    reach->count = reach->next = 0;
}

static Error *reach_room(Operator *self, Reach *reach)
{
    size_t words = (graph_block_count(&self->execution->view) + 1) * GRAPH_BLOCK_WORDS;
    bool both = self->plan->direction == PLAN_BOTH;
    if (words <= reach->seen_words) return NULL;
    TRY(operator_room(self,
                      words * (sizeof *reach->seen + (both ? 64 * sizeof *reach->places : 0))));
    mem_free(reach->seen);
    reach->seen = mem_calloc(words, sizeof *reach->seen);
    reach->seen_words = words;
    if (!both) return NULL;
    mem_free(reach->places);
    reach->places = mem_alloc(words * 64 * sizeof *reach->places);
    return NULL;
}

static bool is_seen(const Reach *reach, uint32_t node)
{
    return reach->seen[node / 64] >> node % 64 & 1;
}

static void see(Reach *reach, uint32_t node)
{
    reach->seen[node / 64] |= UINT64_C(1) << node % 64;
    reach->nodes[reach->count++] = node;
}

/* Directed: over the level [from, to). *closed: one of them leads back to the start. */
static void reach_level(Reach *reach, size_t from, size_t to, bool *closed)
{
    uint32_t start = reach->nodes[0];
    for (size_t i = from; i < to; i++) {
        const Span *spans;
        uint32_t count = adjacent_spans(&reach->arm, reach->nodes[i], &spans);
        for (uint32_t s = 0; s < count; s++) {
            mem_reserve(reach->nodes, reach->capacity, reach->count + spans[s].count);
            for (uint32_t k = 0; k < spans[s].count; k++) {
                uint32_t target = spans[s].targets[k];
                if (!is_seen(reach, target))
                    see(reach, target);
                else
                    *closed = *closed || target == start;
            }
        }
    }
}

/*
 * A level from below (Beamer, Asanovic and Patterson, 2012): when most nodes that are not reached yet
 * are next to the level, asking each of them for one node of the level is less work than walking over
 * all that the level leads to. What is reached comes by id, not in the order of the level.
 */
static bool from_below(Operator *self, Reach *reach, size_t level)
{
    enum { LEVEL_MIN = 64 };
    const GraphView *view = &self->execution->view;
    uint64_t most = graph_node_count(view); /* that can be reached */
    if (level < LEVEL_MIN || reach->arm.only == NULL) return false;
    if (reach->arm.only->entry_count < most) most = reach->arm.only->entry_count;
    if (reach->count < most && 2 * level < most - reach->count) return false;
    if (!reach->back_asked)
        reach->back_plain =
            graph_lists(view, reach->arm.types[0],
                        self->plan->direction == PLAN_IN ? GRAPH_OUT : GRAPH_IN, &reach->back);
    reach->back_asked = true;
    return reach->back_plain && reach->back.delta == NULL;
}

static bool in_front(const Reach *reach, uint64_t node)
{
    const uint32_t *sources;
    uint32_t count;
    graph_list(&reach->back, node, &sources, &count);
    for (uint32_t i = 0; i < count; i++)
        if (reach->front[sources[i] / 64] >> sources[i] % 64 & 1) return true;
    return false;
}

static Error *reach_level_below(Operator *self, Reach *reach, size_t from, size_t to, bool *closed)
{
    TRY(operator_room(self,
                      reach->seen_words * (sizeof *reach->front + 64 * sizeof *reach->nodes)));
    if (reach->front_words < reach->seen_words) {
        mem_free(reach->front);
        reach->front = mem_calloc(reach->seen_words, sizeof *reach->front);
        reach->front_words = reach->seen_words;
    }
    for (size_t i = from; i < to; i++)
        reach->front[reach->nodes[i] / 64] |= UINT64_C(1) << reach->nodes[i] % 64;
    *closed = *closed || in_front(reach, reach->nodes[0]);
    for (uint64_t word = 0; word < reach->seen_words; word++) {
        mem_reserve(reach->nodes, reach->capacity, reach->count + 64);
        for (uint64_t left = ~reach->seen[word]; left != 0; left &= left - 1) {
            uint64_t node = word * 64 + (uint64_t)__builtin_ctzll(left);
            if (in_front(reach, node)) see(reach, (uint32_t)node);
        }
    }
    for (size_t i = from; i < to; i++)
        reach->front[reach->nodes[i] / 64] = 0;
    return NULL;
}

/* Undirected: the shortest way back to the start leaves it by one relationship and comes back by
 * another, so that somewhere two branches meet, or it is a loop. `back` gets its length. */
typedef struct Level {
    size_t from, to;
    uint32_t depth; /* of its nodes */
    int64_t *back;
} Level;

static void branch_edge(Reach *reach, const Level *level, size_t i, uint32_t target, size_t *parent)
{
    uint32_t node = reach->nodes[i], branch = reach->branches[i];
    if (target == node) {
        if (i == 0) *level->back = 1;
        return;
    }
    if (!is_seen(reach, target)) {
        mem_reserve(reach->branches, reach->branch_capacity, reach->count + 1);
        reach->places[target] = (uint32_t)reach->count;
        reach->branches[reach->count] = i == 0 ? (uint32_t)reach->count : branch;
        see(reach, target);
        return;
    }
    size_t place = reach->places[target];
    if (place == 0) { /* the start: once by the way that led here */
        if (level->depth == 1 && (*parent)++ == 0) return;
        if (*level->back > level->depth + 1) *level->back = level->depth + 1;
        return;
    }
    if (i == 0) { /* a parallel relationship of the start */
        if (*level->back > 2) *level->back = 2;
        return;
    }
    if (reach->branches[place] == branch) return;
    int64_t depth =
        place >= level->to ? level->depth + 1 : level->depth; /* or one less: no matter */
    if (*level->back > level->depth + depth + 1) *level->back = level->depth + depth + 1;
}

static void branch_level(Reach *reach, const Level *level)
{
    for (size_t i = level->from; i < level->to; i++) {
        const Span *spans;
        size_t parent = 0;
        uint32_t count = adjacent_spans(&reach->arm, reach->nodes[i], &spans);
        for (uint32_t s = 0; s < count; s++) {
            mem_reserve(reach->nodes, reach->capacity, reach->count + spans[s].count);
            for (uint32_t k = 0; k < spans[s].count; k++) {
                bool twice = spans[s].loopless && spans[s].targets[k] == reach->nodes[i];
                if (!twice) branch_edge(reach, level, i, spans[s].targets[k], &parent);
            }
        }
    }
}

/* All but the start, which stands first or is passed over. */
static void shuffle_reached(Operator *self, Reach *reach)
{
    if (self->execution->environment.shuffle == 0) return;
    uint64_t *ids = arena_alloc(self->arena, reach->count * sizeof *ids);
    for (size_t i = 1; i < reach->count; i++)
        ids[i] = reach->nodes[i];
    operator_shuffle(self, ids + 1, NULL, reach->count - 1);
    for (size_t i = 1; i < reach->count; i++)
        reach->nodes[i] = (uint32_t)ids[i];
}

static Error *reach_row(Operator *self, Reach *reach, uint32_t position)
{
    const PlanNode *plan = self->plan;
    uint64_t start;
    int64_t back = INT64_MAX;
    bool closed = false;
    reach_forget(reach);
    if (!entity_at(reach->in, plan->from_slot, position, VALUE_NODE, &start)) return NULL;
    TRY(reach_room(self, reach));
    mem_reserve(reach->nodes, reach->capacity, 1);
    mem_reserve(reach->branches, reach->branch_capacity, 1);
    if (reach->places != NULL) reach->places[start] = 0;
    see(reach, (uint32_t)start);
    size_t from = 0;
    for (int64_t depth = 0; from < reach->count; depth++) {
        size_t to = reach->count;
        if (plan->hops_max >= 0 && depth >= plan->hops_max) break;
        if (plan->direction == PLAN_BOTH)
            branch_level(reach, &(Level){from, to, (uint32_t)depth, &back});
        else if (from_below(self, reach, to - from))
            TRY(reach_level_below(self, reach, from, to, &closed));
        else
            reach_level(reach, from, to, &closed);
        from = to;
        TRY(operator_interrupted(self));
        TRY(operator_check_memory(self, reach->capacity * sizeof *reach->nodes));
    }
    closed = closed || (back < INT64_MAX && (plan->hops_max < 0 || back <= plan->hops_max));
    reach->next = closed || plan->hops_min == 0 ? 0 : 1;
    shuffle_reached(self, reach);
    return NULL;
}

static bool reach_takes(Reach *reach, size_t i)
{
    return adjacent_any_label(&reach->arm) || adjacent_labels_fit(&reach->arm, reach->nodes[i]);
}

static Error *next_reach(Operator *self, Batch **out)
{
    Reach *reach = self->state;
    *out = NULL;
    for (;;) {
        while (reach->in == NULL || reach->at == reach->in->selected_count) {
            TRY(operator_next(self->input, &reach->in));
            reach->at = 0;
            reach->inside = false;
            if (reach->in == NULL) return NULL;
            if (adjacent_renew(&reach->arm)) reach->back_asked = false;
        }
        uint32_t count = 0;
        while (count < BATCH_ROWS_MAX && reach->at < reach->in->selected_count) {
            uint32_t position = batch_position(reach->in, reach->at);
            if (!reach->inside) TRY(reach_row(self, reach, position));
            reach->inside = true;
            for (; reach->next < reach->count && count < BATCH_ROWS_MAX; reach->next++) {
                if (!reach_takes(reach, reach->next)) continue;
                reach->positions[count] = (uint16_t)position;
                reach->ids[count++] = reach->nodes[reach->next];
            }
            if (reach->next < reach->count) break;
            reach->inside = false;
            reach->at++;
        }
        if (count == 0) continue;
        arena_reset(self->arena);
        *out = batch_extend(self, reach->in, reach->positions, count);
        Column *nodes = batch_column(self->arena, *out, self->plan->to_slot, COLUMN_NODE);
        memcpy(nodes->ids, reach->ids, count * sizeof *reach->ids);
        return NULL;
    }
}

/* How many nodes the row reaches, not which. */
static Error *next_reach_count(Operator *self, Batch **out)
{
    Reach *reach = self->state;
    for (;;) {
        TRY(operator_next(self->input, out));
        if (*out == NULL) return NULL;
        Batch *batch = reach->in = *out;
        arena_reset(self->arena);
        if (adjacent_renew(&reach->arm)) reach->back_asked = false;
        uint64_t *times = arena_alloc(self->arena, (batch->row_count + 1) * sizeof *times);
        uint16_t *kept = arena_alloc(self->arena, (batch->selected_count + 1) * sizeof *kept);
        uint32_t count = 0;
        for (uint32_t i = 0; i < batch->selected_count; i++) {
            uint32_t position = batch_position(batch, i);
            uint64_t found = 0;
            TRY(reach_row(self, reach, position));
            for (size_t n = reach->next; n < reach->count; n++)
                found += reach_takes(reach, n);
            if (found == 0) continue;
            TRY(times_rows(found, batch_multiplicity(batch, position), &times[position]));
            kept[count++] = (uint16_t)position;
        }
        batch->multiplicity = times;
        batch->selection = kept;
        batch->selected_count = count;
        if (count > 0) return NULL;
    }
}

static void reset_reach(Operator *self)
{
    Reach *reach = self->state;
    reach->in = NULL;
    reach->at = 0;
    reach->inside = false;
}

static void close_reach(Operator *self)
{
    Reach *reach = self->state;
    adjacent_close(&reach->arm);
    mem_free(reach->seen);
    mem_free(reach->nodes);
    mem_free(reach->branches);
    mem_free(reach->places);
    mem_free(reach->front);
}

void open_reach(Operator *self)
{
    Reach *reach = arena_new(self->state_arena, Reach);
    const PlanNode *plan = self->plan;
    adjacent_open(self,
                  &(PlanArm){.from_slot = plan->from_slot,
                             .direction = plan->direction,
                             .types = plan->types,
                             .type_count = plan->type_count,
                             .labels = plan->labels,
                             .label_count = plan->label_count},
                  &reach->arm);
    reach->positions = arena_alloc(self->state_arena, BATCH_ROWS_MAX * sizeof *reach->positions);
    reach->ids = arena_alloc(self->state_arena, BATCH_ROWS_MAX * sizeof *reach->ids);
    self->state = reach;
    self->next = plan->counted ? next_reach_count : next_reach;
    self->reset = reset_reach;
    self->close = close_reach;
}
