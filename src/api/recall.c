/*
 * recall.c - CALL vector.recall(index, sample): how many of the ten nearest a vector index finds.
 *
 * Nodes of the index, evenly spread over all that have a vector, ask for the ten nearest to them, by
 * the index and exactly; themselves do not count, for everybody finds those. What is asked are
 * statements like any other, so that what they take is what a query would take.
 */
#include "config.h"

#include "api/api_internal.h"
#include <stdio.h>
#include <string.h>

enum { RECALL_NEAREST = 10, RECALL_SAMPLE_MAX = 100000 };

typedef struct Recall {
    contextql *session;
    Arena *arena;
    Str label, property; /* as they stand in a statement */
    size_t dimensions;
    contextql_statement *nodes, *indexed, *exact;
    uint64_t searches, wanted, found;
} Recall;

/* The session's error as ours. */
static Error *session_error(contextql *session)
{
    Error *error = session->error;
    session->error = NULL;
    return error;
}

static Error *prepare(Recall *recall, contextql_statement **out, const char *before,
                      const char *behind)
{
    Buffer text = {0};
    buffer_printf(&text, "MATCH (n:%.*s) %s n.%.*s %s", STR_ARG(recall->label), before,
                  STR_ARG(recall->property), behind);
    int code = contextql_prepare(recall->session, text.data, text.bytes, out, NULL);
    buffer_free(&text);
    return code == CONTEXTQL_OK ? NULL : session_error(recall->session);
}

static Error *step(Recall *recall, contextql_statement *statement, bool *row)
{
    int code = contextql_step(statement);
    *row = code == CONTEXTQL_ROW;
    return *row || code == CONTEXTQL_DONE ? NULL : session_error(recall->session);
}

/* In back quotes, for a statement. */
static Str quoted(Arena *arena, contextql_text name)
{
    Buffer text = {0};
    buffer_char(&text, '`');
    for (size_t i = 0; i < name.size; i++) {
        if (name.data[i] == '`') buffer_char(&text, '`');
        buffer_char(&text, name.data[i]);
    }
    buffer_char(&text, '`');
    Str copy = str_copy(arena, buffer_view(&text));
    buffer_free(&text);
    return copy;
}

/* A row of SHOW INDEXES: name, type, label, property, options. */
static void take_index(Recall *recall, contextql_statement *shown, Str name)
{
    contextql_text texts[5];
    for (int c = 0; c < 5; c++)
        texts[c] = contextql_value_string(contextql_column(shown, c));
    char options[64];
    snprintf(options, sizeof options, "%.*s", (int)texts[4].size, texts[4].data);
    if (!str_equal((Str){texts[0].data, texts[0].size}, name) ||
        !str_equal((Str){texts[1].data, texts[1].size}, STR("vector")) ||
        sscanf(options, "dimensions: %zu", &recall->dimensions) != 1)
        return;
    recall->label = quoted(recall->arena, texts[2]);
    recall->property = quoted(recall->arena, texts[3]);
}

static Error *find_index(Recall *recall, Str name)
{
    contextql_statement *shown = NULL;
    Error *error = NULL;
    bool row = contextql_prepare(recall->session, "SHOW INDEXES", 12, &shown, NULL) == CONTEXTQL_OK;
    if (!row) return session_error(recall->session);
    while (error == NULL && (error = step(recall, shown, &row)) == NULL && row)
        take_index(recall, shown, name);
    contextql_finalize(shown);
    if (error != NULL || recall->label.bytes > 0) return error;
    return error_hint(error_new(ERROR_NAME_UNKNOWN, "no such vector index: %.*s", STR_ARG(name)),
                      "SHOW INDEXES lists them");
}

/* The ids nearest to `query` but its own; gives how many. */
static Error *nearest(Recall *recall, contextql_statement *statement, const contextql_value *query,
                      int64_t own, int64_t ids[RECALL_NEAREST], size_t *count)
{
    bool row;
    *count = 0;
    contextql_reset(statement);
    if (contextql_bind(statement, "q", query) != CONTEXTQL_OK)
        return session_error(recall->session);
    for (;;) {
        TRY(step(recall, statement, &row));
        if (!row) return NULL;
        int64_t id = contextql_value_integer(contextql_column(statement, 0));
        if (id != own && *count < RECALL_NEAREST) ids[(*count)++] = id;
    }
}

