/*
 * kill9.c - an acknowledged commit survives kill -9, and no half of one is ever seen.
 *
 * A child writes numbered pairs of nodes and notes each acknowledged number in a ledger outside the
 * database with write(2). The parent kills it at a random moment (seeded), opens the database and
 * asks: is every number of the ledger there, is every pair whole? A hundred rounds on one database,
 * some of which begin with a load that is committed as a segment.
 */
#include "config.h"

#include "database/database.h"
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { ROUNDS = 100, LOAD_ROUNDS = 20, LOAD_PAIRS = 12000 };

static Database *opened(const char *directory)
{
    static const DatabaseOptions options = {.create = true};
    Database *database = NULL;
    Error *error = database_open(directory, &options, clock_system(), &database);
    if (error != NULL) printf("# %s\n", error_message(error));
    return database;
}

/* `count` pairs in one commit: a load of many is written as a segment. */
static bool commit_pairs(Database *database, int64_t number, int64_t count)
{
    Transaction *transaction;
    GraphWriter *writer;
    uint64_t nodes[2], relationship;
    if (transaction_begin(database, &transaction) != NULL ||
        transaction_writer(transaction, &writer) != NULL)
        return false;
    uint32_t label = graph_name_intern(writer, NAME_LABEL, STR("Pair")),
             key = graph_name_intern(writer, NAME_KEY, STR("number"));
    uint32_t type = graph_name_intern(writer, NAME_TYPE, STR("WITH"));
    for (; count > 0; count--, number++) {
        for (int i = 0; i < 2; i++) {
            if (graph_create_node(writer, &label, 1, &nodes[i]) != NULL) return false;
            graph_set_property(writer, VALUE_NODE, nodes[i], key, value_integer(number));
        }
        if (graph_create_relationship(writer, type, nodes[0], nodes[1], &relationship) != NULL)
            return false;
    }
    return transaction_commit(transaction) == NULL;
}

static void child(const char *directory, const char *ledger, int64_t number, bool loads)
{
    Database *database = opened(directory);
    int file = open(ledger, O_WRONLY | O_APPEND);
    if (database == NULL || file < 0) _exit(3);
    for (bool first = loads;; first = false) {
        int64_t count = first ? LOAD_PAIRS : 1, last = number + count - 1;
        if (!commit_pairs(database, number, count) ||
            write(file, &last, sizeof last) != sizeof last)
            _exit(4);
        number += count;
    }
}

/* The greatest whole number; -1 when a pair is not whole or a number is missing. Numbers are given
 * out without gaps. */
static int64_t greatest_whole(Database *database)
{
    Transaction *transaction;
    if (transaction_begin(database, &transaction) != NULL) return -1;
    GraphView view = transaction_view(transaction);
    uint32_t label = graph_name_find(view.graph, NAME_LABEL, STR("Pair")),
             key = graph_name_find(view.graph, NAME_KEY, STR("number"));
    uint32_t type = graph_name_find(view.graph, NAME_TYPE, STR("WITH"));
    uint64_t cursor = 0, id;
    int64_t expected = 0;
    bool whole = true, second = false;
    while (label != GRAPH_NAME_UNKNOWN && graph_scan(&view, &label, 1, &cursor, &id, 1) == 1) {
        Value number = graph_property(&view, VALUE_NODE, id, key);
        whole = whole && number.kind == VALUE_INTEGER && number.as.integer == expected;
        whole = whole && graph_degree(&view, type, second ? GRAPH_IN : GRAPH_OUT, id) == 1;
        expected += second;
        second = !second;
    }
    transaction_rollback(transaction);
    return whole && !second ? expected - 1 : -2;
}

static int64_t last_acknowledged(const char *ledger)
{
    int64_t number = -1, last = -1;
    int file = open(ledger, O_RDONLY);
    while (read(file, &number, sizeof number) == sizeof number)
        last = number;
    close(file);
    return last;
}

int main(void)
{
    char folder[] = "kill9-XXXXXX", database_path[64], ledger[64];
    unsigned seed = 20240917;
    int64_t next = 0, lost = 0;
    if (mkdtemp(folder) == NULL) return 99;
    snprintf(database_path, sizeof database_path, "%s/d.cqldb", folder);
    snprintf(ledger, sizeof ledger, "%s/ledger", folder);
    close(open(ledger, O_WRONLY | O_CREAT, 0644));
    int round = 0;
    for (; round < ROUNDS && lost == 0; round++) {
        pid_t pid = fork();
        if (pid == 0) child(database_path, ledger, next, round % LOAD_ROUNDS == 5);
        seed = seed * 1103515245u + 12345u;
        struct timespec moment = {0, 5000000 + (long)(seed >> 16) % 60000 * 1000};
        nanosleep(&moment, NULL);
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        Database *database = opened(database_path);
        if (database == NULL) {
            lost = 1;
            break;
        }
        int64_t greatest = greatest_whole(database), acknowledged = last_acknowledged(ledger);
        if (greatest < acknowledged)
            lost = 1, printf("# round %d: %lld acknowledged, %lld there\n", round,
                             (long long)acknowledged, (long long)greatest);
        next = greatest + 1;
        error_drop(database_close(database));
    }
    printf("# %d rounds, %lld commits\n1..1\n%sok 1 - no acknowledged commit is lost and none is "
           "half there\n",
           round, (long long)next, lost ? "not " : "");
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command) != 0 || lost != 0;
}
