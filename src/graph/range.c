/*
 * range.c - nodes by the order of their values: what an index finds between two bounds, and one behind
 * the other.
 *
 * An index keeps what came to it in order (order/ordered.h), but for its run, which is in order by what
 * it is. As with its table, whatever was in it once stays, and every entry is held against the view: it
 * counts if its node still has that value. A node has one value, so it is met once.
 *
 * A range ends where values cannot be compared with its bounds any more; so what a comparison of the
 * language would call null is outside. NaN, which is in no interval, stands behind all numbers, and is
 * left to the condition itself.
 */
#include "config.h"

#include "graph/graph_internal.h"
#include "value/tuple.h"
#include <assert.h>
#include <math.h>

bool graph_index_orders(const GraphIndex *definition)
{
    const Index *index = (const Index *)(const void *)definition; /* its first member */
    return index != NULL && atomic_load(&index->ordered) != NULL;
}

bool graph_range_bound(Value bound)
{
    switch ((ValueKind)bound.kind) {
    case VALUE_FLOAT: return !isnan(bound.as.number);
    case VALUE_BOOLEAN:
    case VALUE_INTEGER:
    case VALUE_STRING:
    case VALUE_DATE:
    case VALUE_LOCAL_TIME:
    case VALUE_TIME:
    case VALUE_LOCAL_DATETIME:
    case VALUE_DATETIME: return true;
    default: return false;
    }
}

void graph_range_narrow(GraphRange *range, GraphRange by)
{
    bool open = range->low.kind == VALUE_NULL && range->high.kind == VALUE_NULL;
    if (open || by.prefix) {
        *range = by;
        return;
    }
    if (range->prefix) return;
    if (by.low.kind != VALUE_NULL) {
        int order = range->low.kind == VALUE_NULL ? 1 : value_compare(by.low, range->low);
        if (order == 1 || (order == 0 && by.low_open))
            range->low = by.low, range->low_open = by.low_open;
    }
    if (by.high.kind != VALUE_NULL) {
        int order = range->high.kind == VALUE_NULL ? -1 : value_compare(by.high, range->high);
        if (order == -1 || (order == 0 && by.high_open))
            range->high = by.high, range->high_open = by.high_open;
    }
}

/* ---- several properties ---- */

/* The least text that is behind all that begin with the prefix; null: there is none. */
static Value behind_prefix(Value prefix, Arena *arena)
{
    char *text = arena_copy(arena, prefix.as.text, prefix.aux);
    for (size_t bytes = prefix.aux; bytes > 0; bytes--) {
        if ((unsigned char)text[bytes - 1] == UINT8_MAX) continue;
        text[bytes - 1]++;
        return value_string((Str){text, bytes});
    }
    return value_null();
}

static Value text_of(Arena *arena, const Buffer *text)
{
    return value_string(str_copy(arena, buffer_view(text)));
}

/* What lies in `next` behind the values whose text `text` is. Ends are told by how texts begin: a value
 * less or more of the next properties decides nothing. */
static GraphRange next_range(Arena *arena, const Buffer *values, const GraphRange *next)
{
    Buffer low = {0}, high = {0};
    bool from = next->low.kind != VALUE_NULL, to = next->high.kind != VALUE_NULL;
    buffer_str(&low, buffer_view(values));
    buffer_str(&high, buffer_view(values));
    if (next->prefix)
        tuple_put_prefix(&low, value_text(next->low));
    else if (from)
        tuple_put(&low, next->low);
    else
        tuple_put_kind(&low, next->high);
    if (to)
        tuple_put(&high, next->high);
    else
        tuple_put_kind(&high, next->low);
    GraphRange range = {.low = text_of(arena, &low), .prefix = next->prefix, .high_open = true};
    if (from && next->low_open) range.low = behind_prefix(range.low, arena);
    if (!next->prefix) {
        range.high = text_of(arena, &high);
        if (!to || !next->high_open) range.high = behind_prefix(range.high, arena);
    }
    buffer_free(&low);
    buffer_free(&high);
    return range;
}

