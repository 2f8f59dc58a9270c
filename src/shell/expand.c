/*
 * expand.c - the escapes of a prompt, as zsh has them:
 *
 *     %d  the database's name     %D  its path           %m  the format of results
 *     %t  the time, 15:04         %T  15:04:05           %s  seconds that the last text took
 *     %?  0, or 1 if it failed    %x  * in a transaction %%  a percent sign
 *     %a  the moment looked at, empty in the present
 *     %B %b  bold                 %F{red} %F{208} %f     a colour
 */
#include "config.h"

#include "shell/shell_internal.h"
#include <time.h>

static void put_time(const Shell *shell, const char *format, Buffer *out)
{
    char text[32];
    struct tm local;
    time_t now = (time_t)(shell->clock->wall_ns(shell->clock->state) / 1000000000);
    if (localtime_r(&now, &local) == NULL || strftime(text, sizeof text, format, &local) == 0)
        return;
    buffer_text(out, text);
}

static void put_database(const Shell *shell, Buffer *out)
{
    const char *path = shell->options->database, *slash = strrchr(path, '/');
    if (strcmp(path, ":memory:") == 0) path = "contextql";
    buffer_text(out, slash == NULL ? path : slash + 1);
}

/* "{red}", "{208}" at `text`: its bytes; 0: it is no colour. */
static size_t put_colour(Str text, Buffer *out)
{
    static const char *const names[] = {"black", "red",     "green", "yellow",
                                        "blue",  "magenta", "cyan",  "white"};
    const char *end =
        text.bytes > 0 && text.data[0] == '{' ? memchr(text.data, '}', text.bytes) : NULL;
    if (end == NULL) return 0;
    Str name = {text.data + 1, (size_t)(end - text.data) - 1};
    int64_t number;
    size_t bytes = name.bytes + 2;
    if (integer_parse(name, &number) && number >= 0 && number < 256)
        return buffer_printf(out, "\033[38;5;%dm", (int)number), bytes;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (str_equal(name, str_from(names[i])))
            return buffer_printf(out, "\033[%zum", 30 + i), bytes;
    return 0;
}

/* The escape behind the `%`: how many bytes of it were understood. */
static size_t put_escape(const Shell *shell, Str text, Buffer *out)
{
    switch (text.data[0]) {
    case '%': buffer_char(out, '%'); return 1;
    case 'd': put_database(shell, out); return 1;
    case 'D': buffer_text(out, shell->options->database); return 1;
    case 'm': buffer_text(out, format_name(shell->output.format)); return 1;
    case 't': put_time(shell, "%H:%M", out); return 1;
    case 'T': put_time(shell, "%H:%M:%S", out); return 1;
    case 's': buffer_printf(out, "%.3g", shell->seconds); return 1;
    case '?': buffer_char(out, shell->failed ? '1' : '0'); return 1;
    case 'x': buffer_text(out, contextql_in_transaction(shell->session) ? "*" : ""); return 1;
    case 'a': buffer_text(out, contextql_get(shell->session, "at")); return 1;
    case 'B': buffer_text(out, "\033[1m"); return 1;
    case 'b':
    case 'f': buffer_text(out, "\033[0m"); return 1;
    case 'F': {
        size_t bytes = put_colour((Str){text.data + 1, text.bytes - 1}, out);
        return bytes == 0 ? 0 : bytes + 1;
    }
    default: return 0;
    }
}

void expand_prompt(const Shell *shell, Str text, Buffer *out)
{
    for (size_t i = 0; i < text.bytes; i++) {
        size_t bytes = 0;
        if (text.data[i] == '%' && i + 1 < text.bytes)
            bytes = put_escape(shell, (Str){text.data + i + 1, text.bytes - i - 1}, out);
        if (bytes == 0) buffer_char(out, text.data[i]);
        i += bytes;
    }
}
