/* lua_internal.h - shared by the files of this folder. */
#ifndef LUA_LUA_INTERNAL_H
#define LUA_LUA_INTERNAL_H
#include "base/error.h"
#include "base/str.h"
#include "contextql.h"
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

typedef struct LuaHost { /* one Lua state; its registry holds what C must find again */
    lua_State *L;
    contextql *session;   /* `db` */
    contextql_call *call; /* the procedure that runs: contextql.yield gives its rows */
    int yield_count;
} LuaHost;

LuaHost *lua_host_of(lua_State *L);
void lua_push_value(lua_State *L, const contextql_value *value);
/* A new value from the stack; raises a Lua error for what has no counterpart. */
contextql_value *lua_take_value(lua_State *L, int index);
void lua_raise(lua_State *L, contextql *session); /* the session's last error as a Lua error */
void lua_open_database(
    lua_State *L); /* adds open() and the methods of databases to the module on top */
void lua_push_session(lua_State *L, contextql *session, bool owned);
void lua_open_register(lua_State *L); /* adds func, procedure, rank, yield */
#endif
