/*
 * dump.c - writes a database as statements (dump.h).
 *
 * Nodes of the same labels, and relationships of the same type, go together into one statement;
 * there are a few such groups at a time, so that a database whose labels alternate does not become
 * a statement a node. A node's number is its id.
 */
#include "config.h"

#include "format/value_text.h"
#include "shell/dump.h"
#include <errno.h>

enum {
    GROUPS_MAX = 32,       /* open at a time; the largest makes room for a new one */
    GROUP_ROWS_MAX = 1000, /* of a statement: a batch is long enough to cost nothing more a row */
    GROUP_BYTES_MAX = 1 << 16 /* a statement is held in memory several times over */
};

typedef struct Group {
    Buffer tail; /* what the statement does with its rows */
    Buffer rows;
    size_t count;
} Group;

typedef struct Dump {
    contextql *session;
    FILE *file;
    char mark[40];
    Group groups[GROUPS_MAX];
    size_t group_count, last; /* `last`: the one that was used last */
    Buffer row, tail;         /* of the entity at hand */
    DumpCounts counts;
    uint64_t all;                    /* nodes and relationships there are */
    contextql_progress_fn *progress; /* NULL: nobody is told */
    void *user;
    Error *error; /* of a row */
} Dump;

static Error *session_error(contextql *session)
{
    contextql_error_info info;
    contextql_error(session, &info);
    return error_hint(error_new((ErrorCode)info.code, "%s", info.message), "%s", info.hint);
}

/* Runs a statement and calls `row`, which may be NULL, for each of its rows. */
static Error *each_row(Dump *dump, const char *text, void (*row)(Dump *, contextql_statement *))
{
    contextql_statement *statement = NULL;
    int code = contextql_prepare(dump->session, text, strlen(text), &statement, NULL);
    run_stoppable(dump->session);
    if (code == CONTEXTQL_OK)
        while ((code = contextql_step(statement)) == CONTEXTQL_ROW && dump->error == NULL)
            if (row != NULL) row(dump, statement);
    run_stoppable(NULL);
    Error *error = dump->error;
    if (error == NULL && code != CONTEXTQL_DONE) error = session_error(dump->session);
    dump->error = NULL;
    contextql_finalize(statement);
    return error;
}

static Str text_of(const contextql_statement *statement, int column)
{
    contextql_text text = contextql_value_string(contextql_column(statement, column));
    return (Str){text.data, text.size};
}

/* ---- groups ---- */

static void send(Dump *dump, Group *group)
{
    if (group->count == 0) return;
    errno = 0;
    fprintf(dump->file, "UNWIND [");
    fwrite(group->rows.data, 1, group->rows.bytes, dump->file);
    fprintf(dump->file, "] AS r ");
    fwrite(group->tail.data, 1, group->tail.bytes, dump->file);
    if (ferror(dump->file) && dump->error == NULL)
        dump->error = error_errno(ERROR_IO, errno == 0 ? EIO : errno, "the dump");
    buffer_clear(&group->rows);
    group->count = 0;
}

static void send_all(Dump *dump)
{
    for (size_t i = 0; i < dump->group_count; i++) {
        send(dump, &dump->groups[i]);
        buffer_free(&dump->groups[i].rows);
        buffer_free(&dump->groups[i].tail);
        dump->groups[i] = (Group){0};
    }
    dump->group_count = dump->last = 0;
}

/* The group of this tail, or room for it. */
static size_t find_group(Dump *dump, Str tail)
{
    size_t largest = 0;
    for (size_t i = 0; i < dump->group_count; i++) {
        if (str_equal(buffer_view(&dump->groups[i].tail), tail)) return i;
        if (dump->groups[i].count > dump->groups[largest].count) largest = i;
    }
    if (dump->group_count < GROUPS_MAX) largest = dump->group_count++;
    Group *group = &dump->groups[largest];
    send(dump, group);
    buffer_clear(&group->tail);
    buffer_str(&group->tail, tail);
    return largest;
}

/* `row` and `tail` of the dump go into their group. */
static void add_row(Dump *dump)
{
    Str tail = buffer_view(&dump->tail), row = buffer_view(&dump->row);
    Group *group = &dump->groups[dump->last];
    if (dump->group_count == 0 || !str_equal(buffer_view(&group->tail), tail)) {
        dump->last = find_group(dump, tail);
        group = &dump->groups[dump->last];
    }
    if (group->count == GROUP_ROWS_MAX ||
        (group->count > 0 && group->rows.bytes + row.bytes > GROUP_BYTES_MAX))
        send(dump, group);
    if (group->count++ > 0) buffer_char(&group->rows, ',');
    buffer_str(&group->rows, row);
}

/* ---- entities ---- */

static void add_name(Buffer *out, contextql_text name)
{
    value_text_name(out, (Str){name.data, name.size});
}

