/*
 * ordered.c - an array that lies in a file, an array of what came first, and a list of what came since.
 *
 * What is added goes to a tail, as it comes: a load writes nothing in order, so it costs what copying
 * the values does. Whoever looks first takes the tail and sorts it. The first large one stays as it is
 * then; others are put into a skip list (Pugh, CACM 1990). Nodes of the list are only ever put in, each
 * before the pointer to it is, so readers walk it without a lock; only one thread at a time settles. A
 * cursor merges arrays, list and the run of its owner. Stepping back is a search for the pair before, so
 * the list has no pointers back.
 *
 * Invariants: on each level nodes ascend by (value_order, number), no two are equal; `unsettled` counts
 * what was added and is not in the list yet.
 */
#include "config.h"

#include "base/map.h"
#include "order/ordered.h"
#include "value/encode.h"
#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

enum {
    HEIGHT_MAX = 16,       /* one in four is one higher: 4^16 pairs */
    SORTED_COUNT_MIN = 64, /* so many make an array */
    RADIX_COUNT_MIN = 1024 /* fewer are sorted before the counts of their bytes are made */
};

typedef struct OrderedNode {
    Value value;
    uint32_t number, height;
    struct OrderedNode *_Atomic next[];
} OrderedNode;

typedef struct Entry {
    Value value;
    uint32_t number;
} Entry;

typedef struct Sorted { /* what was settled first; never changed */
    uint64_t count;
    Entry *entries;
    Arena *arena;
} Sorted;

struct Ordered {
    OrderedBase base;
    pthread_mutex_t tail_lock;   /* of the next four, for as long as one is added */
    pthread_mutex_t settle_lock; /* of putting into the list */
    Entry *tail;
    size_t tail_count, tail_capacity;
    Arena *tail_arena; /* what their values point to; NULL: nothing */
    _Atomic uint64_t unsettled;
    Sorted *_Atomic sorted; /* NULL: none yet */
    Arena *arena;           /* of the list */
    OrderedNode *head;
    _Atomic uint64_t list_count;
};

static OrderedNode *node_new(Arena *arena, uint32_t height)
{
    OrderedNode *node =
        arena_calloc(arena, 1, sizeof *node + height * sizeof(OrderedNode * _Atomic));
    node->height = height;
    return node;
}

/* All of it is the graph's, whoever makes it. */
Ordered *ordered_new(void)
{
    Ordered *ordered = mem_calloc(1, sizeof *ordered);
    pthread_mutex_init(&ordered->tail_lock, NULL);
    pthread_mutex_init(&ordered->settle_lock, NULL);
    ordered->arena = arena_create();
    ordered->head = node_new(ordered->arena, HEIGHT_MAX);
    return ordered;
}

void ordered_free(Ordered *ordered)
{
    if (ordered == NULL) return;
    mem_free(ordered->tail);
    arena_destroy(ordered->tail_arena);
    arena_destroy(ordered->arena);
    Sorted *sorted = atomic_load(&ordered->sorted);
    if (sorted != NULL) {
        mem_free(sorted->entries);
        arena_destroy(sorted->arena);
        mem_free(sorted);
    }
    pthread_mutex_destroy(&ordered->tail_lock);
    pthread_mutex_destroy(&ordered->settle_lock);
    mem_free(ordered);
}

void ordered_lay(Ordered *ordered, const OrderedBase *base)
{
    ordered->base = *base;
}

const OrderedBase *ordered_base(const Ordered *ordered)
{
    return &ordered->base;
}

uint64_t ordered_added(const Ordered *ordered)
{
    const Sorted *sorted = atomic_load(&ordered->sorted);
    return atomic_load(&ordered->list_count) + (sorted == NULL ? 0 : sorted->count);
}

/* ---- adding ---- */

void ordered_reserve(Ordered *ordered, size_t count)
{
    pthread_mutex_lock(&ordered->tail_lock);
    mem_reserve(ordered->tail, ordered->tail_capacity, ordered->tail_count + count);
    pthread_mutex_unlock(&ordered->tail_lock);
}

