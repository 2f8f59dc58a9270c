/*
 * graph.h - the property graph: nodes, relationships, properties, who is next to whom.
 *
 * A reader sees a GraphView: the graph as of one version. One writer at a time makes the next
 * version in place; readers of older views are not disturbed and wait for nobody, because whatever
 * the writer changes keeps its old value in a version chain and whatever it creates or deletes
 * carries the version in which it did.
 *
 *     names      labels, relationship types and property keys are u32 ids (graph_name_*)
 *     nodes      one table, row = id; each node has a shape, the interned set of its labels
 *     types      one table a relationship type; a relationship's id is its type and its row
 *                (value/value.h)
 *     columns    a property key's values in blocks of 2048 rows, each block of one type
 *     adjacency  per type and direction: CSR, and a delta of what was created since
 *
 * Threads: reading functions are safe beside one writer. Text and elements lent out live until the
 * view is released, vectors that graph_property lends until the next write.
 */
#ifndef GRAPH_GRAPH_H
#define GRAPH_GRAPH_H
#include "base/bytes.h"
#include "base/tell.h"
#include "storage/segment.h"
#include "value/batch.h"

typedef struct Graph Graph;
typedef struct GraphWriter GraphWriter;
typedef struct GraphView {
    Graph *graph;
    uint64_t version;
} GraphView;

enum { GRAPH_BLOCK_ROWS = 2048 }; /* = BATCH_ROWS_MAX: a scan's batch is a block */
#define GRAPH_NAME_UNKNOWN UINT32_MAX
#define GRAPH_NODES_MAX    4000000000u /* in adjacency ids are 32 bits, and so is what counts lists */

Graph *graph_create(void);
void graph_destroy(Graph *graph); /* NULL is welcome */

/* ---- segments: a graph as a file (storage/segment.h) ---- */
enum { GRAPH_SEGMENT_KIND = 1 };
typedef struct GraphSave GraphSave;
GraphSave *graph_save_new(SegmentWriter *segment);
/* Of what the writer has made so far: starts to save what looks finished, in a thread, while the writer
 * goes on. What is changed later is saved again. Between statements; waits for the call before. */
void graph_save_ahead(GraphSave *save, const GraphWriter *writer);
void graph_save_wait(GraphSave *save);
/* Writes what `view` shows, which is the newest version; names, label sets and index definitions go
 * to `schema`. Rows keep their ids. ERROR_LIMIT: a block of 2048 values with over 4 GiB of text. */
Error *graph_save_all(GraphSave *save, const GraphView *view, Buffer *schema) MUST_CHECK;
/* The same, for a graph that lies on a segment: what has not changed since is referred to there, so that
 * it costs what the changes do. */
Error *graph_save_onto(GraphSave *save, const GraphView *view, Buffer *schema) MUST_CHECK;
/* When all is saved: may the segment be finished? Else too much of what the files that it refers to hold
 * is of no use any more, or they are too many: all is to be saved. */
bool graph_save_fits(const GraphSave *save);
const Segment *graph_segment(const Graph *graph); /* that it lies on; NULL: none */
void graph_save_free(GraphSave *save); /* NULL is welcome; the segment stays its owner's */
/* A graph that lies on a segment: nothing is read before it is asked for, except what describes it.
 * The segment is the graph's from now on, also after an error. ERROR_CORRUPT: its parts do not fit
 * one another. */
Error *graph_load(Segment *segment, Str schema, Graph **out) MUST_CHECK;
/* Something of the segment was not what it must be: answers since may miss rows and must not be
 * given out. NULL: nothing was. */
Error *graph_damage(const Graph *graph) MUST_CHECK;

/* Holds everything the view shows against everything else of it: blocks against their checksums and
 * descriptions, counts, relationships against both adjacencies, label bitmaps against label sets,
 * indexes and constraints against properties. Each finding is told once a kind and place; of many
 * of a kind the first ones. Takes time and memory in proportion to the graph; no writer beside. Asks
 * `to`, and ends when that stops it. */
