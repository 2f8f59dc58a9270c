/*
 * pipeline.c - shaders made ready for one shape of work.
 *
 * Sizes are specialisation constants, so that a driver can unroll; each combination is a pipeline,
 * made when first wanted and kept. The number is bounded: the least recently used leaves, which no
 * submission uses, because each is waited for.
 *
 * SPIR-V comes from shaders/ through glslangValidator at build time, as arrays of words. The scan
 * exists twice: as it is, and with the device told how to treat f32, where it can be told.
 */
#include "config.h"

#include "gpu/gpu_internal.h"
#include "shaders/merge.h"
#include "shaders/scan.h"
#include "shaders/scan_controls.h"
#include <assert.h>
#include <string.h>

static void words_of(const Gpu *gpu, GpuShader shader, VkShaderModuleCreateInfo *info)
{
    if (shader == GPU_SHADER_MERGE)
        info->pCode = shader_merge, info->codeSize = sizeof shader_merge;
    else if (gpu->limits.float_controls)
        info->pCode = shader_scan_controls, info->codeSize = sizeof shader_scan_controls;
    else
        info->pCode = shader_scan, info->codeSize = sizeof shader_scan;
}

static VkResult make(Gpu *gpu, GpuShader shader, const GpuVariant *variant, VkPipeline *out)
{
    enum { CONSTANT_COUNT = sizeof *variant / sizeof(uint32_t) };
    VkSpecializationMapEntry entries[CONSTANT_COUNT];
    for (uint32_t i = 0; i < CONSTANT_COUNT; i++)
        entries[i] =
            (VkSpecializationMapEntry){i, i * (uint32_t)sizeof(uint32_t), sizeof(uint32_t)};
    VkSpecializationInfo constants = {CONSTANT_COUNT, entries, sizeof *variant, variant};
    VkShaderModuleCreateInfo code = {.sType = VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO};
    words_of(gpu, shader, &code);
    VkShaderModule module;
    TRY_VK(VK(gpu, CreateShaderModule, gpu->device, &code, NULL, &module));
    VkComputePipelineCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO,
        .layout = gpu->layout,
        .stage = {.sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO,
                  .flags = VK_PIPELINE_SHADER_STAGE_CREATE_REQUIRE_FULL_SUBGROUPS_BIT,
                  .stage = VK_SHADER_STAGE_COMPUTE_BIT,
                  .module = module,
                  .pName = "main",
                  .pSpecializationInfo = &constants}};
    VkResult result =
        VK(gpu, CreateComputePipelines, gpu->device, VK_NULL_HANDLE, 1, &info, NULL, out);
    gpu->vk.DestroyShaderModule(gpu->device, module, NULL);
    return result;
}

/* A free place, or that of the least recently used, which leaves. */
static GpuPipeline *place_for(Gpu *gpu)
{
    if (gpu->pipeline_count < PIPELINE_COUNT_MAX) return &gpu->pipelines[gpu->pipeline_count++];
    GpuPipeline *oldest = &gpu->pipelines[0];
    for (size_t i = 1; i < gpu->pipeline_count; i++)
        if (gpu->pipelines[i].used < oldest->used) oldest = &gpu->pipelines[i];
    gpu->vk.DestroyPipeline(gpu->device, oldest->pipeline, NULL);
    return oldest;
}

VkResult gpu_pipeline(Gpu *gpu, GpuShader shader, const GpuVariant *variant, VkPipeline *out)
{
    assert(variant->capacity >= WORKGROUP && (variant->capacity & (variant->capacity - 1)) == 0);
    for (size_t i = 0; i < gpu->pipeline_count; i++) {
        GpuPipeline *made = &gpu->pipelines[i];
        if (made->shader != shader || memcmp(&made->variant, variant, sizeof *variant) != 0)
            continue;
        made->used = ++gpu->clock;
        *out = made->pipeline;
        return VK_SUCCESS;
    }
    VkPipeline pipeline = VK_NULL_HANDLE;
    TRY_VK(make(gpu, shader, variant, &pipeline));
    *place_for(gpu) = (GpuPipeline){shader, *variant, pipeline, ++gpu->clock};
    *out = pipeline;
    return VK_SUCCESS;
}

void gpu_pipelines_close(Gpu *gpu)
{
    for (size_t i = 0; i < gpu->pipeline_count; i++)
        gpu->vk.DestroyPipeline(gpu->device, gpu->pipelines[i].pipeline, NULL);
    gpu->pipeline_count = 0;
}
