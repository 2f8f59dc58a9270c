/*
 * cell.h - the types that USING {types: {..}} names, and cells as values of them.
 *
 *     INTEGER FLOAT BOOLEAN STRING   DATE LOCALTIME TIME LOCALDATETIME DATETIME DURATION
 *     LIST<one of those>   VECTOR   VECTOR(n)
 *
 * Lists and vectors stand in a cell as JSON: [1, 2.5]. Letters of types are of either case.
 */
#ifndef EXECUTION_CELL_H
#define EXECUTION_CELL_H
#include "value/value.h"

typedef struct CellCast {
    ValueKind kind;      /* VALUE_NULL: no type was named */
    ValueKind element;   /* of a list */
    uint32_t dimensions; /* of a vector; 0: any number */
    Str text;            /* as it was named */
} CellCast;

bool cell_cast_parse(Str text, CellCast *out); /* false: no such type */
/* Makes *cell (text, or a value that came typed) a value of the type; what is made lies in `arena`.
 * Null stays. False: it does not fit, and stays as it was. */
bool cell_cast_apply(const CellCast *cast, Arena *arena, Value *cell);
#endif
