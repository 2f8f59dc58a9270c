/* score_internal.h - between the operator that ranks (score.c), its legs (score_leg.c) and what
 * takes a scan as a whole (score_scan.c), with a query for all or one of each row (score_each.c). */
#ifndef EXECUTION_SCORE_INTERNAL_H
#define EXECUTION_SCORE_INTERNAL_H
#include "execution/operator_internal.h"
#include "rank/column.h"
#include "rank/nearest.h"
#include "value/best.h"
#include "vector/device.h"

/* A query vector made ready: padded, with its factor. */
typedef struct LegQuery {
    bool none; /* null: no row has a score */
    uint32_t dimensions;
    VectorQuery vector;
    float *padded; /* what `vector` points to */
    size_t padded_capacity;
} LegQuery;

/* Rows of a batch that have a score, in their order. */
typedef struct Scored {
    uint32_t count;
    uint16_t positions[BATCH_ROWS_MAX];
    float scores[BATCH_ROWS_MAX]; /* as they order: of l2 the negative square */
    uint64_t ids[BATCH_ROWS_MAX];
} Scored;

/* One VECTOR slot.key SIMILAR TO query. */
typedef struct Leg {
    Operator *operator;
    const PlanScoreLeg *plan;
    const VectorKernel *kernel;
    uint32_t key;
    uint32_t *slots; /* that the query's expression looks at */
    uint32_t slot_count;
    bool pure;  /* same slots, same query */
    bool ready; /* `query` is that of the row before, or of all rows */
    LegQuery query;
    Arena *arena; /* of the query's value */
    EvalContext context;
    uint64_t matches;    /* rows with a vector of the query's dimension; saturates at 1 */
    uint32_t mismatched; /* another dimension that was met; 0: none */
    float *row;          /* a value as a padded row */
    size_t row_capacity;
    /* The rows at hand: their nodes and positions in the batch. */
    const uint64_t *ids;
    const uint16_t *positions;
    bool ascending; /* the ids */
    /* The rows at hand are of one moment: what its graph is, and what an id says of it. */
    const GraphView *view;
    uint64_t moment;
    uint64_t own_ids[BATCH_ROWS_MAX];
    uint16_t own_positions[BATCH_ROWS_MAX], every_position[BATCH_ROWS_MAX];
} Leg;

Leg *leg_new(Operator *operator, const PlanScoreLeg * plan, const VectorKernel *kernel);
void leg_close(Leg *leg);
void leg_reset(Leg *leg); /* for other rows */
/* One query for all rows? */
bool leg_constant(const Leg *leg);
/* The query of the row at `position`, in leg->query. */
Error *leg_query(Leg *leg, const Batch *batch, uint32_t position) MUST_CHECK;
/* Scores the selected rows; those below `floor` may be left out. */
Error *leg_score(Leg *leg, const Batch *batch, float floor, Scored *out) MUST_CHECK;
/* When all rows are through: no row had the query's dimension, but some another. */
Error *leg_check(const Leg *leg) MUST_CHECK;
/* One row by its value, whatever kind it is. false: it has no score. */
bool leg_score_value(Leg *leg, uint64_t id, float *score);
/* Slots that an expression looks at, each once, beside those in `slots` already; false: it may differ for
 * the same inputs. */
bool score_inputs(const Expr *expr, uint32_t *slots, uint32_t *count);
/* The number a person sees. */
double score_shown(PlanMetric metric, double score);

/* ---- score_scan.c ---- */
/* Can the rows of the plan be told from a node's id alone: a scan, perhaps filtered? */
bool score_scans(const PlanNode *plan);
enum { SCORE_WHERE_MAX = VECTOR_DEVICE_TEXT_MAX + 32 };
typedef struct ScoreFacts { /* for PROFILE */
    char where[SCORE_WHERE_MAX];
    uint64_t candidates;
    uint64_t scored; /* of them, where codes spared the others; else 0 */
} ScoreFacts;
/* Where rows come from a scan: by an index that can answer for them, by a graphics device if one is
 * wanted, else through the codes of the column if it has some. `facts->where` tells who answered, and
 * `best` has the rows. An empty one: nothing was done, and the input is as it was. */
Error *score_scan(Operator *operator, Leg * leg, uint64_t limit, Scored *scored, BestRows *best,
                  ScoreFacts *facts) MUST_CHECK;
