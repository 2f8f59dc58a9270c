/*
 * explain.c - plans as people read them: one operator a line, the last one first, sub-plans
 * indented.
 */
#include "config.h"

#include "planner/planner_internal.h"

typedef struct Explain {
    Arena *arena;
    Buffer *out; /* the line at hand */
    ExplainRow *rows;
    size_t count, capacity;
    const Plan *plan;
    const PlanProfile *profile; /* NULL: it did not run */
    const char *const *notes;
} Explain;

static const char *const kind_names[] = {[PLAN_UNIT] = "Unit",
                                         [PLAN_ARGUMENT] = "Argument",
                                         [PLAN_NODE_SCAN] = "NodeScan",
                                         [PLAN_NODE_SEEK] = "NodeSeek",
                                         [PLAN_NODE_BY_ID] = "NodeById",
                                         [PLAN_EXPAND] = "Expand",
                                         [PLAN_EXPAND_VARIABLE] = "ExpandVariable",
                                         [PLAN_RELATIONSHIP_BY_ID] = "RelationshipById",
                                         [PLAN_RELATIONSHIP_ENDS] = "RelationshipEnds",
                                         [PLAN_WALK] = "Walk",
                                         [PLAN_SHORTEST] = "ShortestPath",
                                         [PLAN_REACH] = "Reach",
                                         [PLAN_COUNT] = "Count",
                                         [PLAN_DEGREE] = "Degree",
                                         [PLAN_INTERSECT] = "Intersect",
                                         [PLAN_LINK] = "Link",
                                         [PLAN_FILTER] = "Filter",
                                         [PLAN_PROJECT] = "Project",
                                         [PLAN_UNWIND] = "Unwind",
                                         [PLAN_AGGREGATE] = "Aggregate",
                                         [PLAN_DISTINCT] = "Distinct",
                                         [PLAN_SORT] = "Sort",
                                         [PLAN_SKIP] = "Skip",
                                         [PLAN_LIMIT] = "Limit",
                                         [PLAN_UNION] = "Union",
                                         [PLAN_APPLY] = "Apply",
                                         [PLAN_CREATE] = "Create",
                                         [PLAN_MERGE] = "Merge",
                                         [PLAN_SET] = "Set",
                                         [PLAN_REMOVE] = "Remove",
                                         [PLAN_DELETE] = "Delete",
                                         [PLAN_FOREACH] = "Foreach",
                                         [PLAN_LOAD] = "Load",
                                         [PLAN_CALL] = "Call",
                                         [PLAN_SCORE] = "VectorTopK",
                                         [PLAN_RANK] = "Rank",
                                         [PLAN_ENTER] = "Enter",
                                         [PLAN_LEAVE] = "At",
                                         [PLAN_PRODUCE] = "Produce"};

const char *plan_kind_name(PlanKind kind)
{
    return kind_names[kind];
}

static void slot_name(const Explain *explain, uint32_t slot)
{
    const char *name = slot == SLOT_NONE ? NULL : explain->plan->slot_names[slot];
    if (name != NULL) buffer_text(explain->out, name);
}

static void node_shape(const Explain *explain, uint32_t slot, const NameRef *labels, uint32_t count)
{
    buffer_char(explain->out, '(');
    slot_name(explain, slot);
    for (uint32_t i = 0; i < count; i++)
        buffer_printf(explain->out, ":%.*s", STR_ARG(labels[i].text));
    buffer_char(explain->out, ')');
}

static void arm_shape(const Explain *explain, const PlanArm *arm, uint32_t to_slot)
{
    buffer_text(explain->out, arm->direction == PLAN_IN ? "<-[" : "-[");
    for (uint32_t i = 0; i < arm->type_count; i++)
        buffer_printf(explain->out, "%c%.*s", i == 0 ? ':' : '|', STR_ARG(arm->types[i].text));
    buffer_text(explain->out, arm->direction == PLAN_OUT ? "]->" : "]-");
    node_shape(explain, to_slot, arm->labels, arm->label_count);
}

