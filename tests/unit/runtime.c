/* The machine as a folder tells it, lanes, and morsels: the same with 1, 2 and 8 workers. */
#include "config.h"

#include "runtime/lane.h"
#include "runtime/workers.h"
#include "test.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- a machine made of files ---- */

static char root[64];

/* Makes the folders on the way, too. */
static void put(const char *path, const char *text)
{
    char full[512];
    snprintf(full, sizeof full, "%s/%s", root, path);
    for (char *slash = strchr(full + strlen(root) + 1, '/'); slash != NULL;
         slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(full, 0700);
        *slash = '/';
    }
    FILE *file = fopen(full, "w");
    if (file == NULL) abort();
    fputs(text, file);
    fclose(file);
}

static Machine look(const char *affinity)
{
    static char sys[128], proc[128];
    Machine *machine = mem_alloc(sizeof *machine), found;
    snprintf(sys, sizeof sys, "%s/sys", root);
    snprintf(proc, sizeof proc, "%s/proc", root);
    MachineRoots roots = {sys, proc, affinity};
    machine_detect(&roots, machine);
    found = *machine;
    mem_free(machine);
    return found;
}

static void test_machine(void)
{
    Machine m = look("0-7"); /* nothing is told: one node, no limit */
    EXPECT(m.cpu_count == 8 && m.cpus_online == 8 && m.node_count == 1 && m.workers == 8);
    EXPECT(m.cpu_limit == 0 && m.memory_limit_bytes == 0 && m.memory_bytes == 0);
    put("sys/devices/system/cpu/online", "0-6\n");
    put("sys/devices/system/node/node0/cpulist", "0-3\n");
    put("sys/devices/system/node/node2/cpulist", "4-7\n");
    put("sys/devices/system/cpu/cpu1/cache/index0/level", "1\n");
    put("sys/devices/system/cpu/cpu1/cache/index0/type", "Data\n");
    put("sys/devices/system/cpu/cpu1/cache/index0/size", "48K\n");
    put("sys/devices/system/cpu/cpu1/cache/index1/level", "1\n");
    put("sys/devices/system/cpu/cpu1/cache/index1/type", "Instruction\n");
    put("sys/devices/system/cpu/cpu1/cache/index1/size", "32K\n");
    put("sys/devices/system/cpu/cpu1/cache/index3/level", "3\n");
    put("sys/devices/system/cpu/cpu1/cache/index3/type", "Unified\n");
    put("sys/devices/system/cpu/cpu1/cache/index3/size", "32M\n");
    put("sys/devices/system/cpu/cpu1/cache/index3/shared_cpu_list", "0-3\n");
    put("proc/meminfo", "MemTotal:       1000 kB\nMemFree: 1 kB\n");
    m = look("1,4-9");
    EXPECT(m.cpus_online == 7 && m.cpu_count == 4 && m.cpus[0] == 1 && m.cpus[3] == 6);
    EXPECT(m.node_count == 2 && m.node_ids[0] == 0 && m.node_ids[1] == 2);
    EXPECT(m.nodes[0] == 0 && m.nodes[1] == 1 && m.nodes[3] == 1 && m.workers == 4);
    EXPECT(m.caches[0].bytes == 48 << 10 && m.caches[1].bytes == 0);
    EXPECT(m.caches[2].bytes == 32 << 20 && m.caches[2].shared_by == 4);
    EXPECT(m.memory_bytes == 1000 << 10);
    m = look("5"); /* a node without one of ours is none */
    EXPECT(m.node_count == 1 && m.node_ids[0] == 2 && m.workers == 1);
    m = look("nonsense");
    EXPECT(m.cpu_count == 1 && m.workers == 1);
}

