/*
 * isolation.c - readers beside a writer see one version, whole, and what they were lent stays.
 *
 * A writer gives every node the same number, text and vector in one commit after another; readers
 * in other threads must find all nodes alike, whichever commit they see, by every way of reading.
 */
#include "config.h"

#include "contextql.h"
#include "database/database.h"
#include "test.h"
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

enum { NODES = 300, COMMITS = 400, READERS = 2, DIMENSIONS = 40 };

typedef struct Shared {
    Database *database;
    uint32_t keys[4]; /* number, text, vector, mixed kinds */
    uint64_t nodes[NODES];
    atomic_bool ended;
} Shared;

static Value vector_of(int64_t number, float *components)
{
    for (int i = 0; i < DIMENSIONS; i++)
        components[i] = (float)number;
    return value_vector(components, DIMENSIONS);
}

static bool commit_number(Shared *shared, int64_t number)
{
    Transaction *transaction;
    GraphWriter *writer;
    char text[32];
    float components[DIMENSIONS];
    if (transaction_begin(shared->database, &transaction) != NULL ||
        transaction_writer(transaction, NULL, NULL, &writer) != NULL)
        return false;
    snprintf(text, sizeof text, "number %lld", (long long)number);
    Value values[] = {value_integer(number), value_string(str_from(text)),
                      vector_of(number, components),
                      number % 2 ? value_integer(number) : value_string(str_from(text))};
    for (int i = 0; i < NODES; i++)
        for (int key = 0; key < 4; key++)
            graph_set_property(writer, VALUE_NODE, shared->nodes[i], shared->keys[key],
                               values[key]);
    return transaction_commit(transaction) == NULL;
}

static bool create_nodes(Shared *shared)
{
    static const char *const names[] = {"number", "text", "vector", "mixed"};
    Transaction *transaction;
    GraphWriter *writer;
    if (transaction_begin(shared->database, &transaction) != NULL ||
        transaction_writer(transaction, NULL, NULL, &writer) != NULL)
        return false;
    for (int key = 0; key < 4; key++)
        shared->keys[key] = graph_name_intern(writer, NAME_KEY, str_from(names[key]));
    for (int i = 0; i < NODES; i++)
        if (graph_create_node(writer, NULL, 0, &shared->nodes[i]) != NULL) return false;
    return transaction_commit(transaction) == NULL;
}

static bool all_alike(const Column *column)
{
    for (uint32_t i = 1; i < NODES; i++)
        if (value_order(column_value(column, 0), column_value(column, i)) != 0) return false;
    return true;
}

/* Reads all nodes by each key, twice within one view; false: two nodes differ, or the second time
 * gives something else, or what the first gave has changed. */
static bool look(Shared *shared, Arena *arena)
{
    Transaction *transaction;
    Column first[4], second[4];
    bool good = true;
    if (transaction_begin(shared->database, &transaction) != NULL) return false;
    GraphView view = transaction_view(transaction);
    for (int key = 0; key < 4; key++)
        graph_properties(&view, VALUE_NODE, shared->keys[key], shared->nodes, NODES, arena,
                         &first[key]);
    for (int key = 0; key < 4; key++) {
        graph_properties(&view, VALUE_NODE, shared->keys[key], shared->nodes, NODES, arena,
                         &second[key]);
        good = good && all_alike(&first[key]) && all_alike(&second[key]) &&
               value_order(column_value(&first[key], 0), column_value(&second[key], 0)) == 0;
    }
    transaction_rollback(transaction);
    return good;
}

static void *reading(void *user)
{
    Shared *shared = user;
    Arena *arena = arena_create();
    bool good = true;
    while (good && !atomic_load(&shared->ended)) {
        good = look(shared, arena);
        arena_reset(arena);
    }
    arena_destroy(arena);
    return good ? NULL : user;
}

