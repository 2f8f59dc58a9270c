/*
 * finder.c - what vector indexes find by (vector/near.h): made of a graph, kept with it, written into
 * its segments.
 *
 * The graph keeps a finder with each vector index and notes which nodes changed since (graph.h); what
 * is in a finder, it does not know. Here is who does. A finder is made
 *
 *     when the index is created, before the statement ends;
 *     beside readers and the writer, when much has changed since, or when there is none yet (a log was
 *     done again that creates the index). It is made of the graph as some view shows it, with what
 *     changes meanwhile noted in it from the start, and then takes the place of the one before. Where
 *     most of the old one is still so, what changed is added to a copy; else it is made anew.
 *
 * A segment holds it as parts: those of near.h, and one with the nodes that changed, in blocks {u64
 * number, GRAPH_BLOCK_WORDS words}. It is used where it lies. A checkpoint that is made beside the
 * writer does the log again in a graph of its own, where nodes have the same ids: the finders that the
 * graph in use had at that place are right there as well, and go with it.
 *
 * Not here: searching (rank), and what a search does about nodes that changed.
 */
#include "config.h"

#include "database/database_internal.h"
#include "database/finder.h"
#include "runtime/workers.h"
#include "vector/near.h"
#include <assert.h>
#include <math.h>

enum {
    PART_CHANGED = NEAR_PART_COUNT, /* behind the parts of near.h */
    CHANGED_BLOCK_BYTES = 8 + 8 * GRAPH_BLOCK_WORDS,
    ROWS_MIN = 1000, /* of fewer, looking at all is as fast */
    /* So many changed nodes are looked at as fast as a search is made; fewer are not worth making one
     * anew. */
    CHANGED_MIN = 16384,
    CHANGED_SHARE = 4, /* a quarter of the rows, if that is more */
    DEAD_SHARE = 5     /* a fifth of the rows nobody can find: made anew, not added to */
};

static const VectorMetric metrics[] = {VECTOR_COSINE, VECTOR_DOT, VECTOR_L2};

/* ---- rows of the graph ---- */

typedef struct Source {
    GraphView view;
    const GraphIndex *index;
    const VectorKernel *kernel;
    uint32_t *ids;
    size_t count, capacity;
    float *row; /* padded */
    Arena *arena;
} Source;

static bool is_finite(const float *row, uint32_t dimensions)
{
    for (uint32_t i = 0; i < dimensions; i++)
        if (!isfinite(row[i])) return false;
    return true;
}

/* A value that is no block's, or was written meanwhile. */
static bool fetch_value(Source *source, uint64_t node)
{
    uint32_t dimensions = source->index->dimensions;
    Column column;
    arena_reset(source->arena);
    graph_properties(&source->view, VALUE_NODE, source->index->keys[0], &node, 1, source->arena,
                     &column);
    Value value = column_value(&column, 0);
    bool list = value.kind == VALUE_LIST;
    if ((!list && value.kind != VALUE_VECTOR) || value.aux != dimensions) return false;
    for (uint32_t i = 0; i < dimensions; i++) {
        if (list && !value_is_number(value.as.items[i])) return false;
        source->row[i] = list ? (float)value_as_double(value.as.items[i]) : value.as.vector[i];
    }
    return true;
}

VECTOR_BESIDE_A_WRITER static bool fetch_lent(Source *source, const GraphVectors *block,
                                              uint64_t node)
{
    size_t row = node % GRAPH_BLOCK_ROWS;
    if (!(__atomic_load_n(&block->present[row / 64], __ATOMIC_ACQUIRE) >> row % 64 & 1))
        return false;
    memcpy(source->row, block->rows + row * block->stride, block->stride * sizeof *source->row);
    return true;
}

