/*
 * scan.c - operators that add one entity or value to each row: scans, seeks, UNWIND, procedures,
 * rows of a file, and the ends of a known relationship.
 *
 * All of them extend: they walk over the rows of the input's batch, remember for each row given out
 * which input row it came from, and gather the input's columns at the end.
 */
#include "config.h"

#include "algorithm/algorithm.h"
#include "execution/operator_internal.h"
#include "planner/range.h"
#include "rowfile/rowfile.h"
#include <math.h>
#include <stdlib.h>

/* ---- Unit and Argument ---- */

typedef struct Once {
    bool done;
    const Batch *batch; /* Argument */
} Once;

static Error *next_unit(Operator *self, Batch **out)
{
    Once *once = self->state;
    *out = NULL;
    if (once->done) return NULL;
    once->done = true;
    arena_reset(self->arena);
    *out = batch_create(self->arena, self->execution->plan->slot_count);
    (*out)->row_count = (*out)->selected_count = 1;
    return NULL;
}

static void reset_once(Operator *self)
{
    ((Once *)self->state)->done = false;
}

void open_unit(Operator *self)
{
    self->state = arena_new(self->state_arena, Once);
    self->next = next_unit;
    self->reset = reset_once;
}

static Error *next_argument(Operator *self, Batch **out)
{
    Once *once = self->state;
    *out = NULL;
    if (once->done || once->batch == NULL) return NULL;
    once->done = true;
    arena_reset(self->arena);
    Batch *batch = batch_create(self->arena, once->batch->column_count);
    Column *columns = batch->columns;
    *batch = *once->batch;
    batch->columns = columns;
    memcpy(columns, once->batch->columns, batch->column_count * sizeof *columns);
    Column *row = batch_column(self->arena, batch, self->plan->row_slot, COLUMN_INTEGER);
    for (uint32_t i = 0; i < batch->row_count; i++)
        row->integers[i] = i;
    *out = batch;
    return NULL;
}

void argument_set(Operator *argument, const Batch *batch)
{
    Once *once = argument->state;
    once->batch = batch;
    once->done = false;
}

void open_argument(Operator *self)
{
    self->state = arena_new(self->state_arena, Once);
    self->next = next_argument;
    self->reset = reset_once;
}

/* ---- extending ---- */

/* What a scan's blocks are held against, or an index is asked (PlanRange). */
typedef struct Zones {
    uint32_t count;
    bool known;   /* in this run */
    bool indexed; /* ... and the nodes are those in `found` */
    PlanBound items[];
} Zones;

/* A scan in the order of a property. */
typedef struct InOrder {
    GraphInOrder *order; /* NULL: not begun, or `found` has all of it */
    bool begun, done;
    uint64_t lacking; /* cursor of nodes without it */
} InOrder;

/* UNWIND range(..) makes no list: its arguments are programs of their own. */
typedef struct Ranges {
    Program *programs[3];
    Column columns[3];
    uint32_t count;
} Ranges;

typedef struct Extend {
    Batch *in;
    uint32_t at;       /* of its selected rows */
    bool inside;       /* the row at hand has begun */
    uint64_t cursor;   /* scans: within the row at hand */
    uint64_t from, to; /* scans: nodes that count */
    uint32_t room;     /* of the three, as many rows as a batch may have by now */
    uint16_t *positions;
    uint64_t *ids;
    Value *values;
    Neighbors found;       /* seeks, and scans by an index */
    const Neighbors *lent; /* ... found by the statement's scan, for a worker's; NULL: none is */
    size_t found_at;
    Value list;         /* UNWIND: of the row at hand, */
    IntegerRange range; /* or what stands for one */
    Ranges *ranges;     /* ... NULL: lists */
    Program *program;
    EvalContext context;
    Column column;      /* UNWIND: lists of the batch; SEEK: keys */
    Arena *input_arena; /* values of the input's batch */
    Zones *zones;       /* scans; NULL: none */
    InOrder *in_order;  /* scans; NULL: by id */
    uint32_t *labels;
    uint32_t label_count;
    Arena *given_arena; /* procedures: what the row at hand gave, and how far it was passed on */
    Value *given;
    size_t given_count, given_capacity, given_at;
    uint16_t called; /* that row */
} Extend;

static Error *next_input(Operator *self, bool *more)
{
    Extend *extend = self->state;
    *more = true;
    while (extend->in == NULL || extend->at == extend->in->selected_count) {
        TRY(operator_next(self->input, &extend->in));
        extend->at = 0;
        extend->inside = false;
        if (extend->in == NULL) return *more = false, NULL;
        if (extend->program == NULL && extend->ranges == NULL) continue;
        arena_reset(extend->input_arena);
        operator_context(self, extend->input_arena, &extend->context);
        if (extend->program != NULL)
            TRY(program_run(extend->program, &extend->context, extend->in, &extend->column));
        for (uint32_t i = 0; extend->ranges != NULL && i < extend->ranges->count; i++)
            TRY(program_run(extend->ranges->programs[i], &extend->context, extend->in,
                            &extend->ranges->columns[i]));
    }
    return NULL;
}

/* A short query has small batches, and pays for no more. */
static uint32_t make_room(Operator *self, uint32_t cap)
{
    Extend *extend = self->state;
    if (cap <= extend->room) return cap;
    extend->room = cap;
    extend->positions = arena_alloc(self->state_arena, cap * sizeof *extend->positions);
    extend->ids = arena_alloc(self->state_arena, cap * sizeof *extend->ids);
    extend->values = arena_alloc(self->state_arena, cap * sizeof *extend->values);
    return cap;
}

