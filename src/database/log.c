/*
 * log.c - a transaction's effects in bytes. Every effect is one byte that says which, then varints:
 *
 *     NAME       kind, text                        the next id of that kind
 *     NODE       id
 *     RELATION   id, from, to
 *     PROPERTY   entity kind, id, key, value
 *     LABELS     node, count, labels
 *     GONE_NODE, GONE_RELATION   id
 *     INDEX      name, label, key, vector, dimensions, metric
 *     NO_INDEX   name
 *
 * A value is its kind and its payload; nothing in it is trusted when it comes back.
 */
#include "config.h"

#include "database/log.h"

typedef enum Effect {
    EFFECT_NAME = 1,
    EFFECT_NODE,
    EFFECT_RELATION,
    EFFECT_PROPERTY,
    EFFECT_LABELS,
    EFFECT_GONE_NODE,
    EFFECT_GONE_RELATION,
    EFFECT_INDEX,
    EFFECT_NO_INDEX
} Effect;

enum { VALUE_DEPTH_MAX = 8 }; /* a property is a value or a list of values: deeper is damage */

/* ---- values ---- */

static void put_bits(Buffer *out, const void *data, size_t bytes)
{
    buffer_append(out, data, bytes);
}

static void put_value(Buffer *out, Value value)
{
    put_u8(out, value.kind);
    switch ((ValueKind)value.kind) {
    case VALUE_BOOLEAN: put_u8(out, value.as.boolean); break;
    case VALUE_INTEGER:
    case VALUE_DATE:
    case VALUE_LOCAL_TIME: put_u64(out, (uint64_t)value.as.integer); break;
    case VALUE_TIME:
    case VALUE_LOCAL_DATETIME:
        put_u64(out, (uint64_t)value.as.integer);
        put_u32(out, value.aux);
        break;
    case VALUE_FLOAT: put_bits(out, &value.as.number, sizeof value.as.number); break;
    case VALUE_STRING:
    case VALUE_BYTES: put_str(out, value_text(value)); break;
    case VALUE_VECTOR:
        put_varint(out, value.aux);
        put_bits(out, value.as.vector, value.aux * sizeof(float));
        break;
    case VALUE_LIST:
        put_varint(out, value.aux);
        for (uint32_t i = 0; i < value.aux; i++)
            put_value(out, value.as.items[i]);
        break;
    case VALUE_DATETIME:
        put_u64(out, (uint64_t)value.as.moment->seconds);
        put_u32(out, value.as.moment->nanoseconds);
        put_u32(out, (uint32_t)value.as.moment->offset);
        put_str(out, value.as.moment->zone);
        break;
    case VALUE_DURATION:
        put_u64(out, (uint64_t)value.as.duration->months);
        put_u64(out, (uint64_t)value.as.duration->days);
        put_u64(out, (uint64_t)value.as.duration->seconds);
        put_u32(out, (uint32_t)value.as.duration->nanoseconds);
        break;
    case VALUE_NULL:
    case VALUE_MAP:
    case VALUE_NODE:
    case VALUE_RELATIONSHIP:
    case VALUE_PATH:
    case VALUE_KIND_COUNT: break; /* no property holds one */
    }
}

static Value get_value(Reader *reader, Arena *arena, int depth);

static Value get_list(Reader *reader, Arena *arena, int depth)
{
    uint64_t count = get_varint(reader);
    if (count > reader_left(reader) || depth >= VALUE_DEPTH_MAX) {
        reader->failed = true;
        return value_null();
    }
    Value *items = arena_alloc(arena, (count + 1) * sizeof *items);
    for (uint64_t i = 0; i < count; i++)
        items[i] = get_value(reader, arena, depth + 1);
    return value_list(items, count);
}

static Value get_vector(Reader *reader, Arena *arena)
{
    uint64_t count = get_varint(reader);
    if (count > reader_left(reader) / sizeof(float)) {
        reader->failed = true;
        return value_null();
    }
    float *components = arena_alloc(arena, (count + 1) * sizeof *components);
    memcpy(components, reader->at, count * sizeof *components);
    reader->at += count * sizeof *components;
    return value_vector(components, count);
}

static Value get_moment(Reader *reader, Arena *arena)
{
    Moment *moment = arena_new(arena, Moment);
    moment->seconds = (int64_t)get_u64(reader);
    moment->nanoseconds = get_u32(reader);
    moment->offset = (int32_t)get_u32(reader);
    moment->zone = get_str(reader);
    return (Value){.kind = VALUE_DATETIME, .as.moment = moment};
}

static Value get_duration(Reader *reader, Arena *arena)
{
    Duration *duration = arena_new(arena, Duration);
    duration->months = (int64_t)get_u64(reader);
    duration->days = (int64_t)get_u64(reader);
    duration->seconds = (int64_t)get_u64(reader);
    duration->nanoseconds = (int32_t)get_u32(reader);
    return (Value){.kind = VALUE_DURATION, .as.duration = duration};
}

