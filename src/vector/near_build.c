/*
 * near_build.c - making an index: the same bytes with any number of threads.
 *
 * Rows come in order, in batches: at first one by one, then a fortieth of what is there. Those of a
 * batch are searched for among the rows before it, which nobody changes meanwhile, so each is found the
 * same whoever does it; they choose their links, and then every row that was chosen takes the new ones
 * as links back, in the order of their numbers, each such row by one thread. Where there is no room, the
 * rule that chose links chooses again among old and new. All distances are between codes: integers,
 * equal at every level of SIMD.
 *
 * The rule (Jaromczyk and Toussaint, relative neighborhood graphs, 1992, as HNSW uses it): of the
 * candidates, nearest first, one is kept if it is not nearer to one kept already.
 *
 * Choosing anew can leave a row without anybody's link. So at the end it is looked who can be reached,
 * and who cannot is linked from the nearest that can, in place of its farthest link if need be; until
 * all are.
 *
 * Then some rows, taken at equal steps, change places with the first ones, in groups of those near each
 * other: where searches begin. While it is built, they begin at rows spread over all (near_entry_codes).
 */
#include "config.h"

#include "base/memory.h"
#include "runtime/workers.h"
#include "vector/near_internal.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum {
    BATCH_SHARE = 40,  /* of the rows before: what a batch does not know of itself costs recall */
    BATCH_ROWS = 2048, /* at most; more gives threads nothing */
    GRAIN_ROWS = 4,    /* that a thread takes at once */
    GRAIN_TARGETS = 16,
    ALONE_MAX = 32, /* so few are not worth a thread */
    CANDIDATES_MAX = BATCH_ROWS + NEAR_LINKS,
    SWEEPS_MAX = 100, /* two or three are seldom needed */
    LONELY_EF = 64,
    GROUPED_SHARE = 48,  /* of the rows */
    GROUPED_ROWS = 4096, /* at most */
    EFFORT_ROWS = 32,    /* searched for to learn what a search costs */
    TELL_ROWS = 4096,
    HUGE_BYTES = 2 << 20
};

/* What a thread works with. */
typedef struct Maker {
    NearWalk *walk;
    NearPlace *candidates;
    uint32_t chosen[NEAR_LINKS];
    int8_t *scratch;
} __attribute__((aligned(128))) Maker;

typedef struct Build {
    const NearOptions *options;
    const CodesKernel *kernel;
    NearIndex *index;
    uint8_t *codes; /* the index's own, to be written */
    int32_t *constants;
    uint32_t *links, *ids;
    int32_t *squares;
    Maker *makers;     /* one a thread */
    uint32_t from, to; /* the batch */
    /* Links back of the batch: a list for each row that was chosen. */
    uint32_t *first, *last; /* edges by row; NEAR_NONE: none */
    uint32_t *next, *targets;
    size_t target_count;
    /* Of what runs in parallel. */
    void (*work)(struct Build *build, Maker *maker, uint32_t item);
    uint32_t item_count, grain;
} Build;

/* ---- in parallel ---- */

static Error *run_morsel(void *state, const Worker *worker, uint64_t morsel)
{
    Build *build = state;
    uint32_t from = (uint32_t)morsel * build->grain;
    uint32_t to = build->item_count - from < build->grain ? build->item_count : from + build->grain;
    for (uint32_t i = from; i < to; i++)
        build->work(build, &build->makers[worker->index], i);
    return NULL;
}

/* Does `work` for every item below `count`, in any order. */
static void in_parallel(Build *build, void (*work)(Build *, Maker *, uint32_t), uint32_t count,
                        uint32_t grain)
{
    Morsels morsels = {.count = (count + grain - 1) / grain,
                       .workers = count <= ALONE_MAX ? 1 : build->options->threads,
                       .run = run_morsel,
                       .state = build};
    build->work = work;
    build->item_count = count;
    build->grain = grain;
    error_drop(workers_run(build->options->workers, &morsels)); /* no morsel fails or is stopped */
}

/* ---- links ---- */

static uint32_t *links_of(const Build *build, uint32_t place)
{
    return build->links + (size_t)place * NEAR_LINKS;
}

static uint32_t link_count(const uint32_t *links)
{
    uint32_t count = 0;
    while (count < NEAR_LINKS && links[count] != NEAR_NONE)
        count++;
    return count;
}

