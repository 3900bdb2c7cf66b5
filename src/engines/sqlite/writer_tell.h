/* What a command leaves behind for others to read, in the same transaction: rows of the audit, and events in the outbox
 * if the ledger has one. */
#ifndef ONSALE_ENGINES_SQLITE_WRITER_TELL_H
#define ONSALE_ENGINES_SQLITE_WRITER_TELL_H

#include "engines/sqlite/writer.h"

/* A booking's row before a command changes it. */
struct kept_booking {
    bool is_pending;
    struct bytes salt; /* none in a booking that is older than the audit, or whose person was erased */
    struct bytes user;
    struct bytes seat_ids, seat_amounts; /* JSON */
};

/* The audit's first row. */
MUST_USE enum result writer_tell_beginning(struct writer *writer);

/* Writes down how far the audit and the outbox go. */
MUST_USE enum result writer_tell_ends(struct writer *writer);

/* That a show was made or changed. */
MUST_USE enum result writer_tell_show(struct writer *writer, const struct ledger_command *command);

/* That a booking is confirmed: LEDGER_SELL. */
MUST_USE enum result writer_tell_sale(struct writer *writer, const struct ledger_command *command,
                                      const struct kept_booking *before);

/* What a LEDGER_STEP_BOOKING means to others: often nothing. */
MUST_USE enum result writer_tell_step(struct writer *writer, const struct ledger_command *command,
                                      const struct kept_booking *before);

/* That sold seats were given back: LEDGER_CANCEL_SOLD. These seats, as JSON. */
MUST_USE enum result writer_tell_cancel(struct writer *writer, const struct ledger_command *command,
                                        const struct kept_booking *before, struct bytes seat_ids, struct bytes amounts);

/* That seats were taken off sale, or put back: these, as JSON. */
MUST_USE enum result writer_tell_blocks(struct writer *writer, const struct ledger_command *command,
                                        struct bytes seat_ids);

/* That seats are on sale again: these, as JSON. */
MUST_USE enum result writer_tell_released(struct writer *writer, const struct id *show_id, struct bytes seat_ids,
                                          const char *cause, int64_t at_ms);

/* That a booking's user was erased. */
MUST_USE enum result writer_tell_erased(struct writer *writer, const struct id *show_id, const struct id *booking_id,
                                        int64_t at_ms);

MUST_USE enum result writer_tell_revived(struct writer *writer, const struct ledger_command *command, int64_t count);

#endif
