/*
 * sorter.h - rows sorted that need not fit into memory.
 *
 * A row is `width` values, by the first `key_count` of which it is sorted, and how often it counts. Rows
 * that are equal by their keys stay in the order in which they came.
 */
#ifndef ORDER_SORTER_H
#define ORDER_SORTER_H
#include "order/spill.h"

typedef struct Sorter Sorter;
/* `descending`: key_count flags, NULL: all ascending; borrowed. It holds about `budget` bytes. */
Sorter *sorter_new(SpillPlace *place, uint32_t width, uint32_t key_count, const bool *descending,
                   size_t budget);
void sorter_free(Sorter *sorter); /* NULL is welcome */
/* Copies the row. */
Error *sorter_add(Sorter *sorter, const Value *values, uint64_t times) MUST_CHECK;
/* Nothing is added any more. */
Error *sorter_finish(Sorter *sorter) MUST_CHECK;
/* The next row, which lives until the next call; NULL: there is none. */
Error *sorter_next(Sorter *sorter, const Value **values, uint64_t *times) MUST_CHECK;
size_t sorter_held(const Sorter *sorter);    /* of memory */
uint64_t sorter_bytes(const Sorter *sorter); /* written to files, in all passes */
#endif
