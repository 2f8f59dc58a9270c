/*
 * memory.c - buffers of the device, and bytes on their way into them.
 *
 * A buffer has an allocation of its own: there are few and large ones (chunks of rows, one for
 * staging, one for work), so nothing is gained by cutting allocations up. The type of memory is the
 * first that fits, which is the fastest by Vulkan's own order of types.
 *
 * A discrete card's memory is never mapped for rows, even where it could be: such a window is often
 * small, and writes through it are slower than a copy that the card does itself.
 */
#include "config.h"

#include "gpu/gpu_internal.h"
#include <assert.h>
#include <string.h>

enum { NO_TYPE = VK_MAX_MEMORY_TYPES };
static const VkMemoryPropertyFlags mapped_flags =
    VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT;

static uint32_t memory_type(const Gpu *gpu, uint32_t allowed, VkMemoryPropertyFlags wanted)
{
    for (uint32_t i = 0; i < gpu->memory.memoryTypeCount; i++)
        if ((allowed >> i & 1) && (gpu->memory.memoryTypes[i].propertyFlags & wanted) == wanted)
            return i;
    return NO_TYPE;
}

/* Staging is read as well, which without the machine's caches is very slow; unified memory that
 * cannot be mapped is like any other. */
static uint32_t memory_type_for(const Gpu *gpu, uint32_t allowed, GpuPlace place)
{
    uint32_t type = NO_TYPE;
    if (place == GPU_PLACE_STAGING) {
        type = memory_type(gpu, allowed, mapped_flags | VK_MEMORY_PROPERTY_HOST_CACHED_BIT);
        return type != NO_TYPE ? type : memory_type(gpu, allowed, mapped_flags);
    }
    if (place == GPU_PLACE_UNIFIED)
        type = memory_type(gpu, allowed, mapped_flags | VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT);
    return type != NO_TYPE ? type : memory_type(gpu, allowed, VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT);
}

static VkResult bind(Gpu *gpu, GpuBuffer *buffer, GpuPlace place)
{
    VkMemoryRequirements needs;
    gpu->vk.GetBufferMemoryRequirements(gpu->device, buffer->buffer, &needs);
    uint32_t type = memory_type_for(gpu, needs.memoryTypeBits, place);
    if (type == NO_TYPE) return gpu_note(gpu, "memory types", VK_ERROR_FEATURE_NOT_PRESENT);
    VkMemoryAllocateFlagsInfo flags = {.sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_FLAGS_INFO,
                                       .flags = VK_MEMORY_ALLOCATE_DEVICE_ADDRESS_BIT};
    VkMemoryAllocateInfo info = {.sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
                                 .pNext = &flags,
                                 .allocationSize = needs.size,
                                 .memoryTypeIndex = type};
    TRY_VK(VK(gpu, AllocateMemory, gpu->device, &info, NULL, &buffer->memory));
    buffer->bytes = needs.size;
    TRY_VK(VK(gpu, BindBufferMemory, gpu->device, buffer->buffer, buffer->memory, 0));
    VkBufferDeviceAddressInfo address = {.sType = VK_STRUCTURE_TYPE_BUFFER_DEVICE_ADDRESS_INFO,
                                         .buffer = buffer->buffer};
    buffer->address = gpu->vk.GetBufferDeviceAddress(gpu->device, &address);
    bool mappable = (gpu->memory.memoryTypes[type].propertyFlags & mapped_flags) == mapped_flags;
    if (place == GPU_PLACE_DEVICE || !mappable) return VK_SUCCESS;
    return VK(gpu, MapMemory, gpu->device, buffer->memory, 0, VK_WHOLE_SIZE, 0, &buffer->mapped);
}

VkResult gpu_buffer_create(Gpu *gpu, uint64_t bytes, GpuPlace place, GpuBuffer *out)
{
    VkBufferCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO,
        .size = bytes,
        .usage = VK_BUFFER_USAGE_STORAGE_BUFFER_BIT | VK_BUFFER_USAGE_TRANSFER_SRC_BIT |
                 VK_BUFFER_USAGE_TRANSFER_DST_BIT | VK_BUFFER_USAGE_SHADER_DEVICE_ADDRESS_BIT};
    GpuBuffer buffer = {0};
    assert(bytes > 0);
    TRY_VK(VK(gpu, CreateBuffer, gpu->device, &info, NULL, &buffer.buffer));
    VkResult result = bind(gpu, &buffer, place);
    if (result != VK_SUCCESS)
        gpu_buffer_destroy(gpu, &buffer);
    else
        *out = buffer;
    return result;
}

void gpu_buffer_destroy(Gpu *gpu, GpuBuffer *buffer)
{
    gpu->vk.DestroyBuffer(gpu->device, buffer->buffer, NULL);
    gpu->vk.FreeMemory(gpu->device, buffer->memory, NULL);
    *buffer = (GpuBuffer){0};
}

/* Rows may be written while they are copied: whoever brought them says afterwards whether they were, and
 * then nobody looks at what came. A memcpy would be called a race; volatile keeps it from becoming one. */
__attribute__((no_sanitize("thread"))) static void copy_beside_a_writer(void *to, const void *from,
                                                                        uint64_t bytes)
{
    typedef uint32_t Word __attribute__((may_alias));
    typedef uint32_t Words __attribute__((vector_size(16), aligned(4), may_alias));
    uint64_t at = 0;
    assert(bytes % sizeof(Word) == 0 && (uintptr_t)from % sizeof(Word) == 0);
    for (; at + sizeof(Words) <= bytes; at += sizeof(Words))
        *(Words *)((char *)to + at) = *(const volatile Words *)((const char *)from + at);
    for (; at < bytes; at += sizeof(Word))
        *(Word *)((char *)to + at) = *(const volatile Word *)((const char *)from + at);
}

VkResult gpu_buffer_write(Gpu *gpu, GpuBuffer *to, uint64_t offset, const void *data,
                          uint64_t bytes)
{
    assert(offset + bytes <= to->bytes);
    if (to->mapped != NULL) {
        copy_beside_a_writer((char *)to->mapped + offset, data, bytes);
        return VK_SUCCESS;
    }
    for (uint64_t at = 0; at < bytes; at += STAGING_BYTES) {
        uint64_t piece = bytes - at < STAGING_BYTES ? bytes - at : STAGING_BYTES;
        copy_beside_a_writer(gpu->staging.mapped, (const char *)data + at, piece);
        TRY_VK(gpu_record(gpu));
        gpu_copy(gpu, &gpu->staging, 0, to, offset + at, piece);
        TRY_VK(gpu_run(gpu));
    }
    return VK_SUCCESS;
}
