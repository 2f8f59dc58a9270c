/*
 * register.c - functions, procedures and strategies written in Lua.
 *
 * Each is a reference in the registry; calls come back through lua_pcall, so that no Lua error
 * crosses the engine.
 */
#include "config.h"

#include "lua/lua_internal.h"
#include <math.h>
#include <string.h>

typedef struct LuaCallback {
    LuaHost *host;
    int reference; /* of the function */
    int yields;    /* columns of a procedure */
} LuaCallback;

static LuaCallback *callback_new(lua_State *L, int function)
{
    LuaCallback *callback = mem_calloc(1, sizeof *callback);
    callback->host = lua_host_of(L);
    lua_pushvalue(L, function);
    callback->reference = luaL_ref(L, LUA_REGISTRYINDEX);
    return callback;
}

static void callback_drop(void *user)
{
    LuaCallback *callback = user;
    luaL_unref(callback->host->L, LUA_REGISTRYINDEX, callback->reference);
    mem_free(callback);
}

static contextql *session_of(lua_State *L)
{
    contextql *session = lua_host_of(L)->session;
    if (session == NULL) luaL_error(L, "no database is open here");
    return session;
}

/* ---- calling ---- */

static int take_result(lua_State *L) /* protected: a result may be no value */
{
    contextql_value **out = lua_touserdata(L, 1);
    *out = lua_take_value(L, 2);
    return 0;
}

static void call_function(contextql_call *call, int argc, const contextql_value **argv, void *user)
{
    LuaCallback *callback = user;
    lua_State *L = callback->host->L;
    int top = lua_gettop(L);
    bool outer = callback->host->may_refuse;
    contextql_value *value = NULL;
    callback->host->may_refuse = false;
    lua_pushcfunction(L, take_result);
    lua_pushlightuserdata(L, &value);
    lua_rawgeti(L, LUA_REGISTRYINDEX, callback->reference);
    for (int i = 0; i < argc; i++)
        lua_push_value(L, argv[i]);
    bool good =
        lua_call_limited(callback->host, argc, 1, 0) == LUA_OK && lua_pcall(L, 2, 0, 0) == LUA_OK;
    if (good)
        contextql_return(call, value);
    else
        contextql_return_error(call, lua_tostring(L, -1) == NULL ? "the function failed"
                                                                 : lua_tostring(L, -1));
    contextql_value_free(value);
    lua_settop(L, top);
    callback->host->may_refuse = outer;
}

static void call_procedure(contextql_call *call, int argc, const contextql_value **argv, void *user)
{
    LuaCallback *callback = user;
    LuaHost *host = callback->host;
    lua_State *L = host->L;
    contextql_call *outer = host->call;
    int outer_yields = host->yield_count, top = lua_gettop(L);
    host->call = call;
    host->yield_count = callback->yields;
    bool refusing = host->may_refuse;
    host->may_refuse = false;
    lua_rawgeti(L, LUA_REGISTRYINDEX, callback->reference);
    for (int i = 0; i < argc; i++)
        lua_push_value(L, argv[i]);
    if (lua_call_limited(host, argc, 0, 0) != LUA_OK)
        contextql_return_error(call, lua_tostring(L, -1) == NULL ? "the procedure failed"
                                                                 : lua_tostring(L, -1));
    host->call = outer;
    host->yield_count = outer_yields;
    host->may_refuse = refusing;
    lua_settop(L, top);
}

enum { YIELDS_MAX = 16 };

static int module_yield(lua_State *L)
{
    LuaHost *host = lua_host_of(L);
    contextql_value *row[YIELDS_MAX];
    if (host->call == NULL) return luaL_error(L, "contextql.yield is for procedures");
    for (int i = 0; i < host->yield_count; i++)
        row[i] = lua_take_value(L, i + 1);
    int result = contextql_yield_row(host->call, (const contextql_value *const *)row);
    for (int i = 0; i < host->yield_count; i++)
        contextql_value_free(row[i]);
    return result == CONTEXTQL_OK ? 0 : luaL_error(L, "the row could not be given");
}

/* ---- registering ---- */

/* {{"in", "INTEGER?"}, ..} becomes "in :: INTEGER?, .."; gives how many. */
static int add_fields(lua_State *L, int table, luaL_Buffer *out)
{
    int count = lua_istable(L, table) ? (int)lua_rawlen(L, table) : 0;
    for (int i = 1; i <= count; i++) {
        lua_rawgeti(L, table, i);
        lua_rawgeti(L, -1, 1);
        lua_rawgeti(L, -2, 2);
        const char *text = lua_pushfstring(L, "%s%s :: %s", i > 1 ? ", " : "",
                                           luaL_checkstring(L, -2), luaL_checkstring(L, -1));
        char copy[256];
        if (strlen(text) >= sizeof copy) luaL_error(L, "the name of an argument is too long");
        strcpy(copy, text);
        lua_pop(L, 4);
        luaL_addstring(out, copy);
    }
    return count;
}

