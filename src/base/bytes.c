/*
 * bytes.c - little-endian numbers, varints, CRC32C.
 *
 * The checksum is RFC 3720's; the SSE4.2 instruction computes it eight bytes at a time where the
 * machine has it, a table otherwise, with the same result.
 */
#include "config.h"

#include "base/bytes.h"
#include <string.h>

enum { CRC_POLYNOMIAL_REFLECTED = (int)0x82f63b78u };

static uint32_t crc_table(uint32_t crc, const uint8_t *at, size_t bytes)
{
    for (; bytes > 0; bytes--, at++) {
        crc ^= *at;
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ ((uint32_t)CRC_POLYNOMIAL_REFLECTED & (0 - (crc & 1)));
    }
    return crc;
}

#if defined(__x86_64__)
#include <nmmintrin.h>

__attribute__((target("sse4.2"))) static uint32_t crc_sse42(uint32_t crc, const uint8_t *at,
                                                            size_t bytes)
{
    uint64_t wide = crc;
    for (; bytes >= 8; bytes -= 8, at += 8) {
        uint64_t word;
        memcpy(&word, at, 8);
        wide = _mm_crc32_u64(wide, word);
    }
    crc = (uint32_t)wide;
    for (; bytes > 0; bytes--, at++)
        crc = _mm_crc32_u8(crc, *at);
    return crc;
}

static uint32_t crc_best(uint32_t crc, const uint8_t *at, size_t bytes)
{
    return __builtin_cpu_supports("sse4.2") ? crc_sse42(crc, at, bytes) : crc_table(crc, at, bytes);
}
#else
static uint32_t crc_best(uint32_t crc, const uint8_t *at, size_t bytes)
{
    return crc_table(crc, at, bytes);
}
#endif

uint32_t crc32c(uint32_t crc, const void *data, size_t bytes)
{
    return ~crc_best(~crc, data, bytes);
}

#ifdef FUZZING
bool checksum_any_fits = false;

bool checksum_fits(uint32_t stored, uint32_t computed)
{
    return checksum_any_fits || stored == computed;
}
#else
bool checksum_fits(uint32_t stored, uint32_t computed)
{
    return stored == computed;
}
#endif

static void put_little(Buffer *out, uint64_t value, size_t bytes)
{
    uint8_t little[8];
    for (size_t i = 0; i < bytes; i++)
        little[i] = (uint8_t)(value >> 8 * i);
    buffer_append(out, little, bytes);
}

void put_u8(Buffer *out, uint8_t value)
{
    put_little(out, value, 1);
}

void put_u16(Buffer *out, uint16_t value)
{
    put_little(out, value, 2);
}

void put_u32(Buffer *out, uint32_t value)
{
    put_little(out, value, 4);
}

void put_u64(Buffer *out, uint64_t value)
{
    put_little(out, value, 8);
}

void put_varint(Buffer *out, uint64_t value)
{
    uint8_t bytes[10];
    size_t count = 0;
    do {
        bytes[count++] = (uint8_t)(value & 0x7f) | (value > 0x7f ? 0x80 : 0);
        value >>= 7;
    } while (value > 0);
    buffer_append(out, bytes, count);
}

void put_str(Buffer *out, Str text)
{
    put_varint(out, text.bytes);
    buffer_str(out, text);
}

static uint64_t get_little(Reader *reader, size_t bytes)
{
    if (reader_left(reader) < bytes) {
        reader->failed = true;
        reader->at = reader->end;
        return 0;
    }
    uint64_t value = 0;
    for (size_t i = bytes; i > 0; i--)
        value = value << 8 | reader->at[i - 1];
    reader->at += bytes;
    return value;
}

uint8_t get_u8(Reader *reader)
{
    return (uint8_t)get_little(reader, 1);
}

uint16_t get_u16(Reader *reader)
{
    return (uint16_t)get_little(reader, 2);
}

uint32_t get_u32(Reader *reader)
{
    return (uint32_t)get_little(reader, 4);
}

uint64_t get_u64(Reader *reader)
{
    return get_little(reader, 8);
}

uint64_t get_varint(Reader *reader)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        uint8_t byte = get_u8(reader);
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80)) return value;
    }
    reader->failed = true;
    return 0;
}

Str get_str(Reader *reader)
{
    uint64_t bytes = get_varint(reader);
    if (bytes > reader_left(reader)) {
        reader->failed = true;
        reader->at = reader->end;
        return (Str){"", 0};
    }
    Str text = {(const char *)reader->at, (size_t)bytes};
    reader->at += bytes;
    return text;
}
