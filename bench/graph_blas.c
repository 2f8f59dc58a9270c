/*
 * graph_blas.c - the rows of bench/graph that are algebra, by SuiteSparse GraphBLAS (Davis, ACM TOMS 2019;
 * Debian: libgraphblas-dev), two threads. bench/graph compiles it where its header is there.
 *
 *     graph_blas FOLDER ROWS SCRATCH      as bench/graph-peers
 *
 * The matrix is in memory before a row begins, without properties; each answer must be ContextQL's.
 */
#define _GNU_SOURCE
#include <GraphBLAS.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

enum { LINE_BYTES = 8192, KEYS_MAX = 2000, ROUNDS = 15, HOPS = 30 };

static GrB_Matrix matrix;
static GrB_Index node_count;
static int64_t keys[KEYS_MAX];
static const char *scratch;
static int wrong;

static double now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void must(GrB_Info info, const char *what)
{
    if (info == GrB_SUCCESS) return;
    fprintf(stderr, "graph_blas: %s: %d\n", what, (int)info);
    exit(1);
}
#define MUST(call) must(call, #call)

static void *need(size_t bytes)
{
    void *memory = malloc(bytes);
    if (memory == NULL) must(GrB_OUT_OF_MEMORY, "memory");
    return memory;
}

static void note(const char *what, double value)
{
    char name[LINE_BYTES];
    snprintf(name, sizeof name, "%s/figures", scratch);
    FILE *file = fopen(name, "a");
    if (file == NULL) must(GrB_INVALID_VALUE, name);
    fprintf(file, "%s\tGraphBLAS\t%f\n", what, value);
    fclose(file);
}

/* ---- data ---- */

static uint64_t count_lines(FILE *file)
{
    char line[LINE_BYTES];
    uint64_t count = 0;
    while (fgets(line, sizeof line, file) != NULL)
        count++;
    rewind(file);
    return count;
}

static FILE *open_in(const char *folder, const char *name)
{
    char path[LINE_BYTES];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "r");
    if (file == NULL) must(GrB_INVALID_VALUE, path);
    return file;
}

static void load(const char *folder)
{
    char line[LINE_BYTES], *end;
    FILE *nodes = open_in(folder, "nodes.csv"), *edges = open_in(folder, "edges.csv");
    node_count = count_lines(nodes) - 1;
    uint64_t edge_count = count_lines(edges) - 1, i = 0;
    GrB_Index *from = need(edge_count * sizeof *from), *to = need(edge_count * sizeof *to);
    GrB_Scalar one;
    if (fgets(line, sizeof line, edges) == NULL) must(GrB_INVALID_VALUE, "edges.csv");
    for (; i < edge_count && fgets(line, sizeof line, edges) != NULL; i++) {
        from[i] = strtoull(line, &end, 10);
        to[i] = strtoull(end + 1, &end, 10);
    }
    fclose(nodes);
    fclose(edges);
    MUST(GrB_Matrix_new(&matrix, GrB_BOOL, node_count, node_count));
    MUST(GrB_Scalar_new(&one, GrB_BOOL));
    MUST(GrB_Scalar_setElement_BOOL(one, true));
    MUST(GxB_Matrix_build_Scalar(matrix, from, to, one, i));
    MUST(GrB_wait(matrix, GrB_MATERIALIZE));
    GrB_free(&one);
    free(from);
    free(to);
}

/* ---- rows ---- */

static int64_t paths(int64_t key)
{
    GrB_Vector ones, degrees, ways;
    int64_t sum = 0;
    (void)key;
    MUST(GrB_Vector_new(&ones, GrB_INT64, node_count));
    MUST(GrB_Vector_new(&degrees, GrB_INT64, node_count));
    MUST(GrB_Vector_new(&ways, GrB_INT64, node_count));
    MUST(GrB_Vector_assign_INT64(ones, NULL, NULL, 1, GrB_ALL, node_count, NULL));
    MUST(GrB_mxv(degrees, NULL, NULL, GxB_PLUS_SECOND_INT64, matrix, ones, NULL));
    MUST(GrB_mxv(ways, NULL, NULL, GxB_PLUS_SECOND_INT64, matrix, degrees, NULL));
    MUST(GrB_Vector_reduce_INT64(&sum, NULL, GrB_PLUS_MONOID_INT64, ways, NULL));
    GrB_free(&ones);
    GrB_free(&degrees);
    GrB_free(&ways);
    return sum;
}

