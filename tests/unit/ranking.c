/*
 * ranking.c - what ranking stands on: the best rows of a stream are those of a full sort; a scan
 * finds whom a look at every node finds, in every view; vectors lent and columns named say when
 * they are not what they were; and a ranking statement beside a writer sees one version, on the
 * CPU and on a graphics device.
 */
#include "config.h"

#include "contextql.h"
#include "graph/graph.h"
#include "test.h"
#include "value/best.h"
#include <dlfcn.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* What drivers leak by themselves is not ours; they can only be told by name while they are loaded,
 * so the one in software is kept. */
const char *__lsan_default_suppressions(void) __attribute__((visibility("default")));
const char *__lsan_default_suppressions(void)
{
    return "leak:libvulkan_\nleak:libLLVM\nleak:libnvidia\n";
}

static uint32_t random_state = 2463534242;

static uint32_t random_below(uint32_t bound)
{
    random_state ^= random_state << 13, random_state ^= random_state >> 17;
    random_state ^= random_state << 5;
    return random_state % bound;
}

/* ---- the best rows ---- */

enum { OFFERS = 20000, GROUPS = 7, TEXT_BYTES = 300 };

typedef struct Offer {
    double score;
    uint64_t id, arrival;
    uint32_t group;
} Offer;

static int by_rank(const void *a, const void *b)
{
    const Offer *x = a, *y = b;
    if (isnan(x->score) != isnan(y->score)) return isnan(x->score) ? 1 : -1;
    if (!isnan(x->score) && x->score != y->score) return x->score > y->score ? -1 : 1;
    if (x->id != y->id) return x->id < y->id ? -1 : 1;
    return x->arrival < y->arrival ? -1 : 1;
}

static size_t keep_best(Offer *offers, size_t count, uint64_t limit, bool grouped)
{
    uint64_t taken[GROUPS] = {0};
    size_t kept = 0;
    qsort(offers, count, sizeof *offers, by_rank);
    for (size_t i = 0; i < count; i++)
        if (taken[grouped ? offers[i].group : 0]++ < limit) offers[kept++] = offers[i];
    return kept;
}

/* `rising`: every row enters, so that nearly all text is garbage. */
static bool best_agrees(uint64_t limit, bool grouped, bool rising)
{
    static Offer offers[OFFERS];
    static const uint32_t slots[] = {0, 1};
    Arena *arena = arena_create();
    BestRows *best = best_create(slots, 2, limit, grouped);
    char text[TEXT_BYTES + 1];
    size_t count = 0, held_most = 0;
    for (uint64_t i = 0; i < OFFERS; i++) {
        Offer offer = {(double)random_below(50) - 25, random_below(2000), i, random_below(GROUPS)};
        if (rising) offer.score = (double)i;
        if (!rising && random_below(40) == 0) offer.score = (double)NAN;
        if (offer.score == 0 && random_below(2) == 0) offer.score = -0.0;
        offers[count++] = offer;
        snprintf(text, sizeof text, "%0*llu", TEXT_BYTES, (unsigned long long)i);
        arena_reset(arena);
        Batch *batch = batch_create(arena, 2);
        batch->row_count = batch->selected_count = 1;
        column_set(arena, batch_column(arena, batch, 0, COLUMN_STRING), 0,
                   value_string(str_from(text)), 1);
        column_set(arena, batch_column(arena, batch, 1, COLUMN_INTEGER), 0,
                   value_integer((int64_t)i), 1);
        if (offer.score < best_floor(best)) continue;
        best_offer(best, batch, 0, offer.score, offer.id, value_integer(offer.group));
        if (best_bytes(best) > held_most) held_most = best_bytes(best);
    }
    size_t want = keep_best(offers, count, limit, grouped), have = best_finish(best);
    bool good = want == have;
    for (size_t from = 0; good && from < have; from += 1000) {
        double scores[1000];
        uint32_t rows = have - from < 1000 ? (uint32_t)(have - from) : 1000;
        arena_reset(arena);
        const Batch *batch = best_batch(best, arena, 2, from, rows, scores);
        for (uint32_t i = 0; i < rows; i++) {
            Str shown = value_text(column_value(&batch->columns[0], i));
            const Offer *offer = &offers[from + i];
            snprintf(text, sizeof text, "%0*llu", TEXT_BYTES, (unsigned long long)offer->arrival);
            good = good &&
                   column_value(&batch->columns[1], i).as.integer == (int64_t)offer->arrival &&
                   str_equal(shown, str_from(text)) &&
                   (isnan(offer->score) ? isnan(scores[i]) : offer->score == scores[i]);
        }
    }
    if (rising && limit < 100 && held_most > 6u << 20) good = false;
    best_destroy(best);
    arena_destroy(arena);
    return good;
}