static Batch *give_ids(Operator *self, const Batch *in, uint32_t count, ColumnType type,
                       uint32_t slot)
{
    Extend *extend = self->state;
    arena_reset(self->arena);
    Batch *batch = batch_extend(self, in, extend->positions, count);
    batch->columns[slot] =
        (Column){.type = type, .ids = extend->ids}; /* ours until the next call */
    return batch;
}

static void reset_extend(Operator *self)
{
    Extend *extend = self->state;
    extend->in = NULL;
    extend->at = 0;
    extend->inside = false;
    extend->given_count = extend->given_at = 0;
    if (extend->zones != NULL) extend->zones->known = false;
    if (extend->in_order == NULL) return;
    graph_in_order_end(extend->in_order->order);
    *extend->in_order = (InOrder){0};
}

static void close_extend(Operator *self)
{
    Extend *extend = self->state;
    if (extend->in_order != NULL) graph_in_order_end(extend->in_order->order);
    neighbors_free(&extend->found);
    arena_destroy(extend->input_arena);
    arena_destroy(extend->given_arena);
    mem_free(extend->given);
}

static Extend *extend_new(Operator *self, const Expr *expr)
{
    Extend *extend = arena_new(self->state_arena, Extend);
    extend->input_arena = arena_create();
    if (expr != NULL) extend->program = program_compile(self->state_arena, expr);
    self->state = extend;
    self->reset = reset_extend;
    self->close = close_extend;
    return extend;
}

/* ---- scans ---- */

static bool is_number(Value value)
{
    return value.kind == VALUE_INTEGER || (value.kind == VALUE_FLOAT && !isnan(value.as.number));
}

static void resolve_labels(const Operator *self)
{
    const Extend *extend = self->state;
    for (uint32_t i = 0; i < self->plan->label_count; i++)
        extend->labels[i] = name_resolve(self->execution, NAME_LABEL, self->plan->labels[i]);
}

static void choose_index(Operator *self);

/* A bound that no range can have leaves nothing out: the filter knows what is to become of it. */
static Error *find_zones(Operator *self)
{
    Extend *extend = self->state;
    Zones *zones = extend->zones;
    Batch none = {.row_count = 1, .selected_count = 1};
    zones->count = 0;
    zones->known = true;
    zones->indexed = false;
    arena_reset(extend->input_arena);
    operator_context(self, extend->input_arena, &extend->context);
    for (uint32_t i = 0; i < self->plan->range_count; i++) {
        const PlanRange *range = &self->plan->ranges[i];
        Value bound;
        TRY(expr_evaluate(range->bound, &extend->context, &none, 0, &bound));
        if (!graph_range_bound(bound) ||
            (range->comparison == EXPR_STARTS_WITH && bound.kind != VALUE_STRING))
            continue;
        zones->items[zones->count].key = name_resolve(self->execution, NAME_KEY, range->key);
        zones->items[zones->count++].range = plan_range_of(range, bound);
    }
    if (extend->lent != NULL)
        zones->indexed = true;
    else if (self->plan->by_index && !self->plan->in_order)
        choose_index(self);
    return NULL;
}

static bool may_hold(const GraphView *view, const Zones *zones, uint64_t block)
{
    for (uint32_t i = 0; i < zones->count; i++) {
        const GraphRange *range = &zones->items[i].range;
        bool numbers = !range->prefix && (is_number(range->low) || range->low.kind == VALUE_NULL) &&
                       (is_number(range->high) || range->high.kind == VALUE_NULL);
        if (numbers &&
            !graph_block_spans(view, block, zones->items[i].key, range->low, range->high))
            return false;
    }
    return true;
}

/* ---- scans by an index ---- */

static uint64_t nodes_of_scan(const Operator *self)
{
    const GraphView *view = &self->execution->view;
    const Extend *extend = self->state;
    uint64_t nodes = graph_node_count(view);
    for (uint32_t i = 0; i < self->plan->label_count; i++) {
        uint64_t own = extend->labels[i] == GRAPH_NAME_UNKNOWN
                           ? 0
                           : graph_label_count(view, extend->labels[i]);
        if (own < nodes) nodes = own;
    }
    return nodes;
}

static bool has_labels(Operator *self, uint64_t node);

static bool is_labelled(const Operator *self, uint32_t label) /* does the scan ask for it? */
{
    const Extend *extend = self->state;
    for (uint32_t i = 0; i < self->plan->label_count; i++)
        if (extend->labels[i] == label) return true;
    return false;
}

/* What `found` has of the scan's other labels. */
static void keep_labels(Operator *self)
{
    Neighbors *found = &((Extend *)self->state)->found;
    size_t kept = 0;
    for (size_t i = 0; i < found->count; i++)
        if (has_labels(self, found->nodes[i])) found->nodes[kept++] = found->nodes[i];
    found->count = kept;
}

static void note(Operator *self, const char *format, uint64_t count)
{
    Execution *execution = self->execution;
    if (execution->plan->profile && execution->worker == NULL)
        execution->notes[self->plan->id] =
            arena_printf(execution->arena, format, (unsigned long long)count);
}

/* The index that leaves least, if that is a small part of all: one node found takes as long as some in
 * a scan. Workers have the parts of a large scan. */