/* Their texts lie side by side. */
void ordered_add_many(Ordered *ordered, const Value *values, const uint64_t *numbers,
                      uint32_t count)
{
    size_t bytes = 0;
    if (count == 0) return;
    for (uint32_t i = 0; i < count; i++)
        bytes += values[i].kind == VALUE_STRING ? values[i].aux : 0;
    pthread_mutex_lock(&ordered->tail_lock);
    if (ordered->tail_arena == NULL) ordered->tail_arena = arena_create();
    mem_reserve(ordered->tail, ordered->tail_capacity, ordered->tail_count + count);
    char *text = arena_alloc(ordered->tail_arena, bytes + 1);
    for (uint32_t i = 0; i < count; i++) {
        Value value = values[i];
        assert(value.kind != VALUE_NULL && numbers[i] <= UINT32_MAX);
        if (value.kind == VALUE_STRING) {
            memcpy(text, value.as.text, value.aux);
            value.as.text = text;
            text += value.aux;
        } else {
            value = value_copy(ordered->tail_arena, value);
        }
        ordered->tail[ordered->tail_count++] = (Entry){value, (uint32_t)numbers[i]};
    }
    atomic_fetch_add(&ordered->unsettled, count);
    pthread_mutex_unlock(&ordered->tail_lock);
}

void ordered_add(Ordered *ordered, Value value, uint32_t number)
{
    uint64_t wide = number;
    ordered_add_many(ordered, &value, &wide, 1);
}

/* ---- settling ---- */

static int compare(Value a, uint32_t a_number, Value b, uint32_t b_number)
{
    int order = value_order(a, b);
    return order != 0 ? order : a_number < b_number ? -1 : a_number > b_number;
}

/* What is sorted by first: values in order have such words in order, and most have different ones. */
typedef struct Word {
    uint64_t word;
    uint32_t more, entry; /* more: of a text, what comes behind */
} Word;

/* Of a text so many bytes are in its word as a whole. */
enum { RANK_BITS = 5, WORD_TEXT_BYTES = 7 };

/* The bytes of a text from `from` on, the first highest. */
static uint64_t text_word(Value value, size_t from)
{
    uint64_t word = 0;
    size_t bytes = value.aux < from ? 0 : value.aux - from;
    if (bytes >= sizeof word) {
        memcpy(&word, value.as.text + from, sizeof word);
        return __builtin_bswap64(word);
    }
    for (size_t i = 0; i < bytes; i++)
        word |= (uint64_t)(unsigned char)value.as.text[from + i] << (56 - 8 * i);
    return word;
}

static Word word_of(Value value, uint32_t entry)
{
    uint64_t word = 0, more = 0;
    if (value_is_number(value)) {
        union {
            double number;
            uint64_t bits;
        } u = {value_as_double(value) + 0.0}; /* -0 becomes +0 */
        word = u.bits >> 63 ? ~u.bits : u.bits | UINT64_C(1) << 63;
        if (u.number != u.number) word = UINT64_MAX;
    } else if (value.kind == VALUE_STRING) {
        word = text_word(value, 0);
        more = text_word(value, WORD_TEXT_BYTES) >> 32;
    }
    word = (uint64_t)value_order_rank(value) << (64 - RANK_BITS) | word >> RANK_BITS;
    return (Word){word, (uint32_t)more, entry};
}

static int by_word(const void *a, const void *b, void *entries)
{
    const Word *x = a, *y = b;
    const Entry *all = entries, *one = &all[x->entry], *other = &all[y->entry];
    if (x->word != y->word) return x->word < y->word ? -1 : 1;
    if (x->more != y->more) return x->more < y->more ? -1 : 1;
    return compare(one->value, one->number, other->value, other->number);
}

/* By their words, some bits at a time from the lowest on; bits that all have in common are passed over
 * (LSD radix sort; Knuth, TAOCP 3, 5.2.5). `words` and `room` are as long; where they are then. */
