/*
 * session.c - opening, connecting, closing; errors, settings, what a program registers.
 *
 * A session is a program's seat at a database: its settings, its transaction between BEGIN and
 * COMMIT, its functions, procedures and strategies, its last error. Sessions of one process share
 * the Database, which counts them.
 */
#include "config.h"

#include "api/api_internal.h"
#include "base/meant.h"
#include "parser/ast.h"
#include "rank/nearest.h"
#include "runtime/machine.h"
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(CONTEXTQL_READ_ONLY == (int)ERROR_READ_ONLY && CONTEXTQL_LOCKED == (int)ERROR_LOCKED,
               "errors.def");
_Static_assert(CONTEXTQL_CONFLICT == (int)ERROR_CONFLICT &&
                   CONTEXTQL_CANCELLED == (int)ERROR_CANCELLED,
               "errors.def");
_Static_assert(CONTEXTQL_TIMEOUT == (int)ERROR_TIMEOUT && CONTEXTQL_MISUSE == (int)ERROR_MISUSE,
               "errors.def");
_Static_assert(CONTEXTQL_SCRIPT == (int)ERROR_SCRIPT && CONTEXTQL_CORRUPT == (int)ERROR_CORRUPT,
               "errors.def");
_Static_assert(CONTEXTQL_NOT_A_DATABASE == (int)ERROR_NOT_A_DATABASE &&
                   CONTEXTQL_IO == (int)ERROR_IO,
               "errors.def");
_Static_assert(CONTEXTQL_FULL == (int)ERROR_FULL, "errors.def");

/* ---- errors ---- */

int session_fail(contextql *session, Error *error, contextql_phase phase)
{
    if (session->error != error) error_drop(session->error);
    session->error = error;
    session->phase = phase;
    return error == NULL ? CONTEXTQL_OK : (int)error_code(error);
}

void session_info(const Error *error, contextql_phase phase, contextql_error_info *out)
{
    *out = (contextql_error_info){
        .status = "00000", .type = "", .detail = "", .message = "", .hint = "", .offset = SIZE_MAX};
    if (error == NULL) return;
    ErrorCode code = error_code(error);
    out->code = (int)code;
    out->status = error_code_status(code);
    out->type = error_code_type(code);
    out->detail = error_code_detail(code);
    out->phase = phase;
    out->message = error_message(error);
    out->hint = error_hint_text(error);
    if (out->hint[0] == '\0') out->hint = error_code_advice(code);
    if (error_has_place(error)) {
        out->offset = error_offset(error);
        out->length = error_length(error);
    }
    out->expected = error_expected(error, &out->expected_count);
}

void contextql_error(const contextql *session, contextql_error_info *out)
{
    session_info(session == NULL ? NULL : session->error,
                 session == NULL ? CONTEXTQL_RUNTIME : session->phase, out);
}

uint64_t contextql_discarded(const contextql *session)
{
    return session->database == NULL ? 0 : database_counters(session->database).discarded_bytes;
}

void contextql_interrupt(contextql *session)
{
    atomic_store(&session->interrupted, true);
}

bool contextql_in_transaction(const contextql *session)
{
    return session->transaction != NULL;
}

void contextql_progress(contextql *session, contextql_progress_fn *progress, void *user)
{
    session->progress = progress;
    session->progress_user = user;
}

uint64_t session_memory_limit(const contextql *session)
{
    uint64_t limit = session->settings.memory_bytes_max;
    return limit > 0 ? limit : mem_usual_limit();
}

/* ---- open and close ---- */

static contextql *session_new(void)
{
    Arena *arena = arena_create();
    contextql *session = arena_new(arena, contextql);
    session->arena = arena;
    session->settings.files_allowed = true;
    session->random = UINT64_C(0x9e3779b97f4a7c15);
    strcpy(session->settings.gpu, "auto");
    strcpy(session->settings.vector_codes, "auto");
    session->clock = clock_system();
    return session;
}

static void session_ready(contextql *session)
{
    session->strategies = strategy_registry_create();
    const char *frozen = getenv("CONTEXTQL_TEST_CLOCK");
    if (frozen != NULL && frozen[0] != '\0') {
        session->frozen = clock_parse(frozen);
        clock_frozen(&session->frozen_clock, &session->frozen);
        session->clock = &session->frozen_clock;
    } else {
        session->random ^= (uint64_t)session->clock->wall_ns(session->clock->state);
    }
}

