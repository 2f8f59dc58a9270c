/*
 * gpu.h - exact top-k over vectors on a GPU, through Vulkan compute. Knows rows, queries and keys,
 * never tables.
 *
 * The GPU never changes an answer: it gives the keys that vector/kernel.h defines, bit for bit, for
 * the same rows. Every failure (no loader, no driver, no fit device, out of memory, lost device,
 * a wait that is too long) is an Error of ERROR_GPU, upon which the caller answers from the CPU: a
 * query never fails because of a GPU. After a lost device or an endless wait the Gpu is dead and
 * every further call fails at once.
 *
 * Threads: one at a time for gpu_open, gpu_close; the others may be called from any thread, one
 * waits for the other.
 */
#ifndef GPU_GPU_H
#define GPU_GPU_H
#include "base/error.h"

typedef struct Gpu Gpu;

enum {
    GPU_K_MAX = 1024,        /* what block select holds in 32 KiB of shared memory */
    GPU_LINE_FLOATS = 16,    /* rows are whole lines of 64 bytes */
    GPU_NAME_BYTES_MAX = 256 /* as Vulkan has it */
};

/* What every Vulkan call that can fail passes through; tests make calls fail with it. */
typedef struct GpuFault {
    uint32_t at;    /* which call fails, counted from 1; 0: none */
    int32_t result; /* the VkResult it fails with */
    uint32_t calls; /* calls so far */
} GpuFault;

typedef struct GpuOptions {
    const char *device;    /* part of a device's name or its number; NULL: the best */
    bool software;         /* devices of kind CPU are welcome: only where somebody forces it */
    bool validate;         /* with the Khronos validation layers; messages are counted */
    bool stage;            /* through staging memory even where the device's can be mapped */
    uint64_t memory_bytes; /* budget for resident rows; 0: 80 % of the device's heap */
    uint64_t
        chunk_bytes; /* largest single buffer for rows; 0: 1 GiB, less where a device wants less */
    uint64_t timeout_ns; /* longest wait for the device; 0: 10 s */
    GpuFault *fault;     /* NULL: none */
} GpuOptions;

typedef struct GpuInfo {
    char name[GPU_NAME_BYTES_MAX];
    const char *kind; /* "discrete", "integrated", "virtual", "software", "other" */
    bool software;
    uint32_t subgroup;                     /* lanes */
    uint64_t memory_bytes, resident_bytes; /* budget, and what rows hold of it */
    uint32_t resident_count;
    uint32_t message_count; /* warnings and errors of the validation layers */
    bool dead;
} GpuInfo;

/* Opens the loader, an instance and the fittest device; *out is NULL behind an error. Some 30 to
 * 300 ms: call it lazily. */
Error *gpu_open(const GpuOptions *options, Gpu **out) MUST_CHECK;
void gpu_close(Gpu *gpu); /* NULL is welcome */
void gpu_info(Gpu *gpu, GpuInfo *out);

typedef enum GpuMetric { GPU_DOT, GPU_L2, GPU_COSINE } GpuMetric;

/* A piece of rows that lie one behind the other. */
typedef struct GpuRows {
    const float *rows;    /* `count` rows of `stride` floats; stride is a multiple of 16 */
    const float *factors; /* 1 / |row|, 0 for none; NULL: this set is not for cosine */
    size_t count;
} GpuRows;

/* Brings rows to the device under the name (set, generation), replacing other generations of the
 * set; pieces are laid one behind the other, so that row numbers run through. Nothing is done when
 * they are there already. The least recently used sets leave when the budget is reached. `set` is
 * not 0. */
Error *gpu_put(Gpu *gpu, uint64_t set, uint64_t generation, const GpuRows *pieces,
               size_t piece_count, size_t stride) MUST_CHECK;
bool gpu_resident(Gpu *gpu, uint64_t set, uint64_t generation);
void gpu_drop(Gpu *gpu, uint64_t set);

typedef struct GpuQuery {
    GpuMetric metric;
    const float *query; /* `stride` floats */
    float factor;       /* cosine: 1 / |query| */
    /* Bit i of word i / 64: row i takes part; NULL: all. One bit for each row of the set. */
    const uint64_t *present;
    uint32_t k; /* 1 to GPU_K_MAX */
} GpuQuery;

/* The k best keys of a resident set, best first; room for k, *key_count of them are written (fewer
 * when fewer rows take part). */
Error *gpu_topk(Gpu *gpu, uint64_t set, uint64_t generation, const GpuQuery *query, uint64_t *keys,
                uint32_t *key_count) MUST_CHECK;
#endif
