/*
 * score_scan.c - a SCORE over a scan, taken as a whole: by an index, by the database's graphics
 * device, or by the processor through 8-bit codes.
 *
 * Where all candidates come from one scan of a label, perhaps filtered, a candidate is a bit: the
 * input is drawn for its nodes only, and the rows of the best are made from their ids. On a device the
 * column's vectors are there already, or are brought there; the processor reads them where they lie
 * (rank/column.h). What they cannot answer for (blocks of mixed values, values that are newer than this
 * statement's view) is scored here; if the device fails, everything is done without it. Ids and scores
 * are the same in any case.
 *
 * An index (vector/near.h) gives candidates by their codes; they are scored by their vectors as the view
 * shows them, together with every node that has changed since the index was made. Where looking at all
 * candidates is cheaper, or the index finds too few of them, they are answered as if it were not there.
 *
 * A query that comes from the row (each user's vector against all documents) is taken with those of up to
 * 63 other rows, if the candidates do not depend on the row: one pass over the column finds the best of
 * each, so that what is read once serves all. The best of a row are offered in the order of the rows; what
 * LIMIT or PER keep of them is what they would keep of all.
 *
 * Not here: whether a device is worth it, and opening it (vector/device.c).
 */
#include "config.h"

#include "base/map.h"
#include "execution/score_internal.h"
#include "rank/column.h"
#include "runtime/workers.h"
#include "vector/near.h"
#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* A word of candidates for every 64 nodes of the database. */
typedef struct Bits {
    uint64_t *words;
    uint64_t block_count;
    uint64_t count; /* candidates */
} Bits;

typedef struct Lent { /* what the device is asked about */
    VectorBlock *blocks;
    uint64_t *present; /* GRAPH_BLOCK_WORDS words a block */
    uint64_t *numbers; /* of the blocks */
    size_t count;
    VectorSet set;
    bool any; /* somebody takes part */
} Lent;

static const PlanNode *scan_below(const PlanNode *plan)
{
    const PlanNode *node = plan->input;
    while (node->kind == PLAN_FILTER)
        node = node->input;
    return node;
}

bool score_scans(const PlanNode *plan)
{
    const PlanNode *scan = scan_below(plan);
    return plan->kind == PLAN_SCORE && plan->per_slot == SLOT_NONE && plan->limit != NULL &&
           scan->kind == PLAN_NODE_SCAN && scan->slot == plan->legs[0].slot &&
           scan->input->kind == PLAN_UNIT;
}

static VectorDeviceOptions options_of(const ExecutionEnvironment *environment)
{
    VectorDeviceUse use = VECTOR_DEVICE_AUTO;
    if (strcmp(environment->gpu, "off") == 0) use = VECTOR_DEVICE_OFF;
    if (strcmp(environment->gpu, "force") == 0) use = VECTOR_DEVICE_FORCE;
    return (VectorDeviceOptions){use, environment->gpu_device, environment->gpu_memory};
}

/* Who forces a device is told when it does not answer. */
static void tell_failure(const ExecutionEnvironment *environment)
{
    VectorDeviceInfo info;
    char text[2 * VECTOR_DEVICE_TEXT_MAX];
    if (strcmp(environment->gpu, "force") != 0 || environment->warn == NULL) return;
    vector_device_info(environment->device, &info);
    snprintf(text, sizeof text, "the processor answered, not the graphics device: %s", info.reason);
    environment->warn(environment->session, ERROR_GPU, text, "the answer is the same");
}

/* ---- candidates ---- */

static Error *bits_of_input(Operator *operator, Bits * bits)
{
    uint32_t slot = operator->plan->legs[0].slot;
    Batch *batch;
    for (;;) {
        TRY(operator_next(operator->input, &batch));
        if (batch == NULL) return NULL;
        for (uint32_t i = 0; i < batch->selected_count; i++) {
            uint64_t id;
            if (!entity_at(batch, slot, batch_position(batch, i), VALUE_NODE, &id)) continue;
            bits->words[id / 64] |= UINT64_C(1) << id % 64;
            bits->count++;
        }
    }
}

/* The nodes of a block's bits, ascending. */
static uint32_t take_ids_of(const uint64_t *words, uint64_t block, uint64_t ids[GRAPH_BLOCK_ROWS])
{
    uint32_t count = 0;
    for (uint32_t w = 0; w < GRAPH_BLOCK_WORDS; w++)
        for (uint64_t left = words[w]; left != 0; left &= left - 1)
            ids[count++] =
                block * GRAPH_BLOCK_ROWS + w * UINT64_C(64) + (uint64_t)__builtin_ctzll(left);
    return count;
}

/* Nobody but the scan decides: its bits are taken whole, and its rows counted as if it had run. */
static void bits_of_scan(Operator *operator, const PlanNode * scan, Bits *bits)
{
    Execution *execution = operator->execution;
    uint32_t *labels = arena_array(operator->arena, uint32_t, scan->label_count + 1);
    for (uint32_t i = 0; i < scan->label_count; i++)
        labels[i] = name_resolve(execution, NAME_LABEL, scan->labels[i]);
    for (uint64_t b = 0; b < bits->block_count; b++) {
        uint64_t *words = bits->words + b * GRAPH_BLOCK_WORDS;
        if (!graph_scan_block(&execution->view, labels, scan->label_count, b, words)) continue;
        for (uint32_t w = 0; w < GRAPH_BLOCK_WORDS; w++)
            bits->count += (uint64_t)__builtin_popcountll(words[w]);
    }
}

