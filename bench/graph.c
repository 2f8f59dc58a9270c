/*
 * graph.c - graph queries on a real graph: ContextQL beside SQLite, and a floor written by hand.
 *
 * The floor is what a program for just this question would do: CSR arrays and byte columns, one
 * thread, no transaction, no language. Every row's answer is the same number in all three, or the
 * bench fails. Beside our time stands what all processors together spent on it. ContextQL and SQLite
 * are asked in turn, prepared, through their C interfaces; the best of several rounds is printed, for
 * what else runs on a machine only adds to a time. Rows that SQLite needs minutes for are not asked of
 * it. Our database is closed after the load and opened again: what is asked lies in its segments. With
 * --peers the rows are asked of others, too (bench/graph-peers, bench/graph_blas.c), and their answers
 * held against ours. At
 * the end stands a table of all: beside each row the fastest of the others, and the floor.
 *
 *     bench/graph FOLDER [--peers] [--alone]
 *         nodes.csv: id,name,age,city,score,created; edges.csv: src,dst,w. --alone: without SQLite
 */
#include "config.h"

#include "bench/measure.h"
#include "bench/session.h"
#include "contextql.h"
#include <sqlite3.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    KEYS_MAX = 1000,
    NUMBER_BYTES = 32,
    TEXT_BYTES = 8192,
    CITIES = 1000,
    ROUNDS = 15,
    TOP = 10
};

static void die(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("bench/graph: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    exit(1);
}

static void *need(size_t bytes)
{
    void *memory = calloc(bytes, 1);
    if (memory == NULL) die("no memory");
    return memory;
}

/* ---- the floor ---- */

static uint32_t node_count, edge_count;
static uint32_t *offsets, *targets, *touched;
static uint8_t *ages, *weights, *marks;
static uint16_t *cities, *levels;
static double *scores;

static char *slurp(const char *folder, const char *name, size_t *bytes)
{
    char path[TEXT_BYTES];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "rb");
    if (file == NULL) die("cannot read %s", path);
    fseek(file, 0, SEEK_END);
    *bytes = (size_t)ftell(file);
    rewind(file);
    char *text = need(*bytes + 1);
    if (fread(text, 1, *bytes, file) != *bytes) die("cannot read %s", path);
    fclose(file);
    return text;
}

static uint32_t number(char **at)
{
    uint32_t value = 0;
    while (**at >= '0' && **at <= '9')
        value = value * 10 + (uint32_t)(*(*at)++ - '0');
    (*at)++;
    return value;
}

static void floor_nodes(const char *folder)
{
    size_t bytes, lines = 0;
    char *text = slurp(folder, "nodes.csv", &bytes);
    for (size_t i = 0; i < bytes; i++)
        lines += text[i] == '\n';
    ages = need(lines), cities = need(lines * sizeof *cities),
    scores = need(lines * sizeof *scores);
    for (char *at = strchr(text, '\n') + 1; *at != '\0'; node_count++) {
        if (number(&at) != node_count) die("ids are not 0, 1, 2, ..");
        at = strchr(at, ',') + 1;
        ages[node_count] = (uint8_t)number(&at);
        at += strlen("city");
        cities[node_count] = (uint16_t)number(&at);
        scores[node_count] = strtod(at, &at);
        at = strchr(at, '\n') + 1;
    }
    free(text);
}

static void floor_edges(const char *folder)
{
    size_t bytes;
    char *text = slurp(folder, "edges.csv", &bytes);
    offsets = need((node_count + 2ul) * sizeof *offsets);
    for (char *at = strchr(text, '\n') + 1; *at != '\0'; edge_count++) {
        offsets[number(&at) + 1]++;
        at = strchr(at, '\n') + 1;
    }
    for (uint32_t i = 0; i < node_count; i++)
        offsets[i + 1] += offsets[i];
    uint32_t *next = need((node_count + 1ul) * sizeof *next);
    memcpy(next, offsets, node_count * sizeof *next);
    targets = need(edge_count * sizeof *targets), weights = need(edge_count);
    for (char *at = strchr(text, '\n') + 1; *at != '\0';) {
        uint32_t place = next[number(&at)]++;
        targets[place] = number(&at);
        weights[place] = (uint8_t)number(&at);
    }
    free(next);
    free(text);
    touched = need(node_count * sizeof *touched);
    levels = need(node_count * sizeof *levels), marks = need(node_count);
}

