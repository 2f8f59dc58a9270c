/* command.c - statements that are no queries: indexes, SHOW, and COPY (copy.c). */
#include "config.h"

#include "base/meant.h"
#include "command/command_internal.h"
#include "database/finder.h"
#include "rank/nearest.h"
#include <stdio.h>

/* ---- indexes ---- */

static Error *option(const Plan *plan, const ExecutionEnvironment *environment, Arena *arena,
                     Value *out)
{
    EvalContext context = {.arena = arena, .parameters = environment->parameters};
    Batch empty = {.row_count = 1, .selected_count = 1};
    *out = value_null();
    return plan->index.options == NULL
               ? NULL
               : expr_evaluate(plan->index.options, &context, &empty, 0, out);
}

/* An integer option; *out stays as it is where it is not given. */
static Error *integer_option(Value options, const char *name, int64_t low, int64_t high,
                             uint16_t *out)
{
    const Value *given = value_map_get(options, str_from(name));
    if (given == NULL || given->kind == VALUE_NULL) return NULL;
    if (given->kind != VALUE_INTEGER || given->as.integer < low || given->as.integer > high)
        return error_new(ERROR_ARGUMENT_VALUE, "`%s` is a number from %lld to %lld", name,
                         (long long)low, (long long)high);
    *out = (uint16_t)given->as.integer;
    return NULL;
}

static Error *check_vector_options(Value options)
{
    static const char *const known[] = {"dimensions", "metric",          "type",
                                        "ef",         "ef_construction", "m"};
    for (uint32_t i = 0; options.kind == VALUE_MAP && i < options.aux; i++) {
        Str name = options.as.entries[i].key;
        Meant nearest = meant_of(name);
        bool found = false;
        for (size_t k = 0; k < sizeof known / sizeof *known; k++) {
            found = found || str_equal(name, str_from(known[k]));
            meant_see(&nearest, str_from(known[k]));
        }
        if (!found)
            return meant_hint(
                error_new(ERROR_ARGUMENT_VALUE, "a vector index has no option %.*s", STR_ARG(name)),
                &nearest, "dimensions, metric, type, ef, ef_construction");
    }
    return NULL;
}

/* `m` is known from others, and means nothing here: a row has 32 links, which they call 16. */
static Error *search_options(Value options, GraphIndex *index)
{
    enum { M_MAX = 128 };
    uint16_t m = 0;
    const Value *type = value_map_get(options, STR("type"));
    TRY(integer_option(options, "m", 1, M_MAX, &m));
    TRY(integer_option(options, "ef", 1, NEAR_EF_MAX, &index->ef));
    TRY(integer_option(options, "ef_construction", NEAR_EF_CONSTRUCTION_MIN,
                       NEAR_EF_CONSTRUCTION_MAX, &index->ef_construction));
    if (type == NULL || type->kind == VALUE_NULL) return NULL;
    bool text = type->kind == VALUE_STRING;
    index->flat = text && str_equal_ignore_case(value_text(*type), STR("flat"));
    if (index->flat || (text && str_equal_ignore_case(value_text(*type), STR("graph"))))
        return NULL;
    return error_new(ERROR_ARGUMENT_VALUE, "the type is 'graph' or 'flat'");
}

static Error *vector_options(Value options, GraphIndex *index)
{
    static const Str metrics[] = {{"cosine", 6}, {"dot", 3}, {"l2", 2}};
    const Value *dimensions =
        options.kind == VALUE_MAP ? value_map_get(options, STR("dimensions")) : NULL;
    const Value *metric = options.kind == VALUE_MAP ? value_map_get(options, STR("metric")) : NULL;
    TRY(check_vector_options(options));
    bool good = dimensions != NULL && dimensions->kind == VALUE_INTEGER &&
                dimensions->as.integer > 0 && dimensions->as.integer <= VECTOR_DIMENSIONS_MAX;
    if (!good)
        return error_hint(error_new(ERROR_ARGUMENT_VALUE,
                                    "a vector index wants its dimensions, 1 to %d",
                                    VECTOR_DIMENSIONS_MAX),
                          "OPTIONS {dimensions: 384, metric: 'cosine'}");
    index->dimensions = (uint32_t)dimensions->as.integer;
    TRY(search_options(options, index));
    if (metric == NULL) return NULL;
    for (uint8_t m = 0; m < 3; m++)
        if (metric->kind == VALUE_STRING && str_equal_ignore_case(value_text(*metric), metrics[m]))
            return index->metric = m, NULL;
    return error_new(ERROR_ARGUMENT_VALUE, "the metric is 'cosine', 'dot' or 'l2'");
}