static Value get_value(Reader *reader, Arena *arena, int depth)
{
    Value value = {.kind = get_u8(reader)};
    uint64_t bits;
    switch ((ValueKind)value.kind) {
    case VALUE_NULL: break;
    case VALUE_BOOLEAN: value.as.boolean = get_u8(reader) != 0; break;
    case VALUE_INTEGER:
    case VALUE_DATE:
    case VALUE_LOCAL_TIME: value.as.integer = (int64_t)get_u64(reader); break;
    case VALUE_TIME:
    case VALUE_LOCAL_DATETIME:
        value.as.integer = (int64_t)get_u64(reader);
        value.aux = get_u32(reader);
        break;
    case VALUE_FLOAT:
        bits = get_u64(reader);
        memcpy(&value.as.number, &bits, sizeof bits);
        break;
    case VALUE_STRING:
    case VALUE_BYTES: {
        Str text = get_str(reader);
        value.aux = (uint32_t)text.bytes;
        value.as.text = text.data;
        break;
    }
    case VALUE_VECTOR: return get_vector(reader, arena);
    case VALUE_LIST: return get_list(reader, arena, depth);
    case VALUE_DATETIME: return get_moment(reader, arena);
    case VALUE_DURATION: return get_duration(reader, arena);
    default: reader->failed = true;
    }
    return value;
}

/* ---- encoding ---- */

static void encode_names(const GraphWriter *writer, LoggedNames *names, Buffer *out)
{
    const Graph *graph = graph_writer_view(writer).graph;
    for (int kind = 0; kind < NAME_KIND_COUNT; kind++)
        for (; names->count[kind] < graph_name_count(graph, (NameKind)kind); names->count[kind]++) {
            put_u8(out, EFFECT_NAME);
            put_u8(out, (uint8_t)kind);
            put_str(out, graph_name_text(graph, (NameKind)kind, names->count[kind]));
        }
}

static void encode_index(const GraphIndex *index, Buffer *out)
{
    put_str(out, index->name);
    put_varint(out, index->label);
    put_varint(out, index->key);
    put_u8(out, index->vector);
    put_varint(out, index->dimensions);
    put_u8(out, index->metric);
}

static void encode_change(const GraphWriter *writer, const GraphChange *change, Buffer *out)
{
    static const uint8_t effects[] = {[GRAPH_CREATED_NODE] = EFFECT_NODE,
                                      [GRAPH_CREATED_RELATIONSHIP] = EFFECT_RELATION,
                                      [GRAPH_SET_PROPERTY] = EFFECT_PROPERTY,
                                      [GRAPH_SET_LABELS] = EFFECT_LABELS,
                                      [GRAPH_DELETED_NODE] = EFFECT_GONE_NODE,
                                      [GRAPH_DELETED_RELATIONSHIP] = EFFECT_GONE_RELATION,
                                      [GRAPH_CREATED_INDEX] = EFFECT_INDEX,
                                      [GRAPH_DROPPED_INDEX] = EFFECT_NO_INDEX};
    GraphView view = graph_writer_view(writer);
    uint64_t from, to;
    put_u8(out, effects[change->kind]);
    switch (change->kind) {
    case GRAPH_CREATED_NODE:
    case GRAPH_DELETED_NODE:
    case GRAPH_DELETED_RELATIONSHIP: put_varint(out, change->id); break;
    case GRAPH_CREATED_RELATIONSHIP:
        graph_relationship_ends(&view, change->id, &from, &to);
        put_varint(out, change->id);
        put_varint(out, from);
        put_varint(out, to);
        break;
    case GRAPH_SET_PROPERTY:
        put_u8(out, (uint8_t)change->entity);
        put_varint(out, change->id);
        put_varint(out, change->key);
        put_value(out, change->value);
        break;
    case GRAPH_SET_LABELS:
        put_varint(out, change->id);
        put_varint(out, change->label_count);
        for (uint32_t i = 0; i < change->label_count; i++)
            put_varint(out, change->labels[i]);
        break;
    case GRAPH_CREATED_INDEX: encode_index(change->index, out); break;
    case GRAPH_DROPPED_INDEX: put_str(out, change->index->name); break;
    }
}

void log_encode(const GraphWriter *writer, LoggedNames *names, Buffer *out)
{
    encode_names(writer, names, out);
    for (size_t i = 0; i < graph_change_count(writer); i++) {
        GraphChange change = graph_change_at(writer, i);
        encode_change(writer, &change, out);
    }
}

/* ---- replay ---- */

static Error *damaged(const char *what)
{
    return error_new(ERROR_CORRUPT, "the log holds an effect that does not fit: %s", what);
}

static Error *replay_name(GraphWriter *writer, Reader *reader)
{
    uint8_t kind = get_u8(reader);
    Str text = get_str(reader);
    if (reader->failed || kind >= NAME_KIND_COUNT) return damaged("a name");
    uint32_t expected = graph_name_count(graph_writer_view(writer).graph, (NameKind)kind);
    return graph_name_intern(writer, (NameKind)kind, text) == expected
               ? NULL
               : damaged("a name that is there already");
}

