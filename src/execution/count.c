/*
 * count.c - rows that are counted instead of made: how often a row stands for a node's neighbors, for
 * pairs of them, or for all relationships there are.
 *
 * Where nobody asks for the node at the end of a hop, the row's multiplicity takes its place: degrees
 * instead of neighbors. The relationships of one pattern are different from one another all the same.
 * What the row has used is left out by its ends, and of pairs those that would be one relationship
 * twice (plan.h tells when the planner may do so).
 */
#include "config.h"

#include "execution/adjacent.h"

/* ---- arms ---- */

enum { ASKED_MANY = 256 }; /* nodes; whoever asks more goes over most of the adjacency */

void adjacent_open(Operator *operator, const PlanArm * plan, Adjacent *out)
{
    *out = (Adjacent){.operator= operator, .plan = * plan };
    out->labels = arena_array(operator->state_arena, uint32_t, plan->label_count + 1);
    out->far = arena_array(operator->state_arena, uint64_t, plan->apart_count + 1);
}

void adjacent_close(Adjacent *adjacent)
{
    neighbors_free(&adjacent->found);
    mem_free(adjacent->copied);
    mem_free(adjacent->unlike.ends);
    arena_destroy(adjacent->unlike.arena);
    arena_destroy(adjacent->arena);
}

static void adjacent_make(Adjacent *adjacent)
{
    Operator *operator= adjacent->operator;
    const Execution *execution = operator->execution;
    if (adjacent->arena == NULL) adjacent->arena = arena_create();
    arena_reset(adjacent->arena);
    for (uint32_t i = 0; i < adjacent->plan.label_count; i++)
        adjacent->labels[i] = name_resolve(execution, NAME_LABEL, adjacent->plan.labels[i]);
    adjacent->types = types_resolve(execution, adjacent->arena, adjacent->plan.types,
                                    adjacent->plan.type_count, &adjacent->type_count);
    adjacent->walk =
        graph_walk_create(adjacent->arena, &execution->view, adjacent->types, adjacent->type_count,
                          graph_direction(adjacent->plan.direction));
    adjacent->spans = arena_array(adjacent->arena, Span, 2ul * adjacent->type_count + 1);
    adjacent->lists = NULL;
    adjacent->only = NULL;
    adjacent->set_made = adjacent->ends_tested = adjacent->unlike.known = false;
    adjacent->covered =
        graph_labels_cover(&execution->view, adjacent->labels, adjacent->plan.label_count);
    adjacent->asked = adjacent->tested = adjacent->all_ends = 0;
    adjacent->made = execution->run;
}

bool adjacent_renew(Adjacent *adjacent)
{
    const Execution *execution = adjacent->operator->execution;
    if (adjacent->made == execution->run && !execution->plan->writes) return false;
    adjacent_make(adjacent);
    return true;
}

void adjacent_prepare(Adjacent *adjacent)
{
    const GraphView *view = &adjacent->operator->execution->view;
    PlanDirection direction = adjacent->plan.direction;
    if (adjacent->lists != NULL) return;
    adjacent->lists = arena_array(adjacent->arena, GraphLists, 2ul * adjacent->type_count + 1);
    adjacent->plain = arena_array(adjacent->arena, bool, 2ul * adjacent->type_count + 1);
    for (uint32_t i = 0; i < adjacent->type_count; i++)
        for (uint32_t in = 0; in < 2; in++)
            adjacent->plain[2 * i + in] =
                direction != (in ? PLAN_OUT : PLAN_IN) &&
                graph_lists(view, adjacent->types[i], in ? GRAPH_IN : GRAPH_OUT,
                            &adjacent->lists[2 * i + in]);
    for (uint32_t i = 0; i < 2 * adjacent->type_count; i++)
        adjacent->all_ends += adjacent->lists[i].entry_count;
    uint32_t in = direction == PLAN_IN;
    if (adjacent->type_count == 1 && direction != PLAN_BOTH && adjacent->plain[in])
        adjacent->only = &adjacent->lists[in];
}

static void make_set(Adjacent *adjacent)
{
    if (adjacent->set_made) return;
    graph_label_set_make(&adjacent->operator->execution->view, adjacent->labels,
                         adjacent->plan.label_count, adjacent->arena, &adjacent->set);
    adjacent->set_made = true;
    adjacent->covered = adjacent->covered || adjacent->set.all;
}

