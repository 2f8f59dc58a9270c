/*
 * drawing.c - the graph in a result: as CREATE statements, for Graphviz, or drawn in text.
 *
 * Every node and relationship of the result counts once, wherever it stands: in a column, a path, a
 * list or a map. A relationship whose end is not in the result gets a bare node there, for it must
 * end somewhere. Values of rows die with the next row, so texts are made at once.
 *
 * As text, each node is a root once, with what it leads to below it:
 *
 *     (:Person {name: 'Ada'})
 *     ├─[:KNOWS]─> (:Person {name: 'Charles'})
 *     └─[:WROTE]─> (:Paper {title: 'Notes'})
 */
#include "config.h"

#include "base/map.h"
#include "format/format_internal.h"
#include "format/value_text.h"

typedef struct DrawnNode {
    size_t text, end;   /* of Drawing.text; the same: a bare node */
    size_t first, last; /* relationships that leave it: index + 1, 0: none */
    bool reached;       /* by a relationship from another node */
} DrawnNode;

typedef struct DrawnRelationship {
    size_t text, end;
    size_t from, to;
    size_t next; /* that leaves the same node: index + 1 */
} DrawnRelationship;

typedef struct Drawing {
    ValueStyle style;
    bool labels; /* dot: label and name only, as a title */
    Buffer text;
    IntMap *node_at, *relationship_at; /* by id */
    DrawnNode *nodes;
    size_t node_count, node_capacity;
    DrawnRelationship *relationships;
    size_t relationship_count, relationship_capacity;
    Buffer rows; /* statements: rows that have no entity in them */
} Drawing;

/* ---- collecting ---- */

void drawing_begin(Result *result)
{
    Drawing *drawing = mem_calloc(1, sizeof *drawing);
    bool terminal = result->output->terminal && !result->output->to_file;
    drawing->style = result->output->format == FORMAT_STATEMENTS ? VALUE_LITERAL
                     : terminal                                  ? VALUE_SHORT
                                                                 : VALUE_PLAIN;
    drawing->labels = result->output->format == FORMAT_DOT;
    drawing->node_at = intmap_create();
    drawing->relationship_at = intmap_create();
    result->state = drawing;
}

static void drawing_free(Drawing *drawing)
{
    intmap_destroy(drawing->node_at);
    intmap_destroy(drawing->relationship_at);
    mem_free(drawing->nodes);
    mem_free(drawing->relationships);
    buffer_free(&drawing->text);
    buffer_free(&drawing->rows);
    mem_free(drawing);
}

static size_t node_index(Drawing *drawing, uint64_t id)
{
    uint64_t at;
    if (intmap_get(drawing->node_at, id, &at)) return (size_t)at;
    mem_reserve(drawing->nodes, drawing->node_capacity, drawing->node_count + 1);
    drawing->nodes[drawing->node_count] = (DrawnNode){0};
    intmap_put(drawing->node_at, id, drawing->node_count);
    return drawing->node_count++;
}

/* What a person would call the node: its labels, and its first text. */
static void put_title(Buffer *out, const contextql_value *node)
{
    size_t labels = contextql_value_label_count(node), count = contextql_value_count(node);
    for (size_t i = 0; i < labels; i++) {
        contextql_text label = contextql_value_label(node, i);
        buffer_char(out, ':');
        buffer_append(out, label.data, label.size);
    }
    for (size_t i = 0; i < count; i++) {
        const contextql_value *property = contextql_value_at(node, i, NULL);
        if (contextql_value_type(property) != CONTEXTQL_STRING) continue;
        if (labels > 0) buffer_char(out, '\n');
        value_text(out, property, VALUE_PLAIN);
        return;
    }
}

static void add_node(Drawing *drawing, const contextql_value *node)
{
    size_t at = node_index(drawing, contextql_value_id(node));
    if (drawing->nodes[at].end > drawing->nodes[at].text) return;
    drawing->nodes[at].text = drawing->text.bytes;
    if (drawing->labels)
        put_title(&drawing->text, node);
    else
        value_text(&drawing->text, node, drawing->style);
    drawing->nodes[at].end = drawing->text.bytes;
}

