/*
 * hooks.c - what scripts add to the shell: contextql.command, prompt, rprompt, key, completer, theme,
 * on, and last.
 *
 * All are kept in the registry and called by the shell through the plug ScriptHost.
 */
#include "config.h"

#include "lua/lua_internal.h"
#include <string.h>

#define COMMANDS "contextql.commands"   /* name -> {help, function} */
#define PROMPT   "contextql.prompt"     /* a function or a text */
#define RIGHT    "contextql.rprompt"    /* the same */
#define KEYS     "contextql.keys"       /* name -> function */
#define COMPLETE "contextql.completers" /* functions, in their order */
#define THEME    "contextql.theme"      /* part -> style; "" -> the theme's name */
#define EVENTS   "contextql.events"     /* name -> functions, in their order */

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

static int keep_prompt(lua_State *L, const char *where)
{
    bool text = lua_type(L, 1) == LUA_TSTRING;
    if (!text) luaL_checktype(L, 1, LUA_TFUNCTION);
    lua_settop(L, 1);
    lua_setfield(L, LUA_REGISTRYINDEX, where);
    return 0;
}

/* contextql.prompt(f): before each text f() gives the prompt; or the prompt as a text. */
static int module_prompt(lua_State *L)
{
    return keep_prompt(L, PROMPT);
}

static int module_rprompt(lua_State *L)
{
    return keep_prompt(L, RIGHT);
}

/* contextql.key("Ctrl-T", f): f(before, after) gives the text before and behind the cursor anew. */
static int module_key(lua_State *L)
{
    size_t bytes;
    const char *key = luaL_checklstring(L, 1, &bytes);
    bool control = bytes == 6 && strncmp(key, "Ctrl-", 5) == 0 && key[5] >= 'A' && key[5] <= 'Z',
         alt = bytes == 5 && strncmp(key, "Alt-", 4) == 0 && key[4] > ' ' && key[4] < 0x7f;
    bool kept = control && strchr("CDIJMZ", key[5]) != NULL;
    luaL_argcheck(L, control || alt, 1, "a key is Ctrl-A to Ctrl-Z, or Alt- and a character");
    luaL_argcheck(L, !kept, 1, "this key is the shell's own");
    luaL_checktype(L, 2, LUA_TFUNCTION);
    luaL_getsubtable(L, LUA_REGISTRYINDEX, KEYS);
    lua_pushvalue(L, 2);
    lua_setfield(L, -2, key);
    return 0;
}

static int append_function(lua_State *L, int function)
{
    luaL_checktype(L, function, LUA_TFUNCTION);
    lua_pushvalue(L, function);
    lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
    return 0;
}

/* contextql.completer(f): f(word, before) gives a list of texts, or of {text, summary}. */
static int module_completer(lua_State *L)
{
    luaL_getsubtable(L, LUA_REGISTRYINDEX, COMPLETE);
    return append_function(L, 1);
}

/* contextql.on("result", f): f{statement = .., rows = .., seconds = ..} */
static int module_on(lua_State *L)
{
    static const char *const names[] = {"statement", "result", "error", "snapshot", NULL};
    const char *name = names[luaL_checkoption(L, 1, NULL, names)];
    luaL_checktype(L, 2, LUA_TFUNCTION);
    luaL_getsubtable(L, LUA_REGISTRYINDEX, EVENTS);
    luaL_getsubtable(L, -1, name);
    return append_function(L, 2);
}

/* contextql.last(): the rows of the last result at the prompt, or nil. */
static int module_last(lua_State *L)
{
    const LuaHost *host = lua_host_of(L);
    if (host->last == NULL)
        lua_pushnil(L);
    else
        lua_push_value(L, host->last);
    return 1;
}

