/*
 * map.c - hash tables with open addressing.
 *
 * Entries stand in an array in order of insertion; a table of u32 positions, a power of two and at
 * most 2/3 full, finds them by linear probing. Nothing is ever removed: what grows here (names,
 * sessions, groups) only grows.
 */
#include "config.h"

#include "base/map.h"
#include <assert.h>

#define EMPTY UINT32_MAX

typedef struct StrEntry {
    Str key;
    uint64_t hash, value;
} StrEntry;

struct StrMap {
    Arena *keys;
    StrEntry *entries;
    size_t count, capacity;
    uint32_t *table;
    size_t mask; /* table size - 1 */
};

typedef struct IntEntry {
    uint64_t key, value;
} IntEntry;

struct IntMap {
    IntEntry *entries;
    size_t count, capacity;
    uint32_t *table;
    size_t mask;
};

static uint32_t *table_new(size_t size)
{
    uint32_t *table = mem_alloc(size * sizeof *table);
    memset(table, 0xff, size * sizeof *table);
    return table;
}

enum { TABLE_FIRST = 16 };

static bool table_full(size_t count, size_t mask)
{
    return (count + 1) * 3 > (mask + 1) * 2;
}

StrMap *strmap_create(void)
{
    StrMap *map = mem_calloc(1, sizeof *map);
    map->keys = arena_create();
    map->mask = TABLE_FIRST - 1;
    map->table = table_new(TABLE_FIRST);
    return map;
}

void strmap_destroy(StrMap *map)
{
    if (map == NULL) return;
    arena_destroy(map->keys);
    mem_free(map->entries);
    mem_free(map->table);
    mem_free(map);
}

static uint32_t *str_slot(const StrMap *map, Str key, uint64_t hash)
{
    size_t at = hash & map->mask;
    while (map->table[at] != EMPTY) {
        const StrEntry *entry = &map->entries[map->table[at]];
        if (entry->hash == hash && str_equal(entry->key, key)) break;
        at = (at + 1) & map->mask;
    }
    return &map->table[at];
}

bool strmap_get(const StrMap *map, Str key, uint64_t *value)
{
    uint32_t position = *str_slot(map, key, hash_bytes(key.data, key.bytes, 0));
    if (position == EMPTY) return false;
    if (value != NULL) *value = map->entries[position].value;
    return true;
}

static void str_grow(StrMap *map)
{
    mem_free(map->table);
    map->mask = map->mask * 2 + 1;
    map->table = table_new(map->mask + 1);
    for (size_t i = 0; i < map->count; i++)
        *str_slot(map, map->entries[i].key, map->entries[i].hash) = (uint32_t)i;
}

bool strmap_put(StrMap *map, Str key, uint64_t value)
{
    uint64_t hash = hash_bytes(key.data, key.bytes, 0);
    uint32_t *slot = str_slot(map, key, hash);
    if (*slot != EMPTY) {
        map->entries[*slot].value = value;
        return false;
    }
    assert(map->count < EMPTY);
    mem_reserve(map->entries, map->capacity, map->count + 1);
    map->entries[map->count] = (StrEntry){str_copy(map->keys, key), hash, value};
    *slot = (uint32_t)map->count++;
    if (table_full(map->count, map->mask)) str_grow(map);
    return true;
}

size_t strmap_count(const StrMap *map)
{
    return map->count;
}

Str strmap_key(const StrMap *map, size_t i, uint64_t *value)
{
    assert(i < map->count);
    if (value != NULL) *value = map->entries[i].value;
    return map->entries[i].key;
}

IntMap *intmap_create(void)
{
    IntMap *map = mem_calloc(1, sizeof *map);
    map->mask = TABLE_FIRST - 1;
    map->table = table_new(TABLE_FIRST);
    return map;
}

void intmap_destroy(IntMap *map)
{
    if (map == NULL) return;
    mem_free(map->entries);
    mem_free(map->table);
    mem_free(map);
}

static uint32_t *int_slot(const IntMap *map, uint64_t key)
{
    size_t at = hash_u64(key) & map->mask;
    while (map->table[at] != EMPTY && map->entries[map->table[at]].key != key)
        at = (at + 1) & map->mask;
    return &map->table[at];
}

bool intmap_get(const IntMap *map, uint64_t key, uint64_t *value)
{
    uint32_t position = *int_slot(map, key);
    if (position == EMPTY) return false;
    if (value != NULL) *value = map->entries[position].value;
    return true;
}

static void int_grow(IntMap *map)
{
    mem_free(map->table);
    map->mask = map->mask * 2 + 1;
    map->table = table_new(map->mask + 1);
    for (size_t i = 0; i < map->count; i++)
        *int_slot(map, map->entries[i].key) = (uint32_t)i;
}

bool intmap_put(IntMap *map, uint64_t key, uint64_t value)
{
    uint32_t *slot = int_slot(map, key);
    if (*slot != EMPTY) {
        map->entries[*slot].value = value;
        return false;
    }
    assert(map->count < EMPTY);
    mem_reserve(map->entries, map->capacity, map->count + 1);
    map->entries[map->count] = (IntEntry){key, value};
    *slot = (uint32_t)map->count++;
    if (table_full(map->count, map->mask)) int_grow(map);
    return true;
}

size_t intmap_count(const IntMap *map)
{
    return map->count;
}

uint64_t intmap_key(const IntMap *map, size_t i, uint64_t *value)
{
    assert(i < map->count);
    if (value != NULL) *value = map->entries[i].value;
    return map->entries[i].key;
}

/* Eight bytes at a time through the finaliser of splitmix64, the length and the tail last. */
uint64_t hash_bytes(const void *data, size_t bytes, uint64_t seed)
{
    const unsigned char *at = data;
    uint64_t hash = seed ^ (bytes * UINT64_C(0x9e3779b97f4a7c15));
    for (; bytes >= 8; bytes -= 8, at += 8) {
        uint64_t word = 0;
        for (int i = 7; i >= 0; i--)
            word = word << 8 | at[i];
        hash = hash_u64(hash ^ word) + UINT64_C(0x9e3779b97f4a7c15);
    }
    uint64_t tail = 0;
    for (size_t i = bytes; i > 0; i--)
        tail = tail << 8 | at[i - 1];
    return hash_u64(hash ^ tail ^ (uint64_t)bytes << 56);
}
