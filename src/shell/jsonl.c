/*
 * jsonl.c - the machine protocol: one JSON object a line in, records out.
 *
 *     {"id": 7, "query": "MATCH (n) RETURN n", "params": {"x": 1}}   run one statement
 *     {"id": 8, "lua": "contextql.procedure{...}"}                   run Lua source
 *     {"id": 9, "op": "reset"}                                       forget everything (scratch
 *                                                                    databases only)
 *
 * Answers are those of records.c, flushed after the last record. A line that is no request is
 * answered with an error record and changes nothing.
 */
#include "config.h"

#include "base/json.h"
#include "format/records.h"
#include "shell/jsonl.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct Conversation {
    const JsonlOptions *options;
    contextql *session;
    FILE *out;
    Arena *arena; /* of one request */
    Str id;
} Conversation;

/* ---- JSON to values ---- */

static contextql_value *value_from(const Json *json);

static contextql_value *number_from(Str text)
{
    int64_t integer;
    double number;
    if (integer_parse(text, &integer)) return contextql_value_new_integer(integer);
    return float_parse(text, &number) ? contextql_value_new_float(number) : NULL;
}

static contextql_value *vector_from(const Json *list)
{
    float *components = mem_calloc(list->count + 1, sizeof *components);
    bool good = true;
    for (size_t i = 0; i < list->count; i++) {
        double number;
        good =
            good && list->items[i].kind == JSON_NUMBER && float_parse(list->items[i].text, &number);
        if (good) components[i] = (float)number;
    }
    contextql_value *vector = good ? contextql_value_new_vector(components, list->count) : NULL;
    mem_free(components);
    return vector;
}

static contextql_value *special_float(Str text)
{
    if (str_equal(text, STR("NaN"))) return contextql_value_new_float(0.0 / 0.0);
    if (str_equal(text, STR("Infinity"))) return contextql_value_new_float(1.0 / 0.0);
    if (str_equal(text, STR("-Infinity"))) return contextql_value_new_float(-1.0 / 0.0);
    return NULL;
}

static contextql_value *map_from(const Json *object)
{
    contextql_value *map = contextql_value_new_map();
    for (size_t i = 0; i < object->count; i++) {
        contextql_value *member = value_from(&object->items[i]);
        if (member == NULL) {
            contextql_value_free(map);
            return NULL;
        }
        contextql_value_put(map, object->items[i].key.data, object->items[i].key.bytes, member);
        contextql_value_free(member);
    }
    return map;
}

static contextql_value *list_from(const Json *json)
{
    contextql_value *list = contextql_value_new_list();
    for (size_t i = 0; i < json->count; i++) {
        contextql_value *element = value_from(&json->items[i]);
        if (element == NULL) {
            contextql_value_free(list);
            return NULL;
        }
        contextql_value_append(list, element);
        contextql_value_free(element);
    }
    return list;
}

/* {"$date": "2024-12-31"} and its five kin; NULL: another object, or a text that is none. */
static contextql_value *temporal_from(const Json *inside)
{
    static const struct {
        const char *key;
        contextql_temporal_kind kind;
    } kinds[] = {{"$date", CONTEXTQL_DATE},         {"$localtime", CONTEXTQL_LOCAL_TIME},
                 {"$time", CONTEXTQL_TIME},         {"$localdatetime", CONTEXTQL_LOCAL_DATETIME},
                 {"$datetime", CONTEXTQL_DATETIME}, {"$duration", CONTEXTQL_DURATION}};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (inside->kind == JSON_STRING && str_equal(inside->key, str_from(kinds[i].key)))
            return contextql_value_new_temporal_text(kinds[i].kind, inside->text.data,
                                                     inside->text.bytes);
    return NULL;
}

static contextql_value *object_from(const Json *object)
{
    if (object->count == 1 && object->items[0].key.bytes > 0 &&
        object->items[0].key.data[0] == '$') {
        const Json *inside = &object->items[0];
        if (str_equal(inside->key, STR("$map")) && inside->kind == JSON_OBJECT)
            return map_from(inside);
        if (str_equal(inside->key, STR("$vector")) && inside->kind == JSON_LIST)
            return vector_from(inside);
        if (str_equal(inside->key, STR("$float")) && inside->kind == JSON_STRING)
            return special_float(inside->text);
        return temporal_from(inside);
    }
    return map_from(object);
}

