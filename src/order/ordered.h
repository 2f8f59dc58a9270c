/*
 * ordered.h - pairs of a value and a number, in the language's order of values and then of numbers:
 * what an index finds ranges by.
 *
 * Pairs are only ever added; what became of them is their owner's business. One writer adds, any number
 * of readers look, and none waits for the other: ordered_settle puts in its place what was added since,
 * and a cursor made after it meets every pair that was added before.
 */
#ifndef ORDER_ORDERED_H
#define ORDER_ORDERED_H
#include "storage/segment.h"
#include "value/value.h"

/* A value in an array that lies in a file: as in memory, but what it points to lies in a text beside
 * the array, at `word`. Text and bytes lie there as they are, lists, vectors, datetimes and durations
 * encoded (value/encode.h), in `aux` bytes. */
typedef struct OrderedKey {
    uint64_t head, word;
} OrderedKey;
_Static_assert(sizeof(OrderedKey) == 16, "OrderedKey is a format");
enum { ORDERED_ENTRY_BYTES = sizeof(OrderedKey) + sizeof(uint32_t) };

/* Pairs in order, in place: of a segment, which is asked before anything is believed. */
typedef struct OrderedBase {
    Segment *segment;
    const OrderedKey *keys;
    const uint32_t *numbers;
    const char *text;
    uint64_t count, text_bytes;
} OrderedBase;

typedef struct Ordered Ordered;
Ordered *ordered_new(void);
void ordered_free(Ordered *ordered);                         /* NULL is welcome */
void ordered_lay(Ordered *ordered, const OrderedBase *base); /* before anybody looks */
const OrderedBase *ordered_base(const Ordered *ordered);     /* count 0: none */
/* By the writer. The value is copied; null is in no order. */
void ordered_add(Ordered *ordered, Value value, uint32_t number);
void ordered_add_many(Ordered *ordered, const Value *values, const uint64_t *numbers,
                      uint32_t count);
void ordered_reserve(Ordered *ordered, size_t count); /* room for so many that will be added */
void ordered_settle(Ordered *ordered);
uint64_t ordered_added(const Ordered *ordered); /* beside the base, settled */

/* Numbers number, number + 1, .. with the integers key, key + 1, ..: pairs that stand nowhere. */
typedef struct OrderedRun {
    uint64_t count, number;
    int64_t key;
} OrderedRun;

typedef struct OrderedCursor {
    const Ordered *ordered;
    const struct Sorted *sorted;
    OrderedRun run;
    Arena *arena; /* of values that are decoded; the caller resets it */
    uint64_t at, sorted_at, run_at;
    const struct OrderedNode *next;
    Value last; /* the pair given last, not to be given twice */
    uint32_t last_number;
    bool any;
} OrderedCursor;
OrderedCursor ordered_cursor(const Ordered *ordered, OrderedRun run, Arena *arena);
/* The next pair will be the first whose value is not before `key`, or (`after`) that is behind it.
 * Null: behind all. */
void ordered_seek(OrderedCursor *cursor, Value key, bool after);
/* The same, from where the cursor stands on, which is before it: cheap where that is near. */
void ordered_seek_on(OrderedCursor *cursor, Value key, bool after);
/* ... the first of the values that can be compared with `like`, or the first behind them. */
void ordered_seek_kind(OrderedCursor *cursor, Value like, bool behind);
void ordered_seek_first(OrderedCursor *cursor);
bool ordered_next(OrderedCursor *cursor, Value *value, uint32_t *number); /* false: the end */
/* Back to the first pair with the value of the last pair before where the cursor stands. false: there
 * is none. */
bool ordered_back(OrderedCursor *cursor, Value *value);
void ordered_move(OrderedCursor *cursor, const OrderedCursor *to); /* to where the other stands */
/* How many pairs lie between two cursors, the second of which stands behind the first; counting ends
 * at about `most`. */
uint64_t ordered_between(const OrderedCursor *from, const OrderedCursor *to, uint64_t most);
/* Does the cursor stand where `end` does, or behind it? */
bool ordered_reached(const OrderedCursor *cursor, const OrderedCursor *end);
/* What comes next is what was added only. */
void ordered_leave_base(OrderedCursor *cursor);

/* The pair's key as an array holds it. What it points to lies at *at, which moves behind it, of the text
 * and is appended to `text` (NULL: it is only counted). */
OrderedKey ordered_key(Value value, uint64_t *at, Buffer *text);
#endif