static Word *radix_sort(Word *words, Word *room, size_t count)
{
    /* Six passes, counts that stay in a cache. */
    enum { BITS = 11, DIGITS = 6, VALUES = 1 << BITS };
    static_assert(BITS * DIGITS >= 64, "all of a word");
    uint64_t *counts = mem_calloc(DIGITS * VALUES, sizeof *counts);
    for (size_t i = 0; i < count; i++)
        for (int d = 0; d < DIGITS; d++)
            counts[d * VALUES + (words[i].word >> BITS * d) % VALUES]++;
    for (int d = 0; d < DIGITS; d++) {
        uint64_t at = 0, *these = counts + d * VALUES;
        if (these[(words[0].word >> BITS * d) % VALUES] == count) continue;
        for (int v = 0; v < VALUES; v++) {
            uint64_t found = these[v];
            these[v] = at;
            at += found;
        }
        for (size_t i = 0; i < count; i++)
            room[these[(words[i].word >> BITS * d) % VALUES]++] = words[i];
        Word *sorted = room;
        room = words;
        words = sorted;
    }
    mem_free(counts);
    return words;
}

/* In place: for a few, which those that begin alike mostly are. */
static void insertion_sort(Word *words, size_t count, const Entry *entries)
{
    for (size_t i = 1; i < count; i++) {
        Word word = words[i];
        size_t at = i;
        for (; at > 0 && by_word(&words[at - 1], &word, (void *)(uintptr_t)entries) > 0; at--)
            words[at] = words[at - 1];
        words[at] = word;
    }
}

static void sort_words(Word *words, size_t count, const Entry *entries)
{
    enum { FEW = 16 };
    if (count <= FEW)
        insertion_sort(words, count, entries);
    else
        qsort_r(words, count, sizeof *words, by_word, (void *)(uintptr_t)entries);
}

/* Words in order are put in the order of their entries. */
static void sort_ties(Word *words, size_t count, const Entry *entries)
{
    for (size_t from = 0, to; from < count; from = to) {
        for (to = from + 1; to < count && words[to].word == words[from].word;)
            to++;
        if (to - from > 1) sort_words(words + from, to - from, entries);
    }
}

/* In order, each once, in an array of their own. */
static Entry *sorted_entries(const Entry *entries, size_t *count)
{
    enum { AHEAD = 16 };
    assert(*count <= UINT32_MAX); /* as many as there may be nodes */
    Word *room = mem_alloc((2 * *count + 1) * sizeof *room), *words = room;
    Entry *out = mem_alloc((*count + 1) * sizeof *out);
    size_t kept = 0;
    for (size_t i = 0; i < *count; i++)
        words[i] = word_of(entries[i].value, (uint32_t)i);
    if (*count >= RADIX_COUNT_MIN)
        sort_ties(words = radix_sort(words, room + *count, *count), *count, entries);
    else
        sort_words(words, *count, entries);
    for (size_t i = 0; i < *count; i++) {
        const Entry *entry = &entries[words[i].entry];
        if (i + AHEAD < *count) __builtin_prefetch(&entries[words[i + AHEAD].entry]);
        bool again =
            i > 0 && words[i].word == words[i - 1].word && words[i].more == words[i - 1].more &&
            compare(out[kept - 1].value, out[kept - 1].number, entry->value, entry->number) == 0;
        if (!again) out[kept++] = *entry;
    }
    mem_free(room);
    *count = kept;
    return out;
}

/* From the pair and how many there are: the same pairs always make the same list. */
static uint32_t height_of(uint64_t count, uint32_t number)
{
    uint64_t bits = hash_u64(count << 32 ^ number);
    uint32_t height = 1;
    for (; height < HEIGHT_MAX && bits % 4 == 0; bits /= 4)
        height++;
    return height;
}

static OrderedNode *next_of(const OrderedNode *node, uint32_t level)
{
    return atomic_load_explicit(&node->next[level], memory_order_acquire);
}

static void list_put(Ordered *ordered, const Entry *entry)
{
    OrderedNode *before[HEIGHT_MAX], *at = ordered->head, *next;
    for (uint32_t level = HEIGHT_MAX; level-- > 0; before[level] = at)
        while ((next = next_of(at, level)) != NULL &&
               compare(next->value, next->number, entry->value, entry->number) < 0)
            at = next;
    next = next_of(at, 0);
    if (next != NULL && compare(next->value, next->number, entry->value, entry->number) == 0)
        return; /* the value came back to who had it before */
    uint32_t height = height_of(atomic_load(&ordered->list_count), entry->number);
    OrderedNode *node = node_new(ordered->arena, height);
    node->value = value_copy(ordered->arena, entry->value);
    node->number = entry->number;
    for (uint32_t level = 0; level < height; level++) {
        atomic_store_explicit(&node->next[level], next_of(before[level], level),
                              memory_order_relaxed);
        atomic_store_explicit(&before[level]->next[level], node, memory_order_release);
    }
    atomic_fetch_add(&ordered->list_count, 1);
}

