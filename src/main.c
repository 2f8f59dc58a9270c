/* main.c - options, then one face. */
#include "config.h"

#include "shell/jsonl.h"
#include <string.h>

int main(int argc, char **argv)
{
    (void)argc, (void)argv;
    contextql_options options = {.create = true};
    JsonlOptions jsonl = {.database = ":memory:", .options = &options};
    return jsonl_run(&jsonl, stdin, stdout);
}
