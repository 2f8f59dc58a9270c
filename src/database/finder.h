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

/* After opening, after a commit: begins to make what is wanted in a thread, unless one is at it. Without
 * the lock. */
void finder_consider(Database *database);
/* How much of the index is made by that thread now, in percent; -1: it is at another, or at none. */
int finder_progress(const Database *database, const GraphIndex *index);
/* Leaving: what the thread is at is given up, for the next opening to make. Nobody commits any more. */
void finder_settle(Database *database);
bool finder_unsaved(const Database *database); /* has the graph in use one that no segment has? */

/* What the indexes of a graph, of which no newer version is being made, find by: for another graph that
 * is the same. NULL: nothing. */
typedef struct FinderCopy FinderCopy;
FinderCopy *finder_copy_all(const Graph *graph);
void finder_paste_all(const FinderCopy *copies, Graph *graph);
void finder_copies_free(FinderCopy *copies);
/* `to` holds the same as `from`, lies on the newest segment and takes its place: it gets what no segment
 * has. Nobody writes to either. */
void finder_carry(const Database *database, const Graph *from, Graph *to);
#endif
