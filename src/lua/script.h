/* script.h - Lua as a scripting language of ContextQL: fills in the plug ScriptHost. */
#ifndef LUA_SCRIPT_H
#define LUA_SCRIPT_H
#include "base/script.h"

/* Makes a Lua state with the module `contextql` (global, and by require). `safe`: without io, os,
 * debug, loading of libraries and binary chunks, and contextql.open. NULL when Lua has no memory.
 */
ScriptHost *lua_host_create(bool safe);
void lua_host_destroy(ScriptHost *host); /* NULL is welcome */
#endif
