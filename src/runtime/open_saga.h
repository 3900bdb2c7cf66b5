/* One saga that the cashier has open: who waits for it, the command or call that is out for it, what came of that.
 * Private to the cashier's files; everything on the cashier's thread. */
#ifndef ONSALE_RUNTIME_OPEN_SAGA_H
#define ONSALE_RUNTIME_OPEN_SAGA_H

#include "base/deadlines.h"
#include "base/id_map.h"
#include "payments/breaker.h"
#include "runtime/cashier.h"

/* A saga under way, and what it needs to be driven. At most one of `command` and `call` is out at any time. */
struct open_saga {
    struct cashier *cashier;
    struct sale *sale;
    struct saga saga;
    struct booking written; /* what the command under way writes */
    struct ledger_command command;
    struct envelope envelope; /* from the ledger's thread to ours */
    struct payment_call call;
    struct hold_step_call step;
    struct deadline timer;
    int64_t store_deadline_ms; /* INT64_MAX once it has passed or does not count */
    bool waiting;              /* for saga.retry_ms */
    bool put_off;              /* the ledger could not take the command; it is submitted again at the timer */
    bool resumed;              /* taken up after a restart, and not begun yet */
    bool is_sold;              /* the fan has the seats */
    bool is_settled;           /* nothing was sold, and the hold has been told */
    bool is_look;              /* opened at the booking's end, to look whether the gateway agrees */
    struct id token_hash;
    char token[LIMIT_PAYMENT_TOKEN_BYTES + 1];
    uint32_t attempts_left;
    struct confirm_call *waiters;
    struct confirm_call *keeper; /* whose answer the command under way keeps */
    struct buffer kept_body;
    struct refund_call *refund;
    struct look_call
        *looks;         /* who wants it looked at: now, where it is open for that; else once it waits, or has ended */
    bool is_probe;      /* its call is the one that the breaker let through to try */
    struct bytes actor; /* of what it writes next, for the audit */
    char why[PAYMENT_CODE_BYTES];
    uint32_t seats[LIMIT_SEATS_PER_HOLD]; /* the booking's, as indices of the plan */
    struct open_saga *next_free;
};

/* Oldest first: all wait equally long. */
struct waiting_list {
    struct waiting *first, **last;
};

struct cashier {
    /* set once */
    struct cashier_settings with;
    pthread_t thread;
    bool started;

    struct mailbox mailbox;
    atomic_bool stopping;
    atomic_uint open;
    atomic_uint confirms; /* calls that were not answered yet */

    pthread_mutex_t drives_lock;
    struct id_map by_reservation; /* changed by the cashier's thread only, under drives_lock; others look under it */

    /* owned by the cashier's thread */
    struct deadlines timers;
    struct open_saga *free;
    struct waiting_list confirms_waiting, looks_waiting;
    struct refund_call *first_refund, **last_refund; /* that wait for a payment, oldest first */
    struct breaker breaker;
    int64_t now_ms;
};

/* NULL when LIMIT_OPEN_SAGAS are open, one on this reservation is, or memory ran out. */
struct open_saga *open_saga_new(struct cashier *cashier, struct sale *sale, const struct id *reservation);
/* Nobody waits any more. */
void open_saga_end(struct open_saga *open);

/* Tells the saga, and does what it says. */
void open_saga_happen(struct open_saga *open, enum saga_event event);
void open_saga_act(struct open_saga *open, enum saga_action action);
/* The timer has gone off. */
void open_saga_fire(struct open_saga *open);

/* Until `at_ms`, or the hold's store deadline. */
void open_saga_sleep(struct open_saga *open, int64_t at_ms);

/* saga_holds.c. Does a step to the hold of the saga's reservation. `recovering`: deadlines do not count. */
void open_saga_step_hold(struct open_saga *open, enum hold_step step, bool recovering,
                         void (*done)(struct hold_step_call *step));
/* Sold; or its payment came to nothing: kept for the fan, or ended. */
void open_saga_sell_hold(struct open_saga *open);
void open_saga_end_hold(struct open_saga *open, bool keep);
/* After a restart: the hold of an open payment is pinned, made anew where the journal forgot it. */
void open_saga_pin_hold(struct open_saga *open);
/* SAGA_DO_TAKE_SEATS. */
void open_saga_take_seats_again(struct open_saga *open);

/* saga_writes.c. Prepares the command that writes the booking as it is now, in the state saga.target. */
void open_saga_prepare(struct open_saga *open, enum ledger_kind kind);
/* Hands it to the ledger; again and again where the ledger is full. */
void open_saga_submit(struct open_saga *open);
void open_saga_write_step(struct open_saga *open);
void open_saga_write_sale(struct open_saga *open);
void open_saga_write_capture_refused(struct open_saga *open);

/* cashier_refund.c. The saga of this reservation is over: the refunds that waited for it go on. */
void cashier_go_on_refunding(struct cashier *cashier, const struct id *reservation);
/* Refunds that have waited long enough are told so. */
void cashier_give_up_refunds(struct cashier *cashier, bool all);
/* cashier_look.c. The saga has ended, and there are hints that it has not heard of: it looks again. */
void open_saga_look_again(struct open_saga *open);
/* The booking's seats as indices; and their ids as the plan's texts, for the booking's own go when the caller returns.
 */
MUST_USE bool open_saga_find_seats(struct open_saga *open);

/* saga_answers.c. Whoever has waited too long (`all`: everybody) is told what can be said by now; the sagas go on. */
void cashier_lose_patience(struct cashier *cashier, bool all);
void confirm_answer(struct confirm_call *call);
void open_saga_add_waiter(struct open_saga *open, struct confirm_call *call);
void open_saga_answer_all(struct open_saga *open, const struct confirm_outcome *outcome);
void open_saga_answer_refund(struct open_saga *open, enum result result);
/* Why it came to nothing, in the fan's terms. */
void open_saga_outcome_of_failure(struct open_saga *open, struct confirm_outcome *outcome);
/* Who has the booking looked at waits, for CASHIER_PATIENCE_MS at most; and is told what became of it. */
void open_saga_add_look(struct open_saga *open, struct look_call *look);
void open_saga_answer_looks(struct open_saga *open, enum result result);

/* Answers who confirms what has come to nothing, though its saga still has money to give back. */
void open_saga_tell_failure(struct open_saga *open, struct confirm_call *call);
/* Tells who has waited longest that it is still pending. */
void confirm_answer_pending(struct confirm_call *call);

#endif
