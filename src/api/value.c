/*
 * value.c - values as programs see them.
 *
 * A contextql_value wraps one Value of the engine and knows its home: the arena in which its
 * children are wrapped when somebody asks for them, and the reader that looks into entities. Values
 * lent by a statement live until its next step, so nothing here is counted or freed one by one.
 * Values made by a program own an arena each; what is put into a list or map is copied.
 */
#include "config.h"

#include "api/api_internal.h"
#include "expression/json.h"
#include "value/temporal.h"
#include <string.h>

contextql_value *value_lend(const ValueHome *home, Value value)
{
    contextql_value *lent = arena_new(home->arena, contextql_value);
    lent->value = value;
    lent->home = *home;
    return lent;
}

Value value_take(Arena *arena, const contextql_value *value)
{
    return value == NULL ? value_null() : value_copy(arena, value->value);
}

static contextql_type temporal_or(ValueKind kind)
{
    switch (kind) {
    case VALUE_NULL: return CONTEXTQL_NULL;
    case VALUE_BOOLEAN: return CONTEXTQL_BOOLEAN;
    case VALUE_INTEGER: return CONTEXTQL_INTEGER;
    case VALUE_FLOAT: return CONTEXTQL_FLOAT;
    case VALUE_STRING: return CONTEXTQL_STRING;
    case VALUE_BYTES: return CONTEXTQL_BYTES;
    case VALUE_LIST: return CONTEXTQL_LIST;
    case VALUE_MAP: return CONTEXTQL_MAP;
    case VALUE_VECTOR: return CONTEXTQL_VECTOR;
    case VALUE_NODE: return CONTEXTQL_NODE;
    case VALUE_RELATIONSHIP: return CONTEXTQL_RELATIONSHIP;
    case VALUE_PATH: return CONTEXTQL_PATH;
    case VALUE_DATE:
    case VALUE_LOCAL_TIME:
    case VALUE_TIME:
    case VALUE_LOCAL_DATETIME:
    case VALUE_DATETIME:
    case VALUE_DURATION:
    case VALUE_KIND_COUNT: break;
    }
    return CONTEXTQL_TEMPORAL;
}

contextql_type contextql_value_type(const contextql_value *value)
{
    return value == NULL ? CONTEXTQL_NULL : temporal_or((ValueKind)value->value.kind);
}

bool contextql_value_boolean(const contextql_value *value)
{
    return value->value.kind == VALUE_BOOLEAN && value->value.as.boolean;
}

int64_t contextql_value_integer(const contextql_value *value)
{
    if (value->value.kind == VALUE_FLOAT) return (int64_t)value->value.as.number;
    return value->value.kind == VALUE_INTEGER ? value->value.as.integer : 0;
}

double contextql_value_float(const contextql_value *value)
{
    return value_is_number(value->value) ? value_as_double(value->value) : 0.0;
}

contextql_text contextql_value_string(const contextql_value *value)
{
    if (value->value.kind != VALUE_STRING) return (contextql_text){"", 0};
    return (contextql_text){value->value.as.text, value->value.aux};
}

contextql_text contextql_value_bytes(const contextql_value *value)
{
    if (value->value.kind != VALUE_BYTES) return (contextql_text){"", 0};
    return (contextql_text){value->value.as.text, value->value.aux};
}

const float *contextql_value_vector(const contextql_value *value, size_t *dimensions)
{
    bool vector = value->value.kind == VALUE_VECTOR;
    *dimensions = vector ? value->value.aux : 0;
    return vector ? value->value.as.vector : NULL;
}

/* The properties of an entity, read once; a failing read (the entity is gone) shows none. */
static Value inside_of(const contextql_value *value)
{
    contextql_value *cache =
        (contextql_value *)value; /* remembering an answer changes no meaning */
    if (!cache->inside_known) {
        cache->inside_known = true;
        Value map = value_null();
        if (value->home.reader != NULL)
            error_drop(value->home.reader->properties(value->home.reader->state, value->value,
                                                      value->home.arena, &map));
        cache->inside = map.kind == VALUE_MAP ? map : value_map(NULL, 0);
    }
    return cache->inside;
}

static Value labels_of(const contextql_value *value)
{
    contextql_value *cache = (contextql_value *)value;
    if (!cache->labels_known) {
        cache->labels_known = true;
        Value list = value_null();
        if (value->home.reader != NULL && value->value.kind == VALUE_NODE)
            error_drop(value->home.reader->labels(value->home.reader->state, value->value.as.id,
                                                  value->home.arena, &list));
        cache->labels = list.kind == VALUE_LIST ? list : value_list(NULL, 0);
    }
    return cache->labels;
}

