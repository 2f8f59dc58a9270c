/*
 * workers.c - the pool: threads, and the work they share.
 *
 * A Job is one call of workers_run. It stands in the pool's list for as long as it has morsels to give
 * out; an idle thread joins the first job that has a place for it, takes morsels by counting up
 * `next`, and leaves when there are none. The thread that called does the same, and merges: others
 * tell it through a lane each which morsels are done.
 *
 * One lock, the pool's, guards the list, who is in which job, and all waiting. It is taken a few times
 * a morsel, whose work is a hundred times longer, and by nobody while there is work at hand.
 *
 * Why the first error is the first: morsels are begun in ascending order, and whoever began one runs
 * it to its end unless an earlier one has failed (`failed`). A morsel that waits for its turn
 * (`limit`) is later than all that were begun.
 *
 * Memory near a processor: a thread makes its arena itself and touches it first, so with several NUMA
 * nodes it lies on the node that the thread is bound to. The graph's own memory is not placed by node,
 * it is whoever's who loaded it, so morsels belong to no node either.
 */
#include "config.h"

#include "runtime/lane.h"
#include "runtime/workers.h"
#include <assert.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <time.h>

enum { WAIT_NS = 5000000 }; /* a thread that waits asks so often whether it must stop */

typedef struct Job {
    struct Job *later;
    const Morsels *morsels;
    uint32_t workers, joined, inside; /* with the lock; inside: threads of the pool */
    bool merging;                     /* there is a merge */
    bool waited_for;                  /* with the lock: the caller sleeps until something is done */
    _Alignas(LANE_LINE_BYTES) _Atomic uint64_t next;  /* the morsel to be begun next */
    _Alignas(LANE_LINE_BYTES) _Atomic uint64_t limit; /* morsels below it may be begun */
    _Atomic uint64_t failed;                          /* the first that failed; UINT64_MAX: none */
    atomic_bool stopped, is_short;                    /* is_short: of memory (mem_is_short) */
    MemAccount *account; /* the caller's: what all of them take is the statement's */
    /* The caller's: */
    uint64_t merged;
    uint8_t *done; /* ring of `window` */
    uint64_t window;
    Lane **lanes;   /* a worker; [0] is NULL */
    Error **errors; /* a worker's of its last morsel; [workers]: of merging */
    uint64_t *error_at;
} Job;

typedef struct Thread { /* of the pool; on lines of its own */
    _Alignas(LANE_LINE_BYTES) pthread_t id;
    struct Workers *pool;
    uint32_t seat;
    bool pinned, busy;
    _Atomic uint64_t morsels;
} Thread;

struct Workers {
    const MachineRoots *roots;
    _Atomic(Machine *) machine; /* NULL: nobody has asked */
    pthread_mutex_t lock;
    pthread_cond_t work, changed; /* there may be something to join; to merge, to begin, to leave */
    Job *jobs;
    Thread *threads[WORKERS_MAX]; /* by seat; [0] is NULL */
    uint32_t thread_count;        /* seats 1 .. thread_count are taken */
    bool leaving;
    _Atomic uint64_t caller_morsels;
};

/* ---- a job's morsels ---- */

typedef struct Part { /* one thread in one job */
    Worker worker;
    Job *job;
    uint64_t morsel; /* at hand */
} Part;

static bool must_stop(void *state)
{
    Part *part = state;
    Job *job = part->job;
    if (atomic_load_explicit(&job->stopped, memory_order_relaxed)) return true;
    if (atomic_load_explicit(&job->failed, memory_order_relaxed) < part->morsel) return true;
    const Morsels *morsels = job->morsels;
    if (mem_is_short()) {
        atomic_store(&job->is_short, true);
        atomic_store(&job->stopped, true);
        return true;
    }
    if (part->worker.index > 0 || morsels->stop == NULL || !morsels->stop(morsels->stop_state))
        return false;
    atomic_store(&job->stopped, true);
    return true;
}

static void part_begin(Part *part, Job *job, uint32_t index, Arena *arena)
{
    *part = (Part){.worker = {index, arena, must_stop, part}, .job = job};
}