void ordered_settle(Ordered *ordered)
{
    if (atomic_load(&ordered->unsettled) == 0) return;
    MemAccount *account = mem_account_enter(NULL); /* it outlives the statement */
    pthread_mutex_lock(&ordered->settle_lock);
    pthread_mutex_lock(&ordered->tail_lock);
    Entry *tail = ordered->tail;
    size_t count = ordered->tail_count;
    Arena *arena = ordered->tail_arena;
    ordered->tail = NULL;
    ordered->tail_count = ordered->tail_capacity = 0;
    ordered->tail_arena = NULL;
    pthread_mutex_unlock(&ordered->tail_lock);
    size_t kept = count;
    Entry *entries = sorted_entries(tail, &kept);
    mem_free(tail);
    if (kept >= SORTED_COUNT_MIN && atomic_load(&ordered->sorted) == NULL) {
        Sorted *sorted = mem_alloc(sizeof *sorted);
        *sorted = (Sorted){kept, entries, arena};
        atomic_store(&ordered->sorted, sorted);
    } else {
        for (size_t i = 0; i < kept; i++)
            list_put(ordered, &entries[i]);
        mem_free(entries);
        arena_destroy(arena);
    }
    atomic_fetch_sub(&ordered->unsettled, count);
    pthread_mutex_unlock(&ordered->settle_lock);
    mem_account_enter(account);
}

/* ---- the array ---- */

static bool is_plain(uint64_t head)
{
    switch ((ValueKind)(uint8_t)head) {
    case VALUE_BOOLEAN:
    case VALUE_INTEGER:
    case VALUE_FLOAT:
    case VALUE_DATE:
    case VALUE_LOCAL_TIME:
    case VALUE_TIME:
    case VALUE_LOCAL_DATETIME: return true;
    default: return false;
    }
}

OrderedKey ordered_key(Value value, uint64_t *at, Buffer *text)
{
    OrderedKey key = {value.head, *at};
    Buffer own = {0};
    if (is_plain(value.head)) {
        key.word = value.as.id;
    } else if (value.kind == VALUE_STRING || value.kind == VALUE_BYTES) {
        if (text != NULL) buffer_append(text, value.as.text, value.aux);
        *at += value.aux;
    } else {
        Buffer *to = text != NULL ? text : &own;
        size_t from = to->bytes;
        value_encode(to, value);
        key.head = value_head((ValueKind)value.kind, to->bytes - from);
        *at += to->bytes - from;
    }
    buffer_free(&own);
    return key;
}

/* What does not check out is null, which is behind everything; the segment is damaged then. */
static Value base_value(const OrderedBase *base, uint64_t i, Arena *arena)
{
    const OrderedKey *key = &base->keys[i];
    if (!segment_touch(base->segment, key, sizeof *key)) return value_null();
    Value value = {.head = key->head, .as.id = key->word};
    if (is_plain(key->head)) return value;
    if (key->word > base->text_bytes || value.aux > base->text_bytes - key->word ||
        !segment_touch(base->segment, base->text + key->word, value.aux))
        return value_null();
    value.as.text = base->text + key->word;
    if (value.kind == VALUE_STRING || value.kind == VALUE_BYTES) return value;
    Reader reader = reader_of(value.as.text, value.aux);
    value = value_decode(&reader, arena);
    return reader.failed ? value_null() : value;
}

static uint32_t base_number(const OrderedBase *base, uint64_t i)
{
    const uint32_t *number = &base->numbers[i];
    return segment_touch(base->segment, number, sizeof *number) ? *number : UINT32_MAX;
}

/* ---- cursors ---- */

OrderedCursor ordered_cursor(const Ordered *ordered, OrderedRun run, Arena *arena)
{
    OrderedCursor cursor = {
        .ordered = ordered, .sorted = atomic_load(&ordered->sorted), .run = run, .arena = arena};
    ordered_seek_first(&cursor);
    return cursor;
}

