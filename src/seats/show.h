/* A show's seats: what is available, held and sold, who holds what and until when. Decides; does no I/O, reads no
 * clock, allocates nothing after show_new().
 *
 * A seat:
 *
 *     AVAILABLE ──take──▶ HELD ──sell──▶ BOOKED          BLOCKED is off sale by the operator;
 *         ▲                 │              │              shown to fans as BOOKED
 *         └──── end ────────┴─── refund ───┘
 *
 * A hold (struct hold) takes all its seats or none:
 *
 *     HELD ──begin_payment──▶ PAYING ──sell──▶ SOLD
 *       │ expire, release       │ decline, cancel
 *       ▼                       ▼
 *     EXPIRED, RELEASED       HELD again (attempts left), DECLINED, EXPIRED
 *
 * HELD ends by its deadlines: confirm is taken up to `deadline_ms` (what the fan sees), and the seats go free at
 * `store_deadline_ms` (grace). PAYING never ends by a clock: whoever began the payment ends it. EXPIRED, RELEASED,
 * DECLINED and SOLD are remembered until their slot is needed again, oldest first, so that a late caller is told what
 * became of it.
 *
 * Fences: every hold draws an even 64-bit number, higher than all before it in this show (the ledger's epoch in the
 * high bits); what ends the hold (sold, released, expired) writes number + 1. So in the ledger, where every write says
 * `WHERE version < number`, a hold ends in exactly one way whatever comes late or twice. Blocks, refunds and the like
 * draw numbers of their own.
 *
 * Chance comes in like time does: whoever takes a hold draws its reservation (id_new_reservation) and hands it in.
 *
 * Thread rules: one lock a show (show_lock), held for about a microsecond; every function below asserts that the caller
 * holds it unless it says otherwise.
 */
#ifndef ONSALE_SEATS_SHOW_H
#define ONSALE_SEATS_SHOW_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/deadlines.h"
#include "base/id.h"
#include "base/limits.h"
#include "base/result.h"
#include "base/user_id.h"
#include "seats/plan.h"

enum seat_status { SEAT_AVAILABLE = 0, SEAT_HELD = 1, SEAT_BOOKED = 2, SEAT_BLOCKED = 3 };

#define HOLD_NO_SLOT UINT32_MAX

enum hold_state {
    HOLD_FREE,
    HOLD_HELD,
    HOLD_PAYING,
    HOLD_SOLD,
    HOLD_EXPIRED,
    HOLD_RELEASED,
    HOLD_DECLINED,
    HOLD_STATE_COUNT
};

struct hold {
    struct id reservation;
    struct id booking; /* while PAYING and once SOLD: the booking it belongs to */
    uint64_t fence;    /* even */
    int64_t taken_ms;
    int64_t deadline_ms;       /* what the fan sees */
    int64_t store_deadline_ms; /* when an unpaid hold's seats go free */
    int64_t amount;            /* minor units, fixed when taken */
    uint32_t first_seat;       /* private: hold_seats() lists them */
    uint32_t seat_count;
    struct deadline deadline; /* private: in the heap while HELD */
    uint32_t next_ended;      /* private: in the list of ended holds */
    uint32_t fan;             /* private: its user's entry in the table of who has how many seats */
    uint8_t state;            /* enum hold_state */
    uint8_t payments_begun;   /* payment attempts begun on it */
    uint8_t lost_count;       /* seats that the ledger gave to somebody else while PAYING */
    struct user_id user;
};

enum orphan_rule { ORPHAN_OFF, ORPHAN_WARN, ORPHAN_REFUSE };

/* May change while the sale runs (show_configure). */
struct show_settings {
    int32_t hold_seconds;
    int32_t grace_seconds;
    uint32_t max_seats_per_user; /* 0: no limit but that of one hold */
    uint32_t payment_attempts;
    enum orphan_rule orphan_rule;
    char currency[4];
    int64_t price[LIMIT_CATEGORIES_PER_SHOW]; /* minor units, by the plan's category */
};

struct seat_change { /* what the ledger's show_seats has not been told yet, and what a viewer has not seen */
    uint32_t seat;
    enum seat_status status;
    uint64_t version;
};

struct show; /* the fields are private to src/seats; show_private.h */

/* `epoch`: the ledger's, higher at every start; fences begin at epoch << 40. NULL when memory ran out. The plan must
 * outlive the show. Several shows may share it. */
struct show *show_new(const struct id *show_id, const struct plan *plan, const struct show_settings *settings,
                      uint32_t epoch);
