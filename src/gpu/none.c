/*
 * none.c - a build without Vulkan: no device is ever opened, so nothing else is ever called with
 * one.
 */
#include "config.h"

#include "gpu/gpu.h"
#include <assert.h>

Error *gpu_open(const GpuOptions *options, Gpu **out)
{
    (void)options;
    *out = NULL;
    return error_hint(error_new(ERROR_GPU, "this program was built without Vulkan"),
                      "build it with libvulkan-dev and glslang-tools, or set gpu to off");
}

void gpu_close(Gpu *gpu)
{
    assert(gpu == NULL);
    (void)gpu;
}

void gpu_info(Gpu *gpu, GpuInfo *out)
{
    assert(gpu == NULL);
    (void)gpu;
    *out = (GpuInfo){.name = "", .kind = "other", .dead = true};
}

Error *gpu_put(Gpu *gpu, uint64_t set, uint64_t generation, const GpuRows *pieces,
               size_t piece_count, size_t stride)
{
    (void)set, (void)generation, (void)pieces, (void)piece_count, (void)stride;
    return gpu_open(NULL, &gpu);
}

bool gpu_resident(Gpu *gpu, uint64_t set, uint64_t generation)
{
    (void)gpu, (void)set, (void)generation;
    return false;
}

void gpu_drop(Gpu *gpu, uint64_t set)
{
    (void)gpu, (void)set;
}

Error *gpu_topk(Gpu *gpu, uint64_t set, uint64_t generation, const GpuQuery *query, uint64_t *keys,
                uint32_t *key_count)
{
    (void)set, (void)generation, (void)query, (void)keys, (void)key_count;
    return gpu_open(NULL, &gpu);
}
