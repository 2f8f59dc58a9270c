/*
 * score_leg.c - one vector source: queries made ready, rows scored where they lie.
 *
 * A query that depends on no row is made ready once; one that does, once for each run of rows whose
 * inputs are the same (a user's vector against all documents of that user). Rows are scored block by
 * block of the property's column: consecutive rows as one stretch of memory, others through
 * pointers, in pieces whose scores stay in the first-level cache; what is below the floor of the
 * caller's collector goes no further. Blocks of mixed values, and those that a newer version has
 * changed, are read value by value; a list of numbers is a vector there too.
 *
 * Rows without a vector, with one of another dimension, with components that are not finite, or
 * under cosine without a direction have no score.
 */
#include "config.h"

#include "execution/score_internal.h"
#include "rank/nearest.h"
#include <assert.h>
#include <math.h>

_Static_assert((int)VECTOR_DIMENSIONS_MAX == (int)VALUE_VECTOR_DIMENSIONS_MAX,
               "what a vector may be, kernels take");

static const VectorMetric metrics[] = {
    [METRIC_COSINE] = VECTOR_COSINE, [METRIC_DOT] = VECTOR_DOT, [METRIC_L2] = VECTOR_L2};

double score_shown(PlanMetric metric, double score)
{
    return metric == METRIC_L2 ? 1.0 / (1.0 + sqrt(-score)) : score;
}

/* ---- the query's expression ---- */

bool score_inputs(const Expr *expr, uint32_t *slots, uint32_t *count)
{
    bool pure = expr->kind != EXPR_SUBQUERY && (expr->kind != EXPR_CALL || expr->function->pure);
    if (expr->kind == EXPR_SLOT) {
        bool known = false;
        for (uint32_t i = 0; i < *count; i++)
            known = known || slots[i] == expr->index;
        if (!known) slots[(*count)++] = expr->index;
    }
    for (uint32_t i = 0; i < expr->arg_count; i++)
        if (expr->args[i] != NULL && !score_inputs(expr->args[i], slots, count)) pure = false;
    return pure;
}

Leg *leg_new(Operator *operator, const PlanScoreLeg * plan, const VectorKernel *kernel)
{
    Leg *leg = arena_new(operator->state_arena, Leg);
    leg->operator= operator;
    leg->plan = plan;
    leg->kernel = kernel;
    leg->view = &operator->execution->view;
    leg->key = name_resolve(operator->execution, NAME_KEY, plan->key);
    leg->slots =
        arena_array(operator->state_arena, uint32_t, operator->execution->plan->slot_count + 1);
    leg->pure = score_inputs(plan->expr, leg->slots, &leg->slot_count);
    leg->arena = arena_create();
    for (uint32_t i = 0; i < BATCH_ROWS_MAX; i++)
        leg->every_position[i] = (uint16_t)i;
    return leg;
}

void leg_close(Leg *leg)
{
    if (leg == NULL) return;
    mem_free(leg->query.padded);
    mem_free(leg->row);
    arena_destroy(leg->arena);
    leg->query.padded = leg->row = NULL;
    leg->arena = NULL;
}

void leg_reset(Leg *leg)
{
    const Execution *execution = leg->operator->execution;
    leg->ready = false;
    leg->matches = leg->mismatched = 0;
    leg->kernel = vector_kernel(execution->environment.simd);
    leg->key = name_resolve(execution, NAME_KEY, leg->plan->key);
}

bool leg_constant(const Leg *leg)
{
    return leg->slot_count == 0 && leg->pure;
}

/* ---- queries ---- */

static Error *at_query(const Leg *leg, Error *error)
{
    return error_at(error, leg->plan->expr->offset, leg->plan->expr->length);
}