void show_free(struct show *show);

/* Set once: no lock needed. */
const struct id *show_id(const struct show *show);
const struct plan *show_plan(const struct show *show);

void show_lock(struct show *show);
void show_unlock(struct show *show);

void show_configure(struct show *show, const struct show_settings *settings);
const struct show_settings *show_settings(const struct show *show);

/* Rises by one with every change of any seat. Atomic: no lock needed to read it. */
uint64_t show_sequence(const struct show *show);

struct show_counts {
    uint32_t capacity, available, held, booked, blocked;
    uint32_t holds_held, holds_paying;
};
void show_count(const struct show *show, struct show_counts *counts);
uint32_t show_available_in(const struct show *show, uint32_t category);

enum seat_status show_seat_status(const struct show *show, uint32_t seat);
uint64_t show_seat_version(const struct show *show, uint32_t seat);
/* Copies the two-bit states as fans see them (BLOCKED as BOOKED) into bits[(seat_count + 3) / 4], and the sequence they
 * belong to. */
void show_copy_bits(const struct show *show, uint8_t *bits, uint64_t *sequence);

/* ---- taking ---- */

struct area_wish {
    uint32_t section; /* an area */
    uint32_t quantity;
};

/* One of: named seats (and areas beside them), or best available. */
struct hold_wish {
    struct id reservation; /* the new hold's name: drawn by the caller (id_new_reservation) with the show's tag; never
                              none, never one that was used before (asserted) */
    const struct user_id *user;
    const uint32_t *seats;
    uint32_t seat_count;
    const struct area_wish *areas;
    uint32_t area_count;
    uint32_t best_quantity; /* over 0: best available */
    uint32_t best_category; /* PLAN_NO_SEAT: any */
};

struct hold_refusal {
    uint32_t seat_count; /* SEAT_UNAVAILABLE: the seats not to be had; LEAVES_ORPHAN and warnings: the orphans */
    uint32_t seats[LIMIT_SEATS_PER_HOLD];
};

struct hold_warning {
    uint32_t orphan_count; /* ORPHAN_WARN, and ORPHAN_REFUSE for want of another choice: seats left alone */
    uint32_t orphans[2 * LIMIT_SEATS_PER_HOLD];
};

/* Takes all or none. RESULT_OK and *slot, the hold's number in this show; or the first of these that is so:
 * INVALID_FIELD (no seat wished for), TOO_MANY_SEATS, DUPLICATE_SEAT, SEAT_UNAVAILABLE (every such seat in `refusal`),
 * SOLD_OUT, NO_ADJACENT_SEATS, LEAVES_ORPHAN, OVERLOADED (no slot). Seats, areas and categories must be the plan's
 * (asserted). `warning` is set on RESULT_OK only. O(seats) for named seats, unless the orphan rule has to look for
 * another choice. */
MUST_USE enum result hold_take(struct show *show, const struct hold_wish *wish, int64_t now_ms, uint32_t *slot,
                               struct hold_warning *warning, struct hold_refusal *refusal);

/* Best available without holding the lock for the search: call WITHOUT the lock. Searches a copy, then takes under the
 * lock with a version check, again a few times if somebody was faster, at last under the lock. Leaves the lock HELD on
 * RESULT_OK (so that the caller can journal and read the hold), released otherwise. */
MUST_USE enum result hold_take_best(struct show *show, const struct hold_wish *wish, int64_t now_ms, uint32_t *slot,
                                    struct hold_refusal *refusal);

/* The slot of a hold, ended ones that are still remembered included, or HOLD_NO_SLOT. O(1). */
uint32_t hold_find(const struct show *show, const struct id *reservation);
const struct hold *hold_at(const struct show *show, uint32_t slot);
/* The hold's seats in the order asked for; returns their count, at most `room`. Only HELD, PAYING and SOLD keep them,
 * SOLD until one of them is given back. */
uint32_t hold_seats(const struct show *show, const struct hold *hold, uint32_t *seats, uint32_t room);

/* ---- ending ---- */

/* The fan lets go: HELD only. RESULT_OK, RESERVATION_EXPIRED (ended, or past its deadline), PAYMENT_IN_PROGRESS. */
MUST_USE enum result hold_release(struct show *show, uint32_t slot, int64_t now_ms);

/* Pins the seats for a payment. RESULT_OK, RESERVATION_EXPIRED, PAYMENT_IN_PROGRESS. After a crash (`recovering`)
 * deadlines do not count. */
