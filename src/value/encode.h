/*
 * encode.h - property values as bytes, for the log and for segments. Little endian; one byte of
 * kind, then the payload: numbers in eight bytes, text and bytes with a varint of length before
 * them, lists with a varint of their count, vectors the same and then f32 each.
 */
#ifndef VALUE_ENCODE_H
#define VALUE_ENCODE_H
#include "base/bytes.h"
#include "value/value.h"

/* `value` is one that a property can hold. */
void value_encode(Buffer *out, Value value);
/* Text and bytes are borrowed from what the reader reads, the rest lies in `arena`. What is no
 * value, or is nested deeper than a property can be, sets reader->failed. */
Value value_decode(Reader *reader, Arena *arena);
#endif