/* The node's vector in source->row, and under cosine its factor; false: it has none for the index. */
static bool fetch(Source *source, uint64_t node, float *factor)
{
    const GraphIndex *index = source->index;
    GraphVectors block;
    GraphVectorsKind kind =
        graph_vectors(&source->view, index->keys[0], node / GRAPH_BLOCK_ROWS, &block);
    if (kind == GRAPH_VECTORS_NONE) return false;
    bool lent = kind == GRAPH_VECTORS_LENT && block.dimensions == index->dimensions;
    bool found = lent && fetch_lent(source, &block, node);
    if (lent && graph_vectors_held(&source->view, &block)) {
        if (!found) return false;
    } else if (!fetch_value(source, node)) {
        return false;
    }
    *factor = vector_factor(source->kernel, source->row, vector_stride(index->dimensions));
    if (!is_finite(source->row, index->dimensions)) return false;
    return *factor != 0 || metrics[index->metric] != VECTOR_COSINE;
}

static const float *give_row(void *user, size_t i, uint32_t *id, float *factor)
{
    Source *source = user;
    *id = source->ids[i];
    if (!fetch(source, *id, factor)) /* it was there a moment ago, in the same view */
        memset(source->row, 0, vector_stride(source->index->dimensions) * sizeof *source->row);
    return source->row;
}

static void source_begin(Source *source, const GraphView *view, const GraphIndex *index)
{
    size_t stride = vector_stride(index->dimensions);
    *source = (Source){.view = *view, .index = index, .kernel = vector_kernel(NULL)};
    source->row = mem_alloc_aligned(stride * sizeof *source->row, VECTOR_ALIGN_BYTES);
    memset(source->row, 0, stride * sizeof *source->row);
    source->arena = arena_create();
}

static void source_end(Source *source)
{
    arena_destroy(source->arena);
    mem_free(source->row);
    mem_free(source->ids);
}

/* All nodes of the index, or of them those that `old` has to be looked up for. false: told to stop. */
static bool source_collect(Source *source, const GraphFinder *old, const FinderTelling *telling)
{
    enum { CHUNK = 512 };
    uint64_t cursor = 0, ids[CHUNK];
    uint32_t found;
    float factor;
    while ((found = graph_scan(&source->view, &source->index->label, 1, &cursor, ids, CHUNK)) > 0) {
        if (telling->tell != NULL && telling->tell(telling->user, 0, GRAPH_NODES_MAX)) return false;
        for (uint32_t i = 0; i < found; i++) {
            const uint64_t *changed =
                old == NULL ? NULL : graph_finder_changed(old, ids[i] / GRAPH_BLOCK_ROWS);
            size_t row = ids[i] % GRAPH_BLOCK_ROWS;
            if (old != NULL &&
                (changed == NULL ||
                 !(__atomic_load_n(&changed[row / 64], __ATOMIC_RELAXED) >> row % 64 & 1)))
                continue;
            if (!fetch(source, ids[i], &factor)) continue;
            mem_reserve(source->ids, source->capacity, source->count + 1);
            source->ids[source->count++] = (uint32_t)ids[i];
        }
    }
    return true;
}

/* ---- making ---- */

static bool is_changed(const GraphFinder *finder, uint64_t node)
{
    const uint64_t *words = graph_finder_changed(finder, node / GRAPH_BLOCK_ROWS);
    size_t row = node % GRAPH_BLOCK_ROWS;
    return words != NULL && (__atomic_load_n(&words[row / 64], __ATOMIC_RELAXED) >> row % 64 & 1);
}

/* Are so many of the finder's rows still so that adding to it pays? */
static bool is_worth_keeping(const GraphView *view, const GraphIndex *index,
                             const GraphFinder *finder)
{
    const NearIndex *near = graph_finder_thing(finder);
    size_t count = near_count(near), dead = 0;
    const uint32_t *ids = near_ids(near);
    for (size_t i = 0; i < count; i++)
        dead += is_changed(finder, ids[i]) || !graph_node_visible(view, ids[i]) ||
                !graph_node_has_label(view, ids[i], index->label);
    return dead < count / DEAD_SHARE && graph_finder_changed_count(finder) < count;
}