static Error *replay_node(GraphWriter *writer, Reader *reader)
{
    uint64_t id = get_varint(reader), given;
    TRY(graph_create_node(writer, NULL, 0, &given));
    return given == id ? NULL : damaged("a node's id");
}

static Error *replay_relationship(GraphWriter *writer, Reader *reader)
{
    uint64_t id = get_varint(reader), from = get_varint(reader), to = get_varint(reader), given;
    GraphView view = graph_writer_view(writer);
    bool sound = relationship_type(id) < graph_name_count(view.graph, NAME_TYPE) &&
                 graph_node_visible(&view, from) && graph_node_visible(&view, to);
    if (!sound) return damaged("a relationship's ends or type");
    TRY(graph_create_relationship(writer, relationship_type(id), from, to, &given));
    return given == id ? NULL : damaged("a relationship's id");
}

static bool visible(const GraphView *view, ValueKind kind, uint64_t id)
{
    if (kind == VALUE_NODE) return graph_node_visible(view, id);
    return kind == VALUE_RELATIONSHIP && graph_relationship_visible(view, id);
}

/* An effect on what the same transaction deleted later has nothing to act on any more and was never
 * seen: it is left out. */
static Error *replay_property(GraphWriter *writer, Reader *reader, Arena *arena)
{
    ValueKind kind = (ValueKind)get_u8(reader);
    uint64_t id = get_varint(reader), key = get_varint(reader);
    Value value = get_value(reader, arena, 0);
    GraphView view = graph_writer_view(writer);
    if (reader->failed || key >= graph_name_count(view.graph, NAME_KEY))
        return damaged("a property");
    if (!visible(&view, kind, id)) return damaged("a property of nothing");
    graph_set_property(writer, kind, id, (uint32_t)key, value);
    return NULL;
}

static Error *replay_labels(GraphWriter *writer, Reader *reader, Arena *arena)
{
    uint64_t node = get_varint(reader), count = get_varint(reader);
    GraphView view = graph_writer_view(writer);
    if (count > reader_left(reader) || !graph_node_visible(&view, node)) return damaged("labels");
    uint32_t *labels = arena_array(arena, uint32_t, count + 1);
    for (uint64_t i = 0; i < count; i++) {
        uint64_t label = get_varint(reader);
        if (label >= graph_name_count(view.graph, NAME_LABEL)) return damaged("a label");
        labels[i] = (uint32_t)label;
    }
    graph_set_labels(writer, node, labels, (uint32_t)count);
    return NULL;
}

static Error *replay_index(GraphWriter *writer, Reader *reader)
{
    GraphIndex index = {.name = get_str(reader)};
    const Graph *graph = graph_writer_view(writer).graph;
    uint64_t label = get_varint(reader), key = get_varint(reader);
    index.vector = get_u8(reader) != 0;
    index.dimensions = (uint32_t)get_varint(reader);
    index.metric = get_u8(reader);
    bool sound = !reader->failed && label < graph_name_count(graph, NAME_LABEL) &&
                 key < graph_name_count(graph, NAME_KEY) && index.metric <= 2;
    if (!sound) return damaged("an index");
    index.label = (uint32_t)label;
    index.key = (uint32_t)key;
    return graph_create_index(writer, &index);
}

static Error *replay_one(GraphWriter *writer, Reader *reader, Arena *arena)
{
    switch ((Effect)get_u8(reader)) {
    case EFFECT_NAME: return replay_name(writer, reader);
    case EFFECT_NODE: return replay_node(writer, reader);
    case EFFECT_RELATION: return replay_relationship(writer, reader);
    case EFFECT_PROPERTY: return replay_property(writer, reader, arena);
    case EFFECT_LABELS: return replay_labels(writer, reader, arena);
    case EFFECT_GONE_NODE:
        return graph_delete_node(writer, get_varint(reader))
                   ? NULL
                   : damaged("a node that is gone already");
    case EFFECT_GONE_RELATION: {
        uint64_t id = get_varint(reader);
        GraphView view = graph_writer_view(writer);
        if (relationship_type(id) >= graph_name_count(view.graph, NAME_TYPE))
            return damaged("a relationship's type");
        return graph_delete_relationship(writer, id)
                   ? NULL
                   : damaged("a relationship that is gone already");
    }
    case EFFECT_INDEX: return replay_index(writer, reader);
    case EFFECT_NO_INDEX:
        return graph_drop_index(writer, get_str(reader)) ? NULL
                                                         : damaged("an index that is gone already");
    }
    return damaged("an unknown effect");
}

Error *log_replay(GraphWriter *writer, Str payload)
{
    Reader reader = reader_of(payload.data, payload.bytes);
    Arena *arena = arena_create();
    Error *error = NULL;
    while (error == NULL && !reader.failed && reader_left(&reader) > 0) {
        error = replay_one(writer, &reader, arena);
        arena_reset(arena);
    }
    if (error == NULL && reader.failed) error = damaged("it ends too early");
    arena_destroy(arena);
    return error;
}
