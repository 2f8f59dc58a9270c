/*
 * error.c - errors are values. What an error says is copied into it; its code is a row of
 * contextql/errors.def.
 */
#include "config.h"

#include "base/error.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct Error {
    ErrorCode code;
    bool placed;
    uint64_t memory_limit; /* of error_memory that nobody named; else 0 */
    size_t offset, length;
    char *message, *hint;
    const char **expected;
    size_t expected_count;
};

typedef struct CodeRow {
    int number;
    const char *type, *detail, *status, *advice;
} CodeRow;

static const CodeRow rows[] = {
#define ERROR_CODE(name, number, type, detail, gqlstatus, meaning, advice)                         \
    {number, type, detail, gqlstatus, advice},
#include "contextql/errors.def"
#undef ERROR_CODE
};

static char *format_text(const char *format, va_list args)
{
    va_list again;
    va_copy(again, args);
    int bytes = vsnprintf(NULL, 0, format, again);
    va_end(again);
    char *text = mem_alloc((size_t)bytes + 1);
    vsnprintf(text, (size_t)bytes + 1, format, args);
    return text;
}

static char *text_of(const char *format, ...) __attribute__((format(printf, 1, 2)));
static char *text_of(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *text = format_text(format, args);
    va_end(args);
    return text;
}

static Error *error_of(ErrorCode code, char *message)
{
    Error *error = mem_calloc(1, sizeof *error);
    error->code = code;
    error->message = message;
    return error;
}

Error *error_new(ErrorCode code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *message = format_text(format, args);
    va_end(args);
    return error_of(code, message);
}

Error *error_errno(ErrorCode code, int errno_value, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *message = format_text(format, args);
    va_end(args);
    char reason[128];
    const char *text =
        strerror_r(errno_value, reason, sizeof reason); /* the GNU form gives the text */
    size_t bytes = strlen(message) + strlen(text) + 3;
    char *whole = mem_alloc(bytes);
    snprintf(whole, bytes, "%s: %s", message, text);
    mem_free(message);
    return error_of(code, whole);
}

/* ---- memory ---- */

static char *memory_text(const char *who, uint64_t limit)
{
    char number[64];
    snprintf(number, sizeof number, "%llu bytes", (unsigned long long)limit);
    const char *what = who == NULL ? "the statement" : who,
               *of = who == NULL ? "its" : "the statement's";
    return limit == UINT64_MAX
               ? text_of("%s needs more memory than the machine gives", what)
               : text_of("%s needs more memory than %s limit of %s", what, of, number);
}

Error *error_memory(void)
{
    uint64_t limit = mem_limit();
    if (limit == 0 || mem_total() < limit / 2) limit = UINT64_MAX; /* it was the machine */
    Error *error = error_of(ERROR_LIMIT, memory_text(NULL, limit));
    error->memory_limit = limit;
    if (limit != UINT64_MAX && mem_account_held() < (int64_t)(limit / 2))
        return error_hint(error,
                          "raise memory_limit, or end what else holds memory: it is the limit "
                          "of all statements and the graph's new part together");
    return error_hint(error, "raise memory_limit, or ask for fewer rows at once");
}

bool error_is_nameless(const Error *error)
{
    return error != NULL && error->memory_limit != 0;
}

Error *error_named(Error *error, const char *who)
{
    if (error == NULL || error->memory_limit == 0) return error;
    mem_free(error->message);
    error->message = memory_text(who, error->memory_limit);
    error->memory_limit = 0;
    return error;
}

Error *error_if_short(size_t bytes)
{
    enum { SMALL_BYTES = 4096 }; /* counted soon enough without a question */
    bool is_short = mem_is_short() || (bytes > SMALL_BYTES && !mem_has_room(bytes));
    return is_short ? error_memory() : NULL;
}

Error *error_at(Error *error, size_t offset, size_t length)
{
    if (error == NULL || error->placed) return error;
    error->placed = true;
    error->offset = offset;
    error->length = length;
    return error;
}

Error *error_hint(Error *error, const char *format, ...)
{
    if (error == NULL || error->hint != NULL) return error;
    va_list args;
    va_start(args, format);
    error->hint = format_text(format, args);
    va_end(args);
    return error;
}

Error *error_expect(Error *error, const char *const *tokens, size_t count)
{
    if (error == NULL || error->expected != NULL || count == 0) return error;
    error->expected = mem_alloc(count * sizeof *tokens);
    memcpy(error->expected, tokens, count * sizeof *tokens);
    error->expected_count = count;
    return error;
}

void error_drop(Error *error)
{
    if (error == NULL) return;
    mem_free(error->message);
    mem_free(error->hint);
    mem_free(error->expected);
    mem_free(error);
}

ErrorCode error_code(const Error *error)
{
    return error->code;
}

const char *error_message(const Error *error)
{
    return error->message;
}

const char *error_hint_text(const Error *error)
{
    return error->hint == NULL ? "" : error->hint;
}

bool error_has_place(const Error *error)
{
    return error->placed;
}

size_t error_offset(const Error *error)
{
    return error->offset;
}

size_t error_length(const Error *error)
{
    return error->length;
}

const char *const *error_expected(const Error *error, size_t *count)
{
    *count = error->expected_count;
    return error->expected;
}

static const CodeRow *row_of(ErrorCode code)
{
    static const CodeRow unknown = {0, "", "", "50000", ""};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].number == (int)code) return &rows[i];
    return &unknown;
}

const char *error_code_type(ErrorCode code)
{
    return row_of(code)->type;
}

const char *error_code_detail(ErrorCode code)
{
    return row_of(code)->detail;
}

const char *error_code_status(ErrorCode code)
{
    return row_of(code)->status;
}

const char *error_code_advice(ErrorCode code)
{
    return row_of(code)->advice;
}
