/* meant.c - see meant.h. Two slips of the hand are forgiven, one in a word of four letters: more is
 * another word. */
#include "config.h"

#include "base/meant.h"
#include <dirent.h>
#include <stdio.h>
#include <string.h>

Meant meant_of(Str asked)
{
    enum { SHORT_BYTES = 4 };
    return (Meant){.asked = asked, .distance = asked.bytes <= SHORT_BYTES ? 2 : 3};
}

void meant_see(Meant *nearest, Str name)
{
    if (nearest->distance == 0 || name.bytes == 0 || name.bytes >= sizeof nearest->name) return;
    size_t distance = str_distance(nearest->asked, name, nearest->distance - 1);
    if (distance >= nearest->distance || distance >= nearest->asked.bytes) return;
    nearest->distance = distance;
    snprintf(nearest->name, sizeof nearest->name, "%.*s", STR_ARG(name));
}

void meant_see_words(Meant *nearest, const char *words)
{
    static const char separators[] = " |,";
    for (const char *at = words + strspn(words, separators); *at != '\0';) {
        size_t bytes = strcspn(at, separators);
        meant_see(nearest, (Str){at, bytes});
        at += bytes;
        at += strspn(at, separators);
    }
}

Error *meant_hint(Error *error, const Meant *nearest, const char *otherwise)
{
    if (nearest->name[0] != '\0') return error_hint(error, "did you mean %s?", nearest->name);
    return otherwise[0] == '\0' ? error : error_hint(error, "%s", otherwise);
}

bool meant_file(const char *path, Buffer *out)
{
    Str whole = str_from(path);
    while (whole.bytes > 0 && whole.data[whole.bytes - 1] == '/')
        whole.bytes--;
    size_t folder = whole.bytes;
    while (folder > 0 && whole.data[folder - 1] != '/')
        folder--;
    Meant nearest = meant_of((Str){whole.data + folder, whole.bytes - folder});
    Buffer name = {0};
    buffer_append(&name, path, folder);
    DIR *names = opendir(folder == 0 ? "." : name.data);
    buffer_free(&name);
    if (names == NULL) return false;
    for (const struct dirent *entry; (entry = readdir(names)) != NULL;)
        if (entry->d_name[0] != '.') meant_see(&nearest, str_from(entry->d_name));
    closedir(names);
    if (nearest.name[0] == '\0' || nearest.distance == 0) return false;
    buffer_printf(out, "%.*s%s", (int)folder, path, nearest.name);
    return true;
}

Error *meant_file_hint(Error *error, const char *path, const char *otherwise)
{
    Buffer meant = {0};
    if (meant_file(path, &meant))
        error = error_hint(error, "did you mean %s?", meant.data);
    else if (otherwise[0] != '\0')
        error = error_hint(error, "%s", otherwise);
    buffer_free(&meant);
    return error;
}
