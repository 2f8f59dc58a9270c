/*
 * expand.c - from node to node: one hop, trails of several hops.
 *
 * A trail never uses a relationship twice, nor one that another part of the same pattern has
 * (`different`). Trails are walked depth first with an explicit stack. What is kept grows with the
 * nodes touched, never with the graph. Shortest paths are search.c.
 */
#include "config.h"

#include "execution/adjacent.h"

/* ---- relationships that must differ ---- */

static bool in_value(Value value, uint64_t relationship)
{
    if (value.kind == VALUE_RELATIONSHIP) return value.as.id == relationship;
    for (uint32_t i = 0; value.kind == VALUE_LIST && i < value.aux; i++)
        if (in_value(value.as.items[i], relationship)) return true;
    return false;
}

bool relationship_is_used(const PlanNode *plan, const Batch *in, uint32_t position,
                          uint64_t relationship)
{
    for (uint32_t i = 0; i < plan->different_count; i++)
        if (in_value(column_value(&in->columns[plan->different[i]], position), relationship))
            return true;
    return false;
}

GraphDirection graph_direction(PlanDirection direction)
{
    return direction == PLAN_OUT ? GRAPH_OUT : direction == PLAN_IN ? GRAPH_IN : GRAPH_BOTH;
}

void ways_renew(Operator *self, Ways *ways, GraphDirection direction)
{
    uint32_t count;
    if (ways->arena == NULL) ways->arena = arena_create();
    arena_reset(ways->arena);
    uint32_t *types = types_resolve(self->execution, ways->arena, self->plan->types,
                                    self->plan->type_count, &count);
    ways->walk = graph_walk_create(ways->arena, &self->execution->view, types, count, direction);
}

void neighbors_of(Operator *self, const Ways *ways, uint64_t node, Neighbors *out)
{
    out->count = 0;
    graph_walk(ways->walk, node, out);
    operator_shuffle(self, out->nodes, out->relationships, out->count);
}

Batch *batch_lists(Operator *self, const Batch *in, const uint16_t *positions,
                   const uint64_t *nodes, const Value *lists, uint32_t count)
{
    Batch *batch = batch_extend(self, in, positions, count);
    if (nodes != NULL) {
        Column *column = batch_column(self->arena, batch, self->plan->to_slot, COLUMN_NODE);
        memcpy(column->ids, nodes, count * sizeof *nodes);
    }
    if (self->plan->relationship_slot == SLOT_NONE) return batch;
    Column *column = batch_column(self->arena, batch, self->plan->relationship_slot, COLUMN_ANY);
    memcpy(column->values, lists, count * sizeof *lists);
    return batch;
}

/* ---- one hop ---- */

typedef struct Hop {
    Batch *in;
    uint32_t at;
    bool inside;
    Neighbors found;
    size_t found_at;
    uint64_t target; /* the bound other end */
    uint32_t room;   /* of the three, as many rows as a batch may have by now */
    uint16_t *positions;
    uint64_t *nodes, *relationships;
    Ways ways;
    bool bare; /* nobody asks for the relationship: `arm` finds the nodes */
    Adjacent arm;
} Hop;

/* Neighbors without relationships, those the row has used already left out, each once. */
static void find_bare(Operator *self, Hop *hop, uint32_t position, uint64_t node)
{
    const Span *spans;
    Adjacent *arm = &hop->arm;
    Neighbors *found = &hop->found;
    uint32_t used = adjacent_used(arm, hop->in, position, node),
             count = adjacent_spans(arm, node, &spans);
    bool any = adjacent_any_label(arm);
    for (uint32_t s = 0; s < count; s++) {
        mem_reserve(found->nodes, found->node_capacity, found->count + spans[s].count);
        for (uint32_t i = 0; i < spans[s].count; i++) {
            uint32_t target = spans[s].targets[i];
            if (spans[s].loopless && target == node) continue;
            if (any || adjacent_labels_fit(arm, target)) found->nodes[found->count++] = target;
        }
    }
    for (uint32_t u = 0; u < used; u++) {
        size_t i = 0;
        while (i < found->count && found->nodes[i] != arm->far[u])
            i++;
        if (i == found->count) continue;
        memmove(found->nodes + i, found->nodes + i + 1,
                (found->count - i - 1) * sizeof *found->nodes);
        found->count--;
    }
    operator_shuffle(self, found->nodes, NULL, found->count);
}

