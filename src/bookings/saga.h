/* The saga of a booking: authorize first, sell second, take the money last. Decides the next action; does no I/O, reads
 * no clock.
 *
 *     OPENED ──created──▶ CONFIRMING ──authorized, sold──▶ CAPTURING ──captured──▶ DONE
 *       │ declined           │  │ seat lost, deadline         │ refused for good    │ refund
 *       │           declined │  ▼                             │                     ▼
 *       │                    │ CANCELLING ──captured after all┼────────────────▶ REFUNDING ──▶ REFUNDED
 *       ▼                    ▼  │ voided                      ▼                 (or DONE again, for a part)
 *     CANCELLED ◀────────────┴──┴─────────────────────────────┘
 *
 * An end may be looked at again (`looks_again`: the gateway says that something has changed there, or somebody says
 * so), and REVIEW may be left when a human has looked (`is_resumed`). In both the gateway is asked first:
 *
 *     CANCELLED ──authorized or captured──▶ seats taken again ──▶ CONFIRMING   (the payment came late)
 *               ──… and the seats are gone, or it was sold once──▶ CANCELLING
 *     DONE      ──gave back more, or less, or took nothing──▶ REVIEW
 *     REFUNDED  ──gave back less──▶ REVIEW         ──authorized──▶ CANCELLING
 *     REVIEW    ──sold──▶ DONE, CAPTURING or REFUNDING; CANCELLED where the authorization is gone;
 *                         REVIEW still where more was given back than the ledger says
 *               ──not sold──▶ CANCELLING or REFUNDING
 *
 * REVIEW is for what no rule covers: the gateway refuses a capture, a cancel or a refund for a quarter of an hour; it
 * answers each time and fails for hours; it says of a booking at its end what cannot be. A gateway that is silent is
 * waited for, however long: that needs no human's decision.
 *
 * `saga->booking.saga` is what the ledger holds. Each state is written before the step that its words promise is taken
 * (saga_states.def), so that after a crash the ledger tells what may have happened, and the gateway is asked about the
 * rest.
 *
 * What is guaranteed in a state:
 *
 *   OPENED      no money is authorized: no intent was ever confirmed. To give up needs no call.
 *   CONFIRMING  the intent's id is known: every doubt is a question by id. Money may be authorized, none is
 *               taken (but for a payment that came late), nothing is sold.
 *   CAPTURING   the tickets are in the ledger. The money is taken, or will be.
 *   CANCELLING  nothing is sold and nothing will be; where it never was, the seats stay held until the gateway
 *               has said that the payment is cancelled.
 *   REFUNDING   booking.refunded is the total to be given back; what the gateway has given back already is
 *               asked before more is.
 *   DONE        sold, and the gateway said that it has taken the money, and given `refunded` of it back.
 *   CANCELLED   the gateway said that nothing is authorized, or nothing was ever confirmed.
 *   REFUNDED    the gateway said that all of it was given back, or is under way.
 *   REVIEW      the seats are as they were when it came here: sold, or held. `reason` says why.
 *
 * Idempotency keys are booking, attempt, step, round and era: saga_keys.c says when one may follow another, and that
 * none is sent a day after its first use. Leaving an end makes another attempt (booking.attempt, in the ledger): what
 * the gateway has stored of the one before is of another time. So `attempt > 1` says that a booking was taken up again.
 *
 * An intent whose creation was in doubt may exist twice at the gateway. Only the one whose id is in the ledger is ever
 * confirmed; the other was never given a card, and cannot be charged. It is no difference in money: an intent of ours
 * that requires a payment method for ever.
 *
 * Whoever drives it (runtime/cashier.c) does what saga_step() says and comes back with what came of it. Events that
 * come while nothing is waited for change nothing.
 */
#ifndef ONSALE_BOOKINGS_SAGA_H
#define ONSALE_BOOKINGS_SAGA_H

#include "bookings/ledger.h"
#include "payments/payments.h"

