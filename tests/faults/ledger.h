/*
 * ledger.h - what a database must hold: numbered things that are done to it, and what it looks like
 * after each.
 *
 * A thing is one transaction; after it was acknowledged for the first time, on a disk without
 * faults, all of the database is read and hashed. From then on the hash alone says after which
 * thing a database is, and that nothing is half there. Two things in a row never leave the same.
 */
#ifndef TESTS_FAULTS_LEDGER_H
#define TESTS_FAULTS_LEDGER_H
#include "contextql.h"
#include "disk.h"

#define LEDGER_DATABASE "/top/d"

typedef enum LedgerWork {
    LEDGER_TINY,  /* a checkpoint and a log, in files of a few pages */
    LEDGER_SMALL, /* statements, transactions, values larger than a record, a checkpoint */
    LEDGER_NEAR,  /* a vector index, with what it finds by in a segment, and a snapshot of it */
    LEDGER_BULK,  /* a load that is committed as a segment, and what follows */
    LEDGER_KEPT,  /* snapshots, with a name and without, retention and history */
    LEDGER_GROWN  /* the same of a load that changes little: they refer to one another */
} LedgerWork;

typedef struct Ledger Ledger;
Ledger *ledger_create(LedgerWork work);
void ledger_destroy(Ledger *ledger);
size_t ledger_count(const Ledger *ledger); /* of things; they are 1 to count */
/* A disk with the folder the database is to be made in. */
Disk *ledger_disk(void);

/* Does all things on a disk without faults and notes what the database looks like after each.
 * False: one failed. */
bool ledger_write(Ledger *ledger, Disk *disk);
/* How many checkpoints of that life wrote what had changed alone. */
uint64_t ledger_referring(const Ledger *ledger);
/* Makes the snapshot that belongs before this thing, if one does. It may fail. */
void ledger_snap(const Ledger *ledger, contextql *session, size_t thing);
/* Are the snapshots there that must be there, when things up to `least` were acknowledged on a disk
 * without faults (0: not asked), and does each show what was there then? */
/* *why: did the database say that (true), or is it the ledger that finds it wrong? */
bool ledger_was_told(const char *why);
bool ledger_keeps(const Ledger *ledger, contextql *session, size_t least, char *why);
/* Does things from `first` on, at most `count`, until one fails, with the closing and opening between them; marks
 * the disk with each that was acknowledged. Gives the last that was acknowledged. The session is
 * left open. */
size_t ledger_go_on(const Ledger *ledger, Disk *disk, contextql **session, size_t first,
                    size_t count);
/* One thing, in an open database. *why (256 bytes; NULL is welcome): what was said. */
bool ledger_do(const Ledger *ledger, contextql *session, size_t thing, char *why);
/* Is the database closed and opened before this thing? */
bool ledger_closes_before(const Ledger *ledger, size_t thing);

/* The setting `durability` of sessions that are opened from now on. */
void ledger_durability(const char *level);
/* NULL: it does not open; *why (256 bytes) says what was said. */
contextql *ledger_open(Disk *disk, bool read_only, char *why);
/* After which thing a database is that was opened; SIZE_MAX: after none. Of several that look
 * the same, one from `least` on. *why: what is wrong. */
size_t ledger_place(const Ledger *ledger, contextql *session, size_t least, char *why);
/* Are nodes, relationships and properties those after this thing? Indexes and constraints are not
 * asked for: their definitions have no versions, a session sees them before they are committed. */
bool ledger_shows(const Ledger *ledger, contextql *session, size_t thing, char *why);
/* One more thing, that does not belong to the ledger: can be written, and is seen. */
bool ledger_can_write(contextql *session, char *why);

/* What opening found behind the last commit and did not take for one. */
uint64_t ledger_discarded(contextql *session);

bool ledger_run(contextql *session, const char *text, char *why);
#endif
