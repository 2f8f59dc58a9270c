/*
 * machine.c - reading what sysfs, procfs and cgroups tell.
 *
 *     sys/devices/system/cpu/online                     "0-7"
 *     sys/devices/system/node/node1/cpulist             "4-7"
 *     sys/devices/system/cpu/cpu0/cache/index3/..       level, type, size ("32768K"), shared_cpu_list
 *     proc/meminfo                                      "MemTotal:  24684084 kB"
 *     proc/self/cgroup                                  "0::/a/b" (v2), "1:cpu,cpuacct:/a/b" (v1)
 *     sys/fs/cgroup[/unified]/a/b/cpu.max, memory.max   v2: "200000 100000", "max"
 *     sys/fs/cgroup/cpu/a/b/cpu.cfs_quota_us, ..        v1: "-1" is no limit
 *
 * A limit of an outer group binds the inner ones, so all from the process's group up to the root are
 * read and the least counts. In a container the path in /proc/self/cgroup is often one that is not
 * mounted there; going up ends at the root that is.
 */
#include "config.h"

#include "runtime/machine.h"
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

enum { PATH_BYTES_MAX = 1024, TEXT_BYTES_MAX = 8192 };

/* ---- files ---- */

/* The file's text without blanks at its end; false: there is none. Longer ones are cut. */
static bool read_text(char out[TEXT_BYTES_MAX], const char *path)
{
    FILE *file = fopen(path, "re");
    if (file == NULL) return false;
    size_t bytes = fread(out, 1, TEXT_BYTES_MAX - 1, file);
    fclose(file);
    while (bytes > 0 && (out[bytes - 1] == '\n' || out[bytes - 1] == ' '))
        bytes--;
    out[bytes] = '\0';
    return true;
}

static bool read_number(const char *path, int64_t *out)
{
    char text[TEXT_BYTES_MAX];
    return read_text(text, path) && integer_parse(str_from(text), out);
}

/* Sets bits[n] for each n of "0-3,8"; gives how many. Numbers beyond `max` are left out. */
static uint32_t read_list(const char *text, bool *bits, uint32_t max)
{
    uint32_t count = 0;
    memset(bits, 0, max * sizeof *bits);
    while (*text >= '0' && *text <= '9') {
        char *end;
        unsigned long first = strtoul(text, &end, 10), last = first;
        if (*end == '-') last = strtoul(end + 1, &end, 10);
        for (unsigned long n = first; n <= last && n < max; n++) {
            count += !bits[n];
            bits[n] = true;
        }
        text = *end == ',' ? end + 1 : end;
    }
    return count;
}

/* ---- processors and nodes ---- */

static uint32_t ask_kernel(bool *allowed)
{
    cpu_set_t set;
    uint32_t count = 0;
    memset(allowed, 0, MACHINE_CPUS_MAX * sizeof *allowed);
    if (sched_getaffinity(0, sizeof set, &set) != 0) return 0;
    for (uint32_t n = 0; n < MACHINE_CPUS_MAX && n < CPU_SETSIZE; n++) {
        allowed[n] = CPU_ISSET(n, &set);
        count += allowed[n];
    }
    return count;
}

static void find_cpus(const MachineRoots *roots, Machine *out)
{
    bool allowed[MACHINE_CPUS_MAX], online[MACHINE_CPUS_MAX];
    char path[PATH_BYTES_MAX], text[TEXT_BYTES_MAX];
    snprintf(path, sizeof path, "%s/devices/system/cpu/online", roots->sys);
    out->cpus_online = read_text(text, path) ? read_list(text, online, MACHINE_CPUS_MAX) : 0;
    bool known = out->cpus_online > 0;
    uint32_t count = roots->affinity == NULL
                         ? ask_kernel(allowed)
                         : read_list(roots->affinity, allowed, MACHINE_CPUS_MAX);
    snprintf(out->affinity_source, sizeof out->affinity_source, "%s",
             count == 0                ? "not known: taken as one"
             : roots->affinity == NULL ? "sched_getaffinity"
                                       : "given");
    for (uint32_t n = 0; n < MACHINE_CPUS_MAX; n++)
        if (allowed[n] && (!known || online[n])) out->cpus[out->cpu_count++] = (uint16_t)n;
    if (out->cpu_count == 0) out->cpus[out->cpu_count++] = 0;
    if (!known) out->cpus_online = out->cpu_count;
}

