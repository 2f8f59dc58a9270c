/*
 * device.c - one graphics device for a database, behind a lock.
 *
 * It is opened by the first scan that wants it, with that session's settings. A session that names
 * another device, or another amount of memory, has it opened anew. An opening that failed is not
 * tried again with the same settings: a driver does not appear while a program runs, and asking
 * takes long. A device that was lost or did not answer in time is closed, and counts as such an
 * opening.
 *
 * Rows go to the device as one set a column. Its blocks lie one behind the other there, so that a
 * key's row number means a block and a row in it; blocks may be short, so bits of who takes part are
 * shifted into place.
 */
#include "config.h"

#include "gpu/gpu.h"
#include "vector/device.h"
#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

_Static_assert((int)VECTOR_DEVICE_K_MAX == (int)GPU_K_MAX, "what the shaders hold");
_Static_assert((int)VECTOR_LINE_FLOATS == (int)GPU_LINE_FLOATS, "one layout");
_Static_assert((int)GPU_DOT == (int)VECTOR_DOT && (int)GPU_L2 == (int)VECTOR_L2 &&
                   (int)GPU_COSINE == (int)VECTOR_COSINE,
               "one list of metrics");

struct VectorDevice {
    pthread_mutex_t lock;
    Gpu *gpu; /* NULL: not open */
    bool tried, software;
    char name[VECTOR_DEVICE_TEXT_MAX]; /* it was opened with these, or tried to */
    uint64_t memory_bytes;
    bool is_software, is_discrete;
    uint32_t scans; /* that were large enough */
    uint64_t answers, failures;
    char reason[VECTOR_DEVICE_TEXT_MAX];
};

VectorDevice *vector_device_create(void)
{
    VectorDevice *device = mem_calloc(1, sizeof *device);
    pthread_mutex_init(&device->lock, NULL);
    return device;
}

void vector_device_destroy(VectorDevice *device)
{
    if (device == NULL) return;
    gpu_close(device->gpu);
    pthread_mutex_destroy(&device->lock);
    mem_free(device);
}

/* Closing gives all rows back; the next scan opens it again. */
void vector_device_forget(VectorDevice *device)
{
    pthread_mutex_lock(&device->lock);
    if (device->gpu != NULL) {
        gpu_close(device->gpu);
        device->gpu = NULL;
        device->tried = false;
    }
    pthread_mutex_unlock(&device->lock);
}

static void failed(VectorDevice *device, Error *error)
{
    device->failures++;
    snprintf(device->reason, sizeof device->reason, "%s", error_message(error));
    error_drop(error); /* the CPU answers */
}

static bool opened_with(const VectorDevice *device, const VectorDeviceOptions *options)
{
    bool forced = options->use == VECTOR_DEVICE_FORCE;
    return device->tried && strcmp(device->name, options->name) == 0 &&
           device->memory_bytes == options->memory_bytes && (device->software || !forced);
}

static void open_device(VectorDevice *device, const VectorDeviceOptions *options)
{
    if (opened_with(device, options)) return;
    gpu_close(device->gpu);
    device->gpu = NULL;
    device->tried = true;
    device->software = options->use == VECTOR_DEVICE_FORCE;
    snprintf(device->name, sizeof device->name, "%s", options->name);
    device->memory_bytes = options->memory_bytes;
    GpuOptions how = {.device = options->name[0] == '\0' ? NULL : options->name,
                      .software = device->software,
                      .memory_bytes = options->memory_bytes};
    Error *error = gpu_open(&how, &device->gpu);
    if (error != NULL) {
        failed(device, error);
        return;
    }
    GpuInfo info;
    gpu_info(device->gpu, &info);
    device->is_software = info.software;
    device->is_discrete = strcmp(info.kind, "discrete") == 0;
}

void vector_device_open(VectorDevice *device, const VectorDeviceOptions *options)
{
    if (options->use == VECTOR_DEVICE_OFF) return;
    pthread_mutex_lock(&device->lock);
    open_device(device, options);
    pthread_mutex_unlock(&device->lock);
}

bool vector_device_wanted(VectorDevice *device, const VectorDeviceOptions *options, uint64_t bytes)
{
    if (options->use == VECTOR_DEVICE_OFF) return false;
    bool forced = options->use == VECTOR_DEVICE_FORCE, wanted = false;
    pthread_mutex_lock(&device->lock);
    if (!forced && bytes >= VECTOR_DEVICE_BYTES_MIN && device->scans < VECTOR_DEVICE_SCANS_MIN)
        device->scans++;
    else if (forced || bytes >= VECTOR_DEVICE_BYTES_MIN) {
        open_device(device, options);
        wanted = device->gpu != NULL && (forced || device->is_discrete);
    }
    pthread_mutex_unlock(&device->lock);
    return wanted;
}

/* ---- a query ---- */

