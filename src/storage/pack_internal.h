/* pack_internal.h - the forms that unpacking has (unpack.c), for the test that holds them against each
 * other. Those of a processor that lacks the instructions must not be called. */
#ifndef STORAGE_PACK_INTERNAL_H
#define STORAGE_PACK_INTERNAL_H
#include "storage/pack.h"

/* The width is 1 to PACK_WIDTH_MAX. */
void unpack_scalar(const Packed *packed, uint32_t from, uint32_t count, int64_t *out);
void decimals_scalar(const int64_t *in, uint32_t count, double power, double *out);
#if defined(__x86_64__)
void unpack_avx2(const Packed *packed, uint32_t from, uint32_t count, int64_t *out);
void unpack_avx512(const Packed *packed, uint32_t from, uint32_t count, int64_t *out);
void decimals_avx2(const int64_t *in, uint32_t count, double power, double *out);
void decimals_avx512(const int64_t *in, uint32_t count, double power, double *out);
#endif
#endif