int session_open(const char *directory, const contextql_options *options, const Io *io,
                 contextql **out)
{
    contextql *session = session_new();
    *out = session;
    DatabaseOptions database = {.read_only = options != NULL && options->read_only,
                                .create = options == NULL || options->create,
                                .io = io};
    if (options != NULL) session->settings.memory_bytes_max = options->memory_bytes_max;
    session_ready(session);
    Error *error = strcmp(directory, ":memory:") == 0
                       ? database_open_memory(&database, session->clock, &session->database)
                       : database_open(directory, &database, session->clock, &session->database);
    if (error != NULL) session->database = NULL;
    return session_fail(session, error, CONTEXTQL_RUNTIME);
}

int contextql_open(const char *directory, const contextql_options *options, contextql **out)
{
    return session_open(directory, options, NULL, out);
}

int contextql_connect(contextql *session, contextql **out)
{
    contextql *other = session_new();
    *out = other;
    other->settings = session->settings;
    session_ready(other);
    if (session->database == NULL)
        return session_fail(other,
                            error_new(ERROR_MISUSE, "the first session has no open database"),
                            CONTEXTQL_RUNTIME);
    other->database = database_share(session->database);
    return CONTEXTQL_OK;
}

static void drop_registered(Registered **registered, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (registered[i]->drop != NULL) registered[i]->drop(registered[i]->user);
    mem_free(registered);
}

int contextql_close(contextql *session)
{
    if (session == NULL) return CONTEXTQL_OK;
    if (session->statement_count > 0)
        return session_fail(session,
                            error_new(ERROR_MISUSE, "a statement of this session is not finalized"),
                            CONTEXTQL_RUNTIME);
    if (session->transaction != NULL) transaction_rollback(session->transaction);
    session->transaction = NULL;
    Error *error = session->database == NULL ? NULL : database_close(session->database);
    int result = error == NULL ? CONTEXTQL_OK : (int)error_code(error);
    error_drop(error);
    drop_registered(session->functions, session->function_count);
    drop_registered(session->procedures, session->procedure_count);
    strategy_registry_destroy(session->strategies);
    error_drop(session->error);
    arena_destroy(session->suggestions);
    arena_destroy(session->arena);
    return result;
}

/* ---- settings ---- */

static bool parse_boolean(const char *text, bool *out)
{
    bool yes = strcmp(text, "true") == 0 || strcmp(text, "on") == 0 || strcmp(text, "1") == 0;
    bool no = strcmp(text, "false") == 0 || strcmp(text, "off") == 0 || strcmp(text, "0") == 0;
    if (yes || no) *out = yes;
    return yes || no;
}

static bool one_of(const char *text, const char *const *allowed)
{
    for (; *allowed != NULL; allowed++)
        if (strcmp(text, *allowed) == 0) return true;
    return false;
}

/* "64M", "2G": bytes; a bare number is bytes too. */
static bool parse_size(const char *text, uint64_t *out)
{
    char *end;
    unsigned long long number = strtoull(text, &end, 10);
    if (end == text || text[0] == '-') return false;
    int shift = *end == 'K' ? 10 : *end == 'M' ? 20 : *end == 'G' ? 30 : 0;
    if (shift != 0) end++;
    if (*end != '\0' || number > UINT64_MAX >> shift) return false;
    *out = (uint64_t)number << shift;
    return true;
}

static bool parse_seconds(const char *text, int64_t *out)
{
    double seconds;
    if (!float_parse(str_from(text), &seconds) || !(seconds >= 0) || seconds > 1e9) return false;
    *out = (int64_t)(seconds * 1e9);
    return true;
}

/* 0, or a number up to `max`; the word stands for 0. */
static bool parse_count(const char *text, const char *word, uint32_t max, uint32_t *out)
{
    int64_t number = 0;
    if (strcmp(text, word) != 0 &&
        !(integer_parse(str_from(text), &number) && number > 0 && number <= max))
        return false;
    *out = (uint32_t)number;
    return true;
}

static bool set_text(char *out, size_t capacity, const char *value)
{
    if (strlen(value) >= capacity) return false;
    strcpy(out, value);
    return true;
}

/* Like SNAPSHOT 'before' or TIMESTAMP $t: what may stand behind AT. */
static bool is_moment(const char *text)
{
    Arena *arena = arena_create();
    Buffer query = {0};
    AstStatement *statement;
    buffer_printf(&query, "AT %s RETURN 0", text);
    Error *error = parser_parse(arena, buffer_view(&query), &statement);
    bool good = error == NULL && statement->at->kind != AST_VARIABLE; /* a name is quoted */
    error_drop(error);
    buffer_free(&query);
    arena_destroy(arena);
    return good;
}

