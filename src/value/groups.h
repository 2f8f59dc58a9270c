/*
 * groups.h - rows by equivalence of their keys: what DISTINCT and grouping ask, a batch at a time.
 *
 * Groups are numbered from 0 in the order of their first row. Keys are kept for as long as the
 * groups live, text and elements included.
 */
#ifndef VALUE_GROUPS_H
#define VALUE_GROUPS_H
#include "value/batch.h"

typedef struct Groups Groups;
Groups *groups_create(uint32_t key_count);
void groups_destroy(Groups *groups); /* NULL is welcome */
size_t groups_count(const Groups *groups);
size_t groups_bytes(const Groups *groups); /* what they hold of the memory */
/* Bytes that finding the groups of a batch may take at once, beside their values; mostly 0. */
size_t groups_growth(const Groups *groups, uint32_t rows);
/* out[i] becomes the group of the batch's i-th selected row, whose keys stand in keys[0] ..
 * keys[key_count - 1] at its position. Without keys there is one group. */
bool groups_find(Groups *groups, const Column *keys, const Batch *batch, uint32_t *out) MUST_CHECK;
/* Of a batch whose rows have the groups `found`, leaves the first row of each group that was not among the
 * `known` first; `kept` has room for all of its rows. */
void groups_keep_first(Batch *batch, const uint32_t *found, size_t known, uint16_t *kept);
/* From now on `stop` (NULL: nobody) is asked while a large table is made; where it says true, groups_find
 * gives false: the groups are of no use any more. */
void groups_ask(Groups *groups, bool (*stop)(void *state), void *state);
Value groups_key(const Groups *groups, size_t group, uint32_t key);
#endif
