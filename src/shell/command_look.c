/*
 * command_look.c - commands that show what the database has.
 *
 * The language has SHOW for names and their counts. What hangs together, and what properties hold,
 * nobody has written down: it is read off the first some thousand nodes and relationships.
 */
#include "config.h"

#include "base/map.h"
#include "format/value_text.h"
#include "shell/command_internal.h"

enum {
    SAMPLE_MAX = 10000,       /* nodes of a label whose properties are looked at */
    EDGE_SAMPLE_MAX = 100000, /* relationships of a type whose ends are */
    KEYS_SAMPLE_MAX = 1000    /* nodes of a label for the names of its properties */
};

Error *command_query(Shell *shell, const char *text, EachRow *row, void *state)
{
    contextql_statement *statement = NULL;
    int code = contextql_prepare(shell->session, text, strlen(text), &statement, NULL);
    run_stoppable(shell->session);
    if (code == CONTEXTQL_OK && statement != NULL) run_bind(shell, statement);
    if (code == CONTEXTQL_OK)
        while ((code = contextql_step(statement)) == CONTEXTQL_ROW)
            row(state, statement);
    run_stoppable(NULL);
    Error *error = code == CONTEXTQL_DONE ? NULL : command_session_error(shell->session);
    contextql_finalize(statement);
    return error;
}

static Str text_at(const contextql_statement *statement, int column)
{
    contextql_text text = contextql_value_string(contextql_column(statement, column));
    return (Str){text.data, text.size};
}

static uint64_t count_at(const contextql_statement *statement, int column)
{
    return (uint64_t)contextql_value_integer(contextql_column(statement, column));
}

/* ---- :schema ---- */

typedef struct Names { /* of labels or types, with their counts */
    Arena *arena;
    Str *names;
    uint64_t *counts;
    size_t count, name_capacity, count_capacity;
} Names;

static void take_name(void *state, const contextql_statement *statement)
{
    Names *names = state;
    uint64_t count = count_at(statement, 1);
    if (count == 0) return; /* known, but nothing has it */
    mem_reserve(names->names, names->name_capacity, names->count + 1);
    mem_reserve(names->counts, names->count_capacity, names->count + 1);
    names->names[names->count] = str_copy(names->arena, text_at(statement, 0));
    names->counts[names->count++] = count;
}

typedef struct Edge {
    uint64_t from, to; /* numbers of label sets */
    size_t type;       /* number of its name */
    uint64_t seen;
} Edge;

typedef struct Drawing {
    Shell *shell;
    Names labels, types;
    StrMap *sets; /* ":Person:Actor" of nodes, numbered as they come */
    size_t type;  /* that is looked at */
    Edge *edges;
    size_t edge_count, edge_capacity;
    Buffer line;
    uint64_t count;
} Drawing;

static void put_label(Buffer *out, Str label)
{
    buffer_char(out, ':');
    value_text_name(out, label);
}

static uint64_t set_of(Drawing *drawing, const contextql_value *labels)
{
    Buffer text = {0};
    size_t count = contextql_value_count(labels);
    for (size_t i = 0; i < count; i++) {
        contextql_text label = contextql_value_string(contextql_value_at(labels, i, NULL));
        put_label(&text, (Str){label.data, label.size});
    }
    uint64_t number = strmap_count(drawing->sets);
    if (!strmap_get(drawing->sets, buffer_view(&text), &number))
        strmap_put(drawing->sets, buffer_view(&text), number);
    buffer_free(&text);
    return number;
}

static void take_edge(void *state, const contextql_statement *statement)
{
    Drawing *drawing = state;
    Edge edge = {.type = drawing->type, .seen = count_at(statement, 2)};
    edge.from = set_of(drawing, contextql_column(statement, 0));
    edge.to = set_of(drawing, contextql_column(statement, 1));
    mem_reserve(drawing->edges, drawing->edge_capacity, drawing->edge_count + 1);
    drawing->edges[drawing->edge_count++] = edge;
}

