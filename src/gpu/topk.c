/*
 * topk.c - one query against a resident set: scan, then merge, in one submission.
 *
 * scan.comp gives each workgroup a run of rows and leaves its k best keys; merge.comp makes one
 * list of up to MERGE_LISTS, again and again until one is left. The order of keys is total, so
 * neither the cutting nor the order of merging shows in the answer.
 *
 *   work    query | bits of rows that take part | lists | lists (from one to the other and back)
 *   staging query | keys that come back | bits, where they fit; else they go ahead in pieces
 *
 * Sizes that a driver may not refuse but gets wrong are counted here: shared memory, workgroups,
 * and on a software device the iterations of loops (device.c). Those are counted by the shaders'
 * own loops, for the worst case of rows in ascending order of score, when every row enters the
 * queue.
 */
#include "config.h"

#include "gpu/gpu_internal.h"
#include <assert.h>
#include <string.h>

enum {
    CAPACITY_MIN = 256, /* below it more flushes cost more than a longer list */
    MERGE_LISTS = 64,
    ROWS_AT_ONCE = WORKGROUP / 8, /* eight invocations share a row */
    GROUPS_WANTED = 2048,         /* enough to fill the largest devices several times over */
    ROWS_A_GROUP_MIN = 1024,
    LISTS_A_ROW_MIN = 8,            /* rows of a group against the k keys it leaves */
    STAGING_QUERY_BYTES = 64 << 10, /* 16,384 floats */
    STAGING_KEYS = STAGING_QUERY_BYTES,
    STAGING_BITS = STAGING_KEYS + GPU_K_MAX * (int)sizeof(uint64_t),
    LINE_BYTES = GPU_LINE_FLOATS * (int)sizeof(float)
};
#define WORK_BYTES_MAX (UINT64_C(1) << 30) /* what every device allows a buffer to have */

/* As the shaders have them, in scalar layout. */
typedef struct ScanArguments {
    uint64_t rows, query, factors, present, keys;
    uint32_t row_count, first_row, k, rows_per_group;
    float query_factor;
} ScanArguments;
typedef struct MergeArguments {
    uint64_t from, to;
    uint32_t key_count, k, keys_per_group;
} MergeArguments;

/* A query's sizes. Offsets are into `work`. */
typedef struct Shape {
    GpuVariant scan, merge;
    uint32_t k, rows_per_group, group_count;
    uint64_t bits_bytes, bits_offset, lists_offset[2], work_bytes;
} Shape;

static uint32_t capacity_for(uint32_t k)
{
    uint32_t capacity = CAPACITY_MIN;
    while (capacity < k)
        capacity *= 2;
    return capacity;
}

/* A loop over `count` things by all invocations together: its rounds, and the look that ends it. */
static uint64_t loop(uint64_t count)
{
    return (count + WORKGROUP - 1) / WORKGROUP + 1;
}

/* Iterations of select_flush of select.glsl, counted as device.c says. */
static uint64_t flush_iterations(uint64_t capacity)
{
    uint64_t levels = (uint64_t)__builtin_ctzll(capacity), total = loop(capacity);
    total += levels + 1;
    for (uint64_t level = 1; level <= levels; level++)
        total += level + 1 + level * loop(capacity / 2);
    return total + levels + 2 + (levels + 1) * loop(capacity);
}

/* Iterations of a workgroup's `rounds`, in each of which `arrivals` keys come to the queue. */
static uint64_t select_iterations(uint64_t capacity, uint64_t rounds, uint64_t arrivals)
{
    uint64_t rounds_a_flush = capacity / arrivals, flushes = rounds / rounds_a_flush + 1;
    return flushes * flush_iterations(capacity) + loop(2 * capacity) + loop(capacity);
}

static uint64_t scan_iterations(const Shape *shape, uint64_t rows)
{
    uint64_t rounds = (rows + ROWS_AT_ONCE - 1) / ROWS_AT_ONCE, lines = shape->scan.lines;
    return rounds * (lines / 2 + 3) + loop(lines * 4) +
           select_iterations(shape->scan.capacity, rounds, ROWS_AT_ONCE);
}

/* Rows of a workgroup: few enough to keep a device busy, many enough to be worth a list, and within
 * what a device can do. */
static uint32_t rows_per_group(const Gpu *gpu, const Shape *shape, const GpuSet *set)
{
    uint64_t rows = set->row_count / GROUPS_WANTED + 1,
             rows_min = (uint64_t)shape->k * LISTS_A_ROW_MIN;
    if (rows_min < ROWS_A_GROUP_MIN) rows_min = ROWS_A_GROUP_MIN;
    if (rows < rows_min) rows = rows_min;
    uint64_t groups_max = gpu->limits.workgroup_count_max;
    if (rows < set->row_count / groups_max + 1) rows = set->row_count / groups_max + 1;
    while (rows > ROWS_AT_ONCE && scan_iterations(shape, rows) > gpu->limits.loop_iterations_max)
        rows /= 2;
    return (uint32_t)((rows + ROWS_AT_ONCE - 1) / ROWS_AT_ONCE * ROWS_AT_ONCE);
}

