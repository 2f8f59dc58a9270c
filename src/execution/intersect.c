/*
 * intersect.c - where two arms meet: the last node of a cycle, or the link that closes one.
 *
 * The neighbors of one end are marked, and stay so while the rows at hand have that end (the arm that
 * was bound first varies slowest); those of the other end are looked up among the marks. A mark is a
 * byte that counts parallel relationships. The array has a byte a node, but only what is touched is
 * ever written or cleared. Relationships that the row has used are taken off again. Rows whose arms
 * begin at one node and could take the same relationship are done by merging sorted neighbors, where
 * each meeting is known with its counts.
 */
#include "config.h"

#include "execution/adjacent.h"
#include <stdlib.h>

typedef struct Sorted { /* neighbors with the labels wanted, ascending */
    uint32_t *nodes;
    size_t count, capacity;
} Sorted;

typedef struct Meet {
    Batch *in;
    uint32_t at;
    Adjacent scan, mark;    /* LINK: the arm from its other end, and from its own */
    const Adjacent *marker; /* over which arm the marks were made */
    uint8_t *marks;
    size_t mark_bytes;
    uint64_t marked; /* whose neighbors are; UINT64_MAX: nobody's */
    Sorted touched;  /* what to clear */
    bool saturated;  /* more parallel relationships than a byte counts */
    uint8_t *before; /* marks that a row's own relationships were taken from */
    Sorted sorted[2];
    /* of the row at hand, where nodes are given out */
    bool inside;
    uint32_t *nodes;
    uint64_t *times;
    size_t count, next, capacity, times_capacity;
    uint16_t *positions;
    uint64_t *ids, *counts;
} Meet;

/* ---- marks ---- */

static void unmark(Meet *meet)
{
    for (size_t i = 0; i < meet->touched.count; i++)
        meet->marks[meet->touched.nodes[i]] = 0;
    meet->touched.count = 0;
    meet->marked = UINT64_MAX;
    meet->saturated = false;
}

static void room_for_marks(Operator *self, Meet *meet)
{
    size_t bytes = (graph_block_count(&self->execution->view) + 1) * GRAPH_BLOCK_ROWS;
    if (bytes <= meet->mark_bytes) return;
    unmark(meet);
    mem_free(meet->marks);
    meet->marks = mem_calloc(bytes, 1);
    meet->mark_bytes = bytes;
}

static void mark_all(Operator *self, Meet *meet, Adjacent *arm, uint64_t node)
{
    const Span *spans;
    if (meet->marked == node && meet->marker == arm) return;
    unmark(meet);
    meet->marker = arm;
    room_for_marks(self, meet);
    meet->marked = node;
    bool any = adjacent_any_label(arm);
    uint32_t count = adjacent_spans(arm, node, &spans);
    for (uint32_t s = 0; s < count; s++) {
        mem_reserve(meet->touched.nodes, meet->touched.capacity,
                    meet->touched.count + spans[s].count);
        for (uint32_t i = 0; i < spans[s].count; i++) {
            uint32_t target = spans[s].targets[i];
            if (spans[s].loopless && target == node) continue;
            if (!any && !adjacent_labels_fit(arm, target)) continue;
            if (meet->marks[target] == 0) meet->touched.nodes[meet->touched.count++] = target;
            if (meet->marks[target] == UINT8_MAX)
                meet->saturated = true;
            else
                meet->marks[target]++;
        }
    }
}

/* ---- the exact way ---- */