static void best_rows(void)
{
    static const uint64_t limits[] = {0, 1, 2, 37, 5000, BEST_ALL};
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        EXPECT(best_agrees(limits[i], false, false));
        EXPECT(best_agrees(limits[i], true, false));
        EXPECT(best_agrees(limits[i], false, true));
    }
}

static void multiplicities(void)
{
    static const uint32_t slots[] = {0};
    uint64_t multiplicity[] = {3, 4, 1};
    double scores[3];
    Arena *arena = arena_create();
    BestRows *best = best_create(slots, 1, 5, false);
    Batch *batch = batch_create(arena, 1);
    batch->row_count = batch->selected_count = 3;
    batch->multiplicity = multiplicity;
    Column *column = batch_column(arena, batch, 0, COLUMN_INTEGER);
    for (uint32_t i = 0; i < 3; i++)
        column->integers[i] = i;
    for (uint32_t i = 0; i < 3; i++)
        best_offer(best, batch, i, (double)i, i, value_null());
    EXPECT(best_finish(best) == 2); /* the last counts once, the middle one four times: five */
    const Batch *out = best_batch(best, arena, 1, 0, 2, scores);
    EXPECT(batch_rows(out) == 5 && scores[0] == 2 && scores[1] == 1);
    best_destroy(best);
    arena_destroy(arena);
}

/* ---- scans ---- */

enum { NODES = 5000, VIEWS = 24, LABELS = 3 };

static bool has_all(const GraphView *view, uint64_t node, const uint32_t *labels, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (!graph_node_has_label(view, node, labels[i])) return false;
    return graph_node_visible(view, node);
}

/* Both forms of the scan against a look at every node. */
static bool scan_agrees(const GraphView *view, const uint32_t *labels, uint32_t count)
{
    uint64_t cursor = 0, ids[97], bits[GRAPH_BLOCK_WORDS], next = 0;
    uint32_t found, max = 1 + random_below(97);
    bool good = true;
    while ((found = graph_scan(view, labels, count, &cursor, ids, max)) > 0)
        for (uint32_t i = 0; i < found; i++, next++) {
            while (next < ids[i])
                good = good && !has_all(view, next++, labels, count);
            good = good && next == ids[i] && has_all(view, next, labels, count);
        }
    for (uint64_t b = 0; b <= graph_block_count(view); b++) {
        if (!graph_scan_block(view, labels, count, b, bits)) memset(bits, 0, sizeof bits);
        for (uint32_t i = 0; i < GRAPH_BLOCK_ROWS; i++)
            good = good && (bits[i / 64] >> i % 64 & 1) ==
                               has_all(view, b * GRAPH_BLOCK_ROWS + i, labels, count);
    }
    return good;
}

static void change_something(GraphWriter *writer, const uint32_t *labels)
{
    GraphView view = graph_writer_view(writer);
    uint64_t node = random_below(NODES), made;
    uint32_t label = labels[random_below(LABELS)], kind = random_below(5);
    if (kind == 0) error_drop(graph_create_node(writer, &label, 1, &made));
    if (!graph_node_visible(&view, node)) return;
    if (kind == 1) graph_add_label(writer, node, label);
    if (kind == 2) graph_remove_label(writer, node, label);
    if (kind == 3) graph_delete_node(writer, node);
}