#define EACH_TARGET(of, at) for (uint32_t at = offsets[of]; at < offsets[(of) + 1]; at++)

static int64_t floor_point(const int64_t *key)
{
    return ages[key[0]];
}

static int64_t floor_hop1(const int64_t *key)
{
    return offsets[key[0] + 1] - offsets[key[0]];
}

static int64_t floor_hop1_sum(const int64_t *key)
{
    int64_t sum = 0;
    EACH_TARGET(key[0], i) sum += ages[targets[i]];
    return sum;
}

static int64_t floor_hop2(const int64_t *key)
{
    int64_t sum = 0;
    EACH_TARGET(key[0], i) sum += offsets[targets[i] + 1] - offsets[targets[i]];
    return sum;
}

/* Marks what is met the first time; gives how many, and unmarks. */
static int64_t floor_distinct(const int64_t *key, int hops)
{
    uint32_t count = 0;
    EACH_TARGET(key[0], i) EACH_TARGET(targets[i], j)
    {
        uint32_t from = hops == 2 ? j : offsets[targets[j]],
                 to = hops == 2 ? j + 1 : offsets[targets[j] + 1];
        for (uint32_t k = from; k < to; k++)
            if (!marks[targets[k]]) marks[targets[k]] = 1, touched[count++] = targets[k];
    }
    for (uint32_t i = 0; i < count; i++)
        marks[touched[i]] = 0;
    return count;
}

static int64_t floor_hop2_distinct(const int64_t *key)
{
    return floor_distinct(key, 2);
}

/* Breadth first from key[0]; with `pair` the depth of key[1] (-1: not reached), else how many are
 * reached, the start if a way leads back to it. */
static int64_t floor_search(const int64_t *key, bool pair)
{
    uint32_t head = 0, tail = 0;
    bool back = false;
    memset(levels, 0xff, node_count * sizeof *levels);
    touched[tail++] = (uint32_t)key[0];
    levels[key[0]] = 0;
    while (head < tail) {
        uint32_t node = touched[head++];
        if (levels[node] >= 30) break;
        EACH_TARGET(node, i)
        {
            back = back || targets[i] == key[0];
            if (levels[targets[i]] != UINT16_MAX) continue;
            levels[targets[i]] = (uint16_t)(levels[node] + 1);
            if (pair && targets[i] == key[1]) return levels[targets[i]];
            touched[tail++] = targets[i];
        }
    }
    return pair ? -1 : (int64_t)tail - !back;
}

static int64_t floor_pair(const int64_t *key)
{
    return floor_search(key, true);
}

static int64_t floor_reach(const int64_t *key)
{
    return floor_search(key, false);
}

static int64_t largest(const int64_t *counts, size_t count)
{
    int64_t best = 0;
    for (size_t i = 0; i < count; i++)
        if (counts[i] > best) best = counts[i];
    return best;
}

static int64_t floor_group(const int64_t *key)
{
    static int64_t counts[CITIES];
    static double sums[CITIES];
    (void)key;
    memset(counts, 0, sizeof counts);
    for (uint32_t i = 0; i < node_count; i++)
        counts[cities[i]]++, sums[cities[i]] += scores[i];
    return largest(counts, CITIES);
}

/* The lowest id among those with the best score over 60. */
static int64_t floor_top(const int64_t *key)
{
    uint32_t best[TOP + 1], count = 0;
    (void)key;
    for (uint32_t i = 0; i < node_count; i++) {
        if (ages[i] <= 60 || (count == TOP && scores[i] <= scores[best[TOP - 1]])) continue;
        uint32_t at = count < TOP ? count++ : TOP - 1;
        for (; at > 0 && scores[best[at - 1]] < scores[i]; at--)
            best[at] = best[at - 1];
        best[at] = i;
    }
    return best[0];
}

static int64_t floor_degree(const int64_t *key)
{
    uint32_t best = 0;
    (void)key;
    for (uint32_t i = 1; i < node_count; i++)
        if (offsets[i + 1] - offsets[i] > offsets[best + 1] - offsets[best]) best = i;
    return best;
}

static int64_t floor_pattern(const int64_t *key)
{
    static int64_t counts[CITIES];
    (void)key;
    memset(counts, 0, sizeof counts);
    for (uint32_t i = 0; i < node_count; i++)
        if (cities[i] == 7) EACH_TARGET(i, j)
    if (weights[j] < 50 && ages[targets[j]] > 60) counts[cities[targets[j]]]++;
    return largest(counts, CITIES);
}