static void note_failure(Job *job, uint32_t index, uint64_t morsel, Error *error)
{
    uint64_t first = atomic_load(&job->failed);
    assert(job->errors[index] == NULL);
    job->errors[index] = error;
    job->error_at[index] = morsel;
    while (morsel < first && !atomic_compare_exchange_weak(&job->failed, &first, morsel))
        ;
}

static bool is_over(const Job *job)
{
    return atomic_load(&job->stopped) || atomic_load(&job->failed) != UINT64_MAX;
}

/* false: it failed. */
static bool run_morsel(Part *part, uint64_t morsel)
{
    Job *job = part->job;
    part->morsel = morsel;
    arena_reset(part->worker.arena);
    Error *error = job->morsels->run(job->morsels->state, &part->worker, morsel);
    if (error != NULL) note_failure(job, part->worker.index, morsel, error);
    return error == NULL;
}

static void wait_for_change(Workers *pool)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += WAIT_NS;
    if (until.tv_nsec >= 1000000000) until.tv_sec++, until.tv_nsec -= 1000000000;
    pthread_cond_timedwait(&pool->changed, &pool->lock, &until);
}

/* ---- threads of the pool ---- */

/* false: the work is over. */
static bool wait_for_turn(Workers *pool, Job *job, uint64_t morsel)
{
    if (morsel < atomic_load(&job->limit)) return true;
    pthread_mutex_lock(&pool->lock);
    while (morsel >= atomic_load(&job->limit) && !is_over(job))
        wait_for_change(pool);
    pthread_mutex_unlock(&pool->lock);
    return morsel < atomic_load(&job->limit);
}

static void tell_caller(Workers *pool, Job *job)
{
    pthread_mutex_lock(&pool->lock);
    if (job->waited_for) pthread_cond_broadcast(&pool->changed);
    pthread_mutex_unlock(&pool->lock);
}

static void work_on(Thread *thread, Job *job, uint32_t index, Arena *arena)
{
    Part part;
    part_begin(&part, job, index, arena);
    while (!is_over(job)) {
        uint64_t morsel = atomic_fetch_add(&job->next, 1);
        if (morsel >= job->morsels->count || !wait_for_turn(thread->pool, job, morsel)) break;
        bool good = run_morsel(&part, morsel);
        atomic_fetch_add_explicit(&thread->morsels, 1, memory_order_relaxed);
        if (good && job->merging) {
            size_t told = lane_push_n(job->lanes[index], &morsel, 1);
            assert(told == 1); /* there is room for all that may be begun */
            (void)told;
        }
        if (!good || job->merging) tell_caller(thread->pool, job);
        if (!good) break;
    }
}

static Job *job_to_join(Workers *pool)
{
    for (Job *job = pool->jobs; job != NULL; job = job->later)
        if (job->joined < job->workers && !is_over(job) &&
            atomic_load(&job->next) < job->morsels->count)
            return job;
    return NULL;
}

/* Where the seat is: seats go round the nodes, so that a few threads have the memory of all. */
static uint32_t seat_cpu(const Machine *machine, uint32_t seat)
{
    uint32_t node = seat % machine->node_count, of_node = 0, nth = seat / machine->node_count;
    for (uint32_t i = 0; i < machine->cpu_count; i++)
        of_node += machine_cpu_on(machine, i, node);
    if (of_node == 0) return 0;
    nth %= of_node;
    for (uint32_t i = 0; i < machine->cpu_count; i++)
        if (machine_cpu_on(machine, i, node) && nth-- == 0) return i;
    return 0;
}

/* One node costs nothing: then nothing is asked of the kernel, but on a large machine. */
static bool bind_thread(const Machine *machine, uint32_t seat)
{
    cpu_set_t set;
    uint32_t own = seat_cpu(machine, seat);
    bool alone = machine->cpu_count >= PIN_CPUS_MIN;
    if (!alone && machine->node_count == 1) return false;
    CPU_ZERO(&set);
    for (uint32_t i = 0; i < machine->cpu_count; i++)
        if (alone ? i == own : machine_cpu_on(machine, i, machine->nodes[own]))
            CPU_SET(machine->cpus[i], &set);
    return pthread_setaffinity_np(pthread_self(), sizeof set, &set) == 0 && alone;
}