static void scans(void)
{
    Graph *graph = graph_create();
    GraphWriter *writer = graph_writer_begin(graph);
    GraphView views[VIEWS];
    uint32_t slots[VIEWS], labels[LABELS];
    bool good = true;
    for (uint32_t l = 0; l < LABELS; l++)
        labels[l] = graph_name_intern(writer, NAME_LABEL, (Str){&"ABC"[l], 1});
    for (uint32_t i = 0; i < NODES; i++) {
        uint64_t made;
        error_drop(graph_create_node(writer, labels, i < 3000 ? 1 : 2, &made));
    }
    graph_writer_publish(writer);
    for (uint32_t v = 0; v < VIEWS; v++) {
        error_drop(graph_acquire(graph, &views[v], &slots[v]));
        writer = graph_writer_begin(graph);
        for (uint32_t i = 0; i < 40 * v; i++) {
            size_t savepoint = graph_savepoint(writer);
            change_something(writer, labels);
            if (random_below(4) == 0) graph_rollback_to(writer, savepoint);
        }
        GraphView own = graph_writer_view(writer);
        for (uint32_t count = 0; count <= LABELS; count++)
            good = good && scan_agrees(&own, labels, count);
        if (random_below(3) == 0)
            graph_writer_abort(writer, GRAPH_NO_SLOT);
        else
            graph_writer_publish(writer);
    }
    for (uint32_t v = 0; v < VIEWS; v++) {
        for (uint32_t count = 0; count <= LABELS; count++)
            good = good && scan_agrees(&views[v], labels + (count == 1 ? v % LABELS : 0), count);
        graph_release(graph, slots[v]);
    }
    EXPECT(good);
    graph_destroy(graph);
}

/* ---- vectors ---- */

static Value vector_of(float *components, float first)
{
    for (uint32_t i = 0; i < 5; i++)
        components[i] = first + (float)i;
    return value_vector(components, 5);
}

static void lending(void)
{
    Graph *graph = graph_create();
    GraphView view;
    GraphVectors lent;
    float components[5];
    uint64_t node, column, generation, later;
    uint32_t slot;
    GraphWriter *writer = graph_writer_begin(graph);
    uint32_t key = graph_name_intern(writer, NAME_KEY, STR("v"));
    error_drop(graph_create_node(writer, NULL, 0, &node));
    GraphView own = graph_writer_view(writer);
    EXPECT(!graph_vectors_version(&own, key, &column, &generation));
    EXPECT(graph_vectors(&own, key, 0, &lent) == GRAPH_VECTORS_NONE);
    graph_set_property(writer, VALUE_NODE, node, key, vector_of(components, 1));
    EXPECT(graph_vectors(&own, key, 0, &lent) == GRAPH_VECTORS_LENT && lent.dimensions == 5 &&
           lent.stride == 16 && lent.rows[4] == 5 && lent.rows[5] == 0 &&
           (lent.present[0] & 1) == 1);
    graph_writer_publish(writer);
    EXPECT(graph_acquire(graph, &view, &slot) == NULL);
    EXPECT(graph_vectors_version(&view, key, &column, &generation) && column != 0);
    EXPECT(graph_vectors(&view, key, 0, &lent) == GRAPH_VECTORS_LENT);
    EXPECT(graph_vectors_held(&view, &lent));
    writer = graph_writer_begin(graph);
    graph_set_property(writer, VALUE_NODE, node, key, vector_of(components, 2));
    EXPECT(!graph_vectors_held(&view, &lent));
    EXPECT(graph_vectors(&view, key, 0, &lent) == GRAPH_VECTORS_NEWER);
    EXPECT(graph_vectors_version(&view, key, &column, &later) && later != generation);
    generation = later;
    graph_writer_abort(writer, GRAPH_NO_SLOT); /* which writes the old value: another generation again */
    EXPECT(graph_vectors_version(&view, key, &column, &later) && later != generation);
    writer = graph_writer_begin(graph);
    graph_set_property(writer, VALUE_NODE, node, key, value_integer(7));
    EXPECT(graph_vectors(&view, key, 0, &lent) == GRAPH_VECTORS_VALUES);
    graph_writer_publish(writer);
    graph_release(graph, slot);
    graph_destroy(graph);
}

