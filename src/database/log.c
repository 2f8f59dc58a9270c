/*
 * log.c - a transaction's effects in bytes. Every effect is one byte that says which, then varints:
 *
 *     NAME       kind, text                        the next id of that kind
 *     NODE       id
 *     RELATION   id, from, to
 *     PROPERTY   entity kind, id, key, value
 *     LABELS     node, count, labels
 *     GONE_NODE, GONE_RELATION   id
 *     INDEX      what graph_put_index puts
 *     NO_INDEX   name
 *     SEGMENT    file name, id, bytes, crc, schema: alone; the graph is that from here on
 *
 * A value is written as value/encode.h says; nothing in it is trusted when it comes back.
 */
#include "config.h"

#include "database/log.h"
#include "value/encode.h"

typedef enum Effect {
    EFFECT_NAME = 1,
    EFFECT_NODE,
    EFFECT_RELATION,
    EFFECT_PROPERTY,
    EFFECT_LABELS,
    EFFECT_GONE_NODE,
    EFFECT_GONE_RELATION,
    EFFECT_INDEX,
    EFFECT_NO_INDEX,
    EFFECT_SEGMENT
} Effect;

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
        value_encode(out, change->value);
        break;
    case GRAPH_SET_LABELS:
        put_varint(out, change->id);
        put_varint(out, change->label_count);
        for (uint32_t i = 0; i < change->label_count; i++)
            put_varint(out, change->labels[i]);
        break;
    case GRAPH_CREATED_INDEX: graph_put_index(change->index, out); break;
    case GRAPH_DROPPED_INDEX: put_str(out, change->index->name); break;
    }
}

static void encode_properties(const GraphWriter *writer, ValueKind entity, uint64_t id, Buffer *out)
{
    GraphView view = graph_writer_view(writer);
    for (uint32_t key = 0; key < graph_name_count(view.graph, NAME_KEY); key++) {
        GraphChange change = {.kind = GRAPH_SET_PROPERTY, .entity = entity, .id = id, .key = key};
        change.value = graph_property(&view, entity, id, key);
        if (change.value.kind != VALUE_NULL) encode_change(writer, &change, out);
    }
}

/* Rows made many at once stand in the log as if they had been made one by one. */
static void encode_whole(const GraphWriter *writer, const GraphChange *appended, Buffer *out)
{
    GraphView view = graph_writer_view(writer);
    bool nodes = appended->kind == GRAPH_CREATED_NODE;
    for (uint32_t i = 0; i < appended->count; i++) {
        GraphChange change = {.kind = appended->kind, .id = appended->id + i};
        encode_change(writer, &change, out);
        if (nodes) {
            change.kind = GRAPH_SET_LABELS;
            change.labels = graph_node_labels(&view, change.id, &change.label_count);
            encode_change(writer, &change, out);
        }
        encode_properties(writer, nodes ? VALUE_NODE : VALUE_RELATIONSHIP, change.id, out);
    }
}

/* A property of one entity, or of many that had none. */
static void encode_filled(const GraphWriter *writer, const GraphChange *filled, Buffer *out)
{
    GraphView view = graph_writer_view(writer);
    GraphChange change = *filled;
    for (uint32_t i = 0; i < filled->count; i++, change.id = filled->id + i) {
        if (i > 0) change.value = graph_property(&view, change.entity, change.id, change.key);
        if (filled->count == 1 || change.value.kind != VALUE_NULL)
            encode_change(writer, &change, out);
    }
}

Error *log_encode(const GraphWriter *writer, LoggedNames *names, Buffer *out)
{
    enum { ASK_EVERY = 4096 };
    LoggedNames before = *names;
    encode_names(writer, names, out);
    for (size_t i = 0; i < graph_change_count(writer); i++) {
        if (mem_is_short()) return *names = before, error_memory();
        if (i % ASK_EVERY == 0 && graph_writer_is_stopped((void *)(uintptr_t)writer))
            return *names = before, error_new(ERROR_CANCELLED, "the statement was cancelled");
        GraphChange change = graph_change_at(writer, i);
        if (change.whole)
            encode_whole(writer, &change, out);
        else if (change.kind == GRAPH_SET_PROPERTY)
            encode_filled(writer, &change, out);
        else
            encode_change(writer, &change, out);
    }
    /* The log has a copy of it. */
    Error *error = error_if_short(out->bytes);
    if (error != NULL) *names = before;
    return error;
}

void log_encode_segment(const LoggedSegment *segment, Buffer *out)
{
    put_u8(out, EFFECT_SEGMENT);
    put_str(out, str_from(segment->file.name));
    put_u64(out, segment->file.id);
    put_u64(out, segment->file.bytes);
    put_u32(out, segment->file.crc);
    put_str(out, segment->schema);
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
    Value value = value_decode(reader, arena);
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
    GraphIndex index;
    if (!graph_get_index(&index, graph_writer_view(writer).graph, reader))
        return damaged("an index");
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
    case EFFECT_SEGMENT: return damaged("a segment among other effects");
    case EFFECT_NO_INDEX:
        return graph_drop_index(writer, get_str(reader)) ? NULL
                                                         : damaged("an index that is gone already");
    }
    return damaged("an unknown effect");
}

bool log_names_segment(Str payload)
{
    return payload.bytes > 0 && payload.data[0] == EFFECT_SEGMENT;
}

Error *log_decode_segment(Str payload, LoggedSegment *out)
{
    static const char folder[] = "graph/";
    Reader reader = reader_of(payload.data + 1, payload.bytes - 1);
    Str name = get_str(&reader);
    *out = (LoggedSegment){.file.id = get_u64(&reader)};
    out->file.bytes = get_u64(&reader);
    out->file.crc = get_u32(&reader);
    out->schema = get_str(&reader);
    bool sound = !reader.failed && reader_left(&reader) == 0 && name.bytes > sizeof folder &&
                 name.bytes < sizeof out->file.name &&
                 memcmp(name.data, folder, sizeof folder - 1) == 0 &&
                 memchr(name.data, '\0', name.bytes) == NULL &&
                 memchr(name.data + sizeof folder, '/', name.bytes - sizeof folder) == NULL;
    if (!sound) return damaged("a segment's name");
    memcpy(out->file.name, name.data, name.bytes);
    return NULL;
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
