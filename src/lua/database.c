/*
 * database.c - databases in Lua: contextql.open, db:transaction, db:close, and what statement.c lets
 * one ask of them.
 */
#include "config.h"

#include "lua/lua_internal.h"

#define DATABASE_KIND "contextql.database"

typedef struct SessionBox {
    contextql *session; /* NULL: closed */
    bool owned;         /* the script opened it; the shell's own stays open */
} SessionBox;

contextql *lua_session_at(lua_State *L, int index)
{
    SessionBox *box = luaL_checkudata(L, index, DATABASE_KIND);
    if (box->session == NULL) luaL_error(L, "the database is closed");
    return box->session;
}

void lua_push_session(lua_State *L, contextql *session, bool owned)
{
    SessionBox *box = lua_newuserdatauv(L, sizeof *box, 0);
    *box = (SessionBox){session, owned};
    luaL_setmetatable(L, DATABASE_KIND);
}

static int database_close(lua_State *L)
{
    SessionBox *box = luaL_checkudata(L, 1, DATABASE_KIND);
    if (box->session != NULL && box->owned) {
        lua_close_statements(lua_host_of(L), box->session);
        contextql_close(box->session);
    }
    box->session = NULL;
    return 0;
}

/* contextql.open(path, {readonly = true}): made if it is not there; ":memory:" is a scratch one. */
static int module_open(lua_State *L)
{
    contextql *session = NULL;
    contextql_options options = {.create = true};
    const char *path = luaL_checkstring(L, 1);
    if (!lua_isnoneornil(L, 2)) {
        luaL_checktype(L, 2, LUA_TTABLE);
        lua_getfield(L, 2, "readonly");
        options.read_only = lua_toboolean(L, -1);
        options.create = !options.read_only;
    }
    lua_push_session(L, NULL, true);
    SessionBox *box = lua_touserdata(L, -1);
    int result = contextql_open(path, &options, &session);
    box->session = session; /* also after an error: it is closed with its box */
    if (result != CONTEXTQL_OK) lua_raise(L, session, (Str){"", 0});
    return 1;
}

/* db:transaction(f, ..): f(db, ..) in a transaction, committed when f returns, taken back when it
 * fails; what f gives is given on. */
static int database_transaction(lua_State *L)
{
    contextql *session = lua_session_at(L, 1);
    const SessionBox *box = lua_touserdata(L, 1);
    luaL_checktype(L, 2, LUA_TFUNCTION);
    int given = lua_gettop(L);
    lua_command(L, session, "BEGIN");
    luaL_checkstack(L, given, "too many arguments");
    lua_pushvalue(L, 2);
    lua_pushvalue(L, 1);
    for (int i = 3; i <= given; i++)
        lua_pushvalue(L, i);
    int status = lua_pcall(L, given - 1, LUA_MULTRET, 0);
    /* f may have ended it itself, or closed the database. */
    bool open = box->session != NULL && contextql_in_transaction(session);
    if (open && status != LUA_OK) lua_command(L, session, "ROLLBACK");
    if (status != LUA_OK) return lua_error(L);
    if (open) lua_command(L, session, "COMMIT");
    return lua_gettop(L) - given;
}

/* db:discarded(): bytes of a commit that a crash cut off before it was done, found at opening. */
static int database_discarded(lua_State *L)
{
    lua_pushinteger(L, (lua_Integer)contextql_discarded(lua_session_at(L, 1)));
    return 1;
}

void lua_open_database(lua_State *L)
{
    static const luaL_Reg methods[] = {{"transaction", database_transaction},
                                       {"discarded", database_discarded},
                                       {"close", database_close},
                                       {"__close", database_close},
                                       {"__gc", database_close},
                                       {NULL, NULL}};
    luaL_newmetatable(L, DATABASE_KIND);
    lua_pushvalue(L, -1);
    lua_setfield(L, -2, "__index");
    luaL_setfuncs(L, methods, 0);
    luaL_setfuncs(L, lua_statement_calls, 0);
    lua_pop(L, 1);
    lua_pushcfunction(L, module_open);
    lua_setfield(L, -2, "open");
}
