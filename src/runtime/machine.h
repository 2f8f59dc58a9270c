/*
 * machine.h - what the machine gives this process: processors, NUMA nodes, caches, limits.
 *
 * Everything is read once, from files, so that a folder with a few text files is a machine as good
 * as any for a test. What a file does not say, or says in a way nobody understands, is taken as
 * "not limited" or "one of it": a machine that hides something is slower, never refused.
 */
#ifndef RUNTIME_MACHINE_H
#define RUNTIME_MACHINE_H
#include "base/str.h"

enum {
    MACHINE_CPUS_MAX = 1024, /* bits of the kernel's own cpu_set_t; further ones are not used */
    MACHINE_NODES_MAX = 64,  /* the kernel's usual NODES_SHIFT is 6 */
    MACHINE_LEVELS = 4,      /* of caches: 1 (data), 2, 3, 4 */
    WORKERS_MAX = 256        /* threads one statement may use; each holds arenas of its own */
};

/* Where the machine is described; NULL as a whole: the one this runs on. */
typedef struct MachineRoots {
    const char *sys, *proc; /* "/sys", "/proc" */
    /* The processors the process may use, as the kernel writes lists ("0-3,8"); NULL: asked of the
     * kernel. */
    const char *affinity;
} MachineRoots;

typedef struct MachineCache {
    uint64_t bytes;     /* 0: not known */
    uint32_t shared_by; /* processors that have it together; 0: not known */
} MachineCache;

typedef struct Machine {
    uint32_t cpus_online;
    uint32_t cpu_count;                   /* those the process may use: */
    uint16_t cpus[MACHINE_CPUS_MAX];      /* their numbers, ascending */
    uint8_t nodes[MACHINE_CPUS_MAX];      /* the NUMA node of each, counted from 0 (node_ids) */
    uint32_t node_count;                  /* nodes that have one of them, at least 1 */
    uint16_t node_ids[MACHINE_NODES_MAX]; /* the kernel's numbers of nodes */
    double cpu_limit;                     /* processors' time at once by cgroup; 0: no limit */
    uint64_t memory_bytes, memory_limit_bytes; /* 0: not known; no limit */
    MachineCache caches[MACHINE_LEVELS];       /* of the first processor, by level - 1 */
    const char *instructions; /* "scalar", "avx2", "avx512": what vectors may use */
    uint32_t workers;         /* threads for one large statement: 1 .. WORKERS_MAX */
    /* Where each of these was read. */
    char affinity_source[64], cpu_limit_source[256], memory_limit_source[256], nodes_source[128];
    char workers_why[128];
} Machine;

void machine_detect(const MachineRoots *roots, Machine *out);
/* Is processor cpus[i] of the node? For i in [0, cpu_count). */
static inline bool machine_cpu_on(const Machine *machine, uint32_t i, uint32_t node)
{
    return machine->nodes[i] == node;
}
#endif