static uint32_t groups_of(const GpuChunk *chunk, uint32_t rows)
{
    return (chunk->row_count + rows - 1) / rows;
}

static VkResult shape_of(Gpu *gpu, const GpuSet *set, const GpuQuery *query, Shape *out)
{
    uint32_t lines = (uint32_t)(set->stride / GPU_LINE_FLOATS), capacity = capacity_for(query->k);
    uint64_t shared = 2 * capacity * sizeof(uint64_t) + 2 * sizeof(uint64_t);
    bool query_fits = shared + lines * LINE_BYTES <= gpu->limits.shared_bytes;
    assert(shared + LINE_BYTES <= gpu->limits.shared_bytes);
    *out = (Shape){.k = query->k,
                   .scan = {WORKGROUP, capacity, lines, query->metric, query_fits ? lines : 1},
                   .merge = {WORKGROUP, capacity, 0, 0, 0}};
    assert(select_iterations(capacity, MERGE_LISTS * query->k / WORKGROUP + 1, WORKGROUP) <
           gpu->limits.loop_iterations_max);
    out->rows_per_group = rows_per_group(gpu, out, set);
    for (size_t i = 0; i < set->chunk_count; i++) {
        uint32_t groups = groups_of(&set->chunks[i], out->rows_per_group);
        if (groups > gpu->limits.workgroup_count_max)
            return gpu_note(gpu, "too many workgroups", VK_ERROR_TOO_MANY_OBJECTS);
        out->group_count += groups;
    }
    uint64_t list_bytes = out->k * sizeof(uint64_t), lists_bytes = out->group_count * list_bytes,
             merged_bytes = (out->group_count + MERGE_LISTS - 1) / MERGE_LISTS * list_bytes;
    if (query->present != NULL)
        out->bits_bytes = (set->row_count + UINT64_C(63)) / 64 * sizeof(uint64_t);
    out->bits_offset = set->stride * sizeof(float);
    out->lists_offset[0] = out->bits_offset + out->bits_bytes;
    out->lists_offset[1] = out->lists_offset[0] + lists_bytes;
    out->work_bytes = out->lists_offset[1] + merged_bytes;
    if (out->work_bytes > WORK_BYTES_MAX)
        return gpu_note(gpu, "work memory", VK_ERROR_OUT_OF_DEVICE_MEMORY);
    return VK_SUCCESS;
}

static VkResult reserve_work(Gpu *gpu, uint64_t bytes)
{
    if (gpu->work.bytes >= bytes) return VK_SUCCESS;
    gpu_buffer_destroy(gpu, &gpu->work);
    uint64_t more = bytes + bytes / 2;
    return gpu_buffer_create(gpu, more < WORK_BYTES_MAX ? more : bytes, GPU_PLACE_DEVICE,
                             &gpu->work);
}

static void dispatch(Gpu *gpu, VkPipeline pipeline, const void *arguments, uint32_t bytes,
                     uint32_t groups)
{
    gpu->vk.CmdBindPipeline(gpu->commands, VK_PIPELINE_BIND_POINT_COMPUTE, pipeline);
    gpu->vk.CmdPushConstants(gpu->commands, gpu->layout, VK_SHADER_STAGE_COMPUTE_BIT, 0, bytes,
                             arguments);
    gpu->vk.CmdDispatch(gpu->commands, groups, 1, 1);
}

/* One dispatch a chunk; lists lie one behind the other. */
static void scan(Gpu *gpu, const GpuSet *set, const GpuQuery *query, const Shape *shape,
                 VkPipeline pipeline)
{
    uint64_t work = gpu->work.address, keys = work + shape->lists_offset[0];
    for (size_t i = 0; i < set->chunk_count; i++) {
        const GpuChunk *chunk = &set->chunks[i];
        uint64_t rows = chunk->buffer.address;
        uint32_t groups = groups_of(chunk, shape->rows_per_group);
        ScanArguments arguments = {
            .rows = rows,
            .query = work,
            .factors = set->factors ? rows + chunk->row_count * set->stride * sizeof(float) : 0,
            .present = query->present != NULL ? work + shape->bits_offset : 0,
            .keys = keys,
            .row_count = chunk->row_count,
            .first_row = chunk->first_row,
            .k = shape->k,
            .rows_per_group = shape->rows_per_group,
            .query_factor = query->factor};
        dispatch(gpu, pipeline, &arguments, sizeof arguments, groups);
        keys += groups * (uint64_t)shape->k * sizeof(uint64_t);
    }
}

