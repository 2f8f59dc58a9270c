/*
 * wordnet.c - ContextQL beside SQLite on the same data: loading, expand and aggregate, keyed
 * queries, and how soon the program answers.
 *
 * WordNet is unpacked into a folder beside the bench. Loading is the real program running
 * examples/wordnet/load.cql into a fresh directory, process start, commit and clean close included,
 * against SQLite's C API: prepared statements, one transaction, WAL and FULL, indexes built after,
 * vectors as blobs, closed at the end. SQLite gets its rows from a splitter that works in place over
 * the file in memory, so parsing costs it next to nothing. Both then hold the same counts and sums,
 * or the bench fails. Queries are prepared on both sides, and their answers compared. Rounds are
 * interleaved; medians are printed, ratios are of one run.
 *
 *     bench/wordnet [rounds]      CONTEXTQL: the program, SRCDIR: the sources
 */
#include "config.h"

#include "base/map.h"
#include "base/str.h"
#include "bench/measure.h"
#include "bench/session.h"
#include "contextql.h"
#include <fcntl.h>
#include <spawn.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { ROUNDS_MAX = 101, STARTS = 31, KEYS = 2000, DIMENSIONS = 48, PATH_BYTES = 4096 };

static char folder[PATH_BYTES], program[PATH_BYTES], script[PATH_BYTES];
static size_t rounds = 5;
static int failures;

static double milliseconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

