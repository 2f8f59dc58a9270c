/*
 * device.c - which device answers, and what is made of it once.
 *
 * Fit is a device of Vulkan 1.3 with 64-bit integers, buffers by address, timeline semaphores,
 * whole subgroups of 8 lanes or more that shuffle, and 32 KiB of shared memory: what the shaders
 * need. Of those the fittest is taken: discrete before integrated before virtual; a device of kind
 * CPU (software that only plays a GPU, slower than our own kernels) only where somebody forces it.
 * When none is left, the error says what each of them lacks.
 *
 * Quirk: llvmpipe, the only software device in use, ends all loops of an invocation silently after
 * 65,535 iterations, counting one more for each time a loop is left. topk.c cuts its work to stay
 * below.
 */
#include "config.h"

#include "base/str.h"
#include "gpu/gpu_internal.h"
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    DEVICE_COUNT_MAX = 16, /* more than any machine has; further ones are not looked at */
    FAMILY_COUNT_MAX = 16,
    SHARED_BYTES_MIN = 32 << 10,
    LANES = 8, /* of the canonical order: they must share a subgroup */
    SOFTWARE_LOOP_ITERATIONS_MAX = 60000,
    PUSH_CONSTANT_BYTES = 128 /* what every device has at least */
};
#define CHUNK_BYTES (UINT64_C(1) << 30) /* 4 GiB and more do not work everywhere */

const char *gpu_device_kind(VkPhysicalDeviceType type)
{
    switch (type) {
    case VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU: return "discrete";
    case VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU: return "integrated";
    case VK_PHYSICAL_DEVICE_TYPE_VIRTUAL_GPU: return "virtual";
    case VK_PHYSICAL_DEVICE_TYPE_CPU: return "software";
    default: return "other";
    }
}

static int kind_rank(VkPhysicalDeviceType type)
{
    switch (type) {
    case VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU: return 4;
    case VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU: return 3;
    case VK_PHYSICAL_DEVICE_TYPE_VIRTUAL_GPU: return 2;
    case VK_PHYSICAL_DEVICE_TYPE_CPU: return 0;
    default: return 1;
    }
}

/* Is it the device that was asked for, by number or by part of its name? */
static bool is_meant(const char *wanted, uint32_t number, const char *name)
{
    char *end;
    if (wanted == NULL || wanted[0] == '\0') return true;
    unsigned long wanted_number = strtoul(wanted, &end, 10);
    if (*end == '\0') return wanted_number == number;
    return strcasestr(name, wanted) != NULL;
}

static bool has_features(Gpu *gpu, VkPhysicalDevice device)
{
    VkPhysicalDeviceVulkan13Features f13 = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_3_FEATURES};
    VkPhysicalDeviceVulkan12Features f12 = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_FEATURES, .pNext = &f13};
    VkPhysicalDeviceFeatures2 f = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2,
                                   .pNext = &f12};
    gpu->vk.GetPhysicalDeviceFeatures2(device, &f);
    return f.features.shaderInt64 && f12.bufferDeviceAddress && f12.scalarBlockLayout &&
           f12.timelineSemaphore && f13.subgroupSizeControl && f13.computeFullSubgroups &&
           f13.maintenance4;
}

