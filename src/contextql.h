/*
 * contextql.h - the one public header of ContextQL.
 *
 * A program opens a database directory, connects more sessions, prepares statements, steps through
 * rows, closes. The shell, the Lua binding and the HTTP server are such programs: they know nothing
 * of the engine but what stands here.
 *
 * Results:   every call that can fail returns an int: CONTEXTQL_OK (0), CONTEXTQL_ROW,
 *            CONTEXTQL_DONE or an error code from contextql/errors.def; contextql_error() then
 *            tells the whole story of the last failure on that handle.
 * Ownership: what a function named *_open, *_connect, *_prepare, *_new gives, the caller closes
 *            with the matching *_close, *_finalize, *_free (NULL is allowed). Text and bytes lent
 *            out live until the next step, reset or finalize of their statement.
 * Threads:   a handle (contextql, statement) is used by one thread at a time; connect as many
 *            sessions to one open database as there are threads. contextql_interrupt() alone may
 *            come from any thread.
 * Writing:   any number of sessions read, one transaction writes: it takes the writer token at its
 *            first write (waits busy_timeout, 5 s, then an error). A second process that opens for
 *            writing gets "locked by pid N". CONTEXTQL_DONE acknowledges an autocommitted
 *            statement; its rows do not.
 * Time:      int64_t nanoseconds since 1970-01-01 UTC.
 */
