/*
 * vector.c - searches for the nearest vectors, exact and through an index, beside those of others.
 *
 * Data: 100,000 real SIFT vectors of 128 dimensions, 5,000 queries and their ten nearest
 * (sift100k.base.u8bin, .query.u8bin, .gt.ibin in the folder that is given; u32 rows, u32 columns, elements). Or
 * rows that are generated, as many as are asked for: 2,000 clusters of uneven size, each stretched along 16
 * directions of its own, their centers in a space of 32 dimensions; the nearest of a query are then those
 * of our own exact search. All are nodes of a database in memory; each search is a prepared statement of the
 * public interface, from binding the query to the last row.
 *
 * Contenders run turn by turn, a hundred queries each, on one processor and one thread; printed are the
 * queries a second of all turns, p50 and p99. An index has many rows, one a breadth of search (ef); what
 * counts is the smallest that reaches a recall of .95 and of .99. Peers are shared objects made of
 * vector_peers.cpp (PEERS: their paths, with colons) and sqlite-vec (SQLITE_VEC: its vec0); who is not
 * there is passed over with a word.
 *
 *     bench/vector FOLDER [exact]             exact: without the indexes
 *     bench/vector generated ROWS [exact]     up to 200,000 rows indexes only
 */
#define _GNU_SOURCE
#include "config.h"

#include "base/memory.h"
#include "bench/measure.h"
#include "bench/session.h"
#include "bench/sum.h"
#include "vector/near.h"
#include "vector/topk.h"
#include <dlfcn.h>
#include <malloc.h>
#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { K = 10, CHUNK = 5000, TURNS = 10, TURN_QUERIES = 100, PEERS_MAX = 4, RESULTS_MAX = 128 };
static const int breadths[] = {10, 12, 14, 16,  20,  24,  32,  40, 48,
                               64, 80, 96, 128, 192, 256, 400, 0};

static size_t row_count, dimensions, query_count;
static float *rows, *queries;
static int32_t *truth; /* K a query */
static bool generated; /* else they are the files' */

/* ---- data ---- */

static void *must(void *memory, const char *what)
{
    if (memory != NULL) return memory;
    fprintf(stderr, "vector: %s\n", what);
    exit(1);
}

static FILE *open_matrix(const char *folder, const char *name, uint32_t header[2])
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "rb");
    if (file != NULL && fread(header, sizeof *header, 2, file) == 2) return file;
    printf("bench/vector: skipped: no data (%s)\n", path);
    exit(0);
}

static float *read_vectors(const char *folder, const char *name, size_t *count)
{
    uint32_t header[2];
    FILE *file = open_matrix(folder, name, header);
    size_t elements = (size_t)header[0] * header[1];
    uint8_t *bytes = mem_alloc(elements);
    float *out = mem_alloc(elements * sizeof *out);
    if (fread(bytes, 1, elements, file) != elements) must(NULL, "a file is too short");
    for (size_t i = 0; i < elements; i++)
        out[i] = bytes[i];
    mem_free(bytes);
    fclose(file);
    *count = header[0];
    dimensions = header[1];
    return out;
}

static void read_data(const char *folder)
{
    uint32_t header[2];
    rows = read_vectors(folder, "sift100k.base.u8bin", &row_count);
    queries = read_vectors(folder, "sift100k.query.u8bin", &query_count);
    FILE *file = open_matrix(folder, "sift100k.gt.ibin", header);
    truth = mem_alloc((size_t)header[0] * header[1] * sizeof *truth);
    if (header[1] != K || fread(truth, sizeof *truth * K, header[0], file) != header[0])
        must(NULL, "a file is too short");
    fclose(file);
}

/* ---- data that are generated ---- */

enum { CLUSTERS = 2000, CENTER_DIMENSIONS = 32, SHAPES = 64, STRETCHES = 16, DIMENSIONS = 128 };

static double uniform(void)
{
    static uint64_t state = 88172645463325252u;
    state ^= state << 13, state ^= state >> 7, state ^= state << 17;
    return ((double)(state >> 11) + 0.5) * 0x1p-53;
}

static float normal(void)
{
    return (float)(sqrt(-2 * log(uniform())) * cos(6.283185307179586 * uniform()));
}

static float *normals(size_t count, double scale)
{
    float *out = mem_alloc(count * sizeof *out);
    for (size_t i = 0; i < count; i++)
        out[i] = normal() * (float)scale;
    return out;
}

/* out[j] += sum of weights[i] * directions[i][j] */
static void add_directions(float *out, const float *weights, const float *directions, size_t count)
{
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < DIMENSIONS; j++)
            out[j] += weights[i] * directions[i * DIMENSIONS + j];
}

typedef struct Mixture {
    float *centers, *shapes;
    double weights[CLUSTERS]; /* ascending sums, up to 1 */
} Mixture;

