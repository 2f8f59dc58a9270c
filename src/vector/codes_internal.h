/* codes_internal.h - the levels, each in a file of its own. */
#ifndef VECTOR_CODES_INTERNAL_H
#define VECTOR_CODES_INTERNAL_H
#include "vector/near_internal.h"
#include <string.h>

extern const CodesKernel codes_kernel_scalar;
#if defined(__x86_64__)
extern const CodesKernel codes_kernel_avx2, codes_kernel_avx512;
#endif
#endif
