/* csv.h - fields of separated text as RFC 4180 writes them. */
#ifndef BASE_CSV_H
#define BASE_CSV_H
#include "base/str.h"

/* Puts quotes around a field that is empty (an unquoted empty field is null) or holds the delimiter,
 * a quote or a line end; quotes inside are doubled. */
void csv_put_field(Buffer *out, Str text, char delimiter, char quote);
#endif
