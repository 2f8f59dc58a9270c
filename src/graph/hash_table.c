/*
 * hash_table.c - the table of an index: 64-bit slots of the upper half of a value's hash and the
 * node's row, by open addressing and linear probing, at most half full. Entries are only ever added.
 * Readers probe beside the writer; growing makes a new table and retires the old one.
 *
 * Many nodes may have one value. Were they all put where its hash says, they would make one long run
 * of slots: each new one would have to walk along it, and so would every search for another value
 * whose place lies in it. So an entry that meets HASH_LEVEL_ENTRIES of its own hash goes to another
 * place, which the hash and the number of the level give, and so on. A search that meets as many goes
 * on at the next level, too: what was full when an entry passed it is full for ever. It costs what
 * the answer does, and searches for other values never come by more than a few.
 */
#include "config.h"

#include "graph/graph_internal.h"

enum {
    HASH_LEVEL_ENTRIES = 8,
    FIRST_SLOTS = 1024,
    LEVELS_KNOWN =
        4096 /* 32 KiB: values with so many nodes that the walk to the last level counts */
};
#define SLOT_EMPTY UINT64_MAX

struct HashLevel {
    uint32_t hash, level;
};

static HashTable *table_new(size_t size)
{
    HashTable *table = mem_alloc(sizeof *table + size * sizeof table->slots[0]);
    table->mask = size - 1;
    memset((void *)table->slots, 0xff, size * sizeof table->slots[0]);
    return table;
}

static size_t home(const HashTable *table, uint64_t slot, uint32_t level)
{
    uint64_t mixed = (slot >> 32) + level * UINT64_C(0xbf58476d1ce4e5b9);
    return mixed * UINT64_C(0x9e3779b97f4a7c15) >> 20 & table->mask;
}

const void *hash_home(const HashTable *table, uint64_t slot)
{
    return (const void *)&table->slots[home(table, slot, 0)];
}

/* A slot of a table that lies in the segment is checked before it is believed; SLOT_EMPTY ends a
 * walk over damage. */
static uint64_t table_get(const Graph *graph, const HashTable *table, size_t at)
{
    const void *slot = (const void *)&table->slots[at];
    if (graph->segment != NULL && segment_holds(graph->segment, slot) &&
        !segment_touch(graph->segment, slot, sizeof table->slots[at]))
        return SLOT_EMPTY;
    return atomic_load_explicit(&table->slots[at], memory_order_acquire);
}

HashWalk hash_walk(const Graph *graph, const HashTable *table, uint64_t slot)
{
    return (HashWalk){
        .graph = graph, .table = table, .hash = (uint32_t)(slot >> 32), .at = home(table, slot, 0)};
}

bool hash_next(HashWalk *walk, uint64_t *slot)
{
    const HashTable *table = walk->table;
    /* All levels of a value that has the table for itself, with what lies between, are not as many: a
     * damaged table without an end is left. */
    for (size_t looks_max = 8 * (table->mask + 1); walk->looks < looks_max; walk->looks++) {
        *slot = table_get(walk->graph, table, walk->at);
        if (*slot == SLOT_EMPTY) {
            if (walk->same < HASH_LEVEL_ENTRIES) return false;
            walk->same = 0;
            walk->at = home(table, (uint64_t)walk->hash << 32, ++walk->level);
            continue;
        }
        walk->at = (walk->at + 1) & table->mask;
        if (*slot >> 32 != walk->hash) continue;
        walk->same++;
        walk->looks++;
        return true;
    }
    return false;
}

/* The level to begin at: all before it are full. Only the writer asks. */
static struct HashLevel *level_known(Index *index, uint32_t hash)
{
    if (index->levels == NULL) index->levels = mem_calloc(LEVELS_KNOWN, sizeof *index->levels);
    return &index->levels[hash * UINT32_C(0x9e3779b9) >> 20 & (LEVELS_KNOWN - 1)];
}

static void table_put(const Graph *graph, Index *index, HashTable *table, uint64_t slot)
{
    HashWalk walk = hash_walk(graph, table, slot);
    uint64_t other;
    if (index->levels != NULL) {
        const struct HashLevel *known = level_known(index, walk.hash);
        if (known->hash == walk.hash && known->level > 0)
            walk.at = home(table, slot, walk.level = known->level);
    }
    while (hash_next(&walk, &other))
        ;
    if (walk.level > 0) *level_known(index, walk.hash) = (struct HashLevel){walk.hash, walk.level};
    atomic_store_explicit(&table->slots[walk.at], slot, memory_order_release);
}

void hash_put(const Graph *graph, Index *index, uint64_t slot)
{
    table_put(graph, index, atomic_load_explicit(&index->table, memory_order_relaxed), slot);
    index->used++;
}

static void table_grown(Graph *graph, Index *index, HashTable *table, size_t size)
{
    HashTable *larger = table_new(size);
    mem_free(index->levels); /* of the table before */
    index->levels = NULL;
    for (size_t i = 0; table != NULL && i <= table->mask; i++) {
        uint64_t slot = table_get(graph, table, i);
        if (slot != SLOT_EMPTY) table_put(graph, index, larger, slot);
    }
    atomic_store_explicit(&index->table, larger, memory_order_release);
    graph_retire(graph, table);
}

void index_reserve(Graph *graph, Index *index, uint64_t more)
{
    if (more == 0) return; /* of a segment: its table is still to be laid */
    HashTable *table = atomic_load_explicit(&index->table, memory_order_relaxed);
    size_t slots = table == NULL ? 0 : table->mask + 1, size = slots;
    while (size < FIRST_SLOTS || (index->used + more) * 2 >= size)
        size = size < FIRST_SLOTS ? FIRST_SLOTS : size * 2;
    if (size > slots) table_grown(graph, index, table, size);
}

size_t graph_write_growth(const GraphWriter *writer)
{
    enum { ROWS = 1024 };
    size_t bytes = 0;
    for (uint32_t i = 0; i < graph_index_count(writer->graph); i++) {
        const Index *index = directory_get(&writer->graph->indexes, i);
        const HashTable *table = index == NULL ? NULL : atomic_load(&index->table);
        if (table != NULL && (index->used + ROWS) * 2 > table->mask)
            bytes += (table->mask + 1) * 2 * sizeof table->slots[0];
    }
    return bytes;
}

bool hash_entries(const Graph *graph, const HashTable *table, uint64_t **out, uint64_t *count)
{
    size_t capacity = 0;
    *out = NULL;
    *count = 0;
    for (size_t at = 0; at <= table->mask; at++) {
        uint64_t slot = table_get(graph, table, at);
        if (slot == SLOT_EMPTY) continue;
        mem_reserve(*out, capacity, *count + 1);
        (*out)[(*count)++] = slot;
    }
    return *count <= table->mask; /* else a search for what is not there would not end */
}
