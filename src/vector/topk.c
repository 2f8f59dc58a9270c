/*
 * topk.c - a heap of the k best, the worst of them on top.
 *
 * A hit is kept as the orderable form of its score and its id; "worse" compares these two, so that
 * NaN and the two zeros need no thought here. Offering compares with the top and mostly ends there;
 * a scan does not even call when the score is below the floor. Expected work on n scores in random
 * order: k ln(n / k) insertions of log k steps.
 *
 * Invariants: count <= k; entries[i] is no better than its children 2i + 1 and 2i + 2; `floor` is
 * the top's score when the heap is full and the score a number, else -infinity.
 */
#include "config.h"

#include "vector/topk.h"
#include <assert.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

typedef struct Entry {
    uint64_t id;
    uint32_t order; /* vector_orderable(score) */
} Entry;

struct TopK {
    Entry *entries;
    size_t count, capacity, k;
    float floor;
};

static inline bool worse(Entry a, Entry b)
{
    return a.order != b.order ? a.order < b.order : a.id > b.id;
}

TopK *topk_create(size_t k)
{
    TopK *top = mem_calloc(1, sizeof *top);
    top->k = k;
    top->floor = -INFINITY;
    return top;
}

void topk_destroy(TopK *top)
{
    if (top == NULL) return;
    mem_free(top->entries);
    mem_free(top);
}

static void sift_up(Entry *entries, size_t at, Entry entry)
{
    while (at > 0 && worse(entry, entries[(at - 1) / 2])) {
        entries[at] = entries[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    entries[at] = entry;
}

static void sift_down(Entry *entries, size_t count, Entry entry)
{
    size_t at = 0;
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= count) break;
        if (child + 1 < count && worse(entries[child + 1], entries[child])) child++;
        if (!worse(entries[child], entry)) break;
        entries[at] = entries[child];
        at = child;
    }
    entries[at] = entry;
}

static void note_floor(TopK *top)
{
    bool bounded = top->count == top->k && top->k > 0 && top->entries[0].order != 0;
    top->floor = bounded ? vector_score_of(top->entries[0].order) : -INFINITY;
}

static void offer_entry(TopK *top, Entry entry)
{
    assert(top->count <= top->k);
    if (top->count < top->k) {
        mem_reserve(top->entries, top->capacity, top->count + 1);
        sift_up(top->entries, top->count++, entry);
        if (top->count == top->k) note_floor(top);
    } else if (top->k > 0 && worse(top->entries[0], entry)) {
        sift_down(top->entries, top->count, entry);
        note_floor(top);
    }
}

void topk_offer(TopK *top, float score, uint64_t id)
{
    offer_entry(top, (Entry){id, vector_orderable(score)});
}

float topk_floor(const TopK *top)
{
    return top->floor;
}

size_t topk_limit(const TopK *top)
{
    return top->k;
}

size_t topk_count(const TopK *top)
{
    return top->count;
}

void topk_copy(TopK *to, const TopK *from)
{
    mem_reserve(to->entries, to->capacity, from->count);
    if (from->count > 0) memcpy(to->entries, from->entries, from->count * sizeof *to->entries);
    to->count = from->count;
    to->k = from->k;
    to->floor = from->floor;
}

void topk_merge(TopK *to, const TopK *from)
{
    for (size_t i = 0; i < from->count; i++)
        offer_entry(to, from->entries[i]);
}

size_t topk_take(TopK *top, TopKHit *hits)
{
    size_t count = top->count;
    for (size_t left = count; left > 0; left--) {
        Entry worst = top->entries[0];
        assert(left == 1 || !worse(top->entries[left - 1], worst));
        hits[left - 1] = (TopKHit){worst.id, vector_score_of(worst.order)};
        sift_down(top->entries, left - 1, top->entries[left - 1]);
    }
    top->count = 0;
    note_floor(top);
    return count;
}
