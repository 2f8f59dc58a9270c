/* finder.h - what vector indexes find by: making it, and its way through segments. */
#ifndef DATABASE_FINDER_H
#define DATABASE_FINDER_H
#include "database/database.h"

/* Of all indexes of the graph, behind graph_save_all. */
Error *finder_save_all(GraphSave *save, const GraphView *view) MUST_CHECK;
/* Of a graph that was just loaded: its indexes get what the segment has for them. */
void finder_load_all(Graph *graph);
#endif
