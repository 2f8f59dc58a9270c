/* theme.c - see theme.h. */
#include "config.h"

#include "editor/theme.h"
#include <stdio.h>
#include <stdlib.h>

enum { THEME_COUNT = 3 };

static const char *const names[THEME_COUNT] = {"dark", "light", "mono"};

static const struct Part {
    const char *name, *styles[THEME_COUNT];
} parts[THEME_PART_COUNT] = {
#define THEME_PART(part, name, dark, light, mono, meaning) {name, {dark, light, mono}},
#include "contextql/theme.def"
#undef THEME_PART
};

const char *theme_name(size_t i)
{
    return i < THEME_COUNT ? names[i] : NULL;
}

bool theme_find(const char *name, Theme *out)
{
    for (size_t i = 0; i < THEME_COUNT; i++) {
        if (strcmp(names[i], name) != 0) continue;
        out->name = names[i];
        for (size_t part = 0; part < THEME_PART_COUNT; part++)
            snprintf(out->styles[part], sizeof out->styles[part], "%s", parts[part].styles[i]);
        return true;
    }
    return false;
}

/* "15;0", "0;default;15": the last number is the background's, of the sixteen colours. */
void theme_choose(Theme *out)
{
    const char *colours = getenv("COLORFGBG"),
               *last = colours == NULL ? NULL : strrchr(colours, ';');
    bool light = last != NULL && (strcmp(last, ";7") == 0 || (last[1] == '9' && last[2] == '\0') ||
                                  (last[1] == '1' && last[2] >= '0' && last[2] <= '5'));
    theme_find(light ? "light" : "dark", out);
}

bool theme_set(Theme *theme, Str part, Str style)
{
    bool good = style.bytes <= THEME_STYLE_BYTES_MAX;
    for (size_t i = 0; i < style.bytes; i++)
        good = good && ((style.data[i] >= '0' && style.data[i] <= '9') || style.data[i] == ';' ||
                        style.data[i] == ':');
    for (size_t i = 0; i < THEME_PART_COUNT && good; i++) {
        if (!str_equal(part, str_from(parts[i].name))) continue;
        snprintf(theme->styles[i], sizeof theme->styles[i], "%.*s", STR_ARG(style));
        return true;
    }
    return false;
}

void theme_begin(const Theme *theme, ThemePart part, Buffer *out)
{
    if (theme != NULL && theme->styles[part][0] != '\0')
        buffer_printf(out, "\033[%sm", theme->styles[part]);
}

void theme_end(const Theme *theme, ThemePart part, Buffer *out)
{
    if (theme != NULL && theme->styles[part][0] != '\0') buffer_text(out, "\033[0m");
}
