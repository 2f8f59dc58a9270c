/*
 * database.c - db:query, db:exec, db:first, db:value, db:all, db:transaction, db:close,
 * contextql.open.
 *
 * Rows are read to their end before a script sees the first, so that a loop that writes does not
 * stand in its own way. A row is a table by column number and by name.
 */
#include "config.h"

#include "lua/lua_internal.h"
#include <string.h>

typedef struct SessionBox {
    contextql *session; /* NULL: closed */
    bool owned;
} SessionBox;

void lua_raise(lua_State *L, contextql *session)
{
    contextql_error_info info;
    contextql_error(session, &info);
    lua_pushfstring(L, "CQL%d: %s", info.code, info.message);
    if (info.hint[0] != '\0') {
        lua_pushfstring(L, " (%s)", info.hint);
        lua_concat(L, 2);
    }
    lua_error(L);
}

static contextql *session_at(lua_State *L)
{
    SessionBox *box = luaL_checkudata(L, 1, "contextql.database");
    if (box->session == NULL) luaL_error(L, "the database is closed");
    return box->session;
}

void lua_push_session(lua_State *L, contextql *session, bool owned)
{
    SessionBox *box = lua_newuserdatauv(L, sizeof *box, 0);
    *box = (SessionBox){session, owned};
    luaL_setmetatable(L, "contextql.database");
}

static int database_close(lua_State *L)
{
    SessionBox *box = luaL_checkudata(L, 1, "contextql.database");
    if (box->owned && box->session != NULL) contextql_close(box->session);
    box->session = NULL;
    return 0;
}

static int module_open(lua_State *L)
{
    contextql *session = NULL;
    contextql_options options = {.create = true};
    const char *path = luaL_checkstring(L, 1);
    if (lua_istable(L, 2)) {
        lua_getfield(L, 2, "readonly");
        options.read_only = lua_toboolean(L, -1);
        options.create = !options.read_only;
    }
    if (contextql_open(path, &options, &session) == CONTEXTQL_OK)
        return lua_push_session(L, session, true), 1;
    contextql_error_info info;
    contextql_error(session, &info);
    lua_pushfstring(L, "CQL%d: %s", info.code, info.message);
    contextql_close(session);
    return lua_error(L);
}

/* ---- statements ---- */

typedef struct StatementBox { /* so that a Lua error on the way finalizes it */
    contextql_statement *statement;
} StatementBox;

static int statement_gc(lua_State *L)
{
    StatementBox *box = luaL_checkudata(L, 1, "contextql.statement");
    contextql_finalize(box->statement);
    box->statement = NULL;
    return 0;
}

static StatementBox *prepare(lua_State *L, contextql *session)
{
    size_t size;
    const char *text = luaL_checklstring(L, 2, &size);
    StatementBox *box = lua_newuserdatauv(L, sizeof *box, 0);
    box->statement = NULL;
    luaL_setmetatable(L, "contextql.statement");
    if (contextql_prepare(session, text, size, &box->statement, NULL) != CONTEXTQL_OK)
        lua_raise(L, session);
    if (box->statement == NULL) luaL_error(L, "the statement is empty");
    return box;
}

static void bind_all(lua_State *L, contextql_statement *statement, int table)
{
    if (!lua_istable(L, table)) return;
    lua_pushnil(L);
    while (lua_next(L, table) != 0) {
        if (lua_type(L, -2) == LUA_TSTRING) {
            contextql_value *value = lua_take_value(L, -1);
            contextql_bind(statement, lua_tostring(L, -2), value);
            contextql_value_free(value);
        }
        lua_pop(L, 1);
    }
}

static void push_row(lua_State *L, contextql_statement *statement)
{
    int columns = contextql_column_count(statement);
    lua_createtable(L, columns, columns);
    for (int c = 0; c < columns; c++) {
        lua_push_value(L, contextql_column(statement, c));
        lua_pushvalue(L, -1);
        lua_rawseti(L, -3, c + 1);
        lua_setfield(L, -2, contextql_column_name(statement, c));
    }
}