static void put_properties(Buffer *out, const contextql_value *entity)
{
    size_t count = contextql_value_count(entity);
    buffer_char(out, '{');
    for (size_t i = 0; i < count; i++) {
        contextql_text key;
        const contextql_value *value = contextql_value_at(entity, i, &key);
        if (i > 0) buffer_text(out, ", ");
        add_name(out, key);
        buffer_text(out, ": ");
        value_text(out, value, VALUE_LITERAL);
    }
    buffer_char(out, '}');
}

static void tell_progress(const Dump *dump)
{
    enum { TELL_EVERY = 1024 };
    uint64_t done = dump->counts.nodes + dump->counts.relationships;
    if (dump->progress != NULL && done % TELL_EVERY == 0)
        dump->progress(dump->user, (double)done / (double)dump->all, done);
}

static void add_node(Dump *dump, contextql_statement *statement)
{
    const contextql_value *node = contextql_column(statement, 0);
    size_t labels = contextql_value_label_count(node);
    buffer_clear(&dump->row);
    buffer_clear(&dump->tail);
    buffer_printf(&dump->row, "[%llu,", (unsigned long long)contextql_value_id(node));
    put_properties(&dump->row, node);
    buffer_char(&dump->row, ']');
    buffer_printf(&dump->tail, "CREATE (n:%s", dump->mark);
    for (size_t i = 0; i < labels; i++) {
        buffer_char(&dump->tail, ':');
        add_name(&dump->tail, contextql_value_label(node, i));
    }
    buffer_printf(&dump->tail, ") SET n = r[1], n.%s = r[0];\n", dump->mark);
    add_row(dump);
    dump->counts.nodes++;
    tell_progress(dump);
}

static void add_relationship(Dump *dump, contextql_statement *statement)
{
    const contextql_value *one = contextql_column(statement, 0);
    bool bare = contextql_value_count(one) == 0;
    buffer_clear(&dump->row);
    buffer_clear(&dump->tail);
    buffer_printf(&dump->row, "[%llu,%llu", (unsigned long long)contextql_value_start_id(one),
                  (unsigned long long)contextql_value_end_id(one));
    if (!bare) buffer_char(&dump->row, ',');
    if (!bare) put_properties(&dump->row, one);
    buffer_char(&dump->row, ']');
    buffer_printf(&dump->tail,
                  "MATCH (a:%s {%s: r[0]}), (b:%s {%s: r[1]}) CREATE (a)-[e:", dump->mark,
                  dump->mark, dump->mark, dump->mark);
    add_name(&dump->tail, contextql_value_relationship_type(one));
    buffer_text(&dump->tail, bare ? "]->(b);\n" : "]->(b) SET e = r[2];\n");
    add_row(dump);
    dump->counts.relationships++;
    tell_progress(dump);
}

/* ---- indexes and constraints ---- */

/* "dimensions: 2, metric: cosine" as a map. */
static void put_options(Buffer *out, Str options)
{
    buffer_text(out, " OPTIONS {");
    for (size_t at = 0; at < options.bytes;) {
        size_t end = at, colon;
        while (end < options.bytes && options.data[end] != ',')
            end++;
        for (colon = at; colon < end && options.data[colon] != ':';)
            colon++;
        Str value = {options.data + colon + 2, colon + 2 > end ? 0 : end - colon - 2};
        int64_t number;
        bool quoted = !integer_parse(value, &number);
        buffer_append(out, options.data + at, colon - at);
        buffer_printf(out, quoted ? ": '%.*s'" : ": %.*s", STR_ARG(value));
        at = end;
        if (at < options.bytes) buffer_text(out, ", ");
        while (at < options.bytes && strchr(", ", options.data[at]) != NULL)
            at++;
    }
    buffer_char(out, '}');
}

static void put_rule(Buffer *out, const char *what, contextql_statement *statement)
{
    buffer_printf(out, "CREATE %s ", what);
    value_text_name(out, text_of(statement, 0));
    buffer_text(out, " FOR (n:");
    value_text_name(out, text_of(statement, 2));
    buffer_text(out, ") ");
}

/* A property's name, or of several a list; `paren` even where it is one. */
static void put_keys(Buffer *out, contextql_statement *statement, bool paren)
{
    const contextql_value *keys = contextql_column(statement, 3);
    bool several = contextql_value_type(keys) == CONTEXTQL_LIST;
    size_t count = several ? contextql_value_count(keys) : 1;
    buffer_text(out, paren || several ? "(" : "");
    for (size_t i = 0; i < count; i++) {
        const contextql_value *key = several ? contextql_value_at(keys, i, NULL) : keys;
        contextql_text name = contextql_value_string(key);
        buffer_text(out, i > 0 ? ", n." : "n.");
        value_text_name(out, (Str){name.data, name.size});
    }
    buffer_text(out, paren || several ? ")" : "");
}

