/* near_internal.h - between the index (near.c), its builder (near_build.c) and the loops that each
 * level of SIMD compiles (near_template.h). */
#ifndef VECTOR_NEAR_INTERNAL_H
#define VECTOR_NEAR_INTERNAL_H
#include "vector/near.h"
#include <stdatomic.h>

enum {
    NEAR_ENTRIES_MAX = 560, /* 512, and what rounding adds */
    NEAR_GROUPS_MAX = 64,
    NEAR_GROUP_OVER = 3,   /* rows behind a group that a search may look at with its last ones */
    NEAR_GROUPS_ASKED = 2, /* one finds less, four cost more than they find */
    NEAR_EFFORTS = 8,      /* counted at ef 32, 64, .. 4096 */
    NEAR_IDLE = 8,         /* states of searches kept for the next ones */
    NEAR_SPARE = 16        /* behind what counts, that the loops may write to */
};
#define NEAR_NONE UINT32_MAX
#define NEAR_DONE UINT32_C(0x80000000) /* in NearPlace.place: its links have been followed */

typedef struct NearPlace {
    int32_t distance;
    uint32_t place;
} NearPlace;

/* One search. On lines of its own: states of two threads side by side cost half the speed. */
typedef struct NearWalk {
    /* What is searched: rows [0, count). constants NULL: a row's distance is its product, negated. */
    const uint8_t *codes;
    const int32_t *constants;
    const uint32_t *links;
    size_t stride;
    uint32_t count;
    const uint32_t *entries;
    const uint8_t *entry_codes; /* theirs, one behind the other */
    uint32_t entry_count;       /* a multiple of four; 0: begin at row 0 */
    const uint32_t *starts;     /* of the entries' groups, and an end; NULL: there are none */
    const int8_t *query;
    uint32_t ef;
    /* Its memory. */
    uint64_t *seen; /* a bit a row; all zero between searches */
    uint32_t *touched;
    size_t touched_count;
    NearPlace *pool; /* ascending by distance, then arrival; room for NEAR_EF_MAX */
    uint32_t pool_count;
    NearPlace nearest[NEAR_GROUPS_ASKED]; /* of the entries, by their numbers */
    uint64_t looks;                       /* distances reckoned, but for the entries' */
    int8_t *own_query;
} __attribute__((aligned(128))) NearWalk;

/* A row's neighborhood of `candidates`, ascending by distance to it: one is kept if it is not nearer
 * to one that is kept already. `squares` are |row|^2 of codes. At most NEAR_LINKS to `out`; gives how
 * many. `scratch`: a row. */
typedef struct NearPrune {
    const uint8_t *codes;
    const int32_t *constants, *squares;
    size_t stride;
    uint32_t self;
    const NearPlace *candidates;
    size_t count;
    uint32_t *out;
    int8_t *scratch;
} NearPrune;

/* What was found sound of an index that lies on parts of a file: a bit a piece, those of all parts
 * behind one another. */
typedef struct NearChecked {
    bool (*is_sound)(void *user, const void *data,
                     size_t bytes); /* NULL: nothing has to be asked */
    void *user;
    _Atomic uint64_t *words;
    size_t first[NEAR_PART_COUNT + 1];
    atomic_size_t left; /* pieces nobody asked for */
} NearChecked;

struct NearIndex {
    Quantizer quantizer;
    uint32_t count, ef_construction;
    const uint8_t *codes;
    const int32_t *constants;
    const uint32_t *links, *ids;
    bool owned; /* the arrays; else they are parts of a file */
    NearChecked checked;
    /* The first rows may be some of all, in groups of those near each other: then the first of each is an
     * entry, and the groups of the nearest entries are looked at, too. */
    uint32_t group_count, starts[NEAR_GROUPS_MAX + 1];
    uint32_t entry_count, entries[NEAR_ENTRIES_MAX];
    uint8_t *entry_codes;
    uint32_t efforts[NEAR_EFFORTS];
    int64_t built_ns;        /* how long it took, where somebody has told; else 0 */
    atomic_uint more_owners; /* beside the first */
    NearWalk *_Atomic idle[NEAR_IDLE];
};

/* Chooses the rows that searches begin from, spread over all, and copies their codes. */
void near_entry_codes(NearIndex *index);
NearWalk *near_walk_create(size_t rows, size_t stride);
void near_walk_free(NearWalk *walk);
/* What a search of the index is made of, but for its query, which begins as the walk's own. */
void near_walk_aim(NearWalk *walk, const NearIndex *index);
/* Marks what can be reached from a row, itself included, unless it is marked; `queue` holds a number a
 * row. Gives how many. Every search begins at row 0, too, so all must be reached from there. */
size_t near_reach(const NearIndex *index, uint32_t place, uint64_t *reached, uint32_t *queue);
#endif