static void add_relationship(Drawing *drawing, const contextql_value *value)
{
    uint64_t id = contextql_value_id(value), known;
    if (intmap_get(drawing->relationship_at, id, &known)) return;
    DrawnRelationship one = {.text = drawing->text.bytes};
    one.from = node_index(drawing, contextql_value_start_id(value));
    one.to = node_index(drawing, contextql_value_end_id(value));
    if (drawing->labels) {
        contextql_text type = contextql_value_relationship_type(value);
        buffer_append(&drawing->text, type.data, type.size);
    } else {
        value_text(&drawing->text, value, drawing->style);
    }
    one.end = drawing->text.bytes;
    mem_reserve(drawing->relationships, drawing->relationship_capacity,
                drawing->relationship_count + 1);
    size_t at = drawing->relationship_count++;
    drawing->relationships[at] = one;
    intmap_put(drawing->relationship_at, id, at);
    DrawnNode *from = &drawing->nodes[one.from];
    if (from->first == 0)
        from->first = at + 1;
    else
        drawing->relationships[from->last - 1].next = at + 1;
    from->last = at + 1;
    if (one.to != one.from) drawing->nodes[one.to].reached = true;
}

/* True: there was an entity in it. */
static bool add(Drawing *drawing, const contextql_value *value)
{
    contextql_type type = contextql_value_type(value);
    bool found = type == CONTEXTQL_NODE || type == CONTEXTQL_RELATIONSHIP;
    if (type == CONTEXTQL_NODE) add_node(drawing, value);
    if (type == CONTEXTQL_RELATIONSHIP) add_relationship(drawing, value);
    if (type != CONTEXTQL_PATH && type != CONTEXTQL_LIST && type != CONTEXTQL_MAP) return found;
    size_t count = contextql_value_count(value);
    for (size_t i = 0; i < count; i++)
        found = add(drawing, contextql_value_at(value, i, NULL)) || found;
    return found;
}

static void add_plain_row(Drawing *drawing, const Result *result)
{
    size_t put = 0;
    buffer_text(&drawing->rows, "CREATE (:Row {");
    for (size_t c = 0; c < result->columns; c++) {
        const contextql_value *value = contextql_column(result->statement, (int)c);
        if (contextql_value_type(value) == CONTEXTQL_NULL) continue;
        if (put++ > 0) buffer_text(&drawing->rows, ", ");
        value_text_name(&drawing->rows, str_from(contextql_column_name(result->statement, (int)c)));
        buffer_text(&drawing->rows, ": ");
        value_text(&drawing->rows, value, VALUE_LITERAL);
    }
    buffer_text(&drawing->rows, "});\n");
}

void drawing_row(Result *result)
{
    Drawing *drawing = result->state;
    bool found = false;
    for (size_t c = 0; c < result->columns; c++)
        found = add(drawing, contextql_column(result->statement, (int)c)) || found;
    if (!found && result->output->format == FORMAT_STATEMENTS) add_plain_row(drawing, result);
}

static Str text_between(const Drawing *drawing, size_t from, size_t to)
{
    return (Str){drawing->text.data == NULL ? "" : drawing->text.data + from, to - from};
}

static Str node_text(const Drawing *drawing, size_t node)
{
    return text_between(drawing, drawing->nodes[node].text, drawing->nodes[node].end);
}

static Str relationship_text(const Drawing *drawing, size_t relationship)
{
    const DrawnRelationship *one = &drawing->relationships[relationship];
    return text_between(drawing, one->text, one->end);
}

/* ---- statements ---- */