GraphRange graph_range_of_several(Arena *arena, const Value *values, uint32_t count,
                                  const GraphRange *next)
{
    Buffer text = {0};
    for (uint32_t i = 0; i < count; i++)
        tuple_put(&text, values[i]);
    GraphRange range = {.low = text_of(arena, &text), .prefix = true};
    if (next != NULL) range = next_range(arena, &text, next);
    buffer_free(&text);
    return range;
}

/* ---- ends of a range ---- */

static OrderedCursor cursor_of(const GraphIndex *definition, Arena *arena)
{
    const Index *index = (const Index *)(const void *)definition;
    Ordered *ordered = atomic_load(&index->ordered);
    OrderedRun run = {atomic_load_explicit(&index->run.count, memory_order_acquire),
                      index->run.node, index->run.key};
    ordered_settle(ordered);
    return ordered_cursor(ordered, run, arena);
}

static void seek_low(OrderedCursor *cursor, const GraphRange *range)
{
    if (range->low.kind != VALUE_NULL)
        ordered_seek(cursor, range->low, range->low_open);
    else if (range->high.kind != VALUE_NULL)
        ordered_seek_kind(cursor, range->high, false);
    else
        ordered_seek_first(cursor);
}

/* The cursor stands at the range's low end. */
static void seek_high(OrderedCursor *cursor, const GraphRange *range, Arena *arena)
{
    Value high = range->prefix ? behind_prefix(range->low, arena) : range->high;
    bool after = !range->prefix && !range->high_open;
    if (high.kind != VALUE_NULL && range->low.kind != VALUE_NULL)
        ordered_seek_on(cursor, high, after);
    else if (high.kind != VALUE_NULL)
        ordered_seek(cursor, high, after);
    else if (range->low.kind != VALUE_NULL)
        ordered_seek_kind(cursor, range->low, true);
    else
        ordered_seek(cursor, value_null(), false);
}

/* Nothing can be in it: bounds that cross, or that no value can be compared with both of. */
static bool is_empty(const GraphRange *range)
{
    if (range->low.kind == VALUE_NULL || range->high.kind == VALUE_NULL) return false;
    int order = value_compare(range->low, range->high);
    return order > 0 || (order == 0 && (range->low_open || range->high_open));
}

/* ---- nodes ---- */

static bool is_hit(const GraphView *view, const GraphIndex *index, uint32_t node, Value value,
                   Buffer *scratch)
{
    if (!graph_node_visible(view, node) || !graph_node_has_label(view, node, index->label))
        return false;
    Value now = index_value(view, index, node, scratch);
    return now.kind != VALUE_NULL && value_order(now, value) == 0;
}

struct GraphInOrder {
    GraphView view;
    const GraphIndex *index;
    Probe probe;
    bool descending, empty;
    OrderedCursor cursor, low, end; /* where it stands, and the range's ends */
    bool inside;                    /* descending: in a group of one value */
    Value group;
    Buffer scratch;              /* of keys of several properties */
    OrderedCursor begin, behind; /* of the group */
    Arena
        *arenas[2]; /* by turns: of what the cursors decode; the second is made when it is needed */
};

enum { ARENA_BYTES_MAX = 1 << 20 }; /* of values decoded: then what is not needed any more goes */

GraphInOrder *graph_in_order(const GraphView *view, const GraphIndex *index,
                             const GraphRange *range, bool descending)
{
    GraphInOrder *order = mem_calloc(1, sizeof *order);
    order->view = *view;
    order->index = index;
    order->probe = index_probe(&order->view, index);
    order->descending = descending;
    order->empty = is_empty(range);
    order->arenas[0] = arena_create();
    order->cursor = cursor_of(index, order->arenas[0]);
    order->low = order->cursor;
    if (order->empty) return order;
    seek_low(&order->low, range);
    order->end = order->low;
    seek_high(&order->end, range, order->arenas[0]);
    order->cursor = descending ? order->end : order->low;
    return order;
}

void graph_in_order_end(GraphInOrder *order)
{
    if (order == NULL) return;
    arena_destroy(order->arenas[0]);
    arena_destroy(order->arenas[1]);
    buffer_free(&order->scratch);
    mem_free(order);
}

