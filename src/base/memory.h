/*
 * memory.h - where memory comes from and when it goes.
 *
 * Arenas hold what shares a lifetime (database > session > statement > batch) and are given back
 * whole. mem_* is for what must live and grow by itself (tables of the store, growing arrays).
 * malloc stands in memory.c and nowhere else.
 *
 * Limits: all that is taken here is counted, once for the process and once for the account of the
 * statement at work (mem_account_enter). No call fails because a limit is reached: who works in an
 * account asks mem_is_short() once a row, a batch or a block, where it can fail cleanly, and
 * mem_has_room() before it takes much at once. What may be taken between two such questions is the
 * slack of a limit.
 *
 * Exhaustion: none of these functions returns NULL but mem_try_realloc. When the machine has no
 * memory left a reserve is given up, every account is short from then on, and statements end with an
 * error. Only when that is not enough does the process say so and end (exit status 70); what was
 * acknowledged is in the log.
 */
#ifndef BASE_MEMORY_H
#define BASE_MEMORY_H
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MUST_CHECK __attribute__((warn_unused_result))

void *mem_alloc(size_t bytes); /* 16-aligned; bytes 0 gives a pointer that may be freed */
void *mem_calloc(size_t count, size_t bytes);
void *mem_realloc(void *memory, size_t bytes);
void mem_free(void *memory); /* NULL is welcome */
void *mem_alloc_aligned(size_t bytes,
                        size_t alignment); /* alignment: a power of two; ended by mem_free */
/* What is read or written from end to end, in large pages where the machine has them to give: asking for
 * it in small ones may cost as much as using it. Less than a page is as mem_alloc gives it. */
enum { MEM_PAGE_BYTES = 2 << 20 };
void *mem_alloc_pages(size_t bytes);
char *mem_strdup(const char *text);
/* For libraries that know what to do without: NULL when the account is short or the machine refuses;
 * `memory` is as it was then. */
void *mem_try_realloc(void *memory, size_t bytes);

/* ---- accounts: what a statement holds, and how much it may ---- */

enum {
    MEM_BATCH_BYTES = 64 << 10, /* a thread tells the process's sum no smaller changes than these */
    MEM_ALLOWED_BYTES = 1 << 20 /* a reader may take so much even where the limit is reached: else
                                 * nobody could look at what fills it */
};

typedef struct MemAccount {
    _Atomic int64_t held; /* taken in its name, less what was given back */
    uint64_t limit;       /* of all that the process holds, in bytes; 0: none but the machine's */
    bool writes;          /* what it takes stays: it has no MEM_ALLOWED_BYTES */
} MemAccount;

typedef struct MemThread {  /* memory.c's; here for mem_is_short */
    int64_t pending;        /* not yet in the sums */
    int64_t base;           /* so much of it is not the account's */
    int64_t promised;       /* by mem_has_room, until it is told or asked again */
    MemAccount *account;    /* NULL: nobody's */
    struct MemTally *tally; /* of mem_tally_enter; NULL: none */
    int64_t tallied;        /* what `pending` was when the tally was told last */
    struct MemBin *bin;     /* of mem_bin_begin; NULL: none */
    bool is_short;
} MemThread;
extern _Thread_local MemThread mem_thread
    __attribute__((tls_model("initial-exec"), visibility("hidden")));

void mem_account_look(void);  /* memory.c's: of mem_account_enter */
void mem_account_leave(void); /* ... and, where something was taken or given back */

/* What this thread takes and gives back goes into `account` (NULL: nobody's) until the next call;
 * returns the one it went into before, which is to be given back. */
static inline MemAccount *mem_account_enter(MemAccount *account)
{
    MemThread *thread = &mem_thread;
    MemAccount *before = thread->account;
    if (before != NULL && thread->pending != thread->base) mem_account_leave();
    thread->base = thread->pending;
    thread->account = account;
    thread->is_short = false;
    if (account != NULL) mem_account_look();
    return before;
}
static inline MemAccount *mem_account(void) /* this thread's: to be entered by threads it makes */
{
    return mem_thread.account;
}
int64_t mem_account_held(void); /* in bytes, exact for what this thread took; 0: no account */
/* Must the account's statement end? Two instructions. */
static inline bool mem_is_short(void)
{
    return __builtin_expect(mem_thread.is_short, 0);
}
/* May so much be taken at once, within the account's limit? If so it is kept for this thread until
 * the next question, so that of many that ask at once not all are told the same. */