/* What it lacks, or NULL; then `limits` is filled in. */
static const char *lacks(Gpu *gpu, VkPhysicalDevice device,
                         const VkPhysicalDeviceProperties *properties, GpuLimits *limits)
{
    VkPhysicalDeviceVulkan13Properties p13 = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_3_PROPERTIES};
    VkPhysicalDeviceVulkan12Properties p12 = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_PROPERTIES, .pNext = &p13};
    VkPhysicalDeviceVulkan11Properties p11 = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_1_PROPERTIES, .pNext = &p12};
    VkPhysicalDeviceProperties2 p = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2,
                                     .pNext = &p11};
    const VkSubgroupFeatureFlags wanted =
        VK_SUBGROUP_FEATURE_BASIC_BIT | VK_SUBGROUP_FEATURE_SHUFFLE_BIT;
    bool software = properties->deviceType == VK_PHYSICAL_DEVICE_TYPE_CPU;
    if (software && !gpu->options.software) return "is software, slower than the CPU's own kernels";
    if (properties->apiVersion < VK_API_VERSION_1_3) return "lacks Vulkan 1.3";
    if (!has_features(gpu, device)) return "lacks features that the shaders need";
    gpu->vk.GetPhysicalDeviceProperties2(device, &p);
    if (p11.subgroupSize < LANES || (p11.subgroupSupportedOperations & wanted) != wanted ||
        !(p11.subgroupSupportedStages & VK_SHADER_STAGE_COMPUTE_BIT))
        return "lacks subgroups of 8 lanes";
    if (p.properties.limits.maxComputeSharedMemorySize < SHARED_BYTES_MIN ||
        p.properties.limits.maxComputeWorkGroupInvocations < WORKGROUP)
        return "lacks shared memory";
    uint64_t chunk = gpu->options.chunk_bytes != 0 ? gpu->options.chunk_bytes : CHUNK_BYTES;
    if (chunk > p11.maxMemoryAllocationSize) chunk = p11.maxMemoryAllocationSize;
    if (chunk > p13.maxBufferSize) chunk = p13.maxBufferSize;
    *limits = (GpuLimits){
        .subgroup = p11.subgroupSize,
        .shared_bytes = p.properties.limits.maxComputeSharedMemorySize,
        .workgroup_count_max = p.properties.limits.maxComputeWorkGroupCount[0],
        .loop_iterations_max = software ? SOFTWARE_LOOP_ITERATIONS_MAX : UINT32_MAX,
        .chunk_bytes = chunk,
        .float_controls = p12.shaderDenormPreserveFloat32 &&
                          p12.shaderSignedZeroInfNanPreserveFloat32 &&
                          p12.shaderRoundingModeRTEFloat32,
        .unified = software || properties->deviceType == VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU};
    return NULL;
}

static Error *choose(Gpu *gpu)
{
    VkPhysicalDevice devices[DEVICE_COUNT_MAX];
    VkPhysicalDeviceProperties properties;
    GpuLimits limits;
    Buffer reasons = {0};
    uint32_t count = DEVICE_COUNT_MAX;
    int best = -1;
    VkResult result = VK(gpu, EnumeratePhysicalDevices, gpu->instance, &count, devices);
    if (result != VK_INCOMPLETE) TRY(gpu_error(gpu, result));
    for (uint32_t i = 0; i < count; i++) {
        gpu->vk.GetPhysicalDeviceProperties(devices[i], &properties);
        if (!is_meant(gpu->options.device, i, properties.deviceName)) continue;
        const char *reason = lacks(gpu, devices[i], &properties, &limits);
        if (reason != NULL)
            buffer_printf(&reasons, "; %s %s", properties.deviceName, reason);
        else if (kind_rank(properties.deviceType) > best) {
            best = kind_rank(properties.deviceType);
            gpu->physical = devices[i];
            gpu->properties = properties;
            gpu->limits = limits;
        }
    }
    Error *error = NULL;
    if (best < 0)
        error = error_new(ERROR_GPU, "no fit device among %u%.*s", count, (int)reasons.bytes,
                          reasons.bytes == 0 ? "" : reasons.data);
    buffer_free(&reasons);
    return error;
}

/* A family that computes; best one that does nothing else, so that no desktop waits for us. */
static Error *choose_family(Gpu *gpu)
{
    VkQueueFamilyProperties families[FAMILY_COUNT_MAX];
    uint32_t count = FAMILY_COUNT_MAX;
    bool found = false;
    gpu->vk.GetPhysicalDeviceQueueFamilyProperties(gpu->physical, &count, families);
    for (uint32_t i = 0; i < count; i++) {
        if (!(families[i].queueFlags & VK_QUEUE_COMPUTE_BIT)) continue;
        if (found && families[i].queueFlags & VK_QUEUE_GRAPHICS_BIT) continue;
        gpu->family = i;
        found = true;
    }
    if (!found)
        return error_new(ERROR_GPU, "%s has no queue that computes", gpu->properties.deviceName);
    return NULL;
}

static VkResult create_device(Gpu *gpu)
{
    static const float priority = 1;
    VkDeviceQueueCreateInfo queue = {.sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO,
                                     .queueFamilyIndex = gpu->family,
                                     .queueCount = 1,
                                     .pQueuePriorities = &priority};
    VkPhysicalDeviceVulkan13Features f13 = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_3_FEATURES,
        .subgroupSizeControl = VK_TRUE,
        .computeFullSubgroups = VK_TRUE,
        .maintenance4 = VK_TRUE};
    VkPhysicalDeviceVulkan12Features f12 = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_FEATURES,
        .pNext = &f13,
        .bufferDeviceAddress = VK_TRUE,
        .scalarBlockLayout = VK_TRUE,
        .timelineSemaphore = VK_TRUE};
    VkPhysicalDeviceFeatures2 f = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2,
                                   .pNext = &f12,
                                   .features = {.shaderInt64 = VK_TRUE}};
    VkDeviceCreateInfo info = {.sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO,
                               .pNext = &f,
                               .queueCreateInfoCount = 1,
                               .pQueueCreateInfos = &queue};
    TRY_VK(VK(gpu, CreateDevice, gpu->physical, &info, NULL, &gpu->device));