/* No vector, another dimension, no direction under cosine. */
static bool is_left_out(const GraphView *view, const GraphIndex *index, uint64_t node)
{
    enum { COSINE = 0 };
    Value value = graph_property(view, VALUE_NODE, node, index->keys[0]);
    bool fits = value.kind == VALUE_VECTOR && value.aux == index->dimensions,
         directed = index->metric != COSINE;
    for (uint32_t c = 0; fits && !directed && c < value.aux; c++)
        directed = value.as.vector[c] != 0;
    return value.kind != VALUE_NULL && !(fits && directed);
}

/* Values that a vector index cannot take. Counted when asked, over what the view shows, so that the
 * number is never older than the data. A vector whose length is known has a direction: most of them are
 * not looked at. */
static uint64_t left_out(const GraphView *view, const GraphIndex *index)
{
    enum { CHUNK = 256 };
    uint64_t cursor = 0, ids[CHUNK], count = 0, block = UINT64_MAX;
    uint32_t found;
    GraphVectors lent;
    bool fits = false;
    while (index->vector && (found = graph_scan(view, &index->label, 1, &cursor, ids, CHUNK)) > 0)
        for (uint32_t i = 0; i < found; i++) {
            uint32_t row = ids[i] % GRAPH_BLOCK_ROWS;
            if (ids[i] / GRAPH_BLOCK_ROWS != block) {
                block = ids[i] / GRAPH_BLOCK_ROWS;
                fits = graph_vectors(view, index->keys[0], block, &lent) == GRAPH_VECTORS_LENT &&
                       lent.dimensions == index->dimensions;
            }
            bool good = fits && row < lent.count && (lent.present[row / 64] >> row % 64 & 1) &&
                        lent.factors[row] > 0 && graph_vectors_held(view, &lent);
            count += !good && is_left_out(view, index, ids[i]);
        }
    return count;
}

static void warn_left_out(const ExecutionEnvironment *environment, const GraphIndex *index)
{
    GraphView view = graph_writer_view(environment->writer);
    uint64_t count = left_out(&view, index);
    char text[256];
    if (count == 0 || environment->warn == NULL) return;
    snprintf(text, sizeof text,
             "%llu value%s left out of the index: no vector of %u dimensions, or all zero",
             (unsigned long long)count, count == 1 ? " is" : "s are", index->dimensions);
    environment->warn(environment->session, ERROR_LEFT_OUT_OF_INDEX, text, "");
}

/* Is there one that does what this would? A unique constraint does what an index does, not the other
 * way round. */
static bool same_rule(const GraphView *view, const GraphIndex *wanted)
{
    for (uint32_t i = 0; i < graph_index_count(view->graph); i++) {
        const GraphIndex *index = graph_index_at(view, i);
        if (index == NULL || index->label != wanted->label || index->vector != wanted->vector ||
            index->key_count != wanted->key_count ||
            memcmp(index->keys, wanted->keys, sizeof index->keys) != 0)
            continue;
        if (index->constraint == wanted->constraint) return true;
        if (wanted->constraint == GRAPH_NO_CONSTRAINT && index->constraint == GRAPH_UNIQUE)
            return true;
    }
    return false;
}

/* The last tenth of what a build costs is not told. */
static bool tell_rows(void *user, uint64_t done, uint64_t count)
{
    const ExecutionEnvironment *environment = user;
    const Interrupt *interrupt = environment->interrupt;
    if (environment->progress != NULL)
        environment->progress(environment->session, count == 0 ? 1 : (double)done / (double)count,
                              done);
    return interrupt != NULL && interrupt->stop(interrupt->state);
}

/* Of a vector index that is only the first step. */
static void tell_nodes(void *user, uint64_t done, uint64_t count)
{
    const ExecutionEnvironment *environment = user;
    if (environment->progress != NULL)
        environment->progress(environment->session, count == 0 ? 1 : (double)done / (double)count,
                              done);
}

