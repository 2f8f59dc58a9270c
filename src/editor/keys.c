/*
 * keys.c - UTF-8 and escape sequences become keys.
 *
 * ESC alone and ESC as the first byte of a sequence look the same; a terminal sends a sequence in
 * one go, so what comes within 40 ms belongs to it. A sequence nobody knows is swallowed whole,
 * never typed.
 */
#include "config.h"

#include "editor/keys.h"
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

enum {
    SEQUENCE_MS = 40, /* between two bytes of one key */
    PASTE_MS = 1000,  /* between two bytes of a paste; then it ends, its end mark was lost */
    SEQUENCE_BYTES_MAX = 32,
    INPUT_BYTES = 4096
};

struct Keys {
    int fd;
    sigset_t waiting_mask; /* the signals blocked while waiting: those from before keys_open */
    unsigned char input[INPUT_BYTES];
    size_t next, end;
    uint64_t taken;
    bool light; /* the background, as the terminal told it */
};

Keys *keys_open(int fd)
{
    sigset_t blocked;
    Keys *keys = mem_calloc(1, sizeof *keys);
    keys->fd = fd;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGWINCH);
    sigprocmask(SIG_BLOCK, &blocked, &keys->waiting_mask);
    return keys;
}

void keys_close(Keys *keys)
{
    if (keys == NULL) return;
    sigprocmask(SIG_SETMASK, &keys->waiting_mask, NULL);
    mem_free(keys);
}

bool keys_waiting(Keys *keys)
{
    struct pollfd input = {keys->fd, POLLIN, 0};
    return keys->next < keys->end || poll(&input, 1, 0) > 0;
}

bool keys_wait(Keys *keys)
{
    struct pollfd input = {keys->fd, POLLIN, 0};
    if (keys->next < keys->end) return true;
    return ppoll(&input, 1, NULL, &keys->waiting_mask) > 0;
}

/* The next byte, -1: none within `milliseconds` (below 0: for ever), or no more at all. */
static int next_byte(Keys *keys, int milliseconds)
{
    while (keys->next == keys->end) {
        struct pollfd input = {keys->fd, POLLIN, 0};
        if (milliseconds >= 0 && poll(&input, 1, milliseconds) <= 0) return -1;
        ssize_t bytes = read(keys->fd, keys->input, sizeof keys->input);
        if (bytes < 0 && errno == EINTR) continue;
        if (bytes <= 0) return -1;
        keys->next = 0;
        keys->end = (size_t)bytes;
    }
    keys->taken++;
    return keys->input[keys->next++];
}

static int32_t find_sequence(const char *sequence)
{
    static const struct {
        const char *sequence; /* behind ESC [ or ESC O */
        int32_t key;
    } known[] = {{"A", KEY_UP},           {"B", KEY_DOWN},          {"C", KEY_RIGHT},
                 {"D", KEY_LEFT},         {"H", KEY_HOME},          {"F", KEY_END},
                 {"1~", KEY_HOME},        {"4~", KEY_END},          {"7~", KEY_HOME},
                 {"8~", KEY_END},         {"3~", KEY_DELETE},       {"1;5C", KEY_WORD_RIGHT},
                 {"1;5D", KEY_WORD_LEFT}, {"1;3C", KEY_WORD_RIGHT}, {"1;3D", KEY_WORD_LEFT},
                 {"Z", KEY_BACKTAB},      {"5~", KEY_PAGE_UP},      {"6~", KEY_PAGE_DOWN},
                 {"200~", KEY_PASTE}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(known[i].sequence, sequence) == 0) return known[i].key;
    return KEY_NOTHING;
}

static int32_t read_sequence(Keys *keys)
{
    char sequence[SEQUENCE_BYTES_MAX + 1];
    size_t bytes = 0;
    int byte;
    while ((byte = next_byte(keys, SEQUENCE_MS)) >= 0) {
        if (bytes < SEQUENCE_BYTES_MAX) sequence[bytes++] = (char)byte;
        if (byte >= 0x40 && byte <= 0x7e) break;
    }
    sequence[bytes] = '\0';
    return find_sequence(sequence);
}

/* "11;rgb:ffff/ffff/dddd", any number of digits: light, if green, red and blue as the eye weighs
 * them are above the middle. */