void graph_verify(const GraphView *view, Tell *to);
/* Only the part of it that tells which properties cannot be read. */
void graph_verify_columns(const GraphView *view, Tell *to);
/* Makes what can be read of a graph anew in another one, but for indexes and constraints: of several
 * of its states, the oldest first, each is made of the one before. Ids are given anew, in the old order,
 * and what is in two states has the same in both. The first goes into an empty graph; after an error
 * none may follow. Asks `to`: ERROR_CANCELLED. */
typedef struct GraphSalvaged { /* in the state */
    uint64_t nodes, relationships, relationships_lost;
} GraphSalvaged;
typedef struct GraphSalvage GraphSalvage;
GraphSalvage *graph_salvage_begin(void);
Error *graph_salvage_state(GraphSalvage *salvage, const GraphView *from, GraphWriter *to,
                           Tell *tell, GraphSalvaged *out) MUST_CHECK;
void graph_salvage_end(GraphSalvage *salvage); /* NULL is welcome */
/* What a kind of section of a graph's segment is called; NULL: there is none. */
const char *graph_section_name(unsigned kind);

/* ---- views ---- */
/* The newest published version; released by graph_release. At most GRAPH_READERS_MAX are held at
 * once. */
enum { GRAPH_READERS_MAX = 1024 };
Error *graph_acquire(Graph *graph, GraphView *view, uint32_t *slot) MUST_CHECK;
void graph_release(Graph *graph, uint32_t slot);
uint64_t graph_version(const Graph *graph); /* the published one */

/* ---- names ---- */
typedef enum NameKind { NAME_LABEL, NAME_TYPE, NAME_KEY, NAME_KIND_COUNT } NameKind;
uint32_t graph_name_find(const Graph *graph, NameKind kind, Str text); /* GRAPH_NAME_UNKNOWN */
uint32_t graph_name_count(const Graph *graph, NameKind kind);
Str graph_name_text(const Graph *graph, NameKind kind, uint32_t id);

/* ---- nodes ---- */
uint64_t
graph_node_count(const GraphView *view); /* as of the newest version: an estimate for plans */
uint64_t graph_label_count(const GraphView *view, uint32_t label); /* the same */
bool graph_node_visible(const GraphView *view, uint64_t node);
bool graph_node_has_label(const GraphView *view, uint64_t node, uint32_t label);
/* out[i]: 1 if node ids[i] has the label, else 0. */
void graph_nodes_have_label(const GraphView *view, const uint64_t *ids, uint32_t count,
                            uint32_t label, uint8_t *out);
/* Label ids, ascending; they live as long as the graph. */
const uint32_t *graph_node_labels(const GraphView *view, uint64_t node, uint32_t *count);
/* Scans visible nodes that have all `labels` (none: every node), ascending by id. *cursor starts at
 * 0; writes at most `max` ids and gives how many; 0 is the end. Touches only blocks that have a
 * node of the rarest label. */
uint32_t graph_scan(const GraphView *view, const uint32_t *labels, uint32_t label_count,
                    uint64_t *cursor, uint64_t *ids, uint32_t max);
/* The same, of those nodes whose ids are below `below`. */
uint32_t graph_scan_below(const GraphView *view, const uint32_t *labels, uint32_t label_count,
                          uint64_t *cursor, uint64_t below, uint64_t *ids, uint32_t max);
/* The same nodes as bits, for those from block * GRAPH_BLOCK_ROWS on. false: none. */
enum { GRAPH_BLOCK_WORDS = GRAPH_BLOCK_ROWS / 64 };
bool graph_scan_block(const GraphView *view, const uint32_t *labels, uint32_t label_count,
                      uint64_t block, uint64_t bits[GRAPH_BLOCK_WORDS]);
/* Is the node among them? */
bool graph_scan_has(const GraphView *view, const uint32_t *labels, uint32_t label_count,
                    uint64_t node);
/* Could a node of the block have a number from `low` to `high` as property `key`, at any version? (null:
 * no bound.) false: surely none has. A zone map (Moerkotte, "Small Materialized Aggregates", VLDB 1998)
 * that costs nothing: what packed numbers of a segment can be follows from how they are packed. */
bool graph_block_spans(const GraphView *view, uint64_t block, uint32_t key, Value low, Value high);
uint64_t graph_block_count(const GraphView *view); /* blocks of nodes there are */
/* Has every visible node with all `labels` the property, an integer or text, as far as a look at 64
 * nodes at once can tell?
 * false: perhaps not. */