static void mixture_begin(Mixture *mixture)
{
    float *space = normals((size_t)CENTER_DIMENSIONS * DIMENSIONS, 0.35),
          *places = normals((size_t)CLUSTERS * CENTER_DIMENSIONS, 1);
    double sum = 0;
    mixture->centers = mem_calloc((size_t)CLUSTERS * DIMENSIONS, sizeof(float));
    mixture->shapes = normals((size_t)SHAPES * STRETCHES * DIMENSIONS, 1 / sqrt(STRETCHES));
    for (size_t c = 0; c < CLUSTERS; c++) {
        add_directions(mixture->centers + c * DIMENSIONS, places + c * CENTER_DIMENSIONS, space,
                       CENTER_DIMENSIONS);
        mixture->weights[c] = sum += pow(uniform(), -1 / 1.5) - 0.8; /* Pareto */
    }
    for (size_t c = 0; c < CLUSTERS; c++)
        mixture->weights[c] /= sum;
    mem_free(space);
    mem_free(places);
}

static float *draw(const Mixture *mixture, size_t count)
{
    float *out = mem_alloc_aligned(count * DIMENSIONS * sizeof *out, 64), stretches[STRETCHES];
    for (size_t i = 0; i < count; i++) {
        float *row = out + i * DIMENSIONS;
        double at = uniform();
        size_t low = 0, high = CLUSTERS - 1;
        while (low < high) {
            size_t middle = (low + high) / 2;
            if (mixture->weights[middle] < at)
                low = middle + 1;
            else
                high = middle;
        }
        memcpy(row, mixture->centers + low * DIMENSIONS, DIMENSIONS * sizeof *row);
        for (size_t n = 0; n < STRETCHES; n++)
            stretches[n] = normal();
        add_directions(row, stretches, mixture->shapes + low % SHAPES * STRETCHES * DIMENSIONS,
                       STRETCHES);
        for (size_t j = 0; j < DIMENSIONS; j++)
            row[j] += 0.15f * normal();
    }
    return out;
}

static void generate(void)
{
    static Mixture mixture;
    dimensions = DIMENSIONS;
    query_count = (TURNS + 1) * (size_t)TURN_QUERIES;
    mixture_begin(&mixture);
    rows = draw(&mixture, row_count);
    queries = draw(&mixture, query_count);
    truth = mem_alloc(query_count * K * sizeof *truth);
    mem_free(mixture.centers);
    mem_free(mixture.shapes);
}

/* ---- the sum ---- */

static void sum_search(void *state, const float *query, int64_t *ids)
{
    (void)state, (void)query, (void)ids;
    volatile float sink = sum_widest(rows, row_count * dimensions, false);
    (void)sink;
}

/* ---- contenders ---- */

typedef struct Contender {
    char name[64];
    void *state;
    void (*search)(void *state, const float *query, int64_t *ids);
    void (*breadth)(void *state, int ef); /* NULL: it has none */
    int ef;
    size_t queries_a_turn;
    double *times, *processor; /* of each query, in microseconds; the thread's own */
    size_t count, hits, wanted;
} Contender;

static Contender contenders[RESULTS_MAX];
static size_t contender_count;

static Contender *enter(void *state, void (*search)(void *, const float *, int64_t *),
                        size_t queries_a_turn, const char *format, ...)
{
    va_list args;
    Contender *contender = &contenders[contender_count++];
    if (contender_count > RESULTS_MAX) must(NULL, "too many contenders");
    *contender = (Contender){.state = state, .search = search, .queries_a_turn = queries_a_turn};
    va_start(args, format);
    vsnprintf(contender->name, sizeof contender->name, format, args);
    va_end(args);
    contender->times = mem_alloc(TURNS * queries_a_turn * sizeof(double));
    contender->processor = mem_alloc(TURNS * queries_a_turn * sizeof(double));
    return contender;
}

/* The processor's time of this thread. */
static double thread_us(void)
{
    struct timespec used;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    return (double)used.tv_sec * 1e6 + (double)used.tv_nsec / 1e3;
}

/* ... and of all threads. */
static double process_us(void)
{
    struct timespec used;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return (double)used.tv_sec * 1e6 + (double)used.tv_nsec / 1e3;
}

static size_t hits_of(const int64_t *ids, size_t query)
{
    size_t hits = 0;
    for (size_t i = 0; i < K; i++)
        for (size_t j = 0; j < K; j++)
            hits += ids[i] == truth[query * K + j];
    return hits;
}

static void take_turn(Contender *contender, size_t turn)
{
    int64_t ids[K];
    if (contender->breadth != NULL) contender->breadth(contender->state, contender->ef);
    for (size_t i = 0; i < contender->queries_a_turn; i++) {
        size_t query = (turn * TURN_QUERIES + i) % query_count;
        for (size_t j = 0; j < K; j++)
            ids[j] = -1;
        double used = thread_us(), from = now_us(); /* thread_us asks the system: not timed */
        contender->search(contender->state, queries + query * dimensions, ids);
        contender->times[contender->count] = now_us() - from;
        contender->processor[contender->count++] = thread_us() - used;
        contender->hits += hits_of(ids, query);
        contender->wanted += K;
    }
}