static bool read_background(const char *report, bool *light)
{
    static const double weights[3] = {0.299, 0.587, 0.114};
    double brightness = 0;
    if (strncmp(report, "11;rgb:", 7) != 0) return false;
    const char *at = report + 7;
    for (int i = 0; i < 3; i++) {
        double value = 0, most = 0;
        for (; strspn(at, "0123456789abcdefABCDEF") > 0; at++) {
            int digit = *at <= '9' ? *at - '0' : (*at | 32) - 'a' + 10;
            value = value * 16 + digit;
            most = most * 16 + 15;
        }
        if (most == 0 || *at != (i < 2 ? '/' : '\0')) return false;
        brightness += weights[i] * value / most;
        at++;
    }
    *light = brightness > 0.5;
    return true;
}

/* What a terminal answers, up to BEL or ESC \. */
static int32_t read_report(Keys *keys)
{
    char report[SEQUENCE_BYTES_MAX + 1];
    size_t bytes = 0;
    int byte;
    while ((byte = next_byte(keys, SEQUENCE_MS)) >= 0 && byte != '\a') {
        if (byte == KEY_ESCAPE) {
            next_byte(keys, SEQUENCE_MS);
            break;
        }
        if (bytes < SEQUENCE_BYTES_MAX) report[bytes++] = (char)byte;
    }
    report[bytes] = '\0';
    return read_background(report, &keys->light) ? KEY_BACKGROUND : KEY_NOTHING;
}

bool keys_background(const Keys *keys)
{
    return keys->light;
}

static int32_t read_escape(Keys *keys, int32_t *follow)
{
    int byte = next_byte(keys, SEQUENCE_MS);
    if (byte < 0) return KEY_ESCAPE;
    if (byte == '[' || byte == 'O') return read_sequence(keys);
    if (byte == ']') return read_report(keys);
    if (byte == '\r' || byte == '\n') return KEY_NEWLINE;
    *follow = byte;
    return KEY_ESCAPE;
}

static int32_t read_code_point(Keys *keys, int first)
{
    char bytes[4] = {(char)first};
    size_t count = 1, at = 0;
    size_t wanted = first < 0xc0 || first >= 0xf8 ? 1 : first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    while (count < wanted) {
        int byte = next_byte(keys, SEQUENCE_MS);
        if (byte < 0) break;
        if ((byte & 0xc0) != 0x80) { /* not of this one: the next key */
            keys->next--, keys->taken--;
            break;
        }
        bytes[count++] = (char)byte;
    }
    int32_t code = utf8_next((Str){bytes, count}, &at);
    return code < 0xa0 ? 0xfffd : code;
}

bool keys_read(Keys *keys, int32_t *key, int32_t *follow)
{
    int byte = next_byte(keys, -1);
    *follow = 0;
    if (byte < 0) return false;
    if (byte == KEY_ESCAPE)
        *key = read_escape(keys, follow);
    else
        *key = byte < 0x80 ? byte : read_code_point(keys, byte);
    return true;
}

/* Terminals send line ends as \r; ours turns \r and \n round (editor.c). A tab stays. */
static void keep_text(Buffer *out, Str raw)
{
    for (size_t i = 0; i < raw.bytes; i++) {
        unsigned char byte = (unsigned char)raw.data[i];
        bool pair = i > 0 && (byte == '\n' || byte == '\r') &&
                    (raw.data[i - 1] == '\n' || raw.data[i - 1] == '\r') &&
                    raw.data[i - 1] != (char)byte;
        if (pair) continue;
        if (byte == '\r' || byte == '\n')
            buffer_char(out, '\n');
        else if (byte == '\t' || (byte >= 0x20 && byte != 0x7f))
            buffer_char(out, (char)byte);
    }
}

void keys_paste(Keys *keys, Buffer *out)
{
    static const char end[] = "\033[201~";
    enum { END_BYTES = sizeof end - 1 };
    Buffer raw = {0};
    char last[END_BYTES] = {0};
    int byte;
    while ((byte = next_byte(keys, PASTE_MS)) >= 0) {
        memmove(last, last + 1, END_BYTES - 1);
        last[END_BYTES - 1] = (char)byte;
        if (raw.bytes < PASTE_BYTES_MAX + END_BYTES) buffer_char(&raw, (char)byte);
        if (memcmp(last, end, END_BYTES) == 0) break;
    }
    bool whole =
        raw.bytes >= END_BYTES && memcmp(raw.data + raw.bytes - END_BYTES, end, END_BYTES) == 0;
    if (whole) raw.bytes -= END_BYTES;
    if (raw.bytes > PASTE_BYTES_MAX) raw.bytes = PASTE_BYTES_MAX;
    keep_text(out, buffer_view(&raw));
    buffer_free(&raw);
}

uint64_t keys_taken(const Keys *keys)
{
    return keys->taken;
}