bool graph_property_covers(const GraphView *view, const uint32_t *labels, uint32_t label_count,
                           uint32_t key);

/* ---- properties ---- */
/* `kind` is VALUE_NODE or VALUE_RELATIONSHIP. `out` becomes a typed column of `count` rows in
 * `arena`, COLUMN_ANY where kinds mix. */
void graph_properties(const GraphView *view, ValueKind kind, uint32_t key, const uint64_t *ids,
                      uint32_t count, Arena *arena, Column *out);
/* `ascending`: each id is known to be greater than the one before. */
void graph_properties_ordered(const GraphView *view, ValueKind kind, uint32_t key,
                              const uint64_t *ids, uint32_t count, bool ascending, Arena *arena,
                              Column *out);
/* The same of nodes as COLUMN_WORD; false: it is not kept in such a way. */
bool graph_words(const GraphView *view, uint32_t key, const uint64_t *nodes, uint32_t count,
                 bool ascending, Arena *arena, Column *out) MUST_CHECK;
/* A vector is lent as it lies, until somebody writes it; the others copy it into their arena. */
Value graph_property(const GraphView *view, ValueKind kind, uint64_t id, uint32_t key);
Value graph_property_map(const GraphView *view, ValueKind kind, uint64_t id, Arena *arena);

/* Vectors of a node property where they lie: row i of the block at rows + i * stride, padded with
 * zeros, if bit i of `present` is set. */
typedef struct GraphVectors {
    const float *rows, *factors; /* factors: 1 / |row|, 0 for none */
    const uint64_t *present;     /* GRAPH_BLOCK_WORDS words; rows beyond `count` are not there */
    size_t count, stride;
    uint32_t dimensions;
    void *block;
    Graph *graph;
} GraphVectors;
typedef enum GraphVectorsKind {
    GRAPH_VECTORS_NONE,  /* no row of the block has a value */
    GRAPH_VECTORS_LENT,  /* in *out */
    GRAPH_VECTORS_NEWER, /* in *out, but some are newer than the view: ask one by one */
    GRAPH_VECTORS_VALUES /* other kinds of values: ask one by one */
} GraphVectorsKind;
GraphVectorsKind graph_vectors(const GraphView *view, uint32_t key, uint64_t block,
                               GraphVectors *out);
/* After the rows were used: were they what the view shows? Else what was made of them is void. */
bool graph_vectors_held(const GraphView *view, const GraphVectors *vectors);
/* Names the vectors of a property as they are: the same pair again means the same vectors. false: a
 * writer is at them just now, or there are none. *column tells columns of living graphs apart. */
bool graph_vectors_version(const GraphView *view, uint32_t key, uint64_t *column,
                           uint64_t *generation);

/*
 * Memory beside a block of vectors, for what readers derive from it (8-bit codes); one kind, of the
 * same size for all who ask. It is void as soon as a vector of the block is written. One reader makes
 * it, others do without meanwhile:
 *
 *     if (graph_derived(vectors, &stamp) != NULL) use it; good = graph_derived_held(vectors, stamp);
 *     else if (graph_derive(vectors, bytes, .., &stamp) != NULL) fill it; graph_derive_end(vectors, stamp);
 *
 * What was used and not held is void, as with the vectors themselves.
 */
void *graph_derived(const GraphVectors *vectors, uint64_t *stamp); /* NULL: there is none now */
bool graph_derived_held(const GraphVectors *vectors, uint64_t stamp);
/* Room for `bytes`, 64-byte aligned, to be filled by the caller, who then says so. NULL: another is at
 * it, a writer is, or (unless `now`) the block is not as it was when this was last asked, so that
 * what is written between any two looks is never derived from. */
void *graph_derive(const GraphVectors *vectors, size_t bytes, bool now, uint64_t *stamp);
void graph_derive_end(const GraphVectors *vectors, uint64_t stamp);
uint64_t graph_derived_bytes(const Graph *graph); /* held by all of them */

