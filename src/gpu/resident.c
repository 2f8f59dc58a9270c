/*
 * resident.c - sets of rows in the device's memory, under a budget.
 *
 * A set is cut into chunks, buffers no larger than a device's largest; in each the rows come first,
 * their factors (for cosine) behind them. Row numbers run through the set. A set is written once
 * and never changed: new rows are a new generation, which replaces the old one.
 *
 * When the budget is reached, or the device says that its memory is, the least recently used set
 * leaves, then the next. Budgets are promises only: an allocation may fail at any time, and then
 * the caller answers without the device.
 *
 * Invariants: resident_bytes is the sum of `bytes` over sets and at most budget_bytes; a set is in
 * the table only when all of its rows are on the device. A dead device's sets stay until gpu_close,
 * because work of unknown fate may still read them.
 */
#include "config.h"

#include "gpu/gpu_internal.h"
#include <assert.h>

Error *gpu_alive(const Gpu *gpu)
{
    if (!gpu->dead) return NULL;
    return error_new(ERROR_GPU, "%s was lost earlier", gpu->properties.deviceName);
}

GpuSet *gpu_set_find(Gpu *gpu, uint64_t set)
{
    for (size_t i = 0; i < gpu->set_count; i++)
        if (gpu->sets[i]->set == set) return gpu->sets[i];
    return NULL;
}

static void set_destroy(Gpu *gpu, GpuSet *set)
{
    for (size_t i = 0; i < set->chunk_count; i++)
        gpu_buffer_destroy(gpu, &set->chunks[i].buffer);
    mem_free(set->chunks);
    mem_free(set);
}

static void leave(Gpu *gpu, GpuSet *set)
{
    size_t i = 0;
    while (gpu->sets[i] != set)
        i++;
    gpu->sets[i] = gpu->sets[--gpu->set_count];
    assert(gpu->resident_bytes >= set->bytes);
    gpu->resident_bytes -= set->bytes;
    set_destroy(gpu, set);
}

/* Does somebody leave? */
static bool evict(Gpu *gpu)
{
    GpuSet *oldest = NULL;
    for (size_t i = 0; i < gpu->set_count; i++)
        if (oldest == NULL || gpu->sets[i]->used < oldest->used) oldest = gpu->sets[i];
    if (oldest != NULL) leave(gpu, oldest);
    return oldest != NULL;
}

static uint64_t row_bytes(const GpuSet *set)
{
    return (set->stride + set->factors) * sizeof(float);
}

static VkResult allocate(Gpu *gpu, GpuSet *set)
{
    bool unified = gpu->limits.unified && !gpu->options.stage;
    GpuPlace place = unified ? GPU_PLACE_UNIFIED : GPU_PLACE_DEVICE;
    for (size_t i = 0; i < set->chunk_count; i++) {
        GpuChunk *chunk = &set->chunks[i];
        VkResult result;
        do
            result =
                gpu_buffer_create(gpu, chunk->row_count * row_bytes(set), place, &chunk->buffer);
        while (result == VK_ERROR_OUT_OF_DEVICE_MEMORY && !gpu->dead && evict(gpu));
        TRY_VK(result);
        set->bytes += chunk->buffer.bytes;
    }
    return VK_SUCCESS;
}

/* Rows `from` onwards of the piece that begins at row `piece_first` of the set, as many as the
 * chunk holds. */
static VkResult fill(Gpu *gpu, const GpuSet *set, GpuChunk *chunk, const GpuRows *piece,
                     uint64_t piece_first)
{
    uint64_t chunk_end = (uint64_t)chunk->first_row + chunk->row_count,
             piece_end = piece_first + piece->count,
             from = piece_first > chunk->first_row ? piece_first : chunk->first_row,
             to = piece_end < chunk_end ? piece_end : chunk_end, stride = set->stride;
    if (from >= to) return VK_SUCCESS;
    uint64_t at = from - chunk->first_row, in_piece = from - piece_first;
    TRY_VK(gpu_buffer_write(gpu, &chunk->buffer, at * stride * sizeof(float),
                            piece->rows + in_piece * stride, (to - from) * stride * sizeof(float)));
    if (!set->factors) return VK_SUCCESS;
    return gpu_buffer_write(gpu, &chunk->buffer, (chunk->row_count * stride + at) * sizeof(float),
                            piece->factors + in_piece, (to - from) * sizeof(float));
}

static VkResult fill_all(Gpu *gpu, GpuSet *set, const GpuRows *pieces, size_t piece_count)
{
    uint64_t first = 0;
    for (size_t p = 0; p < piece_count; first += pieces[p++].count)
        for (size_t c = 0; c < set->chunk_count; c++)
            TRY_VK(fill(gpu, set, &set->chunks[c], &pieces[p], first));
    return VK_SUCCESS;
}