static void choose_index(Operator *self)
{
    enum { SCANNED_FOR_ONE = 16, ALWAYS = 64 };
    Extend *extend = self->state;
    Zones *zones = extend->zones;
    const GraphView *view = &self->execution->view;
    GraphInOrder *best = NULL;
    uint64_t most = nodes_of_scan(self) / SCANNED_FOR_ONE;
    if (most < ALWAYS) most = ALWAYS;
    uint32_t indexes = self->execution->worker == NULL ? graph_index_count(view->graph) : 0;
    for (uint32_t i = 0; i < indexes; i++) {
        const GraphIndex *index = graph_index_at(view, i);
        GraphRange range;
        if (!graph_index_orders(index) || !is_labelled(self, index->label) ||
            !plan_index_range(extend->input_arena, index, zones->items, zones->count, &range))
            continue;
        GraphInOrder *order = graph_in_order(view, index, &range, false);
        uint64_t count = graph_in_order_count(order, most + 1);
        if (count <= most) {
            graph_in_order_end(best);
            best = order;
            most = count;
        } else {
            graph_in_order_end(order);
        }
    }
    if (best == NULL) return note(self, "too many for an index", 0);
    extend->found.count = 0;
    graph_in_order_all(best, &extend->found);
    graph_in_order_end(best);
    note(self, "%llu by index", extend->found.count);
    if (self->plan->label_count > 1) keep_labels(self);
    zones->indexed = true;
}

static uint32_t scan_found(Extend *extend, uint64_t *ids, uint32_t max)
{
    uint64_t left = extend->found.count - extend->cursor;
    uint32_t count = left < max ? (uint32_t)left : max;
    if (count > 0) memcpy(ids, extend->found.nodes + extend->cursor, count * sizeof *ids);
    extend->cursor += count;
    return count;
}

static const Neighbors *found_of(const Extend *extend)
{
    return extend->lent != NULL ? extend->lent : &extend->found;
}