static const uint8_t *codes_of(const Build *build, uint32_t place)
{
    return build->codes + (size_t)place * build->index->quantizer.stride;
}

/* Chooses among `count` of the maker's candidates, ascending, for the row. */
static void choose(Build *build, Maker *maker, uint32_t place, size_t count)
{
    NearPrune prune = {
        build->codes,  build->constants,  build->squares, build->index->quantizer.stride,
        place,         maker->candidates, count,          maker->chosen,
        maker->scratch};
    uint32_t kept = build->kernel->near_prune(&prune);
    uint32_t *links = links_of(build, place);
    memcpy(links, maker->chosen, kept * sizeof *links);
    memset(links + kept, 0xff, (NEAR_LINKS - kept) * sizeof *links);
}

/* What lies near the row among those the walk is aimed at: to the maker's candidates. */
static size_t look_around(const Build *build, Maker *maker, uint32_t place)
{
    NearWalk *walk = maker->walk;
    quantize_as_query(codes_of(build, place), walk->stride, walk->own_query);
    build->kernel->near_walk(walk);
    for (uint32_t i = 0; i < walk->pool_count; i++) {
        maker->candidates[i] = walk->pool[i];
        maker->candidates[i].distance += build->squares[place];
    }
    return walk->pool_count;
}

static void link_row(Build *build, Maker *maker, uint32_t item)
{
    uint32_t place = build->from + item;
    choose(build, maker, place, look_around(build, maker, place));
}

static int by_distance(const void *a, const void *b)
{
    const NearPlace *x = a, *y = b;
    if (x->distance != y->distance) return x->distance < y->distance ? -1 : 1;
    return x->place < y->place ? -1 : x->place > y->place;
}

/* By insertion: there are seldom more than a few beyond 32, and the old ones are nearly in order. */
static void sort_candidates(NearPlace *candidates, size_t count)
{
    enum { FEW = 128 };
    if (count > FEW) {
        qsort(candidates, count, sizeof *candidates, by_distance);
        return;
    }
    for (size_t i = 1; i < count; i++) {
        NearPlace one = candidates[i];
        size_t at = i;
        for (; at > 0 && by_distance(&candidates[at - 1], &one) > 0; at--)
            candidates[at] = candidates[at - 1];
        candidates[at] = one;
    }
}

/* Distances of the candidates from the row, four or so at a time. */
static void measure(const Build *build, Maker *maker, uint32_t place, size_t count)
{
    enum { PIECE = 64 };
    size_t stride = build->index->quantizer.stride;
    uint32_t places[PIECE];
    int32_t dots[PIECE];
    quantize_as_query(codes_of(build, place), stride, maker->scratch);
    for (size_t from = 0; from < count; from += PIECE) {
        size_t some = count - from < PIECE ? count - from : PIECE;
        NearPlace *candidates = maker->candidates + from;
        for (size_t i = 0; i < some; i++)
            places[i] = candidates[i].place;
        build->kernel->dot_places(build->codes, places, some, stride, maker->scratch, dots);
        for (size_t i = 0; i < some; i++)
            candidates[i].distance =
                build->constants[places[i]] - 2 * dots[i] + build->squares[place];
    }
}

/* One row that was chosen takes the links back. An edge's number says whose it is. */
static void link_back(Build *build, Maker *maker, uint32_t item)
{
    uint32_t place = build->targets[item], *links = links_of(build, place);
    uint32_t old = link_count(links);
    size_t count = old;
    for (uint32_t i = 0; i < old; i++)
        maker->candidates[i].place = links[i];
    for (uint32_t edge = build->first[place]; edge != NEAR_NONE; edge = build->next[edge])
        maker->candidates[count++].place = build->from + edge / NEAR_LINKS;
    assert(count <= CANDIDATES_MAX);
    build->first[place] = NEAR_NONE;
    if (count <= NEAR_LINKS) {
        for (size_t i = old; i < count; i++)
            links[i] = maker->candidates[i].place;
        return;
    }
    measure(build, maker, place, count);
    sort_candidates(maker->candidates, count);
    choose(build, maker, place, count);
}