/* score_each.c: where each row of the input below a scan asks for the best of the same candidates: all rows are read,
 * and the column is gone through once for many of them. Else as score_scan. */
Error *score_each(Operator *operator, Leg * leg, uint64_t limit, Scored *scored, BestRows *best,
                  ScoreFacts *facts) MUST_CHECK;
/* Could score_again be asked when so many rows have come? */
enum { SCORE_AGAIN_ROWS = 4096 };
bool score_may_ask_again(Operator *operator, Leg * leg, uint64_t limit);
/* Of an input that begins anew: the nodes of all rows are gathered and searched as those of a scan, then
 * the rows of the best asked for again. *found false: it has to be done without; the input begins anew. */
Error *score_again(Operator *operator, Leg * leg, uint64_t limit, BestRows *best, ScoreFacts *facts,
                   bool *found) MUST_CHECK;
/* What EXPLAIN says: where the scores would be computed. */
const char *score_where(const ExecutionEnvironment *environment, const PlanNode *plan,
                        uint32_t slot_count, Arena *arena);

/* ---- what score_scan.c has for score_each.c, too ---- */
enum { SCORE_K_MAX = NEAREST_K_MAX }; /* above, nothing there is of help */
_Static_assert((int)SCORE_K_MAX >= (int)COLUMN_K_MAX && (int)SCORE_K_MAX <= (int)BATCH_ROWS_MAX,
               "hits of a query are one batch");
#define SCORE_NAME_SHOWN(name) (name).bytes < 64 ? (int)(name).bytes : 64, (name).data

/* A word of candidates for every 64 nodes of the database. */
typedef struct Bits {
    uint64_t *words;
    uint64_t block_count;
    uint64_t count; /* candidates */
} Bits;

/* The scan, or what is there in its place, behind the filters. */
const PlanNode *score_scan_below(const PlanNode *plan);
/* Nobody but the scan decides: its bits are taken whole. */
void score_bits_of_scan(Operator *operator, const PlanNode * scan, Bits *bits);
/* The nodes of a block's bits, ascending. */
uint32_t score_ids_of(const uint64_t *words, uint64_t block, uint64_t ids[GRAPH_BLOCK_ROWS]);
/* Rows of which nothing is known but the node. */
Batch *score_nodes_batch(Operator *operator, const uint64_t * ids, uint32_t count);

/* Of the column's codes: the query is the leg's, if not another is put in. */
ColumnRequest score_column_request(const ExecutionEnvironment *environment, const Leg *leg,
                                   uint64_t limit, const Bits *bits);
Error *score_column_run(const ExecutionEnvironment *environment, ColumnSearch *search,
                        uint32_t workers) MUST_CHECK;
void score_column_note(const ColumnSearch *search, Leg *leg, ScoreFacts *facts);

typedef struct ByIndex {
    const GraphIndex *index;
    const PlanNode *scan;
    size_t said;            /* how widely, by USING; 0: nothing is said of it */
    bool exact;             /* as USING says */
    NearestRequest request; /* without a finder: no index can, or is to, answer */
} ByIndex;
/* What is asked for the same way whatever the query is. */
Error *score_index_begin(Operator *operator, uint64_t limit, ByIndex *by) MUST_CHECK;
/* An index on a label of the scan that can answer for this view and queries like the one at hand. */
void score_index_find(const Operator *operator, const Leg * leg, ByIndex *by);
/* Those of `bits` take part, or, without, all with the scan's labels. */
void score_index_among(const Operator *operator, ByIndex * by, const Bits *bits);
void score_index_note(const ByIndex *by, Leg *leg, uint64_t candidates, ScoreFacts *facts);
/* Has the query a direction, where only that counts? Else no row has a score. */
static inline bool score_is_directed(const VectorQuery *query)
{
    return query->metric != VECTOR_COSINE || query->factor != 0;
}

/* ---- what score_each.c has for EXPLAIN ---- */
/* Are the candidates the same for every row of the input below the scan, but for filters that look at
 * both, and the query another one's matter? `slots` has room for all of the plan's. */
bool score_asks_each(const PlanNode *plan, bool moments, uint32_t *slots);
/* Does the expression tell of the slot alone? */
bool score_only_looks_at(const Expr *expr, uint32_t slot, uint32_t *slots);
#endif