/* ---- relationships ---- */
typedef enum GraphDirection { GRAPH_OUT, GRAPH_IN, GRAPH_BOTH } GraphDirection;
uint64_t graph_relationship_count(const GraphView *view,
                                  uint32_t type); /* as of the newest version */
bool graph_relationship_visible(const GraphView *view, uint64_t relationship);
void graph_relationship_ends(const GraphView *view, uint64_t relationship, uint64_t *from,
                             uint64_t *to);
/* The relationships of one type, ascending; like graph_scan. */
uint32_t graph_scan_relationships(const GraphView *view, uint32_t type, uint64_t *cursor,
                                  uint64_t *ids, uint32_t max);

typedef struct Neighbors { /* grows; reuse it: {0} to begin, neighbors_free at the end */
    uint64_t *nodes, *relationships;
    size_t count, node_capacity, relationship_capacity;
} Neighbors;
void neighbors_free(Neighbors *neighbors);
/* Appends what is next to `node` by relationships of `type`. A self-loop appears once under
 * GRAPH_BOTH. */
void graph_expand(const GraphView *view, uint32_t type, GraphDirection direction, uint64_t node,
                  Neighbors *out);
/* The same for several types at once: what they are made of is found out when the walk is made, so
 * that each node costs little. It lives in `arena`, and sees what `view` saw then: a writer makes
 * it anew after it wrote. */
typedef struct GraphWalk GraphWalk;
GraphWalk *graph_walk_create(Arena *arena, const GraphView *view, const uint32_t *types,
                             uint32_t type_count, GraphDirection direction);
void graph_walk(const GraphWalk *walk, uint64_t node, Neighbors *out);
uint64_t graph_degree(const GraphView *view, uint32_t type, GraphDirection direction,
                      uint64_t node);
/* The neighbors where they lie, without copying: false when the delta, a deletion or an older view
 * makes that impossible. Not for GRAPH_BOTH. */
typedef struct GraphSlice {
    const uint32_t *targets;
    uint32_t count;
} GraphSlice;
bool graph_slice(const GraphView *view, uint32_t type, GraphDirection direction, uint64_t node,
                 GraphSlice *out);

/* ---- property indexes ---- */
/* UNIQUE: no two nodes of the label have all its properties equal, and they are found through it, too.
 * REQUIRED: every node of the label has the property; nothing is found through it. */
typedef enum GraphConstraint { /* numbers of the format, never to change */
                               GRAPH_NO_CONSTRAINT = 0,
                               GRAPH_UNIQUE = 1,
                               GRAPH_REQUIRED = 2
} GraphConstraint;
enum { GRAPH_INDEX_KEYS_MAX = 8 }; /* properties of one index; more hardly tell nodes apart */
typedef struct GraphIndex {        /* definition */
    Str name;
    uint32_t label, keys[GRAPH_INDEX_KEYS_MAX], key_count; /* in their order; vector: one */
    GraphConstraint constraint;
    bool vector;
    uint32_t dimensions;
    uint8_t metric; /* PlanMetric of the planner: 0 cosine, 1 dot, 2 l2 */
    bool flat; /* a vector index that is never more than its definition: every search is exact */
    uint16_t ef, ef_construction; /* how far a search, and one while building, goes; 0: as usual */
    uint64_t since; /* the version that made it, and knows no value of before; 0: a segment */
} GraphIndex;
/* In the log and among a segment's names: its name, varint label, varint first property, and what kind it
 * is: a byte (bit 0 vector, above it the constraint, bit 6: it is on several properties, bit 7: flat and
 * the next two are there), varint dimensions, u8 metric; u8 flat, varint ef, varint ef_construction; varint
 * how many properties more, varint each. */
void graph_put_index(const GraphIndex *index, Buffer *out);
/* The name is borrowed. false: it is none, or one on names that the graph has not. */
bool graph_get_index(GraphIndex *index, const Graph *graph, Reader *reader);
/* Is it on this property alone? */
static inline bool graph_index_is_on(const GraphIndex *index, uint32_t key)
{
    return index->key_count == 1 && index->keys[0] == key;
}
/* Those that the view may ask: not one that is younger, and sees no value of before; nor one that was
 * dropped in its version or before. Who has not committed yet is the only one to see what it did. */