static void add_index(Dump *dump, contextql_statement *statement)
{
    Str type = text_of(statement, 1);
    bool vector = str_equal(type, STR("vector"));
    if (str_equal(type, STR("unique"))) return; /* a constraint */
    if (!vector && !str_equal(type, STR("property"))) {
        dump->error = error_hint(
            error_new(ERROR_MISUSE,
                      "the index %.*s cannot be written as a statement: its type is %.*s",
                      STR_ARG(text_of(statement, 0)), STR_ARG(type)),
            "DROP INDEX takes it away");
        return;
    }
    buffer_clear(&dump->row);
    put_rule(&dump->row, vector ? "VECTOR INDEX" : "INDEX", statement);
    buffer_text(&dump->row, "ON ");
    put_keys(&dump->row, statement, true);
    if (vector) put_options(&dump->row, text_of(statement, 4));
    fprintf(dump->file, "%s;\n", dump->row.data);
}

static void add_constraint(Dump *dump, contextql_statement *statement)
{
    bool unique = str_equal(text_of(statement, 1), STR("unique"));
    buffer_clear(&dump->row);
    put_rule(&dump->row, "CONSTRAINT", statement);
    buffer_text(&dump->row, "REQUIRE ");
    put_keys(&dump->row, statement, false);
    fprintf(dump->file, "%s IS %s;\n", dump->row.data, unique ? "UNIQUE" : "NOT NULL");
}

/* ---- the whole ---- */

/* A name in the column: may it be taken for the mark? */
static void avoid_name(Dump *dump, contextql_statement *statement)
{
    Str name = text_of(statement, 0);
    size_t bytes = strlen(dump->mark);
    bool longer = name.bytes >= bytes && memcmp(name.data, dump->mark, bytes) == 0;
    for (size_t i = bytes; longer && i < name.bytes; i++)
        longer = name.data[i] == '_';
    if (!longer) return;
    if (name.bytes + 2 > sizeof dump->mark)
        dump->error = error_new(ERROR_MISUSE, "no name is left to mark nodes with: %.*s is taken",
                                STR_ARG(name));
    else
        snprintf(dump->mark, sizeof dump->mark, "%.*s_", STR_ARG(name));
}

static void add_count(Dump *dump, contextql_statement *statement)
{
    dump->all += (uint64_t)contextql_value_integer(contextql_column(statement, 0));
}

static Error *choose_mark(Dump *dump)
{
    snprintf(dump->mark, sizeof dump->mark, "__dump__");
    TRY(each_row(dump, "SHOW LABELS", avoid_name));
    TRY(each_row(dump, "SHOW PROPERTIES", avoid_name));
    return each_row(dump, "SHOW INDEXES", avoid_name);
}

static Error *write_rows(Dump *dump, const char *query, void (*row)(Dump *, contextql_statement *))
{
    Error *error = each_row(dump, query, row);
    send_all(dump);
    if (error == NULL) error = dump->error;
    if (error != dump->error) error_drop(dump->error);
    dump->error = NULL;
    return error;
}

static Error *write_all(Dump *dump)
{
    const char *mark = dump->mark;
    FILE *file = dump->file;
    TRY(choose_mark(dump));
    TRY(each_row(dump, "MATCH (n) RETURN count(n)", add_count));
    TRY(each_row(dump, "MATCH ()-[e]->() RETURN count(e)", add_count));
    fprintf(file, "// ContextQL dump 1, mark %s\nCREATE INDEX %s FOR (n:%s) ON (n.%s);\n", mark,
            mark, mark, mark);
    TRY(write_rows(dump, "MATCH (n) RETURN n", add_node));
    TRY(write_rows(dump, "MATCH ()-[e]->() RETURN e", add_relationship));
    fprintf(file, "DROP INDEX %s;\nMATCH (n:%s) REMOVE n.%s, n:%s;\n", mark, mark, mark, mark);
    TRY(each_row(dump, "SHOW INDEXES", add_index));
    TRY(each_row(dump, "SHOW CONSTRAINTS", add_constraint));
    fprintf(file, "RETURN %llu AS nodes, %llu AS relationships;\n",
            (unsigned long long)dump->counts.nodes, (unsigned long long)dump->counts.relationships);
    errno = 0;
    if (fflush(file) == 0 && !ferror(file)) return NULL;
    return error_errno(ERROR_IO, errno == 0 ? EIO : errno, "the dump");
}

Error *dump_write(contextql *session, FILE *file, contextql_progress_fn *progress, void *user,
                  DumpCounts *out)
{
    Dump *dump = mem_calloc(1, sizeof *dump);
    dump->session = session;
    dump->file = file;
    dump->progress = progress;
    dump->user = user;
    bool own = !contextql_in_transaction(session);
    Error *error = own ? each_row(dump, "BEGIN", NULL) : NULL;
    if (error == NULL) error = write_all(dump);
    if (own && contextql_in_transaction(session)) {
        Error *second = each_row(dump, "ROLLBACK", NULL); /* nothing was written */
        if (error == NULL)
            error = second;
        else
            error_drop(second);
    }
    if (error == NULL) *out = dump->counts;
    buffer_free(&dump->row);
    buffer_free(&dump->tail);
    mem_free(dump);
    return error;
}