static Error *check_query(const Leg *leg, Value value)
{
    if (value.kind != VALUE_LIST && value.kind != VALUE_VECTOR)
        return error_new(ERROR_ARGUMENT_TYPE, "a vector or a list of numbers is wanted, not %s",
                         value_kind_name((ValueKind)value.kind));
    if (value.aux == 0 || value.aux > VECTOR_DIMENSIONS_MAX)
        return error_new(ERROR_ARGUMENT_VALUE, "a vector has 1 to %d dimensions",
                         VECTOR_DIMENSIONS_MAX);
    for (uint32_t i = 0; value.kind == VALUE_LIST && i < value.aux; i++)
        if (!value_is_number(value.as.items[i]))
            return error_new(ERROR_ARGUMENT_TYPE,
                             "a list of numbers is wanted, not one with %s in it",
                             value_kind_name((ValueKind)value.as.items[i].kind));
    if (leg->plan->dimensions == 0 || value.aux == leg->plan->dimensions) return NULL;
    return error_new(ERROR_ARGUMENT_VALUE, "the query has %u dimensions, the index on %.*s has %u",
                     value.aux, STR_ARG(leg->plan->key.text), leg->plan->dimensions);
}

static Error *make_ready(Leg *leg, Value value)
{
    LegQuery *query = &leg->query;
    query->none = value.kind == VALUE_NULL;
    if (query->none) return NULL;
    TRY(at_query(leg, check_query(leg, value)));
    if (!nearest_components(value, &query->padded, &query->padded_capacity))
        return at_query(leg,
                        error_new(ERROR_ARGUMENT_VALUE, "a vector has finite components only"));
    query->dimensions = value.aux;
    vector_query_init(&query->vector, leg->kernel, metrics[leg->plan->metric], query->padded,
                      vector_stride(value.aux));
    return NULL;
}

Error *leg_query(Leg *leg, const Batch *batch, uint32_t position)
{
    Value value;
    arena_reset(leg->arena);
    operator_context(leg->operator, leg->arena, &leg->context);
    TRY(expr_evaluate(leg->plan->expr, &leg->context, batch, position, &value));
    TRY(make_ready(leg, value));
    leg->ready = true;
    return NULL;
}

/* Are the two elements the same bits? Text that is equal elsewhere may be called different. */
static bool same_element(const Column *column, uint32_t a, uint32_t b)
{
    if (column_valid(column, a) != column_valid(column, b)) return false;
    switch (column->type) {
    case COLUMN_ANY:
        return column->values[a].kind == column->values[b].kind &&
               column->values[a].aux == column->values[b].aux &&
               column->values[a].as.id == column->values[b].as.id;
    case COLUMN_BOOLEAN: return column->booleans[a] == column->booleans[b];
    case COLUMN_INTEGER: return column->integers[a] == column->integers[b];
    case COLUMN_FLOAT: return memcmp(&column->floats[a], &column->floats[b], sizeof(double)) == 0;
    case COLUMN_STRING:
        return column->strings[a].data == column->strings[b].data &&
               column->strings[a].bytes == column->strings[b].bytes;
    case COLUMN_NODE:
    case COLUMN_RELATIONSHIP: return column->ids[a] == column->ids[b];
    case COLUMN_VECTOR: return column->vectors[a] == column->vectors[b];
    case COLUMN_WORD: return column->numbers[a] == column->numbers[b];
    case COLUMN_UNSET: break;
    }
    return true;
}

/* How far, from row `from` of the ones at hand, a slot keeps its value. */
static uint32_t same_until(const Leg *leg, const Column *column, uint32_t from, uint32_t end)
{
    uint32_t i = from + 1, first = leg->positions[from];
    if (column->constant || column->type == COLUMN_UNSET) return end;
    if (column->type == COLUMN_NODE && column->valid == NULL) {
        uint64_t id = column->ids[first];
        while (i < end && column->ids[leg->positions[i]] == id)
            i++;
        return i;
    }
    while (i < end && same_element(column, first, leg->positions[i]))
        i++;
    return i;
}