uint32_t graph_index_count(const Graph *graph);                      /* of all there ever were */
const GraphIndex *graph_index_at(const GraphView *view, uint32_t i); /* NULL: there is none */
const GraphIndex *graph_index_named(const GraphView *view, Str name);
const GraphIndex *graph_index_on(const GraphView *view, uint32_t label, uint32_t key, bool vector);
/* One whose first `count` properties, of several, are these; with no others rather. */
const GraphIndex *graph_index_on_several(const GraphView *view, uint32_t label,
                                         const uint32_t *keys, uint32_t count);
/* Visible nodes of the index's label whose property equals `value`: appended to `out` (nodes only),
 * ascending, each once. Of an index on several properties the value is a list, of values for all of
 * them or the first ones. */
void graph_seek(const GraphView *view, const GraphIndex *index, Value value, Neighbors *out);
/* The first of them for each of `count` values, those at keys[0], keys[stride], ..; GRAPH_NO_NODE
 * where there is none. */
void graph_seek_first(const GraphView *view, const GraphIndex *index, const Value *keys,
                      size_t stride, uint32_t count, uint64_t *out);
#define GRAPH_NO_NODE UINT64_MAX

/*
 * Nodes by the order of their values (range.c): those of the index's label whose property lies between
 * two bounds. What can be compared with a bound is numbers, text, booleans, and times of one kind; a
 * bound that is null leaves that side open, both: every value.
 */
typedef struct GraphRange {
    Value low, high;
    bool low_open, high_open; /* the bound itself is outside */
    bool prefix;              /* text that begins with `low` */
} GraphRange;
bool graph_index_orders(const GraphIndex *index); /* may it be asked? NULL: no */
/* What an index on several properties is asked for nodes whose first `count` ones are `values`, and the
 * one behind lies in `next` (not open on both sides; NULL: nothing is wanted of it). In its order those
 * follow one another. */
GraphRange graph_range_of_several(Arena *arena, const Value *values, uint32_t count,
                                  const GraphRange *next);
bool graph_range_bound(Value bound); /* one that a range can have */
/* All that are in both lie in what it becomes. */
void graph_range_narrow(GraphRange *range, GraphRange by);
/* How many entries the index has in the range, some of which may be of other views; counting ends at
 * about `most`. */
uint64_t graph_range_count(const GraphView *view, const GraphIndex *index, const GraphRange *range,
                           uint64_t most);
/* The nodes one behind the other: by their values, ascending or descending, those of one value by
 * ascending id. */
typedef struct GraphInOrder GraphInOrder;
GraphInOrder *graph_in_order(const GraphView *view, const GraphIndex *index,
                             const GraphRange *range, bool descending);
uint32_t graph_in_order_next(GraphInOrder *order, uint64_t *ids, uint32_t max); /* 0: the end */
/* All of them, ascending by id, behind what is in `out` (nodes only). */
void graph_in_order_all(GraphInOrder *order, Neighbors *out);
/* As graph_range_count. */
uint64_t graph_in_order_count(const GraphInOrder *order, uint64_t most);
void graph_in_order_end(GraphInOrder *order); /* NULL is welcome */
/* Scans, as graph_scan does, the nodes that lack the property. */
uint32_t graph_scan_lacking(const GraphView *view, const uint32_t *labels, uint32_t label_count,
                            uint32_t key, uint64_t *cursor, uint64_t *ids, uint32_t max);

/*
 * What finds by a vector index (vector/near.h). It is made above the graph, which keeps it with the
 * index's definition: it never changes, knows the nodes' values as of one version, and beside it the
 * graph notes which of its nodes got another value, or the label, since. Those are to be looked at
 * themselves; and whatever it finds is held against the view, as always.
 */
typedef struct GraphFinder GraphFinder;
/* `thing` is the finder's from now on, and ended by `end` when nobody can use it any more. It knows
 * what a view of `version` shows. */
