/*
 * command_time.c - commands about what the graph was: its snapshots, looking at a moment, and what
 * has changed between two.
 */
#include "config.h"

#include "format/value_text.h"
#include "shell/command_internal.h"
#include <stdlib.h>

Error *run_snapshots(const Call *call)
{
    command_run_text(call->shell, STR("SHOW SNAPSHOTS;"));
    return NULL;
}

/* ---- a moment, as a person names one ---- */

static void put_quoted(Buffer *out, Str text)
{
    contextql_value *value = contextql_value_new_string(text.data, text.bytes);
    if (value != NULL) value_text(out, value, VALUE_LITERAL);
    contextql_value_free(value);
}

/* `before`, 42, 2026-11-27T10:00: what stands behind AT. A time begins with a year and a dash; a name
 * that does, too, is looked at by its number. */
static void put_moment(Buffer *out, Str word)
{
    int64_t number;
    bool quoted = word.bytes > 1 && strchr("'\"", word.data[0]) != NULL &&
                  word.data[word.bytes - 1] == word.data[0];
    bool time =
        word.bytes > 4 && word.data[4] == '-' && integer_parse((Str){word.data, 4}, &number);
    if (integer_parse(word, &number)) {
        buffer_printf(out, "SNAPSHOT %lld", (long long)number);
        return;
    }
    buffer_text(out, time ? "TIMESTAMP " : "SNAPSHOT ");
    if (quoted)
        buffer_str(out, word);
    else
        put_quoted(out, word);
}

Error *command_look_at(Shell *shell, Str word)
{
    Buffer moment = {0};
    contextql_statement *statement = NULL;
    Error *error = NULL;
    if (word.bytes > 0) put_moment(&moment, word);
    char *before = command_path(str_from(contextql_get(shell->session, "at")));
    bool good =
        contextql_set(shell->session, "at", word.bytes == 0 ? "" : moment.data) == CONTEXTQL_OK;
    /* Whether there is such a moment shows when it is looked at. */
    good =
        good && contextql_prepare(shell->session, "RETURN 0", 8, &statement, NULL) == CONTEXTQL_OK;
    good = good && contextql_step(statement) == CONTEXTQL_ROW;
    if (!good) {
        error = command_session_error(shell->session);
        if (contextql_set(shell->session, "at", before) != CONTEXTQL_OK)
            error_drop(command_session_error(shell->session));
    }
    contextql_finalize(statement);
    buffer_free(&moment);
    mem_free(before);
    return error;
}

/* A snapshot called `now` would have to be quoted; one that sounds like it is told of first. */
static Error *look_at(Shell *shell, Str word)
{
    if (str_equal(word, STR("now"))) return command_look_at(shell, STR(""));
    Error *error = command_look_at(shell, word);
    Meant nearest = meant_of(word);
    meant_see(&nearest, STR("now"));
    if (error == NULL || strncmp(error_hint_text(error), "did you", 7) == 0) return error;
    if (nearest.name[0] == '\0') return error;
    Error *better = error_new(error_code(error), "%s", error_message(error));
    error_drop(error);
    return meant_hint(better, &nearest, "");
}

Error *run_at(const Call *call)
{
    Shell *shell = call->shell;
    if (call->rest.bytes > 0) return look_at(shell, call->rest);
    const char *at = contextql_get(shell->session, "at");
    fprintf(shell->output.file, "%s\n", at[0] == '\0' ? "now" : at);
    return NULL;
}

/* ---- :diff ---- */

enum { DIFF_ROWS_MAX = 10000 }; /* of the table; all are counted */

typedef enum Change { CREATED, DELETED, CHANGED, CHANGES } Change;
static const char *const change_names[CHANGES] = {"created", "deleted", "changed"};

typedef struct Diff {
    Shell *shell;
    Buffer old, new; /* " AT .." of the two moments; empty: what the session looks at */
    contextql_value *rows;
    uint64_t counts[2][CHANGES]; /* of nodes, of relationships */
} Diff;

static bool same(const contextql_value *a, const contextql_value *b)
{
    Buffer left = {0}, right = {0};
    value_text(&left, a, VALUE_LITERAL);
    value_text(&right, b, VALUE_LITERAL);
    bool equal = str_equal(buffer_view(&left), buffer_view(&right));
    buffer_free(&left);
    buffer_free(&right);
    return equal;
}

static const contextql_value *find_key(const contextql_value *map, contextql_text wanted)
{
    contextql_text key;
    for (size_t i = 0; i < contextql_value_count(map); i++) {
        const contextql_value *value = contextql_value_at(map, i, &key);
        if (str_equal((Str){key.data, key.size}, (Str){wanted.data, wanted.size})) return value;
    }
    return NULL;
}

/* [before, after] of a property; null is none. */
static void put_pair(contextql_value *map, contextql_text key, const contextql_value *before,
                     const contextql_value *after)
{
    contextql_value *pair = contextql_value_new_list(), *none = contextql_value_new_null();
    contextql_value_append(pair, before == NULL ? none : before);
    contextql_value_append(pair, after == NULL ? none : after);
    contextql_value_put(map, key.data, key.size, pair);
    contextql_value_free(pair);
    contextql_value_free(none);
}

/* What of `old` is another in `new`, and what is in one of them only. */
static void put_changes(contextql_value *row, const contextql_value *old,
                        const contextql_value *new)
{
    contextql_value *map = contextql_value_new_map();
    contextql_text key;
    for (size_t i = 0; i < contextql_value_count(old); i++) {
        const contextql_value *before = contextql_value_at(old, i, &key),
                              *after = find_key(new, key);
        if (after == NULL || !same(before, after)) put_pair(map, key, before, after);
    }
    for (size_t i = 0; i < contextql_value_count(new); i++) {
        const contextql_value *after = contextql_value_at(new, i, &key);
        if (find_key(old, key) == NULL) put_pair(map, key, NULL, after);
    }
    contextql_value_put(row, "properties", strlen("properties"), map);
    contextql_value_free(map);
}