static void begin_row(Operator *self, Hop *hop, uint32_t position)
{
    uint64_t node;
    hop->inside = true;
    hop->found.count = hop->found_at = 0;
    if (!entity_at(hop->in, self->plan->from_slot, position, VALUE_NODE, &node)) return;
    if (self->plan->to_bound &&
        !entity_at(hop->in, self->plan->to_slot, position, VALUE_NODE, &hop->target))
        return;
    if (!self->plan->to_bound && self->plan->to_slot == self->plan->from_slot) hop->target = node;
    if (hop->bare)
        find_bare(self, hop, position, node);
    else
        neighbors_of(self, &hop->ways, node, &hop->found);
}

static uint32_t take_hops(Operator *self, Hop *hop, uint32_t position, uint32_t count, uint32_t cap)
{
    const PlanNode *plan = self->plan;
    bool check = plan->to_bound || plan->to_slot == plan->from_slot;
    if (!check && plan->different_count == 0) { /* all of them, as many as have room */
        size_t left = hop->found.count - hop->found_at,
               some = left < cap - count ? left : cap - count;
        for (size_t i = 0; i < some; i++, count++) {
            hop->positions[count] = (uint16_t)position;
            hop->nodes[count] = hop->found.nodes[hop->found_at + i];
            if (!hop->bare) hop->relationships[count] = hop->found.relationships[hop->found_at + i];
        }
        hop->found_at += some;
        return count;
    }
    for (; count < cap && hop->found_at < hop->found.count; hop->found_at++) {
        uint64_t node = hop->found.nodes[hop->found_at],
                 relationship = hop->bare ? 0 : hop->found.relationships[hop->found_at];
        if (check && node != hop->target) continue;
        if (plan->different_count > 0 &&
            relationship_is_used(plan, hop->in, position, relationship))
            continue;
        hop->positions[count] = (uint16_t)position;
        hop->nodes[count] = node;
        hop->relationships[count++] = relationship;
    }
    return count;
}

static Batch *give_hops(Operator *self, Hop *hop, const Batch *in, uint32_t count)
{
    arena_reset(self->arena);
    Batch *batch = batch_extend(self, in, hop->positions, count);
    Column *nodes = batch_column(self->arena, batch, self->plan->to_slot, COLUMN_NODE);
    memcpy(nodes->ids, hop->nodes, count * sizeof *hop->nodes);
    if (self->plan->relationship_slot == SLOT_NONE) return batch;
    Column *relationships =
        batch_column(self->arena, batch, self->plan->relationship_slot, COLUMN_RELATIONSHIP);
    memcpy(relationships->ids, hop->relationships, count * sizeof *hop->relationships);
    return batch;
}

/* A short query has small batches, and pays for no more. */
static void hop_room(Operator *self, Hop *hop, uint32_t cap)
{
    if (cap <= hop->room) return;
    hop->room = cap;
    hop->positions = arena_alloc(self->state_arena, cap * sizeof *hop->positions);
    hop->nodes = arena_alloc(self->state_arena, cap * sizeof *hop->nodes);
    hop->relationships = arena_alloc(self->state_arena, cap * sizeof *hop->relationships);
}