static uint32_t same_query_until(const Leg *leg, const Batch *batch, uint32_t from, uint32_t count)
{
    uint32_t end = leg->pure ? count : from + 1;
    for (uint32_t i = 0; i < leg->slot_count; i++)
        end = same_until(leg, &batch->columns[leg->slots[i]], from, end);
    return end;
}

/* ---- rows ---- */

bool leg_score_value(Leg *leg, uint64_t id, float *score)
{
    const LegQuery *query = &leg->query;
    Column column;
    arena_reset(leg->arena); /* the query has been copied out of it */
    graph_properties(leg->view, VALUE_NODE, leg->key, &id, 1, leg->arena, &column);
    Value value = column_value(&column, 0);
    if (value.kind != VALUE_VECTOR && value.kind != VALUE_LIST) return false;
    if (value.aux != query->dimensions) {
        if (value.kind == VALUE_VECTOR) leg->mismatched = value.aux;
        return false;
    }
    if (!nearest_components(value, &leg->row, &leg->row_capacity)) return false;
    leg->matches = 1;
    return nearest_score_row(leg->kernel, &query->vector, leg->row, score);
}

static void score_values(Leg *leg, uint32_t from, uint32_t to, float floor, Scored *out)
{
    for (uint32_t i = from; i < to; i++) {
        float score;
        if (!leg_score_value(leg, leg->ids[i], &score) || score < floor) continue;
        out->positions[out->count] = leg->positions[i];
        out->ids[out->count] = leg->ids[i] | leg->moment;
        out->scores[out->count++] = score;
    }
}

static void give(const Leg *leg, const VectorPick *found, const uint16_t *rows, uint32_t from,
                 Scored *out)
{
    for (size_t i = 0; i < found->count; i++) {
        uint32_t row = from + (rows == NULL ? found->at[i] : rows[found->at[i]]);
        out->positions[out->count] = leg->positions[row];
        out->ids[out->count] = leg->ids[row] | leg->moment;
        out->scores[out->count++] = found->scores[i];
    }
}

/* Are all rows [from, from + count) of the block there? */
static bool all_present(const uint64_t *present, size_t from, size_t count)
{
    for (size_t i = from; i < from + count;) {
        size_t left = from + count - i, in_word = 64 - i % 64, n = left < in_word ? left : in_word;
        uint64_t mask = (n == 64 ? UINT64_MAX : (UINT64_C(1) << n) - 1) << i % 64;
        if ((__atomic_load_n(&present[i / 64], __ATOMIC_ACQUIRE) & mask) != mask) return false;
        i += n;
    }
    return true;
}

/* What comes next in memory is asked for now, so that it arrives while the next batch is made. */
static void ask_ahead(const GraphVectors *block, size_t row)
{
    enum { AHEAD_BYTES = 4096, LINE_BYTES = 64 };
    const char *from = (const char *)(block->rows + row * block->stride),
               *end = (const char *)(block->rows + block->count * block->stride);
    for (size_t at = 0; at < AHEAD_BYTES && from + at < end; at += LINE_BYTES)
        __builtin_prefetch(from + at);
}

/* Rows that lie one behind the other. */
static void score_stretch(Leg *leg, const GraphVectors *block, uint32_t from, uint32_t to,
                          float floor, Scored *out)
{
    VectorPick found;
    size_t row = leg->ids[from] % GRAPH_BLOCK_ROWS;
    for (uint32_t i = from; i < to; i += VECTOR_PIECE_ROWS) {
        size_t count = to - i < VECTOR_PIECE_ROWS ? to - i : VECTOR_PIECE_ROWS;
        size_t at = row + (i - from);
        vector_pick_rows(leg->kernel, &leg->query.vector, block->rows + at * block->stride,
                         block->factors + at, count, floor, &found);
        give(leg, &found, NULL, i, out);
    }
    leg->matches = 1;
    ask_ahead(block, row + (to - from));
}

