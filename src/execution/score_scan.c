/*
 * score_scan.c - a SCORE over a scan, taken as a whole: by the database's graphics device, or by the
 * processor through 8-bit codes.
 *
 * Where all candidates come from one scan of a label, perhaps filtered, a candidate is a bit: the
 * input is drawn for its nodes only, and the rows of the best are made from their ids. On a device the
 * column's vectors are there already, or are brought there; the processor reads them where they lie
 * (rank/column.h). What they cannot answer for (blocks of mixed values, values that are newer than this
 * statement's view) is scored here; if the device fails, everything is done without it. Ids and scores
 * are the same in any case.
 *
 * Not here: whether a device is worth it, and opening it (vector/device.c).
 */
#include "config.h"

#include "base/map.h"
#include "execution/score_internal.h"
#include "rank/column.h"
#include <assert.h>
#include <math.h>
#include <stdio.h>

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
    execution->rows[scan->id] += bits->count;
    execution->rows[scan->input->id]++;
}

static Error *take_candidates(Operator *operator, Bits * bits)
{
    const PlanNode *scan = scan_below(operator->plan);
    bits->block_count = graph_block_count(&operator->execution->view);
    bits->words = mem_calloc(bits->block_count * GRAPH_BLOCK_WORDS + 1, sizeof *bits->words);
    if (operator->plan->input != scan) return bits_of_input(operator, bits);
    bits_of_scan(operator, scan, bits);
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

/* Rows of a scan: nothing is known but the node. */
static Batch *batch_of_nodes(Operator *operator, const uint64_t * ids, uint32_t count)
{
    arena_reset(operator->arena);
    Batch *batch = batch_create(operator->arena, operator->execution->plan->slot_count);
    batch->row_count = batch->selected_count = count;
    Column *column =
        batch_column(operator->arena, batch, operator->plan->legs[0].slot, COLUMN_NODE);
    memcpy(column->ids, ids, count * sizeof *ids);
    return batch;
}

static void offer_hits(Operator *operator, const TopKHit * hits, size_t count, BestRows *best)
{
    uint64_t ids[COLUMN_K_MAX] = {0};
    assert(count <= COLUMN_K_MAX); /* which fits a batch */
    for (size_t i = 0; i < count; i++)
        ids[i] = hits[i].id;
    const Batch *batch = batch_of_nodes(operator, ids, (uint32_t)count);
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

static Error *run_morsels(Operator *operator, ColumnSearch * search)
{
    uint64_t count = column_search_morsels(search);
    for (uint64_t m = 0; m < count; m++) {
        TRY(operator_interrupted(operator));
        column_search_run(search, 0, m);
    }
    return NULL;
}

static Error *search_column(Operator *operator, Leg * leg, uint64_t limit, Bits *bits,
                            BestRows *best, ScoreFacts *facts)
{
    const ExecutionEnvironment *environment = &operator->execution->environment;
    TopKHit hits[COLUMN_K_MAX];
    ColumnRequest request = {.view = &operator->execution->view,
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
                             .workers = 1};
    ColumnSearch *search = column_search_create(&request);
    Error *error = run_morsels(operator, search);
    if (error == NULL) {
        offer_hits(operator, hits, column_search_take(search, 0, hits), best);
        ColumnFacts found = column_search_facts(search);
        if (found.rows > 0) leg->matches = 1;
        if (found.coded > 0) facts->scored += found.scored;
        snprintf(facts->where, sizeof facts->where, "cpu %s%s", leg->kernel->name,
                 found.coded > 0 ? " with codes" : "");
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
    uint64_t ids[GRAPH_BLOCK_ROWS];
    for (uint64_t b = 0; b < bits->block_count; b++) {
        uint32_t count = 0;
        for (uint32_t w = 0; w < GRAPH_BLOCK_WORDS; w++)
            for (uint64_t left = bits->words[b * GRAPH_BLOCK_WORDS + w]; left != 0;
                 left &= left - 1)
                ids[count++] =
                    b * GRAPH_BLOCK_ROWS + w * UINT64_C(64) + (uint64_t)__builtin_ctzll(left);
        if (count > 0) TRY(offer_scored(operator, leg, ids, count, scored, best));
    }
    return NULL;
}

static bool wants_device(Operator *operator, const Leg * leg, uint64_t limit)
{
    const Execution *execution = operator->execution;
    const PlanNode *scan = scan_below(operator->plan);
    if (execution->environment.device == NULL || limit > VECTOR_DEVICE_K_MAX) return false;
    uint64_t nodes = graph_node_count(&execution->view);
    for (uint32_t i = 0; i < scan->label_count; i++) {
        uint64_t labelled = graph_label_count(&execution->view,
                                              name_resolve(execution, NAME_LABEL, scan->labels[i]));
        if (labelled < nodes) nodes = labelled;
    }
    VectorDeviceOptions options = options_of(&execution->environment);
    bool wanted = vector_device_wanted(execution->environment.device, &options,
                                       nodes * leg->query.vector.stride * sizeof(float));
    if (!wanted) tell_failure(&execution->environment);
    return wanted;
}

static Error *answer(Operator *operator, Leg * leg, uint64_t limit, bool device, Bits *bits,
                     BestRows *best, ScoreFacts *facts)
{
    const ExecutionEnvironment *environment = &operator->execution->environment;
    VectorDeviceInfo info;
    TRY(take_candidates(operator, bits));
    facts->candidates += bits->count;
    if (device && ask_device(operator, leg, limit, bits, best)) {
        vector_device_info(environment->device, &info);
        snprintf(facts->where, sizeof facts->where, "vulkan %s", info.name);
        return NULL;
    }
    if (device) tell_failure(environment);
    return search_column(operator, leg, limit, bits, best, facts);
}

Error *score_scan(Operator *operator, Leg * leg, uint64_t limit, Scored *scored, BestRows *best,
                  ScoreFacts *facts)
{
    Bits bits = {0};
    facts->where[0] = '\0';
    if (!score_scans(operator->plan) || !leg_constant(leg) || leg->query.none) return NULL;
    if (limit == 0 || limit > COLUMN_K_MAX) return NULL;
    bool device = wants_device(operator, leg, limit);
    if (!device && !wants_codes(&operator->execution->environment, leg->query.dimensions))
        return NULL;
    Error *error = answer(operator, leg, limit, device, &bits, best, facts);
    if (error == NULL) error = score_rest(operator, leg, &bits, scored, best);
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

const char *score_where(const ExecutionEnvironment *environment, const PlanNode *plan, Arena *arena)
{
    VectorDeviceOptions options = options_of(environment);
    VectorDeviceInfo info = {.open = false};
    double rows;
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