/* Of the third arm of DEGREE a person need not know. */
static void arms_shape(const Explain *explain, const PlanNode *node)
{
    uint32_t to = node->kind == PLAN_LINK        ? node->to_slot
                  : node->kind == PLAN_INTERSECT ? node->slot
                                                 : SLOT_NONE;
    if (node->kind == PLAN_COUNT) node_shape(explain, SLOT_NONE, node->labels, node->label_count);
    for (uint32_t i = 0; i < node->arm_count && i < 2; i++) {
        if (i > 0) buffer_text(explain->out, ", ");
        if (node->kind != PLAN_COUNT) node_shape(explain, node->arms[i].from_slot, NULL, 0);
        arm_shape(explain, &node->arms[i], to);
        if (!node->arms[i].unlike) continue;
        Str key = node->arms[i].unlike_key.text;
        if (key.data != NULL)
            buffer_printf(explain->out, " with another .%.*s than ", STR_ARG(key));
        else
            buffer_text(explain->out, " other than ");
        node_shape(explain, node->arms[i].unlike_slot, NULL, 0);
    }
}

static void expand_shape(const Explain *explain, const PlanNode *node)
{
    node_shape(explain, node->from_slot, NULL, 0);
    buffer_text(explain->out, node->direction == PLAN_IN ? "<-[" : "-[");
    slot_name(explain, node->relationship_slot);
    for (uint32_t i = 0; i < node->type_count; i++)
        buffer_printf(explain->out, "%c%.*s", i == 0 ? ':' : '|', STR_ARG(node->types[i].text));
    if (node->kind == PLAN_EXPAND_VARIABLE || node->kind == PLAN_SHORTEST ||
        node->kind == PLAN_REACH || node->kind == PLAN_WALK) {
        buffer_printf(explain->out, "*%lld..", (long long)node->hops_min);
        if (node->hops_max >= 0) buffer_printf(explain->out, "%lld", (long long)node->hops_max);
    }
    buffer_text(explain->out, node->direction == PLAN_OUT ? "]->" : "]-");
    node_shape(explain, node->to_slot, node->labels, node->label_count);
    if (node->to_bound) buffer_text(explain->out, " both ends known");
}

static void items_shape(const Explain *explain, const PlanItem *items, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (i > 0) buffer_text(explain->out, ", ");
        expr_print(explain->out, items[i].expr, explain->plan->slot_names);
        if (items[i].descending) buffer_text(explain->out, " DESC");
    }
}

static void score_shape(const Explain *explain, const PlanNode *node)
{
    static const char *const metrics[] = {"cosine", "dot", "l2"};
    if (node->kind == PLAN_RANK) buffer_printf(explain->out, "%.*s", STR_ARG(node->strategy));
    for (uint32_t i = 0; i < node->leg_count; i++) {
        const PlanScoreLeg *leg = &node->legs[i];
        buffer_text(explain->out, i > 0 ? ", " : node->kind == PLAN_RANK ? " over " : "");
        if (leg->vector) {
            slot_name(explain, leg->slot);
            buffer_printf(explain->out, ".%.*s %s ", STR_ARG(leg->key.text), metrics[leg->metric]);
        }
        expr_print(explain->out, leg->expr, explain->plan->slot_names);
    }
    if (node->limit == NULL) return;
    buffer_text(explain->out, " best ");
    expr_print(explain->out, node->limit, explain->plan->slot_names);
}

static void moment_shape(const Explain *explain, uint32_t moment, const char *before)
{
    const PlanMoment *at = &explain->plan->moments[moment];
    if (at->expr == NULL) return buffer_text(explain->out, "the present");
    buffer_printf(explain->out, "%s%s ", before, at->timestamp ? "timestamp" : "snapshot");
    expr_print(explain->out, at->expr, explain->plan->slot_names);
}