static Error *read_edges(Drawing *drawing)
{
    Error *error = NULL;
    for (drawing->type = 0; drawing->type < drawing->types.count && error == NULL;
         drawing->type++) {
        Buffer text = {0};
        buffer_text(&text, "MATCH (a)-[");
        put_label(&text, drawing->types.names[drawing->type]);
        buffer_printf(&text,
                      "]->(b) WITH a, b LIMIT %d RETURN labels(a) AS f, labels(b) AS t, "
                      "count(*) AS n ORDER BY n DESC, f, t",
                      EDGE_SAMPLE_MAX);
        error = command_query(drawing->shell, text.data, take_edge, drawing);
        buffer_free(&text);
    }
    return error;
}

/* Labels that stand on no relationship's end. */
static void add_lonely_labels(Drawing *drawing)
{
    for (size_t i = 0; i < drawing->labels.count; i++) {
        Buffer text = {0};
        bool known = false;
        put_label(&text, drawing->labels.names[i]);
        for (size_t k = 0; k < strmap_count(drawing->sets) && !known; k++) {
            Str set = strmap_key(drawing->sets, k, NULL);
            for (size_t at = 0; at + text.bytes <= set.bytes && !known; at++)
                known = memcmp(set.data + at, text.data, text.bytes) == 0 &&
                        (at + text.bytes == set.bytes || set.data[at + text.bytes] == ':');
        }
        if (!known) strmap_put(drawing->sets, buffer_view(&text), strmap_count(drawing->sets));
        buffer_free(&text);
    }
}

static void take_key(void *state, const contextql_statement *statement)
{
    Drawing *drawing = state;
    bool more = drawing->line.data[drawing->line.bytes - 1] != '{';
    buffer_text(&drawing->line, more ? ", " : "");
    value_text_name(&drawing->line, text_at(statement, 0));
}

static void take_count(void *state, const contextql_statement *statement)
{
    Drawing *drawing = state;
    drawing->count = count_at(statement, 0);
}

/* "(:Label {key, key})  12 nodes" */
static Error *put_root(Drawing *drawing, Str set)
{
    Buffer text = {0};
    buffer_printf(&text, "MATCH (n%.*s) RETURN count(n)", STR_ARG(set));
    drawing->count = 0;
    Error *error =
        set.bytes == 0 ? NULL : command_query(drawing->shell, text.data, take_count, drawing);
    buffer_clear(&drawing->line);
    buffer_printf(&drawing->line, "(%.*s {", STR_ARG(set));
    buffer_clear(&text);
    buffer_printf(&text,
                  "MATCH (n%.*s) WITH n LIMIT %d UNWIND keys(n) AS k RETURN DISTINCT k ORDER BY k",
                  STR_ARG(set), KEYS_SAMPLE_MAX);
    if (error == NULL && set.bytes > 0)
        error = command_query(drawing->shell, text.data, take_key, drawing);
    buffer_free(&text);
    bool none = drawing->line.data[drawing->line.bytes - 1] == '{';
    if (none) drawing->line.bytes -= 2;
    FILE *file = drawing->shell->output.file;
    fprintf(file, "%.*s%s", STR_ARG(buffer_view(&drawing->line)), none ? ")" : "})");
    if (set.bytes > 0)
        fprintf(file, "  %llu node%s", (unsigned long long)drawing->count,
                drawing->count == 1 ? "" : "s");
    fputc('\n', file);
    return error;
}

static void put_edges(Drawing *drawing, uint64_t set)
{
    size_t last = SIZE_MAX;
    for (size_t i = 0; i < drawing->edge_count; i++)
        if (drawing->edges[i].from == set) last = i;
    for (size_t i = 0; i < drawing->edge_count; i++) {
        const Edge *edge = &drawing->edges[i];
        uint64_t all = drawing->types.counts[edge->type];
        bool sampled = all > EDGE_SAMPLE_MAX;
        if (edge->from != set) continue;
        buffer_clear(&drawing->line);
        buffer_text(&drawing->line, i == last ? "\u2514\u2500[" : "\u251c\u2500[");
        put_label(&drawing->line, drawing->types.names[edge->type]);
        buffer_text(&drawing->line, "]\u2500> (");
        buffer_str(&drawing->line, strmap_key(drawing->sets, edge->to, NULL));
        fprintf(drawing->shell->output.file, "%.*s)  %s%.0f\n",
                STR_ARG(buffer_view(&drawing->line)), sampled ? "~" : "",
                (double)edge->seen * (sampled ? (double)all / EDGE_SAMPLE_MAX : 1));
    }
}