static NearOptions options_for(Database *database, const GraphIndex *index,
                               const FinderTelling *telling)
{
    return (NearOptions){.metric = metrics[index->metric],
                         .dimensions = index->dimensions,
                         .ef_construction = index->ef_construction != 0 ? index->ef_construction
                                                                        : NEAR_EF_CONSTRUCTION,
                         .workers = database->workers,
                         .threads = workers_chosen(database->workers, telling->worker_max),
                         .tell = telling->tell,
                         .user = telling->user};
}

/* NULL: told to stop. */
static NearIndex *make(Database *database, const GraphView *view, const GraphIndex *index,
                       const GraphFinder *old, const FinderTelling *telling)
{
    Source source;
    NearOptions options = options_for(database, index, telling);
    if (options.threads > NEAR_THREADS_MAX) options.threads = NEAR_THREADS_MAX;
    if (old != NULL && !near_is_sound(graph_finder_thing(old))) old = NULL;
    if (old != NULL && !is_worth_keeping(view, index, old)) old = NULL;
    const Clock *clock = database->clock;
    int64_t began_ns = clock->monotonic_ns(clock->state);
    NearIndex *made = NULL;
    source_begin(&source, view, index);
    if (source_collect(&source, old, telling)) {
        NearRows rows = {&source, source.count, give_row};
        made = old == NULL ? near_build(&options, &rows)
                           : near_extend(graph_finder_thing(old), &options, &rows);
    }
    source_end(&source);
    if (made != NULL) near_set_built_ns(made, clock->monotonic_ns(clock->state) - began_ns);
    return made;
}

static void end_near(void *near)
{
    near_free(near);
}

static bool can_be_made(const GraphIndex *index)
{
    return index->vector && !index->flat && index->dimensions >= 1 &&
           index->dimensions <= VECTOR_DIMENSIONS_MAX &&
           (index->ef_construction == 0 || (index->ef_construction >= NEAR_EF_CONSTRUCTION_MIN &&
                                            index->ef_construction <= NEAR_EF_CONSTRUCTION_MAX));
}

Error *finder_make(Database *database, GraphWriter *writer, const GraphIndex *index,
                   const FinderTelling *telling)
{
    GraphView view = graph_writer_view(writer);
    if (!can_be_made(index) || graph_label_count(&view, index->label) < ROWS_MIN) return NULL;
    NearIndex *near = make(database, &view, index, NULL, telling);
    if (near == NULL) return error_new(ERROR_CANCELLED, "the statement was stopped");
    graph_set_finder(view.graph, index, graph_finder_new(near, end_near, view.version));
    atomic_fetch_add(&database->finders_made, 1);
    return NULL;
}

/* ---- making anew, beside everything ---- */

/* Is there none, or has much changed? */
static bool is_wanted(const GraphView *view, const GraphIndex *index)
{
    if (index == NULL || !can_be_made(index)) return false;
    const GraphFinder *finder = graph_finder(view, index);
    if (finder == NULL) return graph_label_count(view, index->label) >= ROWS_MIN;
    uint64_t allowed = near_count(graph_finder_thing(finder)) / CHANGED_SHARE;
    return graph_finder_changed_count(finder) > (allowed > CHANGED_MIN ? allowed : CHANGED_MIN);
}

static const GraphIndex *next_wanted(const Database *database)
{
    const Graph *graph = database->held->graph;
    GraphView view = {database->held->graph, graph_version(graph)};
    for (uint32_t i = 0; i < graph_index_count(graph); i++)
        if (is_wanted(&view, graph_index_at(&view, i))) return graph_index_at(&view, i);
    return NULL;
}

static bool told_to_stop(void *user, uint64_t done, uint64_t count)
{
    Database *database = user;
    atomic_store(&database->finder_percent, count == 0 ? 0 : (int)(done * 100 / count));
    return atomic_load(&database->finder_stop);
}

typedef struct Making {
    const GraphIndex *index; /* stays where it is while the view is held */
    GraphFinder *finder;     /* gets what changes meanwhile */
    GraphView view;
    uint32_t slot;
} Making;

