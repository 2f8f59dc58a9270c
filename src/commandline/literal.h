/* literal.h - the value of a parameter as a person writes it: -p NAME=VALUE. */
#ifndef COMMANDLINE_LITERAL_H
#define COMMANDLINE_LITERAL_H
#include "base/str.h"
#include "contextql.h"

enum { LITERAL_DEPTH_MAX = 100 }; /* lists in lists; deeper is text */

/* A number, 'text' or "text", true, false, null, [list], {key: value}, blanks around it; what is
 * none of these is a text as it stands. Nothing is evaluated, so that a parameter may come from
 * anywhere. The caller frees it; NULL: not UTF-8. */
contextql_value *literal_read(Str text);
#endif