static int64_t floor_edge_count(const int64_t *key)
{
    (void)key;
    return edge_count;
}

static int64_t floor_paths(const int64_t *key)
{
    int64_t sum = 0;
    (void)key;
    for (uint32_t i = 0; i < edge_count; i++)
        sum += offsets[targets[i] + 1] - offsets[targets[i]];
    return sum;
}

static int64_t floor_triangles(const int64_t *key)
{
    int64_t sum = 0;
    (void)key;
    for (uint32_t a = 0; a < node_count; a++) {
        if (offsets[a + 1] - offsets[a] < 2) continue;
        EACH_TARGET(a, i) marks[targets[i]] = 1;
        EACH_TARGET(a, i) EACH_TARGET(targets[i], j) sum += marks[targets[j]];
        EACH_TARGET(a, i) marks[targets[i]] = 0;
    }
    return sum;
}

/* ---- rows ---- */

typedef enum Keys { ALONE, ONE_KEY, TWO_KEYS } Keys;
typedef struct Row {
    const char *name;
    Keys keys;
    int count; /* of keys asked in one round */
    int64_t (*floor)(const int64_t *key);
    const char *ours,
        *sql;         /* the answer is the last column of the first row; sql NULL: not asked */
    const char *kuzu; /* where its Cypher is another one; "": not asked */
} Row;

static const Row rows[] = {
    {"point", ONE_KEY, 1000, floor_point, "MATCH (a:N {id: $a}) RETURN a.name, a.age",
     "SELECT name, age FROM n WHERE id = ?1", NULL},
    {"hop 1", ONE_KEY, 200, floor_hop1, "MATCH (:N {id: $a})-[:E]->(b:N) RETURN count(*)",
     "SELECT count(*) FROM e WHERE src = ?1", NULL},
    {"hop 1, sum of a property", ONE_KEY, 200, floor_hop1_sum,
     "MATCH (:N {id: $a})-[:E]->(b:N) RETURN coalesce(sum(b.age), 0)",
     "SELECT coalesce(sum(n.age), 0) FROM e JOIN n ON n.id = e.dst WHERE e.src = ?1", NULL},
    {"hop 2, paths", ONE_KEY, 200, floor_hop2,
     "MATCH (:N {id: $a})-[:E]->(:N)-[:E]->(b:N) RETURN count(*)",
     "SELECT count(*) FROM e a JOIN e b ON b.src = a.dst WHERE a.src = ?1", NULL},
    {"hop 2, distinct", ONE_KEY, 200, floor_hop2_distinct,
     "MATCH (:N {id: $a})-[:E]->(:N)-[:E]->(b:N) RETURN count(DISTINCT b)",
     "SELECT count(DISTINCT b.dst) FROM e a JOIN e b ON b.src = a.dst WHERE a.src = ?1",
     "MATCH (:N {id: $a})-[:E]->(:N)-[:E]->(b:N) RETURN count(DISTINCT b.id)"},
    {"shortest path of a pair", TWO_KEYS, 20, floor_pair,
     "MATCH (a:N {id: $a}), (b:N {id: $b}) OPTIONAL MATCH p = shortestPath((a)-[:E*..30]->(b))"
     " RETURN coalesce(length(p), -1)",
     NULL,
     "MATCH (a:N {id: $a}), (b:N {id: $b}) OPTIONAL MATCH p = (a)-[:E* SHORTEST 1..30]->(b)"
     " RETURN coalesce(length(p), -1)"},
    {"reached in 30 hops", ONE_KEY, 5, floor_reach,
     "MATCH (:N {id: $a})-[:E*..30]->(b:N) RETURN count(DISTINCT b)",
     "WITH RECURSIVE r(id, d) AS (SELECT dst, 1 FROM e WHERE src = ?1 UNION SELECT e.dst, d + 1"
     " FROM r JOIN e ON e.src = r.id WHERE d < 30) SELECT count(DISTINCT id) FROM r",
     ""},
    {"group by city", ALONE, 1, floor_group,
     "MATCH (a:N) RETURN a.city AS c, avg(a.score), count(*) AS n ORDER BY n DESC LIMIT 10",
     "SELECT city, avg(score), count(*) n FROM n GROUP BY city ORDER BY n DESC LIMIT 10", NULL},
    {"filter and top 10", ALONE, 1, floor_top,
     "MATCH (a:N) WHERE a.age > 60 RETURN a.score AS s, a.id AS i ORDER BY s DESC, i LIMIT 10",
     "SELECT score s, id i FROM n WHERE age > 60 ORDER BY s DESC, i LIMIT 10", NULL},
    {"contains", ALONE, 1, NULL, "MATCH (a:N) WHERE a.name CONTAINS '999' RETURN count(*)",
     "SELECT count(*) FROM n WHERE instr(name, '999') > 0", NULL},
    {"degree, top 10", ALONE, 1, floor_degree,
     "MATCH (a:N)-[:E]->(b:N) RETURN count(*) AS n, a.id AS i ORDER BY n DESC, i LIMIT 10",
     "SELECT count(*) n, src i FROM e GROUP BY src ORDER BY n DESC, i LIMIT 10", NULL},
    {"pattern, filters, group", ALONE, 1, floor_pattern,
     "MATCH (a:N)-[e:E]->(b:N) WHERE a.city = 'city007' AND b.age > 60 AND e.w < 50"
     " RETURN b.city AS c, count(*) AS n ORDER BY n DESC, c LIMIT 10",
     "SELECT b.city c, count(*) n FROM n a JOIN e ON e.src = a.id JOIN n b ON b.id = e.dst"
     " WHERE a.city = 'city007' AND b.age > 60 AND e.w < 50 GROUP BY b.city ORDER BY n DESC, c"
     " LIMIT 10",
     NULL},
    {"count of edges", ALONE, 1, floor_edge_count, "MATCH (:N)-[:E]->(:N) RETURN count(*)",
     "SELECT count(*) FROM e", NULL},
    {"count of 2-paths", ALONE, 1, floor_paths, "MATCH (:N)-[:E]->(:N)-[:E]->(:N) RETURN count(*)",
     "SELECT count(*) FROM e a JOIN e b ON b.src = a.dst", NULL},
    {"triangles", ALONE, 1, floor_triangles,
     "MATCH (a:N)-[:E]->(b:N)-[:E]->(c:N), (a)-[:E]->(c) RETURN count(*)", NULL, NULL},
};
enum { ROW_COUNT = sizeof rows / sizeof *rows };

