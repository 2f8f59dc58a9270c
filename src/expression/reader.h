/*
 * reader.h - EntityReader: how expressions look into entities without knowing the store.
 *
 * A plug, owned here, filled in by execution over a graph view. Batch first: ids come many at a
 * time. Text and elements in what is given back live as long as the view. Reading a property or
 * label of an entity that the view no longer shows (deleted in this statement) is
 * ERROR_DELETED_ENTITY.
 */
#ifndef EXPRESSION_READER_H
#define EXPRESSION_READER_H
#include "value/batch.h"

#define NAME_ID_UNKNOWN UINT32_MAX

/* A label, type or property key in a plan: resolved when the plan was made, or (id unknown) looked
 * up again at run time, because a writer may have made it since. */
typedef struct NameRef {
    Str text;
    uint32_t id;
} NameRef;

enum {
    READ_WORDS = 1,    /* a property may come as COLUMN_WORD */
    READ_ASCENDING = 2 /* each id is greater than the one before */
};

typedef struct EntityReader {
    void *state;
    /* One property of `count` entities of one kind (VALUE_NODE or VALUE_RELATIONSHIP): out becomes
     * a column of `count` rows, null where the property is absent. */
    Error *(*property)(void *state, ValueKind kind, NameRef key, const uint64_t *ids, uint32_t how,
                       uint32_t count, Arena *arena, Column *out);
    /* All properties of one entity as a map. */
    Error *(*properties)(void *state, Value entity, Arena *arena, Value *out);
    Error *(*labels)(void *state, uint64_t node, Arena *arena,
                     Value *out); /* list of strings, in order of their ids */
    Error *(*has_label)(void *state, NameRef label, const uint64_t *ids, uint32_t count,
                        uint8_t *out);
    Error *(*type)(void *state, uint64_t relationship, Str *out);
    Error *(*ends)(void *state, uint64_t relationship, uint64_t *start, uint64_t *end);
    /* Number of a node's relationships of a type (NULL: of any) and direction (0 out, 1 in, 2
     * both). */
    Error *(*degree)(void *state, uint64_t node, const NameRef *type, int direction, uint64_t *out);
} EntityReader;
#endif