/* Columns: id, what it was called, what it is called, its properties then and now; null: not there. */
static void take_change(Diff *diff, bool relationship, const contextql_statement *statement)
{
    const contextql_value *was = contextql_column(statement, 1),
                          *is = contextql_column(statement, 2),
                          *old = contextql_column(statement, 3),
                          *new = contextql_column(statement, 4);
    Change change = contextql_value_type(was) == CONTEXTQL_NULL  ? CREATED
                    : contextql_value_type(is) == CONTEXTQL_NULL ? DELETED
                                                                 : CHANGED;
    diff->counts[relationship][change]++;
    if (contextql_value_count(diff->rows) == DIFF_ROWS_MAX) return;
    contextql_value *row = contextql_value_new_map();
    Buffer what = {0};
    value_text(&what, change == CREATED ? is : was, VALUE_PLAIN);
    if (change == CHANGED && !same(was, is)) {
        buffer_text(&what, " to ");
        value_text(&what, is, VALUE_PLAIN);
    }
    command_put_text(row, "change", str_from(change_names[change]));
    command_put_text(row, "what", buffer_view(&what));
    contextql_value_put(row, "id", 2, contextql_column(statement, 0));
    if (change == CHANGED)
        put_changes(row, old, new);
    else
        contextql_value_put(row, "properties", strlen("properties"), change == CREATED ? new : old);
    contextql_value_append(diff->rows, row);
    contextql_value_free(row);
    buffer_free(&what);
}

/* Whoever is there now, beside who it was then; and, the moments exchanged, who is there no more. */
static void put_diff_query(Buffer *out, const Diff *diff, bool relationship, bool gone)
{
    static const char *const patterns[2][2] = {{"(n)", "(o)"}, {"(a)-[n]->(b)", "()-[o]->()"}};
    static const char *const names[2][2] = {
        {"reduce(s = '(', l IN labels(n) | s + ':' + l) + ')'",
         "reduce(s = '(', l IN labels(o) | s + ':' + l) + ')'"},
        {"'(' + id(a) + ')-[:' + type(n) + ']->(' + id(b) + ')'", "what"}};
    const Buffer *here = gone ? &diff->old : &diff->new, *there = gone ? &diff->new : &diff->old;
    buffer_printf(out, "MATCH%.*s %s OPTIONAL MATCH%.*s %s WHERE id(o) = id(n) WITH *, %s AS what ",
                  STR_ARG(buffer_view(here)), patterns[relationship][0],
                  STR_ARG(buffer_view(there)), patterns[relationship][1], names[relationship][0]);
    if (gone) {
        buffer_text(out,
                    "WHERE o IS NULL RETURN id(n), what, null AS now, properties(n), null AS new;");
        return;
    }
    buffer_printf(
        out,
        "WHERE o IS NULL OR properties(n) <> properties(o)%s RETURN id(n), CASE WHEN o IS "
        "NOT NULL THEN %s END, what, properties(o), properties(n);",
        relationship ? "" : " OR labels(n) <> labels(o)", names[relationship][1]);
}

static void take_node(void *diff, const contextql_statement *statement)
{
    take_change(diff, false, statement);
}

static void take_relationship(void *diff, const contextql_statement *statement)
{
    take_change(diff, true, statement);
}

static Error *compare(Diff *diff, bool relationship, bool gone)
{
    Buffer text = {0};
    put_diff_query(&text, diff, relationship, gone);
    Error *error =
        command_query(diff->shell, text.data, relationship ? take_relationship : take_node, diff);
    buffer_free(&text);
    return error;
}

static void tell_counts(const Diff *diff)
{
    uint64_t all = 0;
    for (int kind = 0; kind < 2; kind++) {
        fprintf(stderr, kind == 0 ? "nodes:" : "; relationships:");
        for (int change = 0; change < CHANGES; change++) {
            fprintf(stderr, "%s %llu %s", change == 0 ? "" : ",",
                    (unsigned long long)diff->counts[kind][change], change_names[change]);
            all += diff->counts[kind][change];
        }
    }
    fputc('\n', stderr);
    if (all > DIFF_ROWS_MAX)
        fprintf(stderr, "of %llu changes the first %d are shown\n", (unsigned long long)all,
                DIFF_ROWS_MAX);
}

Error *run_diff(const Call *call)
{
    static const char *const columns[] = {"change", "what", "id", "properties", NULL};
    Diff diff = {.shell = call->shell};
    Error *error = NULL;
    if (call->first.bytes == 0)
        return error_hint(error_new(ERROR_MISUSE, "no moment is named"),
                          ":diff OLD [NEW]: a snapshot's name or number, or a time; SHOW SNAPSHOTS "
                          "lists them");
    buffer_text(&diff.old, " AT ");
    put_moment(&diff.old, call->first);
    if (call->last.bytes > 0) buffer_text(&diff.new, " AT ");
    if (call->last.bytes > 0) put_moment(&diff.new, call->last);
    diff.rows = contextql_value_new_list();
    for (int i = 0; i < 4 && error == NULL; i++)
        error = compare(&diff, i >= 2, i % 2 == 1);
    if (error == NULL && contextql_value_count(diff.rows) > 0)
        command_show_rows(call->shell, diff.rows, columns);
    if (error == NULL && !call->shell->options->quiet) tell_counts(&diff);
    contextql_value_free(diff.rows);
    buffer_free(&diff.old);
    buffer_free(&diff.new);
    return error;
}