static int64_t keys[2 * KEYS_MAX];
typedef struct Outcome {
    double times[ROUNDS]; /* of one query, microseconds */
    double used[ROUNDS];  /* by all processors; of ours only */
    int64_t sum;
} Outcome;

static void run_floor(const Row *row, int round, Outcome *out)
{
    double from = now_us();
    out->sum = 0;
    for (int i = 0; i < row->count; i++)
        out->sum += row->floor(keys + 2ul * (size_t)i);
    out->times[round] = (now_us() - from) / row->count;
}

/* ---- ContextQL ---- */

static contextql *session;

static double used_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void run_ours(const Row *row, contextql_statement *statement, int round, Outcome *out)
{
    double used = used_us(), from = now_us();
    out->sum = 0;
    for (int i = 0; i < row->count; i++) {
        if (row->keys != ALONE) check(session, contextql_bind_integer(statement, "a", keys[2 * i]));
        if (row->keys == TWO_KEYS)
            check(session, contextql_bind_integer(statement, "b", keys[2 * i + 1]));
        int result = contextql_step(statement), last = contextql_column_count(statement) - 1;
        check(session, result);
        if (result == CONTEXTQL_ROW)
            out->sum += contextql_value_integer(contextql_column(statement, last));
        contextql_reset(statement);
    }
    out->times[round] = (now_us() - from) / row->count;
    out->used[round] = (used_us() - used) / row->count;
}

static double our_load(const char *folder, const char *database)
{
    char text[2 * TEXT_BYTES];
    double from = now_us();
    check(session, contextql_open(database, &(contextql_options){.create = true}, &session));
    snprintf(text, sizeof text, "COPY :N FROM '%s/nodes.csv' USING {key: 'id'}", folder);
    for (int i = 0; i < 2; i++) {
        contextql_statement *copy = prepare(session, text);
        while (contextql_step(copy) == CONTEXTQL_ROW)
            ;
        check(session, contextql_reset(copy));
        contextql_finalize(copy);
        snprintf(text, sizeof text,
                 "COPY [:E] FROM '%s/edges.csv' USING {from: 'N.id', to: 'N.id'}", folder);
    }
    double loaded = now_us() - from;
    contextql_close(session);
    check(NULL, contextql_open(database, &(contextql_options){0}, &session));
    return loaded;
}