#ifndef CONTEXTQL_H
#define CONTEXTQL_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#ifdef __cplusplus
extern "C" {
#endif
#define CONTEXTQL_VERSION "0.1.0"
#define CONTEXTQL_API     __attribute__((visibility("default")))

CONTEXTQL_API const char *contextql_version(void); /* "0.1.0" */

typedef struct contextql contextql;                     /* a session on an open database */
typedef struct contextql_statement contextql_statement; /* a prepared query and its cursor */
typedef struct contextql_value contextql_value;         /* one value, opaque */

/* Results. Errors are the numbers of contextql/errors.def, all above 999; those a program decides
 * on have names here. */
enum {
    CONTEXTQL_OK = 0,
    CONTEXTQL_ROW = 100,
    CONTEXTQL_DONE = 101,
    CONTEXTQL_READ_ONLY = 4001, /* nothing may be written here */
    CONTEXTQL_LOCKED = 4002,    /* somebody else writes: "locked by pid N" */
    CONTEXTQL_CONFLICT = 4003,  /* somebody else wrote first: run the transaction again */
    CONTEXTQL_CANCELLED = 4010,
    CONTEXTQL_TIMEOUT = 4011,
    CONTEXTQL_MISUSE = 4013,
    CONTEXTQL_SCRIPT = 4020, /* a function or procedure of the program failed */
    CONTEXTQL_NOT_A_DATABASE = 5001,
    CONTEXTQL_CORRUPT = 5002,
    CONTEXTQL_IO = 5004,
    CONTEXTQL_FULL = 5005
};
typedef enum contextql_type {
    CONTEXTQL_NULL,
    CONTEXTQL_BOOLEAN,
    CONTEXTQL_INTEGER,
    CONTEXTQL_FLOAT,
    CONTEXTQL_STRING,
    CONTEXTQL_BYTES,
    CONTEXTQL_TEMPORAL,
    CONTEXTQL_LIST,
    CONTEXTQL_MAP,
    CONTEXTQL_VECTOR,
    CONTEXTQL_NODE,
    CONTEXTQL_RELATIONSHIP,
    CONTEXTQL_PATH
} contextql_type;
typedef struct contextql_text {
    const char *data;
    size_t size;
} contextql_text; /* UTF-8, not ended by NUL */

typedef enum contextql_phase { CONTEXTQL_COMPILE_TIME, CONTEXTQL_RUNTIME } contextql_phase;
typedef struct contextql_error_info { /* a warning too: type and detail are then "" */
    int code;                         /* CONTEXTQL_... */
    const char *status;               /* GQLSTATUS, five characters */
    const char *type, *detail; /* in openCypher's words: "SyntaxError", "UndefinedVariable" */
    contextql_phase phase;
    const char *message, *hint;  /* what went wrong; what may help ("" if nothing) */
    size_t offset, length;       /* where in the text; offset SIZE_MAX if nowhere */
    const char *const *expected; /* tokens that could have stood there */
    size_t expected_count;
} contextql_error_info;

/* ---- sessions ---- */
typedef struct contextql_options {
    bool read_only, create;
    uint64_t memory_bytes_max; /* as the setting memory_limit; 0: three quarters of the machine */
    unsigned workers;          /* 0: as many as the machine suggests */
} contextql_options;
/* `directory`: a path, or ":memory:" for a scratch database. When it fails *out is a handle that
 * can only tell the error and be closed (NULL when there is no memory for that). */
CONTEXTQL_API int contextql_open(const char *directory, const contextql_options *, contextql **out);
CONTEXTQL_API int
contextql_connect(contextql *, contextql **out); /* another session on the same open database */
CONTEXTQL_API int contextql_close(contextql *);  /* a session; with the last one the database */
/* Bytes that a crash left of commits that were not acknowledged: found behind the last commit when
 * the database was opened, and not taken for one. 0: it was closed, or nothing was under way. */
CONTEXTQL_API uint64_t contextql_discarded(const contextql *);
CONTEXTQL_API void contextql_error(const contextql *, contextql_error_info *out);
/* Stops the statement that runs, or the next to run of those now prepared: no interrupt falls into
 * the gap between prepare and the first step. Forgotten when a statement ends or is reset, and when
 * one is prepared while no other is open. Where a statement wrote much, a thread of the library takes it
 * back while the session goes on: nobody sees it, and whoever needs what it holds waits, which an
 * interrupt ends, too; so it ends waiting for another session's transaction. */
CONTEXTQL_API void contextql_interrupt(contextql *);
CONTEXTQL_API bool contextql_in_transaction(const contextql *); /* between BEGIN and its end */
CONTEXTQL_API int contextql_set(contextql *, const char *setting, const char *value);
/* NULL: there is no such setting, and contextql_error says which may be meant. */
CONTEXTQL_API const char *contextql_get(contextql *, const char *setting);
typedef struct contextql_setting {
    const char *name, *values, *meaning;
} contextql_setting;
/* The settings one by one, by name; false: there are no more. */
CONTEXTQL_API bool contextql_setting_at(size_t i, contextql_setting *out);
/* Now and then, while something runs that takes long: which part of it is done, 0 to 1, and how many
 * rows were read (0: that is not counted). */
typedef bool contextql_progress_fn(void *user, double done, uint64_t rows); /* true: stop */
CONTEXTQL_API void contextql_progress(contextql *, contextql_progress_fn *, void *user);

/* ---- looking after a database: no session is needed ---- */
enum { CONTEXTQL_FOUND = 102 }; /* it was looked at, and something is wrong with it */
typedef enum contextql_note_kind {
    CONTEXTQL_FACT,    /* worth knowing */
    CONTEXTQL_FINDING, /* something is wrong there */
    CONTEXTQL_FAILURE  /* why the call fails: its last note */
} contextql_note_kind;
typedef struct contextql_note { /* texts live until the function returns */
    contextql_note_kind kind;
    const char *where, *what; /* a file, a part of one, an index; `where` of a failure is "" */
    const char *advice;       /* what to do; "" if nothing */
} contextql_note;
typedef void contextql_note_fn(void *user, const contextql_note *);
/* `progress` may be NULL, and so may `note`; both get `user`. When it says stop: CONTEXTQL_CANCELLED, and
 * what was made of a target is left, no database. */
/* Reads all of a database directory, beside a writer too, and writes nothing: every checksum, and
 * everything that stands in two places against the other. CONTEXTQL_OK: sound; CONTEXTQL_FOUND; or
 * an error code: it cannot be opened as it is. */
CONTEXTQL_API int contextql_check(const char *directory, contextql_note_fn *,
                                  contextql_progress_fn *, void *user);
/* Copies a database into `target`, which must not be there, beside a writer too: everything up to
 * one durable commit, synced and read back. CONTEXTQL_OK or an error code; a target that was not
 * finished is no database. */
CONTEXTQL_API int contextql_backup(const char *directory, const char *target, contextql_note_fn *,
                                   contextql_progress_fn *, void *user);
/* Makes `target`, which must not be there, a new database of what can be read of a damaged one.
 * CONTEXTQL_OK: everything; CONTEXTQL_FOUND: some may be missing, the findings say what; or an
 * error code. */
CONTEXTQL_API int contextql_recover(const char *directory, const char *target, contextql_note_fn *,
                                    contextql_progress_fn *, void *user);
/* What stands in one file of a log, a segment or LOCK, whatever its bytes are; returns as
 * contextql_check does. */
CONTEXTQL_API int contextql_inspect(const char *file, contextql_note_fn *, void *user);

/* ---- statements: one row at a time ---- */
/* Prepares the first statement of `text`; `rest` (may be NULL) gets where the next one begins. A
 * text of blanks and comments gives OK and NULL. */
CONTEXTQL_API int contextql_prepare(contextql *, const char *text, size_t size,
                                    contextql_statement **out, const char **rest);
CONTEXTQL_API int contextql_parameter_count(const contextql_statement *);
CONTEXTQL_API const char *contextql_parameter_name(const contextql_statement *,
                                                   int parameter); /* without the $ */
/* Binding a parameter that the statement does not use is no error. */
CONTEXTQL_API int contextql_bind(contextql_statement *, const char *parameter,
                                 const contextql_value *);
CONTEXTQL_API int contextql_bind_integer(contextql_statement *, const char *parameter, int64_t);
CONTEXTQL_API int contextql_bind_float(contextql_statement *, const char *parameter, double);
CONTEXTQL_API int contextql_bind_string(contextql_statement *, const char *parameter, const char *,
                                        size_t);
CONTEXTQL_API int contextql_bind_vector(contextql_statement *, const char *parameter, const float *,
                                        size_t dimensions); /* 1 to 16384, finite */
CONTEXTQL_API int contextql_step(contextql_statement *);    /* ROW, DONE or an error */
CONTEXTQL_API int contextql_reset(contextql_statement *);
CONTEXTQL_API void contextql_finalize(contextql_statement *);
CONTEXTQL_API int contextql_column_count(const contextql_statement *);
CONTEXTQL_API const char *contextql_column_name(const contextql_statement *, int column);
CONTEXTQL_API const contextql_value *contextql_column(const contextql_statement *, int column);

typedef struct contextql_stats { /* what a statement did; whole after DONE */
    uint64_t rows, nodes_created, nodes_deleted, relationships_created, relationships_deleted;
    uint64_t properties_set, labels_added, labels_removed;
    uint64_t rows_created, rows_matched, rows_skipped; /* MERGE and COPY: how rows were met */
    int64_t elapsed_ns; /* of running, from the first step to the end, and what the program did
                         * between its steps */
    int64_t parse_ns, plan_ns; /* of contextql_prepare */
    const char *durability; /* what the acknowledgement stands for: "synced", "written", "none" */
    size_t warning_count;
} contextql_stats;
CONTEXTQL_API void contextql_statement_stats(const contextql_statement *, contextql_stats *out);
CONTEXTQL_API int contextql_statement_warning(const contextql_statement *, size_t i,
                                              contextql_error_info *out);

/* ---- values ---- */
CONTEXTQL_API contextql_type contextql_value_type(const contextql_value *);
CONTEXTQL_API bool contextql_value_boolean(const contextql_value *);
CONTEXTQL_API int64_t contextql_value_integer(const contextql_value *);
CONTEXTQL_API double contextql_value_float(const contextql_value *);
CONTEXTQL_API contextql_text contextql_value_string(const contextql_value *);
CONTEXTQL_API const float *contextql_value_vector(const contextql_value *, size_t *dimensions);
CONTEXTQL_API size_t contextql_value_count(const contextql_value *); /* list, map, path, node */
CONTEXTQL_API const contextql_value *contextql_value_at(const contextql_value *, size_t i,
                                                        contextql_text *key);
CONTEXTQL_API contextql_text contextql_value_bytes(const contextql_value *);
CONTEXTQL_API int contextql_value_print(const contextql_value *, char *buffer,
                                        size_t size); /* as snprintf */
/* As JSON, with what JSON cannot say as an object whose only key begins with '$': {"$date": ..}. */
CONTEXTQL_API contextql_text contextql_value_json(const contextql_value *);

typedef enum contextql_temporal_kind {
    CONTEXTQL_DATE,
    CONTEXTQL_LOCAL_TIME,
    CONTEXTQL_TIME,
    CONTEXTQL_LOCAL_DATETIME,
    CONTEXTQL_DATETIME,
    CONTEXTQL_DURATION
} contextql_temporal_kind;
typedef struct contextql_temporal { /* fields that a kind has not are 0 */
    contextql_temporal_kind kind;
    int64_t months, days;         /* duration; date and datetimes: days since 1970-01-01 (local) */
    int64_t seconds, nanoseconds; /* duration; else since midnight (local) */
    int32_t offset_seconds;       /* time, datetime: east of UTC */
    contextql_text zone;          /* datetime: the zone's name, or empty */
} contextql_temporal;
CONTEXTQL_API bool contextql_value_temporal(const contextql_value *, contextql_temporal *out);

/* Entities: ids never change and are not used again while a retained snapshot shows the entity. */
CONTEXTQL_API uint64_t contextql_value_id(const contextql_value *);       /* node, relationship */
CONTEXTQL_API uint64_t contextql_value_start_id(const contextql_value *); /* relationship */
CONTEXTQL_API uint64_t contextql_value_end_id(const contextql_value *);
CONTEXTQL_API contextql_text contextql_value_relationship_type(const contextql_value *);
CONTEXTQL_API size_t contextql_value_label_count(const contextql_value *); /* node */
CONTEXTQL_API contextql_text contextql_value_label(const contextql_value *, size_t i);
/* An entry of a map, a property of an entity; NULL: there is none. */
CONTEXTQL_API const contextql_value *contextql_value_get(const contextql_value *, const char *key);

/* Made by the program, freed by it; what goes into a list or map is copied. NULL: no memory, or not
 * a value. */
CONTEXTQL_API contextql_value *contextql_value_new_null(void);
CONTEXTQL_API contextql_value *contextql_value_new_boolean(bool);
CONTEXTQL_API contextql_value *contextql_value_new_integer(int64_t);
CONTEXTQL_API contextql_value *contextql_value_new_float(double);
CONTEXTQL_API contextql_value *contextql_value_new_string(const char *, size_t);
CONTEXTQL_API contextql_value *contextql_value_new_bytes(const void *, size_t);
CONTEXTQL_API contextql_value *
contextql_value_new_vector(const float *, size_t dimensions); /* 1 to 16384, finite; else NULL */
/* datetime: with a zone the offset only decides where its clock showed the time twice. */
CONTEXTQL_API contextql_value *contextql_value_new_temporal(const contextql_temporal *);
CONTEXTQL_API contextql_value *
contextql_value_new_temporal_text(contextql_temporal_kind, const char *, size_t); /* ISO 8601 */
CONTEXTQL_API contextql_value *contextql_value_new_list(void);
CONTEXTQL_API contextql_value *contextql_value_new_map(void);
CONTEXTQL_API int contextql_value_append(contextql_value *list, const contextql_value *);
CONTEXTQL_API int contextql_value_put(contextql_value *map, const char *key, size_t size,
                                      const contextql_value *);
CONTEXTQL_API void contextql_value_free(contextql_value *);

/* ---- what a program may add ---- */
typedef struct contextql_call contextql_call; /* one call of a function, seen from inside */
typedef void contextql_function_fn(contextql_call *, int argc, const contextql_value **argv,
                                   void *user);
CONTEXTQL_API int contextql_create_function(contextql *, const char *signature,
                                            contextql_function_fn *, void *user,
                                            void (*drop)(void *user));
CONTEXTQL_API int
contextql_create_procedure(contextql *, const char *signature, contextql_function_fn *, void *user,
                           void (*drop)(void *user)); /* "name(a :: T) :: (x :: T, y :: T)" */
CONTEXTQL_API void contextql_return(contextql_call *, const contextql_value *);
/* A procedure gives its rows one by one. */
CONTEXTQL_API int contextql_yield_row(contextql_call *, const contextql_value *const *columns);
CONTEXTQL_API void contextql_return_error(contextql_call *, const char *message);

typedef struct contextql_candidates { /* what a strategy is asked to score: all of a statement */
    size_t count;
    const uint64_t *node_ids;
    const double *const *scores; /* scores[source][i], NaN where the source did not find it */
    size_t sources;
    char *message; /* room of CONTEXTQL_MESSAGE_MAX bytes where score may say why it fails */
} contextql_candidates;
#define CONTEXTQL_MESSAGE_MAX 512
typedef struct contextql_strategy { /* copied but for `options` */
    const char *name, *summary;
    /* All three may be NULL but score. `arguments`: the map of USING, or null. What begin gives as
     * *state (user, if it gives nothing) is given to the others. */
    int (*begin)(void *user, const contextql_value *arguments, void **state);
    int (*score)(void *state, const contextql_candidates *, double *out); /* higher is better */
    void (*end)(void *state);
    const char *const *options; /* keys that USING may have, NULL at the end; NULL: any */
    size_t sources;             /* how many it wants; 0: any number from 1 to 64 */
} contextql_strategy;
CONTEXTQL_API int contextql_create_strategy(contextql *, const contextql_strategy *, void *user,
                                            void (*drop)(void *user));

/* ---- what the language has: rows of its tables, from 0; false: no more ---- */
typedef struct contextql_function_info {
    const char *group, *name, *signature, *meaning;
    const char *example, *result; /* a statement, and what it gives on an empty database */
} contextql_function_info;
/* What CALL runs: the language's own, then the session's. */
typedef struct contextql_procedure_info {
    const char *name, *signature;
    const char *options, *meaning, *example; /* keys that its map may have; "": nobody told */
} contextql_procedure_info;
CONTEXTQL_API bool contextql_procedure_at(contextql *, size_t i, contextql_procedure_info *out);
typedef struct contextql_keyword {
    const char *word, *meaning;
} contextql_keyword;
CONTEXTQL_API bool contextql_function_at(size_t i, contextql_function_info *out);
CONTEXTQL_API bool contextql_keyword_at(size_t i, contextql_keyword *out);

/* ---- what an editor asks: none of these runs the text ---- */
typedef enum contextql_token_kind {
    CONTEXTQL_TOKEN_NAME,
    CONTEXTQL_TOKEN_KEYWORD,
    CONTEXTQL_TOKEN_STRING,
    CONTEXTQL_TOKEN_NUMBER,
    CONTEXTQL_TOKEN_PARAMETER,
    CONTEXTQL_TOKEN_OPERATOR,
    CONTEXTQL_TOKEN_BRACKET,
    CONTEXTQL_TOKEN_COMMENT,
    CONTEXTQL_TOKEN_FUNCTION,
    CONTEXTQL_TOKEN_LABEL,
    CONTEXTQL_TOKEN_BAD
} contextql_token_kind;
typedef struct contextql_token {
    size_t offset, length;
    contextql_token_kind kind;
} contextql_token;
/* Is the first statement whole: its `;` is there and every bracket, text and comment before it is
 * closed? `end` (may be NULL) gets the offset behind the `;`. */
CONTEXTQL_API bool contextql_is_complete(const char *text, size_t size, size_t *end);
CONTEXTQL_API int contextql_tokenize(const char *text, size_t size, contextql_token *out,
                                     size_t max, size_t *count);
/* Does the grammar refuse the first statement of a text that is still being typed? A text that only
 * ends too early is not refused, nor is a last word that may still grow. The place is that of the
 * first token that cannot stand where it stands. */
CONTEXTQL_API bool contextql_refuses(const char *text, size_t size, size_t *offset, size_t *length);

typedef struct contextql_suggestion {
    const char *text;    /* what may stand there, written as it must be: `a name`, abs( */
    const char *kind;    /* "keyword", "label", "type", "property", "variable", "function", .. */
    const char *summary; /* one line, or "" */
    size_t replace_from; /* the suggestion takes the place of the text from here to the cursor */
} contextql_suggestion;
/* What may stand at `cursor`, an offset in `text`: of the tokens the grammar takes there, of the
 * names the database has (the properties of a label before others), of functions, strategies,
 * indexes and variables, those that match the word before the cursor, best first: its beginning,
 * then letters of it in order. *count is how many are written, at most `max`. They live until the
 * session's next call of this or contextql_explain_call. */
CONTEXTQL_API int contextql_suggest(contextql *, const char *text, size_t cursor,
                                    contextql_suggestion *out, size_t max, size_t *count);
typedef struct contextql_called { /* the function in whose brackets the cursor is */
    const char *name, *signature, *summary;
    size_t argument_offset, argument_length; /* of the argument at hand, in `signature` */
} contextql_called;
/* False: the cursor is in no brackets of a function that is known. */
CONTEXTQL_API bool contextql_explain_call(contextql *, const char *text, size_t cursor,
                                          contextql_called *out);

#ifdef __cplusplus
}
#endif
#endif