/* Nodes without labels are shown where relationships leave them. */
static bool is_shown(const Drawing *drawing, uint64_t set)
{
    bool leads = false;
    for (size_t i = 0; i < drawing->edge_count; i++)
        leads = leads || drawing->edges[i].from == set;
    return leads || strmap_key(drawing->sets, set, NULL).bytes > 0;
}

static Error *draw(Drawing *drawing)
{
    TRY(command_query(drawing->shell, "SHOW LABELS", take_name, &drawing->labels));
    TRY(command_query(drawing->shell, "SHOW TYPES", take_name, &drawing->types));
    TRY(read_edges(drawing));
    add_lonely_labels(drawing);
    for (uint64_t set = 0; set < strmap_count(drawing->sets); set++) {
        if (!is_shown(drawing, set)) continue;
        TRY(put_root(drawing, strmap_key(drawing->sets, set, NULL)));
        put_edges(drawing, set);
    }
    if (strmap_count(drawing->sets) == 0)
        fputs("(no labels, no relationships)\n", drawing->shell->output.file);
    return NULL;
}

static bool draws(Format format)
{
    return format == FORMAT_TABLE || format == FORMAT_BOX || format == FORMAT_GRAPH;
}

Error *run_schema(const Call *call)
{
    Shell *shell = call->shell;
    if (!draws(shell->output.format)) {
        command_run_text(shell, STR("SHOW LABELS; SHOW TYPES; SHOW PROPERTIES;"));
        return NULL;
    }
    Arena *arena = arena_create();
    Drawing drawing = {.shell = shell, .sets = strmap_create()};
    drawing.labels.arena = drawing.types.arena = arena;
    Error *error = draw(&drawing);
    mem_free(drawing.labels.names);
    mem_free(drawing.labels.counts);
    mem_free(drawing.types.names);
    mem_free(drawing.types.counts);
    mem_free(drawing.edges);
    buffer_free(&drawing.line);
    strmap_destroy(drawing.sets);
    arena_destroy(arena);
    return error;
}

Error *run_indexes(const Call *call)
{
    command_run_text(call->shell, STR("SHOW INDEXES;"));
    return NULL;
}

Error *run_workers(const Call *call)
{
    command_run_text(call->shell, STR("SHOW WORKERS;"));
    return NULL;
}

/* ---- :describe ---- */

typedef struct Property {
    Str name, example;
    uint64_t count;
    uint32_t types; /* a bit a contextql_type */
} Property;

typedef struct Description {
    Arena *arena;
    StrMap *known; /* name -> number of the property */
    Property *properties;
    size_t capacity;
    uint64_t seen, all; /* entities */
    Str name;           /* what is looked for in SHOW LABELS or SHOW TYPES */
    Meant *nearest;
    bool found;
} Description;

static void find_name(void *state, const contextql_statement *statement)
{
    Description *description = state;
    meant_see(description->nearest, text_at(statement, 0));
    if (!str_equal(text_at(statement, 0), description->name)) return;
    description->found = true;
    description->all = count_at(statement, 1);
}

static void take_entity(void *state, const contextql_statement *statement)
{
    Description *description = state;
    const contextql_value *entity = contextql_column(statement, 0);
    size_t count = contextql_value_count(entity);
    description->seen++;
    for (size_t i = 0; i < count; i++) {
        contextql_text key;
        const contextql_value *value = contextql_value_at(entity, i, &key);
        uint64_t at = strmap_count(description->known);
        Str name = {key.data, key.size};
        if (!strmap_get(description->known, name, &at)) {
            Buffer example = {0};
            value_text(&example, value, VALUE_SHORT);
            strmap_put(description->known, name, at);
            mem_reserve(description->properties, description->capacity, at + 1);
            description->properties[at] =
                (Property){.name = str_copy(description->arena, name),
                           .example = str_copy(description->arena, buffer_view(&example))};
            buffer_free(&example);
        }
        description->properties[at].count++;
        description->properties[at].types |= 1u << contextql_value_type(value);
    }
}