uint64_t graph_in_order_count(const GraphInOrder *order, uint64_t most)
{
    return order->empty ? 0 : ordered_between(&order->low, &order->end, most);
}

uint64_t graph_range_count(const GraphView *view, const GraphIndex *index, const GraphRange *range,
                           uint64_t most)
{
    GraphInOrder *order = graph_in_order(view, index, range, false);
    uint64_t count = graph_in_order_count(order, most);
    graph_in_order_end(order);
    return count;
}

/* Cursors of one order use one arena; of what lies in it only the pair given last is needed. */
static void turn_arenas(GraphInOrder *order)
{
    if (arena_bytes(order->arenas[0]) < ARENA_BYTES_MAX) return;
    Arena *full = order->arenas[0];
    order->arenas[0] = order->arenas[1] == NULL ? arena_create() : order->arenas[1];
    order->arenas[1] = full;
    order->cursor.last = value_copy(order->arenas[0], order->cursor.last);
    order->group = value_copy(order->arenas[0], order->group);
    order->cursor.arena = order->low.arena = order->end.arena = order->arenas[0];
    arena_reset(full);
}

/* Descending: the pairs of the value before the ones given last, if there are any in the range. */
static bool enter_group(GraphInOrder *order)
{
    order->behind = order->cursor;
    if (ordered_reached(&order->low, &order->cursor) ||
        !ordered_back(&order->cursor, &order->group))
        return false;
    order->begin = order->cursor;
    return true;
}

static bool next_pair(GraphInOrder *order, Value *value, uint32_t *node)
{
    if (!order->descending)
        return !ordered_reached(&order->cursor, &order->end) &&
               ordered_next(&order->cursor, value, node);
    for (;;) {
        if (order->inside && !ordered_reached(&order->cursor, &order->behind) &&
            ordered_next(&order->cursor, value, node))
            return true;
        if (order->inside) ordered_move(&order->cursor, &order->begin);
        order->inside = enter_group(order);
        if (!order->inside) return false;
    }
}

/* What is asked of the nodes of an order lies all over the graph: some are asked for together, so that
 * memory is waited for once. */
uint32_t graph_in_order_next(GraphInOrder *order, uint64_t *ids, uint32_t max)
{
    enum { TOGETHER = 16 };
    uint32_t count = 0;
    while (!order->empty && count < max) {
        Value values[TOGETHER];
        uint32_t nodes[TOGETHER], found = 0;
        turn_arenas(order);
        while (found < TOGETHER && found < max - count && !order->empty) {
            order->empty = !next_pair(order, &values[found], &nodes[found]);
            if (!order->empty) probe_prefetch(&order->probe, nodes[found++]);
        }
        for (uint32_t i = 0; i < found; i++) {
            bool hit =
                values[i].kind == VALUE_INTEGER
                    ? probe_hit(&order->probe, nodes[i], values[i])
                    : is_hit(&order->view, order->index, nodes[i], values[i], &order->scratch);
            if (hit) ids[count++] = nodes[i];
        }
    }
    return count;
}

static void sort_few(uint64_t *ids, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        uint64_t id = ids[i];
        size_t at = i;
        for (; at > 0 && ids[at - 1] > id; at--)
            ids[at] = ids[at - 1];
        ids[at] = id;
    }
}

/* By bytes, the lowest first: ids have four, and few have all of them. */
static void sort_ids(uint64_t *ids, size_t count)
{
    enum { BYTE = 8, VALUES = 1 << BYTE, FEW = 32 };
    if (count <= FEW) return sort_few(ids, count);
    uint64_t all = 0, *from = ids, *to = mem_alloc((count + 1) * sizeof *to), *other = to;
    for (size_t i = 0; i < count; i++)
        all |= ids[i];
    for (unsigned shift = 0; shift < 64 && all >> shift > 0; shift += BYTE) {
        size_t places[VALUES + 1] = {0};
        for (size_t i = 0; i < count; i++)
            places[(from[i] >> shift) % VALUES + 1]++;
        for (size_t v = 0; v < VALUES; v++)
            places[v + 1] += places[v];
        for (size_t i = 0; i < count; i++)
            to[places[(from[i] >> shift) % VALUES]++] = from[i];
        uint64_t *turned = from;
        from = to, to = turned;
    }
    if (from != ids) memcpy(ids, from, count * sizeof *ids);
    mem_free(other);
}

