/*
 * tuple.h - several values as one text, which sorts as they do one behind the other: what an index on
 * several properties has for a key. Written to segments: a format.
 *
 * A value is a byte that says its place among the kinds (value_order_rank and 1), then bytes that sort
 * as the values of the kind do; none is the beginning of another. Numbers: eight bytes of the float
 * that is not above it, highest first, the sign turned (and all other bits of a negative one); from
 * 2^53 on two more for what an integer has beyond it. Text and bytes: as they are, 0 written as 0 255,
 * then 0 0. Times and durations: the numbers they are compared by. Lists: their elements, then 0;
 * vectors: how many, then each as four bytes. What no property can hold is its kind alone.
 */
#ifndef VALUE_TUPLE_H
#define VALUE_TUPLE_H
#include "value/value.h"

/* A value more. Values that are equal by the language are the same bytes. */
void tuple_put(Buffer *out, Value value);
/* What all texts begin with that begin with `text`. */
void tuple_put_prefix(Buffer *out, Str text);
/* What all values begin with that are of the kind of `like`; numbers are one. */
void tuple_put_kind(Buffer *out, Value like);
#endif
