/*
 * memory.c - the only place that calls malloc.
 *
 * An arena is a list of blocks, each twice the last up to a megabyte; allocation bumps a pointer. A
 * request too large for the next block gets one of its own, and makes the next one larger, too. Reset
 * keeps the newest (largest) ordinary block, so that a statement run again, and an operator that
 * makes batch after batch, soon allocates nothing.
 *
 * Counting: malloc_usable_size knows what a block is, so nothing is stored beside it. A thread adds
 * up what it takes and gives back, and tells the process and its account only changes of 64 KiB, so
 * that threads do not fight for one cache line. A thread that ends tells the rest. A tally is told then,
 * too, and when it is entered and left: who has none pays nothing for those who have.
 *
 * Running out of memory ends the process when the reserve is used up, too: what was acknowledged is in
 * the log, and a program in which any call may fail for want of memory cannot be tested to the end.
 * Statements have limits that stop them long before.
 */
#include "config.h"

#include "base/memory.h"
#include <assert.h>
#include <malloc.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
    EXIT_NO_MEMORY = 70,
    /* Enough to build an error, take a transaction back and write a log's last records, while other
     * threads go on to where they can stop. Not touched, so it costs address space only. */
    RESERVE_BYTES = 4 << 20,
    PROBE_BYTES = 1 << 20 /* the machine is asked before so much is promised */
};

/* ---- counting ---- */

#define NEVER_TOLD (INT64_MIN / 2) /* pending of a thread that took nothing yet */

_Thread_local MemThread mem_thread = {
    .pending = NEVER_TOLD, .base = NEVER_TOLD, .tallied = NEVER_TOLD};
static _Atomic int64_t total, peak, promised; /* promised: by mem_has_room, not yet in total */
static _Atomic(void *) reserve;
static atomic_bool exhausted; /* the reserve was given up */
static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t thread_key; /* its destructor sees threads off */

static bool is_over(const MemAccount *account, int64_t all, int64_t held)
{
    if (atomic_load_explicit(&exhausted, memory_order_relaxed)) return true;
    if (account->limit == 0 || all <= (int64_t)account->limit) return false;
    return account->writes || held > MEM_ALLOWED_BYTES;
}

static void promise(MemThread *thread, int64_t bytes)
{
    if (bytes == thread->promised) return;
    atomic_fetch_add_explicit(&promised, bytes - thread->promised, memory_order_relaxed);
    thread->promised = bytes;
}

static int64_t tell_account(MemThread *thread)
{
    int64_t more = thread->pending - thread->base;
    if (more == 0) return atomic_load_explicit(&thread->account->held, memory_order_relaxed);
    return atomic_fetch_add_explicit(&thread->account->held, more, memory_order_relaxed) + more;
}

static void raise_to(_Atomic int64_t *most, int64_t held)
{
    int64_t known = atomic_load_explicit(most, memory_order_relaxed);
    while (held > known && !atomic_compare_exchange_weak(most, &known, held))
        ;
}

static void tell_tally(MemThread *thread)
{
    MemTally *tally = thread->tally;
    int64_t more = thread->pending - thread->tallied;
    thread->tallied = thread->pending;
    if (tally == NULL || more == 0) return;
    raise_to(&tally->most,
             atomic_fetch_add_explicit(&tally->held, more, memory_order_relaxed) + more);
}

MemTally *mem_tally_enter(MemTally *tally)
{
    MemThread *thread = &mem_thread;
    MemTally *before = thread->tally;
    tell_tally(thread);
    thread->tally = tally;
    return before;
}

static void tell(void *user)
{
    MemThread *thread = user;
    if (thread->pending < NEVER_TOLD / 2) return; /* nothing since it was told last */
    tell_tally(thread);
    int64_t held = thread->account == NULL ? 0 : tell_account(thread);
    int64_t all =
        atomic_fetch_add_explicit(&total, thread->pending, memory_order_relaxed) + thread->pending;
    raise_to(&peak, all);
    thread->pending = thread->base = thread->tallied = 0;
    promise(thread, 0);
    if (thread->account != NULL) thread->is_short = is_over(thread->account, all, held);
}