static void beside_a_writer(void)
{
    static const DatabaseOptions options = {0};
    Shared shared = {0};
    pthread_t threads[READERS];
    EXPECT(database_open_memory(&options, clock_system(), &shared.database) == NULL);
    EXPECT(create_nodes(&shared) && commit_number(&shared, 0));
    for (int i = 0; i < READERS; i++)
        pthread_create(&threads[i], NULL, reading, &shared);
    int committed = 0;
    for (int i = 1; i <= COMMITS; i++)
        committed += commit_number(&shared, i);
    atomic_store(&shared.ended, true);
    int bad = 0;
    for (int i = 0; i < READERS; i++) {
        void *result;
        pthread_join(threads[i], &result);
        bad += result != NULL;
    }
    EXPECT(committed == COMMITS);
    EXPECT(bad == 0);
    error_drop(database_close(shared.database));
}

/* What a view lent is as it was after others have committed. */
static void lent_vectors(void)
{
    static const DatabaseOptions options = {0};
    Shared shared = {0};
    Transaction *transaction;
    Column column;
    Arena *arena = arena_create();
    EXPECT(database_open_memory(&options, clock_system(), &shared.database) == NULL);
    EXPECT(create_nodes(&shared) && commit_number(&shared, 1));
    EXPECT(transaction_begin(shared.database, &transaction) == NULL);
    GraphView view = transaction_view(transaction);
    graph_properties(&view, VALUE_NODE, shared.keys[2], shared.nodes, NODES, arena, &column);
    Value map = graph_property_map(&view, VALUE_NODE, shared.nodes[0], arena);
    EXPECT(commit_number(&shared, 2));
    EXPECT(column_value(&column, 0).as.vector[0] == 1);
    EXPECT(value_map_get(map, STR("vector"))->as.vector[0] == 1);
    transaction_rollback(transaction);
    error_drop(database_close(shared.database));
    arena_destroy(arena);
}

static int64_t number(contextql *session, const char *text)
{
    contextql_statement *statement = NULL;
    int64_t found = -1;
    int result = contextql_prepare(session, text, strlen(text), &statement, NULL);
    while (result == CONTEXTQL_OK || result == CONTEXTQL_ROW) {
        result = contextql_step(statement);
        if (result == CONTEXTQL_ROW)
            found = contextql_value_integer(contextql_column(statement, 0));
    }
    contextql_finalize(statement);
    return result == CONTEXTQL_DONE ? found : -2;
}

/* A transaction sees what it saw, whatever indexes are made of what came later. */
static void younger_indexes(void)
{
    contextql *writer, *reader;
    EXPECT(contextql_open(":memory:", NULL, &writer) == CONTEXTQL_OK);
    EXPECT(contextql_connect(writer, &reader) == CONTEXTQL_OK);
    number(writer, "CREATE (:L {x: 1}), (:L {x: 1})-[:R]->(:M), (:L {x: 5})");
    number(reader, "BEGIN");
    EXPECT(number(reader, "MATCH (n:L {x: 1}) RETURN count(n)") == 2);
    number(writer, "MATCH (n:L {x: 1}) WHERE (n)-->() SET n.x = 2");
    EXPECT(number(writer, "CREATE CONSTRAINT c FOR (n:L) REQUIRE n.x IS UNIQUE") == -1);
    EXPECT(number(writer, "MATCH (n:L {x: 2}) RETURN count(n)") == 1);
    EXPECT(number(reader, "MATCH (n:L {x: 1}) RETURN count(n)") == 2);
    EXPECT(number(reader, "MATCH (n:L {x: 2}) RETURN count(n)") == 0);
    number(reader, "COMMIT");
    EXPECT(number(reader, "MATCH (n:L {x: 2}) RETURN count(n)") == 1);
    contextql_close(reader);
    contextql_close(writer);
}

/* Does a row of the answer to `text`, seen by the session, say `word`? */
static bool says(contextql *session, const char *text, const char *word)
{
    contextql_statement *statement = NULL;
    bool found = false;
    EXPECT(contextql_prepare(session, text, strlen(text), &statement, NULL) == CONTEXTQL_OK);
    while (contextql_step(statement) == CONTEXTQL_ROW) {
        char cell[200];
        contextql_value_print(contextql_column(statement, 0), cell, sizeof cell);
        found = found || strstr(cell, word) != NULL;
    }
    contextql_finalize(statement);
    return found;
}

