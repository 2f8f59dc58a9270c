/*
 * statement.c - statements in Lua: prepared once and run often, or asked of a database directly.
 *
 * A statement belongs to its session (a user value keeps that alive). `query` gives a cursor: call it
 * for the next row, or let `for` do it; leaving the loop early closes it. Outside a transaction rows
 * come as the script takes them, out of the version the statement began with, so that a loop may
 * write without seeing its own writes. Inside a transaction that version is the one being written:
 * there all rows are read before the script sees the first. A row is a table by column number and by
 * name.
 */
#include "config.h"

#include "lua/lua_internal.h"

#define STATEMENT_KIND "contextql.statement"
#define CURSOR_KIND    "contextql.cursor"

enum { SESSION_USER_VALUE = 1, STATEMENT_USER_VALUE = 1, ROWS_USER_VALUE = 2, TEXT_USER_VALUE = 2 };

struct StatementBox {
    contextql_statement *statement; /* NULL: closed */
    contextql *session;
    bool once;                  /* asked of a database directly: closed when it ends or fails */
    unsigned run;               /* counts how often it was started */
    StatementBox *next, **link; /* the open ones of the host */
};

typedef struct Cursor {
    StatementBox *box; /* kept alive by a user value; NULL: closed */
    unsigned run;      /* of the statement: when that has gone on, the rows are gone */
    lua_Integer next;  /* of rows read before, from 1; 0: they come as asked for */
} Cursor;

/* ---- statements ---- */

static void close_box(StatementBox *box)
{
    if (box->statement == NULL) return;
    contextql_finalize(box->statement);
    box->statement = NULL;
    *box->link = box->next;
    if (box->next != NULL) box->next->link = box->link;
}

static void open_box(LuaHost *host, StatementBox *box, contextql_statement *statement)
{
    box->statement = statement;
    box->next = host->statements;
    box->link = &host->statements;
    if (box->next != NULL) box->next->link = &box->next;
    host->statements = box;
}

void lua_close_statements(LuaHost *host, const contextql *session)
{
    StatementBox *next;
    for (StatementBox *box = host->statements; box != NULL; box = next) {
        next = box->next;
        if (box->session == session) close_box(box);
    }
}

static int statement_close(lua_State *L)
{
    close_box(luaL_checkudata(L, 1, STATEMENT_KIND));
    return 0;
}

static StatementBox *statement_at(lua_State *L, int index)
{
    StatementBox *box = luaL_checkudata(L, index, STATEMENT_KIND);
    if (box->statement == NULL) luaL_error(L, "the statement is closed");
    return box;
}

static Str statement_text(lua_State *L, int index)
{
    Str text = {"", 0};
    lua_getiuservalue(L, index, TEXT_USER_VALUE);
    if (lua_isstring(L, -1)) text.data = lua_tolstring(L, -1, &text.bytes);
    lua_pop(L, 1); /* the user value keeps it */
    return text;
}

/* A statement out of (database, text, ..), on top of the stack. */
static StatementBox *prepare(lua_State *L, bool once)
{
    contextql *session = lua_session_at(L, 1);
    Str text;
    text.data = luaL_checklstring(L, 2, &text.bytes);
    StatementBox *box = lua_newuserdatauv(L, sizeof *box, 2);
    *box = (StatementBox){.session = session, .once = once};
    lua_pushvalue(L, 1);
    lua_setiuservalue(L, -2, SESSION_USER_VALUE);
    lua_pushvalue(L, 2);
    lua_setiuservalue(L, -2, TEXT_USER_VALUE);
    luaL_setmetatable(L, STATEMENT_KIND);
    const char *rest;
    contextql_statement *statement;
    if (contextql_prepare(session, text.data, text.bytes, &statement, &rest) != CONTEXTQL_OK)
        lua_raise(L, session, text);
    if (statement == NULL) luaL_error(L, "the statement is empty");
    open_box(lua_host_of(L), box, statement);
    contextql_token token;
    size_t count = 0;
    contextql_tokenize(rest, text.bytes - (size_t)(rest - text.data), &token, 1, &count);
    if (count > 0 && token.kind != CONTEXTQL_TOKEN_COMMENT)
        luaL_error(L, "one statement at a time: there is more behind the first `;`");
    return box;
}