/* ---- SQLite ---- */

static bool with_lite = true; /* SQLite needs minutes for some rows of a graph ten times as large */
static sqlite3 *lite;

static void lite_do(const char *sql)
{
    if (sqlite3_exec(lite, sql, NULL, NULL, NULL) != SQLITE_OK) die("%s", sqlite3_errmsg(lite));
}

static sqlite3_stmt *lite_prepare(const char *sql)
{
    sqlite3_stmt *statement;
    if (sqlite3_prepare_v2(lite, sql, -1, &statement, NULL) != SQLITE_OK)
        die("%s: %s", sql, sqlite3_errmsg(lite));
    return statement;
}

/* `kinds` has one letter a column: i, f or t. */
static void lite_rows(const char *folder, const char *name, const char *sql, const char *kinds)
{
    size_t bytes;
    char *text = slurp(folder, name, &bytes);
    sqlite3_stmt *insert = lite_prepare(sql);
    for (char *at = strchr(text, '\n') + 1; *at != '\0';) {
        for (int i = 0; kinds[i] != '\0'; i++) {
            size_t cell = strcspn(at, ",\n");
            if (kinds[i] == 'i') sqlite3_bind_int64(insert, i + 1, strtoll(at, NULL, 10));
            if (kinds[i] == 'f') sqlite3_bind_double(insert, i + 1, strtod(at, NULL));
            if (kinds[i] == 't') sqlite3_bind_text(insert, i + 1, at, (int)cell, SQLITE_STATIC);
            at += cell + 1;
        }
        if (sqlite3_step(insert) != SQLITE_DONE) die("%s", sqlite3_errmsg(lite));
        sqlite3_reset(insert);
    }
    sqlite3_finalize(insert);
    free(text);
}

static double lite_load(const char *folder, const char *file)
{
    double from = now_us();
    if (sqlite3_open(file, &lite) != SQLITE_OK) die("cannot open %s", file);
    lite_do("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA cache_size=-400000;"
            "PRAGMA mmap_size=8000000000;"
            "CREATE TABLE n(id INTEGER PRIMARY KEY, name TEXT, age INT, city TEXT, score REAL,"
            " created INT);"
            "CREATE TABLE e(src INT, dst INT, w INT, PRIMARY KEY(src, dst)) WITHOUT ROWID; BEGIN");
    lite_rows(folder, "nodes.csv", "INSERT INTO n VALUES(?,?,?,?,?,?)", "ititfi");
    lite_rows(folder, "edges.csv", "INSERT INTO e VALUES(?,?,?)", "iii");
    lite_do("COMMIT; ANALYZE");
    return now_us() - from;
}

static void run_lite(const Row *row, sqlite3_stmt *statement, int round, Outcome *out)
{
    double from = now_us();
    out->sum = 0;
    for (int i = 0; i < row->count; i++) {
        if (row->keys != ALONE) sqlite3_bind_int64(statement, 1, keys[2 * i]);
        if (row->keys == TWO_KEYS) sqlite3_bind_int64(statement, 2, keys[2 * i + 1]);
        if (sqlite3_step(statement) == SQLITE_ROW)
            out->sum += sqlite3_column_int64(statement, sqlite3_column_count(statement) - 1);
        sqlite3_reset(statement);
    }
    out->times[round] = (now_us() - from) / row->count;
}

/* ---- figures ---- */

/* All of a run, in a file that bench/graph-peers and the processes of tell_peak add to: what, who, how
 * much. Microseconds, but of memory, which is in MB. */
static char figures_file[TEXT_BYTES];
static const char us_own[] = "ContextQL", by_hand[] = "by hand", peak_memory[] = "peak memory";

typedef struct Figure {
    char what[64], who[32];
    double value;
} Figure;
enum { FIGURES_MAX = 256 };

static void note_figure(const char *what, const char *who, double value)
{
    FILE *file = fopen(figures_file, "a");
    if (file == NULL) die("cannot write %s", figures_file);
    fprintf(file, "%s\t%s\t%f\n", what, who, value);
    fclose(file);
}

