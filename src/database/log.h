/* log.h - what a transaction did as bytes, and bytes done again. */
#ifndef DATABASE_LOG_H
#define DATABASE_LOG_H
#include "base/bytes.h"
#include "graph/graph.h"
#include "storage/segment.h"

typedef struct LoggedNames { /* how many names of each kind the log has already */
    uint32_t count[NAME_KIND_COUNT];
} LoggedNames;

/* Physical effects: ids, values, new names; never statements. */
/* ERROR_LIMIT: it takes more than the account at work may; `names` is then as it was. */
Error *log_encode(const GraphWriter *writer, LoggedNames *names, Buffer *out) MUST_CHECK;
/* A transaction that was written as a segment: the record that names it. */
typedef struct LoggedSegment {
    SegmentFile file;
    Str schema; /* graph_save's */
} LoggedSegment;
void log_encode_segment(const LoggedSegment *segment, Buffer *out);
bool log_names_segment(Str payload);
Error *log_decode_segment(Str payload, LoggedSegment *out) MUST_CHECK; /* borrows the schema */

/* Does a transaction's effects again. What does not fit the graph is ERROR_CORRUPT. */
Error *log_replay(GraphWriter *writer, Str payload) MUST_CHECK;
#endif