static bool plain_span(Adjacent *adjacent, uint32_t type, bool in, uint64_t node, Span *out)
{
    const GraphView *view = &adjacent->operator->execution->view;
    GraphSlice slice;
    if (adjacent->lists != NULL)
        return adjacent->plain[2 * type + in] &&
               graph_list(&adjacent->lists[2 * type + in], node, &out->targets, &out->count);
    if (!graph_slice(view, adjacent->types[type], in ? GRAPH_IN : GRAPH_OUT, node, &slice))
        return false;
    out->targets = slice.targets, out->count = slice.count;
    return true;
}

/* What does not lie there as it is wanted, copied. */
static uint32_t copied_span(Adjacent *adjacent, uint64_t node)
{
    adjacent->found.count = 0;
    graph_walk(adjacent->walk, node, &adjacent->found);
    size_t count = adjacent->found.count;
    mem_reserve(adjacent->copied, adjacent->copied_capacity, count + 1);
    for (size_t i = 0; i < count; i++)
        adjacent->copied[i] = (uint32_t)adjacent->found.nodes[i];
    adjacent->spans[0] = (Span){adjacent->copied, (uint32_t)count, false};
    return count > 0;
}

uint32_t adjacent_spans(Adjacent *adjacent, uint64_t node, const Span **out)
{
    uint32_t count = 0;
    PlanDirection direction = adjacent->plan.direction;
    *out = adjacent->spans;
    if (adjacent->lists == NULL && adjacent->asked++ == ASKED_MANY) adjacent_prepare(adjacent);
    for (uint32_t i = 0; i < adjacent->type_count; i++)
        for (uint32_t in = 0; in < 2; in++) {
            if (direction == (in ? PLAN_OUT : PLAN_IN)) continue;
            Span *span = &adjacent->spans[count];
            if (!plain_span(adjacent, i, in, node, span)) return copied_span(adjacent, node);
            span->loopless = in && direction == PLAN_BOTH;
            count += span->count > 0;
        }
    return count;
}

/* Types often lead to one label only. Once as many ends were tested as there are, all of them are, and
 * if they have the labels no test is made any more. */
static void test_all(Adjacent *adjacent)
{
    adjacent->ends_tested = true;
    for (uint32_t i = 0; i < 2 * adjacent->type_count; i++) {
        const GraphLists *lists = &adjacent->lists[i];
        if (adjacent->plan.direction == (i % 2 == 1 ? PLAN_OUT : PLAN_IN)) continue;
        if (!adjacent->plain[i] || lists->delta != NULL) return;
        for (uint32_t e = 0; e < lists->entry_count; e++)
            if (!graph_label_set_has(&adjacent->set, lists->targets[e])) return;
    }
    adjacent->covered = true;
}

/* Looking at bits pays when so many labels were asked for one by one. */
static uint64_t tests_before_set(const Adjacent *adjacent)
{
    enum { NODES_A_TEST = 64 }; /* of the set, made in the time a test takes */
    return graph_block_count(&adjacent->operator->execution->view) *
           (GRAPH_BLOCK_ROWS / NODES_A_TEST);
}

bool adjacent_labels_fit(Adjacent *adjacent, uint64_t node)
{
    const GraphView *view = &adjacent->operator->execution->view;
    if (adjacent->covered) return true;
    adjacent->tested++;
    if (adjacent->set_made && !adjacent->ends_tested && adjacent->lists != NULL &&
        adjacent->tested > adjacent->all_ends)
        test_all(adjacent);
    if (adjacent->set_made) return graph_label_set_has(&adjacent->set, node);
    if (adjacent->tested % 64 == 0 && adjacent->tested > tests_before_set(adjacent))
        make_set(adjacent);
    for (uint32_t i = 0; i < adjacent->plan.label_count; i++)
        if (!graph_node_has_label(view, node, adjacent->labels[i])) return false;
    return true;
}

/* Four at a time. */
static uint64_t count_equal(const uint32_t *targets, uint32_t count, uint32_t node)
{
    typedef uint32_t Four __attribute__((vector_size(16)));
    Four all = {0, 0, 0, 0}, some;
    uint32_t i = 0, rest = 0;
    for (; i + 4 <= count; i += 4) {
        memcpy(&some, targets + i, sizeof some);
        all -= (Four)(some == node); /* true is -1 */
    }
    for (; i < count; i++)
        rest += targets[i] == node;
    return (uint64_t)all[0] + all[1] + all[2] + all[3] + rest;
}

