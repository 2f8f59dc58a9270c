/* main.c - options, the scripting language, then the shell. */
#include "config.h"

#include "lua/script.h"
#include "shell/shell.h"

int main(int argc, char **argv)
{
    Options options;
    int status;
    if (options_read(argc, argv, &options, &status)) {
        ScriptHost *script = options_want_script(&options) ? lua_host_create() : NULL;
        status = shell_run(&options, script);
        lua_host_destroy(script);
    }
    options_free(&options);
    return status;
}