GraphFinder *graph_finder_new(void *thing, void (*end)(void *thing), uint64_t version);
/* To one that was prepared without a thing. */
void graph_finder_give(GraphFinder *finder, void *thing, void (*end)(void *thing));
void graph_finder_free(GraphFinder *finder); /* one that no graph has; NULL is welcome */
/* The index's, if the view may ask it; else NULL. It lives as long as the view is held. */
const GraphFinder *graph_finder(const GraphView *view, const GraphIndex *index);
void *graph_finder_thing(const GraphFinder *finder);
/* Nodes of the block that are to be looked at themselves, GRAPH_BLOCK_WORDS words; NULL: none. */
const uint64_t *graph_finder_changed(const GraphFinder *finder, uint64_t block);
uint64_t graph_finder_changed_count(const GraphFinder *finder); /* of all, about */
void graph_finder_change(GraphFinder *finder, uint64_t node);   /* of one that no graph has yet */
/* Behind graph_save_all: a part of what an index of the view's finds by, in the order of the indexes. The bytes are
 * as they are found again, 64-byte aligned. */
Error *graph_save_finder(GraphSave *save, const GraphIndex *index, uint32_t part, const void *data,
                         size_t bytes) MUST_CHECK;
/* false: the graph lies on no segment that has it, or `checked` and it is damaged. Unchecked, nothing
 * of it is read. */
bool graph_stored_finder(const Graph *graph, const GraphIndex *index, uint32_t part, bool checked,
                         const void **data, size_t *bytes);

/* ---- writing: one writer at a time ---- */
GraphWriter *graph_writer_begin(Graph *graph);
GraphView graph_writer_view(const GraphWriter *writer);
void graph_writer_publish(GraphWriter *writer); /* makes it the newest version; ends the writer */
/* Ends the writer without publishing: the next one builds on its version, readers see it when
 * graph_publish says so. */
uint64_t graph_writer_finish(GraphWriter *writer);
void graph_publish(Graph *graph, uint64_t version);
uint64_t graph_pending(const Graph *graph); /* the newest version made, published or not */

/* What the writer did, for the log. */
typedef enum GraphChangeKind {
    GRAPH_CREATED_NODE,         /* `count` of them from `id` on; with labels and properties if */
    GRAPH_CREATED_RELATIONSHIP, /* `whole`, else these come as changes of their own */
    GRAPH_SET_PROPERTY,
    GRAPH_SET_LABELS,
    GRAPH_DELETED_NODE,
    GRAPH_DELETED_RELATIONSHIP,
    GRAPH_CREATED_INDEX,
    GRAPH_DROPPED_INDEX
} GraphChangeKind;
typedef struct GraphChange {
    GraphChangeKind kind;
    ValueKind entity; /* SET_PROPERTY */
    uint64_t id;
    uint32_t key;
    uint32_t
        count; /* CREATED_..; SET_PROPERTY: 1, or of so many from `id` on: each its own value, or none */
    bool whole;
    Value value;            /* SET_PROPERTY of one: as it is now */
    const uint32_t *labels; /* SET_LABELS: all of them */
    uint32_t label_count;
    const GraphIndex *index; /* CREATED_INDEX, DROPPED_INDEX */
} GraphChange;
GraphChange graph_change_at(const GraphWriter *writer, size_t i);
/* For replay: the node's labels become exactly these. */
void graph_set_labels(GraphWriter *writer, uint64_t node, const uint32_t *labels, uint32_t count);
/* Takes everything back; ends the writer. `slot`: of the view that the writer's transaction holds:
 * when there is no other, the memory of what is taken back is given back, too. */
#define GRAPH_NO_SLOT UINT32_MAX /* it holds none, or somebody may look without one */
void graph_writer_abort(GraphWriter *writer, uint32_t slot);
size_t graph_savepoint(const GraphWriter *writer);
void graph_rollback_to(GraphWriter *writer, size_t savepoint);
size_t graph_change_count(const GraphWriter *writer);
/* Bytes that the next 1024 rows may take at once, beside what each adds: tables of indexes. */
size_t graph_write_growth(const GraphWriter *writer);
/* ... and graph_settle. */
size_t graph_settle_growth(const GraphWriter *writer);
/* What the changes since then amount to: entities, label sets and properties, each once a time it
 * changed. */
uint64_t graph_change_weight(const GraphWriter *writer, size_t savepoint);

uint32_t graph_name_intern(GraphWriter *writer, NameKind kind, Str text);
Error *graph_create_node(GraphWriter *writer, const uint32_t *labels, uint32_t label_count,
                         uint64_t *out) MUST_CHECK;