/* All who were entered since, turn by turn. */
static void race(size_t first)
{
    for (size_t c = first; c < contender_count; c++) { /* once in vain */
        take_turn(&contenders[c], TURNS);
        contenders[c].count = contenders[c].hits = contenders[c].wanted = 0;
    }
    for (size_t turn = 0; turn < TURNS; turn++)
        for (size_t c = first; c < contender_count; c++)
            take_turn(&contenders[c], turn);
}

static double recall(const Contender *contender)
{
    return contender->wanted == 0 ? 0 : (double)contender->hits / (double)contender->wanted;
}

static double total_us(const Contender *contender)
{
    double sum = 0;
    for (size_t i = 0; i < contender->count; i++)
        sum += contender->times[i];
    return sum;
}

/* The median of the processor's time. */
static double worked(const Contender *contender)
{
    return contender->processor[contender->count / 2];
}

/* The fastest tenth, in microseconds, of sorted times: what others on the machine disturb least. */
static double best(const Contender *contender)
{
    return contender->times[contender->count / 10];
}

/* Queries a second by the median: the mean is of those that others on the machine held up, too. Of
 * sorted times. */
static double rate(const Contender *contender)
{
    return 1e6 / contender->times[contender->count / 2];
}

static void report(Contender *contender)
{
    double each = total_us(contender) / (double)contender->count;
    qsort(contender->times, contender->count, sizeof(double), by_number);
    qsort(contender->processor, contender->count, sizeof(double), by_number);
    printf("%-34s %9.0f queries/s  p10 %9.1f  p50 %9.1f  p99 %9.1f us  recall %.4f\n",
           contender->name, 1e6 / each, best(contender), contender->times[contender->count / 2],
           contender->times[contender->count * 99 / 100], recall(contender));
}

/* ---- ours ---- */

typedef struct Ours {
    contextql *session;
    contextql_statement *statement;
    const char *codes, *workers; /* settings while it runs; NULL: as they are */
} Ours;

static void run(contextql *session, const char *text)
{
    contextql_statement *statement = prepare(session, text);
    int result;
    do
        check(session, result = contextql_step(statement));
    while (result == CONTEXTQL_ROW);
    contextql_finalize(statement);
}

static void our_search(void *state, const float *query, int64_t *ids)
{
    const Ours *ours = state;
    int result;
    size_t found = 0;
    check(ours->session, contextql_bind_vector(ours->statement, "q", query, dimensions));
    while ((result = contextql_step(ours->statement)) == CONTEXTQL_ROW && found < K)
        ids[found++] = contextql_value_integer(contextql_column(ours->statement, 0));
    check(ours->session, result);
    contextql_reset(ours->statement);
}

static void our_settings(void *state, int ef)
{
    const Ours *ours = state;
    (void)ef;
    if (ours->codes != NULL)
        check(ours->session, contextql_set(ours->session, "vector_codes", ours->codes));
    if (ours->workers != NULL)
        check(ours->session, contextql_set(ours->session, "workers", ours->workers));
}

static void load(contextql *session)
{
    contextql_statement *create =
        prepare(session, "UNWIND $rows AS row CREATE (:V {i: row[0], v: row[1]})");
    for (size_t at = 0; at < row_count; at += CHUNK) {
        contextql_value *list = contextql_value_new_list();
        for (size_t i = at; i < at + CHUNK && i < row_count; i++) {
            contextql_value *pair = contextql_value_new_list(),
                            *number = contextql_value_new_integer((int64_t)i),
                            *vector = contextql_value_new_vector(rows + i * dimensions, dimensions);
            contextql_value_append(pair, number);
            contextql_value_append(pair, vector);
            contextql_value_append(list, pair);
            contextql_value_free(number);
            contextql_value_free(vector);
            contextql_value_free(pair);
        }
        check(session, contextql_bind(create, "rows", list));
        contextql_value_free(list);
        int result;
        do
            check(session, result = contextql_step(create));
        while (result == CONTEXTQL_ROW);
        contextql_reset(create);
    }
    contextql_finalize(create);
    run(session, "MATCH (v:V) WHERE v.i % 100 = 7 SET v:Rare");
}

static Ours *ours_new(contextql *session, const char *codes, const char *workers,
                      const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    Ours *ours = mem_alloc(sizeof *ours);
    *ours = (Ours){session, prepare(session, text), codes, workers};
    return ours;
}

#define EXACT_TEXT                                                                                 \
    "MATCH (v:V%s VECTOR v.v SIMILAR TO $q USING {metric: 'l2', exact: true} LIMIT %d RETURN v.i"
#define INDEX_TEXT                                                                                 \
    "MATCH (v:V%s VECTOR v.v SIMILAR TO $q USING {metric: 'l2', ef: %d} LIMIT %d RETURN v.i"