#define SEEK "MATCH (n:L {x: 1}) RETURN count(n)"

static bool seeks(contextql *session)
{
    return says(session, "EXPLAIN " SEEK, "NodeSeek") && number(session, SEEK) == 1;
}

/* What a transaction drops is there for the others until it commits, and again for itself if it does
 * not; a rule that it drops holds for the others, who cannot write meanwhile. */
static void dropped_indexes(void)
{
    contextql *writer, *reader;
    EXPECT(contextql_open(":memory:", NULL, &writer) == CONTEXTQL_OK);
    EXPECT(contextql_connect(writer, &reader) == CONTEXTQL_OK);
    contextql_set(reader, "busy_timeout", "0");
    number(writer, "UNWIND range(0, 9) AS i CREATE (:L {x: i, y: i, v: vector([i, 1])})");
    number(writer, "CREATE INDEX x FOR (n:L) ON (n.x)");
    number(writer,
           "CREATE VECTOR INDEX v FOR (n:L) ON (n.v) OPTIONS {dimensions: 2, metric: 'l2'}");
    number(writer, "CREATE CONSTRAINT y FOR (n:L) REQUIRE n.y IS UNIQUE");
    for (int committed = 0; committed < 2; committed++) {
        number(writer, "BEGIN");
        number(writer, "DROP INDEX x");
        number(writer, "DROP INDEX v");
        number(writer, "DROP CONSTRAINT y");
        EXPECT(!seeks(writer) && number(writer, SEEK) == 1);
        EXPECT(seeks(reader) && says(reader, "SHOW INDEXES", "x"));
        EXPECT(says(reader, "SHOW CONSTRAINTS", "y") && !says(writer, "SHOW CONSTRAINTS", "y"));
        EXPECT(says(reader, "EXPLAIN MATCH (n:L) VECTOR n.v SIMILAR TO [1, 1] LIMIT 1 RETURN n",
                    "l2"));
        /* The same name, for something else. */
        EXPECT(number(writer, "CREATE INDEX x FOR (n:L) ON (n.z)") == -1);
        EXPECT(seeks(reader) && !seeks(writer));
        EXPECT(number(writer, "CREATE (:L {x: 1, y: 1})") == -1);
        EXPECT(number(writer, SEEK) == 2 && seeks(reader));
        EXPECT(number(reader, "CREATE (:L {y: 1})") == -2); /* somebody writes */
        number(writer, committed ? "COMMIT" : "ROLLBACK");
        EXPECT(seeks(writer) == !committed && seeks(reader) == !committed);
        EXPECT(says(reader, "SHOW CONSTRAINTS", "y") == !committed);
        EXPECT(number(reader, "CREATE (:L {y: 2})") == (committed ? -1 : -2));
        EXPECT(number(reader, SEEK) == (committed ? 2 : 1));
    }
    contextql_close(reader);
    contextql_close(writer);
}

/* Who looked before goes on with it after the commit, too, and nobody else. */
static void dropped_under_a_view(void)
{
    contextql *writer, *reader;
    EXPECT(contextql_open(":memory:", NULL, &writer) == CONTEXTQL_OK);
    EXPECT(contextql_connect(writer, &reader) == CONTEXTQL_OK);
    number(writer, "UNWIND range(0, 9) AS i CREATE (:L {x: i})");
    number(writer, "CREATE INDEX x FOR (n:L) ON (n.x)");
    number(writer,
           "BEGIN"); /* how others score does not follow from an index that is not committed */
    number(writer,
           "CREATE VECTOR INDEX l FOR (n:L) ON (n.x) OPTIONS {dimensions: 2, metric: 'l2'}");
    EXPECT(says(writer, "EXPLAIN MATCH (n:L) VECTOR n.x SIMILAR TO [1, 1] LIMIT 1 RETURN n", "l2"));
    EXPECT(says(reader, "EXPLAIN MATCH (n:L) VECTOR n.x SIMILAR TO [1, 1] LIMIT 1 RETURN n",
                "cosine"));
    number(writer, "ROLLBACK");
    number(reader, "BEGIN");
    EXPECT(seeks(reader));
    for (int i = 0; i < 3; i++) {
        number(writer, i == 0 ? "DROP INDEX x" : "CREATE (:L {x: 1})");
        EXPECT(!seeks(writer) && seeks(reader));
    }
    number(reader, "COMMIT");
    number(writer, "CREATE (:L {x: 1})");
    EXPECT(!seeks(reader) && number(reader, SEEK) == 4);
    contextql_close(reader);
    contextql_close(writer);
}