/* A library that is unloaded must not be called when a thread ends. */
static void __attribute__((destructor)) forget_key(void)
{
    if (thread_key != 0) pthread_key_delete(thread_key);
}

static void make_key(void)
{
    if (pthread_key_create(&thread_key, tell) != 0) thread_key = 0;
}

static void tell_first(MemThread *thread)
{
    pthread_once(&once, make_key);
    pthread_setspecific(thread_key, thread);
    thread->pending -= NEVER_TOLD;
    thread->base -= NEVER_TOLD;
    thread->tallied -= NEVER_TOLD;
}

static inline bool is_much(int64_t pending)
{
    return (uint64_t)(pending + MEM_BATCH_BYTES) > 2 * MEM_BATCH_BYTES;
}

static void tell_now(void)
{
    if (mem_thread.pending < NEVER_TOLD / 2) tell_first(&mem_thread);
    if (is_much(mem_thread.pending)) tell(&mem_thread);
}

static inline void add_bytes(int64_t bytes)
{
    mem_thread.pending += bytes;
    if (is_much(mem_thread.pending)) tell_now();
}

void mem_account_leave(void)
{
    tell_account(&mem_thread);
    promise(&mem_thread, 0);
}

void mem_account_look(void)
{
    MemThread *thread = &mem_thread;
    thread->is_short = is_over(thread->account, atomic_load_explicit(&total, memory_order_relaxed),
                               atomic_load_explicit(&thread->account->held, memory_order_relaxed));
}

int64_t mem_account_held(void)
{
    const MemThread *thread = &mem_thread;
    if (thread->account == NULL) return 0;
    return atomic_load_explicit(&thread->account->held, memory_order_relaxed) + thread->pending -
           thread->base;
}

uint64_t mem_limit(void)
{
    return mem_thread.account == NULL ? 0 : mem_thread.account->limit;
}

bool mem_has_room(size_t bytes)
{
    MemThread *thread = &mem_thread;
    if (thread->account == NULL) return true;
    if (thread->is_short || bytes > (size_t)INT64_MAX / 4) return false;
    int64_t more = (int64_t)bytes;
    promise(thread, bytes >= MEM_BATCH_BYTES ? more : 0);
    int64_t all = atomic_load_explicit(&total, memory_order_relaxed) +
                  atomic_load_explicit(&promised, memory_order_relaxed);
    bool room = !is_over(thread->account, all, mem_account_held() + more);
    if (room && bytes >= PROBE_BYTES) {
        void *probe = malloc(bytes);
        room = probe != NULL;
        free(probe);
    }
    if (!room) promise(thread, 0);
    return room;
}

uint64_t mem_total(void)
{
    int64_t all = atomic_load_explicit(&total, memory_order_relaxed);
    if (mem_thread.pending > NEVER_TOLD / 2) all += mem_thread.pending;
    return all < 0 ? 0 : (uint64_t)all;
}

uint64_t mem_peak(void)
{
    uint64_t now = mem_total(), most = (uint64_t)atomic_load_explicit(&peak, memory_order_relaxed);
    return now > most ? now : most;
}

static uint64_t of_group(void)
{
    unsigned long long bytes = 0; /* "max" is no number: none */
    FILE *file = fopen("/sys/fs/cgroup/memory.max", "re");
    if (file == NULL) return 0;
    bool known = fscanf(file, "%llu", &bytes) == 1;
    fclose(file);
    return known ? bytes : 0;
}

