/* rank.c - who is important: PageRank, betweenness. */
#include "config.h"

#include "algorithm/algorithm_internal.h"
#include <math.h>
#include <string.h>

/* ---- PageRank ---- */

/*
 * Power iteration. Each node gives `damping` of its score to those its relationships lead to, in equal
 * parts; what is left, and the scores of nodes that lead nowhere, falls on all alike. Scores are
 * pulled over incoming lists, so that each is one sum in one order.
 */
typedef struct PageRank {
    Lists in;
    uint32_t *degrees; /* outgoing */
    double *given;     /* by node: what each of its relationships carries */
    double damping, tolerance;
} PageRank;

/* One iteration; gives by how much the scores changed in all. */
static double pull(const Run *run, const PageRank *rank, double *scores)
{
    double nowhere = 0, change = 0, count = run->count;
    for (uint32_t i = 0; i < run->count; i++) {
        rank->given[i] = rank->degrees[i] == 0 ? 0 : scores[i] / rank->degrees[i];
        if (rank->degrees[i] == 0) nowhere += scores[i];
    }
    double all = (1 - rank->damping + rank->damping * nowhere) / count;
    for (uint32_t i = 0; i < run->count; i++) {
        double sum = 0;
        for (uint64_t e = rank->in.offsets[i]; e < rank->in.offsets[i + 1]; e++)
            sum += rank->given[rank->in.targets[e]];
        double score = all + rank->damping * sum;
        change += fabs(score - scores[i]);
        scores[i] = score;
    }
    return change;
}

Error *run_pagerank(Run *run)
{
    PageRank rank = {.damping = 0.85, .tolerance = 1e-9};
    int64_t iterations = 100;
    TRY(option_number(run, "damping", 0, 1, &rank.damping));
    TRY(option_number(run, "tolerance", 0, 1, &rank.tolerance));
    TRY(option_integer(run, "iterations", 0, 100000, &iterations));
    TRY(run_lists(run, GRAPH_IN, &rank.in));
    TRY(run_alloc(run, run->count, sizeof *rank.degrees, &rank.degrees));
    TRY(run_alloc(run, run->count, sizeof *rank.given, &rank.given));
    TRY(run_alloc(run, run->count, sizeof *run->scores, &run->scores));
    for (uint32_t i = 0; i < run->count; i++)
        run->scores[i] = 1.0 / run->count;
    for (uint64_t e = 0; e < rank.in.offsets[run->count]; e++)
        rank.degrees[rank.in.targets[e]]++;
    for (int64_t i = 0; i < iterations; i++) {
        TRY(run_step(run, (double)i / (double)iterations));
        if (pull(run, &rank, run->scores) <= rank.tolerance) break;
    }
    return NULL;
}

/* ---- betweenness ---- */

/*
 * Brandes: from each source a breadth-first search that counts shortest paths, then backwards from
 * the farthest what each node passes on. Undirected, every pair is met from both of its ends.
 */
typedef struct Brandes {
    Lists lists;
    uint32_t *order; /* as reached */
    int32_t *depths; /* -1: not reached */
    double *paths, *passed;
} Brandes;

static uint32_t count_paths(const Run *run, Brandes *brandes, uint32_t source)
{
    uint32_t head = 0, tail = 0;
    (void)run;
    brandes->order[tail++] = source;
    brandes->depths[source] = 0;
    brandes->paths[source] = 1;
    while (head < tail) {
        uint32_t node = brandes->order[head++];
        for (uint64_t e = brandes->lists.offsets[node]; e < brandes->lists.offsets[node + 1]; e++) {
            uint32_t next = brandes->lists.targets[e];
            bool parallel =
                e > brandes->lists.offsets[node] && brandes->lists.targets[e - 1] == next;
            if (parallel) continue; /* a path is its nodes */
            if (brandes->depths[next] < 0) {
                brandes->depths[next] = brandes->depths[node] + 1;
                brandes->order[tail++] = next;
            }
            if (brandes->depths[next] == brandes->depths[node] + 1)
                brandes->paths[next] += brandes->paths[node];
        }
    }
    return tail;
}

static void pass_on(Run *run, Brandes *brandes, uint32_t source, uint32_t reached, double scale)
{
    for (uint32_t i = reached; i > 0; i--) {
        uint32_t node = brandes->order[i - 1];
        for (uint64_t e = brandes->lists.offsets[node]; e < brandes->lists.offsets[node + 1]; e++) {
            uint32_t next = brandes->lists.targets[e];
            bool parallel =
                e > brandes->lists.offsets[node] && brandes->lists.targets[e - 1] == next;
            if (parallel || brandes->depths[next] != brandes->depths[node] + 1) continue;
            brandes->passed[node] +=
                brandes->paths[node] / brandes->paths[next] * (1 + brandes->passed[next]);
        }
        if (node != source) run->scores[node] += brandes->passed[node] * scale;
    }
    for (uint32_t i = 0; i < reached; i++) {
        uint32_t node = brandes->order[i];
        brandes->depths[node] = -1;
        brandes->paths[node] = brandes->passed[node] = 0;
    }
}

Error *run_betweenness(Run *run)
{
    Brandes brandes;
    int64_t samples = 64;
    bool directed = true;
    TRY(option_integer(run, "samples", 0, INT32_MAX, &samples));
    TRY(option_boolean(run, "directed", &directed));
    if (samples == 0 || samples > run->count) samples = run->count;
    TRY(run_lists(run, directed ? GRAPH_OUT : GRAPH_BOTH, &brandes.lists));
    TRY(run_alloc(run, run->count, sizeof *brandes.order, &brandes.order));
    TRY(run_alloc(run, run->count, sizeof *brandes.depths, &brandes.depths));
    TRY(run_alloc(run, run->count, sizeof *brandes.paths, &brandes.paths));
    TRY(run_alloc(run, run->count, sizeof *brandes.passed, &brandes.passed));
    TRY(run_alloc(run, run->count, sizeof *run->scores, &run->scores));
    memset(brandes.depths, 0xff, run->count * sizeof *brandes.depths);
    double scale = samples == 0 ? 1 : (double)run->count / (double)samples;
    if (!directed) scale /= 2;
    for (int64_t s = 0; s < samples; s++) { /* evenly among the nodes: the same ones each time */
        uint32_t source = (uint32_t)((uint64_t)s * run->count / (uint64_t)samples);
        TRY(run_step(run, (double)s / (double)samples));
        uint32_t reached = count_paths(run, &brandes, source);
        pass_on(run, &brandes, source, reached, scale);
    }
    return NULL;
}
