/* The ledger in SQLite: the port of bookings/ledger.h on one file, DIR/ledger.sqlite. README.md beside this has the
 * invariants, the happy path and the failure modes.
 *
 * One process owns the file (the caller locks the folder). One connection, on the ledger's thread, does all writing and
 * all checkpoints; readers are read-only connections.
 */
#ifndef ONSALE_ENGINES_SQLITE_LEDGER_H
#define ONSALE_ENGINES_SQLITE_LEDGER_H

#include "bookings/ledger.h"

#define SQLITE_LEDGER_FILE "ledger.sqlite"

enum ledger_locking {
    LEDGER_OPTIMISTIC,  /* write under a guard, count the rows, undo on a conflict */
    LEDGER_PESSIMISTIC, /* read the rows under the lock, decide, then write */
};

/* All zero is the default. */
struct sqlite_ledger_settings {
    enum ledger_locking locking;
    uint32_t group_limit;      /* commands in one commit; 0: LIMIT_LEDGER_GROUP, which is also the most */
    uint32_t checkpoint_pages; /* pages in the write-ahead log that call for a checkpoint; 0: the default */
    uint32_t busy_ms;          /* how long another process may keep the file locked; 0: 5000 */
    uint32_t cache_kib;        /* the writer's page cache; 0: 16 MiB, a sold-out stadium with its indexes */
    bool outbox;               /* events are put into the outbox; who delivers none should not have it filled */
    const char *vfs;           /* the SQLite VFS to use; NULL: the system's. For tests that make the disk fail */
};

/* Opens the ledger of a folder, which must exist; an empty one is set up. The epoch has risen, on disk, when it
 * returns.
 *
 * On failure `detail` says what is wrong and what to do:
 *   OLDER_VERSION   run `onsale migrate` first
 *   NEWER_VERSION   written by a newer onsale
 *   CORRUPT         damaged, not an SQLite database, another program's, or a migration that is not the one we know
 *   IO_ERROR        it cannot be opened, read or written
 *
 * `ledger` stays where it is until it is closed. ledger->close() frees everything; every reader must have been freed
 * before.
 */
MUST_USE enum result sqlite_ledger_open(const char *folder, const struct sqlite_ledger_settings *settings,
                                        struct ledger *ledger, char *detail, size_t detail_size);

/* Brings the ledger of a stopped server to this version, in one transaction. Each migration is named to `line`; with
 * `dry_run` they are tried and taken back. RESULT_OK too when there is nothing to do (no line). Fails as
 * sqlite_ledger_open() does, but for OLDER_VERSION; RESULT_NOT_FOUND where there is no ledger. */
MUST_USE enum result sqlite_ledger_migrate(const char *folder, bool dry_run,
                                           void (*line)(void *context, const char *text), void *context, char *detail,
                                           size_t detail_size);

#endif
