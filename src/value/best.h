/*
 * best.h - the best k rows of a stream of scored rows, or the best k of each group.
 *
 * One order everywhere: higher score first, NaN last, equal scores by the lower id, then by arrival.
 * Rows are copied only when they get in, and what a better row pushes out gives its place away, so
 * memory is k rows (a group), however many are offered. Without a limit all rows are kept and
 * ordered at the end.
 *
 * A row that counts several times (multiplicity) takes one place and is cut at the end.
 */
#ifndef VALUE_BEST_H
#define VALUE_BEST_H
#include "value/batch.h"

typedef struct BestRows BestRows;
#define BEST_ALL UINT64_MAX

/* `slots` names the columns kept, `count` of them, borrowed. `grouped`: the best `limit` of each
 * group. */
BestRows *best_create(const uint32_t *slots, uint32_t count, uint64_t limit, bool grouped);
void best_destroy(BestRows *best); /* NULL is welcome */
/* No score below this gets in: `if (score < best_floor(best)) skip`. -infinity while anything may. */
double best_floor(const BestRows *best);
/* Offers the row at `position` of a flat batch. `group`: null unless grouped. */
void best_offer(BestRows *best, const Batch *batch, uint32_t position, double score, uint64_t id,
                Value group);
/* Puts what is kept in order, once; gives how many places there are to read. */
size_t best_finish(BestRows *best);
/* Rows [from, from + count) in order as a batch of `frame` columns; count at most BATCH_ROWS_MAX.
 * Text and elements live as long as `best`. scores[i] is the score of row i. */
Batch *best_batch(const BestRows *best, Arena *arena, uint32_t frame, size_t from, uint32_t count,
                  double *scores);
size_t best_bytes(const BestRows *best); /* memory held */
#endif