static void test_limits(void)
{
    put("proc/self/cgroup", "0::/a/b\n");
    put("sys/fs/cgroup/a/cpu.max", "250000 100000\n");
    put("sys/fs/cgroup/a/b/cpu.max", "max 100000\n");
    put("sys/fs/cgroup/a/b/memory.max", "500000\n");
    Machine m = look("0-6");
    EXPECT(m.cpu_limit == 2.5 && m.workers == 3); /* the outer group binds the inner one */
    EXPECT(strstr(m.cpu_limit_source, "cgroup/a/cpu.max") != NULL);
    EXPECT(m.memory_limit_bytes == 500000);
    put("proc/self/cgroup", "4:memory:/x\n1:cpu,cpuacct:/not/mounted\n0::/elsewhere\n");
    put("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "100000\n"); /* the way up ends at the root */
    put("sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
    put("sys/fs/cgroup/memory/x/memory.limit_in_bytes", "9223372036854771712\n");
    m = look("0-6");
    EXPECT(m.cpu_limit == 1 && m.workers == 1 && m.memory_limit_bytes == 0);
    put("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1\n");
    m = look("0-6");
    EXPECT(m.cpu_limit == 0 && m.workers == 7);
    put("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "rubbish\n");
    put("sys/devices/system/cpu/online", "\n");
    m = look("0-1023");
    EXPECT(m.cpu_limit == 0 && m.cpu_count == 1024 && m.workers == WORKERS_MAX);
}

/* ---- lanes ---- */

enum { MESSAGES = 200000 };

static void *push_all(void *user)
{
    Lane *lane = user;
    uint64_t some[7];
    for (uint64_t at = 0; at < MESSAGES;) {
        size_t count = 1 + at % 7;
        if (count > MESSAGES - at) count = MESSAGES - at;
        for (size_t i = 0; i < count; i++)
            some[i] = at + i;
        size_t pushed = lane_push_n(lane, some, count);
        if (pushed == 0) sched_yield();
        at += pushed;
    }
    return NULL;
}

static void test_lane(void)
{
    uint64_t some[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    Lane *lane = lane_create(5);
    EXPECT(lane_pop_n(lane, some, 8) == 0);
    EXPECT(lane_push_n(lane, some, 5) == 5 && lane_push_n(lane, some + 5, 3) == 3);
    EXPECT(lane_push_n(lane, some, 1) == 0); /* 8 is the power of two above 5 */
    EXPECT(lane_pop_n(lane, some, 3) == 3 && some[2] == 3 && lane_push_n(lane, some, 8) == 3);
    EXPECT(lane_pop_n(lane, some, 8) == 8 && some[0] == 4 && some[7] == 3);
    pthread_t thread;
    bool ordered = true;
    if (pthread_create(&thread, NULL, push_all, lane) != 0) abort();
    for (uint64_t next = 0; next < MESSAGES;) {
        size_t count = lane_pop_n(lane, some, 8);
        if (count == 0) sched_yield();
        for (size_t i = 0; i < count; i++)
            ordered = ordered && some[i] == next++;
    }
    pthread_join(thread, NULL);
    EXPECT(ordered);
    lane_destroy(lane);
    lane_destroy(NULL);
}

/* ---- morsels ---- */

enum { COUNT = 300, RING = 1024 };

typedef struct Sum {
    double part[RING], total; /* a sum of doubles, whose bits depend on the order */
    uint64_t merged, ahead, fail_at, merge_fail_at;
    uint64_t beyond; /* morsels that began too far ahead */
    _Atomic uint64_t merged_now, runs, stop_after;
    atomic_bool used[WORKERS_MAX]; /* nobody else is this worker now */
    atomic_bool clash;
} Sum;

static Error *add_part(void *state, const Worker *worker, uint64_t morsel)
{
    Sum *sum = state;
    double part = 0, *own = arena_alloc(worker->arena, 1000 * sizeof *own);
    if (atomic_exchange(&sum->used[worker->index], true)) atomic_store(&sum->clash, true);
    if (sum->ahead > 0 && morsel >= atomic_load(&sum->merged_now) + sum->ahead) sum->beyond++;
    for (int i = 0; i < 1000; i++)
        own[i] = 1.0 / (double)(morsel * 1000 + (uint64_t)i + 1);
    for (int i = 0; i < 1000; i++)
        part += own[i];
    sum->part[morsel % RING] = part;
    atomic_fetch_add(&sum->runs, 1);
    atomic_store(&sum->used[worker->index], false);
    if (morsel == sum->fail_at || morsel == sum->fail_at + 3)
        return error_new(ERROR_LIMIT, "morsel %d", (int)morsel);
    return NULL;
}

static Error *merge_part(void *state, uint64_t morsel)
{
    Sum *sum = state;
    if (morsel != sum->merged) atomic_store(&sum->clash, true);
    sum->merged++;
    sum->total = sum->total * 0.999 + sum->part[morsel % RING];
    if (morsel == sum->merge_fail_at) return error_new(ERROR_LIMIT, "merge %d", (int)morsel);
    atomic_store(&sum->merged_now, sum->merged);
    return NULL;
}

static Sum *sum_new(void)
{
    Sum *sum = mem_calloc(1, sizeof *sum);
    sum->fail_at = sum->merge_fail_at = UINT64_MAX / 2;
    return sum;
}

static Error *run_sum(Workers *pool, uint32_t workers, Sum *sum)
{
    return workers_run(pool, &(Morsels){.count = COUNT,
                                        .workers = workers,
                                        .ahead = (uint32_t)sum->ahead,
                                        .run = add_part,
                                        .merge = merge_part,
                                        .state = sum});
}

static double total_with(Workers *pool, uint32_t workers, uint64_t ahead)
{
    Sum *sum = sum_new();
    sum->ahead = ahead;
    Error *error = run_sum(pool, workers, sum);
    EXPECT(error == NULL && sum->merged == COUNT && atomic_load(&sum->runs) == COUNT);
    EXPECT(!atomic_load(&sum->clash) && sum->beyond == 0);
    double total = sum->total;
    mem_free(sum);
    return total;
}

static const uint32_t worker_counts[] = {1, 2, 8};

static void test_sums(Workers *pool)
{
    double alone = total_with(NULL, 8, 0); /* without a pool there is one worker */
    for (int i = 0; i < 3; i++) {
        double same = total_with(pool, worker_counts[i], 0);
        EXPECT(memcmp(&same, &alone, sizeof same) == 0);
        same = total_with(pool, worker_counts[i], morsels_ahead(worker_counts[i]));
        EXPECT(memcmp(&same, &alone, sizeof same) == 0);
        same = total_with(pool, worker_counts[i], 1);
        EXPECT(memcmp(&same, &alone, sizeof same) == 0);
    }
}

/* The error is the first morsel's, whoever met one first; nothing behind it is merged. */
static void test_errors(Workers *pool)
{
    for (int round = 0; round < 60; round++) {
        Sum *sum = sum_new();
        uint64_t at = (uint64_t)(round * 7) % (COUNT - 4);
        char expected[32];
        bool merging = round % 3 == 0;
        if (merging) sum->merge_fail_at = at, sum->fail_at = at + 1;
        if (!merging) sum->fail_at = at, sum->merge_fail_at = at;
        sum->ahead = round % 2 == 0 ? 5 : 0;
        Error *error = run_sum(pool, worker_counts[round % 3], sum);
        snprintf(expected, sizeof expected, "%s %d", merging ? "merge" : "morsel", (int)at);
        bool good = error != NULL && strcmp(error_message(error), expected) == 0 &&
                    sum->merged == at + merging;
        if (!good) printf("# round %d: %s\n", round, error == NULL ? "-" : error_message(error));
        EXPECT(good);
        error_drop(error);
        mem_free(sum);
    }
}

static bool stop_soon(void *state)
{
    Sum *sum = state;
    return atomic_load(&sum->runs) >= atomic_load(&sum->stop_after);
}

/* Runs until it is told to stop, as a long loop does. */
static Error *run_for_ever(void *state, const Worker *worker, uint64_t morsel)
{
    Sum *sum = state;
    (void)morsel;
    atomic_fetch_add(&sum->runs, 1);
    while (!worker->stop(worker->stop_state))
        sched_yield();
    return error_new(ERROR_CANCELLED, "stopped");
}

static void test_stop(Workers *pool)
{
    for (int i = 0; i < 3; i++) {
        Sum *sum = sum_new();
        atomic_store(&sum->stop_after, 1);
        Error *error = workers_run(pool, &(Morsels){.count = COUNT,
                                                    .workers = worker_counts[i],
                                                    .run = run_for_ever,
                                                    .state = sum,
                                                    .stop = stop_soon,
                                                    .stop_state = sum});
        EXPECT(error != NULL && error_code(error) == ERROR_CANCELLED);
        error_drop(error);
        atomic_store(&sum->runs, 0);
        atomic_store(&sum->stop_after, 20);
        error = workers_run(pool, &(Morsels){.count = COUNT,
                                             .workers = worker_counts[i],
                                             .ahead = 3,
                                             .run = add_part,
                                             .merge = merge_part,
                                             .state = sum,
                                             .stop = stop_soon,
                                             .stop_state = sum});
        EXPECT(error != NULL && error_code(error) == ERROR_CANCELLED && sum->merged < COUNT);
        error_drop(error);
        mem_free(sum);
    }
}

/* Sessions of one database at once. */
static void *call_often(void *user)
{
    uintptr_t wrong = 0;
    for (int round = 0; round < 20; round++) {
        Sum *sum = sum_new();
        sum->ahead = 6;
        Error *error = run_sum(user, 3, sum);
        wrong += error != NULL || sum->merged != COUNT || atomic_load(&sum->clash);
        error_drop(error);
        mem_free(sum);
    }
    return (void *)wrong;
}

static void test_sessions(Workers *pool)
{
    pthread_t threads[4];
    void *wrong;
    for (int i = 0; i < 4; i++)
        if (pthread_create(&threads[i], NULL, call_often, pool) != 0) abort();
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], &wrong);
        EXPECT(wrong == NULL);
    }
}

static void test_seats(void)
{
    char sys[128], proc[128];
    put("sys/devices/system/cpu/online", "0-7\n");
    put("proc/self/cgroup", "");
    snprintf(sys, sizeof sys, "%s/sys", root);
    snprintf(proc, sizeof proc, "%s/proc", root);
    MachineRoots roots = {sys, proc, "0-7"};
    Workers *pool = workers_create(&roots);
    EXPECT(workers_chosen(pool, 0) == 8 && workers_chosen(pool, 3) == 3);
    EXPECT(workers_chosen(pool, 100000) == WORKERS_MAX && workers_chosen(NULL, 5) == 1);
    EXPECT(workers_seat(pool, 0).state == SEAT_CALLER && workers_seat(pool, 1).state == SEAT_EMPTY);
    EXPECT(workers_seat(pool, 0).node == 0 && workers_seat(pool, 1).node == 2);
    EXPECT(workers_seat(pool, 2).cpu == 1 && workers_seat(pool, 3).cpu == 5);
    total_with(pool, 1, 0);
    EXPECT(workers_seat(pool, 1).state == SEAT_EMPTY); /* one worker: no thread */
    total_with(pool, 3, 0);
    uint64_t morsels = 0;
    for (uint32_t i = 0; i < 8; i++) {
        EXPECT((workers_seat(pool, i).state == SEAT_EMPTY) == (i > 2));
        morsels += workers_seat(pool, i).morsels;
    }
    EXPECT(morsels == 2 * COUNT);
    workers_destroy(pool);
}

int main(void)
{
    strcpy(root, "/tmp/contextql-runtime-XXXXXX");
    if (mkdtemp(root) == NULL) abort();
    test_machine();
    test_limits();
    test_lane();
    Workers *pool = workers_create(NULL);
    test_sums(pool);
    test_errors(pool);
    test_stop(pool);
    test_sessions(pool);
    workers_destroy(pool);
    workers_destroy(NULL);
    test_seats();
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", root);
    if (system(command) != 0) puts("# the folder stays");
    return DONE();
}