enum saga_event {
    SAGA_STARTED,       /* the booking is in the ledger in booking.saga: fresh, after a restart, or given back to us */
    SAGA_WRITTEN,       /* the ledger holds the state that was to be written */
    SAGA_SEAT_LOST,     /* the selling transaction was refused, or the seats could not be taken again: a seat is
                           somebody else's */
    SAGA_WRITE_REFUSED, /* the row was not in the state expected: another driver moved it */
    SAGA_TIMER,         /* the wait is over */
    SAGA_DEADLINE,      /* the hold's store deadline has come */
    SAGA_HINT,          /* the gateway says that something has changed: whoever waits asks at once */
    SAGA_SEATS_TAKEN,   /* the seats of a payment that came late are held for it again */
    SAGA_INTENT_CREATED,
    SAGA_INTENT_UNPAID,    /* asked: not authorized */
    SAGA_INTENT_BUSY,      /* asked: the gateway is still at it */
    SAGA_INTENT_NEEDS_FAN, /* asked or confirmed: the bank wants the fan to act, which is not offered */
    SAGA_AUTHORIZED,
    SAGA_CAPTURED,
    SAGA_VOIDED,
    SAGA_REFUND_MADE,
    SAGA_DECLINED,
    SAGA_REFUSED,  /* the call itself was refused: not to be repeated as it is */
    SAGA_NOT_SENT, /* busy or unreached: nothing happened, the same call may be made again */
    SAGA_UNKNOWN,  /* sent, outcome not known */
    SAGA_EVENT_COUNT
};

enum saga_action {
    SAGA_DO_NOTHING,
    SAGA_DO_CREATE,
    SAGA_DO_CONFIRM,
    SAGA_DO_RETRIEVE,
    SAGA_DO_CAPTURE,
    SAGA_DO_CANCEL,
    SAGA_DO_REFUND,
    SAGA_DO_WRITE,      /* LEDGER_STEP_BOOKING to saga->target */
    SAGA_DO_SELL,       /* LEDGER_SELL to saga->target */
    SAGA_DO_UNSELL,     /* LEDGER_CANCEL_SOLD to saga->target: the capture was refused for good */
    SAGA_DO_TAKE_SEATS, /* hold the seats of a payment that came late again, with a new fence in booking.fence; then
                           SAGA_SEATS_TAKEN or SAGA_SEAT_LOST */
    SAGA_DO_WAIT,       /* until saga->retry_ms, then SAGA_TIMER */
    SAGA_DO_END,        /* at an end (DONE, CANCELLED, REFUNDED, REVIEW), or another driver's */
};

struct saga {
    /* set by who drives it */
    struct booking booking;   /* as the ledger holds it, but for the fields that the write under way changes */
    bool has_token;           /* the fan's payment token is at hand (never stored; lost in a restart) */
    bool answer_read;         /* the last call but RETRIEVE failed with an answer: its key is used up */
    bool looks_again;         /* started at an end: the gateway is asked whether it agrees */
    bool is_resumed;          /* started in REVIEW by a human: driven on from what the gateway says */
    int64_t already_refunded; /* at the gateway, as last asked */

    /* read by who drives it */
    enum saga_state target; /* the state that is being written */
    int64_t retry_ms;       /* when the wait is over */
    bool looked_in_vain;    /* the gateway did not say whether it agrees: whoever gave the hint has to give it again */
    bool deadline_passed;   /* SAGA_DEADLINE came while something was under way */

    /* its own */
    enum saga_action doing; /* what it asked for last */
    enum saga_action after; /* what the wait is for */
    bool was_busy;          /* the gateway was at it for a while, in this state */
    bool keys_are_new;      /* no call was made with this attempt's keys, and others may be in doubt */
    uint32_t tries;         /* failures in this state so far */
    uint32_t refusals;      /* of them, those where the gateway refused the call as it was */
    uint32_t round;         /* of the idempotency key in this state */
    uint32_t era;          /* of the idempotency keys in this state: the hours after which they were given up for old */
    int64_t since_ms;      /* when this state was written */
    int64_t keys_since_ms; /* when the keys of this era began to be used, or could have; 0: none has been */
    int64_t doubt_ends_ms; /* until then a call that nobody waits for any more may still take effect */
    int64_t asked_ms;      /* when the last RETRIEVE was asked for */
    int64_t hinted_ms;     /* … for a hint */
    int64_t refunded_before; /* what had been given back when a refund was last asked for in this state */
};

/* What a gateway's answer means to the saga. */
enum saga_event saga_event_of(const struct payment_call *call);

/* The next action. `now_ms` only dates the wait; `jitter` is a random number that spreads the waits. */
enum saga_action saga_step(struct saga *saga, enum saga_event event, int64_t now_ms, uint64_t jitter);

/* Fills the call for an action SAGA_DO_CREATE … SAGA_DO_REFUND (not its token). */
void saga_fill_call(const struct saga *saga, enum saga_action action, struct payment_call *call);

bool saga_state_is_end(enum saga_state state);
const char *saga_state_name(enum saga_state state);
MUST_USE bool saga_state_parse(struct bytes name, enum saga_state *state);
const char *booking_status_name(enum booking_status status);
const char *payment_state_name(enum payment_state state);

#endif
