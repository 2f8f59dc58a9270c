/*
 * map.h - hash tables with open addressing: text -> u64 and u64 -> u64. Iteration is in order of
 * insertion, so that nothing built on them depends on a hash. Not for sharing between threads.
 */
#ifndef BASE_MAP_H
#define BASE_MAP_H
#include "base/str.h"

typedef struct StrMap StrMap; /* keys are copied */
StrMap *strmap_create(void);
void strmap_destroy(StrMap *map); /* NULL is welcome */
bool strmap_get(const StrMap *map, Str key, uint64_t *value);
bool strmap_put(StrMap *map, Str key,
                uint64_t value); /* true: the key is new; an old value is replaced */
size_t strmap_count(const StrMap *map);
Str strmap_key(const StrMap *map, size_t i, uint64_t *value); /* i-th inserted; value may be NULL */

typedef struct IntMap IntMap;
IntMap *intmap_create(void);
void intmap_destroy(IntMap *map);
bool intmap_get(const IntMap *map, uint64_t key, uint64_t *value);
bool intmap_put(IntMap *map, uint64_t key, uint64_t value);
size_t intmap_count(const IntMap *map);
uint64_t intmap_key(const IntMap *map, size_t i, uint64_t *value);

uint64_t hash_bytes(const void *data, size_t bytes,
                    uint64_t seed); /* 64 good bits; stable between versions: it is stored */
static inline uint64_t hash_u64(uint64_t x) /* the finaliser of splitmix64; a bijection */
{
    x ^= x >> 30, x *= 0xbf58476d1ce4e5b9u;
    x ^= x >> 27, x *= 0x94d049bb133111ebu;
    return x ^ x >> 31;
}
static inline uint64_t random_next(uint64_t *state) /* splitmix64: the same from the same state */
{
    return hash_u64(*state += 0x9e3779b97f4a7c15u);
}
#endif
