/*
 * loader.c - the Vulkan library, opened when it is first wanted, and what its failures are called.
 *
 * libvulkan is not linked: a program without a GPU starts as fast as before and runs where the
 * library is missing. Functions are looked up by name into one table; every call that can fail goes
 * through VK(), which counts it for the fault plug and remembers its name.
 *
 * Validation layers are the Khronos ones with synchronisation validation; their messages go to
 * standard error and are counted, so that a test can want none.
 */
#include "config.h"

#include "gpu/gpu_internal.h"
#include <dlfcn.h>
#include <stdio.h>

bool gpu_fault(Gpu *gpu)
{
    return gpu->fault != NULL && ++gpu->fault->calls == gpu->fault->at;
}

VkResult gpu_note(Gpu *gpu, const char *call, VkResult result)
{
    if (result != VK_SUCCESS) gpu->failed = call;
    if (result == VK_ERROR_DEVICE_LOST) gpu->dead = true;
    return result;
}

static const char *result_name(VkResult result)
{
    switch (result) {
    case VK_TIMEOUT: return "it took too long";
    case VK_ERROR_OUT_OF_HOST_MEMORY: return "the machine is out of memory";
    case VK_ERROR_OUT_OF_DEVICE_MEMORY: return "the device is out of memory";
    case VK_ERROR_DEVICE_LOST: return "the device is lost";
    case VK_ERROR_MEMORY_MAP_FAILED: return "memory could not be mapped";
    case VK_ERROR_INITIALIZATION_FAILED: return "it could not be started";
    case VK_ERROR_LAYER_NOT_PRESENT: return "the validation layers are not installed";
    case VK_ERROR_EXTENSION_NOT_PRESENT: return "an extension is missing";
    case VK_ERROR_FEATURE_NOT_PRESENT: return "a feature is missing";
    case VK_ERROR_INCOMPATIBLE_DRIVER: return "there is no driver";
    case VK_ERROR_TOO_MANY_OBJECTS: return "there are too many objects";
    default: return "it failed";
    }
}

Error *gpu_error(const Gpu *gpu, VkResult result)
{
    if (result == VK_SUCCESS) return NULL;
    return error_new(ERROR_GPU, "%s: %s (%d)", gpu->failed == NULL ? "Vulkan" : gpu->failed,
                     result_name(result), (int)result);
}

static VKAPI_ATTR VkBool32 VKAPI_CALL heard(VkDebugUtilsMessageSeverityFlagBitsEXT severity,
                                            VkDebugUtilsMessageTypeFlagsEXT type,
                                            const VkDebugUtilsMessengerCallbackDataEXT *data,
                                            void *user)
{
    Gpu *gpu = user;
    (void)severity, (void)type;
    __atomic_add_fetch(&gpu->message_count, 1, __ATOMIC_RELAXED);
    fprintf(stderr, "vulkan: %s\n", data->pMessage);
    return VK_FALSE;
}

static VkResult create_instance(Gpu *gpu)
{
    static const char *const layers[] = {"VK_LAYER_KHRONOS_validation"},
                             *const extensions[] = {VK_EXT_DEBUG_UTILS_EXTENSION_NAME};
    static const VkValidationFeatureEnableEXT more[] = {
        VK_VALIDATION_FEATURE_ENABLE_SYNCHRONIZATION_VALIDATION_EXT};
    VkValidationFeaturesEXT features = {.sType = VK_STRUCTURE_TYPE_VALIDATION_FEATURES_EXT,
                                        .enabledValidationFeatureCount = 1,
                                        .pEnabledValidationFeatures = more};
    VkApplicationInfo application = {.sType = VK_STRUCTURE_TYPE_APPLICATION_INFO,
                                     .pApplicationName = "contextql",
                                     .apiVersion = VK_API_VERSION_1_3};
    bool validate = gpu->options.validate;
    VkInstanceCreateInfo info = {.sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO,
                                 .pNext = validate ? &features : NULL,
                                 .pApplicationInfo = &application,
                                 .enabledLayerCount = validate,
                                 .ppEnabledLayerNames = layers,
                                 .enabledExtensionCount = validate,
                                 .ppEnabledExtensionNames = extensions};
    return VK(gpu, CreateInstance, &info, NULL, &gpu->instance);
}

static VkResult create_messenger(Gpu *gpu)
{
    VkDebugUtilsMessengerCreateInfoEXT info = {
        .sType = VK_STRUCTURE_TYPE_DEBUG_UTILS_MESSENGER_CREATE_INFO_EXT,
        .messageSeverity = VK_DEBUG_UTILS_MESSAGE_SEVERITY_WARNING_BIT_EXT |
                           VK_DEBUG_UTILS_MESSAGE_SEVERITY_ERROR_BIT_EXT,
        .messageType = VK_DEBUG_UTILS_MESSAGE_TYPE_VALIDATION_BIT_EXT |
                       VK_DEBUG_UTILS_MESSAGE_TYPE_PERFORMANCE_BIT_EXT,
        .pfnUserCallback = heard,
        .pUserData = gpu};
    return VK(gpu, CreateDebugUtilsMessengerEXT, gpu->instance, &info, NULL, &gpu->messenger);
}

Error *gpu_loader_open(Gpu *gpu)
{
    GpuFunctions *vk = &gpu->vk;
    gpu->library = dlopen("libvulkan.so.1", RTLD_NOW | RTLD_LOCAL);
    if (gpu->library == NULL)
        return error_hint(error_new(ERROR_GPU, "there is no Vulkan loader (libvulkan.so.1)"),
                          "install it (package libvulkan1), or SET gpu = 'off'");
    vk->GetInstanceProcAddr =
        (PFN_vkGetInstanceProcAddr)dlsym(gpu->library, "vkGetInstanceProcAddr");
    if (vk->GetInstanceProcAddr == NULL)
        return error_new(ERROR_GPU, "libvulkan.so.1 has no vkGetInstanceProcAddr");
    vk->CreateInstance =
        (PFN_vkCreateInstance)vk->GetInstanceProcAddr(VK_NULL_HANDLE, "vkCreateInstance");
    if (vk->CreateInstance == NULL)
        return error_new(ERROR_GPU, "libvulkan.so.1 has no vkCreateInstance");
    TRY(gpu_error(gpu, create_instance(gpu)));
#define GPU_FUNCTION(name)                                                                         \
    vk->name = (PFN_vk##name)vk->GetInstanceProcAddr(gpu->instance, "vk" #name);
    GPU_INSTANCE_FUNCTIONS(GPU_FUNCTION)
#undef GPU_FUNCTION
    return gpu->options.validate ? gpu_error(gpu, create_messenger(gpu)) : NULL;
}

void gpu_loader_close(Gpu *gpu)
{
    if (gpu->messenger != VK_NULL_HANDLE)
        gpu->vk.DestroyDebugUtilsMessengerEXT(gpu->instance, gpu->messenger, NULL);
    if (gpu->instance != VK_NULL_HANDLE) gpu->vk.DestroyInstance(gpu->instance, NULL);
    if (gpu->library != NULL) dlclose(gpu->library);
}
