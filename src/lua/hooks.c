/*
 * hooks.c - contextql.command and contextql.prompt: what scripts add to the shell.
 *
 * Both are kept in the registry and called by the shell through the plug ScriptHost.
 */
#include "config.h"

#include "lua/lua_internal.h"
#include <string.h>

#define COMMANDS "contextql.commands" /* name -> {help, function} */
#define PROMPT   "contextql.prompt"

/* contextql.command(name, {help = "one line"}, f): `:name rest` at the prompt calls f(rest). */
static int module_command(lua_State *L)
{
    size_t bytes;
    const char *name = luaL_checklstring(L, 1, &bytes);
    luaL_checktype(L, 2, LUA_TTABLE);
    luaL_checktype(L, 3, LUA_TFUNCTION);
    for (size_t i = 0; i < bytes; i++)
        luaL_argcheck(L, (name[i] | 32) >= 'a' && (name[i] | 32) <= 'z', 1,
                      "a command's name has letters only");
    luaL_argcheck(L, bytes > 0, 1, "a command has a name");
    luaL_getsubtable(L, LUA_REGISTRYINDEX, COMMANDS);
    lua_createtable(L, 2, 0);
    lua_getfield(L, 2, "help");
    if (lua_isnil(L, -1)) lua_pop(L, 1), lua_pushliteral(L, "");
    luaL_checktype(L, -1, LUA_TSTRING);
    lua_rawseti(L, -2, 1);
    lua_pushvalue(L, 3);
    lua_rawseti(L, -2, 2);
    lua_setfield(L, -2, name);
    return 0;
}

/* contextql.prompt(f): before each text f() gives the prompt. */
static int module_prompt(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TFUNCTION);
    lua_settop(L, 1);
    lua_setfield(L, LUA_REGISTRYINDEX, PROMPT);
    return 0;
}

void lua_open_hooks(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"command", module_command}, {"prompt", module_prompt}, {NULL, NULL}};
    luaL_setfuncs(L, functions, 0);
}

/* Pushes {help, function} of the command; false: there is none, and nothing is pushed. */
static bool push_command(lua_State *L, Str name)
{
    luaL_getsubtable(L, LUA_REGISTRYINDEX, COMMANDS);
    lua_pushlstring(L, name.data, name.bytes);
    lua_rawget(L, -2);
    lua_remove(L, -2);
    if (lua_istable(L, -1)) return true;
    lua_pop(L, 1);
    return false;
}

bool lua_hooks_command(lua_State *L, Str name, Str arguments, Error **error)
{
    if (!push_command(L, name)) return false;
    lua_rawgeti(L, -1, 2);
    lua_remove(L, -2);
    lua_pushcfunction(L, lua_error_traceback);
    lua_insert(L, -2);
    lua_pushlstring(L, arguments.data, arguments.bytes);
    *error = lua_pcall(L, 1, 0, -3) == LUA_OK ? NULL : lua_error_take(L);
    lua_pop(L, 1);
    return true;
}

/* Of the names in the table on top, the first behind `before` (NULL: of all); NULL: there is none.
 * The table is in no order. */
static const char *next_name(lua_State *L, const char *before)
{
    const char *found = NULL;
    lua_pushnil(L);
    while (lua_next(L, -2) != 0) {
        const char *name = lua_tostring(L, -2); /* lives as long as the table holds it */
        bool behind = before == NULL || strcmp(name, before) > 0;
        if (behind && (found == NULL || strcmp(name, found) < 0)) found = name;
        lua_pop(L, 1);
    }
    return found;
}

void lua_hooks_commands(lua_State *L, void (*offer)(void *sink, Str name, Str help), void *sink)
{
    luaL_getsubtable(L, LUA_REGISTRYINDEX, COMMANDS);
    for (const char *name = NULL; (name = next_name(L, name)) != NULL;) {
        Str help;
        lua_getfield(L, -1, name);
        lua_rawgeti(L, -1, 1);
        help.data = lua_tolstring(L, -1, &help.bytes);
        offer(sink, str_from(name), help);
        lua_pop(L, 2);
    }
    lua_pop(L, 1);
}

bool lua_hooks_prompt(lua_State *L, Buffer *out, Error **error)
{
    *error = NULL;
    lua_pushcfunction(L, lua_error_traceback);
    if (lua_getfield(L, LUA_REGISTRYINDEX, PROMPT) != LUA_TFUNCTION) {
        lua_pop(L, 2);
        return false;
    }
    size_t bytes = 0;
    if (lua_pcall(L, 0, 1, -2) != LUA_OK) {
        *error = lua_error_take(L);
        lua_pop(L, 1);
        return false;
    }
    const char *text = lua_tolstring(L, -1, &bytes);
    if (text != NULL) buffer_append(out, text, bytes);
    lua_pop(L, 2);
    return text != NULL;
}