static void *thread_main(void *user)
{
    Thread *thread = user;
    Workers *pool = thread->pool;
    bool pinned = bind_thread(workers_machine(pool), thread->seat);
    Arena *arena = arena_create();
    pthread_mutex_lock(&pool->lock);
    thread->pinned = pinned;
    while (!pool->leaving) {
        Job *job = job_to_join(pool);
        if (job == NULL) {
            pthread_cond_wait(&pool->work, &pool->lock);
            continue;
        }
        uint32_t index = job->joined++;
        job->inside++;
        thread->busy = true;
        pthread_mutex_unlock(&pool->lock);
        mem_account_enter(job->account);
        work_on(thread, job, index, arena);
        arena_reset(arena);
        mem_account_enter(NULL);
        pthread_mutex_lock(&pool->lock);
        thread->busy = false;
        job->inside--;
        pthread_cond_broadcast(&pool->changed);
    }
    pthread_mutex_unlock(&pool->lock);
    arena_destroy(arena);
    return NULL;
}

/* With the lock. Signals are for the program's own threads. */
static void start_threads(Workers *pool, uint32_t wanted)
{
    sigset_t all, before;
    if (pool->thread_count >= wanted) return;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    while (pool->thread_count < wanted) {
        Thread *thread = mem_alloc_aligned(sizeof *thread, LANE_LINE_BYTES);
        *thread = (Thread){.pool = pool, .seat = pool->thread_count + 1};
        if (pthread_create(&thread->id, NULL, thread_main, thread) != 0) {
            mem_free(thread); /* the machine gives no more: those there are do it */
            break;
        }
        pool->threads[++pool->thread_count] = thread;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

/* ---- the thread that calls ---- */

/* Takes what others have done, and merges what is next. */
static void merge_done(Job *job)
{
    enum { SOME = 64 };
    uint64_t morsels[SOME];
    const Morsels *work = job->morsels;
    for (uint32_t w = 1; w < job->workers; w++)
        for (size_t count; (count = lane_pop_n(job->lanes[w], morsels, SOME)) > 0;)
            for (size_t i = 0; i < count; i++)
                job->done[morsels[i] % job->window] = 1;
    while (job->errors[job->workers] == NULL && job->merged < work->count &&
           job->done[job->merged % job->window]) {
        job->done[job->merged % job->window] = 0;
        Error *error = work->merge(work->state, job->merged);
        if (error != NULL) note_failure(job, job->workers, job->merged, error);
        job->merged++;
    }
}

static void let_begin(Workers *pool, Job *job)
{
    uint64_t limit = job->merged + job->window;
    if (!job->merging || limit == atomic_load(&job->limit)) return;
    pthread_mutex_lock(&pool->lock);
    atomic_store(&job->limit, limit);
    pthread_cond_broadcast(&pool->changed);
    pthread_mutex_unlock(&pool->lock);
}

/* Is there something in a lane? With the lock: whoever fills one takes it afterwards. */
static bool lanes_empty(const Job *job)
{
    for (uint32_t w = 1; w < job->workers; w++)
        if (atomic_load(&job->lanes[w]->pushed) != atomic_load(&job->lanes[w]->popped))
            return false;
    return true;
}

/* Until there is something to merge, or (`inside` 0) everybody has left. */
static void wait_for_others(Workers *pool, Job *job, Part *part)
{
    pthread_mutex_lock(&pool->lock);
    job->waited_for = true;
    if (job->inside > 0 && (!job->merging || lanes_empty(job))) wait_for_change(pool);
    job->waited_for = false;
    pthread_mutex_unlock(&pool->lock);
    part->morsel = job->merged;
    must_stop(part);
}

static void call_along(Workers *pool, Job *job, Arena *arena)
{
    Part part;
    part_begin(&part, job, 0, arena);
    while (!is_over(job) && !must_stop(&part)) {
        uint64_t morsel = atomic_fetch_add(&job->next, 1);
        if (morsel >= job->morsels->count) return;
        while (morsel >= atomic_load(&job->limit) && !is_over(job)) {
            merge_done(job);
            let_begin(pool, job);
            if (morsel >= atomic_load(&job->limit)) wait_for_others(pool, job, &part);
        }
        if (morsel >= atomic_load(&job->limit)) return;
        if (!run_morsel(&part, morsel)) return;
        atomic_fetch_add_explicit(&pool->caller_morsels, 1, memory_order_relaxed);
        if (!job->merging) continue;
        job->done[morsel % job->window] = 1;
        merge_done(job);
        let_begin(pool, job);
    }
}

static void join(Workers *pool, Job *job)
{
    pthread_mutex_lock(&pool->lock);
    start_threads(pool, job->workers - 1);
    Job **last = &pool->jobs;
    while (*last != NULL)
        last = &(*last)->later;
    *last = job;
    pthread_cond_broadcast(&pool->work);
    pthread_mutex_unlock(&pool->lock);
}

static void leave(Workers *pool, Job *job)
{
    Part part;
    part_begin(&part, job, 0, NULL);
    pthread_mutex_lock(&pool->lock);
    Job **at = &pool->jobs;
    while (*at != job)
        at = &(*at)->later;
    *at = job->later;
    bool more = job->inside > 0;
    pthread_mutex_unlock(&pool->lock);
    while (more) {
        if (job->merging) merge_done(job);
        let_begin(pool, job);
        wait_for_others(pool, job, &part);
        pthread_mutex_lock(&pool->lock);
        more = job->inside > 0;
        pthread_mutex_unlock(&pool->lock);
    }
    if (job->merging) merge_done(job);
}

static Error *first_error(Job *job)
{
    Error *first = NULL;
    uint64_t failed = atomic_load(&job->failed);
    for (uint32_t w = 0; w <= job->workers; w++) {
        if (job->errors[w] == NULL) continue;
        if (first == NULL && job->error_at[w] == failed)
            first = job->errors[w];
        else
            error_drop(job->errors[w]); /* one worker would not have come so far */
    }
    if (first != NULL || !atomic_load(&job->stopped)) return first;
    if (atomic_load(&job->is_short)) return error_memory();
    return error_new(ERROR_CANCELLED, "the statement was cancelled");
}

static Error *run_together(Workers *pool, const Morsels *morsels, uint32_t workers)
{
    Arena *arena = arena_create(), *scratch = arena_create();
    Job *job = mem_alloc_aligned(sizeof *job, LANE_LINE_BYTES);
    *job = (Job){.morsels = morsels,
                 .workers = workers,
                 .joined = 1,
                 .account = mem_account(),
                 .merging = morsels->merge != NULL,
                 .window = morsels->ahead == 0 ? morsels->count : morsels->ahead};
    if (job->window > morsels->count) job->window = morsels->count;
    atomic_init(&job->failed, UINT64_MAX);
    atomic_init(&job->limit, job->merging ? job->window : morsels->count);
    job->errors = arena_array(arena, Error *, workers + 1);
    job->error_at = arena_array(arena, uint64_t, workers + 1);
    job->lanes = arena_array(arena, Lane *, workers);
    job->done = arena_calloc(arena, job->merging ? job->window : 1, 1);
    for (uint32_t w = 1; w < workers && job->merging; w++)
        job->lanes[w] = lane_create(job->window);
    join(pool, job);
    call_along(pool, job, scratch);
    leave(pool, job);
    Error *error = first_error(job);
    for (uint32_t w = 1; w < workers; w++)
        lane_destroy(job->lanes[w]);
    mem_free(job);
    arena_destroy(arena);
    arena_destroy(scratch);
    return error;
}

/* ---- one worker ---- */

static bool ask_stop(void *state)
{
    const Morsels *morsels = state;
    return morsels->stop != NULL && morsels->stop(morsels->stop_state);
}

static Error *run_alone(Workers *pool, const Morsels *morsels)
{
    Morsels own = *morsels;
    Arena *arena = arena_create();
    Worker worker = {0, arena, ask_stop, &own};
    Error *error = NULL;
    for (uint64_t m = 0; m < morsels->count && error == NULL; m++) {
        if (ask_stop(&own))
            error = error_new(ERROR_CANCELLED, "the statement was cancelled");
        else
            error = morsels->run(morsels->state, &worker, m);
        if (error == NULL && morsels->merge != NULL) error = morsels->merge(morsels->state, m);
        arena_reset(arena);
    }
    if (pool != NULL)
        atomic_fetch_add_explicit(&pool->caller_morsels, morsels->count, memory_order_relaxed);
    arena_destroy(arena);
    return error;
}

Error *workers_run(Workers *pool, const Morsels *morsels)
{
    uint32_t workers = pool == NULL ? 1 : morsels->workers;
    assert(morsels->run != NULL);
    if (workers > WORKERS_MAX) workers = WORKERS_MAX;
    if (workers > morsels->count) workers = (uint32_t)morsels->count;
    return workers <= 1 ? run_alone(pool, morsels) : run_together(pool, morsels, workers);
}

/* ---- the pool ---- */

Workers *workers_create(const MachineRoots *roots)
{
    Workers *pool = mem_calloc(1, sizeof *pool);
    pthread_condattr_t attributes;
    pool->roots = roots;
    pthread_mutex_init(&pool->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&pool->work, &attributes);
    pthread_cond_init(&pool->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    return pool;
}

void workers_destroy(Workers *pool)
{
    if (pool == NULL) return;
    pthread_mutex_lock(&pool->lock);
    assert(pool->jobs == NULL);
    pool->leaving = true;
    pthread_cond_broadcast(&pool->work);
    pthread_mutex_unlock(&pool->lock);
    for (uint32_t i = 1; i <= pool->thread_count; i++) {
        pthread_join(pool->threads[i]->id, NULL);
        mem_free(pool->threads[i]);
    }
    pthread_cond_destroy(&pool->work);
    pthread_cond_destroy(&pool->changed);
    pthread_mutex_destroy(&pool->lock);
    mem_free(atomic_load(&pool->machine));
    mem_free(pool);
}

const Machine *workers_machine(Workers *pool)
{
    Machine *known = atomic_load_explicit(&pool->machine, memory_order_acquire), *none = NULL;
    if (known != NULL) return known;
    Machine *machine = mem_alloc(sizeof *machine);
    machine_detect(pool->roots, machine);
    if (atomic_compare_exchange_strong(&pool->machine, &none, machine)) return machine;
    mem_free(machine); /* somebody else was first, and found the same */
    return none;
}

uint32_t workers_chosen(Workers *pool, uint32_t setting)
{
    if (pool == NULL) return 1;
    if (setting == 0) return workers_machine(pool)->workers;
    return setting < WORKERS_MAX ? setting : WORKERS_MAX;
}

Seat workers_seat(Workers *pool, uint32_t index)
{
    const Machine *machine = workers_machine(pool);
    assert(index < WORKERS_MAX);
    uint32_t own = seat_cpu(machine, index);
    Seat seat = {.cpu = machine->cpus[own], .node = machine->node_ids[machine->nodes[own]]};
    if (index == 0) {
        seat.state = SEAT_CALLER;
        seat.morsels = atomic_load(&pool->caller_morsels);
        return seat;
    }
    pthread_mutex_lock(&pool->lock);
    const Thread *thread = index <= pool->thread_count ? pool->threads[index] : NULL;
    seat.state = thread == NULL ? SEAT_EMPTY : thread->busy ? SEAT_BUSY : SEAT_IDLE;
    seat.pinned = thread != NULL && thread->pinned;
    seat.morsels = thread == NULL ? 0 : atomic_load(&thread->morsels);
    pthread_mutex_unlock(&pool->lock);
    return seat;
}
