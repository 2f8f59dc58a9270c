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
 * Where many rows come of hops and filters, they are asked for anew: for bits, of whose nodes the best are
 * found as those of a scan are, and once more for the rows of these best, unless nothing but the node is
 * wanted of them (score_again).
 *
 * Not here: a query of each row (score_each.c); whether a device is worth it, and opening it
 * (vector/device.c).
 */
#include "config.h"

#include "base/bits.h"
#include "execution/score_internal.h"
#include "runtime/workers.h"
#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct Lent { /* what the device is asked about */
    VectorBlock *blocks;
    uint64_t *present; /* GRAPH_BLOCK_WORDS words a block */
    uint64_t *numbers; /* of the blocks */
    size_t count;
    VectorSet set;
    bool any; /* somebody takes part */
} Lent;

const PlanNode *score_scan_below(const PlanNode *plan)
{
    const PlanNode *node = plan->input;
    while (node->kind == PLAN_FILTER)
        node = node->input;
    return node;
}

bool score_scans(const PlanNode *plan)
{
    const PlanNode *scan = score_scan_below(plan);
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

uint32_t score_ids_of(const uint64_t *words, uint64_t block, uint64_t ids[GRAPH_BLOCK_ROWS])
{
    uint32_t count = 0;
    for (uint32_t w = 0; w < GRAPH_BLOCK_WORDS; w++)
        for (uint64_t left = words[w]; left != 0; left &= left - 1)
            ids[count++] =
                block * GRAPH_BLOCK_ROWS + w * UINT64_C(64) + (uint64_t)__builtin_ctzll(left);
    return count;
}

/* Nobody but the scan decides: its bits are taken whole, and its rows counted as if it had run. */
void score_bits_of_scan(Operator *operator, const PlanNode * scan, Bits *bits)
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
    const PlanNode *scan = score_scan_below(operator->plan);
    bits->block_count = graph_block_count(&operator->execution->view);
    bits->words = mem_calloc(bits->block_count * GRAPH_BLOCK_WORDS + 1, sizeof *bits->words);
    bool once;
    if (operator->plan->input != scan) return bits_of_rows(operator, bits, &once);
    score_bits_of_scan(operator, scan, bits);
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

Batch *score_nodes_batch(Operator *operator, const uint64_t * ids, uint32_t count)
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

Error *score_column_run(const ExecutionEnvironment *environment, ColumnSearch *search,
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

ColumnRequest score_column_request(const ExecutionEnvironment *environment, const Leg *leg,
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

void score_column_note(const ColumnSearch *search, Leg *leg, ScoreFacts *facts)
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
    ColumnRequest request = score_column_request(environment, leg, limit, bits);
    ColumnSearch *search = column_search_create(&request);
    Error *error = score_column_run(environment, search, request.workers);
    if (error == NULL) {
        *count = column_search_take(search, 0, hits);
        score_column_note(search, leg, facts);
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
    const Batch *batch = score_nodes_batch(operator, ids, count);
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
        const uint64_t *words = bits->words + b * GRAPH_BLOCK_WORDS;
        uint64_t ids[GRAPH_BLOCK_ROWS];
        if (!bits_any(words, GRAPH_BLOCK_WORDS)) continue;
        uint32_t count = score_ids_of(words, b, ids);
        TRY(offer_scored(operator, leg, ids, count, scored, best));
    }
    return NULL;
}

/* At most so many candidates has the scan. */
static uint64_t scanned_nodes(const Operator *operator)
{
    const Execution *execution = operator->execution;
    const PlanNode *scan = score_scan_below(operator->plan);
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

Error *score_index_begin(Operator *operator, uint64_t limit, ByIndex *by)
{
    *by = (ByIndex){.scan = score_scan_below(operator->plan)};
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

void score_index_find(const Operator *operator, const Leg * leg, ByIndex *by)
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

void score_index_among(const Operator *operator, ByIndex * by, const Bits *bits)
{
    NearestRequest *request = &by->request;
    request->words = bits == NULL ? NULL : bits->words;
    request->block_count = bits == NULL ? 0 : bits->block_count;
    request->participants =
        fewest(&operator->execution->view, request->labels, request->label_count);
    if (bits != NULL && bits->count < request->participants) request->participants = bits->count;
}

void score_index_note(const ByIndex *by, Leg *leg, uint64_t candidates, ScoreFacts *facts)
{
    leg->matches = 1;
    facts->candidates += candidates;
    snprintf(facts->where, sizeof facts->where, "index %.*s", SCORE_NAME_SHOWN(by->index->name));
}

/* true: the k best are in `hits`. Else nothing was done: looking at all that take part is
 * cheaper, or the index did not find enough of them (filters may hide all that is near). */
static bool find_by_index(Operator *operator, Leg * leg, ByIndex *by, const Bits *bits,
                          TopKHit *hits, ScoreFacts *facts)
{
    NearestSide side = {0};
    score_index_among(operator, by, bits);
    if (!nearest_pays(&by->request)) return false;
    size_t count = nearest_search(&by->request, &side, &leg->query.vector, hits);
    nearest_side_end(&side);
    if (count < by->request.k) return false;
    score_index_note(by, leg, side.candidates, facts);
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
    TRY(score_index_begin(operator, limit, &by));
    if (score_is_directed(&leg->query.vector)) score_index_find(operator, leg, &by);
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
        if (index == NULL || !index->vector || !graph_index_is_on(index, leg->key)) continue;
        by->request.labels[0] = index->label;
        by->request.label_count = 1;
        score_index_find(operator, leg, by);
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
    *found = true, *count = (size_t)by->request.k;
    find_index_among(operator, leg, by, bits);
    if (by->request.finder != NULL && find_by_index(operator, leg, by, bits, hits, facts))
        return NULL;
    facts->candidates += bits->count;
    TRY(find_in_column(operator, leg, by->request.k, bits, hits, count, facts));
    *found = !bits_any(bits->words, bits->block_count * GRAPH_BLOCK_WORDS);
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
           score_is_directed(&leg->query.vector) &&
           asks_again(operator->plan, execution->environment.moments != NULL, slots);
}

Error *score_again(Operator *operator, Leg * leg, uint64_t limit, BestRows *best, ScoreFacts *facts,
                   bool *found)
{
    Bits bits = {0};
    ByIndex by;
    TRY(score_index_begin(operator, limit, &by));
    bits.block_count = graph_block_count(&operator->execution->view);
    bits.words = mem_calloc(bits.block_count * GRAPH_BLOCK_WORDS + 1, sizeof *bits.words);
    Error *error = search_again(operator, leg, &by, &bits, best, facts, found);
    mem_free(bits.words);
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
    const PlanNode *scan = score_scan_below(plan);
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
    const PlanNode *scan = score_scan_below(plan);
    uint32_t key = plan->legs[0].key.id;
    for (uint32_t i = 0; again && i < graph_index_count(view->graph); i++) {
        const GraphIndex *index = graph_index_at(view, i);
        if (index != NULL && index->vector && graph_index_is_on(index, key)) return index;
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
    const PlanNode *scan = score_scan_below(plan);
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
    foreseen.each = !foreseen.scanned && score_asks_each(plan, environment->moments != NULL, slots);
    foreseen.again = !foreseen.scanned && !foreseen.each &&
                     plan->input->estimated_rows > SCORE_AGAIN_ROWS &&
                     asks_again(plan, environment->moments != NULL, slots);
    const PlanNode *scan = score_scan_below(plan);
    for (const PlanNode *node = plan->input; foreseen.each && node != scan; node = node->input)
        foreseen.pairs = foreseen.pairs || !score_only_looks_at(node->expr, scan->slot, slots);
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
        return arena_printf(arena, "on index %.*s%s", SCORE_NAME_SHOWN(index->name),
                            foreseen.each    ? ", many rows at once"
                            : foreseen.again ? ", if it has all of the pattern's nodes"
                                             : "");
    buffer_printf(&out, "on %s", score_device(environment, plan, &foreseen, arena));
    if (is_estimated(plan, &rows)) buffer_printf(&out, ", ~%.0f candidates", rows);
    if (index != NULL)
        buffer_printf(&out, ", not index %.*s: %s", SCORE_NAME_SHOWN(index->name),
                      foreseen.why_not);
    const char *where = arena_printf(arena, "%.*s", STR_ARG(buffer_view(&out)));
    buffer_free(&out);
    return where;
}