/* Lists of the links back, each in the order of the new rows. */
static void list_back(Build *build)
{
    build->target_count = 0;
    for (uint32_t place = build->from; place < build->to; place++) {
        const uint32_t *links = links_of(build, place);
        for (uint32_t i = 0; i < NEAR_LINKS && links[i] != NEAR_NONE; i++) {
            uint32_t edge = (place - build->from) * NEAR_LINKS + i, target = links[i];
            build->next[edge] = NEAR_NONE;
            if (build->first[target] == NEAR_NONE) {
                build->first[target] = edge;
                build->targets[build->target_count++] = target;
            } else {
                build->next[build->last[target]] = edge;
            }
            build->last[target] = edge;
        }
    }
}

static void aim(Build *build, uint32_t rows, uint32_t ef)
{
    NearIndex *index = build->index;
    uint32_t entries = 0;
    while (entries < index->entry_count && index->entries[entries] < rows)
        entries++;
    for (unsigned i = 0; i < build->options->threads; i++) {
        NearWalk *walk = build->makers[i].walk;
        near_walk_aim(walk, index);
        walk->count = rows;
        walk->entry_count = entries & ~UINT32_C(3);
        walk->ef = ef;
    }
}

/* Batch by batch; false: told to stop. */
static bool link_all(Build *build, uint32_t from)
{
    const NearOptions *options = build->options;
    uint32_t count = build->index->count;
    for (build->from = from; build->from < count; build->from = build->to) {
        uint32_t rows = build->from / BATCH_SHARE;
        rows = rows < 1 ? 1 : rows > BATCH_ROWS ? BATCH_ROWS : rows;
        if (rows > count - build->from) rows = count - build->from;
        build->to = build->from + rows;
        aim(build, build->from, options->ef_construction);
        in_parallel(build, link_row, rows, GRAIN_ROWS);
        list_back(build);
        in_parallel(build, link_back, (uint32_t)build->target_count, GRAIN_TARGETS);
        if (options->tell != NULL && options->tell(options->user, build->to, count)) return false;
    }
    return true;
}

/* ---- who cannot be reached ---- */

typedef struct Lonely {
    uint64_t *reached, *given; /* a bit a row; given: it gave its last link away */
    uint32_t *queue;
    uint32_t before; /* who was linked last */
} Lonely;

static bool has_bit(const uint64_t *bits, uint32_t place)
{
    return bits[place / 64] >> place % 64 & 1;
}

/* A link to the row from the nearest of the reached around it that has room, else in place of the last
 * link of the nearest that has not given one away already, else of who was linked before. */
static void link_from_near(Build *build, Maker *maker, uint32_t place, const Lonely *lonely)
{
    size_t count = look_around(build, maker, place);
    uint32_t giver = NEAR_NONE;
    for (size_t i = 0; i < count; i++) {
        uint32_t near = maker->candidates[i].place, *links = links_of(build, near);
        uint32_t had = link_count(links);
        if (!has_bit(lonely->reached, near)) continue;
        if (had < NEAR_LINKS) {
            links[had] = place;
            return;
        }
        if (giver == NEAR_NONE && !has_bit(lonely->given, near)) giver = near;
    }
    if (giver == NEAR_NONE) giver = lonely->before;
    if (giver == NEAR_NONE) return; /* the next sweep finds others around */
    lonely->given[giver / 64] |= UINT64_C(1) << giver % 64;
    uint32_t had = link_count(links_of(build, giver));
    links_of(build, giver)[had < NEAR_LINKS ? had : NEAR_LINKS - 1] = place;
}

/* Taking a link away may leave another row alone, so it is looked again until nobody is; nobody gives
 * twice, so it ends. Where rows are alike, a search always comes by the same of them: then each gives
 * to the next. */
static void link_lonely(Build *build)
{
    uint32_t count = build->index->count;
    size_t words = count / 64 + 1, reached = 0;
    Lonely lonely = {mem_alloc(words * sizeof(uint64_t)), mem_calloc(words, sizeof(uint64_t)),
                     mem_alloc((count + 1) * sizeof(uint32_t)), NEAR_NONE};
    aim(build, count, LONELY_EF);
    for (int sweep = 0; reached < count && sweep < SWEEPS_MAX; sweep++) {
        memset(lonely.reached, 0, words * sizeof *lonely.reached);
        reached = near_reach(build->index, 0, lonely.reached, lonely.queue);
        size_t now = reached;
        for (uint32_t place = 0; now < count && place < count; place++) {
            if (has_bit(lonely.reached, place)) continue;
            link_from_near(build, &build->makers[0], place, &lonely);
            now += near_reach(build->index, place, lonely.reached, lonely.queue);
            lonely.before = place;
        }
    }
    mem_free(lonely.reached);
    mem_free(lonely.given);
    mem_free(lonely.queue);
}