static void put_statements(const Drawing *drawing, Buffer *out)
{
    const char *separator = "CREATE ";
    for (size_t i = 0; i < drawing->node_count; i++) {
        Str text =
            node_text(drawing, i); /* "(:Label {..})": the variable goes behind the bracket */
        if (text.bytes == 0) text = STR("()");
        buffer_printf(out, "%s(n%zu%s%.*s", separator, i, text.data[1] == '{' ? " " : "",
                      (int)text.bytes - 1, text.data + 1);
        separator = ",\n       ";
    }
    for (size_t i = 0; i < drawing->relationship_count; i++)
        buffer_printf(out, "%s(n%zu)-%.*s->(n%zu)", separator, drawing->relationships[i].from,
                      STR_ARG(relationship_text(drawing, i)), drawing->relationships[i].to);
    if (drawing->node_count > 0) buffer_text(out, ";\n");
    buffer_str(out, buffer_view(&drawing->rows));
}

void drawing_end_statements(Result *result, bool good)
{
    if (good) put_statements(result->state, &result->text);
    drawing_free(result->state);
}

/* ---- dot ---- */

static void put_dot_text(Buffer *out, Str text)
{
    buffer_char(out, '"');
    for (size_t i = 0; i < text.bytes; i++) {
        if (text.data[i] == '"' || text.data[i] == '\\') buffer_char(out, '\\');
        if (text.data[i] == '\n')
            buffer_text(out, "\\n");
        else
            buffer_char(out, text.data[i]);
    }
    buffer_char(out, '"');
}

static void put_dot(const Drawing *drawing, Buffer *out)
{
    buffer_text(out, "digraph {\n");
    for (size_t i = 0; i < drawing->node_count; i++) {
        buffer_printf(out, "  n%zu [label=", i);
        put_dot_text(out, node_text(drawing, i));
        buffer_text(out, "];\n");
    }
    for (size_t i = 0; i < drawing->relationship_count; i++) {
        buffer_printf(out, "  n%zu -> n%zu [label=", drawing->relationships[i].from,
                      drawing->relationships[i].to);
        put_dot_text(out, relationship_text(drawing, i));
        buffer_text(out, "];\n");
    }
    buffer_text(out, "}\n");
}

void drawing_end_dot(Result *result, bool good)
{
    if (good) put_dot(result->state, &result->text);
    drawing_free(result->state);
}

/* ---- drawn in text ---- */

static void put_line(Buffer *out, Str text)
{
    for (size_t i = 0; i < text.bytes; i++) {
        unsigned char c = (unsigned char)text.data[i];
        buffer_char(out, c < 0x20 || c == 0x7f ? ' ' : (char)c);
    }
}

static void put_drawn_node(const Drawing *drawing, size_t node, Buffer *out)
{
    Str text = node_text(drawing, node);
    put_line(out, text.bytes == 0 ? STR("()") : text);
}

static void put_graph(const Drawing *drawing, Buffer *out)
{
    for (size_t i = 0; i < drawing->node_count; i++) {
        const DrawnNode *node = &drawing->nodes[i];
        if (node->first == 0 && node->reached) continue; /* it is drawn below another */
        put_drawn_node(drawing, i, out);
        buffer_char(out, '\n');
        for (size_t r = node->first; r != 0; r = drawing->relationships[r - 1].next) {
            bool last = drawing->relationships[r - 1].next == 0;
            buffer_text(out, last ? "\u2514\u2500" : "\u251c\u2500");
            put_line(out, relationship_text(drawing, r - 1));
            buffer_text(out, "\u2500> ");
            put_drawn_node(drawing, drawing->relationships[r - 1].to, out);
            buffer_char(out, '\n');
        }
    }
    buffer_printf(out, "(%zu node%s, %zu relationship%s)\n", drawing->node_count,
                  drawing->node_count == 1 ? "" : "s", drawing->relationship_count,
                  drawing->relationship_count == 1 ? "" : "s");
}

void drawing_end_graph(Result *result, bool good)
{
    if (good) put_graph(result->state, &result->text);
    drawing_free(result->state);
}