/* Nobody writes: the view shows everything, and what comes is noted. */
static Error *begin_making(Database *database, Making *making)
{
    Graph *graph = database->held->graph;
    TRY(token_take(database, false, NULL, NULL));
    Error *error = database->wal == NULL ? NULL : flush_appended(database);
    if (error == NULL) error = graph_acquire(graph, &making->view, &making->slot);
    making->index = error == NULL ? next_wanted(database) : NULL;
    if (making->index != NULL) {
        GraphWriter *writer = graph_writer_begin(graph);
        making->finder = graph_finder_new(NULL, NULL, making->view.version);
        graph_prepare_finder(writer, making->index, making->finder);
        graph_writer_abort(writer, GRAPH_NO_SLOT);
    } else if (error == NULL) {
        graph_release(graph, making->slot);
    }
    token_give(database);
    return error;
}

static bool is_there(const GraphWriter *writer, const GraphIndex *index)
{
    GraphView view = graph_writer_view(writer);
    for (uint32_t i = 0; i < graph_index_count(view.graph); i++)
        if (graph_index_at(&view, i) == index) return true;
    return false;
}

/* With the token. `near` is NULL if it was not made. */
static void install(Database *database, Making *making, NearIndex *near)
{
    Graph *graph = database->held->graph;
    GraphWriter *writer = graph_writer_begin(graph);
    if (near != NULL && is_there(writer, making->index)) {
        graph_finder_give(making->finder, near, end_near);
        graph_set_finder(graph, making->index, making->finder);
        atomic_fetch_add(&database->finders_made, 1);
    } else {
        if (is_there(writer, making->index)) graph_prepare_finder(writer, making->index, NULL);
        graph_finder_free(making->finder);
        near_free(near);
    }
    graph_writer_abort(writer, GRAPH_NO_SLOT);
}

/* One; false: there is none to make, or it was not made. */
static bool make_one(Database *database)
{
    Making making;
    FinderTelling telling = {0, told_to_stop, database};
    Error *error = begin_making(database, &making);
    if (error != NULL || making.index == NULL) {
        error_drop(
            error); /* somebody writes for long, or cannot: it is tried after a later commit */
        return false;
    }
    atomic_store(&database->finder_percent, 0);
    atomic_store(&database->finder_index, making.index);
    NearIndex *near = make(database, &making.view, making.index,
                           graph_finder(&making.view, making.index), &telling);
    atomic_store(&database->finder_index, NULL);
    while ((error = token_take(database, false, NULL, NULL)) != NULL)
        error_drop(error); /* what was prepared must not be left behind */
    install(database, &making, near);
    token_give(database);
    graph_release(database->held->graph, making.slot);
    return near != NULL;
}

static void *run_making(void *user)
{
    Database *database = user;
    while (!atomic_load(&database->finder_stop) && make_one(database))
        ;
    atomic_store(&database->finder_building, false);
    return NULL;
}

void finder_consider(Database *database)
{
    if (atomic_load(&database->finder_building) || database->read_only || database->failed) return;
    if (next_wanted(database) == NULL) return;
    pthread_mutex_lock(&database->lock);
    if (!atomic_load(&database->finder_building)) {
        /* The one before has ended, and does not want the lock any more. */
        if (database->finder_joinable) pthread_join(database->finder_thread, NULL);
        atomic_store(&database->finder_building, true);
        database->finder_joinable =
            pthread_create(&database->finder_thread, NULL, run_making, database) == 0;
        if (!database->finder_joinable) atomic_store(&database->finder_building, false);
    }
    pthread_mutex_unlock(&database->lock);
}

int finder_progress(const Database *database, const GraphIndex *index)
{
    bool at_it = index != NULL && atomic_load(&database->finder_index) == index;
    return at_it ? atomic_load(&database->finder_percent) : -1;
}

void finder_settle(Database *database)
{
    atomic_store(&database->finder_stop, true);
    if (database->finder_joinable) pthread_join(database->finder_thread, NULL);
    database->finder_joinable = false;
}