static Error *next_expand(Operator *self, Batch **out)
{
    Hop *hop = self->state;
    uint32_t cap = operator_cap(self), count = 0;
    hop_room(self, hop, cap);
    *out = NULL;
    while (count == 0) {
        while (hop->in == NULL || hop->at == hop->in->selected_count) {
            TRY(operator_next(self->input, &hop->in));
            hop->at = 0;
            hop->inside = false;
            if (hop->in == NULL) return NULL;
            if (hop->bare)
                adjacent_renew(&hop->arm);
            else
                ways_renew(self, &hop->ways, graph_direction(self->plan->direction));
        }
        while (count < cap && hop->at < hop->in->selected_count) {
            uint32_t position = batch_position(hop->in, hop->at);
            if (!hop->inside) begin_row(self, hop, position);
            count = take_hops(self, hop, position, count, cap);
            if (hop->found_at < hop->found.count) break;
            hop->inside = false;
            hop->at++;
        }
        if (count > 0) *out = give_hops(self, hop, hop->in, count);
    }
    return NULL;
}

static void reset_hop(Operator *self)
{
    Hop *hop = self->state;
    hop->in = NULL;
    hop->at = 0;
    hop->inside = false;
    arena_reset(self->arena);
}

static void close_hop(Operator *self)
{
    Hop *hop = self->state;
    neighbors_free(&hop->found);
    arena_destroy(hop->ways.arena);
    if (hop->bare) adjacent_close(&hop->arm);
}

void open_expand(Operator *self)
{
    const PlanNode *plan = self->plan;
    Hop *hop = arena_new(self->state_arena, Hop);
    hop->bare = plan->relationship_slot == SLOT_NONE && plan->different_count == 0;
    if (hop->bare)
        adjacent_open(self,
                      &(PlanArm){.from_slot = plan->from_slot,
                                 .direction = plan->direction,
                                 .types = plan->types,
                                 .type_count = plan->type_count,
                                 .labels = plan->labels,
                                 .label_count = plan->label_count,
                                 .apart = plan->apart,
                                 .apart_count = plan->apart_count},
                      &hop->arm);
    self->state = hop;
    self->next = next_expand;
    self->reset = reset_hop;
    self->close = close_hop;
}

/* ---- trails ---- */

typedef struct Level {
    Neighbors found;
    size_t at;
} Level;

typedef struct Trail {
    Batch *in;
    uint32_t at;
    bool inside;
    Level *levels; /* levels[d]: where the walk goes on at depth d */
    size_t level_capacity;
    uint64_t *path; /* relationships so far */
    size_t path_capacity, depth;
    bool start_pending; /* the start itself is still to be given (no hops) */
    uint64_t start, target;
    uint32_t room; /* of the three, as many rows as a batch may have by now */
    uint16_t *positions;
    uint64_t *nodes;
    Value *lists;
    EvalContext context;
    Ways ways;
} Trail;

static Error *step_holds(Operator *self, Trail *trail, uint32_t position, uint64_t relationship,
                         bool *out)
{
    Value value;
    *out = true;
    if (self->plan->step == NULL) return NULL;
    operator_context(self, self->arena, &trail->context);
    trail->context.locals[self->plan->step_local] = value_relationship(relationship);
    TRY(expr_evaluate(self->plan->step, &trail->context, trail->in, position, &value));
    *out = value.kind == VALUE_BOOLEAN && value.as.boolean;
    return NULL;
}

static bool on_path(const Trail *trail, uint64_t relationship)
{
    for (size_t i = 0; i < trail->depth; i++)
        if (trail->path[i] == relationship) return true;
    return false;
}

static void enter_level(Operator *self, Trail *trail, uint64_t node)
{
    size_t before = trail->level_capacity;
    mem_reserve(trail->levels, trail->level_capacity, trail->depth + 1);
    if (trail->level_capacity > before)
        memset(trail->levels + before, 0, (trail->level_capacity - before) * sizeof *trail->levels);
    Level *level = &trail->levels[trail->depth];
    level->at = level->found.count = 0;
    if (self->plan->hops_max >= 0 && (int64_t)trail->depth >= self->plan->hops_max) return;
    neighbors_of(self, &trail->ways, node, &level->found);
}