static Error *take_candidates(Operator *operator, Bits * bits)
{
    const PlanNode *scan = scan_below(operator->plan);
    bits->block_count = graph_block_count(&operator->execution->view);
    bits->words = mem_calloc(bits->block_count * GRAPH_BLOCK_WORDS + 1, sizeof *bits->words);
    if (operator->plan->input != scan) return bits_of_input(operator, bits);
    bits_of_scan(operator, scan, bits);
    operator->execution->rows[scan->id] += bits->count;
    operator->execution->rows[scan->input->id]++;
    return NULL;
}

/* ---- the device's part ---- */

/* All blocks of the query's dimension, whoever takes part in this query: the set is the column's.
 * Of those with newer values nobody takes part. */
static void take_block(const Leg *leg, const Bits *bits, uint64_t number, Lent *lent)
{
    GraphVectors vectors;
    GraphVectorsKind kind =
        graph_vectors(&leg->operator->execution->view, leg->key, number, &vectors);
    bool dense = kind == GRAPH_VECTORS_LENT || kind == GRAPH_VECTORS_NEWER;
    if (!dense || vectors.dimensions != leg->query.dimensions) return;
    uint64_t *present = lent->present + lent->count * GRAPH_BLOCK_WORDS;
    for (uint32_t w = 0; w < GRAPH_BLOCK_WORDS && kind == GRAPH_VECTORS_LENT; w++) {
        present[w] = bits->words[number * GRAPH_BLOCK_WORDS + w] &
                     __atomic_load_n(&vectors.present[w], __ATOMIC_ACQUIRE);
        lent->any = lent->any || present[w] != 0;
    }
    lent->numbers[lent->count] = kind == GRAPH_VECTORS_LENT ? number : UINT64_MAX;
    lent->blocks[lent->count++] = (VectorBlock){vectors.rows, vectors.factors, present,
                                                vectors.count, number * GRAPH_BLOCK_ROWS};
}

static bool take_set(const Leg *leg, const Bits *bits, Lent *lent)
{
    const GraphView *view = &leg->operator->execution->view;
    uint64_t column;
    if (!graph_vectors_version(view, leg->key, &column, &lent->set.generation)) return false;
    /* An address, and above it the dimension: both kinds of blocks of one column have their set. */
    lent->set.column = column | (uint64_t)leg->query.dimensions << 48;
    lent->blocks = mem_alloc((bits->block_count + 1) * sizeof *lent->blocks);
    lent->numbers = mem_alloc((bits->block_count + 1) * sizeof *lent->numbers);
    lent->present = mem_calloc(bits->block_count * GRAPH_BLOCK_WORDS + 1, sizeof *lent->present);
    for (uint64_t b = 0; b < bits->block_count; b++)
        take_block(leg, bits, b, lent);
    lent->set.blocks = lent->blocks;
    lent->set.block_count = lent->count;
    return true;
}

typedef struct Named {
    const Leg *leg;
    uint64_t generation;
} Named;

static bool still_named(void *state)
{
    const Named *named = state;
    uint64_t column, generation;
    return graph_vectors_version(&named->leg->operator->execution->view, named->leg->key, &column,
                                 &generation) &&
           generation == named->generation;
}

/* Rows of a scan: nothing is known but the node. Ids are to be filled in. */
static Batch *node_rows(Operator *operator, uint32_t count, uint64_t **ids)
{
    arena_reset(operator->arena);
    Batch *batch = batch_create(operator->arena, operator->execution->plan->slot_count);
    batch->row_count = batch->selected_count = count;
    *ids = batch_column(operator->arena, batch, operator->plan->legs[0].slot, COLUMN_NODE)->ids;
    return batch;
}

static Batch *batch_of_nodes(Operator *operator, const uint64_t * ids, uint32_t count)
{
    uint64_t *rows;
    Batch *batch = node_rows(operator, count, &rows);
    memcpy(rows, ids, count * sizeof *ids);
    return batch;
}

static void offer_hits(Operator *operator, const TopKHit * hits, size_t count, BestRows *best)
{
    uint64_t *ids;
    assert(count <= COLUMN_K_MAX); /* which fits a batch */
    const Batch *batch = node_rows(operator,(uint32_t) count, &ids);
    for (size_t i = 0; i < count; i++)
        ids[i] = hits[i].id;
    for (size_t i = 0; i < count; i++)
        best_offer(best, batch, (uint32_t)i, (double)hits[i].score, hits[i].id, value_null());
}

/* true: answered; the candidates that were have left `bits`. */
static bool ask_device(Operator *operator, Leg * leg, uint64_t limit, Bits *bits, BestRows *best)
{
    const ExecutionEnvironment *environment = &operator->execution->environment;
    Lent lent = {0};
    TopKHit hits[VECTOR_DEVICE_K_MAX];
    size_t count = 0;
    bool good = take_set(leg, bits, &lent);
    Named named = {leg, lent.set.generation};
    good = good && vector_device_topk(environment->device, &lent.set, &leg->query.vector,
                                      (size_t)limit, still_named, &named, hits, &count);
    if (good) {
        offer_hits(operator, hits, count, best);
        if (lent.any) leg->matches = 1;
        for (size_t b = 0; b < lent.count; b++)
            if (lent.numbers[b] != UINT64_MAX)
                memset(bits->words + lent.numbers[b] * GRAPH_BLOCK_WORDS, 0,
                       GRAPH_BLOCK_WORDS * sizeof *bits->words);
    }
    mem_free(lent.blocks);
    mem_free(lent.numbers);
    mem_free(lent.present);
    return good;
}