/* Of other rows the nearest are not known: our own exact search finds them. */
static void find_truth(contextql *session)
{
    Ours *ours = ours_new(session, NULL, NULL, EXACT_TEXT, ")", K);
    int64_t ids[K];
    for (size_t q = 0; q < query_count; q++) {
        our_search(ours, queries + q * dimensions, ids);
        for (size_t j = 0; j < K; j++)
            truth[q * K + j] = (int32_t)ids[j];
    }
    contextql_finalize(ours->statement);
    mem_free(ours);
}

/* ---- peers ---- */

typedef struct Peer {
    const char *name;
    void (*load)(const float *, size_t, size_t);
    void (*build)(const float *, size_t, size_t, int);
    void (*set_breadth)(int);
    void (*find)(const float *, int, int64_t *);
    int (*exact)(const float *, int, int64_t *);
} Peer;

static Peer peers[PEERS_MAX];
static size_t peer_count;

static void *symbol(void *library, const char *name)
{
    return must(dlsym(library, name), name);
}

static void open_peers(const char *paths)
{
    char list[4096];
    snprintf(list, sizeof list, "%s", paths == NULL ? "" : paths);
    for (char *path = strtok(list, ":"); path != NULL; path = strtok(NULL, ":")) {
        void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
        if (library == NULL || peer_count == PEERS_MAX) {
            printf("# not here: %s\n", library == NULL ? dlerror() : path);
            continue;
        }
        Peer *peer = &peers[peer_count++];
        const char *(*name)(void);
        *(void **)&name = symbol(library, "peer_name");
        *(void **)&peer->load = symbol(library, "peer_load");
        *(void **)&peer->build = symbol(library, "peer_build");
        *(void **)&peer->set_breadth = symbol(library, "peer_breadth");
        *(void **)&peer->find = symbol(library, "peer_search");
        *(void **)&peer->exact = symbol(library, "peer_exact");
        peer->name = name();
    }
}

static void peer_search(void *state, const float *query, int64_t *ids)
{
    ((Peer *)state)->find(query, K, ids);
}
static void peer_exact_search(void *state, const float *query, int64_t *ids)
{
    ((Peer *)state)->exact(query, K, ids);
}
static void peer_set_breadth(void *state, int ef)
{
    ((Peer *)state)->set_breadth(ef);
}

/* What is allocated and was not given back, by whomever. */
static double held_bytes(void)
{
    struct mallinfo2 info = mallinfo2();
    return (double)info.uordblks + (double)info.hblkhd;
}

/* The most memory that the process has had, in MiB. */
static double peak_mib(void)
{
    char line[256];
    double kib = 0;
    FILE *file = must(fopen("/proc/self/status", "r"), "no status");
    while (fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, "VmHWM:", 6) == 0) kib = atof(line + 6);
    fclose(file);
    return kib / 1024;
}

static void build_peers(void)
{
    for (size_t p = 0; p < peer_count; p++) {
        double bytes = held_bytes(), from = now_us(), used = process_us();
        peers[p].build(rows, row_count, dimensions, 2);
        double each =
            (held_bytes() - bytes) / (double)row_count - (double)dimensions * sizeof(float);
        printf(
            "%-34s built by 2 threads in %.1f s, %.1f s of processors, %.0f bytes a vector beside "
            "its copy of it\n",
            peers[p].name, (now_us() - from) / 1e6, (process_us() - used) / 1e6, each);
        fflush(stdout);
    }
}

/* ---- sqlite-vec ---- */

static sqlite3_stmt *vec0_search;

static bool open_vec0(const char *path)
{
    sqlite3 *db;
    sqlite3_stmt *insert;
    char text[128];
    if (path == NULL || access(path, R_OK) != 0) return false;
    if (sqlite3_open(":memory:", &db) != SQLITE_OK) return false;
    sqlite3_enable_load_extension(db, 1);
    if (sqlite3_load_extension(db, path, NULL, NULL) != SQLITE_OK) return false;
    snprintf(text, sizeof text, "CREATE VIRTUAL TABLE t USING vec0(e float[%zu])", dimensions);
    sqlite3_exec(db, text, NULL, NULL, NULL);
    sqlite3_exec(db, "BEGIN", NULL, NULL, NULL);
    if (sqlite3_prepare_v2(db, "INSERT INTO t(rowid, e) VALUES (?, ?)", -1, &insert, NULL) !=
        SQLITE_OK)
        return false;
    int bytes = (int)(dimensions * sizeof(float));
    for (size_t i = 0; i < row_count; i++) {
        sqlite3_bind_int64(insert, 1, (sqlite3_int64)i);
        sqlite3_bind_blob(insert, 2, rows + i * dimensions, bytes, SQLITE_STATIC);
        sqlite3_step(insert);
        sqlite3_reset(insert);
    }
    sqlite3_finalize(insert);
    sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
    return sqlite3_prepare_v2(db, "SELECT rowid FROM t WHERE e MATCH ? AND k = 10", -1,
                              &vec0_search, NULL) == SQLITE_OK;
}

