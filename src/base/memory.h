/*
 * memory.h - where memory comes from and when it goes.
 *
 * Arenas hold what shares a lifetime (database > session > statement > batch) and are given back
 * whole. mem_* is for what must live and grow by itself (tables of the store, growing arrays).
 * malloc stands in memory.c and nowhere else.
 *
 * Exhaustion: none of these functions returns NULL. When the machine has no memory left the process
 * says so and ends (exit status 70); what was acknowledged is in the log. Statements are kept from
 * getting there by their memory limit, which is checked once a batch (arena_bytes), not once an
 * allocation.
 */
#ifndef BASE_MEMORY_H
#define BASE_MEMORY_H
#include <stddef.h>
#include <stdint.h>

#define MUST_CHECK __attribute__((warn_unused_result))

void *mem_alloc(size_t bytes); /* 16-aligned; bytes 0 gives a pointer that may be freed */
void *mem_calloc(size_t count, size_t bytes);
void *mem_realloc(void *memory, size_t bytes);
void mem_free(void *memory); /* NULL is welcome */
void *mem_alloc_aligned(size_t bytes,
                        size_t alignment); /* alignment: a power of two; ended by mem_free */
char *mem_strdup(const char *text);

typedef struct Arena Arena;
Arena *arena_create(void);
void arena_destroy(Arena *arena); /* NULL is welcome */
void arena_reset(Arena *arena);   /* forgets everything, keeps one block for what comes next */
size_t arena_bytes(const Arena *arena);        /* what it holds of the machine's memory */
void *arena_alloc(Arena *arena, size_t bytes); /* 16-aligned, not cleared */
void *arena_calloc(Arena *arena, size_t count, size_t bytes);
char *arena_copy(Arena *arena, const void *data, size_t bytes); /* and a NUL behind it */
char *arena_printf(Arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));
#define arena_new(arena, Type)          ((Type *)arena_calloc((arena), 1, sizeof(Type)))
#define arena_array(arena, Type, count) ((Type *)arena_calloc((arena), (count), sizeof(Type)))

/* Grows `array` (of mem_*) so that it holds at least `needed` elements; `capacity` is a size_t kept
 * by the caller. */
#define mem_reserve(array, capacity, needed)                                                       \
    ((needed) <= (capacity)                                                                        \
         ? (void)0                                                                                 \
         : (void)((array) = mem_grow((array), &(capacity), (needed), sizeof *(array))))
void *mem_grow(void *array, size_t *capacity, size_t needed, size_t element_bytes);
#endif
