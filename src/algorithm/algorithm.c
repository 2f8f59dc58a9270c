/* algorithm.c - the table of algorithms, their options, and the graph as they want it. */
#include "config.h"

#include "algorithm/algorithm_internal.h"
#include "base/meant.h"
#include <stdlib.h>
#include <string.h>

static const Algorithm algorithms[] = {
#define PROCEDURE(function, text, first, first_kind, second, second_kind, option_names,            \
                  summary_text, example_text)                                                      \
    {{.name = {text, sizeof text - 1},                                                             \
      .entity = {#first, sizeof #first - 1},                                                       \
      .entity_type = VALUE_##first_kind,                                                           \
      .column = {#second, sizeof #second - 1},                                                     \
      .column_type = VALUE_##second_kind,                                                          \
      .signature = text "(options = {} :: MAP) :: (" #first " :: " #first_kind ", " #second        \
                        " :: " #second_kind ")",                                                   \
      .summary = summary_text,                                                                     \
      .options = option_names,                                                                     \
      .example = example_text},                                                                    \
     run_##function},
#include "contextql/procedures.def"
#undef PROCEDURE
};
enum { ALGORITHM_COUNT = sizeof algorithms / sizeof *algorithms };

const Algorithm *algorithm_find(Str name)
{
    for (size_t i = 0; i < ALGORITHM_COUNT; i++)
        if (str_equal(algorithms[i].shape.name, name)) return &algorithms[i];
    return NULL;
}

bool algorithm_shape(size_t i, AlgorithmShape *out)
{
    if (i >= ALGORITHM_COUNT) return false;
    *out = algorithms[i].shape;
    return true;
}

void algorithm_shape_of(const Algorithm *algorithm, AlgorithmShape *out)
{
    *out = algorithm->shape;
}

/* ---- options ---- */

bool option_value(const Run *run, const char *name, Value *out)
{
    for (uint32_t i = 0; i < run->options.aux; i++)
        if (str_equal(run->options.as.entries[i].key, str_from(name)))
            return *out = run->options.as.entries[i].value, true;
    return false;
}

static Error *bad_option(const Run *run, const char *name, const char *wanted, Value value)
{
    return error_new(ERROR_ARGUMENT_TYPE, "%.*s: the option %s is %s, not %s",
                     STR_ARG(run->algorithm->shape.name), name, wanted,
                     value_kind_name((ValueKind)value.kind));
}

Error *option_number(const Run *run, const char *name, double least, double most, double *out)
{
    Value value;
    if (!option_value(run, name, &value)) return NULL;
    if (!value_is_number(value)) return bad_option(run, name, "a number", value);
    *out = value_as_double(value);
    if (*out >= least && *out <= most) return NULL; /* and no NaN */
    return error_new(ERROR_ARGUMENT_RANGE, "%.*s: the option %s is between %g and %g, not %g",
                     STR_ARG(run->algorithm->shape.name), name, least, most, *out);
}

Error *option_integer(const Run *run, const char *name, int64_t least, int64_t most, int64_t *out)
{
    Value value;
    if (!option_value(run, name, &value)) return NULL;
    if (value.kind != VALUE_INTEGER) return bad_option(run, name, "an integer", value);
    *out = value.as.integer;
    if (*out >= least && *out <= most) return NULL;
    return error_new(ERROR_ARGUMENT_RANGE, "%.*s: the option %s is between %lld and %lld, not %lld",
                     STR_ARG(run->algorithm->shape.name), name, (long long)least, (long long)most,
                     (long long)*out);
}

Error *option_boolean(const Run *run, const char *name, bool *out)
{
    Value value;
    if (!option_value(run, name, &value)) return NULL;
    if (value.kind != VALUE_BOOLEAN) return bad_option(run, name, "true or false", value);
    *out = value.as.boolean;
    return NULL;
}

/* A word of the text, which has one space between two? */
static bool is_word_of(const char *words, Str word)
{
    for (const char *at = words; *at != '\0';) {
        size_t bytes = strcspn(at, " ");
        if (str_equal((Str){at, bytes}, word)) return true;
        at += bytes + (at[bytes] == ' ');
    }
    return false;
}

static Error *check_options(const Run *run)
{
    const AlgorithmShape *shape = &run->algorithm->shape;
    if (run->options.kind != VALUE_MAP)
        return error_hint(error_new(ERROR_ARGUMENT_TYPE, "%.*s takes a map of options, not %s",
                                    STR_ARG(shape->name),
                                    value_kind_name((ValueKind)run->options.kind)),
                          "%s", shape->example);
    for (uint32_t i = 0; i < run->options.aux; i++) {
        Str key = run->options.as.entries[i].key;
        if (is_word_of(shape->options, key)) continue;
        Meant nearest = meant_of(key);
        meant_see_words(&nearest, shape->options);
        Error *error = error_new(ERROR_ARGUMENT_VALUE, "%.*s has no option `%.*s`",
                                 STR_ARG(shape->name), STR_ARG(key));
        return nearest.name[0] != '\0' ? meant_hint(error, &nearest, "")
                                       : error_hint(error, "it has: %s", shape->options);
    }
    return NULL;
}

static Error *text_of(const Run *run, const char *name, Value value, Str *out)
{
    if (value.kind != VALUE_STRING) return bad_option(run, name, "text, or a list of texts", value);
    *out = value_text(value);
    return NULL;
}

/* A type or label that nobody has is none: the graph asked about is empty then. */
static Error *find_names(Run *run)
{
    Value value;
    const Graph *graph = run->context->view->graph;
    uint32_t all = graph_name_count(graph, NAME_TYPE);
    Str text;
    run->labels = arena_array(run->arena, uint32_t, 1);
    if (option_value(run, "label", &value)) {
        TRY(text_of(run, "label", value, &text));
        run->labels[run->label_count++] = graph_name_find(graph, NAME_LABEL, text);
    }
    bool given = option_value(run, "types", &value);
    uint32_t count = !given ? all : value.kind == VALUE_LIST ? value.aux : 1;
    run->types = arena_array(run->arena, uint32_t, count + 1ul);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t type = i;
        if (given) {
            TRY(text_of(run, "types", value.kind == VALUE_LIST ? value.as.items[i] : value, &text));
            type = graph_name_find(graph, NAME_TYPE, text);
        }
        bool again = type == GRAPH_NAME_UNKNOWN;
        for (uint32_t j = 0; j < run->type_count; j++)
            again = again || run->types[j] == type;
        if (!again) run->types[run->type_count++] = type;
    }
    return NULL;
}

/* ---- the graph ---- */

Error *run_alloc(Run *run, size_t count, size_t bytes, void *out)
{
    uint64_t limit = run->context->memory_bytes_max;
    if (limit > 0 && arena_bytes(run->arena) + count * bytes > limit)
        return error_hint(error_new(ERROR_LIMIT,
                                    "%.*s needs more memory than its limit of %llu bytes",
                                    STR_ARG(run->algorithm->shape.name), (unsigned long long)limit),
                          "raise memory_limit, or ask about a part of the graph: label, types");
    TRY(error_if_short((count + 1) * bytes));
    *(void **)out = arena_calloc(run->arena, count + 1, bytes);
    return NULL;
}

Error *run_step(const Run *run, double done)
{
    const AlgorithmContext *context = run->context;
    if (context->progress != NULL) context->progress(context->progress_state, done, 0);
    if (context->stop == NULL || !context->stop(context->stop_state)) return NULL;
    return error_new(ERROR_CANCELLED, "the statement was cancelled");
}

static Error *find_nodes(Run *run)
{
    const GraphView *view = run->context->view;
    uint64_t cursor = 0, room = graph_block_count(view) * GRAPH_BLOCK_ROWS;
    TRY(run_alloc(run, room, sizeof *run->nodes, &run->nodes));
    for (uint32_t found; (found = graph_scan(view, run->labels, run->label_count, &cursor,
                                             run->nodes + run->count, GRAPH_BLOCK_ROWS)) > 0;) {
        run->count += found;
        if (run->count + GRAPH_BLOCK_ROWS > room) { /* a writer makes nodes that nobody sees here */
            while (run->count < room && graph_scan(view, run->labels, run->label_count, &cursor,
                                                   run->nodes + run->count, 1) == 1)
                run->count++;
            break;
        }
    }
    return NULL;
}

static int by_place(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* Both ways a pair of nodes counts once, and nobody is next to himself. */
static uint64_t simple(uint32_t *targets, uint64_t count, uint32_t self)
{
    uint64_t kept = 0;
    for (uint64_t i = 0; i < count; i++)
        if (targets[i] != self && (kept == 0 || targets[kept - 1] != targets[i]))
            targets[kept++] = targets[i];
    return kept;
}

typedef struct Filling {
    uint32_t *places; /* by id; UINT32_MAX: not asked about */
    uint64_t id_count;
    GraphWalk *walk;
    Neighbors found;
    uint32_t *targets;
    size_t capacity;
    uint64_t count;
} Filling;

static Error *fill(Run *run, Filling *filling, GraphDirection direction, Lists *out)
{
    enum { CHECK_EVERY = 4096 };
    uint64_t limit = run->context->memory_bytes_max;
    for (uint32_t i = 0; i < run->count; i++) {
        filling->found.count = 0;
        graph_walk(filling->walk, run->nodes[i], &filling->found);
        mem_reserve(filling->targets, filling->capacity, filling->count + filling->found.count + 1);
        uint32_t *own = filling->targets + filling->count;
        uint64_t count = 0;
        for (size_t n = 0; n < filling->found.count; n++) {
            uint64_t id = filling->found.nodes[n];
            uint32_t place = id < filling->id_count ? filling->places[id] : UINT32_MAX;
            if (place != UINT32_MAX) own[count++] = place;
        }
        if (count > 1) qsort(own, count, sizeof *own, by_place);
        filling->count += direction == GRAPH_BOTH ? simple(own, count, i) : count;
        out->offsets[i + 1] = filling->count;
        if (i % CHECK_EVERY > 0) continue;
        TRY(run_step(run, 0));
        if (limit > 0 && filling->capacity * sizeof *own > limit)
            return run_alloc(run, filling->capacity, sizeof *own, &own);
    }
    TRY(run_alloc(run, filling->count, sizeof *out->targets, &out->targets));
    if (filling->count > 0)
        memcpy(out->targets, filling->targets, filling->count * sizeof *out->targets);
    return NULL;
}

Error *run_lists(Run *run, GraphDirection direction, Lists *out)
{
    const GraphView *view = run->context->view;
    Filling filling = {.id_count = run->count == 0 ? 0 : run->nodes[run->count - 1] + 1};
    TRY(run_alloc(run, filling.id_count, sizeof *filling.places, &filling.places));
    TRY(run_alloc(run, run->count + 1ul, sizeof *out->offsets, &out->offsets));
    memset(filling.places, 0xff, filling.id_count * sizeof *filling.places);
    for (uint32_t i = 0; i < run->count; i++)
        filling.places[run->nodes[i]] = i;
    filling.walk = graph_walk_create(run->arena, view, run->types, run->type_count, direction);
    Error *error = fill(run, &filling, direction, out);
    mem_free(filling.targets);
    neighbors_free(&filling.found);
    return error;
}

/* ---- running ---- */

static Error *give_rows(Run *run, Error *(*emit)(void *sink, const Value *row), void *sink)
{
    for (uint32_t i = 0; i < run->count; i++) {
        Value row[2] = {value_node(run->nodes[i])};
        row[1] = run->scores != NULL   ? value_float(run->scores[i])
                 : run->counts != NULL ? value_integer((int64_t)run->counts[i])
                 : run->places         ? value_integer((int64_t)run->nodes[run->numbers[i]])
                                       : value_integer(run->numbers[i]);
        TRY(emit(sink, row));
    }
    return NULL;
}

Error *algorithm_run(const Algorithm *algorithm, const AlgorithmContext *context, Value options,
                     Error *(*emit)(void *sink, const Value *row), void *sink)
{
    Run run = {
        .context = context, .algorithm = algorithm, .options = options, .emit = emit, .sink = sink};
    Error *error = NULL;
    run.arena = arena_create();
    if ((error = check_options(&run)) != NULL) goto done;
    if ((error = find_names(&run)) != NULL) goto done;
    if (is_word_of(algorithm->shape.options,
                   STR("from"))) { /* it touches a part only, and gives its rows itself */
        error = algorithm->run(&run);
        goto done;
    }
    if ((error = find_nodes(&run)) != NULL) goto done;
    if ((error = algorithm->run(&run)) != NULL) goto done;
    error = give_rows(&run, emit, sink);
done:
    arena_destroy(run.arena);
    return error;
}
