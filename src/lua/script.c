/*
 * script.c - the Lua state, the module `contextql`, and the plug the shell sees.
 *
 * lua_pcall is the only way in: no error of Lua leaves this folder but as an Error.
 */
#include "config.h"

#include "lua/lua_internal.h"
#include "lua/script.h"
#include <stdio.h>
#include <string.h>

typedef struct Box { /* the plug and what stands behind it */
    ScriptHost host;
    LuaHost lua;
} Box;

LuaHost *lua_host_of(lua_State *L)
{
    lua_getfield(L, LUA_REGISTRYINDEX, "contextql.host");
    LuaHost *host = lua_touserdata(L, -1);
    lua_pop(L, 1);
    return host;
}

/* ---- the module ---- */

static int open_module(lua_State *L)
{
    lua_newtable(L);
    lua_pushstring(L, contextql_version());
    lua_setfield(L, -2, "version");
    lua_open_error(L);
    lua_open_value(L);
    lua_open_statement(L);
    lua_open_database(L);
    lua_open_register(L);
    return 1;
}

/* ---- running ---- */

static Error *call_chunk(LuaHost *host, int argc, bool print)
{
    lua_State *L = host->L;
    int base = lua_gettop(L) - argc;
    lua_pushcfunction(L, lua_error_traceback);
    lua_insert(L, base);
    int status = lua_pcall(L, argc, print ? LUA_MULTRET : 0, base);
    lua_remove(L, base);
    if (status != LUA_OK) return lua_error_take(L);
    for (int i = base; print && i <= lua_gettop(L); i++) {
        puts(luaL_tolstring(L, i, NULL));
        lua_pop(L, 1);
    }
    lua_settop(L, base - 1);
    return NULL;
}

static Error *run(void *state, Str source, const char *chunk, bool print)
{
    LuaHost *host = &((Box *)state)->lua;
    if (luaL_loadbufferx(host->L, source.data, source.bytes, chunk, "t") != LUA_OK)
        return lua_error_take(host->L);
    return call_chunk(host, 0, print);
}

static Error *run_file(void *state, const char *path, int argument_count, char **arguments)
{
    LuaHost *host = &((Box *)state)->lua;
    lua_State *L = host->L;
    lua_createtable(L, argument_count, 1);
    lua_pushstring(L, path);
    lua_rawseti(L, -2, 0);
    for (int i = 0; i < argument_count; i++) {
        lua_pushstring(L, arguments[i]);
        lua_rawseti(L, -2, i + 1);
    }
    lua_setglobal(L, "arg");
    if (luaL_loadfilex(L, path, "t") != LUA_OK) return lua_error_take(L);
    return call_chunk(host, 0, false);
}

static void attach(void *state, void *session)
{
    LuaHost *host = &((Box *)state)->lua;
    if (host->session != NULL) lua_close_statements(host, host->session);
    host->session = session;
    if (session == NULL)
        lua_pushnil(host->L);
    else
        lua_push_session(host->L, session, false);
    lua_setglobal(host->L, "db");
}

static void stop(lua_State *L, lua_Debug *debug)
{
    (void)debug;
    lua_sethook(L, NULL, 0, 0);
    luaL_error(L, "interrupted");
}

static void interrupt(void *state)
{
    lua_sethook(((Box *)state)->lua.L, stop,
                LUA_MASKCALL | LUA_MASKRET | LUA_MASKLINE | LUA_MASKCOUNT, 1);
}

static int open_all(lua_State *L)
{
    luaL_openlibs(L);
    luaL_requiref(L, "contextql", open_module, 1);
    return 0;
}

ScriptHost *lua_host_create(void)
{
    Box *box = mem_calloc(1, sizeof *box);
    box->lua.L = luaL_newstate();
    if (box->lua.L == NULL) {
        mem_free(box);
        return NULL;
    }
    lua_pushlightuserdata(box->lua.L, &box->lua);
    lua_setfield(box->lua.L, LUA_REGISTRYINDEX, "contextql.host");
    lua_pushcfunction(box->lua.L, open_all);
    if (lua_pcall(box->lua.L, 0, 0, 0) != LUA_OK) {
        lua_close(box->lua.L);
        mem_free(box);
        return NULL;
    }
    box->host = (ScriptHost){
        .state = box, .attach = attach, .run = run, .run_file = run_file, .interrupt = interrupt};
    return &box->host;
}

void lua_host_destroy(ScriptHost *host)
{
    if (host == NULL) return;
    Box *box = host->state;
    lua_close(box->lua.L);
    mem_free(box);
}