bool finder_unsaved(const Database *database)
{
    return atomic_load(&database->finders_made) != atomic_load(&database->finders_saved);
}

/* ---- in a segment ---- */

static void put_changed(const GraphFinder *finder, uint64_t block_count, Buffer *out)
{
    for (uint64_t block = 0; block < block_count; block++) {
        const uint64_t *words = graph_finder_changed(finder, block);
        if (words == NULL) continue;
        put_u64(out, block);
        for (size_t w = 0; w < GRAPH_BLOCK_WORDS; w++)
            put_u64(out, __atomic_load_n(&words[w], __ATOMIC_RELAXED));
    }
}

static Error *save_one(GraphSave *save, const GraphView *view, const GraphIndex *index,
                       const GraphFinder *finder)
{
    Buffer parameters = {0}, changed = {0};
    NearParts parts;
    if (!near_is_sound(graph_finder_thing(finder)))
        return error_new(ERROR_CORRUPT, "what index %.*s finds by is damaged",
                         STR_ARG(index->name));
    near_parts(graph_finder_thing(finder), &parameters, &parts);
    put_changed(finder, graph_block_count(view), &changed);
    Error *error = NULL;
    for (uint32_t part = 0; part < NEAR_PART_COUNT && error == NULL; part++)
        error = graph_save_finder(save, index, part, parts.data[part], parts.bytes[part]);
    if (error == NULL)
        error = graph_save_finder(save, index, PART_CHANGED, changed.data, changed.bytes);
    buffer_free(&parameters);
    buffer_free(&changed);
    return error;
}

Error *finder_save_all(GraphSave *save, const GraphView *view)
{
    for (uint32_t i = 0; i < graph_index_count(view->graph); i++) {
        const GraphIndex *index = graph_index_at(view, i);
        const GraphFinder *finder =
            index == NULL || !index->vector ? NULL : graph_finder(view, index);
        if (finder != NULL) TRY(save_one(save, view, index, finder));
    }
    return NULL;
}

static bool get_changed(GraphFinder *finder, const void *data, size_t bytes)
{
    Reader reader = reader_of(data, bytes);
    if (bytes % CHANGED_BLOCK_BYTES != 0) return false;
    while (reader_left(&reader) > 0) {
        uint64_t block = get_u64(&reader);
        if (block > GRAPH_NODES_MAX / GRAPH_BLOCK_ROWS) return false;
        for (size_t w = 0; w < GRAPH_BLOCK_WORDS; w++)
            for (uint64_t bits = get_u64(&reader); bits != 0; bits &= bits - 1) {
                uint64_t node =
                    block * GRAPH_BLOCK_ROWS + w * UINT64_C(64) + (uint64_t)__builtin_ctzll(bits);
                if (node >= GRAPH_NODES_MAX) return false;
                graph_finder_change(finder, node);
            }
    }
    return true;
}

static bool is_sound(void *segment, const void *data, size_t bytes)
{
    return bytes == 0 || segment_touch(segment, data, bytes);
}

static bool fits(const NearIndex *near, const GraphIndex *index)
{
    return near_metric(near) == metrics[index->metric] &&
           near_dimensions(near) == index->dimensions;
}

/* What a segment has, where it lies. Without, or where it does not fit, there is none: searches are
 * exact until it is made anew. */
static GraphFinder *load_one(const Graph *graph, const GraphIndex *index)
{
    NearParts parts = {.is_sound = is_sound, .user = (void *)(uintptr_t)graph_segment(graph)};
    NearIndex *near;
    size_t bytes;
    for (uint32_t part = 0; part < NEAR_PART_COUNT; part++)
        if (!graph_stored_finder(graph, index, part, part == NEAR_PARAMETERS, &parts.data[part],
                                 &parts.bytes[part]))
            return NULL;
    const void *changed;
    if (!graph_stored_finder(graph, index, PART_CHANGED, true, &changed, &bytes)) return NULL;
    Error *error = near_attach(&parts, &near);
    if (error != NULL) {
        error_drop(error); /* it is derived; database_check tells */
        return NULL;
    }
    GraphFinder *finder = graph_finder_new(near, end_near, graph_version(graph));
    if (fits(near, index) && get_changed(finder, changed, bytes)) return finder;
    graph_finder_free(finder);
    return NULL;
}

