/* lua_internal.h - shared by the files of this folder. */
#ifndef LUA_LUA_INTERNAL_H
#define LUA_LUA_INTERNAL_H
#include "base/error.h"
#include "base/script.h"
#include "base/str.h"
#include "contextql.h"
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

typedef struct StatementBox StatementBox; /* a statement of a script: statement.c */

typedef struct LuaHost { /* one Lua state; its registry holds what C must find again */
    lua_State *L;
    contextql *session;   /* `db` */
    contextql_call *call; /* the procedure that runs: contextql.yield gives its rows */
    int yield_count;
    StatementBox *statements;    /* the open ones */
    const contextql_value *last; /* result of the shell; NULL: none */
    bool safe;                   /* scripts get no files, no programs, no other database */
    MemAccount account;          /* what scripts take outside of statements */
    bool may_refuse;             /* Lua can cope: a pcall of ours is the next one out */
} LuaHost;

LuaHost *lua_host_of(lua_State *L);
/* lua_pcall within the session's memory_limit: beyond it the script gets "not enough memory". */
int lua_call_limited(LuaHost *host, int argc, int results, int handler);

/* ---- value.c ---- */
void lua_push_value(lua_State *L, const contextql_value *value);
/* A new value from the stack, the caller's; raises a Lua error for what has no counterpart. */
contextql_value *lua_take_value(lua_State *L, int index);
void lua_open_value(lua_State *L); /* adds null, isnull, vector, list, map to the module on top */

/* ---- error.c ---- */
/* Raises the session's last error; `text` is the statement it was about, or empty. */
void lua_raise(lua_State *L, contextql *session, Str text);
int lua_error_traceback(lua_State *L); /* a message handler: adds where the script was */
Error *lua_error_take(lua_State *L);   /* pops what was raised */
void lua_open_error(lua_State *L);

/* ---- database.c, statement.c ---- */
/* Adds open() to the module on top, and what databases and statements can. */
void lua_open_database(lua_State *L);
void lua_open_statement(lua_State *L);
void lua_push_session(lua_State *L, contextql *session, bool owned);
/* The open session of the database at `index`. */
contextql *lua_session_at(lua_State *L, int index);
/* Methods of databases, with the statement's text as the second argument, its parameters, a table,
 * as the third: query, all, first, value, exec, prepare, explain. */
extern const luaL_Reg lua_statement_calls[];
/* Before a session closes: its statements and cursors do. */
void lua_close_statements(LuaHost *host, const contextql *session);
/* Runs a statement that gives no rows and has no parameters. */
void lua_command(lua_State *L, contextql *session, const char *text);

/* ---- library.c ---- */
void lua_open_library(lua_State *L); /* adds json and files to the module on top */
/* Runs what is written in Lua. The module `contextql` is loaded by then. */
void lua_open_library_chunks(lua_State *L);

void lua_open_hooks(lua_State *L); /* adds command, prompt, key and so on */
/* What the shell asks; see ScriptHost in base/script.h. */
bool lua_hooks_command(lua_State *L, Str name, Str arguments, Error **error);
void lua_hooks_commands(lua_State *L, void (*offer)(void *sink, Str name, Str help), void *sink);
bool lua_hooks_prompt(lua_State *L, bool right, Buffer *out, Error **error);
bool lua_hooks_key(lua_State *L, const char *key, Buffer *before, Buffer *after, Error **error);
void lua_hooks_complete(lua_State *L, Str word, Str before,
                        void (*offer)(void *sink, Str text, Str summary), void *sink);
void lua_hooks_theme(lua_State *L, void (*set)(void *sink, Str part, Str style), void *sink);
void lua_hooks_event(lua_State *L, const ScriptEvent *event, Error **error);
void lua_open_register(lua_State *L); /* adds func, procedure, rank, yield */
#endif