/* ---- where searches begin ---- */

typedef struct Grouped {         /* a row, by where it is to stand */
    uint32_t group, rank, place; /* rank: 0 the first of the group */
} Grouped;

static int by_group(const void *a, const void *b)
{
    const Grouped *x = a, *y = b;
    if (x->group != y->group) return x->group < y->group ? -1 : 1;
    if (x->rank != y->rank) return x->rank < y->rank ? -1 : 1;
    return x->place < y->place ? -1 : x->place > y->place;
}

/* The group whose first row is nearest to the row. `firsts` are of all groups. */
static uint32_t nearest_group(Build *build, uint32_t place, const uint32_t *firsts, uint32_t groups)
{
    Maker *maker = &build->makers[0];
    uint32_t nearest = 0;
    for (uint32_t g = 0; g < groups; g++)
        maker->candidates[g].place = firsts[g];
    measure(build, maker, place, groups);
    for (uint32_t g = 1; g < groups; g++)
        if (maker->candidates[g].distance < maker->candidates[nearest].distance) nearest = g;
    return nearest;
}

/* Rows at equal steps, in groups about every so many of them; row 0 comes first. */
static void choose_groups(Build *build, Grouped *rows, uint32_t count, uint32_t groups)
{
    uint32_t firsts[NEAR_GROUPS_MAX], step = build->index->count / count, each = count / groups;
    for (uint32_t g = 0; g < groups; g++)
        firsts[g] = g * each * step;
    for (uint32_t i = 0; i < count; i++) {
        bool first = i % each == 0 && i / each < groups;
        uint32_t group = first ? i / each : nearest_group(build, i * step, firsts, groups);
        rows[i] = (Grouped){group, !first, i * step};
    }
    qsort(rows, count, sizeof *rows, by_group);
    for (uint32_t i = 0; i < count; i++)
        if (rows[i].rank == 0) build->index->starts[rows[i].group] = i;
    build->index->starts[groups] = count;
}

#define EXCHANGE(type, array, a, b)                                                                \
    do {                                                                                           \
        type kept = (array)[a];                                                                    \
        (array)[a] = (array)[b], (array)[b] = kept;                                                \
    } while (0)

/* All of two rows but the links to them. */
static void exchange(Build *build, uint32_t a, uint32_t b)
{
    size_t stride = build->index->quantizer.stride;
    uint8_t *codes_a = build->codes + a * stride, *codes_b = build->codes + b * stride;
    uint32_t *links_a = links_of(build, a), *links_b = links_of(build, b);
    EXCHANGE(int32_t, build->constants, a, b);
    EXCHANGE(int32_t, build->squares, a, b);
    EXCHANGE(uint32_t, build->ids, a, b);
    for (size_t i = 0; a != b && i < stride; i++) {
        uint8_t kept = codes_a[i];
        codes_a[i] = codes_b[i], codes_b[i] = kept;
    }
    for (size_t i = 0; i < NEAR_LINKS; i++) {
        uint32_t kept = links_a[i];
        links_a[i] = links_b[i], links_b[i] = kept;
    }
}

/* Each of the rows to the place of its number; the others make room. The lists of links back are not
 * needed any more: `first` becomes where a row is now, `last` who is there. */
static void put_first(Build *build, const Grouped *rows, uint32_t row_count)
{
    uint32_t count = build->index->count, *place_of = build->first, *row_at = build->last;
    for (uint32_t i = 0; i < count; i++)
        place_of[i] = row_at[i] = i;
    for (uint32_t i = 0; i < row_count; i++) {
        uint32_t from = place_of[rows[i].place], other = row_at[i];
        exchange(build, i, from);
        place_of[other] = from, row_at[from] = other;
        place_of[rows[i].place] = i, row_at[i] = rows[i].place;
    }
    for (size_t i = 0; i < (size_t)count * NEAR_LINKS; i++)
        if (build->links[i] != NEAR_NONE) build->links[i] = place_of[build->links[i]];
}