/* Returns the offset in `work` where the one list is in the end. */
static uint64_t merge(Gpu *gpu, const Shape *shape, VkPipeline pipeline)
{
    uint64_t from = shape->lists_offset[0], to = shape->lists_offset[1];
    for (uint32_t lists = shape->group_count; lists > 1;) {
        MergeArguments arguments = {gpu->work.address + from, gpu->work.address + to,
                                    lists * shape->k, shape->k, MERGE_LISTS * shape->k};
        lists = (lists + MERGE_LISTS - 1) / MERGE_LISTS;
        dispatch(gpu, pipeline, &arguments, sizeof arguments, lists);
        gpu_barrier(gpu);
        uint64_t swap = from;
        from = to, to = swap;
    }
    return from;
}

/* Query and bits into staging; bits that do not fit are brought to their place at once. */
static VkResult stage(Gpu *gpu, const GpuSet *set, const GpuQuery *query, const Shape *shape)
{
    char *staging = gpu->staging.mapped;
    bool bits_fit = shape->bits_bytes <= STAGING_BYTES - STAGING_BITS;
    if (!bits_fit)
        TRY_VK(gpu_buffer_write(gpu, &gpu->work, shape->bits_offset, query->present,
                                shape->bits_bytes));
    memcpy(staging, query->query, set->stride * sizeof(float));
    if (bits_fit && shape->bits_bytes > 0)
        memcpy(staging + STAGING_BITS, query->present, shape->bits_bytes);
    TRY_VK(gpu_record(gpu));
    gpu_copy(gpu, &gpu->staging, 0, &gpu->work, 0, set->stride * sizeof(float));
    if (bits_fit && shape->bits_bytes > 0)
        gpu_copy(gpu, &gpu->staging, STAGING_BITS, &gpu->work, shape->bits_offset,
                 shape->bits_bytes);
    gpu_barrier(gpu);
    return VK_SUCCESS;
}

static VkResult answer(Gpu *gpu, const GpuSet *set, const GpuQuery *query, uint64_t *keys)
{
    Shape shape;
    VkPipeline scanning, merging;
    uint64_t bytes = query->k * sizeof(uint64_t);
    TRY_VK(shape_of(gpu, set, query, &shape));
    TRY_VK(gpu_pipeline(gpu, GPU_SHADER_SCAN, &shape.scan, &scanning));
    TRY_VK(gpu_pipeline(gpu, GPU_SHADER_MERGE, &shape.merge, &merging));
    TRY_VK(reserve_work(gpu, shape.work_bytes));
    TRY_VK(stage(gpu, set, query, &shape));
    scan(gpu, set, query, &shape, scanning);
    gpu_barrier(gpu);
    gpu_copy(gpu, &gpu->work, merge(gpu, &shape, merging), &gpu->staging, STAGING_KEYS, bytes);
    TRY_VK(gpu_run(gpu));
    memcpy(keys, (const char *)gpu->staging.mapped + STAGING_KEYS, bytes);
    return VK_SUCCESS;
}

static Error *topk(Gpu *gpu, uint64_t name, uint64_t generation, const GpuQuery *query,
                   uint64_t *keys, uint32_t *key_count)
{
    TRY(gpu_alive(gpu));
    GpuSet *set = gpu_set_find(gpu, name);
    if (set == NULL || set->generation != generation)
        return error_new(ERROR_GPU, "the rows are not on %s", gpu->properties.deviceName);
    if (query->metric == GPU_COSINE && !set->factors)
        return error_new(ERROR_GPU, "the rows on %s have no factors for cosine",
                         gpu->properties.deviceName);
    set->used = ++gpu->clock;
    bool nothing = set->row_count == 0 || (query->metric == GPU_COSINE && query->factor == 0);
    if (!nothing) TRY(gpu_error(gpu, answer(gpu, set, query, keys)));
    uint32_t count = 0;
    while (!nothing && count < query->k && keys[count] != 0)
        count++;
    *key_count = count;
    return NULL;
}

Error *gpu_topk(Gpu *gpu, uint64_t set, uint64_t generation, const GpuQuery *query, uint64_t *keys,
                uint32_t *key_count)
{
    assert(query->k >= 1 && query->k <= GPU_K_MAX);
    pthread_mutex_lock(&gpu->lock);
    Error *error = topk(gpu, set, generation, query, keys, key_count);
    pthread_mutex_unlock(&gpu->lock);
    return error;
}
