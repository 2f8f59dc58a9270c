/*
 * value.c - values of the language as values of Lua and back.
 *
 *     null                 contextql.null, not nil: rows keep their width, maps their keys
 *     boolean, numbers, string    the same; integers and floats stay different
 *     list, map, path      tables; a metatable tells an empty list from an empty map
 *     vector               a table of numbers that can v:dot(w), v:cosine(w), v:list()
 *     node, relationship   {id, labels | type, start, end, properties}; n.name is a property too
 *     temporal             {kind, months, days, ..}; tostring gives ISO 8601, == < <= compare
 *
 * What comes back from Lua is checked: a value is made piece by piece, and when a piece has no
 * counterpart everything made so far is given back before the Lua error is raised.
 */
#include "config.h"

#include "lua/lua_internal.h"
#include <math.h>

#define NODE_KIND         "contextql.node"
#define RELATIONSHIP_KIND "contextql.relationship"
#define VECTOR_KIND       "contextql.vector"
#define LIST_KIND         "contextql.list"
#define MAP_KIND          "contextql.map"
#define TEMPORAL_KIND     "contextql.temporal"

enum { NESTING_MAX = 200 }; /* tables in tables; a table that holds itself ends here */

/* ---- to Lua ---- */

static void push_text(lua_State *L, contextql_text text)
{
    lua_pushlstring(L, text.data, text.size);
}

static void push_printed(lua_State *L, const contextql_value *value)
{
    luaL_Buffer buffer;
    int bytes = contextql_value_print(value, NULL, 0);
    char *text = luaL_buffinitsize(L, &buffer, (size_t)bytes + 1);
    contextql_value_print(value, text, (size_t)bytes + 1);
    luaL_pushresultsize(&buffer, (size_t)bytes);
}

static void push_members(lua_State *L, const contextql_value *value)
{
    size_t count = contextql_value_count(value);
    lua_createtable(L, 0, (int)count);
    for (size_t i = 0; i < count; i++) {
        contextql_text key;
        const contextql_value *member = contextql_value_at(value, i, &key);
        push_text(L, key);
        lua_push_value(L, member);
        lua_rawset(L, -3);
    }
}

