/*
 * dump.h - a database as statements of the language that make it again.
 *
 *     // ContextQL dump 1, mark __dump__
 *     CREATE INDEX __dump__ FOR (n:__dump__) ON (n.__dump__);
 *     UNWIND [[0,{name: 'Ada'}],[1,{}]] AS r CREATE (n:__dump__:Person) SET n = r[1], n.__dump__ = r[0];
 *     UNWIND [[0,1]] AS r MATCH (a:__dump__ {__dump__: r[0]}), (b:__dump__ {__dump__: r[1]}) CREATE (a)-[:KNOWS]->(b);
 *     DROP INDEX __dump__;
 *     MATCH (n:__dump__) REMOVE n.__dump__, n:__dump__;
 *     CREATE CONSTRAINT Person_name FOR (n:Person) REQUIRE n.name IS UNIQUE;
 *     RETURN 2 AS nodes, 1 AS relationships;
 *
 * Nodes bear a number while relationships look for them. The mark is a name that the database has
 * not. The last statement says what must have come in: a file that was cut off is not taken. Any
 * database of this language reads it, also by -f; dump_read makes one transaction of it.
 */
#ifndef SHELL_DUMP_H
#define SHELL_DUMP_H
#include "shell/shell_internal.h"

typedef struct DumpCounts {
    uint64_t nodes, relationships;
} DumpCounts;

/* Writes all that one moment shows, in the session's transaction if it is in one. */
/* `progress` may be NULL; `user` is its. */
Error *dump_write(contextql *session, FILE *file, contextql_progress_fn *progress, void *user,
                  DumpCounts *out) MUST_CHECK;
/* Adds what the file says to the shell's session in one transaction; "-" is standard input. False:
 * nothing of it was taken, and why was told. */
bool dump_read(Shell *shell, const char *path, DumpCounts *out);
#endif
