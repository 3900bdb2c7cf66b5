/* What outlives a process: the ledger, the queue's record, the journal of holds. Each is simulated with what it
 * promises and nothing more.
 *
 * ledger   commands wait, a group of them is committed at a time, behind its fsync each is answered. A crash loses what
 *          waits; the group that is being committed is there or not, and nobody has been answered. Guards are those of
 *          engines/sqlite/write_statements.def.
 * record   what was appended outlives the process; what was not sealed on disk does not outlive a power failure, and
 * the record then says that it is not whole. journal  what was appended is on disk a tenth of a second later; a crash
 * loses a tail of what was not.
 */
#ifndef ONSALE_SIM_DISK_H
#define ONSALE_SIM_DISK_H

#include "bookings/ledger.h"
#include "waitroom/record.h"

#define WORLD_MOST_SEATS 6

/* ---- the ledger ---- */

struct row { /* a booking */
    struct id id, reservation;
    uint32_t fan;
    uint32_t seat_count;
    uint32_t seats[WORLD_MOST_SEATS];
    uint64_t fence;
    int64_t amount, refunded;
    enum booking_status status;
    enum payment_state payment_state;
    enum saga_state saga;
    uint32_t attempt;
    char intent_id[PAYMENT_ID_BYTES];
    char reason[PAYMENT_CODE_BYTES];
    int64_t created_ms, updated_ms, confirmed_ms;
};

struct admission_row {
    uint32_t number, fan;
    int64_t claimed_ms, expires_ms;
    int64_t ended_ms; /* 0: not before it expires */
};

struct ledger_write {
    enum ledger_kind kind;
    uint32_t slot, plan; /* whose it is: a saga's slot, or a shopper's and its plan */
    uint32_t row;        /* of a booking; OPEN_BOOKING sets it */
    struct row content;
    enum saga_state from;
    uint64_t seat_version;
    uint32_t gone_count; /* CANCEL_SOLD: the seats that are given back */
    uint32_t gone[WORLD_MOST_SEATS];
    uint32_t ceiling;
    struct admission_row admission;
    uint32_t change_count;
    struct seat_change *changes; /* its own */
    enum result result;
};

struct ledger_image {
    uint32_t row_count, row_room;
    struct row *rows;
    enum seat_status *seat_status; /* by seat */
    uint64_t *seat_version;
    uint32_t *seat_row; /* whose ticket, one more than the row; 0: none */
    uint32_t epoch;
    uint32_t ceiling;
    uint32_t admission_count, admission_room;
    struct admission_row *admissions;
    uint32_t admission_of_room;
    uint32_t *admission_of; /* by number, one more than the index; 0: none */

    uint32_t first, count, room; /* of the writes that wait; those of the group first */
    struct ledger_write *writes;
    uint32_t group; /* under way; 0: none */
};

/* ---- the record ---- */

struct record_line {
    uint32_t number; /* JOIN: the fan */
    uint8_t kind;    /* enum record_kind */
    int64_t open_ms; /* CALL, HEAD; ADMIT: when, by the wall clock */
};

struct record_image {
    uint32_t count, room;
    struct record_line *lines;
    uint32_t sealed; /* so many are on disk */
    bool is_whole;
};

/* ---- the journal ---- */

enum journal_word { JOURNALLED_TAKE, JOURNALLED_PAYING, JOURNALLED_HELD_AGAIN, JOURNALLED_ENDED };

struct journal_line {
    uint32_t taken; /* which */
    uint8_t word;   /* enum journal_word */
    uint8_t payments_begun;
    int64_t at_ms; /* virtual */
};

struct journal_taken {
    struct hold hold; /* as it was taken, by the wall clock */
    uint32_t seats[WORLD_MOST_SEATS];
    uint32_t fan;
    uint32_t check; /* what checks.h knows it as */
};

struct journal_image {
    uint32_t taken_count, taken_room;
    struct journal_taken *taken;
    uint32_t count, room;
    struct journal_line *lines;
    uint32_t synced;
    int64_t marked_ms; /* the wall clock when it was last synced */
};

struct disk {
    struct ledger_image ledger;
    struct record_image record;
    struct journal_image journal;
};

struct world;

void disk_init(struct disk *disk, uint32_t seats);
void disk_release(struct disk *disk);

/* Hands it over; server_written() is called when it is on disk. `changes` is freed then. */
void ledger_submit(struct world *world, const struct ledger_write *write);
void ledger_committed(struct world *world);
/* What a crash leaves. */
void ledger_crash(struct world *world);
/* NULL: none. */
const struct admission_row *ledger_admission(const struct ledger_image *ledger, uint32_t number);

void record_append(struct world *world, enum record_kind kind, uint32_t number, int64_t open_ms);
/* How much of the record a power failure leaves. */
uint32_t record_left_after_power_loss(struct world *world);

void journal_append(struct world *world, uint32_t taken, enum journal_word word, uint8_t payments_begun);

#endif
