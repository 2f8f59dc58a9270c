/* tell.c - a line for whoever listens. */
#include "config.h"

#include "base/str.h"
#include "base/tell.h"
#include <stdarg.h>
#include <stdio.h>

enum { LINE_BYTES_MAX = 1024 }; /* names and numbers; a longer one is cut */

void tell_line(Tell *to, TellKind kind, const char *where, const char *advice, const char *format,
               ...)
{
    char what[LINE_BYTES_MAX];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    if (kind == TELL_FINDING) to->findings++;
    to->line(to->user, kind, where, what, advice);
}
