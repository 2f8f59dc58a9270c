/*
 * json.h - values as JSON, the one form for the protocol, for files and for cells of CSV.
 *
 * Plain JSON where JSON can say it. What it cannot say is an object whose only key begins with '$':
 *
 *     {"$float": "NaN"}   {"$vector": [..]}   {"$date": "1984-10-11"} and the other temporal kinds
 *     {"$node": {"id", "labels", "properties"}}   {"$rel": {"id", "type", "start", "end", "properties"}}
 *     {"$path": [node, relationship, node, ..]}   {"$map": {..}} for a map with such a key
 *
 * Integers have no point, floats always one or an exponent, and read back as the same double.
 */
#ifndef EXPRESSION_JSON_H
#define EXPRESSION_JSON_H
#include "expression/reader.h"

/* Appends `value`. Entities are read through `reader` (NULL: without labels, type, properties), in
 * `arena`; one that is gone shows only its id. */
void value_json(Buffer *out, Value value, const EntityReader *reader, Arena *arena);
#endif
