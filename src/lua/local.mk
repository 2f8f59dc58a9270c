src_contextql_SOURCES += %D%/script.c %D%/script.h %D%/lua_internal.h %D%/value.c %D%/database.c %D%/statement.c %D%/error.c \
    %D%/register.c %D%/hooks.c %D%/library.c

# The library that is written in Lua, as C.
LUA_LIBRARY = lua/contextql/pipe.lua
nodist_src_contextql_SOURCES = %D%/library.lua.h
BUILT_SOURCES += %D%/library.lua.h
CLEANFILES += %D%/library.lua.h
%D%/library.lua.h: $(LUA_LIBRARY) build-aux/embed
	$(AM_V_GEN)$(MKDIR_P) %D% && cd $(srcdir) && sh build-aux/embed library $(LUA_LIBRARY) >$(abs_builddir)/$@
EXTRA_DIST += build-aux/embed lua/README.md $(LUA_LIBRARY)

pkgluadir = $(pkgdatadir)/lua
dist_pkglua_DATA = lua/init.lua
pipelinesdir = $(pkgdatadir)/lua/pipelines
dist_pipelines_DATA = lua/pipelines/notes.lua
EXTRA_DIST += %D%/README.md
