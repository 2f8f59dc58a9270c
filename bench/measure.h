/* measure.h - what the benches share: a clock and a median. */
#ifndef BENCH_MEASURE_H
#define BENCH_MEASURE_H
#include <stdlib.h>
#include <time.h>

static inline double now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static inline int by_number(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Sorts `times`. */
static inline double median(double *times, size_t count)
{
    qsort(times, count, sizeof *times, by_number);
    return times[count / 2];
}
#endif