void ordered_seek_first(OrderedCursor *cursor)
{
    cursor->at = cursor->sorted_at = cursor->run_at = 0;
    cursor->next = next_of(cursor->ordered->head, 0);
    cursor->any = false;
}

/* What a search holds a value against: is the value before the place that is looked for? */
typedef struct Place {
    Value key;
    bool after,
        kind; /* kind: all values that cannot be compared with the key are told by their kind */
} Place;

static inline bool is_before(const Place *place, Value value)
{
    if (value.kind == VALUE_INTEGER && place->key.kind == VALUE_INTEGER && !place->kind)
        return place->after ? value.as.integer <= place->key.as.integer
                            : value.as.integer < place->key.as.integer;
    int order = value_order(value, place->key);
    if (!place->kind) return place->after ? order <= 0 : order < 0;
    bool same =
        value.kind == place->key.kind || (value_is_number(value) && value_is_number(place->key));
    return same ? place->after : order < 0;
}

/* The value at a place of one of a cursor's arrays, of which there are three. */
enum { BASE, SORTED, RUN, ARRAYS };

static uint64_t array_count(const OrderedCursor *cursor, int array)
{
    switch (array) {
    case BASE: return cursor->ordered->base.count;
    case SORTED: return cursor->sorted == NULL ? 0 : cursor->sorted->count;
    default: return cursor->run.count;
    }
}

static uint64_t *array_at(OrderedCursor *cursor, int array)
{
    return array == BASE ? &cursor->at : array == SORTED ? &cursor->sorted_at : &cursor->run_at;
}

static Value array_value(const OrderedCursor *cursor, int array, uint64_t i)
{
    switch (array) {
    case BASE: return base_value(&cursor->ordered->base, i, cursor->arena);
    case SORTED: return cursor->sorted->entries[i].value;
    default: return value_integer((int64_t)((uint64_t)cursor->run.key + i));
    }
}

static uint32_t array_number(const OrderedCursor *cursor, int array, uint64_t i)
{
    switch (array) {
    case BASE: return base_number(&cursor->ordered->base, i);
    case SORTED: return cursor->sorted->entries[i].number;
    default: return (uint32_t)(cursor->run.number + i);
    }
}

static void seek_list(OrderedCursor *cursor, const Place *place)
{
    const OrderedNode *at = cursor->ordered->head, *next;
    for (uint32_t level = HEIGHT_MAX; level-- > 0;)
        while ((next = next_of(at, level)) != NULL && is_before(place, next->value))
            at = next;
    cursor->next = next_of(at, 0);
}

