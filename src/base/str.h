/*
 * str.h - text with a length, and a buffer to make it in. UTF-8 throughout; a Str is borrowed,
 * never owned.
 */
#ifndef BASE_STR_H
#define BASE_STR_H
#include "base/memory.h"
#include <stdbool.h>
#include <string.h>

typedef struct Str {
    const char *data; /* not ended by NUL */
    size_t bytes;
} Str;

#define STR(literal) ((Str){("" literal), sizeof(literal) - 1})
#define STR_ARG(str) (int)(str).bytes, (str).data /* for "%.*s" */

static inline Str str_from(const char *text)
{
    return (Str){text, strlen(text)};
}
static inline bool str_equal(Str a, Str b)
{
    return a.bytes == b.bytes && (a.bytes == 0 || memcmp(a.data, b.data, a.bytes) == 0);
}
int str_compare(Str a, Str b);            /* by bytes, which is by code point; -1, 0, 1 */
bool str_equal_ignore_case(Str a, Str b); /* ASCII letters */
Str str_copy(Arena *arena, Str text);     /* and a NUL behind it */
size_t
str_distance(Str a, Str b,
             size_t max); /* edits (optimal string alignment), or max + 1 if more; case ignored */

/* UTF-8. `utf8_next` reads one code point at *at (below bytes), moves *at on, and gives -1 for a
 * bad byte. */
int32_t utf8_next(Str text, size_t *at);
size_t utf8_put(char out[4], uint32_t code_point); /* bytes written */
bool utf8_valid(Str text);
size_t utf8_count(Str text);                      /* code points */
size_t utf8_offset(Str text, size_t code_points); /* bytes of the first so many code points */

/* A growing text, ended by NUL. {0} is empty and ready; buffer_free gives the memory back. */
typedef struct Buffer {
    char *data;
    size_t bytes, capacity;
} Buffer;
void buffer_free(Buffer *buffer);
void buffer_clear(Buffer *buffer);
char *buffer_reserve(Buffer *buffer, size_t bytes); /* room for so many more; gives where they go */
void buffer_append(Buffer *buffer, const void *data, size_t bytes);
void buffer_str(Buffer *buffer, Str text);
void buffer_text(Buffer *buffer, const char *text);
void buffer_printf(Buffer *buffer, const char *format, ...) __attribute__((format(printf, 2, 3)));
Str buffer_view(const Buffer *buffer);
static inline void buffer_char(Buffer *buffer, char c)
{
    if (buffer->bytes + 1 >= buffer->capacity) buffer_reserve(buffer, 1);
    buffer->data[buffer->bytes++] = c;
    buffer->data[buffer->bytes] = '\0';
}

/* The shortest decimal text that reads back as the same double, always with '.' or an exponent
 * ("1.0", "1e+300" is written 1e300); NaN, Infinity, -Infinity by name. Gives the length; `out` is
 * ended by NUL. */
enum { FLOAT_TEXT_MAX = 32 };
size_t float_print(char out[FLOAT_TEXT_MAX], double value);
/* The same of a component of a vector: what reads back as the same 32-bit float. */
void float32_print(char out[FLOAT_TEXT_MAX], float value);
/* As printf's %lld, which takes five times as long. */
void buffer_integer(Buffer *out, int64_t number);
/* Strict readers of a whole text: no blanks, no rest. */
bool integer_parse(Str text, int64_t *out); /* decimal, sign allowed; false also on overflow */
bool float_parse(Str text, double *out);    /* decimal or exponent form; no hex, no inf/nan words */
#endif
