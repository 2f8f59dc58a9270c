/*
 * script.c - the Lua state, the module `contextql`, and the plug the shell sees.
 *
 * lua_pcall is the only way in: no error of Lua leaves this folder but as an Error.
 */
#include "config.h"

#include "lua/lua_internal.h"
#include "lua/script.h"
#include <stdio.h>
#include <stdlib.h>
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

/* ---- memory ---- */

/* A refusal is an error that jumps to the next pcall out. Where that is not ours but one on the other
 * side of the engine, the arguments of a function being pushed, nothing is refused. */
static void *take_memory(void *user, void *memory, size_t before, size_t bytes)
{
    const LuaHost *host = user;
    (void)before; /* the kind of object where there is no memory yet */
    if (bytes == 0) return mem_free(memory), NULL;
    return host->may_refuse ? mem_try_realloc(memory, bytes) : mem_realloc(memory, bytes);
}

static uint64_t limit_of(LuaHost *host)
{
    const char *text = host->session == NULL ? NULL : contextql_get(host->session, "memory_limit");
    uint64_t limit = text == NULL ? 0 : strtoull(text, NULL, 10);
    return limit > 0 ? limit : mem_usual_limit();
}

int lua_call_limited(LuaHost *host, int argc, int results, int handler)
{
    bool outer = host->may_refuse, alone = mem_account() == NULL;
    if (alone) {
        host->account = (MemAccount){.limit = limit_of(host)};
        mem_account_enter(&host->account);
    }
    host->may_refuse = true;
    int status = lua_pcall(host->L, argc, results, handler);
    host->may_refuse = outer;
    if (alone) mem_account_enter(NULL);
    return status;
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
    lua_open_hooks(L);
    lua_open_library(L);
    return 1;
}

/* ---- running ---- */

