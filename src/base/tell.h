/*
 * tell.h - what a long look at something finds, told line by line while it looks.
 *
 * The one who looks knows no face; the one who prints knows no files. A finding is something wrong,
 * with what to do about it; a fact is worth knowing and no more.
 *
 * Now and then the one who listens is asked whether the look shall go on, and told how far it is. A look
 * of several parts says of each which share of the whole it is; a part counts in units of its own.
 */
#ifndef BASE_TELL_H
#define BASE_TELL_H
#include "base/error.h"
#include <stdbool.h>
#include <stdint.h>

typedef enum TellKind { TELL_FACT, TELL_FINDING } TellKind;
typedef struct TellPart {
    double before, behind; /* shares of the whole; both 0: it is the whole */
} TellPart;
typedef struct Tell {
    /* The texts are borrowed for the call. `advice`: "" for none. */
    void (*line)(void *user, TellKind kind, const char *where, const char *what,
                 const char *advice);
    void *user;
    uint64_t findings; /* so far */
    /* `done`: which part of the whole, 0 to 1; true: stop. NULL: nobody is asked. */
    bool (*ask)(void *user, double done);
    TellPart part; /* at hand */
    double done;   /* of the whole, as last told */
    bool stopped;  /* from then on nobody is asked any more, and nothing is found */
} Tell;

void tell_line(Tell *to, TellKind kind, const char *where, const char *advice, const char *format,
               ...) __attribute__((format(printf, 5, 6)));
/* A part of the one at hand begins, `from` and `until` of it; gives the one at hand, for tell_leave. */
TellPart tell_enter(Tell *to, double from, double until);
void tell_leave(Tell *to, TellPart outer);
/* Of the part at hand, `done` of `count` are done: shall it stop? */
bool tell_done(Tell *to, uint64_t done, uint64_t count);
/* The same where nobody knows how much is done. `to`: a Tell, so that it may be handed to whoever asks. */
bool tell_ask(void *to);
/* ERROR_CANCELLED if it was stopped. */
Error *tell_stopped(const Tell *to) MUST_CHECK;
#endif
