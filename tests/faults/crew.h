/*
 * crew.h - work on many disks, shared by processes: one for each processor, or as many as
 * FAULTS_WORKERS says. Each goes through all there is and does what falls to it, so nothing is
 * handed around, and what was in memory before is everybody's.
 */
#ifndef TESTS_FAULTS_CREW_H
#define TESTS_FAULTS_CREW_H
#include <stdbool.h>
#include <stddef.h>

/* Does what falls to number `me` of `count`; what it found goes into *result, which is zeros. */
typedef void CrewWork(void *user, size_t me, size_t count, void *result);

enum { CREW_MAX = 64 };
size_t crew_count(void); /* 1 to CREW_MAX */
/* results: `result_bytes` for each. No thread but the caller's may live. False: one of them ended by
 * a signal, which is told. */
bool crew_run(CrewWork *work, void *user, void *results, size_t result_bytes);
#endif