static void cut(Gpu *gpu, GpuSet *set)
{
    uint64_t per_chunk = gpu->limits.chunk_bytes / row_bytes(set);
    if (per_chunk == 0) per_chunk = 1;
    set->chunk_count = (set->row_count + per_chunk - 1) / per_chunk;
    set->chunks = mem_calloc(set->chunk_count, sizeof *set->chunks);
    for (size_t i = 0; i < set->chunk_count; i++) {
        uint64_t first = i * per_chunk, left = set->row_count - first;
        set->chunks[i].first_row = (uint32_t)first;
        set->chunks[i].row_count = (uint32_t)(left < per_chunk ? left : per_chunk);
    }
}

/* Room under the budget, if need be by making others leave. */
static Error *make_room(Gpu *gpu, uint64_t bytes)
{
    if (bytes > gpu->budget_bytes)
        return error_new(ERROR_GPU, "rows of %llu bytes are more than %s may keep (%llu)",
                         (unsigned long long)bytes, gpu->properties.deviceName,
                         (unsigned long long)gpu->budget_bytes);
    while (gpu->resident_bytes + bytes > gpu->budget_bytes)
        if (!evict(gpu)) break;
    return NULL;
}

static Error *bring(Gpu *gpu, GpuSet *set, const GpuRows *pieces, size_t piece_count)
{
    TRY(make_room(gpu, set->row_count * row_bytes(set)));
    cut(gpu, set);
    TRY(gpu_error(gpu, allocate(gpu, set)));
    TRY(make_room(gpu, set->bytes)); /* a device rounds up */
    return gpu_error(gpu, fill_all(gpu, set, pieces, piece_count));
}

static Error *put(Gpu *gpu, uint64_t name, uint64_t generation, const GpuRows *pieces,
                  size_t piece_count, size_t stride)
{
    uint64_t row_count = 0;
    bool factors = true;
    TRY(gpu_alive(gpu));
    GpuSet *set = gpu_set_find(gpu, name);
    if (set != NULL && set->generation == generation) return NULL;
    if (set != NULL) leave(gpu, set);
    for (size_t i = 0; i < piece_count; i++) {
        row_count += pieces[i].count;
        factors = factors && (pieces[i].factors != NULL || pieces[i].count == 0);
    }
    if (row_count >= UINT32_MAX)
        return error_new(ERROR_GPU, "%llu rows are more than keys can number",
                         (unsigned long long)row_count);
    set = mem_calloc(1, sizeof *set);
    *set = (GpuSet){.set = name,
                    .generation = generation,
                    .stride = stride,
                    .row_count = (uint32_t)row_count,
                    .factors = factors,
                    .used = ++gpu->clock};
    Error *error = bring(gpu, set, pieces, piece_count);
    if (error != NULL && !gpu->dead) {
        set_destroy(gpu, set);
        return error;
    }
    /* Of a device that died on the way even half a set is kept: it may still be written to. */
    mem_reserve(gpu->sets, gpu->set_capacity, gpu->set_count + 1);
    gpu->sets[gpu->set_count++] = set;
    gpu->resident_bytes += set->bytes;
    return error;
}

Error *gpu_put(Gpu *gpu, uint64_t set, uint64_t generation, const GpuRows *pieces,
               size_t piece_count, size_t stride)
{
    assert(set != 0 && stride > 0 && stride % GPU_LINE_FLOATS == 0);
    pthread_mutex_lock(&gpu->lock);
    Error *error = put(gpu, set, generation, pieces, piece_count, stride);
    pthread_mutex_unlock(&gpu->lock);
    return error;
}

bool gpu_resident(Gpu *gpu, uint64_t set, uint64_t generation)
{
    pthread_mutex_lock(&gpu->lock);
    const GpuSet *found = gpu->dead ? NULL : gpu_set_find(gpu, set);
    bool resident = found != NULL && found->generation == generation;
    pthread_mutex_unlock(&gpu->lock);
    return resident;
}

void gpu_drop(Gpu *gpu, uint64_t set)
{
    pthread_mutex_lock(&gpu->lock);
    GpuSet *found = gpu->dead ? NULL : gpu_set_find(gpu, set);
    if (found != NULL) leave(gpu, found);
    pthread_mutex_unlock(&gpu->lock);
}

void gpu_sets_close(Gpu *gpu)
{
    for (size_t i = 0; i < gpu->set_count; i++)
        set_destroy(gpu, gpu->sets[i]);
    mem_free(gpu->sets);
    gpu->sets = NULL;
    gpu->set_count = gpu->set_capacity = 0;
}