static Value members(const contextql_value *value)
{
    bool entity = value->value.kind == VALUE_NODE || value->value.kind == VALUE_RELATIONSHIP;
    return entity ? inside_of(value) : value->value;
}

size_t contextql_value_count(const contextql_value *value)
{
    Value inside = members(value);
    bool many = inside.kind == VALUE_LIST || inside.kind == VALUE_MAP ||
                inside.kind == VALUE_PATH || inside.kind == VALUE_VECTOR;
    return many ? inside.aux : 0;
}

static Value path_element(Value path, size_t i)
{
    return i % 2 == 0 ? value_node(path.as.path[i]) : value_relationship(path.as.path[i]);
}

const contextql_value *contextql_value_at(const contextql_value *value, size_t i,
                                          contextql_text *key)
{
    Value inside = members(value);
    if (key != NULL) *key = (contextql_text){"", 0};
    if (i >= contextql_value_count(value)) return NULL;
    if (inside.kind == VALUE_LIST) return value_lend(&value->home, inside.as.items[i]);
    if (inside.kind == VALUE_PATH) return value_lend(&value->home, path_element(inside, i));
    if (inside.kind == VALUE_VECTOR)
        return value_lend(&value->home, value_float((double)inside.as.vector[i]));
    const ValueEntry *entry = &inside.as.entries[i];
    if (key != NULL) *key = (contextql_text){entry->key.data, entry->key.bytes};
    return value_lend(&value->home, entry->value);
}

const contextql_value *contextql_value_get(const contextql_value *value, const char *key)
{
    Value inside = members(value);
    if (inside.kind != VALUE_MAP) return NULL;
    const Value *found = value_map_get(inside, str_from(key));
    return found == NULL ? NULL : value_lend(&value->home, *found);
}

contextql_text contextql_value_json(const contextql_value *value)
{
    Buffer text = {0};
    value_json(&text, value->value, value->home.reader, value->home.arena);
    contextql_text out = {arena_copy(value->home.arena, text.data, text.bytes), text.bytes};
    buffer_free(&text);
    return out;
}

int contextql_value_print(const contextql_value *value, char *buffer, size_t size)
{
    Buffer text = {0};
    value_print(&text, value->value, false);
    size_t kept = text.bytes < size ? text.bytes : size - (size > 0);
    if (size > 0) {
        memcpy(buffer, text.data == NULL ? "" : text.data, kept);
        buffer[kept] = '\0';
    }
    int bytes = (int)text.bytes;
    buffer_free(&text);
    return bytes;
}

/* ---- temporal values ---- */

static const struct {
    ValueKind kind;
    contextql_temporal_kind shown;
} temporal_kinds[] = {
    {VALUE_DATE, CONTEXTQL_DATE},         {VALUE_LOCAL_TIME, CONTEXTQL_LOCAL_TIME},
    {VALUE_TIME, CONTEXTQL_TIME},         {VALUE_LOCAL_DATETIME, CONTEXTQL_LOCAL_DATETIME},
    {VALUE_DATETIME, CONTEXTQL_DATETIME}, {VALUE_DURATION, CONTEXTQL_DURATION},
};

enum { SECONDS_A_DAY = 86400, NS_A_SECOND = 1000000000 };