bool mem_has_room(size_t bytes);
/* What a part of a statement holds, for those who want to know; several threads may count in one. It
 * is exact whenever a thread leaves it, and in between within MEM_BATCH_BYTES a thread. */
typedef struct MemTally {
    _Atomic int64_t held, most; /* most: it ever held */
} MemTally;
/* What this thread takes and gives back is counted in `tally` (NULL: nowhere), beside its account,
 * until the next call; returns the one before, which is to be given back. */
MemTally *mem_tally_enter(MemTally *tally);
uint64_t mem_limit(void); /* of this thread's account; 0: none */
/* The machine takes its time when much is given back, 0.1 s a GB. Between begin and end mem_free puts
 * what is large into the bin, where it still counts until somebody, in any thread, frees what is in
 * there. No bin stands in another. */
typedef struct MemBin {
    void *first;
} MemBin;
void mem_bin_begin(MemBin *bin);
void mem_bin_end(void);
void mem_bin_free(void *first);
/* Makes the reserve, if it is not there (any more). */
void mem_keep_reserve(void);
uint64_t mem_total(void); /* bytes the process holds of mem_*, within MEM_BATCH_BYTES a thread */
uint64_t mem_peak(void);  /* the most it ever held */
/* What stands for no limit: three quarters of what a process may take here, by the machine's memory,
 * its control group's and the process's limits. */
uint64_t mem_usual_limit(void);

typedef struct Arena Arena;
Arena *arena_create(void);
void arena_destroy(Arena *arena); /* NULL is welcome */
void arena_reset(Arena *arena);   /* forgets everything, keeps one block for what comes next */
typedef struct ArenaMark {        /* where allocation stood */
    void *block, *behind;
    char *at;
} ArenaMark;
ArenaMark arena_mark(const Arena *arena);
void arena_rewind(Arena *arena, ArenaMark mark); /* gives back what was taken since */
size_t arena_bytes(const Arena *arena);          /* what it holds of the machine's memory */
void *arena_alloc(Arena *arena, size_t bytes);   /* 16-aligned, not cleared */
void *arena_calloc(Arena *arena, size_t count, size_t bytes);
/* What arena_alloc or arena_grow gave, made larger; of what is in it `used` bytes are kept. The machine
 * moves what is large without reading it. Nobody else points there, nobody holds a mark of the arena. */
void *arena_grow(Arena *arena, void *memory, size_t bytes_before, size_t used, size_t bytes);
char *arena_copy(Arena *arena, const void *data, size_t bytes); /* and a NUL behind it */
/* The bytes of both, one behind the other. If `a` is long and what the last call gave it is not copied
 * but grows where it lies (what it was stays as it is): what is made by n additions costs as much as
 * it is long, not as its square. */
void *arena_join(Arena *arena, const void *a, size_t a_bytes, const void *b, size_t b_bytes);
/* How many bytes that will take, at most twice; 0: it grows. */
size_t arena_join_takes(const Arena *arena, const void *a, size_t a_bytes, size_t b_bytes);
char *arena_printf(Arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));
#define arena_new(arena, Type)          ((Type *)arena_calloc((arena), 1, sizeof(Type)))
#define arena_array(arena, Type, count) ((Type *)arena_calloc((arena), (count), sizeof(Type)))

/* Grows `array` (of mem_*) so that it holds at least `needed` elements; `capacity` is a size_t kept
 * by the caller. */
#define mem_reserve(array, capacity, needed)                                                       \
    ((needed) <= (capacity)                                                                        \
         ? (void)0                                                                                 \
         : (void)((array) = mem_grow((array), &(capacity), (needed), sizeof *(array))))
/* The capacity an array of `capacity` elements grows to: twice, or by less where that would go far
 * beyond the account's limit. */
size_t mem_grown(size_t capacity, size_t needed, size_t element_bytes);
void *mem_grow(void *array, size_t *capacity, size_t needed, size_t element_bytes);
#endif