/* NULL: not a value of the protocol. */
static contextql_value *value_from(const Json *json)
{
    switch (json->kind) {
    case JSON_NULL: return contextql_value_new_null();
    case JSON_FALSE: return contextql_value_new_boolean(false);
    case JSON_TRUE: return contextql_value_new_boolean(true);
    case JSON_NUMBER: return number_from(json->text);
    case JSON_STRING: return contextql_value_new_string(json->text.data, json->text.bytes);
    case JSON_LIST: return list_from(json);
    case JSON_OBJECT: return object_from(json);
    }
    return NULL;
}

/* ---- answers ---- */

static void answer_error(Conversation *talk, const char *type, const char *detail, Str message)
{
    Buffer out = {0};
    if (talk->id.bytes > 0)
        buffer_printf(&out, "{\"id\": %.*s, ", STR_ARG(talk->id));
    else
        buffer_char(&out, '{');
    buffer_printf(&out,
                  "\"error\": {\"type\": \"%s\", \"phase\": \"runtime\", \"detail\": \"%s\", "
                  "\"code\": \"CQL4013\", "
                  "\"gqlstatus\": \"0A000\", \"message\": ",
                  type, detail);
    json_put_string(&out, message);
    buffer_text(&out, "}}\n");
    fwrite(out.data, 1, out.bytes, talk->out);
    buffer_free(&out);
}

static void answer_done(Conversation *talk)
{
    if (talk->id.bytes > 0)
        fprintf(talk->out, "{\"id\": %.*s, ", STR_ARG(talk->id));
    else
        fputc('{', talk->out);
    fputs("\"done\": {\"rows\": 0, \"ms\": 0.000, \"stats\": {}}}\n", talk->out);
}

static bool bind_all(Conversation *talk, contextql_statement *statement, const Json *params)
{
    for (size_t i = 0; params != NULL && i < params->count; i++) {
        contextql_value *value = value_from(&params->items[i]);
        const char *name =
            arena_copy(talk->arena, params->items[i].key.data, params->items[i].key.bytes);
        if (value == NULL) {
            answer_error(talk, "ClientError", "Misuse",
                         str_from("a parameter is not a value of the protocol"));
            return false;
        }
        contextql_bind(statement, name,
                       value); /* one that the statement does not use is no error */
        contextql_value_free(value);
    }
    return true;
}

static void run_query(Conversation *talk, Str text, const Json *params)
{
    contextql_statement *statement = NULL;
    const char *rest = NULL;
    if (contextql_prepare(talk->session, text.data, text.bytes, &statement, &rest) !=
        CONTEXTQL_OK) {
        records_failed(talk->session, text, talk->id, talk->out);
        return;
    }
    if (statement == NULL)
        answer_error(talk, "SyntaxError", "UnexpectedSyntax", str_from("the statement is empty"));
    else if (bind_all(talk, statement, params))
        records_run(talk->session, statement, text, talk->id, talk->out);
    contextql_finalize(statement);
}

static void run_lua(Conversation *talk, Str source)
{
    const ScriptHost *script = talk->options->script;
    if (script == NULL || script->run == NULL) {
        answer_error(talk, "ClientError", "ScriptError",
                     str_from("no script language is built in"));
        return;
    }
    Error *error = script->run(script->state, source, "=request", false);
    if (error == NULL)
        answer_done(talk);
    else
        answer_error(talk, "ClientError", "ScriptError", str_from(error_message(error)));
    error_drop(error);
}

static int open_session(Conversation *talk)
{
    const JsonlOptions *options = talk->options;
    const ScriptHost *script = options->script;
    int result = contextql_open(options->database, options->options, &talk->session);
    if (result == CONTEXTQL_OK && options->prepare_session != NULL)
        result = options->prepare_session(talk->session, options->state);
    if (script != NULL && script->attach != NULL) script->attach(script->state, talk->session);
    return result;
}