static int module_procedure(lua_State *L)
{
    char signature[4096];
    luaL_checktype(L, 1, LUA_TTABLE);
    contextql *session = session_of(L);
    lua_getfield(L, 1, "name");
    const char *name = luaL_checkstring(L, -1);
    lua_getfield(L, 1, "args");
    int args = lua_gettop(L);
    lua_getfield(L, 1, "yields");
    int yields = lua_gettop(L);
    lua_getfield(L, 1, "call");
    int function = lua_gettop(L);
    luaL_checktype(L, function, LUA_TFUNCTION);
    LuaCallback *callback = callback_new(L, function);
    luaL_Buffer text;
    luaL_buffinit(L, &text);
    luaL_addstring(&text, name);
    luaL_addstring(&text, "(");
    add_fields(L, args, &text);
    luaL_addstring(&text, ") :: (");
    callback->yields = add_fields(L, yields, &text);
    luaL_addstring(&text, ")");
    luaL_pushresult(&text);
    snprintf(signature, sizeof signature, "%s", lua_tostring(L, -1));
    if (callback->yields > YIELDS_MAX)
        luaL_error(L, "a procedure has at most %d columns", YIELDS_MAX);
    if (contextql_create_procedure(session, signature, call_procedure, callback, callback_drop) !=
        CONTEXTQL_OK)
        lua_raise(L, session, (Str){"", 0});
    return 0;
}

/* contextql.func(name, {args = {"STRING"}, returns = "STRING"}, f) */
static int module_func(lua_State *L)
{
    contextql *session = session_of(L);
    const char *name = luaL_checkstring(L, 1);
    luaL_checktype(L, 2, LUA_TTABLE);
    luaL_checktype(L, 3, LUA_TFUNCTION);
    luaL_Buffer text;
    lua_getfield(L, 2, "returns");
    const char *returns = luaL_optstring(L, -1, "ANY");
    lua_getfield(L, 2, "args");
    int args = lua_gettop(L), count = lua_istable(L, args) ? (int)lua_rawlen(L, args) : 0;
    lua_pushfstring(L, "%s(", name);
    for (int i = 1; i <= count; i++) {
        lua_rawgeti(L, args, i);
        lua_pushfstring(L, "%sa%d :: %s", i > 1 ? ", " : "", i, luaL_checkstring(L, -1));
        lua_remove(L, -2);
        lua_concat(L, 2);
    }
    lua_pushfstring(L, ") :: %s", returns);
    lua_concat(L, 2);
    (void)text;
    LuaCallback *callback = callback_new(L, 3);
    if (contextql_create_function(session, lua_tostring(L, -1), call_function, callback,
                                  callback_drop) != CONTEXTQL_OK)
        lua_raise(L, session, (Str){"", 0});
    return 0;
}

/* ---- strategies ---- */

/* A strategy's parameters: those it was registered with, and what USING says otherwise. */
typedef struct LuaStrategy {
    LuaCallback callback;
    int params;     /* reference of the table; LUA_NOREF: none are known, USING may say any */
    int given;      /* of the one for the statement at hand */
    char **options; /* keys of params; NULL: any */
} LuaStrategy;

static void strategy_drop(void *user)
{
    LuaStrategy *strategy = user;
    lua_State *L = strategy->callback.host->L;
    luaL_unref(L, LUA_REGISTRYINDEX, strategy->callback.reference);
    luaL_unref(L, LUA_REGISTRYINDEX, strategy->params);
    luaL_unref(L, LUA_REGISTRYINDEX, strategy->given);
    for (char **option = strategy->options; option != NULL && *option != NULL; option++)
        mem_free(*option);
    mem_free(strategy->options);
    mem_free(strategy);
}

/* Protected: (strategy, arguments) becomes the table of parameters. */
static int take_params(lua_State *L)
{
    const LuaStrategy *strategy = lua_touserdata(L, 1);
    const contextql_value *arguments = lua_touserdata(L, 2);
    lua_newtable(L);
    if (strategy->params != LUA_NOREF) {
        lua_rawgeti(L, LUA_REGISTRYINDEX, strategy->params);
        for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
            lua_pushvalue(L, -2);
            lua_pushvalue(L, -2);
            lua_settable(L, -6);
        }
        lua_pop(L, 1);
    }
    if (contextql_value_type(arguments) != CONTEXTQL_MAP) return 1;
    lua_push_value(L, arguments);
    for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
        lua_pushvalue(L, -2);
        lua_pushvalue(L, -2);
        lua_settable(L, -6);
    }
    lua_pop(L, 1);
    return 1;
}

static int strategy_begin(void *user, const contextql_value *arguments, void **state)
{
    LuaStrategy *strategy = user;
    lua_State *L = strategy->callback.host->L;
    bool outer = strategy->callback.host->may_refuse;
    strategy->callback.host->may_refuse = false;
    *state = strategy;
    lua_pushcfunction(L, take_params);
    lua_pushlightuserdata(L, strategy);
    lua_pushlightuserdata(L, (void *)arguments);
    bool good = lua_pcall(L, 2, 1, 0) == LUA_OK;
    luaL_unref(L, LUA_REGISTRYINDEX, strategy->given);
    strategy->given = good ? luaL_ref(L, LUA_REGISTRYINDEX) : LUA_NOREF;
    if (!good) lua_pop(L, 1);
    strategy->callback.host->may_refuse = outer;
    return good ? CONTEXTQL_OK : CONTEXTQL_SCRIPT;
}