static uint64_t of_machine(void)
{
    static const int kinds[] = {RLIMIT_DATA, RLIMIT_AS};
    long pages = sysconf(_SC_PHYS_PAGES), page_bytes = sysconf(_SC_PAGESIZE);
    uint64_t least = pages > 0 && page_bytes > 0 ? (uint64_t)pages * (uint64_t)page_bytes
                                                 : UINT64_C(1) << 40,
             group = of_group();
    if (group > 0 && group < least) least = group;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        struct rlimit limit;
        if (getrlimit(kinds[i], &limit) == 0 && limit.rlim_cur != RLIM_INFINITY &&
            limit.rlim_cur < least)
            least = limit.rlim_cur;
    }
    return least;
}

uint64_t mem_usual_limit(void)
{
    static _Atomic uint64_t known; /* the machine does not change */
    uint64_t limit = atomic_load_explicit(&known, memory_order_relaxed);
    if (limit == 0) atomic_store(&known, limit = of_machine() / 4 * 3);
    return limit;
}

/* ---- the reserve, and the end ---- */

/* What is given back must not be kept by malloc for later, where nobody counts it: it moves these
 * thresholds up to 32 and 64 MiB, a thread, when large blocks come and go, unless they are set. */
static void set_thresholds(void)
{
    enum { MAP_BYTES = 1 << 20, TRIM_BYTES = 2 << 20 };
    mallopt(M_MMAP_THRESHOLD, MAP_BYTES);
    mallopt(M_TRIM_THRESHOLD, TRIM_BYTES);
}

void mem_keep_reserve(void)
{
    static pthread_once_t set = PTHREAD_ONCE_INIT;
    if (atomic_load_explicit(&reserve, memory_order_relaxed) != NULL) return;
    pthread_once(&set, set_thresholds);
    void *fresh = malloc(RESERVE_BYTES), *none = NULL;
    if (fresh == NULL) return; /* as short as before */
    if (atomic_compare_exchange_strong(&reserve, &none, fresh))
        atomic_store(&exhausted, false);
    else
        free(fresh);
}

/* true: there is a little more now, and every account is short. */
static bool give_up_reserve(void)
{
    void *kept = atomic_exchange(&reserve, NULL);
    if (kept == NULL) return false;
    atomic_store(&exhausted, true);
    mem_thread.is_short = mem_thread.account != NULL;
    free(kept);
    return true;
}

static void *or_end(void *memory)
{
    if (memory != NULL) return memory;
    static const char message[] = "contextql: out of memory\n";
    if (write(2, message, sizeof message - 1) < 0) _exit(EXIT_NO_MEMORY);
    _exit(EXIT_NO_MEMORY);
}

static void *counted(void *memory)
{
    add_bytes((int64_t)malloc_usable_size(or_end(memory)));
    return memory;
}

void *mem_alloc(size_t bytes)
{
    size_t asked = bytes == 0 ? 1 : bytes;
    void *memory = malloc(asked);
    if (memory == NULL && give_up_reserve()) memory = malloc(asked);
    return counted(memory);
}

void *mem_calloc(size_t count, size_t bytes)
{
    size_t times = count == 0 ? 1 : count, asked = bytes == 0 ? 1 : bytes;
    void *memory = calloc(times, asked);
    if (memory == NULL && give_up_reserve()) memory = calloc(times, asked);
    return counted(memory);
}

static void *resized(void *memory, size_t bytes, bool must)
{
    size_t asked = bytes == 0 ? 1 : bytes;
    int64_t before = (int64_t)malloc_usable_size(memory);
    void *larger = realloc(memory, asked);
    if (larger == NULL && must && give_up_reserve()) larger = realloc(memory, asked);
    if (larger == NULL && !must) return NULL;
    add_bytes((int64_t)malloc_usable_size(or_end(larger)) - before);
    return larger;
}

void *mem_realloc(void *memory, size_t bytes)
{
    return resized(memory, bytes, true);
}

void *mem_try_realloc(void *memory, size_t bytes)
{
    size_t before = malloc_usable_size(memory);
    if (bytes > before && !mem_has_room(bytes - before)) return NULL;
    return resized(memory, bytes, false);
}