/* Rows wherever they lie in the block; those that are not there are passed over. */
VECTOR_BESIDE_A_WRITER static void score_scattered(Leg *leg, const GraphVectors *block,
                                                   uint32_t from, uint32_t to, float floor,
                                                   Scored *out)
{
    const float *pointers[VECTOR_PIECE_ROWS];
    float factors[VECTOR_PIECE_ROWS];
    uint16_t rows[VECTOR_PIECE_ROWS];
    VectorPick found;
    size_t count = 0;
    for (uint32_t i = from; i < to; i++) {
        size_t row = leg->ids[i] % GRAPH_BLOCK_ROWS;
        if (__atomic_load_n(&block->present[row / 64], __ATOMIC_ACQUIRE) >> row % 64 & 1) {
            pointers[count] = block->rows + row * block->stride;
            factors[count] = block->factors[row];
            rows[count++] = (uint16_t)(i - from);
        }
        if (count == 0 || (count < VECTOR_PIECE_ROWS && i + 1 < to)) continue;
        vector_pick_pointers(leg->kernel, &leg->query.vector, pointers, factors, count, floor,
                             &found);
        give(leg, &found, rows, from, out);
        leg->matches = 1;
        count = 0;
    }
}

static void note_dimensions(Leg *leg, const GraphVectors *block, uint32_t from, uint32_t to)
{
    for (uint32_t i = from; i < to; i++)
        if (all_present(block->present, leg->ids[i] % GRAPH_BLOCK_ROWS, 1))
            leg->mismatched = block->dimensions;
}

/* Rows [from, to) of the ones at hand: all of one block. */
static void score_block(Leg *leg, uint32_t from, uint32_t to, bool consecutive, float floor,
                        Scored *out)
{
    const GraphView *view = leg->view;
    GraphVectors block;
    uint32_t before = out->count;
    uint64_t number = leg->ids[from] / GRAPH_BLOCK_ROWS;
    GraphVectorsKind kind = graph_vectors(view, leg->key, number, &block);
    if (kind == GRAPH_VECTORS_NONE) return;
    if (kind == GRAPH_VECTORS_LENT) {
        if (block.dimensions != leg->query.dimensions)
            note_dimensions(leg, &block, from, to);
        else if (consecutive &&
                 all_present(block.present, leg->ids[from] % GRAPH_BLOCK_ROWS, to - from))
            score_stretch(leg, &block, from, to, floor, out);
        else
            score_scattered(leg, &block, from, to, floor, out);
        if (graph_vectors_held(view, &block)) return;
        out->count = before; /* a writer came: old values count */
    }
    score_values(leg, from, to, floor, out);
}

/* How far the rows at hand lie in the block of row `from`, and whether they follow one another. */
static uint32_t block_end(const Leg *leg, uint32_t from, uint32_t to, bool *consecutive)
{
    const uint64_t *ids = leg->ids;
    uint64_t number = ids[from] / GRAPH_BLOCK_ROWS, unlike = 0;
    uint32_t end = from + 1;
    if (leg->ascending) {
        uint32_t low = from, high = to; /* ids[low] is in the block, ids[high] is not */
        if (ids[to - 1] / GRAPH_BLOCK_ROWS == number) low = to - 1;
        while (high - low > 1) {
            uint32_t middle = low + (high - low) / 2;
            if (ids[middle] / GRAPH_BLOCK_ROWS == number)
                low = middle;
            else
                high = middle;
        }
        *consecutive = ids[low] - ids[from] == low - from;
        return low + 1;
    }
    for (; end < to && ids[end] / GRAPH_BLOCK_ROWS == number; end++)
        unlike |= ids[end] ^ (ids[end - 1] + 1);
    *consecutive = unlike == 0;
    return end;
}

/* Rows [from, to) of the ones at hand, which have one query. */
static void score_run(Leg *leg, uint32_t from, uint32_t to, float floor, Scored *out)
{
    bool cosine = leg->plan->metric == METRIC_COSINE;
    if (leg->query.none) return;
    if (cosine && leg->query.vector.factor == 0) {
        leg->matches = 1; /* no row can have a score: nothing to be told about dimensions */
        return;
    }
    for (uint32_t i = from; i < to;) {
        bool consecutive;
        uint32_t end = block_end(leg, i, to, &consecutive);
        score_block(leg, i, end, consecutive, floor, out);
        i = end;
    }
}