/* ---- statements beside a writer ---- */

enum { DOCUMENTS = 600, COMMITS = 150 };

static contextql_statement *prepare(contextql *session, const char *text)
{
    contextql_statement *statement = NULL;
    if (contextql_prepare(session, text, strlen(text), &statement, NULL) != CONTEXTQL_OK) abort();
    return statement;
}

static bool execute(contextql *session, const char *text)
{
    contextql_statement *statement = prepare(session, text);
    int result = contextql_step(statement);
    contextql_finalize(statement);
    return result == CONTEXTQL_DONE;
}

typedef struct Beside {
    contextql *session;
    atomic_bool ended;
    bool good;
} Beside;

/* All documents get vectors of one length in one commit after another. */
static void *writing(void *user)
{
    Beside *beside = user;
    contextql_statement *set =
        prepare(beside->session, "MATCH (d:Document) SET d.v = vector([$n, $n, d.i % 2])");
    beside->good = true;
    for (int n = 1; n <= COMMITS; n++) {
        contextql_bind_integer(set, "n", n);
        beside->good = beside->good && contextql_step(set) == CONTEXTQL_DONE;
        contextql_reset(set);
    }
    contextql_finalize(set);
    beside->ended = true;
    return NULL;
}

/* Under dot the scores of one statement are one number, for all documents. */
static bool sees_one_version(contextql_statement *rank, int limit)
{
    double first = 0;
    int rows = 0;
    bool good = true;
    contextql_bind_integer(rank, "k", limit);
    while (contextql_step(rank) == CONTEXTQL_ROW) {
        double score = contextql_value_float(contextql_column(rank, 0));
        if (rows++ == 0) first = score;
        good = good && score == first;
    }
    contextql_reset(rank);
    return good && rows == (limit < DOCUMENTS ? limit : DOCUMENTS);
}

static void beside_a_writer(const char *gpu)
{
    contextql *session;
    Beside beside = {.good = false};
    pthread_t thread;
    bool good = true;
    if (contextql_open(":memory:", NULL, &session) != CONTEXTQL_OK) abort();
    EXPECT(contextql_set(session, "gpu", gpu) == CONTEXTQL_OK);
    EXPECT(execute(
        session, "UNWIND range(1, 600) AS i CREATE (:Document {i: i, v: vector([1, 1, i % 2])})"));
    EXPECT(contextql_connect(session, &beside.session) == CONTEXTQL_OK);
    contextql_statement *rank =
        prepare(session,
                "MATCH (d:Document) VECTOR d.v SIMILAR TO [1, 2, 0] USING {metric: 'dot'} LIMIT $k "
                "RETURN similarity_score");
    pthread_create(&thread, NULL, writing, &beside);
    while (!beside.ended)
        good = good && sees_one_version(rank, 100) && sees_one_version(rank, 5000);
    pthread_join(thread, NULL);
    EXPECT(good);
    EXPECT(beside.good);
    EXPECT(sees_one_version(rank, 100));
    contextql_finalize(rank);
    contextql_close(beside.session);
    contextql_close(session);
}

/* ---- many queries in one statement ---- */

/* Every row of a statement as text, one behind the other; the caller frees it. NULL: it failed. */
static char *rows_of(contextql *session, const char *text)
{
    contextql_statement *statement = NULL;
    size_t size = 0, capacity = 1 << 20;
    char *rows = calloc(1, capacity);
    int result = contextql_prepare(session, text, strlen(text), &statement, NULL);
    while (result == CONTEXTQL_OK || result == CONTEXTQL_ROW) {
        result = contextql_step(statement);
        if (result != CONTEXTQL_ROW) break;
        for (int c = 0; c < contextql_column_count(statement); c++) {
            const contextql_value *value = contextql_column(statement, c);
            size_t left = capacity - size;
            if (contextql_value_type(value) == CONTEXTQL_FLOAT)
                size += (size_t)snprintf(rows + size, left, "%a ", contextql_value_float(value));
            else
                size += (size_t)snprintf(rows + size, left, "%lld ",
                                         (long long)contextql_value_integer(value));
        }
    }
    contextql_finalize(statement);
    if (result == CONTEXTQL_DONE && size + 100 < capacity) return rows;
    free(rows);
    return NULL;
}

