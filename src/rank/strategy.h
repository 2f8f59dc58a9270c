/*
 * strategy.h - how candidates are scored: the plug that RANK BY calls.
 *
 * A strategy sees all candidates of a statement at once: for each of its sources (legs) one score a
 * candidate, NaN where the source did not find it. It gives one score a candidate, higher is
 * better. Registered strategies (Lua, C) take the place of built-in ones of the same name.
 */
#ifndef RANK_STRATEGY_H
#define RANK_STRATEGY_H
#include "value/value.h"

enum { STRATEGY_SOURCES_MAX = 64 }; /* more is no question any more */

typedef struct Candidates {
    size_t count, sources;
    const uint64_t *ids;
    const double *const *scores; /* scores[source][candidate] */
    const bool *text;            /* text[source]: a text score; NULL: none is */
} Candidates;

typedef struct Strategy {
    const char *name, *summary;
    /* `options`: the map of USING, or null. */
    Error *(*score)(void *user, Value options, const Candidates *candidates, double *out);
    void *user;
    void (*drop)(void *user);
    const char *const *options;      /* keys USING may have, NULL at the end; NULL: any */
    size_t sources_min, sources_max; /* sources_max 0: no bound of its own */
    const char *metric; /* by which its vector sources are compared; NULL: the index's */
} Strategy;

typedef struct StrategyRegistry StrategyRegistry;
StrategyRegistry *strategy_registry_create(void); /* with the built-in ones */
void strategy_registry_destroy(StrategyRegistry *registry);
void strategy_register(StrategyRegistry *registry,
                       Strategy strategy); /* name and summary are copied; `options` is not */
const Strategy *strategy_find(const StrategyRegistry *registry, Str name);
size_t strategy_count(const StrategyRegistry *registry);
const Strategy *strategy_at(const StrategyRegistry *registry, size_t i);
#endif