static void find_nodes(const MachineRoots *roots, Machine *out)
{
    bool of_node[MACHINE_CPUS_MAX];
    char path[PATH_BYTES_MAX], text[TEXT_BYTES_MAX];
    snprintf(out->nodes_source, sizeof out->nodes_source, "%s/devices/system/node", roots->sys);
    for (uint32_t id = 0; id < MACHINE_NODES_MAX; id++) {
        bool used = false;
        snprintf(path, sizeof path, "%s/node%u/cpulist", out->nodes_source, id);
        if (!read_text(text, path) || read_list(text, of_node, MACHINE_CPUS_MAX) == 0) continue;
        for (uint32_t i = 0; i < out->cpu_count; i++) {
            if (!of_node[out->cpus[i]]) continue;
            out->nodes[i] = (uint8_t)out->node_count;
            used = true;
        }
        if (used) out->node_ids[out->node_count++] = (uint16_t)id;
    }
    if (out->node_count > 0) return;
    out->node_count = 1; /* a kernel without NUMA */
    snprintf(out->nodes_source, sizeof out->nodes_source, "not told: taken as one");
}

/* "32768K" */
static uint64_t read_bytes(const char *text)
{
    char *end;
    uint64_t number = strtoull(text, &end, 10);
    return *end == 'K' ? number << 10 : *end == 'M' ? number << 20 : number;
}

static void find_caches(const MachineRoots *roots, Machine *out)
{
    enum { INDEXES_MAX = 8 };
    bool sharing[MACHINE_CPUS_MAX];
    char folder[PATH_BYTES_MAX], path[PATH_BYTES_MAX + 32], text[TEXT_BYTES_MAX];
    for (uint32_t i = 0; i < INDEXES_MAX; i++) {
        int64_t level;
        snprintf(folder, sizeof folder, "%s/devices/system/cpu/cpu%u/cache/index%u", roots->sys,
                 out->cpus[0], i);
        snprintf(path, sizeof path, "%s/level", folder);
        if (!read_number(path, &level) || level < 1 || level > MACHINE_LEVELS) continue;
        snprintf(path, sizeof path, "%s/type", folder);
        if (read_text(text, path) && strcmp(text, "Instruction") == 0) continue;
        MachineCache *cache = &out->caches[level - 1];
        snprintf(path, sizeof path, "%s/size", folder);
        if (read_text(text, path)) cache->bytes = read_bytes(text);
        snprintf(path, sizeof path, "%s/shared_cpu_list", folder);
        if (read_text(text, path)) cache->shared_by = read_list(text, sharing, MACHINE_CPUS_MAX);
    }
}

static const char *find_instructions(void)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512vl"))
        return "avx512";
    if (__builtin_cpu_supports("avx2")) return "avx2";
#endif
    return "scalar";
}

/* ---- limits ---- */

/* The path of the process's group: v2 under "", v1 under the controller's name. */
static bool group_path(const MachineRoots *roots, const char *controller, char out[PATH_BYTES_MAX])
{
    char path[PATH_BYTES_MAX], text[TEXT_BYTES_MAX];
    snprintf(path, sizeof path, "%s/self/cgroup", roots->proc);
    if (!read_text(text, path)) return false;
    for (char *line = text, *next; line != NULL && *line != '\0'; line = next) {
        next = strchr(line, '\n');
        if (next != NULL) *next++ = '\0';
        char *names = strchr(line, ':'), *group = names == NULL ? NULL : strchr(names + 1, ':');
        if (group == NULL) continue;
        *group++ = '\0';
        for (char *name = names + 1; name != NULL;) {
            char *comma = strchr(name, ',');
            if (comma != NULL) *comma++ = '\0';
            if (strcmp(name, controller) == 0)
                return snprintf(out, PATH_BYTES_MAX, "%s", group) < PATH_BYTES_MAX;
            name = comma;
        }
    }
    return false;
}

/* From the group up to the root: `ask` looks into each folder. */
static void each_group(const char *mount, const char *group, Machine *machine,
                       void (*ask)(const char *folder, Machine *machine))
{
    char path[PATH_BYTES_MAX], folder[2 * PATH_BYTES_MAX];
    snprintf(path, sizeof path, "%s", group);
    for (;;) {
        size_t bytes = strlen(path);
        while (bytes > 0 && path[bytes - 1] == '/')
            path[--bytes] = '\0';
        snprintf(folder, sizeof folder, "%s%s", mount, path);
        ask(folder, machine);
        char *slash = strrchr(path, '/');
        if (slash == NULL) return;
        *slash = '\0';
    }
}

static void limit_cpus(Machine *machine, double cpus, const char *source)
{
    if (!(cpus > 0) || (machine->cpu_limit > 0 && machine->cpu_limit <= cpus)) return;
    machine->cpu_limit = cpus;
    snprintf(machine->cpu_limit_source, sizeof machine->cpu_limit_source, "%.*s", 255, source);
}