static Error *make_finder(const ExecutionEnvironment *environment, Str name)
{
    ExecutionEnvironment *user = (ExecutionEnvironment *)(uintptr_t)environment;
    FinderTelling telling = {environment->worker_max, tell_rows, user};
    const GraphIndex *index = graph_index_named(&environment->view, name);
    if (index == NULL || !index->vector) return NULL;
    return finder_make(environment->database, environment->writer, index, &telling);
}

static const char *joined(Arena *arena, const PlanIndex *wanted, const char *between)
{
    const char *text = "";
    for (uint32_t k = 0; k < wanted->property_count; k++)
        text = arena_printf(arena, "%s%s%.*s", text, k > 0 ? between : "",
                            STR_ARG(wanted->properties[k]));
    return text;
}

/* Label_property; another rule may be on the same: then a number is put behind it. */
static Str free_name(Arena *arena, const GraphView *view, const PlanIndex *wanted)
{
    const char *plain =
        arena_printf(arena, "%.*s_%s", STR_ARG(wanted->label), joined(arena, wanted, "_"));
    Str name = str_from(plain);
    for (int i = 2; graph_index_named(view, name) != NULL; i++)
        name = str_from(arena_printf(arena, "%s_%d", plain, i));
    return name;
}

static Error *create_index(Arena *arena, const Plan *plan, const ExecutionEnvironment *environment)
{
    GraphWriter *writer = environment->writer;
    const PlanIndex *wanted = &plan->index;
    GraphIndex index = {.name = wanted->name,
                        .vector = wanted->vector,
                        .constraint = (GraphConstraint)wanted->constraint};
    Value options;
    TRY(option(plan, environment, arena, &options));
    if (wanted->vector) TRY(vector_options(options, &index));
    if (wanted->tolerant && graph_index_named(&environment->view, index.name) != NULL) return NULL;
    index.label = graph_name_intern(writer, NAME_LABEL, wanted->label);
    for (uint32_t k = 0; k < wanted->property_count; k++)
        index.keys[k] = graph_name_intern(writer, NAME_KEY, wanted->properties[k]);
    index.key_count = wanted->property_count;
    if (same_rule(&environment->view, &index))
        return wanted->tolerant
                   ? NULL
                   : error_new(ERROR_NAME_EXISTS, "there is such %s on :%.*s(%s) already",
                               wanted->is_constraint ? "a constraint" : "an index",
                               STR_ARG(wanted->label), joined(arena, wanted, ", "));
    if (index.name.bytes == 0) index.name = free_name(arena, &environment->view, wanted);
    graph_writer_tell(writer, tell_nodes, (ExecutionEnvironment *)(uintptr_t)environment);
    Error *error = graph_create_index(writer, &index);
    graph_writer_tell(writer, NULL, NULL);
    TRY(error);
    TRY(make_finder(environment, index.name));
    warn_left_out(environment, &index);
    return NULL;
}

static Error *nearest_index(Error *error, const ExecutionEnvironment *environment,
                            const PlanIndex *wanted)
{
    const GraphView *view = &environment->view;
    Meant nearest = meant_of(wanted->name);
    for (uint32_t i = 0; i < graph_index_count(view->graph); i++) {
        const GraphIndex *index = graph_index_at(view, i);
        if (index != NULL && (index->constraint != GRAPH_NO_CONSTRAINT) == wanted->is_constraint)
            meant_see(&nearest, index->name);
    }
    return meant_hint(error, &nearest,
                      wanted->is_constraint ? "SHOW CONSTRAINTS lists them"
                                            : "SHOW INDEXES lists them");
}

static Error *drop_index(const Plan *plan, const ExecutionEnvironment *environment)
{
    const PlanIndex *wanted = &plan->index;
    const GraphIndex *index = graph_index_named(&environment->view, wanted->name);
    bool constraint = index != NULL && index->constraint != GRAPH_NO_CONSTRAINT;
    if (index == NULL || constraint != wanted->is_constraint) {
        if (wanted->tolerant && index == NULL) return NULL;
        Error *error =
            error_new(ERROR_NAME_UNKNOWN, "no such %s: %.*s",
                      wanted->is_constraint ? "constraint" : "index", STR_ARG(wanted->name));
        if (index != NULL)
            return error_hint(error, "it is %s: DROP %s", constraint ? "a constraint" : "an index",
                              constraint ? "CONSTRAINT" : "INDEX");
        return nearest_index(error, environment, wanted);
    }
    graph_drop_index(environment->writer, wanted->name);
    return NULL;
}

