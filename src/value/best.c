/*
 * best.c - heaps of entries, places for rows.
 *
 * An entry is what orders (16 bytes of score and id, the number of its arrival) and the place of its
 * row. A group is an array of entries: in order of arrival until it is full, then a heap with the
 * worst on top; what enters a full group takes the place of the one that leaves. Text and elements
 * of rows that left stay behind in the arena until they are more than what is alive: then what is
 * alive moves into a fresh one, which costs each row that enters a constant share.
 *
 * Groups are found by the hash of their value; different values of one hash are chained.
 *
 * Invariants: a full group is a heap by `worse`; places below place_count are each held by one entry.
 */
#include "config.h"

#include "base/map.h"
#include "value/best.h"
#include <assert.h>
#include <math.h>
#include <stdlib.h>

typedef struct Entry {
    uint64_t key; /* of the score: larger is better, NaN 0 */
    uint64_t id, arrival;
    size_t place;
} Entry;

typedef struct Group {
    Value value;
    Entry *entries;
    size_t count, capacity;
    size_t next; /* group of the same hash, counted from 1; 0: none */
} Group;

struct BestRows {
    const uint32_t *slots;
    uint32_t width;
    uint64_t limit, arrivals;
    bool grouped;
    Group *groups;
    size_t group_count, group_capacity, entry_capacity; /* entry_capacity: of all groups */
    IntMap *group_ids;                                  /* hash -> number of the first group + 1 */
    Arena *arena;                                       /* what rows point to */
    size_t arena_floor;
    Value *values; /* width a place */
    uint64_t *multiplicity;
    size_t place_count, value_capacity, multiplicity_capacity;
    double floor;
    Entry *order; /* after best_finish */
    size_t order_count;
};

enum { ARENA_SLACK = 1 << 20 }; /* not worth moving for less */

/* ---- order ---- */

static uint64_t key_of(double score)
{
    union {
        double number;
        uint64_t bits;
    } u = {score + 0.0}; /* -0 becomes +0 */
    if (isnan(score)) return 0;
    return u.bits >> 63 ? ~u.bits : u.bits | UINT64_C(1) << 63;
}

static double score_of(uint64_t key)
{
    union {
        uint64_t bits;
        double number;
    } u = {key >> 63 ? key & ~(UINT64_C(1) << 63) : ~key};
    return key == 0 ? (double)NAN : u.number;
}

static bool worse(const Entry *a, const Entry *b)
{
    if (a->key != b->key) return a->key < b->key;
    return a->id != b->id ? a->id > b->id : a->arrival > b->arrival;
}

static int best_first(const void *a, const void *b)
{
    return worse(a, b) ? 1 : worse(b, a) ? -1 : 0;
}

static void sift_down(Entry *entries, size_t count, size_t at)
{
    Entry entry = entries[at];
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= count) break;
        if (child + 1 < count && worse(&entries[child + 1], &entries[child])) child++;
        if (!worse(&entries[child], &entry)) break;
        entries[at] = entries[child];
        at = child;
    }
    entries[at] = entry;
}

/* ---- life ---- */

static Group *group_new(BestRows *best, Value value)
{
    mem_reserve(best->groups, best->group_capacity, best->group_count + 1);
    Group *group = &best->groups[best->group_count++];
    *group = (Group){.value = value_copy(best->arena, value)};
    return group;
}

BestRows *best_create(const uint32_t *slots, uint32_t count, uint64_t limit, bool grouped)
{
    BestRows *best = mem_calloc(1, sizeof *best);
    best->slots = slots;
    best->width = count;
    best->limit = limit;
    best->grouped = grouped;
    best->floor = -INFINITY;
    best->arena = arena_create();
    best->group_ids = intmap_create();
    if (!grouped) group_new(best, value_null());
    return best;
}

void best_destroy(BestRows *best)
{
    if (best == NULL) return;
    for (size_t g = 0; g < best->group_count; g++)
        mem_free(best->groups[g].entries);
    mem_free(best->groups);
    intmap_destroy(best->group_ids);
    arena_destroy(best->arena);
    mem_free(best->values);
    mem_free(best->multiplicity);
    mem_free(best->order);
    mem_free(best);
}

size_t best_bytes(const BestRows *best)
{
    size_t entries = best->order_count + best->entry_capacity;
    return arena_bytes(best->arena) + entries * sizeof(Entry) +
           best->group_capacity * sizeof(Group) + best->value_capacity * sizeof(Value) +
           best->multiplicity_capacity * sizeof(uint64_t);
}

double best_floor(const BestRows *best)
{
    return best->floor;
}

/* ---- groups ---- */

static Group *group_of(BestRows *best, Value value)
{
    if (!best->grouped) return &best->groups[0];
    uint64_t hash = value_hash(value), first = 0;
    intmap_get(best->group_ids, hash, &first);
    for (size_t g = first; g != 0; g = best->groups[g - 1].next)
        if (value_equivalent(best->groups[g - 1].value, value)) return &best->groups[g - 1];
    Group *group = group_new(best, value);
    group->next = first;
    intmap_put(best->group_ids, hash, best->group_count);
    return group;
}

