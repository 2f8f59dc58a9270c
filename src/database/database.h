/*
 * database.h - a graph with transactions, shared by sessions.
 *
 * Any number of transactions read; one writes. A transaction reads the version that was newest when it began. The writer token
 * is taken at the first write and given back at the end; who waits for it longer than the busy timeout gets ERROR_LOCKED. A
 * transaction that read before it wrote and was overtaken by another writer meanwhile gets ERROR_CONFLICT.
 */
#ifndef DATABASE_DATABASE_H
#define DATABASE_DATABASE_H
#include "base/clock.h"
#include "graph/graph.h"

typedef struct Database Database;
typedef struct Transaction Transaction;

typedef struct DatabaseOptions {
    bool read_only, create;
} DatabaseOptions;

enum { BUSY_TIMEOUT_MS = 5000 }; /* how long a writer waits for another */

Error *database_open_memory(const DatabaseOptions *options, const Clock *clock, Database **out) MUST_CHECK;
Database *database_share(Database *database); /* one more session on it */
Error *database_close(Database *database);    /* a session; with the last one everything goes */
const char *database_durability(const Database *database); /* what a commit stands for: "none" in memory */

Error *transaction_begin(Database *database, Transaction **out) MUST_CHECK;
GraphView transaction_view(const Transaction *transaction);
Error *transaction_writer(Transaction *transaction, GraphWriter **out) MUST_CHECK;
size_t transaction_savepoint(const Transaction *transaction);
void transaction_rollback_to(Transaction *transaction, size_t savepoint);
Error *transaction_commit(Transaction *transaction) MUST_CHECK; /* ends it, also when it fails */
void transaction_rollback(Transaction *transaction);            /* ends it; NULL is welcome */
#endif