static void vec0_find(void *state, const float *query, int64_t *ids)
{
    size_t found = 0;
    (void)state;
    sqlite3_bind_blob(vec0_search, 1, query, (int)(dimensions * sizeof(float)), SQLITE_STATIC);
    while (sqlite3_step(vec0_search) == SQLITE_ROW && found < K)
        ids[found++] = sqlite3_column_int64(vec0_search, 0);
    sqlite3_reset(vec0_search);
}

/* ---- what is measured ---- */

static void pin(bool pinned)
{
    static cpu_set_t whole;
    cpu_set_t one;
    if (CPU_COUNT(&whole) == 0) sched_getaffinity(0, sizeof whole, &whole);
    CPU_ZERO(&one);
    CPU_SET(sched_getcpu(), &one);
    sched_setaffinity(0, sizeof one, pinned ? &one : &whole);
}

static Contender *enter_ours(Ours *ours, size_t queries_a_turn, const char *name)
{
    Contender *contender = enter(ours, our_search, queries_a_turn, "%s", name);
    contender->breadth = our_settings;
    return contender;
}

static void measure_exact(contextql *session)
{
    size_t first = contender_count, few = row_count > 200000 ? 3 : 10;
    printf("\nExact, one thread:\n");
    pin(true);
    Contender *sum = enter(NULL, sum_search, few, "sum of as many floats"),
              *floats = enter_ours(ours_new(session, "off", "1", EXACT_TEXT, ")", K), few,
                                   "ContextQL, all vectors scored"),
              *codes = enter_ours(ours_new(session, "auto", "1", EXACT_TEXT, ")", K), few,
                                  "ContextQL, through codes");
    codes->breadth(codes->state, 0);
    for (int i = 0; i < 12; i++) { /* codes are made meanwhile */
        int64_t ids[K];
        our_search(codes->state, queries, ids);
    }
    for (size_t p = 0; p < peer_count; p++) {
        int64_t ids[K];
        peers[p].load(rows, row_count, dimensions);
        if (peers[p].exact(queries, K, ids) == 0) continue;
        enter(&peers[p], peer_exact_search, few, "%s, flat", peers[p].name);
    }
    if (vec0_search != NULL) enter(NULL, vec0_find, few > 2 ? 2 : few, "sqlite-vec");
    race(first);
    for (size_t c = first; c < contender_count; c++)
        report(&contenders[c]);
    double bytes = (double)(row_count * dimensions * sizeof(float));
    printf("bandwidth %.1f GB/s; all vectors scored: %.2f of it; through codes: %.2f times the "
           "rate of "
           "that; by the processor's time %.1f GB/s, %.2f, %.2f\n",
           bytes / best(sum) / 1e3, best(sum) / best(floats), best(floats) / best(codes),
           bytes / worked(sum) / 1e3, worked(sum) / worked(floats), worked(floats) / worked(codes));
    for (size_t c = first + 3; c < contender_count; c++)
        printf("through codes: %.1f times %s\n", best(&contenders[c]) / best(codes),
               contenders[c].name);
    pin(false);
}

/* ---- indexes ---- */

/* What the index says of itself; where memory is handed out in large pages, more is taken but never
 * touched. */
static double index_bytes(contextql *session)
{
    enum { STATE = 6 };
    contextql_statement *statement = prepare(session, "SHOW INDEXES");
    check(session, contextql_step(statement));
    contextql_text state = contextql_value_string(contextql_column(statement, STATE));
    char text[256], *since;
    snprintf(text, sizeof text, "%.*s", (int)state.size, state.data);
    double bytes = (since = strstr(text, "since, ")) == NULL ? 0 : atof(since + strlen("since, "));
    contextql_finalize(statement);
    return bytes;
}

static void build_ours(contextql *session)
{
    char text[256];
    snprintf(text, sizeof text,
             "CREATE VECTOR INDEX near FOR (v:V) ON (v.v) OPTIONS {dimensions: %zu, metric: 'l2'}",
             dimensions);
    check(session, contextql_set(session, "workers", "2"));
    double from = now_us(), used = process_us();
    run(session, text);
    printf("%-34s built by 2 threads in %.1f s, %.1f s of processors, %.0f bytes a vector; at most "
           "%.0f MiB so far\n",
           "ContextQL", (now_us() - from) / 1e6, (process_us() - used) / 1e6,
           index_bytes(session) / (double)row_count, peak_mib());
    check(session, contextql_set(session, "workers", "1"));
}

/* The fastest of a family that finds so many of the nearest; NULL: none does. */
static const Contender *reaching(size_t first, const char *family, double wanted)
{
    const Contender *found = NULL;
    for (size_t c = first; c < contender_count; c++) {
        bool own = strncmp(contenders[c].name, family, strlen(family)) == 0;
        if (own && recall(&contenders[c]) >= wanted &&
            (found == NULL || rate(&contenders[c]) > rate(found)))
            found = &contenders[c];
    }
    return found;
}

