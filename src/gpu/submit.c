/*
 * submit.c - one command buffer: recorded, submitted, waited for.
 *
 * A timeline semaphore counts submissions that ended. A wait that does not end well leaves work of
 * unknown fate on the device, so the Gpu is dead from then on: nothing is recorded, and nothing
 * that the work uses is given back, until gpu_close has waited once more.
 */
#include "config.h"

#include "gpu/gpu_internal.h"
#include <assert.h>

VkResult gpu_record(Gpu *gpu)
{
    VkCommandBufferBeginInfo info = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO,
                                     .flags = VK_COMMAND_BUFFER_USAGE_ONE_TIME_SUBMIT_BIT};
    assert(!gpu->dead);
    /* An earlier recording may have ended halfway. */
    TRY_VK(VK(gpu, ResetCommandBuffer, gpu->commands, 0));
    return VK(gpu, BeginCommandBuffer, gpu->commands, &info);
}

static void barrier(Gpu *gpu, VkPipelineStageFlags to, VkAccessFlags access)
{
    VkMemoryBarrier memory = {.sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER,
                              .srcAccessMask =
                                  VK_ACCESS_SHADER_WRITE_BIT | VK_ACCESS_TRANSFER_WRITE_BIT,
                              .dstAccessMask = access};
    gpu->vk.CmdPipelineBarrier(
        gpu->commands, VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT | VK_PIPELINE_STAGE_TRANSFER_BIT, to, 0,
        1, &memory, 0, NULL, 0, NULL);
}

void gpu_barrier(Gpu *gpu)
{
    barrier(gpu, VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT | VK_PIPELINE_STAGE_TRANSFER_BIT,
            VK_ACCESS_SHADER_READ_BIT | VK_ACCESS_SHADER_WRITE_BIT | VK_ACCESS_TRANSFER_READ_BIT |
                VK_ACCESS_TRANSFER_WRITE_BIT);
}

void gpu_copy(Gpu *gpu, const GpuBuffer *from, uint64_t from_offset, const GpuBuffer *to,
              uint64_t to_offset, uint64_t bytes)
{
    VkBufferCopy region = {from_offset, to_offset, bytes};
    assert(from_offset + bytes <= from->bytes && to_offset + bytes <= to->bytes);
    gpu->vk.CmdCopyBuffer(gpu->commands, from->buffer, to->buffer, 1, &region);
}

static VkSemaphoreWaitInfo wait_info(const Gpu *gpu)
{
    return (VkSemaphoreWaitInfo){.sType = VK_STRUCTURE_TYPE_SEMAPHORE_WAIT_INFO,
                                 .semaphoreCount = 1,
                                 .pSemaphores = &gpu->done,
                                 .pValues = &gpu->submitted};
}

VkResult gpu_run(Gpu *gpu)
{
    barrier(gpu, VK_PIPELINE_STAGE_HOST_BIT, VK_ACCESS_HOST_READ_BIT);
    TRY_VK(VK(gpu, EndCommandBuffer, gpu->commands));
    uint64_t next = gpu->submitted + 1;
    VkTimelineSemaphoreSubmitInfo values = {.sType =
                                                VK_STRUCTURE_TYPE_TIMELINE_SEMAPHORE_SUBMIT_INFO,
                                            .signalSemaphoreValueCount = 1,
                                            .pSignalSemaphoreValues = &next};
    VkSubmitInfo info = {.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
                         .pNext = &values,
                         .commandBufferCount = 1,
                         .pCommandBuffers = &gpu->commands,
                         .signalSemaphoreCount = 1,
                         .pSignalSemaphores = &gpu->done};
    TRY_VK(VK(gpu, QueueSubmit, gpu->queue, 1, &info, VK_NULL_HANDLE));
    gpu->submitted = next;
    VkSemaphoreWaitInfo wait = wait_info(gpu);
    VkResult result = VK(gpu, WaitSemaphores, gpu->device, &wait, gpu->options.timeout_ns);
    if (result != VK_SUCCESS) gpu->dead = true;
    return result;
}

bool gpu_settled(Gpu *gpu)
{
    if (gpu->submitted == 0) return true;
    VkSemaphoreWaitInfo wait = wait_info(gpu);
    VkResult result = gpu->vk.WaitSemaphores(gpu->device, &wait, GPU_TIMEOUT_NS);
    return result == VK_SUCCESS || result == VK_ERROR_DEVICE_LOST;
}