static bool put_into_bin(void *memory)
{
    enum { LARGE_PIECE_BYTES = 64 << 10 };
    MemBin *bin = mem_thread.bin;
    if (malloc_usable_size(memory) < LARGE_PIECE_BYTES) return false;
    memcpy(memory, &bin->first, sizeof bin->first);
    bin->first = memory;
    return true;
}

void mem_free(void *memory)
{
    if (memory == NULL) return;
    if (__builtin_expect(mem_thread.bin != NULL, 0) && put_into_bin(memory)) return;
    add_bytes(-(int64_t)malloc_usable_size(memory));
    free(memory);
}

void *mem_alloc_aligned(size_t bytes, size_t alignment)
{
    void *memory = NULL;
    size_t asked = bytes == 0 ? 1 : bytes;
    assert(alignment >= sizeof(void *) && (alignment & (alignment - 1)) == 0);
    if (posix_memalign(&memory, alignment, asked) != 0) memory = NULL;
    if (memory == NULL && give_up_reserve() && posix_memalign(&memory, alignment, asked) != 0)
        memory = NULL;
    return counted(memory);
}

void *mem_alloc_pages(size_t bytes)
{
    if (bytes < MEM_PAGE_BYTES) return mem_alloc(bytes);
    void *memory = mem_alloc_aligned(bytes, MEM_PAGE_BYTES);
#ifdef MADV_HUGEPAGE
    (void)madvise(memory, bytes, MADV_HUGEPAGE); /* a wish, no more */
#endif
    return memory;
}

char *mem_strdup(const char *text)
{
    size_t bytes = strlen(text) + 1;
    return memcpy(mem_alloc(bytes), text, bytes);
}

size_t mem_grown(size_t capacity, size_t needed, size_t element_bytes)
{
    enum { LARGE_BYTES = 1 << 20 };
    size_t larger = capacity < 8 ? 8 : capacity * 2;
    if (larger < needed) larger = needed;
    if (larger > SIZE_MAX / element_bytes) or_end(NULL);
    size_t more = (larger - capacity) * element_bytes;
    /* Near the limit an array must not reach far beyond it before somebody can ask. */
    if (more < LARGE_BYTES || mem_has_room(more)) return larger;
    return needed + needed / 8;
}

void *mem_grow(void *array, size_t *capacity, size_t needed, size_t element_bytes)
{
    *capacity = mem_grown(*capacity, needed, element_bytes);
    size_t larger = *capacity;
    return mem_realloc(array, larger * element_bytes);
}

/* ---- the bin ---- */

void mem_bin_begin(MemBin *bin)
{
    assert(mem_thread.bin == NULL);
    mem_thread.bin = bin;
}

void mem_bin_end(void)
{
    mem_thread.bin = NULL;
}

void mem_bin_free(void *first)
{
    assert(mem_thread.bin == NULL);
    while (first != NULL) {
        void *next;
        memcpy(&next, first, sizeof next);
        mem_free(first);
        first = next;
    }
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
    char *joined, *join_end; /* arena_join: behind the last text, and how far it may grow */
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
        mem_free(block);
        block = next;
    }
}

void arena_destroy(Arena *arena)
{
    if (arena == NULL) return;
    free_blocks(arena->blocks);
    mem_free(arena);
}

void arena_reset(Arena *arena)
{
    Block *kept = arena->blocks;
    if (kept == NULL) return;
    free_blocks(kept->next);
    kept->next = NULL;
    if (kept->bytes > ARENA_BLOCK_BYTES_MAX) {
        mem_free(kept);
        *arena = (Arena){.next_bytes = ARENA_FIRST_BYTES};
        return;
    }
    arena->at = kept->data;
    arena->end = kept->data + kept->bytes;
    arena->held_bytes = kept->bytes;
    arena->joined = NULL;
}

ArenaMark arena_mark(const Arena *arena)
{
    Block *first = arena->blocks;
    return (ArenaMark){first, first == NULL ? NULL : first->next, arena->at};
}

