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
    if (to->stopped) return;
    if (kind == TELL_FINDING) to->findings++;
    to->line(to->user, kind, where, what, advice);
}

TellPart tell_enter(Tell *to, double from, double until)
{
    TellPart outer = to->part;
    double share = 1 - outer.before - outer.behind;
    to->part.before = outer.before + share * from;
    to->part.behind = outer.behind + share * (1 - until);
    return outer;
}

void tell_leave(Tell *to, TellPart outer)
{
    to->part = outer;
}

bool tell_done(Tell *to, uint64_t done, uint64_t count)
{
    double share = 1 - to->part.before - to->part.behind;
    if (done > count) done = count; /* it was an estimate */
    double now = to->part.before + share * (count == 0 ? 1 : (double)done / (double)count);
    if (now > to->done) to->done = now; /* a part in which two things count from 0 leads not back */
    return tell_ask(to);
}

bool tell_ask(void *to)
{
    Tell *asked = to;
    if (!asked->stopped && asked->ask != NULL)
        asked->stopped = asked->ask(asked->user, asked->done);
    return asked->stopped;
}

Error *tell_stopped(const Tell *to)
{
    return to->stopped ? error_new(ERROR_CANCELLED, "it was cancelled") : NULL;
}
