/*
 * error.h - errors are values: NULL is success.
 *
 * An Error carries a code (one row of contextql/errors.def), a message, a hint, the place in the
 * query text and the tokens that could have stood there. It is made where it is found, passed up by
 * TRY, printed by a face only.
 */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H
#include "base/memory.h"
#include <stdbool.h>

typedef enum ErrorCode {
    ERROR_NONE = 0,
#define ERROR_CODE(name, number, type, detail, gqlstatus, meaning, advice) ERROR_##name = number,
#include "contextql/errors.def"
#undef ERROR_CODE
} ErrorCode;

typedef struct Error Error;

#define TRY(expression)                                                                            \
    do {                                                                                           \
        Error *try_error_ = (expression);                                                          \
        if (try_error_ != NULL) return try_error_;                                                 \
    } while (0)

/* Never NULL. The caller owns it: passes it up or drops it. */
Error *error_new(ErrorCode code, const char *format, ...) MUST_CHECK
    __attribute__((format(printf, 2, 3)));
/* The same with the reason of `errno` behind the message. */
Error *error_errno(ErrorCode code, int errno_value, const char *format, ...) MUST_CHECK
    __attribute__((format(printf, 3, 4)));
/* The account at work is short (mem_is_short): ERROR_LIMIT, which says so of the statement. Who needs
 * the memory is not known where that is found: error_named, further up, puts `who` in its place, once;
 * it leaves all other errors as they are. */
Error *error_memory(void) MUST_CHECK;
Error *error_named(Error *error, const char *who);
bool error_is_nameless(const Error *error); /* of error_memory, and nobody named it; NULL: false */
/* error_memory() when it is, or when `bytes` are more than what is left; NULL. */
Error *error_if_short(size_t bytes) MUST_CHECK;
/* The next three change and return `error` (NULL stays NULL). A place or hint already set is kept.
 */
Error *error_at(Error *error, size_t offset, size_t length);
Error *error_hint(Error *error, const char *format, ...) __attribute__((format(printf, 2, 3)));
Error *error_expect(Error *error, const char *const *tokens,
                    size_t count); /* copies the array; texts are constants */
void error_drop(Error *error);     /* NULL is welcome */

ErrorCode error_code(const Error *error);
const char *error_message(const Error *error);
const char *error_hint_text(const Error *error); /* "" if there is none */
bool error_has_place(const Error *error);
size_t error_offset(const Error *error);
size_t error_length(const Error *error);
const char *const *error_expected(const Error *error, size_t *count);

/* The columns of errors.def; "" for an unknown code. */
const char *error_code_type(ErrorCode code);
const char *error_code_detail(ErrorCode code);
const char *error_code_status(ErrorCode code); /* GQLSTATUS, five characters */
const char *error_code_advice(ErrorCode code);
#endif
