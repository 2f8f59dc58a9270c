/*
 * wal.h - the log: the only commit point of every statement.
 *
 * DIRECTORY/wal/wal-EPOCH-NUMBER.ctxw, zero-filled before use, so that a commit changes bytes and
 * not the file's length. Little endian:
 *
 *     segment  4 KiB header {magic u32, version u32, uuid 16 bytes, epoch u64, number u64, first
 *              lsn u64, crc u32}, records
 *     record   {magic u32, crc u32 over all that follows, bytes u32, type u16, flags u16, lsn u64,
 *              epoch u64, durable lsn u64}, payload, zeros up to the next multiple of 8
 *
 * A transaction is a run of WAL_CHANGES records and a WAL_COMMIT with their number, their running
 * checksum and when it was; it may span segments, a record may not. `durable lsn` is the highest lsn known to be on
 * disk when the record was written: it tells a torn tail from a damaged middle. The epoch rises
 * with every opening for writing and every checkpoint.
 *
 * Opening and replaying write nothing. A torn tail is zeroed and synced before the first append.
 */
#ifndef STORAGE_WAL_H
#define STORAGE_WAL_H
#include "base/bytes.h"
#include "storage/io.h"

enum {
    WAL_SEGMENT_BYTES_MIN = 2 << 20,  /* the first: a laptop's toy database stays small */
    WAL_SEGMENT_BYTES_MAX = 16 << 20, /* each is twice the one before, up to here */
    WAL_RECORD_BYTES_MAX = 8 << 20,   /* checked before anything is read or allocated */
    WAL_UUID_BYTES = 16
};
typedef enum WalType {
    WAL_CHANGES = 1,
    WAL_COMMIT = 2,
    WAL_MARK = 3 /* nothing but a durable lsn: the last record of a clean close */
} WalType;

typedef struct Wal Wal;
typedef struct WalStart { /* where replay begins: known to the catalog */
    uint64_t lsn, segment, epoch;
} WalStart;
typedef struct WalReport {
    uint64_t commits, bytes;  /* done again, of their records */
    uint64_t discarded_bytes; /* of a torn tail */
} WalReport;

/* The log in `directory`, which need not exist yet, from `start` on. */
Error *wal_open(const Io *io, const char *directory, const uint8_t uuid[WAL_UUID_BYTES],
                WalStart start, Wal **out) MUST_CHECK;
/* Gives the committed transactions behind the last one replayed to `apply`, their payloads joined.
 * wal_recover goes to the end: damage that cannot be a torn tail is ERROR_CORRUPT with its place.
 * wal_follow is for a log that another process writes: it goes to the commit `limit_lsn`, which is
 * known to be durable, and may be called again; a segment that is gone is ERROR_NO_FILE. */
typedef struct WalCommit {
    uint64_t lsn;
    int64_t wall_ns; /* by the wall clock, never falling along the log; 0: it was not noted */
} WalCommit;
typedef Error *WalApply(void *user, Str payload, const WalCommit *commit);
Error *wal_recover(Wal *wal, WalApply *apply, void *user, WalReport *report) MUST_CHECK;
Error *wal_follow(Wal *wal, uint64_t limit_lsn, WalApply *apply, void *user,
                  WalReport *report) MUST_CHECK;

/* For a log that was not closed, before anybody acts on what was replayed: makes sure that it is on
 * disk. Who wrote it may have been killed before the sync, or the sync may have failed; then the
 * system may take for written what is not, so the last segment, the only one not known to be
 * synced, is written once more. */
Error *wal_settle(Wal *wal) MUST_CHECK;

/* Adds one transaction, committed at `wall_ns`, to what the next flush writes; gives the lsn of its
 * COMMIT. The payload is copied. After wal_recover only. */
Error *wal_append(Wal *wal, Str payload, int64_t wall_ns, uint64_t *lsn) MUST_CHECK;
Error *wal_append_mark(Wal *wal) MUST_CHECK;
/* Flushing has three steps, so that others may append meanwhile: wal_begin_flush takes what was
 * appended so far (and must not run beside wal_append); wal_flush writes it, one pwrite a segment,
 * and syncs once (and may), with what was written before; wal_end_flush makes it known. Without
 * `sync` it is in the machine's cache only and not durable. One flush at a time. A failure is final:
 * nothing is appended any more. */
void wal_begin_flush(Wal *wal);
Error *wal_flush(Wal *wal, bool sync) MUST_CHECK;
void wal_end_flush(Wal *wal);
uint64_t wal_durable(const Wal *wal);  /* lsn of the last commit that is on disk */
uint64_t wal_appended(const Wal *wal); /* lsn of the last that is in memory or on disk */
uint64_t wal_epoch(const Wal *wal);
uint64_t wal_syncs(const Wal *wal); /* fdatasyncs since opening */
uint64_t wal_bytes(const Wal *wal); /* of records behind the start: what opening must replay */

/* Writes the log up to what was replayed, and nothing behind it, into the empty folder of another
 * database's log, synced; `directory`: of that database. A file that is gone is ERROR_NO_FILE: a
 * checkpoint took its place. Asks `tell`. */
Error *wal_copy(const Wal *wal, const char *directory, Tell *tell) MUST_CHECK;

/* A checkpoint holds everything up to a place in the log. wal_rotate, called when all that was
 * appended is durable and while nobody appends or flushes, makes here such a place: what comes next
 * goes to a segment of its own, and `out` is where replay begins that has the checkpoint. Once the
 * catalog says so, wal_restart begins there; it must not run beside a flush. Then segments before
 * number `kept` are not needed any more: wal_remove_old removes them, beside whatever else. */
Error *wal_rotate(Wal *wal, WalStart *out) MUST_CHECK;
void wal_restart(Wal *wal, WalStart start, uint64_t kept);
Error *wal_remove_old(const Wal *wal) MUST_CHECK;
/* Segments from number `kept` on are history and stay, though replay begins later. Before the first
 * append. */
void wal_keep(Wal *wal, uint64_t kept);
void wal_close(Wal *wal); /* what was not flushed is dropped; NULL is welcome */
#endif
