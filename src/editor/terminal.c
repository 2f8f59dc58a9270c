/* terminal.c - see terminal.h. */
#include "config.h"

#include "editor/terminal.h"
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

bool terminal_can_draw(void)
{
    const char *terminal = getenv("TERM");
    return terminal != NULL && terminal[0] != '\0' && strcmp(terminal, "dumb") != 0;
}

bool terminal_colour(int fd, const char *choice)
{
    const char *none = getenv("NO_COLOR"), *forced = getenv("CLICOLOR_FORCE");
    if (choice != NULL && strcmp(choice, "auto") != 0) return strcmp(choice, "always") == 0;
    if (none != NULL && none[0] != '\0') return false;
    if (forced != NULL && forced[0] != '\0' && strcmp(forced, "0") != 0) return true;
    return isatty(fd) && terminal_can_draw();
}

void terminal_size(int fd, size_t *columns, size_t *rows)
{
    struct winsize size;
    bool known = ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 && size.ws_row > 0;
    *columns = known ? size.ws_col : 80;
    *rows = known ? size.ws_row : 24;
}
