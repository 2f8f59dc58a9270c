/*
 * error.c - errors of the engine as errors of Lua, and those of Lua as errors of ours.
 *
 * A script that catches an error gets a table: code, type, phase, detail, gqlstatus, message, hint,
 * the place in the statement (line, column; from 1), `where` the script asked ("file.lua:3:"), and
 * after it has reached the top `traceback`. tostring gives one line of it. Errors of Lua itself stay
 * the text they are.
 */
#include "config.h"

#include "lua/lua_internal.h"
#include <string.h>

#define ERROR_KIND "contextql.error"

static void set_text(lua_State *L, const char *field, const char *text)
{
    if (text == NULL || text[0] == '\0') return;
    lua_pushstring(L, text);
    lua_setfield(L, -2, field);
}

static void set_number(lua_State *L, const char *field, size_t number)
{
    lua_pushinteger(L, (lua_Integer)number);
    lua_setfield(L, -2, field);
}

/* Line and column, from 1, a column being a character. */
static void set_place(lua_State *L, Str text, size_t offset)
{
    size_t line = 1, column = 1;
    for (size_t i = 0; i < offset && i < text.bytes; i++) {
        bool continued = ((unsigned char)text.data[i] & 0xc0) == 0x80;
        column = text.data[i] == '\n' ? 1 : column + !continued;
        line += text.data[i] == '\n';
    }
    set_number(L, "line", line);
    set_number(L, "column", column);
}

void lua_raise(lua_State *L, contextql *session, Str text)
{
    contextql_error_info info;
    contextql_error(session, &info);
    lua_createtable(L, 0, 12);
    set_number(L, "code", (size_t)info.code);
    set_text(L, "type", info.type);
    set_text(L, "phase", info.phase == CONTEXTQL_COMPILE_TIME ? "compile time" : "runtime");
    set_text(L, "detail", info.detail);
    set_text(L, "gqlstatus", info.status);
    set_text(L, "message", info.message);
    set_text(L, "hint", info.hint);
    if (info.offset != SIZE_MAX && text.bytes > 0) set_place(L, text, info.offset);
    luaL_where(L, 1);
    lua_setfield(L, -2, "where");
    luaL_setmetatable(L, ERROR_KIND);
    lua_error(L);
}

static const char *field_text(lua_State *L, const char *field)
{
    lua_getfield(L, 1, field);
    const char *text = lua_tostring(L, -1);
    return text == NULL ? "" : text; /* the stack keeps it until the function returns */
}

static int error_tostring(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    const char *where = field_text(L, "where"), *code = field_text(L, "code"),
               *message = field_text(L, "message"), *hint = field_text(L, "hint"),
               *line = field_text(L, "line"), *column = field_text(L, "column");
    lua_pushfstring(L, "%sCQL%s: %s", where, code, message);
    if (line[0] != '\0')
        lua_pushfstring(L, " (at %s:%s)", line, column);
    else
        lua_pushliteral(L, "");
    if (hint[0] != '\0')
        lua_pushfstring(L, "; hint: %s", hint);
    else
        lua_pushliteral(L, "");
    lua_concat(L, 3);
    return 1;
}

/* What was raised, as text on top of the stack. A table of the script's own that cannot tell itself is
 * asked for its message: an address would differ from run to run. */
static const char *raised_text(lua_State *L, int index)
{
    index = lua_absindex(L, index);
    if (!lua_istable(L, index) || luaL_getmetafield(L, index, "__tostring") != LUA_TNIL)
        return luaL_tolstring(L, index, NULL);
    if (lua_getfield(L, index, "message") != LUA_TSTRING)
        lua_pushliteral(L, "a table without a message was raised");
    return lua_tostring(L, -1);
}

int lua_error_traceback(lua_State *L)
{
    if (!lua_istable(L, 1)) {
        luaL_traceback(L, L, raised_text(L, 1), 1);
        return 1;
    }
    if (lua_getfield(L, 1, "traceback") == LUA_TNIL) {
        luaL_traceback(L, L, NULL, 1);
        lua_setfield(L, 1, "traceback");
    }
    lua_settop(L, 1);
    return 1;
}

Error *lua_error_take(lua_State *L)
{
    int raised = lua_gettop(L);
    const char *message = raised_text(L, raised), *traceback = NULL;
    if (lua_istable(L, raised) && lua_getfield(L, raised, "traceback") == LUA_TSTRING)
        traceback = lua_tostring(L, -1);
    Error *error = error_new(ERROR_SCRIPT, "%s%s%s", message, traceback == NULL ? "" : "\n",
                             traceback == NULL ? "" : traceback);
    lua_settop(L, raised - 1);
    return error;
}

void lua_open_error(lua_State *L)
{
    luaL_newmetatable(L, ERROR_KIND);
    lua_pushcfunction(L, error_tostring);
    lua_setfield(L, -2, "__tostring");
    lua_pop(L, 1);
}
