/*
 * glyph.c - characters as a person counts them, and their columns.
 *
 * A cluster is a code point and what clings to it: combining marks, variation selectors, skin
 * tones, and after a zero-width joiner the next code point too. Two regional indicators make a
 * flag. Terminals show a joined cluster two columns wide, and so does a variation selector 16
 * (emoji presentation).
 */
#include "config.h"

#include "editor/glyph.h"
#include <locale.h>
#include <wchar.h>

enum {
    JOINER = 0x200d,
    EMOJI_PRESENTATION = 0xfe0f,
    REGIONAL_FIRST = 0x1f1e6,
    REGIONAL_LAST = 0x1f1ff,
    SKIN_TONE_FIRST = 0x1f3fb,
    SKIN_TONE_LAST = 0x1f3ff
};

void glyph_start(void)
{
    if (setlocale(LC_CTYPE, "C.UTF-8") == NULL) setlocale(LC_CTYPE, "");
}

static bool is_regional(int32_t code)
{
    return code >= REGIONAL_FIRST && code <= REGIONAL_LAST;
}

static bool clings(int32_t code)
{
    if (code == EMOJI_PRESENTATION || (code >= SKIN_TONE_FIRST && code <= SKIN_TONE_LAST))
        return true;
    return code >= 0x300 && wcwidth((wchar_t)code) == 0;
}

static size_t width_of(int32_t code)
{
    if (code < 0) return 1;
    int width = wcwidth((wchar_t)code);
    return width < 0 ? 0 : (size_t)width;
}

size_t glyph_next(Str text, size_t *at)
{
    unsigned char byte = (unsigned char)text.data[*at];
    bool plain = *at + 1 == text.bytes || (unsigned char)text.data[*at + 1] < 0x80;
    if (byte < 0x80 && plain) return (*at)++, byte >= 0x20 && byte != 0x7f; /* most of the time */
    int32_t code = utf8_next(text, at);
    size_t width = width_of(code);
    bool flag = is_regional(code), begun = code >= 0x20;
    while (begun && *at < text.bytes) {
        size_t next = *at;
        int32_t follower = utf8_next(text, &next);
        if (follower == JOINER) {
            *at = next;
            if (next < text.bytes && utf8_next(text, &next) >= 0x300) *at = next, width = 2;
        } else if (flag && is_regional(follower)) {
            flag = false;
            width = 2;
            *at = next;
        } else if (clings(follower)) {
            if (follower == EMOJI_PRESENTATION) width = 2;
            *at = next;
        } else {
            break;
        }
    }
    return width;
}

size_t glyph_before(Str text, size_t at)
{
    size_t start = at, last = 0;
    /* A line break ends every cluster, so counting may begin at the line. */
    while (start > 0 && text.data[start - 1] != '\n')
        start--;
    if (start == at) return at == 0 ? 0 : at - 1;
    for (size_t next = start; next < at;) {
        last = next;
        glyph_next(text, &next);
    }
    return last;
}

size_t glyph_width(Str text)
{
    size_t width = 0;
    for (size_t at = 0; at < text.bytes;)
        width += glyph_next(text, &at);
    return width;
}