MUST_USE enum result hold_begin_payment(struct show *show, uint32_t slot, const struct id *booking, bool recovering,
                                        int64_t now_ms);

/* The payment came to nothing. `keep`: the hold is HELD again, its deadlines as they were, or EXPIRED if the store's
 * has passed; without, or if the ledger gave a seat of it to somebody else meanwhile, DECLINED and free. PAYING only
 * (asserted). */
void hold_end_payment(struct show *show, uint32_t slot, bool keep, int64_t now_ms);

/* The ledger has sold its seats: BOOKED at fence + 1. PAYING only (asserted). */
void hold_sell(struct show *show, uint32_t slot);

/* Expires HELD holds whose store deadline is at or before now, at most `batch`; their reservations to `ended` (room for
 * batch), returns how many. */
uint32_t show_expire(struct show *show, int64_t now_ms, uint32_t batch, struct id *ended);
/* The next store deadline, or INT64_MAX. */
int64_t show_next_deadline(const struct show *show);

/* ---- restart, refunds, the operator ---- */

/* Puts a hold back as it was, from the journal. RESULT_OK, or CONFLICT if a seat is not available or was changed at a
 * higher version than the hold's fence, if the reservation is there already, or if the hold makes no sense. The hold is
 * HELD; its user, deadlines, amount, fence and payments_begun are taken from `hold`. After the seats were loaded, and
 * before the first show_take_changes(). */
MUST_USE enum result hold_restore(struct show *show, const struct hold *hold, const uint32_t *seats, uint32_t *slot);
/* Holds the seats of a hold that has ended (or that nobody remembers) again, for a payment that came late: all of them
 * or none. `hold` as above, its fence just drawn. CONFLICT if a seat is not available, or the reservation is live or
 * sold.
 */
MUST_USE enum result hold_retake(struct show *show, const struct hold *hold, const uint32_t *seats, uint32_t *slot);
/* Sets a seat as the ledger has it now, at start or when another node changed it; raises the version and the fence
 * counter as needed.
 *
 * BOOKED always wins: a hold on the seat loses it, unless the version is its own fence + 1. A HELD hold that loses a
 * seat is EXPIRED, one that turns out to be sold is SOLD with all its seats; a PAYING one keeps its other seats, counts
 * what it lost, and waits for whoever began the payment (hold_sell, hold_end_payment, where it cannot be kept any
 * more). BLOCKED wins over all but a later sale; AVAILABLE over what has a lower version. HELD is only the ledger's
 * picture of a hold: it raises the version of a seat that nobody holds, which stays AVAILABLE for hold_restore(), and
 * is to be told that it ended if that does not come. `owner`: the buyer of a BOOKED seat, or NULL. */
void show_load_seat(struct show *show, uint32_t seat, enum seat_status status, uint64_t version,
                    const struct user_id *owner);
/* Draws a number for a change without a hold (refund, block). Even. */
uint64_t show_draw_fence(struct show *show);
/* BOOKED seats go free again at that version, and their buyer's count of seats falls (a seat remembers whose it is).
 * Returns false, changing nothing, if one is not BOOKED or was changed at a higher version. */
bool show_unsell(struct show *show, uint32_t count, const uint32_t *seats, uint64_t version);
/* AVAILABLE → BLOCKED and back; seats in another state are reported in `refusal` and nothing changes. */
MUST_USE enum result show_block(struct show *show, uint32_t count, const uint32_t *seats, uint64_t version,
                                struct hold_refusal *refusal);
MUST_USE enum result show_unblock(struct show *show, uint32_t count, const uint32_t *seats, uint64_t version,
                                  struct hold_refusal *refusal);

/* Seats whose state the ledger's show_seats has not been told, oldest index first, at most `room`; they count as told
 * from here. BOOKED and BLOCKED seats are never reported (their own transactions wrote them). */
uint32_t show_take_changes(struct show *show, struct seat_change *changes, uint32_t room);

/* ---- a show that is only looked at ---- */

/* The seat as another node shows it: AVAILABLE, HELD or BOOKED. Nobody holds what is HELD here, so that only a show in
 * which nothing was ever taken may be told (asserted), and show_check() has no say in it. */
void show_mirror_seat(struct show *show, uint32_t seat, enum seat_status status);

/* Checks every invariant of the whole object; false and why in `why`. O(seats). For tests, the simulator and
 * assert_deep. */
bool show_check(const struct show *show, char *why, size_t why_size);

#endif
