/*
 * tell.h - what a long look at something finds, told line by line while it looks.
 *
 * The one who looks knows no face; the one who prints knows no files. A finding is something wrong,
 * with what to do about it; a fact is worth knowing and no more.
 */
#ifndef BASE_TELL_H
#define BASE_TELL_H
#include <stdint.h>

typedef enum TellKind { TELL_FACT, TELL_FINDING } TellKind;
typedef struct Tell {
    /* The texts are borrowed for the call. `advice`: "" for none. */
    void (*line)(void *user, TellKind kind, const char *where, const char *what,
                 const char *advice);
    void *user;
    uint64_t findings; /* so far */
} Tell;

void tell_line(Tell *to, TellKind kind, const char *where, const char *advice, const char *format,
               ...) __attribute__((format(printf, 5, 6)));
#endif