uint64_t adjacent_count(Adjacent *adjacent, uint64_t node)
{
    const Span *spans;
    uint64_t sum = 0;
    bool loops = adjacent->plan.loops, any = adjacent_any_label(adjacent);
    const uint32_t *targets;
    uint32_t degree;
    if (adjacent->only != NULL && (any || loops) &&
        graph_list(adjacent->only, node, &targets, &degree)) {
        if (!loops || degree == 0) return degree;
        uint64_t own = count_equal(targets, degree, (uint32_t)node);
        return own > 0 && adjacent_labels_fit(adjacent, node) ? own : 0;
    }
    if (loops && !adjacent_labels_fit(adjacent, node)) return 0;
    uint32_t count = adjacent_spans(adjacent, node, &spans);
    for (uint32_t s = 0; s < count; s++) {
        const Span *span = &spans[s];
        uint64_t own =
            loops || span->loopless ? count_equal(span->targets, span->count, (uint32_t)node) : 0;
        if (loops)
            sum += span->loopless ? 0 : own;
        else if (any)
            sum += span->count - own;
        for (uint32_t i = 0; !loops && !any && i < span->count; i++)
            sum += !(span->loopless && span->targets[i] == node) &&
                   adjacent_labels_fit(adjacent, span->targets[i]);
    }
    return sum;
}

uint32_t adjacent_used(Adjacent *adjacent, const Batch *batch, uint32_t position, uint64_t node)
{
    const PlanArm *plan = &adjacent->plan;
    uint32_t count = 0;
    for (uint32_t i = 0; i < plan->apart_count; i++) {
        uint64_t ends[2];
        if (!entity_at(batch, plan->apart[i].near, position, VALUE_NODE, &ends[0]) ||
            !entity_at(batch, plan->apart[i].far, position, VALUE_NODE, &ends[1]))
            continue;
        if (ends[0] == node)
            adjacent->far[count++] = ends[1];
        else if (plan->direction == PLAN_BOTH && ends[1] == node)
            adjacent->far[count++] = ends[0];
    }
    return count;
}

uint64_t adjacent_count_apart(Adjacent *adjacent, const Batch *batch, uint32_t position,
                              uint64_t node)
{
    uint64_t sum = adjacent_count(adjacent, node);
    if (adjacent->plan.apart_count == 0 || sum == 0) return sum;
    uint32_t used = adjacent_used(adjacent, batch, position, node);
    for (uint32_t i = 0; i < used; i++)
        sum -= adjacent_labels_fit(adjacent, adjacent->far[i]);
    return sum;
}

/* ---- ends unlike another node ---- */

/* Have all nodes that the arm may lead to the label? */
static bool ends_have(Adjacent *adjacent, uint32_t label)
{
    const GraphView *view = &adjacent->operator->execution->view;
    GraphLabelSet set;
    if (graph_labels_cover(view, &label, 1)) return true;
    adjacent_prepare(adjacent);
    graph_label_set_make(view, &label, 1, adjacent->arena, &set);
    for (uint32_t i = 0; i < 2 * adjacent->type_count; i++) {
        const GraphLists *lists = &adjacent->lists[i];
        if (adjacent->plan.direction == (i % 2 == 1 ? PLAN_OUT : PLAN_IN)) continue;
        if (!adjacent->plain[i] || lists->delta != NULL) return false;
        for (uint32_t e = 0; e < lists->entry_count; e++)
            if (!graph_label_set_has(&set, lists->targets[e])) return false;
    }
    return true;
}

/* Where no two nodes of a label have the same key, and all have one, unequal keys are other nodes. */
static void know_unlike(Adjacent *adjacent)
{
    const Execution *execution = adjacent->operator->execution;
    const GraphView *view = &execution->view;
    adjacent->unlike.known = true;
    adjacent->unlike.label = GRAPH_NAME_UNKNOWN;
    adjacent->unlike.nodes = adjacent->plan.unlike_key.text.data == NULL;
    if (adjacent->unlike.nodes) return;
    adjacent->unlike.key = name_resolve(execution, NAME_KEY, adjacent->plan.unlike_key);
    for (uint32_t i = 0; i < graph_index_count(view->graph) && !adjacent->unlike.nodes; i++) {
        const GraphIndex *index = graph_index_at(view, i);
        if (index == NULL || !graph_index_is_on(index, adjacent->unlike.key) || index->vector ||
            index->constraint != GRAPH_UNIQUE ||
            !graph_property_covers(view, &index->label, 1, adjacent->unlike.key))
            continue;
        adjacent->unlike.label = index->label;
        adjacent->unlike.nodes = ends_have(adjacent, index->label);
    }
}