static void bind_all(lua_State *L, const StatementBox *box, int table)
{
    if (lua_isnoneornil(L, table)) return;
    luaL_checktype(L, table, LUA_TTABLE);
    lua_pushnil(L);
    while (lua_next(L, table) != 0) {
        if (lua_type(L, -2) != LUA_TSTRING)
            luaL_error(L, "parameters are given by name: {name = value}");
        contextql_value *value = lua_take_value(L, -1);
        int result = contextql_bind(box->statement, lua_tostring(L, -2), value);
        contextql_value_free(value);
        if (result != CONTEXTQL_OK) lua_raise(L, box->session, (Str){"", 0});
        lua_pop(L, 1);
    }
}

/* ---- rows ---- */

static void push_row(lua_State *L, const contextql_statement *statement)
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

/* The next row on top of the stack, or false at the end; `index` is the statement's place. */
static bool step(lua_State *L, int index)
{
    StatementBox *box = statement_at(L, index);
    int result = contextql_step(box->statement);
    if (result == CONTEXTQL_ROW) return push_row(L, box->statement), true;
    if (result == CONTEXTQL_DONE) return false;
    if (box->once) close_box(box);
    lua_raise(L, box->session, statement_text(L, index));
    return false;
}

static void push_rows(lua_State *L, int index)
{
    lua_newtable(L);
    for (lua_Integer row = 1; step(L, index); row++)
        lua_rawseti(L, -2, row);
}

static void push_stats(lua_State *L, const contextql_statement *statement)
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
                    {"properties_set", stats.properties_set},
                    {"labels_added", stats.labels_added},
                    {"labels_removed", stats.labels_removed}};
    lua_createtable(L, 0, sizeof counters / sizeof *counters);
    for (size_t i = 0; i < sizeof counters / sizeof *counters; i++) {
        lua_pushinteger(L, (lua_Integer)counters[i].count);
        lua_setfield(L, -2, counters[i].name);
    }
}

/* ---- cursors ---- */

static int cursor_close(lua_State *L)
{
    Cursor *cursor = luaL_checkudata(L, 1, CURSOR_KIND);
    StatementBox *box = cursor->box;
    cursor->box = NULL;
    if (box == NULL || box->statement == NULL) return 0;
    if (box->once)
        close_box(box);
    else if (cursor->run == box->run)
        contextql_reset(box->statement);
    return 0;
}

static int cursor_next(lua_State *L)
{
    Cursor *cursor = luaL_checkudata(L, 1, CURSOR_KIND);
    lua_settop(L, 1);
    if (cursor->next > 0) {
        lua_getiuservalue(L, 1, ROWS_USER_VALUE);
        return lua_rawgeti(L, -1, cursor->next++), 1;
    }
    if (cursor->box == NULL) return 0;
    if (cursor->run != cursor->box->run)
        return luaL_error(L, "the statement was run again: the rows of this run are gone");
    lua_getiuservalue(L, 1, STATEMENT_USER_VALUE);
    if (step(L, 2)) return 1;
    return cursor_close(L);
}

/* cursor, nil, nil, cursor: what `for` wants, the last to be closed when the loop is left. */
static int push_cursor(lua_State *L, int index)
{
    StatementBox *box = statement_at(L, index);
    Cursor *cursor = lua_newuserdatauv(L, sizeof *cursor, 2);
    *cursor = (Cursor){box, box->run, 0};
    luaL_setmetatable(L, CURSOR_KIND);
    lua_pushvalue(L, index);
    lua_setiuservalue(L, -2, STATEMENT_USER_VALUE);
    if (contextql_in_transaction(box->session)) {
        push_rows(L, index);
        lua_setiuservalue(L, -2, ROWS_USER_VALUE);
        cursor->next = 1;
    }
    lua_pushnil(L);
    lua_pushnil(L);
    lua_pushvalue(L, -3);
    return 4;
}

/* ---- what a statement can; `first` is where it stands, its parameters behind it ---- */

static void start(lua_State *L, int index, int parameters)
{
    StatementBox *box = statement_at(L, index);
    contextql_reset(box->statement);
    box->run++;
    bind_all(L, box, parameters);
}

static int run_all(lua_State *L, int index)
{
    push_rows(L, index);
    return 1;
}

static int run_first(lua_State *L, int index)
{
    if (!step(L, index)) lua_pushnil(L);
    int row = lua_gettop(L); /* the others are read too: a statement is done when it has ended */
    while (!lua_isnil(L, row) && step(L, index))
        lua_pop(L, 1);
    return 1;
}

