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
 * An index answers by rank/nearest.h. Where looking at all candidates is cheaper, or the index finds too
 * few of them, they are answered as if it were not there.
 *
 * A query that comes from the row (each user's vector against all documents) is taken with those of up to
 * 511 other rows, if the candidates do not depend on the row. An index is asked by several workers at
 * once; who has none, or is not answered, is asked of the column, 64 at a time: one pass over it finds
 * the best of each, so that what is read once serves all. Filters that look at both sides of a pair are
 * asked about what is found, in rounds of more and more of it (search_pairs). The best of a row are offered
 * in the order of the rows; what LIMIT or PER keep of them is what they would keep of all.
 *
 * Where many rows come of hops and filters, they are asked for anew: for bits, of whose nodes the best are
 * found as those of a scan are, and once more for the rows of these best, unless nothing but the node is
 * wanted of them (score_again).
 *
 * Not here: whether a device is worth it, and opening it (vector/device.c).
 */
#include "config.h"

#include "base/bits.h"
#include "base/map.h"
#include "execution/score_internal.h"
#include "rank/column.h"
#include "rank/nearest.h"
#include "runtime/workers.h"
#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { SCORE_K_MAX = NEAREST_K_MAX }; /* above, nothing here is of help */
_Static_assert((int)SCORE_K_MAX >= (int)COLUMN_K_MAX && (int)SCORE_K_MAX <= (int)BATCH_ROWS_MAX,
               "hits of a query are one batch");

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

/* Each node counts once; *once: none is there twice. */
static Error *bits_of_rows(Operator *operator, Bits * bits, bool *once)
{
    uint32_t slot = operator->plan->legs[0].slot;
    Batch *batch;
    *once = true;
    for (;;) {
        TRY(operator_next(operator->input, &batch));
        if (batch == NULL) return NULL;
        *once = *once && batch->multiplicity == NULL;
        for (uint32_t i = 0; i < batch->selected_count; i++) {
            uint64_t id;
            if (!entity_at(batch, slot, batch_position(batch, i), VALUE_NODE, &id)) continue;
            uint64_t *word = &bits->words[id / 64], bit = UINT64_C(1) << id % 64;
            bool again = (*word & bit) != 0;
            *once = *once && !again;
            *word |= bit;
            bits->count += !again;
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
        bits->count += bits_in_many(words, GRAPH_BLOCK_WORDS);
    }
}

static Error *take_candidates(Operator *operator, Bits * bits)
{
    const PlanNode *scan = scan_below(operator->plan);
    bits->block_count = graph_block_count(&operator->execution->view);
    bits->words = mem_calloc(bits->block_count * GRAPH_BLOCK_WORDS + 1, sizeof *bits->words);
    bool once;
    if (operator->plan->input != scan) return bits_of_rows(operator, bits, &once);
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
    assert(count <= SCORE_K_MAX); /* which fits a batch */
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

/* The bits of those that were searched are gone. */
static Error *find_in_column(Operator *operator, Leg * leg, uint64_t limit, Bits *bits,
                             TopKHit *hits, size_t *count, ScoreFacts *facts)
{
    const ExecutionEnvironment *environment = &operator->execution->environment;
    ColumnRequest request = request_for(environment, leg, limit, bits);
    ColumnSearch *search = column_search_create(&request);
    Error *error = run_search(environment, search, request.workers);
    if (error == NULL) {
        *count = column_search_take(search, 0, hits);
        note_search(search, leg, facts);
    }
    column_search_destroy(search);
    return error;
}

static Error *search_column(Operator *operator, Leg * leg, uint64_t limit, Bits *bits,
                            BestRows *best, ScoreFacts *facts)
{
    TopKHit hits[COLUMN_K_MAX];
    size_t count;
    TRY(find_in_column(operator, leg, limit, bits, hits, &count, facts));
    offer_hits(operator, hits, count, best);
    return NULL;
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

#define INDEX_NAME_SHOWN(name) (name).bytes < 64 ? (int)(name).bytes : 64, (name).data

typedef struct ByIndex {
    const GraphIndex *index;
    const PlanNode *scan;
    size_t said;            /* how widely, by USING; 0: nothing is said of it */
    bool exact;             /* as USING says */
    NearestRequest request; /* without a finder: no index can, or is to, answer */
} ByIndex;

static Error *bad_option(const PlanNode *plan, const char *what)
{
    return error_at(error_new(ERROR_ARGUMENT_VALUE, "%s", what), plan->options->offset,
                    plan->options->length);
}

/* USING {exact: true, ef: 200}. */
static Error *search_options(Operator *operator, ByIndex * by)
{
    const PlanNode *plan = operator->plan;
    const Batch unit = {.row_count = 1, .selected_count = 1};
    EvalContext context = {0};
    Value options;
    if (plan->options == NULL) return NULL;
    operator_context(operator, operator->arena, &context);
    TRY(expr_evaluate(plan->options, &context, &unit, 0, &options));
    const Value *given = value_map_get(options, STR("exact"));
    if (given != NULL && given->kind != VALUE_BOOLEAN && given->kind != VALUE_NULL)
        return bad_option(plan, "`exact` is true or false");
    by->exact = given != NULL && given->kind == VALUE_BOOLEAN && given->as.boolean;
    given = value_map_get(options, STR("ef"));
    if (given == NULL || given->kind == VALUE_NULL) return NULL;
    if (given->kind != VALUE_INTEGER || given->as.integer < 1 || given->as.integer > NEAR_EF_MAX)
        return bad_option(plan, "`ef` is a number from 1 to 4096");
    by->said = (size_t)given->as.integer;
    return NULL;
}

/* What is asked for the same way whatever the query is. */
static Error *index_begin(Operator *operator, uint64_t limit, ByIndex *by)
{
    *by = (ByIndex){.scan = scan_below(operator->plan)};
    TRY(search_options(operator, by));
    if (by->scan->label_count > NEAREST_LABELS_MAX || limit == 0 || limit > NEAREST_K_MAX)
        by->exact = true;
    by->request.k = (size_t)limit;
    for (uint32_t i = 0; i < by->scan->label_count && !by->exact; i++)
        by->request.labels[i] = name_resolve(operator->execution, NAME_LABEL, by->scan->labels[i]);
    by->request.label_count = by->exact ? 0 : by->scan->label_count;
    return NULL;
}

static uint64_t fewest(const GraphView *view, const uint32_t *labels, uint32_t count)
{
    uint64_t nodes = UINT64_MAX;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t labelled = graph_label_count(view, labels[i]);
        if (labelled < nodes) nodes = labelled;
    }
    return nodes;
}

/* An index on a label of the scan that can answer for this view and queries like the one at hand. */
static void find_index(const Operator *operator, const Leg * leg, ByIndex *by)
{
    const GraphView *view = &operator->execution->view;
    const ExecutionEnvironment *environment = &operator->execution->environment;
    NearestRequest *request = &by->request;
    request->finder = NULL;
    for (uint32_t i = 0; i < request->label_count && request->finder == NULL; i++) {
        by->index = graph_index_on(view, request->labels[i], leg->key, true);
        if (by->index != NULL && by->index->metric == leg->plan->metric &&
            by->index->dimensions == leg->query.dimensions)
            request->finder = graph_finder(view, by->index);
    }
    if (request->finder == NULL) return;
    request->view = view;
    request->key = leg->key;
    request->dimensions = leg->query.dimensions;
    request->kernel = leg->kernel;
    request->codes_kernel = codes_kernel(environment->simd);
    request->firm = by->said != 0;
    request->ef = request->firm ? by->said : nearest_breadth(environment->vector_ef, by->index);
}

/* Those of `bits` take part, or, without, all with the scan's labels. */
static void index_among(const Operator *operator, ByIndex * by, const Bits *bits)
{
    NearestRequest *request = &by->request;
    request->words = bits == NULL ? NULL : bits->words;
    request->block_count = bits == NULL ? 0 : bits->block_count;
    request->participants =
        fewest(&operator->execution->view, request->labels, request->label_count);
    if (bits != NULL && bits->count < request->participants) request->participants = bits->count;
}

/* Has the query a direction, where only that counts? Else no row has a score. */
static bool is_directed(const VectorQuery *query)
{
    return query->metric != VECTOR_COSINE || query->factor != 0;
}

static void note_index(const ByIndex *by, Leg *leg, uint64_t candidates, ScoreFacts *facts)
{
    leg->matches = 1;
    facts->candidates += candidates;
    snprintf(facts->where, sizeof facts->where, "index %.*s", INDEX_NAME_SHOWN(by->index->name));
}

/* true: the k best are in `hits`. Else nothing was done: looking at all that take part is
 * cheaper, or the index did not find enough of them (filters may hide all that is near). */
static bool find_by_index(Operator *operator, Leg * leg, ByIndex *by, const Bits *bits,
                          TopKHit *hits, ScoreFacts *facts)
{
    NearestSide side = {0};
    index_among(operator, by, bits);
    if (!nearest_pays(&by->request)) return false;
    size_t count = nearest_search(&by->request, &side, &leg->query.vector, hits);
    nearest_side_end(&side);
    if (count < by->request.k) return false;
    note_index(by, leg, side.candidates, facts);
    return true;
}

/* ... as rows of the scan in `best`. */
static bool ask_index(Operator *operator, Leg * leg, ByIndex *by, const Bits *bits, BestRows *best,
                      ScoreFacts *facts)
{
    TopKHit hits[NEAREST_K_MAX];
    if (!find_by_index(operator, leg, by, bits, hits, facts)) return false;
    offer_hits(operator, hits, by->request.k, best);
    return true;
}

/* ---- all of it ---- */

/* Of a scan that is filtered, or that no index has answered. What is left of the bits is to be scored
 * otherwise. */
static Error *answer(Operator *operator, Leg * leg, ByIndex *by, bool device, Bits *bits,
                     BestRows *best, ScoreFacts *facts)
{
    const ExecutionEnvironment *environment = &operator->execution->environment;
    VectorDeviceInfo info;
    uint64_t limit = by->request.k;
    TRY(take_candidates(operator, bits));
    if (by->request.finder != NULL && ask_index(operator, leg, by, bits, best, facts)) {
        bits->block_count = 0;
        return NULL;
    }
    facts->candidates += bits->count;
    if (device && ask_device(operator, leg, limit, bits, best)) {
        vector_device_info(environment->device, &info);
        snprintf(facts->where, sizeof facts->where, "vulkan %s", info.name);
        return NULL;
    }
    if (device) tell_failure(environment);
    if (limit <= COLUMN_K_MAX) return search_column(operator, leg, limit, bits, best, facts);
    snprintf(facts->where, sizeof facts->where, "cpu %s", leg->kernel->name);
    return NULL;
}

Error *score_scan(Operator *operator, Leg * leg, uint64_t limit, Scored *scored, BestRows *best,
                  ScoreFacts *facts)
{
    const ExecutionEnvironment *environment = &operator->execution->environment;
    Bits bits = {0};
    ByIndex by;
    facts->where[0] = '\0';
    if (!score_scans(operator->plan) || !leg_constant(leg) || leg->query.none) return NULL;
    if (limit == 0 || limit > SCORE_K_MAX) return NULL;
    TRY(index_begin(operator, limit, &by));
    if (is_directed(&leg->query.vector)) find_index(operator, leg, &by);
    if (by.request.finder != NULL && operator->plan->input == by.scan) {
        if (ask_index(operator, leg, &by, NULL, best, facts)) return NULL;
        by.request.finder = NULL;
    }
    bool device = wants_device(operator, leg, limit);
    bool column =
        limit <= COLUMN_K_MAX && (wants_codes(environment, leg->query.dimensions) ||
                                  workers_for(environment, leg, scanned_nodes(operator)) > 1);
    if (!device && by.request.finder == NULL && !column) return NULL;
    Error *error = answer(operator, leg, &by, device, &bits, best, facts);
    if (error == NULL) error = score_rest(operator, leg, &bits, scored, best);
    mem_free(bits.words);
    return error;
}

/* ---- candidates of a pattern ---- */

/* Where rows are wanted that hold more than the node they are asked for twice, which takes as long as
 * scoring so many components. */
enum { AGAIN_DIMENSIONS_MIN = 256 };

static bool gives_again(const PlanNode *node, uint32_t *slots)
{
    uint32_t count = 0;
    switch (node->kind) {
    case PLAN_NODE_SCAN:
    case PLAN_EXPAND: return true;
    case PLAN_NODE_SEEK:
    case PLAN_FILTER: return score_inputs(node->expr, slots, &count);
    default: return false;
    }
}

/* Are the rows below the same ones when they are asked for again: hops and filters? `slots` has room for
 * all of the plan's. */
static bool asks_again(const PlanNode *plan, bool moments, uint32_t *slots)
{
    if (plan->kind != PLAN_SCORE || plan->per_slot != SLOT_NONE || plan->limit == NULL || moments)
        return false;
    const PlanNode *node = plan->input;
    while (node->kind != PLAN_UNIT && gives_again(node, slots))
        node = node->input;
    return node->kind == PLAN_UNIT;
}

/* Has the label every node of `bits`? */
static bool has_all(const GraphView *view, uint32_t label, const Bits *bits)
{
    bool all = true;
    for (uint64_t b = 0; b < bits->block_count && all; b++) {
        const uint64_t *words = bits->words + b * GRAPH_BLOCK_WORDS;
        uint64_t own[GRAPH_BLOCK_WORDS], missing = 0;
        if (!graph_scan_block(view, &label, 1, b, own)) memset(own, 0, sizeof own);
        for (uint32_t w = 0; w < GRAPH_BLOCK_WORDS; w++)
            missing |= words[w] & ~own[w];
        all = missing == 0;
    }
    return all;
}

/* An index that knows all of them. */
static void find_index_among(const Operator *operator, const Leg * leg, ByIndex *by,
                             const Bits *bits)
{
    const GraphView *view = &operator->execution->view;
    uint32_t count = by->exact ? 0 : graph_index_count(view->graph);
    for (uint32_t i = 0; i < count && by->request.finder == NULL; i++) {
        const GraphIndex *index = graph_index_at(view, i);
        if (index == NULL || !index->vector || index->key != leg->key) continue;
        by->request.labels[0] = index->label;
        by->request.label_count = 1;
        find_index(operator, leg, by);
        if (by->request.finder != NULL && !has_all(view, index->label, bits))
            by->request.finder = NULL;
    }
}

static int by_id(const void *a, const void *b)
{
    uint64_t x = ((const TopKHit *)a)->id, y = ((const TopKHit *)b)->id;
    return x < y ? -1 : x > y;
}

/* Does nobody above want anything of a row but the node? */
static bool only_the_node(const PlanNode *plan)
{
    return plan->slot_count == 1 && plan->slots[0] == plan->legs[0].slot;
}

/* The rows of the best nodes, which hits are sorted by their ids. */
static Error *take_rows_of(Operator *operator, Bits * bits, const TopKHit *hits, size_t count,
                           BestRows *best)
{
    uint32_t slot = operator->plan->legs[0].slot;
    Batch *batch;
    memset(bits->words, 0, bits->block_count * GRAPH_BLOCK_WORDS * sizeof *bits->words);
    for (size_t i = 0; i < count; i++)
        bits->words[hits[i].id / 64] |= UINT64_C(1) << hits[i].id % 64;
    for (;;) {
        TRY(operator_next(operator->input, &batch));
        if (batch == NULL) return NULL;
        for (uint32_t i = 0; i < batch->selected_count; i++) {
            uint32_t position = batch_position(batch, i);
            TopKHit wanted;
            if (!entity_at(batch, slot, position, VALUE_NODE, &wanted.id) ||
                !(bits->words[wanted.id / 64] >> wanted.id % 64 & 1))
                continue;
            const TopKHit *hit = bsearch(&wanted, hits, count, sizeof *hits, by_id);
            best_offer(best, batch, position, (double)hit->score, hit->id, value_null());
        }
        TRY(operator_check_memory(operator, best_bytes(best)));
    }
}

/* The best of the nodes in `bits`; false: some are left that only their values tell of. */
static Error *find_best(Operator *operator, Leg * leg, ByIndex *by, Bits *bits, TopKHit *hits,
                        size_t *count, ScoreFacts *facts, bool *found)
{
    uint64_t left = 0;
    *found = true, *count = (size_t)by->request.k;
    find_index_among(operator, leg, by, bits);
    if (by->request.finder != NULL && find_by_index(operator, leg, by, bits, hits, facts))
        return NULL;
    facts->candidates += bits->count;
    TRY(find_in_column(operator, leg, by->request.k, bits, hits, count, facts));
    for (uint64_t w = 0; w < bits->block_count * GRAPH_BLOCK_WORDS; w++)
        left |= bits->words[w];
    *found = left == 0;
    return NULL;
}

static Error *search_again(Operator *operator, Leg * leg, ByIndex *by, Bits *bits, BestRows *best,
                           ScoreFacts *facts, bool *found)
{
    Execution *execution = operator->execution;
    size_t count, row_bytes = execution->plan->node_count * sizeof *execution->rows;
    ScoreFacts before = *facts;
    TopKHit hits[COLUMN_K_MAX];
    bool once;
    bits->count = 0;
    TRY(bits_of_rows(operator, bits, &once));
    TRY(find_best(operator, leg, by, bits, hits, &count, facts, found));
    if (!*found) {
        *facts = before;
        return NULL;
    }
    if (once && only_the_node(operator->plan)) {
        offer_hits(operator, hits, count, best);
        return NULL;
    }
    operator_reset(operator->input);
    uint64_t *rows = arena_alloc(leg->arena, row_bytes); /* PROFILE counts them once */
    memcpy(rows, execution->rows, row_bytes);
    qsort(hits, count, sizeof *hits, by_id);
    TRY(take_rows_of(operator, bits, hits, count, best));
    memcpy(execution->rows, rows, row_bytes);
    return NULL;
}

bool score_may_ask_again(Operator *operator, Leg * leg, uint64_t limit)
{
    const Execution *execution = operator->execution;
    uint32_t *slots = arena_array(operator->arena, uint32_t, execution->plan->slot_count + 1);
    bool pays = only_the_node(operator->plan) || leg->query.dimensions >= AGAIN_DIMENSIONS_MIN;
    return pays && limit > 0 && limit <= COLUMN_K_MAX && leg_constant(leg) && !leg->query.none &&
           is_directed(&leg->query.vector) &&
           asks_again(operator->plan, execution->environment.moments != NULL, slots);
}

Error *score_again(Operator *operator, Leg * leg, uint64_t limit, BestRows *best, ScoreFacts *facts,
                   bool *found)
{
    Bits bits = {0};
    ByIndex by;
    TRY(index_begin(operator, limit, &by));
    bits.block_count = graph_block_count(&operator->execution->view);
    bits.words = mem_calloc(bits.block_count * GRAPH_BLOCK_WORDS + 1, sizeof *bits.words);
    Error *error = search_again(operator, leg, &by, &bits, best, facts, found);
    mem_free(bits.words);
    return error;
}

/* ---- a query each row ---- */

enum { EACH_QUERIES_MAX = 512 }; /* asked of an index together: enough for its workers' waking up */

typedef struct EachQuery {
    VectorQuery query;
    uint16_t position; /* in the batch */
    bool asked;        /* of the column: `hits` are not here yet */
    bool pending;      /* with `pairs`: too few of the hits pass */
    uint32_t hit_count, chosen_count;
} EachQuery;

typedef struct Each { /* rows of the input that are asked for together */
    Operator *operator;
    Leg *leg;
    uint64_t limit;
    BestRows *best;
    Scored *scored;
    ScoreFacts *facts;
    ByIndex by;
    NearestSide *sides; /* of the index's workers */
    Bits bits;          /* candidates, of every row; no words: not needed yet */
    uint64_t *left;     /* of them, what a search has not answered for */
    const Batch *in;
    uint32_t count, count_max;
    EachQuery queries[EACH_QUERIES_MAX];
    float *padded; /* of each */
    size_t padded_capacity;
    uint64_t wanted; /* hits of a query: `limit`, more with `pairs` */
    TopKHit *hits;   /* `wanted` of each */
    size_t hit_capacity;
    /* Filters that look at both sides are asked about hits only. */
    Arena *arena;
    Program **pairs;
    uint32_t pair_count;
    TopKHit *chosen; /* those that pass, `limit` of each */
    size_t chosen_capacity;
    uint64_t tried, in_vain; /* rows so far; those for which too few passed */
    bool filtered;           /* by one that looks at the candidate alone: `bits` are needed */
} Each;

static bool only_looks_at(const Expr *expr, uint32_t slot, uint32_t *slots)
{
    uint32_t count = 0;
    bool pure = score_inputs(expr, slots, &count);
    return pure && (count == 0 || (count == 1 && slots[0] == slot));
}

/* Are the candidates the same for every row of the input below the scan, but for filters that look at
 * both, and the query another one's matter? `slots` has room for all of the plan's. */
static bool asks_each(const PlanNode *plan, bool moments, uint32_t *slots)
{
    const PlanNode *scan = scan_below(plan);
    uint32_t slot = plan->legs[0].slot, count = 0;
    if (plan->kind != PLAN_SCORE || scan->kind != PLAN_NODE_SCAN || scan->slot != slot ||
        scan->input->kind == PLAN_UNIT || plan->limit == NULL || plan->per_slot == slot ||
        moments || plan_writes_below(scan->input) ||
        !score_inputs(plan->legs[0].expr, slots, &count))
        return false;
    for (uint32_t i = 0; i < count; i++)
        if (slots[i] == slot) return false;
    for (const PlanNode *node = plan->input; node != scan; node = node->input) {
        count = 0;
        if (!score_inputs(node->expr, slots, &count)) return false;
    }
    return true;
}

/* Which filters are bits before the search, and which are asked about what it finds. */
static void sort_filters(Each *each)
{
    const Operator *operator= each->operator;
    const PlanNode *scan = scan_below(operator->plan);
    uint32_t *slots = arena_array(each->arena, uint32_t, operator->execution->plan->slot_count + 1);
    uint32_t count = 0;
    for (const PlanNode *node = operator->plan->input; node != scan; node = node->input)
        count++;
    each->pairs = arena_array(each->arena, Program *, count + 1);
    for (const PlanNode *node = operator->plan->input; node != scan; node = node->input)
        if (only_looks_at(node->expr, scan->slot, slots))
            each->filtered = true;
        else
            each->pairs[each->pair_count++] = program_compile(each->arena, node->expr);
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
    if (each->bits.words != NULL) return NULL;
    each->bits.block_count = graph_block_count(&operator->execution->view);
    size_t words = each->bits.block_count * GRAPH_BLOCK_WORDS + 1;
    each->bits.words = mem_calloc(words, sizeof *each->bits.words);
    each->left = mem_calloc(words, sizeof *each->left);
    bits_of_scan(operator, scan, &each->bits);
    uint32_t *slots = arena_array(each->arena, uint32_t, operator->execution->plan->slot_count + 1);
    for (const PlanNode *node = operator->plan->input; node != scan; node = node->input)
        if (only_looks_at(node->expr, scan->slot, slots))
            TRY(filter_bits(operator, & each->bits, node));
    return NULL;
}

/* Each of the nodes, with the row that is at its position. */
static Batch *rows_with_nodes(Each *each, const uint16_t *positions, const uint64_t *ids,
                              uint32_t count)
{
    Operator *operator= each->operator;
    arena_reset(operator->arena);
    Batch *batch = batch_extend(operator, each->in, positions, count);
    Column *column =
        batch_column(operator->arena, batch, operator->plan->legs[0].slot, COLUMN_NODE);
    memcpy(column->ids, ids, count * sizeof *ids);
    return batch;
}

static Batch *row_with_nodes(Each *each, uint16_t position, const uint64_t *ids, uint32_t count)
{
    uint16_t positions[BATCH_ROWS_MAX];
    for (uint32_t i = 0; i < count; i++)
        positions[i] = position;
    return rows_with_nodes(each, positions, ids, count);
}

static Value per_of(const Each *each, const Batch *batch, uint32_t position)
{
    uint32_t slot = each->operator->plan->per_slot;
    return slot == SLOT_NONE ? value_null() : column_value(&batch->columns[slot], position);
}

typedef struct Offer { /* hits of several rows, in their order */
    uint32_t count;
    uint16_t positions[BATCH_ROWS_MAX];
    uint64_t ids[BATCH_ROWS_MAX];
    float scores[BATCH_ROWS_MAX];
} Offer;

static Error *offer_all(Each *each, Offer *offer)
{
    if (offer->count == 0) return NULL;
    const Batch *batch = rows_with_nodes(each, offer->positions, offer->ids, offer->count);
    for (uint32_t i = 0; i < offer->count; i++)
        best_offer(each->best, batch, i, (double)offer->scores[i], offer->ids[i],
                   per_of(each, batch, i));
    offer->count = 0;
    return operator_check_memory(each->operator, best_bytes(each->best));
}

static Error *offer_row(Each *each, Offer *offer, uint16_t position, const TopKHit *hits,
                        uint32_t count)
{
    if (offer->count + count > BATCH_ROWS_MAX) TRY(offer_all(each, offer));
    for (uint32_t i = 0; i < count; i++) {
        offer->positions[offer->count] = position;
        offer->ids[offer->count] = hits[i].id;
        offer->scores[offer->count++] = hits[i].score;
    }
    return NULL;
}

/* Of a row with some of its candidates, those that pass. */
static Error *pass_pairs(Each *each, Batch *batch)
{
    EvalContext context;
    for (uint32_t i = 0; i < each->pair_count; i++) {
        operator_context(each->operator, each->operator->arena, &context);
        TRY(program_filter(each->pairs[i], &context, batch));
    }
    return NULL;
}

/* The row's candidates that the search has left over. */
static Error *score_left_over(Each *each, uint16_t position)
{
    for (uint64_t b = 0; b < each->bits.block_count; b++) {
        uint64_t ids[GRAPH_BLOCK_ROWS];
        uint32_t count = take_ids_of(each->left + b * GRAPH_BLOCK_WORDS, b, ids);
        if (count == 0) continue;
        Batch *batch = row_with_nodes(each, position, ids, count);
        TRY(pass_pairs(each, batch));
        TRY(leg_score(each->leg, batch, -INFINITY, each->scored));
        for (uint32_t i = 0; i < each->scored->count; i++)
            best_offer(each->best, batch, each->scored->positions[i],
                       (double)each->scored->scores[i], each->scored->ids[i],
                       per_of(each, batch, each->scored->positions[i]));
        TRY(operator_check_memory(each->operator, best_bytes(each->best)));
    }
    return NULL;
}

static TopKHit *hits_of(const Each *each, uint32_t query)
{
    return each->hits + query * each->wanted;
}

/* What was found for queries [from, end), in their order. */
static Error *give_answers(Each *each, uint32_t from, uint32_t end)
{
    Offer offer;
    offer.count = 0;
    for (uint32_t q = from; q < end; q++) {
        const EachQuery *query = &each->queries[q];
        TRY(offer_row(each, &offer, query->position, hits_of(each, q), query->hit_count));
        if (!query->asked) continue;
        TRY(offer_all(each, &offer));
        TRY(score_left_over(each, query->position));
    }
    return offer_all(each, &offer);
}

/* One pass over the column for those of queries [from, end) that are to be asked of it. */
static Error *ask_column(Each *each, uint32_t from, uint32_t end)
{
    const ExecutionEnvironment *environment = &each->operator->execution->environment;
    VectorQuery queries[COLUMN_QUERIES_MAX];
    uint32_t count = 0;
    TRY(candidates_of_each(each));
    for (uint32_t q = from; q < end; q++)
        if (each->queries[q].asked) queries[count++] = each->queries[q].query;
    memcpy(each->left, each->bits.words,
           each->bits.block_count * GRAPH_BLOCK_WORDS * sizeof *each->left);
    each->facts->candidates += each->bits.count * count;
    if (each->wanted > COLUMN_K_MAX) { /* all of it is left over */
        snprintf(each->facts->where, sizeof each->facts->where, "cpu %s", each->leg->kernel->name);
        return NULL;
    }
    ColumnRequest request = request_for(environment, each->leg, each->wanted, &each->bits);
    request.words = each->left;
    request.queries = queries;
    request.query_count = count;
    ColumnSearch *search = column_search_create(&request);
    Error *error = run_search(environment, search, request.workers);
    if (error == NULL) note_search(search, each->leg, each->facts);
    count = 0;
    for (uint32_t q = from; q < end && error == NULL; q++)
        if (each->queries[q].asked)
            each->queries[q].hit_count =
                (uint32_t)column_search_take(search, count++, hits_of(each, q));
    column_search_destroy(search);
    return error;
}

enum { MORSEL_QUERIES = 8 }; /* of an index: some 300 us */

static Error *run_queries(void *state, const Worker *worker, uint64_t morsel)
{
    Each *each = state;
    uint32_t from = (uint32_t)morsel * MORSEL_QUERIES, end = from + MORSEL_QUERIES;
    for (uint32_t q = from; q < end && q < each->count; q++) {
        EachQuery *query = &each->queries[q];
        bool stopped = worker->stop != NULL && worker->stop(worker->stop_state);
        if (!query->asked || stopped || !is_directed(&query->query)) continue;
        size_t found = nearest_search(&each->by.request, &each->sides[worker->index], &query->query,
                                      hits_of(each, q));
        query->asked = found < each->wanted;
        query->hit_count = query->asked ? 0 : (uint32_t)found;
    }
    return NULL;
}

/* By the index, where that pays; whom it has not answered is still to be asked. */
static Error *ask_index_for_each(Each *each)
{
    Operator *operator= each->operator;
    const ExecutionEnvironment *environment = &operator->execution->environment;
    const Interrupt *interrupt = environment->interrupt;
    uint32_t workers = workers_chosen(environment->workers, environment->worker_max);
    uint64_t candidates = 0;
    find_index(operator, each->leg, &each->by);
    if (each->by.request.finder == NULL) return NULL;
    if (each->filtered) TRY(candidates_of_each(each));
    index_among(operator, & each->by, each->filtered ? &each->bits : NULL);
    each->by.request.k = (size_t)each->wanted;
    if (!nearest_pays(&each->by.request)) return NULL;
    each->sides = mem_calloc(workers, sizeof *each->sides);
    const Morsels morsels = {.count = (each->count + MORSEL_QUERIES - 1) / MORSEL_QUERIES,
                             .workers = workers,
                             .run = run_queries,
                             .state = each,
                             .stop = interrupt == NULL ? NULL : interrupt->stop,
                             .stop_state = interrupt == NULL ? NULL : interrupt->state};
    Error *error = workers_run(environment->workers, &morsels);
    for (uint32_t w = 0; w < workers; w++) {
        nearest_side_end(&each->sides[w]);
        candidates += each->sides[w].candidates;
    }
    mem_free(each->sides);
    each->sides = NULL;
    note_index(&each->by, each->leg, candidates, each->facts);
    return error;
}

/* The rows at hand, in their order: by an index, and together by the column for whom it does not
 * answer. */
static Error *search_alike(Each *each)
{
    each->wanted = each->limit;
    mem_reserve(each->hits, each->hit_capacity, each->count * each->wanted);
    TRY(ask_index_for_each(each));
    for (uint32_t from = 0, end; from < each->count; from = end) {
        uint32_t asked = 0;
        for (end = from; end < each->count; end++) {
            if (asked + each->queries[end].asked > COLUMN_QUERIES_MAX) break;
            asked += each->queries[end].asked;
        }
        if (asked > 0) TRY(ask_column(each, from, end));
        TRY(give_answers(each, from, end));
    }
    return NULL;
}

/* ---- where pairs are filtered ---- */

enum { WANTED_MORE = 16, WANTED_TIMES = 4, TRIED_MIN = 64 };

/* The best of the hits that pass. */
static Error *choose(Each *each, uint32_t q)
{
    EachQuery *query = &each->queries[q];
    uint64_t ids[SCORE_K_MAX] = {0};
    const TopKHit *hits = hits_of(each, q);
    TopKHit *chosen = each->chosen + q * each->limit;
    query->chosen_count = 0;
    for (uint32_t i = 0; i < query->hit_count; i++)
        ids[i] = hits[i].id;
    Batch *batch = row_with_nodes(each, query->position, ids, query->hit_count);
    TRY(pass_pairs(each, batch));
    for (uint32_t i = 0; i < batch->selected_count && query->chosen_count < each->limit; i++)
        chosen[query->chosen_count++] = hits[batch_position(batch, i)];
    return operator_interrupted(each->operator);
}

static bool is_anything_left(const Each *each)
{
    for (uint64_t w = 0; w < each->bits.block_count * GRAPH_BLOCK_WORDS; w++)
        if (each->left[w] != 0) return true;
    return false;
}

/* So many hits of each row that is pending; *pending: how many still are. A row whose hits are all that
 * take part is not, however few pass. */
static Error *search_round(Each *each, uint32_t *pending)
{
    uint32_t asked = 0;
    mem_reserve(each->hits, each->hit_capacity, each->count * each->wanted);
    for (uint32_t q = 0; q < each->count; q++) {
        each->queries[q].asked = each->queries[q].pending;
        each->queries[q].hit_count = 0;
    }
    TRY(ask_index_for_each(each));
    for (uint32_t q = 0; q < each->count; q++)
        asked += each->queries[q].asked;
    if (asked > 0) TRY(ask_column(each, 0, each->count));
    bool left = asked > 0 && is_anything_left(each);
    *pending = 0;
    for (uint32_t q = 0; q < each->count; q++) {
        EachQuery *query = &each->queries[q];
        if (!query->pending) continue;
        TRY(choose(each, q));
        bool all = query->asked && !left && query->hit_count < each->wanted;
        query->pending = !all && (query->chosen_count < each->limit || (query->asked && left));
        *pending += query->pending;
    }
    return NULL;
}

/* What looks at both sides of a pair is asked about the best of a row alone, and about more of them while
 * too few pass: most filters let most pass, and then few are asked. A row for which none of this
 * helps is asked about all its candidates; so are all, when that is what most rows come to. */
static Error *search_pairs(Each *each)
{
    uint32_t pending = each->count;
    bool hopeless = each->tried >= TRIED_MIN && each->in_vain > each->tried / 2;
    mem_reserve(each->chosen, each->chosen_capacity, each->count * each->limit);
    for (uint32_t q = 0; q < each->count; q++)
        each->queries[q].pending = true;
    for (uint64_t wanted = 2 * each->limit + WANTED_MORE;
         !hopeless && pending > 0 && wanted <= SCORE_K_MAX; wanted *= WANTED_TIMES) {
        each->wanted = wanted;
        TRY(search_round(each, &pending));
    }
    each->tried += each->count;
    each->in_vain += pending;
    if (pending > 0) TRY(candidates_of_each(each));
    Offer offer;
    offer.count = 0;
    for (uint32_t q = 0; q < each->count; q++) {
        const EachQuery *query = &each->queries[q];
        if (query->pending) {
            memcpy(each->left, each->bits.words,
                   each->bits.block_count * GRAPH_BLOCK_WORDS * sizeof *each->left);
            each->facts->candidates += each->bits.count;
            TRY(offer_all(each, &offer));
            TRY(score_left_over(each, query->position));
        } else {
            TRY(offer_row(each, &offer, query->position, each->chosen + q * each->limit,
                          query->chosen_count));
        }
    }
    return offer_all(each, &offer);
}

static Error *search_each(Each *each)
{
    TRY(each->pair_count > 0 ? search_pairs(each) : search_alike(each));
    each->count = 0;
    return NULL;
}

/* Puts the query that the leg has just made ready beside the others; those of another dimension are
 * asked first. */
static void take_query(Each *each, uint16_t position)
{
    const VectorQuery *query = &each->leg->query.vector;
    size_t stride = query->stride;
    mem_reserve(each->padded, each->padded_capacity, each->count_max * stride);
    for (uint32_t q = 0; q <= each->count; q++) { /* it may have moved */
        if (q == each->count)
            each->queries[q] = (EachQuery){.query = *query, .position = position, .asked = true};
        each->queries[q].query.query = each->padded + q * stride;
    }
    memcpy(each->padded + each->count * stride, query->query, stride * sizeof(float));
    each->count++;
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
            (each->count == each->count_max || leg->query.dimensions != dimensions)) {
            leg->query.dimensions = dimensions;
            TRY(search_each(each));
            TRY(leg_query(leg, each->in, position));
        }
        dimensions = leg->query.dimensions;
        take_query(each, (uint16_t)position);
    }
    return each->count == 0 ? NULL : search_each(each);
}

static Error *each_row(Each *each)
{
    Operator *input = each->operator->input;
    for (const PlanNode *node = each->operator->plan->input; node->kind == PLAN_FILTER;
         node = node->input)
        input = input->input;
    for (Batch *batch;;) {
        TRY(operator_next(input->input, &batch));
        if (batch == NULL) return NULL;
        each->in = batch;
        TRY(take_rows(each));
        each->operator->execution->rows[input->plan->id] +=
            each->bits.count * batch->selected_count;
    }
}

/* Does an index on a label of the scan find by anything, so that it may be asked? */
static bool may_ask_index(const Operator *operator, const Leg * leg, const ByIndex *by)
{
    const GraphView *view = &operator->execution->view;
    for (uint32_t i = 0; i < by->request.label_count; i++) {
        const GraphIndex *index = graph_index_on(view, by->request.labels[i], leg->key, true);
        if (index != NULL && graph_finder(view, index) != NULL) return true;
    }
    return false;
}

Error *score_each(Operator *operator, Leg * leg, uint64_t limit, Scored *scored, BestRows *best,
                  ScoreFacts *facts)
{
    const Execution *execution = operator->execution;
    uint32_t *slots = arena_array(operator->arena, uint32_t, execution->plan->slot_count + 1);
    ByIndex by;
    if (limit == 0 || limit > SCORE_K_MAX ||
        !asks_each(operator->plan, execution->environment.moments != NULL, slots))
        return NULL;
    TRY(index_begin(operator, limit, &by));
    bool indexed = may_ask_index(operator, leg, &by);
    if (limit > COLUMN_K_MAX && !indexed) return NULL;
    Each *each = mem_calloc(1, sizeof *each);
    each->operator= operator, each->leg = leg, each->limit = limit;
    each->best = best, each->scored = scored, each->facts = facts;
    each->by = by;
    each->arena = arena_create();
    sort_filters(each);
    each->count_max = indexed && each->pair_count == 0 ? EACH_QUERIES_MAX : COLUMN_QUERIES_MAX;
    snprintf(facts->where, sizeof facts->where, "cpu %s", leg->kernel->name);
    Error *error = each_row(each);
    mem_free(each->bits.words);
    mem_free(each->left);
    mem_free(each->padded);
    mem_free(each->hits);
    mem_free(each->chosen);
    arena_destroy(each->arena);
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

static bool limit_fits(const Expr *limit, int64_t most)
{
    return limit != NULL && (limit->kind != EXPR_CONSTANT ||
                             (limit->value.as.integer > 0 && limit->value.as.integer <= most));
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

/* How the rows of a score are found, as far as it can be foreseen. */
typedef struct Foreseen {
    bool scanned, each, again; /* score_scan, score_each, score_again */
    bool pairs;                /* with filters that look at both sides */
    const GraphIndex *index;
    const char *why_not; /* the index is not asked; NULL: it is */
} Foreseen;

/* `again`: whether it has all of the pattern's nodes, the run tells. */
static const GraphIndex *index_of(const GraphView *view, const PlanNode *plan, bool again)
{
    const PlanNode *scan = scan_below(plan);
    uint32_t key = plan->legs[0].key.id;
    for (uint32_t i = 0; again && i < graph_index_count(view->graph); i++) {
        const GraphIndex *index = graph_index_at(view, i);
        if (index != NULL && index->vector && index->key == key) return index;
    }
    if (scan->kind != PLAN_NODE_SCAN || scan->slot != plan->legs[0].slot) return NULL;
    for (uint32_t i = 0; i < scan->label_count && key != GRAPH_NAME_UNKNOWN; i++) {
        if (scan->labels[i].id == GRAPH_NAME_UNKNOWN) continue;
        const GraphIndex *index = graph_index_on(view, scan->labels[i].id, key, true);
        if (index != NULL) return index;
    }
    return NULL;
}

/* Of as many candidates as are estimated. */
static bool foreseen_few(const ExecutionEnvironment *environment, const PlanNode *plan,
                         const Foreseen *foreseen)
{
    const PlanNode *scan = scan_below(plan);
    const GraphFinder *finder = graph_finder(&environment->view, foreseen->index);
    double rows = plan->input->estimated_rows;
    double labelled = (double)graph_label_count(&environment->view, foreseen->index->label);
    if (rows < 0 || (foreseen->each && scan->estimated_rows <= 0)) return false;
    if (foreseen->each) rows *= labelled / scan->estimated_rows;
    if (foreseen->pairs) rows = labelled;
    size_t ef = nearest_breadth(environment->vector_ef, foreseen->index);
    if (plan->limit->kind == EXPR_CONSTANT)
        ef = nearest_ef(ef, false, (size_t)plan->limit->value.as.integer);
    return near_exact_is_cheaper(graph_finder_thing(finder), ef, (size_t)rows);
}

static const char *foreseen_hindrance(const ExecutionEnvironment *environment, const PlanNode *plan,
                                      const Foreseen *foreseen)
{
    const PlanScoreLeg *leg = &plan->legs[0];
    const GraphIndex *index = foreseen->index;
    if (plan->limit == NULL) return "there is no LIMIT";
    if (plan->per_slot == leg->slot) return "PER is what is looked for";
    if (!foreseen->scanned && !foreseen->each && !foreseen->again)
        return "who takes part is found row by row";
    if (says_exact(plan->options)) return "exact is asked for";
    if (!limit_fits(plan->limit, NEAREST_K_MAX)) return "LIMIT is above 2048";
    if (index->metric != leg->metric) return "its metric is another";
    if (leg->dimensions != 0 && index->dimensions != leg->dimensions)
        return "its dimensions are others";
    if (graph_finder(&environment->view, index) == NULL) return "it has no graph";
    return foreseen_few(environment, plan, foreseen) ? "the candidates are few" : NULL;
}

static Foreseen foresee(const ExecutionEnvironment *environment, const PlanNode *plan,
                        uint32_t slot_count, Arena *arena)
{
    Foreseen foreseen = {.scanned = score_scans(plan)};
    uint32_t *slots = arena_array(arena, uint32_t, slot_count + 1);
    foreseen.each = !foreseen.scanned && asks_each(plan, environment->moments != NULL, slots);
    foreseen.again = !foreseen.scanned && !foreseen.each &&
                     plan->input->estimated_rows > SCORE_AGAIN_ROWS &&
                     asks_again(plan, environment->moments != NULL, slots);
    const PlanNode *scan = scan_below(plan);
    for (const PlanNode *node = plan->input; foreseen.each && node != scan; node = node->input)
        foreseen.pairs = foreseen.pairs || !only_looks_at(node->expr, scan->slot, slots);
    foreseen.index =
        plan->kind == PLAN_SCORE ? index_of(&environment->view, plan, foreseen.again) : NULL;
    if (foreseen.index != NULL) foreseen.why_not = foreseen_hindrance(environment, plan, &foreseen);
    return foreseen;
}

static const char *score_device(const ExecutionEnvironment *environment, const PlanNode *plan,
                                const Foreseen *foreseen, Arena *arena)
{
    VectorDeviceOptions options = options_of(environment);
    VectorDeviceInfo info = {.open = false};
    bool large = limit_fits(plan->limit, COLUMN_K_MAX);
    bool fits = environment->device != NULL && foreseen->scanned && large;
    if (fits && options.use == VECTOR_DEVICE_FORCE)
        vector_device_wanted(environment->device, &options, 0);
    if (fits && options.use != VECTOR_DEVICE_OFF) vector_device_info(environment->device, &info);
    bool used = info.open && (options.use == VECTOR_DEVICE_FORCE || !info.software);
    if (used) return arena_printf(arena, "vulkan %s", info.name);
    uint32_t dimensions = plan->legs[0].dimensions; /* 0: they are not known before the run */
    bool codes = (foreseen->scanned || foreseen->each || foreseen->again) && large &&
                 wants_codes(environment, dimensions == 0 ? UINT32_MAX : dimensions);
    return arena_printf(arena, "cpu %s%s%s", vector_kernel(environment->simd)->name,
                        codes ? " with codes" : "",
                        foreseen->each && large ? ", many rows at once" : "");
}

const char *score_where(const ExecutionEnvironment *environment, const PlanNode *plan,
                        uint32_t slot_count, Arena *arena)
{
    Foreseen foreseen = foresee(environment, plan, slot_count, arena);
    const GraphIndex *index = foreseen.index;
    Buffer out = {0};
    double rows;
    if (index != NULL && foreseen.why_not == NULL)
        return arena_printf(arena, "on index %.*s%s", INDEX_NAME_SHOWN(index->name),
                            foreseen.each    ? ", many rows at once"
                            : foreseen.again ? ", if it has all of the pattern's nodes"
                                             : "");
    buffer_printf(&out, "on %s", score_device(environment, plan, &foreseen, arena));
    if (is_estimated(plan, &rows)) buffer_printf(&out, ", ~%.0f candidates", rows);
    if (index != NULL)
        buffer_printf(&out, ", not index %.*s: %s", INDEX_NAME_SHOWN(index->name),
                      foreseen.why_not);
    const char *where = arena_printf(arena, "%.*s", STR_ARG(buffer_view(&out)));
    buffer_free(&out);
    return where;
}