static void put_bits(uint64_t *out, size_t at, const uint64_t *bits, size_t count)
{
    for (size_t i = 0; i < count; i += 64) {
        uint64_t word = bits == NULL ? UINT64_MAX : bits[i / 64];
        size_t word_at = (at + i) / 64, shift = (at + i) % 64;
        if (count - i < 64) word &= (UINT64_C(1) << (count - i)) - 1;
        out[word_at] |= word << shift;
        if (shift != 0 && word >> (64 - shift) != 0) out[word_at + 1] |= word >> (64 - shift);
    }
}

/* first_rows[b]: the row of the set at which block b begins; one more than there are blocks. */
static size_t *first_rows(const VectorSet *set)
{
    size_t *first = mem_alloc((set->block_count + 1) * sizeof *first), at = 0;
    for (size_t b = 0; b < set->block_count; b++) {
        first[b] = at;
        at += set->blocks[b].count;
    }
    first[set->block_count] = at;
    return first;
}

static uint64_t id_of(const VectorSet *set, const size_t *first, uint32_t row)
{
    size_t low = 0, high = set->block_count;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (first[middle] <= row)
            low = middle;
        else
            high = middle;
    }
    return set->blocks[low].first_id + (row - first[low]);
}

static Error *put(Gpu *gpu, const VectorSet *set, size_t stride)
{
    if (gpu_resident(gpu, set->column, set->generation)) return NULL;
    GpuRows *pieces = mem_alloc((set->block_count + 1) * sizeof *pieces);
    for (size_t b = 0; b < set->block_count; b++)
        pieces[b] = (GpuRows){set->blocks[b].rows, set->blocks[b].factors, set->blocks[b].count};
    Error *error = gpu_put(gpu, set->column, set->generation, pieces, set->block_count, stride);
    mem_free(pieces);
    return error;
}

static Error *answer(Gpu *gpu, const VectorSet *set, const VectorQuery *query, size_t k,
                     const size_t *first, TopKHit *hits, size_t *hit_count)
{
    size_t row_count = first[set->block_count];
    uint64_t *present = mem_calloc(row_count / 64 + 2, sizeof *present), keys[VECTOR_DEVICE_K_MAX];
    uint32_t key_count = 0;
    for (size_t b = 0; b < set->block_count; b++)
        put_bits(present, first[b], set->blocks[b].present, set->blocks[b].count);
    GpuQuery asked = {.metric = (GpuMetric)query->metric,
                      .query = query->query,
                      .factor = query->factor,
                      .present = present,
                      .k = (uint32_t)k};
    Error *error = gpu_topk(gpu, set->column, set->generation, &asked, keys, &key_count);
    mem_free(present);
    TRY(error);
    for (uint32_t i = 0; i < key_count; i++)
        hits[i] = (TopKHit){id_of(set, first, vector_key_row(keys[i])),
                            vector_score_of((uint32_t)(keys[i] >> 32))};
    *hit_count = key_count;
    return NULL;
}

static void close_dead(VectorDevice *device)
{
    GpuInfo info;
    gpu_info(device->gpu, &info);
    if (!info.dead) return;
    gpu_close(device->gpu);
    device->gpu = NULL; /* `tried` stays */
}

bool vector_device_topk(VectorDevice *device, const VectorSet *set, const VectorQuery *query,
                        size_t k, bool (*still)(void *state), void *state, TopKHit *hits,
                        size_t *hit_count)
{
    assert(k >= 1 && k <= VECTOR_DEVICE_K_MAX);
    if (set->block_count == 0 || (query->metric == VECTOR_COSINE && query->factor == 0))
        return *hit_count = 0, true;
    size_t *first = first_rows(set);
    bool good = false;
    pthread_mutex_lock(&device->lock);
    if (device->gpu != NULL) {
        Error *error = put(device->gpu, set, query->stride);
        if (error == NULL && !still(state))
            error = error_new(ERROR_GPU, "the vectors were being written");
        if (error == NULL) error = answer(device->gpu, set, query, k, first, hits, hit_count);
        good = error == NULL;
        if (good) device->answers++;
        if (!good) failed(device, error), close_dead(device);
    }
    pthread_mutex_unlock(&device->lock);
    mem_free(first);
    return good;
}

void vector_device_info(VectorDevice *device, VectorDeviceInfo *out)
{
    pthread_mutex_lock(&device->lock);
    *out = (VectorDeviceInfo){
        .open = device->gpu != NULL, .answers = device->answers, .failures = device->failures};
    memcpy(out->reason, device->reason, sizeof out->reason);
    if (device->gpu != NULL) {
        GpuInfo info;
        gpu_info(device->gpu, &info);
        snprintf(out->name, sizeof out->name, "%.*s", (int)sizeof out->name - 1, info.name);
        snprintf(out->kind, sizeof out->kind, "%s", info.kind);
        out->software = info.software;
        out->memory_bytes = info.memory_bytes;
        out->resident_bytes = info.resident_bytes;
    }
    pthread_mutex_unlock(&device->lock);
}
