/*
 * topk.h - the best k of a stream of scores, with 64-bit ids.
 *
 * One order everywhere: higher score first, equal scores by the lower id, NaN last of all. It is
 * total, so the result does not depend on the order of offering, on how a scan was cut into pieces,
 * or on the device.
 */
#ifndef VECTOR_TOPK_H
#define VECTOR_TOPK_H
#include "base/memory.h"
#include "vector/kernel.h"

typedef struct TopK TopK;
typedef struct TopKHit {
    uint64_t id;
    float score; /* -0 has become +0 */
} TopKHit;

/* A collector for at most `k` hits; k = 0 collects nothing. Grows with what it holds, so a large k
 * costs nothing before it is used. One thread at a time. */
TopK *topk_create(size_t k);
void topk_destroy(TopK *top); /* NULL is welcome */
void topk_offer(TopK *top, float score, uint64_t id);
/* No score below this gets in any more: `if (score < topk_floor(top)) skip` keeps every score that
 * could (NaN included, which compares false). -infinity while anything may enter. */
float topk_floor(const TopK *top);
size_t topk_limit(const TopK *top); /* k */
size_t topk_count(const TopK *top);
/* `to` becomes what `from` is, k and all. */
void topk_copy(TopK *to, const TopK *from);
/* Offers all that `from` holds. */
void topk_merge(TopK *to, const TopK *from);
/* Writes the hits, best first, into `hits` (room for topk_count) and leaves the collector empty. */
size_t topk_take(TopK *top, TopKHit *hits);
#endif
