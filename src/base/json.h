/*
 * json.h - JSON (RFC 8259) to a tree and back. Numbers keep their text, so that 64-bit integers
 * stay exact.
 */
#ifndef BASE_JSON_H
#define BASE_JSON_H
#include "base/error.h"
#include "base/str.h"

enum { JSON_DEPTH_MAX = 1000 }; /* a deeper text is an error: the reader recurses */
typedef enum JsonKind {
    JSON_NULL,
    JSON_FALSE,
    JSON_TRUE,
    JSON_NUMBER,
    JSON_STRING,
    JSON_LIST,
    JSON_OBJECT
} JsonKind;
typedef struct Json {
    JsonKind kind;
    Str text; /* string: decoded UTF-8; number: as written; member of an object: see `key` */
    Str key;  /* name, if this is a member of an object */
    struct Json *items; /* list and object: `count` of them, in order */
    size_t count;
} Json;

/* One value and blanks around it; anything behind is an error with its place. The tree lives in
 * `arena` and may borrow from `text`. Duplicate names are kept; json_get gives the last. */
Error *json_parse(Arena *arena, Str text, const Json **out) MUST_CHECK;
const Json *json_get(const Json *object, const char *name); /* NULL: none, or not an object */
void json_put_string(Buffer *out, Str text); /* with quotes; bad UTF-8 becomes U+FFFD */
#endif