static void compare(size_t first, double wanted)
{
    const Contender *ours = reaching(first, "ContextQL", wanted);
    printf("recall %.2f: ", wanted);
    if (ours == NULL) {
        printf("ContextQL does not reach it\n");
        return;
    }
    printf("%s, %.0f queries/s", ours->name, rate(ours));
    for (size_t p = 0; p < peer_count; p++) {
        const Contender *other = reaching(first, peers[p].name, wanted);
        if (other == NULL)
            printf("; %s does not reach it", peers[p].name);
        else
            printf("; %.2f times %s (%.0f)", rate(ours) / rate(other), other->name, rate(other));
    }
    printf("\n");
}

static void measure_index(contextql *session)
{
    size_t first = contender_count;
    printf("\nBy an index, one thread:\n");
    build_ours(session);
    build_peers();
    pin(true);
    for (size_t b = 0; breadths[b] != 0; b++) {
        Contender *ours = enter(ours_new(session, NULL, NULL, INDEX_TEXT, ")", breadths[b], K),
                                our_search, TURN_QUERIES, "ContextQL, ef %d", breadths[b]);
        ours->breadth = our_settings;
        for (size_t p = 0; p < peer_count; p++) {
            Contender *other = enter(&peers[p], peer_search, TURN_QUERIES, "%s, ef %d",
                                     peers[p].name, breadths[b]);
            other->breadth = peer_set_breadth;
            other->ef = breadths[b];
        }
    }
    race(first);
    for (size_t c = first; c < contender_count; c++)
        report(&contenders[c]);
    compare(first, .95);
    compare(first, .99);
    pin(false);
}

/* What is to be found among those that pass `where`, by our own exact search. */
static int32_t *truth_among(contextql *session, const char *where)
{
    Ours *exact = ours_new(session, "auto", "1", EXACT_TEXT, where, K);
    int32_t *whole = truth;
    truth = mem_alloc(query_count * K * sizeof *truth);
    for (size_t q = 0; q < (TURNS + 1) * (size_t)TURN_QUERIES; q++) {
        int64_t ids[K];
        our_search(exact, queries + q % query_count * dimensions, ids);
        for (size_t j = 0; j < K; j++)
            truth[q % query_count * K + j] = (int32_t)ids[j];
    }
    contextql_finalize(exact->statement);
    mem_free(exact);
    return whole;
}

/* The nearest of those that pass, by an index that is asked for more of them, and exactly. */
static void measure_filtered(contextql *session, const char *where)
{
    size_t first = contender_count;
    printf("\nBest of `MATCH (v:V%s`, one thread:\n", where);
    int32_t *whole = truth_among(session, where);
    pin(true);
    enter_ours(ours_new(session, "off", "1", EXACT_TEXT, where, K), 10, "exact, all scored");
    enter_ours(ours_new(session, "auto", "1", EXACT_TEXT, where, K), 10, "exact, through codes");
    enter_ours(ours_new(session, "auto", "1", INDEX_TEXT, where, 64, K), 10,
               "as it is chosen, ef 64");
    race(first);
    for (size_t c = first; c < contender_count; c++)
        report(&contenders[c]);
    pin(false);
    mem_free(truth);
    truth = whole;
}

/* One of a hundred passes: what is asked for is the best of those, which a filter before the search has
 * as bits. Beside it a walk along such an index as far as it takes to come by as many that pass as it
 * would find without a filter (at most NEAR_EF_MAX), taking only those that pass; of an index of its own,
 * for no statement would be answered so. */
enum { RARE = 100, EF = 64, SCORED = 2 * K };

typedef struct Walk {
    NearIndex *index;
    const VectorKernel *kernel;
    const CodesKernel *codes_kernel;
} Walk;

static const float *give_row(void *user, size_t i, uint32_t *id, float *factor)
{
    (void)user;
    *id = (uint32_t)i;
    *factor = 0; /* not asked */
    return rows + i * dimensions;
}

static void walk_search(void *state, const float *query, int64_t *ids)
{
    const Walk *walk = state;
    VectorQuery asked;
    TopK *top = topk_create(K);
    TopKHit hits[K];
    uint32_t found[NEAR_EF_MAX];
    vector_query_init(&asked, walk->kernel, VECTOR_L2, query, dimensions);
    size_t count = near_search(walk->index, walk->codes_kernel, &asked,
                               near_ef(walk->index, EF, row_count / RARE), found),
           scored = 0;
    for (size_t i = 0; i < count && scored < SCORED; i++) {
        if (found[i] % RARE != 7) continue;
        topk_offer(top, vector_score(walk->kernel, &asked, rows + found[i] * dimensions, 0),
                   found[i]);
        scored++;
    }
    count = topk_take(top, hits);
    for (size_t i = 0; i < count; i++)
        ids[i] = (int64_t)hits[i].id;
    topk_destroy(top);
}

