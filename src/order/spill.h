/*
 * spill.h - where rows go that memory has no room for: files that nobody finds, for as long as a
 * statement needs them.
 *
 * A file is unlinked as soon as it is open, so neither the end of the program nor a crash leaves it.
 * What is written is read again by the same statement; nothing of it is ever synced.
 */
#ifndef ORDER_SPILL_H
#define ORDER_SPILL_H
#include "storage/io.h"
#include "value/value.h"
#include <stdatomic.h>

typedef struct SpillPlace { /* a database's */
    const Io *io;
    char directory[IO_PATH_BYTES_MAX]; /* made when it is needed */
    _Atomic uint64_t files, bytes;     /* so far */
} SpillPlace;

typedef struct SpillFile SpillFile;
Error *spill_open(SpillPlace *place, size_t buffer_bytes, SpillFile **out) MUST_CHECK;
void spill_close(SpillFile *file); /* and its room is given back; NULL is welcome */
/* Values of all kinds, one behind the other. */
Error *spill_put(SpillFile *file, const Value *values, uint32_t count, uint64_t times) MUST_CHECK;
uint64_t spill_end(const SpillFile *file); /* how much was put: where what is put next begins */

/* What was put between two ends, read from the first row on. */
typedef struct SpillReader SpillReader;
Error *spill_read(SpillFile *file, uint64_t from, uint64_t until, size_t buffer_bytes,
                  SpillReader **out) MUST_CHECK;
/* The next row's values, in `arena`; *more is false at the end. */
Error *spill_next(SpillReader *reader, Arena *arena, Value *values, uint32_t count, uint64_t *times,
                  bool *more) MUST_CHECK;
void spill_read_end(SpillReader *reader); /* NULL is welcome */
#endif
