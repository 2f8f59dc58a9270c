/* json.c - values as JSON. */
#include "config.h"

#include "base/json.h"
#include "expression/json.h"
#include "value/temporal.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct Writer {
    Buffer *out;
    const EntityReader *reader;
    Arena *arena;
} Writer;

static void put(const Writer *writer, Value value);

static void put_float(Buffer *out, double number)
{
    char text[FLOAT_TEXT_MAX];
    float_print(text, number);
    if (isfinite(number))
        buffer_text(out, text);
    else
        buffer_printf(out, "{\"$float\": \"%s\"}", text);
}

static void put_entries(const Writer *writer, Value map)
{
    buffer_char(writer->out, '{');
    for (uint32_t i = 0; map.kind == VALUE_MAP && i < map.aux; i++) {
        if (i > 0) buffer_text(writer->out, ", ");
        json_put_string(writer->out, map.as.entries[i].key);
        buffer_text(writer->out, ": ");
        put(writer, map.as.entries[i].value);
    }
    buffer_char(writer->out, '}');
}

static void put_map(const Writer *writer, Value map)
{
    bool wrapped = false;
    for (uint32_t i = 0; i < map.aux; i++)
        wrapped =
            wrapped || (map.as.entries[i].key.bytes > 0 && map.as.entries[i].key.data[0] == '$');
    if (wrapped) buffer_text(writer->out, "{\"$map\": ");
    put_entries(writer, map);
    if (wrapped) buffer_char(writer->out, '}');
}

static void put_list(const Writer *writer, Value list)
{
    buffer_char(writer->out, '[');
    for (uint32_t i = 0; list.kind == VALUE_LIST && i < list.aux; i++) {
        if (i > 0) buffer_text(writer->out, ", ");
        put(writer, list.as.items[i]);
    }
    buffer_char(writer->out, ']');
}

static void put_component(Buffer *out, float component)
{
    char text[FLOAT_TEXT_MAX];
    float32_print(text, component);
    buffer_text(out, text);
}

static void put_vector(Buffer *out, Value vector)
{
    buffer_text(out, "{\"$vector\": [");
    for (uint32_t i = 0; i < vector.aux; i++) {
        if (i > 0) buffer_text(out, ", ");
        put_component(out, vector.as.vector[i]);
    }
    buffer_text(out, "]}");
}

static void put_properties(const Writer *writer, Value entity)
{
    Value map = value_null();
    if (writer->reader != NULL) /* gone: it shows none */
        error_drop(writer->reader->properties(writer->reader->state, entity, writer->arena, &map));
    put_entries(writer, map);
}

static void put_node(const Writer *writer, Value node)
{
    Value labels = value_null();
    if (writer->reader != NULL)
        error_drop(
            writer->reader->labels(writer->reader->state, node.as.id, writer->arena, &labels));
    buffer_text(writer->out, "{\"$node\": {\"id\": ");
    buffer_integer(writer->out, (int64_t)entity_id(node.as.id));
    buffer_text(writer->out, ", \"labels\": ");
    put_list(writer, labels);
    buffer_text(writer->out, ", \"properties\": ");
    put_properties(writer, node);
    buffer_text(writer->out, "}}");
}

static void put_relationship(const Writer *writer, Value relationship)
{
    Str type = {"", 0};
    uint64_t start = 0, end = 0;
    if (writer->reader != NULL) {
        void *state = writer->reader->state;
        error_drop(writer->reader->type(state, relationship.as.id, &type));
        error_drop(writer->reader->ends(state, relationship.as.id, &start, &end));
    }
    buffer_printf(writer->out, "{\"$rel\": {\"id\": %llu, \"type\": ",
                  (unsigned long long)entity_id(relationship.as.id));
    json_put_string(writer->out, type);
    buffer_printf(writer->out, ", \"start\": %llu, \"end\": %llu, \"properties\": ",
                  (unsigned long long)entity_id(start), (unsigned long long)entity_id(end));
    put_properties(writer, relationship);
    buffer_text(writer->out, "}}");
}

static void put_path(const Writer *writer, Value path)
{
    buffer_text(writer->out, "{\"$path\": [");
    for (uint32_t i = 0; i < path.aux; i++) {
        if (i > 0) buffer_text(writer->out, ", ");
        Value entity = {.kind = i % 2 == 0 ? VALUE_NODE : VALUE_RELATIONSHIP,
                        .as.id = path.as.path[i]};
        put(writer, entity);
    }
    buffer_text(writer->out, "]}");
}

static void put_printed(Buffer *out, Value value)
{
    Buffer text = {0};
    value_print(&text, value, false);
    json_put_string(out, buffer_view(&text));
    buffer_free(&text);
}

static void put_temporal(Buffer *out, Value value)
{
    buffer_printf(out, "{\"%s\": ", temporal_tag((ValueKind)value.kind));
    put_printed(out, value);
    buffer_char(out, '}');
}

static void put(const Writer *writer, Value value)
{
    Buffer *out = writer->out;
    switch ((ValueKind)value.kind) {
    case VALUE_NULL: buffer_text(out, "null"); break;
    case VALUE_BOOLEAN: buffer_text(out, value.as.boolean ? "true" : "false"); break;
    case VALUE_INTEGER: buffer_integer(out, value.as.integer); break;
    case VALUE_FLOAT: put_float(out, value.as.number); break;
    case VALUE_STRING: json_put_string(out, value_text(value)); break;
    case VALUE_BYTES: put_printed(out, value); break;
    case VALUE_LIST: put_list(writer, value); break;
    case VALUE_MAP: put_map(writer, value); break;
    case VALUE_VECTOR: put_vector(out, value); break;
    case VALUE_DATE:
    case VALUE_LOCAL_TIME:
    case VALUE_TIME:
    case VALUE_LOCAL_DATETIME:
    case VALUE_DATETIME:
    case VALUE_DURATION: put_temporal(out, value); break;
    case VALUE_NODE: put_node(writer, value); break;
    case VALUE_RELATIONSHIP: put_relationship(writer, value); break;
    case VALUE_PATH: put_path(writer, value); break;
    case VALUE_KIND_COUNT: break;
    }
}

void value_json(Buffer *out, Value value, const EntityReader *reader, Arena *arena)
{
    Writer writer = {out, reader, arena};
    put(&writer, value);
}