static void close_session(Conversation *talk)
{
    const ScriptHost *script = talk->options->script;
    if (script != NULL && script->attach != NULL) script->attach(script->state, NULL);
    contextql_close(talk->session);
    talk->session = NULL;
}

static bool reset(Conversation *talk)
{
    if (strcmp(talk->options->database, ":memory:") != 0) {
        answer_error(talk, "ClientError", "Misuse",
                     str_from("only a scratch database (--memory) can be reset"));
        return true;
    }
    close_session(talk);
    if (open_session(talk) != CONTEXTQL_OK) return false;
    answer_done(talk);
    return true;
}

static bool answer(Conversation *talk, Str line)
{
    const Json *request = NULL;
    Error *error = json_parse(talk->arena, line, &request);
    talk->id = (Str){"", 0};
    if (error != NULL || request->kind != JSON_OBJECT) {
        answer_error(talk, "ClientError", "Misuse",
                     error != NULL ? str_from(error_message(error))
                                   : str_from("a request is a JSON object"));
        error_drop(error);
        return true;
    }
    const Json *id = json_get(request, "id"), *query = json_get(request, "query"),
               *lua = json_get(request, "lua"), *op = json_get(request, "op"),
               *params = json_get(request, "params");
    if (id != NULL && id->kind == JSON_NUMBER) talk->id = id->text;
    if (id != NULL && id->kind == JSON_STRING) {
        Buffer quoted = {0};
        json_put_string(&quoted, id->text);
        talk->id = str_copy(talk->arena, buffer_view(&quoted));
        buffer_free(&quoted);
    }
    if (query != NULL && query->kind == JSON_STRING)
        run_query(talk, query->text, params != NULL && params->kind == JSON_OBJECT ? params : NULL);
    else if (lua != NULL && lua->kind == JSON_STRING)
        run_lua(talk, lua->text);
    else if (op != NULL && op->kind == JSON_STRING && str_equal(op->text, STR("reset")))
        return reset(talk);
    else
        answer_error(talk, "ClientError", "Misuse",
                     str_from("a request has \"query\", \"lua\" or \"op\": \"reset\""));
    return true;
}

static void print_open_error(contextql *session)
{
    contextql_error_info info;
    contextql_error(session, &info);
    fprintf(stderr, "contextql: %s\n", info.message);
    if (info.hint[0] != '\0') fprintf(stderr, "hint: %s\n", info.hint);
}

/* As the shell does: what a crash cut off was never acknowledged. */
static void print_discarded(const contextql *session)
{
    uint64_t bytes = contextql_discarded(session);
    if (bytes == 0) return;
    fprintf(
        stderr,
        "contextql: %llu bytes discarded: of a commit that a crash cut off before it was done\n",
        (unsigned long long)bytes);
}

int jsonl_run(const JsonlOptions *options, FILE *in, FILE *out)
{
    enum { SEND_BYTES = 1 << 16 }; /* what a pipe takes at once; an answer's end is flushed */
    Conversation talk = {.options = options, .out = out, .arena = arena_create()};
    int status = 0;
    setvbuf(out, NULL, _IOFBF, SEND_BYTES);
    char *line = NULL;
    size_t capacity = 0;
    ssize_t bytes;
    if (open_session(&talk) != CONTEXTQL_OK) {
        print_open_error(talk.session);
        status = 3;
    } else {
        print_discarded(talk.session);
    }
    while (status == 0 && (bytes = getline(&line, &capacity, in)) >= 0) {
        while (bytes > 0 && (line[bytes - 1] == '\n' || line[bytes - 1] == '\r'))
            bytes--;
        if (bytes == 0) continue;
        if (bytes > JSONL_LINE_BYTES_MAX)
            answer_error(&talk, "ClientError", "LimitExceeded",
                         str_from("a request has at most 256 MiB"));
        else if (!answer(&talk, (Str){line, (size_t)bytes}))
            status = 3;
        arena_reset(talk.arena);
        if (fflush(out) != 0) status = 4;
    }
    free(line); /* getline's own */
    close_session(&talk);
    arena_destroy(talk.arena);
    return status;
}