#define GPU_FUNCTION(name)                                                                         \
    gpu->vk.name = (PFN_vk##name)gpu->vk.GetDeviceProcAddr(gpu->device, "vk" #name);
    GPU_DEVICE_FUNCTIONS(GPU_FUNCTION)
#undef GPU_FUNCTION
    gpu->vk.GetDeviceQueue(gpu->device, gpu->family, 0, &gpu->queue);
    return VK_SUCCESS;
}

static VkResult create_commands(Gpu *gpu)
{
    VkPushConstantRange range = {VK_SHADER_STAGE_COMPUTE_BIT, 0, PUSH_CONSTANT_BYTES};
    VkPipelineLayoutCreateInfo layout = {.sType = VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO,
                                         .pushConstantRangeCount = 1,
                                         .pPushConstantRanges = &range};
    VkCommandPoolCreateInfo pool = {.sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO,
                                    .flags = VK_COMMAND_POOL_CREATE_RESET_COMMAND_BUFFER_BIT,
                                    .queueFamilyIndex = gpu->family};
    VkSemaphoreTypeCreateInfo type = {.sType = VK_STRUCTURE_TYPE_SEMAPHORE_TYPE_CREATE_INFO,
                                      .semaphoreType = VK_SEMAPHORE_TYPE_TIMELINE};
    VkSemaphoreCreateInfo semaphore = {.sType = VK_STRUCTURE_TYPE_SEMAPHORE_CREATE_INFO,
                                       .pNext = &type};
    TRY_VK(VK(gpu, CreatePipelineLayout, gpu->device, &layout, NULL, &gpu->layout));
    TRY_VK(VK(gpu, CreateCommandPool, gpu->device, &pool, NULL, &gpu->pool));
    VkCommandBufferAllocateInfo commands = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
                                            .commandPool = gpu->pool,
                                            .level = VK_COMMAND_BUFFER_LEVEL_PRIMARY,
                                            .commandBufferCount = 1};
    TRY_VK(VK(gpu, AllocateCommandBuffers, gpu->device, &commands, &gpu->commands));
    return VK(gpu, CreateSemaphore, gpu->device, &semaphore, NULL, &gpu->done);
}

static uint64_t local_heap_bytes(const VkPhysicalDeviceMemoryProperties *memory)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < memory->memoryHeapCount; i++)
        if (memory->memoryHeaps[i].flags & VK_MEMORY_HEAP_DEVICE_LOCAL_BIT &&
            memory->memoryHeaps[i].size > bytes)
            bytes = memory->memoryHeaps[i].size;
    return bytes;
}

Error *gpu_device_open(Gpu *gpu)
{
    TRY(choose(gpu));
    assert(gpu->limits.subgroup >= LANES && gpu->limits.chunk_bytes > 0);
    TRY(choose_family(gpu));
    gpu->vk.GetPhysicalDeviceMemoryProperties(gpu->physical, &gpu->memory);
    gpu->budget_bytes = gpu->options.memory_bytes != 0 ? gpu->options.memory_bytes
                                                       : local_heap_bytes(&gpu->memory) / 5 * 4;
    TRY(gpu_error(gpu, create_device(gpu)));
    TRY(gpu_error(gpu, create_commands(gpu)));
    return gpu_error(gpu, gpu_buffer_create(gpu, STAGING_BYTES, GPU_PLACE_STAGING, &gpu->staging));
}

void gpu_device_close(Gpu *gpu)
{
    if (gpu->device == VK_NULL_HANDLE) return;
    gpu_buffer_destroy(gpu, &gpu->staging);
    gpu_buffer_destroy(gpu, &gpu->work);
    gpu->vk.DestroySemaphore(gpu->device, gpu->done, NULL);
    gpu->vk.DestroyCommandPool(gpu->device, gpu->pool, NULL);
    gpu->vk.DestroyPipelineLayout(gpu->device, gpu->layout, NULL);
    gpu->vk.DestroyDevice(gpu->device, NULL);
}
