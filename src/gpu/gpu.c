/*
 * gpu.c - opening, closing, asking.
 *
 *   loader.c    libvulkan by dlopen, the instance, the fault plug, errors
 *   device.c    which device, its queue and limits
 *   memory.c    buffers          submit.c    one command buffer, run and waited for
 *   pipeline.c  shaders          resident.c  sets of rows under a budget
 *   topk.c      scan and merge   selftest.c  refuses a device that calculates otherwise
 *
 * One command buffer, one queue, one lock: a query takes less time on a device than two of them
 * would gain by overlapping, and everything that a submission uses is free again when a call
 * returns. The exception is a dead device (submit.c).
 */
#include "config.h"

#include "gpu/gpu_internal.h"
#include <stdio.h>

static Error *open_parts(Gpu *gpu)
{
    TRY(gpu_loader_open(gpu));
    TRY(gpu_device_open(gpu));
    return gpu_selftest(gpu);
}

Error *gpu_open(const GpuOptions *options, Gpu **out)
{
    *out = NULL;
    Gpu *gpu = mem_calloc(1, sizeof *gpu);
    pthread_mutex_init(&gpu->lock, NULL);
    gpu->options = *options;
    gpu->fault = options->fault;
    if (gpu->options.timeout_ns == 0) gpu->options.timeout_ns = GPU_TIMEOUT_NS;
    Error *error = open_parts(gpu);
    gpu->options.device = NULL;
    if (error != NULL)
        gpu_close(gpu);
    else
        *out = gpu;
    return error;
}

void gpu_close(Gpu *gpu)
{
    if (gpu == NULL) return;
    /* What a device may still be using stays, and the driver with it: a leak is all that is left.
     */
    if (gpu->device != VK_NULL_HANDLE && gpu->done != VK_NULL_HANDLE && !gpu_settled(gpu)) return;
    if (gpu->device != VK_NULL_HANDLE) {
        gpu_sets_close(gpu);
        gpu_pipelines_close(gpu);
    }
    gpu_device_close(gpu);
    gpu_loader_close(gpu);
    pthread_mutex_destroy(&gpu->lock);
    mem_free(gpu);
}

void gpu_info(Gpu *gpu, GpuInfo *out)
{
    pthread_mutex_lock(&gpu->lock);
    *out = (GpuInfo){.kind = gpu_device_kind(gpu->properties.deviceType),
                     .software = gpu->properties.deviceType == VK_PHYSICAL_DEVICE_TYPE_CPU,
                     .subgroup = gpu->limits.subgroup,
                     .memory_bytes = gpu->budget_bytes,
                     .resident_bytes = gpu->resident_bytes,
                     .resident_count = (uint32_t)gpu->set_count,
                     .message_count = __atomic_load_n(&gpu->message_count, __ATOMIC_RELAXED),
                     .dead = gpu->dead};
    snprintf(out->name, sizeof out->name, "%s", gpu->properties.deviceName);
    pthread_mutex_unlock(&gpu->lock);
}