/* With half as many rows in a group as there are groups, the fewest are looked at (NEAR_GROUPS_ASKED). */
static void arrange(Build *build)
{
    NearIndex *index = build->index;
    uint32_t count = index->count / GROUPED_SHARE, groups = NEAR_GROUPS_MAX;
    if (index->quantizer.metric == VECTOR_DOT)
        return; /* what is largest is near no group's first */
    if (count > GROUPED_ROWS) count = GROUPED_ROWS;
    while (groups > 0 && groups * groups > 2 * count)
        groups -= 4;
    if (groups == 0) return; /* so few rows are looked at as they are */
    Grouped *rows = mem_alloc(count * sizeof *rows);
    choose_groups(build, rows, count, groups);
    put_first(build, rows, count);
    index->group_count = groups;
    near_entry_codes(index);
    mem_free(rows);
}

/* ---- what a search costs ---- */

static void count_efforts(Build *build)
{
    NearIndex *index = build->index;
    Maker *maker = &build->makers[0];
    uint32_t rows = index->count < EFFORT_ROWS ? index->count : EFFORT_ROWS;
    for (uint32_t e = 0; rows > 0 && e < NEAR_EFFORTS; e++) {
        uint64_t looks = 0;
        aim(build, index->count, UINT32_C(32) << e);
        for (uint32_t i = 0; i < rows; i++) {
            look_around(build, maker, (uint32_t)((uint64_t)i * index->count / rows));
            looks += maker->walk->looks;
        }
        index->efforts[e] = (uint32_t)(looks / rows);
    }
}

/* ---- rows ---- */

/* Zeroed where it is to be read before it is written; on large pages where the machine has them,
 * because everything is looked at out of order. */
static void *room(size_t bytes)
{
    size_t alignment = bytes >= HUGE_BYTES ? HUGE_BYTES : QUANTIZE_LINE_BYTES;
    void *memory = mem_alloc_aligned(bytes + QUANTIZE_LINE_BYTES, alignment);
#ifdef MADV_HUGEPAGE
    if (bytes >= HUGE_BYTES) (void)madvise(memory, bytes, MADV_HUGEPAGE); /* a wish, no more */
#endif
    return memory;
}

static void learn(NearIndex *index, const NearOptions *options, const NearRows *rows)
{
    uint32_t dimensions = options->dimensions, id;
    size_t count = rows->count < QUANTIZE_SAMPLE_ROWS ? rows->count : QUANTIZE_SAMPLE_ROWS;
    float *minima = mem_calloc(dimensions, sizeof *minima);
    float *sample = mem_alloc(count * dimensions * sizeof *sample);
    float *factors = mem_alloc(count * sizeof *factors);
    const float **pointers = mem_alloc(count * sizeof *pointers);
    for (size_t i = 0; i < count; i++) {
        const float *row =
            rows->row(rows->user, (size_t)((uint64_t)i * rows->count / count), &id, &factors[i]);
        pointers[i] = memcpy(sample + i * dimensions, row, dimensions * sizeof *row);
    }
    quantizer_learn(&index->quantizer, options->metric, dimensions, true, pointers, factors, count,
                    minima);
    mem_free(sample);
    mem_free(factors);
    mem_free(pointers);
}

/* Without rows nothing can be learned, and nothing is asked. */
static void learn_nothing(NearIndex *index, const NearOptions *options)
{
    static const float nothing[1];
    const float *row = mem_calloc(options->dimensions, sizeof *row);
    float *minima = mem_calloc(options->dimensions, sizeof *minima);
    quantizer_learn(&index->quantizer, options->metric, options->dimensions, false, &row, nothing,
                    1, minima);
    mem_free((void *)(uintptr_t)row);
}

/* false: told to stop. */
static bool code_rows(Build *build, const NearRows *rows, uint32_t from)
{
    const NearOptions *options = build->options;
    size_t stride = build->index->quantizer.stride;
    for (size_t i = 0; i < rows->count; i++) {
        size_t place = from + i;
        if (i % TELL_ROWS == 0 && options->tell != NULL &&
            options->tell(options->user, from, build->index->count))
            return false;
        float factor = 0;
        const float *row = rows->row(rows->user, i, &build->ids[place], &factor);
        uint8_t *codes = build->codes + place * stride;
        quantize_row(&build->index->quantizer, row, factor, codes);
        build->constants[place] = quantize_constant(codes, stride);
    }
    for (uint32_t place = 0; place < build->index->count; place++)
        build->squares[place] = quantize_square(codes_of(build, place), stride);
    return true;
}