void finder_verify_all(const GraphView *view, Tell *to)
{
    for (uint32_t i = 0; i < graph_index_count(view->graph); i++) {
        const GraphIndex *index = graph_index_at(view, i);
        const void *data;
        size_t bytes;
        if (index == NULL || !can_be_made(index)) continue;
        const GraphFinder *finder = graph_finder(view, index);
        bool stored =
            graph_stored_finder(view->graph, index, NEAR_PARAMETERS, false, &data, &bytes);
        const char *fault = finder != NULL ? near_fault(graph_finder_thing(finder), to)
                            : stored       ? "its parts do not fit together"
                                           : NULL;
        Buffer where = {0};
        buffer_printf(&where, "index %.*s", STR_ARG(index->name));
        if (fault != NULL)
            tell_line(to, TELL_FINDING, where.data, "DROP INDEX and CREATE it again", "%s", fault);
        buffer_free(&where);
    }
}

void finder_load_all(Graph *graph)
{
    GraphView view = {graph, graph_version(graph)};
    for (uint32_t i = 0; i < graph_index_count(graph); i++) {
        const GraphIndex *index = graph_index_at(&view, i);
        if (index == NULL || !can_be_made(index)) continue;
        graph_set_finder(graph, index, load_one(graph, index));
    }
}

/* ---- into a graph that was made from the log ---- */

struct FinderCopy {
    char *name;
    NearIndex *near;
    Buffer changed;
    FinderCopy *next;
};

FinderCopy *finder_copy_all(const Graph *graph)
{
    GraphView view = {(Graph *)(uintptr_t)graph, graph_version(graph)};
    FinderCopy *all = NULL;
    for (uint32_t i = 0; i < graph_index_count(graph); i++) {
        const GraphIndex *index = graph_index_at(&view, i);
        const GraphFinder *finder =
            index == NULL || !index->vector ? NULL : graph_finder(&view, index);
        if (finder == NULL) continue;
        FinderCopy *copy = mem_calloc(1, sizeof *copy);
        copy->name = mem_calloc(index->name.bytes + 1, 1);
        memcpy(copy->name, index->name.data, index->name.bytes);
        copy->near = near_share(graph_finder_thing(finder));
        put_changed(finder, graph_block_count(&view), &copy->changed);
        copy->next = all;
        all = copy;
    }
    return all;
}

static void paste(const FinderCopy *copy, Graph *graph)
{
    GraphView view = {graph, graph_version(graph)};
    const GraphIndex *index = graph_index_named(&view, str_from(copy->name));
    if (index == NULL || !can_be_made(index) || !fits(copy->near, index)) return;
    GraphFinder *finder = graph_finder_new(near_share(copy->near), end_near, graph_version(graph));
    if (get_changed(finder, copy->changed.data, copy->changed.bytes))
        graph_set_finder(graph, index, finder);
    else
        graph_finder_free(finder);
}

void finder_paste_all(const FinderCopy *all, Graph *graph)
{
    for (const FinderCopy *copy = all; copy != NULL; copy = copy->next)
        paste(copy, graph);
}

void finder_carry(const Database *database, const Graph *from, Graph *to)
{
    if (!finder_unsaved(database)) return;
    FinderCopy *all = finder_copy_all(from);
    for (const FinderCopy *copy = all; copy != NULL; copy = copy->next)
        if (!near_is_lent(copy->near)) paste(copy, to); /* else it lies where `from` does */
    finder_copies_free(all);
}

void finder_copies_free(FinderCopy *all)
{
    for (FinderCopy *next; all != NULL; all = next) {
        next = all->next;
        near_free(all->near);
        buffer_free(&all->changed);
        mem_free(all->name);
        mem_free(all);
    }
}
