/* meant.h - did you mean: of the names there are, the one that was most likely meant. */
#ifndef BASE_MEANT_H
#define BASE_MEANT_H
#include "base/error.h"
#include "base/str.h"

enum { MEANT_BYTES_MAX = 64 }; /* a longer name is never meant */

typedef struct Meant {
    Str asked;
    size_t distance;
    char name[MEANT_BYTES_MAX]; /* empty: none of those seen is near */
} Meant;

Meant meant_of(Str asked); /* borrows it; then the names are seen one after the other */
void meant_see(Meant *nearest, Str name);
/* The words of a text, "dark light", "auto|never" or "on, off". */
void meant_see_words(Meant *nearest, const char *words);
/* Gives the error the hint "did you mean .. ?", or where nothing is near `otherwise`; "": none. */
Error *meant_hint(Error *error, const Meant *nearest, const char *otherwise);
/* The same for a file or folder that is not there, of those beside it. */
Error *meant_file_hint(Error *error, const char *path, const char *otherwise);
/* Its path, written into `out`; false: none is near. */
bool meant_file(const char *path, Buffer *out);
#endif