/* Frees the blocks from `block` to `end`, which is left. */
static void free_until(Arena *arena, Block *block, const Block *end)
{
    while (block != end) {
        Block *next = block->next;
        arena->held_bytes -= block->bytes;
        mem_free(block);
        block = next;
    }
}

void arena_rewind(Arena *arena, ArenaMark mark)
{
    Block *first = mark.block;
    arena->joined = NULL;
    free_until(arena, arena->blocks, first);
    arena->blocks = first;
    if (first == NULL) {
        *arena = (Arena){.next_bytes = ARENA_FIRST_BYTES};
        return;
    }
    free_until(arena, first->next, mark.behind); /* large ones that lie behind it */
    first->next = mark.behind;
    arena->at = mark.at;
    arena->end = first->data + first->bytes;
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

static size_t aligned(size_t bytes)
{
    return (bytes + ARENA_ALIGN - 1) & ~(size_t)(ARENA_ALIGN - 1);
}

void *arena_alloc(Arena *arena, size_t bytes)
{
    bytes = aligned(bytes);
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

/* The link to the block behind the first in which nothing else lies; NULL: there is none. */
static Block **alone_in(Arena *arena, const void *memory, size_t bytes)
{
    if (arena->blocks == NULL || bytes < ARENA_BLOCK_BYTES_MAX) return NULL;
    Block **link = &arena->blocks->next;
    while (*link != NULL && (*link)->data != memory)
        link = &(*link)->next;
    return *link != NULL && (*link)->bytes == bytes ? link : NULL;
}

void *arena_grow(Arena *arena, void *memory, size_t bytes_before, size_t used, size_t bytes)
{
    size_t before = aligned(bytes_before), after = aligned(bytes);
    Block **link = alone_in(arena, memory, before);
    if (link == NULL) {
        void *copy = arena_alloc(arena, bytes);
        if (used > 0) memcpy(copy, memory, used);
        return copy;
    }
    if (after > SIZE_MAX - sizeof(Block)) or_end(NULL);
    Block *block = mem_realloc(*link, sizeof *block + after);
    block->bytes = after;
    arena->held_bytes += after - before;
    *link = block;
    return block->data;
}

char *arena_copy(Arena *arena, const void *data, size_t bytes)
{
    char *copy = arena_alloc(arena, bytes + 1);
    if (bytes > 0) memcpy(copy, data, bytes);
    copy[bytes] = '\0';
    return copy;
}

/* Nothing that was given out lies behind the end of what was joined last. */
static bool grows(const Arena *arena, const void *a, size_t a_bytes, size_t b_bytes)
{
    return a_bytes > 0 && (const char *)a + a_bytes == arena->joined &&
           b_bytes <= (size_t)(arena->join_end - arena->joined);
}

size_t arena_join_takes(const Arena *arena, const void *a, size_t a_bytes, size_t b_bytes)
{
    return grows(arena, a, a_bytes, b_bytes) ? 0 : a_bytes + b_bytes;
}

void *arena_join(Arena *arena, const void *a, size_t a_bytes, const void *b, size_t b_bytes)
{
    enum { GROWS_FROM = 1024 }; /* shorter ones are copied, and keep no room */
    size_t bytes = a_bytes + b_bytes, room = bytes < GROWS_FROM ? bytes : 2 * bytes;
    if (grows(arena, a, a_bytes, b_bytes)) {
        if (b_bytes > 0) memcpy(arena->joined, b, b_bytes);
        arena->joined += b_bytes;
        return (void *)(uintptr_t)a;
    }
    if (room > ARENA_BLOCK_BYTES_MAX && !mem_has_room(room)) room = bytes;
    char *data = arena_alloc(arena, room);
    if (a_bytes > 0) memcpy(data, a, a_bytes);
    if (b_bytes > 0) memcpy(data + a_bytes, b, b_bytes);
    if (room > bytes) {
        arena->joined = data + bytes;
        arena->join_end = data + room;
    }
    return data;
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