/* false: the value is not one; *known tells whether the setting exists. */
static bool set_one(Settings *settings, const char *name, const char *value, bool *known)
{
    static const char *const gpu[] = {"auto", "off", "force", NULL};
    static const char *const simd[] = {"", "scalar", "avx2", "avx512", NULL};
    static const char *const codes[] = {"auto", "off", "now", NULL};
    *known = true;
    if (strcmp(name, "gpu") == 0)
        return one_of(value, gpu) && set_text(settings->gpu, sizeof settings->gpu, value);
    if (strcmp(name, "gpu_device") == 0)
        return set_text(settings->gpu_device, sizeof settings->gpu_device, value);
    if (strcmp(name, "gpu_memory") == 0) return parse_size(value, &settings->gpu_memory);
    if (strcmp(name, "at") == 0)
        return (value[0] == '\0' || is_moment(value)) &&
               set_text(settings->at, sizeof settings->at, value);
    if (strcmp(name, "simd") == 0)
        return one_of(value, simd) && set_text(settings->simd, sizeof settings->simd, value);
    if (strcmp(name, "vector_codes") == 0)
        return one_of(value, codes) &&
               set_text(settings->vector_codes, sizeof settings->vector_codes, value);
    if (strcmp(name, "shuffle") == 0)
        return integer_parse(str_from(value), &settings->shuffle) && settings->shuffle >= 0;
    if (strcmp(name, "workers") == 0)
        return parse_count(value, "auto", WORKERS_MAX, &settings->workers);
    if (strcmp(name, "vector_ef") == 0)
        return parse_count(value, "auto", NEAR_EF_MAX, &settings->vector_ef);
    if (strcmp(name, "morsel") == 0) return parse_count(value, "0", INT32_MAX, &settings->morsel);
    if (strcmp(name, "timeout") == 0) return parse_seconds(value, &settings->timeout_ns);
    if (strcmp(name, "memory_limit") == 0) return parse_size(value, &settings->memory_bytes_max);
    if (strcmp(name, "spill_limit") == 0) return parse_size(value, &settings->spill_bytes_max);
    if (strcmp(name, "strict_names") == 0) return parse_boolean(value, &settings->strict_names);
    if (strcmp(name, "optimizer") == 0) {
        static const char *const states[] = {"on", "off", NULL};
        settings->plain = strcmp(value, "off") == 0;
        return one_of(value, states);
    }
    if (strcmp(name, "durability") == 0) {
        static const char *const levels[] = {"synced", "written", NULL};
        if (!one_of(value, levels)) return false;
        settings->only_written = strcmp(value, "written") == 0;
        return true;
    }
    if (strcmp(name, "files") == 0) return parse_boolean(value, &settings->files_allowed);
    if (strcmp(name, "directory") == 0)
        return set_text(settings->directory, sizeof settings->directory, value);
    *known = false;
    return false;
}

/* "30m", "12h", "7d": a bare number is seconds. */
static bool parse_duration(const char *text, int64_t *out_ns)
{
    static const struct {
        char unit;
        double seconds;
    } units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};
    size_t bytes = strlen(text);
    double scale = 1, number;
    for (size_t i = 0; bytes > 0 && i < sizeof units / sizeof *units; i++)
        if (text[bytes - 1] == units[i].unit) {
            scale = units[i].seconds;
            bytes--;
            break;
        }
    if (!float_parse((Str){text, bytes}, &number) || !(number >= 0) || number * scale > 9e9)
        return false;
    *out_ns = (int64_t)(number * scale * 1e9);
    return true;
}

bool contextql_setting_at(size_t i, contextql_setting *out)
{
    static const contextql_setting settings[] = {
#define SETTING(name, values, meaning) {name, values, meaning},
#include "contextql/settings.def"
#undef SETTING
    };
    if (i >= sizeof settings / sizeof *settings) return false;
    *out = settings[i];
    return true;
}

static Error *no_such_setting(const char *name)
{
    contextql_setting setting;
    Meant nearest = meant_of(str_from(name));
    for (size_t i = 0; contextql_setting_at(i, &setting); i++)
        meant_see(&nearest, str_from(setting.name));
    return meant_hint(error_new(ERROR_NAME_UNKNOWN, "no such setting: %s", name), &nearest,
                      "SHOW SETTINGS lists them");
}

static Error *refused_value(const char *name, const char *value)
{
    contextql_setting setting = {0};
    for (size_t i = 0; contextql_setting_at(i, &setting) && strcmp(setting.name, name) != 0;)
        i++;
    Error *error = error_new(ERROR_MISUSE, "%s cannot be set to %s", name, value);
    Meant nearest = meant_of(str_from(value));
    if (!isdigit((unsigned char)value[0])) meant_see_words(&nearest, setting.values);
    if (nearest.name[0] != '\0') return meant_hint(error, &nearest, "");
    return error_hint(error, "it takes: %s", setting.values);
}