/* ---- the processor's part ---- */

static ColumnCodes codes_setting(const ExecutionEnvironment *environment)
{
    if (strcmp(environment->vector_codes, "off") == 0) return COLUMN_CODES_OFF;
    return strcmp(environment->vector_codes, "now") == 0 ? COLUMN_CODES_NOW : COLUMN_CODES_AUTO;
}

static bool wants_codes(const ExecutionEnvironment *environment, uint32_t dimensions)
{
    return column_uses_codes(codes_setting(environment), codes_kernel(environment->simd),
                             dimensions);
}

static Error *run_morsel(void *search, const Worker *worker, uint64_t morsel)
{
    column_search_run(search, worker->index, morsel);
    return NULL;
}

/* From so many bytes of vectors on a scan takes about a millisecond, and another worker is worth its
 * waking up. */
enum { WORKERS_BYTES_MIN = 48 << 20 };

static uint32_t workers_for(const ExecutionEnvironment *environment, const Leg *leg, uint64_t rows)
{
    bool large = rows * leg->query.vector.stride * sizeof(float) >= WORKERS_BYTES_MIN ||
                 environment->morsel_nodes > 0;
    return large ? workers_chosen(environment->workers, environment->worker_max) : 1;
}

static uint32_t morsel_blocks(const ExecutionEnvironment *environment)
{
    uint32_t blocks = environment->morsel_nodes / GRAPH_BLOCK_ROWS;
    if (environment->morsel_nodes == 0 || blocks > COLUMN_MORSEL_BLOCKS)
        return COLUMN_MORSEL_BLOCKS;
    return blocks == 0 ? 1 : blocks;
}

static Error *run_search(const ExecutionEnvironment *environment, ColumnSearch *search,
                         uint32_t workers)
{
    const Interrupt *interrupt = environment->interrupt;
    const Morsels morsels = {.count = column_search_morsels(search),
                             .workers = workers,
                             .run = run_morsel,
                             .state = search,
                             .stop = interrupt == NULL ? NULL : interrupt->stop,
                             .stop_state = interrupt == NULL ? NULL : interrupt->state};
    return workers_run(environment->workers, &morsels);
}

static ColumnRequest request_for(const ExecutionEnvironment *environment, const Leg *leg,
                                 uint64_t limit, const Bits *bits)
{
    return (ColumnRequest){.view = leg->view,
                           .key = leg->key,
                           .dimensions = leg->query.dimensions,
                           .kernel = leg->kernel,
                           .codes_kernel = codes_kernel(environment->simd),
                           .codes = codes_setting(environment),
                           .queries = &leg->query.vector,
                           .query_count = 1,
                           .k = (size_t)limit,
                           .words = bits->words,
                           .block_count = bits->block_count,
                           .morsel_blocks = morsel_blocks(environment),
                           .workers = workers_for(environment, leg, bits->count)};
}

static void note_search(const ColumnSearch *search, Leg *leg, ScoreFacts *facts)
{
    ColumnFacts found = column_search_facts(search);
    if (found.rows > 0) leg->matches = 1;
    if (found.coded > 0) facts->scored += found.scored;
    snprintf(facts->where, sizeof facts->where, "cpu %s%s", leg->kernel->name,
             found.coded > 0 ? " with codes" : "");
}

static Error *search_column(Operator *operator, Leg * leg, uint64_t limit, Bits *bits,
                            BestRows *best, ScoreFacts *facts)
{
    const ExecutionEnvironment *environment = &operator->execution->environment;
    TopKHit hits[COLUMN_K_MAX];
    ColumnRequest request = request_for(environment, leg, limit, bits);
    ColumnSearch *search = column_search_create(&request);
    Error *error = run_search(environment, search, request.workers);
    if (error == NULL) {
        offer_hits(operator, hits, column_search_take(search, 0, hits), best);
        note_search(search, leg, facts);
    }
    column_search_destroy(search);
    return error;
}

/* ---- the rest ---- */

static Error *offer_scored(Operator *operator, Leg * leg, const uint64_t *ids, uint32_t count,
                           Scored *scored, BestRows *best)
{
    const Batch *batch = batch_of_nodes(operator, ids, count);
    TRY(leg_score(leg, batch, (float)best_floor(best), scored));
    for (uint32_t i = 0; i < scored->count; i++)
        best_offer(best, batch, scored->positions[i], (double)scored->scores[i], scored->ids[i],
                   value_null());
    return NULL;
}

/* What is left of the candidates, a block at a time. */
static Error *score_rest(Operator *operator, Leg * leg, const Bits *bits, Scored *scored,
                         BestRows *best)
{
    for (uint64_t b = 0; b < bits->block_count; b++) {
        uint64_t ids[GRAPH_BLOCK_ROWS];
        uint32_t count = take_ids_of(bits->words + b * GRAPH_BLOCK_WORDS, b, ids);
        if (count > 0) TRY(offer_scored(operator, leg, ids, count, scored, best));
    }
    return NULL;
}