static void push_list(lua_State *L, const contextql_value *value)
{
    size_t count = contextql_value_count(value);
    lua_createtable(L, (int)count, 0);
    for (size_t i = 0; i < count; i++) {
        lua_push_value(L, contextql_value_at(value, i, NULL));
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    luaL_setmetatable(L, LIST_KIND);
}

static void push_vector(lua_State *L, const contextql_value *value)
{
    size_t dimensions;
    const float *components = contextql_value_vector(value, &dimensions);
    lua_createtable(L, (int)dimensions, 0);
    for (size_t i = 0; i < dimensions; i++) {
        lua_pushnumber(L, (lua_Number)components[i]);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    luaL_setmetatable(L, VECTOR_KIND);
}

static void set_integer(lua_State *L, const char *field, int64_t number)
{
    lua_pushinteger(L, (lua_Integer)number);
    lua_setfield(L, -2, field);
}

static void push_node(lua_State *L, const contextql_value *value)
{
    lua_createtable(L, 0, 3);
    set_integer(L, "id", (int64_t)contextql_value_id(value));
    push_members(L, value);
    lua_setfield(L, -2, "properties");
    size_t labels = contextql_value_label_count(value);
    lua_createtable(L, (int)labels, 0);
    for (size_t i = 0; i < labels; i++) {
        push_text(L, contextql_value_label(value, i));
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    lua_setfield(L, -2, "labels");
    luaL_setmetatable(L, NODE_KIND);
}

static void push_relationship(lua_State *L, const contextql_value *value)
{
    lua_createtable(L, 0, 5);
    set_integer(L, "id", (int64_t)contextql_value_id(value));
    set_integer(L, "start", (int64_t)contextql_value_start_id(value));
    set_integer(L, "end", (int64_t)contextql_value_end_id(value));
    push_text(L, contextql_value_relationship_type(value));
    lua_setfield(L, -2, "type");
    push_members(L, value);
    lua_setfield(L, -2, "properties");
    luaL_setmetatable(L, RELATIONSHIP_KIND);
}

static const char *const temporal_kinds[] = {"date",          "localtime", "time",
                                             "localdatetime", "datetime",  "duration"};

static void push_temporal(lua_State *L, const contextql_value *value)
{
    contextql_temporal temporal;
    if (!contextql_value_temporal(value, &temporal)) {
        push_printed(L, value);
        return;
    }
    lua_createtable(L, 0, 8);
    lua_pushstring(L, temporal_kinds[temporal.kind]);
    lua_setfield(L, -2, "kind");
    set_integer(L, "months", temporal.months);
    set_integer(L, "days", temporal.days);
    set_integer(L, "seconds", temporal.seconds);
    set_integer(L, "nanoseconds", temporal.nanoseconds);
    set_integer(L, "offset", temporal.offset_seconds);
    push_text(L, temporal.zone);
    lua_setfield(L, -2, "zone");
    push_printed(L, value);
    lua_setfield(L, -2, "text");
    luaL_setmetatable(L, TEMPORAL_KIND);
}

void lua_push_value(lua_State *L, const contextql_value *value)
{
    luaL_checkstack(L, 8, "values nested too deeply");
    switch (contextql_value_type(value)) {
    case CONTEXTQL_NULL: lua_pushlightuserdata(L, NULL); break;
    case CONTEXTQL_BOOLEAN: lua_pushboolean(L, contextql_value_boolean(value)); break;
    case CONTEXTQL_INTEGER: lua_pushinteger(L, contextql_value_integer(value)); break;
    case CONTEXTQL_FLOAT: lua_pushnumber(L, contextql_value_float(value)); break;
    case CONTEXTQL_STRING: push_text(L, contextql_value_string(value)); break;
    case CONTEXTQL_LIST:
    case CONTEXTQL_PATH: push_list(L, value); break;
    case CONTEXTQL_VECTOR: push_vector(L, value); break;
    case CONTEXTQL_MAP:
        push_members(L, value);
        luaL_setmetatable(L, MAP_KIND);
        break;
    case CONTEXTQL_NODE: push_node(L, value); break;
    case CONTEXTQL_RELATIONSHIP: push_relationship(L, value); break;
    case CONTEXTQL_TEMPORAL: push_temporal(L, value); break;
    case CONTEXTQL_BYTES: push_printed(L, value); break;
    }
}

/* ---- from Lua: NULL, and why, where there is no counterpart; nothing here raises ---- */

typedef struct Taking {
    lua_State *L;
    int depth;
    const char *problem; /* a format with one %s for the type of what was found */
    const char *found;
} Taking;

static contextql_value *take(Taking *taking, int index);

static contextql_value *refuse(Taking *taking, const char *problem, const char *found)
{
    taking->problem = problem;
    taking->found = found;
    return NULL;
}

static bool is_kind(lua_State *L, int index, const char *kind)
{
    if (!lua_getmetatable(L, index)) return false;
    luaL_getmetatable(L, kind);
    bool same = lua_rawequal(L, -1, -2);
    lua_pop(L, 2);
    return same;
}

static contextql_value *take_vector(Taking *taking, int index)
{
    lua_State *L = taking->L;
    size_t count = lua_rawlen(L, index);
    float *components = mem_alloc((count + 1) * sizeof *components);
    bool numbers = true;
    for (size_t i = 0; i < count && numbers; i++) {
        lua_rawgeti(L, index, (lua_Integer)i + 1);
        numbers = lua_type(L, -1) == LUA_TNUMBER;
        components[i] = (float)lua_tonumber(L, -1);
        lua_pop(L, 1);
    }
    contextql_value *value = numbers ? contextql_value_new_vector(components, count) : NULL;
    mem_free(components);
    if (value == NULL) return refuse(taking, "a vector has 1 to 16384 finite numbers%s", "");
    return value;
}

static contextql_value *take_list(Taking *taking, int index)
{
    contextql_value *list = contextql_value_new_list();
    size_t count = lua_rawlen(taking->L, index);
    for (size_t i = 1; i <= count; i++) {
        lua_rawgeti(taking->L, index, (lua_Integer)i);
        contextql_value *element = take(taking, -1);
        lua_pop(taking->L, 1);
        if (element == NULL) {
            contextql_value_free(list);
            return NULL;
        }
        contextql_value_append(list, element);
        contextql_value_free(element);
    }
    return list;
}

static bool take_member(Taking *taking, contextql_value *map)
{
    size_t size;
    if (lua_type(taking->L, -2) != LUA_TSTRING)
        return refuse(taking, "a map has text for keys, not a %s", luaL_typename(taking->L, -2)) !=
               NULL;
    const char *key = lua_tolstring(taking->L, -2, &size);
    contextql_value *member = take(taking, -1);
    if (member == NULL) return false;
    bool good = contextql_value_put(map, key, size, member) == CONTEXTQL_OK;
    contextql_value_free(member);
    return good || refuse(taking, "a key is not UTF-8%s", "") != NULL;
}

static contextql_value *take_map(Taking *taking, int index)
{
    contextql_value *map = contextql_value_new_map();
    lua_pushnil(taking->L);
    while (lua_next(taking->L, index) != 0) {
        bool good = take_member(taking, map);
        lua_pop(taking->L, 1);
        if (good) continue;
        lua_pop(taking->L, 1);
        contextql_value_free(map);
        return NULL;
    }
    return map;
}

static int64_t raw_integer(lua_State *L, int index, const char *field)
{
    lua_pushstring(L, field);
    lua_rawget(L, index);
    int64_t number = (int64_t)lua_tointeger(L, -1);
    lua_pop(L, 1);
    return number;
}

static contextql_value *take_temporal(Taking *taking, int index)
{
    lua_State *L = taking->L;
    contextql_temporal temporal = {.months = raw_integer(L, index, "months"),
                                   .days = raw_integer(L, index, "days"),
                                   .seconds = raw_integer(L, index, "seconds"),
                                   .nanoseconds = raw_integer(L, index, "nanoseconds"),
                                   .offset_seconds = (int32_t)raw_integer(L, index, "offset")};
    contextql_value *value = NULL;
    lua_getfield(L, index, "kind");
    lua_getfield(L, index, "zone");
    const char *kind = lua_tostring(L, -2), *zone = lua_tolstring(L, -1, &temporal.zone.size);
    temporal.zone.data = zone == NULL ? "" : zone;
    for (size_t i = 0; kind != NULL && i < sizeof temporal_kinds / sizeof *temporal_kinds; i++) {
        temporal.kind = (contextql_temporal_kind)i;
        if (strcmp(kind, temporal_kinds[i]) == 0) value = contextql_value_new_temporal(&temporal);
    }
    lua_pop(L, 2);
    return value != NULL ? value : refuse(taking, "not a time: its fields do not fit%s", "");
}

static contextql_value *take_table(Taking *taking, int index)
{
    lua_State *L = taking->L;
    if (is_kind(L, index, VECTOR_KIND)) return take_vector(taking, index);
    if (is_kind(L, index, TEMPORAL_KIND)) return take_temporal(taking, index);
    if (is_kind(L, index, NODE_KIND))
        return refuse(taking, "a node is no parameter%s", ": give its id or a property");
    if (is_kind(L, index, RELATIONSHIP_KIND))
        return refuse(taking, "a relationship is no parameter%s", ": give its id or a property");
    if (taking->depth == NESTING_MAX || !lua_checkstack(L, 8))
        return refuse(taking, "tables are nested too deeply, or hold themselves%s", "");
    bool list =
        !is_kind(L, index, MAP_KIND) && (lua_rawlen(L, index) > 0 || is_kind(L, index, LIST_KIND));
    taking->depth++;
    contextql_value *value = list ? take_list(taking, index) : take_map(taking, index);
    taking->depth--;
    return value;
}

static contextql_value *take(Taking *taking, int index)
{
    lua_State *L = taking->L;
    size_t size;
    const char *text;
    contextql_value *value;
    index = lua_absindex(L, index);
    switch (lua_type(L, index)) {
    case LUA_TNIL:
    case LUA_TNONE: return contextql_value_new_null();
    case LUA_TLIGHTUSERDATA:
        if (lua_touserdata(L, index) == NULL) return contextql_value_new_null();
        break;
    case LUA_TBOOLEAN: return contextql_value_new_boolean(lua_toboolean(L, index));
    case LUA_TNUMBER:
        return lua_isinteger(L, index) ? contextql_value_new_integer(lua_tointeger(L, index))
                                       : contextql_value_new_float(lua_tonumber(L, index));
    case LUA_TSTRING:
        text = lua_tolstring(L, index, &size);
        value = contextql_value_new_string(text, size);
        return value != NULL ? value : refuse(taking, "a text is not UTF-8%s", "");
    case LUA_TTABLE: return take_table(taking, index);
    default: break;
    }
    return refuse(taking, "a %s is no value of the language", luaL_typename(L, index));
}

contextql_value *lua_take_value(lua_State *L, int index)
{
    Taking taking = {.L = L};
    luaL_checkstack(L, 8, "values nested too deeply");
    contextql_value *value = take(&taking, index);
    if (value == NULL) luaL_error(L, taking.problem, taking.found);
    return value;
}

/* ---- what these tables can ---- */

/* n.name: what the table itself has not is looked for among the properties. */
static int entity_index(lua_State *L)
{
    lua_pushliteral(L, "properties");
    lua_rawget(L, 1);
    if (!lua_istable(L, -1)) return 0;
    lua_pushvalue(L, 2);
    lua_rawget(L, -2);
    return 1;
}

static int entity_equal(lua_State *L)
{
    bool kinds = is_kind(L, 1, NODE_KIND) == is_kind(L, 2, NODE_KIND);
    lua_pushboolean(L, kinds && raw_integer(L, 1, "id") == raw_integer(L, 2, "id"));
    return 1;
}

static size_t vector_pair(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    luaL_checktype(L, 2, LUA_TTABLE);
    size_t count = lua_rawlen(L, 1);
    if (count != lua_rawlen(L, 2))
        luaL_error(L, "the vectors have %d and %d dimensions", (int)count, (int)lua_rawlen(L, 2));
    return count;
}

static double dot(lua_State *L, int a, int b, size_t count)
{
    double sum = 0;
    for (size_t i = 1; i <= count; i++) {
        lua_rawgeti(L, a, (lua_Integer)i);
        lua_rawgeti(L, b, (lua_Integer)i);
        sum += lua_tonumber(L, -2) * lua_tonumber(L, -1);
        lua_pop(L, 2);
    }
    return sum;
}

static int vector_dot(lua_State *L)
{
    size_t count = vector_pair(L);
    lua_pushnumber(L, dot(L, 1, 2, count));
    return 1;
}

static int vector_cosine(lua_State *L)
{
    size_t count = vector_pair(L);
    double lengths = sqrt(dot(L, 1, 1, count)) * sqrt(dot(L, 2, 2, count));
    lua_pushnumber(L, lengths == 0 ? NAN : dot(L, 1, 2, count) / lengths);
    return 1;
}

static int vector_list(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    size_t count = lua_rawlen(L, 1);
    lua_createtable(L, (int)count, 0);
    for (size_t i = 1; i <= count; i++) {
        lua_rawgeti(L, 1, (lua_Integer)i);
        lua_rawseti(L, -2, (lua_Integer)i);
    }
    luaL_setmetatable(L, LIST_KIND);
    return 1;
}

/* A value of ours as the shell prints it. */
static int value_tostring(lua_State *L)
{
    if (is_kind(L, 1, TEMPORAL_KIND)) return lua_getfield(L, 1, "text"), 1;
    contextql_value *value = lua_take_value(L, 1);
    push_printed(L, value);
    contextql_value_free(value);
    return 1;
}

static int null_tostring(lua_State *L)
{
    lua_pushliteral(L, "null");
    return 1;
}

static const char *kind_of(lua_State *L, int index)
{
    if (!is_kind(L, index, TEMPORAL_KIND))
        luaL_error(L, "a time and a %s cannot be compared", luaL_typename(L, index));
    lua_getfield(L, index, "kind");
    const char *kind = lua_tostring(L, -1);
    lua_pop(L, 1);
    return kind == NULL ? "" : kind;
}

/* -1, 0, 1: two times of one kind as moments; durations have no order. */
static int temporal_compare(lua_State *L)
{
    if (strcmp(kind_of(L, 1), kind_of(L, 2)) != 0 || strcmp(kind_of(L, 1), "duration") == 0)
        return luaL_error(L, "only times of one kind compare, and no durations");
    int64_t days = raw_integer(L, 1, "days") - raw_integer(L, 2, "days");
    int64_t seconds = raw_integer(L, 1, "seconds") - raw_integer(L, 1, "offset") -
                      raw_integer(L, 2, "seconds") + raw_integer(L, 2, "offset") + days * 86400;
    int64_t nanoseconds = raw_integer(L, 1, "nanoseconds") - raw_integer(L, 2, "nanoseconds");
    int64_t sign = seconds != 0 ? seconds : nanoseconds;
    return (sign > 0) - (sign < 0);
}

static int temporal_less(lua_State *L)
{
    lua_pushboolean(L, temporal_compare(L) < 0);
    return 1;
}

static int temporal_less_equal(lua_State *L)
{
    lua_pushboolean(L, temporal_compare(L) <= 0);
    return 1;
}

static int temporal_equal(lua_State *L)
{
    bool both = is_kind(L, 1, TEMPORAL_KIND) && is_kind(L, 2, TEMPORAL_KIND);
    if (both) {
        lua_getfield(L, 1, "text");
        lua_getfield(L, 2, "text");
        both = lua_rawequal(L, -1, -2) && strcmp(kind_of(L, 1), kind_of(L, 2)) == 0;
    }
    lua_pushboolean(L, both);
    return 1;
}

static int module_vector(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    luaL_setmetatable(L, VECTOR_KIND);
    return 1;
}

static int module_list(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    luaL_setmetatable(L, LIST_KIND);
    return 1;
}

static int module_map(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    luaL_setmetatable(L, MAP_KIND);
    return 1;
}

static int module_isnull(lua_State *L)
{
    bool null = lua_isnil(L, 1) || (lua_islightuserdata(L, 1) && lua_touserdata(L, 1) == NULL);
    lua_pushboolean(L, null);
    return 1;
}

static void make_kind(lua_State *L, const char *kind, const luaL_Reg *methods, bool indexed)
{
    luaL_newmetatable(L, kind);
    luaL_setfuncs(L, methods, 0);
    if (indexed) {
        lua_pushvalue(L, -1);
        lua_setfield(L, -2, "__index");
    }
    lua_pop(L, 1);
}

void lua_open_value(lua_State *L)
{
    static const luaL_Reg plain[] = {{NULL, NULL}},
                          entity[] = {{"__index", entity_index},
                                      {"__eq", entity_equal},
                                      {NULL, NULL}},
                          vector[] = {{"dot", vector_dot},
                                      {"cosine", vector_cosine},
                                      {"list", vector_list},
                                      {"__tostring", value_tostring},
                                      {NULL, NULL}},
                          temporal[] = {{"__tostring", value_tostring},
                                        {"__eq", temporal_equal},
                                        {"__lt", temporal_less},
                                        {"__le", temporal_less_equal},
                                        {NULL, NULL}},
                          null[] = {{"__tostring", null_tostring}, {NULL, NULL}},
                          module[] = {{"vector", module_vector},
                                      {"list", module_list},
                                      {"map", module_map},
                                      {"isnull", module_isnull},
                                      {NULL, NULL}};
    make_kind(L, LIST_KIND, plain, false);
    make_kind(L, MAP_KIND, plain, false);
    make_kind(L, NODE_KIND, entity, false);
    make_kind(L, RELATIONSHIP_KIND, entity, false);
    make_kind(L, VECTOR_KIND, vector, true);
    make_kind(L, TEMPORAL_KIND, temporal, false);
    luaL_setfuncs(L, module, 0);
    lua_pushlightuserdata(L,
                          NULL); /* all light userdata share one metatable: this is the only one */
    luaL_newlib(L, null);
    lua_setmetatable(L, -2);
    lua_setfield(L, -2, "null");
}