static size_t read_figures(Figure *out)
{
    FILE *file = fopen(figures_file, "r");
    size_t count = 0;
    if (file == NULL) die("cannot read %s", figures_file);
    while (count < FIGURES_MAX && fscanf(file, "%63[^\t]\t%31[^\t]\t%lf\n", out[count].what,
                                         out[count].who, &out[count].value) == 3)
        count++;
    fclose(file);
    return count;
}

static void print_value(const char *what, double value)
{
    if (strcmp(what, peak_memory) == 0)
        printf("%.0f MB", value);
    else if (value >= 1000)
        printf(value >= 100e3 ? "%.0f ms" : "%.2f ms", value / 1000);
    else
        printf(value >= 10 ? "%.0f us" : value >= 0.1 ? "%.2f us" : "%.3f us", value);
}

static void print_ratio(const char *who, double ratio)
{
    printf(ratio < 10 ? "%s%s | %.1f" : "%s%s | %.0f", who[0] == '\0' ? "" : " ", who, ratio);
}

/* A row of the table: ours, the best of the others, the floor, and what they are of one another. */
static void print_row(const Figure *figures, size_t count, const char *what)
{
    const Figure *ours = NULL, *floor = NULL, *best = NULL;
    for (const Figure *one = figures; one < figures + count; one++) {
        if (strcmp(one->what, what) != 0) continue;
        if (strcmp(one->who, us_own) == 0)
            ours = one;
        else if (strcmp(one->who, by_hand) == 0)
            floor = one;
        else if (best == NULL || one->value < best->value)
            best = one;
    }
    if (ours == NULL) return;
    printf("| %s | ", what);
    print_value(what, ours->value);
    printf(" | ");
    if (best != NULL) print_value(what, best->value);
    if (best != NULL) print_ratio(best->who, best->value / ours->value);
    if (best == NULL) printf(" |");
    printf(" | ");
    if (floor != NULL) print_value(what, floor->value);
    if (floor != NULL) print_ratio("", ours->value / floor->value);
    printf(floor != NULL ? " |\n" : " | |\n");
}

static void print_table(void)
{
    static Figure figures[FIGURES_MAX];
    size_t count = read_figures(figures);
    printf("\n| row | ContextQL | best of the others | times as fast | by hand | x floor |\n"
           "|---|---|---|---|---|---|\n");
    for (size_t i = 0; i < count; i++)
        if (strcmp(figures[i].who, us_own) == 0) print_row(figures, count, figures[i].what);
}

/* ---- all of it ---- */

static void print_time(double us)
{
    if (us >= 1000)
        printf(" %10.2f ms", us / 1000);
    else
        printf(" %10.3f us", us);
}

static FILE *for_peers; /* NULL: nobody asked for them */

/* As bench/graph-peers reads it. */
static void tell_peers(const Row *row, double us, int64_t answer)
{
    if (for_peers == NULL) return;
    fprintf(for_peers, "%s\t%d\t%d\t%f\t%lld\t%s\t%s\n", row->name, (int)row->keys, row->count, us,
            (long long)answer, row->kuzu != NULL ? row->kuzu : row->ours,
            row->sql != NULL ? row->sql : "");
}

static double best(const double *times, int rounds)
{
    double least = times[0];
    for (int i = 1; i < rounds; i++)
        if (times[i] < least) least = times[i];
    return least;
}

