/*
 * value.c - values of the language as values of Lua and back.
 *
 * null is contextql.null, not nil, so that rows keep their width. Lists, maps and vectors are
 * tables; a metatable tells an empty list from an empty map, and a vector from a list. Nodes and
 * relationships are tables {id, labels or type, properties}. Temporal values come as text.
 */
#include "config.h"

#include "lua/lua_internal.h"
#include <string.h>

static void push_text(lua_State *L, contextql_text text)
{
    lua_pushlstring(L, text.data, text.size);
}

static void set_kind(lua_State *L, const char *kind)
{
    luaL_setmetatable(L, kind);
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
    luaL_checkstack(L, 8, "lists nested too deeply");
    lua_createtable(L, (int)count, 0);
    for (size_t i = 0; i < count; i++) {
        lua_push_value(L, contextql_value_at(value, i, NULL));
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    set_kind(L, contextql_value_type(value) == CONTEXTQL_VECTOR ? "contextql.vector"
                                                                : "contextql.list");
}

static void push_entity(lua_State *L, const contextql_value *value, bool node)
{
    lua_createtable(L, 0, 3);
    lua_pushinteger(L, (lua_Integer)contextql_value_id(value));
    lua_setfield(L, -2, "id");
    push_members(L, value);
    lua_setfield(L, -2, "properties");
    if (!node) {
        push_text(L, contextql_value_relationship_type(value));
        lua_setfield(L, -2, "type");
        return;
    }
    size_t labels = contextql_value_label_count(value);
    lua_createtable(L, (int)labels, 0);
    for (size_t i = 0; i < labels; i++) {
        push_text(L, contextql_value_label(value, i));
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    lua_setfield(L, -2, "labels");
}

static void push_printed(lua_State *L, const contextql_value *value)
{
    luaL_Buffer buffer;
    int bytes = contextql_value_print(value, NULL, 0);
    char *text = luaL_buffinitsize(L, &buffer, (size_t)bytes + 1);
    contextql_value_print(value, text, (size_t)bytes + 1);
    luaL_pushresultsize(&buffer, (size_t)bytes);
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
    case CONTEXTQL_PATH:
    case CONTEXTQL_VECTOR: push_list(L, value); break;
    case CONTEXTQL_MAP:
        push_members(L, value);
        set_kind(L, "contextql.map");
        break;
    case CONTEXTQL_NODE: push_entity(L, value, true); break;
    case CONTEXTQL_RELATIONSHIP: push_entity(L, value, false); break;
    case CONTEXTQL_BYTES:
    case CONTEXTQL_TEMPORAL: push_printed(L, value); break;
    }
}

/* ---- and back ---- */

static bool is_kind(lua_State *L, int index, const char *kind)
{
    if (!lua_getmetatable(L, index)) return false;
    luaL_getmetatable(L, kind);
    bool same = lua_rawequal(L, -1, -2);
    lua_pop(L, 2);
    return same;
}

static contextql_value *take_vector(lua_State *L, int index)
{
    lua_Integer count = (lua_Integer)lua_rawlen(L, index);
    float *components = lua_newuserdatauv(L, (size_t)count * sizeof *components + 1, 0);
    for (lua_Integer i = 0; i < count; i++) {
        lua_rawgeti(L, index, i + 1);
        components[i] = (float)luaL_checknumber(L, -1);
        lua_pop(L, 1);
    }
    contextql_value *value = contextql_value_new_vector(components, (size_t)count);
    lua_pop(L, 1);
    if (value == NULL) luaL_error(L, "a vector has finite components only");
    return value;
}

static contextql_value *take_list(lua_State *L, int index)
{
    contextql_value *list = contextql_value_new_list();
    lua_Integer count = (lua_Integer)lua_rawlen(L, index);
    for (lua_Integer i = 1; i <= count; i++) {
        lua_rawgeti(L, index, i);
        contextql_value *element = lua_take_value(L, -1);
        contextql_value_append(list, element);
        contextql_value_free(element);
        lua_pop(L, 1);
    }
    return list;
}

static contextql_value *take_map(lua_State *L, int index)
{
    contextql_value *map = contextql_value_new_map();
    lua_pushnil(L);
    while (lua_next(L, index) != 0) {
        size_t size;
        if (lua_type(L, -2) != LUA_TSTRING) luaL_error(L, "a map has text for keys");
        const char *key = lua_tolstring(L, -2, &size);
        contextql_value *member = lua_take_value(L, -1);
        contextql_value_put(map, key, size, member);
        contextql_value_free(member);
        lua_pop(L, 1);
    }
    return map;
}

contextql_value *lua_take_value(lua_State *L, int index)
{
    size_t size;
    const char *text;
    contextql_value *value = NULL;
    index = lua_absindex(L, index);
    luaL_checkstack(L, 8, "values nested too deeply");
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
        if (value == NULL) luaL_error(L, "text is UTF-8");
        return value;
    case LUA_TTABLE:
        if (is_kind(L, index, "contextql.vector")) return take_vector(L, index);
        if (is_kind(L, index, "contextql.map")) return take_map(L, index);
        return lua_rawlen(L, index) > 0 || is_kind(L, index, "contextql.list") ? take_list(L, index)
                                                                               : take_map(L, index);
    default: break;
    }
    luaL_error(L, "a %s is no value of the language", luaL_typename(L, index));
    return NULL;
}
