/*
 * workers.h - threads that share one large piece of work with the thread that has it.
 *
 * A piece of work is a number of morsels with fixed bounds: what morsel 17 covers depends on the data,
 * never on how many threads there are or who is faster. Morsels are begun in ascending order, each by
 * one thread; what they give is merged in ascending order by the thread that called. So whatever is
 * not a matter of order (a sum of doubles, the first of equals, the order of rows) comes out the same
 * with 1, 2 or 200 workers; and so does an error: of the morsels that fail, the first one's.
 *
 * A pool belongs to a database and serves all its sessions. It starts no thread before somebody brings
 * more than one morsel and wants more than one worker. Whoever calls always works along, so a pool
 * whose threads are all busy, or a machine that gives none, only makes things slower.
 *
 * How to use it:
 *   1. Decide by the size of the data, not by the number of workers, whether there are morsels at all.
 *      One worker then runs the same morsels and gives the same bits. Work of less than about a
 *      millisecond is not worth a wake-up (some 40 us).
 *   2. Give each worker a state of its own, in an array of `workers` elements with LANE_LINE_BYTES
 *      between them, made at the worker's first morsel: states[worker->index] is touched by one thread.
 *   3. `run` does one morsel and leaves its result in a place of the morsel's own (a ring of `ahead`
 *      elements, morsel % ahead, is enough); `merge` takes it from there.
 *   4. In long loops ask worker->stop: it says when the statement was stopped or the result is void.
 */
#ifndef RUNTIME_WORKERS_H
#define RUNTIME_WORKERS_H
#include "base/error.h"
#include "runtime/machine.h"

typedef struct Workers Workers;

/* Costs next to nothing: the machine is looked at when it is first asked about. `roots` as in
 * machine_detect; the texts must live as long as the pool. */
Workers *workers_create(const MachineRoots *roots);
void workers_destroy(
    Workers *workers); /* ends its threads; nobody is in workers_run. NULL is welcome */
const Machine *workers_machine(Workers *workers);
/* How many workers a setting stands for: 0 as many as the machine gives, else that many, at most
 * WORKERS_MAX. A pool that is NULL has one. */
uint32_t workers_chosen(Workers *workers, uint32_t setting);

typedef struct Worker { /* who runs a morsel; lives as long as the call of workers_run */
    uint32_t index;     /* 0: the thread that called; below Morsels.workers */
    Arena *arena;       /* its own, near its processor; reset before each morsel */
    /* Must it stop? A plug, as expressions and algorithms take it. */
    bool (*stop)(void *state);
    void *stop_state;
} Worker;

typedef struct Morsels {
    uint64_t count;
    uint32_t workers; /* at most so many threads, the caller's among them; 0 is taken as 1 */
    /* Morsels begun but not merged yet are at most so many; 0: no limit (then `merge` is NULL, or
     * the results lie somewhere for all morsels). */
    uint32_t ahead;
    /* One morsel; several threads at once, never for the same morsel or the same worker. An error
     * ends the work. */
    Error *(*run)(void *state, const Worker *worker, uint64_t morsel);
    /* On the caller's thread, for every morsel in ascending order; NULL: nothing to merge. */
    Error *(*merge)(void *state, uint64_t morsel);
    void *state;
    bool (*stop)(void *state); /* NULL: never; asked by the caller's thread only */
    void *stop_state;
} Morsels;
/* Runs all of them; NULL: they ran and were merged. Else the error of the first morsel that has one,
 * as one worker would have found it; the later ones ran or not, and were not merged. ERROR_CANCELLED
 * when `stop` said so. With one worker, or one morsel, no lock is taken and no thread woken; `workers`
 * may be NULL then, and is taken as one worker. */
Error *workers_run(Workers *workers, const Morsels *morsels) MUST_CHECK;
/* What `ahead` should be for so many workers, where results wait to be merged. */
static inline uint32_t morsels_ahead(uint32_t workers)
{
    return workers <= 1 ? 1 : 4 * workers;
}

/* ---- what SHOW WORKERS tells ---- */
typedef enum SeatState { SEAT_CALLER, SEAT_EMPTY, SEAT_IDLE, SEAT_BUSY } SeatState;
typedef struct Seat {
    SeatState state;
    bool pinned;      /* runs on `cpu` alone; else wherever the system, or its node, has room */
    uint32_t cpu;     /* the kernel's number */
    uint32_t node;    /* the kernel's number; where there are several nodes it stays there */
    uint64_t morsels; /* run so far; of all callers together for the first seat */
} Seat;
enum {
    PIN_CPUS_MIN = 17
}; /* with so many processors each thread has one of its own: on smaller
                               machines whoever else runs there would wait behind it */
/* Seat 0 is the thread that calls, the others are the pool's threads. */
Seat workers_seat(Workers *workers, uint32_t index);
#endif
