/*
 * strategy.c - the registry and the built-in strategies.
 *
 *     cosine, dot, l2   the score of the one source
 *     linear            sum of weight * score, a source that did not find a candidate adding
 *                       nothing; a text score is divided by the greatest. Weights are 1 unless
 *                       given, but 0.7 and 0.3 for one text and one vector source
 *     rrf               sum of weight / (k + rank), k = 60 unless given: Cormack, Clarke, Buettcher,
 *                       "Reciprocal rank fusion outperforms Condorcet and individual rank learning
 *                       methods", SIGIR 2009
 *
 * All sums go over the sources in the order of the statement, so that they have one result.
 */
#include "config.h"

#include "rank/strategy.h"
#include <assert.h>
#include <math.h>
#include <stdlib.h>

struct StrategyRegistry {
    Arena *arena;
    Strategy *items;
    size_t count, capacity;
};

static Error *weights_of(Value options, const Candidates *candidates, double *weights)
{
    const Value *given = options.kind == VALUE_MAP ? value_map_get(options, STR("weights")) : NULL;
    bool mixed = candidates->sources == 2 && candidates->text != NULL &&
                 candidates->text[0] != candidates->text[1];
    for (size_t s = 0; s < candidates->sources; s++)
        weights[s] = !mixed ? 1.0 : candidates->text[s] ? 0.7 : 0.3;
    if (given == NULL) return NULL;
    if (given->kind != VALUE_LIST)
        return error_new(ERROR_ARGUMENT_TYPE, "weights is a list of numbers, not %s",
                         value_kind_name((ValueKind)given->kind));
    if (given->aux != candidates->sources)
        return error_new(ERROR_ARGUMENT_VALUE, "a weight for each source is wanted: %zu, not %u",
                         candidates->sources, given->aux);
    for (size_t s = 0; s < candidates->sources; s++) {
        Value weight = given->as.items[s];
        if (!value_is_number(weight))
            return error_new(ERROR_ARGUMENT_TYPE, "a weight is a number, not %s",
                             value_kind_name((ValueKind)weight.kind));
        weights[s] = value_as_double(weight);
        if (!isfinite(weights[s])) return error_new(ERROR_ARGUMENT_VALUE, "a weight is finite");
    }
    return NULL;
}

static Error *single(void *user, Value options, const Candidates *candidates, double *out)
{
    (void)user, (void)options;
    assert(candidates->sources >= 1 && candidates->sources <= STRATEGY_SOURCES_MAX);
    for (size_t i = 0; i < candidates->count; i++)
        out[i] = candidates->scores[0][i];
    return NULL;
}

static double greatest(const double *scores, size_t count)
{
    double most = 0;
    for (size_t i = 0; i < count; i++)
        if (scores[i] > most) most = scores[i];
    return most;
}

static Error *linear(void *user, Value options, const Candidates *candidates, double *out)
{
    double weights[STRATEGY_SOURCES_MAX];
    (void)user;
    assert(candidates->sources >= 1 && candidates->sources <= STRATEGY_SOURCES_MAX);
    TRY(weights_of(options, candidates, weights));
    for (size_t i = 0; i < candidates->count; i++)
        out[i] = 0;
    for (size_t s = 0; s < candidates->sources; s++) {
        const double *scores = candidates->scores[s];
        double most = candidates->text != NULL && candidates->text[s]
                          ? greatest(scores, candidates->count)
                          : 1;
        for (size_t i = 0; i < candidates->count && most > 0; i++)
            if (!isnan(scores[i])) out[i] += weights[s] * (scores[i] / most);
    }
    return NULL;
}

typedef struct Ranked {
    double score;
    uint64_t id;
    size_t candidate;
} Ranked;

static int by_score(const void *a, const void *b)
{
    const Ranked *x = a, *y = b;
    if (x->score != y->score) return x->score > y->score ? -1 : 1;
    return x->id < y->id ? -1 : x->id > y->id;
}