static void put_types(Buffer *out, uint32_t types)
{
    static const char *const names[] = {
        [CONTEXTQL_NULL] = "NULL",         [CONTEXTQL_BOOLEAN] = "BOOLEAN",
        [CONTEXTQL_INTEGER] = "INTEGER",   [CONTEXTQL_FLOAT] = "FLOAT",
        [CONTEXTQL_STRING] = "STRING",     [CONTEXTQL_BYTES] = "BYTES",
        [CONTEXTQL_TEMPORAL] = "TEMPORAL", [CONTEXTQL_LIST] = "LIST",
        [CONTEXTQL_MAP] = "MAP",           [CONTEXTQL_VECTOR] = "VECTOR"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (types & 1u << i) buffer_printf(out, "%s%s", out->bytes > 0 ? ", " : "", names[i]);
}

static void put_entry(contextql_value *row, const char *key, contextql_value *value)
{
    if (value != NULL) contextql_value_put(row, key, strlen(key), value);
    contextql_value_free(value);
}

static void show_properties(Shell *shell, const Description *description)
{
    static const char *const columns[] = {"property", "has", "types", "example", NULL};
    contextql_value *rows = contextql_value_new_list();
    for (size_t i = 0; i < strmap_count(description->known); i++) {
        const Property *property = &description->properties[i];
        contextql_value *row = contextql_value_new_map();
        Buffer types = {0};
        put_types(&types, property->types);
        put_entry(row, "property",
                  contextql_value_new_string(property->name.data, property->name.bytes));
        put_entry(row, "has", contextql_value_new_integer((int64_t)property->count));
        put_entry(row, "types", contextql_value_new_string(types.data, types.bytes));
        put_entry(row, "example",
                  contextql_value_new_string(property->example.data, property->example.bytes));
        contextql_value_append(rows, row);
        contextql_value_free(row);
        buffer_free(&types);
    }
    command_show_rows(shell, rows, columns);
    contextql_value_free(rows);
}

/* Of a label or, with `type`, of a relationship type; *found: there is one of that name. */
static Error *describe(Shell *shell, Str name, bool type, Meant *nearest, bool *found)
{
    Description description = {
        .arena = arena_create(), .known = strmap_create(), .name = name, .nearest = nearest};
    Buffer text = {0};
    Error *error =
        command_query(shell, type ? "SHOW TYPES" : "SHOW LABELS", find_name, &description);
    if (error == NULL && description.found) {
        buffer_text(&text, type ? "MATCH ()-[n:" : "MATCH (n:");
        value_text_name(&text, name);
        buffer_printf(&text, type ? "]->() RETURN n LIMIT %d" : ") RETURN n LIMIT %d", SAMPLE_MAX);
        error = command_query(shell, text.data, take_entity, &description);
        *found = true;
    }
    if (error == NULL && description.found) {
        show_properties(shell, &description);
        if (!shell->options->quiet)
            fprintf(stderr, "%.*s: %llu %s%s%s\n", STR_ARG(name),
                    (unsigned long long)description.all, type ? "relationship" : "node",
                    description.all == 1 ? "" : "s",
                    description.seen < description.all ? "; the first 10000 were looked at" : "");
    }
    buffer_free(&text);
    strmap_destroy(description.known);
    mem_free(description.properties);
    arena_destroy(description.arena);
    return error;
}

Error *run_describe(const Call *call)
{
    Str name = call->rest;
    bool found = false;
    while (name.bytes > 0 && name.data[0] == ':')
        name.data++, name.bytes--;
    if (name.bytes == 0)
        return error_hint(error_new(ERROR_MISUSE, "no label or type is named"),
                          ":schema shows them");
    Meant nearest = meant_of(name);
    TRY(describe(call->shell, name, false, &nearest, &found));
    TRY(describe(call->shell, name, true, &nearest, &found));
    if (found) return NULL;
    Error *error = error_new(ERROR_NAME_UNKNOWN, "no such label or type: %.*s", STR_ARG(name));
    if (nearest.name[0] != '\0') return error_hint(error, "did you mean %s?", nearest.name);
    return error_hint(error, ":schema shows them, :help NAME tells about functions and keywords");
}

/* ---- :keys ---- */

Error *run_keys(const Call *call)
{
    static const struct {
        const char *keys, *meaning;
    } rows[] = {
#define KEY(keys, meaning) {keys, meaning},
#include "contextql/keys.def"
#undef KEY
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        command_tell_row(call->shell, rows[i].keys, rows[i].meaning);
    return NULL;
}
