/* bits.h - counting bits where no instruction for it may be counted on: the compiler calls a function
 * that looks bytes up. Sums of two, four and eight neighbors side by side (Wilkes, Wheeler, Gill, 1957),
 * of many words two at a time, as any machine can. And looking at eight bytes of a text at once. */
#ifndef BASE_BITS_H
#define BASE_BITS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define BITS_OF_BYTES(word)                                                                        \
    ((word) -= (word) >> 1 & UINT64_C(0x5555555555555555),                                         \
     (word) =                                                                                      \
         ((word)&UINT64_C(0x3333333333333333)) + ((word) >> 2 & UINT64_C(0x3333333333333333)),     \
     ((word) + ((word) >> 4)) & UINT64_C(0x0f0f0f0f0f0f0f0f))

static inline uint64_t bits_in(uint64_t word)
{
    return (BITS_OF_BYTES(word)) * UINT64_C(0x0101010101010101) >> 56;
}

static inline uint64_t bits_in_many(const uint64_t *words, size_t count)
{
    enum { TWOS_MAX = 31 }; /* sums of 31 bytes of 8 bits each are bytes */
    typedef uint64_t Two __attribute__((vector_size(16)));
    uint64_t sum = 0;
    size_t i = 0;
    while (i + 2 <= count) {
        Two bytes = {0}, two;
        for (size_t n = 0; n < TWOS_MAX && i + 2 <= count; n++, i += 2) {
            memcpy(&two, words + i, sizeof two);
            bytes += BITS_OF_BYTES(two);
        }
        bytes =
            (bytes & UINT64_C(0x00ff00ff00ff00ff)) + (bytes >> 8 & UINT64_C(0x00ff00ff00ff00ff));
        sum += (bytes[0] + bytes[1]) * UINT64_C(0x0001000100010001) >> 48;
    }
    return i < count ? sum + bits_in(words[i]) : sum;
}

static inline bool bits_any(const uint64_t *words, size_t count)
{
    uint64_t any = 0;
    for (size_t i = 0; i < count; i++)
        any |= words[i];
    return any != 0;
}

/* Eight bytes as they come. */
static inline uint64_t bytes_at(const char *data)
{
    uint64_t word;
    memcpy(&word, data, sizeof word);
    return word;
}
/* Not 0 if, and only if, a byte is below `c`, which is 128 at most; one is `c`; one is 128 or above. A byte of
 * a word borrows from its neighbor only where one is taken that is larger (Mycroft, 1987). */
static inline uint64_t bytes_below(uint64_t word, unsigned char c)
{
    return (word - UINT64_C(0x0101010101010101) * c) & ~word & UINT64_C(0x8080808080808080);
}
static inline uint64_t bytes_equal(uint64_t word, unsigned char c)
{
    return bytes_below(word ^ UINT64_C(0x0101010101010101) * c, 1);
}
static inline uint64_t bytes_high(uint64_t word)
{
    return word & UINT64_C(0x8080808080808080);
}
#endif
