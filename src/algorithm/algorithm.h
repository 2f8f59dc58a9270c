/*
 * algorithm.h - graph algorithms as procedures: one map of options in, a row a node out (of a path: one).
 *
 * An algorithm sees the view it is given, takes memory and time in proportion to the part of the
 * graph it is asked about, asks often whether it should stop, and tells how far it is.
 */
#ifndef ALGORITHM_ALGORITHM_H
#define ALGORITHM_ALGORITHM_H
#include "graph/graph.h"

typedef struct Algorithm Algorithm;

typedef struct AlgorithmShape {
    Str name, entity, column;         /* its columns: a node or a path, and what is said of it */
    uint8_t entity_type, column_type; /* ValueKind */
    const char *signature, *summary, *options, *example;
} AlgorithmShape;

typedef struct AlgorithmContext { /* what the caller lends; every function may be NULL */
    const GraphView *view;
    bool (*stop)(void *state);
    void *stop_state;
    void (*progress)(void *state, double done, uint64_t rows);
    void *progress_state;
    uint64_t memory_bytes_max; /* 0: no limit */
} AlgorithmContext;

/* NULL: there is none of that name. */
const Algorithm *algorithm_find(Str name);
/* The i-th; false: there are no more. */
bool algorithm_shape(size_t i, AlgorithmShape *out);
void algorithm_shape_of(const Algorithm *algorithm, AlgorithmShape *out);
/* `options` is a map. Each row is the node and its value, handed to `emit` by ascending id. */
Error *algorithm_run(const Algorithm *algorithm, const AlgorithmContext *context, Value options,
                     Error *(*emit)(void *sink, const Value *row), void *sink) MUST_CHECK;
#endif