static void die(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("bench/wordnet: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    exit(1);
}

/* Processor time of this process, or of those it ran. */
static double processor_ms(int who)
{
    struct rusage usage;
    getrusage(who, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e3 +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1e-3;
}

static void judge(bool good)
{
    puts(good ? "  pass" : "  FALLS SHORT");
    failures += !good;
}

static void claim_ratio(const char *what, const char *unit, double ours, double theirs,
                        double target)
{
    printf("%-52s %8.2f %s, SQLite %8.2f %s: %6.1f times (target %.0f)", what, ours, unit, theirs,
           unit, theirs / ours, target);
    judge(theirs >= ours * target);
}

static void claim_time(const char *what, double ours, double target)
{
    printf("%-52s %8.2f ms (target %.0f ms)", what, ours, target);
    judge(ours <= target);
}

/* ---- processes ---- */

static void shell(const char *format, ...)
{
    char command[3 * PATH_BYTES];
    va_list args;
    va_start(args, format);
    int bytes = vsnprintf(command, sizeof command, format, args);
    va_end(args);
    if (bytes < 0 || (size_t)bytes >= sizeof command || system(command) != 0)
        die("failed: %s", command);
}

/* Runs the program without input and output; milliseconds from the call to its end. */
static double run_program(const char *const *args)
{
    extern char **environ;
    posix_spawn_file_actions_t actions;
    pid_t child;
    int status = 0;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
    double from = milliseconds();
    if (posix_spawn(&child, program, &actions, NULL, (char *const *)args, environ) != 0 ||
        waitpid(child, &status, 0) != child)
        die("cannot run %s", program);
    double took = milliseconds() - from;
    posix_spawn_file_actions_destroy(&actions);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        die("%s %s: exit status %d", program, args[1], WEXITSTATUS(status));
    return took;
}

/* ---- rows for SQLite ---- */

typedef struct Rows { /* a csv file in memory, split in place */
    char *data, *at, *end;
} Rows;

static Rows read_file(const char *name)
{
    char path[2 * PATH_BYTES];
    struct stat status;
    snprintf(path, sizeof path, "%s/wordnet/%s", folder, name);
    int file = open(path, O_RDONLY);
    if (file < 0 || fstat(file, &status) != 0) die("cannot read %s", path);
    char *data = malloc((size_t)status.st_size + 1);
    size_t bytes = 0;
    for (ssize_t got; (got = read(file, data + bytes, (size_t)status.st_size - bytes)) > 0;)
        bytes += (size_t)got;
    close(file);
    data[bytes] = '\n';
    return (Rows){data, data, data + bytes};
}

/* The cell at hand; `at` goes behind it and its separator. Two quotes within quotes become one. */
static Str next_cell(Rows *rows)
{
    char *begin = rows->at, *to;
    if (*begin != '"') {
        char *at = begin;
        while (*at != ',' && *at != '\n')
            at++;
        rows->at = at + 1;
        return (Str){begin, (size_t)(at - begin)};
    }
    char *from = to = ++begin;
    for (;;) {
        char *quote = memchr(from, '"', (size_t)(rows->end - from));
        if (quote == NULL) die("a quoted cell has no end");
        if (to != from) memmove(to, from, (size_t)(quote - from));
        to += quote - from;
        if (quote[1] != '"') {
            rows->at = quote + 2;
            return (Str){begin, (size_t)(to - begin)};
        }
        *to++ = '"';
        from = quote + 2;
    }
}

static bool begin_rows(Rows *rows, const char *name)
{
    *rows = read_file(name);
    rows->at = memchr(rows->at, '\n', (size_t)(rows->end - rows->at) + 1);
    return rows->at++ != NULL;
}

static int64_t cell_integer(Str cell)
{
    int64_t number = 0;
    for (size_t i = 0; i < cell.bytes; i++)
        number = number * 10 + (cell.data[i] - '0');
    return number;
}

/* ---- SQLite ---- */

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

static void lite_open(void)
{
    char path[PATH_BYTES + 16];
    snprintf(path, sizeof path, "%s/lite.db", folder);
    if (sqlite3_open(path, &lite) != SQLITE_OK) die("cannot open %s", path);
    lite_do("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA cache_size=-400000");
}

static void lite_insert(sqlite3_stmt *statement)
{
    if (sqlite3_step(statement) != SQLITE_DONE) die("%s", sqlite3_errmsg(lite));
    sqlite3_reset(statement);
}

static void bind_text(sqlite3_stmt *statement, int parameter, Str text)
{
    sqlite3_bind_text(statement, parameter, text.data, (int)text.bytes, SQLITE_STATIC);
}

static void lite_synsets(void)
{
    Rows rows, matrix = read_file("synset_lsa48.npy");
    sqlite3_stmt *insert = lite_prepare("INSERT INTO synset VALUES (?,?,?,?,?,?,?)");
    const int8_t *codes =
        (const int8_t *)matrix.data + 10 + (uint8_t)matrix.data[8] + 256 * (uint8_t)matrix.data[9];
    begin_rows(&rows, "synset.csv");
    while (rows.at < rows.end) {
        float vector[DIMENSIONS];
        sqlite3_bind_int64(insert, 1, cell_integer(next_cell(&rows)));
        for (int i = 2; i <= 6; i++)
            bind_text(insert, i, next_cell(&rows));
        for (int i = 0; i < DIMENSIONS; i++)
            vector[i] = (float)*codes++;
        sqlite3_bind_blob(insert, 7, vector, sizeof vector, SQLITE_STATIC);
        lite_insert(insert);
    }
    sqlite3_finalize(insert);
    free(rows.data);
    free(matrix.data);
}

/* Rows of integers and text: `kinds` has one letter a column, i or t. */
static void lite_rows(const char *name, const char *sql, const char *kinds)
{
    Rows rows;
    sqlite3_stmt *insert = lite_prepare(sql);
    begin_rows(&rows, name);
    while (rows.at < rows.end) {
        for (int i = 0; kinds[i] != '\0'; i++) {
            Str cell = next_cell(&rows);
            if (kinds[i] == 'i')
                sqlite3_bind_int64(insert, i + 1, cell_integer(cell));
            else
                bind_text(insert, i + 1, cell);
        }
        lite_insert(insert);
    }
    sqlite3_finalize(insert);
    free(rows.data);
}

/* Indexes as the graph has them: by key, and both directions of both kinds of edges. */
static double lite_load(void)
{
    shell("rm -f '%s'/lite.db*", folder);
    double from = milliseconds();
    lite_open();
    lite_do("CREATE TABLE synset(id INTEGER PRIMARY KEY, pos TEXT, domain TEXT, lemma TEXT,"
            " gloss TEXT, example TEXT, lsa BLOB);"
            "CREATE TABLE word(id INTEGER PRIMARY KEY, lemma TEXT);"
            "CREATE TABLE sense(word INTEGER, synset INTEGER, rank INTEGER);"
            "CREATE TABLE rel(src INTEGER, type TEXT, dst INTEGER); BEGIN");
    lite_synsets();
    lite_rows("word.csv", "INSERT INTO word VALUES (?,?)", "it");
    lite_rows("sense.csv", "INSERT INTO sense VALUES (?,?,?)", "iii");
    lite_rows("rel.csv", "INSERT INTO rel VALUES (?,?,?)", "iti");
    lite_do("CREATE INDEX word_lemma ON word(lemma);"
            "CREATE INDEX sense_word ON sense(word, synset);"
            "CREATE INDEX sense_synset ON sense(synset, word);"
            "CREATE INDEX rel_src ON rel(src, type, dst);"
            "CREATE INDEX rel_dst ON rel(dst, type, src); COMMIT");
    sqlite3_close(lite);
    return milliseconds() - from;
}

/* ---- ContextQL ---- */

static contextql *session;

static double our_load(void)
{
    char database[PATH_BYTES + 16];
    shell("rm -rf '%s/ours.cqldb'", folder);
    snprintf(database, sizeof database, "%s/ours.cqldb", folder);
    return run_program((const char *const[]){program, "-q", database, script, NULL});
}

/* ---- answers ---- */

/* Rows are compared without their order: each is hashed, hashes are added up. */
typedef struct Answer {
    uint64_t rows, sum;
} Answer;

static uint64_t hash_cell(uint64_t hash, bool text, Str string, double number)
{
    uint64_t bits;
    memcpy(&bits, &number, sizeof bits);
    return hash_u64(hash * 31 + (text ? hash_bytes(string.data, string.bytes, 0) : bits));
}

static Answer our_answer(contextql_statement *statement)
{
    Answer answer = {0};
    int result, columns = contextql_column_count(statement);
    while ((result = contextql_step(statement)) == CONTEXTQL_ROW) {
        uint64_t hash = 0;
        for (int i = 0; i < columns; i++) {
            const contextql_value *value = contextql_column(statement, i);
            bool text = contextql_value_type(value) == CONTEXTQL_STRING;
            contextql_text string = text ? contextql_value_string(value) : (contextql_text){"", 0};
            hash = hash_cell(hash, text, (Str){string.data, string.size},
                             text ? 0 : contextql_value_float(value));
        }
        answer.rows++;
        answer.sum += hash;
    }
    check(session, result);
    contextql_reset(statement);
    return answer;
}

static Answer lite_answer(sqlite3_stmt *statement)
{
    Answer answer = {0};
    int result, columns = sqlite3_column_count(statement);
    while ((result = sqlite3_step(statement)) == SQLITE_ROW) {
        uint64_t hash = 0;
        for (int i = 0; i < columns; i++) {
            bool text = sqlite3_column_type(statement, i) == SQLITE_TEXT;
            Str string = {"", 0};
            if (text)
                string = (Str){(const char *)sqlite3_column_text(statement, i),
                               (size_t)sqlite3_column_bytes(statement, i)};
            hash = hash_cell(hash, text, string, text ? 0 : sqlite3_column_double(statement, i));
        }
        answer.rows++;
        answer.sum += hash;
    }
    if (result != SQLITE_DONE) die("%s", sqlite3_errmsg(lite));
    sqlite3_reset(statement);
    return answer;
}

static void compare(const char *what, Answer ours, Answer theirs)
{
    if (ours.rows != theirs.rows || ours.sum != theirs.sum)
        die("%s: %llu rows here and %llu in SQLite, or they differ", what,
            (unsigned long long)ours.rows, (unsigned long long)theirs.rows);
}

static void verify(const char *what, const char *text, const char *sql)
{
    contextql_statement *ours = prepare(session, text);
    sqlite3_stmt *theirs = lite_prepare(sql);
    compare(what, our_answer(ours), lite_answer(theirs));
    contextql_finalize(ours);
    sqlite3_finalize(theirs);
}

static uint64_t hash_vector(uint64_t id, const float *vector)
{
    return hash_u64(id * 31 + hash_bytes(vector, DIMENSIONS * sizeof *vector, 0));
}

static void verify_vectors(void)
{
    uint64_t ours = 0, theirs = 0;
    contextql_statement *here = prepare(session, "MATCH (s:Synset) RETURN s.id, s.lsa");
    sqlite3_stmt *there = lite_prepare("SELECT id, lsa FROM synset");
    while (contextql_step(here) == CONTEXTQL_ROW) {
        size_t dimensions;
        const float *vector = contextql_value_vector(contextql_column(here, 1), &dimensions);
        if (vector == NULL || dimensions != DIMENSIONS) die("a vector is not there");
        ours += hash_vector((uint64_t)contextql_value_integer(contextql_column(here, 0)), vector);
    }
    while (sqlite3_step(there) == SQLITE_ROW)
        theirs +=
            hash_vector((uint64_t)sqlite3_column_int64(there, 0), sqlite3_column_blob(there, 1));
    contextql_finalize(here);
    sqlite3_finalize(there);
    if (ours != theirs) die("the vectors differ");
}

static void verify_all(void)
{
    verify("synsets", "MATCH (s:Synset) RETURN s.id, s.pos, s.domain, s.lemma, s.gloss, s.example",
           "SELECT id, pos, domain, lemma, gloss, example FROM synset");
    verify("words", "MATCH (w:Word) RETURN w.id, w.lemma", "SELECT id, lemma FROM word");
    verify("senses", "MATCH (w:Word)-[e:SENSE]->(s:Synset) RETURN w.id, s.id, e.rank",
           "SELECT word, synset, rank FROM sense");
    verify("relations", "MATCH (a:Synset)-[r]->(b:Synset) RETURN a.id, type(r), b.id",
           "SELECT src, type, dst FROM rel");
    verify_vectors();
}

/* ---- whole-graph queries ---- */

static double time_ours(contextql_statement *statement, Answer *answer)
{
    double from = milliseconds();
    *answer = our_answer(statement);
    return milliseconds() - from;
}

static double time_theirs(sqlite3_stmt *statement, Answer *answer)
{
    double from = milliseconds();
    *answer = lite_answer(statement);
    return milliseconds() - from;
}

static void aggregate(const char *what, const char *text, const char *sql, double target)
{
    double ours[ROUNDS_MAX], theirs[ROUNDS_MAX];
    contextql_statement *here = prepare(session, text);
    sqlite3_stmt *there = lite_prepare(sql);
    for (size_t i = 0; i <= rounds; i++) { /* the first warms up */
        Answer a, b;
        double there_ms = time_theirs(there, &b), here_ms = time_ours(here, &a);
        compare(what, a, b);
        if (i == 0) continue;
        ours[i - 1] = here_ms;
        theirs[i - 1] = there_ms;
    }
    contextql_finalize(here);
    sqlite3_finalize(there);
    claim_ratio(what, "ms", median(ours, rounds), median(theirs, rounds), target);
}

/* SQLite has an index for each of them. A foreign key would not let it leave out the joins; a
 * person might, which is the second. */
static void aggregates(void)
{
    lite_do("CREATE INDEX rel_type ON rel(type); ANALYZE");
    aggregate("expand all, count by type",
              "MATCH (a:Synset)-[r]->(b:Synset) RETURN type(r), count(*)",
              "SELECT r.type, count(*) FROM synset a JOIN rel r ON r.src = a.id"
              " JOIN synset b ON b.id = r.dst GROUP BY r.type",
              3);
    aggregate("  the same, SQLite from its index on type alone",
              "MATCH (a:Synset)-[r]->(b:Synset) RETURN type(r), count(*)",
              "SELECT type, count(*) FROM rel GROUP BY type", 1);
    aggregate("expand all, count and sum by properties of both ends",
              "MATCH (a:Synset)-[r]->(b:Synset)"
              " RETURN a.domain, b.pos, count(*), sum(b.id)",
              "SELECT a.domain, b.pos, count(*), sum(b.id) FROM synset a JOIN rel r ON r.src = a.id"
              " JOIN synset b ON b.id = r.dst GROUP BY a.domain, b.pos",
              3);
}

/* ---- keyed queries ---- */

static void collect_words(char words[KEYS][64])
{
    sqlite3_stmt *all =
        lite_prepare("SELECT lemma FROM word WHERE length(lemma) < 15 ORDER BY id * 7919 % 148730");
    for (size_t i = 0; i < KEYS && sqlite3_step(all) == SQLITE_ROW; i++)
        snprintf(words[i], sizeof words[i], "%s", (const char *)sqlite3_column_text(all, 0));
    sqlite3_finalize(all);
}

static double keyed_ours(contextql_statement *statement, char words[KEYS][64], uint64_t *sum)
{
    double from = milliseconds();
    *sum = 0;
    for (size_t i = 0; i < KEYS; i++) {
        contextql_bind_string(statement, "lemma", words[i], strlen(words[i]));
        while (contextql_step(statement) == CONTEXTQL_ROW)
            *sum += (uint64_t)contextql_value_integer(contextql_column(statement, 0)) * (i + 1);
        contextql_reset(statement);
    }
    return (milliseconds() - from) * 1e3 / KEYS;
}

static double keyed_theirs(sqlite3_stmt *statement, char words[KEYS][64], uint64_t *sum)
{
    double from = milliseconds();
    *sum = 0;
    for (size_t i = 0; i < KEYS; i++) {
        sqlite3_bind_text(statement, 1, words[i], (int)strlen(words[i]), SQLITE_STATIC);
        while (sqlite3_step(statement) == SQLITE_ROW)
            *sum += (uint64_t)sqlite3_column_int64(statement, 0) * (i + 1);
        sqlite3_reset(statement);
    }
    return (milliseconds() - from) * 1e3 / KEYS;
}

static void keyed(const char *what, const char *text, const char *sql, char words[KEYS][64])
{
    double ours[ROUNDS_MAX], theirs[ROUNDS_MAX];
    contextql_statement *here = prepare(session, text);
    sqlite3_stmt *there = lite_prepare(sql);
    for (size_t i = 0; i <= rounds; i++) {
        uint64_t a, b;
        double there_us = keyed_theirs(there, words, &b), here_us = keyed_ours(here, words, &a);
        if (a != b) die("%s: the answers differ", what);
        if (i == 0) continue;
        ours[i - 1] = here_us;
        theirs[i - 1] = there_us;
    }
    contextql_finalize(here);
    sqlite3_finalize(there);
    claim_ratio(what, "us", median(ours, rounds), median(theirs, rounds), 1);
}

static void keyed_all(void)
{
    static char words[KEYS][64];
    collect_words(words);
    keyed("a word by its lemma", "MATCH (w:Word {lemma: $lemma}) RETURN w.id",
          "SELECT id FROM word WHERE lemma = ?", words);
    keyed("  and one hop", "MATCH (w:Word {lemma: $lemma})-[:SENSE]->(s) RETURN s.id",
          "SELECT e.synset FROM word w JOIN sense e ON e.word = w.id WHERE w.lemma = ?", words);
    keyed("  and two", "MATCH (w:Word {lemma: $lemma})-[:SENSE]->(s)-[:HYPERNYM]->(h) RETURN h.id",
          "SELECT r.dst FROM word w JOIN sense e ON e.word = w.id JOIN rel r"
          " ON r.src = e.synset AND r.type = 'HYPERNYM' WHERE w.lemma = ?",
          words);
}

/* ---- how soon ---- */

static void starts(void)
{
    double times[STARTS];
    char database[PATH_BYTES + 16];
    snprintf(database, sizeof database, "%s/ours.cqldb", folder);
    const struct {
        const char *what, *args[6];
        double target;
    } cases[] = {
        {"contextql --version", {program, "--version"}, 10},
        {"an empty session", {program, ":memory:"}, 10},
        {"one statement without a database", {program, ":memory:", "-c", "RETURN 1"}, 10},
        {"the demo database, a keyed query, and out",
         {program, database, "-c",
          "MATCH (:Word {lemma: 'dog'})-[:SENSE]->(s) RETURN s.gloss LIMIT 1"},
         30},
    };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        for (size_t i = 0; i < STARTS; i++)
            times[i] = run_program(cases[c].args);
        claim_time(cases[c].what, median(times, STARTS), cases[c].target);
    }
}

/* ---- all of it ---- */

/* Wall time is the claim; processor time beside it says what a machine that is busy hides. */
static void loads(void)
{
    enum { EDGES_AND_NODES = 708769 };
    double ours[ROUNDS_MAX], theirs[ROUNDS_MAX], our_cpu[ROUNDS_MAX], their_cpu[ROUNDS_MAX];
    for (size_t i = 0; i < rounds; i++) {
        sync(); /* what the other one left to be written is not this one's */
        double self = processor_ms(RUSAGE_SELF);
        theirs[i] = lite_load();
        their_cpu[i] = processor_ms(RUSAGE_SELF) - self;
        sync();
        double children = processor_ms(RUSAGE_CHILDREN);
        ours[i] = our_load();
        our_cpu[i] = processor_ms(RUSAGE_CHILDREN) - children;
    }
    double here = median(ours, rounds), there = median(theirs, rounds);
    claim_ratio("loading WordNet, committed, closed", "ms", here, there, 5);
    printf(
        "  %.0f nodes and edges a second; fastest %.0f ms, SQLite %.0f ms; processor time %.0f ms,"
        " SQLite %.0f ms\n",
        EDGES_AND_NODES / here * 1e3, ours[0], theirs[0], median(our_cpu, rounds),
        median(their_cpu, rounds));
}

static const char *environment(const char *name, const char *fallback)
{
    const char *value = getenv(name);
    return value == NULL ? fallback : value;
}

static void set_up(const char *sources)
{
    char sources_path[PATH_BYTES];
    snprintf(folder, sizeof folder, "%s", "bench/wordnet.XXXXXX");
    if (realpath(sources, sources_path) == NULL || mkdtemp(folder) == NULL)
        die("no folder can be made in bench/");
    if (realpath(environment("CONTEXTQL", "src/contextql"), program) == NULL)
        die("where is contextql?");
    shell("tar -C %s -xf '%s/examples/wordnet/wordnet.tar.xz'", folder, sources_path);
    shell("cp '%s/examples/wordnet/load.cql' %s", sources_path, folder);
    if (chdir(folder) != 0 || getcwd(folder, sizeof folder) == NULL) die("cannot enter %s", folder);
    snprintf(script, sizeof script, "%s", "load.cql");
}

static void open_both(void)
{
    char database[PATH_BYTES + 16];
    snprintf(database, sizeof database, "%s/ours.cqldb", folder);
    if (contextql_open(database, NULL, &session) != CONTEXTQL_OK) check(session, CONTEXTQL_IO);
    lite_open();
}

int main(int argc, char **argv)
{
    if (argc > 1) rounds = strtoul(argv[1], NULL, 10);
    if (rounds < 1 || rounds > ROUNDS_MAX) die("1 to %d rounds", ROUNDS_MAX);
    set_up(environment("SRCDIR", "."));
    loads();
    open_both();
    verify_all();
    puts("both hold the same rows, relations and vectors");
    aggregates();
    keyed_all();
    contextql_close(session);
    sqlite3_close(lite);
    starts();
    shell("rm -rf '%s'", folder);
    if (failures > 0) printf("%d fall short\n", failures);
    return 0;
}
