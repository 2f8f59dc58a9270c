/*
 * near.h - who is near whom: an index that finds the rows nearest to a vector by looking at few.
 *
 * Each row has a code (quantize.h) and links to at most NEAR_LINKS rows around it. A search begins at
 * the nearest of some hundred rows spread over all of them and goes from row to row along links, as
 * long as what it finds is nearer than the worst of the `ef` nearest it knows. What it gives are
 * candidates: the caller scores them by their vectors, which the index does not have, and finds a row
 * whose vector has changed since by other ways.
 *
 * An index never changes, so any number of threads may search it. It is dense arrays that know no
 * address: as parts of a file they are searched where they lie. Building it with any number of
 * threads, at any level of SIMD, gives the same bytes.
 */
#ifndef VECTOR_NEAR_H
#define VECTOR_NEAR_H
#include "base/str.h"
#include "base/tell.h"
#include "vector/codes.h"
#include "vector/scan.h"

enum {
    NEAR_LINKS = 32,              /* of a row: two lines of a cache */
    NEAR_EF_MAX = 4096,           /* the working set of a search must stay in a first-level cache */
    NEAR_EF = 64,                 /* 99 of 100 of the nearest ten are found */
    NEAR_EF_CONSTRUCTION = 200,   /* at half of it recall falls behind that of others; twice as
                                     much costs twice the time for a hundredth of the rest */
    NEAR_EF_CONSTRUCTION_MIN = 8, /* beyond these, what is built is no use or takes no end */
    NEAR_EF_CONSTRUCTION_MAX = 2000,
    NEAR_THREADS_MAX = 64
};
#define NEAR_ROWS_MAX INT32_MAX

typedef struct NearIndex NearIndex;

/* Where the rows come from: row i of `count` is given as a pointer to its floats (good until the
 * next call), its id, and under cosine 1 / its length. Asked by one thread, twice for some rows. */
typedef struct NearRows {
    void *user;
    size_t count;
    const float *(*row)(void *user, size_t i, uint32_t *id, float *factor);
} NearRows;

typedef struct NearOptions {
    VectorMetric metric;
    uint32_t dimensions, ef_construction;
    struct Workers *workers; /* runtime/workers.h; NULL: the caller's thread does everything */
    uint32_t threads;        /* of them, 1 .. NEAR_THREADS_MAX */
    const char *simd;        /* the highest level, as in vector_kernel */
    /* Told now and then how many of `count` rows are done, by the calling thread; true: stop. */
    bool (*tell)(void *user, uint64_t done, uint64_t count);
    void *user;
} NearOptions;

/* Builds from scratch. NULL: `tell` said stop. Ended by near_free. At most NEAR_ROWS_MAX rows, each
 * finite. */
NearIndex *near_build(const NearOptions *options, const NearRows *rows);
/* `base` with more rows behind it; it must have the options' metric and dimensions, and stays as it
 * is. Its quantizer is kept. */
NearIndex *near_extend(const NearIndex *base, const NearOptions *options, const NearRows *rows);
/* Does it lie on parts of a file, which must outlive it (near_attach)? */
bool near_is_lent(const NearIndex *index);
/* One more who ends it by near_free; with the last one it goes. NULL is welcome. */
NearIndex *near_share(const NearIndex *index);
void near_free(NearIndex *index);

size_t near_count(const NearIndex *index);        /* rows */
const uint32_t *near_ids(const NearIndex *index); /* of each */
VectorMetric near_metric(const NearIndex *index);
uint32_t near_dimensions(const NearIndex *index);
uint32_t near_ef_construction(const NearIndex *index);
size_t near_bytes(const NearIndex *index);  /* of all arrays */
uint64_t near_hash(const NearIndex *index); /* FNV-1a of the links */
/* How long it took to build, by whoever measured it; 0: nobody did. No part of a file, where the same
 * rows give the same bytes. */
void near_set_built_ns(NearIndex *index, int64_t built_ns);
int64_t near_built_ns(const NearIndex *index);

/* The ids of the rows nearest to the query by their codes, nearest first: at most `ef` (1 ..
 * NEAR_EF_MAX), into `ids`; gives how many. `query` is finite and of the index's metric and
 * dimension. None: what it read is damaged, and was told so to whoever is asked (is_sound). */
size_t near_search(const NearIndex *index, const CodesKernel *kernel, const VectorQuery *query,
                   size_t ef, uint32_t *ids);
/* With so many of the rows wanted, is scoring them all cheaper than a search that finds `ef` of
 * them? By counts kept when the index was built, so the answer is the same everywhere. */
bool near_exact_is_cheaper(const NearIndex *index, size_t ef, size_t wanted);
/* How far to search for `ef` rows of which only `wanted` in near_count count. */
size_t near_ef(const NearIndex *index, size_t ef, size_t wanted);

/* ---- as parts of a file ---- */
typedef enum NearPart {                      /* numbers of the format, never to change */
                        NEAR_PARAMETERS = 0, /* near.c says how */
                        NEAR_CODES = 1,      /* u8[rows][stride] */
                        NEAR_CONSTANTS = 2,  /* i32[rows] */
                        NEAR_LINK_TABLE = 3, /* u32[rows][NEAR_LINKS], UINT32_MAX: none */
                        NEAR_IDS = 4,        /* u32[rows] */
                        NEAR_PART_COUNT
} NearPart;
typedef struct NearParts {
    const void *data[NEAR_PART_COUNT]; /* 64-byte aligned, little-endian */
    size_t bytes[NEAR_PART_COUNT];
    /* Is what lies there as it was written? Asked once for each piece that something was read of, by
     * any thread. NULL: it is. */
    bool (*is_sound)(void *user, const void *data, size_t bytes);
    void *user;
} NearParts;
/* NEAR_PARAMETERS is made in `parameters`, the others are lent. */
void near_parts(const NearIndex *index, Buffer *parameters, NearParts *out);
/* An index that lies on parts, which must outlive it. Reads the parameters and a few rows; whatever
 * the others hold, a search stays within them and ends. ERROR_CORRUPT: they do not fit together. */
Error *near_attach(const NearParts *parts, NearIndex **out) MUST_CHECK;
/* Is all of it as it was written? What near_ids, near_extend and near_parts give was asked for by
 * nobody before. */
bool near_is_sound(const NearIndex *index);
/* Reads all of it: is every link to a row, none to itself, none twice, and every row reachable?
 * NULL, or what is wrong first. Asks `to`, unless NULL; stopped, it says nothing. */
const char *near_fault(const NearIndex *index, Tell *to);
#endif