static int64_t floor_divide(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

static void local_fields(contextql_temporal *out, int64_t seconds, int64_t nanoseconds)
{
    out->days = floor_divide(seconds, SECONDS_A_DAY);
    out->seconds = seconds - out->days * SECONDS_A_DAY;
    out->nanoseconds = nanoseconds;
}

bool contextql_value_temporal(const contextql_value *value, contextql_temporal *out)
{
    Value v = value->value;
    *out = (contextql_temporal){.zone = {"", 0}};
    bool known = false;
    for (size_t i = 0; i < sizeof temporal_kinds / sizeof *temporal_kinds; i++)
        if (temporal_kinds[i].kind == (ValueKind)v.kind)
            out->kind = temporal_kinds[i].shown, known = true;
    if (!known) return false;
    if (v.kind == VALUE_DATE) out->days = v.as.integer;
    if (v.kind == VALUE_LOCAL_TIME || v.kind == VALUE_TIME) {
        out->seconds = v.as.integer / NS_A_SECOND;
        out->nanoseconds = v.as.integer % NS_A_SECOND;
        if (v.kind == VALUE_TIME) out->offset_seconds = (int32_t)v.aux;
    }
    if (v.kind == VALUE_LOCAL_DATETIME) local_fields(out, v.as.integer, v.aux);
    if (v.kind == VALUE_DATETIME) {
        const Moment *moment = v.as.moment;
        local_fields(out, moment->seconds + moment->offset, moment->nanoseconds);
        out->offset_seconds = moment->offset;
        out->zone = (contextql_text){moment->zone.data, moment->zone.bytes};
    }
    if (v.kind == VALUE_DURATION) {
        out->months = v.as.duration->months, out->days = v.as.duration->days;
        out->seconds = v.as.duration->seconds, out->nanoseconds = v.as.duration->nanoseconds;
    }
    return true;
}

/* ---- entities ---- */

uint64_t contextql_value_id(const contextql_value *value)
{
    bool entity = value->value.kind == VALUE_NODE || value->value.kind == VALUE_RELATIONSHIP;
    return entity ? entity_id(value->value.as.id) : 0;
}

static void ends_of(const contextql_value *value, uint64_t *start, uint64_t *end)
{
    *start = *end = 0;
    if (value->value.kind == VALUE_RELATIONSHIP && value->home.reader != NULL)
        error_drop(
            value->home.reader->ends(value->home.reader->state, value->value.as.id, start, end));
}

uint64_t contextql_value_start_id(const contextql_value *value)
{
    uint64_t start, end;
    ends_of(value, &start, &end);
    return entity_id(start);
}

uint64_t contextql_value_end_id(const contextql_value *value)
{
    uint64_t start, end;
    ends_of(value, &start, &end);
    return entity_id(end);
}

contextql_text contextql_value_relationship_type(const contextql_value *value)
{
    Str type = STR("");
    if (value->value.kind == VALUE_RELATIONSHIP && value->home.reader != NULL)
        error_drop(value->home.reader->type(value->home.reader->state, value->value.as.id, &type));
    return (contextql_text){type.data, type.bytes};
}

size_t contextql_value_label_count(const contextql_value *value)
{
    return labels_of(value).aux;
}

contextql_text contextql_value_label(const contextql_value *value, size_t i)
{
    Value labels = labels_of(value);
    if (i >= labels.aux) return (contextql_text){"", 0};
    Str text = value_text(labels.as.items[i]);
    return (contextql_text){text.data, text.bytes};
}

/* ---- values made by a program ---- */

static contextql_value *new_value(Value value)
{
    Arena *arena = arena_create();
    contextql_value *made = arena_new(arena, contextql_value);
    made->home.arena = arena;
    made->owned = true;
    made->value = value_copy(arena, value);
    return made;
}

contextql_value *contextql_value_new_null(void)
{
    return new_value(value_null());
}

contextql_value *contextql_value_new_boolean(bool boolean)
{
    return new_value(value_boolean(boolean));
}

contextql_value *contextql_value_new_integer(int64_t integer)
{
    return new_value(value_integer(integer));
}

contextql_value *contextql_value_new_float(double number)
{
    return new_value(value_float(number));
}

contextql_value *contextql_value_new_string(const char *data, size_t size)
{
    Str text = {data, size};
    if (size > UINT32_MAX || !utf8_valid(text)) return NULL;
    return new_value(value_string(text));
}

contextql_value *contextql_value_new_bytes(const void *data, size_t size)
{
    if (size > UINT32_MAX) return NULL;
    Value value = value_string((Str){data, size});
    value.kind = VALUE_BYTES;
    return new_value(value);
}

contextql_value *contextql_value_new_vector(const float *components, size_t dimensions)
{
    Error *error = value_check_vector(components, dimensions);
    error_drop(error); /* NULL says it */
    return error != NULL ? NULL : new_value(value_vector(components, dimensions));
}

/* What the program says, which may be anything. */
static Error *temporal_value(Arena *arena, const contextql_temporal *temporal, Value *out)
{
    enum { NS_A_SECOND_MAX = NS_A_SECOND - 1 };
    bool clock = temporal->kind != CONTEXTQL_DURATION;
    bool fits = temporal->nanoseconds >= 0 && temporal->nanoseconds <= NS_A_SECOND_MAX &&
                (!clock || (temporal->seconds >= 0 && temporal->seconds < SECONDS_A_DAY));
    if (!fits) return error_new(ERROR_ARGUMENT_VALUE, "a time beyond its day");
    Duration duration = {temporal->months, temporal->days, temporal->seconds,
                         (int32_t)temporal->nanoseconds};
    int64_t ns_of_day = clock ? temporal->seconds * NS_A_SECOND + temporal->nanoseconds : 0;
    int64_t seconds;
    bool over = __builtin_mul_overflow(temporal->days, (int64_t)SECONDS_A_DAY, &seconds) ||
                __builtin_add_overflow(seconds, temporal->seconds, &seconds);
    Value value = {.kind = VALUE_NULL};
    switch (temporal->kind) {
    case CONTEXTQL_DATE: value = (Value){.kind = VALUE_DATE, .as.integer = temporal->days}; break;
    case CONTEXTQL_LOCAL_TIME:
        value = (Value){.kind = VALUE_LOCAL_TIME, .as.integer = ns_of_day};
        break;
    case CONTEXTQL_TIME:
        value = (Value){
            .kind = VALUE_TIME, .aux = (uint32_t)temporal->offset_seconds, .as.integer = ns_of_day};
        break;
    case CONTEXTQL_LOCAL_DATETIME:
        if (over) break;
        value = (Value){.kind = VALUE_LOCAL_DATETIME,
                        .aux = (uint32_t)temporal->nanoseconds,
                        .as.integer = seconds};
        break;
    case CONTEXTQL_DATETIME:
        return temporal_datetime(arena, temporal->days, ns_of_day,
                                 (Str){temporal->zone.data, temporal->zone.size},
                                 temporal->offset_seconds, out);
    case CONTEXTQL_DURATION:
        value = (Value){.kind = VALUE_DURATION, .as.duration = &duration};
        break;
    }
    if (!value_is_temporal(value) || !temporal_valid(value))
        return error_new(ERROR_ARGUMENT_VALUE, "not a temporal value");
    return *out = value_copy(arena, value), NULL;
}

/* Takes `error`. */
static contextql_value *temporal_made(Error *error, Value value, Arena *arena)
{
    contextql_value *made = error == NULL ? new_value(value) : NULL;
    error_drop(error); /* the program learns that it is no value, as with the other new_ */
    arena_destroy(arena);
    return made;
}

contextql_value *contextql_value_new_temporal(const contextql_temporal *temporal)
{
    Value value;
    Arena *arena = arena_create();
    return temporal_made(temporal_value(arena, temporal, &value), value, arena);
}

contextql_value *contextql_value_new_temporal_text(contextql_temporal_kind kind, const char *text,
                                                   size_t size)
{
    Value value;
    Arena *arena = arena_create();
    ValueKind inside = VALUE_DATE;
    for (size_t i = 0; i < sizeof temporal_kinds / sizeof *temporal_kinds; i++)
        if (temporal_kinds[i].shown == kind) inside = temporal_kinds[i].kind;
    return temporal_made(temporal_parse(arena, inside, (Str){text, size}, &value), value, arena);
}

contextql_value *contextql_value_new_list(void)
{
    return new_value(value_list(NULL, 0));
}

contextql_value *contextql_value_new_map(void)
{
    return new_value(value_map(NULL, 0));
}

/* Room for one more element of `bytes` in an owned list or map; arenas do not grow in place, so the
 * array doubles. */
static void *room(contextql_value *value, size_t bytes)
{
    size_t count = value->value.aux;
    if (count < value->capacity) return (void *)value->value.as.items;
    value->capacity = count < 4 ? 8 : count * 2;
    char *larger = arena_alloc(value->home.arena, value->capacity * bytes);
    if (count > 0) memcpy(larger, value->value.as.items, count * bytes);
    value->value.as.items = (const Value *)(const void *)larger;
    return larger;
}

int contextql_value_append(contextql_value *list, const contextql_value *element)
{
    if (!list->owned || list->value.kind != VALUE_LIST || list->value.aux == UINT32_MAX)
        return CONTEXTQL_MISUSE;
    Value *items = room(list, sizeof(Value));
    items[list->value.aux++] = value_take(list->home.arena, element);
    return CONTEXTQL_OK;
}

int contextql_value_put(contextql_value *map, const char *key, size_t size,
                        const contextql_value *value)
{
    if (!map->owned || map->value.kind != VALUE_MAP || map->value.aux == UINT32_MAX)
        return CONTEXTQL_MISUSE;
    Str name = str_copy(map->home.arena, (Str){key, size});
    Value taken = value_take(map->home.arena, value);
    ValueEntry *entries = room(map, sizeof(ValueEntry));
    size_t at = map->value.aux;
    while (at > 0 && str_compare(entries[at - 1].key, name) > 0)
        at--;
    if (at > 0 && str_equal(entries[at - 1].key, name)) {
        entries[at - 1].value = taken;
        return CONTEXTQL_OK;
    }
    memmove(&entries[at + 1], &entries[at], (map->value.aux - at) * sizeof *entries);
    entries[at] = (ValueEntry){name, taken};
    map->value.aux++;
    return CONTEXTQL_OK;
}

void contextql_value_free(contextql_value *value)
{
    if (value != NULL && value->owned) arena_destroy(value->home.arena);
}