/* The selected rows that have a node, into leg->ids and leg->positions. */
static uint32_t take_ids(Leg *leg, const Batch *batch)
{
    const Column *column = &batch->columns[leg->plan->slot];
    uint32_t count = 0;
    bool typed = column->type == COLUMN_NODE && !column->constant && column->valid == NULL;
    leg->ascending = typed && column->ascending; /* so does what is selected */
    leg->positions = batch->selection == NULL ? leg->every_position : batch->selection;
    if (typed && batch->selection == NULL) {
        leg->ids = column->ids;
        return batch->row_count;
    }
    leg->ids = leg->own_ids;
    for (; typed && count < batch->selected_count; count++)
        leg->own_ids[count] = column->ids[batch->selection[count]];
    if (typed) return count;
    leg->positions = leg->own_positions;
    for (uint32_t i = 0; i < batch->selected_count; i++) {
        uint32_t position = batch_position(batch, i);
        Value node = column_value(column, position);
        if (node.kind != VALUE_NODE) continue;
        leg->own_ids[count] = node.as.id;
        leg->own_positions[count++] = (uint16_t)position;
    }
    return count;
}

/* Rows [from, to) of the ones at hand. */
static Error *score_part(Leg *leg, const Batch *batch, uint32_t from, uint32_t to, float floor,
                         Scored *out)
{
    if (leg_constant(leg)) {
        if (!leg->ready) TRY(leg_query(leg, batch, leg->positions[from]));
        score_run(leg, from, to, floor, out);
        return NULL;
    }
    for (uint32_t i = from; i < to;) {
        uint32_t end = same_query_until(leg, batch, i, to);
        TRY(leg_query(leg, batch, leg->positions[i]));
        score_run(leg, i, end, floor, out);
        i = end;
    }
    return NULL;
}

/* The ids say of which moment they are: a stretch of one is scored in its graph. */
static Error *score_moments(Leg *leg, const Batch *batch, uint32_t count, float floor, Scored *out)
{
    const Execution *execution = leg->operator->execution;
    const uint64_t *said = leg->ids;
    uint64_t plain[BATCH_ROWS_MAX];
    for (uint32_t i = 0; i < count; i++)
        plain[i] = entity_id(said[i]);
    Error *error = NULL;
    for (uint32_t i = 0, end; i < count && error == NULL; i = end) {
        for (end = i + 1; end < count && entity_moment(said[end]) == entity_moment(said[i]);)
            end++;
        leg->view = view_of(execution, said[i]);
        leg->moment = said[i] - plain[i];
        leg->ids = plain;
        error = score_part(leg, batch, i, end, floor, out);
    }
    leg->view = &execution->view;
    leg->moment = 0;
    leg->ids = said;
    return error;
}

Error *leg_score(Leg *leg, const Batch *batch, float floor, Scored *out)
{
    const Execution *execution = leg->operator->execution;
    uint32_t count = take_ids(leg, batch);
    out->count = 0;
    if (count == 0) return NULL;
    if (leg->key == GRAPH_NAME_UNKNOWN) /* the statement itself may have made it since */
        leg->key = name_resolve(execution, NAME_KEY, leg->plan->key);
    if (execution->environment.moments != NULL) return score_moments(leg, batch, count, floor, out);
    return score_part(leg, batch, 0, count, floor, out);
}

Error *leg_check(const Leg *leg)
{
    if (leg->matches > 0 || leg->mismatched == 0 || leg->query.none) return NULL;
    return at_query(leg, error_new(ERROR_ARGUMENT_VALUE, "the query has %u dimensions, %.*s has %u",
                                   leg->query.dimensions, STR_ARG(leg->plan->key.text),
                                   leg->mismatched));
}
