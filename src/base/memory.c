/*
 * memory.c - the only place that calls malloc.
 *
 * An arena is a list of blocks, each twice the last up to a megabyte; allocation bumps a pointer. A
 * request too large for the next block gets one of its own, and makes the next one larger, too. Reset
 * keeps the newest (largest) ordinary block, so that a statement run again, and an operator that
 * makes batch after batch, soon allocates nothing.
 *
 * Running out of memory ends the process: what was acknowledged is in the log, and a program in
 * which any call may fail for want of memory cannot be tested to the end. Statements have limits
 * that stop them long before.
 */
#include "config.h"

#include "base/memory.h"
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { EXIT_NO_MEMORY = 70 };

static void *or_end(void *memory)
{
    if (memory != NULL) return memory;
    static const char message[] = "contextql: out of memory\n";
    if (write(2, message, sizeof message - 1) < 0) _exit(EXIT_NO_MEMORY);
    _exit(EXIT_NO_MEMORY);
}

void *mem_alloc(size_t bytes)
{
    return or_end(malloc(bytes == 0 ? 1 : bytes));
}

void *mem_calloc(size_t count, size_t bytes)
{
    return or_end(calloc(count == 0 ? 1 : count, bytes == 0 ? 1 : bytes));
}

void *mem_realloc(void *memory, size_t bytes)
{
    return or_end(realloc(memory, bytes == 0 ? 1 : bytes));
}

void mem_free(void *memory)
{
    free(memory);
}

void *mem_alloc_aligned(size_t bytes, size_t alignment)
{
    void *memory = NULL;
    assert(alignment >= sizeof(void *) && (alignment & (alignment - 1)) == 0);
    if (posix_memalign(&memory, alignment, bytes == 0 ? 1 : bytes) != 0) memory = NULL;
    return or_end(memory);
}

char *mem_strdup(const char *text)
{
    size_t bytes = strlen(text) + 1;
    return memcpy(mem_alloc(bytes), text, bytes);
}

void *mem_grow(void *array, size_t *capacity, size_t needed, size_t element_bytes)
{
    size_t larger = *capacity < 8 ? 8 : *capacity * 2;
    if (larger < needed) larger = needed;
    if (larger > SIZE_MAX / element_bytes) or_end(NULL);
    *capacity = larger;
    return mem_realloc(array, larger * element_bytes);
}

/* ---- arenas ---- */

enum { ARENA_FIRST_BYTES = 4096, ARENA_BLOCK_BYTES_MAX = 1 << 20, ARENA_ALIGN = 16 };

typedef struct Block {
    struct Block *next;
    size_t bytes; /* behind this header */
    _Alignas(ARENA_ALIGN) char data[];
} Block;

struct Arena {
    Block *blocks; /* newest first; the first is where allocation goes on */
    char *at, *end;
    size_t held_bytes;
    size_t next_bytes;
};

Arena *arena_create(void)
{
    Arena *arena = mem_calloc(1, sizeof *arena);
    arena->next_bytes = ARENA_FIRST_BYTES;
    return arena;
}

static void free_blocks(Block *block)
{
    while (block != NULL) {
        Block *next = block->next;
        free(block);
        block = next;
    }
}

void arena_destroy(Arena *arena)
{
    if (arena == NULL) return;
    free_blocks(arena->blocks);
    free(arena);
}

void arena_reset(Arena *arena)
{
    Block *kept = arena->blocks;
    if (kept == NULL) return;
    free_blocks(kept->next);
    kept->next = NULL;
    if (kept->bytes > ARENA_BLOCK_BYTES_MAX) {
        free(kept);
        *arena = (Arena){.next_bytes = ARENA_FIRST_BYTES};
        return;
    }
    arena->at = kept->data;
    arena->end = kept->data + kept->bytes;
    arena->held_bytes = kept->bytes;
}

size_t arena_bytes(const Arena *arena)
{
    return arena->held_bytes;
}

static void *alloc_slow(Arena *arena, size_t bytes)
{
    size_t size = arena->next_bytes;
    int alone = bytes > size / 2 && bytes > ARENA_FIRST_BYTES;
    if (alone) size = bytes;
    if (size > SIZE_MAX - sizeof(Block)) or_end(NULL);
    Block *block = mem_alloc(sizeof *block + size);
    block->bytes = size;
    arena->held_bytes += size;
    if (arena->next_bytes < ARENA_BLOCK_BYTES_MAX) arena->next_bytes *= 2;
    if (alone && arena->blocks != NULL) { /* behind the first, whose rest stays in use */
        block->next = arena->blocks->next;
        arena->blocks->next = block;
        return block->data;
    }
    block->next = arena->blocks;
    arena->blocks = block;
    arena->at = block->data + bytes;
    arena->end = block->data + size;
    return block->data;
}

void *arena_alloc(Arena *arena, size_t bytes)
{
    bytes = (bytes + ARENA_ALIGN - 1) & ~(size_t)(ARENA_ALIGN - 1);
    if ((size_t)(arena->end - arena->at) < bytes || arena->at == NULL)
        return alloc_slow(arena, bytes);
    void *memory = arena->at;
    arena->at += bytes;
    return memory;
}

void *arena_calloc(Arena *arena, size_t count, size_t bytes)
{
    if (bytes != 0 && count > SIZE_MAX / bytes / 2) or_end(NULL);
    return memset(arena_alloc(arena, count * bytes), 0, count * bytes);
}

char *arena_copy(Arena *arena, const void *data, size_t bytes)
{
    char *copy = arena_alloc(arena, bytes + 1);
    if (bytes > 0) memcpy(copy, data, bytes);
    copy[bytes] = '\0';
    return copy;
}

char *arena_printf(Arena *arena, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int bytes = vsnprintf(NULL, 0, format, args);
    va_end(args);
    char *text = arena_alloc(arena, (size_t)bytes + 1);
    va_start(args, format);
    vsnprintf(text, (size_t)bytes + 1, format, args);
    va_end(args);
    return text;
}