static void limit_memory(Machine *machine, const char *path)
{
    int64_t bytes;
    if (!read_number(path, &bytes) || bytes <= 0) return; /* "max" */
    if (machine->memory_bytes > 0 && (uint64_t)bytes >= machine->memory_bytes) return;
    if (machine->memory_limit_bytes > 0 && machine->memory_limit_bytes <= (uint64_t)bytes) return;
    machine->memory_limit_bytes = (uint64_t)bytes;
    snprintf(machine->memory_limit_source, sizeof machine->memory_limit_source, "%.*s", 255, path);
}

static void ask_v2(const char *folder, Machine *machine)
{
    char path[3 * PATH_BYTES_MAX], text[TEXT_BYTES_MAX];
    snprintf(path, sizeof path, "%s/cpu.max", folder);
    if (read_text(text, path)) {
        char *end;
        double quota = strtod(text, &end), period = strtod(end, NULL);
        if (end != text && quota > 0 && period > 0) limit_cpus(machine, quota / period, path);
    }
    snprintf(path, sizeof path, "%s/memory.max", folder);
    limit_memory(machine, path);
}

static void ask_v1_cpu(const char *folder, Machine *machine)
{
    char path[3 * PATH_BYTES_MAX];
    int64_t quota, period;
    snprintf(path, sizeof path, "%s/cpu.cfs_period_us", folder);
    if (!read_number(path, &period) || period <= 0) return;
    snprintf(path, sizeof path, "%s/cpu.cfs_quota_us", folder);
    if (read_number(path, &quota) && quota > 0)
        limit_cpus(machine, (double)quota / (double)period, path);
}

static void ask_v1_memory(const char *folder, Machine *machine)
{
    char path[3 * PATH_BYTES_MAX];
    snprintf(path, sizeof path, "%s/memory.limit_in_bytes", folder);
    limit_memory(machine, path);
}

static void find_limits(const MachineRoots *roots, Machine *out)
{
    static const char *const cpu_mounts[] = {"cpu", "cpu,cpuacct"};
    char mount[PATH_BYTES_MAX], group[PATH_BYTES_MAX];
    if (group_path(roots, "", group)) {
        snprintf(mount, sizeof mount, "%s/fs/cgroup", roots->sys);
        each_group(mount, group, out, ask_v2);
        snprintf(mount, sizeof mount, "%s/fs/cgroup/unified", roots->sys);
        each_group(mount, group, out, ask_v2);
    }
    for (size_t i = 0; i < 2 && group_path(roots, "cpu", group); i++) {
        snprintf(mount, sizeof mount, "%s/fs/cgroup/%s", roots->sys, cpu_mounts[i]);
        each_group(mount, group, out, ask_v1_cpu);
    }
    if (group_path(roots, "memory", group)) {
        snprintf(mount, sizeof mount, "%s/fs/cgroup/memory", roots->sys);
        each_group(mount, group, out, ask_v1_memory);
    }
}

static void find_memory(const MachineRoots *roots, Machine *out)
{
    char path[PATH_BYTES_MAX], text[TEXT_BYTES_MAX];
    snprintf(path, sizeof path, "%s/meminfo", roots->proc);
    if (!read_text(text, path)) return;
    const char *total = strstr(text, "MemTotal:");
    if (total != NULL) out->memory_bytes = strtoull(total + strlen("MemTotal:"), NULL, 10) << 10;
}

/* ---- the choice ---- */

/* One thread a processor: a statement is bound by memory or by arithmetic, hardly ever by waiting. A
 * limit of 2.5 processors is three threads, the last of which waits half of its time. */
static void choose_workers(Machine *machine)
{
    uint32_t workers = machine->cpu_count;
    const char *why = "processors that the process may use";
    if (machine->cpu_limit > 0 && machine->cpu_limit < workers) {
        workers = (uint32_t)machine->cpu_limit;
        if (machine->cpu_limit > workers) workers++;
        why = "processors' time that the control group gives";
    }
    if (workers > WORKERS_MAX) {
        workers = WORKERS_MAX;
        why = "at most";
    }
    machine->workers = workers;
    snprintf(machine->workers_why, sizeof machine->workers_why, "%s", why);
}

void machine_detect(const MachineRoots *roots, Machine *out)
{
    static const MachineRoots own = {"/sys", "/proc", NULL};
    if (roots == NULL) roots = &own;
    *out = (Machine){.instructions = find_instructions()};
    find_cpus(roots, out);
    find_nodes(roots, out);
    find_caches(roots, out);
    find_memory(roots, out);
    find_limits(roots, out);
    choose_workers(out);
}