/* Ways to `far`, which the row has not used. */
static uint64_t ways_to(Adjacent *adjacent, uint64_t node, uint64_t far)
{
    const Span *spans;
    uint64_t sum = 0;
    if (!adjacent_labels_fit(adjacent, far)) return 0;
    uint32_t count = adjacent_spans(adjacent, node, &spans);
    for (uint32_t s = 0; s < count; s++)
        if (!(spans[s].loopless && far == node))
            sum += count_equal(spans[s].targets, spans[s].count, (uint32_t)far);
    return sum;
}

static uint64_t count_other_nodes(Adjacent *adjacent, const Batch *batch, uint32_t position,
                                  uint64_t node, uint64_t other)
{
    uint64_t sum = adjacent_count(adjacent, node);
    if (sum == 0) return 0;
    sum -= ways_to(adjacent, node, other);
    uint32_t used = adjacent_used(adjacent, batch, position, node);
    for (uint32_t i = 0; i < used; i++)
        sum -= adjacent->far[i] != other && adjacent_labels_fit(adjacent, adjacent->far[i]);
    return sum;
}

/* Of these nodes, those whose key is not the value. */
static uint64_t count_unequal(Adjacent *adjacent, const uint64_t *nodes, uint32_t count,
                              Value value)
{
    const GraphView *view = &adjacent->operator->execution->view;
    uint64_t sum = 0;
    Column keys;
    for (uint32_t from = 0, some; from < count; from += some) {
        some = count - from < BATCH_ROWS_MAX ? count - from : BATCH_ROWS_MAX;
        arena_reset(adjacent->unlike.arena);
        graph_properties(view, VALUE_NODE, adjacent->unlike.key, nodes + from, some,
                         adjacent->unlike.arena, &keys);
        for (uint32_t i = 0; i < some; i++)
            sum += value_equal(column_value(&keys, i), value) == TRUTH_FALSE;
    }
    return sum;
}

static uint64_t count_other_values(Adjacent *adjacent, const Batch *batch, uint32_t position,
                                   uint64_t node, Value value)
{
    const Span *spans;
    uint32_t count = adjacent_spans(adjacent, node, &spans), ends = 0, used;
    for (uint32_t s = 0; s < count; s++) {
        mem_reserve(adjacent->unlike.ends, adjacent->unlike.end_capacity, ends + spans[s].count);
        for (uint32_t i = 0; i < spans[s].count; i++) {
            uint64_t end = spans[s].targets[i];
            if (!(spans[s].loopless && end == node) && adjacent_labels_fit(adjacent, end))
                adjacent->unlike.ends[ends++] = end;
        }
    }
    uint64_t sum = count_unequal(adjacent, adjacent->unlike.ends, ends, value);
    used = sum == 0 ? 0 : adjacent_used(adjacent, batch, position, node);
    for (uint32_t i = 0; i < used; i++)
        if (adjacent_labels_fit(adjacent, adjacent->far[i]))
            sum -= count_unequal(adjacent, &adjacent->far[i], 1, value);
    return sum;
}

uint64_t adjacent_count_unlike(Adjacent *adjacent, const Batch *batch, uint32_t position,
                               uint64_t node)
{
    const GraphView *view = &adjacent->operator->execution->view;
    uint64_t other;
    if (!entity_at(batch, adjacent->plan.unlike_slot, position, VALUE_NODE, &other)) return 0;
    if (!adjacent->unlike.known) know_unlike(adjacent);
    if (adjacent->unlike.nodes && (adjacent->unlike.label == GRAPH_NAME_UNKNOWN ||
                                   graph_node_has_label(view, other, adjacent->unlike.label)))
        return count_other_nodes(adjacent, batch, position, node, other);
    if (adjacent->unlike.arena == NULL) adjacent->unlike.arena = arena_create();
    Value value = graph_property(view, VALUE_NODE, other, adjacent->unlike.key);
    return value_is_null(value) ? 0 : count_other_values(adjacent, batch, position, node, value);
}

/* ---- DEGREE and COUNT ---- */

