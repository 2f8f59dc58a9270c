/*
 * score_each.c - a SCORE over a scan where each row asks for the best of the same candidates.
 *
 * A query that comes from the row (each user's vector against all documents) is taken with those of up to
 * 511 other rows, if the candidates do not depend on the row. An index is asked by several workers at
 * once; who has none, or is not answered, is asked of the column, 64 at a time: one pass over it finds
 * the best of each, so that what is read once serves all. Filters that look at both sides of a pair are
 * asked about what is found, in rounds of more and more of it (search_pairs). The best of a row are offered
 * in the order of the rows; what LIMIT or PER keep of them is what they would keep of all.
 */
#include "config.h"

#include "base/bits.h"
#include "execution/score_internal.h"
#include "runtime/workers.h"
#include <math.h>
#include <stdio.h>

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

bool score_only_looks_at(const Expr *expr, uint32_t slot, uint32_t *slots)
{
    uint32_t count = 0;
    bool pure = score_inputs(expr, slots, &count);
    return pure && (count == 0 || (count == 1 && slots[0] == slot));
}

bool score_asks_each(const PlanNode *plan, bool moments, uint32_t *slots)
{
    const PlanNode *scan = score_scan_below(plan);
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
    const PlanNode *scan = score_scan_below(operator->plan);
    uint32_t *slots = arena_array(each->arena, uint32_t, operator->execution->plan->slot_count + 1);
    uint32_t count = 0;
    for (const PlanNode *node = operator->plan->input; node != scan; node = node->input)
        count++;
    each->pairs = arena_array(each->arena, Program *, count + 1);
    for (const PlanNode *node = operator->plan->input; node != scan; node = node->input)
        if (score_only_looks_at(node->expr, scan->slot, slots))
            each->filtered = true;
        else
            each->pairs[each->pair_count++] = program_compile(each->arena, node->expr);
}

static Error *filter_block(Operator *operator, Bits * bits, Program *program, uint64_t block)
{
    EvalContext context;
    uint64_t ids[GRAPH_BLOCK_ROWS], *words = bits->words + block * GRAPH_BLOCK_WORDS;
    uint32_t count = score_ids_of(words, block, ids);
    if (count == 0) return NULL;
    Batch *batch = score_nodes_batch(operator, ids, count);
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
    const PlanNode *scan = score_scan_below(operator->plan);
    if (each->bits.words != NULL) return NULL;
    each->bits.block_count = graph_block_count(&operator->execution->view);
    size_t words = each->bits.block_count * GRAPH_BLOCK_WORDS + 1;
    each->bits.words = mem_calloc(words, sizeof *each->bits.words);
    each->left = mem_calloc(words, sizeof *each->left);
    score_bits_of_scan(operator, scan, &each->bits);
    uint32_t *slots = arena_array(each->arena, uint32_t, operator->execution->plan->slot_count + 1);
    for (const PlanNode *node = operator->plan->input; node != scan; node = node->input)
        if (score_only_looks_at(node->expr, scan->slot, slots))
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
        uint32_t count = score_ids_of(each->left + b * GRAPH_BLOCK_WORDS, b, ids);
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
    ColumnRequest request = score_column_request(environment, each->leg, each->wanted, &each->bits);
    request.words = each->left;
    request.queries = queries;
    request.query_count = count;
    ColumnSearch *search = column_search_create(&request);
    Error *error = score_column_run(environment, search, request.workers);
    if (error == NULL) score_column_note(search, each->leg, each->facts);
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
        if (!query->asked || stopped || !score_is_directed(&query->query)) continue;
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
    score_index_find(operator, each->leg, &each->by);
    if (each->by.request.finder == NULL) return NULL;
    if (each->filtered) TRY(candidates_of_each(each));
    score_index_among(operator, & each->by, each->filtered ? &each->bits : NULL);
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
    score_index_note(&each->by, each->leg, candidates, each->facts);
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
    bool left = asked > 0 && bits_any(each->left, each->bits.block_count * GRAPH_BLOCK_WORDS);
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
        !score_asks_each(operator->plan, execution->environment.moments != NULL, slots))
        return NULL;
    TRY(score_index_begin(operator, limit, &by));
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
