/* community.c - who belongs together: components, communities, cores, triangles. All of them see a
 * relationship both ways, and two nodes as neighbors once. */
#include "config.h"

#include "algorithm/algorithm_internal.h"
#include <string.h>

enum { CHECK_EVERY = 4096 };

/* ---- components ---- */

static uint32_t root_of(uint32_t *parents, uint32_t node)
{
    while (parents[node] != node)
        node = parents[node] = parents[parents[node]];
    return node;
}

/* Union-find in which the lower place is the root, so that a component is named by its first node. */
Error *run_components(Run *run)
{
    Lists lists;
    TRY(run_lists(run, GRAPH_OUT, &lists));
    TRY(run_alloc(run, run->count, sizeof *run->numbers, &run->numbers));
    for (uint32_t i = 0; i < run->count; i++)
        run->numbers[i] = i;
    for (uint32_t i = 0; i < run->count; i++) {
        if (i % CHECK_EVERY == 0) TRY(run_step(run, (double)i / run->count));
        for (uint64_t e = lists.offsets[i]; e < lists.offsets[i + 1]; e++) {
            uint32_t a = root_of(run->numbers, i), b = root_of(run->numbers, lists.targets[e]);
            if (a < b) run->numbers[b] = a;
            if (b < a) run->numbers[a] = b;
        }
    }
    for (uint32_t i = 0; i < run->count; i++)
        run->numbers[i] = root_of(run->numbers, i);
    run->places = true;
    return NULL;
}

/* ---- communities ---- */

/*
 * Louvain: each node moves to the community of a neighbor where modularity gains most, until none
 * gains; then communities become the nodes of a smaller graph, and so on until nothing moves. Nodes
 * go in their order, and of equal gains the lowest community is taken, so that there is one answer.
 */
typedef struct Level { /* a graph with weights; loops are counted in `degrees` only */
    uint32_t count;
    uint64_t *offsets;
    uint32_t *targets;
    double *weights, *degrees;
    uint32_t *communities; /* by node */
    double *totals;        /* degrees by community */
} Level;

typedef struct Tally { /* weights towards communities; zero before and after */
    double *links;
    uint32_t *touched;
    uint32_t count;
} Tally;

static void tally_add(Tally *tally, uint32_t community, double weight)
{
    if (tally->links[community] == 0) tally->touched[tally->count++] = community;
    tally->links[community] += weight;
}

static void tally_clear(Tally *tally)
{
    for (uint32_t i = 0; i < tally->count; i++)
        tally->links[tally->touched[i]] = 0;
    tally->count = 0;
}

/* Where the node gains most; where it is, if nothing is better by more than rounding. */
static uint32_t best_community(const Level *level, uint32_t node, double all, Tally *tally)
{
    static const double MORE = 1e-9;
    uint32_t own = level->communities[node], best = own;
    double degree = level->degrees[node];
    for (uint64_t e = level->offsets[node]; e < level->offsets[node + 1]; e++)
        tally_add(tally, level->communities[level->targets[e]], level->weights[e]);
    double most = tally->links[own] - (level->totals[own] - degree) * degree / all;
    for (uint32_t i = 0; i < tally->count; i++) {
        uint32_t community = tally->touched[i];
        if (community == own) continue;
        double gain = tally->links[community] - level->totals[community] * degree / all;
        bool better = gain > most + MORE || (best != own && gain > most - MORE && community < best);
        if (better) best = community, most = gain;
    }
    tally_clear(tally);
    return best;
}

static Error *move_nodes(const Run *run, Level *level, int64_t iterations, Tally *tally,
                         bool *moved)
{
    double all = 0;
    bool again = true;
    *moved = false;
    for (uint32_t i = 0; i < level->count; i++)
        all += level->degrees[i];
    for (int64_t iteration = 0; iteration < iterations && again && all > 0; iteration++) {
        again = false;
        for (uint32_t i = 0; i < level->count; i++) {
            if (i % CHECK_EVERY == 0) TRY(run_step(run, (double)iteration / (double)iterations));
            uint32_t own = level->communities[i], next = best_community(level, i, all, tally);
            if (next == own) continue;
            level->totals[own] -= level->degrees[i];
            level->totals[next] += level->degrees[i];
            level->communities[i] = next;
            again = *moved = true;
        }
    }
    return NULL;
}

static Error *new_level(Run *run, uint32_t count, uint64_t edges, Level *out)
{
    *out = (Level){.count = count};
    TRY(run_alloc(run, count + 1ul, sizeof *out->offsets, &out->offsets));
    TRY(run_alloc(run, edges, sizeof *out->targets, &out->targets));
    TRY(run_alloc(run, edges, sizeof *out->weights, &out->weights));
    TRY(run_alloc(run, count, sizeof *out->degrees, &out->degrees));
    TRY(run_alloc(run, count, sizeof *out->communities, &out->communities));
    return run_alloc(run, count, sizeof *out->totals, &out->totals);
}