static int run_value(lua_State *L, int index)
{
    run_first(L, index);
    if (lua_istable(L, -1)) lua_rawgeti(L, -1, 1);
    return 1;
}

static int run_exec(lua_State *L, int index)
{
    while (step(L, index))
        lua_pop(L, 1);
    push_stats(L, statement_at(L, index)->statement);
    return 1;
}

/* A prepared statement is ready again afterwards. */
static int on_statement(lua_State *L, int (*run)(lua_State *L, int index))
{
    lua_settop(L, 2);
    start(L, 1, 2);
    run(L, 1);
    contextql_reset(statement_at(L, 1)->statement);
    return 1;
}

/* A statement of (database, text, parameters) is gone afterwards. */
static int on_database(lua_State *L, int (*run)(lua_State *L, int index))
{
    lua_settop(L, 3);
    StatementBox *box = prepare(L, true);
    start(L, 4, 3);
    run(L, 4);
    close_box(box);
    return 1;
}

static int statement_query(lua_State *L)
{
    lua_settop(L, 2);
    start(L, 1, 2);
    return push_cursor(L, 1);
}

static int database_query(lua_State *L)
{
    lua_settop(L, 3);
    prepare(L, true);
    start(L, 4, 3);
    return push_cursor(L, 4);
}

static int database_prepare(lua_State *L)
{
    lua_settop(L, 2);
    prepare(L, false);
    return 1;
}

/* db:explain(text): the plan as text. */
static int database_explain(lua_State *L)
{
    lua_settop(L, 2);
    luaL_checkstring(L, 2);
    lua_pushliteral(L, "EXPLAIN ");
    lua_insert(L, 2);
    lua_concat(L, 2);
    prepare(L, true);
    luaL_Buffer lines;
    lua_settop(L, 3);
    start(L, 3, 4);
    push_rows(L, 3);
    lua_Integer count = (lua_Integer)lua_rawlen(L, 4);
    luaL_buffinit(L, &lines);
    for (lua_Integer i = 1; i <= count; i++) {
        lua_rawgeti(L, 4, i);
        lua_rawgeti(L, -1, 1);
        lua_remove(L, -2);
        luaL_addvalue(&lines);
        luaL_addchar(&lines, '\n');
    }
    luaL_pushresult(&lines);
    close_box(lua_touserdata(L, 3));
    return 1;
}

#define METHOD(name)                                                                               \
    static int statement_##name(lua_State *L)                                                      \
    {                                                                                              \
        return on_statement(L, run_##name);                                                        \
    }                                                                                              \
    static int database_##name(lua_State *L)                                                       \
    {                                                                                              \
        return on_database(L, run_##name);                                                         \
    }
METHOD(all)
METHOD(first)
METHOD(value)
METHOD(exec)

const luaL_Reg lua_statement_calls[] = {
    {"query", database_query},     {"all", database_all},
    {"first", database_first},     {"value", database_value},
    {"exec", database_exec},       {"prepare", database_prepare},
    {"explain", database_explain}, {NULL, NULL}};

void lua_command(lua_State *L, contextql *session, const char *text)
{
    contextql_statement *statement = NULL;
    int result = contextql_prepare(session, text, strlen(text), &statement, NULL);
    if (result == CONTEXTQL_OK) result = contextql_step(statement);
    contextql_finalize(statement);
    if (result != CONTEXTQL_DONE) lua_raise(L, session, str_from(text));
}

void lua_open_statement(lua_State *L)
{
    static const luaL_Reg statement[] = {{"query", statement_query}, {"all", statement_all},
                                         {"first", statement_first}, {"value", statement_value},
                                         {"exec", statement_exec},   {"run", statement_exec},
                                         {"close", statement_close}, {"__close", statement_close},
                                         {"__gc", statement_close},  {NULL, NULL}};
    static const luaL_Reg cursor[] = {{"__call", cursor_next},
                                      {"close", cursor_close},
                                      {"__close", cursor_close},
                                      {"__gc", cursor_close},
                                      {NULL, NULL}};
    luaL_newmetatable(L, STATEMENT_KIND);
    lua_pushvalue(L, -1);
    lua_setfield(L, -2, "__index");
    luaL_setfuncs(L, statement, 0);
    luaL_newmetatable(L, CURSOR_KIND);
    lua_pushvalue(L, -1);
    lua_setfield(L, -2, "__index");
    luaL_setfuncs(L, cursor, 0);
    lua_pop(L, 2);
}