void graph_in_order_all(GraphInOrder *order, Neighbors *out)
{
    enum { CHUNK = 256 };
    uint64_t ids[CHUNK];
    size_t from = out->count;
    uint32_t found;
    while ((found = graph_in_order_next(order, ids, CHUNK)) > 0) {
        mem_reserve(out->nodes, out->node_capacity, out->count + found);
        memcpy(out->nodes + out->count, ids, found * sizeof *ids);
        out->count += found;
    }
    if (out->count - from > 1) sort_ids(out->nodes + from, out->count - from);
}

/* ---- saving ---- */

Ordered *index_order_made(const GraphView *view, const GraphIndex *index)
{
    Ordered *ordered = ordered_new();
    Buffer scratch = {0};
    uint64_t cursor = 0, node;
    while (graph_scan(view, &index->label, 1, &cursor, &node, 1) == 1) {
        Value value = index_value(view, index, node, &scratch);
        if (value.kind != VALUE_NULL) ordered_add(ordered, value, (uint32_t)node);
    }
    buffer_free(&scratch);
    return ordered;
}

uint64_t index_order_entries(const GraphView *view, const GraphIndex *index, Ordered *ordered,
                             bool added, Arena *arena, Value **values, uint32_t **nodes)
{
    uint64_t count = 0;
    size_t value_capacity = 0, node_capacity = 0;
    Value value;
    uint32_t node;
    Buffer scratch = {0};
    *values = NULL, *nodes = NULL;
    ordered_settle(ordered);
    OrderedCursor cursor = ordered_cursor(ordered, (OrderedRun){0}, arena);
    if (added) ordered_leave_base(&cursor);
    bool sure = ((const Index *)(const void *)index)->order_stamp ==
                index_stamp(view->graph, (const Index *)(const void *)index);
    uint64_t most = ordered_added(ordered) + (added ? 0 : ordered_base(ordered)->count);
    mem_reserve(*values, value_capacity, most);
    mem_reserve(*nodes, node_capacity, most);
    while (ordered_next(&cursor, &value, &node)) {
        if (!sure && !is_hit(view, index, node, value, &scratch)) continue;
        mem_reserve(*values, value_capacity, count + 1);
        mem_reserve(*nodes, node_capacity, count + 1);
        (*values)[count] = value;
        (*nodes)[count++] = node;
    }
    buffer_free(&scratch);
    return count;
}

/* ---- checking ---- */

bool index_order_reachable(const GraphView *view, const Index *index, Tell *to, uint64_t *bits,
                           uint64_t nodes)
{
    enum { ASK_EVERY = 4096 };
    Arena *arenas[2] = {arena_create(), arena_create()};
    OrderedCursor cursor = cursor_of(&index->definition, arenas[0]);
    Value value, before = value_null();
    uint32_t node;
    bool sound = true, any = false;
    Buffer scratch = {0};
    for (uint64_t i = 1; sound && ordered_next(&cursor, &value, &node); i++) {
        if (i % ASK_EVERY == 0 && tell_ask(to)) break;
        sound = value.kind != VALUE_NULL && (!any || value_order(before, value) <= 0);
        any = true;
        before = value;
        if (node < nodes && is_hit(view, &index->definition, node, value, &scratch))
            bits[node / 64] |= UINT64_C(1) << node % 64;
        if (arena_bytes(arenas[0]) < ARENA_BYTES_MAX) continue;
        Arena *full = arenas[0];
        arenas[0] = arenas[1], arenas[1] = full;
        before = value_copy(arenas[0], before);
        cursor.last = before;
        cursor.arena = arenas[0];
        arena_reset(full);
    }
    arena_destroy(arenas[0]);
    arena_destroy(arenas[1]);
    buffer_free(&scratch);
    return sound;
}