static void measure_rare(contextql *session)
{
    size_t first = contender_count;
    NearOptions options = {.dimensions = (uint32_t)dimensions,
                           .metric = VECTOR_L2,
                           .ef_construction = NEAR_EF_CONSTRUCTION,
                           .threads = 1};
    NearRows all = {.count = row_count, .row = give_row};
    printf("\nBest of one in a hundred, one thread:\n");
    Walk own = {near_build(&options, &all), vector_kernel(NULL), codes_kernel(NULL)};
    int32_t *whole = truth_among(session, ":Rare)");
    pin(true);
    Contender *ours = enter_ours(ours_new(session, "auto", "1", INDEX_TEXT, ":Rare)", EF, K),
                                 TURN_QUERIES, "a label as filter, as it is chosen"),
              *walk = enter(&own, walk_search, 10, "a walk of ef %zu, those that pass",
                            near_ef(own.index, EF, row_count / RARE));
    race(first);
    for (size_t c = first; c < contender_count; c++)
        report(&contenders[c]);
    printf("the filter before the search: %.1f times the walk\n", rate(ours) / rate(walk));
    pin(false);
    near_free(own.index);
    mem_free(truth);
    truth = whole;
}

/* ---- two of us ---- */

enum { TOGETHER = 512, ROUNDS = 8 };
#define TOGETHER_TEXT                                                                              \
    "UNWIND range(0, size($q) - 1) AS n MATCH (v:V) VECTOR v.v SIMILAR TO $q[n] USING {metric: "   \
    "'l2', ef: 64} LIMIT 10 PER n RETURN count(*)"

typedef struct Asker { /* a thread, and whom it asks */
    contextql *session;
    const Peer *peer;
    pthread_t thread;
    size_t from;
    uint64_t sum; /* so that loops are not left out */
} Asker;

static void *ask_alone(void *user)
{
    Asker *asker = user;
    Ours *ours = ours_new(asker->session, NULL, NULL, INDEX_TEXT, ")", 64, K);
    int64_t ids[K];
    for (size_t q = 0; q < TOGETHER; q++)
        our_search(ours, queries + (asker->from + q) % query_count * dimensions, ids);
    contextql_finalize(ours->statement);
    mem_free(ours);
    return NULL;
}

static void *ask_peer(void *user)
{
    Asker *asker = user;
    int64_t ids[K];
    for (size_t q = 0; q < TOGETHER; q++)
        asker->peer->find(queries + (asker->from + q) % query_count * dimensions, K, ids);
    return NULL;
}

/* What two threads of the machine can do at all: without memory they share nothing, and what is read here
 * and there in as much memory as an index takes comes through what all processors share. */
enum { LOOP_STEPS = 512, LOOP_LINE = 128, LOOP_ROW_BYTES = 264 };

static void *loop_without_memory(void *user)
{
    Asker *asker = user;
    uint64_t state = asker->from + 1;
    for (size_t i = 0; i < (size_t)TOGETHER * LOOP_STEPS * 8; i++)
        state = state * UINT64_C(6364136223846793005) + 1;
    asker->sum = state;
    return NULL;
}

static void *loop_over_memory(void *user)
{
    Asker *asker = user;
    const char *memory = (const char *)rows;
    size_t places = row_count * LOOP_ROW_BYTES / LOOP_LINE;
    uint64_t state = 88172645463325252u + asker->from, sum = 0, words[2];
    for (size_t i = 0; i < (size_t)TOGETHER * LOOP_STEPS; i++) {
        state ^= state << 13, state ^= state >> 7, state ^= state << 17;
        const char *line = memory + state % places * LOOP_LINE;
        memcpy(&words[0], line, sizeof words[0]);
        memcpy(&words[1], line + LOOP_LINE / 2, sizeof words[1]);
        sum += words[0] ^ words[1];
    }
    asker->sum = sum;
    return NULL;
}

/* Microseconds a query, and those of processors. */
typedef struct Spent {
    double time, work;
} Spent;

static Spent spent_by(void *(*ask)(void *), Asker *askers, size_t count)
{
    double from = now_us(), used = process_us();
    for (size_t a = 0; a < count; a++)
        if (pthread_create(&askers[a].thread, NULL, ask, &askers[a]) != 0) must(NULL, "no thread");
    for (size_t a = 0; a < count; a++)
        pthread_join(askers[a].thread, NULL);
    double all = (double)(TOGETHER * count);
    return (Spent){(now_us() - from) / all, (process_us() - used) / all};
}

static Spent spent_together(contextql *session, contextql_statement *statement, const char *workers)
{
    check(session, contextql_set(session, "workers", workers));
    double from = now_us(), used = process_us();
    check(session, contextql_step(statement));
    if (contextql_value_integer(contextql_column(statement, 0)) != TOGETHER * K)
        must(NULL, "rows are missing");
    Spent spent = {(now_us() - from) / TOGETHER, (process_us() - used) / TOGETHER};
    contextql_reset(statement);
    return spent;
}

static void tell_two(const char *what, Spent one[ROUNDS], Spent two[ROUNDS])
{
    double times[2][ROUNDS], works[2][ROUNDS];
    for (size_t r = 0; r < ROUNDS; r++) {
        times[0][r] = one[r].time, times[1][r] = two[r].time;
        works[0][r] = one[r].work, works[1][r] = two[r].work;
    }
    double time[2] = {median(times[0], ROUNDS), median(times[1], ROUNDS)},
           work[2] = {median(works[0], ROUNDS), median(works[1], ROUNDS)};
    printf("%-34s %9.1f us a query by one, %.1f by two: %.2f times (best %.2f); of processors %.1f "
           "and %.1f\n",
           what, time[0], time[1], time[0] / time[1], times[0][0] / times[1][0], work[0], work[1]);
}