static Error *search(Recall *recall)
{
    int64_t there[RECALL_NEAREST], found[RECALL_NEAREST];
    int64_t own = contextql_value_integer(contextql_column(recall->nodes, 0));
    const contextql_value *query = contextql_column(recall->nodes, 1);
    size_t dimensions, there_count, found_count;
    if (contextql_value_type(query) != CONTEXTQL_VECTOR) return NULL;
    contextql_value_vector(query, &dimensions);
    if (dimensions != recall->dimensions) return NULL; /* the index leaves it out, too */
    TRY(nearest(recall, recall->exact, query, own, there, &there_count));
    TRY(nearest(recall, recall->indexed, query, own, found, &found_count));
    recall->searches++;
    recall->wanted += there_count;
    for (size_t i = 0; i < found_count; i++)
        for (size_t k = 0; k < there_count; k++)
            recall->found += found[i] == there[k];
    return NULL;
}

static Error *measure(Recall *recall, int64_t sample)
{
    static const char *const search_text = "SIMILAR TO $q LIMIT 11 RETURN id(n)",
                             *const exact_text =
                                 "SIMILAR TO $q USING {exact: true} LIMIT 11 RETURN id(n)";
    contextql_statement *counted = NULL;
    bool row;
    TRY(prepare(recall, &counted, "WHERE", "IS NOT NULL RETURN count(n)"));
    Error *error = step(recall, counted, &row);
    int64_t all = error == NULL && row ? contextql_value_integer(contextql_column(counted, 0)) : 0;
    contextql_finalize(counted);
    TRY(error);
    Buffer pairs = {0};
    buffer_printf(&pairs, "IS NOT NULL RETURN id(n), n.%.*s", STR_ARG(recall->property));
    error = prepare(recall, &recall->nodes, "WHERE", pairs.data);
    buffer_free(&pairs);
    TRY(error);
    TRY(prepare(recall, &recall->indexed, "VECTOR", search_text));
    TRY(prepare(recall, &recall->exact, "VECTOR", exact_text));
    if (sample > all) sample = all;
    for (int64_t at = 0, taken = 0; taken < sample; at++) {
        TRY(step(recall, recall->nodes, &row));
        if (!row) return NULL;
        if (at < taken * all / sample) continue;
        taken++;
        TRY(search(recall));
    }
    return NULL;
}

static void call_recall(contextql_call *call, int count, const contextql_value **arguments,
                        void *user)
{
    (void)count, (void)user;
    Recall recall = {.session = call->session, .arena = call->arena};
    contextql_text name = contextql_value_string(arguments[0]);
    int64_t sample = contextql_value_integer(arguments[1]);
    if (sample < 1 || sample > RECALL_SAMPLE_MAX)
        call->error = error_new(ERROR_ARGUMENT_RANGE, "vector.recall() asks 1 to %d times",
                                RECALL_SAMPLE_MAX);
    if (call->error == NULL) call->error = find_index(&recall, (Str){name.data, name.size});
    if (call->error == NULL) call->error = measure(&recall, sample);
    contextql_finalize(recall.nodes);
    contextql_finalize(recall.indexed);
    contextql_finalize(recall.exact);
    if (call->error != NULL) return;
    contextql_value *columns[] = {
        recall.wanted == 0
            ? contextql_value_new_null()
            : contextql_value_new_float((double)recall.found / (double)recall.wanted),
        contextql_value_new_integer((int64_t)recall.searches)};
    contextql_yield_row(call, (const contextql_value *const *)columns);
    contextql_value_free(columns[0]);
    contextql_value_free(columns[1]);
}

void recall_register(contextql *session)
{
    contextql_create_procedure(session,
                               "vector.recall(index :: STRING, sample :: INTEGER) :: (recall :: "
                               "ANY, searches :: INTEGER)",
                               call_recall, NULL, NULL);
}
