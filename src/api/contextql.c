/* contextql.c - the public header made true. */
#include "config.h"

#include "contextql.h"

const char *contextql_version(void)
{
    return CONTEXTQL_VERSION;
}