static void measure(const Row *row)
{
    Outcome hand = {0}, ours = {0}, theirs = {0};
    contextql_statement *mine = prepare(session, row->ours);
    sqlite3_stmt *other = row->sql == NULL || !with_lite ? NULL : lite_prepare(row->sql);
    double spent = 0; /* of SQLite */
    int rounds = 0;
    for (double from = now_us(); rounds < ROUNDS && (rounds == 0 || now_us() - from - spent < 4e6);
         rounds++) {
        if (row->floor != NULL) run_floor(row, rounds, &hand);
        run_ours(row, mine, rounds, &ours);
        bool slow = rounds > 0 && spent > 1e6; /* once is enough then */
        if (other != NULL && !slow) run_lite(row, other, rounds, &theirs);
        if (slow)
            theirs.times[rounds] = theirs.times[0];
        else
            spent += theirs.times[rounds] * row->count;
    }
    if (row->floor != NULL && hand.sum != ours.sum)
        die("%s: %lld here and %lld by hand", row->name, (long long)ours.sum, (long long)hand.sum);
    if (other != NULL && theirs.sum != ours.sum)
        die("%s: %lld here and %lld in SQLite", row->name, (long long)ours.sum,
            (long long)theirs.sum);
    double floor_us = best(hand.times, rounds), our_us = best(ours.times, rounds),
           their_us = best(theirs.times, rounds);
    tell_peers(row, our_us, ours.sum);
    note_figure(row->name, us_own, our_us);
    if (row->floor != NULL) note_figure(row->name, by_hand, floor_us);
    if (other != NULL) note_figure(row->name, "SQLite", their_us);
    printf("%-26s", row->name);
    print_time(our_us);
    print_time(best(ours.used, rounds));
    if (row->floor != NULL) {
        print_time(floor_us);
        printf(" %8.1f", our_us / floor_us);
    } else {
        printf(" %13s %8s", "-", "-");
    }
    if (other != NULL) {
        print_time(their_us);
        printf(" %8.1f", their_us / our_us);
    } else {
        printf(" %13s %8s", "-", "-");
    }
    printf("  %lld\n", (long long)ours.sum);
    fflush(stdout);
    contextql_finalize(mine);
    sqlite3_finalize(other);
}

static void make_keys(void)
{
    uint64_t state = 7;
    for (size_t i = 0; i < 2 * KEYS_MAX; i++) {
        state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        keys[i] = (int64_t)((state >> 33) % node_count);
    }
}

/* ---- memory ---- */

/* The most memory that loading and every row once take, in a process that does nothing else. */
static int tell_peak(const char *who, const char *folder, const char *scratch)
{
    char file[TEXT_BYTES];
    struct rusage used;
    Outcome out = {0};
    bool ours = strcmp(who, "ContextQL") == 0;
    snprintf(file, sizeof file, "%s/peak-%s", scratch, who);
    if (ours)
        our_load(folder, file);
    else
        lite_load(folder, file);
    for (size_t i = 0; i < ROW_COUNT; i++) {
        if (!ours && rows[i].sql == NULL) continue;
        contextql_statement *mine = ours ? prepare(session, rows[i].ours) : NULL;
        sqlite3_stmt *other = ours ? NULL : lite_prepare(rows[i].sql);
        if (ours)
            run_ours(&rows[i], mine, 0, &out);
        else
            run_lite(&rows[i], other, 0, &out);
        contextql_finalize(mine);
        sqlite3_finalize(other);
    }
    getrusage(RUSAGE_SELF, &used);
    note_figure(peak_memory, who, (double)used.ru_maxrss / 1e3);
    printf("%-26s %10.1f MB at the most, for the load and each row once\n", who,
           (double)used.ru_maxrss / 1e3);
    return 0;
}

static void ask_peaks(const char *folder, const char *scratch)
{
    static const char *const who[] = {"ContextQL", "SQLite"};
    char command[4 * TEXT_BYTES], own[TEXT_BYTES];
    ssize_t bytes = readlink("/proc/self/exe", own, sizeof own - 1);
    if (bytes < 0) die("cannot tell which program this is");
    own[bytes] = '\0';
    printf("\n");
    fflush(stdout);
    for (int i = 0; i < (with_lite ? 2 : 1); i++) {
        snprintf(command, sizeof command, "'%s' '%s' --peak %s '%s' %u", own, folder, who[i],
                 scratch, node_count);
        if (system(command) != 0) die("the memory of %s is not known", who[i]);
    }
}

/* What needs its own compiler is not here where that does not take it. */
static void ask_graphblas(const char *sources, const char *folder, const char *scratch)
{
    char command[4 * TEXT_BYTES];
    const char *compiler = getenv("CC");
    snprintf(
        command, sizeof command,
        "%s -O3 -march=native '%s/bench/graph_blas.c' -o '%s/graph_blas' -lgraphblas 2>/dev/null",
        compiler != NULL ? compiler : "cc", sources, scratch);
    if (system(command) != 0) {
        puts("\nGraphBLAS: skipped: libgraphblas-dev is not here");
        return;
    }
    snprintf(command, sizeof command, "'%s/graph_blas' '%s' '%s/rows' '%s'", scratch, folder,
             scratch, scratch);
    if (system(command) != 0) die("GraphBLAS failed, or gave another answer");
}