/* ---- searches through codes ---- */

enum { BEST = 20, ROUNDS = 150 };

typedef struct Found {
    int count;
    int64_t ids[BEST];
    double scores[BEST];
} Found;

/* The nearest to the vector that moves about, as one setting of codes has them. */
static Found nearest(contextql *session, const char *codes)
{
    static const char text[] = "MATCH (w:W) VECTOR w.v SIMILAR TO [j IN range(1, 64) | sin(j)] "
                               "LIMIT 20 RETURN id(w), similarity_score";
    contextql_statement *statement = NULL;
    Found found = {0};
    contextql_set(session, "vector_codes", codes);
    if (contextql_prepare(session, text, strlen(text), &statement, NULL) != CONTEXTQL_OK)
        return found;
    while (contextql_step(statement) == CONTEXTQL_ROW && found.count < BEST) {
        found.ids[found.count] = contextql_value_integer(contextql_column(statement, 0));
        found.scores[found.count++] = contextql_value_float(contextql_column(statement, 1));
    }
    contextql_finalize(statement);
    return found;
}

typedef struct Search {
    contextql *session;
    atomic_bool *ended;
    int looks, bad;
} Search;

static void *searching(void *user)
{
    Search *search = user;
    do {
        number(search->session, "BEGIN");
        Found want = nearest(search->session, "off"), have = nearest(search->session, "now"),
              again = nearest(search->session, "now");
        search->bad += want.count != BEST || memcmp(&want, &have, sizeof want) != 0 ||
                       memcmp(&want, &again, sizeof want) != 0;
        search->looks++;
        number(search->session, "COMMIT");
    } while (!atomic_load(search->ended));
    return NULL;
}

/* Vectors are changed, and new ones come, while others search: a transaction finds the same ones
 * through codes, whatever was made of them before or is being made of them. */
static void codes_beside_a_writer(void)
{
    contextql *writer;
    atomic_bool ended = false;
    Search searches[READERS];
    pthread_t threads[READERS];
    char text[200];
    EXPECT(contextql_open(":memory:", NULL, &writer) == CONTEXTQL_OK);
    number(writer, "UNWIND range(1, 3000) AS i CREATE (:W {i: i, v: vector([j IN range(1, 64) | "
                   "sin(i * j)])})");
    for (int i = 0; i < READERS; i++) {
        searches[i] = (Search){.ended = &ended};
        EXPECT(contextql_connect(writer, &searches[i].session) == CONTEXTQL_OK);
        pthread_create(&threads[i], NULL, searching, &searches[i]);
    }
    for (int round = 0; round < ROUNDS; round++) {
        snprintf(text, sizeof text,
                 round % 3 == 0 ? "UNWIND range(1, 20) AS i CREATE (:W {i: i, v: vector([j IN "
                                  "range(1, 64) | sin(j + i * %d)])})"
                                : "MATCH (w:W) WHERE w.i %% 97 = %d SET w.v = vector([j IN "
                                  "range(1, 64) | sin(j * w.i) + cos(j)])",
                 round);
        number(writer, text);
    }
    atomic_store(&ended, true);
    for (int i = 0; i < READERS; i++) {
        pthread_join(threads[i], NULL);
        EXPECT(searches[i].looks > 0 && searches[i].bad == 0);
        contextql_close(searches[i].session);
    }
    contextql_close(writer);
}

int main(void)
{
    lent_vectors();
    younger_indexes();
    dropped_indexes();
    dropped_under_a_view();
    beside_a_writer();
    codes_beside_a_writer();
    return DONE();
}