/* These are the database's, kept in it. *known: it is one of them. */
static Error *set_retention(contextql *session, const char *name, const char *value, bool *known)
{
    if (session->database == NULL) return *known = false, NULL;
    Retention retention = database_retention(session->database);
    int64_t number = 0;
    bool good = true;
    *known = true;
    if (strcmp(name, "keep") == 0) {
        good = integer_parse(str_from(value), &number) && number >= 0;
        retention.keep = (uint64_t)number;
    } else if (strcmp(name, "keep_for") == 0) {
        good = parse_duration(value, &retention.keep_for_ns);
    } else if (strcmp(name, "history_keep") == 0) {
        good = parse_duration(value, &retention.history_keep_ns);
    } else {
        *known = false;
        return NULL;
    }
    if (!good) return refused_value(name, value);
    return database_retain(session->database, retention);
}

int contextql_set(contextql *session, const char *setting, const char *value)
{
    bool known;
    Error *refused = set_retention(session, setting, value, &known);
    if (known) return session_fail(session, refused, CONTEXTQL_RUNTIME);
    if (set_one(&session->settings, setting, value, &known)) return CONTEXTQL_OK;
    return session_fail(session, known ? refused_value(setting, value) : no_such_setting(setting),
                        CONTEXTQL_RUNTIME);
}

static const char *get_retention(contextql *session, const char *setting)
{
    Retention retention = {0};
    if (session->database != NULL) retention = database_retention(session->database);
    double seconds = strcmp(setting, "keep_for") == 0 ? (double)retention.keep_for_ns / 1e9
                                                      : (double)retention.history_keep_ns / 1e9;
    if (strcmp(setting, "keep") == 0)
        snprintf(session->shown, sizeof session->shown, "%llu", (unsigned long long)retention.keep);
    else if (strcmp(setting, "keep_for") == 0 || strcmp(setting, "history_keep") == 0)
        snprintf(session->shown, sizeof session->shown, "%.9g", seconds);
    else {
        session_fail(session, no_such_setting(setting), CONTEXTQL_RUNTIME);
        return NULL;
    }
    return session->shown;
}

const char *contextql_get(contextql *session, const char *setting)
{
    const Settings *s = &session->settings;
    if (strcmp(setting, "at") == 0) return s->at;
    if (strcmp(setting, "gpu") == 0) return s->gpu;
    if (strcmp(setting, "gpu_device") == 0) return s->gpu_device;
    if (strcmp(setting, "simd") == 0) return s->simd;
    if (strcmp(setting, "vector_codes") == 0) return s->vector_codes;
    if (strcmp(setting, "directory") == 0) return s->directory;
    if (strcmp(setting, "strict_names") == 0) return s->strict_names ? "true" : "false";
    if (strcmp(setting, "optimizer") == 0) return s->plain ? "off" : "on";
    if (strcmp(setting, "durability") == 0) return s->only_written ? "written" : "synced";
    if (strcmp(setting, "files") == 0) return s->files_allowed ? "true" : "false";
    if (strcmp(setting, "workers") == 0 && s->workers == 0) return "auto";
    if (strcmp(setting, "vector_ef") == 0 && s->vector_ef == 0) return "auto";
    if (strcmp(setting, "workers") == 0)
        snprintf(session->shown, sizeof session->shown, "%u", s->workers);
    else if (strcmp(setting, "vector_ef") == 0)
        snprintf(session->shown, sizeof session->shown, "%u", s->vector_ef);
    else if (strcmp(setting, "morsel") == 0)
        snprintf(session->shown, sizeof session->shown, "%u", s->morsel);
    else if (strcmp(setting, "timeout") == 0)
        snprintf(session->shown, sizeof session->shown, "%.9g", (double)s->timeout_ns / 1e9);
    else if (strcmp(setting, "shuffle") == 0)
        snprintf(session->shown, sizeof session->shown, "%lld", (long long)s->shuffle);
    else if (strcmp(setting, "gpu_memory") == 0)
        snprintf(session->shown, sizeof session->shown, "%llu", (unsigned long long)s->gpu_memory);
    else if (strcmp(setting, "memory_limit") == 0)
        snprintf(session->shown, sizeof session->shown, "%llu",
                 (unsigned long long)s->memory_bytes_max);
    else if (strcmp(setting, "spill_limit") == 0)
        snprintf(session->shown, sizeof session->shown, "%llu",
                 (unsigned long long)s->spill_bytes_max);
    else
        return get_retention(session, setting);
    return session->shown;
}