static void ask_peers(const char *folder, const char *scratch)
{
    static const char *const peers[] = {"kuzu", "duckdb"};
    char command[4 * TEXT_BYTES];
    const char *sources = getenv("SRCDIR") != NULL ? getenv("SRCDIR") : ".";
    fputs("keys\n", for_peers);
    for (size_t i = 0; i < 2 * KEYS_MAX; i++)
        fprintf(for_peers, "%lld\n", (long long)keys[i]);
    fclose(for_peers);
    fflush(stdout);
    for (int i = 0; i < 2; i++) {
        snprintf(command, sizeof command, "'%s/bench/graph-peers' '%s' '%s/rows' '%s' %s", sources,
                 folder, scratch, scratch, peers[i]);
        if (system(command) != 0) die("%s failed, or gave another answer", peers[i]);
    }
    ask_graphblas(sources, folder, scratch);
}

/* `given`: the folder, or an archive of one, which is unpacked. NULL: it is not there. */
static const char *unpacked(const char *given, const char *scratch)
{
    static char folder[TEXT_BYTES];
    char command[2 * TEXT_BYTES];
    struct stat status;
    if (stat(given, &status) != 0) return NULL;
    if (S_ISDIR(status.st_mode)) return given;
    snprintf(command, sizeof command,
             "mkdir '%s/data' && tar xf '%s' -C '%s/data' --strip-components 1", scratch, given,
             scratch);
    if (system(command) != 0) die("cannot unpack %s", given);
    snprintf(folder, sizeof folder, "%s/data", scratch);
    return folder;
}

static void load_all(const char *folder, const char *scratch)
{
    char file[TEXT_BYTES];
    double from = now_us();
    floor_nodes(folder);
    floor_edges(folder);
    double floor = now_us() - from;
    printf("%u nodes, %u edges\n%-26s %13s %13s %13s %8s %13s %8s  %s\n", node_count, edge_count,
           "", "ContextQL", "processors", "by hand", "x floor", "SQLite", "x faster", "answer");
    snprintf(file, sizeof file, "%s/ours.cqldb", scratch);
    double ours = our_load(folder, file);
    snprintf(file, sizeof file, "%s/lite.db", scratch);
    double theirs = with_lite ? lite_load(folder, file) : 0;
    printf("%-26s", "load, durable");
    print_time(ours);
    printf(" %13s", "");
    print_time(floor);
    printf(" %8.1f", ours / floor);
    note_figure("load, durable", us_own, ours);
    note_figure("load, durable", by_hand, floor);
    if (with_lite) note_figure("load, durable", "SQLite", theirs);
    if (with_lite) print_time(theirs);
    if (with_lite) printf(" %8.1f", theirs / ours);
    printf("\n");
}

int main(int argc, char **argv)
{
    char scratch[] = "/tmp/bench-graph-XXXXXX", command[64];
    if (argc == 6 && strcmp(argv[2], "--peak") == 0) {
        node_count = (uint32_t)strtoul(argv[5], NULL, 10);
        make_keys();
        snprintf(figures_file, sizeof figures_file, "%s/figures", argv[4]);
        return tell_peak(argv[3], argv[1], argv[4]);
    }
    if (mkdtemp(scratch) == NULL) die("cannot make a folder under /tmp");
    const char *folder = argc > 1 ? unpacked(argv[1], scratch) : NULL;
    if (folder == NULL) {
        puts("bench/graph: skipped: no data. Give a folder with nodes.csv and edges.csv, or an"
             " archive of one: make bench-graph GRAPH=..");
    } else {
        char rows_file[TEXT_BYTES];
        snprintf(rows_file, sizeof rows_file, "%s/rows", scratch);
        snprintf(figures_file, sizeof figures_file, "%s/figures", scratch);
        for (int i = 2; i < argc; i++) {
            if (strcmp(argv[i], "--peers") == 0) for_peers = fopen(rows_file, "w");
            if (strcmp(argv[i], "--alone") == 0) with_lite = false;
        }
        load_all(folder, scratch);
        make_keys();
        for (size_t i = 0; i < ROW_COUNT; i++)
            measure(&rows[i]);
        ask_peaks(folder, scratch);
        if (for_peers != NULL) ask_peers(folder, scratch);
        print_table();
        contextql_close(session);
        sqlite3_close(lite);
    }
    snprintf(command, sizeof command, "rm -rf '%s'", scratch);
    return system(command) != 0;
}