/* What a script has not made itself and calls `_` is the last result, too. */
static int find_global(lua_State *L)
{
    const LuaHost *host = lua_host_of(L);
    Str name = {"", 0};
    if (lua_type(L, 2) == LUA_TSTRING) name.data = lua_tolstring(L, 2, &name.bytes);
    if (!str_equal(name, STR("_")) || host->last == NULL) return 0;
    lua_push_value(L, host->last);
    return 1;
}

/* contextql.theme("light"), contextql.theme{keyword = "1;35"} */
static int module_theme(lua_State *L)
{
    bool name = lua_type(L, 1) == LUA_TSTRING;
    if (!name) luaL_checktype(L, 1, LUA_TTABLE);
    luaL_getsubtable(L, LUA_REGISTRYINDEX, THEME);
    if (name) {
        lua_pushvalue(L, 1);
        lua_setfield(L, -2, "");
        return 0;
    }
    for (lua_pushnil(L); lua_next(L, 1) != 0; lua_pop(L, 1)) {
        luaL_argcheck(L, lua_type(L, -2) == LUA_TSTRING && lua_type(L, -1) == LUA_TSTRING, 1,
                      "a theme has styles by the names of parts");
        lua_pushvalue(L, -2);
        lua_pushvalue(L, -2);
        lua_rawset(L, -5);
    }
    return 0;
}

void lua_open_hooks(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"command", module_command}, {"prompt", module_prompt},       {"rprompt", module_rprompt},
        {"key", module_key},         {"completer", module_completer}, {"on", module_on},
        {"theme", module_theme},     {"last", module_last},           {NULL, NULL}};
    luaL_setfuncs(L, functions, 0);
    lua_pushglobaltable(L);
    lua_createtable(L, 0, 1);
    lua_pushcfunction(L, find_global);
    lua_setfield(L, -2, "__index");
    lua_setmetatable(L, -2);
    lua_pop(L, 1);
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
    bool good = lua_call_limited(lua_host_of(L), 1, 0, -3) == LUA_OK;
    *error = good ? NULL : lua_error_take(L);
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

bool lua_hooks_prompt(lua_State *L, bool right, Buffer *out, Error **error)
{
    size_t bytes = 0;
    *error = NULL;
    lua_pushcfunction(L, lua_error_traceback);
    int type = lua_getfield(L, LUA_REGISTRYINDEX, right ? RIGHT : PROMPT);
    if (type == LUA_TFUNCTION && lua_pcall(L, 0, 1, -2) != LUA_OK) {
        *error = lua_error_take(L);
        lua_pop(L, 1);
        return false;
    }
    const char *text = lua_tolstring(L, -1, &bytes); /* nil: none */
    if (text != NULL) buffer_append(out, text, bytes);
    lua_pop(L, 2);
    return text != NULL;
}

/* A result at `index`, if it is a text, takes the place of what is in `out`. */
static void take_text(lua_State *L, int index, Buffer *out)
{
    size_t bytes;
    const char *text = lua_tolstring(L, index, &bytes);
    if (text == NULL) return;
    buffer_clear(out);
    buffer_append(out, text, bytes);
}

bool lua_hooks_key(lua_State *L, const char *key, Buffer *before, Buffer *after, Error **error)
{
    lua_pushcfunction(L, lua_error_traceback);
    luaL_getsubtable(L, LUA_REGISTRYINDEX, KEYS);
    bool bound = lua_getfield(L, -1, key) == LUA_TFUNCTION;
    lua_remove(L, -2);
    if (!bound || before == NULL) {
        lua_pop(L, 2);
        return bound;
    }
    lua_pushlstring(L, buffer_view(before).data, before->bytes);
    lua_pushlstring(L, buffer_view(after).data, after->bytes);
    if (lua_pcall(L, 2, 2, -4) != LUA_OK) {
        *error = lua_error_take(L);
    } else {
        take_text(L, -2, before);
        take_text(L, -1, after);
        lua_pop(L, 2);
    }
    lua_pop(L, 1);
    return true;
}