Error *graph_create_relationship(GraphWriter *writer, uint32_t type, uint64_t from, uint64_t to,
                                 uint64_t *out) MUST_CHECK;
/* Null removes. The value is copied. True if the property was or is there (something changed). */
bool graph_set_property(GraphWriter *writer, ValueKind kind, uint64_t id, uint32_t key,
                        Value value);
bool graph_add_label(GraphWriter *writer, uint64_t node, uint32_t label); /* true: it had it not */
bool graph_remove_label(GraphWriter *writer, uint64_t node, uint32_t label); /* true: it had it */
bool graph_delete_relationship(GraphWriter *writer,
                               uint64_t relationship); /* false: it is gone already */
bool graph_delete_node(GraphWriter *writer,
                       uint64_t node); /* its relationships are the caller's business */
/* Asked once some thousand nodes where much is looked at, by an index being built or a rule being held
 * against what is there: true ends it with ERROR_CANCELLED. NULL: nobody is asked. */
void graph_writer_heed(GraphWriter *writer, bool (*stop)(void *state), void *state);
bool graph_writer_is_stopped(void *writer); /* asks */
/* Is told how many of the label's nodes an index that is being built has. NULL: nobody is. */
void graph_writer_tell(GraphWriter *writer,
                       void (*tell)(void *state, uint64_t done, uint64_t count), void *state);
Error *graph_create_index(GraphWriter *writer, const GraphIndex *definition)
    MUST_CHECK; /* builds it from what is there */
/* Gives the index a finder, in place of the one it has; NULL: none. While a writer is at work, or when
 * nobody reads; not taken back with what the writer does. */
void graph_set_finder(Graph *graph, const GraphIndex *index, GraphFinder *finder);
/* While a finder is being made of a view that is the newest now: what changes from now on is noted in
 * it, too, until it is set, or NULL is prepared. */
void graph_prepare_finder(GraphWriter *writer, const GraphIndex *index, GraphFinder *finder);
bool graph_drop_index(GraphWriter *writer, Str name); /* false: no such index */
/* ERROR_CONSTRAINT, naming the nodes, when what was done since change `from` breaks a constraint of
 * that kind. */
Error *graph_check(const GraphWriter *writer, GraphConstraint rule, size_t from) MUST_CHECK;

/* ---- writing many at once ---- */
/* Rows to be made out of cells: the i-th one's property columns[c].key is the value at
 * columns[c].cells[rows[i] * stride], which is null or what a property can hold. */
typedef struct GraphCells {
    uint32_t key;
    const Value *cells;
} GraphCells;
typedef struct GraphRows {
    const uint16_t *rows; /* ascending */
    uint32_t count;
    size_t stride;
    const GraphCells *columns;
    uint32_t column_count;
} GraphRows;
/* The number that stands for a set of labels. */
uint32_t graph_label_set(GraphWriter *writer, const uint32_t *labels, uint32_t count);
/* Nodes *first, *first + 1, ..; sets[i] is the label set of the i-th. `unique`: an index under which
 * the caller has seen to it that no two of them, and nobody who is there, are equal; or NULL. */
Error *graph_append_nodes(GraphWriter *writer, const GraphRows *rows, const uint32_t *sets,
                          const GraphIndex *unique, uint64_t *first) MUST_CHECK;
/* Sets property columns[column] of nodes that are there: nodes[rows[i]] gets rows[i]'s cell, if it
 * is not null. */
void graph_set_properties(GraphWriter *writer, const uint64_t *nodes, const GraphRows *rows,
                          uint32_t column);
/* The i-th goes from from[i] to to[i]. Nobody finds them at their ends before graph_settle; until
 * then nothing else may be done with relationships of the type, but taking them back. */
Error *graph_append_relationships(GraphWriter *writer, uint32_t type, const GraphRows *rows,
                                  const uint64_t *from, const uint64_t *to,
                                  uint64_t *first) MUST_CHECK;
struct Workers; /* runtime/workers.h; NULL: without; worker_max as workers_chosen takes it */
void graph_settle(GraphWriter *writer, struct Workers *workers, uint32_t worker_max);
#endif
