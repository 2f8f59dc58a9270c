/* algorithm_internal.h - the part of the graph that an algorithm works on, and what all of them ask. */
#ifndef ALGORITHM_ALGORITHM_INTERNAL_H
#define ALGORITHM_ALGORITHM_INTERNAL_H
#include "algorithm/algorithm.h"
#include <assert.h>
#include <stdlib.h>

/* Neighbors of node i (a place among the nodes asked about): targets[offsets[i]] up to
 * targets[offsets[i + 1]], ascending. */
typedef struct Lists {
    uint64_t *offsets;
    uint32_t *targets;
} Lists;

typedef struct Run {
    const AlgorithmContext *context;
    const Algorithm *algorithm;
    Value options;
    Arena *arena;
    uint32_t *labels, label_count, *types, type_count;
    uint64_t *nodes; /* ids, ascending */
    uint32_t count;
    double *scores;    /* the results, of a procedure that gives floats */
    uint32_t *numbers; /* places of nodes or numbers, of one that gives integers */
    bool places;       /* numbers are places: ids are given */
    uint64_t *counts;  /* instead of numbers, where they may be large */
    Error *(*emit)(void *sink, const Value *row); /* for searches, which give their rows */
    void *sink;
} Run;

struct Algorithm {
    AlgorithmShape shape;
    Error *(*run)(Run *run);
};

/* Memory of `count` zeroed elements in the run's arena; fails beyond the statement's limit. */
Error *run_alloc(Run *run, size_t count, size_t bytes, void *out) MUST_CHECK;
/* The lists one way or both ways (then without loops and parallels). */
Error *run_lists(Run *run, GraphDirection direction, Lists *out) MUST_CHECK;
/* Asked every few thousand steps; `done` of all, between 0 and 1. */
Error *run_step(const Run *run, double done) MUST_CHECK;
/* Options: what is not given stays as it is; false: it is not. */
bool option_value(const Run *run, const char *name, Value *out);
Error *option_number(const Run *run, const char *name, double least, double most,
                     double *out) MUST_CHECK;
Error *option_integer(const Run *run, const char *name, int64_t least, int64_t most,
                      int64_t *out) MUST_CHECK;
Error *option_boolean(const Run *run, const char *name, bool *out) MUST_CHECK;

Error *run_pagerank(Run *run), *run_betweenness(Run *run), *run_components(Run *run),
    *run_communities(Run *run), *run_cores(Run *run), *run_triangles(Run *run), *run_path(Run *run),
    *run_distances(Run *run);
#endif