typedef struct Counting {
    Adjacent arms[3];
    uint32_t arm_count;
    bool known; /* COUNT */
    uint64_t total;
    uint32_t *labels;
} Counting;

Error *times_rows(uint64_t times, uint64_t rows, uint64_t *out)
{
    if (!__builtin_mul_overflow(times, rows, out)) return NULL;
    return error_hint(error_new(ERROR_LIMIT, "there are more rows than a 64-bit number can count"),
                      "ask for a part of them");
}

static Error *row_degree(Counting *counting, const Batch *batch, uint32_t position, uint64_t *out)
{
    uint64_t node, second;
    Adjacent *arms = counting->arms;
    const Column *nodes = &batch->columns[arms[0].plan.from_slot];
    *out = 0;
    if (nodes->type == COLUMN_NODE && !nodes->constant && nodes->valid == NULL)
        node = entity_id(nodes->ids[position]);
    else if (!entity_at(batch, arms[0].plan.from_slot, position, VALUE_NODE, &node))
        return NULL;
    if (arms[0].plan.unlike)
        return *out = adjacent_count_unlike(&arms[0], batch, position, node), NULL;
    *out = adjacent_count_apart(&arms[0], batch, position, node);
    if (counting->arm_count == 1 || *out == 0) return NULL;
    second = adjacent_count_apart(&arms[1], batch, position, node);
    TRY(times_rows(*out, second, out));
    if (counting->arm_count == 3 && *out > 0) *out -= adjacent_count(&arms[2], node);
    return NULL;
}

/* Row by row of the batch: what `times` says. Those that come to nothing go. */
static Error *multiply(Operator *self, Batch *batch, uint64_t total)
{
    Counting *counting = self->state;
    uint64_t *multiplicity =
        arena_alloc(self->arena, (batch->row_count + 1) * sizeof *multiplicity);
    uint16_t *selection = arena_alloc(self->arena, (batch->selected_count + 1) * sizeof *selection);
    uint32_t count = 0;
    for (uint32_t i = 0; i < batch->selected_count; i++) {
        uint32_t position = batch_position(batch, i);
        uint64_t times = total;
        if (self->plan->kind == PLAN_DEGREE) TRY(row_degree(counting, batch, position, &times));
        if (times == 0) continue;
        TRY(times_rows(times, batch_multiplicity(batch, position), &multiplicity[position]));
        selection[count++] = (uint16_t)position;
    }
    batch->multiplicity = multiplicity;
    batch->selection = selection;
    batch->selected_count = count;
    return NULL;
}

/* Can the arm's ways be counted for a whole batch, without a look at their ends? */
static bool counts_batch(Adjacent *arm)
{
    adjacent_prepare(arm);
    return arm->only != NULL && arm->only->delta == NULL && adjacent_any_label(arm) &&
           arm->plan.apart_count == 0 && !arm->plan.loops && !arm->plan.unlike;
}

/* All of the batch at once; *done false: row by row. */
static Error *multiply_batch(Operator *self, Batch *batch, bool *done)
{
    Counting *counting = self->state;
    Adjacent *arms = counting->arms;
    const Column *nodes = &batch->columns[arms[0].plan.from_slot];
    uint32_t arm_count = counting->arm_count;
    bool entities = nodes->type == COLUMN_NODE && !nodes->constant && nodes->valid == NULL &&
                    self->execution->environment.moments == NULL;
    *done = false;
    if (!entities || batch->selected_count < ASKED_MANY || !counts_batch(&arms[0])) return NULL;
    if (arm_count > 1 && !counts_batch(&arms[1])) return NULL;
    if (arm_count == 3 && !(arms[2].plan.loops && graph_lists_loopless(arms[0].only))) return NULL;
    uint32_t *first = arena_alloc(self->arena, batch->row_count * sizeof *first),
             *second = arena_alloc(self->arena, batch->row_count * sizeof *second);
    graph_list_counts(arms[0].only, nodes->ids, batch->selection, batch->selected_count, first);
    if (arm_count > 1)
        graph_list_counts(arms[1].only, nodes->ids, batch->selection, batch->selected_count,
                          second);
    uint64_t *multiplicity = arena_alloc(self->arena, batch->row_count * sizeof *multiplicity);
    uint16_t *selection = arena_alloc(self->arena, (batch->selected_count + 1) * sizeof *selection);
    uint32_t count = 0;
    for (uint32_t i = 0; i < batch->selected_count; i++) {
        uint32_t position = batch_position(batch, i);
        uint64_t times = (uint64_t)first[position] * (arm_count > 1 ? second[position] : 1);
        multiplicity[position] = times;
        selection[count] = (uint16_t)position;
        count += times > 0;
    }
    for (uint32_t i = 0; batch->multiplicity != NULL && i < count; i++) {
        uint64_t *times = &multiplicity[selection[i]];
        TRY(times_rows(*times, batch->multiplicity[selection[i]], times));
    }
    batch->multiplicity = multiplicity;
    batch->selection = selection;
    batch->selected_count = count;
    *done = true;
    return NULL;
}

