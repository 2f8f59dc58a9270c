/* match.c - see match.h. ASCII letters match in any case, all other bytes as they are. */
#include "config.h"

#include "base/match.h"

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

static bool same(char a, char b)
{
    return lower(a) == lower(b);
}

static bool begins(Str name, size_t at, Str word)
{
    if (name.bytes - at < word.bytes) return false;
    for (size_t i = 0; i < word.bytes; i++)
        if (!same(name.data[at + i], word.data[i])) return false;
    return true;
}

/* Does a part of the name begin at `at`? */
static bool is_start(Str name, size_t at)
{
    if (at == 0) return true;
    char before = name.data[at - 1], c = name.data[at];
    bool capital = c >= 'A' && c <= 'Z', small_before = before >= 'a' && before <= 'z';
    return before == '_' || before == '.' || before == ' ' || before == '-' ||
           (capital && small_before);
}

/* Each letter of the word goes on where the one before was found, or begins a part. */
static bool fits_words(Str word, Str name)
{
    size_t at = 0;
    for (size_t i = 0; i < word.bytes; i++, at++) {
        if (i > 0 && at < name.bytes && same(name.data[at], word.data[i])) continue;
        while (at < name.bytes && !(is_start(name, at) && same(name.data[at], word.data[i])))
            at++;
        if (at == name.bytes) return false;
    }
    return true;
}

static bool fits_letters(Str word, Str name)
{
    size_t at = 0;
    for (size_t i = 0; i < word.bytes; i++, at++) {
        while (at < name.bytes && !same(name.data[at], word.data[i]))
            at++;
        if (at == name.bytes || (i == 0 && at > 0)) return false;
    }
    return true;
}

int match_word(Str word, Str name)
{
    if (word.bytes == 0) return MATCH_ALL;
    if (word.bytes > name.bytes) return MATCH_NONE;
    if (memcmp(word.data, name.data, word.bytes) == 0) return MATCH_EXACT;
    if (begins(name, 0, word)) return MATCH_BEGINNING;
    if (fits_words(word, name)) return MATCH_WORDS;
    for (size_t at = 1; word.bytes > 1 && at + word.bytes <= name.bytes; at++)
        if (begins(name, at, word)) return MATCH_INSIDE;
    return word.bytes > 2 && fits_letters(word, name) ? MATCH_LETTERS : MATCH_NONE;
}