static void range_shape(const Explain *explain, const PlanRange *range)
{
    static const char *const signs[] = {
        [EXPR_EQUAL] = "=",   [EXPR_LESS] = "<",           [EXPR_LESS_EQUAL] = "<=",
        [EXPR_GREATER] = ">", [EXPR_GREATER_EQUAL] = ">=", [EXPR_STARTS_WITH] = "STARTS WITH"};
    buffer_printf(explain->out, " .%.*s %s ", STR_ARG(range->key.text), signs[range->comparison]);
    expr_print(explain->out, range->bound, explain->plan->slot_names);
}

/* Those that an index is asked about first, then those that blocks are held against. */
static void ranges_shape(const Explain *explain, const PlanNode *node)
{
    if (node->in_order)
        buffer_printf(explain->out, " in order of .%.*s%s", STR_ARG(node->key.text),
                      node->descending ? " DESC" : "");
    for (int indexed = 1; indexed >= 0; indexed--) {
        bool any = false;
        for (uint32_t i = 0; i < node->range_count; i++) {
            const PlanRange *range = &node->ranges[i];
            if (range->indexed != (indexed == 1) ||
                (!range->indexed && (node->in_order || range->comparison == EXPR_STARTS_WITH)))
                continue;
            buffer_text(explain->out, any            ? ","
                                      : indexed == 1 ? " by index with"
                                                     : " in blocks with");
            any = true;
            range_shape(explain, range);
        }
    }
}

static void equal_shape(const Explain *explain, const char *before, Str key, const Expr *value)
{
    buffer_printf(explain->out, "%s%s%.*s = ", before, key.bytes > 0 ? "." : "", STR_ARG(key));
    expr_print(explain->out, value, explain->plan->slot_names);
}

static void details(const Explain *explain, const PlanNode *node)
{
    static const char *const applies[] = {"optional", "rows", "exists", "count", "collect", "each"};
    buffer_char(explain->out, ' ');
    switch (node->kind) {
    case PLAN_NODE_SCAN:
        node_shape(explain, node->slot, node->labels, node->label_count);
        ranges_shape(explain, node);
        break;
    case PLAN_NODE_SEEK:
    case PLAN_NODE_BY_ID:
        node_shape(explain, node->slot, node->labels, node->label_count);
        for (uint32_t k = 0; k < node->key_count; k++)
            equal_shape(explain, k == 0 ? "" : ", ", node->keys[k].text, node->expr->args[k]);
        if (node->key_count == 0)
            equal_shape(explain, "", node->kind == PLAN_NODE_SEEK ? node->key.text : STR(""),
                        node->expr);
        break;
    case PLAN_RELATIONSHIP_BY_ID:
        buffer_char(explain->out, '[');
        slot_name(explain, node->slot);
        buffer_text(explain->out, "] = ");
        expr_print(explain->out, node->expr, explain->plan->slot_names);
        break;
    case PLAN_EXPAND:
    case PLAN_EXPAND_VARIABLE:
    case PLAN_RELATIONSHIP_ENDS:
    case PLAN_WALK:
    case PLAN_REACH:
    case PLAN_SHORTEST: expand_shape(explain, node); break;
    case PLAN_COUNT:
    case PLAN_DEGREE:
    case PLAN_INTERSECT:
    case PLAN_LINK: arms_shape(explain, node); break;
    case PLAN_FILTER:
        expr_print(explain->out, node->expr, explain->plan->slot_names);
        if (node->lenient) buffer_text(explain->out, ", rows that fail wait");
        if (node->again) buffer_text(explain->out, ", where rows failed");
        break;
    case PLAN_SKIP:
    case PLAN_LIMIT:
    case PLAN_UNWIND:
    case PLAN_LOAD: expr_print(explain->out, node->expr, explain->plan->slot_names); break;
    case PLAN_PROJECT:
    case PLAN_SORT: items_shape(explain, node->items, node->item_count); break;
    case PLAN_AGGREGATE:
        items_shape(explain, node->items, node->item_count);
        buffer_printf(explain->out, "%s%u aggregate%s", node->item_count > 0 ? ": " : "",
                      node->aggregate_count, node->aggregate_count == 1 ? "" : "s");
        break;
    case PLAN_APPLY: buffer_text(explain->out, applies[node->apply]); break;
    case PLAN_SCORE:
    case PLAN_RANK: score_shape(explain, node); break;
    case PLAN_ENTER: items_shape(explain, node->items, node->item_count); break;
    case PLAN_LEAVE: moment_shape(explain, node->moment, ""); break;
    case PLAN_PRODUCE:
        if (explain->plan->moments[0].expr != NULL) moment_shape(explain, 0, "at ");
        if (explain->plan->moments[0].expr == NULL) explain->out->bytes--;
        break;
    case PLAN_CALL: buffer_str(explain->out, node->procedure); break;
    default: explain->out->bytes--; break; /* nothing to add */
    }
}

