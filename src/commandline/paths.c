/* paths.c - see paths.h. */
#include "config.h"

#include "base/str.h"
#include "commandline/paths.h"
#include <stdlib.h>

char *paths_of(const char *variable, const char *fallback, const char *name)
{
    const char *folder = getenv(variable), *home = getenv("HOME");
    Buffer path = {0};
    if (folder != NULL && folder[0] == '/') /* the specification has relative paths ignored */
        buffer_text(&path, folder);
    else if (home != NULL && home[0] == '/')
        buffer_printf(&path, "%s/%s", home, fallback);
    else
        return NULL;
    buffer_printf(&path, "/contextql/%s", name);
    return path.data;
}

char *paths_chosen(const char *given, const char *variable, const char *folder_variable,
                   const char *fallback, const char *name)
{
    const char *chosen = given != NULL ? given : getenv(variable);
    if (chosen == NULL) return paths_of(folder_variable, fallback, name);
    return chosen[0] == '\0' ? NULL : mem_strdup(chosen);
}