static void push_stats(lua_State *L, contextql_statement *statement)
{
    contextql_stats stats;
    contextql_statement_stats(statement, &stats);
    const struct {
        const char *name;
        uint64_t count;
    } counters[] = {{"rows", stats.rows},
                    {"nodes_created", stats.nodes_created},
                    {"nodes_deleted", stats.nodes_deleted},
                    {"relationships_created", stats.relationships_created},
                    {"relationships_deleted", stats.relationships_deleted},
                    {"properties_set", stats.properties_set}};
    lua_createtable(L, 0, 8);
    for (size_t i = 0; i < sizeof counters / sizeof *counters; i++) {
        lua_pushinteger(L, (lua_Integer)counters[i].count);
        lua_setfield(L, -2, counters[i].name);
    }
}

/* Leaves the list of rows and the counters on the stack. */
static void run(lua_State *L)
{
    contextql *session = session_at(L);
    StatementBox *box = prepare(L, session);
    bind_all(L, box->statement, 3);
    lua_newtable(L);
    int result;
    for (lua_Integer row = 1; (result = contextql_step(box->statement)) == CONTEXTQL_ROW; row++) {
        push_row(L, box->statement);
        lua_rawseti(L, -2, row);
    }
    if (result != CONTEXTQL_DONE) lua_raise(L, session);
    push_stats(L, box->statement);
    contextql_finalize(box->statement);
    box->statement = NULL;
}

static int database_all(lua_State *L)
{
    run(L);
    lua_pop(L, 1);
    return 1;
}

static int database_exec(lua_State *L)
{
    run(L);
    return 1;
}

static int next_row(lua_State *L)
{
    lua_Integer at = lua_tointeger(L, lua_upvalueindex(2)) + 1;
    lua_pushinteger(L, at);
    lua_replace(L, lua_upvalueindex(2));
    lua_rawgeti(L, lua_upvalueindex(1), at);
    return 1;
}

static int database_query(lua_State *L)
{
    run(L);
    lua_pop(L, 1);
    lua_pushinteger(L, 0);
    lua_pushcclosure(L, next_row, 2);
    return 1;
}

static int database_first(lua_State *L)
{
    run(L);
    lua_pop(L, 1);
    lua_rawgeti(L, -1, 1);
    return 1;
}

static int database_value(lua_State *L)
{
    database_first(L);
    if (lua_istable(L, -1)) lua_rawgeti(L, -1, 1);
    return 1;
}

static void command(lua_State *L, contextql *session, const char *text)
{
    contextql_statement *statement = NULL;
    int result = contextql_prepare(session, text, strlen(text), &statement, NULL);
    if (result == CONTEXTQL_OK) result = contextql_step(statement);
    contextql_finalize(statement);
    if (result != CONTEXTQL_DONE) lua_raise(L, session);
}

/* db:transaction(f): commit when f returns, roll back when it fails; what f gives is given back. */
static int database_transaction(lua_State *L)
{
    contextql *session = session_at(L);
    luaL_checktype(L, 2, LUA_TFUNCTION);
    command(L, session, "BEGIN");
    lua_pushvalue(L, 2);
    lua_pushvalue(L, 1);
    if (lua_pcall(L, 1, LUA_MULTRET, 0) != LUA_OK) {
        command(L, session, "ROLLBACK");
        return lua_error(L);
    }
    command(L, session, "COMMIT");
    return lua_gettop(L) - 2;
}

void lua_open_database(lua_State *L)
{
    static const luaL_Reg methods[] = {
        {"query", database_query},   {"all", database_all},
        {"first", database_first},   {"value", database_value},
        {"exec", database_exec},     {"transaction", database_transaction},
        {"close", database_close},   {"__gc", database_close},
        {"__close", database_close}, {NULL, NULL}};
    static const luaL_Reg statement[] = {{"__gc", statement_gc}, {NULL, NULL}};
    luaL_newmetatable(L, "contextql.database");
    lua_pushvalue(L, -1);
    lua_setfield(L, -2, "__index");
    luaL_setfuncs(L, methods, 0);
    lua_pop(L, 1);
    luaL_newmetatable(L, "contextql.statement");
    luaL_setfuncs(L, statement, 0);
    lua_pop(L, 1);
    lua_pushcfunction(L, module_open);
    lua_setfield(L, -2, "open");
}