/* Communities numbered in the order of their first nodes; gives how many. `numbers` by community. */
static uint32_t number_communities(const Level *level, uint32_t *numbers)
{
    uint32_t count = 0;
    memset(numbers, 0xff, level->count * sizeof *numbers);
    for (uint32_t i = 0; i < level->count; i++) {
        uint32_t community = level->communities[i];
        if (numbers[community] == UINT32_MAX) numbers[community] = count++;
    }
    return count;
}

/* The communities of `from` as nodes of `out`; `members` are from's nodes by community. */
static void join_nodes(const Level *from, const uint32_t *numbers, const uint32_t *members,
                       Tally *tally, Level *out)
{
    uint64_t edges = 0;
    uint32_t at = 0;
    for (uint32_t c = 0; c < out->count; c++) {
        for (; at < from->count && numbers[from->communities[members[at]]] == c; at++) {
            uint32_t node = members[at];
            out->degrees[c] += from->degrees[node];
            for (uint64_t e = from->offsets[node]; e < from->offsets[node + 1]; e++) {
                uint32_t other = numbers[from->communities[from->targets[e]]];
                if (other != c) tally_add(tally, other, from->weights[e]);
            }
        }
        for (uint32_t i = 0; i < tally->count; i++, edges++) {
            out->targets[edges] = tally->touched[i];
            out->weights[edges] = tally->links[tally->touched[i]];
        }
        out->offsets[c + 1] = edges;
        out->communities[c] = c;
        out->totals[c] = out->degrees[c];
        tally_clear(tally);
    }
}

static Error *smaller_level(Run *run, const Level *from, Tally *tally, Level *out)
{
    uint32_t *numbers, *members, *begins;
    TRY(run_alloc(run, from->count, sizeof *numbers, &numbers));
    TRY(run_alloc(run, from->count, sizeof *members, &members));
    uint32_t count = number_communities(from, numbers);
    TRY(run_alloc(run, count + 1ul, sizeof *begins, &begins));
    for (uint32_t i = 0; i < from->count; i++)
        begins[numbers[from->communities[i]] + 1]++;
    for (uint32_t c = 0; c < count; c++)
        begins[c + 1] += begins[c];
    for (uint32_t i = 0; i < from->count; i++)
        members[begins[numbers[from->communities[i]]]++] = i;
    TRY(new_level(run, count, from->offsets[from->count], out));
    join_nodes(from, numbers, members, tally, out);
    for (uint32_t i = 0; i < run->count; i++) /* which of the smaller graph's nodes holds it */
        run->numbers[i] = numbers[from->communities[run->numbers[i]]];
    return NULL;
}

static Error *first_level(Run *run, Level *out)
{
    Lists lists;
    TRY(run_lists(run, GRAPH_BOTH, &lists));
    TRY(new_level(run, run->count, lists.offsets[run->count], out));
    out->offsets = lists.offsets, out->targets = lists.targets;
    for (uint64_t e = 0; e < lists.offsets[run->count]; e++)
        out->weights[e] = 1;
    for (uint32_t i = 0; i < run->count; i++) {
        out->degrees[i] = out->totals[i] = (double)(lists.offsets[i + 1] - lists.offsets[i]);
        out->communities[i] = run->numbers[i] = i;
    }
    return NULL;
}

Error *run_communities(Run *run)
{
    Level level, smaller;
    Tally tally = {.count = 0};
    uint32_t *firsts;
    int64_t iterations = 20;
    bool moved = true;
    TRY(option_integer(run, "iterations", 0, 100000, &iterations));
    TRY(run_alloc(run, run->count, sizeof *run->numbers, &run->numbers));
    TRY(run_alloc(run, run->count, sizeof *tally.links, &tally.links));
    TRY(run_alloc(run, run->count, sizeof *tally.touched, &tally.touched));
    TRY(run_alloc(run, run->count, sizeof *firsts, &firsts));
    TRY(first_level(run, &level));
    for (;;) {
        TRY(move_nodes(run, &level, iterations, &tally, &moved));
        if (!moved) break;
        TRY(smaller_level(run, &level, &tally, &smaller));
        level = smaller;
    }
    memset(firsts, 0xff, run->count * sizeof *firsts);
    for (uint32_t i = 0; i < run->count; i++) { /* a community is named by its first node */
        uint32_t number = run->numbers[i];
        if (firsts[number] == UINT32_MAX) firsts[number] = i;
        run->numbers[i] = firsts[number];
    }
    run->places = true;
    return NULL;
}

/* ---- cores ---- */

/*
 * Batagelj and Zaversnik: nodes stand in an array by how many neighbors they have left; the first is
 * taken away, and those of its neighbors that have more move one bin down.
 */