static void begin_trail(Operator *self, Trail *trail, uint32_t position)
{
    trail->inside = true;
    trail->depth = 0;
    trail->start_pending = false;
    bool good = entity_at(trail->in, self->plan->from_slot, position, VALUE_NODE, &trail->start);
    if (self->plan->to_bound)
        good =
            good && entity_at(trail->in, self->plan->to_slot, position, VALUE_NODE, &trail->target);
    else if (self->plan->to_slot == self->plan->from_slot)
        trail->target = trail->start;
    if (!good) {
        trail->inside = false;
        return;
    }
    trail->start_pending = self->plan->hops_min == 0;
    enter_level(self, trail, trail->start);
}

/* Goes on to the next trail; *found is false when the row has no more. */
static Error *next_trail(Operator *self, Trail *trail, uint32_t position, uint64_t *node,
                         bool *found)
{
    if (trail->start_pending) {
        trail->start_pending = false;
        *node = trail->start;
        return *found = true, NULL;
    }
    for (;;) {
        Level *level = &trail->levels[trail->depth];
        if (level->at == level->found.count) {
            if (trail->depth == 0) return *found = false, NULL;
            trail->depth--;
            continue;
        }
        uint64_t next = level->found.nodes[level->at],
                 relationship = level->found.relationships[level->at];
        bool holds;
        level->at++;
        if (on_path(trail, relationship) ||
            relationship_is_used(self->plan, trail->in, position, relationship))
            continue;
        TRY(step_holds(self, trail, position, relationship, &holds));
        if (!holds) continue;
        mem_reserve(trail->path, trail->path_capacity, trail->depth + 1);
        trail->path[trail->depth++] = relationship;
        enter_level(self, trail, next);
        if ((int64_t)trail->depth < self->plan->hops_min) continue;
        *node = next;
        return *found = true, NULL;
    }
}

static Value trail_list(Operator *self, const Trail *trail)
{
    Value *items = arena_alloc(self->arena, (trail->depth + 1) * sizeof *items);
    for (size_t i = 0; i < trail->depth; i++) {
        size_t from =
            self->plan->streaming ? trail->depth - 1 - i : i; /* walked from the other end */
        items[i] = value_relationship(trail->path[from]);
    }
    return value_list(items, trail->depth);
}

static Error *trails_of_row(Operator *self, Trail *trail, uint32_t position, uint32_t *count,
                            uint32_t cap, bool *row_done)
{
    const PlanNode *plan = self->plan;
    bool check = plan->to_bound || plan->to_slot == plan->from_slot;
    *row_done = !trail->inside;
    while (trail->inside && *count < cap) {
        uint64_t node;
        bool found;
        TRY(operator_interrupted(self));
        TRY(next_trail(self, trail, position, &node, &found));
        if (!found) {
            trail->inside = false;
            *row_done = true;
            return NULL;
        }
        if (check && node != trail->target) continue;
        trail->positions[*count] = (uint16_t)position;
        trail->nodes[*count] = node;
        trail->lists[(*count)++] = trail_list(self, trail);
    }
    return NULL;
}

static void trail_room(Operator *self, Trail *trail, uint32_t cap)
{
    if (cap <= trail->room) return;
    trail->room = cap;
    trail->positions = arena_alloc(self->state_arena, cap * sizeof *trail->positions);
    trail->nodes = arena_alloc(self->state_arena, cap * sizeof *trail->nodes);
    trail->lists = arena_alloc(self->state_arena, cap * sizeof *trail->lists);
}