/* The first of the places low .. high of an array that is not before the one looked for. */
static uint64_t find(const OrderedCursor *cursor, int array, uint64_t low, uint64_t high,
                     const Place *place)
{
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (is_before(place, array_value(cursor, array, middle)))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void seek(OrderedCursor *cursor, const Place *place)
{
    for (int array = 0; array < ARRAYS; array++)
        *array_at(cursor, array) = find(cursor, array, 0, array_count(cursor, array), place);
    seek_list(cursor, place);
    cursor->any = false;
}

void ordered_seek(OrderedCursor *cursor, Value key, bool after)
{
    seek(cursor, &(Place){key, after, false});
}

void ordered_seek_on(OrderedCursor *cursor, Value key, bool after)
{
    Place place = {key, after, false};
    for (int array = 0; array < ARRAYS; array++) {
        uint64_t *at = array_at(cursor, array), count = array_count(cursor, array), high = *at;
        for (uint64_t step = 1; high < count && is_before(&place, array_value(cursor, array, high));
             step *= 2) {
            *at = high + 1;
            high = count - high > step ? high + step : count;
        }
        *at = find(cursor, array, *at, high, &place);
    }
    seek_list(cursor, &place);
    cursor->any = false;
}

/* Most orders have values of one kind: then it is one of their ends. */
void ordered_seek_kind(OrderedCursor *cursor, Value like, bool behind)
{
    Place place = {like, behind, true};
    for (int array = 0; array < ARRAYS; array++) {
        uint64_t count = array_count(cursor, array), low = 0, high = count;
        if (behind && count > 0 && is_before(&place, array_value(cursor, array, count - 1)))
            low = count;
        if (!behind && count > 0 && !is_before(&place, array_value(cursor, array, 0))) high = 0;
        *array_at(cursor, array) = find(cursor, array, low, high, &place);
    }
    seek_list(cursor, &place);
    cursor->any = false;
}

/* The least of what the arrays and the list have next; `source` is which. */
static bool peek(OrderedCursor *cursor, Value *value, uint32_t *number, int *source)
{
    *source = -1;
    for (int array = 0; array < ARRAYS; array++) {
        uint64_t at = *array_at(cursor, array);
        if (at >= array_count(cursor, array)) continue;
        Value own = array_value(cursor, array, at);
        uint32_t own_number = array_number(cursor, array, at);
        if (*source < 0 || compare(own, own_number, *value, *number) < 0)
            *value = own, *number = own_number, *source = array;
    }
    const OrderedNode *next = cursor->next;
    if (next != NULL && (*source < 0 || compare(next->value, next->number, *value, *number) < 0))
        *value = next->value, *number = next->number, *source = ARRAYS;
    return *source >= 0;
}

bool ordered_next(OrderedCursor *cursor, Value *value, uint32_t *number)
{
    int source;
    while (peek(cursor, value, number, &source)) {
        if (source == ARRAYS)
            cursor->next = next_of(cursor->next, 0);
        else
            ++*array_at(cursor, source);
        bool again =
            cursor->any && *number == cursor->last_number && value_order(*value, cursor->last) == 0;
        cursor->last = *value;
        cursor->last_number = *number;
        cursor->any = true;
        if (!again) return true;
    }
    return false;
}

void ordered_leave_base(OrderedCursor *cursor)
{
    cursor->at = cursor->ordered->base.count;
}

/* The last node before `until`, which is in the list; NULL stands for its end. */
static const OrderedNode *node_before(const Ordered *ordered, const OrderedNode *until)
{
    const OrderedNode *at = ordered->head, *next;
    if (next_of(at, 0) == until) return NULL;
    for (uint32_t level = HEIGHT_MAX; level-- > 0;)
        while (
            (next = next_of(at, level)) != NULL &&
            (until == NULL || compare(next->value, next->number, until->value, until->number) < 0))
            at = next;
    return at == ordered->head ? NULL : at;
}

void ordered_move(OrderedCursor *cursor, const OrderedCursor *to)
{
    cursor->at = to->at, cursor->sorted_at = to->sorted_at, cursor->run_at = to->run_at;
    cursor->next = to->next;
    cursor->any = false;
}

/* Arrays are walked back, for whoever goes back reads what is passed; the list is searched. */
bool ordered_back(OrderedCursor *cursor, Value *value)
{
    const OrderedNode *node = node_before(cursor->ordered, cursor->next);
    bool found = node != NULL;
    if (found) *value = node->value;
    for (int array = 0; array < ARRAYS; array++) {
        uint64_t at = *array_at(cursor, array);
        if (at == 0) continue;
        Value own = array_value(cursor, array, at - 1);
        if (!found || value_order(own, *value) > 0) *value = own;
        found = true;
    }
    if (!found) return false;
    for (int array = 0; array < ARRAYS; array++)
        for (uint64_t *at = array_at(cursor, array);
             *at > 0 && value_order(array_value(cursor, array, *at - 1), *value) == 0;)
            --*at;
    if (node != NULL && value_order(node->value, *value) == 0) {
        seek_list(cursor, &(Place){*value, false, false});
    }
    cursor->any = false;
    return true;
}

bool ordered_reached(const OrderedCursor *cursor, const OrderedCursor *end)
{
    return cursor->at >= end->at && cursor->sorted_at >= end->sorted_at &&
           cursor->run_at >= end->run_at && cursor->next == end->next;
}

uint64_t ordered_between(const OrderedCursor *from, const OrderedCursor *to, uint64_t most)
{
    uint64_t count = 0;
    if (to->at > from->at) count += to->at - from->at;
    if (to->sorted_at > from->sorted_at) count += to->sorted_at - from->sorted_at;
    if (to->run_at > from->run_at) count += to->run_at - from->run_at;
    for (const OrderedNode *at = from->next; at != NULL && at != to->next && count < most;
         at = next_of(at, 0))
        count++;
    return count;
}
