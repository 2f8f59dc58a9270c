src_contextql_SOURCES += %D%/script.c %D%/script.h %D%/lua_internal.h %D%/value.c %D%/database.c %D%/statement.c %D%/error.c %D%/register.c