/* At most so many candidates has the scan. */
static uint64_t scanned_nodes(const Operator *operator)
{
    const Execution *execution = operator->execution;
    const PlanNode *scan = scan_below(operator->plan);
    uint64_t nodes = graph_node_count(&execution->view);
    for (uint32_t i = 0; i < scan->label_count; i++) {
        uint64_t labelled = graph_label_count(&execution->view,
                                              name_resolve(execution, NAME_LABEL, scan->labels[i]));
        if (labelled < nodes) nodes = labelled;
    }
    return nodes;
}

static bool wants_device(Operator *operator, const Leg * leg, uint64_t limit)
{
    const ExecutionEnvironment *environment = &operator->execution->environment;
    if (environment->device == NULL || limit > VECTOR_DEVICE_K_MAX) return false;
    VectorDeviceOptions options = options_of(environment);
    bool wanted =
        vector_device_wanted(environment->device, &options,
                             scanned_nodes(operator) * leg->query.vector.stride * sizeof(float));
    if (!wanted) tell_failure(environment);
    return wanted;
}

/* ---- by an index ---- */

/* Codes are not trusted with the order of the nearest: twice the limit are scored, and so many. */
enum { RESCORED_MIN = 20, RESCORED_TIMES = 2, BY_INDEX_LABELS_MAX = 8 };
#define INDEX_NAME_SHOWN(name) (name).bytes < 64 ? (int)(name).bytes : 64, (name).data

typedef struct ByIndex {
    const GraphIndex *index;
    const GraphFinder *finder;
    const PlanNode *scan;
    size_t ef, rescored;
    uint64_t limit;
    const Bits *bits; /* of a scan that is filtered; NULL: all of the scan's nodes take part */
    uint32_t labels[BY_INDEX_LABELS_MAX];
    TopK *top;
} ByIndex;

static Error *bad_option(const PlanNode *plan, const char *what)
{
    return error_at(error_new(ERROR_ARGUMENT_VALUE, "%s", what), plan->options->offset,
                    plan->options->length);
}

/* USING {exact: true, ef: 200}. *ef stays as it is where nothing is said. */
static Error *search_options(Operator *operator, bool * exact, size_t *ef)
{
    const PlanNode *plan = operator->plan;
    const Batch unit = {.row_count = 1, .selected_count = 1};
    EvalContext context = {0};
    Value options;
    *exact = false;
    if (plan->options == NULL) return NULL;
    operator_context(operator, operator->arena, &context);
    TRY(expr_evaluate(plan->options, &context, &unit, 0, &options));
    const Value *given = value_map_get(options, STR("exact"));
    if (given != NULL && given->kind != VALUE_BOOLEAN && given->kind != VALUE_NULL)
        return bad_option(plan, "`exact` is true or false");
    *exact = given != NULL && given->kind == VALUE_BOOLEAN && given->as.boolean;
    given = value_map_get(options, STR("ef"));
    if (given == NULL || given->kind == VALUE_NULL) return NULL;
    if (given->kind != VALUE_INTEGER || given->as.integer < 1 || given->as.integer > NEAR_EF_MAX)
        return bad_option(plan, "`ef` is a number from 1 to 4096");
    *ef = (size_t)given->as.integer;
    return NULL;
}

/* An index on a label of the scan that can answer for this view and query. */
static bool find_index(const Operator *operator, const Leg * leg, ByIndex *by)
{
    const GraphView *view = &operator->execution->view;
    const PlanNode *scan = by->scan;
    if (scan->label_count > BY_INDEX_LABELS_MAX) return false;
    for (uint32_t i = 0; i < scan->label_count; i++)
        by->labels[i] = name_resolve(operator->execution, NAME_LABEL, scan->labels[i]);
    for (uint32_t i = 0; i < scan->label_count && by->finder == NULL; i++) {
        by->index = graph_index_on(view->graph, by->labels[i], leg->key, true);
        if (graph_index_serves(by->index, view) && by->index->metric == leg->plan->metric &&
            by->index->dimensions == leg->query.dimensions)
            by->finder = graph_finder(view, by->index);
    }
    return by->finder != NULL;
}

/* Is the node one of the scan's, as the view shows it? */
static bool takes_part(const Operator *operator, const ByIndex * by, uint64_t node)
{
    const GraphView *view = &operator->execution->view;
    if (by->bits != NULL)
        return node / GRAPH_BLOCK_ROWS < by->bits->block_count &&
               (by->bits->words[node / 64] >> node % 64 & 1);
    if (!graph_node_visible(view, node)) return false;
    for (uint32_t i = 0; i < by->scan->label_count; i++)
        if (!graph_node_has_label(view, node, by->labels[i])) return false;
    return true;
}

static bool has_changed(const ByIndex *by, uint64_t node)
{
    const uint64_t *changed = graph_finder_changed(by->finder, node / GRAPH_BLOCK_ROWS);
    size_t row = node % GRAPH_BLOCK_ROWS;
    return changed != NULL &&
           (__atomic_load_n(&changed[row / 64], __ATOMIC_RELAXED) >> row % 64 & 1);
}

