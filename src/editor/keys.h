/*
 * keys.h - what a person types, key by key, from the bytes of a terminal.
 *
 * A key is a code point, or one of the codes below. These are C1 controls, which nobody types in
 * UTF-8 and which libedit's maps of 256 keys have room for; should a terminal send one, it becomes
 * U+FFFD.
 */
#ifndef SHELL_KEYS_H
#define SHELL_KEYS_H
#include "base/str.h"

enum Key {
    KEY_UP = 0x80,
    KEY_DOWN,
    KEY_LEFT,
    KEY_RIGHT,
    KEY_HOME,
    KEY_END,
    KEY_DELETE,
    KEY_WORD_LEFT,
    KEY_WORD_RIGHT,
    KEY_NEWLINE, /* Alt-Enter */
    KEY_PASTE,   /* the start of a bracketed paste: keys_paste reads the rest */
    KEY_SEARCH,  /* not typed: every key while a search is on */
    KEY_PROBE,   /* not typed: asks vi's maps which of them is active */
    KEY_BACKTAB, /* Shift-Tab */
    KEY_MENU,    /* not typed: a key for the menu that is open */
    KEY_REDO,    /* not typed: vi's `.`, of libedit */
    KEY_PAGE_UP,
    KEY_PAGE_DOWN,
    KEY_BACKGROUND, /* not typed: the terminal tells its background, see keys_background */
    KEY_SCRIPT,     /* not typed: a key of the person's own */
    KEY_NOTHING,    /* a sequence we do not know */
    KEY_ESCAPE = 27
};

/* More of one paste is left out: an editor is no place for it. Files of any size: `:read`, -f. */
enum { PASTE_BYTES_MAX = 1 << 20 };

typedef struct Keys Keys;
/* Reads `fd`. Blocks SIGWINCH but while it waits, so that none is lost. */
Keys *keys_open(int fd);
void keys_close(Keys *keys);   /* NULL is welcome */
bool keys_waiting(Keys *keys); /* is there input at hand? */
/* Waits for input. False: a signal came instead. */
bool keys_wait(Keys *keys);
/* The next key; false: the terminal is gone. *follow: a second key that belongs to it (Alt-x is
 * ESC, x), else 0. */
bool keys_read(Keys *keys, int32_t *key, int32_t *follow);
/* The text of a paste behind KEY_PASTE: \n for line ends, control characters left out. */
void keys_paste(Keys *keys, Buffer *out);
/* Behind KEY_BACKGROUND: is it light? */
bool keys_background(const Keys *keys);
/* Bytes taken so far. */
uint64_t keys_taken(const Keys *keys);
#endif
