/* main.c - options, then the shell. */
#include "config.h"

#include "shell/shell.h"

int main(int argc, char **argv)
{
    Options options;
    int status;
    if (options_read(argc, argv, &options, &status)) status = shell_run(&options);
    options_free(&options);
    return status;
}
