/* machine.c - SHOW HARDWARE and SHOW WORKERS: what was found, what was chosen, and why. */
#include "config.h"

#include "command/command_internal.h"
#include "runtime/workers.h"
#include "vector/device.h"
#include "vector/kernel.h"
#include <stdio.h>

/* ---- SHOW HARDWARE ---- */

static void add_fact(ShowRows *rows, const char *what, const char *value, const char *source)
{
    show_add_text(rows, what);
    show_add_text(rows, value);
    show_add_text(rows, source);
}

/* 32768 is "32 KiB": caches and limits are round that way. */
static const char *bytes_text(Arena *arena, uint64_t bytes)
{
    static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB"};
    size_t unit = 0;
    double number = (double)bytes;
    for (; number >= 1024 && unit < 4; unit++)
        number /= 1024;
    return arena_printf(arena, "%.4g %s", number, units[unit]);
}

static void add_caches(ShowRows *rows, const Machine *machine)
{
    for (uint32_t level = 0; level < MACHINE_LEVELS; level++) {
        const MachineCache *cache = &machine->caches[level];
        if (cache->bytes == 0) continue;
        const char *text = bytes_text(rows->arena, cache->bytes);
        if (cache->shared_by > 1)
            text = arena_printf(rows->arena, "%s for %u processors", text, cache->shared_by);
        add_fact(
            rows, arena_printf(rows->arena, "cache, level %u", level + 1), text,
            arena_printf(rows->arena, "/sys/devices/system/cpu/cpu%u/cache", machine->cpus[0]));
    }
}

static const char *workers_source(const ExecutionEnvironment *environment)
{
    return environment->worker_max == 0 ? workers_machine(environment->workers)->workers_why
                                        : "setting workers";
}

static void add_machine(ShowRows *rows, const ExecutionEnvironment *environment)
{
    const Machine *machine = workers_machine(environment->workers);
    Arena *arena = rows->arena;
    add_fact(rows, "processors",
             arena_printf(arena, "%u of %u", machine->cpu_count, machine->cpus_online),
             machine->affinity_source);
    add_fact(rows, "processors' time",
             machine->cpu_limit > 0 ? arena_printf(arena, "%.4g", machine->cpu_limit) : "no limit",
             machine->cpu_limit > 0 ? machine->cpu_limit_source : "/proc/self/cgroup");
    add_fact(rows, "NUMA nodes", arena_printf(arena, "%u", machine->node_count),
             machine->nodes_source);
    add_caches(rows, machine);
    if (machine->memory_bytes > 0)
        add_fact(rows, "memory", bytes_text(arena, machine->memory_bytes), "/proc/meminfo");
    bool limited = machine->memory_limit_bytes > 0;
    add_fact(rows, "memory limit",
             limited ? bytes_text(arena, machine->memory_limit_bytes) : "none",
             limited ? machine->memory_limit_source : "/proc/self/cgroup");
    add_fact(
        rows, "workers",
        arena_printf(arena, "%u", workers_chosen(environment->workers, environment->worker_max)),
        workers_source(environment));
}

/* What calculates. Asking opens the graphics device, unless it is off. */
void show_hardware(ShowRows *rows, const ExecutionEnvironment *environment)
{
    VectorDeviceInfo info = {.open = false};
    Arena *arena = rows->arena;
    bool chosen = environment->simd != NULL && environment->simd[0] != '\0';
    if (environment->workers != NULL) add_machine(rows, environment);
    add_fact(rows, "vector instructions", vector_kernel(environment->simd)->name,
             chosen ? "setting simd" : "the processor");
    add_fact(rows, "vector codes",
             arena_printf(arena, "%llu bytes",
                          (unsigned long long)graph_derived_bytes(environment->view.graph)),
             "counted");
    add_fact(rows, "gpu", environment->gpu, "setting gpu");
    if (environment->device != NULL) score_device_info(environment, &info);
    add_fact(rows, "gpu device",
             info.open ? arena_printf(arena, "%s, %s", info.name, info.kind) : "",
             info.open ? "Vulkan" : "");
    add_fact(rows, "gpu memory",
             info.open ? arena_printf(arena, "%llu of %llu bytes hold vectors",
                                      (unsigned long long)info.resident_bytes,
                                      (unsigned long long)info.memory_bytes)
                       : "",
             !info.open                    ? ""
             : environment->gpu_memory > 0 ? "setting gpu_memory"
                                           : "Vulkan");
    add_fact(rows, "gpu answers",
             arena_printf(arena, "%llu, %llu failed", (unsigned long long)info.answers,
                          (unsigned long long)info.failures),
             "counted");
    add_fact(rows, "gpu last failure", arena_copy(arena, info.reason, strlen(info.reason)), "");
}

/* ---- SHOW WORKERS ---- */

static const char *where_text(Arena *arena, const Machine *machine, const Seat *seat)
{
    if (seat->state == SEAT_CALLER) return "any";
    if (machine->cpu_count >= PIN_CPUS_MIN) return arena_printf(arena, "%u", seat->cpu);
    return machine->node_count > 1 ? "any of the node" : "any";
}

static const char *seat_why(Arena *arena, const Machine *machine, const Seat *seat,
                            const ExecutionEnvironment *environment)
{
    if (seat->state == SEAT_CALLER)
        return arena_printf(arena, "every statement has one; of %u: %s",
                            workers_chosen(environment->workers, environment->worker_max),
                            workers_source(environment));
    if (seat->state == SEAT_EMPTY) return "no statement was large enough for it";
    if (machine->cpu_count >= PIN_CPUS_MIN)
        return seat->pinned ? "many processors: one each" : "the system would not bind it";
    return machine->node_count > 1 ? "several NUMA nodes: in turn"
                                   : "few processors: where there is room";
}

void show_workers(ShowRows *rows, const ExecutionEnvironment *environment)
{
    static const char *const states[] = {"the statement's thread", "not started", "idle", "busy"};
    if (environment->workers == NULL) return;
    const Machine *machine = workers_machine(environment->workers);
    uint32_t count = workers_chosen(environment->workers, environment->worker_max);
    for (uint32_t i = 0; i < WORKERS_MAX; i++) {
        Seat seat = workers_seat(environment->workers, i);
        if (i >= count && seat.state == SEAT_EMPTY) break;
        bool bound = machine->node_count > 1 && seat.state != SEAT_CALLER;
        show_add(rows, value_integer(i));
        show_add_text(rows, states[seat.state]);
        show_add_text(rows, where_text(rows->arena, machine, &seat));
        show_add(rows, bound || machine->node_count == 1 ? value_integer(seat.node) : value_null());
        show_add(rows, value_integer((int64_t)seat.morsels));
        show_add_text(rows, seat_why(rows->arena, machine, &seat, environment));
    }
}
