/* finder.h - what vector indexes find by: making it, and its way through segments. */
#ifndef DATABASE_FINDER_H
#define DATABASE_FINDER_H
#include "database/database.h"

/* Of all indexes of the graph, behind graph_save_all. */
Error *finder_save_all(GraphSave *save, const GraphView *view) MUST_CHECK;
/* Of a graph that was just loaded: its indexes get what the segment has for them. */
void finder_load_all(Graph *graph);

/* Reads all of what the indexes find by, and tells what is wrong with it. */
void finder_verify_all(const GraphView *view, Tell *to);

/* After a commit: begins to make what is wanted in a thread, unless one is at it. Without the lock. */
void finder_consider(Database *database);
/* Waits for the thread. `stop`: what it is at is not worth waiting for. Nobody commits any more. */
void finder_settle(Database *database, bool stop);
bool finder_unsaved(const Database *database); /* has the graph in use one that no segment has? */

/* What the indexes of a graph, of which no newer version is being made, find by: for another graph that
 * is the same. NULL: nothing. */
typedef struct FinderCopy FinderCopy;
FinderCopy *finder_copy_all(const Graph *graph);
void finder_paste_all(const FinderCopy *copies, Graph *graph);
void finder_copies_free(FinderCopy *copies);
#endif
