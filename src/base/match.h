/* match.h - how well a word that is being typed fits a name. */
#ifndef BASE_MATCH_H
#define BASE_MATCH_H
#include "base/str.h"

enum {
    MATCH_NONE = -1, /* the letters are not there, not in this order */
    MATCH_ALL = 0,   /* nothing was typed */
    MATCH_LETTERS,   /* three letters and more in order, the first one first: `cnt` for `count` */
    MATCH_INSIDE,    /* a part of it */
    MATCH_WORDS,     /* beginnings of its parts: `tlc` for `type_lookup_cost` or `TypeLookupCost` */
    MATCH_BEGINNING, /* its beginning, in other case */
    MATCH_EXACT      /* its beginning */
};
int match_word(Str word, Str name);
#endif