typedef void OfferText(void *sink, Str text, Str summary);

static Str text_at(lua_State *L, int index)
{
    Str text = {"", 0};
    if (lua_type(L, index) == LUA_TSTRING) text.data = lua_tolstring(L, index, &text.bytes);
    return text;
}

/* An element of a completer's list, on the top: a text, or {text, summary}. */
static void offer_element(lua_State *L, OfferText *offer, void *sink)
{
    if (!lua_istable(L, -1)) {
        if (text_at(L, -1).bytes > 0) offer(sink, text_at(L, -1), STR(""));
        return;
    }
    lua_rawgeti(L, -1, 1);
    lua_rawgeti(L, -2, 2);
    if (text_at(L, -2).bytes > 0) offer(sink, text_at(L, -2), text_at(L, -1));
    lua_pop(L, 2);
}

/* What fails in a completer is no completion: there is no place to tell it while a person types. */
void lua_hooks_complete(lua_State *L, Str word, Str before, OfferText *offer, void *sink)
{
    luaL_getsubtable(L, LUA_REGISTRYINDEX, COMPLETE);
    lua_Integer count = (lua_Integer)lua_rawlen(L, -1);
    for (lua_Integer i = 1; i <= count; i++) {
        lua_rawgeti(L, -1, i);
        lua_pushlstring(L, word.data, word.bytes);
        lua_pushlstring(L, before.data, before.bytes);
        bool good = lua_pcall(L, 2, 1, 0) == LUA_OK && lua_istable(L, -1);
        lua_Integer elements = good ? (lua_Integer)lua_rawlen(L, -1) : 0;
        for (lua_Integer k = 1; k <= elements; k++) {
            lua_rawgeti(L, -1, k);
            offer_element(L, offer, sink);
            lua_pop(L, 1);
        }
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
}

void lua_hooks_theme(lua_State *L, void (*set)(void *sink, Str part, Str style), void *sink)
{
    luaL_getsubtable(L, LUA_REGISTRYINDEX, THEME);
    lua_getfield(L, -1, "");
    if (!lua_isnil(L, -1)) set(sink, STR(""), text_at(L, -1));
    lua_pop(L, 1);
    for (const char *name = NULL; (name = next_name(L, name)) != NULL;) {
        lua_getfield(L, -1, name);
        if (name[0] != '\0') set(sink, str_from(name), text_at(L, -1));
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
}

static void push_event(lua_State *L, const ScriptEvent *event)
{
    lua_createtable(L, 0, 4);
    lua_pushlstring(L, event->statement.data, event->statement.bytes);
    lua_setfield(L, -2, "statement");
    if (event->message.bytes > 0) {
        lua_pushlstring(L, event->message.data, event->message.bytes);
        lua_setfield(L, -2, "message");
    }
    if (strcmp(event->name, "result") != 0 && strcmp(event->name, "snapshot") != 0) return;
    lua_pushinteger(L, (lua_Integer)event->rows);
    lua_setfield(L, -2, "rows");
    lua_pushnumber(L, event->seconds);
    lua_setfield(L, -2, "seconds");
}

void lua_hooks_event(lua_State *L, const ScriptEvent *event, Error **error)
{
    *error = NULL;
    luaL_getsubtable(L, LUA_REGISTRYINDEX, EVENTS);
    if (lua_getfield(L, -1, event->name) != LUA_TTABLE) {
        lua_pop(L, 2);
        return;
    }
    lua_Integer count = (lua_Integer)lua_rawlen(L, -1);
    for (lua_Integer i = 1; i <= count && *error == NULL; i++) {
        lua_pushcfunction(L, lua_error_traceback);
        lua_rawgeti(L, -2, i);
        push_event(L, event);
        if (lua_pcall(L, 1, 0, -3) != LUA_OK) *error = lua_error_take(L);
        lua_pop(L, 1);
    }
    lua_pop(L, 2);
}
