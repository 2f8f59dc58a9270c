/* terminal.h - what the terminal, or what is there instead of one, can show. */
#ifndef SHELL_TERMINAL_H
#define SHELL_TERMINAL_H
#include <stdbool.h>
#include <stddef.h>

/* May the cursor be moved? Not if TERM is unset or "dumb". */
bool terminal_can_draw(void);
/* May colours be written to `fd`? `choice`: "always", "never", or "auto" (NULL too): where a
 * terminal is that can draw; NO_COLOR (no-color.org) says never, CLICOLOR_FORCE always. */
bool terminal_colour(int fd, const char *choice);
/* Its size; 80x24 where that is not known. */
void terminal_size(int fd, size_t *columns, size_t *rows);
#endif
