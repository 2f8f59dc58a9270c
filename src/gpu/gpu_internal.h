/*
 * gpu_internal.h - what the files of this folder share. The only header that includes Vulkan's.
 *
 * Inside, a function that can fail gives a VkResult, so that callers can tell memory that ran out
 * from a lost device; gpu_error makes an Error of it where it leaves the folder.
 */
#ifndef GPU_GPU_INTERNAL_H
#define GPU_GPU_INTERNAL_H
#include "base/memory.h"
#include "gpu/gpu.h"
#include <pthread.h>
#define VK_NO_PROTOTYPES
#include <vulkan/vulkan.h>

enum {
    WORKGROUP = 128,        /* invocations; a multiple of every subgroup there is */
    PIPELINE_COUNT_MAX = 64 /* the least recently used leaves; one is a few hundred KiB */
};

#define GPU_TIMEOUT_NS                                                                             \
    (UINT64_C(10) * 1000 * 1000 * 1000) /* a scan of all memory takes far less  \
                                                            */

/* What is asked of an instance and of a device, in the order of first use. */
#define GPU_INSTANCE_FUNCTIONS(X)                                                                  \
    X(DestroyInstance)                                                                             \
    X(CreateDebugUtilsMessengerEXT)                                                                \
    X(DestroyDebugUtilsMessengerEXT)                                                               \
    X(EnumeratePhysicalDevices)                                                                    \
    X(GetPhysicalDeviceProperties)                                                                 \
    X(GetPhysicalDeviceProperties2)                                                                \
    X(GetPhysicalDeviceFeatures2)                                                                  \
    X(GetPhysicalDeviceMemoryProperties)                                                           \
    X(GetPhysicalDeviceQueueFamilyProperties)                                                      \
    X(CreateDevice)                                                                                \
    X(GetDeviceProcAddr)
#define GPU_DEVICE_FUNCTIONS(X)                                                                    \
    X(DestroyDevice)                                                                               \
    X(GetDeviceQueue)                                                                              \
    X(CreatePipelineLayout)                                                                        \
    X(DestroyPipelineLayout)                                                                       \
    X(CreateCommandPool)                                                                           \
    X(DestroyCommandPool)                                                                          \
    X(AllocateCommandBuffers)                                                                      \
    X(CreateSemaphore)                                                                             \
    X(DestroySemaphore)                                                                            \
    X(CreateBuffer)                                                                                \
    X(DestroyBuffer)                                                                               \
    X(GetBufferMemoryRequirements)                                                                 \
    X(AllocateMemory)                                                                              \
    X(FreeMemory)                                                                                  \
    X(BindBufferMemory)                                                                            \
    X(MapMemory)                                                                                   \
    X(GetBufferDeviceAddress)                                                                      \
    X(CreateShaderModule)                                                                          \
    X(DestroyShaderModule)                                                                         \
    X(CreateComputePipelines)                                                                      \
    X(DestroyPipeline)                                                                             \
    X(ResetCommandBuffer)                                                                          \
    X(BeginCommandBuffer)                                                                          \
    X(EndCommandBuffer)                                                                            \
    X(CmdBindPipeline)                                                                             \
    X(CmdPushConstants)                                                                            \
    X(CmdDispatch)                                                                                 \
    X(CmdPipelineBarrier)                                                                          \
    X(CmdCopyBuffer)                                                                               \
    X(QueueSubmit)                                                                                 \
    X(WaitSemaphores)

typedef struct GpuFunctions {
    PFN_vkGetInstanceProcAddr GetInstanceProcAddr;
    PFN_vkCreateInstance CreateInstance;
#define GPU_FUNCTION(name) PFN_vk##name name;
    GPU_INSTANCE_FUNCTIONS(GPU_FUNCTION)
    GPU_DEVICE_FUNCTIONS(GPU_FUNCTION)
#undef GPU_FUNCTION
} GpuFunctions;

typedef struct GpuBuffer {
    VkBuffer buffer;
    VkDeviceMemory memory;
    VkDeviceAddress address;
    uint64_t bytes; /* what it takes of the device's memory */
    void *mapped;   /* NULL: only the device can reach it */
} GpuBuffer;

/* Rows and, behind them, their factors, in one buffer no larger than the device's largest. */
typedef struct GpuChunk {
    GpuBuffer buffer;
    uint32_t first_row, row_count;
} GpuChunk;

typedef struct GpuSet {
    uint64_t set, generation;
    uint64_t used; /* the Gpu's clock at the last use */
    uint64_t bytes;
    size_t stride;
    uint32_t row_count;
    bool factors;
    GpuChunk *chunks;
    size_t chunk_count;
} GpuSet;

typedef enum GpuShader { GPU_SHADER_SCAN, GPU_SHADER_MERGE } GpuShader;

/* What a pipeline is made for; shaders read these as specialisation constants 0 to 4. */
typedef struct GpuVariant {
    uint32_t workgroup, capacity, lines, metric, query_lines;
} GpuVariant;

typedef struct GpuPipeline {
    GpuShader shader;
    GpuVariant variant;
    VkPipeline pipeline;
    uint64_t used;
} GpuPipeline;

