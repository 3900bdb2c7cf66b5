/* The one connection that writes: applies ledger commands in groups, each group one transaction.
 *
 * A group is tried without savepoints first, which is what nearly every group needs. A command that is refused after it
 * has written something (a booking's second seat is sold; only optimistic locking knows that so late) cannot be taken
 * back alone then: the group is rolled back and run again with a savepoint a command. While groups have such refusals,
 * the next ones begin with savepoints at once. One command's refusal never fails another's, either way.
 */
#ifndef ONSALE_ENGINES_SQLITE_WRITER_H
#define ONSALE_ENGINES_SQLITE_WRITER_H

#include <sqlite3.h>

#include "bookings/ledger.h"
#include "engines/sqlite/chain.h"
#include "engines/sqlite/sqlite_ledger.h"

enum write_statement {
#define STATEMENT(name, sql) WRITE_##name,
#include "engines/sqlite/write_statements.def"
#undef STATEMENT
    WRITE_STATEMENT_COUNT
};

/* What the writer remembers of the tables, so that it need not ask. Taken back with the writes that moved it. */
struct remembered {
    int64_t blocked_seats; /* rows in seat_blocks, so that an empty table costs a sale nothing */
    uint64_t outbox_number, audit_number;
    uint8_t audit_hash[CHAIN_HASH_BYTES];
    uint64_t outbox_stirred; /* rises when there is something new to deliver */
};

struct writer {
    /* set once */
    sqlite3 *db;
    enum ledger_locking locking;
    bool has_outbox;
    sqlite3_stmt *statements[WRITE_STATEMENT_COUNT];

    /* owned by the ledger's thread */
    bool careful;             /* the last group had to be run twice */
    bool outbox_filled;       /* the last commit put something to deliver into the outbox */
    uint64_t groups_repeated; /* for the bench */
    struct remembered now;
    struct buffer seat_ids, seat_amounts;
    struct buffer row;  /* what was read of a booking */
    struct buffer told; /* an audit row's detail, or an event's data */
};

/* Prepares the statements, and begins the audit where it has not begun. The connection stays the caller's. IO_ERROR,
 * with SQLite's words on the connection. */
MUST_USE enum result writer_init(struct writer *writer, sqlite3 *db, const struct sqlite_ledger_settings *settings);
void writer_release(struct writer *writer);

/* Applies and commits. RESULT_OK: each command's `result` is set, and what succeeded is on disk. IO_ERROR: the engine
 * failed, nothing may be acknowledged, and this connection must not be used again. */
MUST_USE enum result writer_commit(struct writer *writer, struct ledger_command *const *group, uint32_t count);

/* writer_commands.c: applies one command inside the group's transaction. OK or its refusal; IO_ERROR when the engine
 * failed. What it wrote before a refusal is the caller's to take back. */
MUST_USE enum result writer_apply(struct writer *writer, struct ledger_command *command);

/* writer_bookings.c: the commands on a booking. */
MUST_USE enum result writer_open_booking(struct writer *writer, const struct ledger_command *command);
MUST_USE enum result writer_step_booking(struct writer *writer, const struct ledger_command *command);
MUST_USE enum result writer_sell(struct writer *writer, const struct ledger_command *command);
MUST_USE enum result writer_cancel_sold(struct writer *writer, const struct ledger_command *command);

static inline sqlite3_stmt *writer_statement(struct writer *writer, enum write_statement statement) {
    return writer->statements[statement];
}

/* Runs a statement that gives no row. sqlite3_changes() tells how many rows it touched. OK; CONFLICT for a broken
 * constraint; IO_ERROR. */
MUST_USE enum result writer_run(struct writer *writer, enum write_statement statement);

/* Runs a guarded statement: CONFLICT unless it touched exactly one row. */
MUST_USE enum result writer_run_for_one(struct writer *writer, enum write_statement statement);

/* Steps to the one row that a SELECT may give; *found. The caller resets it. */
MUST_USE enum result writer_look(struct writer *writer, enum write_statement statement, bool *found);

#endif