static Error *next_expand_variable(Operator *self, Batch **out)
{
    Trail *trail = self->state;
    uint32_t cap = operator_cap(self), count = 0;
    trail_room(self, trail, cap);
    *out = NULL;
    arena_reset(self->arena);
    while (count == 0) {
        while (trail->in == NULL || trail->at == trail->in->selected_count) {
            TRY(operator_next(self->input, &trail->in));
            trail->at = 0;
            trail->inside = false;
            if (trail->in == NULL) return NULL;
            ways_renew(self, &trail->ways, graph_direction(self->plan->direction));
        }
        while (count < cap && trail->at < trail->in->selected_count) {
            uint32_t position = batch_position(trail->in, trail->at);
            bool row_done;
            if (!trail->inside) begin_trail(self, trail, position);
            TRY(trails_of_row(self, trail, position, &count, cap, &row_done));
            if (!row_done) break;
            trail->at++;
        }
        if (count > 0)
            *out =
                batch_lists(self, trail->in, trail->positions, trail->nodes, trail->lists, count);
    }
    return NULL;
}

static void reset_trail(Operator *self)
{
    Trail *trail = self->state;
    trail->in = NULL;
    trail->at = 0;
    trail->inside = false;
}

static void close_trail(Operator *self)
{
    Trail *trail = self->state;
    for (size_t i = 0; i < trail->level_capacity; i++)
        neighbors_free(&trail->levels[i].found);
    mem_free(trail->levels);
    mem_free(trail->path);
    arena_destroy(trail->ways.arena);
}

void open_expand_variable(Operator *self)
{
    self->state = arena_new(self->state_arena, Trail);
    self->next = next_expand_variable;
    self->reset = reset_trail;
    self->close = close_trail;
}

/* ---- a list of relationships that is known ---- */

typedef struct Walk {
    Batch *in;
    uint32_t at;
    uint16_t positions[BATCH_ROWS_MAX];
    uint64_t from[BATCH_ROWS_MAX], to[BATCH_ROWS_MAX];
    EvalContext context;
    uint32_t *types, type_count;
} Walk;

static Error *not_relationships(const Operator *self, Value value)
{
    return error_at(error_new(ERROR_ARGUMENT_TYPE, "a list of relationships is wanted here, not %s",
                              value_kind_name((ValueKind)value.kind)),
                    self->plan->offset, self->plan->length);
}

/* May this relationship, the i-th of `list`, be a part of the trail? */
static Error *fits_trail(Operator *self, Walk *walk, uint32_t position, Value list, uint32_t i,
                         bool *out)
{
    Value value = list.as.items[i];
    *out = false;
    if (value_is_null(value)) return NULL;
    if (value.kind != VALUE_RELATIONSHIP) return not_relationships(self, value);
    for (uint32_t j = 0; j < i; j++)
        if (list.as.items[j].as.id == value.as.id) return NULL;
    bool typed = false;
    for (uint32_t t = 0; t < walk->type_count && !typed; t++)
        typed = walk->types[t] == relationship_type(value.as.id);
    if (!typed || relationship_is_used(self->plan, walk->in, position, value.as.id)) return NULL;
    *out = true;
    if (self->plan->step == NULL) return NULL;
    Value holds;
    operator_context(self, self->arena, &walk->context);
    walk->context.locals[self->plan->step_local] = value;
    TRY(expr_evaluate(self->plan->step, &walk->context, walk->in, position, &holds));
    *out = holds.kind == VALUE_BOOLEAN && holds.as.boolean;
    return NULL;
}

/* The node at the end of the list when it is walked from `node`; false: it does not lead on. */
static bool walk_from(Operator *self, Value list, uint64_t node, uint64_t *end)
{
    PlanDirection direction = self->plan->direction;
    for (uint32_t i = 0; i < list.aux; i++) {
        uint64_t tail, head;
        graph_relationship_ends(&self->execution->view, list.as.items[i].as.id, &tail, &head);
        if (direction != PLAN_IN && node == tail)
            node = head;
        else if (direction != PLAN_OUT && node == head)
            node = tail;
        else
            return false;
    }
    return *end = node, true;
}