typedef struct GpuLimits {
    uint32_t subgroup, shared_bytes, workgroup_count_max;
    uint32_t loop_iterations_max; /* of one invocation; UINT32_MAX: as many as it likes */
    uint64_t chunk_bytes;
    bool float_controls; /* may be told how to treat f32 (shaders/common.glsl) */
    bool unified;        /* its memory is the machine's: rows are written in place */
} GpuLimits;

struct Gpu {
    pthread_mutex_t lock; /* one call at a time */
    GpuOptions options;   /* `device` is only borrowed while opening */
    GpuFault *fault;
    const char *failed; /* name of the last Vulkan call that failed */
    bool dead;

    void *library;
    GpuFunctions vk;
    VkInstance instance;
    VkDebugUtilsMessengerEXT messenger;
    uint32_t message_count; /* atomic */

    VkPhysicalDevice physical;
    VkPhysicalDeviceProperties properties;
    VkPhysicalDeviceMemoryProperties memory;
    GpuLimits limits;
    uint32_t family; /* of the queue */
    VkDevice device;
    VkQueue queue;
    VkPipelineLayout layout;
    VkCommandPool pool;
    VkCommandBuffer commands;
    VkSemaphore done; /* counts submissions that ended */
    uint64_t submitted;

    GpuBuffer staging; /* the machine can reach it: data on its way in, keys on their way out */
    GpuBuffer work;    /* query, bits, lists of keys; grows */
    GpuPipeline pipelines[PIPELINE_COUNT_MAX];
    size_t pipeline_count;
    GpuSet **sets;
    size_t set_count, set_capacity;
    uint64_t clock, resident_bytes, budget_bytes;
};

/* Calls Vulkan unless the fault plug says otherwise; keeps what failed in mind. */
#define VK(gpu, name, ...)                                                                         \
    gpu_note((gpu), "vk" #name,                                                                    \
             gpu_fault(gpu) ? (VkResult)(gpu)->fault->result : (gpu)->vk.name(__VA_ARGS__))
#define TRY_VK(expression)                                                                         \
    do {                                                                                           \
        VkResult try_result_ = (expression);                                                       \
        if (try_result_ != VK_SUCCESS) return try_result_;                                         \
    } while (0)

/* loader.c: the library, the instance, failures. */
Error *gpu_loader_open(Gpu *gpu) MUST_CHECK;
void gpu_loader_close(Gpu *gpu);
bool gpu_fault(Gpu *gpu); /* counts a call; should it fail? */
VkResult gpu_note(Gpu *gpu, const char *call, VkResult result);
Error *gpu_error(const Gpu *gpu, VkResult result); /* of the call noted last; NULL for success */

/* device.c: which device, and what is made of it once. */
Error *gpu_device_open(Gpu *gpu) MUST_CHECK;
void gpu_device_close(Gpu *gpu);
const char *gpu_device_kind(VkPhysicalDeviceType type);

/* memory.c */
typedef enum GpuPlace {
    GPU_PLACE_DEVICE,  /* fast for the device */
    GPU_PLACE_UNIFIED, /* both at once: only where limits.unified says so */
    GPU_PLACE_STAGING  /* fast for the machine */
} GpuPlace;
enum { STAGING_BYTES = 16 << 20 }; /* large enough that a submission costs little beside its copy */
VkResult gpu_buffer_create(Gpu *gpu, uint64_t bytes, GpuPlace place, GpuBuffer *out);
void gpu_buffer_destroy(Gpu *gpu, GpuBuffer *buffer);
/* Brings bytes into a buffer, through staging where it is not mapped. */
VkResult gpu_buffer_write(Gpu *gpu, GpuBuffer *to, uint64_t offset, const void *data,
                          uint64_t bytes);

/* submit.c: one command buffer, recorded, run and waited for. */
VkResult gpu_record(Gpu *gpu);
void gpu_barrier(Gpu *gpu); /* what comes after sees what came before */
void gpu_copy(Gpu *gpu, const GpuBuffer *from, uint64_t from_offset, const GpuBuffer *to,
              uint64_t to_offset, uint64_t bytes);
VkResult gpu_run(Gpu *gpu);
/* Is nothing left running that uses memory? Waits for it once more, at most GPU_TIMEOUT_NS. */
bool gpu_settled(Gpu *gpu);

/* pipeline.c */
VkResult gpu_pipeline(Gpu *gpu, GpuShader shader, const GpuVariant *variant, VkPipeline *out);
void gpu_pipelines_close(Gpu *gpu);

/* resident.c */
Error *gpu_alive(const Gpu *gpu) MUST_CHECK;
GpuSet *gpu_set_find(Gpu *gpu, uint64_t set);
void gpu_sets_close(Gpu *gpu);

/* topk.c: without the lock. */
Error *gpu_topk_set(Gpu *gpu, GpuSet *set, const GpuQuery *query, uint64_t *keys,
                    uint32_t *key_count) MUST_CHECK;

/* selftest.c: refuses a device whose bits are not the definition's. */
Error *gpu_selftest(Gpu *gpu) MUST_CHECK;
#endif