static Error *next_degree(Operator *self, Batch **out)
{
    bool done;
    Counting *counting = self->state;
    for (;;) {
        TRY(operator_next(self->input, out));
        if (*out == NULL) return NULL;
        arena_reset(self->arena);
        for (uint32_t i = 0; i < counting->arm_count; i++)
            adjacent_renew(&counting->arms[i]);
        TRY(multiply_batch(self, *out, &done));
        if (!done) TRY(multiply(self, *out, 0));
        if ((*out)->selected_count > 0) return NULL;
    }
}

/* Without a look at the nodes, where every node counts and nothing was deleted or is newer. */
static bool total_known(Operator *self, uint64_t *out)
{
    Counting *counting = self->state;
    Adjacent *arm = &counting->arms[0];
    const GraphView *view = &self->execution->view;
    uint64_t one;
    *out = graph_node_count(view);
    if (!graph_labels_cover(view, counting->labels, self->plan->label_count)) return false;
    if (counting->arm_count == 0) return true;
    if (!adjacent_any_label(arm) || arm->plan.direction == PLAN_BOTH || arm->plan.loops)
        return false;
    *out = 0;
    for (uint32_t i = 0; i < arm->type_count; i++) {
        if (!graph_relationship_total(view, arm->types[i], &one)) return false;
        *out += one;
    }
    return true;
}

static Error *know_total(Operator *self)
{
    Counting *counting = self->state;
    const PlanNode *plan = self->plan;
    GraphLabelSet from;
    for (uint32_t i = 0; i < plan->label_count; i++)
        counting->labels[i] = name_resolve(self->execution, NAME_LABEL, plan->labels[i]);
    if (counting->arm_count > 0) adjacent_renew(&counting->arms[0]);
    counting->known = true;
    if (total_known(self, &counting->total)) return NULL;
    graph_label_set_make(&self->execution->view, counting->labels, plan->label_count, self->arena,
                         &from);
    counting->total = from.count;
    if (counting->arm_count == 0) return NULL;
    adjacent_prepare(&counting->arms[0]);
    make_set(&counting->arms[0]);
    counting->total = 0;
    for (uint64_t word = 0; word < from.word_count; word++) {
        if (word % GRAPH_BLOCK_ROWS == 0) TRY(operator_interrupted(self));
        for (uint64_t bits = from.words[word]; bits != 0; bits &= bits - 1)
            counting->total +=
                adjacent_count(&counting->arms[0], word * 64 + (uint64_t)__builtin_ctzll(bits));
    }
    return NULL;
}

static Error *next_count(Operator *self, Batch **out)
{
    Counting *counting = self->state;
    TRY(operator_next(self->input, out));
    if (*out == NULL) return NULL;
    arena_reset(self->arena);
    if (!counting->known || self->execution->plan->writes) TRY(know_total(self));
    TRY(multiply(self, *out, counting->total));
    if ((*out)->selected_count == 0) *out = NULL;
    return NULL;
}

static void reset_counting(Operator *self)
{
    Counting *counting = self->state;
    counting->known = false;
}

static void close_counting(Operator *self)
{
    Counting *counting = self->state;
    for (uint32_t i = 0; i < counting->arm_count; i++)
        adjacent_close(&counting->arms[i]);
}

void open_degree(Operator *self)
{
    Counting *counting = arena_new(self->state_arena, Counting);
    counting->arm_count = self->plan->arm_count;
    counting->labels = arena_array(self->state_arena, uint32_t, self->plan->label_count + 1);
    for (uint32_t i = 0; i < counting->arm_count; i++)
        adjacent_open(self, &self->plan->arms[i], &counting->arms[i]);
    self->state = counting;
    self->next = self->plan->kind == PLAN_COUNT ? next_count : next_degree;
    self->reset = reset_counting;
    self->close = close_counting;
}
