/*
 * device.h - what a database has of the graphics device: opened when a scan first wants it, told
 * which columns it holds, and counted when it fails.
 *
 * A device gives the CPU's hits, bit for bit, or it gives nothing: then the caller scans by itself,
 * and the reason is kept for whoever asks (vector_device_info). Threads: any; they take turns.
 */
#ifndef VECTOR_DEVICE_H
#define VECTOR_DEVICE_H
#include "vector/scan.h"
#include <stdbool.h>

typedef struct VectorDevice VectorDevice;

typedef enum VectorDeviceUse {
    VECTOR_DEVICE_AUTO, /* a discrete device, for scans that are worth it */
    VECTOR_DEVICE_OFF,
    VECTOR_DEVICE_FORCE /* any device, software too, for every scan that it can do */
} VectorDeviceUse;

typedef struct VectorDeviceOptions {
    VectorDeviceUse use;
    const char *name;      /* part of the device's name, or its number; "": the fittest */
    uint64_t memory_bytes; /* for rows; 0: 80 % of the device's */
} VectorDeviceOptions;

enum {
    VECTOR_DEVICE_K_MAX = 1024,
    /* AUTO: a scan of fewer bytes takes a CPU some milliseconds at most, and opening a device takes
     * hundreds, its waking up some microseconds each time. */
    VECTOR_DEVICE_BYTES_MIN = 64 << 20,
    /* AUTO: scans of that size before rows are brought to a device: once is no habit, and bringing
     * them costs as much as several scans. */
    VECTOR_DEVICE_SCANS_MIN = 3,
    VECTOR_DEVICE_TEXT_MAX = 256
};

VectorDevice *vector_device_create(void); /* opens nothing */
void vector_device_destroy(VectorDevice *device);
/* Lets go of all rows: columns are about to be freed, and another may come to lie where they did. */
void vector_device_forget(VectorDevice *device);

/* Shall a scan over `bytes` of rows go to a device? Opens one if so (some 30 to 300 ms). */
bool vector_device_wanted(VectorDevice *device, const VectorDeviceOptions *options, uint64_t bytes);

/* Opens it, unless it is off or open; for who asks what there is. */
void vector_device_open(VectorDevice *device, const VectorDeviceOptions *options);

/* All vectors of a column that have the query's dimension. `column` and `generation` name them: the
 * same names again mean the same rows, which are then not brought again. */
typedef struct VectorSet {
    uint64_t column, generation;
    const VectorBlock *blocks; /* `present`: who takes part in this query, as in vector_scan */
    size_t block_count;
} VectorSet;

/* The best k (1 to VECTOR_DEVICE_K_MAX) as vector_scan would give them, best first. false: the
 * device failed, and nothing is written. `still` is asked when the rows are there, before the
 * query runs: false means that they are not what they were named. */
bool vector_device_topk(VectorDevice *device, const VectorSet *set, const VectorQuery *query,
                        size_t k, bool (*still)(void *state), void *state, TopKHit *hits,
                        size_t *hit_count);

typedef struct VectorDeviceInfo {
    bool open;
    char name[VECTOR_DEVICE_TEXT_MAX], kind[16];
    bool software;
    uint64_t memory_bytes, resident_bytes; /* for rows; held by them */
    uint64_t answers, failures;            /* queries answered; given back to the CPU */
    char reason[VECTOR_DEVICE_TEXT_MAX];   /* of the last failure; "": there was none */
} VectorDeviceInfo;
void vector_device_info(VectorDevice *device, VectorDeviceInfo *out);
#endif
