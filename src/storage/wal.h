/*
 * wal.h - the log: the only commit point of every statement.
 *
 * A directory of segments, zero-filled before use, so that a commit changes bytes and not the
 * file's length. Little endian:
 *
 *     segment  4 KiB header {magic u32, version u32, uuid 16 bytes, epoch u64, number u64, first
 * lsn u64, crc u32}, records record   {magic u32, crc u32 over all that follows, bytes u32, type
 * u16, flags u16, lsn u64, epoch u64, durable lsn u64}, payload, zeros up to the next multiple of 8
 *
 * A transaction is a run of WAL_CHANGES records and a WAL_COMMIT with their number and running
 * checksum. `durable lsn` is the highest lsn known to be on disk when the record was written: it
 * tells a torn tail from a damaged middle. The epoch rises with every opening for writing.
 */
#ifndef STORAGE_WAL_H
#define STORAGE_WAL_H
#include "base/bytes.h"

enum {
    WAL_SEGMENT_BYTES =
        4 << 20, /* a new one costs one write of zeros; small enough for a laptop's toy database */
    WAL_RECORD_BYTES_MAX = 8 << 20, /* checked before anything is read or allocated */
    WAL_UUID_BYTES = 16
};
typedef enum WalType { WAL_CHANGES = 1, WAL_COMMIT = 2, WAL_MARK = 3 } WalType;

typedef struct Wal Wal;
typedef struct WalReport {
    uint64_t commits, discarded_bytes; /* discarded: a torn tail, cut at the first append */
} WalReport;

/* Reads the log in `directory` (made if absent and `write`) and gives every committed transaction's
 * payloads, joined, to `apply`, in order, up to `limit_lsn`. Damage that cannot be a torn tail is
 * ERROR_CORRUPT with its place. With `write` the log is then ready for appending in a new epoch;
 * without, nothing is changed. */
typedef Error *WalApply(void *user, Str payload);
Error *wal_open(const char *directory, const uint8_t uuid[WAL_UUID_BYTES], bool write,
                uint64_t limit_lsn, WalApply *apply, void *user, WalReport *report,
                Wal **out) MUST_CHECK;
/* Adds one transaction to what the next flush writes; gives the lsn of its COMMIT. `payloads` are
 * cut into records. */
Error *wal_append(Wal *wal, Str payload, uint64_t *lsn) MUST_CHECK;
/* Flushing has two steps, so that others may append meanwhile: wal_begin_flush takes what was
 * appended so far (and must not run beside wal_append); wal_flush writes it, one pwrite a segment,
 * and syncs once (and may). One flush at a time. A failure is final: the caller stops writing.
 * `lsn` is what is durable afterwards. */
void wal_begin_flush(Wal *wal);
Error *wal_flush(Wal *wal) MUST_CHECK;
void wal_end_flush(Wal *wal); /* after a good flush; must not run beside wal_append */
uint64_t wal_appended(const Wal *wal);
uint64_t wal_durable(const Wal *wal);
uint64_t wal_syncs(const Wal *wal); /* fdatasyncs since opening */
void wal_close(Wal *wal);           /* what was not flushed is dropped; NULL is welcome */
#endif
