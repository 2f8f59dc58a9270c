/*
 * temporal.h - dates, times, moments, durations: comparing and printing them.
 */
#ifndef VALUE_TEMPORAL_H
#define VALUE_TEMPORAL_H
#include "value/value.h"

/* Two values of one temporal kind (not durations): -1, 0, 1. Times with an offset and moments
 * compare as instants. */
int temporal_compare(Value a, Value b);
/* Durations by their length in seconds, a month as 30.436875 days (a year of 365.2425); equal
 * lengths by parts. */
int duration_order(const Duration *a, const Duration *b);
/* ISO 8601 text. */
void temporal_print(Buffer *out, Value value);
#endif