/* ---- SHOW ---- */

void show_add(ShowRows *rows, Value value)
{
    if (rows->count == rows->capacity) {
        size_t capacity = rows->capacity < 16 ? 16 : rows->capacity * 2;
        Value *larger = arena_alloc(rows->arena, capacity * sizeof *larger);
        if (rows->count > 0) memcpy(larger, rows->values, rows->count * sizeof *larger);
        rows->values = larger;
        rows->capacity = capacity;
    }
    rows->values[rows->count++] = value;
}

void show_add_text(ShowRows *rows, const char *text)
{
    show_add(rows, value_string(str_from(text)));
}

/* As OPTIONS takes them, where they are not as usual. */
static const char *options_text(Arena *arena, const GraphIndex *index)
{
    static const char *const metrics[] = {"cosine", "dot", "l2"};
    if (!index->vector) return "";
    const char *text = arena_printf(arena, "dimensions: %u, metric: %s", index->dimensions,
                                    metrics[index->metric]);
    if (index->flat) text = arena_printf(arena, "%s, type: flat", text);
    if (index->ef != 0) text = arena_printf(arena, "%s, ef: %u", text, index->ef);
    if (index->ef_construction != 0)
        text = arena_printf(arena, "%s, ef_construction: %u", text, index->ef_construction);
    return text;
}

/* How it finds. */
static const char *state_text(Arena *arena, const ExecutionEnvironment *environment,
                              const GraphIndex *index)
{
    if (!index->vector) return "ready";
    const GraphFinder *finder = graph_finder(&environment->view, index);
    int percent = finder_progress(environment->database, index);
    const char *making = percent < 0 ? "" : arena_printf(arena, ", %d %% of a new graph", percent);
    if (finder == NULL) return arena_printf(arena, "exact%s", making);
    const NearIndex *near = graph_finder_thing(finder);
    return arena_printf(arena, "graph of %llu, %llu changed since, %llu bytes%s",
                        (unsigned long long)near_count(near),
                        (unsigned long long)graph_finder_changed_count(finder),
                        (unsigned long long)near_bytes(near), making);
}

/* How widely it is searched, and how long its graph took to make; null where it has none, or where
 * that was before the database was opened. */
static void show_search(ShowRows *rows, const ExecutionEnvironment *environment,
                        const GraphIndex *index)
{
    const GraphFinder *finder = index->vector ? graph_finder(&environment->view, index) : NULL;
    int64_t built_ns = finder == NULL ? 0 : near_built_ns(graph_finder_thing(finder));
    show_add(rows, finder == NULL
                       ? value_null()
                       : value_integer((int64_t)nearest_breadth(environment->vector_ef, index)));
    show_add(rows, built_ns == 0 ? value_null() : value_float((double)built_ns / 1e9));
}

/* The property's name, or a list of several. */
static void show_keys(ShowRows *rows, const Graph *graph, const GraphIndex *index)
{
    Value *names = arena_array(rows->arena, Value, index->key_count);
    for (uint32_t k = 0; k < index->key_count; k++)
        names[k] = value_string(graph_name_text(graph, NAME_KEY, index->keys[k]));
    show_add(rows, index->key_count == 1 ? names[0] : value_list(names, index->key_count));
}

static void show_indexes(ShowRows *rows, const ExecutionEnvironment *environment)
{
    const GraphView *view = &environment->view;
    const Graph *graph = view->graph;
    for (uint32_t i = 0; i < graph_index_count(graph); i++) {
        const GraphIndex *index = graph_index_at(view, i);
        if (index == NULL || index->constraint == GRAPH_REQUIRED) continue;
        show_add(rows, value_string(index->name));
        show_add_text(rows, index->vector                       ? "vector"
                            : index->constraint == GRAPH_UNIQUE ? "unique"
                                                                : "property");
        show_add(rows, value_string(graph_name_text(graph, NAME_LABEL, index->label)));
        show_keys(rows, graph, index);
        show_add_text(rows, options_text(rows->arena, index));
        show_add(rows, value_integer((int64_t)left_out(view, index)));
        show_add_text(rows, state_text(rows->arena, environment, index));
        show_search(rows, environment, index);
    }
}