static void build_free(Build *build)
{
    for (unsigned i = 0; i < build->options->threads; i++) {
        near_walk_free(build->makers[i].walk);
        mem_free(build->makers[i].candidates);
        mem_free(build->makers[i].scratch);
    }
    mem_free(build->makers);
    mem_free(build->squares);
    mem_free(build->first);
    mem_free(build->last);
    mem_free(build->next);
    mem_free(build->targets);
}

static void build_room(Build *build)
{
    NearIndex *index = build->index;
    size_t count = index->count, stride = index->quantizer.stride;
    size_t edges = (size_t)BATCH_ROWS * NEAR_LINKS;
    unsigned threads = build->options->threads;
    build->codes = room(count * stride);
    build->constants = room(count * sizeof *build->constants);
    build->links = room(count * NEAR_LINKS * sizeof *build->links);
    build->ids = room(count * sizeof *build->ids);
    memset(build->links, 0xff, count * NEAR_LINKS * sizeof *build->links);
    index->codes = build->codes;
    index->constants = build->constants;
    index->links = build->links;
    index->ids = build->ids;
    build->squares = mem_alloc((count + 1) * sizeof *build->squares);
    build->first = mem_alloc((count + 1) * sizeof *build->first);
    memset(build->first, 0xff, (count + 1) * sizeof *build->first);
    build->last = mem_alloc((count + 1) * sizeof *build->last);
    build->next = mem_alloc(edges * sizeof *build->next);
    build->targets = mem_alloc(edges * sizeof *build->targets);
    build->makers = mem_alloc_aligned(threads * sizeof *build->makers, _Alignof(Maker));
    for (unsigned i = 0; i < threads; i++)
        build->makers[i] =
            (Maker){.walk = near_walk_create(count, stride),
                    .candidates = mem_alloc((CANDIDATES_MAX + NEAR_EF_MAX) * sizeof(NearPlace)),
                    .scratch = mem_alloc_aligned(stride, QUANTIZE_LINE_BYTES)};
}

static NearIndex *build_from(NearIndex *index, const NearIndex *base, const NearOptions *options,
                             const NearRows *rows)
{
    Build build = {.options = options, .kernel = codes_kernel(options->simd), .index = index};
    uint32_t from = base == NULL ? 0 : base->count;
    size_t stride = index->quantizer.stride;
    assert(rows->count <= (size_t)NEAR_ROWS_MAX - from);
    assert(options->threads >= 1 && options->threads <= NEAR_THREADS_MAX);
    assert(options->ef_construction >= NEAR_EF_CONSTRUCTION_MIN &&
           options->ef_construction <= NEAR_EF_CONSTRUCTION_MAX);
    index->owned = true;
    index->ef_construction = options->ef_construction;
    index->count = from + (uint32_t)rows->count;
    build_room(&build);
    if (from > 0) {
        memcpy(build.codes, base->codes, from * stride);
        memcpy(build.constants, base->constants, from * sizeof *build.constants);
        memcpy(build.links, base->links, from * NEAR_LINKS * sizeof *build.links);
        memcpy(build.ids, base->ids, from * sizeof *build.ids);
    }
    bool done = code_rows(&build, rows, from);
    if (done) {
        near_entry_codes(index);
        done = link_all(&build, from > 0 ? from : 1);
    }
    if (done && index->count > 0) {
        link_lonely(&build);
        arrange(&build);
        count_efforts(&build);
    }
    build_free(&build);
    if (done) return index;
    near_free(index);
    return NULL;
}

NearIndex *near_build(const NearOptions *options, const NearRows *rows)
{
    NearIndex *index = mem_calloc(1, sizeof *index);
    if (rows->count == 0)
        learn_nothing(index, options);
    else
        learn(index, options, rows);
    return build_from(index, NULL, options, rows);
}

NearIndex *near_extend(const NearIndex *base, const NearOptions *options, const NearRows *rows)
{
    if (base->count == 0) return near_build(options, rows);
    NearIndex *index = mem_calloc(1, sizeof *index);
    assert(base->quantizer.metric == options->metric);
    assert(base->quantizer.dimensions == options->dimensions);
    index->quantizer = base->quantizer;
    size_t bytes = base->quantizer.dimensions * sizeof(float);
    index->quantizer.minima = memcpy(mem_alloc(bytes), base->quantizer.minima, bytes);
    return build_from(index, base, options, rows);
}
