/*
 * recall.c - a memory with vectors in a program of your own, through libcontextql.
 *
 *     cc recall.c $(pkg-config --cflags --libs contextql) -o recall && ./recall memory.cqldb
 *
 * Three notes are kept, each under the person it is about; then the two nearest to a question are
 * asked for, among Ada's only. Run again, the notes are there already: MERGE makes none twice.
 */
#include <contextql.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void die(contextql *db)
{
    contextql_error_info error;
    contextql_error(db, &error);
    fprintf(stderr, "CQL%d: %s\n", error.code, error.message);
    contextql_close(db);
    exit(1);
}

static contextql_statement *prepare(contextql *db, const char *text)
{
    contextql_statement *statement;
    if (contextql_prepare(db, text, strlen(text), &statement, NULL) != CONTEXTQL_OK) die(db);
    return statement;
}

static void keep(contextql *db, contextql_statement *note, const char *about, const char *text,
                 const float *vector, size_t dimensions)
{
    contextql_bind_string(note, "about", about, strlen(about));
    contextql_bind_string(note, "text", text, strlen(text));
    contextql_bind_vector(note, "v", vector, dimensions);
    if (contextql_step(note) != CONTEXTQL_DONE) die(db);
    contextql_reset(note);
}

int main(int argc, char **argv)
{
    contextql *db;
    if (contextql_open(argc > 1 ? argv[1] : ":memory:", NULL, &db) != CONTEXTQL_OK) die(db);

    contextql_statement *note = prepare(db, "MERGE (p:Person {name: $about}) "
                                            "MERGE (n:Note {text: $text}) SET n.v = $v "
                                            "MERGE (p)<-[:ABOUT]-(n)");
    keep(db, note, "Ada", "weaves algebraic patterns", (float[]){0.9f, 0.1f, 0.0f}, 3);
    keep(db, note, "Ada", "takes tea at four", (float[]){0.0f, 0.2f, 0.9f}, 3);
    keep(db, note, "Charles", "designs engines", (float[]){1.0f, 0.0f, 0.0f}, 3);
    contextql_finalize(note);

    contextql_statement *recall =
        prepare(db, "MATCH (:Person {name: $name})<-[:ABOUT]-(n:Note) "
                    "VECTOR n.v SIMILAR TO $q LIMIT 2 RETURN n.text, similarity_score");
    contextql_bind_string(recall, "name", "Ada", 3);
    contextql_bind_vector(recall, "q", (float[]){1.0f, 0.0f, 0.0f}, 3);
    int result;
    while ((result = contextql_step(recall)) == CONTEXTQL_ROW) {
        contextql_text text = contextql_value_string(contextql_column(recall, 0));
        printf("%.3f  %.*s\n", contextql_value_float(contextql_column(recall, 1)), (int)text.size,
               text.data);
    }
    if (result != CONTEXTQL_DONE) die(db);
    contextql_finalize(recall);
    return contextql_close(db);
}