static void show_constraints(ShowRows *rows, const GraphView *view)
{
    const Graph *graph = view->graph;
    for (uint32_t i = 0; i < graph_index_count(graph); i++) {
        const GraphIndex *index = graph_index_at(view, i);
        if (index == NULL || index->constraint == GRAPH_NO_CONSTRAINT) continue;
        show_add(rows, value_string(index->name));
        show_add_text(rows, index->constraint == GRAPH_UNIQUE ? "unique" : "not null");
        show_add(rows, value_string(graph_name_text(graph, NAME_LABEL, index->label)));
        show_keys(rows, graph, index);
    }
}

static void show_names(ShowRows *rows, const GraphView *view, NameKind kind)
{
    for (uint32_t i = 0; i < graph_name_count(view->graph, kind); i++) {
        show_add(rows, value_string(graph_name_text(view->graph, kind, i)));
        if (kind == NAME_LABEL) show_add(rows, value_integer((int64_t)graph_label_count(view, i)));
        if (kind == NAME_TYPE)
            show_add(rows, value_integer((int64_t)graph_relationship_count(view, i)));
    }
}

static void show_functions(ShowRows *rows)
{
    FunctionText text;
    for (size_t i = 0; function_text(i, &text); i++) {
        show_add_text(rows, text.name);
        show_add_text(rows, text.signature);
        show_add_text(rows, text.summary);
        show_add_text(rows, text.example);
    }
}

static void show_strategies(ShowRows *rows, const StrategyRegistry *strategies)
{
    for (size_t i = 0; i < strategy_count(strategies); i++) {
        show_add_text(rows, strategy_at(strategies, i)->name);
        show_add_text(rows, strategy_at(strategies, i)->summary);
    }
}

static void show(Arena *arena, const Plan *plan, const ExecutionEnvironment *environment,
                 CommandTable *out)
{
    ShowRows rows = {.arena = arena};
    if (str_equal(plan->name, STR("LABELS")))
        show_names(&rows, &environment->view, NAME_LABEL);
    else if (str_equal(plan->name, STR("TYPES")))
        show_names(&rows, &environment->view, NAME_TYPE);
    else if (str_equal(plan->name, STR("PROPERTIES")))
        show_names(&rows, &environment->view, NAME_KEY);
    else if (str_equal(plan->name, STR("FUNCTIONS")))
        show_functions(&rows);
    else if (str_equal(plan->name, STR("HARDWARE")))
        show_hardware(&rows, environment);
    else if (str_equal(plan->name, STR("WORKERS")))
        show_workers(&rows, environment);
    else if (str_equal(plan->name, STR("STRATEGIES")))
        show_strategies(&rows, environment->strategies);
    else if (str_equal(plan->name, STR("CONSTRAINTS")))
        show_constraints(&rows, &environment->view);
    else
        show_indexes(&rows, environment);
    out->values = rows.values;
    out->column_count = plan->column_count;
    out->row_count = rows.count / plan->column_count;
}

static Error *run_command(Arena *arena, const Plan *plan, const ExecutionEnvironment *environment,
                          CommandTable *out)
{
    switch (plan->statement) {
    case STATEMENT_CREATE_INDEX: return create_index(arena, plan, environment);
    case STATEMENT_DROP_INDEX: return drop_index(plan, environment);
    case STATEMENT_COPY_NODES:
    case STATEMENT_COPY_RELATIONSHIPS: return copy_from(arena, plan, environment, out);
    case STATEMENT_COPY_TO: return copy_to(arena, plan, environment, out);
    case STATEMENT_CREATE_SNAPSHOT: return create_snapshot(arena, plan, environment, out);
    case STATEMENT_DROP_SNAPSHOT: return drop_snapshot(plan, environment);
    case STATEMENT_SHOW:
        if (str_equal(plan->name, STR("SNAPSHOTS")))
            return show_snapshots(arena, plan, environment, out);
        return show(arena, plan, environment, out), NULL;
    case STATEMENT_QUERY:
    case STATEMENT_BEGIN:
    case STATEMENT_COMMIT:
    case STATEMENT_ROLLBACK: break; /* not for us */
    }
    return NULL;
}

Error *command_execute(Arena *arena, const Plan *plan, const ExecutionEnvironment *environment,
                       CommandTable *out)
{
    *out = (CommandTable){0};
    Error *error = run_command(arena, plan, environment, out);
    bool placed = error != NULL && plan->source != NULL && error_code(error) != ERROR_CANCELLED;
    return placed ? error_at(error, plan->source->offset, plan->source->length) : error;
}
