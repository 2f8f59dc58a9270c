/*
 * bytes.h - little-endian numbers, varints and CRC32C: how everything on disk is written.
 */
#ifndef BASE_BYTES_H
#define BASE_BYTES_H
#include "base/error.h"
#include "base/str.h"

/* CRC32C (Castagnoli, RFC 3720 B.4) of `data`, going on from `crc` (0 to begin). SSE4.2 when the
 * machine has it. */
uint32_t crc32c(uint32_t crc, const void *data, size_t bytes);

/* Is a checksum that was stored the one of what is there? */
bool checksum_fits(uint32_t stored, uint32_t computed);
#ifdef FUZZING
extern bool checksum_any_fits; /* set by a fuzz target, so that what it changes gets behind them */
#endif

/* Writing into a Buffer. */
void put_u8(Buffer *out, uint8_t);
void put_u16(Buffer *out, uint16_t);
void put_u32(Buffer *out, uint32_t);
void put_u64(Buffer *out, uint64_t);
void put_varint(Buffer *out, uint64_t); /* LEB128, at most 10 bytes */
void put_str(Buffer *out, Str);         /* varint length, bytes */

/* Reading from bytes nobody has checked: past the end everything reads as 0 and `failed` is set;
 * look once at the end. */
typedef struct Reader {
    const uint8_t *at, *end;
    bool failed;
} Reader;
static inline Reader reader_of(const void *data, size_t bytes) /* NULL is welcome with 0 */
{
    const uint8_t *at = data == NULL ? (const uint8_t *)"" : data;
    return (Reader){at, at + bytes, false};
}
uint8_t get_u8(Reader *);
uint16_t get_u16(Reader *);
uint32_t get_u32(Reader *);
uint64_t get_u64(Reader *);
uint64_t get_varint(Reader *);
Str get_str(Reader *); /* borrows */
static inline size_t reader_left(const Reader *reader)
{
    return (size_t)(reader->end - reader->at);
}
#endif