static int by_id(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

/* Ascending, each once: what was added to an index again stands in it twice. */
static uint32_t sort_nodes(uint64_t *nodes, uint32_t count)
{
    enum { FEW = 64 };
    uint32_t kept = 0;
    if (count > FEW) qsort(nodes, count, sizeof *nodes, by_id);
    for (uint32_t i = 1; count <= FEW && i < count; i++) {
        uint64_t node = nodes[i];
        uint32_t at = i;
        for (; at > 0 && nodes[at - 1] > node; at--)
            nodes[at] = nodes[at - 1];
        nodes[at] = node;
    }
    for (uint32_t i = 0; i < count; i++)
        if (i == 0 || nodes[i] != nodes[i - 1]) nodes[kept++] = nodes[i];
    return kept;
}

static void score_nodes(Leg *leg, const ByIndex *by, const uint64_t *nodes, uint32_t count,
                        Scored *scored)
{
    for (uint32_t from = 0; from < count; from += VECTOR_PIECE_ROWS) {
        uint32_t some = count - from < VECTOR_PIECE_ROWS ? count - from : VECTOR_PIECE_ROWS;
        leg_score_nodes(leg, nodes + from, some, topk_floor(by->top), scored);
        for (uint32_t i = 0; i < scored->count; i++)
            topk_offer(by->top, scored->scores[i], scored->ids[i]);
    }
}

/* The nearest by their codes that take part and have not changed since, by their vectors. */
static void score_found(Operator *operator, Leg * leg, const ByIndex *by, size_t ef,
                        uint64_t seen[NEAR_EF_MAX], uint32_t *seen_count, Scored *scored)
{
    uint32_t found[NEAR_EF_MAX], count = 0;
    const CodesKernel *kernel = codes_kernel(operator->execution->environment.simd);
    size_t found_count =
        near_search(graph_finder_thing(by->finder), kernel, &leg->query.vector, ef, found);
    for (size_t i = 0; i < found_count && count < by->rescored; i++)
        if (!has_changed(by, found[i]) && takes_part(operator, by, found[i]))
            seen[count++] = found[i];
    *seen_count = sort_nodes(seen, count);
    score_nodes(leg, by, seen, *seen_count, scored);
}

/* What has changed since the index was made. A node that changes between two looks is in `seen`. */
static void score_changed(Operator *operator, Leg * leg, const ByIndex *by, const uint64_t *seen,
                          uint32_t seen_count, Scored *scored, uint64_t *candidates)
{
    uint64_t nodes[GRAPH_BLOCK_ROWS];
    uint64_t blocks = graph_finder_changed_count(by->finder) == 0
                          ? 0
                          : graph_block_count(&operator->execution->view);
    for (uint64_t block = 0; block < blocks; block++) {
        const uint64_t *changed = graph_finder_changed(by->finder, block);
        uint32_t count = 0;
        for (uint32_t w = 0; changed != NULL && w < GRAPH_BLOCK_WORDS; w++)
            for (uint64_t bits = __atomic_load_n(&changed[w], __ATOMIC_RELAXED); bits != 0;
                 bits &= bits - 1) {
                uint64_t node =
                    block * GRAPH_BLOCK_ROWS + w * UINT64_C(64) + (uint64_t)__builtin_ctzll(bits);
                if (takes_part(operator, by, node) &&
                    bsearch(&node, seen, seen_count, sizeof node, by_id) == NULL)
                    nodes[count++] = node;
            }
        *candidates += count;
        score_nodes(leg, by, nodes, count, scored);
    }
}

/* How many nodes take part, about: then the search goes as far as there are others between them. */
static uint64_t participants(const Operator *operator, const ByIndex * by)
{
    uint64_t count = by->bits == NULL ? UINT64_MAX : by->bits->count;
    for (uint32_t i = 0; i < by->scan->label_count; i++) {
        uint64_t labelled = graph_label_count(&operator->execution->view, by->labels[i]);
        if (labelled < count) count = labelled;
    }
    return count;
}

/* true: `best` has the rows. Else nothing was done: looking at all that take part is
 * cheaper, or the index did not find enough of them (filters may hide all that is near). */
static bool ask_index(Operator *operator, Leg * leg, ByIndex *by, Scored *scored, BestRows *best,
                      ScoreFacts *facts)
{
    const NearIndex *near = graph_finder_thing(by->finder);
    uint64_t wanted = participants(operator, by), seen[NEAR_EF_MAX], looked_at = 0;
    uint32_t seen_count;
    if (near_exact_is_cheaper(near, by->ef, wanted)) return false;
    size_t ef = near_ef(near, by->ef, wanted);
    by->top = topk_create((size_t)by->limit);
    score_found(operator, leg, by, ef, seen, &seen_count, scored);
    score_changed(operator, leg, by, seen, seen_count, scored, &looked_at);
    bool answered = topk_count(by->top) == by->limit;
    if (answered) {
        TopKHit hits[COLUMN_K_MAX];
        offer_hits(operator, hits, topk_take(by->top, hits), best);
        facts->candidates += ef + looked_at;
        leg->matches = 1;
        snprintf(facts->where, sizeof facts->where, "index %.*s",
                 INDEX_NAME_SHOWN(by->index->name));
    }
    topk_destroy(by->top);
    return answered;
}

/* by->finder: NULL where no index can, or is to, answer. */
static Error *prepare_index(Operator *operator, Leg * leg, ByIndex *by)
{
    bool exact,
        directed = leg->query.vector.metric != VECTOR_COSINE || leg->query.vector.factor != 0;
    size_t ef = 0;
    TRY(search_options(operator, & exact, &ef));
    by->scan = scan_below(operator->plan);
    if (exact || !directed || !find_index(operator, leg, by)) return NULL;
    by->ef = ef != 0 ? ef : by->index->ef != 0 ? by->index->ef : NEAR_EF;
    by->rescored = (size_t)by->limit * RESCORED_TIMES;
    if (by->rescored < RESCORED_MIN) by->rescored = RESCORED_MIN;
    if (by->ef < by->rescored) by->ef = by->rescored;
    return NULL;
}

/* ---- all of it ---- */

/* Of a scan that is filtered, or that no index has answered. What is left of the bits is to be scored
 * otherwise. */
static Error *answer(Operator *operator, Leg * leg, ByIndex *by, bool device, Bits *bits,
                     Scored *scored, BestRows *best, ScoreFacts *facts)
{
    const ExecutionEnvironment *environment = &operator->execution->environment;
    VectorDeviceInfo info;
    TRY(take_candidates(operator, bits));
    by->bits = bits;
    if (by->finder != NULL && ask_index(operator, leg, by, scored, best, facts)) {
        bits->block_count = 0;
        return NULL;
    }
    facts->candidates += bits->count;
    if (device && ask_device(operator, leg, by->limit, bits, best)) {
        vector_device_info(environment->device, &info);
        snprintf(facts->where, sizeof facts->where, "vulkan %s", info.name);
        return NULL;
    }
    if (device) tell_failure(environment);
    return search_column(operator, leg, by->limit, bits, best, facts);
}

Error *score_scan(Operator *operator, Leg * leg, uint64_t limit, Scored *scored, BestRows *best,
                  ScoreFacts *facts)
{
    Bits bits = {0};
    ByIndex by = {.limit = limit};
    facts->where[0] = '\0';
    if (!score_scans(operator->plan) || !leg_constant(leg) || leg->query.none) return NULL;
    if (limit == 0 || limit > COLUMN_K_MAX) return NULL;
    TRY(prepare_index(operator, leg, &by));
    if (by.finder != NULL && operator->plan->input == by.scan) {
        if (ask_index(operator, leg, &by, scored, best, facts)) return NULL;
        by.finder = NULL;
    }
    bool device = wants_device(operator, leg, limit);
    const ExecutionEnvironment *environment = &operator->execution->environment;
    if (!device && by.finder == NULL && !wants_codes(environment, leg->query.dimensions) &&
        workers_for(environment, leg, scanned_nodes(operator)) == 1)
        return NULL;
    Error *error = answer(operator, leg, &by, device, &bits, scored, best, facts);
    if (error == NULL) error = score_rest(operator, leg, &bits, scored, best);
    mem_free(bits.words);
    return error;
}

/* ---- a query each row ---- */

typedef struct Each { /* rows of the input that are asked for together */
    Operator *operator;
    Leg *leg;
    uint64_t limit;
    BestRows *best;
    Scored *scored;
    ScoreFacts *facts;
    Bits bits;      /* candidates, of every row */
    uint64_t *left; /* of them, what a search has not answered for */
    const Batch *in;
    uint32_t count;
    uint16_t positions[COLUMN_QUERIES_MAX]; /* in the batch */
    VectorQuery queries[COLUMN_QUERIES_MAX];
    float *padded; /* of each */
    size_t padded_capacity;
} Each;

static bool only_looks_at(const Expr *expr, uint32_t slot, uint32_t *slots)
{
    uint32_t count = 0;
    bool pure = score_inputs(expr, slots, &count);
    return pure && (count == 0 || (count == 1 && slots[0] == slot));
}

/* Are the candidates the same for every row of the input below the scan, and the query another one's
 * matter? */
static bool asks_each(Operator *operator, const Leg * leg)
{
    const PlanNode *plan = operator->plan, *scan = scan_below(plan);
    uint32_t slot = plan->legs[0].slot,
             *slots =
                 arena_array(operator->arena, uint32_t, operator->execution->plan->slot_count + 1);
    if (scan->kind != PLAN_NODE_SCAN || scan->slot != slot || scan->input->kind == PLAN_UNIT ||
        plan->limit == NULL || plan->per_slot == slot ||
        !leg->pure ||
        operator->execution->environment.moments != NULL || plan_writes_below(scan->input))
        return false;
    for (uint32_t i = 0; i < leg->slot_count; i++)
        if (leg->slots[i] == slot) return false;
    for (const PlanNode *node = plan->input; node != scan; node = node->input)
        if (!only_looks_at(node->expr, slot, slots)) return false;
    return true;
}

static Error *filter_block(Operator *operator, Bits * bits, Program *program, uint64_t block)
{
    EvalContext context;
    uint64_t ids[GRAPH_BLOCK_ROWS], *words = bits->words + block * GRAPH_BLOCK_WORDS;
    uint32_t count = take_ids_of(words, block, ids);
    if (count == 0) return NULL;
    Batch *batch = batch_of_nodes(operator, ids, count);
    operator_context(operator, operator->arena, &context);
    TRY(program_filter(program, &context, batch));
    memset(words, 0, GRAPH_BLOCK_WORDS * sizeof *words);
    for (uint32_t i = 0; i < batch->selected_count; i++) {
        uint64_t id = ids[batch_position(batch, i)];
        bits->words[id / 64] |= UINT64_C(1) << id % 64;
    }
    bits->count += batch->selected_count;
    return operator_interrupted(operator);
}

/* What a filter above the scan leaves of the candidates. */
static Error *filter_bits(Operator *operator, Bits * bits, const PlanNode *filter)
{
    Arena *arena = arena_create();
    Program *program = program_compile(arena, filter->expr);
    Error *error = NULL;
    bits->count = 0;
    for (uint64_t b = 0; b < bits->block_count && error == NULL; b++)
        error = filter_block(operator, bits, program, b);
    arena_destroy(arena);
    return error;
}

static Error *candidates_of_each(Each *each)
{
    Operator *operator= each->operator;
    const PlanNode *scan = scan_below(operator->plan);
    each->bits.block_count = graph_block_count(&operator->execution->view);
    size_t words = each->bits.block_count * GRAPH_BLOCK_WORDS + 1;
    each->bits.words = mem_calloc(words, sizeof *each->bits.words);
    each->left = mem_calloc(words, sizeof *each->left);
    bits_of_scan(operator, scan, &each->bits);
    for (const PlanNode *node = operator->plan->input; node != scan; node = node->input)
        TRY(filter_bits(operator, & each->bits, node));
    return NULL;
}

/* The row at `position` with each of the nodes. */
static Batch *row_with_nodes(Each *each, uint16_t position, const uint64_t *ids, uint32_t count)
{
    Operator *operator= each->operator;
    uint16_t positions[BATCH_ROWS_MAX];
    for (uint32_t i = 0; i < count; i++)
        positions[i] = position;
    arena_reset(operator->arena);
    Batch *batch = batch_extend(operator, each->in, positions, count);
    Column *column =
        batch_column(operator->arena, batch, operator->plan->legs[0].slot, COLUMN_NODE);
    memcpy(column->ids, ids, count * sizeof *ids);
    return batch;
}

static Value per_of(const Each *each, const Batch *batch, uint32_t position)
{
    uint32_t slot = each->operator->plan->per_slot;
    return slot == SLOT_NONE ? value_null() : column_value(&batch->columns[slot], position);
}

static void offer_row(Each *each, uint16_t position, const TopKHit *hits, size_t count)
{
    uint64_t ids[COLUMN_K_MAX] = {0};
    if (count == 0) return;
    for (size_t i = 0; i < count; i++)
        ids[i] = hits[i].id;
    const Batch *batch = row_with_nodes(each, position, ids, (uint32_t)count);
    for (size_t i = 0; i < count; i++)
        best_offer(each->best, batch, (uint32_t)i, (double)hits[i].score, hits[i].id,
                   per_of(each, batch, (uint32_t)i));
}

/* The row's candidates that the search has left over. */
static Error *score_left_over(Each *each, uint16_t position)
{
    for (uint64_t b = 0; b < each->bits.block_count; b++) {
        uint64_t ids[GRAPH_BLOCK_ROWS];
        uint32_t count = take_ids_of(each->left + b * GRAPH_BLOCK_WORDS, b, ids);
        if (count == 0) continue;
        const Batch *batch = row_with_nodes(each, position, ids, count);
        TRY(leg_score(each->leg, batch, -INFINITY, each->scored));
        for (uint32_t i = 0; i < each->scored->count; i++)
            best_offer(each->best, batch, each->scored->positions[i],
                       (double)each->scored->scores[i], each->scored->ids[i],
                       per_of(each, batch, each->scored->positions[i]));
    }
    return NULL;
}

static Error *give_answers(Each *each, ColumnSearch *search)
{
    TopKHit hits[COLUMN_K_MAX];
    for (uint32_t q = 0; q < each->count; q++) {
        offer_row(each, each->positions[q], hits, column_search_take(search, q, hits));
        TRY(score_left_over(each, each->positions[q]));
        TRY(operator_check_memory(each->operator, best_bytes(each->best)));
    }
    return NULL;
}

/* One pass over the column for the rows at hand, in their order. */
static Error *search_each(Each *each)
{
    const ExecutionEnvironment *environment = &each->operator->execution->environment;
    if (each->count == 0) return NULL;
    ColumnRequest request = request_for(environment, each->leg, each->limit, &each->bits);
    memcpy(each->left, each->bits.words,
           each->bits.block_count * GRAPH_BLOCK_WORDS * sizeof *each->left);
    request.words = each->left;
    request.dimensions = each->leg->query.dimensions;
    request.queries = each->queries;
    request.query_count = each->count;
    ColumnSearch *search = column_search_create(&request);
    Error *error = run_search(environment, search, request.workers);
    if (error == NULL) note_search(search, each->leg, each->facts);
    if (error == NULL) error = give_answers(each, search);
    column_search_destroy(search);
    each->facts->candidates += each->bits.count * each->count;
    each->count = 0;
    return error;
}

/* Puts the query that the leg has just made ready beside the others; those of another dimension are
 * asked first. */
static void take_query(Each *each, uint16_t position)
{
    const VectorQuery *query = &each->leg->query.vector;
    size_t stride = query->stride;
    mem_reserve(each->padded, each->padded_capacity, COLUMN_QUERIES_MAX * stride);
    for (uint32_t q = 0; q <= each->count; q++) { /* it may have moved */
        if (q == each->count) each->queries[q] = *query;
        each->queries[q].query = each->padded + q * stride;
    }
    memcpy(each->padded + each->count * stride, query->query, stride * sizeof(float));
    each->positions[each->count++] = position;
}

static Error *take_rows(Each *each)
{
    Leg *leg = each->leg;
    uint32_t dimensions = 0;
    for (uint32_t i = 0; i < each->in->selected_count; i++) {
        uint32_t position = batch_position(each->in, i);
        TRY(leg_query(leg, each->in, position));
        if (leg->query.none) continue;
        if (each->count > 0 &&
            (each->count == COLUMN_QUERIES_MAX || leg->query.dimensions != dimensions)) {
            leg->query.dimensions = dimensions;
            TRY(search_each(each));
            TRY(leg_query(leg, each->in, position));
        }
        dimensions = leg->query.dimensions;
        take_query(each, (uint16_t)position);
    }
    return search_each(each);
}

static Error *each_row(Each *each)
{
    Operator *input = each->operator->input;
    for (const PlanNode *node = each->operator->plan->input; node->kind == PLAN_FILTER;
         node = node->input)
        input = input->input;
    TRY(candidates_of_each(each));
    for (Batch *batch;;) {
        TRY(operator_next(input->input, &batch));
        if (batch == NULL) return NULL;
        each->operator->execution->rows[input->plan->id] +=
            each->bits.count * batch->selected_count;
        each->in = batch;
        TRY(take_rows(each));
    }
}

Error *score_each(Operator *operator, Leg * leg, uint64_t limit, Scored *scored, BestRows *best,
                  ScoreFacts *facts)
{
    if (limit == 0 || limit > COLUMN_K_MAX || !asks_each(operator, leg)) return NULL;
    Each *each = mem_calloc(1, sizeof *each);
    each->operator= operator, each->leg = leg, each->limit = limit;
    each->best = best, each->scored = scored, each->facts = facts;
    snprintf(facts->where, sizeof facts->where, "cpu %s", leg->kernel->name);
    Error *error = each_row(each);
    mem_free(each->bits.words);
    mem_free(each->left);
    mem_free(each->padded);
    mem_free(each);
    return error;
}

/* ---- EXPLAIN, SHOW HARDWARE ---- */

void score_device_info(const ExecutionEnvironment *environment, VectorDeviceInfo *out)
{
    VectorDeviceOptions options = options_of(environment);
    vector_device_open(environment->device, &options);
    vector_device_info(environment->device, out);
}

static bool limit_fits(const Expr *limit)
{
    return limit != NULL &&
           (limit->kind != EXPR_CONSTANT ||
            (limit->value.as.integer > 0 && limit->value.as.integer <= COLUMN_K_MAX));
}

static bool is_estimated(const PlanNode *plan, double *out)
{
    const PlanNode *scan = scan_below(plan);
    *out = scan->estimated_rows;
    return scan->kind == PLAN_NODE_SCAN && *out >= 0 && scan->input->kind == PLAN_UNIT;
}

static bool says_exact(const Expr *options)
{
    for (uint32_t i = 0; options != NULL && options->kind == EXPR_MAP && i < options->arg_count;
         i++)
        if (str_equal(options->keys[i], STR("exact")))
            return options->args[i]->kind != EXPR_CONSTANT || options->args[i]->value.as.boolean;
    return false;
}

/* The index that would answer, with as many candidates as are foreseen; NULL: none. */
static const GraphIndex *foreseen_index(const ExecutionEnvironment *environment,
                                        const PlanNode *plan)
{
    const GraphView *view = &environment->view;
    const PlanScoreLeg *leg = &plan->legs[0];
    const PlanNode *scan = scan_below(plan);
    double rows = plan->input->estimated_rows;
    if (!score_scans(plan) || !limit_fits(plan->limit) || says_exact(plan->options)) return NULL;
    for (uint32_t i = 0; i < scan->label_count; i++) {
        if (scan->labels[i].id == GRAPH_NAME_UNKNOWN || leg->key.id == GRAPH_NAME_UNKNOWN) continue;
        const GraphIndex *index =
            graph_index_on(view->graph, scan->labels[i].id, leg->key.id, true);
        const GraphFinder *finder =
            graph_index_serves(index, view) && index->metric == leg->metric &&
                    (leg->dimensions == 0 || index->dimensions == leg->dimensions)
                ? graph_finder(view, index)
                : NULL;
        if (finder == NULL) continue;
        size_t ef = index->ef != 0 ? index->ef : NEAR_EF;
        bool few = rows >= 0 && near_exact_is_cheaper(graph_finder_thing(finder), ef, (size_t)rows);
        return few ? NULL : index;
    }
    return NULL;
}

const char *score_where(const ExecutionEnvironment *environment, const PlanNode *plan, Arena *arena)
{
    VectorDeviceOptions options = options_of(environment);
    VectorDeviceInfo info = {.open = false};
    double rows;
    const GraphIndex *index = foreseen_index(environment, plan);
    if (index != NULL) return arena_printf(arena, "on index %.*s", INDEX_NAME_SHOWN(index->name));
    bool fits = environment->device != NULL && score_scans(plan) && limit_fits(plan->limit);
    if (fits && options.use == VECTOR_DEVICE_FORCE)
        vector_device_wanted(environment->device, &options, 0);
    if (fits && options.use != VECTOR_DEVICE_OFF) vector_device_info(environment->device, &info);
    bool used = info.open && (options.use == VECTOR_DEVICE_FORCE || !info.software);
    uint32_t dimensions = plan->legs[0].dimensions; /* 0: they are not known before the run */
    bool codes = score_scans(plan) && limit_fits(plan->limit) &&
                 wants_codes(environment, dimensions == 0 ? UINT32_MAX : dimensions);
    const char *cpu = vector_kernel(environment->simd)->name;
    const char *where = used ? arena_printf(arena, "vulkan %s", info.name)
                             : arena_printf(arena, "cpu %s%s", cpu, codes ? " with codes" : "");
    return is_estimated(plan, &rows) ? arena_printf(arena, "on %s, ~%.0f candidates", where, rows)
                                     : arena_printf(arena, "on %s", where);
}