typedef struct Scoring {
    const LuaStrategy *strategy;
    const contextql_candidates *candidates;
    double *out;
} Scoring;

/* Protected as a whole: one call of the function a candidate, numbers in, a number out. */
static int score_candidates(lua_State *L)
{
    const Scoring *scoring = lua_touserdata(L, 1);
    const contextql_candidates *candidates = scoring->candidates;
    luaL_checkstack(L, (int)candidates->sources + 4, "too many sources");
    lua_rawgeti(L, LUA_REGISTRYINDEX, scoring->strategy->given);
    lua_rawgeti(L, LUA_REGISTRYINDEX, scoring->strategy->callback.reference);
    for (size_t i = 0; i < candidates->count; i++) {
        lua_pushvalue(L, 3);
        for (size_t s = 0; s < candidates->sources; s++)
            lua_pushnumber(L, (lua_Number)candidates->scores[s][i]);
        lua_pushvalue(L, 2);
        lua_call(L, (int)candidates->sources + 1, 1);
        if (lua_type(L, -1) != LUA_TNUMBER)
            return luaL_error(L, "a score is a number, not %s", luaL_typename(L, -1));
        scoring->out[i] = (double)lua_tonumber(L, -1);
        lua_pop(L, 1);
    }
    return 0;
}

static int strategy_score(void *state, const contextql_candidates *candidates, double *out)
{
    const LuaStrategy *strategy = state;
    lua_State *L = strategy->callback.host->L;
    Scoring scoring = {strategy, candidates, out};
    lua_pushcfunction(L, score_candidates);
    lua_pushlightuserdata(L, &scoring);
    if (lua_call_limited(strategy->callback.host, 1, 0, 0) == LUA_OK) return CONTEXTQL_OK;
    const char *why = lua_tostring(L, -1);
    snprintf(candidates->message, CONTEXTQL_MESSAGE_MAX, "%s", why == NULL ? "" : why);
    lua_pop(L, 1);
    return CONTEXTQL_SCRIPT;
}

/* The keys of a table of parameters, for USING to be held to. */
static char **option_names(lua_State *L, int table)
{
    size_t count = 0, capacity = 0;
    char **names = NULL;
    for (lua_pushnil(L); lua_next(L, table); lua_pop(L, 1)) {
        if (lua_type(L, -2) != LUA_TSTRING) continue;
        mem_reserve(names, capacity, count + 2);
        names[count++] = mem_strdup(lua_tostring(L, -2));
    }
    mem_reserve(names, capacity, count + 1);
    names[count] = NULL;
    return names;
}

/* contextql.rank(name, [shape,] f): f gets one number a source, and the table of parameters, and
 * gives the score. `shape` may have inputs (names of the sources), params, summary. */
static int module_rank(lua_State *L)
{
    contextql *session = session_of(L);
    const char *name = luaL_checkstring(L, 1), *summary = "written in Lua";
    bool shaped = lua_istable(L, 2);
    int function = shaped ? 3 : 2;
    contextql_strategy shape = {.name = name, .begin = strategy_begin, .score = strategy_score};
    luaL_checktype(L, function, LUA_TFUNCTION);
    lua_settop(L, function);
    LuaStrategy *strategy = mem_calloc(1, sizeof *strategy);
    *strategy = (LuaStrategy){.params = LUA_NOREF, .given = LUA_NOREF};
    strategy->callback.host = lua_host_of(L);
    if (shaped) {
        lua_getfield(L, 2, "summary");
        if (lua_type(L, -1) == LUA_TSTRING) summary = lua_tostring(L, -1);
        lua_getfield(L, 2, "inputs");
        if (lua_istable(L, -1)) shape.sources = lua_rawlen(L, -1);
        lua_getfield(L, 2, "params");
        if (lua_istable(L, -1)) {
            strategy->options = option_names(L, lua_gettop(L));
            strategy->params = luaL_ref(L, LUA_REGISTRYINDEX);
        }
    }
    shape.summary = summary;
    shape.options = (const char *const *)strategy->options;
    lua_pushvalue(L, function);
    strategy->callback.reference = luaL_ref(L, LUA_REGISTRYINDEX);
    if (contextql_create_strategy(session, &shape, strategy, strategy_drop) != CONTEXTQL_OK) {
        strategy_drop(strategy);
        lua_raise(L, session, (Str){"", 0});
    }
    return 0;
}

void lua_open_register(lua_State *L)
{
    static const luaL_Reg functions[] = {{"yield", module_yield},
                                         {"procedure", module_procedure},
                                         {"func", module_func},
                                         {"rank", module_rank},
                                         {NULL, NULL}};
    luaL_setfuncs(L, functions, 0);
}