static ExplainRow *add_row(Explain *explain)
{
    if (explain->count == explain->capacity) {
        size_t capacity = explain->capacity < 16 ? 16 : explain->capacity * 2;
        ExplainRow *larger = arena_array(explain->arena, ExplainRow, capacity);
        if (explain->count > 0) memcpy(larger, explain->rows, explain->count * sizeof *larger);
        explain->rows = larger;
        explain->capacity = capacity;
    }
    ExplainRow *row = &explain->rows[explain->count++];
    row->text = str_copy(explain->arena, buffer_view(explain->out));
    row->estimated_rows = -1;
    buffer_clear(explain->out);
    return row;
}

/* Time of its own, without that of the operators it takes its rows from. */
static int64_t own_ns(const PlanProfile *profile, const PlanNode *node)
{
    int64_t own = profile->elapsed_ns[node->id];
    if (node->input != NULL) own -= profile->elapsed_ns[node->input->id];
    if (node->inner != NULL) own -= profile->elapsed_ns[node->inner->id];
    for (uint32_t i = 0; i < node->branch_count; i++)
        own -= profile->elapsed_ns[node->branches[i]->id];
    return own < 0 ? 0 : own;
}

static void line(Explain *explain, const PlanNode *node, int depth)
{
    buffer_printf(explain->out, "%*s%s", depth * 2, "", kind_names[node->kind]);
    details(explain, node);
    if (explain->notes[node->id] != NULL)
        buffer_printf(explain->out, "  %s", explain->notes[node->id]);
    ExplainRow *row = add_row(explain);
    row->is_operator = true;
    row->estimated_rows = node->estimated_rows;
    const PlanProfile *profile = explain->profile;
    if (profile == NULL) return;
    row->rows = profile->rows[node->id];
    row->own_ns = own_ns(profile, node);
    row->file_bytes = profile->file_bytes[node->id];
    int64_t most = profile->memory == NULL ? 0 : profile->memory[node->id].most;
    row->memory_bytes = most < 0 ? 0 : (uint64_t)most;
}

static void tree(Explain *explain, const PlanNode *node, int depth)
{
    for (; node != NULL; node = node->input) {
        line(explain, node, depth);
        if (node->inner != NULL) tree(explain, node->inner, depth + 1);
        for (uint32_t i = 0; i < node->branch_count; i++)
            tree(explain, node->branches[i], depth + 1);
    }
}

const ExplainRow *planner_explain(Arena *arena, const Plan *plan, const PlanProfile *profile,
                                  const char *const *notes, size_t *count)
{
    Buffer text = {0};
    Explain explain = {
        .arena = arena, .out = &text, .plan = plan, .profile = profile, .notes = notes};
    if (plan->root != NULL) tree(&explain, plan->root, 0);
    for (uint32_t i = 0; i < plan->subquery_count; i++) {
        static const char *const kinds[] = {
            [APPLY_EXISTS] = "exists", [APPLY_COUNT] = "count", [APPLY_COLLECT] = "collect"};
        buffer_printf(&text, "Subquery %u %s", i + 1, kinds[plan->subqueries[i].kind]);
        add_row(&explain);
        tree(&explain, plan->subqueries[i].inner, 1);
    }
    buffer_free(&text);
    *count = explain.count;
    return explain.rows;
}
