/* main.c - options, then the shell, which makes a Lua state when there is a script to run. */
#include "config.h"

#include "lua/script.h"
#include "shell/shell.h"

int main(int argc, char **argv)
{
    static const ScriptLanguage lua = {lua_host_create, lua_host_destroy};
    Options options;
    int status;
    if (options_read(argc, argv, &options, &status)) status = shell_run(&options, &lua);
    options_free(&options);
    return status;
}
