/* The cashier: the one thread that drives sagas (bookings/saga.h) and speaks to the payment gateway.
 *
 * Happy path: a confirm arrives in the mailbox → the hold is pinned → the booking is written (ledger) → the intent is
 * created, confirmed (gateway) → the seats are sold (ledger) → the fan is answered → the money is captured. Where
 * tickets are free: pinned → sold → answered.
 *
 * What can go wrong: the card is declined, the seat is lost, the gateway is slow or silent: saga.h says what then. A
 * fan who has waited CASHIER_PATIENCE_MS is told PENDING; the saga goes on. When the ledger has failed, everybody who
 * waits is told so, and nothing is driven any further: the next start takes it up.
 *
 * A gateway that answers nothing is left alone for a while (payments/breaker.h): meanwhile who confirms is told so at
 * once, and keeps the hold. Every few seconds the ledger's unfinished bookings are looked through, so that none is
 * forgotten whose driver gave it up.
 *
 * cashier.c confirms and has the thread, cashier_refund.c gives money back, cashier_look.c takes up what is in the
 * ledger; open_saga.h is what they share. cashier_confirm(), cashier_refund() and cashier_look() from any thread.
 */
#ifndef ONSALE_RUNTIME_CASHIER_H
#define ONSALE_RUNTIME_CASHIER_H

#include "api/api.h"
#include "bookings/saga.h"

#define CASHIER_PATIENCE_MS 5000

struct cashier;

struct cashier_settings {
    struct ledger *ledger;
    struct hold_store *holds;
    struct payments *payments; /* driven by the cashier's thread; freed by the caller, after cashier_stop() */
    struct sale_list *sales;
};

MUST_USE enum result cashier_new(const struct cashier_settings *settings, struct cashier **cashier);

/* Takes up a booking whose saga was not at its end when the last process stopped: its hold is pinned again (or made
 * anew, where the journal forgot it). After the holds were recovered, before cashier_start(). */
MUST_USE enum result cashier_adopt(struct cashier *cashier, const struct booking *booking, int64_t now_ms);

MUST_USE enum result cashier_start(struct cashier *cashier);
/* Ends the thread: who still waits is told PENDING; open sagas are left to the next start. No confirm or refund comes
 * after it. The ledger may still answer commands that are out: close it before cashier_free(). */
void cashier_stop(struct cashier *cashier);
void cashier_free(struct cashier *cashier);

/* False when LIMIT_OPEN_SAGAS are open. */
MUST_USE bool cashier_confirm(struct cashier *cashier, struct confirm_call *call);
MUST_USE bool cashier_refund(struct cashier *cashier, struct refund_call *call);
MUST_USE bool cashier_look(struct cashier *cashier, struct look_call *call);

/* Reads what the ledger has unfinished, has the cashier take up what nobody drives, and says in metrics and log what is
 * overdue. Returns when it has read; on any thread but the cashier's, with a reader of its own. */
void cashier_reconcile(struct cashier *cashier, struct ledger_reader *reader);

#endif