/* ---- rows ---- */

static void copy_row(BestRows *best, const Batch *batch, uint32_t position, size_t place)
{
    for (uint32_t c = 0; c < best->width; c++)
        best->values[place * best->width + c] =
            value_copy(best->arena, column_value(&batch->columns[best->slots[c]], position));
    best->multiplicity[place] = batch_multiplicity(batch, position);
}

/* What is alive moves into a fresh arena. */
static void compact(BestRows *best)
{
    Arena *fresh = arena_create();
    for (size_t i = 0; i < best->place_count * best->width; i++)
        best->values[i] = value_copy(fresh, best->values[i]);
    for (size_t g = 0; g < best->group_count; g++)
        best->groups[g].value = value_copy(fresh, best->groups[g].value);
    arena_destroy(best->arena);
    best->arena = fresh;
    best->arena_floor = arena_bytes(fresh);
}

static size_t new_place(BestRows *best)
{
    mem_reserve(best->values, best->value_capacity, (best->place_count + 1) * best->width);
    mem_reserve(best->multiplicity, best->multiplicity_capacity, best->place_count + 1);
    return best->place_count++;
}

static void fill(BestRows *best, Group *group, Entry entry)
{
    size_t before = group->capacity;
    mem_reserve(group->entries, group->capacity, group->count + 1);
    best->entry_capacity += group->capacity - before;
    group->entries[group->count++] = entry;
    if (group->count < best->limit) return;
    for (size_t i = group->count / 2; i > 0; i--)
        sift_down(group->entries, group->count, i - 1);
}

void best_offer(BestRows *best, const Batch *batch, uint32_t position, double score, uint64_t id,
                Value value)
{
    assert(best->order == NULL && batch->list == NULL);
    if (best->limit == 0) return;
    Group *group = group_of(best, value);
    Entry entry = {key_of(score), id, best->arrivals++, 0};
    if (group->count < best->limit) {
        entry.place = new_place(best);
        fill(best, group, entry);
    } else {
        if (!worse(&group->entries[0], &entry)) return;
        entry.place = group->entries[0].place;
        group->entries[0] = entry;
        sift_down(group->entries, group->count, 0);
    }
    copy_row(best, batch, position, entry.place);
    if (best->limit != BEST_ALL && arena_bytes(best->arena) > 2 * best->arena_floor + ARENA_SLACK)
        compact(best);
    if (!best->grouped && group->count == best->limit && group->entries[0].key != 0)
        best->floor = score_of(group->entries[0].key);
}

/* ---- the end ---- */

static bool each_counts_once(const BestRows *best, const Group *group)
{
    bool once = true;
    for (size_t i = 0; i < group->count && once; i++)
        once = best->multiplicity[group->entries[i].place] == 1;
    return once;
}

/* The best of a group that together count `limit` times; the last one is cut. Those of several groups
 * are sorted together anyway. */
static size_t cut(BestRows *best, Group *group)
{
    uint64_t left = best->limit;
    size_t kept = 0;
    if (best->grouped && each_counts_once(best, group)) return group->count;
    if (group->count > 0) qsort(group->entries, group->count, sizeof *group->entries, best_first);
    for (; kept < group->count && left > 0; kept++) {
        uint64_t *times = &best->multiplicity[group->entries[kept].place];
        if (*times > left) *times = left;
        left -= *times;
    }
    return kept;
}

size_t best_finish(BestRows *best)
{
    assert(best->order == NULL);
    best->order = mem_alloc((best->place_count + 1) * sizeof *best->order);
    for (size_t g = 0; g < best->group_count; g++) {
        size_t kept = cut(best, &best->groups[g]);
        if (kept > 0)
            memcpy(best->order + best->order_count, best->groups[g].entries,
                   kept * sizeof *best->order);
        best->order_count += kept;
    }
    if (best->grouped) qsort(best->order, best->order_count, sizeof *best->order, best_first);
    return best->order_count;
}

Batch *best_batch(const BestRows *best, Arena *arena, uint32_t frame, size_t from, uint32_t count,
                  double *scores)
{
    assert(best->order != NULL && from + count <= best->order_count);
    uint32_t width = best->width;
    RowBuffer rows;
    rows_init(&rows, arena, best->slots, width);
    rows.values = arena_alloc(arena, ((size_t)count * width + 1) * sizeof(Value));
    rows.multiplicity = arena_alloc(arena, (count + 1) * sizeof *rows.multiplicity);
    rows.row_count = rows.row_capacity = count;
    for (uint32_t i = 0; i < count; i++) {
        const Entry *entry = &best->order[from + i];
        if (width > 0)
            memcpy(rows.values + (size_t)i * width, best->values + entry->place * width,
                   width * sizeof(Value));
        rows.multiplicity[i] = best->multiplicity[entry->place];
        scores[i] = score_of(entry->key);
    }
    return rows_batch(&rows, arena, frame, 0, count);
}