static int by_node(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static void sort_neighbors(Adjacent *adjacent, uint64_t node, Sorted *out)
{
    const Span *spans;
    uint32_t count = adjacent_spans(adjacent, node, &spans);
    out->count = 0;
    for (uint32_t s = 0; s < count; s++) {
        mem_reserve(out->nodes, out->capacity, out->count + spans[s].count);
        for (uint32_t i = 0; i < spans[s].count; i++) {
            uint32_t target = spans[s].targets[i];
            if (spans[s].loopless && target == node) continue;
            if (adjacent_labels_fit(adjacent, target)) out->nodes[out->count++] = target;
        }
    }
    if (out->count > 1) qsort(out->nodes, out->count, sizeof *out->nodes, by_node);
}

/* How often the node at *at stands there; *at goes behind it. */
static uint64_t run_of(const Sorted *sorted, size_t *at)
{
    size_t from = *at;
    while (*at < sorted->count && sorted->nodes[*at] == sorted->nodes[from])
        ++*at;
    return *at - from;
}

static uint64_t without(uint64_t times, const uint64_t *far, uint32_t used, uint64_t node)
{
    for (uint32_t i = 0; i < used; i++)
        times -= far[i] == node && times > 0;
    return times;
}

static void give(Meet *meet, uint32_t node, uint64_t times)
{
    mem_reserve(meet->nodes, meet->capacity, meet->count + 1);
    mem_reserve(meet->times, meet->times_capacity, meet->count + 1);
    meet->nodes[meet->count] = node;
    meet->times[meet->count++] = times;
}

typedef struct Ends { /* of the row at hand: where the arms begin, and what they may not repeat */
    uint64_t scan, mark;
    uint64_t *scan_far, *mark_far;
    uint32_t scan_used, mark_used;
    bool twins; /* at any node the arms meet; with twin_loop only where they began */
} Ends;

/* Calls of `give` in the order of nodes; the sum of all. */
static uint64_t merge(Operator *self, Meet *meet, const Ends *ends)
{
    Sorted *a = &meet->sorted[0], *b = &meet->sorted[1];
    uint64_t sum = 0;
    sort_neighbors(&meet->scan, ends->scan, a);
    sort_neighbors(&meet->mark, ends->mark, b);
    for (size_t i = 0, j = 0; i < a->count && j < b->count;) {
        uint32_t node = a->nodes[i];
        if (node < b->nodes[j]) {
            run_of(a, &i);
            continue;
        }
        if (node > b->nodes[j]) {
            run_of(b, &j);
            continue;
        }
        uint64_t x = without(run_of(a, &i), ends->scan_far, ends->scan_used, node),
                 y = without(run_of(b, &j), ends->mark_far, ends->mark_used, node);
        /* The same relationships both times: each goes with every other one. */
        if (ends->twins && (!self->plan->twin_loop || node == ends->scan)) y = y == 0 ? 0 : y - 1;
        if (x == 0 || y == 0) continue;
        sum += x * y;
        if (self->plan->slot != SLOT_NONE) give(meet, node, x * y);
    }
    return sum;
}

/* ---- the fast way ---- */

static uint64_t sum_marks(const uint8_t *marks, const Span *span)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < span->count; i++)
        sum += marks[span->targets[i]];
    return sum;
}

/* Is it one of those that the row has used? Each counts once. */
static bool skip(uint64_t *far, uint32_t *used, uint64_t node)
{
    for (uint32_t i = 0; i < *used; i++)
        if (far[i] == node) {
            far[i] = far[--*used];
            return true;
        }
    return false;
}

/* Changes scan_far, where nodes are given. */
static uint64_t scan_marks(Operator *self, Meet *meet, const Ends *ends)
{
    const Span *spans;
    uint64_t sum = 0;
    bool counting = self->plan->slot == SLOT_NONE;
    uint32_t count = adjacent_spans(&meet->scan, ends->scan, &spans), used = ends->scan_used;
    for (uint32_t s = 0; s < count; s++) {
        if (counting && !spans[s].loopless) {
            sum += sum_marks(meet->marks, &spans[s]);
            continue;
        }
        for (uint32_t i = 0; i < spans[s].count; i++) {
            uint32_t target = spans[s].targets[i];
            uint8_t times = meet->marks[target];
            if (times == 0 || (spans[s].loopless && target == ends->scan)) continue;
            if (!counting && used > 0 && skip(ends->scan_far, &used, target)) continue;
            sum += times;
            if (!counting) give(meet, target, times);
        }
    }
    for (uint32_t i = 0; counting && i < used; i++)
        sum -= meet->marks[ends->scan_far[i]];
    return sum;
}