typedef struct Bins {
    uint32_t *left;   /* by node: neighbors not taken away */
    uint32_t *order;  /* nodes by `left` */
    uint32_t *places; /* of a node in `order` */
    uint32_t *begins; /* of each bin in `order` */
} Bins;

static void swap_to(Bins *bins, uint32_t node, uint32_t place)
{
    uint32_t other = bins->order[place], from = bins->places[node];
    bins->order[from] = other, bins->places[other] = from;
    bins->order[place] = node, bins->places[node] = place;
}

static void fill_bins(const Run *run, Bins *bins, uint32_t most)
{
    uint32_t start = 0;
    for (uint32_t i = 0; i < run->count; i++)
        bins->begins[bins->left[i]]++;
    for (uint32_t d = 0; d <= most; d++) {
        uint32_t size = bins->begins[d];
        bins->begins[d] = start;
        start += size;
    }
    for (uint32_t i = 0; i < run->count; i++) {
        bins->places[i] = bins->begins[bins->left[i]]++;
        bins->order[bins->places[i]] = i;
    }
    for (uint32_t d = most; d > 0; d--)
        bins->begins[d] = bins->begins[d - 1];
    bins->begins[0] = 0;
}

Error *run_cores(Run *run)
{
    Lists lists;
    Bins bins;
    uint32_t most = 0;
    TRY(run_lists(run, GRAPH_BOTH, &lists));
    TRY(run_alloc(run, run->count, sizeof *bins.left, &bins.left));
    TRY(run_alloc(run, run->count, sizeof *bins.order, &bins.order));
    TRY(run_alloc(run, run->count, sizeof *bins.places, &bins.places));
    for (uint32_t i = 0; i < run->count; i++) {
        bins.left[i] = (uint32_t)(lists.offsets[i + 1] - lists.offsets[i]);
        if (bins.left[i] > most) most = bins.left[i];
    }
    TRY(run_alloc(run, most + 2ul, sizeof *bins.begins, &bins.begins));
    fill_bins(run, &bins, most);
    for (uint32_t i = 0; i < run->count; i++) {
        uint32_t node = bins.order[i];
        if (i % CHECK_EVERY == 0) TRY(run_step(run, (double)i / run->count));
        for (uint64_t e = lists.offsets[node]; e < lists.offsets[node + 1]; e++) {
            uint32_t next = lists.targets[e];
            if (bins.left[next] <= bins.left[node]) continue;
            swap_to(&bins, next, bins.begins[bins.left[next]]++);
            bins.left[next]--;
        }
    }
    run->numbers = bins.left;
    return NULL;
}

/* ---- triangles ---- */

/* Is `a` before `b` in the order by number of neighbors? Each pair then belongs to the one with fewer,
 * who has at most as many as the square root of all pairs times two of those behind him. */
static bool is_before(const Lists *lists, uint32_t a, uint32_t b)
{
    uint64_t x = lists->offsets[a + 1] - lists->offsets[a],
             y = lists->offsets[b + 1] - lists->offsets[b];
    return x < y || (x == y && a < b);
}

Error *run_triangles(Run *run)
{
    Lists lists, ahead;
    uint8_t *marks;
    TRY(run_lists(run, GRAPH_BOTH, &lists));
    TRY(run_alloc(run, run->count + 1ul, sizeof *ahead.offsets, &ahead.offsets));
    TRY(run_alloc(run, lists.offsets[run->count] / 2, sizeof *ahead.targets, &ahead.targets));
    TRY(run_alloc(run, run->count, sizeof *marks, &marks));
    TRY(run_alloc(run, run->count, sizeof *run->counts, &run->counts));
    uint64_t count = 0;
    for (uint32_t i = 0; i < run->count; i++) {
        for (uint64_t e = lists.offsets[i]; e < lists.offsets[i + 1]; e++)
            if (is_before(&lists, i, lists.targets[e])) ahead.targets[count++] = lists.targets[e];
        ahead.offsets[i + 1] = count;
    }
    for (uint32_t a = 0; a < run->count; a++) {
        if (a % CHECK_EVERY == 0) TRY(run_step(run, (double)a / run->count));
        for (uint64_t e = ahead.offsets[a]; e < ahead.offsets[a + 1]; e++)
            marks[ahead.targets[e]] = 1;
        for (uint64_t e = ahead.offsets[a]; e < ahead.offsets[a + 1]; e++) {
            uint32_t b = ahead.targets[e];
            for (uint64_t f = ahead.offsets[b]; f < ahead.offsets[b + 1]; f++) {
                uint32_t c = ahead.targets[f];
                if (marks[c]) run->counts[a]++, run->counts[b]++, run->counts[c]++;
            }
        }
        for (uint64_t e = ahead.offsets[a]; e < ahead.offsets[a + 1]; e++)
            marks[ahead.targets[e]] = 0;
    }
    return NULL;
}
