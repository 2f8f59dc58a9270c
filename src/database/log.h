/* log.h - what a transaction did as bytes, and bytes done again. */
#ifndef DATABASE_LOG_H
#define DATABASE_LOG_H
#include "base/bytes.h"
#include "graph/graph.h"

typedef struct LoggedNames { /* how many names of each kind the log has already */
    uint32_t count[NAME_KIND_COUNT];
} LoggedNames;

/* Physical effects: ids, values, new names; never statements. */
void log_encode(const GraphWriter *writer, LoggedNames *names, Buffer *out);
/* Does a transaction's effects again. What does not fit the graph is ERROR_CORRUPT. */
Error *log_replay(GraphWriter *writer, Str payload) MUST_CHECK;
#endif
