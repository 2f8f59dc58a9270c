/*
 * library.c - what scripts get beside the database: JSON, files by pattern, and what is written in
 * Lua itself (the .lua files of lua/contextql, which the build makes part of the program).
 */
#include "config.h"

#include "base/json.h"
#include "lua/library.lua.h"
#include "lua/lua_internal.h"
#include <dirent.h>
#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>

/* ---- JSON ---- */

/* contextql.json.encode(value): as the protocol writes values. */
static int json_encode(lua_State *L)
{
    luaL_checkany(L, 1);
    contextql_value *value = lua_take_value(L, 1);
    contextql_text text = contextql_value_json(value);
    lua_pushlstring(L, text.data, text.size);
    contextql_value_free(value);
    return 1;
}

static void push_json(lua_State *L, const Json *json)
{
    luaL_checkstack(L, 4, "JSON nested too deeply");
    switch (json->kind) {
    case JSON_NULL: lua_pushlightuserdata(L, NULL); return;
    case JSON_FALSE:
    case JSON_TRUE: lua_pushboolean(L, json->kind == JSON_TRUE); return;
    case JSON_STRING: lua_pushlstring(L, json->text.data, json->text.bytes); return;
    case JSON_NUMBER: /* Lua knows integers from floats as JSON's text does */
        lua_pushlstring(L, json->text.data, json->text.bytes);
        lua_stringtonumber(L, lua_tostring(L, -1));
        lua_remove(L, -2);
        return;
    case JSON_LIST:
    case JSON_OBJECT: break;
    }
    bool list = json->kind == JSON_LIST;
    lua_createtable(L, list ? (int)json->count : 0, list ? 0 : (int)json->count);
    for (size_t i = 0; i < json->count; i++) {
        const Json *item = &json->items[i];
        if (!list) lua_pushlstring(L, item->key.data, item->key.bytes);
        push_json(L, item);
        if (list)
            lua_rawseti(L, -2, (lua_Integer)i + 1);
        else
            lua_rawset(L, -3);
    }
    luaL_setmetatable(L, list ? "contextql.list" : "contextql.map");
}

/* Protected: making tables may fail, and the tree's memory must be given back. */
static int push_tree(lua_State *L)
{
    push_json(L, lua_touserdata(L, 1));
    return 1;
}

static int json_decode(lua_State *L)
{
    Str text;
    const Json *json;
    text.data = luaL_checklstring(L, 1, &text.bytes);
    Arena *arena = arena_create();
    lua_pushcfunction(L, push_tree);
    Error *error = json_parse(arena, text, &json);
    if (error != NULL) {
        lua_pushfstring(L, "%s", error_message(error));
        error_drop(error);
        arena_destroy(arena);
        return lua_error(L);
    }
    lua_pushlightuserdata(L, (void *)json);
    int status = lua_pcall(L, 1, 1, 0);
    arena_destroy(arena);
    return status == LUA_OK ? 1 : lua_error(L);
}

/* ---- files ---- */

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* contextql.files(folder, pattern): a list of the paths that fit, by name. Hidden ones do not. */
static int module_files(lua_State *L)
{
    const char *folder = luaL_checkstring(L, 1), *pattern = luaL_optstring(L, 2, "*");
    DIR *directory = opendir(folder);
    if (directory == NULL) return luaL_error(L, "%s: %s", folder, strerror(errno));
    char **names = NULL;
    size_t count = 0, capacity = 0;
    struct dirent *entry;
    while ((entry = readdir(directory)) != NULL) {
        if (fnmatch(pattern, entry->d_name, FNM_PERIOD) != 0 || entry->d_name[0] == '.') continue;
        mem_reserve(names, capacity, count + 1);
        names[count++] = mem_strdup(entry->d_name);
    }
    closedir(directory);
    qsort(names, count, sizeof *names, by_name);
    lua_createtable(L, (int)count, 0);
    for (size_t i = 0; i < count; i++) {
        lua_pushfstring(L, "%s/%s", folder, names[i]);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
        mem_free(names[i]);
    }
    mem_free(names);
    luaL_setmetatable(L, "contextql.list");
    return 1;
}

/* ---- written in Lua ---- */

void lua_open_library_chunks(lua_State *L)
{
    for (size_t i = 0; i < sizeof library / sizeof *library; i++) {
        const char *name = lua_pushfstring(L, "@%s", library[i].name);
        if (luaL_loadbufferx(L, library[i].source, strlen(library[i].source), name, "t") != LUA_OK)
            lua_error(L);
        lua_call(L, 0, 0);
        lua_pop(L, 1);
    }
}

void lua_open_library(lua_State *L)
{
    static const luaL_Reg json[] = {{"encode", json_encode}, {"decode", json_decode}, {NULL, NULL}};
    luaL_newlib(L, json);
    lua_setfield(L, -2, "json");
    lua_pushcfunction(L, module_files);
    lua_setfield(L, -2, "files");
}