static Error *rrf(void *user, Value options, const Candidates *candidates, double *out)
{
    double weights[STRATEGY_SOURCES_MAX], k = 60;
    (void)user;
    assert(candidates->sources >= 1 && candidates->sources <= STRATEGY_SOURCES_MAX);
    TRY(weights_of(options, candidates, weights));
    const Value *given = options.kind == VALUE_MAP ? value_map_get(options, STR("k")) : NULL;
    if (given != NULL && !value_is_number(*given))
        return error_new(ERROR_ARGUMENT_TYPE, "k is a number");
    if (given != NULL) k = value_as_double(*given);
    if (!(k >= 0 && isfinite(k)))
        return error_new(ERROR_ARGUMENT_VALUE, "k is not negative, and finite");
    Ranked *ranked = mem_alloc((candidates->count + 1) * sizeof *ranked);
    for (size_t i = 0; i < candidates->count; i++)
        out[i] = 0;
    for (size_t s = 0; s < candidates->sources; s++) {
        size_t found = 0;
        for (size_t i = 0; i < candidates->count; i++)
            if (!isnan(candidates->scores[s][i]))
                ranked[found++] = (Ranked){candidates->scores[s][i], candidates->ids[i], i};
        qsort(ranked, found, sizeof *ranked, by_score);
        for (size_t r = 0; r < found; r++)
            out[ranked[r].candidate] += weights[s] / (k + (double)(r + 1));
    }
    mem_free(ranked);
    return NULL;
}

StrategyRegistry *strategy_registry_create(void)
{
    static const char *const none[] = {NULL}, *const weighted[] = {"weights", NULL},
                             *const fused[] = {"k", "weights", NULL};
    static const Strategy built_in[] = {
        {"cosine", "cosine similarity of one vector source", single, NULL, NULL, none, 1, 1,
         "cosine"},
        {"dot", "inner product of one vector source", single, NULL, NULL, none, 1, 1, "dot"},
        {"l2", "nearness 1 / (1 + distance) of one vector source", single, NULL, NULL, none, 1, 1,
         "l2"},
        {"linear", "weighted sum of the scores: {weights: [..]}", linear, NULL, NULL, weighted, 1,
         STRATEGY_SOURCES_MAX, NULL},
        {"rrf", "reciprocal rank fusion: {k: 60, weights: [..]}", rrf, NULL, NULL, fused, 1,
         STRATEGY_SOURCES_MAX, NULL},
    };
    StrategyRegistry *registry = mem_calloc(1, sizeof *registry);
    registry->arena = arena_create();
    for (size_t i = 0; i < sizeof built_in / sizeof *built_in; i++)
        strategy_register(registry, built_in[i]);
    return registry;
}

void strategy_registry_destroy(StrategyRegistry *registry)
{
    if (registry == NULL) return;
    for (size_t i = 0; i < registry->count; i++)
        if (registry->items[i].drop != NULL) registry->items[i].drop(registry->items[i].user);
    mem_free(registry->items);
    arena_destroy(registry->arena);
    mem_free(registry);
}

void strategy_register(StrategyRegistry *registry, Strategy strategy)
{
    strategy.name = arena_copy(registry->arena, strategy.name, strlen(strategy.name));
    strategy.summary = arena_copy(registry->arena, strategy.summary, strlen(strategy.summary));
    for (size_t i = 0; i < registry->count; i++) {
        if (!str_equal_ignore_case(str_from(registry->items[i].name), str_from(strategy.name)))
            continue;
        if (registry->items[i].drop != NULL) registry->items[i].drop(registry->items[i].user);
        registry->items[i] = strategy;
        return;
    }
    mem_reserve(registry->items, registry->capacity, registry->count + 1);
    registry->items[registry->count++] = strategy;
}

const Strategy *strategy_find(const StrategyRegistry *registry, Str name)
{
    for (size_t i = 0; i < registry->count; i++)
        if (str_equal_ignore_case(str_from(registry->items[i].name), name))
            return &registry->items[i];
    return NULL;
}

size_t strategy_count(const StrategyRegistry *registry)
{
    return registry->count;
}

const Strategy *strategy_at(const StrategyRegistry *registry, size_t i)
{
    return i < registry->count ? &registry->items[i] : NULL;
}