static void measure_askers(const char *what, void *(*ask)(void *), Asker *askers)
{
    Spent one[ROUNDS], two[ROUNDS];
    for (size_t r = 0; r < ROUNDS; r++) {
        one[r] = spent_by(ask, askers, 1);
        two[r] = spent_by(ask, askers, 2);
    }
    tell_two(what, one, two);
}

/* Beside us the peers, and what the machine can do at all. */
static void measure_two_of_others(Asker *askers)
{
    char what[64];
    for (size_t p = 0; p < peer_count; p++) {
        snprintf(what, sizeof what, "%s of ef %d, threads", peers[p].name, EF);
        peers[p].set_breadth(EF);
        askers[0].peer = askers[1].peer = &peers[p];
        measure_askers(what, ask_peer, askers);
    }
    measure_askers("a loop without memory", loop_without_memory, askers);
    measure_askers("a loop over as many bytes", loop_over_memory, askers);
}

static void measure_two(contextql *session)
{
    Spent one[ROUNDS], two[ROUNDS];
    Asker askers[2] = {{.session = session, .from = 0}, {.from = TOGETHER}};
    contextql_statement *statement = prepare(session, TOGETHER_TEXT);
    contextql_value *list = contextql_value_new_list();
    printf("\nBy an index of ef 64, one and two:\n");
    check(session, contextql_connect(session, &askers[1].session));
    for (size_t q = 0; q < TOGETHER; q++) {
        contextql_value *one_query =
            contextql_value_new_vector(queries + q * dimensions, dimensions);
        contextql_value_append(list, one_query);
        contextql_value_free(one_query);
    }
    check(session, contextql_bind(statement, "q", list));
    contextql_value_free(list);
    for (size_t r = 0; r < ROUNDS; r++) {
        one[r] = spent_together(session, statement, "1");
        two[r] = spent_together(session, statement, "2");
    }
    tell_two("512 queries from rows, workers", one, two);
    measure_askers("a query a statement, sessions", ask_alone, askers);
    measure_two_of_others(askers);
    contextql_finalize(statement);
    contextql_close(askers[1].session);
}

static void measure_workers(contextql *session)
{
    size_t first = contender_count;
    printf("\nExact, one worker and two:\n");
    Contender *one = enter_ours(ours_new(session, "off", "1", EXACT_TEXT, ")", K), 10,
                                "all vectors scored, 1 worker"),
              *two = enter_ours(ours_new(session, "off", "2", EXACT_TEXT, ")", K), 10,
                                "all vectors scored, 2 workers"),
              *coded_one = enter_ours(ours_new(session, "auto", "1", EXACT_TEXT, ")", K), 10,
                                      "through codes, 1 worker"),
              *coded_two = enter_ours(ours_new(session, "auto", "2", EXACT_TEXT, ")", K), 10,
                                      "through codes, 2 workers");
    race(first);
    for (size_t c = first; c < contender_count; c++)
        report(&contenders[c]);
    printf("two workers: %.2f times one; through codes %.2f times\n", best(one) / best(two),
           best(coded_one) / best(coded_two));
}

int main(int argc, char **argv)
{
    contextql *session;
    if (argc < 2)
        return printf("bench/vector: skipped: no data. VECTORS=a folder of sift100k\n"), 0;
    generated = strcmp(argv[1], "generated") == 0;
    bool only_exact = strcmp(argv[argc - 1], "exact") == 0;
    if (generated && argc > 2) row_count = (size_t)atoll(argv[2]);
    if (generated && row_count < K) must(NULL, "how many rows?");
    if (generated)
        generate();
    else
        read_data(argv[1]);
    check(NULL, contextql_open(":memory:", NULL, &session));
    contextql_set(session, "gpu", "off");
    double from = now_us();
    load(session);
    printf("%zu %svectors of %zu dimensions, top %d; loaded in %.2f s\n", row_count,
           generated ? "generated " : "", dimensions, K, (now_us() - from) / 1e6);
    open_peers(getenv("PEERS"));
    if (generated) {
        find_truth(session);
    } else {
        if (!open_vec0(getenv("SQLITE_VEC"))) printf("# not here: sqlite-vec\n");
    }
    if (!generated || row_count > 200000 || only_exact) {
        measure_exact(session);
        measure_workers(session);
    }
    if (only_exact) return contextql_close(session), 0;
    measure_index(session);
    measure_two(session);
    measure_rare(session);
    if (!generated) {
        measure_filtered(session, ") WHERE v.i % 100 = 7");
        measure_filtered(session, ") WHERE v.i % 2 = 1");
    }
    contextql_close(session);
    return 0;
}