/* The same question twice: as rows that are asked for together, and with a condition that is always
 * true but looks at both sides, so that every row is asked for by itself. */
static void each_row(contextql *session, const char *before, const char *condition,
                     const char *query, const char *after)
{
    char text[1024];
    snprintf(text, sizeof text, "%s MATCH (d:D) WHERE %s VECTOR d.v SIMILAR TO %s %s", before,
             condition, query, after);
    char *together = rows_of(session, text);
    snprintf(text, sizeof text,
             "%s MATCH (d:D) WHERE %s AND (d.i IS NULL OR d.i < n + 100000) VECTOR d.v SIMILAR TO "
             "%s %s",
             before, condition, query, after);
    char *alone = rows_of(session, text);
    bool same = together != NULL && alone != NULL && strcmp(together, alone) == 0;
    if (!same) printf("# %s\n", text);
    EXPECT(same && (together[0] != '\0' || strstr(after, "LIMIT 0") != NULL));
    free(together);
    free(alone);
}

static void many_queries(void)
{
    static const char *const befores[] = {
        "UNWIND range(1, 150) AS n WITH n, vector([j IN range(1, 64) | sin(n * j)]) AS q",
        /* several rows of one n, some without a query, and lists for vectors */
        "UNWIND range(1, 40) AS m WITH m % 7 AS n, CASE WHEN m % 5 = 0 THEN null ELSE [j IN "
        "range(1, "
        "64) | cos(m + j)] END AS q",
        "MATCH (o:D) WHERE o.i % 50 = 7 WITH o.i AS n, o.v AS q", /* they find themselves */
    };
    static const char *const conditions[] = {"true", "d.i % 3 = 1", "d.i IS NULL OR d.i > 2000"};
    static const char *const afters[] = {
        "LIMIT 3 PER n RETURN n, id(d), similarity_score",
        "USING {metric: 'l2'} LIMIT 20 RETURN n, id(d), similarity_score",
        "USING {metric: 'dot'} LIMIT 1 PER n RETURN n, id(d), similarity_score",
        "LIMIT 2000 RETURN n, id(d), similarity_score",
        "LIMIT 0 RETURN n, id(d), similarity_score",
    };
    static const char *const settings[] = {"off", "now", "auto"};
    contextql *session;
    EXPECT(contextql_open(":memory:", NULL, &session) == CONTEXTQL_OK);
    free(rows_of(session, "UNWIND range(1, 2500) AS i CREATE (:D {i: i, v: vector([j IN range(1, "
                          "64) | sin((i % 900) * j)])})"));
    free(rows_of(session, "UNWIND range(1, 30) AS i CREATE (:D {v: [j IN range(1, 64) | cos(i + "
                          "j)]}), (:D {v: vector([i, 1])}), (:D {v: 'none'}), (:D)"));
    for (int s = 0; s < 3; s++) {
        contextql_set(session, "vector_codes", settings[s]);
        contextql_set(session, "workers", s == 1 ? "3" : "1");
        contextql_set(session, "morsel", s == 1 ? "2048" : "0");
        for (int b = 0; b < 3; b++)
            for (int c = 0; c < 3; c++)
                for (int a = 0; a < 5; a++)
                    each_row(session, befores[b], conditions[c], "q", afters[a]);
    }
    contextql_close(session);
}

int main(void)
{
    best_rows();
    many_queries();
    multiplicities();
    scans();
    lending();
    beside_a_writer("off");
    dlopen("libvulkan_lvp.so", RTLD_LAZY | RTLD_NODELETE);
    beside_a_writer("force"); /* without a device the processor answers */
    return DONE();
}