static uint64_t meet_row(Operator *self, Meet *meet, const Batch *in, uint32_t position)
{
    Ends ends = {.scan_far = meet->scan.far, .mark_far = meet->mark.far};
    meet->count = meet->next = 0;
    if (!entity_at(in, meet->scan.plan.from_slot, position, VALUE_NODE, &ends.scan) ||
        !entity_at(in, meet->mark.plan.from_slot, position, VALUE_NODE, &ends.mark))
        return 0;
    ends.twins = self->plan->twins && ends.scan == ends.mark;
    ends.scan_used = adjacent_used(&meet->scan, in, position, ends.scan);
    ends.mark_used = adjacent_used(&meet->mark, in, position, ends.mark);
    mark_all(self, meet, &meet->mark, ends.mark);
    if (meet->touched.count == 0) return 0;
    if (ends.twins || meet->saturated) return merge(self, meet, &ends);
    if (ends.mark_used == 0) return scan_marks(self, meet, &ends);
    /* What the marked arm may not repeat is taken from its marks for the time of the row. */
    uint8_t *before = meet->before;
    for (uint32_t i = 0; i < ends.mark_used; i++) {
        before[i] = meet->marks[ends.mark_far[i]];
        meet->marks[ends.mark_far[i]] -= before[i] > 0;
    }
    uint64_t sum = scan_marks(self, meet, &ends);
    for (uint32_t i = ends.mark_used; i > 0; i--) /* backwards: one may stand there twice */
        meet->marks[ends.mark_far[i - 1]] = before[i - 1];
    return sum;
}

/* ---- counting meetings ---- */

/* How often the node in the slot is another one than in the row before. */
static uint32_t changes(const Batch *batch, uint32_t slot)
{
    uint64_t last = UINT64_MAX, node;
    uint32_t count = 0;
    for (uint32_t i = 0; i < batch->selected_count; i++) {
        if (!entity_at(batch, slot, batch_position(batch, i), VALUE_NODE, &node)) continue;
        count += node != last;
        last = node;
    }
    return count;
}

static uint64_t link_row(Operator *self, Meet *meet, Adjacent *arm, uint32_t to_slot,
                         const Batch *in, uint32_t position)
{
    enum { SCANNED_MAX = 32 };
    uint64_t from, to, sum = 0;
    const Span *spans;
    if (!entity_at(in, arm->plan.from_slot, position, VALUE_NODE, &from) ||
        !entity_at(in, to_slot, position, VALUE_NODE, &to))
        return 0;
    uint32_t count = 0, length = 0;
    if (meet->marked != from || meet->marker != arm) {
        count = adjacent_spans(arm, from, &spans);
        for (uint32_t s = 0; s < count; s++)
            length += spans[s].count;
        if (length > SCANNED_MAX) mark_all(self, meet, arm, from);
    }
    if (meet->marked == from && meet->marker == arm && !meet->saturated) {
        sum = meet->marks[to];
    } else {
        count = adjacent_spans(arm, from, &spans);
        for (uint32_t s = 0; s < count; s++)
            for (uint32_t i = 0; i < spans[s].count; i++)
                sum += spans[s].targets[i] == to && !(spans[s].loopless && to == from);
    }
    uint32_t used = adjacent_used(arm, in, position, from);
    return without(sum, arm->far, used, to);
}

static Error *next_times(Operator *self, Batch **out)
{
    Meet *meet = self->state;
    const PlanNode *plan = self->plan;
    bool link = plan->kind == PLAN_LINK;
    for (;;) {
        TRY(operator_next(self->input, out));
        if (*out == NULL) return NULL;
        Batch *batch = *out;
        arena_reset(self->arena);
        if (adjacent_renew(&meet->scan)) unmark(meet);
        if (adjacent_renew(&meet->mark)) unmark(meet);
        /* A link is looked for from the end that stays longer. */
        bool turned =
            link && changes(batch, plan->to_slot) < changes(batch, plan->arms[0].from_slot);
        Adjacent *arm = turned ? &meet->scan : &meet->mark;
        uint32_t to_slot = turned ? plan->arms[0].from_slot : plan->to_slot;
        uint64_t *multiplicity =
            arena_alloc(self->arena, (batch->row_count + 1) * sizeof *multiplicity);
        uint16_t *selection =
            arena_alloc(self->arena, (batch->selected_count + 1) * sizeof *selection);
        uint32_t count = 0;
        for (uint32_t i = 0; i < batch->selected_count; i++) {
            uint32_t position = batch_position(batch, i);
            uint64_t times = link ? link_row(self, meet, arm, to_slot, batch, position)
                                  : meet_row(self, meet, batch, position);
            if (i % 64 == 63) TRY(operator_interrupted(self));
            if (times == 0) continue;
            TRY(times_rows(times, batch_multiplicity(batch, position), &multiplicity[position]));
            selection[count++] = (uint16_t)position;
        }
        batch->multiplicity = multiplicity;
        batch->selection = selection;
        batch->selected_count = count;
        if (count > 0) return NULL;
    }
}

/* ---- giving nodes out ---- */