static int64_t triangles(int64_t key)
{
    GrB_Matrix closed;
    int64_t sum = 0;
    (void)key;
    MUST(GrB_Matrix_new(&closed, GrB_INT64, node_count, node_count));
    MUST(GrB_mxm(closed, matrix, NULL, GxB_PLUS_PAIR_INT64, matrix, matrix, GrB_DESC_S));
    MUST(GrB_Matrix_reduce_INT64(&sum, NULL, GrB_PLUS_MONOID_INT64, closed, NULL));
    GrB_free(&closed);
    return sum;
}

/* Breadth first, each node once; the first one only if a way leads back to it. */
static int64_t reach(int64_t key)
{
    GrB_Vector front, seen;
    GrB_Index found = 1, all = 0;
    MUST(GrB_Vector_new(&front, GrB_BOOL, node_count));
    MUST(GrB_Vector_new(&seen, GrB_BOOL, node_count));
    MUST(GrB_Vector_setElement_BOOL(front, true, (GrB_Index)key));
    for (int hop = 0; hop < HOPS && found > 0; hop++) {
        MUST(GrB_vxm(front, seen, NULL, GxB_ANY_PAIR_BOOL, front, matrix, GrB_DESC_RSC));
        MUST(GrB_Vector_nvals(&found, front));
        MUST(GrB_Vector_assign_BOOL(seen, front, NULL, true, GrB_ALL, node_count, GrB_DESC_S));
    }
    MUST(GrB_Vector_nvals(&all, seen));
    GrB_free(&front);
    GrB_free(&seen);
    return (int64_t)all;
}

static const struct {
    const char *name;
    int64_t (*ask)(int64_t key);
} rows[] = {{"reached in 30 hops", reach}, {"count of 2-paths", paths}, {"triangles", triangles}};

static void measure(const char *name, int64_t (*ask)(int64_t), int count, double ours, int64_t want)
{
    double best = 0, begun = now_us();
    int64_t sum = 0;
    for (int round = 0; round < ROUNDS && (round == 0 || now_us() - begun < 4e6); round++) {
        double from = now_us();
        sum = 0;
        for (int i = 0; i < count; i++)
            sum += ask(keys[2 * i]);
        double took = (now_us() - from) / count;
        if (round == 0 || took < best) best = took;
    }
    printf("%-26s %12.3f ms %9.1f times ContextQL", name, best / 1e3, best / ours);
    if (sum != want) printf("  ANOTHER ANSWER: %lld, not %lld", (long long)sum, (long long)want);
    printf("\n");
    wrong += sum != want;
    note(name, best);
}

/* The file that bench/graph writes: name, keys a query, how many, our time, our answer, with tabs. */
static void ask_rows(FILE *file)
{
    char line[LINE_BYTES], name[64];
    int per_query, count;
    double ours;
    long long want;
    while (fgets(line, sizeof line, file) != NULL && strcmp(line, "keys\n") != 0) {
        if (sscanf(line, "%63[^\t]\t%d\t%d\t%lf\t%lld", name, &per_query, &count, &ours, &want) !=
            5)
            continue;
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
            if (strcmp(rows[i].name, name) == 0) measure(name, rows[i].ask, count, ours, want);
    }
}

int main(int argc, char **argv)
{
    char line[LINE_BYTES];
    struct rusage used;
    int key = 0;
    if (argc != 4) return 2;
    scratch = argv[3];
    FILE *file = fopen(argv[2], "r");
    if (file == NULL) return 2;
    while (fgets(line, sizeof line, file) != NULL && strcmp(line, "keys\n") != 0)
        ;
    while (key < KEYS_MAX && fgets(line, sizeof line, file) != NULL)
        keys[key++] = atoll(line);
    rewind(file);
    MUST(GrB_init(GrB_NONBLOCKING));
    MUST(GxB_set(GxB_NTHREADS, 2));
    double from = now_us();
    load(argv[1]);
    printf("\nGraphBLAS: relationships alone read in %.0f ms\n", (now_us() - from) / 1e3);
    ask_rows(file);
    fclose(file);
    getrusage(RUSAGE_SELF, &used);
    printf("%-26s %10.1f MB at the most, without properties\n", "GraphBLAS",
           (double)used.ru_maxrss / 1e3);
    GrB_free(&matrix);
    GrB_finalize();
    return wrong > 0;
}