static bool bound_node_is(const Batch *in, uint32_t slot, bool bound, uint32_t position,
                          uint64_t node)
{
    uint64_t known;
    return !bound || (entity_at(in, slot, position, VALUE_NODE, &known) && known == node);
}

static uint32_t give_walk(Operator *self, Walk *walk, uint32_t position, uint64_t from, Value list,
                          uint32_t count)
{
    const PlanNode *plan = self->plan;
    uint64_t to;
    if (!bound_node_is(walk->in, plan->from_slot, plan->from_bound, position, from) ||
        !walk_from(self, list, from, &to) ||
        !bound_node_is(walk->in, plan->to_slot, plan->to_bound, position, to) ||
        (plan->from_slot == plan->to_slot && from != to))
        return count;
    walk->positions[count] = (uint16_t)position;
    walk->from[count] = from, walk->to[count] = to;
    return count + 1;
}

/* Adds at most two: an undirected trail may be walked from either end of its first relationship. */
static Error *walks_of_row(Operator *self, Walk *walk, uint32_t position, uint32_t *count)
{
    const PlanNode *plan = self->plan;
    Value list = column_value(&walk->in->columns[plan->relationship_slot], position);
    if (value_is_null(list)) return NULL;
    if (list.kind != VALUE_LIST) return not_relationships(self, list);
    for (uint32_t i = 0; i < list.aux; i++) {
        bool fits;
        TRY(fits_trail(self, walk, position, list, i, &fits));
        if (!fits) return NULL;
    }
    if (list.aux < plan->hops_min || (plan->hops_max >= 0 && list.aux > plan->hops_max))
        return NULL;
    uint64_t tail, head;
    if (list.aux == 0) { /* one end at least is bound (plan_relationship) */
        uint32_t slot = plan->from_bound ? plan->from_slot : plan->to_slot;
        if (entity_at(walk->in, slot, position, VALUE_NODE, &tail))
            *count = give_walk(self, walk, position, tail, list, *count);
        return NULL;
    }
    graph_relationship_ends(&self->execution->view, list.as.items[0].as.id, &tail, &head);
    if (plan->direction != PLAN_IN) *count = give_walk(self, walk, position, tail, list, *count);
    if (plan->direction == PLAN_IN || (plan->direction == PLAN_BOTH && head != tail))
        *count = give_walk(self, walk, position, head, list, *count);
    return NULL;
}

static Error *next_walk(Operator *self, Batch **out)
{
    Walk *walk = self->state;
    uint32_t count = 0;
    *out = NULL;
    while (count == 0) {
        while (walk->in == NULL || walk->at == walk->in->selected_count) {
            TRY(operator_next(self->input, &walk->in));
            walk->at = 0;
            if (walk->in == NULL) return NULL;
            walk->types = types_resolve(self->execution, self->state_arena, self->plan->types,
                                        self->plan->type_count, &walk->type_count);
        }
        arena_reset(self->arena);
        while (walk->at < walk->in->selected_count && count + 2 <= BATCH_ROWS_MAX)
            TRY(walks_of_row(self, walk, batch_position(walk->in, walk->at++), &count));
    }
    Batch *batch = batch_extend(self, walk->in, walk->positions, count);
    Column *from = batch_column(self->arena, batch, self->plan->from_slot, COLUMN_NODE);
    memcpy(from->ids, walk->from, count * sizeof *walk->from);
    Column *to = batch_column(self->arena, batch, self->plan->to_slot, COLUMN_NODE);
    memcpy(to->ids, walk->to, count * sizeof *walk->to);
    return *out = batch, NULL;
}

static void reset_walk(Operator *self)
{
    ((Walk *)self->state)->in = NULL;
}

void open_walk(Operator *self)
{
    self->state = arena_new(self->state_arena, Walk);
    self->next = next_walk;
    self->reset = reset_walk;
}