static Error *give_nodes(Operator *self, Meet *meet, uint32_t count, Batch **out)
{
    arena_reset(self->arena);
    Batch *batch = batch_extend(self, meet->in, meet->positions, count);
    Column *nodes = batch_column(self->arena, batch, self->plan->slot, COLUMN_NODE);
    memcpy(nodes->ids, meet->ids, count * sizeof *meet->ids);
    uint64_t *multiplicity = arena_alloc(self->arena, (count + 1) * sizeof *multiplicity);
    for (uint32_t i = 0; i < count; i++)
        TRY(times_rows(meet->counts[i], batch_multiplicity(batch, i), &multiplicity[i]));
    batch->multiplicity = multiplicity;
    *out = batch;
    return NULL;
}

static Error *next_nodes(Operator *self, Batch **out)
{
    Meet *meet = self->state;
    *out = NULL;
    for (;;) {
        while (meet->in == NULL || meet->at == meet->in->selected_count) {
            TRY(operator_next(self->input, &meet->in));
            meet->at = 0;
            meet->inside = false;
            if (meet->in == NULL) return NULL;
            adjacent_renew(&meet->scan);
            if (adjacent_renew(&meet->mark)) unmark(meet);
        }
        uint32_t count = 0;
        while (count < BATCH_ROWS_MAX && meet->at < meet->in->selected_count) {
            uint32_t position = batch_position(meet->in, meet->at);
            if (!meet->inside) meet_row(self, meet, meet->in, position);
            meet->inside = true;
            for (; meet->next < meet->count && count < BATCH_ROWS_MAX; meet->next++, count++) {
                meet->positions[count] = (uint16_t)position;
                meet->ids[count] = meet->nodes[meet->next];
                meet->counts[count] = meet->times[meet->next];
            }
            if (meet->next < meet->count) break;
            meet->inside = false;
            meet->at++;
        }
        TRY(operator_interrupted(self));
        if (count == 0) continue;
        return give_nodes(self, meet, count, out);
    }
}

static void reset_meet(Operator *self)
{
    Meet *meet = self->state;
    meet->in = NULL;
    meet->at = 0;
    meet->inside = false;
}

static void close_meet(Operator *self)
{
    Meet *meet = self->state;
    adjacent_close(&meet->scan);
    adjacent_close(&meet->mark);
    mem_free(meet->marks);
    mem_free(meet->touched.nodes);
    mem_free(meet->sorted[0].nodes);
    mem_free(meet->sorted[1].nodes);
    mem_free(meet->nodes);
    mem_free(meet->times);
}

/* The arm of a link from its other end. */
static void turn(Operator *self, PlanArm *arm)
{
    static const PlanDirection opposite[] = {
        [PLAN_OUT] = PLAN_IN, [PLAN_IN] = PLAN_OUT, [PLAN_BOTH] = PLAN_BOTH};
    PlanApart *apart = arena_array(self->state_arena, PlanApart, arm->apart_count + 1);
    for (uint32_t i = 0; i < arm->apart_count; i++)
        apart[i] = (PlanApart){arm->apart[i].far, arm->apart[i].near};
    arm->from_slot = self->plan->to_slot;
    arm->direction = opposite[arm->direction];
    arm->apart = apart;
}

void open_intersect(Operator *self)
{
    Meet *meet = arena_new(self->state_arena, Meet);
    const PlanNode *plan = self->plan;
    meet->marked = UINT64_MAX;
    PlanArm back = plan->arms[0];
    if (plan->kind == PLAN_LINK) turn(self, &back);
    adjacent_open(self, &back, &meet->scan);
    adjacent_open(self, &plan->arms[plan->arm_count - 1], &meet->mark);
    bool nodes = plan->kind == PLAN_INTERSECT && plan->slot != SLOT_NONE;
    if (nodes) {
        meet->positions = arena_alloc(self->state_arena, BATCH_ROWS_MAX * sizeof *meet->positions);
        meet->ids = arena_alloc(self->state_arena, BATCH_ROWS_MAX * sizeof *meet->ids);
        meet->counts = arena_alloc(self->state_arena, BATCH_ROWS_MAX * sizeof *meet->counts);
    }
    meet->before = arena_array(self->state_arena, uint8_t, meet->mark.plan.apart_count + 1);
    self->state = meet;
    self->next = nodes ? next_nodes : next_times;
    self->reset = reset_meet;
    self->close = close_meet;
}
