/* score_internal.h - between the operator that ranks (score.c), its legs (score_leg.c) and what
 * takes a scan as a whole (score_scan.c). */
#ifndef EXECUTION_SCORE_INTERNAL_H
#define EXECUTION_SCORE_INTERNAL_H
#include "execution/operator_internal.h"
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
/* Where each row of the input below a scan asks for the best of the same candidates: all rows are read,
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
#endif