static Error *call_chunk(LuaHost *host, int argc, bool print)
{
    lua_State *L = host->L;
    int base = lua_gettop(L) - argc;
    lua_pushcfunction(L, lua_error_traceback);
    lua_insert(L, base);
    int status = lua_call_limited(host, argc, print ? LUA_MULTRET : 0, base);
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

/* The folder of a script goes before all others. */
static void add_folder(lua_State *L, const char *script)
{
    const char *slash = strrchr(script, '/');
    lua_getglobal(L, "package");
    lua_getfield(L, -1, "path");
    lua_pushlstring(L, slash == NULL ? "." : script, slash == NULL ? 1 : (size_t)(slash - script));
    lua_pushliteral(L, "/?.lua;");
    lua_pushvalue(L, -3);
    lua_concat(L, 3);
    lua_setfield(L, -3, "path");
    lua_pop(L, 2);
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
    if (!host->safe) add_folder(L, path);
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
    /* Statements that failed wait for the collector, and a session for its statements. */
    if (session == NULL) lua_gc(host->L, LUA_GCCOLLECT, 0);
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

/* Sets `members` of the table on top to nil. */
static void remove_members(lua_State *L, const char *const *members)
{
    for (; *members != NULL; members++) {
        lua_pushnil(L);
        lua_setfield(L, -2, *members);
    }
}

/* load() of texts only: a binary chunk may do anything. */
static int load_text(lua_State *L)
{
    lua_settop(L, 4);
    bool environment = !lua_isnil(L, 4);
    lua_pushliteral(L, "t");
    lua_replace(L, 3);
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_settop(L, environment ? 5 : 4);
    lua_call(L, environment ? 4 : 3, LUA_MULTRET);
    return lua_gettop(L);
}

static void make_safe(lua_State *L)
{
    static const char *const globals[] = {"io", "debug", "dofile", "loadfile", "os", NULL};
    static const char *const package[] = {"loadlib", "cpath", "searchers", "searchpath", NULL};
    static const char *const loaded[] = {"io", "debug", "os", NULL};
    static const char *const module[] = {"open", "files", NULL};
    lua_pushglobaltable(L);
    remove_members(L, globals);
    lua_getfield(L, -1, "load");
    lua_pushcclosure(L, load_text, 1);
    lua_setfield(L, -2, "load");
    lua_getfield(L, -1, "package");
    remove_members(L, package);
    lua_getfield(L, -1, "loaded");
    remove_members(L, loaded);
    lua_getfield(L, -3, "contextql");
    remove_members(L, module);
    lua_pop(L, 4);
}

/* What `require` looks through before Lua's own folders. */
static void set_path(lua_State *L)
{
    const char *more = getenv("CONTEXTQL_PATH"), *data = getenv("XDG_DATA_HOME"),
               *home = getenv("HOME");
    Buffer path = {0};
    buffer_text(&path, "./lua/?.lua;");
    if (data != NULL && data[0] == '/')
        buffer_printf(&path, "%s/contextql/lua/?.lua;", data);
    else if (home != NULL && home[0] == '/')
        buffer_printf(&path, "%s/.local/share/contextql/lua/?.lua;", home);
    while (more != NULL && more[0] != '\0') {
        size_t bytes = strcspn(more, ":");
        if (bytes > 0) buffer_printf(&path, "%.*s/?.lua;", (int)bytes, more);
        more += bytes + (more[bytes] == ':');
    }
    lua_getglobal(L, "package");
    lua_getfield(L, -1, "path");
    lua_pushlstring(L, path.data, path.bytes);
    buffer_free(&path);
    lua_insert(L, -2);
    lua_concat(L, 2);
    lua_setfield(L, -2, "path");
    lua_pop(L, 1);
}

static int open_all(lua_State *L)
{
    luaL_openlibs(L);
    luaL_requiref(L, "contextql", open_module, 1);
    lua_open_library_chunks(L);
    if (lua_toboolean(L, 1))
        make_safe(L);
    else
        set_path(L);
    return 0;
}

static bool command(void *state, Str name, Str arguments, Error **error)
{
    return lua_hooks_command(((Box *)state)->lua.L, name, arguments, error);
}

static void commands(void *state, void (*offer)(void *sink, Str name, Str help), void *sink)
{
    lua_hooks_commands(((Box *)state)->lua.L, offer, sink);
}

static bool prompt(void *state, bool right, Buffer *out, Error **error)
{
    return lua_hooks_prompt(((Box *)state)->lua.L, right, out, error);
}

static bool press(void *state, const char *key, Buffer *before, Buffer *after, Error **error)
{
    return lua_hooks_key(((Box *)state)->lua.L, key, before, after, error);
}

static void complete(void *state, Str word, Str before,
                     void (*offer)(void *sink, Str text, Str summary), void *sink)
{
    lua_hooks_complete(((Box *)state)->lua.L, word, before, offer, sink);
}

static void theme(void *state, void (*set)(void *sink, Str part, Str style), void *sink)
{
    lua_hooks_theme(((Box *)state)->lua.L, set, sink);
}

static void tell_event(void *state, const ScriptEvent *event, Error **error)
{
    lua_hooks_event(((Box *)state)->lua.L, event, error);
}

static void keep_result(void *state, const void *rows)
{
    ((Box *)state)->lua.last = rows;
}

/* No error gets here: whatever may fail is called by lua_pcall. */
static int panic(lua_State *L)
{
    const char *message = lua_tostring(L, -1);
    fprintf(stderr, "contextql: Lua: %s\n", message == NULL ? "an error" : message);
    return 0; /* Lua then ends the process */
}

ScriptHost *lua_host_create(bool safe)
{
    Box *box = mem_calloc(1, sizeof *box);
    box->lua.L = lua_newstate(take_memory, &box->lua);
    if (box->lua.L == NULL) {
        mem_free(box);
        return NULL;
    }
    lua_atpanic(box->lua.L, panic);
    lua_pushlightuserdata(box->lua.L, &box->lua);
    lua_setfield(box->lua.L, LUA_REGISTRYINDEX, "contextql.host");
    box->lua.safe = safe;
    lua_pushcfunction(box->lua.L, open_all);
    lua_pushboolean(box->lua.L, safe);
    if (lua_pcall(box->lua.L, 1, 0, 0) != LUA_OK) {
        lua_close(box->lua.L);
        mem_free(box);
        return NULL;
    }
    box->host = (ScriptHost){.state = box,
                             .attach = attach,
                             .run = run,
                             .run_file = run_file,
                             .interrupt = interrupt,
                             .command = command,
                             .commands = commands,
                             .prompt = prompt,
                             .key = press,
                             .complete = complete,
                             .theme = theme,
                             .event = tell_event,
                             .result = keep_result};
    return &box->host;
}

void lua_host_destroy(ScriptHost *host)
{
    if (host == NULL) return;
    Box *box = host->state;
    lua_close(box->lua.L);
    mem_free(box);
}