/* The first of the ids, which ascend, that is no smaller. */
static size_t first_from(const Neighbors *found, uint64_t id)
{
    size_t low = 0, high = found->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (found->nodes[middle] < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Of what the index found, nodes of [from, to): the cursor is a node's id, as in a scan. */
static uint32_t scan_found_between(Extend *extend, uint64_t *ids, uint32_t max)
{
    const Neighbors *found = found_of(extend);
    size_t at = first_from(found, extend->cursor);
    uint32_t count = 0;
    while (count < max && at < found->count && found->nodes[at] < extend->to)
        ids[count++] = found->nodes[at++];
    extend->cursor = count == 0 ? extend->to : ids[count - 1] + 1;
    return count;
}

typedef struct Keyed {
    Value value;
    uint64_t node;
    bool descending;
} Keyed;

static int by_key(const void *a, const void *b)
{
    const Keyed *x = a, *y = b;
    int order = value_order(x->value, y->value);
    if (order != 0) return x->descending ? -order : order;
    return x->node < y->node ? -1 : x->node > y->node;
}

/* The index went since the plan was made: what it would have given. */
static Error *sort_scan(Operator *self, uint32_t key)
{
    Extend *extend = self->state;
    const GraphView *view = &self->execution->view;
    uint64_t cursor = 0, node;
    size_t count = 0, capacity = 0;
    Keyed *all = NULL;
    Error *error = NULL;
    while (error == NULL &&
           graph_scan(view, extend->labels, self->plan->label_count, &cursor, &node, 1) == 1) {
        Value value = graph_property(view, VALUE_NODE, node, key);
        if (value.kind == VALUE_NULL && self->plan->no_lack) continue;
        mem_reserve(all, capacity, count + 1);
        all[count++] = (Keyed){value, node, self->plan->descending};
        error = operator_check_memory(self, count * 2 * sizeof *all);
    }
    if (count > 1) qsort(all, count, sizeof *all, by_key);
    mem_reserve(extend->found.nodes, extend->found.node_capacity, count + 1);
    for (size_t i = 0; i < count; i++)
        extend->found.nodes[i] = all[i].node;
    extend->found.count = count;
    mem_free(all);
    return error;
}

static Error *begin_in_order(Operator *self, uint32_t key)
{
    Extend *extend = self->state;
    const GraphView *view = &self->execution->view;
    const GraphIndex *index = plan_index_in_order(view, self->plan, self->plan->key);
    extend->in_order->begun = true;
    extend->found.count = 0;
    if (index == NULL) return sort_scan(self, key);
    GraphRange range = {0};
    if (extend->zones != NULL)
        plan_index_range(extend->input_arena, index, extend->zones->items, extend->zones->count,
                         &range);
    extend->in_order->order = graph_in_order(view, index, &range, self->plan->descending);
    return NULL;
}

/* Null comes last, and first when it goes downwards. */
static Error *scan_in_order(Operator *self, uint64_t *ids, uint32_t max, uint32_t *found)
{
    Extend *extend = self->state;
    InOrder *state = extend->in_order;
    const PlanNode *plan = self->plan;
    const GraphView *view = &self->execution->view;
    uint32_t key = name_resolve(self->execution, NAME_KEY, plan->key);
    *found = 0;
    if (!state->begun) TRY(begin_in_order(self, key));
    if (state->order == NULL) return *found = scan_found(extend, ids, max), NULL;
    for (int turn = 0; turn < 2 && *found < max; turn++) {
        bool lacking = (turn == 0) == plan->descending;
        if (lacking && !plan->no_lack)
            *found += graph_scan_lacking(view, extend->labels, plan->label_count, key,
                                         &state->lacking, ids + *found, max - *found);
        while (!lacking && *found < max && !state->done) {
            uint32_t count = graph_in_order_next(state->order, ids + *found, max - *found);
            state->done = count == 0;
            for (uint32_t i = 0, from = *found; i < count; i++)
                if (has_labels(self, ids[from + i])) ids[(*found)++] = ids[from + i];
            TRY(operator_interrupted(self));
        }
    }
    return NULL;
}

bool scan_found_by_index(Operator *scan, uint64_t *count)
{
    Extend *extend = scan->state;
    if (!scan->plan->by_index || scan->plan->in_order) return false;
    resolve_labels(scan);
    if (!extend->zones->known) {
        Error *error = find_zones(scan); /* what fails now fails again when the scan begins */
        if (error != NULL) extend->zones->known = false;
        error_drop(error);
    }
    if (!extend->zones->known || !extend->zones->indexed) return false;
    *count = found_of(extend)->count;
    return true;
}

void scan_lend(Operator *to, const Operator *from)
{
    const Extend *extend = from == NULL ? NULL : from->state;
    bool indexed =
        extend != NULL && extend->zones != NULL && extend->zones->known && extend->zones->indexed;
    ((Extend *)to->state)->lent = indexed ? found_of(extend) : NULL;
}

/* As graph_scan_below, without the blocks that the zones leave out. */
static uint32_t scan_zones(const Operator *self, Extend *extend, uint64_t *ids, uint32_t max)
{
    const GraphView *view = &self->execution->view;
    uint64_t nodes = graph_block_count(view) * GRAPH_BLOCK_ROWS;
    uint64_t below = extend->to < nodes ? extend->to : nodes;
    uint32_t found = 0;
    while (found < max && extend->cursor < below) {
        uint64_t block = extend->cursor / GRAPH_BLOCK_ROWS, end = (block + 1) * GRAPH_BLOCK_ROWS;
        if (!may_hold(view, extend->zones, block)) {
            extend->cursor = end;
            continue;
        }
        found += graph_scan_below(view, extend->labels, self->plan->label_count, &extend->cursor,
                                  end < below ? end : below, ids + found, max - found);
        if (found < max && extend->cursor < end) extend->cursor = end;
    }
    return found;
}

static Error *scan_ids(Operator *self, uint64_t *ids, uint32_t max, uint32_t *found)
{
    Extend *extend = self->state;
    const Zones *zones = extend->zones;
    if (extend->in_order != NULL) return scan_in_order(self, ids, max, found);
    if (zones != NULL && zones->indexed)
        *found = scan_found_between(extend, ids, max);
    else if (zones != NULL && zones->count > 0)
        *found = scan_zones(self, extend, ids, max);
    else
        *found = graph_scan_below(&self->execution->view, extend->labels, self->plan->label_count,
                                  &extend->cursor, extend->to, ids, max);
    return NULL;
}

/* How far the first operator of a query is, whose rows all others wait for. */
static void tell_progress(const Operator *self, uint64_t done, uint64_t count)
{
    const ExecutionEnvironment *environment = &self->execution->environment;
    if (environment->progress == NULL || self->input->plan->kind != PLAN_UNIT) return;
    if (done > count) done = count;
    environment->progress(environment->session, count == 0 ? 1 : (double)done / (double)count,
                          done);
}

/* Of nodes found by an index or in its order nobody counts how many there are. */
static void tell_scanned(const Operator *self)
{
    const Extend *extend = self->state;
    bool counted = extend->in_order == NULL && (extend->zones == NULL || !extend->zones->indexed);
    if (counted && extend->inside)
        tell_progress(self, extend->cursor,
                      graph_block_count(&self->execution->view) * GRAPH_BLOCK_ROWS);
}

static Error *next_scan(Operator *self, Batch **out)
{
    Extend *extend = self->state;
    uint32_t cap = make_room(self, operator_cap(self)), count = 0;
    bool more;
    *out = NULL;
    tell_scanned(self);
    while (count == 0) {
        TRY(next_input(self, &more));
        if (!more) return NULL;
        resolve_labels(self); /* what the input wrote may have made them */
        if (extend->zones != NULL && !extend->zones->known) TRY(find_zones(self));
        Batch *in = extend->in;
        bool one_row = true; /* of the input: then the ids ascend */
        while (count < cap &&
               extend->at < in->selected_count) { /* a batch's rows come from one input batch */
            if (!extend->inside) extend->cursor = extend->from;
            extend->inside = true;
            uint64_t *ids = extend->ids + count;
            uint32_t found;
            TRY(scan_ids(self, ids, cap - count, &found));
            if (extend->in_order == NULL) operator_shuffle(self, ids, NULL, found);
            uint16_t position = (uint16_t)batch_position(in, extend->at);
            if (position == 0) memset(extend->positions + count, 0, found * sizeof position);
            for (uint32_t i = 0; position != 0 && i < found; i++)
                extend->positions[count + i] = position;
            one_row = one_row && count == 0;
            count += found;
            if (count == cap) break;
            extend->inside = false;
            extend->at++;
        }
        if (count == 0) continue;
        *out = give_ids(self, in, count, COLUMN_NODE, self->plan->slot);
        (*out)->columns[self->plan->slot].ascending =
            one_row && extend->in_order == NULL && self->execution->environment.shuffle == 0;
    }
    return NULL;
}

void source_between(Operator *source, uint64_t from, uint64_t to)
{
    Extend *extend = source->state;
    extend->from = from;
    extend->to = to;
}

void open_scan(Operator *self)
{
    Extend *extend = extend_new(self, NULL);
    source_between(self, 0, UINT64_MAX);
    if (self->plan->range_count > 0)
        extend->zones = arena_calloc(self->state_arena, 1,
                                     sizeof *extend->zones +
                                         self->plan->range_count * sizeof extend->zones->items[0]);
    if (self->plan->in_order) extend->in_order = arena_new(self->state_arena, InOrder);
    extend->labels = arena_array(self->state_arena, uint32_t, self->plan->label_count + 1);
    self->next = next_scan;
}

/* ---- seeks ---- */

/* An entity by its id, which 5.0 is as well as 5. */
static void seek_id(Operator *self, Value key)
{
    enum { FLOAT_IDS_MAX = 53 }; /* bits: above, not every integer is a float */
    Extend *extend = self->state;
    const GraphView *view = &self->execution->view;
    bool whole = key.kind == VALUE_FLOAT && key.as.number >= 0 &&
                 key.as.number < (double)(UINT64_C(1) << FLOAT_IDS_MAX) &&
                 key.as.number == floor(key.as.number);
    if (key.kind != VALUE_INTEGER && !whole) return;
    uint64_t id = whole ? (uint64_t)key.as.number : (uint64_t)key.as.integer;
    bool there = self->plan->kind == PLAN_NODE_BY_ID ? graph_node_visible(view, id)
                                                     : graph_relationship_visible(view, id);
    if (!there) return;
    mem_reserve(extend->found.nodes, extend->found.node_capacity, 1);
    extend->found.nodes[extend->found.count++] = id;
}

/* The index was dropped since the plan was made, or is younger than the view: scan. */
static void seek_without_index(Operator *self, const uint32_t *keys, const Value *values,
                               uint32_t count)
{
    Extend *extend = self->state;
    const GraphView *view = &self->execution->view;
    uint64_t cursor = 0, id;
    while (graph_scan(view, extend->labels, 1, &cursor, &id, 1) == 1) {
        bool hit = true;
        for (uint32_t k = 0; k < count && hit; k++)
            hit =
                value_equal(graph_property(view, VALUE_NODE, id, keys[k]), values[k]) == TRUTH_TRUE;
        if (!hit) continue;
        mem_reserve(extend->found.nodes, extend->found.node_capacity, extend->found.count + 1);
        extend->found.nodes[extend->found.count++] = id;
    }
}

static void seek_row(Operator *self, uint32_t position)
{
    Extend *extend = self->state;
    const PlanNode *plan = self->plan;
    const GraphView *view = &self->execution->view;
    Value key = column_value(&extend->column, position);
    uint32_t keys[GRAPH_INDEX_KEYS_MAX], several = plan->key_count;
    extend->found.count = extend->found_at = 0;
    if (plan->kind != PLAN_NODE_SEEK) return seek_id(self, key);
    keys[0] = name_resolve(self->execution, NAME_KEY, several > 0 ? plan->keys[0] : plan->key);
    for (uint32_t k = 1; k < several; k++)
        keys[k] = name_resolve(self->execution, NAME_KEY, plan->keys[k]);
    const GraphIndex *index = several > 0
                                  ? graph_index_on_several(view, extend->labels[0], keys, several)
                                  : graph_index_on(view, extend->labels[0], keys[0], false);
    if (index != NULL)
        graph_seek(view, index, key, &extend->found);
    else if (several > 0)
        seek_without_index(self, keys, key.as.items, several);
    else
        seek_without_index(self, keys, &key, 1);
}

static bool has_labels(Operator *self, uint64_t node)
{
    Extend *extend = self->state;
    for (uint32_t i = 0; i < self->plan->label_count; i++)
        if (!graph_node_has_label(&self->execution->view, node, extend->labels[i])) return false;
    return true;
}

static Error *next_seek(Operator *self, Batch **out)
{
    Extend *extend = self->state;
    uint32_t cap = make_room(self, operator_cap(self)), count = 0;
    bool more;
    ColumnType type =
        self->plan->kind == PLAN_RELATIONSHIP_BY_ID ? COLUMN_RELATIONSHIP : COLUMN_NODE;
    *out = NULL;
    while (count == 0) {
        TRY(next_input(self, &more));
        if (!more) return NULL;
        resolve_labels(self);
        Batch *in = extend->in;
        while (count < cap && extend->at < in->selected_count) {
            uint32_t position = batch_position(in, extend->at);
            if (!extend->inside) {
                seek_row(self, position);
                operator_shuffle(self, extend->found.nodes, NULL, extend->found.count);
            }
            extend->inside = true;
            for (; count < cap && extend->found_at < extend->found.count; extend->found_at++) {
                if (!has_labels(self, extend->found.nodes[extend->found_at])) continue;
                extend->positions[count] = (uint16_t)position;
                extend->ids[count++] = extend->found.nodes[extend->found_at];
            }
            if (extend->found_at < extend->found.count) break;
            extend->inside = false;
            extend->at++;
        }
        if (count > 0) *out = give_ids(self, in, count, type, self->plan->slot);
    }
    return NULL;
}

void open_seek(Operator *self)
{
    Extend *extend = extend_new(self, self->plan->expr);
    extend->labels = arena_array(self->state_arena, uint32_t, self->plan->label_count + 1);
    self->next = next_seek;
}

/* ---- UNWIND ---- */

static bool is_range(const Expr *expr)
{
    return expr->kind == EXPR_CALL && str_equal(expr->function->name, STR("range"));
}

static Error *range_of_row(Operator *self, uint32_t position)
{
    Extend *extend = self->state;
    const Ranges *ranges = extend->ranges;
    const Expr *expr = self->plan->expr;
    Value args[3];
    extend->range = (IntegerRange){0};
    for (uint32_t i = 0; i < ranges->count; i++) {
        args[i] = column_value(&ranges->columns[i], position);
        if (args[i].kind == VALUE_NULL) return NULL;
    }
    return error_at(integer_range(args, ranges->count, &extend->range), expr->offset, expr->length);
}

/* The row at hand begins. */
static Error *begin_list(Operator *self, uint32_t position)
{
    Extend *extend = self->state;
    extend->cursor = extend->from;
    extend->inside = true;
    if (extend->ranges != NULL) return range_of_row(self, position);
    extend->list = column_value(&extend->column, position);
    return NULL;
}

static Value element(const Extend *extend, uint64_t i)
{
    Value list = extend->list;
    if (extend->ranges != NULL)
        return value_integer(
            (int64_t)((uint64_t)extend->range.from + i * (uint64_t)extend->range.step));
    if (list.kind == VALUE_LIST) return list.as.items[i];
    return list.kind == VALUE_VECTOR ? value_float((double)list.as.vector[i]) : list;
}

static uint64_t elements(const Extend *extend)
{
    Value list = extend->list;
    if (extend->ranges != NULL) return extend->range.count;
    if (list.kind == VALUE_NULL) return 0;
    return list.kind == VALUE_LIST || list.kind == VALUE_VECTOR ? list.aux : 1;
}

static Error *next_unwind(Operator *self, Batch **out)
{
    Extend *extend = self->state;
    uint32_t cap = make_room(self, operator_cap(self)), count = 0;
    bool more;
    *out = NULL;
    while (count == 0) {
        TRY(next_input(self, &more));
        if (!more) return NULL;
        Batch *in = extend->in;
        while (count < cap && extend->at < in->selected_count) {
            uint32_t position = batch_position(in, extend->at);
            if (!extend->inside) TRY(begin_list(self, position));
            uint64_t n = elements(extend);
            if (n > extend->to) n = extend->to;
            for (; count < cap && extend->cursor < n; extend->cursor++) {
                extend->positions[count] = (uint16_t)position;
                extend->values[count++] = element(extend, extend->cursor);
            }
            if (extend->cursor < n) break;
            extend->inside = false;
            extend->at++;
        }
        if (count == 0) continue;
        arena_reset(self->arena);
        *out = batch_extend(self, in, extend->positions, count);
        ColumnType type = column_type_of((ValueKind)extend->values[0].kind);
        Column *column = batch_column(self->arena, *out, self->plan->slot, type);
        for (uint32_t i = 0; i < count; i++)
            column_set(self->arena, column, i, extend->values[i], count);
    }
    if (extend->inside) tell_progress(self, extend->cursor, elements(extend));
    return NULL;
}

static bool is_given(const Expr *expr)
{
    return expr->kind == EXPR_PARAMETER || expr->kind == EXPR_CONSTANT;
}

uint64_t unwind_elements(Operator *unwind)
{
    Extend *extend = unwind->state;
    const Expr *expr = unwind->plan->expr;
    Value args[3];
    Batch none = {.row_count = 1, .selected_count = 1};
    Error *error = NULL;
    bool range = is_range(expr), given = range || is_given(expr);
    for (uint32_t i = 0; range && i < expr->arg_count; i++)
        given = given && is_given(expr->args[i]);
    if (!given) return 0;
    operator_context(unwind, extend->input_arena, &extend->context);
    for (uint32_t i = 0; error == NULL && i < (range ? expr->arg_count : 1); i++)
        error = expr_evaluate(range ? expr->args[i] : expr, &extend->context, &none, 0, &args[i]);
    for (uint32_t i = 0; error == NULL && range && i < expr->arg_count; i++)
        if (args[i].kind == VALUE_NULL) return 0;
    if (error == NULL && range) error = integer_range(args, expr->arg_count, &extend->range);
    if (error == NULL && !range) extend->list = args[0];
    uint64_t count = error == NULL ? elements(extend) : 0;
    error_drop(error); /* it comes again when the rows are asked for */
    return count;
}

void open_unwind(Operator *self)
{
    const Expr *expr = self->plan->expr;
    Extend *extend = extend_new(self, is_range(expr) ? NULL : expr);
    self->next = next_unwind;
    source_between(self, 0, UINT64_MAX);
    if (!is_range(expr)) return;
    extend->ranges = arena_new(self->state_arena, Ranges);
    extend->ranges->count = expr->arg_count;
    for (uint32_t i = 0; i < expr->arg_count; i++)
        extend->ranges->programs[i] = program_compile(self->state_arena, expr->args[i]);
}

/* ---- procedures ---- */

static Error *take_row(void *sink, const Value *row)
{
    Operator *self = sink;
    Extend *extend = self->state;
    size_t width = self->plan->item_count;
    if (mem_is_short()) return operator_room(self, 0);
    mem_reserve(extend->given, extend->given_capacity, (extend->given_count + 1) * (width + 1));
    for (size_t i = 0; i < width; i++)
        extend->given[extend->given_count * width + i] = value_copy(extend->given_arena, row[i]);
    extend->given_count++;
    return extend->given_count % BATCH_ROWS_MAX > 0
               ? NULL
               : operator_check_memory(self, arena_bytes(extend->given_arena) +
                                                 extend->given_capacity * sizeof *extend->given);
}

static Error *run_algorithm(Operator *self, Value options)
{
    const ExecutionEnvironment *environment = &self->execution->environment;
    const Interrupt *interrupt = environment->interrupt;
    AlgorithmContext context = {.view = &self->execution->view,
                                .stop = interrupt == NULL ? NULL : interrupt->stop,
                                .stop_state = interrupt == NULL ? NULL : interrupt->state,
                                .progress = environment->progress,
                                .progress_state = environment->session,
                                .memory_bytes_max = environment->memory_bytes_max};
    return algorithm_run(self->plan->algorithm, &context, options, take_row, self);
}

static Error *call_row(Operator *self, const Batch *in, uint32_t position)
{
    Value args[FUNCTION_ARGS_MAX];
    Extend *extend = self->state;
    const ExecutionEnvironment *environment = &self->execution->environment;
    if (extend->given_arena == NULL) extend->given_arena = arena_create();
    arena_reset(extend->given_arena);
    extend->given_count = extend->given_at = 0;
    operator_context(self, extend->given_arena, &extend->context);
    for (uint32_t i = 0; i < self->plan->expr_count; i++)
        TRY(expr_evaluate(self->plan->exprs[i], &extend->context, in, position, &args[i]));
    if (self->plan->algorithm != NULL) {
        TRY(run_algorithm(self, args[0]));
    } else {
        if (environment->call == NULL)
            return error_new(ERROR_PROCEDURE_NOT_FOUND, "no procedures here");
        TRY(environment->call(environment->session, self->plan->procedure, args,
                              self->plan->expr_count, take_row, self));
    }
    if (self->plan->item_count == 0) extend->given_count = 1; /* the row passes */
    return NULL;
}

/* A procedure runs once an input row; one without columns passes the row on. */
static Error *next_call(Operator *self, Batch **out)
{
    Extend *extend = self->state;
    size_t width = self->plan->item_count;
    bool more;
    *out = NULL;
    while (extend->given_at == extend->given_count) {
        TRY(next_input(self, &more));
        if (!more) return NULL;
        extend->called = (uint16_t)batch_position(extend->in, extend->at++);
        TRY(call_row(self, extend->in, extend->called));
    }
    arena_reset(self->arena);
    size_t left = extend->given_count - extend->given_at;
    uint32_t rows = make_room(self, left < BATCH_ROWS_MAX ? (uint32_t)left : BATCH_ROWS_MAX);
    for (uint32_t i = 0; i < rows; i++)
        extend->positions[i] = extend->called;
    *out = batch_extend(self, extend->in, extend->positions, rows);
    for (uint32_t c = 0; c < self->plan->slot_count; c++) {
        Column *column = batch_column(self->arena, *out, self->plan->slots[c], COLUMN_ANY);
        for (uint32_t i = 0; i < rows; i++)
            column->values[i] =
                extend->given[(extend->given_at + i) * width + self->plan->branch_slots[c]];
    }
    extend->given_at += rows;
    return NULL;
}

void open_call(Operator *self)
{
    extend_new(self, NULL);
    self->next = next_call;
}

/* ---- the ends of a known relationship ---- */

static bool type_fits(Operator *self, uint64_t relationship)
{
    if (self->plan->type_count == 0) return true;
    for (uint32_t i = 0; i < self->plan->type_count; i++)
        if (name_resolve(self->execution, NAME_TYPE, self->plan->types[i]) ==
            relationship_type(relationship))
            return true;
    return false;
}

static bool end_fits(const Batch *in, uint32_t slot, bool bound, uint32_t position, uint64_t node)
{
    uint64_t known;
    return !bound || (entity_at(in, slot, position, VALUE_NODE, &known) && known == node);
}

/* Both ways for an undirected pattern, once for a loop. */
static uint32_t ends_of_row(Operator *self, const Batch *in, uint32_t position, uint64_t from[2],
                            uint64_t to[2])
{
    uint64_t relationship, start, end;
    uint32_t count = 0;
    const PlanNode *plan = self->plan;
    if (!entity_at(in, plan->relationship_slot, position, VALUE_RELATIONSHIP, &relationship) ||
        !type_fits(self, relationship))
        return 0;
    for (uint32_t i = 0; i < plan->different_count; i++) {
        uint64_t other;
        if (entity_at(in, plan->different[i], position, VALUE_RELATIONSHIP, &other) &&
            other == relationship)
            return 0;
    }
    graph_relationship_ends(&self->execution->view, relationship, &start, &end);
    for (int way = 0; way < 2; way++) {
        bool wanted = way == 0 ? plan->direction != PLAN_IN : plan->direction != PLAN_OUT;
        if (!wanted || (way == 1 && plan->direction == PLAN_BOTH && start == end)) continue;
        uint64_t a = way == 0 ? start : end, b = way == 0 ? end : start;
        if (!end_fits(in, plan->from_slot, plan->from_bound, position, a) ||
            !end_fits(in, plan->to_slot, plan->to_bound, position, b))
            continue;
        if (plan->from_slot == plan->to_slot && a != b) continue;
        from[count] = a;
        to[count++] = b;
    }
    return count;
}

static Error *next_ends(Operator *self, Batch **out)
{
    Extend *extend = self->state;
    bool more;
    *out = NULL;
    for (;;) {
        uint32_t count = 0;
        TRY(next_input(self, &more));
        if (!more) return NULL;
        Batch *in = extend->in;
        uint32_t rows = 2 * in->selected_count; /* each may be both ways */
        make_room(self, rows < BATCH_ROWS_MAX ? rows : BATCH_ROWS_MAX);
        uint64_t *other = (uint64_t *)(void *)extend->values;
        for (; extend->at < in->selected_count && count + 2 <= BATCH_ROWS_MAX; extend->at++) {
            uint64_t from[2], to[2];
            uint32_t position = batch_position(in, extend->at),
                     ways = ends_of_row(self, in, position, from, to);
            for (uint32_t i = 0; i < ways; i++, count++) {
                extend->positions[count] = (uint16_t)position;
                extend->ids[count] = from[i];
                other[count] = to[i];
            }
        }
        if (count == 0) continue;
        *out = give_ids(self, in, count, COLUMN_NODE, self->plan->from_slot);
        Column *column = batch_column(self->arena, *out, self->plan->to_slot, COLUMN_NODE);
        memcpy(column->ids, other, count * sizeof *other);
        return NULL;
    }
}

void open_ends(Operator *self)
{
    extend_new(self, NULL);
    self->next = next_ends;
}

/* ---- LOAD FROM: one row a row of a file, for each input row ---- */

typedef struct Load {
    Batch *in;
    uint32_t at;
    RowFile *file;
    bool ended; /* its last rows were given out: they may point into it until the next call */
    EvalContext context;
} Load;

Error *execution_path(const ExecutionEnvironment *environment, Arena *arena, Value source,
                      const char **out)
{
    if (source.kind != VALUE_STRING)
        return error_new(ERROR_ARGUMENT_TYPE, "a file is named by text, not %s",
                         value_kind_name((ValueKind)source.kind));
    if (!environment->files_allowed)
        return error_new(ERROR_READ_ONLY, "files are not allowed in this session");
    Str name = value_text(source);
    if (memchr(name.data, '\0', name.bytes) != NULL)
        return error_new(ERROR_ARGUMENT_VALUE, "a file name has no zero byte");
    bool relative = environment->directory != NULL && name.bytes > 0 && name.data[0] != '/';
    *out = relative ? arena_printf(arena, "%s/%.*s", environment->directory, STR_ARG(name))
                    : str_copy(arena, name).data;
    return NULL;
}

static Error *open_file(Operator *self, Load *load, uint32_t position)
{
    Value source, options = value_null();
    const char *path;
    operator_context(self, self->state_arena, &load->context);
    TRY(expr_evaluate(self->plan->expr, &load->context, load->in, position, &source));
    if (self->plan->options != NULL)
        TRY(expr_evaluate(self->plan->options, &load->context, load->in, position, &options));
    TRY(rowfile_check_options(options, FILE_LOAD));
    TRY(execution_path(&self->execution->environment, self->state_arena, source, &path));
    return rowfile_open(path, options, &load->file);
}

static void report(Operator *self, const Load *load)
{
    const ExecutionEnvironment *environment = &self->execution->environment;
    if (environment->progress != NULL)
        environment->progress(environment->session, rowfile_done(load->file),
                              self->execution->stats.rows_read);
}

static Error *next_load(Operator *self, Batch **out)
{
    Load *load = self->state;
    *out = NULL;
    for (;;) {
        if (load->ended) {
            rowfile_close(load->file);
            load->file = NULL;
            load->ended = false;
            load->at++;
        }
        if (load->file == NULL) {
            while (load->in == NULL || load->at == load->in->selected_count) {
                TRY(operator_next(self->input, &load->in));
                load->at = 0;
                if (load->in == NULL) return NULL;
            }
            TRY(open_file(self, load, batch_position(load->in, load->at)));
        }
        uint16_t positions[BATCH_ROWS_MAX];
        Value rows[BATCH_ROWS_MAX];
        uint32_t count = 0, cap = operator_cap(self);
        arena_reset(self->arena);
        for (; count < cap; count++) {
            TRY(rowfile_next(load->file, self->arena, &rows[count]));
            if (rows[count].kind == VALUE_NULL) break;
            positions[count] = (uint16_t)batch_position(load->in, load->at);
        }
        self->execution->stats.rows_read += count;
        report(self, load);
        load->ended = count < cap;
        if (count == 0) continue;
        *out = batch_extend(self, load->in, positions, count);
        Column *column = batch_column(self->arena, *out, self->plan->slot, COLUMN_ANY);
        memcpy(column->values, rows, count * sizeof *rows);
        return NULL;
    }
}

static void reset_load(Operator *self)
{
    Load *load = self->state;
    rowfile_close(load->file);
    load->file = NULL;
    load->ended = false;
    load->in = NULL;
    load->at = 0;
}

void open_load(Operator *self)
{
    self->state = arena_new(self->state_arena, Load);
    self->next = next_load;
    self->reset = reset_load;
    self->close = reset_load;
}
